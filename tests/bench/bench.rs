//! `make bench`: how fast and how small swarmlet is, beside aria2, on the machine it runs on.
//!
//! Every program is measured from outside, with the kernel's figures of a process and the blocks of a file. Programs
//! that are compared take turns in one run, because only ratios within one run mean anything. The table goes to
//! standard output (Markdown), and the progress to standard error. A missed target is reported and is not a failure. A
//! copy that differs, or a peer that never came, is a failure.
//!
//! `size=MIB` (default 1024), `rounds=N` (default 3), `only=` with one of [`SECTIONS`]. A section whose programs are
//! missing is skipped, and said to be. A section that takes long has a number of rounds of its own.

// It lies where cargo does not look for tests, and shares the helpers of the stories.
#[allow(dead_code)] // The bench uses only some of it.
#[path = "../common/mod.rs"]
mod common;

mod aquatic;
mod boxed;
mod boxed_programs;
mod builds;
mod crowd;
mod dht;
mod end;
mod far;
mod farm;
mod idle;
mod line;
mod machine;
mod magnet;
mod make;
mod many;
mod measure;
mod memory;
mod page;
mod readers;
mod repeated;
mod report;
mod seeds;
mod sequential;
mod serve;
mod size;
mod source;
mod speed;
mod thousands;
mod tracker;
mod web;

use builds::Builds;
use common::tools::{Tool, missing, say, skip};
use report::Report;
use signal_hook::consts::SIGINT;
use source::Source;
use std::env;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The sections, each with the programs that it needs.
const SECTIONS: [(&str, &[Tool]); 20] = [
    ("speed", &[Tool::Aria2, Tool::Libtorrent, Tool::Opentracker]),
    ("serve", &[Tool::Aria2, Tool::Rtorrent, Tool::Libtorrent, Tool::Opentracker]),
    ("web", &[Tool::Aria2, Tool::Libtorrent, Tool::Opentracker, Tool::Nginx]),
    ("memory", &[Tool::Libtorrent, Tool::Opentracker]),
    ("idle", &[Tool::Libtorrent, Tool::Opentracker, Tool::Strace]),
    ("make", &[Tool::Libtorrent, Tool::Mktorrent]),
    ("readers", &[Tool::Libtorrent, Tool::Opentracker]),
    ("slow", &[Tool::Aria2]),
    ("seeds", &[Tool::Aria2]),
    ("end", &[]),
    ("sequential", &[]),
    ("far", &[Tool::Aria2]),
    ("magnet", &[Tool::Libtorrent]),
    ("dht", &[Tool::Libtorrent]),
    ("many", &[]),
    ("five-thousand", &[]),
    ("page", &[Tool::Browser]),
    ("box", &[Tool::Aria2, Tool::Libtorrent, Tool::Transmission]),
    ("tracker", &[Tool::Opentracker, Tool::Wrk]),
    ("size", &[]),
];
/// Those that need a large file.
const OF_SOURCE: [&str; 7] = ["speed", "serve", "web", "memory", "idle", "make", "readers"];

/// The options of a run.
struct Settings {
    size_mib: u64,
    rounds: usize,
    only: Option<String>,
}

impl Settings {
    fn parse(args: &[String]) -> Result<Settings, String> {
        let mut settings = Settings { size_mib: 1024, rounds: 3, only: None };
        for arg in args {
            let number = |text: &str| text.parse().ok().filter(|number| *number > 0);
            let wrong = || format!("{arg}: expected size=MIB, rounds=N or only={}", names());
            match arg.split_once('=') {
                Some(("size", text)) => settings.size_mib = number(text).ok_or_else(wrong)?,
                Some(("rounds", text)) => settings.rounds = number(text).ok_or_else(wrong)? as usize,
                Some(("only", text)) if SECTIONS.iter().any(|(name, _)| *name == text) => {
                    settings.only = Some(text.into())
                }
                _ => return Err(wrong()),
            }
        }
        Ok(settings)
    }

