//! What a torrent is doing, as one of a few words: on the screen, in plain lines and in JSON.
//!
//! Floor 4. Pure.

use crate::cli::run::entry::Entry;
use crate::swarm::figures::Status;
use crate::swarm::standing::Standing;

/// What a torrent is doing, or how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// Only its link is known; peers are asked for its description.
    Learning,
    /// Its content is being checked.
    Checking,
    /// Data arrives.
    Downloading,
    /// Data is missing and nothing arrives, or its disk does not work.
    Waiting,
    /// The person paused it.
    Paused,
    /// It is complete, and others can download it.
    Seeding,
    /// It ended because of an error.
    Failed,
    /// Its .torrent file was taken away.
    Removed,
    /// The run is over, and it is complete.
    Complete,
    /// The run is over, and it is not complete.
    Stopped,
}

impl Doing {
    /// What a torrent is doing now.
    pub fn of(entry: &Entry) -> Doing {
        match entry.running() {
            _ if entry.removed => Doing::Removed,
            _ if entry.problem().is_some() => Doing::Failed,
            Some(status) if status.paused => Doing::Paused,
            Some(status) if status.queued => Doing::Waiting,
            // Even if it is complete: it can't upload what its disk does not read.
            Some(status) if waits_for_disk(status) => Doing::Waiting,
            _ if entry.completed_at.is_some() => Doing::Seeding,
            // The rate still counts what a peer sent in the seconds before it left.
            Some(status) if status.down_rate > 0 && status.peers + status.web_seeds > 0 => Doing::Downloading,
            Some(_) => Doing::Waiting,
            None if entry.learning().is_some_and(|status| status.paused) => Doing::Paused,
            None if entry.learning().is_some() => Doing::Learning,
            None if entry.joined.is_some() => Doing::Downloading,
            None => Doing::Checking,
        }
    }

    /// The word for what a torrent is doing, in a list that gives no reasons.
    pub fn word_in_list(entry: &Entry) -> &'static str {
        let doing = Doing::of(entry);
        let is_queued = doing == Doing::Waiting && entry.running().is_some_and(|status| status.queued);
        if is_queued { "queued" } else { doing.word() }
    }

    /// How a torrent ended, when the run is over.
    pub fn at_end(entry: &Entry) -> Doing {
        match Doing::of(entry) {
            Doing::Failed => Doing::Failed,
            _ if entry.completed_at.is_some() || entry.described => Doing::Complete,
            _ => Doing::Stopped,
        }
    }

    /// The word for it, for people and for programs.
    pub fn word(self) -> &'static str {
        match self {
            Doing::Learning => "learning",
            Doing::Checking => "checking",
            Doing::Downloading => "downloading",
            Doing::Waiting => "waiting",
            Doing::Paused => "paused",
            Doing::Seeding => "seeding",
            Doing::Failed => "failed",
            Doing::Removed => "removed",
            Doing::Complete => "complete",
            Doing::Stopped => "stopped",
        }
    }
}

/// Whether its disk keeps a torrent from going on.
pub fn waits_for_disk(status: &Status) -> bool {
    matches!(status.standing, Standing::WaitingForDisk(_))
}
