//! The web seeds of a torrent, and how each of them stands.
//!
//! A part of [`web_seeds`](super).

use super::{INTERRUPTED, MOST_OPEN};
use crate::base::time::Time;
use crate::base::url;
use crate::proto::metainfo::Metainfo;
use crate::proto::peer::bitfield::Bitfield;
use crate::proto::peer::webseed::{is_usable, places};
use crate::swarm::figures::WebSeedStatus;
use crate::swarm::peer::PeerKey;
use core::ops::Range;
use std::sync::Arc;

/// The pause after the first failure (libtorrent: 30 s). Each further one is twice as long ...
const FIRST_PAUSE: Time = Time::from_secs(30);
/// ... up to this, the longest that a server may ask for.
const LONGEST_PAUSE: Time = Time::from_secs(3600);
/// Failures in a row, after which a file whose answer is wrong is given up: other files may be right.
const MOST_FAILURES: u32 = 3;
/// Connections of a web seed that are remembered because a block that came over them may be found corrupt.
const MOST_DEPARTED: usize = 8;

/// The web seeds of a torrent. (In a box, because most torrents have none.)
#[derive(Default)]
pub struct WebSeeds(Option<Box<List>>);

/// One web seed or more.
struct List {
    seeds: Vec<Seed>,
    /// Where the files are in the content that a server may have.
    files: Box<[Range<u64>]>,
    /// How many are opening or open.
    in_use: usize,
    /// How many are open.
    open: usize,
    /// When a web seed that waits is asked; `None`: none waits.
    next: Option<Time>,
}

/// One web seed.
struct Seed {
    /// Its host, for people.
    host: Arc<str>,
    state: State,
    /// The pieces that it has; `None`: all.
    has: Option<Box<Bitfield>>,
    /// Failures since it last sent a block.
    failures: u32,
    /// It waits only because our way out was away.
    interrupted: bool,
    /// Its earlier connections.
    departed: Vec<PeerKey>,
    /// What was wrong with it last.
    why: Option<String>,
}

/// What a web seed does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// It is not asked before this.
    Waiting(Time),
    /// Its thread is being started.
    Opening,
    /// It is asked, as this peer. After a failure it is not asked again before this.
    Open(PeerKey, Time),
    /// It has none of the files.
    Off,
}

impl WebSeeds {
    /// The web seeds of `metainfo`. Those that can be asked may be asked at once.
    pub fn new(metainfo: &Metainfo, now: Time) -> WebSeeds {
        let urls = &metainfo.about().web_seeds;
        let seed = |url: &String| Seed {
            host: host_of(url).into(),
            state: if is_usable(url) { State::Waiting(now) } else { State::Off },
            has: None,
            failures: 0,
            interrupted: false,
            departed: Vec::new(),
            why: None,
        };
        if metainfo.length == 0 || !urls.iter().any(|url| is_usable(url)) {
            return WebSeeds::default();
        }
        let seeds = urls.iter().map(seed).collect();
        let list = List { seeds, files: places(&metainfo.files), in_use: 0, open: 0, next: Some(now) };
        WebSeeds(Some(Box::new(list)))
    }

    fn seeds(&self) -> &[Seed] {
        self.0.as_ref().map_or(&[], |list| &list.seeds)
    }

    fn seed(&mut self, number: usize) -> Option<&mut Seed> {
        self.0.as_mut()?.seeds.get_mut(number)
    }

    /// How many are open.
    pub fn open(&self) -> usize {
        self.0.as_ref().map_or(0, |list| list.open)
    }

    /// When to take the [`next`](WebSeeds::next) one.
    pub fn next_at(&self) -> Option<Time> {
        self.0.as_ref().filter(|list| list.in_use < MOST_OPEN)?.next
    }

    /// A web seed whose turn it is. It counts as opening from now on.
    pub fn next(&mut self, now: Time) -> Option<usize> {
        let is_due = |seed: &Seed| matches!(seed.state, State::Waiting(at) if at <= now);
        let number = self.seeds().iter().position(is_due)?;
        self.change(number, State::Opening);
        Some(number)
    }

    fn change(&mut self, number: usize, state: State) {
        let Some(list) = &mut self.0 else { return };
        if let Some(seed) = list.seeds.get_mut(number).filter(|seed| seed.state != State::Off) {
            seed.state = state;
        }
        let is_open = |seed: &&Seed| matches!(seed.state, State::Open(..));
        list.open = list.seeds.iter().filter(is_open).count();
        list.in_use = list.open + list.seeds.iter().filter(|seed| seed.state == State::Opening).count();
        let at = |seed: &Seed| if let State::Waiting(at) = seed.state { Some(at) } else { None };
        list.next = list.seeds.iter().filter_map(at).min();
    }

    /// The process can't have one more connection: no web seed is asked before `at`.
    pub fn wait_until(&mut self, at: Time) {
        if let Some(list) = &mut self.0 {
            list.next = Some(at);
        }
    }

    /// Whether its thread is being started.
    pub fn is_opening(&self, number: usize) -> bool {
        self.seeds().get(number).is_some_and(|seed| seed.state == State::Opening)
    }

    /// It is the peer `key` from now on. Returns what it has of the torrent's `pieces`.
    pub fn opened(&mut self, number: usize, key: PeerKey, pieces: u32) -> Bitfield {
        self.change(number, State::Open(key, Time::ZERO));
        let has = self.seed(number).and_then(|seed| seed.has.as_deref().cloned());
        has.unwrap_or_else(|| Bitfield::full(pieces))
    }

