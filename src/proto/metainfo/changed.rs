//! The names that are used in place of those in the torrent, as lines for people.

use crate::base::path::{escaped, for_terminal};

/// The most lines about changed names: more would hide the other warnings.
const MOST_LINES: usize = 10;

/// Names that were changed. Every command changes them in the same way, because only the torrent decides.
#[derive(Default)]
pub(super) struct Changed {
    count: usize,
    lines: Vec<String>,
}

impl Changed {
    /// `after` is used instead of `before`, which the torrent has (as text that is safe on a terminal).
    pub fn add(&mut self, before: impl FnOnce() -> String, why: &str, after: &[u8]) {
        self.count += 1;
        if self.count <= MOST_LINES {
            self.lines.push(format!("{} {why}; \"{}\" is used", before(), for_terminal(&escaped(after))));
        }
    }

    /// Adds the lines to the warnings of the torrent.
    pub fn warn(mut self, warnings: &mut Vec<String>) {
        warnings.append(&mut self.lines);
        if self.count > MOST_LINES {
            warnings.push(format!("names that were changed besides these: {}", self.count - MOST_LINES));
        }
    }
}
