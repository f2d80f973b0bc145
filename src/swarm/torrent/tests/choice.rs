//! Torrents with unwanted pieces, in the swarm of `torrent/tests/mod.rs`.

use super::*;
use crate::proto::choice::Choice;
use crate::swarm::figures::Share;

fn bits_of<const N: usize>(ones: [u32; N]) -> Bitfield {
    let mut bits = Bitfield::new(PIECES);
    ones.into_iter().for_each(|one| assert!(bits.set(one)));
    bits
}

#[test]
fn only_wanted_pieces_are_downloaded_and_they_are_served() {
    let wanted = bits_of([3, 4, 9, 23]);
    let mut swarm = swarm_of(&[everything(), bits_of([7]), bits_of([5])]);
    swarm.members[1].torrent.want_only(&wanted);
    let status = swarm.members[1].torrent.status(swarm.now);
    assert_eq!((status.pieces, status.last_piece), (5, None));
    let map = swarm.members[1].torrent.piece_map(PIECES as usize);
    for (piece, share) in (0..).zip(map) {
        let other = if piece == 7 { Share::Had } else { Share::LeftOut };
        assert_eq!(share, if wanted.get(piece) { Share::Missing } else { other }, "piece {piece}");
    }
    swarm.connect(1, 0);
    assert!(swarm.run(Time::from_secs(60), |swarm| swarm.whole(1)));
    let torrent = &swarm.members[1].torrent;
    let mut had = wanted.clone();
    had.set(7);
    assert_eq!(*torrent.picker.have(), had);
    assert_eq!(swarm.members[0].uploaded, 4 * PIECE as u64 - 100);
    // It has all it wants, but the tracker must not take it for a seed.
    assert_eq!((torrent.status(swarm.now).left, torrent.announce_request().left), (0, 19 * PIECE as u64));
    assert!(swarm.run(Time::from_secs(90), |swarm| !swarm.members[1].closed.is_empty()), "seeds are of no use to it");

    // A peer that has only unwanted pieces is served, and nothing is requested from it.
    swarm.connect(2, 1);
    assert!(swarm.run(Time::from_secs(150), |swarm| swarm.members[2].torrent.picker.have().count() == 6));
    assert!(swarm.members[2].heard.iter().any(|(_, message)| *message == Message::Unchoke));
    assert!(!swarm.members[2].heard.iter().any(|(_, message)| *message == Message::Interested));
}

#[test]
fn a_have_of_an_unwanted_piece_does_not_make_us_interested() {
    let mut swarm = swarm_of(&[nothing(), nothing()]);
    swarm.members[1].torrent.want_only(&bits_of([3]));
    swarm.connect(1, 0);
    for (piece, interested) in [(5, false), (3, true)] {
        swarm.happen(1, Event::Peer(key_of(0), PeerEvent::Message(Message::Have(piece))));
        let told = swarm.members[0].heard.iter().any(|(_, message)| *message == Message::Interested);
        assert_eq!(told, interested, "piece {piece}");
    }
}

/// Another choice, which needs no preparation of the disk.
fn choose(swarm: &mut Swarm, number: usize, wanted: &Bitfield) {
    let choice = Some(Arc::new(Choice::of_pieces(wanted, None)));
    swarm.happen(number, Event::Choose { choice, steady: wanted.clone() });
    assert_eq!(swarm.members[number].whole_at, None, "the disk is not ready yet");
    swarm.happen(number, Event::Disk(DiskEvent::Chosen { done: true }));
}

#[test]
fn requests_for_what_nobody_wants_any_more_are_cancelled_and_the_download_may_be_complete_at_once() {
    let mut swarm = swarm_of(&[everything(), bits_of([3])]);
    swarm.members[0].mute = true;
    swarm.connect(1, 0);
    swarm.run(Time::from_secs(1), |_| false);
    let asked = swarm.members[1].torrent.peers[&key_of(0)].asked.clone();
    assert!(!asked.is_empty());
    choose(&mut swarm, 1, &bits_of([3]));
    assert_eq!(swarm.members[1].whole_at, Some(swarm.now));
    // The cancels are on their way.
    swarm.run(swarm.now + Time::from_secs(1), |_| false);
    assert!(asked.iter().all(|block| swarm.members[0].heard.contains(&(1, Message::Cancel(*block)))));
    let member = &swarm.members[1];
    assert!(member.torrent.is_seeding() && member.shared.budget.free() == 1 << 20);
    assert_eq!(member.torrent.announce_request().left, swarm.metainfo.length - u64::from(PIECE), "wanted or not");
}

#[test]
fn a_seed_of_a_part_downloads_again_when_more_is_wanted_and_reports_the_end_of_each() {
    let mut swarm = swarm_of(&[everything(), nothing()]);
    swarm.members[1].torrent.want_only(&bits_of([3]));
    swarm.connect(1, 0);
    assert!(swarm.run(Time::from_secs(30), |swarm| swarm.whole(1)));
    swarm.members[1].whole_at = None;
    choose(&mut swarm, 1, &bits_of([3, 4]));
    assert!(swarm.members[1].torrent.is_downloading());
    swarm.run(swarm.now + Time::from_secs(1), |_| false);
    swarm.connect(1, 0);
    assert!(swarm.run(swarm.now + Time::from_secs(90), |swarm| swarm.members[1].whole_at.is_some()));
    assert_eq!(*swarm.members[1].torrent.picker.have(), bits_of([3, 4]));
    // Something less is no news.
    swarm.members[1].whole_at = None;
    choose(&mut swarm, 1, &bits_of([4]));
    assert_eq!(swarm.members[1].whole_at, None);
}
