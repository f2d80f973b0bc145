//! Super-seeding: a seed that shows each peer one piece, and the next one when another peer has the first.
//!
//! Floor 2; BEP 16. It is for the first seed of a torrent if its upload is slow. To each peer it looks like a peer that
//! has nothing yet and gets a piece now and then, a different one for each peer. So no peer can request what others
//! have, whatever its program does, and a peer that passes nothing on gets nothing more. `torrent/showing.rs` carries
//! it out.
//!
//! [`spreading`](super::spreading) chooses the pieces in either case. A usual seed suggests them (BEP 6); swarmlet
//! and libtorrent follow suggestions, many programs do not. In the simulation (1 MiB/s each, pieces of 256 KiB, four
//! runs), the first figure is what the seed sent until every piece was out, as a multiple of the content; the second is
//! when the last leecher was complete, as a multiple of the bound:
//!
//! | leechers, content | usual seed, no suggestions followed | usual seed | super-seeding, none followed |
//! |---|---|---|---|
//! | 8, 16 MiB | 1.46, 1.48 | 1.06, 1.09 | 1.00, 1.04 |
//! | 8, 48 MiB | 1.24, 1.25 | 1.00, 1.02 | 1.00, 1.01 |
//! | 24, 48 MiB | 1.40, 1.42 | 1.00, 1.11 | 1.02, 1.09 |
//!
//! It ends for all peers when every piece has been seen at a peer, for example when another seed comes. It ends for the
//! connected peers when nothing was left to send for a while: a peer is alone, or the peers can't reach each other.

use crate::base::time::Time;
use crate::proto::peer::bitfield::Bitfield;

/// A torrent of more pieces is served as usual. The reason is that all pieces are shown one by one in the end (BEP 6
/// allows "have all" only at the beginning), which takes 64 KiB for each peer until its writer has sent them.
pub const MOST_PIECES: u32 = 16 * 1024;

/// The state of a torrent that is super-seeded.
pub struct SuperSeeding {
    /// Pieces that some peer has, or had.
    pub out: Bitfield,
    /// When something was last sent, or shown.
    pub busy: Time,
}

impl SuperSeeding {
    /// For a torrent that begins with `have`; `None`: super-seeding is not wanted, or the torrent is not complete or
    /// too large.
    pub fn new(wanted: bool, have: &Bitfield, now: Time) -> Option<SuperSeeding> {
        let does = wanted && have.is_full() && have.len() <= MOST_PIECES;
        does.then(|| SuperSeeding { out: Bitfield::new(have.len()), busy: now })
    }
}
