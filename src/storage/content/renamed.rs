//! Names on the disk that differ from those in the torrent, because the user chose them.
//!
//! Floor 3, a part of [`content`](super). A name is kept under the path that the torrent itself gives to the file or
//! folder: the metainfo stays as it is. So a rename of a folder is one entry, however many files are in it. The new
//! names obey the same rules as the names in a new .torrent file ([`base::path`](crate::base::path)), and no two things
//! in one folder get the same name.

use super::part_file;
use crate::base::path::{MAX_PATH_BYTES, for_terminal, safe_component};
use crate::proto::metainfo::{FileEntry, Metainfo};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

/// Most names that may differ: more than anybody types. It bounds what is kept in memory and in the caller's records.
pub const MOST_RENAMED: usize = 10_000;

/// The names that differ: for each path in the torrent, the last component on the disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Renamed(BTreeMap<String, String>);

/// The path of a file on the disk, made when it is needed.
pub struct OnDisk<'a> {
    pub(super) entry: FileEntry<'a>,
    pub(super) renamed: &'a Renamed,
}

impl fmt::Display for OnDisk<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.renamed.0.is_empty() { self.entry.fmt(f) } else { f.write_str(&self.renamed.path(&self.entry.path())) }
    }
}

/// The folder of a path, and its last component.
fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_string() } else { format!("{folder}/{name}") }
}

/// A path and the folders above it, the longest first.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| path.rsplit_once('/').map(|(folder, _)| folder))
}

impl Renamed {
    /// The names that a caller has kept: paths in the torrent, each with the name on the disk. An error says which name
    /// can't be used.
    pub fn new(list: &[(PathBuf, String)], metainfo: &Metainfo) -> Result<Renamed, String> {
        let mut names = BTreeMap::new();
        for (path, name) in list {
            names.insert(text(path)?.to_string(), safe_component(name.as_bytes())?);
        }
        Renamed(names).checked(metainfo)
    }

    /// These names and one more. `path` is a path on the disk as it is now.
    pub fn with(&self, metainfo: &Metainfo, path: &Path, name: &str) -> Result<Renamed, String> {
        let (shown, path) = (text(path)?, self.original(text(path)?));
        if self.path(&path) != shown {
            return Err(not_there(shown));
        }
        let mut names = self.0.clone();
        let name = safe_component(name.as_bytes())?;
        if split(&path).1 == name {
            names.remove(&path)
        } else {
            names.insert(path.clone(), name)
        };
        // (Its own name again needs no entry, so it is looked for with one.)
        Renamed(BTreeMap::from([(path, String::new())])).exists(metainfo)?;
        Renamed(names).checked(metainfo)
    }

    /// The names, for [`Renamed::new`].
    pub fn list(&self) -> Vec<(PathBuf, String)> {
        self.0.iter().map(|(path, name)| (path.into(), name.clone())).collect()
    }

    /// The path on the disk of what the torrent calls `path`.
    pub fn path<'a>(&self, path: &'a str) -> Cow<'a, str> {
        if self.0.is_empty() {
            return Cow::Borrowed(path);
        }
        let mut names: Vec<&str> =
            ancestors(path).map(|path| self.0.get(path).map_or(split(path).1, String::as_str)).collect();
        names.reverse();
        Cow::Owned(names.join("/"))
    }

    /// The torrent's path of what is at `path` on the disk.
    fn original(&self, path: &str) -> String {
        let mut original = String::new();
        for name in path.split('/') {
            let is_here = |(of, new): &(&String, &String)| *new == name && split(of).0 == original;
            original = match self.0.iter().find(is_here) {
                Some((of, _)) => of.clone(),
                None => join(&original, name),
            };
        }
        original
    }

    fn exists(&self, metainfo: &Metainfo) -> Result<(), String> {
        let mut missing = BTreeSet::new();
        missing.extend(self.0.keys().map(String::as_str));
        for entry in metainfo.files.iter().filter(|entry| !entry.padding) {
            let path = entry.path();
            ancestors(&path).for_each(|path| {
                missing.remove(path);
            });
        }
        missing.first().map_or(Ok(()), |path| Err(not_there(path)))
    }

    fn checked(self, metainfo: &Metainfo) -> Result<Renamed, String> {
        if self.0.len() > MOST_RENAMED {
            return Err(format!("more than {MOST_RENAMED} names are different"));
        }
        self.exists(metainfo)?;
        let root = self.path(&metainfo.name);
        if part_file::is_name(&root) {
            return Err(format!("swarmlet uses such names itself: \"{root}\""));
        }
        // Only what is in the same folder of the torrent can have the same path.
        let mut wanted = BTreeSet::new();
        for (path, name) in &self.0 {
            if !wanted.insert(join(split(path).0, name)) {
                return Err(format!("two would have the name \"{}\"", for_terminal(name)));
            }
        }
        let is_taken = |path: &str| wanted.contains(path) && !self.0.contains_key(path);
        for entry in metainfo.files.iter().filter(|entry| !entry.padding) {
            let path = entry.path();
            if let Some(taken) = ancestors(&path).find(|path| is_taken(path)) {
                return Err(format!("the torrent has another \"{}\"", for_terminal(split(taken).1)));
            }
            let bytes = self.path(&path).len();
            if bytes > MAX_PATH_BYTES {
                return Err(format!("the path of \"{}\" would have {bytes} bytes", for_terminal(split(&path).1)));
            }
        }
        Ok(self)
    }
}

