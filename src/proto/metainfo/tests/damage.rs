//! A damaged torrent is refused or read correctly, and nothing panics.

use super::*;
use crate::base::path;
use proptest::prelude::*;

/// A folder with every kind of entry.
fn rich() -> Vec<u8> {
    let files = vec![
        entry("x", 20_000, Some(&["sub", "一.flac"])),
        entry("p", 12_768, Some(&[".pad", "12768"])),
        entry("l", 0, Some(&["link"])),
        Bencode::dict([("length", 5i64.into()), ("path", vec![0xff].into()), ("path.utf-8", Bencode::list(["b"]))]),
    ];
    let info = with(with(folder_of(files, 32_773), "name.utf-8", "名"), "meta version", 2i64);
    let beside = vec![
        ("announce", "http://a/".into()),
        ("announce-list", Bencode::list([Bencode::list(["http://b/"]), Bencode::list(["udp://c:1"])])),
        ("url-list", Bencode::list(["http://d/"])),
        ("comment", "words".into()),
    ];
    torrent(with(info, "private", 1i64), beside)
}

/// What must be true for every torrent that is read.
fn is_sound(meta: &Metainfo) {
    let (mut end, mut seen) = (0, std::collections::BTreeSet::new());
    for file in meta.files.iter() {
        assert_eq!(file.offset, end);
        end += file.length;
        let path = file.path();
        assert!(seen.insert(path.clone()) || file.padding, "{path} is there twice");
        let mut names = path.split('/');
        assert_eq!(names.next(), Some(&*meta.name));
        assert!(names.all(|name| path::safe_component(name.as_bytes()).as_deref() == Ok(name)), "{path}");
    }
    assert_eq!(end, meta.length);
    let pieces: u64 = (0..meta.piece_count()).map(|piece| u64::from(meta.piece_size(piece))).sum();
    assert_eq!(pieces, meta.length);
    assert!(!meta.about().warnings.iter().any(|warning| warning.chars().any(path::is_unprintable)));
}

fn survives(bytes: &[u8]) {
    match Metainfo::parse(bytes) {
        Ok(meta) => is_sound(&meta),
        Err(error) => assert!(!error.to_string().chars().any(path::is_unprintable), "{error}"),
    }
}

#[test]
fn any_truncation_is_refused() {
    let bytes = rich();
    is_sound(&Metainfo::parse(&bytes).unwrap());
    for end in 0..bytes.len() {
        assert!(Metainfo::parse(&bytes[..end]).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn a_damaged_torrent_never_panics(places: [prop::sample::Index; 3], new in "[ilde0-9:a./\\x00\\x1b]{3}", cut in 0..3usize) {
        let mut bytes = rich();
        for (place, byte) in places.iter().zip(new.bytes()).skip(cut) {
            let at = place.index(bytes.len());
            bytes[at] = byte;
        }
        survives(&bytes);
        let at = places[0].index(bytes.len());
        bytes.splice(at..at, new.bytes().take(cut));
        survives(&bytes);
    }

    #[test]
    fn any_names_and_lengths_are_read_or_refused(
        name in proptest::collection::vec(any::<u8>(), 0..8),
        files in proptest::collection::vec((proptest::collection::vec("[aAbéÉ./ \u{202e}\n]{0,3}", 0..3), any::<u16>()), 0..5),
        attr in "[plx]?",
    ) {
        let length = files.iter().map(|(_, length)| i64::from(*length)).sum();
        let entries = files.iter().map(|(names, length)| {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            entry(if *length < 1000 { &attr } else { "" }, i64::from(*length), Some(&names))
        });
        survives(&torrent(with(folder_of(entries.collect(), length), "name", name), vec![]));
    }
}
