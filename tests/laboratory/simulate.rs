//! `make simulate`: what swarms of the product's own torrents do, in virtual time.
//!
//! It prints a table (Markdown), and writes curves into `target/laboratory`. The same options give the same figures.
//! `peers=` (default 1000) and `pieces=` (1000) are the size of the largest swarms, `seed=` throws the dice, and `only=`
//! names one of [`FINDINGS`]. Progress goes to standard error.

mod curves;
// Tests need other parts of it than curves.
#[allow(dead_code)]
mod lab;

use curves::{Curve, completed, picture, squares};
use lab::member::Order;
use lab::setups::Size;
use lab::trial::{Outcome, Sample, Trial, median};
use std::fs;
use std::path::PathBuf;
use std::time::Instant;

/// A finding: its name, and what finds it.
type Finding = (&'static str, fn(&mut Report, &Options));

/// All findings, in the order of the chapter.
const FINDINGS: [Finding; 7] = [
    ("equal", equal),
    ("crowd", crowd),
    ("order", order),
    ("riders", riders),
    ("classes", classes),
    ("liars", liars),
    ("churn", churn),
];
/// Copies of the content after which the seed of a flash crowd leaves.
const COPIES: f64 = 1.05;

struct Options {
    peers: usize,
    pieces: u32,
    seed: u64,
    links: usize,
    only: String,
}

impl Options {
    fn read() -> Options {
        let given = |name: &str| {
            let value = std::env::args().find_map(|arg| Some(arg.strip_prefix(name)?.strip_prefix('=')?.to_string()));
            value.filter(|value| !value.is_empty())
        };
        let number = |name: &str, usual: u64| match given(name) {
            Some(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text}: a number is expected")),
            None => usual,
        };
        Options {
            peers: number("peers", 1000) as usize,
            pieces: number("pieces", 1000) as u32,
            seed: number("seed", 1),
            links: number("links", 50) as usize,
            only: given("only").unwrap_or_default(),
        }
    }

    /// The swarm that most findings are about: large enough for the ideas to show, small enough for many runs.
    fn hundred(&self) -> Size {
        Size { leechers: 100, pieces: 250, blocks: 4, seed: self.seed, links: self.links }
    }

    /// The largest swarm.
    fn large(&self) -> Size {
        Size { leechers: self.peers, pieces: self.pieces, blocks: 2, seed: self.seed, links: self.links.min(20) }
    }
}

/// What is found.
struct Report {
    folder: PathBuf,
}

impl Report {
    fn row(&mut self, what: &str, figure: String) {
        println!("| {what} | {figure} |");
    }

    fn draw(&mut self, name: &str, svg: String) {
        let path = self.folder.join(name).with_extension("svg");
        fs::write(&path, svg).unwrap_or_else(|error| panic!("can't write {}: {error}", path.display()));
    }

    fn run(&mut self, what: &str, trial: &Trial) -> Outcome {
        let began = Instant::now();
        let outcome = trial.run();
        eprintln!(
            "{what}: {:.0} s of virtual time in {:.1} s; {} events, {} connections",
            outcome.end,
            began.elapsed().as_secs_f64(),
            outcome.events,
            outcome.links
        );
        outcome
    }
}

fn main() {
    let options = Options::read();
    let known = FINDINGS.iter().any(|(name, _)| *name == options.only) || options.only.is_empty();
    assert!(known, "only={}: expected one of {:?}", options.only, FINDINGS.map(|(name, _)| name));
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    let mut report = Report { folder: target.join("laboratory") };
    fs::create_dir_all(&report.folder).expect("the target folder can be written");
    println!("| finding | figure |\n|---|---|");
    for (name, find) in FINDINGS {
        if options.only.is_empty() || options.only == name {
            find(&mut report, &options);
        }
    }
    eprintln!("{}The curves are in {}.", memory(), report.folder.display());
}

/// The most memory that this process had.
fn memory() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().split(' ').next()?.parse::<u64>().ok());
    kib.map_or_else(String::new, |kib| format!("At most {} MiB of memory. ", kib / 1024))
}

/// How a swarm stood over time.
fn curve(name: &str, outcome: &Outcome, of: fn(&Sample) -> f64) -> Curve {
    Curve { name: name.into(), points: outcome.samples.iter().map(|sample| (sample.at, of(sample))).collect() }
}

