//! The modes of the terminal while the screen is live: keys arrive one by one, and are not echoed into the screen.
//!
//! Floor 4. The old modes are restored whenever the program ends or stops: at the end of the run, by a signal, a panic
//! or ^Z. The modes are changed only in the foreground, because the kernel stops a background job that changes them. A
//! screen that takes the whole terminal has a page of its own there, and leaves the page of the shell as it was.

use crate::cli::exit::Exit;
use crate::cli::trace::LITTLE_PATIENCE;
use crate::sys::{lock, trace};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{self, LocalModes, OptionalActions, SpecialCodeIndex, Termios};
use std::io::{self, IsTerminal};
use std::panic;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Whether the program has changed the modes, and the modes to restore.
struct Hold {
    ours: bool,
    found: Option<Termios>,
    /// The program takes the whole terminal.
    whole: bool,
}

static HOLD: Mutex<Hold> = Mutex::new(Hold { ours: false, found: None, whole: false });
/// Signalled when `ours` becomes true.
static TAKEN: Condvar = Condvar::new();

/// Columns and rows of a terminal that does not report them.
const USUAL_SIZE: (usize, usize) = (80, 24);
/// A page of our own, and pastes that are told from typing; the page of the shell, with its cursor. (The private modes
/// 1049, 2004 and 25 of xterm, which other terminals know or ignore.)
const OWN_PAGE: &[u8] = b"\x1b[?1049h\x1b[?2004h";
const SHELL_PAGE: &[u8] = b"\x1b[?2004l\x1b[?25h\x1b[?1049l";
/// How long the terminal may take to accept what restores it. It accepts nothing after ^S.
const PATIENCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };

/// Changes the modes for the first time; from then on a panic restores them, too. `whole`: the program takes the whole
/// terminal.
pub fn begin(whole: bool) {
    release_on_panic();
    hold().whole = whole;
    take();
}

/// Changes the modes, if the program is in the foreground: at the start, and again when it returns to the foreground.
/// Returns whether they were not ours.
pub fn take() -> bool {
    let Ok(modes) = termios::tcgetattr(io::stderr()) else { return false };
    if in_background() {
        return false;
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
            return false;
        }
        hold.found = Some(modes);
    }
    let is_new = !std::mem::replace(&mut hold.ours, true);
    if is_new && hold.whole {
        write(OWN_PAGE);
    }
    TAKEN.notify_all();
    is_new
}

/// Restores the old modes.
pub fn release() {
    let mut hold = hold();
    // In the background, the terminal belongs to another program.
    if !std::mem::take(&mut hold.ours) || in_background() {
        return;
    }
    if hold.whole {
        write(SHELL_PAGE);
    }
    // Without `found`, the modes were not changed.
    if let Some(found) = &hold.found {
        let _ = termios::tcsetattr(io::stderr(), OptionalActions::Now, found);
    }
}

/// Writes to the terminal if it accepts that: the program ends even if it does not.
fn write(bytes: &[u8]) {
    let terminal = io::stderr();
    if poll(&mut [PollFd::new(&terminal, PollFlags::OUT)], Some(&PATIENCE)).is_ok_and(|ready| ready > 0) {
        let _ = rustix::io::write(&terminal, bytes);
    }
}

/// Ends the process at once, with the terminal as it was found.
pub fn exit_at_once(exit: Exit) -> ! {
    release();
    trace::end(LITTLE_PATIENCE);
    std::process::exit(exit.code().into());
}

/// Makes a panic restore the old modes.
fn release_on_panic() {
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
