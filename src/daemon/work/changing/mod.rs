//! What people and programs change about torrents.
//!
//! Floor 4, part of the [loop](super). Each change is noted here, carried out by the engine, and written before the
//! program hears that it is done.

pub(super) mod removing;

use super::wished::{changes_of, named, numbered, seed_terms};
use super::{Asked, Daemon, Known, Renaming, now};
use crate::base::path::for_terminal;
use crate::daemon::record::{Mode, Record, State, Trouble, Wishes};
use crate::daemon::rpc::call::Ids;
use crate::daemon::rpc::changing::{ChangeTorrents, tiers};
use crate::daemon::rpc::torrents::write_renamed;
use crate::daemon::rpc::{Failure, Kind};
use crate::engine::{Change, Names, TorrentId};
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

/// A program waited for something of a torrent that was removed.
fn gone_failure() -> Failure {
    Failure::new(Kind::System, "the torrent is gone")
}

impl Daemon {
    /// Sends a change to the engine.
    pub(super) fn change(&mut self, id: u32, change: Change) {
        if let Some(known) = self.known.get_mut(&id) {
            known.change(&self.engine, change);
        }
    }

    /// Stops or starts a torrent.
    pub(super) fn pause(&mut self, id: u32, paused: bool) {
        if !paused {
            self.seeds_again(id);
        }
        let Some((record, known)) = self.both(id) else { return };
        known.is_changed |= known.kept.paused != paused || record.is_finished;
        known.kept.paused = paused;
        if std::mem::take(&mut known.waits_for_space) {
            known.obstacle = None;
        }
        if paused {
            known.is(record, State::Stopped);
        } else {
            record.is_finished = false;
            record.dates.started = now();
            known.obstacle = None;
        }
        record.dates.changed = now();
        self.change(id, Change::Paused(paused));
    }

    /// If a torrent that is started was stopped and has reached its ratio, the ratio does not stop it again.
    /// (Transmission does the same: otherwise it would stop at once.)
    fn seeds_again(&mut self, id: u32) {
        let (Some(record), Some(known)) = (self.records.get_mut(id), self.known.get(&id)) else { return };
        let limit = record.wishes.ratio_limit(&self.settings).filter(|_| known.kept.paused && record.now.left == 0);
        let reached = |limit: f64| record.totals.uploaded as f64 >= limit * record.now.have_valid as f64;
        if record.now.have_valid > 0 && limit.is_some_and(reached) {
            record.wishes.seed_ratio_mode = Mode::Unlimited;
            log::info!("{}: started again, so its ratio does not stop it", for_terminal(&record.about.name));
            let terms = seed_terms(&record.wishes);
            self.change(id, Change::SeedUntil(terms));
        }
    }

    /// Starts a torrent, unless something keeps it from that.
    pub(super) fn start(&mut self, id: u32) -> Result<(), Failure> {
        if self.known.get(&id).is_some_and(|known| known.kept.is_lost) {
            let why = "nobody knows where its content is, because its record was damaged: set its location first";
            return Err(Failure::params(why));
        }
        self.must_be_described(id)?;
        self.overlap_of(id, None)?;
        self.pause(id, false);
        let learned = self.known.get_mut(&id).and_then(|known| Some((known.torrent, known.learned.take()?)));
        if let Some((torrent, info)) = learned {
            // Somebody starts it although its description was refused: it need not stop again.
            if let Some(known) = self.known.get_mut(&id) {
                known.kept.stops_when_described = false;
            }
            self.learned(torrent, &info);
        }
        Ok(())
    }

    /// Refuses a torrent that the engine does not have, because its .torrent file is damaged.
    pub(super) fn must_be_described(&self, id: u32) -> Result<(), Failure> {
        match self.known.get(&id).filter(|known| !known.is_described()) {
            Some(known) => Err(Failure::params(known.obstacle.as_deref().unwrap_or_default())),
            None => Ok(()),
        }
    }

    /// Tells the engine what is wished for a torrent and was not wished `before`.
    fn tell_wishes(&mut self, id: u32, before: &Wishes) {
        let Some(record) = self.records.get(id) else { return };
        let [before, now] = [before, &record.wishes].map(changes_of);
        let changed = now.into_iter().zip(before).filter(|(now, before)| now != before);
        changed.for_each(|(change, _)| self.change(id, change));
    }

