//! Tests of bencode: each rule once, then properties of any input.

use super::*;
use proptest::prelude::*;

fn text(input: &str) -> Value<'_> {
    decode(input.as_bytes()).unwrap()
}

#[test]
fn reads_each_kind() {
    assert_eq!(text("i42e").as_int(), Some(42));
    assert_eq!(text("i0e").as_int(), Some(0));
    assert_eq!(text("i-9223372036854775808e").as_int(), Some(i64::MIN));
    assert_eq!(text("i9223372036854775807e").as_int(), Some(i64::MAX));
    assert_eq!(text("0:").as_bytes(), Some(&b""[..]));
    assert_eq!(text("4:spam").as_text(), Some("spam"));
    assert_eq!(decode(b"2:\xff\xfe").unwrap().as_text(), None);
    assert_eq!(text("le").items().unwrap().count(), 0);
    assert_eq!(text("de").entries().unwrap().count(), 0);
    let list = text("l4:spami-3eld0:leeee");
    assert_eq!(list.items().unwrap().map(|item| item.raw().len()).collect::<Vec<_>>(), [6, 4, 8]);
    // A value of one kind cannot be read as another.
    for value in [text("i1e"), text("1:a"), text("le"), text("de")] {
        let kinds =
            [value.as_int().is_some(), value.as_bytes().is_some(), value.items().is_some(), value.entries().is_some()];
        assert_eq!(kinds.iter().filter(|is| **is).count(), 1);
    }
}

#[test]
fn keys_are_found_in_any_order() {
    let dict = text("d3:zzzi1e1:ald1:ki2eee1:bi3e3:zzzi4ee");
    assert_eq!(dict.get(b"b").and_then(Value::as_int), Some(3));
    assert_eq!(dict.get(b"zzz").and_then(Value::as_int), Some(1), "the first of two");
    assert_eq!(dict.get(b"k"), None, "not of an inner dict");
    let all = dict.get_all([b"b", b"none", b"zzz"]).unwrap();
    assert_eq!(all.map(|value| value.and_then(Value::as_int)), [Some(3), None, Some(1)]);
    let inner = dict.get(b"a").unwrap();
    assert_eq!(inner.raw(), b"ld1:ki2eee");
    let inner = inner.items().unwrap().next().unwrap().get(b"k").unwrap();
    assert_eq!(inner.as_int(), Some(2));
    assert_eq!((text("i1e").get(b"a"), text("i1e").get_all([b"a"])), (None, None));
}

#[test]
fn errors_have_the_right_place() {
    let cases: [(&[u8], usize, &str); 29] = [
        (b"", 0, "the input ends within a value"),
        (b"i12", 3, "the input ends within a value"),
        (b"i-", 2, "the input ends within a value"),
        (b"12", 2, "the input ends within a value"),
        (b"l4:spam", 7, "the input ends within a value"),
        (b"d1:a", 4, "the input ends within a value"),
        (b"i1ei2e", 3, "3 bytes follow the value"),
        (b"4:spam\n", 6, "1 bytes follow the value"),
        (b"x", 0, "no value begins with 'x'"),
        (b"e", 0, "no value begins with 'e'"),
        (b"l-e", 1, "no value begins with '-'"),
        (b"ie", 0, "integer without digits"),
        (b"i-e", 0, "integer without digits"),
        (b"i 1e", 1, "' ' in an integer"),
        (b"i+1e", 1, "'+' in an integer"),
        (b"i1.5e", 2, "'.' in an integer"),
        (b"i-0e", 0, "integer -0"),
        (b"i007e", 0, "number with a leading zero"),
        (b"i-01e", 0, "number with a leading zero"),
        (b"01:a", 0, "number with a leading zero"),
        (b"i9223372036854775808e", 0, "integer does not fit 64 bits"),
        (b"i-9223372036854775809e", 0, "integer does not fit 64 bits"),
        (b"4spam", 1, "'s' where a string's ':' belongs"),
        (b"l6:spame", 1, "string of 6 bytes runs past the end of the input"),
        (b"99999999999999999999999:a", 0, "string of 18446744073709551615 bytes runs past the end of the input"),
        (b"di1ei2ee", 1, "dict key is not a string"),
        (b"dlei2ee", 1, "dict key is not a string"),
        (b"d1:ae", 4, "dict ends after a key"),
        (b"d1:ai1e1:ai2ee", 7, "the same dict key twice"),
    ];
    for (input, offset, problem) in cases {
        let error = decode(input).unwrap_err();
        assert_eq!(error, format!("byte {offset}: {problem}"), "{}", input.escape_ascii());
    }
    assert!(decode(b"d0:i1e0:i2ee").is_err(), "an empty key is a key");
    let error = decode(b"l14:aaaaaaaaaaaaaa400:ae").unwrap_err();
    assert_eq!(error.to_string(), "byte 18: string of 400 bytes runs past the end of the input");
}

