//! Stories of disks that hang under `many`: the folder of .torrent files that it watches, and a folder of content.

use crate::alone;
use crate::common::content::Content;
use crate::common::fuse::HangingDisk;
use crate::common::stage::Stage;
use crate::common::swarmlet::Get;
use crate::common::tools::{Tool, here};
use crate::common::torrent::Maker;
use crate::untouched::{
    Hung, RATE, assert_ends, assert_untouched, measure, run_in, terminal, wait_for_downloads, wait_until_still,
};
use std::fs;
use std::thread;
use std::time::Duration;

const PIECE: usize = 64 * 1024;
/// The bytes of the torrent that goes on: enough for 21 s.
const SIZE: usize = 64 << 20;
/// `many` looks at its folder every 5 s.
const NEXT_LOOK: Duration = Duration::from_secs(6);

/// Whether a torrent has a row on the screen that shows `state`.
fn is_shown(rows: &[String], name: &str, state: &str) -> bool {
    rows.iter().any(|row| row.contains(" %") && row.contains(name) && row.contains(state))
}

#[test]
fn the_folder_that_many_watches_may_hang() {
    if !here(&[Tool::Fuse, Tool::Tmux]) {
        return;
    }
    let _alone = alone();
    let stage = Stage::new(Content::one_file("sound.bin", SIZE), PIECE);
    let (_seed, line) = stage.slow_seed(RATE);
    let (folder, dir) = (stage.path().join("folder"), stage.path().join("dir"));
    let mut disk = HangingDisk::mount(&folder, stage.path());
    fs::create_dir(&dir).unwrap();
    fs::write(folder.join("sound.torrent"), fs::read(&stage.torrent.file).unwrap()).unwrap();
    let tmux = terminal(&stage, &Get::many("many", stage.path(), &folder).in_dir(&dir));
    wait_for_downloads(&[&line]);

    let before = measure(&line);
    disk.hang();
    // Now a thread waits for the folder.
    thread::sleep(NEXT_LOOK);
    let after = measure(&line);
    assert_untouched(&tmux, before, after);
    assert_ends(&tmux);
}

/// The disk hangs twice: while its torrent downloads, and before its torrent is checked by the next run.
#[test]
fn a_folder_of_content_of_many_may_hang() {
    if !here(&[Tool::Fuse, Tool::Tmux]) {
        return;
    }
    let _alone = alone();
    let stage = Stage::new(Content::one_file("sound.bin", SIZE), PIECE);
    let (_seed, sound_line) = stage.slow_seed(RATE);
    let hung = Hung::start(&stage, SIZE / 2, PIECE);
    let late = Content::one_file("late.bin", 3 * PIECE);
    let late_torrent = Maker::Ours.make(&late, &stage.path().join("late source"), PIECE, &stage.tracker.url());

    let (folder, dir) = (stage.path().join("folder"), stage.path().join("dir"));
    let mut disk = HangingDisk::mount(&dir.join("hung"), stage.path());
    fs::create_dir(&folder).unwrap();
    fs::copy(&hung.torrent.file, folder.join("hung.torrent")).unwrap();
    fs::copy(&stage.torrent.file, folder.join("sound.torrent")).unwrap();
    let many = Get::many("many", stage.path(), &folder).in_dir(&dir);
    let tmux = terminal(&stage, &many);
    wait_for_downloads(&[&sound_line, &hung.line]);

    let before = measure(&sound_line);
    disk.hang();
    late.write_to(&dir);
    fs::copy(&late_torrent.file, folder.join("late.torrent")).unwrap();
    wait_until_still(&hung.line);
    let after = measure(&sound_line);
    tmux.wait_for("a torrent that came later", |rows| is_shown(rows, "late", "seeding"));
    assert_untouched(&tmux, before, after);
    assert_ends(&tmux);

    // The torrent whose disk hangs is the first to be checked.
    run_in(&tmux, &many);
    tmux.wait_for("the others are there", |rows| {
        let is_back = is_shown(rows, "sound", "downloading") || is_shown(rows, "sound", "seeding");
        is_back && is_shown(rows, "late", "seeding") && is_shown(rows, "hung", "checking")
    });
    tmux.press("C-c");
    assert_ends(&tmux);

    disk.recover();
    let outcome = stage.get("leecher").in_dir(&dir).torrent(&hung.torrent).run();
    outcome.assert_code(0);
    hung.content.assert_same_in(&dir);
    stage.content.assert_same_in(&dir);
}
