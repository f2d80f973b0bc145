//! The cost of uploading: libtorrent fetches from aria2, rtorrent and us in turn, then over one connection and over
//! fifty.

use super::builds::Builds;
use super::common::aria2;
use super::common::peers::{Plan, Program};
use super::common::ports::free_port;
use super::common::process::Process;
use super::common::swarmlet::alone;
use super::common::tools::say;
use super::common::torrent::Torrent;
use super::crowd;
use super::measure::{self, median};
use super::report::{Report, mib, seconds};
use super::source::{Source, Swarm};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// The limit of our processor time, as a share of the better of the other two.
const CPU_SHARE: f64 = 0.5;
/// Memory limits in MiB: with one leecher, and with many connections.
const WITH_ONE: u64 = 4;
const WITH_MANY: u64 = 14;
/// The default limit of `seed` for connections.
const MANY: usize = 50;
/// Longer than any seed takes to check or to upload a GiB.
const DEADLINE: Duration = Duration::from_secs(180);

/// The seeds.
const SEEDS: [&str; 4] = ["aria2", "rtorrent", "swarmlet", "swarmlet of `make small`"];

/// The cost of uploading everything once.
#[derive(Clone, Copy)]
struct Given {
    cpu: Duration,
    took: Duration,
    peak_kib: u64,
}

/// Measures `rounds` rounds.
pub fn measure(report: &mut Report, builds: &Builds, source: &mut Source, rounds: usize) {
    let mut given: [Vec<Given>; 4] = Default::default();
    let mut crowds: [Vec<Given>; 2] = Default::default();
    for round in 1..=rounds {
        for (number, name) in SEEDS.iter().enumerate() {
            let took = to_libtorrent(source, builds, number);
            say(&format!("serve, round {round} of {rounds}: {name}: CPU {} s", seconds(took.cpu)));
            given[number].push(took);
        }
        for (number, connections) in [1, MANY].into_iter().enumerate() {
            let took = to_crowd(source, builds, connections);
            say(&format!("serve, round {round} of {rounds}: connections: {connections}: {} s", seconds(took.took)));
            crowds[number].push(took);
        }
    }
    report.section(&format!("Giving: {} MiB to libtorrent over loopback; medians of {rounds} rounds", source.size_mib));
    let row = |name: String, all: &[Given]| {
        let of = |value: fn(&Given) -> Duration| median(all.iter().map(value));
        let peak = median(all.iter().map(|given| given.peak_kib));
        vec![name, seconds(of(|given| given.cpu)), seconds(of(|given| given.took)), mib(peak)]
    };
    let mut rows: Vec<Vec<String>> = SEEDS.iter().zip(&given).map(|(name, all)| row((*name).into(), all)).collect();
    rows.push(row("swarmlet, to one connection that reads all".into(), &crowds[0]));
    rows.push(row(format!("swarmlet, to {MANY} such connections"), &crowds[1]));
    report.table(&["seed", "CPU s", "until all is there s", "peak RSS MiB"], &rows);
    println!();
    let cpu = |all: &[Given]| median(all.iter().map(|given| given.cpu)).as_secs_f64();
    let time = |all: &[Given]| median(all.iter().map(|given| given.took)).as_secs_f64();
    let peak = |all: &[Given]| median(all.iter().map(|given| given.peak_kib));
    let share = cpu(&given[2]) / cpu(&given[0]).min(cpu(&given[1]));
    let slower = time(&crowds[1]) / time(&crowds[0]);
    let mut judge = |what: &str, limit: String, measured: String, met: bool| {
        vec![what.into(), limit, measured, report.verdict(&format!("serve, {what}"), met)]
    };
    let rows = [
        judge("CPU, of the better of both", "<= 0.50".into(), format!("{share:.2}"), share <= CPU_SHARE),
        judge("peak RSS, MiB", format!("<= {WITH_ONE}"), mib(peak(&given[2])), peak(&given[2]) <= WITH_ONE * 1024),
        judge(
            "peak RSS of `make small`, MiB",
            format!("<= {WITH_ONE}"),
            mib(peak(&given[3])),
            peak(&given[3]) <= WITH_ONE * 1024,
        ),
        judge(
            "peak RSS, 50 connections, MiB",
            format!("<= {WITH_MANY}"),
            mib(peak(&crowds[1])),
            peak(&crowds[1]) <= WITH_MANY * 1024,
        ),
        judge("time of 50 connections, of one's", "<= 1.00".into(), format!("{slower:.2}"), slower <= 1.0),
    ];
    report.table(&["target", "", "measured", ""], &rows);
}

