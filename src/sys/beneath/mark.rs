//! A mark that a file carries while it is being made: an extended attribute, by which its maker knows it again.
//!
//! Floor 3, a part of [`beneath`](super). A file that another program puts in its place does not have it (see
//! xattr(7)). Some file systems have no such attributes: FAT, exFAT, NFS before 4.2, some flash of routers, and memory
//! before Linux 6.6.

use rustix::fs::{XattrFlags, fgetxattr, fremovexattr, fsetxattr};
use rustix::io::Errno;
use std::fs::File;

/// Its name. Users may have attributes only in the space `user`.
const NAME: &str = "user.swarmlet.making";

/// Marks a file, if its file system can do that.
pub fn set(file: &File) {
    if let Err(error) = fsetxattr(file, NAME, b"1", XattrFlags::empty()) {
        log::debug!("a new file has no mark: {error}");
    }
}

/// Whether a file has the mark; `None`: its file system has no marks.
pub fn is_set(file: &File) -> Option<bool> {
    match fgetxattr(file, NAME, &mut [0; 8]) {
        Ok(_) => Some(true),
        Err(Errno::NODATA) => Some(false),
        Err(_) => None,
    }
}

/// Removes the mark. Returns whether there was one. (This changes the file's ctime.)
pub fn remove(file: &File) -> bool {
    fremovexattr(file, NAME).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_belongs_to_the_file_and_not_to_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let file = File::create(&path).unwrap();
        let Some(before) = is_set(&file) else { return println!("SKIPPED: this file system has no attributes") };
        assert!(!before && !remove(&file));
        set(&file);
        assert_eq!(is_set(&File::open(&path).unwrap()), Some(true));
        std::fs::write(dir.path().join("other"), "theirs").unwrap();
        std::fs::rename(dir.path().join("other"), &path).unwrap();
        assert_eq!(is_set(&File::open(&path).unwrap()), Some(false));
        assert!(remove(&file) && is_set(&file) == Some(false));
    }
}
