//! What happens to records when files are written to: by us, by other programs, a moment ago.

use super::*;
use crate::proto::bencode::Bencode;
use crate::proto::metainfo::Metainfo;
use crate::storage::testkit::{Part, open, part, torrent, write_blocks};
use crate::storage::{TorrentId, check};
use crate::sys::beneath::mark;
use std::fs::FileTimes;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::Arc;
use std::time::SystemTime;

const PIECE: usize = 1000;

/// Two files of three pieces each, a folder for them, and one for their state.
struct Stage {
    metainfo: Metainfo,
    bytes: Vec<u8>,
    dir: tempfile::TempDir,
    states: StateDir,
}

impl Stage {
    fn new() -> Stage {
        let parts: [Part; 2] = [(3 * PIECE, false), (3 * PIECE, false)];
        let (metainfo, bytes) = torrent(0, &parts, PIECE, &[]);
        let dir = tempfile::tempdir().unwrap();
        let states = StateDir::open(&dir.path().join("made/states")).unwrap();
        Stage { metainfo, bytes, dir, states }
    }

    fn path(&self, file: usize) -> std::path::PathBuf {
        self.dir.path().join(self.metainfo.files.at(file).path())
    }

    fn open(&self) -> (Arc<Content>, Known) {
        let content = open(&self.metainfo, self.dir.path(), false);
        let known = Known::load(&self.states, &content, |warning| panic!("{warning}"));
        let seen = self.seen(&content);
        let trusted: Vec<bool> =
            seen.iter().enumerate().map(|(file, seen)| known.trusts(file, seen.as_ref())).collect();
        let known = known.checked(&content, &Bitfield::new(6), seen, &trusted);
        (content, known)
    }

    /// Acts as if our last write to a file had been at `time`. (The change of that time is a change, too.)
    fn as_if_written_at(&self, time: SystemTime, content: &Content, file: usize) {
        age(&self.path(file), time);
        thread::sleep(2 * TICK);
        content.known.wrote(file, &File::open(self.path(file)).unwrap());
    }

    /// What the files are like now.
    fn seen(&self, content: &Content) -> Vec<Option<Record>> {
        (0..2).map(|file| look_at(content, &File::open(self.path(file)).ok()?).ok()?).collect()
    }

    fn save(&self, content: &Content, known: &mut Known, have: &[u32], in_haste: bool) -> bool {
        let mut pieces = Bitfield::new(6);
        have.iter().for_each(|piece| assert!(pieces.set(*piece)));
        let save = Save { have: pieces, uploaded: 7, downloaded: 8, in_haste };
        let Some((name, bytes)) = known.take_in(content, save) else { return false };
        self.states.write(&name, &bytes, !in_haste).unwrap();
        true
    }

    /// The files that the next run trusts.
    fn trusted(&self) -> [bool; 2] {
        let content = open(&self.metainfo, self.dir.path(), false);
        let known = Known::load(&self.states, &content, |warning| panic!("{warning}"));
        let seen = self.seen(&content);
        [0, 1].map(|file| known.trusts(file, seen[file].as_ref()))
    }
}

fn records(known: &Known) -> Vec<Option<Record>> {
    known.resume.files.iter().map(|file| file.record).collect()
}

/// Sets a file's modification time.
fn age(path: &Path, time: SystemTime) {
    File::options().write(true).open(path).unwrap().set_times(FileTimes::new().set_modified(time)).unwrap();
}

fn ago(milliseconds: u64) -> SystemTime {
    SystemTime::now() - Duration::from_millis(milliseconds)
}

#[test]
fn written_files_are_trusted_after_a_save_until_the_next_write() {
    let stage = Stage::new();
    let (content, mut known) = stage.open();
    write_blocks(&content, 0, &[stage.bytes[..4 * PIECE].to_vec()]).unwrap();
    assert!(stage.save(&content, &mut known, &[0, 1, 2, 3], true));
    assert_eq!(stage.trusted(), [true, true]);
    assert!(!stage.save(&content, &mut known, &[0, 1, 2, 3], true), "nothing changed, but it is written again");
    // As after kill -9: the last state is older than the last write.
    write_blocks(&content, 4 * PIECE as u64, &[stage.bytes[4 * PIECE..5 * PIECE].to_vec()]).unwrap();
    assert_eq!(stage.trusted(), [true, false]);
    assert!(stage.save(&content, &mut known, &[0, 1, 2, 3, 4], true));
    assert_eq!(stage.trusted(), [true, true]);
}

