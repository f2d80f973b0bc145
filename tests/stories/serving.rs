//! Stories about serving: how fast, and to whom that asks too much, reads too slowly or goes away.

use crate::common::asker::{Asker, BLOCK};
use crate::common::content::{Content, damage};
use crate::common::stage::Stage;
use crate::common::swarmlet::{Get, Swarmlet};
use crate::common::wait::{PATIENCE, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

const PIECE: usize = 256 * 1024;
const BLOCKS: u32 = PIECE as u32 / BLOCK;

/// A torrent of 4 MiB.
fn stage() -> Stage {
    stage_of(4 << 20)
}

fn stage_of(size: usize) -> Stage {
    Stage::new(Content::one_file("a file.bin", size), PIECE)
}

fn block(stage: &Stage, piece: u32, begin: u32) -> &[u8] {
    let start = piece as usize * PIECE + begin as usize;
    &stage.content.files[0].1[start..start + BLOCK as usize]
}

/// Another peer comes and is served.
fn assert_serves(stage: &Stage, port: u16, name: u32) {
    let mut other = Asker::unchoked(port, &stage.torrent, name, false);
    other.ask(3, 0).unwrap();
    assert!(other.block().unwrap() == block(stage, 3, 0), "another peer is served");
}

/// Lines of `/proc/PID/status` that begin with `name`: a number, in KiB if it is memory.
fn status(of: &Swarmlet, name: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{}/status", of.id())).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim_matches([':', '\t', ' ']).split(' ').next().unwrap().parse().unwrap()
}

/// Processor time of a process so far, in ticks of 10 ms.
fn ticks(of: &Swarmlet) -> u64 {
    let text = fs::read_to_string(format!("/proc/{}/stat", of.id())).unwrap();
    let fields: Vec<&str> = text.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[test]
fn a_limit_of_uploads_is_exact_for_two_peers_together_and_nobody_is_busy_waiting() {
    const RATE: u64 = 1000 * 1024;
    const SECONDS: u64 = 10;
    let stage = stage();
    let (seed, port) = stage.serve(&["--max-upload-rate", "1000"]);
    let before = ticks(&seed);
    // A second more than is measured: the first blocks make up for what was saved up.
    let end = Instant::now() + Duration::from_secs(SECONDS + 1);
    let mut came: Vec<(Instant, u64)> = std::thread::scope(|scope| {
        let fetch = |name| {
            let torrent = &stage.torrent;
            scope.spawn(move || Asker::unchoked(port, torrent, name, false).fetch_until(0, BLOCKS, 64, end))
        };
        [fetch(1), fetch(2)].into_iter().flat_map(|peer| peer.join().unwrap()).collect()
    });
    came.sort();
    let from = end - Duration::from_secs(SECONDS);
    let in_window = |from: Instant, to: Instant| -> u64 {
        came.iter().filter(|(at, _)| *at >= from && *at < to).map(|(_, bytes)| bytes).sum()
    };
    let percent = in_window(from, end) * 100 / (RATE * SECONDS);
    assert!((97..=103).contains(&percent), "{percent} % of the limit in {SECONDS} s");
    let busiest = (0..SECONDS * 4).map(|step| {
        let start = from + Duration::from_millis(step * 250);
        in_window(start, start + Duration::from_millis(250))
    });
    let busiest = busiest.max().unwrap() * 100 / (RATE / 4);
    assert!(busiest < 250, "a burst of {busiest} % of the limit for a quarter of a second");
    let spent = ticks(&seed) - before;
    assert!(spent < 300, "{spent} ticks of processor time for 10 MB: it is busy waiting");
}

#[test]
fn ten_thousand_requests_at_once_are_bounded_and_others_are_served() {
    let stage = stage();
    let (seed, port) = stage.serve(&[]);
    let mut flood = Asker::unchoked(port, &stage.torrent, 1, true);
    for number in 0..10_000 {
        // It reads nothing meanwhile; we close at last who does not read the rejects either.
        if flood.ask(number % 16, number / 16 % BLOCKS * BLOCK).is_err() {
            break;
        }
    }
    assert_serves(&stage, port, 2);
    let memory = status(&seed, "VmHWM");
    assert!(memory < 24 * 1024, "{memory} KiB");
    // Of each request a block or a reject, never both, never twice.
    let (mut blocks, mut rejects) = (0, 0);
    while blocks + rejects < 10_000 {
        match flood.hear().expect("each request is answered").0 {
            7 => blocks += 1,
            16 => rejects += 1,
            _ => {}
        }
    }
    assert!(blocks >= 512 && rejects > 0, "{blocks} blocks, {rejects} rejects");
}

#[test]
fn who_does_not_read_holds_up_nobody_else() {
    let stage = stage();
    let (_seed, port) = stage.serve(&[]);
    let deaf: Vec<Asker> = (1..=7)
        .map(|name| {
            let mut asker = Asker::unchoked(port, &stage.torrent, name, false);
            (0..256).for_each(|number| asker.ask(number / BLOCKS, number % BLOCKS * BLOCK).unwrap());
            asker
        })
        .collect();
    assert_serves(&stage, port, 8);
    drop(deaf);
}

#[test]
fn who_vanishes_leaves_nothing_behind() {
    let stage = stage();
    let (seed, port) = stage.serve(&[]);
    let threads = status(&seed, "Threads");
    for name in 1..=20 {
        let mut asker = Asker::unchoked(port, &stage.torrent, name, name % 2 == 0);
        (0..64).for_each(|number| asker.ask(number / BLOCKS, number % BLOCKS * BLOCK).unwrap());
        // In the middle of a block; what is on its way is answered by a reset.
        assert!(asker.block().unwrap() == block(&stage, 0, 0));
    }
    assert_serves(&stage, port, 99);
    wait_until("the threads of those who left have ended", PATIENCE, || status(&seed, "Threads") <= threads);
    seed.terminate().assert_code(0);
}

#[test]
fn what_does_not_exist_is_not_served() {
    let stage = stage();
    let (_seed, port) = stage.serve(&[]);
    for (piece, begin) in [(16, 0), (0, PIECE as u32), (0, PIECE as u32 - 1), (u32::MAX, u32::MAX - 5)] {
        let mut asker = Asker::unchoked(port, &stage.torrent, 1, true);
        asker.ask(piece, begin).unwrap();
        let end = loop {
            match asker.hear() {
                Ok((id, _)) => assert_ne!(id, 7, "a block"),
                Err(error) => break error.kind(),
            }
        };
        // Not that we wait in vain.
        assert!(
            !matches!(end, io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
            "piece {piece} begin {begin}: {end}"
        );
    }
    assert_serves(&stage, port, 2);
}

/// What the seed says at its end, and that it left its folder as it was.
#[test]
fn a_seed_fetches_nothing_and_writes_nothing_and_says_what_it_sent() {
    let stage = stage();
    let listing = || -> Vec<(PathBuf, std::time::SystemTime)> {
        let entries = fs::read_dir(&stage.source).unwrap().flatten();
        entries.map(|entry| (entry.path(), entry.metadata().unwrap().modified().unwrap())).collect()
    };
    let before = listing();
    let (seed, _) = stage.serve(&["--json"]);
    let leecher = Get::new("leecher", stage.path()).torrent(&stage.torrent);
    leecher.run().assert_code(0);
    stage.content.assert_same_in(&leecher.dir);
    // A terminal that is closed may bring several signals: that is one wish. (Two of the same would be one signal.)
    kill_process(Pid::from_raw(seed.id() as i32).unwrap(), Signal::TERM).unwrap();
    let outcome = seed.interrupt();
    outcome.assert_code(0);
    let last = outcome.json("stopped");
    assert_eq!((last["uploaded"].as_u64(), last["ratio"].as_f64()), (Some(4 << 20), Some(1.0)), "{last}");
    assert_eq!(last["downloaded"].as_u64(), Some(0));
    assert_eq!(before, listing());
}

#[test]
fn what_is_not_whole_is_not_served() {
    let stage = stage();
    damage(&stage.source.join("a file.bin"), 100, 1);
    let outcome = Get::seed("seed", stage.path(), &stage.source).torrent(&stage.torrent).run();
    outcome.assert_refused(74);
    assert!(outcome.stderr.contains("1 of 16 pieces is missing or wrong"), "{}", outcome.stderr);
    let nothing = stage.path().join("nothing");
    fs::create_dir(&nothing).unwrap();
    for option in ["--no-check", "--json"] {
        let outcome = Get::seed("seed", stage.path(), &nothing).torrent(&stage.torrent).arg(option).run();
        outcome.assert_refused(74);
        assert_eq!(fs::read_dir(&nothing).unwrap().count(), 0, "nothing is made");
    }
    // What is there and can't be read is told as it is.
    std::os::unix::fs::symlink(stage.source.join("a file.bin"), nothing.join("a file.bin")).unwrap();
    let outcome = Get::seed("seed", stage.path(), &nothing).torrent(&stage.torrent).run();
    outcome.assert_refused(74);
    assert!(outcome.stderr.contains("can't read") && !outcome.stderr.contains("missing"), "{}", outcome.stderr);
    let nowhere = stage.path().join("nowhere");
    let outcome = Get::seed("seed", stage.path(), &nowhere).torrent(&stage.torrent).run();
    outcome.assert_refused(66);
    assert!(!nowhere.exists());
}

/// A piece that is wrong is never sent, though nobody looked at it beforehand.
#[test]
fn without_a_check_each_piece_is_proven_when_it_is_first_read() {
    let stage = stage();
    damage(&stage.source.join("a file.bin"), PIECE * 5 + 7, 1);
    let (seed, port) = stage.serve(&["--no-check"]);
    let mut asker = Asker::unchoked(port, &stage.torrent, 1, false);
    asker.ask(3, 0).unwrap();
    assert!(asker.block().unwrap() == block(&stage, 3, 0));
    // A block of the damaged piece that is itself all right.
    asker.ask(5, 10 * BLOCK).unwrap();
    assert!(asker.block().is_err());
    let outcome = seed.wait();
    outcome.assert_refused(74);
    assert!(outcome.stderr.contains("piece 5 is not what the torrent says"), "{}", outcome.stderr);
}

#[test]
fn a_seed_ends_when_its_ratio_is_reached() {
    let stage = stage();
    let (seed, port) = stage.serve(&["--ratio", "0.5"]);
    let mut asker = Asker::unchoked(port, &stage.torrent, 1, false);
    for number in 0..8 * BLOCKS {
        asker.ask(number / BLOCKS, number % BLOCKS * BLOCK).unwrap();
        asker.block().unwrap();
    }
    let outcome = seed.wait();
    outcome.assert_code(0);
    assert!(outcome.stderr.contains("2.00 MiB sent (ratio 0.50)"), "{}", outcome.stderr);
}

/// A round of the choker is ten seconds: three of them would be more than twenty.
#[test]
fn a_slot_that_becomes_free_is_filled_at_once() {
    let stage = stage();
    let (_seed, port) = stage.serve(&["--max-uploads", "1"]);
    let mut served = Asker::unchoked(port, &stage.torrent, 1, false);
    let mut waiting: Vec<Asker> = (2..=4).map(|name| Asker::connect(port, &stage.torrent, name, false)).collect();
    waiting.iter_mut().for_each(|asker| asker.send(2, &[]).unwrap());
    served.ask(3, 0).unwrap();
    assert!(served.block().unwrap() == block(&stage, 3, 0));
    let begin = Instant::now();
    drop(served);
    // Whose turn it is the seed decides; so each reads in a thread of its own, and goes when it was served.
    std::thread::scope(|scope| {
        for mut asker in waiting.drain(..) {
            scope.spawn(move || while asker.hear().expect("the seed stays").0 != 1 {});
        }
    });
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(15), "three slots in turn took {took:?}");
}

/// Who gives a KiB a second among those that give a thousand: in a swarm that lasts longer than it takes to know him.
#[test]
fn a_free_rider_ends_last() {
    let stage = stage_of(16 << 20);
    let (seed, _) = stage.serve(&["--max-upload-rate", "1000"]);
    let leecher = |name: String, rate: &str| {
        let get = Get::new(&name, stage.path()).torrent(&stage.torrent);
        get.args(&["--seed", "--json", "--max-upload-rate", rate]).start()
    };
    let rider = leecher("rider".into(), "1");
    let honest: Vec<Swarmlet> = (1..=4).map(|number| leecher(format!("honest {number}"), "1000")).collect();
    let is_whole = |one: &Swarmlet| one.stdout().contains("\"event\":\"complete\"");
    wait_until("all have all", PATIENCE, || honest.iter().chain([&rider]).all(is_whole));
    let took = |one: Swarmlet| one.interrupt().json("complete")["time"].as_f64().unwrap();
    let last = honest.into_iter().map(took).fold(0.0, f64::max);
    let rode = took(rider);
    assert!(rode > last, "the rider was whole after {rode} s, the last honest one after {last} s");
    drop(seed);
}
