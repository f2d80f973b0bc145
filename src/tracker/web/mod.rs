//! The tracker over HTTP: announces, scrapes, .torrent files, and a page for people.

pub mod answers;
pub mod page;
