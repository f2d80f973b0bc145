//! Keeps strangers from making us ask the servers of our own network (CWE-918, "server-side request forgery").
//!
//! Floor 3. The web page of a router does what anybody in the local network asks it. So a server on the internet must
//! not redirect us there, whether it writes an address or a name that stands for one. This holds for web seeds,
//! trackers and torrents by URL. A torrent may name a server in the local network, because people have such servers.
//! But the URL of such a web seed must have no query, which is how routers are told what to do. (libtorrent draws the
//! same lines.)
//!
//! The guard is the resolver of the HTTP library: it sees the addresses to which the library is about to connect. So
//! there is no moment between the check and the use in which a name could change its meaning. The library may also use
//! a connection that it has kept. That one was judged when it was made, so it may only serve requests of the same
//! [`Terms`].
//!
//! With IPv6 the hosts at home have addresses of the internet. We know those in our own network by their first 64 bits
//! (RFC 4291). Another network of the same home, such as one for guests, looks like the internet.
//!
//! A proxy looks up names itself, and they mean hosts around the proxy, not around us. So through a proxy only what is
//! written in the URL is judged: an address, or a name that can only be a local one.

use super::names::Names;
use crate::base::network::{Network, is_internal};
use crate::base::url;
use crate::sys::interfaces::source_towards;
use crate::sys::lock;
use core::net::{IpAddr, SocketAddr};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// How long an address is used without another lookup of its name (libtorrent: 30 minutes).
const REMEMBERED: Duration = Duration::from_secs(30 * 60);
/// Names that are remembered. (One request may add two to them: its server and a proxy.)
const MOST_NAMES: usize = 16;

/// Where a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Net {
    /// On this machine or in the local network.
    Local,
    /// Elsewhere.
    Internet,
}

/// How we came to ask a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A torrent names it as a web seed.
    WebSeed,
    /// A person names its URL, or a torrent as that of its tracker. (An announce always has a query.)
    Named,
    /// A server redirected to it. The way here led through the internet, or only through the local network.
    Redirect(Net),
}

impl Origin {
    /// The origin of a server to which a server of this origin, in the network `net`, redirects. From the internet it
    /// never leads back into the local network.
    pub fn then(self, net: Net) -> Origin {
        Origin::Redirect(if self == Origin::Redirect(Net::Internet) { Net::Internet } else { net })
    }
}

/// What a connection was judged by. It may serve only requests for which these are the same.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Addresses of the local network are refused.
    refuses_local: bool,
    /// How often the addresses of all names had been forgotten. After that, a name may have another address.
    pub forgotten: u64,
}

/// Which addresses a request may go to. Clones share it.
#[derive(Clone)]
pub struct Guard {
    state: Arc<Mutex<State>>,
    keeps_out: Arc<dyn Fn(IpAddr) -> bool + Send + Sync>,
}

#[derive(Default)]
struct State {
    /// Host and port of the proxy that is asked. It may be anywhere.
    proxy: Option<String>,
    /// The local network is refused, and why.
    refused: Option<&'static str>,
    /// Where the server is.
    net: Option<Net>,
    /// Why the request was refused.
    why: Option<&'static str>,
    /// The addresses of names that were looked up.
    known: Vec<(String, Instant, ResolvedSocketAddrs)>,
    /// How often they were forgotten.
    forgotten: u64,
    is_shut: bool,
}

const FROM_OUTSIDE: &str = "it redirects into the local network, which is refused";
const WITH_QUERY: &str = "it is in the local network and its URL has a query, which is refused";
const ON_BLOCKLIST: &str = "its address is on the blocklist";

impl Guard {
    /// A guard that refuses all addresses that it `keeps_out`.
    pub fn new(keeps_out: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Guard {
        Guard { state: Arc::default(), keeps_out: Arc::new(keeps_out) }
    }

    /// The next request is for `address`, a URL without user and password. A `proxy` (host and port) looks up the name
    /// itself, so that only an address in the URL can be judged.
    pub fn aim(&self, address: &str, origin: Origin, proxy: Option<String>) -> Result<(), &'static str> {
        let mut state = lock(&self.state);
        // Never in the middle of a request, whose connection may be older.
        let is_old = state.known.first().is_some_and(|(_, at, _)| at.elapsed() >= REMEMBERED);
        if is_old || state.known.len() >= MOST_NAMES {
            state.forget();
        }
        state.refused = match origin {
            Origin::Redirect(Net::Internet) => Some(FROM_OUTSIDE),
            Origin::WebSeed if url::path_and_query(address).contains('?') => Some(WITH_QUERY),
            Origin::WebSeed | Origin::Named | Origin::Redirect(Net::Local) => None,
        };
        (state.net, state.why) = (None, None);
        state.proxy = proxy;
        if state.proxy.is_some() {
            let host = url::host(address).unwrap_or_default();
            if host.parse().is_ok_and(&*self.keeps_out) {
                return Err(ON_BLOCKLIST);
            }
            let is_local = is_written_local(host);
            state.net = Some(if is_local { Net::Local } else { Net::Internet });
            return state.refused.filter(|_| is_local).map_or(Ok(()), Err);
        }
        Ok(())
    }