    /// The sections that are asked for.
    fn sections(&self) -> Vec<&'static str> {
        let asked = |name: &&str| self.only.as_deref().is_none_or(|only| only == *name);
        SECTIONS.iter().map(|(name, _)| *name).filter(asked).collect()
    }
}

/// The names of all sections.
fn names() -> String {
    SECTIONS.map(|(name, _)| name).join("|")
}

/// Whether the programs that a section needs are here. If not, this says so.
fn can_run(section: &str) -> bool {
    let missing = missing(&tools(&[section]));
    missing.iter().for_each(|(program, source)| skip(&format!("{section}: {program} is missing ({source})")));
    missing.is_empty()
}

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    // `cargo bench` passes `--bench`. `cargo test --all-targets` does not, and must not take minutes.
    if !args.iter().any(|arg| arg == "--bench") {
        say("nothing is measured here: `make bench` does");
        return ExitCode::SUCCESS;
    }
    let args: Vec<String> = args.into_iter().filter(|arg| arg != "--bench" && !arg.ends_with('=')).collect();
    let settings = match Settings::parse(&args) {
        Ok(settings) => settings,
        Err(problem) => {
            say(&problem);
            return ExitCode::from(2);
        }
    };
    // Ctrl-C ends the peers, and then this run fails without them. So it can delete gigabytes first.
    signal_hook::flag::register(SIGINT, Arc::new(AtomicBool::new(false))).expect("SIGINT can be handled");
    run(&settings);
    ExitCode::SUCCESS
}

fn run(settings: &Settings) {
    let load = machine::load();
    let (sections, skipped): (Vec<&str>, Vec<&str>) =
        settings.sections().into_iter().partition(|section| can_run(section));
    let builds = Builds::make();
    let mut report = Report::begin(&machine::describe(&builds, &tools(&sections), &load));
    skipped
        .iter()
        .for_each(|section| report.section(&format!("{section}: not measured, because a program is missing")));
    // They take turns with the disk: the large file is deleted before the others make theirs.
    if sections.iter().any(|section| OF_SOURCE.contains(section)) {
        let mut source = Source::make(settings.size_mib);
        sections.iter().for_each(|section| of_source(section, settings.rounds, &mut report, &builds, &mut source));
    }
    sections.iter().for_each(|section| without_source(section, settings.rounds, &mut report, &builds));
    report.end();
}

/// The programs of `sections`, each once.
fn tools(sections: &[&str]) -> Vec<Tool> {
    let mut tools: Vec<Tool> = Vec::new();
    for tool in SECTIONS.iter().filter(|(name, _)| sections.contains(name)).flat_map(|(_, tools)| *tools) {
        if !tools.contains(tool) {
            tools.push(*tool);
        }
    }
    tools
}

fn of_source(section: &str, rounds: usize, report: &mut Report, builds: &Builds, source: &mut Source) {
    match section {
        "speed" => speed::measure(report, builds, source, rounds),
        "serve" => serve::measure(report, builds, source, rounds),
        "web" => web::measure(report, builds, source, rounds),
        "memory" => memory::measure(report, builds, source),
        "idle" => idle::measure(report, builds, source),
        "make" => make::measure(report, builds, source, rounds),
        "readers" => readers::measure(report, builds, source),
        _ => {}
    }
}

fn without_source(section: &str, rounds: usize, report: &mut Report, builds: &Builds) {
    match section {
        "slow" => seeds::slow(report, builds),
        "seeds" => seeds::fast(report, builds),
        "end" => end::measure(report, builds),
        "sequential" => sequential::measure(report, builds),
        "far" => far::measure(report, builds),
        "magnet" => magnet::measure(report, builds, rounds),
        "dht" => dht::measure(report, builds),
        "many" => many::measure(report, builds),
        "five-thousand" => thousands::measure(report, builds),
        "page" => page::measure(report, builds),
        "box" => boxed::measure(report, builds),
        "tracker" => {
            aquatic::measure(report, &builds.default, rounds);
            tracker::measure(report, &builds.default, rounds);
        }
        "size" => size::measure(report, builds),
        _ => {}
    }
}
