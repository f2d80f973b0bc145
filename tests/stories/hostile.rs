//! Stories of hostile peers: some lie, some are slow, and some only try to break something.
//!
//! The honest seeds are behind slow lines, so that a download lasts for seconds.

use crate::common::content::Content;
use crate::common::hostile::{
    BLOCK, Deed, Hostile, Prey, answer_requests, come, handshake, is_closed, message, numbers,
};
use crate::common::json;
use crate::common::proc;
use crate::common::stage::Stage;
use crate::common::swarmlet::{Get, Swarmlet};
use crate::common::throttle::Throttle;
use crate::common::wait::{PATIENCE, wait_until};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::thread;
use std::time::Duration;

const PIECE: usize = 256 * 1024;
/// Not a multiple of eight, so that a bitfield has a spare bit.
const PIECES: usize = 63;
/// A connection must be closed this soon after an offence.
const SOON: Duration = Duration::from_secs(15);

fn stage() -> Stage {
    Stage::new(Content::one_file("a file.bin", PIECES * PIECE - 777), PIECE)
}

fn prey(stage: &Stage) -> Prey {
    Prey::of(stage, PIECE)
}

/// This many honest seeds, each behind a line of `rate` bytes a second.
fn honest(stage: &Stage, seeds: usize, rate: u64) -> Vec<(Swarmlet, Throttle)> {
    let mut seeds: Vec<_> = (0..seeds).map(|_| stage.slow_seed(rate)).collect();
    wait_until("the seeds have announced themselves", PATIENCE, || {
        seeds.iter_mut().for_each(|(seed, _)| seed.must_run());
        stage.tracker.seeds(&stage.torrent.info_hash) == seeds.len()
    });
    seeds
}

fn hostile(stage: &Stage, deeds: &[Deed]) -> Vec<Hostile> {
    deeds.iter().map(|&deed| Hostile::start(deed, &prey(stage), &stage.tracker)).collect()
}

fn get(stage: &Stage, name: &str) -> Get {
    stage.get(name).arg("--json")
}

/// Waits until `get` has everything. Returns how long that took, by its own clock.
fn seconds_of(stage: &Stage, get: &Get, running: &mut Swarmlet) -> f64 {
    let mut complete = None;
    wait_until("everything is fetched", PATIENCE, || {
        running.must_run();
        complete = json::first(&running.stdout(), "complete");
        complete.is_some()
    });
    stage.content.assert_same_in(&get.dir);
    complete.and_then(|event| event["seconds"].as_f64()).unwrap()
}

/// The resources that a process holds.
#[derive(Clone, Copy, Debug)]
struct Holding {
    rss_kib: u64,
    threads: u64,
    descriptors: usize,
}

fn holding(pid: u32) -> Holding {
    Holding {
        rss_kib: proc::status(pid, "VmRSS"),
        threads: proc::status(pid, "Threads"),
        descriptors: proc::descriptors(pid),
    }
}

/// How long the download takes among hostile peers, and the resources that the process holds after they are gone. Its
/// threads and descriptors must come down to those `before`, if there was a download before.
fn download(name: &str, stage: &Stage, deeds: &[Deed], before: Option<Holding>) -> (f64, Holding) {
    let hostile = hostile(stage, deeds);
    let get = get(stage, name).arg("--seed");
    let mut running = get.start();
    let seconds = seconds_of(stage, &get, &mut running);
    drop(hostile);
    // Seeds disconnect from a seed, and the hostile peers are gone, so no peer stays connected.
    wait_until("no peer is connected", PATIENCE, || {
        running.must_run();
        json::last(&running.stdout(), "status").is_some_and(|status| status["peers"] == 0)
    });
    // The closed connections are noticed one after the other, so the count must be the same twice.
    let mut seen = holding(running.id());
    wait_until("its threads have ended and its files are closed", PATIENCE, || {
        thread::sleep(Duration::from_millis(300));
        let earlier = std::mem::replace(&mut seen, holding(running.id()));
        let least = before.unwrap_or(seen);
        seen.threads == earlier.threads && seen.threads <= least.threads && seen.descriptors <= least.descriptors
    });
    running.terminate().assert_code(0);
    (seconds, seen)
}

