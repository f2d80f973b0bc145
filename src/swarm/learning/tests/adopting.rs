//! The torrent takes over connections, early messages, trackers and addresses.

use super::*;
use crate::proto::bencode::Bencode;
use crate::proto::krpc::IS_BUILT_IN;
use crate::proto::metainfo::Metainfo;
use crate::proto::peer::bitfield::Bitfield;
use crate::proto::peer::extended::{Extension, Offers};
use crate::proto::tracker::announce::{AnnounceEvent, AnnounceReply};
use crate::swarm::torrent::Torrent;

const PIECES: u32 = 24;

/// The metainfo of a torrent of 24 pieces of 16 KiB, and its description.
fn torrent(private: bool, trackers: &[&str]) -> (Metainfo, Vec<u8>) {
    let mut entries = vec![
        ("length", i64::from(PIECES * BLOCK_BYTES).into()),
        ("name", "blob".into()),
        ("piece length", i64::from(BLOCK_BYTES).into()),
        ("pieces", vec![7u8; 20 * PIECES as usize].into()),
    ];
    entries.extend(private.then_some(("private", 1i64.into())));
    let info = Bencode::dict(entries);
    let tiers = Bencode::list(trackers.iter().map(|tracker| Bencode::list([*tracker])));
    let metainfo = Bencode::dict([("info", info.clone()), ("announce-list", tiers)]).encode();
    (Metainfo::parse(&metainfo).unwrap(), info.encode())
}

struct Adopted {
    torrent: Torrent,
    actions: Vec<Action>,
    shared: Shared,
    now: Time,
}

impl Table {
    fn for_torrent(private: bool, trackers: &[&str]) -> (Table, Metainfo) {
        let (metainfo, info) = torrent(private, trackers);
        let link = Magnet { trackers: trackers.iter().map(|url| url.to_string()).collect(), ..Magnet::default() };
        (Table::of(info, link, Settings::default()), metainfo)
    }

    fn adopt(mut self, metainfo: &Metainfo, have: Bitfield) -> Adopted {
        assert!(self.is_learned());
        let (mut actions, settings) = (Vec::new(), Arc::clone(&self.learning.settings));
        let turn = &mut Turn { now: self.now, shared: &mut self.shared, actions: &mut actions };
        if metainfo.private {
            self.learning.becomes_private(turn);
        }
        let mut torrent = Torrent::new(metainfo, have, settings, turn.now, &mut turn.shared.rng);
        let taken_over = self.learning.hand_over(turn);
        torrent.adopt(taken_over, turn);
        assert_eq!((turn.shared.early, turn.shared.descriptions), (0, 0), "other links may have the memory");
        torrent.handle(Event::Timer, turn);
        torrent.audit();
        Adopted { torrent, actions, shared: self.shared, now: self.now }
    }
}

impl Adopted {
    fn closed(&self) -> Vec<(u32, &'static str)> {
        let closed = self.actions.iter().filter_map(|action| match action {
            Action::Close { peer, reason } => Some((peer.0.get(), *reason)),
            _ => None,
        });
        closed.collect()
    }

    fn told(&self, number: u32) -> Vec<&Message> {
        let told = self.actions.iter().filter_map(|action| match action {
            Action::Peer(peer, PeerOrder::Message(message)) if *peer == key(number) => Some(message),
            _ => None,
        });
        told.collect()
    }
}

#[test]
fn a_peer_that_unchoked_us_early_is_asked_for_content_at_once() {
    let (mut table, metainfo) = Table::for_torrent(false, &[]);
    table.honest(2);
    table.hear(2, Message::HaveAll);
    table.hear(2, Message::Unchoke);
    table.answer(&[], &[]);
    let adopted = table.adopt(&metainfo, Bitfield::new(PIECES));
    let told = adopted.told(2);
    assert!(told.contains(&&Message::Interested));
    assert!(told.iter().any(|message| matches!(message, Message::Request(_))), "{told:?}");
    assert!(!told.contains(&&Message::HaveNone), "it was told before");
    assert!(adopted.closed().is_empty());
    let status = adopted.torrent.status(adopted.now);
    assert_eq!((status.peers, status.seeds, adopted.shared.connected), (1, 1, 1));
}

