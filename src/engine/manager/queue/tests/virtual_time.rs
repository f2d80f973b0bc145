//! Places, and what a person changes, of torrents without peers. The time is what the test says.

use super::standing;
use crate::base::steps;
use crate::base::time::Time;
use crate::engine::input::{Change, Input, SeedTerms, SeedUntil};
use crate::engine::manager::changing::by_slices::SLICE;
use crate::engine::manager::slot::State;
use crate::engine::manager::{Manager, prepare};
use crate::engine::notice::Notices;
use crate::engine::testkit::{PATIENCE, torrent};
use crate::engine::{
    Command, Config, Enough, Job, Network, Notice, Options, Phase, Places, RateLimits, Settings, Subscription,
    TorrentId, Watch,
};
use crate::swarm::event::{DiskEvent, Event};
use crate::swarm::figures::Status;
use crate::swarm::standing::{Problem, ProblemKind};
use crate::swarm::torrent::Torrent;
use std::fs;
use std::sync::Arc;
use tempfile::TempDir;

/// A manager whose clock the test sets.
struct Stage {
    manager: Manager,
    notices: Subscription,
    now: Time,
    dir: TempDir,
}

impl Stage {
    fn new(places: Places) -> Stage {
        let (notices, told) = Notices::new();
        let config = Config { places, ..Config::default() };
        let (manager, _) = prepare(config, Settings::default(), Vec::new(), notices).unwrap();
        Stage { manager, notices: told, now: Time::ZERO, dir: tempfile::tempdir().unwrap() }
    }

    /// Adds a torrent of 20 KB and some; as a seed, its content is there.
    fn add(&mut self, seed: bool, options: Option<Options>) -> u64 {
        let number = self.manager.torrents.len() as u64;
        let (metainfo, bytes) = torrent(20_000 + number as usize, &[], 16_384, &[]);
        let dir = self.dir.path().join(number.to_string());
        fs::create_dir(&dir).unwrap();
        if seed {
            fs::write(dir.join("whole"), bytes).unwrap();
        }
        let job = Job { options: options.map(Box::new), ..Job::new(metainfo, dir) };
        self.manager.step(Some(Input::Add(TorrentId(number), Box::new(job))), self.now);
        while !self.manager.is_running(TorrentId(number)) {
            let checked = self.manager.inbox.recv_timeout(PATIENCE).unwrap();
            self.manager.step(Some(checked), self.now);
        }
        number
    }

    fn send(&mut self, command: Command) {
        self.manager.step(Some(Input::Command(command)), self.now);
    }

    fn change(&mut self, torrent: u64, change: Change) {
        self.send(Command::Change(TorrentId(torrent), change));
    }

    fn pass_to(&mut self, seconds: u64) {
        self.now = Time::from_secs(seconds);
        self.manager.step(None, self.now);
    }

    fn standings(&self) -> Vec<&'static str> {
        let slots = self.manager.torrents.iter();
        slots.map(|(id, slot)| standing(&slot.report(*id, self.now, Watch::default()))).collect()
    }

    /// The torrents, the first in the order first.
    fn order(&self) -> Vec<u64> {
        let slots = self.manager.torrents.iter();
        let mut places: Vec<(u64, u64)> =
            slots.map(|(id, slot)| (slot.report(*id, self.now, Watch::default()).place, id.0)).collect();
        places.sort();
        places.into_iter().map(|(_, torrent)| torrent).collect()
    }

    fn torrent(&self, torrent: u64) -> &Torrent {
        match &self.manager.torrents[&TorrentId(torrent)].state {
            State::Running(torrent, _) => torrent,
            _ => panic!("it is not in its swarm"),
        }
    }

    fn status(&self, torrent: u64) -> Arc<Status> {
        let slot = &self.manager.torrents[&TorrentId(torrent)];
        match slot.report(TorrentId(torrent), self.now, Watch::default()).phase {
            Phase::Running(status) => status,
            phase => panic!("{phase:?}"),
        }
    }

    /// What torrents have reached that have seeded enough.
    fn enough(&self) -> Vec<(u64, Enough)> {
        let enough = |notice| match notice {
            Notice::SeededEnough { torrent, enough, status } => {
                assert!(status.paused && status.enough == Some(enough));
                Some((torrent.0, enough))
            }
            _ => None,
        };
        std::iter::from_fn(|| self.notices.try_next().ok().flatten()).filter_map(enough).collect()
    }
}

