//! The state of a torrent in words, for the screen and for plain lines.
//!
//! Floor 4. Nothing here is safe for a terminal yet; the functions that write it make it safe.

pub mod trackers;
mod web_seeds;

use super::doing::{Doing, waits_for_disk};
use crate::base::units::{self, average, duration, of, percent, rate, ratio, size, sum};
use crate::cli::run::entry::Entry;
use crate::cli::run::session::Session;
use crate::engine::ProblemKind;
use crate::proto::peer::metadata::IS_BUILT_IN;
use crate::swarm::figures::{LearningStatus, Status};
use crate::swarm::settings::Enough;
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

/// A count of the figures and its noun.
fn count(number: u32, noun: &str) -> String {
    units::count(number as usize, noun)
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
            (_, wrong) => format!("; {} of the torrent came", count(wrong, "wrong description")),
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
        return waiting(trouble);
    }
    if let Some(enough) = status.enough {
        match enough {
            Enough::Ratio => "paused: it has reached its ratio".into(),
            Enough::Idle => "paused: it has sent nothing for as long as its limit says".into(),
        }
    } else if status.paused {
        "paused: nothing is requested or sent".into()
    } else if status.queued && status.left == 0 {
        "queued: the maximum number of torrents is seeding".into()
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

/// `waiting for disk: no space left on /srv, 1.20 GiB short`; if it is not space that is lacking, `waiting: can't make
/// /srv/iso: Permission denied for user media (uid 105)`.
pub fn waiting(trouble: &DiskTrouble) -> String {
    match trouble.short_bytes {
        0 => format!("waiting: {}", trouble.text),
        short => format!("waiting for disk: {}, {} short", trouble.text, size(short)),
    }
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
pub mod tests;
