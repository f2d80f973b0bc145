//! What the checker does to move content, to rename files, and to delete them.
//!
//! Floor 3, a part of [`checker`](super). How files are carried, and what holds after `kill -9`, is told in
//! [`storage::carry`](crate::storage::carry).

use super::Checker;
use super::outcome::{Done, Refused, Retry};
use super::task::Task;
use crate::engine::keeper::Kept;
use crate::engine::notice::Notice;
use crate::proto::peer::bitfield::Bitfield;
use crate::storage::carry::deleting::delete;
use crate::storage::carry::others::others;
use crate::storage::carry::{Before, Way, carry};
use crate::storage::check::{self, CheckedContent, Trust};
use crate::storage::content::Content;
use crate::storage::content::renamed::Renamed;
use crate::storage::error::{ContentError, Doing};
use crate::storage::resume::Known;
use crate::storage::resume::journal::Journal;
use crate::storage::{Duty, Progress, TorrentId};
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// What the manager is told: the content, and what became of the task.
type Answer = (Result<CheckedContent, Refused>, Done);

/// Where content goes.
struct Target<'a> {
    dir: &'a Path,
    renamed: Renamed,
    /// An earlier try.
    before: Before,
    /// The files that are another program's, and stay.
    others: Vec<bool>,
}

impl Checker {
    /// Moves or renames content, and opens and checks it there. If that fails, it is opened again where it was.
    pub(super) fn relocate(
        &self,
        old: &Arc<Content>,
        have: Option<Bitfield>,
        task: &Task,
        kept: Option<Arc<Kept>>,
        progress: &Progress,
    ) -> Answer {
        // A write that has begun ends first. No other begins, because the content is in doubt.
        drop(old.health.take_turn());
        old.note_changes(have.as_ref());
        let of_others = self.others(old, have.as_ref(), progress);
        let mut unchanged = old.unchanged();
        if have.is_none() || old.duty == Duty::Trust {
            // Lost writes and pieces that were never read change no stamp.
            unchanged.fill(false);
        }
        let have = old.without_parts(have.unwrap_or_else(|| Bitfield::new(old.metainfo.piece_count())));
        let relocated = match task {
            Task::Move { to, carry: false } => self.find_in(old, to, progress),
            Task::Move { to, .. } => {
                let (renamed, before) = (old.renamed.clone(), Before::Nothing);
                let target = Target { dir: to, renamed, before, others: of_others };
                self.carry_to(old, target, &have, &mut unchanged, progress)
            }
            Task::Rename { path, name } => {
                let renamed = old.renamed.with(&old.metainfo, path, name);
                renamed.and_then(|renamed| {
                    let target = Target { dir: &old.dir, renamed, before: Before::Nothing, others: of_others };
                    self.carry_to(old, target, &have, &mut unchanged, progress)
                })
            }
            Task::Check | Task::Verify => Err(String::new()),
        };
        match relocated {
            Ok(found) => {
                if found.content.dir != old.dir {
                    kept.into_iter().for_each(|kept| kept.forget());
                }
                // Two paths of one folder have the same state.
                if !old.shares_folder(&found.content) {
                    self.config.states.iter().for_each(|states| states.remove_state(old));
                }
                let mut done = Done::default();
                match task {
                    Task::Rename { .. } => done.renamed = Some(Ok(found.content.renamed.list())),
                    _ => done.moved = Some(Ok(Arc::clone(&found.content.dir))),
                }
                (Ok(found), done)
            }
            Err(why) => {
                let again = old.open_again().map_err(|error| (error, Arc::clone(old)));
                let trust = Trust::Carried { have, unchanged };
                let found = again.and_then(|content| self.begin(content, trust, &Progress::default()));
                (found.map_err(|(error, content)| Refused { error, again: Retry::Content(content) }), task.refused(why))
            }
        }
    }

    /// The files that are another program's.
    fn others(&self, content: &Content, have: Option<&Bitfield>, progress: &Progress) -> Vec<bool> {
        let states = self.config.states.as_deref().filter(|_| have.is_none());
        let known = states.map(|states| Known::load(states, content, |_| ()));
        others(content, have, known.as_ref(), false, progress)
    }

    /// The content is in another folder already, or is to be downloaded to one.
    fn find_in(&self, old: &Content, dir: &Path, progress: &Progress) -> Result<CheckedContent, String> {
        make(dir)?;
        let place = old.place(dir, old.renamed.clone()).map_err(|error| error.to_string())?;
        let same = old.is_at(&place);
        let found = self.begin(old.open_at(place, same), Trust::State, progress);
        found.map_err(|(error, _)| error.to_string())
    }

