//! Tests of the whole engine: engines that find each other through a tracker of a few lines.

use super::super::Job;
use super::super::config::FINAL_ANNOUNCE_TIME;
use super::super::testkit::{PATIENCE, http, serve, socket_pair, torrent, wait_until};
use super::super::{Command, Engine, Phase, ProblemKind, Report, Subscription, Watch};
use super::*;
use crate::engine::RateLimits;
use crate::engine::peer::line::Line;
use crate::engine::peer::outbox::Outbox;
use crate::proto::bencode::Bencode;
use crate::proto::id::PeerId;
use crate::proto::metainfo::Metainfo;
use crate::proto::peer::handshake::{Handshake, Reserved};
use crate::proto::peer::mse::Cover;
use crate::proto::tracker::compact;
use crate::storage::error::{ContentError, Doing};
use crate::swarm::event::DiskEvent;
use crate::swarm::peer::PeerKey;
use crate::swarm::standing::DiskTrouble;
use crate::swarm::standing::Standing;
use core::net::SocketAddr;
use core::num::NonZeroU32;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::thread;
use std::time::Duration;

const PIECE: usize = 32 * 1024;

fn engine(memory_bytes: u64) -> (Engine, Subscription) {
    let config = Config { ports: 0..=0, memory_bytes, ..Config::default() };
    Engine::start(config).unwrap()
}

pub(super) fn add(engine: &Engine, metainfo: &Metainfo, dir: &Path) {
    engine.add(Job::new(metainfo.clone(), dir));
}

pub(super) fn at(engine: &Engine) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, engine.port()).into()
}

/// The reply of a tracker that knows these peers.
pub(super) fn reply(peers: &[SocketAddr]) -> Vec<u8> {
    let reply = Bencode::dict([("interval", 900i64.into()), ("peers", compact::tests::emit_v4(peers).into())]);
    http("200 OK", reply.encode())
}

/// The event of an announce; "" for none.
pub(super) fn event_of(path: &str) -> String {
    path.split(['?', '&']).find_map(|field| field.strip_prefix("event=")).unwrap_or("").to_string()
}

/// A tracker that knows only `peers`.
pub(super) fn tracker(peers: Vec<SocketAddr>) -> String {
    format!("http://{}/announce", serve(move |_, socket| drop(socket.write_all(&reply(&peers)))))
}

/// Waits for a notice that `find` accepts. Others are skipped, but an unexpected failure panics.
pub(super) fn next<T>(notices: &Subscription, what: &str, find: impl Fn(&Notice) -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        let notice = notices.recv_deadline(end).unwrap_or_else(|_| panic!("waited in vain until {what}"));
        if let Some(found) = find(&notice) {
            return found;
        }
        assert!(!matches!(notice, Notice::Failed { .. }), "{notice:?}");
    }
}

pub(super) fn complete(notices: &Subscription, number: u64) {
    let find = |notice: &Notice| {
        matches!(notice, Notice::Complete { torrent, .. } if *torrent == TorrentId(number)).then_some(())
    };
    next(notices, "it is complete", find);
}

pub(super) fn joined(notices: &Subscription) -> bool {
    next(notices, "it has joined", |notice| match notice {
        Notice::Joined { is_complete, .. } => Some(*is_complete),
        _ => None,
    })
}

pub(super) fn stopped(notices: &Subscription) -> Vec<Report> {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Notice::Stopped(reports) = notices.recv_deadline(end).expect("it stops") {
            assert!(notices.recv_deadline(end).is_err(), "something comes after the end");
            return reports;
        }
    }
}