    /// A torrent has failed, and the engine forgot what was wished for it. If somebody starts it again, that holds.
    pub(super) fn tell_wishes_again(&mut self, torrent: TorrentId) {
        let Some((record, known)) = self.of_engine(torrent) else { return };
        let (id, changes, tiers) = (record.id, changes_of(&record.wishes), known.kept.tiers.clone());
        changes
            .into_iter()
            .chain(tiers.map(|tiers| Change::Trackers(tiers.into())))
            .for_each(|change| self.change(id, change));
    }

    /// Tells the engine if the pieces of a torrent that was just added are downloaded first to last.
    pub(super) fn tell_order(&mut self, id: u32) {
        if self.records.get(id).is_some_and(|record| record.wishes.sequential_download) {
            self.change(id, Change::Sequential(true));
        }
    }

    /// Changes torrents as `torrent-set` says.
    pub(super) fn change_all(&mut self, ids: &Ids, change: &ChangeTorrents) -> Result<(), Failure> {
        let ids = self.records.select(ids, now());
        let location = change.location.as_ref().map(|dir| self.settings.allowed_dir(dir));
        let location = location.transpose().map_err(Failure::params)?;
        let mut result = Ok(());
        for id in &ids {
            let Some((record, known)) = self.both(*id) else { continue };
            known.is_changed = true;
            record.dates.changed = now();
            if let Some(labels) = &change.labels {
                record.labels.clone_from(labels);
            }
            if change.changes_wishes() {
                let before = record.wishes.clone();
                change.apply(&mut record.wishes);
                self.tell_wishes(*id, &before);
            }
            if !change.files.is_empty() {
                result = result.and(self.choose(*id, change));
            }
            if !change.trackers.is_empty() {
                result = result.and(self.change_trackers(*id, change));
            }
            if let Some(dir) = &location {
                result = result.and(self.carry(*id, dir, true));
            }
        }
        if let Some(position) = change.queue_position {
            let moved = ids.iter().enumerate().flat_map(|(at, id)| self.queue.put(*id, position + at)).collect();
            result = result.and(self.queue_changed(moved));
        }
        self.save_changed().and(result)
    }

    fn change_trackers(&mut self, id: u32, change: &ChangeTorrents) -> Result<(), Failure> {
        let Some((record, known)) = self.both(id) else { return Ok(()) };
        let tiers = tiers(&record.trackers, &change.trackers)?;
        record.trackers = numbered(tiers.iter().cloned());
        record.dates.edited = now();
        known.kept.tiers = Some(tiers.as_slice().into());
        self.change(id, Change::Trackers(tiers));
        Ok(())
    }

    /// The content of torrents is in another folder from now on.
    pub(super) fn set_location(&mut self, ids: &Ids, location: &str, carry: bool) -> Result<(), Failure> {
        let dir = self.settings.allowed_dir(location).map_err(Failure::params)?;
        self.each(ids, |daemon, id| daemon.carry(id, &dir, carry))
    }

    fn carry(&mut self, id: u32, dir: &Path, mut carry: bool) -> Result<(), Failure> {
        // It came from a text.
        let to = dir.to_string_lossy().into_owned();
        self.overlap_of(id, Some(&to))?;
        let Some((record, known)) = self.both(id) else { return Ok(()) };
        // Nobody knows from where it could be moved.
        carry &= !known.kept.is_lost;
        record.dates.changed = now();
        known.is_changed = true;
        if known.kept.link.is_some() || !known.is_described() {
            // There is nothing to move yet.
            (known.kept.at, known.kept.is_lost) = (None, false);
            record.download_dir = to.into();
            return Ok(());
        }
        known.kept.moving = Some(Box::new((to.into(), carry)));
        self.place(id);
        self.change(id, Change::Move { to: dir.into(), carry });
        Ok(())
    }

