//! Answers `torrent-get`, and says which torrent was added or renamed.
//!
//! Floor 4. Pure. The answer is written straight into one text, because programs ask every two seconds for thousands of
//! torrents.

use super::call::GetTorrents;
use super::conversation::{MOST_ANSWER, too_long};
use super::details;
use super::field::Field;
use super::pairs::{Dialect, Pairs, Style, push_flag, push_list, push_number, push_real, push_size};
use super::{Failure, Kind};
use crate::base::json::push_string;
use crate::daemon::record::{Details, Record, State, Trouble};
use crate::daemon::records::Records;
use crate::daemon::settings::Settings;
use crate::storage::description::file_name;

/// No end in sight, as `eta` has it.
const ETA_UNKNOWN: i64 = -2;
/// How many bytes longer than the text of the first torrent those of the others may be.
const SPARE: usize = 32;
/// There is nothing to wait for.
const ETA_NONE: i64 = -1;

/// Writes what `get` asks. `details` asks the engine, one torrent after the other; `now` is in seconds since 1970.
pub fn write(
    out: &mut String,
    dialect: Dialect,
    get: &GetTorrents,
    (records, settings): (&Records, &Settings),
    mut details: impl FnMut(&Record) -> Option<Details>,
    now: i64,
) -> Result<(), Failure> {
    let (needs_details, least_of_file) = (get.needs_details(), get.least_of_file());
    if let Some(removed) = records.removed(&get.ids, now) {
        out.push_str("\"removed\":[");
        push_list(out, removed, |out, id| push_size(out, u64::from(id)));
        out.push_str("],");
    }
    out.push_str("\"torrents\":[");
    let mut is_first = true;
    if get.as_table {
        out.push('[');
        push_list(out, &get.fields, |out, (name, _)| push_string(out, name));
        out.push(']');
        is_first = false;
    }
    let ids = records.select(&get.ids, now);
    for (at, id) in ids.iter().enumerate() {
        let Some(record) = records.get(*id) else { continue };
        let begin = out.len();
        // The engine is not even asked for a list that can't be sent.
        let least = least_of_file.saturating_mul(record.about.file_count);
        if begin.saturating_add(least) > MOST_ANSWER {
            return Err(too_long());
        }
        let details = if needs_details { details(record).unwrap_or_default() } else { Details::default() };
        if !is_first {
            out.push(',');
        }
        is_first = false;
        let [open, close] = if get.as_table { ['[', ']'] } else { ['{', '}'] };
        out.push(open);
        push_list(out, &get.fields, |out, (name, field)| {
            if !get.as_table {
                // It is one of the known names, so there is nothing to escape.
                out.push('"');
                out.push_str(name);
                out.push_str("\":");
            }
            push_field(out, dialect, *field, record, &details, (settings, now));
        });
        out.push(close);
        if at == 0 {
            // The others are about as long. A text that grows again and again leaves holes in the memory.
            out.reserve((out.len() - begin + SPARE).saturating_mul(ids.len()).min(MOST_ANSWER));
        }
        if out.len() > MOST_ANSWER {
            return Err(too_long());
        }
    }
    out.push(']');
    Ok(())
}

