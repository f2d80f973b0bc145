//! The tracker under load, beside opentracker: HTTP with wrk, and UDP with the generator below. With a million peers,
//! the longest delay of a reply is measured while they expire and while they do not, because any machine pauses at
//! times.

use super::common::ports::free_port;
use super::common::process::Process;
use super::common::tools::say;
use super::common::track::{UdpAsker, connect, udp_announce};
use super::common::wait::{PATIENCE, wait_until};
use super::measure::cpu;
use super::report::Report;
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::net::{Ipv4Addr, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// How long each one is loaded.
const LOADED: Duration = Duration::from_secs(5);
const SWARMS: u32 = 10_000;
/// The outstanding packets of each thread of the generator.
const UNDER_WAY: usize = 32;
const PEERS: u32 = 1_000_000;
/// Seconds between announces where expiry is watched, and how long: two of these a peer lives, then a pass comes.
const INTERVAL: u64 = 30;
const WATCHED: Duration = Duration::from_secs(4 * INTERVAL + 10);
/// When the tracker looks for peers that are gone, and how long that takes at most; the rest is parted likewise.
const PASSES: Duration = Duration::from_secs(60);
const PASS: Duration = Duration::from_secs(3);

/// Measures `swarmlet`.
pub fn measure(report: &mut Report, swarmlet: &Path, rounds: usize) {
    let scratch = tempfile::tempdir().expect("there is a place for temporary files");
    let (mut figures, mut cpus) = ([[0.0f64; 2]; 3], [f64::INFINITY; 2]);
    for _ in 0..rounds {
        for (program, best) in [false, true].into_iter().enumerate().map(|(at, ours)| (ours, at)) {
            let tracker = Tracker::start(program.then_some(swarmlet), &[], scratch.path());
            let (close, keep) = (tracker.http("close"), tracker.http("keep"));
            let (udp, cpu_each) = tracker.udp(LOADED, u32::MAX);
            cpus[best] = cpus[best].min(cpu_each);
            for (figure, now) in figures.iter_mut().zip([close, keep, udp]) {
                figure[best] = figure[best].max(now);
            }
        }
    }
    let mut rows = Vec::new();
    for (what, [theirs, ours], target) in [
        ("HTTP, a connection each (wrk -t1 -c32)", figures[0], 1.0),
        ("HTTP, connections kept (opentracker keeps none)", figures[1], 1.5),
        ("UDP, connect and announce counted each", figures[2], 1.0),
    ] {
        let verdict = report.verdict(what, ours >= target * theirs);
        let ratio = format!("{:.2}, target {target}", ours / theirs);
        rows.push(vec![what.into(), format!("{theirs:.0}"), format!("{ours:.0}"), ratio, verdict]);
    }
    // There is no target. Other programs on the machine disturb this figure less than the rate.
    let ([theirs, ours], what) = (cpus, "UDP, CPU microseconds an answer (less is better)");
    let ratio = format!("{:.2}", theirs / ours);
    rows.push(vec![what.into(), format!("{theirs:.2}"), format!("{ours:.2}"), ratio, String::new()]);
    report.section(&format!("Tracker: answers a second, best of {rounds} rounds, {SWARMS} swarms"));
    report.table(&["what", "opentracker", "swarmlet", "ratio", ""], &rows);

    million(report, swarmlet, scratch.path());
}

fn million(report: &mut Report, swarmlet: &Path, scratch: &Path) {
    let tracker = Tracker::start(Some(swarmlet), &["-vv", "--interval", &INTERVAL.to_string()], scratch);
    tracker.udp(Duration::MAX, PEERS);
    let rss = tracker.rss_mib();
    let (with, without) = tracker.longest_answers(WATCHED);
    let (left, held) = (tracker.rss_mib(), tracker.longest_portion());
    let usual = without[without.len() / 2];
    let pause = without[without.len() - 1];
    // A virtual machine pauses now and then, with or without expiry.
    let (or_pause, good) = ("20 ms, or as without", |time: Duration| time.as_millis() < 20 || time <= pause);
    let peers = format!("{PEERS} peers in {SWARMS} swarms");
    let rows = [
        (format!("RSS with {peers}"), "64 MiB", format!("{rss:.1} MiB"), rss <= 64.0),
        ("longest time they are held for expiry".into(), or_pause, format!("{held:?}"), good(held)),
        (
            format!("longest answer in the {} s in which they expire ({left:.1} MiB then)", PASS.as_secs()),
            or_pause,
            format!("{with:?}"),
            good(with),
        ),
        (
            format!("... and in any other {} s: as a rule; at worst", PASS.as_secs()),
            "",
            format!("{usual:?}; {pause:?}"),
            true,
        ),
    ];
    let rows = rows.map(|(what, target, measured, met)| {
        let verdict = if target.is_empty() { String::new() } else { report.verdict(&what, met) };
        vec![what, target.into(), measured, verdict]
    });
    report.section("Tracker: a million peers");
    report.table(&["what", "target", "measured", ""], &rows);
}

struct Tracker {
    process: Process,
    port: u16,
    started: Instant,
}

impl Tracker {
    /// Ours, or opentracker.
    fn start(swarmlet: Option<&Path>, args: &[&str], scratch: &Path) -> Tracker {
        let port = free_port();
        let number = port.to_string();
        let mut command = match swarmlet {
            Some(program) => {
                let mut command = Command::new(program);
                command.args(["track", "--quiet", "--bind", "127.0.0.1", "--port", &number]).args(args);
                command
            }
            None => {
                let dir = scratch.join("opentracker");
                fs::create_dir_all(&dir).expect("the folder can be made");
                let hashes: String = (1..=SWARMS)
                    .map(|i| hash(i).iter().map(|b| format!("{b:02x}")).collect::<String>() + "\n")
                    .collect();
                fs::write(dir.join("allowed"), hashes).expect("the list can be written");
                for path in [scratch, &dir] {
                    fs::set_permissions(path, Permissions::from_mode(0o755)).expect("the folder is ours");
                }
                fs::set_permissions(dir.join("allowed"), Permissions::from_mode(0o644)).expect("the list is ours");
                let mut command = Command::new("opentracker");
                command.args(["-i", "127.0.0.1", "-p", &number, "-P", &number, "-w", "allowed", "-d"]);
                command.arg(&dir).current_dir(&dir);
                command
            }
        };
        let mut process = Process::start("tracker", &mut command, scratch);
        let started = Instant::now();
        wait_until("the tracker listens", PATIENCE, || {
            process.must_run();
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
        });
        Tracker { process, port, started }
    }

    /// Answers a second over HTTP.
    fn http(&self, mode: &str) -> f64 {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench/announce.lua");
        let mut command = Command::new("wrk");
        command.args(["-t1", "-c32", &format!("-d{}", LOADED.as_secs()), "-s"]).arg(script);
        let output =
            command.arg(format!("http://127.0.0.1:{}/", self.port)).args(["--", mode]).output().expect("wrk runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let rate =
            text.lines().find_map(|line| line.strip_prefix("Requests/sec:")).and_then(|rate| rate.trim().parse().ok());
        let rate = rate.unwrap_or_else(|| panic!("wrk says no rate: {text}"));
        say(&format!("tracker: HTTP {mode}: {rate:.0}/s"));
        rate
    }

    /// Replies a second over UDP, and CPU microseconds for each, until the time or the number of announces is reached.
    fn udp(&self, long: Duration, most: u32) -> (f64, f64) {
        let (begin, before) = (Instant::now(), cpu(self.process.id()));
        let threads: Vec<_> = (0..2u32)
            .map(|half| {
                let port = self.port;
                thread::spawn(move || generate(port, half, long, most / 2))
            })
            .collect();
        let answers: u32 = threads.into_iter().map(|thread| thread.join().expect("the generator ends")).sum();
        let rate = f64::from(answers) / begin.elapsed().as_secs_f64();
        let cpu_each = (cpu(self.process.id()) - before).as_secs_f64() * 1e6 / f64::from(answers);
        say(&format!("tracker: UDP: {rate:.0}/s, {cpu_each:.2} CPU us each"));
        (rate, cpu_each)
    }

    /// The longest pause for a portion of expiry, as the tracker itself reports.
    fn longest_portion(&self) -> Duration {
        let text = self.process.stderr();
        let portions =
            text.lines().filter_map(|line| line.split_once("the longest took ")?.1.split(' ').next()?.parse().ok());
        Duration::from_micros(portions.max().expect("it says so each minute"))
    }

    fn rss_mib(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("the kernel says it");
        line.trim().split(' ').next().and_then(|kib| kib.parse::<f64>().ok()).expect("a number") / 1024.0
    }

    /// The longest delay of an announce while peers expire, and in each other period of that length, shortest first.
    fn longest_answers(&self, watched: Duration) -> (Duration, Vec<Duration>) {
        let asker = UdpAsker::new(Ipv4Addr::LOCALHOST.into(), self.port);
        let (begin, mut with, mut without) = (Instant::now(), Duration::ZERO, BTreeMap::new());
        let (mut id, mut since) = (asker.connect(), Instant::now());
        while begin.elapsed() < watched {
            if since.elapsed() > Duration::from_secs(50) {
                (id, since) = (asker.connect(), Instant::now());
            }
            let asked = Instant::now();
            asker.ask(&udp_announce(id, hash(1), 1, 0, 50)).expect("it answers");
            // A little more, because its start is only known from outside.
            let time = asked.duration_since(self.started) + PASS / 4;
            let (second, pass) = (time.as_secs(), PASS.as_secs());
            let expires = second >= PASSES.as_secs() && second % PASSES.as_secs() < pass;
            let longest = if expires { &mut with } else { without.entry(second / pass).or_default() };
            *longest = asked.elapsed().max(*longest);
            thread::sleep(Duration::from_millis(1));
        }
        let mut without: Vec<_> = without.into_values().collect();
        without.sort();
        (with, without)
    }
}

/// The info-hashes of `announce.lua`.
fn hash(number: u32) -> [u8; 20] {
    let mut hash = [0x61; 20];
    hash[..2].copy_from_slice(&[(number % 256) as u8, (number / 256) as u8]);
    hash
}

/// Announces of new peers, each after a connect, as a client needs it. Returns the number of replies.
fn generate(port: u16, half: u32, long: Duration, most: u32) -> u32 {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    socket.connect((Ipv4Addr::LOCALHOST, port)).expect("loopback");
    socket.set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout");
    let (begin, mut answers, mut announced, mut number) = (Instant::now(), 0, 0, 0u32);
    let mut buffer = [0; 2048];
    let fill = long == Duration::MAX;
    let mut ids = vec![[0; 8]; UNDER_WAY];
    while begin.elapsed() < long && announced < most {
        for at in 0..UNDER_WAY {
            let _ = socket.send(&connect(at as u32));
        }
        let mut known = 0;
        while known < UNDER_WAY
            && let Ok(length) = socket.recv(&mut buffer)
        {
            if length == 16 {
                ids[known].copy_from_slice(&buffer[8..16]);
                known += 1;
                answers += 1;
            }
        }
        // Many announces share a connection id to fill the tracker. Under load each has its own.
        for _ in 0..if fill { 100 } else { 1 } {
            for id in &ids[..known] {
                number += 1;
                let port = 1024 + (number / (SWARMS / 2)) % 60_000;
                let packet = udp_announce(
                    *id,
                    hash(1 + (number % (SWARMS / 2)) * 2 + half),
                    port as u16,
                    u64::from(number % 4),
                    30,
                );
                let _ = socket.send(&packet);
            }
            let mut came = 0;
            while came < known
                && let Ok(length) = socket.recv(&mut buffer)
            {
                came += usize::from(length >= 20);
            }
            answers += came as u32;
            announced += came as u32;
        }
    }
    answers
}
