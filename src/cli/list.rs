//! `get --list`: the files of torrents with their numbers and sizes, and which of them would be fetched.
//!
//! Floor 4.

use super::choice::numbered;
use super::exit::Exit;
use super::json::Object;
use super::say;
use super::units::{count, of, size};
use crate::proto::metainfo::Metainfo;
use crate::proto::path::for_terminal;
use crate::swarm::choice::Choice;

/// Shows the files of torrents on standard output: for people, or as JSON.
pub fn show(torrents: impl Iterator<Item = (Metainfo, Option<Choice>)>, json: bool) -> Exit {
    let list = if json { objects } else { table };
    say::print(&torrents.map(|(metainfo, choice)| list(&metainfo, choice.as_ref())).collect::<String>())
}

/// A head, and a line for each file: `*` if it would be fetched, its number, its size, its path.
fn table(metainfo: &Metainfo, choice: Option<&Choice>) -> String {
    let files = numbered(metainfo);
    let width = files.len().to_string().len();
    let (mut lines, mut wanted, mut part, mut whole) = (String::new(), 0, 0, 0);
    for (at, (file, path)) in files.iter().enumerate() {
        let (number, length) = (at + 1, metainfo.files[*file].length);
        let mut mark = ' ';
        if choice.is_none_or(|choice| choice.wants(*file)) {
            (mark, wanted, part) = ('*', wanted + 1, part + length);
        }
        whole += length;
        lines += &for_terminal(&format!("{mark} {number:>width$}  {:>8}  {path}", size(length)));
        lines.push('\n');
    }
    let (name, all) = (for_terminal(&metainfo.name), count(files.len(), "file"));
    let head = match choice {
        None => format!("{name}: {all}, {}\n", size(whole)),
        Some(_) => format!("{name}: {wanted} of {all}, {}\n", of(part, whole)),
    };
    head + &lines
}

/// An object for each file.
fn objects(metainfo: &Metainfo, choice: Option<&Choice>) -> String {
    let one = |(number, (file, path)): (u64, (usize, &str))| {
        let mut object = Object::new("file");
        object.text("info_hash", &metainfo.info_hash.to_string());
        object.text("name", &metainfo.name);
        object.number("number", number);
        object.text("path", path);
        object.number("size", metainfo.files[file].length);
        object.flag("wanted", choice.is_none_or(|choice| choice.wants(file)));
        object.end()
    };
    (1..).zip(numbered(metainfo)).map(one).collect()
}
