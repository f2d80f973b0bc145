//! Gets a .torrent file that a program named by its URL.
//!
//! Floor 4.

use super::start;
use crate::base::path::for_terminal;
use crate::base::url;
use crate::proto::metainfo::MAX_METAINFO_BYTES;
use crate::sys::http::{self, HttpError};
use core::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// The time in which a server must send the whole file, even a slow server.
const DEADLINE: Duration = Duration::from_secs(60);

/// Most files that are fetched at one time: each has a thread, and may have 48 MiB.
const MOST_AT_ONCE: usize = 16;

/// How many are being fetched.
static RUNNING: AtomicUsize = AtomicUsize::new(0);

/// Gets the .torrent file, or the link that the server leads to, and passes it to `then`. An error names the server and
/// says what is wrong.
pub fn torrent(address: String, then: impl FnOnce(Result<Vec<u8>, String>) + Send + 'static) {
    let Some(turn) = Turn::take() else {
        return then(Err("too many .torrent files are being fetched; ask again when some are here".into()));
    };
    start("fetch", move || {
        let name = for_terminal(&url::redact(&address));
        then(match http::get(&address, MAX_METAINFO_BYTES as u64, DEADLINE) {
            Err(HttpError::Magnet(link)) => Ok(link.into()),
            Err(error) => Err(format!("{name}: {}", for_terminal(&error.to_string()))),
            Ok(bytes) => Ok(bytes),
        });
        drop(turn);
    });
}

/// The right to fetch one, until it is dropped.
struct Turn;

impl Turn {
    fn take() -> Option<Turn> {
        let turn = (RUNNING.fetch_add(1, Ordering::Relaxed) < MOST_AT_ONCE).then(|| Turn);
        if turn.is_none() {
            RUNNING.fetch_sub(1, Ordering::Relaxed);
        }
        turn
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        RUNNING.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_some_are_fetched_at_one_time() {
        let turns: Vec<Turn> = std::iter::from_fn(Turn::take).collect();
        assert!(turns.len() <= MOST_AT_ONCE && Turn::take().is_none());
        drop(turns);
        assert!(Turn::take().is_some());
    }
}
