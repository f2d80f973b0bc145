//! What a person does with the content of one torrent: verify it, move it, rename it, delete it.
//!
//! Floor 3, part of the [`manager`](crate::engine::manager). The torrent waits meanwhile as it does for a disk in
//! doubt: its peers are let go, and it goes on by itself. Wishes are carried out one after the other. The
//! [`checker`](crate::engine::checker) does the work; the manager never waits for a disk.

use crate::base::time::Time;
use crate::engine::checker::{Check, Done, Retry, Task};
use crate::engine::config::Job;
use crate::engine::manager::Manager;
use crate::engine::manager::checking::Checking;
use crate::engine::manager::slot::State;
use crate::engine::notice::{Details, Notice};
use crate::proto::peer::bitfield::Bitfield;
use crate::storage::TorrentId;
use crate::swarm::event::{DiskEvent, Event};
use crossbeam_channel::Sender;
use std::sync::Arc;

/// Most wishes of one torrent that wait for the one before.
const MOST_TASKS: usize = 16;

impl Manager {
    /// A person wants something done with the content of a torrent.
    pub(in crate::engine::manager) fn do_task(&mut self, id: TorrentId, task: Task, now: Time) {
        let Some(slot) = self.torrents.get_mut(&id) else { return };
        let why = match &slot.state {
            State::Learning(stage, _) if stage.check.is_none() => "its description has not arrived yet",
            State::Failed(ended) if ended.retry.is_none() => "its description never arrived",
            _ if slot.wishes.as_ref().is_some_and(|wishes| wishes.tasks.len() >= MOST_TASKS) => {
                "too many wishes wait for the one before"
            }
            _ => {
                if let Task::Move { .. } = task {
                    slot.move_finally(None);
                }
                slot.wishes.get_or_insert_default().tasks.push_back(task);
                return self.next_task(id, now);
            }
        };
        self.tell_done(id, task.refused(why.into()));
    }

    /// Begins with the next wish, if nothing is being done with the content.
    pub(in crate::engine::manager) fn next_task(&mut self, id: TorrentId, now: Time) {
        let Some(slot) = self.torrents.get_mut(&id) else { return };
        let Some(task) = slot.wishes.as_ref().and_then(|wishes| wishes.tasks.front()) else { return };
        match &slot.state {
            State::Running(..) if slot.work.is_none() => {
                let text = task.text();
                self.handle(id, Event::Disk(DiskEvent::Asked { text }), now);
            }
            State::Failed(_) => {
                let task = slot.wishes.as_mut().and_then(|wishes| wishes.tasks.pop_front());
                task.into_iter().for_each(|task| self.try_again(id, task, now));
            }
            // It begins when the check has ended.
            State::Running(..) | State::Checking(_) | State::Learning(..) => {}
        }
    }

    /// A torrent that ended by itself starts over: a disk may be back, or files may have been restored.
    pub(in crate::engine::manager) fn try_again(&mut self, id: TorrentId, task: Task, now: Time) {
        let Some(slot) = self.torrents.get_mut(&id) else { return };
        let State::Failed(ended) = &mut slot.state else { return };
        match ended.retry.take() {
            Some(Retry::Content(content)) => {
                let check = Checking::again(&content.metainfo);
                let progress = Arc::clone(&check.progress);
                slot.state = State::Checking(check);
                self.disks.check(Check::Again { content, runs: false, have: None, task, progress, kept: None });
            }
            Some(Retry::Job(mut job)) => match task {
                Task::Check | Task::Verify => self.check_job(id, job),
                Task::Move { to, carry: false } => {
                    job.dir = Arc::clone(&to);
                    self.check_job(id, job);
                    self.tell_done(id, Done { moved: Some(Ok(to)), ..Done::default() });
                }
                Task::Move { .. } | Task::Rename { .. } => {
                    let why = format!("{} can't be opened", job.dir.display());
                    ended.retry = Some(Retry::Job(job));
                    self.tell_done(id, task.refused(why));
                }
            },
            None => self.tell_done(id, task.refused("its description never arrived".into())),
        }
        self.news.touched(id);
        self.news.hurry(now);
    }

    fn check_job(&mut self, id: TorrentId, mut job: Box<Job>) {
        let Some(slot) = self.torrents.get_mut(&id) else { return };
        let check = Checking::of(&mut job);
        let progress = Arc::clone(&check.progress);
        slot.state = State::Checking(check);
        self.disks.check(Check::New { torrent: id, job, progress });
    }

