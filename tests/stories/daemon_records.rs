//! Stories of a daemon that keeps apart and together what belongs so: damaged records, and torrents with one file.

use crate::common::content::Content;
use crate::common::daemon::{Daemon, base64};
use crate::common::folder::Folder;
use crate::common::torrent::Torrent;
use crate::common::wait::{PATIENCE, wait_until};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

fn added(daemon: &Daemon, arguments: &Value) -> String {
    daemon.ask("torrent-add", arguments)["torrent-added"]["hashString"].as_str().unwrap().into()
}

#[test]
fn a_damaged_record_costs_neither_the_torrent_nor_its_folder() {
    if !cfg!(feature = "daemon") {
        return;
    }
    let folder = Folder::new();
    let (content, torrent) = folder.make("a.bin", 200_000);
    let mut daemon = Daemon::start(folder.path(), &[]);
    let tv = daemon.dir.join("tv");
    fs::create_dir(&tv).unwrap();
    content.write_to(&tv);
    let metainfo = base64(&fs::read(&torrent.file).unwrap());
    let hash = added(&daemon, &json!({ "metainfo": metainfo, "download-dir": tv, "labels": ["one"] }));
    daemon.wait_for("status", &json!(6));
    daemon.ask("torrent-set", &json!({ "ids": 1, "labels": ["two"] }));
    daemon.ask("session-set", &json!({ "speed-limit-down": 11 }));
    daemon.ask("session-set", &json!({ "speed-limit-down": 22 }));
    // The engine has written where the content is.
    let states = || fs::read_dir(folder.path().join("state")).unwrap().flatten().map(|entry| entry.path());
    let is_resume = |path: &Path| path.extension().is_some_and(|end| end == "resume");
    wait_until("the resume state is written", PATIENCE, || states().any(|path| is_resume(&path)));
    daemon.kill();
    let (record, before) = (daemon.state_file(&hash, ".daemon"), daemon.state_file(&hash, ".daemon.before"));
    // A loss of power leaves zeros.
    fs::write(&record, [0; 300]).unwrap();
    let session = daemon.state_file("daemon", ".session");
    fs::write(&session, "d6:digest").unwrap();
    daemon.start_again();
    daemon.wait_for("status", &json!(6));
    let known = daemon.torrents(&["downloadDir", "labels"]);
    assert_eq!(known[0]["downloadDir"], json!(tv));
    assert!(known[0]["labels"] == json!(["one"]) || known[0]["labels"] == json!(["two"]), "{known:?}");
    let speed = daemon.ask("session-get", &json!({ "fields": ["speed-limit-down"] }));
    assert_eq!(speed["speed-limit-down"], 11);
    assert_eq!(fs::read(daemon.state_file(&hash, ".daemon.damaged")).unwrap(), [0; 300]);
    assert!(daemon.log().contains(&format!("{hash}.daemon is damaged")), "{}", daemon.log());

    // The version before is damaged, too. The resume state says where the content is.
    daemon.kill();
    fs::write(&record, "").unwrap();
    fs::write(&before, "").unwrap();
    daemon.start_again();
    let asked = ["downloadDir", "status", "errorString"];
    let known = daemon.torrents(&asked);
    assert_eq!((&known[0]["downloadDir"], &known[0]["status"]), (&json!(tv), &json!(0)));
    let words = known[0]["errorString"].as_str().unwrap();
    assert!(words.contains("its content was last in ") && words.contains("start it"), "{words}");
    daemon.ask("torrent-start", &json!({ "ids": 1 }));
    daemon.wait_for("status", &json!(6));

    // Nobody knows the folder any more. Then nothing is downloaded into another one.
    daemon.kill();
    [&record, &before].into_iter().for_each(|file| fs::write(file, "").unwrap());
    states().filter(|path| is_resume(path)).for_each(|path| fs::remove_file(path).unwrap());
    daemon.start_again();
    assert!(daemon.refuses("torrent-start", &json!({ "ids": 1 })).contains("set its location first"));
    daemon.kill_and_start();
    daemon.wait_for("status", &json!(0));
    assert!(daemon.refuses("torrent-start-now", &json!({ "ids": 1 })).contains("set its location first"));
    daemon.ask("torrent-set-location", &json!({ "ids": 1, "location": tv, "move": true }));
    daemon.wait_for("downloadDir", &json!(tv));
    daemon.ask("torrent-start", &json!({ "ids": 1 }));
    daemon.wait_for("status", &json!(6));
    assert!(!daemon.dir.join("a.bin").exists());

    // Its description is damaged.
    daemon.kill();
    fs::write(daemon.state_file(&hash, ".torrent"), "d4:info").unwrap();
    daemon.start_again();
    assert_eq!(daemon.torrents(&["downloadDir", "status"]), [json!({ "downloadDir": tv, "status": 0 })]);
    assert!(daemon.refuses("torrent-start", &json!({ "ids": 1 })).contains("add the torrent again"));
    assert_eq!(fs::read(daemon.state_file(&hash, ".torrent.damaged")).unwrap(), b"d4:info");
    let again = daemon.ask("torrent-add", &json!({ "metainfo": metainfo }));
    assert_eq!(again["torrent-duplicate"]["hashString"], hash);
    daemon.wait_for("status", &json!(6));
    assert_eq!(daemon.torrents(&["downloadDir", "name"]), [json!({ "downloadDir": tv, "name": "a.bin" })]);
    content.assert_same_in(&tv);
}

