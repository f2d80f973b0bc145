//! What the engine writes into the trace (`--trace`), one file per subject.
//!
//! Floor 3. Each function looks first whether its subject is traced. The words for the reasons of decisions are in
//! [`words`], and nowhere else.

pub mod packets;
pub mod peers;
// Feature: replay.
#[cfg(feature = "replay")]
pub mod record;
#[cfg(not(feature = "replay"))]
#[path = "record/absent.rs"]
pub mod record;
pub mod words;

use crate::proto::choice::Choice;
use crate::proto::id::InfoHash;
use crate::proto::metainfo::Metainfo;
use crate::proto::peer::bitfield::Bitfield;
use crate::swarm::event::{Decision, Unserved};
use crate::swarm::giving::choker::{Chosen, Deserves};
use crate::swarm::peer::PeerKey;
use crate::swarm::picking::picker::{Pick, Why};
use crate::swarm::settings::{Settings, Term};
use crate::sys::trace::{self, Line, Subject, Way};
use std::fmt::Display;

/// Digits of an info-hash that a line about a decision shows: enough to tell a person's torrents apart.
const SHORT: usize = 8;

/// How a torrent begins, for a [record].
pub struct Beginning<'a> {
    /// Its shape.
    pub metainfo: &'a Metainfo,
    /// The pieces that are there.
    pub have: &'a Bitfield,
    /// The settings of all torrents.
    pub settings: &'a Settings,
    /// The files that are wanted; `None`: all, as usual.
    pub choice: Option<&'a Choice>,
    /// Bytes that were sent and received in earlier runs.
    pub before: (u64, u64),
    /// Bytes of its description, if peers may have that.
    pub described: Option<u32>,
    /// What is set for this torrent alone.
    pub terms: &'a [Term],
}

/// Whether torrents are to explain what they decide.
pub fn explains() -> bool {
    trace::is_on(Subject::Pick) || trace::is_on(Subject::Choke)
}

/// The peer that a decision is about.
pub fn peer_of(decision: &Decision) -> PeerKey {
    match decision {
        Decision::Unchoke(Chosen { peer, .. })
        | Decision::Choke { peer, .. }
        | Decision::Pick { peer, .. }
        | Decision::Snub { peer, .. } => *peer,
    }
}

/// The subject of a decision.
pub fn subject_of(decision: &Decision) -> Subject {
    if matches!(decision, Decision::Pick { .. }) { Subject::Pick } else { Subject::Choke }
}

/// Traces what a torrent decided about a peer.
pub fn decision(torrent: &InfoHash, peer: &dyn Display, decision: &Decision) {
    let subject = subject_of(decision);
    if trace::is_on(subject) {
        words_of(&|what| trace::line(subject, Way::Here, peer, what), torrent, decision).write();
    }
}

/// The same line for another trace than that of this process.
pub fn other_decision(is_json: bool, torrent: &InfoHash, peer: &dyn Display, decision: &Decision) -> Line {
    let subject = subject_of(decision);
    words_of(&|what| trace::other_line(is_json, subject, Way::Here, peer, what), torrent, decision)
}

/// The line about a decision, which `begin` begins.
fn words_of(begin: &dyn Fn(&str) -> Line, torrent: &InfoHash, decision: &Decision) -> Line {
    let begin = |what: &str| {
        let mut torrent = torrent.to_string();
        torrent.truncate(SHORT);
        begin(what).word("torrent", &torrent)
    };
    match decision {
        Decision::Unchoke(Chosen { why, .. }) => {
            deserves(begin("unchoke"), why).why(words::rule_of_unchoke(why), &words::unchoke(why))
        }
        Decision::Choke { why, .. } => unserved(begin("choke"), why).why(words::rule_of_choke(why), &words::choke(why)),
        Decision::Pick { pick, .. } => {
            picked(&begin, pick).why(words::rule_of_pick(&pick.why), &words::pick(&pick.why))
        }
        Decision::Snub { silent, .. } => {
            begin("snub").detail("silent", silent.as_secs()).why("silent", &words::snub(*silent))
        }
    }
}

fn deserves(line: Line, why: &Deserves) -> Line {
    match *why {
        Deserves::Gave { place, of, bytes } => {
            line.detail("place", place as u64).detail("of", of as u64).detail("bytes", bytes)
        }
        Deserves::GotLittle { place, of, turns } => {
            line.detail("place", place as u64).detail("of", of as u64).detail("turns", turns)
        }
        Deserves::Luck { of, .. } => line.detail("of", of as u64),
        Deserves::LuckLasts { rounds } => line.detail("rounds", rounds.into()),
    }
}

fn unserved(line: Line, why: &Unserved) -> Line {
    match *why {
        Unserved::Others { slots } => line.detail("slots", slots as u64),
        Unserved::OnlyTakes { got, gave } => line.detail("got", got).detail("gave", gave),
        Unserved::NotInterested | Unserved::Limited => line,
    }
}

fn picked(begin: &dyn Fn(&str) -> Line, pick: &Pick) -> Line {
    if let Why::Endgame { block, askers } = pick.why {
        let line = begin("endgame").number("piece", pick.piece.into()).number("block", block as u64);
        return line.detail("askers", askers.into());
    }
    if let Why::Gap { pieces } = pick.why {
        return begin("gap").number("piece", pick.piece.into()).number("pieces", pieces.into());
    }
    let line = begin("pick").number("piece", pick.piece.into()).number("blocks", pick.blocks as u64);
    match pick.why {
        Why::Left { copies } | Why::Suggested { copies } | Why::Rarest { copies } | Why::RarestOfSome { copies } => {
            line.detail("copies", copies.into())
        }
        Why::RandomFirst { had } => line.detail("had", had.into()),
        _ => line,
    }
}
