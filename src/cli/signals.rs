//! The signals that end a run: the first one ends it well, the second one at once.
//!
//! Floor 4. A terminal that is closed (SIGHUP) ends the run as ^C does; under nohup, which has SIGHUP ignored, it does not.

use super::exit::{Exit, Failure};
use crossbeam_channel::Receiver;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::thread::Builder;

/// The thread only waits; the deepest it calls is a channel's `send`.
const STACK_BYTES: usize = 64 << 10;

/// Something comes at the first SIGINT, SIGTERM or SIGHUP; the second ends the process.
///
/// The screen needs no clearing up when that happens: it changes no mode of the terminal and leaves the cursor in an
/// empty line below itself after each drawing.
pub fn watch() -> Result<Receiver<()>, Failure> {
    let refused = |error| Failure::new(Exit::Io, format!("can't watch for signals: {error}"));
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(refused)?;
    if !is_ignored(SIGHUP, &std::fs::read_to_string("/proc/self/status").unwrap_or_default()) {
        signals.add_signal(SIGHUP).map_err(refused)?;
    }
    let (first, interrupts) = crossbeam_channel::bounded(1);
    let wait = move || {
        let mut signals = signals.forever();
        if signals.next().is_some() {
            // Were the receiver gone, the run would be over.
            let _ = first.send(());
        }
        if signals.next().is_some() {
            std::process::exit(Exit::Interrupted.code().into());
        }
    };
    Builder::new().name("signals".into()).stack_size(STACK_BYTES).spawn(wait).map_err(refused)?;
    Ok(interrupts)
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
