//! The daemon: torrents that programs and browsers control over HTTP, as they control transmission.
//!
//! Floor 4, beside [`cli`](crate::cli), which only starts it.

pub mod http;
pub mod metrics;
pub mod record;
pub mod records;
pub mod rpc;
pub mod settings;
#[cfg(test)]
mod tests;
