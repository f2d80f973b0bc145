//! Whether all files of a torrent can be on one disk: two must not have one path, and none can be another's
//! folder.
//!
//! Floor 1. By sorting places in the list, so 100,000 files take 400 KB and no copy of their paths.

use super::error::refuse;
use super::{Files, MetainfoError};
use crate::proto::order::sort;
use crate::proto::path::for_terminal;
use std::cmp::Ordering;

/// Refuses paths that collide. Paths that collide only where upper and lower case are one (Windows, macOS, a
/// memory card) are a warning.
pub(super) fn check(files: &Files) -> Result<Option<String>, MetainfoError> {
    // A file takes at least 20 bytes of the metainfo, so their number fits a u32.
    let mut order: Vec<u32> = (0..files.len() as u32).filter(|place| !files.at(*place as usize).padding).collect();
    let path = |place: usize| files.at(place).inside;
    let shown = |place: u32| for_terminal(&files.at(place as usize).path());

    sort(&mut order, &|a, b| compare(path(a), path(b), |character| [character]));
    // A file's namesake, or what is in a folder of its name, comes right after it.
    for (&first, &next) in order.iter().zip(order.iter().skip(1)) {
        let (a, b) = (path(first as usize), path(next as usize));
        if a == b {
            return refuse("info.files", format!("two files \"{}\"", shown(first)), "every path once");
        }
        if b.strip_prefix(a).is_some_and(|rest| rest.starts_with('/')) {
            return refuse("info.files", format!("\"{}\" is a file and a folder", shown(first)), "one of the two");
        }
    }

    sort(&mut order, &|a, b| compare(path(a), path(b), char::to_lowercase));
    let alike = |(a, b): &(&u32, &u32)| collides_folded(path(**a as usize), path(**b as usize));
    let mut pairs = order.iter().zip(order.iter().skip(1)).filter(alike);
    Ok(pairs.next().map(|(a, b)| {
        let (a, b, more) = (shown(*a), shown(*b), pairs.count());
        let others = if more == 0 { String::new() } else { format!(" (and {more} more such pairs)") };
        format!("\"{a}\" and \"{b}\" are one path where upper and lower case are the same{others}")
    }))
}

/// The order of two paths by their components, each character seen through `fold`.
fn compare<F: IntoIterator<Item = char>>(a: &str, b: &str, fold: fn(char) -> F) -> Ordering {
    // What both begin with decides nothing; most paths of a torrent begin alike.
    let alike = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    let begin = (0..=alike).rev().find(|at| a.is_char_boundary(*at) && b.is_char_boundary(*at)).unwrap_or(0);
    folded(&a[begin..], fold).cmp(folded(&b[begin..], fold))
}

/// `/` becomes NUL, which no name contains and which sorts first: so a folder's files stand together.
fn folded<F: IntoIterator<Item = char>>(text: &str, fold: fn(char) -> F) -> impl Iterator<Item = char> {
    text.chars().map(|character| if character == '/' { '\0' } else { character }).flat_map(fold)
}

fn collides_folded(a: &str, b: &str) -> bool {
    let mut rest = folded(b, char::to_lowercase);
    folded(a, char::to_lowercase).all(|character| rest.next() == Some(character))
        && matches!(rest.next(), None | Some('\0'))
}