fn equal(report: &mut Report, options: &Options) {
    let mut curves = Vec::new();
    let small = Size { leechers: 8, pieces: 250, blocks: 4, ..options.hundred() };
    let hundred = Size { pieces: 1000, ..options.hundred() };
    for size in [small, hundred, options.large()] {
        let name = format!("1 + {}", size.leechers);
        let outcome = report.run(&name, &size.equal());
        let bound = outcome.bound();
        let (_, whole) = outcome.counts(0);
        report.row(
            &format!("{name} equal peers, {} pieces: the last is complete", size.pieces),
            format!(
                "{:.2} x the fluid limit of {bound:.0} s; {whole} complete; the seed sent {:.2} copies",
                outcome.last(0) / bound,
                outcome.seeds_sent()
            ),
        );
        let times: Vec<f64> = outcome.times(0).iter().map(|time| time / bound).collect();
        curves.push(completed(&name, &times, size.leechers));
        if size.leechers == options.peers {
            let lines = [
                curve("pieces of a leecher", &outcome, |sample| 100.0 * sample.progress),
                curve("lines in use", &outcome, |sample| 100.0 * sample.used),
                curve("pieces that only the seed has", &outcome, |sample| 100.0 * sample.lone),
            ];
            let title = format!("1 + {}: how the swarm fills its lines", size.leechers);
            report.draw("lines", picture(&title, "seconds", "percent", &lines, Some((bound, "fluid limit"))));
        }
    }
    let mark = Some((1.0, "fluid limit"));
    report.draw("equal", picture("Equal peers", "time / fluid limit", "percent complete", &curves, mark));
}

fn crowd(report: &mut Report, options: &Options) {
    let mut curves = Vec::new();
    let hundred = Size { pieces: 1000, ..options.hundred() };
    let trials = [
        ("stays when complete", hundred, u64::MAX, &[false, true][..]),
        ("leaves when complete", hundred, 0, &[true]),
        ("stays when complete", options.large(), u64::MAX, &[true]),
    ];
    for (name, size, stays, seeds) in trials {
        for &super_seeds in seeds {
            let seed = if super_seeds { "super-seed" } else { "usual seed" };
            let name = format!("1 + {}, {seed}, each {name}", size.leechers);
            let outcome = report.run(&name, &size.flash_crowd(COPIES, super_seeds, stays));
            let (all, whole) = outcome.counts(0);
            report.row(
                &format!("flash crowd, the seed leaves after {COPIES} copies: {name}"),
                format!("{whole} of {all} complete, the last at {:.2} x the limit", outcome.last(0) / outcome.bound()),
            );
            if stays == u64::MAX && size.leechers == 100 {
                curves.push(curve(&format!("{seed}: pieces of a leecher"), &outcome, |sample| 100.0 * sample.progress));
                curves.push(curve("pieces that at most one has", &outcome, |sample| 100.0 * sample.lone));
            }
        }
    }
    let title = "Flash crowd: the seed leaves after little more than one copy";
    report.draw("crowd", picture(title, "seconds", "percent", &curves, None));
}

fn order(report: &mut Report, options: &Options) {
    let (mut progress, mut lone) = (Vec::new(), Vec::new());
    let mut limit = 0.0;
    let orders = [
        ("rarest first", Order::Rarest, false),
        ("rarest first, no suggestions followed", Order::Rarest, true),
        ("random", Order::Random, true),
        ("sequential", Order::Sequential, true),
    ];
    for (name, order, deaf) in orders {
        let outcome = report.run(name, &options.hundred().in_order(order, deaf));
        limit = outcome.bound();
        report.row(
            &format!("order of the pieces: {name}"),
            format!(
                "the last is complete at {:.2} x the limit; the seed sent {:.2} copies",
                outcome.last(0) / limit,
                outcome.seeds_sent()
            ),
        );
        progress.push(curve(name, &outcome, |sample| 100.0 * sample.progress));
        lone.push(curve(name, &outcome, |sample| 100.0 * sample.lone));
    }
    let mark = Some((limit, "fluid limit"));
    report.draw(
        "order",
        picture("What a leecher has, by the order of the pieces", "seconds", "percent", &progress, mark),
    );
    report.draw("lone", picture("Pieces that only the seed has", "seconds", "percent", &lone, mark));
}

