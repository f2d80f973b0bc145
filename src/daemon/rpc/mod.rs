//! Transmission's RPC: texts that come in, typed calls, and texts that go out.
//!
//! Floor 4. Pure. A program posts a text over HTTP. [`Conversation`] takes it apart into [calls](call), which the
//! daemon carries out one after the other, and puts the answer together. There are two dialects of the same methods
//! ([`Dialect`]): the one that all older programs speak, and the JSON-RPC 2.0 of transmission 4.1.
//! docs/rpc-spec.md of transmission describes both.
//!
//! | step | file |
//! |---|---|
//! | text to calls, answers to text | [`conversation`] |
//! | arguments of a call | [`arguments`], [`call`], [`adding`], [`changing`] |
//! | `torrent-get` | [`field`], [`torrents`], [`details`] |
//! | the settings and sums of the session | [`session`], [`fixed`] |
//! | the keys of an object in either dialect | [`pairs`] |

pub mod adding;
pub mod arguments;
pub mod call;
pub mod changing;
pub mod conversation;
pub mod details;
pub mod field;
pub mod fixed;
pub mod pairs;
pub mod session;
#[cfg(test)]
mod tests;
pub mod torrents;

pub use call::Call;
pub use conversation::Conversation;
pub use pairs::Dialect;

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The kind of failure, as JSON-RPC shows it.
    pub kind: Kind,
    /// What is wrong. Programs of the old dialect show it, or compare it with transmission's words.
    pub text: String,
}

/// The kinds of failures, with the codes of JSON-RPC 2.0 and of transmission 4.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The text is no JSON.
    Parse = -32700,
    /// The JSON is no request.
    Request = -32600,
    /// There is no such method.
    Method = -32601,
    /// An argument is wrong.
    Params = -32602,
    /// The daemon can't do it.
    Internal = -32603,
    /// The content of that torrent is being deleted. (A number for errors of our own.)
    Leaving = -32000,
    /// The list of trackers can't be changed like that.
    AnnounceList = 1,
    /// That is no list of trackers.
    TrackerList = 2,
    /// A path must be absolute.
    PathNotAbsolute = 3,
    /// That is neither a .torrent file nor a link.
    UnrecognizedInfo = 4,
    /// The operating system refused.
    System = 5,
    /// The torrent has no such file.
    FileIndex = 6,
    /// A web server did not give what was asked.
    Http = 8,
    /// The .torrent file is damaged.
    CorruptTorrent = 9,
    /// That is no blocklist.
    Blocklist = 10,
}

impl Kind {
    /// The name of the kind.
    fn message(self) -> &'static str {
        match self {
            Kind::Parse => "Parse error",
            Kind::Request => "Invalid Request",
            Kind::Method => "Method not found",
            Kind::Params => "Invalid params",
            Kind::Internal => "Internal error",
            Kind::Leaving => "its content is being deleted, because it was just removed",
            Kind::AnnounceList => "error setting announce list",
            Kind::TrackerList => "Invalid tracker list",
            Kind::PathNotAbsolute => "path is not absolute",
            Kind::UnrecognizedInfo => "unrecognized info",
            Kind::System => "system error",
            Kind::FileIndex => "file index out of range",
            Kind::Http => "HTTP error from backend service",
            Kind::CorruptTorrent => "invalid or corrupt torrent file",
            Kind::Blocklist => "couldn't parse any valid blocklist rules",
        }
    }
}

impl Failure {
    /// A failure of this kind that needs no further words.
    pub fn of(kind: Kind) -> Failure {
        Failure { kind, text: kind.message().into() }
    }

    /// A failure of this kind.
    pub fn new(kind: Kind, text: impl Into<String>) -> Failure {
        Failure { kind, text: text.into() }
    }

    /// Nothing is done with bandwidth groups.
    fn no_groups() -> Failure {
        Failure::new(Kind::Internal, "swarmlet has no bandwidth groups: limit each torrent, or all of them together")
    }

    /// An argument is wrong.
    pub fn params(text: impl Into<String>) -> Failure {
        Failure::new(Kind::Params, text)
    }
}
