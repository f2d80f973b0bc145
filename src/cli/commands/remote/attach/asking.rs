//! The thread of `attach` that asks the daemon, so that no key waits for the network.
//!
//! Floor 4. There is one call at a time. Orders come first. Then the torrents are asked of which something changed in
//! the last minute, and from time to time all of them, because not every daemon counts every change. A slow daemon is
//! asked less often. If it does not answer, it is asked again after a pause that grows.

use super::news::{self, After, Details, News, Order, Request, Tab, Torrent};
use crate::base::json;
use crate::base::json::read::Value;
use crate::cli::commands::remote::daemon::{Daemon, NO_DAEMON, Reply, query};
use crate::cli::commands::remote::details;
use crate::cli::commands::remote::figures::Figures;
use crate::cli::commands::remote::torrents::Found;
use crate::cli::commands::remote::{adding, limits};
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::source;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

/// Least and most time between two rounds of calls. A round that took long is followed by twice that time.
const LEAST_PAUSE: Duration = Duration::from_secs(1);
const MOST_PAUSE: Duration = Duration::from_secs(10);
/// The first pause after a failure, which doubles up to [`MOST_PAUSE`].
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// How often all torrents are asked: at least this long apart, and so long that it takes a twentieth of the time.
const ALL_EVERY: Duration = Duration::from_secs(30);
const ALL_SHARE: u32 = 20;
/// A daemon remembers for 60 s that something changed. After a longer silence, all torrents are asked.
const REMEMBERED: Duration = Duration::from_secs(45);
/// How often the limits are asked, which others may change.
const LIMITS_EVERY: Duration = Duration::from_secs(10);

/// The thread, and what it knows.
pub struct Asker {
    daemon: Daemon,
    requests: Receiver<Request>,
    news: Sender<News>,
    /// The details that are shown.
    watch: Option<(String, Tab)>,
    /// How many files of them have names.
    names: Option<usize>,
    /// The session id when all torrents were asked. Another one belongs to a daemon that has other numbers.
    session: String,
    /// When all torrents were asked, and how long that took.
    all: Option<(Instant, Duration)>,
    /// When torrents were asked.
    last: Instant,
    /// When the limits were asked.
    limits: Option<Instant>,
}

impl Asker {
    /// The thread is run by [`Asker::run`].
    pub fn new(daemon: Daemon, requests: Receiver<Request>, news: Sender<News>) -> Asker {
        let (session, last) = (String::new(), Instant::now());
        Asker { daemon, requests, news, watch: None, names: None, session, all: None, last, limits: None }
    }

    /// Asks until the screen is gone, or until it makes no sense any more.
    pub fn run(mut self) {
        let (mut orders, mut failures, mut has_answered) = (VecDeque::new(), 0, false);
        loop {
            let began = Instant::now();
            let pause = match self.round(&mut orders) {
                Ok(()) => {
                    (failures, has_answered) = (0, true);
                    (began.elapsed() * 2).clamp(LEAST_PAUSE, MOST_PAUSE)
                }
                // A wrong password would be wrong again, and a daemon that is asked for the first time may not exist.
                Err(failure) if self.daemon.refused_user || !has_answered => {
                    return self.tell(News::Ended(failure));
                }
                Err(failure) => {
                    (self.all, self.limits, self.names) = (None, None, None);
                    let pause = (FIRST_RETRY * 2u32.saturating_pow(failures)).min(MOST_PAUSE);
                    failures = (failures + 1).min(8);
                    self.tell(News::Gone(failure.text, Instant::now() + pause));
                    pause
                }
            };
            if !self.wait(&mut orders, Instant::now() + pause, failures > 0) {
                return;
            }
        }
    }

    fn tell(&self, news: News) {
        // If the screen is gone, the process ends.
        let _ = self.news.send(news);
    }

