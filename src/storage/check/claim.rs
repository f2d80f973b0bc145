//! Which files swarmlet may write to: a user's own file is not overwritten without `--overwrite`.
//!
//! Floor 3. Nothing is written to a file that has all its pieces. Another file that exists may be written to
//!
//! * if the [resume state](crate::storage::resume) says that swarmlet was making it. It ends when the file has all its
//!   pieces and was synced: if they are all wrong later, the user has replaced the file. (A file that was not synced
//!   may be torn after a power cut. That changes no times: if the file was changed after the state was saved, it is
//!   the user's.) It does not hold for a file of another length, because swarmlet gives a file its full length before
//!   its first byte, nor for one that another program changed in this run, or made where the file was missing (see
//!   `content/making.rs`);
//! * if the state says that swarmlet was going to make it, and the file carries [the mark](crate::sys::beneath::mark)
//!   of the files that swarmlet makes. The state is saved before its first byte, so it holds after `kill -9` at any
//!   moment. (On a file system without marks it is enough that each of its pieces lacks a block, in this file or in one
//!   beside it. A user's own small file may look like that, too.);
//! * if the state vouches for it: nobody has changed it since it had its pieces. It lacks one only because a file
//!   beside it is gone;
//! * if it is empty or all zeros, as other programs leave files that they have not begun to write;
//! * if one of its pieces is verified (pieces of zeros prove nothing, because many files have some), or it has its
//!   share of one in the part file;
//! * if it looks like another program's incomplete download: other pieces of the torrent are verified, the file ends
//!   where a block ends, and each of its pieces lacks a block, in this file or in one beside it. (A small file may be
//!   complete while the rest of its piece is missing.) A user's own file does not look like that. If it is longer than
//!   a piece, it has a corrupt piece that lacks no block; otherwise it has another length, or its piece lacks no block
//!   because the files beside it are complete.
//!
//! Any other file is a user's own, and the torrent is refused.
//!
//! A file that another program changed *after it was complete* is the user's work, even if most of its pieces are
//! right: think of tags in music. Its right pieces are used, but no other piece is written to it. The torrent ends with
//! an error that names the file. To verify the torrent after *that* error is the person's word that the file may be
//! written to, unless it was changed once more: then it is like any other file. So is `--overwrite`. Whether a file
//! changed is told by its stamp: in a run, by the stamp that swarmlet saw last; at a start, by the one in the state. A
//! stamp alone refuses nothing, because `chmod` and copies change it: at least one piece must be wrong.

use super::{files_of_piece, is_there};
use crate::base::sha1::{Digest, Sha1};
use crate::base::step;
use crate::proto::peer::bitfield::Bitfield;
use crate::proto::peer::message::BLOCK_BYTES;
use crate::storage::content::Content;
use crate::storage::error::{ContentError, Doing};
use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Bytes that are examined at a time.
const LOOK_BYTES: usize = 64 * 1024;

/// Marks the wanted files that lack pieces as being made, or refuses one that must not be written to. `own`: the
/// verified pieces in the files; `sizes`: of the files on disk; `trusted`: the files that are unchanged since the last
/// run; `planned`: those that swarmlet may have begun when it was killed.
pub fn claim(
    content: &Content,
    own: &Bitfield,
    sizes: &[u64],
    trusted: &[bool],
    planned: &[bool],
) -> Result<(), ContentError> {
    let lacking = (0..sizes.len()).filter(|file| content.lacks(*file, own));
    let in_doubt =
        |file: &usize| sizes[*file] > 0 && !content.is_making(*file) && !trusted[*file] && !content.overwrite;
    let (mut proof, mut gaps) = (None, BTreeMap::new());
    let others = lacking.clone().filter(in_doubt).filter(|file| {
        let proof = proof.get_or_insert_with(|| proof_of(content, own));
        !content.has_of(*file, proof).0
            && !agrees_with_part(content, *file)
            // A file that cannot be opened cannot be written to either; a later error says why.
            && content.open_file(*file).is_ok_and(|file| !is_zeros(&file).unwrap_or(false))
            && (proof.is_empty() && !planned[*file] || !may_be_half(content, *file, sizes, &mut gaps))
    });
    let others: Vec<usize> = others.collect();
    let Some(first) = others.first().copied() else {
        refuse_changed(content, own, sizes)?;
        lacking.for_each(|file| content.make(file, true));
        return Ok(());
    };
    // A small file may be correct, and the corrupt one is beside it: that one has a corrupt piece of its own.
    let has_its_own = |file: &usize| {
        let mut pieces = content.metainfo.pieces_of(content.metainfo.files.at(*file));
        pieces.any(|piece| is_there(content, piece, sizes) && files_of_piece(content, piece).count() == 1)
    };
    // They are neither moved nor deleted later.
    others.iter().for_each(|file| content.note_change(*file));
    let file = others.into_iter().find(has_its_own).unwrap_or(first);
    Err(refuse(
        content,
        file,
        "it is not of this torrent: none of its pieces is right, and swarmlet did not make it; move it away, choose \
         another folder with --dir, or replace it with --overwrite",
    ))
}

