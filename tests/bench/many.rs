//! `many` with thousands of torrents: what its start costs, what it keeps of each, and what is left of those that went.

use super::builds::Builds;
use super::common::bencode::Value;
use super::common::lan::{Addresses, Lan};
use super::common::ports::free_port;
use super::common::process::Process;
use super::common::tools::say;
use super::common::torrent::sha1;
use super::common::wait::{PATIENCE, wait_until};
use super::crowd;
use super::idle::switches;
use super::measure::{self, peak_memory, resident};
use super::report::{Report, mib, seconds};
use rustix::process::Signal;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// So many torrents, a few less than `many` takes, and so few to compare with.
const MANY: usize = 19_900;
const FEW: usize = 1_000;
/// Bytes of the content of a small torrent, which is sparse, and of all pieces.
const SMALL: u64 = 64 * 1024;
const PIECE: u64 = 16 * 1024;
/// Pieces of a large torrent, of whose content nothing is there.
const LARGE_PIECES: u64 = 2_000;
/// The content that is served beside the idle torrents, and how fast, in bytes a second.
const SERVED: u64 = 64 << 20;
const SPEED: u64 = 8 << 20;
/// It costs little, so several transfers are added up.
const ROUNDS: usize = 4;
/// The torrents that come and go: rounds, and how many in each.
const SMALL_ROUNDS: (usize, usize) = (8, 1_000);
const LARGE_ROUNDS: (usize, usize) = (10, 100);
/// A process has done what it had to do when no thread has run for this long. At a start, states are saved after five
/// seconds.
const STARTED: Duration = Duration::from_secs(7);
const CHANGED: Duration = Duration::from_millis(1500);
/// Longer than any of this takes.
const DEADLINE: Duration = Duration::from_secs(180);
/// In this time all torrents are announced in the local network, most of them twice.
const SEARCHED: Duration = Duration::from_secs(90);
/// Targets: the memory of [`FEW`] torrents with all that finds peers, in KiB; CPU of a start without and with states,
/// in seconds; bytes that a torrent takes; the CPU of a transfer over that of the same alone, in hundredths; the growth
/// after the first round, in KiB.
const EVERYTHING: u64 = 12 << 10;
const COLD: u64 = 5;
const WARM: u64 = 2;
const EACH: u64 = 3 * 1024;
const TRANSFER: u128 = 105;
const GROWTH: u64 = 1024;

