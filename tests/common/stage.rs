//! Where most stories begin: a tracker, a torrent that it serves, and the content in a folder to seed from.

use super::content::Content;
use super::swarmlet::{Get, Swarmlet};
use super::throttle::Throttle;
use super::torrent::{Maker, Torrent};
use super::tracker::{Announce, Tracker};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The stage of a story. Everything on it lies in one folder, which is deleted at the end.
pub struct Stage {
    /// That folder.
    pub scratch: TempDir,
    /// Introduces the peers to each other.
    pub tracker: Tracker,
    /// The content that the torrent describes.
    pub content: Content,
    /// The folder that holds all of the content.
    pub source: PathBuf,
    /// The torrent.
    pub torrent: Torrent,
}

impl Stage {
    /// The stage for a torrent of `content` in pieces of `piece` bytes.
    pub fn new(content: Content, piece: usize) -> Stage {
        let scratch = tempfile::tempdir().expect("a folder can be made");
        let tracker = Tracker::start();
        let source = scratch.path().join("source");
        let torrent = Maker::Ours.make(&content, &source, piece, &tracker.url());
        Stage { scratch, tracker, content, source, torrent }
    }

    /// The folder of the stage.
    pub fn path(&self) -> &Path {
        self.scratch.path()
    }

    /// A `get` of the torrent into a folder of its own.
    pub fn get(&self, name: &str) -> Get {
        Get::new(name, self.path()).torrent(&self.torrent)
    }

    /// A running seed that the tracker knows.
    pub fn seed(&self) -> Swarmlet {
        self.start_seed(&self.get("seed").in_dir(&self.source).arg("--seed"))
    }

    /// The same behind a line that lets `rate` bytes a second through.
    pub fn slow_seed(&self, rate: u64) -> (Swarmlet, Throttle) {
        let get = self.get("seed").in_dir(&self.source).arg("--seed");
        let line = Throttle::before(get.port, rate);
        self.tracker.introduce_as(get.port, line.port);
        (self.start_seed(&get), line)
    }

    /// The same by `swarmlet seed` with these options. Returns its port too.
    pub fn serve(&self, options: &[&str]) -> (Swarmlet, u16) {
        let get = Get::seed("seed", self.path(), &self.source).torrent(&self.torrent).args(options);
        (self.start_seed(&get), get.port)
    }

    /// Starts a seed and waits until the tracker knows one.
    fn start_seed(&self, get: &Get) -> Swarmlet {
        let mut seed = get.start();
        self.tracker.wait_for_a_seed(&self.torrent.info_hash, || seed.must_run());
        seed
    }

    /// The announces of `get` that the tracker received, oldest first.
    pub fn announces_from(&self, get: &Get) -> Vec<Announce> {
        self.tracker.announces_from(&self.torrent.info_hash, get.port)
    }
}
