//! Programs with little memory: a control group of the kernel (cgroups(7)).

use super::tools::skip;
use std::fs;
use std::path::{Path, PathBuf};

/// A group of processes with limited memory, including the page cache. It is removed when dropped.
pub struct Group {
    at: PathBuf,
}

impl Group {
    /// A group with this much memory, or `None` if this user may not make one: then the story is skipped (see
    /// [`skip`]).
    pub fn new(bytes: usize) -> Option<Group> {
        // Version 1 of Linux's control groups has a tree for memory alone, version 2 one for all.
        for (tree, limit) in [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")] {
            let group = Group { at: Path::new(tree).join(format!("swarmlet-test-{}", std::process::id())) };
            let limit = group.at.join(limit);
            if fs::create_dir(&group.at).is_ok() && limit.exists() && fs::write(limit, bytes.to_string()).is_ok() {
                return Some(group);
            }
        }
        skip("no control group with limited memory can be made here; run as root, where cgroups can be written");
        None
    }

    /// What a shell runs to be in it.
    pub fn join(&self) -> String {
        format!("echo $$ > {}/cgroup.procs", self.at.display())
    }

    /// How often its memory was full.
    pub fn was_full(&self) -> u64 {
        let count = |text: String| text.trim().parse().ok();
        let of_one = fs::read_to_string(self.at.join("memory.failcnt")).ok().and_then(count);
        of_one.unwrap_or_else(|| {
            let events = fs::read_to_string(self.at.join("memory.events")).unwrap();
            events.lines().find_map(|line| line.strip_prefix("max ")?.parse().ok()).unwrap()
        })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.at);
    }
}
