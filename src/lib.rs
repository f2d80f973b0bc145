//! # swarmlet: a complete BitTorrent system in one small binary
//!
//! This page is the front page of a book: the sources of the program, written to be read. The program is synchronous.
//! Each peer has two threads, a central piece manager decides, and channels connect them. There is no async runtime.
//! `make book` builds these pages with everything that is private. [The manual](book) is part of the book.
//!
//! If BitTorrent is new to you, take [the course](book::course) first: ten steps from the bytes of a .torrent file to a
//! lookup in the DHT. Each has an example that runs, a command to type, and a question. To watch a swarm first, run
//! [`swarmlet demo`](book::demo).
//!
//! ## Twelve words
//!
//! - **torrent**: content (a file or a folder of files) that is shared, cut into pieces; also the `.torrent` file that
//!   describes it.
//! - **metainfo**: what a `.torrent` file says: names, lengths, the hashes of the pieces, trackers. Its `info` part is
//!   the torrent's *description*, which peers can send to somebody who has only a magnet link.
//! - **info-hash**: the SHA-1 of the `info` part of the metainfo; it names the torrent everywhere.
//! - **piece**: the unit that has a hash: usually 16 KiB to 16 MiB of content.
//! - **block**: the unit that is requested: 16 KiB of a piece.
//! - **peer**: another program that shares the same torrent, and the connection to it.
//! - **seed, leecher**: a peer that has every piece; a peer that lacks some.
//! - **swarm**: all peers of a torrent.
//! - **tracker**: a server that tells peers about each other.
//! - **announce, scrape**: to tell a tracker about oneself and get addresses of peers; to ask it only for numbers.
//! - **choke, unchoke**: to refuse a peer's requests; to serve them. "Interested" means: the other side has a piece
//!   that we lack.
//! - **snubbed**: said of a peer that unchoked us, owes us blocks and has sent nothing for 20 seconds.
//!
//! ## The house
//!
//! The crate is one library and one binary on four floors. A floor uses only the floors below it, and inside floors 1
//! and 3 the rooms have an order too. `tests/architecture` enforces this, forbids circles of imports, and limits the
//! size of files and folders.
//!
//! ```text
//! floor 4  cli/      commands/ options/ run/ show/              what a person types and sees
//!          daemon/   rpc/ http/                                 what programs and browsers ask (optional)
//!             |
//! floor 3  engine/   manager/ peer/ disk/ announce/ ...         threads: turn I/O into events, actions into I/O
//!          tracker/  registry/ web/ files/                      the tracker server (optional)
//!          maker/    files on a disk become a torrent           (optional)
//!          web/      an HTTP server                             knows no tracker (optional)
//!          storage/  content on a disk: check, hash, resume     keeps no thread of its own
//!          sys/      what Linux offers                          knows no torrent
//!             |
//! floor 2  swarm/    torrent/ picking/ giving/ meeting/         decides what to do next; pure
//!             |
//! floor 1  proto/    bencode/ metainfo/ peer/ tracker/          what the bytes mean; pure
//!          base/     bytes and text                             knows no torrent; pure
//! ```
//!
//! *Pure* means: no sockets, files, threads, clocks or random device. Time is an argument, random numbers come from a
//! seeded generator that is passed in, and bytes are slices. So each decision can be tested, simulated in virtual
//! time, and [replayed](book::replay) from a record: `src/swarm/simulation` runs hundreds of swarms whose peers
//! misbehave, and checks all accounts while they run. [The laboratory](book::measurements#the-laboratory) runs swarms
//! of a thousand torrents.
//!
//! ## Where to read first
//!
//! 1. [`proto::bencode`]: the four kinds of values that BitTorrent is written in.
//! 2. [`proto::metainfo`]: what a `.torrent` file says, and the ways in which it can be wrong.
//! 3. [`proto::peer::handshake`] and [`proto::peer::message`]: what peers say to each other.
//! 4. [`swarm::event`]: everything that can happen to a torrent, and everything that it can want done. Then
//!    [`swarm::torrent`], the central piece manager; the files in its folder hold its decisions, one subject each.
//! 5. [`swarm::picking`] and [`swarm::giving`]: which block to request, and which peer to serve. These are the two
//!    halves of the paper "Incentives Build Robustness in BitTorrent" (Cohen 2003).
//! 6. [`swarm::meeting`] and [`proto::tracker`]: how peers find each other. [`swarm::learning`]: how a magnet link
//!    becomes a torrent.
//! 7. [`engine::manager`], [`engine::peer`], [`engine::disk`]: the threads that carry out the decisions.
//! 8. [`storage::content`]: many files as one run of bytes.
//! 9. [`tracker`]: the other end of the announce. Begin with [`tracker::registry`].
//! 10. [`cli`]: what a person types and sees.
//!
//! Torrent files are another way in: [`maker::tree`] finds the files to share, [`storage::hashing`] hashes them on all
//! cores, [`proto::metainfo::emit`] writes the result, and [`storage::verify`] verifies content against it.
//!
//! ## Where a new part goes
//!
//! - *an extended message (BEP 10)*: [`proto::peer::extended`] lists the steps: a row in its table and how to read the
//!   message; `Torrent::extended` in `swarm/torrent/introducing.rs` decides what to do about it.
//! - *a field in a tracker's reply*: `proto/tracker/announce/reply.rs` reads it (UDP: [`proto::tracker::udp`] reads the
//!   packet, `engine/announce/udp.rs` makes the same reply of it); `engine/announce/asking.rs` turns peers into events,
//!   [`swarm::meeting::announcer`] acts on intervals and errors; our own tracker writes it in `tracker/web/answers.rs`.
//! - *a parameter that we send to a tracker*: `proto/tracker/announce/request.rs` for HTTP, [`proto::tracker::udp`] for
//!   UDP; `Torrent::announce_request` in `swarm/torrent.rs` fills it in.
//! - *a key of the `.torrent` file*: [`proto::metainfo`] reads it, [`proto::metainfo::emit`] writes it in the order of
//!   keys; `cli/commands/torrents/show.rs` prints it; `cli/options/make.rs` and `cli/commands/make.rs` set it.
//! - *a part that talks to others*: it opens its sockets with [`sys::outlet`], so that `--bind` and `--proxy` hold for
//!   it, too, and starts its threads with [`sys::trace::speaker`], so that `demo` can tell its peers apart.
//! - *a key on the keyboard*: `cli/run/request.rs` names it, `cli/run/keys.rs` reads it and has the lines of help,
//!   `cli/run/person.rs` or `cli/show/live/mod.rs` acts on it.
//! - *an option of a command*: the command's file in `cli/commands`; help, man page and completions follow from it, and
//!   a test asks for its row in the book.
//! - *a way to get content besides peers*: the folder `downloading` of [`swarm::torrent`] decides about
//!   [web seeds](engine::peer::webseed). A web seed is a peer without a socket: it gets requests and returns blocks.
//! - *another way for bytes to travel*: a variant of [`engine::peer::line::Line`]; how the connection begins is in
//!   [`engine::peer::shaking`].
//! - *an optional capability*: a room or files of its own and a Cargo feature, which at most three other files name;
//!   see `Cargo.toml`.
//!
//! ## The story of one block
//!
//! Follow 16 KiB of a file from another peer's disk to ours, and on to the next peer. Each function is named before its
//! file.
//!
//! ```text
//! socket -> reader -> [Event] -> manager: Torrent::handle(event, turn) -> [Action] -> outbox -> socket
//!                                                                   \-> disk thread -> [Event]
//!                                                                   \-> announce thread -> [Event]
//! ```
//!
//! 1. *A peer is found.* A tracker has answered: `ask()` in `engine/announce/asking.rs`. The address comes through
//!    `found()` in `swarm/torrent/places.rs`, and [`swarm::meeting::candidates`] keeps it until there is room. Then
//!    `connect_more()` in `swarm/torrent/places.rs` wants a connection. A new thread, started by `connect()` in
//!    `engine/peer/reader.rs`, opens it and shakes hands: `dial()` in `engine/peer/shaking/dialing.rs`. It starts the
//!    peer's second thread, by `start()` in `engine/peer/writer.rs`. From here on the connection is a
//!    [line](engine::peer::line), plain or [encrypted](proto::peer::mse).
//! 2. *We want something.* The peer's [bitfield](proto::peer::bitfield) shows pieces that we lack: `got_bitfield()` in
//!    `swarm/torrent/joining.rs`. So we tell the peer that we are interested: `tell_interest()` in
//!    `swarm/torrent/downloading.rs`. It unchokes us: `unchoked()` in `swarm/torrent/downloading.rs`.
//! 3. *The block is requested.* `ask_more()` in `swarm/torrent/downloading.rs` looks at the peer's
//!    [window](swarm::picking::window) and at the [budget](swarm::picking::budget), lets `pick()` in
//!    `swarm/picking/picker.rs` choose, and sends one request per block. The block counts against the budget from here
//!    on, because it may arrive at any moment: `requested()` in `swarm/picking/budget.rs`.
//! 4. *It arrives.* `next()` in `engine/peer/wire.rs` checks the length of the message before anything is allocated,
//!    and `fill()` in `engine/peer/wire.rs` reads the bytes from the kernel straight into a buffer of the stock, which
//!    `take()` in `engine/peer/blocks.rs` gave. The block goes to the manager as an event, together with others that
//!    arrived at the same time: `report()` in `engine/peer/wire.rs`. On a slow line the reader lets a few gather:
//!    `pause()` in `engine/peer/wire/gathering.rs`. From here on the block is moved, never copied.
//! 5. *It is accepted.* The manager passes it to its torrent: `handle_all()` in `engine/manager.rs`. `block_came()` in
//!    `swarm/torrent/downloading.rs` finds the request that it answers; a block that was never requested is dropped.
//!    `arrived()` in `swarm/picking/picker/arrival.rs` says whether it is still missing. Then it moves on to the disk
//!    thread of its piece: `carry_out()` in `engine/manager.rs`, and `give()` in `engine/disk/mod.rs`.
//! 6. *It is written and hashed.* Blocks that follow each other are written with one call: `write()` in
//!    `engine/disk/worker.rs`. The running SHA-1 of the piece takes them from memory while they arrive in order:
//!    `hash_blocks()` in `engine/disk/worker.rs`. A block that arrives early waits a little, or is read back. The
//!    buffer returns to the stock, and its bytes to the budget: `free()` in `engine/disk/worker.rs`, and `written_to()`
//!    in `swarm/picking/budget.rs`.
//! 7. *It is verified.* After the last block of the piece, its hash is compared: `verify()` in `engine/disk/worker.rs`.
//!    If it is right, we have the piece, and the peers that lack it are told: `verified()` in
//!    `swarm/torrent/downloading.rs`. If it is wrong, the piece is fetched again from one peer alone: `piece_failed()`
//!    in `swarm/torrent/downloading/lying.rs`. The disk thread compares the two tries, by `corrupt_blocks()` in
//!    `engine/disk/tries.rs`, and `found_corrupt()` in `swarm/torrent/downloading/lying.rs` bans the peers whose blocks
//!    were corrupt.
//! 8. *It is passed on.* Another peer was unchoked by `unchoke()` in `swarm/torrent/choking.rs`, and got a
//!    [grant](swarm::giving::grant) by `grant()` in `swarm/torrent/uploading.rs`: its threads may answer requests for
//!    the pieces that we have. Now it requests the block: `requested()` in `engine/peer/outbox.rs`. Its reader sends
//!    the block at once: `answer()` in `engine/peer/server.rs`. If the socket is full, its writer waits for it, and
//!    lets the kernel send the block from its file: `upload()` in `engine/peer/writer.rs`. The manager only hears how
//!    much was sent: `served()` in `swarm/torrent/uploading.rs`.
//!
//! ## What is never trusted
//!
//! - A length, before it is checked against a limit.
//! - A path, before each component is checked, on paper ([`base::path`]) and on the disk ([`sys::beneath`]).
//! - A block that was not requested, and a piece before its hash is compared.
//! - A number from a peer or a tracker, before it is clamped.
//! - Files of an earlier run, before they agree with its [resume state](storage::resume).
//!
//! ## What blocks on what
//!
//! The manager blocks only on its channel. (With `--trace` or `--record`, each thread that writes a line waits while
//! the file is slower. After two seconds without progress, lines are dropped.) A reader blocks on its socket, and on
//! the disk that it sends from. A writer blocks on its outbox, its socket, and the disk. A disk thread blocks on its
//! channel and its disk. Shutting down a socket wakes its reader; closing an outbox ends its writer. No lock is held
//! during a wait. Nothing polls: an idle process makes no system calls except for the manager's next timer. (A reader
//! pauses while blocks gather, `many` looks at its folders every few seconds, and where no router is found, we look for
//! one every five minutes.)
#![forbid(unsafe_code)]

pub mod base;
#[cfg(any(doc, test))]
pub mod book;
pub mod cli;
// Feature: daemon.
#[cfg(feature = "daemon")]
pub mod daemon;
pub mod engine;
// Feature: make.
#[cfg(feature = "make")]
pub mod maker;
pub mod proto;
pub mod storage;
pub mod swarm;
pub mod sys;
// Feature: tracker.
#[cfg(feature = "tracker")]
pub mod tracker;
// Features: tracker, daemon.
#[cfg(any(feature = "tracker", feature = "daemon"))]
pub mod web;