    /// Waits for a request, or until it is time for the next round. Returns false if the screen is gone.
    fn wait(&mut self, orders: &mut VecDeque<Order>, until: Instant, is_gone: bool) -> bool {
        loop {
            match self.requests.recv_deadline(until) {
                Ok(Request::Order(order)) if is_gone => self.not_sent(&order),
                Ok(request) => {
                    self.take(request, orders);
                    while let Ok(request) = self.requests.try_recv() {
                        self.take(request, orders);
                    }
                    if !is_gone {
                        return true;
                    }
                }
                Err(RecvTimeoutError::Timeout) => return true,
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
    }

    fn not_sent(&self, order: &Order) {
        let text = format!("{}: not sent, there is no connection", order.what);
        self.tell(News::Done(order.number, Err(Failure::new(Exit::Unavailable, text))));
    }

    fn take(&mut self, request: Request, orders: &mut VecDeque<Order>) {
        match request {
            Request::Watch(watch) => (self.watch, self.names) = (watch, None),
            Request::Order(order) => {
                // A limit replaces the one before it. Otherwise a key that is held would be obeyed for minutes.
                let is_limit = matches!(order.after, After::Limits(_));
                let replaced = orders.back().filter(|last| is_limit && last.after == order.after);
                if let Some(number) = replaced.map(|last| last.number) {
                    orders.pop_back();
                    self.tell(News::Done(number, Ok(String::new())));
                }
                orders.push_back(order);
            }
        }
    }

    /// Carries out orders, and asks for everything that the screen shows.
    fn round(&mut self, orders: &mut VecDeque<Order>) -> Result<(), Failure> {
        let (mut changed, mut is_all) = (Vec::new(), false);
        while let Some(order) = orders.pop_front() {
            let result = self.carry_out(&order);
            if let Err(failure) = result {
                self.tell(News::Done(order.number, Err(self.about(&order, &failure))));
                orders.drain(..).for_each(|order| self.not_sent(&order));
                return Err(failure);
            }
            match order.after {
                After::Torrent(hash) => changed.push(hash),
                After::All => is_all = true,
                After::Limits(_) => self.limits = None,
                After::List => {}
            }
            while let Ok(request) = self.requests.try_recv() {
                self.take(request, orders);
            }
        }
        if self.limits.is_none_or(|at| at.elapsed() > LIMITS_EVERY) {
            let reply = self.call("session-get", query(limits::SESSION_FIELDS, None))?;
            let (limits, alternative) = limits::of_session(&reply.arguments("")?);
            self.tell(News::Limits(limits, alternative));
            self.limits = Some(Instant::now());
        }
        let is_old = self.all.is_none_or(|(at, took)| at.elapsed() > ALL_EVERY.max(took * ALL_SHARE));
        if is_all || is_old || self.last.elapsed() > REMEMBERED {
            self.ask_torrents(None)?;
        } else if changed.is_empty() {
            self.ask_torrents(Some("\"recently-active\""))?;
        } else {
            self.ask_torrents(Some(&json::array(&mut changed.iter().map(|hash| json::string(hash)))))?;
        }
        if self.session != self.daemon.session() {
            self.ask_torrents(None)?;
        }
        // Orders that came meanwhile are more urgent than details.
        if self.requests.is_empty() { self.ask_details() } else { Ok(()) }
    }

    fn call(&mut self, method: &str, arguments: json::Object) -> Result<Reply, Failure> {
        self.tell(News::Asks);
        self.daemon.call(method, arguments)
    }

    /// Carries out an order, and tells how that went. Fails if the daemon does not answer.
    fn carry_out(&mut self, order: &Order) -> Result<(), Failure> {
        let said = match self.try_order(order) {
            Err(failure) if failure.exit == Exit::Unavailable => return Err(failure),
            Err(failure) => Err(self.about(order, &failure)),
            Ok(words) => Ok(words),
        };
        self.tell(News::Done(order.number, said));
        Ok(())
    }

    fn try_order(&mut self, order: &Order) -> Result<String, Failure> {
        let (mut arguments, mut secret) = (order.arguments.clone(), "");
        let source = order.source.as_deref().map(without_tilde);
        if let Some(source) = &source {
            secret = adding::put(&mut arguments, source)?;
        }
        let reply = self.call(order.method, arguments)?;
        let answer = reply.arguments(secret)?;
        let name = |found: &Value| Found::of(found).shown();
        let added = answer.get("torrent-added").map(|added| format!("added {}", name(added)));
        let had = || answer.get("torrent-duplicate").map(|had| format!("{} is already there", name(had)));
        Ok(added.or_else(had).unwrap_or_default())
    }

    /// The failure of an order.
    fn about(&self, order: &Order, failure: &Failure) -> Failure {
        let words = self.without_name(failure);
        // The order names its source already.
        let source = order.source.as_ref().map(|source| format!("{}: ", source::shown(OsStr::new(source))));
        let words = source.and_then(|source| words.strip_prefix(&*source)).unwrap_or(words);
        Failure::new(failure.exit, format!("{}: {words}", order.what))
    }

    /// The words of a failure. The screen names the daemon elsewhere.
    fn without_name<'a>(&self, failure: &'a Failure) -> &'a str {
        let name = format!("{}: ", self.daemon.shown());
        failure.text.strip_prefix(&name).unwrap_or(&failure.text)
    }

