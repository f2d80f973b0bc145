//! PCP (RFC 6887), version 2: questions and answers of 24 bytes, or of 60 with a mapping. Numbers are in network byte
//! order; an IPv4 address is written as an IPv6 one (`::ffff:192.0.2.7`).
//!
//! ```text
//! question: 2, opcode, 0 0, lifetime 4 (s), our address 16
//! answer:   2, 128 + opcode, 0, result, lifetime 4 (s), epoch 4 (s since the router started), 0 x 12
//! mapping:  nonce 12, transport (6 TCP, 17 UDP), 0 x 3, inner port 2, outer port 2, outer address 16
//! ```
//!
//! Opcode 0 announces (a question whether the router is there), 1 maps. Lifetime 0 removes a mapping. The nonce is our
//! secret: only an answer that repeats it can be an answer to us, and only we can change or remove the mapping.
//! For IPv6, the router has no address to translate; a mapping opens its firewall for us.

use super::{Transport, known};
use core::net::{IpAddr, Ipv6Addr};

/// Our version, the first byte of each packet.
pub const VERSION: u8 = 2;
/// Added to the opcode in an answer.
const ANSWER: u8 = 128;
/// Opcodes.
const ANNOUNCE: u8 = 0;
const MAP: u8 = 1;
/// Bytes of a question or answer without a mapping, and of the mapping.
const HEAD_BYTES: usize = 24;
const MAP_BYTES: usize = 36;
/// The result of a router that does not know our version. A router that speaks only NAT-PMP answers so, too.
pub const OTHER_VERSION: u8 = 1;

/// A mapping that is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Map {
    /// Our address, from which the question is sent.
    pub ours: IpAddr,
    /// It names the mapping in renewals.
    pub nonce: [u8; 12],
    /// What is mapped.
    pub transport: Transport,
    /// Our port.
    pub inner: u16,
    /// The wanted port of the router; 0: any.
    pub outer: u16,
    /// How long it is to last, in seconds; 0 removes it.
    pub lifetime: u32,
}

/// What a router answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is there. It also sends this without a question, when it has started.
    Alive {
        /// Seconds since it lost or changed its mappings.
        epoch: u32,
    },
    /// A mapping was made, renewed, or, with lifetime 0, removed.
    Mapping {
        /// That of the question.
        nonce: [u8; 12],
        /// Of this transport.
        transport: Transport,
        /// Our port.
        inner: u16,
        /// The router's port.
        outer: u16,
        /// The router's address; `None`: it has none.
        ip: Option<IpAddr>,
        /// How long the mapping lasts, in seconds.
        lifetime: u32,
        /// Seconds since the router lost or changed its mappings.
        epoch: u32,
    },
    /// It refuses.
    Refused {
        /// What was asked: nonce and transport; `None`: the answer does not repeat it.
        question: Option<([u8; 12], Transport)>,
        /// The result: see [`words`].
        code: u8,
    },
}

/// Asks whether a router is there, from our address.
pub fn announce(ours: IpAddr) -> Vec<u8> {
    head(ANNOUNCE, 0, ours)
}

fn head(opcode: u8, lifetime: u32, ours: IpAddr) -> Vec<u8> {
    let mut bytes = vec![VERSION, opcode, 0, 0];
    bytes.extend(lifetime.to_be_bytes());
    bytes.extend(as_v6(ours).octets());
    bytes
}

fn as_v6(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    }
}

impl Map {
    /// The question. No outer address is wanted in particular.
    pub fn emit(&self) -> Vec<u8> {
        let mut bytes = head(MAP, self.lifetime, self.ours);
        bytes.extend(self.nonce);
        bytes.extend([if self.transport == Transport::Tcp { 6 } else { 17 }, 0, 0, 0]);
        bytes.extend(self.inner.to_be_bytes());
        bytes.extend(self.outer.to_be_bytes());
        let any = if self.ours.is_ipv4() { IpAddr::from([0; 4]) } else { IpAddr::from([0u8; 16]) };
        bytes.extend(as_v6(any).octets());
        bytes
    }
}

/// Reads an answer. `None`: it is none.
pub fn parse(bytes: &[u8]) -> Option<Answer> {
    let (&[version, opcode, a, b], _) = bytes.split_first_chunk::<4>()?;
    let opcode = opcode.checked_sub(ANSWER)?;
    if version != VERSION {
        // NAT-PMP has version 0, and its result has two bytes; result 0 would be an answer to NAT-PMP.
        let is_refusal = u16::from_be_bytes([a, b]) != 0;
        return is_refusal.then_some(Answer::Refused { question: None, code: OTHER_VERSION });
    }
    let (head, rest) = bytes.split_first_chunk::<HEAD_BYTES>()?;
    let [_, _, _, code, l, i, f, e, t, u, v, w, ..] = *head;
    let (lifetime, epoch) = (u32::from_be_bytes([l, i, f, e]), u32::from_be_bytes([t, u, v, w]));
    let mapping = rest.first_chunk::<MAP_BYTES>().filter(|_| opcode == MAP).and_then(|map| {
        let (nonce, rest) = map.split_first_chunk::<12>()?;
        let (&[transport, _, _, _, i, j, o, p], ip) = rest.split_first_chunk::<8>()?;
        let transport = match transport {
            6 => Transport::Tcp,
            17 => Transport::Udp,
            _ => return None,
        };
        let ip = known(Ipv6Addr::from(*ip.first_chunk::<16>()?).into());
        let (inner, outer) = (u16::from_be_bytes([i, j]), u16::from_be_bytes([o, p]));
        Some((*nonce, transport, inner, outer, ip))
    });
    match (code, opcode, mapping) {
        (0, ANNOUNCE, _) => Some(Answer::Alive { epoch }),
        (0, MAP, Some((nonce, transport, inner, outer, ip))) => {
            Some(Answer::Mapping { nonce, transport, inner, outer, ip, lifetime, epoch })
        }
        (0, ..) => None,
        (code, ..) => {
            let question = mapping.map(|(nonce, transport, ..)| (nonce, transport));
            Some(Answer::Refused { question, code })
        }
    }
}

