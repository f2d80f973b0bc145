//! The state of a torrent in words, for the screen and for plain lines.
//!
//! Floor 4. Nothing here is safe for a terminal yet; the functions that write it make it safe.

pub mod trackers;
mod web_seeds;

use super::doing::{Doing, waits_for_disk};
use crate::base::units::{self, average, count, duration, of, percent, rate, ratio, size, sum};
use crate::cli::run::entry::Entry;
use crate::cli::run::session::Session;
use crate::engine::ProblemKind;
use crate::proto::peer::metadata::IS_BUILT_IN;
use crate::swarm::figures::{LearningStatus, Status};
use crate::swarm::standing::DiskTrouble;
use crate::swarm::standing::Standing;
use std::time::{Duration, Instant};

/// Why a torrent failed. If it was given up, also why nothing arrived.
pub fn problem(entry: &Entry) -> Option<String> {
    let problem = entry.problem()?;
    if let (Some(status), ProblemKind::GaveUp) = (&entry.learned, problem.kind) {
        return Some(format!("{}: {}", problem.text, learning(status)));
    }
    Some(match &entry.status {
        Some(status) if problem.kind == ProblemKind::GaveUp => format!("{}: {}", problem.text, why_waiting(status)),
        // Its content may be elsewhere.
        _ if problem.kind == ProblemKind::Incomplete(0) => {
            format!("{}; --dir names the folder that contains {}", problem.text, entry.name)
        }
        _ => problem.text.clone(),
    })
}

/// Why nothing arrives, if something is missing.
pub fn why(entry: &Entry) -> Option<String> {
    if let Some(status) = entry.learning() {
        return Some(learning(status));
    }
    let waits = matches!(Doing::of(entry), Doing::Waiting | Doing::Paused);
    let status = entry.running().filter(|_| waits)?;
    Some(why_waiting(status))
}

/// The time until a torrent is complete; `None` while nothing arrives.
pub fn time_left(entry: &Entry) -> Option<Duration> {
    let status = entry.running().filter(|_| Doing::of(entry) == Doing::Downloading)?;
    units::time_left(status.left, status.down_rate)
}

/// What a torrent waits for, in one word for programs. The words for people are [`why`].
pub fn waits_for(entry: &Entry) -> Option<&'static str> {
    let status = entry.running().filter(|_| Doing::of(entry) == Doing::Waiting)?;
    Some(if waits_for_disk(status) {
        "disk"
    } else if status.queued {
        "turn"
    } else if status.askable > 0 {
        "blocks"
    } else if status.useful > 0 {
        "unchoke"
    } else if status.peers > 0 {
        "pieces"
    } else {
        "peers"
    })
}

/// How many peers are asked for the description of a link's torrent; or why none is asked.
pub fn learning(status: &LearningStatus) -> String {
    if !IS_BUILT_IN {
        return String::new();
    }
    let peers = |number| count(number, "peer");
    if status.paused {
        "paused: nothing is requested or sent".into()
    } else if status.asked > 0 {
        let part = status.size.map_or(String::new(), |size| format!(", {}", of(status.bytes, size)));
        format!("asking {} for the torrent's description{part}", peers(status.asked))
    } else if status.peers > 0 {
        let what = match (status.offering, status.wrong) {
            (0, _) if status.peers == 1 => ", which does not offer the torrent's description".into(),
            (0, _) => ", none offers the torrent's description".into(),
            (_, 0) => format!("; {} refused to send the torrent's description or did not answer", status.resting),
            (_, wrong) => format!("; {} of the torrent came", count(wrong as usize, "wrong description")),
        };
        format!("connected to {}{what}", peers(status.peers))
    } else if status.connecting > 0 {
        let verb = if status.connecting == 1 { "is" } else { "are" };
        format!("{} {verb} being opened", count(status.connecting, "connection"))
    } else if status.known > 0 {
        format!("none of {} can be reached now", count(status.known, "known peer"))
    } else if status.liars > 0 {
        format!("no peers except {} that sent a wrong description", status.liars)
    } else {
        trackers::why_no_peers("link", &status.trackers, status.asked_locally, status.dht)
    }
}

/// Why nothing arrives, although something is missing.
pub fn why_waiting(status: &Status) -> String {
    web_seeds::beside(status, why_nobody_sends(status))
}

