//! Stories of strangers who meet by our tracker, over HTTP and over UDP.

mod common;

use common::content::Content;
use common::http::percent_encode;
use common::peers::{Plan, Program};
use common::swarmlet::Get;
use common::tools::{here, say};
use common::torrent::Maker;
use common::track::{Track, scraped};
use common::wait::{PATIENCE, wait_until};

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
    // By HTTP, whichever way the seed came.
    let other = Maker::Ours.make(&content, &scratch.path().join("ours"), 64 * KIB, &track.url());
    let get = Get::new("leecher", scratch.path()).torrent(&other);
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