#[test]
fn two_torrents_do_not_get_the_same_file() {
    if !cfg!(feature = "daemon") {
        return;
    }
    let folder = Folder::new();
    let make = |name: &str, content: &Content| folder.make_of(content, name);
    let first = make("first", &Content::folder("show", &[("a", 100), ("b/c", 100)]));
    let other = make("other", &Content::folder("show", &[("z", 50), ("a", 200)]));
    let apart = make("apart", &Content::folder("show", &[("d", 100)]));
    let one = make("one", &Content::one_file("a", 300));
    let daemon = Daemon::start(folder.path(), &[]);
    let dir = |name: &str| daemon.dir.join(name);
    ["show", "elsewhere", "two"].iter().for_each(|name| fs::create_dir(dir(name)).unwrap());
    let add = |torrent: &Torrent, dir: &Path| json!({ "metainfo": base64(&fs::read(&torrent.file).unwrap()), "download-dir": dir, "paused": true });
    let first = added(&daemon, &add(&first, &daemon.dir));
    let words = daemon.refuses("torrent-add", &add(&other, &daemon.dir));
    let path = dir("show/a").display().to_string();
    assert!(words.contains(&format!("{path} is a file of the torrent show too")), "{words}");
    added(&daemon, &add(&apart, &daemon.dir));
    // A single file can be in the folder of another torrent.
    assert!(daemon.refuses("torrent-add", &add(&one, &dir("show"))).contains(&path));
    let one = added(&daemon, &add(&one, &dir("elsewhere")));
    let location = |hash: &str, dir: &Path| json!({ "ids": [hash], "location": dir, "move": false });
    assert!(daemon.refuses("torrent-set-location", &location(&one, &dir("show"))).contains(&path));
    assert!(daemon.refuses("torrent-set", &json!({ "ids": [one], "location": dir("show") })).contains(&path));
    assert!(daemon.refuses("torrent-set-location", &location(&one, &dir("show/b/c"))).contains("show/b/c"));
    daemon.ask("torrent-rename-path", &json!({ "ids": [one], "path": "a", "name": "e" }));
    daemon.ask("torrent-set-location", &location(&one, &dir("show")));
    let is_there = |hash: &str, dir: &Path| {
        let asked = json!({ "ids": [hash], "fields": ["downloadDir"] });
        daemon.ask("torrent-get", &asked)["torrents"][0]["downloadDir"] == json!(dir)
    };
    wait_until("it is moved", PATIENCE, || is_there(&one, &dir("show")));
    for name in ["a", "b", "d"] {
        let words = daemon.refuses("torrent-rename-path", &json!({ "ids": [one], "path": "e", "name": name }));
        assert!(words.contains("is a file of the torrent show too"), "{words}");
    }
    let other = added(&daemon, &add(&other, &dir("two")));
    assert!(daemon.refuses("torrent-set-location", &location(&other, &daemon.dir)).contains(&path));
    daemon.ask("torrent-remove", &json!({ "ids": [first] }));
    daemon.ask("torrent-set-location", &location(&other, &daemon.dir));
    wait_until("its place is free now", PATIENCE, || is_there(&other, &daemon.dir));
}

#[test]
fn two_torrents_do_not_get_the_same_file_while_they_are_incomplete() {
    if !cfg!(feature = "daemon") {
        return;
    }
    let folder = Folder::new();
    let half = folder.path().join("half");
    let (_, one) = folder.make("a", 200_000);
    let other = folder.make_of(&Content::one_file("a", 300), "other");
    let daemon = Daemon::start(folder.path(), &["--incomplete-dir", &half.to_string_lossy()]);
    let add = |torrent: &Torrent, dir: &Path| json!({ "metainfo": base64(&fs::read(&torrent.file).unwrap()), "download-dir": dir });
    added(&daemon, &add(&one, &daemon.dir));
    // They go to different folders, and would be in one before that.
    let words = daemon.refuses("torrent-add", &add(&other, &daemon.dir.join("two")));
    assert!(words.contains(&half.join("a").display().to_string()), "{words}");
    assert!(!daemon.refuses("torrent-add", &add(&other, &half)).is_empty());
}
