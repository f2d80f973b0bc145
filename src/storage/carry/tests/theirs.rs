//! Files and folders of a user among those of a torrent: they are neither carried nor deleted.

use super::*;
use crate::storage::testkit::write_blocks;

/// A user puts files over those of the torrent: of the same length, edited in one place, or with other permissions.
#[test]
fn what_was_put_over_our_files_is_neither_carried_nor_deleted() {
    let full = |stage: &Stage| Bitfield::full(stage.metainfo.piece_count());
    let put_over = |stage: &Stage| {
        let path = |file| stage.path(stage.near.path(), file);
        fs::write(path(0), [b'm'; 100]).unwrap();
        fs::remove_file(path(1)).unwrap();
        let mut edited = part(&stage.metainfo, &stage.bytes, 1).to_vec();
        edited[20 * PIECE] ^= 1;
        fs::write(path(1), edited).unwrap();
        fs::write(path(2), "not empty any more").unwrap();
        [0, 1, 2].map(|file| (path(file), fs::read(path(file)).unwrap()))
    };
    for to in [tempfile::tempdir().unwrap(), far()] {
        let stage = Stage::new();
        let old = stage.old();
        let theirs = put_over(&stage);
        let new = stage.at(&old, to.path());
        let others = others(&old, Some(&full(&stage)), None, false, &Progress::default());
        assert_eq!(others, [true, true, true, false]);
        let way = Way { old: &old, new: &new, others: &others };
        carry_all(way, Before::Nothing, &Progress::default()).unwrap().0.finish(way);
        theirs.iter().for_each(|(path, bytes)| assert_eq!(&fs::read(path).unwrap(), bytes, "{}", path.display()));
    }
    let stage = Stage::new();
    let old = stage.old();
    let theirs = put_over(&stage);
    let told = delete(&old, Some(&full(&stage)), None, &Progress::default());
    assert!(told[0].ends_with("another program made or changed it"), "{told:?}");
    theirs.iter().for_each(|(path, bytes)| assert_eq!(&fs::read(path).unwrap(), bytes, "{}", path.display()));
    // What has only other times and permissions is still the torrent's.
    let stage = Stage::new();
    let old = stage.old();
    for file in 0..FILES.len() {
        let path = stage.path(stage.near.path(), file);
        fs::write(stage.near.path().join("copy"), part(&stage.metainfo, &stage.bytes, file)).unwrap();
        fs::rename(stage.near.path().join("copy"), path).unwrap();
    }
    fs::remove_file(stage.near.path().join("whole/mine")).unwrap();
    assert_eq!(delete(&old, Some(&full(&stage)), None, &Progress::default()), Vec::<String>::new());
    assert!(stage.has_nothing(stage.near.path()));
}

/// A file that was begun has no verified piece that could tell.
#[test]
fn what_was_put_over_a_half_file_of_a_failed_torrent_is_not_deleted() {
    let stage = Stage::new();
    let path = stage.path(stage.near.path(), 1);
    (0..FILES.len()).for_each(|file| fs::remove_file(stage.path(stage.near.path(), file)).unwrap());
    let found = stage.check(stage.open(stage.near.path()), Trust::State);
    let block = stage.metainfo.files.at(1).offset.next_multiple_of(PIECE as u64);
    write_blocks(&found.content, block, &[vec![1; 100]]).unwrap();
    assert_eq!(others(&found.content, Some(&found.have), None, false, &Progress::default()), [false; 4]);
    fs::write(&path, [b'm'; 40 * PIECE]).unwrap();
    assert!(others(&found.content, None, None, false, &Progress::default())[1]);
    delete(&found.content, Some(&found.have), None, &Progress::default());
    assert_eq!(fs::read(&path).unwrap(), [b'm'; 40 * PIECE]);
}

