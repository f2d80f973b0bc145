//! Stories of programs by other people that find each other, and us, through a tracker over HTTP and over UDP.

use crate::common::content::Content;
use crate::common::json;
use crate::common::opentracker::Opentracker;
use crate::common::peers::{Plan, Program};
use crate::common::swarmlet::Get;
use crate::common::tools::{Tool, here, say};
use crate::common::torrent::{Maker, Torrent};
use crate::common::track::Track;
use crate::common::wait::{PATIENCE, wait_until};
use std::path::Path;

const KIB: usize = 1024;

/// `seeder` and `leecher` find each other only through our tracker at `url`.
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
    track.wait_for_a_seed(&torrent.info_hash, || seed.must_run());
    let dir = scratch.path().join("copy");
    std::fs::create_dir(&dir).unwrap();
    let plan = Plan::fetch(leecher, &torrent, &dir, scratch.path());
    plan.start().wait_until_fetched(PATIENCE);
    content.assert_same_in(&dir);
    let scheme = url(&track)[..4].to_string();
    say(&format!("{} met {} through our tracker, {scheme}", leecher.version(), seeder.version()));
}

/// The same with our own leecher.
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
    track.wait_for_a_seed(&torrent.info_hash, || seed.must_run());
    let get = Get::new("leecher", scratch.path()).torrent(&torrent);
    get.run().assert_code(0);
    content.assert_same_in(&get.dir);
    say(&format!("we met {} through our tracker", seeder.version()));
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
fn we_meet_other_programs_through_our_tracker() {
    for seeder in Program::ALL {
        meets_us(seeder, Track::url);
        meets_us(seeder, Track::udp_url);
    }
}

/// The counts come from the tracker. Over UDP the reply to an announce has no count of completed downloads, so a scrape
/// brings it.
#[test]
fn the_counts_of_the_swarm_are_shown() {
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

/// One peer fetches. After that another seed must show one seed and one completed download.
fn counts_are_shown(what: &str, torrent: &Torrent, source: &Path) {
    let scratch = tempfile::tempdir().unwrap();
    let _seed = Get::new("seed", scratch.path()).in_dir(source).torrent(torrent).arg("--seed").start();
    Get::new("leecher", scratch.path()).torrent(torrent).run().assert_code(0);
    let other = Get::new("other", scratch.path()).in_dir(source).torrent(torrent).args(&["--seed", "--json"]).start();
    let mut last = serde_json::Value::Null;
    wait_until("the counts are known", PATIENCE, || {
        last = json::last(&other.stdout(), "status").unwrap_or_default();
        last["swarm_completed"] == 1 && last["swarm_seeds"].as_u64() >= Some(1) && last["swarm_leechers"] == 0
    });
    say(&format!("{what}: {last}"));
}

#[test]
fn our_peers_meet_through_opentracker_over_udp() {
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
    assert_eq!(tracker.seeds(&torrent), 0, "the last announce of the seed was ignored");
    say("our peers met through opentracker over UDP");
}
