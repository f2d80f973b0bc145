//! A folder for what the demo needs for a moment. It goes away with everything in it.
//!
//! Floor 4, part of [`demo`](super). The folder is locked while the process lives. So the next demo knows the folder of
//! one that was killed, and deletes it.

use crate::base::hex::to_hex;
use crate::base::units::size;
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::output::cant_write;
use crate::cli::options::typed;
use crate::sys::beneath::Folder;
use crate::sys::{in_words, random};
use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use rustix::io::Errno;
use rustix::process::geteuid;
use std::fs::{self, DirBuilder, File, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What is said to a person who stops the demo.
pub const INTERRUPTED: &str = "interrupted; every file is deleted";

/// How the names of the folders begin.
const PREFIX: &str = "swarmlet-demo-";
/// A folder that changed within this time may belong to a demo that has yet to lock it.
const NEW: Duration = Duration::from_secs(60);

/// The folder. It is deleted when this is dropped.
pub struct Scratch {
    path: PathBuf,
    /// While this is open, no other demo deletes the folder.
    _lock: Option<File>,
}

impl Scratch {
    /// Makes a new folder where temporary files go, which nobody else may read.
    pub fn new() -> Result<Scratch, Failure> {
        let below = std::env::temp_dir();
        delete_left(&below, NEW);
        let path = below.join(format!("{PREFIX}{}", to_hex(&random::bytes::<6>())));
        let cant = |error| {
            let shown = typed::shown(&below);
            let text = format!("can't make a folder in {shown}: {}; TMPDIR names another place", in_words(&error));
            Failure::new(Exit::CantCreate, text)
        };
        DirBuilder::new().mode(0o700).create(&path).map_err(cant)?;
        let mut scratch = Scratch { path, _lock: None };
        match lock(&scratch.path) {
            Ok(lock) => scratch._lock = Some(lock),
            // Then no other demo can lock it, and so none deletes it.
            Err(error) if has_no_locks(&error) => {}
            Err(error) => return Err(cant(error)),
        }
        Ok(scratch)
    }

    /// Fails if the disk has fewer free bytes than this.
    pub fn must_hold(&self, bytes: u64) -> Result<(), Failure> {
        let free = Folder::open(&self.path).and_then(|folder| folder.free_bytes(""));
        let Some(free) = free.ok().filter(|free| *free < bytes) else { return Ok(()) };
        let (below, free, needed) = (typed::shown(std::env::temp_dir()), size(free), size(bytes));
        let text = format!(
            "the copies of all peers need {needed}, and {free} are free in {below}; TMPDIR names another place, --size \
             and --peers make them smaller"
        );
        Err(Failure::new(Exit::CantCreate, text))
    }

    /// Makes a folder in it.
    pub fn folder(&self, name: &str) -> Result<PathBuf, Failure> {
        let path = self.path.join(name);
        fs::create_dir(&path).map_err(|error| cant_write(&path, &error))?;
        Ok(path)
    }

    /// Deletes everything. If files are still being made there, some may stay until the next try.
    pub fn delete(&self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.delete();
    }
}

/// Deletes the folders of demos that were killed, if the folder did not change during the last `age`. Only our own
/// folders are touched.
fn delete_left(below: &Path, age: Duration) {
    let me = geteuid().as_raw();
    let entries = fs::read_dir(below).into_iter().flatten().flatten();
    for path in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)).map(|it| it.path()) {
        let is_left = |found: &Metadata| {
            let is_old = found.modified().is_ok_and(|time| time.elapsed().is_ok_and(|passed| passed >= age));
            found.is_dir() && found.uid() == me && is_old
        };
        if fs::symlink_metadata(&path).is_ok_and(|found| is_left(&found)) && lock(&path).is_ok() {
            let _ = fs::remove_dir_all(&path);
        }
    }
}

/// Whether the disk has no locks, like some network disks.
fn has_no_locks(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::OPNOTSUPP | Errno::NOSYS | Errno::NOLCK))
}

/// Locks a folder, if nobody else has.
fn lock(path: &Path) -> io::Result<File> {
    let file = File::from(open(path, OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?);
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_folder_for_the_moment_is_private_and_leaves_nothing() {
        let scratch = Scratch::new().unwrap();
        let path = scratch.path.clone();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        fs::write(scratch.folder("a").unwrap().join("file"), "content").unwrap();
        assert!(scratch.must_hold(1).is_ok());
        let refused = scratch.must_hold(u64::MAX).unwrap_err();
        assert!(refused.exit == Exit::CantCreate && refused.text.contains("need 16.0 EiB"), "{}", refused.text);
        drop(scratch);
        assert!(!path.exists());
    }

    #[test]
    fn the_folder_of_a_demo_that_was_killed_is_deleted_and_no_other() {
        let temp = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            let path = temp.path().join(name);
            fs::create_dir_all(path.join("seed")).unwrap();
            path
        };
        let (left, running, other) = (make("swarmlet-demo-1"), make("swarmlet-demo-2"), make("swarmlet"));
        std::os::unix::fs::symlink(&other, temp.path().join("swarmlet-demo-3")).unwrap();
        let _lock = lock(&running).unwrap();
        assert!(!has_no_locks(&lock(&running).unwrap_err()), "the disk has locks, and another process has this one");
        delete_left(temp.path(), NEW);
        assert!(left.exists(), "it may be new");
        delete_left(temp.path(), Duration::ZERO);
        assert!(!left.exists() && running.join("seed").exists() && other.join("seed").exists());
    }
}
