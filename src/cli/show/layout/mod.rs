//! The live screen as rows of text, for a given number of columns and rows.
//!
//! Floor 4. Pure: this does not touch the terminal. If there is room, each torrent has a block of a few rows; otherwise
//! it has one row. If even that is too much, only the most interesting torrents are shown.

use super::doing::Doing;
use super::pieces::{bar, map};
use super::router;
use super::words::{self, trackers};
use crate::base::path::for_terminal;
use crate::base::sort::sorted;
use crate::base::units::{count, duration, of, per_mille, percent, rate, size, sum, time_left};
use crate::base::width::{columns, pad, shorten_end, shorten_middle, wrap};
use crate::cli::run::entry::Entry;
use crate::cli::run::session::Session;
use crate::swarm::figures::Status;
use crate::swarm::meeting::announcer::Tracker;
use std::time::Duration;

/// What the terminal can show.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    pub columns: usize,
    pub rows: usize,
    /// It shows UTF-8; otherwise only ASCII.
    pub utf8: bool,
}

/// One row of the screen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// At most as wide as the terminal, and safe for it.
    pub text: String,
    /// Number of bytes at the beginning that are drawn bold.
    pub strong: usize,
    /// The row is selected, and drawn inverted.
    pub selected: bool,
}

/// The widest bar: a longer bar would say no more.
const MOST_BAR: usize = 60;
/// With at least this many columns, the bar and the figures share a row.
const WIDE: usize = 68;
/// Columns of the widest text such as `800 KiB of 1.20 GiB`.
const SIZES: usize = 19;
/// Columns of the widest text such as `59 min 59 s left`.
const LEFT: usize = 16;
/// Columns of `100.0 %`.
const PERCENT: usize = 7;
/// Columns of the widest text such as `5.21 MiB/s` or `downloading`.
const NOTE: usize = 11;
/// If there is only one torrent, up to this many trackers have a row each.
const TRACKER_ROWS: usize = 3;
/// The text before the map of pieces.
const PIECES: &str = "pieces ";
/// Columns of the widest text such as `  16.0 MiB under way`.
const UNDER_WAY: usize = 20;
/// What torrents without their own row can be doing, in the order in which they are counted.
const KINDS: [Doing; 9] = [
    Doing::Downloading,
    Doing::Learning,
    Doing::Paused,
    Doing::Waiting,
    Doing::Checking,
    Doing::Stopped,
    Doing::Failed,
    Doing::Seeding,
    Doing::Complete,
];
/// Most rows for the reason of a failure or of a wait.
const REASON_ROWS: usize = 3;

/// The rows of a session. `ended`: for the last time.
pub fn draw(session: &Session, look: Look, ended: bool) -> Vec<Row> {
    let entries: Vec<&Entry> = session.all().collect();
    let alone = entries.len() == 1;
    // The total has a row, and so has the number of torrents that are not shown.
    let room = look.rows.saturating_sub(usize::from(!alone));
    let mut rows = if entries.len() <= room {
        blocks_or_lines(&entries, look, room, ended)
    } else {
        most_interesting(&entries, look, room.saturating_sub(1), ended)
    };
    // The DHT and the router are of all torrents, and the first rows to be left out.
    rows.truncate(look.rows);
    let dht = trackers::dht(session).into_iter().map(|text| shown(&text, look));
    let router = router::trouble(&session.router).map(|text| reason(&text, look));
    let spare = look.rows.saturating_sub(rows.len() + usize::from(!alone));
    let common = dht.chain(router.into_iter().flatten()).take(if ended { 0 } else { spare });
    rows.extend(common.map(|text| plain(format!("  {text}"), look)));
    if !alone {
        rows.push(total(session, look, ended));
    }
    rows.truncate(look.rows);
    rows
}

