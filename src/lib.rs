//! # swarmlet: a complete BitTorrent system in one small binary
//!
//! This page is the front of a book: the program's own sources, made to be read. It is synchronous: a thread per peer,
//! a central piece manager, channels between them, no async runtime. `make book` builds it with all that is private.
//!
//! ## The house
//!
//! One crate, one binary, one library; four floors. A floor uses only floors below it, and `tests/architecture.rs` sees
//! to that.
//!
//! ```text
//! floor 4  cli/     what a person types and sees          get, make, show, check, edit, the screen, JSON
//!             |
//! floor 3  engine/  threads, sockets, disks: does I/O     manager, reader, writer, disk, announce, listener
//!          tracker/ introduces peers: does I/O            registry (pure), http, udp, page, state
//!             |
//! floor 2  swarm/   what to do next: pure decisions       torrent, picker, choker, window, budget, rate, announcer
//!             |
//! floor 1  proto/   what the bytes mean: pure values      bencode, metainfo, handshake, message, announce, compact
//! ```
//!
//! Floors 1 and 2 touch no socket, file, thread, clock or random device: time comes in as an argument, random numbers
//! from a seeded generator, bytes as slices. So each decision can be tested, replayed and simulated in virtual time
//! (`src/swarm/torrent/tests.rs` runs a swarm of nine in a blink, with the picker that runs on the router;
//! `src/swarm/simulation/misbehaving.rs` runs hundreds whose peers misbehave, and audits the books as they go;
//! `src/swarm/simulation/bound.rs` measures how near a swarm comes to what mathematics allows).
//!
//! ## Where to read first
//!
//! 1. [`proto::bencode`]: the four kinds of values that all of BitTorrent is written in.
//! 2. [`proto::metainfo`]: what a `.torrent` file says, and all the ways in which it may lie.
//! 3. [`proto::peer::handshake`] and [`proto::peer::message`]: what peers say to each other.
//! 4. [`swarm::event`]: all that can happen to a torrent, and all that it can want done. Then [`swarm::torrent`], the
//!    central piece manager, and its ways beside it: `joining.rs`, `introducing.rs`, `places.rs`, `downloading.rs`,
//!    `lying.rs`, `choking.rs`, `uploading.rs`.
//! 5. [`swarm::picking::picker`]: which block to ask for, the heart of the paper "Incentives Build Robustness in BitTorrent"
//!    (Cohen 2003), and [`swarm::giving::choker`], whom to serve, its other half; [`swarm::picking::window`]: how many
//!    at once; [`swarm::picking::budget`]: with how much memory; [`swarm::giving::spreading`] and [`swarm::giving::super_seeding`]: what the first
//!    seed does so that nothing leaves it twice before all has left it once.
//! 6. [`swarm::meeting::announcer`] and [`proto::tracker::announce`]: how peers find each other.
//! 7. [`engine::manager`], [`engine::peer::reader`], [`engine::disk`]: the threads that carry it out.
//! 8. [`tracker::registry`], [`tracker::web::answers`], [`tracker::udp`]: the other end of the announce.
//! 9. [`cli`]: what a person types and sees.
//!
//! Torrent files are another way in: [`storage::make::tree`] finds what is to be shared, [`storage::hashing`] hashes it on all
//! cores, [`proto::metainfo::emit`] writes it down; [`storage::verify`] proves it, file by file.
//!
//! ## The story of one block
//!
//! Follow 16 KiB of a file from a stranger's disk to ours.
//!
//! ```text
//! socket -> reader -> [Event] -> manager: swarm::Torrent::handle(event, now) -> [Action] -> writer -> socket
//!                                                                          \-> disk thread -> [Event]
//!                                                                          \-> announce thread -> [Event]
//! ```
//!
//! 1. *A peer is found.* A tracker answered; [`swarm::meeting::candidates`] keeps the address until there is a place, and
//!    `places.rs` gives [`Action::Connect`](swarm::event::Action::Connect). The engine starts a [reader](engine::peer::reader):
//!    it connects, sends our [handshake](proto::peer::handshake), reads theirs, starts the [writer](engine::peer::writer).
//! 2. *We want something.* The peer's [bitfield](proto::peer::bitfield) shows pieces that we lack: we tell it that we are
//!    interested. It unchokes us.
//! 3. *The block is asked for.* `ask_more` in `downloading.rs` looks at the peer's [window](swarm::picking::window) and at the
//!    [budget](swarm::picking::budget), has the [picker](swarm::picking::picker) choose, and gives one request a block. The block counts
//!    against the budget from here on: it may arrive at any moment.
//! 4. *It arrives.* The [wire](engine::peer::wire) has checked the message's length before it allocates, and reads the bytes
//!    from the kernel straight into a [buffer of the stock](engine::peer::blocks). With others that were there to read, the
//!    block goes to the [manager](engine::manager) as [`Event::Block`](swarm::event::Event::Block). From now on it is
//!    moved, never copied.
//! 5. *It is taken.* `block_came` in `downloading.rs` finds the request it answers; were there none, the block would be
//!    dropped. The picker says whether it is still missing. Then [`Action::Write`](swarm::event::Action::Write): the
//!    block moves on, to the [disk thread](engine::disk) of its piece.
//! 6. *It is written and hashed.* Blocks that follow each other are written by one call. The piece's running SHA-1
//!    takes them from memory while they come in order; what came ahead of its turn waits a little, or is read back.
//!    The buffer goes back to the stock, and its bytes back to the budget.
//!    (What wanted files share with files that nobody wants goes to the [part file](storage::content::part_file) too.)
//! 7. *It is proven.* With the last block of the piece the hash is compared. [`Event::Checked`](swarm::event::Event::Checked)
//!    makes the piece ours: all peers are told that we have it, and may ask for it. If the hash is wrong, the piece is
//!    fetched again from one peer alone; the blocks that differ then show who lied (`lying.rs`).
//! 8. *It is passed on.* A peer asks for the block; `uploading.rs` checks that it exists and that the peer is unchoked,
//!    and hands [`Action::Upload`](swarm::event::Action::Upload) to its writer, which has the system send the block from its file.
//!    Whoever fetches, serves.
//!
//! ## What is never trusted
//!
//! A length before it is checked against a limit; a path before every component is checked, on paper
//! ([`base::path`]) and on the disk ([`sys::beneath`]); a block that was not asked for; a piece before its hash; a
//! peer's or a tracker's number before it is clamped; what an earlier run left, before files have the size and the time of
//! change that its [state](storage::resume) says.
//!
//! ## What blocks on what
//!
//! The manager blocks on its channel alone. A reader blocks on its socket, a writer on its channel, its socket and the disk
//! that it sends from, a disk thread on its channel and the disk. Shutting a socket wakes its reader; dropping a channel ends
//! its writer. Nobody polls, nobody sleeps in a loop: an idle process makes no system calls but for the manager's next timer.
#![forbid(unsafe_code)]

pub mod base;
#[cfg(any(doc, test))]
pub mod book;
pub mod cli;
pub mod engine;
pub mod proto;
pub mod storage;
pub mod swarm;
pub mod sys;
// Feature: tracker.
#[cfg(feature = "tracker")]
pub mod tracker;
