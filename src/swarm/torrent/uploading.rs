//! What the served peers get, and how fast.
//!
//! A part of [`Torrent`]. BEP 3 for requests, BEP 6 for rejects and the allowed fast set. A leecher serves the pieces
//! that it has.

use super::choking::{goes_out, reject, suggest};
use super::{Torrent, Turn, send};
use crate::base::step;
use crate::base::time::Time;
use crate::proto::peer::allowed_fast::{self, allowed_fast};
use crate::proto::peer::message::{BLOCK_BYTES, BlockSpec, Message};
use crate::swarm::event::{Action, PeerOrder, Unserved};
use crate::swarm::giving::grant::{Grant, Report, Servable};
use crate::swarm::peer::{MOST_WANTED, Peer, PeerKey, take_out};
use crate::swarm::shared::Shared;
use core::net::IpAddr;
use core::ops::Bound;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Bytes a peer's writer is given ahead: enough to keep a fast line busy, few enough that a choke or a cancel takes
/// effect.
const SENDING_BYTES: u64 = 16 * BLOCK_BYTES as u64;
/// Under a limit, a peer gets at most this many bytes in its turn, a piece of usual length ...
const TURN_BYTES: u64 = 16 * BLOCK_BYTES as u64;
/// ... but not more than the limit allows in a second divided by this, so that no peer waits for long.
const TURNS_A_SECOND: u64 = 2;
/// A leecher gives each turn to peers that give, except that one in this many goes to any peer. (It is the optimistic
/// unchoke of a program that shares out its limit by turns.)
const OPTIMISTIC_TURNS: u32 = 8;

/// The peers that are served by turns under a limit.
#[derive(Default)]
pub(super) struct Turns {
    /// The peers that may have a request waiting ...
    pub(super) waiting: BTreeSet<PeerKey>,
    /// ... and those of them that may give.
    pub(super) waiting_givers: BTreeSet<PeerKey>,
    /// The peer whose turn it is, and how many more bytes it gets.
    current: (Option<PeerKey>, u64),
    /// Turns that were given.
    given: u32,
}

impl Torrent {
    /// A newcomer that finds no free slot is told which pieces it may have although it is choked. (One that finds a
    /// slot is not told: the seed of 20 leechers then sent them what they could have had from each other, which took
    /// 1.70 times the bound instead of 1.32 in the simulation.)
    ///
    /// A seed tells it only when all pieces are out. Before that, each peer that it serves besides delays the first
    /// copy of a piece. In the laboratory (100 leechers, 128 pieces of 256 KiB, three runs), 42 newcomers asked for
    /// their sets at once, and the last one was complete after 1.79 to 1.89 times the bound instead of 1.28 to 1.29.
    pub(super) fn send_fast_set(&mut self, key: PeerKey, turn: &mut Turn) {
        if self.is_seeding() && self.showing.spreading.goes_on() {
            return;
        }
        let Some(peer) = self.peers.get_mut(&key) else { return };
        let IpAddr::V4(ip) = peer.identity.addr.ip().to_canonical() else { return };
        let pieces = self.picker.have();
        let newcomer = peer.has.count() < allowed_fast::PIECES as u32;
        let waits = peer.we_choke && peer.is_interested && !peer.sees_little && peer.fast_set_for_peer.is_empty();
        if !waits || !newcomer || !peer.reserved.fast() || pieces.count() == 0 {
            return;
        }
        let mut set = allowed_fast(ip, &self.info_hash, pieces.len(), allowed_fast::PIECES);
        set.retain(|&piece| !peer.has.get(piece));
        peer.fast_set_bytes = set.iter().map(|&piece| self.picker.piece_size(piece) as u64).sum();
        set.iter().for_each(|&piece| send(peer, Message::AllowedFast(piece), turn));
        peer.fast_set_for_peer = set;
    }

