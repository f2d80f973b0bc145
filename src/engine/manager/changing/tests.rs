//! Tests of what a person does with content while its torrent runs: with engines, real folders, and two devices.

use crate::base::sha1::sha1;
use crate::engine::testkit::{PATIENCE, noise};
use crate::engine::{
    Change, Command, Config, Engine, Job, Notice, Phase, Priority, RateLimits, Settings, Subscription, TorrentId,
};
use crate::proto::bencode::Bencode;
use crate::proto::metainfo::Metainfo;
use crate::storage::resume::StateDir;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const PIECE: usize = 32 * 1024;
const ONE: TorrentId = TorrentId(0);

/// A folder "album" with two files, which are `length` bytes together.
fn album(length: usize) -> (Metainfo, [Vec<u8>; 2]) {
    let bytes = noise(length, 7);
    let (a, b) = bytes.split_at(length / 3);
    let hashes: Vec<u8> = bytes.chunks(PIECE).flat_map(sha1).collect();
    let file = |name: &str, length: usize| {
        Bencode::dict([("length", (length as i64).into()), ("path", Bencode::list([name]))])
    };
    let files = Bencode::List(vec![file("a", a.len()), file("b", b.len())]);
    let piece_length = ("piece length", (PIECE as i64).into());
    let info = Bencode::dict([("files", files), ("name", "album".into()), piece_length, ("pieces", hashes.into())]);
    let metainfo = Metainfo::parse(&Bencode::dict([("info", info)]).encode()).unwrap();
    (metainfo, [a.to_vec(), b.to_vec()])
}

fn put(dir: &Path, files: &[Vec<u8>; 2]) {
    fs::create_dir_all(dir.join("album")).unwrap();
    fs::write(dir.join("album/a"), &files[0]).unwrap();
    fs::write(dir.join("album/b"), &files[1]).unwrap();
}

fn is_in(dir: &Path, files: &[Vec<u8>; 2]) -> bool {
    let same = |name: &str, bytes: &[u8]| fs::read(dir.join(name)).is_ok_and(|found| found == bytes);
    same("album/a", &files[0]) && same("album/b", &files[1])
}

struct Stage {
    scratch: TempDir,
    far: TempDir,
    states: Arc<StateDir>,
}

impl Stage {
    fn new() -> Stage {
        let scratch = tempfile::tempdir().unwrap();
        let states = Arc::new(StateDir::open(&scratch.path().join("states")).unwrap());
        Stage { scratch, far: tempfile::tempdir_in("/dev/shm").unwrap(), states }
    }

    /// A folder here, and one on another device.
    fn dirs(&self) -> [PathBuf; 2] {
        let dirs = [self.scratch.path().join("here"), self.far.path().join("there")];
        dirs.iter().for_each(|dir| fs::create_dir_all(dir).unwrap());
        dirs
    }

    fn engine(&self, upload: Option<u64>) -> (Engine, Subscription) {
        let config = Config {
            ports: 0..=0,
            states: Some(Arc::clone(&self.states)),
            limits: RateLimits { upload, download: None },
            status_every: Some(Duration::from_millis(50)),
            torrent: Settings { max_peers: 20, ..Settings::default() },
            ..Config::default()
        };
        Engine::start(config).unwrap()
    }

    fn saved(&self) -> usize {
        fs::read_dir(&self.states.path).unwrap().count()
    }
}

fn job(metainfo: &Metainfo, dir: &Path) -> Job {
    Job::new(metainfo.clone(), dir)
}

fn next<T>(notices: &Subscription, what: &str, find: impl Fn(&Notice) -> Option<T>) -> T {
    let (end, mut last) = (Instant::now() + PATIENCE, String::new());
    loop {
        let Ok(notice) = notices.recv_deadline(end) else { panic!("waited in vain until {what}; {last}") };
        if let Some(found) = find(&notice) {
            return found;
        }
        last = format!("{notice:?}");
        assert!(!matches!(notice, Notice::Failed { .. } | Notice::Warning { .. }), "{last}");
    }
}

fn joined(notices: &Subscription) -> (bool, u64) {
    next(notices, "it has joined", |notice| match notice {
        Notice::Joined { is_complete, hashed_bytes, .. } => Some((*is_complete, *hashed_bytes)),
        _ => None,
    })
}

