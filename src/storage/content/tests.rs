//! Compares content in real files with one flat buffer.

use super::*;
use crate::storage::testkit::{Part, noise, open, part, torrent, write_blocks};
use proptest::prelude::*;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

const PIECE: usize = 16384;

/// Lengths around nothing, a few bytes and some blocks.
fn length() -> impl Strategy<Value = usize> {
    prop_oneof![Just(0), 1..50usize, 1..40_000usize]
}

/// No parts mean a single file, otherwise a folder in which something is not padding.
fn layout() -> impl Strategy<Value = (usize, Vec<Part>)> {
    let folder = (proptest::collection::vec((length(), any::<bool>()), 0..6), length(), 0..6usize);
    let folder = folder.prop_map(|(mut parts, length, at): (Vec<Part>, _, usize)| {
        parts.insert(at.min(parts.len()), (length, false));
        (0, parts)
    });
    prop_oneof![length().prop_map(|length| (length, Vec::new())), folder]
}

/// A write: where, as a share of the content, and the lengths of its blocks.
type Write = (f64, Vec<usize>);

fn writes() -> impl Strategy<Value = Vec<Write>> {
    proptest::collection::vec((0.0..1.0, proptest::collection::vec(1..20_000usize, 1..5)), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn what_is_written_is_read_back_as_from_one_flat_buffer(layout in layout(), writes in writes()) {
        let (metainfo, _) = torrent(layout.0, &layout.1, PIECE, &[]);
        let dir = tempfile::tempdir().unwrap();
        let content = open(&metainfo, dir.path(), false);
        content.prepare().unwrap();
        let mut flat = vec![0; metainfo.length as usize];
        let mut touched = vec![false; metainfo.files.len()];
        for (seed, (place, lengths)) in writes.into_iter().enumerate() {
            let start = (place * flat.len() as f64) as usize;
            let bytes = noise(lengths.iter().sum::<usize>().min(flat.len() - start), seed as u64);
            let (mut rest, mut blocks) = (&bytes[..], Vec::new());
            for length in lengths {
                let (block, behind) = rest.split_at(length.min(rest.len()));
                blocks.push(block.to_vec());
                rest = behind;
            }
            write_blocks(&content, start as u64, &blocks).unwrap();
            flat[start..start + bytes.len()].copy_from_slice(&bytes);
            for (entry, touched) in metainfo.files.iter().zip(&mut touched) {
                let (from, to) = (entry.offset as usize, (entry.offset + entry.length) as usize);
                if entry.padding {
                    flat[from..to].fill(0);
                } else {
                    *touched |= from.max(start) < to.min(start + bytes.len()) || entry.length == 0;
                }
            }
        }
        // The files that were written to exist, with their full size and exactly their bytes; padding does not.
        for (index, entry) in metainfo.files.iter().enumerate() {
            let found = fs::read(dir.path().join(entry.path())).ok();
            let expected = touched[index].then(|| part(&metainfo, &flat, index).to_vec());
            prop_assert_eq!(found, expected, "{}", entry);
        }
        prop_assert!(!dir.path().join("whole/.pad").exists());
        // Every file, and every three files in a row, read like the buffer; a missing file is an error.
        for first in 0..metainfo.files.len() {
            for last in first..metainfo.files.len().min(first + 3) {
                let (from, to) = (metainfo.files.at(first).offset, metainfo.files.at(last).offset + metainfo.files.at(last).length);
                let mut bytes = noise((to - from) as usize, 99);
                let all_there = content.files_of(from, to - from).all(|(file, _)| touched[file]);
                prop_assert_eq!(content.read(from, &mut bytes).is_ok(), all_there);
                prop_assert!(!all_there || bytes == flat[from as usize..to as usize]);
            }
        }
    }
}

#[test]
fn the_first_byte_gives_the_file_its_size_but_no_space() {
    let dir = tempfile::tempdir().unwrap();
    let (metainfo, _) = torrent(8 << 20, &[], PIECE, &[]);
    write_blocks(&open(&metainfo, dir.path(), false), 5, &[vec![1]]).unwrap();
    let found = fs::metadata(dir.path().join("whole")).unwrap();
    assert_eq!(found.len(), 8 << 20);
    assert!(found.blocks() * 512 < 1 << 20, "{} blocks", found.blocks());
}

#[test]
fn preallocation_reserves_the_space_of_every_file_before_the_first_byte() {
    let dir = tempfile::tempdir().unwrap();
    let probe = File::create(dir.path().join("probe")).unwrap();
    let can_reserve = fallocate(&probe, FallocateFlags::empty(), 0, 4096).is_ok();
    let (metainfo, _) = torrent(0, &[(3 << 20, false), (100, true), (1 << 20, false), (0, false)], PIECE, &[]);
    let content = open(&metainfo, dir.path(), true);
    content.prepare().unwrap();
    for entry in metainfo.files.iter().filter(|entry| !entry.padding) {
        let found = fs::metadata(dir.path().join(entry.path())).unwrap();
        assert_eq!(found.len(), entry.length);
        assert!(!can_reserve || found.blocks() * 512 >= entry.length, "{} has holes", entry);
    }
}

#[test]
fn preallocation_keeps_the_bytes_of_a_shorter_file() {
    let dir = tempfile::tempdir().unwrap();
    let (metainfo, content) = torrent(3 << 20, &[], PIECE, &[]);
    fs::write(dir.path().join("whole"), &content[..1000]).unwrap();
    open(&metainfo, dir.path(), true).prepare().unwrap();
    let found = fs::read(dir.path().join("whole")).unwrap();
    assert_eq!(found.len(), content.len());
    assert_eq!(found[..1000], content[..1000], "earlier bytes stay");
    assert!(found[1000..].iter().all(|byte| *byte == 0));
}

#[test]
fn a_file_that_is_too_long_is_refused_and_not_changed() {
    let dir = tempfile::tempdir().unwrap();
    let (metainfo, _) = torrent(0, &[(10, false), (20, false), (0, false)], PIECE, &[]);
    for (file, length) in [(1, 21), (2, 1)] {
        let path = dir.path().join(metainfo.files.at(file).path());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, noise(length, 1)).unwrap();
        let content = open(&metainfo, dir.path(), true);
        let sizes: Vec<u64> = (0..3).map(|file| content.size_on_disk(file).unwrap_or(0)).collect();
        let error = content.refuse_too_long(&sizes).unwrap_err();
        assert_eq!(error.doing, Doing::Using);
        let text = error.to_string();
        assert!(text.contains(path.to_str().unwrap()), "{text}");
        assert!(text.contains(&format!("it has {length} bytes, but the torrent says {}", length - 1)), "{text}");
        assert_eq!(fs::read(&path).unwrap(), noise(length, 1));
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn only_the_empty_files_are_created_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let (metainfo, _) = torrent(0, &[(0, false), (5, false)], PIECE, &[]);
    open(&metainfo, dir.path(), false).prepare().unwrap();
    assert_eq!(fs::read(dir.path().join(metainfo.files.at(0).path())).unwrap(), b"");
    assert!(!dir.path().join(metainfo.files.at(1).path()).exists());

    let (all_there, _) = torrent(0, &[(5, false)], PIECE, &[]);
    let other = tempfile::tempdir().unwrap();
    open(&all_there, other.path(), false).prepare().unwrap();
    assert!(!other.path().join("whole").exists(), "an empty folder of this name would be the user's");
}

#[test]
fn reading_opens_files_without_write_permission() {
    let dir = tempfile::tempdir().unwrap();
    let (metainfo, bytes) = torrent(30_000, &[], PIECE, &[]);
    let path = dir.path().join("whole");
    fs::write(&path, &bytes).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    let content = open(&metainfo, dir.path(), false);
    content.prepare().unwrap();
    let mut found = vec![0; bytes.len()];
    content.read(0, &mut found).unwrap();
    assert_eq!(found, bytes);
    // Root may write to anything, so look at how the file was opened.
    let file = content.files.get((content.key, 0), &content.folder, &"whole", For::Reading).unwrap();
    let flags = rustix::fs::fcntl_getfl(&*file).unwrap();
    assert_eq!(flags & rustix::fs::OFlags::ACCMODE, rustix::fs::OFlags::RDONLY);
}

#[test]
fn every_error_names_the_action_and_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let (metainfo, _) = torrent(0, &[(100, false), (100, false)], PIECE, &[]);
    let content = open(&metainfo, dir.path(), false);
    let [first, second] = [0, 1].map(|file: usize| dir.path().join(metainfo.files.at(file).path()));

    let missing = content.read(50, &mut [0; 100]).unwrap_err();
    assert_eq!((missing.doing, &missing.path), (Doing::Reading, &first));
    write_blocks(&content, 0, &[vec![1; 100]]).unwrap();
    let missing = content.read(50, &mut [0; 100]).unwrap_err();
    assert_eq!((missing.doing, &missing.path), (Doing::Reading, &second));

    fs::create_dir_all(&second).unwrap();
    let folder = write_blocks(&content, 50, &[vec![1; 100]]).unwrap_err();
    assert_eq!((folder.doing, &folder.path), (Doing::Making, &second));
    let text = folder.to_string();
    assert_eq!(text, format!("can't make {}: there is a folder where the file should be", second.display()));

    File::options().write(true).open(&first).unwrap().set_len(10).unwrap();
    let short = content.read(0, &mut [0; 50]).unwrap_err();
    assert_eq!((short.doing, &short.path), (Doing::Reading, &first));

    let nowhere = dir.path().join("nowhere");
    let Err(error) = Content::open(TorrentId(0), metainfo.into(), &nowhere, Arc::default(), false) else {
        panic!("opened")
    };
    assert_eq!((error.doing, error.path, error.error.kind()), (Doing::Reading, nowhere, io::ErrorKind::NotFound));
}
