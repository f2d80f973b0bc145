//! Stories of the addresses at which `swarmlet track` lists peers: behind proxies, and in its own network.

use crate::common::bencode::raw;
use crate::common::content::Content;
use crate::common::swarmlet::Get;
use crate::common::torrent::Maker;
use crate::common::track::{Track, UdpAsker, failure, number, peer_id, peers, query, udp_announce};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;

const HASH: [u8; 20] = *b"\x00\xffan info-hash 20 &\x25";
const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;
const PROXY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
const FRONT: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 4);

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// A tracker behind the proxies at 127.0.0.3 and 127.0.0.4.
fn behind_proxies(scratch: &Path, options: &[&str]) -> Track {
    let start = Track::on_free_port(scratch).arg(format!("--trusted-proxy={PROXY},{FRONT}/32,192.0.2.0/24"));
    options.iter().fold(start, |start, option| start.arg(option)).start()
}

/// Announces through the proxy, which says that the client is at `client`. Returns the reply.
fn announce_as(track: &Track, client: &str, port: u16, more: &str) -> Vec<u8> {
    track.get_from(PROXY, &query(HASH, port, 0, more), &format!("X-Forwarded-For: {client}\r\n"))
}

/// The IPv4 peers that a client at `client` gets, as text.
fn seen_by(track: &Track, client: &str) -> Vec<String> {
    let reply = track.get_from(PROXY, &query(HASH, 9999, 5, ""), &format!("X-Forwarded-For: {client}\r\n"));
    peers(&reply).iter().map(|(ip, port)| format!("{ip}:{port}")).collect()
}

/// Load balancers write ports, IPv6 addresses have brackets, and requests pass several proxies.
#[test]
fn behind_proxies_each_client_keeps_its_own_address() {
    let scratch = scratch();
    let track = behind_proxies(scratch.path(), &[]);
    let of = |last: u16| format!("11.1.1.{last}");
    for (last, headers) in [
        (1, "X-Forwarded-For: 11.1.1.1:5555".to_string()),
        (2, format!("X-Forwarded-For: 8.8.8.8, 11.1.1.2, {FRONT}")),
        (3, format!("X-Forwarded-For: 8.8.8.8\r\nX-Forwarded-For: 11.1.1.3:80\r\nx-forwarded-for: {FRONT}:1,{PROXY}")),
        (4, "Forwarded: for=8.8.8.8;by=unknown, for=11.1.1.4;proto=http;by=_proxy".to_string()),
        (5, format!("Forwarded: For=\"11.1.1.5:4711\" ; proto=https, for={FRONT}")),
        (6, "X-Forwarded-For: 11.1.1.6\r\nForwarded: for=11.1.1.6\r\nVia: 1.1 front".to_string()),
        (7, "X-Forwarded-For: [::ffff:11.1.1.7]:443, 192.0.2.200, 192.0.2.1".to_string()),
    ] {
        track.get_from(PROXY, &query(HASH, last, 0, ""), &format!("{headers}\r\n"));
    }
    let expected: Vec<String> = (1..=7).map(|last| format!("{}:{last}", of(last))).collect();
    assert_eq!(seen_by(&track, "9.9.9.9"), expected);
    announce_as(&track, "[2001:db8::7]:443", 77, "");
    let reply = track.get_from(PROXY, &query(HASH, 9999, 5, ""), "Forwarded: for=\"[2001:db8::8]\"\r\n");
    let entry = [&[0x20, 1, 0x0d, 0xb8][..], &[0; 11], &[7, 0, 77]].concat();
    assert_eq!(raw(&reply, "peers6").map(|value| value[3..].to_vec()), Some(entry));
    assert_eq!(raw(&reply, "external ip").map(|value| value[value.len() - 1]), Some(8));
    assert!(!track.stderr().contains("prox"), "{}", track.stderr());
}

/// Otherwise everybody would get the address of the proxy.
#[test]
fn a_client_whose_address_no_proxy_names_is_refused_with_a_reason() {
    let scratch = scratch();
    let track = behind_proxies(scratch.path(), &[]);
    for (headers, reason) in [
        ("X-Forwarded-For: unknown", "names no IP address"),
        ("X-Forwarded-For: 11.1.1.9, _hidden", "names no IP address"),
        ("Forwarded: for=\"_gazonk\"", "names no IP address"),
        ("Forwarded: proto=https", "names no IP address"),
        ("X-Forwarded-For: 127.0.0.4, 127.0.0.3", "names only proxies"),
        ("X-Forwarded-For:", "names only proxies"),
        ("X-Forwarded-For: 11.1.1.9\r\nForwarded: for=11.1.1.10", "name different ones"),
        ("X-Forwarded-For: 0.0.0.0", "no peer can be at the address"),
    ] {
        let reply = track.get_from(PROXY, &query(HASH, 1001, 0, ""), &format!("{headers}\r\n"));
        assert!(failure(&reply).contains(reason), "{headers}: {}", failure(&reply));
        // What needs no address is answered.
        assert!(track.get_from(PROXY, "/stats.json", &format!("{headers}\r\n")).starts_with(b"{"));
    }
    assert_eq!(track.stderr().matches("through a proxy").count(), 1, "reported once: {}", track.stderr());
    // The headers of an untrusted client are not believed.
    let reply =
        track.get_from(HERE, &query(HASH, 1002, 0, ""), "Forwarded: for=11.1.1.9\r\nX-Forwarded-For: unknown\r\n");
    assert_eq!(number(&reply, "complete"), 1);
    assert_eq!(seen_by(&track, "9.9.9.9"), ["127.0.0.1:1002"]);
}