fn push_field(
    out: &mut String,
    dialect: Dialect,
    field: Field,
    record: &Record,
    details: &Details,
    (settings, moment): (&Settings, i64),
) {
    let Record { about, wishes, dates, totals, now, .. } = record;
    match field {
        Field::ActivityDate => push_number(out, dates.active),
        Field::AddedDate => push_number(out, dates.added),
        Field::Availability => details::push_availability(out, details),
        Field::BandwidthPriority => push_number(out, wishes.bandwidth_priority.into()),
        Field::BytesCompleted => details::push_bytes_completed(out, details),
        Field::Comment => push_string(out, &about.comment),
        Field::CorruptEver => push_size(out, totals.corrupt),
        Field::Creator => push_string(out, &about.creator),
        Field::DateCreated => push_number(out, about.created),
        Field::DesiredAvailable => push_size(out, now.desired_available),
        Field::DoneDate => push_number(out, dates.done),
        Field::DownloadDir => push_string(out, &record.download_dir),
        Field::DownloadLimit => push_size(out, wishes.download_limit),
        Field::DownloadLimited => push_flag(out, wishes.download_limited),
        Field::DownloadedEver => push_size(out, totals.downloaded),
        Field::EditDate => push_number(out, dates.edited),
        Field::Error => push_number(out, trouble(record).0),
        Field::ErrorString => push_string(out, trouble(record).1),
        Field::Eta => push_number(out, eta(record, settings)),
        Field::EtaIdle => push_number(out, if now.idle_stop > 0 { (now.idle_stop - moment).max(0) } else { ETA_NONE }),
        Field::FileCount => push_size(out, about.file_count as u64),
        Field::FileStats => details::push_file_stats(out, dialect, details),
        Field::Files => details::push_files(out, dialect, details),
        // There are no bandwidth groups.
        Field::Group => push_string(out, ""),
        Field::HashString => push_string(out, &about.hash.map(|hash| hash.to_string()).unwrap_or_default()),
        Field::HaveUnchecked => push_size(out, now.have_unchecked),
        Field::HaveValid => push_size(out, now.have_valid),
        Field::HonorsSessionLimits => push_flag(out, wishes.honors_session_limits),
        Field::Id => push_number(out, record.id.into()),
        Field::IsFinished => push_flag(out, record.is_finished),
        Field::IsPrivate => push_flag(out, about.is_private),
        Field::IsStalled => push_flag(out, is_stalled(record, settings, moment)),
        Field::Labels => {
            out.push('[');
            push_list(out, &record.labels, |out, label| push_string(out, label));
            out.push(']');
        }
        Field::LeftUntilDone => push_size(out, now.left),
        Field::MagnetLink => match &about.link {
            Some(link) => push_string(out, link),
            None => push_string(out, &details::link(record).to_string()),
        },
        Field::ManualAnnounceTime => push_number(out, -1),
        Field::MaxConnectedPeers | Field::PeerLimit => push_size(out, wishes.peer_limit),
        Field::MetadataPercentComplete => push_real(out, now.metadata),
        Field::Name => push_string(out, &about.name),
        Field::Peers => details::push_peers(out, dialect, details),
        Field::PeersConnected => push_size(out, now.peers as u64),
        Field::PeersFrom => details::push_peers_from(out, dialect, &now.sources),
        Field::PeersGettingFromUs => push_size(out, now.getting as u64),
        Field::PeersSendingToUs => push_size(out, now.sending as u64),
        Field::PercentComplete => push_real(out, part(now.have_valid, about.total_size)),
        Field::PercentDone => push_real(out, part(now.size_when_done.saturating_sub(now.left), now.size_when_done)),
        Field::PieceCount => push_size(out, about.piece_count.into()),
        Field::PieceSize => push_size(out, about.piece_size),
        Field::Pieces => details::push_pieces(out, details),
        Field::PrimaryMimeType => push_string(out, details::mime_type(&about.name)),
        Field::Priorities => details::push_priorities(out, details),
        Field::QueuePosition => push_size(out, record.queue_position as u64),
        Field::RateDownload => push_size(out, now.down_rate),
        Field::RateUpload => push_size(out, now.up_rate),
        Field::RecheckProgress => push_real(out, now.check_progress),
        Field::SecondsDownloading => push_size(out, totals.seconds_downloading),
        Field::SecondsSeeding => push_size(out, totals.seconds_seeding),
        Field::SeedIdleLimit => push_size(out, wishes.seed_idle_limit),
        Field::SeedIdleMode => push_number(out, wishes.seed_idle_mode as i64),
        Field::SeedRatioLimit => push_real(out, wishes.seed_ratio_limit),
        Field::SeedRatioMode => push_number(out, wishes.seed_ratio_mode as i64),
        Field::SequentialDownload => push_flag(out, wishes.sequential_download),
        Field::SizeWhenDone => push_size(out, now.size_when_done),
        Field::StartDate => push_number(out, dates.started),
        Field::Status => push_number(out, record.state as i64),
        Field::TorrentFile => {
            let path =
                about.torrent_folder.as_ref().zip(about.hash).map(|(folder, hash)| folder.join(file_name(&hash)));
            push_string(out, &path.unwrap_or_default().to_string_lossy());
        }
        Field::TotalSize => push_size(out, about.total_size),
        Field::TrackerList => details::push_tracker_list(out, &record.trackers),
        Field::TrackerStats => details::push_tracker_stats(out, dialect, &record.trackers),
        Field::Trackers => details::push_trackers(out, dialect, &record.trackers),
        Field::UploadLimit => push_size(out, wishes.upload_limit),
        Field::UploadLimited => push_flag(out, wishes.upload_limited),
        Field::UploadRatio => push_real(out, ratio(totals.uploaded, now.size_when_done)),
        Field::UploadedEver => push_size(out, totals.uploaded),
        Field::Wanted => details::push_wanted(out, dialect, details),
        Field::Webseeds => {
            out.push('[');
            push_list(out, &about.web_seeds, |out, url| push_string(out, url));
            out.push(']');
        }
        Field::WebseedsEx => details::push_web_seeds(out, dialect, &about.web_seeds, details),
        Field::WebseedsSendingToUs => push_size(out, now.web_seeds_sending as u64),
    }
}

