//! Stories of the daemon: unchanged programs by other people control it, as they control transmission.

use crate::common::content::{Content, damage};
use crate::common::daemon::{Daemon, base64, command};
use crate::common::folder::Folder;
use crate::common::process::Process;
use crate::common::swarmlet::program;
use crate::common::tools::{Tool, here};
use crate::common::transmission::answer;
use crate::common::wait::{PATIENCE, wait_until};
use rustix::process::Signal;
use serde_json::json;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::thread;

const SIZE: usize = 1 << 20;

#[test]
fn transmission_remote_adds_watches_limits_stops_and_removes_a_torrent() {
    if !cfg!(feature = "daemon") || !here(&[Tool::Transmission]) {
        return;
    }
    let folder = Folder::new();
    let (content, torrent) = folder.make("a.bin", SIZE);
    let mut seed = folder.seed("a.bin", &torrent, &[]);
    folder.tracker.wait_for_a_seed(&torrent.info_hash, || seed.must_run());
    let mut daemon = Daemon::start(folder.path(), &[]);
    assert!(daemon.remote(&["--add", &torrent.file.to_string_lossy()]).contains("success"));
    daemon.wait_for("leftUntilDone", &json!(0));
    daemon.wait_for("status", &json!(6));
    content.assert_same_in(&daemon.dir);
    let list = daemon.remote(&["--list"]);
    assert!(list.contains("100%") && list.contains("a.bin"), "{list}");
    assert!(daemon.remote(&["-t1", "--files"]).contains("100% Normal   Yes"));
    let remote = |daemon: &Daemon, arguments: &[&str]| {
        let said = daemon.remote(&[&["-t1"], arguments].concat());
        assert!(said.contains("success"), "{arguments:?}: {said}");
    };
    remote(&daemon, &["--downlimit", "50"]);
    remote(&daemon, &["--labels", "tv,old"]);
    remote(&daemon, &["--seedratio", "1.5"]);
    remote(&daemon, &["--stop"]);
    daemon.wait_for("status", &json!(0));
    daemon.kill_and_start();
    let wishes = ["downloadLimit", "downloadLimited", "labels", "seedRatioLimit", "seedRatioMode", "status"];
    let expected = json!({ "downloadLimit": 50, "downloadLimited": true, "labels": ["tv", "old"],
        "seedRatioLimit": 1.5, "seedRatioMode": 1, "status": 0 });
    assert_eq!(daemon.torrents(&wishes), [expected]);
    remote(&daemon, &["--start"]);
    daemon.wait_for("status", &json!(6));
    remote(&daemon, &["--remove-and-delete"]);
    assert!(daemon.torrents(&["id"]).is_empty());
    wait_until("the content is deleted", PATIENCE, || !daemon.dir.join("a.bin").exists());
    assert_eq!(daemon.end(), Some(0));
}

#[test]
fn a_link_becomes_a_torrent_that_is_moved_renamed_and_verified() {
    if !cfg!(all(feature = "daemon", feature = "magnet")) {
        return;
    }
    let folder = Folder::new();
    let (content, torrent) = folder.make("a.bin", SIZE);
    let mut seed = folder.seed("a.bin", &torrent, &[]);
    folder.tracker.wait_for_a_seed(&torrent.info_hash, || seed.must_run());
    let half = folder.path().join("half");
    fs::create_dir(&half).unwrap();
    let mut daemon = Daemon::start(folder.path(), &["--incomplete-dir", &half.to_string_lossy()]);
    let tracker = folder.tracker.url().replace(':', "%3A").replace('/', "%2F");
    daemon.ask("torrent-add", &json!({ "filename": torrent.link(&format!("&tr={tracker}")) }));
    daemon.wait_for("percentDone", &json!(1));
    wait_until("it is in the folder for complete ones", PATIENCE, || content.difference_in(&daemon.dir).is_none());
    daemon.wait_for("status", &json!(6));
    let elsewhere = daemon.dir.join("tv");
    fs::create_dir(&elsewhere).unwrap();
    daemon.ask("torrent-set-location", &json!({ "ids": 1, "location": elsewhere, "move": true }));
    daemon.wait_for("downloadDir", &json!(elsewhere));
    content.assert_same_in(&elsewhere);
    daemon.ask("torrent-rename-path", &json!({ "ids": 1, "path": "a.bin", "name": "b.bin" }));
    assert!(elsewhere.join("b.bin").is_file());
    daemon.kill_and_start();
    daemon.wait_for("status", &json!(6));
    assert_eq!(daemon.torrents(&["name", "leftUntilDone"]), [json!({ "name": "b.bin", "leftUntilDone": 0 })]);
    // A complete file that was changed may be the user's work. The second command says that it is not.
    damage(&elsewhere.join("b.bin"), 100, 1000);
    daemon.ask("torrent-verify", &json!({ "ids": 1 }));
    daemon.wait_for("error", &json!(3));
    daemon.ask("torrent-verify", &json!({ "ids": 1 }));
    wait_until("what was damaged is downloaded again", PATIENCE, || {
        fs::read(elsewhere.join("b.bin")).is_ok_and(|found| found == content.concatenated())
    });
}

