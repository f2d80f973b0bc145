//! As much bencoding (BEP 3) as the stories need. It shares no code with the program, so that it is a second opinion.

use std::collections::BTreeMap;

/// A value to encode.
#[derive(Clone)]
pub enum Value {
    /// A byte string.
    Bytes(Vec<u8>),
    /// An integer.
    Int(i64),
    /// A list.
    List(Vec<Value>),
    /// A dictionary, in the order of its keys.
    Dict(BTreeMap<&'static str, Value>),
}

impl Value {
    /// A string.
    pub fn text(text: &str) -> Value {
        Value::Bytes(text.into())
    }

    /// Its encoding.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode_to(&mut out);
        out
    }

    fn encode_to(&self, out: &mut Vec<u8>) {
        match self {
            Value::Bytes(bytes) => encode_bytes(bytes, out),
            Value::Int(number) => out.extend(format!("i{number}e").bytes()),
            Value::List(list) => {
                out.push(b'l');
                list.iter().for_each(|value| value.encode_to(out));
                out.push(b'e');
            }
            Value::Dict(dict) => {
                out.push(b'd');
                for (key, value) in dict {
                    encode_bytes(key.as_bytes(), out);
                    value.encode_to(out);
                }
                out.push(b'e');
            }
        }
    }
}

fn encode_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend(format!("{}:", bytes.len()).bytes());
    out.extend_from_slice(bytes);
}

/// The raw bytes of the value at `key` in the dictionary `data`. An info-hash is the hash of such bytes.
pub fn raw<'a>(data: &'a [u8], key: &str) -> Option<&'a [u8]> {
    let mut rest = data.strip_prefix(b"d")?;
    while !rest.starts_with(b"e") {
        let (name, after_name) = rest.split_at(length(rest)?);
        let (value, after_value) = after_name.split_at(length(after_name)?);
        if name.ends_with(format!(":{key}").as_bytes()) && name.len() == key.len() + 1 + digits(key.len()) {
            return Some(value);
        }
        rest = after_value;
    }
    None
}

/// The number in `raw`, an encoded integer.
pub fn int(raw: &[u8]) -> Option<i64> {
    std::str::from_utf8(raw.strip_prefix(b"i")?.strip_suffix(b"e")?).ok()?.parse().ok()
}

fn digits(number: usize) -> usize {
    number.to_string().len()
}

/// The length of the first value's encoding.
fn length(data: &[u8]) -> Option<usize> {
    match *data.first()? {
        b'i' => Some(data.iter().position(|&b| b == b'e')? + 1),
        b'l' | b'd' => {
            let mut at = 1;
            while *data.get(at)? != b'e' {
                at += length(&data[at..])?;
            }
            Some(at + 1)
        }
        _ => {
            let colon = data.iter().position(|&b| b == b':')?;
            let size: usize = std::str::from_utf8(&data[..colon]).ok()?.parse().ok()?;
            (colon + 1 + size <= data.len()).then_some(colon + 1 + size)
        }
    }
}
