//! Stories of passkeys: no message, log line or JSON object shows one. (`screen.rs` tests the live screen.)

use crate::common::bencode::Value;
use crate::common::content::Content;
use crate::common::http::Server;
use crate::common::ran::swarmlet;
use crate::common::swarmlet::{Get, Outcome};
use crate::common::torrent::Maker;
use crate::common::wait::{PATIENCE, wait_until};
use std::collections::BTreeMap;
use std::io::Write;
use std::net::{Ipv4Addr, UdpSocket};
use std::thread;
use std::time::Duration;

/// Private trackers have passkeys after a `?` or in the path, short ones too, and redirects have their own.
const KEYS: [&str; 5] = ["hunter2hunter2", "0123456789abcdef0123456789abcdef", "k7Qx", "geheim!wort", "r3directed"];

fn assert_no_secret(what: &str, outcome: &Outcome) {
    let said = outcome.stdout.clone() + &outcome.stderr;
    KEYS.iter().for_each(|key| assert!(!said.contains(key), "{what} shows a passkey"));
}

/// A tracker that refuses, and repeats the request in its message.
fn tracker() -> Server {
    Server::start(Ipv4Addr::LOCALHOST.into(), |target, _| {
        let words = format!("not registered: http://t.example{target} (user {} {})", KEYS[0], KEYS[1]);
        Some(Value::Dict(BTreeMap::from([("failure reason", Value::text(&words))])).encode())
    })
}

#[test]
fn messages_about_trackers_that_refuse_or_are_down_show_no_passkey() {
    let scratch = tempfile::tempdir().unwrap();
    let (tracker, content) = (tracker(), Content::one_file("a.bin", 1000));
    let down = "127.0.0.1:1".parse().unwrap();
    for (address, word) in [(tracker.address(), "refuses"), (down, "refused")] {
        let url = format!("http://{address}/{}/announce?passkey={}", KEYS[1], KEYS[0]);
        let torrent = Maker::Ours.make(&content, &scratch.path().join("source"), 1 << 14, &url);
        for options in [&["-vvv"][..], &["-v"], &["--json"], &["--json", "-vvv"], &[]] {
            let get = options.iter().fold(Get::new("get", scratch.path()).torrent(&torrent), |get, word| get.arg(word));
            let mut run = get.start();
            let word = if address == tracker.address() && options.contains(&"--json") { "registered" } else { word };
            wait_until("the failure of the tracker is reported", PATIENCE, || {
                run.must_run();
                (run.stdout() + &run.stderr()).contains(word)
            });
            let outcome = run.interrupt();
            outcome.assert_code(75);
            assert_no_secret(&format!("{options:?}"), &outcome);
        }
    }
}

#[test]
fn messages_about_a_torrent_url_show_no_passkey() {
    let scratch = tempfile::tempdir().unwrap();
    let server = Server::start(Ipv4Addr::LOCALHOST.into(), |target, _| {
        (!target.contains("/none/")).then(|| b"<html>no torrent".to_vec())
    });
    for folder in ["none", "page"] {
        let url = format!("http://{}/{folder}/{}.torrent?key={}", server.address(), KEYS[1], KEYS[0]);
        let outcome = Get::new("get", scratch.path()).arg(&url).arg("-vvv").run();
        assert!(outcome.stderr.contains("127.0.0.1"), "{}", outcome.stderr);
        assert_no_secret(folder, &outcome);
    }
}

/// What servers send as the target of a redirect. `HOST` is the server itself.
const TARGETS: [&str; 12] = [
    "http://[bad/r3directed",
    "http://ho st/r3directed",
    "http://127.0.0.1:1/r3directed/announce?x=r3directed",
    "http://127.0.0.1:r3directed/",
    "http://r3directed@/",
    "ftp://t.example/r3directed",
    "magnet:?xt=urn:btih:r3directed",
    "http://HOST/refuse/r3directed",
    "http://HOST/loop/r3directed",
    "//HOST/page?r3directed",
    "\u{fffd}\u{1b}[31m/r3directed",
    "HTTP://HOST/refuse?a=geheim!wort&b=r3directed",
];

