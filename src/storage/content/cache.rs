//! A bounded number of open files, shared by all torrents and threads.
//!
//! Floor 3. A torrent may have a hundred thousand files, and the system may allow us 64 descriptors. So a file is
//! opened when it is needed, and the least recently used one is closed in its place.
//!
//! Opening and closing may hang if a disk does not answer. Neither is done while the lock is held, and a thread closes
//! a file only to open another one on the same device. So a disk that hangs stops only the threads that use it.

use crate::sys::beneath::{Folder, For};
use crate::sys::{is_one_of, limits, lock};
use rustix::io::Errno;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};

/// Most files open at once if the system allows many.
const MOST_OPEN: usize = 64;
/// The fewest, in all and for each device: one for each of its disk threads and a few writers.
const LEAST_OPEN: usize = 8;
/// Files may take one in this many of our descriptors; the rest is for peers.
const SHARE_OF_DESCRIPTORS: usize = 8;

/// Identifies content whose files are cached. No two have the same key, not even two of the same torrent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentKey {
    /// The device that the content is on (`st_dev`).
    pub(super) device: u64,
    number: usize,
}

/// A file: its content, and its place in the torrent.
pub type FileKey = (ContentKey, usize);

struct Open {
    key: FileKey,
    purpose: For,
    file: Arc<File>,
}

#[derive(Default)]
struct Files {
    /// The open files; the most recently used one is the last.
    open: Vec<Open>,
    /// The files that a thread is opening.
    opening: Vec<FileKey>,
    /// Threads that wait for one of these. (A wake-up costs a system call, even if no thread waits.)
    waiting: usize,
}

/// The cache of open files.
pub struct FileCache {
    files: Mutex<Files>,
    /// Signalled when a thread has opened a file, or failed to.
    attempted: Condvar,
    /// The folders in use: a thousand torrents in one folder share its descriptor and its path.
    folders: Mutex<BTreeMap<Arc<Path>, Weak<Folder>>>,
    most: usize,
    numbers: AtomicUsize,
}

impl FileCache {
    fn of(most: usize) -> FileCache {
        FileCache {
            files: Mutex::default(),
            attempted: Condvar::new(),
            folders: Mutex::default(),
            most,
            numbers: AtomicUsize::new(0),
        }
    }

    /// A key for content on `device`.
    pub fn key(&self, device: u64) -> ContentKey {
        ContentKey { device, number: self.numbers.fetch_add(1, Ordering::Relaxed) }
    }

    /// Closes all files of some content.
    pub fn forget_all(&self, content: ContentKey) {
        let closed: Vec<Open> = lock(&self.files).open.extract_if(.., |open| open.key.0 == content).collect();
        drop(closed);
    }

    /// Opens the folder `dir`, or shares it if it is in use and still the same.
    pub fn folder(&self, dir: &Path) -> io::Result<(Arc<Path>, Arc<Folder>)> {
        let known = {
            let mut folders = lock(&self.folders);
            folders.retain(|_, folder| folder.strong_count() > 0);
            folders.get_key_value(dir).and_then(|(path, folder)| Some((Arc::clone(path), folder.upgrade()?)))
        };
        if let Some(known) = known
            && known.1.is_at(dir)?
        {
            return Ok(known);
        }
        let opened = Folder::open(dir)?;
        let mut folders = lock(&self.folders);
        // Another thread may have opened it meanwhile.
        if let Some((path, folder)) = folders.get_key_value(dir)
            && let Some(folder) = folder.upgrade().filter(|folder| folder.identity() == opened.identity())
        {
            return Ok((Arc::clone(path), folder));
        }
        let (path, folder): (Arc<Path>, _) = (dir.into(), Arc::new(opened));
        folders.insert(Arc::clone(&path), Arc::downgrade(&folder));
        Ok((path, folder))
    }

