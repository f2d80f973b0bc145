//! The live screen on standard error: drawn in place at each change.
//!
//! Floor 4. The [`canvas`] draws, and [`terminal`] changes the modes.

pub mod canvas;

use super::layout::{Look, Row, draw, head, map_columns, plain, reason, shown};
use super::roster::Roster;
use super::{lines, peers, words};
use crate::base::width;
use crate::cli::run::keys::{KEYS, LIST_KEYS};
use crate::cli::run::request::Key;
use crate::cli::run::session::{Session, Update};
use crate::cli::run::terminal;
use crate::cli::say;
use crate::engine::{TorrentId, Watch};
use canvas::Canvas;
pub use canvas::{is_there, is_utf8};
use std::time::Instant;

/// Most rows for the closing words.
const CLOSING_ROWS: usize = 3;

/// The screen, and what it shows now.
pub struct Screen {
    canvas: Canvas,
    /// Shown below the torrents while the run ends.
    ending_line: &'static str,
    /// Whether the keys are shown. They are until the person hides them.
    keys: bool,
    /// The torrent whose peers are shown.
    peers_of: Option<TorrentId>,
    /// The list of all torrents; `None`: each torrent has as many rows as there is room for.
    list: Option<Roster>,
}

impl Screen {
    /// The screen, if standard error is a terminal that can move its cursor.
    pub fn new() -> Option<Screen> {
        is_there().then(|| Screen { canvas: Canvas::new(), ending_line: "", keys: true, peers_of: None, list: None })
    }

    /// Changes to a screen that shows all torrents in a list.
    pub fn into_list(self) -> Screen {
        Screen { list: Some(Roster::default()), ..self }
    }

    /// The torrent that is selected in the list.
    pub fn selected(&self) -> Option<TorrentId> {
        self.list.as_ref().and_then(Roster::selected)
    }

    /// The details that are shown now.
    pub fn watch(&self) -> Watch {
        // A list has no maps of pieces.
        let cells = if self.list.is_some() { 0 } else { map_columns(Canvas::look()) };
        Watch { cells, peers_of: self.peers_of, selected: self.selected() }
    }

    /// Does what a key stands for.
    pub fn pressed(&mut self, key: Key, session: &Session) {
        match (key, &mut self.list) {
            (Key::Help, _) => self.keys = !self.keys,
            (Key::Sort, Some(list)) => list.sort_by_next_column(),
            (Key::Move(to), Some(list)) => {
                list.go(to);
                self.peers_of = self.peers_of.and(list.selected());
            }
            (Key::Peers, Some(list)) => self.peers_of = if self.peers_of.is_some() { None } else { list.selected() },
            (Key::Peers, None) => {
                let mut torrents = session.entries.keys().copied();
                self.peers_of = torrents.find(|torrent| self.peers_of.is_none_or(|shown| *torrent > shown));
            }
            _ => {}
        }
    }

    /// Draws the screen again. `lost`: the old drawing may be gone, so nothing is overwritten.
    pub fn redraw(&mut self, session: &Session, lost: bool) {
        if lost {
            self.canvas.forget();
        }
        self.show(&Update::Ticked, session);
    }

