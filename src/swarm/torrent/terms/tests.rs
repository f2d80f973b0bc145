//! Terms, on a [stage](crate::swarm::simulation::stage).

use super::*;
use crate::proto::peer::bitfield::Bitfield;
use crate::proto::peer::message::{BLOCK_BYTES, Message};
use crate::swarm::event::{Event, PeerEvent};
use crate::swarm::meeting::source::Source;
use crate::swarm::peer::PeerKey;
use crate::swarm::settings::{RateLimits, Settings};
use crate::swarm::simulation::parts::key;
use crate::swarm::simulation::stage::Stage;

fn set(stage: &mut Stage, term: Term) {
    stage.happen(Event::Terms(term));
}

/// A leecher has received this number of bytes.
fn sent(stage: &mut Stage, bytes: u64) {
    stage.happen(Event::Peer(key(1), PeerEvent::Uploaded { bytes }));
}

/// A seed of eight pieces (512 KiB) and a leecher.
fn seed() -> Stage {
    let mut stage = Stage::of(Bitfield::full(8), Settings::default());
    stage.join(1, [10, 0, 0, 1], 2, false);
    stage
}

const SIZE: u64 = 8 * 4 * BLOCK_BYTES as u64;

#[test]
fn a_torrent_that_has_reached_its_ratio_leaves_its_swarm_and_says_so_once() {
    let mut stage = seed();
    // Half of it was sent in an earlier run.
    stage.torrent.transferred_before((SIZE / 2, 0));
    set(&mut stage, Term::SeedUntil(SeedTerms::own(SeedUntil { ratio: Some(150), idle: None })));
    sent(&mut stage, SIZE - 1);
    assert!(stage.enough.is_empty() && stage.closed.is_empty());
    sent(&mut stage, 1);
    assert_eq!(stage.enough, [Enough::Ratio]);
    assert!(stage.torrent.is_paused() && stage.closed.len() == 1);
    stage.pass(Time::from_secs(3600));
    assert_eq!(stage.enough.len(), 1);

    // The person wants it to go on: the ratio counts from here.
    stage.happen(Event::Paused(false));
    stage.join(1, [10, 0, 0, 1], 2, false);
    sent(&mut stage, SIZE);
    assert_eq!(stage.enough.len(), 1);
    sent(&mut stage, SIZE / 2);
    assert_eq!(stage.enough, [Enough::Ratio; 2]);
}

#[test]
fn a_ratio_of_all_torrents_counts_where_a_torrent_has_none_of_its_own() {
    let all = |ratio| Arc::new(Settings { seed_until: SeedUntil { ratio, idle: None }, ..Settings::default() });
    let mut stage = seed();
    sent(&mut stage, SIZE);
    assert!(
        stage.torrent.is_concerned(&all(Some(100)), stage.now)
            && !stage.torrent.is_concerned(&all(Some(101)), stage.now)
    );
    let own = |ratio| Term::SeedUntil(SeedTerms { ratio, idle: None });
    for mine in [Some(300), None] {
        set(&mut stage, own(Some(mine)));
        stage.happen(Event::Settings(all(Some(100))));
        assert!(stage.enough.is_empty(), "it has its own, or none");
        stage.happen(Event::Settings(all(None)));
    }
    set(&mut stage, own(None));
    stage.happen(Event::Settings(all(Some(101))));
    assert!(stage.enough.is_empty());
    stage.happen(Event::Settings(all(Some(100))));
    assert_eq!(stage.enough, [Enough::Ratio]);
    // The person wants it to go on: the ratio counts from here, until another one is set.
    stage.happen(Event::Paused(false));
    stage.happen(Event::Timer);
    assert_eq!(stage.enough.len(), 1);
    stage.happen(Event::Settings(all(Some(50))));
    assert_eq!(stage.enough.len(), 2);
}

