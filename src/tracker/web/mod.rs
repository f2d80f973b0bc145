//! What the tracker answers over HTTP: announces, scrapes, files, and a page for people.

pub mod answers;
pub mod page;
