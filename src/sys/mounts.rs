//! Which names are mount points. The kernel is asked for that, not a disk, which may hang.
//!
//! Floor 3.

use std::fs;

/// The kernel's list of mounts (proc_pid_mountinfo(5)).
const MOUNTS: &str = "/proc/self/mountinfo";

/// Whether a file system is mounted at a path that ends in `name`, in whatever folder. Without /proc: no.
pub fn is_at(name: &str) -> bool {
    is_in(&fs::read(MOUNTS).unwrap_or_default(), name)
}

fn is_in(mounts: &[u8], name: &str) -> bool {
    // Of the characters that the kernel writes as octal numbers, these can be in the name of content.
    let name = name.replace('\\', r"\134").replace(' ', r"\040");
    let words = |mount| <[u8]>::split(mount, |byte| *byte == b' ');
    let mut paths = mounts.split(|byte| *byte == b'\n').filter_map(|mount| words(mount).nth(4));
    paths.any(|path| path.rsplit(|byte| *byte == b'/').next() == Some(name.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_part_of_a_mount_point_counts() {
        let mounts = b"22 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
            36 22 0:25 /share /srv/my\\040disk\\134s rw,noatime shared:1 - nfs4 host:/share rw\n";
        assert!(is_in(mounts, r"my disk\s"));
        for other in ["srv", "share", "disk", "rw", "my"] {
            assert!(!is_in(mounts, other), "{other}");
        }
        assert!(is_at("proc") && !is_at("no such mount"));
    }
}
