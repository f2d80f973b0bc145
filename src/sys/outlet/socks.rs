//! A SOCKS proxy, through which all connections lead (`--proxy`; RFC 1928, and RFC 1929 for user and password).
//!
//! Floor 3, part of [`outlet`](super).
//!
//! ```text
//! we                                          the proxy
//! 5, number of methods, methods          ->
//!                                        <-   5, method (0: nothing more, 2: user and password, 255: none of them)
//! 1, length, user, length, password      ->                                                 (only after method 2)
//!                                        <-   1, status (0: welcome)
//! 5, 1 (connect), 0, target, port        ->
//!                                        <-   5, status (0: connected), 0, its own address and port
//! ```
//!
//! The target is an address or a name, which the proxy looks up.

use super::Outlet;
use crate::base::url;
use crate::sys::{in_words, lock, lookup};
use core::net::{IpAddr, SocketAddr};
use std::fmt;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The version of the protocol.
const SOCKS: u8 = 5;
/// The version of the login (RFC 1929).
const LOGIN: u8 = 1;
/// Methods of the login.
const NO_LOGIN: u8 = 0;
const USER_AND_PASSWORD: u8 = 2;
/// The port of a proxy whose URL names none (RFC 1928, section 3).
const USUAL_PORT: u16 = 1080;
/// Most bytes of a name, a user or a password, because their lengths have one byte.
const MOST_TEXT: usize = 255;
/// Kinds of addresses.
const V4: u8 = 1;
const NAME: u8 = 3;
const V6: u8 = 4;

/// What `--proxy` expects.
pub const EXPECTED: &str = "expected socks5://HOST:PORT or socks5://USER:PASSWORD@HOST:PORT";

/// The proxy.
pub struct Proxy {
    /// Its host: a name or an address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// User and password; each has at most 255 bytes.
    user: Option<(Vec<u8>, Vec<u8>)>,
    /// Where it is, once its host was looked up.
    addr: Mutex<Option<SocketAddr>>,
}

/// What the proxy is to connect to.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// An address.
    Addr(SocketAddr),
    /// A host's name and a port.
    Host(&'a str, u16),
}

/// Without the password.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.fmt_name(f)
    }
}

/// Host and port.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.fmt_name(f)
    }
}

impl Proxy {
    /// Reads `socks5://[USER:PASSWORD@]HOST[:PORT]`. `socks5h`, which curl has for a proxy that looks up names, is the
    /// same. `None`: it is something else, or user or password are too long.
    pub fn parse(text: &str) -> Option<Proxy> {
        let scheme = url::scheme(text)?.to_ascii_lowercase();
        let (plain, user) = url::take_user(text);
        let is_bare = matches!(url::path_and_query(&plain), "" | "/") && !url::has_wrong_port(&plain);
        if !matches!(scheme.as_str(), "socks5" | "socks5h") || !is_bare {
            return None;
        }
        let (host, port) = (url::host(&plain)?, url::port(&plain).unwrap_or(USUAL_PORT));
        let user = user.map(|user| {
            let at = user.iter().position(|byte| *byte == b':').unwrap_or(user.len());
            (user[..at].to_vec(), user.get(at + 1..).unwrap_or_default().to_vec())
        });
        let fits = user.as_ref().is_none_or(|(user, password)| user.len() <= MOST_TEXT && password.len() <= MOST_TEXT);
        fits.then(|| Proxy::new(host, port, user))
    }

    /// A proxy at a host and a port. User and password must have at most 255 bytes.
    pub fn new(host: &str, port: u16, user: Option<(Vec<u8>, Vec<u8>)>) -> Proxy {
        Proxy { host: host.into(), port, user, addr: Mutex::new(None) }
    }

    fn fmt_name(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }

    /// Where it is. Its own host is looked up here, because nobody else can do that.
    pub(super) fn addr(&self, outlet: &Outlet) -> io::Result<SocketAddr> {
        if let Ok(ip) = self.host.parse::<IpAddr>() {
            return Ok(SocketAddr::new(ip, self.port));
        }
        if let Some(addr) = *lock(&self.addr) {
            return Ok(addr);
        }
        let found = lookup::look_up(vec![(self.host.clone(), self.port)]);
        let addr = found.into_iter().find(|addr| outlet.has(addr.is_ipv6()));
        *lock(&self.addr) = addr;
        addr.ok_or_else(|| self.failed(io::ErrorKind::NotFound, "no such host"))
    }

