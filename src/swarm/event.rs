//! What can happen to a torrent ([`Event`]) and what it wants done ([`Action`]).
//!
//! Floor 2. These two are the whole border between deciding and doing: the engine turns I/O into events, and actions
//! into I/O; a simulation does the same with virtual time. Both are grouped by the part of the engine that deals with
//! them: peers, the disk, trackers, the person. Each group is matched exhaustively where it is carried out.
//!
//! An event costs O(log n) steps in the pieces and the peers of the torrent, and none in other torrents. Searches that
//! could take longer look at a limited number of candidates: 512 pieces, 64 begun ones, 4,096 blocks in the endgame.
//! The tests named `steps` count them. The rare events that cost more, for n pieces and p peers:
//!
//! | event | steps |
//! |---|---|
//! | a peer connects, or its interest changes | O(p log p) |
//! | its bitfield comes (later ones: each new piece counts as a have) | O(n) |
//! | it is gone | O(n + p log p), and one for each block of begun pieces |
//! | it chokes us, or is snubbed | O(p log p), and its requests |
//! | a seed chokes it | one for each of at most 2,000 pieces that it was the first to request and did not get |
//! | a piece is begun, or is verified | O(p) (in part later: each peer's search passes each begun piece once) |
//! | a piece fails or can't be written | O(p log p), and its requests |
//! | a piece can't be read any more | O(n + p log p) |
//! | a block comes that several peers were asked for (endgame) | O(p), and their requests |
//! | a seed makes its first suggestion | O(n), once |
//! | [`Event::Timer`] if it may be due for a peer (silent, idle, not served), not for a limit of uploads | O(p log p) |
//! | a look for a peer that gives way, at most each 2 s while all places are taken | O(p) |
//! | the memory is shared out, each 250 ms with a block | O(p) |
//! | a peer that only takes is choked; limits of uploads begin or end; a wait begins or ends | O(p log p) |
//! | tokens of a limit of downloads come, at most 200 times a second | O(p log p) |
//! | [`Event::BudgetFreed`] after requests were given up; the endgame begins | O(p log p) |
//! | [`Event::BudgetFreed`] otherwise | one for each peer that is asked, 8 p for those that are passed over |
//! | a pick | n/64 for each peer, for the search that passes what is verified; again after 1,024 haves or a snub |
//! | peers are told about others: at most every 10 s after a change, and each peer once a minute | O(p) for each peer |
//! | the settings of all torrents change | O(p), and a message to each |
//! | the torrent is complete, pauses, is in doubt, or has fewer places: peers are closed | O(p² log p + p n) |
//! | super-seeding ends | O(p n), once |
//! | the content was checked again | O(n) |
//! | another choice of files, and when the disk is ready for it | O(p n/64 + n + p log p), and requests given up |
//! | a web seed lacks a file | its pieces; the first time also O(n) |
//! | a web seed is gone, or fails | the pieces of its gap, and its requests |
//! | while a description is [learned](super::learning): a block arrives | O(p) |
//! | while a description is learned: a peer comes, goes or refuses, or the timer | O(p log p) |
//! | a block of a description arrives, or the timer: blocks are hashed | 16 blocks |
//! | the last block of a description was hashed | a copy of its bytes |
//! | addresses are found, or one is tried | at most 1,000 for each of 400, or of 16 |
//! | a peer names others, once a minute | at most 1,000, and a search for each of 100 |
//!
//! A few commands of a person cost more in the engine, because they are about the order of all torrents or about each
//! of them. For t torrents:
//!
//! | command | steps |
//! |---|---|
//! | `Change::Place(n)` | the smaller of n and t - n; O(t log t) if no gap is left there (after 32 moves to it) |
//! | `Command::Places` | a look at each torrent, and the event `Paused` for each that gets a free place |
//! | `PauseOrResume(None)`, which pauses or resumes all | O(t log t), and the event `Paused` for each |
//! | `Command::Limit` | a look at each connection |
//! | `MostPeers`, `Announce(None)` | O(t log t), and an event for each torrent |
//!
//! `Network`, `Listen`, `Limit`, and `Places` if another time or another line is limited, are events for many torrents,
//! too. Those hear of them in slices: 500 in each step of the manager.

#![expect(missing_docs, reason = "the text of each variant explains its fields")]

use super::figures::Status;
use super::giving::choker::Chosen;
use super::giving::grant::{Grant, Report};
use super::meeting::announcer::{Announcement, Outcome};
use super::meeting::source::Source;
use super::peer::PeerKey;
use super::picking::picker::Pick;
use super::settings::{Enough, Settings, Term};
use super::standing::{DiskTrouble, Problem};
use crate::base::time::Time;
use crate::proto::choice::Choice;
use crate::proto::peer::bitfield::Bitfield;
use crate::proto::peer::extended::Ids;
use crate::proto::peer::handshake::Handshake;
use crate::proto::peer::message::{BlockSpec, Message};
use crate::proto::peer::mse::Cover;
use core::net::SocketAddr;
use core::ops::Range;
use std::sync::Arc;

