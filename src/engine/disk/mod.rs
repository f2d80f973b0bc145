//! Disk threads: they write blocks and verify pieces. Each device has its own, so a disk that hangs stops only its own
//! torrents.
//!
//! Floor 3. A piece always goes to the same thread, so its blocks need no lock. This file is the manager's side of the
//! threads; what they do is in `disk/worker.rs`.

mod choosing;
mod tries;
mod worker;

pub use choosing::Choosing;

use super::input::Input;
use super::peer::blocks::Blocks;
use crate::base::time::{Time, sooner};
use crate::storage::content::Content;
use crate::swarm::event::DiskOrder;
use crate::swarm::standing::Problem;
use crate::sys::cores;
use crossbeam_channel::Sender;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use worker::Worker;
pub use worker::failed;

/// Most disk threads of a device. Hashing is all they do at length, and few of the machines we run on have more cores
/// to spare.
const MOST_THREADS: usize = 4;
/// The size of their stacks: a SHA-1 and a few frames.
const STACK_BYTES: usize = 64 * 1024;

/// Blocks wait until there are this many bytes for one thread, because waking it costs as much as a block ...
const GATHER_BYTES: u64 = 256 * 1024;
/// ... but all threads together let only this part of the budget wait ...
const GATHER_SHARE: u64 = 8;
/// ... and no block waits for longer than this.
const GATHER_TIME: Time = Time::from_millis(100);

/// Work for a disk thread.
pub enum DiskJob {
    /// What a torrent wants of its content.
    Order(Arc<Content>, DiskOrder),
    /// Forget everything of a torrent: it ended, or is checked again. (The thread may be the last one that uses the
    /// content; then the files are closed here, however long that takes.)
    Forget(Arc<Content>),
    /// Another choice of files, when everything before this is done.
    Choose(Arc<Choosing>),
    /// Report when everything before this is done.
    Finish,
}

/// The disk threads of all devices.
pub struct Disk {
    manager: Sender<Input>,
    blocks: Blocks,
    room: Room,
    /// The threads of each device (`st_dev`) that torrents are on. (In boxes: maps from numbers to boxes share their
    /// code.)
    pub devices: BTreeMap<u64, Box<Pool>>,
}

/// The disk threads of a device.
#[derive(Default)]
pub struct Pool {
    /// How many torrents are on the device.
    torrents: usize,
    threads: Vec<Thread>,
    /// Threads that have not yet done everything that came before [`Disk::finish`].
    busy: usize,
}

/// The manager's side of a disk thread.
struct Thread {
    sender: Sender<Vec<DiskJob>>,
    /// Jobs that are sent to it together, so that it is woken once for many blocks.
    gathered: Vec<DiskJob>,
    /// Bytes of the blocks among them.
    bytes: u64,
    /// When the first of them came.
    since: Time,
    /// They are not to wait for more.
    urgent: bool,
}

impl Thread {
    /// When the gathered jobs are sent.
    fn send_at(&self) -> Option<Time> {
        let at = if self.urgent { Time::ZERO } else { self.since + GATHER_TIME };
        (!self.gathered.is_empty()).then_some(at)
    }

    fn add_urgent(&mut self, job: DiskJob) {
        self.urgent = true;
        self.gathered.push(job);
    }
}

/// The memory that all disk threads share.
#[derive(Clone)]
struct Room {
    budget_bytes: u64,
    /// How many disk threads run.
    threads: Arc<AtomicUsize>,
}

impl Room {
    /// One thread's part of the given share of the budget, which all threads together may use.
    fn part_of(&self, share: u64) -> u64 {
        self.budget_bytes / share / self.threads.load(Ordering::Relaxed).max(1) as u64
    }
}

impl Disk {
    /// Starts no threads yet. Their results will go to `manager`. `budget_bytes`: the most that may be on its way to
    /// disk.
    pub fn new(manager: &Sender<Input>, blocks: &Blocks, budget_bytes: u64) -> Disk {
        let room = Room { budget_bytes, threads: Arc::default() };
        Disk { manager: manager.clone(), blocks: blocks.clone(), room, devices: BTreeMap::new() }
    }

    /// A torrent's content was opened. Starts the threads of its device unless they run already.
    pub fn begin(&mut self, content: &Content) -> Result<(), Problem> {
        let device = content.device();
        let pool = match self.devices.entry(device) {
            Entry::Occupied(pool) => pool.into_mut(),
            Entry::Vacant(place) => {
                let pool = Pool::start(device, &self.manager, &self.blocks, &self.room);
                let words = |error| Problem::io(format!("can't start a thread for its disk: {error}"));
                place.insert(Box::new(pool.map_err(words)?))
            }
        };
        pool.torrents += 1;
        Ok(())
    }

