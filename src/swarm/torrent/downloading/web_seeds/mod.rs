//! Web seeds: HTTP servers that have the files of the torrent (BEP 19). Which of them are asked, and what becomes of
//! one that fails, lacks a file or sends a wrong one.
//!
//! A part of [`Torrent`]. A web seed is a peer without a socket. It has all pieces, never chokes us, and wants nothing.
//! So it is asked, limited and counted as any other peer, and only these points differ:
//!
//! - The picker gives it runs of pieces, not the rarest ones (`picker/gap.rs`).
//! - It takes no place of a peer. At most [`MOST_OPEN`] are asked at once, in the order of the torrent; the others are
//!   spares.
//! - A server often has some files and not others, or an old version of one. So it is not banned for a corrupt piece or
//!   a missing file: it is no longer asked for that file. If no file is left, it is not asked any more.
//! - If it fails as a whole, it is asked again later, and each time that it fails again, after a longer pause. A
//!   failure while our own way out was away does not count, and its pause ends when the way out is back.
//!
//! ```text
//!              it is its turn            the thread runs
//!   waiting ------------------> opening ----------------> open ------> off
//!      ^                           |                       |     no file is left
//!      |  no thread could start    |                       |
//!      +---------------------------+   it fails or is slow |
//!      +----------------------------------------------------+
//! ```

mod list;

pub use list::WebSeeds;

use crate::base::time::Time;
use crate::proto::id::PeerId;
use crate::proto::peer::handshake::Reserved;
use crate::proto::peer::message::BLOCK_BYTES;
use crate::proto::peer::mse::Cover;
use crate::proto::peer::webseed::MOST_BYTES;
use crate::swarm::event::{Action, WebEvent};
use crate::swarm::meeting::source::Source;
use crate::swarm::peer::{Identity, Peer, PeerKey, Skip};
use crate::swarm::torrent::downloading::tell_interest;
use crate::swarm::torrent::{Torrent, Turn};
use core::net::{Ipv4Addr, SocketAddr};
use core::ops::Range;

/// Web seeds that are asked at once. (libtorrent: 3; transmission: all.)
const MOST_OPEN: usize = 4;
/// While the process can't have one more connection, we look again after this.
const NO_ROOM_PAUSE: Time = Time::from_secs(5);
/// If a web seed sends bytes that nobody needs, it must be at least this fast, in bytes a second. (Then the 4 MiB that
/// it may have to send before a block take at most 4 minutes. A peer that sends less than a block in 20 s is snubbed.)
const SKIP_RATE: u64 = 16 * 1024;
/// What is said of a web seed that could not answer.
const INTERRUPTED: &str = "our own network was away";
/// The requests that a web seed gets ahead, at most: they fill one HTTP request.
const WINDOW: u32 = (MOST_BYTES / BLOCK_BYTES as u64) as u32;

impl Torrent {
    /// Starts to ask the web seeds whose turn it is.
    pub(in crate::swarm::torrent) fn open_web_seeds(&mut self, turn: &mut Turn) {
        while self.web_seeds_at().is_some_and(|at| at <= turn.now) {
            if !turn.shared.has_room() {
                return self.web.wait_until(turn.now + NO_ROOM_PAUSE);
            }
            let Some(number) = self.web.next(turn.now) else { break };
            turn.actions.push(Action::OpenWebSeed { number });
        }
    }

    /// When the next web seed is to be asked.
    pub(in crate::swarm::torrent) fn web_seeds_at(&self) -> Option<Time> {
        self.web.next_at().filter(|_| self.asks_web_seeds())
    }

    fn asks_web_seeds(&self) -> bool {
        self.is_downloading() && !self.meeting.announcer.stopping
    }

    /// No thread could be started for a web seed.
    pub(in crate::swarm::torrent) fn web_seed_failed(&mut self, number: usize, now: Time) {
        self.web.failed(number, "no thread can be started to ask it".into(), None, now);
    }