    /// The content of a torrent was moved, or could not be.
    pub(super) fn moved(&mut self, torrent: TorrentId, result: Result<Arc<Path>, String>) {
        let Some((record, known)) = self.of_engine(torrent) else { return };
        known.is_changed = true;
        record.dates.changed = now();
        // Complete content is moved to its folder without a wish.
        let is_home = |dir: &Arc<Path>| **dir == *Path::new(&*record.download_dir);
        let is_wish = known.kept.at.is_none() || !result.as_ref().is_ok_and(is_home);
        known.moves = known.moves.saturating_sub(u32::from(is_wish));
        if known.moves == 0 {
            known.kept.moving = None;
        }
        match result {
            Ok(dir) => {
                (known.kept.at, known.kept.is_lost, known.obstacle) = (None, false, None);
                // It came from a text.
                record.download_dir = dir.to_string_lossy().into();
                log::info!("{}: its content is in {}", for_terminal(&record.about.name), record.download_dir);
            }
            Err(mut why) => {
                if let Some(at) = &known.kept.at {
                    why = format!("{why}; it stays in {at}");
                }
                log::warn!("{}: {why}", for_terminal(&record.about.name));
                // The next figures must not hide it. The program for complete torrents is not started either.
                known.obstacle = Some(why.as_str().into());
                known.owes_script = false;
                record.note(Trouble::Local(why));
            }
        }
        let (id, owes_script) = (record.id, std::mem::take(&mut known.owes_script));
        self.place(id);
        match owes_script {
            true => self.tell_done(id),
            false => self.save_quietly(id),
        }
    }

    /// A file or folder of a torrent gets another name. The program hears when it has it.
    pub(super) fn rename(&mut self, asked: Asked, id: u32, path: String, name: String) -> Result<(), (Asked, Failure)> {
        let is_component = !name.contains(['/', '\0']) && ![".", ".."].contains(&name.as_str());
        let Some(torrent) = self.known.get(&id).filter(|_| is_component).map(|known| known.torrent) else {
            return Err((asked, Failure::params("the new name must be one component of a path")));
        };
        let refused = self.must_be_described(id).and_then(|()| self.overlap_of_name(id, &path, &name));
        if let Err(failure) = refused {
            return Err((asked, failure));
        }
        let change = Change::Rename { path: path.clone().into(), name: name.clone() };
        self.change(id, change);
        self.renaming.entry(torrent).or_default().push_back(Renaming { asked, path, name });
        Ok(())
    }

    /// A file or folder has its new name, or could not get it.
    pub(super) fn was_renamed(&mut self, torrent: TorrentId, result: Result<Names, String>) {
        let waiting = self.renaming.get_mut(&torrent).and_then(VecDeque::pop_front);
        self.renaming.retain(|_, waiting| !waiting.is_empty());
        let mut done = Err(gone_failure());
        if let Some((record, known)) = self.of_engine(torrent) {
            let id = record.id;
            done = match result {
                Ok(names) => {
                    let root = known.root(record);
                    record.about = Arc::new(named((*record.about).clone(), &root.as_str().into(), &names));
                    known.kept.renamed = names;
                    known.is_changed = true;
                    record.dates.changed = now();
                    self.place(id);
                    self.save_changed().map(|()| id)
                }
                Err(why) => {
                    log::warn!("{}: can't be renamed: {why}", for_terminal(&record.about.name));
                    Err(Failure::new(Kind::System, why))
                }
            };
        }
        let Some(Renaming { mut asked, path, name }) = waiting else { return };
        asked.conversation.answer(|out, dialect| {
            write_renamed(out, dialect, done?, &path, &name);
            Ok(())
        });
        self.answer(asked);
    }

    /// The places of torrents have changed.
    pub(super) fn queue_changed(&mut self, moved: Vec<(u32, i64)>) -> Result<(), Failure> {
        for (id, place) in &moved {
            if let Some(known) = self.known.get_mut(id) {
                known.kept.place = *place;
                known.is_changed = true;
            }
        }
        self.number_queue();
        for (id, _) in moved {
            if let Some(record) = self.records.get(id) {
                self.change(id, Change::Place(record.queue_position));
            }
        }
        self.save_changed()
    }

    /// Numbers the torrents in the order of the queue.
    pub(super) fn number_queue(&mut self) {
        for (position, id) in self.queue.ids().enumerate() {
            if let Some(record) = self.records.get_mut(id)
                && record.queue_position != position
            {
                record.queue_position = position;
                record.dates.changed = now();
            }
        }
    }
}

impl Known {
    /// The torrent's own name.
    fn root(&self, record: &Record) -> String {
        let root = self.kept.renamed.iter().find(|(_, name)| **name == *record.about.name);
        let root = root.filter(|(path, _)| path.components().count() == 1).map(|(path, _)| path);
        root.map_or_else(|| record.about.name.to_string(), |path| path.to_string_lossy().into_owned())
    }
}
