//! Stories of the live screen, in a real terminal (tmux) of 80x24 and of 40x10.

use crate::common::actor::{Part, play};
use crate::common::bencode::Value;
use crate::common::content::Content;
use crate::common::http::Server;
use crate::common::stage::Stage;
use crate::common::swarmlet::{Get, Swarmlet};
use crate::common::throttle::Throttle;
use crate::common::tmux::{PROMPT, Tmux, pid_of};
use crate::common::tools::{Tool, here};
use crate::common::torrent::{Maker, Torrent};
use crate::common::wait::{PATIENCE, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::{Duration, Instant};

const WIDE: (usize, usize) = (80, 24);
const NARROW: (usize, usize) = (40, 10);
const TINY: (usize, usize) = (20, 14);
const PIECE: usize = 16 * 1024;
/// The bytes a second of the seed's line. A download takes long enough to be looked at.
const RATE: u64 = 100 * 1024;

/// If nothing passes a line for this long, it is still.
const STILL: Duration = Duration::from_secs(2);

/// A torrent of one file, and a seed of it behind a slow line.
fn stage(name: &str, size: usize) -> (Stage, Swarmlet, Throttle) {
    let stage = Stage::new(Content::one_file(name, size), 4 * PIECE);
    let (seed, line) = stage.slow_seed(RATE);
    (stage, seed, line)
}

/// A torrent of `pieces` pieces, and a tracker that answers every request with `reply`.
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

/// The words of all rows in one line.
fn words(rows: &[String]) -> String {
    rows.iter().flat_map(|row| row.split_whitespace()).collect::<Vec<&str>>().join(" ")
}

fn wait_for_words(tmux: &Tmux, wanted: &str) -> Vec<String> {
    tmux.wait_for(&format!("the screen says {wanted:?}"), |rows| words(rows).contains(wanted))
}

#[test]
fn no_row_wraps_in_any_terminal_size_and_locale() {
    if !here(&[Tool::Tmux]) {
        return;
    }
    let name = "東京の音楽と富士山の写真とたくさんの長い名前のファイルがここにある.flac";
    for (size, locale) in [(WIDE, "C.UTF-8"), (NARROW, "C.UTF-8"), (WIDE, "C"), (NARROW, "C")] {
        let (stage, _seed, line) = stage(name, 200 * PIECE);
        let tmux = Tmux::start(stage.path(), size, locale);
        tmux.run_there(&stage.get("get").command(), "");
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
        // At the beginning the last row shows the keys.
        let keys = if size == WIDE { "q quit, p pause" } else { "q p:pause" };
        assert!(words(&rows).contains(keys), "{rows:#?}");
        tmux.press("v");
        let seed = format!("  127.0.0.1:{} ", line.port);
        let rows = tmux.wait_for("the peers", |rows| has(rows, &seed) && has(rows, " DT "));
        tmux.assert_nothing_wraps();
        assert_eq!(has(&rows, "swarmlet 0.1"), size == WIDE, "{rows:#?}");
        tmux.press("q");
        let rows = tmux.wait_for("the prompt", |rows| rows.iter().any(|row| row.trim_end() == PROMPT));
        tmux.assert_nothing_wraps();
        assert!(words(&rows).contains("interrupted at"), "{rows:#?}");
    }
}

#[test]
fn no_row_wraps_on_twenty_columns() {
    if !here(&[Tool::Tmux]) {
        return;
    }
    let (stage, _seed, _line) = stage("a file of some name.bin", 200 * PIECE);
    let tmux = Tmux::start(stage.path(), TINY, "C.UTF-8");
    tmux.run_there(&stage.get("get").command(), "");
    tmux.wait_for("a download", |rows| has(rows, "downloading") && has(rows, "pieces"));
    tmux.press("-");
    let rows = wait_for_words(&tmux, "limited to");
    assert!(words(&rows).contains("iB/s down"), "{rows:#?}");
    tmux.assert_nothing_wraps();
    tmux.press("v");
    let rows = tmux.wait_for("the peers", |rows| rows.iter().any(|row| row.contains("127") && row.contains(" DT")));
    tmux.assert_nothing_wraps();
    assert_eq!(
        rows.iter().filter(|row| row.contains("downloading")).count(),
        1,
        "an older screen is still visible: {rows:#?}"
    );
    tmux.press("q");
    wait_for_words(&tmux, "interrupted at");
}

#[test]
fn keys_pause_show_and_quit() {
    if !here(&[Tool::Tmux]) {
        return;
    }
    let (stage, _seed, line) = stage("a file.bin", 400 * PIECE);
    let get = stage.get("get");
    let tmux = Tmux::start(stage.path(), WIDE, "C.UTF-8");
    tmux.run_there(&get.command(), "");
    tmux.wait_for_text("under way");

    // Enter, and keys without a meaning, leave no trace on the screen.
    ["Enter", "Enter", "x", "Up", "Enter"].into_iter().for_each(|key| tmux.press(key));
    tmux.press("p");
    let rows = tmux.wait_for_text("paused: ");
    assert_eq!(rows.iter().filter(|row| row.starts_with("a file.bin")).count(), 1, "{rows:#?}");
    assert_eq!(rows.iter().filter(|row| row.contains("pieces ")).count(), 1, "{rows:#?}");
    assert!(has(&rows, "  paused"), "{rows:#?}");
    // The bytes on their way arrive, and after them nothing more.
    let mut passed = (0, Instant::now());
    wait_until("nothing more passes", PATIENCE, || {
        if line.passed() > passed.0 {
            passed = (line.passed(), Instant::now());
        }
        passed.1.elapsed() > STILL
    });
    assert!(passed.0 < stage.content.size(), "the pause came too late to be seen");
    tmux.press("p");
    tmux.wait_for_text("downloading");
    wait_until("it continues", PATIENCE, || line.passed() > passed.0);

    tmux.press("v");
    let address = format!("127.0.0.1:{} ", line.port);
    let is_seed = |row: &String| {
        row.contains(&address) && row.contains("swarmlet 0.1.0") && row.contains("  DT ") && row.contains(" 100 % ")
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

    // The keys are shown until a key hides them, and each time that key changes what is seen.
    tmux.wait_for_text("q quit, p pause, t ask trackers, +/- down, >/< up, v peers, ? hide");
    tmux.press("?");
    tmux.wait_for("no keys", |rows| !has(rows, "q quit"));
    tmux.press("h");
    tmux.wait_for_text("q quit, p pause, t ask trackers, +/- down, >/< up, v peers, ? hide");
    tmux.press("q");
    tmux.wait_for_text("interrupted at");
    tmux.wait_for("the prompt", |rows| rows.iter().any(|row| row.trim_end() == PROMPT));
    tmux.type_line("echo code $?");
    tmux.wait_for_text("code 75");
}

/// Runs `get` of a torrent whose tracker answers with `reply`, and waits until the screen shows `reason`.
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
fn the_screen_names_a_tracker_that_refuses() {
    if !here(&[Tool::Tmux]) {
        return;
    }
    let words = "key 0123456789abcdef0123 is not \u{1b}[2J registered";
    let reply = Value::Dict(BTreeMap::from([("failure reason", Value::text(words))]));
    waits_because(reply, 4, "key … is not \\x1b[2J registered");
    waits_because(peers(&[]), 4, "no peers: the tracker knows none");
}

#[test]
fn the_screen_says_that_peers_choke_or_have_nothing() {
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

#[test]
fn the_screen_names_the_last_missing_piece() {
    if !here(&[Tool::Tmux]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let port = play(Part { bitfield: vec![0b1110_1111], unchokes: true });
    let (_tracker, torrent) = torrent_by(peers(&[port]), 8, scratch.path());
    let get = Get::new("get", scratch.path()).torrent(&torrent);
    let file = Content::one_file("blob.bin", 8 * PIECE).write_to(&get.dir);
    crate::common::content::damage(&file, 3 * PIECE + 7, 1);
    let tmux = Tmux::start(scratch.path(), WIDE, "C.UTF-8");
    tmux.run_there(&get.command(), "");
    let rows = wait_for_words(&tmux, "connected to 1 peer, which does not have piece 3");
    assert!(has(&rows, "pieces ███!████"), "{rows:#?}");
    tmux.press("q");
    wait_for_words(&tmux, "interrupted at 87.5 %");
}

/// No tracker was reached, so none gets a last announce.
#[test]
fn without_a_tracker_no_final_announce_is_shown() {
    if !here(&[Tool::Tmux]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let content = Content::one_file("blob.bin", 4 * PIECE);
    let torrent = Maker::Ours.make(&content, &scratch.path().join("source"), PIECE, "http://127.0.0.1:1/announce");
    let get = Get::new("get", scratch.path()).torrent(&torrent);
    let tmux = Tmux::start(scratch.path(), WIDE, "C.UTF-8");
    tmux.run_there(&get.command(), "");
    wait_for_words(&tmux, "Connection refused");
    tmux.press("q");
    let rows = tmux.wait_for("the prompt", |rows| rows.iter().any(|row| row.trim_end() == PROMPT));
    assert!(!words(&rows).contains("notifying the trackers"), "{rows:#?}");
}

/// dash would not repair the terminal.
#[test]
fn the_terminal_is_restored_after_every_signal() {
    if !here(&[Tool::Tmux]) {
        return;
    }
    let (stage, _seed, _line) = stage("a file.bin", 800 * PIECE);
    let get = stage.get("get");
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
    // Two ^C at once: the second does not wait for the last announces.
    tmux.run_there(&get.command(), "");
    tmux.wait_for_text("downloading");
    tmux.press("C-c");
    tmux.press("C-c");
    // If the program has ended before the second one, the terminal shows it.
    tmux.wait_for("the prompt", |rows| rows.iter().any(|row| row.trim_end().trim_start_matches("^C") == PROMPT));
    assert_eq!(modes(&tmux), before);
}

/// The error stays on the terminal after the screen is gone.
#[test]
fn the_error_of_a_failed_torrent_is_shown_at_the_end() {
    if !here(&[Tool::Tmux]) {
        return;
    }
    let (stage, _seed, _line) = stage("a file.bin", PIECE);
    let get = stage.get("get");
    fs::write(get.dir.join("a file.bin"), vec![7; PIECE + 1]).unwrap();
    let tmux = Tmux::start(stage.path(), WIDE, "C.UTF-8");
    tmux.run_there(&get.command(), "");
    let rows = tmux.wait_for_text("failed before the content was checked");
    assert!(words(&rows).contains("swarmlet: a file.bin: "), "{rows:#?}");
}

/// The modes of the terminal.
fn modes(tmux: &Tmux) -> String {
    words(&tmux.ask("stty -a"))
}

#[test]
fn a_job_can_be_stopped_and_moved_to_the_background_and_back() {
    if !here(&[Tool::Tmux]) {
        return;
    }
    let (stage, _seed, line) = stage("a file.bin", 800 * PIECE);
    let get = stage.get("get");
    let tmux = Tmux::start(stage.path(), WIDE, "C.UTF-8");
    let before = modes(&tmux);
    tmux.run_there(&get.command(), "");
    tmux.wait_for_text("downloading");

    tmux.press("C-z");
    tmux.wait_for("the prompt", |rows| rows.iter().any(|row| row.trim_end() == PROMPT));
    assert_eq!(modes(&tmux), before, "a stopped program must leave the terminal as it was");
    let pid = pid_of(get.port).expect("it is stopped");
    assert_eq!(state(pid), 'T');

    // In the background it continues, draws nothing, and reads no keys.
    tmux.ask("bg");
    let passed = line.passed();
    // Within three seconds it would have drawn.
    wait_until("it continues in the background", PATIENCE, || line.passed() > passed + 3 * RATE);
    tmux.ask("echo q v p");
    assert_ne!(state(pid), 'T', "it was stopped because it read or wrote");
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

    // A job that starts in the background is not stopped either.
    tmux.run_there(&get.command(), " &");
    wait_until("it runs", PATIENCE, || pid_of(get.port).is_some());
    let passed = line.passed();
    wait_until("it downloads", PATIENCE, || line.passed() > passed);
    assert_ne!(state(pid_of(get.port).unwrap()), 'T');
    tmux.ask("kill %1");
    wait_until("it ends", PATIENCE, || pid_of(get.port).is_none());
}

/// The state of a process, as `ps` shows it. `T` means stopped.
fn state(pid: i32) -> char {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it is there");
    stat.rsplit(") ").next().and_then(|rest| rest.chars().next()).expect("a process has a state")
}

#[test]
fn the_screen_says_which_way_everything_leaves() {
    if !here(&[Tool::Tmux]) {
        return;
    }
    let proxied = "everything leads through the proxy 127.0.0.1:9: UDP trackers, the DHT, the local network and incoming \
                   connections are off";
    for (options, wanted) in
        [(["--bind", "127.0.0.1"], "bound to 127.0.0.1"), (["--proxy", "socks5://127.0.0.1:9"], proxied)]
    {
        let scratch = tempfile::tempdir().unwrap();
        let (_tracker, torrent) = torrent_by(peers(&[]), 4, scratch.path());
        let tmux = Tmux::start(scratch.path(), WIDE, "C.UTF-8");
        tmux.run_there(&Get::new("get", scratch.path()).torrent(&torrent).args(&options).command(), "");
        wait_for_words(&tmux, wanted);
        tmux.assert_nothing_wraps();
        tmux.press("q");
        tmux.wait_for("the prompt", |rows| rows.iter().any(|row| row.trim_end() == PROMPT));
    }
}
