//! How fast torrents are made and content is checked: beside mktorrent with two threads, beside imdl if it is
//! installed, and from a disk beside `cat`.

use super::builds::Builds;
use super::common::tools::say;
use super::measure::{self, Figures, median};
use super::report::{Report, mib, seconds};
use super::source::{NAME, Source};
use rustix::fs::{Advice, fadvise};
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// The memory limit, in MiB.
const MEMORY: u64 = 8;
/// 2^20: pieces of 1 MiB.
const POWER: &str = "20";

/// A program that is measured: its name, and how it is started on the content.
struct Contender {
    name: &'static str,
    command: Command,
    warm: Vec<Figures>,
    cold: Vec<Figures>,
}

/// Measures `rounds` rounds.
pub fn measure(report: &mut Report, builds: &Builds, source: &Source, rounds: usize) {
    let mut all = contenders(builds, &source.dir);
    for round in 1..=rounds {
        for warm in [true, false] {
            for contender in all.iter_mut().filter(|contender| warm || contender.name != "mktorrent -t 2") {
                prepare(source, warm);
                let figures = measure::command(&mut contender.command);
                let cache = if warm { "in the page cache" } else { "on the disk" };
                let (whole, cpu) = (seconds(figures.whole), seconds(figures.cpu));
                say(&format!("make, round {round} of {rounds}, {cache}: {}: {whole} s, CPU {cpu} s", contender.name));
                if warm { contender.warm.push(figures) } else { contender.cold.push(figures) }
            }
        }
    }
    report.section(&format!(
        "Make and check: {} MiB in pieces of 1 MiB; medians of {rounds} rounds in turn",
        source.size_mib
    ));
    let cell = |figures: &[Figures], value: fn(&Figures) -> Duration| {
        if figures.is_empty() { "-".into() } else { seconds(median(figures.iter().map(value))) }
    };
    let row = |contender: &Contender| {
        let peak = median(contender.warm.iter().map(|figures| figures.peak_kib));
        let warm = cell(&contender.warm, |figures| figures.whole);
        let cpu = cell(&contender.warm, |figures| figures.cpu);
        vec![contender.name.into(), warm, cpu, cell(&contender.cold, |figures| figures.whole), mib(peak)]
    };
    let rows: Vec<Vec<String>> = all.iter().map(row).collect();
    report.table(&["program", "in the page cache s", "CPU s", "from the disk s", "peak RSS MiB"], &rows);
    println!();
    judge(report, &all);
}

fn judge(report: &mut Report, all: &[Contender]) {
    let find = |name: &str| all.iter().find(|contender| contender.name == name);
    let time = |name: &str| find(name).map(|found| median(found.warm.iter().map(|f| f.whole)).as_secs_f64());
    let cold = |name: &str| find(name).map(|found| median(found.cold.iter().map(|f| f.whole)).as_secs_f64());
    let slower = |name: &str| cold("cat").zip(time(name)).map(|(cat, warm)| cat.max(warm));
    let mut rows = Vec::new();
    for (what, one, other, limit) in [
        ("make, of mktorrent -t 2", time("make"), time("mktorrent -t 2"), 1.0),
        ("make, portable, of imdl", time("make, portable"), time("imdl"), 0.6),
        ("check, of make", time("check"), time("make"), 1.1),
        ("check, portable, of make", time("check, portable"), time("make, portable"), 1.1),
        // If the processor hashes more slowly than the disk reads, that time counts.
        ("make from the disk, of cat or of the page cache", cold("make"), slower("make"), 1.05),
        (
            "make, portable, from the disk, of cat or of the page cache",
            cold("make, portable"),
            slower("make, portable"),
            1.05,
        ),
    ] {
        let (Some(one), Some(other)) = (one, other) else {
            rows.push(vec![what.into(), format!("<= {limit:.2}"), "not here".into(), String::new()]);
            continue;
        };
        let ratio = one / other;
        let verdict = report.verdict(what, ratio <= limit);
        rows.push(vec![what.into(), format!("<= {limit:.2}"), format!("{ratio:.2}"), verdict]);
    }
    for contender in
        all.iter().filter(|contender| contender.name.starts_with("make") || contender.name.starts_with("check"))
    {
        let peak = median(contender.warm.iter().map(|figures| figures.peak_kib));
        let what = format!("peak RSS of {}", contender.name);
        let verdict = report.verdict(&what, peak <= MEMORY * 1024);
        rows.push(vec![what, format!("<= {MEMORY} MiB"), mib(peak), verdict]);
    }
    report.table(&["target", "limit", "measured", ""], &rows);
}

fn contenders(builds: &Builds, dir: &Path) -> Vec<Contender> {
    let mut all = Vec::new();
    let mut add = |name: &'static str, program: &Path, args: &[&str]| {
        let mut command = Command::new(program);
        command.args(args).current_dir(dir).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        all.push(Contender { name, command, warm: Vec::new(), cold: Vec::new() });
    };
    let make = ["make", "--force", "-l", POWER, "-o", "made.torrent", NAME];
    let check = ["check", "checked.torrent"];
    // mktorrent does not replace files.
    let mktorrent = format!("rm -f mk.torrent; exec mktorrent -t 2 -l {POWER} -o mk.torrent {NAME}");
    add("mktorrent -t 2", Path::new("sh"), &["-c", &mktorrent]);
    if Command::new("imdl").arg("--version").output().is_ok() {
        add("imdl", Path::new("imdl"), &["torrent", "create", "-f", "-p", "1MiB", "-i", NAME, "-o", "imdl.torrent"]);
    }
    add("make", &builds.default, &make);
    add("make, portable", &builds.portable, &make);
    add("check", &builds.default, &check);
    add("check, portable", &builds.portable, &check);
    add("cat", Path::new("cat"), &[NAME]);
    let first = Command::new(&builds.default)
        .args(["make", "--quiet", "--force", "-l", POWER, "-o", "checked.torrent", NAME])
        .current_dir(dir)
        .status();
    assert!(first.is_ok_and(|status| status.success()), "a torrent to check against can be made");
    all
}

/// Puts the content into the page cache, or takes it out.
fn prepare(source: &Source, warm: bool) {
    let mut file = File::open(source.dir.join(NAME)).expect("the content is there");
    if warm {
        std::io::copy(&mut file, &mut std::io::sink()).expect("the content can be read");
    } else {
        file.sync_all().expect("the content is on the disk");
        fadvise(&file, 0, None, Advice::DontNeed).expect("the cache can be told");
    }
}
