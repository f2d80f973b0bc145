//! The manager thread: all torrents of the process, one thing after another.
//!
//! Floor 3. It takes what the other threads report, hands it to
//! [`Torrent::handle`](crate::swarm::torrent::Torrent::handle), and gives each of the actions to the part of the
//! manager that carries it out: `peers.rs`, `trackers.rs`, `disks.rs` or `news.rs`. It blocks only on its channel. What
//! it sends goes into channels that are bounded by what it accepts (the budget, the windows, the number of peers), so
//! sending never waits. How torrents are added, removed and paused is in `queue`, how they end in `ending.rs`.

mod agenda;
mod changing;
mod checking;
mod disks;
mod ending;
mod learning;
mod lull;
mod news;
mod outside;
mod peers;
mod queue;
mod searches;
mod sharing;
mod slot;
mod trackers;

use super::announce::Announcers;
use super::checker::{self, Ended, Retry};
use super::config::Config;
use super::disk::Disk;
use super::input::{Input, Line, Places};
use super::keeper::Keeper;
use super::notice::{Notice, Notices};
use super::peer::around::Surroundings;
use super::peer::blocks::Blocks;
use super::peer::listener::{self, Listening};
use super::trace::record::Recorder;
use crate::base::step;
use crate::base::time::{Time, sooner};
use crate::storage::TorrentId;
use crate::swarm::event::{Action, DiskEvent, DiskOrder, Event, News, PeerEvent};
use crate::swarm::picking::budget::LEAST_BYTES;
use crate::swarm::settings::Settings;
use crate::swarm::shared::{Outside, Shared, Turn};
use crate::sys::trace::speaker::{USUAL_STACK, start_thread};
use agenda::Agenda;
use changing::by_slices::Untold;
use crossbeam_channel::{Receiver, Sender};
use disks::Disks;
use lull::Lull;
use news::Reporter;
use peers::Connections;
pub use peers::most_connections;
use queue::order::Order;
use searches::Searches;
use slot::{Slot, State};
use std::collections::BTreeMap;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Instant;
use trackers::Trackers;

/// Inputs that may wait for the manager; threads with more to report wait. It bounds what a flood of small messages
/// costs.
const INBOX: usize = 256;
/// Inputs taken in before what they led to is sent, so that a peer's requests go out together.
const BATCH: usize = 128;

/// Connections of all torrents together (libtorrent's and transmission's number), or `--max-peers` if that is more.
const MOST_CONNECTIONS: usize = 200;

struct Manager {
    started: Instant,
    settings: Arc<Settings>,
    inbox: Receiver<Input>,
    /// What all torrents share.
    shared: Shared,
    /// Writes what they decide from, if that is wanted.
    recorder: Recorder,
    /// (In boxes, because the nodes of a map are half empty.)
    torrents: BTreeMap<TorrentId, Box<Slot>>,
    agenda: Agenda,
    listening: Listening,
    peers: Connections,
    trackers: Trackers,
    searches: Searches,
    disks: Disks,
    news: Reporter,
    lull: Lull,
    /// What the last handled torrent decided. (Empty between two calls; kept for its memory.)
    actions: Vec<Action>,
    /// The results of actions that could not even be tried. They are handled when the batch is over. (They can't go
    /// through the inbox, because the thread that would wait for room there is the one that makes room.)
    undone: Vec<(TorrentId, Event)>,
    /// Torrents that have yet to hear of a change for all.
    untold: Untold,
    /// Torrents that are added are paused.
    paused: bool,
    /// The budget may grow into free memory, and that was last looked at then; `None`: it may not.
    memory_seen: Option<Time>,
    /// All torrents, the first to get a place first.
    order: Order,
    /// How many torrents may download and seed at once.
    places: Places,
    /// A place is free, so a torrent that waits may begin.
    place_left: bool,
    /// Torrents that began to download or to seed, and may have to wait for a place.
    newcomers: Vec<TorrentId>,
    /// Torrents that a person lets go on. They may have to wait, too.
    goes_on: Vec<TorrentId>,
    /// When the process ends at the latest, even if final announces are unanswered.
    end_at: Option<Time>,
}

