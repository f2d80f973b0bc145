//! What `torrent-get` can be asked about a torrent.
//!
//! Floor 4. Pure. The names are those of transmission 4.1; [`fields`] understands the older ones, too.

use crate::base::json::read::Value;
use crate::daemon::settings::table::snake;

/// Something that is known of a torrent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "transmission's docs/rpc-spec.md describes each of them")]
pub enum Field {
    ActivityDate,
    AddedDate,
    Availability,
    BandwidthPriority,
    BytesCompleted,
    Comment,
    CorruptEver,
    Creator,
    DateCreated,
    DesiredAvailable,
    DoneDate,
    DownloadDir,
    DownloadLimit,
    DownloadLimited,
    DownloadedEver,
    EditDate,
    Error,
    ErrorString,
    Eta,
    EtaIdle,
    FileCount,
    FileStats,
    Files,
    Group,
    HashString,
    HaveUnchecked,
    HaveValid,
    HonorsSessionLimits,
    Id,
    IsFinished,
    IsPrivate,
    IsStalled,
    Labels,
    LeftUntilDone,
    MagnetLink,
    ManualAnnounceTime,
    MaxConnectedPeers,
    MetadataPercentComplete,
    Name,
    PeerLimit,
    Peers,
    PeersConnected,
    PeersFrom,
    PeersGettingFromUs,
    PeersSendingToUs,
    PercentComplete,
    PercentDone,
    PieceCount,
    PieceSize,
    Pieces,
    PrimaryMimeType,
    Priorities,
    QueuePosition,
    RateDownload,
    RateUpload,
    RecheckProgress,
    SecondsDownloading,
    SecondsSeeding,
    SeedIdleLimit,
    SeedIdleMode,
    SeedRatioLimit,
    SeedRatioMode,
    SequentialDownload,
    SizeWhenDone,
    StartDate,
    Status,
    TorrentFile,
    TotalSize,
    TrackerList,
    TrackerStats,
    Trackers,
    UploadLimit,
    UploadLimited,
    UploadRatio,
    UploadedEver,
    Wanted,
    Webseeds,
    WebseedsEx,
    WebseedsSendingToUs,
}

/// All fields with their names, in the order of the names.
const NAMES: [(&str, Field); 79] = [
    ("activity_date", Field::ActivityDate),
    ("added_date", Field::AddedDate),
    ("availability", Field::Availability),
    ("bandwidth_priority", Field::BandwidthPriority),
    ("bytes_completed", Field::BytesCompleted),
    ("comment", Field::Comment),
    ("corrupt_ever", Field::CorruptEver),
    ("creator", Field::Creator),
    ("date_created", Field::DateCreated),
    ("desired_available", Field::DesiredAvailable),
    ("done_date", Field::DoneDate),
    ("download_dir", Field::DownloadDir),
    ("download_limit", Field::DownloadLimit),
    ("download_limited", Field::DownloadLimited),
    ("downloaded_ever", Field::DownloadedEver),
    ("edit_date", Field::EditDate),
    ("error", Field::Error),
    ("error_string", Field::ErrorString),
    ("eta", Field::Eta),
    ("eta_idle", Field::EtaIdle),
    ("file_count", Field::FileCount),
    ("file_stats", Field::FileStats),
    ("files", Field::Files),
    ("group", Field::Group),
    ("hash_string", Field::HashString),
    ("have_unchecked", Field::HaveUnchecked),
    ("have_valid", Field::HaveValid),
    ("honors_session_limits", Field::HonorsSessionLimits),
    ("id", Field::Id),
    ("is_finished", Field::IsFinished),
    ("is_private", Field::IsPrivate),
    ("is_stalled", Field::IsStalled),
    ("labels", Field::Labels),
    ("left_until_done", Field::LeftUntilDone),
    ("magnet_link", Field::MagnetLink),
    ("manual_announce_time", Field::ManualAnnounceTime),
    ("max_connected_peers", Field::MaxConnectedPeers),
    ("metadata_percent_complete", Field::MetadataPercentComplete),
    ("name", Field::Name),
    ("peer_limit", Field::PeerLimit),
    ("peers", Field::Peers),
    ("peers_connected", Field::PeersConnected),
    ("peers_from", Field::PeersFrom),
    ("peers_getting_from_us", Field::PeersGettingFromUs),
    ("peers_sending_to_us", Field::PeersSendingToUs),
    ("percent_complete", Field::PercentComplete),
    ("percent_done", Field::PercentDone),
    ("piece_count", Field::PieceCount),
    ("piece_size", Field::PieceSize),
    ("pieces", Field::Pieces),
    ("primary_mime_type", Field::PrimaryMimeType),
    ("priorities", Field::Priorities),
    ("queue_position", Field::QueuePosition),
    ("rate_download", Field::RateDownload),
    ("rate_upload", Field::RateUpload),
    ("recheck_progress", Field::RecheckProgress),
    ("seconds_downloading", Field::SecondsDownloading),
    ("seconds_seeding", Field::SecondsSeeding),
    ("seed_idle_limit", Field::SeedIdleLimit),
    ("seed_idle_mode", Field::SeedIdleMode),
    ("seed_ratio_limit", Field::SeedRatioLimit),
    ("seed_ratio_mode", Field::SeedRatioMode),
    ("sequential_download", Field::SequentialDownload),
    ("size_when_done", Field::SizeWhenDone),
    ("start_date", Field::StartDate),
    ("status", Field::Status),
    ("torrent_file", Field::TorrentFile),
    ("total_size", Field::TotalSize),
    ("tracker_list", Field::TrackerList),
    ("tracker_stats", Field::TrackerStats),
    ("trackers", Field::Trackers),
    ("upload_limit", Field::UploadLimit),
    ("upload_limited", Field::UploadLimited),
    ("upload_ratio", Field::UploadRatio),
    ("uploaded_ever", Field::UploadedEver),
    ("wanted", Field::Wanted),
    ("webseeds", Field::Webseeds),
    ("webseeds_ex", Field::WebseedsEx),
    ("webseeds_sending_to_us", Field::WebseedsSendingToUs),
];

