//! A child process that ends with its story and leaves its log when the story fails.

use super::wait::wait_until;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

/// A running program. Its output goes to two files or to the user's terminal. It is killed when dropped.
pub struct Process {
    name: String,
    child: Child,
    /// Standard output and error; none if they go to the terminal.
    logs: Option<[PathBuf; 2]>,
}

impl Process {
    /// Starts `command` with no input, and its output in files in `logs`.
    pub fn start(name: &str, command: &mut Command, logs: &Path) -> Process {
        Process::start_with_stdin(name, command, logs, Stdio::null())
    }

    /// The same, with `stdin` as its input.
    pub fn start_with_stdin(name: &str, command: &mut Command, logs: &Path, stdin: Stdio) -> Process {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let out = logs.join(format!("{number}-{name}.out"));
        let err = logs.join(format!("{number}-{name}.err"));
        let open = |path: &Path| File::create(path).unwrap_or_else(|e| panic!("cannot create {}: {e}", path.display()));
        let child = spawn(name, command.stdin(stdin).stdout(open(&out)).stderr(open(&err)));
        Process { name: name.into(), child, logs: Some([out, err]) }
    }

    /// The same with the input and output of the story itself, for example the terminal.
    pub fn start_in_sight(name: &str, command: &mut Command) -> Process {
        Process { name: name.into(), child: spawn(name, command), logs: None }
    }

    /// Its name in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its exit status if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the child is ours to wait for")
    }

    /// Panics if it has ended. A wait for something that only a running program can do calls this.
    pub fn must_run(&mut self) {
        if let Some(status) = self.ended() {
            panic!("{} ended too early: {status}", self.name);
        }
    }

    /// Waits for its end.
    pub fn wait(&mut self, deadline: Duration) -> ExitStatus {
        let mut status = None;
        wait_until(&format!("{} ends", self.name), deadline, || {
            status = self.ended();
            status.is_some()
        });
        status.expect("it has ended")
    }

    /// Sends it a signal.
    pub fn signal(&mut self, signal: Signal) {
        self.must_run();
        kill_process(Pid::from_child(&self.child), signal).expect("the child is ours to signal");
    }

    /// Its standard output so far.
    pub fn stdout(&self) -> String {
        self.log(0)
    }

    /// Its standard error so far.
    pub fn stderr(&self) -> String {
        self.log(1)
    }

    fn log(&self, stream: usize) -> String {
        let read = |logs: &[PathBuf; 2]| fs::read(&logs[stream]).ok();
        self.logs.as_ref().and_then(read).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let ended = self.child.try_wait().ok().flatten();
        if ended.is_none() {
            // It may end by itself just now. Then there is nothing to kill, and `wait` takes its status.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if thread::panicking() {
            let state = ended.map_or("killed by the story's end".into(), |status| status.to_string());
            eprintln!("--- {} ({state})", self.name);
            for (stream, text) in [("stdout", self.stdout()), ("stderr", self.stderr())] {
                print_tail(stream, &text);
            }
        }
    }
}

fn spawn(name: &str, command: &mut Command) -> Child {
    command.spawn().unwrap_or_else(|e| panic!("cannot start {name}: {e}\n  {command:?}"))
}

fn print_tail(stream: &str, text: &str) {
    const LINES: usize = 60;
    let lines: Vec<&str> = text.lines().collect();
    let first = lines.len().saturating_sub(LINES);
    if first > 0 {
        eprintln!("  {stream}: ({first} lines before)");
    }
    lines[first..].iter().for_each(|line| eprintln!("  {stream}: {line}"));
}
