//! Stories of `swarmlet get` with peers of its own kind.

use crate::common::bencode::Value;
use crate::common::content::{Content, damage};
use crate::common::hostile::{Deed, Hostile, Prey};
use crate::common::http::Server;
use crate::common::json;
use crate::common::ports::free_port;
use crate::common::proc;
use crate::common::stage::Stage;
use crate::common::swarmlet::Get;
use crate::common::torrent::Maker;
use crate::common::tracker::Announce;
use crate::common::wait::{PATIENCE, wait_until};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::MetadataExt;

const KIB: usize = 1024;
const PIECE: usize = 64 * KIB;

fn a_file(size: usize) -> Content {
    Content::one_file("a file.bin", size)
}

/// The first and the last announce of the leecher.
fn first_and_last_announce(stage: &Stage, get: &Get) -> (Announce, Announce) {
    let all = stage.announces_from(get);
    let first = all.first().expect("the leecher announced itself").clone();
    (first, all.last().expect("there is a first one").clone())
}

#[test]
fn two_leechers_fetch_from_one_seed() {
    let stage = Stage::new(a_file(20 * 1024 * KIB + 777), PIECE);
    let seed = stage.seed();
    let gets = [stage.get("first"), stage.get("second")];

    let leechers = [gets[0].start(), gets[1].start()];
    for (leecher, get) in leechers.into_iter().zip(&gets) {
        leecher.wait().assert_code(0);
        stage.content.assert_same_in(&get.dir);
    }
    seed.terminate().assert_code(0);

    for get in &gets {
        let all = stage.announces_from(get);
        let events: Vec<&str> = all.iter().map(|announce| announce.event.as_str()).filter(|e| !e.is_empty()).collect();
        assert_eq!(events, ["started", "completed", "stopped"], "the events of {}", get.port);
        assert_eq!(all[0].left, stage.content.size());
        assert_eq!(all[all.len() - 1].left, 0);
    }
}

#[test]
fn a_tree_with_empty_files_arrives_whole() {
    let stage = Stage::new(Content::tree("tree"), PIECE);
    let _seed = stage.seed();
    let get = stage.get("leecher");
    get.run().assert_code(0);
    stage.content.assert_same_in(&get.dir);
}

#[test]
fn sequential_requests_pieces_in_order() {
    let stage = Stage::new(a_file(48 * PIECE), PIECE);
    let seed = Hostile::start(Deed::Serves, &Prey::of(&stage, PIECE), &stage.tracker);
    // The pieces, in the order of their first requests.
    let fetch = |name: &str, options: &[&str]| {
        let (before, get) = (seed.asked().len(), stage.get(name).args(options));
        get.run().assert_code(0);
        stage.content.assert_same_in(&get.dir);
        let mut pieces: Vec<u32> = seed.asked()[before..].iter().map(|(piece, _)| *piece).collect();
        let mut seen = BTreeSet::new();
        pieces.retain(|piece| seen.insert(*piece));
        pieces
    };
    let in_order: Vec<u32> = (0..48).collect();
    assert_eq!(fetch("in order", &["--sequential"]), in_order);
    assert_ne!(fetch("in any order", &[]), in_order, "without the option the order is random");
}

/// Only the empty files are missing, and no peer is needed for those.
#[test]
fn complete_content_needs_no_peer() {
    let stage = Stage::new(Content::tree("tree"), PIECE);
    let get = stage.get("whole");
    stage.content.without_empty_files().write_to(&get.dir);

    get.run().assert_code(0);

    stage.content.assert_same_in(&get.dir);
    for announce in stage.tracker.announces(&stage.torrent.info_hash) {
        assert_eq!((announce.left, announce.downloaded), (0, 0), "it wanted something: {announce:?}");
        assert_ne!(announce.event, "completed", "it was whole at the start");
    }
}

