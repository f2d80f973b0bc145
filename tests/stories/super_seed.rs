//! Stories of super-seeding (BEP 16): the seed shows each peer one piece at a time.

use crate::common::asker::{Asker, BLOCK};
use crate::common::content::Content;
use crate::common::peers::{Peer, Plan, Program};
use crate::common::stage::Stage;
use crate::common::swarmlet::Swarmlet;
use crate::common::tools::{here, say};
use crate::common::wait::PATIENCE;
use std::path::PathBuf;
use std::time::Instant;

const PIECE: usize = 64 * 1024;
const HAVE: u8 = 4;
const HAVE_NONE: u8 = 15;
const REJECT: u8 = 16;

fn stage(size: usize) -> Stage {
    Stage::new(Content::one_file("a file.bin", size), PIECE)
}

/// A running super-seed and its port.
fn super_seed(stage: &Stage, options: &[&str]) -> (Swarmlet, u16) {
    stage.serve(&[&["--super-seed", "--json"], options].concat())
}

/// The piece of a have message, which must be the next message.
fn have(asker: &mut Asker) -> u32 {
    let (id, body) = asker.hear().expect("the seed stays");
    assert_eq!((id, body.len()), (HAVE, 4), "the next message is not a have");
    u32::from_be_bytes(body.try_into().unwrap())
}

#[test]
fn a_peer_sees_one_piece_and_the_next_when_another_has_the_first() {
    let stage = stage(8 * PIECE);
    let (seed, port) = super_seed(&stage, &[]);
    let mut one = Asker::connect(port, &stage.torrent, 1, true);
    let mut other = Asker::connect(port, &stage.torrent, 2, false);
    assert_eq!(one.hear().unwrap().0, HAVE_NONE);
    let (first, of_other) = (have(&mut one), have(&mut other));
    assert_ne!(first, of_other);

    one.send(2, &[]).unwrap();
    while one.hear().expect("the seed stays").0 != 1 {}
    for begin in (0..PIECE as u32).step_by(BLOCK as usize) {
        one.ask(first, begin).unwrap();
        let start = first as usize * PIECE + begin as usize;
        assert!(one.block().unwrap() == stage.content.files[0].1[start..start + BLOCK as usize]);
    }
    one.send(HAVE, &first.to_be_bytes()).unwrap();
    // The piece that it was not shown is refused, and no message came before this reject.
    one.ask(of_other, 0).unwrap();
    assert_eq!(one.hear().unwrap().0, REJECT, "a further piece was shown too early");

    other.send(HAVE, &first.to_be_bytes()).unwrap();
    let second = have(&mut one);
    assert!(second != first && second != of_other, "{first}, {of_other}, {second}");
    seed.terminate().assert_code(0);
}

/// Two peers of each program fetch from a slow seed.
#[test]
fn other_programs_fetch_everything_and_the_seed_uploads_little_more_than_once() {
    let programs = [Program::Libtorrent, Program::Aria2];
    if !here(&programs.map(Program::tool)) {
        return;
    }
    let stage = stage(160 * PIECE + 12_345);
    let begin = Instant::now();
    let mut leechers: Vec<(Peer, PathBuf)> = Vec::new();
    let (seed, _) = super_seed(&stage, &["--max-upload-rate", "1000"]);
    for (number, program) in [programs, programs].concat().into_iter().enumerate() {
        let dir = stage.path().join(format!("copy {number}"));
        leechers.push((Plan::fetch(program, &stage.torrent, &dir, stage.path()).start(), dir));
    }
    for (leecher, dir) in &mut leechers {
        leecher.wait_until_fetched(PATIENCE);
        stage.content.assert_same_in(dir);
    }
    let outcome = seed.interrupt();
    outcome.assert_code(0);
    let percent = outcome.json("stopped")["uploaded"].as_u64().unwrap() * 100 / stage.content.size();
    say(&format!("the seed uploaded {percent} % of the content, in {:.1} s", begin.elapsed().as_secs_f64()));
    assert!(percent < 120, "{percent} %");
}

/// It need not wait until another peer has its first piece.
#[test]
fn a_single_leecher_fetches_everything() {
    if !here(&[Program::Libtorrent.tool()]) {
        return;
    }
    let stage = stage(40 * PIECE);
    let (seed, _) = super_seed(&stage, &[]);
    let dir = stage.path().join("copy");
    Plan::fetch(Program::Libtorrent, &stage.torrent, &dir, stage.path()).start().wait_until_fetched(PATIENCE);
    stage.content.assert_same_in(&dir);
    seed.terminate().assert_code(0);
}