/// As in 2004: a seed beside the tracker knows its address better than the tracker does.
#[test]
fn only_clients_of_its_own_network_may_name_their_address() {
    let scratch = scratch();
    let track = behind_proxies(scratch.path(), &[]);
    track.get(&query(HASH, 1, 0, "&ip=6.6.6.6"));
    for (port, client) in [(2, "192.168.1.5"), (3, "10.0.0.9:80"), (4, "8.8.8.8"), (5, "100.64.0.1"), (6, "fd00::1")] {
        announce_as(&track, client, port, "&ip=6.6.6.6");
    }
    // Anybody may be behind a proxy that is not trusted.
    for (port, header) in [(7, "X-Forwarded-For: 8.8.8.8"), (8, "Via: 1.1 proxy"), (9, "X-Real-IP: 8.8.8.8")] {
        track.get_from(HERE, &query(HASH, port, 0, "&ip=6.6.6.6"), &format!("{header}\r\n"));
    }
    let named = ["6.6.6.6:1", "6.6.6.6:2", "6.6.6.6:3", "6.6.6.6:6", "8.8.8.8:4"];
    let others = ["100.64.0.1:5", "127.0.0.1:7", "127.0.0.1:8", "127.0.0.1:9"];
    let mut expected: Vec<&str> = named.into_iter().chain(others).collect();
    expected.sort_by_key(|text| text.split(':').next().unwrap().parse::<Ipv4Addr>().unwrap());
    assert_eq!(seen_by(&track, "9.9.9.9"), expected);
    // Over UDP the packet has a field for it.
    let asker = UdpAsker::new(HERE.into(), track.port);
    let mut packet = udp_announce(asker.connect(), [7; 20], 10, 0, 9);
    packet[84..88].copy_from_slice(&[6, 6, 6, 7]);
    asker.ask(&packet).unwrap();
    assert_eq!(peers(&track.get(&query([7; 20], 11, 5, "")).body), [(Ipv4Addr::new(6, 6, 6, 7), 10)]);
    // A host name cannot be given to peers, and an empty value does not count.
    assert!(failure(&track.get(&query(HASH, 1, 0, "&ip=seed.example")).body).contains("ip must be an IP address"));
    assert_eq!(number(&announce_as(&track, "8.8.8.8", 4, "&ip=seed.example"), "complete"), 9);
    assert_eq!(number(&track.get(&query([8; 20], 1, 0, "&ip=")).body, "complete"), 1);
}

/// `--ip` does that, with both protocols.
#[test]
fn a_seed_beside_the_tracker_can_name_its_address() {
    for (name, url) in [("http", Track::url as fn(&Track) -> String), ("udp", Track::udp_url)] {
        let scratch = scratch();
        let track = behind_proxies(scratch.path(), &[]);
        let source = scratch.path().join("source");
        let torrent = Maker::Ours.make(&Content::one_file("a file.bin", 100_000), &source, 32 << 10, &url(&track));
        let seed = Get::new("seed", scratch.path()).in_dir(&source).torrent(&torrent);
        let mut seed = seed.args(&["--seed", "--ip", "6.6.6.6"]).start();
        track.wait_for_a_seed(&torrent.info_hash, || seed.must_run());
        let asked = query(torrent.info_hash, 9999, 5, "");
        let reply = track.get_from(PROXY, &asked, "X-Forwarded-For: 9.9.9.9\r\n");
        let ips: Vec<Ipv4Addr> = peers(&reply).into_iter().map(|(ip, _)| ip).collect();
        assert_eq!(ips, [Ipv4Addr::new(6, 6, 6, 6)], "{name}");
    }
}

