//! The programs and the machine. A figure means nothing without them.

use super::builds::Builds;
use super::common::tools::Tool;
use std::fs;
use std::process::Command;
use std::thread;

/// Programs with their versions, processor and kernel, in a few lines.
pub fn describe(builds: &Builds, tools: &[Tool], load: &str) -> String {
    let mut programs = vec![ours(builds)];
    programs.extend(tools.iter().map(|tool| tool.version()).filter(|version| !version.is_empty()));
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown processor", |(_, model)| model);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    // x86 and ARM name the instructions differently.
    let has_sha = info.split_whitespace().any(|word| word == "sha_ni" || word == "sha1");
    let sha = if has_sha { "with SHA instructions" } else { "without SHA instructions" };
    let programs = programs.join(", ");
    format!("{programs}.  \n{cores} cores of {model}, {sha}; Linux {}; load before: {load}.", kernel.trim())
}

/// How many other programs were running at a time in the last minute. They spoil the figures, so the reader should
/// know. Ask before our own builds start.
pub fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split_whitespace().next().unwrap_or("unknown").to_owned()
}

fn ours(builds: &Builds) -> String {
    let output = Command::new(&builds.default).arg("--version").output().expect("the default build starts");
    assert!(output.status.success(), "--version failed");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
