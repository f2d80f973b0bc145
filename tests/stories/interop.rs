//! Stories with programs by other people: seeds, leechers, makers of torrents and a tracker.

use crate::common::content::Content;
use crate::common::opentracker::Opentracker;
use crate::common::peers::{Peer, Plan, Program};
use crate::common::ports::has_ipv6;
use crate::common::swarmlet::Get;
use crate::common::throttle::Throttle;
use crate::common::tools::{Tool, here, say, skip};
use crate::common::torrent::{Maker, Torrent};
use crate::common::tracker::Tracker;
use crate::common::wait::{PATIENCE, wait_until};
use std::fs;
use std::path::Path;
use std::thread;
use std::time::Instant;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// A file whose size is not a multiple of pieces or blocks.
fn a_file(mib: usize) -> Content {
    Content::one_file("a file.bin", mib * MIB + 12_345)
}

/// `seeder` seeds, and we fetch `content` with a torrent by `maker`. The tracker is opentracker.
fn fetch_from(seeder: Program, maker: Maker, content: &Content, piece_length: usize) {
    let tools: Vec<Tool> = [seeder.tool(), Tool::Opentracker].into_iter().chain(maker.tool()).collect();
    if !here(&tools) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let address = Opentracker::address();
    let source = scratch.path().join("source");
    let torrent = maker.make(content, &source, piece_length, &Opentracker::url(address));
    let mut tracker = Opentracker::start(address, &[&torrent], scratch.path());
    let mut seed = Plan::seed(seeder, &torrent, &source, scratch.path()).start();
    tracker.wait_for_seeds(&torrent, 1, || seed.must_run());

    let begin = Instant::now();
    let get = Get::new("leecher", scratch.path()).torrent(&torrent);
    get.run().assert_code(0);

    maker.described(content).assert_same_in(&get.dir);
    told(&format!("from {}, torrent by {maker:?}", seeder.version()), content, begin);
}

/// Prints the versions of the peers and the time.
fn told(what: &str, content: &Content, begin: Instant) {
    let mib = content.size() as f64 / MIB as f64;
    say(&format!("{mib:.1} MiB {what}, in {:.1} s", begin.elapsed().as_secs_f64()));
}

/// Fetches `content` from each seeder, all of them at the same time.
fn fetch_from_each(maker: Maker, content: &Content, piece_length: usize) {
    thread::scope(|scope| {
        for seeder in [Program::Aria2, Program::Transmission, Program::Libtorrent] {
            let named = thread::Builder::new().name(format!("interop::from_{seeder:?}").to_lowercase());
            named.spawn_scoped(scope, move || fetch_from(seeder, maker, content, piece_length)).unwrap();
        }
    });
}

#[test]
fn a_file_in_pieces_of_1_mib_by_mktorrent() {
    fetch_from_each(Maker::Mktorrent, &a_file(20), MIB);
}

#[test]
fn a_file_in_pieces_of_16_mib_by_libtorrent() {
    fetch_from_each(Maker::Libtorrent, &a_file(35), 16 * MIB);
}

#[test]
fn a_file_in_pieces_of_16_kib_by_transmission_create() {
    fetch_from_each(Maker::TransmissionCreate, &a_file(10), 16 * KIB);
}

#[test]
fn a_tree_of_300_files_by_transmission_create() {
    fetch_from_each(Maker::TransmissionCreate, &Content::tree("tree"), MIB);
}

#[test]
fn a_tree_of_300_files_by_mktorrent() {
    fetch_from_each(Maker::Mktorrent, &Content::tree("tree"), 64 * KIB);
}

#[test]
fn a_tree_of_300_files_in_pieces_of_16_kib_by_libtorrent() {
    fetch_from_each(Maker::Libtorrent, &Content::tree("tree"), 16 * KIB);
}

#[test]
fn a_tree_of_300_files_in_pieces_of_50_000_bytes() {
    fetch_from_each(Maker::Ours, &Content::tree("tree"), 50_000);
}

#[test]
fn japanese_names_by_mktorrent() {
    fetch_from_each(Maker::Mktorrent, &Content::japanese(), 32 * KIB);
}

#[test]
fn japanese_names_by_transmission_create_and_libtorrent() {
    fetch_from(Program::Libtorrent, Maker::TransmissionCreate, &Content::japanese(), 32 * KIB);
    fetch_from(Program::Libtorrent, Maker::Libtorrent, &Content::japanese(), 32 * KIB);
}