/// A peer may say more while the content is checked.
#[test]
fn what_was_said_early_is_judged_and_wrong_claims_close() {
    let (mut table, metainfo) = Table::for_torrent(false, &[]);
    (2..8).for_each(|number| table.honest(number));
    table.answer(&[], &[]);
    table.hear(2, Message::Bitfield(vec![0xff, 0, 1]));
    table.hear(2, Message::Have(8));
    table.hear(3, Message::Bitfield(vec![0; 4]));
    table.hear(4, Message::Have(PIECES));
    table.hear(5, Message::HaveNone);
    table.hear(5, Message::Have(3));
    table.hear(5, Message::Interested);
    table.hear(6, Message::HaveAll);
    table.hear(6, Message::Choke);
    let mut adopted = table.adopt(&metainfo, Bitfield::new(PIECES));
    let closed: Vec<u32> = adopted.closed().iter().map(|closed| closed.0).collect();
    assert_eq!(closed, [3, 4]);
    let mut per_mille: Vec<u16> = adopted.torrent.peer_list(adopted.now).iter().map(|peer| peer.per_mille).collect();
    per_mille.sort_unstable();
    assert_eq!(per_mille, [0, 1000 / 24, 10_000 / 24, 1000]);
    assert_eq!(adopted.shared.connected, 4);
    // The connections live on.
    let turn = &mut Turn { now: adopted.now, shared: &mut adopted.shared, actions: &mut adopted.actions };
    adopted.torrent.handle(Event::Peer(key(6), PeerEvent::Message(Message::Unchoke)), turn);
    assert!(adopted.told(6).iter().any(|message| matches!(message, Message::Request(_))));
}

#[test]
fn a_private_torrent_lets_go_of_all_that_its_trackers_did_not_name() {
    let (mut table, metainfo) = Table::for_torrent(true, &["http://t/a"]);
    assert!(metainfo.private);
    table.seconds(11);
    let at = |number: u16| SocketAddr::from(([10, 1, 0, number as u8], 6000 + number));
    for (number, source) in [(2, Source::Dht), (3, Source::Tracker), (4, Source::Pex), (5, Source::Lsd)] {
        table.happen(Event::Found { source, addrs: vec![at(number), SocketAddr::from(([9, 9, 9, 9], number))] });
        table.honest(number.into());
    }
    table.join(6, false);
    table.answer(&[], &[]);
    let mut adopted = table.adopt(&metainfo, Bitfield::new(PIECES));
    let mut closed: Vec<u32> = adopted.closed().iter().map(|closed| closed.0).collect();
    closed.sort_unstable();
    // The sixth connected to us, perhaps because the torrent was announced in the local network.
    assert_eq!(closed, [2, 4, 5, 6]);
    // The addresses of the tracker are left, and three to which connections are being opened ...
    assert_eq!(adopted.torrent.status(adopted.now).known, 5);
    let takes_back =
        Message::Extended(ExtendedHandshake::withdrawing(Extension::Metadata, Offers::default()).message());
    assert!(adopted.told(3).contains(&&takes_back));
    assert_eq!(adopted.shared.connected, 1);
    // ... which are closed when they are open.
    for number in [2, 4, 5] {
        let connected = connected(metainfo.info_hash, ([9, 9, 9, 9], number).into(), number as u8, true);
        let turn = &mut Turn { now: adopted.now, shared: &mut adopted.shared, actions: &mut adopted.actions };
        adopted.torrent.handle(Event::Peer(key(10 + u32::from(number)), connected), turn);
    }
    assert_eq!((adopted.closed().len(), adopted.shared.connected), (7, 1));
    // No stranger is tried again.
    let known = [at(3), SocketAddr::from(([9, 9, 9, 9], 3))];
    for second in 0..600 {
        adopted.now += Time::from_secs(1);
        let turn = &mut Turn { now: adopted.now, shared: &mut adopted.shared, actions: &mut adopted.actions };
        adopted.torrent.handle(Event::Timer, turn);
        for action in core::mem::take(&mut adopted.actions) {
            let Action::Connect { addr, .. } = action else { continue };
            assert!(known.contains(&addr), "{addr} after {second} s");
            let turn = &mut Turn { now: adopted.now, shared: &mut adopted.shared, actions: &mut adopted.actions };
            adopted.torrent.handle(Event::ConnectFailed { addr, our_fault: false }, turn);
        }
    }
}

