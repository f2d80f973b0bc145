//! Our own program, as a person starts it.
//!
//! It is the binary cargo built for the tests, or the one SWARMLET_BIN names: the small build, the static one.

use super::ports::free_port;
use super::process::Process;
use super::torrent::Torrent;
use super::wait::PATIENCE;
use rustix::process::Signal;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The program under test.
pub fn program() -> OsString {
    env::var_os("SWARMLET_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_swarmlet").into())
}

/// A `swarmlet get` to be.
pub struct Get {
    program: OsString,
    command: &'static str,
    name: String,
    scratch: PathBuf,
    args: Vec<OsString>,
    stdin: Option<Vec<u8>>,
    /// The folder it fetches into.
    pub dir: PathBuf,
    /// The port it listens on.
    pub port: u16,
}

impl Get {
    /// `get` into a folder `name` of its own in `scratch`, on a free port.
    pub fn new(name: &str, scratch: &Path) -> Get {
        let dir = scratch.join(name);
        fs::create_dir_all(&dir).expect("the folder can be made");
        let (program, name, scratch) = (program(), name.into(), scratch.into());
        Get { program, command: "get", name, scratch, args: Vec::new(), stdin: None, dir, port: free_port() }
    }

    /// `seed` instead of `get`: serves what is in `dir`.
    pub fn seed(name: &str, scratch: &Path, dir: &Path) -> Get {
        Get { command: "seed", ..Get::new(name, scratch).in_dir(dir) }
    }

    /// `many` instead of `get`: the torrents of `folder`, with the content beside them.
    pub fn many(name: &str, scratch: &Path, folder: &Path) -> Get {
        Get { command: "many", ..Get::new(name, scratch).in_dir(folder) }.arg(folder)
    }

    /// Another build of the program.
    #[allow(dead_code)] // Only the bench compares builds.
    pub fn program(self, program: &Path) -> Get {
        Get { program: program.into(), ..self }
    }

    /// Fetches `torrent` too.
    pub fn torrent(self, torrent: &Torrent) -> Get {
        let file = torrent.file.clone();
        self.arg(file)
    }

    /// One more argument: an option, a path, a URL.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Get {
        self.args.push(arg.as_ref().into());
        self
    }

    /// More arguments.
    pub fn args(self, args: &[&str]) -> Get {
        args.iter().fold(self, Get::arg)
    }

    /// Uses `dir` instead of a folder of its own.
    pub fn in_dir(mut self, dir: &Path) -> Get {
        self.dir = dir.into();
        self
    }

    /// Gives it `input` on standard input.
    pub fn stdin(mut self, input: Vec<u8>) -> Get {
        self.stdin = Some(input);
        self
    }

    /// Its command line, for a story that starts it in its own way.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg(self.command).args(&self.args).arg("--dir").arg(&self.dir).args(["--port", &self.port.to_string()]);
        // A story's states are its own.
        command.env("XDG_STATE_HOME", self.scratch.join("state"));
        command
    }

    /// Starts it.
    pub fn start(&self) -> Swarmlet {
        let stdin = match &self.stdin {
            Some(input) => {
                let path = self.scratch.join(format!("{}.stdin", self.name));
                fs::write(&path, input).expect("the input can be written");
                File::open(path).expect("the input is there").into()
            }
            None => Stdio::null(),
        };
        let process = Process::start_with_stdin(&self.name, &mut self.command(), &self.scratch, stdin);
        Swarmlet { process }
    }

    /// Starts it and waits for its end.
    pub fn run(&self) -> Outcome {
        self.start().wait()
    }
}

/// A running `swarmlet`; it ends when dropped.
pub struct Swarmlet {
    process: Process,
}

impl Swarmlet {
    /// Waits for its end.
    pub fn wait(mut self) -> Outcome {
        let code = self.process.wait(PATIENCE).code();
        Outcome { code, stdout: self.process.stdout(), stderr: self.process.stderr(), process: self.process }
    }

    /// What it wrote to standard output so far.
    pub fn stdout(&self) -> String {
        self.process.stdout()
    }

    /// Asks it to end, as `kill` does, and waits until it has.
    pub fn terminate(mut self) -> Outcome {
        self.process.signal(Signal::TERM);
        self.wait()
    }

    /// Asks it to end, as Ctrl-C does, and waits until it has.
    pub fn interrupt(mut self) -> Outcome {
        self.process.signal(Signal::INT);
        self.wait()
    }

    /// Ends it as kill -9 does: it has no say in it.
    pub fn kill(mut self) {
        self.process.signal(Signal::KILL);
        self.process.wait(PATIENCE);
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Ends it as a terminal does that is closed, and waits until it has.
    pub fn hang_up(mut self) -> Outcome {
        self.process.signal(Signal::HUP);
        self.wait()
    }

    /// What it wrote to standard error so far.
    pub fn stderr(&self) -> String {
        self.process.stderr()
    }

    /// Panics if it has ended: for use inside a wait.
    pub fn must_run(&mut self) {
        self.process.must_run();
    }
}

/// How it ended. While a story holds this, a failure prints what the program wrote.
pub struct Outcome {
    /// The exit code; none if a signal killed it.
    pub code: Option<i32>,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
    process: Process,
}

impl Outcome {
    /// Panics unless it ended with `code`.
    pub fn assert_code(&self, code: i32) {
        assert_eq!(self.code, Some(code), "{} ended with another exit code", self.process.name());
    }

    /// Of the objects that it wrote with `--json`, the last one of this event.
    pub fn json(&self, event: &str) -> serde_json::Value {
        let mut objects = self.stdout.lines().filter_map(|line| serde_json::from_str(line).ok());
        let last = objects.rfind(|object: &serde_json::Value| object["event"] == event);
        last.unwrap_or_else(|| panic!("{} told of nothing {event}", self.process.name()))
    }

    /// Panics unless it ended with `code` and told the person something on standard error, without panicking.
    pub fn assert_refused(&self, code: i32) {
        self.assert_code(code);
        assert!(!self.stderr.trim().is_empty(), "it refused without a word");
        assert!(!self.stderr.contains("panicked"), "it panicked");
    }
}
