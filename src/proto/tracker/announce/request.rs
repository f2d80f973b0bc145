//! The request of an announce: the query of a URL.
//!
//! BEP 3; `compact` BEP 23; `key` BEP 7. The tracker's side is lenient where clients are sloppy and a wrong guess does
//! no harm; otherwise it says what is wrong.

#[cfg(test)]
mod tests;

use super::AnnounceEvent;
use crate::base::rng::Rng;
use crate::base::url::{join_query, percent_decode, percent_encode};
use crate::proto::id::{InfoHash, PeerId};
use core::net::IpAddr;

/// The `left` of a download whose size is not known yet: large, because 0 would mean a seed, and not larger than what
/// trackers with signed numbers can read (transmission sends the same).
pub const LEFT_UNKNOWN: u64 = i64::MAX as u64;

/// What a client tells a tracker.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AnnounceRequest {
    /// The torrent.
    pub info_hash: InfoHash,
    /// The client.
    pub peer_id: PeerId,
    /// The TCP port it listens on; never 0 in a query that was parsed.
    pub port: u16,
    /// Bytes sent to peers since the event `started`.
    pub uploaded: u64,
    /// Bytes received from peers since the event `started`.
    pub downloaded: u64,
    /// Bytes it still lacks; 0 means that it is a seed, [`LEFT_UNKNOWN`] that it does not know.
    pub left: u64,
    /// Why it announces; `None` at the usual time.
    pub event: Option<AnnounceEvent>,
    /// Peers wanted; `None` leaves it to the tracker. A stranger may ask for four billion.
    pub numwant: Option<u32>,
    /// What proves that it is the same client although its address changed; a secret (BEP 7: 32 bits).
    pub key: Option<u32>,
    /// It wants the compact form of BEP 23 (or does not say, and BEP 23 suggests to send it then).
    pub compact: bool,
    /// It wants no peer ids in the form that is not compact.
    pub no_peer_id: bool,
    /// The `tracker id` of an earlier reply.
    pub tracker_id: Option<Vec<u8>>,
    /// The address it says it has. Anyone can say anything, so ignore it unless the operator wants to trust it.
    pub ip: Option<IpAddr>,
}

impl AnnounceRequest {
    /// A request with the mandatory fields only.
    pub fn new(info_hash: InfoHash, peer_id: PeerId, port: u16) -> AnnounceRequest {
        AnnounceRequest {
            info_hash,
            peer_id,
            port,
            uploaded: 0,
            downloaded: 0,
            left: LEFT_UNKNOWN,
            event: None,
            numwant: None,
            key: None,
            compact: true,
            no_peer_id: false,
            tracker_id: None,
            ip: None,
        }
    }

