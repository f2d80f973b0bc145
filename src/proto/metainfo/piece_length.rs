//! How long the pieces of a new torrent are.
//!
//! Floor 1. A power of two, since some programs take no other.

use super::HASH_BYTES;

/// The shortest piece that is made, in bytes: a block, below which nothing is asked for.
pub const LEAST_PIECE_LENGTH: u32 = 16 * 1024;

/// The longest, in bytes. Programs of others have trouble with more, and who is sent a bad byte fetches all this again.
pub const MOST_PIECE_LENGTH: u32 = 16 * 1024 * 1024;

/// The most pieces that are made as long as pieces can get longer. Their hashes take 40 KB: so the .torrent file stays
/// below 100 KiB where the names of its files take no more than 60, and it goes by mail and on any web server; and a
/// peer's bitfield is 250 bytes.
const MOST_PIECES: u64 = 2_000;

const _: () = assert!(MOST_PIECES as usize * HASH_BYTES <= 40_000);

/// The piece length for content of `length` bytes: the shortest with which there are at most [`MOST_PIECES`], so from
/// 16 MB to 31 GiB there are 1,000 to 2,000 pieces. With fewer a peer has nothing to give until it has got more than a
/// thousandth, and there is less that is rare; short pieces are passed on, and proven, early.
pub fn automatic(length: u64) -> u32 {
    let mut piece_length = LEAST_PIECE_LENGTH;
    while piece_length < MOST_PIECE_LENGTH && length.div_ceil(piece_length.into()) > MOST_PIECES {
        piece_length *= 2;
    }
    piece_length
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn small_content_has_short_pieces_and_huge_content_long_ones() {
        assert_eq!(automatic(0), LEAST_PIECE_LENGTH);
        assert_eq!(automatic(2_000 * 16_384), LEAST_PIECE_LENGTH);
        assert_eq!(automatic(2_000 * 16_384 + 1), 2 * LEAST_PIECE_LENGTH);
        assert_eq!(automatic(1 << 30), 1 << 20);
        assert_eq!(automatic(u64::MAX), MOST_PIECE_LENGTH);
    }

    proptest! {
        #[test]
        fn there_are_one_to_two_thousand_pieces(length in 16_384_000u64..2_000 << 24) {
            let pieces = length.div_ceil(automatic(length).into());
            prop_assert!((1_000..=2_000).contains(&pieces), "{pieces}");
        }
    }
}
