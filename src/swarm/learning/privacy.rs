//! What becomes of the peers if the description says that the torrent is private (BEP 27).
//!
//! A part of [`Learning`]. While the content is checked, which may take an hour, the machine has the peers still. From
//! now on only those count that the trackers named, and nothing is offered, sent or read that a private torrent has no
//! use for.

use super::{Learning, send};
use crate::proto::peer::extended::{ExtendedHandshake, Extension, Offers};
use crate::proto::peer::message::Message;
use crate::swarm::meeting::source::Source;
use crate::swarm::peer::PeerKey;
use crate::swarm::shared::Turn;

impl Learning {
    /// The torrent is private. It lets go of all that its trackers did not name.
    pub fn becomes_private(&mut self, turn: &mut Turn) {
        self.is_private = true;
        self.kept_back.clear();
        // If it was announced in the local network, those that connected to us may come from there. Peers that a tracker
        // named will come again.
        let asked_locally = self.meeting.asked_locally;
        let is_stranger = |source: Source| !source.is_for_private() || asked_locally && source == Source::Incoming;
        let candidates = &self.meeting.candidates;
        for guest in self.guests.values_mut().filter(|guest| guest.identity.outgoing) {
            if candidates.is_known(guest.identity.addr) {
                // A tracker may have named it since.
                guest.source = candidates.source(guest.identity.addr);
            }
        }
        let strangers = self.guests.values().filter(|guest| is_stranger(guest.source));
        let strangers: Vec<PeerKey> = strangers.map(|guest| guest.key).collect();
        for key in strangers {
            self.close(key, "the torrent is private, and no tracker of it named this peer", turn);
        }
        self.meeting.candidates.keep(|source| !is_stranger(source));
        for guest in self.guests.values_mut().filter(|guest| guest.reserved.extension()) {
            // It was offered before we knew.
            let less = ExtendedHandshake::withdrawing(Extension::Metadata, Offers::default());
            send(guest, Message::Extended(less.message()), turn);
        }
    }
}
