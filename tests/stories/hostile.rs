//! Stories of a bad day: liars, sluggards, and those who only want to break something.
//!
//! The honest are seeds of our own behind slow lines, so that a download lasts for seconds and a ratio means something.

use crate::common::content::Content;
use crate::common::hostile::{
    BLOCK, Deed, Hostile, Prey, answer_requests, come, handshake, is_closed, message, numbers,
};
use crate::common::swarmlet::{Get, Swarmlet};
use crate::common::throttle::Throttle;
use crate::common::torrent::{Maker, Torrent};
use crate::common::tracker::Tracker;
use crate::common::wait::{PATIENCE, wait_until};
use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

const PIECE: usize = 256 * 1024;
/// No multiple of eight: so that a bitfield has a spare bit.
const PIECES: usize = 63;
/// What a connection must be closed within that did something wrong.
const SOON: Duration = Duration::from_secs(15);

/// A tracker, a torrent, and honest seeds of it behind slow lines.
struct Stage {
    scratch: TempDir,
    tracker: Tracker,
    content: Content,
    torrent: Torrent,
    prey: Prey,
    _seeds: Vec<(Swarmlet, Throttle)>,
}

impl Stage {
    /// So many honest seeds, each at `rate` bytes a second.
    fn new(seeds: usize, rate: u64) -> Stage {
        let scratch = tempfile::tempdir().unwrap();
        let tracker = Tracker::start();
        let content = Content::one_file("a file.bin", PIECES * PIECE - 777);
        let source: PathBuf = scratch.path().join("source");
        let torrent = Maker::Ours.make(&content, &source, PIECE, &tracker.url());
        let bytes = Arc::new(content.concatenated());
        let prey = Prey { info_hash: torrent.info_hash, bytes, piece: PIECE };
        let seed = |number: usize| {
            let get =
                Get::new(&format!("seed {number}"), scratch.path()).torrent(&torrent).in_dir(&source).arg("--seed");
            let line = Throttle::before(get.port, rate);
            tracker.introduce_as(get.port, line.port);
            (get.start(), line)
        };
        let mut seeds: Vec<(Swarmlet, Throttle)> = (0..seeds).map(seed).collect();
        wait_until("the seeds announce themselves", PATIENCE, || {
            seeds.iter_mut().for_each(|(seed, _)| seed.must_run());
            tracker.seeds(&torrent.info_hash) == seeds.len()
        });
        Stage { scratch, tracker, content, torrent, prey, _seeds: seeds }
    }

    fn get(&self, name: &str) -> Get {
        Get::new(name, self.scratch.path()).torrent(&self.torrent).arg("--json")
    }

    fn hostile(&self, deeds: &[Deed]) -> Vec<Hostile> {
        deeds.iter().map(|&deed| Hostile::start(deed, &self.prey, &self.tracker)).collect()
    }

    /// Waits until `get` has everything, and says how long that took by its own clock.
    fn seconds_of(&self, get: &Get, running: &mut Swarmlet) -> f64 {
        wait_until("all is fetched", PATIENCE, || {
            running.must_run();
            event(&running.stdout(), "complete").is_some()
        });
        self.content.assert_same_in(&get.dir);
        event(&running.stdout(), "complete").and_then(|event| event["seconds"].as_f64()).unwrap()
    }
}

/// The first event of this name in what was written with `--json`.
fn event(stdout: &str, name: &str) -> Option<serde_json::Value> {
    let whole_lines = stdout.rsplit_once('\n').map_or("", |(lines, _)| lines);
    let mut events = whole_lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    events.find(|event| event["event"] == name)
}

/// What a process holds.
#[derive(Clone, Copy, Debug)]
struct Holding {
    rss_kib: u64,
    threads: u64,
    descriptors: usize,
}

fn holding(process: u32) -> Holding {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim_start_matches(':').split_whitespace().next().unwrap().parse().unwrap()
    };
    let descriptors = fs::read_dir(format!("/proc/{process}/fd")).unwrap().count();
    Holding { rss_kib: field("VmRSS"), threads: field("Threads"), descriptors }
}

/// How long the download takes among `hostile` peers, and what the process holds when they are gone.
fn download(name: &str, stage: &Stage, deeds: &[Deed]) -> (f64, Holding) {
    let hostile = stage.hostile(deeds);
    let get = stage.get(name).arg("--seed");
    let mut running = get.start();
    let seconds = stage.seconds_of(&get, &mut running);
    drop(hostile);
    // All seeds part from a seed, and the hostile are gone: nobody is connected.
    let mut seen = holding(running.id());
    wait_until("nobody is connected", PATIENCE, || {
        running.must_run();
        seen = holding(running.id());
        let quiet = running.stdout().lines().last().and_then(|line| serde_json::from_str(line).ok());
        quiet.is_some_and(|status: serde_json::Value| {
            status["peers"] == 0 && status["connecting"].as_u64().unwrap_or(0) == 0
        })
    });
    // Those that hang up are noticed one after the other.
    let mut before = u64::MAX;
    wait_until("its threads have ended", PATIENCE, || {
        thread::sleep(Duration::from_millis(300));
        let calm = before == seen.threads;
        before = seen.threads;
        seen = holding(running.id());
        calm && seen.threads <= before
    });
    running.terminate().assert_code(0);
    (seconds, seen)
}

