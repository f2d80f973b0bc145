//! Torrents with web seeds, on a [`Stage`].

mod outage;
mod slow;

use crate::base::time::Time;
use crate::proto::bencode::Bencode;
use crate::proto::metainfo::Metainfo;
use crate::proto::peer::bitfield::Bitfield;
use crate::proto::peer::message::{BLOCK_BYTES, BlockSpec};
use crate::swarm::event::{DiskEvent, Event, PeerEvent, WebEvent};
use crate::swarm::peer::PeerKey;
use crate::swarm::settings::Settings;
use crate::swarm::simulation::parts::key;
use crate::swarm::simulation::stage::Stage;
use core::ops::Range;

/// Four blocks.
const PIECE: u64 = 4 * BLOCK_BYTES as u64;
/// Three files: two pieces and a half, a piece and a half, four pieces.
const FILES: [u64; 3] = [5 * PIECE / 2, 3 * PIECE / 2, 4 * PIECE];
const PIECES: u32 = 8;

/// A torrent of these files, which `seeds` web servers have.
fn metainfo(files: &[u64], seeds: usize, private: bool) -> Metainfo {
    let length: u64 = files.iter().sum();
    let file = |(number, length): (usize, &u64)| {
        let path = Bencode::list([format!("file {number}").as_str()]);
        Bencode::dict([("length", (*length as i64).into()), ("path", path)])
    };
    let mut info = vec![
        ("files", Bencode::List(files.iter().enumerate().map(file).collect())),
        ("name", "folder".into()),
        ("piece length", (PIECE as i64).into()),
        ("pieces", vec![7u8; 20 * length.div_ceil(PIECE) as usize].into()),
    ];
    if private {
        info.push(("private", 1i64.into()));
    }
    let urls: Vec<String> = (0..seeds).map(|number| format!("http://w{number}.example/")).collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    Metainfo::parse(&Bencode::dict([("info", Bencode::dict(info)), ("url-list", Bencode::list(urls))]).encode())
        .unwrap()
}

/// A torrent of [`FILES`] with `seeds` web seeds, of which those that it wants to ask are ready.
fn stage(seeds: usize) -> Stage {
    stage_of(&FILES, seeds)
}

fn stage_of(files: &[u64], seeds: usize) -> Stage {
    let metainfo = metainfo(files, seeds, false);
    let settings = Settings { sequential: true, max_peers: 2, ..Settings::default() };
    let mut stage = Stage::with(&metainfo, Bitfield::new(metainfo.piece_count()), settings);
    stage.pass(Time::from_secs(1));
    stage.all_ready();
    stage
}

/// The name of the connection with the web seed of this number.
fn web(number: usize) -> PeerKey {
    key(100 + number as u32)
}

impl Stage {
    fn web_seed(&mut self, number: usize, event: WebEvent) {
        self.happen(Event::Peer(web(number), PeerEvent::WebSeed(event.into())));
    }

    fn all_ready(&mut self) {
        for number in core::mem::take(&mut self.opened) {
            self.web_seed(number, WebEvent::Ready { number });
        }
    }

    /// The server says that it can't send anything now.
    fn fails(&mut self, number: usize, pause: Option<Time>) {
        self.fails_with(number, None, pause);
    }

    fn fails_with(&mut self, number: usize, file: Option<Range<u64>>, pause: Option<Time>) {
        let why = "the server returned HTTP status 503".into();
        self.web_seed(number, WebEvent::Failed { file, why, pause, our_fault: false });
        self.happen(Event::Peer(web(number), PeerEvent::Gone));
    }

    /// Takes what a peer was asked for.
    fn take_asked(&mut self, of: PeerKey) -> Vec<BlockSpec> {
        let (now, later) = core::mem::take(&mut self.asked).into_iter().partition(|(peer, _)| *peer == of);
        self.asked = later;
        let now: Vec<(PeerKey, BlockSpec)> = now;
        now.into_iter().map(|(_, block)| block).collect()
    }

    /// A block comes, and is on the disk.
    fn comes(&mut self, from: PeerKey, block: BlockSpec) {
        let BlockSpec { piece, begin, length } = block;
        self.happen(Event::Peer(from, PeerEvent::Block { piece, begin, data: vec![0; length as usize] }));
        self.shared.budget.written(length.into());
    }

