//! What both sides of an exchange compute of the secret and the info-hash.

use super::power::Key;
use super::rc4::Rc4;
use crate::base::sha1::{Digest, Sha1};
use crate::proto::id::InfoHash;

/// Zeros that are sent encrypted, so that the other side sees that the keys agree.
pub const VERIFICATION: [u8; 8] = [0; 8];
/// The first bytes of each cipher, which are weak, are not used.
const DROPPED_BYTES: usize = 1024;

fn hash(label: &[u8], parts: [&[u8]; 2]) -> Digest {
    let mut hash = Sha1::new();
    hash.update(label);
    parts.iter().for_each(|part| hash.update(part));
    hash.finish()
}

/// What A sends behind its pad. B looks for it.
pub fn mark(secret: &Key) -> Digest {
    hash(b"req1", [secret, &[]])
}

/// The name of a torrent that is sent in place of its info-hash.
pub fn name(info_hash: &InfoHash) -> Digest {
    hash(b"req2", [&info_hash.0, &[]])
}

/// Hides a torrent's name, or shows it again.
pub fn hide(name: &Digest, secret: &Key) -> Digest {
    let hidden = hash(b"req3", [secret, &[]]);
    core::array::from_fn(|at| name[at] ^ hidden[at])
}

/// The ciphers for what A sends and for what B sends.
pub fn ciphers(secret: &Key, info_hash: &InfoHash) -> (Rc4, Rc4) {
    let cipher = |label| {
        let mut cipher = Rc4::new(&hash(label, [secret, &info_hash.0]));
        cipher.skip(DROPPED_BYTES);
        cipher
    };
    (cipher(b"keyA"), cipher(b"keyB"))
}
