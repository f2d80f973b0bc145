//! The story of stig, which speaks the JSON-RPC 2.0 of transmission 4.1. It falls back to the old dialect only if a
//! daemon does not answer in the new one.

use crate::common::content::Content;
use crate::common::daemon::Daemon;
use crate::common::folder::Folder;
use crate::common::tools::{Tool, here};
use crate::common::wait::{PATIENCE, wait_until};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Runs commands of stig one after the other. Returns whether all are done, and what it prints.
fn stig(daemon: &Daemon, home: &Path, commands: &[&[&str]]) -> (bool, String) {
    let mut stig = Command::new("stig");
    // No terminal, no file with commands.
    stig.args(["-T", "-C", "--debug", "client.aiotransmission.rpc", "--debug-file"]).arg(home.join("debug"));
    stig.env("HOME", home).args(["set", "connect.url", &format!("http://{}/transmission/rpc", daemon.rpc)]);
    for command in commands {
        stig.arg(";").args(*command);
    }
    let output = stig.output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.success(), said)
}

#[test]
fn stig_controls_the_daemon_by_the_json_rpc_of_transmission_4_1() {
    if !cfg!(feature = "daemon") || !here(&[Tool::Stig]) {
        return;
    }
    let folder = Folder::new();
    let content = Content::folder("two", &[("a", 50_000), ("b", 40_000)]);
    let torrent = folder.make_of(&content, "two");
    let daemon = Daemon::start(folder.path(), &[]);
    content.write_to(&daemon.dir);
    let run = |commands: &[&[&str]]| {
        let (is_done, said) = stig(&daemon, folder.path(), commands);
        assert!(is_done, "{commands:?}: {said}");
        said
    };
    let is = |fields: Value| {
        let names: Vec<&str> = fields.as_object().unwrap().keys().map(String::as_str).collect();
        wait_until(&format!("it is {fields}"), PATIENCE, || daemon.torrents(&names) == [fields.clone()]);
    };
    let added = run(&[&["add", "--stopped", "--labels", "tv,old", &torrent.file.to_string_lossy()]]);
    assert!(added.contains("Added two"), "{added}");
    is(json!({ "name": "two", "status": 0, "leftUntilDone": 0 }));
    let debug = fs::read_to_string(folder.path().join("debug")).unwrap();
    assert!(debug.contains("speaks JSON-RPC 2.0"), "{debug}");
    let listed = run(&[&["list", "two"], &["details", "two"], &["filelist", "two"]]);
    let hash: String = torrent.info_hash.iter().map(|byte| format!("{byte:02x}")).collect();
    for part in ["stopped", &hash, "tv", "normal\t100.0\t50000\t50000"] {
        assert!(listed.contains(part), "{part}: {listed}");
    }
    run(&[&["start", "two"], &["verify", "two"], &["announce", "two"]]);
    is(json!({ "status": 6, "leftUntilDone": 0 }));
    let other = "http://127.0.0.1:1/announce";
    let shown = run(&[
        &["priority", "high", "two", "a"],
        // It asks which version the daemon has, but only before the second command.
        &["sequential", "two"],
        &["label", "new", "two"],
        &["ratelimit", "up", "50kB", "two"],
        &["tracker", "add", "two", other],
        &["trackerlist", "two"],
        &["magnet", "two"],
    ]);
    assert!(shown.contains(&format!("magnet:?xt=urn:btih:{hash}")), "{shown}");
    is(json!({ "sequential_download": true, "priorities": [1, 0], "uploadLimit": 50, "uploadLimited": true }));
    // stig keeps labels in no order.
    let labels = &daemon.torrents(&["labels"])[0]["labels"];
    assert!(["tv", "old", "new"].iter().all(|label| labels.as_array().unwrap().contains(&json!(label))), "{labels}");
    assert!(daemon.torrents(&["trackerList"])[0]["trackerList"].as_str().unwrap().contains(other));
    run(&[&["rename", "two/a", "c"], &["stop", "two"]]);
    is(json!({ "status": 0 }));
    assert_eq!(daemon.torrents(&["files"])[0]["files"][0]["name"], "two/c");
    run(&[
        &["set", "srv.limit.rate.up", "100kB"],
        &["set", "srv.limit.peers.global", "99"],
        &["set", "srv.encryption", "tolerated"],
        &["set", "srv.autostart", "off"],
    ]);
    for (key, value) in [
        ("speed-limit-up", json!(100)),
        ("speed-limit-up-enabled", json!(true)),
        ("peer-limit-global", json!(99)),
        ("encryption", json!("tolerated")),
        ("start-added-torrents", json!(false)),
    ] {
        daemon.wait_for_setting(key, &value);
    }
    let (is_done, said) = stig(&daemon, folder.path(), &[&["set", "srv.utp", "on"]]);
    assert!(!is_done && said.contains("no uTP"), "an error has its own words: {said}");
    let far = daemon.dir.join("far");
    run(&[&["move", "two", &far.to_string_lossy()]]);
    wait_until("it is moved", PATIENCE, || far.join("two/c").exists());
    is(json!({ "downloadDir": far }));
    run(&[&["remove", "--delete-files", "two"]]);
    wait_until("its content is deleted", PATIENCE, || !far.join("two").exists());
    assert!(daemon.torrents(&["id"]).is_empty());
}
