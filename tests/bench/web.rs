//! A web seed alone: a leecher fetches a torrent from nginx over loopback. aria2 and two builds of ours take turns.

use super::builds::Builds;
use super::common::aria2;
use super::common::nginx::Nginx;
use super::common::peers::{Plan, Program};
use super::common::process::Process;
use super::common::ran;
use super::common::tools::say;
use super::common::torrent::Torrent;
use super::measure::{self, Figures, median};
use super::report::{Report, mib, seconds};
use super::source::{NAME, Source};
use super::speed::{LEECHERS, Target, judge};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const TARGETS: [Target; 4] = [
    Target { leecher: 1, what: "CPU", limit: 1.0, value: |figures| figures.cpu },
    Target { leecher: 2, what: "CPU, portable", limit: 1.3, value: |figures| figures.cpu },
    Target { leecher: 1, what: "time", limit: 1.0, value: |figures| figures.transfer },
    Target { leecher: 2, what: "time, portable", limit: 1.3, value: |figures| figures.transfer },
];

/// Measures `rounds` rounds.
pub fn measure(report: &mut Report, builds: &Builds, source: &mut Source, rounds: usize) {
    let scratch = tempfile::tempdir().expect("there is a place for settings");
    let nginx = Nginx::start(&source.dir, scratch.path(), "");
    let file = scratch.path().join("web.torrent");
    // Pieces of 1 MiB.
    let mut make = Command::new(&builds.default);
    make.arg("make").arg(source.dir.join(NAME)).args(["--piece-length", "1M", "--webseed", &nginx.url(NAME), "-o"]);
    assert_eq!(ran::run(make.arg(&file), b"").code, Some(0), "the torrent is made");
    let torrent = Torrent::read(&file);
    let programs = [None, Some(&builds.default), Some(&builds.portable)];
    let mut figures: [Vec<Figures>; 3] = Default::default();
    for round in 1..=rounds {
        for (number, program) in programs.iter().enumerate() {
            let took = fetch(source, &torrent, program.map(|path| path.as_path()));
            let (cpu, transfer) = (seconds(took.cpu), seconds(took.transfer));
            say(&format!("web, round {round} of {rounds}: {}: CPU {cpu} s, transfer {transfer} s", LEECHERS[number]));
            figures[number].push(took);
        }
    }
    let size = source.size_mib;
    report.section(&format!(
        "Web seed: {size} MiB in pieces of 1 MiB from nginx alone over loopback; medians of {rounds} rounds in turn"
    ));
    let row = |number: usize| {
        let (name, figures) = (LEECHERS[number], &figures[number]);
        let of = |value: fn(&Figures) -> Duration| seconds(median(figures.iter().map(value)));
        let peak = mib(median(figures.iter().map(|figures| figures.peak_kib)));
        vec![name.into(), of(|f| f.cpu), of(|f| f.transfer), of(|f| f.whole), peak]
    };
    let rows: Vec<Vec<String>> = (0..LEECHERS.len()).map(row).collect();
    report.table(&["leecher", "CPU s", "transfer s", "start to end s", "peak RSS MiB"], &rows);
    println!();
    let rows: Vec<Vec<String>> = TARGETS.iter().map(|target| judge(report, target, &figures)).collect();
    report.table(&["target", "of aria2's", "measured", ""], &rows);
}

/// One transfer into a new folder.
fn fetch(source: &mut Source, torrent: &Torrent, ours: Option<&Path>) -> Figures {
    let swarm = source.swarm();
    let start = || -> Process {
        match ours {
            Some(program) => swarm.get(program, torrent),
            None => aria2::start(&Plan::fetch(Program::Aria2, torrent, &swarm.copies, &swarm.scratch)),
        }
    };
    let figures = measure::leecher(&swarm.copies.join(NAME), source.bytes(), start);
    source.assert_same_in(&swarm.copies);
    figures
}
