//! `make demo`: a whole swarm on this machine to watch.
//!
//! `swarmlet track` introduces one seed, behind a slow line, and three leechers to each other. The first leecher shows
//! its screen: live on a terminal, plain lines elsewhere. At the end the hashes of all copies are compared. All traffic
//! stays on loopback, and every file is deleted afterwards.

#[allow(dead_code)] // The demo uses only some of it.
mod common;

use common::content::Content;
use common::process::Process;
use common::swarmlet::Get;
use common::throttle::Throttle;
use common::torrent::{Maker, make_with_tiers};
use common::track::{Track, query};
use common::wait::wait_until;
use sha1_smol::Sha1;
use signal_hook::consts::SIGINT;
use std::env;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const MIB: usize = 1024 * 1024;
const SIZE: usize = 24 * MIB;
/// The seed's line: it takes 6 s to send the content once, 18 s to send it to each of three leechers.
const RATE: u64 = 4 * MIB as u64;
/// A demo that lasts longer has failed.
const DEADLINE: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    // `cargo test` runs this program with the same arguments as the others.
    if args.iter().any(|arg| arg == "--list") {
        println!("demo: test");
        return ExitCode::SUCCESS;
    }
    if args.iter().any(|arg| !arg.starts_with('-') && !"demo".contains(arg.as_str())) {
        return ExitCode::SUCCESS;
    }
    // Ctrl-C reaches the whole swarm, which then ends by itself. This process stays to clean up.
    let interrupted = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGINT, interrupted.clone()).expect("SIGINT can be handled");
    let begin = Instant::now();
    let scratch = tempfile::tempdir().expect("there is a place for temporary files");
    let tracker = Track::on_free_port(scratch.path()).start();
    let content = Content::one_file("demo.bin", SIZE);
    let source = scratch.path().join("source");
    let torrent = Maker::Ours.make(&content, &source, 128 * 1024, &tracker.url());
    let wanted = hash(&source.join(&content.name));
    println!("A swarm on this machine: one tracker, one seed, three leechers, and a file of {} MiB.", SIZE / MIB);
    println!(
        "The seed's line is slow ({} MiB/s): the leechers must give each other what they have.",
        RATE / MIB as u64
    );

    // The seed announces itself to no tracker. The tracker gets the address of its line instead.
    let silent = make_with_tiers(&content, &scratch.path().join("silent.torrent"), 128 * 1024, &[]);
    let seed = Get::new("seed", scratch.path()).in_dir(&source).torrent(&silent).arg("--seed").arg("--json");
    let line = Throttle::before(seed.port, RATE);
    let mut seed = seed.start();
    wait_until("the seed has checked its content", DEADLINE, || {
        seed.must_run();
        seed.stdout().contains("\"event\":\"checked\"")
    });
    tracker.get(&query(torrent.info_hash, line.port, 0, ""));

    let gets = ["one", "two", "three"].map(|name| Get::new(name, scratch.path()).torrent(&torrent));
    println!("The screen of the first leecher:\n");
    let mut leechers = vec![Process::start_in_sight("leecher", &mut gets[0].command())];
    let hidden = |get: &Get| Process::start("leecher", &mut get.command(), scratch.path());
    leechers.extend(gets[1..].iter().map(hidden));
    let mut failed = false;
    for (number, leecher) in leechers.iter_mut().enumerate() {
        failed |= !leecher.wait(DEADLINE.saturating_sub(begin.elapsed())).success();
        if number == 0 {
            println!();
        }
    }
    if interrupted.load(Ordering::Relaxed) {
        println!("Demo interrupted.");
        return ExitCode::from(130);
    }
    seed.terminate().assert_code(0);

    for (get, name) in gets.iter().zip(["first", "second", "third"]) {
        let path = get.dir.join(&content.name);
        let same = path.exists() && hash(&path) == wanted;
        println!("  {name:6} leecher: {}", if same { "the same SHA-1" } else { "NOT the same content" });
        failed |= !same;
    }
    let (sent, received) = (line.passed() as usize, 3 * SIZE);
    let seconds = begin.elapsed().as_secs_f64();
    if sent < received {
        println!(
            "The seed sent {} MiB, the leechers received {}: the rest they gave each other.",
            sent / MIB,
            received / MIB
        );
    } else {
        println!("The seed sent {} MiB: the leechers gave each other NOTHING.", sent / MIB);
        failed = true;
    }
    if failed {
        println!("DEMO FAILED after {seconds:.1} s.");
        return ExitCode::FAILURE;
    }
    println!("Demo done: three whole copies of SHA-1 {wanted} in {seconds:.1} s.");
    ExitCode::SUCCESS
}

fn hash(path: &Path) -> String {
    Sha1::from(fs::read(path).expect("the copy can be read")).digest().to_string()
}
