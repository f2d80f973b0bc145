//! Tokens: an announce counts only from the address to which we gave one, so nobody can announce a victim (BEP 5).
//!
//! We remember none of them. A token is a hash of a secret, the time, the address and the torrent, and is computed
//! again when it comes back. It is bound to the torrent, too: with one token nobody fills the store with all torrents.

use crate::base::sha1::Sha1;
use crate::base::time::Time;
use crate::proto::id::InfoHash;
use crate::proto::tracker::compact::octets;
use core::net::IpAddr;

/// A new token is given out this often; the one before still counts (BEP 5: 5 minutes, so 10 at most).
const LIFE: Time = Time::from_secs(300);

/// What only we know, from the kernel.
#[derive(Clone, Debug)]
pub struct Secret(pub [u8; 20]);

impl Secret {
    /// What an announce of `info_hash` from `ip` needs.
    pub fn token(&self, ip: IpAddr, info_hash: &InfoHash, now: Time) -> [u8; 8] {
        let period = now.as_secs() / LIFE.as_secs();
        self.hash(&[b"token", &period.to_be_bytes(), &info_hash.0, &octets(ip)])
    }

    /// Whether a token is one of ours, for this torrent and this address, and not too old.
    pub fn is_token(&self, token: &[u8], ip: IpAddr, info_hash: &InfoHash, now: Time) -> bool {
        [now, now.saturating_sub(LIFE)].iter().any(|at| token == self.token(ip, info_hash, *at))
    }

    /// The name of our question with this number: four bytes, which all programs read. If somebody has not seen the
    /// question, it can't guess the name.
    pub fn transaction(&self, number: u64) -> Vec<u8> {
        self.hash(&[b"question", &number.to_be_bytes()])[..4].to_vec()
    }

    fn hash(&self, parts: &[&[u8]]) -> [u8; 8] {
        let mut hash = Sha1::new();
        hash.update(&self.0);
        parts.iter().for_each(|part| hash.update(part));
        let digest = hash.finish();
        core::array::from_fn(|place| digest[place])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: IpAddr = IpAddr::V4(core::net::Ipv4Addr::new(192, 0, 2, 1));
    const B: IpAddr = IpAddr::V4(core::net::Ipv4Addr::new(192, 0, 2, 2));
    const ONE: InfoHash = InfoHash([1; 20]);
    const TWO: InfoHash = InfoHash([2; 20]);

    #[test]
    fn a_token_is_of_one_address_one_torrent_and_ten_minutes() {
        let secret = Secret([7; 20]);
        let at = Time::from_secs;
        let token = secret.token(A, &ONE, at(0));
        for (ip, info_hash, now, is_good) in [
            (A, ONE, at(0), true),
            (A, ONE, at(599), true),
            (A, ONE, at(600), false),
            (B, ONE, at(0), false),
            (A, TWO, at(0), false),
        ] {
            assert_eq!(secret.is_token(&token, ip, &info_hash, now), is_good, "{ip} {info_hash} {now:?}");
        }
        for wrong in [&[][..], &token[..7], &[0; 8], &[1; 10_240]] {
            assert!(!secret.is_token(wrong, A, &ONE, at(0)));
        }
        assert!(!Secret([8; 20]).is_token(&token, A, &ONE, at(0)));
    }

    #[test]
    fn no_two_questions_have_one_name() {
        let secret = Secret([7; 20]);
        let names: std::collections::BTreeSet<_> = (0..10_000).map(|number| secret.transaction(number)).collect();
        assert!(names.len() > 9_990, "{}", names.len());
    }
}