#[test]
fn a_file_that_is_being_written_to_has_no_record() {
    let stage = Stage::new();
    let (content, mut known) = stage.open();
    write_blocks(&content, 0, &[stage.bytes[..2 * PIECE].to_vec()]).unwrap();
    // As if the clock were one tick of FAT behind: the next write may have the same time.
    stage.as_if_written_at(SystemTime::UNIX_EPOCH + Duration::from_secs(unix_seconds()), &content, 0);
    assert!(stage.save(&content, &mut known, &[0, 1], false));
    assert_eq!(records(&known), [None, None]);
    assert_eq!(stage.trusted(), [false, false]);
    // Later it is quiet, without another write.
    stage.as_if_written_at(ago(1000), &content, 0);
    assert!(stage.save(&content, &mut known, &[0, 1], false));
    assert_eq!(stage.trusted(), [true, false]);
}

fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

/// Another program may write to a file that we do not write to. The record stays, and the next run notices.
#[test]
fn writes_of_other_programs_while_we_run_are_noticed() {
    let stage = Stage::new();
    for file in 0..2 {
        fs::create_dir_all(stage.path(file).parent().unwrap()).unwrap();
        fs::write(stage.path(file), part(&stage.metainfo, &stage.bytes, file)).unwrap();
        age(&stage.path(file), ago(10_000));
    }
    thread::sleep(2 * TICK);
    let (content, mut known) = stage.open();
    fs::write(stage.path(1), part(&stage.metainfo, &stage.bytes, 0)).unwrap();
    assert!(stage.save(&content, &mut known, &[0, 1, 2, 3, 4, 5], false));
    assert_eq!(stage.trusted(), [true, false]);
}

/// Another program writes between our writes and the state, or before our next write, which is refused.
#[test]
fn a_file_of_ours_that_another_program_wrote_to_has_no_record() {
    for written_after in [false, true] {
        let stage = Stage::new();
        let (content, mut known) = stage.open();
        write_blocks(&content, 0, &[stage.bytes[..2 * PIECE].to_vec()]).unwrap();
        write_blocks(&content, 3 * PIECE as u64, &[stage.bytes[3 * PIECE..].to_vec()]).unwrap();
        thread::sleep(2 * TICK);
        File::options().write(true).open(stage.path(0)).unwrap().write_all_at(&[!stage.bytes[5]], 5).unwrap();
        if written_after {
            thread::sleep(2 * TICK);
            let piece = stage.bytes[2 * PIECE..3 * PIECE].to_vec();
            assert!(write_blocks(&content, 2 * PIECE as u64, &[piece]).unwrap_err().tells_of_a_change());
        }
        for in_haste in [false, true] {
            stage.save(&content, &mut known, &[0, 1, 3, 4, 5], in_haste);
            assert_eq!(stage.trusted(), [false, true], "written after: {written_after}, in haste: {in_haste}");
        }
    }
}

#[test]
fn only_whole_files_are_synced_and_only_while_no_person_waits() {
    let stage = Stage::new();
    let (content, mut known) = stage.open();
    write_blocks(&content, 0, &[stage.bytes[..4 * PIECE].to_vec()]).unwrap();
    let on_disk = |known: &Known| [0, 1].map(|file| known.resume.files[file].record.map(|record| record.on_disk));
    stage.save(&content, &mut known, &[0, 1, 2, 3], true);
    let mounts_are_unique = known.resume.files[0].record.unwrap().mount != 0;
    if mounts_are_unique {
        assert_eq!(on_disk(&known), [Some(false), Some(false)]);
    }
    stage.as_if_written_at(ago(1000), &content, 1);
    stage.save(&content, &mut known, &[0, 1, 2, 3], false);
    assert_eq!(on_disk(&known), [Some(true), Some(!mounts_are_unique)]);
    // The next run remembers it.
    let (_, known) = stage.open();
    assert_eq!(on_disk(&known)[0], Some(true));
}

