//! Stories of a daemon and a user's own files: whatever a program asks for, they are not overwritten, moved or deleted.

use crate::common::content::{Content, damage};
use crate::common::daemon::{Daemon, base64};
use crate::common::folder::Folder;
use crate::common::swarmlet::Swarmlet;
use crate::common::torrent::Torrent;
use crate::common::wait::{PATIENCE, wait_until};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

const KIB: usize = 1024;
const PIECE: usize = 16 * KIB;
/// How often the daemon is killed while it downloads.
const KILLS: u64 = 20;

fn add(daemon: &Daemon, torrent: &Torrent, paused: bool) {
    let metainfo = base64(&fs::read(&torrent.file).unwrap());
    daemon.ask("torrent-add", &json!({ "metainfo": metainfo, "paused": paused }));
}

fn one(daemon: &Daemon, field: &str) -> Value {
    daemon.torrents(&[field])[0][field].clone()
}

fn remove(daemon: &Daemon) {
    daemon.ask("torrent-remove", &json!({ "ids": 1, "delete-local-data": true }));
    wait_until("it is removed", PATIENCE, || daemon.torrents(&["id"]).is_empty());
}

/// An album with a large file and two small ones, which is complete, in a daemon.
fn complete(folder: &Folder) -> (Content, Torrent, Daemon) {
    let content = Content::folder("album", &[("info.nfo", 900), ("song.flac", 10 * PIECE), ("end.txt", 700)]);
    let torrent = folder.make_of(&content, "album");
    let mut daemon = Daemon::start(folder.path(), &[]);
    content.write_to(&daemon.dir);
    add(&daemon, &torrent, false);
    daemon.wait_for("status", &json!(6));
    (content, torrent, daemon)
}

/// A seed of it, which the tracker knows.
fn seed(folder: &Folder, torrent: &Torrent) -> Swarmlet {
    let mut seed = folder.seed("album", torrent, &[]);
    folder.tracker.wait_for_a_seed(&torrent.info_hash, || seed.must_run());
    seed
}

/// Asks for something, or kills the daemon and starts it again if `method` is empty. Then the torrent is refused.
fn is_refused(daemon: &mut Daemon, method: &str, words: &str) {
    let refusals = |daemon: &Daemon| daemon.log().matches(words).count();
    let before = if method.is_empty() { 0 } else { refusals(daemon) };
    if method.is_empty() {
        daemon.kill_and_start();
    } else {
        daemon.ask(method, &json!({ "ids": 1 }));
    }
    wait_until(&format!("{method} is refused"), PATIENCE, || {
        let text = one(daemon, "errorString");
        let is_said = [words, "song.flac"].iter().all(|words| text.as_str().unwrap().contains(words));
        refusals(daemon) > before && one(daemon, "error") == 3 && is_said
    });
}

/// It is as long as the torrent's file, and the person verifies, starts, moves and removes.
#[test]
fn a_file_that_a_user_puts_over_a_complete_one_survives_everything() {
    if !cfg!(feature = "daemon") {
        return;
    }
    let folder = Folder::new();
    let (content, torrent, mut daemon) = complete(&folder);
    let _seed = seed(&folder, &torrent);
    let (path, mine) = (daemon.dir.join("album/song.flac"), vec![b'm'; 10 * PIECE]);
    fs::write(&path, &mine).unwrap();
    // It stays while the rest is moved. Then the torrent downloads its own there.
    let there = daemon.dir.join("there");
    daemon.ask("torrent-set-location", &json!({ "ids": 1, "location": there, "move": true }));
    daemon.wait_for("downloadDir", &json!(there));
    wait_until("it is complete again", PATIENCE, || {
        daemon.ask("torrent-reannounce", &json!({ "ids": 1 }));
        one(&daemon, "percentDone") == 1 && content.difference_in(&there).is_none()
    });
    assert!(fs::read(&path).unwrap() == mine && !daemon.dir.join("album/info.nfo").exists());
    assert!(daemon.log().contains("stays where it is, because another program made or changed it"), "{}", daemon.log());
    let path = there.join("album/song.flac");
    fs::write(&path, &mine).unwrap();
    for method in ["torrent-verify", "torrent-start", "torrent-verify", "", "torrent-start"] {
        is_refused(&mut daemon, method, "not of this torrent");
        assert!(fs::read(&path).unwrap() == mine, "{method}");
    }
    remove(&daemon);
    wait_until("the others are deleted", PATIENCE, || !there.join("album/info.nfo").exists());
    assert!(fs::read(&path).unwrap() == mine);
}

