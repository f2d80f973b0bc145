//! Whatever peers say in whatever order: nothing panics, nothing grows without bound, and the books are right.

use crate::base::time::Time;
use crate::proto::choice::{Choice, Ranks};
use crate::proto::peer::bitfield::Bitfield;
use crate::proto::peer::message::{BLOCK_BYTES, BlockSpec, Message};
use crate::swarm::event::{DiskEvent, Event, PeerEvent};
use crate::swarm::simulation::parts::key;
use crate::swarm::simulation::stage::Stage;
use crate::swarm::standing::DiskTrouble;
use proptest::prelude::*;
use std::sync::Arc;

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
    /// Another choice: the wanted pieces, the urgent ones, those that need no preparation of the disk.
    Chooses(u8, u8, u8),
    /// The disk has carried out a choice, or not.
    Chosen(bool),
    /// The disk is in trouble, or works again.
    IsTroubled(bool),
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
        2 => (any::<u8>(), any::<u8>(), any::<u8>()).prop_map(|(wanted, high, steady)| {
            Step::Chooses(wanted, high, steady)
        }),
        3 => any::<bool>().prop_map(Step::Chosen),
        1 => any::<bool>().prop_map(Step::IsTroubled),
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
            Step::Chooses(wanted, high, steady) => self.choose(wanted, high, steady),
            Step::Chosen(done) => {
                if self.choices > 0 {
                    self.choices -= 1;
                    self.happen(Event::Disk(DiskEvent::Chosen { done }));
                    if !done && !self.torrent.waits_for_disk() {
                        self.take(Step::IsTroubled(true));
                    }
                }
            }
            Step::IsTroubled(true) => {
                let trouble = DiskTrouble { text: "full".into(), short_bytes: 0 };
                self.happen(Event::Disk(DiskEvent::Trouble { block: None, trouble }));
            }
            Step::IsTroubled(false) => self.happen(Event::Disk(DiskEvent::Healed { doubtful: false })),
            Step::Passes(milliseconds) => self.pass(Time::from_millis(milliseconds)),
        }
    }

    fn choose(&mut self, wanted: u8, high: u8, steady: u8) {
        let bits = |bits: u8| Bitfield::from_bytes([bits & 0xfc], PIECES).unwrap();
        let before = self.torrent.picker.wanted();
        let none = Bitfield::new(PIECES);
        // One choice in four wants all as usual.
        let choice = (wanted & 3 != 0).then(|| {
            let mut low = bits(wanted);
            low.subtract(&bits(high));
            let ranks =
                (high & 1 != 0).then(|| Ranks { high: bits(high), low: if high & 2 != 0 { low } else { none } });
            Arc::new(Choice::of_pieces(&bits(wanted), ranks))
        });
        let mut steady = bits(steady);
        steady.intersect(&before);
        choice.iter().for_each(|choice| steady.intersect(&choice.pieces));
        self.happen(Event::Choose { choice, steady });
    }

    /// A seed comes and brings what is wanted.
    fn complete(&mut self) {
        self.seed_comes(40, 40, true);
        for _ in 0..1000 {
            if self.torrent.is_seeding() {
                break;
            }
            [Step::Answers(40), Step::Checks(true), Step::Passes(10)].into_iter().for_each(|step| self.take(step));
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
        let picker = &self.torrent.picker;
        let (is_ready, wanted) = (|piece| picker.is_free(piece) || picker.is_begun(piece), picker.wanted());
        let lacks = wanted.iter_lacked_by(picker.have());
        let counts = lacks.filter(|piece| self.torrent.is_choosing() || is_ready(*piece)).count();
        assert_eq!(counts as u32, wanted.count_lacked_by(picker.have()), "a wanted piece can never be requested");
        assert!((0..PIECES).all(|piece| !is_ready(piece) || wanted.get(piece)), "an unwanted piece can be requested");
        if let Some(steady) = self.torrent.fetching.choosing.as_ref().map(|choosing| &choosing.steady) {
            assert!(
                (0..PIECES).all(|piece| !is_ready(piece) || steady.get(piece)),
                "the disk is not ready for a piece"
            );
        }
        assert!(!self.torrent.is_seeding() || picker.has_all_wanted(), "something is missing, and it seeds");
        let is_done = picker.has_all_wanted() && !self.torrent.is_choosing();
        assert!(!self.torrent.is_downloading() || !is_done, "nothing is missing, and it downloads");
        for peer in self.torrent.peers.values() {
            assert_eq!(peer.useful_pieces, peer.has.count_lacked_by(picker.settled()), "useful pieces");
            assert!(peer.asked.iter().all(|block| picker.is_begun(block.piece)), "a request for nothing");
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
        // The disk works again, and a seed brings the rest.
        for step in [Step::Passes(100_000), Step::IsTroubled(false)] {
            stage.take(step);
        }
        while stage.choices > 0 {
            stage.take(Step::Chosen(true));
            stage.audit();
        }
        prop_assert!(!stage.torrent.is_choosing());
        stage.complete();
        prop_assert!(stage.torrent.is_seeding() && stage.torrent.picker.has_all_wanted());
        stage.take(Step::Leaves(40));
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
