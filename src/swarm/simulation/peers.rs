//! What the peers of a [simulation](super::world) do: everything that a torrent must cope with.
//!
//! Floor 2, tests only. A part of [`World`]. The peers choke, refuse, ignore, lie, repeat themselves, fall silent,
//! leave and come back.

use super::parts::key;
use super::remote::{Deed, Remote};
use super::world::{Happening, World};
use crate::base::time::Time;
use crate::proto::id::PeerId;
use crate::proto::peer::handshake::{Handshake, Reserved};
use crate::proto::peer::message::{BlockSpec, Message};
use crate::proto::peer::mse::Cover;
use crate::swarm::event::{Event, PeerEvent};
use core::net::SocketAddr;

/// How long a message is on its way.
const WIRE_DELAY: Time = Time::from_millis(20);
/// A peer that leaves or goes silent does so within this time, and stays away for at most as long.
const MOOD_MS: usize = 30_000;
/// A peer that lacks pieces gets another one this often (perhaps).
const NEW_PIECE: Time = Time::from_secs(3);

impl World {
    fn say(&mut self, number: usize, message: Message) {
        if let Remote { key: Some(peer), torrent, .. } = self.remotes[number] {
            self.plan(WIRE_DELAY, Happening::Reaches(torrent, Event::Peer(peer, PeerEvent::Message(message))));
        }
    }

    fn refuse(&mut self, number: usize, block: BlockSpec) {
        if self.remotes[number].manners.fast_extension {
            self.say(number, Message::Reject(block));
        }
    }

    pub(super) fn deed(&mut self, number: usize, deed: Deed) {
        let manners = self.remotes[number].manners;
        match deed {
            Deed::Join => self.join(number),
            Deed::Leave => {
                let Remote { key: Some(peer), torrent, .. } = self.remotes[number] else { return };
                self.part(number);
                self.reach(torrent, Event::Peer(peer, PeerEvent::Gone));
            }
            Deed::Serve => self.serve(number),
            Deed::TurnChoke => {
                let remote = &mut self.remotes[number];
                remote.chokes = !remote.chokes;
                let choke = remote.chokes;
                let forget = choke && !manners.answers_after_choke;
                let forgotten: Vec<BlockSpec> = if forget { remote.queue.drain(..).collect() } else { Vec::new() };
                self.say(number, if choke { Message::Choke } else { Message::Unchoke });
                forgotten.into_iter().for_each(|block| self.refuse(number, block));
                self.turn_choke_later(number);
            }
            Deed::FallSilent => {
                self.remotes[number].silent_until = self.now + self.within(2 * MOOD_MS);
                self.will_do(number, Time::from_millis(3 * MOOD_MS as u64), Deed::FallSilent);
            }
            Deed::GetPiece => {
                let piece = self.rng.below(self.remotes[number].has.len() as usize) as u32;
                if self.remotes[number].has.set(piece) {
                    self.say(number, Message::Have(piece));
                }
                self.will_do(number, NEW_PIECE, Deed::GetPiece);
            }
        }
    }

    fn join(&mut self, number: usize) {
        self.connections += 1;
        let peer = key(self.connections);
        let Remote { torrent, manners, port, .. } = self.remotes[number];
        self.remotes[number].key = Some(peer);
        let reserved = if manners.fast_extension { Reserved::ours() } else { Reserved([0; 8]) };
        let peer_id = PeerId([number as u8 + 2; 20]);
        let handshake = Handshake { reserved, info_hash: self.metainfos[torrent].info_hash, peer_id };
        let addr = SocketAddr::from(([10, 0, 0, number as u8], port));
        self.reach(
            torrent,
            Event::Peer(
                peer,
                PeerEvent::Connected { addr, outgoing: false, cover: Cover::Plain, handshake: Box::new(handshake) },
            ),
        );
        self.say(number, Message::Bitfield(self.remotes[number].has.as_bytes().to_vec()));
        self.turn_choke_later(number);
        let moods = [(manners.leaves, Deed::Leave), (manners.falls_silent, Deed::FallSilent)];
        for (_, deed) in moods.into_iter().filter(|(has, _)| *has) {
            let delay = self.within(MOOD_MS);
            self.will_do(number, delay, deed);
        }
        if manners.has_some {
            self.will_do(number, NEW_PIECE, Deed::GetPiece);
        }
    }