/// The time is compared loosely; in virtual time the limit is a third more (`swarm` has a test of this name).
#[test]
fn twenty_hostile_peers_among_five_honest_ones_do_not_stop_a_download_and_leave_nothing() {
    let stage = stage();
    let _seeds = honest(&stage, 5, 500 * 1024);
    let (alone, before) = download("alone", &stage, &[], None);
    let deeds = [
        Deed::NeverUnchokes,
        Deed::NeverUnchokes,
        Deed::NeverSends,
        Deed::NeverSends,
        Deed::NeverSends,
        Deed::Drips,
        Deed::Drips,
        Deed::Drips,
        Deed::Corrupts(1),
        Deed::Corrupts(7),
        Deed::CorruptsSlowly(1),
        Deed::CorruptsSlowly(3),
        Deed::Toggles,
        Deed::Toggles,
        Deed::Floods,
        Deed::SaysNothing,
        Deed::Babbles,
        Deed::NeverReads,
        Deed::DiesAfter(0),
        Deed::DiesAfter(5),
    ];
    let (among, after) = download("among", &stage, &deeds, Some(before));
    println!("{alone:.1} s alone, {among:.1} s among twenty hostile peers; {before:?}, {after:?}");
    assert!(among <= alone * 3.0, "{alone} s alone, {among} s among hostile peers");
    // The allocator keeps some memory of the floods.
    assert!(after.rss_kib <= before.rss_kib + 8192, "{before:?}, {after:?}");
}

/// The ports of the peers that are disconnected because they sent a wrong piece, by the log.
fn found_out(log: &str) -> Vec<u16> {
    let lies = log.lines().filter_map(|line| line.split_once(": we close: it sent a ").map(|(before, _)| before));
    let mut ports: Vec<u16> = lies.filter_map(|before| before.rsplit(':').next()?.parse().ok()).collect();
    ports.sort();
    ports
}

#[test]
fn peers_that_send_wrong_pieces_are_found_out_and_honest_ones_stay() {
    let stage = stage();
    let _seeds = honest(&stage, 2, 1 << 20);
    let liars = hostile(&stage, &[Deed::Corrupts(1), Deed::Corrupts(7), Deed::CorruptsSlowly(3)]);
    let get = get(&stage, "leecher").arg("-vv");
    let outcome = get.run();
    outcome.assert_code(0);
    stage.content.assert_same_in(&get.dir);
    let mut expected: Vec<u16> = liars.iter().map(|liar| liar.port).collect();
    expected.sort();
    assert_eq!(found_out(&outcome.stderr), expected, "exactly the liars must be found out");
}

#[test]
fn a_liar_that_connected_to_us_is_refused_when_it_returns() {
    let stage = stage();
    let prey = prey(&stage);
    let get = get(&stage, "leecher");
    let mut running = get.start();
    let visit = |number: u32| -> io::Result<TcpStream> {
        let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, get.port))?;
        socket.set_read_timeout(Some(SOON))?;
        socket.write_all(&handshake(&stage.torrent.info_hash, number))?;
        socket.read_exact(&mut [0; 68]).map(|()| socket)
    };
    let mut first = None;
    wait_until("it accepts a connection", PATIENCE, || {
        running.must_run();
        first = visit(1).ok();
        first.is_some()
    });
    let mut liar = first.unwrap();
    liar.write_all(&[message(5, &prey.everything()), message(1, &[])].concat()).unwrap();
    let timed_out = |error: &io::Error| matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
    let end = answer_requests(liar, Deed::Corrupts(1), &prey).unwrap_err();
    assert!(!timed_out(&end), "a whole piece was wrong, and it stays connected");
    let again = visit(1).unwrap_err();
    assert!(!timed_out(&again), "{again}");
    visit(2).expect("another peer is accepted");
    running.terminate().assert_code(75);
}

