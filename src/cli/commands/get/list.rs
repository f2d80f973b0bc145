//! `get --list`: the files of torrents with their numbers and sizes, and which of them would be downloaded.
//!
//! Floor 4.

use crate::base::json::Object;
use crate::base::path::for_terminal;
use crate::base::units::{count, of, size};
use crate::cli::commands::torrents::show::in_portions;
use crate::cli::exit::Failure;
use crate::cli::options::choice::numbered;
use crate::proto::choice::Choice;
use crate::proto::metainfo::{FileEntry, Metainfo};

/// Prints the files of torrents, for people or as JSON.
pub fn show<'a>(torrents: impl Iterator<Item = (&'a Metainfo, Option<Choice>)>, json: bool) -> Result<(), Failure> {
    let list = if json { objects } else { table };
    for (metainfo, choice) in torrents {
        list(metainfo, choice.as_ref())?;
    }
    Ok(())
}

/// A heading, and a line for each file: `*` if it would be downloaded, its number, its size, its path.
fn table(metainfo: &Metainfo, choice: Option<&Choice>) -> Result<(), Failure> {
    let is_wanted = |file: usize| choice.is_none_or(|choice| choice.wants(file));
    let (mut wanted, mut part, mut whole) = (0, 0, 0);
    for (place, file) in numbered(metainfo) {
        whole += file.length;
        if is_wanted(place) {
            (wanted, part) = (wanted + 1, part + file.length);
        }
    }
    let (name, all) = (for_terminal(&metainfo.name), count(metainfo.files.count(), "file"));
    let head = match choice {
        None => format!("{name}: {all}, {}\n", size(whole)),
        Some(_) => format!("{name}: {wanted} of {all}, {}\n", of(part, whole)),
    };
    let width = metainfo.files.count().to_string().len();
    let line = |(number, (place, file)): (u64, (usize, FileEntry))| {
        let (mark, length) = (if is_wanted(place) { '*' } else { ' ' }, size(file.length));
        for_terminal(&format!("{mark} {number:>width$}  {length:>8}  {}", file.inside())) + "\n"
    };
    in_portions(&mut std::iter::once(head).chain((1..).zip(numbered(metainfo)).map(line)))
}

/// An object for each file.
fn objects(metainfo: &Metainfo, choice: Option<&Choice>) -> Result<(), Failure> {
    let one = |(number, (place, file)): (u64, (usize, FileEntry))| {
        let mut object = Object::new("file");
        object.text("info_hash", &metainfo.info_hash.to_string());
        object.text("name", &metainfo.name);
        object.number("number", number);
        object.text("path", &file.inside());
        object.number("size", file.length);
        object.flag("wanted", choice.is_none_or(|choice| choice.wants(place)));
        object.end()
    };
    in_portions(&mut (1..).zip(numbered(metainfo)).map(one))
}
