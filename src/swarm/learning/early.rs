//! What a peer says about pieces before we know how many there are.
//!
//! These messages cannot be judged yet, so they are kept and judged when the torrent begins. No more is kept than a
//! torrent with the largest description could need, and no memory is allocated by a number that a message names.

use crate::proto::peer::message::Message;
use crate::proto::peer::metadata;

/// The most pieces of a torrent whose description we accept: it has a hash of 20 bytes for each piece.
const MOST_PIECES: u32 = metadata::MOST_BYTES / 20;
/// Bytes of the longest bitfield of such a torrent.
pub(super) const MOST_BITFIELD: usize = MOST_PIECES.div_ceil(8) as usize;
/// The most pieces that a peer may announce one by one until we know the torrent. (A peer without a bitfield began with
/// nothing, as we do. A fast one gets a hundred in a second.)
pub(super) const MOST_HAVES: usize = 16 << 10;
/// Allowed fast pieces of a peer that are kept (BEP 6 proposes 10).
const MOST_ALLOWED: usize = 32;

/// The pieces that a peer has, as one message said.
#[derive(Debug)]
enum Pieces {
    All,
    Nothing,
    /// The bytes of a bitfield.
    Bits(Vec<u8>),
}

/// What a peer said.
#[derive(Debug)]
pub(in crate::swarm) struct Early {
    pieces: Option<Pieces>,
    /// The pieces that it named and that are not in its bitfield.
    haves: Vec<u32>,
    allowed: Vec<u32>,
    chokes: bool,
    is_interested: bool,
}

impl Early {
    /// A peer that said nothing.
    pub fn new() -> Early {
        Early { pieces: None, haves: Vec::new(), allowed: Vec::new(), chokes: true, is_interested: false }
    }

    /// The bytes that this takes on the heap.
    pub fn bytes(&self) -> usize {
        let bits = if let Some(Pieces::Bits(bits)) = &self.pieces { bits.capacity() } else { 0 };
        bits + (self.haves.capacity() + self.allowed.capacity()) * size_of::<u32>()
    }

