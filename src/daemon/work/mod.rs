//! The loop of the daemon: one thread that owns what is known of all torrents.
//!
//! Floor 4. It waits for the engine's notices, for programs that ask over HTTP, for signals, for what its helpers found
//! (the watched folder, a .torrent file from a web server, a blocklist) and for the next timer. The engine's notices
//! keep the records up to date, so a list of ten thousand torrents costs the engine nothing.
//!
//! | what happens | file |
//! |---|---|
//! | the daemon starts: torrents of earlier runs come back | [`starting`] |
//! | the engine tells something | [`notices`] |
//! | a program asks | [`calls`] |
//! | a program asks for more than the loop has time for | [`long`] |
//! | a torrent is added, or its description arrives | [`reading`], [`adding`], [`portable`](overlap::portable) |
//! | a torrent is changed | [`changing`] |
//! | two torrents would write one file | [`overlap`] |
//! | a setting is changed | [`settings`] |
//! | half a minute has passed | [`minutes`] |
//! | what is known of torrents is written | [`saving`] |

mod adding;
mod calls;
mod changing;
mod details;
mod long;
mod minutes;
mod notices;
pub mod overlap;
mod queue;
mod reading;
mod saving;
mod settings;
pub mod starting;
#[cfg(test)]
mod tests;
mod wished;

use super::chores::scripts::Scripts;
use super::chores::space::Space;
use super::chores::watch;
use super::http::{Ask, Door, rpc_answer};
use super::metrics;
use super::options::{DaemonError, Options};
use super::record::{Record, Totals};
use super::records::Records;
use super::rpc::adding::AddTorrent;
use super::rpc::session::{Session, Sums};
use super::rpc::{Conversation, Failure};
use super::settings::Settings;
use super::state::State;
use super::state::kept::Kept;
use crate::engine::{Change, Command, Engine, Notice, Router, Subscription, TorrentId};
use crate::swarm::meeting::blocklist::Blocklist;
use crate::web::answer::Answer;
use crate::web::bodies::Bodies;
use crate::web::promise::Promise;
use changing::removing::{Removal, TURN};
use crossbeam_channel::{Receiver, Select, Sender};
use overlap::Places;
use queue::Queue;
use reading::Described;
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What wakes the loop, besides the engine.
pub enum Heard {
    /// A .torrent file that a program named by its URL has arrived, or has not.
    Fetched(Asked, Box<AddTorrent>, Result<Vec<u8>, String>),
    /// The .torrent file that a program adds was read.
    Read(Asked, Box<AddTorrent>, Result<Described, Failure>),
    /// The space of a folder that a program asked for: free and in all.
    Measured(Asked, String, Result<(u64, u64), String>),
    /// The free space of all folders.
    Space(Space),
    /// A long answer was written.
    Written(Asked),
    /// Something is in the watched folder.
    Watched(watch::Seen),
    /// A blocklist was read; a program may wait for it.
    Blocklist(Option<Asked>, Result<Blocklist, String>),
    /// The configuration is to be read again.
    Reload,
    /// The daemon is to end.
    Stop,
}

/// A program that asks, and how it is answered.
pub struct Asked {
    /// What it asks, and the answers so far.
    conversation: Box<Conversation>,
    promise: Promise,
}

/// A program that waits until a path in a torrent has a new name.
struct Renaming {
    asked: Asked,
    path: String,
    name: String,
}

/// A torrent, besides its record.
struct Known {
    torrent: TorrentId,
    kept: Kept,
    /// The engine has checked its content, or could not.
    is_checked: bool,
    /// Its file is older than what is known of it: programs were not told yet.
    is_changed: bool,
    /// Its figures are newer than its file.
    is_counted: bool,
    /// What was counted before the engine began to count.
    before: Totals,
    /// Until when its seconds are counted.
    counted: Instant,
    /// Where its content is, or will be.
    places: Box<[Arc<Path>]>,
    /// Why it does not run, until somebody starts it or there is space.
    obstacle: Option<Box<str>>,
    /// The description of its link, if it could not begin with it. It is tried again when somebody starts it.
    learned: Option<Box<[u8]>>,
    /// The program for complete torrents is started when its content was moved.
    owes_script: bool,
    /// It is paused until there is more free space.
    waits_for_space: bool,
    /// How many changes were sent to the engine. What it reports is news only if it had made them all: otherwise it
    /// could take back what a program was just told.
    changes: u32,
    /// Wishes to move its content that are not answered yet. The last one is what counts.
    moves: u32,
}

/// The daemon at work.
pub struct Daemon {
    options: Options,
    engine: Arc<Engine>,
    state: State,
    /// The settings of the configuration, and those that hold.
    configured: Settings,
    settings: Settings,
    records: Records,
    known: BTreeMap<u32, Box<Known>>,
    /// Our numbers of the engine's torrents.
    ids: BTreeMap<TorrentId, u32>,
    queue: Queue,
    places: Places,
    session: Session,
    /// Sums of this run, without what torrents that are here transferred.
    sums: Sums,
    /// Sums of the runs before.
    sums_before: Sums,
    began: Instant,
    router: Router,
    door: Arc<Door>,
    /// Where helpers tell what they found.
    helpers: Sender<Heard>,
    scripts: Scripts,
    minute: minutes::Minute,
    /// Torrents whose content is being deleted.
    leaving: BTreeMap<TorrentId, (Box<Record>, Box<Known>)>,
    /// Programs that wait until torrents are removed.
    removals: VecDeque<Removal>,
    /// Programs that wait until a file or folder has its new name.
    renaming: BTreeMap<TorrentId, VecDeque<Renaming>>,
    /// Programs that add again what is being deleted. They wait until that is done.
    adding_again: Vec<(Asked, AddTorrent)>,
    /// Programs that wait for long answers.
    long: long::Long,
    unwritten: saving::Unwritten,
    is_stopping: bool,
}

