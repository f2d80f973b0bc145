//! Tests of the metainfo: each rule once, then (in `damage`) properties of damaged torrents.

use super::*;
use crate::proto::bencode::Bencode;
use std::sync::Arc;

mod damage;
mod files;

type Pairs = Vec<(&'static str, Bencode)>;

/// One file of 70,000 bytes in five pieces.
fn one_file() -> Pairs {
    vec![
        ("length", 70_000u64.into()),
        ("name", "name.bin".into()),
        ("piece length", 16_384u64.into()),
        ("pieces", vec![7; 5 * HASH_BYTES].into()),
    ]
}

/// A folder of these files, each with a path of one or more names, and its length.
fn folder(files: &[(&[&str], i64)]) -> Pairs {
    let entry = |(names, length): &(&[&str], i64)| {
        Bencode::dict([("length", (*length).into()), ("path", Bencode::list(names.iter().copied()))])
    };
    folder_of(files.iter().map(entry).collect(), files.iter().map(|(_, length)| *length).sum())
}

fn folder_of(files: Vec<Bencode>, length: i64) -> Pairs {
    let pieces = length.div_euclid(16_384) + i64::from(length % 16_384 > 0);
    vec![
        ("files", Bencode::List(files)),
        ("name", "folder".into()),
        ("piece length", 16_384u64.into()),
        ("pieces", vec![7; pieces.max(0) as usize * HASH_BYTES].into()),
    ]
}

fn with(mut pairs: Pairs, key: &'static str, value: impl Into<Bencode>) -> Pairs {
    pairs.push((key, value.into()));
    pairs
}

fn without(mut pairs: Pairs, key: &str) -> Pairs {
    pairs.retain(|(name, _)| *name != key);
    pairs
}

/// An entry of `files`.
fn entry(attr: &str, length: i64, path: Option<&[&str]>) -> Bencode {
    let mut pairs: Pairs = vec![("attr", attr.into()), ("length", length.into())];
    pairs.extend(path.map(|names| ("path", Bencode::list(names.iter().copied()))));
    Bencode::dict(pairs)
}

/// A .torrent file with this `info` and these keys beside it.
fn torrent(info: Pairs, beside: Pairs) -> Vec<u8> {
    Bencode::dict(with(beside, "info", Bencode::dict(info))).encode()
}

fn parse(info: Pairs) -> Metainfo {
    Metainfo::parse(&torrent(info, vec![])).unwrap()
}

fn error(info: Pairs) -> String {
    Metainfo::parse(&torrent(info, vec![])).unwrap_err().to_string()
}

fn paths(meta: &Metainfo) -> Vec<String> {
    meta.files.iter().map(|file| file.path()).collect()
}

#[test]
fn reads_a_torrent_of_one_file() {
    let info = with(with(one_file(), "private", 1i64), "source", "HERE");
    let beside = vec![
        ("announce", "http://t/announce".into()),
        ("comment", "of no use".into()),
        ("created by", "a test".into()),
        ("creation date", 1_700_000_000i64.into()),
        ("url-list", "http://seed/name.bin".into()),
    ];
    let bytes = torrent(info.clone(), beside);
    let meta = Metainfo::parse(&bytes).unwrap();
    assert_eq!(meta.info_hash.0, sha1::sha1(&Bencode::dict(info).encode()));
    assert_eq!(&*meta.name, "name.bin");
    assert_eq!((meta.is_folder, &meta.files), (false, &Files::single("name.bin", 70_000)));
    assert_eq!((meta.length, meta.piece_length, meta.piece_count()), (70_000, 16_384, 5));
    let sizes: Vec<u32> = (0..6).chain([u32::MAX]).map(|piece| meta.piece_size(piece)).collect();
    assert_eq!(sizes, [16_384, 16_384, 16_384, 16_384, 4_464, 0, 0]);
    assert_eq!((meta.piece_hash(4), meta.piece_hash(5)), (&[7; 20], &[0; 20]));
    assert_eq!(meta.tiers, [["http://t/announce".into()]]);
    assert_eq!(meta.about().web_seeds, ["http://seed/name.bin"]);
    assert_eq!((meta.private, meta.about().info_hash_v2.as_ref()), (true, None));
    assert_eq!(
        (meta.about().comment.as_deref(), meta.about().created_by.as_deref()),
        (Some("of no use"), Some("a test"))
    );
    assert_eq!((meta.about().creation_date, meta.about().source.as_deref()), (Some(1_700_000_000), Some("HERE")));
    assert!(meta.about().warnings.is_empty());
}

#[test]
fn reads_a_torrent_of_a_folder() {
    let meta = parse(folder(&[(&["a"], 10_000), (&["empty"], 0), (&["sub", "b... c"], 10_000)]));
    assert_eq!(paths(&meta), ["folder/a", "folder/empty", "folder/sub/b... c"]);
    assert_eq!(meta.files.iter().map(|file| file.offset).collect::<Vec<_>>(), [0, 10_000, 10_000]);
    assert_eq!((meta.is_folder, meta.length, meta.piece_count()), (true, 20_000, 2));
    assert!(parse(folder(&[(&["a"], 1)])).is_folder, "also with a single file");
}

#[test]
fn japanese_names_and_utf8_keys() {
    let meta = parse(with(folder(&[(&["音楽", "一.flac"], 5)]), "name", "アルバム"));
    assert_eq!((&*meta.name, paths(&meta)), ("アルバム", vec!["アルバム/音楽/一.flac".to_string()]));

    // The plain keys are in Shift-JIS, as old programs wrote them.
    let old = |utf8: Bencode| {
        let path = Bencode::list([vec![0x88u8, 0xea]]);
        Bencode::dict([("length", 5i64.into()), ("path", path), ("path.utf-8", utf8)])
    };
    let name = vec![0x89u8, 0xb9];
    let info = with(folder_of(vec![old(Bencode::list(["一"]))], 5), "name", name.clone());
    assert_eq!(paths(&parse(with(info, "name.utf-8", "音"))), ["音/一"]);
    // They are preferred only if they are UTF-8.
    for bad in [Bencode::list([vec![0xff]]), Bencode::list([1i64]), Bencode::list::<i64>([]), 1i64.into()] {
        let info = with(folder_of(vec![old(bad)], 5), "name", name.clone());
        assert_eq!(paths(&parse(with(info, "name.utf-8", vec![0xff]))), ["%89%B9/%88%EA"]);
    }
}

#[test]
fn the_info_hash_is_that_of_the_bytes_in_the_file() {
    let unsorted =
        b"d6:pieces20:aaaaaaaaaaaaaaaaaaaa12:piece lengthi16384e7:unknownl3:abcd1:xi1eee4:name1:n6:lengthi5ee";
    let file = [b"d4:infa3:odd4:info", &unsorted[..], b"8:announce9:http://t/e"].concat();
    let meta = Metainfo::parse(&file).unwrap();
    assert_eq!(meta.info_hash.0, sha1::sha1(unsorted));
    assert_eq!((meta.length, meta.tiers.len()), (5, 1));
    // An ugly name changes the file name but not the hash.
    let info = with(one_file(), "name", "a\x1b[2J\u{202e}");
    let meta = parse(info.clone());
    assert_eq!(&*meta.name, "a%1B[2J%E2%80%AE");
    assert_eq!(meta.info_hash.0, sha1::sha1(&Bencode::dict(info).encode()));
}

#[test]
fn refuses_lengths_that_do_not_add_up() {
    let text = |key, value: Bencode| error(with(one_file(), key, value));
    assert_eq!(text("pieces", vec![0; 41].into()), "info.pieces: 41 bytes, expected a multiple of 20");
    assert_eq!(
        text("pieces", vec![0; 80].into()),
        "info.pieces: 4 hashes, expected 5: 70000 bytes in pieces of 16384 bytes"
    );
    assert!(text("pieces", vec![0; 120].into()).starts_with("info.pieces: 6 hashes, expected 5"));
    assert_eq!(text("pieces", 3i64.into()), "info.pieces: 3, expected a string of hashes");
    for bad in [0, -1, i64::from(MAX_PIECE_LENGTH) + 1, i64::MAX] {
        assert_eq!(
            text("piece length", bad.into()),
            format!("info.piece length: {bad}, expected 1 to 536870912 bytes")
        );
    }
    let huge = with(one_file(), "length", i64::from(MAX_PIECE_LENGTH));
    assert_eq!(
        parse(with(with(huge, "piece length", u64::from(MAX_PIECE_LENGTH)), "pieces", vec![0; 20])).piece_count(),
        1
    );
    assert_eq!(text("length", (-1i64).into()), "info.length: -1, expected a number of bytes");
    assert_eq!(text("length", "70000".into()), "info.length: \"70000\", expected a number of bytes");
    assert!(text("length", i64::MAX.into()).contains("make 562949953421312 pieces, expected at most 2097152"));
    assert_eq!(
        text("piece length", 1i64.into()),
        "info.pieces: 5 hashes, expected 70000: 70000 bytes in pieces of 1 bytes"
    );
    let huge = |name| entry("", i64::MAX, Some(&[name]));
    assert!(error(folder_of(["a", "b", "c"].map(huge).to_vec(), 0)).contains("expected a sum below 2^64"));
    assert_eq!(error(folder_of(vec![1i64.into()], 0)), "info.files[0]: 1, expected a dict");
    let negative = error(folder_of(vec![entry("", -5, Some(&["a"]))], 0));
    assert_eq!(negative, "info.files[0].length: -5, expected a number of bytes");
}

#[test]
fn a_file_that_is_not_quite_bencode_is_read_and_has_the_hash_of_its_bytes() {
    let good = torrent(one_file(), vec![]);
    let meta = Metainfo::parse(&good).unwrap();
    let read = |bytes: &[u8]| {
        let read = Metainfo::parse(bytes).unwrap();
        assert_eq!(read.length, meta.length);
        (read.info_hash, read.about().warnings.len())
    };
    let hash = meta.info_hash;
    assert_eq!([0, 1].map(|blanks| read(&[&b"\n "[..blanks * 2], &good].concat())), [(hash, 0), (hash, 0)]);
    assert_eq!(read(&[&good[..], b"\r\n"].concat()), (hash, 0));
    assert_eq!(read(&[&good[..], b"\0garbage"].concat()), (hash, 1));
    assert_eq!(read(&[b"\xef\xbb\xbf", &good[..]].concat()), (hash, 0));
    // Within info too: the hash is that of the bytes as they stand.
    let text = String::from_utf8(good).unwrap();
    for (from, to) in [("i70000e", "i070000e"), ("8:name.bin", "08:name.bin"), ("i70000e", "i70000e6:lengthi1e")] {
        let odd = text.replace(from, to);
        let info = odd.split_once("4:info").unwrap().1;
        let expected = InfoHash(sha1::sha1(&info.as_bytes()[..info.len() - 1]));
        assert_eq!(read(odd.as_bytes()), (expected, 1), "{to}");
    }
    let large = text.replace("i70000e", "i99999999999999999999e");
    let error = Metainfo::parse(large.as_bytes()).unwrap_err();
    assert_eq!(error, "info.length: 99999999999999999999, expected a number of bytes");
}

#[test]
fn refuses_what_is_missing() {
    for key in ["length", "name", "piece length", "pieces"] {
        assert!(error(without(one_file(), key)).starts_with(&format!("info.{key} is missing, expected ")));
    }
    let parse = |bytes: &[u8]| Metainfo::parse(bytes).unwrap_err().to_string();
    assert_eq!(parse(b"de"), "info is missing, expected a dict");
    assert_eq!(parse(b"d4:infoi5ee"), "info: 5, expected a dict");
    assert_eq!(parse(b"4:spam"), "the file: \"spam\", expected a dict");
    assert_eq!(parse(b"<!DOCTYPE html>"), "damaged, or not a .torrent file: byte 0: no value begins with '<'");
    assert_eq!(parse(b"d4:info"), "damaged, or not a .torrent file: byte 7: the input ends within a value");
    assert_eq!(
        parse(&vec![0; MAX_METAINFO_BYTES + 1]),
        "the file: 50331649 bytes, expected a .torrent file of at most 50331648"
    );
    assert_eq!(error(folder_of(vec![], 0)), "info.files: no file, expected at least one");
    assert_eq!(error(with(folder_of(vec![], 0), "files", 1i64)), "info.files: 1, expected a list");
}

#[test]
fn the_book_names_the_limits_that_hold() {
    let book = include_str!("../../book/safety.md");
    let (mebibytes, longest) = (MAX_METAINFO_BYTES >> 20, MAX_PIECE_LENGTH >> 20);
    let row = format!("| .torrent file | {mebibytes} MiB, 2,097,152 pieces, {longest} MiB per piece |");
    assert!(MAX_PIECES == 2_097_152 && book.contains(&row), "{row}");
}

/// The most pieces fit into the largest .torrent file.
#[test]
fn a_torrent_of_the_most_pieces_is_read() {
    let most = with(one_file(), "pieces", vec![7; MAX_PIECES as usize * HASH_BYTES]);
    let most = with(with(most, "piece length", 16_384i64), "length", (MAX_PIECES << 14) as i64);
    assert_eq!(u64::from(parse(most).piece_count()), MAX_PIECES);
}

#[test]
fn version_2_torrents_are_distinguished_from_hybrid_ones() {
    let version2 = with(with(one_file(), "meta version", 2i64), "file tree", Bencode::dict::<&str>([]));
    assert!(parse(version2.clone()).about().info_hash_v2.clone().is_some());
    let only = without(without(version2, "pieces"), "length");
    assert!(error(only.clone()).contains("version 2 torrent (BEP 52) only"));
    assert!(error(without(only, "meta version")).contains("version 2 torrent (BEP 52) only"));
}

#[test]
fn private_may_be_a_number_or_a_string() {
    for (value, private) in [(Bencode::Int(1), true), ("1".into(), true), (Bencode::Int(0), false), ("".into(), false)]
    {
        assert_eq!(parse(with(one_file(), "private", value)).private, private);
    }
}

#[test]
fn torrents_that_can_find_no_peer_or_have_no_content_carry_a_warning() {
    let warnings =
        |info: Pairs, beside: Pairs| Metainfo::parse(&torrent(info, beside)).unwrap().about().warnings.clone();
    let private = || with(one_file(), "private", Bencode::Int(1));
    let tracker = || vec![("announce", "http://a.example/".into())];
    assert_eq!(warnings(private(), vec![]), ["it is private and names no tracker, so it can find no peer"]);
    assert_eq!(warnings(private(), tracker()), [""; 0]);
    assert_eq!(warnings(one_file(), vec![]), [""; 0]);
    for (url, is_junk) in [
        ("tracker.example/announce", true),
        ("https://", true),
        ("http://:80/announce", true),
        ("udp://tracker.example:0x50", true),
        ("dht://0123456789", true),
        ("?", true),
        ("UDP://tracker.example:80", false),
        ("wss://tracker.example", false),
        ("http://[2001:db8::1]/announce", false),
    ] {
        let told = warnings(one_file(), vec![("announce", url.into())]);
        assert_eq!(told.iter().filter(|warning| warning.contains("no tracker")).count(), usize::from(is_junk), "{url}");
    }
    let empty = warnings(folder(&[(&["a"], 0)]), tracker());
    assert_eq!(empty, ["it has no content; many programs refuse such a torrent"]);
}

#[test]
fn trackers_come_in_tiers() {
    let tiers = |beside: Pairs| {
        let meta = Metainfo::parse(&torrent(one_file(), beside)).unwrap();
        (meta.tiers.clone(), meta.about().warnings.len())
    };
    let list = |tiers: &[&[&str]]| Bencode::list(tiers.iter().map(|tier| Bencode::list(tier.iter().copied())));
    let announce = ("announce", Bencode::from(" http://a/ \n"));
    let owned = |tiers: &[&[&str]]| -> Vec<Vec<Arc<str>>> {
        tiers.iter().map(|tier| tier.iter().map(|url| (*url).into()).collect()).collect()
    };
    assert_eq!(tiers(vec![]), (vec![], 0));
    assert_eq!(tiers(vec![announce.clone()]), (owned(&[&["http://a/"]]), 0));
    let full = list(&[&["http://b/", " ", "udp://c:1"], &[], &["", "http://b/"], &["http://d/"]]);
    let expected = owned(&[&["http://b/", "udp://c:1"], &["http://d/"]]);
    assert_eq!(tiers(vec![announce.clone(), ("announce-list", full)]), (expected, 0));
    // A list without a URL counts as absent; in a plain list each URL is a tier.
    assert_eq!(tiers(vec![announce.clone(), ("announce-list", list(&[&[""], &[]]))]), (owned(&[&["http://a/"]]), 0));
    let plain = Bencode::list(["http://x", "http://y"]);
    assert_eq!(tiers(vec![("announce-list", plain)]), (owned(&[&["http://x"], &["http://y"]]), 0));
    let bad = Bencode::List(vec![Bencode::list([vec![0xff], b"http://h/\r\nX: y".to_vec()]), 5i64.into()]);
    assert_eq!(tiers(vec![announce, ("announce-list", bad)]), (owned(&[&["http://a/"]]), 1));
    let many = Bencode::list((0..1500).map(|n| Bencode::list([format!("http://{n}/").as_str()])));
    assert_eq!(tiers(vec![("announce-list", many)]).0.len(), 1000);
}

#[test]
fn web_seeds_are_a_list_or_a_single_url() {
    let seeds = |value: Bencode| {
        Metainfo::parse(&torrent(one_file(), vec![("url-list", value)])).unwrap().about().web_seeds.clone()
    };
    assert_eq!(seeds(Bencode::list(["http://a/", "", "http://b/x y", "http://a/"])), ["http://a/", "http://b/x y"]);
    assert_eq!(seeds("http://a/".into()), ["http://a/"]);
    assert!(seeds("".into()).is_empty() && seeds(5i64.into()).is_empty());
}

#[test]
fn odd_text_is_repaired() {
    let beside = vec![("comment", vec![b'a', 0xff].into()), ("created by", "".into())];
    let meta = Metainfo::parse(&torrent(one_file(), beside)).unwrap();
    assert_eq!((meta.about().comment.as_deref(), meta.about().created_by.as_ref()), (Some("a\u{fffd}"), None));
    let beside = vec![("comment", "b".into()), ("comment.utf-8", "é".into()), ("creation date", "soon".into())];
    let meta = Metainfo::parse(&torrent(one_file(), beside)).unwrap();
    assert_eq!((meta.about().comment.as_deref(), meta.about().creation_date), (Some("é"), None));
}

#[test]
fn deep_info_is_read_and_deeper_refused() {
    let deep = |depth: usize| Bencode::Raw([b"l".repeat(depth), b"e".repeat(depth)].concat());
    assert_eq!(parse(with(one_file(), "deep", deep(98))).length, 70_000);
    assert!(error(with(one_file(), "deep", deep(99))).contains("nest deeper than 100"));
    assert!(error(with(one_file(), "deep", deep(100_000))).contains("nest deeper than 100"));
}

#[test]
fn long_texts_and_urls_take_little_memory() {
    let long = "é".repeat(100_000);
    let url = format!("http://t/{long}");
    let beside = vec![("comment", long.as_str().into()), ("announce", url.as_str().into()), ("created by", "x".into())];
    let meta = Metainfo::parse(&torrent(with(one_file(), "source", format!("x{long}").as_str()), beside)).unwrap();
    assert_eq!(meta.about().comment, Some("é".repeat(32_768)));
    assert_eq!(meta.about().source, Some("x".to_string() + &"é".repeat(32_767)), "never half a character");
    assert_eq!((meta.tiers.len(), meta.about().created_by.as_deref(), meta.about().warnings.len()), (0, Some("x"), 3));
    assert!(meta.about().warnings.contains(&"comment has 200000 bytes; the first 65536 are shown".to_string()));
}