    /// Shows an update.
    pub fn show(&mut self, update: &Update, session: &Session) {
        let ended = *update == Update::Ended;
        match update {
            Update::Stopping { interrupted } => self.ending_line = ending_line(*interrupted, session.has_trackers()),
            Update::Ended => self.ending_line = "",
            _ => {}
        }
        // If a thousand torrents came at once, the list would be sorted a thousand times. Updates of a single torrent
        // wait for the next tick.
        let of_all = matches!(
            update,
            Update::Started
                | Update::Ticked
                | Update::Warning { .. }
                | Update::Problem(_)
                | Update::Stopping { .. }
                | Update::Ended
        );
        if self.list.is_some() && !of_all {
            return;
        }
        // A job in the background draws nothing, except at its end.
        if !ended && terminal::in_background() {
            return;
        }
        // The program may have returned to the foreground.
        terminal::take();
        let look = Canvas::look();
        let told = match update {
            Update::Warning { text, .. } => say::warning(text),
            Update::Problem(text) => text.clone(),
            _ => String::new(),
        };
        // Messages are written above the screen, and stay there.
        let told =
            if told.is_empty() { Vec::new() } else { width::wrap(&shown(&told, look), look.columns, CLOSING_ROWS, "") };
        let above: Vec<Row> = told.into_iter().map(|text| Row { text, ..Row::default() }).collect();
        let drawing = self.rows(session, look, ended, terminal::has_keys());
        self.canvas.draw(&above, &drawing, look);
        if ended {
            session.entries.keys().for_each(|torrent| lines::problem(*torrent, session));
            let closing = words::closing(session, Instant::now());
            width::wrap(&closing, look.columns, CLOSING_ROWS, "").iter().for_each(|row| say::line(row));
        }
    }

    /// All rows: the torrents or the peers of one, and the lines below. None is wider than the screen.
    fn rows(&mut self, session: &Session, look: Look, ended: bool, has_keys: bool) -> Vec<Row> {
        let mut below = Vec::new();
        let limit =
            |limit: Option<u64>, way| limit.filter(|_| !ended).map(|limit| format!("{} KiB/s {way}", limit >> 10));
        let limits: Vec<String> = [limit(session.limits.download, "down"), limit(session.limits.upload, "up")]
            .into_iter()
            .flatten()
            .collect();
        if !limits.is_empty() {
            below.extend(width::wrap(&format!("limited to {}", limits.join(", ")), look.columns, CLOSING_ROWS, ""));
        }
        if let Some(way_out) = session.way_out().filter(|_| !ended) {
            below.extend(width::wrap(&shown(&way_out, look), look.columns, CLOSING_ROWS, ""));
        }
        if has_keys && !ended {
            below.extend(self.keys(look));
        }
        below.extend(width::wrap(self.ending_line, look.columns, CLOSING_ROWS, ""));
        let room = Look { rows: look.rows.saturating_sub(below.len()), ..look };
        let mut rows = match self.peers_of.and_then(|torrent| session.entries.get(&torrent)).filter(|_| !ended) {
            None => match &mut self.list {
                None => draw(session, room, ended),
                Some(list) => list.draw(session, room, ended),
            },
            Some(entry) => {
                let mut rows = head(entry, room, false);
                let learning = entry.learning().map_or(&[][..], |status| &status.peer_list);
                let peers = entry.running().map_or(learning, |status| &status.peer_list);
                match words::why(entry).filter(|_| peers.is_empty()) {
                    Some(why) => {
                        rows.extend(reason(&why, room).into_iter().map(|text| plain(format!("  {text}"), room)))
                    }
                    None => rows.extend(peers::draw(peers, room, room.rows.saturating_sub(rows.len()))),
                }
                rows.truncate(room.rows);
                rows
            }
        };
        rows.extend(below.into_iter().map(|text| Row { text, ..Row::default() }));
        rows.truncate(look.rows);
        rows
    }

    /// The keys; in the peers view also the meaning of the flags.
    fn keys(&self, look: Look) -> Vec<String> {
        if !self.keys {
            return Vec::new();
        }
        let [wide, narrow] = if self.list.is_some() { LIST_KEYS } else { KEYS };
        let keys = if wide.len() <= look.columns { wide } else { narrow };
        let mut rows = width::wrap(keys, look.columns, CLOSING_ROWS, "");
        if self.peers_of.is_some() {
            let flags = width::wrap(peers::FLAGS, look.columns, CLOSING_ROWS, "");
            // They get at most a sixth of the rows, because the peers are more important.
            if flags.len() * 6 <= look.rows {
                rows.extend(flags);
            }
        }
        rows
    }
}

