//! The torrents of earlier runs come back.
//!
//! Floor 4, part of the [loop](super). A torrent whose file is damaged is there, too, with as much as can be known.

use super::minutes::Minute;
use super::queue::Queue;
use super::wished::options_of;
use super::{Daemon, Heard, now};
use crate::base::path::for_terminal;
use crate::base::units;
use crate::daemon::http::Door;
use crate::daemon::import;
use crate::daemon::options::{DaemonError, Options};
use crate::daemon::record::{About, Dates, Record, State as Doing, Trouble};
use crate::daemon::records::Records;
use crate::daemon::rpc::session::{Session, Sums};
use crate::daemon::settings::Settings;
use crate::daemon::state::kept::Kept;
use crate::daemon::state::session::{self, with_changes};
use crate::daemon::state::{Found, State};
use crate::engine::{Change, Engine, LinkJob};
use crate::proto::id::InfoHash;
use crate::proto::magnet::Magnet;
use crate::proto::metainfo::Metainfo;
use crate::sys::in_words;
use crossbeam_channel::Sender;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// What an earlier run left, and the settings that hold.
pub struct Before {
    /// The folder of the state.
    pub state: State,
    session: session::Session,
    /// The settings of the configuration.
    pub configured: Settings,
    /// The settings that hold.
    pub settings: Settings,
    /// A line that says what was taken over from transmission in this start.
    pub imported: Option<String>,
}

impl Before {
    /// Reads the configuration, and what an earlier run left.
    pub fn read(options: &Options) -> Result<Before, DaemonError> {
        let mut imported = None;
        let import = options.import.as_ref();
        let has_new = import.map(|from| import::settings(from, &options.state)).transpose();
        let has_new = has_new.map_err(DaemonError::NoInput)?.unwrap_or(false);
        let configured = options.configured()?;
        let state = State::open(&options.state).map_err(DaemonError::State)?;
        if let Some(from) = import {
            let torrents = import::torrents(from, &state, &configured).map_err(DaemonError::NoInput)?;
            let settings = if has_new { "settings and " } else { "" };
            let what = (has_new || torrents > 0).then(|| settings.to_owned() + &units::count(torrents, "torrent"));
            imported = what.map(|what| format!("taken over from {}: {what}", from.display()));
        }
        let session = session_of(&state).unwrap_or_else(|why| {
            log::warn!("settings that programs changed are lost: {why}");
            session::Session::default()
        });
        let settings = with_changes(&configured, &session.changes);
        Ok(Before { state, session, configured, settings, imported })
    }
}

impl Daemon {
    /// A daemon with the torrents of earlier runs.
    pub fn new(
        options: Options,
        before: Before,
        engine: Engine,
        door: Arc<Door>,
        helpers: Sender<Heard>,
    ) -> Result<Daemon, DaemonError> {
        let Before { state, session, mut configured, mut settings, .. } = before;
        if options.has_port || settings.peer_port_random_on_start {
            // Programs show the port on which we listen.
            (configured.peer_port, settings.peer_port) = (engine.port().into(), engine.port().into());
        }
        let sums = Sums { sessions: 1, ..Sums::default() };
        let config_dir = state.dir.path.to_string_lossy().into_owned();
        let mut daemon = Daemon {
            options,
            engine: Arc::new(engine),
            state,
            configured,
            settings,
            records: Records::default(),
            known: BTreeMap::new(),
            ids: BTreeMap::new(),
            queue: Queue::default(),
            places: Default::default(),
            session: Session { config_dir, ..Session::default() },
            sums,
            sums_before: session.sums,
            began: Instant::now(),
            router: Default::default(),
            door,
            helpers,
            scripts: Default::default(),
            minute: Minute::new(),
            leaving: BTreeMap::new(),
            removals: Default::default(),
            renaming: BTreeMap::new(),
            adding_again: Vec::new(),
            long: Default::default(),
            unwritten: Default::default(),
            is_stopping: false,
        };
        daemon.settings_changed(None);
        let mut found = daemon.state.torrents().map_err(DaemonError::State)?;
        found.sort_unstable_by_key(|found| (found.saved.as_ref().map_or(i64::MAX, |saved| saved.1.place), found.hash));
        found.into_iter().for_each(|found| daemon.come_back(found));
        if daemon.state.has_batch() {
            daemon.known.values_mut().for_each(|known| known.is_counted = true);
            daemon.write_later();
        }
        daemon.number_queue();
        daemon.save_session().map_err(DaemonError::Io)?;
        log::info!("begins with {}", units::count(daemon.records.len(), "torrent"));
        Ok(daemon)
    }

