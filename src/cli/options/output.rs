//! Writing a file that a command makes: completely, or not at all.
//!
//! Floor 4.

use crate::base::path::for_terminal;
use crate::cli::exit::{Exit, Failure};
use crate::sys::in_words;
use crate::sys::replace::{Sync, replace};
use std::io::{self, Write};
use std::path::Path;

/// A path as messages name it: safe for a terminal.
pub fn shown(path: &Path) -> String {
    for_terminal(&path.to_string_lossy())
}

/// Writes a file, and replaces what was there.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    replace(path, Sync::First, |file| file.write_all(bytes)).map_err(|error| cant_write(path, &error))
}

/// The failure that says so.
pub fn cant_write(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Exit::CantCreate, format!("can't write {}: {}", shown(path), in_words(error)))
}
