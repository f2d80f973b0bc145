//! Whether somebody else touched the files: what is served must be what was proven.
//!
//! Floor 3. Of each file its size, time of change and inode are remembered as they were when its pieces were proven. A
//! file that is served is looked at once a minute; when it is another than it was, all its pieces are in doubt. While we
//! write to a file ourselves nothing is remembered for that, until the next piece is proven.
//!
//! Our own writes move the time on, and with it hide what somebody else wrote before. So a file is looked at before and
//! after each write: of one that is not as we left it all pieces are in doubt too, the next time it is looked at, and it is
//! not vouched for in the [resume state](super::resume). (Two calls of about half a microsecond, beside 18 for a write of
//! 64 KiB to the page cache.)

use super::content::{Content, ContentError, Doing};
use crate::sys::beneath::Folder;
use crate::sys::lock;
use std::fs::{File, Metadata};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, TryLockError};
use std::time::Instant;

/// A file that is served is looked at so often.
const LOOK_EVERY_SECONDS: u32 = 60;

/// File systems on which a time of change is another machine's, or another process's, and may come later (statfs(2)):
/// NFS, SMB (all three), FUSE, 9P, Ceph, AFS.
const ELSEWHERE: [u32; 8] =
    [0x6969, 0x517b, 0xff53_4d42, 0xfe53_4d42, 0x6573_5546, 0x0102_1997, 0x00c3_6400, 0x5346_414f];
/// Of a file that is not as we left it.
const SPOILT: u64 = u64::MAX;

/// What is known of one file. (There may be a hundred thousand: 24 bytes each.)
#[derive(Clone, Copy, Default)]
struct Known {
    /// A digest of what the system says of it; 0: nothing is known.
    stamp: u64,
    /// The same, as we left it after a write, or found it before; [`SPOILT`]: it was another before the next write.
    left: u64,
    /// When it was looked at, in seconds since the content was opened.
    looked: u32,
}

/// What is known of the files of a content.
pub struct KnownFiles {
    files: Mutex<Vec<Known>>,
    /// Times of change are this machine's.
    local: bool,
    began: Instant,
}

impl KnownFiles {
    /// Nothing is known of `count` files in `folder`.
    pub fn new(count: usize, folder: &Folder) -> KnownFiles {
        let local = folder.kind().is_ok_and(|kind| !ELSEWHERE.contains(&kind));
        KnownFiles { files: Mutex::new(vec![Known::default(); count]), local, began: Instant::now() }
    }

    /// It was found so, and what is in it will be, or is, proven.
    pub fn note(&self, file: usize, found: &Metadata) {
        let looked = self.began.elapsed().as_secs() as u32;
        let known = &mut lock(&self.files)[file];
        (known.stamp, known.looked) = (stamp(found), looked);
        if known.left == 0 && self.local {
            known.left = known.stamp;
        }
    }

    /// We are about to write to it: it should be as we left it.
    pub fn will_write(&self, number: usize, file: &File) {
        let Some(stamp) = self.stamp_of(file) else { return };
        let left = &mut lock(&self.files)[number].left;
        if *left != 0 && *left != stamp {
            *left = SPOILT;
        }
    }

    /// We wrote to it. (To be said after each write: what was noted during it may be older.)
    pub fn wrote(&self, number: usize, file: &File) {
        let stamp = self.stamp_of(file).unwrap_or(0);
        let known = &mut lock(&self.files)[number];
        known.stamp = 0;
        if known.left != SPOILT {
            known.left = stamp;
        }
    }

    /// The disk lost what was written to it: it is never again as we left it.
    pub fn lost(&self, number: usize) {
        lock(&self.files)[number].left = SPOILT;
    }

    /// Whether a file is as we left it, as far as that is known.
    pub fn is_as_left(&self, number: usize, file: &File) -> bool {
        let left = lock(&self.files)[number].left;
        left == 0 || left != SPOILT && self.stamp_of(file).is_none_or(|stamp| stamp == left)
    }

    fn stamp_of(&self, file: &File) -> Option<u64> {
        // Not elsewhere: there it would also have to wait until all is sent.
        file.metadata().ok().filter(|_| self.local).map(|found| stamp(&found))
    }

