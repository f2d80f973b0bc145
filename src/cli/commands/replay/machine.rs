//! The torrent of a record, in virtual time: line after line goes to the same machine as in the recorded run.
//!
//! Floor 4, part of [`replay`](super). The machine trusts its own engine: a piece is reported as checked only after it
//! was written, and a connection begins once. A record may come from anybody, so this is checked here. A line that the
//! engine would not have produced is an error.

use super::fields::{Fields, time, wrong};
use super::header::{Header, Start};
use super::reading::{self, Input, Shape};
use crate::base::rng::Rng;
use crate::base::time::Time;
use crate::proto::id::InfoHash;
use crate::swarm::event::{Action, Decision, DiskEvent, DiskOrder, Event, PeerEvent, WebEvent};
use crate::swarm::figures::Status;
use crate::swarm::peer::PeerKey;
use crate::swarm::picking::budget::Budget;
use crate::swarm::shared::{Shared, Turn};
use crate::swarm::torrent::Torrent;
use crate::sys::trace::record::{FIRST_LINE, LAST_LINE};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Most bytes that all peers together may need: enough for 2000 peers of a torrent of two million pieces. (The limit of
/// peers in the record can't be the bound, because it comes from the same file.)
const MOST_PEER_BYTES: usize = 512 << 20;
/// What a peer needs besides a bit for each piece, in bytes, generously.
const PEER_BYTES: usize = 4096;
/// The budget if the record does not say it.
const USUAL_MEMORY: u64 = 3 << 20;

/// Why the machine does not do what it did in the recorded run.
const OTHER: &str = "this swarmlet decides in another way than the one that made the record, or the record was changed";

/// A record that is being replayed.
pub struct Replay {
    stage: Stage,
    /// The time of the last line.
    pub now: Time,
    shared: Shared,
    /// The connections, and how the trace names them.
    peers: BTreeMap<PeerKey, Arc<str>>,
    /// Pieces all of whose blocks went to the disk, and that it has not reported.
    whole: BTreeSet<u32>,
    /// What the last line led to. (Kept for its memory.)
    actions: Vec<Action>,
}

/// How far a record has come.
enum Stage {
    /// No line was read.
    New,
    /// The torrent has not begun.
    Before(Box<Header>),
    /// It runs.
    Runs(Box<Running>),
}

/// The torrent.
struct Running {
    torrent: Torrent,
    shape: Shape,
    /// Bytes of the pieces that are wanted.
    wanted: u64,
    /// How the trace names its web seeds.
    web_seeds: Vec<Arc<str>>,
}

/// What became of a line.
#[derive(Debug, PartialEq, Eq)]
pub enum Done {
    /// The torrent took it in. These are its decisions about peers, each with the name of the peer.
    Decided(Vec<(Arc<str>, Decision)>),
    /// The record is at its end: it is whole.
    Ended,
    /// The recorded run went on, but not in the record. The reason is for people.
    Over(String),
}

impl Default for Replay {
    fn default() -> Replay {
        Replay {
            stage: Stage::New,
            now: Time::ZERO,
            shared: Shared::new(Rng::new(0), Budget::new(USUAL_MEMORY)),
            peers: BTreeMap::new(),
            whole: BTreeSet::new(),
            actions: Vec::new(),
        }
    }
}

impl Replay {
    /// Takes in a line. An error says what was expected.
    pub fn take(&mut self, line: &str) -> Result<Done, String> {
        let nothing = Done::Decided(Vec::new());
        if let Stage::New = self.stage {
            if line != FIRST_LINE {
                return Err(wrong(&format!("'{FIRST_LINE}' as the first line"), line));
            }
            self.stage = Stage::Before(Box::default());
            return Ok(nothing);
        }
        let mut rest = Fields::new(line);
        let Some(word) = rest.more() else { return Ok(nothing) };
        if word == LAST_LINE {
            rest.end()?;
            return Ok(Done::Ended);
        }
        if word == "lost" {
            let lines = rest.number("a number of lines", 1..=u64::MAX)?;
            return Ok(Done::Over(format!("{lines} lines are missing here, because the disk could not keep up")));
        }
        let Some(now) = time(word) else {
            let Stage::Before(header) = &mut self.stage else { return Err(wrong("a time", word)) };
            header.take(word, &mut rest)?;
            if word == "memory"
                && let Some(bytes) = header.memory
            {
                self.shared.budget = Budget::new(bytes);
            }
            return Ok(nothing);
        };
        if now < self.now {
            return Err(format!("expected a time that is not before that of the line above, found {word}"));
        }
        self.now = now;
        let word = rest.word("what happened")?;
        if let Stage::Before(header) = &mut self.stage {
            if word == "begin" {
                let seed = rest.seed()?;
                rest.end()?;
                let start = header.start()?;
                let running = begin(header, start, seed, now, &mut self.shared);
                self.stage = Stage::Runs(Box::new(running));
            } else {
                let outside = reading::outside(word, &mut rest)?;
                self.shared.take(outside.ok_or_else(|| wrong("what happens before the torrent begins", word))?, now);
                rest.end()?;
            }
            return Ok(nothing);
        }
        self.happen(word, &mut rest, line)
    }

    /// Something happens while the torrent runs.
    fn happen(&mut self, word: &str, rest: &mut Fields, line: &str) -> Result<Done, String> {
        let Stage::Runs(running) = &mut self.stage else { return Err("expected that the torrent runs".into()) };
        let input = reading::input(word, rest, &running.shape, line)?;
        let mut turn = Turn { now: self.now, shared: &mut self.shared, actions: &mut self.actions };
        let mut gone = None;
        match input {
            Input::Outside(outside) => turn.shared.take(outside, turn.now),
            Input::Over(why) => return Ok(Done::Over(why)),
            Input::Check(seed) if turn.shared.rng.seed() == seed => {}
            Input::Check(_) => return Err(format!("expected the random numbers of the recorded run: {OTHER}")),
            Input::Stop => running.torrent.stop(&mut turn),
            Input::Event(event) => {
                fits(&event, running, &self.peers, &self.whole)?;
                match &event {
                    Event::Peer(peer, PeerEvent::Connected { addr, .. }) => {
                        self.peers.insert(*peer, addr.to_string().into());
                    }
                    Event::Peer(peer, PeerEvent::WebSeed(event)) => {
                        if let WebEvent::Ready { number } = **event {
                            let name = running.web_seeds.get(number).cloned();
                            name.into_iter().for_each(|name| drop(self.peers.insert(*peer, name)));
                        }
                    }
                    Event::Peer(peer, PeerEvent::Gone) => gone = Some(*peer),
                    Event::Disk(DiskEvent::Checked { piece, .. } | DiskEvent::Unwritten { piece }) => {
                        self.whole.remove(piece);
                    }
                    _ => {}
                }
                running.torrent.handle(event, &mut turn);
            }
        }
        let decided = self.decided();
        gone.iter().for_each(|peer| drop(self.peers.remove(peer)));
        Ok(Done::Decided(decided))
    }

    /// Takes the decisions out of the actions, and sees what else is carried out. As the engine does, it names no peer
    /// that was closed before.
    fn decided(&mut self) -> Vec<(Arc<str>, Decision)> {
        let mut decided = Vec::new();
        for action in self.actions.drain(..) {
            match action {
                Action::Decided(decision) => {
                    let name = self.peers.get(&crate::engine::trace::peer_of(&decision)).cloned();
                    decided.extend(name.map(|name| (name, decision)));
                }
                Action::Close { peer, .. } => drop(self.peers.remove(&peer)),
                Action::Disk(DiskOrder::Write { piece, last: true, .. }) => drop(self.whole.insert(piece)),
                Action::Disk(DiskOrder::Restart { piece }) => drop(self.whole.remove(&piece)),
                Action::Disk(DiskOrder::CheckAgain) => self.whole.clear(),
                _ => {}
            }
        }
        decided
    }

    /// The info-hash, the bytes that are wanted, and how the torrent stands, with its peers and a map of `cells` cells.
    pub fn status(&self, cells: usize) -> Option<(InfoHash, u64, Status)> {
        let Stage::Runs(running) = &self.stage else { return None };
        let torrent = &running.torrent;
        let mut status = torrent.status(self.now);
        (status.paused, status.has_place) = (torrent.is_paused(), true);
        (status.map, status.peer_list) = (torrent.piece_map(cells).into(), torrent.peer_list(self.now).into());
        Some((running.shape.info_hash, running.wanted, status))
    }

    /// The info-hash, once the torrent runs.
    pub fn info_hash(&self) -> Option<InfoHash> {
        if let Stage::Runs(running) = &self.stage { Some(running.shape.info_hash) } else { None }
    }
}

/// The torrent begins as it did in the recorded run.
fn begin(header: &Header, start: Start, seed: u64, now: Time, shared: &mut Shared) -> Running {
    let Start { metainfo, have, settings, choice } = start;
    shared.rng = Rng::new(seed);
    shared.explains = true;
    let mut torrent = Torrent::new(&metainfo, have, Arc::new(settings), now, &mut shared.rng);
    torrent.transferred_before(header.before);
    choice.iter().for_each(|choice| torrent.choose_at_start(choice, &mut shared.rng));
    header.described.into_iter().for_each(|size| torrent.describe(size));
    let turn = &mut Turn { now, shared, actions: &mut Vec::new() };
    header.terms.iter().for_each(|term| torrent.agree(*term, turn));
    let web_seeds: Vec<Arc<str>> = metainfo.about().web_seeds.iter().map(|url| url.as_str().into()).collect();
    let shape = Shape {
        info_hash: metainfo.info_hash,
        pieces: metainfo.piece_count(),
        length: metainfo.length,
        web_seeds: web_seeds.len(),
        trackers: metainfo.tiers.concat(),
    };
    let wanted = choice.map_or(metainfo.length, |choice| choice.bytes);
    Running { torrent, shape, wanted, web_seeds }
}

/// Whether the engine could have reported `event` now.
fn fits(
    event: &Event,
    running: &Running,
    peers: &BTreeMap<PeerKey, Arc<str>>,
    whole: &BTreeSet<u32>,
) -> Result<(), String> {
    let is_new = |peer: &PeerKey| {
        if peers.contains_key(peer) {
            return Err(format!("expected a new peer, found the number {} of one that is connected", peer.0));
        }
        if (peers.len() + 1) * (running.shape.pieces as usize / 8 + PEER_BYTES) > MOST_PEER_BYTES {
            return Err(format!("expected fewer peers of a torrent of {} pieces", running.shape.pieces));
        }
        Ok(())
    };
    match event {
        Event::Peer(peer, PeerEvent::Connected { .. }) => is_new(peer),
        Event::Peer(peer, PeerEvent::WebSeed(event)) if matches!(**event, WebEvent::Ready { .. }) => is_new(peer),
        Event::Disk(DiskEvent::Checked { piece, .. }) if !running.torrent.is_in_doubt() && !whole.contains(piece) => {
            Err(format!("expected that a piece is checked after all of it was written, found piece {piece}: {OTHER}"))
        }
        Event::Disk(DiskEvent::CheckedAgain { .. }) if !running.torrent.is_in_doubt() => {
            Err(format!("expected that the content is checked again only while the torrent waits for that: {OTHER}"))
        }
        _ => Ok(()),
    }
}
