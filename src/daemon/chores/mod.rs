//! What the daemon does now and then, and what may wait for a disk or a server: helper threads do it, and tell the
//! [loop](super::work).
//!
//! Floor 4.

pub mod blocklist;
pub mod fetch;
pub mod local_time;
pub mod schedule;
pub mod scripts;
pub mod space;
pub mod watch;
mod zone;

use std::thread::Builder;

/// Stack of a helper.
const STACK_BYTES: usize = 128 << 10;

/// Starts a helper. If there is no thread, the work is not done, and the log says so.
pub fn start(name: &str, work: impl FnOnce() + Send + 'static) {
    if let Err(error) = Builder::new().name(name.into()).stack_size(STACK_BYTES).spawn(work) {
        log::error!("can't start a thread ({name}): {}", crate::sys::in_words(&error));
    }
}