#[test]
fn what_other_programs_wrote_is_read_and_what_is_odd_is_told() {
    let read = |input: &str| {
        let (value, odd) = decode_foreign(input.as_bytes()).unwrap();
        (value.raw().len(), odd.map_or(String::new(), |odd| odd))
    };
    assert_eq!(read("d1:ai1ee"), (8, String::new()));
    assert_eq!(read(" \r\nd1:ai1ee\n\n"), (8, String::new()));
    assert_eq!(read("\u{feff}d1:ai1ee"), (8, String::new()));
    assert_eq!(read("d1:bi1e1:ai1ee"), (14, String::new()), "unsorted keys do no harm");
    assert_eq!(read("d1:ai1ee\0\0"), (8, "byte 8: 2 bytes follow the value".into()));
    assert_eq!(read("li-0ei01ee"), (10, "byte 1: integer -0".into()));
    assert_eq!(read("01:a"), (4, "byte 0: number with a leading zero".into()));
    assert_eq!(read("i99999999999999999999e").1, "byte 0: integer does not fit 64 bits");
    let odd = |input: &'static str| decode_foreign(input.as_bytes()).unwrap().0;
    assert_eq!(
        (odd("i007e").as_int(), odd("i-0e").as_int(), odd("003:abc").as_text()),
        (Some(7), Some(0), Some("abc"))
    );
    let large = odd("i-99999999999999999999e");
    assert_eq!((large.as_int(), large.to_string().as_str()), (None, "-99999999999999999999"));
    let twice = odd("d1:ai1e1:ai2ee");
    assert_eq!(twice.get(b"a").and_then(Value::as_int), Some(1), "the first counts");
    for bad in ["", "i", "ie", "i-e", "i1.5e", "l", "d1:ae", "di1ei1ee", "5:abc", "x"] {
        assert!(decode_foreign(bad.as_bytes()).is_err(), "{bad}");
    }
}

#[test]
fn the_rest_after_a_prefix_is_returned() {
    let (value, rest) = decode_prefix(b"d8:msg_typei1eeRAW").unwrap();
    assert_eq!(value.get(b"msg_type").and_then(Value::as_int), Some(1));
    assert_eq!(rest, b"RAW");
    assert_eq!(value.raw().len() + rest.len(), 18);
}

fn nested(open: &str, depth: usize, close: &str) -> Vec<u8> {
    [open.repeat(depth), close.repeat(depth)].concat().into_bytes()
}

#[test]
fn nesting_has_a_limit() {
    assert!(decode(&nested("l", MAX_DEPTH, "e")).is_ok());
    let error = decode(&nested("l", MAX_DEPTH + 1, "e")).unwrap_err();
    assert_eq!(error.to_string(), "byte 32: lists and dicts nest deeper than 32");

    let torrent = |key: &str, depth| [format!("d4:{key}").into(), nested("l", depth - 1, "e"), vec![b'e']].concat();
    assert!(decode_metainfo(&torrent("info", MAX_INFO_DEPTH)).is_ok());
    assert!(decode_metainfo(&torrent("info", MAX_INFO_DEPTH + 1)).is_err());
    assert!(decode_metainfo(&torrent("infa", MAX_DEPTH)).is_ok());
    assert!(decode_metainfo(&torrent("infa", MAX_DEPTH + 1)).is_err());
    assert!(decode(&torrent("info", MAX_DEPTH + 1)).is_err());
}

/// The thread of a test has 2 MiB of stack. With a frame for each level, a million levels would not fit.
#[test]
fn deep_nesting_needs_no_stack() {
    for input in [nested("l", 1_000_000, "e"), b"d4:info".repeat(1_000_000), b"d0:".repeat(1_000_000)] {
        assert!(decode_metainfo(&input).unwrap_err().contains(": lists and dicts nest deeper than "));
    }
    let deepest = [b"d0:".repeat(MAX_DEPTH - 1), b"de".to_vec(), b"e".repeat(MAX_DEPTH - 1)].concat();
    assert!(decode(&deepest).unwrap().to_string().ends_with("{…}}}}}"));
}

/// Four million values, and numbers and keys of megabytes: in quadratic time this test would not end.
#[test]
fn time_is_linear() {
    let list = [b"l".to_vec(), b"i1e".repeat(4_000_000), b"e".to_vec()].concat();
    assert_eq!(decode(&list).unwrap().items().unwrap().count(), 4_000_000);
    assert!(decode(&[b"i".to_vec(), vec![b'1'; 8_000_000]].concat()).is_err());
    assert!(decode(&vec![b'1'; 8_000_000]).is_err());
    let key = [b"1000000:".to_vec(), vec![b'k'; 1_000_000]].concat();
    let keys = [b"d".to_vec(), [&key[..], b"i1e0:i1e"].concat().repeat(8), b"e".to_vec()].concat();
    assert_eq!(decode(&keys).unwrap().entries().unwrap().count(), 16);
}

