//! How soon a peer is found in a DHT of 40 nodes by us and by libtorrent, and with how many packets. Each node has a
//! host of its own, 20 to 140 ms away; see `dht_net.py`.

use super::builds::Builds;
use super::common::json;
use super::common::tools::{say, skip};
use super::report::Report;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};

/// Lookups of each program.
const LOOKUPS: usize = 100;
/// The least share of lookups that find the peer.
const FOUND: f64 = 0.99;

/// Measures both in one net, at the same time.
pub fn measure(report: &mut Report, builds: &Builds) {
    say("dht: a net of 40 nodes; this takes 3 minutes");
    let scratch = tempfile::tempdir().expect("there is a place for settings");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/common/dht_net.py");
    let mut command = Command::new("python3");
    command.args(["-W", "ignore"]).arg(script).arg(&builds.default).arg(scratch.path()).arg(LOOKUPS.to_string());
    let output = command.stderr(Stdio::inherit()).output().expect("python3 runs");
    let figures = json::objects(&String::from_utf8_lossy(&output.stdout));
    let [ours, theirs] = figures.as_slice() else { return skip("dht: network namespaces can't be made here") };
    assert_eq!(theirs["lookups"], LOOKUPS, "libtorrent looked up too few");
    let times = |of: &Value, what: &str| {
        let mut all: Vec<u64> = of[what].as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
        all.sort_unstable();
        all
    };
    let median = |of: &Value, what: &str| times(of, what).get(LOOKUPS / 2).copied().unwrap_or(u64::MAX);
    let share = |of: &Value| times(of, "first").len() as f64 / LOOKUPS as f64;
    let mut rows = Vec::new();
    let mut row = |what: &str, target: String, theirs: String, ours: String, met: bool| {
        let verdict = report.verdict(&format!("dht, {what}"), met);
        rows.push(vec![what.to_string(), target, theirs, ours, verdict]);
    };
    let [found, of_theirs] = [ours, theirs].map(share);
    row("lookups that find the peer", format!(">= {FOUND}"), of_theirs.to_string(), found.to_string(), found >= FOUND);
    let [first, of_theirs] = [ours, theirs].map(|of| median(of, "first"));
    let name = "ms until the first peer, median";
    row(name, "<= libtorrent".into(), of_theirs.to_string(), first.to_string(), first <= of_theirs);
    // Peers are connected to as soon as they are found. The end comes later than libtorrent's, because twice as many
    // nodes are asked: liars near to the torrent hide less.
    for (name, what) in [("ms until the lookup ends, median", "end"), ("packets and announces, median", "packets")] {
        let [ours, theirs] = [ours, theirs].map(|of| median(of, what).to_string());
        rows.push(vec![name.into(), "-".into(), theirs, ours, String::new()]);
    }
    report.section(&format!("The DHT: {LOOKUPS} lookups of each in a net of 40 nodes, over 20 to 140 ms"));
    report.table(&["target", "", "libtorrent", "swarmlet", ""], &rows);
}
