//! Download limits and timeouts, in virtual time.

use super::*;
use crate::swarm::settings::{RateLimits, Term};
use crate::swarm::simulation::stage::Stage;
use std::sync::Arc;

#[test]
fn as_much_comes_in_ten_seconds_as_the_limit_allows() {
    let rate = 64 * 1024;
    for seeds in 1..4 {
        let mut haves = vec![everything(); seeds + 1];
        haves[0] = nothing();
        let mut swarm = swarm_of(&haves);
        swarm.members[0].shared.download.set_rate(Some(rate), Time::ZERO);
        (1..=seeds).for_each(|to| swarm.connect(0, to));
        swarm.run(Time::from_secs(10), |_| false);
        let percent = swarm.members[0].torrent.fetching.down.total() * 100 / (10 * rate);
        assert!((97..=100).contains(&percent), "{seeds} seeds: {percent} %");
        assert!(swarm.run(Time::from_secs(13), |swarm| swarm.whole(0)), "{seeds} seeds: it stalls");
        let (now, member) = (swarm.now + Time::from_secs(1), &mut swarm.members[0]);
        let turn = &mut Turn { now, shared: &mut member.shared, actions: &mut Vec::new() };
        member.torrent.handle(Event::Timer, turn);
        let wake = member.torrent.next_wake(now, &member.shared);
        assert!(wake.is_none_or(|wake| wake > now), "a complete torrent waits for no tokens");
    }
}

#[test]
fn requests_in_vain_do_not_count_against_the_limit() {
    let mut swarm = swarm_of(&[nothing(), everything()]);
    swarm.members[0].shared.download.set_rate(Some(64 * 1024), Time::ZERO);
    swarm.members[1].mute = true;
    swarm.connect(0, 1);
    assert!(swarm.run(Time::from_secs(2), |swarm| !swarm.members[0].torrent.peers[&key_of(1)].asked.is_empty()));
    let (block, now) = (swarm.members[0].torrent.peers[&key_of(1)].asked[0], swarm.now);
    assert!(!swarm.members[0].shared.download.is_ready(now));
    swarm.happen(0, Event::Peer(key_of(1), PeerEvent::Message(Message::Reject(block))));
    assert!(
        swarm.members[0].shared.download.is_ready(now),
        "the next request must not wait for a block that never came"
    );
}

#[test]
fn a_torrent_without_progress_is_given_up_in_time() {
    let mut swarm = swarm_of(&[nothing(), everything()]);
    Arc::make_mut(&mut swarm.members[0].torrent.settings).stop_timeout = Some(Time::from_secs(60));
    swarm.connect(0, 1);
    swarm.run(Time::from_secs(1), |swarm| swarm.members[0].torrent.fetching.down.total() > 200_000);
    swarm.members[1].mute = true;
    let last = swarm.now;
    swarm.run(last + Time::from_secs(59), |_| false);
    assert_eq!(swarm.members[0].torrent.standing, Standing::Downloading);
    swarm.run(last + Time::from_secs(62), |_| false);
    assert_eq!(swarm.members[0].torrent.standing, given_up());
}

/// A pause that the person wanted and a check that is going on do not count as lack of progress.
#[test]
fn a_pause_and_a_check_take_as_long_as_they_take() {
    let settings = Settings { stop_timeout: Some(Time::from_secs(60)), ..Settings::default() };
    let mut stage = Stage::of(Bitfield::new(8), settings);
    stage.happen(Event::Paused(true));
    stage.pass(Time::from_secs(3600));
    stage.happen(Event::Paused(false));
    stage.pass(Time::from_secs(59));
    stage.happen(Event::Disk(DiskEvent::Doubted { text: "changed".into() }));
    stage.pass(Time::from_secs(3600));
    stage.happen(Event::Disk(DiskEvent::CheckedAgain { have: Bitfield::new(8) }));
    stage.pass(Time::from_secs(59));
    assert_eq!(stage.torrent.standing, Standing::Downloading);
    stage.pass(Time::from_secs(1));
    assert_eq!(stage.torrent.standing, given_up());
}

#[test]
fn a_limit_of_nothing_lets_nothing_pass_and_wakes_nobody_until_it_is_lifted() {
    for downloads in [true, false] {
        let mut swarm = swarm_of(&[nothing(), everything()]);
        match downloads {
            true => swarm.members[0].shared.download.set_rate(Some(0), Time::ZERO),
            false => swarm.members[1].torrent.giving.limit.set_rate(Some(0), Time::ZERO),
        }
        swarm.connect(0, 1);
        swarm.run(Time::from_secs(60), |_| false);
        assert_eq!(swarm.members[0].torrent.fetching.down.total(), 0);
        for member in &swarm.members {
            let wake = member.torrent.next_wake(swarm.now, &member.shared);
            assert!(wake.is_none_or(|wake| wake < Time::from_secs(3600)), "{wake:?}");
        }
        let status = swarm.members[0].torrent.status(swarm.now);
        assert_eq!((status.askable, status.asked, status.limited), (1, u32::from(!downloads), downloads));
        let now = swarm.now;
        swarm.members[0].shared.download.set_rate(None, now);
        swarm.members[1].torrent.giving.limit.set_rate(None, now);
        (0..2).for_each(|number| swarm.happen(number, Event::Timer));
        assert!(swarm.run(now + Time::from_secs(60), |swarm| swarm.whole(0)), "it stalls");
    }
}

#[test]
fn limits_of_one_torrent_hold_at_once_and_are_lifted_at_once() {
    let mut swarm = swarm_of(&[nothing(), everything()]);
    let rate = 64 * 1024;
    let limits = RateLimits { download: Some(rate), upload: None };
    swarm.happen(0, Event::Terms(Term::Limits(limits)));
    swarm.connect(0, 1);
    swarm.run(Time::from_secs(5), |_| false);
    let came = |swarm: &Swarm| swarm.members[0].torrent.fetching.down.total();
    let percent = came(&swarm) * 100 / (5 * rate);
    assert!((95..=100).contains(&percent), "{percent} %");

    // The limit of all together is lower; it holds only if the torrent shares it.
    swarm.members[0].shared.download.set_rate(Some(0), Time::from_secs(5));
    let before = came(&swarm);
    swarm.run(Time::from_secs(10), |_| false);
    assert!(came(&swarm) - before <= u64::from(BLOCK_BYTES) * 2);
    // Nothing was due in these seconds.
    swarm.now = Time::from_secs(10);
    swarm.happen(0, Event::Terms(Term::SharesLimits(false)));
    let before = came(&swarm);
    swarm.run(Time::from_secs(15), |_| false);
    let percent = (came(&swarm) - before) * 100 / (5 * rate);
    // What a quarter of a second allows may be saved up.
    assert!((90..=106).contains(&percent), "{percent} %");
    swarm.happen(0, Event::Terms(Term::Limits(RateLimits::default())));
    assert!(swarm.run(Time::from_secs(17), |swarm| swarm.whole(0)), "it is lifted");
}
