//! The terminal's modes while the screen is live: what is typed comes key by key and is not echoed into the screen.
//!
//! Floor 4. The modes found are put back on each way out: the end of the run, a signal, a panic, a stop by ^Z. What only
//! the foreground may do is done in the foreground alone, so that a job in the background is never stopped for it.

use crate::cli::exit::Exit;
use crate::sys::lock;
use rustix::termios::{self, LocalModes, OptionalActions, SpecialCodeIndex, Termios};
use std::io::{self, IsTerminal};
use std::panic;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Whether the terminal is ours just now, and the modes to be put back then.
struct Hold {
    ours: bool,
    found: Option<Termios>,
}

static HOLD: Mutex<Hold> = Mutex::new(Hold { ours: false, found: None });
/// The terminal has become ours.
static TAKEN: Condvar = Condvar::new();

/// Columns and rows of a terminal that does not tell.
const USUAL_SIZE: (usize, usize) = (80, 24);

/// Takes the terminal if it is there for us: at the start, and again when we come back to the foreground.
pub fn take() {
    let Ok(modes) = termios::tcgetattr(io::stderr()) else { return };
    if in_background() {
        return;
    }
    let mut hold = hold();
    let to_change = LocalModes::ICANON | LocalModes::ECHO;
    if modes.local_modes.intersects(to_change) {
        let mut ours = modes.clone();
        ours.local_modes.remove(to_change);
        // A read returns with the first key.
        ours.special_codes[SpecialCodeIndex::VMIN] = 1;
        ours.special_codes[SpecialCodeIndex::VTIME] = 0;
        if termios::tcsetattr(io::stderr(), OptionalActions::Now, &ours).is_err() {
            return;
        }
        hold.found = Some(modes);
    }
    hold.ours = true;
    TAKEN.notify_all();
}

/// Puts the modes back that were found.
pub fn release() {
    let mut hold = hold();
    // In the background they are another's by now.
    if std::mem::take(&mut hold.ours)
        && !in_background()
        && let Some(found) = &hold.found
    {
        let _ = termios::tcsetattr(io::stderr(), OptionalActions::Now, found);
    }
}

/// Ends the process at once, with the terminal as it was found.
pub fn exit_at_once(exit: Exit) -> ! {
    release();
    std::process::exit(exit.code().into());
}

/// Has the modes put back by a panic too.
pub fn release_on_panic() {
    let tell = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        release();
        tell(info);
    }));
}

/// Waits until the terminal is ours.
pub fn wait_for() {
    let mut hold = hold();
    // What was taken may have been lost since, by a stop that we did not hear of.
    while !hold.ours || in_background() {
        hold.ours = false;
        hold = TAKEN.wait(hold).unwrap_or_else(PoisonError::into_inner);
    }
}

/// Whether the terminal belongs to another job now, in which we would scribble.
pub fn in_background() -> bool {
    termios::tcgetpgrp(io::stderr()).is_ok_and(|group| group != rustix::process::getpgrp())
}

/// Whether the terminal was closed, or its line broke.
pub fn is_gone() -> bool {
    termios::tcgetattr(io::stderr()).is_err_and(|error| error == rustix::io::Errno::IO)
}

/// Whether somebody may type to us.
pub fn has_keys() -> bool {
    io::stdin().is_terminal()
}

/// Columns and rows.
pub fn size() -> (usize, usize) {
    match termios::tcgetwinsize(io::stderr()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.into(), size.ws_row.into()),
        _ => USUAL_SIZE,
    }
}

fn hold() -> MutexGuard<'static, Hold> {
    lock(&HOLD)
}
