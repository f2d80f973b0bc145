//! Checks of incomplete content.

use super::{READ_BYTES, is_right};
use crate::proto::metainfo::Metainfo;
use crate::proto::peer::bitfield::Bitfield;
use crate::storage::Progress;
use crate::storage::testkit::{Part, check_all as check, open, part, torrent};
use proptest::prelude::*;
use std::fs;
use std::path::Path;
use std::sync::Mutex;

const PIECE: usize = 1000;

fn put(dir: &Path, metainfo: &Metainfo, file: usize, bytes: &[u8]) {
    let path = dir.join(metainfo.files.at(file).path());
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// What is done to a file before it is checked.
#[derive(Clone, Debug)]
enum Fate {
    Whole,
    Missing,
    /// Truncated after this share of it.
    Cut(f64),
    /// One byte, at this share of it, is corrupt.
    Spoilt(f64),
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        3 => Just(Fate::Whole),
        1 => Just(Fate::Missing),
        1 => (0.0..1.0).prop_map(Fate::Cut),
        1 => (0.0..1.0).prop_map(Fate::Spoilt)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(80))]
    #[test]
    fn exactly_the_pieces_with_all_their_bytes_are_found(
        parts in proptest::collection::vec((0..3500usize, any::<bool>(), fate()), 1..8),
    ) {
        let mut files: Vec<Part> = parts.iter().map(|(length, padding, _)| (*length, *padding)).collect();
        files.push((1, false));
        let (metainfo, bytes) = torrent(0, &files, PIECE, &[]);
        let dir = tempfile::tempdir().unwrap();
        let mut good = vec![true; bytes.len()];
        for (file, entry) in metainfo.files.iter().enumerate().filter(|(_, entry)| !entry.padding) {
            let (mut bytes, start) = (part(&metainfo, &bytes, file).to_vec(), entry.offset as usize);
            let length = bytes.len();
            match parts.get(file).map_or(&Fate::Whole, |part| &part.2) {
                Fate::Missing => {
                    good[start..start + length].fill(false);
                    continue;
                }
                Fate::Cut(share) => {
                    bytes.truncate((share * length as f64) as usize);
                    good[start + bytes.len()..start + length].fill(false);
                }
                Fate::Spoilt(share) if length > 0 => {
                    let at = (share * length as f64) as usize;
                    bytes[at] ^= 1;
                    good[start + at] = false;
                }
                Fate::Spoilt(_) | Fate::Whole => {}
            }
            put(dir.path(), &metainfo, file, &bytes);
        }
        let expected: Vec<u32> = good.chunks(PIECE).enumerate().filter(|(_, piece)| piece.iter().all(|good| *good))
            .map(|(piece, _)| piece as u32).collect();
        let progress = Progress::default();
        let found = check(&open(&metainfo, dir.path(), false), &progress).unwrap();
        prop_assert_eq!(found.iter_ones().collect::<Vec<_>>(), expected);
        prop_assert_eq!(progress.pieces(), metainfo.piece_count());
    }
}

#[test]
fn pieces_longer_than_the_buffer_are_compared_as_a_whole() {
    let dir = tempfile::tempdir().unwrap();
    let piece = 2 * READ_BYTES + 77;
    let (metainfo, mut bytes) = torrent(3 * piece - 5, &[], piece, &[]);
    // The last byte of the second piece.
    bytes[2 * piece - 1] ^= 1;
    fs::write(dir.path().join("whole"), &bytes).unwrap();
    let found = check(&open(&metainfo, dir.path(), false), &Progress::default()).unwrap();
    assert_eq!(found.iter_ones().collect::<Vec<_>>(), [0, 2]);
}

#[test]
fn a_missing_file_is_not_read_and_nothing_is_created() {
    let dir = tempfile::tempdir().unwrap();
    let (metainfo, _) = torrent(0, &[(50 * PIECE, false), (10, false)], PIECE, &[]);
    let content = open(&metainfo, dir.path(), false);
    let progress = Progress::default();
    assert!(check(&content, &progress).unwrap().is_empty());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    // Reading the missing file would be an error.
    put(dir.path(), &metainfo, 1, &[0; 10]);
    assert!(check(&content, &progress).unwrap().is_empty());
    assert_eq!(progress.pieces(), metainfo.piece_count());
}

#[test]
fn a_piece_that_is_all_padding_is_had_without_a_state() {
    let dir = tempfile::tempdir().unwrap();
    let (metainfo, bytes) = torrent(0, &[(10, false), (3 * PIECE, true), (10, false)], PIECE, &[]);
    [0, 2].into_iter().for_each(|file| put(dir.path(), &metainfo, file, part(&metainfo, &bytes, file)));
    let content = open(&metainfo, dir.path(), false);
    let nothing = Bitfield::new(metainfo.piece_count());
    let (have, _) = super::check(&content, &[10, 0, 10], Some((&nothing, &[false; 3])), &Progress::default());
    assert!(have.is_full(), "{have:?}");
}

#[test]
fn empty_content_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let (metainfo, _) = torrent(0, &[], PIECE, &[]);
    let found = check(&open(&metainfo, dir.path(), false), &Progress::default()).unwrap();
    assert!(found.is_full() && found.is_empty());
}

#[test]
fn a_piece_that_cannot_be_read_counts_as_missing_and_the_others_do_not() {
    let dir = tempfile::tempdir().unwrap();
    let (metainfo, bytes) = torrent(3 * PIECE, &[], PIECE, &[]);
    fs::write(dir.path().join("whole"), &bytes[..2 * PIECE]).unwrap();
    let content = open(&metainfo, dir.path(), false);
    let mut buffer = vec![0; READ_BYTES];
    let right: Vec<bool> = (0..3).map(|piece| is_right(&content, piece, &mut buffer, &Mutex::new(0))).collect();
    assert_eq!(right, [true, true, false]);
}
