//! Reads JSON that a stranger wrote (RFC 8259).
//!
//! Pure. One pass, so the time follows the length. A text may nest lists and objects 32 deep ([`MOST_DEPTH`]) and have
//! [`MOST_VALUES`] values, which bounds the stack and the memory. Bytes that are not UTF-8, and halves of surrogate
//! pairs, become U+FFFD: names of files are bytes, and programs pass them on as they are.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

/// How deep lists and objects may nest. (RPC needs four levels.)
pub const MOST_DEPTH: usize = 32;
/// Most values of a text. (The longest honest list has one number for each file of a torrent.)
pub const MOST_VALUES: usize = 1 << 20;

/// A JSON value. Texts without escapes are borrowed from the input.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Flag(bool),
    /// A number without fraction and exponent that fits 64 bits.
    Whole(i64),
    /// Any other number. It is finite.
    Real(f64),
    /// A string.
    Text(Cow<'a, str>),
    /// A list.
    List(Vec<Value<'a>>),
    /// An object, in the order of the input. If a key comes twice, the last one counts.
    Object(Vec<(Cow<'a, str>, Value<'a>)>),
}

impl Value<'_> {
    /// What an object has under `key`.
    pub fn get(&self, key: &str) -> Option<&Self> {
        let Value::Object(pairs) = self else { return None };
        pairs.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The string.
    pub fn text(&self) -> Option<&str> {
        let Value::Text(text) = self else { return None };
        Some(text)
    }
}

/// The bytes as text: a mark at the beginning is left out, and what is no UTF-8 is replaced.
pub fn repaired(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes))
}

/// Reads a text, which is one value. The error says what is wrong and where, in bytes from the beginning.
pub fn read(text: &str) -> Result<Value<'_>, String> {
    let mut reader = Reader { text, at: 0, values: 0 };
    let result = reader.value(0).and_then(|value| {
        reader.skip_space();
        if reader.at == text.len() { Ok(value) } else { Err("nothing may follow the value") }
    });
    result.map_err(|wrong| format!("{wrong} (at byte {})", reader.at))
}

struct Reader<'a> {
    text: &'a str,
    /// The next byte, always the first one of a character.
    at: usize,
    values: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.peek() {
            self.at += 1;
        }
    }

    /// Skips white space, and `byte` if it comes next.
    fn skip(&mut self, byte: u8) -> bool {
        self.skip_space();
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn value(&mut self, depth: usize) -> Result<Value<'a>, &'static str> {
        self.values += 1;
        if self.values > MOST_VALUES {
            return Err("too many values");
        }
        self.skip_space();
        match self.peek() {
            Some(b'{' | b'[') if depth == MOST_DEPTH => Err("lists and objects nest too deep"),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => Ok(Value::Text(self.string()?)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(_) => self.word(),
            None => Err("the text ends too early"),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value<'a>, &'static str> {
        let mut pairs = Vec::new();
        self.at += 1;
        if self.skip(b'}') {
            return Ok(Value::Object(pairs));
        }
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return Err("expected a key in quotes");
            }
            let key = self.string()?;
            if !self.skip(b':') {
                return Err("expected ':' behind a key");
            }
            pairs.push((key, self.value(depth + 1)?));
            if self.skip(b'}') {
                return Ok(Value::Object(pairs));
            }
            if !self.skip(b',') {
                return Err("expected ',' or '}'");
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Value<'a>, &'static str> {
        let mut values = Vec::new();
        self.at += 1;
        if self.skip(b']') {
            return Ok(Value::List(values));
        }
        loop {
            values.push(self.value(depth + 1)?);
            if self.skip(b']') {
                return Ok(Value::List(values));
            }
            if !self.skip(b',') {
                return Err("expected ',' or ']'");
            }
        }
    }

    fn word(&mut self) -> Result<Value<'a>, &'static str> {
        for (word, value) in [("true", Value::Flag(true)), ("false", Value::Flag(false)), ("null", Value::Null)] {
            if self.text[self.at..].starts_with(word) {
                self.at += word.len();
                return Ok(value);
            }
        }
        Err("expected a value")
    }

    fn digits(&mut self) -> usize {
        let before = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        self.at - before
    }

    fn number(&mut self) -> Result<Value<'a>, &'static str> {
        const WRONG: &str = "this is not a number";
        let begin = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        let first = self.peek();
        let whole = self.digits();
        if whole == 0 || (first == Some(b'0') && whole > 1) {
            return Err(WRONG);
        }
        let whole_end = self.at;
        if self.peek() == Some(b'.') {
            self.at += 1;
            if self.digits() == 0 {
                return Err(WRONG);
            }
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            if self.digits() == 0 {
                return Err(WRONG);
            }
        }
        let digits = &self.text[begin..self.at];
        if self.at == whole_end
            && let Ok(number) = digits.parse()
        {
            return Ok(Value::Whole(number));
        }
        let number: f64 = digits.parse().map_err(|_| WRONG)?;
        if number.is_finite() { Ok(Value::Real(number)) } else { Err("this number is too large") }
    }

    /// The string that begins here with its quote.
    fn string(&mut self) -> Result<Cow<'a, str>, &'static str> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = &self.text[self.at..];
            let plain = rest.bytes().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f));
            let plain = plain.ok_or("a string does not end")?;
            self.at += plain + 1;
            match rest.as_bytes()[plain] {
                b'"' if out.is_empty() => return Ok(Cow::Borrowed(&rest[..plain])),
                b'"' => return Ok(Cow::Owned(out + &rest[..plain])),
                b'\\' => {
                    out.push_str(&rest[..plain]);
                    out.push(self.escape()?);
                }
                _ => {
                    self.at -= 1;
                    return Err("control characters in strings must be escaped");
                }
            }
        }
    }

    /// The character behind a backslash.
    fn escape(&mut self) -> Result<char, &'static str> {
        let letter = self.peek();
        let plain = match letter {
            Some(b'"' | b'\\' | b'/') => letter.map_or('/', char::from),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.unit_or_pair();
            }
            _ => return Err("unknown escape"),
        };
        self.at += 1;
        Ok(plain)
    }

    fn unit_or_pair(&mut self) -> Result<char, &'static str> {
        let unit = self.unit()?;
        if (0xd800..0xdc00).contains(&unit) && self.text[self.at..].starts_with("\\u") {
            let before = self.at;
            self.at += 2;
            let second = self.unit()?;
            if let Some(Ok(character)) = char::decode_utf16([unit, second]).next() {
                return Ok(character);
            }
            self.at = before;
        }
        Ok(char::from_u32(u32::from(unit)).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    /// Four hex digits.
    fn unit(&mut self) -> Result<u16, &'static str> {
        let digits = self.text.as_bytes()[self.at..].first_chunk::<4>().ok_or("the text ends too early")?;
        let mut unit = 0;
        for digit in digits {
            // A hex digit is below 16.
            unit = unit << 4 | char::from(*digit).to_digit(16).ok_or("expected four hex digits behind \\u")? as u16;
        }
        self.at += 4;
        Ok(unit)
    }
}
