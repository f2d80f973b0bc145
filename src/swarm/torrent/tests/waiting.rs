//! A torrent whose disk fails, in virtual time.

use super::*;
use crate::swarm::standing::DiskTrouble;
use std::sync::Arc;

fn trouble(text: &str) -> DiskTrouble {
    DiskTrouble { text: text.into(), short_bytes: 5 }
}

/// A leecher and a seed, some pieces under way; the seed goes mute.
fn under_way() -> (Swarm, BlockSpec) {
    let mut swarm = swarm_of(&[nothing(), everything()]);
    swarm.connect(0, 1);
    assert!(swarm.run(Time::from_secs(9), |swarm| swarm.members[0].torrent.picker.have().count() > 3));
    swarm.members[1].mute = true;
    let block = swarm.members[0].torrent.peers[&key_of(1)].asked[0];
    (swarm, block)
}

/// What member 0 decides when something happens to it.
fn decides(swarm: &mut Swarm, event: Event) -> Vec<Action> {
    swarm.decide(0, event)
}

fn count(actions: &[Action], is: impl Fn(&Action) -> bool) -> usize {
    actions.iter().filter(|action| is(action)).count()
}

fn is_probe(action: &Action) -> bool {
    matches!(action, Action::Disk(DiskOrder::Probe { .. }))
}

#[test]
fn when_the_disk_is_full_requests_are_withdrawn_and_sent_again_when_it_works() {
    let (mut swarm, block) = under_way();
    let asked = swarm.members[0].torrent.peers[&key_of(1)].asked.len();
    let actions = decides(&mut swarm, Event::Disk(DiskEvent::Trouble { block: Some(block), trouble: trouble("full") }));
    assert_eq!(count(&actions, |action| matches!(action, Action::News(News::Waiting { .. }))), 1);
    assert!(
        count(&actions, |action| matches!(action, Action::Disk(DiskOrder::Restart { piece }) if *piece == block.piece))
            == 1
    );
    let is_request = |action: &Action| matches!(action, Action::Peer(_, PeerOrder::Message(Message::Request(_))));
    let cancelled = count(&actions, |action| matches!(action, Action::Peer(_, PeerOrder::Message(Message::Cancel(_)))));
    assert_eq!(cancelled, asked + count(&actions, is_request), "all that was asked for, a moment ago too");
    let torrent = &swarm.members[0].torrent;
    assert_eq!(torrent.standing, Standing::WaitingForDisk(Box::new(trouble("full"))));
    assert!(torrent.peers[&key_of(1)].asked.is_empty() && torrent.peers.len() == 1, "the peers stay");
    assert_eq!(swarm.members[0].shared.budget.free(), 1 << 20, "what is not asked for needs no memory");
    // What was on its way is not written, and others that fail say nothing new.
    let data = vec![0; block.length as usize];
    let late = Event::Peer(key_of(1), PeerEvent::Block { piece: block.piece, begin: block.begin, data });
    assert_eq!(count(&decides(&mut swarm, late), |action| matches!(action, Action::Disk(DiskOrder::Write { .. }))), 0);
    let other = Event::Disk(DiskEvent::Trouble { block: None, trouble: trouble("other") });
    assert_eq!(count(&decides(&mut swarm, other), |action| matches!(action, Action::News(News::Waiting { .. }))), 0);

    swarm.members[1].mute = false;
    let actions = decides(&mut swarm, Event::Disk(DiskEvent::Healed { doubtful: false }));
    assert_eq!(count(&actions, |action| matches!(action, Action::News(News::Resumed))), 1);
    assert!(count(&actions, is_request) > 0);
    actions.into_iter().for_each(|action| swarm.carry_out(0, action));
    assert!(swarm.run(swarm.now + Time::from_secs(9), |swarm| swarm.whole(0)), "it does not go on");
    swarm.run(swarm.now + Time::from_secs(1), |_| false);
    assert_eq!(swarm.members[0].shared.budget.free(), 1 << 20);
}

