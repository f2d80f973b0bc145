//! The torrents of earlier runs come back.
//!
//! Floor 4, part of the [loop](super). A torrent whose file is damaged is there, too: it is stopped, because what was
//! wished for it is lost.

use super::minutes::Minute;
use super::queue::Queue;
use super::wished::options_of;
use super::{Daemon, Heard, now};
use crate::base::path::for_terminal;
use crate::daemon::http::Door;
use crate::daemon::import;
use crate::daemon::options::{DaemonError, Options};
use crate::daemon::record::{Dates, Record, State as Doing, Trouble};
use crate::daemon::records::Records;
use crate::daemon::rpc::session::{Session, Sums};
use crate::daemon::settings::Settings;
use crate::daemon::state::kept::Kept;
use crate::daemon::state::session::{self, with_changes};
use crate::daemon::state::{Found, State};
use crate::engine::{Change, Command, Engine, Job, LinkJob};
use crate::proto::id::InfoHash;
use crate::proto::magnet::Magnet;
use crate::proto::metainfo::Metainfo;
use crate::sys::in_words;
use crossbeam_channel::Sender;
use std::collections::BTreeMap;
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
}

impl Before {
    /// Reads the configuration, and what an earlier run left.
    pub fn read(options: &Options) -> Result<Before, DaemonError> {
        if let Some(from) = &options.import {
            import::settings(from, &options.state).map_err(DaemonError::NoInput)?;
        }
        let configured = options.configured()?;
        let state = State::open(&options.state).map_err(DaemonError::State)?;
        if let Some(from) = &options.import {
            import::torrents(from, &state, &configured).map_err(DaemonError::NoInput)?;
        }
        let saved =
            state.session().and_then(|bytes| bytes.map_or_else(|| Ok(None), |bytes| session::decode(&bytes).map(Some)));
        let session = saved.unwrap_or_else(|why| {
            log::warn!("settings that programs changed are lost: {why}");
            None
        });
        let session = session.unwrap_or_default();
        let settings = with_changes(&configured, &session.changes);
        Ok(Before { state, session, configured, settings })
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
        let Before { state, session, mut configured, mut settings } = before;
        if options.has_port || settings.peer_port_random_on_start {
            // Programs show the port on which we listen.
            (configured.peer_port, settings.peer_port) = (engine.port.into(), engine.port.into());
        }
        let sums = Sums { sessions: 1, ..Sums::default() };
        let config_dir = state.dir.path.to_string_lossy().into_owned();
        let mut daemon = Daemon {
            options,
            engine,
            state,
            configured,
            settings,
            records: Records::default(),
            known: BTreeMap::new(),
            ids: BTreeMap::new(),
            queue: Queue::default(),
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
            renaming: BTreeMap::new(),
            is_stopping: false,
        };
        daemon.settings_changed(None);
        let mut found = daemon.state.torrents().map_err(DaemonError::State)?;
        found.sort_by_key(|found| found.saved.as_ref().map_or(i64::MAX, |saved| saved.1.place));
        found.into_iter().for_each(|found| daemon.come_back(found));
        daemon.number_queue();
        daemon.save_session().map_err(DaemonError::Io)?;
        log::info!("{} torrents are known", daemon.records.len());
        Ok(daemon)
    }

    fn come_back(&mut self, Found { hash, saved }: Found) {
        let is_damaged = saved.is_err();
        let (record, kept) = *saved.unwrap_or_else(|why| {
            log::warn!("what was wished for the torrent {hash} is lost ({why}); it is stopped");
            let dates = Dates { added: now(), ..Dates::default() };
            let record = Record { download_dir: self.settings.download_dir.clone(), dates, ..Record::default() };
            Box::new((record, Kept { paused: true, ..Kept::default() }))
        });
        let begun =
            if kept.link.is_some() { self.learn_again(hash, record, kept) } else { self.add_again(hash, record, kept) };
        match begun {
            Ok(Some(id)) if is_damaged => {
                if let Some((record, known)) = self.both(id) {
                    known.is_changed = true;
                    record.note(Trouble::Local("what was wished for it is lost, so it is stopped".into()));
                }
            }
            Ok(_) => {}
            Err(why) => log::error!("the torrent {hash} can't be used: {why}"),
        }
    }

    fn learn_again(&mut self, hash: InfoHash, mut record: Record, kept: Kept) -> Result<Option<u32>, String> {
        let job = Magnet::parse(kept.link.as_deref().unwrap_or_default())?;
        let job = LinkJob::new(job)?;
        record.about = Arc::new(super::adding::of_link(&job.link, hash));
        record.trackers = super::wished::numbered(job.link.trackers.iter().map(|url| vec![url.clone()]));
        let mut job = job;
        job.options = Some(Box::new(options_of(&record, &kept, &self.settings)));
        let id = self.restore(record, kept);
        self.know(id, self.engine.learn(job));
        Ok(Some(id))
    }

    /// `None`: it was being removed.
    fn add_again(&mut self, hash: InfoHash, mut record: Record, kept: Kept) -> Result<Option<u32>, String> {
        let bytes =
            self.state.dir.saved_torrent(hash).map_err(|error| format!("its .torrent file: {}", in_words(&error)))?;
        let metainfo = Metainfo::parse(&bytes).map_err(|why| format!("its .torrent file: {why}"))?;
        if metainfo.info_hash != hash {
            return Err("its .torrent file is of another torrent".into());
        }
        let dir = Path::new(kept.dir(&record.download_dir)).into();
        let left = record.now.left;
        let job = self.job(Box::new(metainfo), &bytes, dir, &mut record, &kept);
        record.was(left);
        if kept.is_leaving {
            self.leave(record, job);
            return Ok(None);
        }
        let moving = kept.moving.clone();
        let id = self.restore(record, kept);
        self.know(id, self.engine.add(job));
        self.tell_order(id);
        if let Some((to, carry)) = moving {
            self.change(id, Change::Move { to: Path::new(&*to).into(), carry });
        }
        Ok(Some(id))
    }

    /// An earlier run was ended while it deleted the content of this torrent.
    fn leave(&mut self, record: Record, job: Job) {
        log::info!("{}: its content is deleted", for_terminal(&record.about.name));
        let torrent = self.engine.add(job);
        self.engine.send(Command::Delete(torrent));
        self.leaving.insert(torrent, Box::new(record));
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
