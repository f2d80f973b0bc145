//! Stories of what a daemon does by itself: programs that it starts, disks that fill up, lists that it fetches.

use crate::common::daemon::{Daemon, base64};
use crate::common::folder::Folder;
use crate::common::nginx::Nginx;
use crate::common::tools::{Tool, here};
use crate::common::torrent::Torrent;
use crate::common::transmission::ask;
use crate::common::wait::{PATIENCE, wait_until};
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

fn add(torrent: &Torrent) -> Value {
    json!({ "metainfo": base64(&fs::read(&torrent.file).unwrap()) })
}

/// A configuration with a program for each event. It appends the name of the torrent to a file of the event's name.
fn with_programs(folder: &Folder) -> PathBuf {
    let mut config = String::new();
    for event in ["added", "done", "done-seeding"] {
        let script = folder.path().join(format!("script-{event}"));
        let told = folder.path().join(event);
        fs::write(&script, format!("#!/bin/sh\necho \"$TR_TORRENT_NAME\" >> {}\n", told.display())).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        config += &format!("script-torrent-{event}-enabled = true\n");
        config += &format!("script-torrent-{event}-filename = {}\n", script.display());
    }
    let file = folder.path().join("config");
    fs::write(&file, config).unwrap();
    file
}

#[test]
fn a_program_is_started_once_for_each_download_and_not_for_what_was_there() {
    if !cfg!(feature = "daemon") {
        return;
    }
    let folder = Folder::new();
    let config = with_programs(&folder);
    let told = |event: &str| fs::read_to_string(folder.path().join(event)).unwrap_or_default();
    let mut daemon = Daemon::start(folder.path(), &["--config", &config.to_string_lossy()]);
    let status = |daemon: &Daemon, name: &str| {
        let torrents = daemon.torrents(&["name", "status", "leftUntilDone"]);
        let found = torrents.into_iter().find(|torrent| torrent["name"] == name).unwrap();
        (found["status"].as_u64().unwrap(), found["leftUntilDone"].as_u64().unwrap())
    };
    // What is complete when it is added was not downloaded.
    let (content, there) = folder.make("there", 100_000);
    content.write_to(&daemon.dir);
    daemon.ask("torrent-add", &add(&there));
    wait_until("it seeds", PATIENCE, || status(&daemon, "there") == (6, 0));
    // This one is complete before its figures are reported for the first time.
    let (_, small) = folder.make("small", 20_000);
    let mut seed = folder.seed("small", &small, &[]);
    folder.tracker.wait_for_a_seed(&small.info_hash, || seed.must_run());
    daemon.ask("torrent-add", &add(&small));
    wait_until("the program is started", PATIENCE, || told("done") == "small\n");
    // The last piece of this one came right before the kill.
    let (content, killed) = folder.make("killed", 100_000);
    daemon.ask("torrent-add", &add(&killed));
    wait_until("it looks for peers", PATIENCE, || status(&daemon, "killed") == (4, 100_000));
    daemon.kill();
    content.write_to(&daemon.dir);
    daemon.start_again();
    wait_until("the program is started", PATIENCE, || told("done") == "small\nkilled\n");
    daemon.kill_and_start();
    for name in ["there", "small", "killed"] {
        wait_until("it seeds", PATIENCE, || status(&daemon, name) == (6, 0));
    }
    let ids = json!([there.info_hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>()]);
    daemon.ask("torrent-verify", &json!({ "ids": ids }));
    daemon.ask("torrent-set", &json!({ "ids": ids, "seedRatioMode": 1, "seedRatioLimit": 0 }));
    wait_until("it has seeded enough", PATIENCE, || told("done-seeding") == "there\n");
    let finished = daemon.ask("torrent-get", &json!({ "ids": ids, "fields": ["isFinished", "status"] }));
    assert_eq!(finished["torrents"], json!([{ "isFinished": true, "status": 0 }]));
    assert_eq!(daemon.end(), Some(0));
    assert_eq!((told("added"), told("done")), ("there\nsmall\nkilled\n".into(), "small\nkilled\n".into()));
}

