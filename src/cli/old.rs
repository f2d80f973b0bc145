//! The programs of 2004, by their old names: who is called `btmakemetafile.py` does what that did.
//!
//! Floor 4. `make install` makes links of these names. What was typed is put into the words of today's commands: the
//! order of arguments has changed over the years, so an address is taken for one wherever it stands.

use crate::proto::order::sorted;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::Path;

/// A program of then: its name without `.py`, and what its arguments are in today's words, the command first.
struct Old {
    name: &'static str,
    today: fn(Vec<OsString>) -> Vec<OsString>,
}

const OLD: [Old; 5] = [
    Old { name: "btmakemetafile", today: |arguments| words(&["make", "--force", "--each"], made(arguments)) },
    Old { name: "btcompletedir", today: complete_dir },
    Old { name: "btshowmetainfo", today: |arguments| words(&["show"], arguments) },
    Old { name: "btreannounce", today: |arguments| words(&["edit", "--announce"], arguments) },
    Old { name: "btrename", today: rename },
];

/// Today's words for what was typed, if the program was called by an old name.
pub fn translate(program: &OsStr, arguments: &[OsString]) -> Option<Vec<OsString>> {
    let name = Path::new(program).file_name()?.to_str()?;
    let name = name.strip_suffix(".py").unwrap_or(name);
    let old = OLD.iter().find(|old| old.name == name)?;
    Some((old.today)(arguments.to_vec()))
}

fn words(first: &[&str], rest: Vec<OsString>) -> Vec<OsString> {
    first.iter().map(OsString::from).chain(rest).collect()
}

/// The options of BitTorrent 3.4 and BitTornado that `make` calls otherwise.
fn made(arguments: Vec<OsString>) -> Vec<OsString> {
    let mut today = Vec::new();
    let mut rest = arguments.into_iter();
    while let Some(argument) = rest.next() {
        let text = argument.to_string_lossy().replace('_', "-");
        let (option, joined) = text.split_once('=').map_or((text.as_str(), None), |(option, _)| (option, Some(())));
        let mut value = || match joined {
            // As it was typed: `_` may be part of it.
            Some(()) => argument.to_string_lossy().split_once('=').map(|(_, value)| value.to_string()),
            None => rest.next().map(|value| value.to_string_lossy().into_owned()),
        };
        match option {
            "--target" => today.extend(["--output".to_string(), value().unwrap_or_default()].map(OsString::from)),
            // 0 was: choose yourself.
            "--piece-size-pow2" => match value() {
                Some(power) if power == "0" => {}
                power => today.extend(["--piece-length".to_string(), power.unwrap_or_default()].map(OsString::from)),
            },
            // Tiers stood between bars.
            "--announce-list" => {
                for tier in value().unwrap_or_default().split('|').filter(|tier| !tier.is_empty()) {
                    today.extend(["--announce", tier].map(OsString::from));
                }
            }
            _ => today.push(argument),
        }
    }
    today
}

/// A torrent for each thing in the folders that has none yet.
fn complete_dir(arguments: Vec<OsString>) -> Vec<OsString> {
    let mut today = words(&["make", "--each", "--skip-there"], Vec::new());
    for argument in made(arguments) {
        if !Path::new(&argument).is_dir() {
            today.push(argument);
            continue;
        }
        let entries = fs::read_dir(&argument).into_iter().flatten().flatten();
        let names: Vec<OsString> = entries.map(|entry| entry.file_name()).filter(|name| !is_left_out(name)).collect();
        let order = sorted(names.len(), &|a, b| names[a].cmp(&names[b]));
        let paths = order.iter().map(|place| Path::new(&argument).join(&names[*place as usize]));
        today.extend(paths.map(OsString::from));
    }
    today
}

fn is_left_out(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with('.') || name.ends_with(".torrent") || name == "CVS" || name == "core"
}

/// `btrename.py FILE NAME`. It has always changed the info-hash.
fn rename(arguments: Vec<OsString>) -> Vec<OsString> {
    match <[OsString; 2]>::try_from(arguments) {
        Ok([file, name]) => words(&["edit", "--rehash", "--name"], vec![name, file]),
        Err(arguments) => words(&["edit", "--rehash"], arguments),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn today(program: &str, arguments: &[&str]) -> String {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        let today = translate(OsStr::new(program), &arguments);
        today.map_or("-".into(), |words| words.join(OsStr::new(" ")).to_string_lossy().into_owned())
    }

    #[test]
    fn old_names_are_todays_commands() {
        assert_eq!(
            today("/usr/bin/btmakemetafile.py", &["Aishah", "http://a/"]),
            "make --force --each Aishah http://a/"
        );
        let options =
            ["--piece_size_pow2", "18", "--target=a_b.torrent", "--announce_list", "a,b|c", "--comment", "x_y"];
        let expected =
            "make --force --each --piece-length 18 --output a_b.torrent --announce a,b --announce c --comment x_y";
        assert_eq!(today("btmakemetafile", &options), expected);
        assert_eq!(today("btmakemetafile", &["--piece_size_pow2", "0", "a"]), "make --force --each a");
        assert_eq!(today("btshowmetainfo.py", &["a.torrent"]), "show a.torrent");
        assert_eq!(
            today("btreannounce.py", &["http://a/", "a.torrent", "b.torrent"]),
            "edit --announce http://a/ a.torrent b.torrent"
        );
        assert_eq!(today("btrename.py", &["a.torrent", "new"]), "edit --rehash --name new a.torrent");
        assert_eq!(today("swarmlet", &["btrename"]), "-");
    }

    #[test]
    fn make_install_makes_a_link_of_each_name() {
        let makefile = include_str!("../../Makefile");
        let line = makefile.lines().find_map(|line| line.strip_prefix("OLD_NAMES = ")).unwrap_or_default();
        let (track, others) = line.split_once(' ').unwrap_or_default();
        assert_eq!(others.split_whitespace().collect::<Vec<_>>(), OLD.map(|old| old.name));
        // Of which the tracker itself knows what was meant.
        assert_eq!(track, "bttrack");
    }
}
