//! Waiting for a condition, with a deadline: the only way a story lets time pass.

use std::thread;
use std::time::{Duration, Instant};

/// What a healthy machine does in a second or two, a busy one may take this long for: only a failing story waits it out.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Returns as soon as `done` says so; panics with `what` was waited for when the deadline passes first.
/// The logs of the processes in the story follow, as the panic drops them.
pub fn wait_until(what: &str, deadline: Duration, mut done: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !done() {
        assert!(begin.elapsed() < deadline, "waited {deadline:?} in vain until {what}");
        thread::sleep(Duration::from_millis(10));
    }
}
