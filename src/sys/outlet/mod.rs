//! The way out: the sockets through which the process talks to others are opened here.
//!
//! Floor 3. The way out belongs to the process, like its current folder, and is chosen once, at the start. So no part
//! of the program can forget it, and `tests/architecture` sees to it that nothing else opens sockets.
//!
//! `--bind` confines the process to one address or one interface. Then each socket is
//! [bound to the interface](confine), so that the kernel lets nothing leave by another one, even if the address goes
//! away. Name lookups are not bound, because the C library's resolver makes them.
//!
//! With `--proxy` each connection leads through a [proxy](socks), which also looks up the names. What it can't carry
//! does not leave: packets of UDP. Nobody can connect to us, so we do not listen.

mod confine;
pub mod listen;
mod multicast;
pub mod socks;
mod udp;

pub use self::socks::{Proxy, Target};
pub use self::udp::Udp;
use super::interfaces::{self, FAR_V6};
use super::lookup;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use rustix::io::Errno;
use rustix::net::sockopt::{set_ipv6_v6only, set_socket_reuseaddr};
use rustix::net::{self, AddressFamily, SocketFlags, SocketType};
use std::fmt;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

/// Stack of a thread that waits for a lookup.
const STACK_BYTES: usize = 64 * 1024;

static OUTLET: OnceLock<Outlet> = OnceLock::new();

/// How the process talks to others. By default it uses all interfaces.
#[derive(Debug, Default)]
pub struct Outlet {
    /// The only address or interface to use.
    pub bound: Option<Bound>,
    /// The proxy through which everything leads.
    pub proxy: Option<Proxy>,
}

/// What the process is bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bound {
    /// One address of this machine, and the interface that has it.
    Address(IpAddr),
    /// All addresses of the interface with this name.
    Interface(String),
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Bound::Address(ip) => ip.fmt(f),
            Bound::Interface(name) => name.fmt(f),
        }
    }
}

/// Chooses the way out of this process, before anything is sent. Returns whether it is in force: it is not if another
/// one was used already.
#[must_use]
pub fn choose(outlet: Outlet) -> bool {
    OUTLET.set(outlet).is_ok()
}

/// The way out of this process.
pub fn get() -> &'static Outlet {
    OUTLET.get_or_init(Outlet::default)
}

impl Bound {
    /// The number of the interface that is up now. An error says what is missing.
    pub fn interface(&self) -> io::Result<u32> {
        let missing = |what: String| io::Error::new(io::ErrorKind::AddrNotAvailable, what);
        match self {
            Bound::Address(ip) => interfaces::with_address(*ip)?
                .ok_or_else(|| missing(format!("no interface that is up has {ip} (--bind)"))),
            Bound::Interface(name) => match interfaces::with_name(name)? {
                Some(interface) if interfaces::is_up(interface)? => Ok(interface),
                Some(_) => Err(missing(format!("the interface {name} (--bind) is down"))),
                None => Err(missing(format!("there is no interface {name} (--bind)"))),
            },
        }
    }

    /// The address that sockets get, if it is of this family; any for an interface.
    fn source(&self, is_v6: bool) -> io::Result<IpAddr> {
        match self {
            Bound::Address(ip) if ip.is_ipv6() == is_v6 => Ok(*ip),
            Bound::Address(ip) => {
                let family = if is_v6 { "IPv6" } else { "IPv4" };
                Err(io::Error::new(io::ErrorKind::AddrNotAvailable, format!("no {family} leaves from {ip} (--bind)")))
            }
            Bound::Interface(_) => Ok(any(is_v6)),
        }
    }
}

impl Outlet {
    /// Whether packets of a family of addresses may leave.
    pub fn has(&self, is_v6: bool) -> bool {
        self.bound.as_ref().is_none_or(|bound| bound.source(is_v6).is_ok())
    }

    /// Whether everything leads through a proxy. Then there is no UDP, and nobody can connect to us.
    pub fn is_proxied(&self) -> bool {
        self.proxy.is_some()
    }

