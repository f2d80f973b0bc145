//! Which announces are accepted, and how many peers they get. The same over HTTP and UDP.
//!
//! Floor 3.

use super::registry::{Announce, Refused, Response};
use super::shared::Shared;
use crate::proto::tracker::announce::RetryIn;

/// When a client may try again if there was no room for its swarm, in minutes.
const FULL_RETRY_MINUTES: u64 = 15;
/// When a client may try again if its torrent is not tracked, in minutes: an operator may add it.
const NOT_TRACKED_RETRY_MINUTES: u64 = 60;

/// Checks a passkey as it is written before `/announce` (`/abc`), or the lack of one.
pub fn check_passkey(shared: &Shared, path: &str) -> Result<(), &'static str> {
    match (shared.passkeys().as_ref(), path.strip_prefix('/').unwrap_or("")) {
        (None, "") => Ok(()),
        (None, _) => Err("the tracker is at /announce"),
        (Some(passkeys), passkey) if passkeys.contains(passkey) => Ok(()),
        (Some(_), "") => Err("this tracker needs a passkey: /PASSKEY/announce"),
        (Some(_), _) => Err("unknown passkey"),
    }
}

/// How many peers a client gets that asks for `numwant`.
pub fn peers_wanted(shared: &Shared, numwant: Option<u32>) -> usize {
    // A larger number was negative when the client sent it: that means that the tracker may choose.
    let numwant = numwant.filter(|&want| want <= i32::MAX as u32).map(|want| want as usize);
    numwant.unwrap_or(shared.config.response_size).min(shared.config.most_response_size)
}

/// Hands an announce to the registry. Returns the reason if it is refused, and when the client may try again.
pub fn admit(shared: &Shared, announce: &Announce, udp: bool) -> Result<Response, (&'static str, Option<RetryIn>)> {
    shared.stats.announced(udp);
    if shared.allowed().as_ref().is_some_and(|allowed| !allowed.contains(&announce.info_hash)) {
        return Err(("this torrent is not tracked here", Some(RetryIn::Minutes(NOT_TRACKED_RETRY_MINUTES))));
    }
    let now = shared.now();
    let response = shared.registry().announce(announce, now);
    let response = response.map_err(|refused| match refused {
        Refused::Full => ("this tracker is full", Some(RetryIn::Minutes(FULL_RETRY_MINUTES))),
        Refused::Unusable => ("no peer can be at the address of this announce", None),
    })?;
    if response.hidden {
        shared.checks.request(announce.info_hash, announce.addr);
    }
    Ok(response)
}
