//! One disk thread: it writes blocks in runs, hashes them, and compares the hash of each complete piece.
//!
//! Floor 3, a part of [`disk`](super). While blocks come in order, a running SHA-1 takes them straight from memory. A
//! block that comes ahead of its turn is written and kept for a while: peers answer requests out of order as a matter
//! of course, and reading the block back would cost more. At most [`KEPT_BYTES`] are kept; blocks beyond that are read
//! back in their turn. A piece is never held whole.

mod failing;

pub use failing::failed;

use super::tries::Failed;
use super::{DiskJob, Room};
use crate::base::sha1::Sha1;
use crate::engine::input::Input;
use crate::engine::peer::blocks::Blocks;
use crate::proto::peer::message::{BLOCK_BYTES, BlockSpec};
use crate::storage::TorrentId;
use crate::storage::content::Content;
use crate::swarm::event::{DiskEvent, DiskOrder, Event};
use crossbeam_channel::{Receiver, Sender};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Blocks ahead of their turn that one thread keeps in memory. libtorrent was seen to send 90 with 256 requests out,
/// but most of them wait only for the next few. They count as on their way to disk ...
const KEPT_BYTES: u64 = 512 * 1024;
/// ... so all threads together may use only this part of the budget, to leave room for the blocks that they wait for.
pub(super) const KEPT_SHARE: u64 = 2;
/// A thread reports written bytes when there are this many, or when a piece is complete, because waking the manager
/// costs as much as a block ...
const REPORT_BYTES: u64 = 256 * 1024;
/// ... and all threads together hold back at most this part of the budget.
pub(super) const REPORT_SHARE: u64 = 4;
/// Most blocks written by one system call. Beyond this the call costs next to nothing, and the other threads would
/// wait.
const RUN_BLOCKS: usize = 16;
/// A piece that is being received.
#[derive(Default)]
pub(super) struct Coming {
    hash: Sha1,
    /// How many bytes are hashed, from the beginning of the piece.
    hashed: u32,
    /// How many bytes are written.
    written: u32,
    /// Blocks ahead of their turn, by their offset in the piece.
    kept: BTreeMap<u32, Vec<u8>>,
}

impl Coming {
    fn hash_blocks(&mut self, blocks: &[Vec<u8>]) {
        for block in blocks {
            self.hash.update(block);
            self.hashed += block.len() as u32;
        }
    }
}

/// Consecutive blocks of one piece, which are written by one system call.
pub(super) struct Run {
    pub(super) content: Arc<Content>,
    pub(super) piece: u32,
    pub(super) begin: u32,
    pub(super) blocks: Vec<Vec<u8>>,
}

impl Run {
    /// Whether a job continues this run.
    fn takes(&self, job: &DiskJob) -> bool {
        let DiskJob::Order(content, DiskOrder::Write { piece, begin, .. }) = job else { return false };
        // All blocks but a piece's last one have the same size.
        let end = self.begin + self.blocks.len() as u32 * BLOCK_BYTES;
        Arc::ptr_eq(content, &self.content) && *piece == self.piece && *begin == end && self.blocks.len() < RUN_BLOCKS
    }
}

