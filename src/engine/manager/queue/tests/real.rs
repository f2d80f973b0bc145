//! Two engines, a tracker and real sockets: a torrent that has seeded enough leaves its swarm.

use crate::engine::input::{Change, SeedTerms, SeedUntil};
use crate::engine::manager::tests::{event_of, reply};
use crate::engine::testkit::{PATIENCE, serve, torrent};
use crate::engine::{Command, Config, Engine, Enough, Job, Notice, Options, Subscription, TorrentId};
use crossbeam_channel::RecvTimeoutError;
use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

const PIECE: usize = 32 * 1024;

fn engine() -> (Engine, Subscription) {
    Engine::start(Config { ports: 0..=0, ..Config::default() }).unwrap()
}

fn wait_for(notices: &Subscription, wanted: impl Fn(&Notice) -> bool) {
    let end = Instant::now() + PATIENCE;
    while !wanted(&notices.recv_deadline(end).expect("it comes in time")) {}
}

#[test]
fn a_seed_that_has_reached_its_ratio_tells_its_tracker_and_comes_back_when_a_person_wants_that() {
    let ((seed, seed_notices), (leech, notices)) = (engine(), engine());
    let peers = [&seed, &leech].map(|engine| SocketAddr::from((Ipv4Addr::LOCALHOST, engine.port())));
    let (sender, announced) = crossbeam_channel::unbounded();
    let seed_port = format!("port={}&", seed.port());
    let addr = serve(move |path, socket| {
        if path.contains(&seed_port) {
            let _ = sender.send(event_of(path));
        }
        let _ = socket.write_all(&reply(&peers));
    });
    let heard = || announced.recv_timeout(PATIENCE).unwrap();
    // This URL has no scrape URL, so every request is an announce.
    let (metainfo, bytes) = torrent(20 * PIECE, &[], PIECE, &[format!("http://{addr}/a")]);
    let (seed_dir, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(seed_dir.path().join("whole"), &bytes).unwrap();
    let seed_until = SeedUntil { ratio: Some(100), idle: None };
    let options = Options { paused: true, seed_until: SeedTerms::own(seed_until), ..Options::default() };
    seed.add(Job { options: Some(options.into()), ..Job::new(metainfo.clone(), seed_dir.path()) });
    wait_for(&seed_notices, |notice| matches!(notice, Notice::Joined { .. }));
    let quiet = announced.recv_timeout(Duration::from_millis(100));
    assert_eq!(quiet, Err(RecvTimeoutError::Timeout), "it was added paused");
    seed.send(Command::Change(TorrentId(0), Change::Paused(false)));
    assert_eq!(heard(), "started");
    leech.add(Job::new(metainfo, dir.path()));
    wait_for(&notices, |notice| matches!(notice, Notice::Complete { .. }));
    assert!(fs::read(dir.path().join("whole")).unwrap() == bytes);
    let is_enough = |notice: &Notice| matches!(notice, Notice::SeededEnough { enough: Enough::Ratio, .. });
    wait_for(&seed_notices, is_enough);
    assert_eq!(heard(), "stopped");
    seed.send(Command::Change(TorrentId(0), Change::Paused(false)));
    assert_eq!(heard(), "started");
}