/// Offences that must end a connection at once: the bytes after the handshake.
fn offences(prey: &Prey) -> Vec<(&'static str, Vec<u8>)> {
    let (pieces, piece, block) = (PIECES as u32, PIECE as u32, BLOCK as u32);
    let bitfield = prey.everything();
    let request = |spec: [u32; 3]| message(6, &numbers(&spec));
    let at_once = vec![
        ("a short bitfield as the first message", message(5, &bitfield[1..])),
        ("a request out of range as the first message", request([pieces, 0, block])),
    ];
    let behind_a_bitfield = vec![
        ("a length of 4 GiB", vec![0xff; 4]),
        ("a have out of range", message(4, &numbers(&[pieces]))),
        ("a have of three bytes", message(4, &[0; 3])),
        ("a request out of range", request([pieces, 0, block])),
        ("a request over the end of its piece", request([0, piece - 1, 2])),
        ("a request whose end overflows", request([0, u32::MAX, block])),
        ("a request of zero bytes", request([0, 0, 0])),
        ("a request of more than 16 KiB", request([0, 0, block + 1])),
        ("a block of more than 16 KiB", message(7, &[numbers(&[0, 0]), vec![0; BLOCK + 1]].concat())),
        ("a block without data", message(7, &numbers(&[0, 0]))),
        ("a hundred blocks without a request", message(7, &[numbers(&[0, 0]), vec![0; BLOCK]].concat()).repeat(100)),
        (
            "blocks of a piece that does not exist",
            message(7, &[numbers(&[pieces, 0]), vec![0; 100]].concat()).repeat(100),
        ),
        ("a bitfield that is too short", message(5, &bitfield[1..])),
        ("a bitfield that is too long", message(5, &[&bitfield[..], &[0]].concat())),
        ("have-all without the fast extension", message(14, &[])),
    ];
    let behind = |bytes| [message(5, &bitfield), bytes].concat();
    at_once.into_iter().chain(behind_a_bitfield.into_iter().map(|(what, bytes)| (what, behind(bytes)))).collect()
}

/// Messages that peers may send, one after the other, because other programs tolerate them: a have before the bitfield,
/// a spare bit, and bitfields that repeat or lack what was said before.
fn oddities(prey: &Prey) -> Vec<u8> {
    let (mut spare, mut lacks_one) = (prey.everything(), prey.everything());
    *spare.last_mut().unwrap() |= 1;
    lacks_one[0] = 0x7f;
    [message(4, &numbers(&[0])), message(5, &spare), message(5, &spare), message(5, &lacks_one)].concat()
}

