//! Whatever peers say in whatever order: nothing panics, nothing grows without bound, and the books are right.

use crate::base::time::Time;
use crate::proto::peer::message::{BLOCK_BYTES, BlockSpec, Message};
use crate::swarm::event::{DiskEvent, Event, PeerEvent};
use crate::swarm::simulation::parts::key;
use crate::swarm::simulation::stage::Stage;
use proptest::prelude::*;

const PIECES: u32 = 6;
const PEERS: u32 = 5;
const MEMORY: u64 = 1 << 20;

/// Something that happens.
#[derive(Clone, Debug)]
enum Step {
    Joins(u32, bool),
    Leaves(u32),
    Says(u32, Message),
    /// Bytes that may be a message.
    Babbles(u32, Vec<u8>),
    /// A block of this place and length.
    Sends(u32, BlockSpec),
    /// The first block that it is asked for.
    Answers(u32),
    /// The disk has verified what is complete.
    Checks(bool),
    FindsCorrupt(u32, Vec<u32>),
    Passes(u64),
}

/// A block that may exist.
fn block() -> impl Strategy<Value = BlockSpec> {
    let begin = prop_oneof![4 => (0..5u32).prop_map(|number| number * BLOCK_BYTES), 1 => any::<u32>()];
    let length = prop_oneof![4 => Just(BLOCK_BYTES), 1 => 0..=BLOCK_BYTES + 1];
    let piece = prop_oneof![9 => 0..=PIECES, 1 => any::<u32>()];
    (piece, begin, length).prop_map(|(piece, begin, length)| BlockSpec { piece, begin, length })
}

fn message() -> impl Strategy<Value = Message> {
    prop_oneof![
        1 => Just(Message::Choke),
        4 => Just(Message::Unchoke),
        1 => Just(Message::Interested),
        1 => Just(Message::NotInterested),
        4 => Just(Message::HaveAll),
        1 => Just(Message::HaveNone),
        1 => (0..=PIECES).prop_map(Message::Have),
        1 => any::<u8>().prop_map(|bits| Message::Bitfield(vec![bits])),
        1 => Just(Message::Bitfield(vec![0xfc])),
        1 => block().prop_map(Message::Request),
        1 => block().prop_map(Message::Cancel),
        1 => block().prop_map(Message::Reject),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let peer = || 2..2 + PEERS;
    prop_oneof![
        2 => (peer(), any::<bool>()).prop_map(|(peer, outgoing)| Step::Joins(peer, outgoing)),
        1 => peer().prop_map(Step::Leaves),
        8 => (peer(), message()).prop_map(|(peer, message)| Step::Says(peer, message)),
        1 => (peer(), proptest::collection::vec(any::<u8>(), 1..20)).prop_map(|(peer, bytes)| Step::Babbles(peer, bytes)),
        2 => (peer(), block()).prop_map(|(peer, block)| Step::Sends(peer, block)),
        12 => peer().prop_map(Step::Answers),
        3 => any::<bool>().prop_map(Step::Checks),
        1 => (0..=PIECES, proptest::collection::vec((0..5u32).prop_map(|number| number * BLOCK_BYTES), 0..4))
            .prop_map(|(piece, begins)| Step::FindsCorrupt(piece, begins)),
        3 => (0..70_000u64).prop_map(Step::Passes),
    ]
}

impl Stage {
    fn take(&mut self, step: Step) {
        match step {
            Step::Joins(number, outgoing) => {
                if !self.torrent.peers.contains_key(&key(number)) {
                    self.join(number, [10, 0, 0, number as u8], number as u8, outgoing);
                }
            }
            Step::Leaves(number) => self.happen(Event::Peer(key(number), PeerEvent::Gone)),
            Step::Says(number, message) => self.hear(number, message),
            Step::Babbles(number, bytes) => {
                if let Ok(message) = crate::proto::peer::message::parse_body(bytes[0], &bytes[1..]) {
                    self.hear(number, message);
                }
            }
            Step::Sends(number, block) => self.send_block(number, block),
            Step::Answers(number) => {
                let asked = self.torrent.peers.get(&key(number)).and_then(|peer| peer.asked.front().copied());
                asked.into_iter().for_each(|block| self.send_block(number, block));
            }
            Step::Checks(good) => {
                let complete = self.disk.iter().find(|(_, bytes)| **bytes == 4 * BLOCK_BYTES).map(|(piece, _)| *piece);
                if let Some(piece) = complete {
                    self.disk.remove(&piece);
                    self.happen(Event::Disk(DiskEvent::Checked { piece, good }));
                }
            }
            Step::FindsCorrupt(piece, begins) => self.happen(Event::Disk(DiskEvent::FoundCorrupt { piece, begins })),
            Step::Passes(milliseconds) => self.pass(Time::from_millis(milliseconds)),
        }
    }

    fn send_block(&mut self, number: u32, block: BlockSpec) {
        let BlockSpec { piece, begin, length } = block;
        self.happen(Event::Peer(key(number), PeerEvent::Block { piece, begin, data: vec![0; length as usize] }));
        let bytes = std::mem::take(&mut self.unwritten);
        self.shared.budget.written(bytes);
    }

    fn audit(&self) {
        let asked: u64 =
            self.torrent.peers.values().flat_map(|peer| &peer.asked).map(|block| block.length as u64).sum();
        assert_eq!(self.shared.budget.asked(), asked, "bytes asked for");
        assert!(self.disk.values().all(|bytes| *bytes <= 4 * BLOCK_BYTES), "a block was written twice");
        assert_eq!(self.shared.connected, self.torrent.peers.len());
        for peer in self.torrent.peers.values() {
            assert!(peer.late.len() <= 2000 && peer.wants.len() <= 2000);
        }
        self.torrent.picker.audit();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn nothing_that_peers_do_breaks_a_torrent(steps in proptest::collection::vec(step(), 1..150)) {
        let mut stage = Stage::new(PIECES, 4);
        for step in steps {
            stage.take(step);
            stage.audit();
        }
        let numbers: Vec<u32> = stage.torrent.peers.keys().map(|key| key.0.get()).collect();
        numbers.into_iter().for_each(|number| stage.take(Step::Leaves(number)));
        stage.audit();
        prop_assert_eq!(stage.shared.budget.free(), MEMORY, "memory that never became free");
    }
}

#[test]
fn requests_that_are_given_up_are_remembered_within_bounds() {
    let mut stage = Stage::new(PIECES, 4);
    stage.join(2, [10, 0, 0, 2], 2, false);
    stage.hear(2, Message::HaveAll);
    for _ in 0..4000 {
        stage.hear(2, Message::Unchoke);
        stage.hear(2, Message::Choke);
    }
    let late = stage.torrent.peers[&key(2)].late.len();
    assert!((1900..=2000).contains(&late), "{late}");
}
