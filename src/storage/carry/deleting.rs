//! Deletes the files of a torrent, and the folders that are empty then.
//!
//! Floor 3. A file is deleted only if it is the torrent's: it was wanted when the content was checked, or it has a
//! verified piece. If the content was not checked, only a resume state can tell that. [Another
//! program's](super::others) file stays. A link is neither followed nor removed. A folder is removed only if a file of
//! the torrent was in it.

use super::others::others;
use super::{Progress, remove_empty_folders, staging};
use crate::proto::peer::bitfield::Bitfield;
use crate::storage::content::{Content, part_file};
use crate::storage::resume::{Known, StateDir, look_at};
use crate::sys::file_error;
use std::collections::BTreeSet;
use std::io;

/// Most lines about files that stay: the others are counted.
const MOST_LINES: usize = 3;

/// Deletes the content. `have`: the verified pieces; `None`: it was not checked. Returns lines about the files that
/// stay although they are wanted.
pub fn delete(
    content: &Content,
    have: Option<&Bitfield>,
    states: Option<&StateDir>,
    progress: &Progress,
) -> Vec<String> {
    let known = states.filter(|_| have.is_none()).map(|states| Known::load(states, content, |_| ()));
    let is_of_others = others(content, have, known.as_ref(), true, progress);
    let (folder, mut left, mut more, mut removed) = (content.folder(), Vec::new(), 0, Vec::new());
    let files = content.metainfo.files.iter().enumerate().filter(|(_, entry)| !entry.padding);
    for file in files.map(|(file, _)| file).take_while(|_| !progress.is_stopped()) {
        let path = content.path(file);
        let may_be_ours = match (have, &known) {
            (Some(have), _) => content.wants(file) || content.has_of(file, have).0,
            (None, Some(known)) => known.is_ours(content, file),
            (None, None) => false,
        };
        let result = match folder.regular(&path) {
            Ok(None) => continue,
            Ok(Some(_)) if is_of_others[file] => Err(io::Error::other("another program made or changed it")),
            Ok(Some(_)) if may_be_ours => folder.remove(&path),
            Ok(Some(_)) if !content.wants(file) => continue,
            Ok(Some(_)) => Err(io::Error::other("nothing shows that it is of this torrent")),
            Err(error) => Err(error),
        };
        match result {
            Ok(()) => removed.push(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(_) if left.len() == MOST_LINES => more += 1,
            Err(error) => {
                left.push(format!("{} was not deleted: {}", content.dir.join(&path).display(), file_error(&error)))
            }
        }
    }
    if more > 0 {
        left.push(format!("{more} more files were not deleted"));
    }
    let info_hash = &content.metainfo.info_hash;
    let _ = folder.remove(&part_file::name(info_hash));
    let copies = staging(info_hash);
    for number in (0..=content.metainfo.files.len()).filter(|_| folder.is_taken(&copies).unwrap_or(false)) {
        let _ = folder.remove(&format!("{copies}/{number}"));
    }
    folder.remove_empty(&copies);
    remove_empty_folders(folder, removed.iter().map(String::as_str), &BTreeSet::new());
    left
}

impl Known {
    /// Whether a file of content that was not checked is swarmlet's: it was making it, or the file is as it was when
    /// its pieces were verified.
    fn is_ours(&self, content: &Content, file: usize) -> bool {
        let seen = || look_at(content, &content.open_file(file).ok()?).ok().flatten();
        self.was_making(content, file)
            || content.has_of(file, &self.resume.have).0 && self.trusts(file, seen().as_ref())
    }
}
