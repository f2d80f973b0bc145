//! A run that was recorded gives the same decisions, and no file does any harm.

mod damage;
mod recorded;

use super::fields::Fields;
use super::header::Header;
use super::machine::{Done, Replay};
use super::reading::{Input, Shape, input};
use crate::base::time::Time;
use crate::engine::trace::record::words;
use crate::proto::id::{InfoHash, PeerId};
use crate::proto::metainfo::MAX_PIECE_LENGTH;
use crate::proto::peer::bitfield::Bitfield;
use crate::proto::peer::extended::Extended;
use crate::proto::peer::handshake::{Handshake, Reserved};
use crate::proto::peer::message::{BLOCK_BYTES, BlockSpec, Message};
use crate::proto::peer::mse::Cover;
use crate::proto::peer::webseed::is_usable;
use crate::proto::tracker::announce::{AnnounceEvent, AnnounceReply, AnnounceRequest, RetryIn};
use crate::swarm::event::{DiskEvent, Event, PeerEvent, WebEvent};
use crate::swarm::giving::grant::Report;
use crate::swarm::giving::weight::Weight;
use crate::swarm::meeting::announcer::{AnnounceFailure, Announcement, Ask};
use crate::swarm::meeting::source::Source;
use crate::swarm::settings::{RateLimits, SeedTerms, Settings, Term};
use crate::swarm::shared::Outside;
use crate::swarm::simulation::parts::{key, metainfo};
use crate::swarm::standing::{DiskTrouble, Problem};
use core::net::SocketAddr;
use recorded::{Recorded, beginning};
use std::sync::Arc;

/// The decisions of a record, as text; an error has the number of its line.
fn replay(text: &str) -> Result<Vec<String>, String> {
    let (mut replay, mut decided) = (Replay::default(), Vec::new());
    for (number, line) in (1..).zip(text.lines()) {
        match replay.take(line).map_err(|why| format!("{number}: {why}"))? {
            Done::Decided(more) => decided.extend(more.into_iter().map(|(_, decision)| format!("{decision:?}"))),
            Done::Ended => break,
            Done::Over(why) => return Err(format!("{number}: over: {why}")),
        }
    }
    Ok(decided)
}

#[test]
fn the_same_record_gives_the_same_decisions_as_the_run() {
    for seed in 0..20 {
        let recorded = Recorded::run(seed, 600);
        let expected: Vec<String> = recorded.stage.decided.iter().map(|decision| format!("{decision:?}")).collect();
        assert!(expected.len() > 20, "seed {seed}: the peers do something");
        // The record says after each event where the random numbers are.
        assert_eq!(replay(&recorded.text), Ok(expected), "seed {seed}");
    }
}

#[test]
fn a_record_of_another_machine_is_noticed() {
    let recorded = Recorded::run(1, 600);
    let has_random = |line: &&str| line.contains(" connected ");
    let first = recorded.text.lines().find(has_random).expect("a peer connects");
    let error = replay(&recorded.text.replacen(&format!("{first}\n"), "", 1)).unwrap_err();
    assert!(error.contains("this swarmlet decides in another way"), "{error}");
}

/// The shape of a torrent with trackers and a web seed.
fn shape() -> Shape {
    let trackers = vec!["http://a/0".into(), "udp://b:1/1".into()];
    Shape { info_hash: InfoHash([7; 20]), pieces: 9, length: 9 << 14, web_seeds: 1, trackers }
}

fn announced(ask: Ask, outcome: Result<AnnounceReply, AnnounceFailure>) -> Event {
    let announcement = Announcement { url: "udp://b:1/1".into(), ask };
    Event::Announced { announcement: Box::new(announcement), outcome: Box::new(outcome) }
}

