//! HTTP GET of parts of files, whose bodies are read while they arrive, over a connection that is kept.
//!
//! Floor 3, over ureq. The address comes from a stranger (BEP 19: a torrent names it, and a server redirects from it).
//! So the [`guard`](super::guard) sees each address that a host name stands for, before anything is sent there. (A
//! proxy looks up names itself, so then the guard sees only what is in the URL.) A user name and password go to the
//! server for which they were given, and not to where it redirects. Bodies whose length is known are read past ureq
//! (see [`lent`]), and their connections are kept there.

use super::guard::{Guard, Net, Origin, Terms};
use super::lent::{self, Shelf};
use super::proxy::Through;
use super::tcp::Waits;
use super::{
    HttpError, MOST_REDIRECTS, REDIRECTS, aim, check_scheme, escaped, guarded, plain, proxy_for, request, usual,
};
use crate::base::url;
use crate::sys::lock;
use core::net::IpAddr;
use std::io::{self, IoSliceMut, Read};
use std::sync::Mutex;
use std::time::Duration;
use ureq::config::Config;
use ureq::http::{Response, Version};
use ureq::{Agent, BodyReader, Error, Proxy};

/// How long the server may be silent (libtorrent's `urlseed_timeout`).
const READ_TIMEOUT: Duration = Duration::from_secs(20);
/// Bytes read from the socket at once, where ureq reads: a few blocks.
const INPUT_BYTES: usize = 64 * 1024;
/// How long an idle connection is kept. Most servers close it sooner (nginx: 75 s).
const IDLE_TIME: Duration = Duration::from_secs(60);

/// A client for one server, and for those it redirects to.
pub struct Client {
    guard: Guard,
    waits: Waits,
    agents: Mutex<Vec<OfProxy>>,
}

/// An agent, with its proxy and the terms of its connections.
struct OfProxy {
    proxy: Option<Proxy>,
    terms: Terms,
    agent: Agent,
    shelf: Shelf,
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
    shelf: Shelf,
}

impl Streamed {
    /// The value of a header, if it is text. `name` is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    /// The body. If it is dropped before its end, the connection is closed.
    pub fn body(self) -> Body {
        match self.response.body().content_length() {
            Some(length @ 1..) => {
                let stays = self.keeps_connection();
                Body::Sized(self.shelf.body(self.response, length, READ_TIMEOUT, stays))
            }
            _ => Body::Other(self.response.into_body().into_reader()),
        }
    }

    /// Whether the server lets the connection stay open (RFC 9112, section 9.3).
    fn keeps_connection(&self) -> bool {
        let options = self.response.headers().get_all("connection").iter().filter_map(|value| value.to_str().ok());
        let closes = options.flat_map(|list| list.split(',')).any(|word| word.trim().eq_ignore_ascii_case("close"));
        self.response.version() == Version::HTTP_11 && !closes
    }
}

/// A body that arrives.
pub enum Body {
    /// Its length is known. It is read past ureq.
    Sized(lent::Body),
    /// It comes in chunks, or goes on until the connection ends.
    Other(BodyReader<'static>),
}

impl Body {
    /// Reads what comes next into `buffers`, one after the other, and returns how many bytes that is, at least one.
    /// They must have room for no more than what the answer says that it has.
    pub fn read(&mut self, buffers: &mut [IoSliceMut]) -> Result<usize, HttpError> {
        let read = match self {
            Body::Sized(body) => body.read(buffers).map_err(Error::into_io),
            Body::Other(reader) => reader.read_vectored(buffers),
        };
        match read {
            Ok(0) => Err(unreachable(io::ErrorKind::UnexpectedEof.into())),
            read => read.map_err(unreachable),
        }
    }

    /// Whether this is the end. If so, the connection can be used again.
    pub fn is_over(self) -> bool {
        match self {
            Body::Sized(body) => body.finish(),
            Body::Other(mut reader) => matches!(reader.read(&mut [0]), Ok(0)),
        }
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
        lock(&self.agents).iter().for_each(|known| known.agent.clone().shutdown());
    }

    /// Asks for the bytes of `range` (RFC 9110, section 14.2), and follows redirects. Every status is an answer.
    pub fn get(&self, target: &Target, range: &str) -> Result<Streamed, HttpError> {
        let mut target = target.clone();
        for _ in 0..=MOST_REDIRECTS {
            check_scheme(&target.url)?;
            let (response, net, shelf) = self.ask(&target, range)?;
            let status = response.status().as_u16();
            let location = response.headers().get("location").filter(|_| REDIRECTS.contains(&status));
            let Some(location) = location else { return Ok(Streamed { status, target, response, shelf }) };
            let next = url::sanitize(&url::join(&target.url, &escaped(location.as_bytes())));
            target = Target { url: with_user_of(&target.url, next), origin: target.origin.then(net) };
        }
        Err(HttpError::Unreachable("too many redirects".into()))
    }

    /// Asks once. Also returns in which network the server is, and where its connection comes back.
    fn ask(&self, target: &Target, range: &str) -> Result<(Response<ureq::Body>, Net, Shelf), HttpError> {
        let proxy = proxy_for(&target.url)?;
        aim(&self.guard, &target.url, target.origin, proxy.as_ref())?;
        let (agent, shelf) =
            self.agent(&proxy).ok_or_else(|| HttpError::Unreachable("it is not asked any more".into()))?;
        // The name may have to be looked up, and a connection made.
        self.waits.begin();
        let request = request(&agent, &target.url, proxy.as_ref());
        let request = request.header("Range", range).header("Accept-Encoding", "identity");
        let answer = guarded(&self.guard, request, proxy.as_ref()).inspect_err(|_| self.guard.forget());
        answer.map(|(response, net)| (response, net, shelf))
    }

    /// The agent for the request that the guard was told of, directly or through a proxy. `None`: the client was shut
    /// down.
    fn agent(&self, proxy: &Option<Proxy>) -> Option<(Agent, Shelf)> {
        // The guard is shut first, and then all agents. So none is made that stays open.
        let mut agents = lock(&self.agents);
        if self.guard.is_shut() {
            return None;
        }
        let terms = self.guard.terms();
        // The others keep connections that nothing uses any more.
        agents.retain(|agent| agent.terms.forgotten == terms.forgotten);
        if let Some(known) = agents.iter().find(|known| known.proxy == *proxy && known.terms == terms) {
            return Some((known.agent.clone(), known.shelf.clone()));
        }
        let shelf = Shelf::default();
        let through = Through::new(config(None), self.waits.clone(), shelf.clone());
        let agent = Agent::with_parts(config(proxy.clone()), through, self.guard.clone());
        agents.push(OfProxy { proxy: proxy.clone(), terms, agent: agent.clone(), shelf: shelf.clone() });
        Some((agent, shelf))
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
