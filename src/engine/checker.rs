//! The checker: opens content and finds out which pieces it has, so that the manager does not wait for the disk.
//!
//! Floor 3. The torrents of one device are checked one after another, so that a disk does not jump between them;
//! different devices are checked side by side. So a disk that hangs stops only its own torrents. The device of a folder
//! is known only after the folder was opened, and opening it may hang too. So the torrents of one folder are opened one
//! after another, on a thread of the folder; a torrent whose own file or folder may be a mount point is opened on a
//! thread of its own.

use super::config::{Config, Job};
use super::disk::{Choosing, failed};
use super::input::Input;
use super::notice::Notice;
use crate::storage::TorrentId;
use crate::storage::check::{self, CheckedContent, newly};
use crate::storage::content::cache::FileCache;
use crate::storage::content::{Content, Warn};
use crate::storage::error::ContentError;
use crate::swarm::event::{DiskEvent, Event};
use crate::sys::lock;
use crate::sys::mounts::Mounts;
use crossbeam_channel::{Receiver, Sender};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::Path;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Most threads at once. If more folders than this are on disks that hang, all later torrents wait for them.
const MOST_THREADS: usize = 64;
/// How long a thread waits for another torrent of its folder: to start it again costs as much as to check a small
/// torrent, and they come in quick succession.
const LINGER: Duration = Duration::from_millis(10);

/// Content to be opened and checked.
pub enum Check {
    /// For the first time.
    New {
        /// The torrent.
        torrent: TorrentId,
        /// The torrent, and where its content is or goes.
        job: Box<Job>,
        /// Counts the pieces that are done.
        progress: Arc<AtomicU32>,
    },
    /// Another program changed its files, or its disk was gone.
    Again {
        /// As it was open before.
        content: Arc<Content>,
    },
    /// Its files stay, and others are wanted from now on. [`DiskEvent::Chosen`] follows.
    Choose(Arc<Choosing>),
}

impl Check {
    /// The folder in whose queue it waits to be opened: that of the content, or the content itself if it may be a mount
    /// point.
    fn folder(&self, mounts: &mut Mounts) -> Arc<Path> {
        let (dir, name) = match self {
            Check::New { job, .. } => (&*job.dir, &job.metainfo.name),
            Check::Again { content } => (&*content.dir, &content.metainfo.name),
            Check::Choose(choosing) => (&*choosing.content.dir, &choosing.content.metainfo.name),
        };
        if mounts.are_at(name) { dir.join(name).into() } else { dir.into() }
    }
}

/// Content that is open, and is to be checked.
struct Opened {
    content: Content,
    /// Do not trust the state of the last run.
    check_all: bool,
    progress: Arc<AtomicU32>,
}

/// What the threads share.
struct Checker {
    manager: Sender<Input>,
    /// Tells the person of warnings.
    warn: Arc<Warn>,
    config: Config,
    files: Arc<FileCache>,
    /// Content to be opened, by its folder.
    folders: Queues<Arc<Path>, Check>,
    /// Content to be checked, by its device.
    devices: Queues<u64, Opened>,
}

/// Starts the checker. Results go to `manager`, warnings for the person to `notices`.
pub fn start(manager: Sender<Input>, notices: Sender<Notice>, config: &Config) -> io::Result<Sender<Check>> {
    let (sender, checks) = crossbeam_channel::unbounded::<Check>();
    let warn = move |torrent, text| drop(notices.send(Notice::Warning { torrent: Some(torrent), text }));
    let checker = Arc::new(Checker {
        manager,
        warn: Arc::new(warn),
        config: config.clone(),
        files: Arc::default(),
        folders: Queues::new(LINGER),
        devices: Queues::new(Duration::ZERO),
    });
    thread::Builder::new().name("checker".into()).spawn(move || checker.run(&checks))?;
    Ok(sender)
}

impl Checker {
    fn run(self: Arc<Checker>, checks: &Receiver<Check>) {
        let (take_place, leave_place) = crossbeam_channel::bounded::<()>(MOST_THREADS);
        let mut mounts = Mounts::default();
        for check in checks {
            let folder = check.folder(&mut mounts);
            if !self.folders.join(Arc::clone(&folder), check) {
                continue;
            }
            let _ = take_place.send(());
            let (checker, of, leave) = (Arc::clone(&self), Arc::clone(&folder), leave_place.clone());
            let run = move || {
                checker.serve(&of);
                let _ = leave.recv();
            };
            if thread::Builder::new().name("check".into()).spawn(run).is_err() {
                // If no thread can be started, this one does the work.
                self.serve(&folder);
                let _ = leave_place.recv();
            }
        }
    }

