//! Stories of swarms with programs by other people.

use crate::common::content::Content;
use crate::common::peers::{Peer, Plan, Program};
use crate::common::swarmlet::Get;
use crate::common::tools::{here, say};
use crate::common::torrent::Maker;
use crate::common::tracker::Tracker;
use crate::common::wait::{PATIENCE, wait_until};
use std::path::PathBuf;
use std::time::Instant;

const PIECE: usize = 128 * 1024;

#[test]
fn two_of_each_program_complete_from_one_slow_seed_and_ours_upload_meanwhile() {
    if !here(&Program::ALL.map(Program::tool)) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let (tracker, content) = (Tracker::start(), Content::one_file("a file.bin", (24 << 20) + 12_345));
    let source = scratch.path().join("source");
    let torrent = Maker::Ours.make(&content, &source, PIECE, &tracker.url());
    let begin = Instant::now();
    // transmission connects to no peer on loopback, so it starts first, and the others are told of it. The seed comes
    // last.
    let order = [Program::Transmission, Program::Libtorrent, Program::Aria2];
    let mut others: Vec<(Peer, PathBuf)> = Vec::new();
    for (number, program) in order.into_iter().flat_map(|program| [program, program]).enumerate() {
        let dir = scratch.path().join(format!("copy {number}"));
        let mut peer = Plan::fetch(program, &torrent, &dir, scratch.path()).start();
        wait_until("it has announced itself", PATIENCE, || {
            peer.must_run();
            ports(&tracker, &torrent.info_hash) > number
        });
        others.push((peer, dir));
    }
    let ours = ["one of ours", "another of ours"].map(|name| {
        let get = Get::new(name, scratch.path()).torrent(&torrent).args(&["--json", "--seed"]);
        (get.start(), get.dir)
    });
    wait_until("ours have announced themselves", PATIENCE, || ports(&tracker, &torrent.info_hash) > 7);
    let seed = Get::seed("seed", scratch.path(), &source).torrent(&torrent);
    let seed = seed.args(&["--json", "--max-upload-rate", "2000"]).start();

    for (peer, dir) in &mut others {
        peer.wait_until_fetched(2 * PATIENCE);
        content.assert_same_in(dir);
    }
    wait_until("ours are complete", PATIENCE, || ours.iter().all(|(one, _)| one.stdout().contains("\"complete\"")));
    let percent = |bytes: &serde_json::Value| bytes.as_u64().unwrap() * 100 / content.size();
    for (one, dir) in ours {
        content.assert_same_in(&dir);
        let outcome = one.interrupt();
        outcome.assert_code(0);
        let given = percent(&outcome.json("complete")["uploaded"]);
        say(&format!("one of ours had uploaded {given} % of the content when it was complete"));
        assert!(given > 5, "it uploaded almost nothing");
    }
    let given = percent(&seed.interrupt().json("stopped")["uploaded"]);
    let versions = order.map(Program::version).join(", ");
    say(&format!("with {versions}; the seed sent {given} %, in {:.1} s", begin.elapsed().as_secs_f64()));
}

/// It connects to no peer on loopback, so it must be there before we are.
#[test]
fn transmission_fetches_a_file_from_us() {
    if !here(&[Program::Transmission.tool()]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let (tracker, content) = (Tracker::start(), Content::one_file("a file.bin", (20 << 20) + 12_345));
    let (source, copy) = (scratch.path().join("source"), scratch.path().join("copy"));
    let torrent = Maker::Ours.make(&content, &source, PIECE, &tracker.url());
    let mut leecher = Plan::fetch(Program::Transmission, &torrent, &copy, scratch.path()).start();
    wait_until("it has announced itself", PATIENCE, || ports(&tracker, &torrent.info_hash) > 0);
    let seed = Get::seed("seed", scratch.path(), &source).torrent(&torrent).start();
    leecher.wait_until_fetched(PATIENCE);
    content.assert_same_in(&copy);
    seed.terminate().assert_code(0);
}

/// How many different ports have announced themselves.
fn ports(tracker: &Tracker, info_hash: &[u8; 20]) -> usize {
    let mut ports: Vec<u16> = tracker.announces(info_hash).iter().map(|announce| announce.port).collect();
    ports.sort();
    ports.dedup();
    ports.len()
}
