//! How we learned of a peer. Every address keeps its source from the moment it is found until the peer is gone.

use crate::base::time::Time;

/// If only the link of a torrent is known, and the link names trackers, addresses from other sources are not tried
/// before this time has passed. The torrent may be private, and then such an address may not take part.
pub const TRACKERS_ALONE: Time = Time::from_secs(10);

/// How we learned of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A tracker named it.
    Tracker,
    /// The DHT named it (BEP 5).
    Dht,
    /// Another peer named it (BEP 11).
    Pex,
    /// It announced itself in the local network (BEP 14).
    Lsd,
    /// The link that the person gave names it (BEP 9, `x.pe`).
    Link,
    /// It connected to us.
    Incoming,
    /// The torrent or its link names it: a web seed (BEP 19).
    WebSeed,
}

/// Whether a source was asked for peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Asked {
    /// Not yet.
    #[default]
    Not,
    /// It is being asked for the first time.
    Now,
    /// It has answered.
    Before,
}

impl Asked {
    /// The same, for a person. What is asked first of all is being asked, though its thread has not said so yet.
    pub fn shown(self, is_asked_first: bool) -> Asked {
        if is_asked_first && self == Asked::Not { Asked::Now } else { self }
    }
}

impl Source {
    /// Those of peers with a socket, in the order of their numbers. (Web seeds are counted apart.)
    pub const ALL: [Source; 6] =
        [Source::Tracker, Source::Dht, Source::Pex, Source::Lsd, Source::Link, Source::Incoming];

    /// Its name in `--json`.
    pub fn name(self) -> &'static str {
        match self {
            Source::Tracker => "tracker",
            Source::Dht => "dht",
            Source::Pex => "pex",
            Source::Lsd => "lsd",
            Source::Link => "link",
            Source::Incoming => "incoming",
            Source::WebSeed => "web_seed",
        }
    }

    /// Whether peers of a private torrent may come from it: only the tracker decides who takes part (BEP 27). An
    /// incoming peer was told of us by the tracker, and a link is what the person typed. A
    /// web seed is told nothing but what we ask for.
    pub fn is_for_private(self) -> bool {
        matches!(self, Source::Tracker | Source::Link | Source::Incoming | Source::WebSeed)
    }
}
