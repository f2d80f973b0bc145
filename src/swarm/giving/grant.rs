//! A grant: a peer's own threads may answer its requests without asking the torrent about each.
//!
//! Floor 2. A handover between threads costs more than the work on a block. So the torrent does not pass on each
//! request. It decides which peer is unchoked, and grants it the pieces that may be served. The peer's threads keep a
//! [`Desk`]: it takes the requests that the grant covers, hands them out for sending, and gathers what the torrent has
//! to know into a [`Report`]. Other requests are left to the torrent. A choke revokes the grant.
//!
//! A torrent grants nothing while its uploads are limited, because the limit is shared out block by block, and nothing
//! while it is super-seeded, because then each peer sees other pieces.

use crate::base::time::Time;
use crate::proto::peer::bitfield::Bitfield;
use crate::proto::peer::message::{BLOCK_BYTES, BlockSpec};
use crate::swarm::peer::MOST_WANTED;
use core::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::collections::VecDeque;
use std::sync::Arc;

/// A report that was announced is collected after this: it is how late the torrent may learn of it.
pub const COLLECT_AFTER: Time = Time::from_millis(100);
/// After this many bytes a report is due at once, because the choker must learn soon that a peer only takes.
const REPORT_BYTES: u64 = 512 * 1024;
/// After this many pieces a report is due at once: it bounds the memory of a peer that requests one byte of each piece.
const REPORT_PIECES: usize = 64;

/// The pieces of a torrent that may be served. The torrent changes it, and the threads of its peers look into it.
#[derive(Debug)]
pub struct Servable {
    /// All of them.
    all: AtomicBool,
    /// Otherwise these, as in a [`Bitfield`]. Empty for a torrent that was complete at the start.
    some: Box<[AtomicU8]>,
    length: u64,
    piece_length: u32,
}

impl Servable {
    /// The pieces that we `have` of a torrent of `length` bytes.
    pub fn new(length: u64, piece_length: u32, have: &Bitfield) -> Servable {
        let bits =
            if have.is_full() { Vec::new() } else { have.as_bytes().iter().map(|byte| (*byte).into()).collect() };
        Servable { all: have.is_full().into(), some: bits.into(), length, piece_length }
    }

    /// We have one more piece. `all`: it was the last one.
    pub fn add(&self, piece: u32, all: bool) {
        if let Some(byte) = self.some.get(piece as usize / 8) {
            byte.fetch_or(0x80 >> (piece % 8), Ordering::Release);
        }
        self.all.store(all, Ordering::Release);
    }

    /// We have only these pieces any more.
    pub fn replace(&self, have: &Bitfield) {
        self.all.store(have.is_full(), Ordering::Release);
        for (byte, now) in self.some.iter().zip(have.as_bytes()) {
            byte.store(*now, Ordering::Release);
        }
    }

    /// Whether a block exists and its piece may be served.
    fn covers(&self, block: BlockSpec) -> bool {
        let BlockSpec { piece, begin, length } = block;
        let start = piece as u64 * self.piece_length as u64 + begin as u64;
        let exists = begin as u64 + length as u64 <= self.piece_length as u64
            && start + length as u64 <= self.length
            && (1..=BLOCK_BYTES).contains(&length);
        let is_here = || {
            let bits = self.some.get(piece as usize / 8).map_or(0, |byte| byte.load(Ordering::Acquire));
            self.all.load(Ordering::Acquire) || bits & (0x80 >> (piece % 8)) != 0
        };
        exists && is_here()
    }
}

/// What a peer may have.
#[derive(Clone, Debug)]
pub struct Grant {
    /// These pieces.
    pub pieces: Arc<Servable>,
    /// The torrent wants to know at once which piece is requested: it suggests another one then.
    pub prompt: bool,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It waits to be sent.
    Taken,
    /// Too many wait already: it is rejected.
    Refused,
    /// The grant does not cover it: the torrent decides.
    Undecided,
}

/// What happened at a desk since the last report.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Bytes of content that were sent.
    pub bytes: u64,
    /// The pieces of the requests, each once in a row.
    pub pieces: Vec<u32>,
}

/// When a report goes to the torrent.
#[derive(Debug, PartialEq, Eq)]
pub enum Telling {
    /// Nothing has happened that is not told yet.
    Nothing,
    /// The torrent is told that there will be a report. It collects it soon.
    Soon,
    /// At once.
    Now(Report),
}

/// The requests of one peer that its grant covers.
#[derive(Debug, Default)]
pub struct Desk {
    grant: Option<Grant>,
    /// Oldest first.
    waiting: VecDeque<BlockSpec>,
    report: Report,
    /// A report is due at once.
    due: bool,
    /// The torrent knows that there will be a report.
    announced: bool,
}

impl Desk {
    /// The peer is unchoked.
    pub fn grant(&mut self, grant: Grant) {
        self.grant = Some(grant);
    }

    /// The peer is choked. Returns the requests that will not be served.
    pub fn revoke(&mut self) -> VecDeque<BlockSpec> {
        self.grant = None;
        core::mem::take(&mut self.waiting)
    }

    /// The peer requests a block.
    pub fn requested(&mut self, block: BlockSpec) -> Verdict {
        let Some(grant) = self.grant.as_ref().filter(|grant| grant.pieces.covers(block)) else {
            return Verdict::Undecided;
        };
        if self.waiting.len() >= MOST_WANTED {
            return Verdict::Refused;
        }
        if self.report.pieces.last() != Some(&block.piece) {
            self.report.pieces.push(block.piece);
            self.due |= grant.prompt || self.report.pieces.len() >= REPORT_PIECES;
        }
        self.waiting.push_back(block);
        Verdict::Taken
    }

