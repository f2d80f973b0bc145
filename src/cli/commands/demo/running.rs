//! The swarm itself: a tracker, or a DHT, and for each peer an engine of its own, all in this process and on 127.0.0.1.
//!
//! Floor 4, part of [`demo`](super). The engines are those of `get` and `seed`. They know nothing of each other but
//! what the tracker, the DHT and their messages say.

use super::Wish;
use super::content;
use super::figures::{Kind, Peer, Swarm, name};
use super::scratch::Scratch;
use crate::base::sha1::Digest;
use crate::base::time::Time;
use crate::cli::exit::{Exit, Failure};
use crate::engine::config::Dht;
use crate::engine::{Command, Config, Duty, Engine, Job, Notice, Phase, RateLimits, Settings, Subscription};
use crate::engine::{NO_PORT, TorrentId};
use crate::proto::id::PeerId;
use crate::sys::outlet::{self, Bound, Outlet};
use crate::sys::trace::speaker::speak_as;
use crate::sys::{in_words, limits};
use crate::tracker::reach::External;
use crate::tracker::registry::Limits;
use crate::tracker::{self, Signal};
use crossbeam_channel::{Receiver, Sender};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

/// How often the picture changes.
pub const TICK: Duration = Duration::from_millis(100);
/// Peers that a peer serves at once: three that gave most and one by chance, as in Cohen 2003. (So few that the choice
/// can be seen. Without this, a fast line serves all eight.)
const SLOTS: usize = 4;
/// Seconds between two announces of a peer.
const INTERVAL: u32 = 30;
/// How long the tracker may take to start.
const START: Duration = Duration::from_secs(10);
/// How long the engines may take to end: they say goodbye to the tracker.
const END: Duration = Duration::from_secs(3);
/// The bytes of blocks that a peer may have under way.
const MEMORY_BYTES: u64 = 1 << 20;

/// Files and sockets of a peer besides its connections. (31 peers had 1,098 in all, of which 930 were connections.)
const FILES_OF_PEER: usize = 8;
/// Files and sockets of the whole process.
const OTHER_FILES: usize = 64;

/// A swarm that runs.
pub struct Running {
    members: Vec<Member>,
    /// What is known of it.
    pub swarm: Swarm,
    /// The SHA-1 of the content.
    whole: Digest,
    began: Instant,
    /// The tracker ends when this is dropped.
    _tracker: Option<Sender<Signal>>,
    scratch: Scratch,
}

/// A peer that runs.
struct Member {
    engine: Engine,
    notices: Subscription,
    torrent: TorrentId,
    dir: PathBuf,
    problem: Option<String>,
}

impl Running {
    /// Starts everything. If it is told to `stop` meanwhile, that is a failure.
    pub fn start(wish: &Wish, stop: &dyn Fn() -> bool) -> Result<Running, Failure> {
        let unavailable = |why: String| Failure::new(Exit::Unavailable, why);
        // Nothing leaves this machine, and nothing comes from elsewhere.
        let home = IpAddr::from(Ipv4Addr::LOCALHOST);
        let bound = Bound::Address(home);
        if bound.interface().is_err() {
            return Err(unavailable(format!("the demo needs the address {home}, and no interface that is up has it")));
        }
        if !outlet::choose(Outlet { bound: Some(bound), proxy: None }) {
            return Err(unavailable("the demo can't be confined to this machine any more".into()));
        }
        let peers = wish.leechers + 1;
        may_open(peers)?;
        let scratch = Scratch::new()?;
        scratch.must_hold(wish.size * peers as u64)?;
        let tracker = if wish.no_tracker { None } else { Some(start_tracker(home)?) };
        let announce = tracker.as_ref().map(|(_, port)| format!("http://127.0.0.1:{port}/announce"));
        let source = scratch.folder("seed")?;
        let (metainfo, whole) = content::make(&source, wish.size, announce.as_deref(), stop)?;
        let mut members: Vec<Member> = Vec::new();
        // Each engine may send a little more at its start than its limit says, because it was idle before.
        let began = Instant::now();
        for (number, kind) in wish.kinds().enumerate() {
            let dir = if number == 0 { source.clone() } else { scratch.folder(&number.to_string())? };
            let config = config(kind, wish, members.first().map(|first| first.engine.port()));
            speak_as(Some(name(number).into()));
            let (engine, notices) = Engine::start(config).map_err(unavailable)?;
            members.push(Member { engine, notices, torrent: TorrentId(0), dir, problem: None });
        }
        speak_as(None);
        for (member, kind) in members.iter_mut().zip(wish.kinds()) {
            let duty = if kind == Kind::Seed { Duty::Trust } else { Duty::Fetch };
            let job = Job { duty, ..Job::new(metainfo.clone(), member.dir.as_path()) };
            member.torrent = member.engine.add(job);
        }
        let peer = |(kind, member): (Kind, &Member)| Peer { port: member.engine.port(), ..Peer::new(kind) };
        let swarm = Swarm {
            size: wish.size,
            pieces: metainfo.piece_count(),
            rate: wish.rate,
            time: Time::ZERO,
            peers: wish.kinds().zip(&members).map(peer).collect(),
        };
        Ok(Running { members, swarm, whole, began, _tracker: tracker.map(|(signals, _)| signals), scratch })
    }

