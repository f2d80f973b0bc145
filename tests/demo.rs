//! `make demo`: a whole swarm on this machine, to be watched.
//!
//! A tracker introduces one seed, behind a slow line, and three leechers. The screen of the first leecher is the
//! person's: on a terminal it lives, elsewhere it is plain lines. In the end the hashes of all copies are compared.
//! Everything stays on loopback, and is gone afterwards.

mod common;

use common::content::Content;
use common::process::Process;
use common::swarmlet::Get;
use common::throttle::Throttle;
use common::torrent::Maker;
use common::tracker::Tracker;
use common::wait::wait_until;
use sha1_smol::Sha1;
use std::env;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

const MIB: usize = 1024 * 1024;
const SIZE: usize = 24 * MIB;
/// The seed's line: it could send the content once in 8 s, to three leechers in 24 s.
const RATE: u64 = 3 * MIB as u64;
/// A demo that lasts longer is none.
const DEADLINE: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    // `cargo test` runs this as it runs the stories, with the words it gives to all of them.
    if args.iter().any(|arg| arg == "--list") {
        println!("demo: test");
        return ExitCode::SUCCESS;
    }
    if args.iter().any(|arg| !arg.starts_with('-') && !"demo".contains(arg.as_str())) {
        return ExitCode::SUCCESS;
    }
    let begin = Instant::now();
    let scratch = tempfile::tempdir().expect("there is a place for temporary files");
    let tracker = Tracker::start();
    let content = Content::one_file("demo.bin", SIZE);
    let source = scratch.path().join("source");
    let torrent = Maker::Ours.make(&content, &source, 128 * 1024, &tracker.url());
    let wanted = hash(&source.join(&content.name));
    println!("A swarm on this machine: one tracker, one seed, three leechers, and a file of {} MiB.", SIZE / MIB);
    println!(
        "The seed's line is slow ({} MiB/s): the leechers must give each other what they have.",
        RATE / MIB as u64
    );

    let seed = Get::new("seed", scratch.path()).in_dir(&source).torrent(&torrent).arg("--seed");
    let line = Throttle::before(seed.port, RATE);
    tracker.introduce_as(seed.port, line.port);
    let seed = seed.start();
    tracker.wait_for_seeds(&torrent.info_hash, 1);

    let gets = ["one", "two", "three"].map(|name| Get::new(name, scratch.path()).torrent(&torrent));
    println!("The screen of the first leecher:\n");
    let mut watched = gets[0].command().spawn().expect("the program starts");
    let mut others: Vec<Process> =
        gets[1..].iter().map(|get| Process::start("leecher", &mut get.command(), scratch.path())).collect();
    let mut code = None;
    let left = DEADLINE.saturating_sub(begin.elapsed());
    wait_until("the first leecher is whole", left, || {
        code = watched.try_wait().expect("the child is ours");
        code.is_some()
    });
    println!();
    let mut failed = code.is_none_or(|code| !code.success());
    for process in &mut others {
        failed |= !process.wait(DEADLINE.saturating_sub(begin.elapsed())).success();
    }
    seed.terminate().assert_code(0);

    for (get, name) in gets.iter().zip(["first", "second", "third"]) {
        let path = get.dir.join(&content.name);
        let same = path.exists() && hash(&path) == wanted;
        println!("  {name:6} leecher: {}", if same { "the same SHA-1" } else { "NOT the same content" });
        failed |= !same;
    }
    let sent = line.passed() as f64 / MIB as f64;
    let seconds = begin.elapsed().as_secs_f64();
    println!(
        "The seed sent {sent:.1} MiB, the leechers received {} MiB: the rest they gave each other.",
        3 * SIZE / MIB
    );
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
