//! Which files of a torrent `--files` and `--exclude` choose.
//!
//! Floor 4. Files are numbered from 1 in the order of the torrent, as `--list` shows them. Padding has no number.
//! Patterns ([`Glob`]) are matched against the path inside the torrent, without the name of its folder.

use super::flags::Parsed;
use crate::base::path::for_terminal;
use crate::base::units::count;
use crate::base::words::glob::Glob;
use crate::cli::exit::Failure;
use crate::proto::choice::{Choice, Priority};
use crate::proto::magnet::Magnet;
use crate::proto::metainfo::{FileEntry, Metainfo};
use crate::proto::peer::metadata::IS_BUILT_IN;
use std::ops::RangeInclusive;

/// The options that choose files. (The default: all files.)
#[derive(Default)]
pub struct Files {
    /// The numbers of wanted files; `None`: all.
    numbers: Option<Vec<RangeInclusive<usize>>>,
    /// The patterns of unwanted files, as typed and as parsed.
    excluded: Vec<(String, Glob)>,
}

impl Files {
    /// Reads `--files` and `--exclude`. `torrents`: the number of torrents on the command line.
    pub fn read(given: &Parsed, torrents: usize) -> Result<Files, Failure> {
        let numbers = match given.value("files") {
            Some(_) if torrents != 1 => {
                return Err(Failure::usage(format!(
                    "--files takes one torrent, but {torrents} are given: each has its own numbers"
                )));
            }
            Some(list) => Some(numbers("--files", &list.to_string_lossy(), "--list").map_err(Failure::usage)?),
            None => None,
        };
        let mut excluded = Vec::new();
        for pattern in given.values("exclude") {
            let pattern = pattern.to_string_lossy().into_owned();
            match Glob::new(&pattern) {
                Ok(glob) => excluded.push((pattern, glob)),
                Err(error) => return Err(Failure::usage(format!("--exclude '{}': {error}", for_terminal(&pattern)))),
            }
        }
        Ok(Files { numbers, excluded })
    }

    /// The wanted files of a torrent; `None`: all. Messages call the torrent `name`. Without `--files`, the files that
    /// the `link` selects are wanted.
    pub fn of(&self, metainfo: &Metainfo, name: &str, link: Option<&Magnet>) -> Result<Option<Choice>, Failure> {
        let files: Vec<usize> = numbered(metainfo).map(|(index, _)| index).collect();
        let last = files.len();
        let mut wanted = vec![false; metainfo.files.len()];
        let selected = link.filter(|link| IS_BUILT_IN && !link.select_only.is_empty() && self.numbers.is_none());
        for range in selected.iter().flat_map(|link| &link.select_only) {
            // Numbers in a link count from 0, and padding too. Those beyond the last file are ignored (libtorrent).
            let end = (*range.end() as usize).saturating_add(1).min(wanted.len());
            wanted[(*range.start() as usize).min(end)..end].fill(true);
        }
        let all = if selected.is_some() { None } else { Some(1..=last) };
        for range in self.numbers.as_deref().unwrap_or(all.as_slice()) {
            if *range.end() > last {
                let there = if last == 1 { String::new() } else { format!(", numbered 1 to {last}") };
                let there = format!("{name} has {}{there}", count(last, "file"));
                return Err(Failure::usage(format!("--files {}: {there}; --list shows them", range.end())));
            }
            files[range.start() - 1..*range.end()].iter().for_each(|index| wanted[*index] = true);
        }
        for (index, file) in numbered(metainfo).filter(|_| !self.excluded.is_empty()) {
            wanted[index] &= !self.excluded.iter().any(|(_, glob)| glob.matches(&file.inside()));
        }
        let left = files.iter().filter(|index| wanted[**index]).count();
        match left {
            0 if selected.is_some() => Err(Failure::usage(format!(
                "{name}: nothing is left to download, because the link selects the files {} (counted from 0); --files \
                 selects others, and --list shows them",
                selected.map_or(String::new(), Magnet::selection)
            ))),
            0 => Err(Failure::usage(format!("{name}: the options leave nothing to download; --list shows the files"))),
            _ => {
                let priority = |wanted| if wanted { Priority::Normal } else { Priority::Skip };
                Ok(Choice::new(metainfo, wanted.into_iter().map(priority).collect()))
            }
        }
    }