    fn come_back(&mut self, Found { hash, saved, is_older }: Found) {
        let (record, mut kept, mut obstacle) = match saved {
            Ok(saved) if is_older => self.last_but_one(hash, *saved),
            Ok(saved) => (saved.0, saved.1, None),
            Err(why) => self.without_record(hash, &why),
        };
        kept.paused |= obstacle.is_some();
        let begun = match (&kept.link, self.description(hash)) {
            (Some(_), _) => self.learn_again(hash, record, kept),
            (None, Ok(description)) => self.add_again(description, record, kept, &mut obstacle),
            (None, Err(why)) => self.list_without_description(hash, record, kept, &why, &mut obstacle),
        };
        match begun {
            Ok(Some(id)) => {
                if let Some((record, known)) = self.both(id) {
                    known.is_changed = is_older || obstacle.is_some();
                    if let Some(why) = obstacle {
                        log::warn!("{}: {why}", for_terminal(&record.about.name));
                        known.obstacle = Some(why.as_str().into());
                        record.note(Trouble::Local(why));
                    }
                }
            }
            Ok(None) => {}
            Err(why) => log::error!("the torrent {hash} can't be used: {why}"),
        }
    }

    /// What is known of a torrent whose file is damaged: what was written before the last change. If that change was
    /// the folder, its resume state is of another one; then the torrent does not start by itself.
    fn last_but_one(&self, hash: InfoHash, (mut record, mut kept): (Record, Kept)) -> (Record, Kept, Option<String>) {
        log::warn!("the last change of what is wished for the torrent {hash} is lost");
        let dir = Path::new(kept.dir(&record.download_dir));
        let real = fs::canonicalize(dir).unwrap_or_else(|_| dir.into());
        let folders = self.state.dir.folders(hash);
        let is_here = folders.is_empty() || folders.contains(&real);
        let [Some(folder), None] = [folders.first(), folders.get(1)] else { return (record, kept, None) };
        if is_here {
            return (record, kept, None);
        }
        record.download_dir = folder.to_string_lossy().into();
        (kept.at, kept.moving) = (None, None);
        let why =
            format!("its record was damaged; its content was last in {}; start it if that is right", folder.display());
        (record, kept, Some(why))
    }

    /// What is known of a torrent without a record: only where its content is, and maybe not even that.
    fn without_record(&self, hash: InfoHash, why: &str) -> (Record, Kept, Option<String>) {
        let folders = self.state.dir.folders(hash);
        let folder = match &*folders {
            [folder] => Some(folder.to_string_lossy().into_owned()),
            _ => None,
        };
        let (words, is_lost) = match &folder {
            Some(folder) => (format!("its content was last in {folder}; start it if that is right"), false),
            None => ("nobody knows where its content is: set its location, then start it".into(), true),
        };
        let dates = Dates { added: now(), ..Dates::default() };
        let download_dir = folder.unwrap_or_else(|| self.settings.download_dir.clone());
        let record = Record { download_dir: download_dir.into(), dates, ..Record::default() };
        let words = format!("what was wished for it is lost, because its record is damaged ({why}); {words}");
        (record, Kept { is_lost, ..Kept::default() }, Some(words))
    }

    fn learn_again(&mut self, hash: InfoHash, mut record: Record, kept: Kept) -> Result<Option<u32>, String> {
        let mut job = LinkJob::new(Magnet::parse(kept.link.as_deref().unwrap_or_default())?)?;
        record.about = Arc::new(super::adding::of_link(&job.link, hash));
        record.trackers = super::wished::numbered(job.link.trackers.iter().map(|url| vec![url.as_str().into()]));
        job.options = Some(Box::new(options_of(&record, &kept)));
        let id = self.restore(record, kept);
        self.know(id, self.engine.learn(job));
        Ok(Some(id))
    }

