//! NAT-PMP (RFC 6886): a question of 2 or 12 bytes, and an answer of 12 or 16. Numbers are in network byte order.
//!
//! ```text
//! question: 0, operation 0                     "what is your outer address?"
//!           0, operation, 0 0, inner port 2, outer port 2, lifetime 4 (s)
//! answer:   0, 128 + operation, result 2, epoch 4 (s since the router started),
//!           then the address 4, or inner port 2, outer port 2, lifetime 4
//! ```
//!
//! Operation 1 maps UDP, 2 maps TCP. Lifetime 0 removes a mapping.

use super::{Transport, known};
use core::net::{IpAddr, Ipv4Addr};

/// Added to the operation in an answer.
const ANSWER: u8 = 128;

/// What a router answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Its outer address. It is also sent without a question, when the router has started or the address changed.
    Address {
        /// The address; `None`: it has none.
        ip: Option<IpAddr>,
        /// Seconds since it lost or changed its mappings.
        epoch: u32,
    },
    /// A mapping was made, renewed, or, with lifetime 0, removed.
    Mapping {
        /// Of this transport.
        transport: Transport,
        /// Our port.
        inner: u16,
        /// The router's port.
        outer: u16,
        /// How long it lasts, in seconds.
        lifetime: u32,
        /// Seconds since the router lost or changed its mappings.
        epoch: u32,
    },
    /// It refuses.
    Refused {
        /// What was asked; `None`: the outer address.
        transport: Option<Transport>,
        /// The result: see [`words`].
        code: u16,
    },
}

/// Asks for the outer address.
pub const ADDRESS: [u8; 2] = [0, 0];

/// Asks for a mapping for `lifetime` seconds. A router may give another outer port than the one that is named. To
/// remove the mapping, outer port and lifetime are 0.
pub fn map(transport: Transport, inner: u16, outer: u16, lifetime: u32) -> [u8; 12] {
    let operation = if transport == Transport::Udp { 1 } else { 2 };
    let ([i, j], [o, p], [a, b, c, d]) = (inner.to_be_bytes(), outer.to_be_bytes(), lifetime.to_be_bytes());
    [0, operation, 0, 0, i, j, o, p, a, b, c, d]
}

/// Reads an answer. `None`: it is none, or one of another version.
pub fn parse(bytes: &[u8]) -> Option<Answer> {
    let (&[0, operation, a, b, ..], rest) = bytes.split_first_chunk::<4>()? else { return None };
    let transport = match operation.checked_sub(ANSWER)? {
        0 => None,
        1 => Some(Transport::Udp),
        2 => Some(Transport::Tcp),
        _ => return None,
    };
    let code = u16::from_be_bytes([a, b]);
    if code != 0 {
        return Some(Answer::Refused { transport, code });
    }
    let (epoch, rest) = rest.split_first_chunk::<4>()?;
    let epoch = u32::from_be_bytes(*epoch);
    let Some(transport) = transport else {
        let ip = known(Ipv4Addr::from(*rest.first_chunk::<4>()?).into());
        return Some(Answer::Address { ip, epoch });
    };
    let [i, j, o, p, a, b, c, d] = *rest.first_chunk::<8>()?;
    let (inner, outer) = (u16::from_be_bytes([i, j]), u16::from_be_bytes([o, p]));
    Some(Answer::Mapping { transport, inner, outer, lifetime: u32::from_be_bytes([a, b, c, d]), epoch })
}

/// A result in words (section 3.5).
pub fn words(code: u16) -> &'static str {
    match code {
        1 => "it has another version of the protocol",
        2 => "it is switched off there, or not allowed for this machine",
        3 => "the router has no outer address; it may be offline",
        4 => "the router has no room for more mappings",
        5 => "it does not know the operation",
        _ => "it gives no known reason",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_those_of_the_rfc() {
        assert_eq!(map(Transport::Udp, 6881, 7000, 3600), [0, 1, 0, 0, 0x1a, 0xe1, 0x1b, 0x58, 0, 0, 0x0e, 0x10]);
        assert_eq!(map(Transport::Tcp, 6881, 0, 0), [0, 2, 0, 0, 0x1a, 0xe1, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn answers_are_read() {
        // These are from miniupnpd 2.3.1.
        let address = parse(&[0, 0x80, 0, 0, 0, 0, 0, 2, 45, 77, 0, 1]);
        assert_eq!(address, Some(Answer::Address { ip: Some([45, 77, 0, 1].into()), epoch: 2 }));
        let mapping = parse(&[0, 0x81, 0, 0, 0, 0, 0, 9, 0x1a, 0xe1, 0x1b, 0x58, 0, 0, 0x0e, 0x10]);
        let transport = Transport::Udp;
        assert_eq!(mapping, Some(Answer::Mapping { transport, inner: 6881, outer: 7000, lifetime: 3600, epoch: 9 }));
        assert_eq!(parse(&[0, 0x80, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0]), Some(Answer::Address { ip: None, epoch: 2 }));
        let refused = |transport| Some(Answer::Refused { transport, code: 2 });
        assert_eq!(parse(&[0, 0x82, 0, 2, 0, 0, 0, 9]), refused(Some(Transport::Tcp)));
        assert_eq!(parse(&[0, 0x80, 0, 2]), refused(None), "some routers leave the rest out");
    }

    #[test]
    fn other_bytes_are_no_answer() {
        let whole = [0, 0x82, 0, 0, 0, 0, 0, 9, 0x1a, 0xe1, 0x1b, 0x58, 0, 0, 0x0e, 0x10];
        assert!((0..whole.len()).all(|length| parse(&whole[..length]).is_none()), "it is cut off");
        assert!((0..=u8::MAX).all(|byte| {
            let known = (0x80..=0x82).contains(&byte);
            let is_read = |at: usize| {
                let mut other = whole;
                other[at] = byte;
                parse(&other).is_some()
            };
            is_read(0) == (byte == 0) && is_read(1) == known
        }));
    }

    #[test]
    fn each_result_has_words() {
        assert!((1..8).all(|code| !words(code).is_empty()) && words(2).contains("switched off"));
    }
}
