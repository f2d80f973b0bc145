//! The checker: opens content and finds out which pieces it has, so that the manager does not wait for the disk.
//!
//! Floor 3. The torrents of one device are checked one after another, so that a disk does not jump between them;
//! different devices are checked side by side. So a disk that hangs stops only its own torrents. The device of a folder
//! is known only after the folder was opened, and opening it may hang too. So the torrents of one folder are opened one
//! after another, on a thread of the folder; a torrent whose own file or folder may be a mount point is opened on a
//! thread of its own. Moves take long, so each device has a thread for them, and another one for deletions.

mod moving;
pub mod outcome;
pub mod task;

use super::config::{Config, Job};
use super::disk::{Choosing, failed};
use super::input::Input;
use super::notice::{Notice, Notices};
use crate::storage::check::{CheckedContent, Trust, newly};
use crate::storage::content::cache::FileCache;
use crate::storage::content::renamed::Renamed;
use crate::storage::content::{Content, Place, Warn};
use crate::storage::error::{ContentError, Doing};
use crate::storage::resume::journal::Journal;
use crate::storage::{Progress, TorrentId};
use crate::swarm::event::{DiskEvent, Event};
use crate::sys::lock;
use crate::sys::mounts::Mounts;
use crossbeam_channel::{Receiver, Sender};
pub use outcome::{Done, Ended, Refused, Retry};
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;
use std::{fs, io, thread};
pub use task::{Check, Task};

/// Most threads at once. If more folders than this are on disks that hang, all later torrents wait for them.
const MOST_THREADS: usize = 64;
/// How long a thread waits for another torrent of its folder: to start it again costs as much as to check a small
/// torrent, and they come in quick succession.
const LINGER: Duration = Duration::from_millis(10);

/// Makes the folder of a job if it is missing and may be made.
fn make_dir(job: &Job) -> Result<(), ContentError> {
    let Some(below) = job.make_below.as_ref().filter(|_| !job.dir.exists()) else { return Ok(()) };
    let made = fs::metadata(below).and_then(|_| fs::create_dir_all(&job.dir));
    made.map_err(|error| ContentError { doing: Doing::Making, path: job.dir.to_path_buf(), error })
}

/// The queue in which something waits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Lane {
    /// To be opened: the folder of the content, or the content itself if it may be a mount point.
    Folder(Arc<Path>),
    /// To be moved or renamed, which may take hours: the device that it is on.
    Moves(u64),
    /// To be deleted: the device that it is on.
    Deletions(u64),
}

impl Check {
    fn lane(&self, mounts: &mut Mounts) -> Lane {
        let (dir, name) = match self {
            Check::New { job, .. } => (&*job.dir, &*job.metainfo.name),
            Check::Again { content, task: Task::Check | Task::Verify, .. } => (&*content.dir, &*content.metainfo.name),
            Check::Choose(choosing) => (&*choosing.content.dir, &*choosing.content.metainfo.name),
            Check::Again { content, .. } => return Lane::Moves(content.device()),
            Check::Delete { content, .. } => return Lane::Deletions(content.device()),
            Check::ForgetMove(_) => return Lane::Deletions(0),
        };
        Lane::Folder(if mounts.are_at(name) { dir.join(name).into() } else { dir.into() })
    }
}

/// Content that is open, and is to be checked.
struct Opened {
    content: Content,
    /// What is believed without reading.
    trust: Trust,
    progress: Arc<Progress>,
}

/// What the threads share.
struct Checker {
    manager: Sender<Input>,
    notices: Notices,
    /// Tells the person of warnings.
    warn: Arc<Warn>,
    config: Config,
    files: Arc<FileCache>,
    /// What is to be done, except the checks.
    lanes: Queues<Lane, Check>,
    /// Content to be checked, by its device.
    devices: Queues<u64, Opened>,
}

