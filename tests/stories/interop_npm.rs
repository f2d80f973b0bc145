//! Stories with npm's bittorrent-tracker: its client by our tracker, and we by its server, over HTTP and over UDP.

use crate::common::content::Content;
use crate::common::http::{percent_encode, request};
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
/// That of the script.
const HASH: [u8; 20] = [0xab; 20];

#[test]
fn its_client_works_with_our_tracker() {
    if !here(&[Tool::NpmTracker]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let track = Track::on_free_port(scratch.path()).start();
    for url in [track.url(), track.udp_url()] {
        // One that completed its download, and left; and one that still loads.
        track.get(&query(HASH, 1001, 0, "&event=completed"));
        track.get(&query(HASH, 1001, 0, "&event=stopped"));
        track.get(&query(HASH, 1002, 5, ""));
        let before = scraped(&track.get(&scrape()).body, &HASH);
        let mut client = Process::start("npm", npm_tracker().args(["ask", &url]), scratch.path());
        assert!(client.wait(PATIENCE).success(), "{}{}", client.stdout(), client.stderr());
        let said = client.stdout();
        let [_, _, completed] = before;
        assert!(said.contains("announce 1 1\n") && said.contains("peer 127.0.0.1:1002\n"), "{said}");
        assert!(said.contains(&format!("scrape 1 1 {completed}\n")), "{said}");
        assert_eq!(scraped(&track.get(&scrape()).body, &HASH), before, "it said goodbye");
        say(&format!("{} works with our tracker at {url}", Tool::NpmTracker.version()));
    }
}

fn scrape() -> String {
    format!("/scrape?info_hash={}", percent_encode(&HASH))
}

#[test]
fn we_meet_by_its_server() {
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
    // It counts us only when the first announce is answered: by the scrape that follows, over UDP, or by the answer.
    wait_until("the seed is known", PATIENCE, || {
        seed.must_run();
        seed.stdout().contains("\"swarm_seeds\":1")
    });
    let get = Get::new("leecher", scratch).torrent(&torrent);
    get.run().assert_code(0);
    content.assert_same_in(&get.dir);
    say(&format!("we met by {} at {url}", Tool::NpmTracker.version()));
}
