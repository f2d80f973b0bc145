//! What a torrent does about magnet links: it takes over what was there before its description came, and gives its
//! description to peers that have only a link.
//!
//! A part of [`Torrent`](super::Torrent).

mod adopting;
mod describing;

pub(super) use describing::Describing;
