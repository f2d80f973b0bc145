//! The three threads that send, with a real socket between them and a peer that a test plays.

use super::*;
use crate::engine::input::Input;
use crate::engine::peer::directory::Listed;
use crate::engine::peer::server::Server;
use crate::engine::peer::writer;
use crate::engine::testkit::{PATIENCE, open, socket_pair, surroundings, torrent};
use crate::proto::peer::bitfield::Bitfield;
use crate::proto::peer::message::{PIECE_HEADER_BYTES, emit_piece_header};
use crate::proto::peer::mse::rc4::Rc4;
use crate::swarm::giving::grant::{Grant, Report, Servable};
use crate::swarm::peer::PeerKey;
use core::num::NonZeroU32;
use crossbeam_channel::Receiver;
use std::io::Read;
use std::net::TcpStream;

const PEER: PeerKey = PeerKey(NonZeroU32::MIN);
/// Bytes of a piece.
const PIECE: u32 = 4 * BLOCK_BYTES;

/// A complete torrent of 64 pieces and one peer of it.
struct Scene {
    server: Arc<Server>,
    /// The peer's end of the connection, and its cipher if the connection is encrypted.
    near: TcpStream,
    cipher: Option<Rc4>,
    inbox: Receiver<Input>,
    content: Vec<u8>,
    servable: Arc<Servable>,
    _dir: tempfile::TempDir,
}

fn scene() -> Scene {
    scene_on(false)
}

fn scene_on(is_encrypted: bool) -> Scene {
    let dir = tempfile::tempdir().unwrap();
    let (metainfo, bytes) = torrent(64 * PIECE as usize, &[], PIECE as usize, &[]);
    std::fs::write(dir.path().join("whole"), &bytes).unwrap();
    let content = open(&metainfo, dir.path(), false);
    content.size_on_disk(0).unwrap();
    let (around, inbox) = surroundings(1);
    let (near, far) = socket_pair();
    let (mut line, cipher) = (Line::Plain(Arc::new(far)), is_encrypted.then(|| Rc4::new(b"a key")));
    if let Some(cipher) = &cipher {
        line = line.encrypt((cipher.clone(), cipher.clone()));
    }
    let outbox = Outbox::new(near.local_addr().unwrap(), Arc::new(line), None, true);
    let listed = Listed::Content(content);
    let server = Arc::new(Server { around, peer: PEER, listed, outbox: Arc::new(outbox) });
    writer::start(&server).unwrap();
    let servable = Arc::new(Servable::new(metainfo.length, PIECE, &Bitfield::full(64)));
    Scene { server, near, cipher, inbox, content: bytes, servable, _dir: dir }
}

impl Scene {
    fn grant(&self) {
        let grant = Grant { pieces: Arc::clone(&self.servable), prompt: false };
        assert!(self.server.outbox.give(vec![PeerOrder::Grant(grant)]));
    }

    /// The peer requests blocks, all at once. Returns whether the grant covers all of them.
    fn request(&self, blocks: &[BlockSpec]) -> bool {
        let all = blocks.iter().all(|block| self.server.outbox.requested(*block));
        self.server.answer().unwrap();
        all
    }

    /// The bytes of these blocks as the peer should get them.
    fn expected(&self, blocks: &[BlockSpec]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for block in blocks {
            emit_piece_header(block, &mut bytes);
            let start = (block.piece * PIECE + block.begin) as usize;
            bytes.extend(&self.content[start..start + block.length as usize]);
        }
        bytes
    }

    /// The peer reads.
    fn read(&mut self, bytes: &mut [u8]) {
        self.near.read_exact(bytes).unwrap();
        self.cipher.iter_mut().for_each(|cipher| cipher.apply(bytes));
    }

    fn receives(&mut self, expected: &[u8]) {
        let mut bytes = vec![0; expected.len()];
        self.read(&mut bytes);
        assert!(bytes == expected, "the peer gets something else");
    }
}

/// Block `number` of the torrent.
fn block(number: u32) -> BlockSpec {
    BlockSpec { piece: number / 4, begin: number % 4 * BLOCK_BYTES, length: BLOCK_BYTES }
}

#[test]
fn requests_are_answered_without_the_manager_once_there_is_a_grant() {
    let mut scene = scene();
    assert!(!scene.request(&[block(0)]), "there is no grant yet");
    scene.grant();
    assert!(scene.request(&[block(0), block(9)]));
    scene.receives(&scene.expected(&[block(0), block(9)]));
    assert!(matches!(scene.inbox.try_recv(), Ok(Input::Serving(PEER))), "it is told that there will be a report");
    assert!(scene.request(&[block(9)]));
    scene.receives(&scene.expected(&[block(9)]));
    assert!(scene.inbox.is_empty(), "once");
    let Some(PeerEvent::Served(report)) = scene.server.outbox.collect() else { panic!("there is no report") };
    assert_eq!(report, Report { bytes: 3 * BLOCK_BYTES as u64, pieces: vec![0, 2] });
    assert!(scene.server.outbox.collect().is_none());
}

