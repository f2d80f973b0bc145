//! Floor 3: the tracker, which introduces peers to each other (BEP 3).

pub mod peers;
pub mod registry;
