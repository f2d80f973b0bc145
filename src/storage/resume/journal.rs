//! The journal of a move: where the content of a torrent was and where it goes. It is kept with the resume states.
//!
//! Floor 3, a part of [`resume`](super); what it is for is explained in [`carry`](crate::storage::carry). It is written
//! before the first file is carried. After the move it stays, because the caller may be killed before it has recorded
//! the new place: until then it adds the torrent with the old one, and is told of the new one again. It goes when the
//! torrent is added with the new place, or is removed.

use super::StateDir;
use crate::proto::bencode::{self, Bencode, Value};
use crate::proto::id::InfoHash;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The end of the names of journals.
const END: &str = ".moved";

/// A move that was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journal {
    /// The folder that held the content.
    pub from: PathBuf,
    /// The folder that will hold it.
    pub to: PathBuf,
    /// The names there that are not those of the torrent: for each path in the torrent, the name.
    pub renamed: Vec<(PathBuf, String)>,
    /// All copies that the move needs are complete.
    pub copied: bool,
}

/// The name of the journal of a torrent.
pub fn name(info_hash: InfoHash) -> String {
    format!("{info_hash}{END}")
}

/// Whether this is the name of a journal.
pub fn is_name(name: &str) -> bool {
    let hash = name.strip_suffix(END).unwrap_or_default();
    hash.len() == 40 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The folder without links in its path, if it exists.
fn real(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf())
}

impl Journal {
    /// A move from one folder to another that begins now.
    pub fn new(from: &Path, to: &Path, renamed: Vec<(PathBuf, String)>) -> Journal {
        Journal { from: real(from), to: real(to), renamed, copied: false }
    }

    /// Whether content in `dir` with these names is where this move leads to.
    pub fn leads_to(&self, dir: &Path, renamed: &[(PathBuf, String)]) -> bool {
        self.to == real(dir) && self.renamed == renamed
    }

    /// Whether content in `dir` is where this move begins.
    pub fn begins_in(&self, dir: &Path) -> bool {
        self.from == real(dir)
    }

    fn encode(&self) -> Vec<u8> {
        let path = |path: &Path| Bencode::from(path.as_os_str().as_bytes().to_vec());
        let pair = |(of, name): &(PathBuf, String)| Bencode::List(vec![path(of), name.as_str().into()]);
        Bencode::dict([
            ("copied", i64::from(self.copied).into()),
            ("from", path(&self.from)),
            ("renamed", Bencode::List(self.renamed.iter().map(pair).collect())),
            ("to", path(&self.to)),
        ])
        .encode()
    }

    fn decode(bytes: &[u8]) -> Option<Journal> {
        let value = bencode::decode(bytes).ok()?;
        let path = |value: Value| Some(PathBuf::from(OsStr::from_bytes(value.as_bytes()?)));
        let pair = |value: Value| {
            let mut items = value.items()?;
            Some((path(items.next()?)?, items.next()?.as_text()?.to_string()))
        };
        Some(Journal {
            from: path(value.get(b"from")?)?,
            to: path(value.get(b"to")?)?,
            renamed: value.get(b"renamed")?.items()?.map(pair).collect::<Option<_>>()?,
            copied: value.get(b"copied")?.as_int()? == 1,
        })
    }
}

impl StateDir {
    /// The journal of a torrent's last move, if there is one.
    pub fn journal(&self, info_hash: InfoHash) -> Option<Journal> {
        Journal::decode(&self.read(&name(info_hash)).ok()?.0)
    }

    /// Writes the journal of a move.
    pub fn write_journal(&self, info_hash: InfoHash, journal: &Journal) -> std::io::Result<()> {
        self.write(&name(info_hash), &journal.encode(), true)
    }

    /// Removes the journal of a torrent, if there is one.
    pub fn remove_journal(&self, info_hash: InfoHash) {
        self.remove(&name(info_hash));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_is_read_as_it_was_written_and_damage_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let states = StateDir::open(&dir.path().join("states")).unwrap();
        let hash = InfoHash([7; 20]);
        assert_eq!(states.journal(hash), None);
        let renamed = vec![("whole/a".into(), "b".to_string())];
        let mut journal = Journal::new(dir.path(), Path::new("/not/there"), renamed.clone());
        states.write_journal(hash, &journal).unwrap();
        assert_eq!(states.journal(hash), Some(journal.clone()));
        assert!(journal.begins_in(dir.path()) && journal.leads_to(Path::new("/not/there"), &renamed));
        assert!(!journal.leads_to(Path::new("/not/there"), &[]));
        journal.copied = true;
        states.write_journal(hash, &journal).unwrap();
        assert_eq!(states.journal(hash), Some(journal));
        let path = states.path.join(name(hash));
        assert!(is_name(path.file_name().unwrap().to_str().unwrap()) && !is_name("x.moved"));
        let whole = fs::read(&path).unwrap();
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            assert_eq!(states.journal(hash), None);
        }
        states.remove_journal(hash);
        assert!(!path.exists());
    }
}
