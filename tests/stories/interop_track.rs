//! Stories of strangers who meet by our tracker, over HTTP and over UDP.

use crate::common::content::Content;
use crate::common::http::percent_encode;
use crate::common::opentracker::Opentracker;
use crate::common::peers::{Plan, Program};
use crate::common::swarmlet::Get;
use crate::common::tools::{Tool, here, say};
use crate::common::torrent::{Maker, Torrent};
use crate::common::track::{Track, scraped};
use crate::common::wait::{PATIENCE, wait_until};
use std::path::Path;

const KIB: usize = 1024;

/// `seeder` and `leecher` know nothing of each other but what our tracker at `url` tells them.
fn meet(seeder: Program, leecher: Program, url: fn(&Track) -> String) {
    if !here(&[seeder.tool(), leecher.tool()]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let track = Track::on_free_port(scratch.path()).start();
    let content = Content::one_file("a file.bin", 2500 * KIB + 7);
    let source = scratch.path().join("source");
    let torrent = Maker::Ours.make(&content, &source, 64 * KIB, &url(&track));
    let mut seed = Plan::seed(seeder, &torrent, &source, scratch.path()).start();
    let counts = || {
        let reply = track.get(&format!("/scrape?info_hash={}", percent_encode(&torrent.info_hash))).body;
        if reply.windows(20).any(|part| part == torrent.info_hash) {
            scraped(&reply, &torrent.info_hash)
        } else {
            [0; 3]
        }
    };
    wait_until("the seed is known", PATIENCE, || {
        seed.must_run();
        counts()[0] == 1
    });
    let dir = scratch.path().join("copy");
    std::fs::create_dir(&dir).unwrap();
    let plan = Plan::fetch(leecher, &torrent, &dir, scratch.path());
    plan.start().wait_until_fetched(PATIENCE);
    content.assert_same_in(&dir);
    let scheme = url(&track)[..4].to_string();
    say(&format!("{} met {} by our tracker, {scheme}", leecher.version(), seeder.version()));
}

/// The same, and ours is the leecher.
fn meets_us(seeder: Program, url: fn(&Track) -> String) {
    if !here(&[seeder.tool()]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let track = Track::on_free_port(scratch.path()).start();
    let content = Content::one_file("a file.bin", 2500 * KIB + 7);
    let source = scratch.path().join("source");
    let torrent = Maker::Ours.make(&content, &source, 64 * KIB, &url(&track));
    let mut seed = Plan::seed(seeder, &torrent, &source, scratch.path()).start();
    wait_until("the seed is known", PATIENCE, || {
        seed.must_run();
        let reply = track.get(&format!("/scrape?info_hash={}", percent_encode(&torrent.info_hash))).body;
        reply.windows(13).any(|part| part == b"8:completei1e")
    });
    let get = Get::new("leecher", scratch.path()).torrent(&torrent);
    get.run().assert_code(0);
    content.assert_same_in(&get.dir);
    say(&format!("we met {} by our tracker", seeder.version()));
}

#[test]
fn aria2_and_libtorrent_meet_over_http() {
    meet(Program::Libtorrent, Program::Aria2, Track::url);
    meet(Program::Aria2, Program::Libtorrent, Track::url);
}

#[test]
fn aria2_and_libtorrent_meet_over_udp() {
    meet(Program::Libtorrent, Program::Aria2, Track::udp_url);
    meet(Program::Aria2, Program::Libtorrent, Track::udp_url);
}

#[test]
fn transmission_is_found_over_http() {
    meet(Program::Transmission, Program::Aria2, Track::url);
    meet(Program::Transmission, Program::Libtorrent, Track::url);
}

#[test]
fn transmission_is_found_over_udp() {
    meet(Program::Transmission, Program::Libtorrent, Track::udp_url);
}

#[test]
fn strangers_meet_us() {
    for seeder in Program::ALL {
        meets_us(seeder, Track::url);
        meets_us(seeder, Track::udp_url);
    }
}

/// How the whole swarm stands, as a tracker counts: over UDP an announce has no place for completed downloads, and a scrape
/// brings them.
#[test]
fn the_swarm_s_counts_are_shown() {
    let scratch = tempfile::tempdir().unwrap();
    let content = Content::one_file("a file.bin", 300 * KIB);
    let source = scratch.path().join("source");
    let track = Track::on_free_port(scratch.path()).start();
    counts_are_shown("ours over UDP", &Maker::Ours.make(&content, &source, 32 * KIB, &track.udp_url()), &source);
    if !here(&[Tool::Opentracker]) {
        return;
    }
    for scheme in ["http", "udp"] {
        let dir = scratch.path().join(scheme);
        std::fs::create_dir(&dir).unwrap();
        let address = Opentracker::address();
        let torrent = Maker::Ours.make(&content, &source, 32 * KIB, &format!("{scheme}://{address}/announce"));
        let _tracker = Opentracker::start(address, &[&torrent], &dir);
        counts_are_shown(&format!("opentracker over {scheme}"), &torrent, &source);
    }
}

/// One fetches, then another waits beside the first seed: it hears of a seed and of one download that was completed.
fn counts_are_shown(what: &str, torrent: &Torrent, source: &Path) {
    let scratch = tempfile::tempdir().unwrap();
    let _seed = Get::new("seed", scratch.path()).in_dir(source).torrent(torrent).arg("--seed").start();
    Get::new("leecher", scratch.path()).torrent(torrent).run().assert_code(0);
    let other = Get::new("other", scratch.path()).in_dir(source).torrent(torrent).args(&["--seed", "--json"]).start();
    let mut last = String::new();
    wait_until("the counts are known", PATIENCE, || {
        last = other.stdout().lines().rfind(|line| line.contains("\"status\"")).unwrap_or("{}").into();
        // A line may be half written.
        let status: serde_json::Value = serde_json::from_str(&last).unwrap_or_default();
        status["swarm_completed"] == 1 && status["swarm_seeds"].as_u64() >= Some(1) && status["swarm_leechers"] == 0
    });
    say(&format!("{what}: {last}"));
}

/// The tracker of others, over UDP: what our client says there is understood.
#[test]
fn we_meet_by_opentracker_over_udp() {
    if !here(&[Tool::Opentracker]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let address = Opentracker::address();
    let content = Content::one_file("a file.bin", 2500 * KIB + 7);
    let source = scratch.path().join("source");
    let torrent = Maker::Ours.make(&content, &source, 64 * KIB, &format!("udp://{address}/announce"));
    let mut tracker = Opentracker::start(address, &[&torrent], scratch.path());
    let mut seed = Get::new("seed", scratch.path()).in_dir(&source).torrent(&torrent).arg("--seed").start();
    tracker.wait_for_seeds(&torrent, 1, || seed.must_run());
    let get = Get::new("leecher", scratch.path()).torrent(&torrent);
    get.run().assert_code(0);
    content.assert_same_in(&get.dir);
    seed.terminate().assert_code(0);
    assert_eq!(tracker.seeds(&torrent), 0, "nobody is left");
    say("we met by opentracker, over UDP");
}
