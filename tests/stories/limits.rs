//! Stories of limits: of the rate, of the time without progress, of file descriptors, of memory.

use crate::common::content::Content;
use crate::common::process::Process;
use crate::common::stage::Stage;
use crate::common::swarmlet::{Get, Swarmlet};
use crate::common::tools::say;
use crate::common::wait::{PATIENCE, wait_until};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const KIB: u64 = 1024;
const PIECE: usize = 64 * 1024;

/// Times, and the bytes that had come by then, as the reports say; from the first byte on.
fn downloaded(told: &str) -> Vec<(f64, u64)> {
    // The last line may be half written.
    let objects = told.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let seen = objects.filter(|object| object["event"] == "status" && object["downloaded"].as_u64() > Some(0));
    seen.map(|object| (object["time"].as_f64().unwrap(), object["downloaded"].as_u64().unwrap())).collect()
}

/// Exact within 3 % over 10 s, whoever sends as fast as he can. (The bytes are those that a report says, a second apart:
/// so the time is that of the reports.)
#[test]
fn a_limit_of_the_download_rate_is_kept() {
    let stage = Stage::new(Content::one_file("a file.bin", 40 << 20), PIECE);
    let _seed = stage.seed();
    for rate in [100, 1000] {
        let get = stage.get(&format!("at {rate}")).args(&["--json", "--max-download-rate", &rate.to_string()]);
        let mut leecher = get.start();
        let mut seen = Vec::new();
        wait_until("ten seconds are over", PATIENCE, || {
            leecher.must_run();
            seen = downloaded(&leecher.stdout());
            seen.last().is_some_and(|(last, _)| last - seen[0].0 > 10.0)
        });
        let ((from, before), (to, after)) = (seen[0], seen[seen.len() - 1]);
        let percent = (after - before) as f64 / (to - from) / (rate * KIB) as f64 * 100.0;
        println!("{rate} KB/s: {percent:.1} % over {:.1} s", to - from);
        assert!((97.0..=103.0).contains(&percent), "{rate} KB/s: {percent} %");
    }
}

#[test]
fn a_torrent_that_gets_nothing_is_given_up_when_that_is_wanted() {
    let stage = Stage::new(Content::one_file("a file.bin", PIECE), PIECE);
    let begun = Instant::now();
    let outcome = stage.get("leecher").args(&["--stop-timeout", "2"]).run();
    outcome.assert_refused(75);
    // No seed runs, so the tracker names nobody.
    let words = "a file.bin: given up, no progress for 2 s: no peers: the tracker knows none";
    assert!(outcome.stderr.contains(words), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("\ngiven up at 0.0 % "), "{}", outcome.stderr);
    assert!(begun.elapsed() >= Duration::from_secs(2));
}

/// More files than descriptors, some peers, and a limit that routers have.
#[test]
fn sixty_four_descriptors_are_enough() {
    let names: Vec<String> = (0..100).map(|number| format!("folder {}/{number}.bin", number % 7)).collect();
    let files: Vec<(&str, usize)> = names.iter().map(|name| (name.as_str(), 150_000)).collect();
    let stage = Stage::new(Content::folder("many", &files), PIECE);
    let _seeds: Vec<Swarmlet> = (0..3).map(|_| stage.seed()).collect();
    let get = stage.get("leecher");
    let mut leecher = after("ulimit -n 64", &get, stage.path());
    assert!(leecher.wait(PATIENCE).success());
    stage.content.assert_same_in(&get.dir);
}

/// What will not pass by itself is an end: here files that are larger than the process may make them.
#[test]
fn a_file_that_is_too_large_for_the_system_ends_the_torrent_with_words() {
    let stage = Stage::new(Content::one_file("a file.bin", 4 << 20), PIECE);
    let _seed = stage.seed();
    let get = stage.get("leecher");
    let mut leecher = after("ulimit -f 2000", &get, stage.path());
    let code = leecher.wait(PATIENCE).code();
    assert!([Some(73), Some(74)].contains(&code), "{code:?}");
    assert!(leecher.stderr().contains("a file.bin: File too large"), "{}", leecher.stderr());
}

/// A group of processes that have so much memory together, the page cache counted; gone when dropped.
struct Group {
    at: PathBuf,
}

impl Group {
    /// `None`, said loudly, where nobody may make one.
    fn new(bytes: usize) -> Option<Group> {
        // Version 1 of Linux's control groups has a tree for memory alone, version 2 one for all.
        for (tree, limit) in [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")] {
            let group = Group { at: Path::new(tree).join(format!("swarmlet-test-{}", std::process::id())) };
            let limit = group.at.join(limit);
            if fs::create_dir(&group.at).is_ok() && limit.exists() && fs::write(limit, bytes.to_string()).is_ok() {
                return Some(group);
            }
        }
        say("SKIPPED: no group with limited memory can be made here (root may)");
        None
    }

    /// How often it had no memory left.
    fn was_full(&self) -> u64 {
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

/// A seed and a leecher share 32 MiB, in which the system has to keep all that is read and written, too.
#[test]
fn thirty_two_mib_of_memory_are_enough_with_the_page_cache_counted() {
    let Some(group) = Group::new(32 << 20) else { return };
    let join = format!("echo $$ > {}/cgroup.procs", group.at.display());
    let stage = Stage::new(Content::one_file("a file.bin", 48 << 20), PIECE);
    let seed = stage.get("seed").in_dir(&stage.source).arg("--seed");
    let mut seed = after(&join, &seed, stage.path());
    stage.tracker.wait_for_a_seed(&stage.torrent.info_hash, || seed.must_run());
    let get = stage.get("leecher");
    let mut leecher = after(&join, &get, stage.path());
    assert!(leecher.wait(PATIENCE).success());
    stage.content.assert_same_in(&get.dir);
    assert!(group.was_full() > 0, "it was not felt");
    drop(seed);
}

/// Starts a `get` by a shell that does something else before, as to set a limit.
fn after(script: &str, get: &Get, logs: &Path) -> Process {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{script}; exec \"$@\""), "sh"]);
    let command = get.command();
    shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Process::start("leecher", shell.arg(command.get_program()).args(command.get_args()), logs)
}
