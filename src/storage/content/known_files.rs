//! What is known of the files of some content: how they were when their pieces were verified, and how we left them.
//!
//! Floor 3, a part of [`content`](super). What follows from it is in `content/changes.rs`.

use crate::sys::lock;
use crate::sys::stamp::stamp;
use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::sync::Mutex;
use std::time::Instant;

/// Seconds between two checks of a file that is uploaded from. A check takes some microseconds here, about as long
/// as the upload of one block; a file system on another machine may have to ask over the network.
const LOOK_EVERY_SECONDS: u32 = 1;
const LOOK_ELSEWHERE_EVERY_SECONDS: u32 = 60;

/// File systems whose modification times are set by another machine or process, and may arrive late (statfs(2)): NFS,
/// SMB (all three), FUSE, 9P, Ceph, AFS, VirtualBox.
const ELSEWHERE: [u32; 9] =
    [0x6969, 0x517b, 0xff53_4d42, 0xfe53_4d42, 0x6573_5546, 0x0102_1997, 0x00c3_6400, 0x5346_414f, 0x786f_4256];
/// File systems that number inodes as they are read, from 1 at each mount: FAT, exFAT.
const UNNUMBERED: [u32; 2] = [0x4d44, 0x2011_bab0];
/// Marks a file that was not as we left it, because others changed it.
const CHANGED_BY_OTHERS: u64 = u64::MAX;
/// Marks a file of which the disk lost something.
const LOST: u64 = u64::MAX - 1;

/// What is known of one file. (There may be a hundred thousand; each takes 24 bytes.)
#[derive(Clone, Copy, Default)]
struct KnownFile {
    /// Its [stamp](crate::sys::stamp) when its pieces were verified; 0: unknown.
    stamp: u64,
    /// The same after our last write, or as we found it; or [`CHANGED_BY_OTHERS`], or [`LOST`].
    left: u64,
    /// Which file it was then, and when it was written to: see [`body`]. 0: unknown.
    body: u32,
    /// When it was last checked, in seconds since the content was opened.
    looked: u32,
}

/// What is known of all files of some content.
pub struct KnownFiles {
    files: Mutex<Box<[KnownFile]>>,
    /// Modification times are set by this machine.
    pub local: bool,
    /// The numbers of inodes stay the same when the disk is mounted again.
    pub numbered: bool,
    began: Instant,
}

impl KnownFiles {
    /// Knows nothing yet of `count` files on a file system of this kind.
    pub fn new(count: usize, kind: Option<u32>) -> KnownFiles {
        let files = Mutex::new(vec![KnownFile::default(); count].into());
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
            (known.left, known.body) = (known.stamp, body(found, self.numbered));
        }
    }

    /// There is no such file: what was known of it is about another one.
    pub fn is_gone(&self, file: usize) {
        let known = &mut lock(&self.files)[file];
        *known = KnownFile { looked: known.looked, ..KnownFile::default() };
    }

    /// We are about to write to a file. Returns whether another program wrote to it or replaced it since we left it: it
    /// must not be written to then.
    pub fn will_write(&self, number: usize, file: &File) -> bool {
        let Some(found) = self.metadata_of(file) else { return false };
        let known = &mut lock(&self.files)[number];
        if known.left != 0 && known.left < LOST && known.left != self.stamp(&found) {
            known.left = CHANGED_BY_OTHERS;
        }
        known.left == CHANGED_BY_OTHERS && known.body != body(&found, self.numbered)
    }

    /// We wrote to a file. (Call this after each write, because what was noted during the write may be older.)
    pub fn wrote(&self, number: usize, file: &File) {
        let found = self.metadata_of(file);
        let known = &mut lock(&self.files)[number];
        known.stamp = 0;
        if known.left < LOST {
            known.left = found.as_ref().map_or(0, |found| self.stamp(found));
        }
        known.body = found.map_or(0, |found| body(&found, self.numbered));
    }

    /// The disk lost what was written to a file: it is never again as we left it.
    pub fn lost(&self, number: usize) {
        lock(&self.files)[number].left = LOST;
    }

    /// Whether the disk lost something of a file.
    pub fn has_lost(&self, number: usize) -> bool {
        lock(&self.files)[number].left == LOST
    }

    /// Whether a file is as we left it, as far as that is known.
    pub fn is_as_left(&self, number: usize, file: &File) -> bool {
        let left = lock(&self.files)[number].left;
        left == 0 || left < LOST && self.metadata_of(file).is_none_or(|found| self.stamp(&found) == left)
    }

    /// The stamp of a file that looks like this.
    pub fn stamp(&self, found: &Metadata) -> u64 {
        stamp(found, self.numbered)
    }

    fn metadata_of(&self, file: &File) -> Option<Metadata> {
        // Not on other machines' file systems: there the call would also wait until all data is sent.
        if self.local { file.metadata().ok() } else { None }
    }

    /// Whether a file that looks like this differs from what was verified, or from what we left.
    pub fn differs(&self, file: usize, found: &Metadata) -> bool {
        let (KnownFile { stamp: verified, left, .. }, now) = (lock(&self.files)[file], self.stamp(found));
        [verified, left].iter().any(|before| *before != 0 && *before != now)
    }

    /// Whether another program wrote to a file that looks like this, or replaced it. `was_complete`: we wrote nothing
    /// to it since its pieces were verified. Of another file, `chmod`, `ln` and attributes change the stamp while no
    /// piece of it may tell that it is ours. So only its inode, length and modification time count.
    pub fn is_of_others(&self, file: usize, found: &Metadata, was_complete: bool) -> bool {
        let KnownFile { left, body: before, .. } = lock(&self.files)[file];
        let is_other = || before != 0 && before != body(found, self.numbered);
        left != LOST && self.differs(file, found) && (was_complete || is_other())
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

/// A digest of the inode of a file, if it lasts, its length and its modification time; not 0.
fn body(found: &Metadata, with_inode: bool) -> u32 {
    let inode = if with_inode { found.ino() } else { 0 };
    let all = [inode, found.len(), found.mtime() as u64, found.mtime_nsec() as u64];
    // A multiplication spreads each number over all bits (the constant is 2^64 divided by the golden ratio).
    let digest =
        all.iter().fold(0, |digest: u64, number| (digest.rotate_left(29) ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    ((digest >> 32) as u32).max(1)
}
