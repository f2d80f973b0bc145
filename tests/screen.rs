//! Stories of the live screen, looked at in a real terminal (tmux) of 80x24 and of 40x10.

mod common;

use common::actor::{Part, play};
use common::bencode::Value;
use common::content::Content;
use common::http::Server;
use common::swarmlet::{Get, Swarmlet};
use common::throttle::Throttle;
use common::tmux::{PROMPT, Tmux, pid_of};
use common::tools::{Tool, here};
use common::torrent::{Maker, Torrent};
use common::tracker::Tracker;
use common::wait::{PATIENCE, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const WIDE: (usize, usize) = (80, 24);
const NARROW: (usize, usize) = (40, 10);
const TINY: (usize, usize) = (20, 14);
const PIECE: usize = 16 * 1024;
/// Bytes a second of the seed's line: a download takes long enough to be looked at.
const RATE: u64 = 100 * 1024;

/// A line on which nothing passed for so long stands still.
const STILL: Duration = Duration::from_secs(2);

/// A torrent, and a seed of it behind a slow line.
struct Stage {
    scratch: TempDir,
    torrent: Torrent,
    content: Content,
    _tracker: Tracker,
    _seed: Swarmlet,
    line: Throttle,
}

impl Stage {
    fn new(name: &str, size: usize) -> Stage {
        let scratch = tempfile::tempdir().unwrap();
        let (tracker, content) = (Tracker::start(), Content::one_file(name, size));
        let source = scratch.path().join("source");
        let torrent = Maker::Ours.make(&content, &source, 4 * PIECE, &tracker.url());
        let seed = Get::new("seed", scratch.path()).in_dir(&source).torrent(&torrent).arg("--seed");
        let line = Throttle::before(seed.port, RATE);
        tracker.introduce_as(seed.port, line.port);
        let mut seed = seed.start();
        tracker.wait_for_a_seed(&torrent.info_hash, || seed.must_run());
        Stage { scratch, torrent, content, _tracker: tracker, _seed: seed, line }
    }

    fn path(&self) -> &Path {
        self.scratch.path()
    }

    fn get(&self) -> Get {
        Get::new("get", self.path()).torrent(&self.torrent)
    }
}

/// A torrent of `pieces` pieces, and a tracker that answers all that is asked of it with `reply`.
fn torrent_by(reply: Value, pieces: usize, scratch: &Path) -> (Server, Torrent) {
    let reply = reply.encode();
    let tracker = Server::start(Ipv4Addr::LOCALHOST.into(), move |_, _| Some(reply.clone()));
    let url = format!("http://{}/0123456789abcdef0123/announce", tracker.address());
    let content = Content::one_file("blob.bin", pieces * PIECE);
    let torrent = Maker::Ours.make(&content, &scratch.join("source"), PIECE, &url);
    (tracker, torrent)
}

fn peers(ports: &[u16]) -> Value {
    let compact = ports.iter().flat_map(|port| [127, 0, 0, 1].into_iter().chain(port.to_be_bytes())).collect();
    Value::Dict(BTreeMap::from([("interval", Value::Int(1800)), ("peers", Value::Bytes(compact))]))
}

fn has(rows: &[String], text: &str) -> bool {
    rows.iter().any(|row| row.contains(text))
}

/// The words of all rows in a line, as nobody but the terminal broke them.
fn words(rows: &[String]) -> String {
    rows.iter().flat_map(|row| row.split_whitespace()).collect::<Vec<&str>>().join(" ")
}

fn wait_for_words(tmux: &Tmux, wanted: &str) -> Vec<String> {
    tmux.wait_for(&format!("the screen says {wanted:?}"), |rows| words(rows).contains(wanted))
}

#[test]
fn nothing_wraps_whatever_the_terminal_and_the_locale() {
    if !here(&[Tool::Tmux]) {
        return;
    }
    let name = "東京の音楽と富士山の写真とたくさんの長い名前のファイルがここにある.flac";
    for (size, locale) in [(WIDE, "C.UTF-8"), (NARROW, "C.UTF-8"), (WIDE, "C"), (NARROW, "C")] {
        let stage = Stage::new(name, 200 * PIECE);
        let tmux = Tmux::start(stage.path(), size, locale);
        tmux.run_there(&stage.get().command(), "");
        let rows = tmux.wait_for("a download", |rows| has(rows, "downloading") && has(rows, "pieces"));
        tmux.assert_nothing_wraps();
        let utf8 = locale != "C";
        let title = rows.iter().find(|row| row.contains("downloading")).unwrap();
        assert!(title.contains(if utf8 { "東京" } else { "????" }) && title.contains(".flac"), "{title}");
        let of_bars = |row: &&String| row.contains(if utf8 { "░░░" } else { "---" });
        assert_eq!(rows.iter().filter(of_bars).count(), 2, "the bar and the map: {rows:#?}");
        if !utf8 {
            assert!(rows.iter().all(|row| row.is_ascii()), "{rows:#?}");
        }
        // The keys are told at the beginning, on the last row.
        let keys = if size == WIDE { "q quit, p pause" } else { "q p:pause" };
        assert!(words(&rows).contains(keys), "{rows:#?}");
        tmux.press("v");
        let seed = format!("  127.0.0.1:{} ", stage.line.port);
        let rows = tmux.wait_for("the peers", |rows| has(rows, &seed) && has(rows, " D "));
        tmux.assert_nothing_wraps();
        assert_eq!(has(&rows, "swarmlet 0.1"), size == WIDE, "{rows:#?}");
        tmux.press("q");
        let rows = tmux.wait_for("the prompt", |rows| rows.iter().any(|row| row.trim_end() == PROMPT));
        tmux.assert_nothing_wraps();
        assert!(words(&rows).contains("interrupted at"), "{rows:#?}");
    }
}

#[test]
fn nothing_wraps_on_twenty_columns() {
    if !here(&[Tool::Tmux]) {
        return;
    }
    let stage = Stage::new("a file of some name.bin", 200 * PIECE);
    let tmux = Tmux::start(stage.path(), TINY, "C.UTF-8");
    tmux.run_there(&stage.get().command(), "");
    tmux.wait_for("a download", |rows| has(rows, "downloading") && has(rows, "pieces"));
    tmux.press("-");
    let rows = wait_for_words(&tmux, "limited to");
    assert!(words(&rows).contains("iB/s down"), "{rows:#?}");
    tmux.assert_nothing_wraps();
    tmux.press("v");
    let rows = tmux.wait_for("the peers", |rows| rows.iter().any(|row| row.contains("127") && row.contains(" D")));
    tmux.assert_nothing_wraps();
    assert_eq!(rows.iter().filter(|row| row.contains("downloading")).count(), 1, "drawn over itself: {rows:#?}");
    tmux.press("q");
    wait_for_words(&tmux, "interrupted at");
}

#[test]
fn keys_pause_show_and_quit() {
    if !here(&[Tool::Tmux]) {
        return;
    }
    let stage = Stage::new("a file.bin", 400 * PIECE);
    let get = stage.get();
    let tmux = Tmux::start(stage.path(), WIDE, "C.UTF-8");
    tmux.run_there(&get.command(), "");
    tmux.wait_for_text("under way");

    // Enter, and all that means nothing, leaves no trace on the screen.
    ["Enter", "Enter", "x", "Up", "Enter"].into_iter().for_each(|key| tmux.press(key));
    tmux.press("p");
    let rows = tmux.wait_for_text("paused: nothing is requested");
    assert_eq!(rows.iter().filter(|row| row.starts_with("a file.bin")).count(), 1, "{rows:#?}");
    assert_eq!(rows.iter().filter(|row| row.contains("pieces ")).count(), 1, "{rows:#?}");
    assert!(has(&rows, "  paused"), "{rows:#?}");
    // What the seed had sent ahead arrives; then nothing more does.
    let mut passed = (0, Instant::now());
    wait_until("nothing passes any more", PATIENCE, || {
        if stage.line.passed() > passed.0 {
            passed = (stage.line.passed(), Instant::now());
        }
        passed.1.elapsed() > STILL
    });
    assert!(passed.0 < stage.content.size(), "the pause came too late to be seen");
    tmux.press("p");
    tmux.wait_for_text("downloading");
    wait_until("it goes on", PATIENCE, || stage.line.passed() > passed.0);

    tmux.press("v");
    let address = format!("127.0.0.1:{} ", stage.line.port);
    let is_seed = |row: &String| {
        row.contains(&address) && row.contains("swarmlet 0.1.0") && row.contains("  D ") && row.contains(" 100 % ")
    };
    tmux.wait_for("the seed that sends", |rows| rows.iter().any(is_seed));
    tmux.press("v");
    tmux.wait_for("the torrent alone", |rows| !has(rows, &address));

    tmux.press("-");
    let limit = |rows: &[String]| rows.iter().find_map(|row| Some(row.strip_prefix("limited to ")?.to_string()));
    let low = limit(&tmux.wait_for_text("limited to")).unwrap();
    tmux.press("+");
    tmux.wait_for("a higher limit", |rows| limit(rows).is_some_and(|limit| limit != low));
    tmux.press("<");
    tmux.wait_for("a limit of uploads", |rows| limit(rows).is_some_and(|limit| limit.trim_end().ends_with(" up")));

    tmux.press("?");
    tmux.press("?");
    tmux.wait_for("no keys", |rows| !has(rows, "q quit"));
    tmux.press("h");
    tmux.wait_for_text("q quit, p pause, +/- down, >/< up, v peers, ?");
    tmux.press("q");
    tmux.wait_for_text("interrupted at");
    tmux.wait_for("the prompt", |rows| rows.iter().any(|row| row.trim_end() == PROMPT));
    tmux.type_line("echo code $?");
    tmux.wait_for_text("code 75");
}

/// Runs `get` of a torrent whose tracker gives `reply`, and waits for the screen to say `reason`.
fn waits_because(reply: Value, pieces: usize, reason: &str) {
    for size in [WIDE, NARROW] {
        let scratch = tempfile::tempdir().unwrap();
        let (_tracker, torrent) = torrent_by(reply.clone(), pieces, scratch.path());
        let tmux = Tmux::start(scratch.path(), size, "C.UTF-8");
        tmux.run_there(&Get::new("get", scratch.path()).torrent(&torrent).command(), "");
        let rows = wait_for_words(&tmux, reason);
        tmux.assert_nothing_wraps();
        assert!(has(&rows, "waiting") && !has(&rows, "0123456789abcdef"), "{rows:#?}");
        tmux.press("C-c");
        wait_for_words(&tmux, "interrupted at 0.0 %");
    }
}

#[test]
fn a_tracker_that_refuses_is_the_reason() {
    if !here(&[Tool::Tmux]) {
        return;
    }
    let words = "key 0123456789abcdef0123 is not \u{1b}[2J registered";
    let reply = Value::Dict(BTreeMap::from([("failure reason", Value::text(words))]));
    waits_because(reply, 4, "no peers: 127.0.0.1 refuses: key … is not \\x1b[2J registered");
    waits_because(peers(&[]), 4, "no peers: the tracker knows none");
}

#[test]
fn peers_that_choke_or_have_nothing_are_the_reason() {
    if !here(&[Tool::Tmux]) {
        return;
    }
    let part = |bits: u8, unchokes| play(Part { bitfield: vec![bits], unchokes });
    let choking = [part(0xff, false), part(0xff, false)];
    waits_because(peers(&choking), 8, "connected to 2 peers, all choke us");
    let poor = [part(0, true), part(0, false), part(0, true)];
    waits_because(peers(&poor), 8, "connected to 3 peers, none has any piece");
    waits_because(peers(&[part(0xff, true)]), 8, "requested from 1 peer, nothing has arrived yet");
}

/// Of a torrent that is whole but for one piece, the piece is named.
#[test]
fn the_one_missing_piece_is_named() {
    if !here(&[Tool::Tmux]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let port = play(Part { bitfield: vec![0b1110_1111], unchokes: true });
    let (_tracker, torrent) = torrent_by(peers(&[port]), 8, scratch.path());
    let get = Get::new("get", scratch.path()).torrent(&torrent);
    let file = Content::one_file("blob.bin", 8 * PIECE).write_to(&get.dir);
    common::content::damage(&file, 3 * PIECE + 7, 1);
    let tmux = Tmux::start(scratch.path(), WIDE, "C.UTF-8");
    tmux.run_there(&get.command(), "");
    let rows = wait_for_words(&tmux, "connected to 1 peer, which does not have piece 3");
    assert!(has(&rows, "pieces ███!████"), "{rows:#?}");
    tmux.press("q");
    wait_for_words(&tmux, "interrupted at 87.5 %");
}

/// Where no tracker was reached nobody says that he says goodbye.
#[test]
fn without_a_tracker_no_goodbye_is_said() {
    if !here(&[Tool::Tmux]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let content = Content::one_file("blob.bin", 4 * PIECE);
    let torrent = Maker::Ours.make(&content, &scratch.path().join("source"), PIECE, "http://127.0.0.1:1/announce");
    let get = Get::new("get", scratch.path()).torrent(&torrent);
    let tmux = Tmux::start(scratch.path(), WIDE, "C.UTF-8");
    tmux.run_there(&get.command(), "");
    wait_for_words(&tmux, "no peers: 127.0.0.1 fails: Connection refused");
    tmux.press("q");
    let rows = tmux.wait_for("the prompt", |rows| rows.iter().any(|row| row.trim_end() == PROMPT));
    assert!(!words(&rows).contains("notifying the trackers"), "{rows:#?}");
}

/// Whatever ends or stops the program, the terminal is as it was: dash would not mend it.
#[test]
fn the_terminal_is_restored_on_every_way_out() {
    if !here(&[Tool::Tmux]) {
        return;
    }
    let stage = Stage::new("a file.bin", 800 * PIECE);
    let get = stage.get();
    let tmux = Tmux::start(stage.path(), WIDE, "C.UTF-8");
    let before = modes(&tmux);
    assert!(before.contains(" icanon ") && before.contains(" echo "), "{before}");
    for signal in [Signal::INT, Signal::TERM, Signal::QUIT, Signal::HUP] {
        tmux.run_there(&get.command(), "");
        tmux.wait_for_text("downloading");
        let pid = pid_of(get.port).expect("it runs");
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
        tmux.wait_for("the prompt", |rows| rows.iter().any(|row| row.trim_end() == PROMPT));
        assert_eq!(modes(&tmux), before, "after {signal:?}");
    }
    // Twice ^C at once: the second does not wait for the goodbyes.
    tmux.run_there(&get.command(), "");
    tmux.wait_for_text("downloading");
    tmux.press("C-c");
    tmux.press("C-c");
    // It may have ended already when the second one comes, which the terminal shows then.
    tmux.wait_for("the prompt", |rows| rows.iter().any(|row| row.trim_end().trim_start_matches("^C") == PROMPT));
    assert_eq!(modes(&tmux), before);
}

/// What went wrong stays on the terminal when the screen is gone.
#[test]
fn why_a_torrent_failed_is_told_at_the_end() {
    if !here(&[Tool::Tmux]) {
        return;
    }
    let stage = Stage::new("a file.bin", PIECE);
    let get = stage.get();
    fs::write(get.dir.join("a file.bin"), vec![7; PIECE + 1]).unwrap();
    let tmux = Tmux::start(stage.path(), WIDE, "C.UTF-8");
    tmux.run_there(&get.command(), "");
    let rows = tmux.wait_for_text("failed at 0.0 %");
    assert!(words(&rows).contains("swarmlet: a file.bin: can't use"), "{rows:#?}");
}

/// The terminal's modes, as the shell's children find them.
fn modes(tmux: &Tmux) -> String {
    words(&tmux.ask("stty -a"))
}

#[test]
fn a_job_can_be_stopped_sent_to_the_background_and_fetched_back() {
    if !here(&[Tool::Tmux]) {
        return;
    }
    let stage = Stage::new("a file.bin", 800 * PIECE);
    let get = stage.get();
    let tmux = Tmux::start(stage.path(), WIDE, "C.UTF-8");
    let before = modes(&tmux);
    tmux.run_there(&get.command(), "");
    tmux.wait_for_text("downloading");

    tmux.press("C-z");
    tmux.wait_for("the prompt", |rows| rows.iter().any(|row| row.trim_end() == PROMPT));
    assert_eq!(modes(&tmux), before, "a stopped program leaves the terminal as it was");
    let pid = pid_of(get.port).expect("it is stopped");
    assert_eq!(state(pid), 'T');

    // In the background it goes on, draws nothing, and what is typed is the shell's.
    tmux.ask("bg");
    let passed = stage.line.passed();
    // For three seconds: it would have drawn in them.
    wait_until("it goes on in the background", PATIENCE, || stage.line.passed() > passed + 3 * RATE);
    tmux.ask("echo q v p");
    assert_ne!(state(pid), 'T', "it was stopped for reading or writing");
    assert!(!has(&tmux.rows(), "downloading"));

    tmux.type_line("clear");
    tmux.type_line("fg");
    tmux.wait_for_text("downloading");
    tmux.press("v");
    tmux.wait_for("keys are read again", |rows| has(rows, "swarmlet 0.1.0"));
    tmux.press("q");
    tmux.wait_for_text("interrupted at");
    tmux.wait_for("the prompt", |rows| rows.iter().any(|row| row.trim_end() == PROMPT));
    assert_eq!(modes(&tmux), before);

    // Started in the background it is not stopped either.
    tmux.run_there(&get.command(), " &");
    wait_until("it runs", PATIENCE, || pid_of(get.port).is_some());
    let passed = stage.line.passed();
    wait_until("it downloads", PATIENCE, || stage.line.passed() > passed);
    assert_ne!(state(pid_of(get.port).unwrap()), 'T');
    tmux.ask("kill %1");
    wait_until("it ends", PATIENCE, || pid_of(get.port).is_none());
}

/// The state of a process, as `ps` shows it: `T` is stopped.
fn state(pid: i32) -> char {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it is there");
    stat.rsplit(") ").next().and_then(|rest| rest.chars().next()).expect("a process has a state")
}
