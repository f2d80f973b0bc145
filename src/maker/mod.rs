//! Makes a torrent of files on the disk: puts the files in order and hashes each piece.
//!
//! Floor 3. If a file changes meanwhile, the torrent would describe a mixture of its old and its new content, which
//! nobody could ever download. So a change is an error.

pub mod tree;

use self::tree::{FoundFile, TreeError};
use crate::base::sha1::Digest;
use crate::proto::metainfo::{Files, HASH_BYTES};
use crate::storage::hashing;
use crate::storage::hashing::{Layout, Unread};
use crate::sys::stamp::stamp;
use crate::sys::{in_words, lock, unlocked};
use std::fs::{self, File};
use std::io;
use std::sync::Mutex;

/// The files of a torrent to be made. If they are aligned, padding is put between them so that each file but the first
/// begins at the start of a piece (BEP 47).
pub fn lay_out(name: &str, found: &[FoundFile], align: Option<u32>) -> Files {
    // A single file has no path in a folder.
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

/// Hashes all pieces of `files`, which [`lay_out`] made of `found`. `tick` gets the number of bytes done.
pub fn hash(
    files: &Files,
    found: &[FoundFile],
    piece_length: u32,
    threads: usize,
    tick: &mut dyn FnMut(u64),
) -> Result<Vec<u8>, TreeError> {
    // Padding is between files, so a file's place in `found` is its place in `files` without the padding before it.
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
        still(fs::metadata(&file.path), file.stamp)
            .map_err(|error| TreeError { path: file.path.clone(), problem: in_words(&error) })?;
    }
    Ok(unlocked(hashes))
}

fn open(found: &FoundFile) -> io::Result<File> {
    let file = File::open(&found.path)?;
    still(file.metadata(), found.stamp)?;
    Ok(file)
}

/// Fails if a file is not as it was found.
fn still(metadata: io::Result<fs::Metadata>, before: u64) -> io::Result<()> {
    match metadata {
        Ok(metadata) if stamp(&metadata, true) == before => Ok(()),
        Ok(_) => Err(io::Error::other("it has changed meanwhile; make the torrent when it is finished")),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