#[test]
fn if_half_of_the_content_exists_only_the_other_half_is_fetched() {
    let size = 64 * PIECE;
    let stage = Stage::new(a_file(size), PIECE);
    let _seed = stage.seed();
    let get = stage.get("half");
    stage.content.write_to(&get.dir);
    let file = fs::File::options().write(true).open(get.dir.join("a file.bin")).unwrap();
    file.set_len(size as u64 / 2).unwrap();

    get.run().assert_code(0);

    stage.content.assert_same_in(&get.dir);
    let (first, last) = first_and_last_announce(&stage, &get);
    assert_eq!(first.left, size as u64 / 2, "it did not use the existing half");
    assert_eq!((last.left, last.downloaded), (0, size as u64 / 2), "it fetched bytes that it had");
}

#[test]
fn only_wrong_pieces_are_fetched_again() {
    let stage = Stage::new(a_file(64 * PIECE), PIECE);
    let _seed = stage.seed();
    let get = stage.get("damaged");
    let file = stage.content.write_to(&get.dir);
    damage(&file, 7 * PIECE + 5, 1);
    damage(&file, 31 * PIECE - 10, 20); // in two neighbouring pieces

    get.run().assert_code(0);

    stage.content.assert_same_in(&get.dir);
    let (first, last) = first_and_last_announce(&stage, &get);
    assert_eq!(first.left, 3 * PIECE as u64);
    assert_eq!((last.left, last.downloaded), (0, 3 * PIECE as u64));
}

#[test]
fn several_torrents_share_a_port() {
    let stage = Stage::new(a_file(2 * 1024 * KIB), PIECE);
    let other = Content::one_file("another file.bin", 1024 * KIB + 1);
    let other_torrent = Maker::Ours.make(&other, &stage.path().join("other"), PIECE, &stage.tracker.url());
    let other_source = stage.path().join("other");
    let _seed = stage.seed();
    let mut other_seed =
        Get::new("other seed", stage.path()).in_dir(&other_source).torrent(&other_torrent).arg("--seed").start();
    stage.tracker.wait_for_a_seed(&other_torrent.info_hash, || other_seed.must_run());

    let get = stage.get("leecher").torrent(&other_torrent);
    get.run().assert_code(0);

    stage.content.assert_same_in(&get.dir);
    other.assert_same_in(&get.dir);
    for torrent in [&stage.torrent, &other_torrent] {
        assert!(!stage.tracker.announces_from(&torrent.info_hash, get.port).is_empty(), "not on port {}", get.port);
    }
}

#[test]
fn a_torrent_can_be_read_from_standard_input() {
    let stage = Stage::new(a_file(1024 * KIB), PIECE);
    let _seed = stage.seed();
    let get = Get::new("leecher", stage.path()).arg("-").stdin(fs::read(&stage.torrent.file).unwrap());
    get.run().assert_code(0);
    stage.content.assert_same_in(&get.dir);
}

#[test]
fn a_torrent_can_be_fetched_by_http() {
    let stage = Stage::new(a_file(1024 * KIB), PIECE);
    let _seed = stage.seed();
    let bytes = fs::read(&stage.torrent.file).unwrap();
    let server = Server::start(Ipv4Addr::LOCALHOST.into(), move |target, _| {
        (target == "/some/where.torrent?id=7").then(|| bytes.clone())
    });
    let get = Get::new("leecher", stage.path()).arg(format!("http://{}/some/where.torrent?id=7", server.address()));
    get.run().assert_code(0);
    stage.content.assert_same_in(&get.dir);
}

#[test]
fn json_output_is_one_object_a_line() {
    let stage = Stage::new(a_file(2 * 1024 * KIB), PIECE);
    let _seed = stage.seed();
    let get = stage.get("leecher").arg("--json");
    let outcome = get.run();
    outcome.assert_code(0);
    stage.content.assert_same_in(&get.dir);
    assert!(outcome.stdout.ends_with("}\n"), "the last line is not complete");
    for value in json::objects(&outcome.stdout) {
        assert!(value.is_object(), "not an object: {value}");
    }
}

#[test]
fn quiet_prints_nothing_without_an_error() {
    let stage = Stage::new(a_file(1024 * KIB), PIECE);
    let _seed = stage.seed();
    let get = stage.get("leecher").arg("--quiet");
    let outcome = get.run();
    outcome.assert_code(0);
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("", ""));
}