pub(super) struct Worker {
    device: u64,
    manager: Sender<Input>,
    blocks: Blocks,
    room: Room,
    pub(super) pieces: BTreeMap<(TorrentId, u32), Coming>,
    failed: Failed,
    pub(super) kept_bytes: u64,
    /// Bytes that are written and not yet reported.
    unreported: u64,
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.room.threads.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Worker {
    pub(super) fn new(device: u64, manager: Sender<Input>, blocks: Blocks, room: Room) -> Worker {
        room.threads.fetch_add(1, Ordering::Relaxed);
        let (pieces, failed) = (BTreeMap::new(), Failed::default());
        Worker { device, manager, blocks, room, pieces, failed, kept_bytes: 0, unreported: 0 }
    }

    pub(super) fn run(mut self, jobs: &Receiver<Vec<DiskJob>>) {
        // Consecutive blocks of one piece.
        let mut run: Option<Run> = None;
        while let Ok(batch) = jobs.recv() {
            for job in std::iter::once(batch).chain(jobs.try_iter()).flatten() {
                // Everything else comes after the blocks before it.
                if !run.as_ref().is_some_and(|run| run.takes(&job)) {
                    run.take().into_iter().for_each(|run| self.write(run));
                }
                match job {
                    DiskJob::Order(content, DiskOrder::Write { piece, begin, data, .. }) => {
                        run.get_or_insert_with(|| Run { content, piece, begin, blocks: Vec::new() }).blocks.push(data);
                    }
                    DiskJob::Order(content, DiskOrder::Restart { piece }) => {
                        self.forget(content.torrent, piece);
                        self.report();
                    }
                    DiskJob::Order(content, DiskOrder::Probe { block, left }) => self.probe(&content, block, left),
                    DiskJob::Order(content, DiskOrder::CheckAgain) | DiskJob::Forget(content) => {
                        let torrent = content.torrent;
                        let pieces = self.pieces.range((torrent, 0)..=(torrent, u32::MAX));
                        let pieces: Vec<u32> = pieces.map(|((_, piece), _)| *piece).collect();
                        pieces.into_iter().for_each(|piece| self.forget(torrent, piece));
                        self.failed.forget(torrent);
                        self.report();
                    }
                    DiskJob::Choose(choosing) => choosing.pass(),
                    // It comes as `DiskJob::Choose`.
                    DiskJob::Order(_, DiskOrder::Choose { .. }) => {}
                    DiskJob::Finish => drop(self.manager.send(Input::DiskDone { device: self.device })),
                }
            }
            run.take().into_iter().for_each(|run| self.write(run));
        }
    }

    /// Writes and hashes a run, in the order that avoids waiting for the other disk threads.
    pub(super) fn write(&mut self, run: Run) {
        let Run { content, piece, begin, blocks } = run;
        let torrent = content.torrent;
        let length: usize = blocks.iter().map(Vec::len).sum();
        let offset = content.piece_offset(piece) + begin as u64;
        let mut coming = self.pieces.remove(&(torrent, piece)).unwrap_or_default();
        let in_order = begin == coming.hashed;
        let turn = content.health.try_take_turn().unwrap_or_else(|| {
            if in_order {
                coming.hash_blocks(&blocks);
            }
            content.health.take_turn()
        });
        let result = content.health.to_write(turn).map(|may| content.write(&may, offset, &blocks));
        if in_order && begin == coming.hashed {
            coming.hash_blocks(&blocks);
        }
        self.put_away(&mut coming, begin, blocks, in_order);
        coming.written += length as u32;
        let complete = coming.written == content.metainfo.piece_size(piece);
        self.pieces.insert((torrent, piece), coming);
        if self.unreported >= REPORT_BYTES.min(self.room.part_of(REPORT_SHARE)) {
            self.report();
        }
        match result {
            Some(Err(error)) => {
                let length = (content.metainfo.piece_size(piece) - begin).min(length as u32);
                self.fail(&content, BlockSpec { piece, begin, length }, error);
            }
            None => self.unwritten(&content, piece),
            Some(Ok(())) if complete => self.verify(&content, piece),
            Some(Ok(())) => {}
        }
    }

    /// Frees the blocks of a run that are hashed, and keeps the others if there is room. Hashes the kept blocks whose
    /// turn has come.
    fn put_away(&mut self, coming: &mut Coming, begin: u32, blocks: Vec<Vec<u8>>, hashed: bool) {
        let may_keep = KEPT_BYTES.min(self.room.part_of(KEPT_SHARE));
        let mut at = begin;
        for block in blocks {
            let length = block.len() as u32;
            if hashed || self.kept_bytes + length as u64 > may_keep {
                self.free(block);
            } else {
                self.kept_bytes += length as u64;
                coming.kept.insert(at, block);
            }
            at += length;
        }
        while let Some(block) = coming.kept.remove(&coming.hashed) {
            coming.hash_blocks(std::slice::from_ref(&block));
            self.free_kept(block);
        }
    }

    fn free_kept(&mut self, block: Vec<u8>) {
        self.kept_bytes -= block.len() as u64;
        self.free(block);
    }

    /// Gives back the buffer of a written block.
    fn free(&mut self, block: Vec<u8>) {
        self.unreported += block.len() as u64;
        self.blocks.give(block);
    }

    /// All of a piece is written: hashes the rest, compares the hash, and reports.
    fn verify(&mut self, content: &Content, piece: u32) {
        let Some(mut coming) = self.pieces.remove(&(content.torrent, piece)) else { return };
        let size = content.metainfo.piece_size(piece);
        let mut block = self.blocks.take(BLOCK_BYTES as usize);
        while coming.hashed < size {
            if let Some(kept) = coming.kept.remove(&coming.hashed) {
                coming.hash_blocks(std::slice::from_ref(&kept));
                self.free_kept(kept);
                continue;
            }
            block.resize((size - coming.hashed).min(BLOCK_BYTES) as usize, 0);
            let offset = content.piece_offset(piece) + coming.hashed as u64;
            if let Err(error) = content.read(offset, &mut block) {
                let spec = BlockSpec { piece, begin: coming.hashed, length: block.len() as u32 };
                self.pieces.insert((content.torrent, piece), coming);
                return self.fail(content, spec, error);
            }
            coming.hash_blocks(std::slice::from_ref(&block));
        }
        self.blocks.give(block);
        self.report();
        let good = coming.hash.finish() == *content.metainfo.piece_hash(piece);
        if !content.health.is_sound() {
            return self.unwritten(content, piece);
        }
        if let Err(error) = content.note_verified(piece) {
            let spec = BlockSpec { piece, begin: 0, length: size.min(BLOCK_BYTES) };
            return self.fail(content, spec, error);
        }
        self.look_for_liars(content, piece, good);
        self.tell(content.torrent, DiskEvent::Checked { piece, good });
    }

    /// Remembers what a corrupt piece looked like. When it is correct, reports which blocks were corrupt before.
    fn look_for_liars(&mut self, content: &Content, piece: u32, good: bool) {
        if !good {
            if let Err(error) = self.failed.remember(content, piece) {
                log::debug!("piece {piece} is corrupt, and can't be looked at: {error}");
            }
            return;
        }
        let begins = self.failed.corrupt_blocks(content, piece);
        if !begins.is_empty() {
            self.tell(content.torrent, DiskEvent::FoundCorrupt { piece, begins });
        }
    }

    pub(super) fn forget(&mut self, torrent: TorrentId, piece: u32) {
        let Some(coming) = self.pieces.remove(&(torrent, piece)) else { return };
        coming.kept.into_values().for_each(|block| self.free_kept(block));
    }

    pub(super) fn report(&mut self) {
        let bytes = std::mem::take(&mut self.unreported);
        if bytes > 0 {
            let _ = self.manager.send(Input::Written { device: self.device, bytes });
        }
    }

    fn tell(&self, torrent: TorrentId, event: DiskEvent) {
        // The manager is gone only when the process ends.
        let _ = self.manager.send(Input::Torrent { torrent, event: Event::Disk(event) });
    }
}
