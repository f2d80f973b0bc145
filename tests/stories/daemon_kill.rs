//! The story of a daemon that is killed again and again: nothing that it acknowledged is lost.
//!
//! `SWARMLET_KILLS=100 cargo test --test stories daemon_kill` kills it a hundred times.

use crate::common::content::Content;
use crate::common::daemon::{Daemon, base64};
use crate::common::folder::Folder;
use crate::common::torrent::{Torrent, make_with_tiers};
use crate::common::transmission::ask;
use crate::common::wait::{PATIENCE, wait_until};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs, thread};

/// How often it is killed, if nobody says it.
const KILLS: usize = 20;
/// Changes between two kills.
const CHANGES: usize = 8;
/// The bytes of a torrent's content.
const SIZE: usize = 40_000;
/// Most torrents; then one is removed.
const MOST: usize = 12;

/// What a torrent must look like.
#[derive(Clone)]
struct Expected {
    content: Content,
    hash: String,
    /// Its content is there. Otherwise it is a link.
    is_whole: bool,
    dir: PathBuf,
    labels: Vec<String>,
    upload_limit: usize,
    ratio: f64,
    priority: i64,
    trackers: Vec<String>,
}

/// A daemon, and what it acknowledged.
struct Story {
    folder: Folder,
    daemon: Daemon,
    /// In the order of the queue.
    torrents: Vec<Expected>,
    settings: BTreeMap<&'static str, Value>,
    /// The names of content that was removed with its torrent.
    deleted: Vec<String>,
    /// For choices; a linear congruential generator (Knuth's).
    random: u64,
}

