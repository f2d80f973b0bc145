//! Floor 2: what to do next. Pure decisions.
//!
//! Time, random numbers and bytes are arguments, so every decision can be tested, replayed and simulated in virtual
//! time. [`torrent`] is the central piece manager. If only a link is known, [`learning`] comes before it. A node of the
//! DHT, [`dht`], is a machine beside it. The other modules are the ideas that it decides with, one in each file. Events
//! go in and actions come out ([`event`]); the engine turns I/O into events and actions into I/O.
//!
//! Here a torrent of one piece finds a seed, and downloads from it in virtual time:
//!
//! ```
//! use std::{num::NonZeroU32, time::Duration};
//! use swarmlet::base::rng::Rng;
//! use swarmlet::proto::bencode::Bencode;
//! use swarmlet::proto::{id::PeerId, metainfo::Metainfo};
//! use swarmlet::proto::peer::{bitfield::Bitfield, handshake::{Handshake, Reserved}, message::{BlockSpec, Message}};
//! use swarmlet::proto::peer::mse::Cover;
//! use swarmlet::swarm::event::{Action, DiskEvent, DiskOrder, Event, News, PeerEvent, PeerOrder};
//! use swarmlet::swarm::{peer::PeerKey, picking::budget::Budget, settings::Settings};
//! use swarmlet::swarm::{shared::{Shared, Turn}, torrent::Torrent};
//!
//! let info = Bencode::dict([
//!     ("length", 40_000i64.into()),
//!     ("name", "blob".into()),
//!     ("piece length", 65_536i64.into()),
//!     ("pieces", vec![7; 20].into()),
//! ]);
//! let metainfo = Metainfo::parse(&Bencode::dict([("info", info)]).encode()).unwrap();
//! let (mut rng, settings) = (Rng::new(1), Settings { peer_id: PeerId([1; 20]), ..Settings::default() });
//! let mut torrent = Torrent::new(&metainfo, Bitfield::new(1), settings.into(), Duration::ZERO, &mut rng);
//! let mut shared = Shared::new(rng, Budget::new(1 << 20));
//!
//! // A seed connects, says that it has all, and unchokes us.
//! let seed = PeerKey(NonZeroU32::MIN);
//! let (addr, peer_id) = ("10.0.0.2:6881".parse().unwrap(), PeerId([2; 20]));
//! let handshake = Box::new(Handshake { reserved: Reserved::ours(), info_hash: metainfo.info_hash, peer_id });
//! let mut events = vec![
//!     PeerEvent::Connected { addr, outgoing: false, cover: Cover::Plain, handshake },
//!     PeerEvent::Message(Message::HaveAll),
//!     PeerEvent::Message(Message::Unchoke),
//! ];
//! let (mut now, mut written, mut is_complete) = (Duration::ZERO, 0, false);
//! while !events.is_empty() {
//!     let mut happened: Vec<Event> = events.drain(..).map(|event| Event::Peer(seed, event)).collect();
//!     while !happened.is_empty() {
//!         let mut actions = Vec::new();
//!         for event in happened.drain(..) {
//!             torrent.handle(event, &mut Turn { now, shared: &mut shared, actions: &mut actions });
//!         }
//!         for action in actions {
//!             match action {
//!                 // The seed answers each request 50 ms later.
//!                 Action::Peer(_, PeerOrder::Message(Message::Request(BlockSpec { piece, begin, length }))) => {
//!                     now += Duration::from_millis(50);
//!                     events.push(PeerEvent::Block { piece, begin, data: vec![0; length as usize] });
//!                 }
//!                 // The disk has written each block at once, and finds the hash of the whole piece right.
//!                 Action::Disk(DiskOrder::Write { piece, data, .. }) => {
//!                     written += data.len();
//!                     shared.budget.written_to(0, data.len() as u64);
//!                     if written == 40_000 {
//!                         happened.push(Event::Disk(DiskEvent::Checked { piece, good: true }));
//!                     }
//!                 }
//!                 Action::News(News::Complete) => is_complete = true,
//!                 _ => {}
//!             }
//!         }
//!     }
//! }
//! assert!(is_complete && torrent.have().is_full());
//! ```

pub mod dht;
pub mod event;
pub mod figures;
pub mod giving;
// Feature: magnet.
#[cfg(feature = "magnet")]
pub mod learning;
#[cfg(not(feature = "magnet"))]
#[path = "learning/absent.rs"]
pub mod learning;
pub mod meeting;
pub mod peer;
pub mod picking;
pub mod rate;
pub mod settings;
pub mod shared;
#[cfg(test)]
pub(crate) mod simulation;
pub mod standing;
pub mod torrent;
