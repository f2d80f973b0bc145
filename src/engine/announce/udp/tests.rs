//! Simple UDP trackers: honest, silent, and lying.

use super::*;
use crate::engine::testkit::PATIENCE;
use crate::proto::id::{InfoHash, PeerId};
use crate::proto::tracker::announce::AnnounceEvent;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

const BRIEF: Duration = Duration::from_millis(150);

fn request() -> AnnounceRequest {
    AnnounceRequest {
        info_hash: InfoHash([0xab; 20]),
        peer_id: PeerId([b'p'; 20]),
        port: 6881,
        uploaded: 1,
        downloaded: 2,
        left: 3,
        event: Some(AnnounceEvent::Started),
        numwant: Some(50),
        key: Some(0xabcd),
        compact: true,
        no_peer_id: true,
        tracker_id: None,
        ip: None,
    }
}

/// A transaction, and what was asked in it.
type Asked = (u32, Request);

/// A tracker that answers each packet with the replies of `answer`, from its own address.
fn tracker(answer: impl Fn(usize, Asked) -> Vec<(u32, Reply)> + Send + 'static) -> (SocketAddr, Arc<AtomicUsize>) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addr = socket.local_addr().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    thread::spawn(move || {
        let mut buffer = [0; 2000];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let number = counted.fetch_add(1, Ordering::SeqCst);
            for (transaction, reply) in
                answer(number, Request::parse(&buffer[..length]).expect("we send packets of the protocol"))
            {
                socket.send_to(&reply.emit(transaction), from).unwrap();
            }
        }
    });
    (addr, count)
}

/// The reply of an honest tracker.
fn honest((transaction, request): &Asked) -> (u32, Reply) {
    let reply = match request {
        Request::Connect => Reply::Connect(77),
        Request::Announce { connection, announce, url_data } => {
            assert_eq!((*connection, announce.key, announce.left), (77, Some(0xabcd), 3));
            assert_eq!(url_data, b"/announce?passkey=1");
            let peers = vec![10, 0, 0, 1, 0x1a, 0xe1, 0, 0, 0, 0, 0, 0];
            Reply::Announce { interval: 900, leechers: 4, seeds: 5, peers }
        }
        Request::Scrape { connection, hashes } => {
            assert_eq!((*connection, hashes.as_slice()), (77, &[InfoHash([0xab; 20])][..]));
            Reply::Scrape(vec![[5, 50, 10]])
        }
    };
    (*transaction, reply)
}

fn ask(to: SocketAddr, deadline: Duration) -> Outcome {
    let exchange = Exchange { first_wait: BRIEF, ..Exchange::open(to, deadline)? };
    exchange.announce(&request(), b"/announce?passkey=1")
}

#[test]
fn peers_come_after_two_exchanges() {
    let (addr, count) = tracker(|_, request| vec![honest(&request)]);
    let reply = ask(addr, PATIENCE).unwrap();
    assert_eq!((reply.interval, reply.seeds, reply.leechers), (Some(900), Some(5), Some(4)));
    assert_eq!(reply.peers, [SocketAddr::from(([10, 0, 0, 1], 6881))]);
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

#[test]
fn lost_packets_are_sent_again_but_not_for_ever() {
    let (addr, count) = tracker(|number, request| if number == 0 { vec![] } else { vec![honest(&request)] });
    assert!(ask(addr, PATIENCE).is_ok());
    assert_eq!(count.load(Ordering::SeqCst), 3);
    let (addr, count) = tracker(|_, _| vec![]);
    assert_eq!(ask(addr, PATIENCE).unwrap_err().reason, "no answer in time");
    assert_eq!(count.load(Ordering::SeqCst), WAITS as usize);
    // A final announce does not wait that long.
    let begun = Instant::now();
    let failure = Exchange::open(addr, BRIEF).unwrap().announce(&request(), b"").unwrap_err();
    assert!(failure.reason == silent().reason && begun.elapsed() < FIRST_WAIT);
}

/// Another transaction id, another kind of reply, and packets from elsewhere.
#[test]
fn packets_that_answer_no_request_of_ours_are_ignored() {
    let stranger = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (addr, _) = tracker(move |_, request| {
        let mut forged = honest(&request);
        forged.0 ^= 1;
        match &mut forged.1 {
            Reply::Connect(connection) => *connection = 666,
            Reply::Announce { peers, .. } => peers.fill(6),
            _ => {}
        }
        vec![forged, (5, Reply::Scrape(vec![])), honest(&request)]
    });
    // The system drops what a stranger sends to our port, which it learns from a relay.
    let relay = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let at = relay.local_addr().unwrap();
    let onward = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    onward.connect(addr).unwrap();
    onward.set_read_timeout(Some(PATIENCE)).unwrap();
    thread::spawn(move || {
        let mut buffer = [0; 2000];
        while let Ok((length, from)) = relay.recv_from(&mut buffer) {
            let lie = match Request::parse(&buffer[..length]) {
                Some((transaction, Request::Connect)) => Reply::Connect(666).emit(transaction),
                Some((transaction, Request::Announce { .. })) => Reply::Error("lie".into()).emit(transaction),
                _ => continue,
            };
            stranger.send_to(&lie, from).unwrap();
            onward.send(&buffer[..length]).unwrap();
            for _ in 0..3 {
                let length = onward.recv(&mut buffer).unwrap();
                relay.send_to(&buffer[..length], from).unwrap();
            }
        }
    });
    let reply = ask(at, PATIENCE).unwrap();
    assert_eq!(reply.peers, [SocketAddr::from(([10, 0, 0, 1], 6881))]);
}

#[test]
fn a_refusal_has_the_trackers_reason() {
    let no = |asked: Asked| match asked.1 {
        Request::Connect => honest(&asked),
        Request::Announce { .. } => (asked.0, Reply::Error("not here".into())),
        Request::Scrape { .. } => panic!("there was no scrape"),
    };
    let (addr, _) = tracker(move |_, request| vec![no(request)]);
    let failure = ask(addr, PATIENCE).unwrap_err();
    assert_eq!((failure.reason.as_str(), failure.refused), ("not here", true));
    let closed = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    assert!(ask(closed, PATIENCE).unwrap_err().reason.contains("refused"));
}

/// BEP 15: seeds, completed downloads and leechers, in this order.
#[test]
fn a_scrape_gets_the_counts() {
    let (addr, count) = tracker(|_, request| vec![honest(&request)]);
    let scrape = |addr| Exchange::open(addr, PATIENCE).unwrap().scrape(InfoHash([0xab; 20]));
    let reply = scrape(addr).unwrap();
    assert_eq!((reply.seeds, reply.downloaded, reply.leechers), (Some(5), Some(50), Some(10)));
    assert_eq!(count.load(Ordering::SeqCst), 2);
    let (addr, _) = tracker(|_, request| match request {
        (transaction, Request::Scrape { .. }) => vec![(transaction, Reply::Error("no".into()))],
        request => vec![honest(&request)],
    });
    assert!(scrape(addr).unwrap_err().refused);
}
