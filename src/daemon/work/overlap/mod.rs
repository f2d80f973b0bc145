//! Two torrents must not write the same file: each would take what the other one wrote for damage.
//!
//! Floor 4, part of the [loop](super). A torrent holds the places of its content: where it is, where it goes when it is
//! complete, and where it is moved to. A new place is compared with those at it, above it and below it, and not with
//! all, because there may be thousands. Many torrents have one name, and few of them the same files, so the files
//! decide.

pub mod portable;

use super::Daemon;
use crate::base::path::{first_shared, for_terminal};
use crate::daemon::record::Record;
use crate::daemon::rpc::Failure;
use crate::daemon::state::kept::Kept;
use crate::proto::metainfo::Metainfo;
use crate::storage::content::renamed::Renamed;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The places of the content of all torrents, each with the number of its torrent.
#[derive(Default)]
pub struct Places(BTreeSet<(Arc<Path>, u32)>);

impl Places {
    /// A torrent that was at the places `before` is at those of `now`.
    pub fn change(&mut self, id: u32, before: &[Arc<Path>], now: &[Arc<Path>]) {
        for place in before {
            self.0.remove(&(Arc::clone(place), id));
        }
        self.0.extend(now.iter().map(|place| (Arc::clone(place), id)));
    }

    /// The torrents that have a place at this one, above it or below it.
    fn near(&self, place: &Path) -> BTreeSet<u32> {
        let from = |place: &Path| self.0.range((Arc::from(place), 0)..);
        let at = |place: &Path| {
            let here = from(place).take_while(|(other, _)| **other == *place);
            here.map(|(_, id)| *id).collect::<Vec<u32>>()
        };
        // The order of paths is that of their parts, so those below follow.
        let below = from(place).take_while(|(other, _)| other.starts_with(place)).map(|(_, id)| *id);
        place.ancestors().skip(1).flat_map(at).chain(below).collect()
    }
}

/// The folders in which a torrent has its content, or will have it.
fn dirs<'a>(record: &'a Record, kept: &'a Kept) -> Vec<&'a str> {
    let dir = &*record.download_dir;
    // Of a link nothing is there yet. If the folder is lost, nothing is written before somebody names it.
    let is_placed = kept.link.is_none() && !kept.is_lost;
    let to = kept.moving.as_ref().map(|moving| &*moving.0);
    let dirs = [Some(dir), kept.at.as_deref(), to].into_iter().flatten().filter(|_| is_placed);
    let mut each_once = BTreeSet::new();
    each_once.extend(dirs);
    each_once.into_iter().collect()
}

/// The paths on the disk of all files, in each of these folders.
fn paths<'a>(metainfo: &'a Metainfo, renamed: &'a Renamed, dirs: &'a [&str]) -> impl Iterator<Item = Cow<'a, str>> {
    let files = || metainfo.files.iter().filter(|file| !file.padding);
    dirs.iter().flat_map(move |dir| {
        files().map(move |file| {
            // They came from texts.
            let path = Path::new(dir).join(&*renamed.path(&file.path()));
            path.components().collect::<PathBuf>().to_string_lossy().into_owned().into()
        })
    })
}

impl Daemon {
    /// The places of a torrent have changed.
    pub(super) fn place(&mut self, id: u32) {
        let (Some(record), Some(known)) = (self.records.get(id), self.known.get_mut(&id)) else { return };
        let place = |dir: &str| Path::new(dir).join(&*record.about.name).into();
        let now: Box<[Arc<Path>]> = dirs(record, &known.kept).into_iter().map(place).collect();
        self.places.change(id, &known.places, &now);
        known.places = now;
    }

