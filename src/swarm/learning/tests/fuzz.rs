//! Random messages in random order: nothing panics, nothing grows without bound, and nothing wrong is learned.

use super::*;
use proptest::prelude::*;

const BYTES: u32 = 3 * BLOCK_BYTES + 100;
const PEERS: u32 = 6;

/// Something that happens.
#[derive(Clone, Debug)]
enum Step {
    Joins(u32, bool),
    Leaves(u32),
    Offers(u32, u32),
    Says(u32, Message),
    Babbles(u32, u8, Vec<u8>),
    /// A peer answers its first request, with the right bytes or with wrong ones.
    Answers(u32, bool),
    Sends(u32, u32, usize),
    Rejects(u32, u32),
    Pauses(bool),
    Passes(u64),
}

fn message() -> impl Strategy<Value = Message> {
    prop_oneof![
        Just(Message::Choke),
        Just(Message::Unchoke),
        Just(Message::Interested),
        Just(Message::HaveAll),
        Just(Message::HaveNone),
        (0..30u32).prop_map(Message::Have),
        any::<u32>().prop_map(Message::Have),
        proptest::collection::vec(any::<u8>(), 0..5).prop_map(Message::Bitfield),
        any::<u32>().prop_map(Message::AllowedFast),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let peer = || 2..2 + PEERS;
    let size = prop_oneof![4 => Just(BYTES), 1 => 1..=200_000u32];
    prop_oneof![
        3 => (peer(), any::<bool>()).prop_map(|(peer, outgoing)| Step::Joins(peer, outgoing)),
        1 => peer().prop_map(Step::Leaves),
        4 => (peer(), size).prop_map(|(peer, size)| Step::Offers(peer, size)),
        3 => (peer(), message()).prop_map(|(peer, message)| Step::Says(peer, message)),
        1 => (peer(), 0..5u8, proptest::collection::vec(any::<u8>(), 0..40))
            .prop_map(|(peer, id, bytes)| Step::Babbles(peer, id, bytes)),
        12 => (peer(), any::<bool>()).prop_map(|(peer, lies)| Step::Answers(peer, lies)),
        1 => (peer(), 0..6u32, 0..=17_000usize).prop_map(|(peer, piece, bytes)| Step::Sends(peer, piece, bytes)),
        1 => (peer(), 0..4u32).prop_map(|(peer, piece)| Step::Rejects(peer, piece)),
        1 => any::<bool>().prop_map(Step::Pauses),
        3 => (0..40_000u64).prop_map(Step::Passes),
    ]
}

impl Table {
    fn take(&mut self, step: Step) {
        match step {
            Step::Joins(number, outgoing) => {
                if !self.learning.guests.contains_key(&key(number)) {
                    self.join(number, outgoing);
                }
            }
            Step::Leaves(number) => self.happen(Event::Peer(key(number), PeerEvent::Gone)),
            Step::Offers(number, size) => self.offer(number, size),
            Step::Says(number, message) => self.hear(number, message),
            Step::Babbles(number, id, bytes) => self.hear(number, Message::Extended(Extended::received(id, bytes))),
            Step::Answers(number, lies) => {
                if let Some(at) = self.asked.iter().position(|(asked, _)| *asked == number) {
                    let (_, piece) = self.asked.remove(at);
                    if piece * BLOCK_BYTES < BYTES {
                        self.send(number, piece, lies);
                    }
                }
            }
            Step::Sends(number, piece, bytes) => {
                self.metadata(number, &Metadata::Data { piece, size: None, block: vec![0; bytes] });
            }
            Step::Rejects(number, piece) => self.metadata(number, &Metadata::Reject { piece }),
            Step::Pauses(paused) => self.happen(Event::Paused(paused)),
            Step::Passes(milliseconds) => self.pass(Time::from_millis(milliseconds)),
        }
        self.audit();
        assert!(self.learned.is_none() || self.is_learned(), "something wrong was learned");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn nothing_that_peers_do_breaks_the_machine(steps in proptest::collection::vec(step(), 1..150)) {
        let mut table = Table::new(BYTES);
        for step in steps {
            table.take(step);
        }
        // An honest peer completes it, whatever happened before.
        table.take(Step::Pauses(false));
        if !table.is_learned() {
            table.asked.clear();
            table.honest(99);
            for _ in 0..200 {
                let silent: Vec<u32> = (2..2 + PEERS).collect();
                table.answer(&[], &silent);
                table.seconds(1);
            }
        }
        prop_assert!(table.is_learned());
    }
}
