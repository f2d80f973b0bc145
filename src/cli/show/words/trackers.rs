//! The trackers of a torrent in words: what they say, why they introduce no peers, and when they are asked next. The
//! local network and the DHT stand beside them.
//!
//! Floor 4. As in [`words`](super), nothing here is escaped for a terminal yet, though strangers wrote a part.

use crate::base::units::{count, duration};
use crate::cli::run::entry::Entry;
use crate::cli::run::session::{Session, host};
use crate::cli::show::doing::Doing;
use crate::proto::krpc;
use crate::swarm::meeting::announcer::Tracker;
use crate::swarm::meeting::source::Asked;
use std::time::Duration;

/// Why no peer is known of a `what`, a torrent or a link. `asked_locally`: the local network was asked too. `dht`: so
/// was the DHT.
pub fn why_no_peers(what: &str, trackers: &[Tracker], asked_locally: bool, dht: Asked) -> String {
    // A build without LSD or the DHT leaves these words out.
    let dht = if krpc::IS_BUILT_IN { dht } else { Asked::Not };
    let elsewhere: &[&str] = match (cfg!(feature = "lsd") && asked_locally, dht == Asked::Before) {
        (true, true) => &["the local network", "the DHT"],
        (true, false) => &["the local network"],
        (false, true) => &["the DHT"],
        (false, false) => &[],
    };
    if dht == Asked::Now && trackers.iter().all(|tracker| !tracker.asking) {
        return "no peers yet: asking the DHT".into();
    }
    if trackers.is_empty() {
        return match elsewhere.is_empty() {
            true => format!("no peers: the {what} names no tracker, so peers must connect to us"),
            false => format!("no peers: none in {}, and the {what} names no tracker", elsewhere.join(" or ")),
        };
    }
    let asked: Vec<&Tracker> =
        trackers.iter().filter(|tracker| tracker.problem.is_some() || answers(tracker)).collect();
    let failing = || asked.iter().filter(|tracker| tracker.problem.is_some());
    let answering = asked.len() - failing().count();
    // A tracker that refuses says more than one that can't be reached.
    let problem = failing().find(|tracker| tracker.refuses).or_else(|| failing().next());
    let rest = || warning(trackers) + &next(trackers);
    let all = |first: String| and(std::iter::once(first.as_str()).chain(elsewhere.iter().copied()));
    let none = match elsewhere.is_empty() {
        true => String::new(),
        false => format!("none in {}, ", elsewhere.join(" or ")),
    };
    match (problem, asked.len()) {
        _ if trackers.iter().any(|other| other.asking && other.problem.is_none() && !answers(other)) => {
            "no peers yet: asking the trackers".into()
        }
        (None, 0) if elsewhere.is_empty() => format!("no peers yet: no tracker was asked{}", next(trackers)),
        (None, 0) => {
            let were = if elsewhere.len() == 1 { "was" } else { "were" };
            format!("no peers yet: only {} {were} asked{}", and(elsewhere.iter().copied()), next(trackers))
        }
        (None, 1) => match elsewhere.split_last() {
            None => format!("no peers: the tracker knows none{}", rest()),
            Some((last, [])) => format!("no peers: neither the tracker nor {last} knows one{}", rest()),
            Some((last, others)) => {
                format!("no peers: neither the tracker, {} nor {last} knows one{}", others.join(", "), rest())
            }
        },
        (None, number) => {
            format!("no peers: {} asked, none knows a peer{}", all(format!("{number} trackers")), rest())
        }
        (Some(only), 1) => format!("no peers: {none}{}", tracker(only)),
        (Some(one), all) if answering == 0 => format!("no peers: {none}all {all} trackers fail; {}", tracker(one)),
        (Some(one), all) => {
            format!("no peers: {none}{answering} of {all} trackers answer, none knows a peer; {}", tracker(one))
        }
    }
}

