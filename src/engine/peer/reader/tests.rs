//! Handshakes with slow peers, strange peers and ourselves.

use super::*;
use crate::engine::peer::shaking::dialing::CONNECT_TIMEOUT;
use crate::engine::peer::shaking::places::Places;
use crate::engine::testkit::{PATIENCE, open, socket_pair, surroundings, torrent};
use crate::proto::id::PeerId;
use crate::proto::metainfo::Metainfo;
use crate::proto::peer::handshake::{self, Handshake, Reserved};
use crate::proto::peer::message::Message;
use crate::proto::peer::mse::Policy;
use crate::swarm::event::{PeerEvent, PeerOrder};
use crate::swarm::settings::Settings;
use crossbeam_channel::Receiver;
use rustix::net::{AddressFamily, SocketType};
use std::io::{IoSliceMut, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::thread;

fn handshake(info_hash: InfoHash, id: u8) -> Handshake {
    Handshake { reserved: Reserved::ours(), info_hash, peer_id: PeerId([id; 20]) }
}

/// A process that has one torrent; the folder lives as long as the test.
fn one_torrent() -> (Surroundings, Receiver<Input>, Metainfo, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let (metainfo, _) = torrent(50_000, &[], 16384, &[]);
    let (around, inbox) = surroundings(1);
    around.directory.add(open(&metainfo, dir.path(), false));
    (around, inbox, metainfo, dir)
}

/// Reads a handshake that comes on `socket` within this time.
fn hear(socket: TcpStream, time: Duration) -> io::Result<Met> {
    let (around, deadline) = (surroundings(1).0, Instant::now() + time);
    greeted(&around, Line::Plain(Arc::new(socket)), ([127, 0, 0, 1], 1).into(), deadline)?
        .hear_handshake(deadline, |_, _| Ok(()))
}

/// A connection that was accepted, and its place.
fn accepted(socket: TcpStream) -> (Arc<TcpStream>, Place) {
    let socket = Arc::new(socket);
    let place = Arc::new(Places::default()).take(Ipv4Addr::LOCALHOST.into(), &socket).unwrap();
    (socket, place)
}

/// Lets `around` accept a connection that sends `bytes` and nothing more. Returns the answer.
fn answer_to(around: &Surroundings, bytes: &[u8]) -> Vec<u8> {
    let (mut near, far) = socket_pair();
    near.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    thread::scope(|scope| {
        let addr = near.local_addr().unwrap();
        let (far, place) = accepted(far);
        scope.spawn(move || accept(around, far, addr, place));
        near.read_to_end(&mut answer).unwrap();
    });
    answer
}

#[test]
fn a_slow_handshake_gets_no_more_time_than_others() {
    let (mut near, far) = socket_pair();
    let drip = thread::spawn(move || {
        // Three seconds in all, never a pause longer than the deadline.
        let bytes = handshake(InfoHash([1; 20]), 2).emit();
        bytes
            .chunks(1)
            .take_while(|byte| {
                thread::sleep(Duration::from_millis(45));
                near.write_all(byte).is_ok()
            })
            .count()
    });
    let begun = Instant::now();
    let error = hear(far, Duration::from_millis(300)).err().unwrap();
    assert!(matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut), "{error}");
    assert!(begun.elapsed() >= Duration::from_millis(300));
    assert!(drip.join().unwrap() < handshake::LEN, "it had time for all of it");
}

#[test]
fn a_handshake_in_pieces_is_read_within_its_time() {
    let (mut near, far) = socket_pair();
    let sent = handshake(InfoHash([1; 20]), 2);
    let sender = thread::spawn(move || {
        sent.emit().chunks(7).for_each(|bytes| near.write_all(bytes).unwrap());
        near.write_all(b"next").unwrap();
        near
    });
    let met = hear(far, PATIENCE).unwrap();
    assert!(met.handshake == sent && met.early.is_empty());
    let mut next = [0; 4];
    assert_eq!(met.line.read(&mut [IoSliceMut::new(&mut next)], true), Ok(4));
    assert_eq!(&next, b"next", "the bytes after it are left for the wire");
    drop(sender.join().unwrap());
}