/// It may be another file that the user wants to keep. The run ends, even with --seed, because nothing is left to do.
#[test]
fn a_file_that_is_too_long_is_reported_and_stays_as_it_is() {
    let stage = Stage::new(a_file(PIECE), PIECE);
    let get = stage.get("leecher").arg("--seed");
    let (file, other) = (get.dir.join("a file.bin"), vec![7; PIECE + 1]);
    fs::write(&file, &other).unwrap();
    let outcome = get.run();
    outcome.assert_refused(73);
    assert!(outcome.stderr.contains("65537 bytes"), "{}", outcome.stderr);
    assert!(fs::read(&file).unwrap() == other);
}

/// `--max_peers` means `--max-peers`, so that nobody has to remember the difference.
#[test]
fn an_option_with_an_underscore_has_its_effect() {
    let stage = Stage::new(a_file(PIECE), PIECE);
    let _seeds = [Deed::NeverUnchokes; 6].map(|deed| Hostile::start(deed, &Prey::of(&stage, PIECE), &stage.tracker));
    let mut leecher = stage.get("leecher").args(&["--json", "--max_peers", "2"]).start();
    let counts =
        |text: &str| -> Vec<u64> { json::objects(text).iter().filter_map(|object| object["peers"].as_u64()).collect() };
    wait_until("it had two peers for three reports", PATIENCE, || {
        leecher.must_run();
        counts(&leecher.stdout()).iter().filter(|count| **count == 2).count() >= 3
    });
    let outcome = leecher.terminate();
    outcome.assert_code(75);
    let counts = counts(&outcome.stdout);
    assert!(counts.iter().all(|count| *count <= 2), "more than two of six peers: {counts:?}");
}

#[test]
fn preallocate_reserves_the_whole_file_before_content_arrives() {
    let stage = Stage::new(a_file(8 * 1024 * KIB), PIECE);
    let (_seed, line) = stage.slow_seed(512 * KIB as u64);
    let (get, other) = (stage.get("leecher").arg("--preallocate"), stage.get("other"));
    let allocated = |get: &Get| fs::metadata(get.dir.join("a file.bin")).map_or(0, |file| file.blocks() * 512);
    let (mut leecher, _other) = (get.start(), other.start());
    wait_until("both have begun", PATIENCE, || {
        leecher.must_run();
        allocated(&get) > 0 && allocated(&other) > 0
    });
    assert!(line.passed() < stage.content.size() / 2, "too much has come to see a difference");
    assert!(allocated(&get) >= stage.content.size(), "only {} bytes are allocated", allocated(&get));
    assert!(allocated(&other) < stage.content.size(), "all is allocated without the option too");
}

#[test]
fn content_larger_than_the_memory_limit_arrives_in_little_memory() {
    let stage = Stage::new(a_file(64 * 1024 * KIB), PIECE);
    let _seed = stage.seed();
    let get = stage.get("leecher").args(&["--json", "--seed", "--memory", "1"]);
    let mut leecher = get.start();
    wait_until("it is complete", PATIENCE, || {
        leecher.must_run();
        json::first(&leecher.stdout(), "complete").is_some()
    });
    let peak = proc::status(leecher.id(), "VmHWM");
    assert!(peak < 24 * 1024, "{peak} KiB");
    leecher.terminate().assert_code(0);
    stage.content.assert_same_in(&get.dir);
}

/// Peers that unchoke and never send show how much is requested at once.
#[test]
fn memory_limits_the_bytes_that_are_requested_at_once() {
    let stage = Stage::new(a_file(128 * PIECE), PIECE);
    let prey = Prey::of(&stage, PIECE);
    let requested = |name: &str, options: &[&str]| {
        let peers = [Deed::NeverSends; 20].map(|deed| Hostile::start(deed, &prey, &stage.tracker));
        let mut leecher = stage.get(name).args(&["--json"]).args(options).start();
        wait_until("it has requested blocks from all peers that it may", PATIENCE, || {
            leecher.must_run();
            json::last(&leecher.stdout(), "status").is_some_and(|status| status["peers"] == 20)
        });
        let bytes = peers.iter().map(|peer| peer.asked().len() * 16 * KIB).sum::<usize>();
        leecher.terminate().assert_code(75);
        println!("{name}: {bytes}");
        bytes
    };
    let (little, much) = (requested("little", &["--memory", "1"]), requested("much", &["--memory", "64"]));
    assert!(little <= 1024 * KIB && much > 1024 * KIB, "{little} bytes with 1 MiB, {much} with 64 MiB");
}

