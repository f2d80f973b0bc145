//! The user and the password, and what happens after wrong ones.
//!
//! Floor 4. HTTP Basic (RFC 7617). The password is known as its salted SHA-1, as transmission writes it into its file:
//! `{`, 40 hex digits, and the salt.

use crate::base::hex::{from_base64, to_hex};
use crate::base::sha1::Sha1;
use crate::sys::random;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long the wrong passwords of an address are counted. This time begins with the first of them. Of an address that
/// sends more than the settings allow, only one password in [`TRY_EVERY`] is tried until it ends.
const COUNTED_TIME: Duration = Duration::from_secs(600);
/// A person at such an address, who knows the password, gets in sooner or later. A program that guesses tries 600
/// passwords in ten minutes, about as many as it would without a limit, because a wrong one is answered after a second.
const TRY_EVERY: Duration = Duration::from_secs(1);
/// Most addresses whose wrong passwords are counted.
const MOST_ADDRESSES: usize = 1000;
/// Hex digits of a SHA-1.
const DIGITS: usize = 40;

/// A user and the hash of a password.
pub struct Login {
    user: String,
    /// `{`, the hash in hex, and the salt.
    hash: String,
}

impl Login {
    /// The user, and the password or its hash.
    pub fn new(user: &str, password: &str) -> Login {
        let hash = if is_hash(password) { password.into() } else { salted(password, &to_hex(&random::bytes::<4>())) };
        Login { user: user.into(), hash }
    }

    /// Whether the value of an `Authorization` header is right.
    pub fn accepts(&self, given: &[u8]) -> bool {
        let Ok(given) = str::from_utf8(given) else { return false };
        let Some((scheme, digits)) = given.trim().split_once(' ') else { return false };
        let bytes = from_base64(digits.trim()).filter(|_| scheme.eq_ignore_ascii_case("basic")).unwrap_or_default();
        let Some(colon) = bytes.iter().position(|byte| *byte == b':') else { return false };
        let hash = salted_bytes(&bytes[colon + 1..], &self.hash[1 + DIGITS..]);
        // Both are compared, so that the time says nothing about the user.
        same(&bytes[..colon], self.user.as_bytes()) & same(hash.as_bytes(), self.hash.as_bytes())
    }
}

/// Whether a password is a hash already.
pub fn is_hash(password: &str) -> bool {
    let digits = password.strip_prefix('{').and_then(|rest| rest.get(..DIGITS));
    digits.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase()))
}

/// The hash of a password, as it is written into a configuration.
pub fn salted(password: &str, salt: &str) -> String {
    salted_bytes(password.as_bytes(), salt)
}

fn salted_bytes(password: &[u8], salt: &str) -> String {
    let mut sha1 = Sha1::new();
    sha1.update(password);
    sha1.update(salt.as_bytes());
    format!("{{{}{salt}", to_hex(&sha1.finish()))
}

/// Whether two texts are the same. The time follows their length and nothing else.
pub fn same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
}

/// The wrong passwords that came from an address. A right one changes nothing: another program at the same address may
/// be the one that guesses.
struct Tries {
    wrong: u64,
    /// When the first of them came.
    first: Instant,
    /// When a password was tried last.
    last: Instant,
}

/// The wrong passwords of all addresses.
#[derive(Default)]
pub struct Failures(BTreeMap<IpAddr, Tries>);

impl Failures {
    /// A wrong password came from this address.
    pub fn add(&mut self, from: IpAddr, now: Instant) {
        let key = key(from);
        if self.0.len() >= MOST_ADDRESSES && !self.0.contains_key(&key) {
            // The one that began first is forgotten.
            let oldest = self.0.iter().min_by_key(|(_, tries)| tries.first).map(|(key, _)| *key);
            oldest.and_then(|key| self.0.remove(&key));
        }
        let tries = self.0.entry(key).or_insert(Tries { wrong: 0, first: now, last: now });
        if !is_counted(tries.first, now) {
            (tries.wrong, tries.first) = (0, now);
        }
        (tries.wrong, tries.last) = (tries.wrong + 1, now);
    }

    /// Whether a password from this address is tried now, although `most` wrong ones may have come from there.
    pub fn may_try(&mut self, from: IpAddr, most: u64, now: Instant) -> bool {
        let too_many = |tries: &&mut Tries| tries.wrong >= most && is_counted(tries.first, now);
        let Some(tries) = self.0.get_mut(&key(from)).filter(too_many) else { return true };
        let may = now.saturating_duration_since(tries.last) >= TRY_EVERY;
        if may {
            tries.last = now;
        }
        may
    }
}

/// Whether wrong passwords still count if the first of them came at this time.
fn is_counted(first: Instant, now: Instant) -> bool {
    now.saturating_duration_since(first) < COUNTED_TIME
}

/// What is counted as one address: this machine, because it has 2^24 addresses of its own; of IPv6 the network, because
/// a home has 2^64.
fn key(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        ip if ip.is_loopback() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) => Ipv6Addr::from(u128::from(ip) >> 64 << 64).into(),
        ip => ip,
    }
}
