//! Which peers are connected, and what they say about themselves.
//!
//! A part of [`Learning`]. A peer that has the description is worth a place. A peer that lacks it may get it, or may be
//! useful when the download begins.

use super::{Guest, Learning, Of, send};
use crate::base::time::{Time, sooner};
use crate::proto::krpc;
use crate::proto::peer::extended::{Extended, ExtendedHandshake, Extension, Incoming, Offers};
use crate::proto::peer::handshake::Reserved;
use crate::proto::peer::message::Message;
use crate::proto::peer::metadata::Metadata;
use crate::proto::peer::mse::Cover;
use crate::proto::portmap::Transport;
use crate::swarm::event::{Action, PeerOrder};
use crate::swarm::meeting::crowd::{Crowd, keeps_new};
use crate::swarm::meeting::introduction::introduction;
use crate::swarm::peer::{Identity, PeerKey};
use crate::swarm::shared::{Shared, Turn};
use core::net::SocketAddr;

/// The most bytes that are kept of what all peers say about pieces: as much as fifty peers of a torrent with 300,000
/// pieces say.
pub(super) const MOST_EARLY: usize = 2 << 20;
/// The bytes that are always kept of what the peers of a torrent say, however much those of other torrents said: the
/// longest bitfield.
const ALWAYS_EARLY: usize = 256 << 10;
/// How often a peer may name a new size: once when it has learned the size itself, and a few mistakes.
const MOST_CLAIMS: u32 = 4;
/// A peer that sends more pointless messages than this is disconnected. The limit is that for unrequested blocks of
/// content.
pub(super) const MOST_UNASKED: u32 = 64;
/// The most rejects that a peer gets because we lack the description ...
pub(super) const MOST_REJECTS: u32 = 64;
/// ... within this time.
const REJECTS_IN: Time = Time::from_secs(60);
/// A peer that sent nothing useful for this long may have to give way ...
const USELESS_AFTER: Time = Time::from_secs(20);
/// ... but not more than one in this time.
const MAKE_ROOM_EVERY: Time = Time::from_secs(2);

impl Learning {
    pub(super) fn has_room(&self) -> bool {
        self.places() > 0
    }

    /// How many more peers there may be.
    fn places(&self) -> usize {
        if self.is_learned || self.meeting.announcer.stopping {
            return 0;
        }
        self.max_peers.saturating_sub(self.guests.len() + self.meeting.connecting)
    }

    pub(super) fn connect_more(&mut self, turn: &mut Turn) {
        let places = self.places();
        self.meeting.connect(places, turn);
    }

    /// When to look for places again.
    pub(super) fn connect_at(&self, now: Time, shared: &Shared) -> Option<Time> {
        if self.has_room() {
            return self.meeting.connect_at(now, shared);
        }
        let looks = !self.is_learned && !self.meeting.announcer.stopping;
        let ways = self.guests.values().map(|guest| Some(gives_way_at(guest)));
        let soonest = ways.fold(None, sooner).filter(|_| looks)?;
        Some(self.meeting.due(shared)?.max(soonest).max(self.meeting.made_room + MAKE_ROOM_EVERY))
    }

    /// Closes a peer, so that an address that waits can be tried.
    pub(super) fn make_room(&mut self, turn: &mut Turn) {
        if !self.has_room() && self.connect_at(turn.now, turn.shared).is_some_and(|at| at <= turn.now) {
            self.meeting.made_room = turn.now;
            if let Some(least) = self.least_useful(turn.now) {
                self.close(least, "another peer needs its place", turn);
            }
        }
    }

    /// The least useful of the peers that sent nothing useful for long. Those without the description come first.
    fn least_useful(&self, now: Time) -> Option<PeerKey> {
        let idle = self.guests.values().filter(|guest| gives_way_at(guest) <= now);
        idle.min_by_key(|guest| (guest.brought, guest.offers().is_some(), guest.joined)).map(|guest| guest.key)
    }

