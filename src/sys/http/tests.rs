//! Well-behaved, broken and silent servers.

use super::*;
use crate::sys::testkit::{PATIENCE, http, serve, serve_bytes};
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

const LIMIT: u64 = 1 << 20;

fn url(addr: SocketAddr, path: &str) -> String {
    format!("http://{addr}{path}")
}

fn ask_for(bytes: impl Into<Vec<u8>>) -> Result<Answer, HttpError> {
    ask(&url(serve_bytes(bytes), "/"), LIMIT, PATIENCE, Family::Any)
}

fn body(bytes: impl Into<Vec<u8>>) -> String {
    let answer = ask_for(bytes).unwrap();
    assert_eq!(answer.status, 200);
    String::from_utf8(answer.body).unwrap()
}

/// A server that redirects from `/N` to `/N+1`, `most` times, and counts its requests.
fn redirecting(most: usize) -> (SocketAddr, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let addr = serve(move |path, socket| {
        count.fetch_add(1, Ordering::Relaxed);
        let number: usize = path[1..].parse().unwrap();
        let answer = match number < most {
            true => format!("HTTP/1.1 302 Found\r\nLocation: /{}\r\nContent-Length: 0\r\n\r\n", number + 1).into(),
            false => http("200 OK", "here"),
        };
        let _ = socket.write_all(&answer);
    });
    (addr, asked)
}

#[test]
fn five_redirects_are_followed_and_loops_are_not() {
    let (addr, asked) = redirecting(5);
    assert_eq!(get(&url(addr, "/0"), LIMIT, PATIENCE).unwrap(), b"here");
    assert_eq!(asked.load(Ordering::Relaxed), 6);

    let (addr, asked) = redirecting(usize::MAX);
    let error = ask(&url(addr, "/0"), LIMIT, PATIENCE, Family::Any).unwrap_err();
    assert_eq!(error.to_string(), "too many redirects");
    assert_eq!(asked.load(Ordering::Relaxed), 6, "the first, and five more");
}

/// Browsers and curl follow these too.
#[test]
fn a_redirect_with_characters_that_no_url_may_have_is_followed() {
    for (location, path) in [("/ok a b", "/ok%20a%20b"), ("/b\u{e4}", "/b%C3%A4"), ("/a|b?q=\"c\"", "/a%7Cb?q=%22c%22")]
    {
        let addr = serve(move |asked, socket| {
            let answer = match asked {
                "/" => format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n").into(),
                _ if asked == path => http("200 OK", "here"),
                _ => http("404 Not Found", "not here"),
            };
            let _ = socket.write_all(&answer);
        });
        assert_eq!(get(&url(addr, "/"), LIMIT, PATIENCE).unwrap(), b"here", "{location}");
    }
}

#[test]
fn a_long_head_is_refused_and_a_long_url_is_requested() {
    let head = |bytes: usize| format!("HTTP/1.1 200 OK\r\nX: {}\r\nContent-Length: 4\r\n\r\nhere", "x".repeat(bytes));
    assert_eq!(body(head(15_000)), "here");
    let words = ask_for(head(17_000)).unwrap_err().to_string();
    assert!(words.contains("header is too big"), "{words}");

    // As long as a URL in a torrent may be, with the parameters of an announce.
    let addr = serve_bytes(http("200 OK", "here"));
    let long = url(addr, &format!("/{}", "x".repeat(9000)));
    assert_eq!(get(&long, LIMIT, PATIENCE).unwrap(), b"here");
}

#[test]
fn an_answer_may_be_as_long_as_the_limit_but_no_longer() {
    for head in ["Content-Length: LENGTH\r\n", "Connection: close\r\n"] {
        for (length, fits) in [(LIMIT, true), (LIMIT + 1, false)] {
            let head = format!("HTTP/1.1 200 OK\r\n{}\r\n", head.replace("LENGTH", &length.to_string()));
            let answer = ask_for([head.as_bytes(), &vec![b'x'; length as usize]].concat());
            match answer {
                Ok(answer) => assert!(fits && answer.body.len() as u64 == length),
                Err(HttpError::TooLarge(LIMIT)) => assert!(!fits),
                Err(error) => panic!("{error}"),
            }
        }
    }
}

