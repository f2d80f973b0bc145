//! The lines of a [record](super), in words.
//!
//! Floor 3. A line has the time and then words with blanks between them. Texts are left out, because they decide
//! nothing and a tracker may repeat a passkey in one. So are the paths of URLs. Of a block there is the length alone.
//! The text after `#` is for people.

use super::Beginning;
use crate::base::hex::to_hex;
use crate::base::rng::Rng;
use crate::base::time::Time;
use crate::base::url;
use crate::proto::choice::{Choice, Priority};
use crate::proto::peer::bitfield::Bitfield;
use crate::proto::peer::message::BlockSpec;
use crate::proto::peer::webseed::is_usable;
use crate::proto::tracker::announce::RetryIn;
use crate::swarm::event::{DiskEvent, Event, PeerEvent, WebEvent};
use crate::swarm::giving::weight::Weight;
use crate::swarm::meeting::announcer::{Announcement, Ask, Outcome};
use crate::swarm::settings::{SeedUntil, Settings, Term};
use crate::swarm::shared::Outside;
use core::ops::Range;
use std::fmt::{Display, Write};
use std::sync::Arc;

/// What stands for nothing.
pub const NONE: &str = "-";
/// What stands for a web seed whose host can't be written down.
const SOME_WEB_SEED: &str = "http://web-seed/";

/// The time at the beginning of a line: seconds, to the nanosecond.
pub fn time(line: &mut String, now: Time) {
    put(line, format_args!("{}.{:09} ", now.as_secs(), now.subsec_nanos()));
}

/// Adds words. (Writing to a String can't fail.)
fn put(line: &mut String, words: std::fmt::Arguments) {
    let _ = line.write_fmt(words);
}

/// Something, or nothing.
fn or_none(value: Option<impl Display>) -> String {
    value.map_or(NONE.into(), |value| value.to_string())
}

fn yes(flag: bool) -> &'static str {
    if flag { "yes" } else { "no" }
}

fn millis(time: Option<Time>) -> String {
    or_none(time.map(|time| time.as_millis()))
}

fn range(range: &Range<u64>) -> String {
    format!("{}-{}", range.start, range.end)
}

/// The bits of pieces, or a word for all and for none.
fn pieces(have: &Bitfield) -> String {
    match have.count() {
        0 => "none".into(),
        _ if have.is_full() => "all".into(),
        _ => to_hex(have.as_bytes()),
    }
}

/// What happened outside of the torrent.
pub fn outside(line: &mut String, outside: Outside) {
    match outside {
        Outside::Written { disk, bytes } => put(line, format_args!("written {disk} {bytes}")),
        Outside::FreeMemory(bytes) => put(line, format_args!("free-memory {bytes}")),
        Outside::Limits(limits) => {
            put(line, format_args!("all-limits {} {}", or_none(limits.download), or_none(limits.upload)));
        }
        Outside::MostConnected(most) => put(line, format_args!("most-connected {most}")),
        Outside::WayOutLost => *line += "way-out-lost",
        Outside::WayOutBack => *line += "way-out-back",
        Outside::TurnTo { disk, several } => put(line, format_args!("turn-to {disk} {}", yes(several))),
    }
}

/// The lines about the torrent before it begins.
pub fn beginning(beginning: &Beginning) -> String {
    let Beginning { metainfo, have, settings, choice, before, described, terms } = beginning;
    let mut lines = format!(
        "torrent {} {} {}",
        metainfo.info_hash,
        if metainfo.private { "private" } else { "public" },
        metainfo.piece_length
    );
    for tier in &metainfo.tiers {
        lines += "\ntier";
        tier.iter().for_each(|tracker| put(&mut lines, format_args!(" {}", host_of(tracker))));
    }
    for web_seed in &metainfo.about().web_seeds {
        put(&mut lines, format_args!("\n{}", self::web_seed(web_seed)));
    }
    for file in metainfo.files.iter() {
        put(&mut lines, format_args!("\n{} {}", if file.padding { "padding" } else { "file" }, file.length));
    }
    put(&mut lines, format_args!("\nsettings {}", settings_of(settings)));
    put(&mut lines, format_args!("\nbefore {} {}", before.0, before.1));
    described.iter().for_each(|size| put(&mut lines, format_args!("\ndescribed {size}")));
    choice
        .iter()
        .for_each(|choice| put(&mut lines, format_args!("\nchoice {}", letters(choice, metainfo.files.len()))));
    for term in *terms {
        lines += "\nterm ";
        self::term(&mut lines, term);
    }
    put(&mut lines, format_args!("\nhave {}", pieces(have)));
    lines
}

