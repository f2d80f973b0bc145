//! Tests of carrying and of deleting, on one device and between two.

mod theirs;

use super::deleting::delete;
use super::others::others;
use super::*;
use crate::proto::choice::{Choice, Priority};
use crate::proto::metainfo::Metainfo;
use crate::proto::peer::bitfield::Bitfield;
use crate::storage::TorrentId;
use crate::storage::check::{CheckedContent, Trust, begin};
use crate::storage::content::renamed::Renamed;
use crate::storage::testkit::{part, torrent};
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

const PIECE: usize = 1 << 14;
/// Lengths of the files: two share a piece, one is longer than a copy's buffer, one is empty.
const FILES: [(usize, bool); 4] = [(100, false), (40 * PIECE, false), (0, false), (777, false)];

/// A folder on another device than [`tempfile::tempdir`]'s.
fn far() -> TempDir {
    let far = tempfile::tempdir_in("/dev/shm").unwrap();
    let near = tempfile::tempdir().unwrap();
    let device = |dir: &TempDir| fs::metadata(dir.path()).unwrap().dev();
    assert_ne!(device(&far), device(&near), "/dev/shm is to be another device than {}", near.path().display());
    far
}

struct Stage {
    metainfo: Metainfo,
    bytes: Vec<u8>,
    near: TempDir,
}

impl Stage {
    /// All files are there, and one that is not the torrent's.
    fn new() -> Stage {
        let (metainfo, bytes) = torrent(0, &FILES, PIECE, &[]);
        let stage = Stage { metainfo, bytes, near: tempfile::tempdir().unwrap() };
        for file in 0..FILES.len() {
            let path = stage.path(stage.near.path(), file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, part(&stage.metainfo, &stage.bytes, file)).unwrap();
        }
        fs::write(stage.near.path().join("whole/mine"), "mine").unwrap();
        stage
    }

    fn path(&self, dir: &Path, file: usize) -> PathBuf {
        dir.join(self.metainfo.files.at(file).path())
    }

    fn open(&self, dir: &Path) -> Content {
        let content = Content::open(TorrentId(0), self.metainfo.clone().into(), dir, Arc::default(), false);
        content.unwrap().choose(None)
    }

    fn check(&self, content: Content, trust: Trust) -> CheckedContent {
        let checked = begin(content, None, trust, Arc::new(|_, text| panic!("{text}")), &Progress::default());
        checked.map_err(|(error, _)| error).unwrap()
    }

    /// The content, checked.
    fn old(&self) -> Arc<Content> {
        let found = self.check(self.open(self.near.path()), Trust::State);
        assert!(found.have.is_full());
        found.content
    }

    /// Where `old` goes.
    fn at(&self, old: &Content, dir: &Path) -> Content {
        old.open_at(old.place(dir, old.renamed.clone()).unwrap(), true)
    }

    fn has_all(&self, dir: &Path) -> bool {
        (0..FILES.len()).all(|file| {
            fs::read(self.path(dir, file)).is_ok_and(|found| found == part(&self.metainfo, &self.bytes, file))
        })
    }

    /// Nothing of the torrent is in `dir`, not even a hidden folder.
    fn has_nothing(&self, dir: &Path) -> bool {
        fs::read_dir(dir).unwrap().next().is_none()
    }
}

fn carry_all(way: Way, before: Before, progress: &Progress) -> Result<(Carried, Vec<bool>), ContentError> {
    let mut unchanged = way.old.unchanged();
    carry(way, before, &mut unchanged, &|| Ok(()), progress).map(|carried| (carried, unchanged))
}

/// A choice of the four files.
fn chosen(stage: &Stage, wanted: [bool; 4]) -> Option<Arc<Choice>> {
    let priority = |wanted| if wanted { Priority::Normal } else { Priority::Skip };
    Choice::new(&stage.metainfo, wanted.map(priority).to_vec()).map(Arc::new)
}

