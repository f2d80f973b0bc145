//! Magnet links: the info-hash of a torrent, and what helps to find its peers, in one line (BEP 9; `so` of BEP 53).
//!
//! A link comes from a web page or a mail, so a stranger wrote everything in it. Unknown parameters are ignored, as in
//! other programs.

mod peers;
mod saved;

use super::id::InfoHash;
use super::metainfo::Metainfo;
use crate::base::hex::{from_base32, from_hex, to_hex};
use crate::base::url::{percent_decode, percent_encode};
use std::fmt;
use std::ops::RangeInclusive;

/// The longest link that is read, in bytes: it has room for hundreds of trackers.
pub const MAX_LINK_BYTES: usize = 64 * 1024;

/// The most trackers, web seeds, peers or ranges that are kept of a link.
const MAX_ENTRIES: usize = 1000;

/// The start of a multihash (`btmh`, BEP 52) that is a SHA-256: its code and its length.
const SHA256: &str = "1220";

/// What a magnet link says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Magnet {
    /// `xt=urn:btih:`, in hex or base32.
    pub info_hash: Option<InfoHash>,
    /// `xt=urn:btmh:`: the info-hash of version 2 (BEP 52).
    pub info_hash_v2: Option<[u8; 32]>,
    /// `dn`: its name until its metainfo is there.
    pub name: Option<String>,
    /// `xl`: its size in bytes.
    pub length: Option<u64>,
    /// `tr`: trackers.
    pub trackers: Vec<String>,
    /// `ws`: web seeds.
    pub web_seeds: Vec<String>,
    /// `x.pe`: peers, as `host:port`.
    pub peers: Vec<String>,
    /// `so`: download these files only, counted from 0 (BEP 53).
    pub select_only: Vec<RangeInclusive<u32>>,
}

impl Magnet {
    /// The link to a torrent.
    pub fn of(metainfo: &Metainfo) -> Magnet {
        Magnet {
            info_hash: Some(metainfo.info_hash),
            info_hash_v2: metainfo.about().info_hash_v2.as_deref().copied(),
            name: Some(metainfo.name.to_string()),
            length: Some(metainfo.length),
            trackers: metainfo.tiers.iter().flatten().map(|url| url.to_string()).collect(),
            web_seeds: metainfo.about().web_seeds.clone(),
            ..Magnet::default()
        }
    }

    /// Reads a link. An error says why it cannot be used, and is safe on a terminal.
    pub fn parse(link: &str) -> Result<Magnet, String> {
        let link = link.trim();
        if link.len() > MAX_LINK_BYTES {
            return Err(format!("a magnet link of {} bytes, expected at most {MAX_LINK_BYTES}", link.len()));
        }
        let start = link.get(..8).filter(|start| start.eq_ignore_ascii_case("magnet:?"));
        let query = start.map(|start| &link[start.len()..]).ok_or("not a magnet link, which begins with magnet:?")?;
        let mut magnet = Magnet::default();
        // A link that was copied from the source of a web page has `&amp;`.
        for parameter in query.split('&').map(|parameter| parameter.trim_start_matches("amp;")) {
            let Some((key, value)) = parameter.split_once('=') else { continue };
            let key = key.to_ascii_lowercase();
            // Several parameters of a kind may be numbered: `tr.1`, `tr.2`.
            let kind = key.split_once('.').filter(|(kind, _)| *kind != "x").map_or(key.as_str(), |(kind, _)| kind);
            let bytes = percent_decode(value).unwrap_or_else(|| value.into());
            // A URL or a name is UTF-8.
            let text = String::from_utf8(bytes).ok().map(|text| text.trim().to_string());
            let Some(text) = text.filter(|text| !text.is_empty()) else { continue };
            match kind {
                "xt" => magnet.take_topic(&text)?,
                // Here a `+` is a space, as in web forms: all programs write a plus as `%2B`.
                "dn" if magnet.name.is_none() => {
                    let spaced = percent_decode(&value.replace('+', " ")).and_then(|name| String::from_utf8(name).ok());
                    magnet.name = Some(spaced.unwrap_or(text));
                }
                "xl" => magnet.length = text.parse().ok(),
                "tr" => add(&mut magnet.trackers, text),
                "ws" => add(&mut magnet.web_seeds, text),
                "x.pe" => add(&mut magnet.peers, text),
                "so" => {
                    let room = MAX_ENTRIES - magnet.select_only.len();
                    magnet.select_only.extend(text.split(',').filter_map(range).take(room));
                }
                _ => {}
            }
        }
        match (magnet.info_hash, magnet.info_hash_v2) {
            (None, None) => Err("a magnet link without the info-hash of a torrent, expected xt=urn:btih:HASH".into()),
            _ => Ok(magnet),
        }
    }