    /// The URL to get, for a tracker announced at `announce_url`.
    pub fn to_url(&self, announce_url: &str) -> String {
        let mut query = format!(
            "info_hash={}&peer_id={}&port={}&uploaded={}&downloaded={}&left={}&compact={}",
            percent_encode(&self.info_hash.0),
            percent_encode(&self.peer_id.0),
            self.port,
            self.uploaded,
            self.downloaded,
            self.left,
            u8::from(self.compact),
        );
        let optional = [
            ("no_peer_id", self.no_peer_id.then(|| "1".into())),
            // No event, no `event=`: some trackers refuse an empty one.
            ("event", self.event.map(|event| event.as_str().into())),
            ("numwant", self.numwant.map(|numwant| numwant.to_string())),
            ("key", self.key.map(|key| format!("{key:08X}"))),
            ("trackerid", self.tracker_id.as_deref().map(percent_encode)),
            ("ip", self.ip.map(|ip| percent_encode(ip.to_string().as_bytes()))),
        ];
        for (name, value) in optional.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            query.push_str(&format!("&{name}={value}"));
        }
        join_query(announce_url, &query)
    }

    /// Reads the query of a URL: the part after its `?`. Unknown parameters are ignored; if one occurs twice, the last
    /// one counts. Only info-hash, peer id and port are mandatory, because a swarm cannot do without them. An error
    /// names the parameter; its words go into the tracker's `failure reason`.
    pub fn parse_query(query: &str) -> Result<AnnounceRequest, String> {
        let mut request = AnnounceRequest::new(InfoHash([0; 20]), PeerId([0; 20]), 0);
        let (mut info_hash, mut peer_id) = (None, None);
        for parameter in query.split('&') {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            // A bad escape matters only in a parameter that is of any use.
            let bytes = || {
                percent_decode(value).ok_or_else(|| format!("{name} has a % that is not followed by two hex digits"))
            };
            match name {
                "info_hash" => info_hash = Some(twenty("info_hash", &bytes()?)?),
                "peer_id" => peer_id = Some(twenty("peer_id", &bytes()?)?),
                "port" => request.port = port(value)?,
                // Clients whose counters overflowed send negative ones: what they mean is lost.
                "uploaded" => request.uploaded = number("uploaded", value)?.unwrap_or(0),
                "downloaded" => request.downloaded = number("downloaded", value)?.unwrap_or(0),
                // A client that does not say (or says -1) is no seed: that would keep peers from it.
                "left" => request.left = number("left", value)?.unwrap_or(LEFT_UNKNOWN),
                "event" => request.event = AnnounceEvent::from_word(&bytes()?),
                // Negative is how the UDP protocol says "as you like" (BEP 15), and clients carry it over.
                "numwant" => {
                    request.numwant = number("numwant", value)?.map(|want| u32::try_from(want).unwrap_or(u32::MAX));
                }
                "key" => request.key = key_number(&bytes()?),
                "compact" => request.compact = value != "0",
                "no_peer_id" => request.no_peer_id = value == "1",
                "trackerid" => request.tracker_id = Some(bytes()?).filter(|id| !id.is_empty()),
                // A host name, which BEP 3 allows, is not looked up for a stranger.
                "ip" => request.ip = str::from_utf8(&bytes()?).ok().and_then(|ip| ip.parse().ok()),
                _ => {}
            }
        }
        request.info_hash = InfoHash(info_hash.ok_or("info_hash is missing")?);
        request.peer_id = PeerId(peer_id.ok_or("peer_id is missing")?);
        // A port that was named is not 0.
        if request.port == 0 { Err("port is missing".into()) } else { Ok(request) }
    }

    /// The fields that HTTP and UDP share, as the query of a URL, for the tracker's log: without the key, a secret.
    pub fn to_log(&self) -> String {
        let (hash, id) = (percent_encode(&self.info_hash.0), percent_encode(&self.peer_id.0));
        let AnnounceRequest { port, uploaded, downloaded, left, .. } = self;
        let event = self.event.map_or(String::new(), |event| format!("&event={}", event.as_str()));
        format!(
            "info_hash={hash}&peer_id={id}&port={port}&uploaded={uploaded}&downloaded={downloaded}&left={left}{event}"
        )
    }
}

/// The 20 bytes of an info-hash or peer id.
fn twenty(parameter: &str, bytes: &[u8]) -> Result<[u8; 20], String> {
    bytes.try_into().map_err(|_| format!("{parameter} is {} bytes, it must be 20", bytes.len()))
}

/// The number that a `key` stands for; `None` if it is empty. Programs send 32 bits as hex digits; other keys are
/// hashed.
fn key_number(key: &[u8]) -> Option<u32> {
    let digits = str::from_utf8(key).ok().filter(|digits| digits.len() <= 8 && !digits.starts_with('+'));
    let hex = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
    let hash = || key.iter().fold(1, |sum, &byte| Rng::new(sum ^ u64::from(byte)).bits()) as u32;
    (!key.is_empty()).then(|| hex.unwrap_or_else(hash))
}

/// A decimal number; `None` if it is empty or negative. A number that is too large for 64 bits becomes the largest.
fn number(parameter: &str, text: &str) -> Result<Option<u64>, String> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) || (digits.is_empty() && !text.is_empty()) {
        return Err(format!("{parameter} is not a number"));
    }
    if text.is_empty() || text.starts_with('-') {
        return Ok(None);
    }
    // These are digits only, so `parse` fails only if there are too many.
    Ok(Some(digits.parse().unwrap_or(u64::MAX)))
}

/// A port that a peer can connect to.
fn port(text: &str) -> Result<u16, String> {
    match number("port", text)?.map(u16::try_from) {
        Some(Ok(port)) if port != 0 => Ok(port),
        _ => Err("port must be 1 to 65535".into()),
    }
}
