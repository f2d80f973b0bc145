//! Tests with blocks in every order. They look at what the manager gets and what is on the disk.

mod trouble;

use super::super::testkit::{PATIENCE, Part, open, part, torrent, write_blocks};
use super::tries::{Failed, MOST_DIGESTS};
use super::worker::{KEPT_SHARE, REPORT_SHARE, Run, Worker};
use super::*;
use crate::base::rng::Rng;
use crate::proto::metainfo::Metainfo;
use crate::proto::peer::message::{BLOCK_BYTES, BlockSpec};
use crate::storage::TorrentId;
use crate::swarm::event::{DiskEvent, Event};
use crate::swarm::standing::Problem;
use crossbeam_channel::Receiver;
use proptest::prelude::*;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

const BLOCK: usize = BLOCK_BYTES as usize;
const BUDGET: u64 = 256 * 1024;

/// The disk threads, working on one torrent.
struct Bench {
    disk: Disk,
    inbox: Receiver<Input>,
    content: Arc<Content>,
    bytes: Vec<u8>,
}

/// What they reported.
#[derive(Default)]
struct Told {
    written: u64,
    checked: Vec<(u32, bool)>,
    found_corrupt: Vec<(u32, Vec<u32>)>,
    failed: Vec<Problem>,
    /// Trouble in words, and how often blocks were not written because of it.
    trouble: Vec<String>,
    unwritten: usize,
    done: usize,
}

impl Told {
    fn note(&mut self, input: Input) {
        match input {
            Input::Written { bytes, .. } => self.written += bytes,
            Input::Torrent { torrent: TorrentId(0), event: Event::Disk(DiskEvent::Checked { piece, good }) } => {
                self.checked.push((piece, good))
            }
            Input::Torrent { torrent: TorrentId(0), event: Event::Disk(DiskEvent::FoundCorrupt { piece, begins }) } => {
                assert!(!self.checked.contains(&(piece, true)), "it is reported too late");
                self.found_corrupt.push((piece, begins));
            }
            Input::Torrent { torrent: TorrentId(0), event: Event::Disk(DiskEvent::Failed { problem }) } => {
                self.failed.push(problem)
            }
            Input::Torrent { torrent: TorrentId(0), event: Event::Disk(DiskEvent::Trouble { trouble, .. }) } => {
                self.trouble.push(trouble.text)
            }
            Input::Torrent { torrent: TorrentId(0), event: Event::Disk(DiskEvent::Doubted { text }) } => {
                self.trouble.push(text)
            }
            Input::Torrent { torrent: TorrentId(0), event: Event::Disk(DiskEvent::Healed { .. }) } => {
                self.trouble.push("healed".into())
            }
            Input::Torrent { torrent: TorrentId(0), event: Event::Disk(DiskEvent::Unwritten { .. }) } => {
                self.unwritten += 1
            }
            Input::DiskDone { .. } => self.done += 1,
            _ => panic!("a disk thread says something else"),
        }
    }
}

impl Bench {
    fn new(metainfo: &Metainfo, bytes: &[u8], dir: &Path) -> Bench {
        let (manager, inbox) = crossbeam_channel::unbounded();
        let mut disk = Disk::new(&manager, &Blocks::new(BUDGET), BUDGET);
        let content = open(metainfo, dir, false);
        disk.begin(&content).unwrap();
        Bench { disk, inbox, content, bytes: bytes.to_vec() }
    }

    /// The places of a piece's blocks.
    fn blocks(&self, piece: u32) -> impl Iterator<Item = (u32, u32)> + use<> {
        (0..self.content.metainfo.piece_size(piece)).step_by(BLOCK).map(move |begin| (piece, begin))
    }

    fn all_blocks(&self) -> Vec<(u32, u32)> {
        (0..self.content.metainfo.piece_count()).flat_map(|piece| self.blocks(piece)).collect()
    }

    /// Gives the disk a block of the torrent, changed by `spoil`.
    fn give_spoilt(&mut self, (piece, begin): (u32, u32), spoil: impl Fn(&mut Vec<u8>)) {
        let length = (self.content.metainfo.piece_size(piece) - begin).min(BLOCK_BYTES) as usize;
        let at = self.content.piece_offset(piece) as usize + begin as usize;
        let mut data = self.bytes[at..at + length].to_vec();
        spoil(&mut data);
        self.disk.give(&self.content, DiskOrder::Write { piece, begin, data, last: false }, Time::ZERO);
    }

    fn give(&mut self, block: (u32, u32)) {
        self.give_spoilt(block, |_| {});
    }

    fn restart(&mut self, piece: u32) {
        self.disk.give(&self.content, DiskOrder::Restart { piece }, Time::ZERO);
    }

