//! Pausing: nothing is asked for and nothing sent, but the connections stay.
//!
//! Floor 2, a way of [`Torrent`]. What peers sent before they heard of it is taken.

use super::{Torrent, Turn};
use crate::proto::peer::message::{BlockSpec, Message};
use crate::swarm::peer::PeerKey;

impl Torrent {
    /// The person wants a pause, or wants to go on.
    pub(super) fn pause(&mut self, paused: bool, turn: &mut Turn) {
        self.paused = paused;
        if !paused {
            self.progressed = turn.now;
            self.unchoke_waiting(turn);
            return self.ask_all(turn);
        }
        let peers: Vec<PeerKey> = self.peers.keys().copied().collect();
        for peer in peers {
            let Some(state) = self.peers.get(&peer) else { continue };
            let (asked, served): (Vec<BlockSpec>, bool) = (state.asked.iter().copied().collect(), !state.we_choke);
            asked.into_iter().for_each(|block| self.send(peer, Message::Cancel(block), turn));
            self.give_up_requests(peer, true, turn);
            if served {
                self.choke(peer, turn);
            }
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::base::rng::Rng;
    use crate::proto::id::PeerId;
    use crate::proto::peer::bitfield::Bitfield;
    use crate::proto::peer::handshake::{Handshake, Reserved};
    use crate::swarm::Time;
    use crate::swarm::event::{Action, Event, PeerEvent, PeerOrder};
    use crate::swarm::picking::budget::Budget;
    use crate::swarm::simulation::world::metainfo;
    use crate::swarm::torrent::{Settings, Shared};
    use core::num::NonZeroU32;

    /// A torrent, what it shares with others, and a way to have things happen to it.
    pub struct One {
        pub torrent: Torrent,
        pub shared: Shared,
    }

    impl One {
        /// Of eight pieces of two blocks, of which those in `have` are had.
        pub fn new(have: u8) -> One {
            let mut rng = Rng::new(1);
            let settings = Settings::new(PeerId([1; 20]));
            let have = Bitfield::from_bytes([have], 8).unwrap();
            let torrent = Torrent::new(&metainfo(8, 2, 0), have, settings, Time::ZERO, &mut rng);
            One { torrent, shared: Shared::new(rng, Budget::new(1 << 20)) }
        }

        /// What the torrent does when `event` happens.
        pub fn happen(&mut self, event: Event) -> Vec<Action> {
            let mut actions = Vec::new();
            self.torrent.handle(event, &mut Turn { now: Time::ZERO, shared: &mut self.shared, actions: &mut actions });
            actions
        }

        /// A message comes from a peer.
        pub fn hear(&mut self, number: u8, message: Message) -> Vec<Action> {
            self.happen(Event::Peer(key(number), PeerEvent::Message(message)))
        }

        /// A peer comes that has `pieces`.
        pub fn join(&mut self, number: u8, pieces: u8) {
            let (addr, info_hash) = (([10, 0, 0, number], 1).into(), metainfo(8, 2, 0).info_hash);
            let handshake = Handshake { reserved: Reserved::ours(), info_hash, peer_id: PeerId([number + 1; 20]) };
            self.happen(Event::Peer(
                key(number),
                PeerEvent::Connected { addr, outgoing: false, handshake: Box::new(handshake) },
            ));
            self.hear(number, Message::Bitfield(vec![pieces]));
        }
    }

    fn key(number: u8) -> PeerKey {
        PeerKey(NonZeroU32::new(number.into()).unwrap())
    }

    fn is_request(message: &Message) -> bool {
        matches!(message, Message::Request(_))
    }

    fn is_unchoke(message: &Message) -> bool {
        *message == Message::Unchoke
    }

    fn sent(actions: &[Action], wanted: fn(&Message) -> bool) -> usize {
        actions
            .iter()
            .filter(|action| matches!(action, Action::Peer(_, PeerOrder::Message(message)) if wanted(message)))
            .count()
    }

    #[test]
    fn a_pause_takes_requests_back_and_chokes_and_then_all_goes_on() {
        let mut one = One::new(0b1000_0000);
        one.join(1, 0xff);
        let served = one.hear(1, Message::Interested);
        assert_eq!(sent(&served, is_unchoke), 1);
        let asked = sent(&one.hear(1, Message::Unchoke), is_request);
        assert!(asked > 0);

        let paused = one.happen(Event::Paused(true));
        assert_eq!(sent(&paused, |message| matches!(message, Message::Cancel(_))), asked);
        assert_eq!(sent(&paused, |message| *message == Message::Choke), 1);
        assert_eq!(one.shared.budget.free(), 1 << 20, "every byte of the budget came back");
        for event in
            [Message::Unchoke, Message::Interested].map(|message| Event::Peer(key(1), PeerEvent::Message(message)))
        {
            let meanwhile = one.happen(event);
            assert_eq!(sent(&meanwhile, |message| is_unchoke(message) || is_request(message)), 0);
        }
        assert!(one.torrent.status(Time::ZERO).paused);

        let resumed = one.happen(Event::Paused(false));
        assert_eq!(sent(&resumed, is_request), asked);
        assert_eq!(sent(&resumed, is_unchoke), 1);
    }
}
