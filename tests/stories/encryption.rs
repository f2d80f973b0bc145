//! Stories of encrypted connections, with programs by other people. Each peer is a host of its own, and the tracker
//! tells only one of them of the other, so that this one connects.

use crate::common::content::Content;
use crate::common::hosts::{Host, STORY, is_told_inside};
use crate::common::peers::{Encryption, Plan, Program};
use crate::common::stage::Stage;
use crate::common::swarmlet::Get;
use crate::common::tools::{here, say};
use crate::common::torrent::Maker;
use crate::common::tracker::Tracker;
use crate::common::wait::{PATIENCE, wait_until};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::Instant;

const PIECE: usize = 64 * 1024;
/// What our log says of a connection.
const RC4: &str = " encryption rc4";
const PLAIN: &str = " encryption none";

/// One of ours and a peer by others meet.
struct Meeting {
    program: Program,
    theirs: Encryption,
    /// The value of our `--encryption`.
    ours: &'static str,
    /// We are told of the peer, connect to it and fetch from it; otherwise it does that.
    we_connect: bool,
    /// What our log must say of the connection.
    expected: &'static str,
}

/// Lets them meet, on the hosts with these numbers.
fn meet(meeting: &Meeting, hosts: [u8; 2]) {
    let Meeting { program, theirs, ours, we_connect, expected } = *meeting;
    let scratch = tempfile::tempdir().unwrap();
    let scratch = scratch.path();
    let (tracker, content) = (Tracker::start_on(STORY.into()), Content::one_file("a file.bin", (1 << 20) + 777));
    let (source, copy) = (scratch.join("source"), scratch.join("copy"));
    fs::create_dir(&copy).unwrap();
    let torrent = Maker::Ours.make(&content, &source, PIECE, &tracker.url());
    let [one, other] = hosts.map(|number| Host::start(number, scratch));
    let plan = if we_connect {
        Plan::seed(program, &torrent, &source, scratch)
    } else {
        Plan::fetch(program, &torrent, &copy, scratch)
    };
    let plan = Plan { encryption: Some(theirs), host: Some(&other), ..plan };
    let get = if we_connect {
        Get::new("ours", scratch).torrent(&torrent).in_dir(&copy)
    } else {
        Get::seed("ours", scratch, &source).torrent(&torrent)
    };
    let get = get.args(&["-vv", "--encryption", ours]);
    let (here, there): (SocketAddr, SocketAddr) = ((one.ip, get.port).into(), (other.ip, plan.port).into());
    let nobody = (other.ip, 9).into();
    tracker.introduce_only(get.port, if we_connect { there } else { nobody });
    tracker.introduce_only(plan.port, if we_connect { nobody } else { here });

    let begin = Instant::now();
    let log = if we_connect {
        let mut seed = plan.start();
        tracker.wait_for_a_seed(&torrent.info_hash, || seed.must_run());
        let outcome = get.start_on(&one).wait();
        outcome.assert_code(0);
        outcome.stderr
    } else {
        let mut seed = get.start_on(&one);
        tracker.wait_for_a_seed(&torrent.info_hash, || seed.must_run());
        // (The story does not wait for its end, because that of rtorrent may take a minute.)
        let _peer = plan.start();
        wait_until("it has fetched everything", PATIENCE, || content.difference_in(&copy).is_none());
        seed.terminate().stderr
    };
    content.assert_same_in(&copy);
    assert!(log.contains(expected), "{program:?} {theirs:?} {ours} {we_connect}: {log}");
    let [from, to] = if we_connect { ["swarmlet", "it"] } else { ["it", "swarmlet"] };
    let seconds = begin.elapsed().as_secs_f64();
    say(&format!("{}, {theirs:?}: {from} connects to {to} with {ours},{expected}, {seconds:.1} s", program.version()));
}

/// All that `program` can be told, in both directions. `story` is the name of the test.
fn meet_all(program: Program, story: &str) {
    if !here(&[program.tool()]) || is_told_inside(&format!("encryption::{story}")) {
        return;
    }
    let meetings = [true, false].into_iter().flat_map(|we_connect| {
        let meeting = |theirs, ours, expected| Meeting { program, theirs, ours, we_connect, expected };
        let mut meetings = vec![
            meeting(Encryption::Always, "allow", RC4),
            meeting(Encryption::Always, "require", RC4),
            meeting(Encryption::IfAsked, if we_connect { "prefer" } else { "require" }, RC4),
            meeting(Encryption::IfAsked, "off", PLAIN),
        ];
        match program {
            Program::Aria2 => {}
            Program::Transmission if we_connect => meetings.push(meeting(Encryption::Never, "prefer", RC4)),
            _ => meetings.push(meeting(Encryption::Never, "prefer", PLAIN)),
        }
        meetings
    });
    let meetings: Vec<Meeting> = meetings.collect();
    // Most of the time, they wait.
    thread::scope(|scope| {
        for (number, meeting) in (1..).step_by(2).zip(&meetings) {
            let named = thread::Builder::new().name(format!("encryption::{story}"));
            named.spawn_scoped(scope, move || meet(meeting, [number, number + 1])).unwrap();
        }
    });
}

#[test]
fn libtorrent_with_each_of_its_settings() {
    meet_all(Program::Libtorrent, "libtorrent_with_each_of_its_settings");
}

#[test]
fn transmission_with_each_of_its_settings() {
    meet_all(Program::Transmission, "transmission_with_each_of_its_settings");
}

#[test]
fn aria2_with_each_of_its_settings() {
    meet_all(Program::Aria2, "aria2_with_each_of_its_settings");
}

#[test]
fn rtorrent_with_each_of_its_settings() {
    meet_all(Program::Rtorrent, "rtorrent_with_each_of_its_settings");
}

/// Each side encrypts everything, and one of them knows nothing but a link at first.
#[test]
fn a_description_is_learned_over_encrypted_connections() {
    let stage = Stage::new(Content::one_file("a file.bin", (1 << 20) + 777), PIECE);
    let seed = stage.get("seed").in_dir(&stage.source).args(&["--seed", "-vv", "--encryption", "require"]);
    let running = seed.start();
    let link = |more: String| format!("magnet:?xt=urn:btih:{}{more}", hex(&stage.torrent.info_hash));
    let named = link(format!("&x.pe=127.0.0.1:{}", seed.port));
    let get = Get::new("named", stage.path()).arg(named).args(&["-vv", "--encryption", "require"]);
    let outcome = get.run();
    outcome.assert_code(0);
    stage.content.assert_same_in(&get.dir);
    assert!(outcome.stderr.contains(RC4), "{}", outcome.stderr);
    running.terminate().assert_code(0);

    // The other way round: the seed is told of a peer that knows only the link, and connects to it.
    // (In another folder, because the first one remembers the description.)
    let elsewhere = tempfile::tempdir().unwrap();
    let learns =
        Get::new("learns", elsewhere.path()).arg(link(String::new())).args(&["-vv", "--encryption", "require"]);
    stage.tracker.introduce_only(seed.port, (Ipv4Addr::LOCALHOST, learns.port).into());
    let learning = learns.start();
    let running = seed.start();
    let outcome = learning.wait();
    outcome.assert_code(0);
    stage.content.assert_same_in(&learns.dir);
    assert!(outcome.stderr.contains(RC4), "{}", outcome.stderr);
    running.terminate().assert_code(0);
}

/// Hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
