//! Disk threads: they write blocks and prove pieces.
//!
//! Floor 3. A piece always goes to the same thread, so its blocks need no lock. While blocks come in order a running
//! SHA-1 takes them straight from memory. A block that comes ahead of its turn is written and, for a while, kept: peers
//! answer requests out of order as a matter of course, and reading it back would cost more. Only [`KEPT_BYTES`] are
//! kept; what is beyond is read back when its turn has come. A piece is never held whole.

mod failing;
pub mod tries;

use super::input::Input;
use super::peer::blocks::Blocks;
use crate::base::sha1::Sha1;
use crate::proto::peer::message::{BLOCK_BYTES, BlockSpec};
use crate::storage::TorrentId;
use crate::storage::content::Content;
use crate::swarm::event::{DiskEvent, Event};
use crate::sys::lock;
use crossbeam_channel::{Receiver, Sender};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use tries::Failed;

/// Blocks ahead of their turn that one thread keeps in memory: 90 were seen from libtorrent with 256 requests out, but
/// most wait only for the next few. They count as on their way to disk ...
const KEPT_BYTES: u64 = 512 * 1024;
/// ... so that all threads together must leave room in the budget for the blocks they wait for.
const KEPT_SHARE: u64 = 2;
/// The manager hears of written bytes when a thread has this much to tell, or a piece is whole: each time it is woken
/// costs as much as a block ...
const REPORT_BYTES: u64 = 256 * 1024;
/// ... and all threads together hold back this share of the budget at most.
const REPORT_SHARE: u64 = 4;
/// Blocks written by one call at most: beyond this the call costs next to nothing, and the other threads wait.
const RUN_BLOCKS: usize = 16;
/// Most disk threads: hashing is all they do at length, and few machines we run on have more cores to spare.
const MOST_THREADS: usize = 4;
/// Their stacks: a SHA-1 and a few frames.
const STACK_BYTES: usize = 64 * 1024;

/// Work for a disk thread.
pub enum DiskJob {
    /// Write a block; with the last one of a piece, compare its hash.
    Write {
        /// The torrent's content.
        content: Arc<Content>,
        /// The piece.
        piece: u32,
        /// Where in the piece the block begins, in bytes.
        begin: u32,
        /// The block.
        data: Vec<u8>,
    },
    /// Forget what came of a piece.
    Restart {
        /// The torrent.
        torrent: TorrentId,
        /// The piece.
        piece: u32,
    },
    /// Try whether a disk in trouble works again; see [`Content::probe`].
    Probe {
        /// The torrent's content.
        content: Arc<Content>,
        /// What was not written.
        block: Option<BlockSpec>,
        /// Bytes of the torrent that are not had.
        left: u64,
    },
    /// Forget all that came of a torrent: it ended, or begins anew.
    Forget {
        /// The torrent.
        torrent: TorrentId,
    },
    /// Tell when all that came before is done.
    Finish,
}

/// The disk threads.
pub struct Disk {
    threads: Vec<Thread>,
}

/// The manager's end of a disk thread.
struct Thread {
    sender: Sender<Vec<DiskJob>>,
    /// Jobs that go to it together: it is woken once for many blocks.
    gathered: Vec<DiskJob>,
}

impl Disk {
    /// Starts the threads; what they did comes to `manager`. `budget_bytes`: the most that may be on its way to disk.
    pub fn start(manager: &Sender<Input>, blocks: &Blocks, budget_bytes: u64) -> io::Result<Disk> {
        let cores = thread::available_parallelism().map_or(1, |cores| cores.get());
        let count = cores.min(MOST_THREADS);
        let mut threads = Vec::new();
        for number in 0..count {
            let (jobs, receiver) = crossbeam_channel::unbounded();
            let worker = Worker {
                manager: manager.clone(),
                blocks: blocks.clone(),
                pieces: BTreeMap::new(),
                failed: Failed::default(),
                kept_bytes: 0,
                may_keep: KEPT_BYTES.min(budget_bytes / KEPT_SHARE / count as u64),
                unreported: BTreeMap::new(),
                may_hold_back: REPORT_BYTES.min(budget_bytes / REPORT_SHARE / count as u64),
            };
            let builder = thread::Builder::new().name(format!("disk {number}")).stack_size(STACK_BYTES);
            builder.spawn(move || worker.run(&receiver))?;
            threads.push(Thread { sender: jobs, gathered: Vec::new() });
        }
        Ok(Disk { threads })
    }

    /// A job for the thread of its piece, which gets it with the next [`Disk::send`].
    pub fn give(&mut self, piece: u32, job: DiskJob) {
        let number = piece as usize % self.threads.len();
        self.threads[number].gathered.push(job);
    }