#[test]
fn clients_outside_get_the_external_address_of_peers_inside() {
    let scratch = scratch();
    let track = behind_proxies(scratch.path(), &["--external-ip", "5.5.5.5,2001:db8::5"]);
    track.get(&query(HASH, 1, 0, ""));
    announce_as(&track, "192.168.1.5", 2, "");
    announce_as(&track, "8.8.8.8", 3, "");
    announce_as(&track, "fd00::4", 4, "");
    assert_eq!(seen_by(&track, "9.9.9.9"), ["5.5.5.5:1", "5.5.5.5:2", "8.8.8.8:3"]);
    assert_eq!(seen_by(&track, "192.168.1.6"), ["5.5.5.5:1", "8.8.8.8:3", "9.9.9.9:9999", "192.168.1.5:2"]);
    let here = track.get(&query(HASH, 5, 5, "")).body;
    assert!(peers(&here).contains(&(HERE, 1)) && peers(&here).contains(&(Ipv4Addr::new(192, 168, 1, 5), 2)));
    assert_eq!(raw(&here, "external ip"), Some(&b"4:\x05\x05\x05\x05"[..]), "it is told the address that others use");
    // The list of 2001 too, with the right peer ids.
    let list = announce_as(&track, "9.9.9.9", 9999, "&compact=0&left=5");
    let text = String::from_utf8_lossy(&list);
    assert!(
        text.contains("2:ip7:5.5.5.5") && text.contains("2:ip11:2001:db8::5") && !text.contains("192.168"),
        "{text}"
    );
    let entry = [&b"2:ip7:5.5.5.57:peer id20:"[..], &peer_id(2), b"4:porti2e"].concat();
    assert!(list.windows(entry.len()).any(|part| part == entry), "{text}");
    assert!(!track.stderr().contains("--external-ip"), "{}", track.stderr());
    // Without the option, the operator is warned once.
    let plain = behind_proxies(scratch.path(), &[]);
    plain.get(&query(HASH, 1, 0, ""));
    assert!(!plain.stderr().contains("--external-ip"));
    assert_eq!((seen_by(&plain, "9.9.9.9"), seen_by(&plain, "9.9.9.8").len()), (vec!["127.0.0.1:1".to_string()], 2));
    assert_eq!(plain.stderr().matches("--external-ip").count(), 1, "{}", plain.stderr());
}

/// If a list left them out, the peers after them would get the ids of others.
#[test]
fn an_address_that_no_peer_can_have_is_refused() {
    let scratch = scratch();
    let track = Track::on_free_port(scratch.path()).arg("--trust-ip").start();
    for (port, ip) in
        [(1, "0.0.0.0"), (2, "255.255.255.255"), (3, "224.0.0.1"), (4, "::"), (5, "ff02::1"), (6, "::ffff:0.0.0.0")]
    {
        let reply = track.get(&query(HASH, port, 0, &format!("&ip={ip}"))).body;
        assert!(failure(&reply).contains("no peer can be at the address"), "{ip}: {}", String::from_utf8_lossy(&reply));
        track.get(&query(HASH, 100 + port, 0, &format!("&ip=6.6.6.{port}")));
    }
    let list = track.get(&query(HASH, 9999, 5, "&compact=0&numwant=200")).body;
    assert_eq!(number(&list, "complete"), 6);
    for port in 1..=6 {
        let ip = format!("d2:ip7:6.6.6.{port}7:peer id20:");
        let entry = [ip.as_bytes(), &peer_id(100 + port), format!("4:porti{}e", 100 + port).as_bytes()].concat();
        assert!(list.windows(entry.len()).any(|part| part == entry), "{}", String::from_utf8_lossy(&list));
    }
}

/// RFC 9112, section 2.2: empty lines before a request are skipped. What was answered is in the log.
#[test]
fn each_request_that_is_answered_is_in_the_log() {
    let scratch = scratch();
    let log = scratch.path().join("log");
    let track = Track::on_free_port(scratch.path()).arg("--logfile").arg(&log).start();
    for (request, status, line) in [
        ("\r\nGET /a HTTP/1.1\r\nConnection: close\r\n\r\n", 404, "\"GET /a HTTP/1.1\" 404 "),
        ("\n\r\n\nGET /b HTTP/1.1\nConnection: close\n\n", 404, "\"GET /b HTTP/1.1\" 404 "),
        ("HEAD /c HTTP/1.1\r\nConnection: close\r\n\r\n", 404, "\"HEAD /c HTTP/1.1\" 404 "),
        ("POST /d HTTP/1.1\r\n\r\n", 405, "\"POST /d HTTP/1.1\" 405 "),
        ("GET /e HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", 413, "\"GET /e HTTP/1.1\" 413 "),
        ("\x16\x03\x01\x02\r\n\r\n", 400, "\"%16%03%01%02\" 400 "),
    ] {
        let mut stream = TcpStream::connect(track.address()).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        let text = std::fs::read_to_string(&log).unwrap();
        assert!(text.lines().last().unwrap_or_default().contains(line), "{line}: {text}");
    }
    announce_from_proxy_is_logged(&track, &log);
    let asker = UdpAsker::new(HERE.into(), track.port);
    asker.ask(&[&asker.connect()[..], &[0, 0, 0, 2, 0, 0, 0, 4], &[0x61; 20]].concat()).unwrap();
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(text.contains("\"UDP scrape?info_hash=aaaaaaaaaaaaaaaaaaaa\" 200 20 "), "{text}");
}

fn announce_from_proxy_is_logged(track: &Track, log: &Path) {
    // This tracker trusts no proxy, so the log names the proxy.
    track.get_from(PROXY, &query(HASH, 1, 0, ""), "X-Forwarded-For: 8.8.8.8\r\n");
    assert!(std::fs::read_to_string(log).unwrap().lines().last().unwrap_or_default().starts_with("127.0.0.3 - - ["));
}