    /// Listens until `enough` returns true.
    fn listen(&mut self, told: &mut Told, what: &str, enough: impl Fn(&Told) -> bool) {
        self.disk.send(Time::MAX);
        let end = Instant::now() + PATIENCE;
        while !enough(told) {
            told.note(self.inbox.recv_deadline(end).unwrap_or_else(|_| panic!("waited in vain: {what}")));
        }
    }

    /// Lets the threads end, and returns everything that they reported.
    fn end(self, mut told: Told) -> Told {
        let mut disk = self.disk;
        disk.send(Time::MAX);
        drop(disk);
        let end = Instant::now() + PATIENCE;
        loop {
            match self.inbox.recv_deadline(end) {
                Ok(input) => told.note(input),
                Err(crossbeam_channel::RecvTimeoutError::Disconnected) => return told,
                Err(error) => panic!("the disk threads do not end: {error}"),
            }
        }
    }
}

fn files_are_right(metainfo: &Metainfo, bytes: &[u8], dir: &Path) {
    for (file, entry) in metainfo.files.iter().enumerate().filter(|(_, entry)| !entry.padding && entry.length > 0) {
        let found = fs::read(dir.join(entry.path())).unwrap();
        assert!(found == part(metainfo, bytes, file), "{} has other bytes", entry);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn every_piece_is_verified_once_whatever_the_order_of_blocks(
        parts in proptest::collection::vec((0..300_000usize, any::<bool>()), 0..4),
        last in 1..300_000usize,
        piece_length in prop_oneof![Just(BLOCK), Just(4 * BLOCK), 1..9 * BLOCK],
        order in prop_oneof![Just(0), Just(4), Just(1000)],
        seed: u64,
    ) {
        let mut parts: Vec<Part> = parts;
        parts.push((last, false));
        // With tiny pieces there would be a hundred thousand.
        let piece_length = piece_length.max(4000);
        let (metainfo, bytes) = torrent(0, &parts, piece_length, &[]);
        let dir = tempfile::tempdir().unwrap();
        let mut bench = Bench::new(&metainfo, &bytes, dir.path());
        // In order, nearly in order, or in no order.
        let (mut blocks, mut rng) = (bench.all_blocks(), Rng::new(seed));
        for group in blocks.chunks_mut(order.max(1)) {
            rng.shuffle(group);
        }
        blocks.iter().for_each(|&block| bench.give(block));
        let mut told = bench.end(Told::default());
        told.checked.sort();
        let expected: Vec<_> = (0..metainfo.piece_count()).map(|piece| (piece, true)).collect();
        prop_assert_eq!(told.checked, expected);
        prop_assert_eq!(told.written, metainfo.length);
        prop_assert!(told.failed.is_empty());
        files_are_right(&metainfo, &bytes, dir.path());
    }
}

#[test]
fn a_corrupt_byte_is_noticed_and_the_piece_may_come_again() {
    let dir = tempfile::tempdir().unwrap();
    let (metainfo, bytes) = torrent(0, &[(70_000, false), (100_000, false)], 5 * BLOCK, &[]);
    let mut bench = Bench::new(&metainfo, &bytes, dir.path());
    // Each block of a piece is corrupt once: hashed in order, kept ahead of its turn, or read back.
    for spoilt in 0..5 {
        for backwards in [false, true] {
            let mut blocks: Vec<_> = bench.blocks(0).collect();
            if backwards {
                blocks.reverse();
            }
            for (at, block) in blocks.into_iter().enumerate() {
                bench.give_spoilt(block, |data| data[16_000] ^= (at == spoilt) as u8);
            }
            bench.restart(0);
        }
    }
    let mut told = Told::default();
    bench.listen(&mut told, "ten corrupt pieces", |told| told.checked.len() == 10);
    assert_eq!(told.checked, [(0, false); 10]);
    bench.all_blocks().into_iter().for_each(|block| bench.give(block));
    let mut told = bench.end(Told::default());
    told.checked.sort();
    assert_eq!(told.checked, [(0, true), (1, true), (2, true)]);
    assert_eq!(told.found_corrupt, [(0, vec![0])], "only the first try counts");
    files_are_right(&metainfo, &bytes, dir.path());
}

/// The last block of the last piece is short, and the first piece is never corrupt.
#[test]
fn a_correct_piece_tells_which_blocks_were_corrupt_before() {
    let dir = tempfile::tempdir().unwrap();
    let (metainfo, bytes) = torrent(7 * BLOCK + 100, &[], 4 * BLOCK, &[]);
    let mut bench = Bench::new(&metainfo, &bytes, dir.path());
    for (piece, begin) in bench.blocks(1).collect::<Vec<_>>() {
        bench.give_spoilt((piece, begin), |data| data[0] ^= (begin != 0 && begin != 2 * BLOCK_BYTES) as u8);
    }
    bench.restart(1);
    bench.all_blocks().into_iter().for_each(|block| bench.give(block));
    let told = bench.end(Told::default());
    assert_eq!(told.found_corrupt, [(1, vec![BLOCK_BYTES, 3 * BLOCK_BYTES])]);
}

#[test]
fn digests_of_corrupt_pieces_are_limited_and_go_with_their_torrent() {
    let dir = tempfile::tempdir().unwrap();
    let pieces = 2 * MOST_DIGESTS;
    let (metainfo, bytes) = torrent(pieces * 10, &[], 10, &[]);
    let content = open(&metainfo, dir.path(), false);
    write_blocks(&content, 0, &[bytes]).unwrap();
    let mut failed = Failed::default();
    (0..pieces as u32).for_each(|piece| failed.remember(&content, piece).unwrap());
    assert_eq!(failed.len(), MOST_DIGESTS);
    assert_eq!(failed.corrupt_blocks(&content, 0), [], "nothing has changed");
    assert_eq!(failed.len(), MOST_DIGESTS - 1);
    failed.forget(TorrentId(0));
    assert_eq!(failed.len(), 0);
}

#[test]
fn a_piece_that_starts_over_forgets_its_blocks() {
    let dir = tempfile::tempdir().unwrap();
    let (metainfo, bytes) = torrent(4 * BLOCK, &[], 4 * BLOCK, &[]);
    let mut bench = Bench::new(&metainfo, &bytes, dir.path());
    // One hashed, the other ahead of its turn; both corrupt.
    for begin in [0, 2 * BLOCK_BYTES] {
        bench.give_spoilt((0, begin), |data| data.fill(0));
    }
    bench.restart(0);
    bench.all_blocks().into_iter().for_each(|block| bench.give(block));
    let told = bench.end(Told::default());
    assert_eq!(told.checked, [(0, true)]);
    assert_eq!(told.written, 6 * BLOCK as u64, "the memory of forgotten blocks is free again");
    files_are_right(&metainfo, &bytes, dir.path());
}

#[test]
fn kept_and_unreported_blocks_take_three_quarters_of_the_budget_at_most() {
    let dir = tempfile::tempdir().unwrap();
    let (metainfo, bytes) = torrent(6 * 40 * BLOCK + 1, &[], 40 * BLOCK, &[]);
    let mut bench = Bench::new(&metainfo, &bytes, dir.path());
    let (first, others): (Vec<_>, Vec<_>) = bench.all_blocks().into_iter().partition(|(_, begin)| *begin == 0);
    // The blocks come round by round, so that blocks of all pieces are kept.
    let mut others = others;
    others.sort_by_key(|(_, begin)| *begin);
    others.iter().for_each(|&block| bench.give(block));
    let given = others.len() as u64 * BLOCK as u64;
    let mut told = Told::default();
    let enough = |told: &Told| given - told.written <= BUDGET / KEPT_SHARE + BUDGET / REPORT_SHARE;
    bench.listen(&mut told, "all but the kept blocks are written", enough);
    assert!(told.written < given, "no block ahead of its turn is kept");
    assert!(told.checked.is_empty() && told.failed.is_empty());
    // A block is on disk before its turn comes, so it can be read back.
    first.iter().for_each(|&block| bench.give(block));
    let mut told = bench.end(told);
    told.checked.sort();
    assert_eq!(told.checked, (0..7).map(|piece| (piece, true)).collect::<Vec<_>>());
    assert_eq!(told.written, metainfo.length);
    files_are_right(&metainfo, &bytes, dir.path());
}

#[test]
fn blocks_are_read_back_from_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let (metainfo, bytes) = torrent(40 * BLOCK, &[], 40 * BLOCK, &[]);
    let mut bench = Bench::new(&metainfo, &bytes, dir.path());
    (1..40).for_each(|block| bench.give((0, block * BLOCK_BYTES)));
    let mut told = Told::default();
    let kept = BUDGET / KEPT_SHARE;
    bench.listen(&mut told, "most blocks are written", |told| told.written >= 39 * BLOCK as u64 - kept);
    // The last block is beyond what is kept. Its bytes are changed before the piece is complete.
    write_blocks(&bench.content, 39 * BLOCK as u64, &[vec![0; BLOCK]]).unwrap();
    bench.give((0, 0));
    assert_eq!(bench.end(told).checked, [(0, false)]);
}