#[test]
fn a_value_is_shown_in_one_line() {
    let shown = |input: &[u8]| decode(input).unwrap().to_string();
    assert_eq!(shown(b"d8:intervali1800e5:peers6:\x7f\0\0\x01\x1a\xe1e"), "{interval: 1800, peers: <6 bytes>}");
    assert_eq!(shown(b"l4:spami-3edelee"), "[\"spam\", -3, {}, []]");
    assert_eq!(shown("l3:\u{202e}e".as_bytes()), "[<3 bytes>]");
    let long = Bencode::from("é".repeat(100).as_str()).encode();
    assert_eq!(shown(&long), format!("\"{}…\" (200 bytes)", "é".repeat(30)));
    let long = Bencode::from(format!("x{}", "é".repeat(100)).as_str()).encode();
    assert_eq!(shown(&long), format!("\"x{}…\" (201 bytes)", "é".repeat(29)));
    assert_eq!(shown(&Bencode::list(1..=20u64).encode()), "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, …]");
}

#[test]
fn dicts_are_sorted_and_raw_values_are_kept() {
    let raw = b"d1:zi1e1:ai2ee";
    let value = Bencode::dict([
        ("info", decode(raw).unwrap().into()),
        ("announce", "http://t/".into()),
        ("z", Bencode::list([1i64, -1])),
        ("b", vec![0xff].into()),
    ]);
    assert_eq!(value.encode(), b"d8:announce9:http://t/1:b1:\xff4:infod1:zi1e1:ai2ee1:zli1ei-1eee");
}

/// Any value of some depth and size.
fn any_value() -> impl Strategy<Value = Bencode> {
    let bytes = || proptest::collection::vec(any::<u8>(), 0..12);
    let leaf = prop_oneof![any::<i64>().prop_map(Bencode::Int), bytes().prop_map(Bencode::Bytes)];
    leaf.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Bencode::List),
            proptest::collection::btree_map(bytes(), inner, 0..6).prop_map(Bencode::Dict),
        ]
    })
}

fn same(built: &Bencode, read: Value<'_>) -> bool {
    match built {
        Bencode::Int(number) => read.as_int() == Some(*number),
        Bencode::Bytes(bytes) => read.as_bytes() == Some(bytes),
        Bencode::List(items) => {
            let read: Vec<_> = read.items().unwrap().collect();
            items.len() == read.len() && items.iter().zip(read).all(|(built, read)| same(built, read))
        }
        Bencode::Dict(entries) => {
            let read: Vec<_> = read.entries().unwrap().collect();
            entries.len() == read.len()
                && entries.iter().zip(read).all(|((key, built), (name, read))| key == name && same(built, read))
        }
        Bencode::Raw(raw) => raw == read.raw(),
    }
}

/// Uses everything that a value offers, at every depth.
fn visit(value: Value<'_>, input: &[u8]) {
    assert!(value.raw().len() <= input.len());
    let _ = (value.as_int(), value.as_text(), value.get(b"a"), value.to_string());
    value.items().into_iter().flatten().for_each(|item| visit(item, input));
    value.entries().into_iter().flatten().for_each(|(_, item)| visit(item, input));
}

fn never_panics(input: &[u8]) {
    if let Ok(value) = decode(input) {
        visit(value, input);
    }
    if let Ok((value, _)) = decode_foreign(input) {
        visit(value, input);
    }
    if let Ok((value, rest)) = decode_prefix(input) {
        visit(value, input);
        assert_eq!(value.raw().len() + rest.len(), input.len());
    }
}

proptest! {
    #[test]
    fn what_is_written_can_be_read(value in any_value()) {
        let encoded = value.encode();
        let read = decode(&encoded).unwrap();
        prop_assert!(same(&value, read));
        prop_assert_eq!(read.raw(), &encoded[..]);
        visit(read, &encoded);
    }

    #[test]
    fn any_truncation_is_an_error(value in any_value()) {
        let encoded = value.encode();
        for end in 0..encoded.len() {
            prop_assert!(decode(&encoded[..end]).is_err());
        }
    }

    #[test]
    fn a_changed_byte_never_panics(value in any_value(), at: prop::sample::Index, byte: u8) {
        let mut encoded = value.encode();
        let at = at.index(encoded.len());
        encoded[at] = byte;
        never_panics(&encoded);
    }

    #[test]
    fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        never_panics(&bytes);
    }

    #[test]
    fn any_text_like_bencode_never_panics(text in "[ilde0-9:a-]{0,60}") {
        never_panics(text.as_bytes());
    }
}
