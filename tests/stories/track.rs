//! Stories of `swarmlet track`: its replies to peers, and its behaviour under attack.

use crate::common::content::Content;
use crate::common::http::percent_encode;
use crate::common::ports::has_ipv6;
use crate::common::proc;
use crate::common::swarmlet::Get;
use crate::common::tools::{can_unshare, skip};
use crate::common::torrent::Maker;
use crate::common::track::{Track, UdpAsker, counts_seeds, failure, number, peers, query, scraped, udp_announce};
use crate::common::wait::{PATIENCE, wait_until};
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

const HASH: [u8; 20] = *b"\x00\xffan info-hash 20 &\x25";
const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;
const KIB: usize = 1024;

fn tracker(scratch: &Path) -> Track {
    Track::on_free_port(scratch).start()
}

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn peers_meet_over_http() {
    let scratch = scratch();
    let track = tracker(scratch.path());
    let first = track.get(&query(HASH, 1001, 0, "&event=started&compact=1")).body;
    assert_eq!((peers(&first), number(&first, "complete"), number(&first, "interval")), (vec![], 1, 1800));
    let second = track.get(&query(HASH, 1002, 5, "&event=started")).body;
    assert_eq!(peers(&second), [(HERE, 1001)], "compact is the default");
    let both = track.get(&query(HASH, 1003, 5, "")).body;
    assert_eq!(peers(&both), [(HERE, 1001), (HERE, 1002)]);
    assert_eq!((number(&both, "complete"), number(&both, "incomplete")), (1, 2));
    let seed = track.get(&query(HASH, 1004, 0, "")).body;
    assert_eq!(peers(&seed), [(HERE, 1002), (HERE, 1003)], "a seed is told of no other seed");
    track.get(&query(HASH, 1002, 0, "&event=completed"));
    track.get(&query(HASH, 1002, 0, "&event=completed"));
    track.get(&query(HASH, 1001, 0, "&event=stopped"));
    let scrape = track.scrape(&HASH);
    assert_eq!(scraped(&scrape, &HASH), [2, 1, 1]);
    // The reply of 2001, with and without peer ids.
    let text = |more: &str| String::from_utf8_lossy(&track.get(&query(HASH, 1003, 5, more)).body).into_owned();
    let with_ids = text("&compact=0&numwant=200");
    assert!(with_ids.contains("2:ip9:127.0.0.17:peer id20:-XX0001-"), "{with_ids}");
    let without = text("&compact=0&no_peer_id=1");
    assert!(without.contains("2:ip9:127.0.0.14:porti100") && !without.contains("peer id"), "{without}");
}

