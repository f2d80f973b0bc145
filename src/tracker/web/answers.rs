//! The tracker's answers over HTTP.
//!
//! Floor 3. BEP 3 (announce), 7 and 23 (the forms of peers), 24 (`external ip`), 31 (`retry in`), 48 (scrape). A
//! refusal has status 200 and a `failure reason`, because many clients do not read the body of any other status.

use super::page;
use crate::base::hex::from_hex;
use crate::base::url::percent_decode;
use crate::proto::id::InfoHash;
use crate::proto::tracker::announce::{AnnounceReply, AnnounceRequest, RetryIn, emit_failure};
use crate::proto::tracker::compact;
use crate::tracker::admission::{admit, check_passkey, peers_wanted};
use crate::tracker::reach;
use crate::tracker::registry::{Announce, Counts, Response};
use crate::tracker::shared::Shared;
use crate::web::LOOK;
use crate::web::answer::{Answer, Body};
use crate::web::forwarded::Unknown;
use crate::web::request::{Request, Wrong};
use crate::web::service::{Reply, Service};
use core::net::{IpAddr, SocketAddr};
use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Most swarms in a full scrape: some hundred KiB.
const MOST_FULL: usize = 5000;

/// The tracker as a service of the HTTP server.
pub fn service(shared: &Arc<Shared>) -> Arc<Service> {
    let shared = Arc::clone(shared);
    Arc::new(move |asked: Result<&Request, Wrong>, from: SocketAddr| {
        let request = match asked {
            Ok(request) => request,
            Err(Wrong { line, status }) => {
                shared.stats.refused.fetch_add(1, Relaxed);
                let answer = Answer::words(status, status);
                shared.log(from, line, answer.status_code(), answer.length(), b"");
                return Reply::Now(answer);
            }
        };
        let client = client(&shared, request, from.ip());
        let answer = answer(&shared, request, from.ip(), client);
        shared.log(
            client.map_or(from, |ip| SocketAddr::new(ip, from.port())),
            request.line,
            answer.status_code(),
            answer.length(),
            request.agent,
        );
        Reply::Now(answer)
    })
}

/// The address of the client: the other end of the connection, or the one that trusted proxies name.
fn client(shared: &Shared, request: &Request, from: IpAddr) -> Result<IpAddr, Unknown> {
    let is_trusted = shared.config.trusts_proxy(from);
    if is_trusted && request.target.contains("/announce?") && !request.forwarded.is_proxied() {
        // It may be a peer on the proxy's machine, so it is not refused.
        let warn = || log::warn!("the proxy {from} announces without X-Forwarded-For: it is taken for a peer itself");
        shared.proxy_reported.call_once(warn);
    }
    request.forwarded.client(from, |ip| shared.config.trusts_proxy(ip))
}

/// Whether the client may name another address as its own with `ip=`. Anybody may be behind a proxy that is not
/// trusted.
fn may_name_another(shared: &Shared, request: &Request, from: IpAddr, client: IpAddr) -> bool {
    let is_seen = !request.forwarded.is_proxied() || shared.config.trusts_proxy(from);
    shared.config.trust_ip || (is_seen && reach::may_name_another(client))
}

fn answer(shared: &Shared, request: &Request, from: IpAddr, client: Result<IpAddr, Unknown>) -> Answer {
    let (path, query) = request.target.split_once('?').unwrap_or((request.target, ""));
    let path = usual_path(path, query);
    if request.method == "HEAD" && path.ends_with("/announce") {
        return bencoded(emit_failure("HEAD announces nothing", None));
    }
    match path.rsplit_once('/') {
        Some((passkey, "announce")) => match client {
            Ok(client) => announce(shared, passkey, query, client, may_name_another(shared, request, from, client)),
            Err(unknown) => {
                let reason = unknown.reason();
                shared.proxy_reported.call_once(|| log::warn!("refused an announce through a proxy: {reason}"));
                refused(shared, reason, None)
            }
        },
        Some((passkey, "scrape")) => scrape(shared, passkey, query),
        Some(("/torrents", name)) => torrent_by_name(shared, name),
        Some(("", "file")) => torrent_by_hash(shared, query),
        Some(("", "")) if shared.config.page => page::page(shared, request.host, query),
        Some(("", "look.css")) if shared.config.page => page::style(LOOK),
        Some(("", "style.css")) if shared.config.page => page::style(include_str!("style.css")),
        Some(("", "stats.json")) if shared.config.figures => page::json(shared),
        Some(("", "metrics")) if shared.config.figures => page::metrics(shared),
        _ => Answer::words("404 Not Found", "there is nothing here; the tracker is at /announce"),
    }
}

/// `path` as the tracker names it: some torrents have a slash after it, or no path at all.
fn usual_path<'a>(path: &'a str, query: &str) -> &'a str {
    if path == "/" && query.contains("info_hash=") {
        return "/announce";
    }
    let without = path.strip_suffix('/').filter(|path| path.ends_with("/announce") || path.ends_with("/scrape"));
    without.unwrap_or(path)
}

fn bencoded(bytes: Vec<u8>) -> Answer {
    Answer::of("200 OK", "text/plain", bytes)
}

fn refused(shared: &Shared, reason: &str, retry_in: Option<RetryIn>) -> Answer {
    shared.stats.refused.fetch_add(1, Relaxed);
    bencoded(emit_failure(reason, retry_in))
}