    /// Asks for torrents; `None`: for all of them.
    fn ask_torrents(&mut self, ids: Option<&str>) -> Result<(), Failure> {
        let began = Instant::now();
        let reply = self.call("torrent-get", query(Torrent::FIELDS, ids))?;
        let (torrents, removed) = reply.changes()?;
        let torrents = torrents.iter().filter_map(Torrent::of).take(news::MOST_TORRENTS).collect();
        self.last = began;
        if ids.is_none() {
            self.all = Some((Instant::now(), began.elapsed()));
            self.session = self.daemon.session().into();
        }
        self.tell(News::Torrents { all: ids.is_none(), torrents, removed });
        Ok(())
    }

    fn ask_details(&mut self) -> Result<(), Failure> {
        let Some((hash, tab)) = self.watch.clone() else { return Ok(()) };
        let facts_need = [Figures::FIELDS, limits::FIELDS, details::FACTS].concat();
        let fields = match tab {
            Tab::Facts => &facts_need,
            Tab::Peers => news::PEERS,
            Tab::Trackers => news::TRACKERS,
            // A torrent may have a hundred thousand files, and their names do not change.
            Tab::Files if self.names.is_some() => news::FILE_FIGURES,
            Tab::Files => news::FILES,
        };
        let query = query(fields, Some(&format!("[{}]", json::string(&hash))));
        let details = match self.call("torrent-get", query) {
            Ok(reply) => match reply.torrents() {
                Ok(torrents) if torrents.is_empty() => return Ok(()),
                Ok(torrents) => self.details(tab, &torrents[0]),
                Err(failure) => self.unreadable(tab, &failure),
            },
            Err(failure) if self.daemon.sent_too_much => self.unreadable(tab, &failure),
            Err(failure) => return Err(failure),
        };
        self.tell(News::Details(hash, details));
        Ok(())
    }

    /// Reads the details of a torrent.
    fn details(&mut self, tab: Tab, torrent: &Value) -> Details {
        match (tab, self.names) {
            (Tab::Facts, _) => Details::Facts(news::facts_of(torrent)),
            (Tab::Peers, _) => Details::Peers(news::peers(torrent)),
            (Tab::Trackers, _) => {
                let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                Details::Trackers(news::trackers(torrent, now.as_secs()))
            }
            (Tab::Files, None) => {
                let files = news::files(torrent);
                self.names = Some(files.len());
                Details::Files(files)
            }
            (Tab::Files, Some(names)) => {
                let figures = news::file_figures(torrent);
                // The description of a link has arrived.
                self.names = Some(names).filter(|names| *names == figures.len());
                Details::Figures(figures)
            }
        }
    }

    /// A torrent may have too many files for an answer, and still be in the list. The same answer is not fetched again
    /// and again.
    fn unreadable(&mut self, tab: Tab, failure: &Failure) -> Details {
        self.watch = None;
        let why = self.without_name(failure);
        let why = why.strip_prefix(NO_DAEMON).and_then(|why| why.strip_prefix(": ")).unwrap_or(why);
        Details::Unreadable(tab, format!("the answer of the daemon can't be read: {why}"))
    }
}

/// A path that a person typed; `~/` means the home folder, as in a shell.
fn without_tilde(source: &str) -> OsString {
    match (source.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest).into(),
        _ => source.into(),
    }
}
