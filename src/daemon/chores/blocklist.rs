//! Fetches the blocklist from its URL, plain or compressed by gzip.
//!
//! Floor 4. The list is kept beside the state, so the next start has it. If the new one is broken, the old one stays.

use super::{Places, start};
use crate::base::path::for_terminal;
use crate::base::url;
use crate::storage::blocklist;
use crate::swarm::meeting::blocklist::Blocklist;
use crate::sys::replace::{Output, Sync};
use crate::sys::{http, in_words, lock, memory};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

/// The file of the list, in the folder of the state.
const FILE: &str = "blocklist";
/// The file into which a new list is written, until it was read without an error.
const NEW: &str = "blocklist.new";
/// The largest list, in bytes, and the longest time that it may take (rain).
const MOST_BYTES: u64 = 100 << 20;
const DEADLINE: Duration = Duration::from_secs(600);
/// The part of the free memory that a list may take while it is fetched.
const MEMORY_PART: u64 = 4;
/// A list is fetched again when it is this old.
pub const MOST_AGE: Duration = Duration::from_secs(24 * 3600);

/// The lists that are fetched at one time: a new URL need not wait for the server of the old one.
static PLACES: Places = Places::new(4);

/// Lists that are fetched at one time arrive in any order. The one that was asked for last counts.
struct Turns {
    /// The number of the one that was asked for last.
    begun: u64,
    /// The number of the one that is kept.
    kept: u64,
}

static TURNS: Mutex<Turns> = Mutex::new(Turns { begun: 0, kept: 0 });

/// Reads the list that an earlier run fetched, if there is one.
pub fn saved(state: PathBuf, then: impl FnOnce(Result<Blocklist, String>) + Send + 'static) {
    if state.join(FILE).exists() {
        start("blocklist", move || then(read(&state.join(FILE), FILE)));
    }
}

/// How old the list is; `None`: there is none.
pub fn age(state: &Path) -> Option<Duration> {
    let changed = fs::metadata(state.join(FILE)).and_then(|found| found.modified()).ok()?;
    Some(SystemTime::now().duration_since(changed).unwrap_or_default())
}

/// Fetches the list. An error says what is wrong.
pub fn fetch(address: String, state: PathBuf, then: impl FnOnce(Result<Blocklist, String>) + Send + 'static) {
    let Some(place) = PLACES.take() else {
        return then(Err("too many blocklists are being fetched; ask again when they are here".into()));
    };
    let number = {
        let mut turns = lock(&TURNS);
        turns.begun += 1;
        turns.begun
    };
    start("blocklist", move || {
        let bytes = get(&address);
        let mut turns = lock(&TURNS);
        let list = match bytes {
            // The server of a list that was asked for later was faster.
            Ok(_) if turns.kept > number => read(&state.join(FILE), FILE),
            Ok(bytes) => keep(&bytes, &address, &state).inspect(|_| turns.kept = number),
            Err(why) => Err(why),
        };
        then(list);
        drop((turns, place));
    });
}

fn get(address: &str) -> Result<Vec<u8>, String> {
    if address.is_empty() {
        return Err("there is no URL of a blocklist (blocklist-url in the configuration)".into());
    }
    let most = MOST_BYTES.min(memory::free() / MEMORY_PART);
    http::get(address, most, DEADLINE)
        .map_err(|error| format!("the blocklist {}: {error}", for_terminal(&url::redact(address))))
}

/// Keeps a list that can be read in place of the one before.
fn keep(bytes: &[u8], address: &str, state: &Path) -> Result<Blocklist, String> {
    let new = state.join(NEW);
    let failed = |error| format!("can't save the blocklist in {}: {}", state.display(), in_words(&error));
    // It may come before anything else that is saved.
    fs::create_dir_all(state).map_err(failed)?;
    Output::Replace(new.clone()).write(Sync::Later, |file| file.write_all(bytes)).map_err(failed)?;
    let list = read(&new, &for_terminal(&url::redact(address))).inspect_err(|_| drop(fs::remove_file(&new)))?;
    fs::rename(&new, state.join(FILE)).map_err(failed)?;
    Ok(list)
}

fn read(path: &Path, name: &str) -> Result<Blocklist, String> {
    let (list, problems) = blocklist::read(path, name)?;
    problems.into_iter().for_each(|problem| log::warn!("{problem}"));
    Ok(list)
}
