//! Pausing: a torrent leaves its swarm, and joins it again.

use super::*;
use crate::proto::tracker::announce::{AnnounceEvent, AnnounceReply};
use crate::swarm::meeting::announcer::{Announcement, Ask};
use crate::swarm::meeting::source::Source;
use crate::swarm::simulation::parts::key;
use crate::swarm::simulation::stage::Stage;

/// A torrent with a tracker.
fn tracked() -> Stage {
    let tiers = vec![vec!["http://a/".into()]];
    Stage::with(&Metainfo { tiers, ..metainfo(8, 4, 0) }, Bitfield::new(8), Settings::default())
}

/// Takes the announces since the last call.
fn announced(stage: &mut Stage) -> Vec<Announcement> {
    core::mem::take(&mut stage.announced)
}

/// Their events.
fn events(announced: &[Announcement]) -> Vec<Option<AnnounceEvent>> {
    let event = |announcement: &Announcement| match &announcement.ask {
        Ask::Announce(request) => request.event,
        Ask::Scrape(_) => panic!("a scrape"),
    };
    announced.iter().map(event).collect()
}

/// The tracker answers.
fn answer(stage: &mut Stage, announced: Vec<Announcement>) {
    for announcement in announced {
        let (seeds, leechers, downloaded) = (Some(1), Some(1), Some(1));
        let reply = AnnounceReply { seeds, leechers, downloaded, ..AnnounceReply::default() };
        stage.happen(Event::Announced { announcement: announcement.into(), outcome: Box::new(Ok(reply)) });
    }
}

#[test]
fn a_pause_closes_the_connections_and_afterwards_they_are_opened_again() {
    let mut stage = Stage::new(8, 50);
    let addr = |number: u8| core::net::SocketAddr::from(([10, 0, 0, number], u16::from(number)));
    stage.happen(Event::Found { source: Source::Tracker, addrs: vec![addr(1)] });
    assert_eq!(core::mem::take(&mut stage.connecting), [addr(1)]);
    stage.seed_comes(1, 2, true);
    assert!(!stage.asked.is_empty());

    stage.happen(Event::Paused(true));
    assert_eq!(stage.closed, [(key(1), "we stop")]);
    assert_eq!(stage.shared.budget.free(), 1 << 20, "every byte of the budget came back");
    assert_eq!(stage.shared.connected, 0);
    stage.happen(Event::Found { source: Source::Tracker, addrs: vec![addr(2)] });
    stage.join(3, [10, 0, 0, 3], 4, false);
    assert_eq!(stage.closed.last(), Some(&(key(3), "the torrent is paused or ends")));
    stage.pass(Time::from_secs(3600));
    assert_eq!(stage.connecting, [], "nobody is connected to during a pause");
    assert!(stage.torrent.next_wake(stage.now, &stage.shared).is_none(), "nothing is due");

    stage.happen(Event::Paused(false));
    stage.pass(Time::from_secs(1));
    assert_eq!(stage.connecting.len(), 2, "those that it knew");
    stage.seed_comes(1, 2, true);
    assert!(!stage.asked.is_empty());
}

#[test]
fn trackers_hear_of_a_pause_and_of_its_end_in_this_order() {
    let mut stage = tracked();
    stage.happen(Event::Timer);
    let started = announced(&mut stage);
    assert_eq!(events(&started), [Some(AnnounceEvent::Started)]);
    stage.happen(Event::Paused(true));
    assert!(stage.announced.is_empty(), "an answer is under way");
    answer(&mut stage, started);
    let stopped = announced(&mut stage);
    assert_eq!(events(&stopped), [Some(AnnounceEvent::Stopped)]);
    stage.happen(Event::Paused(false));
    stage.pass(Time::from_secs(5));
    assert!(stage.announced.is_empty(), "`stopped` must not come after `started`");
    answer(&mut stage, stopped);
    let again = announced(&mut stage);
    assert_eq!(events(&again), [Some(AnnounceEvent::Started)]);
    answer(&mut stage, again);
    assert!(stage.announced.is_empty());
}

/// A torrent that waits for its place from the beginning need not be announced.
#[test]
fn a_torrent_that_is_paused_before_its_first_announce_tells_no_tracker() {
    let mut stage = tracked();
    stage.happen(Event::Paused(true));
    stage.pass(Time::from_secs(3600));
    assert!(stage.announced.is_empty());
    stage.happen(Event::Paused(false));
    assert_eq!(events(&announced(&mut stage)), [Some(AnnounceEvent::Started)]);
}
