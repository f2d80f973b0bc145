//! Whether another program changed the files: only bytes that were verified may be uploaded.
//!
//! Floor 3. When the pieces of a file are verified, its [stamp](crate::sys::stamp) is remembered. A file that is
//! uploaded from is checked once a second (once a minute if another machine has it). If it differs, all its pieces are
//! in doubt. While swarmlet writes to the file itself, nothing is remembered until the next piece is verified.
//!
//! Our own writes change the stamp, and this would hide what another program wrote before. So a file is
//! checked before and after each write. If it is not as we left it, all its pieces are in doubt at the next check, and
//! the [resume state](crate::storage::resume) does not vouch for it. (These two calls take less than a microsecond
//! each; a write of 64 KiB to the page cache takes 18.)

use super::{Content, Mark};
use crate::proto::peer::bitfield::Bitfield;
use crate::storage::error::{ContentError, Doing};
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;

impl Content {
    /// Before these bytes are uploaded: checks, if that was not done a moment ago, whether the files are still what
    /// they were.
    pub fn look_if_due(&self, offset: u64, length: u64) -> Result<(), ContentError> {
        let in_part = self.is_in_part(offset);
        // An unwanted file may exist all the same, and its correct pieces are uploaded.
        for (file, _) in self.files_of(offset, length).filter(|(file, _)| self.wants(*file) || !in_part) {
            if self.known.is_due(file) {
                self.look(file)?;
            }
        }
        Ok(())
    }

    fn look(&self, file: usize) -> Result<(), ContentError> {
        // While we write, the times change. The next upload tries again.
        let Some(_turn) = self.health.try_take_turn() else { return Ok(()) };
        let found = self.found(file)?;
        if self.known.differs(file, &found) {
            return Err(self.changed(file, "another program changed it"));
        }
        self.known.note(file, &found);
        Ok(())
    }

    /// A piece was just verified: remembers what its files are like. The open files must be those that everybody sees;
    /// a file that was deleted or moved still exists for programs that have it open.
    pub fn note_verified(&self, piece: u32) -> Result<(), ContentError> {
        let size = self.metainfo.piece_size(piece) as u64;
        // No other thread may write between the look at the file and the note.
        let _turn = self.health.take_turn();
        for (file, _) in self.files_of(self.piece_offset(piece), size).filter(|(file, _)| self.wants(*file)) {
            self.known.note(file, &self.found(file)?);
        }
        Ok(())
    }

    /// Refuses a file that has verified pieces and is not as it was when they were verified. (The turn to write is
    /// taken.)
    pub(in crate::storage) fn still_as_verified(&self, file: usize) -> Result<(), ContentError> {
        let found = self.found(file)?;
        if self.known.differs(file, &found) { Err(self.changed(file, "another program changed it")) } else { Ok(()) }
    }

    fn found(&self, file: usize) -> Result<Metadata, ContentError> {
        let path = self.path(file);
        let found = self.reader(file).and_then(|file| file.metadata());
        let found = found.map_err(|error| self.error(Doing::Reading, &path, error))?;
        if found.nlink() == 0 {
            return Err(self.changed(file, "another program removed it"));
        }
        // The file, or a folder above it, may have another name by now. (Three calls per piece.)
        let moved = match self.folder.identity_of(&path) {
            Ok(there) => there != (found.dev(), found.ino()),
            // An error such as a lack of descriptors is no reason for doubt.
            Err(error) => error.kind() == io::ErrorKind::NotFound || error.raw_os_error().is_none(),
        };
        if moved { Err(self.changed(file, "another program moved it away")) } else { Ok(found) }
    }

    /// For each file, whether its verified pieces are surely still right: nobody but swarmlet changed it.
    pub fn unchanged(&self) -> Vec<bool> {
        let _turn = self.health.take_turn();
        let is_known = |file: usize| self.find_file(file).is_ok_and(|(_, found)| self.known.vouches(file, &found));
        let files = self.metainfo.files.iter().enumerate();
        let is_others = |file: usize| self.has(file, Mark::Changed) || self.has(file, Mark::Vacant);
        files.map(|(file, entry)| !entry.padding && !is_others(file) && is_known(file)).collect()
    }

