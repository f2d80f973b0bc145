//! What somebody tries that may reach the server: many passwords, bodies without a length, deep ones, long answers.

use super::*;
use crate::web::request::{Parsed, parse};
use std::cell::Cell;

fn session(door: &Door) -> String {
    format!("X-Transmission-Session-Id: {}\r\n", door.session_id())
}

/// A request whose body comes in chunks of `step` bytes.
fn chunked(headers: &str, body: &[u8], step: usize) -> Vec<u8> {
    let head = format!("POST {RPC} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n{headers}\r\n");
    let chunks =
        body.chunks(step).flat_map(|part| [format!("{:x}\r\n", part.len()).as_bytes(), part, b"\r\n"].concat());
    [head.into_bytes(), chunks.collect(), b"0\r\n\r\n".to_vec()].concat()
}

#[test]
fn a_body_without_a_length_comes_in_chunks() {
    let (port, door) = serve(&Settings::default(), None);
    let session = session(&door);
    let good = chunked(&session, CALL.as_bytes(), 5);
    // Two on one connection, which arrive in pieces.
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    for part in [&good[..], &good].concat().chunks(31) {
        stream.write_all(part).unwrap();
        thread::sleep(Duration::from_millis(1));
    }
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).unwrap();
    assert_eq!(answers.matches(r#"{"arguments":{},"result":"success"}"#).count(), 2, "{answers}");
    let long = format!("{{\"method\":\"session-stats\",\"x\":\"{}\"}}", "a".repeat(3 << 20));
    let waits = format!("{session}Connection: close\r\nExpect: 100-continue\r\n");
    assert!(exchange(port, &chunked(&waits, long.as_bytes(), 50_000)).contains("\"result\":\"success\""));
    // A program that does not know the session id learns it, and the rest of its body means nothing.
    let refused = exchange(port, &[&chunked("", CALL.as_bytes(), 5)[..], b"GET /healthz HTTP/1.1\r\n\r\n"].concat());
    assert_eq!(refused.matches("HTTP/1.1 ").count(), 1, "{refused}");
    assert!(status(&refused) == "409" && refused.contains("Connection: close"), "{refused}");
    // Nobody can send more than that, or something else.
    let huge = vec![b' '; MOST_BODY as usize + 1];
    assert_eq!(status(&exchange(port, &chunked(&session, &huge, 1 << 20))), "413");
    let head = format!("POST {RPC} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n{session}\r\n");
    assert_eq!(status(&exchange(port, (head + "5\r\nabcdefg\r\n").as_bytes())), "400");
}

#[test]
fn a_body_that_is_too_deep_is_refused_with_words() {
    let (port, door) = serve(&Settings::default(), None);
    let headers = session(&door) + "Connection: close\r\n";
    for (open, words) in [("[", "nest too deep"), ("{\"jsonrpc\":", "nest too deep")] {
        let answer = ask(port, "POST", RPC, &headers, &(open.repeat(100_000) + "\"jsonrpc\""));
        assert!(status(&answer) == "200" && answer.contains(words), "{answer}");
    }
}

#[test]
fn guesses_of_the_password_become_slow_and_lock_out_nobody_who_knows_it() {
    let settings = Settings {
        rpc_authentication_required: true,
        rpc_username: "me".into(),
        rpc_password: "right".into(),
        rpc_whitelist_enabled: false,
        anti_brute_force_enabled: true,
        anti_brute_force_threshold: 100,
        ..Settings::default()
    };
    let door = Door::new(&settings, false, None, unbounded().0).unwrap();
    let now = Cell::new(Instant::now());
    let try_with = |session: &str, from: &str, password: &str| {
        let basic = to_base64(format!("me:{password}").as_bytes());
        let text = format!("POST {RPC} HTTP/1.1\r\nHost: x\r\n{session}Authorization: Basic {basic}\r\n\r\n");
        let Parsed::Whole(request, _) = parse(text.as_bytes(), MOST_BODY) else { panic!("{text}") };
        match reply(&door, &request, from.parse().unwrap(), now.get()) {
            Reply::Now(answer) => (answer.status_code(), Duration::ZERO),
            Reply::Slow(answer, pause) => (answer.status_code(), pause),
            Reply::Later(_) => (200, Duration::ZERO),
            Reply::Body => panic!("there is none"),
        }
    };
    let try_it = |from: &str, password: &str| try_with("", from, password);
    for _ in 0..100 {
        assert_eq!(try_it("10.0.0.1", "wrong"), (401, PAUSE));
    }
    assert_eq!(try_it("10.0.0.1", "wrong"), (403, Duration::ZERO));
    assert_eq!(try_it("::ffff:10.0.0.1", "right"), (403, Duration::ZERO), "the right one is not told apart now");
    // In each second one is tried, whether it is right or wrong.
    for (first, second) in [("wrong", "right"), ("right", "wrong"), ("right", "right")] {
        now.set(now.get() + PAUSE);
        assert_eq!(try_it("10.0.0.1", first).0, if first == "right" { 409 } else { 401 });
        assert_eq!(try_it("10.0.0.1", second), (403, Duration::ZERO));
    }
    // The person sees the page, which comes in several files.
    let cookie = format!("Cookie: a=b; {PASS}={}\r\n", pass_of(&door.session_id()));
    (0..3).for_each(|_| assert_eq!(try_with(&cookie, "10.0.0.1", "right"), (409, Duration::ZERO)));
    assert_eq!(try_with(&cookie.replace(PASS, "other"), "10.0.0.1", "right").0, 403);
    assert_eq!(try_it("10.0.0.2", "right"), (409, Duration::ZERO));
    // Another program of this machine guesses, while one that was let in asks all the time.
    let let_in = session(&door);
    for host in 0..100 {
        assert_eq!(try_it(&format!("127.0.0.{host}"), "wrong"), (401, PAUSE));
        assert_eq!(try_with(&let_in, "127.0.0.1", "right"), (200, Duration::ZERO));
    }
    assert_eq!(try_it("127.0.0.1", "right"), (403, Duration::ZERO));
    assert_eq!(try_it("::1", "wrong"), (403, Duration::ZERO));
    assert_eq!(try_with("X-Transmission-Session-Id: \r\n", "127.0.0.1", "right").0, 403);
    assert_eq!(try_with(&let_in, "127.0.0.1", "right"), (200, Duration::ZERO));
    // The session id has become another one: the program learns it, but not the one that guesses.
    lock(&door.session).since -= SESSION_TIME;
    assert_eq!(try_with(&let_in, "127.0.0.1", "right"), (409, Duration::ZERO));
    assert_eq!(try_with(&let_in, "127.0.0.1", "right"), (409, Duration::ZERO));
    assert_eq!(try_it("127.0.0.1", "right").0, 403);
    for host in 0..100 {
        assert_eq!(try_it(&format!("2001:db8::{host:x}"), "wrong"), (401, PAUSE));
    }
    assert_eq!(try_it("2001:db8::ffff", "wrong").0, 403, "a home has many addresses");
    // The password was changed: an id from before opens nothing.
    let let_in = session(&door);
    assert_eq!(try_with(&let_in, "127.0.0.1", "right").0, 200);
    door.change(&settings, true).unwrap();
    assert_eq!(try_with(&let_in, "127.0.0.1", "right").0, 403);
}

#[test]
fn long_answers_share_a_bound_until_they_are_sent() {
    let memory = Bodies::new(100_000);
    let long = || rpc_answer(Some("x".repeat(90_000)), &memory);
    let (first, second) = (long(), long());
    assert_eq!([&first, &second].map(|answer| answer.status_code()), [200, 200]);
    let refused = long();
    assert!(refused.status_code() == 503 && refused.headers.contains("Retry-After: 1\r\n"));
    assert_eq!(rpc_answer(Some("short".into()), &memory).status_code(), 200);
    assert_eq!(rpc_answer(None, &memory).status_code(), 204);
    drop(first);
    assert_eq!(long().status_code(), 200);
}

#[test]
fn a_length_that_is_only_claimed_takes_no_memory_and_little_time() {
    let (port, door) = serve(&Settings::default(), None);
    let head = format!("POST {RPC} HTTP/1.1\r\nHost: localhost\r\n{}", session(&door));
    let mut claims: Vec<TcpStream> = (0..3).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
    for claim in &mut claims {
        write!(claim, "{head}Content-Length: {MOST_BODY}\r\n\r\n{{").unwrap();
    }
    thread::sleep(Duration::from_millis(200));
    let long = format!("{{\"method\":\"session-stats\",\"x\":\"{}\"}}", "a".repeat(3 << 20));
    let waits = format!("{}Expect: 100-continue\r\n", session(&door));
    assert!(ask(port, "POST", RPC, &waits, &long).contains("\"result\":\"success\""));
    // A byte now and then does not keep them.
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(8) {
        thread::sleep(Duration::from_secs(1));
        claims.iter_mut().for_each(|claim| drop(claim.write_all(b" ")));
    }
    assert!(claims.iter_mut().all(|claim| claim.write_all(b" ").is_err()), "a claim still lives");
}

/// A body is made into something larger, and somebody may hang up and ask again at once.
#[test]
fn the_memory_of_a_body_is_kept_until_its_answer_also_when_nobody_waits_for_it() {
    let (promises, kept) = unbounded();
    let service: Arc<Service> = Arc::new(move |asked: Result<&Request, Wrong>, _| match asked {
        Ok(request) if request.body.is_some() => {
            let promises = promises.clone();
            Reply::Later(Box::new(move |promise| promises.send(promise).unwrap()))
        }
        Ok(_) => Reply::Body,
        Err(wrong) => refused(wrong.status, ""),
    });
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    server::start(vec![listener], &service, Bounds { connections: 64, body: 1000 }).unwrap();
    let post = || {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        write!(stream, "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 900\r\n\r\n").unwrap();
        let mut buffer = [0; 25];
        stream.read_exact(&mut buffer).unwrap();
        stream.write_all(&[b'x'; 900]).unwrap();
        stream
    };
    let promise = || kept.recv_timeout(Duration::from_secs(20)).unwrap();
    let clients = [post(), post()];
    let promises = [promise(), promise()];
    drop(clients);
    let mut answer = String::new();
    post().read_to_string(&mut answer).unwrap();
    assert_eq!(status(&answer), "503");
    drop(promises);
    let _client = post();
    promise();
}

#[test]
fn wrong_passwords_do_not_push_out_those_who_take_their_time() {
    let settings = Settings { rpc_authentication_required: true, rpc_password: "p".into(), ..Settings::default() };
    let (port, _) = serve(&settings, None);
    let connect = || TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut waiting: Vec<TcpStream> = (0..10).map(|_| connect()).collect();
    // Both workers have them before the others come.
    waiting.iter_mut().for_each(|stream| stream.write_all(b"GET /").unwrap());
    thread::sleep(Duration::from_millis(200));
    let wrong = to_base64(b":wrong");
    let guesses: Vec<TcpStream> = (0..90)
        .map(|_| {
            let mut stream = connect();
            write!(stream, "GET {RPC} HTTP/1.1\r\nHost: a\r\nAuthorization: Basic {wrong}\r\n\r\n").unwrap();
            stream
        })
        .collect();
    for mut stream in waiting {
        stream.write_all(b"healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(status(&answer), "200");
    }
    drop(guesses);
}

#[test]
fn a_proxy_needs_a_password() {
    let (port, _) = serve(&Settings::default(), None);
    for header in ["X-Forwarded-For: 9.9.9.9\r\n", "Forwarded: for=9.9.9.9\r\n", "Via: 1.1 x\r\n"] {
        for path in [RPC, "/metrics", "/transmission/web/"] {
            let answer = ask(port, "GET", path, header, "");
            assert!(status(&answer) == "403" && answer.contains("came through a proxy"), "{answer}");
        }
        assert_eq!(status(&ask(port, "GET", "/healthz", header, "")), "200");
    }
}

/// Clients that ask for long answers and do not read them.
#[test]
fn answers_that_nobody_reads_take_bounded_memory() {
    const LONG: usize = 8 << 20;
    let (asks, receiver) = unbounded();
    let door = Arc::new(Door {
        answers: Bodies::new(LONG as u64),
        ..Door::new(&Settings::default(), false, None, asks).unwrap()
    });
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    server::start(vec![listener], &service(&door), Bounds { connections: 64, body: MOST_BODY }).unwrap();
    let answers = door.answers.clone();
    let (sender, statuses) = unbounded();
    thread::spawn(move || {
        for ask in receiver {
            let Ask::Rpc(_, promise) = ask else { continue };
            let answer = rpc_answer(Some("x".repeat(LONG - 1)), &answers);
            sender.send(answer.status_code()).unwrap();
            promise.keep(answer);
        }
    });
    let post = |length: &str| {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let session = session(&door);
        write!(stream, "POST {RPC} HTTP/1.1\r\nHost: localhost\r\n{session}Content-Length: {length}\r\n\r\n{{}}")
            .unwrap();
        (stream, statuses.recv_timeout(Duration::from_secs(20)).unwrap())
    };
    let mut clients: Vec<(TcpStream, u16)> = (0..10).map(|_| post("2")).collect();
    assert_eq!(clients.iter().filter(|(_, status)| *status == 200).count(), 2);
    // One of them reads after all, and makes room.
    let (mut reader, _) = clients.remove(0);
    reader.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut all = vec![0; LONG];
    reader.read_exact(&mut all).unwrap();
    drop(reader);
    let begin = Instant::now();
    while post("2").1 != 200 {
        assert!(begin.elapsed() < Duration::from_secs(20), "the memory is given back");
    }
}
