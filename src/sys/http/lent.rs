//! Connections that are lent to ureq for a request, and come back for the body of its answer.
//!
//! Floor 3, part of [`http`](super). ureq copies each byte of a body once more, and goes through all of them for its
//! log. That was seen to take 5 to 10 % of the processor time of a download. So ureq makes the request and reads the
//! head of the answer, and a body whose length is known is read here: from the socket into the caller's buffer. The way
//! there: ureq drops a connection when its answer is dropped unread, and then the connection goes onto the [`Shelf`].
//!
//! ```text
//! Shelf --lend--> ureq: request, head --the answer is dropped--> Shelf::body --all of it came--> Shelf
//! ```

use super::tcp::Tcp;
use crate::sys::lock;
use std::io::{self, IoSliceMut, Read};
use std::mem;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};
use ureq::http::{Response, Uri};
use ureq::unversioned::transport::{Buffers, NextTimeout, Transport};
use ureq::{Error, Timeout};

/// A connection, however it was made.
#[derive(Debug)]
pub enum Line {
    /// Straight to a server over TCP, or through a proxy over SOCKS.
    Plain(Tcp),
    /// In TLS, or through a proxy for HTTP.
    Other(Box<dyn Transport>),
}

impl Line {
    /// The connection as ureq knows it.
    pub fn boxed(self) -> Box<dyn Transport> {
        match self {
            Line::Plain(tcp) => Box::new(tcp),
            Line::Other(other) => other,
        }
    }

    fn transport(&mut self) -> &mut dyn Transport {
        match self {
            Line::Plain(tcp) => tcp,
            Line::Other(other) => &mut **other,
        }
    }

    /// Reads what comes next into `buffers`, one after the other, and returns how many bytes that is; 0 at the end. The
    /// server may be silent for the time `within`.
    fn read(&mut self, buffers: &mut [IoSliceMut], within: Duration) -> Result<usize, Error> {
        if self.transport().buffers().input().is_empty() {
            match self {
                Line::Plain(tcp) => return tcp.read(buffers, within),
                Line::Other(other) => {
                    let (reason, per_read, per_write) = (Timeout::PerRead, None, None);
                    other.await_input(NextTimeout { after: within.into(), reason, per_read, per_write })?;
                }
            }
        }
        let from = self.transport().buffers();
        let amount = from.input().read_vectored(buffers)?;
        from.input_consume(amount);
        Ok(amount)
    }

    /// Whether another request can be made over it: the server said nothing that was not asked for.
    fn is_quiet(&mut self) -> bool {
        let transport = self.transport();
        transport.buffers().input().is_empty() && transport.is_open()
    }
}

/// Where the connection of an agent is while ureq does not have it. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Shelf(Arc<Mutex<Places>>);

#[derive(Debug, Default)]
struct Places {
    /// An answer is being dropped: its connection is to come back.
    expects: bool,
    /// The connection that came back.
    back: Option<(Server, Line)>,
    /// The connection that waits for the next request to its server, and since when.
    kept: Option<(Server, Line, Instant)>,
}

/// The server of a connection: the beginning of its URL, and whether a proxy is asked. (An agent has one proxy. A
/// tunnel through it begins with a connection to the proxy itself.)
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server(String, bool);

impl Server {
    /// The server of `uri`.
    pub fn new(uri: &Uri, proxied: bool) -> Server {
        let scheme = uri.scheme_str().unwrap_or_default();
        Server(format!("{scheme}://{}", uri.authority().map_or("", |authority| authority.as_str())), proxied)
    }
}

impl Shelf {
    /// Lends `line`, a connection for requests to `server`, to ureq.
    pub fn lend(&self, server: Server, line: Line) -> Lent {
        Lent { server, line, shelf: Arc::downgrade(&self.0) }
    }

    /// The connection that waits for a request to `server`, unless it is older than `most` or has ended.
    pub fn kept(&self, server: &Server, most: Duration) -> Option<Line> {
        let (kept, mut line, since) = lock(&self.0).kept.take()?;
        (kept == *server && since.elapsed() < most && line.is_quiet()).then_some(line)
    }

    /// Keeps a connection for the next request to `server`, if it can be used again.
    fn keep(&self, server: Server, mut line: Line) {
        if line.is_quiet() {
            let _old = lock(&self.0).kept.replace((server, line, Instant::now()));
            // The old one is dropped when the lock is free: it may contain another one that was lent.
        }
    }

    /// The body of `answer`, which was not read and has `left` bytes. The server may be silent for the time `within`.
    /// If it `stays`, the connection is kept after the last byte.
    pub fn body(&self, answer: Response<ureq::Body>, left: u64, within: Duration, stays: bool) -> Body {
        lock(&self.0).expects = true;
        drop(answer);
        let mut places = lock(&self.0);
        places.expects = false;
        let after = stays.then(|| self.clone());
        Body { from: places.back.take(), left, within, after }
    }
}

/// A connection that ureq uses.
#[derive(Debug)]
pub struct Lent {
    server: Server,
    line: Line,
    /// Weak, because a tunnel on the shelf contains a connection to its proxy, which was lent too.
    shelf: Weak<Mutex<Places>>,
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(shelf) = self.shelf.upgrade() else { return };
        // Connections that are dropped at other times are at their end.
        let mut places = lock(&shelf);
        if mem::take(&mut places.expects) {
            places.back = Some((self.server.clone(), mem::replace(&mut self.line, Line::Other(Box::new(())))));
        }
    }
}

impl Transport for Lent {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.line.transport().buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.line.transport().transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.line.transport().await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.line.transport().is_open()
    }

    fn is_tls(&self) -> bool {
        match &self.line {
            Line::Plain(_) => false,
            Line::Other(other) => other.is_tls(),
        }
    }
}

/// A body of a known length that arrives.
pub struct Body {
    /// The connection that it comes from, unless that has ended.
    from: Option<(Server, Line)>,
    /// Bytes that are still to come.
    left: u64,
    /// How long the server may be silent.
    within: Duration,
    /// Where the connection goes after the last byte; `None`: it is closed.
    after: Option<Shelf>,
}

impl Body {
    /// Reads what comes next into `buffers`, which have room for no more than what is still to come. Returns how many
    /// bytes that is, at least one.
    pub fn read(&mut self, buffers: &mut [IoSliceMut]) -> Result<usize, Error> {
        let ended = || Error::Io(io::ErrorKind::UnexpectedEof.into());
        let (_, line) = self.from.as_mut().ok_or_else(ended)?;
        let amount = match line.read(buffers, self.within) {
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::ConnectionReset => return Err(ended()),
            read => read?,
        };
        self.left = self.left.checked_sub(amount as u64).filter(|_| amount > 0).ok_or_else(ended)?;
        Ok(amount)
    }

    /// Nothing more is read. Returns whether this was all of it: then the connection can be used again.
    pub fn finish(self) -> bool {
        if let (0, Some((server, line)), Some(shelf)) = (self.left, self.from, self.after) {
            shelf.keep(server, line);
        }
        self.left == 0
    }
}
