//! The signals of a run: the first that wants its end ends it well, the second at once; and with a live screen those
//! that stop it and let it go on (^Z, `fg`).
//!
//! Floor 4. A terminal that is closed (SIGHUP) ends the run as ^C does; under nohup, which has SIGHUP ignored, it does not.

use super::person::Wish;
use super::terminal;
use crate::cli::exit::{Exit, Failure};
use crossbeam_channel::Sender;
use rustix::process::{Signal, getpid, kill_process};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGXFSZ};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use std::sync::OnceLock;
use std::thread::Builder;
use std::time::{Duration, Instant};

/// The thread only waits; the deepest it calls is a channel's `send`.
const STACK_BYTES: usize = 64 << 10;

/// Says what signals ask for. `live`: the terminal's modes are to be put back when we stop or end. `looks`: SIGHUP
/// has us look at the folder and at the blocklist, as it has others read their settings.
pub fn watch(wishes: &Sender<Wish>, live: bool, looks: bool) -> Result<(), Failure> {
    let refused = |error| Failure::new(Exit::Io, format!("can't watch for signals: {error}"));
    // A file that is to be larger than this process may make one (`ulimit -f`) is an error to be told, not the end.
    let mut wanted = vec![SIGINT, SIGTERM, SIGXFSZ];
    if !is_ignored(SIGHUP, &std::fs::read_to_string("/proc/self/status").unwrap_or_default()) {
        wanted.push(SIGHUP);
    }
    if live {
        wanted.extend([SIGTSTP, SIGCONT, SIGQUIT]);
    }
    let mut signals = Signals::new(wanted).map_err(refused)?;
    let wishes = wishes.clone();
    let wait = move || {
        for signal in signals.forever() {
            match signal {
                // A terminal that was closed ends the run all the same.
                SIGHUP if looks && !(live && terminal::is_gone()) => drop(wishes.send(Wish::Look)),
                SIGINT | SIGTERM | SIGHUP => interrupt(&wishes),
                SIGXFSZ => {}
                SIGTSTP => {
                    terminal::release();
                    // Not SIGSTOP: that would stop us even where there is no shell to let us go on, from which kernels
                    // spare a process with all other signals of this kind. When we go on SIGCONT comes.
                    let _ = kill_process(getpid(), Signal::TTOU);
                }
                SIGCONT => {
                    terminal::take();
                    let _ = wishes.send(Wish::Redraw);
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

/// Signals that come so close together are one: `timeout` sends its own to the process and to its group, a terminal that
/// is closed may bring SIGHUP and SIGTERM. Nobody presses ^C twice that fast.
const ONE_WISH: Duration = Duration::from_millis(50);

/// Somebody wants the end: the first time the run is told, the second time it ends at once.
pub fn interrupt(wishes: &Sender<Wish>) {
    static ASKED: OnceLock<Instant> = OnceLock::new();
    if let Some(asked) = ASKED.get() {
        if asked.elapsed() < ONE_WISH {
            return;
        }
        terminal::release();
        std::process::exit(Exit::Interrupted.code().into());
    }
    let _ = ASKED.set(Instant::now());
    // Were the receiver gone, the run would be over.
    let _ = wishes.send(Wish::Interrupt);
}

/// Whether whoever started us has the signal ignored, by what `/proc/self/status` says (proc(5)): a mask in hex, the
/// lowest bit for signal 1.
fn is_ignored(signal: i32, status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_of_ignored_signals_is_read() {
        let status = "Name:\tx\nSigBlk:\t0000000000000001\nSigIgn:\t0000000000001001\nSigCgt:\t0\n";
        assert!(is_ignored(SIGHUP, status));
        assert!(!is_ignored(SIGINT, status));
        assert!(!is_ignored(SIGHUP, &status.replace("1001", "1000")));
        assert!(!is_ignored(SIGHUP, ""));
    }
}