/// One of each kind.
fn events() -> Vec<Event> {
    let addr: SocketAddr = "[2001:db8::1]:6881".parse().unwrap();
    let handshake = Box::new(Handshake {
        reserved: Reserved::ours(),
        info_hash: InfoHash([7; 20]),
        peer_id: PeerId(*b"-XX0001-abcdefghijkl"),
    });
    let block = BlockSpec { piece: 3, begin: 16384, length: 16384 };
    let request = AnnounceRequest::new(InfoHash([7; 20]), PeerId([1; 20]), 6881);
    let asks =
        [None, Some(AnnounceEvent::Started)].map(|event| Ask::Announce(AnnounceRequest { event, ..request.clone() }));
    let [announce, started] = asks;
    let reply =
        AnnounceReply { interval: Some(1800), seeds: Some(2), peers: vec![addr; 3], ..AnnounceReply::default() };
    let refusal = |retry_in| Err(AnnounceFailure::refusal("no passkey SECRET".into(), retry_in));
    let web = |event| PeerEvent::WebSeed(Box::new(event));
    let of_peer = [
        PeerEvent::Connected { addr, outgoing: true, cover: Cover::Rc4, handshake },
        PeerEvent::Message(Message::KeepAlive),
        PeerEvent::Message(Message::Bitfield(vec![0xff, 0x80])),
        PeerEvent::Message(Message::Request(block)),
        PeerEvent::Message(Message::Port(6881)),
        PeerEvent::Message(Message::Extended(Extended::received(0, b"d1:v3:abce".to_vec()))),
        PeerEvent::Block { piece: 3, begin: 16384, data: vec![0; 100] },
        PeerEvent::Uploaded { bytes: 5 },
        PeerEvent::Served(Report { bytes: 7, pieces: vec![1, 2] }),
        PeerEvent::Described,
        web(WebEvent::Ready { number: 0 }),
        web(WebEvent::NotThere { file: 5..70, why: String::new() }),
        web(WebEvent::Skipped { bytes: 8 }),
        web(WebEvent::Failed {
            file: Some(0..9),
            why: String::new(),
            pause: Some(Time::from_secs(3)),
            our_fault: true,
        }),
        web(WebEvent::Failed { file: None, why: String::new(), pause: None, our_fault: false }),
        PeerEvent::Gone,
    ];
    let of_disk = [
        DiskEvent::Checked { piece: 8, good: true },
        DiskEvent::FoundCorrupt { piece: 8, begins: vec![0, 16384] },
        DiskEvent::Trouble { block: Some(block), trouble: DiskTrouble { text: "full".into(), short_bytes: 9 } },
        DiskEvent::Trouble { block: None, trouble: DiskTrouble { text: "away".into(), short_bytes: 0 } },
        DiskEvent::Unwritten { piece: 0 },
        DiskEvent::Healed { doubtful: true },
        DiskEvent::Doubted { text: String::new() },
        DiskEvent::Asked { text: String::new() },
        DiskEvent::CheckedAgain { have: Bitfield::from_bytes([0xf0, 0x80], 9).unwrap() },
        DiskEvent::CheckedAgain { have: Bitfield::full(9) },
        DiskEvent::Chosen { done: true },
        DiskEvent::Unreadable { piece: 1 },
        DiskEvent::Failed { problem: Problem::io("gone") },
    ];
    let limits = RateLimits { download: Some(5), upload: None };
    let seed_terms = SeedTerms { ratio: Some(None), idle: Some(Some(Time::from_secs(60))) };
    let terms = [
        Term::Limits(limits),
        Term::SharesLimits(false),
        Term::MaxPeers(5),
        Term::SeedUntil(seed_terms),
        Term::SeedUntil(SeedTerms::default()),
        Term::Weight(Weight::High),
    ];
    let mut events: Vec<Event> = of_peer.into_iter().map(|event| Event::Peer(key(4), event)).collect();
    events.extend(of_disk.into_iter().map(Event::Disk));
    events.extend(terms.into_iter().map(Event::Terms));
    events.extend([
        Event::ConnectFailed { addr, our_fault: true },
        Event::WebSeedFailed { number: 0 },
        Event::Found { source: Source::Dht, addrs: vec![addr, addr] },
        announced(announce, Ok(reply.clone())),
        announced(started, refusal(Some(RetryIn::Minutes(5)))),
        announced(Ask::Scrape(InfoHash([7; 20])), refusal(Some(RetryIn::Never))),
        announced(Ask::Scrape(InfoHash([7; 20])), Err(AnnounceFailure::unanswered("SECRET"))),
        Event::Paused(true),
        Event::LetGo(5),
        Event::AnnounceNow,
        Event::Sequential(true),
        Event::Online,
        Event::AnnounceAgain,
        Event::BudgetFreed,
        Event::DescriptionGone,
        Event::Timer,
    ]);
    events
}

fn read(line: &str) -> Result<Input, String> {
    let mut rest = Fields::new(line);
    let word = rest.word("what happened")?;
    input(word, &mut rest, &shape(), line)
}

