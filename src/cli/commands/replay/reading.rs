//! A line of a record with a time: what happened then.
//!
//! Floor 4, part of [`replay`](super). [`words`](crate::engine::trace::record::words) writes the lines.

use super::fields::{self, Fields, MOST_BYTES, number, wrong};
use super::header::{self, MOST_PEERS, pieces_of};
use crate::base::hex::from_hex;
use crate::proto::id::{InfoHash, PeerId};
use crate::proto::metainfo::MAX_PIECE_LENGTH;
use crate::proto::peer::extended::Extended;
use crate::proto::peer::handshake::{Handshake, Reserved};
use crate::proto::peer::message::{BLOCK_BYTES, BlockSpec, BodyKind, Message, body_kind, parse_body, parse_length};
use crate::proto::peer::mse::Cover;
use crate::proto::tracker::announce::{AnnounceEvent, AnnounceReply, AnnounceRequest, MAX_REPLY_PEERS, RetryIn};
use crate::swarm::event::{DiskEvent, Event, PeerEvent, WebEvent};
use crate::swarm::giving::grant::Report;
use crate::swarm::meeting::announcer::{AnnounceFailure, Announcement, Ask, Outcome};
use crate::swarm::meeting::source::Source;
use crate::swarm::peer::PeerKey;
use crate::swarm::settings::RateLimits;
use crate::swarm::shared::Outside;
use crate::swarm::standing::{DiskTrouble, Problem};
use core::net::{Ipv4Addr, SocketAddr};
use core::num::NonZeroU32;
use core::ops::{Range, RangeInclusive};
use std::sync::Arc;

/// Most addresses in one line: as many as a tracker's reply or a thread of the engine names at once.
const MOST_ADDRS: usize = 10_000;
/// Most pieces or blocks in one line: as many as the largest piece has blocks. (A report of a peer's threads names
/// fewer.)
const MOST_NUMBERS: usize = (MAX_PIECE_LENGTH / BLOCK_BYTES) as usize;
/// What stands for a text: texts are not recorded.
const NO_TEXT: &str = "it is not recorded why";

/// The torrent that the lines are about.
pub struct Shape {
    /// The info-hash.
    pub info_hash: InfoHash,
    /// The number of pieces.
    pub pieces: u32,
    /// The bytes of the content.
    pub length: u64,
    /// The number of web seeds.
    pub web_seeds: usize,
    /// The URLs of the trackers, by their numbers.
    pub trackers: Vec<Arc<str>>,
}

/// What a line says.
pub enum Input {
    /// An event.
    Event(Event),
    /// The torrent is to leave its swarm.
    Stop,
    /// Something happened outside.
    Outside(Outside),
    /// The generator of random numbers is in this state.
    Check(u64),
    /// The rest was not recorded. The reason is for people.
    Over(String),
}

/// What happened outside of the torrent, if `word` begins a line about that.
pub fn outside(word: &str, rest: &mut Fields) -> Result<Option<Outside>, String> {
    let outside = match word {
        "written" => Outside::Written {
            disk: rest.number("a disk", 0..=u64::MAX)?,
            bytes: rest.bytes("bytes that were written")?,
        },
        "free-memory" => Outside::FreeMemory(rest.bytes("bytes of memory")?),
        "all-limits" => Outside::Limits(RateLimits {
            download: rest.rate("a limit of downloads")?,
            upload: rest.rate("a limit of uploads")?,
        }),
        "most-connected" => Outside::MostConnected(rest.number("a number of connections", 0..=MOST_PEERS)? as usize),
        "way-out-lost" => Outside::WayOutLost,
        "way-out-back" => Outside::WayOutBack,
        "turn-to" => {
            let disk = rest.number("a disk", 0..=u64::MAX)?;
            Outside::TurnTo { disk, several: rest.yes("several disks")? }
        }
        _ => return Ok(None),
    };
    Ok(Some(outside))
}