    /// The peer does not want a block any more. Returns whether it was waiting here.
    pub fn cancelled(&mut self, block: BlockSpec) -> bool {
        let at = self.waiting.iter().position(|other| *other == block);
        at.is_some_and(|at| self.waiting.remove(at).is_some())
    }

    /// How many requests wait.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Takes out the request that is served next.
    pub fn take_next(&mut self) -> Option<BlockSpec> {
        self.waiting.pop_front()
    }

    /// Blocks of `bytes` bytes were sent.
    pub fn sent(&mut self, bytes: u64) {
        self.report.bytes += bytes;
        self.due |= self.report.bytes >= REPORT_BYTES;
    }

    /// What to tell the torrent.
    pub fn tell(&mut self) -> Telling {
        if self.report == Report::default() {
            Telling::Nothing
        } else if core::mem::take(&mut self.due) {
            Telling::Now(core::mem::take(&mut self.report))
        } else if !core::mem::replace(&mut self.announced, true) {
            Telling::Soon
        } else {
            Telling::Nothing
        }
    }

    /// The torrent collects the report. If nothing has happened, the next report is announced again.
    pub fn collect(&mut self) -> Report {
        let report = core::mem::take(&mut self.report);
        self.announced = report != Report::default();
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIECE: u32 = 2 * BLOCK_BYTES;

    fn block(piece: u32) -> BlockSpec {
        BlockSpec { piece, begin: 0, length: BLOCK_BYTES }
    }

    /// The desk of a peer that may have the pieces 0 and 2 of three; the last one is short.
    fn desk(prompt: bool) -> (Desk, Arc<Servable>) {
        let mut have = Bitfield::new(3);
        have.set(0);
        have.set(2);
        let pieces = Arc::new(Servable::new(2 * PIECE as u64 + 100, PIECE, &have));
        let mut desk = Desk::default();
        desk.grant(Grant { pieces: Arc::clone(&pieces), prompt });
        (desk, pieces)
    }

    #[test]
    fn what_the_grant_covers_is_taken_and_the_rest_is_left_to_the_torrent() {
        let (mut desk, pieces) = desk(false);
        let odd = |piece, begin, length| BlockSpec { piece, begin, length };
        let blocks = [block(0), block(1), block(2), odd(2, 0, 100), odd(2, 1, 100), odd(0, PIECE, 1), odd(0, 0, 0)];
        let [taken, left] = [Verdict::Taken, Verdict::Undecided];
        assert_eq!(blocks.map(|block| desk.requested(block)), [taken, left, left, taken, left, left, left]);
        let beyond = [odd(3, 0, 1), odd(u32::MAX, u32::MAX, u32::MAX), odd(0, 0, BLOCK_BYTES + 1)];
        assert_eq!(beyond.map(|block| desk.requested(block)), [left; 3]);
        pieces.add(1, true);
        assert_eq!(desk.requested(block(1)), taken);
        pieces.replace(&Bitfield::new(3));
        assert_eq!(desk.requested(block(1)), left);
        assert!(desk.cancelled(block(1)) && !desk.cancelled(block(1)));
        assert_eq!(desk.take_next(), Some(block(0)));
        assert_eq!(desk.revoke(), [odd(2, 0, 100)]);
        assert_eq!((desk.requested(block(0)), desk.take_next()), (left, None));
        assert_eq!(Desk::default().requested(block(0)), left);
    }

    #[test]
    fn a_complete_torrent_keeps_no_bits_and_may_lose_pieces() {
        let pieces = Arc::new(Servable::new(PIECE as u64, PIECE, &Bitfield::full(1)));
        let mut desk = Desk::default();
        desk.grant(Grant { pieces: Arc::clone(&pieces), prompt: false });
        assert_eq!((desk.requested(block(0)), pieces.some.len()), (Verdict::Taken, 0));
        pieces.replace(&Bitfield::new(1));
        assert_eq!(desk.requested(block(0)), Verdict::Undecided);
    }

    #[test]
    fn requests_are_bounded() {
        let (mut desk, _) = desk(false);
        assert!((0..MOST_WANTED).all(|_| desk.requested(block(0)) == Verdict::Taken));
        assert_eq!(desk.requested(block(0)), Verdict::Refused);
    }

    #[test]
    fn a_report_is_announced_once_and_collected_until_nothing_happens() {
        let (mut desk, _) = desk(false);
        assert_eq!(desk.tell(), Telling::Nothing);
        desk.requested(block(0));
        desk.sent(7);
        assert_eq!([desk.tell(), desk.tell()], [Telling::Soon, Telling::Nothing]);
        assert_eq!(desk.collect(), Report { bytes: 7, pieces: vec![0] });
        desk.sent(8);
        assert_eq!(desk.tell(), Telling::Nothing, "it is collected again");
        assert_eq!(desk.collect().bytes, 8);
        assert_eq!(desk.collect(), Report::default());
        desk.sent(9);
        assert_eq!(desk.tell(), Telling::Soon);
        desk.sent(REPORT_BYTES);
        assert_eq!(desk.tell(), Telling::Now(Report { bytes: REPORT_BYTES + 9, pieces: vec![] }));
    }

    #[test]
    fn new_pieces_are_told_at_once_if_the_torrent_waits_for_them_or_if_they_are_many() {
        let (mut prompt, _) = desk(true);
        prompt.requested(block(0));
        assert_eq!(prompt.tell(), Telling::Now(Report { bytes: 0, pieces: vec![0] }));
        let (mut lazy, pieces) = desk(false);
        pieces.add(1, true);
        for number in 0..REPORT_PIECES as u32 {
            assert_ne!(lazy.tell(), Telling::Now(Report::default()));
            lazy.requested(block(number % 2));
        }
        assert!(matches!(lazy.tell(), Telling::Now(report) if report.pieces.len() == REPORT_PIECES));
    }
}