#[test]
fn each_event_is_read_as_it_was_written_and_no_text_of_a_tracker_is() {
    for event in events() {
        let (mut line, mut again) = (String::new(), String::new());
        assert!(words::event(&mut line, &event, &shape().trackers), "{event:?}");
        assert!(!line.contains("SECRET"), "{line}");
        let Ok(Input::Event(read)) = read(&line) else { panic!("{line}") };
        assert_eq!(std::mem::discriminant(&read), std::mem::discriminant(&event), "{line}");
        words::event(&mut again, &read, &shape().trackers);
        assert_eq!(line, again);
    }
}

#[test]
fn what_happens_outside_is_read_as_it_was_written() {
    let limits = RateLimits { download: None, upload: Some(5) };
    for outside in [
        Outside::Written { disk: u64::MAX, bytes: 7 },
        Outside::FreeMemory(8),
        Outside::Limits(limits),
        Outside::MostConnected(9),
        Outside::WayOutLost,
        Outside::WayOutBack,
        Outside::TurnTo { disk: 3, several: true },
    ] {
        let mut line = String::new();
        words::outside(&mut line, outside);
        assert!(matches!(read(&line), Ok(Input::Outside(read)) if read == outside), "{line}");
    }
}

fn take(header: &mut Header, line: &str) -> Result<(), String> {
    let mut rest = Fields::new(line);
    let word = rest.more().unwrap_or_default();
    header.take(word, &mut rest)
}

#[test]
fn each_line_of_the_header_is_read() {
    let mut header = Header::default();
    for line in [
        "version 0.1.0",
        "torrent 0707070707070707070707070707070707070707 private 16384",
        "tier http://a/… udp://b:1/…",
        "tier http://a/…",
        "web-seed https://c/…",
        "no-web-seed ftp://c/…",
        "file 20000",
        "padding 12768",
        "file 1",
        "settings 0101010101010101010101010101010101010101 1 50 yes 5 - 4 no yes no require 150 60000 -",
        "before 5 6",
        "described 100",
        "choice nsh",
        "term max-peers 3",
        "have 80",
    ] {
        take(&mut header, line).unwrap_or_else(|why| panic!("{line}: {why}"));
    }
    let start = header.start().unwrap();
    assert_eq!((start.metainfo.piece_count(), start.metainfo.length, start.have.count()), (3, 32_769, 1));
    let trackers: Vec<Arc<str>> = start.metainfo.tiers.concat();
    assert_eq!(trackers.iter().map(|url| &**url).collect::<Vec<_>>(), ["http://a/…0", "udp://b:1/…1", "http://a/…2"]);
    assert_eq!(start.choice.map(|choice| choice.pieces.count()), Some(3));
    assert_eq!((start.settings.limits.download, start.settings.seed_until.ratio), (Some(5), Some(150)));
}

/// A name in another script can't be in a record, and some torrents name FTP servers.
#[test]
fn the_replay_uses_the_same_web_seeds_as_the_run() {
    let mut torrent = metainfo(4, 4, 0);
    let urls = ["http://a/secret", "http://日本/", "http://b:x/", "ftp://c/", "no URL", "https://d:443/"];
    torrent.about_mut().web_seeds = urls.map(String::from).into();
    let (have, settings) = (Bitfield::new(4), Settings::default());
    let lines = words::beginning(&beginning(&torrent, &have, &settings));
    let mut header = Header::default();
    for line in lines.lines() {
        take(&mut header, line).unwrap_or_else(|why| panic!("{line}: {why}"));
    }
    let again = header.start().unwrap().metainfo.about().web_seeds.clone();
    assert_eq!(again, ["http://a/…", "http://web-seed/", "-", "-", "-", "https://d:443"]);
    let usable = |urls: &[String]| urls.iter().map(|url| is_usable(url)).collect::<Vec<_>>();
    assert_eq!(usable(&again), usable(&torrent.about().web_seeds));
}

/// Each block of the largest piece came from a peer that lies.
#[test]
fn a_line_may_name_each_block_of_the_largest_piece() {
    let begins = (0..MAX_PIECE_LENGTH).step_by(BLOCK_BYTES as usize).collect();
    let (mut line, mut again) = (String::new(), String::new());
    words::event(&mut line, &Event::Disk(DiskEvent::FoundCorrupt { piece: 0, begins }), &[]);
    let Ok(Input::Event(read)) = read(&line) else { panic!("{} bytes", line.len()) };
    words::event(&mut again, &read, &[]);
    assert!(line == again && read_error(&format!("{line} 0")).starts_with("expected at most 32768 times"));
}

fn read_error(line: &str) -> String {
    read(line).err().unwrap_or_default()
}
