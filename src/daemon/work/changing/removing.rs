//! Torrents leave the list.
//!
//! Floor 4, part of the [loop](super::super). The files with what is known of a torrent are deleted before a program
//! hears that it was removed. For thousands of torrents that takes seconds, so others have their turn meanwhile.

use super::super::{Asked, Daemon, Renaming, now};
use super::gone_failure;
use crate::base::path::for_terminal;
use crate::daemon::rpc::call::Ids;
use crate::daemon::rpc::{Failure, Kind};
use crate::engine::{Change, Command, TorrentId};
use crate::proto::id::InfoHash;
use std::time::{Duration, Instant};
use std::vec::IntoIter;

/// How long torrents are removed before others have their turn. Each takes up to 1 ms.
pub(in crate::daemon::work) const TURN: Duration = Duration::from_millis(5);

/// A program that waits until torrents are removed.
pub(in crate::daemon::work) struct Removal {
    pub(in crate::daemon::work) asked: Asked,
    /// Those that are still to be removed.
    pub(in crate::daemon::work) ids: IntoIter<u32>,
    pub(in crate::daemon::work) delete: bool,
}

impl Daemon {
    /// Removes torrents, and their content if `delete` is set. `None`: the answer comes later.
    pub(in crate::daemon::work) fn remove_all(&mut self, mut asked: Asked, ids: &Ids, delete: bool) -> Option<Asked> {
        let mut ids = self.records.select(ids, now()).into_iter();
        match self.remove_next(&mut ids, delete, TURN) {
            Some(done) => asked.conversation.answer(|_, _| done),
            None => {
                self.removals.push_back(Removal { asked, ids, delete });
                return None;
            }
        }
        Some(asked)
    }

    /// Removes some of the torrents that programs wait for, of each program in turn, until the time is over.
    pub(in crate::daemon::work) fn remove_some(&mut self, time: Duration) {
        let Some(mut removal) = self.removals.pop_front() else { return };
        match self.remove_next(&mut removal.ids, removal.delete, time) {
            Some(done) => {
                removal.asked.conversation.answer(|_, _| done);
                self.answer(removal.asked);
            }
            None => self.removals.push_back(removal),
        }
    }

    /// Removes the next torrents, at least one, until the time is over. `None`: some are left.
    pub(in crate::daemon::work) fn remove_next(
        &mut self,
        ids: &mut IntoIter<u32>,
        delete: bool,
        time: Duration,
    ) -> Option<Result<(), Failure>> {
        let began = Instant::now();
        let mut done = Ok(());
        while done.is_ok()
            && let Some(id) = ids.next()
        {
            done = self.remove(id, delete).map_err(|why| Failure::new(Kind::System, why));
            if done.is_ok() && !ids.as_slice().is_empty() && began.elapsed() >= time {
                return None;
            }
        }
        self.number_queue();
        Some(done)
    }

    /// A torrent leaves the list now. If its content is deleted, its file says so until that is done, so that it is
    /// done even if the process is killed. Only files that are known to be the torrent's are deleted, so the first
    /// check of its content ends before.
    pub(in crate::daemon::work) fn remove(&mut self, id: u32, delete: bool) -> Result<(), String> {
        let (Some(record), Some(known)) = (self.records.get(id), self.known.get_mut(&id)) else { return Ok(()) };
        if delete && known.kept.link.is_none() && !known.kept.is_lost && known.is_described() {
            known.kept.is_leaving = true;
            self.state.save(record, &known.kept)?;
            self.engine.send(match known.is_checked {
                true => Command::Delete(known.torrent),
                false => Command::Change(known.torrent, Change::Paused(true)),
            });
        } else {
            record.about.hash.map_or(Ok(()), |hash| self.state.forget(hash))?;
            self.engine.send(Command::Remove(known.torrent));
        }
        log::info!("{}: removed", for_terminal(&record.about.name));
        let waiting = self.renaming.remove(&known.torrent);
        self.queue.remove(id);
        let gone = self.records.remove(id, now());
        if let (Some(known), Some(record)) = (self.known.remove(&id), gone) {
            self.sums.uploaded += record.totals.uploaded.saturating_sub(known.before.uploaded);
            self.sums.downloaded += record.totals.downloaded.saturating_sub(known.before.downloaded);
            if known.kept.is_leaving {
                self.leaving.insert(known.torrent, (record, known));
            } else {
                self.ids.remove(&known.torrent);
                self.places.change(id, &known.places, &[]);
            }
        }
        for Renaming { mut asked, .. } in waiting.into_iter().flatten() {
            asked.conversation.answer(|_, _| Err(gone_failure()));
            self.answer(asked);
        }
        Ok(())
    }

    /// The content of a torrent was checked for the first time, or can't be.
    pub(in crate::daemon::work) fn was_checked(&mut self, torrent: TorrentId) {
        if let Some((_, known)) = self.of_engine(torrent) {
            known.is_checked = true;
        } else if self.leaving.contains_key(&torrent) {
            self.engine.send(Command::Delete(torrent));
        }
    }

    /// The engine has removed a torrent.
    pub(in crate::daemon::work) fn removed(&mut self, torrent: TorrentId) {
        self.ids.remove(&torrent);
        let Some((record, known)) = self.leaving.remove(&torrent) else { return };
        self.places.change(record.id, &known.places, &[]);
        let Some(hash) = record.about.hash else { return };
        if let Err(why) = self.state.forget(hash) {
            log::error!("{why}");
        }
        for (asked, add) in std::mem::take(&mut self.adding_again) {
            self.add_and_answer(asked, add);
        }
    }

    /// A torrent can't be added again before the content of the one that was removed is deleted.
    pub(in crate::daemon::work) fn refuse_leaving(&self, hash: InfoHash) -> Result<(), Failure> {
        let is_leaving = self.leaving.values().any(|(record, _)| record.about.hash == Some(hash));
        if is_leaving { Err(Failure::of(Kind::Leaving)) } else { Ok(()) }
    }
}
