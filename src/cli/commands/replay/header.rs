//! The lines of a record before the torrent begins: what it is, and how it is to run.
//!
//! Floor 4, part of [`replay`](super).

use super::fields::{self, Fields, MOST_BYTES, wrong};
use crate::base::hex::from_hex;
use crate::base::time::Time;
use crate::base::url::HIDDEN;
use crate::proto::choice::{Choice, Priority};
use crate::proto::id::{InfoHash, PeerId};
use crate::proto::metainfo::{
    About, Files, HASH_BYTES, MAX_PIECE_LENGTH, MAX_PIECES, MAX_URL_BYTES, MAX_URLS, Metainfo,
};
use crate::proto::peer::bitfield::Bitfield;
use crate::proto::peer::mse::Policy;
use crate::proto::peer::webseed::is_usable;
use crate::swarm::giving::weight::Weight;
use crate::swarm::settings::{RateLimits, SeedTerms, SeedUntil, Settings, Term};
use std::sync::Arc;

/// Most files of a torrent in a record.
const MOST_FILES: usize = 1 << 20;
/// Most trackers, and most web seeds: those of a torrent, and as many of a link.
const MOST_URLS: usize = 2 * MAX_URLS;
/// The longest URL, in bytes. In the place of its path there is a slash and a mark.
const MOST_URL_BYTES: usize = MAX_URL_BYTES + 1 + HIDDEN.len();
/// Most terms of one torrent: there are five kinds.
const MOST_TERMS: usize = 5;
/// Most connections that the settings of a record may allow: more than a process can have. (The memory that they take
/// is bounded as they come.)
pub const MOST_PEERS: u64 = 1 << 24;

/// What the lines said so far.
#[derive(Default)]
pub struct Header {
    /// The limit of memory for blocks.
    pub memory: Option<u64>,
    torrent: Option<(InfoHash, bool, u32)>,
    tiers: Vec<Vec<Arc<str>>>,
    /// How many trackers there are.
    trackers: usize,
    web_seeds: Vec<String>,
    files: Files,
    settings: Option<Settings>,
    /// Bytes of earlier runs.
    pub before: (u64, u64),
    /// The size of the description.
    pub described: Option<u32>,
    choice: Option<String>,
    /// What is set for this torrent alone.
    pub terms: Vec<Term>,
    have: Option<String>,
}

/// All of them: what a torrent begins with.
pub struct Start {
    /// The shape of the torrent.
    pub metainfo: Metainfo,
    /// The pieces that are there.
    pub have: Bitfield,
    /// The settings.
    pub settings: Settings,
    /// The files that are wanted.
    pub choice: Option<Choice>,
}

impl Header {
    /// Takes in a line that begins with `word`.
    pub fn take(&mut self, word: &str, rest: &mut Fields) -> Result<(), String> {
        match word {
            "version" => drop(rest.word("a version")?),
            "memory" => self.memory = Some(rest.bytes("bytes of memory")?),
            "torrent" => {
                let hash = rest.word("an info-hash")?;
                let info_hash = from_hex(hash).map(InfoHash).ok_or_else(|| wrong("40 hex digits", hash))?;
                let private = match rest.word("public or private")? {
                    "public" => false,
                    "private" => true,
                    word => return Err(wrong("public or private", word)),
                };
                let piece_length = rest.number("a piece length", 1..=MAX_PIECE_LENGTH.into())?;
                self.torrent = Some((info_hash, private, piece_length as u32));
            }
            "tier" => self.tier(rest)?,
            "web-seed" | "no-web-seed" => {
                let url = short(rest.word("a URL")?)?;
                if is_usable(url) != (word == "web-seed") || self.web_seeds.len() >= MOST_URLS {
                    return Err(format!("this can't be the URL of a {word}"));
                }
                self.web_seeds.push(url.into());
            }
            "file" | "padding" => {
                let length = rest.bytes("bytes of a file")?;
                if self.files.len() >= MOST_FILES || self.files.length() + length > MOST_BYTES {
                    return Err(format!("expected at most {MOST_FILES} files and {MOST_BYTES} bytes"));
                }
                self.files.push(b"", length, word == "padding");
            }
            "settings" => self.settings = Some(settings(rest)?),
            "before" => self.before = (rest.bytes("bytes sent before")?, rest.bytes("bytes received before")?),
            "described" => self.described = Some(rest.number("bytes of the description", 1..=1 << 30)? as u32),
            "choice" => self.choice = Some(rest.word("a letter for each file")?.into()),
            "term" if self.terms.len() < MOST_TERMS => self.terms.push(term(rest)?),
            "have" => self.have = Some(rest.word("the pieces that are there")?.into()),
            word => return Err(wrong("a line of the header, or a time", word)),
        }
        rest.end()
    }

    fn tier(&mut self, rest: &mut Fields) -> Result<(), String> {
        let mut tier = Vec::new();
        while let Some(shown) = rest.more() {
            if self.trackers >= MOST_URLS {
                return Err(format!("expected at most {MOST_URLS} trackers"));
            }
            // Two trackers may differ only in what is hidden.
            tier.push(format!("{}{}", short(shown)?, self.trackers).into());
            self.trackers += 1;
        }
        if tier.is_empty() {
            return Err("expected a tracker, and the line ends".into());
        }
        self.tiers.push(tier);
        Ok(())
    }

