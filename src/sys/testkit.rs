//! What the tests of floor 3 share: the two ends of a connection, a wait with a deadline, a small web server.
//!
//! Floor 3, tests only. Nothing here waits longer than [`PATIENCE`].

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// How long a test waits for something that must happen. Much longer than it takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The two ends of a connection over loopback. Reading from the first one fails after [`PATIENCE`].
pub fn socket_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    near.set_read_timeout(Some(PATIENCE)).unwrap();
    near.set_nodelay(true).unwrap();
    (near, listener.accept().unwrap().0)
}

/// Calls `met` until it returns true.
pub fn wait_until(what: &str, met: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !met() {
        assert!(Instant::now() < end, "waited in vain: {what}");
        thread::yield_now();
    }
}

/// A web server that calls `answer` with the path and query of each request, on a thread of its own.
pub fn serve(answer: impl Fn(&str, &mut TcpStream) + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addr = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            let answer = answer.clone();
            thread::spawn(move || {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    match socket.read(&mut byte) {
                        Ok(1) => head.push(byte[0]),
                        _ => return,
                    }
                }
                let head = String::from_utf8(head).unwrap();
                answer(head.split(' ').nth(1).unwrap(), &mut socket);
            });
        }
    });
    addr
}

/// A server that sends the same bytes to every client.
pub fn serve_bytes(bytes: impl Into<Vec<u8>>) -> SocketAddr {
    let bytes = bytes.into();
    // The client may close the connection early.
    serve(move |_, socket| drop(socket.write_all(&bytes)))
}

/// An HTTP response with its length.
pub fn http(status: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
    answer.extend(body);
    answer
}
