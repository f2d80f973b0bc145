//! The thread that watches files: the folder of [`many`](crate::cli::commands::many), and the blocklist.
//!
//! Floor 4. A network disk may take minutes to answer, or never answer. Only this thread waits for it: the thread that
//! draws the screen and hears ^C takes what this one sends.

use super::blocklist;
use super::folder::{Change, Folder, LOOK_EVERY};
use crate::cli::exit::{Exit, Failure};
use crate::swarm::meeting::blocklist::Blocklist;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use std::path::{Path, PathBuf};
use std::thread::Builder;

/// Changes that wait for the run to take them. Each may hold a whole .torrent file.
const MOST_WAITING: usize = 8;

/// What the thread has seen.
pub enum Seen {
    /// A change in the folder.
    Change(Change),
    /// The blocklist as it is now.
    Blocklist(Blocklist),
    /// Something that the person should know.
    Problem(String),
}

/// The other end of the thread.
pub struct Watcher {
    /// What the thread sees.
    pub seen: Receiver<Seen>,
    rescans: Option<Sender<()>>,
}

impl Watcher {
    /// Starts the thread, if there is something to watch.
    pub fn start(folder: Option<Folder>, blocklist: Option<PathBuf>) -> Result<Watcher, Failure> {
        if folder.is_none() && blocklist.is_none() {
            return Ok(Watcher { seen: crossbeam_channel::never(), rescans: None });
        }
        let (sender, seen) = crossbeam_channel::bounded(MOST_WAITING);
        // One rescan that has not begun yet is enough.
        let (rescans, asked) = crossbeam_channel::bounded(1);
        let work = move || watch(folder, blocklist.as_deref(), &asked, &sender);
        let started = Builder::new().name("folder".into()).spawn(work);
        started.map_err(|error| Failure::new(Exit::Io, format!("can't start a thread: {error}")))?;
        Ok(Watcher { seen, rescans: Some(rescans) })
    }

    /// Whether there is something that can be scanned again.
    pub fn is_watching(&self) -> bool {
        self.rescans.is_some()
    }

    /// Asks for a full rescan, and for the blocklist to be read again. This never waits.
    pub fn rescan(&self) {
        if let Some(rescans) = &self.rescans {
            let _ = rescans.try_send(());
        }
    }
}

/// Watches until the run is over.
fn watch(mut folder: Option<Folder>, blocklist: Option<&Path>, asked: &Receiver<()>, sender: &Sender<Seen>) {
    let mut rescan = false;
    loop {
        let mut listens = true;
        let mut send = |seen: Seen| listens &= sender.send(seen).is_ok();
        if let Some(path) = blocklist.filter(|_| rescan) {
            read_again(path, &mut send);
        }
        if let Some(folder) = &mut folder {
            folder.look(rescan, &mut |change| send(Seen::Change(change)));
        }
        if !listens {
            return;
        }
        let woken = match folder {
            Some(_) => asked.recv_timeout(LOOK_EVERY),
            None => asked.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match woken {
            Ok(()) => rescan = true,
            Err(RecvTimeoutError::Timeout) => rescan = false,
            Err(RecvTimeoutError::Disconnected) => return,
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
