//! HTTP GET of parts of files, whose bodies are read while they arrive, over a connection that is kept.
//!
//! Floor 3, over ureq. The address comes from a stranger (BEP 19: a torrent names it, and a server redirects from it).
//! So the [`guard`](super::guard) sees each address that a host name stands for, before anything is sent there. (A
//! proxy looks up names itself, so then the guard sees only what is in the URL.) A user name and password go to the
//! server for which they were given, and not to where it redirects.

use super::guard::{Guard, Net, Origin, Terms};
use super::proxy::Through;
use super::tcp::Waits;
use super::{
    HttpError, MOST_REDIRECTS, REDIRECTS, aim, check_scheme, escaped, guarded, plain, proxy_for, request, usual,
};
use crate::base::url;
use crate::sys::lock;
use core::net::IpAddr;
use std::io::{self, Read};
use std::sync::Mutex;
use std::time::Duration;
use ureq::config::Config;
use ureq::http::Response;
use ureq::{Agent, BodyReader, Proxy};

/// How long the server may be silent (libtorrent's `urlseed_timeout`).
const READ_TIMEOUT: Duration = Duration::from_secs(20);
/// Bytes read from the socket at once: a few blocks.
const INPUT_BYTES: usize = 64 * 1024;
/// How long an idle connection is kept. Most servers close it sooner (nginx: 75 s).
const IDLE_TIME: Duration = Duration::from_secs(60);

/// A client for one server, and for those it redirects to.
pub struct Client {
    guard: Guard,
    waits: Waits,
    /// The agents, each with its proxy and the terms of its connections.
    agents: Mutex<Vec<(Option<Proxy>, Terms, Agent)>>,
}

/// Where to ask. Clones are cheap enough to be kept for each file.
#[derive(Clone, Debug)]
pub struct Target {
    /// The URL. It may contain secrets.
    url: String,
    origin: Origin,
}

impl Target {
    /// The URL of a web seed that a torrent names.
    pub fn new(url: &str) -> Target {
        Target { url: url::sanitize(url), origin: Origin::WebSeed }
    }

    /// The server, for the log: nothing else of the URL.
    pub fn shown(&self) -> String {
        url::redact(&self.url)
    }

    /// Whether a server redirected here.
    pub fn is_redirect(&self) -> bool {
        matches!(self.origin, Origin::Redirect(_))
    }
}

/// An answer that is no redirect. Its body was not read yet.
pub struct Streamed {
    /// The HTTP status.
    pub status: u16,
    /// Where it came from in the end.
    pub target: Target,
    response: Response<ureq::Body>,
}

impl Streamed {
    /// The value of a header, if it is text. `name` is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    /// The body. If it is dropped before its end, the connection is closed.
    pub fn body(self) -> Body {
        Body { reader: self.response.into_body().into_reader() }
    }
}

/// A body that arrives.
pub struct Body {
    reader: BodyReader<'static>,
}

impl Body {
    /// Fills `buffer`.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<(), HttpError> {
        self.reader.read_exact(buffer).map_err(unreachable)
    }

    /// Whether this is the end. If so, the connection can be used again.
    pub fn is_over(mut self) -> bool {
        matches!(self.reader.read(&mut [0]), Ok(0))
    }
}

fn unreachable(error: io::Error) -> HttpError {
    HttpError::Unreachable(match error.kind() {
        io::ErrorKind::UnexpectedEof => "the server closes the connection too early".into(),
        _ => plain(&error.into()),
    })
}

impl Client {
    /// A client that connects to no address that it `keeps_out`, and calls `before_waiting` each time before it waits
    /// for a server.
    pub fn new(
        keeps_out: impl Fn(IpAddr) -> bool + Send + Sync + 'static,
        before_waiting: impl Fn() + Send + Sync + 'static,
    ) -> Client {
        Client { guard: Guard::new(keeps_out), waits: Waits::new(before_waiting), agents: Mutex::default() }
    }

