//! Part files on real disks: what a choice of files downloads, and what a different choice does with it.

use super::super::part_file::{is_name, name};
use super::*;
use crate::proto::choice::Priority;
use crate::proto::metainfo::Metainfo;
use crate::proto::peer::bitfield::Bitfield;
use crate::storage::carry::others::others;
use crate::storage::check::{self, Trust};
use crate::storage::testkit::{Part, check_all, noise, part, torrent, write_blocks};
use crate::sys::stamp::TICK;
use proptest::prelude::*;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

const PIECE: usize = 16384;

fn choice(metainfo: &Metainfo, wanted: &[bool]) -> Option<Arc<Choice>> {
    let priority = |wanted: &bool| if *wanted { Priority::Normal } else { Priority::Skip };
    Choice::new(metainfo, wanted.iter().map(priority).collect()).map(Arc::new)
}

fn open(metainfo: &Metainfo, dir: &Path, wanted: &[bool]) -> Content {
    let content =
        Content::open(crate::storage::TorrentId(0), metainfo.clone().into(), dir, Arc::default(), false).unwrap();
    content.choose(choice(metainfo, wanted))
}

/// Begins a run: finds the pieces and puts everything in its place.
fn begin(metainfo: &Metainfo, dir: &Path, wanted: &[bool]) -> (Content, Bitfield) {
    let content = open(metainfo, dir, wanted);
    let have = check_all(&content, &Default::default()).unwrap();
    content.prepare().unwrap();
    content.move_parts().unwrap();
    (content, have)
}

/// Writes the wanted pieces that are missing, in blocks, as if peers had sent them.
fn fetch(content: &Content, have: &mut Bitfield, bytes: &[u8]) {
    let wanted = content.choice().map_or(Bitfield::full(have.len()), |choice| choice.pieces.clone());
    for piece in wanted.iter_ones().filter(|piece| have.set(*piece)) {
        let (start, size) = (content.piece_offset(piece) as usize, content.metainfo.piece_size(piece) as usize);
        let blocks: Vec<Vec<u8>> = bytes[start..start + size].chunks(5000).map(<[u8]>::to_vec).collect();
        write_blocks(content, start as u64, &blocks).unwrap();
    }
}

