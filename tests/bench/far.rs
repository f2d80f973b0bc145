//! How fast a leecher is if its peers are far away, as packets travel.

use super::builds::Builds;
use super::common::aria2;
use super::common::group::Group;
use super::common::peers::{Plan, Program};
use super::common::process::Process;
use super::common::swarmlet::Get;
use super::common::tools::say;
use super::common::wait::wait_until;
use super::farm::Farm;
use super::line::Line;
use super::measure::{median, on_disk};
use super::repeated::Repeated;
use super::report::Report;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const MIB: usize = 1 << 20;
/// 250 Mbit/s, in bytes.
const RATE: u64 = 250_000_000 / 8;
/// The time of one direction: half of the round trip.
const FAR: Duration = Duration::from_millis(50);
const FARTHEST: Duration = Duration::from_millis(150);
/// The content, all of which no leecher gets of a limited line.
const PIECES: usize = 1024;
/// The speed is measured from so long after the first block on, and for so long, or until the end.
const BEGIN: Duration = Duration::from_secs(4);
const MEASURED: Duration = Duration::from_secs(8);
/// From the line without a limit so much may have come by then that the end is near.
const BEGIN_UNLIMITED: Duration = Duration::from_secs(2);
/// Rounds of the line without a limit.
const ROUNDS: usize = 2;
/// What a leecher of that line may use, with the page cache.
const MEMORY: usize = 1 << 30;
/// Longer than any leecher takes.
const DEADLINE: Duration = Duration::from_secs(60);
/// The least share of the limited line, and of aria2's speed over the other.
const SHARE: f64 = 0.97;
const OF_ARIA2: f64 = 1.0;

/// Measures everything.
pub fn measure(report: &mut Report, builds: &Builds) {
    let mut rows = Vec::new();
    for peers in [1, 10] {
        let speed = fetch(Some(&builds.default), Line::new(FAR, Some(RATE)), peers, None, BEGIN);
        let share = speed / mib(RATE);
        let what = format!("250 Mbit/s over 100 ms, peers: {peers}");
        let verdict = report.verdict(&format!("far, {what}"), share >= SHARE);
        let line = format!("{:.1} (the line)", mib(RATE));
        rows.push(vec![what, format!(">= {SHARE:.2}"), line, format!("{speed:.1}"), format!("{share:.3}"), verdict]);
    }
    if let Some(group) = Group::new(MEMORY) {
        let mut speeds: [Vec<u64>; 2] = Default::default();
        for _ in 0..ROUNDS {
            for (program, speeds) in [None, Some(builds.default.as_path())].into_iter().zip(&mut speeds) {
                let speed = fetch(program, Line::new(FARTHEST, None), 10, Some(&group), BEGIN_UNLIMITED);
                speeds.push(speed as u64);
            }
        }
        let [theirs, ours] = speeds.map(|all| median(all.into_iter()));
        let ratio = ours as f64 / theirs as f64;
        let what = "any line over 300 ms, 10 peers, 1 GiB of memory";
        let verdict = report.verdict(&format!("far, {what}"), ratio >= OF_ARIA2);
        let theirs = format!("{theirs} (aria2)");
        rows.push(vec![
            what.into(),
            format!(">= {OF_ARIA2:.2}"),
            theirs,
            ours.to_string(),
            format!("{ratio:.2}"),
            verdict,
        ]);
    }
    report.section("Far peers: MiB/s with the default --memory auto");
    report.table(&["target", "", "of", "swarmlet", "measured", ""], &rows);
}

/// The speed in MiB/s of us or of aria2, over a line to seeds at its other end.
fn fetch(ours: Option<&Path>, line: Line, peers: usize, group: Option<&Group>, begin: Duration) -> f64 {
    let repeated = Repeated::random(MIB, PIECES);
    let farm = Farm::of_repeated(&repeated, peers, None, true);
    farm.ports().into_iter().for_each(|port| repeated.tracker.introduce_as(port, line.before(port)));
    let scratch = repeated.scratch.path();
    let mut command = match ours {
        Some(program) => {
            let get = Get::new("get", scratch).program(program).in_dir(&repeated.copies).torrent(&repeated.torrent);
            get.arg("--quiet").arg("--seed").command()
        }
        None => aria2::command(&Plan::fetch(Program::Aria2, &repeated.torrent, &repeated.copies, scratch)),
    };
    if let Some(group) = group {
        command = within(group, &command);
    }
    let leecher = Process::start(if ours.is_some() { "swarmlet" } else { "aria2" }, &mut command, scratch);
    let seen = watch(&repeated, begin + MEASURED);
    assert!(seen.len() > 1, "{} has fetched nothing", leecher.name());
    let (first, last) = (seen[0].0, seen[seen.len() - 1]);
    let from = *seen.iter().find(|(at, _)| *at - first >= begin).unwrap_or(&seen[0]);
    let speed = mib(last.1 - from.1) / (last.0 - from.0).as_secs_f64();
    say(&format!("far, peers: {peers}: {}: {speed:.1} MiB/s, {} MiB in all", leecher.name(), last.1 / MIB as u64));
    speed
}

/// What is on disk of the copy at what time, from its beginning on.
fn watch(repeated: &Repeated, time: Duration) -> Vec<(Instant, u64)> {
    let mut seen: Vec<(Instant, u64)> = Vec::new();
    wait_until("the speed is measured", DEADLINE, || {
        let now = (Instant::now(), on_disk(&repeated.copy()));
        if now.1 > MIB as u64 {
            seen.push(now);
        }
        now.1 >= repeated.bytes() || seen.first().is_some_and(|first| now.0 - first.0 >= time)
    });
    seen
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / MIB as f64
}

/// The same command in a group.
pub fn within(group: &Group, command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{}; exec \"$@\"", group.join()), "sh"]);
    shell.arg(command.get_program()).args(command.get_args());
    shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell
}