    /// Closes all connections, and wakes the threads that wait for them. Later requests fail.
    pub fn shut_down(&self) {
        self.guard.shut();
        lock(&self.agents).iter().for_each(|(.., agent)| agent.clone().shutdown());
    }

    /// Asks for the bytes of `range` (RFC 9110, section 14.2), and follows redirects. Every status is an answer.
    pub fn get(&self, target: &Target, range: &str) -> Result<Streamed, HttpError> {
        let mut target = target.clone();
        for _ in 0..=MOST_REDIRECTS {
            check_scheme(&target.url)?;
            let (response, net) = self.ask(&target, range)?;
            let status = response.status().as_u16();
            let location = response.headers().get("location").filter(|_| REDIRECTS.contains(&status));
            let Some(location) = location else { return Ok(Streamed { status, target, response }) };
            let next = url::sanitize(&url::join(&target.url, &escaped(location.as_bytes())));
            target = Target { url: with_user_of(&target.url, next), origin: target.origin.then(net) };
        }
        Err(HttpError::Unreachable("too many redirects".into()))
    }

    /// Asks once. Also returns in which network the server is.
    fn ask(&self, target: &Target, range: &str) -> Result<(Response<ureq::Body>, Net), HttpError> {
        let proxy = proxy_for(&target.url)?;
        aim(&self.guard, &target.url, target.origin, proxy.as_ref())?;
        let agent = self.agent(&proxy).ok_or_else(|| HttpError::Unreachable("it is not asked any more".into()))?;
        // The name may have to be looked up, and a connection made.
        self.waits.begin();
        let request = request(&agent, &target.url, proxy.as_ref());
        let request = request.header("Range", range).header("Accept-Encoding", "identity");
        guarded(&self.guard, request, proxy.as_ref()).inspect_err(|_| self.guard.forget())
    }

    /// The agent for the request that the guard was told of, directly or through a proxy. `None`: the client was shut
    /// down.
    fn agent(&self, proxy: &Option<Proxy>) -> Option<Agent> {
        // The guard is shut first, and then all agents. So none is made that stays open.
        let mut agents = lock(&self.agents);
        if self.guard.is_shut() {
            return None;
        }
        let terms = self.guard.terms();
        // The others keep connections that nothing uses any more.
        agents.retain(|(_, of, _)| of.forgotten == terms.forgotten);
        if let Some((.., agent)) = agents.iter().find(|(through, of, _)| through == proxy && *of == terms) {
            return Some(agent.clone());
        }
        let agent = Agent::with_parts(
            config(proxy.clone()),
            Through::new(config(None), self.waits.clone()),
            self.guard.clone(),
        );
        agents.push((proxy.clone(), terms, agent.clone()));
        Some(agent)
    }
}

/// The URL `next`, with user and password of `url` if both are for the same server.
fn with_user_of(url: &str, next: String) -> String {
    let origin = |url: &str| {
        let scheme = url::scheme(url).map(str::to_ascii_lowercase);
        let port = url::port(url).or(if scheme.as_deref() == Some("https") { Some(443) } else { Some(80) });
        (scheme, url::host(url).map(str::to_ascii_lowercase), port)
    };
    let (plain, user) = url::take_user(url);
    let is_same = origin(&plain) == origin(&url::take_user(&next).0);
    let has_own = url::take_user(&next).1.is_some();
    if user.is_none() || !is_same || has_own {
        return next;
    }
    let user = url.split_once("://").and_then(|(_, rest)| rest.rsplit_once('@')).map_or("", |(user, _)| user);
    next.replacen("://", &format!("://{user}@"), 1)
}

fn config(proxy: Option<Proxy>) -> Config {
    usual(proxy)
        .timeout_recv_response(Some(READ_TIMEOUT))
        .timeout_per_read(Some(READ_TIMEOUT))
        .timeout_per_write(Some(READ_TIMEOUT))
        .input_buffer_size(INPUT_BYTES)
        .max_idle_connections(2)
        .max_idle_connections_per_host(1)
        .max_idle_age(IDLE_TIME)
        .build()
}

#[cfg(test)]
mod tests;