    pub(super) fn connected(&mut self, key: PeerKey, identity: Identity, reserved: Reserved, turn: &mut Turn) {
        if identity.outgoing {
            self.meeting.connecting_ended(turn);
            self.meeting.candidates.shook_hands(identity.addr, identity.is_hidden());
        }
        if let Some(reason) = self.unwelcome(&identity, turn) {
            turn.actions.push(Action::Close { peer: key, reason });
            if identity.outgoing {
                self.meeting.candidates.left(identity.addr, false, turn.now);
            }
            return;
        }
        let source = self.meeting.source_of(&identity);
        let mut guest = Guest::new(key, identity, source, reserved, turn.now);
        turn.shared.connected += 1;
        if !identity.outgoing {
            turn.actions.push(Action::Peer(key, PeerOrder::Handshake));
        }
        if reserved.fast() {
            send(&mut guest, Message::HaveNone, turn);
        }
        if reserved.extension() {
            // We offer the extension until we have the description, because peers send us the blocks with the id that
            // we give it.
            let told = introduction(
                &self.settings,
                turn.shared.outer_ports,
                &identity,
                Offers { metadata: !self.is_learned, ..Offers::default() },
            );
            send(&mut guest, Message::Extended(told.message()), turn);
        }
        if self.has_node(turn.now) && reserved.dht() {
            let port = turn.shared.outer_ports.seen_by(identity.addr.ip(), Transport::Udp, self.settings.port);
            send(&mut guest, Message::Port(port), turn);
        }
        self.guests.insert(key, guest);
        self.look_at_guests(turn.now);
    }

    /// Whether peers are told that we have a node of the DHT, and may tell us of theirs (BEP 5). If the torrent may be
    /// private, its trackers must have had time to answer.
    fn has_node(&self, now: Time) -> bool {
        krpc::IS_BUILT_IN && self.settings.dht && !self.is_private && self.strangers_at <= now
    }