impl Story {
    fn choose(&mut self, of: usize) -> usize {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) as usize % of
    }

    fn one(&mut self) -> Option<usize> {
        let count = self.torrents.len();
        (count > 0).then(|| self.choose(count))
    }

    fn add(&mut self, number: usize) {
        let name = format!("torrent {number}");
        let content = Content::one_file(&name, SIZE + number);
        let file = self.folder.path().join(format!("{number}.torrent"));
        let torrent: Torrent = make_with_tiers(&content, &file, 16_384, &[]);
        let hash: String = torrent.info_hash.iter().map(|byte| format!("{byte:02x}")).collect();
        let is_whole = self.choose(3) > 0;
        let mut arguments = json!({ "paused": true, "labels": ["new"] });
        if is_whole {
            content.write_to(&self.daemon.dir);
            arguments["metainfo"] = base64(&fs::read(&torrent.file).unwrap()).into();
        } else {
            arguments["filename"] = format!("magnet:?xt=urn:btih:{hash}&dn={}", name.replace(' ', "%20")).into();
        }
        let added = self.daemon.ask("torrent-add", &arguments);
        assert_eq!(added["torrent-added"]["hashString"], hash, "{added}");
        let dir = self.daemon.dir.clone();
        let (labels, trackers) = (vec!["new".into()], Vec::new());
        let (upload_limit, ratio, priority) = (100, 2.0, 0);
        let expected = Expected { content, hash, is_whole, dir, labels, upload_limit, ratio, priority, trackers };
        self.torrents.push(expected);
    }

    fn set(&mut self, number: usize) {
        let Some(at) = self.one() else { return };
        let ratio = number as f64 / 8.0;
        let torrent = &mut self.torrents[at];
        torrent.labels = vec![format!("label {number}"), "ü".into()];
        (torrent.upload_limit, torrent.ratio, torrent.priority) = (number, ratio, number as i64 % 3 - 1);
        let change = json!({ "ids": [torrent.hash], "labels": torrent.labels, "uploadLimit": number,
            "seedRatioLimit": ratio, "bandwidthPriority": torrent.priority });
        self.daemon.ask("torrent-set", &change);
    }

    /// Only what is whole has trackers that we know.
    fn track(&mut self, number: usize) {
        let Some(at) = self.one().filter(|at| self.torrents[*at].is_whole) else { return };
        let torrent = &mut self.torrents[at];
        torrent.trackers = vec![format!("http://127.0.0.1:9/{number}/announce")];
        let list = torrent.trackers.join("\n");
        self.daemon.ask("torrent-set", &json!({ "ids": [torrent.hash], "trackerList": list }));
    }

    fn relocate(&mut self, number: usize) {
        let Some(at) = self.one() else { return };
        let dir = self.daemon.dir.join(format!("place {}", number % 3));
        let torrent = &mut self.torrents[at];
        torrent.dir.clone_from(&dir);
        let change = json!({ "ids": [torrent.hash], "location": dir, "move": true });
        self.daemon.ask("torrent-set-location", &change);
    }

    fn remove(&mut self) {
        let Some(at) = self.one() else { return };
        let torrent = self.torrents.remove(at);
        self.daemon.ask("torrent-remove", &json!({ "ids": [torrent.hash], "delete-local-data": true }));
        if torrent.is_whole {
            self.deleted.push(torrent.content.name);
        }
    }

    fn change(&mut self, number: usize) {
        match self.choose(9) {
            _ if self.torrents.len() >= MOST => self.remove(),
            0..3 => self.add(number),
            3 => self.set(number),
            4 => self.track(number),
            5 => self.relocate(number),
            6 => {
                let Some(at) = self.one() else { return };
                let torrent = self.torrents.remove(at);
                self.daemon.ask("queue-move-top", &json!({ "ids": [torrent.hash] }));
                self.torrents.insert(0, torrent);
            }
            7 => {
                let name = ["speed-limit-down", "peer-limit-global", "download-queue-size"][self.choose(3)];
                self.daemon.ask("session-set", &json!({ name: number + 1 }));
                self.settings.insert(name, json!(number + 1));
            }
            _ => self.remove(),
        }
    }

    /// Kills it while a change is under way that nobody acknowledged. It may be done or not.
    fn kill(&mut self) {
        let in_flight = self.torrents.first().map(|torrent| {
            let (rpc, change) = (self.daemon.rpc, json!({ "ids": [torrent.hash], "labels": ["in flight"] }));
            thread::spawn(move || ask(rpc, "torrent-set", &change))
        });
        thread::sleep(Duration::from_millis(self.choose(12) as u64));
        self.daemon.kill();
        let was_acknowledged = in_flight.is_some_and(|change| change.join().unwrap().is_some());
        self.daemon.start_again();
        if let Some(first) = self.torrents.first_mut() {
            let found = labels(&self.daemon, &first.hash);
            assert!(found == first.labels || found == ["in flight"], "half of a change: {found:?}");
            assert!(found == ["in flight"] || !was_acknowledged);
            first.labels = found;
        }
    }

    fn check(&self) {
        let fields = json!({ "fields": ["hashString", "queuePosition", "downloadDir", "labels", "uploadLimit",
            "seedRatioLimit", "bandwidthPriority", "trackers", "totalSize"] });
        let mut found = self.daemon.ask("torrent-get", &fields)["torrents"].as_array().unwrap().clone();
        found.sort_by_key(|torrent| torrent["queuePosition"].as_u64());
        let hashes = |torrents: &[Value]| torrents.iter().map(|one| one["hashString"].clone()).collect::<Vec<_>>();
        let expected: Vec<Value> = self.torrents.iter().map(|torrent| torrent.hash.clone().into()).collect();
        assert_eq!(hashes(&found), expected);
        for (found, expected) in found.iter().zip(&self.torrents) {
            let name = &expected.content.name;
            assert_eq!(found["labels"], json!(expected.labels), "{name}");
            assert_eq!(found["uploadLimit"], expected.upload_limit, "{name}");
            assert_eq!(found["seedRatioLimit"], expected.ratio, "{name}");
            assert_eq!(found["bandwidthPriority"], expected.priority, "{name}");
            let urls = found["trackers"].as_array().unwrap().iter();
            let urls: Vec<&str> = urls.map(|tracker| tracker["announce"].as_str().unwrap()).collect();
            assert_eq!(urls, expected.trackers, "{name}");
            assert_eq!(found["totalSize"].as_u64() > Some(0), expected.is_whole, "{name}");
        }
        let names: Vec<&str> = self.settings.keys().copied().collect();
        let settings = self.daemon.ask("session-get", &json!({ "fields": names }));
        self.settings.iter().for_each(|(name, value)| assert_eq!(settings[name], *value, "{name}"));
    }

    /// What was acknowledged and takes its time becomes true: content is in its new place, or gone.
    fn arrives(&mut self) {
        let is_there = |dir: &Path, expected: &Expected| {
            let asked = json!({ "ids": [expected.hash], "fields": ["downloadDir", "error", "errorString"] });
            let found = self.daemon.ask("torrent-get", &asked)["torrents"][0].clone();
            found["downloadDir"] == json!(dir)
        };
        for torrent in &self.torrents {
            let Expected { content, dir, is_whole, .. } = torrent;
            wait_until(&format!("{} is in {}", content.name, dir.display()), PATIENCE, || {
                is_there(dir, torrent) && (!is_whole || content.difference_in(dir).is_none())
            });
        }
        let deleted = std::mem::take(&mut self.deleted);
        let places = ["", "place 0", "place 1", "place 2"].map(|place| self.daemon.dir.join(place));
        for name in deleted {
            wait_until(&format!("{name} is deleted"), PATIENCE, || !places.iter().any(|dir| dir.join(&name).exists()));
        }
    }
}