fn moved(notices: &Subscription) -> Result<PathBuf, String> {
    next(notices, "it has moved", |notice| match notice {
        Notice::Moved { result, .. } => Some(result.clone().map(|dir| dir.to_path_buf())),
        _ => None,
    })
}

fn resumed(notices: &Subscription) -> u64 {
    next(notices, "it goes on", |notice| match notice {
        Notice::Resumed { status, .. } => Some(status.left),
        _ => None,
    })
}

fn failed(notices: &Subscription) -> String {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Notice::Failed { problem, .. } = notices.recv_deadline(end).expect("it fails") {
            return problem.text;
        }
    }
}

fn change(engine: &Engine, change: Change) {
    engine.send(Command::Change(ONE, change));
}

fn carry(engine: &Engine, notices: &Subscription, to: &Path) {
    change(engine, Change::Move { to: to.into(), carry: true });
    assert_eq!(moved(notices).map_err(|why| panic!("{why}")), Ok::<_, String>(to.to_path_buf()));
    resumed(notices);
}

#[test]
fn a_seed_and_a_download_are_moved_to_another_device_and_go_on() {
    let (stage, [here, there]) = {
        let stage = Stage::new();
        let dirs = stage.dirs();
        (stage, dirs)
    };
    let (metainfo, files) = album(90 * PIECE);
    let (seed, seed_notices) = stage.engine(Some(1 << 20));
    let other = Stage::new();
    let (leech, notices) = other.engine(None);
    put(&here, &files);
    seed.add(job(&metainfo, &here));
    assert!(joined(&seed_notices).0);
    let [begin, end] = other.dirs();
    let peers = vec![format!("127.0.0.1:{}", seed.port())].into_boxed_slice();
    leech.add(Job { peers, ..job(&metainfo, &begin) });
    joined(&notices);
    let has_some = |notice: &Notice| match notice {
        Notice::Status { reports, .. } => match &reports.first()?.phase {
            Phase::Running(status) => (status.left < metainfo.length).then_some(()),
            _ => None,
        },
        _ => None,
    };
    next(&notices, "it has some pieces", has_some);
    carry(&leech, &notices, &end);
    carry(&seed, &seed_notices, &there);
    assert!(is_in(&there, &files) && fs::read_dir(&here).unwrap().next().is_none());
    next(&notices, "it is complete", |notice| matches!(notice, Notice::Complete { .. }).then_some(()));
    assert!(is_in(&end, &files) && fs::read_dir(&begin).unwrap().next().is_none());
    // Back, while it is paused; and all is still trusted.
    change(&leech, Change::Paused(true));
    carry(&leech, &notices, &begin);
    assert!(is_in(&begin, &files));
    leech.send(Command::Stop);
    next(&notices, "it has stopped", |notice| matches!(notice, Notice::Stopped(_)).then_some(()));
    let (again, notices) = other.engine(None);
    again.add(job(&metainfo, &begin));
    assert_eq!(joined(&notices), (true, 0), "the state is at the new place");
}

#[test]
fn a_move_that_fails_leaves_the_content_where_it_was() {
    let (stage, (metainfo, files)) = (Stage::new(), album(9 * PIECE));
    let [here, there] = stage.dirs();
    put(&here, &files);
    let (engine, notices) = stage.engine(None);
    engine.add(job(&metainfo, &here));
    joined(&notices);
    fs::create_dir(there.join("album")).unwrap();
    fs::write(there.join("album/b"), "a user's own").unwrap();
    change(&engine, Change::Move { to: there.as_path().into(), carry: true });
    let why = moved(&notices).unwrap_err();
    assert!(why.contains("album/b") && why.contains("does not overwrite"), "{why}");
    assert_eq!(resumed(&notices), 0);
    assert!(is_in(&here, &files));
    change(&engine, Change::Move { to: there.as_path().into(), carry: false });
    let why = moved(&notices).unwrap_err();
    assert!(why.contains("album/b"), "{why}");
    assert_eq!(resumed(&notices), 0);
    // What is there already is used, and nothing is taken away.
    put(&there, &files);
    change(&engine, Change::Move { to: there.as_path().into(), carry: false });
    assert_eq!(moved(&notices), Ok(there.clone()));
    assert_eq!(resumed(&notices), 0);
    assert!(is_in(&here, &files) && is_in(&there, &files));
    assert_eq!(engine.ask(ONE).unwrap().dir().unwrap().to_path_buf(), there);
}