    /// Why a peer that shook hands can't stay.
    fn unwelcome(&mut self, identity: &Identity, turn: &mut Turn) -> Option<&'static str> {
        let ours = self.settings.peer_id;
        if let Some(reason) = self.meeting.unwanted(identity, ours) {
            return Some(reason);
        }
        if identity.cover == Cover::Plain && !self.settings.encryption.takes_plain() {
            // It shook hands before that was required.
            return Some("it is not encrypted, and that is required");
        }
        if self.is_private && !self.meeting.source_of(identity).is_for_private() {
            return Some("the torrent is private, and none of its trackers named this peer");
        }
        if self.meeting.announcer.stopping {
            return Some("the torrent is paused or ends");
        }
        if let Some(other) = self.guests.values().find(|other| other.identity.id == identity.id) {
            if !keeps_new(&other.identity, identity, ours, other.brought > 0) {
                return Some("it is connected already");
            }
            let other = other.key;
            self.close(other, "the other connection with it stays", turn);
            self.meeting.candidates.busy(identity.addr);
        }
        let peers = self.guests.values().map(|guest| &guest.identity).collect();
        let crowd = Crowd { peers, places: self.max_peers, keeps_own: true };
        if crowd.has_enough_from(identity.addr.ip(), identity.outgoing) {
            return Some("there are enough peers from its address");
        }
        if !crowd.is_full_for(identity.outgoing) && turn.shared.connected < turn.shared.most_connected {
            return None;
        }
        let Some(least) = self.least_useful(turn.now) else { return Some("there are enough peers") };
        self.close(least, "another peer needs its place", turn);
        None
    }

    pub(super) fn heard(&mut self, key: PeerKey, message: Message, turn: &mut Turn) {
        let has_node = self.has_node(turn.now);
        let Some(guest) = self.guests.get_mut(&key) else { return };
        match message {
            Message::Extended(message) => self.extended(key, &message, turn),
            Message::Request(_) => self.close(key, "it asks for a block of content although we have none", turn),
            Message::Port(port) if has_node => {
                turn.actions.push(Action::Node(SocketAddr::new(guest.identity.addr.ip(), port)));
            }
            Message::KeepAlive | Message::Port(_) | Message::Suggest(_) | Message::Cancel(_) | Message::Reject(_) => {}
            message => match guest.early.take(message) {
                Ok(()) => self.bound_early(turn),
                Err(reason) => self.close(key, reason, turn),
            },
        }
    }

    /// If all peers together said too much, closes the peer that said the most.
    fn bound_early(&mut self, turn: &mut Turn) {
        let by_others = turn.shared.early - self.counted_early;
        if self.early_bytes() > MOST_EARLY.saturating_sub(by_others).max(ALWAYS_EARLY)
            && let Some(most) = self.guests.values().max_by_key(|guest| guest.early.bytes())
        {
            self.close(most.key, "it says more about pieces than we remember", turn);
        }
    }

    /// The bytes that are kept of what the peers said about pieces.
    pub(super) fn early_bytes(&self) -> usize {
        self.guests.values().map(|guest| guest.early.bytes()).sum()
    }

    /// Handles an extended message. A message that cannot be read, or that only a torrent can use, is ignored.
    fn extended(&mut self, key: PeerKey, message: &Extended, turn: &mut Turn) {
        match message.parse() {
            Some(Incoming::Handshake(theirs)) => self.introduced(key, theirs, turn),
            Some(Incoming::Metadata(_)) if self.is_private => {}
            Some(Incoming::Metadata(Metadata::Request { piece })) => self.reject(key, piece, turn),
            Some(Incoming::Metadata(Metadata::Data { piece, size, block })) => {
                self.block_came(key, piece, size, block, turn);
            }
            Some(Incoming::Metadata(Metadata::Reject { piece })) => self.rejected(key, piece, turn),
            Some(Incoming::UploadOnly(only)) => {
                if let Some(guest) = self.guests.get_mut(&key) {
                    guest.told.upload_only = Some(only);
                }
            }
            Some(Incoming::Pex(_)) | None => {}
        }
    }

    fn introduced(&mut self, key: PeerKey, theirs: ExtendedHandshake, turn: &mut Turn) {
        let Some(guest) = self.guests.get(&key) else { return };
        let mut ids = guest.told.ids;
        ids.update(theirs.ids);
        if guest.offers().is_some() && !ids.has(Extension::Metadata) {
            // It no longer offers the description, so others are asked for the blocks that it owes.
            self.rest(key, 0, turn);
            self.ask_all(turn);
        }
        let Some(guest) = self.guests.get_mut(&key) else { return };
        let told = &mut guest.told;
        told.ids = ids;
        told.reqq = theirs.reqq.or(told.reqq);
        told.port = theirs.port.or(told.port);
        told.upload_only = theirs.upload_only.or(told.upload_only);
        told.prefers_encryption = theirs.prefers_encryption.or(told.prefers_encryption);
        if let (Some(port), None) = (theirs.port, guest.listens) {
            let listens = SocketAddr::new(guest.identity.addr.ip(), port);
            guest.listens = Some(listens);
            self.meeting.listens(listens, guest.identity.is_hidden(), turn.now);
        }
        if theirs.metadata_size.is_some() && theirs.metadata_size != guest.told.metadata_size {
            guest.claims += 1;
            if guest.claims > MOST_CLAIMS {
                return self.close(key, "it keeps naming new sizes of the torrent's description", turn);
            }
            self.give_back(key);
            self.attempts.remove(&Of::Peer(key));
            if let Some(guest) = self.guests.get_mut(&key) {
                guest.told.metadata_size = theirs.metadata_size;
                guest.late.clear();
            }
            self.forget_attempts(turn.now);
        }
        self.ask(key, turn);
        self.look_at_guests(turn.now);
    }

    /// Rejects a request for a block of the description, which we lack. The number of rejects is limited. (transmission
    /// asks each peer for each block every 3 s.)
    fn reject(&mut self, key: PeerKey, piece: u32, turn: &mut Turn) {
        let Some(guest) = self.guests.get_mut(&key) else { return };
        if turn.now >= guest.rejects.0 + REJECTS_IN {
            guest.rejects = (turn.now, 0);
        }
        if guest.rejects.1 == MOST_REJECTS {
            return;
        }
        guest.rejects.1 += 1;
        let reject = Metadata::Reject { piece }.emit();
        if let Some(message) = guest.told.ids.message(Extension::Metadata, reject) {
            send(guest, Message::Extended(message), turn);
        }
    }

    /// A peer sent a pointless message. Returns whether it is closed because of too many of them.
    pub(super) fn does_nonsense(&mut self, key: PeerKey, turn: &mut Turn) -> bool {
        let Some(guest) = self.guests.get_mut(&key) else { return true };
        guest.unasked += 1;
        let is_too_much = guest.unasked > MOST_UNASKED;
        if is_too_much {
            self.close(key, "it sends messages that nobody asked for", turn);
        }
        is_too_much
    }

    /// Closes the connection to a peer.
    pub(super) fn close(&mut self, key: PeerKey, reason: &'static str, turn: &mut Turn) {
        if self.guests.contains_key(&key) {
            turn.actions.push(Action::Close { peer: key, reason });
            self.guest_gone(key, turn);
        }
    }

    pub(super) fn close_all(&mut self, reason: &'static str, turn: &mut Turn) {
        let keys: Vec<PeerKey> = self.guests.keys().copied().collect();
        keys.into_iter().for_each(|key| self.close(key, reason, turn));
    }

    pub(super) fn guest_gone(&mut self, key: PeerKey, turn: &mut Turn) {
        self.give_back(key);
        let Some(guest) = self.guests.remove(&key) else { return };
        turn.shared.connected = turn.shared.connected.saturating_sub(1);
        self.meeting.left(guest.listens, guest.brought > 0, guest.joined, turn.now);
        self.forget_attempts(turn.now);
        self.ask_all(turn);
        self.look_at_guests(turn.now);
    }
}

/// When a peer may have to give way if it sends nothing useful until then.
fn gives_way_at(guest: &Guest) -> Time {
    guest.brought_at + USELESS_AFTER
}
