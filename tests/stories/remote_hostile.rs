//! Stories of `swarmlet remote` where no daemon answers, or something that is none, or one that means harm.

use crate::common::ran::{Ran, run};
use crate::common::swarmlet::program;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

/// A server that reads each request with its body, and then writes what `answer` gives for it (the requests before it,
/// its head and its body). It lives as long as the program.
pub fn server(answer: impl Fn(usize, &str, &mut TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let Ok(mut stream) = stream else { return };
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut request, mut length) = (String::new(), 0);
            while reader.read_line(&mut request).is_ok_and(|bytes| bytes > 2) {}
            for line in request
                .lines()
                .filter_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").map(String::from))
            {
                length = line.trim().parse().unwrap();
            }
            let mut body = vec![0; length];
            if reader.read_exact(&mut body).is_ok() {
                answer(number, &(request + &String::from_utf8_lossy(&body)), &mut stream);
            }
        }
    });
    address
}

/// One that sends the same to everyone.
fn saying(answer: Vec<u8>) -> SocketAddr {
    server(move |_, _, stream| drop(stream.write_all(&answer)))
}

pub fn ok(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// The answer of a daemon with these torrents.
pub fn torrents(torrents: &str) -> Vec<u8> {
    ok(&format!(r#"{{"result":"success","arguments":{{"torrents":[{torrents}]}}}}"#))
}

fn remote(url: &str, args: &[&str]) -> Ran {
    let mut command = Command::new(program());
    command.arg("remote").args(args).args(["--url", url]).env_remove("TR_AUTH").env_remove("http_proxy");
    run(&mut command, b"")
}

fn list(address: SocketAddr) -> Ran {
    remote(&address.to_string(), &["list"])
}

#[test]
fn no_daemon_and_another_server_are_told_apart() {
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    list(closed).refused(69, &format!("swarmlet: http://{closed}/…: Connection refused\n"));
    let none = "this is not a daemon that speaks transmission's RPC";
    for answer in [
        ok("<html>hello</html>"),
        ok(""),
        ok("{}"),
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec(),
        b"HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n".to_vec(),
        b"HTTP/1.1 409 Conflict\r\nX-Transmission-Session-Id: \r\nContent-Length: 0\r\n\r\n".to_vec(),
    ] {
        list(saying(answer)).refused(69, none);
    }
    list(saying(b"220 ftp ready\r\n".to_vec())).refused(69, "not HTTP");
    list(saying(ok(r#"{"result":"success"}"#))).refused(69, "the answer has no list of torrents");
    let refuses = |status: &str| saying(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").into());
    list(refuses("403 Forbidden")).refused(69, "rpc-whitelist");
    list(refuses("421 Misdirected Request")).refused(69, "rpc-host-whitelist");
    list(saying(ok(r#"{"result":"no\u001b[31m way\nswarmlet: fake"}"#)))
        .refused(1, ": the daemon refuses: no\\x1b[31m way\\x0aswarmlet: fake\n");
}

#[test]
fn an_answer_without_end_is_not_kept() {
    let endless = server(|_, _, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n{\"result\":\"");
        while stream.write_all(&[b'x'; 65536]).is_ok() {}
    });
    list(endless).refused(69, "the response has more than 33554432 bytes");
    let deep = format!(r#"{{"result":"success","arguments":{}"#, "[".repeat(100_000));
    list(saying(ok(&deep))).refused(69, "lists and objects nest too deep");
    let many = format!(r#"{{"result":"success","arguments":{{"torrents":[{}1]}}}}"#, "1,".repeat(1 << 20));
    list(saying(ok(&many))).refused(69, "too many values");
    let odd = r#"1,null,[],{"id":-1,"name":{},"sizeWhenDone":1e400}"#;
    list(saying(torrents(odd))).refused(69, "this number is too large");
    let long = "HTTP/1.1 409 Conflict\r\nX-Transmission-Session-Id: ".to_string() + &"x".repeat(5000);
    list(saying((long + "\r\nContent-Length: 0\r\n\r\n").into())).refused(69, "not a daemon");
}

#[test]
fn a_daemon_that_never_accepts_its_session_id_is_asked_three_times() {
    let (sender, asked) = channel();
    let changing = server(move |number, request, stream| {
        sender.send(request.to_string()).unwrap();
        let answer =
            format!("HTTP/1.1 409 Conflict\r\nX-Transmission-Session-Id: {number}\r\nContent-Length: 0\r\n\r\n");
        let _ = stream.write_all(answer.as_bytes());
    });
    list(changing).refused(69, "does not accept the session id that it gave");
    let asked: Vec<String> = asked.try_iter().map(|request| request.to_ascii_lowercase()).collect();
    assert_eq!(asked.len(), 3);
    assert!(!asked[0].contains("session-id") && asked[2].contains("x-transmission-session-id: 1\r\n"), "{asked:?}");
}

/// The requests that came.
fn heard() -> (SocketAddr, Receiver<String>) {
    let (sender, heard) = channel();
    let address = server(move |_, request, stream| {
        sender.send(request.to_string()).unwrap();
        let _ = stream.write_all(&torrents(""));
    });
    (address, heard)
}

#[test]
fn a_redirect_does_not_get_the_password() {
    let (other, heard) = heard();
    for status in ["301 Moved Permanently", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let redirect =
            format!("HTTP/1.1 {status}\r\nLocation: http://{other}/transmission/rpc\r\nContent-Length: 0\r\n\r\n");
        let redirecting = saying(redirect.into());
        let ran = remote(&format!("http://me:secret@{redirecting}"), &["list"]).refused(69, "not a daemon");
        assert!(!ran.stderr.contains("secret") && !ran.stderr.contains(&other.to_string()), "{}", ran.stderr);
    }
    assert_eq!(heard.try_iter().count(), 0);
    // The server that is named gets it.
    remote(&format!("http://me:secret@{other}"), &["list"]).code(0);
    assert!(heard.recv().unwrap().to_ascii_lowercase().contains("authorization: basic bwu6c2vjcmv0"));
}

#[test]
fn names_from_a_daemon_can_not_move_the_cursor_or_make_up_lines() {
    let evil = r#"{"id":1,"hashString":"a\u001b","name":"x\u001b[2J\u202e\nseeding","errorString":"\u0007http://t/KEY/a","error":3,
        "downloadDir":"\u009b31m","labels":["\u001b]0;l"],"comment":"\r","trackerStats":[{"announce":"http://\u001bt/KEY"}],
        "files":[{"name":"\u001b[31mf\n","length":1}]}"#;
    let daemon = saying(torrents(evil)).to_string();
    for args in
        [&["list"][..], &["info", "1"], &["list", "--json"], &["info", "1", "--json"], &["stop", "1"], &["limit", "1"]]
    {
        let said = remote(&daemon, args).code(0).text();
        let is_bad = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!said.contains(is_bad) && !said.contains("KEY"), "{args:?}: {said:?}");
        assert!(!said.lines().any(|line| line.starts_with("seeding")), "{args:?}: {said}");
    }
    assert_eq!(remote(&daemon, &["list"]).text().lines().count(), 4, "titles, a torrent, the sum, what is wrong");
}

#[test]
fn what_a_command_does_not_know_is_a_mistake_in_typing() {
    for (args, words) in [
        (&[][..], "expected add, list, info, start, stop, verify, remove, limit, queue, move or files"),
        (&["frob"], "remote frob: expected add"),
        (&["list", "1"], "`swarmlet remote list` takes no arguments"),
        (&["add"], "no torrent given"),
        (&["stop"], "expected torrents: swarmlet remote stop ID..., or all"),
        (&["stop", "x"], "x: expected the number of a torrent, its info-hash"),
        (&["stop", "1", "--delete"], "--delete is an option of `swarmlet remote remove`"),
        (&["list", "--paused"], "--paused is an option of `swarmlet remote add`"),
        (&["start", "1", "--up", "3"], "--up is an option of `swarmlet remote limit`"),
        (&["limit", "1", "--dir", "x"], "--dir is an option of `swarmlet remote add` and `swarmlet remote move`"),
        (&["queue", "1"], "expected up, down, top or bottom"),
        (&["move", "1"], "expected a folder"),
    ] {
        // Nothing is asked.
        remote("127.0.0.1:1", args).refused(64, words);
    }
    for url in ["ftp://nas", "http://", "127.0.0.1:99999"] {
        remote(url, &["list"]).refused(64, "expected");
    }
}
