use super::tier::MOST_RETRY;
use super::*;
use crate::proto::id::{InfoHash, PeerId};

pub(super) fn template() -> AnnounceRequest {
    AnnounceRequest { left: 5, ..AnnounceRequest::new(InfoHash([1; 20]), PeerId([2; 20]), 6881) }
}

pub(super) fn secs(seconds: u64) -> Time {
    Time::from_secs(seconds)
}

pub(super) fn tiers(tiers: &[&[&str]]) -> Vec<Vec<Arc<str>>> {
    tiers.iter().map(|urls| urls.iter().map(|url| (*url).into()).collect()).collect()
}

pub(super) fn reply(interval: u64) -> Outcome {
    let some = Some(0);
    let reply = AnnounceReply { interval: Some(interval), ..AnnounceReply::default() };
    Ok(AnnounceReply { seeds: some, leechers: some, downloaded: some, ..reply })
}

pub(super) fn failure(retry_in: Option<RetryIn>) -> Outcome {
    Err(AnnounceFailure { reason: "no".into(), refused: retry_in.is_some(), retry_in })
}

/// Makes the announces that are due and takes `outcome` for each; returns their URLs and events.
pub(super) fn ask(announcer: &mut Announcer, now: Time, outcome: &Outcome) -> Vec<(String, Option<AnnounceEvent>)> {
    let made = announcer.due(now, false, &template());
    made.iter().for_each(|announcement| announcer.answered(announcement, outcome, now));
    let event = |announcement: &Announcement| match &announcement.ask {
        Ask::Announce(request) => request.event,
        Ask::Scrape(_) => panic!("a scrape"),
    };
    made.into_iter().map(|announcement| (announcement.url.to_string(), event(&announcement))).collect()
}

#[test]
fn started_then_nothing_then_completed_once_then_stopped() {
    let mut announcer = Announcer::new(&tiers(&[&["a"]]), Time::ZERO, &mut Rng::new(1));
    assert_eq!(ask(&mut announcer, secs(0), &reply(100)), [("a".into(), Some(AnnounceEvent::Started))]);
    assert_eq!(ask(&mut announcer, secs(99), &reply(100)), []);
    assert_eq!(ask(&mut announcer, secs(100), &reply(100)), [("a".into(), None)]);
    announcer.complete(secs(120));
    assert_eq!(ask(&mut announcer, secs(120), &reply(100)), [("a".into(), Some(AnnounceEvent::Completed))]);
    assert_eq!(ask(&mut announcer, secs(220), &reply(100)), [("a".into(), None)]);
    announcer.stopping = true;
    assert_eq!(announcer.next_due(true), None);
    let stopped = announcer.due(secs(221), false, &template());
    let [Announcement { ask: Ask::Announce(last), .. }] = &stopped[..] else { panic!("{stopped:?}") };
    assert_eq!((last.event, last.numwant), (Some(AnnounceEvent::Stopped), Some(0)));
    assert!(announcer.due(secs(999), true, &template()).is_empty());
}

#[test]
fn the_final_announce_waits_for_the_answer_that_is_under_way() {
    let mut announcer = Announcer::new(&tiers(&[&["a"]]), Time::ZERO, &mut Rng::new(1));
    ask(&mut announcer, secs(0), &reply(100));
    announcer.complete(secs(1));
    let completed = announcer.due(secs(1), false, &template());
    announcer.stopping = true;
    assert!(announcer.due(secs(1), false, &template()).is_empty());
    announcer.answered(&completed[0], &reply(100), secs(2));
    assert_eq!(ask(&mut announcer, secs(2), &reply(100)), [("a".into(), Some(AnnounceEvent::Stopped))]);
}

#[test]
fn a_tracker_that_was_down_hears_started_before_completed() {
    let mut announcer = Announcer::new(&tiers(&[&["a"]]), Time::ZERO, &mut Rng::new(1));
    ask(&mut announcer, secs(0), &failure(None));
    announcer.complete(secs(1));
    assert_eq!(ask(&mut announcer, secs(5), &reply(100)), [("a".into(), Some(AnnounceEvent::Started))]);
    assert_eq!(ask(&mut announcer, secs(5), &reply(100)), [("a".into(), Some(AnnounceEvent::Completed))]);
    assert_eq!(ask(&mut announcer, secs(6), &reply(100)), []);
}

