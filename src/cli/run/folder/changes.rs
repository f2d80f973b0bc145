//! Which folders have changed since the last look. An unchanged folder costs two system calls.
//!
//! Floor 4. A file that comes, goes or is renamed changes the times of its folder, and so its
//! [stamp](crate::sys::stamp), even if a program sets the modification time back. A file that is overwritten in place
//! does not change it, and is noticed at the next full rescan. File systems in user space (FUSE) may not keep such
//! times, so everything is read there each time. A folder that can't be read for the moment (a network disk does not
//! answer, no descriptor is left) counts as unchanged.

use crate::sys::stamp::{is_quiet, stamp};
use rustix::fs::{AtFlags, CWD, StatxFlags};
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Greatest depth of subfolders.
const MOST_DEEP: usize = 8;
/// Most folders that are watched.
const MOST_FOLDERS: usize = 20_000;
/// FUSE_SUPER_MAGIC of Linux's magic.h.
const FUSE: u32 = 0x6573_5546;

/// A folder as it was when it was last read.
struct Read {
    /// `None`: it must be read again.
    stamp: Option<u64>,
    below: Vec<PathBuf>,
}

/// A folder and those below it.
pub struct Changes {
    root: PathBuf,
    read: BTreeMap<PathBuf, Read>,
    /// The file system keeps modification times of folders.
    keeps_times: bool,
}

/// What has changed since the look before.
#[derive(Default)]
pub struct Difference {
    /// The torrent files of the folders that have changed.
    pub torrents: Vec<PathBuf>,
    /// The folders that have not changed, as far as is known.
    pub unchanged: Vec<PathBuf>,
    /// Some folder was read, so files may have come or gone.
    pub any: bool,
}

impl Difference {
    /// Whether a file that was found at an earlier look may still exist, although this look did not find it.
    pub fn left_alone(&self, file: &Path) -> bool {
        file.parent().is_some_and(|parent| self.unchanged.binary_search_by(|other| (**other).cmp(parent)).is_ok())
    }
}

impl Changes {
    /// Everything in `root` and its subfolders counts as new.
    pub fn new(root: PathBuf) -> Changes {
        let keeps_times = rustix::fs::statfs(&root).is_ok_and(|about| about.f_type as u32 != FUSE);
        Changes { root, read: BTreeMap::new(), keeps_times }
    }

    /// Finds what has changed since the last look, or `everything`.
    pub fn look(&mut self, everything: bool) -> Difference {
        let mut found = Difference::default();
        let before = std::mem::take(&mut self.read);
        let root = self.root.clone();
        self.look_into(root, MOST_DEEP, everything || !self.keeps_times, &before, &mut found);
        found.unchanged.sort_unstable();
        found
    }

    /// Symbolic links to folders are not followed, because they may form circles.
    fn look_into(
        &mut self,
        dir: PathBuf,
        deep: usize,
        all: bool,
        before: &BTreeMap<PathBuf, Read>,
        found: &mut Difference,
    ) {
        if self.read.len() >= MOST_FOLDERS {
            return;
        }
        let stamp = stamp_of(&dir);
        let before_this = before.get(&dir);
        let same = before_this.filter(|before| !all && before.stamp.is_some() && before.stamp == stamp);
        let read = if same.is_none() { read(&dir, deep, &mut found.torrents) } else { None };
        let stamp = stamp.filter(|_| same.is_some() || read.is_some());
        found.any |= read.is_some();
        let below = read.unwrap_or_else(|| {
            found.unchanged.push(dir.clone());
            before_this.map(|before| before.below.clone()).unwrap_or_default()
        });
        self.read.insert(dir, Read { stamp, below: below.clone() });
        below.into_iter().for_each(|dir| self.look_into(dir, deep - 1, all, before, found));
    }
}

/// Returns the subfolders of `dir` and adds its torrent files to `torrents`. `None`: it exists, but can't be read
/// completely.
fn read(dir: &Path, deep: usize, torrents: &mut Vec<PathBuf>) -> Option<Vec<PathBuf>> {
    let mut below = Vec::new();
    let entries = match fs::read_dir(dir) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Some(below),
        entries => entries.ok()?,
    };
    for entry in entries {
        let entry = entry.ok()?;
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && deep > 0 => below.push(path),
            Ok(kind)
                if !kind.is_dir()
                    && path.extension().is_some_and(|end| {
                        end.eq_ignore_ascii_case("torrent") || end.eq_ignore_ascii_case("magnet")
                    }) =>
            {
                torrents.push(path);
            }
            _ => {}
        }
    }
    Some(below)
}

/// `AT_STATX_FORCE_SYNC` of Linux's fcntl.h, for which rustix has no name on MIPS with musl.
const FORCE_SYNC: AtFlags = AtFlags::from_bits_retain(0x2000);