    /// All that it was asked for comes, until nothing more is asked. Each piece that is complete is right if `is_good`
    /// says so.
    fn brings_all(&mut self, from: PeerKey, is_good: impl Fn(u32) -> bool) {
        let mut most = 1000;
        loop {
            let asked = self.take_asked(from);
            if asked.is_empty() {
                return;
            }
            for block in asked {
                most -= 1;
                assert!(most > 0, "it is asked without end");
                self.comes(from, block);
                let piece = block.piece;
                if self.disk.get(&piece).is_some_and(|bytes| u64::from(*bytes) >= PIECE) {
                    self.disk.remove(&piece);
                    self.happen(Event::Disk(DiskEvent::Checked { piece, good: is_good(piece) }));
                }
            }
        }
    }

    fn pieces_asked(&mut self, of: PeerKey) -> Vec<u32> {
        let mut pieces: Vec<u32> = self.take_asked(of).iter().map(|block| block.piece).collect();
        pieces.dedup();
        pieces
    }

    fn why(&self) -> Vec<(String, String, Option<u64>)> {
        let troubles = self.torrent.status(self.now).web_seed_troubles.into_iter();
        troubles.map(|it| (it.host.to_string(), it.why, it.again.map(|again| again.as_secs()))).collect()
    }
}

#[test]
fn a_web_seed_alone_brings_everything() {
    let mut stage = stage(1);
    let status = stage.torrent.status(stage.now);
    assert_eq!((status.web_seeds, status.peers, status.seeds, status.askable), (1, 0, 0, 1));
    stage.brings_all(web(0), |_| true);
    assert!(stage.torrent.is_seeding());
    assert_eq!(stage.closed, [(web(0), "it has everything, and we have all we want")]);
    assert_eq!(stage.torrent.audit(), 0);
    stage.pass(Time::from_secs(3600));
    assert_eq!(stage.opened, [0; 0], "a seed needs no web seed");
}

#[test]
fn a_private_torrent_uses_its_web_seeds() {
    let mut stage = Stage::with(&metainfo(&FILES, 1, true), Bitfield::new(PIECES), Settings::default());
    stage.pass(Time::from_secs(1));
    stage.all_ready();
    stage.brings_all(web(0), |_| true);
    assert!(stage.torrent.is_seeding());
}

#[test]
fn four_are_asked_at_once_and_the_others_are_spares() {
    let mut stage = stage(6);
    assert_eq!(stage.torrent.status(stage.now).web_seeds, 4);
    stage.fails(2, None);
    assert_eq!(stage.opened, [4]);
    stage.all_ready();
    stage.fails(0, None);
    assert_eq!(stage.opened, [5]);
    stage.all_ready();
    stage.fails(1, None);
    assert_eq!(stage.opened, [0; 0], "those that failed wait");
    stage.pass(Time::from_secs(19));
    assert_eq!(stage.opened, [0; 0], "still");
}

#[test]
fn it_takes_no_place_of_a_peer() {
    let mut stage = stage(3);
    stage.seed_comes(2, 2, true);
    stage.seed_comes(3, 3, true);
    let status = stage.torrent.status(stage.now);
    assert_eq!((status.peers, status.web_seeds), (2, 3));
    stage.seed_comes(4, 4, true);
    assert_eq!(stage.closed, [(key(4), "there are enough peers")], "the places are those of peers");
}

#[test]
fn a_server_that_fails_is_asked_again_after_longer_and_longer_pauses() {
    let mut stage = stage(1);
    for pause in [30, 60, 120] {
        stage.fails(0, None);
        stage.pass(Time::from_secs(pause - 1));
        assert_eq!(stage.opened, [0; 0], "not after {} s", pause - 1);
        assert_eq!(stage.why()[0].2, Some(1));
        stage.pass(Time::from_secs(1));
        assert_eq!(stage.opened, [0], "after {pause} s");
        stage.asked.clear();
        stage.all_ready();
    }
    let block = stage.take_asked(web(0))[0];
    assert_eq!(block.piece, 0, "no file is to blame");
    stage.comes(web(0), block);
    stage.fails(0, None);
    assert_eq!(stage.why()[0].2, Some(30), "it worked");
}