/// Refuses a file that another program changed after it was complete, if corrupt pieces are to be written to it.
fn refuse_changed(content: &Content, own: &Bitfield, sizes: &[u64]) -> Result<(), ContentError> {
    // Other pieces are only missing, because a file beside this one is.
    let is_corrupt = |file: usize, piece: u32| match content.agrees_with_part(file, piece) {
        Some(agrees) => !agrees,
        None => !own.get(piece) && is_there(content, piece, sizes),
    };
    let is_wrong = |file: &usize| {
        let entry = content.metainfo.files.at(*file);
        sizes[*file] != entry.length || content.metainfo.pieces_of(entry).any(|piece| is_corrupt(*file, piece))
    };
    let is_nothing = |file: usize| content.open_file(file).is_ok_and(|file| is_zeros(&file).unwrap_or(false));
    let changed = |file: &usize| {
        sizes[*file] > 0 && content.was_finished(*file) && content.lacks(*file, own) && !is_nothing(*file)
    };
    let files: Vec<usize> = (0..sizes.len()).filter(changed).filter(is_wrong).collect();
    let Some(&file) = files.first().filter(|_| !content.overwrite) else { return Ok(()) };
    files.iter().for_each(|file| content.tell_of_change(*file));
    let others = match files.len() - 1 {
        0 => String::new(),
        count => format!(" (and {count} more of the torrent's files)"),
    };
    let pieces = content.metainfo.pieces_of(content.metainfo.files.at(file));
    let is_missing = |piece: &u32| !own.get(*piece) && content.agrees_with_part(file, *piece) != Some(true);
    let (count, missing) = (pieces.clone().count(), pieces.filter(is_missing).count());
    let words = format!(
        "another program changed it{others} after it was complete, and {missing} of its {count} pieces are wrong now; \
         move it away to keep it, or verify the torrent once more (without the daemon: use --overwrite) to download \
         these pieces again"
    );
    Err(refuse(content, file, &words))
}

/// Whether a file has its share of a piece that is in the part file.
fn agrees_with_part(content: &Content, file: usize) -> bool {
    let mut pieces = content.metainfo.pieces_of(content.metainfo.files.at(file));
    pieces.any(|piece| content.agrees_with_part(file, piece) == Some(true))
}

/// The error for a file that must not be written to.
pub fn refuse(content: &Content, file: usize, why: &str) -> ContentError {
    content.error(Doing::Using, &content.path(file), io::Error::other(why))
}

/// The verified pieces that prove that a file is of this torrent: those that are not zeros.
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
            // This file system can't report holes.
            Err(_) => at,
        };
        step(1);
        match file.read_at(&mut bytes, at)? {
            0 => return Ok(true),
            count if bytes[..count].iter().any(|byte| *byte != 0) => return Ok(false),
            count => at += count as u64,
        }
    }
}