/// The torrent begins.
pub fn begins(line: &mut String, rng: &Rng) {
    put(line, format_args!("begin {:016x}", rng.seed()));
}

/// Where the generator of random numbers is.
pub fn check(line: &mut String, rng: &Rng) {
    put(line, format_args!("check {:016x}", rng.seed()));
}

/// A URL without its secrets, and without anything that would end the word.
fn host_of(url: &str) -> String {
    let is_plain = |c: &char| c.is_ascii_graphic() || *c == '…';
    url::redact(url).chars().filter(is_plain).collect()
}

/// The line about a web seed. Its URL is usable in a replay exactly if it was in the run, also if what is left of it
/// without its secrets is not: a name in another script loses its letters.
fn web_seed(url: &str) -> String {
    if !is_usable(url) {
        return format!("no-web-seed {NONE}");
    }
    let shown = host_of(url);
    format!("web-seed {}", if is_usable(&shown) { &shown } else { SOME_WEB_SEED })
}

fn settings_of(settings: &Settings) -> String {
    // (Trackers alone see the key, and the address that they are to tell others.)
    let Settings {
        peer_id,
        port,
        tracker_key: _,
        max_peers,
        sequential,
        limits,
        upload_slots,
        ip: _,
        super_seed,
        pex,
        dht,
        encryption,
        seed_until,
        stop_timeout,
    } = settings;
    format!(
        "{} {port} {max_peers} {} {} {} {} {} {} {} {} {} {}",
        to_hex(&peer_id.0),
        yes(*sequential),
        or_none(limits.download),
        or_none(limits.upload),
        or_none(*upload_slots),
        yes(*super_seed),
        yes(*pex),
        yes(*dht),
        encryption.name(),
        until(seed_until),
        millis(*stop_timeout),
    )
}

fn until(until: &SeedUntil) -> String {
    format!("{} {}", or_none(until.ratio), millis(until.idle))
}

/// How urgently each file is wanted.
fn letters(choice: &Choice, files: usize) -> String {
    let letter = |file| match choice.priority(file) {
        Priority::Skip => 's',
        Priority::Low => 'l',
        Priority::Normal => 'n',
        Priority::High => 'h',
    };
    (0..files).map(letter).collect()
}

fn term(line: &mut String, term: &Term) {
    match term {
        Term::Limits(limits) => {
            put(line, format_args!("limits {} {}", or_none(limits.download), or_none(limits.upload)));
        }
        Term::SharesLimits(shares) => put(line, format_args!("shares-limits {}", yes(*shares))),
        Term::MaxPeers(most) => put(line, format_args!("max-peers {most}")),
        Term::SeedUntil(own) => {
            let ratio = own.ratio.map_or("all".into(), or_none);
            put(line, format_args!("seed-until {ratio} {}", own.idle.map_or("all".into(), millis)));
        }
        Term::Weight(weight) => {
            let word = match weight {
                Weight::Low => "low",
                Weight::Normal => "normal",
                Weight::High => "high",
            };
            put(line, format_args!("weight {word}"));
        }
    }
}

/// An event. Returns whether it can be replayed.
pub fn event(line: &mut String, event: &Event, trackers: &[Arc<str>]) -> bool {
    match event {
        Event::Peer(peer, event) => {
            put(line, format_args!("peer {} ", peer.0));
            of_peer(line, event);
        }
        Event::ConnectFailed { addr, our_fault } => {
            put(line, format_args!("connect-failed {addr} {}", yes(*our_fault)));
        }
        Event::WebSeedFailed { number } => put(line, format_args!("no-thread {number}")),
        Event::Found { source, addrs } => {
            put(line, format_args!("found {}", source.name()));
            addrs.iter().for_each(|addr| put(line, format_args!(" {addr}")));
        }
        Event::Announced { announcement, outcome } => {
            let Some(number) = trackers.iter().position(|url| *url == announcement.url) else { return false };
            announced(line, number, announcement, outcome);
        }
        Event::Disk(event) => of_disk(line, event),
        Event::Paused(paused) => put(line, format_args!("paused {}", yes(*paused))),
        Event::Terms(term) => {
            *line += "term ";
            self::term(line, term);
        }
        Event::LetGo(number) => put(line, format_args!("let-go {number}")),
        Event::AnnounceNow => *line += "announce-now",
        Event::Sequential(sequential) => put(line, format_args!("sequential {}", yes(*sequential))),
        Event::Online => *line += "online",
        Event::AnnounceAgain => *line += "announce-again",
        Event::BudgetFreed => *line += "budget-freed",
        Event::DescriptionGone => *line += "description-gone",
        Event::Timer => *line += "timer",
        // Only the daemon changes these while a torrent runs.
        Event::Settings(_) | Event::Choose { .. } | Event::Trackers(_) => return false,
    }
    true
}

