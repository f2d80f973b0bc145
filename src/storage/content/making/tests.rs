//! Files that come to vacant places: swarmlet writes to none of them.

mod told;

use super::*;
use crate::base::rng::Rng;
use crate::proto::choice::{Choice, Priority};
use crate::proto::metainfo::Metainfo;
use crate::storage::check::{CheckedContent, Trust, begin, newly};
use crate::storage::resume::{Save, StateDir};
use crate::storage::testkit::{noise, torrent, write_blocks};
use crate::storage::{Progress, TorrentId};
use crate::sys::stamp::TICK;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

const BLOCK: usize = 1 << 14;
const PIECE: usize = 2 * BLOCK;
const LENGTH: usize = 3 * PIECE;

struct Stage {
    metainfo: Metainfo,
    bytes: Vec<u8>,
    dir: tempfile::TempDir,
    states: StateDir,
}

impl Stage {
    /// One file of three pieces of two blocks. Nothing is there.
    fn new() -> Stage {
        let (metainfo, bytes) = torrent(LENGTH, &[], PIECE, &[]);
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("content")).unwrap();
        let states = StateDir::open(&dir.path().join("states")).unwrap();
        Stage { metainfo, bytes, dir, states }
    }

    fn dir(&self) -> PathBuf {
        self.dir.path().join("content")
    }

    fn path(&self) -> PathBuf {
        self.dir().join("whole")
    }

    /// As the next run of the program opens it.
    fn open(&self) -> Content {
        Content::open(TorrentId(0), self.metainfo.clone().into(), &self.dir(), Arc::default(), false).unwrap()
    }

    fn begin(&self, content: Content, trust: Trust) -> Result<CheckedContent, Arc<Content>> {
        let warn = Arc::new(|_, warning| panic!("{warning}"));
        begin(content, Some(&self.states), trust, warn, &Progress::default()).map_err(|(error, content)| {
            assert!(error.to_string().contains("it is not of this torrent"), "{error}");
            content
        })
    }

    fn first(&self) -> CheckedContent {
        self.begin(self.open(), Trust::State).map_err(drop).unwrap()
    }

    fn write(&self, content: &Content, block: usize) -> Result<(), ContentError> {
        let at = block * BLOCK;
        write_blocks(content, at as u64, &[self.bytes[at..at + BLOCK].to_vec()])
    }

    /// Tries to start again and to verify, and expects that `mine` stays.
    fn is_refused_often(&self, mut content: Arc<Content>, mine: &[u8]) -> Arc<Content> {
        for trust in [Trust::State, Trust::State, Trust::Nothing, Trust::State] {
            let begun = self.begin(content.open_again().unwrap(), trust);
            content = begun.map(|_| "it is taken for the torrent's").unwrap_err();
            assert!(fs::read(self.path()).unwrap() == mine);
        }
        content
    }
}

/// As long as the torrent's file.
fn mine() -> Vec<u8> {
    noise(LENGTH, 77)
}

#[test]
fn a_file_that_comes_later_is_kept_at_every_start_and_verification() {
    let stage = Stage::new();
    let content = stage.first().content;
    fs::write(stage.path(), mine()).unwrap();
    let error = stage.write(&content, 0).unwrap_err().to_string();
    assert!(error.ends_with("another program made it meanwhile"), "{error}");
    let content = stage.is_refused_often(content, &mine());
    // Another path of the same folder changes nothing.
    let link = stage.dir.path().join("link");
    symlink(stage.dir(), &link).unwrap();
    let place = content.place(&link, content.renamed.clone()).unwrap();
    assert!(content.is_at(&place));
    let content = stage.begin(content.open_at(place, true), Trust::State).map(drop).unwrap_err();
    // In other folders other files may be swarmlet's.
    let elsewhere = content.place(stage.dir.path(), content.renamed.clone()).unwrap();
    assert!(!content.is_at(&elsewhere) && !content.open_at(elsewhere, true).is_vacant(0));
    // When it is gone, swarmlet makes the file, and it is swarmlet's.
    fs::remove_file(stage.path()).unwrap();
    let content = stage.begin(content.open_again().unwrap(), Trust::State).map_err(drop).unwrap().content;
    stage.write(&content, 0).unwrap();
    let content = stage.begin(content.open_again().unwrap(), Trust::Nothing).map_err(drop).unwrap().content;
    stage.write(&content, 1).unwrap();
}

#[test]
fn a_file_that_comes_later_is_used_if_it_is_of_the_torrent() {
    for had in [0, 1] {
        let stage = Stage::new();
        let content = stage.first().content;
        let put = if had == 0 { vec![0; LENGTH] } else { stage.bytes[..PIECE + 1].to_vec() };
        fs::write(stage.path(), put).unwrap();
        assert!(stage.write(&content, 2).is_err());
        let found = stage.begin(content.open_again().unwrap(), Trust::State).map_err(drop).unwrap();
        assert_eq!(found.have.count(), had);
        stage.write(&found.content, 2).unwrap();
        assert!(!found.content.is_vacant(0) && found.content.is_making(0));
    }
}

