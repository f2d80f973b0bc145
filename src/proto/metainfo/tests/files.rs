//! Tests of the files of a torrent: paths, padding, symlinks, and many of them.

use super::*;
use std::cmp::Ordering;

#[test]
fn refuses_paths_that_lead_elsewhere() {
    for bad in ["", ".", "..", "/etc", "a/b", "a\0b", &"x".repeat(256)] {
        let text = error(with(one_file(), "name", bad));
        assert!(text.starts_with("info.name: ") && text.ends_with("at most 255 bytes"), "{text}");
        let text = error(folder(&[(&["good"], 1), (&["good2", bad], 1)]));
        assert!(text.starts_with("info.files[1].path: "), "{text}");
    }
    assert_eq!(
        error(folder(&[(&["..", "x"], 1)])),
        "info.files[0].path: \"..\" is a name of dots, which leads to another folder, expected the plain name \
         of a file, at most 255 bytes"
    );
    let safe = Bencode::list(["safe"]);
    let file = [("length", 5i64.into()), ("path", safe), ("path.utf-8", Bencode::list([".."]))];
    assert!(error(folder_of(vec![Bencode::dict(file)], 5)).starts_with("info.files[0].path.utf-8: "));
    assert!(error(with(one_file(), "name.utf-8", "..")).starts_with("info.name.utf-8: "));
    assert!(error(folder(&[(&[], 1)])).starts_with("info.files[0].path: an empty list"));
    let deep: Vec<&str> = std::iter::repeat_n("deep", 1000).collect();
    assert!(error(folder(&[(&deep, 1)])).contains("a longer path, expected at most 4096 bytes"));
}

#[test]
fn refuses_paths_that_collide() {
    let text = error(folder(&[(&["a", "b"], 1), (&["c"], 1), (&["a", "b"], 1)]));
    assert_eq!(text, "info.files: two files \"folder/a/b\", expected every path once");
    // Byte by byte, other paths sort between `a` and `a/b`.
    for files in [[&["a"][..], &["a b"], &["a", "b"], &["a!"]], [&["a", "b", "c"], &["a.x"], &["a-"], &["a", "b"]]] {
        let text = error(folder(&files.map(|path| (path, 1))));
        assert!(text.contains("is a file and a folder"), "{text}");
    }
    // Escaping can make two names one.
    assert!(error(folder(&[(&["a\n"], 1), (&["a%0A"], 1)])).contains("two files"));
}

#[test]
fn warns_of_paths_that_differ_in_case_only() {
    let warnings = |paths: &[&[&str]]| {
        let files: Vec<_> = paths.iter().map(|path| (*path, 1)).collect();
        parse(folder(&files)).warnings
    };
    assert!(warnings(&[&["a", "x"][..], &["A", "y"], &["ä"], &["ab"]]).is_empty());
    for pair in [[&["Ünder"][..], &["üNDER"]], [&["a", "B"], &["A", "b"]], [&["FILE"], &["file", "in it"]]] {
        assert_eq!(warnings(&pair).len(), 1);
    }
    let three = warnings(&[&["x"], &["X"], &["y"], &["Y"], &["é"], &["É"]]);
    assert!(three.len() == 1 && three[0].ends_with("(and 2 more such pairs)"), "{three:?}");
}

#[test]
fn empty_content_has_no_pieces() {
    let meta = parse(with(with(one_file(), "length", 0i64), "pieces", ""));
    assert_eq!((meta.length, meta.piece_count(), meta.files.len(), meta.piece_size(0)), (0, 0, 1, 0));
    assert_eq!(parse(folder(&[(&["a"], 0), (&["b"], 0)])).piece_count(), 0);
    assert!(error(with(one_file(), "length", 0i64)).starts_with("info.pieces: 5 hashes, expected 0"));
}

#[test]
fn files_counts_if_length_is_there_too() {
    let meta = parse(with(folder(&[(&["a"], 5)]), "length", 70_000u64));
    assert_eq!((meta.length, meta.is_folder, meta.warnings.len()), (5, true, 1));
}

#[test]
fn padding_needs_no_path() {
    let files = vec![
        entry("x", 100, Some(&["a"])),
        entry("p", 16_284, None),
        entry("", 100, Some(&["b"])),
        entry("xp", 16_284, Some(&["..", "/"])),
        entry("", 16_384, Some(&["_____padding_file_0_if you see this file"])),
        entry("", 1, Some(&["_____padding_file_is_a_folder", "c"])),
    ];
    let meta = parse(folder_of(files, 49_153));
    assert_eq!(meta.files.iter().map(|file| file.padding).collect::<Vec<_>>(), [false, true, false, true, true, false]);
    assert_eq!((meta.files.at(1).path(), meta.files.at(5).offset), ("folder/.pad/16284".into(), 49_152));
    assert_eq!((meta.files.count(), meta.length, meta.piece_count()), (3, 49_153, 4));
    assert!(error(folder_of(vec![entry("p", -1, None)], 0)).starts_with("info.files[0].length: -1"));
    assert!(error(folder_of(vec![entry("p", 5, None)], 5)).starts_with("info.files: no file"));
}

#[test]
fn symlinks_are_left_out() {
    let no_length = Bencode::dict([("attr", "l".into()), ("symlink path", Bencode::list(["..", "etc"]))]);
    let meta = parse(folder_of(vec![entry("l", 0, Some(&["up"])), no_length, entry("", 5, Some(&["a"]))], 5));
    assert_eq!((paths(&meta), meta.warnings.len()), (vec!["folder/a".to_string()], 1));
    let text = error(folder_of(vec![entry("l", 5, Some(&["up"]))], 5));
    assert_eq!(text, "info.files[0].length: 5, expected 0, because it is a symlink");
    assert!(error(with(one_file(), "attr", "l")).starts_with("info.attr: \"l\", expected a file"));
}

#[test]
fn a_hundred_thousand_files_are_read() {
    let names: Vec<String> = (0..100_000u64).map(|n| format!("{:05}.jpg", n * 77_773 % 100_000)).collect();
    let files = names.iter().map(|name| entry("", 1, Some(&["pictures", name]))).collect();
    let meta = parse(folder_of(files, 100_000));
    assert_eq!((meta.files.len(), meta.files.at(99_999).offset, meta.warnings.len()), (100_000, 99_999, 0));
}

/// Also if they become long when they are escaped, as in old torrents in Shift JIS.
#[test]
fn paths_take_no_more_memory_than_in_the_file() {
    let entry = |path: Bencode| Bencode::dict([("length", 1i64.into()), ("path", Bencode::List(vec![path]))]);
    // Each path begins with the torrent's name, which is kept once.
    let files = (0..30_000).map(|place| entry(place.to_string().as_str().into())).collect();
    let meta = parse(with(folder_of(files, 30_000), "name", "x".repeat(255).as_str()));
    assert_eq!(meta.files.at(29_999).path().len(), 261);
    let ugly = |place: usize| [&b"\x93\xfa\x96\x7b\n".repeat(12), place.to_string().as_bytes()].concat();
    let files: Vec<Bencode> = (0..30_000).map(|place| entry(ugly(place).into())).collect();
    let meta = parse(folder_of(files, 30_000));
    let last = meta.files.at(29_999);
    assert_eq!(last.path(), format!("folder/{}29999", "%93%FA%96{%0A".repeat(12)));
    assert_eq!((last.order(&meta.files.at(6)), last.order(&meta.files.at(7))), (Ordering::Less, Ordering::Less));
    // What is written is what was read.
    assert_eq!(Metainfo::parse(&meta.emit()).unwrap().files, meta.files);
}