#[test]
fn a_tier_is_tried_in_order_and_the_one_that_answers_goes_first() {
    let mut announcer = Announcer::new(&tiers(&[&["a", "b", "c"]]), Time::ZERO, &mut Rng::new(1));
    let mut order = Vec::new();
    for outcome in [failure(None), failure(None), reply(100)] {
        order.push(ask(&mut announcer, secs(0), &outcome).remove(0).0);
    }
    let mut sorted = order.clone();
    sorted.sort();
    assert_eq!(sorted, ["a", "b", "c"], "each once");
    let next = |announcer: &mut Announcer, now, outcome| ask(announcer, secs(now), &outcome).remove(0).0;
    assert_eq!(next(&mut announcer, 100, failure(None)), order[2], "the one that answered is first");
    assert_eq!(next(&mut announcer, 100, failure(None)), order[0], "then the others as they were");
}

#[test]
fn tiers_do_not_wait_for_each_other() {
    let mut announcer = Announcer::new(&tiers(&[&["a"], &[], &["b"]]), Time::ZERO, &mut Rng::new(1));
    let made = announcer.due(Time::ZERO, true, &template());
    assert_eq!(made.iter().map(|a| &*a.url).collect::<Vec<_>>(), ["a", "b"]);
    announcer.answered(&made[1], &reply(1000), secs(1));
    assert!(announcer.due(secs(100), true, &template()).is_empty(), "a is in flight, b rests");
}

#[test]
fn failures_back_off_and_an_answer_ends_that() {
    let mut announcer = Announcer::new(&tiers(&[&["a"]]), Time::ZERO, &mut Rng::new(1));
    let mut now = Time::ZERO;
    for wait in [5, 20, 45, 80] {
        ask(&mut announcer, now, &failure(None));
        assert_eq!(announcer.next_due(true), Some(now + secs(wait)));
        assert_eq!(announcer.trackers[0].problem.as_deref(), Some("no"));
        now += secs(wait);
    }
    for _ in 0..50 {
        ask(&mut announcer, now, &failure(None));
        now = announcer.next_due(false).unwrap();
    }
    let before = now;
    ask(&mut announcer, now, &failure(None));
    assert_eq!(announcer.next_due(false), Some(before + MOST_RETRY));
    ask(&mut announcer, before + MOST_RETRY, &reply(60));
    assert_eq!(announcer.trackers[0].problem, None);
}

#[test]
fn absurd_intervals_are_clamped() {
    for (said, meant) in [(0, 60), (1, 60), (1 << 40, 24 * 3600), (u64::MAX, 24 * 3600), (900, 900)] {
        let mut announcer = Announcer::new(&tiers(&[&["a"]]), Time::ZERO, &mut Rng::new(1));
        ask(&mut announcer, Time::ZERO, &reply(said));
        assert_eq!(announcer.next_due(false), Some(secs(meant)), "{said}");
    }
}

#[test]
fn too_few_peers_cause_an_early_announce_but_not_before_the_minimum() {
    let mut announcer = Announcer::new(&tiers(&[&["a"]]), Time::ZERO, &mut Rng::new(1));
    ask(&mut announcer, Time::ZERO, &reply(1800));
    assert_eq!((announcer.next_due(true), announcer.next_due(false)), (Some(secs(300)), Some(secs(1800))));
    let minimum = reply(1800).map(|reply| AnnounceReply { min_interval: Some(900), ..reply });
    ask(&mut announcer, secs(1800), &minimum);
    assert_eq!(announcer.next_due(true), Some(secs(2700)));
    let contradiction = reply(120).map(|reply| AnnounceReply { min_interval: Some(900), ..reply });
    ask(&mut announcer, secs(3600), &contradiction);
    assert_eq!(announcer.next_due(false), Some(secs(4500)));
}