/// The files of a link are not known when it is added. The choice waits for them, also over a kill.
#[test]
fn files_are_chosen_when_a_link_is_added() {
    if !cfg!(all(feature = "daemon", feature = "magnet")) {
        return;
    }
    let folder = Folder::new();
    let content = Content::folder("two", &[("a", SIZE), ("b", SIZE)]);
    let torrent = folder.make_of(&content, "two");
    let mut daemon = Daemon::start(folder.path(), &[]);
    let tracker = folder.tracker.url().replace(':', "%3A").replace('/', "%2F");
    let link = torrent.link(&format!("&tr={tracker}"));
    daemon.ask("torrent-add", &json!({ "filename": link, "files-unwanted": [], "files-wanted": [1] }));
    daemon.kill_and_start();
    let mut seed = folder.seed("two", &torrent, &[]);
    folder.tracker.wait_for_a_seed(&torrent.info_hash, || seed.must_run());
    daemon.ask("torrent-reannounce", &json!({ "ids": 1 }));
    daemon.wait_for("percentDone", &json!(1));
    assert_eq!(daemon.torrents(&["wanted"]), [json!({ "wanted": [0, 1] })]);
    let two = daemon.dir.join("two");
    assert!(two.join("b").is_file() && !two.join("a").exists());
}

#[test]
fn a_file_in_the_watched_folder_is_added_and_a_program_is_started_without_a_shell() {
    if !cfg!(feature = "daemon") {
        return;
    }
    let folder = Folder::new();
    let (script, told) = (folder.path().join("script"), folder.path().join("told"));
    fs::write(
        &script,
        format!("#!/bin/sh\necho \"$TR_TORRENT_NAME in $TR_TORRENT_DIR\" > {0}.new; mv {0}.new {0}\n", told.display()),
    )
    .unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let config = folder.path().join("config");
    let text =
        format!("# mine\nscript-torrent-added-filename = {}\nscript-torrent-added-enabled = yes\n", script.display());
    fs::write(&config, &text).unwrap();
    let name = "$(touch stolen)";
    let (_, torrent) = folder.make(name, SIZE);
    let mut daemon = Daemon::start(
        folder.path(),
        &["--watch-dir", &folder.dir.to_string_lossy(), "--config", &config.to_string_lossy()],
    );
    let file = folder.put(&torrent, "one.torrent");
    let added = file.with_extension("torrent.added");
    wait_until("the file is taken", PATIENCE, || added.exists() && !file.exists());
    wait_until("the program is started", PATIENCE, || told.exists());
    assert_eq!(fs::read_to_string(&told).unwrap(), format!("{name} in {}\n", daemon.dir.display()));
    assert_eq!(daemon.torrents(&["name"]), [json!({ "name": name })]);
    // Programs can't name another program, and see what the file says when it is read again.
    assert!(daemon.try_to("session-set", &json!({ "script-torrent-added-filename": "/bin/false" })).is_none());
    daemon.ask("session-set", &json!({ "speed-limit-up": 77, "download-queue-size": 3 }));
    fs::write(&config, text + "speed-limit-up = 88\n").unwrap();
    daemon.signal(Signal::HUP);
    let settings = || daemon.ask("session-get", &json!({ "fields": ["speed-limit-up", "download-queue-size"] }));
    wait_until("the file comes before the program", PATIENCE, || settings()["speed-limit-up"] == 88);
    assert_eq!(settings()["download-queue-size"], 3);
}

