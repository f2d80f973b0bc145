//! One connection of a browser or BitTorrent program to the tracker: bytes in, answers out, and never a wait.
//!
//! Floor 3. RFC 9112 with keep-alive and pipelining. A request has [`DEADLINE`] to be whole from when the connection came
//! or the last answer went; nothing is read while an answer can't go out; memory is bounded by a request, the answers
//! that fit [`MOST_OUTPUT`], and one more.

use super::answers::{self, Answer, Body};
use super::request::{self, MOST_BYTES, Parsed};
use crate::tracker::shared::Shared;
use core::net::SocketAddr;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

/// How long a request may take, and an answer that does not move.
const DEADLINE: Duration = Duration::from_secs(5);
/// How long a whole connection may go on taking files.
const MOST_TIME: Duration = Duration::from_secs(600);
/// Bytes of answers that may wait to go out before the next request is looked at.
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
    /// Nothing: it is over.
    Over,
}

/// The connection.
pub struct Connection {
    /// Its socket; nonblocking.
    pub socket: TcpStream,
    /// What it waits for now.
    pub waits: Waits,
    from: SocketAddr,
    input: Vec<u8>,
    output: Vec<u8>,
    sent: usize,
    /// What follows the output.
    file: Option<(File, u64)>,
    /// No request is answered any more.
    last: bool,
    /// And what still comes is read and dropped.
    drain: bool,
    began: Instant,
    /// When it is closed, whatever it waits for.
    deadline: Instant,
}

impl Connection {
    /// A connection that just came from `from`.
    pub fn new(socket: TcpStream, from: SocketAddr, now: Instant) -> Connection {
        let from = SocketAddr::new(from.ip().to_canonical(), from.port());
        let (input, output) = (Vec::new(), Vec::new());
        let (began, deadline) = (now, now + DEADLINE);
        Connection {
            socket,
            waits: Waits::Read,
            from,
            input,
            output,
            sent: 0,
            file: None,
            last: false,
            drain: false,
            began,
            deadline,
        }
    }

    /// Whether its time is up.
    pub fn is_late(&self, now: Instant) -> bool {
        let too_long = self.waits == Waits::Write && now.saturating_duration_since(self.began) > MOST_TIME;
        now >= self.deadline || too_long
    }

    /// How long it has been waiting, for comparison.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Its socket is ready: reads once, answers what is there, writes what goes.
    pub fn ready(&mut self, shared: &Shared, now: Instant) -> Waits {
        self.waits = self.go_on(shared, now);
        self.waits
    }

    fn go_on(&mut self, shared: &Shared, now: Instant) -> Waits {
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
                // The rest of a request that is too long is read and dropped: closing at once would take the answer away
                // from who still sends.
                let _ = self.socket.shutdown(Shutdown::Write);
                self.input.clear();
                return Waits::Read;
            }
            let mut answered = 0;
            while self.output.len() < MOST_OUTPUT && self.file.is_none() && !self.last {
                match request::parse(&self.input[answered..]) {
                    Parsed::Whole(request, length) => {
                        let from = answers::who_asks(shared, &request, self.from);
                        let answer = answers::answer(shared, &request, from.ip());
                        let (keep_alive, head) = (request.keep_alive, request.head);
                        shared.log(from, request.line, answer.status_code(), answer.length(), request.agent);
                        self.put(answer, keep_alive, head);
                        answered += length;
                        self.deadline = now + DEADLINE;
                    }
                    Parsed::Partial => break,
                    Parsed::Wrong(status) => {
                        self.put(Answer::words(status, status), false, false);
                        self.drain = true;
                    }
                }
            }
            self.input.drain(..answered);
            if self.output.is_empty() {
                return Waits::Read;
            }
        }
    }

    /// Takes in what is there; `false`: it is over.
    fn read(&mut self) -> bool {
        let mut buffer = [0; MOST_BYTES];
        // A request that leaves no room was refused.
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

    /// Writes what waits; [`Waits::Read`] when nothing is left.
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

    /// The next bytes of a file; none when there is none, `false` when it has become shorter.
    fn next_of_file(&mut self) -> Option<bool> {
        let (file, left) = self.file.as_mut().filter(|(_, left)| *left > 0)?;
        let count = file.take((*left).min(FILE_BYTES as u64)).read_to_end(&mut self.output).unwrap_or(0);
        *left -= count as u64;
        if *left == 0 {
            self.file = None;
        }
        Some(count > 0)
    }

    fn put(&mut self, answer: Answer, keep_alive: bool, head: bool) {
        let length = answer.length();
        let Answer { status, kind, headers, body } = answer;
        let connection = if keep_alive { "keep-alive" } else { "close" };
        let out = &mut self.output;
        for text in ["HTTP/1.1 ", status, "\r\nContent-Type: ", kind, "\r\nContent-Length: "] {
            out.extend_from_slice(text.as_bytes());
        }
        answers::push_number(out, length as u64);
        for text in ["\r\nConnection: ", connection, "\r\n", &headers, "\r\n"] {
            out.extend_from_slice(text.as_bytes());
        }
        match body {
            _ if head => {}
            Body::Bytes(bytes) => out.extend_from_slice(&bytes),
            Body::File(file, length) => self.file = Some((file, length)),
        }
        self.last = !keep_alive;
    }
}
