//! A torrent in a [`Swarm`] of torrents like it, or on a [stage](crate::swarm::simulation::stage), in virtual time.

mod choice;
mod downloading;
mod fuzz;
mod giving;
mod gossip;
mod hearing;
mod joining;
mod limit;
mod lying;
mod pausing;
mod places;
mod report;
mod showing;
mod steps;
mod waiting;

use super::*;
use crate::proto::choice::Choice;
use crate::proto::peer::message::BLOCK_BYTES;
use crate::swarm::event::{DiskEvent, DiskOrder, PeerEvent};
use crate::swarm::picking::budget::Budget;
use crate::swarm::simulation::parts::{connected, metainfo};
use crate::swarm::simulation::swarm::{Swarm, addr, id_of, key_of};
use crate::swarm::standing::ProblemKind;
use std::collections::BTreeSet;

impl Torrent {
    /// Only these pieces are wanted, from the beginning.
    fn want_only(&mut self, wanted: &Bitfield) {
        self.choose_at_start(&Choice::of_pieces(wanted, None), &mut Rng::new(1));
    }

    /// Checks that facts that are kept in several places agree. Returns the bytes that are requested.
    pub fn audit(&self) -> u64 {
        let mut out: BTreeMap<(u32, u32), u16> = BTreeMap::new();
        for peer in self.peers.values() {
            assert_eq!(peer.useful_pieces, peer.has.count_lacked_by(self.picker.settled()), "useful pieces");
            assert_eq!(peer.interested_since.is_some(), peer.useful_pieces > 0, "interest");
            let of_this: BTreeSet<(u32, u32)> = peer.asked.iter().map(|block| (block.piece, block.begin)).collect();
            assert!(of_this.len() == peer.asked.len(), "a peer is asked twice for one block");
            of_this.into_iter().for_each(|block| *out.entry(block).or_default() += 1);
            let waits = uploading::is_ready(peer);
            assert!(
                !waits || self.giving.turns.as_ref().is_some_and(|turns| turns.waiting.contains(&peer.key)),
                "a request waits, and no turn will come"
            );
            let gives = waits && peer.gave() > 0;
            assert!(
                !gives || self.giving.turns.as_ref().is_some_and(|turns| turns.waiting_givers.contains(&peer.key)),
                "a giver is taken for one that takes"
            );
        }
        for (piece, begin, askers) in self.picker.audit() {
            let really = out.get(&(piece, begin)).copied().unwrap_or(0);
            assert_eq!(askers, really, "askers of the block at {begin} of piece {piece}");
        }
        self.peers.values().flat_map(|peer| &peer.asked).map(|block| block.length as u64).sum()
    }
}

const PIECES: u32 = 24;
const PIECE: u32 = 2 * BLOCK_BYTES;

/// A swarm with a member for each of `haves`, which are the pieces that it has.
fn swarm_of(haves: &[Bitfield]) -> Swarm {
    let mut swarm = Swarm::new(metainfo(PIECES, 2, 100), Time::from_millis(20));
    for (number, have) in (0..).zip(haves) {
        swarm.add(have.clone(), Settings::default(), Shared::new(Rng::new(number), Budget::new(1 << 20)));
    }
    swarm
}

fn spoilt(text: &str) -> Problem {
    Problem { kind: ProblemKind::Io, text: text.into() }
}

fn given_up() -> Standing {
    Standing::Failed(Problem { kind: ProblemKind::GaveUp, text: "given up, no progress for 60 s".into() }.into())
}

fn nothing() -> Bitfield {
    Bitfield::new(PIECES)
}

fn everything() -> Bitfield {
    Bitfield::full(PIECES)
}

#[test]
fn a_swarm_of_nine_is_whole_and_the_leechers_did_most_of_it() {
    let mut haves = vec![nothing(); 9];
    haves[0] = everything();
    let mut swarm = swarm_of(&haves);
    for from in 0..9 {
        (0..from).for_each(|to| swarm.connect(from, to));
    }
    assert!(swarm.run(Time::from_secs(60), |swarm| (0..9).all(|number| swarm.whole(number))), "not whole in a minute");
    let size = swarm.metainfo.length;
    let given: u64 = swarm.members.iter().map(|member| member.uploaded).sum();
    let by_leechers: u64 = given - swarm.members[0].uploaded;
    assert!(by_leechers > size, "leechers serve too: {by_leechers} of {given}");
    for member in &swarm.members[1..] {
        assert_eq!(member.torrent.picker.lacked_bytes(), 0);
        assert_eq!(member.shared.budget.free(), 1 << 20, "every byte of the budget came back");
    }
    swarm.run(swarm.now + Time::from_secs(1), |_| false);
    assert!(swarm.members[1].torrent.peers.is_empty(), "seeds part from seeds");
}

#[test]
fn a_peer_that_never_answers_is_snubbed_and_the_other_brings_all() {
    let mut swarm = swarm_of(&[nothing(), everything(), everything()]);
    swarm.members[1].mute = true;
    swarm.connect(0, 1);
    swarm.run(Time::from_secs(1), |_| false);
    assert!(!swarm.members[0].torrent.peers[&key_of(1)].asked.is_empty());
    swarm.connect(0, 2);
    assert!(swarm.run(Time::from_secs(30), |swarm| swarm.whole(0)), "the silent peer held blocks back");
}

