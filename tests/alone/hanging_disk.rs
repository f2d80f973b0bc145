//! The story of a disk that hangs: its torrent waits, and nothing else does.

use crate::alone;
use crate::common::content::Content;
use crate::common::fuse::HangingDisk;
use crate::common::stage::Stage;
use crate::common::tools::{Tool, here};
use crate::untouched::{
    Hung, RATE, assert_ends, assert_untouched, measure, terminal, wait_for_downloads, wait_until_still,
};

const PIECE: usize = 64 * 1024;
/// The bytes of each torrent: enough for 16 s without a pause.
const SIZE: usize = 48 << 20;

/// One `get` with little memory fetches both torrents. The disk that hangs could soon take all of that memory.
#[test]
fn a_disk_that_hangs_stops_only_its_own_torrent_and_neither_the_screen_nor_the_end() {
    if !here(&[Tool::Fuse, Tool::Tmux]) {
        return;
    }
    let _alone = alone();
    let stage = Stage::new(Content::one_file("sound.bin", SIZE), PIECE);
    let (_seed, sound_line) = stage.slow_seed(RATE);
    let hung = Hung::start(&stage, SIZE, PIECE);

    let dir = stage.path().join("dir");
    let mut disk = HangingDisk::mount(&dir.join("hung"), stage.path());
    let get = stage.get("leecher").in_dir(&dir).torrent(&hung.torrent).args(&["--memory", "1"]);
    let tmux = terminal(&stage, &get);
    wait_for_downloads(&[&sound_line, &hung.line]);

    let before = measure(&sound_line);
    disk.hang();
    wait_until_still(&hung.line);
    let after = measure(&sound_line);
    assert_untouched(&tmux, before, after);
    assert_ends(&tmux);
    tmux.wait_for_text("code 75");

    disk.recover();
    // The content so far is right, and the next run fetches the rest.
    let outcome = get.run();
    outcome.assert_code(0);
    hung.content.assert_same_in(&dir);
    stage.content.assert_same_in(&dir);
}