/// After a power cut, when nothing of it is right; and what the user has put in its place.
#[test]
fn a_complete_file_is_ours_until_it_is_synced_or_changed() {
    for (synced, changed_later, ours) in [(false, false, true), (false, true, false), (true, false, false)] {
        let mut stage = Stage::new();
        let (content, mut known) = stage.open();
        content.make(0, true);
        write_blocks(&content, 0, &[stage.bytes[..3 * PIECE].to_vec()]).unwrap();
        thread::sleep(2 * TICK);
        stage.save(&content, &mut known, &[0, 1, 2], !synced);
        if known.resume.files[0].record.unwrap().mount == 0 {
            return println!("this kernel does not number mounts, so files are synced even in haste");
        }
        let making = if synced { Making::No } else { Making::Begun };
        assert_eq!(known.resume.files[0].making, making);
        drop(content);
        fs::write(stage.path(0), [b'x'; 3 * PIECE]).unwrap();
        if !changed_later {
            // Nobody can set a file's time of change back, as a power cut does. So the state is later.
            let state = fs::read_dir(&stage.states.path).unwrap().next().unwrap().unwrap();
            age(&state.path(), SystemTime::now() + Duration::from_secs(5));
        }
        stage.states.boot = b"another run of the system".as_slice().into();
        let content =
            Content::open(TorrentId(0), stage.metainfo.clone().into(), stage.dir.path(), Arc::default(), false)
                .unwrap();
        let checked = check::begin(
            content,
            Some(&stage.states),
            check::Trust::State,
            Arc::new(|_, warning| panic!("{warning}")),
            &Default::default(),
        );
        assert_eq!(checked.is_ok(), ours, "synced: {synced}, changed later: {changed_later}");
    }
}

#[test]
fn a_complete_file_loses_its_mark_before_its_state_is_saved() {
    let stage = Stage::new();
    let (content, mut known) = stage.open();
    (0..2).for_each(|file| assert!(content.find(file).is_none()));
    let is_marked = |file: usize| mark::is_set(&File::open(stage.path(file)).unwrap());
    for (at, file) in [(0, 0), (3 * PIECE, 1)] {
        write_blocks(&content, at as u64, &[stage.bytes[at..at + 3 * PIECE].to_vec()]).unwrap();
        content.make(file, true);
    }
    if is_marked(0).is_none() {
        return println!("SKIPPED: this file system has no marks");
    }
    assert_eq!([0, 1].map(is_marked), [Some(true), Some(true)]);
    stage.save(&content, &mut known, &[0, 1, 2, 3, 4], false);
    assert_eq!([0, 1].map(is_marked), [Some(false), Some(true)], "one piece of the second is missing");
    assert_eq!(stage.trusted(), [true, true]);
}

#[test]
fn a_file_without_a_piece_has_no_record() {
    let stage = Stage::new();
    let (content, mut known) = stage.open();
    write_blocks(&content, 3 * PIECE as u64, &[stage.bytes[3 * PIECE..].to_vec()]).unwrap();
    stage.save(&content, &mut known, &[], true);
    assert_eq!(records(&known), [None, None]);
}

#[test]
fn totals_are_of_all_runs() {
    let stage = Stage::new();
    for run in 1..=3u64 {
        let (content, mut known) = stage.open();
        stage.save(&content, &mut known, &[], true);
        assert_eq!((known.resume.uploaded, known.resume.downloaded), (7 * run, 8 * run));
    }
}

/// Thousands of complete torrents start, and each state that is written costs as much as the check of a small torrent.
#[test]
fn a_state_is_not_written_again_if_it_says_all_that_a_new_one_would_say() {
    let mut stage = Stage::new();
    for file in 0..2 {
        fs::create_dir_all(stage.path(file).parent().unwrap()).unwrap();
        fs::write(stage.path(file), part(&stage.metainfo, &stage.bytes, file)).unwrap();
    }
    let begin_with = |stage: &Stage, preallocate| {
        let metainfo = stage.metainfo.clone().into();
        let content = Content::open(TorrentId(0), metainfo, stage.dir.path(), Arc::default(), preallocate);
        let warn = Arc::new(|_, warning| panic!("{warning}"));
        let states = Some(&stage.states);
        let found = check::begin(content.unwrap(), states, check::Trust::State, warn, &Default::default());
        let found = found.ok().unwrap();
        assert!(found.have.is_full());
        (found.content, found.known.unwrap())
    };
    let begin = |stage: &Stage| begin_with(stage, false);
    let save = |stage: &Stage, (content, mut known): (Arc<Content>, Known)| {
        let save = Save { have: Bitfield::full(6), uploaded: 0, downloaded: 0, in_haste: false };
        let (name, bytes) = known.take_in(&content, save).unwrap();
        stage.states.write_first(&name, &bytes).unwrap();
    };
    let found = begin(&stage);
    assert!(!found.1.is_saved, "there is no state yet");
    save(&stage, found);
    let (content, mut known) = begin(&stage);
    assert!(known.is_saved);
    let same = Save { have: Bitfield::full(6), uploaded: 0, downloaded: 0, in_haste: false };
    assert!(known.take_in(&content, same).is_none(), "a new one would be the same");
    assert!(!begin_with(&stage, true).1.is_saved, "its files were opened for writing");
    assert!(!begin(&stage).1.with_totals((9, 0)).is_saved, "the caller knows of other totals");
    age(&stage.path(1), ago(10_000));
    thread::sleep(2 * TICK);
    let found = begin(&stage);
    assert!(!found.1.is_saved, "the file was touched");
    save(&stage, found);
    assert!(begin(&stage).1.is_saved);
    stage.states.boot = b"another run of the system".as_slice().into();
    assert!(!begin(&stage).1.is_saved, "its mounts have other numbers now");
}

