//! What the operator allows: the torrents that are tracked (`--allowed-dir`) and the passkeys (`--passkeys`).
//!
//! Floor 3.

use crate::base::gzip::unpacked;
use crate::proto::id::InfoHash;
use crate::proto::metainfo::{MAX_METAINFO_BYTES, Metainfo};
use crate::sys::stamp::stamp;
use crate::sys::{in_words, read_regular, read_whole};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The largest file of passkeys, in bytes: some 250,000 passkeys of 64 characters.
const MOST_PASSKEY_BYTES: u64 = 16 << 20;

/// The torrents of a folder.
pub struct Allowed {
    /// The files, by name.
    files: BTreeMap<String, Entry>,
    /// The file name of each info-hash.
    names: BTreeMap<InfoHash, String>,
    /// The cut info-hashes of version 2 (BEP 52) of hybrid torrents: clients announce under both hashes, and show an
    /// error if one of them is refused.
    version2: BTreeSet<InfoHash>,
}

/// A file of the folder.
#[derive(Clone)]
struct Entry {
    /// What the file was like when it was read.
    stamp: u64,
    /// `None` if it is not a valid torrent. It is not read again until it changes.
    torrent: Option<Torrent>,
}

/// A torrent of the folder.
#[derive(Clone)]
pub struct Torrent {
    /// Its info-hash.
    pub info_hash: InfoHash,
    /// If it is a hybrid torrent, its info-hash of version 2, cut to 20 bytes.
    info_hash_v2: Option<InfoHash>,
    /// Its name, which can't be trusted.
    pub name: String,
    /// The length of its content, in bytes.
    pub length: u64,
    /// The path of its file.
    pub path: PathBuf,
}

impl Allowed {
    /// Reads the folder `dir`. Files that did not change since `before` are not read again.
    pub fn read(dir: &Path, before: Option<&Allowed>) -> io::Result<Allowed> {
        let mut allowed = Allowed { files: BTreeMap::new(), names: BTreeMap::new(), version2: BTreeSet::new() };
        for file in fs::read_dir(dir)? {
            let file = file?;
            let Ok(name) = file.file_name().into_string() else { continue };
            // Links are followed.
            let Ok(metadata) = fs::metadata(file.path()) else { continue };
            if !name.to_ascii_lowercase().ends_with(".torrent") || !metadata.is_file() {
                continue;
            }
            // Without the inode, whose number does not last on every file system.
            let stamp = stamp(&metadata, false);
            let known = before.and_then(|before| before.files.get(&name)).filter(|entry| entry.stamp == stamp);
            let torrent = match known {
                Some(entry) => entry.torrent.clone(),
                None => read_torrent(&file.path()),
            };
            if let Some(torrent) = &torrent {
                allowed.names.insert(torrent.info_hash, name.clone());
                allowed.version2.extend(torrent.info_hash_v2);
            }
            allowed.files.insert(name, Entry { stamp, torrent });
        }
        Ok(allowed)
    }

    /// Whether the torrent is tracked.
    pub fn contains(&self, info_hash: &InfoHash) -> bool {
        self.names.contains_key(info_hash) || self.version2.contains(info_hash)
    }

    /// The name of the torrent's file, and the torrent.
    pub fn get(&self, info_hash: &InfoHash) -> Option<(&str, &Torrent)> {
        let name = self.names.get(info_hash)?;
        Some((name, self.file(name)?))
    }

    /// The torrent in the file with this name.
    pub fn file(&self, name: &str) -> Option<&Torrent> {
        self.files.get(name)?.torrent.as_ref()
    }

    /// The info-hashes of all torrents, in order.
    pub fn hashes(&self) -> impl Iterator<Item = &InfoHash> {
        self.names.keys()
    }
}

