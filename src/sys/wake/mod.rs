//! Waiting until something can be read, and waking a thread that waits for that.
//!
//! Floor 3.

pub mod alarm;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

/// Wakes a thread that waits for it beside its sockets (eventfd(2)).
#[derive(Clone)]
pub struct Wake(Arc<OwnedFd>);

impl Wake {
    /// One that was not used yet.
    pub fn new() -> io::Result<Wake> {
        Ok(Wake(Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?)))
    }

    /// Wakes the thread. It does not wait again before it has [cleared](Wake::clear) this.
    pub fn wake(&self) {
        // It fails if the thread was woken very often and has not noticed it yet.
        let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
    }

    /// The thread has noticed it.
    pub fn clear(&self) {
        let _ = rustix::io::read(&self.0, &mut [0u8; 8]);
    }
}

impl AsFd for Wake {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Waits until one of `sources` can be read, for `pause` at most. Returns of each whether it can be read, or is broken.
pub fn wait(sources: &[BorrowedFd<'_>], pause: Option<Duration>) -> Vec<bool> {
    let mut polled: Vec<PollFd> = sources.iter().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
    let pause = pause.and_then(|pause| Timespec::try_from(pause).ok());
    if let Err(error) = poll(&mut polled, pause.as_ref()) {
        log::debug!("can't wait for packets: {error}");
    }
    polled.iter().map(|fd| !fd.revents().is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_wakes_once_for_all_times_that_it_was_woken() {
        let (woken, other) = (Wake::new().unwrap(), Wake::new().unwrap());
        let both = || wait(&[woken.as_fd(), other.as_fd()], Some(Duration::ZERO));
        assert_eq!(both(), [false, false]);
        (0..2).for_each(|_| woken.clone().wake());
        assert_eq!(both(), [true, false]);
        woken.clear();
        assert_eq!(both(), [false, false]);
    }
}
