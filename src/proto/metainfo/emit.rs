//! Writing a .torrent file: the other half of [`Metainfo::parse`].
//!
//! BEP 3, with `nodes` (BEP 5), announce-list (BEP 12), url-list (BEP 19), private (BEP 27) and padding files (BEP 47).
//! Keys without a value are left out, so that mktorrent, libtorrent and imdl get the same info-hash for the same
//! content. The keys are written directly, in their order, because a torrent may have 100,000 files.

use super::{FileEntry, Metainfo};
use crate::proto::bencode::Bencode;
use std::sync::Arc;

impl Metainfo {
    /// The bytes of a .torrent file for this metainfo. `info` is written from scratch, so a torrent that another
    /// program made may get another info-hash.
    pub fn emit(&self) -> Vec<u8> {
        let about = self.about();
        let (announce, announce_list) = emit_tiers(&self.tiers);
        let text = |text: &Option<String>| text.as_deref().map(Bencode::from);
        let mut out = vec![b'd'];
        put(&mut out, "announce", announce);
        put(&mut out, "announce-list", announce_list);
        put(&mut out, "comment", text(&about.comment));
        put(&mut out, "created by", text(&about.created_by));
        put(&mut out, "creation date", about.creation_date.map(Bencode::Int));
        self.emit_info(&mut out);
        put(&mut out, "nodes", emit_nodes(&about.nodes));
        put(&mut out, "url-list", emit_urls(&about.web_seeds));
        out.push(b'e');
        out
    }

    fn emit_info(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"4:infod");
        if self.is_folder {
            out.extend_from_slice(b"5:filesl");
            self.files.iter().for_each(|file| emit_file(out, &file));
            out.push(b'e');
        } else {
            put(out, "length", Some(self.length.into()));
        }
        put(out, "name", Some((&*self.name).into()));
        put(out, "piece length", Some(u64::from(self.piece_length).into()));
        put(out, "pieces", Some((&*self.hashes).into()));
        put(out, "private", self.private.then_some(Bencode::Int(1)));
        put(out, "source", self.about().source.as_deref().map(Bencode::from));
        out.push(b'e');
    }
}

/// A key and its value, if there is one.
fn put(out: &mut Vec<u8>, key: &str, value: Option<Bencode>) {
    if let Some(value) = value {
        out.extend(Bencode::from(key).encode());
        out.extend(value.encode());
    }
}

fn emit_file(out: &mut Vec<u8>, file: &FileEntry) {
    let padding = format!(".pad/{}", file.length);
    let inside = if file.padding { padding.as_bytes() } else { file.raw };
    out.push(b'd');
    put(out, "attr", file.padding.then(|| "p".into()));
    put(out, "length", Some(file.length.into()));
    put(out, "path", Some(Bencode::list(inside.split(|byte| *byte == b'/'))));
    out.push(b'e');
}

/// `announce`, and `announce-list` where it says more than `announce` does (BEP 12).
pub fn emit_tiers(tiers: &[Vec<Arc<str>>]) -> (Option<Bencode>, Option<Bencode>) {
    let first = tiers.first().and_then(|tier| tier.first());
    let several = tiers.iter().map(Vec::len).sum::<usize>() > 1;
    let list = || Bencode::List(tiers.iter().map(|tier| Bencode::list(tier.iter().map(|url| &**url))).collect());
    (first.map(|url| (&**url).into()), several.then(list))
}

/// `url-list` (BEP 19): a list, as most programs write it even for a single URL.
pub fn emit_urls(urls: &[String]) -> Option<Bencode> {
    (!urls.is_empty()).then(|| Bencode::list(urls.iter().map(String::as_str)))
}

/// `nodes` (BEP 5): pairs of host and port.
pub fn emit_nodes(nodes: &[(String, u16)]) -> Option<Bencode> {
    let node = |(host, port): &(String, u16)| Bencode::list([Bencode::from(host.as_str()), u64::from(*port).into()]);
    (!nodes.is_empty()).then(|| Bencode::List(nodes.iter().map(node).collect()))
}

#[cfg(test)]
mod tests {
    use super::super::About;
    use super::super::Files;
    use super::*;
    use proptest::prelude::*;

    fn example() -> Metainfo {
        let bytes = b"d4:infod6:lengthi1e4:name4:name12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaaee";
        Metainfo::parse(bytes).unwrap()
    }

    #[test]
    fn keys_without_a_value_are_left_out() {
        let bytes = b"d4:infod6:lengthi1e4:name4:name12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaaee";
        assert_eq!(example().emit(), bytes);
    }

    #[test]
    fn one_tracker_needs_no_list_and_padding_is_marked() {
        let mut metainfo = example();
        metainfo.tiers = vec![vec!["http://a/".into()]];
        metainfo.files = Files::of_folder("name", 0, 0);
        for (inside, length, padding) in [("a", 1, false), ("", 9, true), ("b/c", 0, false)] {
            metainfo.files.push(inside.as_bytes(), length, padding);
        }
        (metainfo.is_folder, metainfo.length) = (true, 10);
        let text = String::from_utf8(metainfo.emit()).unwrap();
        assert!(text.starts_with("d8:announce9:http://a/4:infod5:filesl"), "{text}");
        assert!(text.contains("d4:attr1:p6:lengthi9e4:pathl4:.pad1:9ee"), "{text}");
        assert!(text.contains("d6:lengthi0e4:pathl1:b1:cee"), "{text}");
    }

    proptest! {
        #[test]
        fn what_is_written_can_be_read_again(
            sizes in proptest::collection::vec((0..100_000u64, any::<bool>()), 0..20),
            tiers in proptest::collection::vec(proptest::collection::vec("[a-z]{1,8}://[a-z]{8}", 1..4), 0..3),
            texts: [Option<u8>; 4],
            private: bool,
            date: Option<i64>,
            nodes in proptest::collection::vec(("[a-z0-9.:]{1,9}", 1u16..), 0..3),
        ) {
            let text = |place: usize| texts[place].map(|byte: u8| format!("text {byte} 日本"));
            let mut files = Files::of_folder("name", 0, 0);
            for (place, (length, padding)) in sizes.iter().enumerate() {
                let inside = if *padding { String::new() } else { format!("{}/{place}", place % 3) };
                files.push(inside.as_bytes(), *length, *padding);
            }
            files.push(b"last", 1, false);
            let length = files.length();
            let mut seen = std::collections::BTreeSet::new();
            let tiers: Vec<Vec<Arc<str>>> = tiers.into_iter()
                .map(|tier| tier.into_iter().filter(|url| seen.insert(url.clone())).map(Arc::from).collect::<Vec<_>>())
                .filter(|tier| !tier.is_empty()).collect();
            let mut about = About {
                web_seeds: text(0).into_iter().collect(),
                comment: text(1), created_by: text(2), source: text(3), creation_date: date, nodes,
                ..About::default()
            };
            let metainfo = Metainfo {
                files, length, is_folder: true, tiers, private, about: about.clone().boxed(),
                hashes: vec![7; length.div_ceil(16_384) as usize * 20].into(),
                ..example()
            };
            let read = Metainfo::parse(&metainfo.emit()).unwrap();
            about.warnings = read.about().warnings.clone();
            prop_assert_eq!(&Metainfo { info_hash: read.info_hash, about: about.boxed(), ..metainfo }, &read);
        }
    }
}