#[test]
fn content_that_is_checked_again_in_a_run_is_not_counted_twice() {
    let stage = Stage::new();
    let begin = |content| {
        let checked = check::begin(
            content,
            Some(&stage.states),
            check::Trust::State,
            Arc::new(|_, warning| panic!("{warning}")),
            &Default::default(),
        );
        checked.ok().map(|checked| (checked.content, checked.known.unwrap())).unwrap()
    };
    for run in 1..=2u64 {
        let content =
            Content::open(TorrentId(0), stage.metainfo.clone().into(), stage.dir.path(), Arc::default(), false);
        let mut opened = content.unwrap();
        for _ in 0..3 {
            let (content, mut known) = begin(opened);
            stage.save(&content, &mut known, &[], true);
            assert_eq!((known.resume.uploaded, known.resume.downloaded), (7 * run, 8 * run));
            opened = content.open_again().unwrap();
        }
    }
}

#[test]
fn a_state_is_private_and_replaces_the_last_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a/b");
    let states = StateDir::open(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
    states.write("x", b"one", true).unwrap();
    assert_eq!(states.read("x").unwrap().0, b"one");
    assert_eq!(fs::metadata(path.join("x")).unwrap().mode() & 0o777, 0o600);
    states.write("x", b"two", false).unwrap();
    assert_eq!(states.read("x").unwrap().0, b"two");
    states.write_first("z", b"first").unwrap();
    states.write_first("x", b"three").unwrap();
    assert_eq!([states.read("z").unwrap().0, states.read("x").unwrap().0], [b"first".to_vec(), b"three".to_vec()]);
    assert_eq!(fs::metadata(path.join("z")).unwrap().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(&path).unwrap().count(), 2);
    // It takes only so much memory, however large the file is.
    File::create(path.join("huge")).unwrap().set_len(MAX_RESUME_BYTES as u64 + 1).unwrap();
    assert!(states.read("huge").unwrap_err().to_string().contains("too large"));
    // No planted link makes us write elsewhere.
    fs::write(dir.path().join("elsewhere"), "theirs").unwrap();
    std::os::unix::fs::symlink(dir.path().join("elsewhere"), path.join("y")).unwrap();
    states.write_first("y", b"ours").unwrap();
    assert_eq!(states.read("y").unwrap().0, b"ours", "the link was replaced, not followed");
    assert_eq!(fs::read(dir.path().join("elsewhere")).unwrap(), b"theirs");
}

/// A file in /proc cannot be synced, but loses nothing by that.
#[test]
fn a_file_system_that_cannot_sync_loses_nothing() {
    let pieces = ("pieces", vec![0u8; 20].into());
    let info = [("length", 10i64.into()), ("name", "version".into()), ("piece length", 16384i64.into()), pieces];
    let metainfo = Metainfo::parse(&Bencode::dict([("info", Bencode::dict(info))]).encode()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let states = StateDir::open(dir.path()).unwrap();
    let content = open(&metainfo, Path::new("/proc"), false);
    let mut known = Known::load(&states, &content, |warning| panic!("{warning}"));
    content.mark_dirty(0);
    known.take_in(&content, Save { have: Bitfield::full(1), uploaded: 0, downloaded: 0, in_haste: false }).unwrap();
    assert!(known.lost.is_none());
    assert_eq!(records(&known), [None], "but it has no record");
}