#[test]
fn a_stranger_that_can_not_be_reached_is_not_tried_again_for_a_private_torrent() {
    let (mut table, _) = Table::for_torrent(true, &["http://t/a"]);
    table.seconds(11);
    let stranger = SocketAddr::from(([9, 9, 9, 9], 5));
    table.happen(Event::Found { source: Source::Lsd, addrs: vec![stranger] });
    table.happen(Event::Found { source: Source::Tracker, addrs: vec![SocketAddr::from(([10, 1, 0, 2], 6002))] });
    table.honest(2);
    assert!(table.connecting.contains(&stranger));
    table.answer(&[], &[]);
    for our_fault in [false, true] {
        let mut candidates = core::mem::take(&mut table.learning.meeting.candidates);
        candidates.add(stranger, Source::Lsd, table.now);
        candidates.busy(stranger);
        table.learning.meeting.candidates = candidates;
        let mut actions = Vec::new();
        let turn = &mut Turn { now: table.now, shared: &mut table.shared, actions: &mut actions };
        table.learning.becomes_private(turn);
        assert!(table.learning.meeting.candidates.is_known(stranger), "it is still being connected to");
        table.happen(Event::ConnectFailed { addr: stranger, our_fault });
        assert!(!table.learning.meeting.candidates.is_known(stranger));
    }
}

/// The check of the content may take an hour.
#[test]
fn while_its_content_is_checked_a_private_torrent_talks_to_no_stranger_and_not_about_its_description() {
    let (mut table, _) = Table::for_torrent(true, &["http://t/a"]);
    table.seconds(11);
    let stranger = SocketAddr::from(([10, 1, 0, 7], 6007));
    table.happen(Event::Found { source: Source::Lsd, addrs: vec![stranger] });
    table.happen(Event::Found { source: Source::Tracker, addrs: vec![SocketAddr::from(([10, 1, 0, 2], 6002))] });
    table.honest(2);
    table.answer(&[], &[]);
    let mut actions = Vec::new();
    let turn = &mut Turn { now: table.now, shared: &mut table.shared, actions: &mut actions };
    table.learning.becomes_private(turn);
    table.told.clear();
    // The connection to the stranger opens, and another peer connects to us.
    table.join(7, true);
    assert_eq!(table.closed.last(), Some(&(7, "the torrent is private, and none of its trackers named this peer")));
    table.join(8, false);
    let Some((8, Message::Extended(told))) = table.told.last() else { panic!("{:?}", table.told) };
    let Some(Incoming::Handshake(told)) = told.parse() else { panic!("{told:?}") };
    assert!(!told.ids.has(Extension::Metadata) && !told.ids.has(Extension::Pex));
    table.told.clear();
    table.say(8, &ours());
    [2, 8].into_iter().for_each(|number| table.metadata(number, &Metadata::Request { piece: 0 }));
    assert!(table.told.is_empty() && table.asked.is_empty(), "{:?}", table.told);
    let known = table.learning.status(table.now).known;
    table.happen(Event::Found { source: Source::Lsd, addrs: vec![SocketAddr::from(([9, 9, 9, 9], 9))] });
    assert_eq!(table.learning.status(table.now).known, known);
}

/// A peer that connects to us may have found us in the DHT, once we were announced there.
#[test]
fn if_it_was_announced_in_the_dht_a_private_torrent_keeps_no_peer_that_connected_to_us() {
    for announced in [false, true] {
        let (mut table, _) = Table::for_torrent(true, &["http://t/a"]);
        table.seconds(11);
        if announced {
            table.happen(Event::Found { source: Source::Dht, addrs: Vec::new() });
        }
        table.join(3, false);
        table.happen(Event::Found { source: Source::Tracker, addrs: vec![SocketAddr::from(([10, 1, 0, 2], 6002))] });
        table.honest(2);
        table.answer(&[], &[]);
        let mut actions = Vec::new();
        let turn = &mut Turn { now: table.now, shared: &mut table.shared, actions: &mut actions };
        table.learning.becomes_private(turn);
        let is_closed = |action: &Action| matches!(action, Action::Close { peer, .. } if *peer == key(3));
        assert_eq!(actions.iter().any(is_closed), announced && IS_BUILT_IN);
    }
}

#[test]
fn a_torrent_that_is_complete_tells_its_trackers_so() {
    let (mut table, metainfo) = Table::for_torrent(false, &["http://t/a"]);
    table.happen(Event::Timer);
    assert_eq!(table.announced.iter().map(|request| request.left).collect::<Vec<_>>(), [LEFT]);
    let announcement = table.announcement.take().unwrap();
    let reply = AnnounceReply { interval: Some(1800), ..AnnounceReply::default() };
    table.happen(Event::Announced { announcement, outcome: Box::new(Ok(reply)) });
    table.honest(2);
    table.answer(&[], &[]);
    let mut adopted = table.adopt(&metainfo, Bitfield::full(PIECES));
    adopted.now += Time::from_secs(60);
    let turn = &mut Turn { now: adopted.now, shared: &mut adopted.shared, actions: &mut adopted.actions };
    adopted.torrent.handle(Event::Timer, turn);
    let left = adopted.actions.iter().find_map(|action| match action {
        Action::Announce(announcement) => match &announcement.ask {
            Ask::Announce(request) => Some(request.left),
            _ => None,
        },
        _ => None,
    });
    assert_eq!(left, Some(0));
}

