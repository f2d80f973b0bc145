//! Whether a disk in trouble works again, and if not, the reason in words.
//!
//! Floor 3, a part of [`content`](super).

use super::Content;
use crate::proto::peer::message::BlockSpec;
use crate::storage::error::ContentError;
use crate::storage::health::MayWrite;
use crate::swarm::standing::DiskTrouble;
use crate::sys::beneath::Folder;
use crate::sys::file_error;
use std::io;

/// Free space that a full disk must have before it is written to again, if the torrent lacks that much. With less, the
/// torrent would stop again in a moment, and the blocks requested meanwhile would be wasted.
const WORTHWHILE_BYTES: u64 = 64 << 20;

impl Content {
    /// Reports that the disk failed: nothing is written from now on until it works again. Returns the reason in words,
    /// unless another thread has reported trouble before.
    pub fn begin_trouble(&self, error: &ContentError) -> Option<DiskTrouble> {
        self.health.trouble(error).then(|| self.describe(error, u64::MAX))
    }

    fn describe(&self, error: &ContentError, left: u64) -> DiskTrouble {
        if !error.is_no_space() {
            return DiskTrouble { text: error.to_string(), short_bytes: 0 };
        }
        self.full(self.lacking(left).0)
    }

    fn full(&self, short_bytes: u64) -> DiskTrouble {
        DiskTrouble { text: format!("no space left on {}", self.dir.display()), short_bytes }
    }

    /// Probes the disk by writing zeros where `block` belongs, which we lack. `left`: the bytes of the torrent that are
    /// missing. If the disk works, returns whether what was written before is in doubt: then nothing is written until
    /// the content was opened and checked again.
    pub fn probe(&self, may: &MayWrite, block: Option<BlockSpec>, left: u64) -> Result<bool, DiskTrouble> {
        let words = |text: String| DiskTrouble { text, short_bytes: 0 };
        let there = Folder::open(&self.dir).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => words(format!("{} is not there", self.dir.display())),
            _ => words(format!("can't open {}: {}", self.dir.display(), file_error(&error))),
        })?;
        // The open files may be on a disk that is gone.
        self.files.forget_all(self.key);
        if there.identity() != self.folder.identity() {
            // An empty mount point must not be filled. A person who wants that starts swarmlet again, with --check.
            let is_bare = (0..self.metainfo.files.len()).all(|file| self.is_missing_from(&there, file));
            if is_bare && left < self.metainfo.length {
                return Err(words(format!("what was in {} is not there (is its disk mounted?)", self.dir.display())));
            }
            self.health.doubt();
            return Ok(true);
        }
        if let Some(BlockSpec { piece, begin, length }) = block {
            let (offset, mut nothing) = (self.piece_offset(piece) + begin as u64, vec![0; length as usize]);
            let tried = self.write(may, offset, std::slice::from_ref(&nothing));
            tried.and_then(|()| self.read(offset, &mut nothing)).map_err(|error| self.describe(&error, left))?;
            let (short, free) = self.lacking(left);
            if short > 0 && free < WORTHWHILE_BYTES {
                return Err(self.full(short));
            }
        }
        Ok(self.health.probed())
    }

    /// How many bytes of space the torrent lacks, and how many are free. Space is needed for the bytes that are `left`,
    /// except where files have it already.
    fn lacking(&self, left: u64) -> (u64, u64) {
        let free = self.folder.free_bytes(&self.root()).unwrap_or(u64::MAX);
        let unreserved = (0..self.metainfo.files.len()).map(|file| self.unreserved_bytes(file)).sum::<u64>();
        (unreserved.min(left).saturating_sub(free), free)
    }
}

#[cfg(test)]
mod tests {
    use crate::storage::error::Doing;
    use crate::storage::testkit::{open, torrent};
    use rustix::io::Errno;

    #[test]
    fn after_some_errors_what_was_written_is_in_doubt_even_if_the_disk_works() {
        let (metainfo, _) = torrent(3000, &[], 1000, &[]);
        for (errno, doubtful) in [
            (Errno::NOSPC, false),
            (Errno::ACCESS, false),
            (Errno::ROFS, true),
            (Errno::IO, true),
            (Errno::NOENT, true),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let content = open(&metainfo, dir.path(), false);
            let error = || content.error(Doing::Writing, "whole", errno.into());
            assert!(error().may_pass() && content.begin_trouble(&error()).is_some());
            assert_eq!(content.begin_trouble(&error()), None, "it is reported once");
            assert_eq!(content.probe(&content.health.to_probe(), None, 3000), Ok(doubtful), "{errno}");
            assert_eq!(!content.health.is_sound(), doubtful, "{errno}");
        }
    }
}
