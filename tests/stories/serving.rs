//! Stories of seeds: their rate, and peers that request too much, read too slowly or go away.

use crate::common::asker::{Asker, BLOCK};
use crate::common::content::{Content, damage};
use crate::common::json;
use crate::common::proc;
use crate::common::stage::Stage;
use crate::common::swarmlet::{Get, Swarmlet};
use crate::common::torrent::Maker;
use crate::common::wait::{PATIENCE, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
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

/// Another peer connects and gets a block.
fn assert_serves(stage: &Stage, port: u16, name: u32) {
    let mut other = Asker::unchoked(port, &stage.torrent, name, false);
    other.ask(3, 0).unwrap();
    assert!(other.block().unwrap() == block(stage, 3, 0), "another peer got a wrong block");
}

/// The rate is compared loosely, because the machine may be busy. In virtual time the limit is exact (`swarm` tests
/// that).
#[test]
fn a_limit_of_uploads_holds_for_two_peers_together_without_busy_waiting() {
    const RATE: u64 = 1000 * 1024;
    const SECONDS: u64 = 10;
    let stage = stage();
    let (seed, port) = stage.serve(&["--max-upload-rate", "1000"]);
    let before = proc::ticks(seed.id());
    // One second more than is measured, because at first the limit allows a small burst.
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
    assert!((80..=105).contains(&percent), "{percent} % of the limit in {SECONDS} s");
    let busiest = (0..SECONDS).map(|second| {
        let start = from + Duration::from_secs(second);
        in_window(start, start + Duration::from_secs(1))
    });
    let busiest = busiest.max().unwrap() * 100 / RATE;
    assert!(busiest < 200, "a burst of {busiest} % of the limit for a second");
    let spent = proc::ticks(seed.id()) - before;
    assert!(spent < 300, "{spent} ticks of processor time for 10 MB: it is busy waiting");
}

#[test]
fn five_thousand_requests_at_once_are_bounded_and_others_are_served() {
    let stage = stage();
    let (seed, port) = stage.serve(&[]);
    let mut flood = Asker::unchoked(port, &stage.torrent, 1, true);
    for number in 0..5_000 {
        // It reads nothing meanwhile.
        flood.ask(number % 16, number / 16 % BLOCKS * BLOCK).unwrap();
    }
    // A busy machine may still be reading. If the peer read now, nothing would wait for long.
    wait_until("all requests are read", PATIENCE, || proc::unread(port, flood.port()) == 0);
    assert_serves(&stage, port, 2);
    let memory = proc::status(seed.id(), "VmHWM");
    assert!(memory < 24 * 1024, "{memory} KiB");
    // Each request gets one block or one reject.
    let (mut blocks, mut rejects) = (0, 0);
    while blocks + rejects < 5_000 {
        match flood.hear().expect("each request is answered").0 {
            7 => blocks += 1,
            16 => rejects += 1,
            _ => {}
        }
    }
    assert!(blocks >= 512 && rejects > 0, "{blocks} blocks, {rejects} rejects");
}

#[test]
fn peers_that_do_not_read_delay_no_other_peer() {
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
fn peers_that_vanish_leave_nothing_behind() {
    let stage = stage();
    let (seed, port) = stage.serve(&[]);
    let threads = proc::status(seed.id(), "Threads");
    for name in 1..=20 {
        let mut asker = Asker::unchoked(port, &stage.torrent, name, name % 2 == 0);
        (0..64).for_each(|number| asker.ask(number / BLOCKS, number % BLOCKS * BLOCK).unwrap());
        // Each leaves while blocks are on their way.
        assert!(asker.block().unwrap() == block(&stage, 0, 0));
    }
    assert_serves(&stage, port, 99);
    wait_until("the threads of these peers have ended", PATIENCE, || proc::status(seed.id(), "Threads") <= threads);
    seed.terminate().assert_code(0);
}

#[test]
fn a_request_for_bytes_that_do_not_exist_is_not_answered() {
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
        // It must end because the seed closes the connection, not because we stop waiting.
        assert!(
            !matches!(end, io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
            "piece {piece} begin {begin}: {end}"
        );
    }
    assert_serves(&stage, port, 2);
}

#[test]
fn a_seed_writes_nothing_and_reports_what_it_uploaded() {
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
    // A closed terminal may send several signals at once. They count as one. (The kernel merges two equal ones.)
    kill_process(Pid::from_raw(seed.id() as i32).unwrap(), Signal::TERM).unwrap();
    let outcome = seed.interrupt();
    outcome.assert_code(0);
    let last = outcome.json("stopped");
    assert_eq!((last["uploaded"].as_u64(), last["ratio"].as_f64()), (Some(4 << 20), Some(1.0)), "{last}");
    assert_eq!(last["downloaded"].as_u64(), Some(0));
    assert_eq!(before, listing());
}

#[test]
fn incomplete_content_is_not_seeded() {
    let stage = stage();
    damage(&stage.source.join("a file.bin"), 100, 1);
    let outcome = Get::seed("seed", stage.path(), &stage.source).torrent(&stage.torrent).run();
    outcome.assert_refused(74);
    assert!(outcome.stderr.contains("it has 15 of 16 pieces; `swarmlet get --seed`"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("failed at 93."), "{}", outcome.stderr);
    let outcome = Get::seed("seed", stage.path(), &stage.source).torrent(&stage.torrent).arg("--json").run();
    let failed = outcome.json("failed");
    assert_eq!(failed["had"].as_u64(), Some(15 * PIECE as u64), "what was found is reported: {failed}");
    let nothing = stage.path().join("nothing");
    fs::create_dir(&nothing).unwrap();
    for option in ["--no-check", "--json"] {
        let outcome = Get::seed("seed", stage.path(), &nothing).torrent(&stage.torrent).arg(option).run();
        outcome.assert_refused(74);
        assert_eq!(fs::read_dir(&nothing).unwrap().count(), 0, "something was created");
    }
    // A file that exists but can't be read is reported as such.
    std::os::unix::fs::symlink(stage.source.join("a file.bin"), nothing.join("a file.bin")).unwrap();
    let outcome = Get::seed("seed", stage.path(), &nothing).torrent(&stage.torrent).run();
    outcome.assert_refused(74);
    assert!(outcome.stderr.contains("can't read") && !outcome.stderr.contains("missing"), "{}", outcome.stderr);
    let nowhere = stage.path().join("nowhere");
    let outcome = Get::seed("seed", stage.path(), &nowhere).torrent(&stage.torrent).run();
    outcome.assert_refused(66);
    assert!(!nowhere.exists());
}

/// Changed bytes are not uploaded for longer than a second, and the last figures are those of the present content.
#[test]
fn content_that_changes_behind_a_seed_ends_it_with_true_figures() {
    let stage = stage();
    let (seed, port) = stage.serve(&[]);
    let mut asker = Asker::unchoked(port, &stage.torrent, 1, false);
    asker.ask(3, 0).unwrap();
    assert!(asker.block().unwrap() == block(&stage, 3, 0));
    damage(&stage.source.join("a file.bin"), PIECE * 3, PIECE * 2);
    std::thread::sleep(Duration::from_millis(1200));
    asker.ask(4, 0).unwrap();
    assert!(asker.block().is_err(), "changed bytes are uploaded");
    let outcome = seed.wait();
    outcome.assert_code(74);
    assert!(outcome.stderr.contains("it has 14 of 16 pieces"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("failed at 87.5 % (3.50 of 4.00 MiB)"), "{}", outcome.stderr);
    let announces = stage.tracker.announces_from(&stage.torrent.info_hash, port);
    let last = announces.last().unwrap();
    assert_eq!((last.event.as_str(), last.left), ("stopped", 2 * PIECE as u64), "{last:?}");
}

/// A wrong piece is never uploaded, even without a check at the start.
#[test]
fn with_no_check_each_piece_is_verified_before_its_first_upload() {
    let stage = stage();
    damage(&stage.source.join("a file.bin"), PIECE * 5 + 7, 1);
    let (seed, port) = stage.serve(&["--no-check"]);
    let mut asker = Asker::unchoked(port, &stage.torrent, 1, false);
    asker.ask(3, 0).unwrap();
    assert!(asker.block().unwrap() == block(&stage, 3, 0));
    // A block of the damaged piece that is itself right.
    asker.ask(5, 10 * BLOCK).unwrap();
    assert!(asker.block().is_err());
    let outcome = seed.wait();
    outcome.assert_refused(74);
    assert!(outcome.stderr.contains("piece 5 "), "{}", outcome.stderr);
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
    assert!(outcome.stderr.contains("ratio 0.50"), "{}", outcome.stderr);
}

/// The choker decides every ten seconds. If each of the three peers had to wait for that, it would take over twenty.
#[test]
fn a_free_upload_slot_is_filled_at_once() {
    let stage = stage();
    let (_seed, port) = stage.serve(&["--max-uploads", "1"]);
    let mut served = Asker::unchoked(port, &stage.torrent, 1, false);
    let mut waiting: Vec<Asker> = (2..=4).map(|name| Asker::connect(port, &stage.torrent, name, false)).collect();
    waiting.iter_mut().for_each(|asker| asker.send(2, &[]).unwrap());
    served.ask(3, 0).unwrap();
    assert!(served.block().unwrap() == block(&stage, 3, 0));
    let begin = Instant::now();
    drop(served);
    // The seed decides whose turn it is. So each peer reads in its own thread, and leaves when it was unchoked.
    std::thread::scope(|scope| {
        for mut asker in waiting.drain(..) {
            scope.spawn(move || while asker.hear().expect("the seed stays").0 != 1 {});
        }
    });
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(15), "three slots in turn took {took:?}");
}

/// It uploads one KiB a second, the others a thousand. The download lasts long enough for them to notice.
#[test]
fn a_free_rider_completes_last() {
    let stage = stage_of(16 << 20);
    let (seed, _) = stage.serve(&["--max-upload-rate", "1000"]);
    let leecher = |name: String, rate: &str| {
        let get = Get::new(&name, stage.path()).torrent(&stage.torrent);
        get.args(&["--seed", "--json", "--max-upload-rate", rate]).start()
    };
    let rider = leecher("rider".into(), "1");
    let honest: Vec<Swarmlet> = (1..=4).map(|number| leecher(format!("honest {number}"), "1000")).collect();
    let is_whole = |one: &Swarmlet| json::first(&one.stdout(), "complete").is_some();
    wait_until("all are complete", PATIENCE, || honest.iter().chain([&rider]).all(is_whole));
    let took = |one: Swarmlet| one.interrupt().json("complete")["time"].as_f64().unwrap();
    let last = honest.into_iter().map(took).fold(0.0, f64::max);
    let rode = took(rider);
    assert!(rode > last, "the free rider was complete after {rode} s, the last honest peer after {last} s");
    drop(seed);
}

/// BitTorrent 5 and the trackers of its time check a peer like this before they introduce it to others.
#[test]
fn a_peer_that_says_its_name_only_after_an_answer_gets_one() {
    let stage = stage();
    let (_seed, port) = stage.serve(&[]);
    let ours = [b"\x13BitTorrent protocol", &[0; 8][..], &stage.torrent.info_hash].concat();
    // Two names, because the end of the first connection may not be noticed yet.
    for (portion, name) in [(ours.len(), b"-XX0001-aaaaaaaaaaaa"), (1, b"-XX0001-bbbbbbbbbbbb")] {
        let mut peer = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        peer.set_read_timeout(Some(PATIENCE)).unwrap();
        peer.set_nodelay(true).unwrap();
        ours.chunks(portion).for_each(|bytes| peer.write_all(bytes).unwrap());
        let mut answer = [0; 68];
        peer.read_exact(&mut answer).unwrap();
        assert_eq!(answer[28..48], stage.torrent.info_hash);
        // After the rest of the handshake, the connection works like any other.
        peer.write_all(name).unwrap();
        peer.write_all(&[0, 0, 0, 1, 2]).unwrap();
        let mut heard = Vec::new();
        let unchoked = |heard: &[u8]| heard.windows(5).any(|message| message == [0, 0, 0, 1, 1]);
        while !unchoked(&heard) {
            let mut byte = [0];
            peer.read_exact(&mut byte).unwrap();
            heard.push(byte[0]);
        }
        assert!(!heard.windows(19).any(|bytes| bytes == b"BitTorrent protocol"), "it was answered twice");
    }
    let mut other = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    other.write_all(&[&ours[..28], &[9; 20]].concat()).unwrap();
    let mut answer = Vec::new();
    other.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, b"", "a torrent that is not here");
}

/// Sites publish the same content in torrents of their own, each with its trackers.
#[test]
fn one_seed_serves_the_same_file_for_two_torrents() {
    let stage = stage();
    let other = Maker::Ours.make(&stage.content, &stage.path().join("other"), PIECE / 2, &stage.tracker.url());
    assert_ne!(stage.torrent.info_hash, other.info_hash);
    let seed = Get::seed("seed", stage.path(), &stage.source).torrent(&stage.torrent).torrent(&other);
    let mut running = seed.start();
    for torrent in [&stage.torrent, &other] {
        stage.tracker.wait_for_a_seed(&torrent.info_hash, || running.must_run());
        let get = Get::new(&format!("get {:02x}", torrent.info_hash[0]), stage.path()).torrent(torrent);
        get.run().assert_code(0);
        stage.content.assert_same_in(&get.dir);
    }
    // Two that would write to the same file are refused.
    let both = Get::new("both", stage.path()).torrent(&stage.torrent).torrent(&other);
    let refused = both.run();
    refused.assert_code(64);
    assert!(refused.stderr.contains("would both write"), "{}", refused.stderr);
}
