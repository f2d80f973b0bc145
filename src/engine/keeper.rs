//! Keepers: a thread for each device that writes the [resume states](crate::storage::resume) of its torrents, so that
//! the manager does not wait for the disk.
//!
//! Floor 3. The manager decides when a state is due and what it contains; the keeper looks at the files and writes the
//! state.

use super::config::Config;
use super::input::Input;
use super::notice::{Notice, Notices};
use crate::proto::peer::bitfield::Bitfield;
use crate::storage::TorrentId;
use crate::storage::content::Content;
use crate::storage::resume::{Known, Save, StateDir};
use crate::swarm::event::{DiskEvent, Event};
use crate::sys::{in_words, lock};
use crossbeam_channel::{Receiver, Sender};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// How long the last saves may take.
const LAST_SAVES: Duration = Duration::from_secs(10);
/// How long a keeper waits for the manager to take a report of lost bytes: at the end the manager waits for the keeper.
const TELL: Duration = Duration::from_secs(1);
/// The keeper's stack: a digest, a path and a few frames.
const STACK_BYTES: usize = 128 * 1024;

/// Content whose state is kept.
pub struct Kept {
    content: Arc<Content>,
    /// What is known of its files.
    known: Mutex<Known>,
    /// What its next state is to say, until the keeper has the time to write it.
    next: Mutex<Option<Box<Save>>>,
}

impl Kept {
    /// The content is deleted, or is in another place: no state of it is written any more. (This may wait for a disk.)
    pub fn forget(&self) {
        lock(&self.known).gone = true;
    }

    /// Content, and what is `known` of its files.
    pub fn new(content: &Arc<Content>, known: Known) -> Arc<Kept> {
        Arc::new(Kept { content: Arc::clone(content), known: Mutex::new(known), next: Mutex::default() })
    }

    /// The device that the content is on.
    pub fn device(&self) -> u64 {
        self.content.device()
    }

    /// Saves a state that says which files swarmlet is making. `own`: the verified pieces in the files.
    pub fn record_making(&self, states: &StateDir, own: Bitfield) {
        lock(&self.known).record_making(states, &self.content, own);
    }
}

/// If more states than this wait for a disk, no more are added.
const MOST_WAITING: usize = 256;

/// The manager's side of the keepers.
pub struct Keeper {
    /// What each thread works with; `None`: no states are kept.
    worker: Option<Worker>,
    every: Duration,
    /// The thread of each device (`st_dev`) on which states were saved. It stays until the process ends.
    threads: BTreeMap<u64, Box<Thread>>,
}

/// What went wrong so far, on all devices.
#[derive(Default)]
struct Troubles {
    /// The person was warned.
    warned: AtomicBool,
    /// Torrents that lost something on their way to the disk.
    lossy: Mutex<BTreeSet<TorrentId>>,
}

/// The keeper of one device.
struct Thread {
    /// Content whose state is to be saved. Each is here at most once, however many states came meanwhile.
    orders: Sender<Arc<Kept>>,
    /// The end of this channel means that everything is written.
    ended: Receiver<()>,
}

impl Keeper {
    /// Starts no thread yet. Failures will be reported in one notice.
    pub fn new(config: &Config, manager: Sender<Input>, notices: Notices) -> Keeper {
        let states = config.states.clone();
        let worker = states.map(|states| Worker { states, manager, notices, troubles: Arc::default() });
        Keeper { worker, every: config.save_every, threads: BTreeMap::new() }
    }

    /// Gives a torrent's state to the thread of its device, which saves it. If an earlier one still waits, because the
    /// disk hangs or has too much to do, only this one is saved.
    pub fn save(&mut self, kept: &Arc<Kept>, save: Save) {
        let Some(worker) = &self.worker else { return };
        let thread = match self.threads.entry(kept.content.device()) {
            Entry::Occupied(thread) => thread.into_mut(),
            Entry::Vacant(place) => match Thread::start(worker.clone()) {
                Ok(thread) => place.insert(Box::new(thread)),
                Err(error) => return log::warn!("can't start a thread to save states: {error}"),
            },
        };
        if lock(&kept.next).replace(Box::new(save)).is_none() {
            let _ = thread.orders.send(Arc::clone(kept));
        }
    }

    /// Whether so much is to be written on a device that more has to wait. (What is to be written of thousands of
    /// torrents would take megabytes.)
    pub fn is_behind(&self, device: u64) -> bool {
        self.threads.get(&device).is_some_and(|thread| thread.orders.len() >= MOST_WAITING)
    }

    /// The least time between two saves of a torrent's state; `None`: no states are kept.
    pub fn every(&self) -> Option<Duration> {
        self.worker.as_ref().map(|_| self.every)
    }

    /// Waits until the last states are written, but not for `hung` devices and not forever.
    pub fn wait(&mut self, hung: &[u64]) {
        let until = Instant::now() + LAST_SAVES;
        for (device, thread) in std::mem::take(&mut self.threads) {
            let Thread { orders, ended } = *thread;
            drop(orders);
            if !hung.contains(&device) {
                let _ = ended.recv_deadline(until);
            }
        }
    }
}

