//! When the disk does not do what it should: what may pass and what will not, in which words, and whether it works again.
//!
//! Floor 3. A full, read-only or removed disk is no end: [`Content::probe`] finds out when it works again. What will not
//! pass by itself (a folder or a link stands where a file should be) ends the torrent.

use super::content::{Content, ContentError, Doing};
use crate::proto::peer::message::BlockSpec;
use crate::swarm::standing::DiskTrouble;
use crate::sys::beneath::Folder;
use crate::sys::in_words;
use rustix::io::Errno;
use std::io;
use std::sync::atomic::Ordering;

/// Space that must be free before a full disk is written to again, if so much is lacking: with less, the torrent would
/// stop again in a moment, and what was asked for meanwhile would come in vain.
const WORTHWHILE_BYTES: u64 = 64 << 20;
/// What may pass and says nothing against what is written: no space, no leave, no descriptor, no memory.
const HARMLESS: [Errno; 8] =
    [Errno::NOSPC, Errno::DQUOT, Errno::ACCESS, Errno::PERM, Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::BUSY];
/// What may pass, but what was written may be lost: the disk is read-only (after an error?), failing, or away.
const DOUBTFUL: [Errno; 9] = [
    Errno::ROFS,
    Errno::IO,
    Errno::NOENT,
    Errno::NODEV,
    Errno::NXIO,
    Errno::STALE,
    Errno::NOTCONN,
    Errno::TIMEDOUT,
    Errno::NOMEDIUM,
];

fn is_one_of(error: &io::Error, list: &[Errno]) -> bool {
    list.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

impl ContentError {
    /// Whether it may pass by itself, or when a person makes room, mounts, plugs in.
    pub fn may_pass(&self) -> bool {
        is_one_of(&self.error, &HARMLESS) || is_one_of(&self.error, &DOUBTFUL)
    }

    fn is_doubtful(&self) -> bool {
        !is_one_of(&self.error, &HARMLESS)
    }

    /// Whether it says that the file is another than it was: shorter, gone, no file. (Of an error in reading.)
    pub fn tells_of_a_change(&self) -> bool {
        let gone = is_one_of(&self.error, &[Errno::NOENT]);
        self.doing == Doing::Reading && (gone || self.error.raw_os_error().is_none())
    }

    /// Whether a single piece can't be read, rather than nothing for the moment.
    pub fn tells_of_a_loss(&self) -> bool {
        self.doing == Doing::Reading && !is_one_of(&self.error, &HARMLESS)
    }
}

impl Content {
    /// The disk did not do what was asked: from now on nothing is written until it works again. Says in words why.
    /// `None`: another has said so already.
    pub fn begin_trouble(&self, error: &ContentError) -> Option<DiskTrouble> {
        if error.is_doubtful() {
            self.doubtful.store(true, Ordering::Relaxed);
        }
        let first = !self.in_trouble.swap(true, Ordering::Relaxed);
        first.then(|| self.describe(error, u64::MAX))
    }

    fn describe(&self, error: &ContentError, left: u64) -> DiskTrouble {
        if !is_one_of(&error.error, &[Errno::NOSPC]) {
            return DiskTrouble { text: error.to_string(), short_bytes: 0 };
        }
        self.full(self.lacking(left).0)
    }

    fn full(&self, short_bytes: u64) -> DiskTrouble {
        DiskTrouble { text: format!("no space left on {}", self.dir.display()), short_bytes }
    }

    /// Tries whether the disk works again, by writing nothing of worth in the place of `block`, of which nothing is had.
    /// `left`: bytes of the torrent that are not had. If it works, says whether what was written is in doubt; then it is to
    /// be opened and checked again, and nothing is written to it as it is. To be called with the
    /// [turn of writing](Content::write_turn).
    pub fn probe(&self, block: Option<BlockSpec>, left: u64) -> Result<bool, DiskTrouble> {
        let words = |text: String| DiskTrouble { text, short_bytes: 0 };
        let there = Folder::open(&self.dir).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => words(format!("{} is not there", self.dir.display())),
            _ => words(format!("can't open {}: {}", self.dir.display(), in_words(&error))),
        })?;
        // What is open may be of a disk that is away.
        self.files.forget_all(self.key);
        if there.identity() != self.folder.identity() {
            // A bare mount point must not be filled; whoever wants that starts anew.
            let is_bare = (0..self.metainfo.files.len()).all(|file| self.is_missing_from(&there, file));
            if is_bare && left < self.metainfo.length {
                return Err(words(format!("what was in {} is not there (is its disk mounted?)", self.dir.display())));
            }
            self.doubtful.store(true, Ordering::Relaxed);
            return Ok(true);
        }
        if let Some(BlockSpec { piece, begin, length }) = block {
            let (offset, mut nothing) = (self.piece_offset(piece) + begin as u64, vec![0; length as usize]);
            let tried = self.write(offset, std::slice::from_ref(&nothing));
            tried.and_then(|()| self.read(offset, &mut nothing)).map_err(|error| self.describe(&error, left))?;
            let (short, free) = self.lacking(left);
            if short > 0 && free < WORTHWHILE_BYTES {
                return Err(self.full(short));
            }
        }
        let doubtful = self.doubtful.load(Ordering::Relaxed);
        self.in_trouble.store(doubtful, Ordering::Relaxed);
        Ok(doubtful)
    }

    /// How much more space the torrent needs than there is, and how much there is. Space is needed for what is `left`,
    /// but not where files have it already.
    fn lacking(&self, left: u64) -> (u64, u64) {
        let free = self.folder.free_bytes(&self.metainfo.name).unwrap_or(u64::MAX);
        let unreserved = (0..self.metainfo.files.len()).map(|file| self.unreserved_bytes(file)).sum::<u64>();
        (unreserved.min(left).saturating_sub(free), free)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::testkit::{open, torrent};

    #[test]
    fn after_some_troubles_what_was_written_is_in_doubt_though_the_disk_works() {
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
            assert_eq!(content.begin_trouble(&error()), None, "it is told once");
            assert_eq!(content.probe(None, 3000), Ok(doubtful), "{errno}");
            assert_eq!(content.in_trouble.load(Ordering::Relaxed), doubtful, "{errno}");
        }
    }
}