fn riders(report: &mut Report, options: &Options) {
    let size = Size { pieces: 500, ..options.hundred() };
    let outcome = report.run("free-riders", &size.with_riders());
    let (honest, riders) = (outcome.times(0), outcome.times(1));
    let before = riders.iter().filter(|time| **time < honest[honest.len() - 1]).count();
    report.row(
        "80 honest leechers and 20 free-riders",
        format!(
            "honest: median {:.0} s, last {:.0} s; riders: first {:.0} s, median {:.0} s; {before} rider(s) before the last honest one",
            median(&honest),
            outcome.last(0),
            riders.first().copied().unwrap_or(f64::INFINITY),
            median(&riders)
        ),
    );
    let curves = [completed("80 that give", &honest, 80), completed("20 free-riders", &riders, 20)];
    report.draw(
        "riders",
        picture("Free-riders", "seconds", "percent complete", &curves, Some((outcome.bound(), "fluid limit"))),
    );
}

/// Of what each class got from leechers: the part that came from each class.
fn shares(outcome: &Outcome) -> Vec<Vec<f64>> {
    let row = |class: usize| {
        let of_class = outcome.fates.iter().filter(|fate| !fate.manners.seeds && fate.manners.class == class);
        let mut sums = [0.0; 3];
        for fate in of_class {
            (0..3).for_each(|from| sums[from] += fate.from_class[from] as f64);
        }
        let all: f64 = sums.iter().sum();
        sums.iter().map(|sum| sum / all).collect()
    };
    (0..3).map(row).collect()
}

fn classes(report: &mut Report, options: &Options) {
    let size = Size { pieces: 500, ..options.hundred() };
    let outcome = report.run("classes", &size.of_classes());
    let names = ["128 KiB/s", "64 KiB/s", "32 KiB/s"];
    let shares = shares(&outcome);
    for (class, row) in shares.iter().enumerate() {
        report.row(
            &format!("leechers of {}: what they got came from the fast, the middle, the slow", names[class]),
            format!(
                "{:.0} %, {:.0} %, {:.0} % (without preference: 57, 29, 14); median {:.0} s",
                row[0] * 100.0,
                row[1] * 100.0,
                row[2] * 100.0,
                median(&outcome.times(class))
            ),
        );
    }
    let title = "Where leechers of each class got their blocks from";
    report.draw("classes", squares(title, "of leechers with", "from leechers with", &names, &shares));
    let curves: Vec<Curve> =
        (0..3).map(|class| completed(names[class], &outcome.times(class), outcome.counts(class).0)).collect();
    report.draw(
        "speeds",
        picture(
            "Leechers of three speeds",
            "seconds",
            "percent complete",
            &curves,
            Some((outcome.bound(), "fluid limit")),
        ),
    );
}

fn liars(report: &mut Report, options: &Options) {
    let mut sums = [[0.0f64; 2]; 4];
    for seed in options.seed..options.seed + 3 {
        let size = Size { seed, ..options.hundred() };
        let kinds = [
            size.equal(),
            size.with(1, size.corrupts(100)),
            size.with(1, size.corrupts(10)),
            size.with(1, size.claims()),
        ];
        for (kind, trial) in kinds.iter().enumerate() {
            let outcome = report.run(&format!("liar {kind}, seed {seed}"), trial);
            let corrupt: u64 = outcome.fates.iter().map(|fate| fate.corrupt).sum();
            sums[kind][0] += outcome.last(0) / 3.0;
            sums[kind][1] += corrupt as f64 / outcome.length as f64 / 3.0;
        }
    }
    let names = ["all blocks are corrupt", "one block in ten is corrupt", "it claims to have all pieces"];
    for (name, [last, corrupt]) in names.iter().zip(&sums[1..]) {
        report.row(
            &format!("a liar among 100: {name} (mean of three seeds)"),
            format!("{:+.1} % time, {corrupt:.2} % of the traffic was corrupt", 100.0 * (last / sums[0][0] - 1.0)),
        );
    }
}

fn churn(report: &mut Report, options: &Options) {
    let mut curves = Vec::new();
    let mut calm = f64::INFINITY;
    for percent in [0.0, 20.0, 50.0] {
        let outcome = report.run(&format!("churn {percent}"), &options.hundred().with_churn(percent));
        let (all, whole) = outcome.counts(0);
        let last = outcome.last(0);
        calm = calm.min(last);
        report.row(
            &format!("{percent:.0} % of the others leave in a minute, and as many come"),
            format!(
                "{whole} of {all} that stay complete, the last at {last:.0} s ({:.2} x without churn)",
                last / calm
            ),
        );
        curves.push(completed(&format!("{percent:.0} % a minute"), &outcome.times(0), all));
    }
    report.draw("churn", picture("Churn: those that stay", "seconds", "percent complete", &curves, None));
}
