//! What is known of the files of some content: how they were when their pieces were proven, and how we left them.
//!
//! Floor 3, a part of [`content`](super). What follows from it is in [`changes`](super::changes).

use crate::sys::beneath::Folder;
use crate::sys::lock;
use std::fs::{File, Metadata};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::sync::Mutex;
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

    /// Whether a file that is found so is another than the one that was proven, or that we left.
    pub fn differs(&self, file: usize, found: &Metadata) -> bool {
        let (Known { stamp: proven, left, .. }, now) = (lock(&self.files)[file], stamp(found));
        [proven, left].iter().any(|before| *before != 0 && *before != now)
    }

    /// Whether it is time to look at it.
    pub(super) fn is_due(&self, file: usize) -> bool {
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
