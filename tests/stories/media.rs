//! The story of Sonarr and Radarr: the calls that they make, in their order, and what they conclude from the answers.
//! (From their source: `Download/Clients/Transmission` in NzbDrone.Core, which is nearly the same in both.)

use crate::common::daemon::{Daemon, base64};
use crate::common::folder::Folder;
use crate::common::http::request;
use crate::common::swarmlet::Get;
use crate::common::wait::{PATIENCE, wait_until};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

const SIZE: usize = 400_000;

/// What the program shows for a torrent.
#[derive(Debug, PartialEq)]
enum Item {
    Warning,
    Queued,
    Downloading,
    Completed,
}

/// One of the two programs. Both ask for a new session id when theirs is refused, and for nothing else.
struct Program<'a> {
    daemon: &'a Daemon,
    category: &'static str,
}

impl Program<'_> {
    fn call(&self, method: &str, arguments: Option<&Value>) -> Value {
        let target = "/transmission/rpc";
        // The id is fetched by GET. Any other answer is taken for a failed login.
        let refusal = request(self.daemon.rpc, target, "Accept: application/json\r\n", None).unwrap();
        assert!(refusal.head.starts_with("HTTP/1.1 409"), "{}", refusal.head);
        let id = refusal.header("X-Transmission-Session-Id").expect("a session id");
        let headers = format!("X-Transmission-Session-Id: {id}\r\nContent-Type: application/json\r\n");
        let question = match arguments {
            Some(arguments) => json!({ "method": method, "arguments": arguments }),
            None => json!({ "method": method }),
        };
        let answer = request(self.daemon.rpc, target, &headers, Some(&question.to_string())).unwrap();
        let answer: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(answer["result"], "success", "{question}: {answer}");
        answer["arguments"].clone()
    }

    /// The test of the connection, and the folder for what it adds.
    fn connect(&self) -> String {
        let settings = self.call("session-get", None);
        let version = settings["version"].as_str().unwrap();
        let numbers: Vec<u32> = version.split([' ', '.']).map_while(|part| part.parse().ok()).collect();
        assert!(numbers >= vec![2, 40] && numbers >= vec![4, 0], "{version}: labels need 4.0");
        assert!(settings["seedRatioLimited"].is_boolean() && settings["idle-seeding-limit-enabled"].is_boolean());
        assert!(settings["rpc-version"].is_number() && settings["seedRatioLimit"].is_number());
        self.items();
        format!("{}/{}", settings["download-dir"].as_str().unwrap().trim_end_matches('/'), self.category)
    }

    fn grab(&self, mut source: Value, hash: &str, ratio: f64, minutes: u32) {
        source["paused"] = json!(false);
        source["download-dir"] = json!(self.connect());
        source["labels"] = json!([self.category]);
        self.call("torrent-add", Some(&source));
        let limits = json!({ "ids": [hash], "seedRatioLimit": ratio, "seedRatioMode": 1,
            "seedIdleLimit": minutes, "seedIdleMode": 1 });
        self.call("torrent-set", Some(&limits));
        self.call("queue-move-top", Some(&json!({ "ids": [hash] })));
    }

    /// The torrents of its category.
    fn items(&self) -> Vec<Value> {
        let fields = "id hashString name downloadDir totalSize leftUntilDone isFinished eta status secondsDownloading \
            secondsSeeding errorString uploadedEver downloadedEver seedRatioLimit seedRatioMode seedIdleLimit \
            seedIdleMode fileCount file-count labels";
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let answer = self.call("torrent-get", Some(&json!({ "fields": fields })));
        let torrents = answer["torrents"].as_array().unwrap().iter();
        let ours = torrents.filter(|torrent| torrent["labels"].as_array().unwrap().contains(&json!(self.category)));
        ours.cloned().collect()
    }

    fn item(&self) -> Value {
        let mut items = self.items();
        assert_eq!(items.len(), 1, "{}: {items:?}", self.category);
        items.swap_remove(0)
    }
}

fn state(torrent: &Value) -> Item {
    let status = torrent["status"].as_u64().unwrap();
    let is_checked = status == 1 || status == 2;
    if torrent["errorString"] != "" {
        Item::Warning
    } else if torrent["totalSize"] == 0 {
        Item::Queued
    } else if torrent["leftUntilDone"] == 0 && [0, 5, 6].contains(&status)
        || torrent["isFinished"] == true && !is_checked
    {
        Item::Completed
    } else if status == 3 {
        Item::Queued
    } else {
        Item::Downloading
    }
}

