//! One question to a tracker, from the URL to the reply, over HTTP (BEP 3) or UDP (BEP 15).
//!
//! A tracker with addresses of both families is asked over both at the same time (BEP 7), because it tells the peers of
//! one family only about each other. The two answers become one: the better one. If one family does not work, that is
//! remembered for a while, so that it costs nothing.

use super::udp::Exchange;
use crate::base::url::{self, redact};
use crate::engine::config::FINAL_ANNOUNCE_TIME;
use crate::engine::trace::packets;
use crate::proto::id::InfoHash;
use crate::proto::portmap::Transport;
use crate::proto::tracker::announce::{
    AnnounceEvent, AnnounceRequest, MAX_REPLY_BYTES, ReplyError, RetryIn, parse_reply, parse_scrape, scrape_url,
};
use crate::swarm::meeting::announcer::{AnnounceFailure, Announcement, Ask, Outcome};
use crate::swarm::meeting::portmap::OuterPorts;
use crate::sys::http::{self, Family, family_of};
use crate::sys::trace::speaker::as_here;
use crate::sys::{lock, outlet};
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

/// How long a tracker may take to answer (libtorrent: 40 s, transmission: 60 s).
pub const DEADLINE: Duration = Duration::from_secs(30);
/// How long a tracker over UDP may take: two waits of BEP 15, 15 s and 30 s.
const UDP_DEADLINE: Duration = Duration::from_secs(45);
/// How long the answer to a scrape may take, which is only nice to know: one wait of BEP 15.
const SCRAPE_DEADLINE: Duration = Duration::from_secs(15);
pub const REPLY_BYTES: u64 = MAX_REPLY_BYTES as u64;
/// How long a tracker is asked over one family alone after the other one failed: an outage should not cost much more.
const ONE_FAMILY: Duration = Duration::from_secs(3600);
/// Trackers for which that is remembered: many times those of the torrents on one machine.
const MOST_TRACKERS: usize = 1000;

/// The trackers that work over one family of addresses only.
#[derive(Default)]
pub struct OneFamily(Mutex<BTreeMap<String, (Family, Instant)>>);

impl OneFamily {
    /// The family over which the tracker at `url` is to be asked, if it is one alone.
    fn get(&self, url: &str) -> Option<Family> {
        lock(&self.0).get(url).filter(|(_, until)| Instant::now() < *until).map(|(family, _)| *family)
    }

    fn set(&self, url: &str, family: Family) {
        let mut trackers = lock(&self.0);
        if trackers.len() >= MOST_TRACKERS {
            trackers.clear();
        }
        trackers.insert(url.to_string(), (family, Instant::now() + ONE_FAMILY));
    }
}

/// Asks what `announcement` says. The tracker is told the port at which peers that know us from there can connect to
/// us: perhaps one of the `outer` ports. `found` is given peers as soon as they are known, perhaps by two threads. The
/// texts in the outcome contain no secrets.
pub fn ask(
    announcement: &Announcement,
    one_family: &OneFamily,
    outer: OuterPorts,
    found: &(dyn Fn(Vec<SocketAddr>) + Sync),
) -> Outcome {
    let url = &announcement.url;
    let request = match &announcement.ask {
        Ask::Scrape(hash) => {
            let outcome = without_secrets(scrape(url, hash), url);
            packets::tracker_outcome(url, &outcome);
            return outcome;
        }
        Ask::Announce(request) => request,
    };
    log::info!(
        "{}: announce {}, left {}",
        redact(url),
        request.event.map_or("again", AnnounceEvent::as_str),
        request.left
    );
    let over = |to: Option<SocketAddr>| {
        // If a proxy looks up the host, the tracker is elsewhere.
        let tracker = to.map_or(Ipv4Addr::UNSPECIFIED.into(), |to| to.ip());
        let port = outer.seen_by(tracker, Transport::Tcp, request.port);
        let outcome = without_secrets(announce(url, &AnnounceRequest { port, ..request.clone() }, to), url);
        packets::tracker_outcome(url, &outcome);
        let mut reply = outcome?;
        let hosts = std::mem::take(&mut reply.host_peers);
        reply.peers.extend(outlet::get().look_up(hosts));
        log::info!("{}: {} peers", redact(url), reply.peers.len());
        if let Some(warning) = &reply.warning {
            log::warn!("{}: the tracker warns: {}", redact(url), warning);
        }
        // It counts as a warning of the tracker, so the person sees it once.
        if let (None, Some(odd)) = (&reply.warning, &reply.odd) {
            reply.warning = Some(format!("its answer is not quite as it should be: {odd}"));
        }
        found(std::mem::take(&mut reply.peers));
        Ok(reply)
    };
    let (first, second) = match addresses(url, one_family)?[..] {
        [first, second] => (first, second),
        ref one => return over(one.first().copied()),
    };
    let (by_first, by_second) = thread::scope(|scope| {
        let builder = thread::Builder::new().name("announce".into()).stack_size(super::STACK_BYTES);
        let by_second = builder.spawn_scoped(scope, as_here(|| over(Some(second))));
        let by_first = over(Some(first));
        // Without a second thread there is one family.
        (by_first, by_second.ok().and_then(|thread| thread.join().ok()))
    });
    let (reply, failure, works) = match (by_first, by_second) {
        (Ok(reply), Some(Err(failure))) => (reply, failure, first),
        (Err(failure), Some(Ok(reply))) => (reply, failure, second),
        (outcome, _) => return outcome,
    };
    log::debug!("{}: only {} answers: {}", redact(url), works.ip(), failure.reason);
    if !failure.refused {
        one_family.set(url, family_of(works));
    }
    Ok(reply)
}

