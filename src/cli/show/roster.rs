//! The live screen of [`many`](crate::cli::commands::many): a list of all torrents, which can be sorted and scrolled.
//!
//! Floor 4. Pure: this does not touch the terminal. Only visible rows are made, so a thousand torrents cost one sort.

use super::doing::Doing;
use super::layout::{Look, Row, ellipsis, plain, shown, total};
use super::words::{self, trackers};
use crate::base::units::{per_mille, percent, rate};
use crate::base::width::{columns, pad, shorten_end, shorten_middle};
use crate::cli::run::entry::Entry;
use crate::cli::run::request::Move;
use crate::cli::run::session::Session;
use crate::engine::TorrentId;
use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;

/// With at least this many columns, a row has all figures.
const WIDE: usize = 68;
/// Columns of `downloading`; then of `100 KiB/s`, of `100.0 %`, and of a number of peers, or of their titles in
/// brackets.
const STATE: usize = 11;
const RATE: usize = 10;
const PERCENT: usize = 7;
const PEERS: usize = 7;
/// Rows besides the torrents: the titles, a line about the selected torrent, the sum.
const OTHERS: usize = 3;

/// The column by which the torrents are sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum SortBy {
    #[default]
    Name,
    /// Failed torrents first, then the least complete.
    Progress,
    Down,
    Up,
    Peers,
}

/// The list, and the position in it.
#[derive(Default)]
pub struct Roster {
    order: SortBy,
    /// The selected torrent. It stays selected when the order changes.
    selected: Option<TorrentId>,
    /// The person selected it. Otherwise the first row is selected, whichever torrent it is.
    chosen: bool,
    /// The row of the selected torrent.
    at: usize,
    /// The first visible row.
    top: usize,
    /// The number of visible rows.
    height: usize,
    /// The torrents in their order.
    sorted: Vec<TorrentId>,
}

impl Roster {
    /// The selected torrent, if there is one.
    pub fn selected(&self) -> Option<TorrentId> {
        self.selected
    }

    /// Sorts by the next column.
    pub fn sort_by_next_column(&mut self) {
        self.order = match self.order {
            SortBy::Name => SortBy::Progress,
            SortBy::Progress => SortBy::Down,
            SortBy::Down => SortBy::Up,
            SortBy::Up => SortBy::Peers,
            SortBy::Peers => SortBy::Name,
        };
    }

    /// Selects another torrent.
    pub fn go(&mut self, to: Move) {
        self.chosen = true;
        let page = self.height.saturating_sub(1).max(1);
        let at = match to {
            Move::Up => self.at.saturating_sub(1),
            Move::Down => self.at + 1,
            Move::PageUp => self.at.saturating_sub(page),
            Move::PageDown => self.at + page,
            Move::First => 0,
            Move::Last => usize::MAX,
        };
        self.at = at.min(self.sorted.len().saturating_sub(1));
        self.selected = self.sorted.get(self.at).copied();
    }

    /// The rows of a session. `ended`: for the last time, when only the sum is shown.
    pub fn draw(&mut self, session: &Session, look: Look, ended: bool) -> Vec<Row> {
        if ended {
            return vec![total(session, look, true)];
        }
        self.sort(&session.entries);
        self.height = look.rows.saturating_sub(OTHERS);
        self.scroll();
        let seen = self.sorted.iter().enumerate().skip(self.top).take(self.height);
        let row = |(at, torrent): (usize, &TorrentId)| {
            let mut row = plain(line(&session.entries[torrent], look, at == self.at), look);
            if at == self.at {
                // The inverted row is as wide as the screen.
                row = Row { text: pad(&row.text, look.columns), selected: true, ..row };
            }
            row
        };
        let mut rows = vec![plain(self.titles(look), look)];
        rows.extend(seen.map(row));
        if self.sorted.is_empty() && self.height > 0 {
            rows.push(plain(" no torrents yet: the folder is scanned every few seconds".into(), look));
        }
        let chosen = self.selected.and_then(|torrent| session.entries.get(&torrent));
        rows.push(plain(chosen.map_or(String::new(), |entry| detail(entry, look)), look));
        rows.push(total(session, look, false));
        rows.truncate(look.rows);
        rows
    }

    /// Sorts the torrents and finds the selected one. If it is gone, the torrent in its place is selected.
    fn sort(&mut self, entries: &BTreeMap<TorrentId, Box<Entry>>) {
        let mut sorted: Vec<(&TorrentId, &Box<Entry>)> = entries.iter().collect();
        let order = self.order;
        sorted.sort_unstable_by(|(a, one), (b, other)| compare(order, one, other).then(a.cmp(b)));
        self.sorted = sorted.into_iter().map(|(torrent, _)| *torrent).collect();
        match self.sorted.iter().position(|&torrent| Some(torrent) == self.selected) {
            Some(at) if self.chosen => self.at = at,
            _ => self.at = self.at.min(self.sorted.len().saturating_sub(1)),
        }
        self.selected = self.sorted.get(self.at).copied();
    }