    pub(in crate::swarm::torrent) fn web_seed_did(&mut self, key: PeerKey, event: WebEvent, turn: &mut Turn) {
        match event {
            WebEvent::Ready { number } => self.web_seed_is_ready(key, number, turn),
            WebEvent::NotThere { file, why } => {
                let Some(number) = self.number_of(key) else { return };
                self.web.says(number, why);
                self.web_seed_lacks(number, self.pieces_of(&file), turn);
            }
            WebEvent::Skipped { bytes } => self.web_seed_skipped(key, bytes, turn),
            WebEvent::Failed { file, why, pause, our_fault } => {
                let Some(number) = self.number_of(key) else { return };
                if self.was_interrupted(key, our_fault, turn) {
                    return;
                }
                let is_too_often = self.web.failed(number, why, pause, turn.now);
                if let Some(file) = file.filter(|_| is_too_often) {
                    self.web_seed_lacks(number, self.pieces_of(&file), turn);
                }
            }
        }
    }

    /// A web seed failed, or is silent. Returns whether our way out was away while it had to answer: then it is not to
    /// blame, and is asked again as soon as that is possible.
    fn was_interrupted(&mut self, key: PeerKey, our_fault: bool, turn: &Turn) -> bool {
        let Some(peer) = self.peers.get(&key) else { return false };
        let way_out = &turn.shared.way_out;
        let was_away = way_out.was_away_since(peer.answered);
        let Some(number) = peer.web_seed.filter(|_| was_away || our_fault) else { return false };
        // The thread may see that it is away before we are told.
        self.web.interrupted(number, !was_away || way_out.is_away(), turn.now);
        true
    }

    /// Our way out is back.
    pub(in crate::swarm::torrent) fn web_seeds_are_back(&mut self, now: Time) {
        self.web.is_online(now);
    }

    fn number_of(&self, key: PeerKey) -> Option<usize> {
        self.peers.get(&key).and_then(|peer| peer.web_seed)
    }

