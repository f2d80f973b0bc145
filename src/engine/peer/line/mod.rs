//! A connection after its handshake: bytes go in and come out, however they travel.
//!
//! Floor 3. A peer's threads know nothing else of the connection. Another way for bytes to travel is another variant.
//! The reader alone reads. Only one thread at a time sends: the [`outbox`](super::outbox) takes care of that.

mod encrypted;

use self::encrypted::Encrypted;
use crate::proto::peer::mse::rc4::Rc4;
use crate::sys::send::{send_all, send_from_file, send_now};
use rustix::io::Errno;
use rustix::net::sockopt::socket_recv_buffer_size;
use rustix::net::{RecvAncillaryBuffer, RecvFlags, recvmsg};
use std::fs::File;
use std::io::{self, IoSliceMut};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// A connection.
pub enum Line {
    /// Plain TCP. The kernel puts what came where it belongs, and sends from files without a copy.
    Plain(Arc<TcpStream>),
    /// RC4 over TCP (MSE). (In a box, because it is large and rare.)
    Rc4(Box<Encrypted>),
}

impl Line {
    /// The same connection, encrypted from now on. The ciphers are for what comes and for what is sent.
    pub fn encrypt(self, ciphers: (Rc4, Rc4)) -> Line {
        Line::Rc4(Box::new(Encrypted::new(Arc::clone(self.socket()), ciphers)))
    }

    fn socket(&self) -> &Arc<TcpStream> {
        match self {
            Line::Plain(socket) => socket,
            Line::Rc4(encrypted) => &encrypted.socket,
        }
    }

    /// Reads what has come, one buffer after the other; 0 bytes at the end. If nothing has come, it fails with
    /// `EAGAIN`, at once or, if it `may_wait`, after the timeout.
    pub fn read(&self, buffers: &mut [IoSliceMut], may_wait: bool) -> Result<usize, Errno> {
        let flags = if may_wait { RecvFlags::empty() } else { RecvFlags::DONTWAIT };
        let count = recvmsg(&**self.socket(), buffers, &mut RecvAncillaryBuffer::default(), flags)?.bytes;
        if let Line::Rc4(encrypted) = self {
            encrypted.decrypt(buffers, count);
        }
        Ok(count)
    }

    /// Sends what the connection takes at once of `head` and then `body`, and returns how many bytes that is.
    pub fn send_now(&self, head: &[u8], body: &[u8]) -> io::Result<usize> {
        match self {
            Line::Plain(socket) => send_now(socket, head, body),
            Line::Rc4(encrypted) => encrypted.send_now(head, body),
        }
    }

    /// Sends all of `bytes` within `deadline`. With `more`, they may be sent together with what follows. Afterwards the
    /// contents of `bytes` are unspecified, because they may be encrypted where they are.
    pub fn send_all(&self, bytes: &mut [u8], more: bool, deadline: Duration) -> io::Result<()> {
        match self {
            Line::Plain(socket) => send_all(socket, bytes, more, deadline),
            Line::Rc4(encrypted) => encrypted.send_all(bytes, more, deadline),
        }
    }

    /// Whether bytes can be sent from a file without being read. They can't if they have to be encrypted.
    pub fn sends_files(&self) -> bool {
        matches!(self, Line::Plain(_))
    }

    /// Sends `length` bytes of `file` from `offset` on, within `deadline`. Returns how many were sent. The others can't
    /// be sent this way; see [`sends_files`](Line::sends_files).
    pub fn send_file(&self, file: &File, offset: u64, length: usize, deadline: Duration) -> io::Result<usize> {
        match self {
            Line::Plain(socket) => send_from_file(socket, file, offset, length, deadline),
            Line::Rc4(_) => Ok(0),
        }
    }

    /// How long a read may wait.
    pub fn set_read_timeout(&self, most: Duration) -> io::Result<()> {
        self.socket().set_read_timeout(Some(most))
    }

    /// How long sending may wait.
    pub fn set_write_timeout(&self, most: Duration) -> io::Result<()> {
        self.socket().set_write_timeout(Some(most))
    }

    /// Short messages are sent at once from now on.
    pub fn set_prompt(&self) -> io::Result<()> {
        self.socket().set_nodelay(true)
    }

    /// How many bytes the kernel keeps until they are read, about.
    pub fn read_buffer(&self) -> u64 {
        socket_recv_buffer_size(&**self.socket()).unwrap_or(0) as u64
    }

    /// Ends the connection. Threads that wait for it wake up.
    pub fn shut(&self) {
        // An error means that it is closed already.
        let _ = self.socket().shutdown(Shutdown::Both);
    }
}

#[cfg(test)]
mod tests;
