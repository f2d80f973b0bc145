//! Writing a .torrent file: whole or not at all.
//!

use crate::base::path::for_terminal;
use crate::cli::exit::{Exit, Failure};
use crate::sys::in_words;
use crate::sys::replace::{Sync, replace};
use std::fs;
use std::io::{self, Write};
use std::path::Path;

/// What a path is called in messages.
pub fn shown(path: &Path) -> String {
    for_terminal(&path.to_string_lossy())
}

/// Refuses a path at which something is already, unless it is to be replaced, or in a folder that is not there: before the
/// work is done, not after.
pub fn check_free(path: &Path, force: bool) -> Result<(), Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    // By `.` in it, lest a file be taken for a folder.
    if let Some(Err(error)) = folder.map(|folder| fs::metadata(folder.join("."))) {
        return Err(cant_write(path, &error));
    }
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => Err(Failure::new(Exit::CantCreate, format!("{}: a folder", shown(path)))),
        Ok(_) if !force => {
            let text = format!("{} is there already; --force replaces it, --output names another", shown(path));
            Err(Failure::new(Exit::CantCreate, text))
        }
        _ => Ok(()),
    }
}

/// Puts `bytes` at `path`, in place of what was there.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    replace(path, Sync::First, |file| file.write_all(bytes)).map_err(|error| cant_write(path, &error))
}

fn cant_write(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Exit::CantCreate, format!("can't write {}: {}", shown(path), in_words(error)))
}
