//! The log of `--verbose`: what the floors below write with the `log` crate, as lines on standard error.
//!
//! Floor 4. Only swarmlet's own modules are logged: the HTTP library logs whole URLs, which contain passkeys.

use crate::base::units;
use crate::base::width::shorten_middle;
use crate::cli::say;
use log::{LevelFilter, Log, Metadata, Record};
use std::time::{Duration, Instant};

/// Longest message, in columns. Names and links come from strangers, and may have megabytes.
const MOST_COLUMNS: usize = 2000;

struct Lines {
    began: Instant,
}

impl Log for Lines {
    fn enabled(&self, metadata: &Metadata) -> bool {
        let target = metadata.target();
        target == "swarmlet" || target.starts_with("swarmlet::")
    }

    fn log(&self, record: &Record) {
        if self.enabled(record.metadata()) {
            say::line(&line(record, self.began.elapsed()));
        }
    }

    fn flush(&self) {}
}

/// The line of a message that was logged so long after the start.
fn line(record: &Record, since: Duration) -> String {
    // Seconds since the start: std knows no time zones, and a log is read for the differences.
    let seconds = units::seconds(since);
    let target = record.target().trim_start_matches("swarmlet::");
    let level = record.level().as_str().to_ascii_lowercase();
    let message = shorten_middle(&record.args().to_string(), MOST_COLUMNS, "...");
    format!("{seconds:>10} {level:5} {target}: {message}")
}

/// Starts the log. 0: nothing; 1: the main steps; 2: every decision; 3: every message.
pub fn begin(verbosity: usize) {
    let level = match verbosity {
        0 => return,
        1 => LevelFilter::Info,
        2 => LevelFilter::Debug,
        _ => LevelFilter::Trace,
    };
    begin_at(level);
}

/// Starts the log at a level.
pub fn begin_at(level: LevelFilter) {
    // It fails only if a log was started already.
    if log::set_boxed_logger(Box::new(Lines { began: Instant::now() })).is_ok() {
        log::set_max_level(level);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use log::Level;

    #[test]
    fn a_message_has_a_bounded_length() {
        let long = format!("{}: can't be moved", "x".repeat(10 << 20));
        let line = |text: &str| {
            let mut record = Record::builder();
            let record = record.level(Level::Warn).target("swarmlet::daemon");
            line(&record.args(format_args!("{text}")).build(), Duration::from_millis(1500))
        };
        assert!(line("short").trim_start().ends_with("warn  daemon: short"), "{:?}", line("short"));
        let shown = line(&long);
        assert!(shown.len() < MOST_COLUMNS + 100 && shown.ends_with("xxx: can't be moved"), "{} bytes", shown.len());
    }
}