    /// Takes in what has happened. An error says which peer can't go on.
    pub fn look(&mut self) -> Result<(), Failure> {
        self.swarm.time = self.began.elapsed();
        let ids: Vec<PeerId> = self.members.iter().map(|member| member.engine.peer_id()).collect();
        for (number, (member, peer)) in self.members.iter_mut().zip(&mut self.swarm.peers).enumerate() {
            member.look(peer, self.swarm.time, &ids);
            if let Some(problem) = &member.problem {
                return Err(Failure::new(Exit::Io, format!("peer {}: {problem}", name(number))));
            }
        }
        Ok(())
    }

    /// The seed leaves.
    pub fn let_seed_leave(&mut self) {
        self.members.iter().take(1).for_each(|seed| seed.engine.send(Command::Stop));
    }

    /// Whether each leecher's copy is the same as the seed's content, as far as it looks before it is told to `stop`.
    pub fn has_same_copies(&self, stop: &dyn Fn() -> bool) -> bool {
        self.members.iter().all(|member| stop() || content::hash(&member.dir) == Some(self.whole))
    }

    /// Ends all peers, and deletes everything. Returns what is known of the swarm then. The folder is deleted twice: at
    /// once, because an impatient person may end the process, and when nobody writes there any more.
    pub fn end(mut self) -> Swarm {
        self.scratch.delete();
        self.members.iter().for_each(|member| member.engine.send(Command::Stop));
        let until = Instant::now() + END;
        let mut running: Vec<_> =
            self.members.iter().zip(&mut self.swarm.peers).filter(|(_, peer)| !peer.is_gone).collect();
        for (member, peer) in &mut running {
            while let Ok(notice) = member.notices.recv_deadline(until) {
                take_in(&notice, peer);
                if let Notice::Stopped(_) = notice {
                    break;
                }
            }
        }
        self.swarm
    }
}

impl Member {
    fn look(&mut self, peer: &mut Peer, now: Time, ids: &[PeerId]) {
        for notice in self.notices.try_iter() {
            take_in(&notice, peer);
            match notice {
                Notice::Failed { problem, .. } => self.problem = Some(problem.text),
                Notice::Waiting { trouble, .. } => self.problem = Some(trouble.text),
                Notice::Stopped(_) => {
                    peer.is_gone = true;
                    peer.serves.clear();
                }
                _ => {}
            }
        }
        let Some(details) = self.engine.ask(self.torrent) else { return };
        peer.have = details.have;
        let number = |id: &PeerId| ids.iter().position(|other| other == id);
        let served = details.peers.iter().filter(|other| !other.we_choke && other.is_interested);
        peer.serves = served.filter_map(|other| number(&other.id)).collect();
        peer.serves.sort_unstable();
        peer.remember(now);
        if peer.kind != Kind::Seed && peer.is_complete() {
            peer.complete_at.get_or_insert(now);
        }
    }
}