    /// The patterns that match no file of any torrent: probably a mistake.
    pub fn idle(&self, torrents: &[&Metainfo]) -> Vec<&str> {
        let mut idle = self.excluded.iter().collect::<Vec<_>>();
        for metainfo in torrents {
            idle.retain(|(_, glob)| !numbered(metainfo).any(|(_, file)| glob.matches(&file.inside())));
        }
        idle.into_iter().map(|(pattern, _)| pattern.as_str()).collect()
    }
}

/// The files that have a number, each with its index among all files of the torrent.
pub fn numbered(metainfo: &Metainfo) -> impl Iterator<Item = (usize, FileEntry<'_>)> {
    metainfo.files.iter().enumerate().filter(|(_, file)| !file.padding)
}

/// Parses a list such as `1,3-5`, the value of `option`. `shown`: what shows the numbers.
pub fn numbers(option: &str, text: &str, shown: &str) -> Result<Vec<RangeInclusive<usize>>, String> {
    let number = |text: &str| text.parse().ok().filter(|number| *number > 0 && !text.starts_with('+'));
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let why = match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => return Ok(first..=last),
            (Some(_), Some(_)) => format!("{part} runs backwards, "),
            _ if text.is_empty() => {
                return Err(format!("{option} is empty, expected file numbers from 1, such as 1,3-5"));
            }
            _ if part.is_empty() => "a number is missing, ".into(),
            _ if part == text => String::new(),
            _ => format!("{part} is no file number, "),
        };
        Err(format!("{option} {text}: {why}expected file numbers from 1, such as 1,3-5; {shown} shows them"))
    };
    text.split(',').map(range).collect::<Result<_, String>>().map_err(|error| for_terminal(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::commands::get;
    use crate::proto::bencode::Bencode;
    use std::ffi::OsString;

    /// A folder of `a.txt`, padding, `b/c.nfo` and an empty `b/d`, or a single file.
    fn torrent(is_folder: bool) -> Metainfo {
        let file = |path: &[&str], length: i64, attr: &str| {
            let path = Bencode::list(path.iter().copied());
            Bencode::dict([("length", length.into()), ("path", path), ("attr", attr.into())])
        };
        let files = vec![
            file(&["a.txt"], 10, ""),
            file(&[".pad", "22"], 22, "p"),
            file(&["b", "c.nfo"], 5, ""),
            file(&["b", "d"], 0, "x"),
        ];
        let content = if is_folder { ("files", Bencode::List(files)) } else { ("length", 37i64.into()) };
        let info = [content, ("name", "name".into()), ("piece length", 16i64.into()), ("pieces", vec![0; 60].into())];
        Metainfo::parse(&Bencode::dict([("info", Bencode::dict(info))]).encode()).unwrap()
    }

    fn chosen(arguments: &[&str], is_folder: bool) -> Result<Option<Vec<usize>>, String> {
        chosen_of(arguments, is_folder, None)
    }

    /// The same for the torrent of a link that selects the files `selects`.
    fn chosen_of(arguments: &[&str], is_folder: bool, selects: Option<&str>) -> Result<Option<Vec<usize>>, String> {
        let link = |selects| Magnet::parse(&format!("magnet:?xt=urn:btih:{}&so={selects}", "0".repeat(40))).unwrap();
        let link = selects.map(link);
        let arguments: Vec<OsString> = arguments.iter().map(Into::into).collect();
        let given = get::COMMAND.parse(&arguments).map_err(|failure| failure.text)?;
        let choice = Files::read(&given, 1).and_then(|files| files.of(&torrent(is_folder), "x.torrent", link.as_ref()));
        let wanted = |choice: Choice| (0..9).filter(|file| choice.wants(*file)).collect();
        choice.map(|choice| choice.map(wanted)).map_err(|failure| failure.text)
    }

    #[test]
    fn a_link_selects_files_by_their_place_in_the_torrent() {
        let chosen = |arguments: &[&str], selects| chosen_of(arguments, true, Some(selects));
        assert_eq!(chosen(&["x"], "0"), Ok(Some(vec![0])));
        assert_eq!(chosen(&["x"], "2-3"), Ok(Some(vec![2, 3])), "padding has a place");
        assert_eq!(chosen(&["x"], "1-2"), Ok(Some(vec![1, 2])));
        assert_eq!(chosen(&["x"], "0-4294967295"), Ok(None), "that is all of them");
        assert_eq!(chosen(&["x"], "0,9"), Ok(Some(vec![0])), "there is no file 9");
        assert_eq!(chosen(&["--files", "3", "x"], "0"), Ok(Some(vec![3])), "--files decides");
        assert_eq!(chosen(&["--exclude", "*.nfo", "x"], "0,2"), Ok(Some(vec![0])));
        let nothing = chosen(&["x"], "9,4294967295").unwrap_err();
        assert!(nothing.contains("because the link selects the files 9,4294967295 (counted from 0)"), "{nothing}");
    }

    #[test]
    fn padding_has_no_number_and_patterns_match_the_path_inside() {
        assert_eq!(chosen(&[], true), Ok(None));
        assert_eq!(chosen(&["--files", "1-3"], true), Ok(None), "all is no choice");
        assert_eq!(chosen(&["--files", "2"], true), Ok(Some(vec![2])));
        assert_eq!(chosen(&["--files", "3,1"], true), Ok(Some(vec![0, 3])));
        assert_eq!(chosen(&["--exclude", "b/*.nfo"], true), Ok(Some(vec![0, 3])));
        assert_eq!(chosen(&["--exclude", "name/*", "--exclude=.pad"], true), Ok(None), "the folder's name is outside");
        assert_eq!(chosen(&["--files", "1-2", "--exclude", "b/"], true), Ok(Some(vec![0])));
        assert_eq!(chosen(&["--files", "1"], false), Ok(None));
        assert_eq!(chosen(&["--exclude", "*.nfo"], false), Ok(None));
        let nothing = Err("x.torrent: the options leave nothing to download; --list shows the files".to_string());
        assert_eq!(
            (chosen(&["--exclude", "name"], false), chosen(&["--exclude", "?*"], true)),
            (nothing.clone(), nothing)
        );
        let beyond = "--files 4: x.torrent has 3 files, numbered 1 to 3; --list shows them";
        assert_eq!(chosen(&["--files", "1-4"], true), Err(beyond.into()));
        assert!(chosen(&["--files", "2"], false).unwrap_err().contains("has 1 file; --list shows"));
    }

    #[test]
    fn a_list_is_numbers_and_ranges() {
        let numbers = |text: &str| numbers("--files", text, "--list");
        assert_eq!(numbers("1").unwrap(), [1..=1]);
        assert_eq!(numbers("1,3-5,4,2-2").unwrap(), [1..=1, 3..=5, 4..=4, 2..=2]);
        for wrong in ["", ",", "1,", "0", "1-0", "5-3", "-3", "3-", "a", "1-2-3", "1 2", "+1", "99999999999999999999"] {
            let complaint = numbers(wrong).unwrap_err();
            assert!(complaint.contains("such as 1,3-5"), "{wrong}: {complaint}");
        }
        assert_eq!(
            numbers("5-3").unwrap_err(),
            "--files 5-3: 5-3 runs backwards, expected file numbers from 1, such as 1,3-5; --list shows them"
        );
        let one = numbers("1,x").unwrap_err();
        assert_eq!(
            one,
            "--files 1,x: x is no file number, expected file numbers from 1, such as 1,3-5; --list shows them"
        );
    }
}