#[test]
fn only_the_files_of_the_torrent_are_moved_and_nothing_is_hashed_again() {
    for to in [tempfile::tempdir().unwrap(), far()] {
        let stage = Stage::new();
        fs::write(stage.path(stage.near.path(), 1), part(&stage.metainfo, &stage.bytes, 1)).unwrap();
        let old = stage.old();
        let new = stage.at(&old, to.path());
        let modified = fs::metadata(stage.path(stage.near.path(), 1)).unwrap().modified().unwrap();
        let progress = Progress::default();
        let way = Way { old: &old, new: &new, others: &[] };
        let (carried, unchanged) = carry_all(way, Before::Nothing, &progress).unwrap();
        let is_copied = !carried.copied.is_empty();
        assert_eq!(is_copied, stage.has_all(stage.near.path()), "copies come before removals");
        assert_eq!(progress.pieces() > 0, is_copied);
        assert_eq!(carried.finish(way), Vec::<String>::new());
        assert!(stage.has_all(to.path()));
        assert_eq!(fs::metadata(stage.path(to.path(), 1)).unwrap().modified().unwrap(), modified);
        let left: Vec<_> = walk(stage.near.path());
        assert_eq!(left, [stage.near.path().join("whole/mine")]);
        let have = Bitfield::full(stage.metainfo.piece_count());
        let found = stage.check(new, Trust::Carried { have, unchanged });
        assert_eq!((found.have.is_full(), found.hashed_bytes), (true, 0));
        assert_eq!(fs::read_dir(to.path()).unwrap().count(), 1, "no hidden folder is left");
    }
}

