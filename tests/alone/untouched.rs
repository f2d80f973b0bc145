//! What a disk that hangs must leave as it was: the rate of other torrents, the answers to keys, and the end.

use crate::common::content::Content;
use crate::common::stage::Stage;
use crate::common::swarmlet::{Get, Swarmlet};
use crate::common::throttle::Throttle;
use crate::common::tmux::{PROMPT, Tmux};
use crate::common::tools::say;
use crate::common::torrent::{Maker, Torrent};
use crate::common::wait::{PATIENCE, wait_until};
use std::thread;
use std::time::{Duration, Instant};

/// The bytes a second of each line.
pub const RATE: u64 = 3 << 20;
/// How long the rate is measured.
const MEASURED: Duration = Duration::from_secs(4);
/// Other torrents must keep this many percent of their rate.
const KEPT: u64 = 90;
/// A key or ^C must be answered within this time.
const ANSWER: Duration = Duration::from_millis(200);
/// After ^C the prompt must be back within this time: 2 s for disks and trackers that do not answer, and as much again
/// for a busy machine.
const ENDED: Duration = Duration::from_secs(4);

/// The torrent whose content is to be on the disk that hangs, and its seed behind a line of [`RATE`].
pub struct Hung {
    pub content: Content,
    pub torrent: Torrent,
    pub line: Throttle,
    _seed: Swarmlet,
}

impl Hung {
    /// A torrent of `size` bytes in the folder `hung`.
    pub fn start(stage: &Stage, size: usize, piece: usize) -> Hung {
        let content = Content::folder("hung", &[("a.bin", size / 2), ("b.bin", size - size / 2)]);
        let source = stage.path().join("hung source");
        let torrent = Maker::Ours.make(&content, &source, piece, &stage.tracker.url());
        let seed = Get::new("hung seed", stage.path()).in_dir(&source).torrent(&torrent).arg("--seed");
        let line = Throttle::before(seed.port, RATE);
        stage.tracker.introduce_as(seed.port, line.port);
        let mut seed = seed.start();
        stage.tracker.wait_for_a_seed(&torrent.info_hash, || seed.must_run());
        Hung { content, torrent, line, _seed: seed }
    }
}

/// Runs `get` in a terminal, with a shell that says its exit code.
pub fn terminal(stage: &Stage, get: &Get) -> Tmux {
    let terminal = stage.path().join("terminal");
    std::fs::create_dir(&terminal).unwrap();
    let tmux = Tmux::start(&terminal, (80, 24), "C.UTF-8");
    run_in(&tmux, get);
    tmux
}

/// Runs `get` in this terminal.
pub fn run_in(tmux: &Tmux, get: &Get) {
    tmux.run_there(&get.command(), "; echo code $?");
}

/// Waits until downloads through all of these lines are under way.
pub fn wait_for_downloads(lines: &[&Throttle]) {
    wait_until("all are under way", PATIENCE, || lines.iter().all(|line| line.passed() > RATE));
}

/// Waits until nothing more arrives for the disk that hangs.
pub fn wait_until_still(line: &Throttle) {
    wait_until("nothing more arrives for the disk that hangs", PATIENCE, || {
        let before = line.passed();
        thread::sleep(Duration::from_millis(500));
        line.passed() == before
    });
}

/// The bytes that pass in [`MEASURED`].
pub fn measure(line: &Throttle) -> u64 {
    let before = line.passed();
    thread::sleep(MEASURED);
    line.passed() - before
}

/// How long it takes after a key until the screen shows `text`, or does not show it any more.
fn answer(tmux: &Tmux, key: &str, text: &str, shown: bool) -> Duration {
    let begin = Instant::now();
    tmux.press(key);
    tmux.wait_for(&format!("an answer to {key}"), |rows| rows.iter().any(|row| row.contains(text)) == shown);
    begin.elapsed()
}

/// Checks that a disk that hangs slows down neither the sound line, [measured](measure) `before` and `after`, nor the
/// answers to keys and ^C.
pub fn assert_untouched(tmux: &Tmux, before: u64, after: u64) {
    let kept = after * 100 / before;
    let keys = (0..3).map(|_| {
        answer(tmux, "?", "q quit", false)
            .max(answer(tmux, "?", "q quit", true))
            .max(answer(tmux, "p", "paused", true))
            .max(answer(tmux, "p", "paused", false))
    });
    // The best of three, because the machine may be busy.
    let keys = keys.min().unwrap();
    // "stopping", or the words of the end if it comes sooner than the screen is looked at.
    let begin = Instant::now();
    tmux.press("C-c");
    let ends = |row: &String| row.contains("stopping") || row.contains("interrupted at");
    tmux.wait_for("an answer to ^C", |rows| rows.iter().any(ends));
    let end = begin.elapsed();
    say(&format!("the other torrent kept {kept} % of its rate; keys took {keys:?}, ^C {end:?}"));
    assert!(kept >= KEPT, "{before} bytes before, {after} after");
    assert!(keys < ANSWER && end < ANSWER, "keys took {keys:?}, ^C {end:?}");
}

/// The run has been told to end and must do so, although the disk still hangs.
pub fn assert_ends(tmux: &Tmux) {
    let begin = Instant::now();
    tmux.wait_for("the prompt", |rows| rows.iter().any(|row| row.trim_end() == PROMPT));
    let took = begin.elapsed();
    say(&format!("it ended in {took:?}"));
    assert!(took < ENDED, "it ended only after {took:?}");
}
