//! A terminal of a chosen size whose screen can be read: tmux, on its own socket, with a shell.
//!
//! The shell is dash if it is installed. Unlike other shells it does not repair the modes of the terminal after a
//! program, so that a story sees what the program left behind.

use super::wait::{PATIENCE, wait_until};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{fs, thread};

/// The prompt of the shell.
pub const PROMPT: &str = "ready$";

/// The terminal. It ends when dropped, with everything that runs in it.
pub struct Tmux {
    socket: PathBuf,
}

impl Tmux {
    /// A terminal with a shell, in the folder `scratch`, with this locale.
    pub fn start(scratch: &Path, (columns, rows): (usize, usize), locale: &str) -> Tmux {
        let (socket, settings) = (scratch.join("tmux"), scratch.join("tmux.conf"));
        fs::write(&settings, "set -g status off\nset -g default-terminal screen\n")
            .expect("the settings can be written");
        let tmux = Tmux { socket };
        let shell = if Path::new("/bin/dash").exists() { "dash" } else { "sh" };
        let prompt = format!("PS1={PROMPT} ");
        let all = ["LC_ALL", "LC_CTYPE", "ENV", "NO_COLOR"].iter().flat_map(|name| ["-u", name]);
        let size = [columns.to_string(), rows.to_string()];
        let mut command = tmux.command();
        command.arg("-u").arg("-f").arg(&settings).args(["new-session", "-d", "-x", &size[0], "-y", &size[1]]);
        command
            .arg("-c")
            .arg(scratch)
            .arg("env")
            .args(all)
            .arg(format!("LANG={locale}"))
            .arg(prompt)
            .args([shell, "-i"]);
        tmux.run(&mut command);
        tmux.wait_for("the shell", |rows| rows.iter().any(|row| row.trim_end() == PROMPT));
        tmux
    }

    /// Types a command and Enter.
    pub fn type_line(&self, line: &str) {
        self.run(self.command().args(["send-keys", "-l", "--", line]));
        self.press("Enter");
    }

    /// Clears the screen and runs `command` in the shell, with `behind` after it. (The line is long, so it is in a
    /// file.)
    pub fn run_there(&self, command: &Command, behind: &str) {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let words = words.map(|word| format!("'{}'", word.to_string_lossy()));
        let set = |(name, value): (&OsStr, &OsStr)| format!("{}='{}'", name.display(), value.display());
        let sets = command.get_envs().filter_map(|(name, value)| Some(set((name, value?))));
        let quoted: Vec<String> = sets.chain(words).collect();
        fs::write(self.socket.with_file_name("go"), quoted.join(" ") + behind).expect("the script can be written");
        self.type_line("clear; . ./go");
    }

    /// Presses a key. Its name is one of tmux: `q`, `C-c`, `Enter`.
    pub fn press(&self, key: &str) {
        self.run(self.command().args(["send-keys", key]));
    }

    /// The rows of the screen.
    pub fn rows(&self) -> Vec<String> {
        self.capture(&[])
    }

    /// Waits until the screen is as `wanted` says, and returns its rows.
    pub fn wait_for(&self, what: &str, wanted: impl Fn(&[String]) -> bool) -> Vec<String> {
        let mut rows = Vec::new();
        let shown = Shown(self);
        wait_until(what, PATIENCE, || {
            rows = self.rows();
            wanted(&rows)
        });
        std::mem::forget(shown);
        rows
    }

    /// Waits until a row holds `text`.
    pub fn wait_for_text(&self, text: &str) -> Vec<String> {
        self.wait_for(&format!("the screen shows {text:?}"), |rows| rows.iter().any(|row| row.contains(text)))
    }

    /// Runs a line in the shell, which must be idle, and returns its output.
    pub fn ask(&self, line: &str) -> Vec<String> {
        self.run(self.command().args(["send-keys", "-l", &format!("clear; {line}; echo end''ed")]));
        self.press("Enter");
        self.wait_for(line, |rows| rows.iter().any(|row| row == "ended"))
    }

    /// Panics if a row was too long for the terminal.
    pub fn assert_nothing_wraps(&self) {
        let trimmed = |rows: Vec<String>| rows.iter().map(|row| row.trim_end().to_string()).collect::<Vec<String>>();
        // The program may draw between the two looks.
        self.wait_for("no row is wrapped", |rows| trimmed(rows.to_vec()) == trimmed(self.capture(&["-J"])));
    }

    /// Writes all bytes that the terminal gets from now on to a file.
    #[allow(dead_code)] // Only a few programs use it.
    pub fn record(&self, file: &Path) {
        self.run(self.command().args(["pipe-pane", &format!("cat > '{}'", file.display())]));
    }

    /// Gives the terminal another size.
    #[allow(dead_code)] // Only a few programs use it.
    pub fn resize(&self, (columns, rows): (usize, usize)) {
        let size = [columns.to_string(), rows.to_string()];
        self.run(self.command().args(["resize-window", "-x", &size[0], "-y", &size[1]]));
    }

    /// Pastes a text as a person does. (A program that asks for it gets marks around it.)
    #[allow(dead_code)] // Only a few programs use it.
    pub fn paste(&self, text: &str) {
        self.run(self.command().args(["set-buffer", "--", text]));
        self.run(self.command().args(["paste-buffer", "-p", "-d"]));
    }

    fn capture(&self, more: &[&str]) -> Vec<String> {
        let output = self.run(self.command().args(["capture-pane", "-p"]).args(more));
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_string).collect()
    }

    fn command(&self) -> Command {
        let mut command = Command::new("tmux");
        command.arg("-S").arg::<&OsStr>(self.socket.as_ref()).env_remove("TMUX");
        command
    }

    fn run(&self, command: &mut Command) -> Output {
        let output = command.output().unwrap_or_else(|error| panic!("cannot start tmux: {error}"));
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        output
    }
}

/// Prints the screen when a wait fails.
struct Shown<'a>(&'a Tmux);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("--- the screen");
            self.0.rows().iter().for_each(|row| eprintln!("  |{row}|"));
        }
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        let _ = self.command().arg("kill-server").output();
    }
}

/// The `swarmlet` process with this port on its command line.
pub fn pid_of(port: u16) -> Option<i32> {
    pid_with(&port.to_string())
}

/// The `swarmlet` process with this word on its command line.
pub fn pid_with(wanted: &str) -> Option<i32> {
    let listens = |pid: &i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let mut words = line.split(|byte| *byte == 0);
        words.next().is_some_and(|program| program.ends_with(b"swarmlet"))
            && words.any(|word| word == wanted.as_bytes())
    };
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    all.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).find(listens)
}
