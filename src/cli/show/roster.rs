//! The live screen of [`many`](crate::cli::commands::many): a list of all torrents, which can be sorted and scrolled.
//!
//! Floor 4. Pure: this does not touch the terminal. Only visible rows are made, so a thousand torrents cost one sort.

use super::doing::Doing;
use super::layout::{Look, Row, ellipsis, plain, shown, total};
use super::table::{Cells, Place, line, titles};
use super::words::{self, trackers};
use crate::base::units::{per_mille, percent};
use crate::base::width::shorten_end;
use crate::cli::run::entry::Entry;
use crate::cli::run::request::Move;
use crate::cli::run::session::Session;
use crate::engine::TorrentId;
use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;

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
    place: Place,
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
        self.place.go(to, self.sorted.len());
        self.selected = self.sorted.get(self.place.at).copied();
    }

    /// The rows of a session. `ended`: for the last time, when only the sum is shown.
    pub fn draw(&mut self, session: &Session, look: Look, ended: bool) -> Vec<Row> {
        if ended {
            return vec![total(session, look, true)];
        }
        self.sort(&session.entries);
        let seen = self.place.seen(look.rows.saturating_sub(OTHERS), self.sorted.len());
        let mut rows = vec![titles(self.order.title(), &self.place.of(self.sorted.len()), look)];
        rows.extend(seen.map(|at| line(&cells(&session.entries[&self.sorted[at]]), look, at == self.place.at)));
        if self.sorted.is_empty() && look.rows > OTHERS {
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
            Some(at) if self.chosen => self.place.at = at,
            _ => self.place.at = self.place.at.min(self.sorted.len().saturating_sub(1)),
        }
        self.selected = self.sorted.get(self.place.at).copied();
    }
}

impl SortBy {
    /// The title of its column.
    fn title(self) -> &'static str {
        match self {
            SortBy::Name => "name",
            SortBy::Progress => "done",
            SortBy::Down => "down",
            SortBy::Up => "up",
            SortBy::Peers => "peers",
        }
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

/// The figures of a torrent in one row.
fn cells(entry: &Entry) -> Cells<'_> {
    let learning = entry.learning().map_or(0, |status| status.peers);
    let running = entry.running();
    Cells {
        name: &entry.name,
        state: Doing::word_in_list(entry).into(),
        done: percent(entry.done(), entry.length()),
        down: running.map_or(0, |status| status.down_rate),
        up: running.map_or(0, |status| status.up_rate),
        peers: running.map_or(learning, |status| status.peers + status.web_seeds) as u64,
    }
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