    /// Keeps what `message` says about pieces, if it says anything. An error says why it cannot be right, or is too
    /// much.
    pub fn take(&mut self, message: Message) -> Result<(), &'static str> {
        match message {
            Message::Choke => self.chokes = true,
            Message::Unchoke => self.chokes = false,
            Message::Interested => self.is_interested = true,
            Message::NotInterested => self.is_interested = false,
            Message::AllowedFast(piece) if self.allowed.len() < MOST_ALLOWED => self.allowed.push(piece),
            Message::Have(piece) => self.have(piece)?,
            Message::HaveNone if self.pieces.is_some() => return Err("it sends have none again"),
            Message::HaveNone => self.pieces = Some(Pieces::Nothing),
            Message::HaveAll => {
                (self.pieces, self.haves) = (Some(Pieces::All), Vec::new());
            }
            Message::Bitfield(bits) => self.bitfield(bits)?,
            _ => {}
        }
        Ok(())
    }

    fn have(&mut self, piece: u32) -> Result<(), &'static str> {
        const WRONG: &str = "it says it has a piece that does not exist";
        if piece >= MOST_PIECES {
            return Err(WRONG);
        }
        match &mut self.pieces {
            Some(Pieces::All) => {}
            Some(Pieces::Bits(bits)) => *bits.get_mut(piece as usize / 8).ok_or(WRONG)? |= 0x80 >> (piece % 8),
            Some(Pieces::Nothing) | None if self.haves.len() >= MOST_HAVES => {
                return Err("it announces more pieces than we remember");
            }
            Some(Pieces::Nothing) | None => self.haves.push(piece),
        }
        Ok(())
    }

    /// A later bitfield only adds pieces, because it may be older than a have that arrived first.
    fn bitfield(&mut self, bits: Vec<u8>) -> Result<(), &'static str> {
        const WRONG: &str = "its bitfield has a wrong length";
        if bits.len() > MOST_BITFIELD {
            return Err(WRONG);
        }
        match &mut self.pieces {
            Some(Pieces::All) => {}
            Some(Pieces::Bits(known)) if known.len() != bits.len() => return Err(WRONG),
            Some(Pieces::Bits(known)) => known.iter_mut().zip(bits).for_each(|(known, byte)| *known |= byte),
            Some(Pieces::Nothing) | None => {
                self.pieces = Some(Pieces::Bits(bits));
                core::mem::take(&mut self.haves).into_iter().try_for_each(|piece| self.have(piece))?;
            }
        }
        Ok(())
    }

    /// The same as messages, as if the peer sent them now.
    pub fn messages(self) -> Vec<Message> {
        let pieces = self.pieces.map(|pieces| match pieces {
            Pieces::All => Message::HaveAll,
            Pieces::Nothing => Message::HaveNone,
            Pieces::Bits(bits) => Message::Bitfield(bits),
        });
        let mut messages: Vec<Message> = pieces.into_iter().collect();
        messages.extend(self.haves.into_iter().map(Message::Have));
        messages.extend(self.allowed.into_iter().map(Message::AllowedFast));
        messages.extend((!self.chokes).then_some(Message::Unchoke));
        messages.extend(self.is_interested.then_some(Message::Interested));
        messages
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn early(messages: impl IntoIterator<Item = Message>) -> Result<Early, &'static str> {
        let mut early = Early::new();
        messages.into_iter().try_for_each(|message| early.take(message))?;
        Ok(early)
    }

    #[test]
    fn what_is_said_early_is_said_again() {
        for messages in [
            vec![],
            vec![Message::HaveAll, Message::Unchoke],
            vec![Message::HaveNone, Message::Have(7), Message::Interested],
            vec![Message::Bitfield(vec![0xf0]), Message::AllowedFast(9), Message::Unchoke, Message::Interested],
            vec![Message::Have(1), Message::Have(70_000)],
        ] {
            assert_eq!(early(messages.clone()).unwrap().messages(), messages);
        }
        let turns = [Message::Unchoke, Message::Interested, Message::NotInterested, Message::Choke];
        assert_eq!(early(turns).unwrap().messages(), []);
    }

    #[test]
    fn haves_and_bitfields_are_put_together() {
        for (messages, together) in [
            (vec![Message::Bitfield(vec![0x80, 0]), Message::Have(9)], Message::Bitfield(vec![0x80, 0x40])),
            (vec![Message::Have(9), Message::Bitfield(vec![0x80, 0])], Message::Bitfield(vec![0x80, 0x40])),
            (vec![Message::Bitfield(vec![0x80]), Message::Bitfield(vec![1])], Message::Bitfield(vec![0x81])),
            (vec![Message::Have(3), Message::HaveAll, Message::Have(4), Message::HaveAll], Message::HaveAll),
        ] {
            assert_eq!(early(messages).unwrap().messages(), [together]);
        }
    }

    #[test]
    fn what_cannot_be_right_is_refused() {
        let exists = "it says it has a piece that does not exist";
        let length = "its bitfield has a wrong length";
        for (messages, reason) in [
            (vec![Message::Have(u32::MAX)], exists),
            (vec![Message::Have(MOST_PIECES)], exists),
            (vec![Message::Bitfield(vec![0; 2]), Message::Have(16)], exists),
            (vec![Message::Have(16), Message::Bitfield(vec![0; 2])], exists),
            (vec![Message::Bitfield(vec![0; MOST_BITFIELD + 1])], length),
            (vec![Message::Bitfield(vec![0; 2]), Message::Bitfield(vec![0; 3])], length),
            (vec![Message::HaveNone, Message::HaveNone], "it sends have none again"),
            (vec![Message::Have(1); MOST_HAVES + 1], "it announces more pieces than we remember"),
        ] {
            assert_eq!(early(messages).unwrap_err(), reason);
        }
    }

    #[test]
    fn memory_is_bounded_whatever_a_peer_says() {
        let bits = Message::Bitfield(vec![0; MOST_BITFIELD]);
        let early = early((0..MOST_HAVES as u32).map(Message::Have).chain([bits])).unwrap();
        assert!(early.bytes() <= MOST_BITFIELD, "{}", early.bytes());
        let mut early = Early::new();
        (0..100_000).for_each(|piece| early.take(Message::AllowedFast(piece)).unwrap());
        assert!(early.bytes() <= 4 * 32);
    }
}
