//! SHA-1, the hash of pieces and of the info dictionary (BEP 3).
//!
//! There are two implementations behind one interface. `sha1_smol`, which is small and has no dependencies, is the
//! default; with the feature `hw-sha1` the crate `sha1` uses the SHA instructions of the processor.

/// The 20 bytes of a SHA-1 digest.
pub type Digest = [u8; 20];

/// A running SHA-1: add bytes by any number of [`update`](Sha1::update)s, then take the digest once.
#[derive(Clone, Default)]
pub struct Sha1 {
    #[cfg(not(feature = "hw-sha1"))]
    state: sha1_smol::Sha1,
    #[cfg(feature = "hw-sha1")]
    state: sha1::Sha1,
}

impl Sha1 {
    /// Starts with no bytes.
    pub fn new() -> Sha1 {
        Sha1::default()
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        #[cfg(not(feature = "hw-sha1"))]
        self.state.update(bytes);
        #[cfg(feature = "hw-sha1")]
        sha1::Digest::update(&mut self.state, bytes);
    }

    /// The digest of all bytes so far.
    pub fn finish(self) -> Digest {
        #[cfg(not(feature = "hw-sha1"))]
        return self.state.digest().bytes();
        #[cfg(feature = "hw-sha1")]
        return sha1::Digest::finalize(self.state).into();
    }
}

/// The digest of `bytes`.
pub fn sha1(bytes: &[u8]) -> Digest {
    let mut hash = Sha1::new();
    hash.update(bytes);
    hash.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::hex::to_hex;

    /// The vectors of FIPS 180: "abc" and a million times "a", the latter in uneven strides.
    #[test]
    fn the_vectors_of_the_standard() {
        assert_eq!(to_hex(&sha1(b"abc")), "a9993e364706816aba3e25717850c26c9cd0d89d");
        let million = vec![b'a'; 1_000_000];
        let mut hash = Sha1::new();
        million.chunks(977).for_each(|stride| hash.update(stride));
        assert_eq!(to_hex(&hash.finish()), "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
    }
}
