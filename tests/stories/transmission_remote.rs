//! Stories of transmission-remote 3.00, which controls the daemon with every option that it has. Each option is checked
//! by what it changes.

use crate::common::content::{Content, damage};
use crate::common::daemon::Daemon;
use crate::common::folder::Folder;
use crate::common::http::Server;
use crate::common::swarmlet::Get;
use crate::common::tools::{Tool, here};
use crate::common::wait::{PATIENCE, wait_until};
use serde_json::{Value, json};
use std::fs;
use std::net::Ipv4Addr;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

/// The largest file: at 100 kB/s it takes ten seconds.
const LARGE: usize = 1_000_000;
/// How long a limit is watched.
const A_WHILE: Duration = Duration::from_millis(700);

/// Runs an option that must succeed. Returns what is printed.
fn remote(daemon: &Daemon, options: &[&str]) -> String {
    let said = daemon.remote(options);
    assert!(!said.contains("Error") && !said.contains("rror:"), "{options:?}: {said}");
    said
}

/// Runs an option that can't apply, and whose answer must say why.
fn refused(daemon: &Daemon, options: &[&str], why: &str) {
    let said = daemon.remote(options);
    assert!(said.contains(why), "{options:?}: expected {why:?}, found {said}");
}

fn setting(daemon: &Daemon, name: &str) -> Value {
    daemon.ask("session-get", &json!({ "fields": [name] }))[name].clone()
}

/// A field of the torrent with this number.
fn field(daemon: &Daemon, id: u32, name: &str) -> Value {
    daemon.ask("torrent-get", &json!({ "ids": [id], "fields": [name] }))["torrents"][0][name].clone()
}

fn wait_for(daemon: &Daemon, id: u32, name: &str, value: &Value) {
    wait_until(&format!("{name} of {id} is {value}"), PATIENCE, || field(daemon, id, name) == *value);
}

