//! One HTTP connection: requests in, answers out, and never a wait.
//!
//! Floor 3. RFC 9112 with keep-alive and pipelining. The head of a request must be complete within [`DEADLINE`] after
//! the connection was accepted or the last answer was sent. A body that the service wants must not pause for as long.
//! Nothing is read while an answer can't be sent. A connection takes the memory of one request, of the answers that fit
//! [`MOST_OUTPUT`], and of one more answer.

use super::answer::{Answer, Body};
use super::bodies::{Arriving, Bodies, Taken};
use super::promise::{Awaited, Promise, Waker};
use super::request;
use super::request::{MOST_BYTES, Parsed, Request, Wrong};
use super::service::{Reply, Service};
use core::net::SocketAddr;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Longest time for a request to arrive, and for an answer of which the other side takes nothing.
const DEADLINE: Duration = Duration::from_secs(5);
/// Longest time that a connection may spend taking files.
const MOST_TIME: Duration = Duration::from_secs(600);
/// Bytes of answers that may wait to be sent before the next request is parsed.
const MOST_OUTPUT: usize = 16 << 10;
/// Bytes of a file that are in memory.
const FILE_BYTES: usize = 64 << 10;
/// Longest time for a body to arrive.
const BODY_TIME: Duration = Duration::from_secs(300);
/// A body must come at this rate on average, in bytes a second, not counting the first [`DEADLINE`]. A slower one only
/// holds memory that others need. (The slowest lines that people have carry some 30 kB/s.)
const LEAST_RATE: u32 = 4 << 10;
/// Longest time between the moment in which an answer that was held back is due, and the moment in which its worker
/// looks for it.
const SLACK: Duration = Duration::from_secs(1);
/// Longest time for an answer that was promised. (A web server may have to be asked first.)
const PROMISE_TIME: Duration = Duration::from_secs(180);
/// A body of at most this length, in bytes, that nobody wants is read and dropped. After a longer one the connection
/// ends.
const MOST_DROPPED: u64 = 1 << 20;

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    /// Bytes to read.
    Read,
    /// Room to write.
    Write,
    /// An answer from another thread.
    Answer,
    /// Nothing: the connection is over.
    Over,
}

/// The body of an answer that is not copied into the output.
enum Rest {
    Bytes(Vec<u8>, Option<Taken>),
    /// So many bytes of a file.
    File(File, u64),
}

/// A connection.
pub struct Connection {
    /// Its socket, which never blocks.
    pub socket: TcpStream,
    /// What it waits for now.
    pub waits: Waits,
    from: SocketAddr,
    input: Vec<u8>,
    output: Vec<u8>,
    sent: usize,
    /// What is sent after the output.
    rest: Option<Rest>,
    /// The memory that was taken for the answer in the output.
    taken: Option<Taken>,
    /// The body that is arriving, because it was asked for.
    body: Option<Arriving>,
    /// Bytes of that body that have come.
    arrived: u32,
    /// Bytes of a body that nobody wants, which are still to come.
    dropped: u64,
    /// The answer that comes later, whether the connection stays open then, and whether only its head is sent.
    awaited: Option<(Awaited, bool, bool)>,
    waker: Arc<Waker>,
    bodies: Bodies,
    /// No further request is answered.
    last: bool,
    /// What still arrives is read and dropped.
    drain: bool,
    began: Instant,
    /// When the connection is closed, whatever it waits for.
    deadline: Instant,
}

impl Connection {
    /// A connection that was just accepted from `from`.
    pub fn new(socket: TcpStream, from: SocketAddr, now: Instant, waker: &Arc<Waker>, bodies: &Bodies) -> Connection {
        Connection {
            socket,
            waits: Waits::Read,
            from: SocketAddr::new(from.ip().to_canonical(), from.port()),
            input: Vec::new(),
            output: Vec::new(),
            sent: 0,
            rest: None,
            taken: None,
            body: None,
            arrived: 0,
            dropped: 0,
            awaited: None,
            waker: Arc::clone(waker),
            bodies: bodies.clone(),
            last: false,
            drain: false,
            began: now,
            deadline: now + DEADLINE,
        }
    }

    /// Whether its time is up.
    pub fn is_late(&self, now: Instant) -> bool {
        let too_long = self.waits == Waits::Write && now.saturating_duration_since(self.began) > MOST_TIME;
        now >= self.deadline || too_long
    }