/// The stamp of a folder. `None`: it is read at each look, because it can't be asked, or because it changed a moment
/// ago and its next change might not show.
fn stamp_of(dir: &Path) -> Option<u64> {
    // What the system remembers of a network disk may be old: this asks the disk.
    rustix::fs::statx(CWD, dir, FORCE_SYNC, StatxFlags::BASIC_STATS).ok()?;
    let found = fs::metadata(dir).ok()?;
    is_quiet(&found).then(|| stamp(&found, true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::stamp::TICK;
    use std::fs::{File, FileTimes};
    use std::os::unix::fs::symlink;
    use std::thread::sleep;
    use std::time::{Duration, SystemTime};

    /// Sets the modification time of a folder.
    fn set_time(dir: &Path, time: SystemTime) {
        File::open(dir).unwrap().set_times(FileTimes::new().set_modified(time)).unwrap();
    }

    fn names(found: &Difference) -> Vec<String> {
        let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        let mut names: Vec<String> = found.torrents.iter().map(name).collect();
        names.sort();
        names
    }

    #[test]
    fn only_changed_folders_are_read() {
        let temp = tempfile::tempdir().unwrap();
        let (root, below) = (temp.path(), temp.path().join("below/deeper"));
        fs::create_dir_all(&below).unwrap();
        for file in ["a.torrent", "notes.txt", ".hidden.torrent", "below/b.torrent", "below/deeper/c.torrent"] {
            fs::write(root.join(file), "").unwrap();
        }
        symlink(root, root.join("link")).unwrap();
        let mut changes = Changes::new(root.into());
        // As if they had changed just now: they may change again within the same tick.
        let (soon, long_ago) = (SystemTime::now() + Duration::from_secs(100), SystemTime::UNIX_EPOCH);
        [root, &root.join("below"), &below].into_iter().for_each(|dir| set_time(dir, soon));
        for _ in 0..3 {
            assert_eq!(names(&changes.look(false)), ["a.torrent", "b.torrent", "c.torrent"]);
        }
        [root, &root.join("below"), &below].into_iter().for_each(|dir| set_time(dir, long_ago));
        sleep(2 * TICK);
        changes.look(false);
        let found = changes.look(false);
        assert_eq!((names(&found), found.unchanged.len()), (vec![], 3));
        assert!(found.left_alone(&below.join("c.torrent")) && !found.left_alone(&root.join("none/x.torrent")));

        fs::write(below.join("d.torrent"), "").unwrap();
        let found = changes.look(false);
        assert_eq!(names(&found), ["c.torrent", "d.torrent"]);
        assert!(found.left_alone(&root.join("a.torrent")) && !found.left_alone(&below.join("c.torrent")));
        assert_eq!(names(&changes.look(true)).len(), 4);

        // As `rsync -t` and `touch -r` do it.
        set_time(&below, long_ago);
        sleep(2 * TICK);
        changes.look(false);
        assert_eq!(names(&changes.look(false)), Vec::<String>::new());
        fs::write(below.join("e.torrent"), "").unwrap();
        set_time(&below, long_ago);
        assert_eq!(names(&changes.look(false)), ["c.torrent", "d.torrent", "e.torrent"], "its time was set back");

        fs::remove_dir_all(root.join("below")).unwrap();
        let found = changes.look(false);
        assert_eq!(names(&found), ["a.torrent"]);
        assert!(!found.left_alone(&below.join("c.torrent")));
        assert_eq!(changes.read.len(), 1);
    }

    #[test]
    fn a_folder_that_cannot_be_read_now_is_not_gone() {
        let temp = tempfile::tempdir().unwrap();
        let (real, root) = (temp.path().join("real"), temp.path().join("root"));
        fs::create_dir_all(real.join("below")).unwrap();
        fs::write(real.join("a.torrent"), "").unwrap();
        fs::write(real.join("below/b.torrent"), "").unwrap();
        symlink(&real, &root).unwrap();
        let mut changes = Changes::new(root.clone());
        assert_eq!(names(&changes.look(false)), ["a.torrent", "b.torrent"]);
        // A symbolic link to itself exists, but can't be opened: an error that may pass.
        fs::remove_file(&root).unwrap();
        symlink(&root, &root).unwrap();
        let found = changes.look(true);
        assert!(found.left_alone(&root.join("a.torrent")) && found.left_alone(&root.join("below/b.torrent")));
        fs::remove_file(&root).unwrap();
        symlink(&real, &root).unwrap();
        assert_eq!(names(&changes.look(false)), ["a.torrent", "b.torrent"]);
        fs::remove_dir_all(&real).unwrap();
        assert!(!changes.look(false).left_alone(&root.join("a.torrent")));
    }
}
