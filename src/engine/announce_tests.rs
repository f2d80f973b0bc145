//! Announces to trackers of a few lines, and the threads that make them.

use super::super::testkit::{PATIENCE, http, serve, serve_bytes, wait_until};
use super::*;
use crate::proto::announce::{AnnounceRequest, RetryIn};
use crate::proto::id::{InfoHash, PeerId};
use core::net::SocketAddr;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::time::Instant;

fn announcement(url: String) -> Box<Announcement> {
    let request = AnnounceRequest {
        info_hash: InfoHash([0xab; 20]),
        peer_id: PeerId([b'p'; 20]),
        port: 6881,
        uploaded: 1,
        downloaded: 2,
        left: 3,
        event: None,
        numwant: Some(50),
        key: None,
        compact: true,
        no_peer_id: true,
        tracker_id: None,
        ip: None,
    };
    Box::new(Announcement { tracker: 0, url, request })
}

/// What comes of an announce that `answer` is the answer to.
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
fn a_tracker_s_own_words_say_more_than_its_status() {
    for status in ["400 Bad Request", "403 Forbidden", "200 OK"] {
        let failure = outcome(http(status, "d14:failure reason8:not heree")).unwrap_err();
        assert_eq!((failure.reason.as_str(), failure.retry_in), ("not here", None));
    }
    let failure = outcome(http("503 Busy", "d14:failure reason4:busy8:retry in5:nevere")).unwrap_err();
    assert_eq!((failure.reason.as_str(), failure.retry_in), ("busy", Some(RetryIn::Never)));
}

#[test]
fn without_words_the_status_is_the_reason() {
    let page = "<html><body>Not Found</body></html>";
    assert_eq!(reason(http("404 Not Found", page)), "the server answers with HTTP status 404");
    // Peers of an error are not taken.
    assert_eq!(reason(http("500 Oops", "d5:peers0:e")), "the server answers with HTTP status 500");
    assert!(reason(http("200 OK", page)).contains("a web page"));
    assert!(reason(http("200 OK", "")).contains("is empty"));
    assert!(reason(http("200 OK", "d".repeat(100_000))).contains("is not bencoded"));
    assert!(reason(http("200 OK", "x".repeat(REPLY_BYTES as usize + 1))).contains("more than 1048576 bytes"));
}

#[test]
fn peers_named_by_host_are_looked_up_and_only_so_many() {
    let one = "d2:ip9:localhost4:porti7001ee";
    let reply = outcome(http("200 OK", format!("d5:peersl{one}ee"))).unwrap();
    assert!(reply.host_peers.is_empty());
    assert!(!reply.peers.is_empty());
    assert!(reply.peers.iter().all(|peer| peer.ip().is_loopback() && peer.port() == 7001), "{:?}", reply.peers);
    let many = outcome(http("200 OK", format!("d5:peersl{}ee", one.repeat(20)))).unwrap();
    assert_eq!(many.peers.len(), MOST_HOSTS * reply.peers.len());
}

#[test]
fn a_goodbye_waits_only_as_long_as_we_do() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut goodbye = announcement(format!("http://{}/", silent.local_addr().unwrap()));
    goodbye.request.event = Some(AnnounceEvent::Stopped);
    let begun = Instant::now();
    let failure = announce(&goodbye).unwrap_err();
    assert_eq!(failure.reason, "no answer in time");
    assert!(begun.elapsed() < DEADLINE);
}

/// Takes in outcomes until each of `count` jobs had its one.
fn all_come(inbox: &Receiver<Input>, count: usize) {
    let mut seen = vec![false; count];
    let end = Instant::now() + PATIENCE;
    for _ in 0..count {
        match inbox.recv_deadline(end).expect("every job has an outcome") {
            Input::Torrent { torrent, event: Event::Announced { .. } } => {
                assert!(!std::mem::replace(&mut seen[torrent], true), "twice");
            }
            _ => panic!("something else comes"),
        }
    }
}

#[test]
fn more_jobs_than_threads_are_all_done_and_then_no_thread_is_left() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (gate, opened) = crossbeam_channel::bounded::<()>(0);
    let (running, peak) = (Arc::clone(&now), Arc::clone(&most));
    let addr = serve(move |_, socket| {
        peak.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        // Nobody is answered before the gate is open.
        let _ = opened.recv();
        running.fetch_sub(1, Ordering::SeqCst);
        let _ = socket.write_all(&http("200 OK", "d5:peers0:e"));
    });
    let (manager, inbox) = crossbeam_channel::unbounded();
    let announcers = Announcers::new(manager);
    let count = 5 * MOST_THREADS;
    (0..count).for_each(|torrent| announcers.announce(torrent, announcement(format!("http://{addr}/"))));
    wait_until("all threads ask", || now.load(Ordering::SeqCst) == MOST_THREADS);
    assert_eq!(announcers.waiting.len(), count - MOST_THREADS);
    drop(gate);
    all_come(&inbox, count);
    wait_until("no thread is left", || announcers.threads.load(Ordering::SeqCst) == 0);
    assert_eq!(most.load(Ordering::SeqCst), MOST_THREADS);
    // And it goes on after that.
    announcers.announce(0, announcement(format!("http://{addr}/")));
    all_come(&inbox, 1);
}

#[test]
fn the_count_of_threads_stays_right_when_jobs_come_as_threads_end() {
    let (manager, inbox) = crossbeam_channel::unbounded();
    let announcers = Announcers::new(manager);
    // Jobs that are over at once: threads end all the time.
    for _ in 0..300 {
        let count = 4 * MOST_THREADS;
        (0..count).for_each(|torrent| announcers.announce(torrent, announcement("udp://nowhere:1".into())));
        all_come(&inbox, count);
    }
    wait_until("no thread is left", || announcers.threads.load(Ordering::SeqCst) == 0);
    assert!(announcers.waiting.is_empty());
}
