//! What survives the end of the daemon, also kill -9.
//!
//! Floor 4. The folder of the state has, for each torrent, the .torrent file `HASH.torrent` (none while only a link is
//! known) and what is known of it besides, `HASH.daemon`; for the daemon, `daemon.session`; and the [resume
//! states](crate::storage::resume) of the engine.
//!
//! * A file is written beside the old one and renamed over it, so after kill -9 it is the old one or the new one.
//! * What a program was told is done was written before that. Figures, which change all the time, are written at most
//!   once a minute, and only those of torrents whose figures changed: flash wears out.
//! * If very many torrents change at once, one file says so, `daemon.batch`, until each torrent's own file does.
//! * Files are not synced, so a loss of power may cost the last seconds, and damage the files that were written then.
//!   So the version before each file stays beside it (`HASH.daemon.before`).
//! * A damaged file is kept aside (`HASH.daemon.damaged`) and the version before it holds. If that is damaged too, the
//!   [resume states](crate::storage::resume) may still say where the content is. The torrent is stopped, because nobody
//!   knows what else was wished for it; if nobody knows the folder either, it does not start before somebody names it.

mod batch;
pub mod kept;
pub mod saved;
pub mod session;

use super::record::Record;
use crate::base::hex::from_hex;
use crate::proto::id::InfoHash;
use crate::storage::resume::StateDir;
use crate::sys::{in_words, read_regular};
use kept::Kept;
use rustix::fs::{FlockOperation, flock};
use saved::unsealed;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

/// The end of the names of the files with what is known of a torrent.
const END: &str = ".daemon";
/// The file of the daemon's own.
const SESSION: &str = "daemon.session";
/// The file with changes of very many torrents.
const BATCH: &str = "daemon.batch";
/// The end of the name of the version before a file.
const BEFORE: &str = ".before";
/// The end of the name under which a damaged file is kept.
const DAMAGED: &str = ".damaged";
/// The file by which only one daemon uses the folder.
const LOCK: &str = "daemon.lock";
/// The largest file that is read, in bytes: the names of 100,000 files, each renamed.
const MOST_BYTES: u64 = 48 << 20;
/// The bits of the mode that let the group and others in.
const OTHERS: u32 = 0o077;

/// The folder.
pub struct State {
    /// The engine keeps its states there, too.
    pub dir: Arc<StateDir>,
    /// How many records were written, in all runs. (Each has its number.)
    written: Cell<u64>,
    /// There is a [batch].
    has_batch: Cell<bool>,
    /// While this file is open, no other daemon uses the folder.
    _lock: File,
}

/// A torrent that was found in the folder.
pub struct Found {
    /// The torrent.
    pub hash: InfoHash,
    /// What is known of it. An error says why it can't be read.
    pub saved: Result<Box<(Record, Kept)>, String>,
    /// Its file is damaged, so this is the version before.
    pub is_older: bool,
}

/// The bytes of a file that has a digest.
pub struct Whole {
    /// All of it.
    pub bytes: Vec<u8>,
    /// The file is damaged or gone, so this is the version before.
    pub is_older: bool,
}

