//! Stories of what trackers tell people: warnings and refusals, in plain lines, in JSON and on the screen; and of the
//! key that asks them now.

use crate::common::content::Content;
use crate::common::http::Server;
use crate::common::json;
use crate::common::swarmlet::{Get, Outcome};
use crate::common::tmux::Tmux;
use crate::common::tools::{Tool, here};
use crate::common::torrent::make_with_tiers;
use crate::common::wait::{PATIENCE, wait_until};
use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

const PIECE: usize = 16 * 1024;
/// The beginning of the trackers' messages; much more follows.
const EVIL: &str = "too \u{1b}[2Jold\r\nswarmlet: \0\u{202e}liame\u{85}\u{2028}";
/// The same on a terminal.
const SHOWN: &str = "too \\x1b[2Jold\\x0d\\x0aswarmlet: \\x00\\u{202e}liame\\u{85}\\u{2028}xxx";

fn evil() -> Vec<u8> {
    [EVIL.as_bytes(), &[b'x'; 100_000]].concat()
}

/// An HTTP tracker that says this, and how often it was asked.
fn tracker(reply: Vec<u8>) -> (Server, String, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let server = Server::start(Ipv4Addr::LOCALHOST.into(), move |target, _| {
        let announces = target.starts_with("/0123456789abcdef0123/announce");
        announces.then(|| count.fetch_add(1, Ordering::SeqCst));
        announces.then(|| reply.clone())
    });
    let url = format!("http://{}/0123456789abcdef0123/announce", server.address());
    (server, url, asked)
}

/// The reply of a tracker that knows nobody, with `fields` that come after `complete` in the order of keys.
fn nobody(fields: &[u8]) -> Vec<u8> {
    [b"d8:completei0e10:incompletei1e8:intervali1800e", fields, b"e"].concat()
}

fn warning() -> Vec<u8> {
    let words = evil();
    [b"5:peers0:15:warning message", words.len().to_string().as_bytes(), b":", &words].concat()
}

/// A UDP tracker that refuses everybody (BEP 15), and its URL.
fn udp_tracker() -> String {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("udp://{}/0123456789abcdef0123/announce", socket.local_addr().unwrap());
    thread::spawn(move || {
        let mut packet = [0; 2000];
        while let Ok((length, from)) = socket.recv_from(&mut packet) {
            let transaction = &packet[12..16];
            let connects = length == 16;
            let words = [EVIL.as_bytes(), &[b'x'; 5000]].concat();
            let answer = match connects {
                true => [&[0; 4], transaction, &[7; 8]].concat(),
                false => [&[0, 0, 0, 3], transaction, &words].concat(),
            };
            let _ = socket.send_to(&answer, from);
        }
    });
    url
}

fn get(scratch: &Path, urls: &[String]) -> Get {
    let content = Content::one_file("blob.bin", 4 * PIECE);
    let tiers: Vec<Vec<String>> = urls.iter().map(|url| vec![url.clone()]).collect();
    Get::new("get", scratch).torrent(&make_with_tiers(&content, &scratch.join("it.torrent"), PIECE, &tiers))
}

/// Runs until the output holds each of these, and interrupts.
fn until(get: &Get, wanted: &[&str]) -> Outcome {
    let mut run = get.start();
    wait_until("all trackers are heard", PATIENCE, || {
        run.must_run();
        let said = run.stdout() + &run.stderr();
        wanted.iter().all(|words| said.contains(words))
    });
    run.interrupt()
}

#[test]
fn words_of_trackers_are_shown_without_v_on_one_escaped_line() {
    let scratch = tempfile::tempdir().unwrap();
    let (_warns, first, _) = tracker(nobody(&warning()));
    let words = evil();
    let refusal = [b"d14:failure reason", words.len().to_string().as_bytes(), b":", &words, b"e"].concat();
    let (_refuses, second, _) = tracker(refusal);
    let urls = [first, second, udp_tracker()];
    let lines = until(&get(scratch.path(), &urls), &["127.0.0.1 warns: ", "waiting: no peers: 1 of 3 trackers answer"]);
    for line in lines.stderr.lines() {
        assert!(!line.contains("0123456789abcdef") && line.chars().count() < 2500, "{line}");
        assert!(!line.chars().any(char::is_control) && !line.contains(['\u{202e}', '\u{2028}']), "{line}");
    }
    let with = |begin: String| lines.stderr.lines().filter(|line| line.contains(&begin)).count();
    assert_eq!(with(format!("blob.bin: 127.0.0.1 warns: {SHOWN}")), 1, "{}", lines.stderr);
    assert_eq!(with(format!("blob.bin: 127.0.0.1 refuses: {SHOWN}")), 2, "{}", lines.stderr);
    // The reason has the words of one tracker: a refusal says more than a warning.
    assert!(with(format!("refuses: {SHOWN}")) > 2, "{}", lines.stderr);

    let json = until(
        &get(scratch.path(), &urls).arg("--json"),
        &["\"warning\":\"too", "\"why\":\"no peers: 1 of 3 trackers answer"],
    );
    let told = json::about(&json.stdout, "blob.bin");
    let warns = told.iter().find(|it| it["event"] == "tracker" && it["warning"].is_string()).unwrap();
    let words = warns["warning"].as_str().unwrap();
    assert!(warns["problem"].is_null() && words.starts_with(EVIL) && words.chars().count() == 500, "{warns}");
    let refuses = told.iter().filter(|it| it["event"] == "tracker" && it["problem"].is_string());
    assert!(refuses.clone().count() == 2 && refuses.clone().all(|it| it["warning"].is_null()), "{told:?}");
}

#[test]
fn the_reason_has_the_warning_and_the_time_of_the_next_announce() {
    let scratch = tempfile::tempdir().unwrap();
    let (_warns, url, _) = tracker(nobody(b"5:peers0:15:warning message13:client is old"));
    let json = until(&get(scratch.path(), &[url]).arg("--json"), &["client is old; next announce in "]);
    let why = json::last(&json.stdout, "status").unwrap()["why"].as_str().unwrap().to_string();
    let expected = "no peers: the tracker knows none; it warns: client is old; next announce in ";
    assert!(why.starts_with(expected) && why.ends_with(" s"), "{why}");
}

/// A seed is on the tracker's list now, or so the person believes.
#[test]
fn a_key_asks_the_trackers_now_or_as_soon_as_they_allow() {
    if !here(&[Tool::Tmux]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let (_lenient, lenient, asked) = tracker(nobody(b"5:peers0:"));
    let tmux = Tmux::start(scratch.path(), (100, 24), "C.UTF-8");
    tmux.run_there(&get(scratch.path(), &[lenient]).command(), "");
    tmux.wait_for_text("127.0.0.1: 0 seeds, 1 leecher; next announce in ");
    tmux.assert_nothing_wraps();
    // A key that is pressed twice in a moment asks once.
    wait_until("the first announce is old enough", PATIENCE, || {
        tmux.press("t");
        asked.load(Ordering::SeqCst) == 2
    });
    tmux.press("q");
    tmux.wait_for_text("interrupted at");
    let (_strict, strict, asked) = tracker(nobody(b"12:min intervali900e5:peers0:"));
    tmux.run_there(&get(scratch.path(), &[strict]).command(), "");
    tmux.wait_for_text("next announce in 14 min");
    tmux.press("t");
    tmux.wait_for_text("next announce allowed in 14 min");
    tmux.assert_nothing_wraps();
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    tmux.press("q");
    tmux.wait_for_text("interrupted at");
}
