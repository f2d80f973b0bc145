//! SHA-1, the hash of pieces and of the info dictionary (BEP 3).
//!
//! `portable` runs on every processor. With the feature `hw-sha1`, and for processors that may have instructions for
//! SHA-1, `hardware` uses them, and `portable` if this processor lacks them.

// Feature: hw-sha1.
#[cfg(all(feature = "hw-sha1", any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
pub use hardware::Sha1;
#[cfg(not(all(feature = "hw-sha1", any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64"))))]
pub use portable::Sha1;

/// The 20 bytes of a SHA-1 digest.
pub type Digest = [u8; 20];

/// The digest of `bytes`.
pub fn sha1(bytes: &[u8]) -> Digest {
    let mut hash = Sha1::new();
    hash.update(bytes);
    hash.finish()
}

/// SHA-1 for every processor, by the crate `sha1_smol`, which is small and has no dependencies.
mod portable {
    use super::Digest;

    /// A running SHA-1: add bytes by any number of [`update`](Sha1::update)s, then take the digest once.
    #[derive(Clone, Default)]
    pub struct Sha1(sha1_smol::Sha1);

    impl Sha1 {
        /// Starts with no bytes.
        pub fn new() -> Sha1 {
            Sha1::default()
        }

        /// Adds bytes.
        pub fn update(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }

        /// The digest of all bytes so far.
        pub fn finish(self) -> Digest {
            self.0.digest().bytes()
        }
    }
}

/// SHA-1 by instructions of the processor, through the crate `sha1`; `portable` if this processor has none.
/// (`make bench ONLY=make`: it hashes twice as fast as `portable` on an x86 processor with SHA instructions.)
#[cfg(all(feature = "hw-sha1", any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
mod hardware {
    use super::{Digest, portable};
    use sha1::Digest as _;

    /// A running SHA-1: add bytes by any number of [`update`](Sha1::update)s, then take the digest once.
    #[derive(Clone)]
    pub enum Sha1 {
        /// The processor has instructions for SHA-1.
        Hardware(sha1::Sha1),
        /// It has none.
        Portable(portable::Sha1),
    }

    /// Whether the processor has the instructions. (The standard library asks it once.)
    fn is_there() -> bool {
        #[cfg(target_arch = "aarch64")]
        return std::arch::is_aarch64_feature_detected!("sha2");
        #[cfg(not(target_arch = "aarch64"))]
        return std::arch::is_x86_feature_detected!("sha");
    }

    impl Sha1 {
        /// Starts with no bytes.
        pub fn new() -> Sha1 {
            if is_there() { Sha1::Hardware(sha1::Sha1::new()) } else { Sha1::Portable(portable::Sha1::new()) }
        }

        /// Adds bytes.
        pub fn update(&mut self, bytes: &[u8]) {
            match self {
                Sha1::Hardware(state) => state.update(bytes),
                Sha1::Portable(state) => state.update(bytes),
            }
        }

        /// The digest of all bytes so far.
        pub fn finish(self) -> Digest {
            match self {
                Sha1::Hardware(state) => state.finalize().into(),
                Sha1::Portable(state) => state.finish(),
            }
        }
    }

    impl Default for Sha1 {
        fn default() -> Sha1 {
            Sha1::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::hex::to_hex;
    use proptest::prelude::*;

    /// The vectors of FIPS 180: "abc" and a million times "a", the latter in uneven strides.
    #[test]
    fn the_vectors_of_the_standard() {
        assert_eq!(to_hex(&sha1(b"abc")), "a9993e364706816aba3e25717850c26c9cd0d89d");
        let million = vec![b'a'; 1_000_000];
        let (mut hash, mut anywhere) = (Sha1::new(), portable::Sha1::new());
        for stride in million.chunks(977) {
            hash.update(stride);
            anywhere.update(stride);
        }
        for digest in [hash.finish(), anywhere.finish()] {
            assert_eq!(to_hex(&digest), "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
        }
    }

    proptest! {
        #[test]
        fn both_give_the_same(bytes in proptest::collection::vec(any::<u8>(), 0..300), stride in 1..200_usize) {
            let (mut hash, mut anywhere) = (Sha1::new(), portable::Sha1::new());
            for part in bytes.chunks(stride) {
                hash.update(part);
                anywhere.update(part);
            }
            prop_assert_eq!(hash.clone().finish(), anywhere.finish());
            prop_assert_eq!(hash.finish(), sha1(&bytes));
        }
    }
}
