//! The programs of 2004: if the program is called by an old name, such as `btmakemetafile.py`, it does what that
//! program did.
//!
//! Floor 4. `make install` creates links with these names. The old command line is translated into a current one. The
//! order of arguments differed between versions, so a URL at any place counts as a tracker.

use super::exit::Failure;
use crate::base::sort::sorted;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;

/// A program of 2004: its name without `.py`, and the translation of its arguments, which begins with today's command.
struct Old {
    name: &'static str,
    /// Its arguments, for the error message.
    usage: &'static str,
    /// The number of words that it takes, including options.
    words: RangeInclusive<usize>,
    today: fn(Vec<OsString>) -> Result<Vec<OsString>, Failure>,
}

const OLD: [Old; 10] = [
    Old {
        name: "bttrack",
        usage: "--dfile FILE [OPTION]...",
        words: 1..=usize::MAX,
        today: |arguments| Ok(tracked(arguments)),
    },
    Old {
        name: "btmakemetafile",
        usage: "FILE ANNOUNCE [OPTION]...",
        words: 1..=usize::MAX,
        today: |arguments| Ok(words(&["make", "--force", "--each"], made(arguments))),
    },
    Old {
        name: "btcompletedir",
        usage: "FOLDER ANNOUNCE [OPTION]...",
        words: 1..=usize::MAX,
        today: |arguments| Ok(complete_dir(arguments)),
    },
    Old {
        name: "btshowmetainfo",
        usage: "TORRENT...",
        words: 1..=usize::MAX,
        today: |arguments| Ok(words(&["show"], arguments)),
    },
    Old {
        name: "btreannounce",
        usage: "ANNOUNCE TORRENT...",
        words: 2..=usize::MAX,
        today: |arguments| Ok(words(&["edit", "--announce"], arguments)),
    },
    Old { name: "btrename", usage: "TORRENT NAME", words: 2..=2, today: |arguments| Ok(rename(arguments)) },
    // A complete download went on seeding.
    Old {
        name: "btdownloadcurses",
        usage: "TORRENT [OPTION]...",
        words: 1..=usize::MAX,
        today: |arguments| Ok(words(&["get", "--seed"], downloaded(arguments)?)),
    },
    Old {
        name: "btdownloadheadless",
        usage: "TORRENT [OPTION]...",
        words: 1..=usize::MAX,
        today: |arguments| Ok(words(&["get", "--seed", "--plain"], downloaded(arguments)?)),
    },
    Old {
        name: "btlaunchmany",
        usage: LAUNCH,
        words: 1..=usize::MAX,
        today: |arguments| Ok(words(&["many"], downloaded(arguments)?)),
    },
    Old {
        name: "btlaunchmanycurses",
        usage: LAUNCH,
        words: 1..=usize::MAX,
        today: |arguments| Ok(words(&["many"], downloaded(arguments)?)),
    },
];

const LAUNCH: &str = "FOLDER [OPTION]...";

/// The translated command line, if the program was called by an old name.
pub fn translate(program: &OsStr, arguments: &[OsString]) -> Option<Result<Vec<OsString>, Failure>> {
    let called = Path::new(program).file_name()?.to_str()?;
    let name = called.strip_suffix(".py").unwrap_or(called);
    let old = OLD.iter().find(|old| old.name == name)?;
    let asks = arguments.iter().any(|word| word == "--help" || word == "-h");
    // The tracker of 2004 needed this option. So does this one by that name: a call without arguments must not start
    // it.
    let has_file = || arguments.iter().any(|word| word.to_string_lossy().starts_with("--dfile"));
    let complete = old.words.contains(&arguments.len()) && (old.name != "bttrack" || has_file());
    if !complete && !asks {
        let text = format!("usage: {called} {}\n`{called} --help` shows today's command", old.usage);
        return Some(Err(Failure::usage(text)));
    }
    Some((old.today)(arguments.to_vec()))
}

fn words(first: &[&str], rest: Vec<OsString>) -> Vec<OsString> {
    first.iter().map(OsString::from).chain(rest).collect()
}

/// The old command line, option by option.
struct Typed(std::vec::IntoIter<OsString>);

