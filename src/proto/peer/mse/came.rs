//! Bytes that came in an exchange and were not used yet.

use super::{BUFFER_BYTES, Broken, MOST_PAD};

/// At most [`BUFFER_BYTES`].
#[derive(Default)]
pub struct Came(Vec<u8>);

impl Came {
    /// How many more bytes may come.
    pub fn room(&self) -> usize {
        BUFFER_BYTES - self.0.len()
    }

    /// More bytes came, at most as many as there is room for.
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.extend(bytes.iter().take(self.room()));
    }

    /// The next `N` bytes, if they are there.
    pub fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let bytes = *self.0.first_chunk()?;
        self.0.drain(..N);
        Some(bytes)
    }

    /// The next `count` bytes, if they are there.
    pub fn take_all(&mut self, count: usize) -> Option<Vec<u8>> {
        if self.0.len() < count {
            return None;
        }
        let rest = self.0.split_off(count);
        Some(std::mem::replace(&mut self.0, rest))
    }

    /// Everything that is there.
    pub fn take_rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }

    /// Passes over a pad and over the bytes `mark` behind it. Returns whether they are there. An error means that they
    /// do not come within the length that a pad may have.
    pub fn pass(&mut self, mark: &[u8]) -> Result<bool, Broken> {
        let at = self.0.windows(mark.len()).take(MOST_PAD + 1).position(|window| window == mark);
        if let Some(at) = at {
            self.0.drain(..at + mark.len());
        } else if self.0.len() >= MOST_PAD + mark.len() {
            return Err("the expected bytes do not follow its pad");
        }
        Ok(at.is_some())
    }
}

/// The `N` bytes of `bytes` from `at` on. Every call in this folder has `at + N <= bytes.len()`.
pub fn part<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut part = [0; N];
    part.copy_from_slice(&bytes[at..at + N]);
    part
}