    /// Before the content is opened again: marks the files that another program changed or replaced since they were
    /// verified or written to. `have`: the verified pieces; `None`: none is sure. If the disk was in trouble then, it
    /// may have changed the files itself, and nothing is marked.
    pub fn note_changes(&self, have: Option<&Bitfield>) {
        // A write that has begun ends first.
        let _turn = self.health.take_turn();
        if have.is_none() && self.health.is_doubtful() {
            return;
        }
        let files = self.metainfo.files.iter().enumerate();
        let own = have.map(|have| self.without_parts(have.clone()));
        for (file, _) in files.filter(|(file, entry)| !entry.padding && !self.is_vacant(*file)) {
            let Ok((_, found)) = self.find_file(file) else { continue };
            let was_complete =
                |have: Option<&Bitfield>| !self.is_making(file) || have.is_some_and(|have| self.has_of(file, have).1);
            // While a piece is in the part file, the file counts as begun, but a change is a change of a complete file.
            if self.known.is_of_others(file, &found, was_complete(own.as_ref())) {
                self.mark(file, Mark::Changed, true);
                self.mark(file, Mark::Finished, was_complete(have) || self.was_finished(file));
            }
        }
    }

    pub(super) fn changed(&self, file: usize, words: &str) -> ContentError {
        self.mark(file, Mark::Changed, true);
        self.error(Doing::Reading, &self.path(file), io::Error::other(words))
    }
}

#[cfg(test)]
mod tests {
    use super::Content;
    use crate::proto::choice::{Choice, Priority};
    use crate::proto::peer::bitfield::Bitfield;
    use crate::storage::testkit::{open, part, torrent, write_blocks};
    use crate::sys::stamp::TICK;
    use std::fs;
    use std::os::unix::fs::{FileExt, PermissionsExt};
    use std::sync::Arc;
    use std::thread;
    use std::time::SystemTime;

    const PIECE: usize = 1000;

    #[test]
    fn a_file_that_was_changed_replaced_or_deleted_is_noticed() {
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
                    // The clock of file times may not advance between two writes.
                    file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
                }
                1 => fs::remove_file(&path).unwrap(),
                4 => fs::rename(&path, &other).unwrap(),
                _ => {
                    // The file that is open was replaced; it may be opened again.
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
    fn an_unwanted_file_is_checked_too_unless_the_part_file_has_its_bytes() {
        let (metainfo, bytes) = torrent(0, &[(PIECE + PIECE / 2, false), (2 * PIECE, false)], PIECE, &[]);
        let dir = tempfile::tempdir().unwrap();
        for file in 0..2 {
            let path = dir.path().join(metainfo.files.at(file).path());
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, part(&metainfo, &bytes, file)).unwrap();
        }
        let opened =
            Content::open(crate::storage::TorrentId(0), metainfo.clone().into(), dir.path(), Default::default(), false)
                .unwrap();
        let mut content = opened.choose(Choice::new(&metainfo, vec![Priority::Normal, Priority::Skip]).map(Arc::new));
        assert!(content.size_on_disk(0).is_some() && content.size_on_disk(1).is_some());
        content.known.wait_a_minute();
        let piece = |piece: usize| (piece * PIECE) as u64;
        content.look_if_due(piece(1), PIECE as u64).unwrap();
        content.known.wait_a_minute();
        write_blocks(&content, piece(1), &[bytes[PIECE..2 * PIECE].to_vec()]).unwrap();
        let other = dir.path().join(metainfo.files.at(1).path());
        fs::File::options().write(true).open(&other).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        content.look_if_due(piece(1), PIECE as u64).unwrap();
        let said = content.look_if_due(piece(2), PIECE as u64).unwrap_err();
        assert!(said.tells_of_a_change() && said.path == other, "{said}");
    }

