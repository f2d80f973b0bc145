//! Stories of trackers that misbehave. `swarmlet get` reports each fault, asks other trackers meanwhile, and uses every
//! reply that can be used.

use crate::common::content::Content;
use crate::common::http::Server;
use crate::common::ports::free_port;
use crate::common::stage::Stage;
use crate::common::swarmlet::{Get, Swarmlet};
use crate::common::torrent::make_with_tiers;
use crate::common::track::Track;
use crate::common::wait::{PATIENCE, wait_until};
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const KIB: usize = 1024;
const PIECE: usize = 32 * KIB;

/// Content with a good tracker, a seed of it, and the port of the seed.
fn stage() -> (Stage, Swarmlet, u16) {
    let stage = Stage::new(Content::one_file("a file.bin", 700 * KIB + 7), PIECE);
    let (seed, port) = stage.serve(&[]);
    (stage, seed, port)
}

/// A `get` of the same content with a torrent that lists other trackers.
fn get(stage: &Stage, name: &str, tiers: &[Vec<String>]) -> Get {
    let file = stage.path().join(format!("{name}.torrent"));
    Get::new(name, stage.path()).torrent(&make_with_tiers(&stage.content, &file, PIECE, tiers))
}

/// The seed as an entry of a compact list.
fn compact(port: u16) -> Vec<u8> {
    [&[127, 0, 0, 1][..], &port.to_be_bytes()].concat()
}

/// The reply of a tracker that knows the seed.
fn reply_with(port: u16) -> Vec<u8> {
    [b"d8:intervali1800e5:peers6:", &compact(port)[..], b"e"].concat()
}

/// The loopback address of the tracker `number`. Messages name it.
fn host(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 0, 100 + number)
}

/// A tracker of raw HTTP at [`host`] `number`, and its announce URL.
fn tracker(
    number: u8,
    answer: impl Fn(&str, &mut TcpStream) -> io::Result<()> + Send + Sync + 'static,
) -> (Server, String) {
    let server = Server::raw((host(number), 0).into(), answer);
    let url = format!("http://{}/announce", server.address());
    (server, url)
}

/// A tracker that always answers with these bytes.
fn says(number: u8, bytes: impl Into<Vec<u8>>) -> (Server, String) {
    let bytes = bytes.into();
    tracker(number, move |_, stream| stream.write_all(&bytes))
}

fn http(status: &str, body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
}

/// All of them are in one torrent, each in its own tier.
#[test]
fn each_bad_tracker_is_reported_with_its_fault_and_the_good_one_is_used() {
    let (stage, _seed, _port) = stage();
    let (sent, redirects) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicUsize::new(0)));
    let (count, turns) = (sent.clone(), redirects.clone());
    let giant = tracker(0, move |_, stream| {
        stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 1 << 30).as_bytes())?;
        let piece = [b'x'; 64 * KIB];
        for _ in 0..(1 << 30) / piece.len() {
            stream.write_all(&piece)?;
            count.fetch_add(piece.len() as u64, Ordering::Relaxed);
        }
        Ok(())
    });
    let looping = tracker(1, move |target, stream| {
        turns.fetch_add(1, Ordering::Relaxed);
        write!(stream, "HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n")
    });
    let deep = says(2, http("200 OK", &[b'l'; 500_000]));
    let gzip = says(3, http("200 OK", b"\x1f\x8b\x08\0\0\0\0\0\0\x03"));
    let refuses = says(4, http("200 OK", b"d14:failure reason11:not allowede"));
    let refuses_by_status = says(5, http("400 Bad Request", b"d14:failure reason10:not by 400e"));
    let page = says(6, http("200 OK", b"<html><body>welcome</body></html>"));
    let dead = format!("http://{}:{}/announce", host(7), free_port());
    let nothing = says(8, "");
    let garbage = says(9, http("200 OK", b"d5:peersi"));
    let no_web_address = "ftp://127.0.0.110/announce".to_string();

    let bad = [&giant, &looping, &deep, &gzip, &refuses, &refuses_by_status, &page, &nothing, &garbage];
    let mut tiers: Vec<Vec<String>> = bad.iter().map(|(_, url)| vec![url.clone()]).collect();
    tiers.extend([vec![dead], vec![no_web_address], vec![stage.tracker.url()]]);
    // It seeds, so that the run does not end before all faults are reported.
    let get = get(&stage, "leecher", &tiers).arg("--seed").arg("--json");
    let mut leecher = get.start();
    let expected = [
        (0, "more than 1048576 bytes"),
        (1, "too many redirects"),
        (2, "is not bencoded"),
        (3, "is compressed"),
        (4, "not allowed"),
        (5, "not by 400"),
        (6, "is a web page"),
        (7, "refused"),
        (8, ""),
        (9, "is not bencoded"),
        (10, "its URL is not one of http, https or udp"),
    ];
    let heard = |out: &str, number: u8, words: &str| {
        let name = format!("\"tracker\":\"{}\"", host(number));
        out.lines().any(|line| line.contains("\"event\":\"tracker\"") && line.contains(&name) && line.contains(words))
    };
    wait_until("each fault is reported", PATIENCE, || {
        leecher.must_run();
        let out = leecher.stdout();
        out.contains("\"event\":\"complete\"") && expected.iter().all(|(number, words)| heard(&out, *number, words))
    });
    leecher.terminate().assert_code(0);
    stage.content.assert_same_in(&get.dir);
    assert!(sent.load(Ordering::Relaxed) < 64 << 20, "it accepted {} bytes", sent.load(Ordering::Relaxed));
    assert!(redirects.load(Ordering::Relaxed) <= 2 * 6, "{} redirects", redirects.load(Ordering::Relaxed));
}

