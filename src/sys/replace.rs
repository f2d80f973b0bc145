//! Writes a file whole or not at all, and writes to what is not a file.
//!
//! Floor 3. The content is written to a new file beside the old one, and the new file is renamed over it. So no reader
//! ever sees half of it, and after a failure the old file is still there. A symbolic link stays, and its target is
//! replaced.
//!
//! A device, a pipe, or an open file of this process (`/dev/stdout`, `/dev/fd/3`) is never replaced: it is written to,
//! as by a shell. The same holds for a file on which something is mounted, as containers do, because it can't be
//! replaced.

use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statfs, statx};
use rustix::io::Errno;
use rustix::process::geteuid;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// The name of an unfinished file begins with this and ends with [`END`]; the process id and a number are between them.
const BEGIN: &str = ".swarmlet-";
const END: &str = ".new";

/// Links that are followed one after the other, as in the kernel (path_resolution(7)).
const MOST_LINKS: usize = 40;
/// `PROC_SUPER_MAGIC` (statfs(2)): a "link" there is an open file.
const PROC: u32 = 0x9fa0;
/// The sticky bit (inode(7)).
const STICKY: u32 = 0o1000;

/// When the content must be on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    /// Before the file takes its name: a power cut leaves the old file or the new one.
    First,
    /// When the system likes: a power cut may leave an empty file.
    Later,
}

/// Where the content will go.
#[derive(Debug)]
pub enum Output {
    /// A file at this path, which is not a link, is made or replaced.
    Replace(PathBuf),
    /// This is written to.
    Into {
        /// What is open for writing.
        file: File,
        /// It is a file of its own, and is emptied first.
        empty: bool,
    },
}

impl Output {
    /// Finds out what is at `path`, and whether it can be written, without changing it.
    pub fn open(path: &Path) -> io::Result<Output> {
        let output = Output::find(path)?;
        if let Output::Replace(path) = &output {
            let unfinished = beside(path);
            File::create_new(&unfinished)?;
            fs::remove_file(&unfinished)?;
        }
        Ok(output)
    }

    fn find(path: &Path) -> io::Result<Output> {
        // A name that ends like this can only be a folder's.
        if path.as_os_str().as_bytes().ends_with(b"/") {
            return Err(Errno::ISDIR.into());
        }
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => return Err(Errno::ISDIR.into()),
            Ok(found) if !found.is_file() => {
                return Ok(Output::Into { file: File::options().write(true).open(path)?, empty: false });
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // For example, its name is too long.
            Err(error) => return Err(error),
        }
        let mut path = path.to_path_buf();
        for _ in 0..MOST_LINKS {
            let folder = match path.parent() {
                Some(folder) if !folder.as_os_str().is_empty() => folder,
                _ => Path::new("."),
            };
            if statfs(folder).is_ok_and(|system| system.f_type as u32 == PROC) {
                // What others have written through it stays.
                return Ok(Output::Into { file: File::options().append(true).open(&path)?, empty: false });
            }
            let Ok(target) = fs::read_link(&path) else {
                let folder = fs::metadata(folder)?;
                return Output::of_file(path, &folder);
            };
            path = folder.join(target);
        }
        Err(Errno::LOOP.into())
    }

    /// The file at `path`, which is not a link, and may not exist.
    fn of_file(path: PathBuf, folder: &fs::Metadata) -> io::Result<Output> {
        let file = match statx(CWD, &path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::BASIC_STATS) {
            // Nothing is there, or the kernel or a sandbox has no statx. Then the rename will tell.
            Err(Errno::NOENT | Errno::NOSYS | Errno::PERM) => return Ok(Output::Replace(path)),
            found => found?,
        };
        if file.stx_attributes.contains(StatxAttributes::MOUNT_ROOT) {
            return Ok(Output::Into { file: File::options().write(true).open(path)?, empty: true });
        }
        // In a folder such as /tmp, only the owner may replace a file. (A file may also be locked by chattr(1).)
        let me = geteuid().as_raw();
        let sticky = folder.mode() & STICKY != 0 && ![file.stx_uid, folder.uid(), 0].contains(&me);
        let locked = file.stx_attributes.intersects(StatxAttributes::IMMUTABLE | StatxAttributes::APPEND);
        if sticky || locked { Err(Errno::PERM.into()) } else { Ok(Output::Replace(path)) }
    }

    /// Writes what `write` writes. A file keeps its permissions, and its owner if that is possible.
    pub fn write(self, sync: Sync, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
        let path = match self {
            Output::Replace(path) => path,
            Output::Into { mut file, empty } => {
                if empty {
                    file.set_len(0)?;
                }
                write(&mut file)?;
                // A pipe cannot be synced.
                return if sync == Sync::First && empty { file.sync_all() } else { Ok(()) };
            }
        };
        let unfinished = beside(&path);
        let written = File::create_new(&unfinished).and_then(|mut file| {
            if let Ok(old) = fs::metadata(&path) {
                // Only root can do this. Otherwise the file belongs to the user of this process.
                let _ = fchown(&file, Some(old.uid()), Some(old.gid()));
                file.set_permissions(old.permissions())?;
            }
            write(&mut file)?;
            if sync == Sync::First { file.sync_all() } else { Ok(()) }
        });
        written.and_then(|()| fs::rename(&unfinished, &path)).inspect_err(|_| {
            // It may not exist.
            let _ = fs::remove_file(&unfinished);
        })
    }
}

