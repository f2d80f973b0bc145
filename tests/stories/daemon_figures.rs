//! What RPC says about a seed and a leecher is true, and what it accepts has an effect.

use crate::common::content::Content;
use crate::common::daemon::{Daemon, base64};
use crate::common::folder::Folder;
use crate::common::tools::{Tool, here};
use crate::common::torrent::Torrent;
use crate::common::wait::{PATIENCE, wait_until};
use serde_json::{Value, json};
use std::fs;

const MIB: usize = 1 << 20;

fn add(daemon: &Daemon, torrent: &Torrent) {
    let bytes = fs::read(&torrent.file).unwrap();
    daemon.ask("torrent-add", &json!({ "metainfo": base64(&bytes) }));
}

/// A daemon that seeds these contents, and one without torrents.
fn seed_and_leecher(folder: &Folder, contents: &[(&Content, &Torrent)]) -> [Daemon; 2] {
    let daemons = ["seed", "leecher"].map(|name| {
        let scratch = folder.path().join(name);
        fs::create_dir(&scratch).unwrap();
        Daemon::start(&scratch, &[])
    });
    for (content, torrent) in contents {
        content.write_to(&daemons[0].dir);
        add(&daemons[0], torrent);
        folder.tracker.wait_for_a_seed(&torrent.info_hash, || {});
    }
    daemons
}

/// Waits until the torrent with this number looks so.
fn wait_for(daemon: &Daemon, id: usize, fields: &[&str], what: &str, is_so: impl Fn(&Value) -> bool) {
    wait_until(what, PATIENCE, || {
        let answer = daemon.ask("torrent-get", &json!({ "ids": id, "fields": fields }));
        is_so(&answer["torrents"][0])
    });
}

#[test]
fn a_seed_says_whom_it_serves_and_goes_on_after_its_ratio_when_it_is_told_to() {
    if !cfg!(feature = "daemon") || !here(&[Tool::Transmission]) {
        return;
    }
    let folder = Folder::new();
    let (content, torrent) = folder.make("a.bin", 2 * MIB);
    let (idle, other) = folder.make("idle.bin", MIB);
    let [mut seed, leecher] = seed_and_leecher(&folder, &[(&content, &torrent), (&idle, &other)]);
    leecher.ask("session-set", &json!({ "speed-limit-down": 200, "speed-limit-down-enabled": true }));
    add(&leecher, &torrent);
    let fields = ["peersGettingFromUs", "peersSendingToUs", "peersConnected", "rateUpload", "peers", "peersFrom"];
    wait_for(&seed, 1, &fields, "the seed serves one peer", |it| {
        let from: u64 = it["peersFrom"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
        it["peersGettingFromUs"] == 1
            && it["peersSendingToUs"] == 0
            && (&it["peersConnected"], from) == (&json!(1), 1)
            && it["peers"][0]["rateToPeer"].as_u64() > Some(0)
    });
    let list = seed.remote(&["--list"]);
    assert!(list.lines().any(|line| line.contains("Seeding") && line.contains("a.bin")), "{list}");
    assert!(list.lines().any(|line| line.contains("Idle") && line.contains("idle.bin")), "{list}");
    let fields = ["peersSendingToUs", "availability", "desiredAvailable", "leftUntilDone", "haveValid"];
    wait_for(&leecher, 1, &fields, "the leecher knows what the seed has", |it| {
        let counts: Vec<i64> = it["availability"].as_array().unwrap().iter().filter_map(Value::as_i64).collect();
        let (had, there) = [-1, 1].map(|wanted| counts.iter().filter(|count| **count == wanted).count()).into();
        it["peersSendingToUs"] == 1
            && it["desiredAvailable"] == it["leftUntilDone"]
            && had > 0
            && there > 0
            && had + there == 2 * MIB / (16 << 10)
            && it["haveValid"] == json!(had * (16 << 10))
    });
    leecher.ask("session-set", &json!({ "speed-limit-down-enabled": false }));
    wait_for(&leecher, 1, &["percentDone"], "it is complete", |it| it["percentDone"] == 1);
    let fields = ["status", "isFinished", "seedRatioMode"];
    let stands = |it: &Value, status: u64, finished: bool, mode: u64| {
        (&it["status"], &it["isFinished"], &it["seedRatioMode"]) == (&json!(status), &json!(finished), &json!(mode))
    };
    seed.ask("torrent-set", &json!({ "ids": 1, "seedRatioMode": 1, "seedRatioLimit": 0.5 }));
    wait_for(&seed, 1, &fields, "it stops at its ratio", |it| stands(it, 0, true, 1));
    seed.ask("torrent-start", &json!({ "ids": 1 }));
    wait_for(&seed, 1, &fields, "it goes on", |it| stands(it, 6, false, 2));
    seed.kill_and_start();
    for id in [1, 2] {
        wait_for(&seed, id, &["trackerStats"], "its tracker was asked", |it| {
            it["trackerStats"][0]["lastAnnounceSucceeded"] == true
        });
    }
    wait_for(&seed, 1, &fields, "it still goes on", |it| stands(it, 6, false, 2));
    let recent = seed.ask("torrent-get", &json!({ "ids": "recently-active", "fields": ["name"] }));
    assert_eq!(recent["torrents"], json!([{ "name": "a.bin" }]), "the other did not change");
}

#[test]
fn an_urgent_torrent_gets_the_larger_part_of_a_limit() {
    if !cfg!(feature = "daemon") {
        return;
    }
    let folder = Folder::new();
    let [low, high] = ["low.bin", "high.bin"].map(|name| folder.make(name, 8 * MIB));
    let [seed, leecher] = seed_and_leecher(&folder, &[(&low.0, &low.1), (&high.0, &high.1)]);
    seed.ask("torrent-set", &json!({ "ids": 1, "bandwidthPriority": -1 }));
    seed.ask("torrent-set", &json!({ "ids": 2, "bandwidthPriority": 1 }));
    seed.ask("session-set", &json!({ "speed-limit-up": 600, "speed-limit-up-enabled": true }));
    add(&leecher, &low.1);
    add(&leecher, &high.1);
    let sent = || {
        let torrents = seed.torrents(&["uploadedEver"]);
        [0, 1].map(|at: usize| torrents[at]["uploadedEver"].as_u64().unwrap())
    };
    let mut begun = [0, 0];
    wait_until("both are served", PATIENCE, || {
        begun = sent();
        begun[0] > 0 && begun[1] > 0
    });
    let mut since = [0, 0];
    wait_until("3 MB are sent", PATIENCE, || {
        let now = sent();
        since = [now[0] - begun[0], now[1] - begun[1]];
        since[0] + since[1] > 3_000_000
    });
    assert!(since[1] > 2 * since[0], "{since:?}");
    seed.ask("torrent-set", &json!({ "ids": 1, "honorsSessionLimits": false }));
    wait_for(&seed, 1, &["rateUpload"], "it is not limited any more", |it| it["rateUpload"].as_u64() > Some(900_000));
}