#[test]
fn retry_in_is_respected() {
    let mut announcer = Announcer::new(&tiers(&[&["a"]]), Time::ZERO, &mut Rng::new(1));
    ask(&mut announcer, Time::ZERO, &failure(Some(RetryIn::Minutes(30))));
    assert_eq!((announcer.next_due(false), announcer.next_due(true)), (Some(secs(1800)), Some(secs(1800))));
    assert_eq!(announcer.shown(secs(300), true)[0].next_in, Some(secs(1500)));
    ask(&mut announcer, secs(1800), &failure(Some(RetryIn::Minutes(u64::MAX))));
    assert_eq!(announcer.next_due(false), Some(secs(1800) + MOST_INTERVAL));

    let mut announcer = Announcer::new(&tiers(&[&["a"]]), Time::ZERO, &mut Rng::new(1));
    ask(&mut announcer, Time::ZERO, &failure(Some(RetryIn::Never)));
    assert_eq!(ask(&mut announcer, secs(3000), &reply(100)), [], "never again");
}

/// The machine was asleep, or its clock was set: time jumps, but each tier is asked only once.
#[test]
fn a_clock_that_jumps_by_a_year_causes_no_storm() {
    let mut announcer = Announcer::new(&tiers(&[&["a"], &["b", "c"], &["d"]]), Time::ZERO, &mut Rng::new(1));
    ask(&mut announcer, Time::ZERO, &reply(1800));
    let later = secs(366 * 24 * 3600);
    assert_eq!(ask(&mut announcer, later, &reply(1800)).len(), 3, "each tier once");
    assert_eq!(ask(&mut announcer, later, &reply(1800)), []);
    assert_eq!(announcer.next_due(false), Some(later + secs(1800)));
    // Many failures in a row: the wait is limited, and so is the number of announces after the jump.
    ask(&mut announcer, later + secs(1800), &failure(None));
    let (now, mut asked) = (later + secs(366 * 24 * 3600), 0);
    while announcer.next_due(true).is_some_and(|due| due <= now) {
        asked += ask(&mut announcer, now, &failure(None)).len();
    }
    assert!(asked <= 4, "every tracker once, not {asked} times");
}

/// BEP 48. A scrape is no announce: nothing waits for it, and its failure is not shown.
#[test]
fn a_scrape_gets_the_counts_that_an_answer_leaves_out() {
    let mut announcer = Announcer::new(&tiers(&[&["udp://tracker.example:1"]]), Time::ZERO, &mut Rng::new(1));
    ask(&mut announcer, Time::ZERO, &reply(100));
    assert_eq!(announcer.next_due(false), Some(secs(100)), "nothing was left out");
    let counted = |tracker: &Tracker| (tracker.seeds, tracker.leechers, tracker.completed);
    let over_udp = reply(100).map(|reply| AnnounceReply { downloaded: None, seeds: Some(7), ..reply });
    ask(&mut announcer, secs(100), &over_udp);
    assert!(announcer.has_something_to_say(secs(100), false));
    let scrapes = announcer.due(secs(100), false, &template());
    assert!(scrapes.len() == 1 && scrapes[0].is_scrape(), "once: {scrapes:?}");
    assert!(announcer.due(secs(100), false, &template()).is_empty());
    // It fails: that is not shown, and the old counts stay.
    announcer.answered(&scrapes[0], &failure(None), secs(101));
    let tracker = &announcer.trackers[0];
    assert_eq!((counted(tracker), &tracker.problem), ((Some(7), Some(0), Some(0)), &None));
    assert_eq!(announcer.next_due(false), Some(secs(200)), "the next scrape follows the next announce");
    ask(&mut announcer, secs(200), &over_udp);
    let scrape = announcer.due(secs(200), false, &template()).remove(0);
    let told = AnnounceReply { seeds: Some(8), leechers: Some(2), downloaded: Some(40), ..AnnounceReply::default() };
    announcer.answered(&scrape, &Ok(told), secs(201));
    assert_eq!(counted(&announcer.trackers[0]), (Some(8), Some(2), Some(40)));
    // A tracker that knows no scrapes is not asked for one again.
    ask(&mut announcer, secs(300), &over_udp);
    let scrape = announcer.due(secs(300), false, &template()).remove(0);
    announcer.answered(&scrape, &failure(Some(RetryIn::Never)), secs(301));
    assert!(announcer.trackers[0].problem.is_none());
    ask(&mut announcer, secs(400), &over_udp);
    assert_eq!(announcer.next_due(false), Some(secs(500)));
    // After the final announce there is no scrape.
    let mut announcer = Announcer::new(&tiers(&[&["udp://10.0.0.1:1"]]), Time::ZERO, &mut Rng::new(1));
    ask(&mut announcer, Time::ZERO, &over_udp);
    announcer.stopping = true;
    assert!(announcer.due(secs(1), false, &template()).iter().all(|last| !last.is_scrape()));
}

