//! Stories of queues, ratios and schedules that act while the daemon runs. Settings are changed instead of waiting.

use crate::common::content::Content;
use crate::common::daemon::{Daemon, base64};
use crate::common::folder::Folder;
use crate::common::torrent::Torrent;
use crate::common::wait::{PATIENCE, wait_until};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

fn add(daemon: &Daemon, torrent: &Torrent) {
    let bytes = fs::read(&torrent.file).unwrap();
    daemon.ask("torrent-add", &json!({ "metainfo": base64(&bytes) }));
}

fn add_seed(daemon: &Daemon, (content, torrent): &(Content, Torrent)) {
    content.write_to(&daemon.dir);
    add(daemon, torrent);
}

/// A daemon with a folder of its own and this configuration.
fn start(scratch: &Path, config: &str) -> Daemon {
    fs::create_dir(scratch).unwrap();
    let file = scratch.join("config");
    fs::write(&file, config).unwrap();
    Daemon::start(scratch, &["--config", &file.to_string_lossy()])
}

/// Waits until the torrents have these states: 0 stopped, 3 and 4 downloading, 5 and 6 seeding; an odd number waits.
fn wait_for_states(daemon: &Daemon, what: &str, wanted: &[u64]) {
    let states = || -> Vec<u64> {
        daemon.torrents(&["status"]).iter().map(|torrent| torrent["status"].as_u64().unwrap()).collect()
    };
    wait_until(what, PATIENCE, || states() == wanted);
}

#[test]
fn a_seed_waits_for_the_one_before_until_that_stalls_or_reaches_its_ratio() {
    if !cfg!(feature = "daemon") {
        return;
    }
    let folder = Folder::new();
    let told = folder.path().join("told");
    let script = folder.path().join("script");
    fs::write(&script, format!("#!/bin/sh\necho \"$TR_TORRENT_NAME\" >> {}\n", told.display())).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let config = format!(
        "seed-queue-enabled = true\nseed-queue-size = 1\ndownload-queue-size = 1\n\
         script-torrent-done-seeding-enabled = true\nscript-torrent-done-seeding-filename = {}\n",
        script.display()
    );
    let seed = start(&folder.path().join("seed"), &config);
    let seeds = ["one", "two"].map(|name| folder.make(name, 100_000));
    seeds.iter().for_each(|made| add_seed(&seed, made));
    wait_for_states(&seed, "the second seed waits for the first", &[6, 5]);
    ["three", "four"].iter().for_each(|name| add(&seed, &folder.make(name, 100_000).1));
    wait_for_states(&seed, "downloads have a line of their own", &[6, 5, 4, 3]);
    // Nobody transfers anything. So each of them has stalled as soon as no time is allowed for that.
    seed.ask("session-set", &json!({ "queue-stalled-minutes": 0 }));
    wait_for_states(&seed, "torrents that stalled do not count", &[6, 6, 4, 4]);
    seed.ask("session-set", &json!({ "queue-stalled-enabled": false }));
    seed.ask("torrent-stop", &json!({ "ids": [2, 4] }));
    seed.ask("torrent-start", &json!({ "ids": [2, 4] }));
    wait_for_states(&seed, "now they count", &[6, 5, 4, 3]);
    seed.ask("session-set", &json!({ "seedRatioLimited": true, "seedRatioLimit": 1 }));
    let leecher = start(&folder.path().join("leecher"), "");
    add(&leecher, &seeds[0].1);
    wait_for_states(&seed, "it has sent all once and stops, and the next one has its turn", &[0, 6, 4, 3]);
    wait_until("its program is started", PATIENCE, || fs::read_to_string(&told).is_ok_and(|told| told == "one\n"));
    let finished: Vec<Value> = seed.torrents(&["isFinished"]).iter().map(|it| it["isFinished"].clone()).collect();
    assert_eq!(finished, [true, false, false, false]);
    wait_for_states(&leecher, "the leecher has all of it", &[6]);
}

/// Minutes of this day in local time. The daemon asks the same clock for the same time zone.
fn minute() -> u64 {
    let output = Command::new("date").arg("+%H %M").output().expect("date runs");
    let text = String::from_utf8(output.stdout).unwrap();
    let (hours, minutes) = text.trim().split_once(' ').unwrap();
    hours.parse::<u64>().unwrap() * 60 + minutes.parse::<u64>().unwrap()
}

#[test]
fn the_clock_switches_the_alternative_limits_on_and_off() {
    if !cfg!(feature = "daemon") {
        return;
    }
    const DAY: u64 = 24 * 60;
    let folder = Folder::new();
    let made = folder.make("a.bin", 4 << 20);
    let seed = start(&folder.path().join("seed"), "");
    add_seed(&seed, &made);
    folder.tracker.wait_for_a_seed(&made.1.info_hash, || {});
    // It began an hour ago, and ends in an hour. At 10 kB/s the download would take seven minutes.
    let (begin, end) = ((minute() + DAY - 60) % DAY, (minute() + 60) % DAY);
    let config = format!(
        "alt-speed-down = 10\nalt-speed-time-enabled = true\nalt-speed-time-begin = {begin}\n\
         alt-speed-time-end = {end}\nalt-speed-time-day = 127\n"
    );
    let mut leecher = start(&folder.path().join("leecher"), &config);
    leecher.wait_for_setting("alt-speed-enabled", &json!(true));
    add(&leecher, &made.1);
    wait_until("the download begins", PATIENCE, || leecher.torrents(&["downloadedEver"])[0]["downloadedEver"] != 0);
    let slow = leecher.torrents(&["rateDownload", "leftUntilDone"]);
    assert!(slow[0]["rateDownload"].as_u64().unwrap() < 100_000 && slow[0]["leftUntilDone"] != 0, "{slow:?}");
    // On no day; then every day, but later.
    let is_on = |leecher: &Daemon| leecher.ask("session-get", &json!({}))["alt-speed-enabled"] == true;
    leecher.ask("session-set", &json!({ "alt-speed-time-day": 0 }));
    assert!(!is_on(&leecher));
    leecher.ask("session-set", &json!({ "alt-speed-time-day": 127 }));
    assert!(is_on(&leecher));
    let (begin, end) = ((minute() + 120) % DAY, (minute() + 180) % DAY);
    leecher.ask("session-set", &json!({ "alt-speed-time-begin": begin, "alt-speed-time-end": end }));
    assert!(!is_on(&leecher));
    leecher.wait_for("leftUntilDone", &json!(0));
    // A person may switch them while the schedule says nothing new.
    leecher.ask("session-set", &json!({ "alt-speed-enabled": true }));
    assert!(is_on(&leecher));
}
