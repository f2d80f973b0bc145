//! One attempt to put the description together: the blocks that arrived, and those that are under way.
//!
//! It takes memory for blocks that arrived, never for a size that a peer names.

use crate::base::sha1::{Digest, Sha1};
use crate::base::step;
use crate::base::time::Time;
use crate::proto::peer::metadata;
use crate::swarm::peer::{Identity, PeerKey};
use std::collections::{BTreeMap, BTreeSet};

/// If a requested block has not arrived after this time, other peers may be asked for it (libtorrent: one more).
const AGAIN_AFTER: Time = Time::from_secs(3);
/// Then this many times as many more peers may be asked as before, because several may be silent liars. (All, if
/// nothing arrived at all.)
const MORE_EACH_TIME: usize = 2;

/// Blocks that are hashed at once (256 KiB). On a slow processor, this takes 10 ms, in which the manager does nothing
/// else.
const HASHED_AT_ONCE: usize = 16;

/// A block that is under way.
struct UnderWay {
    /// When further peers were last allowed; at first, when the first peer was asked.
    since: Time,
    /// How many peers were asked for it ...
    peers: usize,
    /// ... and how many more may be asked now.
    more: usize,
}

/// An attempt for a description of one size.
pub(super) struct Attempt {
    /// The size of the whole description, as its peers say.
    size: u32,
    /// When the attempt began.
    pub began: Time,
    /// When the last block arrived; at first, when the attempt began.
    pub last: Time,
    blocks: BTreeMap<u32, Vec<u8>>,
    /// Bytes that arrived.
    bytes: u64,
    /// The hash of the first blocks ...
    sha1: Sha1,
    /// ... and how many these are.
    hashed: u32,
    /// The first block that no peer was asked for yet.
    fresh: u32,
    /// Blocks that a peer was asked for and will not send.
    again: BTreeSet<u32>,
    /// Blocks that are under way. A peer is asked for few at once.
    under_way: BTreeMap<u32, UnderWay>,
    /// The peers that sent something.
    pub senders: BTreeMap<PeerKey, Identity>,
}

impl Attempt {
    /// An attempt for a description of `size` bytes. Nothing has arrived.
    pub fn new(size: u32, now: Time) -> Attempt {
        Attempt {
            size,
            began: now,
            last: now,
            blocks: BTreeMap::new(),
            bytes: 0,
            sha1: Sha1::new(),
            hashed: 0,
            fresh: 0,
            again: BTreeSet::new(),
            under_way: BTreeMap::new(),
            senders: BTreeMap::new(),
        }
    }

    /// The size of the whole description in bytes.
    pub fn size(&self) -> u32 {
        self.size
    }

    /// The bytes that arrived.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether all blocks arrived.
    pub fn is_complete(&self) -> bool {
        self.bytes == u64::from(self.size)
    }

    /// Picks a block to request from a peer, which was already asked for the blocks `asked`. It is under way from now
    /// on.
    pub fn pick(&mut self, asked: impl Fn(u32) -> bool, now: Time) -> Option<u32> {
        let given_back = self.again.iter().copied().find(|block| !asked(*block));
        let fresh = Some(self.fresh).filter(|block| *block < metadata::blocks(self.size));
        let is_late = |block: &UnderWay| block.more > 0 || block.since + AGAIN_AFTER <= now;
        let late = || {
            let late = self.under_way.iter().filter(|(block, way)| is_late(way) && !asked(**block));
            late.min_by_key(|(_, way)| way.since).map(|(block, _)| *block)
        };
        let block = given_back.or(fresh).or_else(late)?;
        self.again.remove(&block);
        self.fresh = self.fresh.max(block + 1);
        let nothing_came = self.bytes == 0;
        let way = self.under_way.entry(block).or_insert(UnderWay { since: now, peers: 0, more: 1 });
        if way.since + AGAIN_AFTER <= now {
            way.since = now;
            way.more = if nothing_came { usize::MAX } else { way.peers * MORE_EACH_TIME };
        }
        way.more = way.more.saturating_sub(1);
        way.peers += 1;
        Some(block)
    }

    /// When further peers may be asked for a block that is under way; `None`: they may already be asked for all of
    /// them.
    pub fn again_at(&self, now: Time) -> Option<Time> {
        self.under_way.values().map(|way| way.since + AGAIN_AFTER).filter(|at| *at > now).min()
    }

    /// A peer will not send `block`.
    pub fn give_back(&mut self, block: u32) {
        if self.under_way.remove(&block).is_some() {
            self.again.insert(block);
        }
    }

    /// Takes a block. Returns whether it has the right length and was missing.
    pub fn put(&mut self, block: u32, data: Vec<u8>, key: PeerKey, sender: Identity, now: Time) -> bool {
        if !self.fits(block, &data) || self.blocks.contains_key(&block) {
            return false;
        }
        self.under_way.remove(&block);
        self.again.remove(&block);
        self.last = now;
        self.bytes += data.len() as u64;
        self.blocks.insert(block, data);
        self.senders.insert(key, sender);
        true
    }

    /// Whether `data` has the length of this block, and there is such a block.
    pub fn fits(&self, block: u32, data: &[u8]) -> bool {
        !data.is_empty() && data.len() == metadata::block_bytes(self.size, block) as usize
    }

    /// Hashes some of the blocks that are not hashed yet. Returns whether all blocks arrived and are hashed.
    pub fn hash_some(&mut self) -> bool {
        for _ in 0..HASHED_AT_ONCE {
            let Some(block) = self.blocks.get(&self.hashed) else { break };
            step(1);
            self.sha1.update(block);
            self.hashed += 1;
        }
        self.hashed == metadata::blocks(self.size)
    }

    /// The SHA-1 of the blocks hashed so far.
    pub fn sha1(&self) -> Digest {
        self.sha1.clone().finish()
    }

    /// The whole description.
    pub fn join(self) -> Vec<u8> {
        let mut whole = Vec::with_capacity(self.bytes as usize);
        // Each block is freed after it is copied, so that memory is not needed twice.
        self.blocks.into_values().for_each(|block| whole.extend_from_slice(&block));
        whole
    }
}
