use super::super::AnnounceFailure;
use super::super::tests::{ask, failure, reply, secs, template, tiers};
use super::*;
use crate::base::rng::Rng;
use crate::swarm::meeting::announcer::Ask;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const STARTED: Option<AnnounceEvent> = Some(AnnounceEvent::Started);
const STOPPED: Option<AnnounceEvent> = Some(AnnounceEvent::Stopped);

fn announcer(urls: &[&[&str]]) -> Announcer {
    Announcer::new(&tiers(urls), Time::ZERO, &mut Rng::new(1))
}

fn change(announcer: &mut Announcer, urls: &[&[&str]], now: Time) {
    announcer.change(&tiers(urls), now, &mut Rng::new(2));
}

#[test]
fn a_tracker_that_stays_keeps_its_state_and_a_new_one_is_asked_at_once() {
    let mut announcer = announcer(&[&["a"], &["b"]]);
    assert_eq!(ask(&mut announcer, secs(0), &reply(1000)).len(), 2);
    change(&mut announcer, &[&["c"], &["b"], &["a"]], secs(10));
    assert_eq!(ask(&mut announcer, secs(10), &reply(1000)), [("c".into(), STARTED)]);
    assert_eq!(ask(&mut announcer, secs(999), &reply(1000)), []);
    assert_eq!(ask(&mut announcer, secs(1000), &reply(1000)), [("b".into(), None), ("a".into(), None)]);
    assert!(announcer.trackers.iter().all(|tracker| tracker.knows_us));
}

#[test]
fn a_new_tracker_of_a_tier_is_asked_first_and_the_one_that_works_if_that_fails() {
    let mut announcer = announcer(&[&["a"]]);
    ask(&mut announcer, secs(0), &reply(1000));
    change(&mut announcer, &[&["a", "b"]], secs(10));
    assert_eq!(ask(&mut announcer, secs(10), &failure(None)), [("b".into(), STARTED)]);
    assert_eq!(ask(&mut announcer, secs(10), &reply(1000)), [("a".into(), None)]);
    assert_eq!(ask(&mut announcer, secs(500), &reply(1000)), []);
}

#[test]
fn a_removed_tracker_is_told_only_if_it_knows_us() {
    let mut announcer = announcer(&[&["a"], &["b"]]);
    for announcement in announcer.due(secs(0), false, &template()) {
        let outcome = if &*announcement.url == "a" { reply(1000) } else { failure(None) };
        announcer.answered(&announcement, &outcome, secs(0));
    }
    change(&mut announcer, &[], secs(10));
    assert!(announcer.has_something_to_say(secs(10), false));
    assert_eq!(ask(&mut announcer, secs(10), &reply(1000)), [("a".into(), STOPPED)]);
    assert!(!announcer.has_something_to_say(secs(9999), true));
    assert_eq!((announcer.next_due(true), announcer.is_announcing()), (None, false));
}

#[test]
fn a_tracker_that_is_removed_while_it_is_asked_is_told_after_its_answer() {
    for (outcome, told) in [(reply(1000), true), (failure(None), false)] {
        let mut announcer = announcer(&[&["a"]]);
        let started = announcer.due(secs(0), false, &template());
        change(&mut announcer, &[&["b"]], secs(1));
        assert_eq!(ask(&mut announcer, secs(1), &reply(1000)), [("b".into(), STARTED)]);
        assert!(announcer.is_announcing());
        announcer.answered(&started[0], &outcome, secs(2));
        assert!(!announcer.is_announcing());
        let said = ask(&mut announcer, secs(2), &reply(1000));
        assert_eq!(said, if told { vec![("a".to_string(), STOPPED)] } else { Vec::new() });
    }
}

#[test]
fn a_tracker_that_comes_back_before_it_answered_is_not_told_to_forget_us() {
    let mut announcer = announcer(&[&["a"]]);
    let started = announcer.due(secs(0), false, &template());
    change(&mut announcer, &[&["b"]], secs(1));
    change(&mut announcer, &[&["b", "a"]], secs(1));
    announcer.answered(&started[0], &reply(1000), secs(2));
    assert!(announcer.trackers.iter().any(|tracker| &*tracker.url == "a" && tracker.knows_us));
    assert!(!announcer.has_to_take_leave());
}

#[test]
fn what_is_owed_to_a_removed_tracker_is_paid_when_the_torrent_ends() {
    let mut announcer = announcer(&[&["a"], &["b"]]);
    ask(&mut announcer, secs(0), &reply(1000));
    change(&mut announcer, &[&["a"]], secs(10));
    announcer.stopping = true;
    let mut told = ask(&mut announcer, secs(10), &reply(1000));
    told.sort();
    assert_eq!(told, [("a".into(), STOPPED), ("b".into(), STOPPED)]);
}

proptest! {
    /// Whatever is changed and whatever the trackers answer, each tracker hears `started` before all else and `stopped`
    /// once, after its last answer; nothing is due for ever; and the trackers are those of the last change.
    #[test]
    fn every_tracker_that_lists_us_is_told_when_we_leave_it(
        steps in proptest::collection::vec((0u8..4, proptest::collection::vec((0usize..5, any::<bool>()), 0..6)), 1..40),
    ) {
        const URLS: [&str; 5] = ["a", "b", "c", "d", "e"];
        let (mut announcer, mut rng) = (announcer(&[&["a", "b"]]), Rng::new(7));
        let (mut now, mut flying, mut lists) = (Time::ZERO, Vec::new(), BTreeMap::new());
        let mut end = vec![(2, Vec::new()), (3, vec![(0, true); 5]), (3, vec![(0, true); 5])];
        // The last steps: no tracker is left, and all that is under way is answered.
        end.extend(vec![(3, vec![(0, true); 5]); 40]);
        for (step, list) in steps.into_iter().chain(end) {
            match step {
                0 => now += secs(600),
                1 | 2 => {
                    let mut tiers: Vec<Vec<Arc<str>>> = vec![Vec::new()];
                    for (url, is_new_tier) in list {
                        if is_new_tier { tiers.push(Vec::new()) }
                        tiers.last_mut().unwrap().push(URLS[url].into());
                    }
                    announcer.change(&tiers, now, &mut rng);
                    let urls: BTreeSet<&Arc<str>> = tiers.iter().flatten().collect();
                    prop_assert_eq!(announcer.trackers.iter().map(|tracker| &tracker.url).collect::<BTreeSet<_>>(), urls);
                }
                _ => for (at, works) in list {
                    if flying.is_empty() { continue }
                    let announcement: Announcement = flying.remove(at % flying.len());
                    let Ask::Announce(request) = &announcement.ask else { continue };
                    if works && request.event != STOPPED {
                        *lists.entry(announcement.url.clone()).or_insert(0) = 1;
                    }
                    let outcome = if works { reply(1000) } else { Err(AnnounceFailure::unanswered("no")) };
                    announcer.answered(&announcement, &outcome, now);
                }
            }
            for round in 0.. {
                if !announcer.has_something_to_say(now, true) { break }
                prop_assert!(round < 20, "it is due for ever");
                for announcement in announcer.due(now, true, &template()) {
                    let Ask::Announce(request) = &announcement.ask else { continue };
                    if request.event == STOPPED {
                        prop_assert_eq!(lists.insert(announcement.url.clone(), 0), Some(1));
                    }
                    flying.push(announcement);
                }
            }
        }
        prop_assert!(lists.values().all(|listed| *listed == 0), "some still list us: {:?}", lists);
        prop_assert!(!announcer.is_announcing());
    }
}
