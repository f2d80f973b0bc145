//! What a file was like at some moment: if it was written to or replaced since, its stamp differs.
//!
//! Floor 3. Size and modification time are not enough: taggers, `touch -r` and `cp -p` write and then set the time
//! back. No program can set the time of the last change of the inode (ctime), and no two files have the same inode.
//! `chmod` and `ln` change the stamp too.

use crate::base::sha1::sha1;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

/// How long a time may stand still on file systems with nanoseconds: a tick of the slowest Linux (HZ=100) is 10 ms;
/// this is twice as long.
pub const TICK: Duration = Duration::from_millis(20);
/// The same on file systems without: FAT counts in steps of 2 s.
const COARSE_TICK: Duration = Duration::from_millis(2020);

/// The stamp of a file: a digest of its size, its times and its inode, neither 0 nor one of the two greatest numbers.
/// `with_inode`: inodes keep their numbers when the disk is mounted again.
pub fn stamp(found: &Metadata, with_inode: bool) -> u64 {
    let inode = if with_inode { found.ino() as i64 } else { 0 };
    let all = [found.len() as i64, found.mtime(), found.mtime_nsec(), found.ctime(), found.ctime_nsec(), inode];
    let digest = sha1(all.map(i64::to_be_bytes).as_flattened());
    digest.first_chunk().map_or(0, |first| u64::from_be_bytes(*first)).clamp(1, u64::MAX - 2)
}

/// Whether any write to the file from now on gives it a different stamp.
pub fn is_quiet(found: &Metadata) -> bool {
    is_past(found.mtime(), found.mtime_nsec()) && is_past(found.ctime(), found.ctime_nsec())
}

/// Whether the clock of the file system shows a later time by now.
fn is_past(seconds: i64, nanos: i64) -> bool {
    let (Ok(seconds), Ok(nanos)) = (u64::try_from(seconds), u32::try_from(nanos)) else { return true };
    let time = SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds, nanos.min(999_999_999)));
    let tick = if nanos == 0 { COARSE_TICK } else { TICK };
    // A time in the future proves nothing.
    time.and_then(|time| time.elapsed().ok()).is_some_and(|age| age > tick)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File, FileTimes, Permissions};
    use std::os::unix::fs::{FileExt, PermissionsExt};
    use std::thread;

    #[test]
    fn a_time_counts_only_if_the_next_write_changes_it() {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let ago = |millis: u64| {
            let then = now - Duration::from_millis(millis);
            is_past(then.as_secs() as i64, then.subsec_nanos().max(1).into())
        };
        assert!(!ago(0) && ago(500));
        let seconds = now.as_secs() as i64;
        assert!(!is_past(seconds + 9, 1), "it is in the future");
        assert!(!is_past(seconds - 1, 0), "a clock of 2 s");
        assert!(is_past(seconds - 4, 0));
        assert!(is_past(-5, 0));
    }

    /// As taggers, `touch -r`, `cp -p` and others do it.
    #[test]
    fn a_change_shows_even_if_size_and_modification_time_are_set_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let old = FileTimes::new().set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000));
        let set_back = |path: &std::path::Path| File::options().write(true).open(path).unwrap().set_times(old).unwrap();
        let look = || stamp(&fs::metadata(&path).unwrap(), true);
        fs::write(&path, "what was verified").unwrap();
        set_back(&path);
        let mut stamps = vec![look(), look()];
        assert_eq!(stamps.pop().as_ref(), stamps.last(), "reading changes nothing");
        for change in 0..4 {
            thread::sleep(2 * TICK);
            let other = dir.path().join("other");
            match change {
                0 => File::options().write(true).open(&path).unwrap().write_all_at(b"WHAT", 0).unwrap(),
                1 => {
                    fs::write(&other, "what was another.").unwrap();
                    set_back(&other);
                    fs::rename(&other, &path).unwrap();
                }
                2 => fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap(),
                _ => fs::hard_link(&path, &other).unwrap(),
            }
            if change == 0 {
                set_back(&path);
            }
            assert!(!stamps.contains(&look()), "change {change} does not show");
            stamps.push(look());
        }
        assert!(!is_quiet(&fs::metadata(&path).unwrap()), "its inode changed a moment ago");
        thread::sleep(2 * TICK);
        assert!(is_quiet(&fs::metadata(&path).unwrap()));
        assert_ne!(stamp(&fs::metadata(&path).unwrap(), false), look(), "the inode counts only where it stays");
    }
}
