//! How soon a download by a link begins: the description of a torrent comes from libtorrent, then the content. The
//! moments are those of our program's own log, which has a line for each message.

use super::builds::Builds;
use super::common::peers::{Plan, Program};
use super::common::swarmlet::Get;
use super::common::tools::say;
use super::common::wait::{PATIENCE, wait_until};
use super::measure::median;
use super::repeated::Repeated;
use super::report::Report;
use std::fs;
use std::time::Duration;

/// A description of 60 KiB: 20 bytes for each piece.
const PIECE: usize = 16 << 10;
const PIECES: usize = 60 * 1024 / 20;
/// Targets: from the handshake to the last block of the description, and from there to the first block of content.
const DESCRIPTION: Duration = Duration::from_millis(500);
const CONTENT: Duration = Duration::from_secs(1);
/// It is over so soon that many rounds are cheap.
const MORE_ROUNDS: usize = 3;

/// Measures both, several times a round.
pub fn measure(report: &mut Report, builds: &Builds, rounds: usize) {
    let repeated = Repeated::random(PIECE, PIECES);
    let source = repeated.scratch.path().join("source");
    fs::create_dir(&source).expect("the folder is new");
    fs::write(source.join(super::repeated::NAME), repeated.piece.repeat(PIECES))
        .expect("there is room for the content");
    let plan = Plan::seed(Program::Libtorrent, &repeated.torrent, &source, repeated.scratch.path());
    let mut seed = plan.start();
    repeated.tracker.wait_for_a_seed(&repeated.torrent.info_hash, || seed.must_run());
    let link = repeated.torrent.link(&format!("&x.pe={}", plan.address()));
    let took: Vec<(Duration, Duration)> = (0..MORE_ROUNDS * rounds)
        .map(|round| {
            let name = format!("leecher {round}");
            let get = Get::new(&name, repeated.scratch.path()).program(&builds.default).arg(&link).arg("-vvv");
            let get = get.arg("--state").arg(get_states(&repeated, round));
            let mut running = get.start();
            let mut moments = None;
            wait_until("the first block has come", PATIENCE, || {
                running.must_run();
                moments = Moments::read(&running.stderr());
                moments.is_some()
            });
            let moments = moments.expect("it is there");
            let both = (moments.described - moments.met, moments.content.saturating_sub(moments.described));
            say(&format!("magnet: description {} ms, then content {} ms", both.0.as_millis(), both.1.as_millis()));
            both
        })
        .collect();
    let mut rows = Vec::new();
    let kib = repeated.torrent.info_length() / 1024;
    for (what, target, each) in [
        (format!("{kib} KiB of description from one peer, after its handshake"), DESCRIPTION, column(&took, |t| t.0)),
        ("first block of content, after the last of the description".into(), CONTENT, column(&took, |t| t.1)),
    ] {
        let worst = each.iter().copied().max().expect("there is a round");
        let verdict = report.verdict(&format!("magnet, {what}"), worst <= target);
        let median = median(each.into_iter());
        let [worst, median] = [worst, median].map(|time| time.as_millis().to_string());
        rows.push(vec![what, format!("<= {}", target.as_millis()), worst, median, verdict]);
    }
    report
        .section(&format!("A link: how soon the download begins, from libtorrent over loopback, {} runs", took.len()));
    report.table(&["target", "ms", "longest ms", "median ms", ""], &rows);
}

/// Each run has states of its own, because otherwise the second would know the description.
fn get_states(repeated: &Repeated, round: usize) -> std::path::PathBuf {
    repeated.scratch.path().join(format!("states {round}"))
}

fn column(took: &[(Duration, Duration)], of: fn(&(Duration, Duration)) -> Duration) -> Vec<Duration> {
    took.iter().map(of).collect()
}

/// When what happened, by the log.
struct Moments {
    /// The peer shook hands.
    met: Duration,
    /// The last block of the description came.
    described: Duration,
    /// The first block of the content came.
    content: Duration,
}

impl Moments {
    /// Reads the log; `None` if not all has happened.
    fn read(log: &str) -> Option<Moments> {
        let first = |what: &str| log.lines().filter(|line| line.contains(what)).find_map(moment);
        let content = first(" > piece ")?;
        // Its messages with our id of descriptions: they all come before the content.
        let described = log.lines().filter(|line| line.contains(" > extended 2 ")).filter_map(moment).next_back()?;
        Some(Moments { met: first(" > handshake ")?, described, content })
    }
}

/// The seconds at the beginning of a line.
fn moment(line: &str) -> Option<Duration> {
    line.split_whitespace().next()?.parse().ok().map(Duration::from_secs_f64)
}