/// Measures everything.
pub fn measure(report: &mut Report, builds: &Builds) {
    let scratch = tempfile::tempdir().expect("a folder for thousands of torrents");
    let (few, many) = (Stage::new(scratch.path(), "few", FEW), Stage::new(scratch.path(), "many", MANY));
    let mut rows = Vec::new();
    let mut row = |report: &mut Report, what: &str, target: String, measured: String, met: bool| {
        say(&format!("many: {what}: {measured}"));
        rows.push(vec![what.to_string(), target, measured, report.verdict(&format!("many, {what}"), met)]);
    };
    let (small, cold) = (few.start(builds).1, many.start(builds).1);
    if let Some(kib) = few.search(builds) {
        let what = format!("memory of {FEW} idle ones, with the search in the local network, MiB");
        row(report, &what, format!("<= {}", EVERYTHING / 1024), mib(kib), kib <= EVERYTHING);
    }
    let each = (cold.peak_kib - small.peak_kib) * 1024 / (MANY - FEW) as u64;
    let (met, cpu) = (cold.cpu <= Duration::from_secs(COLD), seconds(cold.cpu));
    row(report, "start without states, CPU s", format!("<= {COLD}"), cpu, met);
    let (mut process, warm) = many.start(builds);
    let (met, cpu) = (warm.cpu <= Duration::from_secs(WARM), seconds(warm.cpu));
    row(report, "start with states, CPU s", format!("<= {WARM}"), cpu, met);
    row(report, "peak memory of each, bytes", format!("<= {EACH}"), each.to_string(), each <= EACH);
    let mut alone = Stage::new(scratch.path(), "alone", 0);
    let mut one = alone.start(builds).0;
    let [of_many, of_one] = [many.prepare(&mut process), alone.prepare(&mut one)];
    let mut cpu = [Duration::ZERO; 2];
    for _ in 0..ROUNDS {
        // Both at once, so that whatever else this machine does slows down both.
        let both = thread::scope(|scope| {
            let many = scope.spawn(|| many.serve(&process, &of_many));
            let alone = scope.spawn(|| alone.serve(&one, &of_one));
            [many, alone].map(|thread| thread.join().expect("it said what was wrong"))
        });
        say(&format!("many: CPU of a transfer: {} ms, alone {} ms", both[0].as_millis(), both[1].as_millis()));
        (cpu[0], cpu[1]) = (cpu[0] + both[0], cpu[1] + both[1]);
    }
    drop((process, one));
    let ratio = cpu[0].as_micros() * 100 / cpu[1].as_micros().max(1);
    let measured = format!("{}.{:02} x", ratio / 100, ratio % 100);
    let what = format!("CPU of {ROUNDS} x {} MiB at {} MiB/s, over alone", SERVED >> 20, SPEED >> 20);
    row(report, &what, format!("<= {}.{:02} x", TRANSFER / 100, TRANSFER % 100), measured, ratio <= TRANSFER);
    alone = Stage::new(scratch.path(), "come and go", 100);
    let mut process = alone.start(builds).0;
    for (what, (rounds, count), pieces) in
        [("small", SMALL_ROUNDS, SMALL / PIECE), ("large", LARGE_ROUNDS, LARGE_PIECES)]
    {
        let kept: Vec<u64> = (0..rounds).map(|_| alone.come_and_go(&mut process, count, pieces)).collect();
        let growth = kept[rounds - 1].saturating_sub(kept[0]);
        let (what, all) = (format!("{} {what} ones come and go, growth in MiB", rounds * count), GROWTH / 1024);
        row(report, &what, format!("<= {all}"), mib(growth), growth <= GROWTH);
    }
    report.section(&format!("Many torrents: `many --quiet` with {MANY} torrents of {} KiB", SMALL / 1024));
    report.table(&["target", "", "measured", ""], &rows);
}

/// A start of `many`.
struct Start {
    cpu: Duration,
    peak_kib: u64,
}

/// Torrents, their content and the states.
struct Stage {
    dir: PathBuf,
    port: u16,
}

impl Stage {
    fn new(scratch: &Path, name: &str, count: usize) -> Stage {
        let stage = Stage { dir: scratch.join(name), port: free_port() };
        for folder in ["torrents", "content", "states", "logs"] {
            fs::create_dir_all(stage.dir.join(folder)).expect("a folder can be made");
        }
        (0..count).for_each(|number| drop(stage.add(&format!("stays {number}"), SMALL / PIECE, true)));
        stage
    }

    /// Adds a torrent of this many pieces of zeros. Returns its file and its info-hash.
    fn add(&self, name: &str, pieces: u64, has_content: bool) -> (PathBuf, [u8; 20]) {
        if has_content {
            let file = File::create(self.dir.join("content").join(name)).expect("content can be made");
            file.set_len(pieces * PIECE).expect("it is sparse");
        }
        let hashes = sha1(&[0; PIECE as usize]).repeat(pieces as usize);
        let info = dict([
            ("length", Value::Int((pieces * PIECE) as i64)),
            ("name", Value::text(name)),
            ("piece length", Value::Int(PIECE as i64)),
            ("pieces", Value::Bytes(hashes)),
        ]);
        let info_hash = sha1(&info.encode());
        let (half, whole) = (self.dir.join(name), self.dir.join("torrents").join(format!("{name}.torrent")));
        fs::write(&half, dict([("info", info)]).encode()).expect("a torrent can be made");
        fs::rename(half, &whole).expect("it can be moved");
        (whole, info_hash)
    }

