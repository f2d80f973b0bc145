//! Files that become wanted while the torrent runs.
//!
//! Floor 3. The rules are those of the beginning: a user's own file is not overwritten ([`claim`]), two files that are
//! one file on the disk are refused ([`names`]), and the resume state says that swarmlet is making a file before its
//! first byte is written. Pieces of the part file move to the new files. A file that is no longer wanted stays as it
//! is.

use super::{claim, files_of_piece, is_right, names};
use crate::proto::choice::Choice;
use crate::proto::peer::bitfield::Bitfield;
use crate::storage::content::Content;
use crate::storage::error::ContentError;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex};

/// From now on the files of `choice` are wanted; `None`: all. We have the pieces in `have`. All blocks of pieces that
/// are not [steady](crate::proto::choice::steady) must be written or forgotten, and none may come before the end.
/// `record` gets the verified pieces in the files, and saves which files swarmlet is making. Returns whether this was
/// carried out: it is not if the disk is in trouble. After an error, what was wanted before is wanted still.
pub fn choose(
    content: &Content,
    choice: Option<Arc<Choice>>,
    have: &Bitfield,
    record: impl FnOnce(Bitfield),
) -> Result<bool, ContentError> {
    let Some(_may) = content.health.to_write(content.health.take_turn()) else { return Ok(false) };
    let before = content.replace_choice(choice);
    let wanted = |file| before.as_ref().is_none_or(|before| before.wants(file));
    let is_new = |file: usize| !content.metainfo.files.at(file).padding && content.wants(file) && !wanted(file);
    let new: Vec<bool> = (0..content.metainfo.files.len()).map(is_new).collect();
    let ready = if new.contains(&true) { make_ready(content, &new, have, record) } else { Ok(()) };
    match ready {
        Ok(()) => content.remove_parts(),
        Err(_) => drop(content.replace_choice(before)),
    }
    ready.map(|()| true)
}

fn make_ready(
    content: &Content,
    is_new: &[bool],
    have: &Bitfield,
    record: impl FnOnce(Bitfield),
) -> Result<(), ContentError> {
    let own = content.without_parts(have.clone());
    let files = is_new.len();
    let new = || (0..files).filter(|file| is_new[*file]);
    let (mut sizes, mut inodes) = (vec![0; files], vec![0; files]);
    for file in 0..files {
        if let Ok((_, found)) = content.find_file(file) {
            (sizes[file], inodes[file]) = (found.len(), found.ino());
        }
    }
    for file in new() {
        // It was wanted before, and the verified pieces that are in it may have changed since.
        if content.has_of(file, &own).0 {
            content.still_as_verified(file)?;
        }
        content.find(file);
        // What came to its place meanwhile is another program's.
        if content.is_vacant(file) {
            content.make(file, false);
        }
    }
    if !content.overwrite {
        content.refuse_too_long(&sizes)?;
    }
    // The other files passed these checks before.
    let trusted: Vec<bool> = is_new.iter().map(|is_new| !is_new).collect();
    claim::claim(content, &own, &sizes, &trusted, &vec![false; files])?;
    new().filter(|file| inodes[*file] != 0).for_each(|file| content.settle(file));
    let making: Vec<bool> = (0..files).map(|file| content.is_making(file)).collect();
    names::refuse_shared(content, &own, &inodes, &making)?;
    if content.overwrite {
        new().try_for_each(|file| content.cut(file))?;
    }
    record(own);
    new().try_for_each(|file| content.prepare_file(file))?;
    let concerned = |piece: &u32| files_of_piece(content, *piece).any(|(file, _)| is_new[file]);
    let in_part: Vec<u32> = content.pieces_in_part().filter(concerned).collect();
    let mut buffer = vec![0; super::READ_BYTES];
    for piece in in_part {
        // A piece that was begun and given up is in the part file, too.
        if is_right(content, piece, &mut buffer, &Mutex::new(0)) {
            content.move_part(piece)?;
        } else {
            content.drop_part(piece);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