    /// The peer asks for a block.
    pub(super) fn requested(&mut self, key: PeerKey, block: BlockSpec, turn: &mut Turn) {
        let BlockSpec { piece, begin, length } = block;
        let exists = piece < self.picker.have().len()
            && (1..=BLOCK_BYTES).contains(&length)
            && begin as u64 + length as u64 <= self.picker.piece_size(piece) as u64;
        if !exists {
            return self.close(key, "it asks for a block that does not exist", turn);
        }
        let here = self.picker.have().get(piece) && !self.hides(key, piece);
        let is_seeding = self.is_seeding();
        let Some(peer) = self.peers.get_mut(&key) else { return };
        if !here && !peer.reserved.fast() {
            // We had it and lost it. This peer could learn that only from a new bitfield.
            return self.close(key, "it asks for a piece that is not here", turn);
        }
        if !here || peer.wants.len() >= MOST_WANTED {
            return reject(peer, block, turn);
        }
        if peer.we_choke {
            // Only a newcomer needs the set. The set is small, and so is what it may cost us.
            let newcomer = peer.has.count() <= allowed_fast::PIECES as u32;
            let in_set = peer.fast_set_for_peer.contains(&piece) && peer.fast_set_bytes >= length as u64;
            if !newcomer || !in_set {
                return reject(peer, block, turn);
            }
            peer.fast_set_bytes -= length as u64;
        }
        peer.wants.push_back(block);
        goes_out(peer, piece, &mut self.showing.spreading);
        if is_seeding {
            suggest(peer, &self.picker, &mut self.showing.spreading, turn);
        }
        self.serve(key, turn);
    }

    /// The peer does not want a block any more.
    pub(super) fn cancelled(&mut self, key: PeerKey, block: BlockSpec, turn: &mut Turn) {
        if let Some(peer) = self.peers.get_mut(&key)
            && take_out(&mut peer.wants, block)
        {
            reject(peer, block, turn);
            self.queue(key);
        }
    }

    /// How fast we may upload: the lower of this torrent's limit and that of the process.
    pub(super) fn upload_limit(&self, shared: &Shared) -> Option<u64> {
        self.giving.limit.rate(&shared.upload)
    }

    /// Hands waiting requests to the peer's writer, a little ahead of what it has sent. Under a limit, all peers are
    /// served by turns.
    fn serve(&mut self, key: PeerKey, turn: &mut Turn) {
        if self.upload_limit(turn.shared).is_some() {
            self.queue(key);
            self.serve_by_turns(turn);
        } else if let Some(peer) = self.peers.get_mut(&key) {
            while serve_one(peer, turn) > 0 {}
        }
    }

    /// Under a limit, a peer is in the queue while a request of it waits. (One that was rejected meanwhile may be there
    /// until it is met.)
    pub(super) fn queue(&mut self, key: PeerKey) {
        let ready = self.peers.get(&key).filter(|peer| is_ready(peer));
        let set = |queue: &mut BTreeSet<PeerKey>, is_in| if is_in { queue.insert(key) } else { queue.remove(&key) };
        let turns = self.giving.turns.get_or_insert_default();
        set(&mut turns.waiting, ready.is_some());
        set(&mut turns.waiting_givers, ready.is_some_and(|peer| peer.gave() > 0));
    }

    /// The peer whose turn is next, of all that wait or of those that give.
    fn next_in_turn(&mut self, givers: bool) -> Option<PeerKey> {
        let turns = self.giving.turns.as_deref_mut()?;
        let queue = if givers { &mut turns.waiting_givers } else { &mut turns.waiting };
        let last = turns.current.0;
        loop {
            step(1);
            let after = last.and_then(|last| queue.range((Bound::Excluded(last), Bound::Unbounded)).next());
            let key = *after.or_else(|| queue.first())?;
            if self.peers.get(&key).is_some_and(|peer| is_ready(peer) && (!givers || peer.gave() > 0)) {
                return Some(key);
            }
            queue.remove(&key);
        }
    }

    /// Serves the peers by turns while the limits allow it. A peer gets [`TURN_BYTES`] in its turn: whole pieces that
    /// come one after another can be passed on sooner than pieces that all come at once and slowly.
    pub(super) fn serve_by_turns(&mut self, turn: &mut Turn) {
        self.giving.waits_for_tokens = false;
        loop {
            let (last, bytes_left) = self.giving.turns.as_ref().map_or((None, 0), |turns| turns.current);
            let goes_on = last.filter(|key| bytes_left > 0 && self.peers.get(key).is_some_and(is_ready));
            let given = self.giving.turns.as_ref().map_or(0, |turns| turns.given);
            let to_any = self.is_seeding() || given.is_multiple_of(OPTIMISTIC_TURNS);
            let giver = if goes_on.is_some() || to_any { goes_on } else { self.next_in_turn(true) };
            let Some(key) = giver.or_else(|| self.next_in_turn(false)) else { return };
            if !self.giving.limit.is_ready(&mut turn.shared.upload, turn.now) {
                self.giving.waits_for_tokens = true;
                return;
            }
            let bytes = self.peers.get_mut(&key).map_or(0, |peer| serve_one(peer, turn));
            self.queue(key);
            let limit = self.upload_limit(turn.shared).unwrap_or(u64::MAX);
            let turns = self.giving.turns.get_or_insert_default();
            if goes_on.is_none() {
                turns.current = (Some(key), TURN_BYTES.min(limit / TURNS_A_SECOND).max(1));
                turns.given = turns.given.wrapping_add(1);
            }
            turns.current.1 = turns.current.1.saturating_sub(bytes);
            self.giving.limit.take(&mut turn.shared.upload, bytes);
        }
    }

