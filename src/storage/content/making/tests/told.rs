//! A person can consent only to lose what an error told of.

use super::*;
use crate::storage::resume::mount_of;

/// Verifies as the checker does for a torrent that has failed.
fn verify(stage: &Stage, content: &Content) -> Result<CheckedContent, (String, Arc<Content>)> {
    content.note_changes(None);
    let again = content.open_again().unwrap();
    again.restore_changed(content);
    let begun = begin(again, Some(&stage.states), Trust::Nothing, Arc::new(|_, _| ()), &Progress::default());
    begun.map_err(|(error, content)| (error.to_string(), content))
}

#[test]
fn only_a_change_that_an_error_told_of_is_undone_by_a_verification() {
    let edit = |stage: &Stage, at: usize| {
        thread::sleep(2 * TICK);
        let mut theirs = stage.bytes.clone();
        theirs[at] ^= 1;
        fs::write(stage.path(), &theirs).unwrap();
        theirs
    };
    // The torrent has failed for another reason, and then the file is edited.
    let stage = Stage::new();
    let content = complete(&stage);
    edit(&stage, 5);
    let (said, content) = verify(&stage, &content).map(drop).unwrap_err();
    assert!(said.contains("after it was complete"), "{said}");
    // It is edited once more after the error.
    let theirs = edit(&stage, PIECE);
    let (said, content) = verify(&stage, &content).map(drop).unwrap_err();
    assert!(said.contains("after it was complete"), "{said}");
    assert_eq!(fs::read(stage.path()).unwrap(), theirs);
    let found = verify(&stage, &content).map_err(|(said, _)| said).unwrap();
    assert!(found.have.count() == 2 && !found.content.told_of_change(0));
}

/// At a start, the error about the first file hides that the second was edited.
#[test]
fn an_error_about_another_file_is_no_consent() {
    let (metainfo, bytes) = torrent(0, &[(LENGTH, false), (LENGTH, false)], PIECE, &[]);
    let dir = tempfile::tempdir().unwrap();
    let states = StateDir::open(&dir.path().join("states")).unwrap();
    let path = |file: usize| dir.path().join(metainfo.files.at(file).path());
    let begin = |content| begin(content, Some(&states), Trust::State, Arc::new(|_, _| ()), &Progress::default());
    let open = || Content::open(TorrentId(0), metainfo.clone().into(), dir.path(), Arc::default(), false).unwrap();
    for file in 0..2 {
        fs::create_dir_all(path(file).parent().unwrap()).unwrap();
        fs::write(path(file), &bytes[file * LENGTH..][..LENGTH]).unwrap();
    }
    let CheckedContent { known, have, content, .. } = begin(open()).map_err(drop).unwrap();
    thread::sleep(2 * TICK);
    let save = Save { have, uploaded: 0, downloaded: 0, in_haste: false };
    let (name, state) = known.unwrap().take_in(&content, save).unwrap();
    states.write(&name, &state, true).unwrap();
    drop(content);
    let mut edited = bytes[LENGTH..].to_vec();
    edited[5] ^= 1;
    fs::write(path(0), mine()).unwrap();
    fs::write(path(1), edited).unwrap();
    let verify = |content: &Content| {
        content.note_changes(None);
        let again = content.open_again().unwrap();
        again.restore_changed(content);
        begin(again)
    };
    let (error, content) = begin(open()).map(drop).unwrap_err();
    assert!(error.path == path(0) && content.has_changed_complete_files(), "{error}");
    fs::remove_file(path(0)).unwrap();
    let (error, content) = verify(&content).map(drop).unwrap_err();
    assert!(error.path == path(1) && error.to_string().contains("after it was complete"), "{error}");
    assert_eq!(verify(&content).map_err(drop).unwrap().have.count(), 2);
}

#[test]
fn a_file_that_the_person_moves_away_as_told_is_downloaded_again() {
    let stage = Stage::new();
    drop(complete(&stage));
    let mut theirs = stage.bytes.clone();
    theirs[5] ^= 1;
    fs::write(stage.path(), theirs).unwrap();
    let (said, _) = refusal(&stage, stage.open(), Trust::State);
    assert!(said.contains("move it away to keep it"), "{said}");
    fs::rename(stage.path(), stage.dir.path().join("kept")).unwrap();
    if mount_of(&File::open(stage.dir()).unwrap()) == 0 {
        return println!("SKIPPED: this kernel does not number mounts");
    }
    assert!(stage.first().have.is_empty());
}
