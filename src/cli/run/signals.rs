//! The signals of a run: the first one that asks for the end ends it cleanly, the second one at once. With a live
//! screen, also those that stop the program and resume it (^Z, `fg`).
//!
//! Floor 4. A terminal that is closed (SIGHUP) ends the run like ^C. nohup ignores SIGHUP, so there it does not.

use super::request::{ONE_REQUEST, UserRequest};
use super::terminal;
use crate::cli::exit::{Exit, Failure};
use crossbeam_channel::Sender;
use rustix::process::{Signal, getpid, kill_process};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGWINCH, SIGXFSZ};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use std::thread::Builder;
use std::time::Instant;

/// The thread only waits and sends into a channel, so it needs little stack.
const STACK_BYTES: usize = 64 << 10;

/// Starts the thread that turns signals into requests. `live`: it also puts back the terminal's modes when the program
/// stops or ends. `rescans`: SIGHUP asks for a rescan, as it asks other programs to read their settings again.
/// `cleans`: SIGQUIT ends the run cleanly, too, because there are files to delete.
pub fn listen(requests: &Sender<UserRequest>, live: bool, rescans: bool, cleans: bool) -> Result<(), Failure> {
    let refused = |error| Failure::new(Exit::Io, format!("can't listen for signals: {error}"));
    // SIGXFSZ: a file would become larger than `ulimit -f` allows. That is an error to report, not the end.
    let mut wanted = vec![SIGINT, SIGTERM, SIGXFSZ];
    if !is_ignored(SIGHUP, &std::fs::read_to_string("/proc/self/status").unwrap_or_default()) {
        wanted.push(SIGHUP);
    }
    if live {
        wanted.extend([SIGTSTP, SIGCONT, SIGQUIT, SIGWINCH]);
    }
    if cleans {
        wanted.push(SIGQUIT);
    }
    let mut signals = Signals::new(wanted).map_err(refused)?;
    let requests = requests.clone();
    let wait = move || {
        let mut asked: Option<Instant> = None;
        for signal in signals.forever() {
            match signal {
                // If the terminal was closed, the run ends all the same.
                SIGHUP if rescans && !(live && terminal::is_gone()) => drop(requests.send(UserRequest::Rescan)),
                SIGINT | SIGTERM | SIGHUP | SIGQUIT if cleans || signal != SIGQUIT => match asked {
                    None => {
                        asked = Some(Instant::now());
                        // If the receiver were gone, the run would be over.
                        let _ = requests.send(UserRequest::Interrupt);
                    }
                    Some(at) if at.elapsed() < ONE_REQUEST => {}
                    // Not as a request: the thread that takes requests may hang in a write to the terminal.
                    Some(_) => terminal::exit_at_once(Exit::Interrupted),
                },
                SIGXFSZ => {}
                SIGWINCH => drop(requests.send(UserRequest::Resized)),
                SIGTSTP => {
                    terminal::release();
                    // Not SIGSTOP, which would stop the program even if there is no shell that could resume it. The
                    // kernel spares such a process from the other stop signals. SIGCONT resumes the program.
                    let _ = kill_process(getpid(), Signal::TTOU);
                }
                SIGCONT => {
                    terminal::take();
                    let _ = requests.send(UserRequest::Redraw);
                }
                other => {
                    terminal::release();
                    let _ = emulate_default_handler(other);
                }
            }
        }
    };
    Builder::new().name("signals".into()).stack_size(STACK_BYTES).spawn(wait).map_err(refused)?;
    Ok(())
}

/// Whether the program was started with the signal ignored. `/proc/self/status` says so (proc(5)), in a mask in hex
/// with the lowest bit for signal 1.
pub fn is_ignored(signal: i32, status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_read_from_the_mask() {
        let status = "Name:\tx\nSigBlk:\t0000000000000001\nSigIgn:\t0000000000001001\nSigCgt:\t0\n";
        assert!(is_ignored(SIGHUP, status));
        assert!(!is_ignored(SIGINT, status));
        assert!(!is_ignored(SIGHUP, &status.replace("1001", "1000")));
        assert!(!is_ignored(SIGHUP, ""));
    }
}