#[test]
fn a_torrent_is_downloaded_and_the_tracker_is_told_in_order() {
    let (seed, seed_notices) = engine(1 << 20);
    let (leech, notices) = engine(1 << 20);
    let (sender, announced) = crossbeam_channel::unbounded();
    let (gate, opened) = crossbeam_channel::bounded::<()>(0);
    let (seed_port, peers) = (format!("port={}&", seed.port()), [at(&seed), at(&leech)]);
    let addr = serve(move |path, socket| {
        if !path.contains(&seed_port) {
            let _ = sender.send(event_of(path));
        }
        if event_of(path) == "completed" {
            // It is not answered before the gate opens.
            let _ = opened.recv();
            let _ = sender.send("completed is answered".into());
        }
        let _ = socket.write_all(&reply(&peers));
    });
    let (seed_dir, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    // This URL has no scrape URL, so every request is an announce.
    let (metainfo, bytes) = torrent(20 * PIECE + 5, &[], PIECE, &[format!("http://{addr}/a")]);
    fs::write(seed_dir.path().join("whole"), &bytes).unwrap();
    add(&seed, &metainfo, seed_dir.path());
    assert!(joined(&seed_notices));
    add(&leech, &metainfo, dir.path());
    assert!(!joined(&notices));
    complete(&notices, 0);
    assert!(fs::read(dir.path().join("whole")).unwrap() == bytes);

    let heard = || announced.recv_timeout(PATIENCE).unwrap();
    assert_eq!([heard(), heard()], ["started", "completed"]);
    leech.send(Command::Stop);
    // A tracker that got `completed` after `stopped` would list us for hours.
    assert!(announced.recv_timeout(Duration::from_millis(100)).is_err(), "it says more before it has an answer");
    drop(gate);
    let reports = stopped(&notices);
    assert_eq!([heard(), heard()], ["completed is answered", "stopped"]);
    let Phase::Running(status) = &reports[0].phase else { panic!("{:?}", reports[0].phase) };
    assert_eq!((status.left, status.downloaded, status.wasted), (0, metainfo.length, 0));
    seed.send(Command::Stop);
    let Phase::Running(status) = &stopped(&seed_notices)[0].phase else { panic!() };
    assert_eq!(status.uploaded, metainfo.length);
}

#[test]
fn a_silent_tracker_does_not_delay_the_end() {
    let peer = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (sender, asked) = crossbeam_channel::unbounded();
    let peers = [peer.local_addr().unwrap()];
    let addr = serve(move |path, socket| {
        let _ = sender.send(event_of(path));
        match event_of(path).as_str() {
            // Until the other end gives up.
            "stopped" => drop(socket.read(&mut [0])),
            _ => drop(socket.write_all(&reply(&peers))),
        }
    });
    let (engine, notices) = engine(1 << 20);
    let dir = tempfile::tempdir().unwrap();
    add(&engine, &torrent(PIECE, &[], PIECE, &[format!("http://{addr}/")]).0, dir.path());
    joined(&notices);
    // A peer is connected to only after the answer was read.
    let mut socket = peer.accept().unwrap().0;
    let begun = Instant::now();
    engine.send(Command::Stop);
    stopped(&notices);
    let took = begun.elapsed();
    assert!(took >= FINAL_ANNOUNCE_TIME / 2 && took < PATIENCE, "{took:?}");
    // Connections that were being opened end too.
    let (begun, mut heard) = (Instant::now(), Vec::new());
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(socket.read_to_end(&mut heard).is_err() || heard.len() == 68, "our handshake, and the end");
    assert!(begun.elapsed() < Duration::from_secs(5), "only the handshake's deadline ended it");
    let heard = || asked.recv_timeout(PATIENCE).unwrap();
    assert_eq!([heard(), heard()], ["started", "stopped"]);
}

#[test]
fn the_end_comes_as_soon_as_all_final_announces_are_answered() {
    let peer = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let trackers = [tracker(vec![peer.local_addr().unwrap()])];
    let dir = tempfile::tempdir().unwrap();
    // The machine may be slow, but hardly every time.
    let stops_at_once = || {
        let (engine, notices) = engine(1 << 20);
        add(&engine, &torrent(PIECE, &[], PIECE, &trackers).0, dir.path());
        // A peer is connected to only after the answer was read.
        let _socket = peer.accept().unwrap();
        let begun = Instant::now();
        engine.send(Command::Stop);
        stopped(&notices);
        begun.elapsed() < FINAL_ANNOUNCE_TIME
    };
    assert!((0..5).any(|_| stops_at_once()), "it waits though all answered");
}

#[test]
fn torrents_that_fail_give_their_memory_back_to_the_others() {
    let (seed, seed_notices) = engine(4 << 20);
    // The least memory that is possible: 16 blocks.
    let (leech, notices) = engine(0);
    let trackers = [tracker(vec![at(&seed)])];
    let dir = tempfile::tempdir().unwrap();
    const FAILING: usize = 20;
    for number in 0..=FAILING {
        let (metainfo, bytes) = torrent(4 * PIECE + number, &[], PIECE, &trackers);
        let [seed_dir, leech_dir] = ["seed", "leech"].map(|who| dir.path().join(format!("{who} {number}")));
        fs::create_dir(&seed_dir).unwrap();
        fs::write(seed_dir.join("whole"), &bytes).unwrap();
        add(&seed, &metainfo, &seed_dir);
        joined(&seed_notices);
        fs::create_dir(&leech_dir).unwrap();
        if number == FAILING {
            add(&leech, &metainfo, &leech_dir);
            complete(&notices, number as u64);
            assert!(fs::read(leech_dir.join("whole")).unwrap() == bytes);
            break;
        }
        // The first write to it fails.
        fs::create_dir(leech_dir.join("whole")).unwrap();
        add(&leech, &metainfo, &leech_dir);
        let problem = next(&notices, "it fails", |notice| match notice {
            Notice::Failed { torrent, problem, .. } if *torrent == TorrentId(number as u64) => Some(problem.clone()),
            _ => None,
        });
        assert!(
            problem.kind == ProblemKind::CantCreate && problem.text.contains(leech_dir.join("whole").to_str().unwrap())
        );
    }
}

/// What is shown of a wait must not contradict the figures beside it.
#[test]
fn a_wait_and_its_end_are_reported_with_the_figures_of_that_moment() {
    let (engine, notices) = engine(1 << 20);
    let dir = tempfile::tempdir().unwrap();
    add(&engine, &torrent(3 * PIECE, &[], PIECE, &[]).0, dir.path());
    joined(&notices);
    engine.send(Command::PauseOrResume(None));
    engine.send(Command::Watch(Watch { cells: 3, ..Watch::default() }));
    let trouble = DiskTrouble { text: "full".into(), short_bytes: 5 };
    let waiting = Standing::WaitingForDisk(Box::new(trouble.clone()));
    let trouble = Event::Disk(DiskEvent::Trouble { block: None, trouble });
    for (event, standing) in
        [(trouble, waiting), (Event::Disk(DiskEvent::Healed { doubtful: false }), Standing::Downloading)]
    {
        engine.manager.send(Input::Torrent { torrent: TorrentId(0), event }).unwrap();
        let stood = next(&notices, "it is reported", |notice| match notice {
            Notice::Waiting { status, .. } | Notice::Resumed { status, .. } => Some(status.clone()),
            _ => None,
        });
        assert_eq!((&stood.standing, stood.paused, stood.map.len()), (&standing, true, 3));
    }
}

fn fail(engine: &Engine, torrent: TorrentId) {
    let error = ContentError { doing: Doing::Writing, path: "whole".into(), error: io::Error::other("spoilt") };
    let event = Event::Disk(DiskEvent::Failed { problem: error.into() });
    engine.manager.send(Input::Torrent { torrent, event }).unwrap();
}

#[test]
fn a_failed_torrent_leaves_its_share_of_connections_to_others() {
    // Peers that never shake hands, as many as can be opened at once.
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let peers: Vec<SocketAddr> = (1..=16).map(|host| ([127, 0, 0, host], port).into()).collect();
    let (sender, accepted) = crossbeam_channel::unbounded();
    thread::spawn(move || listener.incoming().flatten().try_for_each(|socket| sender.send(socket)));
    let trackers = [tracker(peers)];
    let (engine, notices) = engine(1 << 20);
    let dir = tempfile::tempdir().unwrap();
    add(&engine, &torrent(PIECE, &[], PIECE, &trackers).0, dir.path());
    let sixteen = || -> Vec<TcpStream> { (0..16).map(|_| accepted.recv_timeout(PATIENCE).unwrap()).collect() };
    let sockets = sixteen();
    fail(&engine, TorrentId(0));
    next(&notices, "it fails", |notice| matches!(notice, Notice::Failed { torrent: TorrentId(0), .. }).then_some(()));
    // Their connections end with the torrent, whether they say anything or not.
    let begun = Instant::now();
    for mut socket in sockets {
        let mut heard = Vec::new();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        // The torrent may have failed before our handshake was sent.
        assert!(
            socket.read_to_end(&mut heard).is_err() || [0, 68].contains(&heard.len()),
            "our handshake, and the end"
        );
    }
    assert!(begun.elapsed() < Duration::from_secs(8), "only the handshake's deadline ended them");
    add(&engine, &torrent(2 * PIECE, &[], PIECE, &trackers).0, dir.path());
    joined(&notices);
    drop(sixteen());
}

#[test]
fn a_tracker_that_answers_after_the_torrent_failed_is_told_that_it_stopped() {
    let (sender, asked) = crossbeam_channel::unbounded();
    let (gate, opened) = crossbeam_channel::bounded::<()>(0);
    let addr = serve(move |path, socket| {
        let _ = sender.send(event_of(path));
        if event_of(path) == "started" {
            // It is not answered before the gate opens.
            let _ = opened.recv();
        }
        let _ = socket.write_all(&reply(&[]));
    });
    let (engine, notices) = engine(1 << 20);
    let dir = tempfile::tempdir().unwrap();
    add(&engine, &torrent(PIECE, &[], PIECE, &[format!("http://{addr}/")]).0, dir.path());
    let heard = || asked.recv_timeout(PATIENCE).unwrap();
    assert_eq!(heard(), "started");
    fail(&engine, TorrentId(0));
    next(&notices, "it fails", |notice| matches!(notice, Notice::Failed { torrent: TorrentId(0), .. }).then_some(()));
    drop(gate);
    assert_eq!(heard(), "stopped");
}

#[test]
fn a_peer_that_connects_after_its_torrent_failed_is_closed() {
    let (engine, notices) = engine(1 << 20);
    let dir = tempfile::tempdir().unwrap();
    let (metainfo, _) = torrent(PIECE, &[], PIECE, &[]);
    add(&engine, &metainfo, dir.path());
    joined(&notices);
    fail(&engine, TorrentId(0));
    let (mut near, far) = socket_pair();
    let (peer, addr) = (PeerKey(NonZeroU32::MIN), near.local_addr().unwrap());
    let handshake = Handshake { reserved: Reserved::ours(), info_hash: metainfo.info_hash, peer_id: PeerId([7; 20]) };
    let outbox = Arc::new(Outbox::new(addr, Arc::new(Line::Plain(Arc::new(far))), None, true));
    let ours = Arc::clone(&outbox);
    engine
        .manager
        .send(Input::Connected {
            peer,
            torrent: TorrentId(0),
            addr,
            outgoing: false,
            cover: Cover::Plain,
            handshake,
            outbox,
        })
        .unwrap();
    // Its reader uses the same socket, and must wake.
    assert_eq!(near.read(&mut [0]).unwrap(), 0, "its reader's end");
    assert!(!ours.wait_for_work(), "its writer's");
}

#[test]
fn an_error_about_ports_names_them() {
    let (engine, _notices) = engine(1 << 20);
    let config = Config { ports: engine.port()..=engine.port(), ..Config::default() };
    let Err(error) = Engine::start(config) else { panic!("it starts") };
    assert!(error.contains(&format!("can't listen on port {}", engine.port())));
}

/// A program that uses the library may ask for anything.
#[test]
fn numbers_without_sense_stop_nothing() {
    let never = Duration::MAX;
    let limits = RateLimits { download: Some(0), upload: Some(0) };
    let torrent_settings = Settings { limits, stop_timeout: Some(never), ..Settings::default() };
    let config = Config {
        ports: 0..=0,
        limits,
        torrent: torrent_settings,
        status_every: Some(never),
        save_every: never,
        ..Config::default()
    };
    let (engine, notices) = Engine::start(config).unwrap();
    let dir = tempfile::tempdir().unwrap();
    add(&engine, &torrent(PIECE, &[], PIECE, &[]).0, dir.path());
    joined(&notices);
    engine.send(Command::Stop);
    stopped(&notices);
}

/// Otherwise the folder of `many` would be read slowly as soon as a few hundred torrents could not be opened.
#[test]
fn a_torrent_that_was_opened_or_refused_no_longer_waits_to_be_opened() {
    let (engine, _notices) = engine(1 << 20);
    let dir = tempfile::tempdir().unwrap();
    let (metainfo, _) = torrent(40_000, &[], PIECE, &[]);
    let unopened = Arc::new(());
    for dir in [dir.path().to_path_buf(), dir.path().join("missing")] {
        engine.add(Job { unopened: Some(Arc::clone(&unopened)), ..Job::new(metainfo.clone(), dir) });
    }
    wait_until("none waits", || Arc::strong_count(&unopened) == 1);
}