#[test]
fn an_answer_without_end_is_cut_at_the_limit() {
    let addr = serve(|_, socket| {
        let _ = socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while socket.write_all(&[b'x'; 4096]).is_ok() {}
    });
    let error = ask(&url(addr, "/"), LIMIT, PATIENCE, Family::Any).unwrap_err();
    assert!(matches!(error, HttpError::TooLarge(LIMIT)), "{error}");
    // A head without an end is limited too.
    let addr = serve(|_, socket| {
        let _ = socket.write_all(b"HTTP/1.1 200 OK\r\n");
        while socket.write_all(b"X-Header: this goes on and on\r\n").is_ok() {}
    });
    assert!(matches!(ask(&url(addr, "/"), LIMIT, PATIENCE, Family::Any), Err(HttpError::Unreachable(_))));
}

#[test]
fn the_deadline_is_for_the_whole_request() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let drip = |head: &'static [u8]| {
        serve(move |_, socket| {
            let _ = socket.write_all(head);
            while socket.write_all(b"x").is_ok() {
                thread::sleep(Duration::from_millis(20));
            }
        })
    };
    let (head, body) = (drip(b"HTTP/1.1 200 OK\r\nX-Slow: "), drip(b"HTTP/1.1 200 OK\r\n\r\n"));
    for addr in [silent.local_addr().unwrap(), head, body] {
        let begun = Instant::now();
        let error = ask(&url(addr, "/"), LIMIT, Duration::from_millis(200), Family::Any).unwrap_err();
        assert_eq!(error.to_string(), "no answer in time");
        let took = begun.elapsed();
        assert!(took >= Duration::from_millis(200) && took < PATIENCE, "{took:?}");
    }
}

#[test]
fn bodies_come_in_all_forms_of_http() {
    assert_eq!(body(http("200 OK", "d5:hello")), "d5:hello");
    assert_eq!(body("HTTP/1.0 200 OK\r\n\r\nto the end"), "to the end", "no length");
    assert_eq!(body("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nto the end"), "to the end");
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\na;x=y\r\n0123456789\r\n0\r\n\r\n";
    assert_eq!(body(chunked), "abc0123456789");
    assert_eq!(body("HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok"), "ok", "no reason after the status");
    assert_eq!(body(http("200 OK", "")), "");
}

#[test]
fn lines_may_end_without_a_carriage_return() {
    assert_eq!(body("HTTP/1.0 200 OK\nContent-Type: text/plain\n\nbody"), "body");
}

#[test]
fn ask_returns_the_body_of_an_error_and_get_returns_the_error() {
    let answer = ask_for(http("404 Not Found", "d14:failure reason4:gonee")).unwrap();
    assert_eq!((answer.status, &answer.body[..]), (404, &b"d14:failure reason4:gonee"[..]));
    let error = get(&url(serve_bytes(http("404 Not Found", "page")), "/"), LIMIT, PATIENCE).unwrap_err();
    assert_eq!(error.to_string(), "the server returned HTTP status 404");
}

#[test]
fn anything_but_http_is_an_error() {
    for bytes in ["", "220 ftp.example ready\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort"] {
        assert!(matches!(ask_for(bytes), Err(HttpError::Unreachable(_))), "{bytes:?}");
    }
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let error = ask(&url(closed, "/"), LIMIT, PATIENCE, Family::Any).unwrap_err();
    assert!(error.to_string().contains("refused"), "{error}");
    for address in ["ftp://localhost/", "file:///etc/passwd", "localhost/announce", "udp://localhost:80", ""] {
        assert!(matches!(ask(address, LIMIT, PATIENCE, Family::Any), Err(HttpError::Unsupported(_))), "{address}");
    }
}

#[test]
fn redirects_to_other_schemes_are_refused() {
    let answer = ask_for("HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n");
    assert!(answer.is_err(), "{answer:?}");
}

#[test]
fn the_query_is_sent_unchanged() {
    let (sender, heard) = crossbeam_channel::unbounded();
    let addr = serve(move |path, socket| {
        sender.send(path.to_string()).unwrap();
        let _ = socket.write_all(&http("200 OK", ""));
    });
    get(&url(addr, "/a?info_hash=%00%ff%20~x&port=1"), LIMIT, PATIENCE).unwrap();
    assert_eq!(heard.recv_timeout(PATIENCE).unwrap(), "/a?info_hash=%00%ff%20~x&port=1");
}
