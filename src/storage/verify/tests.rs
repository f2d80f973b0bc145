//! Verifies content that is incomplete in every way.

use super::*;
use crate::storage::testkit::{Part, part, torrent};
use proptest::prelude::*;
use std::fs;

/// What is done to a file before it is verified.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Left,
    Missing,
    /// Truncated after this share of it, in percent.
    Cut(usize),
    /// One byte, at this share of it, is corrupt.
    Spoilt(usize),
    Longer,
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        4 => Just(Fate::Left),
        1 => Just(Fate::Missing),
        1 => (0..100usize).prop_map(Fate::Cut),
        1 => (0..100usize).prop_map(Fate::Spoilt),
        1 => Just(Fate::Longer),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn each_file_is_judged_by_its_own_bytes(
        parts in proptest::collection::vec((0..3500usize, any::<bool>(), fate()), 1..8),
        threads in 1..4usize,
    ) {
        const PIECE: usize = 1000;
        let mut files: Vec<Part> = parts.iter().map(|(length, padding, _)| (*length, *padding)).collect();
        files.push((1, false));
        let (metainfo, content) = torrent(0, &files, PIECE, &[]);
        let dir = tempfile::tempdir().unwrap();
        let fates: Vec<Fate> = parts.iter().map(|(_, _, fate)| *fate).chain([Fate::Left]).collect();
        // For each byte: whether it is correct, and whether it exists.
        let (mut right, mut there) = (vec![true; content.len()], vec![true; content.len()]);
        for (file, entry) in metainfo.files.iter().enumerate().filter(|(_, entry)| !entry.padding) {
            let mut bytes = part(&metainfo, &content, file).to_vec();
            let (start, length) = (entry.offset as usize, bytes.len());
            match fates[file] {
                Fate::Left => {}
                Fate::Missing => there[start..start + length].fill(false),
                Fate::Cut(share) => {
                    there[start + length * share / 100..start + length].fill(false);
                    bytes.truncate(length * share / 100);
                }
                Fate::Spoilt(share) => if let Some(byte) = bytes.get_mut(length * share / 100) {
                    *byte ^= 1;
                    right[start + length * share / 100] = false;
                },
                Fate::Longer => bytes.push(b'x'),
            }
            if !matches!(fates[file], Fate::Missing) {
                let path = dir.path().join(entry.path());
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, bytes).unwrap();
            }
        }
        let verdict = verify(&metainfo, dir.path(), threads, &mut |_| {}).unwrap();

        let pieces: Vec<(bool, bool)> = (0..metainfo.piece_count() as usize).map(|piece| {
            let range = piece * PIECE..((piece + 1) * PIECE).min(content.len());
            (right[range.clone()].iter().all(|good| *good), there[range].iter().all(|there| *there))
        }).collect();
        let good = |piece: u32| pieces[piece as usize] == (true, true);
        let had: u64 = (0..metainfo.piece_count()).filter(|p| good(*p)).map(|p| u64::from(metainfo.piece_size(p))).sum();
        prop_assert_eq!(verdict.had, had);
        for told in verdict.files() {
            let entry = metainfo.files.at(told.file);
            let of_file: Vec<u32> = if entry.length == 0 { Vec::new() } else {
                ((entry.offset / 1000) as u32..(entry.offset + entry.length).div_ceil(1000) as u32).collect()
            };
            let bad: Vec<u32> = of_file.iter().copied().filter(|piece| !good(*piece)).collect();
            let runs: Vec<u32> = told.pieces.iter().cloned().flatten().collect();
            prop_assert_eq!(&runs, &bad);
            let wrong = bad.iter().any(|piece| pieces[*piece as usize] == (false, true));
            let expected = match fates[told.file] {
                Fate::Missing => State::Missing,
                Fate::Cut(_) if entry.length > 0 => State::Damaged,
                _ if wrong => State::Damaged,
                _ if !bad.is_empty() => State::Unproven,
                Fate::Longer => State::TooLong,
                _ => State::Whole,
            };
            prop_assert_eq!(told.state, expected, "{:?}", told);
            for run in &told.pieces {
                let bytes = bytes_of(&metainfo, entry, run);
                prop_assert!(bytes.start() <= bytes.end() && *bytes.end() < entry.length);
                prop_assert_eq!((entry.offset + bytes.start()) / 1000, u64::from(*run.start()));
                prop_assert_eq!((entry.offset + bytes.end()) / 1000, u64::from(*run.end()));
            }
        }
        prop_assert_eq!(verdict.is_whole(), verdict.files().all(|file| file.state == State::Whole));
    }
}

#[test]
fn unreadable_files_are_reported_and_links_are_not_followed() {
    let (metainfo, content) = torrent(0, &[(1500, false), (1500, false), (1500, false)], 1000, &[]);
    let dir = tempfile::tempdir().unwrap();
    for (file, entry) in metainfo.files.iter().enumerate() {
        let path = dir.path().join(entry.path());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match file {
            0 => fs::write(path, part(&metainfo, &content, 0)).unwrap(),
            1 => fs::create_dir(path).unwrap(),
            _ => std::os::unix::fs::symlink("/dev/zero", path).unwrap(),
        }
    }
    let verdict = verify(&metainfo, dir.path(), 2, &mut |_| {}).unwrap();
    let told: Vec<(State, String)> =
        verdict.files().map(|file| (file.state, file.problem.clone().unwrap_or_default())).collect();
    assert_eq!(told[0].0, State::Unproven);
    assert_eq!(told[1].0, State::Unreadable);
    assert!(told[2].0 == State::Unreadable && told[2].1.contains("symbolic link"), "{told:?}");
    assert!(verify(&metainfo, &dir.path().join("none"), 2, &mut |_| {}).is_err());
}