    /// It is not asked any more, at least for now.
    pub fn leave(&mut self, number: usize, now: Time) {
        let again = match self.seed(number).map(|seed| seed.state) {
            Some(State::Open(_, again)) => again.max(now),
            Some(State::Opening) => now,
            _ => return,
        };
        self.change(number, State::Waiting(again));
    }

    /// A block came from it, if the peer that sent it is one.
    pub fn worked(&mut self, number: Option<usize>) {
        if let Some(seed) = number.and_then(|number| self.seed(number)) {
            seed.failures = 0;
        }
    }

    /// It failed because of `why`, and asks us to wait for `pause`. Returns whether it failed so often that a file
    /// whose answer is wrong is given up.
    pub fn failed(&mut self, number: usize, why: String, pause: Option<Time>, now: Time) -> bool {
        let Some(seed) = self.seed(number) else { return false };
        let longer = FIRST_PAUSE * 2u32.pow(seed.failures.min(7));
        seed.failures += 1;
        (seed.why, seed.interrupted) = (Some(why), false);
        let again = now + pause.unwrap_or(longer).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        let is_too_often = seed.failures.is_multiple_of(MOST_FAILURES);
        self.pause(number, again);
        is_too_often
    }

    /// It is not asked before `again`.
    fn pause(&mut self, number: usize, again: Time) {
        let state = match self.seeds().get(number).map(|seed| seed.state) {
            Some(State::Open(key, _)) => State::Open(key, again),
            _ => State::Waiting(again),
        };
        self.change(number, state);
    }

    /// It could not answer, because our way out was away, or `is_away` still.
    pub fn interrupted(&mut self, number: usize, is_away: bool, now: Time) {
        let Some(seed) = self.seed(number) else { return };
        (seed.why, seed.interrupted) = (Some(INTERRUPTED.into()), is_away);
        self.pause(number, if is_away { now + FIRST_PAUSE } else { now });
    }

    /// Our way out is back: those that wait only because it was away are asked at once.
    pub fn is_online(&mut self, now: Time) {
        for number in 0..self.seeds().len() {
            if self.seed(number).is_some_and(|seed| core::mem::take(&mut seed.interrupted)) {
                self.pause(number, now);
            }
        }
    }

    /// What is wrong with it, for people.
    pub fn says(&mut self, number: usize, why: String) {
        if let Some(seed) = self.seed(number) {
            seed.why = Some(why);
        }
    }

    /// A connection with it is over, and a block that came over it is not verified yet.
    pub fn remember(&mut self, number: usize, key: PeerKey) {
        let Some(seed) = self.seed(number) else { return };
        if seed.departed.len() >= MOST_DEPARTED {
            seed.departed.remove(0);
        }
        seed.departed.push(key);
    }

    /// The web seed that is, or was, the peer `key`.
    pub fn number_of(&self, key: PeerKey) -> Option<usize> {
        let is_open = |seed: &Seed| matches!(seed.state, State::Open(open, _) if open == key);
        self.seeds().iter().position(|seed| is_open(seed) || seed.departed.contains(&key))
    }

    /// The file that has all of these bytes of the content, padding aside; `None`: several have.
    pub fn file_of(&self, bytes: Range<u64>) -> Option<Range<u64>> {
        let files = &self.0.as_ref()?.files;
        let first = files.partition_point(|file| file.end <= bytes.start);
        let mut within = files[first..].iter().take_while(|file| file.start < bytes.end);
        let file = within.next()?.clone();
        within.next().is_none().then_some(file)
    }

    /// The peer that it is now, if it is open.
    pub fn open_as(&self, number: usize) -> Option<PeerKey> {
        match self.seeds().get(number)?.state {
            State::Open(key, _) => Some(key),
            State::Waiting(_) | State::Opening | State::Off => None,
        }
    }

    /// It does not have these of the torrent's `all` pieces.
    pub fn lacks(&mut self, number: usize, pieces: Range<u32>, all: u32) {
        let Some(seed) = self.seed(number) else { return };
        let has = seed.has.get_or_insert_with(|| Box::new(Bitfield::full(all)));
        pieces.for_each(|piece| {
            has.clear(piece);
        });
    }

    /// Turns it off if it has nothing that we know of. Returns whether it was.
    pub fn turn_off_if_useless(&mut self, number: usize) -> bool {
        let is_useless = self.seed(number).and_then(|seed| seed.has.as_ref()).is_some_and(|has| has.count() == 0);
        if is_useless {
            self.change(number, State::Off);
        }
        is_useless
    }

    /// The host of a web seed, for people.
    pub fn host(&self, number: usize) -> Option<Arc<str>> {
        self.seeds().get(number).map(|seed| Arc::clone(&seed.host))
    }

    /// How they stand at `now`, for people: those that can't be asked now.
    pub fn troubles(&self, now: Time) -> Vec<WebSeedStatus> {
        let trouble = |seed: &Seed| {
            let again = match seed.state {
                State::Waiting(at) => Some(at.saturating_sub(now)),
                State::Off => None,
                State::Opening | State::Open(..) => return None,
            };
            let why = seed.why.clone()?;
            Some(WebSeedStatus { host: Arc::clone(&seed.host), why, again })
        };
        self.seeds().iter().filter_map(trouble).collect()
    }
}

/// The host of a web seed, with the port if the URL names one, and without anything secret.
fn host_of(url: &str) -> String {
    let host = url::host(url).unwrap_or_default();
    let host = if host.contains(':') { format!("[{host}]") } else { host.into() };
    url::port(url).map_or(host.clone(), |port| format!("{host}:{port}"))
}