    /// The .torrent file of a torrent, and what it says. A damaged one is kept aside.
    fn description(&self, hash: InfoHash) -> Result<(Vec<u8>, Box<Metainfo>), String> {
        let bytes = self.state.dir.saved_torrent(hash).map_err(|error| in_words(&error))?;
        match Metainfo::parse(&bytes) {
            Ok(metainfo) if metainfo.info_hash == hash => Ok((bytes, Box::new(metainfo))),
            other => {
                self.state.keep_torrent_aside(hash);
                Err(other.err().unwrap_or_else(|| "it is of another torrent".into()))
            }
        }
    }

    /// Lists a torrent without its description. It goes on when somebody adds it again. `None`: it was being removed.
    fn list_without_description(
        &mut self,
        hash: InfoHash,
        mut record: Record,
        kept: Kept,
        why: &str,
        obstacle: &mut Option<String>,
    ) -> Result<Option<u32>, String> {
        if kept.is_leaving {
            return self.state.forget(hash).map(|()| None);
        }
        record.about = Arc::new(About { hash: Some(hash), name: hash.to_string().into(), ..About::default() });
        let id = self.restore(record, kept);
        if let Some(record) = self.records.get_mut(id) {
            record.state = Doing::Stopped;
        }
        *obstacle = Some(format!("its .torrent file can't be read ({why}): add the torrent again"));
        Ok(Some(id))
    }

    /// `None`: it was being removed.
    fn add_again(
        &mut self,
        (bytes, metainfo): (Vec<u8>, Box<Metainfo>),
        mut record: Record,
        mut kept: Kept,
        obstacle: &mut Option<String>,
    ) -> Result<Option<u32>, String> {
        let dir = Path::new(kept.dir(&record.download_dir)).into();
        // A version before this one, or transmission, may have let two torrents have one file.
        if !kept.paused
            && !kept.is_leaving
            && let Err(failure) = self.overlap_of_new(&record, &kept, &metainfo)
        {
            kept.paused = true;
            obstacle.get_or_insert(failure.text);
        }
        let left = record.now.left;
        let job = self.job(metainfo, &bytes, dir, &mut record, &kept);
        record.was(left);
        let (moving, is_leaving) = (kept.moving.clone(), kept.is_leaving);
        let id = self.restore(record, kept);
        self.know(id, self.engine.add(job));
        if is_leaving {
            // An earlier run was ended while it deleted the content.
            self.remove(id, true)?;
            return Ok(None);
        }
        self.tell_order(id);
        if let Some((to, carry)) = moving.map(|moving| *moving) {
            self.change(id, Change::Move { to: Path::new(&*to).into(), carry });
        }
        Ok(Some(id))
    }

    fn restore(&mut self, mut record: Record, kept: Kept) -> u32 {
        record.state = match kept.paused {
            true => Doing::Stopped,
            // Nearly always the engine finds it so. Then nothing has changed for programs that ask.
            false if record.now.metadata == 1.0 && record.now.left == 0 => Doing::Seed,
            false => Doing::CheckWait,
        };
        // They come in order.
        record.queue_position = self.records.len();
        let place = kept.place;
        let id = self.records.insert(record);
        self.queue.restore(place, id);
        self.list(id, kept);
        id
    }
}

/// The daemon's own file.
fn session_of(state: &State) -> Result<session::Session, String> {
    let Some(whole) = state.session()? else { return Ok(session::Session::default()) };
    if whole.is_older {
        log::warn!("the last change of the settings by a program is lost");
    }
    session::decode(&whole.bytes)
}

impl Record {
    /// When it was saved, `left` wanted bytes were missing. So it is shown until the engine has looked at its content.
    fn was(&mut self, left: u64) {
        // Without a date it may be from an import, which does not tell.
        if left > 0 || self.dates.done > 0 {
            self.now.left = left.min(self.now.size_when_done);
            self.now.have_valid = self.now.size_when_done - self.now.left;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::record::Now;

    #[test]
    fn a_torrent_that_comes_back_is_shown_as_it_was_saved() {
        for (left, done, expected) in [(0, 7, (0, 100)), (30, 0, (30, 70)), (300, 7, (100, 0)), (0, 0, (100, 0))] {
            let now = Now { size_when_done: 100, left: 100, ..Now::default() };
            let mut record = Record { now, dates: Dates { done, ..Dates::default() }, ..Record::default() };
            record.was(left);
            assert_eq!((record.now.left, record.now.have_valid), expected, "{left} {done}");
        }
    }
}