/// Something happened.
#[derive(Debug)]
pub enum Event {
    /// A connection did something.
    Peer(PeerKey, PeerEvent),
    /// We could not connect to `addr`. With `our_fault` the peer is not to blame: we have no descriptor, thread or
    /// memory left.
    ConnectFailed { addr: SocketAddr, our_fault: bool },
    /// No thread could be started for the web seed of this number.
    WebSeedFailed { number: usize },
    /// Addresses of peers were found: `source` says how. An empty list says that this source was asked.
    Found { source: Source, addrs: Vec<SocketAddr> },
    /// A tracker answered the announce of [`Action::Announce`], or failed to. (The peers of the answer come as
    /// [`Event::Found`].)
    Announced { announcement: Box<Announcement>, outcome: Box<Outcome> },
    /// The disk did something, or failed to.
    Disk(DiskEvent),
    /// It leaves its swarm, because the person wants that or because other torrents go first (`--max-downloads`);
    /// `false`: it goes on.
    Paused(bool),
    /// A person set something for this torrent.
    Terms(Term),
    /// A person set something for all torrents. (What was set for this one stays.)
    Settings(Arc<Settings>),
    /// The process may have fewer connections: so many peers are let go.
    LetGo(usize),
    /// The person wants the trackers to be asked now, all of them.
    AnnounceNow,
    /// From now on these files are wanted, so urgently; `None`: all, as usual. Pieces in `steady` are [wanted before
    /// and after, and lie in the same files](crate::proto::choice::steady).
    Choose { choice: Option<Arc<Choice>>, steady: Bitfield },
    /// Its pieces are downloaded in order, first to last; `false`: as usual.
    Sequential(bool),
    /// From now on its trackers are these, in tiers (BEP 12).
    Trackers(Vec<Vec<Arc<str>>>),
    /// The way out is back that was away ([`WayOut`](super::shared::WayOut)).
    Online,
    /// The network was away, or peers reach us at another port now: the trackers are to hear that.
    AnnounceAgain,
    /// Memory that other torrents used is free again.
    BudgetFreed,
    /// The description can no longer be read, so it can't be given to peers.
    DescriptionGone,
    /// The moment that [`next_wake`](super::torrent::Torrent::next_wake) named has come.
    Timer,
}

/// What happened on a connection.
#[derive(Debug)]
pub enum PeerEvent {
    /// The connection stands and the peer's `handshake` is read. `outgoing`: we opened the connection, and sent our
    /// handshake already; otherwise `addr` has a port that the peer does not listen on. (The handshake is in a box
    /// because each event takes the space of the largest, and requests come by the thousand.)
    Connected { addr: SocketAddr, outgoing: bool, cover: Cover, handshake: Box<Handshake> },
    /// A message other than a block came.
    Message(Message),
    /// A block of `piece` came, which begins at byte `begin` of the piece. Its bytes are moved, never copied.
    Block { piece: u32, begin: u32, data: Vec<u8> },
    /// Blocks of [`PeerOrder::Upload`] with `bytes` bytes of content were sent to the peer.
    Uploaded { bytes: u64 },
    /// The peer's threads answered requests that the grant of [`PeerOrder::Grant`] covers.
    Served(Report),
    /// The peer's threads carried out a [`PeerOrder::Metadata`].
    Described,
    /// A web seed did something. (In a box, as the handshake.)
    WebSeed(Box<WebEvent>),
    /// The connection is over.
    Gone,
}

/// What a web seed did (BEP 19). It also brings blocks, and in the end it is gone.
#[derive(Debug)]
pub enum WebEvent {
    /// The thread that asks the web seed of this number in the torrent is ready: it answers [`Action::OpenWebSeed`].
    Ready { number: usize },
    /// The server does not have the file that has these bytes of the content, or has another one. What was requested is
    /// given up.
    NotThere { file: Range<u64>, why: String },
    /// The server sent bytes of a file before those that were asked for: it ignores ranges.
    Skipped { bytes: u64 },
    /// The server can't be reached or sends nothing now; or its answer is wrong, and then `file` is where the file that
    /// was asked for lies in the content. It may have said that we are to wait for `pause`. With `our_fault` the server
    /// is not to blame: nothing can be sent. [`PeerEvent::Gone`] follows.
    Failed { file: Option<Range<u64>>, why: String, pause: Option<Time>, our_fault: bool },
}

/// What the disk did, and what became of the content on it.
#[derive(Debug)]
pub enum DiskEvent {
    /// All blocks of a piece were received, and its hash was compared. `good`: the hash is right.
    Checked { piece: u32, good: bool },
    /// A piece that failed before is right now, and some blocks of the failed try were corrupt: those that begin at
    /// these bytes of the piece. [`DiskEvent::Checked`] follows.
    FoundCorrupt { piece: u32, begins: Vec<u32> },
    /// The disk does not work at the moment: it is full, read-only, or away. `block` is what it did not write.
    Trouble { block: Option<BlockSpec>, trouble: DiskTrouble },
    /// Blocks of a piece were not written because the disk was in trouble already.
    Unwritten { piece: u32 },
    /// The disk works again. `doubtful`: pieces that we had may be gone.
    Healed { doubtful: bool },
    /// Another program changed or removed files: the content is in doubt. `text` says what was found.
    Doubted { text: String },
    /// The person wants something to be done with the content, and then it is checked again. `text` says what.
    Asked { text: String },
    /// The content was checked again, and we have these pieces.
    CheckedAgain { have: Bitfield },
    /// A [`DiskOrder::Choose`] was carried out; if not (`done` is false), the disk is in trouble.
    Chosen { done: bool },
    /// A piece that we had can't be read any more.
    Unreadable { piece: u32 },
    /// The disk failed in a way that will not pass: the torrent can't go on.
    Failed { problem: Problem },
}

