//! Opens files beneath a folder, and nowhere else.
//!
//! Floor 3. The paths themselves are checked on paper ([`crate::base::path`]). The disk can't be trusted either:
//! another user may have put a symbolic link where a file is to be written. So every file is opened relative to the
//! descriptor of its folder, and no link is followed: by `openat2` with `RESOLVE_BENEATH` if the kernel has it (Linux
//! 5.6), else component by component with `O_NOFOLLOW`. (libtorrent#8344 shows what happens otherwise.)

pub mod mark;
mod placing;

use super::is_one_of;
use crate::base::path::{for_terminal, portable};
use crate::sys::IRREGULAR;
use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, ResolveFlags, fstat, fstatfs, fstatvfs, mkdirat, openat, openat2, stat, statat,
    unlinkat,
};
use rustix::io::Errno;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// Permissions of new files and folders, before the umask.
const FILE_MODE: Mode = Mode::from_raw_mode(0o666);
const FOLDER_MODE: Mode = Mode::from_raw_mode(0o777);

/// The errors by which a disk refuses a name: FAT, exFAT and NTFS have characters that no name may have, and eCryptfs
/// takes short names only.
const REFUSED_NAME: [Errno; 3] = [Errno::INVAL, Errno::ILSEQ, Errno::NAMETOOLONG];

/// File systems that refuse names (statfs(2)): FAT, exFAT, NTFS (two drivers), SMB (three), FUSE, VirtualBox, eCryptfs.
const PICKY: [u32; 10] =
    [0x4d44, 0x2011_bab0, 0x5346_544e, 0x7366_746e, 0x517b, 0xff53_4d42, 0xfe53_4d42, 0x6573_5546, 0x786f_4256, 0xf15f];

/// The device and the inode of a file or folder: while it is open, nothing else has the same two.
pub type Identity = (u64, u64);

/// A folder beneath which files are opened.
#[derive(Debug)]
pub struct Folder {
    fd: OwnedFd,
    identity: Identity,
    /// The kernel has no `openat2`, or a sandbox forbids it.
    by_component: AtomicBool,
    /// The disk refused a name, and another one was used.
    refuses: AtomicBool,
    kind: OnceLock<u32>,
    real: OnceLock<Arc<[u8]>>,
}

/// What a file is opened for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum For {
    /// Reading a file that exists.
    Reading,
    /// Reading and writing. The file and its folders are created if they do not exist.
    Writing,
    /// The same, and the file must not exist yet.
    Making,
}

