//! The manager thread: all torrents of the process, one thing after another.
//!
//! Floor 3. It takes what the other threads report, hands it to
//! [`Torrent::handle`](crate::swarm::torrent::Torrent::handle), and carries the actions to where they are done. It blocks
//! on its channel alone: what it gives away goes into channels that are bounded by what was let in (the budget, the
//! windows, the number of peers), so giving never waits. What peers get is in `orders.rs`, how torrents come and go in
//! `queue.rs`, how they and all of it end in `ending.rs`.

mod agenda;
mod ending;
mod mending;
mod news;
mod orders;
mod queue;
pub mod slot;

use super::announce::Announcers;
use super::checker::{self, Check};
use super::disk::Disk;
use super::input::Input;
use super::keeper::Keeper;
use super::peer::around::Surroundings;
use super::peer::blocks::Blocks;
use super::peer::directory::Directory;
use super::peer::gate::Gate;
use super::peer::listener;
use super::peer::reader;
use super::{Config, Notice, Watch, most_connections};
use crate::base::rng::Rng;
use crate::base::time::{Time, sooner};
use crate::storage::TorrentId;
use crate::swarm::event::{Action, Event, PeerEvent};
use crate::swarm::meeting::announcer::{AnnounceFailure, Announcement};
use crate::swarm::peer::PeerKey;
use crate::swarm::picking::budget::{Budget, LEAST_BYTES};
use crate::swarm::settings::Settings;
use crate::swarm::shared::{Shared, Turn};
use crate::swarm::torrent::Torrent;
use agenda::Agenda;
use crossbeam_channel::{Receiver, Sender};
use orders::Connection;
use slot::{Slot, State};
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Things that may wait for the manager; who has more to report waits. It bounds what a flood of small messages costs.
const INBOX: usize = 32;
/// Things taken in before what they led to is sent: so that a peer's requests go out together.
const BATCH: usize = 128;

/// Connections of all torrents together (libtorrent's and transmission's number), or `--max-peers` if that is more.
const MOST_CONNECTIONS: usize = 200;

struct Manager {
    started: Instant,
    settings: Settings,
    inbox: Receiver<Input>,
    notices: Sender<Notice>,
    around: Surroundings,
    disk: Disk,
    announcers: Announcers,
    checks: Sender<Check>,
    shared: Shared,
    torrents: BTreeMap<TorrentId, Slot>,
    agenda: Agenda,
    /// Torrents that ended while a tracker was being asked. Each stays until the answer comes: the tracker would list us
    /// for hours if it heard no `stopped` after it.
    parting: BTreeMap<TorrentId, Box<Torrent>>,
    peers: HashMap<PeerKey, Connection>,
    /// Peers that have orders waiting.
    talked_to: Vec<PeerKey>,
    actions: Vec<Action>,
    /// Events of addresses that were not tried: they are on the blocklist, or no thread could be started. (Not through the
    /// inbox: we are the one who empties it.)
    unreached: Vec<(TorrentId, Event)>,
    /// Announces that no thread could be started for.
    unannounced: Vec<(TorrentId, Box<Announcement>)>,
    /// A download ended in this batch: another may begin.
    completed: bool,
    /// Announces without an answer yet.
    announcing: usize,
    /// Torrents that come begin with a pause.
    paused: bool,
    /// Most torrents that download at once.
    max_downloads: Option<usize>,
    watch: Watch,
    status_every: Option<Duration>,
    status_at: Option<Time>,
    /// When we end, goodbyes answered or not.
    end_at: Option<Time>,
    keeper: Keeper,
}

/// Starts the manager and all threads that serve it; what is sent to the channel goes to the manager.
pub fn start(
    mut config: Config,
    settings: Settings,
    listeners: Vec<TcpListener>,
    notices: Sender<Notice>,
) -> io::Result<Sender<Input>> {
    let (sender, inbox) = crossbeam_channel::bounded(INBOX);
    let blocks = Blocks::new(config.memory_bytes);
    let around = Surroundings {
        manager: sender.clone(),
        directory: Arc::new(Directory::default()),
        blocks: blocks.clone(),
        gate: Arc::new(Gate::new(std::mem::take(&mut config.blocklist))),
        peer_id: settings.peer_id,
    };
    listener::start(listeners, &around)?;
    let mut shared = Shared::new(Rng::new(crate::sys::random::bits()), Budget::new(config.memory_bytes));
    shared.upload.set_rate(config.total_upload_rate, Time::ZERO);
    shared.download.set_rate(config.download_rate, Time::ZERO);
    shared.most_connected = most_connections().min(MOST_CONNECTIONS.max(config.max_peers));
    let mut manager = Manager {
        started: Instant::now(),
        settings,
        inbox,
        disk: Disk::new(&sender, &blocks, config.memory_bytes.max(LEAST_BYTES)),
        announcers: Announcers::new(sender.clone()),
        checks: checker::start(sender.clone(), notices.clone(), &config)?,
        keeper: Keeper::new(&config, sender.clone(), notices.clone()),
        notices,
        around,
        shared,
        torrents: BTreeMap::new(),
        agenda: Agenda::default(),
        parting: BTreeMap::new(),
        peers: HashMap::new(),
        talked_to: Vec::new(),
        actions: Vec::new(),
        unreached: Vec::new(),
        unannounced: Vec::new(),
        completed: false,
        announcing: 0,
        paused: false,
        max_downloads: config.max_downloads,
        watch: Watch::default(),
        status_every: config.status_every,
        status_at: config.status_every.map(|_| Time::ZERO),
        end_at: None,
    };
    thread::Builder::new().name("manager".into()).spawn(move || manager.run())?;
    Ok(sender)
}