/// The interval is over after 1800 s, and the one tracker wants no announce within 600 s.
#[test]
fn a_person_may_announce_at_any_time_that_the_tracker_allows() {
    let mut announcer =
        Announcer::new(&tiers(&[&["strict"], &["lenient"], &["refuses"]]), Time::ZERO, &mut Rng::new(1));
    let strict = AnnounceReply { min_interval: Some(600), ..reply(1800).unwrap() };
    let answer = |announcer: &mut Announcer, now: u64| -> Vec<String> {
        let made = announcer.due(secs(now), false, &template());
        for asked in &made {
            let outcome = match &*asked.url {
                "strict" => Ok(strict.clone()),
                "lenient" => reply(1800),
                _ => failure(Some(RetryIn::Never)),
            };
            announcer.answered(asked, &outcome, secs(now));
        }
        made.into_iter().map(|asked| asked.url.to_string()).collect()
    };
    let shown = |announcer: &Announcer, now: u64| -> Vec<(Option<u64>, bool)> {
        let shown = announcer.shown(secs(now), false).into_iter();
        shown.map(|it| (it.next_in.map(|time| time.as_secs()), it.held)).collect()
    };
    assert_eq!(answer(&mut announcer, 0), ["strict", "lenient", "refuses"]);
    assert_eq!(shown(&announcer, 10), [(Some(1790), false), (Some(1790), false), (None, false)]);
    announcer.announce_now(secs(10));
    assert!(shown(&announcer, 10)[1..] == [(Some(0), false); 2] && shown(&announcer, 10)[0] == (Some(590), true));
    assert_eq!(answer(&mut announcer, 10), ["lenient", "refuses"]);
    // The key is held down.
    (0..100).for_each(|_| announcer.announce_now(secs(11)));
    assert_eq!(answer(&mut announcer, 11), Vec::<String>::new());
    assert_eq!(answer(&mut announcer, 15), ["lenient", "refuses"]);
    assert_eq!(answer(&mut announcer, 600), ["strict"]);
    assert_eq!(shown(&announcer, 601)[0], (Some(1799), false));
    announcer.announce_now(secs(700));
    let asked = announcer.due(secs(700), false, &template());
    assert!(announcer.shown(secs(700), false)[1].asking && !announcer.shown(secs(700), false)[0].asking, "{asked:?}");
    // It is asked already, and an announce that is due is not put off.
    announcer.announce_now(secs(1199));
    assert_eq!(shown(&announcer, 1199)[0], (Some(1), false));
}

