//! The lists within a torrent: files, pieces, peers and trackers.
//!
//! Floor 4. Pure. A list ends when the answer is [too long](MOST_ANSWER); then the whole answer is refused.

use super::conversation::MOST_ANSWER;
use super::pairs::{Dialect, Pairs, Style, push_flag, push_list, push_number, push_size};
use crate::base::hex::to_base64;
use crate::base::json::push_string;
use crate::base::url;
use crate::daemon::record::{Details, FileDetail, PeerDetail, Record, Sources, TrackerRecord};
use crate::proto::magnet::Magnet;
use core::net::IpAddr;

/// The link to a torrent whose description is known.
pub fn link(record: &Record) -> Magnet {
    Magnet {
        info_hash: record.about.hash,
        info_hash_v2: record.about.hash_v2.as_deref().copied(),
        name: Some(record.about.name.to_string()),
        trackers: record.trackers.iter().map(|tracker| tracker.announce.to_string()).collect(),
        web_seeds: record.about.web_seeds.clone(),
        ..Magnet::default()
    }
}

/// Writes a list of objects.
fn push_objects<T>(out: &mut String, dialect: Dialect, items: &[T], push: impl Fn(&mut Pairs, &T)) {
    out.push('[');
    for (at, item) in items.iter().enumerate() {
        if out.len() > MOST_ANSWER {
            break;
        }
        out.push_str(if at == 0 { "{" } else { ",{" });
        push(&mut Pairs::new(out, dialect, Style::Camel), item);
        out.push('}');
    }
    out.push(']');
}

/// Writes a list of something of each file.
fn push_of_files(out: &mut String, details: &Details, push: impl FnMut(&mut String, &FileDetail)) {
    out.push('[');
    push_list(out, &details.files, push);
    out.push(']');
}

/// `files`
pub fn push_files(out: &mut String, dialect: Dialect, details: &Details) {
    push_objects(out, dialect, &details.files, |pairs, file| {
        pairs.size("bytes_completed", file.have);
        pairs.size("length", file.length);
        pairs.text("name", &file.name);
        pairs.size("begin_piece", file.pieces[0].into());
        pairs.size("end_piece", file.pieces[1].into());
    });
}

/// `fileStats`
pub fn push_file_stats(out: &mut String, dialect: Dialect, details: &Details) {
    push_objects(out, dialect, &details.files, |pairs, file| {
        pairs.size("bytes_completed", file.have);
        pairs.number("priority", file.priority.into());
        pairs.flag("wanted", file.wanted);
    });
}

/// `bytesCompleted`
pub fn push_bytes_completed(out: &mut String, details: &Details) {
    push_of_files(out, details, |out, file| push_size(out, file.have));
}

/// `priorities`
pub fn push_priorities(out: &mut String, details: &Details) {
    push_of_files(out, details, |out, file| push_number(out, file.priority.into()));
}

/// `wanted`: flags, which the old dialect has as 0 and 1.
pub fn push_wanted(out: &mut String, dialect: Dialect, details: &Details) {
    push_of_files(out, details, |out, file| match dialect {
        Dialect::Old => push_number(out, file.wanted.into()),
        Dialect::JsonRpc => push_flag(out, file.wanted),
    });
}

/// `pieces`: a bitfield in base64.
pub fn push_pieces(out: &mut String, details: &Details) {
    out.push('"');
    out.push_str(&to_base64(&details.pieces));
    out.push('"');
}

/// `availability`
pub fn push_availability(out: &mut String, details: &Details) {
    out.push('[');
    push_list(out, &details.availability, |out, peers| push_number(out, i64::from(*peers)));
    out.push(']');
}

/// `peers`
pub fn push_peers(out: &mut String, dialect: Dialect, details: &Details) {
    push_objects(out, dialect, &details.peers, |pairs, peer| {
        pairs.text("address", &peer.address);
        pairs.flag("client_is_choked", peer.chokes_us);
        pairs.flag("client_is_interested", peer.we_are_interested);
        pairs.text("client_name", &peer.client);
        pairs.text("flag_str", &flags(peer));
        pairs.flag("is_downloading_from", peer.down_rate > 0);
        pairs.flag("is_encrypted", peer.is_encrypted);
        pairs.flag("is_incoming", peer.is_incoming);
        pairs.flag("is_uploading_to", peer.up_rate > 0);
        push_flag(pairs.key_as("is_utp", "isUTP"), false);
        pairs.text("peer_id", &peer.peer_id);
        pairs.flag("peer_is_choked", peer.we_choke);
        pairs.flag("peer_is_interested", peer.is_interested);
        pairs.size("port", peer.port.into());
        pairs.real("progress", peer.progress);
        pairs.size("rate_to_client", peer.down_rate);
        pairs.size("rate_to_peer", peer.up_rate);
    });
}

