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

use core::sync::atomic::{AtomicUsize, Ordering};
use std::thread::Builder;

/// Stack of a helper.
const STACK_BYTES: usize = 128 << 10;

/// Places for helpers of one kind. Each has a thread, and a disk or a server may never answer.
pub struct Places {
    taken: AtomicUsize,
    most: usize,
}

/// The place of a helper, until it is dropped.
pub struct Place(&'static Places);

impl Places {
    /// Places for at most this many.
    pub const fn new(most: usize) -> Places {
        Places { taken: AtomicUsize::new(0), most }
    }

    /// Takes a place, if there is one.
    pub fn take(&'static self) -> Option<Place> {
        let one_more = |taken: usize| (taken < self.most).then_some(taken + 1);
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok().map(|_| Place(self))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Starts a helper, and returns whether it runs. If there is no thread, the work is not done, and the log says so.
pub fn start(name: &str, work: impl FnOnce() + Send + 'static) -> bool {
    start_with(STACK_BYTES, name, work)
}

fn start_with(stack_bytes: usize, name: &str, work: impl FnOnce() + Send + 'static) -> bool {
    let started = Builder::new().name(name.into()).stack_size(stack_bytes).spawn(work);
    if let Err(error) = &started {
        log::error!("can't start a thread ({name}): {}", crate::sys::in_words(error));
    }
    started.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caller_hears_that_there_is_no_thread() {
        assert!(start("few", || ()));
        assert!(!start_with(1 << 60, "many", || unreachable!("there is no room for its stack")));
    }

    #[test]
    fn only_some_helpers_of_a_kind_work_at_one_time() {
        static PLACES: Places = Places::new(3);
        let taken: Vec<Place> = std::iter::from_fn(|| PLACES.take()).collect();
        assert!(taken.len() == 3 && PLACES.take().is_none());
        drop(taken);
        assert!(PLACES.take().is_some());
    }
}