#[test]
fn twenty_hostile_peers_among_five_honest_ones_cost_less_than_a_third() {
    let stage = Stage::new(5, 500 * 1024);
    let (alone, before) = download("alone", &stage, &[]);
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
    let (among, after) = download("among", &stage, &deeds);
    println!("{alone:.1} s alone, {among:.1} s among twenty hostile peers; {before:?}, {after:?}");
    assert!(among <= alone * 1.3, "{alone} s alone, {among} s among the hostile");
    assert!(after.threads <= before.threads && after.descriptors <= before.descriptors, "{before:?}, {after:?}");
    // What the allocator keeps of the floods is not given back to the system.
    assert!(after.rss_kib <= before.rss_kib + 8192, "{before:?}, {after:?}");
}

/// By the log: who is let go for a lie, where it listens; each line begins with a time and where it is from.
fn found_out(log: &str) -> Vec<u16> {
    let lies = log.lines().filter_map(|line| line.split_once(": we close: it sent a ").map(|(before, _)| before));
    let mut ports: Vec<u16> = lies.filter_map(|before| before.rsplit(':').next()?.parse().ok()).collect();
    ports.sort();
    ports
}

#[test]
fn liars_are_found_out_and_the_honest_are_not() {
    let stage = Stage::new(2, 1 << 20);
    let liars = stage.hostile(&[Deed::Corrupts(1), Deed::Corrupts(7), Deed::CorruptsSlowly(3)]);
    let get = stage.get("leecher").arg("-vv");
    let outcome = get.run();
    outcome.assert_code(0);
    stage.content.assert_same_in(&get.dir);
    let mut expected: Vec<u16> = liars.iter().map(|liar| liar.port).collect();
    expected.sort();
    assert_eq!(found_out(&outcome.stderr), expected, "whoever lied, and nobody else");
}

#[test]
fn a_liar_that_came_to_us_is_known_when_it_comes_back() {
    let stage = Stage::new(0, 1);
    let get = stage.get("leecher");
    let mut running = get.start();
    let visit = |number: u32| -> io::Result<TcpStream> {
        let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, get.port))?;
        socket.set_read_timeout(Some(SOON))?;
        socket.write_all(&handshake(&stage.torrent.info_hash, number))?;
        socket.read_exact(&mut [0; 68]).map(|()| socket)
    };
    let mut first = None;
    wait_until("it lets us in", PATIENCE, || {
        running.must_run();
        first = visit(1).ok();
        first.is_some()
    });
    let mut liar = first.unwrap();
    liar.write_all(&[message(5, &stage.prey.everything()), message(1, &[])].concat()).unwrap();
    let waited_in_vain =
        |error: &io::Error| matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
    let end = answer_requests(liar, Deed::Corrupts(1), &stage.prey).unwrap_err();
    assert!(!waited_in_vain(&end), "a whole piece was wrong, and it stays");
    let again = visit(1).unwrap_err();
    assert!(!waited_in_vain(&again), "{again}");
    visit(2).expect("others are welcome");
    running.terminate().assert_code(75);
}

/// What ends a connection at once, as bytes behind the handshake.
fn offences(prey: &Prey) -> Vec<(&'static str, Vec<u8>)> {
    let (pieces, piece, block) = (PIECES as u32, PIECE as u32, BLOCK as u32);
    let bitfield = prey.everything();
    let request = |spec: [u32; 3]| message(6, &numbers(&spec));
    let (mut spare, mut lacks_one) = (bitfield.clone(), bitfield.clone());
    *spare.last_mut().unwrap() |= 1;
    lacks_one[0] = 0x7f;
    let at_once = vec![
        ("a bitfield with a spare bit set", message(5, &spare)),
        ("a bitfield that is too short at first", message(5, &bitfield[1..])),
        ("a request at first, out of range", request([pieces, 0, block])),
    ];
    let behind_a_bitfield = vec![
        ("a length of 4 GiB", vec![0xff; 4]),
        ("a have that is out of range", message(4, &numbers(&[pieces]))),
        ("a have of three bytes", message(4, &[0; 3])),
        ("a request out of range", request([pieces, 0, block])),
        ("a request over the end of its piece", request([0, piece - 1, 2])),
        ("a request whose end overflows", request([0, u32::MAX, block])),
        ("a request of nothing", request([0, 0, 0])),
        ("a request of more than 16 KiB", request([0, 0, block + 1])),
        ("a block of more than 16 KiB", message(7, &[numbers(&[0, 0]), vec![0; BLOCK + 1]].concat())),
        ("a block without data", message(7, &numbers(&[0, 0]))),
        ("a hundred blocks nobody asked for", message(7, &[numbers(&[0, 0]), vec![0; BLOCK]].concat()).repeat(100)),
        (
            "blocks of a piece that is not there",
            message(7, &[numbers(&[pieces, 0]), vec![0; 100]].concat()).repeat(100),
        ),
        ("a bitfield that is too short", message(5, &bitfield[1..])),
        ("a bitfield that is too long", message(5, &[&bitfield[..], &[0]].concat())),
        ("a bitfield that takes back", message(5, &lacks_one)),
        ("a bitfield twice", message(5, &bitfield)),
        ("have-all without the fast extension", message(14, &[])),
    ];
    let behind = |bytes| [message(5, &bitfield), bytes].concat();
    at_once.into_iter().chain(behind_a_bitfield.into_iter().map(|(what, bytes)| (what, behind(bytes)))).collect()
}

