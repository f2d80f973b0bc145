//! What the screen of `attach` shows: the torrents of a daemon, what the person wants, and what is not answered yet.
//!
//! Floor 4. Pure. The keys (`pressing.rs`) and the news from the daemon change it, and `drawing.rs` draws it.

use super::list::List;
use super::news::{Details, File, MOST_TORRENTS, News, Order, Request, Tab, Torrent};
use crate::cli::commands::remote::limits::Limits;
use crate::cli::exit::{Exit, Failure};
use crate::cli::show::table::Place;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// Everything that the screen shows.
pub struct State {
    /// The daemon as messages name it.
    pub server: String,
    /// Its torrents, by their numbers.
    pub torrents: BTreeMap<u64, Torrent>,
    /// It has more of them than are shown.
    pub has_more: bool,
    /// The limits of all torrents together, and the alternative ones if they are in use instead.
    pub limits: Limits,
    pub alternative: Option<Limits>,
    /// The order that changes them, if it is not answered.
    pub limits_order: Option<u64>,
    /// What is done to torrents, by their info-hashes, until the daemon says what became of it.
    pub marks: BTreeMap<String, Mark>,
    pub line: Line,
    /// When the call began that is not answered.
    pub asked: Option<Instant>,
    pub list: List,
    pub view: View,
    /// The place in a view that is not the list.
    pub scroll: Scroll,
    /// The details of the torrent that is viewed, if they have come.
    pub details: Option<Details>,
    /// The order that changes its files, if it is not answered.
    pub files_order: Option<u64>,
    pub input: Input,
    /// The bytes of a character that is being typed or pasted.
    pub partial: Vec<u8>,
    /// The terminal says that these keys are a paste.
    pub is_paste: bool,
    /// Shown until the next key.
    pub note: String,
    /// The orders that are not answered.
    pub open: BTreeSet<u64>,
    /// The number of the last order.
    pub last_order: u64,
    pub end: End,
}

/// What is done to a torrent.
pub struct Mark {
    /// `stopping`
    pub word: &'static str,
    /// The order, or `None` if it was answered, but not what the torrent does now.
    pub order: Option<u64>,
}

/// What a person is told whose key changes nothing.
pub const NOT_SENT: &str = "not sent: there is no connection";

/// The connection to the daemon.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// It was not there yet.
    Connecting,
    Up,
    /// Why it does not answer, and when it is asked again.
    Gone(String, Instant),
}

/// What is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum View {
    List,
    /// The torrent with this info-hash.
    Torrent(String, Tab),
    /// The keys.
    Help,
}

/// A place among lines.
#[derive(Default)]
pub struct Scroll {
    /// The selected line, or the first visible one where none can be selected.
    pub place: Place,
    /// How many lines there are.
    pub count: usize,
}

/// What the person types, or is asked.
#[derive(Debug, PartialEq, Eq)]
pub enum Input {
    None,
    /// A source of a torrent.
    Add(String),
    /// A filter of the list.
    Filter(String),
    Question(Question),
}

/// What is done only if the person says yes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Remove the torrent with this info-hash.
    Remove(String),
    /// Verify this one, which is complete.
    Verify(String),
    /// Stop all torrents; otherwise start them.
    All { stop: bool },
}

/// The end of the screen.
pub enum End {
    No,
    /// The person wants it, but orders are not answered yet. Of those, one may have failed.
    Asked(Option<Failure>),
    Now,
    Failed(Failure),
}

impl State {
    /// The state before the daemon has answered.
    pub fn new(server: String) -> State {
        State {
            server,
            torrents: BTreeMap::new(),
            has_more: false,
            limits: Limits::default(),
            alternative: None,
            limits_order: None,
            marks: BTreeMap::new(),
            line: Line::Connecting,
            asked: None,
            list: List::default(),
            view: View::List,
            scroll: Scroll::default(),
            details: None,
            files_order: None,
            input: Input::None,
            partial: Vec::new(),
            is_paste: false,
            note: String::new(),
            open: BTreeSet::new(),
            last_order: 0,
            end: End::No,
        }
    }

    /// The torrent that keys are for: the selected one, or the one that is viewed.
    pub fn torrent(&self) -> Option<&Torrent> {
        match &self.view {
            View::Torrent(hash, _) => self.by_hash(hash),
            View::List => self.list.at(&self.torrents),
            View::Help => None,
        }
    }

    /// The torrent with this info-hash.
    pub fn by_hash(&self, hash: &str) -> Option<&Torrent> {
        self.torrents.values().find(|torrent| torrent.hash() == hash)
    }

    /// The files of the torrent that is viewed, if they are shown.
    pub fn files(&mut self) -> Option<&mut Vec<File>> {
        match (&self.view, &mut self.details) {
            (View::Torrent(_, Tab::Files), Some(Details::Files(files))) => Some(files),
            _ => None,
        }
    }

