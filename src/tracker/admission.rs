//! Which announces are accepted, and how many peers they get. The same over HTTP and UDP.
//!
//! Floor 3.

use super::reach::{Reach, reach};
use super::registry::{Announce, Refused, Response};
use super::shared::Shared;
use crate::base::time::Time;
use crate::proto::tracker::announce::RetryIn;
use core::net::IpAddr;
use std::sync::atomic::Ordering::Relaxed;

/// When a client may try again if there was no room for its swarm, in minutes.
const FULL_RETRY_MINUTES: u64 = 15;
/// When a client may try again if its passkey is unknown, in minutes: the operator may add it.
const UNKNOWN_PASSKEY_RETRY_MINUTES: u64 = 15;

/// A reason to refuse a request, and when the client may try again.
pub type Refusal = (&'static str, Option<RetryIn>);

/// Checks a passkey as it is written before `/announce` (`/abc`), or the lack of one.
pub fn check_passkey(shared: &Shared, path: &str) -> Result<(), Refusal> {
    let is_known = |passkey| shared.passkeys().as_ref().is_none_or(|passkeys| passkeys.contains(passkey));
    match (shared.config.passkeys_file.is_some(), path.strip_prefix('/').unwrap_or("")) {
        (false, "") => Ok(()),
        (false, _) => Err(("the tracker is at /announce", Some(RetryIn::Never))),
        (true, "") => Err(("this tracker needs a passkey: /PASSKEY/announce", Some(RetryIn::Never))),
        (true, passkey) => {
            // The lock is not held while the file is read again.
            if !is_known(passkey) {
                shared.looking.look(shared.now());
            }
            let refusal = ("unknown passkey", Some(RetryIn::Minutes(UNKNOWN_PASSKEY_RETRY_MINUTES)));
            is_known(passkey).then_some(()).ok_or(refusal)
        }
    }
}

/// How many peers a client gets that asks for `numwant`.
pub fn peers_wanted(shared: &Shared, numwant: Option<u32>) -> usize {
    // A larger number was negative when the client sent it: that means that the tracker may choose.
    let numwant = numwant.filter(|&want| want <= i32::MAX as u32).map(|want| want as usize);
    numwant.unwrap_or(shared.config.response_size).min(shared.config.most_response_size)
}

/// Hands an announce of the client at `from`, which came `now`, to the registry.
pub fn admit(shared: &Shared, announce: &Announce, from: IpAddr, now: Time, udp: bool) -> Result<Response, Refusal> {
    shared.stats.announced(udp);
    let hash = announce.info_hash;
    if !shared.is_allowed(&hash) {
        shared.looking.look(now);
        if !shared.is_allowed(&hash) {
            let minutes = shared.looking.retry_minutes(hash, now);
            return Err(("this torrent is not tracked here", Some(RetryIn::Minutes(minutes))));
        }
    }
    let response = shared.registry().announce(announce, now);
    let mut response = response.map_err(|refused| match refused {
        Refused::Full => ("this tracker is full", Some(RetryIn::Minutes(FULL_RETRY_MINUTES))),
        Refused::Unusable => ("no peer can be at the address of this announce", None),
    })?;
    report_near_peers(shared, announce.addr.ip(), from);
    if response.hidden {
        shared.checks.request(announce.info_hash, announce.addr);
    }
    shared.config.external.replace(&mut response, from);
    Ok(response)
}

/// Warns once if clients outside get peers at addresses of this machine, at which they can't reach them.
fn report_near_peers(shared: &Shared, peer: IpAddr, from: IpAddr) {
    let known = shared.near_peers.load(Relaxed);
    // Written once only, because all threads read it.
    if !known && reach(peer) == Reach::Machine {
        shared.near_peers.store(true, Relaxed);
    } else if known && reach(from) == Reach::Everywhere && shared.config.external.is_empty() {
        shared.near_peers_reported.call_once(|| {
            log::warn!(
                "a peer on this machine is given to others as a loopback address, at which they cannot reach it; \
                 --external-ip names a better one"
            );
        });
    }
}
