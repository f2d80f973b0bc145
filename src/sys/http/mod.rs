//! HTTP GET, with limits. ([`post`] has the calls of a remote control.)
//!
//! Floor 3, over ureq (blocking). A request has one deadline for everything, follows at most five redirects, and reads
//! no more bytes than its caller allows. Redirects are followed here and not by ureq, because each may lead through
//! another [`proxy`], and because no error may show where they lead. The [`guard`] sees each address before anything is
//! sent there.

#[cfg(feature = "tls")]
mod certificates;
pub mod device;
mod guard;
mod lent;
mod names;
pub mod post;
mod proxy;
pub mod stream;
mod tcp;
#[cfg(feature = "tls")]
pub mod trust;

use self::guard::{Guard, Net, Origin};
use self::lent::Shelf;
use self::proxy::Through;
use self::tcp::Waits;
use crate::base::hex::percent;
use crate::base::url;
use core::net::SocketAddr;
use std::fmt;
use std::io::Read;
use std::time::{Duration, Instant};
pub use ureq::config::IpFamily as Family;
use ureq::config::{AutoHeaderValue, ConfigBuilder};
use ureq::http::Response;
use ureq::typestate::{AgentScope, WithoutBody};
use ureq::unversioned::resolver::Resolver;
use ureq::{Agent, Body, Proxy, RequestBuilder};

/// How long the name lookup and the connection may take, so that a dead server does not use up the whole deadline.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Most bytes of a response's headers, and of the longest line of our request. (ureq's own buffers have 128 KiB each,
/// which the process would keep after its first request.)
const INPUT_BYTES: usize = 16 * 1024;
const OUTPUT_BYTES: usize = 16 * 1024;
/// Most redirects that are followed (the limit of RFC 2068; more are a loop).
const MOST_REDIRECTS: usize = 5;
/// The statuses of redirects (RFC 9110, section 15.4).
const REDIRECTS: [u16; 5] = [301, 302, 303, 307, 308];

/// The family of an address.
pub fn family_of(addr: SocketAddr) -> Family {
    if addr.is_ipv4() { Family::Ipv4Only } else { Family::Ipv6Only }
}

/// A server's answer.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status, such as 200.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
    /// The URL that gave the answer in the end. It may contain secrets.
    pub url: String,
}

/// Why a request failed.
#[derive(Debug)]
pub enum HttpError {
    /// This build does not support the URL, or none does.
    Unsupported(String),
    /// The server can't be reached, or what it sends is not HTTP.
    Unreachable(String),
    /// The answer is larger than the limit, in bytes.
    TooLarge(u64),
    /// The server redirected to this magnet link, which may contain secrets.
    Magnet(String),
    /// The server answered with an HTTP status other than 200.
    Status(u16),
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            HttpError::Unsupported(reason) | HttpError::Unreachable(reason) => f.write_str(reason),
            HttpError::Magnet(_) => f.write_str("it leads to a magnet link"),
            HttpError::TooLarge(limit) => write!(f, "the response has more than {limit} bytes"),
            HttpError::Status(status) => write!(f, "the server returned HTTP status {status}"),
        }
    }
}

impl std::error::Error for HttpError {}

/// Gets `address`, within `deadline`. Any status but 200 and a body of more than `limit` bytes are errors.
pub fn get(address: &str, limit: u64, deadline: Duration) -> Result<Vec<u8>, HttpError> {
    match ask(address, limit, deadline, Family::Any)? {
        Answer { status: 200, body, .. } => Ok(body),
        Answer { status, .. } => Err(HttpError::Status(status)),
    }
}

/// Whether a proxy is asked for `address`. Then the server's addresses are not needed here.
pub fn is_proxied(address: &str) -> bool {
    proxy::for_url(address).is_some()
}

/// Gets `address` over a family of addresses, within `deadline`. Every status is an answer; a body of more than `limit`
/// bytes is an error.
pub fn ask(address: &str, limit: u64, deadline: Duration, family: Family) -> Result<Answer, HttpError> {
    let end = Instant::now() + deadline;
    let (guard, mut origin) = (Guard::new(|_| false), Origin::Named);
    let mut address = url::sanitize(address);
    for _ in 0..=MOST_REDIRECTS {
        check_scheme(&address)?;
        let left = end.saturating_duration_since(Instant::now());
        let (mut response, net) = ask_once(&guard, origin, &address, left, family)?;
        let status = response.status().as_u16();
        let location = response.headers().get("location").filter(|_| REDIRECTS.contains(&status));
        if let Some(location) = location {
            let next = url::join(&address, &escaped(location.as_bytes()));
            if next.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("magnet:")) {
                return Err(HttpError::Magnet(next));
            }
            (address, origin) = (url::sanitize(&next), origin.then(net));
            continue;
        }
        let mut body = Vec::new();
        let mut reader = response.body_mut().as_reader().take(limit + 1);
        reader.read_to_end(&mut body).map_err(|error| HttpError::Unreachable(plain(&error.into())))?;
        if body.len() as u64 > limit {
            return Err(HttpError::TooLarge(limit));
        }
        return Ok(Answer { status, body, url: address });
    }
    Err(HttpError::Unreachable("too many redirects".into()))
}

/// A redirect's target. Some servers send bytes there that no URL may have.
fn escaped(location: &[u8]) -> String {
    let mut out = String::with_capacity(location.len());
    for &byte in location {
        if byte.is_ascii() { out.push(char::from(byte)) } else { out.extend(percent(byte)) }
    }
    out
}

