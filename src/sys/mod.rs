//! Floor 3, the cellar of I/O: what Linux offers, in safe calls. It knows no torrent.

pub mod beneath;
pub mod http;
pub mod lookup;
pub mod send;
#[cfg(test)]
pub mod testkit;
