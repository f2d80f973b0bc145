//! What happens to the peers if the description says that the torrent is private (BEP 27).
//!
//! A part of [`Learning`]. The machine keeps its peers while the content is checked, which may take an hour. Once it
//! knows that the torrent is private, it drops the peers that may be strangers, and no longer exchanges the
//! description.

use super::{Learning, send};
use crate::proto::peer::extended::{ExtendedHandshake, Extension, Offers};
use crate::proto::peer::message::Message;
use crate::swarm::meeting::source::{Asked, Source};
use crate::swarm::peer::PeerKey;
use crate::swarm::shared::Turn;

impl Learning {
    /// The torrent is private: drops the peers and addresses that may be strangers.
    pub fn becomes_private(&mut self, turn: &mut Turn) {
        self.is_private = true;
        self.kept_back.clear();
        // If the torrent was announced in the local network or the DHT, peers that connected to us may come from there.
        // Those to which a tracker named us will connect again.
        let announced = self.meeting.asked_locally || self.meeting.dht != Asked::Not;
        let is_stranger = |source: Source| !source.is_for_private() || announced && source == Source::Incoming;
        let candidates = &self.meeting.candidates;
        for guest in self.guests.values_mut().filter(|guest| guest.identity.outgoing) {
            if candidates.is_known(guest.identity.addr) {
                // A tracker may have named the peer since it connected.
                guest.source = candidates.source(guest.identity.addr);
            }
        }
        let strangers = self.guests.values().filter(|guest| is_stranger(guest.source));
        let strangers: Vec<PeerKey> = strangers.map(|guest| guest.key).collect();
        for key in strangers {
            self.close(key, "the torrent is private, and none of its trackers named this peer", turn);
        }
        self.meeting.candidates.keep(|source| !is_stranger(source));
        for guest in self.guests.values_mut().filter(|guest| guest.reserved.extension()) {
            // We offered the metadata extension before we knew that the torrent is private.
            let less = ExtendedHandshake::withdrawing(Extension::Metadata, Offers::default());
            send(guest, Message::Extended(less.message()), turn);
        }
    }
}
