//! Writes an object in either dialect, straight into the answer.
//!
//! Floor 4. Pure. The JSON-RPC dialect has all keys in snake_case. The old one has camelCase for what belongs to a
//! torrent and kebab-case for what belongs to the session, with exceptions that the caller spells out.

use crate::base::json::push_string;
use std::fmt::Write;

/// How a program speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// As all programs did before transmission 4.1: `{"method": ..., "arguments": ..., "tag": ...}`.
    Old,
    /// JSON-RPC 2.0.
    JsonRpc,
}

/// How the old dialect spells the keys of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// `hashString`
    Camel,
    /// `download-dir`
    Kebab,
    /// `total_size`
    Snake,
}

/// The pairs of an object that is being written. The caller writes the braces.
pub struct Pairs<'a> {
    /// The answer.
    pub out: &'a mut String,
    dialect: Dialect,
    style: Style,
    is_first: bool,
}

impl Pairs<'_> {
    /// Begins to write pairs behind what is in `out`.
    pub fn new(out: &mut String, dialect: Dialect, style: Style) -> Pairs<'_> {
        Pairs { out, dialect, style, is_first: true }
    }

    /// Writes a key, which is given in snake_case; its value has to follow.
    pub fn key(&mut self, key: &str) -> &mut String {
        self.separate();
        let style = if self.dialect == Dialect::JsonRpc { Style::Snake } else { self.style };
        let mut after_line = false;
        for c in key.chars() {
            match (c, style) {
                ('_', Style::Camel) => {}
                ('_', Style::Kebab) => self.out.push('-'),
                _ if after_line && style == Style::Camel => self.out.push(c.to_ascii_uppercase()),
                _ => self.out.push(c),
            }
            after_line = c == '_';
        }
        self.out.push_str("\":");
        self.out
    }

    /// Writes a key that each dialect spells in its own way.
    pub fn key_as(&mut self, snake: &str, old: &str) -> &mut String {
        self.separate();
        self.out.push_str(if self.dialect == Dialect::Old { old } else { snake });
        self.out.push_str("\":");
        self.out
    }

    fn separate(&mut self) {
        self.out.push_str(if self.is_first { "\"" } else { ",\"" });
        self.is_first = false;
    }

    /// Writes a number.
    pub fn number(&mut self, key: &str, number: i64) {
        push_number(self.key(key), number);
    }

    /// Writes a size or a count.
    pub fn size(&mut self, key: &str, size: u64) {
        push_size(self.key(key), size);
    }

    /// Writes a text.
    pub fn text(&mut self, key: &str, text: &str) {
        push_string(self.key(key), text);
    }

    /// Writes true or false.
    pub fn flag(&mut self, key: &str, flag: bool) {
        push_flag(self.key(key), flag);
    }

    /// Writes a number with a fraction.
    pub fn real(&mut self, key: &str, real: f64) {
        push_real(self.key(key), real);
    }
}

/// Appends a number. (Writing to a String can't fail; so below.)
pub fn push_number(out: &mut String, number: i64) {
    let _ = write!(out, "{number}");
}

/// Appends a size. What does not fit 63 bits is cut, because programs read it as a signed number.
pub fn push_size(out: &mut String, size: u64) {
    push_number(out, i64::try_from(size).unwrap_or(i64::MAX));
}

/// Appends true or false.
pub fn push_flag(out: &mut String, flag: bool) {
    out.push_str(if flag { "true" } else { "false" });
}

/// Appends a number with at most four digits behind the point, as transmission does. JSON has no infinity: it becomes
/// 0.
pub fn push_real(out: &mut String, real: f64) {
    let rounded = (real * 10_000.0).round() / 10_000.0;
    let _ = write!(out, "{}", if rounded.is_finite() { rounded } else { 0.0 });
}

/// Appends the items of a list, separated; the caller writes the brackets.
pub fn push_list<T>(out: &mut String, items: impl IntoIterator<Item = T>, mut push: impl FnMut(&mut String, T)) {
    for (at, item) in items.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        push(out, item);
    }
}