/// transmission decides only every 10 s which peers to unchoke, so it may begin late. The others are so slow that it
/// still has a part to send a minute later, and it is slow enough to leave them their parts if it begins at once.
#[test]
fn three_seeds_at_once_each_send_a_part() {
    if !here(&[Tool::Aria2, Tool::Transmission, Tool::Libtorrent, Tool::Opentracker, Tool::Mktorrent]) {
        return;
    }
    let limit = |program| if program == Program::Transmission { 1_500_000 } else { 150_000 };
    let scratch = tempfile::tempdir().unwrap();
    let address = Opentracker::address();
    let content = a_file(36);
    let source = scratch.path().join("source");
    let torrent = Maker::Mktorrent.make(&content, &source, 256 * KIB, &Opentracker::url(address));
    let mut tracker = Opentracker::start(address, &[&torrent], scratch.path());
    let plan = |program| Plan::seed(program, &torrent, &source, scratch.path()).limited_to(limit(program));
    let mut seeds: Vec<Peer> = Program::ALL.map(|program| plan(program).start()).into();
    tracker.wait_for_seeds(&torrent, 3, || seeds.iter_mut().for_each(Peer::must_run));

    let begin = Instant::now();
    let get = Get::new("leecher", scratch.path()).torrent(&torrent);
    get.run().assert_code(0);

    content.assert_same_in(&get.dir);
    for seed in &mut seeds {
        let percent = seed.uploaded() * 100 / content.size();
        told(&format!("of which {percent} % from {}", seed.program.version()), &content, begin);
        assert!(percent > 5, "{:?} sent only {percent} %", seed.program);
    }
}

