//! Stories with rtorrent and lftp, which have their own BitTorrent code. Each fetches from us and uploads to us, with
//! our tracker over HTTP and over UDP, and over IPv6.

use crate::common::content::Content;
use crate::common::peers::{Plan, Program};
use crate::common::ports::has_ipv6;
use crate::common::swarmlet::Get;
use crate::common::tools::{here, say, skip};
use crate::common::torrent::{Maker, Torrent};
use crate::common::track::Track;
use crate::common::tracker::Tracker;
use crate::common::wait::PATIENCE;
use std::path::Path;

const KIB: usize = 1024;

/// We fetch `content` from `program`, and it fetches from us. `url` is the one of our tracker.
fn give_and_take(program: Program, content: &Content, piece_length: usize, url: fn(&Track) -> String) {
    if !here(&[program.tool()]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    // Each direction has its own tracker, so that no peer is told of one that left without a last announce.
    let [one, other] = ["taken", "given"].map(|name| scratch.path().join(name));
    for dir in [&one, &other] {
        std::fs::create_dir(dir).unwrap();
    }

    let track = Track::on_free_port(&one).start();
    let source = one.join("source");
    let torrent = Maker::Ours.make(content, &source, piece_length, &url(&track));
    let mut seed = Plan::seed(program, &torrent, &source, &one).start();
    track.wait_for_a_seed(&torrent.info_hash, || seed.must_run());
    let get = Get::new("leecher", &one).torrent(&torrent);
    get.run().assert_code(0);
    content.assert_same_in(&get.dir);

    let track = Track::on_free_port(&other).start();
    let source = other.join("source");
    let torrent = Maker::Ours.make(content, &source, piece_length, &url(&track));
    let mut seed = Get::seed("seed", &other, &source).torrent(&torrent).start();
    track.wait_for_a_seed(&torrent.info_hash, || seed.must_run());
    fetched_by(program, &torrent, content, &other, false);
    seed.terminate().assert_code(0);
    content.assert_same_in(&source);
    say(&format!("fetched from and uploaded to {} with our tracker, {}", program.version(), &url(&track)[..4]));
}

fn fetched_by(program: Program, torrent: &Torrent, content: &Content, scratch: &Path, ipv6: bool) {
    let copy = scratch.join("copy");
    let plan = Plan::fetch(program, torrent, &copy, scratch);
    let plan = if ipv6 { plan.over_ipv6() } else { plan };
    plan.start().wait_until_fetched(PATIENCE);
    content.assert_same_in(&copy);
}

/// Both directions over ::1.
fn give_and_take_over_ipv6(program: Program) {
    if !here(&[program.tool()]) {
        return;
    }
    if !has_ipv6() {
        return skip("this machine has no ::1");
    }
    let content = a_file();
    for gives in [true, false] {
        let scratch = tempfile::tempdir().unwrap();
        let tracker = Tracker::start_ipv6();
        let source = scratch.path().join("source");
        let torrent = Maker::Ours.make(&content, &source, 256 * KIB, &tracker.url());
        if gives {
            let mut seed = Plan::seed(program, &torrent, &source, scratch.path()).over_ipv6().start();
            tracker.wait_for_a_seed(&torrent.info_hash, || seed.must_run());
            let get = Get::new("leecher", scratch.path()).torrent(&torrent);
            get.run().assert_code(0);
            content.assert_same_in(&get.dir);
        } else {
            let mut seed = Get::seed("seed", scratch.path(), &source).torrent(&torrent).start();
            tracker.wait_for_a_seed(&torrent.info_hash, || seed.must_run());
            fetched_by(program, &torrent, &content, scratch.path(), true);
        }
    }
    say(&format!("fetched from and uploaded to {} over IPv6", program.version()));
}

/// A file whose size is not a multiple of pieces or blocks.
fn a_file() -> Content {
    Content::one_file("a file.bin", 10_000 * KIB + 12_345)
}

/// Files for pieces that are not a multiple of blocks. (lftp writes no empty files.)
fn a_tree() -> Content {
    Content::tree("tree").without_empty_files()
}

#[test]
fn rtorrent_gives_and_takes_a_file() {
    give_and_take(Program::Rtorrent, &a_file(), 1024 * KIB, Track::url);
}

#[test]
fn rtorrent_gives_and_takes_a_tree_in_pieces_of_50_000_bytes_over_udp() {
    give_and_take(Program::Rtorrent, &a_tree(), 50_000, Track::udp_url);
}

#[test]
fn rtorrent_gives_and_takes_over_ipv6() {
    give_and_take_over_ipv6(Program::Rtorrent);
}

#[test]
fn lftp_gives_and_takes_a_file() {
    give_and_take(Program::Lftp, &a_file(), 1024 * KIB, Track::url);
}

#[test]
fn lftp_gives_and_takes_a_tree_in_pieces_of_50_000_bytes_over_udp() {
    give_and_take(Program::Lftp, &a_tree(), 50_000, Track::udp_url);
}

#[test]
fn lftp_gives_and_takes_over_ipv6() {
    give_and_take_over_ipv6(Program::Lftp);
}
