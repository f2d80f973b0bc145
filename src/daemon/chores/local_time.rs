//! Local time, as the system has it: `TZ`, `/etc/localtime`, or `/etc/TZ` on small systems.
//!
//! Floor 4.

use super::zone::Zone;
use crate::base::date::date;
use std::env;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

/// Where the files of zones are.
const ZONES: &str = "/usr/share/zoneinfo";
/// The largest file that is read, in bytes. (The largest in the database have 4 KiB.)
const MOST_BYTES: u64 = 64 << 10;

/// Seconds by which local time is ahead of UTC at this moment (seconds since 1970).
pub fn offset(seconds: i64) -> i64 {
    zone().offset(seconds)
}

/// A moment in local time, for people.
pub fn shown(seconds: i64) -> String {
    date(seconds + offset(seconds)).trim_end_matches(" UTC").to_string()
}

fn zone() -> Zone {
    if let Ok(name) = env::var("TZ") {
        let name = name.strip_prefix(':').unwrap_or(&name);
        return file(&Path::new(ZONES).join(name)).or_else(|| Zone::of_text(name)).unwrap_or_default();
    }
    let text = || Zone::of_text(&fs::read_to_string("/etc/TZ").ok()?);
    file(Path::new("/etc/localtime")).or_else(text).unwrap_or_default()
}

fn file(path: &Path) -> Option<Zone> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(MOST_BYTES).read_to_end(&mut bytes).ok()?;
    Zone::of_file(&bytes)
}
