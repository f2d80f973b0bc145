use super::*;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

/// Reads all of `bytes`.
fn fill(body: &mut Body, bytes: &mut [u8]) -> Result<(), HttpError> {
    let mut filled = 0;
    while filled < bytes.len() {
        filled += body.read(&mut [IoSliceMut::new(&mut bytes[filled..])])?;
    }
    Ok(())
}

#[test]
fn a_password_goes_only_to_the_server_it_is_for() {
    let kept = |url: &str, next: &str| with_user_of(url, next.into());
    assert_eq!(kept("http://u:p@a.example/x", "http://a.example/y"), "http://u:p@a.example/y");
    assert_eq!(kept("http://u:p@a.example/x", "http://A.example:80/y"), "http://u:p@A.example:80/y");
    for other in ["http://b.example/y", "https://a.example/y", "http://a.example:81/y", "http://v:q@a.example/y"] {
        assert_eq!(kept("http://u:p@a.example/x", other), other);
    }
    assert_eq!(kept("http://a.example/x", "http://a.example/y"), "http://a.example/y");
    assert_eq!(Target::new("http://u:p@a.example/secret?key=1").shown(), "http://a.example/…");
}

#[test]
fn a_thread_that_waits_for_a_silent_server_is_woken() {
    for said in ["", "HTTP/1.1 206 Part\r\nContent-Length: 2\r\n\r\na"] {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("http://{}/", server.local_addr().unwrap());
        let client = Arc::new(Client::new(|_| false, || ()));
        let waiting = Arc::clone(&client);
        let thread =
            thread::spawn(move || fill(&mut waiting.get(&Target::new(&url), "bytes=0-1")?.body(), &mut [0; 2]));
        let (mut socket, _) = server.accept().unwrap();
        assert!(socket.read(&mut [0]).unwrap() > 0, "the request is sent");
        socket.write_all(said.as_bytes()).unwrap();
        let began = Instant::now();
        client.shut_down();
        assert!(thread.join().unwrap().is_err());
        assert!(began.elapsed() < READ_TIMEOUT / 2);
    }
}

#[test]
fn a_client_that_was_shut_down_asks_nothing() {
    let client = Client::new(|_| false, || ());
    client.shut_down();
    assert!(client.get(&Target::new("http://127.0.0.1:1/"), "bytes=0-1").is_err());
}

/// A server that gives its `answer` to each request line, and the number of connections that were made to it.
fn serving(answer: impl Fn(&str) -> &'static str + Clone + Send + 'static) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            counter.fetch_add(1, Ordering::Relaxed);
            let answer = answer.clone();
            thread::spawn(move || {
                let mut asked = Vec::new();
                while let Ok(1..) = (&mut stream).take(1).read_to_end(&mut asked) {
                    if asked.ends_with(b"\r\n\r\n") {
                        let line = String::from_utf8_lossy(&asked).lines().next().unwrap().to_string();
                        asked.clear();
                        stream.write_all(answer(&line).as_bytes()).unwrap();
                    }
                }
            });
        }
    });
    (url, count)
}

/// A server whose answers have one byte.
fn server() -> (String, Arc<AtomicUsize>) {
    serving(|_| "HTTP/1.1 206 Partial Content\r\nContent-Length: 1\r\n\r\n.")
}