/// Starts the manager and all threads that serve it. What is sent to the channel goes to the manager.
pub fn start(
    config: Config,
    settings: Settings,
    listeners: Vec<TcpListener>,
    notices: Notices,
) -> io::Result<Sender<Input>> {
    let (mut manager, sender) = prepare(config, settings, listeners, notices)?;
    start_thread("manager", USUAL_STACK, move || manager.run())?;
    Ok(sender)
}

/// The manager, with the threads that serve it.
fn prepare(
    mut config: Config,
    settings: Settings,
    listeners: Vec<TcpListener>,
    notices: Notices,
) -> io::Result<(Manager, Sender<Input>)> {
    let (sender, inbox) = crossbeam_channel::bounded(INBOX);
    let blocks = Blocks::new(config.memory_bytes);
    let around = Surroundings::new(&settings, &sender, &blocks, std::mem::take(&mut config.blocklist));
    let listening = listener::start(listeners, &around)?;
    let (shared, recorder) = outside::begin(&config, &settings);
    let disks = Disks {
        disk: Disk::new(&sender, &blocks, config.memory_bytes.max(LEAST_BYTES)),
        checks: checker::start(sender.clone(), notices.clone(), &config)?,
        keeper: Keeper::new(&config, sender.clone(), notices.clone()),
    };
    let manager = Manager {
        started: Instant::now(),
        searches: Searches::start(&config, settings.port, &sender)?,
        settings: Arc::new(settings),
        inbox,
        shared,
        recorder,
        torrents: BTreeMap::new(),
        agenda: Agenda::default(),
        listening,
        peers: Connections::new(around),
        trackers: Trackers::new(Announcers::new(sender.clone())),
        disks,
        news: Reporter::new(notices, config.status_every),
        lull: Lull::default(),
        actions: Vec::new(),
        undone: Vec::new(),
        untold: Untold::default(),
        paused: false,
        memory_seen: config.memory_grows.then_some(Time::ZERO),
        order: Order::default(),
        places: config.places,
        place_left: false,
        newcomers: Vec::new(),
        goes_on: Vec::new(),
        end_at: None,
    };
    Ok((manager, sender))
}

impl Manager {
    fn run(&mut self) {
        while let Some(input) = self.wait() {
            let now = self.started.elapsed();
            self.step(input, now);
            if let Some(pause) = self.lull.pause(self.shared.budget.limit(), now) {
                std::thread::sleep(pause);
            }
            let is_done = |at| at <= now || self.trackers.is_idle() && self.disks.disk.busy().is_empty();
            if self.end_at.is_some_and(is_done) {
                break;
            }
        }
        self.end();
    }

    /// Takes in what came, and does all that is due at `now`.
    fn step(&mut self, input: Option<Input>, now: Time) {
        let inbox = self.inbox.clone();
        for input in input.into_iter().chain(inbox.try_iter().take(BATCH)) {
            self.take(input, now);
        }
        if self.peers.collect_at().is_some_and(|at| at <= now) {
            self.collect(now);
        }
        self.wake_torrents(now);
        self.look_at_memory(now);
        self.share_memory(now);
        self.tell_next(now);
        self.give_places(now);
        while let Some((torrent, event)) = self.undone.pop() {
            self.take(Input::Torrent { torrent, event }, now);
        }
        self.save_due(now);
        self.disks.disk.send(now);
        self.peers.send();
        self.news.report_all(&self.torrents, &self.shared, &self.searches.dht, now);
        self.news.wake();
    }

    /// Waits for the next input, or until something is due: `Some(None)`. `None`: nothing will come any more.
    fn wait(&self) -> Option<Option<Input>> {
        let others = [self.peers.collect_at(), self.disks.disk.send_at(), self.untold.due()];
        let due = [self.agenda.next(), self.news.due, self.end_at].into_iter().chain(others).fold(None, sooner);
        // A time that the clock can't show never comes.
        match due.and_then(|at| self.started.checked_add(at)) {
            None => self.inbox.recv().ok().map(Some),
            Some(at) => Some(self.inbox.recv_deadline(at).ok()),
        }
    }