impl State {
    /// Opens the folder, and makes it if necessary. An error says what is wrong.
    pub fn open(path: &Path) -> Result<State, String> {
        let failed = |error: io::Error| format!("can't keep the state in {}: {}", path.display(), in_words(&error));
        let dir = StateDir::open(path).map_err(failed)?;
        if fs::metadata(path).map_err(failed)?.mode() & OTHERS != 0 {
            log::warn!("{} may be read by others, and has passkeys: chmod 700 helps", path.display());
        }
        let lock = File::options().create(true).append(true).open(path.join(LOCK)).map_err(failed)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(State { dir: Arc::new(dir), written: Cell::new(0), has_batch: Cell::new(false), _lock: lock }),
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
            let name = name.to_str().unwrap_or_default();
            // The file itself may be missing: it was damaged, and the process was killed right after it was kept aside.
            let name = [BEFORE, DAMAGED].into_iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
            hashes.extend(name.strip_suffix(END).and_then(from_hex).map(InfoHash));
        }
        let mut batch = self.batch();
        let found = hashes.into_iter().map(|hash| self.found(hash, batch.remove(&hash))).collect();
        // Those that were removed may come again. What is saved of them then must be newer than the batch.
        for (.., number) in batch.values().filter_map(|bytes| saved::decode(bytes).ok()) {
            self.written.set(self.written.get().max(number));
        }
        Ok(found)
    }

    /// A torrent in the folder. `in_batch`: what the batch says of it.
    fn found(&self, hash: InfoHash, in_batch: Option<Vec<u8>>) -> Found {
        let (saved, is_older) = match self.whole(&name_of(hash), "torrent") {
            Ok(Some(Whole { bytes, is_older })) => (saved::decode(&bytes), is_older),
            Ok(None) => (Err("its record is gone".into()), false),
            Err(why) => (Err(why), false),
        };
        let number = saved.as_ref().map_or(0, |(.., number)| *number);
        let newer = in_batch.and_then(|bytes| saved::decode(&bytes).ok()).filter(|(.., other)| *other > number);
        let (saved, is_older) = newer.map_or((saved, is_older), |newer| (Ok(newer), false));
        if let Ok((.., number)) = &saved {
            self.written.set(self.written.get().max(*number));
        }
        Found { hash, saved: saved.map(|(record, kept, _)| Box::new((record, kept))), is_older }
    }

    fn batch(&self) -> BTreeMap<InfoHash, Vec<u8>> {
        let read = match self.read(BATCH) {
            Ok(bytes) => batch::decode(&bytes),
            Err(error) if error.kind() == ErrorKind::NotFound => return BTreeMap::new(),
            Err(error) => Err(in_words(&error)),
        };
        self.has_batch.set(true);
        read.unwrap_or_else(|why| {
            log::warn!("the last changes of many torrents are lost: {BATCH} can't be read: {why}");
            BTreeMap::new()
        })
    }

    /// Writes what is known of a torrent.
    pub fn save(&self, record: &Record, kept: &Kept) -> Result<(), String> {
        let Some(hash) = record.about.hash else { return Ok(()) };
        self.write(&name_of(hash), &self.numbered(record, kept))
    }

    fn numbered(&self, record: &Record, kept: &Kept) -> Vec<u8> {
        self.written.set(self.written.get() + 1);
        saved::encode(record, kept, self.written.get())
    }

    /// Writes one file with what is known of many torrents. Their own files are to follow, and
    /// [`end_batch`](State::end_batch) then. Until then a further batch must have these torrents, too.
    pub fn save_batch<'a>(&self, torrents: impl Iterator<Item = (&'a Record, &'a Kept)>) -> Result<(), String> {
        let mut bytes = Vec::new();
        for (record, kept) in torrents {
            if let Some(hash) = record.about.hash {
                batch::add(&mut bytes, hash, &self.numbered(record, kept));
            }
        }
        bytes.push(b'e');
        if bytes.len() as u64 > MOST_BYTES {
            return Err(format!("{BATCH} would have {} bytes, more than can be read", bytes.len()));
        }
        let failed = |error| format!("can't save {}: {}", self.dir.path.join(BATCH).display(), in_words(&error));
        self.dir.write(BATCH, &bytes, false).map_err(failed)?;
        self.has_batch.set(true);
        Ok(())
    }

    /// Whether there is a batch.
    pub fn has_batch(&self) -> bool {
        self.has_batch.get()
    }

    /// All torrents of the batch have files of their own that are as new.
    pub fn end_batch(&self) {
        if self.has_batch.replace(false)
            && let Err(error) = fs::remove_file(self.dir.path.join(BATCH))
        {
            // It says nothing that is newer, so it does no harm.
            log::warn!("can't remove {BATCH}: {}", in_words(&error));
        }
    }

    /// Keeps a damaged .torrent file aside.
    pub fn keep_torrent_aside(&self, hash: InfoHash) {
        let path = self.dir.path_of_torrent(hash);
        let mut aside = path.as_os_str().to_owned();
        aside.push(DAMAGED);
        log::warn!("{} is damaged; it is kept as {}", path.display(), Path::new(&aside).display());
        if let Err(error) = fs::rename(&path, aside) {
            log::warn!("it can't be kept: {}", in_words(&error));
        }
    }

    /// Forgets a torrent.
    pub fn forget(&self, hash: InfoHash) -> Result<(), String> {
        let name = name_of(hash);
        // The file itself comes last: while any of them is there, the torrent is known.
        let all = [format!("{name}{DAMAGED}"), format!("{name}{BEFORE}"), name].map(|name| self.dir.path.join(name));
        let of_torrent = self.dir.path_of_torrent(hash);
        let damaged = of_torrent.with_extension("torrent.damaged");
        for path in all.into_iter().chain([damaged, of_torrent]) {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(format!("can't remove {}: {}", path.display(), in_words(&error)));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The daemon's own file; `None`: there is none.
    pub fn session(&self) -> Result<Option<Whole>, String> {
        self.whole(SESSION, "session")
    }

    /// Reads a file that has a digest of its value `key`. A damaged one is kept aside, and the version before it is
    /// read. An error says what is wrong, if that is no better.
    fn whole(&self, name: &str, key: &str) -> Result<Option<Whole>, String> {
        let read = |name: &str| match self.read(name) {
            Ok(bytes) => unsealed(key, &bytes).map(drop).map(|()| Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(in_words(&error)),
        };
        let found = read(name);
        if let Ok(Some(bytes)) = found {
            return Ok(Some(Whole { bytes, is_older: false }));
        }
        if let Err(why) = &found {
            let (damaged, aside) = (self.dir.path.join(name), format!("{name}{DAMAGED}"));
            log::warn!("{} is damaged ({why}); it is kept as {aside}", damaged.display());
            if let Err(error) = fs::rename(&damaged, self.dir.path.join(&aside)) {
                log::warn!("it can't be kept: {}", in_words(&error));
            }
        }
        match (read(&format!("{name}{BEFORE}")), found) {
            (Ok(Some(bytes)), _) => Ok(Some(Whole { bytes, is_older: true })),
            (Ok(None), found) => found.map(|_| None),
            (Err(why), _) => Err(why),
        }
    }

    /// Writes the daemon's own file.
    pub fn save_session(&self, bytes: &[u8]) -> Result<(), String> {
        self.write(SESSION, bytes)
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        read_regular(&self.dir.path.join(name), MOST_BYTES)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), String> {
        let path = self.dir.path.join(name);
        let failed = |error| format!("can't save {}: {}", path.display(), in_words(&error));
        let before = self.dir.path.join(format!("{name}{BEFORE}"));
        // With a second name the old file stays until the new one takes its first name. FAT has no second names.
        if path.exists() {
            let _ = fs::remove_file(&before);
            if fs::hard_link(&path, &before).is_err() {
                let _ = fs::rename(&path, &before);
            }
        }
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
    fn a_torrent_is_found_until_it_is_forgotten() {
        let temp = tempfile::tempdir().unwrap();
        let state = State::open(temp.path()).unwrap();
        let hash = InfoHash([1; 20]);
        for paused in [false, true] {
            state.save(&record(hash), &Kept { paused, ..Kept::default() }).unwrap();
        }
        fs::write(temp.path().join("other"), "x").unwrap();
        let found = state.torrents().unwrap();
        assert_eq!((found.len(), found[0].hash, found[0].is_older), (1, hash, false));
        assert!(found[0].saved.as_ref().is_ok_and(|saved| saved.1.paused));
        state.forget(hash).unwrap();
        state.forget(hash).unwrap();
        assert!(state.torrents().unwrap().is_empty());
    }

    #[test]
    fn a_damaged_file_is_kept_aside_and_the_version_before_holds() {
        let temp = tempfile::tempdir().unwrap();
        let state = State::open(temp.path()).unwrap();
        let (hash, at) = (InfoHash([2; 20]), |end: &str| temp.path().join(name_of(InfoHash([2; 20])) + end));
        for place in [1, 2, 3] {
            state.save(&record(hash), &Kept { place, ..Kept::default() }).unwrap();
        }
        let found = || state.torrents().unwrap().remove(0);
        let place = |found: &Found| found.saved.as_ref().map(|saved| saved.1.place).map_err(String::clone);
        assert_eq!(place(&found()), Ok(3));
        fs::write(at(""), "d").unwrap();
        let older = found();
        assert_eq!((place(&older), older.is_older), (Ok(2), true));
        assert_eq!(fs::read(at(DAMAGED)).unwrap(), b"d");
        assert!(!at("").exists());
        assert_eq!(place(&found()), Ok(2), "after the next kill, too");
        fs::write(at(BEFORE), "").unwrap();
        assert!(place(&found()).is_err());
        fs::remove_file(at(BEFORE)).unwrap();
        assert!(place(&found()).is_err(), "its name is known");
        state.save(&record(hash), &Kept { place: 4, ..Kept::default() }).unwrap();
        assert_eq!(place(&found()), Ok(4));
        state.forget(hash).unwrap();
        assert!(state.torrents().unwrap().is_empty());
    }

    #[test]
    fn a_batch_holds_until_a_torrent_has_a_newer_file_of_its_own() {
        let temp = tempfile::tempdir().unwrap();
        let state = State::open(temp.path()).unwrap();
        let hashes = [1, 2, 3].map(|byte| InfoHash([byte; 20]));
        let kept = |place| Kept { place, ..Kept::default() };
        let places = |state: &State| -> Vec<i64> {
            state.torrents().unwrap().into_iter().map(|found| found.saved.unwrap().1.place).collect()
        };
        let records = hashes.map(record);
        records.iter().for_each(|record| state.save(record, &kept(1)).unwrap());
        let new = kept(2);
        state.save_batch(records.iter().map(|record| (record, &new))).unwrap();
        assert_eq!(places(&state), [2, 2, 2]);
        state.save(&records[1], &kept(3)).unwrap();
        state.forget(hashes[0]).unwrap();
        drop(state);
        let state = State::open(temp.path()).unwrap();
        assert_eq!(places(&state), [3, 2], "one has a newer file, and one was removed");
        state.save(&records[0], &kept(4)).unwrap();
        assert_eq!(places(&state), [4, 3, 2], "it was added again");
        assert!(state.has_batch());
        state.save(&records[2], &kept(5)).unwrap();
        state.end_batch();
        assert_eq!((places(&state), state.has_batch()), (vec![4, 3, 5], false));
        state.save_batch(records.iter().map(|record| (record, &new))).unwrap();
        fs::write(temp.path().join(BATCH), "l").unwrap();
        assert_eq!(places(&state), [4, 3, 5], "it is damaged");
    }

    #[test]
    fn a_torrent_that_was_in_a_batch_and_is_added_again_is_newer() {
        let temp = tempfile::tempdir().unwrap();
        let state = State::open(temp.path()).unwrap();
        let records = [1, 2, 3].map(|byte| record(InfoHash([byte; 20])));
        let old = Kept { place: 1, ..Kept::default() };
        state.save_batch(records.iter().map(|record| (record, &old))).unwrap();
        state.save(&records[0], &old).unwrap();
        drop(state);
        let state = State::open(temp.path()).unwrap();
        // The file of the first has the highest number, so that one goes, too.
        state.forget(InfoHash([1; 20])).unwrap();
        assert!(state.torrents().unwrap().is_empty());
        state.save(&records[2], &Kept { place: 2, ..Kept::default() }).unwrap();
        let found = state.torrents().unwrap().remove(0);
        assert_eq!(found.saved.unwrap().1.place, 2);
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
