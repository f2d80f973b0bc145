//! The keeper: a thread that writes the [resume states](crate::storage::resume), so that the manager need not wait for the disk.
//!
//! Floor 3. The manager says when a state is due, and what it is to say; the keeper looks at the files and writes.

use super::input::Input;
use super::{Config, Notice};
use crate::storage::TorrentId;
use crate::storage::content::Content;
use crate::storage::resume::{Known, Save, StateDir};
use crate::swarm::event::{DiskEvent, Event};
use crate::sys::in_words;
use crossbeam_channel::{Receiver, Sender};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// How long the last saves may take.
const LAST_SAVES: Duration = Duration::from_secs(10);
/// How long the manager may take to hear of a loss: at the end it waits for us.
const TELL: Duration = Duration::from_secs(1);
/// The keeper's stack: a digest, a path and a few frames.
const STACK_BYTES: usize = 128 * 1024;

enum Order {
    Begin(TorrentId, Arc<Content>, Box<Known>),
    Save(TorrentId, Save),
    End(TorrentId),
}

/// The manager's end of the keeper.
pub struct Keeper {
    /// `None`: no states are kept, or the last ones were ordered.
    orders: Option<Sender<Order>>,
    /// Its end tells that all is written.
    ended: Receiver<()>,
    every: Duration,
}

impl Keeper {
    /// Starts the thread, if states are to be kept. What goes wrong is told in a notice, once.
    pub fn start(config: &Config, manager: Sender<Input>, notices: Sender<Notice>) -> io::Result<Keeper> {
        let (orders, receiver) = crossbeam_channel::unbounded();
        let (end, ended) = crossbeam_channel::bounded(1);
        let mut keeper = Keeper { orders: None, ended, every: config.save_every };
        if let Some(states) = config.states.clone() {
            let (torrents, lossy) = (BTreeMap::new(), BTreeSet::new());
            let worker = Worker { states, manager, notices, torrents, lossy, warned: false };
            let run = move || {
                worker.run(&receiver);
                drop(end);
            };
            thread::Builder::new().name("keeper".into()).stack_size(STACK_BYTES).spawn(run)?;
            keeper.orders = Some(orders);
        }
        Ok(keeper)
    }

    /// A torrent begins.
    pub fn begin(&self, torrent: TorrentId, content: Arc<Content>, known: Option<Box<Known>>) {
        if let (Some(orders), Some(known)) = (&self.orders, known) {
            let _ = orders.send(Order::Begin(torrent, content, known));
        }
    }

    /// The least time between two saves of a torrent's state; `None`: no states are kept.
    pub fn every(&self) -> Option<Duration> {
        self.orders.as_ref().map(|_| self.every)
    }

    /// Saves a torrent's state.
    pub fn save(&self, torrent: TorrentId, save: Save) {
        if let Some(orders) = &self.orders {
            let _ = orders.send(Order::Save(torrent, save));
        }
    }

    /// A torrent ended: nothing of it is saved any more.
    pub fn end(&self, torrent: TorrentId) {
        if let Some(orders) = &self.orders {
            let _ = orders.send(Order::End(torrent));
        }
    }

    /// No state is saved after this.
    pub fn finish(&mut self) {
        self.orders = None;
    }

    /// Waits until the last states are written, but not forever.
    pub fn wait(&self) {
        let _ = self.ended.recv_timeout(LAST_SAVES);
    }
}

struct Worker {
    states: Arc<StateDir>,
    manager: Sender<Input>,
    notices: Sender<Notice>,
    torrents: BTreeMap<TorrentId, (Arc<Content>, Box<Known>)>,
    /// Torrents of which a disk lost something.
    lossy: BTreeSet<TorrentId>,
    warned: bool,
}

impl Worker {
    fn run(mut self, orders: &Receiver<Order>) {
        for order in orders {
            match order {
                Order::Begin(torrent, content, known) => drop(self.torrents.insert(torrent, (content, known))),
                Order::Save(torrent, save) => self.save(torrent, save),
                Order::End(torrent) => {
                    self.torrents.remove(&torrent);
                    self.lossy.remove(&torrent);
                }
            }
        }
    }

    fn save(&mut self, torrent: TorrentId, save: Save) {
        let Some((content, known)) = self.torrents.get_mut(&torrent) else { return };
        let sync = !save.in_haste;
        let state = known.take_in(content, save);
        if let Some(error) = known.take_lost() {
            // A disk that was pulled out may come back, and what is missing then is fetched again. But what is lost
            // once more then would be fetched for ever.
            let input = match self.lossy.insert(torrent) {
                true => Input::Torrent { torrent, event: Event::Disk(DiskEvent::Doubted { text: error.to_string() }) },
                false => Input::DiskFailed { torrent, error },
            };
            let _ = self.manager.send_timeout(input, TELL);
        }
        let Some((name, bytes)) = state else { return };
        let Err(error) = self.states.write(&name, &bytes, sync) else { return };
        known.not_written();
        let (path, error) = (self.states.path().display(), in_words(&error));
        let text = format!("can't save states in {path}: {error}; the next start will check all content");
        if self.warned {
            log::warn!("{text}");
        } else {
            self.warned = true;
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
        let lossy = BTreeSet::new();
        let mut worker = Worker { states, manager, notices, torrents, lossy, warned: false };
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
