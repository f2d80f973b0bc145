//! Stories of torrents that are published at `swarmlet track --allowed-dir` after their seeds have begun to announce.

use crate::common::content::Content;
use crate::common::swarmlet::Get;
use crate::common::torrent::{Maker, Torrent};
use crate::common::track::{Track, UdpAsker, failure, number, query, udp_announce};
use crate::common::wait::{PATIENCE, wait_until};
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const KIB: usize = 1024;

/// The tracker also reads the folder each minute. A shorter time shows that it did not wait for that.
const MUCH_LESS_THAN_A_MINUTE: Duration = Duration::from_secs(25);

struct Publisher {
    scratch: tempfile::TempDir,
    folder: PathBuf,
    track: Track,
}

impl Publisher {
    fn new() -> Publisher {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("torrents");
        fs::create_dir(&folder).unwrap();
        let track = Track::on_free_port(scratch.path()).arg("--allowed-dir").arg(&folder).start();
        Publisher { scratch, folder, track }
    }

    fn torrent(&self, name: &str, url: &str) -> (Torrent, PathBuf) {
        let source = self.scratch.path().join(format!("source of {name}"));
        (Maker::Ours.make(&Content::one_file(name, 100 * KIB), &source, 32 * KIB, url), source)
    }

    fn publish(&self, torrent: &Torrent) {
        fs::copy(&torrent.file, self.folder.join(torrent.file.file_name().unwrap())).unwrap();
    }

    fn is_accepted(&self, torrent: &Torrent, port: u16) -> bool {
        let reply = self.track.get(&query(torrent.info_hash, port, 0, "")).body;
        !String::from_utf8_lossy(&reply).contains("failure reason")
    }
}

#[test]
fn a_torrent_is_tracked_as_soon_as_it_is_in_the_folder() {
    let publisher = Publisher::new();
    let track = &publisher.track;
    let (first, _) = publisher.torrent("first.bin", &track.url());
    let began = Instant::now();
    let refused = track.get(&query(first.info_hash, 1, 0, "")).body;
    assert!(failure(&refused).contains("not tracked here"));
    assert_eq!(number(&refused, "retry in"), 1, "minutes (BEP 31)");
    // A file that is being copied is not a torrent yet.
    let whole = fs::read(&first.file).unwrap();
    fs::write(publisher.folder.join("first.torrent"), &whole[..100]).unwrap();
    wait_until("the beginning of the file is examined", PATIENCE, || {
        assert!(!publisher.is_accepted(&first, 1));
        track.stderr().contains("first.torrent")
    });
    fs::write(publisher.folder.join("first.torrent"), &whole).unwrap();
    wait_until("the first is tracked", PATIENCE, || publisher.is_accepted(&first, 1));
    // Over UDP too.
    let (second, _) = publisher.torrent("second.bin", &track.url());
    publisher.publish(&second);
    let asker = UdpAsker::new(Ipv4Addr::LOCALHOST.into(), track.port);
    let packet = udp_announce(asker.connect(), second.info_hash, 2, 0, 9);
    wait_until("the second is tracked", PATIENCE, || asker.ask(&packet).unwrap()[..4] == [0, 0, 0, 1]);
    assert!(began.elapsed() < MUCH_LESS_THAN_A_MINUTE, "it took {:?}", began.elapsed());
}

/// People begin to seed, and then put the torrent into the folder of the tracker.
#[test]
fn a_seed_that_began_before_its_torrent_was_published_is_soon_in_the_swarm() {
    let publisher = Publisher::new();
    let track = &publisher.track;
    let seeds = [("http.bin", track.url()), ("udp.bin", track.udp_url())].map(|(name, url)| {
        let (torrent, source) = publisher.torrent(name, &url);
        let get = Get::new(name, publisher.scratch.path()).in_dir(&source).torrent(&torrent).arg("--seed");
        (get.start(), torrent)
    });
    let refused = || {
        let stats: serde_json::Value = serde_json::from_slice(&track.get("/stats.json").body).unwrap();
        stats["refused"].as_u64().unwrap()
    };
    wait_until("both are refused", PATIENCE, || refused() >= 2);
    seeds.iter().for_each(|(_, torrent)| publisher.publish(torrent));
    for (mut seed, torrent) in seeds {
        track.wait_for_a_seed(&torrent.info_hash, || seed.must_run());
    }
}

/// The same kind: the file of passkeys is read again as often.
#[test]
fn a_passkey_that_was_just_added_is_accepted() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("passkeys");
    fs::write(&file, "first\n").unwrap();
    let track = Track::on_free_port(scratch.path()).arg("--passkeys").arg(&file).start();
    let ask = |passkey: &str| track.get(&format!("/{passkey}{}", query([7; 20], 1, 0, ""))).body;
    let began = Instant::now();
    let refused = ask("second");
    assert_eq!((failure(&refused).as_str(), number(&refused, "retry in")), ("unknown passkey", 15));
    add_line(&file, "second");
    wait_until("the passkey is known", PATIENCE, || !String::from_utf8_lossy(&ask("second")).contains("failure"));
    assert!(began.elapsed() < MUCH_LESS_THAN_A_MINUTE, "it took {:?}", began.elapsed());
}

fn add_line(file: &Path, line: &str) {
    let text = fs::read_to_string(file).unwrap();
    fs::write(file, format!("{text}{line}\n")).unwrap();
}
