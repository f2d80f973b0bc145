//! A torrent whose pieces all have the same bytes. One of any size is made at once, and its seeds need no disk.

use super::common::bencode::Value;
use super::common::torrent::{Torrent, sha1};
use super::common::tracker::Tracker;
use std::fs::{self, File};
use std::io::Read;
use std::path::PathBuf;
use tempfile::TempDir;

/// The name of its file.
pub const NAME: &str = "repeated.bin";

/// The torrent, its tracker, and a place for copies. They are deleted when dropped.
pub struct Repeated {
    /// The bytes of each piece.
    pub piece: Vec<u8>,
    /// How many pieces there are.
    pub pieces: usize,
    /// The torrent.
    pub torrent: Torrent,
    /// Its tracker.
    pub tracker: Tracker,
    /// For what is fetched.
    pub copies: PathBuf,
    /// For logs and settings.
    pub scratch: TempDir,
}

impl Repeated {
    /// `pieces` of the bytes `piece`. Everything lies in the folder of cargo for large files.
    pub fn new(piece: Vec<u8>, pieces: usize) -> Repeated {
        let scratch = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("there is a place for large files");
        let copies = scratch.path().join("copies");
        fs::create_dir(&copies).expect("the folder is new");
        let tracker = Tracker::start();
        let info = dict([
            ("length", Value::Int((piece.len() * pieces) as i64)),
            ("name", Value::text(NAME)),
            ("piece length", Value::Int(piece.len() as i64)),
            ("pieces", Value::Bytes(sha1(&piece).repeat(pieces))),
        ]);
        let file = scratch.path().join("repeated.torrent");
        let torrent = dict([("announce", Value::text(&tracker.url())), ("info", info)]);
        fs::write(&file, torrent.encode()).expect("there is room for a torrent");
        Repeated { piece, pieces, torrent: Torrent::read(&file), tracker, copies, scratch }
    }

    /// The same of random bytes.
    pub fn random(piece_length: usize, pieces: usize) -> Repeated {
        let mut piece = vec![0; piece_length];
        let mut random = File::open("/dev/urandom").expect("the kernel has random bytes");
        random.read_exact(&mut piece).expect("the kernel has random bytes");
        Repeated::new(piece, pieces)
    }

    /// Its size in bytes.
    pub fn bytes(&self) -> u64 {
        (self.piece.len() * self.pieces) as u64
    }

    /// Where a leecher puts the file.
    pub fn copy(&self) -> PathBuf {
        self.copies.join(NAME)
    }
}

/// A dictionary of these entries.
pub fn dict<const N: usize>(entries: [(&'static str, Value); N]) -> Value {
    Value::Dict(entries.into())
}
