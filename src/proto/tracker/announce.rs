//! The announce over HTTP: what a client asks a tracker and what it answers (BEP 3, 7, 23, 24, 31, 48).
//!
//! Floor 1. Both directions of both: what our client sends, our tracker reads, and the other way round. The request
//! is the query of a URL ([`AnnounceRequest`]), the reply a bencoded dict ([`AnnounceReply`], or a [`ReplyError`]
//! that says in words why not). Numbers come out as the other side wrote them, only never overflowing; what is a
//! sensible interval or number of peers is for floors 2 and 3 to decide.

mod reply;
mod request;
mod scrape;

pub use self::reply::{
    AnnounceReply, Damage, MAX_HOST_PEERS, MAX_REPLY_BYTES, MAX_REPLY_PEERS, ReplyError, RetryIn, emit_failure,
    parse_reply,
};
pub use self::request::{AnnounceRequest, LEFT_UNKNOWN, RequestError};
pub use self::scrape::{parse_scrape, scrape_url};
use std::fmt;

/// Why a client announces, when it is not just time to (BEP 3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum AnnounceEvent {
    /// It begins: the first announce of a run.
    Started,
    /// It has just got the last piece. Never of a torrent that was whole at the start.
    Completed,
    /// It goes.
    Stopped,
}

impl AnnounceEvent {
    /// The word of the query.
    pub fn as_str(self) -> &'static str {
        match self {
            AnnounceEvent::Started => "started",
            AnnounceEvent::Completed => "completed",
            AnnounceEvent::Stopped => "stopped",
        }
    }

    /// The event a query's word names. None for the others: the empty one, which BEP 3 allows, and those of later
    /// BEPs (`paused` of BEP 21), which are announces like any other.
    pub fn from_word(word: &[u8]) -> Option<AnnounceEvent> {
        [AnnounceEvent::Started, AnnounceEvent::Completed, AnnounceEvent::Stopped]
            .into_iter()
            .find(|event| event.as_str().as_bytes() == word)
    }
}

impl fmt::Display for AnnounceEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
