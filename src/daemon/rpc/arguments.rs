//! The arguments of a call, by name and by type.
//!
//! Floor 4. Pure. Names are understood in all spellings. Types are taken as loosely as transmission takes them: 1 for
//! true, 2.0 for 2. What is not known is ignored, because newer programs send more than older daemons know.

use super::Failure;
use crate::base::json::read::Value;
use crate::daemon::settings::table::snake;
use std::borrow::Cow;

/// Most arguments of a call. (`session-set` knows about 70.)
const MOST: usize = 500;

/// The arguments of a call.
pub struct Arguments<'a> {
    pairs: Vec<(Cow<'a, str>, &'a Value<'a>)>,
    /// What was sent was no object. (tremc sends a number with `session-stats`.) Then there are no arguments.
    pub are_damaged: bool,
}

impl<'a> Arguments<'a> {
    /// What is in `object`. No object is no arguments.
    pub fn new(object: Option<&'a Value<'a>>) -> Result<Arguments<'a>, Failure> {
        let pairs = match object {
            Some(Value::Object(pairs)) if pairs.len() > MOST => return Err(Failure::params("too many arguments")),
            Some(Value::Object(pairs)) => pairs.as_slice(),
            _ => &[],
        };
        let are_damaged = !matches!(object, None | Some(Value::Null | Value::Object(_)));
        Ok(Arguments { pairs: pairs.iter().map(|(name, value)| (snake(name), value)).collect(), are_damaged })
    }

    /// All of them, with their names in snake_case.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &'a Value<'a>)> {
        self.pairs.iter().map(|(name, value)| (&**name, *value))
    }

    /// The argument of this name, which is given in snake_case. `null` is no argument.
    pub fn get(&self, name: &str) -> Option<&'a Value<'a>> {
        let found = self.pairs.iter().rev().find(|(other, _)| other == name);
        found.map(|(_, value)| *value).filter(|value| **value != Value::Null)
    }

    /// The argument as something that `read` makes of it. The error says what was expected.
    fn typed<T>(
        &self,
        name: &str,
        expected: &str,
        read: impl FnOnce(&'a Value<'a>) -> Option<T>,
    ) -> Result<Option<T>, Failure> {
        let wrong = || Failure::params(format!("{name}: expected {expected}"));
        self.get(name).map(|value| read(value).ok_or_else(wrong)).transpose()
    }

    /// A text.
    pub fn text(&self, name: &str) -> Result<Option<&'a str>, Failure> {
        self.typed(name, "a text", Value::text)
    }

    /// True or false.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, Failure> {
        self.typed(name, "true or false", |value| match value {
            Value::Flag(flag) => Some(*flag),
            Value::Whole(0) => Some(false),
            Value::Whole(1) => Some(true),
            Value::Text(text) => text.parse().ok(),
            _ => None,
        })
    }

    /// A whole number in this range.
    pub fn number(&self, name: &str, least: i64, most: i64) -> Result<Option<i64>, Failure> {
        let expected = format!("a number from {least} to {most}");
        self.typed(name, &expected, |value| whole(value).filter(|number| (least..=most).contains(number)))
    }

    /// A size or count that fits 32 bits.
    pub fn count(&self, name: &str) -> Result<Option<u64>, Failure> {
        // It is not negative.
        Ok(self.number(name, 0, i64::from(u32::MAX))?.map(|count| count as u64))
    }

    /// A number that is not negative, and not larger than a count.
    pub fn real(&self, name: &str) -> Result<Option<f64>, Failure> {
        self.typed(name, "a number that is not negative", |value| {
            match value {
                Value::Whole(number) => Some(*number as f64),
                Value::Real(number) => Some(*number),
                _ => None,
            }
            .filter(|number| (0.0..=f64::from(u32::MAX)).contains(number))
        })
    }

    /// A list.
    pub fn list(&self, name: &str) -> Result<Option<&'a [Value<'a>]>, Failure> {
        self.typed(name, "a list", |value| match value {
            Value::List(values) => Some(values.as_slice()),
            _ => None,
        })
    }

    /// A list of whole numbers of 32 bits.
    pub fn numbers(&self, name: &str) -> Result<Option<Vec<u32>>, Failure> {
        let read = |value| whole(value).and_then(|number| u32::try_from(number).ok());
        let numbers = |list: &'a [Value<'a>]| list.iter().map(read).collect::<Option<Vec<u32>>>();
        let wrong = || Failure::params(format!("{name}: expected a list of numbers"));
        self.list(name)?.map(|list| numbers(list).ok_or_else(wrong)).transpose()
    }
}

/// A whole number; the fraction is cut off.
pub fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Whole(number) => Some(*number),
        // The cast goes to the nearest number that fits.
        Value::Real(number) => Some(*number as i64),
        _ => None,
    }
}
