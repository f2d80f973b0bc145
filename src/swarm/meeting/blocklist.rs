//! Reads blocklists, and tells whether an address is on one.
//!
//! A list may have a million ranges. They are kept sorted and merged, eight bytes each (32 for IPv6), and found by
//! binary search. An IPv6 address that only wraps an IPv4 address (RFC 4291, 2.5.5.2) counts as the latter.
//!
//! A line is `1.2.3.0/24`, `2001:db8::/32`, `1.2.3.4-1.2.3.9`, or one address. The other common forms are understood
//! too: `name:1.2.3.4-1.2.3.9` (PeerGuardian's P2P) and `001.002.003.004 - 001.002.003.009 , 100 , name` (eMule's .dat,
//! in which a level above 127 means allowed). Comments follow a `#`.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Ranges that are kept at most: four times the largest lists in use. They take 8 MiB, or 32 MiB if they are IPv6.
const MOST_RANGES: usize = 1 << 20;
/// eMule allows an address from this level on.
const ALLOWED_LEVEL: u32 = 128;

/// A range of addresses, both ends included.
type Range = (IpAddr, IpAddr);

/// Addresses that we do not connect to or accept.
#[derive(Clone, Debug, Default)]
pub struct Blocklist {
    v4: Vec<(u32, u32)>,
    v6: Vec<(u128, u128)>,
}

impl Blocklist {
    /// Whether `ip` is on the list.
    pub fn blocks(&self, ip: IpAddr) -> bool {
        match ip.to_canonical() {
            IpAddr::V4(v4) => holds(&self.v4, v4.to_bits()),
            IpAddr::V6(v6) => holds(&self.v6, v6.to_bits()),
        }
    }

    /// How many ranges it has.
    pub fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a line of a list; an error says what is wrong with it. Call [`Blocklist::finish`] before
    /// [`Blocklist::blocks`].
    pub fn add_line(&mut self, line: &str) -> Result<(), &'static str> {
        let Some((first, last)) = range_of_line(line)? else { return Ok(()) };
        match (first.to_canonical(), last.to_canonical()) {
            (IpAddr::V4(first), IpAddr::V4(last)) => self.v4.push((first.to_bits(), last.to_bits())),
            _ => self.v6.push((bits_of(first), bits_of(last))),
        }
        Ok(())
    }

    /// Call this after each line; an error means that the list is too long. A list that repeats itself needs no more
    /// memory than others.
    pub fn make_room(&mut self) -> Result<(), &'static str> {
        if self.len() < 2 * MOST_RANGES { Ok(()) } else { self.merge() }
    }

    /// Call this after the last line.
    pub fn finish(&mut self) -> Result<(), &'static str> {
        self.merge()?;
        self.v4.shrink_to_fit();
        self.v6.shrink_to_fit();
        Ok(())
    }

    fn merge(&mut self) -> Result<(), &'static str> {
        merge(&mut self.v4, |last| last.saturating_add(1));
        merge(&mut self.v6, |last| last.saturating_add(1));
        if self.len() <= MOST_RANGES { Ok(()) } else { Err("more than 1048576 ranges") }
    }
}

/// Whether `ip` is in one of the `ranges`, which are sorted and do not overlap.
fn holds<T: Copy + Ord>(ranges: &[(T, T)], ip: T) -> bool {
    let behind = ranges.partition_point(|&(first, _)| first <= ip);
    behind > 0 && ranges[behind - 1].1 >= ip
}

/// Sorts the ranges and joins those that overlap or touch.
fn merge<T: Copy + Ord>(ranges: &mut Vec<(T, T)>, next: fn(T) -> T) {
    ranges.sort_unstable();
    // The second of two neighbours is removed if it could be joined to the first.
    ranges.dedup_by(|second, first| {
        let touches = second.0 <= next(first.1);
        if touches {
            first.1 = first.1.max(second.1);
        }
        touches
    });
}

/// The range that a line blocks; `None` if it blocks nothing.
fn range_of_line(line: &str) -> Result<Option<Range>, &'static str> {
    let bare = line.split('#').next().unwrap_or("").trim();
    if bare.is_empty() {
        return Ok(None);
    }
    // It may have one of the other forms, in which a name may have any character, also `#`.
    match range(bare)?.or_else(|| of_p2p(line.trim())).or_else(|| of_p2p(bare)) {
        Some(range) => Ok(Some(range)),
        None => of_dat(bare),
    }
}

/// `a/24`, `a-b` or `a`; `None` if it does not begin with an address, so that it may have another form.
fn range(text: &str) -> Result<Option<Range>, &'static str> {
    if let Some((first, bits)) = text.split_once('/') {
        let Some(ip) = address(first) else { return Ok(None) };
        let most = if ip.is_ipv4() { 32 } else { 128 };
        let bits = bits.trim().parse().ok().filter(|&bits: &u32| bits <= most);
        let bits = bits.ok_or("expected a number of bits after /: at most 32, or 128 for IPv6")?;
        return Ok(Some(block(ip, bits)));
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let Some((first, last)) = address(first).zip(address(last)) else { return Ok(None) };
    if first.is_ipv4() != last.is_ipv4() {
        return Err("a range from one address family to the other");
    }
    if first > last { Err("the range ends before it begins") } else { Ok(Some((first, last))) }
}

fn bits_of(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// The addresses whose first `bits` are those of `ip`.
fn block(ip: IpAddr, bits: u32) -> Range {
    // As IPv6, an IPv4 address is the last 32 of 128 bits.
    let bits = if ip.is_ipv4() { bits + 96 } else { bits };
    let below = u128::MAX.checked_shr(bits).unwrap_or(0);
    let address = |bits| IpAddr::V6(Ipv6Addr::from_bits(bits));
    (address(bits_of(ip) & !below), address(bits_of(ip) | below))
}

/// An address. Its numbers may have leading zeros, as in .dat files, and are decimal nevertheless.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    if text.contains(':') {
        return text.parse().ok().map(IpAddr::V6);
    }
    let mut bytes = [0; 4];
    let mut numbers = text.split('.');
    for byte in &mut bytes {
        let number = numbers.next()?;
        if number.len() > 3 || !number.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        *byte = number.parse().ok()?;
    }
    numbers.next().is_none().then_some(IpAddr::V4(Ipv4Addr::from(bytes)))
}

/// `name:1.2.3.4-1.2.3.9`. The name may have colons, and so may the range.
fn of_p2p(line: &str) -> Option<Range> {
    let tails = line.match_indices(':').map(|(at, _)| &line[at + 1..]);
    tails.filter(|tail| tail.contains('-')).find_map(|tail| range(tail).ok()?)
}

/// `1.2.3.4 - 1.2.3.9 , 100 , name`.
fn of_dat(line: &str) -> Result<Option<Range>, &'static str> {
    const EXPECTED: &str = "expected an address, a range such as 1.2.3.4-1.2.3.9, or a net such as 1.2.3.0/24";
    let (addresses, rest) = line.split_once(',').ok_or(EXPECTED)?;
    let level: u32 = rest.split(',').next().unwrap_or("").trim().parse().map_err(|_| EXPECTED)?;
    let range = range(addresses)?.ok_or(EXPECTED)?;
    Ok((level < ALLOWED_LEVEL).then_some(range))
}

#[cfg(test)]
mod tests;