    fn take(&mut self, input: Input, now: Time) {
        match input {
            Input::Peer { peer, events } => {
                let Some(torrent) = self.peers.torrent_of(peer) else { return };
                let length = |event: &PeerEvent| if let PeerEvent::Block { data, .. } = event { data.len() } else { 0 };
                self.lull.came(events.iter().map(length).sum::<usize>() as u64);
                let gone = matches!(events.last(), Some(PeerEvent::Gone));
                let last = if gone { self.peers.last_report(peer) } else { None };
                let events = last.into_iter().chain(events);
                self.handle_all(torrent, events.into_iter().map(|event| Event::Peer(peer, event)), now);
                if gone {
                    self.peers.gone(peer);
                }
            }
            Input::Serving(peer) => self.peers.serves(peer, now),
            Input::Torrent { torrent, event: Event::Announced { announcement, outcome } } => {
                self.trackers.answered(&announcement);
                self.handle(torrent, Event::Announced { announcement, outcome }, now);
                if let Some(slot) = self.torrents.get_mut(&torrent) {
                    self.news.report_trackers(torrent, slot);
                }
            }
            Input::Torrent { torrent, event } => {
                if let (Event::Disk(DiskEvent::Chosen { .. }), Some(slot)) = (&event, self.torrents.get_mut(&torrent)) {
                    // Pieces may have moved from the part file to their files: the state that was saved is out of date.
                    slot.saved.pieces = None;
                }
                self.handle(torrent, event, now);
            }
            Input::Connected { peer, torrent, addr, outgoing, cover, handshake, outbox } => {
                let reason = match self.is_running(torrent) {
                    false => "its torrent has ended",
                    // It was put on the list while it shook hands.
                    true if self.peers.around.keeps_out(addr.ip()) => "it is on the blocklist",
                    true => {
                        self.peers.connected(peer, torrent, outbox);
                        if !outgoing {
                            self.was_reached(addr.ip(), now);
                        }
                        let handshake = Box::new(handshake);
                        let connected = PeerEvent::Connected { addr, outgoing, cover, handshake };
                        return self.handle(torrent, Event::Peer(peer, connected), now);
                    }
                };
                log::debug!("{addr}: we close: {reason}");
                outbox.close();
                if outgoing {
                    self.handle(torrent, Event::ConnectFailed { addr, our_fault: false }, now);
                }
            }
            Input::Add(torrent, job) => self.add(torrent, job),
            Input::Learn(torrent, job) => self.learn(torrent, *job, now),
            Input::Begin(torrent, job) => self.begin(torrent, job, now),
            Input::Checked { .. } if self.end_at.is_some() => {}
            Input::Checked { torrent, result, done } => self.checked(torrent, result, *done, now),
            Input::Ask { torrent, answer } => self.answer(torrent, &answer, now),
            Input::Router(router) => self.router_says(*router, now),
            Input::Written { device: disk, bytes } => self.outside(Outside::Written { disk, bytes }, now),
            Input::DiskDone { device } => self.disk_done(device, now),
            Input::Offline(why) => self.is_offline(why, now),
            Input::Online { is_new } => self.is_online(is_new, now),
            Input::Command(command) => self.obey(command, now),
        }
    }

    fn is_running(&self, torrent: TorrentId) -> bool {
        self.torrents.get(&torrent).is_some_and(|slot| slot.state.listed().is_some()) && self.end_at.is_none()
    }

    /// Hands an event to its torrent, and carries out what it decides.
    fn handle(&mut self, torrent: TorrentId, event: Event, now: Time) {
        self.handle_all(torrent, std::iter::once(event), now);
    }

