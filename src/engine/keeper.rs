//! Keepers: a thread for each device that writes the [resume states](crate::storage::resume) of its torrents, so that
//! the manager does not wait for the disk.
//!
//! Floor 3. The manager decides when a state is due and what it contains; the keeper looks at the files and writes the
//! state.

use super::config::Config;
use super::devices::Devices;
use super::input::Input;
use super::notice::Notice;
use crate::storage::TorrentId;
use crate::storage::content::Content;
use crate::storage::resume::{Known, Save, StateDir};
use crate::swarm::event::{DiskEvent, Event};
use crate::sys::{in_words, lock};
use crossbeam_channel::{Receiver, Sender, TryRecvError};
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

enum Order {
    Begin(TorrentId, Arc<Content>, Box<Known>),
    Save(TorrentId, Save),
    End(TorrentId),
}

/// The manager's side of the keepers.
pub struct Keeper {
    /// `None`: no states are kept.
    states: Option<Arc<StateDir>>,
    manager: Sender<Input>,
    notices: Sender<Notice>,
    every: Duration,
    troubles: Arc<Troubles>,
    devices: Devices<Thread>,
    /// The threads that were dismissed. The end of the channel means that everything is written.
    ending: Vec<(u64, Receiver<()>)>,
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
    orders: Sender<Order>,
    ended: Receiver<()>,
}

impl Keeper {
    /// Starts no thread yet. Failures will be reported in one notice.
    pub fn new(config: &Config, manager: Sender<Input>, notices: Sender<Notice>) -> Keeper {
        let (states, every) = (config.states.clone(), config.save_every);
        let (troubles, devices, ending) = (Arc::default(), Devices::default(), Vec::new());
        Keeper { states, manager, notices, every, troubles, devices, ending }
    }

    /// A torrent begins. Starts the thread of its device unless it runs already.
    pub fn begin(&mut self, content: &Arc<Content>, known: Option<Box<Known>>) {
        let (Some(states), Some(known)) = (&self.states, known) else { return };
        let torrent = content.torrent;
        let worker = || Worker {
            states: Arc::clone(states),
            manager: self.manager.clone(),
            notices: self.notices.clone(),
            troubles: Arc::clone(&self.troubles),
            torrents: BTreeMap::new(),
        };
        match self.devices.begin(torrent, content.device(), || Thread::start(worker())) {
            Ok((thread, _)) => drop(thread.orders.send(Order::Begin(torrent, Arc::clone(content), known))),
            Err(error) => log::warn!("can't start a thread to save states: {error}"),
        }
    }

    /// A torrent has ended. Its last state must have been saved before.
    pub fn end(&mut self, torrent: TorrentId) {
        let Some((thread, _)) = self.devices.of(torrent) else { return };
        let _ = thread.orders.send(Order::End(torrent));
        self.ending.retain(|(_, ended)| ended.try_recv() == Err(TryRecvError::Empty));
        self.ending.extend(self.devices.end(torrent).map(|(device, thread)| (device, thread.ended)));
    }

    /// The least time between two saves of a torrent's state; `None`: no states are kept.
    pub fn every(&self) -> Option<Duration> {
        self.states.as_ref().map(|_| self.every)
    }

    /// Whether a torrent's disk hangs or has too much to do: further orders would only take memory.
    pub fn is_behind(&mut self, torrent: TorrentId) -> bool {
        self.devices.of(torrent).is_some_and(|(thread, torrents)| thread.orders.len() > *torrents)
    }

    /// Saves a torrent's state.
    pub fn save(&mut self, torrent: TorrentId, save: Save) {
        if let Some((thread, _)) = self.devices.of(torrent) {
            let _ = thread.orders.send(Order::Save(torrent, save));
        }
    }

    /// Waits until the last states are written, but not for `hung` devices and not forever.
    pub fn wait(&self, hung: &[u64]) {
        let until = Instant::now() + LAST_SAVES;
        for (_, ended) in self.ending.iter().filter(|(device, _)| !hung.contains(device)) {
            let _ = ended.recv_deadline(until);
        }
    }
}

impl Thread {
    fn start(worker: Worker) -> io::Result<Thread> {
        let (orders, receiver) = crossbeam_channel::unbounded();
        let (end, ended) = crossbeam_channel::bounded(0);
        let run = move || {
            worker.run(&receiver);
            drop(end);
        };
        thread::Builder::new().name("keeper".into()).stack_size(STACK_BYTES).spawn(run)?;
        Ok(Thread { orders, ended })
    }
}

struct Worker {
    states: Arc<StateDir>,
    manager: Sender<Input>,
    notices: Sender<Notice>,
    troubles: Arc<Troubles>,
    torrents: BTreeMap<TorrentId, (Arc<Content>, Box<Known>)>,
}

impl Worker {
    fn run(mut self, orders: &Receiver<Order>) {
        for order in orders {
            match order {
                Order::Begin(torrent, content, known) => drop(self.torrents.insert(torrent, (content, known))),
                Order::Save(torrent, save) => self.save(torrent, save),
                Order::End(torrent) => drop(self.torrents.remove(&torrent)),
            }
        }
    }

    fn save(&mut self, torrent: TorrentId, save: Save) {
        let Some((content, known)) = self.torrents.get_mut(&torrent) else { return };
        let sync = !save.in_haste;
        let state = known.take_in(content, save);
        if let Some(error) = known.lost.take() {
            // A disk that was pulled out may come back, and what is missing then is downloaded again. If it is lost
            // once more, it would be downloaded forever.
            let is_first = lock(&self.troubles.lossy).insert(torrent);
            let event = match is_first {
                true => DiskEvent::Doubted { text: error.to_string() },
                false => DiskEvent::Failed { problem: error.into() },
            };
            let _ = self.manager.send_timeout(Input::Torrent { torrent, event: Event::Disk(event) }, TELL);
        }
        let Some((name, bytes)) = state else { return };
        let Err(error) = self.states.write(&name, &bytes, sync) else { return };
        known.written = None;
        let (path, error) = (self.states.path.display(), in_words(&error));
        let text = format!("can't save states in {path}: {error}; the next start will check all content");
        if self.troubles.warned.swap(true, Ordering::Relaxed) {
            log::warn!("{text}");
        } else {
            let _ = self.notices.send(Notice::Warning { text });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testkit::{open, torrent};
    use super::*;
    use crate::proto::peer::bitfield::Bitfield;
    use std::fs;

    #[test]
    fn what_could_not_be_saved_is_told_once_and_saved_as_soon_as_that_is_possible() {
        let dir = tempfile::tempdir().unwrap();
        let states = Arc::new(StateDir::open(dir.path()).unwrap());
        let (metainfo, _) = torrent(3000, &[], 1000, &[]);
        let content = open(&metainfo, dir.path(), false);
        let known = Box::new(Known::load(&states, &content, |warning| panic!("{warning}")));
        let (notices, told) = crossbeam_channel::unbounded();
        let torrents = BTreeMap::from([(TorrentId(0), (content, known))]);
        let (manager, _inbox) = crossbeam_channel::unbounded();
        let mut worker = Worker { states, manager, notices, torrents, troubles: Arc::default() };
        let mut save = |uploaded| {
            worker.save(TorrentId(0), Save { have: Bitfield::new(3), uploaded, downloaded: 0, in_haste: false });
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
        assert!(matches!(&told[..], [Notice::Warning { text }] if text.contains("can't save states")), "{told:?}");
        fs::remove_dir(&state).unwrap();
        save(3);
        assert_eq!(saved(), Some(state), "it says the same as the one that could not be written");
    }
}