    /// The command line of `many`.
    fn command(&self, builds: &Builds) -> Command {
        let mut command = Command::new(&builds.default);
        command.args(["many", "--quiet", "--port", &self.port.to_string()]);
        command.arg("--state").arg(self.dir.join("states")).arg("--dir").arg(self.dir.join("content"));
        command.args(["--no-dht", "--no-port-mapping"]).arg(self.dir.join("torrents"));
        command
    }

    /// The memory that `many` takes after it has searched for peers of all torrents in a network of its own, in KiB.
    /// `None` if networks can't be made here.
    fn search(&self, builds: &Builds) -> Option<u64> {
        let lan = Lan::new(Addresses::Both)?;
        let mut process =
            Process::start("swarmlet", &mut lan.command(0, &self.command(builds)), &self.dir.join("logs"));
        // Here the time itself is measured.
        thread::sleep(SEARCHED);
        process.must_run();
        assert!(searches(process.id()), "it has no thread for the local network");
        Some(resident(process.id()))
    }

    /// Starts `many`, and waits until it has nothing to do.
    fn start(&self, builds: &Builds) -> (Process, Start) {
        let mut command = self.command(builds);
        command.arg("--no-lsd");
        let mut process = Process::start("swarmlet", &mut command, &self.dir.join("logs"));
        quiet(&mut process, STARTED);
        let start = Start { cpu: measure::cpu(process.id()), peak_kib: peak_memory(process.id()) };
        (process, start)
    }

    /// Adds one more torrent, to be served. Returns its info-hash.
    fn prepare(&self, process: &mut Process) -> [u8; 20] {
        let (_, info_hash) = self.add("served", SERVED / PIECE, true);
        process.signal(Signal::HUP);
        quiet(process, STARTED);
        info_hash
    }

    /// Serves it at a moderate speed. Returns what that costs.
    fn serve(&self, process: &Process, info_hash: &[u8; 20]) -> Duration {
        // The threads of an earlier connection end meanwhile.
        thread::sleep(CHANGED);
        let before = measure::cpu_of_threads(process.id());
        let seed = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        // While the connection is open, its threads are there to be asked.
        let _connection = crowd::fetch_slowly(seed, info_hash, SERVED, SPEED);
        measure::cpu_of_threads(process.id()) - before
    }

    /// Adds torrents and removes them. Returns the memory that the process takes then, in KiB.
    fn come_and_go(&self, process: &mut Process, count: usize, pieces: u64) -> u64 {
        let of_round = |number: usize| self.add(&format!("goes {pieces} {number}"), pieces, pieces < LARGE_PIECES).0;
        let files: Vec<PathBuf> = (0..count).map(of_round).collect();
        process.signal(Signal::HUP);
        quiet(process, CHANGED);
        files.iter().for_each(|file| fs::remove_file(file).expect("it is there"));
        process.signal(Signal::HUP);
        quiet(process, CHANGED);
        resident(process.id())
    }
}

fn dict<const N: usize>(entries: [(&'static str, Value); N]) -> Value {
    Value::Dict(entries.into())
}

/// Whether a process has a thread for the local network.
fn searches(id: u32) -> bool {
    let tasks = fs::read_dir(format!("/proc/{id}/task")).expect("the process runs").flatten();
    let mut names = tasks.filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
    names.any(|name| name.trim() == "lsd")
}

/// Waits until no thread has run for `time`. (One of them looks at the folder every few seconds.)
pub fn quiet(process: &mut Process, time: Duration) {
    let (mut last, mut since) = (0, Instant::now());
    wait_until("many has nothing to do", DEADLINE.max(PATIENCE), || {
        process.must_run();
        let now = switches(process.id());
        if now > last + 3 {
            (last, since) = (now, Instant::now());
        }
        since.elapsed() >= time
    });
}