#[test]
fn a_server_may_ask_for_a_pause_of_an_hour_and_not_more() {
    for (asked, kept) in [(45, 45), (1, 30), (3600, 3600), (1 << 40, 3600)] {
        let mut stage = stage(1);
        stage.fails(0, Some(Time::from_secs(asked)));
        let why = ("w0.example".to_string(), "the server returned HTTP status 503".to_string(), Some(kept));
        assert_eq!(stage.why(), [why]);
    }
}

#[test]
fn a_file_that_is_not_there_is_not_asked_for_again_and_others_are() {
    let mut stage = stage(1);
    assert_eq!(stage.take_asked(web(0))[0].piece, 0);
    stage.web_seed(0, WebEvent::NotThere { file: 0..FILES[0], why: "a file is not there".into() });
    assert_eq!(stage.pieces_asked(web(0))[0], 3, "piece 2 has bytes of the first file, too");
    assert_eq!(stage.closed, []);
    stage.torrent.audit();
    stage.seed_comes(2, 2, true);
    assert_eq!(stage.pieces_asked(key(2))[0], 0, "a peer is asked for it");
}

#[test]
fn a_server_that_has_none_of_the_files_is_off() {
    let mut stage = stage(2);
    let mut begin = 0;
    for length in FILES {
        let file = begin..begin + length;
        begin += length;
        stage.web_seed(0, WebEvent::NotThere { file, why: "a file is not there".into() });
    }
    assert_eq!(stage.closed, [(web(0), "it has none of the files")]);
    assert_eq!(stage.why(), [("w0.example".to_string(), "a file is not there".to_string(), None)]);
    stage.pass(Time::from_secs(10));
    assert_eq!(stage.opened, [0; 0]);
    stage.brings_all(web(1), |_| true);
    assert!(stage.torrent.is_seeding(), "the other one has them");
}

#[test]
fn a_stale_file_is_fetched_elsewhere_and_nobody_is_banned() {
    let mut stage = stage(2);
    // Both are asked for the pieces of the third file: 4 to 7. Only the first server sends the wrong ones.
    let mut from = [Vec::new(), Vec::new()];
    for round in 0..20 {
        for number in [0, 1] {
            for block in stage.take_asked(web(number)) {
                stage.comes(web(number), block);
                from[number].push(block.piece);
                if stage.disk.get(&block.piece).is_some_and(|bytes| u64::from(*bytes) >= PIECE) {
                    stage.disk.remove(&block.piece);
                    let good = block.piece < 4 || number == 1;
                    stage.happen(Event::Disk(DiskEvent::Checked { piece: block.piece, good }));
                }
            }
        }
        if stage.torrent.is_seeding() {
            break;
        }
        assert!(round < 19, "it is not complete: {from:?}");
    }
    let liars = stage.torrent.status(stage.now).liars;
    assert_eq!(liars, 0);
    assert!(
        stage.closed.iter().all(|(_, why)| *why == "it has everything, and we have all we want"),
        "{:?}",
        stage.closed
    );
}

/// After the hash of a piece was wrong, the pieces that the only web seed is still asked for.
fn left_after_wrong(files: &[u64], wrong: u32) -> Vec<u32> {
    let mut stage = stage_of(files, 1);
    stage.brings_all(web(0), |piece| piece != wrong);
    (0..PIECES).filter(|piece| stage.torrent.have().get(*piece)).collect()
}

#[test]
fn a_wrong_piece_of_one_file_costs_the_file_and_of_two_files_only_itself() {
    assert_eq!(left_after_wrong(&FILES, 5), [0, 1, 2, 3, 4], "the third file is stale");
    assert_eq!(left_after_wrong(&FILES, 2), [0, 1, 3, 4, 5, 6, 7], "the first or the second is");
    let mut single = stage_of(&[8 * PIECE], 1);
    single.brings_all(web(0), |piece| piece != 3);
    assert_eq!(single.closed, [(web(0), "it has none of the files")], "there is only one file");
}

