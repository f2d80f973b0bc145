//! The figures for Prometheus, in its text format.
//!
//! Floor 4. Pure. <https://prometheus.io/docs/instrumenting/exposition_formats/>

use super::record::{State, Trouble};
use super::records::Records;
use super::rpc::session::Stats;
use std::fmt::Write;

/// The media type of the text.
pub const KIND: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The states with their names, in the order of their numbers.
const STATES: [(State, &str); 7] = [
    (State::Stopped, "stopped"),
    (State::CheckWait, "check_wait"),
    (State::Check, "checking"),
    (State::DownloadWait, "download_wait"),
    (State::Download, "downloading"),
    (State::SeedWait, "seed_wait"),
    (State::Seed, "seeding"),
];

/// Writes the figures of all torrents together. (Figures of each torrent would be too many for a router.)
pub fn write(records: &Records, stats: &Stats) -> String {
    let mut out = String::new();
    // Writing to a String can't fail.
    let mut figure = |name: &str, kind: &str, help: &str, values: &[(&str, u64)]| {
        let _ = writeln!(out, "# HELP swarmlet_{name} {help}\n# TYPE swarmlet_{name} {kind}");
        for (labels, value) in values {
            let _ = writeln!(out, "swarmlet_{name}{labels} {value}");
        }
    };
    let mut counts = [0u64; STATES.len()];
    let (mut troubled, mut peers, mut left) = (0, 0, 0u64);
    for record in records.iter() {
        counts[record.state as usize] += 1;
        troubled += u64::from(record.trouble != Trouble::None);
        peers += record.now.peers as u64;
        left = left.saturating_add(record.now.left);
    }
    let states: Vec<(String, u64)> =
        STATES.iter().map(|(state, name)| (format!("{{state=\"{name}\"}}"), counts[*state as usize])).collect();
    let states: Vec<(&str, u64)> = states.iter().map(|(labels, count)| (labels.as_str(), *count)).collect();
    figure("torrents", "gauge", "Torrents by what they do.", &states);
    figure("torrents_in_trouble", "gauge", "Torrents with an error or a warning.", &[("", troubled)]);
    figure("peers", "gauge", "Connected peers.", &[("", peers)]);
    figure("left_bytes", "gauge", "Wanted bytes that are missing.", &[("", left)]);
    let rates = [("{direction=\"down\"}", stats.down_rate), ("{direction=\"up\"}", stats.up_rate)];
    figure("rate_bytes", "gauge", "Bytes a second.", &rates);
    let sums = [("{direction=\"down\"}", stats.ever.downloaded), ("{direction=\"up\"}", stats.ever.uploaded)];
    figure("transferred_bytes_total", "counter", "Bytes of content over all runs.", &sums);
    figure("uptime_seconds", "gauge", "Seconds since the daemon was started.", &[("", stats.now.seconds)]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::record::Record;

    #[test]
    fn the_figures_are_in_the_format() {
        let mut records = Records::default();
        records.insert(Record { state: State::Seed, ..Record::default() });
        let text = write(&records, &Stats { up_rate: 7, ..Stats::default() });
        assert!(text.contains("# TYPE swarmlet_torrents gauge\nswarmlet_torrents{state=\"stopped\"} 0\n"));
        assert!(text.contains("swarmlet_torrents{state=\"seeding\"} 1\n"));
        assert!(text.contains("swarmlet_rate_bytes{direction=\"up\"} 7\n"));
        assert!(text.lines().all(|line| line.starts_with("# ") || line.split(' ').count() == 2));
        assert!(STATES.iter().enumerate().all(|(at, (state, _))| *state as usize == at));
    }
}