fn read_torrent(path: &Path) -> Option<Torrent> {
    let shown = path.display();
    let bytes = match read_regular(path, MAX_METAINFO_BYTES as u64) {
        Ok(bytes) => bytes,
        Err(error) => {
            log::error!("can't read {shown}: {}", in_words(&error));
            return None;
        }
    };
    let parsed = unpacked(bytes, MAX_METAINFO_BYTES).ok_or("compressed (gzip), and damaged or too large".into());
    match parsed.and_then(|bytes| Metainfo::parse(&bytes)) {
        Ok(Metainfo { info_hash, about, name, length, .. }) => {
            let info_hash_v2 = about.and_then(|about| about.info_hash_v2);
            let info_hash_v2 = info_hash_v2.and_then(|hash| hash.first_chunk().copied()).map(InfoHash);
            Some(Torrent { info_hash, info_hash_v2, name: name.to_string(), length, path: path.into() })
        }
        Err(error) => {
            log::error!("{shown} is not tracked: {error}");
            None
        }
    }
}

/// The passkeys. A client that knows one may announce.
pub struct Passkeys(BTreeSet<String>);

impl Passkeys {
    /// Reads a file with one passkey per line. Empty lines and lines that begin with `#` are ignored.
    pub fn read(path: &Path) -> io::Result<Passkeys> {
        let bytes = read_whole(path, MOST_PASSKEY_BYTES)?;
        let text = str::from_utf8(&bytes).map_err(|_| io::Error::other("it is not text in UTF-8"))?;
        // Editors of Windows put a byte order mark before the first one.
        let lines = text
            .trim_start_matches('\u{feff}')
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        Ok(Passkeys(lines.map(str::to_owned).collect()))
    }

    /// Whether `passkey` is one of them.
    pub fn contains(&self, passkey: &str) -> bool {
        self.0.contains(passkey)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::bencode::Bencode;

    /// `version`: of the field `meta version`, which hybrid torrents have.
    fn torrent(name: &str, version: Option<i64>) -> Vec<u8> {
        let mut info = vec![
            ("length", 1u64.into()),
            ("name", name.into()),
            ("piece length", 16_384u64.into()),
            ("pieces", vec![7u8; 20].into()),
        ];
        info.extend(version.map(|version| ("meta version", version.into())));
        Bencode::dict([("info", Bencode::dict(info))]).encode()
    }

    /// `cp -p` and taggers keep the length and set the time back.
    #[test]
    fn a_torrent_is_read_again_if_its_file_was_changed_and_its_time_set_back() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("a.torrent");
        let [one, other] = ["one", "two"].map(|name| torrent(name, None));
        fs::write(&path, &one).unwrap();
        let time = fs::metadata(&path).unwrap().modified().unwrap();
        let first = Allowed::read(temp.path(), None).unwrap();
        std::thread::sleep(crate::sys::stamp::TICK);
        fs::write(&path, &other).unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        let again = Allowed::read(temp.path(), Some(&first)).unwrap();
        assert!(again.contains(&Metainfo::parse(&other).unwrap().info_hash));
        assert_eq!(again.hashes().count(), 1);
    }

    #[test]
    fn a_hybrid_torrent_is_tracked_under_both_of_its_hashes_and_listed_once() {
        let temp = tempfile::tempdir().unwrap();
        let hybrid = torrent("both", Some(2));
        fs::write(temp.path().join("both.torrent"), &hybrid).unwrap();
        fs::write(temp.path().join("old.torrent"), torrent("old", None)).unwrap();
        let metainfo = Metainfo::parse(&hybrid).unwrap();
        let version2 = InfoHash(*metainfo.about().info_hash_v2.as_deref().unwrap().first_chunk().unwrap());
        let first = Allowed::read(temp.path(), None).unwrap();
        let again = Allowed::read(temp.path(), Some(&first)).unwrap();
        for allowed in [first, again] {
            assert!(allowed.contains(&metainfo.info_hash) && allowed.contains(&version2));
            assert!(!allowed.contains(&InfoHash([1; 20])));
            assert_eq!(allowed.hashes().count(), 2);
        }
    }
}
