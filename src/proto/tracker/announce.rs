//! The announce: what a client asks a tracker and what the tracker answers (BEP 3, 7, 23, 24, 31, 48).
//!
//! Requests and replies are both read and written here, because our client and our tracker both use them. Over HTTP the
//! request is the query of a URL ([`AnnounceRequest`]) and the reply a bencoded dict ([`AnnounceReply`], or a
//! [`ReplyError`] that says why not); [`udp`](super::udp) carries the same facts. Numbers are those that the other side
//! wrote, except that they cannot overflow. What is a sensible interval or number of peers is decided in `swarm` and in
//! the tracker.
//!
//! **A new field goes here:** into [`AnnounceRequest`], its `to_url` and `parse_query`; or into [`AnnounceReply`],
//! [`parse_reply`] and `emit_list`. Our tracker writes compact replies in `tracker/web/answers.rs`.
//!
//! ```
//! use swarmlet::proto::id::{InfoHash, PeerId};
//! use swarmlet::proto::tracker::announce::{
//!     AnnounceEvent, AnnounceReply, AnnounceRequest, emit_failure, parse_reply,
//! };
//!
//! // A client asks ...
//! let request = AnnounceRequest {
//!     left: 1000,
//!     event: Some(AnnounceEvent::Started),
//!     ..AnnounceRequest::new(InfoHash([b'h'; 20]), PeerId(*b"-SW0100-abcdefghijkl"), 6881)
//! };
//! let url = request.to_url("http://t.example/announce?passkey=secret");
//! assert!(url.starts_with("http://t.example/announce?passkey=secret&info_hash=hhhhhhhhhhhhhhhhhhhh&peer_id="));
//!
//! // ... a tracker reads that, and answers ...
//! let (_, query) = url.split_once('?').unwrap();
//! assert_eq!(AnnounceRequest::parse_query(query)?, request);
//! let peers = vec!["10.0.0.1:6881".parse().unwrap()];
//! let reply = AnnounceReply { interval: Some(1800), seeds: Some(1), peers, ..AnnounceReply::default() };
//! let body = reply.emit_list(&[]);
//!
//! // ... and the client reads the answer, or why there is none.
//! assert_eq!(parse_reply(&body), Ok(reply));
//! let refused = parse_reply(&emit_failure("unknown passkey", None)).unwrap_err();
//! assert_eq!(refused.to_string(), "the tracker says: unknown passkey");
//! # Ok::<(), String>(())
//! ```

mod reply;
mod request;
mod scrape;

pub use self::reply::{
    AnnounceReply, MAX_HOST_PEERS, MAX_REPLY_BYTES, MAX_REPLY_PEERS, ReplyError, RetryIn, emit_failure, parse_reply,
    to_words,
};
pub use self::request::{AnnounceRequest, LEFT_UNKNOWN};
pub use self::scrape::{parse_scrape, scrape_url};

/// Why a client announces, if not only because the interval is over (BEP 3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum AnnounceEvent {
    /// It starts: the first announce of a run.
    Started,
    /// It has just got the last piece. Never sent if the torrent was complete at the start.
    Completed,
    /// It leaves.
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

    /// The event that a word of a query names. `None` for other words: the empty one, which BEP 3 allows, and those of
    /// later BEPs (`paused` of BEP 21), which are announces like any other.
    pub fn from_word(word: &[u8]) -> Option<AnnounceEvent> {
        [AnnounceEvent::Started, AnnounceEvent::Completed, AnnounceEvent::Stopped]
            .into_iter()
            .find(|event| event.as_str().as_bytes() == word)
    }
}
