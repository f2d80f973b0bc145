//! The daemon's own web page with thousands of torrents: how soon it is there, and what it takes of both machines.

use super::boxed::in_peace;
use super::builds::Builds;
use super::common::browser::Browser;
use super::common::tools::say;
use super::many::quiet;
use super::measure::cpu_of_threads;
use super::report::Report;
use super::thousands::{Stage, hundredths, percent};
use std::thread;
use std::time::{Duration, Instant};

const TORRENTS: usize = 2_000;
/// The daemon is idle when none of its threads has run for this long.
const IDLE: Duration = Duration::from_secs(7);
/// In the minute after the start, all torrents are "recently active".
const MINUTE: Duration = Duration::from_secs(65);
/// How long the page is open while the daemon is measured.
const OPEN: Duration = Duration::from_secs(30);
/// Targets: the first picture with torrents in it; the script of an update; hundredths of a percent of a core.
const FIRST: f64 = 1000.0;
const UPDATE: f64 = 100.0;
const PROCESSOR: u64 = 200;
/// The longest measure of this name, in milliseconds.
const LONGEST: &str = "Math.max(0, ...performance.getEntriesByName('NAME').map(one => one.duration))";

/// Measures everything.
pub fn measure(report: &mut Report, builds: &Builds) {
    let mut stage = Stage::new(TORRENTS);
    stage.import(builds);
    let mut daemon = stage.start(builds, &[]);
    quiet(&mut daemon, IDLE);
    let mut browser = Browser::start(stage.scratch.path(), &[]);
    let page = format!("http://{}/", stage.rpc);
    // The first visit starts the browser's own processes.
    let open = |browser: &mut Browser| {
        browser.open(&page);
        browser.see("#count", "2,000 torrents");
        let end = "performance.getEntriesByName('all')[0]";
        browser.run(&format!("{end}.startTime + {end}.duration")).as_f64().unwrap_or(f64::MAX)
    };
    let cold = open(&mut browser);
    thread::sleep(MINUTE);
    let warm = open(&mut browser);
    let longest =
        |browser: &mut Browser, name: &str| browser.run(&LONGEST.replace("NAME", name)).as_f64().unwrap_or(f64::MAX);
    let all = longest(&mut browser, "all");
    let (begin, used) = (Instant::now(), cpu_of_threads(daemon.id()));
    thread::sleep(OPEN);
    let share = hundredths(cpu_of_threads(daemon.id()) - used, begin.elapsed());
    in_peace("the page asks", || longest(&mut browser, "differences") > 0.0);
    let update = longest(&mut browser, "differences").max(all);
    let mut rows = Vec::new();
    let mut row = |what: &str, target: String, measured: String, met: bool| {
        say(&format!("page: {what}: {measured}"));
        rows.push(vec![what.to_string(), target, measured, report.verdict(what, met)]);
    };
    let first = format!("{cold:.0}; {warm:.0}");
    row("first picture, ms: a new browser; later", format!("<= {FIRST}"), first, cold.max(warm) <= FIRST);
    row("longest update, ms of script", format!("<= {UPDATE}"), format!("{update:.0}"), update <= UPDATE);
    row("% of a core of the daemon, page open", percent(PROCESSOR), percent(share), share <= PROCESSOR);
    report.section(&format!("The page with {TORRENTS} torrents"));
    report.table(&["target", "", "measured", ""], &rows);
    drop(browser);
    stage.end(daemon);
}