/// BEP 12.
#[test]
fn when_a_tracker_fails_the_next_of_its_tier_is_asked() {
    let (stage, _seed, _port) = stage();
    let bad: Vec<_> = (0..4).map(|number| says(number, http("503 Busy", b"try later"))).collect();
    let mut tier: Vec<String> = bad.iter().map(|(_, url)| url.clone()).collect();
    tier.push(stage.tracker.url());
    let get = get(&stage, "leecher", &[tier]);
    get.run().assert_code(0);
    stage.content.assert_same_in(&get.dir);
}

/// Twelve of them accept the connection and never answer. The good one is last in the list.
#[test]
fn trackers_that_hang_delay_no_other() {
    let (stage, _seed, _port) = stage();
    let held = Arc::new(Mutex::new(Vec::new()));
    let silent: Vec<_> = (0..12)
        .map(|number| {
            let held = held.clone();
            tracker(number, move |_, stream| stream.try_clone().map(|stream| held.lock().unwrap().push(stream)))
        })
        .collect();
    let mut tiers: Vec<Vec<String>> = silent.iter().map(|(_, url)| vec![url.clone()]).collect();
    tiers.push(vec![stage.tracker.url()]);
    let begun = Instant::now();
    let get = get(&stage, "leecher", &tiers);
    get.run().assert_code(0);
    // The deadline of an announce is 30 s. If the good one had to wait for the others, it would take that long.
    assert!(begun.elapsed() < Duration::from_secs(25), "{:?}", begun.elapsed());
    stage.content.assert_same_in(&get.dir);
    assert!(!held.lock().unwrap().is_empty(), "no tracker was asked that hangs");
}

/// It names two thousand peers that do not exist, and the good one answers after it.
#[test]
fn thousands_of_peers_from_one_tracker_do_not_keep_out_those_from_another() {
    let (stage, _seed, port) = stage();
    let crowd: Vec<u8> = (0..2000u16).flat_map(|n| [127, 1, (n >> 8) as u8, n as u8, 0, 9]).collect();
    let crowd = [b"d5:peers12000:", &crowd[..], b"e"].concat();
    let (_bad, bad) = says(0, http("200 OK", &crowd));
    let good = http("200 OK", &reply_with(port));
    let (_good, good) = tracker(1, move |_, stream| {
        thread::sleep(Duration::from_secs(1));
        stream.write_all(&good)
    });
    let get = get(&stage, "leecher", &[vec![bad], vec![good]]).arg("--stop-timeout").arg("60");
    get.run().assert_code(0);
    stage.content.assert_same_in(&get.dir);
}

/// Compresses with the program `gzip`.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut command = Command::new("gzip");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("gzip is on every Linux");
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    child.wait_with_output().unwrap().stdout
}

