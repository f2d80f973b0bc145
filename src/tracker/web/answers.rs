//! What the tracker answers over HTTP.
//!
//! Floor 3. BEP 3 (announce), 7 and 23 (the forms of peers), 24 (`external ip`), 31 (`retry in`), 48 (scrape). Refusals
//! come with status 200 and a `failure reason`: many programs do not read the body of anything else.

use super::page;
use super::request::Request;
use crate::base::url::percent_decode;
use crate::proto::id::InfoHash;
use crate::proto::tracker::announce::{AnnounceReply, AnnounceRequest, RetryIn, emit_failure};
use crate::proto::tracker::compact;
use crate::tracker::registry::{Asked, Counts, Told};
use crate::tracker::shared::Shared;
use core::net::{IpAddr, SocketAddr};
use std::fs::File;
use std::sync::atomic::Ordering::Relaxed;

/// Swarms in a full scrape: some hundred KiB.
const MOST_FULL: usize = 5000;
/// What an announce is that no place could be found for: it may be tried again.
const RETRY_MINUTES: u64 = 15;

/// An answer.
pub struct Answer {
    /// Status and its words.
    pub status: &'static str,
    /// The type of the body.
    pub kind: &'static str,
    /// Further headers, each with its line end.
    pub headers: String,
    /// The body.
    pub body: Body,
}

/// What an answer carries.
pub enum Body {
    /// These bytes.
    Bytes(Vec<u8>),
    /// So many bytes of this file.
    File(File, u64),
}

impl Answer {
    /// Plain text.
    pub fn words(status: &'static str, words: &str) -> Answer {
        Answer::of(status, "text/plain; charset=utf-8", format!("{words}\n").into_bytes())
    }

    /// These bytes.
    pub fn of(status: &'static str, kind: &'static str, bytes: Vec<u8>) -> Answer {
        Answer { status, kind, headers: String::new(), body: Body::Bytes(bytes) }
    }

    /// The number of the status.
    pub fn status_code(&self) -> u16 {
        self.status.split(' ').next().and_then(|code| code.parse().ok()).unwrap_or(0)
    }

    /// Bytes of the body.
    pub fn length(&self) -> usize {
        match &self.body {
            Body::Bytes(bytes) => bytes.len(),
            Body::File(_, length) => usize::try_from(*length).unwrap_or(usize::MAX),
        }
    }
}

/// Who asks: the other end of the connection, or whom a proxy that we trust speaks for.
pub fn who_asks(shared: &Shared, request: &Request, from: SocketAddr) -> SocketAddr {
    match request.forwarded {
        Some(ip) if shared.config.trusted_proxies.contains(&from.ip()) => SocketAddr::new(ip.to_canonical(), 0),
        _ => from,
    }
}

/// The answer to a request of `from`.
pub fn answer(shared: &Shared, request: &Request, from: IpAddr) -> Answer {
    let (path, query) = request.target.split_once('?').unwrap_or((request.target, ""));
    match path.rsplit_once('/') {
        Some((passkey, "announce")) => announce(shared, passkey, query, from),
        Some((passkey, "scrape")) => scrape(shared, passkey, query),
        Some(("/torrents", name)) => torrent_by_name(shared, name),
        Some(("", "file")) => torrent_by_hash(shared, query),
        Some(("", "")) if shared.config.page => page::page(shared, request.host),
        Some(("", "style.css")) if shared.config.page => page::style(),
        Some(("", "stats.json")) if shared.config.figures => page::json(shared),
        Some(("", "metrics")) if shared.config.figures => page::metrics(shared),
        _ => Answer::words("404 Not Found", "there is nothing here; the tracker is at /announce"),
    }
}

fn bencoded(bytes: Vec<u8>) -> Answer {
    Answer::of("200 OK", "text/plain", bytes)
}

fn refused(shared: &Shared, reason: &str, retry_in: Option<RetryIn>) -> Answer {
    shared.stats.refused.fetch_add(1, Relaxed);
    bencoded(emit_failure(reason, retry_in))
}

