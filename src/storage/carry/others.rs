//! Which of the files in the places of a torrent's files are another program's: they are neither moved nor deleted.
//!
//! Floor 3, a part of [`carry`](super). Another program may have put its file over one that swarmlet made or verified.
//! The stamps that swarmlet knows tell that the file is not as it was. But `chmod`, `ln` and a copy from a backup
//! change stamps, too. So the pieces decide that the file had: if all of them are right, it is the torrent's. To read
//! them may take minutes. But an equal length and modification time prove nothing, because taggers can keep both.
//! Only a file that is to be deleted and has another name is not read: under that name, nothing is lost.

use crate::proto::peer::bitfield::Bitfield;
use crate::storage::Progress;
use crate::storage::check::{READ_BYTES, is_right};
use crate::storage::content::Content;
use crate::storage::resume::{Known, look_at};
use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::sync::Mutex;

/// For each file, whether there is one and it is another program's. `have`: the verified pieces; `None`: the content
/// was not checked, and only the state, which is in `known`, can tell which pieces there were. `deletes`: the files are
/// to be deleted.
pub fn others(
    content: &Content,
    have: Option<&Bitfield>,
    known: Option<&Known>,
    deletes: bool,
    progress: &Progress,
) -> Vec<bool> {
    let had = have.or(known.map(|known| &known.resume.have)).cloned();
    let had = had.unwrap_or_else(|| Bitfield::new(content.metainfo.piece_count()));
    let in_files = content.without_parts(had.clone());
    let known = known.filter(|_| have.is_none());
    let mut buffer = vec![0; READ_BYTES];
    let mut is_right = |file: usize, piece: u32| {
        let in_part = content.agrees_with_part(file, piece);
        !progress.is_stopped() && in_part.unwrap_or_else(|| is_right(content, piece, &mut buffer, &Mutex::new(0)))
    };
    let mut linked = BTreeSet::new();
    let mut is_of_others = |file: usize| {
        let entry = content.metainfo.files.at(file);
        let Ok(opened) = content.open_file(file) else { return false };
        let Ok(found) = opened.metadata() else { return false };
        if entry.length == 0 || found.len() > entry.length || content.is_vacant(file) {
            return found.len() > 0;
        }
        let was_complete = !content.is_making(file) || content.has_of(file, &in_files).1;
        let differs = content.is_changed(file) || content.known.is_of_others(file, &found, was_complete);
        let is_in_doubt = differs
            || known.is_some_and(|known| {
                known.was_changed(content, file, look_at(content, &opened).ok().flatten().as_ref())
            });
        // (If the other name is in the torrent, too, the file is read for that one.)
        if is_in_doubt && deletes && found.nlink() > 1 && linked.insert((found.dev(), found.ino())) {
            return false;
        }
        // An unwanted file lacks what is in the part file.
        let proof = if content.wants(file) { &had } else { &in_files };
        let mut pieces = content.metainfo.pieces_of(entry).filter(|piece| proof.get(*piece));
        is_in_doubt && !(content.has_of(file, proof).0 && pieces.all(|piece| is_right(file, piece)))
    };
    let files = content.metainfo.files.iter().enumerate();
    let found = files.map(|(file, entry)| !entry.padding && is_of_others(file)).collect();
    // The files that were read must not stay open.
    content.close_files();
    found
}
