//! Tests of the files of a torrent: paths, padding, symlinks, and many of them.

use super::*;
use std::cmp::Ordering;

#[test]
fn refuses_paths_that_lead_elsewhere() {
    for bad in ["..", "a\0b", "a/\0"] {
        let text = error(with(one_file(), "name", bad));
        assert!(text.starts_with("info.name: ") && text.ends_with("expected the plain name of a file"), "{text}");
        let text = error(folder(&[(&["good"], 1), (&["good2", bad], 1)]));
        assert!(text.starts_with("info.files[1].path: "), "{text}");
    }
    assert_eq!(
        error(folder(&[(&["..", "x"], 1)])),
        "info.files[0].path: \"..\" is a name of dots, which leads to another folder, expected the plain name of a file"
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
fn names_that_no_disk_can_have_are_changed_and_both_are_told() {
    let meta = parse(with(one_file(), "name", "haiku R1/beta6"));
    assert_eq!((&*meta.name, paths(&meta)), ("haiku R1_beta6", vec!["haiku R1_beta6".to_string()]));
    let warning = "info.name: \"haiku R1/beta6\" can't be the name of a file; \"haiku R1_beta6\" is used";
    assert_eq!(meta.about().warnings, [warning]);
    let long = "x".repeat(300);
    let files: [(&[&str], i64); 5] =
        [(&["a", "b"], 1), (&["", "."], 1), (&["x/y", "\n"], 1), (&[&long], 1), (&["ok"], 1)];
    let meta = parse(folder(&files));
    let used = ["folder/a/b", "folder/_/_", "folder/x_y/%0A", &format!("folder/{}", &long[..255]), "folder/ok"];
    assert_eq!(paths(&meta), used);
    assert_eq!(meta.about().warnings.len(), 3, "what is only escaped needs no words: {:?}", meta.about().warnings);
    assert_eq!(
        meta.about().warnings[1],
        "info.files[2].path: [\"x/y\", <1 bytes>] can't be the name of a file; \"x_y/%0A\" is used"
    );
    let many: Vec<String> = (0..100).map(|place| format!("{place}/")).collect();
    let many: Vec<Vec<&str>> = many.iter().map(|name| vec![name.as_str()]).collect();
    let many: Vec<(&[&str], i64)> = many.iter().map(|path| (&path[..], 1)).collect();
    let meta = parse(folder(&many));
    assert_eq!(
        (meta.about().warnings.len(), meta.about().warnings[10].as_str()),
        (11, "names that were changed besides these: 90")
    );
}

#[test]
fn files_whose_paths_collide_are_renamed() {
    let told = |files: &[&[&str]]| {
        let files: Vec<_> = files.iter().map(|path| (*path, 1)).collect();
        let meta = parse(folder(&files));
        assert_eq!(meta.files.count(), files.len());
        meta.files.iter().map(|file| file.inside().into_owned()).collect::<Vec<_>>()
    };
    let name = "name.txt";
    assert_eq!(
        told(&[&["a", name], &["c"], &["a", name], &["a", name]]),
        ["a/name.txt", "c", "a/name.1.txt", "a/name.2.txt"]
    );
    // Because of a changed name, and because of an escape.
    assert_eq!(told(&[&["a/b"], &["a_b"], &["", "x"], &[".", "x"]]), ["a_b", "a_b.1", "_/x", "_/x.1"]);
    assert_eq!(told(&[&["a\n"], &["a%0A"]]), ["a%0A", "a%0A.1"]);
    // A file that is a folder; byte by byte, other paths sort between `a` and `a/b`.
    assert_eq!(told(&[&["a"], &["a b"], &["a", "b"], &["a!"]]), ["a.1", "a b", "a/b", "a!"]);
    assert_eq!(told(&[&["a", "b", "c"], &["a.x"], &["a", "b"], &["a", "b"]]), ["a/b/c", "a.x", "a/b.1", "a/b.1.1"]);
    // The new name is taken.
    assert_eq!(told(&[&["a"], &["a"], &["a.1"]]), ["a", "a.1", "a.1.1"]);
    assert_eq!(told(&[&["a"], &["a"], &["a.1", "b"]]), ["a", "a.1.1", "a.1/b"]);
    let warnings = parse(folder(&[(&["a"], 1), (&["a"], 1), (&["b"], 1), (&["b", "c"], 1)])).about().warnings.clone();
    assert_eq!(
        warnings,
        [
            "info.files[1]: \"a\" is the path of another file too; \"a.1\" is used",
            "info.files[2]: \"b\" is a folder too; \"b.1\" is used",
        ]
    );
    // A stranger can take the new names too, but not for ever.
    let taken: Vec<String> = (0..8).map(|ones| format!("a{}", ".1".repeat(ones))).collect();
    let taken: Vec<[&str; 1]> = taken.iter().map(|name| [name.as_str()]).chain([["a"]]).collect();
    let files: Vec<(&[&str], i64)> = taken.iter().map(|path| (&path[..], 1)).collect();
    assert_eq!(error(folder(&files)), "info.files: paths that collide even when renamed, expected every path once");
}

#[test]
fn warns_of_paths_that_differ_in_case_only() {
    let warnings = |paths: &[&[&str]]| {
        let files: Vec<_> = paths.iter().map(|path| (*path, 1)).collect();
        parse(folder(&files)).about().warnings.clone()
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
    assert_eq!((meta.length, meta.is_folder, meta.about().warnings.len()), (5, true, 1));
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
    assert_eq!((paths(&meta), meta.about().warnings.len()), (vec!["folder/a".to_string()], 1));
    let text = error(folder_of(vec![entry("l", 5, Some(&["up"]))], 5));
    assert_eq!(text, "info.files[0].length: 5, expected 0, because it is a symlink");
    assert!(error(with(one_file(), "attr", "l")).starts_with("info.attr: \"l\", expected a file"));
}

#[test]
fn a_hundred_thousand_files_are_read() {
    let names: Vec<String> = (0..100_000u64).map(|n| format!("{:05}.jpg", n * 77_773 % 100_000)).collect();
    let files = names.iter().map(|name| entry("", 1, Some(&["pictures", name]))).collect();
    let meta = parse(folder_of(files, 100_000));
    assert_eq!((meta.files.len(), meta.files.at(99_999).offset, meta.about().warnings.len()), (100_000, 99_999, 0));
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