fn of_peer(line: &mut String, event: &PeerEvent) {
    match event {
        PeerEvent::Connected { addr, outgoing, cover, handshake } => {
            let way = if *outgoing { "out" } else { "in" };
            let (reserved, id) = (to_hex(&handshake.reserved.0), to_hex(&handshake.peer_id.0));
            put(line, format_args!("connected {addr} {way} {} {reserved} {id}", cover.name()));
        }
        PeerEvent::Message(message) => {
            let mut bytes = Vec::new();
            message.emit(&mut bytes);
            put(line, format_args!("message {} # {message}", to_hex(&bytes)));
        }
        PeerEvent::Block { piece, begin, data } => put(line, format_args!("block {piece} {begin} {}", data.len())),
        PeerEvent::Uploaded { bytes } => put(line, format_args!("uploaded {bytes}")),
        PeerEvent::Served(report) => {
            put(line, format_args!("served {}", report.bytes));
            report.pieces.iter().for_each(|piece| put(line, format_args!(" {piece}")));
        }
        PeerEvent::Described => *line += "described",
        PeerEvent::WebSeed(event) => of_web_seed(line, event),
        PeerEvent::Gone => *line += "gone",
    }
}

fn of_web_seed(line: &mut String, event: &WebEvent) {
    match event {
        WebEvent::Ready { number } => put(line, format_args!("web-ready {number}")),
        WebEvent::NotThere { file, why: _ } => put(line, format_args!("web-not-there {}", range(file))),
        WebEvent::Skipped { bytes } => put(line, format_args!("web-skipped {bytes}")),
        WebEvent::Failed { file, why: _, pause, our_fault } => {
            let file = or_none(file.as_ref().map(range));
            put(line, format_args!("web-failed {file} {} {}", millis(*pause), yes(*our_fault)));
        }
    }
}

fn announced(line: &mut String, number: usize, announcement: &Announcement, outcome: &Outcome) {
    let kind = match &announcement.ask {
        Ask::Scrape(_) => "scrape",
        Ask::Announce(request) => request.event.map_or("announce", |event| event.as_str()),
    };
    put(line, format_args!("answered {number} {kind} "));
    match outcome {
        Ok(reply) => {
            let [interval, least] = [reply.interval, reply.min_interval].map(or_none);
            let [seeds, leechers, completed] = [reply.seeds, reply.leechers, reply.downloaded].map(or_none);
            let peers = reply.peers.len();
            put(line, format_args!("ok {interval} {least} {seeds} {leechers} {completed} {peers}"));
        }
        Err(failure) => {
            let retry = match failure.retry_in {
                None => NONE.into(),
                Some(RetryIn::Never) => "never".into(),
                Some(RetryIn::Minutes(minutes)) => minutes.to_string(),
            };
            put(line, format_args!("failed {} {retry}", yes(failure.refused)));
        }
    }
}

fn of_disk(line: &mut String, event: &DiskEvent) {
    let block = |block: &BlockSpec| format!("{}:{}:{}", block.piece, block.begin, block.length);
    match event {
        DiskEvent::Checked { piece, good } => put(line, format_args!("checked {piece} {}", yes(*good))),
        DiskEvent::FoundCorrupt { piece, begins } => {
            put(line, format_args!("found-corrupt {piece}"));
            begins.iter().for_each(|begin| put(line, format_args!(" {begin}")));
        }
        DiskEvent::Trouble { block: failed, trouble } => {
            put(line, format_args!("trouble {} {}", or_none(failed.as_ref().map(block)), trouble.short_bytes));
        }
        DiskEvent::Unwritten { piece } => put(line, format_args!("unwritten {piece}")),
        DiskEvent::Healed { doubtful } => put(line, format_args!("healed {}", yes(*doubtful))),
        DiskEvent::Doubted { text: _ } => *line += "doubted",
        DiskEvent::Asked { text: _ } => *line += "asked",
        DiskEvent::CheckedAgain { have } => put(line, format_args!("checked-again {}", pieces(have))),
        DiskEvent::Chosen { done } => put(line, format_args!("chosen {}", yes(*done))),
        DiskEvent::Unreadable { piece } => put(line, format_args!("unreadable {piece}")),
        DiskEvent::Failed { problem: _ } => *line += "disk-failed",
    }
}