/// The line that is shown while the run ends.
fn ending_line(interrupted: bool, trackers: bool) -> &'static str {
    match (interrupted, trackers) {
        (true, true) => "stopping: notifying the trackers; interrupt again to quit immediately",
        (true, false) => "stopping; interrupt again to quit immediately",
        (false, true) => "notifying the trackers",
        (false, false) => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::run::session::tests::{peer, session, status};
    use crate::engine::Phase;
    use crate::swarm::figures::Status;

    /// A screen that shows everything it can show.
    fn full(peers_of: Option<TorrentId>, list: Option<Roster>) -> (Screen, Session) {
        let (ending_line, keys) = (ending_line(true, true), true);
        let screen = Screen { canvas: Canvas::new(), ending_line, keys, peers_of, list };
        let peer_list = vec![peer("[2001:db8::1]:6881"), peer("10.0.0.1:6881")];
        let running = Phase::Running(Status { peer_list: peer_list.into(), ..status(50 << 20) }.into());
        let mut session = session(vec![("東京 a long name.iso", 100 << 20, running)]);
        session.limits.download = Some(1000 << 10);
        (screen, session)
    }

    #[test]
    fn everything_fits_the_smallest_terminal() {
        for (peers_of, list) in [(None, None), (Some(TorrentId(0)), None), (None, Some(Roster::default()))] {
            let (mut screen, session) = full(peers_of, list);
            for (columns, rows) in (0..100).flat_map(|columns| (0..26).map(move |rows| (columns, rows))) {
                let drawn = screen.rows(&session, Look { columns, rows, utf8: true }, false, true);
                assert!(drawn.len() <= rows, "{columns}x{rows}: {drawn:#?}");
                assert!(drawn.iter().all(|row| width::columns(&row.text) <= columns), "{columns}x{rows}: {drawn:#?}");
            }
        }
    }

    #[test]
    fn the_meaning_of_the_flags_fits_one_row_of_80_columns() {
        let (mut screen, session) = full(Some(TorrentId(0)), None);
        let rows = screen.rows(&session, Look { columns: 79, rows: 23, utf8: true }, false, true);
        assert!(rows.iter().any(|row| row.text == peers::FLAGS), "{rows:#?}");
    }

    #[test]
    fn the_key_of_the_keys_changes_what_is_seen_each_time() {
        for list in [None, Some(Roster::default())] {
            let (mut screen, session) = full(Some(TorrentId(0)), list);
            for shown in [true, false, true] {
                let rows = screen.rows(&session, Look { columns: 79, rows: 23, utf8: true }, false, true);
                let has = |text: &str| rows.iter().any(|row| row.text.starts_with(text));
                assert_eq!([has("q quit, "), has(peers::FLAGS)], [shown; 2], "{rows:#?}");
                screen.pressed(Key::Help, &session);
            }
        }
    }

    #[test]
    fn limits_are_shown_in_the_units_of_the_options() {
        let (mut screen, mut session) = full(None, None);
        session.limits.upload = Some(5 << 10);
        let rows = screen.rows(&session, Look { columns: 79, rows: 23, utf8: true }, false, false);
        assert!(rows.iter().any(|row| row.text == "limited to 1000 KiB/s down, 5 KiB/s up"), "{rows:#?}");
    }

    #[test]
    fn without_peers_the_peers_view_shows_the_reason() {
        let (mut screen, mut session) = full(Some(TorrentId(0)), None);
        let nobody = Status { peers: 0, useful: 0, askable: 0, known: 0, down_rate: 0, ..status(50 << 20) };
        session.at(0).phase = Phase::Running(nobody.into());
        let rows = screen.rows(&session, Look { columns: 79, rows: 23, utf8: true }, false, true);
        assert!(rows.iter().any(|row| row.text == "  no peers: the tracker knows none"), "{rows:#?}");
    }
}
