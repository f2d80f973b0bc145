//! How a torrent stands, in words: the same ones on the screen and in plain lines.
//!
//! Floor 4. Nothing here is made safe for a terminal yet; whoever writes it does that.

use super::session::{Entry, Session, host, without_url};
use super::units::{average, count, duration, of, percent, rate, size, sum};
use crate::swarm::announcer::Tracker;
use crate::swarm::status::Status;
use crate::swarm::torrent::Standing;
use crate::swarm::waiting::DiskTrouble;
use std::time::{Duration, Instant};

/// What the torrent is doing, in one word.
pub fn state(entry: &Entry) -> &'static str {
    match entry.running() {
        _ if entry.problem.is_some() => "failed",
        _ if entry.whole.is_some() => "seeding",
        Some(status) if waits_for_disk(status) => "waiting",
        Some(status) if status.down_rate > 0 => "downloading",
        Some(_) => "waiting",
        None if entry.joined.is_some() => "downloading",
        None => "checking",
    }
}

/// Whether it is the disk that keeps the torrent from going on.
pub fn waits_for_disk(status: &Status) -> bool {
    matches!(status.standing, Standing::WaitingForDisk(_))
}

/// Why nothing comes, though something is missing.
pub fn why_waiting(status: &Status) -> String {
    let trackers = &status.trackers;
    if let Standing::WaitingForDisk(trouble) = &status.standing {
        return waiting_for_disk(trouble);
    }
    if status.unchoking > 0 {
        "asked for pieces, nothing came yet".into()
    } else if status.peers > 0 {
        format!("{} connected, nobody unchokes us yet", count(status.peers, "peer"))
    } else if status.connecting > 0 {
        format!("connecting to {}", count(status.connecting, "peer"))
    } else if status.known > 0 {
        format!("none of {} can be reached now", count(status.known, "known peer"))
    } else if trackers.is_empty() {
        "the torrent names no tracker: peers must come to us".into()
    } else if trackers.iter().all(|tracker| tracker.problem.is_some()) {
        "no peers: all trackers fail".into()
    } else if trackers.iter().any(answers) {
        "no peers yet: the trackers know of none".into()
    } else {
        "asking the trackers for peers".into()
    }
}

/// `waiting for disk: no space left on /srv, 1.20 GiB short`.
pub fn waiting_for_disk(trouble: &DiskTrouble) -> String {
    let short = if trouble.short_bytes > 0 { format!(", {} short", size(trouble.short_bytes)) } else { String::new() };
    format!("waiting for disk: {}{short}", trouble.text)
}

/// `12 peers, 8 seeds`.
pub fn peers(status: &Status) -> String {
    match status.peers {
        0 => "no peers".into(),
        number => format!("{}, {}", count(number, "peer"), count(status.seeds, "seed")),
    }
}

/// `tracker.example: 12 seeds, 3 leechers`.
pub fn tracker(tracker: &Tracker) -> String {
    let host = host(&tracker.url);
    match (&tracker.problem, tracker.seeds, tracker.leechers) {
        (Some(problem), _, _) => tracker_fails(&host, &without_url(problem, &tracker.url)),
        (None, Some(seeds), Some(leechers)) => {
            format!("{host}: {}, {}", count(seeds as usize, "seed"), count(leechers as usize, "leecher"))
        }
        (None, Some(seeds), None) => format!("{host}: {}", count(seeds as usize, "seed")),
        (None, None, Some(leechers)) => format!("{host}: {}", count(leechers as usize, "leecher")),
        (None, None, None) if tracker.knows_us => format!("{host} answers"),
        (None, None, None) => format!("{host}: asking"),
    }
}

/// What is said of a tracker that fails.
pub fn tracker_fails(host: &str, problem: &str) -> String {
    format!("{host} fails: {problem}")
}

/// Many trackers in one line: `2 of 5 trackers answer: 12 seeds, 3 leechers`; when none does, one says why.
pub fn trackers_together(trackers: &[Tracker]) -> String {
    let answering = || trackers.iter().filter(|tracker| answers(tracker));
    let all = count(trackers.len(), "tracker");
    let verb = if trackers.len() == 1 { "answers" } else { "answer" };
    let line = format!("{} of {all} {verb}", answering().count());
    // Not the sum: most peers are known to all of them.
    let seeds = answering().filter_map(|tracker| tracker.seeds).max();
    let leechers = answering().filter_map(|tracker| tracker.leechers).max();
    let failing = trackers.iter().find(|tracker| tracker.problem.is_some());
    match (seeds, leechers, failing) {
        (Some(seeds), Some(leechers), _) => {
            format!("{line}: {}, {}", count(seeds as usize, "seed"), count(leechers as usize, "leecher"))
        }
        (None, None, Some(failing)) if answering().count() == 0 => format!("{line}; {}", tracker(failing)),
        _ => line,
    }
}

fn answers(tracker: &Tracker) -> bool {
    tracker.problem.is_none() && (tracker.knows_us || tracker.seeds.is_some())
}