#[test]
fn transmission_remote_changes_each_setting_that_exists_and_hears_of_each_that_does_not() {
    if !cfg!(feature = "daemon") || !here(&[Tool::Transmission]) {
        return;
    }
    let folder = Folder::new();
    let watched = folder.path().join("watched");
    fs::create_dir(&watched).unwrap();
    let daemon = Daemon::start(folder.path(), &["--watch-dir", watched.to_str().unwrap()]);
    let below = |name: &str| daemon.dir.join(name).to_string_lossy().into_owned();
    let (half, other) = (below("half"), below("other"));
    let changes: &[(&[&str], &str, Value)] = &[
        (&["--trash-torrent"], "trash-original-torrent-files", json!(true)),
        (&["--alt-speed"], "alt-speed-enabled", json!(true)),
        (&["--no-alt-speed"], "alt-speed-enabled", json!(false)),
        (&["--alt-speed-downlimit", "33"], "alt-speed-down", json!(33)),
        (&["--alt-speed-uplimit", "34"], "alt-speed-up", json!(34)),
        (&["--alt-speed-time-begin", "1030"], "alt-speed-time-begin", json!(10 * 60 + 30)),
        (&["--alt-speed-time-end", "2215"], "alt-speed-time-end", json!(22 * 60 + 15)),
        (&["--alt-speed-days", "2,4-6"], "alt-speed-time-day", json!(0b111_0100)),
        (&["--alt-speed-scheduler"], "alt-speed-time-enabled", json!(true)),
        (&["--no-alt-speed-scheduler"], "alt-speed-time-enabled", json!(false)),
        (&["--incomplete-dir", &half], "incomplete-dir", json!(half)),
        (&["--incomplete-dir", &half], "incomplete-dir-enabled", json!(true)),
        (&["--no-incomplete-dir"], "incomplete-dir-enabled", json!(false)),
        (&["--downlimit", "400"], "speed-limit-down", json!(400)),
        (&["--downlimit", "400"], "speed-limit-down-enabled", json!(true)),
        (&["--no-downlimit"], "speed-limit-down-enabled", json!(false)),
        (&["--uplimit", "300"], "speed-limit-up", json!(300)),
        (&["--uplimit", "300"], "speed-limit-up-enabled", json!(true)),
        (&["--no-uplimit"], "speed-limit-up-enabled", json!(false)),
        (&["--encryption-required"], "encryption", json!("required")),
        (&["--encryption-tolerated"], "encryption", json!("tolerated")),
        (&["--encryption-preferred"], "encryption", json!("preferred")),
        (&["--global-seedratio", "1.5"], "seedRatioLimit", json!(1.5)),
        (&["--global-seedratio", "1.5"], "seedRatioLimited", json!(true)),
        (&["--no-global-seedratio"], "seedRatioLimited", json!(false)),
        (&["--portmap"], "port-forwarding-enabled", json!(true)),
        (&["--no-portmap"], "port-forwarding-enabled", json!(false)),
        (&["--dht"], "dht-enabled", json!(true)),
        (&["--no-dht"], "dht-enabled", json!(false)),
        (&["--pex"], "pex-enabled", json!(true)),
        (&["--no-pex"], "pex-enabled", json!(false)),
        (&["--lpd"], "lpd-enabled", json!(true)),
        (&["--no-lpd"], "lpd-enabled", json!(false)),
        (&["--peers", "77"], "peer-limit-global", json!(77)),
        (&["--start-paused"], "start-added-torrents", json!(false)),
        (&["--download-dir", &other], "download-dir", json!(other)),
        (&["--no-utp"], "utp-enabled", json!(false)),
        (&["--no-torrent-done-script"], "script-torrent-done-enabled", json!(false)),
    ];
    // The folder is looked into every few seconds. The file is in it while the options are tried.
    let (_, torrent) = folder.make("watched.bin", 10_000);
    fs::copy(&torrent.file, watched.join("one.torrent")).unwrap();
    for (options, name, value) in changes {
        remote(&daemon, options);
        assert_eq!(setting(&daemon, name), *value, "{options:?}");
    }
    for (options, why) in [
        (&["--torrent-done-script", "/bin/true"][..], "can only be changed in the configuration file"),
        (&["--cache", "8"], "swarmlet has no such cache"),
        (&["--utp"], "swarmlet speaks TCP with peers, and no uTP"),
        (&["--download-dir", "/etc"], "not below a folder"),
        (&["--blocklist-update"], "there is no URL of a blocklist"),
        // TLS is the task of a web server in front of it.
        (&["--ssl", "--list"], "SSL"),
    ] {
        refused(&daemon, options, why);
    }
    assert!(remote(&daemon, &["--port-test"]).contains("Port is open: No"), "nobody has connected");
    let list = Server::start(Ipv4Addr::LOCALHOST.into(), |_, _| Some(b"bad:192.0.2.0-192.0.2.255\n".to_vec()));
    daemon.ask("session-set", &json!({ "blocklist-url": format!("http://{}/list", list.address()) }));
    remote(&daemon, &["--blocklist-update"]);
    assert_eq!(setting(&daemon, "blocklist-size"), 1);
    let info = remote(&daemon, &["--session-info"]);
    for part in ["Download directory", "Peer limit: 77", "turtle limit: 34 kB/s", "Default seed ratio limit"] {
        assert!(info.contains(part), "{part}: {info}");
    }
    assert!(remote(&daemon, &["--session-stats"]).contains("Started 1 times"));
    assert!(remote(&daemon, &["--debug", "--list"]).contains("torrent-get"));
    // What was taken from the watched folder is neither started nor kept.
    wait_until("the file is removed", PATIENCE, || fs::read_dir(&watched).unwrap().next().is_none());
    wait_for(&daemon, 1, "status", &json!(0));
    assert_eq!(field(&daemon, 1, "downloadDir"), json!(other));
    remote(&daemon, &["--no-start-paused"]);
    remote(&daemon, &["--no-trash-torrent"]);
    assert_eq!(setting(&daemon, "trash-original-torrent-files"), false);
    let (_, torrent) = folder.make("now.bin", 10_000);
    let elsewhere = below("elsewhere");
    remote(&daemon, &["--add", torrent.file.to_str().unwrap(), "--download-dir", &elsewhere]);
    wait_for(&daemon, 2, "status", &json!(4));
    assert_eq!(field(&daemon, 2, "downloadDir"), json!(elsewhere));
    remote(&daemon, &["--exit"]);
    assert_eq!(daemon.wait(), Some(0));
}

