//! Tests of the folder that is watched. Floor 4.

use super::*;
use crate::proto::bencode::Bencode;
use crate::sys::stamp::TICK;

fn torrent(name: &str) -> Vec<u8> {
    torrent_of(name, "http://a.example/announce")
}

fn torrent_of(name: &str, tracker: &str) -> Vec<u8> {
    let info = Bencode::dict([
        ("length", 1u64.into()),
        ("name", name.into()),
        ("piece length", 16384u64.into()),
        ("pieces", vec![7u8; 20].into()),
    ]);
    Bencode::dict([("announce", tracker.into()), ("info", info)]).encode()
}

/// Looks, and says which torrents came, and in which files torrents went.
fn look(folder: &mut Folder) -> (Vec<String>, Vec<String>) {
    let (mut came, mut went) = (Vec::new(), Vec::new());
    folder.look(true, &mut |change| match change {
        Change::Came(_, job) => came.push(job.metainfo.name.to_string()),
        Change::Went(path) => went.push(path.file_name().unwrap().to_string_lossy().into_owned()),
        Change::LeftOut(..) | Change::Link(..) | Change::Described(..) | Change::Bad(_) => {}
    });
    (came, went)
}

#[test]
fn a_rescan_reads_bad_files_again_even_if_they_look_the_same() {
    let temp = tempfile::tempdir().unwrap();
    let (path, whole) = (temp.path().join("a.torrent"), torrent("a"));
    let write = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    };
    write(&vec![b'x'; whole.len()]);
    let mut folder = Folder::new(temp.path().into(), None, None);
    let mut told = || {
        let mut count = 0;
        folder.look(true, &mut |_| count += 1);
        count
    };
    assert_eq!([told(), told(), told(), told()], [0, 1, 0, 0]);
    write(&whole);
    assert_eq!(look(&mut folder).0, ["a"]);
}

#[test]
fn a_torrent_starts_again_if_its_trackers_were_edited_but_not_if_its_file_was_only_written_again() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("a.torrent");
    let mut folder = Folder::new(temp.path().into(), None, None);
    let mut written = |tracker: &str, age: u64| {
        fs::write(&path, torrent_of("a", tracker)).unwrap();
        let time = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(age);
        fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        look(&mut folder)
    };
    let a = || vec!["a".to_string()];
    assert_eq!(written("http://old.example/", 1), (a(), vec![]));
    assert_eq!(written("http://old.example/", 2), (vec![], vec![]));
    assert_eq!(written("http://new.example/", 3), (a(), vec!["a.torrent".to_string()]));
}

#[test]
fn a_torrent_that_another_one_brought_is_not_used() {
    let temp = tempfile::tempdir().unwrap();
    fs::create_dir_all(temp.path().join("App/below")).unwrap();
    fs::write(temp.path().join("App.torrent"), torrent("App")).unwrap();
    let mut folder = Folder::new(temp.path().into(), None, None);
    assert_eq!(look(&mut folder).0, ["App"]);
    fs::write(temp.path().join("App/below/b.torrent"), torrent("b")).unwrap();
    fs::write(temp.path().join("c.torrent"), torrent("c")).unwrap();
    assert_eq!(look(&mut folder).0, ["c"]);
    assert_eq!(look(&mut Folder::new(temp.path().into(), None, None)).0, ["App", "c"], "after a restart");
    // When the torrent is gone, its folder is like any other.
    fs::remove_file(temp.path().join("App.torrent")).unwrap();
    assert_eq!(look(&mut folder), (vec!["b".to_string()], vec!["App.torrent".to_string()]));
}

#[test]
fn torrents_come_and_go_and_half_written_files_are_read_again() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    fs::create_dir(dir.join("below")).unwrap();
    fs::write(dir.join("a.torrent"), torrent("a")).unwrap();
    fs::write(dir.join("below/b.torrent"), torrent("b")).unwrap();
    let whole = torrent("half");
    fs::write(dir.join("half.torrent"), &whole[..20]).unwrap();
    fs::write(dir.join("twice.torrent"), torrent("a")).unwrap();
    fs::write(dir.join("notes.txt"), "no torrent").unwrap();
    let mut folder = Folder::new(dir.into(), None, None);
    let texts = |texts: &[&str]| texts.iter().map(|text| text.to_string()).collect::<Vec<String>>();
    let mut look = |came: &[&str], went: &[&str]| assert_eq!(look(&mut folder), (texts(came), texts(went)));
    look(&["a", "b"], &[]);
    look(&[], &[]);
    fs::write(dir.join("half.torrent"), &whole).unwrap();
    look(&["half"], &[]);
    fs::remove_file(dir.join("below/b.torrent")).unwrap();
    look(&[], &["b.torrent"]);
    fs::write(dir.join("a.torrent"), torrent("another")).unwrap();
    look(&["another", "a"], &["a.torrent"]);
    look(&[], &[]);
    // The second of two files of the same torrent is used when the first is gone.
    fs::write(dir.join("thrice.torrent"), torrent("a")).unwrap();
    look(&[], &[]);
    fs::remove_file(dir.join("twice.torrent")).unwrap();
    look(&["a"], &["twice.torrent"]);
}

