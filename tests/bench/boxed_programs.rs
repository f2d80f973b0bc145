//! The programs that get a small router: how each is started, asked and ended.

use super::boxed::in_peace;
use super::common::aria2;
use super::common::daemon::base64;
use super::common::group::Group;
use super::common::http::request;
use super::common::peers::{Plan, Program as Peer, Role};
use super::common::process::Process;
use super::common::torrent::Torrent;
use super::common::transmission::{self, ask};
use super::common::wait::PATIENCE;
use super::far::within;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Torrents that are active at one time.
pub const MOST_ACTIVE: usize = 20;
/// The fields that `transmission-remote --list` asks for.
const LIST: [&str; 15] = [
    "id",
    "name",
    "status",
    "error",
    "errorString",
    "eta",
    "isFinished",
    "leftUntilDone",
    "sizeWhenDone",
    "addedDate",
    "peersGettingFromUs",
    "peersSendingToUs",
    "rateDownload",
    "rateUpload",
    "uploadRatio",
];
/// The like of aria2.
const LIST_OF_ARIA2: &str = r#"{"jsonrpc":"2.0","id":"1","method":"aria2.tellActive","params":[["gid","status",
    "totalLength","completedLength","uploadLength","downloadSpeed","uploadSpeed","connections","errorCode"]]}"#;

/// A program.
pub enum Program {
    /// Our daemon: this build.
    Ours(PathBuf),
    /// transmission-daemon.
    Transmission,
    /// aria2c.
    Aria2,
}

impl Program {
    /// A name for its files.
    pub fn name(&self) -> &'static str {
        match self {
            Program::Ours(_) => "swarmlet",
            Program::Transmission => "transmission",
            Program::Aria2 => "aria2",
        }
    }

    /// Its name and version.
    pub fn title(&self) -> String {
        match self {
            Program::Ours(_) => "swarmlet daemon".into(),
            Program::Transmission => Peer::Transmission.version(),
            Program::Aria2 => Peer::Aria2.version(),
        }
    }
}

/// A program, and its torrents.
pub struct Running<'a> {
    program: &'a Program,
    torrents: &'a [Torrent],
    plan: Plan<'a>,
    process: Option<Process>,
}

impl<'a> Running<'a> {
    /// Has a program learn of its torrents, whose content is in `dir` as far as it is there. It does not run then.
    pub fn prepare(program: &'a Program, torrents: &'a [Torrent], dir: &'a Path, scratch: &'a Path) -> Running<'a> {
        let peer = if matches!(program, Program::Aria2) { Peer::Aria2 } else { Peer::Transmission };
        let plan = Plan { role: Role::Stay, ..Plan::seed(peer, &torrents[0], dir, scratch) };
        let mut running = Running { program, torrents, plan, process: None };
        // aria2 keeps nothing of what it knows: it is told that it has what is there.
        if peer == Peer::Transmission {
            running.start(None);
            running.add_all();
            running.end(PATIENCE);
        }
        running
    }

    /// Starts it, and waits until it answers.
    pub fn start(&mut self, group: Option<&Group>) {
        let command = self.command();
        let mut command = group.map_or_else(|| self.command(), |group| within(group, &command));
        self.process = Some(Process::start(self.program.name(), &mut command, self.plan.scratch));
        in_peace("it answers", || self.try_to_ask_for_all().is_some());
    }

    fn command(&self) -> Command {
        match self.program {
            Program::Ours(program) => {
                let home = self.plan.home();
                let config = home.join("config");
                let lines = format!("download-queue-size = {MOST_ACTIVE}\nratio-limit-enabled = false\n");
                fs::write(&config, lines).expect("the settings can be written");
                let mut command = Command::new(program);
                command.args(["daemon", "--no-dht", "--no-lsd", "--no-port-mapping", "--dir"]).arg(self.plan.dir);
                command.arg("--state").arg(home.join("state")).arg("--config").arg(config);
                command.arg("--port").arg(self.plan.port.to_string()).arg("--rpc").arg(self.plan.rpc().to_string());
                command
            }
            Program::Transmission => transmission::with_places(&self.plan, MOST_ACTIVE),
            Program::Aria2 => {
                let mut command = aria2::command(&self.plan);
                command.args(["--check-integrity=false", "--bt-seed-unverified=true"]);
                command.arg(format!("--max-concurrent-downloads={}", self.torrents.len()));
                command.args(self.torrents[1..].iter().map(|torrent| &torrent.file));
                command
            }
        }
    }

    /// Adds all torrents, and waits until it has verified what is there.
    fn add_all(&mut self) {
        for torrent in self.torrents {
            let bytes = fs::read(&torrent.file).expect("the torrent is there");
            let add = json!({ "metainfo": base64(&bytes), "download-dir": self.plan.dir });
            ask(self.plan.rpc(), "torrent-add", &add).expect("it takes a torrent");
        }
        let fields = json!({ "fields": ["leftUntilDone", "status"] });
        in_peace("all content is verified", || {
            let answer = ask(self.plan.rpc(), "torrent-get", &fields).expect("it answers");
            let all = answer["torrents"].as_array().expect("a list");
            let is_verified = |torrent: &&Value| match torrent["status"].as_u64() {
                Some(6) => true,
                Some(4) => torrent["leftUntilDone"].as_u64() > Some(0),
                _ => false,
            };
            let complete = all.iter().filter(|torrent| torrent["leftUntilDone"] == 0).count();
            all.iter().all(|torrent| is_verified(&torrent)) && complete == self.torrents.len() - MOST_ACTIVE / 2
        });
    }

    /// Where it listens for peers.
    pub fn port(&self) -> u16 {
        self.plan.port
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.as_ref().map_or(0, Process::id)
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.process.as_mut().is_none_or(|process| process.ended().is_some())
    }

    /// The list of all torrents, as it is asked for every two seconds. Returns the time that it took.
    pub fn ask_for_all(&self) -> Duration {
        let begin = Instant::now();
        // In a small box, it may take longer than we wait.
        let _ = self.try_to_ask_for_all();
        begin.elapsed()
    }

    /// Whether it says that it has all of all torrents.
    pub fn has_all(&self) -> bool {
        let Some(all) = self.try_to_ask_for_all() else { return false };
        let is_complete = |torrent: &Value| match self.program {
            Program::Aria2 => torrent["completedLength"] == torrent["totalLength"],
            Program::Ours(_) | Program::Transmission => torrent["leftUntilDone"] == 0,
        };
        all.len() == self.torrents.len() && all.iter().all(is_complete)
    }

    fn try_to_ask_for_all(&self) -> Option<Vec<Value>> {
        let answer = match self.program {
            Program::Aria2 => {
                let answer = request(self.plan.rpc(), "/jsonrpc", "", Some(LIST_OF_ARIA2)).ok()?;
                serde_json::from_slice::<Value>(&answer.body).ok()?["result"].take()
            }
            Program::Ours(_) | Program::Transmission => {
                ask(self.plan.rpc(), "torrent-get", &json!({ "fields": LIST }))?["torrents"].take()
            }
        };
        answer.as_array().cloned()
    }

    /// Ends it as a user does; if that takes too long, by force.
    pub fn end(&mut self, time: Duration) {
        let Some(mut process) = self.process.take() else { return };
        if process.ended().is_none() {
            process.signal(Signal::TERM);
            let begin = Instant::now();
            while process.ended().is_none() && begin.elapsed() < time {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }
}