/// A row for each torrent, and blocks as long as there is room, first for torrents that are not complete.
fn blocks_or_lines(entries: &[&Entry], look: Look, room: usize, ended: bool) -> Vec<Row> {
    let mut shown: Vec<Vec<Row>> = entries.iter().map(|entry| vec![line(entry, look, ended)]).collect();
    let mut spare = room - shown.len();
    let (open, complete): (Vec<usize>, Vec<usize>) =
        (0..entries.len()).partition(|&at| entries[at].completed_at.is_none());
    for torrent in open.into_iter().chain(complete) {
        let block = block(entries[torrent], look, entries.len() == 1, ended);
        if block.len() <= spare + 1 {
            spare -= block.len() - 1;
            shown[torrent] = block;
        }
    }
    shown.concat()
}

/// A row for each of `room` torrents, and one row about the others.
fn most_interesting(entries: &[&Entry], look: Look, room: usize, ended: bool) -> Vec<Row> {
    let mut chosen = sorted(entries.len(), &|one, other| interest(entries[other]).cmp(&interest(entries[one])));
    let left_out = chosen.split_off(room.min(chosen.len()));
    chosen.sort_unstable();
    let mut rows: Vec<Row> = chosen.iter().map(|&torrent| line(entries[torrent as usize], look, ended)).collect();
    rows.push(plain(more(left_out.iter().map(|&torrent| entries[torrent as usize]), ended), look));
    rows
}

/// Makes text safe for this terminal.
pub fn shown(text: &str, look: Look) -> String {
    let safe = for_terminal(text);
    if look.utf8 { safe } else { safe.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect() }
}

fn block(entry: &Entry, look: Look, alone: bool, ended: bool) -> Vec<Row> {
    let mut rows = head(entry, look, ended);
    let details = details(entry, look, alone, ended).into_iter();
    rows.extend(details.map(|text| plain(format!("  {text}"), look)));
    rows
}

/// The name of a torrent, and its progress.
pub fn head(entry: &Entry, look: Look, ended: bool) -> Vec<Row> {
    let progress = progress(entry, look, ended).into_iter().map(|text| plain(format!("  {text}"), look));
    std::iter::once(title(entry, look, ended)).chain(progress).collect()
}

/// `name                downloading`.
fn title(entry: &Entry, look: Look, ended: bool) -> Row {
    let state = doing(entry, ended).word();
    let room = look.columns.saturating_sub(state.len() + 2);
    let name = shorten_middle(&shown(&entry.name, look), room, ellipsis(look));
    let mut row = plain(format!("{}  {state}", pad(&name, room)), look);
    row.strong = if row.text.starts_with(&name) { name.len() } else { 0 };
    row
}

/// What the torrent is doing, or how it ended.
fn doing(entry: &Entry, ended: bool) -> Doing {
    if ended { Doing::at_end(entry) } else { Doing::of(entry) }
}

/// The time until a torrent is complete.
fn left(entry: &Entry, ended: bool) -> Option<Duration> {
    words::time_left(entry).filter(|_| !ended)
}

/// What is verified or checked, and what has arrived but is not verified yet, in thousandths.
fn shares(entry: &Entry) -> (u64, u64) {
    let (length, done) = (entry.length(), entry.done());
    (per_mille(done, length), per_mille(entry.running().map_or(0, |status| status.under_way), length))
}

/// The bar, and the figures beside or below it.
fn progress(entry: &Entry, look: Look, ended: bool) -> Vec<String> {
    let (length, done) = (entry.length(), entry.done());
    let percent = percent(done, length);
    let (full, half) = shares(entry);
    let sizes = match entry.learning() {
        Some(status) if status.size.is_none() => String::new(),
        _ if done == length => size(length),
        _ => of(done, length),
    };
    let left = left(entry, ended).map_or(String::new(), |left| format!("{} left", duration(left)));
    let inner = look.columns.saturating_sub(2);
    if look.columns >= WIDE {
        let width = inner.saturating_sub(PERCENT + SIZES + LEFT + 6).min(MOST_BAR);
        let bar = bar(full, half, width, look.utf8);
        return vec![format!("{bar}  {percent:>PERCENT$}  {sizes:<SIZES$}  {left}")];
    }
    let bar = bar(full, half, inner.saturating_sub(PERCENT + 2), look.utf8);
    vec![format!("{bar}  {percent:>PERCENT$}"), format!("{sizes}  {left}")]
}

