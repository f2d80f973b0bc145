//! The connections of HTTP requests, over the [`outlet`].
//!
//! Floor 3. ureq would open sockets of its own.

use crate::sys::outlet::{self, Proxy, Target};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{RecvAncillaryBuffer, RecvFlags, recv, recvmsg};
use std::io::{self, IoSliceMut, Write};
use std::net::TcpStream;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use ureq::config::Config;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, LazyBuffers, NextTimeout, ShutdownHandle, Transport};
use ureq::{Error, Timeout};

/// A connection to a server or to a proxy.
pub struct Tcp {
    stream: Arc<TcpStream>,
    buffers: LazyBuffers,
    waits: Waits,
}

/// What is done each time before a thread waits for a server.
#[derive(Clone, Default)]
pub struct Waits(Option<Arc<dyn Fn() + Send + Sync>>);

impl Waits {
    /// `before` is done.
    pub fn new(before: impl Fn() + Send + Sync + 'static) -> Waits {
        Waits(Some(Arc::new(before)))
    }

    /// The thread is going to wait.
    pub fn begin(&self) {
        self.0.iter().for_each(|before| before());
    }
}

impl std::fmt::Debug for Waits {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("Waits")
    }
}

impl std::fmt::Debug for Tcp {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        self.stream.fmt(f)
    }
}

impl Tcp {
    /// Connects to the host of a request, or through `socks`.
    pub fn connect(details: &ConnectionDetails, socks: Option<&Proxy>, waits: &Waits) -> Result<Tcp, Error> {
        let within = details.timeout.not_zero().map_or(super::CONNECT_TIMEOUT, |within| *within);
        let connected = match socks {
            Some(proxy) => through(details, proxy, within),
            None => directly(details, within),
        };
        let stream = connected.map_err(|error| failed(error, details.timeout.reason))?;
        stream.set_nodelay(true)?;
        let stream = Arc::new(stream);
        // An agent that is shut down ends its connections.
        let handle: Weak<dyn ShutdownHandle> = Arc::<TcpStream>::downgrade(&stream);
        (details.register_shutdown)(handle)?;
        let (input, output) = (details.config.input_buffer_size(), details.config.output_buffer_size());
        Ok(Tcp { stream, buffers: LazyBuffers::new(input, output), waits: waits.clone() })
    }

    /// Reads from the socket into `buffers`, past those for ureq; 0 bytes at the end.
    pub fn read(&mut self, buffers: &mut [IoSliceMut], within: Duration) -> Result<usize, Error> {
        receive(&self.stream, &self.waits, buffers, Some(within)).map_err(|error| failed(error, Timeout::PerRead))
    }
}

/// Reads what has come, or waits for it.
fn receive(
    stream: &TcpStream,
    waits: &Waits,
    buffers: &mut [IoSliceMut],
    within: Option<Duration>,
) -> io::Result<usize> {
    let mut read = |flags| recvmsg(stream, buffers, &mut RecvAncillaryBuffer::default(), flags);
    let mut got = read(RecvFlags::DONTWAIT);
    if matches!(got, Err(Errno::AGAIN)) {
        waits.begin();
        stream.set_read_timeout(within)?;
        got = retry_on_intr(|| read(RecvFlags::empty()));
    }
    Ok(got?.bytes)
}

/// Asks a proxy for a connection to the host. It looks up the name, unless that was done already.
fn through(details: &ConnectionDetails, proxy: &Proxy, within: Duration) -> io::Result<TcpStream> {
    let looked_up = details.config.proxy().is_some_and(|proxy| proxy.resolve_target());
    let target = match details.addrs.first().filter(|_| looked_up) {
        Some(addr) => Target::Addr(*addr),
        None => {
            let host = details.uri.host().unwrap_or_default().trim_matches(['[', ']']);
            let usual_port = if details.needs_tls() { 443 } else { 80 };
            Target::Host(host, details.uri.port_u16().unwrap_or(usual_port))
        }
    };
    outlet::get().dial(proxy, target, within)
}

/// Connects to one address of the host after the other. Each but the last gets half of the time that is left.
fn directly(details: &ConnectionDetails, within: Duration) -> io::Result<TcpStream> {
    let (end, outlet) = (Instant::now() + within, outlet::get());
    let mut failure = io::Error::from(io::ErrorKind::NotFound);
    for (at, addr) in details.addrs.iter().enumerate() {
        let left = end.saturating_duration_since(Instant::now());
        let share = if at + 1 < details.addrs.len() { left / 2 } else { left };
        if share.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        match outlet.stream(*addr).and_then(|stream| outlet.connect(&stream, *addr, share).map(|()| stream)) {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// `details` with another configuration.
pub fn with_config<'a>(details: &'a ConnectionDetails, config: &'a Config) -> ConnectionDetails<'a> {
    ConnectionDetails {
        uri: details.uri,
        addrs: details.addrs.clone(),
        config,
        request_level: details.request_level,
        resolver: details.resolver,
        now: details.now,
        timeout: details.timeout,
        current_time: details.current_time.clone(),
        run_connector: details.run_connector.clone(),
        register_shutdown: details.register_shutdown.clone(),
    }
}

impl Transport for Tcp {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let timeout = timeout.for_write();
        self.stream.set_write_timeout(left(timeout)?)?;
        let output = &self.buffers.output()[..amount];
        (&*self.stream).write_all(output).map_err(|error| failed(error, timeout.reason))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let timeout = timeout.for_read();
        let buffer = self.buffers.input_append_buf();
        let got = receive(&self.stream, &self.waits, &mut [IoSliceMut::new(buffer)], left(timeout)?);
        let amount = got.map_err(|error| failed(error, timeout.reason))?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        // Between two requests, the server has nothing to say.
        let peeked = recv(&self.stream, &mut [0u8; 1][..], RecvFlags::PEEK | RecvFlags::DONTWAIT);
        peeked.is_err_and(|error| error == Errno::AGAIN)
    }
}

/// The time that is left; `None`: any.
fn left(timeout: NextTimeout) -> Result<Option<Duration>, Error> {
    if timeout.after.is_zero() {
        return Err(Error::Timeout(timeout.reason));
    }
    Ok(timeout.not_zero().map(|left| *left))
}

fn failed(error: io::Error, reason: Timeout) -> Error {
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Error::Timeout(reason),
        _ => Error::Io(error),
    }
}
