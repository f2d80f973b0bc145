//! A router in a box: the daemon, transmission-daemon and aria2 with the memory and the processor of a small router.
//!
//! Each gets the same torrents, of which a tenth is active, and the same peers outside of the box (libtorrent). It is
//! asked for the list of all torrents every two seconds. What it knew before, such as which content is verified, it
//! learned outside of the box.

use super::boxed_programs::{MOST_ACTIVE, Program, Running};
use super::builds::Builds;
use super::common::bencode::Value;
use super::common::group::Group;
use super::common::libtorrent;
use super::common::ports::free_port;
use super::common::process::Process;
use super::common::tools::say;
use super::common::torrent::{Torrent, sha1};
use super::common::tracker::Tracker;
use super::common::wait::wait_until;
use super::measure::{cpu, peak_memory};
use super::repeated::dict;
use super::report::{Report, mib, seconds};
use rustix::fs::{Advice, fadvise};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The memory of the box, in MiB, with the page cache, and its part of a core, in hundredths. In the second box the
/// others can work, too.
const MEMORY: [usize; 2] = [32, 64];
const PROCESSOR: u64 = 25;
/// All torrents, and those that download and that seed.
const TORRENTS: usize = 200;
const EACH_WAY: usize = MOST_ACTIVE / 2;
/// Their pieces, and the sizes: an active one, so that each way moves 1 GiB, and an idle one.
const PIECE: usize = 512 << 10;
const ACTIVE: usize = 205 * PIECE;
const IDLE: usize = 64 << 10;
/// The longest time, and how often the list is asked for.
const MOST_TIME: Duration = Duration::from_secs(120);
const POLL_EVERY: Duration = Duration::from_secs(2);
/// The daemon's memory in KiB.
const MOST_RESIDENT: u64 = 12 << 10;
/// What comes at once is compared at once.
const BLOCK: usize = 16 << 10;
/// Longer than a program takes to end.
const ENDED: Duration = Duration::from_secs(60);

/// Measures everything.
pub fn measure(report: &mut Report, builds: &Builds) {
    let stage = Stage::new();
    let programs = [Program::Ours(builds.default.clone()), Program::Transmission, Program::Aria2];
    for memory in MEMORY {
        let mut runs = Vec::new();
        for program in &programs {
            let Some(group) = Group::with_processor(memory << 20, PROCESSOR) else { return };
            runs.push(stage.run(program, &group));
        }
        show(report, memory, &runs);
    }
}

/// Writes the table of a box of so many MiB. Ours comes first.
fn show(report: &mut Report, memory: usize, runs: &[Run]) {
    // Until the first of them was done, or the time was over.
    let time = runs.iter().filter(|run| run.is_done).map(|run| run.whole).min().unwrap_or(MOST_TIME);
    let moved: Vec<u64> = runs.iter().map(|run| run.moved_until(time)).collect();
    let mut rows = Vec::new();
    for (run, moved) in runs.iter().zip(&moved) {
        let whole = match (run.is_done, run.kills) {
            (true, _) => seconds(run.whole),
            (false, 0) => format!("not in {}", MOST_TIME.as_secs()),
            (false, _) => format!("killed after {}", seconds(run.whole)),
        };
        rows.push(vec![
            run.name.clone(),
            (moved >> 20).to_string(),
            format!("{}; {}", run.received >> 20, run.sent >> 20),
            whole,
            seconds(run.cpu),
            mib(run.peak_kib),
            run.slowest.as_millis().to_string(),
            run.kills.to_string(),
        ]);
    }
    let ours = &runs[0];
    let more = moved[1..].iter().all(|theirs| moved[0] > *theirs);
    let targets = [
        ("more bytes than the others", more),
        ("all arrives", ours.is_done),
        ("memory", ours.peak_kib <= MOST_RESIDENT),
        ("not killed", ours.kills == 0),
    ];
    for (what, met) in targets {
        report.verdict(&format!("box of {memory} MiB, {what}"), met);
    }
    report.section(&format!(
        "A router in a box: {memory} MiB of memory with the page cache, {PROCESSOR} % of a core, {TORRENTS} torrents, \
         {MOST_ACTIVE} of them active"
    ));
    let until = format!("MiB in the first {} s", time.as_secs());
    let head = ["program", &until, "down; up MiB in all", "all s", "CPU s", "peak RSS MiB", "slowest list ms", "kills"];
    report.table(&head, &rows);
}