/// Starts the checker. Results go to `manager`, warnings for the person to `notices`.
pub fn start(manager: Sender<Input>, notices: Notices, config: &Config) -> io::Result<Sender<Check>> {
    let (sender, checks) = crossbeam_channel::unbounded::<Check>();
    let tell = notices.clone();
    let warn = move |torrent, text| tell.tell(Notice::Warning { torrent: Some(torrent), text });
    let checker = Arc::new(Checker {
        manager,
        notices,
        warn: Arc::new(warn),
        config: config.clone(),
        files: Arc::default(),
        lanes: Queues::new(LINGER),
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
            let lane = check.lane(&mut mounts);
            if !self.lanes.join(lane.clone(), check) {
                continue;
            }
            let _ = take_place.send(());
            let (checker, of, leave) = (Arc::clone(&self), lane.clone(), leave_place.clone());
            let run = move || {
                checker.serve(&of);
                let _ = leave.recv();
            };
            if thread::Builder::new().name("check".into()).spawn(run).is_err() {
                // If no thread can be started, this one does the work.
                self.serve(&lane);
                let _ = leave_place.recv();
            }
        }
    }

    /// Does what waits in a lane. If content was opened and no other thread checks content of its device, checks it and
    /// what is added to the device meanwhile.
    fn serve(self: &Arc<Checker>, lane: &Lane) {
        while let Some(check) = self.lanes.next(lane) {
            let (torrent, opened) = match check {
                Check::New { torrent, job, progress } => (torrent, self.open(torrent, job, progress)),
                Check::Again { content, runs, have, task: task @ (Task::Check | Task::Verify), progress, .. } => {
                    content.note_changes(have.as_ref());
                    (content.torrent, self.open_again(&content, runs, &task, progress))
                }
                Check::Again { content, have, task, progress, kept, .. } => {
                    self.answer(content.torrent, self.relocate(&content, have, &task, kept, &progress));
                    continue;
                }
                Check::Choose(choosing) => {
                    self.choose(&choosing);
                    continue;
                }
                Check::Delete { content, have, kept } => {
                    self.delete(&content, have.as_ref(), kept);
                    continue;
                }
                Check::ForgetMove(info_hash) => {
                    self.config.states.iter().for_each(|states| states.remove_journal(info_hash));
                    continue;
                }
            };
            match opened {
                Err(refused) => self.tell(torrent, Err(refused), Done::default()),
                Ok(opened) if let Some(journal) = self.interrupted(&opened.content) => {
                    self.go_on_apart(opened, journal);
                }
                Ok(opened) => {
                    let device = opened.content.device();
                    if self.devices.join(device, opened) {
                        while let Some(opened) = self.devices.next(&device) {
                            self.check(opened);
                        }
                    }
                }
            }
        }
    }

    /// Opens the content of a job.
    fn open(&self, torrent: TorrentId, mut job: Box<Job>, progress: Arc<Progress>) -> Result<Opened, Box<Refused>> {
        job.unopened = None;
        let wrong =
            |why| ContentError { doing: Doing::Using, path: job.dir.to_path_buf(), error: io::Error::other(why) };
        let place = Renamed::new(&job.renamed, &job.metainfo).map_err(wrong);
        let open = |renamed| {
            make_dir(&job)?;
            Place::open(&self.files, &job.dir, renamed)
        };
        let place = match place.and_then(open) {
            Ok(place) => place,
            Err(error) => return Err(Box::new(Refused { error, again: Retry::Job(job) })),
        };
        let Job { metainfo, choice, duty, description, .. } = *job;
        let files = Arc::clone(&self.files);
        let mut content = Content::open_in(torrent, metainfo, place, files, self.config.preallocate);
        (content.duty, content.overwrite) = (duty, self.config.overwrite);
        content.description = description;
        let trust = if self.config.check_all { Trust::Nothing } else { Trust::State };
        Ok(Opened { content: content.choose(choice), trust, progress })
    }

    /// Opens content again. `runs`: its torrent is in its swarm.
    fn open_again(
        &self,
        content: &Arc<Content>,
        runs: bool,
        task: &Task,
        progress: Arc<Progress>,
    ) -> Result<Opened, Box<Refused>> {
        // A write that has begun ends first. No other begins, because the content is in doubt.
        drop(content.health.take_turn());
        let opened = content.open_again();
        let mut opened =
            opened.map_err(|error| Box::new(Refused { error, again: Retry::Content(Arc::clone(content)) }))?;
        if !runs {
            // The torrent starts over, so the bytes of this run are in the state that was saved.
            opened.before = None;
            if matches!(task, Task::Verify) {
                opened.restore_changed(content);
            }
        }
        let trust = if matches!(task, Task::Verify) { Trust::Nothing } else { Trust::State };
        Ok(Opened { content: opened, trust, progress })
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

    /// Goes on with a move that was interrupted, on a thread of its own, because it may take hours.
    fn go_on_apart(self: &Arc<Checker>, opened: Opened, journal: Journal) {
        let (checker, content) = (Arc::clone(self), Arc::new(opened.content));
        let run = move || checker.answer(content.torrent, checker.go_on_moving(&content, &journal, &opened.progress));
        let run = Arc::new(run);
        let of_thread = Arc::clone(&run);
        if thread::Builder::new().name("move".into()).spawn(move || of_thread()).is_err() {
            // If no thread can be started, this one does the work.
            run();
        }
    }

    fn check(&self, opened: Opened) {
        let Opened { content, trust, progress } = opened;
        let torrent = content.torrent;
        let found = self.begin(content, trust, &progress);
        let refused = |(error, content)| Refused { error, again: Retry::Content(content) };
        self.answer(torrent, (found.map_err(refused), Done::default()));
    }

    fn tell(&self, torrent: TorrentId, result: Result<CheckedContent, Box<Refused>>, done: Done) {
        // The manager is gone only when the process ends.
        let _ = self.manager.send(Input::Checked { torrent, result: result.map(Box::new), done: Box::new(done) });
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
        } else if let Some(queue) = queues.get_mut(key)
            && queue.things.len() < queue.things.capacity() / 4
        {
            // Thousands of torrents come at once. The places that they leave would add to the peak of memory.
            queue.things.shrink_to(queue.things.len() * 2);
        }
        next
    }
}
