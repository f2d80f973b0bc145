use super::*;
use crate::proto::bencode::Bencode;
use Priority::{High, Low, Normal, Skip};
use proptest::prelude::*;

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

fn ones(pieces: &Bitfield) -> Vec<u32> {
    pieces.iter_ones().collect()
}

#[test]
fn a_piece_is_wanted_if_any_byte_of_it_is() {
    // Pieces of 10: file 0 has piece 0 and half of 1, file 1 is empty, 2 lies within piece 1, 3 has the rest to 3.
    let torrent = torrent(&[15, 0, 2, 20], 10);
    let choice = |files: [Priority; 4]| Choice::new(&torrent, files.into()).unwrap();
    let of = |files: [Priority; 4]| (ones(&choice(files).pieces), ones(&choice(files).split));
    assert_eq!(of([Normal, Skip, Skip, Skip]), (vec![0, 1], vec![1]));
    assert_eq!(of([Skip, Normal, Skip, Skip]), (vec![], vec![]));
    assert_eq!(of([Skip, Skip, Normal, Skip]), (vec![1], vec![1]));
    assert_eq!(of([Skip, Skip, Skip, Normal]), (vec![1, 2, 3], vec![1]));
    assert_eq!(of([Normal, Skip, Normal, Normal]), (vec![0, 1, 2, 3], vec![]), "an empty file is in no piece");
    assert!(Choice::new(&torrent, vec![Normal; 4]).is_none());
    let last = choice([Skip, Skip, Skip, Low]);
    assert_eq!(last.bytes, 27, "the last piece is short");
    assert!(last.wants(3) && !last.wants(0) && !last.wants(4));
}

#[test]
fn a_piece_is_as_urgent_as_its_most_urgent_wanted_file() {
    let torrent = torrent(&[15, 0, 2, 20], 10);
    let ranks = |files: [Priority; 4]| {
        Choice::new(&torrent, files.into()).unwrap().ranks.map(|ranks| (ones(&ranks.high), ones(&ranks.low)))
    };
    assert_eq!(ranks([High, Skip, Low, Normal]), Some((vec![0, 1], vec![])));
    assert_eq!(ranks([Low, High, Low, Normal]), Some((vec![], vec![0])));
    assert_eq!(ranks([Skip, Normal, High, Low]), Some((vec![1], vec![2, 3])));
    assert_eq!(ranks([High; 4]), None, "all are the same");
    assert_eq!(ranks([Low, Skip, Skip, Low]), None);
}

fn priority() -> impl Strategy<Value = Priority> {
    prop_oneof![Just(Skip), Just(Low), Just(Normal), Just(High)]
}

proptest! {
    /// Each fact about a piece follows from its bytes, one by one.
    #[test]
    fn pieces_are_what_their_bytes_say(files in proptest::collection::vec((0i64..30, priority(), priority()), 1..12)) {
        let lengths: Vec<i64> = files.iter().map(|file| file.0).chain([1]).collect();
        let torrent = torrent(&lengths, 10);
        let choose = |which: fn(&(i64, Priority, Priority)) -> Priority| {
            let files: Vec<Priority> = files.iter().map(which).chain([Normal]).collect();
            (Choice::new(&torrent, files.clone()), files)
        };
        let ((before, old), (after, new)) = (choose(|file| file.1), choose(|file| file.2));
        let owner: Vec<usize> = (0..).zip(&lengths).flat_map(|(at, length)| vec![at; *length as usize]).collect();
        let steady = steady(&torrent, before.as_ref(), after.as_ref());
        let mut bytes = 0;
        for piece in 0..torrent.piece_count() {
            let owners = owner.chunks(10).nth(piece as usize).unwrap();
            let (was, is) = (owners.iter().map(|file| old[*file]), owners.iter().map(|file| new[*file]));
            let most = is.clone().max().unwrap();
            bytes += if most == Skip { 0 } else { owners.len() as u64 };
            if let Some(after) = &after {
                prop_assert_eq!(after.pieces.get(piece), most != Skip);
                prop_assert_eq!(after.split.get(piece), most != Skip && is.clone().any(|file| file == Skip));
                if let Some(ranks) = &after.ranks {
                    prop_assert_eq!((ranks.high.get(piece), ranks.low.get(piece)), (most == High, most == Low));
                }
            }
            let same = was.clone().zip(is).all(|(was, is)| (was == Skip) == (is == Skip));
            prop_assert_eq!(steady.get(piece), most != Skip && same, "piece {}", piece);
        }
        prop_assert_eq!(after.map_or(torrent.length, |after| after.bytes), bytes);
    }
}
