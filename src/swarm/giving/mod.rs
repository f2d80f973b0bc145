//! Giving: which peers are unchoked, and what a seed shows to which peer.
//!
//! The other half of the paper "Incentives Build Robustness in BitTorrent" (Cohen 2003). Floor 2, pure.
pub mod choker;
pub mod grant;
pub mod piece_set;
pub mod spreading;
pub mod super_seeding;
pub mod weight;
