//! Messages that are wrong, late, or too many.

use super::*;

/// Each line: what a peer sends, and why it is closed for it.
#[test]
fn nonsense_ends_the_connection_and_nothing_else() {
    let beyond = BlockSpec { piece: PIECES, begin: 0, length: 16 };
    let over_the_end = BlockSpec { piece: PIECES - 1, begin: PIECE - 100, length: 1 };
    let overflow = BlockSpec { piece: 0, begin: u32::MAX, length: BLOCK_BYTES };
    let nothing_at_all = BlockSpec { piece: 0, begin: 0, length: 0 };
    let too_long = BlockSpec { piece: 0, begin: 0, length: BLOCK_BYTES + 1 };
    let messages = [
        vec![Message::Have(PIECES)],
        vec![Message::Bitfield(vec![0; 2])],
        vec![Message::HaveNone, Message::HaveNone],
        vec![Message::Have(1), Message::HaveNone],
        vec![Message::Request(beyond)],
        vec![Message::Request(over_the_end)],
        vec![Message::Request(overflow)],
        vec![Message::Request(nothing_at_all)],
        vec![Message::Request(too_long)],
    ];
    for sent in messages {
        let mut swarm = swarm_of(&[everything(), nothing(), nothing()]);
        swarm.connect(1, 0);
        swarm.connect(2, 0);
        for message in &sent {
            swarm.happen(0, Event::Peer(key_of(1), PeerEvent::Message(message.clone())));
        }
        assert_eq!(swarm.members[0].closed.len(), 1, "{sent:?}");
        assert_eq!(swarm.members[0].torrent.peers.len(), 1, "{sent:?}");
    }
}

#[test]
fn a_later_bitfield_that_adds_pieces_is_taken() {
    let mut swarm = swarm_of(&[nothing(), nothing()]);
    swarm.connect(1, 0);
    let heard = [Message::HaveNone, Message::Have(3), Message::Bitfield(vec![0b1001_0000, 0, 1])];
    for message in heard {
        swarm.happen(0, Event::Peer(key_of(1), PeerEvent::Message(message)));
    }
    let peer = &swarm.members[0].torrent.peers[&key_of(1)];
    assert_eq!(peer.has.iter_ones().collect::<Vec<_>>(), [0, 3, 23]);
    assert_eq!(peer.useful_pieces, 3);
}

/// As libtorrent does. Some programs announce a piece that they just got before the bitfield that was made without it.
#[test]
fn a_late_or_repeated_bitfield_is_taken_and_takes_nothing_back() {
    let mut swarm = swarm_of(&[nothing(), nothing()]);
    swarm.connect(1, 0);
    let early = Message::Bitfield(vec![128, 0, 0]);
    for heard in [Message::Have(1), early.clone(), early.clone(), early] {
        swarm.happen(0, Event::Peer(key_of(1), PeerEvent::Message(heard)));
    }
    assert!(swarm.members[0].closed.is_empty(), "{:?}", swarm.members[0].closed);
    let peer = &swarm.members[0].torrent.peers[&key_of(1)];
    assert_eq!(peer.has.iter_ones().collect::<Vec<_>>(), [0, 1]);
    assert_eq!(peer.useful_pieces, 2);
}

#[test]
fn a_bitfield_after_the_unchoke_does_not_stall_the_download() {
    let mut swarm = swarm_of(&[nothing(), nothing()]);
    swarm.connect(1, 0);
    for message in [Message::Unchoke, Message::HaveAll] {
        swarm.happen(0, Event::Peer(key_of(1), PeerEvent::Message(message)));
    }
    assert!(!swarm.members[0].torrent.peers[&key_of(1)].asked.is_empty());
}

#[test]
fn ten_thousand_requests_are_bounded_and_the_excess_is_rejected() {
    let mut swarm = swarm_of(&[everything(), nothing()]);
    swarm.members[0].mute = true;
    swarm.connect(1, 0);
    swarm.run(Time::from_secs(1), |_| false);
    let block = BlockSpec { piece: 0, begin: 0, length: BLOCK_BYTES };
    swarm.happen(0, Event::Peer(key_of(1), PeerEvent::Message(Message::Interested)));
    for _ in 0..10_000 {
        swarm.happen(0, Event::Peer(key_of(1), PeerEvent::Message(Message::Request(block))));
    }
    let waiting = swarm.members[0].torrent.peers[&key_of(1)].wants.len();
    let rejected = swarm.members[1].heard.iter().filter(|(_, m)| *m == Message::Reject(block)).count();
    assert!((1900..=2000).contains(&waiting), "{waiting}");
    assert!(rejected > 7_900, "{rejected}");
}
