//! A peer's writer thread: sends what the manager orders, and reads the blocks it uploads from disk itself.
//!
//! Floor 3. It blocks on its channel and on its socket, so a slow line or a slow disk holds up this peer alone. It ends
//! when the manager drops the channel's other end, or when the socket fails; then it shuts the socket, which ends the
//! reader too.

use super::content::Content;
use super::input::Input;
use super::link::{Link, Order};
use super::reader::{STACK_BYTES, Surroundings, WRITE_TIMEOUT, our_handshake};
use crate::proto::message::{BlockSpec, emit_piece_header};
use crate::swarm::event::Event;
use crate::swarm::peer::PeerKey;
use core::net::SocketAddr;
use crossbeam_channel::Receiver;
use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes gathered before they are sent: a few blocks a system call, and little enough for hundreds of peers.
const GATHER_BYTES: usize = 64 * 1024;

/// How long sending what was gathered may take after the first write did not take it all: a modem of 1998 needs half of
/// that.
const FLUSH_DEADLINE: Duration = WRITE_TIMEOUT;

/// Starts the writer of a peer, and gives the manager's end of the connection.
pub fn start(
    around: &Surroundings,
    peer: PeerKey,
    addr: SocketAddr,
    socket: Arc<TcpStream>,
    content: Arc<Content>,
) -> io::Result<Link> {
    let (sender, orders) = crossbeam_channel::unbounded();
    let link = Link { addr, socket: Arc::clone(&socket), orders: sender, waiting: Arc::default() };
    let waiting = Arc::clone(&link.waiting);
    let writer = Writer { around: around.clone(), peer, addr, socket, waiting, content, out: Vec::new(), uploaded: 0 };
    thread::Builder::new().name("writer".into()).stack_size(STACK_BYTES).spawn(move || writer.run(&orders))?;
    Ok(link)
}

struct Writer {
    around: Surroundings,
    peer: PeerKey,
    addr: SocketAddr,
    socket: Arc<TcpStream>,
    /// Orders not carried out.
    waiting: Arc<AtomicUsize>,
    content: Arc<Content>,
    /// Bytes to be sent.
    out: Vec<u8>,
    /// How many of them are content.
    uploaded: u64,
}

impl Writer {
    fn run(mut self, orders: &Receiver<Vec<Order>>) {
        while let Ok(batch) = orders.recv() {
            let count = batch.len();
            if let Err(error) = self.obey(batch) {
                log::debug!("{}: can't send: {error}", self.addr);
                let _ = self.socket.shutdown(Shutdown::Both);
                return;
            }
            self.waiting.fetch_sub(count, Ordering::Relaxed);
        }
    }

    fn obey(&mut self, batch: Vec<Order>) -> io::Result<()> {
        for order in batch {
            match order {
                Order::Handshake => {
                    self.out.extend(our_handshake(&self.around, self.content.metainfo.info_hash));
                }
                Order::Message(message) => message.emit(&mut self.out),
                Order::Upload(block) => self.append_block(block)?,
            }
            if self.out.len() >= GATHER_BYTES {
                self.flush()?;
            }
        }
        self.flush()
    }

    /// Reads a block from disk behind its head. A block that can't be read ends the connection: its peer would wait.
    fn append_block(&mut self, block: BlockSpec) -> io::Result<()> {
        emit_piece_header(&block, &mut self.out);
        let start = self.out.len();
        self.out.resize(start + block.length as usize, 0);
        let offset = self.content.piece_offset(block.piece) + block.begin as u64;
        if let Err(error) = self.content.prove(block.piece) {
            // What was trusted is wrong: nobody gets any of it.
            let words = io::Error::other(error.to_string());
            let _ = self.around.manager.send(Input::DiskFailed { torrent: self.content.torrent, error });
            return Err(words);
        }
        if let Err(error) = self.content.serve(offset, &mut self.out[start..]) {
            log::warn!("{error}");
            let event = match () {
                () if error.tells_of_a_change() || self.content.duty.only_serves() => {
                    Some(Event::Doubted { text: error.to_string() })
                }
                () if error.tells_of_a_loss() => Some(Event::Lost { piece: block.piece }),
                () => None,
            };
            if let Some(event) = event {
                let _ = self.around.manager.send(Input::Torrent { torrent: self.content.torrent, event });
            }
            return Err(io::Error::other(error));
        }
        self.uploaded += block.length as u64;
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        send_all(&self.socket, &self.out, FLUSH_DEADLINE)?;
        self.out.clear();
        if self.uploaded > 0 {
            let (peer, bytes) = (self.peer, std::mem::take(&mut self.uploaded));
            let _ = self.around.manager.send(Input::Peer { peer, events: vec![Event::Uploaded { peer, bytes }] });
        }
        Ok(())
    }
}

/// Sends all of `bytes` within `deadline`. One write of the system ends after the socket's timeout at the latest, but a
/// peer that reads a byte a minute would have us begin another one again and again.
fn send_all(mut socket: &TcpStream, bytes: &[u8], deadline: Duration) -> io::Result<()> {
    // All at once, as a rule: then nobody looks at the clock.
    let mut sent = socket.write(bytes)?;
    let end = Instant::now() + deadline;
    while sent < bytes.len() {
        if Instant::now() >= end {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "it reads too slowly"));
        }
        match socket.write(&bytes[sent..]) {
            Ok(count) => sent += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testkit::{PATIENCE, socket_pair};
    use super::*;
    use std::io::Read;

    #[test]
    fn a_peer_that_reads_a_few_bytes_at_a_time_does_not_hold_its_thread_for_ever() {
        let (mut near, far) = socket_pair();
        far.set_write_timeout(Some(Duration::from_millis(700))).unwrap();
        let reader = thread::spawn(move || {
            // Enough at a time that each write of the other end moves something.
            let mut buffer = vec![0; 64 * 1024];
            while near.read(&mut buffer).is_ok_and(|count| count > 0) {
                thread::sleep(Duration::from_millis(5));
            }
        });
        let begun = Instant::now();
        let error = send_all(&far, &vec![0; 1 << 28], Duration::from_secs(1)).unwrap_err();
        assert!(begun.elapsed() < PATIENCE);
        assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{error}");
        far.shutdown(Shutdown::Both).unwrap();
        reader.join().unwrap();
    }
}
