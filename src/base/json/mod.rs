//! JSON (RFC 8259): a writer, and a [reader](read) for what strangers send. Objects as simple as ours need no library.

pub mod read;

use crate::base::path::is_unprintable;
use std::fmt::Write;

/// A JSON object that is being written.
#[derive(Clone)]
pub struct Object(String);

impl Object {
    /// Begins an object of a stream of events, whose first field names the event.
    pub fn new(event: &str) -> Object {
        let mut object = Object::plain();
        object.text("event", event);
        object
    }

    /// Begins an empty object.
    pub fn plain() -> Object {
        Object("{".into())
    }

    /// Writes a key; its value has to follow.
    pub fn key(&mut self, key: &str) {
        self.0.push_str(if self.0.len() > 1 { ",\"" } else { "\"" });
        self.0.push_str(key);
        self.0.push_str("\":");
    }

    /// Writes a number.
    pub fn number(&mut self, key: &str, number: u64) {
        self.raw(key, &number.to_string());
    }

    /// Writes a number, or null.
    pub fn number_or_null(&mut self, key: &str, number: Option<u32>) {
        self.raw(key, &number.map_or("null".into(), |number| number.to_string()));
    }

    /// Writes a string.
    pub fn text(&mut self, key: &str, text: &str) {
        self.raw(key, &string(text));
    }

    /// Writes a string, or null.
    pub fn text_or_null(&mut self, key: &str, text: Option<&str>) {
        self.raw(key, &text.map_or("null".into(), string));
    }

    /// Writes true or false.
    pub fn flag(&mut self, key: &str, flag: bool) {
        self.raw(key, if flag { "true" } else { "false" });
    }

    /// Writes a value that is JSON already.
    pub fn raw(&mut self, key: &str, json: &str) {
        self.key(key);
        self.0.push_str(json);
    }

    /// Returns the unfinished object, for a caller that writes the rest in portions.
    pub fn so_far(self) -> String {
        self.0
    }

    /// Ends the object and the line.
    pub fn end(self) -> String {
        self.0 + "}\n"
    }
}

/// An array of values that are JSON already.
pub fn array(items: &mut dyn Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

/// A JSON string. It escapes what JSON requires, and everything that could deceive a terminal, because people look at
/// the output too.
pub fn string(text: &str) -> String {
    let mut out = String::new();
    push_string(&mut out, text);
    out
}

/// Appends a [JSON string](string).
pub fn push_string(out: &mut String, text: &str) {
    out.push('"');
    // Most texts are like this, and lists have thousands of them.
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
    if text.bytes().all(is_plain) {
        out.push_str(text);
        out.push('"');
        return;
    }
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            ' '..='~' => out.push(character),
            _ if is_unprintable(character) => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    // Writing to a String can't fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
            _ => out.push(character),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped() {
        assert_eq!(string("a\"b\\c/日本"), "\"a\\\"b\\\\c/日本\"");
        assert_eq!(string("\n\t\r\x1b\x7f\u{9b}"), "\"\\n\\t\\u000d\\u001b\\u007f\\u009b\"");
        assert_eq!(string("\u{202e}\u{e0041}"), "\"\\u202e\\udb40\\udc41\"");
        assert_eq!(string(""), "\"\"");
    }
}