/// A proxy or a link checker may ask with HEAD: that is no peer. And some torrents have a slash after the path.
#[test]
fn a_head_is_no_announce_and_a_slash_after_the_path_does_no_harm() {
    let scratch = scratch();
    let track = tracker(scratch.path());
    let mut socket = TcpStream::connect(track.address()).unwrap();
    let target = query(HASH, 1001, 0, "&event=started");
    for path in [target.clone(), target.replace("/announce?", "/announce/?")] {
        write!(socket, "HEAD {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    }
    write!(socket, "HEAD / HTTP/1.0\r\n\r\n").unwrap();
    let mut answers = String::new();
    socket.read_to_string(&mut answers).unwrap();
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 3, "{answers}");
    assert!(!track.scrape(&HASH).windows(20).any(|part| part == HASH), "a HEAD registered a peer");
    let slash = track.get(&target.replace("/announce?", "/announce/?")).body;
    assert_eq!(number(&slash, "complete"), 1);
    let bare = track.get(&query(HASH, 1002, 5, "").replace("/announce?", "/?")).body;
    assert_eq!(peers(&bare), [(HERE, 1001)], "a URL without a path");
    track.get(&query(HASH, 1002, 5, "&event=stopped").replace("/announce?", "/?"));
    let scrape = track.get(&format!("/scrape/?info_hash={}", percent_encode(&HASH))).body;
    assert_eq!(scraped(&scrape, &HASH), [1, 0, 0]);
}

/// BEP 48: a scrape may name several torrents, unknown ones are left out, and only an option allows a scrape of all.
#[test]
fn a_scrape_counts_the_peers_of_several_torrents() {
    let scratch = scratch();
    let track = Track::on_free_port(scratch.path()).arg("--full-scrape").start();
    for name in [b'a', b'b', b'c'] {
        track.get(&query([name; 20], 1000 + u16::from(name), 0, ""));
    }
    let count = |target: &str| track.get(target).body.windows(10).filter(|w| w == b"d8:complet").count();
    let (a, b, x) = ("%61".repeat(20), "%62".repeat(20), "%78".repeat(20));
    assert_eq!(count(&format!("/scrape?info_hash={a}&info_hash={b}&info_hash={x}&info_hash={a}")), 2);
    assert_eq!(count("/scrape"), 3);
    let plain = tracker(scratch.path());
    assert!(failure(&plain.get("/scrape").body).contains("info_hash"));
    assert!(failure(&plain.get("/scrape?info_hash=short").body).contains("20 bytes"));
}

#[test]
fn peers_over_udp_meet_each_other_and_peers_over_http() {
    let scratch = scratch();
    let track = tracker(scratch.path());
    track.get(&query(HASH, 1001, 0, ""));
    let asker = UdpAsker::new(HERE.into(), track.port);
    let id = asker.connect();
    let reply = asker.ask(&udp_announce(id, HASH, 1002, 5, -1)).unwrap();
    assert_eq!(reply[..8], [0, 0, 0, 1, 0, 0, 0, 9]);
    assert_eq!(reply[8..20], [0, 0, 7, 8, 0, 0, 0, 1, 0, 0, 0, 1], "interval, leechers, seeds");
    assert_eq!(reply[20..], [127, 0, 0, 1, 0x03, 0xe9]);
    assert_eq!(peers(&track.get(&query(HASH, 1003, 5, "")).body), [(HERE, 1001), (HERE, 1002)]);
    let scrape = [&id[..], &[0, 0, 0, 2, 0, 0, 0, 4], &HASH, &[9; 20]].concat();
    let reply = asker.ask(&scrape).unwrap();
    assert_eq!(reply[8..], [[0, 0, 0, 1], [0; 4], [0, 0, 0, 2], [0; 4], [0; 4], [0; 4]].concat());
    if has_ipv6() {
        let asker = UdpAsker::new("::1".parse().unwrap(), track.port);
        let id = asker.connect();
        asker.ask(&udp_announce(id, HASH, 1006, 0, 9)).unwrap();
        let reply = asker.ask(&udp_announce(id, HASH, 1007, 5, 9)).unwrap();
        assert_eq!(reply[20..].len(), 18, "only peers of its own family");
        assert_eq!((reply[35], &reply[36..]), (1, &[0x03, 0xee][..]));
    }
}

/// A wrong connection id gets no peers. Before an address is verified, no reply is larger than its request.
#[test]
fn over_udp_an_address_is_verified_first() {
    let scratch = scratch();
    let track = tracker(scratch.path());
    for port in 1..=60 {
        track.get(&query(HASH, port, 0, ""));
    }
    let asker = UdpAsker::new(HERE.into(), track.port);
    let id = asker.connect();
    let other = UdpAsker::new(Ipv4Addr::new(127, 0, 0, 2).into(), track.port);
    let mut wrong = id;
    wrong[3] ^= 1;
    for (asker, id) in [(&asker, wrong), (&asker, [0; 8]), (&other, id)] {
        let packet = udp_announce(id, HASH, 99, 5, 200);
        let reply = asker.ask(&packet).unwrap();
        assert_eq!(reply[..4], [0, 0, 0, 3], "an error");
        assert!(reply.len() <= packet.len());
        let scrape = [&id[..], &[0, 0, 0, 2, 0, 0, 0, 4]].concat();
        assert!(asker.gets_no_reply(&scrape), "the reply is larger than the request");
    }
    // The right connection id gets peers.
    assert_eq!(asker.ask(&udp_announce(id, HASH, 99, 5, 200)).unwrap().len(), 20 + 6 * 60);
    // Packets outside of the protocol get no reply.
    for packet in [&b""[..], b"hello", &[0; 16], &[0xff; 200]] {
        assert!(asker.gets_no_reply(packet));
    }
}

#[test]
fn a_wrong_announce_gets_a_clear_failure_reason() {
    let scratch = scratch();
    let track = tracker(scratch.path());
    let whole = query(HASH, 1001, 0, "");
    for (from, to, words) in [
        ("port=1001", "port=0", "port must be 1 to 65535"),
        ("port=1001", "port=70000", "port"),
        ("info_hash=%00", "info_hash=", "info_hash is 19 bytes"),
        ("peer_id", "peer", "peer_id is missing"),
        ("left=0", "left=x", "left is not a number"),
        ("/announce", "/abc/announce", "the tracker is at /announce"),
    ] {
        let answer = track.get(&whole.replace(from, to));
        assert!(answer.head.starts_with("HTTP/1.1 200"), "clients read the body only with status 200");
        assert!(failure(&answer.body).contains(words), "{}", failure(&answer.body));
    }
    assert!(track.get("/nothing").head.starts_with("HTTP/1.1 404"));
}

/// Wrong numbers, forged addresses, and announces in the name of other peers.
#[test]
fn a_peer_cannot_announce_for_another() {
    let scratch = scratch();
    let track = tracker(scratch.path());
    for port in 1..=300 {
        track.get(&query(HASH, port, 0, ""));
    }
    let of = |more: &str| peers(&track.get(&query(HASH, 999, 5, more)).body).len();
    assert_eq!((of(""), of("&numwant=-1"), of("&numwant=1000000000"), of("&numwant=0")), (50, 50, 200, 0));
    let unknown = track.get(&query(HASH, 998, 0, "").replace("left=0", "left=-1")).body;
    assert_eq!(number(&unknown, "incomplete"), 2, "a peer that does not know how much is left is not a seed");

    // `ip=` and X-Forwarded-For are ignored by default.
    let hash = [7; 20];
    let forged = query(hash, 1001, 0, "&ip=9.9.9.9");
    track.get_from(HERE, &forged, "X-Forwarded-For: 8.8.8.8\r\n");
    assert_eq!(peers(&track.get(&query(hash, 1002, 5, "")).body), [(HERE, 1001)]);
    // Another address with the id and key of a peer does not change its entry.
    let other = Ipv4Addr::new(127, 0, 0, 2);
    track.get(&query(hash, 1001, 0, "&key=0000abcd"));
    track.get_from(other, &query(hash, 1001, 0, "&event=stopped&key=0000abcd"), "");
    track.get_from(other, &query(hash, 1001, 0, "&key=1234"), "");
    assert_eq!(peers(&track.get(&query(hash, 1002, 5, "")).body), [(HERE, 1001), (other, 1001)]);
}

/// A thousand idle connections and a slow one. Other peers get replies meanwhile.
#[test]
fn idle_and_slow_connections_delay_no_other() {
    let scratch = scratch();
    let track = tracker(scratch.path());
    let idle: Vec<TcpStream> = (0..1000).map(|_| TcpStream::connect(track.address()).unwrap()).collect();
    let began = Instant::now();
    let mut slow = TcpStream::connect(track.address()).unwrap();
    slow.write_all(b"GET /announce HTTP/1.1\r\nX-Slow: ").unwrap();
    let mut best = Duration::MAX;
    for port in 1..=20 {
        let asked = Instant::now();
        assert_eq!(number(&track.get(&query(HASH, port, 0, "")).body, "complete"), i64::from(port));
        best = best.min(asked.elapsed());
    }
    assert!(best < Duration::from_millis(100), "the fastest of 20 took {best:?}");
    // A request must be complete within 5 s.
    slow.set_read_timeout(Some(PATIENCE)).unwrap();
    slow.set_write_timeout(Some(PATIENCE)).unwrap();
    wait_until("the slow one is closed", PATIENCE, || slow.write_all(b"x").is_err() || slow_is_over(&mut slow));
    assert!(began.elapsed() >= Duration::from_secs(4), "closed after {:?}", began.elapsed());
    for mut stream in idle {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0, "an idle one is closed");
    }
    assert_eq!(number(&track.get(&query(HASH, 1, 0, "")).body, "complete"), 20);
}

