//! The modes of the terminal while the screen is live: keys arrive one by one, and are not echoed into the screen.
//!
//! Floor 4. The old modes are restored whenever the program ends or stops: at the end of the run, by a signal, a panic
//! or ^Z. The modes are changed only in the foreground, because the kernel stops a background job that changes them.

use crate::cli::exit::Exit;
use crate::sys::lock;
use rustix::termios::{self, LocalModes, OptionalActions, SpecialCodeIndex, Termios};
use std::io::{self, IsTerminal};
use std::panic;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Whether the program has changed the modes, and the modes to restore.
struct Hold {
    ours: bool,
    found: Option<Termios>,
}

static HOLD: Mutex<Hold> = Mutex::new(Hold { ours: false, found: None });
/// Signalled when `ours` becomes true.
static TAKEN: Condvar = Condvar::new();

/// Columns and rows of a terminal that does not report them.
const USUAL_SIZE: (usize, usize) = (80, 24);

/// Changes the modes, if the program is in the foreground: at the start, and again when it returns to the foreground.
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
        // A read returns as soon as a key was pressed.
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

/// Restores the old modes.
pub fn release() {
    let mut hold = hold();
    // In the background, the terminal belongs to another program.
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

/// Makes a panic restore the old modes, too.
pub fn release_on_panic() {
    let tell = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        release();
        tell(info);
    }));
}

/// Waits until the program has changed the modes and is in the foreground.
pub fn wait_for() {
    let mut hold = hold();
    // The program may have been stopped by a signal that it can't catch.
    while !hold.ours || in_background() {
        hold.ours = false;
        hold = TAKEN.wait(hold).unwrap_or_else(PoisonError::into_inner);
    }
}

/// Whether the terminal belongs to another job now, whose output must not be disturbed.
pub fn in_background() -> bool {
    termios::tcgetpgrp(io::stderr()).is_ok_and(|group| group != rustix::process::getpgrp())
}

/// Whether the terminal was closed, or its connection was lost.
pub fn is_gone() -> bool {
    termios::tcgetattr(io::stderr()).is_err_and(|error| error == rustix::io::Errno::IO)
}

/// Whether standard input is a terminal.
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