/// Answers an announce. By default `ip=` is ignored, because a client could name a victim's address, to which others
/// would then connect. `names_itself`: `ip=` counts.
fn announce(shared: &Shared, passkey: &str, query: &str, from: IpAddr, names_itself: bool) -> Answer {
    if let Err((reason, retry_in)) = check_passkey(shared, passkey) {
        return refused(shared, reason, retry_in);
    }
    let request = match AnnounceRequest::parse_query(query) {
        Ok(request) => request,
        Err(error) => return refused(shared, &error.to_string(), None),
    };
    let config = &shared.config;
    let ip = match request.ip.filter(|_| names_itself) {
        None if names_itself && names_no_address(query) => return refused(shared, "ip must be an IP address", None),
        named => named.unwrap_or(from).to_canonical(),
    };
    let announce = Announce {
        info_hash: request.info_hash,
        peer_id: request.peer_id,
        addr: SocketAddr::new(ip, request.port),
        key: request.key.unwrap_or(0),
        seed: request.left == 0,
        event: request.event,
        want: peers_wanted(shared, request.numwant),
        both_families: true,
        ids: !request.compact && !request.no_peer_id,
        unproven: config.nat_check,
    };
    let response = match admit(shared, &announce, from, shared.now(), false) {
        Ok(response) => response,
        Err((reason, retry_in)) => return refused(shared, reason, retry_in),
    };
    let form = if request.compact { compact_reply } else { list_reply };
    bencoded(form(shared, &response, config.external.of(ip)))
}

/// Whether `ip=` contains something other than an address. BEP 3 allows a host name, but the compact form has no place
/// for it.
fn names_no_address(query: &str) -> bool {
    query.split('&').filter_map(|parameter| parameter.strip_prefix("ip=")).any(|value| !value.is_empty())
}

/// The reply in compact form, its keys in order.
fn compact_reply(shared: &Shared, response: &Response, ip: IpAddr) -> Vec<u8> {
    let Counts { seeds, leechers, completed } = response.counts;
    let mut out = Vec::with_capacity(200 + response.v4.len() + response.v6.len());
    // Writing to a vector can't fail.
    let _ = write!(out, "d8:completei{seeds}e10:downloadedi{completed}e11:external ip");
    match ip {
        IpAddr::V4(ip) => push_bytes(&mut out, &ip.octets()),
        IpAddr::V6(ip) => push_bytes(&mut out, &ip.octets()),
    }
    let (interval, min_interval) = (shared.config.interval, shared.config.min_interval);
    let _ = write!(out, "10:incompletei{leechers}e8:intervali{interval}e12:min intervali{min_interval}e5:peers");
    push_bytes(&mut out, &response.v4);
    if !response.v6.is_empty() {
        out.extend_from_slice(b"6:peers6");
        push_bytes(&mut out, &response.v6);
    }
    out.push(b'e');
    out
}

/// The reply with a list of peers (BEP 3).
fn list_reply(shared: &Shared, response: &Response, ip: IpAddr) -> Vec<u8> {
    let mut peers = compact::parse(&response.v4, compact::V4_BYTES, usize::MAX);
    peers.extend(compact::parse(&response.v6, compact::V6_BYTES, usize::MAX));
    let reply = AnnounceReply {
        interval: Some(shared.config.interval.into()),
        min_interval: Some(shared.config.min_interval.into()),
        peers,
        seeds: Some(response.counts.seeds),
        leechers: Some(response.counts.leechers),
        downloaded: Some(response.counts.completed),
        external_ip: Some(ip),
        ..AnnounceReply::default()
    };
    reply.emit_list(&response.ids)
}

fn scrape(shared: &Shared, passkey: &str, query: &str) -> Answer {
    shared.stats.scrapes.fetch_add(1, Relaxed);
    if let Err((reason, retry_in)) = check_passkey(shared, passkey) {
        return refused(shared, reason, retry_in);
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
    found.sort_unstable();
    found.dedup();
    let mut out = b"d5:filesd".to_vec();
    for (hash, Counts { seeds, leechers, completed }) in found {
        push_bytes(&mut out, &hash.0);
        let _ = write!(out, "d8:completei{seeds}e10:downloadedi{completed}e10:incompletei{leechers}ee");
    }
    let _ = write!(out, "e5:flagsd20:min_request_intervali{}eee", shared.config.min_interval);
    bencoded(out)
}

fn torrent_by_name(shared: &Shared, name: &str) -> Answer {
    let name = percent_decode(name).and_then(|name| String::from_utf8(name).ok());
    let allowed = shared.allowed();
    // Only names that were found in the folder are served: what a client sends is never used as a path.
    let torrent = name.as_ref().and_then(|name| allowed.as_ref()?.file(name));
    torrent.map_or_else(no_torrent, |torrent| send_file(&torrent.path))
}

fn torrent_by_hash(shared: &Shared, query: &str) -> Answer {
    let value = query.split('&').find_map(|parameter| parameter.strip_prefix("info_hash="));
    let hash = value.and_then(|value| {
        // In hex digits, or percent-encoded as in an announce.
        let raw = || percent_decode(value)?.try_into().ok();
        from_hex(value).or_else(raw).map(InfoHash)
    });
    let allowed = shared.allowed();
    let torrent = hash.and_then(|hash| allowed.as_ref()?.get(&hash));
    torrent.map_or_else(no_torrent, |(_, torrent)| send_file(&torrent.path))
}

fn no_torrent() -> Answer {
    Answer::words("404 Not Found", "there is no such torrent here")
}

fn send_file(path: &std::path::Path) -> Answer {
    let opened = File::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
    match opened {
        Ok((length, file)) => Answer {
            status: "200 OK",
            kind: "application/x-bittorrent",
            headers: "X-Content-Type-Options: nosniff\r\nContent-Disposition: attachment\r\n".into(),
            body: Body::File(file, length),
            taken: None,
        },
        Err(_) => no_torrent(),
    }
}

/// Appends a string of bencode.
fn push_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    let _ = write!(out, "{}:", bytes.len());
    out.extend_from_slice(bytes);
}