fn announce(shared: &Shared, passkey: &str, query: &str, from: IpAddr) -> Answer {
    if let Err(reason) = check_passkey(shared, passkey) {
        return refused(shared, reason, Some(RetryIn::Never));
    }
    let request = match AnnounceRequest::parse_query(query) {
        Ok(request) => request,
        Err(error) => return refused(shared, &error.to_string(), None),
    };
    let config = &shared.config;
    // Whoever could name another address could have strangers connect to it.
    let ip = request.ip.filter(|_| config.trust_ip).unwrap_or(from);
    let asked = Asked {
        info_hash: request.info_hash,
        peer_id: request.peer_id,
        addr: SocketAddr::new(ip.to_canonical(), request.port),
        key: request.key.unwrap_or(0),
        seed: request.left == 0,
        event: request.event,
        want: wanted(shared, request.numwant),
        both_families: true,
        ids: !request.compact && !request.no_peer_id,
        unproven: config.nat_check,
    };
    let told = match take_in(shared, &asked, false) {
        Ok(told) => told,
        Err((reason, retry_in)) => return refused(shared, reason, Some(retry_in)),
    };
    if request.compact { bencoded(compact_reply(shared, &told, ip)) } else { bencoded(list(shared, &told, ip)) }
}

/// Whether this passkey, as it stands in front of `/announce` (`/abc`), opens the tracker.
pub fn check_passkey(shared: &Shared, path: &str) -> Result<(), &'static str> {
    match (shared.passkeys().as_ref(), path.strip_prefix('/').unwrap_or("")) {
        (None, "") => Ok(()),
        (None, _) => Err("the tracker is at /announce"),
        (Some(passkeys), passkey) if passkeys.contains(passkey) => Ok(()),
        (Some(_), "") => Err("this tracker wants a passkey: /PASSKEY/announce"),
        (Some(_), _) => Err("unknown passkey"),
    }
}

/// Peers for who wants so many.
pub fn wanted(shared: &Shared, numwant: Option<u32>) -> usize {
    // What overflowed was negative on its way: as you like.
    let numwant = numwant.filter(|&want| want <= i32::MAX as u32).map(|want| want as usize);
    numwant.unwrap_or(shared.config.response_size).min(shared.config.most_response_size)
}

/// Hands an announce to the registry; in words, why not.
pub fn take_in(shared: &Shared, asked: &Asked, udp: bool) -> Result<Told, (&'static str, RetryIn)> {
    shared.stats.announced(udp);
    if shared.allowed().as_ref().is_some_and(|allowed| !allowed.contains(&asked.info_hash)) {
        return Err(("this torrent is not tracked here", RetryIn::Minutes(60)));
    }
    let now = shared.now();
    let told = shared.registry().announce(asked, now);
    let told = told.map_err(|_| ("this tracker is full", RetryIn::Minutes(RETRY_MINUTES)))?;
    if told.hidden {
        shared.checks.want(asked.info_hash, asked.addr);
    }
    Ok(told)
}

/// The reply in compact form. Written by hand, its keys in order: it is what a tracker does all day.
fn compact_reply(shared: &Shared, told: &Told, ip: IpAddr) -> Vec<u8> {
    let Counts { seeds, leechers, completed } = told.counts;
    let mut out = Vec::with_capacity(200 + told.v4.len() + told.v6.len());
    let number = |out: &mut Vec<u8>, key: &str, number: u32| {
        out.extend_from_slice(key.as_bytes());
        push_number(out, number.into());
        out.push(b'e');
    };
    out.push(b'd');
    number(&mut out, "8:completei", seeds);
    number(&mut out, "10:downloadedi", completed);
    out.extend_from_slice(b"11:external ip");
    match ip {
        IpAddr::V4(ip) => push_bytes(&mut out, &ip.octets()),
        IpAddr::V6(ip) => push_bytes(&mut out, &ip.octets()),
    }
    number(&mut out, "10:incompletei", leechers);
    number(&mut out, "8:intervali", shared.config.interval);
    number(&mut out, "12:min intervali", shared.config.min_interval);
    out.extend_from_slice(b"5:peers");
    push_bytes(&mut out, &told.v4);
    if !told.v6.is_empty() {
        out.extend_from_slice(b"6:peers6");
        push_bytes(&mut out, &told.v6);
    }
    out.push(b'e');
    out
}