    /// Tells what became of a wish.
    pub(in crate::engine::manager) fn tell_done(&mut self, torrent: TorrentId, done: Done) {
        let Done { moved, renamed } = done;
        if moved.is_some() || renamed.is_some() {
            let slot = self.torrents.get_mut(&torrent);
            slot.into_iter().for_each(|slot| slot.moved = true);
        }
        moved.into_iter().for_each(|result| self.news.tell(Notice::Moved { torrent, result }));
        renamed.into_iter().for_each(|result| self.news.tell(Notice::Renamed { torrent, result }));
    }

    /// A torrent is complete: it is moved to the folder for complete ones, if there is one.
    pub(in crate::engine::manager) fn move_complete(&mut self, id: TorrentId, now: Time) {
        let Some(slot) = self.torrents.get_mut(&id) else { return };
        let here = slot.state.content().map(|content| Arc::clone(&content.dir));
        let finally = slot.wishes.as_mut().and_then(|wishes| wishes.finally.take());
        if let Some(to) = finally.filter(|to| here.is_some_and(|here| here != *to)) {
            self.do_task(id, Task::Move { to, carry: true }, now);
        }
    }

    /// A person removes a torrent with its content.
    pub(in crate::engine::manager) fn delete(&mut self, id: TorrentId, now: Time) {
        let Some(slot) = self.torrents.get_mut(&id) else { return };
        let is_moving = slot.work.as_ref().is_some_and(|work| work.is_move);
        let is_checking = match &slot.state {
            State::Checking(check) => Some(check),
            State::Learning(stage, _) => stage.check.as_ref(),
            State::Running(..) | State::Failed(_) => None,
        };
        if is_moving || is_checking.is_some() {
            // Where the content is, is known when this has ended, which is soon.
            slot.work.iter().for_each(|work| work.progress().stop());
            is_checking.into_iter().for_each(|check| check.progress.stop());
            slot.doomed = true;
            return self.stop_torrent(id, now);
        }
        self.stop_torrent(id, now);
        let Some(slot) = self.torrents.get_mut(&id) else { return };
        // No state is saved any more.
        let kept = slot.kept.take();
        let (content, have) = match &mut slot.state {
            State::Running(torrent, content) => (Some(Arc::clone(content)), Some(torrent.have().clone())),
            State::Failed(ended) => match ended.retry.take() {
                Some(Retry::Content(content)) => (Some(content), None),
                Some(Retry::Job(_)) | None => (None, None),
            },
            State::Checking(_) | State::Learning(..) => (None, None),
        };
        self.end_torrent(id, None);
        match content {
            Some(content) => self.disks.check(Check::Delete { content, have, kept }),
            None => self.news.tell(Notice::Removed { torrent: id }),
        }
    }

    /// The check, or the move, of a torrent that a person deletes has ended.
    pub(in crate::engine::manager) fn delete_doomed(&mut self, id: TorrentId, retry: Retry, have: Option<Bitfield>) {
        self.end_torrent(id, None);
        match retry {
            Retry::Content(content) => self.disks.check(Check::Delete { content, have, kept: None }),
            Retry::Job(_) => self.news.tell(Notice::Removed { torrent: id }),
        }
    }

    /// Answers a question for the details of a torrent.
    pub(in crate::engine::manager) fn answer(&self, id: TorrentId, answer: &Sender<Option<Details>>, now: Time) {
        let details = self.torrents.get(&id).map(|slot| {
            let trackers = slot.trackers().to_vec();
            match &slot.state {
                State::Running(torrent, content) => {
                    let (content, have) = (Some(Arc::clone(content)), torrent.have().clone());
                    let details = Details::new(content, have, torrent.peer_list(now), trackers);
                    details.with_counts(torrent.availability())
                }
                State::Learning(stage, _) => Details::new(None, Bitfield::new(0), stage.learning.peer_list(), trackers),
                State::Checking(_) => Details::new(None, Bitfield::new(0), Vec::new(), trackers),
                State::Failed(ended) => {
                    let content = match &ended.retry {
                        Some(Retry::Content(content)) => Some(Arc::clone(content)),
                        _ => None,
                    };
                    let pieces = content.as_ref().map_or(0, |content| content.metainfo.piece_count());
                    Details::new(content, Bitfield::new(pieces), Vec::new(), trackers)
                }
            }
        });
        // The thread that asked may have ended.
        let _ = answer.send(details);
    }
}
