//! Tests of the session, and sessions for the tests of the views. Floor 4.

use super::*;
use crate::base::rng::Rng;
use crate::base::time::Time;
use crate::proto::id::{InfoHash, PeerId};
use crate::proto::peer::mse::Cover;
use crate::swarm::figures::PeerStatus;
use crate::swarm::meeting::announcer::{Announcer, Tracker};
use crate::swarm::meeting::portmap;
use crate::swarm::meeting::source::{Asked, Source};
use crate::swarm::settings::RateLimits;
use std::sync::Arc;

/// Figures of a torrent of which `left` bytes are missing.
pub fn status(left: u64) -> Status {
    Status {
        standing: if left == 0 { Standing::Seeding } else { Standing::Downloading },
        left,
        pieces: 2,
        pieces_missing: 1,
        last_piece: None,
        under_way: 0,
        queued: false,
        has_place: true,
        changes: 0,
        paused: false,
        enough: None,
        downloaded: 432_000_000,
        uploaded: 9_000_000,
        wasted: 0,
        corrupt: 0,
        verified: 0,
        available: 0,
        idle_stop_in: None,
        down_rate: if left == 0 { 0 } else { 5_460_000 },
        up_rate: 122_880,
        peers: 12,
        sources: [8, 0, 0, 0, 0, 4],
        encrypted: 3,
        seeds: 8,
        unchoking: 3,
        sending: 2,
        served: 1,
        web_seeds: 0,
        useful: 9,
        askable: 3,
        asked: 3,
        limited: false,
        snubbed: 0,
        connecting: 0,
        known: 40,
        liars: 0,
        asked_locally: false,
        dht: Asked::Not,
        web_seed_troubles: Box::default(),
        trackers: trackers(&["http://tracker.example/0123456789abcdef/announce"]).into(),
        map: Box::default(),
        peer_list: Box::default(),
        work: None,
    }
}

/// A peer that unchokes us and is interested in us.
pub fn peer(addr: &str) -> PeerStatus {
    PeerStatus {
        addr: addr.parse().unwrap(),
        web_host: None,
        id: PeerId(*b"-TR4060-abcdefghijkl"),
        source: Source::Incoming,
        cover: Cover::Plain,
        chokes_us: false,
        we_are_interested: true,
        we_choke: true,
        is_interested: true,
        snubbed: false,
        per_mille: 625,
        down_rate: 5_460_000,
        up_rate: 0,
    }
}

/// Trackers that have answered.
pub fn trackers(urls: &[&str]) -> Vec<Tracker> {
    let tiers: Vec<Vec<Arc<str>>> = urls.iter().map(|url| vec![(*url).into()]).collect();
    let mut trackers = Announcer::new(&tiers, Time::ZERO, &mut Rng::new(1)).trackers;
    for tracker in &mut trackers {
        tracker.knows_us = true;
        (tracker.seeds, tracker.leechers) = (Some(12), Some(3));
    }
    trackers
}

/// A session of torrents with these names, sizes and phases.
pub fn session(torrents: Vec<(&str, u64, Phase)>) -> Session {
    let now = Instant::now();
    let entry = |(number, (name, length, phase)): (u64, (&str, u64, Phase))| {
        let mut entry = Entry::new(name.into(), InfoHash([0xab; 20]), length, length);
        entry.phase = phase.clone();
        match phase {
            Phase::Running(status) => (entry.status, entry.joined) = (Some(status), Some((now, 0))),
            Phase::Learning(_) | Phase::Checking(_) | Phase::Failed(_) => {}
        }
        (TorrentId(number), Box::new(entry))
    };
    let entries: BTreeMap<TorrentId, Box<Entry>> = (0..).zip(torrents).map(entry).collect();
    let unsettled = entries.iter().filter(|(_, entry)| !entry.is_settled()).map(|(torrent, _)| *torrent).collect();
    Session { began: now, entries, unsettled, ..Session::new(6881) }
}

impl Session {
    /// The torrent that was added as the `number`th, from 0.
    pub fn at(&mut self, number: u64) -> &mut Entry {
        self.entries.get_mut(&TorrentId(number)).unwrap()
    }
}

fn two() -> Session {
    session(vec![("a", 100, Phase::Checking(0)), ("b", 100, Phase::Checking(0))])
}

fn complete(torrent: u64) -> Notice {
    Notice::Complete { torrent: TorrentId(torrent), status: status(0).into() }
}

fn failed(torrent: u64, kind: ProblemKind) -> Notice {
    let problem = Problem { kind, text: "disk full".into() };
    Notice::Failed { torrent: TorrentId(torrent), problem, status: None, learning: None }
}