/// Replaces the file at `path`, or makes it, with the content that `write` writes.
pub fn replace(path: &Path, sync: Sync, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    Output::find(path)?.write(sync, write)
}

/// Whether a file of this name is one that [`replace`] did not finish, because the process was killed.
pub fn is_unfinished(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| name.starts_with(BEGIN) && name.ends_with(END))
}

/// A hidden name in the folder of `path` that no other process and no other thread takes.
fn beside(path: &Path) -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    path.with_file_name(format!("{BEGIN}{}-{number}{END}", std::process::id()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{FileType, Mode, mknodat};
    use std::io::Write;
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};

    fn names(dir: &Path) -> Vec<std::ffi::OsString> {
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    }

    #[test]
    fn a_file_is_replaced_and_keeps_its_permissions() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("file");
        for (sync, content) in [(Sync::First, "old"), (Sync::Later, "new")] {
            Output::open(&path).unwrap();
            replace(&path, sync, |file| file.write_all(content.as_bytes())).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        }
        replace(&path, Sync::Later, |_| Ok(())).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(names(temp.path()), ["file"]);
    }

    #[test]
    fn after_a_failure_the_old_file_is_there_and_nothing_else() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("file");
        fs::write(&path, "old").unwrap();
        let mut unfinished = Vec::new();
        let failed = replace(&path, Sync::First, |file| {
            file.write_all(b"half")?;
            unfinished = names(temp.path());
            Err(io::Error::other("full"))
        });
        assert_eq!(failed.unwrap_err().to_string(), "full");
        assert_eq!(unfinished.iter().filter(|name| is_unfinished(name)).count(), 1);
        assert_eq!((names(temp.path()), fs::read_to_string(&path).unwrap()), (vec!["file".into()], "old".to_string()));
        assert!(Output::open(&temp.path().join("none/file")).is_err());
        assert!(replace(temp.path(), Sync::Later, |_| Ok(())).is_err(), "a folder is not replaced");
    }

    fn put(path: &Path, content: &str) -> io::Result<()> {
        Output::open(path)?.write(Sync::First, |file| file.write_all(content.as_bytes()))
    }

    #[test]
    fn a_link_stays_and_its_target_is_made_or_replaced() {
        let temp = tempfile::tempdir().unwrap();
        let at = |name: &str| temp.path().join(name);
        fs::create_dir(at("below")).unwrap();
        // A chain; the links are relative to their own folders.
        symlink("below/second", at("first")).unwrap();
        symlink("../real", at("below/second")).unwrap();
        for content in ["made", "replaced"] {
            put(&at("first"), content).unwrap();
            assert_eq!(fs::read_to_string(at("real")).unwrap(), content);
            assert!(fs::symlink_metadata(at("first")).unwrap().is_symlink());
            assert!(fs::symlink_metadata(at("below/second")).unwrap().is_symlink());
        }
        symlink("round", at("round")).unwrap();
        assert!(put(&at("round"), "x").is_err());
    }

    #[test]
    fn what_is_not_a_file_is_written_to() {
        let temp = tempfile::tempdir().unwrap();
        let fifo = temp.path().join("fifo");
        mknodat(CWD, &fifo, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        let reader = std::thread::spawn({
            let fifo = fifo.clone();
            move || fs::read_to_string(fifo).unwrap()
        });
        put(&fifo, "through a pipe").unwrap();
        assert_eq!(reader.join().unwrap(), "through a pipe");
        assert!(fs::metadata(&fifo).unwrap().file_type().is_fifo());
        let socket = temp.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert!(put(&socket, "x").is_err());
        assert_eq!(names(temp.path()).len(), 2);
    }

    #[test]
    fn an_open_file_is_appended_to_and_stays_the_same_file() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("log");
        fs::write(&path, "before ").unwrap();
        let open = File::options().append(true).open(&path).unwrap();
        put(Path::new(&format!("/dev/fd/{}", open.as_raw_fd())), "after").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "before after");
        assert_eq!(fs::metadata(&path).unwrap().ino(), open.metadata().unwrap().ino());
    }

    #[test]
    fn what_cannot_be_written_is_found_out_before_the_work() {
        let temp = tempfile::tempdir().unwrap();
        let name = |name: &str| Output::open(&temp.path().join(name)).map(drop);
        name(&"x".repeat(255)).unwrap();
        for wrong in ["x".repeat(256), "folder/".into(), "none/x".into(), ".".into()] {
            name(&wrong).unwrap_err();
        }
        assert!(names(temp.path()).is_empty());
    }
}