    /// Lets all threads forget a torrent that ended: what they kept for it is memory that others wait for.
    pub fn forget(&mut self, torrent: TorrentId) {
        for thread in &mut self.threads {
            thread.gathered.push(DiskJob::Forget { torrent });
        }
    }

    /// Has each thread say when it has done all that came before: [`Input::DiskDone`], as often as this says.
    pub fn finish(&mut self) -> usize {
        for thread in &mut self.threads {
            thread.gathered.push(DiskJob::Finish);
        }
        self.threads.len()
    }

    /// Sends the threads what has gathered. (Their queues are bounded by the budget that every block was counted in.)
    pub fn send(&mut self) {
        for thread in &mut self.threads {
            if !thread.gathered.is_empty() {
                let _ = thread.sender.send(std::mem::take(&mut thread.gathered));
            }
        }
    }
}

/// A piece that is coming.
#[derive(Default)]
struct Coming {
    hash: Sha1,
    /// Bytes of the piece that are hashed: all before this.
    hashed: u32,
    /// Bytes of the piece that are written.
    written: u32,
    /// Blocks ahead of their turn, by where they begin.
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

/// Blocks of one piece that follow each other: they are written by one call.
struct Run {
    content: Arc<Content>,
    piece: u32,
    begin: u32,
    blocks: Vec<Vec<u8>>,
}

impl Run {
    /// Whether a block continues this run.
    fn takes(&self, content: &Arc<Content>, piece: u32, begin: u32) -> bool {
        // All blocks but a piece's last one have the same size.
        let end = self.begin + self.blocks.len() as u32 * BLOCK_BYTES;
        Arc::ptr_eq(content, &self.content) && piece == self.piece && begin == end && self.blocks.len() < RUN_BLOCKS
    }
}

struct Worker {
    manager: Sender<Input>,
    blocks: Blocks,
    pieces: BTreeMap<(TorrentId, u32), Coming>,
    failed: Failed,
    kept_bytes: u64,
    may_keep: u64,
    /// Bytes that are written, whose memory is free, and that are not yet told of; by torrent.
    unreported: BTreeMap<TorrentId, u64>,
    may_hold_back: u64,
}

impl Worker {
    fn run(mut self, jobs: &Receiver<Vec<DiskJob>>) {
        // A run: blocks of one piece that follow each other.
        let mut run: Option<Run> = None;
        while let Ok(batch) = jobs.recv() {
            for job in std::iter::once(batch).chain(jobs.try_iter()).flatten() {
                match job {
                    DiskJob::Write { content, piece, begin, data } => match &mut run {
                        Some(run) if run.takes(&content, piece, begin) => run.blocks.push(data),
                        _ => {
                            let next = Run { content, piece, begin, blocks: vec![data] };
                            run.replace(next).into_iter().for_each(|run| self.write(run));
                        }
                    },
                    DiskJob::Restart { torrent, piece } => {
                        run.take().into_iter().for_each(|run| self.write(run));
                        self.forget(torrent, piece);
                        self.report();
                    }
                    DiskJob::Probe { content, block, left } => {
                        run.take().into_iter().for_each(|run| self.write(run));
                        self.probe(&content, block, left);
                    }
                    DiskJob::Forget { torrent } => {
                        run.take().into_iter().for_each(|run| self.write(run));
                        let pieces = self.pieces.range((torrent, 0)..=(torrent, u32::MAX));
                        let pieces: Vec<u32> = pieces.map(|((_, piece), _)| *piece).collect();
                        pieces.into_iter().for_each(|piece| self.forget(torrent, piece));
                        self.failed.forget(torrent);
                        self.report();
                    }
                    DiskJob::Finish => {
                        run.take().into_iter().for_each(|run| self.write(run));
                        let _ = self.manager.send(Input::DiskDone);
                    }
                }
            }
            run.take().into_iter().for_each(|run| self.write(run));
        }
    }

