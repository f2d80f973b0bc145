//! The tracker over UDP beside aquatic_udp, under its own load tester, which sends as much as is answered.

use super::common::ports::free_port;
use super::common::process::Process;
use super::common::tools::{Tool, here, say};
use super::measure::cpu;
use super::report::Report;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

/// How long each one is loaded in a round, in seconds. At first most announces are of new peers.
const SECONDS: u32 = 7;
/// How long a tracker has to bind its socket. There is no sign of it over UDP that both give.
const STARTING: Duration = Duration::from_secs(1);

/// Measures `swarmlet`. They take turns, and who is first alternates.
pub fn measure(report: &mut Report, swarmlet: &Path, rounds: usize) {
    report.section(&format!("Tracker under aquatic_udp_load_test: answers a second, median of {rounds} rounds"));
    if !here(&[Tool::Aquatic, Tool::AquaticLoadTest]) {
        println!("Not measured: aquatic_udp or aquatic_udp_load_test is not installed.");
        return;
    }
    let scratch = tempfile::tempdir().expect("there is a place for temporary files");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        for is_ours in [round % 2 == 0, round % 2 != 0] {
            let figures = load(is_ours.then_some(swarmlet), scratch.path());
            if is_ours { ours.push(figures) } else { theirs.push(figures) }
        }
    }
    let ratios: Vec<f64> = ours.iter().zip(&theirs).map(|((ours, _), (theirs, _))| ours / theirs).collect();
    let ratio = median(ratios);
    let what = "UDP";
    let verdict = report.verdict("UDP beside aquatic_udp", ratio >= 1.0);
    let rate = |figures: &[(f64, f64)]| format!("{:.0}", median(figures.iter().map(|(rate, _)| *rate).collect()));
    let each = |figures: &[(f64, f64)]| median(figures.iter().map(|(_, cpu_each)| *cpu_each).collect());
    let mut rows =
        vec![vec![what.into(), rate(&theirs), rate(&ours), format!("{ratio:.2} (of each round), target 1"), verdict]];
    // There is no target. Other programs on the machine disturb this figure less than the rate.
    let (them, us, what) = (each(&theirs), each(&ours), "CPU microseconds an answer (less is better)");
    rows.push(vec![what.into(), format!("{them:.2}"), format!("{us:.2}"), format!("{:.2}", them / us), String::new()]);
    report.table(&["what", "aquatic_udp", "swarmlet", "ratio", ""], &rows);
}

/// Loads ours, or aquatic_udp: answers a second, and CPU microseconds of each.
fn load(swarmlet: Option<&Path>, scratch: &Path) -> (f64, f64) {
    let port = free_port();
    let mut command = match swarmlet {
        Some(program) => {
            let mut command = Command::new(program);
            command.args(["track", "--quiet", "--port", &port.to_string()]);
            command
        }
        None => {
            let config = scratch.join("aquatic.toml");
            let text = format!("[network]\naddress = \"127.0.0.1:{port}\"\n");
            fs::write(&config, text).expect("the configuration can be written");
            let mut command = Command::new("aquatic_udp");
            command.arg("-c").arg(config);
            command
        }
    };
    let mut tracker = Process::start("tracker", &mut command, scratch);
    thread::sleep(STARTING);
    tracker.must_run();
    let config = scratch.join("load.toml");
    let requests = "[requests]\nnumber_of_torrents = 10000\nnumber_of_peers = 100000\n";
    // Its extra statistics only take its own time.
    let head = format!("server_address = \"127.0.0.1:{port}\"\nduration = {SECONDS}\nextra_statistics = false\n");
    fs::write(&config, head + requests).expect("the configuration can be written");
    let before = cpu(tracker.id());
    let output = Command::new("aquatic_udp_load_test").arg("-c").arg(config).output().expect("the load tester runs");
    let used = cpu(tracker.id()) - before;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let number = |after: &str| -> f64 {
        let words = text.split_once(after).and_then(|(_, rest)| rest.split_whitespace().next());
        words.and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("it does not say {after:?}: {text}"))
    };
    let rate = number("Average responses per second:");
    let cpu_each = used.as_secs_f64() * 1e6 / (rate * number("Test ran for"));
    let name = if swarmlet.is_some() { "swarmlet" } else { "aquatic_udp" };
    say(&format!("tracker: UDP, load tester of aquatic: {name}: {rate:.0}/s, {cpu_each:.2} CPU us each"));
    (rate, cpu_each)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