#[test]
fn a_failed_write_is_reported_with_the_name_of_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let (metainfo, bytes) = torrent(0, &[(2 * BLOCK, false), (2 * BLOCK, false)], BLOCK, &[]);
    let mut bench = Bench::new(&metainfo, &bytes, dir.path());
    let path = dir.path().join(metainfo.files.at(1).path());
    fs::create_dir_all(&path).unwrap();
    bench.all_blocks().into_iter().for_each(|block| bench.give(block));
    let mut told = bench.end(Told::default());
    told.checked.sort();
    assert_eq!(told.checked, [(0, true), (1, true)], "only what is written is verified");
    assert_eq!(told.failed.len(), 2);
    for problem in &told.failed {
        assert_eq!(problem.text, format!("can't make {}: there is a folder where the file should be", path.display()));
    }
    assert_eq!(told.written, metainfo.length, "its memory is free again");
}

#[test]
fn a_torrent_that_ended_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let (metainfo, bytes) = torrent(40 * BLOCK, &[], 4 * BLOCK, &[]);
    let mut bench = Bench::new(&metainfo, &bytes, dir.path());
    let ahead: Vec<_> = bench.all_blocks().into_iter().filter(|(_, begin)| *begin > 0).collect();
    ahead.iter().for_each(|&block| bench.give(block));
    let mut told = Told::default();
    let given = ahead.len() as u64 * BLOCK as u64;
    bench.listen(&mut told, "all but the kept blocks", |told| given - told.written <= BUDGET / KEPT_SHARE);
    assert!(told.written < given);
    bench.disk.forget(&bench.content);
    bench.listen(&mut told, "the kept blocks", |told| told.written == given);
    // If anything were remembered, the first blocks alone would complete the pieces.
    (0..10).for_each(|piece| bench.give((piece, 0)));
    assert!(bench.end(told).checked.is_empty());
}

