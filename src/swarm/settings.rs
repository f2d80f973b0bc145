//! How a torrent is downloaded and seeded, and who we are.
//!
//! Floor 2.

use crate::base::time::Time;
use crate::proto::id::PeerId;
use core::net::IpAddr;

/// The port when nobody says another: the first of BEP 3.
const PORT: u16 = 6881;
/// Connections of a torrent when nobody says another number (transmission's).
pub const MAX_PEERS: usize = 50;

/// The settings of a torrent.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Our peer id.
    pub peer_id: PeerId,
    /// The port we listen on.
    pub port: u16,
    /// The `key` for trackers: tells them that we are the same after our address changed.
    pub tracker_key: u32,
    /// Most connections of a torrent.
    pub max_peers: usize,
    /// Pieces in order, first to last.
    pub sequential: bool,
    /// The limit of what a torrent uploads, in bytes a second.
    pub upload_rate: Option<u64>,
    /// How many peers are served at once; `None`: as many as the upload is good for.
    pub upload_slots: Option<usize>,
    /// Where trackers are to tell others that we are; `None`: where we come from.
    pub ip: Option<IpAddr>,
    /// What is whole at the beginning is super-seeded.
    pub super_seed: bool,
    /// Given up when nothing came for so long.
    pub stop_timeout: Option<Time>,
}

impl Default for Settings {
    /// The defaults of the command line, with a peer id of zeros.
    fn default() -> Settings {
        Settings::new(PeerId([0; 20]))
    }
}

impl Settings {
    /// The defaults, for the peer id that we use.
    pub fn new(peer_id: PeerId) -> Settings {
        Settings {
            peer_id,
            port: PORT,
            tracker_key: 0,
            max_peers: MAX_PEERS,
            sequential: false,
            upload_rate: None,
            upload_slots: None,
            ip: None,
            super_seed: false,
            stop_timeout: None,
        }
    }
}
