//! Announces to simple trackers, and the threads that make them.

use super::super::testkit::{PATIENCE, http, serve, serve_bytes, wait_until};
use super::*;
use crate::base::url::percent_encode;
use crate::proto::id::{InfoHash, PeerId};
use crate::proto::tracker::announce::{AnnounceEvent, AnnounceReply, AnnounceRequest, RetryIn};
use crate::swarm::meeting::announcer::{Ask, Outcome};
use crate::swarm::meeting::portmap::OuterPorts;
use crate::sys::lookup;
use core::net::SocketAddr;
use crossbeam_channel::{Receiver, Sender};
use std::io::Write;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

fn announcement(url: String) -> Box<Announcement> {
    let request = AnnounceRequest::new(InfoHash([0xab; 20]), PeerId([b'p'; 20]), 6881);
    Box::new(Announcement { url: url.into(), ask: Ask::Announce(request) })
}

/// The outcome, with all peers that were found.
fn announce(announcement: &Announcement) -> Outcome {
    announce_with(announcement, &OneFamily::default())
}

fn announce_with(announcement: &Announcement, one_family: &OneFamily) -> Outcome {
    let peers = Mutex::new(Vec::new());
    let outcome = asking::ask(announcement, one_family, OuterPorts::default(), &|found| lock(&peers).extend(found));
    outcome.map(|reply| AnnounceReply { peers: lock(&peers).clone(), ..reply })
}

/// The outcome of an announce to which `answer` is the answer.
fn outcome(answer: impl Into<Vec<u8>>) -> Outcome {
    announce(&announcement(format!("http://{}/announce", serve_bytes(answer))))
}

fn reason(answer: impl Into<Vec<u8>>) -> String {
    outcome(answer).unwrap_err().reason
}

#[test]
fn a_reply_brings_peers() {
    let reply = outcome(http("200 OK", b"d8:intervali900e5:peers6:\x0a\x00\x00\x01\x1a\xe1e")).unwrap();
    assert_eq!((reply.interval, reply.peers), (Some(900), vec![SocketAddr::from(([10, 0, 0, 1], 6881))]));
}

#[test]
fn the_trackers_reason_is_preferred_to_the_http_status() {
    for status in ["400 Bad Request", "403 Forbidden", "200 OK"] {
        let failure = outcome(http(status, "d14:failure reason8:not heree")).unwrap_err();
        assert_eq!((failure.reason.as_str(), failure.retry_in), ("not here", None));
    }
    let failure = outcome(http("503 Busy", "d14:failure reason4:busy8:retry in5:nevere")).unwrap_err();
    assert_eq!((failure.reason.as_str(), failure.retry_in), ("busy", Some(RetryIn::Never)));
}

#[test]
fn a_refusal_without_a_reason_gets_one() {
    for none in ["le", "0:", "2: \n"] {
        let failure = outcome(http("200 OK", format!("d14:failure reason{none}e"))).unwrap_err();
        assert_eq!((failure.reason.as_str(), failure.refused), ("it does not say why", true));
    }
}

#[test]
fn without_a_reason_the_http_status_is_shown() {
    let page = "<html><body>Not Found</body></html>";
    assert_eq!(reason(http("404 Not Found", page)), "the server returned HTTP status 404");
    // Peers in an error page are ignored.
    assert_eq!(reason(http("500 Oops", "d5:peers0:e")), "the server returned HTTP status 500");
    assert!(reason(http("200 OK", page)).contains("a web page"));
    assert!(reason(http("200 OK", "")).contains("is empty"));
    assert!(reason(http("200 OK", "d".repeat(100_000))).contains("is not bencoded"));
    assert!(reason(http("200 OK", "x".repeat(asking::REPLY_BYTES as usize + 1))).contains("more than 1048576 bytes"));
}

