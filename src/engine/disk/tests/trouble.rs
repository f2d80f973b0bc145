//! What the disk threads report when files and folders are deleted.

use super::*;
use crate::storage::error::ContentError;
use crate::storage::error::Doing;

#[test]
fn a_deleted_folder_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let below = dir.path().join("below");
    fs::create_dir(&below).unwrap();
    let (metainfo, bytes) = torrent(2 * BLOCK, &[], BLOCK, &[]);
    let mut bench = Bench::new(&metainfo, &bytes, &below);
    fs::remove_dir(&below).unwrap();
    bench.give((0, 0));
    let mut told = Told::default();
    bench.listen(&mut told, "the trouble", |told| !told.trouble.is_empty());
    assert!(told.trouble[0].contains(below.join("whole").to_str().unwrap()), "{:?}", told.trouble);
    // The other thread does not even try.
    bench.give((1, 0));
    bench.listen(&mut told, "nothing more is written", |told| told.unwritten == 1);
    let probe = |bench: &mut Bench, told: &mut Told, had: u64| {
        let before = told.trouble.len();
        let left = bench.content.metainfo.length - had;
        let block = Some(BlockSpec { piece: 0, begin: 0, length: BLOCK_BYTES });
        bench.disk.give(&bench.content, DiskOrder::Probe { block, left }, Time::ZERO);
        bench.listen(told, "an answer", |told| told.trouble.len() > before);
        told.trouble.last().unwrap().clone()
    };
    assert_eq!(probe(&mut bench, &mut told, 0), format!("{} is not there", below.display()));
    fs::create_dir(&below).unwrap();
    let bare = format!("what was in {} is not there (is its disk mounted?)", below.display());
    assert_eq!(probe(&mut bench, &mut told, BLOCK as u64), bare, "an empty mount point would be filled");
    assert_eq!(probe(&mut bench, &mut told, 0), "healed");
    assert!(!bench.content.health.is_sound(), "it is another folder: the content must be opened again");
    let told = bench.end(told);
    assert!(told.checked.is_empty() && told.failed.is_empty());
    assert_eq!(told.written, 2 * BLOCK as u64, "its memory is free again");
}

/// A write to a disk that came back might overwrite files of other programs, so everything is checked first.
#[test]
fn nothing_is_written_before_the_trouble_is_over_even_if_the_disk_works() {
    let dir = tempfile::tempdir().unwrap();
    let (metainfo, bytes) = torrent(2 * BLOCK, &[], BLOCK, &[]);
    let mut bench = Bench::new(&metainfo, &bytes, dir.path());
    bench.content.health.doubt();
    bench.give((0, 0));
    let mut told = Told::default();
    bench.listen(&mut told, "it is not written", |told| told.unwritten == 1);
    let told = bench.end(told);
    assert!(told.checked.is_empty() && !dir.path().join("whole").exists());
}

#[test]
fn no_more_pieces_count_for_a_file_that_was_deleted_or_moved() {
    for moved in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let (metainfo, bytes) = torrent(4 * BLOCK, &[], 2 * BLOCK, &[]);
        let mut bench = Bench::new(&metainfo, &bytes, dir.path());
        bench.give((0, 0));
        bench.give((0, BLOCK_BYTES));
        let mut told = Told::default();
        bench.listen(&mut told, "the first piece", |told| told.checked == [(0, true)]);
        let (file, elsewhere) = (dir.path().join("whole"), dir.path().join("elsewhere"));
        if moved { fs::rename(file, elsewhere) } else { fs::remove_file(file) }.unwrap();
        bench.blocks(1).for_each(|block| bench.give(block));
        bench.listen(&mut told, "it is noticed", |told| !told.trouble.is_empty());
        let words = if moved { "another program moved it away" } else { "another program removed it" };
        assert!(told.trouble[0].ends_with(words), "{:?}", told.trouble);
        assert_eq!(bench.end(told).checked, [(0, true)], "a piece counts although its file is gone");
    }
}

#[test]
fn a_file_that_lost_its_end_before_its_piece_was_complete_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let (metainfo, bytes) = torrent(40 * BLOCK, &[], 40 * BLOCK, &[]);
    let mut bench = Bench::new(&metainfo, &bytes, dir.path());
    // The end of the piece is kept.
    (1..40).rev().for_each(|block| bench.give((0, block * BLOCK_BYTES)));
    let mut told = Told::default();
    let kept = BUDGET / KEPT_SHARE;
    bench.listen(&mut told, "most blocks are written", |told| told.written >= 39 * BLOCK as u64 - kept);
    let path = dir.path().join("whole");
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(20 * BLOCK as u64).unwrap();
    bench.give((0, 0));
    bench.listen(&mut told, "the failure", |told| !told.trouble.is_empty());
    let text = format!("can't read {}: another program wrote to it", path.display());
    assert_eq!(told.trouble, [text]);
    let told = bench.end(told);
    assert!(told.checked.is_empty());
    assert_eq!(told.written, metainfo.length, "its memory is free again");
}

/// A new check takes the turn to write, so that no probe writes meanwhile.
#[test]
fn a_probe_waits_for_its_turn_and_keeps_it_until_it_has_reported() {
    let dir = tempfile::tempdir().unwrap();
    let (metainfo, bytes) = torrent(2 * BLOCK, &[], BLOCK, &[]);
    let mut bench = Bench::new(&metainfo, &bytes, dir.path());
    let content = Arc::clone(&bench.content);
    let error = ContentError { doing: Doing::Writing, path: "whole".into(), error: rustix::io::Errno::NOSPC.into() };
    assert!(content.begin_trouble(&error).is_some());
    let turn = content.health.take_turn();
    let block = Some(BlockSpec { piece: 0, begin: 0, length: BLOCK_BYTES });
    bench.disk.give(&content, DiskOrder::Probe { block, left: metainfo.length }, Time::ZERO);
    bench.disk.send(Time::MAX);
    let early = bench.inbox.recv_timeout(Duration::from_millis(200));
    assert!(early.is_err() && !dir.path().join("whole").exists(), "it did not wait for its turn");
    drop(turn);
    let mut told = Told::default();
    bench.listen(&mut told, "an answer", |told| told.trouble == ["healed"]);
    assert!(content.health.is_sound());
    assert!(bench.end(told).failed.is_empty());
}
