//! Rows that are drawn in place on standard error, again and again.
//!
//! Floor 4. After each drawing the cursor is in an empty line below it, so that the terminal is tidy however the
//! program ends. Each drawing is one write and overwrites row by row, so nothing flickers.

use crate::base::width;
use crate::cli::run::terminal;
use crate::cli::show::layout::{Look, Row};
use std::io::{self, IsTerminal, Write};

/// What is drawn now, and how rows are painted.
pub struct Canvas {
    bold: bool,
    /// The columns of each row that is drawn, from which follows how many rows they take if the terminal becomes
    /// narrower.
    drawn: Vec<usize>,
    /// The size of the terminal when they were drawn.
    size: (usize, usize),
}

impl Canvas {
    /// Nothing is drawn yet. Nothing is bold or inverted if NO_COLOR is set.
    pub fn new() -> Canvas {
        let bold = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Canvas { bold, drawn: Vec::new(), size: (0, 0) }
    }

    /// What the terminal can show. The last column stays free, because terminals wrap there, and so does the row of the
    /// cursor.
    pub fn look() -> Look {
        let (columns, rows) = terminal::size();
        Look { columns: columns.saturating_sub(1), rows: rows.saturating_sub(1), utf8: is_utf8() }
    }

    /// The old drawing may be gone: nothing is overwritten.
    pub fn forget(&mut self) {
        self.drawn.clear();
    }

    /// Draws `rows` over the last drawing. `above` is written above them, and stays there.
    pub fn draw(&mut self, above: &[Row], rows: &[Row], look: Look) {
        let size = (look.columns + 1, look.rows + 1);
        let mut out = self.back(size.0);
        if self.size != size {
            // Some terminals wrap rows when they are resized.
            out += "\x1b[J";
            self.size = size;
        }
        above.iter().chain(rows).for_each(|row| out += &self.paint(row));
        out += "\x1b[J";
        self.drawn = rows.iter().map(|row| width::columns(&row.text)).collect();
        // If the terminal is gone, there is nowhere to report that.
        let _ = io::stderr().lock().write_all(out.as_bytes());
    }

    /// Moves the cursor to where the last drawing began.
    fn back(&self, columns: usize) -> String {
        match self.drawn.iter().map(|width| width.div_ceil(columns.max(1)).max(1)).sum() {
            0usize => "\r".into(),
            rows => format!("\r\x1b[{rows}A"),
        }
    }

    fn paint(&self, row: &Row) -> String {
        if row.selected && self.bold {
            return format!("\x1b[7m{}\x1b[0m\x1b[K\n", row.text);
        }
        let (strong, rest) = row.text.split_at(row.strong);
        match strong {
            "" => format!("{rest}\x1b[K\n"),
            _ if !self.bold => format!("{strong}{rest}\x1b[K\n"),
            _ => format!("\x1b[1m{strong}\x1b[0m{rest}\x1b[K\n"),
        }
    }
}

/// Whether standard error is a terminal that can move its cursor.
pub fn is_there() -> bool {
    let moves = !matches!(std::env::var("TERM").as_deref(), Ok("dumb" | "") | Err(_));
    io::stderr().is_terminal() && moves
}

/// Whether the locale is UTF-8. The first of these variables that is set decides (POSIX).
pub fn is_utf8() -> bool {
    let set = |name: &&str| std::env::var(name).is_ok_and(|value| !value.is_empty());
    let name = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find(|name| set(name));
    let value = name.and_then(|name| std::env::var(name).ok()).unwrap_or_default().to_ascii_lowercase();
    value.contains("utf-8") || value.contains("utf8")
}
