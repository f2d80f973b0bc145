//! Stories of limits: the rate, the time without progress, file descriptors, file sizes, and memory.

use crate::common::content::Content;
use crate::common::group::Group;
use crate::common::json;
use crate::common::stage::Stage;
use crate::common::swarmlet::Swarmlet;
use crate::common::wait::{PATIENCE, wait_until};
use std::time::{Duration, Instant};

const KIB: u64 = 1024;
const PIECE: usize = 64 * 1024;

/// The times of the reports, and the downloaded bytes in each, from the first byte on.
fn downloaded(stdout: &str) -> Vec<(f64, u64)> {
    let objects = json::objects(stdout).into_iter();
    let seen = objects.filter(|object| object["event"] == "status" && object["downloaded"].as_u64() > Some(0));
    seen.map(|object| (object["time"].as_f64().unwrap(), object["downloaded"].as_u64().unwrap())).collect()
}

/// A fast seed sends as much as the limit allows and no more. A busy machine may be slower; in virtual time the limit
/// is exact (`swarm` tests that).
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
        assert!((80.0..=105.0).contains(&percent), "{rate} KB/s: {percent} %");
    }
}

#[test]
fn stop_timeout_ends_a_torrent_that_makes_no_progress() {
    let stage = Stage::new(Content::one_file("a file.bin", PIECE), PIECE);
    let begun = Instant::now();
    let outcome = stage.get("leecher").args(&["--stop-timeout", "2"]).run();
    outcome.assert_refused(75);
    // No seed runs. The message says so, and how far the download got.
    let why = outcome.stderr.lines().find(|line| line.contains("a file.bin: ") && line.contains("no progress for 2 s"));
    assert!(why.is_some_and(|line| line.contains("the tracker knows none")), "{}", outcome.stderr);
    assert!(outcome.stderr.contains(" 0.0 % "), "{}", outcome.stderr);
    assert!(begun.elapsed() >= Duration::from_secs(2));
}

/// Routers often have this limit. The torrent has more files than that.
#[test]
fn a_torrent_of_a_hundred_files_needs_only_sixty_four_descriptors() {
    let names: Vec<String> = (0..100).map(|number| format!("folder {}/{number}.bin", number % 7)).collect();
    let files: Vec<(&str, usize)> = names.iter().map(|name| (name.as_str(), 150_000)).collect();
    let stage = Stage::new(Content::folder("many", &files), PIECE);
    let _seeds: Vec<Swarmlet> = (0..3).map(|_| stage.seed()).collect();
    let get = stage.get("leecher");
    get.start_after("ulimit -n 64").wait().assert_code(0);
    stage.content.assert_same_in(&get.dir);
}

/// Such an error does not go away by itself, so the torrent does not wait.
#[test]
fn a_file_that_is_too_large_for_the_system_ends_the_torrent_with_a_message() {
    let stage = Stage::new(Content::one_file("a file.bin", 4 << 20), PIECE);
    let _seed = stage.seed();
    let get = stage.get("leecher");
    let outcome = get.start_after("ulimit -f 2000").wait();
    assert!([Some(73), Some(74)].contains(&outcome.code), "{:?}", outcome.code);
    assert!(outcome.stderr.contains("a file.bin: File too large"), "{}", outcome.stderr);
}

/// A seed and a leecher share 32 MiB. The page cache of everything that they read and write counts too.
#[test]
fn a_seed_and_a_leecher_need_only_thirty_two_mib_with_their_page_cache() {
    let Some(group) = Group::new(32 << 20) else { return };
    let stage = Stage::new(Content::one_file("a file.bin", 48 << 20), PIECE);
    let seed = stage.get("seed").in_dir(&stage.source).arg("--seed");
    let mut seed = seed.start_after(&group.join());
    stage.tracker.wait_for_a_seed(&stage.torrent.info_hash, || seed.must_run());
    let get = stage.get("leecher");
    get.start_after(&group.join()).wait().assert_code(0);
    stage.content.assert_same_in(&get.dir);
    assert!(group.was_full() > 0, "the limit was never reached");
    drop(seed);
}
