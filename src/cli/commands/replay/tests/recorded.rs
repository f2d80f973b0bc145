//! A run to replay: one torrent on a stage, peers that do anything, and a record of it.

use crate::base::rng::Rng;
use crate::base::time::Time;
use crate::engine::trace::Beginning;
use crate::engine::trace::record::words;
use crate::proto::id::PeerId;
use crate::proto::metainfo::Metainfo;
use crate::proto::peer::bitfield::Bitfield;
use crate::proto::peer::message::{BLOCK_BYTES, Message};
use crate::swarm::event::{DiskEvent, Event, PeerEvent};
use crate::swarm::settings::Settings;
use crate::swarm::shared::Outside;
use crate::swarm::simulation::parts::{connected, key, metainfo};
use crate::swarm::simulation::stage::Stage;
use crate::sys::trace::record::FIRST_LINE;
use core::net::SocketAddr;

const PIECES: u32 = 40;
const PEERS: usize = 8;

/// The run and its record.
pub struct Recorded {
    pub stage: Stage,
    pub text: String,
    rng: Rng,
    here: [bool; PEERS],
    connections: u32,
    keys: [u32; PEERS],
}

/// A torrent begins as usual.
pub fn beginning<'a>(metainfo: &'a Metainfo, have: &'a Bitfield, settings: &'a Settings) -> Beginning<'a> {
    Beginning { metainfo, have, settings, choice: None, before: (0, 0), described: None, terms: &[] }
}

impl Recorded {
    /// A run of so many steps.
    pub fn run(seed: u64, steps: usize) -> Recorded {
        let metainfo = metainfo(PIECES, 4, 0);
        let settings = Settings { peer_id: PeerId([1; 20]), ..Settings::default() };
        let have = Bitfield::new(PIECES);
        let beginning = beginning(&metainfo, &have, &settings);
        let mut text = format!("{FIRST_LINE}\nmemory {}\n{}\n", 1 << 20, words::beginning(&beginning));
        // The stage has this seed.
        words::time(&mut text, Time::ZERO);
        words::begins(&mut text, &Rng::new(1));
        text.push('\n');
        let mut stage = Stage::with(&metainfo, Bitfield::new(PIECES), settings);
        stage.shared.explains = true;
        let mut run =
            Recorded { stage, text, rng: Rng::new(seed), here: [false; PEERS], connections: 0, keys: [0; PEERS] };
        (0..steps).for_each(|_| run.step());
        run.text += "end\n";
        run
    }

    fn write(&mut self, words: impl FnOnce(&mut String)) {
        words::time(&mut self.text, self.stage.now);
        words(&mut self.text);
        self.text.push('\n');
    }

    fn happen(&mut self, event: Event) {
        self.write(|line| assert!(words::event(line, &event, &[])));
        self.stage.happen(event);
        let rng = self.stage.shared.rng.clone();
        self.write(|line| words::check(line, &rng));
    }

    fn says(&mut self, number: usize, message: Message) {
        self.happen(Event::Peer(key(self.keys[number]), PeerEvent::Message(message)));
    }

    fn step(&mut self) {
        let number = self.rng.below(PEERS);
        if !self.here[number] {
            return self.join(number);
        }
        match self.rng.below(30) {
            0 => self.says(number, Message::Choke),
            1 | 2 => self.says(number, Message::Unchoke),
            3 => self.says(number, Message::Interested),
            4 => self.says(number, Message::NotInterested),
            5 => {
                let piece = self.rng.below(PIECES as usize) as u32;
                self.says(number, Message::Have(piece));
            }
            6 => {
                self.here[number] = false;
                self.happen(Event::Peer(key(self.keys[number]), PeerEvent::Gone));
            }
            7..=9 => {
                self.stage.now += Time::from_millis(self.rng.below(4000) as u64);
                self.happen(Event::Timer);
            }
            10 => self.happen(Event::BudgetFreed),
            11..=13 => self.check(),
            _ => self.answer(),
        }
    }

    fn join(&mut self, number: usize) {
        self.connections += 1;
        (self.here[number], self.keys[number]) = (true, self.connections);
        let addr = SocketAddr::from(([10, 0, 0, number as u8], 6881));
        let event = connected(self.stage.info_hash, addr, number as u8 + 2, number.is_multiple_of(2));
        self.happen(Event::Peer(key(self.connections), event));
        match number {
            0..4 => self.says(number, Message::HaveAll),
            _ => self.says(number, Message::Bitfield(vec![0x5a; PIECES as usize / 8])),
        }
        self.says(number, Message::Unchoke);
        self.says(number, Message::Interested);
    }

    /// A block that was requested comes from the peer.
    fn answer(&mut self) {
        if self.stage.asked.is_empty() {
            return;
        }
        let at = self.rng.below(self.stage.asked.len());
        let (peer, block) = self.stage.asked.swap_remove(at);
        let data = vec![0; block.length as usize];
        self.happen(Event::Peer(peer, PeerEvent::Block { piece: block.piece, begin: block.begin, data }));
        let bytes = std::mem::take(&mut self.stage.unwritten);
        let written = Outside::Written { disk: 0, bytes };
        self.write(|line| words::outside(line, written));
        self.stage.shared.take(written, self.stage.now);
    }

    /// The disk has verified a piece that is complete. One in eight is corrupt.
    fn check(&mut self) {
        let whole = self.stage.disk.iter().find(|(_, bytes)| **bytes == 4 * BLOCK_BYTES).map(|(piece, _)| *piece);
        if let Some(piece) = whole {
            self.stage.disk.remove(&piece);
            let good = self.rng.below(8) > 0;
            self.happen(Event::Disk(DiskEvent::Checked { piece, good }));
        }
    }
}