    /// Writes and hashes a run, in whichever order does not wait for the other disk threads.
    fn write(&mut self, run: Run) {
        let Run { content, piece, begin, blocks } = run;
        let torrent = content.torrent;
        let length: usize = blocks.iter().map(Vec::len).sum();
        let offset = content.piece_offset(piece) + begin as u64;
        let mut coming = self.pieces.remove(&(torrent, piece)).unwrap_or_default();
        let in_order = begin == coming.hashed;
        let write = || match content.in_trouble.load(Ordering::Relaxed) {
            true => Ok(false),
            false => content.write(offset, &blocks).map(|()| true),
        };
        let result = if let Ok(_turn) = content.write_turn.try_lock() {
            write()
        } else {
            if in_order {
                coming.hash_blocks(&blocks);
            }
            let _turn = lock(&content.write_turn);
            write()
        };
        if in_order && begin == coming.hashed {
            coming.hash_blocks(&blocks);
        }
        self.put_away(torrent, &mut coming, begin, blocks, in_order);
        coming.written += length as u32;
        let complete = coming.written == content.metainfo.piece_size(piece);
        self.pieces.insert((torrent, piece), coming);
        if self.unreported.values().sum::<u64>() >= self.may_hold_back {
            self.report();
        }
        match result {
            Err(error) => {
                let length = (content.metainfo.piece_size(piece) - begin).min(length as u32);
                self.fail(&content, BlockSpec { piece, begin, length }, error);
            }
            Ok(false) => self.unwritten(&content, piece),
            Ok(true) if complete => self.prove(&content, piece),
            Ok(true) => {}
        }
    }

    /// Blocks that are written and hashed go back to the stock, and those that waited for them are hashed now; blocks
    /// ahead of their turn are kept, if there is room.
    fn put_away(&mut self, torrent: TorrentId, coming: &mut Coming, begin: u32, blocks: Vec<Vec<u8>>, hashed: bool) {
        let mut at = begin;
        for block in blocks {
            let length = block.len() as u32;
            if hashed || self.kept_bytes + length as u64 > self.may_keep {
                self.free(torrent, block);
            } else {
                self.kept_bytes += length as u64;
                coming.kept.insert(at, block);
            }
            at += length;
        }
        while let Some(block) = coming.kept.remove(&coming.hashed) {
            coming.hash_blocks(std::slice::from_ref(&block));
            self.free_kept(torrent, block);
        }
    }

    fn free_kept(&mut self, torrent: TorrentId, block: Vec<u8>) {
        self.kept_bytes -= block.len() as u64;
        self.free(torrent, block);
    }

    /// A block is written and its memory not needed any more.
    fn free(&mut self, torrent: TorrentId, block: Vec<u8>) {
        *self.unreported.entry(torrent).or_default() += block.len() as u64;
        self.blocks.give(block);
    }

    /// All of a piece is written: hashes the rest, compares, tells.
    fn prove(&mut self, content: &Content, piece: u32) {
        let Some(mut coming) = self.pieces.remove(&(content.torrent, piece)) else { return };
        let size = content.metainfo.piece_size(piece);
        let mut block = self.blocks.take(BLOCK_BYTES as usize);
        while coming.hashed < size {
            if let Some(kept) = coming.kept.remove(&coming.hashed) {
                coming.hash_blocks(std::slice::from_ref(&kept));
                self.free_kept(content.torrent, kept);
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
        let good = coming.hash.finish() == *content.digest(piece);
        if content.in_trouble.load(Ordering::Relaxed) {
            return self.unwritten(content, piece);
        }
        if let Err(error) = content.note_proven(piece) {
            let spec = BlockSpec { piece, begin: 0, length: size.min(BLOCK_BYTES) };
            return self.fail(content, spec, error);
        }
        self.look_for_liars(content, piece, good);
        self.tell(content.torrent, Event::Disk(DiskEvent::Checked { piece, good }));
    }

    /// Of a piece that failed it is remembered how it was; when it is right, it is told what was wrong.
    fn look_for_liars(&mut self, content: &Content, piece: u32, good: bool) {
        if !good {
            if let Err(error) = self.failed.remember(content, piece) {
                log::debug!("piece {piece} is wrong, and can't be looked at: {error}");
            }
            return;
        }
        let begins = self.failed.wrong_blocks(content, piece);
        if !begins.is_empty() {
            self.tell(content.torrent, Event::Disk(DiskEvent::FoundWrong { piece, begins }));
        }
    }

    fn forget(&mut self, torrent: TorrentId, piece: u32) {
        let Some(coming) = self.pieces.remove(&(torrent, piece)) else { return };
        coming.kept.into_values().for_each(|block| self.free_kept(torrent, block));
    }

    fn report(&mut self) {
        for (torrent, bytes) in std::mem::take(&mut self.unreported) {
            self.tell(torrent, Event::Disk(DiskEvent::Written { bytes }));
        }
    }

    fn tell(&self, torrent: TorrentId, event: Event) {
        // The manager is gone only when the process ends.
        let _ = self.manager.send(Input::Torrent { torrent, event });
    }
}

#[cfg(test)]
mod tests;