/// What was fetched, in which time: said once of a torrent that is complete.
pub fn fetched(entry: &Entry) -> String {
    match entry.fetched() {
        Some((time, missing)) if missing > 0 => came(missing, entry.report.length, time),
        _ => format!("all {} were there", size(entry.report.length)),
    }
}

fn came(missing: u64, length: u64, time: Duration) -> String {
    let rate = rate(average(missing, time));
    let what = if missing == length { size(length) } else { format!("the missing {}", of(missing, length)) };
    format!("{what} in {}, {rate} on average", duration(time))
}

/// The last line of a run.
pub fn closing(session: &Session, now: Instant) -> String {
    let entries = &session.entries;
    let length = sum(entries.iter().map(|entry| entry.report.length));
    let had = sum(entries.iter().map(Entry::had));
    let sent = sum(entries.iter().filter_map(|entry| Some(entry.status.as_ref()?.uploaded)));
    let (whole, failed) = (session.whole(), session.failed());
    if failed > 0 && entries.len() > 1 {
        let again = if whole + failed < entries.len() { "; the same command goes on from here" } else { "" };
        return format!("{whole} of {} torrents are whole, {failed} failed{again}", entries.len());
    }
    if failed > 0 {
        return format!("failed at {} ({})", percent(had, length), of(had, length));
    }
    let Some(settled) = session.settled else {
        let there = format!("{} ({})", percent(had, length), of(had, length));
        return format!("interrupted at {there}; the same command goes on from here");
    };
    let joined = entries.iter().filter_map(|entry| Some(entry.joined?.0)).min().unwrap_or(session.began);
    let missing = sum(entries.iter().filter_map(|entry| Some(entry.fetched()?.1)));
    let done = match missing {
        0 => format!("done: all {} were there", size(length)),
        _ => format!("done: {}", came(missing, length, settled.saturating_duration_since(joined))),
    };
    let seeded = now.saturating_duration_since(settled);
    if sent > 0 { format!("{done}; {} sent{}", size(sent), seeding_time(seeded)) } else { done }
}

/// Said only of those who stayed to seed: the goodbyes take a moment too.
fn seeding_time(seeded: Duration) -> String {
    if seeded < Duration::from_secs(10) { String::new() } else { format!(", seeded for {}", duration(seeded)) }
}

#[cfg(test)]
mod tests {
    use super::super::session::tests::{session, status, trackers};
    use super::*;
    use crate::engine::Phase;

    #[test]
    fn waiting_has_a_reason() {
        let mut status = status(100);
        assert_eq!(why_waiting(&status), "asked for pieces, nothing came yet");
        status.unchoking = 0;
        assert_eq!(why_waiting(&status), "12 peers connected, nobody unchokes us yet");
        (status.peers, status.connecting) = (0, 1);
        assert_eq!(why_waiting(&status), "connecting to 1 peer");
        status.connecting = 0;
        assert_eq!(why_waiting(&status), "none of 40 known peers can be reached now");
        status.known = 0;
        assert_eq!(why_waiting(&status), "no peers yet: the trackers know of none");
        status.trackers[0].problem = Some("timed out".into());
        assert_eq!(why_waiting(&status), "no peers: all trackers fail");
        status.trackers.clear();
        assert_eq!(why_waiting(&status), "the torrent names no tracker: peers must come to us");
    }

    #[test]
    fn trackers_are_hosts_and_numbers() {
        let mut all =
            trackers(&["http://a.example/announce?passkey=secret", "udp://b.example:80", "http://c.example/a"]);
        assert_eq!(tracker(&all[0]), "a.example: 12 seeds, 3 leechers");
        all[1].problem = Some("torrent not registered".into());
        assert_eq!(tracker(&all[1]), "b.example fails: torrent not registered");
        assert_eq!(trackers_together(&all), "2 of 3 trackers answer: 12 seeds, 3 leechers");
        let none = trackers_together(&all[1..2]);
        assert_eq!(none, "0 of 1 tracker answers; b.example fails: torrent not registered");
    }

    #[test]
    fn the_end_is_told_in_one_line() {
        let mut run = session(vec![("a", 100 << 20, Phase::Running(status(60 << 20)))]);
        let begin = run.began;
        let end = begin + Duration::from_secs(10);
        let interrupted = "interrupted at 40.0 % (40.0 of 100 MiB); the same command goes on from here";
        assert_eq!(closing(&run, end), interrupted);
        (run.entries[0].whole, run.settled) = (Some(end), Some(end));
        run.entries[0].status = None;
        assert_eq!(closing(&run, end), "done: 100 MiB in 10 s, 10.0 MiB/s on average");
        run.entries[0].joined = Some((begin, 80 << 20));
        assert_eq!(closing(&run, end), "done: the missing 20.0 of 100 MiB in 10 s, 2.00 MiB/s on average");
        run.entries[0].joined = Some((begin, 100 << 20));
        assert_eq!(closing(&run, end), "done: all 100 MiB were there");
    }
}
