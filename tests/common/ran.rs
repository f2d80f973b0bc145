//! Our own program, run to its end, for commands that use no network.

use super::json;
use super::swarmlet::program;
use serde_json::Value;
use std::ffi::OsStr;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// How it ended, and its output.
pub struct Ran {
    /// The exit code; none if a signal killed it.
    pub code: Option<i32>,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: String,
}

/// Runs `swarmlet ARGS...` in `dir`.
pub fn swarmlet<A: AsRef<OsStr>>(dir: &Path, args: &[A]) -> Ran {
    with_stdin(dir, args, b"")
}

/// The same, `input` on its standard input.
pub fn with_stdin<A: AsRef<OsStr>>(dir: &Path, args: &[A], input: &[u8]) -> Ran {
    run(Command::new(program()).args(args).current_dir(dir), input)
}

/// Runs any command line of ours.
pub fn run(command: &mut Command, input: &[u8]) -> Ran {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|e| panic!("cannot start {command:?}: {e}"));
    // It may have ended before it read everything.
    let _ = child.stdin.take().expect("it has an input").write_all(input);
    let output = child.wait_with_output().expect("it ends");
    let stderr = String::from_utf8(output.stderr).expect("messages are text");
    assert!(!stderr.contains("panicked"), "{command:?} panicked:\n{stderr}");
    Ran { code: output.status.code(), stdout: output.stdout, stderr }
}

impl Ran {
    /// Panics unless it ended with `code`.
    #[track_caller]
    pub fn code(self, code: i32) -> Ran {
        assert_eq!(self.code, Some(code), "another exit code; output:\n{}{}", self.text(), self.stderr);
        self
    }

    /// Panics unless it ended with `code` and `words` on standard error.
    #[track_caller]
    pub fn refused(self, code: i32, words: &str) -> Ran {
        let ran = self.code(code);
        assert!(ran.stderr.contains(words), "{words:?} is not in its output:\n{}", ran.stderr);
        ran
    }

    /// Its standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// The objects on its standard output, one a line.
    pub fn objects(&self) -> Vec<Value> {
        json::objects(&self.text())
    }
}
