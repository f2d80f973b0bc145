//! The daemon with thousands of torrents: its start, its lists, and what it takes while programs look at it.

use super::boxed::in_peace;
use super::builds::Builds;
use super::common::bencode::Value;
use super::common::http::request;
use super::common::ports::free_port;
use super::common::process::Process;
use super::common::tools::say;
use super::common::torrent::sha1;
use super::common::tracker::Tracker;
use super::many::quiet;
use super::measure::{cpu_of_threads, median, peak_memory, resident};
use super::repeated::dict;
use super::report::{Report, mib, seconds};
use rustix::process::Signal;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// So many torrents, each of one piece.
const TORRENTS: usize = 5_000;
const PIECE: u64 = 16 * 1024;
/// How often and how long programs look.
const POLL_EVERY: Duration = Duration::from_secs(2);
const POLLED: Duration = Duration::from_secs(20);
/// The list is asked for so many times.
const LISTS: u32 = 9;
/// Sonarr and Radarr look once a minute.
const MINUTE: Duration = Duration::from_secs(60);
/// An answer with few torrents is shorter, in bytes.
const SHORT: usize = 100_000;
/// A process is idle when none of its threads has run for this long.
const IDLE: Duration = Duration::from_secs(7);
/// Targets: the start; the list with Sonarr's fields; hundredths of a percent of a core; the memory in KiB.
const START: Duration = Duration::from_secs(3);
const LIST: Duration = Duration::from_millis(150);
const PROCESSOR: u64 = 50;
const MEMORY: u64 = 30 << 10;
/// What programs ask for: Sonarr, the web page of transmission, and `transmission-remote --list`.
const SONARR: &str = r#""id","hashString","name","downloadDir","totalSize","leftUntilDone","isFinished","eta","status",
    "secondsDownloading","secondsSeeding","errorString","uploadedEver","downloadedEver","seedRatioLimit",
    "seedRatioMode","seedIdleLimit","seedIdleMode","fileCount""#;
const PAGE: &str = r#""id","error","errorString","eta","isFinished","isStalled","leftUntilDone",
    "metadataPercentComplete","peersConnected","peersGettingFromUs","peersSendingToUs","percentDone","queuePosition",
    "rateDownload","rateUpload","recheckProgress","seedRatioMode","seedRatioLimit","sizeWhenDone","status","trackers",
    "downloadDir","uploadedEver","uploadRatio","webseedsSendingToUs""#;
const REMOTE: &str = r#""error","errorString","eta","id","isFinished","leftUntilDone","name","peersGettingFromUs",
    "peersSendingToUs","rateDownload","rateUpload","sizeWhenDone","status","uploadRatio""#;