#[test]
fn the_disk_is_probed_again_after_longer_and_longer_pauses() {
    let (mut swarm, block) = under_way();
    decides(&mut swarm, Event::Disk(DiskEvent::Trouble { block: Some(block), trouble: trouble("full") }));
    for (pause, short_bytes) in [5, 10, 20, 40, 60, 60].into_iter().zip(6..) {
        swarm.now += Time::from_secs(pause) - Time::from_millis(1);
        assert_eq!(count(&decides(&mut swarm, Event::Timer), is_probe), 0, "before {pause} s");
        swarm.now += Time::from_millis(1);
        let due = swarm.members[0].torrent.next_wake(Time::ZERO, &swarm.members[0].shared);
        assert!(due.is_some_and(|due| due <= swarm.now));
        let actions = decides(&mut swarm, Event::Timer);
        let tried = |action: &Action| matches!(action, Action::Disk(DiskOrder::Probe { block: Some(tried), .. }) if *tried == block);
        assert_eq!(count(&actions, tried), 1, "after {pause} s");
        assert_eq!(count(&decides(&mut swarm, Event::Timer), is_probe), 0, "while it is being tried");
        let trouble = DiskTrouble { short_bytes, ..trouble("full") };
        let actions = decides(&mut swarm, Event::Disk(DiskEvent::Trouble { block: Some(block), trouble }));
        assert_eq!(count(&actions, |action| matches!(action, Action::News(News::Waiting { .. }))), 1, "new figures");
    }
}

/// A piece that failed may be verified before the disk is tried: nothing is written over it.
#[test]
fn a_probe_does_not_write_over_a_piece_that_we_have() {
    let (mut swarm, block) = under_way();
    decides(&mut swarm, Event::Disk(DiskEvent::Trouble { block: Some(block), trouble: trouble("full") }));
    decides(&mut swarm, Event::Disk(DiskEvent::Checked { piece: block.piece, good: true }));
    swarm.now += Time::from_secs(5);
    let actions = decides(&mut swarm, Event::Timer);
    assert_eq!(
        count(&actions, |action| matches!(action, Action::Disk(DiskOrder::Probe { block: None, .. }))),
        1,
        "{actions:?}"
    );
}

#[test]
fn a_disk_that_fails_again_at_once_is_given_more_time() {
    let (mut swarm, block) = under_way();
    for pause in [5, 10, 20, 40, 60, 60] {
        decides(&mut swarm, Event::Disk(DiskEvent::Trouble { block: Some(block), trouble: trouble("full") }));
        assert_eq!(swarm.members[0].torrent.probe_at(), Some(swarm.now + Time::from_secs(pause)));
        swarm.now += Time::from_secs(pause);
        assert_eq!(count(&decides(&mut swarm, Event::Timer), is_probe), 1);
        decides(&mut swarm, Event::Disk(DiskEvent::Healed { doubtful: false }));
    }
    swarm.now += Time::from_secs(60);
    decides(&mut swarm, Event::Disk(DiskEvent::Trouble { block: Some(block), trouble: trouble("full") }));
    assert_eq!(swarm.members[0].torrent.probe_at(), Some(swarm.now + Time::from_secs(5)));
}

#[test]
fn content_in_doubt_is_not_offered_until_it_is_checked() {
    let mut swarm = swarm_of(&[everything(), nothing(), everything()]);
    swarm.connect(1, 0);
    swarm.connect(0, 2);
    swarm.run(Time::from_millis(100), |_| false);
    let actions = decides(&mut swarm, Event::Disk(DiskEvent::Doubted { text: "changed".into() }));
    assert_eq!(count(&actions, |action| matches!(action, Action::Disk(DiskOrder::CheckAgain))), 1);
    assert!(swarm.members[0].torrent.peers.is_empty(), "they were told what may not be true");
    assert_eq!(count(&decides(&mut swarm, Event::Disk(DiskEvent::Doubted { text: "again".into() })), |_| true), 0);
    swarm.connect(1, 0);
    assert_eq!(swarm.members[0].closed.last(), Some(&(1, "what we have is being checked again")));
    let mut have = everything();
    have.clear(7);
    decides(&mut swarm, Event::Disk(DiskEvent::CheckedAgain { have }));
    let torrent = &swarm.members[0].torrent;
    assert_eq!((&torrent.standing, torrent.picker.lacked_bytes()), (&Standing::Downloading, PIECE as u64));
    // The piece comes from a seed, and trackers do not hear twice that it is complete.
    swarm.connect(0, 2);
    assert!(swarm.run(swarm.now + Time::from_secs(9), |swarm| swarm.whole(0)));
    assert!(swarm.members[0].torrent.meeting.completed_announced);
}

