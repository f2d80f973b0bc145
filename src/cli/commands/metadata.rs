//! `get --metadata-only`: writes the .torrent files of links, and downloads nothing else.
//!
//! Floor 4.

use super::wanted::Wanted;
use crate::base::json::Object;
use crate::base::path::{MAX_COMPONENT_BYTES, for_terminal};
use crate::base::units::{count, size};
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::command::Group;
use crate::cli::options::flags::{Flag, Parsed};
use crate::cli::options::output;
use crate::cli::say;
use crate::proto::metainfo::Metainfo;
use crate::proto::peer::metadata::IS_BUILT_IN;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The options of `get` that belong to it; none in a build without links.
pub const OPTIONS: Group = Group {
    title: "Magnet links",
    flags: if !IS_BUILT_IN {
        &[]
    } else {
        &[
            Flag::switch("metadata-only", "Write NAME.torrent to the download folder, and exit"),
            Flag::with("output", "FILE", "With --metadata-only: the name of the file; - is standard output").short("o"),
        ]
    },
};

/// Where a .torrent file goes.
enum Place {
    Stdout,
    File(PathBuf),
    /// NAME.torrent in the download folder.
    Named,
}

/// What the options say about the .torrent files.
pub struct Saving {
    place: Place,
    overwrite: bool,
    json: bool,
    quiet: bool,
}

impl Saving {
    /// Reads the options. `None`: without `--metadata-only`.
    pub fn read(given: &Parsed) -> Result<Option<Saving>, Failure> {
        let output = given.path("output", "a file, or - for standard output")?;
        if !given.has("metadata-only") {
            return match output {
                Some(_) => Err(Failure::usage("--output needs --metadata-only")),
                None => Ok(None),
            };
        }
        if let Some(other) = ["list", "seed", "files"].into_iter().find(|other| given.has(other)) {
            return Err(Failure::usage(format!("--metadata-only and --{other} exclude each other")));
        }
        let torrents = given.arguments().len();
        if output.is_some() && torrents > 1 {
            return Err(Failure::usage(format!("--output takes one torrent, but {torrents} are given")));
        }
        let place = match output {
            Some(path) if path == Path::new("-") => Place::Stdout,
            Some(path) => Place::File(path),
            None => Place::Named,
        };
        let (overwrite, json, quiet) = (given.has("overwrite"), given.has("json"), given.has("quiet"));
        if json && matches!(place, Place::Stdout) {
            return Err(Failure::usage("the torrent goes to standard output, so --json can't be used"));
        }
        let saving = Saving { place, overwrite, json, quiet };
        if let Place::File(path) = &saving.place {
            saving.must_be_usable(path)?;
        }
        Ok(Some(saving))
    }

    /// Writes the .torrent files: to `dir`, unless the options name another place.
    pub fn save(&self, all: &[Wanted], dir: &Path) -> Result<(), Failure> {
        for wanted in all {
            let Some(metainfo) = wanted.metainfo() else { continue };
            let named;
            let path = match &self.place {
                Place::Stdout => {
                    say::write_out(&wanted.bytes)?;
                    continue;
                }
                Place::File(path) => path,
                Place::Named => {
                    named = dir.join(file_name(&metainfo.name));
                    &named
                }
            };
            self.write(path, &wanted.bytes)?;
            self.tell(path, metainfo, wanted.bytes.len())?;
        }
        Ok(())
    }

    fn must_be_usable(&self, path: &Path) -> Result<(), Failure> {
        let shown = || for_terminal(&path.to_string_lossy());
        if path.is_dir() {
            return Err(Failure::usage(format!(
                "--output {}: a folder, expected a file; --dir names a folder",
                shown()
            )));
        }
        if path.parent().is_some_and(|parent| !parent.as_os_str().is_empty() && !parent.is_dir()) {
            return Err(Failure::new(Exit::CantCreate, format!("--output {}: there is no such folder", shown())));
        }
        if self.overwrite || fs::symlink_metadata(path).is_err() { Ok(()) } else { Err(is_there(path)) }
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), Failure> {
        if self.overwrite {
            return output::write(path, bytes);
        }
        // Creating the file first reserves the name, so no file that appeared meanwhile is overwritten.
        File::create_new(path).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => is_there(path),
            _ => output::cant_write(path, &error),
        })?;
        output::write(path, bytes).inspect_err(|_| drop(fs::remove_file(path)))
    }

    fn tell(&self, path: &Path, metainfo: &Metainfo, bytes: usize) -> Result<(), Failure> {
        if self.json {
            let mut object = Object::new("saved");
            object.text("path", &path.to_string_lossy());
            object.text("name", &metainfo.name);
            object.text("info_hash", &metainfo.info_hash.to_string());
            object.number("size", metainfo.length);
            object.number("files", metainfo.files.count() as u64);
            object.number("bytes", bytes as u64);
            return say::write_out(object.end());
        }
        if !self.quiet {
            let (name, files) = (for_terminal(&metainfo.name), count(metainfo.files.count(), "file"));
            say::line(&format!("{}: {name}, {files}, {}", output::shown(path), size(metainfo.length)));
        }
        Ok(())
    }
}

/// NAME.torrent. A name that is too long for a file is cut.
fn file_name(name: &str) -> String {
    let ends = name.char_indices().map(|(at, character)| at + character.len_utf8());
    let end = ends.take_while(|end| end + ".torrent".len() <= MAX_COMPONENT_BYTES).last().unwrap_or(0);
    format!("{}.torrent", &name[..end])
}

fn is_there(path: &Path) -> Failure {
    let text = format!("{} exists already; --overwrite replaces it, --output names another file", output::shown(path));
    Failure::new(Exit::CantCreate, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_too_long_for_a_file_is_cut_between_characters() {
        assert_eq!(file_name("a.iso"), "a.iso.torrent");
        assert_eq!(file_name(&"x".repeat(247)).len(), 255);
        assert_eq!(file_name(&"x".repeat(255)).len(), 255);
        assert_eq!(file_name(&"\u{e4}".repeat(127)), "\u{e4}".repeat(123) + ".torrent");
    }
}
