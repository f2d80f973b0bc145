//! The live screen: drawn in place at each change, on standard error.
//!
//! Floor 4. No mode of the terminal is changed, and after each drawing the cursor is in an empty line below the screen:
//! so there is nothing to restore, however the program ends. Each drawing is one write and overwrites row by row, so
//! that nothing flickers.

use super::layout::{Look, Row, draw, shown};
use super::session::{Event, Session};
use super::view::warning;
use super::{lines, say, width, words};
use std::io::{self, IsTerminal, Write};
use std::time::Instant;

/// Of a terminal that does not tell.
const USUAL_SIZE: (usize, usize) = (80, 24);
/// Rows for the closing words, on the narrowest of terminals.
const CLOSING_ROWS: usize = 3;

/// The screen, and what it shows just now.
pub struct Screen {
    utf8: bool,
    bold: bool,
    /// The columns of each row drawn last, to know how many rows they take when the terminal has become narrower.
    drawn: Vec<usize>,
    /// The terminal's size then.
    size: (usize, usize),
    /// Said below it from when on the run comes to its end.
    goodbye: &'static str,
}

impl Screen {
    /// The screen, if standard error is a terminal that can move its cursor.
    pub fn new() -> Option<Screen> {
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let moves = !matches!(std::env::var("TERM").as_deref(), Ok("dumb" | "") | Err(_));
        let bold = !is_set("NO_COLOR");
        (io::stderr().is_terminal() && moves).then(|| Screen {
            utf8: is_utf8(),
            bold,
            drawn: Vec::new(),
            size: (0, 0),
            goodbye: "",
        })
    }

    /// Shows what happened.
    pub fn show(&mut self, event: &Event, session: &Session) {
        let ended = *event == Event::Ended;
        match event {
            Event::Stopping { interrupted: true } => {
                self.goodbye = "stopping: telling the trackers goodbye; interrupt again to end at once";
            }
            Event::Stopping { interrupted: false } => self.goodbye = "telling the trackers goodbye",
            Event::Ended => self.goodbye = "",
            _ => {}
        }
        // A job in the background keeps quiet, but tells its end.
        if !ended && in_background() {
            return;
        }
        let (columns, rows) = size();
        // The last column is left free, for terminals wrap there; and so is the row of the cursor.
        let look = Look { columns: columns.saturating_sub(1), rows: rows.saturating_sub(1), utf8: self.utf8 };
        let mut out = self.back(columns);
        if self.size != (columns, rows) {
            // A terminal that was resized has broken rows in two, and some remember that.
            out += "\x1b[J";
            self.size = (columns, rows);
        }
        if let Event::Warning(text) = event {
            // Above the screen, where it stays.
            for text in width::wrap(&shown(&warning(text), look), look.columns, CLOSING_ROWS, "") {
                out += &self.paint(&Row { text, strong: 0 });
            }
        }
        let goodbye = width::wrap(self.goodbye, look.columns, CLOSING_ROWS, "");
        let rows = look.rows.saturating_sub(goodbye.len());
        let mut drawing = draw(session, Look { rows, ..look }, ended);
        drawing.extend(goodbye.into_iter().map(|text| Row { text, strong: 0 }));
        for row in &drawing {
            out += &self.paint(row);
        }
        out += "\x1b[J";
        self.drawn = drawing.iter().map(|row| width::columns(&row.text)).collect();
        // Were the terminal gone, there would be nobody to tell.
        let _ = io::stderr().lock().write_all(out.as_bytes());
        if ended {
            (0..session.entries.len()).for_each(|torrent| lines::problem(torrent, session));
            let closing = words::closing(session, Instant::now());
            width::wrap(&closing, look.columns, CLOSING_ROWS, "").iter().for_each(|row| say::line(row));
        }
    }

    /// The cursor back to where the last drawing began.
    fn back(&self, columns: usize) -> String {
        match self.drawn.iter().map(|width| width.div_ceil(columns.max(1)).max(1)).sum() {
            0usize => "\r".into(),
            rows => format!("\r\x1b[{rows}A"),
        }
    }

    fn paint(&self, row: &Row) -> String {
        let (strong, rest) = row.text.split_at(row.strong);
        match strong {
            "" => format!("{rest}\x1b[K\n"),
            _ if !self.bold => format!("{strong}{rest}\x1b[K\n"),
            _ => format!("\x1b[1m{strong}\x1b[0m{rest}\x1b[K\n"),
        }
    }
}

/// Columns and rows of the terminal.
fn size() -> (usize, usize) {
    match rustix::termios::tcgetwinsize(io::stderr()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.into(), size.ws_row.into()),
        _ => USUAL_SIZE,
    }
}

/// Whether the terminal belongs to another job now, in which we would scribble.
fn in_background() -> bool {
    rustix::termios::tcgetpgrp(io::stderr()).is_ok_and(|group| group != rustix::process::getpgrp())
}

/// Whether the locale says UTF-8: the first of these variables that is set decides (POSIX).
fn is_utf8() -> bool {
    let set = |name: &&str| std::env::var(name).is_ok_and(|value| !value.is_empty());
    let name = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find(|name| set(name));
    let value = name.and_then(|name| std::env::var(name).ok()).unwrap_or_default().to_ascii_lowercase();
    value.contains("utf-8") || value.contains("utf8")
}