/// `DHT: 214 nodes, asking for peers`, while a torrent needs peers from there.
pub fn dht(session: &Session) -> Option<String> {
    if !krpc::IS_BUILT_IN {
        return None;
    }
    let report = session.dht?;
    let needs = |entry: &Entry| match (entry.learning(), entry.running()) {
        (Some(status), _) => !status.paused && status.dht != Asked::Not,
        (None, Some(status)) => Doing::of(entry) == Doing::Waiting && !status.queued && status.dht != Asked::Not,
        (None, None) => false,
    };
    let nodes = match report.nodes {
        0 => "no nodes yet".into(),
        nodes => count(nodes, "node"),
    };
    let asking = if report.lookups > 0 { ", asking for peers" } else { "" };
    session.all().any(needs).then(|| format!("DHT: {nodes}{asking}"))
}

/// `3 trackers, the local network and the DHT`.
fn and<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let words: Vec<&str> = words.collect();
    match words.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} and {last}", others.join(", ")),
        _ => words.concat(),
    }
}

/// `tracker.example: 12 seeds, 3 leechers; next announce in 24 min 10 s`.
pub fn tracker(tracker: &Tracker) -> String {
    let host = host(&tracker.url);
    let all = std::slice::from_ref(tracker);
    let said = match (&tracker.problem, counts(all).as_str()) {
        (Some(problem), _) => fails(&host, problem, tracker.refuses),
        (None, "") if tracker.knows_us => format!("{host} answers"),
        (None, "") if tracker.asking => return format!("{host}: asking"),
        (None, "") if tracker.next_in.is_some() => format!("{host}: not asked yet"),
        (None, "") => format!("{host}: in reserve"),
        (None, counts) => format!("{host}: {counts}"),
    };
    said + &warning(all) + &next(all)
}

/// `; it warns: your client is old`: the first message of a tracker that answers.
fn warning(trackers: &[Tracker]) -> String {
    let mut warnings = trackers.iter().filter_map(|tracker| Some((&tracker.url, tracker.warning.as_deref()?)));
    let Some((url, words)) = warnings.next() else { return String::new() };
    let who = if trackers.len() == 1 { "it".into() } else { host(url) };
    format!("; {}", warns(&who, words))
}

/// `; next announce in 24 min 10 s`.
fn next(trackers: &[Tracker]) -> String {
    let soonest = trackers.iter().filter(|tracker| tracker.next_in.is_some()).min_by_key(|tracker| tracker.next_in);
    match (soonest, soonest.and_then(|tracker| tracker.next_in)) {
        _ if trackers.iter().any(|tracker| tracker.asking) => "; asking again".into(),
        (Some(tracker), Some(time)) => {
            // The tracker named a minimum interval.
            let allowed = if tracker.held { " allowed" } else { "" };
            format!("; next announce{allowed} in {}", duration(Duration::from_secs(time.as_secs())))
        }
        _ => String::new(),
    }
}

