//! The watched folder: a .torrent file, or a link in a file NAME.magnet, that comes there is added.
//!
//! Floor 4. A helper looks every few seconds, because network disks do not report changes. A file is taken when it has
//! stayed the same from one look to the next, so a half written one waits. Then it is renamed to NAME.added, or
//! removed. Only plain files are taken: no links, no pipes, nothing that is too large.

use crate::base::path::for_terminal;
use crate::proto::metainfo::MAX_METAINFO_BYTES;
use crate::sys::in_words;
use crate::sys::stamp::stamp;
use rustix::fs::{Mode, OFlags, open};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The time between two looks.
pub const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Most files that are taken at one look.
const MOST_FILES: usize = 1000;

/// A file that came.
pub struct Seen {
    /// The file.
    pub path: PathBuf,
    /// Its bytes: a .torrent file, or a link.
    pub bytes: Vec<u8>,
}

/// The folder, and the stamps of the files at the last look.
#[derive(Default)]
pub struct Watch {
    seen: BTreeMap<PathBuf, (u64, Fate)>,
}

#[derive(Clone, Copy, PartialEq)]
enum Fate {
    /// It may still be written.
    New,
    /// It was taken, or can't be used; another look is not needed before it changes.
    Done,
}

impl Watch {
    /// Looks for new files, and tells them.
    pub fn look(&mut self, dir: &Path, tell: &mut dyn FnMut(Seen)) {
        let listed = match fs::read_dir(dir) {
            Ok(entries) => entries.flatten().map(|entry| entry.path()).filter(|path| is_ours(path)),
            Err(error) => {
                log::debug!("the watched folder {}: {}", dir.display(), in_words(&error));
                return;
            }
        };
        let mut seen = BTreeMap::new();
        for path in listed.take(MOST_FILES) {
            let Ok(found) = fs::symlink_metadata(&path) else { continue };
            let stamp = stamp(&found, false);
            let before = self.seen.get(&path).filter(|before| before.0 == stamp).map(|before| before.1);
            let fate = match before {
                Some(Fate::Done) => Fate::Done,
                None => Fate::New,
                Some(Fate::New) => {
                    match read(&path) {
                        Ok(bytes) => tell(Seen { path: path.clone(), bytes }),
                        Err(error) => log::warn!("{}: {}", for_terminal(&path.to_string_lossy()), in_words(&error)),
                    }
                    Fate::Done
                }
            };
            seen.insert(path, (stamp, fate));
        }
        self.seen = seen;
    }
}

/// The torrent in this file was added: the file is removed, or renamed so that it is not added again.
pub fn done(path: &Path, remove: bool) {
    let mut added = path.as_os_str().to_owned();
    added.push(".added");
    let result = if remove { fs::remove_file(path) } else { fs::rename(path, added) };
    if let Err(error) = result {
        log::warn!("{}: {}", for_terminal(&path.to_string_lossy()), in_words(&error));
    }
}

fn is_ours(path: &Path) -> bool {
    let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    !is_hidden && path.extension().is_some_and(|end| end == "torrent" || end == "magnet")
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(open(path, flags, Mode::empty())?);
    let found = file.metadata()?;
    if !found.is_file() || found.len() > MAX_METAINFO_BYTES as u64 {
        return Err(io::Error::other("no plain file, or too large"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_METAINFO_BYTES as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, FileType, mknodat};
    use std::os::unix::fs::symlink;

    #[test]
    fn a_file_is_taken_once_when_it_no_longer_changes_and_odd_ones_are_skipped() {
        let temp = tempfile::tempdir().unwrap();
        let at = |name: &str| temp.path().join(name);
        let mut watch = Watch::default();
        let mut look = || {
            let mut names = Vec::new();
            watch.look(temp.path(), &mut |seen| {
                names.push((seen.path.file_name().unwrap().to_string_lossy().into_owned(), seen.bytes));
            });
            names
        };
        fs::write(at("a.torrent"), "half").unwrap();
        for other in ["b.txt", ".c.torrent", "d.torrent.added"] {
            fs::write(at(other), "x").unwrap();
        }
        fs::write(at("secret"), "x").unwrap();
        symlink(at("secret"), at("link.torrent")).unwrap();
        fs::create_dir(at("folder.torrent")).unwrap();
        mknodat(CWD, at("pipe.torrent"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        File::create(at("huge.torrent")).unwrap().set_len(10 << 30).unwrap();
        assert!(look().is_empty());
        fs::write(at("a.torrent"), "the whole").unwrap();
        assert!(look().is_empty(), "it changed");
        assert_eq!(look(), [("a.torrent".to_string(), b"the whole".to_vec())]);
        assert!(look().is_empty(), "it was taken");
        done(&at("a.torrent"), false);
        assert!(at("a.torrent.added").exists());
        done(&at("a.torrent.added"), true);
        assert!(!at("a.torrent.added").exists() && look().is_empty());
    }
}
