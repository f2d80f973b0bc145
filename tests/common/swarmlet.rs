//! Our own program, as a user starts it.
//!
//! It is the binary that cargo built for the tests, or the one that SWARMLET_BIN names, for example the static build.

use super::hosts::Host;
use super::json;
use super::ports::free_port;
use super::process::Process;
use super::torrent::Torrent;
use super::wait::PATIENCE;
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

/// The program under test.
pub fn program() -> OsString {
    env::var_os("SWARMLET_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_swarmlet").into())
}

/// The options of `program` that switch off LSD, the DHT and port mapping, so that nothing leaves the story. Builds
/// without them do not have the options.
pub fn alone(program: &OsStr) -> Vec<&'static str> {
    static KNOWN: Mutex<BTreeMap<OsString, Vec<&'static str>>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().expect("nobody panics with it");
    let options = known.entry(program.into()).or_insert_with(|| {
        let help = Command::new(program).args(["get", "--help"]).output().expect("the program runs");
        let help = String::from_utf8_lossy(&help.stdout);
        [NO_LSD, NO_DHT, NO_PORT_MAPPING].into_iter().filter(|option| help.contains(option)).collect()
    });
    options.clone()
}

const NO_LSD: &str = "--no-lsd";
const NO_DHT: &str = "--no-dht";
const NO_PORT_MAPPING: &str = "--no-port-mapping";

/// A `swarmlet get` that is not started yet. LSD is off, because the peers of other stories are in the local network.
/// The DHT is off, because it is everywhere. The router of this network is not asked for anything.
pub struct Get {
    program: OsString,
    lsd: bool,
    dht: bool,
    port_mapping: bool,
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
        Get {
            program,
            lsd: false,
            dht: false,
            port_mapping: false,
            command: "get",
            name,
            scratch,
            args: Vec::new(),
            stdin: None,
            dir,
            port: free_port(),
        }
    }

    /// `seed` instead of `get`: serves what is in `dir`.
    pub fn seed(name: &str, scratch: &Path, dir: &Path) -> Get {
        Get { command: "seed", ..Get::new(name, scratch).in_dir(dir) }
    }

    /// `many` instead of `get`: the torrents of `folder`, with their content beside them.
    pub fn many(name: &str, scratch: &Path, folder: &Path) -> Get {
        Get { command: "many", ..Get::new(name, scratch).in_dir(folder) }.arg(folder)
    }

    /// Another build of the program.
    #[allow(dead_code)] // Only the bench compares builds.
    pub fn program(self, program: &Path) -> Get {
        Get { program: program.into(), ..self }
    }

    /// Switches LSD on. The program must be started in a network of its own.
    #[allow(dead_code)] // Only the stories of that search use it.
    pub fn with_lsd(self) -> Get {
        Get { lsd: true, ..self }
    }

    /// Switches the DHT on, which is entered through the node at this UDP port of this machine.
    #[allow(dead_code)] // Only its stories use it.
    pub fn with_dht(self, port: u16) -> Get {
        self.with_dht_node(&format!("127.0.0.1:{port}"))
    }

    /// The same through any node.
    #[allow(dead_code)] // Only its stories use it.
    pub fn with_dht_node(self, node: &str) -> Get {
        Get { dht: true, ..self }.arg("--dht-node").arg(node)
    }

    /// Switches port mapping on. The program must be started in a network of its own.
    #[allow(dead_code)] // Only its stories use it.
    pub fn with_port_mapping(self) -> Get {
        Get { port_mapping: true, ..self }
    }

    /// Adds `torrent`.
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

    /// Its command line, for a story that starts it in another way.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg(self.command).args(&self.args).arg("--dir").arg(&self.dir).args(["--port", &self.port.to_string()]);
        let switches = [(NO_LSD, self.lsd), (NO_DHT, self.dht), (NO_PORT_MAPPING, self.port_mapping)];
        let wanted = |option: &&str| switches.iter().any(|(off, is_on)| off == option && *is_on);
        command.args(alone(&self.program).into_iter().filter(|option| !wanted(option)));
        // Each story keeps its own states.
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

    /// Starts it from a shell that runs `script` first, for example to set a limit.
    pub fn start_after(&self, script: &str) -> Swarmlet {
        let command = self.command();
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{script}; exec \"$@\""), "sh"]);
        shell.arg(command.get_program()).args(command.get_args());
        shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        Swarmlet { process: Process::start(&self.name, &mut shell, &self.scratch) }
    }

    /// Starts it on another host.
    #[allow(dead_code)] // Only a few stories have several hosts.
    pub fn start_on(&self, host: &Host) -> Swarmlet {
        Swarmlet { process: Process::start(&self.name, &mut host.command(&self.command()), &self.scratch) }
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

    /// Its standard output so far.
    pub fn stdout(&self) -> String {
        self.process.stdout()
    }

    /// Asks it to end, as `kill` does, and waits until it has ended.
    pub fn terminate(mut self) -> Outcome {
        self.process.signal(Signal::TERM);
        self.wait()
    }

    /// Asks it to end, as Ctrl-C does, and waits until it has ended.
    pub fn interrupt(mut self) -> Outcome {
        self.process.signal(Signal::INT);
        self.wait()
    }

    /// Ends it as `kill -9` does.
    pub fn kill(mut self) {
        self.process.signal(Signal::KILL);
        self.process.wait(PATIENCE);
    }

    /// Sends it a signal.
    pub fn signal(&mut self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Ends it as a terminal does when it is closed, and waits until it has ended.
    pub fn hang_up(mut self) -> Outcome {
        self.process.signal(Signal::HUP);
        self.wait()
    }

    /// Its standard error so far.
    pub fn stderr(&self) -> String {
        self.process.stderr()
    }

    /// Panics if it has ended. A wait calls this.
    pub fn must_run(&mut self) {
        self.process.must_run();
    }
}

/// How it ended. As long as a story holds this, a failure prints the output of the program.
pub struct Outcome {
    /// The exit code; none if a signal killed it.
    pub code: Option<i32>,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
    process: Process,
}

impl Outcome {
    /// Panics unless it ended with `code`.
    pub fn assert_code(&self, code: i32) {
        assert_eq!(self.code, Some(code), "{} ended with another exit code", self.process.name());
    }

    /// The last object of this event that it wrote with `--json`.
    pub fn json(&self, event: &str) -> serde_json::Value {
        let last = json::last(&self.stdout, event);
        last.unwrap_or_else(|| panic!("{} reported no event {event}", self.process.name()))
    }

    /// Panics unless it ended with `code` and a message on standard error, without a panic.
    pub fn assert_refused(&self, code: i32) {
        self.assert_code(code);
        assert!(!self.stderr.trim().is_empty(), "it refused without a message");
        assert!(!self.stderr.contains("panicked"), "it panicked");
    }
}