/// The state was saved when there was no file.
#[test]
fn after_a_kill_only_a_file_that_looks_begun_is_continued() {
    let mut rng = Rng::new(5);
    for (put, continued) in [(None, true), (Some(mine()), false)] {
        let stage = Stage::new();
        let content = stage.first().content;
        match &put {
            Some(mine) => fs::write(stage.path(), mine).unwrap(),
            None => (0..3).for_each(|piece| stage.write(&content, 2 * piece + rng.below(2)).unwrap()),
        }
        drop(content);
        match (stage.begin(stage.open(), Trust::State), put) {
            (Ok(found), _) => assert!(continued && found.have.is_empty()),
            (Err(content), put) => drop(stage.is_refused_often(content, &put.expect("swarmlet made it"))),
        }
        assert_eq!(stage.begin(stage.open(), Trust::State).is_ok(), continued, "the same in the next run");
    }
    // Nothing is made in a run that ends as it should: what comes then is never swarmlet's.
    let stage = Stage::new();
    let CheckedContent { content, known, have, .. } = stage.first();
    let save = Save { have, uploaded: 0, downloaded: 0, in_haste: true };
    let (name, bytes) = known.unwrap().take_in(&content, save).unwrap();
    stage.states.write(&name, &bytes, true).unwrap();
    stage.write(&content, 0).unwrap();
    assert!(stage.begin(stage.open(), Trust::State).is_err());
}

/// Once a state was saved that tells of the file, nothing depends on what it looks like.
#[test]
fn what_a_state_says_is_begun_is_continued() {
    let stage = Stage::new();
    let CheckedContent { content, known, have, .. } = stage.first();
    stage.write(&content, 0).unwrap();
    let save = Save { have, uploaded: 0, downloaded: 0, in_haste: false };
    let (name, bytes) = known.unwrap().take_in(&content, save).unwrap();
    stage.states.write(&name, &bytes, true).unwrap();
    // A piece that turned out to be corrupt lacks no block.
    fs::write(stage.path(), mine()).unwrap();
    drop(content);
    stage.first();
    // Another program replaced it between two runs.
    if mark::is_set(&File::open(stage.path()).unwrap()).is_none() {
        return println!("SKIPPED: this file system has no marks");
    }
    fs::remove_file(stage.path()).unwrap();
    fs::write(stage.path(), mine()).unwrap();
    let content = stage.begin(stage.open(), Trust::State).map(drop).unwrap_err();
    stage.is_refused_often(content, &mine());
}

/// Some file systems that can't set a mark say that a file has none.
#[test]
fn where_no_mark_can_be_set_a_file_without_one_may_be_swarmlets() {
    for can_mark in [false, true] {
        let stage = Stage::new();
        let CheckedContent { content, known, .. } = stage.first();
        let mut known = known.unwrap();
        stage.write(&content, 0).unwrap();
        if !mark::remove(&File::open(stage.path()).unwrap()) {
            return println!("SKIPPED: this file system has no marks");
        }
        known.resume.have = Bitfield::new(3);
        assert_eq!((known.resume.files[0].making, known.resume.files[0].marked), (Making::Planned, true));
        known.resume.files[0].marked = can_mark;
        let name = crate::proto::resume::file_name(&known.resume.info_hash, &known.resume.folder);
        stage.states.write(&name, &known.resume.encode(), true).unwrap();
        drop(content);
        assert_eq!(stage.begin(stage.open(), Trust::State).is_err(), can_mark);
    }
}

#[test]
fn a_file_that_replaced_ours_is_kept_at_every_start() {
    let stage = Stage::new();
    let content = stage.first().content;
    stage.write(&content, 0).unwrap();
    drop(content);
    let content = stage.first().content;
    fs::remove_file(stage.path()).unwrap();
    fs::write(stage.path(), mine()).unwrap();
    let said = content.note_verified(0).unwrap_err();
    assert!(said.tells_of_a_change(), "{said}");
    stage.is_refused_often(content, &mine());
    // A shorter one is no file of swarmlet, even if nothing shows that it is another.
    let stage = Stage::new();
    let content = stage.first().content;
    stage.write(&content, 0).unwrap();
    fs::write(stage.path(), "mine").unwrap();
    stage.is_refused_often(content, b"mine");
}

#[test]
fn a_file_that_comes_while_it_is_unwanted_is_kept() {
    let (metainfo, _) = torrent(0, &[(LENGTH, false), (LENGTH, false)], PIECE, &[]);
    let dir = tempfile::tempdir().unwrap();
    let content = Content::open(TorrentId(0), metainfo.clone().into(), dir.path(), Arc::default(), false).unwrap();
    let begun = begin(content.choose(None), None, Trust::State, Arc::new(|_, _| ()), &Progress::default());
    let CheckedContent { content, have, .. } = begun.map_err(drop).unwrap();
    let first = Choice::new(&metainfo, vec![Priority::Normal, Priority::Skip]).map(Arc::new);
    let choose = |choice| newly::choose(&content, choice, &have, |_| ());
    assert!(choose(first.clone()).unwrap());
    let theirs: &Path = &dir.path().join(metainfo.files.at(1).path());
    fs::create_dir_all(theirs.parent().unwrap()).unwrap();
    fs::write(theirs, mine()).unwrap();
    for _ in 0..2 {
        assert!(choose(None).unwrap_err().to_string().contains("it is not of this torrent"));
    }
    fs::remove_file(theirs).unwrap();
    assert!(choose(None).unwrap());
    content.create(1).unwrap();
}

