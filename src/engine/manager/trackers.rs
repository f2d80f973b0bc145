//! The part of the manager for trackers: it asks them, counts the answers that are still to come, and keeps torrents
//! that have ended until their final announces (`stopped`) are sent.
//!
//! Floor 3, part of the [`manager`](super). Which tracker is asked when is decided by each torrent's
//! [`Announcer`](crate::swarm::meeting::announcer::Announcer).

use super::learning::stage::Stage;
use crate::engine::announce::Announcers;
use crate::storage::TorrentId;
use crate::swarm::event::{Action, Event};
use crate::swarm::learning::Present;
use crate::swarm::meeting::announcer::{AnnounceFailure, Announcement};
use crate::swarm::meeting::portmap::OuterPorts;
use crate::swarm::shared::Turn;
use crate::swarm::torrent::Torrent;
use std::collections::BTreeMap;

/// The announces of all torrents.
pub struct Trackers {
    announcers: Announcers,
    /// Announces without an answer yet, final ones included. Nobody waits for scrapes.
    unanswered: usize,
    /// Torrents that ended while a tracker was being asked. Each stays until the answer comes: the tracker would list
    /// us for hours if it heard no `stopped` after it.
    parting: BTreeMap<TorrentId, Box<Parting>>,
}

/// What is left of a torrent that has ended.
pub enum Parting {
    /// It was in its swarm.
    Torrent(Box<Torrent>),
    /// Only its link was known.
    Learning(Box<Stage>, Present),
}

impl Parting {
    fn is_announcing(&self) -> bool {
        match self {
            Parting::Torrent(torrent) => torrent.is_announcing(),
            Parting::Learning(stage, _) => stage.learning.is_announcing(),
        }
    }

    fn handle(&mut self, event: Event, turn: &mut Turn) {
        match self {
            Parting::Torrent(torrent) => torrent.handle(event, turn),
            Parting::Learning(stage, _) => stage.learning.handle(event, turn),
        }
    }
}

impl Trackers {
    /// Nothing is announced yet.
    pub fn new(announcers: Announcers) -> Trackers {
        Trackers { announcers, unanswered: 0, parting: BTreeMap::new() }
    }

    /// From now on, trackers elsewhere are told these ports.
    pub fn use_ports(&self, outer: OuterPorts) {
        self.announcers.use_ports(outer);
    }

    /// Asks a tracker. If that can't even be tried, returns the event that says so.
    pub fn announce(&mut self, torrent: TorrentId, announcement: Box<Announcement>) -> Option<Event> {
        self.unanswered += usize::from(!announcement.is_scrape());
        let announcement = self.announcers.announce(torrent, announcement).err()?;
        let outcome = Box::new(Err(AnnounceFailure::unanswered("no thread could be started to ask it")));
        Some(Event::Announced { announcement, outcome })
    }

    /// A tracker answered, or did not.
    pub fn answered(&mut self, announcement: &Announcement) {
        self.unanswered -= usize::from(!announcement.is_scrape());
    }

    /// Whether no answer is awaited.
    pub fn is_idle(&self) -> bool {
        self.unanswered == 0
    }

    /// A torrent ended, and has told its trackers.
    pub fn part(&mut self, id: TorrentId, parting: Parting) {
        if parting.is_announcing() {
            self.parting.insert(id, Box::new(parting));
        }
    }

    /// A tracker answered a torrent that has ended. The torrent announces its end now. Returns what could not be done,
    /// as [`announce`](Trackers::announce) does.
    pub fn answered_late(&mut self, id: TorrentId, event: Event, turn: &mut Turn) -> Option<Event> {
        let torrent = self.parting.get_mut(&id)?;
        torrent.handle(event, turn);
        if !torrent.is_announcing() {
            self.parting.remove(&id);
        }
        // Such a torrent has no peers and writes nothing: all it can want is to tell its trackers.
        let mut undone = None;
        for action in turn.actions.drain(..) {
            match action {
                Action::Announce(announcement) => undone = self.announce(id, announcement).or(undone),
                Action::Connect { .. }
                | Action::OpenWebSeed { .. }
                | Action::Peer(..)
                | Action::Close { .. }
                | Action::Node(_)
                | Action::Disk(_)
                | Action::Learned { .. }
                | Action::News(_)
                | Action::Decided(_) => {}
            }
        }
        undone
    }
}