#[test]
fn a_disk_that_was_away_is_checked_and_one_that_cannot_be_is_waited_for() {
    let (mut swarm, block) = under_way();
    decides(&mut swarm, Event::Disk(DiskEvent::Trouble { block: Some(block), trouble: trouble("away") }));
    let is_check = |action: &Action| matches!(action, Action::Disk(DiskOrder::CheckAgain));
    assert_eq!(count(&decides(&mut swarm, Event::Disk(DiskEvent::Healed { doubtful: true })), is_check), 1);
    decides(&mut swarm, Event::Disk(DiskEvent::Trouble { block: None, trouble: trouble("away") }));
    swarm.now += Time::from_secs(60);
    assert_eq!(count(&decides(&mut swarm, Event::Timer), is_probe), 1);
    assert_eq!(count(&decides(&mut swarm, Event::Disk(DiskEvent::Healed { doubtful: false })), is_check), 1);
    // A piece that was being verified when the disk went away counts for nothing.
    decides(&mut swarm, Event::Disk(DiskEvent::Checked { piece: block.piece, good: true }));
    decides(&mut swarm, Event::Disk(DiskEvent::CheckedAgain { have: nothing() }));
    let torrent = &swarm.members[0].torrent;
    assert_eq!((&torrent.standing, torrent.picker.lacked_bytes()), (&Standing::Downloading, swarm.metainfo.length));
    assert!(torrent.picker.have().is_empty());
}

#[test]
fn a_torrent_that_is_whole_after_a_check_is_reported_complete_once() {
    let (mut swarm, block) = under_way();
    decides(&mut swarm, Event::Disk(DiskEvent::Trouble { block: Some(block), trouble: trouble("away") }));
    decides(&mut swarm, Event::Disk(DiskEvent::Healed { doubtful: true }));
    let is_complete = |action: &Action| matches!(action, Action::News(News::Complete));
    assert_eq!(
        count(&decides(&mut swarm, Event::Disk(DiskEvent::CheckedAgain { have: everything() })), is_complete),
        1
    );
    assert!(swarm.members[0].torrent.is_seeding());
    decides(&mut swarm, Event::Disk(DiskEvent::Doubted { text: "changed".into() }));
    assert_eq!(
        count(&decides(&mut swarm, Event::Disk(DiskEvent::CheckedAgain { have: everything() })), is_complete),
        0
    );
}

#[test]
fn writes_that_began_before_a_check_do_not_start_another() {
    let (mut swarm, block) = under_way();
    let is_check = |action: &Action| matches!(action, Action::Disk(DiskOrder::CheckAgain));
    decides(&mut swarm, Event::Disk(DiskEvent::Trouble { block: Some(block), trouble: trouble("full") }));
    swarm.now += Time::from_secs(60);
    assert_eq!(count(&decides(&mut swarm, Event::Timer), is_probe), 1);
    // While the disk is being tried nothing is checked, and after that it is.
    assert_eq!(count(&decides(&mut swarm, Event::Disk(DiskEvent::Doubted { text: "changed".into() })), is_check), 0);
    assert_eq!(count(&decides(&mut swarm, Event::Disk(DiskEvent::Healed { doubtful: false })), is_check), 1);
    // What failed before is of no matter now.
    decides(&mut swarm, Event::Disk(DiskEvent::Trouble { block: Some(block), trouble: trouble("full") }));
    swarm.now += Time::from_secs(60);
    assert_eq!(count(&decides(&mut swarm, Event::Timer), is_probe), 0);
    assert_eq!(count(&decides(&mut swarm, Event::Disk(DiskEvent::Healed { doubtful: false })), is_check), 0);
    decides(&mut swarm, Event::Disk(DiskEvent::CheckedAgain { have: nothing() }));
    assert!(swarm.members[0].torrent.is_downloading());
}

#[test]
fn a_seed_that_waits_for_its_disk_is_not_given_up() {
    let mut swarm = swarm_of(&[everything()]);
    Arc::make_mut(&mut swarm.members[0].torrent.settings).stop_timeout = Some(Time::from_secs(10));
    swarm.now = Time::from_secs(1000);
    let gives_up = |action: &Action| matches!(action, Action::News(News::Failed { .. }));
    decides(&mut swarm, Event::Disk(DiskEvent::Doubted { text: "changed".into() }));
    assert_eq!(count(&decides(&mut swarm, Event::Timer), gives_up), 0);
    let mut have = everything();
    have.clear(7);
    decides(&mut swarm, Event::Disk(DiskEvent::CheckedAgain { have }));
    assert_eq!(count(&decides(&mut swarm, Event::Timer), gives_up), 0);
    swarm.now += Time::from_secs(10);
    assert_eq!(count(&decides(&mut swarm, Event::Timer), gives_up), 1);
}