/// Measures everything.
pub fn measure(report: &mut Report, builds: &Builds) {
    let mut stage = Stage::new(TORRENTS);
    stage.import(builds);
    let announces = stage.tracker.count();
    let begin = Instant::now();
    let mut daemon = stage.start(builds, &[]);
    let (start, start_cpu) = (begin.elapsed(), cpu_of_threads(daemon.id()));
    // All are announced soon after the start; then their figures are written.
    in_peace("all torrents are announced", || stage.tracker.count() >= announces + TORRENTS);
    quiet(&mut daemon, IDLE);
    let recent = format!(r#"{{"ids":"recently-active","fields":[{PAGE}]}}"#);
    let (mut first_minute, mut is_over) = (None, false);
    while !is_over {
        is_over = stage.ask("torrent-get", &recent).len() < SHORT;
        if !is_over {
            first_minute = Some(stage.poll(&daemon, Some(&recent)));
        }
    }
    let before = resident(daemon.id());
    let all = format!(r#"{{"fields":[{SONARR}]}}"#);
    let (mut times, mut each) = (Vec::new(), Duration::ZERO);
    for _ in 0..LISTS {
        let (begin, used) = (Instant::now(), cpu_of_threads(daemon.id()));
        let length = stage.ask("torrent-get", &all).len();
        times.push(begin.elapsed());
        each += cpu_of_threads(daemon.id()) - used;
        assert!(length > 1_000_000, "the list has {length} bytes only");
    }
    let list = median(times.into_iter());
    each /= LISTS;
    let mut rows = Vec::new();
    let mut row = |report: &mut Report, what: &str, target: String, measured: String, met: bool| {
        say(&format!("thousands: {what}: {measured}"));
        let verdict = if target.is_empty() { String::new() } else { report.verdict(what, met) };
        rows.push(vec![what.to_string(), target, measured, verdict]);
    };
    let measured = format!("{}; {}", seconds(start), seconds(start_cpu));
    row(report, "start with states, s; CPU s", format!("<= {}", START.as_secs()), measured, start <= START);
    let measured = format!("{}; {}", list.as_millis(), each.as_millis());
    row(report, "list with Sonarr's fields, ms; CPU ms", format!("<= {}", LIST.as_millis()), measured, list <= LIST);
    let polls = [
        ("nobody asks", None, true),
        ("recently active ones, every 2 s (the web page)", Some(recent), true),
        ("all, every 2 s (`transmission-remote --list`)", Some(format!(r#"{{"fields":[{REMOTE}]}}"#)), false),
    ];
    for (what, arguments, has_target) in polls {
        let share = stage.poll(&daemon, arguments.as_deref());
        let target = if has_target { percent(PROCESSOR) } else { String::new() };
        row(report, &format!("% of a core: {what}"), target, percent(share), share <= PROCESSOR);
    }
    if let Some(share) = first_minute {
        // Since the start, all of them have changed.
        row(report, "% of a core: the same in the minute after the start", String::new(), percent(share), true);
    }
    let share = hundredths(each, MINUTE);
    row(report, "% of a core: all, once a minute (Sonarr)", percent(PROCESSOR), percent(share), share <= PROCESSOR);
    let (after, peak) = (resident(daemon.id()), peak_memory(daemon.id()));
    let measured = format!("{}; {}; {}", mib(before), mib(after), mib(peak));
    let target = format!("<= {}", MEMORY >> 10);
    row(report, "RSS MiB: before the lists; after; at most", target, measured, after <= MEMORY);
    report.section(&format!("The daemon with {TORRENTS} idle torrents, each with a tracker"));
    report.table(&["target", "", "measured", ""], &rows);
    stage.end(daemon);
}

/// Hundredths of a percent.
pub fn hundredths(used: Duration, time: Duration) -> u64 {
    (used.as_micros() * 10_000 / time.as_micros().max(1)) as u64
}

/// They in words.
pub fn percent(hundredths: u64) -> String {
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// The folders of a daemon, its tracker, and where it answers.
pub struct Stage {
    torrents: usize,
    /// Where its files are.
    pub scratch: tempfile::TempDir,
    port: u16,
    /// Where it answers.
    pub rpc: SocketAddr,
    token: String,
    /// Transmission's folder, which is taken over.
    import: PathBuf,
    tracker: Tracker,
}

impl Stage {
    /// For a daemon that is to have this number of torrents, each of one piece.
    pub fn new(torrents: usize) -> Stage {
        let scratch = tempfile::tempdir().expect("a folder for thousands of torrents");
        let (import, content) = (scratch.path().join("transmission"), scratch.path().join("content"));
        for folder in [&import.join("torrents"), &content] {
            fs::create_dir_all(folder).expect("a folder can be made");
        }
        let tracker = Tracker::start();
        let hash = sha1(&[0; PIECE as usize]);
        for number in 0..torrents {
            let name = format!("A.torrent.with.a.name.of.usual.length.{number:04}.bin");
            let file = File::create(content.join(&name)).expect("content can be made");
            file.set_len(PIECE).expect("it is sparse");
            let info = dict([
                ("length", Value::Int(PIECE as i64)),
                ("name", Value::text(&name)),
                ("piece length", Value::Int(PIECE as i64)),
                ("pieces", Value::Bytes(hash.to_vec())),
            ]);
            let torrent = dict([("announce", Value::text(&tracker.url())), ("info", info)]);
            let path = import.join(format!("torrents/{number}.torrent"));
            fs::write(path, torrent.encode()).expect("a torrent can be made");
        }
        fs::write(import.join("settings.json"), "{}").expect("a file can be made");
        let rpc = SocketAddr::from(([127, 0, 0, 1], free_port()));
        Stage { torrents, scratch, port: free_port(), rpc, token: String::new(), import, tracker }
    }

    /// Has the daemon take over the torrents, and verify their content.
    pub fn import(&mut self, builds: &Builds) {
        let from = self.import.clone();
        let daemon = self.start(builds, &["--import".as_ref(), &from]);
        in_peace("all torrents seed", || {
            let answer = self.try_to_ask("torrent-get", r#"{"fields":["status"]}"#);
            answer.is_some_and(|answer| answer.matches("\"status\":6").count() == self.torrents)
                && self.tracker.count() >= self.torrents
        });
        self.end(daemon);
    }

    /// Starts it. It answers then.
    pub fn start(&mut self, builds: &Builds, more: &[&Path]) -> Process {
        let mut command = Command::new(&builds.default);
        command.args(["daemon", "--no-dht", "--no-lsd", "--no-port-mapping", "--quiet", "--dir"]);
        command.arg(self.scratch.path().join("content")).arg("--state").arg(self.scratch.path().join("state"));
        command.args(["--port", &self.port.to_string(), "--rpc", &self.rpc.to_string()]).args(more);
        let mut daemon = Process::start("daemon", &mut command, self.scratch.path());
        in_peace("the daemon answers", || {
            daemon.must_run();
            let answer = request(self.rpc, "/transmission/rpc", "", Some("{}"));
            let token = answer.ok().and_then(|answer| answer.header("X-Transmission-Session-Id").map(String::from));
            token.is_some_and(|token| {
                self.token = format!("X-Transmission-Session-Id: {token}\r\n");
                self.ask("session-get", r#"{"fields":["version"]}"#).contains("success")
            })
        });
        daemon
    }

    /// The text that answers a question.
    fn ask(&self, method: &str, arguments: &str) -> String {
        self.try_to_ask(method, arguments).expect("the daemon answers in JSON")
    }

    fn try_to_ask(&self, method: &str, arguments: &str) -> Option<String> {
        let question = format!(r#"{{"method":"{method}","arguments":{arguments}}}"#);
        let answer = request(self.rpc, "/transmission/rpc", &self.token, Some(&question)).ok()?;
        String::from_utf8(answer.body).ok()
    }

    /// Asks the same again and again, or not at all. Returns what the daemon takes of a core.
    fn poll(&self, daemon: &Process, arguments: Option<&str>) -> u64 {
        let (begin, used) = (Instant::now(), cpu_of_threads(daemon.id()));
        while begin.elapsed() < POLLED {
            if let Some(arguments) = arguments {
                self.ask("torrent-get", arguments);
            }
            thread::sleep(POLL_EVERY);
        }
        hundredths(cpu_of_threads(daemon.id()) - used, begin.elapsed())
    }

    /// Ends it.
    pub fn end(&self, mut daemon: Process) {
        daemon.signal(Signal::TERM);
        daemon.wait(MINUTE);
    }
}