#[test]
fn a_liar_is_found_out_and_the_honest_stay() {
    let mut swarm = swarm_of(&[nothing(), everything(), everything(), everything()]);
    swarm.members[1].corrupt = true;
    (1..4).for_each(|to| swarm.connect(0, to));
    assert!(swarm.run(Time::from_secs(60), |swarm| swarm.whole(0)), "not whole");
    let wrong = "it sent a piece whose hash is wrong";
    let banned: Vec<usize> = swarm.members[0].closed.iter().filter(|c| c.1 == wrong).map(|c| c.0).collect();
    assert_eq!(banned, [1], "the liar and no other");
    assert!(swarm.members[0].torrent.fetching.wasted > 0);
}

#[test]
fn requests_for_a_piece_that_starts_over_are_withdrawn_and_their_rejects_do_not_hit_new_ones() {
    let mut swarm = swarm_of(&[nothing(), everything()]);
    swarm.members[1].mute = true;
    swarm.connect(0, 1);
    swarm.run(Time::from_secs(1), |_| false);
    let block = swarm.members[0].torrent.peers[&key_of(1)].asked[0];
    // It is known to be fast, so the piece that failed comes first.
    swarm.members[0].torrent.peers.get_mut(&key_of(1)).unwrap().pace.came(1 << 20, Time::ZERO);
    swarm.happen(0, Event::Disk(DiskEvent::Checked { piece: block.piece, good: false }));
    assert!(swarm.members[1].heard.contains(&(0, Message::Cancel(block))));
    for _ in 0..2 {
        let member = &swarm.members[0];
        let asked = &member.torrent.peers[&key_of(1)].asked;
        assert_eq!(asked.iter().filter(|asked| **asked == block).count(), 1);
        let bytes: u64 = asked.iter().map(|asked| asked.length as u64).sum();
        assert_eq!(member.shared.budget.free(), (1 << 20) - bytes);
        // The answer to the request that was withdrawn.
        swarm.happen(0, Event::Peer(key_of(1), PeerEvent::Message(Message::Reject(block))));
    }
}

#[test]
fn a_seeder_that_dies_leaves_its_blocks_to_others() {
    let mut swarm = swarm_of(&[nothing(), everything(), everything()]);
    swarm.connect(0, 1);
    swarm.connect(0, 2);
    assert!(swarm.run(Time::from_secs(9), |swarm| swarm.members[0].torrent.picker.have().count() > 3));
    swarm.happen(0, Event::Peer(key_of(1), PeerEvent::Gone));
    swarm.members[1].mute = true;
    assert!(swarm.run(Time::from_secs(20), |swarm| swarm.whole(0)), "stalled");
}

#[test]
fn our_own_connection_and_a_second_one_are_closed() {
    let mut swarm = swarm_of(&[nothing(), everything()]);
    let info_hash = swarm.metainfo.info_hash;
    let comes = |name: usize, member: usize, outgoing| {
        Event::Peer(key_of(name), connected(info_hash, addr(member), id_of(member), outgoing))
    };
    swarm.happen(0, comes(0, 0, true));
    assert_eq!(swarm.members[0].closed.last(), Some(&(0, "it is ourselves")));
    assert!(swarm.members[0].torrent.meeting.candidates.is_barred(addr(0)));

    swarm.happen(0, comes(1, 1, true));
    swarm.happen(0, comes(1, 1, true));
    assert_eq!(swarm.members[0].closed.last(), Some(&(1, "it is connected already")));
    // Member 1 has the greater id, so the connection that it opened stays.
    let mut swarm = swarm_of(&[nothing(), everything(), nothing()]);
    swarm.happen(0, comes(1, 1, true));
    swarm.happen(0, comes(2, 1, false));
    assert_eq!(swarm.members[0].closed.last(), Some(&(1, "the other connection with it stays")));
    assert_eq!(swarm.members[0].torrent.peers.keys().collect::<Vec<_>>(), [&key_of(2)]);
}

#[test]
fn unrequested_blocks_are_not_written() {
    let mut swarm = swarm_of(&[nothing(), everything()]);
    swarm.connect(0, 1);
    let data = vec![0; BLOCK_BYTES as usize];
    swarm.happen(0, Event::Peer(key_of(1), PeerEvent::Block { piece: 3, begin: 0, data }));
    assert!(swarm.members[0].written.is_empty());
    assert_eq!(
        (swarm.members[0].torrent.fetching.wasted, swarm.members[0].torrent.fetching.down.total()),
        (BLOCK_BYTES as u64, 0)
    );
}

#[test]
fn a_disk_that_fails_ends_the_torrent_with_its_reason() {
    let mut swarm = swarm_of(&[nothing(), everything()]);
    swarm.connect(0, 1);
    swarm.happen(0, Event::Disk(DiskEvent::Failed { problem: spoilt("can't write x: no space") }));
    let torrent = &swarm.members[0].torrent;
    assert_eq!(torrent.standing, Standing::Failed(spoilt("can't write x: no space").into()));
    assert!(torrent.peers.is_empty() && torrent.next_wake(Time::ZERO, &swarm.members[0].shared).is_none());
}

#[test]
fn an_idle_connection_is_kept_alive() {
    let mut swarm = swarm_of(&[nothing(), nothing()]);
    swarm.connect(0, 1);
    swarm.run(Time::from_secs(250), |_| false);
    let alive = swarm.members[1].heard.iter().filter(|(_, message)| *message == Message::KeepAlive).count();
    assert_eq!(alive, 2);
}

#[test]
fn an_idle_torrent_takes_little_memory() {
    assert!(size_of::<Torrent>() <= 768, "thousands are at rest: what only busy ones need goes in boxes");
}
