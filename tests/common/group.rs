//! Programs with little memory, and with a part of a core: control groups of the kernel (cgroups(7)).

use super::tools::skip;
use std::fs;
use std::path::{Path, PathBuf};

/// The time in which a group gets its share of a core, in microseconds (the kernel's default).
const PERIOD: u64 = 100_000;

/// A group of processes with limited memory, including the page cache. It is removed when dropped.
pub struct Group {
    /// Its folder in the tree for memory.
    at: PathBuf,
    /// Its folder in the tree for processors, if that is another one.
    processor: Option<PathBuf>,
}

impl Group {
    /// A group with this much memory, or `None` if this user may not make one: then the story is skipped (see
    /// [`skip`]).
    pub fn new(bytes: usize) -> Option<Group> {
        // Version 1 of Linux's control groups has a tree for memory alone, version 2 one for all.
        for (tree, limit) in [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")] {
            let group = Group { at: own(tree), processor: None };
            let limit = group.at.join(limit);
            if fs::create_dir(&group.at).is_ok() && limit.exists() && fs::write(limit, bytes.to_string()).is_ok() {
                return Some(group);
            }
        }
        skip("no control group with limited memory can be made here; run as root, where cgroups can be written");
        None
    }

    /// The same with this part of a core, in hundredths.
    #[allow(dead_code)] // Only the bench has slow machines.
    pub fn with_processor(bytes: usize, hundredths: u64) -> Option<Group> {
        let mut group = Group::new(bytes)?;
        let quota = PERIOD * hundredths / 100;
        if fs::write(group.at.join("cpu.max"), format!("{quota} {PERIOD}")).is_ok() {
            return Some(group);
        }
        let at = own("/sys/fs/cgroup/cpu");
        let is_made = fs::create_dir(&at).is_ok();
        group.processor = is_made.then_some(at.clone());
        let set = |file: &str, number: u64| fs::write(at.join(file), number.to_string()).is_ok();
        if set("cpu.cfs_period_us", PERIOD) && set("cpu.cfs_quota_us", quota) {
            return Some(group);
        }
        skip("no control group with a part of a core can be made here; run as root, where cgroups can be written");
        None
    }

    /// What a shell runs to be in it.
    pub fn join(&self) -> String {
        let both = [Some(&self.at), self.processor.as_ref()];
        let each = both.into_iter().flatten().map(|at| format!("echo $$ > {}/cgroup.procs", at.display()));
        each.collect::<Vec<_>>().join("; ")
    }

    /// How often its memory was full.
    pub fn was_full(&self) -> u64 {
        let count = |text: String| text.trim().parse().ok();
        let of_one = fs::read_to_string(self.at.join("memory.failcnt")).ok().and_then(count);
        of_one.or_else(|| self.line("memory.events", "max ")).expect("the kernel counts it")
    }

    /// How many of its processes were killed because its memory was full.
    #[allow(dead_code)] // Only the bench asks.
    pub fn kills(&self) -> u64 {
        let of_one = self.line("memory.oom_control", "oom_kill ");
        of_one.or_else(|| self.line("memory.events", "oom_kill ")).expect("the kernel counts them")
    }

    fn line(&self, file: &str, name: &str) -> Option<u64> {
        let text = fs::read_to_string(self.at.join(file)).ok()?;
        text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    }
}

/// The folder of a group of ours in this tree.
fn own(tree: &str) -> PathBuf {
    Path::new(tree).join(format!("swarmlet-test-{}", std::process::id()))
}

impl Drop for Group {
    fn drop(&mut self) {
        for at in [Some(&self.at), self.processor.as_ref()].into_iter().flatten() {
            let _ = fs::remove_dir(at);
        }
    }
}