/// What a line says that begins with `word`, after its time. `line`: all of it.
pub fn input(word: &str, rest: &mut Fields, shape: &Shape, line: &str) -> Result<Input, String> {
    let input = match word {
        "stop" => Input::Stop,
        "check" => Input::Check(rest.seed()?),
        "over" => {
            let why = line.split_once("# ").map_or("", |(_, why)| why);
            Input::Over(why.into())
        }
        word => match outside(word, rest)? {
            Some(outside) => Input::Outside(outside),
            None => Input::Event(shape.event(word, rest)?),
        },
    };
    rest.end()?;
    Ok(input)
}

impl Shape {
    fn event(&self, word: &str, rest: &mut Fields) -> Result<Event, String> {
        Ok(match word {
            "peer" => {
                let key = rest.number("the number of a peer", 1..=u32::MAX.into())? as u32;
                let key = PeerKey(NonZeroU32::new(key).unwrap_or(NonZeroU32::MIN));
                Event::Peer(key, self.of_peer(rest)?)
            }
            "connect-failed" => Event::ConnectFailed { addr: rest.addr()?, our_fault: rest.yes("our fault")? },
            "no-thread" => Event::WebSeedFailed { number: self.web_seed(rest)? },
            "found" => Event::Found { source: source(rest.word("a source")?)?, addrs: addrs(rest)? },
            "answered" => self.answered(rest)?,
            "paused" => Event::Paused(rest.yes("paused")?),
            "term" => Event::Terms(header::term(rest)?),
            "let-go" => Event::LetGo(rest.number("a number of peers", 0..=MOST_PEERS)? as usize),
            "announce-now" => Event::AnnounceNow,
            "sequential" => Event::Sequential(rest.yes("in order")?),
            "online" => Event::Online,
            "announce-again" => Event::AnnounceAgain,
            "budget-freed" => Event::BudgetFreed,
            "description-gone" => Event::DescriptionGone,
            "timer" => Event::Timer,
            word => Event::Disk(self.of_disk(word, rest)?),
        })
    }

    fn piece(&self, rest: &mut Fields) -> Result<u32, String> {
        // At most MAX_PIECES.
        Ok(rest.number("a piece", self.all())? as u32)
    }

    /// The numbers of the pieces. (There is at least one.)
    fn all(&self) -> RangeInclusive<u64> {
        0..=u64::from(self.pieces).saturating_sub(1)
    }

    fn web_seed(&self, rest: &mut Fields) -> Result<usize, String> {
        let number = rest.number("the number of a web seed", 0..=u64::from(u16::MAX))? as usize;
        if number < self.web_seeds { Ok(number) } else { Err(format!("expected one of {} web seeds", self.web_seeds)) }
    }

    fn of_peer(&self, rest: &mut Fields) -> Result<PeerEvent, String> {
        Ok(match rest.word("what the peer did")? {
            "connected" => self.connected(rest)?,
            "message" => PeerEvent::Message(self.message(&fields::bytes(rest.word("a message")?)?)?),
            "block" => {
                let (piece, begin) = (u32_of(rest, "a piece")?, u32_of(rest, "where the block begins")?);
                let length = rest.number("bytes of a block", 1..=BLOCK_BYTES.into())? as usize;
                PeerEvent::Block { piece, begin, data: vec![0; length] }
            }
            "uploaded" => PeerEvent::Uploaded { bytes: rest.number("bytes", 0..=u32::MAX.into())? },
            "served" => {
                let bytes = rest.number("bytes", 0..=u32::MAX.into())?;
                PeerEvent::Served(Report { bytes, pieces: rest.numbers("a piece", MOST_NUMBERS, self.all())? })
            }
            "described" => PeerEvent::Described,
            "gone" => PeerEvent::Gone,
            word => PeerEvent::WebSeed(Box::new(self.of_web_seed(word, rest)?)),
        })
    }

    fn connected(&self, rest: &mut Fields) -> Result<PeerEvent, String> {
        let addr = rest.addr()?;
        let outgoing = match rest.word("in or out")? {
            "in" => false,
            "out" => true,
            word => return Err(wrong("in or out", word)),
        };
        let covers = [Cover::Plain, Cover::Handshake, Cover::Rc4];
        let word = rest.word("how much is hidden")?;
        let cover = covers.into_iter().find(|cover| cover.name() == word);
        let cover = cover.ok_or_else(|| wrong("none, handshake or rc4", word))?;
        let (reserved, id) = (rest.word("the reserved bytes")?, rest.word("a peer id")?);
        let handshake = Handshake {
            reserved: from_hex(reserved).map(Reserved).ok_or_else(|| wrong("16 hex digits", reserved))?,
            info_hash: self.info_hash,
            peer_id: from_hex(id).map(PeerId).ok_or_else(|| wrong("40 hex digits", id))?,
        };
        Ok(PeerEvent::Connected { addr, outgoing, cover, handshake: Box::new(handshake) })
    }