#[test]
fn bytes_that_are_no_handshake_are_an_error() {
    for bytes in
        [&b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: somebody\r\nAccept: */*\r\n\r\n"[..], b"\x13Bit", b""]
    {
        let (mut near, far) = socket_pair();
        near.write_all(bytes).unwrap();
        near.shutdown(std::net::Shutdown::Write).unwrap();
        assert!(hear(far, PATIENCE).is_err());
    }
}

#[test]
fn a_connection_to_ourselves_is_answered_so_that_its_other_end_knows() {
    let (around, inbox, metainfo, _dir) = one_torrent();
    let ours = handshake(metainfo.info_hash, 1).emit();
    assert_eq!(answer_to(&around, &ours), ours);
    assert!(inbox.is_empty(), "the manager need not know");
}

/// Trackers check a peer like this (opentracker, BitTorrent 5). The answer needs no more bytes, however slowly these
/// come.
#[test]
fn the_answer_comes_as_soon_as_the_torrent_is_named() {
    let (around, inbox, metainfo, _dir) = one_torrent();
    let theirs = handshake(metainfo.info_hash, 2).emit();
    for portion in [handshake::PEER_ID_AT, 1, 16, 50] {
        let (mut near, far) = socket_pair();
        let (surroundings, addr) = (around.clone(), near.local_addr().unwrap());
        let (far, place) = accepted(far);
        let reader = thread::spawn(move || accept(&surroundings, far, addr, place));
        near.set_nodelay(true).unwrap();
        near.set_read_timeout(Some(PATIENCE)).unwrap();
        let (mut said, mut answer) = (0, [0; handshake::LEN]);
        while said < handshake::PEER_ID_AT {
            let end = (said + portion).min(handshake::LEN);
            near.write_all(&theirs[said..end]).unwrap();
            said = end;
        }
        near.read_exact(&mut answer).unwrap();
        assert_eq!(answer, handshake(metainfo.info_hash, 1).emit());
        assert!(inbox.is_empty(), "the manager does not know a peer without a name");
        near.write_all(&theirs[said..]).unwrap();
        let Input::Connected { handshake: heard, outbox, .. } = next(&inbox) else { panic!("not told of") };
        assert_eq!(heard, handshake(metainfo.info_hash, 2));
        // What the manager orders for every peer that connects to us is not sent twice.
        outbox.give(vec![PeerOrder::Handshake, PeerOrder::Message(Message::HaveNone)]);
        let mut more = [0; 5];
        near.read_exact(&mut more).unwrap();
        assert_eq!(more, [0, 0, 0, 1, 15]);
        drop(near);
        assert!(matches!(next(&inbox), Input::Peer { .. }));
        reader.join().unwrap();
    }
    // No torrent is named, or one that is not here.
    let unknown = handshake(InfoHash([9; 20]), 2).emit();
    assert_eq!(answer_to(&around, &unknown[..handshake::PEER_ID_AT]), []);
}

#[test]
fn a_peer_that_asks_for_another_torrent_is_closed_without_an_answer() {
    let (around, inbox, metainfo, _dir) = one_torrent();
    assert_eq!(answer_to(&around, &handshake(InfoHash([9; 20]), 2).emit()), []);
    around.directory.remove(&metainfo.info_hash);
    assert_eq!(answer_to(&around, &handshake(metainfo.info_hash, 2).emit()), []);
    assert_eq!(answer_to(&around, &[b'x'; handshake::LEN]), []);
    assert!(inbox.is_empty());
}

/// The next report.
fn next(inbox: &Receiver<Input>) -> Input {
    inbox.recv_timeout(PATIENCE).expect("something is reported")
}

#[test]
fn a_peer_is_reported_and_read_until_it_ends() {
    let (around, inbox, metainfo, _dir) = one_torrent();
    let (mut near, far) = socket_pair();
    near.write_all(&handshake(metainfo.info_hash, 2).emit()).unwrap();
    let addr = near.local_addr().unwrap();
    let surroundings = around.clone();
    let (far, place) = accepted(far);
    let reader = thread::spawn(move || accept(&surroundings, far, addr, place));
    let Input::Connected { peer, torrent: TorrentId(0), outgoing: false, handshake: heard, outbox, .. } = next(&inbox)
    else {
        panic!("not told of")
    };
    assert_eq!(heard, handshake(metainfo.info_hash, 2));
    let Line::Plain(socket) = &*outbox.line else { panic!("it is not plain") };
    let (silence, deafness) = (socket.read_timeout().unwrap(), socket.write_timeout().unwrap());
    assert_eq!((silence, deafness), (Some(SILENCE), Some(WRITE_TIMEOUT)), "no peer holds its threads forever");
    outbox.close();
    let Input::Peer { peer: gone, events } = next(&inbox) else { panic!("its end is not reported") };
    assert!(gone == peer && matches!(events[..], [PeerEvent::Gone]));
    reader.join().unwrap();
}

/// What is reported about an address that `answer` serves once, and whether it is a failure.
fn connect_to(around: &Surroundings, inbox: &Receiver<Input>, ours: InfoHash, answer: &[u8]) -> bool {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addr = listener.local_addr().unwrap();
    connect(around, TorrentId(0), ours, addr, None).unwrap();
    let (mut socket, _) = listener.accept().unwrap();
    let mut heard = [0; handshake::LEN];
    socket.read_exact(&mut heard).unwrap();
    assert_eq!(heard, handshake(ours, 1).emit());
    socket.write_all(answer).unwrap();
    drop(socket);
    match next(inbox) {
        Input::Torrent { torrent: TorrentId(0), event: Event::ConnectFailed { addr: failed, .. } } => failed == addr,
        Input::Connected { addr: connected, outgoing: true, .. } => {
            assert_eq!(connected, addr);
            assert!(matches!(next(inbox), Input::Peer { .. }), "its end");
            false
        }
        _ => panic!("something else is reported"),
    }
}

#[test]
fn every_connection_we_open_is_reported_once_as_open_or_as_failed() {
    let (around, inbox, metainfo, dir) = one_torrent();
    // One handshake each.
    around.change(&Settings { encryption: Policy::Off, ..Settings::default() });
    let ours = metainfo.info_hash;
    assert!(!connect_to(&around, &inbox, ours, &handshake(ours, 2).emit()));
    assert!(connect_to(&around, &inbox, ours, &handshake(InfoHash([9; 20]), 2).emit()), "another torrent");
    let (other, _) = torrent(1, &[], 16384, &[]);
    around.directory.add(open(&other, dir.path(), false));
    assert!(connect_to(&around, &inbox, ours, &handshake(other.info_hash, 2).emit()), "another of ours");
    assert!(connect_to(&around, &inbox, ours, b"\x13BitTorrent prot"), "a part of a handshake");
    // Nothing listens there; then the torrent has ended.
    let addr = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    for ended in [false, true] {
        if ended {
            around.directory.remove(&ours);
        }
        connect(&around, TorrentId(0), ours, addr, None).unwrap();
        let Input::Torrent { event: Event::ConnectFailed { addr: failed, .. }, .. } = next(&inbox) else { panic!() };
        assert_eq!(failed, addr);
    }
    assert!(inbox.is_empty());
}

#[test]
fn an_unanswered_connection_attempt_ends_with_the_torrent() {
    let (around, inbox, metainfo, _dir) = one_torrent();
    let ours = metainfo.info_hash;
    // A listener whose queue is full answers no further connection.
    let listener = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    rustix::net::bind(&listener, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let listener = TcpListener::from(listener);
    let addr = listener.local_addr().unwrap();
    let timeout = Duration::from_millis(200);
    let _waiting: Vec<TcpStream> = (0..8).map_while(|_| TcpStream::connect_timeout(&addr, timeout).ok()).collect();
    connect(&around, TorrentId(0), ours, addr, None).unwrap();
    assert!(inbox.recv_timeout(timeout).is_err(), "it is still being connected to");
    let begun = Instant::now();
    around.directory.remove(&ours);
    assert!(
        matches!(next(&inbox), Input::Torrent { event: Event::ConnectFailed { addr: failed, .. }, .. } if failed == addr)
    );
    assert!(begun.elapsed() < CONNECT_TIMEOUT / 2, "only the timeout ended it");
}

/// The rest of the process has all descriptors, which says nothing about the address.
#[test]
#[ignore = "for the test below, which starts it with few descriptors"]
fn connect_without_a_descriptor() {
    let (around, inbox, metainfo, _dir) = one_torrent();
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
    let taken: Vec<_> = std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect();
    connect(&around, TorrentId(0), metainfo.info_hash, addr, None).unwrap();
    let said = next(&inbox);
    drop(taken);
    let Input::Torrent { event: Event::ConnectFailed { addr: failed, our_fault }, .. } = said else { panic!() };
    assert_eq!((failed, our_fault), (addr, true));
    // Nothing listens there, and that is no lack of ours.
    connect(&around, TorrentId(0), metainfo.info_hash, addr, None).unwrap();
    let Input::Torrent { event: Event::ConnectFailed { our_fault, .. }, .. } = next(&inbox) else { panic!() };
    assert!(!our_fault);
}

#[test]
fn a_lack_of_descriptors_is_not_the_fault_of_the_address() {
    let this = std::env::current_exe().unwrap();
    let name = "engine::peer::reader::tests::connect_without_a_descriptor";
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "ulimit -n 40; exec \"$0\" --ignored --exact \"$1\""]).arg(this).arg(name);
    let output = shell.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}