/// The figures of these torrents.
fn figures(reports: Vec<Report>) -> Notice {
    Notice::Status { reports, limits: RateLimits::default(), dht: None }
}

#[test]
fn completion_is_reported_once() {
    let (mut session, now) = (two(), Instant::now());
    let joined = Notice::Joined { torrent: TorrentId(0), had_bytes: 100, hashed_bytes: 100, is_complete: true };
    assert_eq!(session.take_in(joined, now), [Update::Checked(TorrentId(0)), Update::Complete(TorrentId(0))]);
    assert_eq!(session.take_in(complete(0), now), []);
    assert_eq!((session.exit(), session.settled), (Exit::Interrupted, None));
    assert_eq!(session.take_in(complete(1), now), [Update::Complete(TorrentId(1))]);
    assert_eq!((session.exit(), session.settled), (Exit::Success, Some(now)));
}

#[test]
fn the_first_failure_decides_the_exit_code() {
    let (mut session, now) = (two(), Instant::now());
    session.take_in(failed(1, ProblemKind::CantCreate), now);
    session.take_in(failed(0, ProblemKind::Io), now);
    assert_eq!(session.exit(), Exit::CantCreate);
    assert!(session.settled.is_some());
}

#[test]
fn a_torrent_that_was_given_up_keeps_its_last_figures() {
    let (mut session, now) = (two(), Instant::now());
    let problem = Problem { kind: ProblemKind::GaveUp, text: "given up, no progress for 60 s".into() };
    let gave_up = Notice::Failed { torrent: TorrentId(1), problem, status: Some(status(50).into()), learning: None };
    assert_eq!(session.take_in(gave_up, now), [Update::Failed(TorrentId(1))]);
    assert_eq!((session.at(1).had(), session.exit()), (50, Exit::Interrupted));
}

#[test]
fn a_report_that_overtakes_the_notice_completes_too() {
    let mut session = two();
    let report = Report { torrent: TorrentId(0), place: 0, changes: 0, phase: Phase::Running(status(0).into()) };
    let updates = session.take_in(figures(vec![report]), Instant::now());
    assert_eq!(updates, [Update::Complete(TorrentId(0)), Update::Ticked]);
    assert_eq!(session.at(0).had(), 100);
}

/// Another program removed a file of a complete torrent.
#[test]
fn a_torrent_that_lost_a_file_is_no_longer_complete() {
    let (mut session, now) = (two(), Instant::now());
    session.take_in(complete(0), now);
    let report = Report { torrent: TorrentId(0), place: 0, changes: 0, phase: Phase::Running(status(40).into()) };
    session.take_in(figures(vec![report]), now);
    assert_eq!((session.complete_count(), session.at(0).had()), (0, 60));
    assert_eq!(session.take_in(complete(0), now), [Update::Complete(TorrentId(0))], "and told again");
}

#[test]
fn impossible_figures_and_unknown_torrents_are_harmless() {
    let mut session = two();
    assert_eq!(session.take_in(complete(9), Instant::now()), []);
    let report = Report { torrent: TorrentId(0), place: 0, changes: 0, phase: Phase::Running(status(1000).into()) };
    session.take_in(figures(vec![report.clone(), report.clone(), report]), Instant::now());
    assert_eq!(session.at(0).had(), 0);
}

/// Words of a tracker come without secrets; its URL does not.
#[test]
fn a_tracker_is_named_by_its_host() {
    let told = Notice::Tracker {
        torrent: TorrentId(0),
        url: "http://tracker.example/0123456789abcdef/announce".into(),
        problem: Some("GET http://tracker.example/…: refused".into()),
        refuses: false,
        warning: Some("you are …".into()),
    };
    let expected = Update::Tracker {
        torrent: TorrentId(0),
        host: "tracker.example".into(),
        problem: Some("GET http://tracker.example/…: refused".into()),
        refuses: false,
        warning: Some("you are …".into()),
    };
    assert_eq!(two().take_in(told, Instant::now()), [expected]);
}

#[test]
fn the_router_is_news_if_there_is_something_new_to_say() {
    let mut run = session(Vec::new());
    let closed = |why: &str| Router { v4: portmap::Standing::Closed(why.into()), ..Router::default() };
    let began = run.began;
    let mut told = |router: &Router| run.take_in(Notice::Router(Box::new(router.clone())), began).len();
    assert_eq!(told(&Router { v4: portmap::Standing::Asking, ..Router::default() }), 0);
    assert_eq!((told(&closed("a")), told(&closed("a")), told(&closed("b"))), (1, 0, 1));
    assert_eq!(told(&Router { reached: true, ..closed("b") }), 1, "nothing is wrong any more, so no line follows");
}
