//! A peer's writer thread: sends what its socket does not take at once, and most of the blocks that we upload.
//!
//! Floor 3. It waits for work in the [`outbox`](super::outbox), for its socket, and for the disk that it reads from. So
//! a slow line or disk delays only this peer. It ends with the connection. If the socket fails, it shuts the socket
//! down, which ends the reader too.

use super::around::{STACK_BYTES, WRITE_TIMEOUT};
use super::outbox::Work;
use super::server::Server;
use crate::engine::input::Input;
use crate::engine::trace::peers as trace;
use crate::proto::peer::message::{BlockSpec, emit_piece_header};
use crate::swarm::event::PeerEvent;
use crate::sys::trace::Way;
use crate::sys::trace::speaker::start_thread;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// The manager is told of this many bytes together, because waking it costs as much as a block.
const REPORT_BYTES: u64 = 64 * 1024;

/// How long sending may take if the first write does not take everything. (A modem of 1998 needs 5 s for a block.)
const FLUSH_DEADLINE: Duration = WRITE_TIMEOUT;

/// Starts the writer of a peer.
pub fn start(server: &Arc<Server>) -> io::Result<()> {
    let writer = Writer { server: Arc::clone(server), uploaded: 0 };
    start_thread("writer", STACK_BYTES, move || writer.run())
}

struct Writer {
    server: Arc<Server>,
    /// Bytes of blocks that the manager ordered, and that it does not know to be sent.
    uploaded: u64,
}

impl Writer {
    fn run(mut self) {
        let outbox = Arc::clone(&self.server.outbox);
        while outbox.wait_for_work() {
            while let Some(work) = outbox.next_for_writer() {
                if let Err(error) = self.work(work) {
                    log::debug!("{}: can't send: {error}", outbox.addr);
                    return outbox.close();
                }
            }
            self.report();
        }
    }

    fn work(&mut self, work: Work) -> io::Result<()> {
        match work {
            Work::Bytes(mut bytes) => self.server.outbox.line.send_all(&mut bytes, false, FLUSH_DEADLINE)?,
            Work::Granted(block) => {
                self.upload(block)?;
                self.server.outbox.sent(block.length as u64);
                self.server.report();
            }
            Work::Metadata(piece, ids) => {
                self.server.outbox.line.send_all(&mut self.server.describe(piece, ids), false, FLUSH_DEADLINE)?;
                self.tell(PeerEvent::Described);
            }
            Work::Ordered(block) => {
                self.upload(block)?;
                self.uploaded += block.length as u64;
                if self.uploaded >= REPORT_BYTES {
                    self.report();
                }
            }
        }
        Ok(())
    }

    fn report(&mut self) {
        let bytes = std::mem::take(&mut self.uploaded);
        if bytes > 0 {
            self.tell(PeerEvent::Uploaded { bytes });
        }
    }

    fn tell(&self, event: PeerEvent) {
        let _ = self.server.around.manager.send(Input::Peer { peer: self.server.peer, events: vec![event] });
    }

    /// Sends a block after its header.
    fn upload(&mut self, block: BlockSpec) -> io::Result<()> {
        let offset = self.server.look(block)?;
        let length = block.length as usize;
        let (line, content) = (&self.server.outbox.line, self.server.content()?);
        let mut header = Vec::new();
        emit_piece_header(&block, &mut header);
        line.send_all(&mut header, true, FLUSH_DEADLINE)?;
        trace::piece(Way::Out, self.server.outbox.addr, block);
        let file = if line.sends_files() { content.one_file(offset, length as u64) } else { None };
        let sent = file.map_or(Ok(0), |(file, at)| line.send_file(&file, at, length, FLUSH_DEADLINE))?;
        if sent < length {
            // The block lies in several files, or can't be sent from its file. (A new buffer for each block took 0.4 s
            // more for each GiB.)
            let mut rest = self.server.around.blocks.take(length - sent);
            self.server.read(block, offset + sent as u64, &mut rest)?;
            line.send_all(&mut rest, false, FLUSH_DEADLINE)?;
            self.server.around.blocks.give(rest);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::peer::directory::Listed;
    use crate::engine::peer::line::Line;
    use crate::engine::peer::outbox::Outbox;
    use crate::engine::testkit::{PATIENCE, open, socket_pair, surroundings, torrent};
    use crate::swarm::event::{DiskEvent, Event, PeerOrder};
    use crate::swarm::peer::PeerKey;
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
        let outbox = Arc::new(Outbox::new(addr, Arc::new(Line::Plain(Arc::new(far))), None, true));
        let listed = Listed::Content(content);
        let server = Arc::new(Server { around, peer: PeerKey(NonZeroU32::MIN), listed, outbox });
        start(&server).unwrap();
        assert!(server.outbox.give(vec![PeerOrder::Upload(BlockSpec { piece: 1, begin: 0, length: 1000 })]));
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