fn downloads(most: usize) -> Places {
    Places { downloads: Some(most), ..Places::default() }
}

/// Nobody has the content of the first torrent.
#[test]
fn a_download_that_stalls_does_not_keep_the_next_one_from_its_turn() {
    let mut stage = Stage::new(downloads(1));
    (0..3).for_each(|_| assert!(stage.add(false, None) < 3));
    let mut after = |seconds: u64, press: Option<u64>| {
        stage.now = Time::from_secs(seconds);
        match press {
            Some(torrent) => stage.send(Command::PauseOrResume(Some(TorrentId(torrent)))),
            None => stage.pass_to(seconds),
        }
        stage.standings()
    };
    assert_eq!(after(179, None), ["downloads", "turn", "turn"]);
    assert_eq!(after(180, None), ["downloads", "downloads", "turn"]);
    assert_eq!(after(300, Some(0)), ["paused", "downloads", "turn"]);
    assert_eq!(after(355, Some(0)), ["turn", "downloads", "turn"], "it begins again, as the others do");
    assert_eq!(after(360, None), ["downloads", "downloads", "turn"]);
    assert_eq!(after(540, None), ["downloads"; 3]);
}

#[test]
fn seeds_have_places_of_their_own_and_one_that_sends_nothing_takes_none() {
    let places = Places { downloads: Some(1), seeds: Some(1), stalled: Some(Time::from_secs(60)) };
    let mut stage = Stage::new(places);
    for seed in [true, true, false, true] {
        stage.add(seed, None);
    }
    assert_eq!(stage.standings(), ["downloads", "turn", "downloads", "turn"], "the third one is no seed");
    assert_eq!((stage.status(1).left, stage.status(1).queued, stage.status(0).has_place), (0, true, true));
    stage.pass_to(60);
    assert_eq!(stage.standings(), ["downloads", "downloads", "downloads", "turn"]);
    assert!(!stage.status(0).has_place);
    stage.send(Command::Places(Places { seeds: None, ..places }));
    assert_eq!(stage.standings(), ["downloads"; 4]);
    stage.send(Command::Places(Places { seeds: Some(1), stalled: None, ..places }));
    assert_eq!(stage.standings(), ["downloads"; 4], "those that have a place keep it");
    stage.change(3, Change::Paused(true));
    stage.change(3, Change::Paused(false));
    assert_eq!(stage.standings(), ["downloads", "downloads", "downloads", "turn"]);
}

#[test]
fn a_free_place_goes_to_the_first_in_the_order_and_a_person_moves_torrents_in_it() {
    let mut stage = Stage::new(downloads(1));
    (0..3).for_each(|_| assert!(stage.add(false, None) < 3));
    stage.change(2, Change::Place(0));
    assert_eq!(stage.order(), [2, 0, 1]);
    assert_eq!(stage.standings(), ["downloads", "turn", "turn"], "the first one keeps its place");
    assert_eq!(stage.add(false, Some(Options { place: Some(1), ..Options::default() })), 3);
    assert_eq!(stage.order(), [2, 3, 0, 1]);
    stage.change(0, Change::Paused(true));
    assert_eq!(stage.standings(), ["paused", "turn", "downloads", "turn"]);
    stage.send(Command::Remove(TorrentId(2)));
    assert_eq!(stage.standings(), ["paused", "turn", "downloads"]);
    // So often to the same place that all have to be moved.
    for number in 0..100 {
        stage.change([0, 1][number % 2], Change::Place(1));
    }
    assert_eq!(stage.order(), [3, 1, 0]);
    stage.change(3, Change::Place(9));
    assert_eq!(stage.order(), [1, 0, 3]);
    stage.change(3, Change::Paused(true));
    assert_eq!(stage.standings(), ["paused", "downloads", "paused"]);
}