#[test]
fn folders_of_the_user_stay_even_if_they_are_empty() {
    let (stage, to) = (Stage::new(), tempfile::tempdir().unwrap());
    let old = stage.old();
    let theirs = stage.path(to.path(), 3).parent().unwrap().to_path_buf();
    fs::create_dir_all(&theirs).unwrap();
    let new = stage.at(&old, to.path());
    let way = Way { old: &old, new: &new, others: &[] };
    let (carried, _) = carry_all(way, Before::Nothing, &Progress::default()).unwrap();
    carried.undo(way);
    assert!(
        theirs.is_dir() && !stage.path(to.path(), 1).parent().unwrap().exists() && stage.has_all(stage.near.path())
    );
    // No file of the torrent was ever there.
    let away = stage.check(stage.open(to.path()), Trust::State);
    delete(&away.content, Some(&away.have), None, &Progress::default());
    assert!(theirs.is_dir());
}

/// Between the copy and the removal of the old file.
#[test]
fn an_old_file_that_changed_after_it_was_copied_stays() {
    let (stage, to) = (Stage::new(), far());
    let old = stage.old();
    let new = stage.at(&old, to.path());
    let way = Way { old: &old, new: &new, others: &[] };
    let (carried, _) = carry_all(way, Before::Nothing, &Progress::default()).unwrap();
    let path = stage.path(stage.near.path(), 3);
    fs::write(&path, "mine").unwrap();
    let told = carried.finish(way);
    assert!(told.len() == 1 && told[0].ends_with("another program changed it meanwhile"), "{told:?}");
    assert!(fs::read(&path).unwrap() == b"mine" && stage.has_all(to.path()));
}

/// Over SMB or FUSE, a time may arrive after the copy, and it is not a change.
#[test]
fn an_old_file_elsewhere_is_removed_although_its_times_arrive_late() {
    let (stage, to) = (Stage::new(), far());
    let mut old = stage.open(stage.near.path());
    old.known.are_on(None);
    let old = stage.check(old, Trust::State).content;
    let new = stage.at(&old, to.path());
    let way = Way { old: &old, new: &new, others: &[] };
    let (carried, _) = carry_all(way, Before::Nothing, &Progress::default()).unwrap();
    let times = fs::File::options().write(true).open(stage.path(stage.near.path(), 3)).unwrap();
    times.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    let gone = stage.path(stage.near.path(), 0);
    fs::remove_file(gone).unwrap();
    // What can't be looked at stays.
    let odd = stage.path(stage.near.path(), 1);
    fs::remove_file(&odd).unwrap();
    symlink("elsewhere", &odd).unwrap();
    let told = carried.finish(way);
    assert!(told.len() == 1 && told[0].contains("folder 1/1"), "{told:?}");
    assert_eq!(walk(stage.near.path()).len(), 2, "the link and the user's own file");
}

/// Sorting programs make hard links: what has another name is deleted without being read, but the last name is kept.
#[test]
fn a_changed_file_with_another_name_is_deleted_and_not_lost() {
    let stage = Stage::new();
    let old = stage.old();
    let path = stage.path(stage.near.path(), 1);
    std::thread::sleep(2 * crate::sys::stamp::TICK);
    fs::write(&path, [b'm'; 40 * PIECE]).unwrap();
    fs::hard_link(&path, stage.near.path().join("mine")).unwrap();
    let full = Bitfield::full(stage.metainfo.piece_count());
    assert!(others(&old, Some(&full), None, false, &Progress::default())[1]);
    assert_eq!(delete(&old, Some(&full), None, &Progress::default()), Vec::<String>::new());
    assert!(!path.exists() && fs::read(stage.near.path().join("mine")).unwrap() == [b'm'; 40 * PIECE]);
    // Both names are in the torrent.
    let stage = Stage::new();
    let old = stage.old();
    let [one, other] = [0, 3].map(|file| stage.path(stage.near.path(), file));
    fs::write(&other, [b'm'; 100]).unwrap();
    fs::remove_file(&one).unwrap();
    fs::hard_link(&other, &one).unwrap();
    delete(&old, Some(&full), None, &Progress::default());
    assert!(!one.exists() && fs::read(&other).unwrap() == [b'm'; 100]);
}