    /// The file `key` at `path` beneath `folder`, from the cache or opened now.
    pub fn get(&self, key: FileKey, folder: &Folder, path: &dyn fmt::Display, purpose: For) -> io::Result<Arc<File>> {
        let mut files = lock(&self.files);
        loop {
            if let Some(file) = files.find(key, purpose) {
                return Ok(file);
            }
            if !files.opening.contains(&key) {
                break;
            }
            files.waiting += 1;
            files = self.attempted.wait(files).unwrap_or_else(PoisonError::into_inner);
            files.waiting -= 1;
        }
        files.opening.push(key);
        drop(files);
        let opened = self.open(key, folder, path, purpose);
        let mut files = lock(&self.files);
        files.opening.retain(|other| *other != key);
        let file = opened.as_ref().ok().map(Arc::clone);
        let closed = file.map(|file| files.put(Open { key, purpose, file }, self.most));
        let is_awaited = files.waiting > 0;
        drop(files);
        if is_awaited {
            self.attempted.notify_all();
        }
        drop(closed);
        opened
    }

    fn open(&self, key: FileKey, folder: &Folder, path: &dyn fmt::Display, purpose: For) -> io::Result<Arc<File>> {
        loop {
            match folder.file(&path.to_string(), purpose) {
                // The process has no descriptor left: peers may have taken more than their share. Closing one file
                // makes room, unless another thread still uses it; then the next one is closed.
                Err(error) if is_one_of(&error, &[Errno::MFILE, Errno::NFILE]) => {
                    let least_used = lock(&self.files).take_first(|open| open.key.0.device == key.0.device);
                    drop(least_used.ok_or(error)?);
                }
                opened => return opened.map(Arc::new),
            }
        }
    }
}

impl Files {
    fn find(&mut self, key: FileKey, purpose: For) -> Option<Arc<File>> {
        let fits = |open: &Open| open.key == key && (open.purpose != For::Reading || purpose == For::Reading);
        let found = self.take_first(fits)?;
        let file = Arc::clone(&found.file);
        self.open.push(found);
        Some(file)
    }

    fn take_first(&mut self, which: impl Fn(&Open) -> bool) -> Option<Open> {
        let at = self.open.iter().position(which)?;
        Some(self.open.remove(at))
    }

    /// Adds a file. The caller closes what is returned, without the lock: the file that this one replaces, and the
    /// least recently used file of the device if the device has its share of `most`.
    fn put(&mut self, new: Open, most: usize) -> [Option<Open>; 2] {
        let device = new.key.0.device;
        let replaced = self.take_first(|open| open.key == new.key);
        let of_device = |open: &Open| open.key.0.device == device;
        let mut devices = BTreeSet::from([device]);
        devices.extend(self.open.iter().map(|open| open.key.0.device));
        let share = (most / devices.len()).max(most.min(LEAST_OPEN));
        let is_full = self.open.iter().filter(|open| of_device(open)).count() >= share;
        let least_used = if is_full { self.take_first(of_device) } else { None };
        self.open.push(new);
        [replaced, least_used]
    }
}

