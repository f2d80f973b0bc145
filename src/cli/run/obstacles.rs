//! What keeps a torrent file of a [folder](super::folder) from being used: a torrent that runs already.
//!
//! Floor 4. A new torrent is compared with those that may be in its way, and not with all: there may be thousands.

use crate::base::path::for_terminal;
use crate::base::sha1::sha1;
use crate::cli::options::source;
use crate::proto::id::InfoHash;
use crate::proto::metainfo::Metainfo;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

/// Why a torrent file is not used.
pub struct Obstacle<'a> {
    /// The torrent file that is in its way,
    pub other: &'a Path,
    /// and what that one does.
    pub why: String,
    /// Its torrent is not otherwise in the list of torrents.
    pub is_listed: bool,
}

/// Stands for a text of which only has to be known whether it is the same: the beginning of its SHA-1. Thousands of
/// texts would take much memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Short(u64);

impl Short {
    /// That of `text`.
    pub fn of(text: &[u8]) -> Short {
        let digest = sha1(text);
        Short(u64::from_be_bytes(std::array::from_fn(|at| digest[at])))
    }

    /// That of a path.
    pub fn of_path(path: &Path) -> Short {
        Short::of(path.as_os_str().as_bytes())
    }
}

/// The torrents that run, by what may be in the way of another one.
#[derive(Default)]
pub struct Running {
    /// Their files by info-hash.
    by_hash: BTreeMap<InfoHash, Arc<Path>>,
    /// The paths of their content, each with its file.
    by_content: BTreeSet<(Short, Arc<Path>)>,
}

impl Running {
    /// The torrent in the file `path` runs, with its content at `content`.
    pub fn add(&mut self, info_hash: InfoHash, content: &Path, path: &Arc<Path>) {
        self.by_hash.insert(info_hash, Arc::clone(path));
        self.by_content.insert((Short::of_path(content), Arc::clone(path)));
    }

    /// The torrent of the link in the file `path` runs. Its content is not known yet.
    pub fn add_link(&mut self, info_hash: InfoHash, path: &Arc<Path>) {
        self.by_hash.insert(info_hash, Arc::clone(path));
    }

    /// The torrent of a link no longer runs, or its content is known now.
    pub fn remove_link(&mut self, info_hash: &InfoHash) {
        self.by_hash.remove(info_hash);
    }

    /// The torrent file or link that runs with this info-hash.
    pub fn of_hash(&self, info_hash: &InfoHash) -> Option<&Arc<Path>> {
        self.by_hash.get(info_hash)
    }

    /// It does not run any more.
    pub fn remove(&mut self, info_hash: &InfoHash, content: Short, path: &Arc<Path>) {
        self.by_hash.remove(info_hash);
        self.by_content.remove(&(content, Arc::clone(path)));
    }

    /// The files of the torrents whose content is at `content`.
    fn at(&self, content: &Path) -> impl Iterator<Item = &Arc<Path>> {
        let content = Short::of_path(content);
        let here = self.by_content.range((content, Path::new("").into())..);
        here.take_while(move |(other, _)| *other == content).map(|(_, path)| path)
    }

    /// What keeps the torrent file at `path`, whose content is to be at `content`, from being used.
    pub fn in_the_way(&self, path: &Path, content: &Path, metainfo: &Metainfo) -> Option<Obstacle<'_>> {
        if let Some(other) = self.by_hash.get(&metainfo.info_hash) {
            return Some(Obstacle { other, why: "describes the same torrent".into(), is_listed: false });
        }
        // Otherwise the maker of that torrent could choose what else is downloaded here.
        if let Some(other) = path.ancestors().skip(1).find_map(|folder| self.at(folder).next()) {
            return Some(Obstacle { other, why: "has it among its content".into(), is_listed: false });
        }
        self.at(content).find_map(|other| {
            // Many torrents have the same name, and few of them the same files. The other one is read again, because
            // its files would take memory. If that fails, nothing is risked.
            let theirs = source::read(other.as_os_str());
            let shared = theirs
                .map_or_else(|_| Some(metainfo.name.to_string()), |theirs| source::shared_path(metainfo, &theirs));
            Some(Obstacle { other, why: format!("has {} too", for_terminal(&shared?)), is_listed: true })
        })
    }
}
