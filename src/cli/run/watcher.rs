//! The thread that watches files: the folder of [`many`](crate::cli::commands::many), and the blocklist. It also reads
//! the descriptions that arrive from peers.
//!
//! Floor 4. A network disk may take minutes to answer, or never answer. Only this thread waits for it: the thread that
//! draws the screen and hears ^C takes what this one sends.

use super::blocklist;
use super::folder::{Change, Folder, LOOK_EVERY};
use super::learn::{Described, Plan};
use crate::cli::exit::{Exit, Failure};
use crate::engine::TorrentId;
use crate::proto::magnet::Magnet;
use crate::proto::peer::metadata::IS_BUILT_IN;
use crate::swarm::meeting::blocklist::Blocklist;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{Builder, sleep};
use std::time::{Duration, Instant};

/// Batches that wait for the run to take them.
const MOST_WAITING: usize = 2;
/// Changes that the run takes at once: to wake it for each of thousands would cost more than what it does about them.
const BATCH: usize = 16;
/// A batch is sent after this time, even if it is not full.
const LATEST: Duration = Duration::from_millis(20);
/// A torrent with more pieces and files than this ends its batch, because batches would take much memory otherwise.
const LARGE: usize = 1000;
/// If more torrents than this wait until their content is opened, the thread pauses after each batch: waiting jobs take
/// memory that is never used again. It goes on, because a disk that hangs must not keep torrents of others waiting.
const MANY_UNOPENED: usize = 500;
const PAUSE: Duration = Duration::from_millis(10);

/// What the thread has seen.
pub enum Seen {
    /// Changes in the folder, in their order.
    Changes(Vec<Change>),
    /// The description of a torrent was read: its job, or why it can't be used.
    Described(TorrentId, Result<Described, Failure>),
    /// The blocklist as it is now.
    Blocklist(Blocklist),
    /// Something that the person should know.
    Problem(String),
}

/// The other end of the thread.
pub struct Watcher {
    /// What the thread sees.
    pub seen: Receiver<Seen>,
    /// Whether there is something that can be scanned again.
    pub can_rescan: bool,
    orders: Option<Sender<Order>>,
}

/// What the thread is told.
enum Order {
    /// Scan everything again.
    Rescan,
    /// The torrent in this file has failed.
    Failed(Arc<Path>),
    /// The description of a torrent has arrived. If its link is in a file of the folder, this is the file.
    HasCome(TorrentId, Option<Arc<Path>>, Box<Magnet>, Vec<u8>),
}

impl Watcher {
    /// Starts the thread, if there is something to watch, or a plan for links.
    pub fn start(folder: Option<Folder>, blocklist: Option<PathBuf>, plan: Option<Plan>) -> Result<Watcher, Failure> {
        let can_rescan = folder.is_some() || blocklist.is_some();
        if !can_rescan && plan.is_none() {
            return Ok(Watcher { seen: crossbeam_channel::never(), can_rescan, orders: None });
        }
        let (sender, seen) = crossbeam_channel::bounded(MOST_WAITING);
        let (orders, told) = crossbeam_channel::unbounded();
        let work = move || watch(folder, blocklist.as_deref(), plan, &told, &sender);
        let started = Builder::new().name("folder".into()).spawn(work);
        started.map_err(|error| Failure::new(Exit::Io, format!("can't start a thread: {error}")))?;
        Ok(Watcher { seen, can_rescan, orders: Some(orders) })
    }

    /// The torrent in this file has failed. This never waits.
    pub fn has_failed(&self, path: Arc<Path>) {
        self.tell(Order::Failed(path));
    }

    /// The description of a torrent has arrived. If its `link` is in a file of the folder, `path` is that file. This
    /// never waits.
    pub fn has_come(&self, torrent: TorrentId, path: Option<Arc<Path>>, link: Box<Magnet>, info: Vec<u8>) {
        self.tell(Order::HasCome(torrent, path, link, info));
    }

    /// Asks for a full rescan, and for the blocklist to be read again. This never waits.
    pub fn rescan(&self) {
        self.tell(Order::Rescan);
    }

    fn tell(&self, order: Order) {
        if let Some(orders) = &self.orders {
            let _ = orders.send(order);
        }
    }
}

