//! The bodies of requests while they arrive, and how much memory all of them take together. The same bounds the answers
//! of a service that may be long.
//!
//! Floor 3.

use super::chunks::{Chunks, Wrong};
use super::request::MOST_BYTES;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// There is no memory left for a body.
const FULL: &str = "503 Service Unavailable";

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

    /// Memory for a body of which nothing has come yet.
    fn none(&self) -> Taken {
        Taken { bytes: 0, from: Arc::clone(&self.left) }
    }

    /// Takes memory for a body of this length; `None`: there is not enough.
    pub fn take(&self, length: u64) -> Option<Taken> {
        let bytes = usize::try_from(length).ok()?;
        let less = |left: usize| left.checked_sub(bytes);
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).ok()?;
        Some(Taken { bytes, from: Arc::clone(&self.left) })
    }
}

impl Taken {
    /// Takes memory for a body that has become as long as this; `false`: there is not enough.
    fn grow(&mut self, bytes: usize) -> bool {
        let more = bytes.saturating_sub(self.bytes);
        let less = |left: usize| left.checked_sub(more);
        let is_there = self.from.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok();
        self.bytes += if is_there { more } else { 0 };
        is_there
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.from.fetch_add(self.bytes, Ordering::Relaxed);
    }
}

/// A body that is arriving.
pub struct Arriving {
    taken: Taken,
    /// The bytes of the input that the request takes so far: its head, and its body if the length of that is known.
    pub end: usize,
    chunks: Option<Chunks>,
}

impl Arriving {
    /// A body of known length, which ends at this byte of the input.
    pub fn of_length(bodies: &Bodies, end: usize) -> Arriving {
        Arriving { taken: bodies.none(), end, chunks: None }
    }

    /// A body that comes in chunks after a head of this length.
    pub fn in_chunks(bodies: &Bodies, head: usize) -> Arriving {
        let most = usize::try_from(bodies.longest).unwrap_or(usize::MAX);
        Arriving { taken: bodies.none(), end: head, chunks: Some(Chunks::new(most)) }
    }

    /// The bytes of input that may be in memory.
    pub fn most_input(&self) -> usize {
        self.end + if self.chunks.is_some() { MOST_BYTES } else { 0 }
    }

    /// Takes memory for the bytes that have come, and chunks from the input, in which the request begins at the byte
    /// `begin`. Returns whether the body is whole, or the status with which it is refused.
    pub fn gather(&mut self, input: &mut Vec<u8>, begin: usize) -> Result<bool, &'static str> {
        let from = begin + self.end;
        let Some(chunks) = &mut self.chunks else {
            let is_there = self.taken.grow(input.len().min(from) - begin);
            return if is_there { Ok(input.len() >= from) } else { Err(FULL) };
        };
        let used = chunks.take(&input[from..]).map_err(|wrong| match wrong {
            Wrong::Malformed => "400 Bad Request",
            Wrong::TooLong => "413 Content Too Large",
        })?;
        input.drain(from..from + used);
        if !self.taken.grow(chunks.body.len()) {
            return Err(FULL);
        }
        Ok(chunks.is_whole())
    }

    /// The memory of the body. It is kept as long as something that was made of the body.
    pub fn into_taken(self) -> Taken {
        self.taken
    }

    /// The body, if the request with its head of this length is at the beginning of `input`.
    pub fn whole<'a>(&'a self, input: &'a [u8], head: usize) -> &'a [u8] {
        self.chunks.as_ref().map_or(&input[head..self.end], |chunks| &chunks.body)
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
        let mut growing = bodies.take(0).unwrap();
        assert!(growing.grow(7) && growing.grow(12) && growing.grow(3) && !growing.grow(13));
        assert!(bodies.take(1).is_none());
        drop(growing);
        drop(second);
        assert!(bodies.take(20).is_some());
    }
}
