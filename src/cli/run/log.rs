//! The log of `--verbose`: what the floors below write with the `log` crate, as lines on standard error.
//!
//! Floor 4. Only swarmlet's own modules are logged: the HTTP library logs whole URLs, which contain passkeys.

use crate::base::units;
use crate::cli::say;
use log::{LevelFilter, Log, Metadata, Record};
use std::time::Instant;

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
            // Seconds since the start: std knows no time zones, and a log is read for the differences.
            let seconds = units::seconds(self.began.elapsed());
            let target = record.target().trim_start_matches("swarmlet::");
            let level = record.level().as_str().to_ascii_lowercase();
            say::line(&format!("{seconds:>10} {level:5} {target}: {}", record.args()));
        }
    }

    fn flush(&self) {}
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
