//! The file with what was changed of very many torrents at once.
//!
//! Floor 4. Pure. A program that limits or stops ten thousand torrents waits for this one file and not for ten
//! thousand. Their own files are written later, a few at a time, and then this one goes. The records are numbered in
//! the order in which they are written. So after kill -9 it is known which one is newer: that of this file, or the
//! torrent's own.
//!
//! ```text
//! l 20:info-hash d ... the bytes of the torrent's own file, with their digest ... e   for each torrent   e
//! ```

use crate::proto::bencode::{self, Value};
use crate::proto::id::InfoHash;
use std::collections::BTreeMap;

/// Adds a torrent to the bytes of a file, which begin empty.
pub fn add(bytes: &mut Vec<u8>, hash: InfoHash, record: &[u8]) {
    if bytes.is_empty() {
        bytes.push(b'l');
    }
    bytes.extend_from_slice(b"20:");
    bytes.extend_from_slice(&hash.0);
    bytes.extend_from_slice(record);
}

/// Reads the records of a file. An error says what is wrong with it. (Each record has a digest of its own.)
pub fn decode(bytes: &[u8]) -> Result<BTreeMap<InfoHash, Vec<u8>>, String> {
    let file = bencode::decode(bytes)?;
    let mut items = file.items().ok_or("it is no list")?;
    let mut records = BTreeMap::new();
    while let (Some(hash), Some(record)) = (items.next(), items.next()) {
        let hash = hash.as_bytes().and_then(|hash| hash.try_into().ok()).ok_or("it has a wrong info-hash")?;
        records.insert(InfoHash(hash), Value::raw(record).to_vec());
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_as_they_were_added() {
        let mut bytes = Vec::new();
        add(&mut bytes, InfoHash([1; 20]), b"d1:a1:be");
        add(&mut bytes, InfoHash([2; 20]), b"de");
        bytes.push(b'e');
        let records = decode(&bytes).unwrap();
        assert_eq!(records.len(), 2);
        assert_eq!(records[&InfoHash([1; 20])], b"d1:a1:be");
        assert!((1..bytes.len()).all(|end| decode(&bytes[..end]).is_err()), "it was cut off");
    }
}
