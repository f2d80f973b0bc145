//! Whether all files of a torrent can be on one disk: no two may have the same path, and no file may be the folder of
//! another.
//!
//! This sorts places in the list, so 100,000 files take 400 KB and no copy of their paths.

use super::error::refuse;
use super::{FileEntry, Files};
use crate::base::path::{escaped, for_terminal};
use crate::base::sort::sort;
use std::cmp::Ordering;

/// Refuses paths that collide. Returns a warning for paths that collide only where upper and lower case are the same (on
/// Windows, macOS or a memory card).
pub(super) fn check(files: &Files) -> Result<Option<String>, String> {
    // A file takes at least 20 bytes of the metainfo, so their number fits a u32.
    let mut order: Vec<u32> = (0..files.len() as u32).filter(|place| !files.at(*place as usize).padding).collect();
    let shown = |place: u32| for_terminal(&files.at(place as usize).path());

    sort(&mut order, &|a, b| files.at(a).order(&files.at(b)));
    // A file of the same path, or in a folder of that path, comes right after it.
    for (&first, &next) in order.iter().zip(order.iter().skip(1)) {
        match clash(files.at(first as usize), files.at(next as usize), |character| [character]) {
            None => {}
            Some(Clash::Same) => {
                return refuse("info.files", format!("two files \"{}\"", shown(first)), "every path once");
            }
            Some(Clash::Folder) => {
                return refuse("info.files", format!("\"{}\" is a file and a folder", shown(first)), "one of the two");
            }
        }
    }

    sort(&mut order, &|a, b| compare(files.at(a), files.at(b), char::to_lowercase));
    let alike =
        |(a, b): &(&u32, &u32)| clash(files.at(**a as usize), files.at(**b as usize), char::to_lowercase).is_some();
    let mut pairs = order.iter().zip(order.iter().skip(1)).filter(alike);
    Ok(pairs.next().map(|(a, b)| {
        let (a, b, more) = (shown(*a), shown(*b), pairs.count());
        let others = if more == 0 { String::new() } else { format!(" (and {more} more such pairs)") };
        format!("\"{a}\" and \"{b}\" are one path where upper and lower case are the same{others}")
    }))
}

/// The order of two paths by their components, each character mapped by `fold`.
pub(super) fn compare<F: IntoIterator<Item = char>>(a: FileEntry, b: FileEntry, fold: fn(char) -> F) -> Ordering {
    // A common beginning decides nothing, and most paths of a torrent have one.
    let begin = begin_of_difference(a.raw, b.raw);
    folded(escaped(&a.raw[begin..]), fold).cmp(folded(escaped(&b.raw[begin..]), fold))
}

/// Where the first character that differs begins, or one before it; also if the bytes are not UTF-8.
fn begin_of_difference(a: &[u8], b: &[u8]) -> usize {
    let alike = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let continues = |bytes: &[u8], at| matches!(bytes.get(at), Some(0x80..0xc0));
    // A character has at most four bytes. After more bytes than that which only continue one, each stands for itself.
    let mut ends = (alike.saturating_sub(3)..=alike).rev();
    ends.find(|&at| !continues(a, at) && !continues(b, at)).unwrap_or(alike)
}

/// `/` becomes NUL, which no name contains and which sorts first, so that the files of a folder are together.
fn folded<F: IntoIterator<Item = char>>(
    text: impl Iterator<Item = char>,
    fold: fn(char) -> F,
) -> impl Iterator<Item = char> {
    text.map(|character| if character == '/' { '\0' } else { character }).flat_map(fold)
}

/// Why two files cannot be on one disk.
enum Clash {
    /// They have the same path.
    Same,
    /// One is in a folder that has the path of the other.
    Folder,
}

/// Whether two files clash. The second comes after the first in the order of this `fold`.
fn clash<F: IntoIterator<Item = char>>(a: FileEntry, b: FileEntry, fold: fn(char) -> F) -> Option<Clash> {
    let begin = begin_of_difference(a.raw, b.raw);
    let mut rest = folded(escaped(&b.raw[begin..]), fold);
    let begins_alike = folded(escaped(&a.raw[begin..]), fold).all(|character| rest.next() == Some(character));
    match rest.next().filter(|_| begins_alike) {
        None if begins_alike => Some(Clash::Same),
        Some('\0') => Some(Clash::Folder),
        _ => None,
    }
}
