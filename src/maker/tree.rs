//! Finds the files of a folder that are to be shared, and puts them in order.
//!
//! Floor 3. As in 2004, names that begin with a dot are left out, and `CVS` and `core`, which are found where
//! programmers work. Symbolic links are refused, because a torrent might otherwise contain files from elsewhere by
//! mistake; they are followed on request.

use crate::base::path::{for_terminal, safe_component};
use crate::base::sort::sorted;
use crate::sys::in_words;
use crate::sys::stamp::stamp;
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A file to be shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its path in the folder, the components joined by `/`; empty for a single file.
    pub name: String,
    /// Its length in bytes.
    pub length: u64,
    /// Its stamp when it was found.
    pub stamp: u64,
}

/// Which files of a folder are wanted.
pub struct Choice<'a> {
    /// Symbolic links are followed.
    pub follow_links: bool,
    /// If given, only files with these paths within the folder; they may have names with a dot, `CVS` and `core`.
    pub include: Option<&'a dyn Fn(&str) -> bool>,
    /// No files and no folders with these paths.
    pub exclude: &'a dyn Fn(&str) -> bool,
}

/// The reason why a folder cannot be shared. Its text is safe for a terminal.
#[derive(Debug)]
pub struct TreeError {
    /// Which file or folder.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: String,
}

impl fmt::Display for TreeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", for_terminal(&self.path.to_string_lossy()), self.problem)
    }
}

impl std::error::Error for TreeError {}

/// Returns the files at `path`: itself if it is a file, otherwise the wanted files in it. They are sorted by the bytes
/// of their paths, as mktorrent and transmission sort them (`a b`, `a.txt`, `a/1`), so that the info-hash is the same.
pub fn find(path: &Path, choice: &Choice) -> Result<Vec<FoundFile>, TreeError> {
    // The person named this path, so links on the way to it are followed.
    let metadata = fs::metadata(path).map_err(|error| refuse(path, in_words(&error)))?;
    if !metadata.is_dir() {
        return Ok(vec![file(path, String::new(), &metadata)?]);
    }
    let mut found = Vec::new();
    descend(path, "", choice, &mut vec![(metadata.dev(), metadata.ino())], &mut found)?;
    let order = sorted(found.len(), &|a, b| found[a].name.cmp(&found[b].name));
    let mut found: Vec<Option<FoundFile>> = found.into_iter().map(Some).collect();
    Ok(order.into_iter().filter_map(|place| found[place as usize].take()).collect())
}

/// `above`: the folders that contain this one, and itself as the last.
fn descend(
    folder: &Path,
    prefix: &str,
    choice: &Choice,
    above: &mut Vec<(u64, u64)>,
    found: &mut Vec<FoundFile>,
) -> Result<(), TreeError> {
    let failed = |error: io::Error| refuse(folder, in_words(&error));
    // All names are read first, so that this folder is closed before those in it are opened, however deep they are
    // nested.
    let names: io::Result<Vec<OsString>> =
        fs::read_dir(folder).map_err(failed)?.map(|entry| Ok(entry?.file_name())).collect();
    for file_name in names.map_err(failed)? {
        let path = folder.join(&file_name);
        let shown = file_name.to_string_lossy();
        let name = format!("{prefix}{shown}");
        let left_out = shown.starts_with('.') || shown == "CVS" || shown == "core";
        if (left_out && choice.include.is_none()) || (choice.exclude)(&name) {
            continue;
        }
        let looked = if choice.follow_links { fs::metadata(&path) } else { fs::symlink_metadata(&path) };
        let metadata = looked.map_err(|error| refuse(&path, in_words(&error)))?;
        let wanted = metadata.is_dir() || choice.include.is_none_or(|include| include(&name));
        if !wanted {
            continue;
        }
        if metadata.is_symlink() {
            return Err(refuse(
                &path,
                "a symbolic link; --follow-symlinks takes what it leads to, --exclude leaves it out",
            ));
        }
        // A downloader would write the file under a different name, and its seeder would not find it.
        if safe_component(file_name.as_bytes()).as_deref() != Ok(&*shown) {
            return Err(refuse(
                &path,
                "not every program can write a file of this name (control characters, or not UTF-8); \
                 rename it, or leave it out by --exclude",
            ));
        }
        if !metadata.is_dir() {
            found.push(file(&path, name, &metadata)?);
            continue;
        }
        let identity = (metadata.dev(), metadata.ino());
        if above.contains(&identity) {
            return Err(refuse(&path, "a symbolic link to a folder that contains it: this would never end"));
        }
        above.push(identity);
        descend(&path, &format!("{name}/"), choice, above, found)?;
        above.pop();
    }
    Ok(())
}

fn file(path: &Path, name: String, metadata: &Metadata) -> Result<FoundFile, TreeError> {
    if !metadata.is_file() {
        return Err(refuse(path, "neither a file nor a folder; leave it out by --exclude"));
    }
    Ok(FoundFile { path: path.to_path_buf(), name, length: metadata.len(), stamp: stamp(metadata, true) })
}

fn refuse(path: &Path, problem: impl Into<String>) -> TreeError {
    TreeError { path: path.to_path_buf(), problem: problem.into() }
}
