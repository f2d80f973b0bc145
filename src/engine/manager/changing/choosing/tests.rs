//! Changes of files, their priority and trackers, with whole engines and real disks.

use super::super::super::tests::{add, at, complete, event_of, joined, next, reply, stopped, tracker};
use crate::base::rng::Rng;
use crate::engine::testkit::{PATIENCE, Part, part, serve, torrent, wait_until};
use crate::engine::{Change, Command, Config, Engine, Job, Notice, Priority, RateLimits, Subscription, TorrentId};
use crate::proto::metainfo::Metainfo;
use crate::storage::content::part_file;
use crate::storage::resume::StateDir;
use Priority::{High, Low, Normal, Skip};
use crossbeam_channel::Receiver;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

const PIECE: usize = 32 * 1024;
/// Pieces that several files share: the second, the sixth with three files, and the ninth.
const PARTS: [Part; 5] =
    [(2 * PIECE - 500, false), (3 * PIECE + 700, false), (900, false), (3 * PIECE, false), (5 * PIECE, false)];

/// An engine that seeds a torrent of `parts`; the torrent's tracker knows it.
fn seed(parts: &[Part], dir: &Path) -> (Engine, Metainfo, Vec<u8>) {
    let (engine, notices) = Engine::start(Config { ports: 0..=0, ..Config::default() }).unwrap();
    let (metainfo, bytes) = torrent(0, parts, PIECE, &[tracker(vec![at(&engine)])]);
    for file in 0..parts.len() {
        let path = dir.join(metainfo.files.at(file).path());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, part(&metainfo, &bytes, file)).unwrap();
    }
    add(&engine, &metainfo, dir);
    assert!(joined(&notices));
    (engine, metainfo, bytes)
}

fn files(engine: &Engine, files: &[Priority]) {
    engine.send(Command::Change(TorrentId(0), Change::Files(files.to_vec())));
}

fn leech(states: &Path, rate: Option<u64>) -> (Engine, Subscription) {
    let states = Some(Arc::new(StateDir::open(states).unwrap()));
    let limits = RateLimits { download: rate, upload: None };
    Engine::start(Config { ports: 0..=0, states, limits, ..Config::default() }).unwrap()
}

/// Whether a file is there, and each byte of it is right.
fn is_right(dir: &Path, metainfo: &Metainfo, bytes: &[u8], file: usize) -> bool {
    let found = fs::read(dir.join(metainfo.files.at(file).path()));
    found.is_ok_and(|found| found == part(metainfo, bytes, file))
}

#[test]
fn a_file_that_becomes_wanted_is_downloaded_and_what_the_part_file_has_moves_into_it() {
    let (seeding, dir, states) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (_seed, metainfo, bytes) = seed(&PARTS, seeding.path());
    let (engine, notices) = leech(states.path(), None);
    let choice = crate::proto::choice::Choice::new(&metainfo, vec![Normal, Skip, Skip, Normal, Skip]).map(Arc::new);
    engine.add(Job { choice, ..Job::new(metainfo.clone(), dir.path()) });
    complete(&notices, 0);
    let right = |file| is_right(dir.path(), &metainfo, &bytes, file);
    let exists = |file: usize| dir.path().join(metainfo.files.at(file).path()).exists();
    let part_file = dir.path().join(part_file::name(&metainfo.info_hash));
    assert!(right(0) && right(3) && !exists(1) && !exists(2) && !exists(4) && part_file.exists());

    // All of the third file is in the part file: nothing is missing, and nothing has to be downloaded.
    files(&engine, &[Normal, Skip, Low, Normal, Skip]);
    wait_until("the small file is there", || right(2));
    files(&engine, &[Skip, Normal, Normal, High, Skip]);
    complete(&notices, 0);
    assert!((0..4).all(right) && !exists(4), "nothing is deleted");
    files(&engine, &[Normal; 5]);
    complete(&notices, 0);
    assert!((0..5).all(right) && !part_file.exists());
    engine.send(Command::Stop);
    stopped(&notices);

    // The state of the last run holds whatever was wanted then.
    let (engine, notices) = leech(states.path(), None);
    add(&engine, &metainfo, dir.path());
    let (had, hashed) = next(&notices, "it has joined", |notice| match notice {
        Notice::Joined { had_bytes, hashed_bytes, .. } => Some((*had_bytes, *hashed_bytes)),
        _ => None,
    });
    assert_eq!((had, hashed), (metainfo.length, 0));
}

