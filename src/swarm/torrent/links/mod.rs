//! The part of a torrent for magnet links. It takes over the peers from before the description arrived, and gives the
//! description to peers that have only a link.
//!
//! A part of [`Torrent`](super::Torrent).

mod adopting;
mod describing;

pub(super) use describing::Describing;
