//! A folder of torrents for `swarmlet many`, and a tracker for them.

use super::content::Content;
use super::swarmlet::{Get, Swarmlet};
use super::torrent::{Maker, Torrent};
use super::tracker::Tracker;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const PIECE: usize = 16 * 1024;

/// The folder. Everything is deleted when it is dropped.
pub struct Folder {
    scratch: TempDir,
    /// The tracker of all its torrents.
    pub tracker: Tracker,
    /// The folder that `many` gets.
    pub dir: PathBuf,
}

impl Folder {
    /// An empty folder.
    pub fn new() -> Folder {
        let scratch = tempfile::tempdir().expect("a folder can be made");
        let dir = scratch.path().join("folder");
        fs::create_dir(&dir).expect("the folder is new");
        Folder { scratch, tracker: Tracker::start(), dir }
    }

    /// A place beside the folder, for what must not be in it.
    pub fn path(&self) -> &Path {
        self.scratch.path()
    }

    /// A torrent of one file of `size` bytes. It is not in the folder yet.
    pub fn make(&self, name: &str, size: usize) -> (Content, Torrent) {
        let content = Content::one_file(name, size);
        let torrent = self.make_of(&content, name);
        (content, torrent)
    }

    /// A torrent of this content, which is put into the folder of [`seed`](Folder::seed) with this name.
    pub fn make_of(&self, content: &Content, name: &str) -> Torrent {
        Maker::Ours.make(content, &self.source(name), PIECE, &self.tracker.url())
    }

    /// Copies the torrent into the folder, with this name.
    pub fn put(&self, torrent: &Torrent, name: &str) -> PathBuf {
        let file = self.dir.join(name);
        fs::create_dir_all(file.parent().expect("it lies in a folder")).expect("the folder can be made");
        fs::copy(&torrent.file, &file).expect("the torrent can be copied");
        file
    }

    /// The same for a new torrent of one file of `size` bytes, and that file too.
    pub fn put_whole(&self, name: &str, size: usize) {
        let (content, torrent) = self.make(name, size);
        self.put(&torrent, &format!("{name}.torrent"));
        content.write_to(&self.dir);
    }

    /// A running seed of the torrent with this name.
    pub fn seed(&self, name: &str, torrent: &Torrent, options: &[&str]) -> Swarmlet {
        let get = Get::seed(&format!("seed of {name}"), self.path(), &self.source(name)).torrent(torrent);
        get.args(options).start()
    }

    fn source(&self, name: &str) -> PathBuf {
        self.path().join(format!("source of {name}"))
    }

    /// A `many` of the folder.
    pub fn many(&self, options: &[&str]) -> Get {
        Get::many("many", self.path(), &self.dir).args(options)
    }
}
