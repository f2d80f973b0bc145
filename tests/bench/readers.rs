//! What serving costs if the readers are slow, beside a server that does nothing else, and what it costs if they are
//! fast, beside rtorrent.

use super::builds::Builds;
use super::common::peers::{Plan, Program};
use super::common::ports::free_port;
use super::common::process::Process;
use super::common::rtorrent;
use super::common::swarmlet::Get;
use super::common::tools::{Tool, here, say};
use super::common::wait::{PATIENCE, wait_until};
use super::crowd::{self, Pace};
use super::measure::{self, per_gib};
use super::report::Report;
use super::source::{NAME, Source, Swarm};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Command;

const MIB: u64 = 1 << 20;
/// Slow readers, the bytes a second of each, and for how many seconds they read.
const SLOW: [(usize, u64, u64); 3] = [(10, 2 * MIB, 12), (50, MIB, 8), (200, MIB / 2, 5)];
/// The limit of our processor time as a share of the bare server's.
const SLOW_LIMIT: f64 = 1.3;
/// Fast readers, and the limit as a share of rtorrent's.
const FAST: [(usize, f64); 2] = [(1, 0.6), (200, 1.0)];
/// Rounds with fast readers.
const ROUNDS: usize = 2;
/// How they ask. A slow one sends a request whenever a block has come.
const SLOW_PACE: Pace = Pace { ahead: 16, at_a_time: 1, rate: None };
const FAST_PACE: Pace = Pace { ahead: 32, at_a_time: 8, rate: None };

/// The seeds.
#[derive(Clone, Copy)]
enum Giver {
    Ours,
    Floor,
    Rtorrent,
}

/// Measures everything.
pub fn measure(report: &mut Report, builds: &Builds, source: &mut Source) {
    slow(report, builds, source);
    if here(&[Tool::Rtorrent]) {
        fast(report, builds, source);
    } else {
        report.section("Fast readers: not measured, because rtorrent is missing");
    }
}

fn slow(report: &mut Report, builds: &Builds, source: &mut Source) {
    let mut rows = Vec::new();
    for (count, rate, time) in SLOW {
        let pace = Pace { rate: Some(rate), ..SLOW_PACE };
        let size = (rate * count as u64 * time).min(source.bytes());
        let both = [Giver::Floor, Giver::Ours].map(|giver| serve(builds, source, giver, pace, count, size));
        let what = format!("{count} readers of {:.1} MiB/s", rate as f64 / MIB as f64);
        rows.push(judge(report, what, SLOW_LIMIT, both));
    }
    report.section("Slow readers: CPU s a GiB, beside a bare server (tests/bench/floor.rs)");
    report.table(&["target", "of the server's", "server (readers served)", "swarmlet", "measured", ""], &rows);
}

fn fast(report: &mut Report, builds: &Builds, source: &mut Source) {
    let mut rows = Vec::new();
    for (count, limit) in FAST {
        let mut all: [Vec<Given>; 2] = Default::default();
        for _ in 0..ROUNDS {
            for (giver, all) in [Giver::Rtorrent, Giver::Ours].into_iter().zip(&mut all) {
                all.push(serve(builds, source, giver, FAST_PACE, count, source.bytes()));
            }
        }
        let both = all.map(|all| Given {
            cpu_ms: all.iter().map(|given| given.cpu_ms).min().expect("there is a round"),
            served: all[0].served,
        });
        rows.push(judge(report, format!("readers at any speed: {count}"), limit, both));
    }
    let size = source.size_mib;
    report.section(&format!("Fast readers, {size} MiB in all: CPU s a GiB; best of {ROUNDS} rounds"));
    report.table(&["target", "of rtorrent's", "rtorrent (readers served)", "swarmlet", "measured", ""], &rows);
}

/// What it cost.
#[derive(Clone, Copy)]
struct Given {
    /// Milliseconds of processor time for a GiB.
    cpu_ms: u64,
    /// The readers to which something was given.
    served: usize,
}

/// The row of a target.
fn judge(report: &mut Report, what: String, limit: f64, [theirs, ours]: [Given; 2]) -> Vec<String> {
    let ratio = ours.cpu_ms as f64 / theirs.cpu_ms as f64;
    let verdict = report.verdict(&what, ratio <= limit);
    let [theirs, ours] = [theirs, ours].map(|given| format!("{:.2} ({})", given.cpu_ms as f64 / 1000.0, given.served));
    vec![format!("CPU, {what}"), format!("<= {limit:.2}"), theirs, ours, format!("{ratio:.2}"), verdict]
}

/// `count` readers fetch `size` bytes together.
fn serve(builds: &Builds, source: &mut Source, giver: Giver, pace: Pace, count: usize, size: u64) -> Given {
    let mut swarm = source.swarm();
    let (mut process, port) = start(builds, source, &mut swarm, giver);
    let before = measure::cpu(process.id());
    let seed = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let (came, served) = crowd::fetch_at(pace, seed, &source.torrent.info_hash, size, count);
    process.must_run();
    let cpu_ms = (per_gib(measure::cpu(process.id()) - before, came) * 1000.0) as u64;
    say(&format!("readers, {count}: {}: CPU {cpu_ms} ms a GiB, {served} served", process.name()));
    Given { cpu_ms, served }
}

/// Starts a seed, with its port.
fn start(builds: &Builds, source: &Source, swarm: &mut Swarm, giver: Giver) -> (Process, u16) {
    let (mut process, port) = match giver {
        Giver::Floor => return floor(builds, source, swarm),
        Giver::Ours => {
            let get = Get::seed("seed", &swarm.scratch, &source.dir).program(&builds.default).torrent(&source.torrent);
            let get = get.args(&["--quiet", "--max-peers", "250", "--max-uploads", "250"]);
            (Process::start("swarmlet", &mut get.command(), &swarm.scratch), get.port)
        }
        Giver::Rtorrent => {
            let plan = Plan::seed(Program::Rtorrent, &source.torrent, &source.dir, &swarm.scratch);
            (rtorrent::start_for_many(&plan), plan.port)
        }
    };
    swarm.tracker.wait_for_seeds(&source.torrent, 1, || process.must_run());
    (process, port)
}

fn floor(builds: &Builds, source: &Source, swarm: &Swarm) -> (Process, u16) {
    let port = free_port();
    let info_hash: String = source.torrent.info_hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut command = Command::new(&builds.floor);
    command.arg(port.to_string()).arg(source.dir.join(NAME)).args([info_hash, MIB.to_string()]);
    let mut process = Process::start("floor", &mut command, &swarm.scratch);
    wait_until("the server listens", PATIENCE, || {
        process.must_run();
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
    });
    (process, port)
}
