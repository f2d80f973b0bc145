//! Waiting for a condition, with a deadline. A story lets time pass in no other way.

use std::thread;
use std::time::{Duration, Instant};

/// The deadline of most waits. A healthy machine needs a second or two, a busy one may need much more. Only a story
/// that fails waits for all of it.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Returns as soon as `done` is true. If the deadline passes first, panics with `what` was expected; the logs of the
/// processes follow, because the panic drops them.
pub fn wait_until(what: &str, deadline: Duration, mut done: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !done() {
        assert!(begin.elapsed() < deadline, "not so after {deadline:?}: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}