#[test]
fn content_goes_only_below_the_folder_and_rpc_is_not_open_to_all() {
    if !cfg!(feature = "daemon") {
        return;
    }
    let folder = Folder::new();
    let daemon = Daemon::start(folder.path(), &[]);
    let link = "magnet:?xt=urn:btih:0123456789012345678901234567890123456789";
    let outside = format!("{}/../x", daemon.dir.display());
    for dir in ["/etc", "relative", outside.as_str()] {
        assert!(daemon.try_to("torrent-add", &json!({ "filename": link, "download-dir": dir })).is_none(), "{dir}");
        assert!(daemon.try_to("session-set", &json!({ "download-dir": dir })).is_none(), "{dir}");
    }
    for source in ["file:///etc/passwd", "/etc/passwd", "ftp://127.0.0.1/x"] {
        assert!(daemon.try_to("torrent-add", &json!({ "filename": source })).is_none(), "{source}");
    }
    assert!(daemon.torrents(&["id"]).is_empty());
    let refused = |arguments: &[&str], code: i32| {
        let scratch = tempfile::tempdir().unwrap();
        let mut command = command(scratch.path(), &daemon.dir);
        let mut process = Process::start("refused", command.args(arguments), scratch.path());
        assert_eq!(process.wait(PATIENCE).code(), Some(code), "{arguments:?}: {}", process.stderr());
    };
    let config = folder.path().join("open");
    fs::write(&config, "rpc-whitelist-enabled = false\n").unwrap();
    refused(&["--rpc", "0.0.0.0:0", "--config", &config.to_string_lossy()], 64);
    refused(&["--rpc", "nonsense"], 64);
    fs::write(&config, "peer-port = many\n").unwrap();
    refused(&["--config", &config.to_string_lossy()], 64);
    refused(&["--config", "/no/such"], 66);
    // A colon stands between two folders, so this one would be two.
    let colon = folder.path().join("a:b").display().to_string();
    refused(&["--incomplete-dir", &colon], 64);
    fs::write(&config, format!("download-roots = {}\nincomplete-dir-enabled = true\n", folder.path().display()))
        .unwrap();
    let scratch = Folder::new();
    Daemon::start(scratch.path(), &["--incomplete-dir", &colon, "--config", &config.to_string_lossy()]);
    refused(&["--rpc", &daemon.rpc.to_string()], 69);
    // In a state below the folder a torrent could bring settings.
    symlink(&daemon.dir, folder.path().join("link")).unwrap();
    let refused_state = |state: &Path, more: &[&Path], words: &str| {
        let mut command = Command::new(program());
        command.arg("daemon").arg("--dir").arg(&daemon.dir).arg("--state").arg(state).args(more);
        let mut process = Process::start("refused", &mut command, folder.path());
        assert_eq!(process.wait(PATIENCE).code(), Some(64), "{}", state.display());
        assert!(process.stderr().contains(words), "{}", process.stderr());
    };
    for state in [daemon.dir.join("state"), folder.path().join("link/new/state"), daemon.dir.clone()] {
        refused_state(&state, &[], "name another folder with --state");
    }
    // Content in the state would be deleted with it.
    refused_state(folder.path(), &[], "name another folder for the content");
    let state = folder.path().join("other");
    for below in [state.join("half"), folder.path().join("link/../other/half")] {
        refused_state(&state, &["--incomplete-dir".as_ref(), &below], "name another folder for the content");
    }
    assert!(!daemon.dir.join("state").exists() && !state.exists());
}

/// A list that is too long for the daemon's loop is written by a helper. Few programs may wait for it.
#[test]
fn long_lists_are_whole_or_refused_while_others_are_answered() {
    const FILES: usize = 2_500;
    if !cfg!(feature = "daemon") {
        return;
    }
    let folder = Folder::new();
    let names: Vec<String> = (0..FILES).map(|number| format!("{number}")).collect();
    let files: Vec<(&str, usize)> = names.iter().map(|name| (name.as_str(), 3)).collect();
    let torrent = folder.make_of(&Content::folder("many", &files), "many");
    let mut daemon = Daemon::start(folder.path(), &[]);
    let metainfo = base64(&fs::read(&torrent.file).unwrap());
    daemon.ask("torrent-add", &json!({ "metainfo": metainfo, "files-unwanted": [1] }));
    daemon.wait_for("status", &json!(4));
    let asked = json!({ "ids": "recently-active", "fields": ["files", "wanted", "hashString"] });
    let programs: Vec<_> = (0..40)
        .map(|_| {
            let (rpc, asked) = (daemon.rpc, asked.clone());
            thread::spawn(move || answer(rpc, "torrent-get", &asked))
        })
        .collect();
    let answers = programs.into_iter().map(|program| program.join().unwrap().expect("each is answered"));
    let (good, refused): (Vec<_>, Vec<_>) = answers.partition(|answer| answer["result"] == "success");
    assert!(!good.is_empty());
    for answer in good {
        assert_eq!(answer["arguments"]["removed"], json!([]));
        let torrents = answer["arguments"]["torrents"].as_array().unwrap();
        assert_eq!(torrents.len(), 1);
        let (files, wanted) = (torrents[0]["files"].as_array().unwrap(), torrents[0]["wanted"].as_array().unwrap());
        assert_eq!((files.len(), wanted.len(), &wanted[..3]), (FILES, FILES, &[json!(1), json!(0), json!(1)][..]));
        assert!(files.iter().all(|file| file["length"] == 3 && file["name"].as_str().unwrap().starts_with("many/")));
    }
    for answer in refused {
        assert!(answer["result"].as_str().unwrap().starts_with("too many programs ask for long lists"), "{answer}");
    }
}