/// A result in words (section 7.4).
pub fn words(code: u8) -> &'static str {
    match code {
        OTHER_VERSION => "it has another version of the protocol",
        2 => "it is switched off there, or not allowed for this machine",
        3 | 6 => "it takes the question for malformed",
        4 | 5 => "it does not know the operation",
        7 => "the router has no outer address; it may be offline",
        8 => "the router has no room for more mappings",
        9 => "it does not map this transport",
        10 => "this machine has as many mappings as it may have",
        11 => "the router can't give the outer port or address",
        12 => "another router is between it and this machine",
        13 => "the mapping names more peers than it allows",
        _ => "it gives no known reason",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: [u8; 12] = *b"abcdefghijkl";

    fn question() -> Map {
        let ours = [192, 168, 77, 20].into();
        Map { ours, nonce: NONCE, transport: Transport::Tcp, inner: 6881, outer: 7000, lifetime: 3600 }
    }

    /// The answer of miniupnpd 2.3.1.
    fn answer() -> Vec<u8> {
        let mut bytes = vec![2, 0x81, 0, 0, 0, 0, 0x0e, 0x10, 0, 0, 0, 2];
        bytes.extend([0; 12]);
        bytes.extend(NONCE);
        bytes.extend([6, 0, 0, 0, 0x1a, 0xe1, 0x1a, 0xe1]);
        bytes.extend([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 45, 77, 0, 1]);
        bytes
    }

    #[test]
    fn a_question_has_sixty_bytes() {
        let bytes = question().emit();
        assert_eq!(bytes.len(), HEAD_BYTES + MAP_BYTES);
        assert_eq!(bytes[..8], [2, 1, 0, 0, 0, 0, 0x0e, 0x10]);
        assert_eq!(bytes[8..24], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 168, 77, 20]);
        assert_eq!((&bytes[24..36], &bytes[36..44]), (&NONCE[..], &[6, 0, 0, 0, 0x1a, 0xe1, 0x1b, 0x58][..]));
        assert_eq!(bytes[44..], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0]);
        let v6 = Map { ours: "2001:db8::7".parse().unwrap(), transport: Transport::Udp, ..question() }.emit();
        assert_eq!((v6[8..12].to_vec(), v6[36], v6[44..].to_vec()), (vec![0x20, 1, 0x0d, 0xb8], 17, vec![0; 16]));
        assert_eq!(announce([10, 0, 0, 1].into()).len(), HEAD_BYTES);
    }

    #[test]
    fn answers_are_read() {
        let transport = Transport::Tcp;
        let ip = Some([45, 77, 0, 1].into());
        let mapping =
            Answer::Mapping { nonce: NONCE, transport, inner: 6881, outer: 6881, ip, lifetime: 3600, epoch: 2 };
        assert_eq!(parse(&answer()), Some(mapping));
        let mut alive = vec![2, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];
        alive.extend([0; 12]);
        assert_eq!(parse(&alive), Some(Answer::Alive { epoch: 7 }));
        let mut refused = answer();
        refused[3] = 8;
        assert_eq!(parse(&refused), Some(Answer::Refused { question: Some((NONCE, transport)), code: 8 }));
        refused.truncate(24);
        assert_eq!(parse(&refused), Some(Answer::Refused { question: None, code: 8 }));
    }

    #[test]
    fn a_router_that_speaks_only_the_older_protocol_is_recognized() {
        let older = Some(Answer::Refused { question: None, code: OTHER_VERSION });
        assert_eq!(parse(&[0, 0x81, 0, 1, 0, 0, 0, 9]), older);
        assert_eq!(parse(&[0, 0x80, 0, 0, 0, 0, 0, 9, 1, 2, 3, 4]), None, "that is the outer address");
    }

    #[test]
    fn other_bytes_are_no_answer() {
        assert!((0..answer().len()).all(|length| parse(&answer()[..length]).is_none()), "it is cut off");
        let with = |at: usize, byte| {
            let mut other = answer();
            other[at] = byte;
            parse(&other)
        };
        assert_eq!((with(1, 1), with(36, 1), with(1, 0x82)), (None, None, None));
    }

    #[test]
    fn each_result_has_words() {
        assert!((1..15).all(|code| !words(code).is_empty()) && words(8).contains("no room"));
    }
}
