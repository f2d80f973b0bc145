//! How quiet: the system calls of a seed without requests.

use super::builds::Builds;
use super::common::process::Process;
use super::common::swarmlet::Get;
use super::common::tools::say;
use super::common::wait::{PATIENCE, wait_until};
use super::farm::handshake;
use super::report::Report;
use super::source::{Source, Swarm};
use rustix::process::Signal;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// How long it is traced.
const WATCHED: Duration = Duration::from_secs(10);
/// A process is idle when none of its threads has run for this long. (Verified pieces are saved after five seconds.)
const QUIET: Duration = Duration::from_secs(6);
/// The system calls of a thread that waits for a timer. Any other call has another reason.
const TIMERS: [&str; 6] = ["futex", "restart_syscall", "clock_nanosleep", "epoll_wait", "poll", "ppoll"];
/// One timer a second, with the call that follows it, still counts as idle.
const MOST_CALLS: u64 = 2 * WATCHED.as_secs();

/// Measures without a peer, and with one silent peer.
pub fn measure(report: &mut Report, builds: &Builds, source: &mut Source) {
    let mut rows = Vec::new();
    for (what, with_peer) in [("no peer connected", false), ("one idle peer connected", true)] {
        let calls = watch(source, builds, with_peer);
        let names: Vec<String> = calls.iter().map(|(name, count)| format!("{name} {count}")).collect();
        let names = if names.is_empty() { "none".into() } else { names.join(", ") };
        say(&format!("idle, {what}: {names}"));
        let total: u64 = calls.iter().map(|(_, count)| count).sum();
        let timers = calls.iter().all(|(name, _)| TIMERS.contains(&name.as_str()));
        let verdict = report.verdict(&format!("idle, {what}"), timers && total <= MOST_CALLS);
        rows.push(vec![what.into(), "none but timers".into(), names, verdict]);
    }
    let seconds = WATCHED.as_secs();
    report.section(&format!("Idle: system calls of a seed in {seconds} s, one tracker (`strace -f -c`)"));
    report.table(&["target", "", "measured", ""], &rows);
}

/// The system calls with their numbers.
fn watch(source: &mut Source, builds: &Builds, with_peer: bool) -> Vec<(String, u64)> {
    let mut swarm = source.swarm();
    let get = Get::new("seed", &swarm.scratch).program(&builds.default).in_dir(&source.dir).torrent(&source.torrent);
    let get = get.arg("--seed").arg("--quiet");
    let mut seed = Process::start("swarmlet", &mut get.command(), &swarm.scratch);
    swarm.tracker.wait_for_seeds(&source.torrent, 1, || seed.must_run());
    let _peer = with_peer.then(|| connect(get.port, &source.torrent.info_hash));
    wait_until_idle(&mut seed);
    let calls = strace(&seed, &swarm);
    seed.must_run();
    calls
}

/// A peer that shakes hands and sends nothing more. It hangs up when dropped.
fn connect(port: u16, info_hash: &[u8; 20]) -> TcpStream {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("the seed listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a second is a time");
    stream.write_all(&handshake(info_hash, 0)).expect("the seed hears us");
    stream.read_exact(&mut [0; 68]).expect("the seed shakes hands");
    stream
}

/// Waits until no thread has run for a while, so that the check, the announce and the handshakes are over.
fn wait_until_idle(seed: &mut Process) {
    let (mut last, mut since) = (0, Instant::now());
    wait_until("the seed is idle", PATIENCE, || {
        seed.must_run();
        let switches = switches(seed.id());
        if switches != last {
            (last, since) = (switches, Instant::now());
        }
        since.elapsed() >= QUIET
    });
}

/// How often the threads of a process went to sleep so far.
pub fn switches(id: u32) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{id}/task")).expect("the process runs").flatten();
    let of = |status: String| {
        status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")?.trim().parse::<u64>().ok())
    };
    tasks.filter_map(|task| of(fs::read_to_string(task.path().join("status")).ok()?)).sum::<u64>()
}

fn strace(seed: &Process, swarm: &Swarm) -> Vec<(String, u64)> {
    let table = swarm.scratch.join("strace");
    let mut command = std::process::Command::new("strace");
    command.args(["-f", "-c", "-p", &seed.id().to_string(), "-o"]).arg(&table);
    let mut strace = Process::start("strace", &mut command, &swarm.scratch);
    wait_until("strace is attached", PATIENCE, || {
        strace.must_run();
        strace.stderr().contains("attached")
    });
    // Here the time itself is measured.
    thread::sleep(WATCHED);
    strace.signal(Signal::INT);
    strace.wait(PATIENCE);
    let table = fs::read_to_string(table).expect("strace wrote its table");
    table.lines().filter_map(row).collect()
}

/// `% time, seconds, usecs/call, calls, [errors,] syscall`; not the head, the lines or the total.
fn row(line: &str) -> Option<(String, u64)> {
    let columns: Vec<&str> = line.split_whitespace().collect();
    let calls = columns.get(3)?.parse().ok()?;
    let name = columns.last().filter(|name| **name != "total")?;
    Some(((*name).into(), calls))
}
