//! What is known of a peer while the torrent's description is being learned.

use super::early::Early;
use crate::base::time::Time;
use crate::proto::peer::extended::{ExtendedHandshake, Extension};
use crate::proto::peer::handshake::Reserved;
use crate::swarm::meeting::source::Source;
use crate::swarm::peer::{Identity, PeerKey};
use core::net::SocketAddr;

/// A peer that is connected.
pub(in crate::swarm) struct Guest {
    /// The name of its connection.
    pub key: PeerKey,
    /// Enough to recognise it.
    pub identity: Identity,
    /// How we learned of it.
    pub source: Source,
    /// What it speaks.
    pub reserved: Reserved,
    /// When it connected.
    pub joined: Time,
    /// When something was last sent to it.
    pub spoken: Time,
    /// Where it listens, if that is known.
    pub listens: Option<SocketAddr>,
    /// What it said about itself, all its extended handshakes together (without its version).
    pub told: ExtendedHandshake,
    /// What it said about pieces.
    pub early: Early,

    /// How often it named another size.
    pub(super) claims: u32,
    /// `Some`: it sent a block of a description that was wrong, as others did, so next it has to send all of one by
    /// itself, in this time if others wait for their turn.
    pub(super) alone: Option<Time>,
    /// The blocks that it is asked for.
    pub(super) asked: Vec<u32>,
    /// Those that it was asked for last, and that others were asked for since.
    pub(super) late: Vec<u32>,
    /// When it last sent a block or, if nothing was asked before, was asked for one.
    pub(super) answered: Time,
    /// It is asked for nothing before this.
    pub(super) rests_until: Time,
    /// Bytes of blocks that it sent.
    pub(super) brought: u64,
    /// When it last sent a block.
    pub(super) brought_at: Time,
    /// Messages that nobody asked for.
    pub(super) unasked: u32,
    /// When it began to ask us for the description, and how often it was told since that we lack it.
    pub(super) rejects: (Time, u32),
}

impl Guest {
    /// A peer that connected at `now`.
    pub(super) fn new(key: PeerKey, identity: Identity, source: Source, reserved: Reserved, now: Time) -> Guest {
        Guest {
            key,
            identity,
            source,
            reserved,
            joined: now,
            spoken: now,
            listens: identity.outgoing.then_some(identity.addr),
            told: ExtendedHandshake::default(),
            early: Early::new(),
            claims: 0,
            alone: None,
            asked: Vec::new(),
            late: Vec::new(),
            answered: now,
            rests_until: now,
            brought: 0,
            brought_at: now,
            unasked: 0,
            rejects: (now, 0),
        }
    }

    /// The size of the description, if it offers that.
    pub(super) fn offers(&self) -> Option<u32> {
        self.told.metadata_size.filter(|_| self.told.ids.has(Extension::Metadata))
    }
}
