//! Requests through a proxy, as curl makes them.
//!
//! Floor 3. The environment names the proxy: `http_proxy` (lower case only, because a web server gives its scripts a
//! variable HTTP_PROXY that clients choose), `https_proxy` or HTTPS_PROXY, and for both `all_proxy` or ALL_PROXY.
//! `no_proxy` or NO_PROXY lists hosts that are asked directly. ureq reads some of these in another way, so we read them
//! and tell it.
//!
//! `--proxy` goes before all of them.
//!
//! An https request goes through a tunnel (CONNECT), which ureq makes. An http request does not, because many proxies
//! allow tunnels to port 443 only: the proxy gets the whole URL in the first line (RFC 9112, section 3.2.2). ureq can't
//! do that, so [`Through`] adds it. SOCKS is spoken by the [`outlet`].

use super::lent::{Lent, Line, Server, Shelf};
use super::tcp::{Tcp, Waits, with_config};
use crate::base::hex::to_base64;
use crate::base::network::Network;
use crate::base::{step, url};
use crate::sys::outlet;
use core::net::IpAddr;
use std::env;
use ureq::config::Config;
use ureq::unversioned::transport::{
    Buffers, ConnectProxyConnector, ConnectionDetails, Connector, Either, NextTimeout, Transport,
};
use ureq::{Error, Proxy, ProxyProtocol};

/// The port of a proxy whose URL names none (curl(1), `--proxy`).
const USUAL_PORT: u16 = 1080;

/// The URL of the proxy for a request to `address`. `None`: it is made directly.
pub fn for_url(address: &str) -> Option<String> {
    if let Some(proxy) = &outlet::get().proxy {
        // The outlet knows user and password.
        return Some(format!("socks5h://{proxy}"));
    }
    // An empty variable counts as none.
    choose(address, |name| env::var(name).ok().filter(|value| !value.is_empty()))
}

fn choose(address: &str, variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let either = |name: &str| variable(name).or_else(|| variable(&name.to_ascii_uppercase()));
    let is_https = url::scheme(address)?.eq_ignore_ascii_case("https");
    let proxy = if is_https { either("https_proxy") } else { variable("http_proxy") };
    let proxy = proxy.or_else(|| either("all_proxy"))?;
    let port = url::port(address).unwrap_or(if is_https { 443 } else { 80 });
    let exempt = either("no_proxy").is_some_and(|list| is_listed(&list, url::host(address).unwrap_or(""), port));
    (!exempt).then_some(proxy)
}

/// Whether `list`, the value of `no_proxy`, names a host: `example.org` also stands for all hosts below it, `*` alone
/// for every host, and `10.0.0.0/8` for a network. A name with a port (as in Go) is for that port only.
fn is_listed(list: &str, host: &str, port: u16) -> bool {
    if list.trim() == "*" {
        return true;
    }
    let bare = |name: &str| {
        step(name.len());
        name.trim_end_matches('.').to_ascii_lowercase()
    };
    let host = bare(host);
    let ip = host.parse::<IpAddr>().ok();
    list.split([',', ' ', '\t']).filter(|entry| !entry.is_empty()).any(|entry| {
        // The colons of an IPv6 address without brackets are no port.
        let with_port = entry.rsplit_once(':').filter(|(name, _)| !name.contains(':') || name.ends_with(']'));
        let entry = match with_port.and_then(|(name, port)| Some((name, port.parse::<u16>().ok()?))) {
            Some((_, other)) if other != port => return false,
            Some((name, _)) => name,
            None => entry,
        };
        if let Some(ip) = ip {
            step(entry.len());
            // An IPv6 address may be in brackets.
            return Network::parse(&entry.replace(['[', ']'], "")).is_some_and(|network| network.contains(ip));
        }
        let name = bare(entry.strip_prefix('*').unwrap_or(entry));
        let name = name.strip_prefix('.').unwrap_or(&name);
        let rest = host.strip_suffix(name).filter(|_| !name.is_empty());
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    })
}

/// The proxy at `address`, a URL or only `host:port`. `None`: it is not the URL of a proxy that we know.
pub fn parse(address: &str) -> Option<Proxy> {
    let address = match url::scheme(address) {
        Some(_) => address.to_string(),
        None => format!("http://{address}"),
    };
    let is_https = url::scheme(&address)?.eq_ignore_ascii_case("https");
    let host = url::host(&address)?;
    if is_https && !cfg!(feature = "tls") {
        return None;
    }
    let (rest, _) = url::take_user(&address);
    let user = address.split_once("://")?.1.rsplit_once('@').map_or(String::new(), |(user, _)| format!("{user}@"));
    let host = if host.contains(':') { format!("[{host}]") } else { host.into() };
    let port = url::port(&rest).unwrap_or(if is_https { 443 } else { USUAL_PORT });
    // The proxy looks up the names: ureq does it itself for `socks5`.
    let scheme = url::scheme(&address)?.to_ascii_lowercase();
    let scheme = if scheme == "socks5" { "socks5h" } else { &scheme };
    let proxy = Proxy::new(&format!("{scheme}://{user}{host}:{port}")).ok()?;
    let of_http = matches!(proxy.protocol(), ProxyProtocol::Http | ProxyProtocol::Https);
    (of_http || is_socks(&proxy)).then_some(proxy)
}