/// libtorrent fetches everything from the seed with this number in [`SEEDS`].
fn to_libtorrent(source: &mut Source, builds: &Builds, number: usize) -> Given {
    let mut swarm = source.swarm();
    let mut seed = match number {
        0 => aria2::start(&Plan::seed(Program::Aria2, &source.torrent, &source.dir, &swarm.scratch)),
        1 => rtorrent(&source.torrent, &source.dir, &swarm.scratch),
        2 => ours(source, &swarm, &builds.default, free_port(), &[]),
        _ => ours(source, &swarm, &builds.small, free_port(), &[]),
    };
    swarm.tracker.wait_for_seeds(&source.torrent, 1, || seed.must_run());
    let (before, begun) = (measure::cpu(seed.id()), Instant::now());
    let plan = Plan::fetch(Program::Libtorrent, &source.torrent, &swarm.copies, &swarm.scratch);
    plan.start().wait_until_fetched(DEADLINE);
    let given = end(&mut seed, before, begun);
    source.assert_same_in(&swarm.copies);
    given
}

/// Many connections fetch everything from us, each its share.
fn to_crowd(source: &mut Source, builds: &Builds, connections: usize) -> Given {
    let mut swarm = source.swarm();
    let port = free_port();
    let mut seed = ours(source, &swarm, &builds.default, port, &["--max-uploads", "50", "--max-peers", "60"]);
    swarm.tracker.wait_for_seeds(&source.torrent, 1, || seed.must_run());
    let (before, begun) = (measure::cpu(seed.id()), Instant::now());
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let came = crowd::fetch(addr, &source.torrent.info_hash, source.bytes(), connections);
    assert_eq!(came, source.bytes(), "not all came");
    end(&mut seed, before, begun)
}

fn end(seed: &mut Process, before: Duration, begun: Instant) -> Given {
    let took = begun.elapsed();
    seed.must_run();
    Given { cpu: measure::cpu(seed.id()) - before, took, peak_kib: measure::peak_memory(seed.id()) }
}

fn ours(source: &Source, swarm: &Swarm, program: &Path, port: u16, options: &[&str]) -> Process {
    let mut command = Command::new(program);
    command.arg("seed").arg("--dir").arg(&source.dir).args(["--quiet", "--port", &port.to_string()]).args(options);
    command.args(alone(program.as_os_str())).arg(&source.torrent.file).env("XDG_STATE_HOME", &swarm.scratch);
    Process::start("swarmlet", &mut command, &swarm.scratch)
}

fn rtorrent(torrent: &Torrent, dir: &Path, scratch: &Path) -> Process {
    let (port, session, settings) = (free_port(), scratch.join("session"), scratch.join("rtorrent.rc"));
    fs::create_dir(&session).expect("the folder is new");
    let text = format!(
        "directory.default.set = {}\nsession.path.set = {}\nnetwork.port_range.set = {port}-{port}\n\
         dht.mode.set = disable\nprotocol.pex.set = no\nprotocol.encryption.set = none\nsystem.daemon.set = true\n\
         load.start = {}\n",
        dir.display(),
        session.display(),
        torrent.file.display()
    );
    fs::write(&settings, text).expect("there is room for settings");
    let mut command = Command::new("rtorrent");
    command.args(["-n", "-o"]).arg(format!("import={}", settings.display()));
    Process::start("rtorrent", &mut command, scratch)
}
