//! The story of a folder through which thousands of torrents pass: what is removed is forgotten.

use crate::common::bencode::Value;
use crate::common::folder::Folder;
use crate::common::proc;
use crate::common::process::Process;
use crate::common::wait::{PATIENCE, wait_until};
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::fs;

/// Torrents that are in the folder at once.
const TORRENTS: usize = 5_000;
/// How often the folder is filled and emptied.
const ROUNDS: usize = 4;
/// Bytes by which the process may grow for each torrent that came and went. A torrent that is not forgotten takes 2
/// KiB. Measured: 33 to 38 bytes in the least of three rounds, and nothing after the seventh (the allocator's pages).
const SLACK: u64 = 200;

/// The .torrent file of one byte, without a tracker.
fn torrent(name: &str) -> Vec<u8> {
    let info = Value::Dict(BTreeMap::from([
        ("length", Value::Int(1)),
        ("name", Value::text(name)),
        ("piece length", Value::Int(16 * 1024)),
        ("pieces", Value::Bytes(vec![7; 20])),
    ]));
    Value::Dict(BTreeMap::from([("info", info)])).encode()
}

/// Waits until `what` was reported of this many torrents.
fn wait_for(many: &mut Process, what: &str, torrents: usize) {
    wait_until(&format!("{torrents} torrents are reported{what}"), 4 * PATIENCE, || {
        many.must_run();
        many.stderr().matches(what).count() >= torrents
    });
}

#[test]
fn five_thousand_torrents_that_come_and_go_leave_no_memory_behind() {
    let folder = Folder::new();
    // Else the torrents of each round would be in another of several arenas, one of which glibc gives to each new
    // thread.
    let mut command = folder.many(&[]).command();
    let mut many = Process::start("many", command.env("MALLOC_ARENA_MAX", "1"), folder.path());
    let mut after = Vec::new();
    for round in 0..ROUNDS {
        let files: Vec<_> = (0..TORRENTS).map(|number| folder.dir.join(format!("{round}-{number}.torrent"))).collect();
        for file in &files {
            fs::write(file, torrent(&file.file_stem().unwrap().to_string_lossy())).unwrap();
        }
        many.signal(Signal::HUP);
        wait_for(&mut many, ": checked, ", (round + 1) * TORRENTS);
        files.iter().for_each(|file| fs::remove_file(file).unwrap());
        many.signal(Signal::HUP);
        wait_for(&mut many, ": removed\n", (round + 1) * TORRENTS);
        after.push(proc::status(many.id(), "VmRSS"));
    }
    // The first round brings the process to its size, because the allocator returns little to the system. Of the rounds
    // after it, one may need another page here and there; if each of them grows, something is kept.
    let grown = after.windows(2).map(|pair| pair[1].saturating_sub(pair[0]) * 1024).min().unwrap();
    assert!(grown < TORRENTS as u64 * SLACK, "KiB after each round: {after:?}");
    many.signal(Signal::INT);
    assert_eq!(many.wait(PATIENCE).code(), Some(0));
}