#[test]
fn a_verification_finds_what_others_damaged() {
    let (stage, (metainfo, files)) = (Stage::new(), album(9 * PIECE));
    let [here, _] = stage.dirs();
    put(&here, &files);
    let (engine, notices) = stage.engine(None);
    engine.add(job(&metainfo, &here));
    assert!(joined(&notices).0);
    let mut damaged = files.clone();
    damaged[1][PIECE * 3] ^= 1;
    put(&here, &damaged);
    change(&engine, Change::Verify);
    let why = failed(&notices);
    assert!(why.contains("album/b: another program changed it after it was complete"), "{why}");
    change(&engine, Change::Paused(false));
    failed(&notices);
    assert!(is_in(&here, &damaged), "nothing is written before the person says it");
    change(&engine, Change::Verify);
    assert!(!joined(&notices).0);
    let details = engine.ask(ONE).unwrap();
    let verified: Vec<u64> = details.files(true).map(|file| file.verified).collect();
    assert_eq!(verified, [3 * PIECE as u64, 5 * PIECE as u64]);
    assert_eq!(details.have.count(), 8);
    assert!(details.files(true).all(|file| file.priority == Priority::Normal));
    put(&here, &files);
    change(&engine, Change::Verify);
    assert_eq!(resumed(&notices), 0);
    assert!(engine.ask(TorrentId(5)).is_none());
}

#[test]
fn a_torrent_that_failed_is_tried_again() {
    let (stage, (metainfo, files)) = (Stage::new(), album(9 * PIECE));
    let [here, there] = stage.dirs();
    let (engine, notices) = stage.engine(None);
    let gone = here.join("gone");
    engine.add(job(&metainfo, &gone));
    failed(&notices);
    change(&engine, Change::Verify);
    failed(&notices);
    fs::create_dir(&gone).unwrap();
    fs::create_dir(gone.join("album")).unwrap();
    fs::write(gone.join("album/b"), "a user's own").unwrap();
    change(&engine, Change::Paused(false));
    let why = failed(&notices);
    assert!(why.contains("album/b") && why.contains("not of this torrent"), "{why}");
    put(&there, &files);
    change(&engine, Change::Move { to: there.as_path().into(), carry: false });
    assert_eq!(moved(&notices), Ok(there.clone()));
    assert!(joined(&notices).0);
    assert_eq!(fs::read(gone.join("album/b")).unwrap(), b"a user's own");
}

#[test]
fn a_complete_download_goes_to_its_last_folder() {
    let (stage, other, (metainfo, files)) = (Stage::new(), Stage::new(), album(9 * PIECE));
    let ([here, _], [incomplete, complete]) = (stage.dirs(), other.dirs());
    put(&here, &files);
    let (seed, seed_notices) = stage.engine(None);
    seed.add(job(&metainfo, &here));
    joined(&seed_notices);
    let (leech, notices) = other.engine(None);
    let peers = vec![format!("127.0.0.1:{}", seed.port())].into_boxed_slice();
    let finally = Some(complete.as_path().into());
    leech.add(Job { peers, finally: finally.clone(), ..job(&metainfo, &incomplete) });
    next(&notices, "it is complete", |notice| matches!(notice, Notice::Complete { .. }).then_some(()));
    assert_eq!(moved(&notices), Ok(complete.clone()));
    assert_eq!(resumed(&notices), 0);
    assert!(is_in(&complete, &files) && fs::read_dir(&incomplete).unwrap().next().is_none());
    // The process is killed before the caller has recorded that: it is told again.
    drop((leech, notices));
    let (again, notices) = other.engine(None);
    again.add(Job { finally, ..job(&metainfo, &incomplete) });
    assert_eq!(moved(&notices), Ok(complete.clone()));
    assert!(joined(&notices).0);
    // It has recorded it now, and the journal goes.
    let (again, notices) = other.engine(None);
    again.add(job(&metainfo, &complete));
    assert!(joined(&notices).0);
    let journals = fs::read_dir(&other.states.path).unwrap().flatten();
    assert_eq!(journals.filter(|entry| entry.path().extension().is_some_and(|end| end == "moved")).count(), 0);
}