    /// Why a torrent can't have its content in `dirs`, with these names on the disk: another one has one of its files.
    /// `id`: its number, if it has one already.
    pub(super) fn overlap(
        &self,
        id: Option<u32>,
        metainfo: &Metainfo,
        names: &[(PathBuf, String)],
        dirs_of_it: &[&str],
    ) -> Result<(), String> {
        let renamed = Renamed::new(names, metainfo);
        // If a name can't be used, the engine says so.
        let Ok(renamed) = renamed else { return Ok(()) };
        let root = renamed.path(&metainfo.name);
        let near = dirs_of_it.iter().flat_map(|dir| self.places.near(&Path::new(dir).join(&*root)));
        let mut others = BTreeSet::new();
        others.extend(near.filter(|other| Some(*other) != id));
        for other in others {
            let listed = self.records.get(other).zip(self.known.get(&other));
            // What is being deleted is there until that is done.
            let mut leaving = self.leaving.values().filter(|(record, _)| record.id == other);
            let leaving = || leaving.next().map(|(record, known)| (&**record, known));
            let Some((record, known)) = listed.or_else(leaving) else { continue };
            // A torrent that can't be read writes nothing.
            let Some(theirs) = self.metainfo(record) else { continue };
            let Ok(names) = Renamed::new(&known.kept.renamed, &theirs) else { continue };
            let dirs = dirs(record, &known.kept);
            let theirs: BTreeSet<Cow<str>> = paths(&theirs, &names, &dirs).collect();
            if let Some(path) = first_shared(paths(metainfo, &renamed, dirs_of_it), &theirs) {
                return Err(format!(
                    "{} is a file of the torrent {} too, and each would damage it for the other: choose another folder",
                    for_terminal(&path),
                    for_terminal(&record.about.name)
                ));
            }
        }
        Ok(())
    }

    /// The same for a torrent that is about to be added.
    pub(super) fn overlap_of_new(&self, record: &Record, kept: &Kept, metainfo: &Metainfo) -> Result<(), Failure> {
        self.overlap(None, metainfo, &kept.renamed, &dirs(record, kept)).map_err(Failure::params)
    }

    /// The same for a torrent that is known and is to have its content in the folder `to`, or goes on where it is.
    pub(super) fn overlap_of(&self, id: u32, to: Option<&str>) -> Result<(), Failure> {
        let (Some(record), Some(known)) = (self.records.get(id), self.known.get(&id)) else { return Ok(()) };
        let dirs = to.map_or_else(|| dirs(record, &known.kept), |to| vec![to]);
        if !dirs.iter().any(|dir| self.is_near_another(id, dir, &record.about.name)) {
            return Ok(());
        }
        let Some(metainfo) = self.metainfo(record) else { return Ok(()) };
        self.overlap(Some(id), &metainfo, &known.kept.renamed, &dirs).map_err(Failure::params)
    }

    /// The same for a torrent of which a file or folder is to have another name.
    pub(super) fn overlap_of_name(&self, id: u32, path: &str, name: &str) -> Result<(), Failure> {
        let (Some(record), Some(known)) = (self.records.get(id), self.known.get(&id)) else { return Ok(()) };
        let kept = &known.kept;
        let Some(metainfo) = self.metainfo(record) else { return Ok(()) };
        let names = Renamed::new(&kept.renamed, &metainfo);
        // If the name can't be used, the engine says so.
        let Ok(names) = names.and_then(|names| names.with(&metainfo, Path::new(path), name)) else { return Ok(()) };
        self.overlap(Some(id), &metainfo, &names.list(), &dirs(record, kept)).map_err(Failure::params)
    }

    /// Whether the content of another torrent is near. Then the files of both have to be read.
    fn is_near_another(&self, id: u32, dir: &str, name: &str) -> bool {
        self.places.near(&Path::new(dir).join(name)).iter().any(|other| *other != id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_at_above_and_below_are_near() {
        let mut places = Places::default();
        let path = |path: &str| -> Arc<Path> { Path::new(path).into() };
        for (id, place) in [(1, "/srv/a"), (2, "/srv/a/b/c"), (3, "/srv/a b"), (4, "/srv/a"), (5, "/srv"), (6, "/x")] {
            places.change(id, &[], &[path(place)]);
        }
        let near = |places: &Places, place: &str| places.near(Path::new(place)).into_iter().collect::<Vec<_>>();
        assert_eq!(near(&places, "/srv/a"), [1, 2, 4, 5]);
        assert_eq!(near(&places, "/srv/a/b"), [1, 2, 4, 5]);
        assert_eq!(near(&places, "/srv/b"), [5]);
        assert!(near(&places, "/y").is_empty());
        places.change(4, &[path("/srv/a")], &[path("/y"), path("/z")]);
        places.change(5, &[path("/srv")], &[]);
        assert_eq!((near(&places, "/srv/a"), near(&places, "/y/n")), (vec![1, 2], vec![4]));
    }
}