#[test]
fn addresses_that_were_kept_back_are_handed_over_with_their_source() {
    let (mut table, metainfo) = Table::for_torrent(false, &["http://t/a"]);
    table.happen(Event::Found { source: Source::Dht, addrs: vec![SocketAddr::from(([9, 9, 9, 9], 1))] });
    table.honest(2);
    table.answer(&[], &[]);
    assert!(table.connecting.is_empty());
    let mut adopted = table.adopt(&metainfo, Bitfield::new(PIECES));
    let turn = &mut Turn { now: Time::from_secs(11), shared: &mut adopted.shared, actions: &mut adopted.actions };
    adopted.torrent.handle(Event::Timer, turn);
    assert!(adopted.actions.iter().any(|action| matches!(action, Action::Connect { .. })));
}

#[test]
fn the_trackers_are_not_told_a_second_time_that_we_started() {
    let (mut table, metainfo) = Table::for_torrent(false, &["http://t/a"]);
    table.happen(Event::Timer);
    let request = table.announced.remove(0);
    assert_eq!(request.event, Some(AnnounceEvent::Started));
    let reply = AnnounceReply { seeds: Some(1), leechers: Some(0), downloaded: Some(0), ..AnnounceReply::default() };
    let announcement = Box::new(Announcement { url: "http://t/a".into(), ask: Ask::Announce(request) });
    table.happen(Event::Announced { announcement, outcome: Box::new(Ok(reply)) });
    table.honest(2);
    table.answer(&[], &[]);
    let mut adopted = table.adopt(&metainfo, Bitfield::new(PIECES));
    let turn = &mut Turn { now: Time::from_secs(2000), shared: &mut adopted.shared, actions: &mut adopted.actions };
    adopted.torrent.handle(Event::Timer, turn);
    let announced = adopted.actions.iter().filter_map(|action| match action {
        Action::Announce(announcement) => Some(&announcement.ask),
        _ => None,
    });
    let announced: Vec<&Ask> = announced.collect();
    let [Ask::Announce(request)] = announced.as_slice() else { panic!("{announced:?}") };
    assert_eq!((request.event, request.left), (None, u64::from(PIECES * BLOCK_BYTES)));
}

#[test]
fn peers_are_told_what_is_on_disk_already() {
    let (mut table, metainfo) = Table::for_torrent(false, &[]);
    table.honest(2);
    table.answer(&[], &[]);
    let mut have = Bitfield::new(PIECES);
    [3, 7].into_iter().for_each(|piece| assert!(have.set(piece)));
    let adopted = table.adopt(&metainfo, have);
    let haves = adopted.actions.iter().find_map(|action| match action {
        Action::Peer(peer, PeerOrder::Haves(pieces)) if *peer == key(2) => Some(pieces.as_slice()),
        _ => None,
    });
    assert_eq!(haves, Some(&[3, 7][..]));
}

#[test]
fn a_complete_torrent_parts_from_the_seeds_it_learned_from() {
    let (mut table, metainfo) = Table::for_torrent(false, &[]);
    table.honest(2);
    table.hear(2, Message::HaveAll);
    table.answer(&[], &[]);
    let adopted = table.adopt(&metainfo, Bitfield::full(PIECES));
    assert_eq!(adopted.closed(), [(2, "it has everything, and we have all we want")]);
    assert_eq!(adopted.shared.connected, 0);
}

#[test]
fn connections_that_are_being_opened_are_counted_on() {
    let (mut table, metainfo) = Table::for_torrent(false, &[]);
    let addr = SocketAddr::from(([9, 9, 9, 9], 1));
    table.happen(Event::Found { source: Source::Tracker, addrs: vec![addr] });
    table.honest(2);
    table.answer(&[], &[]);
    let mut adopted = table.adopt(&metainfo, Bitfield::new(PIECES));
    assert_eq!(adopted.torrent.status(adopted.now).connecting, 0, "the honest peer was one that we connected to");
    let turn = &mut Turn { now: adopted.now, shared: &mut adopted.shared, actions: &mut adopted.actions };
    adopted.torrent.handle(Event::ConnectFailed { addr, our_fault: false }, turn);
    assert_eq!((adopted.torrent.status(adopted.now).connecting, adopted.shared.connecting), (0, 0));
}