    /// When its time is up. The connection that has waited longest has the earliest deadline.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The socket is ready: reads once, answers complete requests, and writes as much as the socket takes.
    pub fn ready(&mut self, service: &Service, now: Instant) -> Waits {
        self.waits = self.go_on(service, now);
        self.waits
    }

    fn go_on(&mut self, service: &Service, now: Instant) -> Waits {
        if self.waits == Waits::Read && !self.read(now) {
            return Waits::Over;
        }
        loop {
            if let Some((awaited, keep_alive, head)) = &mut self.awaited {
                let (keep_alive, head) = (*keep_alive, *head);
                let Some(answer) = awaited.take(now) else { return Waits::Answer };
                self.awaited = None;
                self.put(answer, keep_alive, head);
                self.deadline = now + DEADLINE;
            }
            match self.write(now) {
                Waits::Read => {}
                other => return other,
            }
            if self.last && !self.drain {
                return Waits::Over;
            }
            if self.last {
                // The rest of a request that is too long is read and dropped. If the connection were closed at once,
                // the other side, which is still sending, would lose the answer.
                let _ = self.socket.shutdown(Shutdown::Write);
                self.input.clear();
                return Waits::Read;
            }
            self.answer(service, now);
            if self.output.is_empty() && self.awaited.is_none() {
                return Waits::Read;
            }
        }
    }

    /// Answers the complete requests of the input, as many as the output has room for.
    fn answer(&mut self, service: &Service, now: Instant) {
        let mut input = std::mem::take(&mut self.input);
        let mut answered = 0;
        while self.output.len() < MOST_OUTPUT && self.rest.is_none() && !self.last && self.awaited.is_none() {
            match self.body.as_mut().map(|body| body.gather(&mut input, answered)) {
                None | Some(Ok(true)) => {}
                Some(Ok(false)) => break,
                Some(Err(status)) => {
                    self.body = None;
                    self.put(Answer::words(status, status), false, false);
                    self.drain = true;
                    break;
                }
            }
            let rest = &input[answered..];
            match request::parse(rest, self.bodies.longest()) {
                Parsed::Whole(request, head) => match self.answer_one(service, now, request, head, rest) {
                    Some(length) => answered += length,
                    // Its body comes now, or is there already.
                    None => continue,
                },
                Parsed::Partial => break,
                Parsed::Wrong(status) => {
                    let wrong = Wrong { line: request::first_line(rest), status };
                    let answer = match service(Err(wrong), self.from) {
                        Reply::Now(answer) | Reply::Slow(answer, _) => answer,
                        Reply::Body | Reply::Later(_) => Answer::words(status, status),
                    };
                    self.put(answer, false, false);
                    self.drain = true;
                }
            }
        }
        self.input = input;
        self.input.drain(..answered);
        if self.body.is_none() {
            // The memory of a long body is given back.
            self.input.shrink_to(MOST_BYTES);
        }
    }

    /// Answers a request whose head has this length. Returns how many bytes of `input` are done with; `None`: its body
    /// has to come first.
    fn answer_one(
        &mut self,
        service: &Service,
        now: Instant,
        request: Request,
        head: usize,
        input: &[u8],
    ) -> Option<usize> {
        // It fits the memory, because bodies have a limit.
        let end = head + request.length as usize;
        let arrived = self.body.take();
        let body = arrived.as_ref().map(|body| body.whole(input, head));
        let mut request = request;
        request.body = body;
        let mut reply = service(Ok(&request), self.from);
        if let (Reply::Body, None) = (&reply, request.body) {
            if request.is_chunked || input.len() < end {
                self.body = Some(match request.is_chunked {
                    true => Arriving::in_chunks(&self.bodies, head),
                    false => Arriving::of_length(&self.bodies, end),
                });
                (self.began, self.arrived) = (now, 0);
                self.deadline = now + DEADLINE;
                let waits = request.header("expect").is_some_and(|value| value.eq_ignore_ascii_case(b"100-continue"));
                if waits {
                    self.output.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
                }
                return None;
            }
            // A short body often comes together with its head. Then it needs no more memory.
            request.body = input.get(head..end);
            reply = service(Ok(&request), self.from);
        }
        let done = if request.body.is_some() { end } else { end.min(input.len()) };
        let (mut keep_alive, is_head) = (request.keep_alive, request.method == "HEAD");
        self.dropped = (end - done) as u64;
        let is_refused = request.is_chunked && request.body.is_none();
        if self.dropped > MOST_DROPPED || is_refused || !keep_alive && self.dropped > 0 {
            // What is still sent must be read, or the answer would be lost.
            (keep_alive, self.drain, self.dropped) = (false, true, 0);
        }
        let (awaited, time) = match reply {
            Reply::Now(answer) => {
                self.put(answer, keep_alive, is_head);
                self.deadline = now + DEADLINE;
                return Some(done);
            }
            // If there are too many connections, the one with the earliest deadline is closed. So wrong passwords do
            // not push out the others.
            Reply::Slow(answer, pause) => (Awaited::Until(now + pause, Some(answer)), pause + SLACK),
            Reply::Later(start) => {
                let (promise, awaited) = Promise::new(&self.waker, arrived.map(Arriving::into_taken));
                start(promise);
                (awaited, PROMISE_TIME)
            }
            // The service wants a body that it has got.
            Reply::Body => (Awaited::Until(now, Some(Answer::words("500 Internal Server Error", "no answer"))), SLACK),
        };
        self.awaited = Some((awaited, keep_alive, is_head));
        self.deadline = now + time;
        Some(done)
    }