impl Thread {
    fn start(worker: Worker) -> io::Result<Thread> {
        let (orders, receiver) = crossbeam_channel::unbounded();
        let (end, ended) = crossbeam_channel::bounded(0);
        let run = move || {
            receiver.iter().for_each(|kept: Arc<Kept>| worker.save(&kept));
            drop(end);
        };
        thread::Builder::new().name("keeper".into()).stack_size(STACK_BYTES).spawn(run)?;
        Ok(Thread { orders, ended })
    }
}

#[derive(Clone)]
struct Worker {
    states: Arc<StateDir>,
    manager: Sender<Input>,
    notices: Notices,
    troubles: Arc<Troubles>,
}

impl Worker {
    fn save(&self, kept: &Kept) {
        let Some(save) = lock(&kept.next).take() else { return };
        let (content, mut known) = (&kept.content, lock(&kept.known));
        let torrent = content.torrent;
        // The first state of content that was there already: a power cut costs another check, and thousands of torrents
        // that came at once do not wait for the disk one after the other.
        let is_new = known.written.is_none() && save.downloaded == 0;
        let sync = !save.in_haste;
        let state = known.take_in(content, *save);
        if let Some(error) = known.lost.take() {
            // A disk that was pulled out may come back, and what is missing then is downloaded again. If it is lost
            // once more, it would be downloaded forever.
            let is_first = lock(&self.troubles.lossy).insert(torrent);
            let event = match is_first {
                true => DiskEvent::Doubted { text: error.to_string() },
                false => DiskEvent::Failed { problem: (*error).into() },
            };
            let _ = self.manager.send_timeout(Input::Torrent { torrent, event: Event::Disk(event) }, TELL);
        }
        let Some((name, bytes)) = state else { return };
        let written = match is_new {
            true => self.states.write_first(&name, &bytes),
            false => self.states.write(&name, &bytes, sync),
        };
        let Err(error) = written else { return };
        known.written = None;
        let (path, error) = (self.states.path.display(), in_words(&error));
        let text = format!("can't save states in {path}: {error}; the next start will check all content");
        if self.troubles.warned.swap(true, Ordering::Relaxed) {
            log::warn!("{text}");
        } else {
            self.notices.tell(Notice::Warning { torrent: None, text });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testkit::{open, torrent};
    use super::*;
    use std::fs;

    #[test]
    fn a_disk_that_is_slow_gets_no_more_than_some_states_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let states = Arc::new(StateDir::open(dir.path()).unwrap());
        let (metainfo, _) = torrent(3000, &[], 1000, &[]);
        let content = open(&metainfo, dir.path(), false);
        let kept = Kept::new(&content, Known::load(&states, &content, |warning| panic!("{warning}")));
        let (manager, _inbox) = crossbeam_channel::unbounded();
        let mut keeper = Keeper::new(&Config::default(), manager, Notices::new().0);
        let (orders, _hangs) = crossbeam_channel::unbounded();
        let ended = crossbeam_channel::bounded(0).1;
        (0..MOST_WAITING - 1).for_each(|_| orders.send(Arc::clone(&kept)).unwrap());
        keeper.threads.insert(7, Box::new(Thread { orders: orders.clone(), ended }));
        assert!(!keeper.is_behind(7));
        orders.send(kept).unwrap();
        assert!(keeper.is_behind(7) && !keeper.is_behind(8), "other disks go on");
    }

    #[test]
    fn what_could_not_be_saved_is_told_once_and_saved_as_soon_as_that_is_possible() {
        let dir = tempfile::tempdir().unwrap();
        let states = Arc::new(StateDir::open(dir.path()).unwrap());
        let (metainfo, _) = torrent(3000, &[], 1000, &[]);
        let content = open(&metainfo, dir.path(), false);
        let kept = Kept::new(&content, Known::load(&states, &content, |warning| panic!("{warning}")));
        let (notices, told) = Notices::new();
        let (manager, _inbox) = crossbeam_channel::unbounded();
        let worker = Worker { states, manager, notices, troubles: Arc::default() };
        let save = |uploaded| {
            let save = Save { have: Bitfield::new(3), uploaded, downloaded: 0, in_haste: false };
            *lock(&kept.next) = Some(Box::new(save));
            worker.save(&kept);
        };
        let saved = || fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).next();
        save(1);
        let state = saved().unwrap();
        fs::remove_file(&state).unwrap();
        // In the way of the file.
        fs::create_dir(&state).unwrap();
        save(2);
        save(3);
        let told: Vec<Notice> = told.try_iter().collect();
        assert!(matches!(&told[..], [Notice::Warning { text, .. }] if text.contains("can't save states")), "{told:?}");
        fs::remove_dir(&state).unwrap();
        save(3);
        assert_eq!(saved(), Some(state), "it says the same as the one that could not be written");
    }
}
