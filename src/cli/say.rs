//! Writing to standard output and standard error, whatever is at the other end.
//!
//! Floor 4. `println!` panics when the reader of a pipe is gone; here that is an answer like any other. A line is one
//! write, so that lines of several threads do not mix.

use super::exit::{Exit, Failure};
use crate::base::path::for_terminal;
use std::io::{self, ErrorKind, Write};

/// A line on standard error, made safe for a terminal. When nobody can read it there is nobody to tell.
pub fn line(text: &str) {
    let _ = io::stderr().lock().write_all((for_terminal(text) + "\n").as_bytes());
}

/// What went wrong, on standard error: each line of `text` behind the program's name.
pub fn problem(text: &str) {
    text.lines().for_each(|part| line(&format!("swarmlet: {part}")));
}

/// A warning, to be written with [`problem`] or on the screen.
pub fn warning(text: &str) -> String {
    format!("warning: {text}")
}

/// `text` on standard output, as help is; a reader that has seen enough is no failure.
pub fn print(text: &str) -> Exit {
    match write_out(text) {
        Ok(()) => Exit::Whole,
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
        Err(error) => Err(Failure::new(Exit::Io, format!("can't write to standard output: {error}"))),
    }
}
