//! What the floors below say with the `log` crate, as lines on standard error: for `--verbose`.
//!
//! Floor 4. Only our own modules: the HTTP library logs whole URLs, and these hold passkeys.

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
            // Since the start: std knows no time zones, and differences are what a log is read for.
            let seconds = units::seconds(self.began.elapsed());
            let target = record.target().trim_start_matches("swarmlet::");
            let level = record.level().as_str().to_ascii_lowercase();
            say::line(&format!("{seconds:>10} {level:5} {target}: {}", record.args()));
        }
    }

    fn flush(&self) {}
}

/// Begins to write the log: the main steps at 1, every decision at 2, every message at 3; nothing at 0.
pub fn begin(verbosity: usize) {
    let level = match verbosity {
        0 => return,
        1 => LevelFilter::Info,
        2 => LevelFilter::Debug,
        _ => LevelFilter::Trace,
    };
    begin_at(level);
}

/// Begins to write the log, as much of it as `level` says.
pub fn begin_at(level: LevelFilter) {
    // It fails only if there is a log already, and then there is one.
    if log::set_boxed_logger(Box::new(Lines { began: Instant::now() })).is_ok() {
        log::set_max_level(level);
    }
}