/// The torrents and their content. What peers have lies in `source`.
struct Stage {
    scratch: TempDir,
    source: PathBuf,
    /// The tracker of all torrents, which introduces nobody.
    _tracker: Tracker,
    /// First those that download, then those that seed, then the idle ones.
    torrents: Vec<Torrent>,
}

/// What a program did.
struct Run {
    name: String,
    is_done: bool,
    /// Until all was done, or the time was over.
    whole: Duration,
    /// Bytes that arrived and are right, and that peers have, at the end.
    received: u64,
    sent: u64,
    /// The sum of both at some times.
    seen: Vec<(Duration, u64)>,
    cpu: Duration,
    peak_kib: u64,
    slowest: Duration,
    kills: u64,
}

impl Run {
    fn moved_until(&self, time: Duration) -> u64 {
        self.seen.iter().rfind(|(at, _)| *at <= time).map_or(0, |(_, moved)| *moved)
    }
}

impl Stage {
    fn new() -> Stage {
        let scratch = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("there is a place for large files");
        let source = scratch.path().join("source");
        fs::create_dir(&source).expect("the folder is new");
        let tracker = Tracker::start();
        // With one rule, nobody else is told of anybody: who connects to whom is the same for all programs.
        tracker.introduce_only(0, tracker.address());
        // Of an address that ends so, no program asks for numbers of peers besides.
        let announce = format!("{}/1", tracker.url());
        say("box: making 2 GiB of content");
        let torrents = (0..TORRENTS).map(|number| {
            let (kind, size) = match number {
                ..EACH_WAY => ("down", ACTIVE),
                _ if number < 2 * EACH_WAY => ("up", ACTIVE),
                _ => ("idle", IDLE),
            };
            let (content, folder) = (source.join(name(number)), scratch.path().join(kind));
            fs::create_dir_all(&folder).expect("the folder can be made");
            let random = File::open("/dev/urandom").expect("the kernel has random bytes");
            let mut file = File::create(&content).expect("content can be made");
            io::copy(&mut random.take(size as u64), &mut file).expect("there is room for it");
            let file = folder.join(format!("{number}.torrent"));
            make(&content, &announce, &file);
            Torrent::read(&file)
        });
        let torrents = torrents.collect();
        Stage { source, torrents, scratch, _tracker: tracker }
    }

    /// Runs a program with a folder of its own.
    fn run(&self, program: &Program, group: &Group) -> Run {
        let scratch = self.scratch.path().join(program.name());
        let (dir, copies) = (scratch.join("content"), scratch.join("copies"));
        // A program that the kernel killed in the last round may have left files.
        let _ = fs::remove_dir_all(&scratch);
        for folder in [&dir, &copies] {
            fs::create_dir_all(folder).expect("the folder can be made");
        }
        for number in EACH_WAY..TORRENTS {
            let name = name(number);
            fs::hard_link(self.source.join(&name), dir.join(&name)).expect("it is the same disk");
        }
        let mut running = Running::prepare(program, &self.torrents, &dir, &scratch);
        say(&format!("box: {}", program.name()));
        // What is in the page cache already would not be counted.
        (EACH_WAY..TORRENTS).for_each(|number| forget(&self.source.join(name(number))));
        let begin = Instant::now();
        running.start(Some(group));
        let peers = self.peers(running.port(), &copies, &scratch);
        let whole = (EACH_WAY * ACTIVE) as u64;
        let (mut seen, mut slowest, mut next) = (Vec::new(), Duration::ZERO, begin);
        let (mut used, mut peak_kib);
        peak_kib = 0;
        let is_done = loop {
            if Instant::now() >= next {
                next += POLL_EVERY;
                slowest = slowest.max(running.ask_for_all());
            }
            std::thread::sleep(Duration::from_millis(100));
            let (sent, received) = moved(&peers);
            seen.push((begin.elapsed(), sent.min(whole) + received));
            (used, peak_kib) = (cpu(running.id()), peak_kib.max(peak_memory(running.id())));
            let is_done = sent >= whole && received >= whole && running.has_all();
            if is_done || begin.elapsed() >= MOST_TIME || running.has_ended() {
                break is_done;
            }
        };
        let time = begin.elapsed();
        let sent = moved(&peers).1;
        running.end(ENDED);
        let run = Run {
            name: program.title(),
            is_done,
            whole: time,
            received: (0..EACH_WAY).map(|number| self.right_bytes(&dir, number)).sum(),
            sent,
            seen,
            cpu: used,
            peak_kib,
            slowest,
            kills: group.kills(),
        };
        let [received, sent] = [run.received, run.sent].map(|bytes| bytes >> 20);
        let [cpu, time] = [run.cpu, run.whole].map(seconds);
        say(&format!("box: {received} MiB down, {sent} up in {time} s, CPU {cpu} s, {} MiB", mib(run.peak_kib)));
        if run.kills == 0 {
            fs::remove_dir_all(&scratch).expect("it is ours");
        }
        run
    }