/// A path of components that are joined by `/`.
fn text(path: &Path) -> Result<&str, String> {
    let text = path.to_str().filter(|text| text.split('/').all(|name| !name.is_empty()));
    text.ok_or_else(|| not_there(&path.to_string_lossy()))
}

fn not_there(path: &str) -> String {
    format!("there is no \"{}\" in the torrent", for_terminal(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::testkit::torrent;

    /// A folder "whole" with the files `folder 0/0`, `folder 1/1`, `folder 2/2`, `folder 0/3`.
    fn folder() -> Metainfo {
        torrent(0, &[(10, false), (10, false), (10, false), (10, false)], 16, &[]).0
    }

    fn with(renamed: &Renamed, path: &str, name: &str) -> Result<Renamed, String> {
        renamed.with(&folder(), Path::new(path), name)
    }

    #[test]
    fn names_change_one_after_the_other_and_back() {
        let first = with(&Renamed::default(), "whole/folder 0/3", "three").unwrap();
        assert_eq!(first.path("whole/folder 0/3"), "whole/folder 0/three");
        assert!(with(&first, "whole/folder 0/3", "3").is_err(), "that is not its name now");
        let second = with(&first, "whole/folder 0", "zero").unwrap();
        let third = with(&second, "whole", "all").unwrap();
        assert_eq!(third.path("whole/folder 0/3"), "all/zero/three");
        assert_eq!(third.path("whole/folder 0/0"), "all/zero/0");
        assert_eq!(third.path("whole/folder 1/1"), "all/folder 1/1");
        assert_eq!(Renamed::new(&third.list(), &folder()), Ok(third.clone()));
        let fourth = with(&third, "all/zero/three", "3").unwrap();
        assert_eq!(fourth.path("whole/folder 0/3"), "all/zero/3");
        let fifth = with(&with(&fourth, "all/zero", "folder 0").unwrap(), "all", "whole").unwrap();
        assert_eq!(fifth, Renamed::default());
        // A name that is free by now.
        let first = with(&Renamed::default(), "whole/folder 0", "old").unwrap();
        let second = with(&first, "whole/folder 1", "folder 0").unwrap();
        assert_eq!(second.path("whole/folder 1/1"), "whole/folder 0/1");
        assert_eq!(with(&second, "whole/folder 0/1", "x").unwrap().path("whole/folder 1/1"), "whole/folder 0/x");
    }

    #[test]
    fn hostile_and_taken_names_are_refused() {
        let none = Renamed::default();
        for name in ["", ".", "..", "a/b", "/etc", "a\0b", &"x".repeat(256)] {
            assert!(with(&none, "whole/folder 0/3", name).is_err(), "{name:?}");
            assert!(Renamed::new(&[("whole/folder 0/3".into(), name.into())], &folder()).is_err());
        }
        assert_eq!(with(&none, "whole/folder 0/3", "a\nb").unwrap().path("whole/folder 0/3"), "whole/folder 0/a%0Ab");
        for (path, name) in [
            ("whole/folder 0/3", "0"),
            ("whole/folder 0", "folder 1"),
            ("whole", &format!(".{}.swarmlet", "ab".repeat(20))),
        ] {
            assert!(with(&none, path, name).is_err(), "{path}");
        }
        for path in ["", "other", "whole/none", "whole/folder 0/3/x", "../whole", "/whole"] {
            assert!(with(&none, path, "x").is_err(), "{path}");
        }
        let twice = [("whole/folder 0/0".into(), "x".into()), ("whole/folder 0/3".into(), "x".into())];
        assert!(Renamed::new(&twice, &folder()).is_err());
        let many: Vec<_> = (0..=MOST_RENAMED).map(|number| (number.to_string().into(), "x".to_string())).collect();
        assert!(Renamed::new(&many, &folder()).is_err());
    }
}
