//! The vectors of RFC 6229: bytes of the generator at some offsets.

use super::*;
use crate::base::hex::to_hex;
use proptest::prelude::*;

/// What a cipher with this key gives from `offset` on.
fn at(key: &[u8], offset: usize) -> String {
    let (mut cipher, mut bytes) = (Rc4::new(key), [0; 16]);
    cipher.skip(offset);
    cipher.apply(&mut bytes);
    to_hex(&bytes)
}

#[test]
fn the_vectors_of_rfc_6229() {
    let bytes: [u8; 32] = core::array::from_fn(|at| at as u8 + 1);
    for (length, offset, expected) in [
        (5, 0, "b2396305f03dc027ccc3524a0a1118a8"),
        (5, 16, "6982944f18fc82d589c403a47a0d0919"),
        (5, 240, "28cb1132c96ce286421dcaadb8b69eae"),
        (5, 1008, "45129048e6a0ed0b56b490338f078da5"),
        (5, 1024, "30abbcc7c20b01609f23ee2d5f6bb7df"),
        (5, 4096, "ff25b58995996707e51fbdf08b34d875"),
        (16, 0, "9ac7cc9a609d1ef7b2932899cde41b97"),
        (16, 1024, "bdf0324e6083dcc6d3cedd3ca8c53c16"),
        (16, 4096, "a36a4c301ae8ac13610ccbc12256cacc"),
        (32, 0, "eaa6bd25880bf93d3f5d1e4ca2611d91"),
        (32, 1024, "7fec5bfd9f9b89ce6548309092d7e958"),
        (32, 1520, "40f250b26d1f096a4afd4c340a588815"),
    ] {
        assert_eq!(at(&bytes[..length], offset), expected, "{length} bytes of key, offset {offset}");
    }
    // Keys of this length are those of MSE.
    let key = b"\xeb\xb4\x62\x27\xc6\xcc\x8b\x37\x64\x19\x10\x83\x32\x22\x77\x2a";
    assert_eq!(at(key, 1024), "b515a8c5011754f59003058bdb81514e");
    assert_eq!(at(key, 4096), "5bbeb4787d59e5373fdbea6c6f75c29b");
}

proptest! {
    #[test]
    fn it_does_not_matter_how_the_bytes_are_divided(
        key in prop::collection::vec(any::<u8>(), 1..40),
        bytes in prop::collection::vec(any::<u8>(), 0..2000),
        cuts in prop::collection::vec(0usize..300, 0..20),
    ) {
        let (mut whole, mut parts) = (bytes.clone(), bytes.clone());
        Rc4::new(&key).apply(&mut whole);
        let (mut cipher, mut rest) = (Rc4::new(&key), &mut parts[..]);
        for cut in cuts {
            let (part, after) = rest.split_at_mut(cut.min(rest.len()));
            cipher.apply(part);
            rest = after;
        }
        cipher.apply(rest);
        prop_assert_eq!(&whole, &parts);
        Rc4::new(&key).apply(&mut whole);
        prop_assert_eq!(whole, bytes);
    }
}