    #[test]
    fn a_file_that_is_uploaded_from_is_checked_now_and_then() {
        let (metainfo, bytes) = torrent(3 * PIECE, &[], PIECE, &[]);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("whole");
        fs::write(&path, &bytes).unwrap();
        let mut content = open(&metainfo, dir.path(), false);
        content.size_on_disk(0).unwrap();
        fs::OpenOptions::new().write(true).open(&path).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        content.look_if_due(0, 1).expect("it was checked a moment ago");
        Arc::get_mut(&mut content).unwrap().known.wait_a_minute();
        assert!(content.look_if_due(0, 1).unwrap_err().tells_of_a_change());
    }

    #[test]
    fn our_own_writes_are_no_change() {
        let (metainfo, bytes) = torrent(3 * PIECE, &[], PIECE, &[]);
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("whole"), &bytes).unwrap();
        let content = open(&metainfo, dir.path(), false);
        content.size_on_disk(0).unwrap();
        write_blocks(&content, 0, &[bytes[..PIECE].to_vec()]).unwrap();
        content.look(0).unwrap();
        write_blocks(&content, 0, &[bytes[..PIECE].to_vec()]).unwrap();
        content.note_verified(0).unwrap();
        content.look(0).unwrap();
    }

    #[test]
    fn nothing_is_written_to_a_file_that_another_program_wrote_to() {
        let (metainfo, bytes) = torrent(3 * PIECE, &[], PIECE, &[]);
        for written_after in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("whole");
            let content = open(&metainfo, dir.path(), false);
            write_blocks(&content, 0, &[bytes[..PIECE].to_vec()]).unwrap();
            let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
            file.write_all_at(&[!bytes[5]], 5).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
            if written_after {
                let said = write_blocks(&content, PIECE as u64, &[bytes[PIECE..2 * PIECE].to_vec()]).unwrap_err();
                assert!(said.tells_of_a_change(), "{said}");
            }
            let said = content.look(0).unwrap_err();
            assert!(said.tells_of_a_change(), "{said}");
        }
        // It was replaced, and is open or not.
        for is_open in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            let content = open(&metainfo, dir.path(), false);
            write_blocks(&content, 0, &[bytes[..PIECE].to_vec()]).unwrap();
            if !is_open {
                content.close_files();
            }
            fs::write(dir.path().join("other"), &bytes).unwrap();
            fs::rename(dir.path().join("other"), dir.path().join("whole")).unwrap();
            let wrote = write_blocks(&content, PIECE as u64, &[vec![0; PIECE]]);
            assert!(is_open || wrote.is_err_and(|error| error.tells_of_a_change()));
            assert_eq!(fs::read(dir.path().join("whole")).unwrap(), bytes);
        }
    }

    /// Indexers and backup programs do such things while a download runs.
    #[test]
    fn permissions_links_and_attributes_stop_no_download() {
        let (metainfo, bytes) = torrent(3 * PIECE, &[], PIECE, &[]);
        let dir = tempfile::tempdir().unwrap();
        let (path, content) = (dir.path().join("whole"), open(&metainfo, dir.path(), false));
        content.make(0, true);
        for piece in 0..3 {
            write_blocks(&content, (piece * PIECE) as u64, &[bytes[piece * PIECE..][..PIECE].to_vec()]).unwrap();
            thread::sleep(2 * TICK);
            fs::hard_link(&path, dir.path().join(piece.to_string())).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600 + piece as u32)).unwrap();
            content.note_changes(None);
            assert!(!content.is_changed(0));
        }
        // Only pieces can tell whether a complete file is still right.
        content.note_changes(Some(&Bitfield::full(3)));
        assert!(content.is_changed(0) && content.was_finished(0));
    }

    #[test]
    fn a_write_of_ours_that_is_under_way_is_no_change() {
        let (metainfo, bytes) = torrent(3 * PIECE, &[], PIECE, &[]);
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("whole"), &bytes).unwrap();
        let content = open(&metainfo, dir.path(), false);
        content.size_on_disk(0).unwrap();
        // The system sets the time when a write begins, and a slow disk may delay the write for long.
        let turn = content.health.take_turn();
        content.writable(0).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        content.look(0).unwrap();
        drop(turn);
        assert!(content.look(0).unwrap_err().tells_of_a_change(), "no write of ours explains it");
    }
}