#[test]
fn a_torrent_of_one_empty_file_is_complete_at_once() {
    let stage = Stage::new(a_file(0), PIECE);
    let get = stage.get("leecher");
    get.run().assert_code(0);
    assert_eq!(fs::metadata(get.dir.join("a file.bin")).unwrap().len(), 0);
}

#[test]
fn a_seed_goes_on_until_it_is_interrupted() {
    let stage = Stage::new(a_file(1024 * KIB), PIECE);
    let seed = stage.seed();
    for name in ["one", "after the other"] {
        let get = stage.get(name);
        get.run().assert_code(0);
        stage.content.assert_same_in(&get.dir);
    }
    seed.interrupt().assert_code(0);
    let last = stage.tracker.announces(&stage.torrent.info_hash).pop().unwrap();
    assert_eq!(last.event, "stopped", "the tracker still counts it");
    assert_eq!(stage.tracker.seeds(&stage.torrent.info_hash), 0);
}

#[test]
fn an_interrupted_run_says_so_and_the_next_one_continues() {
    let stage = Stage::new(a_file(16 * PIECE), PIECE);
    let get = stage.get("leecher");
    let content = stage.content.write_to(&get.dir);
    damage(&content, 0, 1);

    let mut leecher = get.start();
    wait_until("the leecher announces itself", PATIENCE, || {
        leecher.must_run();
        stage.announces_from(&get).iter().any(|announce| announce.left == PIECE as u64)
    });
    leecher.interrupt().assert_refused(75);

    let _seed = stage.seed();
    get.run().assert_code(0);
    stage.content.assert_same_in(&get.dir);
}

#[test]
fn wrong_usage_is_64() {
    let scratch = tempfile::tempdir().unwrap();
    Get::new("no torrent", scratch.path()).run().assert_refused(64);
    let stage = Stage::new(a_file(1), PIECE);
    stage.get("no such option").arg("--no-such-option").run().assert_refused(64);
    stage.get("no number").arg("--max-peers").arg("many").run().assert_refused(64);
}

#[test]
fn a_damaged_torrent_is_65() {
    let stage = Stage::new(a_file(PIECE), PIECE);
    let whole = fs::read(&stage.torrent.file).unwrap();
    let bad = stage.path().join("bad.torrent");
    let mut outside = BTreeMap::from([("name", Value::text("..")), ("piece length", Value::Int(PIECE as i64))]);
    outside.extend([("pieces", Value::Bytes(vec![0; 20])), ("length", Value::Int(1))]);
    let outside = Value::Dict(BTreeMap::from([("info", Value::Dict(outside))])).encode();
    for (what, bytes) in [
        ("cut short", &whole[..whole.len() - 9]),
        ("empty", b"".as_slice()),
        ("a web page", b"<!DOCTYPE html><title>Not found</title>"),
        ("outside of the folder", &outside),
    ] {
        fs::write(&bad, bytes).unwrap();
        let get = Get::new(what, stage.path()).arg(&bad);
        get.run().assert_refused(65);
        assert_eq!(fs::read_dir(&get.dir).unwrap().count(), 0, "something was created for a torrent {what}");
    }
}

#[test]
fn no_such_torrent_is_66() {
    let scratch = tempfile::tempdir().unwrap();
    let get = Get::new("leecher", scratch.path()).arg(scratch.path().join("no such.torrent"));
    get.run().assert_refused(66);
}

#[test]
fn a_url_without_a_server_is_69() {
    let scratch = tempfile::tempdir().unwrap();
    let get = Get::new("leecher", scratch.path()).arg(format!("http://127.0.0.1:{}/a.torrent", free_port()));
    get.run().assert_refused(69);
}

#[test]
fn a_folder_that_cannot_be_created_is_73() {
    let stage = Stage::new(a_file(PIECE), PIECE);
    let in_the_way = stage.path().join("in the way");
    fs::write(&in_the_way, "a file").unwrap();
    stage.get("leecher").in_dir(&in_the_way.join("below")).run().assert_refused(73);
}
