//! The words for the reasons of decisions, and the names of the rules.
//!
//! Floor 3, part of [`trace`](super). The reasons themselves are values of the pure floor, and its tests look at those.
//! The names never change, because programs read them. The words may.

use crate::base::time::Time;
use crate::base::units::{self, count};
use crate::swarm::event::Unserved;
use crate::swarm::giving::choker::{Deserves, ROUND};
use crate::swarm::picking::picker::Why;

/// Why a peer is served.
pub fn unchoke(why: &Deserves) -> String {
    match *why {
        Deserves::Gave { place, of, bytes } => {
            format!("{} fastest of {of}, {}", ordinal(place), units::rate(bytes / (2 * ROUND).as_secs()))
        }
        Deserves::GotLittle { place, of, turns } => {
            format!("{} of {of} that got least, after {}", ordinal(place), count(turns as usize, "turn"))
        }
        Deserves::Luck { of, is_new: true } => format!("the optimistic unchoke falls on it, a newcomer, of {of}"),
        Deserves::Luck { of, is_new: false } => format!("the optimistic unchoke falls on it, of {of}"),
        Deserves::LuckLasts { rounds: 0 } => "its optimistic unchoke lasts for this round".into(),
        Deserves::LuckLasts { rounds } => {
            format!("its optimistic unchoke lasts for {}", count(rounds as usize, "more round"))
        }
    }
}

/// The name of the rule by which a peer is served.
pub fn rule_of_unchoke(why: &Deserves) -> &'static str {
    match why {
        Deserves::Gave { .. } => "fastest",
        Deserves::GotLittle { .. } => "least",
        Deserves::Luck { .. } => "optimistic",
        Deserves::LuckLasts { .. } => "still-optimistic",
    }
}

/// Why a peer is served no more.
pub fn choke(why: &Unserved) -> String {
    match *why {
        Unserved::Others { slots } => format!("others get the {}", count(slots, "slot")),
        Unserved::NotInterested => "it wants nothing any more".into(),
        Unserved::OnlyTakes { got, gave } => {
            format!("it only takes: it got {} and gave {}", units::size(got), units::size(gave))
        }
        Unserved::Limited => "a limit of uploads begins; it may ask again".into(),
    }
}

/// The name of the rule by which a peer is served no more.
pub fn rule_of_choke(why: &Unserved) -> &'static str {
    match why {
        Unserved::Others { .. } => "others",
        Unserved::NotInterested => "not-interested",
        Unserved::OnlyTakes { .. } => "only-takes",
        Unserved::Limited => "limited",
    }
}

/// Why a piece was picked.
pub fn pick(why: &Why) -> String {
    match *why {
        Why::Own => "this peer fetches all of it".into(),
        Why::Retry => "its hash was wrong before, so it comes from one peer".into(),
        Why::Left { copies } => format!("begun and left, {}", copies_of(copies)),
        Why::AllowedFast => "the peer chokes us, and allows this one".into(),
        Why::InOrder => "the next in order".into(),
        Why::Suggested { copies } => format!("the peer suggests it, {}", copies_of(copies)),
        Why::RandomFirst { had } => format!("random, because we have only {}", count(had as usize, "piece")),
        Why::Rarest { copies } => format!("rarest, {}", copies_of(copies)),
        Why::RarestOfSome { copies } => format!("rarest of some, {}", copies_of(copies)),
        Why::Helps => "another peer is fetching it, and this one helps".into(),
        Why::TakesOver => "the only peer that may send it is too slow".into(),
        Why::Gap { pieces } => format!("a gap of {} that nobody fetches", count(pieces as usize, "piece")),
        Why::Endgame { askers, .. } => format!("asked of {}", count(askers.into(), "peer")),
    }
}

/// The name of the rule by which a piece was picked.
pub fn rule_of_pick(why: &Why) -> &'static str {
    match why {
        Why::Own => "own",
        Why::Retry => "retry",
        Why::Left { .. } => "left",
        Why::AllowedFast => "allowed-fast",
        Why::InOrder => "in-order",
        Why::Suggested { .. } => "suggested",
        Why::RandomFirst { .. } => "random-first",
        Why::Rarest { .. } => "rarest",
        Why::RarestOfSome { .. } => "rarest-of-some",
        Why::Helps => "helps",
        Why::TakesOver => "takes-over",
        Why::Gap { .. } => "gap",
        Why::Endgame { .. } => "endgame",
    }
}

/// Why others are asked for what a peer owes.
pub fn snub(silent: Time) -> String {
    format!("it owes blocks and sent none for {}", units::duration(silent))
}

/// How far a node is from what is looked up, if their ids begin with this many equal bits: the distance is the XOR of
/// the ids, read as a number.
pub fn distance(equal_bits: u32) -> String {
    match 159_u32.checked_sub(equal_bits) {
        Some(bit) => format!("at distance 2^{bit}"),
        None => "at distance 0".into(),
    }
}

fn copies_of(number: u32) -> String {
    if number == 1 { "1 copy".into() } else { format!("{number} copies") }
}

/// `1st`, `2nd`, `3rd`, `4th`, `11th`.
fn ordinal(place: usize) -> String {
    let end = match (place % 10, place % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{place}{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_read_as_in_the_book() {
        let gave = 212 * 1024 * (2 * ROUND).as_secs();
        assert_eq!(unchoke(&Deserves::Gave { place: 3, of: 11, bytes: gave }), "3rd fastest of 11, 212 KiB/s");
        let got = Deserves::GotLittle { place: 1, of: 4, turns: 2 };
        assert_eq!(unchoke(&got), "1st of 4 that got least, after 2 turns");
        assert_eq!(pick(&Why::Rarest { copies: 1 }), "rarest, 1 copy");
        assert_eq!(pick(&Why::Endgame { block: 3, askers: 2 }), "asked of 2 peers");
        assert_eq!(choke(&Unserved::Others { slots: 4 }), "others get the 4 slots");
        assert_eq!(snub(Time::from_secs(20)), "it owes blocks and sent none for 20 s");
        assert_eq!([0, 18, 160].map(distance), ["at distance 2^159", "at distance 2^141", "at distance 0"]);
        assert_eq!([2, 11, 12, 21, 103].map(ordinal), ["2nd", "11th", "12th", "21st", "103rd"]);
    }
}