#[test]
fn a_torrent_that_starts_now_does_not_wait_until_it_is_paused() {
    let mut stage = Stage::new(downloads(1));
    (0..3).for_each(|_| assert!(stage.add(false, None) < 3));
    stage.change(2, Change::StartNow);
    assert_eq!(stage.standings(), ["downloads", "turn", "downloads"]);
    stage.change(0, Change::Paused(true));
    assert_eq!(stage.standings(), ["paused", "turn", "downloads"], "it takes a place");
    stage.change(2, Change::Paused(true));
    assert_eq!(stage.standings(), ["paused", "downloads", "paused"]);
    stage.change(2, Change::Paused(false));
    assert_eq!(stage.standings(), ["paused", "downloads", "turn"]);
    stage.change(0, Change::StartNow);
    assert_eq!(stage.standings(), ["downloads", "downloads", "turn"]);
}

#[test]
fn a_torrent_that_is_added_with_options_has_them_from_the_first_moment() {
    let mut stage = Stage::new(Places::default());
    let limits = RateLimits { download: Some(1000), upload: Some(2000) };
    let seed_until = SeedUntil { ratio: Some(200), idle: Some(Time::from_secs(60)) };
    let options = Options {
        paused: true,
        limits: Some(limits),
        shares_limits: false,
        max_peers: Some(7),
        seed_until: SeedTerms::own(seed_until),
        transferred: Some((50, 60)),
        ..Options::default()
    };
    let torrent = stage.add(true, Some(options));
    assert!(stage.status(torrent).paused);
    assert_eq!(stage.torrent(torrent).terms(), (limits, false, 7, seed_until));
    assert_eq!(stage.torrent(torrent).before(), (50, 60));
    stage.change(torrent, Change::Limits(RateLimits::default()));
    stage.change(torrent, Change::SharesLimits(true));
    stage.change(torrent, Change::MaxPeers(9));
    assert_eq!(stage.torrent(torrent).terms(), (RateLimits::default(), true, 9, seed_until));
}

#[test]
fn a_torrent_that_has_seeded_enough_pauses_and_goes_on_when_a_person_wants_that() {
    let mut stage = Stage::new(Places { seeds: Some(1), ..Places::default() });
    let seed_until = SeedUntil { ratio: Some(100), idle: Some(Time::from_secs(100)) };
    let options =
        |transferred| Some(Options { seed_until: SeedTerms::own(seed_until), transferred, ..Options::default() });
    stage.add(true, options(None));
    stage.add(true, options(Some((1 << 20, 0))));
    assert_eq!((stage.enough(), stage.standings()), (vec![], vec!["downloads", "turn"]), "only one seeds");
    stage.pass_to(100);
    assert_eq!(stage.enough(), [(0, Enough::Idle), (1, Enough::Ratio)], "the next one had reached it before");
    assert_eq!(stage.standings(), ["paused", "paused"]);
    stage.change(1, Change::Paused(false));
    assert_eq!((stage.enough(), stage.standings()), (vec![], vec!["paused", "downloads"]));
    assert_eq!(stage.status(1).enough, None);
    stage.pass_to(200);
    assert_eq!(stage.enough(), [(1, Enough::Idle)]);
}

