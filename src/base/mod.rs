//! Bytes and text, without any knowledge of torrents. Pure.

pub mod date;
pub mod glob;
pub mod gzip;
pub mod hex;
pub mod json;
pub mod nearest;
pub mod path;
pub mod rng;
pub mod sha1;
pub mod sha256;
pub mod sort;
pub mod time;
pub mod units;
pub mod url;
pub mod width;
