//! How fast: a leecher fetches from libtorrent over loopback. aria2 and two builds of ours take turns.

use super::builds::Builds;
use super::common::aria2;
use super::common::peers::{Plan, Program};
use super::common::process::Process;
use super::common::tools::say;
use super::measure::{self, Figures, median};
use super::report::{Report, mib, seconds};
use super::source::{NAME, Source, Swarm};
use std::path::Path;
use std::time::Duration;

/// A target as a share of the figure of aria2.
pub struct Target {
    /// The number of our build in [`LEECHERS`].
    pub leecher: usize,
    /// What is compared.
    pub what: &'static str,
    /// The largest share.
    pub limit: f64,
    /// The figure.
    pub value: fn(&Figures) -> Duration,
}

const TARGETS: [Target; 4] = [
    Target { leecher: 1, what: "CPU", limit: 0.6, value: |figures| figures.cpu },
    Target { leecher: 2, what: "CPU, portable", limit: 1.1, value: |figures| figures.cpu },
    Target { leecher: 1, what: "time", limit: 0.6, value: |figures| figures.transfer },
    Target { leecher: 2, what: "time, portable", limit: 0.8, value: |figures| figures.transfer },
];

/// The leecher: aria2, or one of our builds.
pub const LEECHERS: [&str; 3] = ["aria2", "swarmlet", "swarmlet, portable"];

/// Measures `rounds` rounds.
pub fn measure(report: &mut Report, builds: &Builds, source: &mut Source, rounds: usize) {
    let programs = [None, Some(&builds.default), Some(&builds.portable)];
    let mut figures: [Vec<Figures>; 3] = Default::default();
    let mut seeds: [Vec<Duration>; 3] = Default::default();
    for round in 1..=rounds {
        for (number, program) in programs.iter().enumerate() {
            let (took, seed) = fetch(source, program.map(|path| path.as_path()));
            let (cpu, transfer) = (seconds(took.cpu), seconds(took.transfer));
            say(&format!("speed, round {round} of {rounds}: {}: CPU {cpu} s, transfer {transfer} s", LEECHERS[number]));
            figures[number].push(took);
            seeds[number].push(seed);
        }
    }
    let title = format!(
        "Speed: {} MiB in pieces of 1 MiB from libtorrent over loopback; medians (minima) of {rounds} rounds in turn",
        source.size_mib
    );
    report.section(&title);
    let row = |number: usize| {
        let (name, figures) = (LEECHERS[number], &figures[number]);
        let both = |value: fn(&Figures) -> Duration| {
            let least = figures.iter().map(value).min().expect("there is a round");
            format!("{} ({})", seconds(median(figures.iter().map(value))), seconds(least))
        };
        let peak = median(figures.iter().map(|figures| figures.peak_kib));
        let seed = seconds(median(seeds[number].iter().copied()));
        vec![name.into(), both(|f| f.cpu), both(|f| f.transfer), both(|f| f.whole), mib(peak), seed]
    };
    let rows: Vec<Vec<String>> = (0..LEECHERS.len()).map(row).collect();
    report.table(&["leecher", "CPU s", "transfer s", "start to end s", "peak RSS MiB", "the seed's CPU s"], &rows);
    println!();
    let rows: Vec<Vec<String>> = TARGETS.iter().map(|target| judge(report, target, &figures)).collect();
    report.table(&["target", "of aria2's", "measured", ""], &rows);
}

/// The row of a target: the ratio of the medians.
pub fn judge(report: &mut Report, target: &Target, figures: &[Vec<Figures>; 3]) -> Vec<String> {
    let of = |leecher: usize| median(figures[leecher].iter().map(target.value)).as_secs_f64();
    let ratio = of(target.leecher) / of(0);
    let verdict = report.verdict(target.what, ratio <= target.limit);
    vec![target.what.into(), format!("<= {:.2}", target.limit), format!("{ratio:.2}"), verdict]
}

/// One transfer in a new swarm, and the processor time of the seed, for which a fast leecher on the same cores waits.
fn fetch(source: &mut Source, ours: Option<&Path>) -> (Figures, Duration) {
    let mut swarm = source.swarm();
    let mut seed = swarm.libtorrent_seed(source, &source.torrent);
    let seed_before = measure::cpu(seed.id());
    let figures = measure::leecher(&swarm.copies.join(NAME), source.bytes(), || start(source, &swarm, ours));
    seed.must_run();
    let seed_took = measure::cpu(seed.id()) - seed_before;
    source.assert_same_in(&swarm.copies);
    (figures, seed_took)
}

fn start(source: &Source, swarm: &Swarm, ours: Option<&Path>) -> Process {
    match ours {
        Some(program) => swarm.get(program, &source.torrent),
        None => aria2::start(&Plan::fetch(Program::Aria2, &source.torrent, &swarm.copies, &swarm.scratch)),
    }
}