/// A server that redirects from `/to/NUMBER/...` to each of the targets, and refuses with its own URL in its words.
fn redirecting() -> Server {
    Server::raw((Ipv4Addr::LOCALHOST, 0).into(), |target, stream| {
        let host = stream.local_addr()?;
        let number = target.strip_prefix("/to/").and_then(|rest| rest.split('/').next()?.parse::<usize>().ok());
        if let Some(location) = number.and_then(|number| TARGETS.get(number)) {
            let location = location.replace("HOST", &host.to_string());
            return write!(stream, "HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
        }
        if target.starts_with("/loop") {
            return write!(stream, "HTTP/1.1 302 Found\r\nLocation: {target}x\r\nContent-Length: 0\r\n\r\n");
        }
        let words = format!("http://{host}{target} and {target} are not registered (geheim!wort, k7Qx)");
        let refusal = Value::Dict(BTreeMap::from([
            ("failure reason", Value::text(&words)),
            ("warning message", Value::text(&words)),
        ]));
        let body = refusal.encode();
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len())?;
        stream.write_all(&body)
    })
}

/// A tracker over UDP that refuses, and repeats path and query of the URL (BEP 41) in its words.
fn udp_tracker() -> (UdpSocket, u16) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port of the system's choice is free");
    let port = socket.local_addr().expect("it is bound").port();
    let tracker = socket.try_clone().expect("it is open");
    thread::spawn(move || {
        let mut packet = [0; 2048];
        while let Ok((length, from)) = tracker.recv_from(&mut packet) {
            let (action, transaction) = (&packet[8..12], packet[12..16].to_vec());
            let reply = match action == [0; 4] {
                true => [&[0; 4][..], &transaction, &[1; 8]].concat(),
                false => {
                    let data = String::from_utf8_lossy(&packet[98..length]).into_owned();
                    let words = format!("unknown: udp://t.example{data} ({data}, k7Qx, geheim!wort)");
                    [&[0, 0, 0, 3][..], &transaction, words.as_bytes()].concat()
                }
            };
            let _ = tracker.send_to(&reply, from);
        }
    });
    (socket, port)
}

#[test]
fn no_url_is_shown_beyond_its_host() {
    let scratch = tempfile::tempdir().unwrap();
    let (server, (_udp, udp)) = (redirecting(), udp_tracker());
    let secret = format!("k7Qx/{}/announce?passkey={}", KEYS[1], KEYS[0]);
    let address = server.address();
    let mut urls: Vec<String> =
        (0..TARGETS.len()).map(|number| format!("http://me:geheim%21wort@{address}/to/{number}/{secret}")).collect();
    urls.push(format!("http://me:geheim%21wort@{address}/{secret}"));
    let typed = format!("http://{address}/k7Qx/\u{1b}[31m {secret}");
    for url in urls.iter().chain([&typed]) {
        for options in [&["show"][..], &["check", "--json"]] {
            let ran = swarmlet(scratch.path(), &[options, &[url.as_str()]].concat());
            let said = ran.text() + &ran.stderr;
            assert!(said.contains(&format!("http://{address}/…")), "{url}: {said}");
            KEYS.iter().for_each(|key| assert!(!said.contains(key), "{url} shows a passkey: {said}"));
        }
    }
    urls.push(format!("udp://me:geheim%21wort@127.0.0.1:{udp}/{secret}"));
    urls.push(format!("udp://nowhere.invalid:{udp}/{secret}"));
    urls.push(format!("udp://127.0.0.1/{secret}"));
    urls.push(format!("wss://127.0.0.1/{secret}"));
    // Each tracker is a tier, and the next tier is asked when the one before it fails.
    let content = Content::one_file("a.bin", 1000);
    let torrent = Maker::Ours.make(&content, &scratch.path().join("source"), 1 << 14, &urls[0]);
    let mut edit: Vec<&str> = vec!["edit"];
    urls.iter().for_each(|url| edit.extend(["--announce", url]));
    let file = torrent.file.to_string_lossy().into_owned();
    edit.push(&file);
    let edited = swarmlet(scratch.path(), &edit).code(0);
    KEYS.iter().for_each(|key| assert!(!edited.stderr.contains(key), "{}", edited.stderr));
    for options in [&["-vvv"][..], &["--json", "-vvv"], &["--json"]] {
        let get = Get::new("get", scratch.path()).torrent(&torrent).args(options);
        let mut run = get.start();
        let log = options.contains(&"-vvv");
        wait_until("each tracker has failed", PATIENCE, || {
            run.must_run();
            let asked = (run.stdout() + &run.stderr()).matches(if log { ": announce " } else { "\"tracker\"" }).count();
            asked >= if log { urls.len() } else { 4 }
        });
        thread::sleep(Duration::from_millis(300));
        assert_no_secret(&format!("{options:?}"), &run.interrupt());
    }
}
