//! What most stories are played on: a tracker, a torrent that it serves, and its content in a folder to seed from.

use super::content::Content;
use super::swarmlet::{Get, Swarmlet};
use super::throttle::Throttle;
use super::torrent::{Maker, Torrent};
use super::tracker::{Announce, Tracker};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The stage of a story. All that is on it lies in a folder that goes with it.
pub struct Stage {
    /// That folder.
    pub scratch: TempDir,
    /// Introduces whoever plays.
    pub tracker: Tracker,
    /// What the torrent describes.
    pub content: Content,
    /// The folder that holds all of it.
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

    /// Where the stage is.
    pub fn path(&self) -> &Path {
        self.scratch.path()
    }

    /// A `get` of the torrent into a folder of its own.
    pub fn get(&self, name: &str) -> Get {
        Get::new(name, self.path()).torrent(&self.torrent)
    }

    /// A running seed, known to the tracker.
    pub fn seed(&self) -> Swarmlet {
        self.start_seed(&self.get("seed").in_dir(&self.source).arg("--seed"))
    }

    /// The same behind a line that lets through so many bytes a second.
    pub fn slow_seed(&self, rate: u64) -> (Swarmlet, Throttle) {
        let get = self.get("seed").in_dir(&self.source).arg("--seed");
        let line = Throttle::before(get.port, rate);
        self.tracker.introduce_as(get.port, line.port);
        (self.start_seed(&get), line)
    }

    /// The same by `swarmlet seed` with these options, and its port.
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

    /// What the tracker heard from `get`, the oldest first.
    pub fn announces_from(&self, get: &Get) -> Vec<Announce> {
        self.tracker.announces_from(&self.torrent.info_hash, get.port)
    }
}