/// The number of a torrent that the engine does not have.
const NONE: TorrentId = TorrentId(u64::MAX);

fn ended() -> DaemonError {
    DaemonError::Io("the engine ended unexpectedly; start the daemon again".into())
}

/// Seconds since 1970.
fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs() as i64)
}

impl Known {
    /// Sends a change to the engine.
    fn change(&mut self, engine: &Engine, change: Change) {
        self.changes = self.changes.wrapping_add(1);
        self.moves += u32::from(matches!(change, Change::Move { .. }));
        engine.send(Command::Change(self.torrent, change));
    }

    /// Whether the engine has it. It has all but those whose .torrent file is damaged.
    fn is_described(&self) -> bool {
        self.torrent != NONE
    }
}

impl Asked {
    fn finish(self, memory: &Bodies) {
        self.promise.keep(rpc_answer(self.conversation.finish(), memory));
    }
}

impl Daemon {
    /// Works until it is told to end.
    pub fn go(
        &mut self,
        notices: &Subscription,
        asks: &Receiver<Ask>,
        heard: &Receiver<Heard>,
    ) -> Result<(), DaemonError> {
        loop {
            // Whatever comes, this has its turn.
            if self.minute.next <= Instant::now() {
                self.step();
            }
            self.remove_some(TURN);
            if let Err(why) = self.write_some(saving::AT_ONCE) {
                log::error!("{why}");
            }
            let has_work = !self.unwritten.is_empty() || !self.removals.is_empty();
            let wake = if has_work { Instant::now() } else { self.minute.next };
            let mut select = Select::new();
            let of_engine = select.recv(notices.ready());
            let of_programs = select.recv(asks);
            select.recv(heard);
            match select.select_deadline(wake) {
                Ok(ready) if ready.index() == of_engine => {
                    // It only says that there is something.
                    let _ = ready.recv(notices.ready());
                    while let Some(notice) = notices.try_next().map_err(|_| ended())? {
                        if let Notice::Stopped(reports) = notice {
                            self.renew(reports);
                            return self.end();
                        }
                        self.take_in(notice);
                    }
                }
                // We hold a sender of each.
                Ok(ready) if ready.index() == of_programs => drop(ready.recv(asks).map(|ask| self.asked(ask))),
                Ok(ready) => drop(ready.recv(heard).map(|heard| self.hear(heard))),
                Err(_) => {}
            }
        }
    }

    fn asked(&mut self, ask: Ask) {
        match ask {
            Ask::Rpc(conversation, promise) => self.answer(Asked { conversation, promise }),
            Ask::Metrics(promise) => {
                let text = metrics::write(&self.records, &self.stats());
                promise.keep(Answer::of("200 OK", metrics::KIND, text.into_bytes()));
            }
            Ask::Health(promise) => promise.keep(Answer::words("200 OK", "ok")),
        }
    }

    fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::Fetched(asked, add, bytes) => self.fetched(asked, *add, bytes),
            Heard::Read(asked, add, described) => self.was_read(asked, *add, described),
            Heard::Measured(asked, path, space) => self.measured(asked, &path, space),
            Heard::Space(space) => self.space_is(space),
            Heard::Written(asked) => self.written(asked),
            Heard::Watched(seen) => self.watched(seen),
            Heard::Blocklist(asked, list) => self.blocklist_came(asked, list),
            Heard::Reload => self.reload(),
            Heard::Stop => self.stop(),
        }
    }

    /// The engine is told to end. What it says last is taken in.
    fn stop(&mut self) {
        if !self.is_stopping {
            self.is_stopping = true;
            log::info!("ends: trackers are told");
            self.engine.send(Command::Stop);
        }
    }

    /// Removes what is still to be removed, and writes everything that is not written yet.
    fn end(&mut self) -> Result<(), DaemonError> {
        while !self.removals.is_empty() {
            self.remove_some(Duration::MAX);
        }
        self.count_seconds();
        self.write_later();
        let torrents = self.write_some(usize::MAX);
        torrents.and(self.save_session()).map_err(DaemonError::Io)
    }

    /// A torrent's file is written although no program waits for it.
    fn save_quietly(&mut self, id: u32) {
        if self.known.get(&id).is_some_and(|known| known.is_changed) {
            // If it can't be written, it is tried again within a minute.
            self.save(id).unwrap_or_else(|error| log::error!("{error}"));
        }
    }

    /// The record of a torrent, and what else is known of it.
    fn both(&mut self, id: u32) -> Option<(&mut Record, &mut Known)> {
        Some((self.records.get_mut(id)?, self.known.get_mut(&id)?))
    }

    /// The record of a torrent of the engine, and what else is known of it.
    fn of_engine(&mut self, torrent: TorrentId) -> Option<(&mut Record, &mut Known)> {
        let id = *self.ids.get(&torrent)?;
        self.both(id)
    }
}