/// Whether each piece of a file lacks a block, and the file ends where a block ends. `gaps`: what is known of pieces,
/// because thousands of small files may share one.
fn may_be_half(content: &Content, file: usize, sizes: &[u64], gaps: &mut BTreeMap<u32, bool>) -> bool {
    let entry = content.metainfo.files.at(file);
    let end = entry.offset + sizes[file];
    let in_piece = end % u64::from(content.metainfo.piece_length);
    let mut pieces = content.metainfo.pieces_of(entry).take_while(|piece| content.piece_offset(*piece) < end);
    (sizes[file] == entry.length || in_piece.is_multiple_of(BLOCK_BYTES.into()))
        && pieces.all(|piece| *gaps.entry(piece).or_insert_with(|| lacks_a_block(content, piece, sizes)))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::steps;
    use crate::storage::testkit::{open, part, torrent};
    use std::fs;
    use std::path::Path;

    const BLOCK: usize = BLOCK_BYTES as usize;
    const PIECE: usize = 4 * BLOCK;

    #[test]
    fn of_a_hundred_gigabytes_of_nothing_only_what_was_written_is_read() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(100 << 30).unwrap();
        let reads = |zeros: bool| steps::of(|| assert_eq!(is_zeros(&file).unwrap(), zeros));
        assert_eq!(reads(true), 0);
        file.write_all_at(&[0; 3], 50 << 30).unwrap();
        // The system may have reserved more than it was asked to.
        let of_zeros = reads(true);
        assert!((1..100).contains(&of_zeros), "{of_zeros} reads");
        file.write_all_at(b"x", (100 << 30) - 1).unwrap();
        assert!((of_zeros + 1..of_zeros + 100).contains(&reads(false)));
    }

    /// `put` puts some of three files into the folder: a small one, a large one and a small one. Returns whether
    /// swarmlet may write to the first.
    fn is_ours(mut put: impl FnMut(&Path, usize, &[u8])) -> bool {
        let (metainfo, bytes) = torrent(0, &[(BLOCK / 2, false), (3 * PIECE, false), (900, false)], PIECE, &[]);
        let dir = tempfile::tempdir().unwrap();
        for file in 0..3 {
            let path = dir.path().join(metainfo.files.at(file).path());
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            put(&path, file, part(&metainfo, &bytes, file));
        }
        let content = open(&metainfo, dir.path(), false);
        let sizes: Vec<u64> = (0..3).map(|file| content.size_on_disk(file).unwrap_or(0)).collect();
        let own = crate::storage::testkit::check_all(&content, &Default::default()).unwrap();
        let claimed = claim(&content, &own, &sizes, &[false; 3], &[false; 3]);
        assert_eq!(claimed.is_ok(), (0..3).all(|file| !content.lacks(file, &own) || content.is_making(file)));
        claimed.is_ok()
    }

    #[test]
    fn a_small_file_is_ours_only_if_its_piece_lacks_something_else() {
        let whole = |path: &Path, bytes: &[u8]| fs::write(path, bytes).unwrap();
        let other = vec![b'x'; BLOCK / 2];
        assert!(is_ours(|path, _, bytes| whole(path, bytes)));
        assert!(!is_ours(|path, file, bytes| whole(path, if file == 0 { &other } else { bytes })), "it was edited");
        let half = |bytes: &[u8], from: usize| {
            let mut bytes = bytes.to_vec();
            bytes[from..from + BLOCK].fill(0);
            bytes
        };
        // Another program has begun: the first piece lacks a block, and the second is right.
        assert!(is_ours(|path, file, bytes| {
            if file == 1 { whole(path, &half(bytes, BLOCK / 2)) } else { whole(path, bytes) }
        }));
        let short = |path: &Path, file, bytes: &[u8]| whole(path, if file == 1 { &bytes[..BLOCK] } else { bytes });
        assert!(!is_ours(short), "without a right piece nothing shows that this is a half download");
        // The file is shorter than the torrent says.
        assert!(!is_ours(|path, file, bytes| match file {
            0 => whole(path, b"mine"),
            1 => whole(path, &half(bytes, BLOCK / 2)),
            _ => whole(path, bytes),
        }));
    }

    #[test]
    fn what_is_being_made_stays_ours_when_it_is_opened_again() {
        let (metainfo, _) = torrent(3000, &[], 1000, &[]);
        let dir = tempfile::tempdir().unwrap();
        let content = open(&metainfo, dir.path(), false);
        let none = Bitfield::new(3);
        claim(&content, &none, &[0], &[false], &[false]).unwrap();
        fs::write(dir.path().join("whole"), "a part of a piece").unwrap();
        let again = content.open_again().unwrap();
        claim(&again, &none, &[17], &[false], &[false]).unwrap();
    }
}