    /// Reads what has arrived. Returns `false` if the connection is over.
    fn read(&mut self, now: Instant) -> bool {
        let mut buffer = [0; MOST_BYTES];
        // There is always room, because a request that fills the input was refused.
        let most = self.body.as_ref().map_or(MOST_BYTES, Arriving::most_input);
        let room = most.saturating_sub(self.input.len()).clamp(1, MOST_BYTES);
        match self.socket.read(&mut buffer[..room]) {
            Ok(0) => false,
            Ok(count) => {
                let dropped = self.dropped.min(count as u64);
                self.dropped -= dropped;
                if !self.last {
                    self.input.extend_from_slice(&buffer[dropped as usize..count]);
                }
                if self.body.is_some() {
                    self.arrived = self.arrived.saturating_add(count as u32);
                    let at_least = self.began + DEADLINE + Duration::from_secs(1) * self.arrived / LEAST_RATE;
                    self.deadline = (now + DEADLINE).min(self.began + BODY_TIME).min(at_least);
                }
                true
            }
            Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
        }
    }

    /// Writes the output and the rest. Returns [`Waits::Read`] if nothing is left.
    fn write(&mut self, now: Instant) -> Waits {
        loop {
            if self.sent == self.output.len() {
                self.output.clear();
                // The memory of a long answer is given back.
                self.output.shrink_to(2 * FILE_BYTES);
                (self.sent, self.taken) = (0, None);
                match self.next_of_rest() {
                    Some(true) => {}
                    Some(false) => return Waits::Over,
                    None => return Waits::Read,
                }
            }
            match self.socket.write(&self.output[self.sent..]) {
                Ok(count) => {
                    self.sent += count;
                    self.deadline = now + DEADLINE;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Waits::Write,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Waits::Over,
            }
        }
    }

    /// Puts what comes next into the output. Returns `None` if nothing comes, `false` if the file has become shorter.
    fn next_of_rest(&mut self) -> Option<bool> {
        match self.rest.take()? {
            Rest::Bytes(bytes, taken) => {
                (self.output, self.taken) = (bytes, taken);
                Some(true)
            }
            Rest::File(_, 0) => None,
            Rest::File(file, left) => {
                let part = left.min(FILE_BYTES as u64);
                let count = (&file).take(part).read_to_end(&mut self.output).unwrap_or(0);
                self.rest = Some(Rest::File(file, left - count as u64));
                Some(count > 0)
            }
        }
    }

    /// Adds an answer to the output; only its head if `head` is set. An answer with the status 304 has no body, but the
    /// length of the one that was left out (RFC 9110, section 8.6).
    fn put(&mut self, answer: Answer, keep_alive: bool, head: bool) {
        let head = head || answer.status_code() == 304;
        let length = answer.length();
        let Answer { status, kind, headers, body, taken } = answer;
        let connection = if keep_alive { "keep-alive" } else { "close" };
        // Writing to a vector can't fail.
        let _ = write!(
            self.output,
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: {connection}\r\n{headers}\r\n"
        );
        match body {
            _ if head => {}
            Body::Bytes(bytes) if bytes.len() <= MOST_OUTPUT => self.output.extend_from_slice(&bytes),
            Body::Bytes(bytes) => self.rest = Some(Rest::Bytes(bytes, taken)),
            Body::File(file, length) => self.rest = Some(Rest::File(file, length)),
        }
        self.last = !keep_alive;
    }
}
