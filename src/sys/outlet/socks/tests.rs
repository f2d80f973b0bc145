//! Proxies that behave, refuse, stop, and speak something else.

use super::*;
use crate::sys::testkit::{PATIENCE, socket_pair};
use std::thread;

/// What a proxy with this URL sends, if the proxy answers each of our messages with the next of `answers`.
fn talk(url: &str, target: Target, answers: &[&'static [u8]]) -> (Result<(), String>, Vec<u8>) {
    let (near, mut far) = socket_pair();
    let answers: Vec<&[u8]> = answers.to_vec();
    let proxy = thread::spawn(move || {
        let mut heard = Vec::new();
        for answer in answers {
            let mut buffer = [0; 1000];
            let length = far.read(&mut buffer).unwrap();
            heard.extend(&buffer[..length]);
            far.write_all(answer).unwrap();
        }
        heard
    });
    let proxied = Proxy::parse(url).unwrap().talk(&near, target, Instant::now() + PATIENCE);
    drop(near);
    (proxied.map_err(|error| in_words(&error)), proxy.join().unwrap())
}

const PEER: &str = "10.1.2.3:258";

fn peer() -> Target<'static> {
    Target::Addr(PEER.parse().unwrap())
}

#[test]
fn addresses_and_names_are_passed_on() {
    let ok = &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0][..];
    assert_eq!(talk("socks5://p", peer(), &[&[5, 0], ok]), (Ok(()), vec![5, 1, 0, 5, 1, 0, 1, 10, 1, 2, 3, 1, 2]));
    let named = [&[5, 1, 0, 5, 1, 0, 3, 3][..], b"a.b", &[0, 80]].concat();
    assert_eq!(talk("socks5://p", Target::Host("a.b", 80), &[&[5, 0], ok]), (Ok(()), named));
    let v6 = [&[5, 1, 0, 5, 1, 0, 4][..], &[0; 15], &[1], &[0, 9]].concat();
    let with_name = &[5, 0, 0, 3, 2, b'x', b'y', 0, 0][..];
    assert_eq!(talk("socks5://p", Target::Host("::1", 9), &[&[5, 0], with_name]), (Ok(()), v6));
    let with_v6 = &[5, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 9][..];
    assert_eq!(talk("socks5://p", peer(), &[&[5, 0], with_v6]).0, Ok(()));
    assert!(request(Target::Host(&"x".repeat(256), 1)).is_err());
}

#[test]
fn user_and_password_are_given_if_the_proxy_wants_them() {
    let ok = &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0][..];
    let (talked, heard) = talk("socks5://me:p%40ss@p", peer(), &[&[5, 2], &[1, 0], ok]);
    let login = [&[1, 2][..], b"me", &[4], b"p@ss"].concat();
    assert_eq!((talked, &heard[..4], &heard[4..13]), (Ok(()), &[5, 2, 0, 2][..], &login[..]));
    assert_eq!(talk("socks5://me:x@p", peer(), &[&[5, 0], ok]).0, Ok(()), "it lets everybody in");
    let wrong = |url: &str, answers: &[&'static [u8]]| talk(url, peer(), answers).0.unwrap_err();
    assert_eq!(wrong("socks5://me:x@p", &[&[5, 2], &[1, 1]]), "it does not accept this user and password");
    assert_eq!(wrong("socks5://me:x@p", &[&[5, 255]]), "it accepts no user and password");
    assert_eq!(wrong("socks5://p", &[&[5, 255]]), "it wants a user and a password");
    assert_eq!(wrong("socks5://p", &[&[5, 2]]), "it wants a user and a password");
}

#[test]
fn a_refusal_is_told_in_words() {
    let wrong = |answers: &[&'static [u8]]| talk("socks5://p", peer(), answers).0.unwrap_err();
    assert_eq!(wrong(&[&[5, 0], &[5, 5, 0, 1, 0, 0, 0, 0, 0, 0]]), "that host refused the connection");
    assert_eq!(wrong(&[&[5, 0], &[5, 77, 0, 1]]), "it failed to connect");
    assert_eq!(wrong(&[b"HTTP/1.1 400 Bad Request\r\n"]), "it does not speak SOCKS 5");
    assert_eq!(wrong(&[&[5, 0], &[5, 0, 0, 9]]), "it does not speak SOCKS 5");
    assert_eq!(wrong(&[&[5]]), "it closed the connection");
}

#[test]
fn a_proxy_that_says_nothing_is_given_up_in_time() {
    let (near, _far) = socket_pair();
    let begun = Instant::now();
    let end = begun + Duration::from_millis(100);
    let error = Proxy::parse("socks5://p").unwrap().talk(&near, peer(), end).unwrap_err();
    assert_eq!((error.kind(), begun.elapsed() < PATIENCE), (io::ErrorKind::TimedOut, true));
}

#[test]
fn only_urls_of_socks_are_read_and_passwords_are_not_shown() {
    for (text, shown) in [
        ("socks5://proxy.example", "proxy.example:1080"),
        ("SOCKS5h://me:secret@10.0.0.1:9050/", "10.0.0.1:9050"),
        ("socks5://[2001:db8::1]:1", "[2001:db8::1]:1"),
    ] {
        let proxy = Proxy::parse(text).unwrap();
        assert_eq!((proxy.to_string(), format!("{proxy:?}")), (shown.into(), shown.into()));
    }
    let long = format!("socks5://me:{}@p", "x".repeat(256));
    for wrong in ["", "proxy:1080", "http://p:1", "socks4://p", "socks5://", "socks5://p:x", "socks5://p:1/x", &long] {
        assert!(Proxy::parse(wrong).is_none(), "{wrong}");
    }
}
