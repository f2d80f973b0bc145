//! Announces and scrapes, between clients and trackers: over HTTP (BEP 3, 7, 23, 48) and UDP (BEP 15).

pub mod announce;
pub mod compact;
pub mod udp;
