//! Floor 3, its lowest room: the services of Linux in safe calls. It does not know what a torrent is.

pub mod beneath;
pub mod http;
pub mod interfaces;
pub mod limits;
pub mod lookup;
pub mod memory;
pub mod mounts;
pub mod outlet;
pub mod random;
pub mod replace;
pub mod send;
pub mod stamp;
#[cfg(test)]
pub mod testkit;
pub mod trace;
pub mod wake;

use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread;

/// The system's description of an error, without its number ("No space left on device").
pub fn in_words(error: &io::Error) -> String {
    let text = error.to_string();
    text.split_once(" (os error").map_or(text.as_str(), |(words, _)| words).to_string()
}

/// Reads a file, at most `most` bytes of it.
pub fn read_most(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether the system gave one of these reasons.
pub fn is_one_of(error: &io::Error, list: &[Errno]) -> bool {
    list.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// How many threads can work at once. (The standard library reads several files to find out, each time.)
pub fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| thread::available_parallelism().map_or(1, usize::from))
}

/// Locks a mutex, also a poisoned one.
///
/// A lock is poisoned if a thread panicked while it held the lock. Nothing in this crate panics between two changes
/// that belong together, so the data is whole. (The released program ends at a panic anyway.)
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Locks for reading; like [`lock`], poisoned or not.
pub fn lock_to_read<T>(guarded: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    guarded.read().unwrap_or_else(PoisonError::into_inner)
}

/// Locks for writing; like [`lock`], poisoned or not.
pub fn lock_to_write<T>(guarded: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    guarded.write().unwrap_or_else(PoisonError::into_inner)
}

/// The data of a mutex that no other thread uses any more; like [`lock`], poisoned or not.
pub fn unlocked<T>(mutex: Mutex<T>) -> T {
    mutex.into_inner().unwrap_or_else(PoisonError::into_inner)
}