    /// Forgets everything about a torrent that has ended, or whose content was opened again. The threads end with the
    /// last torrent of their device.
    pub fn end(&mut self, content: &Arc<Content>) {
        self.forget(content);
        self.send(Time::ZERO);
        if let Entry::Occupied(mut pool) = self.devices.entry(content.device()) {
            pool.get_mut().torrents -= 1;
            if pool.get().torrents == 0 {
                pool.remove();
            }
        }
    }

    /// Gives an order to the thread of its piece, which gets it with the next [`Disk::send`].
    pub fn give(&mut self, content: &Arc<Content>, order: DiskOrder, now: Time) {
        let piece = match &order {
            DiskOrder::Write { piece, .. } | DiskOrder::Restart { piece } => *piece,
            DiskOrder::Probe { block, .. } => block.map_or(0, |block| block.piece),
            DiskOrder::CheckAgain => return self.forget(content),
            // It comes by `choose`.
            DiskOrder::Choose { .. } => return,
        };
        if let Some(pool) = self.devices.get_mut(&content.device()) {
            let number = piece as usize % pool.threads.len();
            let thread = &mut pool.threads[number];
            if thread.gathered.is_empty() {
                thread.since = now;
            }
            let may_wait = match &order {
                DiskOrder::Write { data, last, .. } => {
                    thread.bytes += data.len() as u64;
                    !last && thread.bytes < GATHER_BYTES.min(self.room.part_of(GATHER_SHARE))
                }
                _ => false,
            };
            thread.urgent |= !may_wait;
            thread.gathered.push(DiskJob::Order(Arc::clone(content), order));
        }
    }

    /// Hands a choice of files to all threads of the content's device.
    pub fn choose(&mut self, choosing: Choosing) {
        let Some(pool) = self.devices.get_mut(&choosing.content.device()) else { return };
        let choosing = Arc::new(Choosing { threads: AtomicUsize::new(pool.threads.len()), ..choosing });
        pool.threads.iter_mut().for_each(|thread| thread.add_urgent(DiskJob::Choose(Arc::clone(&choosing))));
    }

    /// Lets all threads forget what was received of a torrent: what they keep of it is memory that others wait for.
    fn forget(&mut self, content: &Arc<Content>) {
        for thread in self.devices.get_mut(&content.device()).into_iter().flat_map(|pool| &mut pool.threads) {
            thread.add_urgent(DiskJob::Forget(Arc::clone(content)));
        }
    }

    /// Each thread will report when it has done everything before this: [`Input::DiskDone`], then [`Disk::done`].
    pub fn finish(&mut self) {
        for pool in self.devices.values_mut() {
            pool.threads.iter_mut().for_each(|thread| thread.add_urgent(DiskJob::Finish));
            pool.busy = pool.threads.len();
        }
    }

    /// A thread of `device` has done everything that came before [`Disk::finish`].
    pub fn done(&mut self, device: u64) {
        if let Some(pool) = self.devices.get_mut(&device) {
            pool.busy -= 1;
        }
    }

    /// The devices whose threads have not yet done everything that came before [`Disk::finish`].
    pub fn busy(&self) -> Vec<u64> {
        self.devices.iter().filter(|(_, pool)| pool.busy > 0).map(|(device, _)| *device).collect()
    }

    /// Sends the gathered jobs to the threads. (The budget, in which every block is counted, limits their queues.)
    pub fn send(&mut self, now: Time) {
        for thread in self.devices.values_mut().flat_map(|pool| &mut pool.threads) {
            if thread.send_at().is_some_and(|at| at <= now) {
                (thread.bytes, thread.urgent) = (0, false);
                let _ = thread.sender.send(std::mem::take(&mut thread.gathered));
            }
        }
    }
}

impl Disk {
    /// When jobs that are still gathered must be sent.
    pub fn send_at(&self) -> Option<Time> {
        self.devices.values().flat_map(|pool| &pool.threads).map(Thread::send_at).fold(None, sooner)
    }
}

impl Pool {
    fn start(device: u64, manager: &Sender<Input>, blocks: &Blocks, room: &Room) -> io::Result<Pool> {
        let mut pool = Pool::default();
        for number in 0..cores().min(MOST_THREADS) {
            let (jobs, receiver) = crossbeam_channel::unbounded();
            let worker = Worker::new(device, manager.clone(), blocks.clone(), room.clone());
            let builder = thread::Builder::new().name(format!("disk {number}")).stack_size(STACK_BYTES);
            builder.spawn(move || worker.run(&receiver))?;
            pool.threads.push(Thread {
                sender: jobs,
                gathered: Vec::new(),
                bytes: 0,
                since: Time::ZERO,
                urgent: false,
            });
        }
        Ok(pool)
    }
}

#[cfg(test)]
mod tests;
