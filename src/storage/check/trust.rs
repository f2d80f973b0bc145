//! Content that is only uploaded and never written: what `seed` does.
//!
//! Floor 3. It must be complete. With [`Duty::Trust`](crate::storage::Duty::Trust) this is assumed if the sizes are
//! right, and each piece is verified when it is first read. So no peer gets a corrupt byte, and the person need not
//! wait until a terabyte is hashed.

use super::{READ_BYTES, is_right};
use crate::proto::peer::bitfield::Bitfield;
use crate::storage::content::Content;
use crate::storage::error::{ContentError, Doing};
use crate::sys::lock;
use std::io;
use std::sync::Mutex;

/// Refuses content that is not complete.
pub fn require_complete(content: &Content, have: &Bitfield) -> Result<(), ContentError> {
    let (had, all) = (have.count(), have.len());
    if had == all {
        return Ok(());
    }
    for file in (0..content.metainfo.files.len()).filter(|file| !content.metainfo.files.at(*file).padding) {
        if let Err(error) = content.open_file(file)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(content.error(Doing::Reading, &content.path(file), error));
        }
    }
    let had_bytes = have.iter_ones().map(|piece| u64::from(content.metainfo.piece_size(piece))).sum();
    let how = "`swarmlet get --seed` with the same --dir downloads the others, and then seeds";
    Err(refused(content, Some(had_bytes), format!("it has {had} of {all} pieces; {how}")))
}

/// Assumes that content is complete, without reading it.
pub fn trust(content: &mut Content) -> Result<(), ContentError> {
    let files = content.metainfo.files.iter().enumerate().filter(|(_, entry)| !entry.padding);
    for (file, entry) in files {
        let found = content.size_on_disk(file);
        if found != Some(entry.length) {
            let found = found.map_or("is missing".into(), |found| format!("has {found} bytes"));
            let wrong = format!("{} {found}, expected {} bytes", content.path(file), entry.length);
            return Err(refused(content, None, wrong));
        }
    }
    content.tell_of_names();
    content.verified = Some(Box::new(Mutex::new(Bitfield::new(content.metainfo.piece_count()))));
    Ok(())
}

impl Content {
    /// Verifies `piece` before it is uploaded for the first time, if that was not done before.
    pub fn verify(&self, piece: u32) -> Result<(), ContentError> {
        let Some(verified) = &self.verified else { return Ok(()) };
        // Two threads may verify the same piece. That is no worse than one that waits for the other.
        if lock(verified).get(piece) {
            return Ok(());
        }
        if !is_right(self, piece, &mut vec![0; READ_BYTES], &Mutex::new(0)) {
            let wrong =
                format!("piece {piece} is not what the torrent says; without --no-check, all are verified first");
            return Err(refused(self, None, wrong));
        }
        lock(verified).set(piece);
        Ok(())
    }
}

fn refused(content: &Content, had_bytes: Option<u64>, wrong: String) -> ContentError {
    content.error(Doing::Seeding(had_bytes), &content.root(), io::Error::other(wrong))
}