/// The network was away, or our port has changed. That is nothing to trackers that do not want us.
#[test]
fn an_outage_revives_no_tracker_that_refused() {
    let names = ["never", "unregistered", "down", "alive"];
    let mut announcer = Announcer::new(&names.map(|name| vec![name.into()]), Time::ZERO, &mut Rng::new(1));
    let answer = |announcer: &mut Announcer, now: u64| -> Vec<String> {
        let made = announcer.due(secs(now), false, &template());
        for asked in &made {
            let refused = |retry_in| Err(AnnounceFailure::refusal("not registered".into(), retry_in));
            let outcome = match &*asked.url {
                "never" => refused(Some(RetryIn::Never)),
                "unregistered" => refused(Some(RetryIn::Minutes(60))),
                "down" => failure(None),
                _ => reply(1800),
            };
            announcer.answered(asked, &outcome, secs(now));
        }
        made.into_iter().map(|asked| asked.url.to_string()).collect()
    };
    assert_eq!(answer(&mut announcer, 0), names);
    for now in [5, 10] {
        announcer.announce_again(secs(now));
        assert_eq!(answer(&mut announcer, now), ["down", "alive"]);
    }
    // It comes often, as if the network went and came all the time.
    (0..100).for_each(|_| announcer.announce_again(secs(11)));
    assert_eq!(answer(&mut announcer, 11), Vec::<String>::new());
    // A person may ask all of them.
    announcer.announce_now(secs(20));
    assert_eq!(answer(&mut announcer, 20), names);
}

/// The announce that is under way names the old port.
#[test]
fn a_new_port_is_announced_after_the_announce_that_is_under_way() {
    let mut announcer = Announcer::new(&tiers(&[&["a"]]), Time::ZERO, &mut Rng::new(1));
    let asked = announcer.due(secs(0), false, &template()).remove(0);
    announcer.announce_again(secs(1));
    announcer.answered(&asked, &reply(1800), secs(2));
    assert_eq!(announcer.next_due(false), Some(secs(7)));
    assert_eq!(ask(&mut announcer, secs(7), &reply(1800)).len(), 1);
    assert_eq!(announcer.next_due(false), Some(secs(1807)), "once");

    // It may also fail, because it left over the old network. What failed before that does not count, either.
    let mut announcer = Announcer::new(&tiers(&[&["a"]]), Time::ZERO, &mut Rng::new(1));
    (0..40).for_each(|hour| drop(ask(&mut announcer, secs(3600 * hour), &failure(None))));
    let asked = announcer.due(secs(200_000), false, &template()).remove(0);
    announcer.announce_again(secs(200_001));
    announcer.answered(&asked, &failure(None), secs(200_002));
    assert_eq!(announcer.next_due(false), Some(secs(200_007)));
    ask(&mut announcer, secs(200_007), &failure(None));
    assert_eq!(announcer.next_due(false), Some(secs(200_012)));
}

/// One tracker of the tier wants no announce for an hour, or refuses us without a word about the time; the other one is
/// down.
#[test]
fn a_tracker_of_a_mixed_tier_is_asked_when_it_wants_that() {
    for retry_in in [Some(RetryIn::Minutes(60)), None] {
        let mut announcer = Announcer::new(&tiers(&[&["refuses", "down"]]), Time::ZERO, &mut Rng::new(1));
        let answer = |announcer: &mut Announcer, now: u64| -> Vec<String> {
            let mut urls = Vec::new();
            while announcer.has_something_to_say(secs(now), true) {
                for asked in announcer.due(secs(now), true, &template()) {
                    let refusal = || Err(AnnounceFailure::refusal("closed".into(), retry_in));
                    let outcome = if &*asked.url == "refuses" { refusal() } else { failure(None) };
                    announcer.answered(&asked, &outcome, secs(now));
                    urls.push(asked.url.to_string());
                }
            }
            urls.sort();
            urls
        };
        let both = ["down", "refuses"];
        assert_eq!(answer(&mut announcer, 0), both);
        announcer.announce_again(secs(5));
        assert_eq!(answer(&mut announcer, 5), ["down"]);
        // Twenty seconds later the next round begins.
        assert_eq!(announcer.next_due(true), Some(secs(25)));
        let usual = if retry_in.is_some() { &both[..1] } else { &both };
        assert_eq!(answer(&mut announcer, 25), usual);
        assert_eq!(announcer.shown(secs(26), true).iter().filter(|shown| shown.next_in.is_some()).count(), 1);
        assert_eq!(answer(&mut announcer, 3600), both);
        // A person may ask all of them.
        announcer.announce_again(secs(3610));
        announcer.announce_now(secs(3610));
        assert_eq!(answer(&mut announcer, 3610), both);
    }
}