/// Why no peer or web seed that is connected sends anything, or why none is connected.
fn why_nobody_sends(status: &Status) -> String {
    let peers = count(status.peers, "peer");
    if let Standing::WaitingForDisk(trouble) = &status.standing {
        return waiting_for_disk(trouble);
    }
    if status.paused {
        "paused: nothing is requested or sent".into()
    } else if status.queued {
        "queued: the maximum number of torrents is downloading (--max-downloads)".into()
    } else if status.snubbed > 0 && status.snubbed == status.askable {
        format!("requested from {}, nothing has arrived for a while", web_seeds::sources(status, status.snubbed))
    } else if status.askable > 0 && status.asked > 0 {
        format!("requested from {}, nothing has arrived yet", web_seeds::sources(status, status.asked))
    } else if status.askable > 0 && status.limited {
        "nothing is requested for the moment, because of the download limit".into()
    } else if status.askable > 0 {
        format!("nothing can be requested for the moment from {}", web_seeds::sources(status, status.askable))
    } else if status.useful > 0 && status.useful == status.peers {
        format!("connected to {peers}, {}", if status.peers == 1 { "which chokes us" } else { "all choke us" })
    } else if status.useful == 1 {
        format!("connected to {peers}; the one that has missing pieces chokes us")
    } else if status.useful > 0 {
        format!("connected to {peers}; the {} that have missing pieces choke us", status.useful)
    } else if status.peers > 0 {
        let none = if status.peers == 1 { "which does not have" } else { "none has" };
        format!("connected to {peers}, {none} {}", missing(status))
    } else if status.web_seeds > 0 {
        let none = if status.web_seeds == 1 { "does not have" } else { "do not have" };
        format!("{} {none} {}", count(status.web_seeds, "web seed"), missing(status))
    } else if status.connecting > 0 {
        let verb = if status.connecting == 1 { "is" } else { "are" };
        format!("{} {verb} being opened", count(status.connecting, "connection"))
    } else if status.known > 0 {
        format!("none of {} can be reached now", count(status.known, "known peer"))
    } else if status.liars > 0 {
        format!("no peers except {} that sent corrupt data", status.liars)
    } else {
        trackers::why_no_peers("torrent", &status.trackers, status.asked_locally, status.dht)
    }
}

/// `piece 17`, or `any of the 4 missing pieces`.
fn missing(status: &Status) -> String {
    match (status.last_piece, status.pieces_missing) {
        (Some(piece), _) => format!("piece {piece}"),
        (None, all) if all == status.pieces => "any piece".into(),
        (None, missing) => format!("any of the {missing} missing pieces"),
    }
}

/// `waiting for disk: no space left on /srv, 1.20 GiB short`.
pub fn waiting_for_disk(trouble: &DiskTrouble) -> String {
    let short = if trouble.short_bytes > 0 { format!(", {} short", size(trouble.short_bytes)) } else { String::new() };
    format!("waiting for disk: {}{short}", trouble.text)
}

/// `12 peers, 8 seeds`, and `1 web seed` if there is one.
pub fn peers(status: &Status) -> String {
    let web_seeds = count(status.web_seeds, "web seed");
    match (status.peers, status.web_seeds) {
        (0, 0) => "no peers".into(),
        (0, _) => web_seeds,
        (number, 0) => format!("{}, {}", count(number, "peer"), count(status.seeds, "seed")),
        (number, _) => format!("{}, {}, {web_seeds}", count(number, "peer"), count(status.seeds, "seed")),
    }
}

/// What was downloaded, and in which time.
pub fn fetched(entry: &Entry) -> String {
    match entry.fetched() {
        Some((time, missing)) if missing > 0 => came(missing, entry.wanted, time),
        _ => format!("all {} were present", size(entry.wanted)),
    }
}

fn came(missing: u64, length: u64, time: Duration) -> String {
    let rate = rate(average(missing, time));
    let what = if missing == length { size(length) } else { format!("the missing {}", of(missing, length)) };
    format!("{what} in {}, {rate} on average", duration(time))
}