/// Something to do.
#[derive(Debug)]
pub enum Action {
    /// Open a connection and shake hands. `hidden`: whether the last handshake there was hidden (MSE), or others say
    /// that the peer prefers that.
    Connect { addr: SocketAddr, hidden: Option<bool> },
    /// Start a thread that asks the web seed of this number in the torrent's list. [`WebEvent::Ready`] is the first
    /// event of the peer that it is from then on; without a thread, [`Event::WebSeedFailed`] comes.
    OpenWebSeed { number: usize },
    /// Send something to a peer.
    Peer(PeerKey, PeerOrder),
    /// End a connection; the reason is for the log.
    Close { peer: PeerKey, reason: &'static str },
    /// Ask a tracker.
    Announce(Box<Announcement>),
    /// There may be a node of the DHT at this address: a peer says so (BEP 5).
    Node(SocketAddr),
    /// Something for the disk to do.
    Disk(DiskOrder),
    /// Tell the person.
    News(News),
    /// Tell what was decided and why. It comes only if [`explains`](super::shared::Shared::explains) is set, and before
    /// what it leads to.
    Decided(Decision),
    /// The description of a torrent that was added by a link: the bytes of the dict `info`. Their hash is right; they
    /// were not parsed yet.
    Learned { info: Vec<u8> },
}

/// What a torrent decided about a peer, with the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The peer is served from now on.
    Unchoke(Chosen),
    /// It is served no more.
    Choke { peer: PeerKey, why: Unserved },
    /// It is asked for blocks.
    Pick { peer: PeerKey, pick: Pick },
    /// It owes us blocks and was silent for so long: others are asked.
    Snub { peer: PeerKey, silent: Time },
}

/// Why a peer is served no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unserved {
    /// The round chose other peers for all of the `slots`.
    Others { slots: usize },
    /// It wants nothing any more.
    NotInterested,
    /// It has what we want, and in the last two rounds it gave less than a sixteenth of what it got.
    OnlyTakes { got: u64, gave: u64 },
    /// A limit of uploads begins, so its threads may not answer by themselves any more. It may ask again.
    Limited,
}

/// Something to send to a peer.
#[derive(Debug)]
pub enum PeerOrder {
    /// Our handshake, unless it was sent already: the peer connected to us.
    Handshake,
    /// A message.
    Message(Message),
    /// A have message for each of these pieces. (There may be thousands, for all peers at the same moment.)
    Haves(Vec<u32>),
    /// To a web seed: the requests that follow will go on to the end of these bytes of the content.
    Run(Range<u64>),
    /// A block, to be read from disk.
    Upload(BlockSpec),
    /// Block `piece` of the description, to be read from its file; a reject if that fails. `ids` are those that the
    /// peer gave to extended messages. [`PeerEvent::Described`] follows.
    Metadata { piece: u32, ids: Ids },
    /// From now on the peer's threads answer the requests that this covers.
    Grant(Grant),
    /// From now on they answer none. Those that wait are rejected.
    Revoke,
}

/// Work for the disk.
#[derive(Debug)]
pub enum DiskOrder {
    /// Write the block that begins at byte `begin` of `piece`. When all of a piece is written, compare the hash.
    /// `last`: the piece lacks no other block, so nothing is gained by a wait for more.
    Write { piece: u32, begin: u32, data: Vec<u8>, last: bool },
    /// Forget what was received of a piece: the piece starts over.
    Restart { piece: u32 },
    /// From now on the files of `choice` are wanted (`None`: all): when everything before this is done, create those
    /// that are new, and copy to them what is in the part file. We have the pieces in `have`. [`DiskEvent::Chosen`]
    /// follows.
    Choose { choice: Option<Arc<Choice>>, have: Bitfield },
    /// Try whether the disk works again, if possible with the `block` that it did not write. `left`: bytes that are
    /// still to be written.
    Probe { block: Option<BlockSpec>, left: u64 },
    /// Check what is there, as at the beginning.
    CheckAgain,
}

/// Something the person should hear.
#[derive(Debug)]
pub enum News {
    /// The torrent waits for its disk, or now for another reason.
    Waiting { trouble: DiskTrouble },
    /// The torrent waits no more.
    Resumed,
    /// Every wanted piece is verified.
    Complete,
    /// It has seeded enough and left its swarm, as if the person had paused it.
    SeededEnough(Enough),
    /// The torrent ended by itself; `status` is how it stood just before.
    Failed { problem: Problem, status: Box<Status> },
}
