use super::*;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

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
    let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}/", server.local_addr().unwrap());
    let client = Arc::new(Client::new(|_| false, || ()));
    let waiting = Arc::clone(&client);
    let thread = thread::spawn(move || waiting.get(&Target::new(&url), "bytes=0-1").map(|answer| answer.status));
    let (mut socket, _) = server.accept().unwrap();
    assert!(socket.read(&mut [0]).unwrap() > 0, "the request is sent");
    let began = Instant::now();
    client.shut_down();
    assert!(thread.join().unwrap().is_err());
    assert!(began.elapsed() < READ_TIMEOUT / 2);
}

#[test]
fn a_client_that_was_shut_down_asks_nothing() {
    let client = Client::new(|_| false, || ());
    client.shut_down();
    assert!(client.get(&Target::new("http://127.0.0.1:1/"), "bytes=0-1").is_err());
}

/// A server that answers each request, and the number of connections that were made to it.
fn server() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            counter.fetch_add(1, Ordering::Relaxed);
            thread::spawn(move || {
                let mut asked = Vec::new();
                while let Ok(1..) = (&mut stream).take(1).read_to_end(&mut asked) {
                    if asked.ends_with(b"\r\n\r\n") {
                        asked.clear();
                        stream.write_all(b"HTTP/1.1 206 Partial Content\r\nContent-Length: 1\r\n\r\n.").unwrap();
                    }
                }
            });
        }
    });
    (url, count)
}

/// A name may mean another address later, so a kept connection must not stand for a server that was not judged.
#[test]
fn a_connection_serves_only_requests_that_were_judged_in_the_same_way() {
    let (url, count) = server();
    let client = Client::new(|_| false, || ());
    let ask = |origin| {
        let mut body = client.get(&Target { url: url.clone(), origin }, "bytes=0-0").unwrap().body();
        body.read(&mut [0]).unwrap();
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