#[test]
fn the_query_of_an_announce_url_is_kept() {
    if !here(&[Tool::Libtorrent]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let tracker = Tracker::start();
    let content = a_file(2);
    let source = scratch.path().join("source");
    let url = format!("{}?passkey=s3cr3t%2Fkey&user=7", tracker.url());
    let torrent = Maker::Libtorrent.make(&content, &source, 64 * KIB, &url);
    let mut seed = Plan::seed(Program::Libtorrent, &torrent, &source, scratch.path()).start();
    tracker.wait_for_a_seed(&torrent.info_hash, || seed.must_run());

    let get = Get::new("leecher", scratch.path()).torrent(&torrent);
    get.run().assert_code(0);

    content.assert_same_in(&get.dir);
    let ours = tracker.announces_from(&torrent.info_hash, get.port);
    assert!(!ours.is_empty(), "the leecher never announced itself");
    for announce in ours {
        let target = &announce.target;
        assert!(
            target.starts_with("/announce?passkey=s3cr3t%2Fkey&user=7&"),
            "the query of the URL was lost: {target}"
        );
        assert_eq!(target.matches('?').count(), 1, "two queries: {target}");
    }
}

#[test]
fn opentracker_works_with_a_passkey() {
    if !here(&[Tool::Aria2, Tool::Opentracker, Tool::TransmissionCreate]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let address = Opentracker::address();
    let content = a_file(2);
    let source = scratch.path().join("source");
    let url = Opentracker::url(address) + "?passkey=0123456789abcdef";
    let torrent = Maker::TransmissionCreate.make(&content, &source, 64 * KIB, &url);
    let mut tracker = Opentracker::start(address, &[&torrent], scratch.path());
    let mut seed = Plan::seed(Program::Aria2, &torrent, &source, scratch.path()).start();
    tracker.wait_for_seeds(&torrent, 1, || seed.must_run());

    let get = Get::new("leecher", scratch.path()).torrent(&torrent);
    get.run().assert_code(0);
    content.assert_same_in(&get.dir);
}

/// Over ::1. The tracker is ours, because opentracker in Debian has no IPv6.
fn fetch_over_ipv6_from(seeder: Program) {
    if !here(&[seeder.tool()]) || !ipv6_is_here() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let tracker = Tracker::start_ipv6();
    let content = a_file(10);
    let source = scratch.path().join("source");
    let torrent = Maker::Ours.make(&content, &source, 256 * KIB, &tracker.url());
    let mut seed = Plan::seed(seeder, &torrent, &source, scratch.path()).over_ipv6().start();
    tracker.wait_for_a_seed(&torrent.info_hash, || seed.must_run());

    let begin = Instant::now();
    let get = Get::new("leecher", scratch.path()).torrent(&torrent);
    get.run().assert_code(0);

    content.assert_same_in(&get.dir);
    told(&format!("over IPv6 from {}", seeder.version()), &content, begin);
}

fn ipv6_is_here() -> bool {
    let here = has_ipv6();
    if !here {
        skip("this machine has no ::1");
    }
    here
}

#[test]
fn over_ipv6_from_aria2() {
    fetch_over_ipv6_from(Program::Aria2);
}

#[test]
fn over_ipv6_from_transmission() {
    fetch_over_ipv6_from(Program::Transmission);
}

#[test]
fn over_ipv6_from_libtorrent() {
    fetch_over_ipv6_from(Program::Libtorrent);
}

/// The other direction: we seed, and `leecher` fetches from us only.
fn give_to(leecher: Program, maker: Maker, content: &Content, piece_length: usize) {
    let tools: Vec<Tool> = [leecher.tool(), Tool::Opentracker].into_iter().chain(maker.tool()).collect();
    if !here(&tools) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let address = Opentracker::address();
    let source = scratch.path().join("source");
    let torrent = maker.make(content, &source, piece_length, &Opentracker::url(address));
    let mut tracker = Opentracker::start(address, &[&torrent], scratch.path());
    let mut seed = Get::new("seed", scratch.path()).in_dir(&source).torrent(&torrent).arg("--seed").start();
    tracker.wait_for_seeds(&torrent, 1, || seed.must_run());

    let begin = Instant::now();
    fetched_by(leecher, &torrent, content, scratch.path());
    told(&format!("to {}", leecher.version()), content, begin);
    seed.terminate().assert_code(0);
    content.assert_same_in(&source);
}

fn fetched_by(leecher: Program, torrent: &Torrent, content: &Content, scratch: &Path) {
    let copy = scratch.join("copy");
    Plan::fetch(leecher, torrent, &copy, scratch).start().wait_until_fetched(PATIENCE);
    content.assert_same_in(&copy);
}

#[test]
fn aria2_fetches_a_file_from_us() {
    give_to(Program::Aria2, Maker::Mktorrent, &a_file(20), MIB);
}

#[test]
fn aria2_fetches_a_tree_in_pieces_of_50_000_bytes_from_us() {
    give_to(Program::Aria2, Maker::Ours, &Content::tree("tree"), 50_000);
}

#[test]
fn libtorrent_fetches_a_file_from_us() {
    give_to(Program::Libtorrent, Maker::Libtorrent, &a_file(20), MIB);
}

#[test]
fn libtorrent_fetches_a_tree_in_pieces_of_50_000_bytes_from_us() {
    give_to(Program::Libtorrent, Maker::Ours, &Content::tree("tree"), 50_000);
}

#[test]
fn a_download_that_aria2_began_is_continued() {
    if !here(&[Tool::Aria2]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let tracker = Tracker::start();
    let content = a_file(8);
    let source = scratch.path().join("source");
    let torrent = Maker::Ours.make(&content, &source, 64 * KIB, &tracker.url());
    let seed = Get::new("seed", scratch.path()).in_dir(&source).torrent(&torrent).arg("--seed");
    let line = Throttle::before(seed.port, 2 * MIB as u64);
    tracker.introduce_as(seed.port, line.port);
    let mut seed = seed.start();
    tracker.wait_for_a_seed(&torrent.info_hash, || seed.must_run());
    let copy = scratch.path().join("copy");
    let mut aria2 = Plan::fetch(Program::Aria2, &torrent, &copy, scratch.path()).start();
    wait_until("aria2 has half of it", PATIENCE, || {
        aria2.must_run();
        line.passed() >= content.size() / 2
    });
    aria2.interrupt();
    let control = fs::read(copy.join("a file.bin.aria2")).expect("aria2 left its control file");
    let passed = line.passed();

    let begin = Instant::now();
    let outcome = Get::new("leecher", scratch.path()).in_dir(&copy).torrent(&torrent).arg("--json").run();
    outcome.assert_code(0);

    content.assert_same_in(&copy);
    let had = outcome.json("checked")["had"].as_u64().unwrap();
    assert!(had > content.size() / 4, "it used only {had} bytes of the download by aria2");
    let came = line.passed() - passed;
    assert!(came < content.size() - had + MIB as u64, "{came} bytes came, though {had} existed");
    assert_eq!(fs::read(copy.join("a file.bin.aria2")).unwrap(), control, "the control file of aria2 changed");
    told(&format!("of which {} % from {}", had * 100 / content.size(), Program::Aria2.version()), &content, begin);
}
