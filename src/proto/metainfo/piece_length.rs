//! How long the pieces of a new torrent are: a power of two, because some programs accept nothing else.

use super::HASH_BYTES;

/// The shortest piece that is made, in bytes: one block, the unit of requests.
pub const LEAST_PIECE_LENGTH: u32 = 16 * 1024;

/// The longest piece that is made, in bytes. Some programs have trouble with more, and one bad byte costs a whole
/// piece.
pub const MOST_PIECE_LENGTH: u32 = 16 * 1024 * 1024;

/// The most pieces that are made while pieces can still get longer. Their hashes take 40 KB: if the names of the files
/// take no more than 60 KB, the .torrent file stays below 100 KiB, which mail and every web server accept. A bitfield
/// has 250 bytes.
const MOST_PIECES: u64 = 2_000;

const _: () = assert!(MOST_PIECES as usize * HASH_BYTES <= 40_000);

/// The piece length for content of `length` bytes: the shortest with which there are at most [`MOST_PIECES`] pieces, so
/// content of 16 MB to 31 GiB has 1,000 to 2,000 of them. Short pieces are verified, and passed on, early. With fewer
/// pieces a peer would have nothing to give before it has more than a thousandth, and rarity would say less.
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
