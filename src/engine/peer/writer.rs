//! A peer's writer thread: sends what the manager orders, and reads the blocks that it uploads from disk.
//!
//! Floor 3. It blocks on its channel, its socket and its torrent's disk, so a slow line or disk delays only this peer.
//! It ends when the manager drops the other end of the channel, or when the socket fails; then it shuts down the
//! socket, which ends the reader too.

use super::around::{STACK_BYTES, Surroundings, WRITE_TIMEOUT};
use super::link::Link;
use crate::engine::input::Input;
use crate::proto::peer::message::{BlockSpec, Message, emit_piece_header};
use crate::storage::content::Content;
use crate::storage::error::ContentError;
use crate::swarm::event::{DiskEvent, Event, PeerEvent, PeerOrder};
use crate::swarm::peer::PeerKey;
use crate::sys::send::{send_all, send_from_file};
use core::net::SocketAddr;
use crossbeam_channel::Receiver;
use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// Bytes that are gathered before they are sent: a few blocks per system call, and little enough for hundreds of peers.
const GATHER_BYTES: usize = 64 * 1024;

/// How long sending the gathered bytes may take if the first write does not take them all: a modem of 1998 needs half
/// of that.
const FLUSH_DEADLINE: Duration = WRITE_TIMEOUT;

/// Starts the writer of a peer, and returns the manager's side of the connection. `answered`: our handshake is sent.
pub fn start(
    around: &Surroundings,
    peer: PeerKey,
    addr: SocketAddr,
    socket: Arc<TcpStream>,
    content: Arc<Content>,
    answered: bool,
) -> io::Result<Link> {
    let (sender, orders) = crossbeam_channel::unbounded();
    let link = Link { addr, socket: Arc::clone(&socket), orders: sender, waiting: Arc::default() };
    let waiting = Arc::clone(&link.waiting);
    let (around, out) = (around.clone(), Vec::new());
    let writer = Writer { around, peer, addr, socket, waiting, content, answered, out, uploaded: 0 };
    thread::Builder::new().name("writer".into()).stack_size(STACK_BYTES).spawn(move || writer.run(&orders))?;
    Ok(link)
}

struct Writer {
    around: Surroundings,
    peer: PeerKey,
    addr: SocketAddr,
    socket: Arc<TcpStream>,
    /// How many orders are not carried out yet.
    waiting: Arc<AtomicUsize>,
    content: Arc<Content>,
    /// Our handshake is sent.
    answered: bool,
    /// Bytes to be sent.
    out: Vec<u8>,
    /// How many of these are content.
    uploaded: u64,
}

impl Writer {
    fn run(mut self, orders: &Receiver<Vec<PeerOrder>>) {
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

    fn obey(&mut self, batch: Vec<PeerOrder>) -> io::Result<()> {
        for order in batch {
            match order {
                PeerOrder::Handshake if self.answered => {}
                PeerOrder::Handshake => {
                    self.out.extend(self.around.handshake(self.content.metainfo.info_hash));
                }
                PeerOrder::Message(message) => message.emit(&mut self.out),
                PeerOrder::Haves(pieces) => {
                    pieces.into_iter().for_each(|piece| Message::Have(piece).emit(&mut self.out));
                }
                PeerOrder::Upload(block) => self.upload(block)?,
            }
            if self.out.len() >= GATHER_BYTES || self.uploaded >= GATHER_BYTES as u64 {
                self.flush()?;
            }
        }
        self.flush()
    }

    /// Sends a block after its header. If the block cannot be read, the connection ends, because the peer would wait
    /// for it.
    fn upload(&mut self, block: BlockSpec) -> io::Result<()> {
        let length = block.length as usize;
        let offset = self.content.piece_offset(block.piece) + block.begin as u64;
        if let Err(error) = self.content.verify(block.piece) {
            // The trusted content is corrupt: none of it is uploaded.
            let words = io::Error::other(error.to_string());
            self.tell(DiskEvent::Failed { problem: error.into() });
            return Err(words);
        }
        self.content.look_if_due(offset, length as u64).map_err(|error| self.cannot_serve(block, error))?;
        emit_piece_header(&block, &mut self.out);
        let mut sent = 0;
        if let Some((file, at)) = self.content.one_file(offset, length as u64) {
            send_all(&self.socket, &self.out, true, FLUSH_DEADLINE)?;
            self.out.clear();
            sent = send_from_file(&self.socket, &file, at, length, FLUSH_DEADLINE)?;
        }
        if sent < length {
            let start = self.out.len();
            self.out.resize(start + length - sent, 0);
            let done = self.content.read(offset + sent as u64, &mut self.out[start..]);
            done.map_err(|error| self.cannot_serve(block, error))?;
        }
        self.uploaded += length as u64;
        Ok(())
    }

    /// Reports what this error means for the content.
    fn cannot_serve(&self, block: BlockSpec, error: ContentError) -> io::Error {
        log::warn!("{error}");
        if error.tells_of_a_change() || self.content.duty.only_serves() {
            self.tell(DiskEvent::Doubted { text: error.to_string() });
        } else if error.tells_of_a_loss() {
            self.tell(DiskEvent::Unreadable { piece: block.piece });
        }
        io::Error::other(error)
    }

    fn tell(&self, event: DiskEvent) {
        let _ = self.around.manager.send(Input::Torrent { torrent: self.content.torrent, event: Event::Disk(event) });
    }

    fn flush(&mut self) -> io::Result<()> {
        send_all(&self.socket, &self.out, false, FLUSH_DEADLINE)?;
        self.out.clear();
        if self.uploaded > 0 {
            let (peer, bytes) = (self.peer, std::mem::take(&mut self.uploaded));
            let _ = self.around.manager.send(Input::Peer { peer, events: vec![PeerEvent::Uploaded { bytes }] });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testkit::{PATIENCE, open, socket_pair, surroundings, torrent};
    use core::num::NonZeroU32;
    use std::fs::File;
    use std::io::Read;
    use std::time::SystemTime;

    /// Its size may be the same and its bytes different: none of it is uploaded, and the manager has everything checked
    /// again.
    #[test]
    fn a_file_that_another_program_changed_is_not_served() {
        let dir = tempfile::tempdir().unwrap();
        let (metainfo, bytes) = torrent(3000, &[], 1000, &[]);
        let path = dir.path().join("whole");
        std::fs::write(&path, &bytes).unwrap();
        let mut content = open(&metainfo, dir.path(), false);
        content.size_on_disk(0).unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        Arc::get_mut(&mut content).unwrap().known.wait_a_minute();
        let (around, inbox) = surroundings(1);
        let (mut near, far) = socket_pair();
        let addr = near.local_addr().unwrap();
        let link = start(&around, PeerKey(NonZeroU32::MIN), addr, Arc::new(far), content, true).unwrap();
        assert!(link.give(vec![PeerOrder::Upload(BlockSpec { piece: 1, begin: 0, length: 1000 })]));
        let Input::Torrent { event: Event::Disk(DiskEvent::Doubted { text }), .. } =
            inbox.recv_timeout(PATIENCE).unwrap()
        else {
            panic!("something else is told")
        };
        assert!(text.ends_with("another program changed it"), "{text}");
        let mut served = Vec::new();
        near.read_to_end(&mut served).unwrap();
        assert_eq!(served, []);
    }
}
