use super::*;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
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
