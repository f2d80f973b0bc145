//! What it costs to fetch the pieces in order, if there are very many.

use super::builds::Builds;
use super::common::process::Process;
use super::common::swarmlet::Get;
use super::common::tools::say;
use super::farm::Farm;
use super::measure::{self, median, per_gib};
use super::repeated::Repeated;
use super::report::{Report, seconds};
use std::fs;
use std::time::Duration;

/// The pieces, and the bytes of each.
const PIECES: usize = 400_000;
const PIECE: usize = 32 * 1024;
/// What is fetched of them. Whatever a search among the pieces costs, it costs at the beginning.
const FETCHED: u64 = 512 << 20;
const SEEDS: usize = 3;
const ROUNDS: usize = 3;
/// The limit of the processor time in order, as a share of that with the rarest first.
const LIMIT: f64 = 1.1;

/// Measures both orders in turn.
pub fn measure(report: &mut Report, builds: &Builds) {
    let mut cpus: [Vec<Duration>; 2] = Default::default();
    for round in 1..=ROUNDS {
        for (number, name) in ["rarest first", "in order"].into_iter().enumerate() {
            let cpu = fetch(builds, number == 1);
            say(&format!("sequential, round {round} of {ROUNDS}: {name}: CPU {} s", seconds(cpu)));
            cpus[number].push(cpu);
        }
    }
    let [rarest, ordered] = cpus.map(|all| per_gib(median(all.into_iter()), FETCHED));
    let ratio = ordered / rarest;
    let verdict = report.verdict("sequential", ratio <= LIMIT);
    let [rarest, ordered] = [rarest, ordered].map(|figure| format!("{figure:.2}"));
    let row =
        vec!["CPU, --sequential".into(), format!("<= {LIMIT:.2}"), rarest, ordered, format!("{ratio:.2}"), verdict];
    let (of, each) = (FETCHED >> 20, PIECE / 1024);
    report.section(&format!("In order: {of} MiB of {PIECES} pieces of {each} KiB from {SEEDS} seeds; CPU s a GiB"));
    report.table(&["target", "of rarest first", "rarest first", "in order", "measured", ""], &[row]);
}

fn fetch(builds: &Builds, sequential: bool) -> Duration {
    let repeated = Repeated::random(PIECE, PIECES);
    let _farm = Farm::of_repeated(&repeated, SEEDS, None, false);
    let scratch = repeated.scratch.path();
    let get = Get::new("get", scratch).program(&builds.default).in_dir(&repeated.copies).torrent(&repeated.torrent);
    let get = if sequential { get.arg("--sequential") } else { get }.arg("--quiet");
    let start = || Process::start("swarmlet", &mut get.command(), scratch);
    let figures = measure::until(&repeated.copy(), FETCHED, start);
    fs::remove_file(repeated.copy()).expect("it is there");
    figures.cpu
}