/// Whether the program may remove a torrent and its content, because it has been seeded enough.
fn may_be_removed(torrent: &Value) -> bool {
    let number = |name: &str| torrent[name].as_f64().unwrap();
    let ratio = if number("downloadedEver") > 0.0 { number("uploadedEver") / number("downloadedEver") } else { 0.0 };
    torrent["status"] == 0 && torrent["seedRatioMode"] == 1 && ratio >= number("seedRatioLimit")
}

#[test]
fn sonarr_and_radarr_grab_import_and_remove_when_enough_was_seeded() {
    if !cfg!(all(feature = "daemon", feature = "magnet")) {
        return;
    }
    let folder = Folder::new();
    let (episode, by_file) = folder.make("An Episode: S01E01", SIZE);
    let (movie, by_link) = folder.make("A Movie", SIZE);
    let mut daemon = Daemon::start(folder.path(), &[]);
    let [sonarr, radarr] = ["tv-sonarr", "radarr"].map(|category| Program { daemon: &daemon, category });
    let hash = |hash: &[u8; 20]| hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let hashes = [&by_file, &by_link].map(|torrent| hash(&torrent.info_hash));

    let bytes = base64(&fs::read(&by_file.file).unwrap());
    sonarr.grab(json!({ "metainfo": bytes }), &hashes[0], 0.5, 100);
    let tracker = folder.tracker.url().replace(':', "%3A").replace('/', "%2F");
    radarr.grab(json!({ "filename": by_link.link(&format!("&tr={tracker}")) }), &hashes[1], 0.25, 100);
    // What is known only by its link has no size, and what has one is not there yet.
    let added = [sonarr.item(), radarr.item()];
    assert_eq!((state(&added[1]), &added[1]["totalSize"]), (Item::Queued, &json!(0)));
    assert_eq!((state(&added[0]), &added[0]["totalSize"]), (Item::Downloading, &json!(SIZE)), "{added:?}");
    assert_eq!((&added[0]["fileCount"], &added[0]["leftUntilDone"]), (&json!(1), &json!(SIZE)));
    assert_eq!(added.map(|torrent| torrent["hashString"].as_str().unwrap().to_string()), hashes);
    let queue = daemon.torrents(&["queuePosition", "hashString"]);
    assert!(queue.contains(&json!({ "queuePosition": 0, "hashString": hashes[1] })), "the last is first: {queue:?}");

    // The seeds come. (Peers on loopback are only found by a new announce.)
    let mut seeds = [folder.seed(&episode.name, &by_file, &[]), folder.seed(&movie.name, &by_link, &[])];
    for (seed, torrent) in seeds.iter_mut().zip([&by_file, &by_link]) {
        folder.tracker.wait_for_a_seed(&torrent.info_hash, || seed.must_run());
    }
    daemon.ask("torrent-reannounce", &json!({}));
    for (program, content) in [(&sonarr, &episode), (&radarr, &movie)] {
        wait_until("it is complete", PATIENCE, || state(&program.item()) == Item::Completed);
        let torrent = program.item();
        assert!(!may_be_removed(&torrent), "nothing was seeded: {torrent}");
        assert_eq!(torrent["downloadDir"], json!(daemon.dir.join(program.category)));
        // It imports the file from where it expects it.
        let name = torrent["name"].as_str().unwrap().replace(':', "_");
        let file = Path::new(torrent["downloadDir"].as_str().unwrap()).join(name);
        assert!(fs::read(&file).unwrap() == content.concatenated(), "{}", file.display());
    }
    sonarr.call("torrent-set", Some(&json!({ "ids": [hashes[0]], "labels": ["tv-sonarr", "imported"] })));
    assert_eq!(sonarr.item()["labels"], json!(["tv-sonarr", "imported"]));

    // Others download it from us until the ratio is reached.
    seeds.into_iter().for_each(|seed| seed.terminate().assert_code(0));
    for (program, torrent, hash) in [(&sonarr, &by_file, &hashes[0]), (&radarr, &by_link, &hashes[1])] {
        let leecher = Get::new(program.category, folder.path()).torrent(torrent).start();
        wait_until("enough was seeded", PATIENCE, || may_be_removed(&program.item()));
        let found = program.item();
        assert_eq!((&found["isFinished"], state(&found)), (&json!(true), Item::Completed), "{found}");
        drop(leecher);
        program.call("torrent-remove", Some(&json!({ "ids": [hash], "delete-local-data": true })));
        assert!(program.items().is_empty());
        let dir = daemon.dir.join(program.category);
        wait_until("its content is deleted", PATIENCE, || fs::read_dir(&dir).unwrap().next().is_none());
    }
    daemon.kill_and_start();
    assert!(daemon.torrents(&["id"]).is_empty(), "what was removed stays removed");
}