impl Default for FileCache {
    /// A cache of as many files as the limit of descriptors allows.
    fn default() -> FileCache {
        FileCache::of((limits::descriptors() / SHARE_OF_DESCRIPTORS).clamp(LEAST_OPEN, MOST_OPEN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::testkit::{PATIENCE, wait_until};

    #[test]
    fn torrents_in_one_folder_share_it() {
        let dir = tempfile::tempdir().unwrap();
        let cache = FileCache::default();
        let (one, other) = (cache.folder(dir.path()).unwrap(), cache.folder(dir.path()).unwrap());
        assert!(Arc::ptr_eq(&one.1, &other.1));
        let (before, after) = (dir.path().join("before"), dir.path().join("after"));
        std::fs::create_dir(&before).unwrap();
        let first = cache.folder(&before).unwrap().1;
        std::fs::rename(&before, &after).unwrap();
        assert!(cache.folder(&before).is_err(), "it is at another path");
        std::fs::create_dir(&before).unwrap();
        let second = cache.folder(&before).unwrap().1;
        assert!(!Arc::ptr_eq(&first, &second) && first.is_at(&after).unwrap() && second.is_at(&before).unwrap());
        drop((one, other, first, second));
        assert!(cache.folder(&dir.path().join("none")).is_err());
        assert!(cache.folders.lock().unwrap().is_empty(), "an unused folder is not kept");
    }

    #[test]
    fn there_are_never_more_files_than_allowed_and_a_reader_becomes_a_writer() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        let cache = FileCache::of(3);
        let (one, other) = (cache.key(7), cache.key(7));
        for file in 0..10 {
            cache.get((one, file), &folder, &file, For::Writing).unwrap();
            assert!(lock(&cache.files).open.len() <= 3);
        }
        assert!(cache.get((other, 0), &folder, &"new", For::Reading).is_err());
        let reader = cache.get((one, 5), &folder, &"5", For::Reading).unwrap();
        let writer = cache.get((one, 5), &folder, &"5", For::Writing).unwrap();
        assert!(!Arc::ptr_eq(&reader, &writer));
        let again = cache.get((one, 5), &folder, &"5", For::Reading).unwrap();
        assert!(Arc::ptr_eq(&again, &writer), "a writer can read too");
    }

    #[test]
    fn a_disk_that_hangs_keeps_its_share_of_the_files_and_no_more() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        let cache = FileCache::of(32);
        let (hung, sound) = (cache.key(1), cache.key(2));
        let open = |content: ContentKey| lock(&cache.files).open.iter().filter(|open| open.key.0 == content).count();
        for file in 0..40 {
            cache.get((hung, file), &folder, &file, For::Writing).unwrap();
        }
        assert_eq!(open(hung), 32);
        for file in 0..40 {
            cache.get((sound, file), &folder, &file, For::Writing).unwrap();
        }
        assert_eq!((open(hung), open(sound)), (32, 16), "its files are not closed for another disk's");
    }

    /// A thread that needs a file which is being opened waits for it; a thread that needs another file does not.
    #[test]
    fn a_file_that_takes_long_to_open_delays_only_threads_that_need_it() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        let cache = FileCache::of(32);
        let (one, other) = (cache.key(1), cache.key(2));
        lock(&cache.files).opening.push((one, 0));
        cache.get((one, 1), &folder, &"1", For::Writing).unwrap();
        cache.get((other, 0), &folder, &"0", For::Writing).unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| tell.send(cache.get((one, 0), &folder, &"0", For::Writing).is_ok()));
            wait_until("it waits", || lock(&cache.files).waiting == 1);
            assert!(told.try_recv().is_err(), "it has no file yet");
            lock(&cache.files).opening.clear();
            // Each thread that has opened a file wakes those that wait.
            cache.get((one, 2), &folder, &"2", For::Writing).unwrap();
            let woken = told.recv_timeout(PATIENCE);
            // If it was not, it must end all the same.
            cache.attempted.notify_all();
            assert_eq!(woken, Ok(true));
        });
    }

    #[test]
    #[ignore = "the test below starts it with few descriptors"]
    fn a_hundred_files_one_after_the_other() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        let cache = FileCache::of(100);
        let one = cache.key(7);
        for file in 0..100 {
            cache.get((one, file), &folder, &file, For::Writing).unwrap();
        }
        assert!(lock(&cache.files).open.len() < 100, "it was not short of descriptors");
    }

    #[test]
    fn when_no_descriptor_is_left_a_file_is_closed_to_open_the_next() {
        let this = std::env::current_exe().unwrap();
        let name = "storage::content::cache::tests::a_hundred_files_one_after_the_other";
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", "ulimit -n 40; exec \"$0\" --ignored --exact \"$1\""]).arg(this).arg(name);
        let output = shell.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
    }
}