#[test]
fn whatever_is_chosen_during_a_download_each_byte_is_right_in_the_end() {
    const FILES: usize = 40;
    let mut rng = Rng::new(9);
    let parts: Vec<Part> = (0..FILES).map(|_| (1 + rng.below(2 * PIECE), rng.below(10) == 0)).collect();
    let (seeding, dir, states) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (_seed, metainfo, bytes) = seed(&parts, seeding.path());
    let (engine, notices) = leech(states.path(), Some(1 << 20));
    add(&engine, &metainfo, dir.path());
    assert!(!joined(&notices));
    for change in 0..30 {
        let chosen: Vec<Priority> = (0..FILES).map(|_| [Skip, Skip, Low, Normal, High][rng.below(5)]).collect();
        files(&engine, &chosen);
        if change % 3 == 0 {
            let wanted = (0..FILES).filter(|file| chosen[*file] != Skip && !parts[*file].1);
            wait_until("the wanted files are right", || {
                wanted.clone().all(|file| is_right(dir.path(), &metainfo, &bytes, file))
            });
        }
    }
    files(&engine, &[Normal; FILES]);
    let real = || (0..FILES).filter(|file| !parts[*file].1);
    wait_until("all files are right", || real().all(|file| is_right(dir.path(), &metainfo, &bytes, file)));
    engine.send(Command::Stop);
    stopped(&notices);
    let (engine, notices) = leech(states.path(), None);
    add(&engine, &metainfo, dir.path());
    assert!(joined(&notices), "the next run finds all of it");
}

#[test]
fn a_users_own_file_in_the_way_of_a_file_that_becomes_wanted_is_not_touched() {
    let (seeding, dir, states) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (_seed, metainfo, _) = seed(&PARTS, seeding.path());
    let (engine, notices) = leech(states.path(), None);
    let choice = crate::proto::choice::Choice::new(&metainfo, vec![Normal, Skip, Skip, Skip, Skip]).map(Arc::new);
    engine.add(Job { choice, ..Job::new(metainfo.clone(), dir.path()) });
    complete(&notices, 0);
    let own = dir.path().join(metainfo.files.at(4).path());
    fs::create_dir_all(own.parent().unwrap()).unwrap();
    fs::write(&own, "my own").unwrap();
    files(&engine, &[Normal; 5]);
    let problem = loop {
        if let Notice::Failed { problem, .. } = notices.recv_timeout(PATIENCE).unwrap() {
            break problem.text;
        }
    };
    assert!(problem.contains("it is not of this torrent"), "{problem}");
    assert_eq!(fs::read_to_string(&own).unwrap(), "my own");
}

/// What a tracker hears of us.
fn listening() -> (String, Receiver<String>) {
    let (sender, heard) = crossbeam_channel::unbounded();
    let addr = serve(move |path, socket| {
        let _ = sender.send(event_of(path));
        let _ = socket.write_all(&reply(&[]));
    });
    (format!("http://{addr}/a"), heard)
}

#[test]
fn a_removed_tracker_hears_that_we_leave_and_a_new_one_that_we_come() {
    let ((first, of_first), (second, of_second), (third, of_third)) = (listening(), listening(), listening());
    let (metainfo, _) = torrent(PIECE, &[], PIECE, &[first]);
    let dir = tempfile::tempdir().unwrap();
    let (engine, notices) = Engine::start(Config { ports: 0..=0, ..Config::default() }).unwrap();
    let change = |urls: &[&String]| {
        let tiers = urls.iter().map(|url| vec![url.as_str().into()]).collect();
        engine.send(Command::Change(TorrentId(0), Change::Trackers(tiers)));
    };
    add(&engine, &metainfo, dir.path());
    // It comes before the content is checked.
    change(&[&second]);
    assert!(!joined(&notices));
    let heard = |of: &Receiver<String>| of.recv_timeout(PATIENCE).unwrap();
    assert_eq!(heard(&of_second), "started");
    change(&[&second, &third]);
    assert_eq!(heard(&of_third), "started");
    change(&[&third]);
    assert_eq!(heard(&of_second), "stopped");
    engine.send(Command::Stop);
    stopped(&notices);
    assert_eq!(heard(&of_third), "stopped");
    assert!([of_first, of_second, of_third].iter().all(|of| of.try_recv().is_err()), "one hears more than that");
}
