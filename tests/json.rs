//! Our reader of JSON reads what serde_json reads. (A program of its own, because serde_json adds comparisons that make
//! the types in other tests ambiguous.)

use proptest::prelude::*;
use swarmlet::base::json::read::{Value, read};

fn same(ours: &Value, theirs: &serde_json::Value) -> bool {
    match (ours, theirs) {
        (Value::Null, serde_json::Value::Null) => true,
        (Value::Flag(one), serde_json::Value::Bool(other)) => one == other,
        (Value::Whole(one), serde_json::Value::Number(other)) => {
            other.as_i64().map_or(other.as_f64() == Some(*one as f64), |other| other == *one)
        }
        (Value::Real(one), serde_json::Value::Number(other)) => {
            // serde_json reads decimals a little less exactly. (Numbers below `MIN_POSITIVE` have fewer digits.)
            other.as_f64().is_some_and(|other| (one - other).abs() <= one.abs().max(f64::MIN_POSITIVE) * 1e-15)
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
}
