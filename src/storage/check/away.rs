//! Whether content that was there in the last run is away, most likely because its disk is not mounted.
//!
//! Floor 3. Without its disk, a mount point is an empty folder of another disk. A download into it would be hidden as
//! soon as the disk is mounted. So a torrent does not start if the resume state says that pieces were there, and the
//! folder is empty. If the user has deleted the content, it is downloaded again. We assume this if the folder contains
//! anything, or is on the same mount as before.

use crate::storage::content::Content;
use crate::storage::error::{ContentError, Doing};
use crate::storage::resume::{Known, mount_of};
use std::fs::{self, File};
use std::io;

/// Refuses content that had pieces in the last run if its folder is empty. `sizes`: of the files on disk.
pub fn refuse(content: &Content, known: &Known, sizes: &[u64]) -> Result<(), ContentError> {
    // A folder may have many files, so it is read only if none of these shows that it is not empty.
    if known.resume.have.is_empty() || sizes.iter().any(|size| *size > 0) {
        return Ok(());
    }
    // The torrent's own folder may be the mount point.
    let own = content.dir.join(&*content.root());
    let folder = if own.is_dir() { own } else { content.dir.to_path_buf() };
    let is_empty = fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_none());
    if !is_empty || File::open(&folder).is_ok_and(|folder| known.was_on(mount_of(&folder))) {
        return Ok(());
    }
    let words = format!(
        "what was in {} is not there (is its disk mounted?); if it was deleted, `swarmlet get --check` downloads it again",
        folder.display()
    );
    Err(content.error(Doing::Reading, &content.root(), io::Error::other(words)))
}