/// The last line of a run.
pub fn closing(session: &Session, now: Instant) -> String {
    let entries = session.all();
    let all = |is: fn(&Entry) -> bool| entries.len() > 0 && entries.clone().all(is);
    if IS_BUILT_IN && all(|entry| entry.described) {
        return "done: the torrent's description has arrived".into();
    }
    if IS_BUILT_IN && all(|entry| entry.learning().is_some() || entry.learned.is_some()) {
        let how = if session.failed() > 0 { "given up" } else { "interrupted" };
        return format!("{how} before the torrent's description came; the same command asks again");
    }
    let length = sum(entries.clone().map(|entry| entry.wanted));
    let had = sum(entries.clone().map(Entry::had));
    let sent = sum(entries.clone().filter_map(|entry| Some(entry.status.as_ref()?.uploaded)));
    let (complete, failed) = (session.complete_count(), session.failed());
    let there = format!("{} ({})", percent(had, length), of(had, length));
    // A torrent that was given up can be resumed.
    let is_given_up = |entry: &&Entry| entry.problem().is_some_and(|it| it.kind == ProblemKind::GaveUp);
    let given_up = entries.clone().filter(is_given_up).count();
    let lost = failed - given_up;
    let again = if complete + lost < entries.len() { "; the same command resumes from here" } else { "" };
    if failed > 0 && entries.len() > 1 {
        let mut parts = vec![format!("{complete} of {} torrents are complete", entries.len())];
        parts.extend((lost > 0).then(|| format!("{lost} failed")));
        parts.extend((given_up > 0).then(|| format!("{given_up} given up")));
        return parts.join(", ") + again;
    }
    if failed > 0 && !entries.clone().any(Entry::was_checked) {
        return "failed before the content was checked".into();
    }
    if failed > 0 {
        return format!("{} at {there}{again}", if lost > 0 { "failed" } else { "given up" });
    }
    let Some(settled) = session.settled else { return format!("interrupted at {there}{again}") };
    let joined = entries.clone().filter_map(|entry| Some(entry.joined?.0)).min().unwrap_or(session.began);
    let missing = sum(entries.clone().filter_map(|entry| Some(entry.fetched()?.1)));
    let done = match missing {
        0 => format!("done: all {} were present", size(length)),
        _ => format!("done: {}", came(missing, length, settled.saturating_duration_since(joined))),
    };
    let seeded = now.saturating_duration_since(settled);
    if sent == 0 {
        return done;
    }
    let size_of_all = sum(entries.clone().map(|entry| entry.size));
    format!("{done}; {} sent (ratio {}){}", size(sent), ratio(sent, size_of_all), seeding_time(seeded))
}

