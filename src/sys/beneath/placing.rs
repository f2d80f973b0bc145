//! Gives files other places, and removes folders: what a move, a rename and a deletion need.
//!
//! Floor 3, a part of [`beneath`](super). No link is followed, nothing is overwritten, and only regular files are
//! touched.

use super::{Folder, explain};
use crate::sys::IRREGULAR;
use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags, Stat, fstat, fsync, openat, renameat, renameat_with, unlinkat};
use rustix::io::Errno;
use std::io;

/// The bits of `st_mode` that tell the kind of a file, and those of a regular file (inode(7)).
const KIND: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;

impl Folder {
    /// What the regular file at `path` is like; `None`: nothing is there.
    pub fn regular(&self, path: &str) -> io::Result<Option<Stat>> {
        match self.look(path) {
            Ok((there, _)) => {
                let found = fstat(there)?;
                if found.st_mode & KIND == REGULAR { Ok(Some(found)) } else { Err(io::Error::other(IRREGULAR)) }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether anything is at `path`, be it only a link.
    pub fn is_taken(&self, path: &str) -> io::Result<bool> {
        match self.look(path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Gives the file at `path` the path `to` beneath `there`, on the same device, and makes the folders that it needs.
    /// Nothing may be at `to` yet.
    pub fn rename(&self, path: &str, there: &Folder, to: &str) -> io::Result<()> {
        let path = self.look(path)?.1;
        let (folders, name) = path.rsplit_once('/').unwrap_or(("", &path));
        let from = self.walk(folders, false).map_err(explain)?;
        there.or_portable(to, false, |to| {
            let (folders, new) = to.rsplit_once('/').unwrap_or(("", to));
            let into = there.walk(folders, true).map_err(explain)?;
            match renameat_with(&from, name, &into, new, RenameFlags::NOREPLACE) {
                // Not every file system can promise that nothing is replaced.
                Err(Errno::INVAL | Errno::NOSYS) if !there.is_taken(to)? => Ok(renameat(&from, name, &into, new)?),
                Err(Errno::EXIST | Errno::INVAL | Errno::NOSYS) => {
                    Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is another file of this name"))
                }
                // (The kernel's error for links would be misleading here.)
                Err(Errno::XDEV) => Err(Errno::XDEV.into()),
                done => done.map_err(explain),
            }
        })
    }

    /// Removes the folder at `path` if it is empty. Returns whether it is gone.
    pub fn remove_empty(&self, path: &str) -> bool {
        let removed = self.or_portable(path, true, |path| {
            let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
            let folder = self.walk(folders, false).map_err(explain)?;
            unlinkat(&folder, name, AtFlags::REMOVEDIR).map_err(explain)
        });
        removed.is_ok()
    }

    /// Waits until the names in the folder at `path` are on the disk. (Not every file system can do that.)
    pub fn sync(&self, path: &str) -> io::Result<()> {
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = self.walk(path, false).map_err(explain)?;
        match fsync(openat(&folder, ".", flags, Mode::empty())?) {
            Err(Errno::INVAL | Errno::ROFS) => Ok(()),
            done => Ok(done?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::beneath::For;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_rename_makes_folders_and_replaces_nothing() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (from, to) = (Folder::open(one.path()).unwrap(), Folder::open(other.path()).unwrap());
        from.file("a/b", For::Writing).unwrap();
        from.rename("a/b", &to, "x/y/z").unwrap();
        assert!(other.path().join("x/y/z").is_file() && !one.path().join("a/b").exists());
        fs::write(one.path().join("a/b"), "mine").unwrap();
        let error = from.rename("a/b", &to, "x/y/z").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(one.path().join("a/b")).unwrap(), b"mine");
        assert!(to.regular("x/y/z").unwrap().is_some() && to.regular("x/y/w").unwrap().is_none());
        assert!(!to.remove_empty("x/y"));
        fs::remove_file(other.path().join("x/y/z")).unwrap();
        assert!(to.remove_empty("x/y") && !other.path().join("x/y").exists());
        to.sync("x").unwrap();
        to.sync("").unwrap();
    }

    #[test]
    fn links_are_neither_followed_nor_moved_through() {
        let (one, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let folder = Folder::open(one.path()).unwrap();
        fs::write(one.path().join("file"), "x").unwrap();
        fs::write(outside.path().join("theirs"), "x").unwrap();
        symlink(outside.path(), one.path().join("link")).unwrap();
        symlink(outside.path().join("theirs"), one.path().join("file link")).unwrap();
        assert!(folder.rename("file", &folder, "link/file").is_err());
        assert!(folder.rename("link/theirs", &folder, "stolen").is_err());
        assert!(folder.regular("file link").is_err() && folder.is_taken("file link").unwrap());
        assert!(folder.rename("file", &folder, "file link").is_err());
        assert!(!folder.remove_empty("link"));
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
    }
}