    /// The person wants the end. With orders on their way, it comes when they are answered, or at the second time.
    pub fn quit(&mut self) {
        self.end = match std::mem::replace(&mut self.end, End::Now) {
            End::Failed(failure) | End::Asked(Some(failure)) => End::Failed(failure),
            End::No if !self.open.is_empty() => End::Asked(None),
            End::No | End::Asked(None) | End::Now => End::Now,
        };
        self.note = "waiting for the answer of the daemon; q again quits at once".into();
    }

    /// An order, which counts as not answered from now on.
    pub fn order(&mut self, mut order: Order) -> Request {
        self.last_order += 1;
        order.number = self.last_order;
        self.open.insert(order.number);
        Request::Order(order)
    }

    /// Takes in what came from the daemon. Returns a request that follows from it.
    pub fn take(&mut self, news: News, now: Instant) -> Option<Request> {
        match news {
            News::Asks => self.asked = Some(now),
            News::Torrents { all, torrents, removed } => {
                self.torrents_came(all, torrents, &removed);
                return self.leave_if_gone();
            }
            News::Limits(limits, alternative) => {
                self.is_up();
                if self.limits_order.is_none_or(|order| !self.open.contains(&order)) {
                    (self.limits, self.alternative, self.limits_order) = (limits, alternative, None);
                }
            }
            News::Details(hash, details) => {
                self.is_up();
                if matches!(&self.view, View::Torrent(viewed, _) if *viewed == hash) {
                    self.details_came(details);
                }
            }
            News::Done(order, said) => self.done(order, said),
            News::Gone(why, again) => {
                if let End::Asked(failed) = &mut self.end {
                    let lost = || Failure::new(Exit::Unavailable, why.clone());
                    self.end = End::Failed(failed.take().unwrap_or_else(lost));
                }
                self.line = Line::Gone(why, again);
                self.asked = None;
                self.marks.clear();
            }
            News::Ended(failure) => self.end = End::Failed(failure),
        }
        None
    }

    fn is_up(&mut self) {
        if self.line != Line::Up && self.note == NOT_SENT {
            self.note.clear();
        }
        (self.line, self.asked) = (Line::Up, None);
    }

    fn torrents_came(&mut self, all: bool, torrents: Vec<Torrent>, removed: &[u64]) {
        self.is_up();
        if all {
            self.torrents.clear();
            self.has_more = torrents.len() >= MOST_TORRENTS;
        }
        removed.iter().for_each(|id| drop(self.torrents.remove(id)));
        for torrent in torrents {
            let id = torrent.figures.found.id;
            if self.torrents.len() < MOST_TORRENTS || self.torrents.contains_key(&id) {
                self.torrents.insert(id, torrent);
            }
        }
        self.marks.retain(|_, mark| mark.order.is_some());
        self.list.sort(&self.torrents);
    }

    /// The list is shown again if the viewed torrent was removed.
    fn leave_if_gone(&mut self) -> Option<Request> {
        let View::Torrent(hash, _) = &self.view else { return None };
        if self.by_hash(hash).is_some() {
            return None;
        }
        (self.view, self.details) = (View::List, None);
        Some(Request::Watch(None))
    }

    fn details_came(&mut self, details: Details) {
        let View::Torrent(_, tab) = &self.view else { return };
        let is_of = match &details {
            Details::Facts(_) => &Tab::Facts,
            Details::Peers(_) => &Tab::Peers,
            Details::Trackers(_) => &Tab::Trackers,
            Details::Files(_) | Details::Figures(_) => &Tab::Files,
            Details::Unreadable(tab, _) => tab,
        };
        if is_of != tab || self.files_order.is_some_and(|order| self.open.contains(&order)) {
            return;
        }
        self.files_order = None;
        match (details, self.files()) {
            (Details::Figures(figures), Some(files)) if figures.len() == files.len() => {
                for (file, (had, wanted, priority)) in files.iter_mut().zip(figures) {
                    (file.had, file.wanted, file.priority) = (had, wanted, priority);
                }
            }
            (Details::Figures(_), _) => {}
            (details, _) => self.details = Some(details),
        }
    }

    fn done(&mut self, order: u64, said: Result<String, Failure>) {
        self.asked = None;
        self.open.remove(&order);
        match said {
            Ok(words) if words.is_empty() => {}
            Ok(words) => self.note = words,
            Err(failure) => {
                self.note = failure.text.clone();
                self.marks.retain(|_, mark| mark.order != Some(order));
                if let End::Asked(failed) = &mut self.end {
                    failed.get_or_insert(failure);
                }
            }
        }
        let answered = self.marks.values_mut().filter(|mark| mark.order == Some(order));
        answered.for_each(|mark| mark.order = None);
        if self.open.is_empty()
            && let End::Asked(failed) = &mut self.end
        {
            self.end = failed.take().map_or(End::Now, End::Failed);
        }
    }
}

#[cfg(test)]
pub mod tests;
