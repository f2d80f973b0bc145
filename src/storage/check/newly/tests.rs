//! Choices that change while the content is open, on real disks.

use super::super::{CheckedContent, Trust, begin};
use super::*;
use crate::proto::choice::{Priority, steady};
use crate::proto::metainfo::Metainfo;
use crate::storage::content::part_file;
use crate::storage::testkit::{Part, part, torrent, write_blocks};
use crate::storage::{Progress, TorrentId};
use proptest::prelude::*;
use std::fs;
use std::path::Path;

const PIECE: usize = 16384;

fn choice(metainfo: &Metainfo, wanted: &[bool]) -> Option<Arc<Choice>> {
    let priority = |wanted: &bool| if *wanted { Priority::Normal } else { Priority::Skip };
    Choice::new(metainfo, wanted.iter().map(priority).collect()).map(Arc::new)
}

fn open(metainfo: &Metainfo, dir: &Path, wanted: &[bool], overwrite: bool) -> CheckedContent {
    let mut content = Content::open(TorrentId(0), metainfo.clone().into(), dir, Arc::default(), false).unwrap();
    content.overwrite = overwrite;
    let content = content.choose(choice(metainfo, wanted));
    begin(content, None, Trust::State, Arc::new(|_, _| ()), &Progress::default()).map_err(|(error, _)| error).unwrap()
}

/// Writes some blocks of a piece.
fn write(content: &Content, piece: u32, bytes: &[u8], blocks: usize) {
    let (start, size) = (content.piece_offset(piece) as usize, content.metainfo.piece_size(piece) as usize);
    let blocks: Vec<Vec<u8>> = bytes[start..start + size].chunks(5000).take(blocks).map(<[u8]>::to_vec).collect();
    write_blocks(content, start as u64, &blocks).unwrap();
}

/// Changes what is wanted.
fn change(content: &Content, have: &Bitfield, wanted: &[bool]) -> Result<bool, ContentError> {
    choose(content, choice(&content.metainfo, wanted), have, |_| ())
}

/// Each piece that we have must be read correctly, wherever it lies.
fn assert_served(content: &Content, have: &Bitfield, bytes: &[u8]) {
    for piece in have.iter_ones() {
        let start = content.piece_offset(piece) as usize;
        let mut found = vec![0; content.metainfo.piece_size(piece) as usize];
        content.read(start as u64, &mut found).unwrap();
        assert!(found == bytes[start..start + found.len()], "piece {piece}");
    }
}

/// Files, small and large, with padding among them.
fn layout() -> impl Strategy<Value = Vec<Part>> {
    let length = prop_oneof![Just(0), 1..50usize, 1..60_000usize];
    proptest::collection::vec((length, any::<u8>().prop_map(|of| of < 30)), 1..10)
}

/// What is wanted, and which of the missing pieces come and which are only begun.
type Turn = (u16, u32, u32);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn whatever_is_chosen_when_no_byte_is_lost_or_in_the_wrong_place(
        mut parts in layout(),
        turns in proptest::collection::vec(any::<Turn>(), 1..8),
    ) {
        parts.push((100, false));
        let (metainfo, bytes) = torrent(0, &parts, PIECE, &[]);
        let dir = tempfile::tempdir().unwrap();
        let path = |file: usize| dir.path().join(metainfo.files.at(file).path());
        let real = || (0..parts.len()).filter(|file| !parts[*file].1);
        let all = vec![true; parts.len()];
        let wanted_of = |bits: u16| (0..parts.len()).map(|file| bits >> file & 1 == 1).collect::<Vec<bool>>();

        let mut wanted = wanted_of(turns[0].0);
        let CheckedContent { content, mut have, .. } = open(&metainfo, dir.path(), &wanted, false);
        let (mut ever, mut begun) = (wanted.clone(), Bitfield::new(have.len()));
        let end = (u16::MAX, u32::MAX, 0);
        for (bits, comes, begins) in turns.into_iter().chain([end]) {
            let before = choice(&metainfo, &wanted);
            wanted = wanted_of(bits);
            let after = choice(&metainfo, &wanted);
            // What is begun and is not steady is given up.
            begun.intersect(&steady(&metainfo, before.as_deref(), after.as_deref()));
            prop_assert!(change(&content, &have, &wanted).unwrap());
            assert_served(&content, &have, &bytes);
            ever.iter_mut().zip(&wanted).for_each(|(ever, wanted)| *ever |= wanted);
            let needed = after.map_or(Bitfield::full(have.len()), |choice| choice.pieces.clone());
            for piece in needed.iter_ones().filter(|piece| !have.get(*piece)).collect::<Vec<u32>>() {
                if comes.rotate_right(piece) & 1 == 1 || bits == u16::MAX {
                    write(&content, piece, &bytes, usize::MAX);
                    have.set(piece);
                } else if begins.rotate_right(piece) & 1 == 1 && !begun.get(piece) {
                    write(&content, piece, &bytes, 1);
                    begun.set(piece);
                }
            }
            assert_served(&content, &have, &bytes);
            for file in real() {
                let found = fs::read(path(file)).ok();
                prop_assert!(found.is_none() || ever[file], "file {} was never wanted", file);
                if wanted[file] && (parts[file].0 == 0 || content.has_of(file, &have).1) {
                    prop_assert!(found.as_deref() == Some(part(&metainfo, &bytes, file)), "file {}", file);
                }
            }
        }
        prop_assert!(have.is_full());
        prop_assert!(!dir.path().join(part_file::name(&metainfo.info_hash)).exists());
        drop(content);
        prop_assert!(open(&metainfo, dir.path(), &all, false).have.is_full(), "the next run finds all of it");
    }
}

