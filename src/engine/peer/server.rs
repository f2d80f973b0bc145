//! Reads the blocks from disk that a peer is sent, and says what it means if that fails.
//!
//! Floor 3. The peer's reader and its writer share it. The reader sends the blocks of a peer that requests a few at a
//! time. The writer sends the others, which takes less time for each, because it hands pages of the file to the socket.

use super::around::Surroundings;
use super::directory::Listed;
use super::outbox::Outbox;
use crate::engine::input::Input;
use crate::engine::trace::peers as trace;
use crate::proto::peer::extended::{Extension, Ids};
use crate::proto::peer::message::{BlockSpec, Message, emit_piece_header};
use crate::proto::peer::metadata::{self, Metadata};
use crate::storage::content::Content;
use crate::storage::error::ContentError;
use crate::swarm::event::{DiskEvent, Event, PeerEvent};
use crate::swarm::giving::grant::Telling;
use crate::swarm::peer::PeerKey;
use crate::sys::trace::Way;
use std::io;
use std::sync::Arc;

/// With more requests than this the writer serves a peer.
const FEW: usize = 4;

/// What is needed to serve one peer.
pub struct Server {
    /// What all peers' threads share.
    pub around: Surroundings,
    /// The peer.
    pub peer: PeerKey,
    /// Its torrent.
    pub listed: Listed,
    /// What is to be sent to it.
    pub outbox: Arc<Outbox>,
}

impl Server {
    /// The number of pieces, if it is known by now.
    pub fn pieces(&self) -> Option<u32> {
        self.listed.content().map(|content| content.metainfo.piece_count())
    }

    /// The content. (Nothing is served before it is known, because no grant covers it.)
    pub fn content(&self) -> io::Result<&Content> {
        self.listed.content().ok_or_else(|| io::Error::other("the content is not known yet"))
    }

    /// Answers the requests that a grant covers, as long as the socket takes the blocks without a wait.
    pub fn answer(&self) -> io::Result<()> {
        let mut header = Vec::new();
        while let Some(block) = self.outbox.next_for_reader(FEW) {
            let mut bytes = self.around.blocks.take(block.length as usize);
            let offset = self.look(block)?;
            self.read(block, offset, &mut bytes)?;
            header.clear();
            emit_piece_header(&block, &mut header);
            self.outbox.send_block(block, &header, &bytes);
            self.around.blocks.give(bytes);
        }
        self.report();
        Ok(())
    }

    /// Tells the manager what happened under the grant, unless that can wait.
    pub fn report(&self) {
        let peer = self.peer;
        // The manager is gone only when the process ends.
        let _ = match self.outbox.telling() {
            Telling::Nothing => Ok(()),
            Telling::Soon => self.around.manager.send(Input::Serving(peer)),
            Telling::Now(report) => {
                self.around.manager.send(Input::Peer { peer, events: vec![PeerEvent::Served(report)] })
            }
        };
    }

    /// Looks whether a block may be served, and returns where it is in the content. If it may not, the connection ends,
    /// because the peer would wait for the block.
    pub fn look(&self, block: BlockSpec) -> io::Result<u64> {
        let content = self.content()?;
        if let Err(error) = content.verify(block.piece) {
            // The trusted content is corrupt: none of it is uploaded.
            let words = io::Error::other(error.to_string());
            self.tell(Event::Disk(DiskEvent::Failed { problem: error.into() }));
            return Err(words);
        }
        log::trace!("{} < {block}", self.outbox.addr);
        let offset = content.piece_offset(block.piece) + block.begin as u64;
        content.look_if_due(offset, block.length as u64).map_err(|error| self.cannot_serve(block, error))?;
        Ok(offset)
    }

    /// Reads bytes of a block that begin at `offset`.
    pub fn read(&self, block: BlockSpec, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.content()?.read(offset, bytes).map_err(|error| self.cannot_serve(block, error))
    }

    /// The message with block `piece` of the description, for a peer that gave the ids `ids`; a reject if the block
    /// can't be read.
    pub fn describe(&self, piece: u32, ids: Ids) -> Vec<u8> {
        if !metadata::IS_BUILT_IN {
            return Vec::new();
        }
        let content = self.listed.content();
        let read = content.and_then(|content| Some((content.description.as_ref()?, &content.metainfo.info_hash)));
        let payload = read.and_then(|(description, info_hash)| {
            let mut payload = metadata::data_head(piece, description.size());
            match description.read(info_hash, piece, &mut payload) {
                Ok(()) => Some(payload),
                Err(unread) => {
                    log::warn!("can't give a torrent's description to peers: {}", unread.why);
                    if unread.is_gone {
                        self.tell(Event::DescriptionGone);
                    }
                    None
                }
            }
        });
        let payload = payload.unwrap_or_else(|| Metadata::Reject { piece }.emit());
        let mut message = Vec::new();
        if let Some(extended) = ids.message(Extension::Metadata, payload) {
            let extended = Message::Extended(extended);
            trace::message(Way::Out, self.outbox.addr, &extended);
            extended.emit(&mut message);
        }
        message
    }

    /// Reports what this error means for the content.
    fn cannot_serve(&self, block: BlockSpec, error: ContentError) -> io::Error {
        log::warn!("{error}");
        let only_serves = self.listed.content().is_some_and(|content| content.duty.only_serves());
        if error.tells_of_a_change() || only_serves {
            self.tell(Event::Disk(DiskEvent::Doubted { text: error.to_string() }));
        } else if error.tells_of_a_loss() {
            self.tell(Event::Disk(DiskEvent::Unreadable { piece: block.piece }));
        }
        io::Error::other(error)
    }

    fn tell(&self, event: Event) {
        let _ = self.around.manager.send(Input::Torrent { torrent: self.listed.torrent(), event });
    }
}