fn part_file(metainfo: &Metainfo, dir: &Path) -> PathBuf {
    dir.join(name(&metainfo.info_hash))
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

/// The files of a torrent, small and large, with padding among them, and two choices.
fn layout() -> impl Strategy<Value = Vec<(Part, bool, bool)>> {
    let length = prop_oneof![Just(0), 1..50usize, 1..60_000usize];
    proptest::collection::vec(((length, any::<u8>().prop_map(|of| of < 30)), any::<bool>(), any::<bool>()), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn no_unwanted_file_is_created_and_nothing_is_lost_when_the_choice_changes(layout in layout()) {
        let mut parts: Vec<Part> = layout.iter().map(|(part, ..)| *part).collect();
        parts.push((100, false));
        let mut first: Vec<bool> = layout.iter().map(|(_, wanted, _)| *wanted).collect();
        first.push(true);
        let mut second: Vec<bool> = layout.iter().map(|(.., wanted)| *wanted).collect();
        second.push(false);
        let (metainfo, bytes) = torrent(0, &parts, PIECE, &[]);
        let dir = tempfile::tempdir().unwrap();
        let path = |file: usize| dir.path().join(metainfo.files.at(file).path());
        let real = || (0..parts.len()).filter(|file| !parts[*file].1);

        let (content, mut have) = begin(&metainfo, dir.path(), &first);
        prop_assert_eq!(have.count(), 0);
        fetch(&content, &mut have, &bytes);
        assert_served(&content, &have, &bytes);
        for file in real() {
            let found = fs::read(path(file)).ok();
            prop_assert_eq!(found, first[file].then(|| part(&metainfo, &bytes, file).to_vec()), "file {}", file);
        }
        let places = PartFile::new(&metainfo).places.len();
        let length = fs::metadata(part_file(&metainfo, dir.path())).map_or(0, |found| found.len());
        prop_assert!(length <= (places * PIECE) as u64 && places < parts.len());

        // With a different choice everything downloaded is still had, and files of the first choice do not change.
        let fetched = have;
        let (content, mut have) = begin(&metainfo, dir.path(), &second);
        prop_assert_eq!(fetched.count_lacked_by(&have), 0);
        assert_served(&content, &have, &bytes);
        fetch(&content, &mut have, &bytes);
        for file in real() {
            let found = fs::read(path(file)).ok();
            let there = first[file] || second[file];
            prop_assert_eq!(found, there.then(|| part(&metainfo, &bytes, file).to_vec()), "file {}", file);
        }

        // Then everything is wanted.
        let fetched = have;
        let (content, mut have) = begin(&metainfo, dir.path(), &vec![true; parts.len()]);
        prop_assert_eq!(fetched.count_lacked_by(&have), 0);
        prop_assert!(!part_file(&metainfo, dir.path()).exists());
        assert_served(&content, &have, &bytes);
        fetch(&content, &mut have, &bytes);
        for file in real() {
            prop_assert_eq!(fs::read(path(file)).unwrap(), part(&metainfo, &bytes, file));
        }
    }
}

/// Three files; pieces 1 and 3 are shared by two of them.
fn three() -> (Metainfo, Vec<u8>, [PathBuf; 3]) {
    let (metainfo, bytes) = torrent(0, &[(25_000, false), (30_000, false), (40_000, false)], PIECE, &[]);
    let paths = [0, 1, 2].map(|file: usize| PathBuf::from(metainfo.files.at(file).path()));
    (metainfo, bytes, paths)
}

#[test]
fn the_part_file_holds_only_shared_pieces() {
    let (metainfo, bytes, paths) = three();
    let dir = tempfile::tempdir().unwrap();
    let (content, mut have) = begin(&metainfo, dir.path(), &[false, false, true]);
    fetch(&content, &mut have, &bytes);
    assert_eq!(have.iter_ones().collect::<Vec<u32>>(), [3, 4, 5]);
    let found = fs::read(part_file(&metainfo, dir.path())).unwrap();
    // The first place belongs to piece 1, which is unwanted: a hole.
    assert!(found[..PIECE] == vec![0; PIECE] && found[PIECE..] == bytes[3 * PIECE..4 * PIECE]);
    let blocks = fs::metadata(part_file(&metainfo, dir.path())).unwrap().blocks();
    assert!(blocks * 512 <= PIECE as u64 + 8192, "{blocks} blocks");
    assert!(!dir.path().join(&paths[0]).exists() && !dir.path().join(&paths[1]).exists());
    let error = write_blocks(&content, 0, &[bytes[..100].to_vec()]).unwrap_err();
    assert!(error.to_string().contains("the piece is not wanted"), "{error}");
}

#[test]
fn a_part_file_with_corrupt_or_missing_bytes_is_not_trusted() {
    let (metainfo, bytes, paths) = three();
    let wanted = [true, false, true];
    for (name, spoil) in [
        ("cut", (|file: &File| file.set_len(PIECE as u64 + 10).unwrap()) as fn(&File)),
        ("torn", |file| file.write_all_at(&[1; 512], PIECE as u64 + 700).unwrap()),
        ("empty", |file| file.set_len(0).unwrap()),
        ("noise", |file| file.write_all_at(&noise(5 * PIECE, 9), 0).unwrap()),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let (content, mut have) = begin(&metainfo, dir.path(), &wanted);
        fetch(&content, &mut have, &bytes);
        spoil(&File::options().write(true).open(part_file(&metainfo, dir.path())).unwrap());
        let changed = fs::metadata(dir.path().join(&paths[0])).unwrap().modified().unwrap();
        let (content, have) = begin(&metainfo, dir.path(), &wanted);
        let first_is_lost = matches!(name, "empty" | "noise");
        let expected: &[u32] = if first_is_lost { &[0, 4, 5] } else { &[0, 1, 4, 5] };
        assert_eq!(have.iter_ones().collect::<Vec<u32>>(), expected, "{name}");
        assert_served(&content, &have, &bytes);
        assert_eq!(fs::read(dir.path().join(&paths[0])).unwrap(), bytes[..25_000], "{name}");
        assert_eq!(fs::metadata(dir.path().join(&paths[0])).unwrap().modified().unwrap(), changed, "{name}: untouched");
    }
}

#[test]
fn an_existing_unwanted_file_is_read_and_never_changed() {
    let (metainfo, bytes, paths) = three();
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join(&paths[1]).parent().unwrap()).unwrap();
    // Correct except for its end, and longer than it should be.
    let mut middle = [&bytes[25_000..55_000], b"more"].concat();
    middle[29_999] ^= 1;
    fs::write(dir.path().join(&paths[1]), &middle).unwrap();
    let (content, mut have) = begin(&metainfo, dir.path(), &[false, false, true]);
    assert_eq!(have.iter_ones().collect::<Vec<u32>>(), [2], "only the piece that lies in it alone is had");
    fetch(&content, &mut have, &bytes);
    assert_served(&content, &have, &bytes);
    let (content, have) = begin(&metainfo, dir.path(), &[true, false, true]);
    assert_eq!(have.iter_ones().collect::<Vec<u32>>(), [2, 3, 4, 5]);
    assert_served(&content, &have, &bytes);
    assert_eq!(fs::read(dir.path().join(&paths[1])).unwrap(), middle);
}

#[test]
fn a_move_that_was_interrupted_is_completed_by_the_next_run() {
    let (metainfo, bytes, paths) = three();
    let dir = tempfile::tempdir().unwrap();
    let (content, mut have) = begin(&metainfo, dir.path(), &[true, false, true]);
    fetch(&content, &mut have, &bytes);
    // The middle file was created by its last piece, and the run was killed before its first piece was moved.
    fs::create_dir_all(dir.path().join(&paths[1]).parent().unwrap()).unwrap();
    let middle = File::create(dir.path().join(&paths[1])).unwrap();
    middle.set_len(30_000).unwrap();
    middle.write_all_at(&bytes[3 * PIECE..55_000], 3 * PIECE as u64 - 25_000).unwrap();
    let (content, mut have) = begin(&metainfo, dir.path(), &[true; 3]);
    assert_eq!(have.iter_ones().collect::<Vec<u32>>(), [0, 1, 3, 4, 5]);
    assert!(!part_file(&metainfo, dir.path()).exists());
    fetch(&content, &mut have, &bytes);
    assert_eq!(fs::read(dir.path().join(&paths[1])).unwrap(), bytes[25_000..55_000]);
}

#[test]
fn a_file_that_was_lost_is_restored_from_the_part_file() {
    let (metainfo, bytes, paths) = three();
    let dir = tempfile::tempdir().unwrap();
    let (content, mut have) = begin(&metainfo, dir.path(), &[true, false, false]);
    fetch(&content, &mut have, &bytes);
    fs::remove_file(dir.path().join(&paths[0])).unwrap();
    let (_, have) = begin(&metainfo, dir.path(), &[true, false, false]);
    assert_eq!(have.iter_ones().collect::<Vec<u32>>(), [1]);
    assert_eq!(fs::read(dir.path().join(&paths[0])).unwrap()[PIECE..], bytes[PIECE..25_000]);
}

#[test]
fn names_of_part_files_are_recognized() {
    let (metainfo, ..) = three();
    assert!(is_name(&name(&metainfo.info_hash)));
    let hash = "0123456789abcdefABCDEF012345678901234567";
    assert!(is_name(&format!(".{hash}.swarmlet")) && is_name(&format!(".{hash}.Swarmlet")));
    for other in [
        format!("{hash}.swarmlet"),
        format!(".{hash}"),
        format!(".{hash}0.swarmlet"),
        ".x.swarmlet".into(),
        format!(".{hash}.parts"),
    ] {
        assert!(!is_name(&other), "{other}");
    }
}

/// The second file was begun and then deselected, so the piece that it shares with the first is in the part file.
/// Programs that sort media make hard links.
#[test]
fn a_link_to_a_file_with_a_piece_in_the_part_file_is_no_change() {
    for length in [2 * PIECE + PIECE / 2, 900] {
        for is_edited in [false, true] {
            let (metainfo, bytes) = torrent(0, &[(length, false), (3 * PIECE, false)], PIECE, &[]);
            let dir = tempfile::tempdir().unwrap();
            let begin = |content| {
                let begun = check::begin(content, None, Trust::State, Arc::new(|_, _| ()), &Default::default());
                begun.map_err(|(error, _)| error)
            };
            let content = begin(open(&metainfo, dir.path(), &[true, true])).unwrap().content;
            let last = metainfo.piece_count() as usize - 2;
            write_blocks(&content, (last * PIECE) as u64, &[bytes[last * PIECE..][..PIECE].to_vec()]).unwrap();
            let mut have = Bitfield::new(metainfo.piece_count());
            have.set(last as u32);
            assert!(check::newly::choose(&content, choice(&metainfo, &[true, false]), &have, |_| ()).unwrap());
            fetch(&content, &mut have, &bytes);
            have.iter_ones().for_each(|piece| content.note_verified(piece).unwrap());
            assert_eq!(content.pieces_in_part().count(), 1);
            std::thread::sleep(2 * TICK);
            let path = dir.path().join(metainfo.files.at(0).path());
            match is_edited {
                true => {
                    File::options().write(true).open(&path).unwrap().write_all_at(b"tag", length as u64 - 3).unwrap()
                }
                false => fs::hard_link(&path, dir.path().join("link")).unwrap(),
            }
            let theirs = fs::read(&path).unwrap();
            content.note_changes(Some(&have));
            assert_eq!(others(&content, Some(&have), None, false, &Default::default()), [is_edited, false]);
            match begin(content.open_again().unwrap()) {
                Ok(found) => assert!(!is_edited && found.have.count() == have.count()),
                Err(error) => assert!(is_edited && error.path == path, "{error}"),
            }
            assert!(fs::read(&path).unwrap() == theirs);
        }
    }
}