#[test]
fn transmission_remote_does_with_a_torrent_all_that_it_can() {
    if !cfg!(feature = "daemon") || !here(&[Tool::Transmission]) {
        return;
    }
    let folder = Folder::new();
    let content = Content::folder("two", &[("a", LARGE), ("b", 40_000), ("c", 20_000)]);
    let torrent = folder.make_of(&content, "two");
    let mut seed = folder.seed("two", &torrent, &[]);
    folder.tracker.wait_for_a_seed(&torrent.info_hash, || seed.must_run());
    let daemon = Daemon::start(folder.path(), &[]);
    let (_, small) = folder.make("small", 30_000);
    remote(&daemon, &["--start-paused"]);
    let files = [&torrent, &small].map(|torrent| torrent.file.to_string_lossy().into_owned());
    // (It takes one file with each option, although its manual has an example with more.)
    remote(&daemon, &["--add", &files[0], "--add", &files[1]]);
    assert_eq!(daemon.torrents(&["id", "status"]).len(), 2);

    // Which torrents are meant.
    for (ids, count) in [("all", 2), ("1", 1), ("1,2", 2), ("1-2", 2), ("active", 2), ("9", 0)] {
        let list = remote(&daemon, &["-t", ids, "--list"]);
        assert_eq!(list.lines().count(), count + 2, "{ids}: {list}");
    }
    let hash = field(&daemon, 1, "hashString");
    assert!(remote(&daemon, &["-t", hash.as_str().unwrap(), "--info"]).contains("Name: two"));

    // Files. (They are counted from 0.)
    let one = |options: &[&str]| remote(&daemon, &[&["-t1"], options].concat());
    let shows = |name: &str, value: Value| assert_eq!(field(&daemon, 1, name), value, "{name}");
    let steps: &[(&[&str], &str, Value)] = &[
        (&["--no-get", "all"], "wanted", json!([0, 0, 0])),
        (&["--get", "0-1"], "wanted", json!([1, 1, 0])),
        (&["--priority-high", "1"], "priorities", json!([0, 1, 0])),
        (&["--priority-low", "0"], "priorities", json!([-1, 1, 0])),
        (&["--priority-normal", "all"], "priorities", json!([0, 0, 0])),
        (&["--priority-high", "1"], "priorities", json!([0, 1, 0])),
        (&["--labels", "tv,old"], "labels", json!(["tv", "old"])),
        (&["--downlimit", "50"], "downloadLimit", json!(50)),
        (&["--downlimit", "50"], "downloadLimited", json!(true)),
        (&["--uplimit", "50"], "uploadLimit", json!(50)),
        (&["--uplimit", "50"], "uploadLimited", json!(true)),
        (&["--seedratio", "1.25"], "seedRatioLimit", json!(1.25)),
        (&["--seedratio", "1.25"], "seedRatioMode", json!(1)),
        (&["--no-seedratio"], "seedRatioMode", json!(2)),
        (&["--seedratio-default"], "seedRatioMode", json!(0)),
        (&["--no-honor-session"], "honorsSessionLimits", json!(false)),
        (&["--honor-session"], "honorsSessionLimits", json!(true)),
        (&["--bandwidth-high"], "bandwidthPriority", json!(1)),
        (&["--bandwidth-low"], "bandwidthPriority", json!(-1)),
        (&["--bandwidth-normal"], "bandwidthPriority", json!(0)),
        (&["--peers", "9"], "peer-limit", json!(9)),
    ];
    for (options, name, value) in steps {
        one(options);
        shows(name, value.clone());
    }
    assert_eq!(field(&daemon, 1, "doneDate"), 0, "that no file was wanted does not make it complete");
    let info = one(&["--info"]);
    for part in ["Labels: tv, old", "Download Limit: 50 kB/s", "Peer limit: 9", "Piece Size: 16.00 KiB"] {
        assert!(info.contains(part), "{part}: {info}");
    }
    let list = one(&["--info-files"]);
    assert!(list.contains("High     Yes   40.0 kB  two/b") || list.contains("High     Yes  40.00 kB  two/b"), "{list}");
    assert!(list.contains("Normal   No "), "{list}");

    // Limits, while it downloads: the torrent's own, that of all, and the alternative one.
    one(&["--start"]);
    wait_until("something comes", PATIENCE, || field(&daemon, 1, "rateDownload") != 0);
    let goes_on_slowly = || {
        let before = field(&daemon, 1, "downloadedEver").as_u64().unwrap();
        sleep(A_WHILE);
        let came = field(&daemon, 1, "downloadedEver").as_u64().unwrap() - before;
        assert!(came < 200_000 && field(&daemon, 1, "leftUntilDone") != 0, "{came} bytes came");
    };
    goes_on_slowly();
    remote(&daemon, &["--downlimit", "50"]);
    one(&["--no-downlimit"]);
    goes_on_slowly();
    remote(&daemon, &["--alt-speed", "--alt-speed-downlimit", "50", "--alt-speed-uplimit", "50"]);
    remote(&daemon, &["--no-downlimit"]);
    goes_on_slowly();
    assert!(one(&["--info-peers"]).contains("swarmlet"), "the peers are listed");
    assert!(one(&["--peer-info"]).contains("swarmlet"), "by this option, too");
    assert!(one(&["--info-pieces"]).contains("000"), "pieces are missing");
    // A torrent that does not honor the limits of the session is as fast as it can be.
    one(&["--no-honor-session"]);
    wait_for(&daemon, 1, "leftUntilDone", &json!(0));
    wait_until("the wanted files are complete", PATIENCE, || daemon.dir.join("two/b").exists());
    assert!(!daemon.dir.join("two/c").exists(), "it is not wanted");
    let trackers = one(&["--info-trackers"]);
    assert!(trackers.contains("Got a list of") && trackers.contains("Asking for more peers in"), "{trackers}");

    // Uploads have limits, too.
    one(&["--get", "all", "--honor-session"]);
    wait_until("the other file is there, too", PATIENCE, || content.difference_in(&daemon.dir).is_none());
    wait_for(&daemon, 1, "leftUntilDone", &json!(0));
    seed.terminate().assert_code(0);
    let leecher = Get::new("leecher", folder.path()).torrent(&torrent).start();
    wait_until("the leecher gets something", PATIENCE, || field(&daemon, 1, "uploadedEver").as_u64() > Some(0));
    sleep(A_WHILE);
    assert!(field(&daemon, 1, "uploadedEver").as_u64().unwrap() < 300_000, "the limit of all and its own hold");
    one(&["--no-uplimit"]);
    remote(&daemon, &["--no-alt-speed"]);
    wait_until("the leecher gets the rest", PATIENCE, || field(&daemon, 1, "uploadedEver").as_u64() > Some(1_000_000));
    drop(leecher);

    // Trackers.
    one(&["--tracker-add", "http://127.0.0.1:1/announce"]);
    let urls = || {
        let trackers = field(&daemon, 1, "trackers");
        trackers.as_array().unwrap().iter().map(|tracker| tracker["announce"].clone()).collect::<Vec<Value>>()
    };
    assert_eq!(urls(), [json!(folder.tracker.url()), json!("http://127.0.0.1:1/announce")]);
    let port = setting(&daemon, "peer-port").as_u64().unwrap() as u16;
    let announces = || folder.tracker.announces_from(&torrent.info_hash, port).len();
    let before = announces();
    one(&["--reannounce"]);
    wait_until("the tracker is asked", PATIENCE, || announces() > before);
    wait_until("the other one does not answer", PATIENCE, || {
        one(&["--info-trackers"]).contains("Got an error \"Connection refused\"")
    });
    one(&["--tracker-remove", "1"]);
    assert_eq!(urls(), [json!(folder.tracker.url())]);

    // Its content is moved, found elsewhere, and verified.
    let [moved, found] = ["moved", "found"].map(|name| daemon.dir.join(name));
    one(&["--move", moved.to_str().unwrap()]);
    wait_until("it is there", PATIENCE, || content.difference_in(&moved).is_none());
    wait_for(&daemon, 1, "downloadDir", &json!(moved));
    fs::rename(&moved, &found).unwrap();
    one(&["--find", found.to_str().unwrap()]);
    wait_for(&daemon, 1, "downloadDir", &json!(found));
    one(&["--stop"]);
    wait_for(&daemon, 1, "status", &json!(0));
    damage(&found.join("two/a"), 100_000, 10);
    // The second command says that the damage is not the user's work.
    one(&["--verify"]);
    wait_for(&daemon, 1, "error", &json!(3));
    one(&["--verify"]);
    wait_until("the damage is found", PATIENCE, || field(&daemon, 1, "leftUntilDone").as_u64() > Some(0));
    remote(&daemon, &["-t2", "--remove"]);
    remote(&daemon, &["-tall", "--remove-and-delete"]);
    assert!(daemon.torrents(&["id"]).is_empty());
    wait_until("the content is deleted", PATIENCE, || !found.join("two").exists());
}

#[test]
fn transmission_remote_logs_in_by_the_variable_and_by_a_file() {
    if !cfg!(feature = "daemon") || !here(&[Tool::Transmission]) {
        return;
    }
    let folder = Folder::new();
    let (config, netrc) = (folder.path().join("config"), folder.path().join("netrc"));
    fs::write(&config, "rpc-authentication-required = true\nrpc-username = me\nrpc-password = pass\n").unwrap();
    fs::write(&netrc, "machine 127.0.0.1 login me password pass\n").unwrap();
    let daemon = Daemon::start(folder.path(), &["--config", config.to_str().unwrap()]);
    let said = |options: &[&str], auth: &str| {
        let mut remote = Command::new("transmission-remote");
        remote.arg(daemon.rpc.to_string()).args(options).env("TR_AUTH", auth);
        let output = remote.output().unwrap();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    assert!(said(&["--authenv", "--list"], "me:pass").contains("Sum:"));
    assert!(said(&["--authenv", "--list"], "me:wrong").contains("a user and a password are needed"));
    assert!(said(&["--netrc", netrc.to_str().unwrap(), "--list"], "").contains("Sum:"));
    assert!(said(&["--list"], "").contains("a user and a password are needed"));
}