    /// Reads a topic. One of another network is ignored, because a link may be for several networks.
    fn take_topic(&mut self, topic: &str) -> Result<(), String> {
        let prefixed = |prefix: &str| {
            let start = topic.get(..prefix.len()).filter(|start| start.eq_ignore_ascii_case(prefix))?;
            topic.get(start.len()..)
        };
        if let Some(text) = prefixed("urn:btih:") {
            let hash = from_hex(text).or_else(|| from_base32(text)).map(InfoHash);
            return set(&mut self.info_hash, hash.ok_or_else(|| bad_hash(text))?);
        }
        if let Some(text) = prefixed("urn:btmh:") {
            let hash = text.strip_prefix(SHA256).and_then(from_hex);
            return set(&mut self.info_hash_v2, hash.ok_or_else(|| bad_hash(text))?);
        }
        Ok(())
    }
}

/// The link. The hashes come first, unescaped; characters that could end a parameter are escaped.
impl fmt::Display for Magnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut glue = "magnet:?";
        let mut put = |key: &str, value: &str| {
            let done = write!(f, "{glue}{key}={value}");
            glue = "&";
            done
        };
        if let Some(hash) = self.info_hash {
            put("xt", &format!("urn:btih:{hash}"))?;
        }
        if let Some(hash) = self.info_hash_v2 {
            put("xt", &format!("urn:btmh:{SHA256}{}", to_hex(&hash)))?;
        }
        if let Some(name) = &self.name {
            put("dn", &percent_encode(name.as_bytes()))?;
        }
        if let Some(length) = self.length {
            put("xl", &length.to_string())?;
        }
        for (key, values) in [("tr", &self.trackers), ("ws", &self.web_seeds), ("x.pe", &self.peers)] {
            values.iter().try_for_each(|value| put(key, &percent_encode(value.as_bytes())))?;
        }
        if !self.select_only.is_empty() {
            put("so", &self.selection())?;
        }
        Ok(())
    }
}

impl Magnet {
    /// `0,2,4-6`.
    pub fn selection(&self) -> String {
        let one = |range: &RangeInclusive<u32>| match (range.start(), range.end()) {
            (first, last) if first == last => first.to_string(),
            (first, last) => format!("{first}-{last}"),
        };
        self.select_only.iter().map(one).collect::<Vec<_>>().join(",")
    }
}

fn bad_hash(text: &str) -> String {
    let length = text.chars().count();
    format!(
        "an info-hash of {length} characters, expected 40 hex digits or 32 of base32 (for urn:btmh: {SHA256} and 64 hex digits)"
    )
}

fn set<T: PartialEq>(place: &mut Option<T>, value: T) -> Result<(), String> {
    match place {
        Some(had) if *had != value => Err("two different info-hashes in one magnet link".into()),
        _ => {
            *place = Some(value);
            Ok(())
        }
    }
}

fn add(list: &mut Vec<String>, text: String) {
    if list.len() < MAX_ENTRIES && !text.contains(char::is_control) && !list.contains(&text) {
        list.push(text);
    }
}

fn range(text: &str) -> Option<RangeInclusive<u32>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let range = first.trim().parse().ok()?..=last.trim().parse().ok()?;
    (!range.is_empty()).then_some(range)
}

#[cfg(test)]
mod tests;
