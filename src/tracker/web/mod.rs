//! What the tracker says over HTTP: announces, scrapes, pages and files.

pub mod answers;
pub mod connection;
pub mod page;
pub mod request;
pub mod server;
