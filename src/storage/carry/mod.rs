//! Carries the files of a torrent to another place: another folder, other names, or both. So a move and a rename are
//! the same thing.
//!
//! Floor 3. Only the torrent's files are carried, one by one: other files of the user, and other torrents that use the
//! same folder, stay; so do files that [another program](others) put over the torrent's. Nothing is overwritten, and no
//! link is followed ([`sys::beneath`](crate::sys::beneath)).
//!
//! ```text
//!   survey --> copy (only to another device) --> give names --> [check] --> finish
//!     |             |                                |             |
//!     +-------------+--------------------------------+-------------+--> undo: all is where it was
//! ```
//!
//! * *On the same device* a file is renamed, which takes no space and hardly any time.
//! * *On another device* each file is copied into a hidden folder at the target ([`staging`]), holes left out, and
//!   synced. When all copies are complete, they get their names. The old files are removed last of all.
//! * *The rule for `kill -9` and power cuts:* at each moment each file is whole in one of the two places. A
//!   [`Journal`](super::resume::journal::Journal) says that a move is under way, and whether its copies are complete.
//!   The next run finds it when the torrent is added with its old place, and carries on; what was carried before is
//!   hashed again. Without resume states there is no journal: then the torrent must be added with the place that has
//!   its files.

mod copying;
pub mod deleting;
pub mod others;

use super::Progress;
use super::content::{Content, part_file};
use super::error::{ContentError, Doing};
use crate::proto::id::InfoHash;
use crate::sys::beneath::{Folder, For};
use std::collections::BTreeSet;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;

/// The name of the hidden folder that holds the copies until all are complete, in the folder that they go to.
pub fn staging(info_hash: &InfoHash) -> String {
    format!(".{info_hash}.moving.swarmlet")
}

/// A file that is carried.
struct Item {
    /// Its number in the torrent. The part file has the number after the last.
    number: usize,
    from: String,
    to: String,
    length: u64,
    /// The bytes that it takes on the disk.
    takes: u64,
    /// Its stamp before it was carried.
    stamp: u64,
}

impl Item {
    /// Whether the old file is as it was before it was carried. On file systems elsewhere its times may arrive late.
    fn is_like(&self, old: &Content, now: &Metadata) -> bool {
        let is_same = !old.known.local || old.known.stamp(now) == self.stamp;
        is_same && now.len() == self.length
    }
}

/// From where files are carried, and to where.
#[derive(Clone, Copy)]
pub struct Way<'a> {
    /// The content where it was.
    pub old: &'a Content,
    /// The same content where it goes.
    pub new: &'a Content,
    /// For each file, whether it is [another program's](others): it stays.
    pub others: &'a [bool],
}

/// Files that were carried, until it is known whether they stay there.
#[derive(Default)]
pub struct Carried {
    /// Those that were renamed.
    renamed: Vec<Item>,
    /// Those whose copies have their names. The old ones exist.
    copied: Vec<Item>,
    /// The folders that were at the target before.
    were_there: BTreeSet<String>,
}

/// What an earlier try, which was interrupted, has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// There was none.
    Nothing,
    /// Some files may be at the target.
    Begun,
    /// And all copies are complete.
    Copied,
}

/// Carries the files. Nothing else writes to them meanwhile. `unchanged`: for each file, whether its verified pieces
/// are still right; a file that others change meanwhile is struck out. `copied` is called when all copies are complete.
/// If this fails, all is where it was.
pub fn carry(
    way: Way,
    before: Before,
    unchanged: &mut [bool],
    copied: &dyn Fn() -> io::Result<()>,
    progress: &Progress,
) -> Result<Carried, ContentError> {
    let mut carried = Carried::default();
    let done = carried.carry(way, before, unchanged, copied, progress);
    done.inspect_err(|_| carried.undo(way)).map(|()| carried)
}

impl Carried {
    fn carry(
        &mut self,
        way: Way,
        before: Before,
        unchanged: &mut [bool],
        copied: &dyn Fn() -> io::Result<()>,
        progress: &Progress,
    ) -> Result<(), ContentError> {
        if before == Before::Copied {
            self.copied = way.go_on_placing()?;
        }
        way.clear_staging();
        let mut placed = BTreeSet::new();
        placed.extend(self.copied.iter().map(|item| item.number));
        let (near, far) = way.survey(&placed)?;
        self.were_there = way.folders_at_target(near.iter().chain(&far));
        if !far.is_empty() {
            way.copy(&far, unchanged, progress)?;
            copied().map_err(|error| way.error(&way.new.root(), error))?;
        }
        for item in near {
            if progress.is_stopped() {
                return Err(way.error(&item.to, io::Error::other("it was stopped")));
            }
            let renamed = way.old.folder().rename(&item.from, way.new.folder(), &item.to);
            renamed.map_err(|error| way.error(&item.to, error))?;
            self.renamed.push(item);
        }
        for item in far {
            way.place(&item)?;
            self.copied.push(item);
        }
        Ok(())
    }

