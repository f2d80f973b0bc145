//! Content is moved while its torrent runs: to a disk that is full, and by a process that is killed.

use crate::common::content::Content;
use crate::common::process::Process;
use crate::common::stage::Stage;
use crate::common::wait::{PATIENCE, wait_until};
use crate::disk::Disk;
use rustix::process::Signal;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use swarmlet::engine::{Change, Command as Wish, Config, Engine, Job, Notice, Subscription, TorrentId};
use swarmlet::proto::metainfo::Metainfo;
use swarmlet::storage::resume::StateDir;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
const PIECE: usize = 64 * KIB;
const ONE: TorrentId = TorrentId(0);

/// An engine with the torrent of `scratch`, whose content is in `dir`.
fn engine(scratch: &Path, dir: &Path) -> (Engine, Subscription) {
    let states = Some(Arc::new(StateDir::open(&scratch.join("states")).unwrap()));
    let config = Config { ports: 0..=0, states, save_every: Duration::from_millis(60), ..Config::default() };
    let (engine, notices) = Engine::start(config).unwrap();
    let metainfo = Metainfo::parse(&fs::read(scratch.join("torrent")).unwrap()).unwrap();
    engine.add(Job::new(metainfo, dir));
    (engine, notices)
}

fn carry(engine: &Engine, to: &Path) {
    engine.send(Wish::Change(ONE, Change::Move { to: to.into(), carry: true }));
}

fn stage() -> Stage {
    let files: Vec<(String, usize)> =
        (0..40).map(|file| (format!("{}/{file}", file % 3), 300_000 + 9973 * file)).collect();
    let files: Vec<(&str, usize)> = files.iter().map(|(name, size)| (name.as_str(), *size)).collect();
    let stage = Stage::new(Content::folder("folder", &files), PIECE);
    fs::copy(&stage.torrent.file, stage.path().join("torrent")).unwrap();
    stage
}

#[test]
fn a_move_to_a_disk_that_is_full_leaves_everything_where_it_was() {
    let stage = stage();
    let Some(small) = Disk::mount(&stage.path().join("small"), 4 * MIB) else { return };
    let here = stage.path().join("here");
    fs::create_dir(&here).unwrap();
    stage.content.write_to(&here);
    let (engine, notices) = engine(stage.path(), &here);
    let moved = |notices: &Subscription| loop {
        match notices.recv_timeout(PATIENCE).expect("it answers") {
            Notice::Moved { result, .. } => break result,
            Notice::Failed { problem, .. } => panic!("{problem:?}"),
            _ => {}
        }
    };
    carry(&engine, &small.at);
    let why = moved(&notices).unwrap_err();
    assert!(why.contains("not enough space"), "{why}");
    stage.content.assert_same_in(&here);
    assert_eq!(fs::read_dir(&small.at).unwrap().count(), 0);
    // With enough room, the same wish is carried out.
    small.remount("size=64m");
    carry(&engine, &small.at);
    assert!(moved(&notices).is_ok());
    stage.content.assert_same_in(&small.at);
    assert_eq!(fs::read_dir(&here).unwrap().count(), 0);
}

/// The story below kills this engine. It moves the content to and fro.
#[test]
fn an_engine_that_moves_and_is_killed() {
    let Some(scratch) = env::var_os("SWARMLET_MOVES").map(PathBuf::from) else { return };
    let far = PathBuf::from(env::var_os("SWARMLET_MOVES_TO").unwrap());
    let (record, near) = (scratch.join("record"), scratch.join("near"));
    let mut dir = PathBuf::from(fs::read_to_string(&record).unwrap());
    let (engine, notices) = engine(&scratch, &dir);
    for notice in notices.iter() {
        let next = match notice {
            Notice::Joined { is_complete, .. } => {
                assert!(is_complete, "something is lost");
                eprintln!("joined");
                true
            }
            Notice::Moved { result, .. } => {
                // The caller records this a moment later.
                thread::sleep(Duration::from_millis(10));
                dir = result.unwrap().to_path_buf();
                fs::write(scratch.join("record.new"), dir.to_str().unwrap()).unwrap();
                fs::rename(scratch.join("record.new"), &record).unwrap();
                false
            }
            Notice::Resumed { status, .. } => {
                assert_eq!(status.left, 0, "something is lost");
                eprintln!("moved");
                true
            }
            Notice::Failed { problem, .. } => panic!("{problem:?}"),
            notice => {
                eprintln!("{notice:?}");
                false
            }
        };
        if next {
            carry(&engine, if dir == far { &near } else { &far });
        }
    }
}

#[test]
fn a_move_that_is_killed_at_any_moment_loses_no_byte() {
    let stage = stage();
    let scratch = stage.path();
    let far = tempfile::tempdir_in("/dev/shm").unwrap();
    let near = scratch.join("near");
    fs::create_dir(&near).unwrap();
    stage.content.write_to(&near);
    fs::write(scratch.join("record"), near.to_str().unwrap()).unwrap();
    let start = || {
        let mut command = Command::new(env::current_exe().unwrap());
        command
            .args(["--exact", "moving::an_engine_that_moves_and_is_killed", "--nocapture"])
            .env("SWARMLET_MOVES", scratch)
            .env("SWARMLET_MOVES_TO", far.path());
        Process::start("engine", &mut command, scratch)
    };
    let mut moves = 0;
    for kill in 0..25u64 {
        let mut process = start();
        wait_until("it has joined", PATIENCE, || process.stderr().contains("joined"));
        // Moves take about as long as this.
        thread::sleep(Duration::from_millis(kill * 13 % 170));
        process.signal(Signal::KILL);
        process.wait(PATIENCE);
        let said = process.stderr();
        assert!(!said.contains("panicked"), "{said}");
        moves += said.matches("moved").count();
    }
    assert!(moves > 0, "no move was ever finished");
    let mut process = start();
    wait_until("it is moved", PATIENCE, || process.stderr().contains("moved"));
    process.signal(Signal::KILL);
    process.wait(PATIENCE);
}