    /// A web seed can be asked from now on.
    fn web_seed_is_ready(&mut self, key: PeerKey, number: usize, turn: &mut Turn) {
        if !self.asks_web_seeds() || !self.web.is_opening(number) {
            self.web.leave(number, turn.now);
            return turn.actions.push(Action::Close { peer: key, reason: "nothing is asked of it now" });
        }
        let nowhere = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0);
        let identity = Identity { addr: nowhere, id: PeerId([0; 20]), outgoing: true, cover: Cover::Plain };
        let has = self.web.opened(number, key, self.picker.have().len());
        let mut peer = Peer::new(key, identity, Source::WebSeed, Reserved::default(), has.len(), turn.now);
        (peer.web_seed, peer.listens, peer.upload_only) = (Some(number), None, true);
        (peer.pieces_known, peer.counted_as_seed, peer.chokes_us) = (true, has.is_full(), false);
        peer.useful_pieces = has.count_lacked_by(self.picker.settled());
        peer.window.set_reqq(WINDOW);
        self.picker.count(&has, &mut turn.shared.rng);
        peer.has = has;
        tell_interest(&mut peer, turn);
        turn.shared.connected += 1;
        self.peers.insert(key, peer);
        self.wake_for(key);
        self.ask_more(key, turn);
    }

    /// A web seed that ignores ranges sent what nobody needs. It counts for the limits and in the figures. If it comes
    /// fast enough, it shows that the server is there. (Otherwise a server could hold its requests for an hour.)
    fn web_seed_skipped(&mut self, key: PeerKey, bytes: u64, turn: &mut Turn) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        // If the peer brought a block since, or was asked for the first one, this is another skip.
        let skip = peer.skip.filter(|skip| skip.answered == peer.answered);
        let (began, skipped) = skip.map_or((turn.now, bytes), |skip| (skip.began, skip.bytes + bytes));
        if skipped >= SKIP_RATE * turn.now.saturating_sub(began).as_secs() {
            peer.answered = turn.now;
        }
        peer.skip = Some(Skip { began, bytes: skipped, answered: peer.answered });
        peer.down.add(bytes, turn.now);
        self.fetching.down.add(bytes, turn.now);
        self.fetching.wasted += bytes;
        turn.shared.download.take(bytes);
        self.queue(key);
    }

    /// A peer is gone: if it was a web seed, it is asked again when its pause is over.
    pub(in crate::swarm::torrent) fn web_seed_gone(&mut self, peer: &Peer, now: Time) {
        if let Some(number) = peer.web_seed {
            self.web.leave(number, now);
        }
    }

    /// A peer owes us blocks and has sent none for long. If it is a web seed, it is left alone for a while. Returns
    /// whether it is one.
    pub(in crate::swarm::torrent) fn web_seed_is_silent(&mut self, key: PeerKey, turn: &mut Turn) -> bool {
        let Some(number) = self.number_of(key) else { return false };
        if self.was_interrupted(key, false, turn) {
            self.close(key, INTERRUPTED, turn);
        } else {
            self.web.failed(number, "it is too slow".into(), None, turn.now);
            self.close(key, "it is too slow", turn);
        }
        true
    }

    /// A peer is proven to have sent a wrong `piece`. If it is a web seed, its file is not the right one. Returns
    /// whether it is one.
    pub(super) fn web_seed_lied(&mut self, key: PeerKey, piece: u32, turn: &mut Turn) -> bool {
        let Some(number) = self.web.number_of(key) else { return false };
        self.web.says(number, "a file differs from the torrent's".into());
        // A piece of several files does not tell which of them is wrong.
        let pieces = match self.web.file_of(self.bytes_of(piece)) {
            Some(file) => self.pieces_of(&file),
            None => piece..piece + 1,
        };
        self.web_seed_lacks(number, pieces, turn);
        true
    }

    /// The bytes of the content that a piece has.
    fn bytes_of(&self, piece: u32) -> Range<u64> {
        let begin = u64::from(piece) * u64::from(self.picker.piece_size(0));
        begin..begin + u64::from(self.picker.piece_size(piece))
    }

    /// The pieces that hold these bytes of the content.
    fn pieces_of(&self, bytes: &Range<u64>) -> Range<u32> {
        let length = u64::from(self.picker.piece_size(0));
        // A piece number fits 32 bits. An engine that reports bytes behind the end of the content gets no piece.
        let (first, end) = ((bytes.start / length) as u32, bytes.end.div_ceil(length) as u32);
        first..end.min(self.picker.have().len())
    }

    /// A web seed does not have these pieces: it is not asked for them any more.
    fn web_seed_lacks(&mut self, number: usize, pieces: Range<u32>, turn: &mut Turn) {
        self.web.lacks(number, pieces.clone(), self.picker.have().len());
        // An earlier connection may have shown it: the one that is open is another peer.
        let open = self.web.open_as(number);
        let is_useless = self.web.turn_off_if_useless(number);
        let Some(key) = open else { return };
        self.withdraw_requests(key, turn);
        if let Some(peer) = self.peers.get_mut(&key) {
            if core::mem::take(&mut peer.counted_as_seed) {
                self.picker.discount(&peer.has, true, &mut turn.shared.rng);
                self.picker.count_one_by_one(&peer.has, &mut turn.shared.rng);
            }
            for piece in pieces {
                if peer.has.clear(piece) {
                    self.picker.discount_one(piece, &mut turn.shared.rng);
                    peer.useful_pieces -= u32::from(!self.picker.settled().get(piece));
                }
            }
            tell_interest(peer, turn);
        }
        if is_useless {
            return self.close(key, "it has none of the files", turn);
        }
        self.ask_all(turn);
    }
}

#[cfg(test)]
mod tests;