/// The reason why nothing arrives, in a few rows.
pub fn reason(text: &str, look: Look) -> Vec<String> {
    wrap(&shown(text, look), look.columns.saturating_sub(2), REASON_ROWS, ellipsis(look))
}

/// Rates, peers, pieces and trackers; or the reason why nothing arrives. Empty at the end of a run, when failures are
/// printed below the screen.
fn details(entry: &Entry, look: Look, alone: bool, ended: bool) -> Vec<String> {
    let inner = look.columns.saturating_sub(2);
    if let Some(problem) = words::problem(entry).filter(|_| !ended) {
        return reason(&problem, look);
    }
    if let Some(status) = entry.learning().filter(|_| !ended) {
        let why = words::learning(status);
        let mut rows = reason(&why, look);
        rows.extend(tracker_rows(&status.trackers, alone, &shown(&why, look), look));
        return rows;
    }
    let Some(status) = entry.running().filter(|_| !ended) else { return Vec::new() };
    let up = format!("{} up", rate(status.up_rate));
    let why = words::why(entry).map_or(String::new(), |why| shown(&why, look));
    let mut rows = match Doing::of(entry) {
        Doing::Seeding => flow(vec![up, format!("{} sent", size(status.uploaded)), words::peers(status)], inner),
        _ if why.is_empty() => flow(vec![format!("{} down", rate(status.down_rate)), up, words::peers(status)], inner),
        _ => reason(&why, look),
    };
    if alone && status.map.len() > 1 {
        rows.push(pieces(status, look));
    }
    rows.extend(tracker_rows(&status.trackers, alone, &why, look));
    rows
}

/// The trackers, in a few rows. A tracker that is named in the reason `why` is not shown twice.
fn tracker_rows(trackers: &[Tracker], alone: bool, why: &str, look: Look) -> Vec<String> {
    let rows = match trackers {
        [] => Vec::new(),
        few if few.len() == 1 || alone && few.len() <= TRACKER_ROWS => few.iter().map(trackers::tracker).collect(),
        many => vec![trackers::together(many)],
    };
    rows.iter().map(|text| shown(text, look)).filter(|text| !why.contains(text.as_str())).collect()
}

/// The map of pieces, and the bytes that are not verified yet.
fn pieces(status: &Status, look: Look) -> String {
    let map = map(&status.map, look.utf8);
    match status.under_way {
        0 => format!("{PIECES}{map}"),
        _ if look.columns < WIDE => format!("{PIECES}{map}"),
        bytes => format!("{PIECES}{map}  {} under way", size(bytes)),
    }
}

/// The columns of the map of pieces.
pub fn map_columns(look: Look) -> usize {
    let beside = if look.columns >= WIDE { UNDER_WAY } else { 0 };
    look.columns.saturating_sub(2 + PIECES.len() + beside)
}

/// Puts items side by side, on as many rows as they need. The columns stay in place while the figures change.
fn flow(items: Vec<String>, width: usize) -> Vec<String> {
    let mut rows: Vec<String> = Vec::new();
    for item in items {
        match rows.last_mut() {
            Some(row) if columns(row) + columns(&item) <= width => row.push_str(&pad(&item, SIZES)),
            _ => rows.push(pad(&item, SIZES)),
        }
    }
    rows
}

