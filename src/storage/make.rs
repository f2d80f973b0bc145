//! Makes a torrent of what is on the disk: the files in their order, each piece hashed.
//!
//! Floor 3. A file that changes meanwhile would be in the torrent half as it was and half as it is, and nobody could
//! ever fetch it: so that ends the work.

pub mod tree;

use super::hashing::{self, Layout, Unread};
use crate::base::sha1::Digest;
use crate::proto::metainfo::{Files, HASH_BYTES};
use crate::sys::{in_words, lock, unlocked};
use std::fs::{self, File};
use std::io;
use std::sync::Mutex;
use tree::{Found, Stamp, TreeError};

/// The files of a torrent that is to be made, with padding between them if they are to be aligned: then each but the
/// first begins with a piece (BEP 47).
pub fn lay_out(name: &str, found: &[Found], align: Option<u32>) -> Files {
    // A file that is shared alone has no path in a folder.
    if let [file] = found
        && file.name.is_empty()
    {
        return Files::single(name, file.length);
    }
    let mut files = Files::of_folder(name, found.len(), found.iter().map(|file| file.name.len()).sum());
    for file in found {
        let begin = files.length();
        let gap = align.map_or(0, |piece| begin.next_multiple_of(piece.into()) - begin);
        if gap > 0 && file.length > 0 {
            files.push(b"", gap, true);
        }
        files.push(file.name.as_bytes(), file.length, false);
    }
    files
}

/// The hashes of all pieces of `files`, which [`lay_out`] made of `found`. `tick` is told the bytes done.
pub fn hash(
    files: &Files,
    found: &[Found],
    piece_length: u32,
    threads: usize,
    tick: &mut dyn FnMut(u64),
) -> Result<Vec<u8>, TreeError> {
    // Padding stands between files, so a file's place among the found is its place without the padding before it.
    let mut places = Vec::with_capacity(files.len());
    let mut place = 0;
    for file in files.iter() {
        places.push(place);
        place += usize::from(!file.padding);
    }
    let open = |file: usize| open(&found[places[file]]);
    let layout = Layout { files, piece_length, open: &open };
    let hashes = Mutex::new(vec![0; layout.piece_count() as usize * HASH_BYTES]);
    let problem = Mutex::new(None);
    let take = |piece: u32, digest: Result<Digest, Unread>| match digest {
        Ok(digest) => {
            let mut hashes = lock(&hashes);
            hashes[piece as usize * HASH_BYTES..][..HASH_BYTES].copy_from_slice(&digest);
            true
        }
        Err(unread) => {
            let path = found[places[unread.file]].path.clone();
            let error = TreeError { path, problem: in_words(&unread.error) };
            lock(&problem).get_or_insert(error);
            false
        }
    };
    hashing::hash(&layout, threads, &take, tick);
    if let Some(problem) = unlocked(problem) {
        return Err(problem);
    }
    for file in found {
        still(fs::metadata(&file.path), &file.stamp)
            .map_err(|error| TreeError { path: file.path.clone(), problem: in_words(&error) })?;
    }
    Ok(unlocked(hashes))
}

fn open(found: &Found) -> io::Result<File> {
    let file = File::open(&found.path)?;
    still(file.metadata(), &found.stamp)?;
    Ok(file)
}

/// Whether a file is as it was found.
fn still(metadata: io::Result<fs::Metadata>, stamp: &Stamp) -> io::Result<()> {
    match metadata {
        Ok(metadata) if Stamp::of(&metadata) == *stamp => Ok(()),
        Ok(_) => Err(io::Error::other("it has changed meanwhile; make the torrent when it is finished")),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
