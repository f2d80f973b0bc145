//! The list of torrents of `attach`: their order, a filter, and the selected torrent.
//!
//! Floor 4. Pure.

use super::news::Torrent;
use crate::base::sort::sorted;
use crate::base::units::per_mille;
use crate::cli::run::request::Move;
use crate::cli::show::table::Place;
use std::collections::BTreeMap;

/// The orders, each with the title of its column.
const ORDERS: [&str; 6] = ["name", "done", "down", "up", "peers", "queue"];

/// The list, and the position in it.
#[derive(Default)]
pub struct List {
    /// The order, by its number.
    order: usize,
    /// Only torrents are shown whose name or state has this in it. It is in lower case.
    pub filter: String,
    /// The info-hash of the selected torrent. It stays selected when the order changes.
    selected: Option<String>,
    /// The person has pressed a key since. Otherwise the first row is selected, whichever torrent it is.
    pub chosen: bool,
    /// The row of the selected torrent.
    pub place: Place,
    /// The numbers of the torrents in their order.
    pub sorted: Vec<u64>,
}

impl List {
    /// The title of the column by which the torrents are sorted.
    pub fn order(&self) -> &'static str {
        ORDERS[self.order]
    }

    /// Sorts by the next column.
    pub fn sort_by_next_column(&mut self) {
        self.order = (self.order + 1) % ORDERS.len();
    }

    /// Selects another torrent.
    pub fn go(&mut self, to: Move, torrents: &BTreeMap<u64, Torrent>) {
        self.place.go(to, self.sorted.len());
        self.selected = self.at(torrents).map(|torrent| torrent.hash().into());
    }

    /// The selected torrent.
    pub fn at<'a>(&self, torrents: &'a BTreeMap<u64, Torrent>) -> Option<&'a Torrent> {
        torrents.get(self.sorted.get(self.place.at)?)
    }

    /// Sorts the torrents and finds the selected one. If it is gone, the torrent in its place is selected.
    pub fn sort(&mut self, torrents: &BTreeMap<u64, Torrent>) {
        let is_shown = |torrent: &Torrent| {
            let has = |text: &str| text.to_lowercase().contains(&self.filter);
            self.filter.is_empty() || has(torrent.name()) || has(torrent.figures.state)
        };
        let shown: Vec<(&u64, &Torrent)> = torrents.iter().filter(|(_, torrent)| is_shown(torrent)).collect();
        let compare = |one: usize, other: usize| {
            let (one, other) = (shown[one].1, shown[other].1);
            match self.order() {
                "done" => progress(one).cmp(&progress(other)),
                "down" => other.figures.down_rate.cmp(&one.figures.down_rate),
                "up" => other.figures.up_rate.cmp(&one.figures.up_rate),
                "peers" => other.figures.peers.cmp(&one.figures.peers),
                "queue" => one.queue.cmp(&other.queue),
                _ => one.name().cmp(other.name()),
            }
        };
        let order = sorted(shown.len(), &compare);
        let is_selected = |at: &u32| Some(shown[*at as usize].1.hash()) == self.selected.as_deref();
        match order.iter().position(is_selected) {
            Some(at) if self.chosen => self.place.at = at,
            _ => self.place.at = self.place.at.min(order.len().saturating_sub(1)),
        }
        self.sorted = order.into_iter().map(|at| *shown[at as usize].0).collect();
        self.selected = self.at(torrents).map(|torrent| torrent.hash().into());
    }
}

/// The sort key of the column "done": failed torrents first, then the least complete.
fn progress(torrent: &Torrent) -> (bool, u64) {
    let figures = &torrent.figures;
    (figures.state != "failed", per_mille(figures.size.saturating_sub(figures.left), figures.size.max(1)))
}
