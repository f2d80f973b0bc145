//! Two hundred members without a tracker. Each knows one other; peer exchange (BEP 11) makes them a swarm.

use super::parts::metainfo;
use super::swarm::{Swarm, addr};
use crate::base::rng::Rng;
use crate::base::time::Time;
use crate::proto::peer::bitfield::Bitfield;
use crate::swarm::event::Event;
use crate::swarm::meeting::source::Source;
use crate::swarm::picking::budget::Budget;
use crate::swarm::settings::Settings;
use crate::swarm::shared::Shared;

const MEMBERS: usize = 200;
const PIECES: u32 = 8;
/// The most connections of each member.
const MOST_PEERS: usize = 12;

/// A line of members: each knows the one before it.
fn line(pex: bool) -> Swarm {
    let mut swarm = Swarm::new(metainfo(PIECES, 1, 0), Time::from_millis(50));
    swarm.dials = true;
    for number in 0..MEMBERS {
        add(&mut swarm, Bitfield::new(PIECES), pex, number.checked_sub(1));
    }
    swarm
}

fn add(swarm: &mut Swarm, have: Bitfield, pex: bool, knows: Option<usize>) {
    let number = swarm.members.len();
    let shared = Shared::new(Rng::new(number as u64), Budget::new(1 << 20));
    swarm.add(have, Settings { pex, max_peers: MOST_PEERS, ..Settings::default() }, shared);
    if let Some(other) = knows {
        swarm.happen(number, Event::Found { source: Source::Tracker, addrs: vec![addr(other)] });
    }
}

/// The fewest and the most connections of the members that have not left.
fn connections(swarm: &Swarm) -> (usize, usize) {
    let here = swarm.members.iter().filter(|member| !member.left);
    let counts = here.map(|member| member.torrent.status(swarm.now).peers as usize);
    counts.fold((usize::MAX, 0), |(least, most), count| (least.min(count), most.max(count)))
}

/// The members meet, every tenth leaves (which cuts the line), and a seed that one member knows comes. Returns whether
/// all get everything.
fn finishes(pex: bool) -> bool {
    let mut swarm = line(pex);
    swarm.run(Time::from_secs(150), |_| false);
    let (least, most) = connections(&swarm);
    println!("{least} to {most} connections after a while");
    assert!(if pex { least >= MOST_PEERS / 3 && most <= MOST_PEERS } else { most == 2 });
    (5..MEMBERS).step_by(10).for_each(|number| swarm.leave(number));
    let began = swarm.now;
    add(&mut swarm, Bitfield::full(PIECES), pex, Some(0));
    let all = |swarm: &Swarm| (0..MEMBERS).all(|number| swarm.members[number].left || swarm.whole(number));
    let done = swarm.run(began + Time::from_secs(60), all);
    println!("done: {done}, {:?} after the seed came", swarm.now - began);
    done
}

#[test]
fn two_hundred_members_hold_together_without_a_tracker() {
    assert!(finishes(true), "they did not become a swarm");
    assert!(!finishes(false), "the test shows nothing: the line would do");
}

/// Seeds disconnect from each other, so a seed can name only the seeds that left it recently.
#[test]
fn a_newcomer_learns_of_the_other_seeds_from_a_seed_that_parted_from_them() {
    let mut swarm = Swarm::new(metainfo(PIECES, 1, 0), Time::from_millis(50));
    swarm.dials = true;
    (0..10).for_each(|_| add(&mut swarm, Bitfield::full(PIECES), true, None));
    let others = (1..10).map(addr).collect();
    swarm.happen(0, Event::Found { source: Source::Tracker, addrs: others });
    swarm.run(Time::from_secs(30), |_| false);
    assert_eq!(connections(&swarm), (0, 0), "seeds have nothing to exchange");
    // It never gets a block, so that it stays a leecher.
    swarm.members.iter_mut().for_each(|member| member.mute = true);
    add(&mut swarm, Bitfield::new(PIECES), true, Some(0));
    swarm.run(Time::from_secs(60), |_| false);
    let sources = swarm.members[10].torrent.status(swarm.now).sources;
    let from_pex = Source::ALL.iter().zip(sources).find(|(source, _)| **source == Source::Pex);
    assert_eq!(from_pex.map(|(_, count)| count), Some(9));
}
