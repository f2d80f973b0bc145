//! Whether somebody else touched the files: what is served must be what was proven.
//!
//! Floor 3. Of each file its size, time of change and inode are remembered as they were when its pieces were proven. A
//! file that is served is looked at once a minute; when it is another than it was, all its pieces are in doubt. While we
//! write to a file ourselves nothing is remembered of it, until the next piece is proven.

use super::content::{Content, ContentError, Doing};
use std::fs::{File, Metadata};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// A file that is served is looked at so often.
const LOOK_EVERY_SECONDS: u32 = 60;

/// What is known of one file. (There may be a hundred thousand: 16 bytes each.)
#[derive(Clone, Copy, Default)]
struct Known {
    /// A digest of what the system says of it; 0: nothing is known.
    stamp: u64,
    /// When it was looked at, in seconds since the content was opened.
    looked: u32,
}

/// What is known of the files of a content.
pub struct KnownFiles {
    files: Mutex<Vec<Known>>,
    began: Instant,
}

impl KnownFiles {
    /// Nothing is known of `count` files.
    pub fn new(count: usize) -> KnownFiles {
        KnownFiles { files: Mutex::new(vec![Known::default(); count]), began: Instant::now() }
    }

    /// It was found so, and what is in it will be, or is, proven.
    pub fn note(&self, file: usize, found: &Metadata) {
        let looked = self.began.elapsed().as_secs() as u32;
        let known = &mut self.lock()[file];
        (known.stamp, known.looked) = (stamp(found), looked);
    }

    /// We wrote to it. (To be said after each write: what was noted during it may be older.)
    pub fn wrote(&self, file: usize) {
        self.lock()[file].stamp = 0;
    }

    /// Whether it is time to look at it.
    fn is_due(&self, file: usize) -> bool {
        let seconds = self.began.elapsed().as_secs() as u32;
        seconds >= self.lock()[file].looked + LOOK_EVERY_SECONDS
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Known>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stamp(found: &Metadata) -> u64 {
    let mut hasher = DefaultHasher::new();
    (found.ino(), found.len(), found.mtime(), found.mtime_nsec()).hash(&mut hasher);
    hasher.finish().max(1)
}

impl Content {
    /// Before these bytes are served: looks, now and then, whether the files are still what they were.
    pub fn look_if_due(&self, offset: u64, length: u64) -> Result<(), ContentError> {
        for file in self.files_of(offset, length).filter(|file| self.wants(*file)) {
            if self.known.is_due(file) {
                self.look(file)?;
            }
        }
        Ok(())
    }

    fn look(&self, file: usize) -> Result<(), ContentError> {
        let found = self.found(file)?;
        let before = self.known.lock()[file].stamp;
        if before != 0 && before != stamp(&found) {
            return Err(self.changed(file, "another program changed it"));
        }
        self.known.note(file, &found);
        Ok(())
    }

    /// All of a piece lies in these files, and was just proven: notes what they are like. They must be those that
    /// everybody sees; a file that was removed lives on for those who have it open.
    pub fn note_proven(&self, piece: u32) -> Result<(), ContentError> {
        let size = self.metainfo.piece_size(piece) as u64;
        for file in self.files_of(self.piece_offset(piece), size).filter(|file| self.wants(*file)) {
            self.known.note(file, &self.found(file)?);
        }
        Ok(())
    }

    fn found(&self, file: usize) -> Result<Metadata, ContentError> {
        let path = &self.metainfo.files[file].path;
        let found = self.reader(file).and_then(|file: std::sync::Arc<File>| file.metadata());
        let found = found.map_err(|error| self.error(Doing::Reading, path, error))?;
        if found.nlink() == 0 {
            return Err(self.changed(file, "another program removed it"));
        }
        Ok(found)
    }

    fn changed(&self, file: usize, words: &str) -> ContentError {
        self.error(Doing::Reading, &self.metainfo.files[file].path, io::Error::other(words))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testkit::{open, torrent};
    use std::fs;
    use std::os::unix::fs::FileExt;
    use std::time::SystemTime;

    const PIECE: usize = 1000;

    #[test]
    fn a_file_that_was_changed_replaced_or_removed_is_not_what_was_proven() {
        let (metainfo, bytes) = torrent(3 * PIECE, &[], PIECE, &[]);
        for fate in 0..4 {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("whole");
            fs::write(&path, &bytes).unwrap();
            let content = open(&metainfo, dir.path(), false);
            content.size_on_disk(0).unwrap();
            content.look(0).unwrap();
            let other = dir.path().join("other");
            match fate {
                0 => {
                    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
                    file.write_all_at(&[!bytes[5]], 5).unwrap();
                    // The clock of file times may stand still between two writes.
                    file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
                }
                1 => fs::remove_file(&path).unwrap(),
                _ => {
                    // The one that is open is gone; it may be opened again.
                    fs::write(&other, &bytes).unwrap();
                    fs::rename(&other, &path).unwrap();
                }
            }
            if fate == 3 {
                content.files.forget_all(content.number);
            }
            let said = content.look(0).unwrap_err();
            assert!(said.tells_of_a_change(), "{said}");
            let words = if fate == 0 || fate == 3 { "changed it" } else { "removed it" };
            assert!(said.to_string().ends_with(words), "{said}");
        }
    }

    #[test]
    fn what_we_write_ourselves_is_no_change() {
        let (metainfo, bytes) = torrent(3 * PIECE, &[], PIECE, &[]);
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("whole"), &bytes).unwrap();
        let content = open(&metainfo, dir.path(), false);
        content.size_on_disk(0).unwrap();
        content.write(0, &[bytes[..PIECE].to_vec()]).unwrap();
        content.look(0).unwrap();
        content.write(0, &[bytes[..PIECE].to_vec()]).unwrap();
        content.note_proven(0).unwrap();
        content.look(0).unwrap();
    }
}
