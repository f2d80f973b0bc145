//! Message Stream Encryption, also called protocol encryption (MSE/PE): a connection that looks like random bytes.
//!
//! Some networks slow BitTorrent down, and some peers refuse connections that everybody can recognize. So both sides
//! may begin with this exchange, in which all bytes look random. They differ each time, except that in a flood of
//! connections our public number may be shown to several peers. It has no BEP; Azureus's wiki describes it. A is the
//! side that opened the connection:
//!
//! ```text
//!   A                                                                        B
//!   |  public number (96 bytes), 0 to 512 random bytes                       |
//!   |----------------------------------------------------------------------->|
//!   |                       public number (96), 0 to 512 random bytes        |
//!   |<-----------------------------------------------------------------------|
//!   |  H("req1" S), H("req2" info-hash) xor H("req3" S),                     |
//!   |  RC4: 8 zeros, offered methods (4), pad (2 + n), first bytes (2 + n)   |
//!   |----------------------------------------------------------------------->|
//!   |                       RC4: 8 zeros, chosen method (4), pad (2 + n)     |
//!   |<-----------------------------------------------------------------------|
//!   |  the stream, by the chosen method: RC4 goes on, or plain bytes follow  |
//! ```
//!
//! S is the secret of the Diffie-Hellman exchange ([`power`]), and H is SHA-1. The keys of RC4 are made of S and the
//! info-hash ([`keys`]), so only a program that knows the torrent can take part. The random bytes have no length before
//! them: each side looks for the first bytes behind them that it can predict.
//!
//! [`initiating`] and [`accepting`] are the two sides. They take bytes and return bytes. Neither reads, waits or makes
//! random numbers. They buffer at most [`BUFFER_BYTES`], and nothing of the stream is lost: what came with the last
//! bytes of the exchange is in [`Opened::early`].

pub mod accepting;
mod came;
pub mod initiating;
pub mod keys;
pub mod power;
pub mod rc4;

use crate::proto::id::InfoHash;
use rc4::Rc4;

/// Whether this build can encrypt connections. (If it can't, the compiler leaves out the code for it.)
// Feature: encryption.
pub const IS_BUILT_IN: bool = cfg!(feature = "encryption");

/// Most bytes that a side buffers.
pub const BUFFER_BYTES: usize = 1024;
/// Most bytes of a pad (MSE).
pub const MOST_PAD: usize = 512;

/// When connections are encrypted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Policy {
    /// Never: an encrypted connection is refused.
    Off,
    /// If the peer wants it.
    #[default]
    Allow,
    /// If the peer can do it.
    Prefer,
    /// Always: a plain connection is refused.
    Require,
}

/// How much of a connection is hidden.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Cover {
    /// Nothing.
    #[default]
    Plain,
    /// The handshake. The rest is plain.
    Handshake,
    /// Everything, by RC4.
    Rc4,
}

/// The methods by which the stream may continue: a bit for each (MSE, `crypto_provide` and `crypto_select`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Methods(pub u32);

impl Methods {
    /// Plain bytes.
    pub const PLAIN: Methods = Methods(1);
    /// RC4.
    pub const RC4: Methods = Methods(2);
    /// Both.
    pub const BOTH: Methods = Methods(3);

    fn has(self, method: Methods) -> bool {
        self.0 & method.0 != 0
    }

    /// How a connection is covered after this method alone was chosen; `None` if that is no method that we know.
    fn cover(self) -> Option<Cover> {
        match self {
            Methods::PLAIN => Some(Cover::Handshake),
            Methods::RC4 => Some(Cover::Rc4),
            _ => None,
        }
    }
}

impl Policy {
    /// All of them, the most open first.
    pub const ALL: [Policy; 4] = [Policy::Off, Policy::Allow, Policy::Prefer, Policy::Require];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Policy::Off => "off",
            Policy::Allow => "allow",
            Policy::Prefer => "prefer",
            Policy::Require => "require",
        }
    }

    /// Whether connections may be hidden.
    pub fn hides(self) -> bool {
        IS_BUILT_IN && self != Policy::Off
    }

    /// Whether a plain handshake is accepted.
    pub fn takes_plain(self) -> bool {
        !IS_BUILT_IN || self != Policy::Require
    }

    /// Whether we tell peers that we prefer encrypted connections.
    pub fn is_preferred(self) -> bool {
        IS_BUILT_IN && matches!(self, Policy::Prefer | Policy::Require)
    }

    /// Which handshakes are tried with a peer, one after the other, each on its own connection: `true` is a hidden one.
    /// `hidden`: the last handshake with it was, or others say that it prefers that.
    pub fn tries(self, hidden: Option<bool>) -> &'static [bool] {
        match self {
            _ if !self.hides() => &[false],
            Policy::Require => &[true],
            Policy::Prefer if hidden != Some(false) => &[true, false],
            _ if hidden == Some(true) => &[true, false],
            _ => &[false, true],
        }
    }

    /// The methods that we offer. (Plain bytes cost us less. A peer that wants more than a hidden handshake chooses
    /// RC4.)
    pub fn offers(self) -> Methods {
        match self {
            Policy::Off | Policy::Allow => Methods::BOTH,
            Policy::Prefer | Policy::Require => Methods::RC4,
        }
    }

    /// The method that we choose of those that a peer `offered`; `None` if we accept none of them.
    fn choice(self, offered: Methods) -> Option<Methods> {
        let wanted: &[Methods] = match self {
            Policy::Off => &[],
            Policy::Allow => &[Methods::PLAIN, Methods::RC4],
            Policy::Prefer => &[Methods::RC4, Methods::PLAIN],
            Policy::Require => &[Methods::RC4],
        };
        wanted.iter().copied().find(|method| offered.has(*method))
    }
}

impl Cover {
    /// Its name in `--json`.
    pub fn name(self) -> &'static str {
        match self {
            Cover::Plain => "none",
            Cover::Handshake => "handshake",
            Cover::Rc4 => "rc4",
        }
    }
}

/// Random numbers for one exchange, from the kernel's generator.
pub struct Chance {
    /// Our private and our public number.
    pub pair: power::Pair,
    /// The bytes of our pad, as many as are to be sent: at most [`MOST_PAD`].
    pub pad: Vec<u8>,
}

/// What a side needs next.
pub enum Step {
    /// Up to this many bytes, and at least one, from the other side.
    Receive(usize),
    /// Send these bytes, then ask again.
    Send(Vec<u8>),
    /// The exchange is complete.
    Opened(Box<Opened>),
}

/// What a state of a side leads to.
enum Next {
    /// It lacks bytes.
    Lacks,
    /// There is something to do outside.
    Step(Step),
    /// Another state, which may already have its bytes.
    State,
}

/// How the connection continues.
pub struct Opened {
    /// The torrent.
    pub info_hash: InfoHash,
    /// The ciphers for what we receive and for what we send; `None`: the stream is plain.
    pub ciphers: Option<(Rc4, Rc4)>,
    /// What came of the stream already, decrypted: at most [`BUFFER_BYTES`].
    pub early: Vec<u8>,
}

/// Why an exchange failed, for the log.
pub type Broken = &'static str;

#[cfg(test)]
mod tests;