    /// Whether what we are bound to is there. If not, not even a name may be looked up, because that would leave by
    /// another way.
    pub fn is_there(&self) -> io::Result<()> {
        self.bound.as_ref().map_or(Ok(()), |bound| bound.interface().map(drop))
    }

    /// The addresses of hosts (name and port). Those that only the proxy may look up are left out, and all names if
    /// what we are bound to is away.
    pub fn look_up(&self, mut hosts: Vec<(String, u16)>) -> Vec<SocketAddr> {
        if self.is_proxied() || self.is_there().is_err() {
            hosts.retain(|(host, _)| host.parse::<IpAddr>().is_ok());
        }
        lookup::look_up(hosts)
    }

    /// Looks up hosts in a thread of its own, because that takes time, and gives `found` their addresses. It takes as
    /// many at a time as can be looked up at once.
    pub fn look_up_aside(
        &'static self,
        hosts: Vec<(String, u16)>,
        found: impl Fn(Vec<SocketAddr>) + Send + 'static,
    ) -> io::Result<()> {
        let run = move || hosts.chunks(lookup::MOST_HOSTS).for_each(|some| found(self.look_up(some.to_vec())));
        thread::Builder::new().name("lookup".into()).stack_size(STACK_BYTES).spawn(run).map(drop)
    }

    /// A TCP socket through which `to` may be reached. It is not connected yet.
    pub fn stream(&self, to: SocketAddr) -> io::Result<TcpStream> {
        match &self.proxy {
            Some(proxy) => self.stream_to(proxy.addr(self)?),
            None => self.stream_to(to),
        }
    }

    /// Connects a [`stream`](Outlet::stream) to `to`, within a time. The timeouts of the stream are changed.
    pub fn connect(&self, stream: &TcpStream, to: SocketAddr, within: Duration) -> io::Result<()> {
        match &self.proxy {
            Some(proxy) => proxy.connect(stream, Target::Addr(to), self, within),
            None => self.connect_directly(stream, to, within),
        }
    }

    /// A connection to `target` through a proxy, within a time.
    pub fn dial(&self, proxy: &Proxy, target: Target, within: Duration) -> io::Result<TcpStream> {
        let stream = self.stream_to(proxy.addr(self)?)?;
        proxy.connect(&stream, target, self, within)?;
        Ok(stream)
    }

    fn stream_to(&self, to: SocketAddr) -> io::Result<TcpStream> {
        let socket = self.open(to.is_ipv6(), SocketType::STREAM)?;
        if let Some(bound) = self.bound.as_ref().filter(|bound| matches!(bound, Bound::Address(_))) {
            net::bind(&socket, &self.written(SocketAddr::new(bound.source(to.is_ipv6())?, 0)))?;
        }
        Ok(TcpStream::from(socket))
    }

    fn connect_directly(&self, stream: &TcpStream, to: SocketAddr, within: Duration) -> io::Result<()> {
        // Linux uses the write timeout for connecting too, and reports EINPROGRESS when it expires.
        stream.set_write_timeout(Some(within))?;
        net::connect(stream, &self.written(to)).map_err(|error| match error {
            Errno::INPROGRESS | Errno::AGAIN => io::ErrorKind::TimedOut.into(),
            error => error.into(),
        })
    }

    /// A UDP socket on `port`; 0: the system chooses. Reading from it does not wait.
    pub fn udp(&self, is_v6: bool, port: u16) -> io::Result<Udp> {
        self.udp_at(SocketAddr::new(self.from(is_v6)?, port))
    }

    /// The same with this address of ours, which must be one that may be used.
    pub fn udp_at(&self, from: SocketAddr) -> io::Result<Udp> {
        self.carries_udp()?;
        let is_v6 = from.is_ipv6();
        if let Some(Bound::Address(ip)) = self.bound.as_ref().filter(|bound| **bound != Bound::Address(from.ip())) {
            return Err(io::Error::new(
                io::ErrorKind::AddrNotAvailable,
                format!("nothing leaves but from {ip} (--bind)"),
            ));
        }
        let socket = self.open(is_v6, SocketType::DGRAM)?;
        rustix::io::ioctl_fionbio(&socket, true)?;
        net::bind(&socket, &self.written(from))?;
        Ok(Udp::new(socket.into(), is_v6, self.is_mapped(is_v6)))
    }