/// Takes in the figures of a notice.
fn take_in(notice: &Notice, peer: &mut Peer) {
    let reports = match notice {
        Notice::Status { reports, .. } | Notice::Stopped(reports) => &reports[..],
        _ => &[],
    };
    for report in reports {
        if let Phase::Running(status) = &report.phase {
            (peer.down_rate, peer.up_rate) = (status.down_rate, status.up_rate);
            (peer.taken, peer.given) = (status.downloaded, status.uploaded);
        }
    }
}

/// Raises the limit of open files to what this number of peers needs, or says that it is too low.
fn may_open(peers: usize) -> Result<(), Failure> {
    // Each peer has a connection to each other one, and both ends are here.
    let needed = peers * (peers - 1) + peers * FILES_OF_PEER + OTHER_FILES;
    // For a moment, two peers may be connected twice.
    limits::raise_descriptors(2 * needed as u64);
    let most = limits::descriptors();
    if most >= needed {
        return Ok(());
    }
    let text = format!(
        "{peers} peers need {needed} open files, and {most} are allowed: raise `ulimit -n`, or give fewer --peers"
    );
    Err(Failure::new(Exit::Unavailable, text))
}

/// How a peer runs. `entrance`: the port of the first peer, through whose node the others enter the DHT.
fn config(kind: Kind, wish: &Wish, entrance: Option<u16>) -> Config {
    let is_rider = kind == Kind::FreeRider;
    // Nothing listens on the port that the first node asks, so it waits for the others.
    let nodes = vec![("127.0.0.1".to_string(), entrance.unwrap_or(NO_PORT))];
    let dht = wish.no_tracker.then_some(Dht { nodes, read_only: false, folder: None });
    // A free-rider unchokes nobody. It would still give a newcomer its first pieces (BEP 6), so it has no rate either.
    let upload = Some(if is_rider { 1 } else { wish.rate });
    let slots = if is_rider { 0 } else { SLOTS };
    Config {
        torrent: Settings { upload_slots: Some(slots), super_seed: wish.super_seed, ..Settings::default() },
        ports: 0..=0,
        memory_bytes: MEMORY_BYTES,
        memory_grows: false,
        limits: RateLimits { upload, download: None },
        status_every: Some(TICK),
        dht,
        ..Config::default()
    }
}

/// Starts the tracker, on a port that the system chooses. Returns what ends it, and its port.
fn start_tracker(home: IpAddr) -> Result<(Sender<Signal>, u16), Failure> {
    let (signals, inbox) = crossbeam_channel::bounded(0);
    let (told, answers): (Sender<Result<u16, String>>, Receiver<_>) = crossbeam_channel::bounded(2);
    let config = tracker_config(home);
    let run = move || {
        let ready = |port| drop(told.send(Ok(port)));
        if let Err(error) = tracker::run(config, &inbox, ready) {
            let _ = told.send(Err(format!("can't {}: {}", error.doing, in_words(&error.error))));
        }
    };
    let unavailable = |why: String| Failure::new(Exit::Unavailable, why);
    let started = thread::Builder::new().name("tracker".into()).spawn(run);
    started.map_err(|error| unavailable(format!("can't start a thread: {error}")))?;
    let answer = answers.recv_timeout(START).unwrap_or_else(|_| Err("the tracker does not start".into()));
    Ok((signals, answer.map_err(unavailable)?))
}

fn tracker_config(home: IpAddr) -> tracker::Config {
    tracker::Config {
        port: 0,
        bind: Some(home),
        state_file: None,
        log_file: None,
        allowed_dir: None,
        passkeys_file: None,
        interval: INTERVAL,
        min_interval: INTERVAL / 2,
        response_size: super::MOST_PEERS as usize,
        most_response_size: super::MOST_PEERS as usize,
        limits: Limits { peers: 1000, swarm_peers: 1000, swarms: 10, age: Time::from_secs(2 * u64::from(INTERVAL)) },
        trust_ip: false,
        trusted_proxies: Vec::new(),
        external: External::default(),
        nat_check: false,
        page: false,
        figures: false,
        full_scrape: false,
    }
}
