use super::*;
use proptest::prelude::*;

fn text(text: &str) -> Value<'static> {
    Value::Text(Cow::Owned(text.into()))
}

#[test]
fn values_are_read() {
    assert_eq!(read(" 42 "), Ok(Value::Whole(42)));
    assert_eq!(read("-9223372036854775808"), Ok(Value::Whole(i64::MIN)));
    assert_eq!(read("9223372036854775808"), Ok(Value::Real(9_223_372_036_854_775_808.0)));
    assert_eq!(read("1e3"), Ok(Value::Real(1000.0)));
    assert_eq!(
        read(r#""a\"\\\/\b\f\n\r\t\u0041\u00e9\ud834\udd1e""#),
        Ok(text("a\"\\/\u{8}\u{c}\n\r\tA\u{e9}\u{1d11e}"))
    );
    let object = read(r#"{"a":[1,true,null],"b":{},"a":"last"}"#).unwrap();
    assert_eq!(object.get("a").and_then(Value::text), Some("last"));
    assert_eq!(object.get("b"), Some(&Value::Object(Vec::new())));
    assert_eq!(object.get("c"), None);
}

#[test]
fn what_is_no_json_is_refused_with_its_place() {
    for (wrong, at) in [
        ("", 0),
        ("nul", 0),
        ("[1,]", 3),
        ("{\"a\" 1}", 5),
        ("{1:2}", 1),
        ("[1 2]", 3),
        ("01", 2),
        ("-", 1),
        ("1.", 2),
        ("1e", 2),
        ("1e999", 5),
        ("\"a", 1),
        ("\"\n\"", 1),
        ("\"\\x\"", 2),
        ("\"\\u12\"", 3),
        ("1 2", 2),
        ("NaN", 0),
    ] {
        let error = read(wrong).unwrap_err();
        assert!(error.ends_with(&format!("(at byte {at})")), "{wrong:?}: {error}");
    }
}

#[test]
fn broken_characters_are_repaired() {
    assert_eq!(repaired(b"\xef\xbb\xbf\"a\xffb\""), "\"a\u{fffd}b\"");
    assert_eq!(read(r#""\ud800x""#), Ok(text("\u{fffd}x")));
    assert_eq!(read(r#""\udc00""#), Ok(text("\u{fffd}")));
    assert_eq!(read(r#""\ud834\u0041""#), Ok(text("\u{fffd}A")));
    assert_eq!(read(r#""\ud834\ud834\udd1e""#), Ok(text("\u{fffd}\u{1d11e}")));
}

#[test]
fn depth_and_number_of_values_are_bounded() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert!(read(&nested(MOST_DEPTH)).is_ok());
    assert!(read(&nested(MOST_DEPTH + 1)).unwrap_err().contains("too deep"));
    assert!(read(&"[".repeat(100_000)).unwrap_err().contains("too deep"));
    assert!(read(&"{\"a\":".repeat(100_000)).unwrap_err().contains("too deep"));
    let many = |values: usize| format!("[{}0]", "0,".repeat(values - 2));
    assert!(read(&many(MOST_VALUES)).is_ok());
    assert!(read(&many(MOST_VALUES + 1)).unwrap_err().contains("too many values"));
}

proptest! {
    #[test]
    fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let _ = read(&repaired(&bytes));
    }
}
