//! How much memory is free for the process.
//!
//! Floor 3. The kernel's estimate for the machine (`MemAvailable`: what can be had without swapping), or what is left
//! in a control group of the process if that is less. A group counts the page cache of its files too. What the kernel
//! would drop first (the inactive part) is as good as free.

use std::fs;
use std::path::Path;

/// Where control groups are mounted.
const GROUPS: &str = "/sys/fs/cgroup";

/// The names of a version of control groups.
struct Names {
    /// Files with a limit.
    limits: &'static [&'static str],
    /// The file that says how much is used.
    used: &'static str,
    /// The line of `memory.stat` about page cache that can be dropped.
    cache: &'static str,
}

const V1: Names =
    Names { limits: &["memory.limit_in_bytes"], used: "memory.usage_in_bytes", cache: "total_inactive_file " };
const V2: Names = Names { limits: &["memory.max", "memory.high"], used: "memory.current", cache: "inactive_file " };

/// Bytes that are free; 0 if the kernel does not say.
pub fn free() -> u64 {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| of_machine(&text)).unwrap_or(0);
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    groups.lines().filter_map(|line| of_groups(Path::new(GROUPS), line)).fold(machine, u64::min)
}

/// The value of `MemAvailable` in `/proc/meminfo`.
fn of_machine(meminfo: &str) -> Option<u64> {
    let kibibytes = number_after(meminfo, "MemAvailable:")?;
    Some(kibibytes << 10)
}

/// The number after `name`, which begins a line.
fn number_after(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// What is left in the group of a line of `/proc/self/cgroup`, and in the groups around it; `None`: there is no limit.
fn of_groups(mounted: &Path, line: &str) -> Option<u64> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (controllers, path) = (parts.next()?, parts.next()?);
    let (names, root) = match controllers {
        "" => (V2, mounted.to_path_buf()),
        _ if controllers.split(',').any(|one| one == "memory") => (V1, mounted.join("memory")),
        _ => return None,
    };
    // In a container the path may be that of the machine; then its own group is at the root.
    let own = root.join(path.trim_start_matches('/'));
    let groups = own.ancestors().take_while(|group| group.starts_with(&root));
    groups.filter_map(|group| of_group(group, &names)).min()
}

/// What is left in one group.
fn of_group(group: &Path, names: &Names) -> Option<u64> {
    let read = |name: &str| fs::read_to_string(group.join(name)).ok();
    let number = |name: &&str| read(name)?.trim().parse::<u64>().ok();
    let limit = names.limits.iter().filter_map(number).min()?;
    let used = number(&names.used)?;
    let cache = read("memory.stat").and_then(|text| number_after(&text, names.cache)).unwrap_or(0);
    Some(limit.saturating_sub(used.saturating_sub(cache)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_says_how_much_is_free() {
        let text = "MemTotal:       24684084 kB\nMemFree:  7 kB\nMemAvailable:   2048 kB\nBuffers: 1 kB\n";
        assert_eq!(of_machine(text), Some(2 << 20));
        assert_eq!(of_machine("MemTotal: 1 kB\n"), None);
        assert!(free() > 0, "every Linux since 3.14 says so");
    }

    /// A folder with these files.
    fn groups(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn the_narrowest_group_counts_and_cache_is_free() {
        let root = groups(&[
            ("memory.current", "900\n"),
            ("a/memory.max", "1000\n"),
            ("a/memory.high", "max\n"),
            ("a/memory.current", "700\n"),
            ("a/memory.stat", "anon 100\ninactive_file 500\nactive_file 50\n"),
            ("a/b/memory.max", "max\n"),
            ("a/b/memory.high", "5000\n"),
            ("a/b/memory.current", "100\n"),
        ]);
        assert_eq!(of_groups(root.path(), "0::/a/b"), Some(800));
        assert_eq!(of_groups(root.path(), "0::/a"), Some(800));
        assert_eq!(of_groups(root.path(), "0::/"), None);
        assert_eq!(of_groups(root.path(), "0::/of/the/machine"), None);
        assert_eq!(of_groups(root.path(), "3:cpu,cpuacct:/a"), None);
        assert_eq!(of_groups(root.path(), "nonsense"), None);
    }

    #[test]
    fn groups_of_version_1_count_too() {
        let root = groups(&[
            ("memory/a/memory.limit_in_bytes", "1000"),
            ("memory/a/memory.usage_in_bytes", "990"),
            ("memory/a/memory.stat", "inactive_file 1\ntotal_inactive_file 90\n"),
            ("memory/memory.limit_in_bytes", "9223372036854771712"),
            ("memory/memory.usage_in_bytes", "5000"),
        ]);
        assert_eq!(of_groups(root.path(), "4:memory:/a"), Some(100));
        assert_eq!(of_groups(root.path(), "4:hugetlb,memory:/a"), Some(100));
    }
}