impl Field {
    /// The field of this name, in any spelling.
    fn find(name: &str) -> Option<Field> {
        let name = snake(name);
        let at = NAMES.binary_search_by(|(other, _)| (*other).cmp(&*name)).ok()?;
        Some(NAMES[at].1)
    }

    /// The least number of bytes that the value has for each file of a torrent.
    pub fn least_of_file(self) -> usize {
        match self {
            // {"beginPiece":0,"bytesCompleted":0,"endPiece":1,"length":0,"name":""}
            Field::Files => 69,
            // {"bytesCompleted":0,"priority":0,"wanted":true}
            Field::FileStats => 47,
            Field::BytesCompleted | Field::Priorities | Field::Wanted => 2,
            _ => 0,
        }
    }

    /// Whether the time that has passed counts for it.
    pub fn is_counted(self) -> bool {
        matches!(self, Field::SecondsDownloading | Field::SecondsSeeding)
    }

    /// Whether the engine must be asked for it.
    pub fn is_detail(self) -> bool {
        matches!(
            self,
            Field::Availability
                | Field::BytesCompleted
                | Field::FileStats
                | Field::Files
                | Field::Peers
                | Field::Pieces
                | Field::Priorities
                | Field::Wanted
                | Field::WebseedsEx
        )
    }
}

/// The fields of a list of names, each once, with the names as they are there. Unknown names are left out.
pub fn fields(list: &[Value]) -> Vec<(String, Field)> {
    let mut fields: Vec<(String, Field)> = Vec::new();
    let mut is_there = [false; NAMES.len()];
    // A longer list has names that are unknown, or come twice.
    for name in list.iter().take(4 * NAMES.len()).filter_map(Value::text) {
        let Some(field) = Field::find(name) else { continue };
        if !std::mem::replace(&mut is_there[field as usize], true) {
            fields.push((name.into(), field));
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_order_and_found_in_all_spellings() {
        assert!(NAMES.windows(2).all(|two| two[0].0 < two[1].0));
        assert!(NAMES.iter().enumerate().all(|(at, (_, field))| *field as usize == at));
        for name in ["hashString", "hash_string", "hash-string"] {
            assert_eq!(Field::find(name), Some(Field::HashString));
        }
        let list = ["downloadDir", "nothing", "peer-limit", "download_dir"].map(|name| Value::Text(name.into()));
        let names: Vec<_> = fields(&list).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["downloadDir", "peer-limit"]);
    }
}
