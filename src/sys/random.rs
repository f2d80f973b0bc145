//! Random numbers from the kernel, for everything that must not be guessed: ids, keys, tokens.
//!
//! Floor 3. Choices that need no secrecy use [`crate::base::rng`] instead, so that a test can replay them.

use rustix::io::Errno;
use rustix::rand::{GetRandomFlags, getrandom};
use std::hash::{BuildHasher, RandomState};

/// `N` random bytes.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    let mut filled = 0;
    while filled < N {
        match getrandom(&mut bytes[filled..], GetRandomFlags::empty()) {
            Ok(count) => filled += count,
            Err(Errno::INTR) => {}
            // Linux before 3.17, or a sandbox that forbids the call: the seed of std's hash maps is random too, because
            // std falls back to /dev/urandom.
            Err(_) => {
                let random = RandomState::new().hash_one(filled).to_ne_bytes();
                let count = random.len().min(N - filled);
                bytes[filled..filled + count].copy_from_slice(&random[..count]);
                filled += count;
            }
        }
    }
    bytes
}

/// 64 random bits.
pub fn bits() -> u64 {
    u64::from_ne_bytes(bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_numbers_are_the_same() {
        assert_ne!(bits(), bits());
        assert_ne!(bytes::<20>(), bytes());
        // More than the kernel gives in one uninterrupted piece.
        assert_ne!(bytes::<1000>()[992..], [0; 8]);
    }
}