/// A file that was complete, and its state was saved.
fn complete(stage: &Stage) -> Arc<Content> {
    fs::write(stage.path(), &stage.bytes).unwrap();
    let CheckedContent { content, known, have, .. } = stage.first();
    assert!(have.is_full());
    thread::sleep(2 * TICK);
    let save = Save { have, uploaded: 0, downloaded: 0, in_haste: false };
    let (name, bytes) = known.unwrap().take_in(&content, save).unwrap();
    stage.states.write(&name, &bytes, true).unwrap();
    content
}

fn refusal(stage: &Stage, content: Content, trust: Trust) -> (String, Arc<Content>) {
    let refused = begin(content, Some(&stage.states), trust, Arc::new(|_, _| ()), &Progress::default()).map(drop);
    refused.map_err(|(error, content)| (error.to_string(), content)).unwrap_err()
}

#[test]
fn a_file_that_was_changed_after_it_was_complete_is_kept_until_the_person_says_otherwise() {
    for (edited, is_known) in [(true, true), (true, false), (false, true), (false, false)] {
        let stage = Stage::new();
        let content = complete(&stage);
        let mut theirs = mine();
        if edited {
            theirs = stage.bytes.clone();
            theirs[PIECE] ^= 1;
        }
        fs::write(stage.path(), &theirs).unwrap();
        // In the same run, and in the next one.
        let content = if is_known {
            content.note_changes(Some(&Bitfield::full(3)));
            content.open_again().unwrap()
        } else {
            drop(content);
            stage.open()
        };
        let (mut said, mut content) = refusal(&stage, content, Trust::Nothing);
        for trust in [Trust::State, Trust::Nothing, Trust::State] {
            let words =
                if edited { "after it was complete, and 1 of its 3 pieces are wrong" } else { "not of this torrent" };
            assert!(said.contains(words), "{said}");
            content.note_changes(None);
            (said, content) = refusal(&stage, content.open_again().unwrap(), trust);
        }
        let _ = said;
        assert!(content.has_changed_complete_files());
        let again = content.open_again().unwrap();
        again.restore_changed(&content);
        if !edited {
            refusal(&stage, again, Trust::Nothing);
            continue;
        }
        let found = stage.begin(again, Trust::Nothing).map_err(drop).unwrap();
        assert_eq!(found.have.count(), 2);
        stage.write(&found.content, 2).unwrap();
        drop(found);
        // The state says that swarmlet makes the file.
        stage.write(&stage.first().content, 2).unwrap();
        assert_eq!(fs::read(stage.path()).unwrap(), stage.bytes);
    }
}

#[test]
fn a_complete_file_with_other_times_or_another_inode_is_still_the_torrents() {
    for is_copied in [false, true] {
        let stage = Stage::new();
        let content = complete(&stage);
        if is_copied {
            fs::copy(stage.path(), stage.dir().join("copy")).unwrap();
            fs::rename(stage.dir().join("copy"), stage.path()).unwrap();
        } else {
            fs::set_permissions(stage.path(), fs::Permissions::from_mode(0o600)).unwrap();
        }
        content.note_changes(Some(&Bitfield::full(3)));
        assert!(content.is_changed(0));
        let found = stage.begin(content.open_again().unwrap(), Trust::Nothing).map_err(drop).unwrap();
        assert!(found.have.is_full() && !found.content.is_changed(0));
        drop(found);
        assert!(stage.first().have.is_full());
    }
}

/// The state says that swarmlet was going to make all of them.
#[test]
fn after_a_kill_a_small_file_without_the_mark_is_not_swarmlets() {
    let (metainfo, bytes) = torrent(0, &[(900, false), (LENGTH, false), (700, false)], PIECE, &[]);
    for is_ours in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let states = StateDir::open(&dir.path().join("states")).unwrap();
        let start = || {
            let content = Content::open(TorrentId(0), metainfo.clone().into(), dir.path(), Arc::default(), false);
            begin(content.unwrap(), Some(&states), Trust::State, Arc::new(|_, _| ()), &Progress::default())
        };
        let content = start().map_err(drop).unwrap().content;
        let path = dir.path().join(metainfo.files.at(0).path());
        if is_ours {
            write_blocks(&content, 0, &[bytes[..BLOCK].to_vec()]).unwrap();
            if mark::is_set(&File::open(&path).unwrap()).is_none() {
                return println!("SKIPPED: this file system has no marks");
            }
        } else {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, [b'm'; 900]).unwrap();
        }
        drop(content);
        match start() {
            Ok(found) => assert!(is_ours && found.have.is_empty()),
            Err((error, _)) => assert!(!is_ours && error.path == path, "{error}"),
        }
    }
}
