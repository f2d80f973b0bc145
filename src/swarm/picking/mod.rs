//! Picking: which block is requested next, from which peer, and how many at once.
//!
//! One half of the paper "Incentives Build Robustness in BitTorrent" (Cohen 2003). Floor 2, pure.
pub mod budget;
pub mod delay;
pub mod demand;
pub mod growth;
pub mod pace;
pub mod picker;
pub mod rarity;
pub mod window;
