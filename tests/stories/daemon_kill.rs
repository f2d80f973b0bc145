//! The story of a daemon that is killed again and again: nothing that it acknowledged is lost.

use crate::common::daemon::{Daemon, base64};
use crate::common::folder::Folder;
use serde_json::{Value, json};
use std::fs;

/// How often it is killed.
const KILLS: usize = 20;
/// Questions between two kills.
const CHANGES: usize = 6;

#[test]
fn nothing_that_was_acknowledged_is_lost_when_the_daemon_is_killed() {
    if !cfg!(feature = "daemon") {
        return;
    }
    let folder = Folder::new();
    let mut daemon = Daemon::start(folder.path(), &[]);
    // What each torrent must look like, in the order of the queue.
    let mut expected: Vec<Value> = Vec::new();
    let mut limit = 0;
    for kill in 0..KILLS {
        for change in 0..CHANGES {
            let number = kill * CHANGES + change;
            match number % 6 {
                0 | 1 => {
                    let (_, torrent) = folder.make(&format!("torrent {number}"), 20_000 + number);
                    let bytes = base64(&fs::read(&torrent.file).unwrap());
                    let answer =
                        daemon.ask("torrent-add", &json!({ "metainfo": bytes, "paused": true, "labels": ["new"] }));
                    let hash = &answer["torrent-added"]["hashString"];
                    expected.push(json!({ "hashString": hash, "labels": ["new"], "uploadLimit": 100, "status": 0 }));
                }
                2 => {
                    let torrent = expected.last_mut().unwrap();
                    daemon.ask(
                        "torrent-set",
                        &json!({ "ids": [torrent["hashString"]], "labels": ["l"], "uploadLimit": number }),
                    );
                    (torrent["labels"], torrent["uploadLimit"]) = (json!(["l"]), json!(number));
                }
                3 => {
                    let torrent = expected.pop().unwrap();
                    daemon.ask("queue-move-top", &json!({ "ids": [torrent["hashString"]] }));
                    expected.insert(0, torrent);
                }
                4 => {
                    limit = number;
                    daemon.ask("session-set", &json!({ "speed-limit-down": limit }));
                }
                _ if expected.len() > 10 => {
                    let torrent = expected.remove(5);
                    daemon.ask("torrent-remove", &json!({ "ids": [torrent["hashString"]] }));
                }
                _ => {}
            }
        }
        daemon.kill_and_start();
        let fields = ["hashString", "labels", "uploadLimit", "status", "queuePosition"];
        let mut found = daemon.torrents(&fields);
        found.sort_by_key(|torrent| torrent["queuePosition"].as_u64());
        for torrent in &mut found {
            torrent.as_object_mut().unwrap().remove("queuePosition");
            // It may be checked at this moment.
            torrent["status"] = json!(0);
        }
        assert_eq!(found, expected, "after {} kills", kill + 1);
        let settings = daemon.ask("session-get", &json!({ "fields": ["speed-limit-down"] }));
        assert!(limit == 0 || settings["speed-limit-down"] == limit);
    }
}