impl Manager {
    fn run(&mut self) {
        while let Some(input) = self.wait() {
            let now = self.started.elapsed();
            let inbox = self.inbox.clone();
            for input in input.into_iter().chain(inbox.try_iter().take(BATCH)) {
                self.take(input, now);
            }
            self.wake_torrents(now);
            self.share_budget(now);
            if std::mem::take(&mut self.completed) {
                self.next_in_queue(now);
            }
            while let Some((torrent, event)) = self.unreached.pop() {
                self.handle(torrent, event, now);
            }
            while let Some((torrent, announcement)) = self.unannounced.pop() {
                let reason = "no thread could be started to ask it".to_string();
                let outcome = Box::new(Err(AnnounceFailure { reason, retry_in: None, refused: false }));
                self.take(Input::Torrent { torrent, event: Event::Announced { announcement, outcome } }, now);
            }
            for torrent in self.agenda.to_save(now) {
                self.save(torrent, now, false);
                self.plan(torrent, now);
            }
            self.disk.send();
            self.send_orders();
            if self.status_at.is_some_and(|at| at <= now) {
                self.status_at = self.status_every.map(|every| now + every);
                let _ = self.notices.send(Notice::Status(self.reports(now)));
            }
            if self.end_at.is_some_and(|at| at <= now || (self.announcing == 0 && self.disk.busy().is_empty())) {
                break;
            }
        }
        self.torrents.values().for_each(|slot| self.around.directory.remove(&slot.info_hash));
        self.end();
    }

    /// Waits for something to come, or for the next moment anybody waits for: `Some(None)`. `None`: it is over.
    fn wait(&self) -> Option<Option<Input>> {
        match sooner(self.agenda.next(), sooner(self.status_at, self.end_at)) {
            None => self.inbox.recv().ok().map(Some),
            Some(at) => Some(self.inbox.recv_deadline(self.started + at).ok()),
        }
    }

    fn take(&mut self, input: Input, now: Time) {
        match input {
            Input::Peer { peer, events } => {
                let Some(torrent) = self.peers.get(&peer).map(|connection| connection.torrent) else { return };
                let gone = matches!(events.last(), Some(PeerEvent::Gone));
                self.handle_all(torrent, events.into_iter().map(|event| Event::Peer(peer, event)), now);
                if gone && let Some(connection) = self.peers.remove(&peer) {
                    // The reader has ended; the writer may still be sending.
                    connection.link.close();
                }
            }
            Input::Torrent { torrent, event } => {
                let announced = matches!(&event, Event::Announced { announcement, .. } if !announcement.is_scrape());
                self.announcing -= announced as usize;
                self.handle(torrent, event, now);
                if announced {
                    self.tell_of_trackers(torrent);
                }
            }
            Input::Connected { torrent, outgoing, link, .. } if !self.is_running(torrent) => {
                log::debug!("{}: we close: its torrent has ended", link.addr);
                link.close();
                // Its place among those that are being opened is free again.
                self.shared.connecting = self.shared.connecting.saturating_sub(outgoing as usize);
            }
            // It was put on the list while it shook hands.
            Input::Connected { torrent, addr, outgoing, link, .. } if self.around.gate.blocks(addr.ip()) => {
                log::debug!("{addr}: we close: it is on the blocklist");
                link.close();
                if outgoing {
                    self.handle(torrent, Event::ConnectFailed { addr, our_fault: false }, now);
                }
            }
            Input::Connected { peer, torrent, addr, outgoing, handshake, link } => {
                self.peers.insert(peer, Connection { torrent, link, orders: Vec::new() });
                self.handle(
                    torrent,
                    Event::Peer(peer, PeerEvent::Connected { addr, outgoing, handshake: Box::new(handshake) }),
                    now,
                );
            }
            Input::Add(torrent, job) => self.add(torrent, job),
            Input::Checked { .. } if self.end_at.is_some() => {}
            Input::Checked { torrent, result } if self.is_running(torrent) => self.checked_again(torrent, result, now),
            Input::Checked { torrent, result } => match result {
                Ok(found) => self.join(torrent, *found, now),
                Err(error) => self.failed(torrent, error.into()),
            },
            Input::DiskFailed { torrent, error } => self.disk_failed(torrent, error, now),
            Input::LimitDownload(rate) => {
                self.shared.download.set_rate(rate, now);
                self.ids().into_iter().for_each(|torrent| self.handle(torrent, Event::BudgetFreed, now));
            }
            Input::Written { device, bytes } => self.shared.budget.written_to(device, bytes),
            Input::DiskDone { device } => self.disk_done(device, now),
            Input::Pause(paused) => self.pause_all(paused, now),
            Input::PauseOrResume(torrent) => self.pause_or_resume(torrent, now),
            Input::Watch(watch) => {
                self.watch = watch;
                self.status_at = self.status_every.map(|_| now);
            }
            Input::Remove(torrent) => self.remove(torrent, now),
            Input::LimitUpload(rate) => {
                self.shared.upload.set_rate(rate, now);
                self.ids().into_iter().for_each(|torrent| self.handle(torrent, Event::Timer, now));
            }
            Input::Block(list) => self.block(list),
            Input::Stop => self.stop(now),
        }
    }