/// The reply in the form of BEP 3.
fn list(shared: &Shared, told: &Told, ip: IpAddr) -> Vec<u8> {
    let mut peers = compact::parse_v4(&told.v4, usize::MAX).peers;
    peers.extend(compact::parse_v6(&told.v6, usize::MAX).peers);
    let reply = AnnounceReply {
        interval: Some(shared.config.interval.into()),
        min_interval: Some(shared.config.min_interval.into()),
        peers,
        seeds: Some(told.counts.seeds),
        leechers: Some(told.counts.leechers),
        downloaded: Some(told.counts.completed),
        external_ip: Some(ip),
        ..AnnounceReply::default()
    };
    reply.emit_list(&told.ids)
}

fn scrape(shared: &Shared, passkey: &str, query: &str) -> Answer {
    shared.stats.scrapes.fetch_add(1, Relaxed);
    if let Err(reason) = check_passkey(shared, passkey) {
        return refused(shared, reason, Some(RetryIn::Never));
    }
    let hashes: Option<Vec<InfoHash>> = query
        .split('&')
        .filter_map(|parameter| parameter.strip_prefix("info_hash="))
        .map(|value| percent_decode(value)?.try_into().ok().map(InfoHash))
        .collect();
    let registry = shared.registry();
    let mut found: Vec<(InfoHash, Counts)> = match hashes {
        None => {
            drop(registry);
            return refused(shared, "info_hash must be 20 bytes", None);
        }
        Some(hashes) if hashes.is_empty() && shared.config.full_scrape => {
            registry.swarms_after(None).take(MOST_FULL).map(|(hash, swarm)| (*hash, swarm.counts())).collect()
        }
        Some(hashes) if hashes.is_empty() => {
            drop(registry);
            return refused(shared, "name the torrents by info_hash", None);
        }
        Some(hashes) => hashes.into_iter().filter_map(|hash| Some((hash, registry.counts(&hash)?))).collect(),
    };
    drop(registry);
    found.sort();
    found.dedup();
    let mut out = b"d5:filesd".to_vec();
    for (hash, Counts { seeds, leechers, completed }) in found {
        push_bytes(&mut out, &hash.0);
        let counts = format!("d8:completei{seeds}e10:downloadedi{completed}e10:incompletei{leechers}ee");
        out.extend_from_slice(counts.as_bytes());
    }
    out.extend_from_slice(b"e5:flagsd20:min_request_intervali");
    push_number(&mut out, shared.config.min_interval.into());
    out.extend_from_slice(b"eee");
    bencoded(out)
}

fn torrent_by_name(shared: &Shared, name: &str) -> Answer {
    let name = percent_decode(name).and_then(|name| String::from_utf8(name).ok());
    let allowed = shared.allowed();
    // Only names that were found in the folder: nothing that is asked for is ever a path.
    let torrent = name.as_ref().and_then(|name| allowed.as_ref()?.file(name));
    torrent.map_or_else(no_torrent, |torrent| hand_out(&torrent.path))
}

fn torrent_by_hash(shared: &Shared, query: &str) -> Answer {
    let value = query.split('&').find_map(|parameter| parameter.strip_prefix("info_hash="));
    let hash = value.and_then(|value| {
        // As announces write it, or in hex digits.
        let raw = || percent_decode(value)?.try_into().ok().map(InfoHash);
        InfoHash::from_hex(value).or_else(raw)
    });
    let allowed = shared.allowed();
    let torrent = hash.and_then(|hash| allowed.as_ref()?.get(&hash));
    torrent.map_or_else(no_torrent, |(_, torrent)| hand_out(&torrent.path))
}

fn no_torrent() -> Answer {
    Answer::words("404 Not Found", "there is no such torrent here")
}

fn hand_out(path: &std::path::Path) -> Answer {
    let opened = File::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
    match opened {
        Ok((length, file)) => Answer {
            status: "200 OK",
            kind: "application/x-bittorrent",
            headers: "X-Content-Type-Options: nosniff\r\nContent-Disposition: attachment\r\n".into(),
            body: Body::File(file, length),
        },
        Err(_) => no_torrent(),
    }
}

/// Appends a number's digits.
pub fn push_number(out: &mut Vec<u8>, number: u64) {
    let (mut digits, mut at, mut rest) = ([0; 20], 20, number);
    loop {
        at -= 1;
        // Below ten.
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            return out.extend_from_slice(&digits[at..]);
        }
    }
}

/// Appends a string of bencode.
fn push_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    push_number(out, bytes.len() as u64);
    out.push(b':');
    out.extend_from_slice(bytes);
}