/// Watches until the run is over.
fn watch(
    mut folder: Option<Folder>,
    blocklist: Option<&Path>,
    mut plan: Option<Plan>,
    told: &Receiver<Order>,
    sender: &Sender<Seen>,
) {
    let (mut rescan, unopened) = (false, Arc::new(()));
    loop {
        let mut listens = true;
        let mut send = |seen: Seen| listens &= sender.send(seen).is_ok();
        if let Some(path) = blocklist.filter(|_| rescan) {
            read_again(path, &mut send);
        }
        if let Some(folder) = &mut folder {
            let (mut batch, mut sent, mut last) = (Vec::new(), 0, Instant::now());
            folder.look(rescan, &mut |mut change| {
                if let Change::Came(_, job) = &mut change {
                    job.unopened = Some(Arc::clone(&unopened));
                }
                let is_large = is_large(&change);
                batch.push(change);
                // A few changes do not wait for one another: the next file may be on a disk that hangs.
                let is_full = batch.len() >= BATCH.min(1 + sent / 4);
                if is_full || is_large || last.elapsed() > LATEST {
                    sent += batch.len();
                    send(Seen::Changes(std::mem::take(&mut batch)));
                    if Arc::strong_count(&unopened) > MANY_UNOPENED {
                        sleep(PAUSE);
                    }
                    last = Instant::now();
                }
            });
            if !batch.is_empty() {
                send(Seen::Changes(batch));
            }
        }
        if !listens {
            return;
        }
        match wait(&mut folder, &mut plan, told, sender) {
            Some(all) => rescan = all,
            None => return,
        }
    }
}

fn is_large(change: &Change) -> bool {
    match change {
        Change::Came(_, job) | Change::LeftOut(_, job, _) => {
            job.metainfo.piece_count() as usize + job.metainfo.files.len() > LARGE
        }
        Change::Link(..) | Change::Described(..) | Change::Went(_) | Change::Bad(_) => false,
    }
}

/// Waits for the next look. Returns whether it is a full rescan; `None`: the run is over.
fn wait(
    folder: &mut Option<Folder>,
    plan: &mut Option<Plan>,
    told: &Receiver<Order>,
    sender: &Sender<Seen>,
) -> Option<bool> {
    let until = Instant::now() + LOOK_EVERY;
    let mut rescan = false;
    loop {
        // Several orders to rescan are one.
        let order = match folder {
            _ if rescan => told.try_recv().map_err(|_| RecvTimeoutError::Timeout),
            Some(_) => told.recv_deadline(until),
            None => told.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match (order, &mut *folder) {
            (Ok(Order::Rescan), _) => rescan = true,
            (Ok(Order::Failed(path)), Some(folder)) => folder.has_failed(path),
            (Ok(Order::HasCome(_, Some(path), link, info)), Some(folder)) => {
                // If the run is over, the next send notices it.
                folder.has_come(&path, &link, &info, &mut |change| drop(sender.send(Seen::Changes(vec![change]))));
            }
            (Ok(Order::HasCome(torrent, _, link, info)), _) => {
                if let Some(plan) = plan.as_mut().filter(|_| IS_BUILT_IN) {
                    let _ = sender.send(Seen::Described(torrent, plan.describe(&link, &info)));
                }
            }
            (Ok(Order::Failed(_)), None) => {}
            (Err(RecvTimeoutError::Timeout), _) => return Some(rescan),
            (Err(RecvTimeoutError::Disconnected), _) => return None,
        }
    }
}

/// The blocklist that was read before stays in force until the file is read without an error.
fn read_again(path: &Path, send: &mut dyn FnMut(Seen)) {
    match blocklist::read(path) {
        Ok((list, problems)) => {
            send(Seen::Blocklist(list));
            problems.into_iter().for_each(|problem| send(Seen::Problem(problem)));
        }
        Err(failure) => send(Seen::Problem(format!("{}; the list that was read before stays in force", failure.text))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::time::Duration;

    #[test]
    fn each_torrent_of_a_folder_is_told_once_and_in_order_whatever_the_batches_are() {
        const COUNT: usize = 45;
        let dir = tempfile::tempdir().unwrap();
        let names: Vec<String> = (10..10 + COUNT).map(|number| format!("{number}.torrent")).collect();
        for (number, name) in names.iter().enumerate() {
            let info = format!("d6:lengthi1e4:name2:{:02}12:piece lengthi16384e6:pieces20:{}e", number, "x".repeat(20));
            fs::write(dir.path().join(name), format!("d4:info{info}e")).unwrap();
        }
        let watcher = Watcher::start(Some(Folder::new(dir.path().into(), None, None)), None, None).ok().unwrap();
        let (mut told, mut batches) = (Vec::new(), Vec::new());
        while told.len() < COUNT {
            let Seen::Changes(changes) = watcher.seen.recv_timeout(Duration::from_secs(30)).unwrap() else { continue };
            batches.push(changes.len());
            told.extend(changes.into_iter().map(|change| match change {
                Change::Came(path, _) => path.file_name().unwrap().to_string_lossy().into_owned(),
                _ => panic!("each is a torrent"),
            }));
        }
        assert_eq!(told, names);
        assert_eq!(batches[0], 1, "the first does not wait for others");
        assert!(batches.iter().all(|count| *count <= BATCH), "{batches:?}");
    }
}