    /// Hands events to a torrent, and carries out what it decides.
    fn handle_all(&mut self, id: TorrentId, events: impl IntoIterator<Item = Event>, now: Time) {
        let turn = &mut Turn { now, shared: &mut self.shared, actions: &mut self.actions };
        let mut given_up = None;
        let slot = self.torrents.get_mut(&id);
        let paused = slot.as_ref().is_some_and(|slot| slot.paused);
        match slot.map(|slot| &mut slot.state) {
            Some(State::Running(torrent, content)) => {
                self.recorder.take(self.disks.turn_to(content), turn.shared, now);
                torrent.keep_up(&self.settings, turn);
                for event in events {
                    self.recorder.event(&event, turn.shared, now);
                    torrent.handle(event, turn);
                }
            }
            Some(State::Learning(stage, _)) => {
                stage.learning.keep_up(&self.settings, turn);
                given_up = stage.handle_all(events, paused, turn);
            }
            Some(State::Checking(..) | State::Failed(_)) | None => {
                return events.into_iter().for_each(|event| self.handle_late(id, event, now));
            }
        }
        self.carry_out(id, now);
        given_up.into_iter().for_each(|problem| self.failed_at_start(id, problem, None));
    }

    /// Gives what a torrent decided to the parts that carry it out, and puts what it needs next on the agenda.
    fn carry_out(&mut self, id: TorrentId, now: Time) {
        step(1);
        let Some(slot) = self.torrents.get_mut(&id) else { return };
        let Some(info_hash) = slot.state.listed() else { return };
        let (mut ended, mut completed) = (None, false);
        for action in self.actions.drain(..) {
            match action {
                Action::Peer(peer, order) => self.peers.order(peer, order),
                Action::Close { peer, reason } => self.peers.close(peer, reason),
                Action::Connect { addr, hidden } => {
                    self.undone.extend(self.peers.connect(id, info_hash, addr, hidden).map(|failed| (id, failed)));
                }
                Action::OpenWebSeed { number } => {
                    let content = slot.state.content();
                    self.undone.extend(content.map(|content| (id, self.peers.open_web_seed(number, content))));
                }
                Action::Announce(announcement) => {
                    self.undone.extend(self.trackers.announce(id, announcement).map(|failed| (id, failed)));
                }
                Action::Disk(DiskOrder::CheckAgain) => self.disks.check_again(slot, now),
                Action::Disk(order) => {
                    if let Some(content) = slot.state.content() {
                        self.disks.order(content, slot.kept.as_ref(), order, now);
                    }
                }
                Action::Learned { info } => {
                    // The torrent may be private. If it is public, it is announced again when it joins its swarm.
                    self.searches.remove(&info_hash);
                    self.news.tell(Notice::Learned { torrent: id, info });
                }
                Action::Decided(decision) => self.peers.explain(&info_hash, &decision),
                Action::Node(addr) => self.searches.meet(addr),
                Action::News(news) => {
                    completed |= matches!(news, News::Complete);
                    self.searches.told(&news, &info_hash);
                    if let News::SeededEnough(enough) = news {
                        (slot.paused, slot.enough, slot.starts_now) = (true, Some(enough), false);
                    }
                    ended = self.news.report(id, slot, news, now).or(ended);
                }
            }
        }
        let next = slot.next_plan(now, &self.shared, self.disks.keeper.every(), &self.places);
        self.place_left |= Line::ALL.iter().any(|line| slot.plan.takes(*line) && !next.takes(*line));
        if next.line.is_some() && next.line != slot.plan.line {
            slot.starts_now &= slot.plan.line.is_none();
            self.newcomers.push(id);
        }
        self.agenda.change(id, slot.rank, &mut slot.plan, next);
        self.news.touched(id);
        if let Some(problem) = ended {
            let content = self.torrents.get(&id).and_then(|slot| slot.state.content());
            let retry = content.map(|content| Retry::Content(Arc::clone(content)));
            self.end_torrent(id, Some(Ended { problem, retry }));
        } else if completed {
            self.move_complete(id, now);
        }
    }

    fn wake_torrents(&mut self, now: Time) {
        let due = agenda::due(&self.agenda.wakes, now, usize::MAX);
        self.by_turns(due).into_iter().for_each(|torrent| self.handle(torrent, Event::Timer, now));
    }
}

#[cfg(test)]
mod tests;