/// `12 seeds, 3 leechers, 40 completed`, as far as it is known.
fn counts(trackers: &[Tracker]) -> String {
    let seeds = most(trackers, |tracker| tracker.seeds).map(|seeds| count(seeds as usize, "seed"));
    let leechers = most(trackers, |tracker| tracker.leechers).map(|leechers| count(leechers as usize, "leecher"));
    let completed = most(trackers, |tracker| tracker.completed).filter(|&completed| completed > 0);
    let completed = completed.map(|completed| format!("{completed} completed"));
    [seeds, leechers, completed].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// The largest number that any answering tracker reports. Not the sum, because most peers are known to all trackers.
pub fn most(trackers: &[Tracker], number: fn(&Tracker) -> Option<u32>) -> Option<u32> {
    trackers.iter().filter(|tracker| answers(tracker)).filter_map(number).max()
}

/// A tracker that fails.
pub fn fails(host: &str, problem: &str, refuses: bool) -> String {
    format!("{host} {}: {problem}", if refuses { "refuses" } else { "fails" })
}

/// A tracker that answers, and has a message.
pub fn warns(host: &str, warning: &str) -> String {
    format!("{host} warns: {warning}")
}

/// Many trackers in one line: `2 of 5 trackers answer: 12 seeds, 3 leechers`. If none answers, one says why; if one
/// refuses or warns, it says that too.
pub fn together(trackers: &[Tracker]) -> String {
    let answering = || trackers.iter().filter(|tracker| answers(tracker));
    let all = count(trackers.len(), "tracker");
    let verb = if trackers.len() == 1 { "answers" } else { "answer" };
    let mut line = format!("{} of {all} {verb}", answering().count());
    let counts = counts(trackers);
    if !counts.is_empty() {
        line += &format!(": {counts}");
    }
    let mut failing = trackers.iter().filter(|tracker| tracker.problem.is_some());
    let refusing = failing.clone().find(|tracker| tracker.refuses);
    let failing = refusing.or_else(|| failing.next().filter(|_| answering().count() == 0));
    match failing {
        Some(failing) => format!("{line}; {}", tracker(failing)),
        None => line + &warning(trackers) + &next(trackers),
    }
}

fn answers(tracker: &Tracker) -> bool {
    tracker.problem.is_none() && (tracker.knows_us || tracker.seeds.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::run::session::tests::trackers;

    #[test]
    fn the_reason_may_be_the_trackers() {
        let mut all = trackers(&["http://a.example/x", "http://b.example/x", "http://c.example/x"]);
        assert_eq!(
            why_no_peers("torrent", &[], false, Asked::Not),
            "no peers: the torrent names no tracker, so peers must connect to us"
        );
        assert_eq!(why_no_peers("torrent", &all[..1], false, Asked::Not), "no peers: the tracker knows none");
        assert_eq!(why_no_peers("torrent", &all, false, Asked::Not), "no peers: 3 trackers asked, none knows a peer");
        all[1].warning = Some("your client is old".into());
        all[2].next_in = Some(Duration::from_millis(1_450_900));
        let words = "no peers: 3 trackers asked, none knows a peer; b.example warns: your client is old; next announce in \
                     24 min 10 s";
        assert_eq!(why_no_peers("torrent", &all, false, Asked::Not), words);
        (all[1].warning, all[2].next_in) = (None, None);
        (all[0].problem, all[0].refuses) = (Some("not registered".into()), true);
        assert_eq!(
            why_no_peers("torrent", &all[..1], false, Asked::Not),
            "no peers: a.example refuses: not registered"
        );
        let words = "no peers: 2 of 3 trackers answer, none knows a peer; a.example refuses: not registered";
        assert_eq!(why_no_peers("torrent", &all, false, Asked::Not), words);
        all[1].problem = Some("no answer in time".into());
        (all[2].knows_us, all[2].seeds, all[2].asking) = (false, None, true);
        assert_eq!(why_no_peers("torrent", &all, false, Asked::Not), "no peers yet: asking the trackers");
        assert_eq!(
            why_no_peers("torrent", &all[..2], false, Asked::Not),
            "no peers: all 2 trackers fail; a.example refuses: not registered"
        );
        // The third is of a tier in which another one is asked.
        all[2].asking = false;
        assert_eq!(
            why_no_peers("torrent", &all, false, Asked::Not),
            "no peers: all 2 trackers fail; a.example refuses: not registered"
        );
        all[2].next_in = Some(Duration::from_secs(5));
        assert_eq!(
            why_no_peers("torrent", &all[2..], false, Asked::Not),
            "no peers yet: no tracker was asked; next announce in 5 s"
        );
    }

    // Feature: lsd.
    #[cfg(feature = "lsd")]
    #[test]
    fn the_local_network_counts_too() {
        let mut all = trackers(&["http://a.example/x", "http://b.example/x", "http://c.example/x"]);
        let words = |trackers: &[Tracker]| why_no_peers("torrent", trackers, true, Asked::Not);
        assert_eq!(words(&[]), "no peers: none in the local network, and the torrent names no tracker");
        assert_eq!(words(&all[..1]), "no peers: neither the tracker nor the local network knows one");
        assert_eq!(words(&all[..2]), "no peers: 2 trackers and the local network asked, none knows a peer");
        all[0].problem = Some("no answer in time".into());
        let fails = "a.example fails: no answer in time";
        assert_eq!(words(&all[..1]), format!("no peers: none in the local network, {fails}"));
        let some = "no peers: none in the local network, 1 of 2 trackers answer, none knows a peer";
        assert_eq!(words(&all[..2]), format!("{some}; {fails}"));
        all[1].problem = Some("no answer in time".into());
        assert_eq!(words(&all[..2]), format!("no peers: none in the local network, all 2 trackers fail; {fails}"));
        (all[2].knows_us, all[2].seeds, all[2].next_in) = (false, None, Some(Duration::from_secs(5)));
        assert_eq!(words(&all[2..]), "no peers yet: only the local network was asked; next announce in 5 s");
    }

    #[test]
    fn the_dht_counts_beside_trackers() {
        if !krpc::IS_BUILT_IN {
            return;
        }
        let mut all = trackers(&["http://a.example/x", "http://b.example/x"]);
        let words = |trackers: &[Tracker], dht| why_no_peers("torrent", trackers, false, dht);
        assert_eq!(words(&[], Asked::Now), "no peers yet: asking the DHT");
        assert_eq!(words(&[], Asked::Before), "no peers: none in the DHT, and the torrent names no tracker");
        assert_eq!(words(&all[..1], Asked::Before), "no peers: neither the tracker nor the DHT knows one");
        assert_eq!(words(&all, Asked::Before), "no peers: 2 trackers and the DHT asked, none knows a peer");
        if cfg!(feature = "lsd") {
            let words = |trackers: &[Tracker]| why_no_peers("torrent", trackers, true, Asked::Before);
            let none = "no peers: none in the local network or the DHT, and the torrent names no tracker";
            assert_eq!(words(&[]), none);
            let neither = "no peers: neither the tracker, the local network nor the DHT knows one";
            assert_eq!(words(&all[..1]), neither);
            let asked = "no peers: 2 trackers, the local network and the DHT asked, none knows a peer";
            assert_eq!(words(&all), asked);
        }
        all[0].problem = Some("no answer in time".into());
        let fails = "no peers: none in the DHT, a.example fails: no answer in time";
        assert_eq!(words(&all[..1], Asked::Before), fails);
        (all[1].knows_us, all[1].seeds, all[1].next_in) = (false, None, Some(Duration::from_secs(5)));
        let only = "no peers yet: only the DHT was asked; next announce in 5 s";
        assert_eq!(words(&all[1..], Asked::Before), only);
    }

    #[test]
    fn trackers_are_hosts_and_numbers() {
        let mut all =
            trackers(&["http://a.example/announce?passkey=secret", "udp://b.example:80", "http://c.example/a"]);
        assert_eq!(tracker(&all[0]), "a.example: 12 seeds, 3 leechers");
        all[0].completed = Some(40);
        assert_eq!(tracker(&all[0]), "a.example: 12 seeds, 3 leechers, 40 completed");
        all[1].problem = Some("torrent not registered".into());
        assert_eq!(tracker(&all[1]), "b.example fails: torrent not registered");
        assert_eq!(together(&all), "2 of 3 trackers answer: 12 seeds, 3 leechers, 40 completed");
        let none = together(&all[1..2]);
        assert_eq!(none, "0 of 1 tracker answers; b.example fails: torrent not registered");
        all[1].refuses = true;
        let words =
            "2 of 3 trackers answer: 12 seeds, 3 leechers, 40 completed; b.example refuses: torrent not registered";
        assert_eq!(together(&all), words);
    }

    #[test]
    fn a_tracker_says_when_it_is_asked_next() {
        let mut one = trackers(&["http://a.example/announce?passkey=secret"]).remove(0);
        one.next_in = Some(Duration::from_secs(590));
        assert_eq!(tracker(&one), "a.example: 12 seeds, 3 leechers; next announce in 9 min 50 s");
        one.held = true;
        let held = "a.example: 12 seeds, 3 leechers; next announce allowed in 9 min 50 s";
        assert_eq!(tracker(&one), held);
        (one.asking, one.next_in, one.warning) = (true, None, Some("the key is old".into()));
        assert_eq!(tracker(&one), "a.example: 12 seeds, 3 leechers; it warns: the key is old; asking again");
        let mut new = trackers(&["http://b.example/"]).remove(0);
        (new.knows_us, new.seeds, new.leechers) = (false, None, None);
        assert_eq!(tracker(&new), "b.example: in reserve");
        new.asking = true;
        assert_eq!(tracker(&new), "b.example: asking");
    }
}