#[test]
fn peers_named_by_host_are_looked_up() {
    let one = "d2:ip9:localhost4:porti7001ee";
    let reply = outcome(http("200 OK", format!("d5:peersl{one}ee"))).unwrap();
    assert!(reply.host_peers.is_empty());
    assert!(!reply.peers.is_empty());
    assert!(reply.peers.iter().all(|peer| peer.ip().is_loopback() && peer.port() == 7001), "{:?}", reply.peers);
}

#[test]
fn a_final_announce_has_a_short_deadline() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut last = announcement(format!("http://{}/", silent.local_addr().unwrap()));
    let Ask::Announce(request) = &mut last.ask else { panic!("an announce") };
    request.event = Some(AnnounceEvent::Stopped);
    let begun = Instant::now();
    let failure = announce(&last).unwrap_err();
    assert_eq!(failure.reason, "no answer in time");
    assert!(begun.elapsed() < asking::DEADLINE);
}

/// Waits until each of `count` jobs had exactly one outcome.
fn all_come(inbox: &Receiver<Input>, count: usize) {
    let mut seen = vec![false; count];
    let end = Instant::now() + PATIENCE;
    for _ in 0..count {
        match inbox.recv_deadline(end).expect("every job has an outcome") {
            Input::Torrent { torrent, event: Event::Announced { .. } } => {
                assert!(!std::mem::replace(&mut seen[torrent.0 as usize], true), "twice");
            }
            _ => panic!("something else comes"),
        }
    }
}

/// A tracker that answers only when the gate is open, and how many requests wait there: now, and at most so far.
fn gated() -> (SocketAddr, Sender<()>, Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (gate, opened) = crossbeam_channel::bounded::<()>(0);
    let (running, peak) = (Arc::clone(&now), Arc::clone(&most));
    let addr = serve(move |_, socket| {
        peak.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let _ = opened.recv();
        running.fetch_sub(1, Ordering::SeqCst);
        let _ = socket.write_all(&http("200 OK", "d5:peers0:e"));
    });
    (addr, gate, now, most)
}

#[test]
fn more_jobs_than_threads_are_all_done_and_then_the_threads_end() {
    let (addr, gate, now, most) = gated();
    let (manager, inbox) = crossbeam_channel::unbounded();
    let announcers = Announcers::new(manager);
    let count = 2 * MOST_THREADS;
    for torrent in 0..count {
        announcers.announce(TorrentId(torrent as u64), announcement(format!("http://{addr}/{torrent}"))).unwrap();
    }
    wait_until("all threads ask", || now.load(Ordering::SeqCst) == MOST_THREADS);
    assert_eq!(lock(&announcers.pool).waiting.len(), count - MOST_THREADS);
    drop(gate);
    all_come(&inbox, count);
    wait_until("no thread is left", || lock(&announcers.pool).threads == 0);
    assert_eq!(most.load(Ordering::SeqCst), MOST_THREADS);
    // New jobs are done after that.
    announcers.announce(TorrentId(0), announcement(format!("http://{addr}/"))).unwrap();
    all_come(&inbox, 1);
}

#[test]
fn a_tracker_that_hangs_holds_up_few_threads_and_delays_no_other() {
    let (hangs, gate, now, most) = gated();
    let (manager, inbox) = crossbeam_channel::unbounded();
    let announcers = Announcers::new(manager);
    let many = 3 * MOST_THREADS;
    for torrent in 0..many {
        announcers.announce(TorrentId(torrent as u64), announcement(format!("http://{hangs}/announce"))).unwrap();
    }
    wait_until("it hangs", || now.load(Ordering::SeqCst) == MOST_A_TRACKER);
    let answers = serve_bytes(http("200 OK", "d5:peers0:e"));
    for torrent in many..many + 10 {
        announcers.announce(TorrentId(torrent as u64), announcement(format!("http://{answers}/announce"))).unwrap();
    }
    for _ in 0..10 {
        match inbox.recv_timeout(PATIENCE).unwrap() {
            Input::Torrent { torrent, .. } => assert!(torrent.0 >= many as u64),
            _ => panic!("something else comes"),
        }
    }
    drop(gate);
    all_come(&inbox, many);
    assert_eq!(most.load(Ordering::SeqCst), MOST_A_TRACKER);
    wait_until("no thread is left", || lock(&announcers.pool).threads == 0);
}

