//! Stories with bittorrent-tracker from npm: its client with our tracker, and our client with its server, over HTTP and
//! UDP.

use crate::common::content::Content;
use crate::common::http::request;
use crate::common::ports::free_port;
use crate::common::process::Process;
use crate::common::swarmlet::Get;
use crate::common::tools::{Tool, here, npm_tracker, say};
use crate::common::torrent::Maker;
use crate::common::track::{Track, query, scraped};
use crate::common::wait::{PATIENCE, wait_until};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

const KIB: usize = 1024;
/// The info-hash that the script uses.
const HASH: [u8; 20] = [0xab; 20];

#[test]
fn the_client_of_npm_works_with_our_tracker() {
    if !here(&[Tool::NpmTracker]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let track = Track::on_free_port(scratch.path()).start();
    for url in [track.url(), track.udp_url()] {
        // One peer completed its download and left, another still downloads.
        track.get(&query(HASH, 1001, 0, "&event=completed"));
        track.get(&query(HASH, 1001, 0, "&event=stopped"));
        track.get(&query(HASH, 1002, 5, ""));
        let before = scraped(&track.scrape(&HASH), &HASH);
        let mut client = Process::start("npm", npm_tracker().args(["ask", &url]), scratch.path());
        assert!(client.wait(PATIENCE).success(), "{}{}", client.stdout(), client.stderr());
        let said = client.stdout();
        let [_, _, completed] = before;
        assert!(said.contains("announce 1 1\n") && said.contains("peer 127.0.0.1:1002\n"), "{said}");
        assert!(said.contains(&format!("scrape 1 1 {completed}\n")), "{said}");
        assert_eq!(scraped(&track.scrape(&HASH), &HASH), before, "its last announce was ignored");
        say(&format!("{} works with our tracker at {url}", Tool::NpmTracker.version()));
    }
}

#[test]
fn our_peers_meet_through_the_server_of_npm() {
    if !here(&[Tool::NpmTracker]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let address: SocketAddr = (Ipv4Addr::LOCALHOST, free_port()).into();
    let mut server = Process::start("npm", npm_tracker().args(["serve", &address.port().to_string()]), scratch.path());
    wait_until("its server listens", PATIENCE, || {
        server.must_run();
        request(address, "/scrape", "", None).is_ok()
    });
    for scheme in ["http", "udp"] {
        we_meet(&format!("{scheme}://{address}/announce"), &scratch.path().join(scheme));
    }
}

fn we_meet(url: &str, scratch: &Path) {
    std::fs::create_dir(scratch).unwrap();
    let content = Content::one_file(&format!("{}.bin", &url[..4]), 1500 * KIB + 7);
    let source = scratch.join("source");
    let torrent = Maker::Ours.make(&content, &source, 64 * KIB, url);
    let mut seed = Get::new("seed", scratch).in_dir(&source).torrent(&torrent).args(&["--seed", "--json"]).start();
    // It counts the seed only after its first announce. Then a scrape (over UDP) or the next reply shows the count.
    wait_until("the seed is known", PATIENCE, || {
        seed.must_run();
        seed.stdout().contains("\"swarm_seeds\":1")
    });
    let get = Get::new("leecher", scratch).torrent(&torrent);
    get.run().assert_code(0);
    content.assert_same_in(&get.dir);
    say(&format!("our peers met through {} at {url}", Tool::NpmTracker.version()));
}