/// Real trackers use each of these forms.
#[test]
fn replies_in_every_form_bring_peers() {
    let (stage, _seed, port) = stage();
    let reply = reply_with(port);
    let halves = reply.split_at(11);
    let chunked = [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n",
        halves.0,
        format!("\r\n{:x};name=value\r\n", halves.1.len()).as_bytes(),
        halves.1,
        b"\r\n0\r\n\r\n",
    ]
    .concat();
    let seven = [b"d8:intervali1800e5:peers7:", &compact(port)[..], b"xe"].concat();
    let by_name = format!("d5:peersld2:ip9:localhost4:porti{port}eed2:ip10:!not.a.ip!4:porti1eeee");
    let listed = format!("d5:peersld2:ip9:127.0.0.14:porti{port}e7:peer id20:aaaaaaaaaaaaaaaaaaaaei7e3:abcee");
    let in_v6 = [b"d5:peersle6:peers618:", &[0; 10][..], &[255, 255], &compact(port), b"e"].concat();
    let words = [b"\n", &reply[..], b"\r\n"].concat();
    let interval = |text: &str| [format!("d8:interval{text}5:peers6:").as_bytes(), &compact(port), b"e"].concat();
    let forms: Vec<(&str, Vec<u8>)> = vec![
        ("with its length", http("200 OK", &reply)),
        ("chunked", chunked),
        ("without length", [b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", &reply[..]].concat()),
        ("of HTTP 1.0", [b"HTTP/1.0 200 OK\r\n\r\n", &reply[..]].concat()),
        ("bare line ends", [b"HTTP/1.0 200 OK\nContent-Type: text/plain\n\n", &reply[..]].concat()),
        ("compressed unasked", [b"HTTP/1.0 200 OK\r\nContent-Encoding: gzip\r\n\r\n", &gzip(&reply)[..]].concat()),
        ("with line ends around it", http("200 OK", &words)),
        ("peers of 7 bytes", http("200 OK", &seven)),
        ("a list with a host name", http("200 OK", by_name.as_bytes())),
        ("a list with damaged entries", http("200 OK", listed.as_bytes())),
        ("an empty list, and IPv4 in peers6", http("200 OK", &in_v6)),
        ("interval 0", http("200 OK", &interval("i0e"))),
        ("interval -1", http("200 OK", &interval("i-1e"))),
        ("interval 2^40", http("200 OK", &interval("i1099511627776e"))),
        ("a word for interval", http("200 OK", &interval("4:soon"))),
        ("interval beyond 64 bits", http("200 OK", &interval("i99999999999999999999e"))),
        ("a leading zero", http("200 OK", &interval("i01800e"))),
        ("a key twice", http("200 OK", &interval("i1800e8:intervali9e"))),
        ("more after its end", http("200 OK", &[&reply[..], b"6:peers60:e"].concat())),
        ("a remark after its end", http("200 OK", &[&reply[..], b"<!-- 0.1 s -->"].concat())),
        ("a byte order mark", http("200 OK", &[b"\xef\xbb\xbf", &reply[..]].concat())),
    ];
    for (what, bytes) in forms {
        let events = Arc::new(Mutex::new(Vec::new()));
        let seen = events.clone();
        let (_server, url) = tracker(0, move |target, stream| {
            if target.starts_with("/scrape") {
                return stream.write_all(&http("404 Not Found", b"none"));
            }
            let event = target.split("&event=").nth(1).unwrap_or_default().split('&').next().unwrap_or_default();
            seen.lock().unwrap().push(event.to_string());
            stream.write_all(&bytes)
        });
        // Some torrents write schemes in upper case.
        let url = if what == "chunked" { url.replace("http", "HTTP") } else { url };
        let get = get(&stage, what, &[vec![url]]);
        let outcome = get.run();
        outcome.assert_code(0);
        stage.content.assert_same_in(&get.dir);
        let odd = ["beyond", "leading", "twice", "after"].iter().any(|word| what.contains(word));
        let told = outcome.stderr.matches("answer is not quite as it should be").count();
        assert_eq!(told, usize::from(odd), "{what}: once, not at each announce: {}", outcome.stderr);
        // Even with a strange interval there are only the three announces that a run must send.
        assert_eq!(*events.lock().unwrap(), ["started", "completed", "stopped"], "{what}");
    }
}

#[test]
fn five_redirects_are_followed() {
    let (stage, _seed, port) = stage();
    let reply = http("200 OK", &reply_with(port));
    let turns = AtomicUsize::new(0);
    let (_server, url) = tracker(0, move |target, stream| match turns.fetch_add(1, Ordering::Relaxed) % 6 {
        5 => stream.write_all(&reply),
        turn => {
            let query = target.split_once('?').map_or("", |(_, query)| query);
            write!(
                stream,
                "HTTP/1.1 30{} Moved\r\nLocation: /{turn}?{query}\r\nContent-Length: 0\r\n\r\n",
                1 + turn % 2
            )
        }
    });
    let get = get(&stage, "leecher", &[vec![url]]);
    get.run().assert_code(0);
    stage.content.assert_same_in(&get.dir);
}

/// A passkey in the query stays, `key` is the same for every tracker and announce, and a tracker that refused for ever
/// gets no last announce.
#[test]
fn announces_keep_the_passkey_and_carry_key_and_events() {
    let (stage, _seed, port) = stage();
    let reply = http("200 OK", &reply_with(port));
    let record = |number: u8, answer: Vec<u8>| {
        let heard = Arc::new(Mutex::new(Vec::<String>::new()));
        let seen = heard.clone();
        let (server, _) = tracker(number, move |target, stream| {
            seen.lock().unwrap().push(target.to_string());
            stream.write_all(&answer)
        });
        let url = format!("http://{}/x/ann.php?passkey=0123abcd&u=a%2Fb", server.address());
        (server, url, heard)
    };
    let (_a, url_a, heard_a) = record(0, reply.clone());
    let (_b, url_b, heard_b) = record(1, reply);
    let (_c, url_c, heard_c) = record(2, http("200 OK", b"d14:failure reason2:no8:retry in5:nevere"));
    let get = get(&stage, "leecher", &[vec![url_a], vec![url_b], vec![url_c]]);
    get.run().assert_code(0);
    let field = |target: &str, name: &str| {
        let query = target.split_once('?').unwrap().1.to_string();
        query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")).map(str::to_owned))
    };
    let (a, b, c) = (heard_a.lock().unwrap(), heard_b.lock().unwrap(), heard_c.lock().unwrap());
    let key = field(&a[0], "key").expect("a key is sent");
    assert!(key.len() == 8 && key.bytes().all(|digit| digit.is_ascii_hexdigit()), "{key}");
    for target in a.iter().chain(b.iter()).chain(c.iter()) {
        assert!(target.starts_with("/x/ann.php?passkey=0123abcd&u=a%2Fb&info_hash="), "{target}");
        assert_eq!(field(target, "key").as_ref(), Some(&key), "{target}");
        assert!(!target.contains("event=&") && !target.ends_with("event="), "an empty event: {target}");
    }
    for heard in [&a, &b] {
        let events: Vec<_> = heard.iter().map(|target| field(target, "event").unwrap_or_default()).collect();
        assert_eq!(events, ["started", "completed", "stopped"]);
        assert_eq!(field(&heard[0], "left"), Some(stage.content.size().to_string()));
        assert_eq!(field(&heard[1], "left").as_deref(), Some("0"));
    }
    assert_eq!(c.len(), 1, "it refused for ever: {c:?}");
}

/// The second try comes 5 s after the first, the third 20 s later (the schedule of libtorrent).
#[test]
fn a_tracker_that_comes_up_is_noticed_without_a_restart() {
    let (stage, _seed, port) = stage();
    let address: SocketAddr = (host(0), free_port()).into();
    let get = get(&stage, "leecher", &[vec![format!("http://{address}/announce")]]).arg("--json");
    let mut leecher = get.start();
    wait_until("the failure is reported", PATIENCE, || {
        leecher.must_run();
        leecher.stdout().contains("refused")
    });
    let up = Instant::now();
    let came = Arc::new(Mutex::new(None));
    let (first, reply) = (came.clone(), http("200 OK", &reply_with(port)));
    let _server = Server::raw(address, move |_, stream| {
        first.lock().unwrap().get_or_insert(up.elapsed());
        stream.write_all(&reply)
    });
    let outcome = leecher.wait();
    outcome.assert_code(0);
    assert!(outcome.stdout.contains("\"problem\":null"), "it did not report that the tracker answers again");
    stage.content.assert_same_in(&get.dir);
    let after = came.lock().unwrap().expect("it was asked");
    assert!(after < Duration::from_secs(20), "noticed after {after:?}");
}

/// RFC 3986: the scheme of a URL may be in capitals.
#[test]
fn a_tracker_whose_scheme_is_in_capitals_is_asked() {
    let stage = Stage::new(Content::one_file("a file.bin", 100 * KIB), PIECE);
    let track = Track::on_free_port(stage.path()).start();
    for (name, url) in
        [("http", track.url().replace("http:", "HTTP:")), ("udp", track.udp_url().replace("udp:", "UDP:"))]
    {
        let file = stage.path().join(format!("{name}.torrent"));
        let torrent = make_with_tiers(&stage.content, &file, PIECE + name.len() * 16 * KIB, &[vec![url]]);
        let mut seed = Get::seed(&format!("{name} seed"), stage.path(), &stage.source).torrent(&torrent).start();
        track.wait_for_a_seed(&torrent.info_hash, || seed.must_run());
        let get = Get::new(name, stage.path()).torrent(&torrent);
        get.run().assert_code(0);
        stage.content.assert_same_in(&get.dir);
    }
}