#[test]
fn a_ratio_that_is_lowered_below_what_was_sent_is_reached_at_once() {
    let mut stage = seed();
    sent(&mut stage, SIZE);
    set(&mut stage, Term::SeedUntil(SeedTerms::own(SeedUntil { ratio: Some(101), idle: None })));
    assert!(stage.enough.is_empty());
    set(&mut stage, Term::SeedUntil(SeedTerms::own(SeedUntil { ratio: Some(100), idle: None })));
    assert_eq!(stage.enough, [Enough::Ratio]);
}

#[test]
fn a_seed_that_sends_nothing_for_its_time_leaves_its_swarm() {
    let mut stage = seed();
    let idle = Time::from_secs(600);
    set(&mut stage, Term::SeedUntil(SeedTerms::own(SeedUntil { ratio: None, idle: Some(idle) })));
    stage.pass(Time::from_secs(500));
    sent(&mut stage, 1);
    stage.pass(Time::from_secs(599));
    assert!(stage.enough.is_empty());
    stage.pass(Time::from_secs(1));
    assert_eq!(stage.enough, [Enough::Idle]);
    // A pause does not count, and the count begins again after it.
    stage.pass(Time::from_secs(3600));
    stage.happen(Event::Paused(false));
    stage.pass(Time::from_secs(599));
    assert_eq!(stage.enough.len(), 1);
    stage.pass(Time::from_secs(1));
    assert_eq!(stage.enough.len(), 2);
}

#[test]
fn a_download_does_not_seed_enough_however_much_it_sends() {
    let mut have = Bitfield::full(8);
    assert!(have.clear(7));
    let mut stage = Stage::of(have, Settings::default());
    stage.join(1, [10, 0, 0, 1], 2, false);
    set(&mut stage, Term::SeedUntil(SeedTerms::own(SeedUntil { ratio: Some(1), idle: Some(Time::from_secs(1)) })));
    sent(&mut stage, SIZE);
    stage.pass(Time::from_secs(60));
    assert!(stage.enough.is_empty());
}

#[test]
fn an_upload_limit_takes_the_grants_back_and_its_end_renews_them() {
    let mut stage = seed();
    stage.happen(Event::Timer);
    stage.hear(1, Message::HaveNone);
    stage.hear(1, Message::Interested);
    assert!(stage.torrent.peers[&key(1)].has_grant);
    let limit = |upload| Term::Limits(RateLimits { download: None, upload });
    set(&mut stage, limit(Some(1 << 20)));
    assert!(!stage.torrent.peers[&key(1)].has_grant);
    set(&mut stage, limit(None));
    assert!(stage.torrent.peers[&key(1)].has_grant);
    stage.shared.upload.set_rate(Some(1 << 20), stage.now);
    stage.happen(Event::Timer);
    assert!(!stage.torrent.peers[&key(1)].has_grant);
    set(&mut stage, Term::SharesLimits(false));
    assert!(stage.torrent.peers[&key(1)].has_grant);
}

#[test]
fn fewer_places_close_the_peers_that_are_of_least_use() {
    let mut stage = Stage::new(8, 50);
    for number in 1..=4 {
        stage.join(number, [10, 0, 0, number as u8], number as u8 + 1, true);
    }
    stage.hear(1, Message::HaveAll);
    stage.hear(1, Message::Unchoke);
    stage.hear(3, Message::HaveAll);
    [2, 4].into_iter().for_each(|number| stage.hear(number, Message::HaveNone));
    stage.hear(4, Message::Interested);
    set(&mut stage, Term::MaxPeers(2));
    let closed: Vec<PeerKey> = core::mem::take(&mut stage.closed).into_iter().map(|(key, _)| key).collect();
    assert_eq!(closed, [key(2), key(4)]);
    set(&mut stage, Term::MaxPeers(1));
    assert_eq!(stage.closed.len(), 1);
    assert_eq!(stage.closed[0].0, key(3), "the other one sends");
    stage.happen(Event::Found { source: Source::Tracker, addrs: vec![([10, 0, 0, 9], 9).into()] });
    assert_eq!(stage.connecting, []);
    set(&mut stage, Term::MaxPeers(2));
    assert_eq!(stage.connecting.len(), 1);
}