#[test]
fn nonsense_ends_its_connection_and_nothing_else_notices() {
    // It lasts for half a minute: when it is over, everybody is let go.
    let stage = Stage::new(1, 500 * 1024);
    let get = stage.get("leecher");
    let mut running = get.start();
    let info_hash = stage.torrent.info_hash;
    wait_until("it listens", PATIENCE, || {
        running.must_run();
        TcpStream::connect((Ipv4Addr::LOCALHOST, get.port)).is_ok()
    });
    let enter = || {
        let mut entered = None;
        wait_until("it lets us in", PATIENCE, || {
            entered = come(get.port, &info_hash).ok();
            entered.is_some()
        });
        entered.unwrap()
    };
    thread::scope(|scope| {
        for (what, bytes) in offences(&stage.prey) {
            let mut socket = enter().0;
            scope.spawn(move || {
                // It may close before it has read all.
                let _ = socket.write_all(&bytes);
                assert!(is_closed(&mut socket, SOON), "it puts up with {what}");
            });
        }
        let (mut first, theirs) = enter();
        // Its own name, from somewhere else.
        let mut itself = TcpStream::connect((Ipv4Addr::LOCALHOST, get.port)).unwrap();
        itself.write_all(&[&handshake(&info_hash, 1)[..48], &theirs[48..]].concat()).unwrap();
        assert!(is_closed(&mut itself, SOON), "it talks to itself");
        let mut other = TcpStream::connect((Ipv4Addr::LOCALHOST, get.port)).unwrap();
        other.write_all(&handshake(&[9; 20], 2)).unwrap();
        assert!(is_closed(&mut other, SOON), "it gives what it does not have");
        // Who says nothing, and who says it slowly, has ten seconds.
        let mut silent = TcpStream::connect((Ipv4Addr::LOCALHOST, get.port)).unwrap();
        let mut slow = TcpStream::connect((Ipv4Addr::LOCALHOST, get.port)).unwrap();
        let mut drip = slow.try_clone().unwrap();
        scope.spawn(move || {
            handshake(&info_hash, 3).chunks(1).all(|byte| {
                thread::sleep(Duration::from_millis(500));
                drip.write_all(byte).is_ok()
            })
        });
        scope.spawn(move || assert!(is_closed(&mut silent, SOON), "it waits for one that says nothing"));
        scope.spawn(move || assert!(is_closed(&mut slow, SOON), "it waits for one that drips"));
        assert!(!is_closed(&mut first, Duration::from_millis(100)), "an innocent was closed");
    });
    assert!(event(&running.stdout(), "complete").is_none(), "it ended before all were judged");
    running.wait().assert_code(0);
    stage.content.assert_same_in(&get.dir);
}

#[test]
fn a_thousand_connections_get_the_places_there_are_and_no_more() {
    let stage = Stage::new(2, 1 << 20);
    let get = stage.get("leecher").arg("--max-peers").arg("30");
    let mut running = get.start();
    let mut entered = Vec::new();
    let mut most = 0;
    let mut crowd = Vec::new();
    for number in 0..1000u32 {
        // Before it listens nobody is let in; after that some are, some are not.
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
    assert!(entered.len() + crowd.len() > 500, "it was hardly tried");
    // Two for each of thirty peers, one for each of 64 that shake hands and 16 that are being connected to, a dozen more.
    assert!(most < 60 + 64 + 16 + 16, "{most} threads");
    let seconds = stage.seconds_of(&get, &mut running);
    // Eight at the rate of the seeds. They are found though the crowd came first.
    assert!(seconds < 40.0, "{seconds} s");
    running.wait().assert_code(0);
}

/// `ulimit -n`: peers, files and trackers have to share these.
#[test]
fn sixty_four_descriptors_are_enough() {
    // Of all these there is room for 32. Six are honest: that none of them is among the first is as good as never.
    let stage = Stage::new(6, 4 << 20);
    let _hostile = stage.hostile(&[Deed::NeverUnchokes; 40]);
    let get = stage.get("leecher");
    let command = get.command();
    let words: Vec<String> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| format!("'{}'", word.to_string_lossy()))
        .collect();
    let script = format!("ulimit -n 64; exec {}", words.join(" "));
    let mut shell = std::process::Command::new("sh");
    shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut process = shell.args(["-c", &script]).stdout(std::process::Stdio::null()).spawn().unwrap();
    let mut status = None;
    wait_until("it ends", PATIENCE, || {
        status = process.try_wait().unwrap();
        status.is_some()
    });
    assert!(status.unwrap().success(), "{status:?}");
    stage.content.assert_same_in(&get.dir);
}