    fn carry_to(
        &self,
        old: &Arc<Content>,
        target: Target,
        have: &Bitfield,
        unchanged: &mut [bool],
        progress: &Progress,
    ) -> Result<CheckedContent, String> {
        let (states, info_hash) = (self.config.states.as_deref(), old.metainfo.info_hash);
        let Target { dir, renamed, before, others } = target;
        make(dir)?;
        let mut journal = Journal::new(&old.dir, dir, renamed.list());
        let new = old.open_at(old.place(dir, renamed).map_err(|error| error.to_string())?, true);
        let write = |journal: &Journal| states.map_or(Ok(()), |states| states.write_journal(info_hash, journal));
        let forget = || states.into_iter().for_each(|states| states.remove_journal(info_hash));
        if before == Before::Nothing {
            write(&journal).map_err(|error| format!("can't write the journal of the move: {error}"))?;
        }
        journal.copied = true;
        let copied = || write(&journal);
        let carried =
            carry(Way { old, new: &new, others: &others }, before, unchanged, &copied, progress).map_err(|error| {
                // What an earlier try carried is still there.
                if before == Before::Nothing {
                    forget();
                }
                error.to_string()
            })?;
        let trust = match before {
            Before::Nothing => Trust::Carried { have: have.clone(), unchanged: unchanged.to_vec() },
            _ => Trust::State,
        };
        match self.begin(new, trust, &Progress::default()) {
            Ok(found) => {
                let left = carried.finish(Way { old, new: &found.content, others: &others });
                left.into_iter().chain(staying(old, &others)).for_each(|line| (self.warn)(old.torrent, line));
                Ok(found)
            }
            Err((error, new)) => {
                carried.undo(Way { old, new: &new, others: &others });
                forget();
                Err(error.to_string())
            }
        }
    }

    /// The journal of a move of this content that was interrupted, or that the caller does not know of.
    pub(super) fn interrupted(&self, content: &Content) -> Option<Journal> {
        let (states, info_hash) = (self.config.states.as_deref()?, content.metainfo.info_hash);
        let journal = states.journal(info_hash)?;
        if journal.leads_to(&content.dir, &content.renamed.list()) {
            // The caller knows.
            states.remove_journal(info_hash);
            return None;
        }
        journal.begins_in(&content.dir).then_some(journal)
    }

    /// Goes on with a move that was interrupted.
    pub(super) fn go_on_moving(&self, old: &Arc<Content>, journal: &Journal, progress: &Progress) -> Answer {
        let wrong = |why: String| {
            let error = old.error(Doing::Moving, &old.root(), io::Error::other(why));
            Refused { error, again: Retry::Content(Arc::clone(old)) }
        };
        let before = if journal.copied { Before::Copied } else { Before::Begun };
        let found = Renamed::new(&journal.renamed, &old.metainfo).and_then(|renamed| {
            let others = self.others(old, None, progress);
            let target = Target { dir: &journal.to, renamed, before, others };
            let nothing = Bitfield::new(old.metainfo.piece_count());
            self.carry_to(old, target, &nothing, &mut vec![false; old.metainfo.files.len()], progress)
        });
        let mut done = Done::default();
        if let Ok(found) = &found {
            done.moved = (found.content.dir != old.dir).then(|| Ok(Arc::clone(&found.content.dir)));
            done.renamed = (found.content.renamed != old.renamed).then(|| Ok(found.content.renamed.list()));
        }
        (found.map_err(wrong), done)
    }

    /// Deletes the content of a torrent that was removed, its state, and what is left of a move.
    pub(super) fn delete(&self, content: &Content, have: Option<&Bitfield>, kept: Option<Arc<Kept>>) {
        // A write that has begun ends first. No other begins.
        content.health.doubt();
        drop(content.health.take_turn());
        kept.into_iter().for_each(|kept| kept.forget());
        let states = self.config.states.as_deref();
        for line in delete(content, have, states, &Progress::default()) {
            (self.warn)(content.torrent, line);
        }
        if let Some(states) = states {
            states.remove_state(content);
            states.remove_journal(content.metainfo.info_hash);
        }
        self.notices.tell(Notice::Removed { torrent: content.torrent });
    }

    /// The result of a task goes to the manager.
    pub(super) fn answer(&self, torrent: TorrentId, (result, done): Answer) {
        self.tell(torrent, result.map_err(Box::new), done);
    }

    /// Checks content that is open.
    pub(super) fn begin(
        &self,
        content: Content,
        trust: Trust,
        progress: &Progress,
    ) -> Result<CheckedContent, (ContentError, Arc<Content>)> {
        check::begin(content, self.config.states.as_deref(), trust, Arc::clone(&self.warn), progress)
    }
}

/// A line about the files that another program made or changed.
fn staying(content: &Content, others: &[bool]) -> Option<String> {
    let mut files = (0..others.len()).filter(|file| others[*file]);
    let first = content.dir.join(content.path(files.next()?));
    let more = files.count();
    let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
    Some(format!("{}{more} stays where it is, because another program made or changed it", first.display()))
}

/// Makes a folder, if it does not exist.
fn make(dir: &Path) -> Result<(), String> {
    fs::create_dir_all(dir).map_err(|error| format!("can't make {}: {error}", dir.display()))
}