    /// Everything is in its new place, and was checked: the old copies are removed. Returns what could not be removed.
    pub fn finish(self, way: Way) -> Vec<String> {
        let (old, new) = (way.old.folder(), way.new.folder());
        let mut folders = BTreeSet::new();
        folders.extend(self.copied.iter().filter_map(|item| Some(item.to.rsplit_once('/')?.0)));
        let mut synced = folders.into_iter().chain([""]).map(|folder| new.sync(folder));
        if let Some(error) = synced.find_map(Result::err).filter(|_| !self.copied.is_empty()) {
            let dir = way.old.dir.display();
            return vec![format!("the old files in {dir} stay, because the new ones may not be on the disk: {error}")];
        }
        let mut left = Vec::new();
        for item in &self.copied {
            let removed = match old.file(&item.from, For::Reading).and_then(|file| file.metadata()) {
                Ok(now) if !item.is_like(way.old, &now) => {
                    Err(io::Error::other("another program changed it meanwhile"))
                }
                Ok(_) => old.remove(&item.from),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                Err(error) => Err(error),
            };
            if let Err(error) = removed {
                left.push(format!("can't remove {}: {error}", way.old.dir.join(&item.from).display()));
            }
        }
        remove_empty_folders(old, self.items().map(|item| &*item.from), &BTreeSet::new());
        way.clear_staging();
        left
    }

    /// Puts everything back.
    pub fn undo(&self, way: Way) {
        let (old, new) = (way.old.folder(), way.new.folder());
        let stays = |item: &Item, error| log::error!("{} stays in {}: {error}", item.to, way.new.dir.display());
        for item in self.renamed.iter().rev() {
            let _ = new.rename(&item.to, old, &item.from).inspect_err(|error| stays(item, error.to_string()));
        }
        // The copy is removed only if there is something that it is a copy of.
        for item in self.copied.iter().filter(|item| matches!(old.regular(&item.from), Ok(Some(_)))) {
            let _ = new.remove(&item.to).inspect_err(|error| stays(item, error.to_string()));
        }
        way.clear_staging();
        remove_empty_folders(new, self.items().map(|item| &*item.to), &self.were_there);
    }

    fn items(&self) -> impl Iterator<Item = &Item> {
        self.copied.iter().chain(&self.renamed)
    }
}

impl Way<'_> {
    /// Finds the files that are to be carried, except those that are `placed`: those that can be renamed, and those
    /// that must be copied.
    fn survey(&self, placed: &BTreeSet<usize>) -> Result<(Vec<Item>, Vec<Item>), ContentError> {
        let (mut near, mut far) = (Vec::new(), Vec::new());
        let same_folder = self.old.folder().identity() == self.new.folder().identity();
        let files = self.old.metainfo.files.len();
        let paths = self.paths().filter(|(number, ..)| !placed.contains(number) && !self.stays(*number));
        for (number, from, to) in paths {
            let found = match self.old.folder().file(&from, For::Reading).and_then(|file| file.metadata()) {
                Ok(found) => found,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(self.old.error(Doing::Moving, &from, error)),
            };
            if same_folder && from == to {
                continue;
            }
            if self.new.folder().is_taken(&to).map_err(|error| self.error(&to, error))? {
                let words = "there is another file of this name; swarmlet does not overwrite it";
                return Err(self.error(&to, io::Error::new(io::ErrorKind::AlreadyExists, words)));
            }
            let is_part = number == files;
            let device = if is_part { self.new.folder().identity().0 } else { self.new.device() };
            // `st_blocks` is in units of 512 bytes, whatever the file system's own are (stat(2)).
            let (takes, stamp) = (found.blocks() * 512, self.old.known.stamp(&found));
            let item = Item { number, from, to, length: found.len(), takes, stamp };
            if found.dev() == device { near.push(item) } else { far.push(item) }
        }
        Ok((near, far))
    }

    /// Whether a file is another program's.
    fn stays(&self, number: usize) -> bool {
        self.others.get(number).is_some_and(|is_of_others| *is_of_others)
    }

    /// The folders of these files at the target that exist already.
    fn folders_at_target<'a>(&self, items: impl Iterator<Item = &'a Item>) -> BTreeSet<String> {
        let folders = folders_of(items.map(|item| &*item.to));
        folders.into_iter().filter(|path| self.new.folder().is_taken(path).unwrap_or(true)).map(String::from).collect()
    }

    /// All files that may exist: their numbers, where they are and where they go.
    fn paths(&self) -> impl Iterator<Item = (usize, String, String)> + use<'_> {
        let (old, new) = (self.old, self.new);
        let part = part_file::name(&old.metainfo.info_hash);
        let files = old.metainfo.files.iter().enumerate().filter(|(_, entry)| !entry.padding);
        let files = files.map(|(number, _)| (number, old.path(number), new.path(number)));
        files.chain(std::iter::once((old.metainfo.files.len(), part.clone(), part)))
    }

    fn error(&self, path: &str, error: io::Error) -> ContentError {
        self.new.error(Doing::Moving, path, error)
    }
}

/// The folders of these files, and those above them.
fn folders_of<'a>(files: impl Iterator<Item = &'a str>) -> BTreeSet<&'a str> {
    let mut folders = BTreeSet::new();
    for mut path in files {
        while let Some((above, _)) = path.rsplit_once('/') {
            if !folders.insert(above) {
                break;
            }
            path = above;
        }
    }
    folders
}

/// Removes the folders in which these files were, as far as they are empty. Those in `kept` stay.
fn remove_empty_folders<'a>(folder: &Folder, files: impl Iterator<Item = &'a str>, kept: &BTreeSet<String>) {
    // A folder comes after the one that it is in.
    folders_of(files).into_iter().rev().filter(|path| !kept.contains(*path)).for_each(|path| {
        folder.remove_empty(path);
    });
}

#[cfg(test)]
mod tests;