fn labels(daemon: &Daemon, hash: &str) -> Vec<String> {
    let found = daemon.ask("torrent-get", &json!({ "ids": [hash], "fields": ["labels"] }));
    serde_json::from_value(found["torrents"][0]["labels"].clone()).unwrap()
}

#[test]
fn nothing_that_was_acknowledged_is_lost_when_the_daemon_is_killed() {
    if !cfg!(all(feature = "daemon", feature = "magnet")) {
        return;
    }
    let kills = env::var("SWARMLET_KILLS").map_or(KILLS, |kills| kills.parse().expect("SWARMLET_KILLS is a number"));
    let folder = Folder::new();
    let daemon = Daemon::start(folder.path(), &[]);
    let (torrents, settings, deleted) = (Vec::new(), BTreeMap::new(), Vec::new());
    let mut story = Story { folder, daemon, torrents, settings, deleted, random: 20_041_021 };
    for kill in 0..kills {
        (0..CHANGES).for_each(|change| story.change(kill * CHANGES + change));
        story.kill();
        story.check();
        // Between, kills also come while content is on its way.
        if kill % 4 == 3 || kill + 1 == kills {
            story.arrives();
        }
    }
}

/// More than have files of their own written before the answer.
const MANY: usize = 400;

#[test]
fn a_change_of_hundreds_of_torrents_is_not_lost_when_the_daemon_is_killed_right_after_it() {
    if !cfg!(all(feature = "daemon", feature = "magnet")) {
        return;
    }
    let folder = Folder::new();
    let mut daemon = Daemon::start(folder.path(), &[]);
    for number in 0..MANY {
        let link = format!("magnet:?xt=urn:btih:{number:040x}");
        daemon.ask("torrent-add", &json!({ "filename": link, "paused": true }));
    }
    let (batch, fields) = (folder.path().join("state/daemon.batch"), ["labels", "uploadLimit", "hashString"]);
    let count = |daemon: &Daemon, label: &str, limit: u64| {
        let is_changed = |it: &Value| it["labels"] == json!([label]) && it["uploadLimit"] == limit;
        daemon.torrents(&fields).iter().filter(|it| is_changed(it)).count()
    };
    for (limit, label) in [(7, "seven"), (8, "eight")] {
        daemon.ask("torrent-set", &json!({ "labels": [label], "uploadLimit": limit }));
        // One of them changes again, and one goes.
        let hashes = daemon.torrents(&fields);
        daemon.ask("torrent-set", &json!({ "ids": [hashes[0]["hashString"]], "labels": ["alone"] }));
        daemon.ask("torrent-remove", &json!({ "ids": [hashes[1]["hashString"]] }));
        daemon.kill_and_start();
        let left = hashes.len() - 1;
        assert_eq!((count(&daemon, label, limit), count(&daemon, "alone", limit)), (left - 1, 1));
        wait_until("each torrent has its file", PATIENCE, || !batch.exists());
        daemon.kill_and_start();
        assert_eq!((count(&daemon, label, limit), count(&daemon, "alone", limit)), (left - 1, 1));
    }
}