/// Most of its pieces are right, as in music with other tags.
#[test]
fn a_file_that_a_user_edits_is_kept_until_the_person_verifies_once_more() {
    if !cfg!(feature = "daemon") {
        return;
    }
    let folder = Folder::new();
    let (content, torrent, mut daemon) = complete(&folder);
    let _seed = seed(&folder, &torrent);
    let path = daemon.dir.join("album/song.flac");
    damage(&path, 5 * PIECE, 1);
    let edited = fs::read(&path).unwrap();
    for method in ["torrent-verify", "torrent-start", "", "torrent-start"] {
        is_refused(&mut daemon, method, "after it was complete");
    }
    assert!(fs::read(&path).unwrap() == edited);
    daemon.ask("torrent-verify", &json!({ "ids": 1 }));
    wait_until("its piece is downloaded again", PATIENCE, || {
        daemon.ask("torrent-reannounce", &json!({ "ids": 1 }));
        one(&daemon, "percentDone") == 1 && content.difference_in(&daemon.dir).is_none()
    });
    assert_eq!(one(&daemon, "error"), 0);
}

/// The torrent never ran: swarmlet has made nothing.
#[test]
fn small_files_and_an_empty_folder_of_a_user_are_nothing_of_a_torrent_that_never_ran() {
    if !cfg!(feature = "daemon") {
        return;
    }
    let folder = Folder::new();
    let content = Content::folder("album", &[("info.nfo", 900), ("cover.jpg", 5 * KIB)]);
    let torrent = folder.make_of(&content, "album");
    let mut daemon = Daemon::start(folder.path(), &[]);
    let album = daemon.dir.join("album");
    add(&daemon, &torrent, true);
    daemon.wait_for("status", &json!(0));
    assert!(!album.exists());
    fs::create_dir(&album).unwrap();
    remove(&daemon);
    assert!(album.is_dir(), "an empty folder of the user is gone");
    add(&daemon, &torrent, true);
    daemon.wait_for("status", &json!(0));
    daemon.kill();
    fs::write(album.join("info.nfo"), [b'm'; 900]).unwrap();
    daemon.start_again();
    daemon.wait_for("error", &json!(3));
    let _seed = seed(&folder, &torrent);
    daemon.ask("torrent-start", &json!({ "ids": 1 }));
    daemon.wait_for("error", &json!(3));
    remove(&daemon);
    assert_eq!(fs::read(album.join("info.nfo")).unwrap(), [b'm'; 900]);
    assert_eq!(fs::read_dir(&album).unwrap().count(), 1);
}

/// All that swarmlet made is its own, however often it is killed: the download is completed, moved and deleted.
#[test]
fn a_download_that_is_killed_again_and_again_knows_its_own_files() {
    if !cfg!(feature = "daemon") {
        return;
    }
    let folder = Folder::new();
    let small = (0..30).map(|file| (format!("folder {}/{file}", file % 4), 300 + 977 * file));
    let files: Vec<(String, usize)> = small.chain([("large".into(), 60 * PIECE), ("empty".into(), 0)]).collect();
    let files: Vec<(&str, usize)> = files.iter().map(|(path, size)| (path.as_str(), *size)).collect();
    let content = Content::folder("album", &files);
    let torrent = folder.make_of(&content, "album");
    let mut seed = folder.seed("album", &torrent, &["--max-upload-rate", "150"]);
    folder.tracker.wait_for_a_seed(&torrent.info_hash, || seed.must_run());
    let mut daemon = Daemon::start(folder.path(), &[]);
    add(&daemon, &torrent, false);
    let is_sound = |daemon: &Daemon| {
        let [error, text] = ["error", "errorString"].map(|field| one(daemon, field));
        assert!(error != 3, "{text}");
    };
    let mut parts = Vec::new();
    for kill in 0..KILLS {
        wait_until("it is checked", PATIENCE, || {
            is_sound(&daemon);
            one(&daemon, "status") != 2
        });
        sleep(Duration::from_millis(40 + kill * 53 % 260));
        is_sound(&daemon);
        parts.push(one(&daemon, "percentDone").as_f64().unwrap());
        daemon.kill_and_start();
    }
    assert!(parts[0] < 1.0, "it was complete before the first kill");
    wait_until("it is complete", PATIENCE, || {
        is_sound(&daemon);
        one(&daemon, "percentDone") == 1
    });
    content.assert_same_in(&daemon.dir);
    let is_empty = |dir: &Path| fs::read_dir(dir).unwrap().next().is_none();
    let there = daemon.dir.join("there");
    daemon.ask("torrent-set-location", &json!({ "ids": 1, "location": there, "move": true }));
    daemon.wait_for("downloadDir", &json!(there));
    content.assert_same_in(&there);
    assert!(!daemon.dir.join("album").exists());
    daemon.kill_and_start();
    remove(&daemon);
    wait_until("all is deleted", PATIENCE, || is_empty(&there));
}