/// Among the blocks are messages of the manager, which must not cut any of them.
#[test]
fn what_the_socket_does_not_take_follows_whole_when_the_peer_reads_on() {
    for (at_once, is_encrypted) in [(1, false), (100, false), (1, true), (100, true)] {
        let mut scene = scene_on(is_encrypted);
        scene.grant();
        let blocks: Vec<BlockSpec> = (0..240).map(block).collect();
        for some in blocks.chunks(at_once) {
            assert!(scene.request(some));
            assert!(scene.server.outbox.give(vec![PeerOrder::Message(Message::Have(7))]));
        }
        let haves = blocks.chunks(at_once).count();
        let (mut left, mut heard) = (blocks, 0);
        while !left.is_empty() || heard < haves {
            let mut head = [0; 5];
            scene.read(&mut head);
            if head[4] == 4 {
                scene.receives(&7u32.to_be_bytes());
                heard += 1;
            } else {
                let next = left.remove(0);
                scene.receives(&scene.expected(&[next])[5..]);
            }
        }
    }
}

#[test]
fn after_a_choke_nothing_more_is_sent_and_each_request_is_rejected() {
    let mut scene = scene();
    scene.grant();
    // More than the sockets of both sides take.
    let mut requested = 0;
    while requested < 1900 {
        let some: Vec<BlockSpec> = (requested..requested + 100).map(|number| block(number % 256)).collect();
        assert!(scene.request(&some));
        requested += 100;
    }
    assert!(scene.server.outbox.cancelled(block(1899 % 256)));
    // The manager ordered some too, for example in turns under a limit.
    assert!(scene.server.outbox.give((0..100).map(|number| PeerOrder::Upload(block(number))).collect()));
    requested += 100;
    scene.server.outbox.give(vec![PeerOrder::Message(Message::Choke), PeerOrder::Revoke]);
    assert!(!scene.server.outbox.requested(block(0)));
    let (mut sent, mut rejected, mut choked) = (0, 0, false);
    while sent + rejected < requested {
        let mut head = [0; 5];
        scene.near.read_exact(&mut head).unwrap();
        let mut body = vec![0; u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize - 1];
        scene.near.read_exact(&mut body).unwrap();
        match head[4] {
            0 => choked = true,
            // One block may have been on its way.
            7 => {
                assert_eq!(body.len(), (PIECE_HEADER_BYTES + BLOCK_BYTES) as usize);
                assert!(!choked, "a block comes after the choke");
                sent += 1;
            }
            16 => rejected += 1,
            other => panic!("message {other}"),
        }
    }
    assert!(choked && rejected > 200, "{rejected} of {requested} are rejected");
    scene.server.outbox.give(vec![PeerOrder::Message(Message::Have(7))]);
    scene.receives(&[0, 0, 0, 5, 4, 0, 0, 0, 7]);
}

#[test]
fn a_peer_that_does_not_read_is_noticed_before_its_orders_fill_the_memory() {
    let scene = scene();
    let some = |count: usize| (0..count).map(|_| PeerOrder::Haves((0..64).collect())).collect();
    let mut orders = 0;
    while scene.server.outbox.give(some(64)) {
        orders += 64;
        // What the sockets take is not in our memory.
        assert!(orders < 100 * MOST_WAITING);
    }
    let state = lock(&scene.server.outbox.state);
    assert!(state.orders.len() <= MOST_WAITING + 64);
}

#[test]
fn requests_beyond_the_limit_are_rejected_and_a_flood_of_them_ends_the_connection() {
    let mut scene = scene();
    scene.grant();
    let flood = std::iter::repeat_n(block(0), 1 << 20);
    let mut ended = false;
    for block in flood {
        scene.server.outbox.requested(block);
        let state = lock(&scene.server.outbox.state);
        assert!(state.desk.waiting() <= crate::swarm::peer::MOST_WANTED && state.orders.len() <= MOST_WAITING + 1);
        ended = state.orders.len() > MOST_WAITING;
        if ended {
            break;
        }
    }
    assert!(ended);
    // It would have been told.
    scene.near.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut told = Vec::new();
    scene.near.read_to_end(&mut told).unwrap();
    assert!(told.len() > 1000 && told[4] == 16);
}

#[test]
fn both_threads_notice_the_end() {
    let mut scene = scene();
    assert!(scene.server.outbox.give(vec![PeerOrder::Upload(block(3))]));
    scene.receives(&scene.expected(&[block(3)]));
    scene.server.outbox.close();
    assert!(!scene.server.outbox.wait_for_work() && scene.server.outbox.next_for_writer().is_none());
    assert_eq!(scene.near.read(&mut [0]).unwrap(), 0);
    assert!(scene.server.outbox.give(vec![PeerOrder::Message(Message::Have(1))]));
    crate::engine::testkit::wait_until("the writer ends", || Arc::strong_count(&scene.server) == 1);
}
