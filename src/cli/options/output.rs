//! Writing a .torrent file: whole or not at all.
//!
//! Floor 4. It is written under another name beside its place and then renamed, so that nobody ever reads half of it, and
//! a failure leaves what was there.

use crate::base::path::for_terminal;
use crate::cli::exit::{Exit, Failure};
use crate::engine::in_words;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

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
    let aside = beside(path);
    let written = write_new(&aside, bytes, fs::metadata(path).ok()).and_then(|()| fs::rename(&aside, path));
    written.map_err(|error| {
        // It may not have come to be at all.
        let _ = fs::remove_file(&aside);
        cant_write(path, &error)
    })
}

fn cant_write(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Exit::CantCreate, format!("can't write {}: {}", shown(path), in_words(error)))
}

/// A name that nobody else takes: hidden, and with the number of this process.
fn beside(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".swarmlet-");
    name.push(std::process::id().to_string());
    name.push(".torrent");
    path.with_file_name(name)
}

fn write_new(path: &Path, bytes: &[u8], before: Option<fs::Metadata>) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    if let Some(before) = before {
        file.set_permissions(before.permissions())?;
    }
    file.write_all(bytes)?;
    file.sync_all()
}