/// Three files; pieces 1 and 3 are shared by two of them.
fn three() -> (Metainfo, Vec<u8>) {
    torrent(0, &[(25_000, false), (30_000, false), (40_000, false)], PIECE, &[])
}

/// Content of which all but the second file is wanted and there.
fn without_second(metainfo: &Metainfo, bytes: &[u8], dir: &Path, overwrite: bool) -> (Arc<Content>, Bitfield) {
    let wanted = [true, false, true];
    let CheckedContent { content, mut have, .. } = open(metainfo, dir, &wanted, overwrite);
    for piece in choice(metainfo, &wanted).unwrap().pieces.iter_ones() {
        write(&content, piece, bytes, usize::MAX);
        have.set(piece);
    }
    (content, have)
}

#[test]
fn a_users_own_file_is_refused_and_the_choice_stays() {
    let (metainfo, bytes) = three();
    for overwrite in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let (content, have) = without_second(&metainfo, &bytes, dir.path(), overwrite);
        let own = dir.path().join(metainfo.files.at(1).path());
        fs::create_dir_all(own.parent().unwrap()).unwrap();
        for text in ["my own", &"my own, and longer than the torrent says".repeat(1000)] {
            fs::write(&own, text).unwrap();
            let changed = change(&content, &have, &[true; 3]);
            if overwrite {
                assert!(changed.unwrap() && content.wants(1));
                assert_eq!(fs::read(&own).unwrap()[..7768], bytes[25_000..32_768], "the end of piece 1");
                break;
            }
            {
                let error = changed.unwrap_err().to_string();
                assert!(error.contains("not of this torrent") || error.contains("but the torrent says"), "{error}");
                assert!(!content.wants(1) && fs::read_to_string(&own).unwrap() == *text);
            }
            assert_served(&content, &have, &bytes);
        }
    }
}

#[test]
fn a_file_that_was_changed_while_it_was_unwanted_is_in_doubt() {
    let (metainfo, bytes) = three();
    let dir = tempfile::tempdir().unwrap();
    let (content, mut have) = without_second(&metainfo, &bytes, dir.path(), false);
    assert!(change(&content, &have, &[true; 3]).unwrap());
    write(&content, 2, &bytes, usize::MAX);
    content.note_verified(2).unwrap();
    have.set(2);
    assert!(change(&content, &have, &[true, false, true]).unwrap());
    let second = dir.path().join(metainfo.files.at(1).path());
    assert_eq!(fs::read(&second).unwrap(), bytes[25_000..55_000], "nothing is deleted");
    fs::remove_file(&second).unwrap();
    let error = change(&content, &have, &[true; 3]).unwrap_err();
    assert!(error.tells_of_a_change(), "{error}");
}

#[test]
fn nothing_is_changed_while_the_disk_is_in_trouble() {
    let (metainfo, bytes) = three();
    let dir = tempfile::tempdir().unwrap();
    let (content, have) = without_second(&metainfo, &bytes, dir.path(), false);
    content.health.doubt();
    assert!(!change(&content, &have, &[true; 3]).unwrap());
    assert!(!content.wants(1) && !dir.path().join(metainfo.files.at(1).path()).exists());
}
