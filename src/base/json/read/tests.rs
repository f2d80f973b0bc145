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

fn same(ours: &Value, theirs: &serde_json::Value) -> bool {
    match (ours, theirs) {
        (Value::Null, serde_json::Value::Null) => true,
        (Value::Flag(one), serde_json::Value::Bool(other)) => one == other,
        (Value::Whole(one), serde_json::Value::Number(other)) => {
            other.as_i64().map_or(other.as_f64() == Some(*one as f64), |other| other == *one)
        }
        (Value::Real(one), serde_json::Value::Number(other)) => {
            // serde_json reads decimals a little less exactly.
            other.as_f64().is_some_and(|other| (one - other).abs() <= one.abs() * 1e-15)
        }
        (Value::Text(one), serde_json::Value::String(other)) => one == other,
        (Value::List(one), serde_json::Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(_), serde_json::Value::Object(other)) => {
            other.iter().all(|(key, other)| ours.get(key).is_some_and(|one| same(one, other)))
        }
        _ => false,
    }
}

fn check(input: &str) -> Result<(), TestCaseError> {
    match (read(input), serde_json::from_str::<serde_json::Value>(input)) {
        (Ok(ours), Ok(theirs)) => prop_assert!(same(&ours, &theirs), "{ours:?} {theirs:?}"),
        (Err(_), Err(_)) => {}
        // We repair what serde_json refuses.
        (Ok(_), Err(error)) if error.to_string().contains("surrogate") || error.to_string().contains("hex escape") => {}
        (ours, theirs) => prop_assert!(false, "{input:?}: {ours:?} {theirs:?}"),
    }
    Ok(())
}

proptest! {
    #[test]
    fn real_json_is_read_as_serde_json_reads_it(words in prop::collection::vec(
        prop::sample::select(vec![
            "{", "}", "[", "]", ",", ":", "\"a\"", "\"\\u00e9\\n\"", "\"\\ud834\\udd1e\"", "1", "-0", "2.5e-3", "1e400",
            "12345678901234567890", "true", "false", "null", " ", "\n", "\"", "\\", "e", "00", "{}", "[]", "\"k\":1",
        ]), 0..12)) {
        check(&words.concat())?;
    }

    #[test]
    fn nested_values_are_read_as_serde_json_reads_them(
        names in prop::collection::vec(any::<String>(), 1..5),
        numbers in prop::collection::vec(any::<f64>(), 1..5),
        whole in any::<i64>(),
    ) {
        let object: serde_json::Map<String, serde_json::Value> =
            names.iter().map(|name| (name.clone(), serde_json::json!([numbers, whole, {"x": names}]))).collect();
        check(&serde_json::Value::Object(object).to_string())?;
    }

    #[test]
    fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let _ = read(&repaired(&bytes));
    }
}
