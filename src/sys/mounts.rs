//! Which names are mount points. The kernel is asked for that, not a disk, which may hang.
//!
//! Floor 3.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

/// The kernel's list of mounts (proc_pid_mountinfo(5)).
const MOUNTS: &str = "/proc/self/mountinfo";

/// The kernel's list is read again if what was read is older than this: a thousand torrents come at once.
const READ_EVERY: Duration = Duration::from_secs(1);

/// The mounts, as they were a moment ago.
#[derive(Default)]
pub struct Mounts {
    /// The last parts of the mount points' paths, as the kernel writes them.
    names: BTreeSet<Vec<u8>>,
    read: Option<Instant>,
}

impl Mounts {
    /// Whether a file system is mounted at a path that ends in `name`, in whatever folder. Without /proc: no.
    pub fn are_at(&mut self, name: &str) -> bool {
        if self.read.is_none_or(|read| read.elapsed() >= READ_EVERY) {
            self.names = names_in(&fs::read(MOUNTS).unwrap_or_default());
            self.read = Some(Instant::now());
        }
        self.names.contains(&escaped(name))
    }
}

fn names_in(mounts: &[u8]) -> BTreeSet<Vec<u8>> {
    let words = |mount| <[u8]>::split(mount, |byte| *byte == b' ');
    let paths = mounts.split(|byte| *byte == b'\n').filter_map(|mount| words(mount).nth(4));
    paths.filter_map(|path| path.rsplit(|byte| *byte == b'/').next()).map(<[u8]>::to_vec).collect()
}

/// As the kernel writes it. Of the characters that it writes as octal numbers, these can be in the name of content.
fn escaped(name: &str) -> Vec<u8> {
    name.replace('\\', r"\134").replace(' ', r"\040").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_part_of_a_mount_point_counts() {
        let mounts = b"22 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
            36 22 0:25 /share /srv/my\\040disk\\134s rw,noatime shared:1 - nfs4 host:/share rw\n";
        let names = names_in(mounts);
        assert!(names.contains(&escaped(r"my disk\s")));
        for other in ["srv", "share", "disk", "rw", "my"] {
            assert!(!names.contains(&escaped(other)), "{other}");
        }
        let mut mounts = Mounts::default();
        assert!(mounts.are_at("proc") && !mounts.are_at("no such mount"));
    }
}