#[test]
fn a_paused_torrent_that_was_changed_before_its_check_tells_no_tracker() {
    let mut stage = Stage::new(Places::default());
    let (metainfo, _) = torrent(20_000, &[], 16_384, &["http://127.0.0.1:1/announce".into()]);
    let options = Options { paused: true, ..Options::default() };
    let job = Job { options: Some(Box::new(options)), ..Job::new(metainfo, stage.dir.path()) };
    stage.manager.step(Some(Input::Add(TorrentId(0), Box::new(job))), stage.now);
    stage.change(0, Change::Sequential(true));
    while !stage.manager.is_running(TorrentId(0)) {
        let checked = stage.manager.inbox.recv_timeout(PATIENCE).unwrap();
        stage.manager.step(Some(checked), stage.now);
    }
    assert!(stage.manager.trackers.is_idle());
    stage.change(0, Change::Paused(false));
    assert!(!stage.manager.trackers.is_idle());
}

/// Counts how many torrents are looked at.
#[test]
fn what_happens_to_one_torrent_costs_no_look_at_the_others() {
    let mut costs = [10, 100].map(|torrents| {
        let mut stage = Stage::new(downloads(2));
        (0..torrents).for_each(|_| assert!(stage.add(false, None) < torrents));
        let mut cost = |change| steps::of(|| stage.change(0, change));
        [Change::Paused(true), Change::Paused(false), Change::StartNow, Change::Place(5), Change::MaxPeers(3)]
            .map(&mut cost)
    });
    costs.iter_mut().for_each(|costs| costs.iter().for_each(|steps| assert!(*steps <= 8, "{steps}")));
    assert_eq!(costs[0], costs[1]);
}

/// Counts how many torrents are looked at in each step.
#[test]
fn many_torrents_hear_of_a_change_in_slices() {
    const REST: u64 = 20;
    let mut stage = Stage::new(Places::default());
    let count = SLICE as u64 + REST;
    (0..count).for_each(|number| assert_eq!(stage.add(false, None), number));
    stage.manager.step(None, stage.now);
    let mut heard = |command: Command| {
        let first = steps::of(|| stage.send(command));
        [first, steps::of(|| stage.manager.step(None, stage.now)), steps::of(|| stage.manager.step(None, stage.now))]
    };
    let slices = [SLICE as u64, REST, 0];
    let sooner = Places { stalled: Some(Time::from_secs(9)), ..Places::default() };
    assert_eq!(heard(Command::Places(sooner)), slices, "it matters which of them stalled");
    assert_eq!(heard(Command::Places(Places { downloads: Some(9999), ..sooner })), [0; 3]);
    let network = Network { pex: false, ..Config::default().network() };
    assert_eq!(heard(Command::Network(Box::new(network))), slices, "each is asked whether that concerns it");
    assert_eq!(heard(Command::Limit(RateLimits::default())), [0; 3]);
    let ratio = SeedUntil { ratio: Some(100), idle: None };
    assert_eq!(heard(Command::SeedUntil(ratio)), slices);
    assert_eq!(heard(Command::Listen(Vec::new(), 7000)), [2 * SLICE as u64, 2 * REST, 0], "searches begin again, too");
    assert_eq!(stage.torrent(7).terms().3, SeedUntil::default());
    stage.change(7, Change::MaxPeers(3));
    assert_eq!(stage.torrent(7).terms().3, ratio, "it hears of it before anything else happens to it");
    for command in [Command::Listen(Vec::new(), 7001), Command::Stop] {
        stage.manager.obey(command, stage.now);
    }
    assert!(stage.manager.untold.is_empty(), "nothing is searched for after the end");
}

#[test]
fn a_failed_torrent_keeps_its_new_terms_until_it_is_tried_again() {
    let mut stage = Stage::new(Places::default());
    let torrent = stage.add(true, None);
    let problem = Problem { kind: ProblemKind::Io, text: "broken".into() };
    stage.manager.handle(TorrentId(torrent), Event::Disk(DiskEvent::Failed { problem }), stage.now);
    stage.change(torrent, Change::MaxPeers(7));
    let slot = &stage.manager.torrents[&TorrentId(torrent)];
    assert!(matches!(slot.state, State::Failed(_)));
    assert_eq!(slot.options.as_ref().and_then(|options| options.max_peers), Some(7));
}
