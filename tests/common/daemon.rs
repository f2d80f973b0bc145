//! A `swarmlet daemon`, as a user starts it, and the questions of programs to it.

use super::http::request;
use super::ports::free_port;
use super::process::Process;
use super::swarmlet::{alone, program};
use super::transmission::{answer, ask};
use super::wait::{PATIENCE, wait_until};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A daemon, whose folders and ports stay the same when it is started again.
pub struct Daemon {
    process: Process,
    scratch: PathBuf,
    options: Vec<String>,
    port: u16,
    /// Where it answers.
    pub rpc: SocketAddr,
    /// Where content goes.
    pub dir: PathBuf,
}

impl Daemon {
    /// Starts one, with its folders in `scratch`.
    pub fn start(scratch: &Path, options: &[&str]) -> Daemon {
        let dir = scratch.join("content");
        fs::create_dir_all(&dir).expect("the folder can be made");
        let (port, rpc) = (free_port(), SocketAddr::from(([127, 0, 0, 1], free_port())));
        let options: Vec<String> = options.iter().map(|option| option.to_string()).collect();
        let process = run(scratch, &dir, (port, rpc), &options);
        let mut daemon = Daemon { process, scratch: scratch.into(), options, port, rpc, dir };
        daemon.answers();
        daemon
    }

    /// Kills it without a warning, and starts it again.
    pub fn kill_and_start(&mut self) {
        self.kill();
        self.start_again();
    }

    /// Kills it without a warning.
    pub fn kill(&mut self) {
        self.process.signal(Signal::KILL);
        self.process.wait(PATIENCE);
    }

    /// Starts it again.
    pub fn start_again(&mut self) {
        self.process = run(&self.scratch, &self.dir, (self.port, self.rpc), &self.options);
        self.answers();
    }

    /// Sends it a signal.
    pub fn signal(&mut self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Ends it as a user does. Returns its exit code.
    pub fn end(mut self) -> Option<i32> {
        self.process.signal(Signal::TERM);
        self.process.wait(PATIENCE).code()
    }

    /// Waits until it ends by itself. Returns its exit code.
    pub fn wait(mut self) -> Option<i32> {
        self.process.wait(PATIENCE).code()
    }

    /// The answer to a question; `None`: it failed.
    pub fn try_to(&self, method: &str, arguments: &Value) -> Option<Value> {
        ask(self.rpc, method, arguments)
    }

    /// Why a question fails.
    pub fn refuses(&self, method: &str, arguments: &Value) -> String {
        let answer = answer(self.rpc, method, arguments).expect("it answers");
        assert_ne!(answer["result"], "success", "{method} {arguments}");
        answer["result"].as_str().expect("a text").into()
    }

    /// Its log of this run.
    pub fn log(&self) -> String {
        self.process.stderr()
    }

    /// A file of its state, by the end of its name.
    pub fn state_file(&self, hash: &str, end: &str) -> PathBuf {
        self.scratch.join("state").join(format!("{hash}{end}"))
    }

    /// The answer to a question that must not fail.
    pub fn ask(&self, method: &str, arguments: &Value) -> Value {
        self.try_to(method, arguments)
            .unwrap_or_else(|| panic!("{method} {arguments} fails: {}", self.process.stderr()))
    }

    /// These fields of all torrents.
    pub fn torrents(&self, fields: &[&str]) -> Vec<Value> {
        let answer = self.ask("torrent-get", &json!({ "fields": fields }));
        answer["torrents"].as_array().expect("a list of torrents").clone()
    }

    /// Waits until a field of the only torrent has this value.
    pub fn wait_for(&mut self, field: &str, value: &Value) {
        wait_until(&format!("{field} is {value}"), PATIENCE, || {
            self.process.must_run();
            self.torrents(&[field]).first().is_some_and(|torrent| torrent[field] == *value)
        });
    }

    /// Waits until a setting has this value.
    pub fn wait_for_setting(&self, key: &str, value: &Value) {
        wait_until(&format!("{key} is {value}"), PATIENCE, || {
            self.ask("session-get", &json!({ "fields": [key] }))[key] == *value
        });
    }

    /// What transmission-remote prints.
    pub fn remote(&self, arguments: &[&str]) -> String {
        let mut remote = Command::new("transmission-remote");
        let output = remote.arg(self.rpc.to_string()).args(arguments).output().expect("transmission-remote runs");
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    }

    fn answers(&mut self) {
        wait_until("the daemon answers", PATIENCE, || {
            self.process.must_run();
            // It asks for a password, or for the session id.
            request(self.rpc, "/transmission/rpc", "", None).is_ok()
        });
    }
}

/// The command line of a daemon.
pub fn command(scratch: &Path, dir: &Path) -> Command {
    let program = program();
    let mut command = Command::new(&program);
    command.arg("daemon").arg("--dir").arg(dir).arg("--state").arg(scratch.join("state")).args(alone(&program));
    command
}

fn run(scratch: &Path, dir: &Path, (port, rpc): (u16, SocketAddr), options: &[String]) -> Process {
    let mut command = command(scratch, dir);
    command.arg("--port").arg(port.to_string()).arg("--rpc").arg(rpc.to_string()).args(options);
    Process::start("daemon", &mut command, scratch)
}

/// Bytes as RPC wants a .torrent file.
pub fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let four = |three: &[u8]| {
        let bits = (0..3).fold(0, |bits, at| bits << 8 | usize::from(*three.get(at).unwrap_or(&0)));
        let digit = move |at: usize| char::from(DIGITS[bits >> (18 - 6 * at) & 63]);
        let length = three.len();
        (0..4).map(move |at| if at <= length { digit(at) } else { '=' })
    };
    bytes.chunks(3).flat_map(four).collect()
}