#[test]
fn the_room_for_kept_blocks_is_counted_to_the_byte() {
    let dir = tempfile::tempdir().unwrap();
    let (metainfo, bytes) = torrent(6 * BLOCK + 100, &[], 4 * BLOCK, &[]);
    let (manager, inbox) = crossbeam_channel::unbounded();
    let room = Room { budget_bytes: KEPT_SHARE * 2 * BLOCK as u64, threads: Arc::default() };
    let mut worker = Worker::new(0, manager, Blocks::new(BUDGET), room);
    let content = open(&metainfo, dir.path(), false);
    let mut write = |piece: u32, block: usize, kept: u64| {
        let at = piece as usize * 4 * BLOCK + block * BLOCK;
        let data = bytes[at..bytes.len().min(at + BLOCK)].to_vec();
        let begin = block as u32 * BLOCK_BYTES;
        worker.write(Run { content: Arc::clone(&content), piece, begin, blocks: vec![data] });
        assert_eq!(worker.kept_bytes, kept, "after block {block} of piece {piece}");
    };
    let block = BLOCK as u64;
    write(0, 1, block);
    write(1, 2, block + 100);
    write(0, 3, block + 100);
    // Hashed in their turn, or read back when everything has arrived.
    write(0, 0, 100);
    write(0, 2, 100);
    write(1, 1, block + 100);
    worker.forget(TorrentId(0), 1);
    assert_eq!((worker.kept_bytes, worker.pieces.len()), (0, 0));
    let mut told = Told::default();
    worker.report();
    inbox.try_iter().for_each(|input| told.note(input));
    assert_eq!((told.checked, told.written), (vec![(0, true)], 5 * block + 100));
}

#[test]
fn everything_before_is_done_when_the_threads_say_so() {
    let dir = tempfile::tempdir().unwrap();
    let (metainfo, bytes) = torrent(12 * 4 * BLOCK, &[], 4 * BLOCK, &[]);
    let mut bench = Bench::new(&metainfo, &bytes, dir.path());
    bench.all_blocks().into_iter().for_each(|block| bench.give(block));
    bench.disk.finish();
    let (device, threads) = (bench.content.device(), bench.disk.devices[&bench.content.device()].threads.len());
    let mut told = Told::default();
    bench.listen(&mut told, "all threads are done", |told| told.done == threads);
    assert_eq!(bench.disk.busy(), [device]);
    (0..threads).for_each(|_| bench.disk.done(device));
    assert_eq!(bench.disk.busy(), []);
    assert_eq!((told.checked.len(), told.written), (12, metainfo.length));
    files_are_right(&metainfo, &bytes, dir.path());
}

#[test]
fn a_device_has_its_threads_from_its_first_torrent_to_its_last() {
    let dir = tempfile::tempdir().unwrap();
    let (metainfo, bytes) = torrent(3000, &[], 1000, &[]);
    let mut bench = Bench::new(&metainfo, &bytes, dir.path());
    let other = open(&metainfo, dir.path(), false);
    bench.disk.begin(&other).unwrap();
    let threads = bench.disk.room.threads.load(Ordering::Relaxed);
    assert_eq!((bench.disk.devices.len(), bench.disk.devices[&other.device()].threads.len()), (1, threads));
    bench.disk.end(&bench.content);
    assert_eq!(bench.disk.devices.len(), 1);
    bench.disk.end(&other);
    bench.disk.end(&other);
    assert_eq!(bench.disk.devices.len(), 0);
}
