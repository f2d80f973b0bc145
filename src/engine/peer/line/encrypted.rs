//! RC4 over TCP: each byte is encrypted on its way out and decrypted on its way in.
//!
//! Floor 3, part of [`line`](super). The cipher for what comes is used by the reader alone. The cipher for what is sent
//! has to be in step with the bytes in the socket, in the order in which they are sent. So its lock is held while
//! [`send_now`](Encrypted::send_now) sends, which does not wait. [`send_all`](Encrypted::send_all) may wait, so it
//! encrypts first, and then must send everything: if it can't, the connection is at its end.

use crate::proto::peer::mse::rc4::Rc4;
use crate::sys::{lock, send};
use std::io::{self, IoSliceMut};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// An encrypted connection.
pub struct Encrypted {
    pub(super) socket: Arc<TcpStream>,
    inward: Mutex<Rc4>,
    outward: Mutex<Rc4>,
}

impl Encrypted {
    /// The connection on `socket`, with the ciphers for what comes and for what is sent.
    pub fn new(socket: Arc<TcpStream>, (inward, outward): (Rc4, Rc4)) -> Encrypted {
        Encrypted { socket, inward: Mutex::new(inward), outward: Mutex::new(outward) }
    }

    /// Decrypts the `count` bytes that were read into `buffers`.
    pub fn decrypt(&self, buffers: &mut [IoSliceMut], mut count: usize) {
        let mut inward = lock(&self.inward);
        for buffer in buffers {
            let part = count.min(buffer.len());
            inward.apply(&mut buffer[..part]);
            count -= part;
        }
    }

    /// See [`Line::send_now`](super::Line::send_now). What the socket does not take is encrypted again later, so the
    /// cipher goes back to where the socket stands.
    pub fn send_now(&self, head: &[u8], body: &[u8]) -> io::Result<usize> {
        let mut bytes = [head, body].concat();
        let mut outward = lock(&self.outward);
        let before = outward.clone();
        outward.apply(&mut bytes);
        let sent = send::send_now(&self.socket, &bytes, &[]);
        let taken = *sent.as_ref().unwrap_or(&0);
        if taken < bytes.len() {
            *outward = before;
            outward.skip(taken);
        }
        sent
    }

    /// See [`Line::send_all`](super::Line::send_all).
    pub fn send_all(&self, bytes: &mut [u8], more: bool, deadline: Duration) -> io::Result<()> {
        lock(&self.outward).apply(bytes);
        send::send_all(&self.socket, bytes, more, deadline)
    }
}