#[test]
fn an_announce_is_returned_if_no_thread_can_be_started() {
    let (manager, inbox) = crossbeam_channel::unbounded();
    let announcers = Announcers::new(manager);
    let none = |_: Announcers| Err(std::io::Error::from(std::io::ErrorKind::OutOfMemory));
    let back = announcers.announce_on(TorrentId(7), announcement("ftp://nowhere:1".into()), none).unwrap_err();
    assert_eq!(&*back.url, "ftp://nowhere:1");
    let left = lock(&announcers.pool);
    assert_eq!((left.threads, left.waiting.len()), (0, 0));
    drop(left);
    // If another thread runs, that one does it.
    let (addr, gate, now, _) = gated();
    announcers.announce(TorrentId(0), announcement(format!("http://{addr}/"))).unwrap();
    wait_until("it is asked", || now.load(Ordering::SeqCst) == 1);
    announcers.announce_on(TorrentId(1), announcement("ftp://nowhere:1".into()), none).unwrap();
    drop(gate);
    all_come(&inbox, 2);
}

#[test]
fn the_count_of_threads_stays_right_when_jobs_come_as_threads_end() {
    let (manager, inbox) = crossbeam_channel::unbounded();
    let announcers = Announcers::new(manager);
    // These jobs are over at once, so threads end all the time.
    for _ in 0..100 {
        let count = 2 * MOST_THREADS;
        for torrent in 0..count {
            announcers
                .announce(TorrentId(torrent as u64), announcement(format!("ftp://nowhere:{}", torrent % 5)))
                .unwrap();
        }
        all_come(&inbox, count);
    }
    wait_until("no thread is left", || lock(&announcers.pool).threads == 0);
    let left = lock(&announcers.pool);
    assert!(left.waiting.is_empty() && left.asked.is_empty());
}

/// BEP 7: a tracker with addresses of both families is asked over both, and over one alone while the other is down.
#[test]
fn both_families_are_asked_if_the_tracker_has_both() {
    let peer =
        |addr: SocketAddr| http("200 OK", [b"d5:peers6:\x0a\0\0\x01", &addr.port().to_be_bytes()[..], b"e"].concat());
    let asked = Arc::new(AtomicUsize::new(0));
    let serve_on = |listener: TcpListener| {
        let (asked, answer) = (Arc::clone(&asked), peer(listener.local_addr().unwrap()));
        thread::spawn(move || {
            for socket in listener.incoming() {
                asked.fetch_add(1, Ordering::SeqCst);
                let mut socket = socket.unwrap();
                let _ = std::io::Read::read(&mut socket, &mut [0; 2000]);
                let _ = socket.write_all(&answer);
            }
        });
    };
    let v4 = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = v4.local_addr().unwrap().port();
    serve_on(v4);
    let (localhost, one_family) = (announcement(format!("http://localhost:{port}/announce")), OneFamily::default());
    let ask = || {
        let outcome = announce_with(&localhost, &one_family);
        (outcome.map(|reply| reply.peers.len()).map_err(|failure| failure.reason), asked.swap(0, Ordering::SeqCst))
    };
    // There is no answer over IPv6, which is no failure.
    assert_eq!(ask(), (Ok(1), 1));
    assert_eq!(ask(), (Ok(1), 1));
    let both = lookup::look_up(vec![("localhost".into(), 1)]).iter().any(SocketAddr::is_ipv6);
    match TcpListener::bind((Ipv6Addr::LOCALHOST, port)) {
        Ok(v6) if both => serve_on(v6),
        _ => return,
    }
    assert_eq!(ask(), (Ok(1), 1), "for an hour IPv6 is left alone");
    let outcome = announce(&localhost);
    assert_eq!((outcome.unwrap().peers.len(), asked.load(Ordering::SeqCst)), (2, 2));
}

