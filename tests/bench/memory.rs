//! How small in memory: the peak of the default build with one peer and with fifty, with small pieces and large.

use super::builds::Builds;
use super::common::tools::say;
use super::common::torrent::Torrent;
use super::farm::Farm;
use super::measure::{self, Figures};
use super::report::{Report, mib, seconds};
use super::source::{NAME, Source, Swarm};

const MIB: u64 = 1 << 20;
/// Targets, in MiB.
const WITH_ONE: u64 = 8;
const WITH_FIFTY: u64 = 14;
/// The default limit of `get` for connections.
const MANY: usize = 50;

/// The seeds.
#[derive(Clone, Copy)]
enum Givers {
    /// One libtorrent.
    One,
    /// Fifty, from slow to fast, all busy from beginning to end.
    Uneven,
    /// Fifty, each as fast as it can.
    Unbridled,
}

/// Measures everything.
pub fn measure(report: &mut Report, builds: &Builds, source: &mut Source) {
    let mut rows = Vec::new();
    for givers in [Givers::One, Givers::Uneven, Givers::Unbridled] {
        for piece_mib in [1, 16] {
            let (what, limit) = match givers {
                Givers::One => ("1 peer (libtorrent)", WITH_ONE),
                Givers::Uneven => ("50 peers of 1 to 4 MiB/s", WITH_FIFTY),
                Givers::Unbridled => ("50 peers without limit", WITH_FIFTY),
            };
            let (figures, gave) = fetch(source, builds, givers, piece_mib);
            let peak = mib(figures.peak_kib);
            let what = format!("{what}, pieces of {piece_mib} MiB");
            say(&format!("memory: {what}: {peak} MiB"));
            let verdict = report.verdict(&format!("memory, {what}"), figures.peak_kib <= limit * 1024);
            let (cpu, whole) = (seconds(figures.cpu), seconds(figures.whole));
            rows.push(vec![what, format!("<= {limit}"), peak, verdict, gave, cpu, whole]);
        }
    }
    // One piece of 16 MiB is five times what may be under way, and more than the whole process may take.
    let what = "Memory: peak of the default build, with the default --memory auto (3 MiB under way: no peer is far), while it fetches";
    report.section(&format!("{what} {} MiB", source.size_mib));
    report.table(&["target", "MiB", "measured", "", "at once (gave)", "CPU s", "start to end s"], &rows);
}

/// One transfer, and the number of peers that were connected at a time and that sent something.
fn fetch(source: &mut Source, builds: &Builds, givers: Givers, piece_mib: u64) -> (Figures, String) {
    let mut swarm = source.swarm();
    let torrent = if piece_mib == 1 { &source.torrent } else { &source.torrent_16 };
    let copy = swarm.copies.join(NAME);
    let result = match givers {
        Givers::One => {
            let _seed = swarm.libtorrent_seed(source, torrent);
            let start = || swarm.get(&builds.default, torrent);
            (measure::leecher(&copy, source.bytes(), start), "1 (1)".into())
        }
        Givers::Uneven | Givers::Unbridled => {
            let farm = farm(&mut swarm, source, torrent, piece_mib, givers);
            let figures = measure::leecher(&copy, source.bytes(), || swarm.get(&builds.default, torrent));
            let at_once = farm.most_connected();
            assert_eq!(at_once, MANY, "not all peers were connected at a time");
            (figures, format!("{at_once} ({})", farm.givers()))
        }
    };
    source.assert_same_in(&swarm.copies);
    result
}

fn farm(swarm: &mut Swarm, source: &Source, torrent: &Torrent, piece_mib: u64, givers: Givers) -> Farm {
    let rate: fn(usize) -> Option<u64> = match givers {
        Givers::Uneven => |number| Some((1 + number as u64 % 4) * MIB),
        Givers::One | Givers::Unbridled => |_| None,
    };
    let farm = Farm::start(source, torrent, piece_mib * MIB, MANY, rate);
    farm.announce(swarm.address);
    swarm.tracker.wait_for_seeds(torrent, MANY, || ());
    farm
}
