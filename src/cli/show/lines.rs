//! Plain lines for logs, pipes and `--verbose`: one at each change, and one now and then during a download.
//!
//! Floor 4. An idle seed writes nothing.

use super::doing::waits_for_disk;
use super::router;
use super::words::{self, trackers};
use crate::base::units::{count, duration, of, percent, rate, size, sum, time_left};
use crate::cli::run::entry::Entry;
use crate::cli::run::session::{Session, Update};
use crate::cli::say;
use crate::engine::TorrentId;
use crate::swarm::standing::DiskTrouble;
use std::time::Instant;

/// Up to this many incomplete torrents have a line each; more torrents share one line.
const MOST_LINES: usize = 4;

/// Writes the lines of an update.
pub fn show(update: &Update, session: &Session) {
    lines(update, session, Instant::now()).iter().for_each(|line| say::line(line));
}

/// Writes why a torrent failed, even with `--quiet`.
pub fn problem(torrent: TorrentId, session: &Session) {
    let Some(entry) = session.entries.get(&torrent) else { return };
    if let Some(problem) = words::problem(entry) {
        say::problem(&format!("{}: {problem}", entry.name));
    }
}

/// Writes that a torrent waits for its disk, even with `--quiet`, because the person must do something.
pub fn waiting(torrent: TorrentId, trouble: &DiskTrouble, session: &Session) {
    let Some(entry) = session.entries.get(&torrent) else { return };
    say::problem(&format!("{}: {}", entry.name, words::waiting(trouble)));
}

fn lines(update: &Update, session: &Session, now: Instant) -> Vec<String> {
    let name = |torrent: TorrentId| &*session.entries[&torrent].name;
    match update {
        Update::Started => vec![session.listening()],
        Update::Ticked => progress(session),
        Update::Added(torrent) => vec![format!("{}: added", name(*torrent))],
        Update::Removed(torrent) => vec![format!("{}: removed", name(*torrent))],
        Update::Learned(torrent) => {
            let entry = &session.entries[torrent];
            let size = if entry.described { String::new() } else { format!(": {}", size(entry.size)) };
            vec![format!("{}: the torrent's description has arrived{size}", entry.name)]
        }
        Update::Checked(torrent) => {
            let entry = &session.entries[torrent];
            let had = entry.joined.map_or(0, |(_, had)| had);
            let how = if had > 0 && entry.hashed == 0 { "resumed" } else { "checked" };
            vec![format!("{}: {how}, {} present", name(*torrent), of(had, entry.wanted))]
        }
        Update::Complete(torrent) => {
            vec![format!("{}: complete, {}", name(*torrent), words::fetched(&session.entries[torrent]))]
        }
        Update::Waiting { torrent, trouble } => {
            vec![format!("{}: {}", name(*torrent), words::waiting(trouble))]
        }
        Update::Resumed(torrent) => vec![format!("{}: the disk works again", name(*torrent))],
        Update::Router => router::line(&session.router).into_iter().collect(),
        // These are errors, which are written elsewhere.
        Update::Failed(_) | Update::Warning { .. } | Update::Problem(_) => Vec::new(),
        Update::Tracker { torrent, host, problem, refuses, warning } => {
            let words = match (problem, warning) {
                (Some(problem), _) => trackers::fails(host, problem, *refuses),
                (None, Some(warning)) => trackers::warns(host, warning),
                (None, None) => format!("{host} answers"),
            };
            vec![format!("{}: {words}", name(*torrent))]
        }
        Update::Stopping { interrupted: true } if session.has_trackers() => {
            vec!["interrupted: notifying the trackers".into()]
        }
        Update::Stopping { interrupted: true } => vec!["interrupted".into()],
        Update::Stopping { interrupted: false } => Vec::new(),
        Update::Ended => vec![words::closing(session, now)],
    }
}

/// The progress of incomplete torrents.
fn progress(session: &Session) -> Vec<String> {
    let under_way = || session.all().filter(|entry| entry.completed_at.is_none() && entry.problem().is_none());
    let number = under_way().count();
    if number > MOST_LINES {
        let length = sum(under_way().map(|entry| entry.wanted));
        let had = sum(under_way().map(Entry::had));
        let down = sum(under_way().filter_map(|entry| Some(entry.running()?.down_rate)));
        let torrents = count(number, "torrent");
        let part = format!("{}, {}", percent(had, length), of(had, length));
        let left = left(length.saturating_sub(had), down);
        return vec![format!("{torrents} under way: {part}, {} down{left}", rate(down))];
    }
    under_way().filter_map(one).collect()
}

/// The progress of one torrent; `None` before its check has begun.
fn one(entry: &Entry) -> Option<String> {
    let (name, length) = (&entry.name, entry.length());
    if let Some(status) = entry.learning() {
        return Some(format!("{name}: {}", words::learning(status)));
    }
    if let Some(checked) = entry.checking() {
        return (checked > 0).then(|| format!("{name}: checking, {}", percent(checked, length)));
    }
    let part = format!("{name}: {}, {}", percent(entry.had(), length), of(entry.had(), length));
    Some(match entry.running() {
        Some(status) => match words::why(entry) {
            Some(why) if waits_for_disk(status) => format!("{part}, {why}"),
            Some(why) => format!("{part}, waiting: {why}"),
            None => {
                let rates = format!("{} down, {} up", rate(status.down_rate), rate(status.up_rate));
                format!("{part}, {rates}{}, {}", left(status.left, status.down_rate), words::peers(status))
            }
        },
        None => part,
    })
}

fn left(bytes: u64, rate: u64) -> String {
    time_left(bytes, rate).map_or(String::new(), |left| format!(", {} left", duration(left)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::run::session::tests::{session, status};
    use crate::engine::Phase;

    #[test]
    fn a_download_has_one_line() {
        let run = session(vec![("a", 659 << 20, Phase::Running(status(247 << 20).into()))]);
        let line = "a: 62.5 %, 412 of 659 MiB, 5.21 MiB/s down, 120 KiB/s up, 48 s left, 12 peers, 8 seeds";
        assert_eq!(lines(&Update::Ticked, &run, run.began), [line]);
        assert_eq!(lines(&Update::Checked(TorrentId(0)), &run, run.began), ["a: checked, 0 of 659 MiB present"]);
        let mut run = run;
        run.at(0).joined = Some((run.began, 412 << 20));
        assert_eq!(lines(&Update::Checked(TorrentId(0)), &run, run.began), ["a: resumed, 412 of 659 MiB present"]);
    }

    #[test]
    fn an_idle_seed_is_silent() {
        let mut run = session(vec![("a", 659 << 20, Phase::Running(status(0).into()))]);
        run.at(0).completed_at = Some(run.began);
        assert_eq!(lines(&Update::Ticked, &run, run.began), Vec::<String>::new());
    }

    #[test]
    fn many_torrents_share_one_line() {
        let run = session((0..9).map(|_| ("a", 100 << 20, Phase::Running(status(50 << 20).into()))).collect());
        let told = lines(&Update::Ticked, &run, run.began);
        assert_eq!(told, ["9 torrents under way: 50.0 %, 450 of 900 MiB, 46.9 MiB/s down, 10 s left"]);
    }
}