#[test]
fn udp_trackers_need_a_port_and_a_host_that_exists() {
    for (url, words) in [
        ("udp://127.0.0.1/announce", "names no port"),
        ("udp://no-such-host.invalid:1/announce", "no such host"),
        ("udp:///announce", "names no host"),
    ] {
        let failure = announce(&announcement(url.into())).unwrap_err();
        assert!(failure.reason.contains(words), "{url}: {}", failure.reason);
    }
}

fn scrape_of(url: String) -> Box<Announcement> {
    Box::new(Announcement { ask: Ask::Scrape(InfoHash([0xab; 20])), ..*announcement(url) })
}

/// BEP 48: the same tracker by another path. A tracker without such a path is not asked again.
#[test]
fn a_scrape_gets_the_counts_of_the_swarm() {
    let addr = serve(|target, socket| {
        let escaped = percent_encode(&[0xab; 20]);
        let known = target == format!("/scrape?key=1&info_hash={escaped}");
        let mut body = b"d5:filesd20:".to_vec();
        body.extend([&[0xab; 20][..], b"d8:completei5e10:downloadedi50e10:incompletei10eeee"].concat());
        let _ = socket.write_all(&if known { http("200 OK", body) } else { http("404 Not Found", "no") });
    });
    let reply = announce(&scrape_of(format!("http://{addr}/announce?key=1"))).unwrap();
    assert_eq!((reply.seeds, reply.leechers, reply.downloaded), (Some(5), Some(10), Some(50)));
    for path in ["announce?key=2", "a"] {
        let failure = announce(&scrape_of(format!("http://{addr}/{path}"))).unwrap_err();
        assert_eq!(failure.retry_in, Some(RetryIn::Never), "{path}");
    }
    let down = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    assert_eq!(announce(&scrape_of(format!("http://{down}/announce"))).unwrap_err().retry_in, None, "it may come back");
}

/// Announces are made although many scrapes hang, at any number of trackers, also at the same tracker.
#[test]
fn no_announce_waits_for_a_scrape() {
    let (hangs, opened) = crossbeam_channel::bounded::<()>(0);
    let addr = serve(move |target, socket| {
        if target.contains("/scrape") {
            let _ = opened.recv();
        }
        let _ = socket.write_all(&http("200 OK", "d5:peers0:e"));
    });
    let (manager, inbox) = crossbeam_channel::unbounded();
    let announcers = Announcers::new(manager);
    let url = || format!("http://{addr}/announce");
    for torrent in 0..10 {
        announcers.announce(TorrentId(torrent as u64), scrape_of(url())).unwrap();
    }
    let scrapes = MOST_THREADS + 20;
    for torrent in 10..scrapes {
        announcers.announce(TorrentId(torrent as u64), scrape_of(format!("http://{addr}/{torrent}/announce"))).unwrap();
    }
    wait_until("as many hang as may", || {
        let pool = lock(&announcers.pool);
        pool.asked.len() == pool.threads
    });
    for torrent in scrapes..scrapes + 10 {
        announcers.announce(TorrentId(torrent as u64), announcement(url())).unwrap();
    }
    for _ in 0..10 {
        match inbox.recv_timeout(PATIENCE).expect("it is made") {
            Input::Torrent { torrent, .. } => assert!(torrent.0 >= scrapes as u64),
            _ => panic!("something else comes"),
        }
    }
    drop(hangs);
    all_come(&inbox, scrapes);
}

/// BEP 15: after 15 s and 30 s without an answer follows a wait of a minute.
#[test]
fn a_silent_udp_tracker_is_asked_again_after_a_minute() {
    let failure = udp::silent();
    assert_eq!((failure.reason.as_str(), failure.retry_in), ("no answer in time", Some(RetryIn::Minutes(1))));
}
