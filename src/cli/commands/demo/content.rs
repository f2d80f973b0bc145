//! The content that the swarm shares, and its torrent.
//!
//! Floor 4, part of [`demo`](super).

use super::scratch::INTERRUPTED;
use crate::base::rng::Rng;
use crate::base::sha1::{Digest, Sha1, sha1};
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::output::cant_write;
use crate::proto::metainfo::Metainfo;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;

/// The name of the file.
pub const NAME: &str = "demo.bin";
/// The content is the same each time: it comes from this number.
const SEED: u64 = 2003;
/// With this many pieces the map of a peer has several pieces per column, and the time that a piece needs from one peer
/// to the next hardly matters.
const PIECES: u64 = 256;
/// The limits of a piece's length: a block, and what is hashed at once.
const PIECE_BYTES: [u64; 2] = [16 << 10, 1 << 20];

/// The length of the pieces of `size` bytes: a power of two.
fn piece_length(size: u64) -> u64 {
    size.div_ceil(PIECES).next_power_of_two().clamp(PIECE_BYTES[0], PIECE_BYTES[1])
}

/// Writes `size` bytes into the folder `dir`. Returns their torrent, which names this tracker, and their SHA-1. Between
/// two pieces it asks whether to `stop`, which is a failure.
pub fn make(
    dir: &Path,
    size: u64,
    tracker: Option<&str>,
    stop: &dyn Fn() -> bool,
) -> Result<(Metainfo, Digest), Failure> {
    let (path, piece_length) = (dir.join(NAME), piece_length(size));
    let failed = |error| cant_write(&path, &error);
    let mut file = File::create_new(&path).map_err(failed)?;
    let (mut rng, mut hashes, mut whole) = (Rng::new(SEED), Vec::new(), Sha1::new());
    let mut left = size;
    while left > 0 {
        if stop() {
            return Err(Failure::new(Exit::Interrupted, INTERRUPTED));
        }
        // At most a mebibyte.
        let length = left.min(piece_length) as usize;
        let mut piece = Vec::with_capacity(length + 8);
        while piece.len() < length {
            piece.extend(rng.bits().to_le_bytes());
        }
        piece.truncate(length);
        file.write_all(&piece).map_err(failed)?;
        hashes.extend(sha1(&piece));
        whole.update(&piece);
        left -= length as u64;
    }
    Ok((torrent(size, piece_length, &hashes, tracker)?, whole.finish()))
}

fn torrent(size: u64, piece_length: u64, hashes: &[u8], tracker: Option<&str>) -> Result<Metainfo, Failure> {
    let mut bytes = format!("d4:infod6:lengthi{size}e4:name{}:{NAME}", NAME.len()).into_bytes();
    bytes.extend(format!("12:piece lengthi{piece_length}e6:pieces{}:", hashes.len()).into_bytes());
    bytes.extend(hashes);
    bytes.extend(b"ee");
    let metainfo = Metainfo::parse(&bytes).map_err(|why| Failure::new(Exit::Io, why))?;
    let tiers = tracker.map(|url| vec![Arc::from(url)]).into_iter().collect();
    Ok(Metainfo { tiers, ..metainfo })
}

/// The SHA-1 of a copy in the folder `dir`; `None`: it can't be read.
pub fn hash(dir: &Path) -> Option<Digest> {
    let mut file = File::open(dir.join(NAME)).ok()?;
    let (mut hash, mut buffer) = (Sha1::new(), vec![0; 64 << 10]);
    loop {
        match file.read(&mut buffer).ok()? {
            0 => return Some(hash.finish()),
            count => hash.update(&buffer[..count]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_torrent_describes_the_content() {
        let dir = tempfile::tempdir().unwrap();
        let (metainfo, whole) = make(dir.path(), 100_000, Some("http://127.0.0.1:1/announce"), &|| false).unwrap();
        assert_eq!((metainfo.length, metainfo.piece_length, metainfo.piece_count()), (100_000, 16 << 10, 7));
        assert_eq!(&*metainfo.tiers[0][0], "http://127.0.0.1:1/announce");
        let bytes = std::fs::read(dir.path().join(NAME)).unwrap();
        assert_eq!(metainfo.piece_hash(6), &sha1(&bytes[6 * (16 << 10)..]));
        assert_eq!((hash(dir.path()), sha1(&bytes)), (Some(whole), whole));
        assert_eq!(hash(&dir.path().join("none")), None);
        let other = dir.path().join("other");
        std::fs::create_dir(&other).unwrap();
        assert_eq!(make(&other, 100_000, None, &|| true).unwrap_err().exit, Exit::Interrupted);
    }

    #[test]
    fn large_content_has_long_pieces() {
        assert_eq!([1, 8 << 20, 1 << 40].map(piece_length), [16 << 10, 32 << 10, 1 << 20]);
    }
}
