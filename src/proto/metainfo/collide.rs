//! Renames files that cannot be on one disk together: no two may have the same path, and no file may be the folder of
//! another.
//!
//! A stranger wrote the paths, so this takes time in proportion to their bytes: a number stands for each path and each
//! of its folders, and only the numbers are sorted. 100,000 files take 400 KB, and no path is copied.

use super::Files;
use super::changed::Changed;
use super::error::refuse;
use crate::base::path::{for_terminal, numbered};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher};

/// How often files are renamed, because a new name may be that of another file. No honest torrent needs a second round.
const MOST_ROUNDS: usize = 4;

/// Gives files whose paths collide a number, such as `name.1.txt`: all but the first of those with the same path, and a
/// file that is a folder too. The names depend only on the torrent.
pub(super) fn resolve(mut files: Files, changed: &mut Changed) -> Result<Files, String> {
    for _ in 0..MOST_ROUNDS {
        let clashes = clashes(&files, |path| path);
        if clashes.is_empty() {
            return Ok(files);
        }
        files = rename(&files, &clashes, changed);
    }
    refuse("info.files", "paths that collide even when renamed", "every path once")
}

fn rename(files: &Files, clashes: &[Clash], changed: &mut Changed) -> Files {
    let mut clashes = clashes.iter().peekable();
    let mut renamed = files.without_files();
    for (place, file) in files.iter().enumerate() {
        let clash = clashes.next_if(|clash| clash.file as usize == place);
        // A file can clash in both ways.
        while clashes.next_if(|clash| clash.file as usize == place).is_some() {}
        let Some(clash) = clash else {
            renamed.push(file.raw, file.length, file.padding);
            continue;
        };
        let name = file.raw.iter().rposition(|byte| *byte == b'/').map_or(0, |at| at + 1);
        let path = [&file.raw[..name], &numbered(&file.raw[name..], clash.same.max(1))].concat();
        let why = if clash.same == 0 { "is a folder too" } else { "is the path of another file too" };
        changed.add(|| format!("info.files[{place}]: \"{}\"", for_terminal(&file.inside())), why, &path);
        renamed.push(&path, file.length, file.padding);
    }
    renamed.shrink();
    renamed
}

/// A warning if there are paths that collide only where upper and lower case are the same (on Windows, macOS or a
/// memory card).
pub(super) fn warn_of_case(files: &Files) -> Option<String> {
    let shown = |place: u32| for_terminal(&files.at(place as usize).path());
    let alike = clashes(files, lower);
    alike.first().map(|Clash { file, with, .. }| {
        let (a, b, more) = (shown(*with), shown(*file), alike.len() - 1);
        let others = if more == 0 { String::new() } else { format!(" (and {more} more such pairs)") };
        format!("\"{a}\" and \"{b}\" are one path where upper and lower case are the same{others}")
    })
}

/// A file that cannot be on one disk with another.
struct Clash {
    /// The place of the file in the torrent.
    file: u32,
    /// The place of the other file, whose path stays.
    with: u32,
    /// How many files with the same path come first; 0: the other file is in a folder of this path.
    same: u32,
}

/// The files that clash with others, if `fold` makes each path what it is on the disk.
fn clashes(files: &Files, fold: fn(Cow<str>) -> Cow<str>) -> Vec<Clash> {
    // A file takes at least 20 bytes of the metainfo, so their number fits a u32.
    let places = || (0..files.len() as u32).filter(|place| !files.at(*place as usize).padding);
    // Half of each number is enough to find those that may be the same.
    let half = |print: u64| print as u32;
    let mut halves = Vec::with_capacity(files.count());
    halves.extend(places().map(|place| half(print(files, place, fold, |_| ()))));
    halves.sort_unstable();
    // The first file with each path that several files may have, and how many have it so far.
    let mut same: BTreeMap<u64, (u32, u32)> = BTreeMap::new();
    // A file in each folder that may have the path of another file.
    let mut folders: BTreeMap<u64, u32> = BTreeMap::new();
    for place in places() {
        let whole = print(files, place, fold, |folder| {
            if halves.binary_search(&half(folder)).is_ok() {
                folders.entry(folder).or_insert(place);
            }
        });
        let first = halves.partition_point(|other| *other < half(whole));
        if halves.get(first + 1) == Some(&half(whole)) {
            same.insert(whole, (0, 0));
        }
    }
    let mut clashes = Vec::new();
    if same.is_empty() && folders.is_empty() {
        return clashes;
    }
    for file in places() {
        let print = print(files, file, fold, |_| ());
        if let Some(with) = folders.get(&print) {
            clashes.push(Clash { file, with: *with, same: 0 });
        }
        match same.get_mut(&print) {
            Some((first, 0)) => *first = file,
            Some((first, count)) => clashes.push(Clash { file, with: *first, same: *count }),
            None => continue,
        }
        same.entry(print).and_modify(|(_, count)| *count += 1);
    }
    clashes
}

/// The number that stands for the path of a file. `folder` gets the numbers of its folders.
///
/// Two paths have the same number by chance once in 2^64 times. Somebody who computes such paths gains only that a file
/// gets a number without need.
fn print(files: &Files, place: u32, fold: fn(Cow<str>) -> Cow<str>, mut folder: impl FnMut(u64)) -> u64 {
    let path = fold(files.at(place as usize).inside());
    #[cfg(test)]
    tests::STEPS.set(tests::STEPS.get() + path.len());
    let mut hasher = DefaultHasher::new();
    for (place, name) in path.split('/').enumerate() {
        if place > 0 {
            folder(hasher.finish());
            hasher.write_u8(b'/');
        }
        hasher.write(name.as_bytes());
    }
    hasher.finish()
}

/// A path where upper and lower case are the same.
fn lower(path: Cow<str>) -> Cow<str> {
    match path.is_ascii() {
        true => path.to_ascii_lowercase().into(),
        false => path.chars().flat_map(char::to_lowercase).collect::<String>().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    thread_local! {
        /// How many bytes of paths were looked at.
        pub(super) static STEPS: Cell<usize> = const { Cell::new(0) };
    }

    /// Each byte of a path is looked at three times at most, with its case and without: however the paths are chosen,
    /// and however many they are.
    #[test]
    fn the_time_is_linear_in_the_bytes_of_the_paths() {
        let in_case =
            |place: u32| -> String { (0..16).map(|bit| if place >> bit & 1 == 1 { 'X' } else { 'x' }).collect() };
        let kinds: [&dyn Fn(u32) -> Vec<u8>; 4] = [
            &|place| format!("{}{}", "a/".repeat(1000), in_case(place)).into_bytes(),
            &|place| [&b"\xe9"[..], &[0xe9; 1000], place.to_string().as_bytes()].concat(),
            &|place| format!("{}{place}", "\n%0A".repeat(300)).into_bytes(),
            &|place| in_case(place).into_bytes(),
        ];
        for path in kinds {
            for count in [100, 1000] {
                let mut files = Files::of_folder("name", 0, 0);
                (0..count).for_each(|place| files.push(&path(place), 1, false));
                let bytes: usize = files.iter().map(|file| file.inside().len()).sum();
                STEPS.set(0);
                let _ = warn_of_case(&files);
                assert!(resolve(files, &mut Changed::default()).is_ok());
                assert!((1..=6 * bytes).contains(&STEPS.get()), "{} steps for {bytes} bytes", STEPS.get());
            }
        }
    }
}