/// All files beneath a folder.
fn walk(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[test]
fn a_file_that_others_changed_is_not_trusted() {
    let stage = Stage::new();
    let (old, to) = (stage.old(), tempfile::tempdir().unwrap());
    let changed = fs::File::options().write(true).open(stage.path(stage.near.path(), 1)).unwrap();
    changed.set_modified(SystemTime::now() + Duration::from_secs(9)).unwrap();
    let new = stage.at(&old, to.path());
    let way = Way { old: &old, new: &new, others: &[] };
    let (carried, unchanged) = carry_all(way, Before::Nothing, &Progress::default()).unwrap();
    assert_eq!(unchanged, [true, false, true, true]);
    carried.finish(way);
    let have = Bitfield::full(stage.metainfo.piece_count());
    let found = stage.check(new, Trust::Carried { have, unchanged });
    assert!(found.have.is_full() && found.hashed_bytes > 0);
}

#[test]
fn nothing_is_overwritten_and_everything_stays_where_it_was() {
    for to in [tempfile::tempdir().unwrap(), far()] {
        let stage = Stage::new();
        let (old, theirs) = (stage.old(), stage.path(to.path(), 3));
        fs::create_dir_all(theirs.parent().unwrap()).unwrap();
        fs::write(&theirs, "a user's own").unwrap();
        let new = stage.at(&old, to.path());
        let way = Way { old: &old, new: &new, others: &[] };
        let error = carry_all(way, Before::Nothing, &Progress::default()).map(drop).unwrap_err().to_string();
        assert!(error.starts_with("can't move ") && error.contains("does not overwrite"), "{error}");
        assert_eq!((walk(to.path()), fs::read(&theirs).unwrap()), (vec![theirs.clone()], b"a user's own".to_vec()));
        assert!(stage.has_all(stage.near.path()));
        // The same if the last step is undone.
        fs::remove_file(&theirs).unwrap();
        let (carried, _) = carry_all(way, Before::Nothing, &Progress::default()).unwrap();
        carried.undo(way);
        assert!(stage.has_all(stage.near.path()) && walk(to.path()).is_empty());
    }
}

#[test]
fn no_link_is_followed() {
    for to in [tempfile::tempdir().unwrap(), far()] {
        let (stage, outside) = (Stage::new(), tempfile::tempdir().unwrap());
        let old = stage.old();
        symlink(outside.path(), to.path().join("whole")).unwrap();
        let new = stage.at(&old, to.path());
        let way = Way { old: &old, new: &new, others: &[] };
        let error = carry_all(way, Before::Nothing, &Progress::default()).map(drop).unwrap_err().to_string();
        assert!(error.contains("symbolic link"), "{error}");
        assert!(stage.has_nothing(outside.path()) && stage.has_all(stage.near.path()));
        // A link in the place of a file of ours.
        fs::remove_file(to.path().join("whole")).unwrap();
        fs::write(outside.path().join("secret"), "x").unwrap();
        fs::remove_file(stage.path(stage.near.path(), 0)).unwrap();
        symlink(outside.path().join("secret"), stage.path(stage.near.path(), 0)).unwrap();
        assert!(carry_all(way, Before::Nothing, &Progress::default()).is_err());
        assert!(stage.has_nothing(to.path()));
    }
}

#[test]
fn a_copy_can_be_stopped_and_keeps_its_holes() {
    let (stage, to) = (Stage::new(), far());
    let old = stage.old();
    let new = stage.at(&old, to.path());
    let way = Way { old: &old, new: &new, others: &[] };
    let progress = Progress::default();
    progress.stop();
    assert!(carry_all(way, Before::Nothing, &progress).is_err());
    assert!(stage.has_all(stage.near.path()) && stage.has_nothing(to.path()));
    let holes = stage.path(stage.near.path(), 1);
    fs::remove_file(&holes).unwrap();
    fs::File::create(&holes).unwrap().set_len(40 * PIECE as u64).unwrap();
    let (carried, _) = carry_all(way, Before::Nothing, &Progress::default()).unwrap();
    carried.finish(way);
    let copy = fs::metadata(stage.path(to.path(), 1)).unwrap();
    assert_eq!((copy.len(), copy.blocks()), (40 * PIECE as u64, 0));
}

/// What `kill -9` leaves: a part of the copies in the hidden folder; or all of them, some with their names, some of the
/// old files removed.
#[test]
fn an_interrupted_move_goes_on() {
    let (stage, to) = (Stage::new(), far());
    let old = stage.old();
    let new = stage.at(&old, to.path());
    let way = Way { old: &old, new: &new, others: &[] };
    let hidden = to.path().join(staging(&stage.metainfo.info_hash));
    fs::create_dir(&hidden).unwrap();
    fs::write(hidden.join("0"), "torn").unwrap();
    let (carried, _) = carry_all(way, Before::Begun, &Progress::default()).unwrap();
    assert!(stage.has_all(to.path()));
    carried.undo(way);
    assert!(stage.has_nothing(to.path()));
    // The first file has its name, and its old one is removed; the second has its name; the others have none yet.
    fs::create_dir(&hidden).unwrap();
    for file in 0..FILES.len() {
        let (from, named) = (stage.path(stage.near.path(), file), stage.path(to.path(), file));
        fs::create_dir_all(named.parent().unwrap()).unwrap();
        fs::copy(&from, if file < 2 { named } else { hidden.join(file.to_string()) }).unwrap();
    }
    fs::remove_file(stage.path(stage.near.path(), 0)).unwrap();
    let (carried, _) = carry_all(way, Before::Copied, &Progress::default()).unwrap();
    assert!(stage.has_all(to.path()));
    carried.finish(way);
    assert_eq!(walk(stage.near.path()), [stage.near.path().join("whole/mine")]);
    // On one device: some files are there already.
    let (stage, to) = (Stage::new(), tempfile::tempdir().unwrap());
    let old = stage.old();
    let new = stage.at(&old, to.path());
    let way = Way { old: &old, new: &new, others: &[] };
    fs::create_dir_all(stage.path(to.path(), 0).parent().unwrap()).unwrap();
    fs::rename(stage.path(stage.near.path(), 0), stage.path(to.path(), 0)).unwrap();
    carry_all(way, Before::Begun, &Progress::default()).unwrap().0.finish(way);
    assert!(stage.has_all(to.path()));
}

#[test]
fn the_part_file_goes_along_and_names_change_on_the_disk() {
    for to in [tempfile::tempdir().unwrap(), far()] {
        let stage = Stage::new();
        let part = part_file::name(&stage.metainfo.info_hash);
        fs::write(stage.near.path().join(&part), "pieces").unwrap();
        let choice = chosen(&stage, [true, false, true, true]);
        let old = stage.open(stage.near.path()).choose(choice);
        let renamed = old.renamed.with(&stage.metainfo, Path::new("whole/folder 0"), "zero").unwrap();
        let new = old.open_at(old.place(to.path(), renamed).unwrap(), true);
        let way = Way { old: &old, new: &new, others: &[] };
        carry_all(way, Before::Nothing, &Progress::default()).unwrap().0.finish(way);
        assert_eq!(fs::read(to.path().join(&part)).unwrap(), b"pieces");
        assert!(to.path().join("whole/zero/0").is_file() && !stage.near.path().join("whole/folder 0").exists());
        // In the same folder only the names change.
        let all = new.renamed.with(&stage.metainfo, Path::new("whole"), "all").unwrap();
        let last = new.open_at(new.place(to.path(), all).unwrap(), true);
        let way = Way { old: &new, new: &last, others: &[] };
        carry_all(way, Before::Nothing, &Progress::default()).unwrap().0.finish(way);
        assert!(to.path().join("all/zero/0").is_file() && !to.path().join("whole").exists());
        assert_eq!(last.open_again().unwrap().path(0), "all/zero/0");
        assert_eq!(last.renamed, Renamed::new(&last.renamed.list(), &stage.metainfo).unwrap());
    }
}

#[test]
fn only_the_files_of_the_torrent_are_deleted() {
    let (stage, outside) = (Stage::new(), tempfile::tempdir().unwrap());
    let old = stage.old();
    // A file that is not wanted and has no verified piece may be a user's own.
    let choice = chosen(&stage, [true, true, true, false]);
    let content = stage.open(stage.near.path()).choose(choice);
    let mut have = Bitfield::full(stage.metainfo.piece_count());
    stage.metainfo.pieces_of(stage.metainfo.files.at(3)).for_each(|piece| {
        have.clear(piece);
    });
    fs::write(outside.path().join("secret"), "x").unwrap();
    fs::remove_file(stage.path(stage.near.path(), 0)).unwrap();
    symlink(outside.path().join("secret"), stage.path(stage.near.path(), 0)).unwrap();
    fs::write(stage.near.path().join(part_file::name(&stage.metainfo.info_hash)), "pieces").unwrap();
    let told = delete(&content, Some(&have), None, &Progress::default());
    assert!(told.len() == 1 && told[0].contains("whole/folder 0/0 was not deleted"), "{told:?}");
    let mut left = walk(stage.near.path());
    left.sort();
    let link = stage.path(stage.near.path(), 0);
    assert_eq!(left, [link.clone(), stage.path(stage.near.path(), 3), stage.near.path().join("whole/mine")]);
    assert_eq!(walk(outside.path()).len(), 1);
    fs::remove_file(link).unwrap();
    fs::remove_file(stage.near.path().join("whole/mine")).unwrap();
    assert_eq!(delete(&old, Some(&Bitfield::full(have.len())), None, &Progress::default()), Vec::<String>::new());
    assert!(stage.has_nothing(stage.near.path()));
    // What came after the check to a vacant place is another program's.
    let stage = Stage::new();
    let later = stage.path(stage.near.path(), 3);
    fs::remove_file(&later).unwrap();
    let found = stage.check(stage.open(stage.near.path()), Trust::State);
    fs::write(&later, "a user's own").unwrap();
    assert!(!found.have.is_full());
    delete(&found.content, Some(&Bitfield::new(found.have.len())), None, &Progress::default());
    assert_eq!(fs::read(&later).unwrap(), b"a user's own");
    assert!(!stage.path(stage.near.path(), 1).exists());
    // Content that was never checked may be the user's.
    let stage = Stage::new();
    let told = delete(&stage.open(stage.near.path()), None, None, &Progress::default());
    assert!(told[0].ends_with("nothing shows that it is of this torrent") && stage.has_all(stage.near.path()));
}

/// Another program's file in a vacant place, here or there.
#[test]
fn what_came_after_the_check_is_neither_carried_nor_taken_for_ours() {
    for to in [tempfile::tempdir().unwrap(), far()] {
        let stage = Stage::new();
        let [here, there] = [stage.near.path(), to.path()].map(|dir| stage.path(dir, 3));
        fs::remove_file(&here).unwrap();
        let CheckedContent { content: old, have, .. } = stage.check(stage.open(stage.near.path()), Trust::State);
        fs::write(&here, [b'x'; 777]).unwrap();
        fs::create_dir_all(there.parent().unwrap()).unwrap();
        fs::write(&there, [b'y'; 777]).unwrap();
        // The second time, it is known since a start that was refused.
        let refused = begin(old.open_again().unwrap(), None, Trust::State, Arc::new(|_, _| ()), &Progress::default());
        for old in [old, refused.map(drop).unwrap_err().1] {
            let new = stage.at(&old, to.path());
            let way = Way { old: &old, new: &new, others: &[] };
            let others = others(&old, Some(&have), None, false, &Progress::default());
            assert_eq!(others, [false, false, false, true]);
            let way = Way { others: &others, ..way };
            let (carried, unchanged) = carry_all(way, Before::Nothing, &Progress::default()).unwrap();
            assert!(!unchanged[3]);
            assert_eq!((fs::read(&here).unwrap(), fs::read(&there).unwrap()), (vec![b'x'; 777], vec![b'y'; 777]));
            let trust = Trust::Carried { have: Bitfield::new(stage.metainfo.piece_count()), unchanged };
            let new = stage.at(&old, to.path());
            let refused = begin(new, None, trust, Arc::new(|_, _| ()), &Progress::default()).map(drop);
            let (error, new) = refused.unwrap_err();
            assert!(error.path == there && error.to_string().contains("it is not of this torrent"), "{error}");
            carried.undo(Way { old: &old, new: &new, others: &[] });
            assert_eq!(walk(to.path()), std::slice::from_ref(&there));
            assert_eq!(fs::read(&here).unwrap(), [b'x'; 777]);
        }
    }
}
