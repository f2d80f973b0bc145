//! Stories of passkeys: no message, log line or JSON object shows one. (`screen.rs` tests the live screen.)

use crate::common::bencode::Value;
use crate::common::content::Content;
use crate::common::http::Server;
use crate::common::swarmlet::{Get, Outcome};
use crate::common::torrent::Maker;
use crate::common::wait::{PATIENCE, wait_until};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// Private trackers have passkeys after a `?` or in the path.
const KEYS: [&str; 2] = ["hunter2hunter2", "0123456789abcdef0123456789abcdef"];

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