    /// A UDP socket for each address family, both on `port`; 0: the system chooses. A family that this machine does not
    /// have, or that must not leave, is left out.
    pub fn udp_pair(&self, port: u16) -> io::Result<Vec<Udp>> {
        let v4 = self.udp(false, port);
        let port = v4.as_ref().ok().and_then(|socket| socket.port().ok()).unwrap_or(port);
        match (v4, self.udp(true, port)) {
            (Ok(v4), Ok(v6)) => Ok(vec![v4, v6]),
            (Ok(one), Err(_)) | (Err(_), Ok(one)) => Ok(vec![one]),
            (Err(error), Err(_)) => Err(error),
        }
    }

    /// Whether the kernel has a route to the Internet with IPv6.
    pub fn has_route_v6(&self) -> bool {
        self.udp(true, 0).is_ok_and(|socket| socket.connect(FAR_V6).is_ok())
    }

    /// TCP sockets that listen on `port`, and their port. Port 0: the system chooses. With a proxy there are none.
    pub fn listen(&self, port: u16) -> io::Result<(Vec<TcpListener>, u16)> {
        if self.is_proxied() {
            return Ok((Vec::new(), port));
        }
        let Some(bound) = &self.bound else { return listen::tcp(port) };
        // At the unspecified IPv6 address it also hears IPv4.
        let from = match bound {
            Bound::Address(ip) => *ip,
            Bound::Interface(_) => any(true),
        };
        let socket = self.open(from.is_ipv6(), SocketType::STREAM)?;
        set_ipv6_v6only(&socket, false)?;
        set_socket_reuseaddr(&socket, true)?;
        net::bind(&socket, &self.written(SocketAddr::new(from, port)))?;
        net::listen(&socket, listen::BACKLOG)?;
        let listener = TcpListener::from(socket);
        let port = listener.local_addr()?.port();
        Ok((vec![listener], port))
    }

    fn carries_udp(&self) -> io::Result<()> {
        let refused = || io::Error::new(io::ErrorKind::Unsupported, "the proxy (--proxy) carries no UDP");
        if self.is_proxied() { Err(refused()) } else { Ok(()) }
    }

    /// The address that sockets of a family get.
    fn from(&self, is_v6: bool) -> io::Result<IpAddr> {
        self.bound.as_ref().map_or(Ok(any(is_v6)), |bound| bound.source(is_v6))
    }

    /// A new socket of a family, confined as far as that is wanted.
    fn open(&self, is_v6: bool, kind: SocketType) -> io::Result<OwnedFd> {
        let interface = match &self.bound {
            Some(bound) => Some(bound.source(is_v6).and_then(|_| bound.interface())?),
            None => None,
        };
        let is_ipv6_socket = is_v6 || interface.is_some();
        let family = if is_ipv6_socket { AddressFamily::INET6 } else { AddressFamily::INET };
        let socket = net::socket_with(family, kind, SocketFlags::CLOEXEC, None).map_err(|error| match error {
            Errno::AFNOSUPPORT if !is_v6 && is_ipv6_socket => io::Error::other("--bind needs a kernel that has IPv6"),
            error => error.into(),
        })?;
        if is_ipv6_socket {
            set_ipv6_v6only(&socket, is_v6)?;
        }
        if let Some(interface) = interface {
            confine::confine(&socket, interface)?;
        }
        Ok(socket)
    }

    /// Whether the sockets for a family write IPv4 addresses as IPv6 ones.
    fn is_mapped(&self, is_v6: bool) -> bool {
        !is_v6 && self.bound.is_some()
    }

    /// `addr` as the sockets for its family write it.
    fn written(&self, addr: SocketAddr) -> SocketAddr {
        if self.is_mapped(addr.is_ipv6()) { udp::mapped(addr) } else { addr }
    }
}

/// The unspecified address of a family.
fn any(is_v6: bool) -> IpAddr {
    if is_v6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() }
}

#[cfg(test)]
mod tests;