/// Only one tracker of a tier is asked.
#[test]
fn trackers_in_reserve_are_not_asked_and_a_warning_lasts_until_the_next_answer() {
    let mut announcer = Announcer::new(&tiers(&[&["a", "b"]]), Time::ZERO, &mut Rng::new(1));
    let asked = announcer.due(secs(0), false, &template()).remove(0);
    let asking: Vec<bool> = announcer.shown(secs(0), false).iter().map(|tracker| tracker.asking).collect();
    assert_eq!(asking.iter().filter(|asking| **asking).count(), 1);
    let warns = Ok(AnnounceReply { warning: Some("old client\r\n\0".into()), ..reply(100).unwrap() });
    announcer.answered(&asked, &warns, secs(0));
    let shown = announcer.shown(secs(1), false);
    let (same, others): (Vec<&Tracker>, Vec<&Tracker>) = shown.iter().partition(|one| one.url == asked.url);
    assert_eq!((same[0].warning.as_deref(), others[0].next_in), (Some("old client"), None));
    let asked = announcer.due(secs(100), false, &template()).remove(0);
    let says_nothing = Ok(AnnounceReply { warning: Some(" \0".into()), ..reply(100).unwrap() });
    announcer.answered(&asked, &says_nothing, secs(100));
    assert!(announcer.trackers.iter().all(|tracker| tracker.warning.is_none()));
}

#[test]
fn a_tracker_that_does_not_answer_delays_the_next_of_its_tier_by_seconds_only() {
    let mut rng = Rng::new(3);
    let mut announcer = Announcer::new(&tiers(&[&["dead-1", "dead-2", "alive"]]), Time::ZERO, &mut rng);
    // The order is by chance; the one that lives shall be the last.
    let order: Vec<Arc<str>> = announcer.tiers[0].order.iter().map(|at| announcer.trackers[*at].url.clone()).collect();
    let mut asked = Vec::new();
    for second in [0, 4, 5, 9, 10, 20] {
        asked.extend(announcer.due(secs(second), true, &template()).into_iter().map(|one| (second, one)));
    }
    let when: Vec<(u64, &str)> = asked.iter().map(|(second, one)| (*second, &*one.url)).collect();
    assert_eq!(when, [(0, &*order[0]), (5, &order[1]), (10, &order[2])]);
    // The last one answers. What the others say later changes nothing, and then the tier rests.
    announcer.answered(&asked[2].1, &reply(1800), secs(20));
    announcer.answered(&asked[0].1, &failure(Some(RetryIn::Minutes(600))), secs(30));
    announcer.answered(&asked[1].1, &failure(None), secs(45));
    assert!(!announcer.is_announcing());
    assert_eq!(announcer.next_due(false), Some(secs(1820)));
    let again = announcer.due(secs(1820), false, &template());
    assert_eq!(again.iter().map(|one| &*one.url).collect::<Vec<_>>(), [&*order[2]]);
}

#[test]
fn a_torrent_with_enough_peers_waits_for_each_tracker() {
    let mut announcer = Announcer::new(&tiers(&[&["a", "b"]]), Time::ZERO, &mut Rng::new(1));
    let first = announcer.due(secs(0), false, &template());
    assert!(first.len() == 1 && announcer.next_due(false).is_none());
    assert!(announcer.due(secs(25), false, &template()).is_empty());
    announcer.answered(&first[0], &failure(None), secs(30));
    assert_eq!(announcer.due(secs(30), false, &template()).len(), 1);
}

#[test]
fn it_is_shown_how_long_ago_a_tracker_was_asked() {
    let mut announcer = Announcer::new(&tiers(&[&["a"]]), Time::ZERO, &mut Rng::new(1));
    ask(&mut announcer, secs(5), &reply(1800));
    let shown = announcer.shown(secs(8), false).swap_remove(0);
    assert_eq!((shown.asked, shown.ended), (Some(secs(3)), Some(secs(3))));
}
