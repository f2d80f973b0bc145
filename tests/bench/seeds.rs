//! What a download costs if it comes from many seeds: as slowly as a real line is, and as fast as it can come. aria2
//! and two of our builds take turns: the default one, which lets the processor compute SHA-1 as aria2 does, and one that
//! does not.

use super::builds::Builds;
use super::common::aria2;
use super::common::peers::{Plan, Program};
use super::common::process::Process;
use super::common::swarmlet::Get;
use super::common::tools::say;
use super::farm::Farm;
use super::measure::{self, Figures, median, per_gib};
use super::repeated::Repeated;
use super::report::{Report, mib, seconds};
use std::fs;
use std::path::Path;

const MIB: usize = 1 << 20;
/// The speed of all seeds together in the slow part, in bytes a second, and what is fetched: six seconds of it.
const SLOW: u64 = 32 << 20;
const SLOW_PIECES: usize = 192;
/// What is fetched in the fast part.
const FAST_PIECES: usize = 512;
/// Rounds of the fast part. The slow part takes the time of one.
const ROUNDS: usize = 3;
/// The seeds, and the limits of our processor time as shares of aria2's.
const SLOW_LIMITS: [(usize, f64); 4] = [(1, 1.2), (10, 1.2), (50, 1.2), (200, 1.2)];
const FAST_LIMITS: [(usize, f64); 2] = [(50, 1.2), (200, 1.5)];
/// The limit of the time from the most seeds.
const TIME_LIMIT: f64 = 1.2;

/// Measures what a slow line costs.
pub fn slow(report: &mut Report, builds: &Builds) {
    let content = SLOW_PIECES;
    let mut rows = Vec::new();
    for (count, limit) in SLOW_LIMITS {
        let [theirs, ours @ ..] = take_turns("slow", builds, content, count, Some(SLOW / count as u64), 1);
        for (name, ours) in OURS.into_iter().zip(&ours) {
            let what = format!("CPU, {count} seeds, {name}");
            rows.push(judge(report, "slow", &what, limit, [&theirs, ours].map(|all| cpu(all, content)), ours));
        }
    }
    report.section(&format!("Slow lines: {content} MiB at {} MiB/s in all; CPU s a GiB", SLOW >> 20));
    report.table(&HEAD, &rows);
}

/// Measures many fast seeds.
pub fn fast(report: &mut Report, builds: &Builds) {
    let content = FAST_PIECES;
    let mut rows = Vec::new();
    for (count, limit) in FAST_LIMITS {
        let [theirs, ours @ ..] = take_turns("seeds", builds, content, count, None, ROUNDS);
        for (name, ours) in OURS.into_iter().zip(&ours) {
            let what = format!("CPU s a GiB, {count} seeds, {name}");
            let cpus = [&theirs, ours].map(|all| cpu(all, content));
            rows.push(judge(report, "seeds", &what, limit, cpus, ours));
            if count == FAST_LIMITS[FAST_LIMITS.len() - 1].0 {
                let times = [&theirs, ours].map(|all| median(all.iter().map(|one| one.transfer)).as_secs_f64());
                rows.push(judge(
                    report,
                    "seeds",
                    &format!("transfer s, {count} seeds, {name}"),
                    TIME_LIMIT,
                    times,
                    ours,
                ));
            }
        }
    }
    report.section(&format!("Many seeds: {content} MiB at any speed; medians of {ROUNDS} rounds"));
    report.table(&HEAD, &rows);
}

/// Our builds.
const OURS: [&str; 2] = ["default", "portable"];
const HEAD: [&str; 7] = ["target", "of aria2's", "aria2", "swarmlet", "measured", "", "peak RSS MiB"];

/// The row of a target.
fn judge(report: &mut Report, part: &str, what: &str, limit: f64, both: [f64; 2], ours: &[Figures]) -> Vec<String> {
    let ratio = both[1] / both[0];
    let verdict = report.verdict(&format!("{part}, {what}"), ratio <= limit);
    let peak = mib(median(ours.iter().map(|one| one.peak_kib)));
    let [theirs, ours] = both.map(|figure| format!("{figure:.2}"));
    vec![what.into(), format!("<= {limit:.2}"), theirs, ours, format!("{ratio:.2}"), verdict, peak]
}

/// Seconds of processor time for a GiB, the median.
fn cpu(figures: &[Figures], content: usize) -> f64 {
    per_gib(median(figures.iter().map(|one| one.cpu)), (content * MIB) as u64)
}

/// aria2 and our builds fetch `content` pieces of 1 MiB from `count` seeds, each with `rate`.
fn take_turns(
    part: &str,
    builds: &Builds,
    content: usize,
    count: usize,
    rate: Option<u64>,
    rounds: usize,
) -> [Vec<Figures>; 3] {
    let mut figures: [Vec<Figures>; 3] = Default::default();
    for round in 1..=rounds {
        let programs = [None, Some(builds.default.as_path()), Some(builds.portable.as_path())];
        for (number, program) in programs.into_iter().enumerate() {
            let took = fetch(program, content, count, rate);
            let (name, cpu, time) = (["aria2", OURS[0], OURS[1]][number], seconds(took.cpu), seconds(took.transfer));
            say(&format!("{part}, {count} seeds, round {round} of {rounds}: {name}: CPU {cpu} s, transfer {time} s"));
            figures[number].push(took);
        }
    }
    figures
}

/// One transfer. The copy is deleted.
fn fetch(ours: Option<&Path>, content: usize, count: usize, rate: Option<u64>) -> Figures {
    let repeated = Repeated::random(MIB, content);
    let farm = Farm::of_repeated(&repeated, count, rate, false);
    let figures = measure::until(&repeated.copy(), repeated.bytes(), || start(ours, &repeated));
    // One seed of two hundred may not have had its turn.
    assert!(farm.givers() > count * 9 / 10, "only {} of {count} seeds sent something", farm.givers());
    fs::remove_file(repeated.copy()).expect("it is there");
    figures
}

/// Starts us or aria2, with places for all seeds.
fn start(ours: Option<&Path>, repeated: &Repeated) -> Process {
    let scratch = repeated.scratch.path();
    match ours {
        Some(program) => {
            let get = Get::new("get", scratch).program(program).in_dir(&repeated.copies).torrent(&repeated.torrent);
            let get = get.args(&["--quiet", "--max-peers", "250"]);
            Process::start("swarmlet", &mut get.command(), scratch)
        }
        None => {
            let plan = Plan::fetch(Program::Aria2, &repeated.torrent, &repeated.copies, scratch);
            let mut command = aria2::command(&plan);
            // Any number of peers, and no wish for faster ones that it would look for.
            command.args(["--bt-max-peers=0", "--bt-request-peer-speed-limit=10000M"]);
            Process::start("aria2", &mut command, scratch)
        }
    }
}
