//! Reads the fields of a daemon's answer. A field that is missing, or of another type, counts as 0 or empty.
//!
//! Floor 4. Pure.

use crate::base::json::Object;
use crate::base::json::read::Value;

/// Writes a number, or null.
pub fn number_or_null(object: &mut Object, key: &str, number: Option<u64>) {
    object.raw(key, &number.map_or("null".into(), |number| number.to_string()));
}

/// A number that is not below 0; 0 if it is missing.
pub fn number(object: &Value, key: &str) -> u64 {
    whole(object, key).map_or(0, |number| number.try_into().unwrap_or(0))
}

/// A whole number.
pub fn whole(object: &Value, key: &str) -> Option<i64> {
    as_whole(object.get(key)?)
}

/// The same for a value that is no field.
pub fn as_whole(value: &Value) -> Option<i64> {
    match value {
        Value::Whole(number) => Some(*number),
        // Some daemons write 1.0. A cast saturates.
        Value::Real(number) => Some(*number as i64),
        _ => None,
    }
}

/// Any number.
pub fn real(object: &Value, key: &str) -> Option<f64> {
    match object.get(key)? {
        Value::Whole(number) => Some(*number as f64),
        Value::Real(number) => Some(*number),
        _ => None,
    }
}

/// A text; empty if it is missing.
pub fn text<'a>(object: &'a Value, key: &str) -> &'a str {
    object.get(key).and_then(Value::text).unwrap_or_default()
}

/// True or false; false if it is missing. Old daemons write 0 and 1.
pub fn flag(object: &Value, key: &str) -> bool {
    matches!(object.get(key), Some(Value::Flag(true) | Value::Whole(1)))
}

/// The values of a list; none if it is missing.
pub fn list<'a, 'b>(object: &'a Value<'b>, key: &str) -> &'a [Value<'b>] {
    match object.get(key) {
        Some(Value::List(values)) => values,
        _ => &[],
    }
}