impl Typed {
    /// The next argument, and its option in today's spelling (`-` for `_`, without a value).
    fn next(&mut self) -> Option<(OsString, String)> {
        let argument = self.0.next()?;
        let text = argument.to_string_lossy();
        let option = text.split('=').next().unwrap_or_default().replace('_', "-");
        drop(text);
        Some((argument, option))
    }

    /// The value of the option that begins `argument`: what follows its `=`, or else the next argument.
    fn value(&mut self, argument: &OsStr) -> Option<OsString> {
        match argument.to_string_lossy().split_once('=') {
            Some((_, value)) => Some(value.into()),
            None => self.0.next(),
        }
    }
}

/// The options of `bttrack` that have no effect today. Each has a value.
const IDLE: [&str; 16] = [
    "--socket-timeout",
    "--save-dfile-interval",
    "--timeout-downloaders-interval",
    "--timeout-check-interval",
    "--max-give",
    "--min-time-between-log-flushes",
    "--allow-get",
    "--parse-allowed-interval",
    "--show-names",
    "--keep-dead",
    "--favicon",
    "--hupmonitor",
    "--http-timeout",
    "--ipv6-enabled",
    "--allowed-controls",
    "--scrape-allowed",
];

/// The options of `bttrack`.
fn tracked(arguments: Vec<OsString>) -> Vec<OsString> {
    let mut today = words(&["track"], Vec::new());
    let mut typed = Typed(arguments.into_iter());
    while let Some((argument, option)) = typed.next() {
        match option.as_str() {
            "--reannounce-interval" => {
                today.extend([Some("--interval".into()), typed.value(&argument)].into_iter().flatten())
            }
            "--show-infopage" if typed.value(&argument).is_some_and(|value| value == "0") => {
                today.push("--no-page".into())
            }
            // A number above 1 was how often a peer was tried.
            "--nat-check" if typed.value(&argument).is_some_and(|value| value != "0") => today.push(option.into()),
            "--only-local-override-ip" if typed.value(&argument).is_some_and(|value| value == "0") => {
                today.push("--trust-ip".into())
            }
            "--show-infopage" | "--nat-check" | "--only-local-override-ip" => {}
            _ if IDLE.contains(&option.as_str()) => {
                typed.value(&argument);
                super::say::problem(&format!("{option} no longer has an effect"));
            }
            _ => today.push(argument),
        }
    }
    today
}

/// The options of BitTorrent 3.4 and BitTornado that have another name in `make`.
fn made(arguments: Vec<OsString>) -> Vec<OsString> {
    let mut today = Vec::new();
    let mut typed = Typed(arguments.into_iter());
    while let Some((argument, option)) = typed.next() {
        match option.as_str() {
            "--target" => today.extend(["--output".into(), typed.value(&argument).unwrap_or_default()]),
            // With 0, the program chose.
            "--piece-size-pow2" => match typed.value(&argument).unwrap_or_default() {
                power if power == "0" => {}
                power => today.extend(["--piece-length".into(), power]),
            },
            // Tiers were separated by bars.
            "--announce-list" => {
                let tiers = typed.value(&argument).unwrap_or_default().to_string_lossy().into_owned();
                for tier in tiers.split('|').filter(|tier| !tier.is_empty()) {
                    today.extend(["--announce", tier].map(OsString::from));
                }
            }
            _ => today.push(argument),
        }
    }
    today
}

/// The default ports of BitTorrent 3.4.2 (`--minport` and `--maxport`), for a call that names only one of them.
const PORTS: [u16; 2] = [6881, 6999];

