//! One HTTP connection: requests in, answers out, and never a wait.
//!
//! Floor 3. RFC 9112 with keep-alive and pipelining. A request must be complete within [`DEADLINE`] after the
//! connection was accepted or the last answer was sent. Nothing is read while an answer can't be sent. A connection
//! takes the memory of one request, of the answers that fit [`MOST_OUTPUT`], and of one more answer.

use super::answer::{Answer, Body, Service};
use super::request;
use super::request::{MOST_BYTES, Parsed, Wrong};
use core::net::SocketAddr;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

/// Longest time for a request to arrive, and for an answer of which the other side takes nothing.
const DEADLINE: Duration = Duration::from_secs(5);
/// Longest time that a connection may spend taking files.
const MOST_TIME: Duration = Duration::from_secs(600);
/// Bytes of answers that may wait to be sent before the next request is parsed.
const MOST_OUTPUT: usize = 16 << 10;
/// Bytes of a file that are in memory.
const FILE_BYTES: usize = 64 << 10;

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    /// Bytes to read.
    Read,
    /// Room to write.
    Write,
    /// Nothing: the connection is over.
    Over,
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
    /// The file that is sent after the output, and how many bytes of it.
    file: Option<(File, u64)>,
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
    pub fn new(socket: TcpStream, from: SocketAddr, now: Instant) -> Connection {
        Connection {
            socket,
            waits: Waits::Read,
            from: SocketAddr::new(from.ip().to_canonical(), from.port()),
            input: Vec::new(),
            output: Vec::new(),
            sent: 0,
            file: None,
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
        if self.waits == Waits::Read && !self.read() {
            return Waits::Over;
        }
        loop {
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
            if self.output.is_empty() {
                return Waits::Read;
            }
        }
    }

    /// Answers the complete requests of the input, as many as the output has room for.
    fn answer(&mut self, service: &Service, now: Instant) {
        let mut answered = 0;
        while self.output.len() < MOST_OUTPUT && self.file.is_none() && !self.last {
            match request::parse(&self.input[answered..]) {
                Parsed::Whole(request, length) => {
                    let answer = service(Ok(&request), self.from);
                    let (keep_alive, head) = (request.keep_alive, request.head);
                    self.put(answer, keep_alive, head);
                    answered += length;
                    self.deadline = now + DEADLINE;
                }
                Parsed::Partial => break,
                Parsed::Wrong(status) => {
                    let line = request::first_line(&self.input[answered..]);
                    let answer = service(Err(Wrong { line, status }), self.from);
                    self.put(answer, false, false);
                    self.drain = true;
                }
            }
        }
        self.input.drain(..answered);
    }

    /// Reads what has arrived. Returns `false` if the connection is over.
    fn read(&mut self) -> bool {
        let mut buffer = [0; MOST_BYTES];
        // There is always room, because a request that fills the input was refused.
        let room = MOST_BYTES.saturating_sub(self.input.len()).max(1);
        match self.socket.read(&mut buffer[..room]) {
            Ok(0) => false,
            Ok(count) => {
                if !self.last {
                    self.input.extend_from_slice(&buffer[..count]);
                }
                true
            }
            Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
        }
    }

    /// Writes the output and the file. Returns [`Waits::Read`] if nothing is left.
    fn write(&mut self, now: Instant) -> Waits {
        loop {
            if self.sent == self.output.len() {
                self.output.clear();
                self.sent = 0;
                match self.next_of_file() {
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

    /// Reads the next bytes of the file. Returns `None` if there is no file, `false` if it has become shorter.
    fn next_of_file(&mut self) -> Option<bool> {
        let (file, left) = self.file.as_mut().filter(|(_, left)| *left > 0)?;
        let count = file.take((*left).min(FILE_BYTES as u64)).read_to_end(&mut self.output).unwrap_or(0);
        *left -= count as u64;
        if *left == 0 {
            self.file = None;
        }
        Some(count > 0)
    }

    /// Adds an answer to the output; only its head if `head` is set.
    fn put(&mut self, answer: Answer, keep_alive: bool, head: bool) {
        let length = answer.length();
        let Answer { status, kind, headers, body } = answer;
        let connection = if keep_alive { "keep-alive" } else { "close" };
        // Writing to a vector can't fail.
        let _ = write!(
            self.output,
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: {connection}\r\n{headers}\r\n"
        );
        match body {
            _ if head => {}
            Body::Bytes(bytes) => self.output.extend_from_slice(&bytes),
            Body::File(file, length) => self.file = Some((file, length)),
        }
        self.last = !keep_alive;
    }
}
