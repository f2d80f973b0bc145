//! The scrape over HTTP (BEP 48): the counts of a swarm, without taking part in it.
//!
//! Our client asks for it if the reply to an announce leaves a count out. Only the counts are of use, so the answer is
//! returned as the reply that an announce would have had.

use super::AnnounceReply;
use super::reply::{small, unpack};
use crate::base::url::{join_query, path_and_query, percent_encode};
use crate::proto::bencode::decode_foreign;
use crate::proto::id::InfoHash;

/// The URL of the scrape of `info_hash`, for a tracker with this `announce_url`. `None` if BEP 48 defines none for it:
/// its last `/` must be before `announce`.
pub fn scrape_url(announce_url: &str, info_hash: &InfoHash) -> Option<String> {
    // A fragment is not sent, so it does not count either.
    let announce_url = announce_url.split('#').next().unwrap_or_default();
    // The `/` must not be one of those before the host, which may be called `announce` too.
    let (before, last) = announce_url.rsplit_once('/').filter(|_| path_and_query(announce_url).contains('/'))?;
    let rest = last.strip_prefix("announce")?;
    let query = format!("info_hash={}", percent_encode(&info_hash.0));
    Some(join_query(&format!("{before}/scrape{rest}"), &query))
}

/// Reads the answer; `None` if it has nothing about `info_hash`.
pub fn parse_scrape(body: &[u8], info_hash: &InfoHash) -> Option<AnnounceReply> {
    let body = unpack(body)?;
    let (answer, _) = decode_foreign(&body).ok()?;
    let [seeds, leechers, downloaded] = answer
        .get(b"files")?
        .get(&info_hash.0)?
        .get_all([b"complete", b"incomplete", b"downloaded"])?
        .map(|count| count.and_then(small));
    Some(AnnounceReply { seeds, leechers, downloaded, ..AnnounceReply::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: InfoHash = InfoHash([b'h'; 20]);

    /// The examples of BEP 48.
    #[test]
    fn the_url_follows_from_the_announce_url() {
        let hash = format!("info_hash={}", "h".repeat(20));
        for (announce, scrape) in [
            ("http://example.com/announce", Some("http://example.com/scrape?")),
            ("http://example.com/x/announce", Some("http://example.com/x/scrape?")),
            ("http://example.com/announce.php", Some("http://example.com/scrape.php?")),
            ("http://example.com/announce?x2%0644", Some("http://example.com/scrape?x2%0644&")),
            ("http://example.com/passkey/announce", Some("http://example.com/passkey/scrape?")),
            ("http://example.com/a", None),
            ("http://example.com/announce?x=2/4", None),
            ("http://example.com/x%064announce", None),
            ("http://announce", None),
            ("http://example.com/announce#/announce", Some("http://example.com/scrape?")),
            ("http://example.com/a#/announce", None),
            ("announce", None),
        ] {
            let expected = scrape.map(|scrape| format!("{scrape}{hash}"));
            assert_eq!(scrape_url(announce, &HASH), expected, "{announce}");
        }
    }

    #[test]
    fn the_answer_is_read_whatever_else_it_has() {
        let other = format!("20:{}d8:completei9ee", "a".repeat(20));
        let ours = format!("20:{}d8:completei5e10:downloadedi50e10:incompletei10ee", "h".repeat(20));
        let body = format!("d5:filesd{other}{ours}e5:flagsd20:min_request_intervali3600eee\n");
        let reply = parse_scrape(body.as_bytes(), &HASH).unwrap();
        assert_eq!((reply.seeds, reply.leechers, reply.downloaded), (Some(5), Some(10), Some(50)));
        let body = format!("d5:filesd20:{}d8:completei-1eeee", "h".repeat(20));
        let reply = parse_scrape(body.as_bytes(), &HASH).unwrap();
        assert_eq!((reply.seeds, reply.leechers), (Some(0), None), "as in announces");
        for nothing in ["", "de", "d5:filesdee", "d5:filesi5ee", "d14:failure reason2:noe", "<html>", "d5:files"] {
            assert_eq!(parse_scrape(nothing.as_bytes(), &HASH), None, "{nothing}");
        }
    }
}
