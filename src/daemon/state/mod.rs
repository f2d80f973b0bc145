//! What survives the end of the daemon, also kill -9.
//!
//! Floor 4. The folder of the state has, for each torrent, the .torrent file `HASH.torrent` (none while only a link is
//! known) and what is known of it besides, `HASH.daemon`; for the daemon, `daemon.session`; and the [resume
//! states](crate::storage::resume) of the engine.
//!
//! * A file is written beside the old one and renamed over it, so after kill -9 it is the old one or the new one.
//! * What a program was told is done was written before that. Figures, which change all the time, are written at most
//!   once a minute, and only those of torrents whose figures changed: flash wears out.
//! * A torrent whose `HASH.daemon` is damaged is not lost: its .torrent file is there. It is stopped, because nobody
//!   knows what was wished for it.
//! * Files are not synced, so a loss of power may cost the last seconds.

pub mod kept;
pub mod saved;
pub mod session;

use super::record::Record;
use crate::base::hex::from_hex;
use crate::proto::id::InfoHash;
use crate::storage::resume::StateDir;
use crate::sys::in_words;
use kept::Kept;
use rustix::fs::{FlockOperation, flock};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

/// The end of the names of the files with what is known of a torrent.
const END: &str = ".daemon";
/// The file of the daemon's own.
const SESSION: &str = "daemon.session";
/// The file by which only one daemon uses the folder.
const LOCK: &str = "daemon.lock";
/// The largest file that is read, in bytes: the names of 100,000 files, each renamed.
const MOST_BYTES: u64 = 48 << 20;

/// The folder.
pub struct State {
    /// The engine keeps its states there, too.
    pub dir: Arc<StateDir>,
    /// While this file is open, no other daemon uses the folder.
    _lock: File,
}

/// A torrent that was found in the folder.
pub struct Found {
    /// The torrent.
    pub hash: InfoHash,
    /// What is known of it. An error says why it can't be read.
    pub saved: Result<Box<(Record, Kept)>, String>,
}

impl State {
    /// Opens the folder, and makes it if necessary. An error says what is wrong.
    pub fn open(path: &Path) -> Result<State, String> {
        let failed = |error: io::Error| format!("can't keep the state in {}: {}", path.display(), in_words(&error));
        let dir = StateDir::open(path).map_err(failed)?;
        let lock = File::options().create(true).append(true).open(path.join(LOCK)).map_err(failed)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(State { dir: Arc::new(dir), _lock: lock }),
            Err(rustix::io::Errno::WOULDBLOCK) => {
                Err(format!("another daemon uses {}; name another folder with --state", path.display()))
            }
            Err(error) => Err(failed(error.into())),
        }
    }

    /// All torrents in the folder.
    pub fn torrents(&self) -> Result<Vec<Found>, String> {
        let failed = |error: io::Error| format!("can't read {}: {}", self.dir.path.display(), in_words(&error));
        let mut hashes = BTreeSet::new();
        for entry in fs::read_dir(&self.dir.path).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            hashes.extend(name.to_str().and_then(|name| from_hex(name.strip_suffix(END)?)).map(InfoHash));
        }
        let found = hashes.into_iter().map(|hash| {
            let bytes = self.read(&name_of(hash)).map_err(|error| in_words(&error));
            let saved = bytes.and_then(|bytes| saved::decode(&bytes)).map(Box::new);
            Found { hash, saved }
        });
        Ok(found.collect())
    }

    /// Writes what is known of a torrent.
    pub fn save(&self, record: &Record, kept: &Kept) -> Result<(), String> {
        let Some(hash) = record.about.hash else { return Ok(()) };
        self.write(&name_of(hash), &saved::encode(record, kept))
    }

    /// Forgets a torrent.
    pub fn forget(&self, hash: InfoHash) -> Result<(), String> {
        for path in [self.dir.path.join(name_of(hash)), self.dir.path_of_torrent(hash).to_path_buf()] {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(format!("can't remove {}: {}", path.display(), in_words(&error)));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The bytes of the daemon's own file; `None`: there is none.
    pub fn session(&self) -> Result<Option<Vec<u8>>, String> {
        match self.read(SESSION) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(in_words(&error)),
        }
    }

    /// Writes the daemon's own file.
    pub fn save_session(&self, bytes: &[u8]) -> Result<(), String> {
        self.write(SESSION, bytes)
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let path = self.dir.path.join(name);
        let found = fs::metadata(&path)?;
        if !found.is_file() || found.len() > MOST_BYTES {
            return Err(io::Error::other("it is no file of a daemon"));
        }
        fs::read(path)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), String> {
        let failed = |error| format!("can't save {}: {}", self.dir.path.join(name).display(), in_words(&error));
        self.dir.write(name, bytes, false).map_err(failed)
    }
}

fn name_of(hash: InfoHash) -> String {
    format!("{hash}{END}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(hash: InfoHash) -> Record {
        let about = super::super::record::About { hash: Some(hash), ..Default::default() };
        Record { about: Arc::new(about), download_dir: "/srv".into(), ..Record::default() }
    }

    #[test]
    fn a_torrent_is_found_until_it_is_forgotten_and_a_damaged_one_is_named() {
        let temp = tempfile::tempdir().unwrap();
        let state = State::open(temp.path()).unwrap();
        let (good, bad) = (InfoHash([1; 20]), InfoHash([2; 20]));
        for hash in [good, bad] {
            state.save(&record(hash), &Kept { paused: true, ..Kept::default() }).unwrap();
        }
        fs::write(temp.path().join(name_of(bad)), "d").unwrap();
        fs::write(temp.path().join("other"), "x").unwrap();
        let found = state.torrents().unwrap();
        assert_eq!(found.iter().map(|found| found.hash).collect::<Vec<_>>(), [good, bad]);
        assert!(found[0].saved.as_ref().is_ok_and(|saved| saved.1.paused) && found[1].saved.is_err());
        state.forget(bad).unwrap();
        state.forget(bad).unwrap();
        assert_eq!(state.torrents().unwrap().len(), 1);
    }

    #[test]
    fn only_one_daemon_uses_a_folder() {
        let temp = tempfile::tempdir().unwrap();
        let first = State::open(temp.path()).unwrap();
        assert!(State::open(temp.path()).is_err_and(|error| error.starts_with("another daemon uses ")));
        drop(first);
        State::open(temp.path()).unwrap();
    }
}