#[test]
fn a_connection_is_used_again_after_all_of_an_answer_and_only_if_the_server_lets_it() {
    let (url, count) = serving(|line| match line.split('/').nth(1).unwrap_or_default() {
        "chunked HTTP" => "HTTP/1.1 206 Part\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "close HTTP" => "HTTP/1.1 206 Part\r\nConnection: x, Close\r\nContent-Length: 3\r\n\r\nabc",
        "old HTTP" => "HTTP/1.0 206 Part\r\nContent-Length: 3\r\n\r\nabc",
        "longer HTTP" => "HTTP/1.1 206 Part\r\nContent-Length: 3\r\n\r\nabcdef",
        _ => "HTTP/1.1 206 Part\r\nContent-Length: 3\r\n\r\nabc",
    });
    let client = Client::new(|_| false, || ());
    let read = |path: &str, bytes: &mut [u8]| {
        let mut body = client.get(&Target::new(&format!("{url}{path}")), "bytes=0-2").unwrap().body();
        fill(&mut body, bytes).unwrap();
        assert_eq!(*bytes, b"abc"[..bytes.len()], "{path}");
        assert_eq!(body.is_over(), bytes.len() == 3, "{path}");
        count.load(Ordering::Relaxed)
    };
    let mut whole = |path: &str| read(path, &mut [0; 3]);
    assert_eq!(["a", "a", "chunked", "chunked", "a", "chunked", "a"].map(&mut whole), [1; 7], "both kinds of bodies");
    assert_eq!(read("a", &mut [0; 2]), 1);
    assert_eq!(["a", "close", "a", "old", "a", "longer", "a"].map(&mut whole), [2, 2, 3, 3, 4, 4, 5]);
}

#[test]
fn a_body_that_is_shorter_than_its_length_says_so() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = Vec::new();
        while !asked.ends_with(b"\r\n\r\n") {
            (&mut stream).take(1).read_to_end(&mut asked).unwrap();
        }
        stream.write_all(b"HTTP/1.1 206 Part\r\nContent-Length: 10\r\n\r\nabc").unwrap();
    });
    let mut body = Client::new(|_| false, || ()).get(&Target::new(&url), "bytes=0-9").unwrap().body();
    server.join().unwrap();
    fill(&mut body, &mut [0; 2]).unwrap();
    let error = fill(&mut body, &mut [0; 2]).unwrap_err();
    assert_eq!(error.to_string(), "the server closes the connection too early");
    assert!(!body.is_over());
}

/// The first request took the scheme and the host away that the second one needed.
#[test]
fn each_request_over_a_kept_connection_to_a_proxy_has_the_whole_url() {
    let (url, count) = serving(|line| match line {
        "GET http://far.example/ HTTP/1.1" => "HTTP/1.1 206 Part\r\nContent-Length: 3\r\n\r\nabc",
        _ => "HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n\r\nbad",
    });
    let client = Client::new(|_| false, || ());
    let proxy = crate::sys::http::proxy::parse(&url);
    for _ in 0..3 {
        aim(&client.guard, "http://far.example/", Origin::WebSeed, proxy.as_ref()).unwrap();
        let (agent, shelf) = client.agent(&proxy).unwrap();
        let response = request(&agent, "http://far.example/", proxy.as_ref()).call().unwrap();
        assert_eq!((response.status().as_u16(), count.load(Ordering::Relaxed)), (206, 1));
        let mut body = Body::Sized(shelf.body(response, 3, READ_TIMEOUT, true));
        fill(&mut body, &mut [0; 3]).unwrap();
        assert!(body.is_over());
    }
}

/// A name may mean another address later, so a kept connection must not stand for a server that was not judged.
#[test]
fn a_connection_serves_only_requests_that_were_judged_in_the_same_way() {
    let (url, count) = server();
    let client = Client::new(|_| false, || ());
    let ask = |origin| {
        let mut body = client.get(&Target { url: url.clone(), origin }, "bytes=0-0").unwrap().body();
        fill(&mut body, &mut [0]).unwrap();
        assert!(body.is_over());
        count.load(Ordering::Relaxed)
    };
    assert_eq!((ask(Origin::WebSeed), ask(Origin::WebSeed), ask(Origin::Redirect(Net::Local))), (1, 1, 1));
    client.guard.forget();
    assert_eq!((ask(Origin::WebSeed), lock(&client.agents).len()), (2, 1));
    // A request that must not go to the local network has an agent of its own, and with that its own connections.
    client.guard.aim(&url, Origin::Redirect(Net::Internet), None).unwrap();
    assert!(client.agent(&None).is_some());
    assert_eq!(lock(&client.agents).len(), 2);
    assert_eq!(ask(Origin::WebSeed), 2);
}
