//! A peer while the torrent's description is being learned.

use super::early::Early;
use crate::base::time::Time;
use crate::proto::peer::extended::{ExtendedHandshake, Extension};
use crate::proto::peer::handshake::Reserved;
use crate::swarm::meeting::source::Source;
use crate::swarm::peer::{Identity, PeerKey};
use core::net::SocketAddr;

/// A peer that is connected.
pub(in crate::swarm) struct Guest {
    /// The key of its connection.
    pub key: PeerKey,
    /// Its address and peer id.
    pub identity: Identity,
    /// How we learned of it.
    pub source: Source,
    /// The extensions that it supports.
    pub reserved: Reserved,
    /// When it connected.
    pub joined: Time,
    /// When we last sent it something.
    pub spoken: Time,
    /// Where it listens, if that is known.
    pub listens: Option<SocketAddr>,
    /// What it said about itself in all its extended handshakes (without its version).
    pub told: ExtendedHandshake,
    /// What it said about pieces.
    pub early: Early,

    /// How often it named a new size.
    pub(super) claims: u32,
    /// `Some`: it and others sent blocks of a description that was wrong. So it has to send the next one alone, in this
    /// time if others wait for their turn.
    pub(super) alone: Option<Time>,
    /// The blocks that it is asked for.
    pub(super) asked: Vec<u32>,
    /// The blocks that it did not send in time, and that others may be asked for since.
    pub(super) late: Vec<u32>,
    /// When it last sent a block. If nothing had been requested from it before: when it was asked for one.
    pub(super) answered: Time,
    /// It is asked for nothing before this.
    pub(super) rests_until: Time,
    /// Bytes of blocks that it sent.
    pub(super) brought: u64,
    /// When it last sent a block.
    pub(super) brought_at: Time,
    /// Messages from it that we did not ask for.
    pub(super) unasked: u32,
    /// When it began to ask us for the description, and how many rejects we have sent it since.
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

    /// The size of the description, if the peer offers it.
    pub(super) fn offers(&self) -> Option<u32> {
        self.told.metadata_size.filter(|_| self.told.ids.has(Extension::Metadata))
    }
}
