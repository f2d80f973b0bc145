//! The file of `--blocklist`: read at the start, and again on SIGHUP.
//!
//! Floor 4.

use crate::cli::exit::{Exit, Failure};
use crate::cli::options::typed;
use crate::storage::blocklist;
use crate::swarm::meeting::blocklist::Blocklist;
use std::path::Path;

/// Reads the list. Also returns messages about invalid lines.
pub fn read(path: &Path) -> Result<(Blocklist, Vec<String>), Failure> {
    blocklist::read(path, &typed::shown(path)).map_err(|why| Failure::new(Exit::NoInput, why))
}
