//! Writing bencode (BEP 3): a value is built, then encoded.
//!
//! The result is canonical by construction (a dict is sorted and has no key twice), except for [`Bencode::Raw`], which
//! keeps another program's bytes as they are.

use super::Value;
use std::collections::BTreeMap;

/// A value to be encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bencode {
    /// An integer.
    Int(i64),
    /// A string of bytes.
    Bytes(Vec<u8>),
    /// A list.
    List(Vec<Bencode>),
    /// A dict; its keys come out sorted as raw bytes, as BEP 3 demands.
    Dict(BTreeMap<Vec<u8>, Bencode>),
    /// A value that is encoded already and is copied verbatim, so that `info` can stay byte for byte. It must be
    /// exactly one value, as [`Value::raw`] returns it.
    Raw(Vec<u8>),
}

impl Bencode {
    /// A dict of these keys and values: `Bencode::dict([("interval", 1800.into())])`. If a key is given twice,
    /// the last one counts.
    pub fn dict<K: Into<Vec<u8>>>(entries: impl IntoIterator<Item = (K, Bencode)>) -> Bencode {
        // `collect` would sort the entries first, with a sort of its own for each kind of iterator (see `base::sort`).
        let mut dict = BTreeMap::new();
        entries.into_iter().for_each(|(key, value)| drop(dict.insert(key.into(), value)));
        Bencode::Dict(dict)
    }

    /// A list of these values: `Bencode::list(["a", "b"])`.
    pub fn list<V: Into<Bencode>>(items: impl IntoIterator<Item = V>) -> Bencode {
        Bencode::List(items.into_iter().map(Into::into).collect())
    }

    /// The encoded bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode_into(&mut out);
        out
    }

    /// Recursion is no danger here: a `Bencode` is only as deep as our own code builds it.
    fn encode_into(&self, out: &mut Vec<u8>) {
        match self {
            Bencode::Int(number) => out.extend_from_slice(format!("i{number}e").as_bytes()),
            Bencode::Bytes(bytes) => string_into(bytes, out),
            Bencode::List(items) => {
                out.push(b'l');
                items.iter().for_each(|item| item.encode_into(out));
                out.push(b'e');
            }
            Bencode::Dict(entries) => {
                out.push(b'd');
                for (key, value) in entries {
                    string_into(key, out);
                    value.encode_into(out);
                }
                out.push(b'e');
            }
            Bencode::Raw(encoded) => out.extend_from_slice(encoded),
        }
    }
}

fn string_into(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("{}:", bytes.len()).as_bytes());
    out.extend_from_slice(bytes);
}

impl From<i64> for Bencode {
    fn from(number: i64) -> Bencode {
        Bencode::Int(number)
    }
}

/// Numbers in bencode are signed; a larger one becomes the largest.
impl From<u64> for Bencode {
    fn from(number: u64) -> Bencode {
        Bencode::Int(number.try_into().unwrap_or(i64::MAX))
    }
}

impl From<&str> for Bencode {
    fn from(text: &str) -> Bencode {
        Bencode::Bytes(text.into())
    }
}

impl From<&[u8]> for Bencode {
    fn from(bytes: &[u8]) -> Bencode {
        Bencode::Bytes(bytes.into())
    }
}

impl From<Vec<u8>> for Bencode {
    fn from(bytes: Vec<u8>) -> Bencode {
        Bencode::Bytes(bytes)
    }
}

/// As it stood in the input, byte for byte.
impl From<Value<'_>> for Bencode {
    fn from(value: Value<'_>) -> Bencode {
        Bencode::Raw(value.raw().into())
    }
}
