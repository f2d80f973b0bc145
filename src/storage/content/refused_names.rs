//! Names that the disk refuses: the person is told once for each torrent, when the first of them is used.
//!
//! Floor 3, a part of [`content`](super). Which names are used instead is decided in [`crate::sys::beneath`]. Whether
//! the disk refuses a name is known only when a file is made, so only the first is certain. The others are counted by
//! the characters and lengths that such disks refuse.

use super::Content;
use crate::base::path::portable;
use crate::proto::metainfo::{FileEntry, Metainfo};
use crate::sys::beneath::Folder;
use std::sync::atomic::Ordering;

/// The warning that the disk refuses `path`, of a file or folder of `metainfo` that exists; `None`: it does not.
pub fn warning(folder: &Folder, metainfo: &Metainfo, path: &str) -> Option<String> {
    let used = folder.used_instead(path)?;
    let is_odd = |file: &FileEntry| portable(&file.inside(), true) != file.inside() && file.path() != path;
    let others = metainfo.files.iter().filter(is_odd).count();
    Some(format!("this disk refuses the name {path:?}: {used:?} is used (more names that it may refuse: {others})"))
}

impl Content {
    /// The file or folder at `path` was opened or made. If the disk refuses its name, the person is told, once.
    pub fn tell_of_name(&self, path: &str) {
        if !self.told_of_name.load(Ordering::Relaxed)
            && let Some(text) = warning(&self.folder, &self.metainfo, path)
            && !self.told_of_name.swap(true, Ordering::Relaxed)
        {
            (self.warn)(self.torrent, text);
        }
    }

    /// The same for all files, after they were looked at.
    pub fn tell_of_names(&self) {
        (0..self.metainfo.files.len()).for_each(|file| self.tell_of_name(&self.path(file)));
    }
}
