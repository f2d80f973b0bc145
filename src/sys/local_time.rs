//! Local time.
//!
//! Floor 3.

use crate::base::date::date;

/// Seconds by which local time is ahead of UTC at this moment (seconds since 1970).
pub fn offset(_seconds: i64) -> i64 {
    0
}

/// A moment for people.
pub fn shown(seconds: i64) -> String {
    date(seconds)
}
