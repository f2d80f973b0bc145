//! Stories of the daemon's door: somebody guesses the password, asks through a proxy, or asks for too much at once.

use crate::common::daemon::{Daemon, base64};
use crate::common::folder::Folder;
use crate::common::http::{Answer, request};
use crate::common::nginx::Nginx;
use crate::common::tools::{Tool, here};
use crate::common::wait::{PATIENCE, wait_until};
use serde_json::json;
use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;

const RPC: &str = "/transmission/rpc";
const CALL: &str = r#"{"method":"session-stats"}"#;
const CONFIG: &str = "rpc-authentication-required = true\nrpc-username = me\nrpc-password = right\n";

/// A daemon that wants a password.
fn guarded(folder: &Folder, more: &str) -> Daemon {
    let config = folder.path().join("config");
    fs::write(&config, format!("{CONFIG}{more}")).unwrap();
    Daemon::start(folder.path(), &["--config", &config.to_string_lossy()])
}

fn login(password: &str) -> String {
    format!("Authorization: Basic {}\r\n", base64(format!("me:{password}").as_bytes()))
}

fn post(address: SocketAddr, headers: &str) -> Answer {
    request(address, RPC, headers, Some(CALL)).expect("it answers")
}

fn status(answer: &Answer) -> &str {
    &answer.head[9..12]
}

#[test]
fn a_program_that_guesses_the_password_is_refused_and_the_one_that_was_let_in_is_not() {
    if !cfg!(feature = "daemon") {
        return;
    }
    let folder = Folder::new();
    let daemon = guarded(&folder, "");
    let learnt = post(daemon.rpc, &login("right"));
    let session = learnt.header("X-Transmission-Session-Id").expect("a session id");
    let let_in = format!("{}X-Transmission-Session-Id: {session}\r\n", login("right"));
    assert_eq!((status(&learnt), status(&post(daemon.rpc, &let_in))), ("409", "200"));
    // It does not wait for the answers.
    let guesses: Vec<TcpStream> = (0..150)
        .map(|number| {
            let mut stream = TcpStream::connect(daemon.rpc).expect("it listens");
            let login = login(&number.to_string());
            write!(stream, "GET {RPC} HTTP/1.1\r\nHost: localhost\r\n{login}\r\n").expect("it reads");
            stream
        })
        .collect();
    wait_until("guesses are refused", PATIENCE, || status(&post(daemon.rpc, &login("right"))) == "403");
    assert_eq!(status(&post(daemon.rpc, &let_in)), "200");
    assert_eq!(daemon.log().matches("a wrong user or password came from").count(), 100);
    drop(guesses);
    assert!(request(daemon.rpc, "/healthz", "", None).is_ok_and(|answer| status(&answer) == "200"));
}

#[test]
fn through_a_web_server_the_daemon_wants_a_password_or_leaves_it_to_the_web_server() {
    if !cfg!(feature = "daemon") || !here(&[Tool::Nginx, Tool::Transmission]) {
        return;
    }
    let front = |folder: &Folder, daemon: &Daemon, more: &str| {
        let rpc = daemon.rpc;
        let pass = format!("proxy_pass http://{rpc}; proxy_set_header X-Forwarded-For $remote_addr; {more}");
        let nginx = Nginx::start(folder.path(), folder.path(), &format!("location / {{ {pass} }}"));
        let address: SocketAddr = nginx.url("")["http://".len()..].trim_end_matches('/').parse().expect("an address");
        (nginx, address)
    };
    // Nobody asks for a password.
    let folder = Folder::new();
    let daemon = Daemon::start(folder.path(), &[]);
    let (_nginx, address) = front(&folder, &daemon, "");
    let refused = post(address, "");
    assert_eq!(status(&refused), "403");
    let words = String::from_utf8_lossy(&refused.body).into_owned();
    assert!(words.contains("came through a proxy") && words.contains("--rpc-open"), "{words}");
    assert_eq!(status(&post(daemon.rpc, "")), "409");
    // The daemon does. Its whitelist has the address of nginx.
    let folder = Folder::new();
    let daemon = guarded(&folder, "rpc-whitelist = 127.0.0.1\n");
    let (_nginx, address) = front(&folder, &daemon, "");
    assert_eq!(status(&post(address, "")), "401");
    let mut remote = Command::new("transmission-remote");
    let output = remote.arg(address.to_string()).args(["-n", "me:right", "-st"]).output().expect("it runs");
    let words = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && words.contains("CURRENT SESSION"), "{words}");
    // nginx does.
    let folder = Folder::new();
    let daemon = Daemon::start(folder.path(), &["--rpc-open"]);
    let users = folder.path().join("users");
    fs::write(&users, "me:{PLAIN}right\n").unwrap();
    let basic = format!("auth_basic daemon; auth_basic_user_file {};", users.display());
    let (_nginx, address) = front(&folder, &daemon, &basic);
    assert_eq!((status(&post(address, "")), status(&post(address, &login("right")))), ("401", "409"));
}

#[test]
fn a_program_that_asks_for_too_many_urls_at_once_is_refused_with_words_and_others_are_answered() {
    if !cfg!(feature = "daemon") {
        return;
    }
    let folder = Folder::new();
    let daemon = Daemon::start(folder.path(), &[]);
    let learnt = post(daemon.rpc, "");
    let session = learnt.header("X-Transmission-Session-Id").expect("a session id");
    // It takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let url = format!("http://{}/a.torrent", silent.local_addr().expect("it has an address"));
    let add = json!({ "filename": url });
    let call = json!({ "method": "torrent-add", "arguments": add }).to_string();
    let asked: Vec<TcpStream> = (0..16)
        .map(|_| {
            let mut stream = TcpStream::connect(daemon.rpc).expect("it listens");
            let length = call.len();
            write!(
                stream,
                "POST {RPC} HTTP/1.1\r\nHost: localhost\r\nX-Transmission-Session-Id: {session}\r\n\
                 Content-Length: {length}\r\n\r\n{call}"
            )
            .expect("it reads");
            stream
        })
        .collect();
    let mut waiting = Vec::new();
    wait_until("all are fetched", PATIENCE, || {
        silent.set_nonblocking(true).expect("it can be set");
        waiting.extend(silent.accept().map(|(stream, _)| stream));
        waiting.len() == asked.len()
    });
    let words = daemon.refuses("torrent-add", &add);
    assert!(words.contains("too many .torrent files are being fetched"), "{words}");
    daemon.ask("session-stats", &json!({}));
    // When the server ends, there is room again.
    drop((silent, waiting));
    wait_until("there is room", PATIENCE, || !daemon.refuses("torrent-add", &add).contains("too many"));
}