/// Whether a tracker is asked over UDP. Some torrents write schemes in upper case.
fn is_udp(url: &str) -> bool {
    url::scheme(url).is_some_and(|scheme| scheme.eq_ignore_ascii_case("udp"))
}

/// The addresses of the tracker at `url` that are asked: one of each family that works, the system's choice first.
/// Empty: the system chooses, or says what is wrong.
fn addresses(url: &str, one_family: &OneFamily) -> Result<Vec<SocketAddr>, AnnounceFailure> {
    let usual_port = match url::scheme(url).map(str::to_ascii_lowercase).as_deref() {
        Some("udp") if outlet::get().is_proxied() => return Err(never("the proxy (--proxy) carries no UDP")),
        Some("udp") => None,
        Some("http" | "https") if http::is_proxied(url) => return Ok(Vec::new()),
        // To look up a host, any port will do.
        Some("http" | "https") => Some(80),
        _ => return Err(never("its URL is not one of http, https or udp")),
    };
    let host = url::host(url).ok_or_else(|| never("its URL names no host"))?;
    let port = url::port(url).or(usual_port).ok_or_else(|| never("its URL names no port, as those of udp must"))?;
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    let mut found = outlet::get().look_up(vec![(host.to_string(), port)]);
    found.retain(|addr| outlet::get().has(addr.is_ipv6()));
    let Some(first) = found.first() else { return Ok(found) };
    let second = found.iter().find(|addr| addr.is_ipv4() != first.is_ipv4());
    let works = one_family.get(url);
    let wanted = |addr: &&SocketAddr| works.is_none_or(|works| works == family_of(**addr));
    Ok([Some(first), second].into_iter().flatten().filter(wanted).copied().collect())
}

/// Announces to the tracker at the address `to` of its URL.
fn announce(url: &str, request: &AnnounceRequest, to: Option<SocketAddr>) -> Outcome {
    let deadline = |usual| if request.event == Some(AnnounceEvent::Stopped) { FINAL_ANNOUNCE_TIME } else { usual };
    if is_udp(url) {
        let (to, data) = (to.ok_or_else(|| AnnounceFailure::unanswered("no such host"))?, url::path_and_query(url));
        return Exchange::open(to, deadline(UDP_DEADLINE))?.announce(request, data.as_bytes());
    }
    let family = to.map_or(Family::Any, family_of);
    packets::http_announce(url, request);
    let answer = http::ask(&request.to_url(url), REPLY_BYTES, deadline(DEADLINE), family)
        .map_err(AnnounceFailure::unanswered)?;
    packets::http_answer(url, answer.status, answer.body.len());
    // The tracker's own words say more than the HTTP status.
    match parse_reply(&answer.body) {
        Err(refused @ ReplyError::Failure { .. }) => without_secrets(Err(refusal(refused)), &answer.url),
        _ if answer.status != 200 => Err(AnnounceFailure::unanswered(http::HttpError::Status(answer.status))),
        reply => without_secrets(reply.map_err(refusal), &answer.url),
    }
}

/// `outcome`, without the secrets of the `url` that was asked, which trackers repeat in their words.
fn without_secrets(mut outcome: Outcome, url: &str) -> Outcome {
    let words = match &mut outcome {
        Ok(reply) => reply.warning.as_mut(),
        Err(failure) => Some(&mut failure.reason),
    };
    if let Some(words) = words {
        *words = url::hide_secrets(words, url);
    }
    outcome
}

/// Asks for the counts of a swarm. A tracker that answers anything else is not asked again.
fn scrape(url: &str, hash: &InfoHash) -> Outcome {
    log::debug!("{}: scrape", redact(url));
    let never = || never("no scrape");
    if is_udp(url) {
        let addrs = addresses(url, &OneFamily::default())?;
        let to = addrs.first().ok_or_else(|| AnnounceFailure::unanswered("no such host"))?;
        let outcome = Exchange::open(*to, SCRAPE_DEADLINE)?.scrape(*hash);
        return outcome.map_err(|failure| if failure.refused { never() } else { failure });
    }
    let url = scrape_url(url, hash).ok_or_else(never)?;
    packets::http_scrape(&url, hash);
    let answer = http::ask(&url, REPLY_BYTES, SCRAPE_DEADLINE, Family::Any).map_err(AnnounceFailure::unanswered)?;
    packets::http_answer(&url, answer.status, answer.body.len());
    parse_scrape(&answer.body, hash).filter(|_| answer.status == 200).ok_or_else(never)
}

/// The tracker is not asked again.
fn never(why: &str) -> AnnounceFailure {
    AnnounceFailure { retry_in: Some(RetryIn::Never), ..AnnounceFailure::unanswered(why) }
}

/// The tracker refused, or wrote what cannot be read.
fn refusal(error: ReplyError) -> AnnounceFailure {
    match error {
        ReplyError::Failure { reason, retry_in } => AnnounceFailure::refusal(reason, retry_in),
        damaged => AnnounceFailure::unanswered(damaged),
    }
}