    /// When requests that wait for the limits can be served.
    pub(super) fn tokens_at(&self, shared: &Shared) -> Option<Time> {
        self.giving.limit.ready_at(&shared.upload).filter(|_| self.giving.waits_for_tokens)
    }

    /// Lets the threads of a peer that is unchoked answer its requests, if nothing is shared out among the peers.
    pub(super) fn grant(&mut self, key: PeerKey, turn: &mut Turn) {
        let may = self.may_grant(turn.shared);
        let prompt = self.is_seeding() && self.showing.spreading.goes_on();
        if let Some(peer) = self.peers.get_mut(&key).filter(|peer| may && !peer.we_choke && !peer.has_grant) {
            peer.has_grant = true;
            let picker = &self.picker;
            let servable = || Arc::new(Servable::new(picker.length(), picker.piece_size(0), picker.have()));
            let pieces = Arc::clone(self.giving.servable.get_or_insert_with(servable));
            let grant = Grant { pieces, prompt: prompt && peer.reserved.fast() };
            turn.actions.push(Action::Peer(key, PeerOrder::Grant(grant)));
        }
    }

    fn may_grant(&self, shared: &Shared) -> bool {
        self.upload_limit(shared).is_none() && self.showing.super_seeding.is_none()
    }

    /// Gives grants if there were none, or revokes all. A grant is revoked by a choke: the peer then requests again
    /// what it was not sent.
    pub(super) fn begin_or_end_grants(&mut self, turn: &mut Turn) {
        let grants = self.may_grant(turn.shared);
        if core::mem::replace(&mut self.giving.grants, grants) == grants {
            return;
        }
        for key in self.keys_of(|peer| !peer.we_choke && peer.has_grant != grants) {
            if grants {
                self.grant(key, turn);
            } else {
                self.choke(key, Unserved::Limited, turn);
            }
        }
        self.unchoke_waiting(turn);
    }

    /// The peer's threads answered requests under a grant.
    pub(super) fn served(&mut self, key: PeerKey, report: Report, turn: &mut Turn) {
        let is_seeding = self.is_seeding();
        let Some(peer) = self.peers.get_mut(&key) else { return };
        // (If the peer is choked by now, its pieces go out to others.)
        let pieces = if peer.we_choke { &[][..] } else { &report.pieces };
        for &piece in pieces {
            goes_out(peer, piece, &mut self.showing.spreading);
        }
        if is_seeding && !pieces.is_empty() {
            suggest(peer, &self.picker, &mut self.showing.spreading, turn);
        }
        if report.bytes > 0 {
            peer.spoken = turn.now;
            self.count_upload(key, report.bytes, turn);
        }
    }

    /// The writer sent blocks.
    pub(super) fn uploaded(&mut self, key: PeerKey, bytes: u64, turn: &mut Turn) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        peer.sending = peer.sending.saturating_sub(bytes);
        self.count_upload(key, bytes, turn);
        self.serve(key, turn);
    }

    fn count_upload(&mut self, key: PeerKey, bytes: u64, turn: &mut Turn) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        peer.exchanged = turn.now;
        peer.up.add(bytes, turn.now);
        self.giving.up.add(bytes, turn.now);
        if self.is_seeding() {
            self.fetching.progressed = turn.now;
        }
        if let Some(seeding) = &mut self.showing.super_seeding {
            seeding.busy = turn.now;
        }
        let served = self.peers.get(&key).filter(|peer| !peer.we_choke);
        if let Some(why) = served.and_then(|peer| self.takes_without_giving(peer, turn.now)) {
            self.choke(key, why, turn);
            self.unchoke_waiting(turn);
        }
    }
}

/// Whether a request waits, and the writer has not enough yet.
pub(super) fn is_ready(peer: &Peer) -> bool {
    !peer.wants.is_empty() && peer.sending < SENDING_BYTES
}

/// Hands one waiting request to the peer's writer. Returns its bytes; 0: none waits, or the writer has enough.
fn serve_one(peer: &mut Peer, turn: &mut Turn) -> u64 {
    if peer.sending >= SENDING_BYTES {
        return 0;
    }
    let Some(block) = peer.wants.pop_front() else { return 0 };
    peer.sending += block.length as u64;
    peer.spoken = turn.now;
    turn.actions.push(Action::Peer(peer.key, PeerOrder::Upload(block)));
    block.length as u64
}
