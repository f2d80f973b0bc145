//! Gets a .torrent file that a program named by its URL.
//!
//! Floor 4.

use super::{Places, start};
use crate::base::path::for_terminal;
use crate::base::url;
use crate::proto::metainfo::MAX_METAINFO_BYTES;
use crate::sys::http::{self, HttpError};
use std::time::Duration;

/// The time in which a server must send the whole file, even a slow server.
const DEADLINE: Duration = Duration::from_secs(60);

/// The files that are fetched at one time. Each may have 48 MiB.
static PLACES: Places = Places::new(16);

/// Gets the .torrent file, or the link that the server leads to, and passes it to `then`. An error names the server and
/// says what is wrong.
pub fn torrent(address: String, then: impl FnOnce(Result<Vec<u8>, String>) + Send + 'static) {
    let Some(place) = PLACES.take() else {
        return then(Err("too many .torrent files are being fetched; ask again when some are here".into()));
    };
    start("fetch", move || {
        let name = for_terminal(&url::redact(&address));
        then(match http::get(&address, MAX_METAINFO_BYTES as u64, DEADLINE) {
            Err(HttpError::Magnet(link)) => Ok(link.into()),
            Err(error) => Err(format!("{name}: {}", for_terminal(&error.to_string()))),
            Ok(bytes) => Ok(bytes),
        });
        drop(place);
    });
}