    /// Whether it is time to look at it.
    fn is_due(&self, file: usize) -> bool {
        let seconds = self.began.elapsed().as_secs() as u32;
        seconds >= lock(&self.files)[file].looked + LOOK_EVERY_SECONDS
    }

    /// As if it were a minute later.
    #[cfg(test)]
    pub fn wait_a_minute(&mut self) {
        let minute = std::time::Duration::from_secs(LOOK_EVERY_SECONDS.into());
        self.began = self.began.checked_sub(minute).expect("a clock that goes back so far");
    }
}

fn stamp(found: &Metadata) -> u64 {
    let mut hasher = DefaultHasher::new();
    (found.ino(), found.len(), found.mtime(), found.mtime_nsec()).hash(&mut hasher);
    hasher.finish().clamp(1, SPOILT - 1)
}

impl Content {
    /// Before these bytes are served: looks, now and then, whether the files are still what they were.
    pub fn look_if_due(&self, offset: u64, length: u64) -> Result<(), ContentError> {
        let in_part = self.is_in_part(offset);
        // A file that nobody wants may be there all the same, and what is right of it is served.
        for file in self.files_of(offset, length).filter(|file| self.wants(*file) || !in_part) {
            if self.known.is_due(file) {
                self.look(file)?;
            }
        }
        Ok(())
    }

    fn look(&self, file: usize) -> Result<(), ContentError> {
        // While we write ourselves nothing can be told; before the next block is served it is tried again.
        let turn = self.write_turn.try_lock();
        if matches!(turn, Err(TryLockError::WouldBlock)) {
            return Ok(());
        }
        let found = self.found(file)?;
        let (Known { stamp: proven, left, .. }, now) = (lock(&self.known.files)[file], stamp(&found));
        if [proven, left].iter().any(|before| *before != 0 && *before != now) {
            return Err(self.changed(file, "another program changed it"));
        }
        self.known.note(file, &found);
        Ok(())
    }

    /// All of a piece lies in these files, and was just proven: notes what they are like. They must be those that
    /// everybody sees; a file that was removed or moved lives on for those who have it open.
    pub fn note_proven(&self, piece: u32) -> Result<(), ContentError> {
        let size = self.metainfo.piece_size(piece) as u64;
        // What another thread is writing must not come between the look and the note.
        let _turn = lock(&self.write_turn);
        for file in self.files_of(self.piece_offset(piece), size).filter(|file| self.wants(*file)) {
            self.known.note(file, &self.found(file)?);
        }
        Ok(())
    }

    fn found(&self, file: usize) -> Result<Metadata, ContentError> {
        let path = self.metainfo.files.at(file).path();
        let found = self.reader(file).and_then(|file: std::sync::Arc<File>| file.metadata());
        let found = found.map_err(|error| self.error(Doing::Reading, &path, error))?;
        if found.nlink() == 0 {
            return Err(self.changed(file, "another program removed it"));
        }
        // It, or a folder above it, may have another name by now. (Three calls, once a piece.)
        let moved = match self.folder.identity_of(&path) {
            Ok(there) => there != (found.dev(), found.ino()),
            // Whoever can't tell, for lack of a descriptor for example, has no reason to doubt.
            Err(error) => error.kind() == io::ErrorKind::NotFound || error.raw_os_error().is_none(),
        };
        if moved { Err(self.changed(file, "another program moved it away")) } else { Ok(found) }
    }

    fn changed(&self, file: usize, words: &str) -> ContentError {
        self.error(Doing::Reading, &self.metainfo.files.at(file).path(), io::Error::other(words))
    }
}

#[cfg(test)]
mod tests {
    use super::Content;
    use crate::proto::choice::Choice;
    use crate::storage::testkit::{open, part, torrent};
    use std::fs;
    use std::os::unix::fs::FileExt;
    use std::sync::Arc;
    use std::time::SystemTime;

    const PIECE: usize = 1000;