/// Only if the run stayed to seed: notifying the trackers takes a moment, too.
fn seeding_time(seeded: Duration) -> String {
    if seeded < Duration::from_secs(10) { String::new() } else { format!(", seeded for {}", duration(seeded)) }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::cli::run::session::tests::{session, status, trackers};
    use crate::engine::{Phase, Problem, TorrentId};

    /// Figures of a torrent that gets nothing.
    pub fn idle() -> Status {
        Status { useful: 0, askable: 0, unchoking: 0, peers: 0, seeds: 0, known: 0, down_rate: 0, ..status(100) }
    }

    #[test]
    fn the_wait_for_a_description_has_a_reason() {
        let told = |change: fn(&mut LearningStatus)| {
            let mut status = LearningStatus { peers: 4, offering: 3, asked: 3, ..LearningStatus::default() };
            (status.bytes, status.size) = (34 << 10, Some(61 << 10));
            change(&mut status);
            learning(&status)
        };
        assert_eq!(told(|_| {}), "asking 3 peers for the torrent's description, 34.0 of 61.0 KiB");
        assert_eq!(told(|status| status.size = None), "asking 3 peers for the torrent's description");
        assert_eq!(told(|status| status.paused = true), "paused: nothing is requested or sent");
        let nobody = |status: &mut LearningStatus| (status.asked, status.offering, status.peers) = (0, 0, 4);
        assert_eq!(told(nobody), "connected to 4 peers, none offers the torrent's description");
        let silent = |status: &mut LearningStatus| (status.asked, status.resting) = (0, 3);
        assert_eq!(told(silent), "connected to 4 peers; 3 refused to send the torrent's description or did not answer");
        let wrong = |status: &mut LearningStatus| (status.asked, status.wrong) = (0, 2);
        assert_eq!(told(wrong), "connected to 4 peers; 2 wrong descriptions of the torrent came");
        let alone = |status: &mut LearningStatus| *status = LearningStatus::default();
        assert_eq!(told(alone), "no peers: the link names no tracker, so peers must connect to us");
        let local =
            |status: &mut LearningStatus| *status = LearningStatus { asked_locally: true, ..Default::default() };
        assert_eq!(told(local), "no peers: none in the local network, and the link names no tracker");
        let known = |status: &mut LearningStatus| *status = LearningStatus { known: 2, ..Default::default() };
        assert_eq!(told(known), "none of 2 known peers can be reached now");
    }

    #[test]
    fn the_reason_may_be_the_peers() {
        for (useful, askable, snubbed, peers, reason) in [
            (2, 1, 0, 3, "requested from 1 peer, nothing has arrived yet"),
            (2, 2, 2, 3, "requested from 2 peers, nothing has arrived for a while"),
            (2, 2, 1, 3, "requested from 2 peers, nothing has arrived yet"),
            (3, 0, 0, 3, "connected to 3 peers, all choke us"),
            (1, 0, 0, 1, "connected to 1 peer, which chokes us"),
            (2, 0, 0, 3, "connected to 3 peers; the 2 that have missing pieces choke us"),
            (0, 0, 0, 3, "connected to 3 peers, none has any of the 4 missing pieces"),
        ] {
            let asked = askable;
            let status = Status { useful, askable, asked, snubbed, peers, pieces: 10, pieces_missing: 4, ..idle() };
            assert_eq!(why_waiting(&status), reason);
        }
        let silent = Status { useful: 3, askable: 2, peers: 3, asked: 0, ..idle() };
        assert_eq!(why_waiting(&silent), "nothing can be requested for the moment from 2 peers");
        let limited = Status { limited: true, ..silent };
        assert_eq!(why_waiting(&limited), "nothing is requested for the moment, because of the download limit");
        let last = Status { peers: 3, pieces: 10, pieces_missing: 1, last_piece: Some(7), ..idle() };
        assert_eq!(why_waiting(&last), "connected to 3 peers, none has piece 7");
        let nothing = Status { peers: 1, pieces: 10, pieces_missing: 10, ..idle() };
        assert_eq!(why_waiting(&nothing), "connected to 1 peer, which does not have any piece");
        assert_eq!(why_waiting(&Status { connecting: 2, ..idle() }), "2 connections are being opened");
        assert_eq!(why_waiting(&Status { known: 40, ..idle() }), "none of 40 known peers can be reached now");
        assert!(why_waiting(&Status { paused: true, ..status(100) }).starts_with("paused"));
        let only_liars = Status { liars: 2, trackers: trackers(&["http://a.example/x"]), ..idle() };
        assert_eq!(why_waiting(&only_liars), "no peers except 2 that sent corrupt data");
    }

    #[test]
    fn programs_get_the_reason_of_a_wait_as_one_word() {
        let trouble = DiskTrouble { text: "full".into(), short_bytes: 0 };
        let disk = Status { standing: Standing::WaitingForDisk(Box::new(trouble)), peers: 3, ..idle() };
        for (status, word) in [
            (disk.clone(), "disk"),
            (Status { useful: 2, askable: 1, peers: 3, ..idle() }, "blocks"),
            (Status { useful: 2, peers: 3, ..idle() }, "unchoke"),
            (Status { peers: 3, ..idle() }, "pieces"),
            (Status { known: 9, ..idle() }, "peers"),
        ] {
            let run = session(vec![("a", 100, Phase::Running(status.into()))]);
            assert_eq!(
                (Doing::of(&run.entries[&TorrentId(0)]), waits_for(&run.entries[&TorrentId(0)])),
                (Doing::Waiting, Some(word))
            );
        }
        let mut run = session(vec![("a", 100, Phase::Running(Status { paused: true, ..idle() }.into()))]);
        let (began, entry) = (run.began, run.at(0));
        assert_eq!((Doing::of(entry), waits_for(entry)), (Doing::Paused, None));
        entry.phase = Phase::Running(Status { queued: true, ..idle() }.into());
        assert_eq!((Doing::of(entry), waits_for(entry)), (Doing::Waiting, Some("turn")));
        assert_eq!(
            why(entry).as_deref(),
            Some("queued: the maximum number of torrents is downloading (--max-downloads)")
        );
        // No peer is connected, whatever the rate of the last seconds was.
        entry.phase = Phase::Running(Status { down_rate: 9, ..idle() }.into());
        assert_eq!((Doing::of(entry), waits_for(entry), time_left(entry)), (Doing::Waiting, Some("peers"), None));
        // A seed does not seed if its disk is gone.
        entry.completed_at = Some(began);
        entry.phase = Phase::Running(disk.into());
        assert_eq!((Doing::of(entry), waits_for(entry)), (Doing::Waiting, Some("disk")));
    }

    #[test]
    fn a_torrent_that_was_given_up_says_why_nothing_came() {
        let text = "given up, no progress for 60 s".into();
        let gave_up = Problem { kind: ProblemKind::GaveUp, text };
        let mut run = session(vec![("a", 100, Phase::Failed(gave_up))]);
        let trouble = DiskTrouble { text: "no space left on /srv".into(), short_bytes: 1_288_490_189 };
        let waiting = Status { standing: Standing::WaitingForDisk(Box::new(trouble)), ..status(50) };
        run.at(0).status = Some(waiting.into());
        let words = "given up, no progress for 60 s: waiting for disk: no space left on /srv, 1.20 GiB short";
        assert_eq!(problem(run.at(0)).as_deref(), Some(words));
    }

    #[test]
    fn torrents_that_were_given_up_can_be_resumed() {
        let given_up = |kind| Phase::Failed(Problem { kind, text: "no progress".into() });
        let mut one = session(vec![("a", 100 << 20, given_up(ProblemKind::GaveUp))]);
        one.at(0).status = Some(status(60 << 20).into());
        let told = "given up at 40.0 % (40.0 of 100 MiB); the same command resumes from here";
        assert_eq!(closing(&one, one.began), told);
        let many = |second| session(vec![("a", 1, given_up(ProblemKind::Io)), ("b", 1, given_up(second))]);
        let told = |run: Session| closing(&run, run.began);
        assert_eq!(told(many(ProblemKind::Io)), "0 of 2 torrents are complete, 2 failed");
        let goes_on = "0 of 2 torrents are complete, 1 failed, 1 given up; the same command resumes from here";
        assert_eq!(told(many(ProblemKind::GaveUp)), goes_on);
    }

    #[test]
    fn content_that_is_not_complete_enough_to_seed_says_how_much_there_is() {
        let incomplete = |bytes| Problem { kind: ProblemKind::Incomplete(bytes), text: "it has 3 of 8 pieces".into() };
        let mut some = session(vec![("a", 80 << 20, Phase::Failed(incomplete(30 << 20)))]);
        assert_eq!(closing(&some, some.began), "failed at 37.5 % (30.0 of 80.0 MiB)");
        assert_eq!(problem(some.at(0)).as_deref(), Some("it has 3 of 8 pieces"));
        let unknown = session(vec![("a", 80 << 20, Phase::Failed(Problem::io("too long")))]);
        assert_eq!(closing(&unknown, unknown.began), "failed before the content was checked");
        let mut none = session(vec![("a", 80 << 20, Phase::Failed(incomplete(0)))]);
        assert!(problem(none.at(0)).is_some_and(|words| words.ends_with("; --dir names the folder that contains a")));
    }

    #[test]
    fn the_closing_line_sums_up_the_run() {
        let mut run = session(vec![("a", 100 << 20, Phase::Running(status(60 << 20).into()))]);
        let begin = run.began;
        let end = begin + Duration::from_secs(10);
        let interrupted = "interrupted at 40.0 % (40.0 of 100 MiB); the same command resumes from here";
        assert_eq!(closing(&run, end), interrupted);
        (run.at(0).completed_at, run.settled) = (Some(end), Some(end));
        run.at(0).status = None;
        assert_eq!(closing(&run, end), "done: 100 MiB in 10 s, 10.0 MiB/s on average");
        run.at(0).joined = Some((begin, 80 << 20));
        assert_eq!(closing(&run, end), "done: the missing 20.0 of 100 MiB in 10 s, 2.00 MiB/s on average");
        run.at(0).joined = Some((begin, 100 << 20));
        assert_eq!(closing(&run, end), "done: all 100 MiB were present");
    }
}
