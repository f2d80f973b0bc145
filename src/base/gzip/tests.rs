//! Output of zlib, whole and damaged.

use super::*;
use proptest::prelude::*;

/// A reply, compressed by zlib.
const REPLY: &[u8] = b"d8:completei5e8:intervali900e5:peers6:\x0a\x00\x00\x01\x1a\xe1e";
const STORED: &str = "1f8b0800000000000403012d00d2ff64383a636f6d706c657465693565383a696e74657276616c6939303065353a7065657273363a0a0000\
                      011ae16534e293032d000000";
const FIXED: &str = "1f8b08000000000002034bb1b04acecf2dc8492d49cd344db5b0cacc2b492d2a4bccc9b434304835b52a484d2d2a36b3e2626060947a980a\
                     0034e293032d000000";
/// 3000 bytes, of which byte i is i * i % 97: this needs a dynamic code and long repetitions.
const OWN_CODE: &str = "1f8b0800000000000203edcd4d0a40400006508c4463210bd12c10bb517e8a1d190b91852c88e4e7fea77008dbef5de049b26a585e9c\
                        b70b71d341f19b27eccdf24d4e7e17ba607be51c7544b72e0b6ced5ae7691ca779bd343bc8ba8d46f5e1543b137a71f333794bb30f9f\
                        c65786d4254b9bc79e65a8b284000102040810204080000182bfc10790d97e1cb80b0000";

fn bytes(hex: &str) -> Vec<u8> {
    hex.as_bytes().chunks(2).map(|two| u8::from_str_radix(str::from_utf8(two).unwrap(), 16).unwrap()).collect()
}

fn long() -> Vec<u8> {
    (0..3000u32).map(|i| (i * i % 97) as u8).collect()
}

#[test]
fn output_of_zlib_is_unpacked() {
    assert_eq!(gunzip(&bytes(STORED), 100).unwrap(), REPLY);
    assert_eq!(gunzip(&bytes(FIXED), 100).unwrap(), REPLY);
    assert_eq!(gunzip(&bytes(OWN_CODE), 3000).unwrap(), long());
    // A header with everything it can have: an extra field, a name, a comment, a checksum.
    let mut head = vec![0x1f, 0x8b, 8, 4 | 8 | 16 | 2, 0, 0, 0, 0, 0, 3];
    head.extend(b"\x02\x00xxname\0comment\0ss");
    assert_eq!(gunzip(&[&head, &bytes(FIXED)[10..]].concat(), 100).unwrap(), REPLY);
}

/// A few bytes that would unpack to very many do no harm.
#[test]
fn output_is_limited() {
    for (packed, length) in [(STORED, REPLY.len()), (FIXED, REPLY.len()), (OWN_CODE, 3000)] {
        assert!(gunzip(&bytes(packed), length).is_some());
        for most in [0, 1, length - 1] {
            assert_eq!(gunzip(&bytes(packed), most), None);
        }
    }
}

#[test]
fn damaged_input_is_refused() {
    for packed in [STORED, FIXED, OWN_CODE].map(bytes) {
        assert!((0..packed.len()).all(|cut| gunzip(&packed[..cut], 5000).is_none()));
        for place in (0..packed.len() * 8).filter(|bit| !(32..80).contains(bit)) {
            let mut wrong = packed.clone();
            wrong[place / 8] ^= 1 << (place % 8);
            // Other fields of the header do not change the content, nor do the bits that fill up a byte.
            assert!(gunzip(&wrong, 5000).is_none_or(|same| same == REPLY || same == long()), "bit {place}");
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_survived(body in proptest::collection::vec(any::<u8>(), 0..500), kind in 0u8..8) {
        let packed = [&bytes(FIXED)[..10], &[kind], &body].concat();
        prop_assert!(gunzip(&packed, 1000).is_none_or(|out| out.len() <= 1000));
    }
}