    /// Asks the proxy for a connection to `target`. The stream is not connected to the proxy yet; afterwards it leads
    /// to the target.
    pub(super) fn connect(
        &self,
        stream: &TcpStream,
        target: Target,
        outlet: &Outlet,
        within: Duration,
    ) -> io::Result<()> {
        let end = Instant::now() + within;
        if let Err(error) = outlet.connect_directly(stream, self.addr(outlet)?, within) {
            // Its host may have moved.
            *lock(&self.addr) = None;
            return Err(self.failed(error.kind(), &in_words(&error)));
        }
        self.talk(stream, target, end).map_err(|error| self.failed(error.kind(), &in_words(&error)))
    }

    fn talk(&self, mut stream: &TcpStream, target: Target, end: Instant) -> io::Result<()> {
        // A proxy may let everybody in.
        let methods = if self.user.is_some() { &[NO_LOGIN, USER_AND_PASSWORD][..] } else { &[NO_LOGIN] };
        stream.write_all(&[&[SOCKS, methods.len() as u8], methods].concat())?;
        let [version, chosen] = hear(stream, end)?;
        match (version, chosen, &self.user) {
            (SOCKS, NO_LOGIN, _) => {}
            (SOCKS, USER_AND_PASSWORD, Some((user, password))) => {
                let lengths = [user, password].map(|text| text.len() as u8);
                stream.write_all(&[&[LOGIN, lengths[0]], &user[..], &[lengths[1]], password].concat())?;
                let [_, status] = hear(stream, end)?;
                if status != 0 {
                    return Err(refused("it does not accept this user and password"));
                }
            }
            (SOCKS, _, None) => return Err(refused("it wants a user and a password")),
            (SOCKS, _, Some(_)) => return Err(refused("it accepts no user and password")),
            _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "it does not speak SOCKS 5")),
        }
        stream.write_all(&request(target)?)?;
        let [_, status, _, kind] = hear(stream, end)?;
        if status != 0 {
            return Err(refused(reason(status)));
        }
        // Its own address is of no use, but it must be read.
        match kind {
            V4 => hear::<6>(stream, end).map(drop),
            V6 => hear::<18>(stream, end).map(drop),
            NAME => {
                let [length] = hear(stream, end)?;
                (0..usize::from(length) + 2).try_for_each(|_| hear::<1>(stream, end).map(drop))
            }
            _ => Err(io::Error::new(io::ErrorKind::InvalidData, "it does not speak SOCKS 5")),
        }
    }

    fn failed(&self, kind: io::ErrorKind, why: &str) -> io::Error {
        io::Error::new(kind, format!("the proxy {self}: {why}"))
    }
}

/// The request for a connection.
fn request(target: Target) -> io::Result<Vec<u8>> {
    let (address, port) = match target {
        Target::Addr(addr) => (in_bytes(addr.ip()), addr.port()),
        Target::Host(host, port) => match host.parse() {
            Ok(ip) => (in_bytes(ip), port),
            Err(_) if host.len() <= MOST_TEXT => ([&[NAME, host.len() as u8], host.as_bytes()].concat(), port),
            Err(_) => return Err(io::Error::new(io::ErrorKind::InvalidInput, "the host's name is too long")),
        },
    };
    Ok([&[SOCKS, 1, 0], &address[..], &port.to_be_bytes()].concat())
}

/// An address, after its kind.
fn in_bytes(ip: IpAddr) -> Vec<u8> {
    match ip.to_canonical() {
        IpAddr::V4(ip) => [&[V4], &ip.octets()[..]].concat(),
        IpAddr::V6(ip) => [&[V6], &ip.octets()[..]].concat(),
    }
}

fn refused(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionRefused, why)
}

/// Why it did not connect (RFC 1928, section 6).
fn reason(status: u8) -> &'static str {
    match status {
        2 => "its rules do not allow this connection",
        3 => "it can't reach that network",
        4 => "it can't reach that host",
        5 => "that host refused the connection",
        6 => "that host did not answer in time",
        7 => "it makes no connections",
        8 => "it does not know this kind of address",
        _ => "it failed to connect",
    }
}

/// Reads `N` bytes, which must come before `end`.
fn hear<const N: usize>(mut stream: &TcpStream, end: Instant) -> io::Result<[u8; N]> {
    let (mut bytes, mut filled) = ([0; N], 0);
    while filled < N {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut bytes[filled..]) {
            Ok(0) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it closed the connection")),
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(io::ErrorKind::TimedOut.into()),
            Err(error) => return Err(error),
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