    /// The message that these bytes are on the wire.
    fn message(&self, bytes: &[u8]) -> Result<Message, String> {
        let (length, body) = bytes.split_first_chunk::<4>().ok_or("expected the length of a message in four bytes")?;
        let length = parse_length(*length)?;
        if length as usize != body.len() {
            return Err(format!("expected a message of {length} bytes, found {}", body.len()));
        }
        let Some((id, body)) = body.split_first() else { return Ok(Message::KeepAlive) };
        match body_kind(*id, length, self.pieces)? {
            BodyKind::Gather(_) => parse_body(*id, body),
            BodyKind::Extended(_) => {
                let (id, payload) = body.split_first().ok_or("expected the id of an extended message")?;
                Ok(Message::Extended(Extended::received(*id, payload.to_vec())))
            }
            BodyKind::Piece(_) | BodyKind::Skip(_) => {
                Err("expected a message that is no block, with a known id".into())
            }
        }
    }

    fn of_web_seed(&self, word: &str, rest: &mut Fields) -> Result<WebEvent, String> {
        let why = NO_TEXT.into();
        Ok(match word {
            "web-ready" => WebEvent::Ready { number: self.web_seed(rest)? },
            "web-not-there" => WebEvent::NotThere { file: self.range(rest.word("bytes of the content")?)?, why },
            "web-skipped" => WebEvent::Skipped { bytes: rest.number("bytes", 0..=u32::MAX.into())? },
            "web-failed" => {
                let file = match rest.word("bytes of the content")? {
                    "-" => None,
                    word => Some(self.range(word)?),
                };
                let (pause, our_fault) = (rest.millis("a pause")?, rest.yes("our fault")?);
                WebEvent::Failed { file, why, pause, our_fault }
            }
            word => return Err(wrong("what a peer did", word)),
        })
    }

    /// Bytes of the content: `first-end`.
    fn range(&self, word: &str) -> Result<Range<u64>, String> {
        let (start, end) = word.split_once('-').ok_or_else(|| wrong("bytes of the content", word))?;
        let start = number(start, "the first byte", 0..=self.length)?;
        Ok(start..number(end, "the end of the bytes", start..=self.length)?)
    }

    fn answered(&self, rest: &mut Fields) -> Result<Event, String> {
        let number = rest.number("the number of a tracker", 0..=u64::from(u16::MAX))? as usize;
        let known = self.trackers.get(number);
        let url = Arc::clone(known.ok_or_else(|| format!("expected one of {} trackers", self.trackers.len()))?);
        let announce = |event| {
            let request = AnnounceRequest::new(self.info_hash, PeerId([0; 20]), 0);
            Ask::Announce(AnnounceRequest { event, ..request })
        };
        let ask = match rest.word("what was asked")? {
            "scrape" => Ask::Scrape(self.info_hash),
            "announce" => announce(None),
            word => {
                let event = AnnounceEvent::from_word(word.as_bytes());
                announce(Some(event.ok_or_else(|| wrong("announce, started, completed, stopped or scrape", word))?))
            }
        };
        let outcome = outcome(rest)?;
        Ok(Event::Announced { announcement: Box::new(Announcement { url, ask }), outcome: Box::new(outcome) })
    }