fn check_scheme(address: &str) -> Result<(), HttpError> {
    let refused = |reason: &str| Err(HttpError::Unsupported(reason.into()));
    match url::scheme(address).map(str::to_ascii_lowercase).as_deref() {
        Some("http") => Ok(()),
        Some("https") if cfg!(feature = "tls") => Ok(()),
        Some("https") => refused("this build has no https (feature tls)"),
        _ => refused("the URL is neither http nor https"),
    }
}

/// Asks once, without following a redirect. Also returns in which network the server is.
fn ask_once(
    guard: &Guard,
    origin: Origin,
    address: &str,
    deadline: Duration,
    family: Family,
) -> Result<(Response<Body>, Net), HttpError> {
    let proxy = proxy_for(address)?;
    aim(guard, address, origin, proxy.as_ref())?;
    let agent = agent(deadline, family, proxy.clone(), guard.clone());
    guarded(guard, request(&agent, address, proxy.as_ref()), proxy.as_ref())
}

/// Tells the guard of a request for `address`, or returns why it must not be made.
fn aim(guard: &Guard, address: &str, origin: Origin, proxy: Option<&Proxy>) -> Result<(), HttpError> {
    let proxy = proxy.and_then(|proxy| Some(proxy.uri().authority()?.to_string()));
    guard.aim(&url::take_user(address).0, origin, proxy).map_err(|why| HttpError::Unreachable(why.into()))
}

/// Makes a request of which the guard was told. Also returns in which network the server is.
fn guarded(
    guard: &Guard,
    request: RequestBuilder<WithoutBody>,
    proxy: Option<&Proxy>,
) -> Result<(Response<Body>, Net), HttpError> {
    match (request.call(), guard.verdict()) {
        (Ok(response), Ok(net)) => Ok((response, net)),
        (_, Err(why)) => Err(HttpError::Unreachable(why.into())),
        (Err(error), Ok(_)) => {
            let by = proxy.map_or(String::new(), proxy::blamed);
            Err(HttpError::Unreachable(by + &plain(&error)))
        }
    }
}

/// The proxy that is asked for `address`, if one is.
fn proxy_for(address: &str) -> Result<Option<Proxy>, HttpError> {
    // Its URL may contain a password.
    let unsupported = "the environment names a proxy that is not supported; expected http://HOST:PORT";
    let parse = |named: String| proxy::parse(&named).ok_or_else(|| HttpError::Unsupported(unsupported.into()));
    proxy::for_url(address).map(parse).transpose()
}

/// A request for `address`.
fn request(agent: &Agent, address: &str, proxy: Option<&Proxy>) -> RequestBuilder<WithoutBody> {
    let (address, headers) = identified(address, proxy);
    headers.into_iter().fold(agent.get(&address), |request, (name, value)| request.header(name, value))
}

/// `address` without user and password, and the headers in which the server gets them, and a proxy those of its own.
fn identified(address: &str, proxy: Option<&Proxy>) -> (String, Vec<(&'static str, String)>) {
    let (address, user) = url::take_user(address);
    let ours = user.map(|user| ("Authorization", proxy::basic(&user)));
    let whole = proxy.filter(|proxy| proxy::takes_whole(proxy, &address));
    let theirs = whole.and_then(proxy::authorization).map(|value| ("Proxy-Authorization", value));
    let headers = ours.into_iter().chain(theirs).collect();
    (address, headers)
}

/// An agent that keeps no connection.
fn agent(deadline: Duration, family: Family, proxy: Option<Proxy>, names: impl Resolver) -> Agent {
    let config = |proxy| {
        let usual = usual(proxy).timeout_global(Some(deadline)).ip_family(family);
        usual.input_buffer_size(INPUT_BYTES).max_idle_connections(0).build()
    };
    Agent::with_parts(config(proxy), Through::new(config(None), Waits::default(), Shelf::default()), names)
}

/// What all requests have in common.
fn usual(proxy: Option<Proxy>) -> ConfigBuilder<AgentScope> {
    Agent::config_builder()
        .timeout_resolve(Some(CONNECT_TIMEOUT))
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .max_response_header_size(INPUT_BYTES - 1)
        .output_buffer_size(OUTPUT_BYTES)
        .max_redirects(0)
        .http_status_as_error(false)
        .proxy(proxy)
        .user_agent(AutoHeaderValue::Provided(concat!("swarmlet/", env!("CARGO_PKG_VERSION")).to_string().into()))
}

/// The text of an error without ureq's prefixes ("io: Connection refused (os error 111)"), and without anything that a
/// server or a URL may have put there.
fn plain(error: &ureq::Error) -> String {
    #[cfg(feature = "tls")]
    if let Some(words) = trust::in_plain_words(error) {
        return words;
    }
    match error {
        ureq::Error::Io(error) => super::in_words(error),
        ureq::Error::HostNotFound => "no such host".into(),
        ureq::Error::Timeout(_) => "no answer in time".into(),
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => "the URL is malformed".into(),
        ureq::Error::LargeResponseHeader(..) => "the response header is too big".into(),
        ureq::Error::ConnectProxyFailed(reason) => reason.clone(),
        ureq::Error::ConnectionFailed | ureq::Error::TlsRequired | ureq::Error::Tls(_) => error.to_string(),
        _ => "what the server sends is not HTTP".into(),
    }
}

#[cfg(test)]
mod tests;
