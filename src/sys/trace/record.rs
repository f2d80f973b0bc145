//! The record of `--record`: lines from which a run can be replayed, on their way to the file.
//!
//! Floor 3, part of [`trace`](super). As with the trace, there is one for the whole process, and its lines go through
//! the bounded memory of a [`spool`](super::spool). The writer of a line decides what it says.

use super::Failed;
use super::form::Form;
use super::spool::Spool;
use std::io;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The first line of each record. The number changes if the meaning of a line changes.
pub const FIRST_LINE: &str = "swarmlet record 1";
/// The last line of a record that is whole.
pub const LAST_LINE: &str = "end";

/// Where the lines go.
static RECORD: OnceLock<Spool> = OnceLock::new();
/// It is wanted, and can be written so far.
static IS_ON: AtomicBool = AtomicBool::new(false);

/// Begins the record in a new file at `path`, or instead of an earlier record. If it can't be written later, `failed`
/// is told why, once, and the record ends there.
pub fn begin(path: &Path, failed: Failed) -> io::Result<()> {
    let out = Box::new(super::create(path, &[FIRST_LINE], "a record")?);
    let give_up = move |error: &io::Error| {
        IS_ON.store(false, Ordering::Relaxed);
        failed(error);
    };
    if RECORD.set(Spool::start(out, Form::Bare, give_up)?).is_ok() {
        IS_ON.store(true, Ordering::Relaxed);
        write(FIRST_LINE);
    }
    Ok(())
}

/// Whether a record is wanted, and can be written so far. Look before you make a line.
pub fn is_on() -> bool {
    IS_ON.load(Ordering::Relaxed)
}

/// Writes a line.
pub fn write(line: &str) {
    if let Some(spool) = RECORD.get() {
        spool.add(line);
    }
}

/// Ends the record, and waits until all lines are written, but not longer than `patience`.
pub(super) fn end(patience: Duration) {
    if let Some(spool) = RECORD.get() {
        spool.end(LAST_LINE, patience);
    }
}
