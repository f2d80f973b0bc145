//! How much memory the bodies of all requests take together.
//!
//! Floor 3.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What is left for bodies. The connections of a server share it.
#[derive(Clone)]
pub struct Bodies {
    longest: u64,
    left: Arc<AtomicUsize>,
}

/// Memory that a body takes. It is given back when this is dropped.
pub struct Taken {
    bytes: usize,
    from: Arc<AtomicUsize>,
}

impl Bodies {
    /// Room for two bodies of this length, in bytes; 0: there are no bodies.
    pub fn new(longest: u64) -> Bodies {
        let both = usize::try_from(longest.saturating_mul(2)).unwrap_or(usize::MAX);
        Bodies { longest, left: Arc::new(AtomicUsize::new(both)) }
    }

    /// The longest body, in bytes.
    pub fn longest(&self) -> u64 {
        self.longest
    }

    /// Takes memory for a body of this length; `None`: there is not enough.
    pub fn take(&self, length: u64) -> Option<Taken> {
        let bytes = usize::try_from(length).ok()?;
        let less = |left: usize| left.checked_sub(bytes);
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).ok()?;
        Some(Taken { bytes, from: Arc::clone(&self.left) })
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.from.fetch_add(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_taken_and_given_back() {
        let bodies = Bodies::new(10);
        let first = bodies.take(10).unwrap();
        let second = bodies.take(8).unwrap();
        assert!(bodies.take(3).is_none() && bodies.take(u64::MAX).is_none());
        drop(first);
        assert!(bodies.take(12).is_some());
        drop(second);
        assert!(bodies.take(20).is_some());
    }
}