#[test]
fn downloads_wait_for_their_turn_and_for_space() {
    if !cfg!(feature = "daemon") {
        return;
    }
    let folder = Folder::new();
    let config = folder.path().join("config");
    fs::write(&config, "download-queue-size = 1\n").unwrap();
    let mut daemon = Daemon::start(folder.path(), &["--config", &config.to_string_lossy()]);
    for name in ["one", "two"] {
        daemon.ask("torrent-add", &add(&folder.make(name, 100_000).1));
    }
    let statuses = |daemon: &Daemon| {
        let torrents = daemon.torrents(&["status"]);
        torrents.iter().map(|torrent| torrent["status"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    wait_until("one waits for the other", PATIENCE, || statuses(&daemon) == [4, 3]);
    daemon.ask("queue-move-top", &json!({ "ids": 2 }));
    daemon.ask("torrent-stop", &json!({ "ids": 1 }));
    wait_until("the next one has its turn", PATIENCE, || statuses(&daemon) == [0, 4]);
    // No disk has a petabyte.
    daemon.kill();
    fs::write(&config, "download-queue-size = 1\nmin-free-space = 1000000000\n").unwrap();
    daemon.start_again();
    let waits = |daemon: &Daemon, id: u64| {
        let asked = json!({ "ids": id, "fields": ["status", "errorString"] });
        let torrent = daemon.ask("torrent-get", &asked)["torrents"][0].clone();
        let words = torrent["errorString"].as_str().unwrap().to_string();
        words.contains("has less free space than") && [0, 3].contains(&torrent["status"].as_u64().unwrap())
    };
    // It is the first one now.
    wait_until("it waits for space", PATIENCE, || waits(&daemon, 1));
    daemon.ask("torrent-add", &add(&folder.make("three", 100_000).1));
    wait_until("so does a new one", PATIENCE, || waits(&daemon, 3));
    // A person who stops it means that.
    daemon.ask("torrent-stop", &json!({ "ids": 3 }));
    wait_until("it is stopped", PATIENCE, || statuses(&daemon)[2] == 0);
}

#[test]
fn a_blocklist_is_fetched_and_a_broken_one_does_not_replace_it() {
    if !cfg!(feature = "daemon") || !here(&[Tool::Nginx]) {
        return;
    }
    let folder = Folder::new();
    let root = folder.path().join("www");
    fs::create_dir(&root).unwrap();
    fs::write(root.join("plain"), "bad:1.2.3.4-1.2.3.9\n5.6.7.0/24\n9.9.9.9\n").unwrap();
    fs::write(root.join("packed.gz"), gzip(b"worse:2.2.2.2-2.2.2.3\n3.3.3.3\n")).unwrap();
    let broken = &gzip(&b"worst:4.4.4.4-4.4.4.5\n".repeat(100))[..30];
    fs::write(root.join("broken.gz"), broken).unwrap();
    fs::write(root.join("page"), "<html>Sign in first</html>\n").unwrap();
    let nginx = Nginx::start(&root, folder.path(), "");
    let mut daemon = Daemon::start(folder.path(), &[]);
    let update = |daemon: &Daemon, path: &str| {
        daemon.ask("session-set", &json!({ "blocklist-enabled": true, "blocklist-url": nginx.url(path) }));
        daemon.try_to("blocklist-update", &json!({})).map(|answer| answer["blocklist-size"].as_u64().unwrap())
    };
    let size = |daemon: &Daemon| {
        daemon.ask("session-get", &json!({ "fields": ["blocklist-size"] }))["blocklist-size"].as_u64().unwrap()
    };
    assert_eq!(update(&daemon, "plain"), Some(3));
    assert_eq!(update(&daemon, "packed.gz"), Some(2));
    // Two programs at one time.
    let rpc = daemon.rpc;
    let both: Vec<_> = (0..2).map(|_| thread::spawn(move || ask(rpc, "blocklist-update", &json!({})))).collect();
    for asked in both {
        assert_eq!(asked.join().unwrap().expect("it is fetched")["blocklist-size"], 2);
    }
    for path in ["broken.gz", "page", "not-there"] {
        assert_eq!(update(&daemon, path), None, "{path}");
        assert_eq!(size(&daemon), 2, "{path}");
    }
    for url in ["file:///etc/passwd", "ftp://127.0.0.1/list", "data:,1.2.3.4", "/etc/passwd"] {
        daemon.ask("session-set", &json!({ "blocklist-url": url }));
        let why = daemon.refuses("blocklist-update", &json!({}));
        assert!(why.contains("neither http nor https"), "{url}: {why}");
        assert_eq!(size(&daemon), 2, "{url}");
    }
    daemon.kill_and_start();
    wait_until("the last good list is there after the next start", PATIENCE, || size(&daemon) == 2);
}

/// The bytes, compressed by gzip.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut command = Command::new("gzip");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    child.wait_with_output().unwrap().stdout
}

/// Names that nobody should open, in a folder that is watched.
#[test]
fn what_is_odd_in_a_watched_folder_is_left_alone() {
    if !cfg!(feature = "daemon") {
        return;
    }
    let folder = Folder::new();
    let (_, torrent) = folder.make("one", 20_000);
    let (_, secret) = folder.make("secret", 20_000);
    let watched = |name: &str| folder.dir.join(name);
    for name in ["pipe.torrent", "pipe.magnet"] {
        assert!(Command::new("mkfifo").arg(watched(name)).status().unwrap().success());
    }
    std::os::unix::fs::symlink(&secret.file, watched("link.torrent")).unwrap();
    fs::File::create(watched("huge.torrent")).unwrap().set_len(10 << 30).unwrap();
    fs::create_dir(watched("folder.torrent")).unwrap();
    let whole = fs::read(&torrent.file).unwrap();
    fs::write(watched("half.torrent"), &whole[..whole.len() / 2]).unwrap();
    for name in ["one.torrent", "same.torrent"] {
        folder.put(&torrent, name);
    }
    let daemon = Daemon::start(folder.path(), &["--watch-dir", &folder.dir.to_string_lossy()]);
    let is_taken = |name: &str| Path::new(&format!("{}.added", watched(name).display())).exists();
    wait_until("both are taken", PATIENCE, || is_taken("one.torrent") && is_taken("same.torrent"));
    wait_until("the others are named", PATIENCE, || {
        ["huge.torrent", "pipe.torrent", "link.torrent", "half.torrent"].iter().all(|name| daemon.log().contains(name))
    });
    // It is written to its end after all.
    fs::write(watched("half.torrent"), fs::read(&secret.file).unwrap()).unwrap();
    wait_until("the half one is whole", PATIENCE, || is_taken("half.torrent"));
    let names = daemon.torrents(&["name"]);
    assert_eq!(names, [json!({ "name": "one" }), json!({ "name": "secret" })]);
    for name in ["huge.torrent", "pipe.torrent", "pipe.magnet", "link.torrent", "folder.torrent"] {
        assert!(watched(name).symlink_metadata().is_ok(), "{name}");
    }
}