    /// Scrolls so that the selected row is visible and no row is empty.
    fn scroll(&mut self) {
        let last_top = self.sorted.len().saturating_sub(self.height);
        let least = (self.at + 1).saturating_sub(self.height);
        self.top = self.top.clamp(least.min(self.at), self.at).min(last_top);
    }

    /// The titles of the columns, with the sorted one in brackets, and the position of the selected torrent.
    fn titles(&self, look: Look) -> String {
        let position = format!("{} of {}", (self.at + 1).min(self.sorted.len()), self.sorted.len());
        let title =
            |order: SortBy, text: &str| if order == self.order { format!("[{text}]") } else { text.to_string() };
        let name = format!(" {} {position}", title(SortBy::Name, "name"));
        if look.columns >= WIDE {
            let [done, down] = [title(SortBy::Progress, "done"), title(SortBy::Down, "down")];
            let [up, peers] = [title(SortBy::Up, "up"), title(SortBy::Peers, "peers")];
            return behind(name, numbers("", &done, &down, &up, &peers), look);
        }
        let sorted = match self.order {
            SortBy::Name => "",
            SortBy::Progress => "[done]",
            SortBy::Down => "[down]",
            SortBy::Up => "[up]",
            SortBy::Peers => "[peers]",
        };
        behind(name, format!("{sorted:>width$}", width = PERCENT + 2 + STATE), look)
    }
}

/// Which torrent comes first.
fn compare(order: SortBy, a: &Entry, b: &Entry) -> Ordering {
    let number = |entry: &Entry| {
        entry.running().map_or(0, |status| match order {
            SortBy::Down => status.down_rate,
            SortBy::Up => status.up_rate,
            _ => (status.peers + status.web_seeds) as u64,
        })
    };
    match order {
        SortBy::Name => a.name.cmp(&b.name),
        SortBy::Progress => progress(a).cmp(&progress(b)),
        SortBy::Down | SortBy::Up | SortBy::Peers => Reverse(number(a)).cmp(&Reverse(number(b))),
    }
}

/// The sort key of the column "done": what a torrent is doing, and its progress.
fn progress(entry: &Entry) -> (u8, u64) {
    let rank = match Doing::of(entry) {
        Doing::Failed => 0,
        Doing::Checking | Doing::Learning => 1,
        Doing::Downloading => 2,
        Doing::Waiting => 3,
        Doing::Paused => 4,
        _ => 5,
    };
    (rank, per_mille(entry.done(), entry.length()))
}

/// A torrent in one row. The selected row is also marked without colours.
fn line(entry: &Entry, look: Look, selected: bool) -> String {
    let state = Doing::word_in_list(entry);
    let done = percent(entry.done(), entry.length());
    let flow = |of: fn(&crate::swarm::figures::Status) -> u64| {
        entry.running().map(of).filter(|&now| now > 0).map_or(String::new(), rate)
    };
    let (down, up) = (flow(|status| status.down_rate), flow(|status| status.up_rate));
    let right = if look.columns >= WIDE {
        let learning = entry.learning().map_or(0, |status| status.peers);
        let peers = entry.running().map_or(learning, |status| status.peers + status.web_seeds);
        let peers = if peers > 0 { peers.to_string() } else { String::new() };
        numbers(state, &done, &down, &up, &peers)
    } else {
        let note = [down, up].into_iter().find(|rate| !rate.is_empty()).unwrap_or_else(|| state.into());
        format!(" {done:>PERCENT$} {note:>STATE$}")
    };
    let room = look.columns.saturating_sub(columns(&right) + 1);
    let name = shorten_middle(&shown(&entry.name, look), room, ellipsis(look));
    behind(format!("{}{name}", if selected { '>' } else { ' ' }), right, look)
}

fn numbers(state: &str, done: &str, down: &str, up: &str, peers: &str) -> String {
    format!(" {state:<STATE$} {done:>PERCENT$} {down:>RATE$} {up:>RATE$} {peers:>PEERS$}")
}

/// Puts text at the left, and the columns of figures at the right.
fn behind(left: String, right: String, look: Look) -> String {
    pad(&left, look.columns.saturating_sub(columns(&right))) + &right
}

/// A line about the selected torrent: why it failed or gets nothing, or what its trackers say.
fn detail(entry: &Entry, look: Look) -> String {
    let text = match (words::problem(entry), words::why(entry), entry.running()) {
        (Some(problem), ..) => problem,
        (None, Some(why), _) => why,
        (None, None, Some(status)) if status.trackers.is_empty() => words::peers(status),
        (None, None, Some(status)) => {
            format!("{}; {}", words::peers(status), trackers::together(&status.trackers))
        }
        (None, None, None) => String::new(),
    };
    shorten_end(&shown(&text, look), look.columns, ellipsis(look))
}

#[cfg(test)]
mod tests;