fn slow_is_over(stream: &mut TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let over = !matches!(stream.read(&mut [0]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock);
    stream.set_nonblocking(false).unwrap();
    over
}

#[test]
fn a_request_head_of_a_mib_is_refused() {
    let scratch = scratch();
    let track = tracker(scratch.path());
    let mut stream = TcpStream::connect(track.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = format!("GET /announce HTTP/1.1\r\nX-Long: {}\r\n\r\n", "x".repeat(1 << 20));
    // The connection may be closed before everything is sent.
    let _ = stream.write_all(head.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431"), "{}", String::from_utf8_lossy(&answer));
    for (request, status) in [("POST / HTTP/1.1\r\n\r\n", "405"), ("\x16\x03\x01\r\n\r\n", "400")] {
        let mut stream = TcpStream::connect(track.address()).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    }
}

/// RFC 9112: several requests may come in one segment and one request in many, and the connection stays open.
#[test]
fn requests_may_be_split_and_joined_anywhere() {
    let scratch = scratch();
    let track = tracker(scratch.path());
    let mut stream = TcpStream::connect(track.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = |port| format!("GET {} HTTP/1.1\r\nHost: x\r\n\r\n", query(HASH, port, 0, ""));
    let many: String = (1..=200).map(request).collect();
    for part in many.as_bytes().chunks(1777) {
        stream.write_all(part).unwrap();
    }
    let last = "GET /nothing HTTP/1.1\r\nConnection: close\r\n\r\n";
    for byte in last.as_bytes() {
        stream.write_all(&[*byte]).unwrap();
    }
    let mut answers = Vec::new();
    stream.read_to_end(&mut answers).unwrap();
    let text = String::from_utf8_lossy(&answers);
    assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 200);
    assert!(text.contains("8:completei200e") && text.ends_with("at /announce\n"), "the replies are not in order");
}

/// Limits bound the memory, and real peers stay.
#[test]
fn a_flood_of_invented_swarms_and_peers_is_bounded() {
    let scratch = scratch();
    let track = Track::on_free_port(scratch.path()).arg("--max-peers").arg("20000").start();
    track.get(&query(HASH, 1001, 0, ""));
    track.get(&query(HASH, 1002, 5, ""));
    let asker = UdpAsker::new(HERE.into(), track.port);
    let id = asker.connect();
    let mut state = 1u64;
    for number in 0..60_000u32 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut hash = [0; 20];
        // Half of them new swarms, half of them peers of a few.
        let name = if number % 2 == 0 { state >> 20 } else { u64::from(number % 3) };
        hash[..8].copy_from_slice(&name.to_be_bytes());
        asker.ask(&udp_announce(id, hash, (number % 65_000) as u16 + 1, 5, 0)).unwrap();
    }
    let stats: serde_json::Value = serde_json::from_slice(&track.get("/stats.json").body).unwrap();
    assert!(stats["swarms"].as_u64().unwrap() <= 2000 && stats["peers"].as_u64().unwrap() <= 20_000, "{stats}");
    assert_eq!(peers(&track.get(&query(HASH, 1002, 5, "")).body), [(HERE, 1001)]);
    let kib = proc::status(track.id(), "VmRSS");
    assert!(kib < 24 * 1024, "{kib} KiB");
}

/// Our own client with our own tracker.
fn our_own_swarm_meets(url: fn(&Track) -> String) {
    let scratch = scratch();
    let track = tracker(scratch.path());
    let content = Content::one_file("a file.bin", 3000 * KIB);
    let source = scratch.path().join("source");
    let torrent = Maker::Ours.make(&content, &source, 32 * KIB, &url(&track));
    let seed = Get::new("seed", scratch.path()).in_dir(&source).torrent(&torrent).arg("--seed").start();
    track.wait_for_a_seed(&torrent.info_hash, || {});
    let get = Get::new("leecher", scratch.path()).torrent(&torrent);
    get.run().assert_code(0);
    content.assert_same_in(&get.dir);
    assert_eq!(scraped(&track.scrape(&torrent.info_hash), &torrent.info_hash), [1, 0, 1]);
    seed.terminate().assert_code(0);
    assert_eq!(
        scraped(&track.scrape(&torrent.info_hash), &torrent.info_hash),
        [0, 0, 1],
        "its last announce was ignored"
    );
}

#[test]
fn our_own_swarm_meets_over_http() {
    our_own_swarm_meets(Track::url);
}

#[test]
fn our_own_swarm_meets_over_udp() {
    our_own_swarm_meets(Track::udp_url);
}

/// BEP 41: the path of the URL is part of the announce.
#[test]
fn a_passkey_in_a_udp_url_reaches_the_tracker() {
    let scratch = scratch();
    let file = scratch.path().join("passkeys");
    fs::write(&file, "abcdef0123\n").unwrap();
    let track = Track::on_free_port(scratch.path()).arg("--passkeys").arg(&file).start();
    let content = Content::one_file("a file.bin", 100 * KIB);
    let source = scratch.path().join("source");
    let url = track.udp_url().replace("/announce", "/abcdef0123/announce");
    let torrent = Maker::Ours.make(&content, &source, 32 * KIB, &url);
    let _seed = Get::new("seed", scratch.path()).in_dir(&source).torrent(&torrent).arg("--seed").start();
    let scrape = format!("/abcdef0123/scrape?info_hash={}", percent_encode(&torrent.info_hash));
    wait_until("the seed is known", PATIENCE, || counts_seeds(&track.get(&scrape).body, 1));
}

/// BEP 7. The host has an address of each family, and the tracker must hear us on both.
#[test]
fn our_client_announces_over_ipv4_and_ipv6() {
    const OWN_HOSTS: [&str; 3] = ["--user", "--map-root-user", "--mount"];
    if !has_ipv6() {
        return skip("this machine has no ::1");
    }
    if !can_unshare(&OWN_HOSTS) {
        return;
    }
    for scheme in ["http", "udp"] {
        let scratch = scratch();
        let track = tracker(scratch.path());
        let content = Content::one_file("a file.bin", 100 * KIB);
        let source = scratch.path().join("source");
        let url = format!("{scheme}://both.example:{}/announce", track.port);
        let torrent = Maker::Ours.make(&content, &source, 32 * KIB, &url);
        // Only the seed sees this file as /etc/hosts.
        let hosts = scratch.path().join("hosts");
        fs::write(&hosts, "127.0.0.1 both.example\n::1 both.example\n").unwrap();
        let mount = format!("mount --bind {} /etc/hosts && exec \"$@\"", hosts.display());
        let get = Get::new("seed", scratch.path()).in_dir(&source).torrent(&torrent).arg("--seed");
        let mut seed = get.start_after(&format!("exec unshare {} sh -c '{mount}' sh \"$@\"", OWN_HOSTS.join(" ")));
        wait_until("the seed is known on both", PATIENCE, || {
            seed.must_run();
            counts_seeds(&track.scrape(&torrent.info_hash), 2)
        });
        seed.terminate().assert_code(0);
        assert_eq!(scraped(&track.scrape(&torrent.info_hash), &torrent.info_hash)[0], 0, "it ends on both");
    }
}
