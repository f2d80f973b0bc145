//! The .torrent files that are saved in the folder of the resume states. A later run with the same magnet link then
//! need not ask peers for the description, and descriptions can be read from there.
//!
//! Floor 3, a part of [`resume`](super). Only the user can read the folder, because the trackers of a link may contain
//! a passkey.

use super::StateDir;
use crate::proto::id::InfoHash;
use crate::proto::metainfo::{MAX_METAINFO_BYTES, Metainfo};
use crate::storage::description::{Description, END, file_name};
use crate::sys::beneath::For;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// Where the description of a torrent can be read again. The torrent was read from `bytes`, which came from the file
/// `path`. If there is no such file, the bytes are saved in `states`.
pub fn description(
    path: Option<Arc<Path>>,
    bytes: &[u8],
    metainfo: &Metainfo,
    states: Option<&StateDir>,
) -> Option<Description> {
    let save = || {
        let states = states?;
        states.keep_torrent(metainfo.info_hash, bytes).ok().map(|()| Arc::clone(&states.path))
    };
    Description::of(path, bytes, metainfo, &save)
}

/// Where the description of a torrent can be read again, if its .torrent file with these bytes is saved in `states`.
pub fn saved_description(bytes: &[u8], metainfo: &Metainfo, states: &StateDir) -> Option<Description> {
    Description::of(None, bytes, metainfo, &|| Some(Arc::clone(&states.path)))
}

/// Whether this is the name of a saved torrent.
pub fn is_name(name: &str) -> bool {
    let hash = name.strip_suffix(END).unwrap_or_default();
    hash.len() == 40 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl StateDir {
    /// The saved .torrent file of a torrent.
    pub fn saved_torrent(&self, info_hash: InfoHash) -> io::Result<Vec<u8>> {
        let file = self.folder.file(&file_name(&info_hash), For::Reading)?;
        // A file that was not used for a year is deleted.
        let _ = file.set_modified(SystemTime::now());
        let mut bytes = Vec::with_capacity(file.metadata()?.len().min(MAX_METAINFO_BYTES as u64) as usize);
        file.take(MAX_METAINFO_BYTES as u64 + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Saves a .torrent file.
    pub fn save_torrent(&self, info_hash: InfoHash, bytes: &[u8]) -> io::Result<()> {
        // The file is not synced: after a power cut, peers are asked again.
        self.write(&file_name(&info_hash), bytes, false)
    }

    /// Saves a .torrent file, unless it is already there.
    pub fn keep_torrent(&self, info_hash: InfoHash, bytes: &[u8]) -> io::Result<()> {
        let is_there = self.saved_torrent(info_hash).is_ok_and(|saved| saved == bytes);
        if is_there { Ok(()) } else { self.save_torrent(info_hash, bytes) }
    }

    /// Where the .torrent file of a torrent is saved.
    pub fn path_of_torrent(&self, info_hash: InfoHash) -> PathBuf {
        self.path.join(file_name(&info_hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_torrent_is_saved_under_its_info_hash_and_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let states = StateDir::open(dir.path()).unwrap();
        let info_hash = InfoHash([0xab; 20]);
        assert_eq!(states.saved_torrent(info_hash).unwrap_err().kind(), io::ErrorKind::NotFound);
        for bytes in [&b"one"[..], b"another"] {
            states.save_torrent(info_hash, bytes).unwrap();
            assert_eq!(states.saved_torrent(info_hash).unwrap(), bytes);
        }
        let name = fs::read_dir(dir.path()).unwrap().next().unwrap().unwrap().file_name().into_string().unwrap();
        assert!(is_name(&name) && name.ends_with("ab.torrent"), "{name}");
        assert!(!is_name("a.torrent") && !is_name(&name[1..]) && !is_name(&name.replace("ab", "xy")));
    }

    #[test]
    fn an_unused_torrent_is_deleted_and_a_used_one_stays() {
        let dir = tempfile::tempdir().unwrap();
        let states = StateDir::open(dir.path()).unwrap();
        let (used, unused) = (InfoHash([1; 20]), InfoHash([2; 20]));
        for info_hash in [used, unused] {
            states.save_torrent(info_hash, b"x").unwrap();
            let file = fs::File::options().write(true).open(dir.path().join(format!("{info_hash}{END}"))).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        }
        states.saved_torrent(used).unwrap();
        let states = StateDir::open(dir.path()).unwrap();
        assert!(states.saved_torrent(used).is_ok() && states.saved_torrent(unused).is_err());
    }
}
