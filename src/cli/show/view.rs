//! The ways to show a run: the live screen, plain lines, JSON, or only errors.
//!
//! Floor 4.

use super::live::Screen;
use super::{lines, objects};
use crate::cli::exit::Failure;
use crate::cli::run::request::Key;
use crate::cli::run::session::{Session, Update};
use crate::cli::say;
use crate::engine::{TorrentId, Watch};
use std::time::Duration;

/// How often the screen is updated, and how often JSON is written.
const LIVE: Duration = Duration::from_secs(1);
/// How often plain lines are written.
const LOGGED: Duration = Duration::from_secs(10);

/// A way to show a run.
pub enum View {
    /// A live screen on standard error.
    Screen(Screen),
    /// Plain lines on standard error.
    Lines,
    /// Objects on standard output.
    Json,
    /// Only errors.
    Quiet,
}

impl View {
    /// The view that fits the options and standard error. `plain`: no live screen, which a log would disturb.
    pub fn choose(json: bool, quiet: bool, plain: bool) -> View {
        match (json, quiet, plain) {
            (true, _, _) => View::Json,
            (false, true, _) => View::Quiet,
            (false, false, true) => View::Lines,
            (false, false, false) => Screen::new().map_or(View::Lines, View::Screen),
        }
    }

    /// The same view; a live screen shows all torrents in a list.
    pub fn into_list(self) -> View {
        match self {
            View::Screen(screen) => View::Screen(screen.into_list()),
            other => other,
        }
    }

    /// How often the view wants new figures.
    pub fn every(&self) -> Option<Duration> {
        match self {
            View::Screen(_) | View::Json => Some(LIVE),
            View::Lines => Some(LOGGED),
            View::Quiet => None,
        }
    }

    /// Whether it is a live screen, on which keys can be pressed.
    pub fn is_live(&self) -> bool {
        matches!(self, View::Screen(_))
    }

    /// The details that are shown now.
    pub fn watch(&self) -> Watch {
        match self {
            View::Screen(screen) => screen.watch(),
            _ => Watch::default(),
        }
    }

    /// The selected torrent, if torrents are in a list.
    pub fn selected(&self) -> Option<TorrentId> {
        match self {
            View::Screen(screen) => screen.selected(),
            _ => None,
        }
    }

    /// Does what a key of the screen stands for.
    pub fn pressed(&mut self, key: Key, session: &Session) {
        if let View::Screen(screen) = self {
            screen.pressed(key, session);
        }
    }

    /// Draws the screen again. `lost`: the old drawing may be gone.
    pub fn redraw(&mut self, session: &Session, lost: bool) {
        if let View::Screen(screen) = self {
            screen.redraw(session, lost);
        }
    }

    /// Shows an update. It fails only if a program that reads the JSON is gone.
    pub fn show(&mut self, update: &Update, session: &Session) -> Result<(), Failure> {
        if let (Update::Failed(torrent), View::Lines | View::Json | View::Quiet) = (update, &self) {
            lines::problem(*torrent, session);
        }
        if let (Update::Waiting { torrent, trouble }, View::Json | View::Quiet) = (update, &self) {
            lines::waiting(*torrent, trouble, session);
        }
        if let (Update::Warning { text, .. }, View::Lines | View::Json) = (update, &self) {
            say::problem(&say::warning(text));
        }
        if let (Update::Problem(text), View::Lines | View::Json | View::Quiet) = (update, &self) {
            say::problem(text);
        }
        match self {
            View::Screen(screen) => screen.show(update, session),
            View::Lines => lines::show(update, session),
            View::Json => objects::show(update, session)?,
            View::Quiet => {}
        }
        Ok(())
    }
}
