//! The story of a disk that hangs: its torrent waits, and nothing else does.

use crate::common::content::Content;
use crate::common::fuse::HangingDisk;
use crate::common::stage::Stage;
use crate::common::swarmlet::Get;
use crate::common::throttle::Throttle;
use crate::common::tmux::{PROMPT, Tmux};
use crate::common::tools::{Tool, here, say};
use crate::common::torrent::Maker;
use crate::common::wait::{PATIENCE, wait_until};
use std::thread;
use std::time::{Duration, Instant};

const PIECE: usize = 64 * 1024;
/// The bytes of each torrent, and the bytes a second of each line: enough for 16 s without a pause.
const SIZE: usize = 48 << 20;
const RATE: u64 = 3 << 20;
/// How long the rate is measured.
const MEASURED: Duration = Duration::from_secs(4);
/// The other torrent must keep this many percent of its rate.
const KEPT: u64 = 90;
/// A key or ^C must be answered within this time.
const ANSWER: Duration = Duration::from_millis(200);

/// The bytes that pass in [`MEASURED`].
fn measure(line: &Throttle) -> u64 {
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

/// One `get` with little memory fetches both torrents. The disk that hangs could soon take all of that memory.
#[test]
fn a_disk_that_hangs_stops_only_its_own_torrent_and_neither_the_screen_nor_the_end() {
    if !here(&[Tool::Fuse, Tool::Tmux]) {
        return;
    }
    let stage = Stage::new(Content::one_file("sound.bin", SIZE), PIECE);
    let hung = Content::folder("hung", &[("a.bin", SIZE / 2), ("b.bin", SIZE - SIZE / 2)]);
    let hung_source = stage.path().join("hung source");
    let hung_torrent = Maker::Ours.make(&hung, &hung_source, PIECE, &stage.tracker.url());
    let (_seed, sound_line) = stage.slow_seed(RATE);
    let hung_seed = Get::new("hung seed", stage.path()).in_dir(&hung_source).torrent(&hung_torrent).arg("--seed");
    let hung_line = Throttle::before(hung_seed.port, RATE);
    stage.tracker.introduce_as(hung_seed.port, hung_line.port);
    let mut hung_seed = hung_seed.start();
    stage.tracker.wait_for_a_seed(&hung_torrent.info_hash, || hung_seed.must_run());

    let dir = stage.path().join("dir");
    let mut disk = HangingDisk::mount(&dir.join("hung"), stage.path());
    let get = stage.get("leecher").in_dir(&dir).torrent(&hung_torrent).args(&["--memory", "1"]);
    let terminal = stage.path().join("terminal");
    std::fs::create_dir(&terminal).unwrap();
    let tmux = Tmux::start(&terminal, (80, 24), "C.UTF-8");
    tmux.run_there(&get.command(), "; echo code $?");
    let begun = |line: &Throttle| line.passed() > RATE;
    wait_until("both are under way", PATIENCE, || begun(&sound_line) && begun(&hung_line));

    let before = measure(&sound_line);
    disk.hang();
    wait_until("nothing more arrives for the disk that hangs", PATIENCE, || {
        let before = hung_line.passed();
        thread::sleep(Duration::from_millis(500));
        hung_line.passed() == before
    });
    let after = measure(&sound_line);
    let kept = after * 100 / before;
    let keys = (0..3).map(|_| {
        answer(&tmux, "?", "q quit", false)
            .max(answer(&tmux, "?", "q quit", true))
            .max(answer(&tmux, "p", "paused", true))
            .max(answer(&tmux, "p", "paused", false))
    });
    // The best of three, because the machine may be busy.
    let keys = keys.min().unwrap();
    let end = answer(&tmux, "C-c", "stopping", true);
    say(&format!("the other torrent kept {kept} % of its rate; keys took {keys:?}, ^C {end:?}"));
    assert!(kept >= KEPT, "{before} bytes before, {after} after");
    assert!(keys < ANSWER && end < ANSWER, "keys took {keys:?}, ^C {end:?}");

    disk.recover();
    tmux.wait_for_text("code 75");
    tmux.wait_for("the prompt", |rows| rows.iter().any(|row| row.trim_end() == PROMPT));
    // The content so far is right, and the next run fetches the rest.
    let outcome = get.run();
    outcome.assert_code(0);
    hung.assert_same_in(&dir);
    stage.content.assert_same_in(&dir);
}