/// The letters with which transmission sums up a peer.
fn flags(peer: &PeerDetail) -> String {
    let exchange = |moves: bool, wanted: bool, choked: bool, letters: [char; 3]| match (moves, wanted, choked) {
        (true, _, _) => Some(letters[0]),
        (_, true, true) => Some(letters[1]),
        (_, false, false) => Some(letters[2]),
        _ => None,
    };
    [
        exchange(peer.down_rate > 0, peer.we_are_interested, peer.chokes_us, ['D', 'd', 'K']),
        exchange(peer.up_rate > 0, peer.is_interested, peer.we_choke, ['U', 'u', '?']),
        peer.is_encrypted.then_some('E'),
        peer.source,
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// `peersFrom`
pub fn push_peers_from(out: &mut String, dialect: Dialect, sources: &Sources) {
    out.push('{');
    let mut pairs = Pairs::new(out, dialect, Style::Camel);
    for (key, count) in [
        ("from_cache", sources.cache),
        ("from_dht", sources.dht),
        ("from_incoming", sources.incoming),
        ("from_lpd", sources.lpd),
        ("from_ltep", 0),
        ("from_pex", sources.pex),
        ("from_tracker", sources.tracker),
    ] {
        pairs.size(key, count as u64);
    }
    out.push('}');
}

/// `webseedsEx`
pub fn push_web_seeds(out: &mut String, dialect: Dialect, urls: &[String], details: &Details) {
    push_objects(out, dialect, urls, |pairs, url| {
        let rate = details.web_seeds.iter().find(|(other, _)| other == url).map(|(_, rate)| *rate);
        pairs.size("download_bytes_per_second", rate.unwrap_or(0));
        pairs.flag("is_downloading", rate.is_some());
        pairs.text("url", url);
    });
}

/// `trackerList`: one a line, an empty line between tiers.
pub fn push_tracker_list(out: &mut String, trackers: &[TrackerRecord]) {
    let mut text = String::new();
    let mut tier = trackers.first().map_or(0, |tracker| tracker.tier);
    for tracker in trackers {
        if tracker.tier != tier {
            text.push('\n');
            tier = tracker.tier;
        }
        text.push_str(&tracker.announce);
        text.push('\n');
    }
    push_string(out, text.trim_end());
}

/// `trackers`
pub fn push_trackers(out: &mut String, dialect: Dialect, trackers: &[TrackerRecord]) {
    push_objects(out, dialect, trackers, |pairs, tracker| {
        pairs.text("announce", &tracker.announce);
        pairs.number("id", tracker.id.into());
        pairs.text("scrape", &scrape(&tracker.announce));
        pairs.text("sitename", site(&tracker.announce));
        pairs.size("tier", tracker.tier as u64);
    });
}

/// `trackerStats`. Our client asks for the counts together with the announce, so a scrape has no times of its own.
pub fn push_tracker_stats(out: &mut String, dialect: Dialect, trackers: &[TrackerRecord]) {
    push_objects(out, dialect, trackers, |pairs, tracker| {
        let count = |count: Option<u32>| count.map_or(-1, i64::from);
        let (was_asked, has_counts) = (tracker.last_announce > 0, tracker.seeds.is_some());
        let state = match (tracker.is_asked, tracker.next_announce > 0) {
            (true, _) => 3,
            (_, true) => 1,
            _ => 0,
        };
        pairs.text("announce", &tracker.announce);
        pairs.number("announce_state", state);
        pairs.number("download_count", count(tracker.completed));
        pairs.number("downloader_count", -1);
        pairs.flag("has_announced", was_asked);
        pairs.flag("has_scraped", has_counts);
        pairs.text("host", &host(&tracker.announce));
        pairs.number("id", tracker.id.into());
        pairs.flag("is_backup", tracker.is_backup);
        pairs.size("last_announce_peer_count", tracker.peers.into());
        pairs.text("last_announce_result", if tracker.succeeded { "Success" } else { &tracker.result });
        pairs.number("last_announce_start_time", tracker.asked);
        pairs.flag("last_announce_succeeded", tracker.succeeded);
        pairs.number("last_announce_time", tracker.last_announce);
        pairs.flag("last_announce_timed_out", false);
        pairs.text("last_scrape_result", "");
        pairs.number("last_scrape_start_time", 0);
        pairs.flag("last_scrape_succeeded", has_counts);
        pairs.number("last_scrape_time", if has_counts { tracker.last_announce } else { 0 });
        pairs.flag("last_scrape_timed_out", false);
        pairs.number("leecher_count", count(tracker.leechers));
        pairs.number("next_announce_time", tracker.next_announce);
        pairs.number("next_scrape_time", 0);
        pairs.text("scrape", &scrape(&tracker.announce));
        pairs.number("scrape_state", 0);
        pairs.number("seeder_count", count(tracker.seeds));
        pairs.text("sitename", site(&tracker.announce));
        pairs.size("tier", tracker.tier as u64);
    });
}

/// The scrape URL of a tracker (BEP 48), without the question. Empty: it has none.
fn scrape(announce: &str) -> String {
    match announce.rsplit_once("/announce") {
        Some((before, after)) if !after.contains('/') => format!("{before}/scrape{after}"),
        _ => String::new(),
    }
}

/// The host and port of a tracker.
fn host(announce: &str) -> String {
    let host = url::host(announce).unwrap_or(announce);
    let host = if host.contains(':') { format!("[{host}]") } else { host.into() };
    url::port(announce).map_or(host.clone(), |port| format!("{host}:{port}"))
}

/// What people call a tracker: `example` for tracker.example.com. An address is itself.
fn site(announce: &str) -> &str {
    let host = url::host(announce).unwrap_or(announce);
    let is_address = host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    if is_address { host } else { host.rsplit('.').nth(1).unwrap_or(host) }
}

/// The media type that the name of a torrent suggests.
pub fn mime_type(name: &str) -> &'static str {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).unwrap_or_default();
    match ending.as_str() {
        "avi" => "video/x-msvideo",
        "mkv" => "video/x-matroska",
        "mp4" | "m4v" => "video/mp4",
        "flac" => "audio/flac",
        "mp3" => "audio/mpeg",
        "epub" => "application/epub+zip",
        "pdf" => "application/pdf",
        "iso" => "application/x-iso9660-image",
        "zip" => "application/zip",
        _ => "application/octet-stream",
    }
}
