//! Writing to standard output and standard error.
//!
//! Floor 4. `println!` panics if the reader of a pipe is gone; these functions do not. Each line is one write, so lines
//! of several threads do not mix.

use super::exit::{Exit, Failure};
use crate::base::path::for_terminal;
use crate::sys::in_words;
use std::io::{self, ErrorKind, Write};

/// Writes a line to standard error, made safe for a terminal. Errors are ignored, because there is nowhere to report
/// them.
pub fn line(text: &str) {
    let _ = io::stderr().lock().write_all((for_terminal(text) + "\n").as_bytes());
}

/// Writes a message to standard error, with the program's name before each line.
pub fn problem(text: &str) {
    text.lines().for_each(|part| line(&format!("swarmlet: {part}")));
}

/// A warning, to be written with [`problem`] or on the screen.
pub fn warning(text: &str) -> String {
    format!("warning: {text}")
}

/// Writes text such as a help to standard output. It is not an error if the reader of a pipe does not read all of it.
pub fn print(text: &str) -> Exit {
    match write_out(text) {
        Ok(()) => Exit::Success,
        Err(failure) => {
            problem(&failure.text);
            failure.exit
        }
    }
}

/// Writes to standard output. If the reader of a pipe is gone, that is a failure without words.
pub fn write_out(bytes: impl AsRef<[u8]>) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes.as_ref()).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Failure::new(Exit::Io, "")),
        Err(error) => Err(Failure::new(Exit::Io, format!("can't write to standard output: {}", in_words(&error)))),
    }
}