    fn turn_choke_later(&mut self, number: usize) {
        if let Some(every) = self.remotes[number].manners.chokes_every {
            let delay = every / 2 + self.within(every.as_millis() as usize);
            self.will_do(number, delay, Deed::TurnChoke);
        }
    }

    /// One side ended the connection. All but the honest peers come back, from another port.
    pub(super) fn part(&mut self, number: usize) {
        let remote = &mut self.remotes[number];
        (remote.key, remote.chokes, remote.busy) = (None, true, false);
        remote.queue.clear();
        remote.port += 100;
        if !remote.manners.honest {
            let delay = Time::from_secs(1) + self.within(MOOD_MS);
            self.will_do(number, delay, Deed::Join);
        }
    }

    pub(super) fn hear(&mut self, number: usize, message: Message) {
        let manners = self.remotes[number].manners;
        match message {
            Message::Interested if manners.chokes_every.is_none() && self.remotes[number].chokes => {
                if manners.never_unchokes {
                    return;
                }
                self.remotes[number].chokes = false;
                self.say(number, Message::Unchoke);
            }
            Message::Request(block) => {
                assert!(self.remotes[number].has.get(block.piece), "peer {number} was asked for what it lacks");
                if self.remotes[number].chokes || self.chance(manners.reject_percent) {
                    return self.refuse(number, block);
                }
                // Many programs ignore a request that is waiting already.
                if self.chance(manners.ignore_percent) || self.remotes[number].queue.contains(&block) {
                    return;
                }
                self.remotes[number].queue.push_back(block);
                if !self.remotes[number].busy {
                    self.remotes[number].busy = true;
                    self.will_do(number, manners.block_time, Deed::Serve);
                }
            }
            Message::Cancel(block) => {
                let queue = &mut self.remotes[number].queue;
                if let Some(at) = queue.iter().position(|queued| *queued == block) {
                    queue.remove(at);
                    self.refuse(number, block);
                }
            }
            _ => {}
        }
    }

    fn serve(&mut self, number: usize) {
        let Remote { torrent, manners, key: Some(peer), silent_until, .. } = self.remotes[number] else { return };
        if silent_until > self.now {
            return self.will_do(number, silent_until - self.now, Deed::Serve);
        }
        // Out of order at times.
        let waiting = self.remotes[number].queue.len();
        let at = if self.chance(25) { self.rng.below(waiting) } else { 0 };
        let Some(BlockSpec { piece, begin, length }) = self.remotes[number].queue.remove(at) else {
            self.remotes[number].busy = false;
            return;
        };
        let corrupt = self.chance(manners.corrupt_percent);
        let block =
            |bad: bool| Event::Peer(peer, PeerEvent::Block { piece, begin, data: vec![bad as u8; length as usize] });
        self.plan(WIRE_DELAY, Happening::Reaches(torrent, block(corrupt)));
        if manners.repeats && self.chance(20) {
            self.plan(WIRE_DELAY, Happening::Reaches(torrent, block(false)));
        }
        if manners.floods {
            let stranger = (piece + 1) % self.remotes[number].has.len();
            let data = vec![1; length as usize];
            self.plan(
                WIRE_DELAY,
                Happening::Reaches(torrent, Event::Peer(peer, PeerEvent::Block { piece: stranger, begin, data })),
            );
        }
        self.will_do(number, manners.block_time, Deed::Serve);
        if corrupt && manners.hits_and_runs {
            self.will_do(number, WIRE_DELAY, Deed::Leave);
        }
    }
}
