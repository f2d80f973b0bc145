//! The log of `--verbose`: what the floors below write with the `log` crate, as lines on standard error.
//!
//! Floor 4. Only swarmlet's own modules are logged: the HTTP library logs whole URLs, which contain passkeys.

use crate::base::units;
use crate::base::width::shorten_middle;
use crate::cli::say;
use log::{Level, LevelFilter, Log, Metadata, Record};
use std::time::{Duration, Instant};

/// Longest message, in columns. Names and links come from strangers, and may have megabytes.
const MOST_COLUMNS: usize = 2000;

/// The module that runs as a service.
const SERVICE: &str = "swarmlet::daemon";

struct Lines {
    began: Instant,
    /// It is the log of a service.
    is_service: bool,
}

impl Log for Lines {
    fn enabled(&self, metadata: &Metadata) -> bool {
        let target = metadata.target();
        let is_ours = target == "swarmlet" || target.starts_with("swarmlet::");
        is_ours && (!self.is_service || metadata.level() <= Level::Warn || target.starts_with(SERVICE))
    }

    fn log(&self, record: &Record) {
        if self.enabled(record.metadata()) {
            match self.is_service {
                true => say::line(&plain_line(record)),
                false => say::line(&line(record, self.began.elapsed())),
            }
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
    format!("{seconds:>10} {level:5} {target}: {}", message(record))
}

/// The line in the log of a service. The system that keeps the log notes the time.
fn plain_line(record: &Record) -> String {
    let level = match record.level() {
        Level::Error => "error: ",
        Level::Warn => "warning: ",
        _ => "",
    };
    format!("swarmlet: {level}{}", message(record))
}

fn message(record: &Record) -> String {
    shorten_middle(&record.args().to_string(), MOST_COLUMNS, "...")
}

/// Starts the log. 0: nothing; 1: the main steps; 2: every decision; 3: every message.
pub fn begin(verbosity: usize) {
    let level = match verbosity {
        0 => return,
        1 => LevelFilter::Info,
        2 => LevelFilter::Debug,
        _ => LevelFilter::Trace,
    };
    begin_at(level, false);
}

/// Starts the log at a level. If it is that of a service, lines are plain, and modules below the service tell only
/// warnings.
pub fn begin_at(level: LevelFilter, is_service: bool) {
    // It fails only if a log was started already.
    if log::set_boxed_logger(Box::new(Lines { began: Instant::now(), is_service })).is_ok() {
        log::set_max_level(level);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_tells_what_it_does_and_what_is_wrong() {
        let lines = Lines { began: Instant::now(), is_service: true };
        let tells = |level, target: &str| {
            let metadata = Metadata::builder().level(level).target(target).build();
            lines.enabled(&metadata)
        };
        assert!(tells(Level::Info, "swarmlet::daemon::work") && tells(Level::Warn, "swarmlet::engine"));
        assert!(!tells(Level::Info, "swarmlet::engine") && !tells(Level::Warn, "ureq"));
        let mut record = Record::builder();
        let record = record.level(Level::Warn).target("swarmlet::daemon::work");
        assert_eq!(
            plain_line(&record.args(format_args!("a disk is full")).build()),
            "swarmlet: warning: a disk is full"
        );
    }

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
