//! The part of the manager for changes of what is downloaded, in which order, and of the trackers.
//!
//! Floor 3, part of the [`manager`](super::super). A torrent whose content is not checked yet gets such a change when
//! it joins its swarm.

use super::super::Manager;
use super::super::slot::{Slot, State};
use super::later::Later;
use crate::base::time::Time;
use crate::proto::choice::{Choice, Priority, steady};
use crate::storage::TorrentId;
use crate::swarm::event::Event;
use std::collections::BTreeMap;
use std::sync::Arc;

impl Manager {
    /// From now on the files are wanted so urgently.
    pub(super) fn choose_files(&mut self, id: TorrentId, files: Vec<Priority>, now: Time) {
        let Some(slot) = self.torrents.get_mut(&id) else { return };
        let State::Running(_, content) = &slot.state else {
            return slot.later().files = Some(files);
        };
        let metainfo = &content.metainfo;
        if files.len() != metainfo.files.len() {
            let (given, expected) = (files.len(), metainfo.files.len());
            return log::warn!("{}: a choice of {given} files, expected {expected}", metainfo.name);
        }
        let choice = Choice::new(metainfo, files).map(Arc::new);
        let steady = steady(metainfo, slot.choice.as_deref(), choice.as_deref());
        let info_hash = metainfo.info_hash;
        slot.choice = choice.clone();
        let was_downloading = slot.is_downloading();
        self.handle(id, Event::Choose { choice, steady }, now);
        let is_downloading = self.torrents.get(&id).is_some_and(|slot| slot.is_downloading());
        if is_downloading && !was_downloading {
            // It was announced as a seed, and had no place among the downloads.
            self.searches.remove(&info_hash);
            self.give_places(now);
            self.rest_or_go_on(id, now);
            self.search(id);
        }
    }

    /// From now on pieces are downloaded in order, or as usual.
    pub(super) fn order_pieces(&mut self, id: TorrentId, sequential: bool, now: Time) {
        let Some(slot) = self.torrents.get_mut(&id) else { return };
        match slot.state {
            State::Running(..) => self.handle(id, Event::Sequential(sequential), now),
            _ => slot.later().sequential = Some(sequential),
        }
    }

    /// From now on its trackers are these.
    pub(super) fn change_trackers(&mut self, id: TorrentId, tiers: Vec<Vec<Arc<str>>>, now: Time) {
        let Some(slot) = self.torrents.get_mut(&id) else { return };
        if slot.state.listed().is_none() {
            return slot.later().trackers = Some(tiers);
        }
        let mut reported: BTreeMap<Arc<str>, _> = slot.take_reported();
        self.handle(id, Event::Trackers(tiers), now);
        if let Some(slot) = self.torrents.get_mut(&id) {
            let trackers = slot.trackers().iter();
            slot.reported = trackers.map(|tracker| reported.remove(&tracker.url).unwrap_or_default()).collect();
        }
    }

    /// A torrent joins its swarm: it takes in what was changed before.
    pub(in crate::engine::manager) fn catch_up(&mut self, id: TorrentId, now: Time) {
        let later = self.torrents.get_mut(&id).and_then(|slot| slot.later.take());
        let Some(later) = later.map(|later| *later) else { return };
        // The trackers come first: those that were removed must not hear of us.
        later.trackers.into_iter().for_each(|tiers| self.change_trackers(id, tiers, now));
        later.sequential.into_iter().for_each(|sequential| self.order_pieces(id, sequential, now));
        later.files.into_iter().for_each(|files| self.choose_files(id, files, now));
    }
}

impl Slot {
    fn later(&mut self) -> &mut Later {
        self.later.get_or_insert_default()
    }

    fn is_downloading(&self) -> bool {
        matches!(&self.state, State::Running(torrent, _) if torrent.is_downloading())
    }

    /// What the person was told about each tracker.
    fn take_reported(&mut self) -> BTreeMap<Arc<str>, [Option<Box<str>>; 2]> {
        let reported = std::mem::take(&mut self.reported);
        self.trackers().iter().map(|tracker| Arc::clone(&tracker.url)).zip(reported).collect()
    }
}

#[cfg(test)]
mod tests;