impl Folder {
    /// Opens the folder itself. The user named it, so links in its path are followed.
    pub fn open(path: &Path) -> io::Result<Folder> {
        let fd = openat(CWD, path, OFlags::DIRECTORY | OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
        let found = fstat(&fd)?;
        Ok(Folder {
            fd,
            identity: (found.st_dev, found.st_ino),
            by_component: AtomicBool::new(false),
            refuses: AtomicBool::new(false),
            kind: OnceLock::new(),
            real: OnceLock::new(),
        })
    }

    /// Whether `path` leads to this folder. (While it is open, no other folder has its identity.)
    pub fn is_at(&self, path: &Path) -> io::Result<bool> {
        let found = stat(path)?;
        Ok((found.st_dev, found.st_ino) == self.identity)
    }

    /// The path of the folder, which is also at `path`, with all links resolved. It is asked once.
    pub fn real(&self, path: &Path) -> Arc<[u8]> {
        let bytes = |path: &Path| path.as_os_str().as_bytes().into();
        if let Some(real) = self.real.get() {
            return Arc::clone(real);
        }
        match fs::canonicalize(path) {
            Ok(real) => Arc::clone(self.real.get_or_init(|| bytes(&real))),
            // The folder was opened a moment ago. If its path is gone now, it is still a good name.
            Err(_) => bytes(path),
        }
    }

    /// Device and inode of the folder, without a disk access.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// Device and inode of the file, folder or link at `path`. The link is not followed.
    pub fn identity_of(&self, path: &str) -> io::Result<Identity> {
        let found = self.or_portable(path, true, |path| match path.contains('/') {
            // One name leads nowhere else, so one call is enough.
            false => statat(&self.fd, path, AtFlags::SYMLINK_NOFOLLOW).map_err(explain),
            true => Ok(fstat(self.look_at(path)?)?),
        })?;
        Ok((found.st_dev, found.st_ino))
    }

    /// The path of what is at `path`, if it is another one because the disk refuses that.
    pub fn used_instead(&self, path: &str) -> Option<String> {
        let may_differ = self.refuses.load(Ordering::Relaxed) && portable(path, true) != path;
        may_differ.then(|| self.look(path).ok())?.map(|(_, used)| used).filter(|used| used != path)
    }

    fn look(&self, path: &str) -> io::Result<(OwnedFd, String)> {
        self.or_portable(path, true, |path| Ok((self.look_at(path)?, path.to_string())))
    }

    fn look_at(&self, path: &str) -> io::Result<OwnedFd> {
        self.open_beneath(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC).map_err(explain)
    }

    /// Free bytes of the file system that holds the file or folder at `path`, or that will hold it.
    pub fn free_bytes(&self, path: &str) -> io::Result<u64> {
        let found = self.look(path).map_or_else(|_| fstatvfs(&self.fd), |(there, _)| fstatvfs(there))?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }

    /// The type of the file system that holds the folder, as a number of statfs(2). It is asked once.
    pub fn kind(&self) -> io::Result<u32> {
        if let Some(kind) = self.kind.get() {
            return Ok(*kind);
        }
        let kind = fstatfs(&self.fd)?.f_type as u32;
        Ok(*self.kind.get_or_init(|| kind))
    }

    /// The type of the file system that holds `path`, or that will hold it, as a number of statfs(2).
    pub fn kind_of(&self, path: &str) -> io::Result<u32> {
        let found = self.look(path).map_or_else(|_| fstatfs(&self.fd), |(there, _)| fstatfs(there))?;
        Ok(found.f_type as u32)
    }

    /// Opens the file at `path`, or at another one if the disk can't have this path. Its components, separated by `/`,
    /// must have been checked.
    pub fn file(&self, path: &str, purpose: For) -> io::Result<File> {
        self.find(path, purpose).map(|(file, _)| file)
    }

    /// The same, and what the file is like.
    pub fn find(&self, path: &str, purpose: For) -> io::Result<(File, Metadata)> {
        self.or_portable(path, purpose == For::Reading, |path| self.file_named(path, purpose))
    }

    /// Does something with the file at `path`, or with the one at its [`portable`] path if the disk refuses names of
    /// `path`. Some disks refuse a name only when the file is made. There, a file that does not exist is looked for at
    /// the other path too (`looks`).
    fn or_portable<T>(&self, path: &str, looks: bool, act: impl Fn(&str) -> io::Result<T>) -> io::Result<T> {
        let mut error = match act(path) {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        for short in [false, true] {
            let is_refused = is_one_of(&error, &REFUSED_NAME);
            let may_be_there = || looks && is_one_of(&error, &[Errno::NOENT]) && self.is_picky();
            if !is_refused && !may_be_there() {
                break;
            }
            let other = portable(path, short);
            if other == path {
                continue;
            }
            match act(&other) {
                Ok(done) => {
                    self.refuses.store(true, Ordering::Relaxed);
                    let [path, other] = [path, &other].map(for_terminal);
                    log::info!("{path}: this disk refuses the name; {other} is used");
                    return Ok(done);
                }
                Err(why) => error = why,
            }
        }
        Err(error)
    }

    /// Whether its file system is one that may refuse names that Linux's own accept.
    fn is_picky(&self) -> bool {
        self.kind().is_ok_and(|kind| PICKY.contains(&kind))
    }

    fn file_named(&self, path: &str, purpose: For) -> io::Result<(File, Metadata)> {
        let flags = match purpose {
            For::Reading => OFlags::RDONLY,
            For::Writing => OFlags::RDWR | OFlags::CREATE,
            For::Making => OFlags::RDWR | OFlags::CREATE | OFlags::EXCL,
        };
        // NONBLOCK, because opening a pipe would wait for the other end.
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let opened = match self.open_beneath(path, flags) {
            Err(Errno::NOENT) if purpose != For::Reading => {
                self.make_folders_of(path)?;
                self.open_beneath(path, flags)
            }
            opened => opened,
        };
        let file = File::from(opened.map_err(explain)?);
        let found = file.metadata()?;
        if found.is_file() { Ok((file, found)) } else { Err(io::Error::other(IRREGULAR)) }
    }

    /// Removes the file at `path`. (A link of this name is removed, not followed.)
    pub fn remove(&self, path: &str) -> io::Result<()> {
        self.or_portable(path, true, |path| {
            let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
            let folder = self.walk(folders, false).map_err(explain)?;
            unlinkat(&folder, name, AtFlags::empty()).map_err(explain)
        })
    }

    fn open_beneath(&self, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
        if !self.by_component.load(Ordering::Relaxed) {
            let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
            let mode = if flags.contains(OFlags::CREATE) { FILE_MODE } else { Mode::empty() };
            match openat2(&self.fd, path, flags, mode, beneath) {
                Err(Errno::NOSYS | Errno::PERM) => self.by_component.store(true, Ordering::Relaxed),
                result => return result,
            }
        }
        let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
        let folder = self.walk(folders, false)?;
        openat(&folder, name, flags, FILE_MODE)
    }

    fn make_folders_of(&self, path: &str) -> io::Result<()> {
        let (folders, _) = path.rsplit_once('/').unwrap_or(("", path));
        self.walk(folders, true).map(drop).map_err(explain)
    }

    /// Opens `folders` one after the other, follows no link, and creates missing folders if `make` is set.
    fn walk(&self, folders: &str, make: bool) -> Result<OwnedFd, Errno> {
        let flags = OFlags::DIRECTORY | OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut at = openat(&self.fd, ".", flags, Mode::empty())?;
        for name in folders.split('/').filter(|name| !name.is_empty()) {
            if make {
                match mkdirat(&at, name, FOLDER_MODE) {
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(error) => return Err(error),
                }
            }
            at = openat(&at, name, flags, Mode::empty())?;
        }
        Ok(at)
    }
}

/// Replaces the kernel's message for a link that is not followed, which speaks of loops.
fn explain(error: Errno) -> io::Error {
    match error {
        Errno::LOOP | Errno::XDEV => {
            io::Error::other("there is a symbolic link in the path, and links are not followed")
        }
        Errno::NOTDIR => io::Error::other("there is a file or a symbolic link where a folder should be"),
        Errno::ISDIR => io::Error::other("there is a folder where the file should be"),
        Errno::EXIST => io::Error::new(io::ErrorKind::AlreadyExists, "another program made it meanwhile"),
        // A socket, or a device without a driver. A disk that is gone has another error.
        Errno::NXIO => io::Error::other(IRREGULAR),
        error => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::testkit::PATIENCE;
    use rustix::fs::{FileType, mknodat};
    use std::io::{Read, Write};
    use std::os::unix::fs::symlink;

    /// Both ways of opening must refuse the same.
    fn both_ways(test: impl Fn(&Folder, &Path)) {
        for by_component in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            let folder = Folder::open(dir.path()).unwrap();
            folder.by_component.store(by_component, Ordering::Relaxed);
            test(&folder, dir.path());
        }
    }

    #[test]
    fn a_folder_is_known_by_its_real_path_and_what_is_in_it_by_its_own_identity() {
        both_ways(|folder, dir| {
            std::fs::create_dir(dir.join("below")).unwrap();
            std::fs::write(dir.join("below/file"), "x").unwrap();
            symlink("below/file", dir.join("link")).unwrap();
            symlink(dir, dir.join("below/here")).unwrap();
            assert_eq!(*folder.real(Path::new("/none")), *b"/none", "it is not kept if it is not known");
            let real = std::fs::canonicalize(dir).unwrap();
            assert_eq!(*folder.real(&dir.join("below/here")), *real.as_os_str().as_bytes());
            assert_eq!(folder.real(Path::new("/none")), folder.real(dir), "it is asked once");
            let identity = |path| folder.identity_of(path).unwrap();
            assert_eq!(identity("below/file"), Folder::open(&dir.join("below")).unwrap().identity_of("file").unwrap());
            assert!(identity("link") != identity("below/file"), "it is the link's own");
            assert!(folder.identity_of("below/here/link").is_err(), "no link is followed");
        });
    }

    #[test]
    fn makes_files_and_their_folders() {
        both_ways(|folder, _| {
            folder.file("a/b/c", For::Writing).unwrap().write_all(b"x").unwrap();
            let mut text = String::new();
            folder.file("a/b/c", For::Reading).unwrap().read_to_string(&mut text).unwrap();
            assert_eq!(text, "x");
            assert_eq!(folder.file("a/b/d", For::Reading).unwrap_err().kind(), io::ErrorKind::NotFound);
            folder.file("g/h", For::Making).unwrap();
            assert_eq!(folder.file("g/h", For::Making).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
            folder.remove("g/h").unwrap();
            folder.file("g/h", For::Making).unwrap();
        });
    }

    #[test]
    fn a_name_that_the_disk_refuses_is_changed_for_everybody() {
        both_ways(|folder, dir| {
            // No disk of Linux has names of 300 bytes; those that refuse other names return other errors.
            let [path, short] = [300, 139].map(|bytes| format!("{0}/{0}.txt", "x".repeat(bytes)));
            let short = short.replacen('/', "xxxx/", 1);
            assert_eq!(folder.file(&path, For::Reading).unwrap_err().kind(), io::ErrorKind::NotFound);
            folder.file(&path, For::Writing).unwrap().write_all(b"x").unwrap();
            assert_eq!(
                [&path, &short, "plain"].map(|path| folder.used_instead(path)),
                [Some(short.clone()), None, None]
            );
            assert_eq!(std::fs::read(dir.join(&short)).unwrap(), b"x");
            assert_eq!(folder.file(&path, For::Reading).unwrap().metadata().unwrap().len(), 1);
            assert_eq!(folder.identity_of(&path).unwrap(), folder.identity_of(&short).unwrap());
            // A second file of the same short name is not taken for the first.
            assert_eq!(folder.file(&path, For::Making).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
            folder.remove(&path).unwrap();
            assert!(!dir.join(&short).exists());
            folder.file(&path, For::Making).unwrap();
            // This disk takes all other names, so no other file is taken for one that is not there.
            std::fs::write(dir.join("what_"), "").unwrap();
            assert!(folder.file("what?", For::Reading).is_err());
        });
    }

    #[test]
    fn follows_no_link() {
        both_ways(|folder, dir| {
            let outside = tempfile::tempdir().unwrap();
            symlink(outside.path(), dir.join("folder")).unwrap();
            symlink(outside.path().join("new"), dir.join("file")).unwrap();
            // Not even one that leads to another place inside the folder.
            std::fs::create_dir(dir.join("inside")).unwrap();
            symlink("inside", dir.join("other")).unwrap();
            for path in ["folder/x", "file", "other/x"] {
                let error = folder.file(path, For::Writing).unwrap_err().to_string();
                assert!(error.contains("symbolic link"), "{path}: {error}");
                assert!(folder.file(path, For::Reading).is_err());
            }
            assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
            assert_eq!(std::fs::read_dir(dir.join("inside")).unwrap().count(), 0);
        });
    }

    #[test]
    fn opens_only_regular_files() {
        both_ways(|folder, dir| {
            std::fs::create_dir(dir.join("folder")).unwrap();
            assert!(folder.file("folder", For::Writing).is_err());
            assert!(folder.file("folder", For::Reading).is_err());
            let _socket = std::os::unix::net::UnixListener::bind(dir.join("socket")).unwrap();
            for purpose in [For::Reading, For::Writing] {
                let error = folder.file("socket", purpose).unwrap_err();
                assert_eq!(error.to_string(), "it is not a regular file");
            }
            std::fs::write(dir.join("plain"), "").unwrap();
            assert!(folder.file("plain/x", For::Writing).unwrap_err().to_string().contains("where a folder should be"));
            // Opening a pipe without a writer would block. If it does, the second open below ends the test.
            mknodat(CWD, dir.join("pipe"), FileType::Fifo, FILE_MODE, 0).unwrap();
            let (tell, told) = std::sync::mpsc::channel();
            std::thread::scope(|scope| {
                scope.spawn(|| tell.send(folder.file("pipe", For::Reading).is_err()));
                let answer = told.recv_timeout(PATIENCE);
                let _ = folder.file("pipe", For::Writing);
                assert_eq!(answer, Ok(true));
            });
        });
    }
}
