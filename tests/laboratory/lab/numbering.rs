//! Pieces in another order. A torrent that downloads its pieces in order, and for which they are numbered at random,
//! downloads them in random order, and stays the machine that it is.

use swarmlet::base::rng::Rng;
use swarmlet::proto::peer::bitfield::Bitfield;
use swarmlet::proto::peer::message::{BlockSpec, Message};

/// One member's own numbers of the pieces.
pub struct Numbering {
    own: Vec<u32>,
    wire: Vec<u32>,
}

impl Numbering {
    pub fn random(pieces: u32, rng: &mut Rng) -> Numbering {
        let mut own: Vec<u32> = (0..pieces).collect();
        rng.shuffle(&mut own);
        let mut wire = vec![0; own.len()];
        (0..).zip(&own).for_each(|(number, own)| wire[*own as usize] = number);
        Numbering { own, wire }
    }

    /// A message of the wire as this member sees it, or the other way round.
    pub fn message(&self, message: Message, from_wire: bool) -> Message {
        let piece = |piece: u32| self.piece(piece, from_wire);
        let block = |block: BlockSpec| BlockSpec { piece: piece(block.piece), ..block };
        match message {
            Message::Have(number) => Message::Have(piece(number)),
            Message::Suggest(number) => Message::Suggest(piece(number)),
            Message::AllowedFast(number) => Message::AllowedFast(piece(number)),
            Message::Request(asked) => Message::Request(block(asked)),
            Message::Cancel(asked) => Message::Cancel(block(asked)),
            Message::Reject(asked) => Message::Reject(block(asked)),
            Message::Bitfield(bytes) => {
                let before = Bitfield::from_bytes(bytes, self.own.len() as u32).expect("a member of ours sent it");
                let mut after = Bitfield::new(before.len());
                for number in before.iter_ones() {
                    after.set(piece(number));
                }
                Message::Bitfield(after.as_bytes().to_vec())
            }
            other => other,
        }
    }

    pub fn piece(&self, piece: u32, from_wire: bool) -> u32 {
        if from_wire { self.own[piece as usize] } else { self.wire[piece as usize] }
    }
}