/// Whether `proxy` gets a whole request to `address`, and not a tunnel.
pub fn takes_whole(proxy: &Proxy, address: &str) -> bool {
    let of_http = matches!(proxy.protocol(), ProxyProtocol::Http | ProxyProtocol::Https);
    of_http && url::scheme(address).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http"))
}

/// User and password for `proxy`, as the value of a header.
pub fn authorization(proxy: &Proxy) -> Option<String> {
    let (user, password) = (proxy.username()?, proxy.password().unwrap_or(""));
    Some(basic(format!("{user}:{password}").as_bytes()))
}

/// `user:password` as the value of a header (RFC 7617).
pub fn basic(user: &[u8]) -> String {
    format!("Basic {}", to_base64(user))
}

/// Connects to servers and to proxies.
#[derive(Debug)]
pub struct Through {
    /// For the connection to a proxy that takes whole requests.
    pub direct: Config,
    waits: Waits,
    shelf: Shelf,
    #[cfg(feature = "tls")]
    trust: super::trust::Trust,
}

impl Through {
    /// With the configuration `direct` of requests that go through no proxy. `waits` hears when a connection waits.
    /// The `shelf` may have one that can be used again.
    pub fn new(direct: Config, waits: Waits, shelf: Shelf) -> Through {
        Through {
            direct,
            waits,
            shelf,
            #[cfg(feature = "tls")]
            trust: Default::default(),
        }
    }

    /// Connects to a server as the request wants it: secretly, through a tunnel, over SOCKS.
    fn usual(&self, details: &ConnectionDetails) -> Result<Line, Error> {
        let line = self.line(details)?;
        #[cfg(feature = "tls")]
        if details.needs_tls() {
            let again = || self.line(details).map(Line::boxed);
            return self.trust.secure(details, line.boxed(), &again).map(Line::Other);
        }
        Ok(line)
    }

    /// A connection that is not secret.
    fn line(&self, details: &ConnectionDetails) -> Result<Line, Error> {
        match ConnectProxyConnector::default().connect(details, None::<()>)? {
            Some(Either::B(tunnel)) => Ok(Line::Other(tunnel)),
            Some(Either::A(())) | None => {
                let named = details.config.proxy().and_then(socks);
                let socks = outlet::get().proxy.as_ref().or(named.as_ref());
                Ok(Line::Plain(Tcp::connect(details, socks, &self.waits)?))
            }
        }
    }

    /// A new connection for a request.
    fn open(&self, details: &ConnectionDetails) -> Result<Line, Error> {
        let proxy = details.config.proxy().filter(|proxy| takes_whole(proxy, &details.uri.to_string()));
        let (Some(proxy), Some(server)) = (proxy, details.uri.authority()) else {
            return self.usual(details);
        };
        let addrs = details.resolver.resolve(proxy.uri(), &self.direct, details.timeout)?;
        let to_proxy = ConnectionDetails { uri: proxy.uri(), addrs, ..with_config(details, &self.direct) };
        let inner = self.usual(&to_proxy)?.boxed();
        Ok(Line::Other(Box::new(Whole { inner, front: format!("http://{server}"), is_begun: false })))
    }
}

/// The proxy over SOCKS that the environment names, if it is one.
fn socks(proxy: &Proxy) -> Option<outlet::Proxy> {
    let bytes = |text: Option<&str>| text.unwrap_or_default().as_bytes().to_vec();
    let user = proxy.username().map(|user| (user.as_bytes().to_vec(), bytes(proxy.password())));
    is_socks(proxy).then(|| outlet::Proxy::new(proxy.host().trim_matches(['[', ']']), proxy.port(), user))
}

/// What the proxy is called in errors. (The errors of SOCKS name it already.)
pub fn blamed(proxy: &Proxy) -> String {
    if is_socks(proxy) { String::new() } else { format!("the proxy {}: ", proxy.host()) }
}

fn is_socks(proxy: &Proxy) -> bool {
    matches!(proxy.protocol(), ProxyProtocol::Socks5 | ProxyProtocol::Socks5h)
}

impl Connector<()> for Through {
    type Out = Lent;

    fn connect(&self, details: &ConnectionDetails, _: Option<()>) -> Result<Option<Lent>, Error> {
        let server = Server::new(details.uri, details.config.proxy().is_some());
        let line = match self.shelf.kept(&server, details.config.max_idle_age()) {
            Some(line) => line,
            None => self.open(details)?,
        };
        Ok(Some(self.shelf.lend(server, line)))
    }
}

/// A connection to a proxy, which puts scheme and host into the first line of each request.
#[derive(Debug)]
struct Whole {
    inner: Box<dyn Transport>,
    /// What is put there.
    front: String,
    /// It is there: the rest of the request follows, and then the answer.
    is_begun: bool,
}

impl Transport for Whole {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        const METHOD: usize = "GET ".len();
        if std::mem::replace(&mut self.is_begun, true) {
            return self.inner.transmit_output(amount, timeout);
        }
        let front = &self.front;
        let longer = amount + front.len();
        let output = self.inner.buffers().output();
        if longer > output.len() || amount < METHOD {
            return Err(std::io::Error::other("the URL is too long for a proxy").into());
        }
        output.copy_within(METHOD..amount, METHOD + front.len());
        output[METHOD..][..front.len()].copy_from_slice(front.as_bytes());
        self.inner.transmit_output(longer, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.is_begun = false;
        self.inner.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

#[cfg(test)]
mod tests;
