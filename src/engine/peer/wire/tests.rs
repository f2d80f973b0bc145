//! Messages over a real connection, cut anywhere.

use super::*;
use crate::engine::testkit::{PATIENCE, noise, socket_pair, surroundings};
use crate::proto::peer::message::{BLOCK_BYTES, BlockSpec, MAX_MESSAGE_BYTES, emit_piece_header};
use core::num::NonZeroU32;
use crossbeam_channel::Receiver;
use proptest::prelude::*;
use std::io::{ErrorKind, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

const PIECES: u32 = 83;
const PEER: PeerKey = PeerKey(NonZeroU32::MIN);

/// What goes over the wire.
#[derive(Clone, PartialEq, Debug)]
enum Sent {
    Message(Message),
    Block {
        piece: u32,
        begin: u32,
        data: Vec<u8>,
    },
    /// Skipped because it is unknown.
    Other(Vec<u8>),
    /// Extended, and longer than its limit: it arrives, but empty.
    TooLong(u8, usize),
}

impl Sent {
    fn emit(&self, out: &mut Vec<u8>) {
        match self {
            Sent::Message(message) => message.emit(out),
            Sent::Block { piece, begin, data } => {
                emit_piece_header(&BlockSpec { piece: *piece, begin: *begin, length: data.len() as u32 }, out);
                out.extend(data);
            }
            Sent::Other(body) => {
                out.extend((body.len() as u32).to_be_bytes());
                out.extend(body);
            }
            Sent::TooLong(id, bytes) => Sent::Other([&[20, *id], &vec![7; *bytes][..]].concat()).emit(out),
        }
    }

    /// What is reported of it.
    fn arrives(self) -> Option<Sent> {
        match self {
            Sent::Other(_) => None,
            Sent::TooLong(id, _) => Some(Sent::Message(Message::Extended(Extended::received(id, Vec::new())))),
            as_it_is => Some(as_it_is),
        }
    }
}

/// An extended message, whether we know it or not.
fn extended(id: u8, payload: Vec<u8>) -> Sent {
    match extended::limit(id) {
        Some(most) if payload.len() <= most as usize => {
            Sent::Message(Message::Extended(Extended::received(id, payload)))
        }
        Some(_) => Sent::TooLong(id, payload.len()),
        None => Sent::Other([&[20, id], &payload[..]].concat()),
    }
}

/// A wire on its own thread: our end of the connection, what it reports, and why it ended.
fn wire() -> (TcpStream, Receiver<Input>, thread::JoinHandle<io::Error>) {
    wire_of(Some(PIECES))
}

/// The same, for a torrent of this many pieces.
fn wire_of(pieces: Option<u32>) -> (TcpStream, Receiver<Input>, thread::JoinHandle<io::Error>) {
    let (near, far) = socket_pair();
    let (around, inbox) = surroundings(1);
    far.set_read_timeout(Some(PATIENCE)).unwrap();
    let addr = near.local_addr().unwrap();
    let run = move || Wire::new(&Line::Plain(Arc::new(far)), &[], addr, PEER, pieces, &around, None).run();
    (near, inbox, thread::spawn(run))
}

/// Everything that is reported until the end. The last report must be that the peer is gone.
fn heard(inbox: &Receiver<Input>) -> Vec<Sent> {
    let end = Instant::now() + PATIENCE;
    let mut messages = Vec::new();
    loop {
        let input = inbox.recv_deadline(end).expect("the peer's end is reported");
        let Input::Peer { peer: PEER, events } = input else { panic!("something else is reported") };
        assert!(!events.is_empty() && events.len() <= BATCH + 1);
        for event in events {
            match event {
                PeerEvent::Message(message) => messages.push(Sent::Message(message)),
                PeerEvent::Block { piece, begin, data } => messages.push(Sent::Block { piece, begin, data }),
                PeerEvent::Gone => {
                    assert!(inbox.recv_deadline(end).is_err(), "something comes after the end");
                    return messages;
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

/// What is reported for `bytes`, and why it ended.
fn heard_of(bytes: &[u8]) -> (Vec<Sent>, io::Error) {
    let (mut near, inbox, wire) = wire();
    // If the wire ends earlier, it may close the connection.
    let _ = near.write_all(bytes);
    let _ = near.shutdown(Shutdown::Write);
    (heard(&inbox), wire.join().unwrap())
}

fn block() -> impl Strategy<Value = BlockSpec> {
    (any::<u32>(), 0..u32::MAX - BLOCK_BYTES, 1..=BLOCK_BYTES).prop_map(|(piece, begin, length)| BlockSpec {
        piece,
        begin,
        length,
    })
}

fn message() -> impl Strategy<Value = Sent> {
    let piece = (block(), any::<u64>()).prop_map(|(block, seed)| {
        let data = noise(block.length as usize, seed);
        Sent::Block { piece: block.piece, begin: block.begin, data }
    });
    let bytes = |longest: usize| (0..=longest, any::<u64>()).prop_map(|(length, seed)| noise(length, seed));
    prop_oneof![
        12 => other_message().prop_map(Sent::Message),
        6 => piece,
        1 => (prop_oneof![Just(0), Just(3), any::<u8>()], bytes(2000)).prop_map(|(id, payload)| extended(id, payload)),
        // Skipped: unknown, and extended ones that are too long.
        1 => (21u8.., bytes(5000)).prop_map(|(id, body)| Sent::Other([&[id], &body[..]].concat())),
        1 => Just(extended(0, vec![7; 32 * 1024 + 1])),
    ]
}

fn other_message() -> impl Strategy<Value = Message> {
    prop_oneof![
        Just(Message::KeepAlive),
        Just(Message::Choke),
        Just(Message::Unchoke),
        Just(Message::Interested),
        Just(Message::NotInterested),
        Just(Message::HaveAll),
        Just(Message::HaveNone),
        any::<u32>().prop_map(Message::Have),
        any::<u32>().prop_map(Message::Suggest),
        any::<u32>().prop_map(Message::AllowedFast),
        any::<u16>().prop_map(Message::Port),
        any::<u64>().prop_map(|seed| Message::Bitfield(noise(PIECES.div_ceil(8) as usize, seed))),
        block().prop_map(Message::Request),
        block().prop_map(Message::Cancel),
        block().prop_map(Message::Reject),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn messages_arrive_in_order_wherever_they_are_cut(
        messages in proptest::collection::vec(message(), 0..60),
        cuts in proptest::collection::vec(prop_oneof![1..20usize, 1..3000usize, 20_000..60_000usize], 1..40),
        end in 0..30usize,
    ) {
        let mut bytes = Vec::new();
        messages.iter().for_each(|message| message.emit(&mut bytes));
        // The last message of this peer may be incomplete.
        Sent::Block { piece: 1, begin: 0, data: vec![0; 17] }.emit(&mut bytes);
        bytes.truncate(bytes.len() - 30 + end);
        let (mut near, inbox, wire) = wire();
        let mut rest = &bytes[..];
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (now, later) = rest.split_at((*cut).min(rest.len()));
            near.write_all(now).unwrap();
            // Small parts reach the other end one by one.
            thread::yield_now();
            rest = later;
        }
        drop(near);
        let expected: Vec<Sent> = messages.into_iter().filter_map(Sent::arrives).collect();
        prop_assert_eq!(heard(&inbox), expected);
        prop_assert_eq!(wire.join().unwrap().kind(), ErrorKind::UnexpectedEof);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    /// With valid streams with some bytes changed, or with noise, the wire ends or goes on, and never panics.
    #[test]
    fn no_bytes_break_the_wire(
        messages in proptest::collection::vec(message(), 0..20),
        noise in proptest::collection::vec(any::<u8>(), 0..200),
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..20),
    ) {
        let mut bytes = Vec::new();
        messages.iter().for_each(|message| message.emit(&mut bytes));
        bytes.extend(noise);
        for (at, byte) in changes.into_iter().filter(|_| !bytes.is_empty()).collect::<Vec<_>>() {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        // `heard_of` fails if the wire's thread panics or does not report its end.
        heard_of(&bytes);
    }
}

/// Earlier messages are reported, then that the peer is gone; and `wrong` is the reason.
fn ends_the_connection(wrong: &[u8]) {
    let mut bytes = Vec::new();
    let before = [Message::Unchoke, Message::Have(5)].map(Sent::Message);
    before.iter().for_each(|message| message.emit(&mut bytes));
    bytes.extend(wrong);
    Message::Interested.emit(&mut bytes);
    let (messages, error) = heard_of(&bytes);
    assert_eq!(messages, before);
    assert_eq!(error.kind(), ErrorKind::Other, "{error}");
}

#[test]
fn forbidden_lengths_end_the_connection() {
    ends_the_connection(&[0xff; 4]);
    ends_the_connection(&(MAX_MESSAGE_BYTES + 1).to_be_bytes());
    let head = |id: u8, body: u32| [&(body + 1).to_be_bytes()[..], &[id]].concat();
    // A block of 16 KiB and a byte, one of nothing, one whose head is cut.
    for body in [8 + BLOCK_BYTES + 1, 8, 7] {
        ends_the_connection(&[head(7, body), vec![0; body as usize]].concat());
    }
    for body in [0, 10, 12, 200_000] {
        ends_the_connection(&[head(5, body), vec![0; body as usize]].concat());
    }
    ends_the_connection(&[head(6, 13), vec![0; 13]].concat());
    ends_the_connection(&[head(4, 3), vec![0; 3]].concat());
}

#[test]
fn a_length_of_four_gib_is_refused_before_its_first_byte() {
    let (mut near, inbox, wire) = wire();
    near.write_all(&[0xff, 0xff, 0xff, 0xff]).unwrap();
    // We neither send more nor close the connection.
    assert_eq!(heard(&inbox), []);
    assert_eq!(wire.join().unwrap().kind(), ErrorKind::Other);
}

#[test]
fn a_long_message_is_skipped_and_its_arrival_is_reported_if_we_know_its_kind() {
    let long = Sent::Other(vec![99; MAX_MESSAGE_BYTES as usize]);
    let unknown = [long, Sent::Other(vec![99]), extended(200, vec![0; 1])];
    let too_long = [extended(0, vec![0; 32 * 1024 + 1]), extended(1, vec![0; 500 << 10]), extended(3, vec![0; 2])];
    let after = Sent::Message(Message::Have(7));
    let sent: Vec<Sent> = unknown.into_iter().chain(too_long).chain([after]).collect();
    let mut bytes = Vec::new();
    sent.iter().for_each(|message| message.emit(&mut bytes));
    let arrived = heard_of(&bytes).0;
    assert_eq!(arrived.len(), 4);
    assert_eq!(arrived, sent.into_iter().filter_map(Sent::arrives).collect::<Vec<_>>());
}

/// Fifty peers that send nothing but the longest messages cost a few MiB.
#[test]
fn long_messages_are_reported_soon() {
    let (mut near, inbox, _wire) = wire();
    let mut bytes = Vec::new();
    extended(0, vec![0; 32 * 1024]).emit(&mut bytes);
    thread::spawn(move || (0..64).all(|_| near.write_all(&bytes).is_ok()));
    let mut count = 0;
    while count < 64 {
        let Ok(Input::Peer { events, .. }) = inbox.recv_timeout(PATIENCE) else { panic!("nothing is reported") };
        count += events.iter().filter(|event| matches!(event, PeerEvent::Message(_))).count();
        assert!(events.len() <= 2, "{} together", events.len());
    }
}

#[test]
fn earlier_messages_are_reported_while_a_message_is_incomplete() {
    let (mut near, inbox, _wire) = wire();
    let mut bytes = Vec::new();
    Message::Have(1).emit(&mut bytes);
    Sent::Block { piece: 2, begin: 0, data: vec![3; 1000] }.emit(&mut bytes);
    let (now, later) = bytes.split_at(100);
    near.write_all(now).unwrap();
    let Ok(Input::Peer { events, .. }) = inbox.recv_timeout(PATIENCE) else { panic!("nothing is reported") };
    assert!(matches!(events[..], [PeerEvent::Message(Message::Have(1))]), "{events:?}");
    near.write_all(later).unwrap();
    let Ok(Input::Peer { events, .. }) = inbox.recv_timeout(PATIENCE) else { panic!("nothing is reported") };
    let [PeerEvent::Block { piece: 2, begin: 0, data, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(*data, [3; 1000]);
}

/// The number of pieces of a torrent that was added by a link is unknown at first.
#[test]
fn a_bitfield_of_any_length_passes_while_the_number_of_pieces_is_unknown() {
    for (bytes, passes) in
        [(0, true), (1, true), (LONGEST_BITFIELD as usize, true), (LONGEST_BITFIELD as usize + 1, false)]
    {
        let (mut near, inbox, reader) = wire_of(None);
        let bitfield = Message::Bitfield(vec![0xff; bytes]);
        let mut sent = Vec::new();
        bitfield.emit(&mut sent);
        Message::Have(u32::MAX).emit(&mut sent);
        near.write_all(&sent).unwrap_or_default();
        drop(near);
        let expected = [Sent::Message(bitfield), Sent::Message(Message::Have(u32::MAX))];
        assert_eq!(heard(&inbox), if passes { &expected[..] } else { &[] }, "{bytes} bytes");
        reader.join().unwrap();
    }
}

#[test]
fn a_silent_peer_is_dropped_in_time() {
    let (near, far) = socket_pair();
    let (around, inbox) = surroundings(1);
    far.set_read_timeout(Some(std::time::Duration::from_millis(30))).unwrap();
    let addr = near.local_addr().unwrap();
    let error = Wire::new(&Line::Plain(Arc::new(far)), &[], addr, PEER, Some(PIECES), &around, None).run();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    drop(around);
    assert_eq!(heard(&inbox), []);
}