    fn of_disk(&self, word: &str, rest: &mut Fields) -> Result<DiskEvent, String> {
        let text = || String::from(NO_TEXT);
        Ok(match word {
            "checked" => DiskEvent::Checked { piece: self.piece(rest)?, good: rest.yes("the hash is right")? },
            "found-corrupt" => DiskEvent::FoundCorrupt {
                piece: self.piece(rest)?,
                begins: rest.numbers("the begin of a block", MOST_NUMBERS, 0..=u32::MAX.into())?,
            },
            "trouble" => {
                let block = match rest.word("a block")? {
                    "-" => None,
                    word => Some(self.block(word)?),
                };
                let trouble = DiskTrouble { text: text(), short_bytes: rest.bytes("bytes that are lacking")? };
                DiskEvent::Trouble { block, trouble }
            }
            "unwritten" => DiskEvent::Unwritten { piece: self.piece(rest)? },
            "healed" => DiskEvent::Healed { doubtful: rest.yes("pieces may be gone")? },
            "doubted" => DiskEvent::Doubted { text: text() },
            "asked" => DiskEvent::Asked { text: text() },
            "checked-again" => {
                DiskEvent::CheckedAgain { have: pieces_of(rest.word("the pieces that are there")?, self.pieces)? }
            }
            "chosen" => DiskEvent::Chosen { done: rest.yes("it is done")? },
            "unreadable" => DiskEvent::Unreadable { piece: self.piece(rest)? },
            "disk-failed" => DiskEvent::Failed { problem: Problem::io(NO_TEXT) },
            word => return Err(wrong("what happened", word)),
        })
    }

    /// A block: `piece:begin:length`.
    fn block(&self, word: &str) -> Result<BlockSpec, String> {
        let mut parts = word.splitn(3, ':');
        let mut part = |what, bounds| number(parts.next().unwrap_or_default(), what, bounds);
        let piece = part("a piece", self.all())? as u32;
        let begin = part("where the block begins", 0..=u32::MAX.into())? as u32;
        Ok(BlockSpec { piece, begin, length: part("bytes of a block", 1..=BLOCK_BYTES.into())? as u32 })
    }
}

fn u32_of(rest: &mut Fields, what: &str) -> Result<u32, String> {
    Ok(rest.number(what, 0..=u32::MAX.into())? as u32)
}

fn count(rest: &mut Fields) -> Result<Option<u32>, String> {
    Ok(rest.number_or_none("a count", 0..=u32::MAX.into())?.map(|count| count as u32))
}

fn source(word: &str) -> Result<Source, String> {
    let found = Source::ALL.into_iter().find(|source| source.name() == word && *source != Source::Incoming);
    found.ok_or_else(|| wrong("tracker, dht, pex, lsd or link", word))
}

fn addrs(rest: &mut Fields) -> Result<Vec<SocketAddr>, String> {
    let mut addrs = Vec::new();
    while let Some(word) = rest.more() {
        if addrs.len() >= MOST_ADDRS {
            return Err(format!("expected at most {MOST_ADDRS} addresses"));
        }
        addrs.push(fields::addr(word)?);
    }
    Ok(addrs)
}

fn outcome(rest: &mut Fields) -> Result<Outcome, String> {
    match rest.word("ok or failed")? {
        "ok" => {
            let [interval, min_interval] =
                [rest.number_or_none("seconds", 0..=u64::MAX)?, rest.number_or_none("seconds", 0..=u64::MAX)?];
            let (seeds, leechers, downloaded) = (count(rest)?, count(rest)?, count(rest)?);
            // Only their number counts. Those that are used follow in a line of their own.
            let named = rest.number("a number of peers", 0..=MAX_REPLY_PEERS as u64)? as usize;
            let nobody = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0);
            let peers = vec![nobody; named];
            let reply =
                AnnounceReply { interval, min_interval, seeds, leechers, downloaded, peers, ..Default::default() };
            Ok(Ok(reply))
        }
        "failed" => {
            let refused = rest.yes("it refuses us")?;
            let retry_in = match rest.word("when to ask again")? {
                "-" => None,
                "never" => Some(RetryIn::Never),
                word => Some(RetryIn::Minutes(number(word, "minutes", 0..=u64::MAX)?)),
            };
            Ok(Err(AnnounceFailure { reason: NO_TEXT.into(), refused, retry_in }))
        }
        word => Err(wrong("ok or failed", word)),
    }
}

/// A bound that keeps the sums of a torrent far from their end.
const _: () = assert!(MOST_BYTES < u64::MAX / 1000);