/// The options of the programs that download. An option without a counterpart is dropped with a warning; today's
/// command reports unknown ones.
fn downloaded(arguments: Vec<OsString>) -> Result<Vec<OsString>, Failure> {
    let mut today = Vec::new();
    let (mut least, mut most) = (None, None);
    let mut typed = Typed(arguments.into_iter());
    while let Some((argument, option)) = typed.next() {
        match option.as_str() {
            // The torrent itself.
            "--responsefile" | "--url" => today.extend(typed.value(&argument)),
            "--saveas" => {
                let place = typed.value(&argument);
                today.extend(place.into_iter().flat_map(|place| [OsString::from("--dir"), folder_of(place)]))
            }
            "--minport" => least = typed.value(&argument),
            "--maxport" => most = typed.value(&argument),
            "--bind" | "--min-uploads" => {
                typed.value(&argument);
                super::say::problem(&format!("{option} is ignored: it has no counterpart today"));
            }
            _ => today.push(argument),
        }
    }
    if least.is_some() || most.is_some() {
        let port = |option: &str, typed: Option<OsString>, usual: u16| {
            let Some(typed) = typed else { return Ok(usual) };
            let port = typed.to_str().and_then(|text| text.parse().ok()).filter(|port| *port > 0);
            port.ok_or_else(|| Failure::usage(format!("{option}: expected a port from 1 to 65535")))
        };
        let (least, most) = (port("--minport", least, PORTS[0])?, port("--maxport", most, PORTS[1])?);
        if least > most {
            return Err(Failure::usage(format!("--minport {least} is above --maxport, which is {most}")));
        }
        today.extend(["--port".to_string(), format!("{least}-{most}")].map(OsString::from));
    }
    Ok(today)
}

/// The download folder for `--saveas`, which named that folder or the content in it.
fn folder_of(place: OsString) -> OsString {
    let path = Path::new(&place);
    match path.parent() {
        _ if path.is_dir() => place,
        Some(around) if !around.as_os_str().is_empty() => around.into(),
        _ => ".".into(),
    }
}

/// Arguments of `make` for all files and folders in the given folders; those that have a torrent are skipped.
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
        let Some(today) = translate(OsStr::new(program), &arguments) else { return "-".into() };
        today.map_or_else(|failure| failure.text, |words| words.join(OsStr::new(" ")).to_string_lossy().into_owned())
    }

    #[test]
    fn old_names_mean_todays_commands() {
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
        let expected = "get --seed --plain --max_upload_rate 4 a_b.torrent --port 7000-7010";
        assert_eq!(today("btdownloadheadless", &options), expected);
        assert_eq!(today("btlaunchmany", &["./", "--maxport", "6890"]), "many ./ --port 6881-6890");
        let above = "--minport 17020 is above --maxport, which is 6999";
        assert_eq!(today("btlaunchmany.py", &["./", "--minport", "17020"]), above);
        assert_eq!(today("btlaunchmany", &["./", "--minport=x"]), "--minport: expected a port from 1 to 65535");
        let options = ["--url", "http://a/b_c", "--saveas=/new/a_b", "--max_uploads", "9", "--max_upload_rat", "4"];
        let expected = "get --seed http://a/b_c --dir /new --max_uploads 9 --max_upload_rat 4";
        assert_eq!(today("btdownloadcurses", &options), expected);
        assert_eq!(today("btlaunchmany.py", &["./", "--max_upload_rate", "4"]), "many ./ --max_upload_rate 4");
        let options = ["--dfile", "a_b", "--reannounce_interval=60", "--nat_check", "3", "--show_infopage", "0"];
        let expected = "track --dfile a_b --interval 60 --nat-check --no-page --no_such 1";
        assert_eq!(today("bttrack.py", &[&options[..], &["--max_give", "9", "--no_such", "1"]].concat()), expected);
        let defaults = ["--dfile=d", "--nat_check=0", "--show_infopage=1", "--only_local_override_ip", "1"];
        assert_eq!(today("bttrack", &defaults), "track --dfile=d");
        assert_eq!(today("bttrack", &["--dfile=d", "--only_local_override_ip=0"]), "track --dfile=d --trust-ip");
        for wrong in [&[][..], &["--port", "0"]] {
            assert!(today("bttrack", wrong).starts_with("usage: bttrack --dfile FILE [OPTION]..."), "{wrong:?}");
        }
    }

    #[test]
    fn make_install_makes_a_link_of_each_name() {
        let makefile = include_str!("../../Makefile");
        let line = makefile.lines().find_map(|line| line.strip_prefix("OLD_NAMES = ")).unwrap_or_default();
        assert_eq!(line.split_whitespace().collect::<Vec<_>>(), OLD.map(|old| old.name));
    }
}
