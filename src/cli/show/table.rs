//! A table of torrents on a live screen: a row each with its figures, titles above them, and the place of the selected
//! one.
//!
//! Floor 4. Pure: this does not touch the terminal. `many` has such a table of its own torrents, and `attach` one of
//! those of a daemon.

use super::layout::{Look, Row, ellipsis, plain, shown};
use crate::base::units::rate;
use crate::base::width::{columns, pad, shorten_middle};
use crate::cli::run::request::Move;
use std::ops::Range;

/// With at least this many columns, a row has all figures.
const WIDE: usize = 68;
/// Columns of `downloading`; then of `100 KiB/s`, of `100.0 %`, and of a number of peers, or of their titles in
/// brackets.
const STATE: usize = 11;
const RATE: usize = 10;
const PERCENT: usize = 7;
const PEERS: usize = 7;
/// The titles of the figures.
const TITLES: [&str; 4] = ["done", "down", "up", "peers"];

/// The figures of a torrent.
pub struct Cells<'a> {
    /// Its name, not safe for a terminal.
    pub name: &'a str,
    /// What it does, in a word. A `*` behind it means that something is wrong; narrow terminals have no room for that.
    pub state: String,
    /// `62.4 %`
    pub done: String,
    /// Bytes per second.
    pub down: u64,
    /// Bytes per second.
    pub up: u64,
    /// Connected peers.
    pub peers: u64,
}

/// A torrent in one row. The selected row is also marked without colours.
pub fn line(cells: &Cells, look: Look, selected: bool) -> Row {
    let flow = |now: u64| if now > 0 { rate(now) } else { String::new() };
    let (down, up) = (flow(cells.down), flow(cells.up));
    let right = if look.columns >= WIDE {
        let peers = if cells.peers > 0 { cells.peers.to_string() } else { String::new() };
        numbers(&cells.state, [&cells.done, &down, &up, &peers])
    } else {
        let note = [&down, &up].into_iter().find(|rate| !rate.is_empty()).unwrap_or(&cells.state);
        let note = note.trim_end_matches('*');
        format!(" {:>PERCENT$} {note:>STATE$}", cells.done)
    };
    let room = look.columns.saturating_sub(columns(&right) + 1);
    let name = shorten_middle(&shown(cells.name, look), room, ellipsis(look));
    let row = plain(behind(format!("{}{name}", if selected { '>' } else { ' ' }), right, look), look);
    // The inverted row is as wide as the screen.
    if selected { Row { text: pad(&row.text, look.columns), selected, ..row } } else { row }
}

/// The titles of the columns, with that by which the torrents are `sorted` in brackets, and a text about the `position`
/// of the selected torrent. An order without a column stands beside the names.
pub fn titles(sorted: &str, position: &str, look: Look) -> Row {
    let title = |text: &str| if text == sorted { format!("[{text}]") } else { text.to_string() };
    let has_column = TITLES.contains(&sorted);
    let beside = if has_column || sorted == "name" { String::new() } else { format!(" by [{sorted}]") };
    let name = format!(" {}{beside} {position}", title("name"));
    let right = if look.columns >= WIDE {
        let [done, down, up, peers] = TITLES.map(title);
        numbers("", [&done, &down, &up, &peers])
    } else {
        format!("{:>width$}", if has_column { title(sorted) } else { String::new() }, width = PERCENT + 2 + STATE)
    };
    plain(behind(name, right, look), look)
}

fn numbers(state: &str, [done, down, up, peers]: [&str; 4]) -> String {
    // A mark behind the state may stand in the space before the next figure.
    format!(" {state:<width$}{done:>PERCENT$} {down:>RATE$} {up:>RATE$} {peers:>PEERS$}", width = STATE + 1)
}

/// Puts text at the left, and the columns of figures at the right.
fn behind(left: String, right: String, look: Look) -> String {
    pad(&left, look.columns.saturating_sub(columns(&right))) + &right
}

/// The place in a list: which row is selected, and which ones are visible.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place {
    /// The selected row.
    pub at: usize,
    /// The first visible row.
    top: usize,
    /// The number of visible rows.
    pub height: usize,
}

impl Place {
    /// Selects another one of `count` rows.
    pub fn go(&mut self, to: Move, count: usize) {
        let page = self.height.saturating_sub(1).max(1);
        let at = match to {
            Move::Up => self.at.saturating_sub(1),
            Move::Down => self.at + 1,
            Move::PageUp => self.at.saturating_sub(page),
            Move::PageDown => self.at + page,
            Move::First => 0,
            Move::Last => usize::MAX,
        };
        self.at = at.min(count.saturating_sub(1));
    }

    /// Scrolls so that the selected row is visible and no row is empty. Returns the visible rows.
    pub fn seen(&mut self, height: usize, count: usize) -> Range<usize> {
        self.height = height;
        let last_top = count.saturating_sub(height);
        let least = (self.at + 1).saturating_sub(height);
        self.top = self.top.clamp(least.min(self.at), self.at).min(last_top);
        self.top..count.min(self.top + height)
    }

    /// `3 of 2000`
    pub fn of(&self, count: usize) -> String {
        format!("{} of {count}", (self.at + 1).min(count))
    }
}
