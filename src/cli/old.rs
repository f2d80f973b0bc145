//! The programs of 2004, by their old names: who is called `btmakemetafile.py` does what that did.
//!
//! Floor 4. `make install` makes links of these names. What was typed is put into the words of today's commands: the
//! order of arguments has changed over the years, so an address is taken for one wherever it stands.

use super::exit::Failure;
use crate::base::sort::sorted;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;

/// A program of then: its name without `.py`, and what its arguments are in today's words, the command first.
struct Old {
    name: &'static str,
    /// What it was told, for whoever gives too little or too much.
    usage: &'static str,
    /// How many words that takes, options among them.
    words: RangeInclusive<usize>,
    today: fn(Vec<OsString>) -> Vec<OsString>,
}

const OLD: [Old; 9] = [
    Old {
        name: "btmakemetafile",
        usage: "FILE ANNOUNCE [OPTION]...",
        words: 1..=usize::MAX,
        today: |arguments| words(&["make", "--force", "--each"], made(arguments)),
    },
    Old { name: "btcompletedir", usage: "FOLDER ANNOUNCE [OPTION]...", words: 1..=usize::MAX, today: complete_dir },
    Old {
        name: "btshowmetainfo",
        usage: "TORRENT...",
        words: 1..=usize::MAX,
        today: |arguments| words(&["show"], arguments),
    },
    Old {
        name: "btreannounce",
        usage: "ANNOUNCE TORRENT...",
        words: 2..=usize::MAX,
        today: |arguments| words(&["edit", "--announce"], arguments),
    },
    Old { name: "btrename", usage: "TORRENT NAME", words: 2..=2, today: rename },
    // Who had fetched all went on serving.
    Old {
        name: "btdownloadcurses",
        usage: "TORRENT [OPTION]...",
        words: 1..=usize::MAX,
        today: |arguments| words(&["get", "--seed"], downloaded(arguments)),
    },
    Old {
        name: "btdownloadheadless",
        usage: "TORRENT [OPTION]...",
        words: 1..=usize::MAX,
        today: |arguments| words(&["get", "--seed", "--verbose"], downloaded(arguments)),
    },
    Old { name: "btlaunchmany", usage: LAUNCH, words: 1..=usize::MAX, today: launch_many },
    Old { name: "btlaunchmanycurses", usage: LAUNCH, words: 1..=usize::MAX, today: launch_many },
];

const LAUNCH: &str = "FOLDER [OPTION]...";

/// Today's words for what was typed, if the program was called by an old name.
pub fn translate(program: &OsStr, arguments: &[OsString]) -> Option<Result<Vec<OsString>, Failure>> {
    let called = Path::new(program).file_name()?.to_str()?;
    let name = called.strip_suffix(".py").unwrap_or(called);
    let old = OLD.iter().find(|old| old.name == name)?;
    let asks = arguments.iter().any(|word| word == "--help" || word == "-h");
    if !old.words.contains(&arguments.len()) && !asks {
        let text = format!("usage: {called} {}\n`{called} --help` shows today's command", old.usage);
        return Some(Err(Failure::usage(text)));
    }
    Some(Ok((old.today)(arguments.to_vec())))
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

/// The ports of 2004, where only one end was named: the defaults of `--minport` and `--maxport` in BitTorrent 3.4.2.
const PORTS: [&str; 2] = ["6881", "6999"];

/// The options of the programs that download. What has no counterpart is left out with a word about it; unknown ones are
/// for today's command to complain about.
fn downloaded(arguments: Vec<OsString>) -> Vec<OsString> {
    let mut today = Vec::new();
    let (mut least, mut most) = (None, None);
    let mut rest = arguments.into_iter();
    while let Some(argument) = rest.next() {
        let text = argument.to_string_lossy().replace('_', "-");
        let (option, joined) = text.split_once('=').map_or((text.as_str(), false), |(option, _)| (option, true));
        let mut value = || match joined {
            true => argument.to_string_lossy().split_once('=').map(|(_, value)| OsString::from(value)),
            false => rest.next(),
        };
        match option {
            // Where to get the torrent.
            "--responsefile" | "--url" => today.extend(value()),
            "--saveas" => {
                today.extend(value().into_iter().flat_map(|place| [OsString::from("--dir"), folder_of(place)]))
            }
            "--minport" => least = value(),
            "--maxport" => most = value(),
            "--bind" | "--min-uploads" => {
                value();
                super::say::problem(&format!("{option} is ignored: it has no counterpart today"));
            }
            _ => today.push(argument),
        }
    }
    if least.is_some() || most.is_some() {
        let [least, most] = [least.unwrap_or(PORTS[0].into()), most.unwrap_or(PORTS[1].into())];
        let ports = format!("{}-{}", least.to_string_lossy(), most.to_string_lossy());
        today.extend(["--port".to_string(), ports].map(OsString::from));
    }
    today
}

/// `--saveas` named the folder to save in, or what was saved itself: then it is the folder around that.
fn folder_of(place: OsString) -> OsString {
    let path = Path::new(&place);
    match path.parent() {
        _ if path.is_dir() => place,
        Some(around) if !around.as_os_str().is_empty() => around.into(),
        _ => ".".into(),
    }
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

fn launch_many(arguments: Vec<OsString>) -> Vec<OsString> {
    words(&["many"], downloaded(arguments))
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
        let Some(today) = translate(OsStr::new(program), &arguments) else { return "-".into() };
        today.map_or_else(|failure| failure.text, |words| words.join(OsStr::new(" ")).to_string_lossy().into_owned())
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
        let usage = "usage: btrename.py TORRENT NAME\n`btrename.py --help` shows today's command";
        for wrong in [&[][..], &["a.torrent"], &["a.torrent", "new", "more"]] {
            assert_eq!(today("btrename.py", wrong), usage);
        }
        assert_eq!(today("btrename", &["--help"]), "edit --rehash --help");
        assert!(today("btreannounce", &["http://a/"]).starts_with("usage: btreannounce ANNOUNCE TORRENT..."));
        assert_eq!(today("btdownloadcurses.py", &["Aishah.torrent"]), "get --seed Aishah.torrent");
        let options =
            ["--max_upload_rate", "4", "--minport=7000", "--maxport", "7010", "--responsefile", "a_b.torrent"];
        let expected = "get --seed --verbose --max_upload_rate 4 a_b.torrent --port 7000-7010";
        assert_eq!(today("btdownloadheadless", &options), expected);
        assert_eq!(today("btlaunchmany", &["./", "--maxport", "6890"]), "many ./ --port 6881-6890");
        let options = ["--url", "http://a/b_c", "--saveas=/new/a_b", "--max_uploads", "9", "--max_upload_rat", "4"];
        let expected = "get --seed http://a/b_c --dir /new --max_uploads 9 --max_upload_rat 4";
        assert_eq!(today("btdownloadcurses", &options), expected);
        assert_eq!(today("btlaunchmany.py", &["./", "--max_upload_rate", "4"]), "many ./ --max_upload_rate 4");
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
