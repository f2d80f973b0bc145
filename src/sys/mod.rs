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

use crate::base::path::for_terminal;
use crate::base::units::size;
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::process::geteuid;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread;

/// Said of what is not a file with content of its own.
const IRREGULAR: &str = "it is not a regular file";
/// Most bytes that are read of the list of users, /etc/passwd: some 1,000 users. Others have only a number.
const PASSWD_BYTES: u64 = 64 << 10;

/// The system's description of an error, without its number ("No space left on device").
pub fn in_words(error: &io::Error) -> String {
    let text = error.to_string();
    text.split_once(" (os error").map_or(text.as_str(), |(words, _)| words).to_string()
}

/// The same for a file or folder. If a permission is denied, it also says to which user: the one of this process.
pub fn file_error(error: &io::Error) -> String {
    let is_denied = is_one_of(error, &[Errno::ACCESS, Errno::PERM]);
    if is_denied { format!("{} for {}", in_words(error), own_user()) } else { in_words(error) }
}

/// `user media (uid 105)`, or `uid 105`: the user whose rights this process has.
fn own_user() -> String {
    let uid = geteuid().as_raw();
    let users = read_most(Path::new("/etc/passwd"), PASSWD_BYTES).unwrap_or_default();
    let name = user_name(&String::from_utf8_lossy(&users), uid).map(for_terminal);
    name.map_or(format!("uid {uid}"), |name| format!("user {name} (uid {uid})"))
}

/// The name of a user in the text of passwd(5).
fn user_name(users: &str, uid: u32) -> Option<&str> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    })
}

/// Reads a file, at most `most` bytes of it.
pub fn read_most(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads a whole file that the user names. It may be a pipe. An error says that it has more than `most` bytes.
pub fn read_whole(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    whole(&File::open(path)?, most)
}

/// Like [`read_whole`], for a file that was found in a folder: only a regular one is read, because a pipe would wait
/// for its other end.
pub fn read_regular(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = File::options().read(true).custom_flags(OFlags::NONBLOCK.bits() as i32).open(path)?;
    if file.metadata()?.is_file() { whole(&file, most) } else { Err(io::Error::other(IRREGULAR)) }
}

fn whole(file: &File, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes)?;
    let is_larger = bytes.len() as u64 > most;
    if is_larger { Err(io::Error::other(format!("it is larger than {}", size(most)))) } else { Ok(bytes) }
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

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    use std::fs;

    #[test]
    fn files_without_end_and_pipes_are_refused() {
        let temp = tempfile::tempdir().unwrap();
        let (file, pipe) = (temp.path().join("file"), temp.path().join("pipe"));
        fs::write(&file, [7; 600]).unwrap();
        mknodat(CWD, &pipe, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        let why =
            |read: io::Result<Vec<u8>>| read.map_or_else(|error| in_words(&error), |bytes| bytes.len().to_string());
        assert_eq!(why(read_whole(&file, 600)), "600");
        assert_eq!(why(read_whole(&file, 599)), "it is larger than 599 B");
        assert_eq!(why(read_whole(Path::new("/dev/zero"), 1 << 20)), "it is larger than 1.00 MiB");
        assert_eq!(why(read_regular(&file, 599)), "it is larger than 599 B");
        for other in [Path::new("/dev/zero"), &pipe, temp.path()] {
            assert_eq!(why(read_regular(other, 1 << 20)), "it is not a regular file", "{}", other.display());
        }
    }

    #[test]
    fn a_denied_permission_names_the_user() {
        let users = "root:x:0:0:root:/root:/bin/sh\n\n# x\nmedia:x:105:110::/var:/bin/false\n";
        assert_eq!([0, 105, 110].map(|uid| user_name(users, uid)), [Some("root"), Some("media"), None]);
        let uid = geteuid().as_raw();
        let denied = file_error(&Errno::ACCESS.into());
        assert!(denied.starts_with("Permission denied for u") && denied.contains(&format!("uid {uid}")), "{denied}");
        assert_eq!(file_error(&Errno::ROFS.into()), "Read-only file system");
    }
}