    /// The terms of the request that it was told of last.
    pub fn terms(&self) -> Terms {
        let state = lock(&self.state);
        Terms { refuses_local: state.refused.is_some(), forgotten: state.forgotten }
    }

    /// Where the server of the last request is, or why it was not asked.
    pub fn verdict(&self) -> Result<Net, &'static str> {
        let state = lock(&self.state);
        state.why.map_or(Ok(state.net.unwrap_or(Net::Internet)), Err)
    }

    /// Refuses everything from now on.
    pub fn shut(&self) {
        lock(&self.state).is_shut = true;
    }

    /// Whether everything is refused.
    pub fn is_shut(&self) -> bool {
        lock(&self.state).is_shut
    }

    /// The addresses of `found` that may be connected to.
    fn judge(&self, found: ResolvedSocketAddrs) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut state = lock(&self.state);
        let mut allowed = DefaultResolver::default().empty();
        for addr in found.iter() {
            if is_local(addr) && state.refused.is_some() {
                state.why = state.refused;
            } else if (self.keeps_out)(addr.ip()) {
                state.why = Some(ON_BLOCKLIST);
            } else {
                allowed.push(*addr);
            }
        }
        if allowed.is_empty() {
            return Err(ureq::Error::HostNotFound);
        }
        state.why = None;
        // One address outside is enough to be of the internet: then nothing inside may follow.
        let all_local = allowed.iter().all(is_local);
        state.net = Some(if all_local { Net::Local } else { Net::Internet });
        Ok(allowed)
    }

    fn remembered(&self, name: &str) -> Option<ResolvedSocketAddrs> {
        let state = lock(&self.state);
        state.known.iter().find(|(known, ..)| known == name).map(|(.., found)| found.clone())
    }

    /// Forgets all addresses: one of them did not answer.
    pub fn forget(&self) {
        lock(&self.state).forget();
    }
}

impl State {
    fn forget(&mut self) {
        self.known.clear();
        self.forgotten += 1;
    }
}

/// Whether an address is on this machine or in the local network.
fn is_local(addr: &SocketAddr) -> bool {
    is_internal(addr.ip()) || addr.is_ipv6() && source_towards(*addr).is_some_and(|ours| is_beside(addr.ip(), ours))
}

/// Whether an IPv6 address is in the same network as `ours`.
fn is_beside(ip: IpAddr, ours: IpAddr) -> bool {
    ours.is_ipv6() && Network::new(ours, 64).is_some_and(|network| network.contains(ip))
}

/// Whether a host is in a local network by how it is written: its address says so, or its name is one that no server on
/// the internet has (RFC 6761, RFC 6762). Many programs also read `127.1` and `2130706433` as addresses.
fn is_written_local(host: &str) -> bool {
    if let Ok(ip) = host.parse() {
        return is_internal(ip);
    }
    let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let Some((_, last)) = name.rsplit_once('.') else { return true };
    last.starts_with(|first: char| first.is_ascii_digit()) || matches!(last, "local" | "localhost")
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guard")
    }
}

impl Resolver for Guard {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let name = uri.authority().map_or(String::new(), |authority| format!("{:?} {authority}", uri.scheme_str()));
        let is_proxy = {
            let state = lock(&self.state);
            if state.is_shut {
                return Err(ureq::Error::ConnectionFailed);
            }
            state.proxy.as_deref().is_some_and(|proxy| uri.authority().is_some_and(|it| it.as_str() == proxy))
        };
        let found = match self.remembered(&name) {
            Some(found) => found,
            None => {
                let found = Names.resolve(uri, config, timeout)?;
                lock(&self.state).known.push((name, Instant::now(), found.clone()));
                found
            }
        };
        if is_proxy { Ok(found) } else { self.judge(found) }
    }
}

#[cfg(test)]
mod tests;
