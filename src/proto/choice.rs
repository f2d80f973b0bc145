//! Which files of a torrent are wanted, and so which pieces.
//!
//! A piece is wanted if a byte of it belongs to a wanted file. It can only be verified as a whole, so its parts of
//! other files are downloaded too.

use super::metainfo::Metainfo;
use super::peer::bitfield::Bitfield;

/// The wanted files of a torrent. (If all are wanted, there is no choice.)
#[derive(Clone, Debug)]
pub struct Choice {
    files: Vec<bool>,
    /// The pieces that are wanted.
    pub pieces: Bitfield,
    /// The bytes of those pieces.
    pub bytes: u64,
}

impl Choice {
    /// Wants the files whose number is true in `files`.
    pub fn new(metainfo: &Metainfo, files: Vec<bool>) -> Choice {
        let mut pieces = Bitfield::new(metainfo.piece_count());
        let wanted = metainfo.files.iter().zip(&files).filter(|(file, wanted)| **wanted && !file.padding);
        for piece in wanted.flat_map(|(file, _)| metainfo.pieces_of(file)) {
            pieces.set(piece);
        }
        let bytes = pieces.iter_ones().map(|piece| metainfo.piece_size(piece) as u64).sum();
        Choice { files, pieces, bytes }
    }

    /// Whether a file is wanted. Its number counts from 0 and includes padding.
    pub fn wants(&self, file: usize) -> bool {
        self.files.get(file).is_some_and(|wanted| *wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::bencode::Bencode;

    fn torrent(lengths: &[i64], piece_length: i64) -> Metainfo {
        let length: i64 = lengths.iter().sum();
        let file = |(number, length): (usize, &i64)| {
            Bencode::dict([("length", (*length).into()), ("path", Bencode::list([number.to_string().as_str()]))])
        };
        let info = Bencode::dict([
            ("name", "a".into()),
            ("piece length", piece_length.into()),
            ("pieces", vec![0; 20 * (length as usize).div_ceil(piece_length as usize)].into()),
            ("files", Bencode::List(lengths.iter().enumerate().map(file).collect())),
        ]);
        Metainfo::parse(&Bencode::dict([("info", info)]).encode()).unwrap()
    }

    #[test]
    fn a_piece_is_wanted_if_any_byte_of_it_is() {
        // Pieces of 10: file 0 has piece 0 and half of 1, file 1 is empty, 2 lies within piece 1, 3 has the rest to 3.
        let torrent = torrent(&[15, 0, 2, 20], 10);
        let pieces = |files: [bool; 4]| Choice::new(&torrent, files.into()).pieces.iter_ones().collect::<Vec<u32>>();
        assert_eq!(pieces([true, false, false, false]), [0, 1]);
        assert_eq!(pieces([false, true, false, false]), []);
        assert_eq!(pieces([false, false, true, false]), [1]);
        assert_eq!(pieces([false, false, false, true]), [1, 2, 3]);
        assert_eq!(pieces([true; 4]), [0, 1, 2, 3]);
        let last = Choice::new(&torrent, vec![false, false, false, true]);
        assert_eq!(last.bytes, 27, "the last piece is short");
        assert!(last.wants(3) && !last.wants(0) && !last.wants(4));
    }
}