    /// Opens the content of a folder. If no other thread checks content of its device, checks it and what is added to
    /// the device meanwhile.
    fn serve(&self, folder: &Arc<Path>) {
        while let Some(check) = self.folders.next(folder) {
            let Some((torrent, opened)) = self.open(check) else { continue };
            match opened {
                Err(error) => self.tell(torrent, Err(error)),
                Ok(opened) => {
                    let device = opened.content.device();
                    if self.devices.join(device, opened) {
                        while let Some(opened) = self.devices.next(&device) {
                            self.tell(opened.content.torrent, self.check(opened));
                        }
                    }
                }
            }
        }
    }

    /// Opens content that is to be checked. `None`: nothing is to be checked.
    fn open(&self, check: Check) -> Option<(TorrentId, Result<Opened, ContentError>)> {
        let (torrent, content, check_all, progress) = match check {
            Check::New { torrent, job, progress } => {
                let Job { metainfo, dir, choice, duty, description, .. } = *job;
                let content = Content::open(torrent, metainfo, &dir, Arc::clone(&self.files), self.config.preallocate);
                let content = content.map(|mut content| {
                    (content.duty, content.overwrite) = (duty, self.config.overwrite);
                    content.description = description;
                    content.choose(choice)
                });
                (torrent, content, self.config.check_all, progress)
            }
            Check::Again { content } => {
                // A write that has begun ends first. No other begins, because the content is in doubt.
                drop(content.health.take_turn());
                (content.torrent, content.open_again(), false, Arc::default())
            }
            Check::Choose(choosing) => {
                self.choose(&choosing);
                return None;
            }
        };
        Some((torrent, content.map(|content| Opened { content, check_all, progress })))
    }

    /// Gets content ready for another choice of files.
    fn choose(&self, choosing: &Choosing) {
        let Choosing { content, choice, have, kept, .. } = choosing;
        let record = |own| {
            if let (Some(kept), Some(states)) = (kept, &self.config.states) {
                kept.record_making(states, own);
            }
        };
        let tell = |event| {
            let _ = self.manager.send(Input::Torrent { torrent: content.torrent, event: Event::Disk(event) });
        };
        let done = newly::choose(content, choice.clone(), have, record).unwrap_or_else(|error| {
            failed(content, None, error).into_iter().for_each(tell);
            false
        });
        tell(DiskEvent::Chosen { done });
    }

    fn check(&self, opened: Opened) -> Result<CheckedContent, ContentError> {
        let Opened { content, check_all, progress } = opened;
        check::begin(content, self.config.states.as_deref(), check_all, Arc::clone(&self.warn), &progress)
    }

    fn tell(&self, torrent: TorrentId, result: Result<CheckedContent, ContentError>) {
        // The manager is gone only when the process ends.
        let _ = self.manager.send(Input::Checked { torrent, result: result.map(Box::new) });
    }
}

/// What waits under one key. (In a box: maps whose values are boxes share their code.)
struct Queue<T> {
    things: VecDeque<T>,
}

/// Queues, one per key; one thread serves each until it is empty.
struct Queues<K, T> {
    queues: Mutex<BTreeMap<K, Box<Queue<T>>>>,
    /// Signalled when something was added to a queue that has a thread.
    added: Condvar,
    /// How long a thread waits for more before it ends.
    linger: Duration,
}

impl<K: Ord, T> Queues<K, T> {
    fn new(linger: Duration) -> Queues<K, T> {
        Queues { queues: Mutex::default(), added: Condvar::new(), linger }
    }

    /// Adds `thing` at the end of the queue `key`. Returns whether the queue is new: then the caller must serve it.
    fn join(&self, key: K, thing: T) -> bool {
        let mut queues = lock(&self.queues);
        let is_new = !queues.contains_key(&key);
        let queue = queues.entry(key).or_insert_with(|| Box::new(Queue { things: VecDeque::new() }));
        queue.things.push_back(thing);
        if !is_new && queue.things.len() == 1 {
            self.added.notify_all();
        }
        is_new
    }

    /// Takes the first thing of a queue. `None`: it was empty and has ended.
    fn next(&self, key: &K) -> Option<T> {
        let is_empty =
            |queues: &mut BTreeMap<K, Box<Queue<T>>>| queues.get(key).is_none_or(|queue| queue.things.is_empty());
        let waited = self.added.wait_timeout_while(lock(&self.queues), self.linger, is_empty);
        let mut queues = waited.unwrap_or_else(PoisonError::into_inner).0;
        let next = queues.get_mut(key).and_then(|queue| queue.things.pop_front());
        if next.is_none() {
            queues.remove(key);
        }
        next
    }
}
