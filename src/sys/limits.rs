//! How many descriptors the process may have open: sockets and files.
//!
//! Floor 3. Each room takes its share of this number and says why it is enough.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Descriptors the process may have open; `usize::MAX` if there is no limit.
pub fn descriptors() -> usize {
    getrlimit(Resource::Nofile).current.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX)
}

/// Raises a lower limit to `wanted`, as far as the system allows. If it refuses, the limit stays.
pub fn raise_descriptors(wanted: u64) {
    let mut limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.unwrap_or(wanted).min(wanted);
    if limit.current.is_some_and(|current| current < wanted) {
        limit.current = Some(wanted);
        let _ = setrlimit(Resource::Nofile, limit);
    }
}