#[test]
fn an_offence_ends_its_connection_and_disturbs_nothing_else() {
    // The download lasts for half a minute. Its end would close every connection.
    let stage = stage();
    let _seeds = honest(&stage, 1, 500 * 1024);
    let get = get(&stage, "leecher");
    let mut running = get.start();
    let info_hash = stage.torrent.info_hash;
    wait_until("it listens", PATIENCE, || {
        running.must_run();
        TcpStream::connect((Ipv4Addr::LOCALHOST, get.port)).is_ok()
    });
    let enter = || {
        let mut entered = None;
        wait_until("it accepts a connection", PATIENCE, || {
            entered = come(get.port, &info_hash).ok();
            entered.is_some()
        });
        entered.unwrap()
    };
    thread::scope(|scope| {
        for (what, bytes) in offences(&prey(&stage)) {
            let mut socket = enter().0;
            scope.spawn(move || {
                // It may close the connection before it has read everything.
                let _ = socket.write_all(&bytes);
                assert!(is_closed(&mut socket, SOON), "it tolerates {what}");
            });
        }
        let (mut odd, _) = enter();
        let bytes = oddities(&prey(&stage));
        scope.spawn(move || {
            odd.write_all(&bytes).unwrap();
            assert!(!is_closed(&mut odd, Duration::from_secs(3)), "it does not tolerate what others do");
        });
        let (mut first, theirs) = enter();
        // Its own peer id, from another connection.
        let mut itself = TcpStream::connect((Ipv4Addr::LOCALHOST, get.port)).unwrap();
        itself.write_all(&[&handshake(&info_hash, 1)[..48], &theirs[48..]].concat()).unwrap();
        assert!(is_closed(&mut itself, SOON), "it stays connected to itself");
        let mut other = TcpStream::connect((Ipv4Addr::LOCALHOST, get.port)).unwrap();
        other.write_all(&handshake(&[9; 20], 2)).unwrap();
        assert!(is_closed(&mut other, SOON), "it accepts an unknown torrent");
        // A handshake that does not come, or comes too slowly, must end after ten seconds.
        let mut silent = TcpStream::connect((Ipv4Addr::LOCALHOST, get.port)).unwrap();
        let mut slow = TcpStream::connect((Ipv4Addr::LOCALHOST, get.port)).unwrap();
        let mut drip = slow.try_clone().unwrap();
        scope.spawn(move || {
            handshake(&info_hash, 3).chunks(1).all(|byte| {
                thread::sleep(Duration::from_millis(500));
                drip.write_all(byte).is_ok()
            })
        });
        scope.spawn(move || assert!(is_closed(&mut silent, SOON), "it waits for a silent peer"));
        scope.spawn(move || assert!(is_closed(&mut slow, SOON), "it waits for a slow handshake"));
        assert!(!is_closed(&mut first, Duration::from_millis(100)), "an honest connection was closed");
    });
    assert!(json::first(&running.stdout(), "complete").is_none(), "the download ended before the offences were judged");
    running.wait().assert_code(0);
    stage.content.assert_same_in(&get.dir);
}

#[test]
fn a_thousand_connections_get_no_more_than_the_allowed_places() {
    let stage = stage();
    let _seeds = honest(&stage, 2, 1 << 20);
    let get = get(&stage, "leecher").args(&["--max-peers", "30"]);
    let mut running = get.start();
    let mut entered = Vec::new();
    let mut most = 0;
    let mut crowd = Vec::new();
    for number in 0..1000u32 {
        // Until it listens, every connection fails.
        let Ok(mut socket) = TcpStream::connect((Ipv4Addr::LOCALHOST, get.port)) else {
            thread::sleep(Duration::from_millis(2));
            continue;
        };
        if number % 2 == 0 && socket.write_all(&handshake(&stage.torrent.info_hash, number)).is_ok() {
            entered.push(socket);
        } else {
            crowd.push(socket);
        }
        most = most.max(holding(running.id()).threads);
    }
    println!("{} and {} connections, {most} threads at most", entered.len(), crowd.len());
    assert!(entered.len() + crowd.len() > 500, "too few connections were tried");
    // Two for each of thirty peers, one for each of 64 handshakes and of 16 outgoing connections, and a dozen more.
    assert!(most < 60 + 64 + 16 + 16, "{most} threads");
    // The seeds are found though the crowd came first. Alone they need eight seconds.
    let seconds = seconds_of(&stage, &get, &mut running);
    assert!(seconds < 40.0, "{seconds} s");
    running.wait().assert_code(0);
}

/// Peers, files and trackers have to share them.
#[test]
fn a_torrent_with_hostile_peers_needs_only_sixty_four_descriptors() {
    let stage = stage();
    // There is room for 32 peers. It is next to impossible that none of the six honest ones is among the first.
    let _seeds = honest(&stage, 6, 4 << 20);
    let _hostile = hostile(&stage, &[Deed::NeverUnchokes; 40]);
    let get = get(&stage, "leecher");
    get.start_after("ulimit -n 64").wait().assert_code(0);
    stage.content.assert_same_in(&get.dir);
}
