//! A run of `get`, `seed` or `many`: the session, the person at the terminal, signals, keys and watched folders.

pub mod blocklist;
pub mod changes;
pub mod folder;
pub mod keys;
pub mod log;
pub mod person;
pub mod running;
pub mod session;
pub mod signals;
pub mod terminal;
