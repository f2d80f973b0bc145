//! What is known of the files of some content: how they were when their pieces were verified, and how we left them.
//!
//! Floor 3, a part of [`content`](super). What follows from it is in `content/changes.rs`.

use crate::sys::lock;
use crate::sys::stamp::stamp;
use std::fs::{File, Metadata};
use std::sync::Mutex;
use std::time::Instant;

/// Seconds between two checks of a file that is uploaded from. A check takes some microseconds here, about as long
/// as the upload of one block; a file system on another machine may have to ask over the network.
const LOOK_EVERY_SECONDS: u32 = 1;
const LOOK_ELSEWHERE_EVERY_SECONDS: u32 = 60;

/// File systems whose modification times are set by another machine or process, and may arrive late (statfs(2)): NFS,
/// SMB (all three), FUSE, 9P, Ceph, AFS.
const ELSEWHERE: [u32; 8] =
    [0x6969, 0x517b, 0xff53_4d42, 0xfe53_4d42, 0x6573_5546, 0x0102_1997, 0x00c3_6400, 0x5346_414f];
/// File systems that number inodes as they are read, from 1 at each mount: FAT, exFAT.
const UNNUMBERED: [u32; 2] = [0x4d44, 0x2011_bab0];
/// Marks a file that was not as we left it: others changed it, or the disk lost something.
const CHANGED_BY_OTHERS: u64 = u64::MAX;

/// What is known of one file. (There may be a hundred thousand; each takes 24 bytes.)
#[derive(Clone, Copy, Default)]
struct KnownFile {
    /// Its [stamp](crate::sys::stamp) when its pieces were verified; 0: unknown.
    stamp: u64,
    /// The same after our last write, or as we found it; [`CHANGED_BY_OTHERS`]: it had changed before our next write.
    left: u64,
    /// When it was last checked, in seconds since the content was opened.
    looked: u32,
}

/// What is known of all files of some content.
pub struct KnownFiles {
    files: Mutex<Vec<KnownFile>>,
    /// Modification times are set by this machine.
    local: bool,
    /// The numbers of inodes stay the same when the disk is mounted again.
    pub numbered: bool,
    began: Instant,
}

impl KnownFiles {
    /// Knows nothing yet of `count` files on a file system of this kind.
    pub fn new(count: usize, kind: Option<u32>) -> KnownFiles {
        let files = Mutex::new(vec![KnownFile::default(); count]);
        let mut known = KnownFiles { files, local: false, numbered: false, began: Instant::now() };
        known.are_on(kind);
        known
    }

    /// The files are on a file system of this kind.
    pub fn are_on(&mut self, kind: Option<u32>) {
        self.local = kind.is_some_and(|kind| !ELSEWHERE.contains(&kind));
        self.numbered = self.local && kind.is_some_and(|kind| !UNNUMBERED.contains(&kind));
    }

    /// A file was found like this, and its content is verified or will be.
    pub fn note(&self, file: usize, found: &Metadata) {
        let looked = self.began.elapsed().as_secs() as u32;
        let known = &mut lock(&self.files)[file];
        (known.stamp, known.looked) = (self.stamp(found), looked);
        if known.left == 0 && self.local {
            known.left = known.stamp;
        }
    }

    /// We are about to write to a file: it should be as we left it.
    pub fn will_write(&self, number: usize, file: &File) {
        let Some(stamp) = self.stamp_of(file) else { return };
        let left = &mut lock(&self.files)[number].left;
        if *left != 0 && *left != stamp {
            *left = CHANGED_BY_OTHERS;
        }
    }

    /// We wrote to a file. (Call this after each write, because what was noted during the write may be older.)
    pub fn wrote(&self, number: usize, file: &File) {
        let stamp = self.stamp_of(file).unwrap_or(0);
        let known = &mut lock(&self.files)[number];
        known.stamp = 0;
        if known.left != CHANGED_BY_OTHERS {
            known.left = stamp;
        }
    }

    /// The disk lost what was written to a file: it is never again as we left it.
    pub fn lost(&self, number: usize) {
        lock(&self.files)[number].left = CHANGED_BY_OTHERS;
    }

    /// Whether a file is as we left it, as far as that is known.
    pub fn is_as_left(&self, number: usize, file: &File) -> bool {
        let left = lock(&self.files)[number].left;
        left == 0 || left != CHANGED_BY_OTHERS && self.stamp_of(file).is_none_or(|stamp| stamp == left)
    }

    /// The stamp of a file that looks like this.
    pub fn stamp(&self, found: &Metadata) -> u64 {
        stamp(found, self.numbered)
    }

    fn stamp_of(&self, file: &File) -> Option<u64> {
        // Not on other machines' file systems: there the call would also wait until all data is sent.
        file.metadata().ok().filter(|_| self.local).map(|found| self.stamp(&found))
    }

    /// Whether a file that looks like this differs from what was verified, or from what we left.
    pub fn differs(&self, file: usize, found: &Metadata) -> bool {
        let (KnownFile { stamp: verified, left, .. }, now) = (lock(&self.files)[file], self.stamp(found));
        [verified, left].iter().any(|before| *before != 0 && *before != now)
    }

    /// Whether a file that looks like this is known, and nobody but swarmlet has changed it.
    pub fn vouches(&self, file: usize, found: &Metadata) -> bool {
        let KnownFile { stamp, left, .. } = lock(&self.files)[file];
        (stamp != 0 || left != 0) && !self.differs(file, found)
    }

    /// Whether a file is due for a check.
    pub(super) fn is_due(&self, file: usize) -> bool {
        let seconds = self.began.elapsed().as_secs() as u32;
        let pause = if self.local { LOOK_EVERY_SECONDS } else { LOOK_ELSEWHERE_EVERY_SECONDS };
        seconds >= lock(&self.files)[file].looked + pause
    }

    /// Acts as if it were a minute later.
    #[cfg(test)]
    pub fn wait_a_minute(&mut self) {
        let minute = std::time::Duration::from_secs(LOOK_ELSEWHERE_EVERY_SECONDS.into());
        self.began = self.began.checked_sub(minute).expect("a clock that goes back so far");
    }
}
