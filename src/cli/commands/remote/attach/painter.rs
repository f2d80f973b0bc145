//! Writes the picture of the whole terminal: only rows that have changed, all in one write.
//!
//! Floor 4. Pure: it makes the bytes. Nothing is cleared, so nothing flickers, also on a slow line. A terminal that
//! knows how (the private mode 2026) shows all changes of a write together.

use super::drawing::Frame;
use crate::cli::show::layout::Row;

/// The rows as they were written.
pub struct Painter {
    rows: Vec<String>,
    cursor: Option<(usize, usize)>,
    /// Bold, inverse and pale rows are drawn so.
    styles: bool,
}

impl Painter {
    /// For a terminal that shows nothing of ours yet. `styles`: rows may be bold, inverse and pale.
    pub fn new(styles: bool) -> Painter {
        // No cursor, as in the first picture, differs from one in a place where none can be.
        Painter { rows: Vec::new(), cursor: Some((usize::MAX, 0)), styles }
    }

    /// Something else may have been written over our rows, so all of them are written again.
    pub fn forget(&mut self) {
        *self = Painter::new(self.styles);
    }

    /// The bytes that make the terminal show `frame`; none if it does.
    pub fn paint(&mut self, frame: &Frame) -> String {
        let rows = frame.rows.iter().enumerate().map(|(at, row)| self.styled(row, at < frame.pale));
        let rows: Vec<String> = rows.collect();
        // If the terminal has another size, it may have moved everything.
        if rows.len() != self.rows.len() {
            self.forget();
        }
        let mut changes = String::new();
        for (at, row) in rows.iter().enumerate().filter(|(at, row)| self.rows.get(*at) != Some(row)) {
            changes += &format!("\x1b[{};1H{row}\x1b[K", at + 1);
        }
        if changes.is_empty() && self.cursor == frame.cursor {
            return String::new();
        }
        let cursor = match frame.cursor {
            Some((row, column)) => format!("\x1b[{};{}H\x1b[?25h", row + 1, column + 1),
            None => String::new(),
        };
        (self.rows, self.cursor) = (rows, frame.cursor);
        format!("\x1b[?2026h\x1b[?25l{changes}{cursor}\x1b[?2026l")
    }

    fn styled(&self, row: &Row, is_pale: bool) -> String {
        let (strong, rest) = row.text.split_at(row.strong);
        match (self.styles, row.selected, is_pale) {
            (false, ..) => row.text.clone(),
            (true, true, false) => format!("\x1b[7m{}\x1b[0m", row.text),
            (true, true, true) => format!("\x1b[2;7m{}\x1b[0m", row.text),
            (true, false, true) if !row.text.is_empty() => format!("\x1b[2m{}\x1b[0m", row.text),
            (true, false, _) if strong.is_empty() => row.text.clone(),
            (true, false, _) => format!("\x1b[1m{strong}\x1b[0m{rest}"),
        }
    }
}