    /// The peers of the program that listens on `port`.
    fn peers(&self, port: u16, copies: &Path, scratch: &Path) -> Process {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench/box_peers.py");
        let mut command = Command::new(libtorrent::python().get_program());
        command.args(["-W", "ignore"]).arg(script);
        command.args([format!("127.0.0.1:{}", free_port()), format!("127.0.0.1:{port}")]);
        command.arg(self.scratch.path().join("down")).arg(&self.source);
        command.arg(self.scratch.path().join("up")).arg(copies);
        Process::start("libtorrent", &mut command, scratch)
    }

    /// The bytes of a download that are on the disk. Each block must be right, or not there yet.
    fn right_bytes(&self, dir: &Path, number: usize) -> u64 {
        let name = name(number);
        let Some(got) = ["", ".part"].iter().find_map(|end| File::open(dir.join(format!("{name}{end}"))).ok()) else {
            return 0;
        };
        let source = File::open(self.source.join(&name)).expect("the content is there");
        let (mut one, mut other) = (vec![0; BLOCK], vec![0; BLOCK]);
        let mut bytes = 0;
        for offset in (0..ACTIVE).step_by(BLOCK) {
            source.read_exact_at(&mut one, offset as u64).expect("it is as long as it was made");
            if got.read_exact_at(&mut other, offset as u64).is_err() {
                break;
            }
            if other.iter().all(|byte| *byte == 0) {
                continue;
            }
            assert!(one == other, "{name}: the block at {offset} is wrong");
            bytes += BLOCK as u64;
        }
        bytes
    }
}

/// Makes a torrent of a file.
fn make(content: &Path, announce: &str, torrent: &Path) {
    let (mut pieces, mut piece) = (Vec::new(), Vec::new());
    let mut file = File::open(content).expect("the content is there");
    while file.by_ref().take(PIECE as u64).read_to_end(&mut piece).expect("it can be read") > 0 {
        pieces.extend(sha1(&piece));
        piece.clear();
    }
    let info = dict([
        ("length", Value::Int(file.metadata().expect("it is open").len() as i64)),
        ("name", Value::text(&content.file_name().expect("it has a name").to_string_lossy())),
        ("piece length", Value::Int(PIECE as i64)),
        ("pieces", Value::Bytes(pieces)),
    ]);
    let bytes = dict([("announce", Value::text(announce)), ("info", info)]).encode();
    fs::write(torrent, bytes).expect("there is room for a torrent");
}

/// The name of a torrent and of its file.
fn name(number: usize) -> String {
    format!("{number:03}.bin")
}

/// The bytes that the peers have sent and received so far.
fn moved(peers: &Process) -> (u64, u64) {
    let said = peers.stdout();
    let last = said.lines().rev().find_map(|line| {
        let (sent, received) = line.strip_prefix("moved ")?.split_once(' ')?;
        Some((sent.parse().ok()?, received.parse().ok()?))
    });
    last.unwrap_or_default()
}

/// Has the kernel drop a file from its page cache.
fn forget(path: &Path) {
    let file = File::open(path).expect("the content is there");
    file.sync_all().expect("it can be written");
    fadvise(&file, 0, None, Advice::DontNeed).expect("the kernel takes advice");
}

/// Waits until `done`, for a program that works in peace.
pub fn in_peace(what: &str, done: impl FnMut() -> bool) {
    wait_until(what, Duration::from_secs(180), done);
}
