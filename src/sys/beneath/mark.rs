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

/// Marks a file. Returns whether that worked.
pub fn set(file: &File) -> bool {
    let set = fsetxattr(file, NAME, b"1", XattrFlags::empty());
    set.inspect_err(|error| log::debug!("a new file has no mark: {error}")).is_ok()
}

/// Whether new files in a folder can be marked. Only a try can tell: some file systems without attributes say that a
/// file has none. (A folder can have attributes, too.)
pub fn works_in(folder: &File) -> bool {
    set(folder) && remove(folder)
}

/// Whether a file has the mark; `None`: its file system has no marks. (`Some(false)` means that another program made
/// the file only if marks [work](works_in) there.)
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
        assert!(works_in(&File::open(dir.path()).unwrap()) && set(&file));
        assert_eq!(is_set(&File::open(&path).unwrap()), Some(true));
        std::fs::write(dir.path().join("other"), "theirs").unwrap();
        std::fs::rename(dir.path().join("other"), &path).unwrap();
        assert_eq!(is_set(&File::open(&path).unwrap()), Some(false));
        assert!(remove(&file) && is_set(&file) == Some(false));
    }
}