/// A torrent in one row.
fn line(entry: &Entry, look: Look, ended: bool) -> Row {
    let (done, length) = (entry.done(), entry.length());
    let note = match (doing(entry, ended), entry.running()) {
        (Doing::Downloading, Some(status)) => rate(status.down_rate),
        (doing, _) => doing.word().into(),
    };
    let mut right = format!("  {:>PERCENT$}  {note:<NOTE$}", percent(done, length));
    if let Some(problem) = words::problem(entry).filter(|_| !ended) {
        let room = look.columns / 2;
        right = format!("  failed: {}", shorten_end(&shown(&problem, look), room, ellipsis(look)));
    }
    if look.columns >= WIDE && (ended || entry.problem().is_none()) {
        let (full, half) = shares(entry);
        let bar = bar(full, half, look.columns / 6, look.utf8);
        right = format!("  {bar}{right}  {:<NOTE$}", left(entry, ended).map_or(String::new(), duration));
    }
    let room = look.columns.saturating_sub(columns(&right));
    let name = shorten_middle(&shown(&entry.name, look), room, ellipsis(look));
    Row { strong: name.len(), ..plain(pad(&name, room) + &right, look) }
}

/// `… and 12 more: 10 seeding, 2 waiting`.
fn more<'a>(entries: impl Iterator<Item = &'a Entry>, ended: bool) -> String {
    let states: Vec<Doing> = entries.map(|entry| doing(entry, ended)).collect();
    let number = |state: Doing| states.iter().filter(|&&other| other == state).count();
    let kinds = KINDS.into_iter().filter(|&kind| number(kind) > 0);
    let kinds = kinds.map(|kind| format!("{} {}", number(kind), kind.word()));
    format!("... and {} more: {}", states.len(), kinds.collect::<Vec<_>>().join(", "))
}

/// The sum of all torrents in one row, as much as there is room for.
pub fn total(session: &Session, look: Look, ended: bool) -> Row {
    let entries = || session.all();
    let running = || entries().filter_map(Entry::running);
    let (down, up) = (session.down_rate(), session.up_rate());
    // The rates of complete or waiting torrents say nothing about the others.
    let coming = entries().filter(|entry| Doing::of(entry) == Doing::Downloading).filter_map(Entry::running);
    let left = time_left(sum(running().map(|status| status.left)), sum(coming.map(|status| status.down_rate)));
    // While content is checked, it is not known how much is missing.
    let checking = entries().any(|entry| entry.checking().is_some());
    let left =
        left.filter(|_| session.settled.is_none() && !checking).map_or(String::new(), |left| duration(left) + " left");
    let failed = match session.failed() {
        0 => String::new(),
        failed => format!(", {failed} failed"),
    };
    let torrents = format!("{}, {} complete{failed}", count(entries().count(), "torrent"), session.complete_count());
    let rates = [format!("{} down", rate(down)), format!("{} up", rate(up)), left];
    let mut text = torrents;
    for part in rates.into_iter().filter(|_| !ended) {
        if columns(&text) + 2 + columns(&part) <= look.columns {
            text += &format!("  {part}");
        }
    }
    plain(text, look)
}

/// How interesting a torrent is. The most interesting torrents are shown.
fn interest(entry: &Entry) -> (u8, u64) {
    let rates = entry.running().map_or(0, |status| status.down_rate.max(status.up_rate));
    match Doing::of(entry) {
        Doing::Downloading => (4, rates),
        Doing::Checking | Doing::Learning => (3, 0),
        Doing::Failed => (2, 0),
        Doing::Waiting | Doing::Paused => (1, 0),
        _ => (if rates > 0 { 2 } else { 0 }, rates),
    }
}

/// A row without bold text.
pub fn plain(text: String, look: Look) -> Row {
    Row { text: shorten_end(text.trim_end(), look.columns, ellipsis(look)), ..Row::default() }
}

/// The sign for text that was cut off.
pub fn ellipsis(look: Look) -> &'static str {
    if look.utf8 { "…" } else { ".." }
}

#[cfg(test)]
mod tests;
