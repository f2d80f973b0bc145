//! Changes some keys of a .torrent file and leaves everything else byte for byte.
//!
//! Other programs put keys into torrents that we do not know, and some do not sort them. All of that stays, and so does
//! `info`, because the info-hash is made of its bytes.

use crate::proto::bencode::{Bencode, Value};

/// A key and its new value; `None` removes it.
pub type Change<'a> = (&'a [u8], Option<Bencode>);

/// Returns `dict` with some of its keys changed; `changes` are in the order of their keys. A new key goes to its place
/// in that order. If a key occurs twice, one of them stays. A value that is not a dict stays as it is.
pub fn change(dict: Value<'_>, changes: &[Change<'_>]) -> Vec<u8> {
    let Some(entries) = dict.entries() else { return dict.raw().to_vec() };
    debug_assert!(changes.is_sorted_by_key(|(key, _)| *key));
    let left = changes.iter().filter(|(_, value)| value.is_some());
    let there = |key: &[u8]| entries.clone().any(|(name, _)| name == key);
    let (mut present, mut new): (Vec<&Change>, Vec<&Change>) = left.partition(|(key, _)| there(key));
    let mut out = vec![b'd'];
    let mut put = |key: &[u8], value: &[u8]| {
        out.extend(Bencode::from(key).encode());
        out.extend_from_slice(value);
    };
    for (key, value) in entries.clone() {
        while let Some((name, Some(added))) = new.first().filter(|(name, _)| *name < key) {
            put(name, &added.encode());
            new.remove(0);
        }
        if let Some(at) = present.iter().position(|(name, _)| *name == key) {
            let (name, changed) = present.remove(at);
            changed.iter().for_each(|changed| put(name, &changed.encode()));
        } else if changes.iter().all(|(name, _)| *name != key) {
            put(key, value.raw());
        }
    }
    for (name, added) in new {
        added.iter().for_each(|added| put(name, &added.encode()));
    }
    out.push(b'e');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::bencode::decode;
    use proptest::prelude::*;

    fn changed(dict: &str, changes: &[Change]) -> String {
        String::from_utf8(change(decode(dict.as_bytes()).unwrap(), changes)).unwrap()
    }

    #[test]
    fn only_the_named_keys_change() {
        let new = |text: &str| Some(Bencode::from(text));
        // Unsorted, and with a key that is there twice: other programs make such dicts.
        let dict = "d1:ci1e1:ai2e1:ci3e1:xl1:yee";
        assert_eq!(changed(dict, &[]), dict);
        assert_eq!(changed(dict, &[(b"x", new("n"))]), "d1:ci1e1:ai2e1:ci3e1:x1:ne");
        assert_eq!(changed(dict, &[(b"c", new("n"))]), "d1:c1:n1:ai2e1:xl1:yee");
        assert_eq!(changed(dict, &[(b"c", None), (b"none", None)]), "d1:ai2e1:xl1:yee");
        assert_eq!(changed(dict, &[(b"b", new("m")), (b"z", new("n"))]), "d1:b1:m1:ci1e1:ai2e1:ci3e1:xl1:ye1:z1:ne");
        assert_eq!(changed("de", &[(b"a", new("n")), (b"b", new("m"))]), "d1:a1:n1:b1:me");
        assert_eq!(changed("i1e", &[(b"b", new("m"))]), "i1e");
    }

    const VALUES: [&str; 6] = ["i7e", "i-12e", "3:abc", "d1:xle1:ai5ee", "l2:abe", "0:"];

    proptest! {
        /// Keys in any order, some of them twice, and values of any kind, as our own code never writes them.
        #[test]
        fn all_other_keys_stay_byte_for_byte(
            entries in proptest::collection::vec(("[a-e]{1,2}", proptest::sample::select(&VALUES[..])), 0..8),
            named in "[a-e]{1,2}",
            out: bool,
        ) {
            let text: String = entries.iter().map(|(key, value)| format!("{}:{key}{value}", key.len())).collect();
            let dict = format!("d{text}e");
            // The same key twice in a row is refused.
            let Ok(before) = decode(dict.as_bytes()) else { return Ok(()) };
            let after = change(before, &[(named.as_bytes(), (!out).then_some(Bencode::Int(2)))]);
            let others = |value: Value<'_>| -> Vec<(Vec<u8>, Vec<u8>)> {
                let others = value.entries().unwrap().filter(|(key, _)| *key != named.as_bytes());
                others.map(|(key, value)| (key.to_vec(), value.raw().to_vec())).collect()
            };
            // Two equal keys may have become neighbours, which is refused when it is read.
            if let Ok(after) = decode(&after) {
                prop_assert_eq!(others(after), others(before));
            }
        }

        #[test]
        fn a_changed_dict_has_the_new_value(keys in proptest::collection::btree_set("[a-d]{1,2}", 0..6), named in "[a-d]{1,2}", out: bool) {
            let dict = Bencode::dict(keys.iter().map(|key| (key.as_bytes(), Bencode::Int(1)))).encode();
            let value = (!out).then_some(Bencode::Int(2));
            let after = change(decode(&dict).unwrap(), &[(named.as_bytes(), value)]);
            let after = decode(&after).unwrap();
            prop_assert_eq!(after.get(named.as_bytes()).and_then(Value::as_int), (!out).then_some(2));
            for key in keys.iter().filter(|key| **key != named) {
                prop_assert_eq!(after.get(key.as_bytes()).and_then(Value::as_int), Some(1));
            }
            let order: Vec<&[u8]> = after.entries().unwrap().map(|(key, _)| key).collect();
            prop_assert!(order.is_sorted());
        }
    }
}
