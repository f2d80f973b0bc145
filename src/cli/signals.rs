//! The signals that end a run: the first one ends it well, the second one at once. To a tracker SIGHUP is a wish too.
//!
//! Floor 4.

use super::exit::{Exit, Failure};
use crate::tracker::Wish;
use crossbeam_channel::Receiver;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
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
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(refused)?;
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

/// What a tracker is to do, as signals come: SIGHUP reads again, SIGINT and SIGTERM end it; two of these end it at once.
pub fn watch_for_wishes() -> Result<Receiver<Wish>, Failure> {
    let refused = |error| Failure::new(Exit::Io, format!("can't watch for signals: {error}"));
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(refused)?;
    let (wish, wishes) = crossbeam_channel::unbounded();
    let wait = move || {
        let mut ending = false;
        for signal in signals.forever() {
            if signal != SIGHUP && std::mem::replace(&mut ending, true) {
                std::process::exit(Exit::Interrupted.code().into());
            }
            let _ = wish.send(if signal == SIGHUP { Wish::Reload } else { Wish::Stop });
        }
    };
    Builder::new().name("signals".into()).stack_size(STACK_BYTES).spawn(wait).map_err(refused)?;
    Ok(wishes)
}
