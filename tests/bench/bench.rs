//! `make bench`: how fast and how small swarmlet is, beside aria2, on the machine it runs on.
//!
//! Every program is measured from outside, with the kernel's figures of a process and the blocks of a file. Programs
//! that are compared take turns in one run, because only ratios within one run mean anything. The table goes to
//! standard output (Markdown), and the progress to standard error. A missed target is reported and is not a failure. A
//! copy that differs, or a peer that never came, is a failure.
//!
//! `size=MIB` (default 1024), `rounds=N` (default 3), `only=speed|serve|memory|idle|many|make|tracker|size`.

// It lies where cargo does not look for tests, and shares the helpers of the stories.
#[allow(dead_code)] // The bench uses only some of it.
#[path = "../common/mod.rs"]
mod common;

mod aquatic;
mod builds;
mod crowd;
mod farm;
mod idle;
mod machine;
mod make;
mod many;
mod measure;
mod memory;
mod report;
mod serve;
mod size;
mod source;
mod speed;
mod tracker;

use builds::Builds;
use common::tools::{Tool, missing, say};
use report::Report;
use signal_hook::consts::SIGINT;
use source::Source;
use std::env;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The sections, in this order.
const SECTIONS: [&str; 8] = ["speed", "serve", "memory", "idle", "many", "make", "tracker", "size"];
/// The tools that every section except `size` needs.
const TOOLS: [Tool; 7] =
    [Tool::Aria2, Tool::Rtorrent, Tool::Libtorrent, Tool::Opentracker, Tool::Strace, Tool::Mktorrent, Tool::Wrk];

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
            let wrong = || format!("{arg}: expected size=MIB, rounds=N or only={}", SECTIONS.join("|"));
            match arg.split_once('=') {
                Some(("size", text)) => settings.size_mib = number(text).ok_or_else(wrong)?,
                Some(("rounds", text)) => settings.rounds = number(text).ok_or_else(wrong)? as usize,
                Some(("only", text)) if SECTIONS.contains(&text) => settings.only = Some(text.into()),
                _ => return Err(wrong()),
            }
        }
        Ok(settings)
    }

    fn asks_for(&self, section: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == section)
    }
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
    let missing = if settings.only.as_deref() == Some("size") { Vec::new() } else { missing(&TOOLS) };
    if !missing.is_empty() {
        missing.iter().for_each(|(program, source)| say(&format!("{program} is missing ({source})")));
        return ExitCode::FAILURE;
    }
    // Ctrl-C ends the peers, and then this run fails without them. So it can delete gigabytes first.
    signal_hook::flag::register(SIGINT, Arc::new(AtomicBool::new(false))).expect("SIGINT can be handled");
    run(&settings);
    ExitCode::SUCCESS
}

fn run(settings: &Settings) {
    let load = machine::load();
    let builds = Builds::make();
    let mut report = Report::begin(&machine::describe(&builds, &TOOLS, &load));
    if settings.only.as_deref() != Some("size") {
        let mut source = Source::make(settings.size_mib);
        if settings.asks_for("speed") {
            speed::measure(&mut report, &builds, &mut source, settings.rounds);
        }
        if settings.asks_for("serve") {
            serve::measure(&mut report, &builds, &mut source, settings.rounds);
        }
        if settings.asks_for("memory") {
            memory::measure(&mut report, &builds, &mut source);
        }
        if settings.asks_for("idle") {
            idle::measure(&mut report, &builds, &mut source);
        }
        if settings.asks_for("many") {
            many::measure(&mut report, &builds);
        }
        if settings.asks_for("make") {
            make::measure(&mut report, &builds, &source, settings.rounds);
        }
        if settings.asks_for("tracker") {
            aquatic::measure(&mut report, &builds.default, settings.rounds);
            tracker::measure(&mut report, &builds.default, settings.rounds);
        }
    }
    if settings.asks_for("size") {
        size::measure(&mut report, &builds);
    }
    report.end();
}