/// A person who set a time wants an end: a disk that stays full is no excuse, and the reason is told.
#[test]
fn a_download_that_waits_too_long_for_its_disk_is_given_up() {
    let (mut swarm, block) = under_way();
    Arc::make_mut(&mut swarm.members[0].torrent.settings).stop_timeout = Some(Time::from_secs(100));
    let progressed = swarm.members[0].torrent.fetching.progressed;
    decides(&mut swarm, Event::Disk(DiskEvent::Trouble { block: Some(block), trouble: trouble("full") }));
    let mut seconds = 0;
    let given_up = loop {
        swarm.now += Time::from_secs(1);
        seconds += 1;
        assert!(seconds <= 100, "it waits for ever");
        for action in decides(&mut swarm, Event::Timer) {
            if is_probe(&action) {
                decides(&mut swarm, Event::Disk(DiskEvent::Trouble { block: Some(block), trouble: trouble("full") }));
            }
            if let Action::News(News::Failed { problem, status }) = action {
                assert_eq!(status.standing, Standing::WaitingForDisk(Box::new(trouble("full"))));
                assert_eq!((problem.text.as_str(), status.peers), ("given up, no progress for 100 s", 1));
            }
        }
        if swarm.members[0].torrent.has_failed() {
            break swarm.now;
        }
    };
    assert!(given_up >= progressed + Time::from_secs(100));
}

#[test]
fn a_piece_that_cannot_be_read_is_fetched_again_and_not_offered() {
    let mut swarm = swarm_of(&[everything(), nothing(), everything()]);
    swarm.connect(1, 0);
    swarm.run(Time::from_millis(100), |_| false);
    swarm.happen(0, Event::Disk(DiskEvent::Unreadable { piece: 3 }));
    swarm.happen(0, Event::Disk(DiskEvent::Unreadable { piece: 3 }));
    let torrent = &swarm.members[0].torrent;
    assert_eq!((&torrent.standing, torrent.picker.lacked_bytes()), (&Standing::Downloading, PIECE as u64));
    let block = BlockSpec { piece: 3, begin: 0, length: BLOCK_BYTES };
    swarm.happen(0, Event::Peer(key_of(1), PeerEvent::Message(Message::Request(block))));
    assert_eq!(swarm.members[1].heard.iter().filter(|(_, said)| *said == Message::Reject(block)).count(), 1);
    swarm.connect(0, 2);
    assert!(swarm.run(Time::from_secs(60), |swarm| swarm.whole(0) && swarm.whole(1)));
}

/// Whatever happens in whatever order, the disk is tried by one at a time, and never while its content is checked: what
/// a try writes would come between, and a check that is over would be one of the past.
#[test]
fn the_disk_is_never_probed_during_a_check_nor_twice_at_once() {
    let (mut tried, mut checked) = (0, 0);
    for seed in 0..20 {
        let (mut swarm, block) = under_way();
        let mut rng = Rng::new(seed);
        // What the engine knows: a try or a check is on its way, and nothing is written, so nothing fails.
        let (mut probing, mut checking, mut in_trouble) = (false, false, false);
        for _ in 0..600 {
            let doubtful = rng.below(3) == 0;
            let event = match rng.below(8) {
                0 if !in_trouble => {
                    in_trouble = true;
                    Event::Disk(DiskEvent::Trouble { block: Some(block), trouble: trouble("full") })
                }
                1 => Event::Disk(DiskEvent::Doubted { text: "changed".into() }),
                2 | 3 if probing => {
                    probing = false;
                    in_trouble = doubtful;
                    Event::Disk(DiskEvent::Healed { doubtful })
                }
                4 if probing => {
                    probing = false;
                    Event::Disk(DiskEvent::Trouble { block: Some(block), trouble: trouble("still full") })
                }
                5 if checking => {
                    (checking, in_trouble) = (false, false);
                    Event::Disk(DiskEvent::CheckedAgain { have: nothing() })
                }
                6 if checking => {
                    checking = false;
                    Event::Disk(DiskEvent::Trouble { block: None, trouble: trouble("away") })
                }
                _ => {
                    swarm.now += Time::from_secs(rng.below(90) as u64);
                    Event::Timer
                }
            };
            for action in decides(&mut swarm, event) {
                match action {
                    Action::Disk(DiskOrder::Probe { .. }) => {
                        assert!(!probing && !checking, "tried while probing: {probing}, checking: {checking}");
                        (probing, tried) = (true, tried + 1);
                    }
                    Action::Disk(DiskOrder::CheckAgain) => {
                        assert!(!probing && !checking, "checked while probing: {probing}, checking: {checking}");
                        (checking, in_trouble, checked) = (true, true, checked + 1);
                    }
                    _ => {}
                }
            }
        }
    }
    assert!(tried > 500 && checked > 500, "{tried} tries, {checked} checks");
}
