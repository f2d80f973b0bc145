//! The signals that end a run: the first one ends it well, the second one at once.
//!
//! Floor 4.

use super::exit::{Exit, Failure};
use crossbeam_channel::Receiver;
use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;
use std::thread::Builder;

/// The thread only waits; the deepest it calls is a channel's `send`.
const STACK_BYTES: usize = 64 << 10;

/// Something comes at the first SIGINT or SIGTERM; the second ends the process.
///
/// The screen needs no clearing up when that happens: it changes no mode of the terminal and leaves the cursor in an
/// empty line below itself after each drawing.
pub fn watch() -> Result<Receiver<()>, Failure> {
    let refused = |error| Failure::new(Exit::Io, format!("can't watch for signals: {error}"));
    // A file that is to be larger than this process may make one (`ulimit -f`) is an error to be told, not the end.
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGXFSZ]).map_err(refused)?;
    let (first, interrupts) = crossbeam_channel::bounded(1);
    let wait = move || {
        let mut signals = signals.forever().filter(|signal| *signal != SIGXFSZ);
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
