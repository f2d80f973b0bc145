//! A bounded number of open files, shared by all torrents and threads.
//!
//! Floor 3. A torrent may have a hundred thousand files and the system may allow us 64 descriptors, so files are opened
//! when they are needed, and the one that was not used for longest is closed for it.

use crate::sys::beneath::{Folder, For};
use crate::sys::{limits, lock};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

/// Most files open at once where the system allows many.
const MOST_OPEN: usize = 64;
/// Fewest: one each for the disk threads and some writers.
const LEAST_OPEN: usize = 8;
/// Files may take one in this many of the descriptors we are allowed; the rest is for peers.
const SHARE_OF_DESCRIPTORS: usize = 8;

/// A file of a torrent: the [number](FileCache::number) of its content and the file's.
pub type FileKey = (usize, usize);

struct Open {
    key: FileKey,
    purpose: For,
    file: Arc<File>,
}

/// The open files, the one used last at the end.
pub struct FileCache {
    open: Mutex<Vec<Open>>,
    /// The folders in use: a thousand torrents in one share its descriptor.
    folders: Mutex<BTreeMap<PathBuf, Weak<Folder>>>,
    most: usize,
    numbers: AtomicUsize,
}

impl FileCache {
    /// A cache of as many files as the limit of descriptors allows.
    pub fn new() -> FileCache {
        let most = (limits::descriptors() / SHARE_OF_DESCRIPTORS).clamp(LEAST_OPEN, MOST_OPEN);
        FileCache {
            open: Mutex::new(Vec::with_capacity(most)),
            folders: Mutex::default(),
            most,
            numbers: AtomicUsize::new(0),
        }
    }

    /// A number for content: what is opened for one is never taken for another's, though both be of one torrent.
    pub fn number(&self) -> usize {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// Closes the files of a content.
    pub fn forget_all(&self, number: usize) {
        lock(&self.open).retain(|open| open.key.0 != number);
    }

    /// The folder `dir`, opened now, or in use already if it is still the same.
    pub fn folder(&self, dir: &Path) -> io::Result<Arc<Folder>> {
        let mut folders = lock(&self.folders);
        folders.retain(|_, folder| folder.strong_count() > 0);
        let opened = Folder::open(dir)?;
        let same = |folder: &Arc<Folder>| folder.identity().ok() == opened.identity().ok();
        if let Some(folder) = folders.get(dir).and_then(Weak::upgrade).filter(same) {
            return Ok(folder);
        }
        let folder = Arc::new(opened);
        folders.insert(dir.to_path_buf(), Arc::downgrade(&folder));
        Ok(folder)
    }

    /// The file `key` at `path` beneath `folder`, from the cache or opened now.
    pub fn get(&self, key: FileKey, folder: &Folder, path: &dyn fmt::Display, purpose: For) -> io::Result<Arc<File>> {
        // A poisoned lock means that a thread panicked between two plain moves: the list itself is whole.
        let mut open = lock(&self.open);
        if let Some(at) = open.iter().position(|open| open.key == key) {
            let found = open.remove(at);
            if found.purpose == For::Writing || purpose == For::Reading {
                let file = Arc::clone(&found.file);
                open.push(found);
                return Ok(file);
            }
        }
        if open.len() >= self.most {
            open.remove(0);
        }
        let file = loop {
            match folder.file(&path.to_string(), purpose) {
                // The process has no descriptor left: peers may have taken more than their share. One file makes room
                // (a thread may still be using it, then the next one).
                Err(error) if is_out_of_descriptors(&error) && !open.is_empty() => drop(open.remove(0)),
                opened => break Arc::new(opened?),
            }
        };
        open.push(Open { key, purpose, file: Arc::clone(&file) });
        Ok(file)
    }

    /// Closes a file that is to be removed: open, it would go on taking space.
    pub fn forget(&self, key: FileKey) {
        lock(&self.open).retain(|open| open.key != key);
    }
}

/// Neither the process nor the system may have one more descriptor.
fn is_out_of_descriptors(error: &io::Error) -> bool {
    let number = error.raw_os_error();
    number == Some(Errno::MFILE.raw_os_error()) || number == Some(Errno::NFILE.raw_os_error())
}

impl Default for FileCache {
    fn default() -> FileCache {
        FileCache::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn torrents_in_one_folder_share_it() {
        let dir = tempfile::tempdir().unwrap();
        let cache = FileCache::new();
        let (one, other) = (cache.folder(dir.path()).unwrap(), cache.folder(dir.path()).unwrap());
        assert!(Arc::ptr_eq(&one, &other));
        drop((one, other));
        assert!(cache.folder(&dir.path().join("none")).is_err());
        assert!(cache.folders.lock().unwrap().is_empty(), "none is kept that nobody uses");
    }

    #[test]
    fn never_more_than_allowed_and_a_reader_becomes_a_writer() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        let cache =
            FileCache { open: Mutex::default(), folders: Mutex::default(), most: 3, numbers: AtomicUsize::default() };
        for file in 0..10 {
            cache.get((0, file), &folder, &file, For::Writing).unwrap();
            assert!(cache.open.lock().unwrap().len() <= 3);
        }
        assert!(cache.get((1, 0), &folder, &"new", For::Reading).is_err());
        let reader = cache.get((0, 5), &folder, &"5", For::Reading).unwrap();
        let writer = cache.get((0, 5), &folder, &"5", For::Writing).unwrap();
        assert!(!Arc::ptr_eq(&reader, &writer));
        let again = cache.get((0, 5), &folder, &"5", For::Reading).unwrap();
        assert!(Arc::ptr_eq(&again, &writer), "a writer can read too");
    }

    #[test]
    #[ignore = "for the test below, which starts it with few descriptors"]
    fn a_hundred_files_one_after_the_other() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        let cache =
            FileCache { open: Mutex::default(), folders: Mutex::default(), most: 100, numbers: AtomicUsize::default() };
        for file in 0..100 {
            cache.get((0, file), &folder, &file, For::Writing).unwrap();
        }
        assert!(cache.open.lock().unwrap().len() < 100, "it was not short of descriptors");
    }

    #[test]
    fn when_no_descriptor_is_left_a_file_is_closed_for_the_next() {
        let this = std::env::current_exe().unwrap();
        let name = "storage::cache::tests::a_hundred_files_one_after_the_other";
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", "ulimit -n 40; exec \"$0\" --ignored --exact \"$1\""]).arg(this).arg(name);
        let output = shell.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
    }
}
