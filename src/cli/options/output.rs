//! The output of a command: a new file, written completely or not at all, or what exists at its path.
//!
//! Floor 4.

use super::typed;
use crate::cli::exit::{Exit, Failure};
use crate::cli::run::signals::is_ignored;
use crate::sys::in_words;
use crate::sys::replace::{Output, Sync};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::{flag, low_level};
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// A path as messages name it.
pub fn shown(path: &Path) -> String {
    typed::shown(path)
}

/// Opens an output. To be called before the work, so that an error does not waste the work.
pub fn open(path: &Path) -> Result<Output, Failure> {
    Output::open(path).map_err(|error| cant_write(path, &error))
}

/// Writes to an output that was opened at `path`.
pub fn write_to(output: Output, path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let written = without_signals(|| output.write(Sync::First, |file| file.write_all(bytes)));
    written.map_err(|error| cant_write(path, &error))
}

/// Writes a file, and replaces what was there.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    write_to(open(path)?, path, bytes)
}

/// The failure to write to `path`.
pub fn cant_write(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Exit::CantCreate, format!("can't write {}: {}", shown(path), in_words(error)))
}

/// Does `work`. A signal that comes meanwhile ends the process afterwards, so ^C leaves no unfinished file behind. A
/// second signal ends it at once.
fn without_signals<T>(work: impl FnOnce() -> T) -> T {
    /// While the flag is set, signals have their default effect. The number is that of the last signal.
    static STATE: OnceLock<(Arc<AtomicBool>, Arc<AtomicUsize>)> = OnceLock::new();
    const SIGNALS: [i32; 3] = [SIGINT, SIGTERM, SIGHUP];
    let (usual, came) = STATE.get_or_init(|| {
        let (usual, came) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        // What nohup or a shell made us ignore stays ignored.
        for signal in SIGNALS.into_iter().filter(|signal| !is_ignored(*signal, &status)) {
            // These calls fail only for signals that do not exist. Their actions run in this order.
            let _ = flag::register_conditional_default(signal, Arc::clone(&usual));
            let _ = flag::register_usize(signal, Arc::clone(&came), signal as usize);
            let _ = flag::register(signal, Arc::clone(&usual));
        }
        (usual, came)
    });
    usual.store(false, Ordering::Relaxed);
    let done = work();
    if usual.swap(true, Ordering::Relaxed) {
        let _ = low_level::emulate_default_handler(came.load(Ordering::Relaxed) as i32);
    }
    done
}