    /// What the torrent begins with, if nothing is missing.
    pub fn start(&mut self) -> Result<Start, String> {
        let missing = |word: &str| format!("expected a line '{word}' before this one");
        let (info_hash, private, piece_length) = self.torrent.ok_or_else(|| missing("torrent"))?;
        let settings = self.settings.take().ok_or_else(|| missing("settings"))?;
        let have = self.have.take().ok_or_else(|| missing("have"))?;
        let files = std::mem::take(&mut self.files);
        let (length, file_count) = (files.length(), files.len());
        let pieces = length.div_ceil(piece_length.into());
        if !(1..=MAX_PIECES).contains(&pieces) {
            return Err(format!("expected files of 1 to {MAX_PIECES} pieces, found {pieces} pieces"));
        }
        let about = About { web_seeds: std::mem::take(&mut self.web_seeds), ..About::default() };
        let metainfo = Metainfo {
            info_hash,
            name: "replay".into(),
            is_folder: true,
            files,
            length,
            piece_length,
            hashes: vec![0; pieces as usize * HASH_BYTES].into(),
            tiers: std::mem::take(&mut self.tiers),
            private,
            about: about.boxed(),
        };
        let choice = match self.choice.take() {
            None => None,
            Some(letters) if letters.len() == file_count => {
                let files: Option<Vec<Priority>> = letters.chars().map(priority).collect();
                Choice::new(&metainfo, files.ok_or("expected the letters s, l, n and h in the line 'choice'")?)
            }
            Some(letters) => {
                return Err(format!("expected {file_count} letters in the line 'choice', found {}", letters.len()));
            }
        };
        Ok(Start { have: pieces_of(&have, pieces as u32)?, metainfo, settings, choice })
    }
}

/// A URL, if it is not too long.
fn short(url: &str) -> Result<&str, String> {
    if url.len() <= MOST_URL_BYTES {
        Ok(url)
    } else {
        Err(wrong(&format!("a URL of at most {MOST_URL_BYTES} bytes"), url))
    }
}

/// The bits of `pieces` pieces.
pub fn pieces_of(word: &str, pieces: u32) -> Result<Bitfield, String> {
    match word {
        "all" => Ok(Bitfield::full(pieces)),
        "none" => Ok(Bitfield::new(pieces)),
        word => Bitfield::from_bytes(fields::bytes(word)?, pieces),
    }
}

fn priority(letter: char) -> Option<Priority> {
    Some(match letter {
        's' => Priority::Skip,
        'l' => Priority::Low,
        'n' => Priority::Normal,
        'h' => Priority::High,
        _ => return None,
    })
}

fn limits(rest: &mut Fields) -> Result<RateLimits, String> {
    Ok(RateLimits { download: rest.rate("a limit of downloads")?, upload: rest.rate("a limit of uploads")? })
}

fn settings(rest: &mut Fields) -> Result<Settings, String> {
    let id = rest.word("a peer id")?;
    let peer_id = from_hex(id).map(PeerId).ok_or_else(|| wrong("40 hex digits", id))?;
    Ok(Settings {
        peer_id,
        port: rest.number("a port", 0..=u16::MAX.into())? as u16,
        tracker_key: 0,
        max_peers: rest.number("a number of peers", 1..=MOST_PEERS)? as usize,
        sequential: rest.yes("in order")?,
        limits: limits(rest)?,
        upload_slots: rest.number_or_none("a number of slots", 0..=MOST_PEERS)?.map(|slots| slots as usize),
        ip: None,
        super_seed: rest.yes("super-seeding")?,
        pex: rest.yes("PEX")?,
        dht: rest.yes("the DHT")?,
        encryption: encryption(rest.word("when connections are encrypted")?)?,
        seed_until: SeedUntil { ratio: ratio(rest)?, idle: rest.millis("a time without uploads")? },
        stop_timeout: rest.millis("a time without progress")?,
    })
}

fn encryption(word: &str) -> Result<Policy, String> {
    let named = Policy::ALL.into_iter().find(|policy| policy.name() == word);
    named.ok_or_else(|| wrong("off, allow, prefer or require", word))
}

fn ratio(rest: &mut Fields) -> Result<Option<u64>, String> {
    rest.number_or_none("hundredths of a ratio", 0..=MOST_BYTES)
}

/// What is set for one torrent.
pub fn term(rest: &mut Fields) -> Result<Term, String> {
    Ok(match rest.word("a term")? {
        "limits" => Term::Limits(limits(rest)?),
        "shares-limits" => Term::SharesLimits(rest.yes("the limits of all hold for it")?),
        "max-peers" => Term::MaxPeers(rest.number("a number of peers", 1..=MOST_PEERS)? as usize),
        "seed-until" => Term::SeedUntil(SeedTerms { ratio: own_ratio(rest)?, idle: own_idle(rest)? }),
        "weight" => Term::Weight(match rest.word("a weight")? {
            "low" => Weight::Low,
            "normal" => Weight::Normal,
            "high" => Weight::High,
            word => return Err(wrong("low, normal or high", word)),
        }),
        word => return Err(wrong("limits, shares-limits, max-peers, seed-until or weight", word)),
    })
}

fn own_ratio(rest: &mut Fields) -> Result<Option<Option<u64>>, String> {
    match rest.word("all, or hundredths of a ratio")? {
        "all" => Ok(None),
        word => Fields::new(word).number_or_none("hundredths of a ratio", 0..=MOST_BYTES).map(Some),
    }
}

fn own_idle(rest: &mut Fields) -> Result<Option<Option<Time>>, String> {
    match rest.word("all, or milliseconds")? {
        "all" => Ok(None),
        word => Fields::new(word).millis("milliseconds").map(Some),
    }
}