#[test]
fn a_block_that_is_found_corrupt_later_counts_too() {
    let mut stage = stage(1);
    let asked = stage.take_asked(web(0));
    stage.comes(web(0), asked[0]);
    stage.fails(0, None);
    // A peer brings the rest of the piece.
    stage.seed_comes(2, 2, true);
    let rest = stage.take_asked(key(2));
    rest.iter().filter(|block| block.piece == 0).for_each(|block| stage.comes(key(2), *block));
    stage.happen(Event::Disk(DiskEvent::Checked { piece: 0, good: false }));
    stage.happen(Event::Disk(DiskEvent::FoundCorrupt { piece: 0, begins: vec![0] }));
    stage.happen(Event::Disk(DiskEvent::Checked { piece: 0, good: true }));
    assert_eq!(stage.why()[0].1, "a file differs from the torrent's");
    assert!(stage.closed.is_empty(), "the peer is not to blame: {:?}", stage.closed);
}

/// The lie of an earlier connection counts for the one that is open now, which is another peer.
#[test]
fn a_block_of_an_earlier_connection_that_is_found_corrupt_costs_the_file() {
    let mut stage = stage(1);
    let asked = stage.take_asked(web(0));
    stage.comes(web(0), asked[0]);
    stage.fails(0, None);
    stage.pass(Time::from_secs(31));
    let number = stage.opened.pop().expect("it is asked again");
    let again = key(200);
    stage.happen(Event::Peer(again, PeerEvent::WebSeed(WebEvent::Ready { number }.into())));
    for block in stage.take_asked(again).into_iter().filter(|block| block.piece == 0) {
        stage.comes(again, block);
    }
    stage.happen(Event::Disk(DiskEvent::Checked { piece: 0, good: false }));
    stage.happen(Event::Disk(DiskEvent::FoundCorrupt { piece: 0, begins: vec![0] }));
    let has = stage.torrent.peer_list(stage.now).len();
    assert_eq!((has, stage.why().len()), (1, 0), "it is still open");
    assert_eq!(stage.pieces_asked(again).iter().min(), Some(&3), "the first file is not asked for any more");
}

#[test]
fn a_server_that_sends_wrong_answers_for_a_file_is_asked_for_others() {
    let mut stage = stage(1);
    for pause in [30, 60, 120] {
        assert_eq!(stage.pieces_asked(web(0))[0], 0);
        stage.fails_with(0, Some(0..FILES[0]), None);
        stage.pass(Time::from_secs(pause));
        stage.all_ready();
    }
    assert_eq!(stage.pieces_asked(web(0))[0], 3, "not for the first file any more");
}

#[test]
fn a_pause_ends_the_connection_and_afterwards_it_is_opened_again() {
    let mut stage = stage(1);
    assert!(!stage.take_asked(web(0)).is_empty());
    stage.opened.clear();
    stage.happen(Event::Paused(true));
    assert_eq!((stage.closed.len(), stage.torrent.audit()), (1, 0));
    stage.pass(Time::from_secs(3600));
    assert_eq!(stage.opened, [0; 0]);
    stage.happen(Event::Paused(false));
    assert_eq!(stage.opened, [0]);
    stage.all_ready();
    stage.brings_all(web(0), |_| true);
    assert!(stage.torrent.is_seeding());
}

#[test]
fn a_torrent_whose_process_has_no_room_waits_and_does_not_spin() {
    let metainfo = metainfo(&FILES, 1, false);
    let mut stage = Stage::with(&metainfo, Bitfield::new(PIECES), Settings::default());
    stage.shared.most_connected = 0;
    stage.pass(Time::from_secs(60));
    assert_eq!(stage.opened, [0; 0]);
    stage.shared.most_connected = 10;
    stage.pass(Time::from_secs(6));
    assert_eq!(stage.opened, [0]);
    stage.happen(Event::WebSeedFailed { number: 0 });
    assert_eq!(stage.opened, [0]);
    assert_eq!(stage.why()[0].1, "no thread can be started to ask it");
}

#[test]
fn places_of_files_are_found() {
    let list = super::WebSeeds::new(&metainfo(&FILES, 1, false), Time::ZERO);
    let file = |bytes: Range<u64>| list.file_of(bytes);
    assert_eq!(file(0..PIECE), Some(0..FILES[0]));
    assert_eq!(file(2 * PIECE..3 * PIECE), None, "two files");
    assert_eq!(file(7 * PIECE..8 * PIECE), Some(4 * PIECE..8 * PIECE));
}
