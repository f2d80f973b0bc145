//! Stories of `swarmlet attach` where the daemon means harm, or has very many torrents.

use crate::attach::{NARROW, WIDE, attach, wait_for_selected};
use crate::common::tmux::pid_with;
use crate::common::tools::{Tool, here};
use crate::common::wait::{PATIENCE, wait_until};
use crate::remote_hostile::{ok, server, torrents};
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A torrent as a daemon describes it.
fn torrent(id: usize, name: &str) -> String {
    format!(
        r#"{{"id":{id},"hashString":"{id:040x}","name":"{name}","status":4,"metadataPercentComplete":1,
        "sizeWhenDone":1000000,"leftUntilDone":{},"rateDownload":{},"peersConnected":3,"eta":77}}"#,
        (id * 7919) % 1_000_000,
        (id * 104_729) % 5_000_000,
    )
}

/// Bytes of a process that are no part of a file.
fn anonymous(process: i32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

/// A daemon that answers questions about torrents with `answer`, and all others as an honest one.
fn daemon(answer: impl Fn(&mut TcpStream) + Send + 'static) -> SocketAddr {
    server(move |_, request, stream| match request.contains("torrent-get") {
        true => answer(stream),
        false => drop(stream.write_all(&ok(r#"{"result":"success","arguments":{}}"#))),
    })
}

#[test]
fn two_thousand_torrents_are_scrolled_sorted_and_filtered() {
    if !cfg!(feature = "daemon") || !here(&[Tool::Tmux]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let all: Vec<String> = (1..=2000).map(|id| torrent(id, &format!("torrent {id:04} 東京のファイル"))).collect();
    let answer = torrents(&all.join(","));
    let url = daemon(move |stream| drop(stream.write_all(&answer))).to_string();
    for size in [WIDE, NARROW] {
        let tmux = attach(scratch.path(), size, &[&url]);
        wait_for_selected(&tmux, "torr", "");
        // The terminal takes a screen in portions, so the last rows may come later.
        tmux.wait_for("the whole screen", |rows| {
            rows[0].starts_with(" [name] 1 of 2000")
                && rows.iter().any(|row| row.starts_with("2000 torrents, 0 complete"))
        });
        tmux.press("End");
        tmux.wait_for("the last one", |rows| rows[0].starts_with(" [name] 2000 of 2000"));
        tmux.press("PPage");
        tmux.wait_for("a page up", |rows| !rows[0].contains(" 2000 of "));
        tmux.press("/");
        tmux.type_line("t 0042");
        tmux.wait_for("one torrent", |rows| rows[0].starts_with(" [name] 1 of 1"));
        tmux.press("Escape");
        tmux.wait_for("all of them", |rows| rows[0].contains(" of 2000"));
        tmux.assert_nothing_wraps();
        tmux.press("q");
        tmux.wait_for_text("code 0");
    }
}

#[test]
fn the_answers_of_a_hostile_daemon_are_bounded_and_told_in_words() {
    if !cfg!(feature = "daemon") || !here(&[Tool::Tmux]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let evil = r"x\u001b[2J\u202e";
    let honest = torrents(&torrent(1, evil));
    let answer = Arc::new(Mutex::new(honest.clone()));
    let endless = Arc::new(AtomicUsize::new(0));
    let (served, kind) = (answer.clone(), endless.clone());
    let url = daemon(move |stream| match kind.load(Ordering::SeqCst) {
        0 => drop(stream.write_all(&served.lock().unwrap())),
        1 => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n{\"result\":\"");
            while stream.write_all(&[b'x'; 65536]).is_ok() {}
        }
        _ => {
            // One byte now and then, as long as the program reads.
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
            while stream.write_all(b" ").is_ok() && kind.load(Ordering::SeqCst) == 2 {
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    });
    let tmux = attach(scratch.path(), WIDE, &[&url.to_string()]);
    let rows = wait_for_selected(&tmux, r"x\x1b[2J\u{202e}", "downloading");
    assert!(rows[0].starts_with(" [name] 1 of 1 "), "{rows:#?}");
    let becomes = |body: String, words: &str| {
        *answer.lock().unwrap() = ok(&body);
        tmux.wait_for_text(words);
        // The last good list is still there, and keys answer.
        tmux.press("?");
        tmux.wait_for_text("keys of swarmlet attach");
        tmux.press("Escape");
        wait_for_selected(&tmux, r"x\x1b[2J", "downloading");
        *answer.lock().unwrap() = honest.clone();
        tmux.wait_for("it is believed again", |rows| !rows.iter().any(|row| row.contains("next try")));
    };
    let begin = r#"{"result":"success","arguments":{"torrents":["#;
    becomes(format!("{begin}{}", "[".repeat(100_000)), "nest too deep");
    becomes(format!("{begin}{}1]}}}}", "{},".repeat(1 << 20)), "too many values");
    becomes("<html>".into(), "this is not a daemon that speaks transmission's RPC");
    becomes(r#"{"result":"no\u001b[31m way","arguments":{}}"#.into(), r"the daemon refuses: no\x1b[31m way");
    endless.store(1, Ordering::SeqCst);
    tmux.wait_for_text("the response has more than 33554432 bytes");
    endless.store(0, Ordering::SeqCst);
    tmux.wait_for("it is believed again", |rows| !rows.iter().any(|row| row.contains("next try")));
    endless.store(2, Ordering::SeqCst);
    tmux.wait_for_text("no answer");
    tmux.press("?");
    tmux.wait_for_text("keys of swarmlet attach");
    tmux.press("q");
    tmux.wait_for_text("code 0");
    endless.store(0, Ordering::SeqCst);
}

#[test]
fn details_that_are_too_large_are_cut_or_refused_and_the_list_stays() {
    if !cfg!(feature = "daemon") || !here(&[Tool::Tmux]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    // The list has a folder that was not asked for, and the facts have a long comment.
    let long = "x".repeat(12 << 20);
    let with = |key: &str| torrents(&torrent(1, "Siti").replace(r#""eta""#, &format!(r#""{key}":"{long}","eta""#)));
    let (list, facts) = (with("downloadDir"), with("comment"));
    let files =
        torrents(&torrent(1, "Siti").replace(r#""eta""#, &format!(r#""files":[{}1],"eta""#, "1,".repeat(1 << 20))));
    let is_silent = Arc::new(AtomicBool::new(false));
    let silent = is_silent.clone();
    let url = server(move |_, request, stream| {
        while silent.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(50));
        }
        let has = |fields: &str| request.contains(fields);
        let _ = match has("torrent-get") {
            true if has(r#""comment""#) => stream.write_all(&facts),
            true if has(r#"["files""#) => stream.write_all(&files),
            true if has(r#"["peers"]"#) => {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
                while stream.write_all(&[b' '; 65536]).is_ok() {}
                Ok(())
            }
            true => stream.write_all(&list),
            false => stream.write_all(&ok(r#"{"result":"success","arguments":{}}"#)),
        };
    });
    let url = url.to_string();
    let tmux = attach(scratch.path(), WIDE, &[&url]);
    wait_for_selected(&tmux, "Siti ", "downloading");
    tmux.press("v");
    tmux.wait_for_text("comment    xxxxx");
    // Neither of both is kept.
    is_silent.store(true, Ordering::SeqCst);
    tmux.wait_for_text("no answer");
    let memory = || anonymous(pid_with(&url).unwrap());
    wait_until("the memory is small", PATIENCE, || memory() < 10 << 20);
    is_silent.store(false, Ordering::SeqCst);
    tmux.press("v");
    tmux.wait_for_text("the answer of the daemon can't be read: the response has more than");
    tmux.press("v");
    tmux.wait_for_text("no trackers");
    tmux.press("v");
    tmux.wait_for_text("the answer of the daemon can't be read: too many values");
    tmux.press("Escape");
    let rows = wait_for_selected(&tmux, "Siti ", "downloading");
    assert!(!rows.iter().any(|row| row.contains("next try")), "{rows:#?}");
    tmux.press("q");
    tmux.wait_for_text("code 0");
}

#[test]
fn of_a_million_torrents_fifty_thousand_are_shown() {
    if !cfg!(feature = "daemon") || !here(&[Tool::Tmux]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    // One answer has at most a million values, so more of them come with every answer.
    let next = AtomicUsize::new(0);
    let url = daemon(move |stream| {
        let from = next.fetch_add(150_000, Ordering::SeqCst);
        let all =
            (from + 1..=from + 150_000).map(|id| format!(r#"{{"id":{id},"hashString":"{id:040x}","name":"{id}"}}"#));
        let _ = stream.write_all(&torrents(&all.collect::<Vec<_>>().join(",")));
    });
    let tmux = attach(scratch.path(), WIDE, &[&url.to_string()]);
    tmux.wait_for_text("the first 50000 torrents");
    tmux.press("End");
    tmux.wait_for("the last one", |rows| rows[0].contains("50000 of 50000"));
    tmux.press("q");
    tmux.wait_for_text("code 0");
}