#[test]
fn a_new_name_is_on_the_disk_and_survives() {
    let (stage, (metainfo, files)) = (Stage::new(), album(9 * PIECE));
    let [here, _] = stage.dirs();
    put(&here, &files);
    let (engine, notices) = stage.engine(None);
    engine.add(job(&metainfo, &here));
    joined(&notices);
    let rename = |path: &str, name: &str| {
        change(&engine, Change::Rename { path: path.into(), name: name.into() });
        next(&notices, "it is renamed", |notice| match notice {
            Notice::Renamed { result, .. } => Some(result.clone()),
            _ => None,
        })
    };
    rename("album/a", "first").unwrap();
    assert!(rename("album/a", "x").is_err() && rename("album/first", "../x").is_err());
    let names = rename("album", "the album").unwrap();
    assert_eq!(names, [("album".into(), "the album".into()), ("album/a".into(), "first".to_string())]);
    assert!(fs::read(here.join("the album/first")).unwrap() == files[0] && !here.join("album").exists());
    let paths: Vec<String> = engine.ask(ONE).unwrap().files(true).map(|file| file.path).collect();
    assert_eq!(paths, ["the album/first", "the album/b"]);
    engine.send(Command::Stop);
    next(&notices, "it has stopped", |notice| matches!(notice, Notice::Stopped(_)).then_some(()));
    let (again, notices) = stage.engine(None);
    again.add(Job { renamed: names.clone(), ..job(&metainfo, &here) });
    assert_eq!(joined(&notices), (true, 0));
    // The torrent's own names are the last to be free.
    again.send(Command::Delete(ONE));
    next(&notices, "it is removed", |notice| matches!(notice, Notice::Removed { .. }).then_some(()));
    assert!(fs::read_dir(&here).unwrap().next().is_none());
    // Names that can't be used make it fail.
    let (hostile, notices) = stage.engine(None);
    hostile.add(Job { renamed: vec![("album/a".into(), "../../x".into())], ..job(&metainfo, &here) });
    assert!(failed(&notices).contains("a name with a / in it"));
}

#[test]
fn a_missing_folder_is_made_below_another_one_that_exists() {
    let (stage, (metainfo, _)) = (Stage::new(), album(9 * PIECE));
    let [here, _] = stage.dirs();
    let below = |root: &Path| Job { make_below: Some(root.into()), ..job(&metainfo, &root.join("tv/new")) };
    let (engine, notices) = stage.engine(None);
    engine.add(below(&here));
    joined(&notices);
    assert!(here.join("tv/new").is_dir());
    let (engine, notices) = stage.engine(None);
    engine.add(below(&here.join("not mounted")));
    assert!(failed(&notices).starts_with("can't make "));
    assert!(!here.join("not mounted").exists());
}

#[test]
fn a_deletion_takes_the_files_and_the_state() {
    let (stage, (metainfo, files)) = (Stage::new(), album(9 * PIECE));
    let [here, _] = stage.dirs();
    put(&here, &files);
    let (engine, notices) = stage.engine(None);
    engine.add(job(&metainfo, &here));
    joined(&notices);
    // So its state is saved.
    engine.send(Command::Change(ONE, Change::Rename { path: "album/a".into(), name: "c".into() }));
    resumed(&notices);
    let second = engine.subscribe().unwrap();
    engine.send(Command::Delete(ONE));
    for notices in [&notices, &second] {
        next(notices, "it is removed", |notice| matches!(notice, Notice::Removed { .. }).then_some(()));
    }
    assert!(fs::read_dir(&here).unwrap().next().is_none());
    assert_eq!(stage.saved(), 0);
}

#[test]
fn what_is_not_moved_may_go_to_a_folder_that_does_not_exist_yet() {
    let (stage, (metainfo, files)) = (Stage::new(), album(9 * PIECE));
    let [here, there] = stage.dirs();
    put(&here, &files);
    let (engine, notices) = stage.engine(None);
    engine.add(job(&metainfo, &here));
    assert!(joined(&notices).0);
    let new = there.join("a/new/one");
    change(&engine, Change::Move { to: new.as_path().into(), carry: false });
    assert_eq!(moved(&notices), Ok(new.clone()));
    assert_eq!(resumed(&notices), metainfo.length);
    assert!(new.is_dir() && is_in(&here, &files));
}