    fn is_running(&self, torrent: TorrentId) -> bool {
        matches!(self.torrents.get(&torrent), Some(Slot { state: State::Running(..), .. })) && self.end_at.is_none()
    }

    fn ids(&self) -> Vec<TorrentId> {
        self.torrents.keys().copied().collect()
    }

    /// Hands an event to its torrent, and does what it decides.
    fn handle(&mut self, torrent: TorrentId, event: Event, now: Time) {
        self.handle_all(torrent, std::iter::once(event), now);
    }

    /// Hands events to a torrent, and does what it decides.
    fn handle_all(&mut self, id: TorrentId, events: impl IntoIterator<Item = Event>, now: Time) {
        let turn = &mut Turn { now, shared: &mut self.shared, actions: &mut self.actions };
        match self.torrents.get_mut(&id).map(|slot| &mut slot.state) {
            Some(State::Running(torrent, content)) => {
                turn.shared.budget.turn_to(content.device(), self.disk.devices() > 1);
                events.into_iter().for_each(|event| torrent.handle(event, turn));
            }
            _ => return events.into_iter().for_each(|event| self.handle_late(id, event, now)),
        }
        self.carry_out(id);
        self.plan(id, now);
    }

    /// Puts on the agenda what a torrent needs next.
    fn plan(&mut self, id: TorrentId, now: Time) {
        if let Some(slot) = self.torrents.get_mut(&id) {
            let next = slot.next_plan(now, &self.shared, self.keeper.every());
            self.agenda.change(id, &mut slot.plan, next);
        }
    }

    fn wake_torrents(&mut self, now: Time) {
        let due = self.agenda.to_wake(now);
        self.by_turns(due).into_iter().for_each(|torrent| self.handle(torrent, Event::Timer, now));
    }

    /// Another torrent is the first each time, because there may not be enough of what they share for all of them.
    fn by_turns(&mut self, mut torrents: Vec<TorrentId>) -> Vec<TorrentId> {
        if torrents.len() > 1 {
            let first = self.shared.rng.below(torrents.len());
            torrents.rotate_left(first);
        }
        torrents
    }

    /// Lets torrents that wait for memory request blocks again.
    fn share_budget(&mut self, now: Time) {
        if self.agenda.want_memory.is_empty() || self.shared.budget.is_used_up() {
            return;
        }
        let waiting = self.agenda.want_memory.iter().copied().collect();
        for torrent in self.by_turns(waiting) {
            self.handle(torrent, Event::BudgetFreed, now);
            if self.shared.budget.is_used_up() {
                break;
            }
        }
    }

    fn carry_out(&mut self, number: TorrentId) {
        let Some(State::Running(_, content)) = self.torrents.get(&number).map(|slot| &slot.state) else { return };
        let content = Arc::clone(content);
        let mut actions = std::mem::take(&mut self.actions);
        for action in actions.drain(..) {
            match action {
                Action::Peer(peer, order) => self.order(peer, order),
                Action::Disk(order) => self.have_disk_do(number, &content, order),
                Action::News(news) => self.tell(number, &content, news),
                Action::Close { peer, reason } => {
                    if let Some(connection) = self.peers.remove(&peer) {
                        log::debug!("{}: we close: {reason}", connection.link.addr);
                        connection.link.close();
                    }
                }
                Action::Connect { addr } if self.around.gate.blocks(addr.ip()) => {
                    log::debug!("{addr}: not tried: it is on the blocklist");
                    self.unreached.push((number, Event::ConnectFailed { addr, our_fault: false }));
                }
                Action::Connect { addr } => {
                    if let Err(error) = reader::connect(&self.around, number, content.metainfo.info_hash, addr) {
                        log::warn!("{addr}: can't start a thread: {error}");
                        self.unreached.push((number, Event::ConnectFailed { addr, our_fault: true }));
                    }
                }
                Action::Announce(announcement) => self.announce(number, announcement),
            }
        }
        self.actions = actions;
    }

    fn announce(&mut self, torrent: TorrentId, announcement: Box<Announcement>) {
        // Nobody waits for the answer to a scrape.
        self.announcing += usize::from(!announcement.is_scrape());
        if let Err(announcement) = self.announcers.announce(torrent, announcement) {
            self.unannounced.push((torrent, announcement));
        }
    }
}

#[cfg(test)]
mod tests;
