//! The .torrent file that is made from a link and from the `info` that peers sent.
//!
//! Trackers and web seeds are not in `info`; the link names them. So they are written to the file, and a later run
//! needs neither the link nor a peer. Each tracker of a link is a tier of its own, in the order of the link
//! (libtorrent, transmission).

use super::Magnet;
use crate::proto::bencode::{Bencode, decode_metainfo};
use crate::proto::metainfo::Metainfo;
use crate::proto::metainfo::emit::{emit_tiers, emit_urls};
use std::sync::Arc;

impl Magnet {
    /// The bytes of a .torrent file with exactly these bytes of `info`.
    pub fn torrent_file(&self, info: &[u8]) -> Vec<u8> {
        let tiers: Vec<Vec<Arc<str>>> = self.trackers.iter().map(|url| vec![url.as_str().into()]).collect();
        torrent_file(&tiers, &self.web_seeds, info)
    }

    /// Adds the trackers and web seeds of the link to `metainfo`, which was read from the .torrent file `bytes`. If any
    /// of them is new, returns the bytes of a file that contains them too.
    pub fn add_to(&self, metainfo: &mut Metainfo, bytes: &[u8]) -> Option<Vec<u8>> {
        let new = |url: &&String| !metainfo.tiers.iter().flatten().any(|known| **known == **url);
        let trackers: Vec<String> = self.trackers.iter().filter(new).cloned().collect();
        let known = &metainfo.about().web_seeds;
        let seeds: Vec<String> = self.web_seeds.iter().filter(|url| !known.contains(url)).cloned().collect();
        if trackers.is_empty() && seeds.is_empty() {
            return None;
        }
        metainfo.tiers.extend(trackers.into_iter().map(|url| vec![url.into()]));
        metainfo.about_mut().web_seeds.extend(seeds);
        let info = decode_metainfo(bytes).ok()?.0.get(b"info")?.raw();
        Some(torrent_file(&metainfo.tiers, &metainfo.about().web_seeds, info))
    }
}

fn torrent_file(tiers: &[Vec<Arc<str>>], web_seeds: &[String], info: &[u8]) -> Vec<u8> {
    let (announce, announce_list) = emit_tiers(tiers);
    let keys = [
        ("announce", announce),
        ("announce-list", announce_list),
        ("info", Some(Bencode::Raw(info.to_vec()))),
        ("url-list", emit_urls(web_seeds)),
    ];
    Bencode::dict(keys.into_iter().filter_map(|(key, value)| Some((key, value?)))).encode()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::sha1::sha1;

    const INFO: &str = "d6:lengthi40000e4:name5:a.txt12:piece lengthi65536e6:pieces20:xxxxxxxxxxxxxxxxxxxx1:zi1ee";

    #[test]
    fn the_file_has_the_trackers_of_the_link_in_order_and_info_unchanged() {
        let link =
            "magnet:?xt=urn:btih:0000000000000000000000000000000000000000&tr=http://b/&tr=udp://a:1&ws=http://w/";
        let link = Magnet::parse(link).unwrap();
        let bytes = link.torrent_file(INFO.as_bytes());
        let mut metainfo = Metainfo::parse(&bytes).unwrap();
        assert_eq!(metainfo.tiers, [["http://b/".into()], ["udp://a:1".into()]]);
        assert_eq!(metainfo.about().web_seeds, ["http://w/"]);
        assert_eq!(metainfo.info_hash.0, sha1(INFO.as_bytes()));

        assert_eq!(link.add_to(&mut metainfo, &bytes), None, "nothing is new");
        let more = Magnet { trackers: vec!["http://b/".into(), "http://c/".into()], ..link };
        let bytes = more.add_to(&mut metainfo, &bytes).unwrap();
        assert_eq!(metainfo.tiers, [["http://b/".into()], ["udp://a:1".into()], ["http://c/".into()]]);
        assert_eq!(Metainfo::parse(&bytes).unwrap(), metainfo);
        assert_eq!(metainfo.info_hash.0, sha1(INFO.as_bytes()));
    }

    #[test]
    fn a_link_without_trackers_makes_a_file_with_info_alone() {
        let bytes = Magnet::default().torrent_file(INFO.as_bytes());
        assert_eq!(bytes, format!("d4:info{INFO}e").as_bytes());
    }
}
