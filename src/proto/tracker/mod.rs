//! What clients and trackers say to each other: announces and scrapes over HTTP (BEP 3, 7, 23, 48) and UDP (BEP 15).

pub mod announce;
pub mod compact;
pub mod udp;