/// The number and the words of what is wrong.
fn trouble(record: &Record) -> (i64, &str) {
    match &record.trouble {
        Trouble::None => (0, ""),
        Trouble::TrackerWarning(text) => (1, text),
        Trouble::TrackerError(text) => (2, text),
        Trouble::Local(text) => (3, text),
    }
}

/// Whether it made no progress for so long that it does not count in its queue.
fn is_stalled(record: &Record, settings: &Settings, now: i64) -> bool {
    let works = matches!(record.state, State::Download | State::Seed);
    let last = record.dates.active.max(record.dates.started).max(record.dates.added);
    let patience = settings.queue_stalled_minutes.saturating_mul(60) as i64;
    works && settings.queue_stalled_enabled && now - last > patience
}

/// Seconds until a download is complete, or until a seed has reached its ratio.
fn eta(record: &Record, settings: &Settings) -> i64 {
    let at_rate = |bytes: u64, rate: u64| bytes.checked_div(rate).map_or(ETA_UNKNOWN, |seconds| seconds as i64);
    let Record { wishes, totals, now, .. } = record;
    match record.state {
        State::Download => at_rate(now.left, now.down_rate),
        State::Seed => {
            let goal = wishes.ratio_limit(settings).map(|limit| (limit * now.have_valid as f64) as u64);
            goal.map_or(ETA_NONE, |goal| at_rate(goal.saturating_sub(totals.uploaded), now.up_rate))
        }
        State::Stopped | State::CheckWait | State::Check | State::DownloadWait | State::SeedWait => ETA_NONE,
    }
}

/// The part `some` of `all`, 0 to 1. Of nothing it is none, as for a torrent of which only the link is known.
fn part(some: u64, all: u64) -> f64 {
    if all == 0 { 0.0 } else { some.min(all) as f64 / all as f64 }
}

/// What was sent over the size. -1: neither; -2: without end.
fn ratio(sent: u64, size: u64) -> f64 {
    match (sent, size) {
        (0, 0) => -1.0,
        (_, 0) => -2.0,
        (sent, size) => sent as f64 / size as f64,
    }
}

/// Says which torrent was added, or that it was there already.
pub fn write_added(out: &mut String, dialect: Dialect, record: &Record, was_there: bool) {
    let mut pairs = Pairs::new(out, dialect, Style::Kebab);
    pairs.key(if was_there { "torrent_duplicate" } else { "torrent_added" }).push('{');
    let mut pairs = Pairs::new(out, dialect, Style::Camel);
    pairs.text("hash_string", &record.about.hash.map(|hash| hash.to_string()).unwrap_or_default());
    pairs.number("id", record.id.into());
    pairs.text("name", &record.about.name);
    out.push('}');
}

/// Says which file or folder has another name.
pub fn write_renamed(out: &mut String, dialect: Dialect, id: u32, path: &str, name: &str) {
    let mut pairs = Pairs::new(out, dialect, Style::Camel);
    pairs.number("id", id.into());
    pairs.text("name", name);
    pairs.text("path", path);
}

/// The only torrent that `torrent-rename-path` may name.
pub fn only_one(ids: &[u32]) -> Result<u32, Failure> {
    match ids {
        [id] => Ok(*id),
        _ => Err(Failure::new(Kind::Params, "torrent-rename-path requires 1 torrent")),
    }
}
