//! Where the content of a torrent was, as its resume states say.
//!
//! Floor 3, a part of [`resume`](super). Each state is of one folder. The daemon asks this when its own record of a
//! torrent is damaged.

use super::StateDir;
use crate::proto::id::InfoHash;
use crate::proto::resume;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

impl StateDir {
    /// The folders of a torrent's resume states, with all links resolved. A damaged state is left out.
    pub fn folders(&self, info_hash: InfoHash) -> Vec<PathBuf> {
        let begin = format!("{info_hash}-");
        let names = fs::read_dir(&self.path).into_iter().flatten().flatten().map(|entry| entry.file_name());
        let names = names.filter_map(|name| name.into_string().ok());
        let of_torrent = names.filter(|name| name.starts_with(&begin) && resume::is_file_name(name));
        let folder = |name: String| resume::folder(&self.read(&name).ok()?.0);
        of_torrent.filter_map(folder).map(|folder| OsStr::from_bytes(&folder).into()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::resume::{Resume, file_name};
    use crate::storage::testkit::torrent;

    #[test]
    fn each_state_names_its_folder() {
        let temp = tempfile::tempdir().unwrap();
        let states = StateDir::open(temp.path()).unwrap();
        let (metainfo, _) = torrent(3000, &[], 1000, &[]);
        for folder in [&b"/srv/a"[..], b"/srv/b"] {
            let bytes = Resume::new(&metainfo, folder).encode();
            states.write(&file_name(&metainfo.info_hash, folder), &bytes, false).unwrap();
        }
        let mut found = states.folders(metainfo.info_hash);
        found.sort();
        assert_eq!(found, [PathBuf::from("/srv/a"), PathBuf::from("/srv/b")]);
        let damaged = temp.path().join(file_name(&metainfo.info_hash, b"/srv/a"));
        fs::write(damaged, "d").unwrap();
        assert_eq!(states.folders(metainfo.info_hash), [PathBuf::from("/srv/b")]);
        assert!(states.folders(InfoHash([9; 20])).is_empty());
    }
}
