//! The content of the transfers: one file of random bytes, its torrents, a tracker, and a place for copies.

use super::common::libtorrent;
use super::common::opentracker::Opentracker;
use super::common::peers::{Peer, Plan, Program};
use super::common::process::Process;
use super::common::swarmlet::Get;
use super::common::tools::say;
use super::common::torrent::Torrent;
use super::common::wait::PATIENCE;
use std::fs::{self, File};
use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const MIB: u64 = 1 << 20;
/// The file's name.
pub const NAME: &str = "bench.bin";

/// The file and its torrents. They are deleted when dropped.
pub struct Source {
    /// Its size in MiB.
    pub size_mib: u64,
    /// The folder it lies in.
    pub dir: PathBuf,
    /// The torrent with pieces of 1 MiB.
    pub torrent: Torrent,
    /// The torrent with pieces of 16 MiB.
    pub torrent_16: Torrent,
    tracker: SocketAddr,
    swarms: usize,
    scratch: TempDir,
}

impl Source {
    /// Writes the file into the folder of cargo for large files, because /tmp may be in memory.
    pub fn make(size_mib: u64) -> Source {
        say(&format!("making {size_mib} MiB of content and two torrents of it"));
        let scratch = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("there is a place for large files");
        let dir = scratch.path().join("source");
        fs::create_dir(&dir).expect("the folder is new");
        let mut file = File::create(dir.join(NAME)).expect("the file is new");
        let random = File::open("/dev/urandom").expect("the kernel has random bytes");
        io::copy(&mut random.take(size_mib * MIB), &mut file).expect("there is room for the content");
        // Otherwise the disk is busy with it during the first run.
        file.sync_all().expect("the content can be written");
        let tracker = Opentracker::address();
        let torrent = make_torrent(&dir, 1, tracker, scratch.path());
        let torrent_16 = make_torrent(&dir, 16, tracker, scratch.path());
        Source { size_mib, dir, torrent, torrent_16, tracker, swarms: 0, scratch }
    }

    /// A new swarm, with a new tracker and a new folder.
    pub fn swarm(&mut self) -> Swarm {
        self.swarms += 1;
        let scratch = self.scratch.path().join(format!("swarm-{}", self.swarms));
        fs::create_dir(&scratch).expect("the folder is new");
        let copies = scratch.join("copies");
        fs::create_dir(&copies).expect("the folder is new");
        let tracker = Opentracker::start(self.tracker, &[&self.torrent, &self.torrent_16], &scratch);
        Swarm { tracker, address: self.tracker, scratch, copies }
    }

    /// Its size in bytes.
    pub fn bytes(&self) -> u64 {
        self.size_mib * MIB
    }

    /// Panics unless the file in `dir` has the same bytes.
    pub fn assert_same_in(&self, dir: &Path) {
        let open = |dir: &Path| File::open(dir.join(NAME)).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
        let (mut ours, mut copy) = (open(&self.dir), open(dir));
        let mut blocks = (vec![0; MIB as usize], vec![0; MIB as usize]);
        assert_eq!(copy.metadata().map(|data| data.len()).ok(), Some(self.bytes()), "the copy has another size");
        for number in 0..self.size_mib {
            ours.read_exact(&mut blocks.0).expect("the content can be read");
            copy.read_exact(&mut blocks.1).expect("the copy can be read");
            assert!(blocks.0 == blocks.1, "the copy differs in MiB {number}");
        }
    }
}

/// A tracker, a folder, and the peers that are started in it.
pub struct Swarm {
    /// The tracker.
    pub tracker: Opentracker,
    /// The address of the tracker.
    pub address: SocketAddr,
    /// For logs and settings.
    pub scratch: PathBuf,
    /// For what is fetched.
    pub copies: PathBuf,
}

impl Swarm {
    /// A seed by another program, known to the tracker.
    pub fn libtorrent_seed(&mut self, source: &Source, torrent: &Torrent) -> Peer {
        let mut seed = Plan::seed(Program::Libtorrent, torrent, &source.dir, &self.scratch).start();
        self.tracker.wait_for_seeds(torrent, 1, || seed.must_run());
        seed
    }

    /// Starts a build of ours that fetches `torrent` and ends.
    pub fn get(&self, program: &Path, torrent: &Torrent) -> Process {
        let get = Get::new("get", &self.scratch).program(program).in_dir(&self.copies).torrent(torrent);
        Process::start("swarmlet", &mut get.command(), &self.scratch)
    }
}

impl Drop for Swarm {
    fn drop(&mut self) {
        // A run makes many copies. The panic that follows shows a failure, so the copy is not needed.
        let _ = fs::remove_dir_all(&self.copies);
    }
}

fn make_torrent(dir: &Path, piece_mib: u64, tracker: SocketAddr, scratch: &Path) -> Torrent {
    let file = scratch.join(format!("pieces-of-{piece_mib}.torrent"));
    let mut command = libtorrent::python();
    command.arg("make").arg(dir.join(NAME)).args([(piece_mib * MIB).to_string(), Opentracker::url(tracker)]).arg(&file);
    let status = Process::start("lt-make", &mut command, scratch).wait(PATIENCE);
    assert!(status.success(), "libtorrent made no torrent: {status}");
    Torrent::read(&file)
}
