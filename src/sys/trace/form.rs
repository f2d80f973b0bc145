//! The forms of a line, and its time.
//!
//! Floor 3, part of [`trace`](super).

use std::time::Duration;

/// How a line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Columns of text, the time first.
    Text,
    /// A JSON object, with its time.
    Json,
    /// As it is: the lines of a [record](super::record) bring their times.
    Bare,
}

impl Form {
    /// The `line` with the time since the trace began, and its line end.
    pub fn stamp(self, since: Duration, line: &str) -> String {
        let (seconds, micros) = (since.as_secs(), since.subsec_micros());
        match self {
            Form::Text => format!("{seconds}.{micros:06}{line}\n"),
            Form::Json => format!("{{\"time\":{seconds}.{micros:06}{line}}}\n"),
            Form::Bare => format!("{line}\n"),
        }
    }
}