    #[test]
    fn a_file_that_was_changed_replaced_or_removed_is_not_what_was_proven() {
        let (metainfo, bytes) = torrent(3 * PIECE, &[], PIECE, &[]);
        for fate in 0..5 {
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
                4 => fs::rename(&path, &other).unwrap(),
                _ => {
                    // The one that is open is gone; it may be opened again.
                    fs::write(&other, &bytes).unwrap();
                    fs::rename(&other, &path).unwrap();
                }
            }
            if fate == 3 {
                content.files.forget_all(content.key);
            }
            let said = content.look(0).unwrap_err();
            assert!(said.tells_of_a_change(), "{said}");
            let words = ["changed it", "removed it", "removed it", "changed it", "moved it away"][fate];
            assert!(said.to_string().ends_with(words), "{said}");
        }
    }

    #[test]
    fn a_file_that_nobody_wants_is_looked_at_too_unless_the_part_file_has_its_bytes() {
        let (metainfo, bytes) = torrent(0, &[(PIECE + PIECE / 2, false), (2 * PIECE, false)], PIECE, &[]);
        let dir = tempfile::tempdir().unwrap();
        for file in 0..2 {
            let path = dir.path().join(metainfo.files.at(file).path());
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, part(&metainfo, &bytes, file)).unwrap();
        }
        let opened =
            Content::open(crate::storage::TorrentId(0), metainfo.clone(), dir.path(), Default::default(), false)
                .unwrap();
        let mut content = opened.choose(Some(Choice::new(&metainfo, vec![true, false])));
        assert!(content.size_on_disk(0).is_some() && content.size_on_disk(1).is_some());
        content.known.wait_a_minute();
        let piece = |piece: usize| (piece * PIECE) as u64;
        content.look_if_due(piece(1), PIECE as u64).unwrap();
        content.known.wait_a_minute();
        content.write(piece(1), &[bytes[PIECE..2 * PIECE].to_vec()]).unwrap();
        let other = dir.path().join(metainfo.files.at(1).path());
        fs::File::options().write(true).open(&other).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        content.look_if_due(piece(1), PIECE as u64).unwrap();
        let said = content.look_if_due(piece(2), PIECE as u64).unwrap_err();
        assert!(said.tells_of_a_change() && said.path == other, "{said}");
    }

    #[test]
    fn what_is_served_is_looked_at_once_a_minute() {
        let (metainfo, bytes) = torrent(3 * PIECE, &[], PIECE, &[]);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("whole");
        fs::write(&path, &bytes).unwrap();
        let mut content = open(&metainfo, dir.path(), false);
        content.size_on_disk(0).unwrap();
        fs::OpenOptions::new().write(true).open(&path).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        content.look_if_due(0, 1).expect("it was looked at a moment ago");
        Arc::get_mut(&mut content).unwrap().known.wait_a_minute();
        assert!(content.look_if_due(0, 1).unwrap_err().tells_of_a_change());
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

    #[test]
    fn what_we_write_hides_nothing_that_others_wrote() {
        let (metainfo, bytes) = torrent(3 * PIECE, &[], PIECE, &[]);
        for written_after in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("whole");
            let content = open(&metainfo, dir.path(), false);
            content.write(0, &[bytes[..PIECE].to_vec()]).unwrap();
            let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
            file.write_all_at(&[!bytes[5]], 5).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
            if written_after {
                content.write(PIECE as u64, &[bytes[PIECE..2 * PIECE].to_vec()]).unwrap();
                content.note_proven(1).unwrap();
            }
            let said = content.look(0).unwrap_err();
            assert!(said.tells_of_a_change(), "{said}");
        }
    }

    #[test]
    fn nor_is_what_we_are_writing() {
        let (metainfo, bytes) = torrent(3 * PIECE, &[], PIECE, &[]);
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("whole"), &bytes).unwrap();
        let content = open(&metainfo, dir.path(), false);
        content.size_on_disk(0).unwrap();
        // The system sets the time when a write begins, which a slow disk may hold up for long.
        let turn = content.write_turn.lock().unwrap();
        content.writable(0).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        content.look(0).unwrap();
        drop(turn);
        assert!(content.look(0).unwrap_err().tells_of_a_change(), "nobody says that he wrote");
    }
}
