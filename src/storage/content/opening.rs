//! Opens content, for the first time or again, where it was or elsewhere; and the paths of its files.
//!
//! Floor 3, a part of [`content`](super).

use super::cache::FileCache;
use super::known_files::KnownFiles;
use super::renamed::{OnDisk, Renamed};
use super::{Content, Mark};
use crate::proto::metainfo::{About, Metainfo};
use crate::storage::error::{ContentError, Doing};
use crate::storage::health::Health;
use crate::storage::{Duty, TorrentId};
use crate::sys::beneath::Folder;
use std::borrow::Cow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, OnceLock, RwLock};

/// Where content is: a folder, and the names that are not those of the torrent.
pub struct Place {
    dir: Arc<Path>,
    folder: Arc<Folder>,
    renamed: Renamed,
}

impl Place {
    /// Opens the folder `dir`, which must exist.
    pub fn open(files: &FileCache, dir: &Path, renamed: Renamed) -> Result<Place, ContentError> {
        let opened = files.folder(dir);
        let (dir, folder) =
            opened.map_err(|error| ContentError { doing: Doing::Reading, path: dir.to_path_buf(), error })?;
        Ok(Place { dir, folder, renamed })
    }
}

impl Content {
    /// Opens the content of `metainfo` in `dir`, which must exist. Nothing is created yet.
    pub fn open(
        torrent: TorrentId,
        metainfo: Box<Metainfo>,
        dir: &Path,
        files: Arc<FileCache>,
        preallocate: bool,
    ) -> Result<Content, ContentError> {
        let place = Place::open(&files, dir, Renamed::default())?;
        Ok(Content::open_in(torrent, metainfo, place, files, preallocate))
    }

    /// Opens the content of `metainfo` in a place. Nothing is created yet.
    pub fn open_in(
        torrent: TorrentId,
        mut metainfo: Box<Metainfo>,
        place: Place,
        files: Arc<FileCache>,
        preallocate: bool,
    ) -> Content {
        // Of what the torrent says besides, only the web seeds are needed.
        let web_seeds = std::mem::take(&mut metainfo.about_mut().web_seeds);
        metainfo.about = About { web_seeds, ..About::default() }.boxed();
        let Place { dir, folder, renamed } = place;
        // The torrent's own file or folder may be a mount point.
        let root = renamed.path(&metainfo.name);
        let device = folder.identity_of(&root).map_or(folder.identity().0, |(device, _)| device);
        let has_padding = metainfo.files.iter().any(|entry| entry.padding);
        Content {
            torrent,
            dir,
            known: KnownFiles::new(metainfo.files.len(), folder.kind().ok()),
            folder,
            key: files.key(device),
            files,
            preallocate,
            health: Health::default(),
            choice: RwLock::default(),
            parts: OnceLock::new(),
            marks: metainfo.files.iter().map(|_| AtomicU8::new(0)).collect(),
            warn: Arc::new(|_, _| ()),
            told_of_name: AtomicBool::new(false),
            overwrite: false,
            before: None,
            has_padding,
            duty: Duty::Fetch,
            description: None,
            verified: None,
            renamed,
            metainfo,
        }
    }

    /// Opens the same content again: its folder may be a different one by now.
    pub fn open_again(&self) -> Result<Content, ContentError> {
        let place = Place::open(&self.files, &self.dir, self.renamed.clone())?;
        Ok(self.open_at(place, true))
    }

    /// The place with this folder and these names.
    pub fn place(&self, dir: &Path, renamed: Renamed) -> Result<Place, ContentError> {
        Place::open(&self.files, dir, renamed)
    }

    /// Whether a place is where the content is, perhaps by another path.
    pub fn is_at(&self, place: &Place) -> bool {
        self.folder.identity() == place.folder.identity() && self.renamed == place.renamed
    }

    /// Whether two contents are in one folder, perhaps by two paths.
    pub fn shares_folder(&self, other: &Content) -> bool {
        self.folder.identity() == other.folder.identity()
    }

    /// Opens the same torrent's content in another place. `same`: these are the same files, so what is known of them
    /// still holds.
    pub fn open_at(&self, place: Place, same: bool) -> Content {
        self.files.forget_all(self.key);
        let files = Arc::clone(&self.files);
        let mut opened = Content::open_in(self.torrent, self.metainfo.clone(), place, files, self.preallocate);
        // What was in doubt once is not trusted any more.
        opened.duty = if self.duty == Duty::Trust { Duty::Serve } else { self.duty };
        (opened.overwrite, opened.before) = (self.overwrite, self.before);
        opened.description = self.description.clone();
        opened.told_of_name = AtomicBool::new(self.told_of_name.load(Ordering::Relaxed));
        // Another folder is not vacant where this one is. swarmlet is not making what it has not begun.
        let vacant = if self.shares_folder(&opened) { Mark::Vacant as u8 } else { 0 };
        let kept = |marks: &AtomicU8| match marks.load(Ordering::Relaxed) {
            marks if marks & Mark::Vacant as u8 != 0 => marks & vacant,
            marks => marks & (Mark::Making as u8 | Mark::Changed as u8 | Mark::Finished as u8),
        };
        if same {
            opened.marks = self.marks.iter().map(|marks| kept(marks).into()).collect();
        }
        opened.choose(self.choice())
    }

    /// The path of a file on the disk, within the folder [`dir`](Content::dir).
    pub fn path(&self, file: usize) -> String {
        self.on_disk(file).to_string()
    }

    /// The same, made when it is needed.
    pub(super) fn on_disk(&self, file: usize) -> OnDisk<'_> {
        OnDisk { entry: self.metainfo.files.at(file), renamed: &self.renamed }
    }

    /// The name of the torrent's file or folder on the disk.
    pub fn root(&self) -> Cow<'_, str> {
        self.renamed.path(&self.metainfo.name)
    }

    /// The path of the folder with all links resolved.
    pub fn real_dir(&self) -> Arc<[u8]> {
        self.folder.real(&self.dir)
    }

    /// Closes the files. A file is opened again when it is needed.
    pub fn close_files(&self) {
        self.files.forget_all(self.key);
    }
}
