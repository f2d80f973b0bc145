//! Which files are ours to write to: nothing of a user's is overwritten without `--overwrite`, and no file of the disk is
//! two files of the torrent.
//!
//! Floor 3. A file that exists is ours if it has all its pieces (then nothing is written to it), or
//!
//! * if the [resume state](crate::storage::resume) says that swarmlet was making it. This is recorded before its first
//!   byte, so it holds after `kill -9` at any moment. It ends when the file has all its pieces: if they are all wrong
//!   later, a user has replaced the file by his own;
//! * if it is empty or all zeros, as other programs leave files that they have not begun;
//! * if one of its pieces is right (pieces of zeros prove nothing: many a file has some);
//! * if it looks like a half download of another program: other pieces of the torrent are right, the file ends where a
//!   block ends, and each of its pieces lacks a block, in this file or in one beside it. A small file may have its bytes
//!   while the rest of its piece is not there yet. A user's own file is either longer than a piece, and then it has a
//!   piece without a gap that is wrong; or it has another length. A small file that a user has changed, beside right
//!   ones, has all its blocks and is wrong: it is his.
//!
//! Any other file is the user's, and the torrent is refused.

use super::is_there;
use crate::base::sha1::{Digest, Sha1};
use crate::proto::peer::bitfield::Bitfield;
use crate::proto::peer::message::BLOCK_BYTES;
use crate::storage::content::Content;
use crate::storage::error::{ContentError, Doing};
use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Bytes that are examined at a time.
const LOOK_BYTES: usize = 64 * 1024;

/// Takes the wanted files that lack pieces for ours, or refuses the first that is not. `own`: the right pieces in the
/// files; `sizes`: of the files on disk.
pub fn claim(content: &Content, own: &Bitfield, sizes: &[u64]) -> Result<(), ContentError> {
    let lacks = |file: usize| content.may_be_written(file) && !content.has_of(file, own).1;
    let lacking = (0..sizes.len()).filter(|file| lacks(*file));
    let mut proof = None;
    for file in lacking.clone().filter(|file| sizes[*file] > 0 && !content.is_making(*file) && !content.overwrite) {
        let proof = proof.get_or_insert_with(|| proof_of(content, own));
        // What cannot be read cannot be written either; a later error says why.
        let Ok(opened) = content.open_file(file) else { continue };
        let is_ours = content.has_of(file, proof).0
            || is_zeros(&opened).unwrap_or(false)
            || !proof.is_empty() && may_be_half(content, file, sizes);
        if !is_ours {
            return Err(refuse(
                content,
                file,
                "it is not of this torrent: none of its pieces is right, and swarmlet did not make it; move it away, \
                 choose another folder with --dir, or replace it with --overwrite",
            ));
        }
    }
    (0..sizes.len()).filter(|file| content.has_of(*file, own).1).for_each(|file| content.make(file, false));
    lacking.for_each(|file| content.make(file, true));
    Ok(())
}

fn refuse(content: &Content, file: usize, why: &str) -> ContentError {
    content.error(Doing::Using, &content.metainfo.files.at(file).path(), io::Error::other(why))
}

/// The right pieces that show that a file is of this torrent: not zeros.
fn proof_of(content: &Content, own: &Bitfield) -> Bitfield {
    let metainfo = &content.metainfo;
    let mut proof = own.clone();
    // Only the last piece is shorter.
    let last = metainfo.piece_count().saturating_sub(1);
    let hashes = [0, last].map(|piece| hash_of_zeros(metainfo.piece_size(piece) as usize));
    for piece in own.iter_ones().filter(|piece| hashes.contains(metainfo.piece_hash(*piece))) {
        proof.clear(piece);
    }
    proof
}

fn hash_of_zeros(length: usize) -> Digest {
    let (mut hash, zeros) = (Sha1::new(), [0; BLOCK_BYTES as usize]);
    for at in (0..length).step_by(zeros.len()) {
        hash.update(&zeros[..zeros.len().min(length - at)]);
    }
    hash.finish()
}

/// Whether a file is all zeros. It is read to the first byte that is not, and holes are skipped.
fn is_zeros(file: &File) -> io::Result<bool> {
    let (mut at, mut bytes) = (0, vec![0; LOOK_BYTES]);
    loop {
        at = match seek(file, SeekFrom::Data(at)) {
            Ok(data) => data,
            Err(Errno::NXIO) => return Ok(true),
            // This file system knows no holes.
            Err(_) => at,
        };
        match file.read_at(&mut bytes, at)? {
            0 => return Ok(true),
            count if bytes[..count].iter().any(|byte| *byte != 0) => return Ok(false),
            count => at += count as u64,
        }
    }
}

/// Whether each piece of a file lacks a block, and the file ends where a block ends.
fn may_be_half(content: &Content, file: usize, sizes: &[u64]) -> bool {
    let entry = content.metainfo.files.at(file);
    let end = entry.offset + sizes[file];
    let in_piece = end % u64::from(content.metainfo.piece_length);
    let mut pieces = content.metainfo.pieces_of(entry).take_while(|piece| content.piece_offset(*piece) < end);
    (sizes[file] == entry.length || in_piece.is_multiple_of(BLOCK_BYTES.into()))
        && pieces.all(|piece| lacks_a_block(content, piece, sizes))
}

fn lacks_a_block(content: &Content, piece: u32, sizes: &[u64]) -> bool {
    if !is_there(content, piece, sizes) {
        return true;
    }
    let (begin, size) = (content.piece_offset(piece), content.metainfo.piece_size(piece));
    let mut bytes = [0; BLOCK_BYTES as usize];
    (0..size).step_by(BLOCK_BYTES as usize).any(|at| {
        let (offset, block) = (begin + u64::from(at), &mut bytes[..(size - at).min(BLOCK_BYTES) as usize]);
        let is_padding = content.files_of(offset, block.len() as u64).next().is_none();
        !is_padding && content.read(offset, block).is_ok() && block.iter().all(|byte| *byte == 0)
    })
}
