//! A small HTTP server: a few threads with many connections each. It does not know what it serves.
//!
//! [`server`] waits for all connections at once, [`connection`] reads requests and writes answers, [`request`] parses,
//! and [`forwarded`] finds the client behind a proxy. [`bodies`] and [`chunks`] gather what comes after a request.
//! What a request means is decided by one function, a [`Service`](service::Service), at once or [later](promise).

/// The look that the pages have in common, in CSS.
pub const LOOK: &str = include_str!("look.css");

pub mod answer;
pub mod bodies;
pub mod chunks;
pub mod connection;
pub mod forwarded;
pub mod promise;
pub mod request;
pub mod server;
pub mod service;