/// As if a disk were mounted.
#[test]
fn a_torrent_that_failed_starts_again_when_something_else_is_in_the_place_of_its_content() {
    let temp = tempfile::tempdir().unwrap();
    let [torrents, content] = ["torrents", "content"].map(|name| temp.path().join(name));
    [&torrents, &content].iter().for_each(|dir| fs::create_dir(dir).unwrap());
    let path = torrents.join("a.torrent");
    fs::write(&path, torrent("a")).unwrap();
    let mut folder = Folder::new(torrents, Some(content.clone()), None);
    let nothing = || (vec![], vec![]);
    let again = || (vec!["a".to_string()], vec!["a.torrent".to_string()]);
    assert_eq!(look(&mut folder), (vec!["a".to_string()], vec![]));
    let shared: Arc<Path> = path.as_path().into();
    folder.has_failed(Arc::clone(&shared));
    // Without a full rescan: whether a torrent went, and whether one came.
    let quick = |folder: &mut Folder| {
        let mut changes = Vec::new();
        folder.look(false, &mut |change| changes.push(matches!(change, Change::Came(..))));
        changes
    };
    assert!(quick(&mut folder).is_empty());
    fs::rename(&content, temp.path().join("away")).unwrap();
    fs::create_dir(&content).unwrap();
    assert_eq!(quick(&mut folder), [false, true], "it went and came");
    assert!(quick(&mut folder).is_empty());
    folder.has_failed(Arc::clone(&shared));
    fs::write(content.join("a"), "x").unwrap();
    assert_eq!(quick(&mut folder), [false, true]);
    // A person who asks for a rescan may have moved a file away that was in its way, in a folder below.
    folder.has_failed(Arc::clone(&shared));
    assert!(quick(&mut folder).is_empty());
    assert_eq!(look(&mut folder), again());
    assert_eq!(look(&mut folder), nothing());
    // Its file was edited after it had failed. What it makes now does not make it begin once more.
    folder.has_failed(shared);
    fs::remove_file(&path).unwrap();
    fs::write(&path, torrent_of("a", "http://new.example/")).unwrap();
    assert_eq!(quick(&mut folder), [false, true]);
    fs::remove_file(content.join("a")).unwrap();
    assert!(quick(&mut folder).is_empty());
}

/// Looks without a full rescan. Returns the files that came.
fn glance(folder: &mut Folder) -> Vec<String> {
    let mut came = Vec::new();
    folder.look(false, &mut |change| {
        if let Change::Came(path, _) = change {
            came.push(path.file_name().unwrap().to_string_lossy().into_owned());
        }
    });
    came
}

#[test]
fn while_no_folder_changes_only_files_without_a_torrent_that_runs_are_looked_at() {
    let temp = tempfile::tempdir().unwrap();
    let [torrents, content] = ["torrents", "content"].map(|name| temp.path().join(name));
    [&torrents, &content].iter().for_each(|dir| fs::create_dir(dir).unwrap());
    let (good, half) = (torrents.join("good.torrent"), torrents.join("half.torrent"));
    fs::write(&good, torrent("good")).unwrap();
    fs::write(&half, "").unwrap();
    let mut folder = Folder::new(torrents, Some(content.clone()), None);
    look(&mut folder);
    // The folder is as it was for longer than the clock of file times needs.
    std::thread::sleep(2 * TICK);
    assert!(glance(&mut folder).is_empty() && glance(&mut folder).is_empty());
    assert!(!folder.changes.look(false).any, "the folder has not changed");

    fs::write(&good, torrent("good with other content")).unwrap();
    assert!(glance(&mut folder).is_empty(), "that is for the next full rescan");
    fs::write(&half, torrent("half")).unwrap();
    assert_eq!(glance(&mut folder), ["half.torrent"], "it was written in place");
    folder.has_failed(good.as_path().into());
    fs::rename(&content, temp.path().join("away")).unwrap();
    fs::create_dir(&content).unwrap();
    assert_eq!(glance(&mut folder), ["good.torrent"], "something else is in the place of its content");
    assert_eq!(look(&mut folder), (vec![], vec![]));
}
