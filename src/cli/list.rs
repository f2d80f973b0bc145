//! `get --list`: the files of torrents with their numbers and sizes, and which of them would be fetched.
//!
//! Floor 4.

use super::choice::numbered;
use super::exit::Exit;
use super::json::Object;
use super::say;
use super::units::{count, of, size, sum};
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
    let wants = |file: usize| choice.is_none_or(|choice| choice.wants(file));
    let length = |file: usize| metainfo.files[file].length;
    let wanted = || files.iter().map(|(file, _)| *file).filter(|file| wants(*file));
    let (part, whole) = (sum(wanted().map(length)), sum(files.iter().map(|(file, _)| length(*file))));
    let mut text = match choice {
        None => format!("{}: {}, {}\n", metainfo.name, count(files.len(), "file"), size(whole)),
        Some(_) => {
            let files = count(files.len(), "file");
            format!("{}: {} of {files}, {}\n", metainfo.name, wanted().count(), of(part, whole))
        }
    };
    let width = files.len().to_string().len();
    for (number, (file, path)) in (1..).zip(&files) {
        let mark = if wants(*file) { '*' } else { ' ' };
        text += &format!("{mark} {number:>width$}  {:>8}  {path}\n", size(length(*file)));
    }
    text.lines().flat_map(|line| [for_terminal(line), "\n".into()]).collect()
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
