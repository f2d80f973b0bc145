//! Which of the ways to show a run is taken: the live screen, plain lines, JSON, or errors alone.
//!
//! Floor 4.

use super::live::Screen;
use super::{lines, objects};
use crate::cli::exit::Failure;
use crate::cli::run::session::{Event, Session};
use crate::cli::run::wish::Key;
use crate::cli::say;
use crate::engine::{TorrentId, Watch};
use std::time::Duration;

/// How often a screen or a program hears how things stand.
const LIVE: Duration = Duration::from_secs(1);
/// How often a log does.
const LOGGED: Duration = Duration::from_secs(10);

/// A way to show a run.
pub enum View {
    /// A live screen on standard error.
    Screen(Screen),
    /// Plain lines on standard error.
    Lines,
    /// Objects on standard output.
    Json,
    /// Only what went wrong.
    Quiet,
}

impl View {
    /// The way that fits the options and standard error. Log lines would tear a screen apart.
    pub fn choose(json: bool, quiet: bool, verbose: bool) -> View {
        match (json, quiet, verbose) {
            (true, _, _) => View::Json,
            (false, true, _) => View::Quiet,
            (false, false, true) => View::Lines,
            (false, false, false) => Screen::new().map_or(View::Lines, View::Screen),
        }
    }

    /// The same; a live screen has all torrents in a list.
    pub fn into_list(self) -> View {
        match self {
            View::Screen(screen) => View::Screen(screen.into_list()),
            other => other,
        }
    }

    /// How often new numbers are wanted.
    pub fn every(&self) -> Option<Duration> {
        match self {
            View::Screen(_) | View::Json => Some(LIVE),
            View::Lines => Some(LOGGED),
            View::Quiet => None,
        }
    }

    /// Whether somebody may watch it and press keys.
    pub fn is_live(&self) -> bool {
        matches!(self, View::Screen(_))
    }

    /// What of the torrents is looked at.
    pub fn watch(&self) -> Watch {
        match self {
            View::Screen(screen) => screen.watch(),
            _ => Watch::default(),
        }
    }

    /// The torrent that is selected, where torrents are in a list.
    pub fn selected(&self) -> Option<TorrentId> {
        match self {
            View::Screen(screen) => screen.selected(),
            _ => None,
        }
    }

    /// A key for the screen was pressed.
    pub fn pressed(&mut self, key: Key, session: &Session) {
        if let View::Screen(screen) = self {
            screen.pressed(key, session);
        }
    }

    /// Draws the screen anew. `lost`: what was drawn may be gone.
    pub fn redraw(&mut self, session: &Session, lost: bool) {
        if let View::Screen(screen) = self {
            screen.redraw(session, lost);
        }
    }

    /// Shows what happened. It fails only where somebody's program was to read it.
    pub fn show(&mut self, event: &Event, session: &Session) -> Result<(), Failure> {
        if let (Event::Failed(torrent), View::Lines | View::Json | View::Quiet) = (event, &self) {
            lines::problem(*torrent, session);
        }
        if let (Event::Waiting { torrent, trouble }, View::Json | View::Quiet) = (event, &self) {
            lines::waiting(*torrent, trouble, session);
        }
        if let (Event::Warning(text), View::Lines | View::Json) = (event, &self) {
            say::problem(&say::warning(text));
        }
        if let (Event::Problem(text), View::Lines | View::Json | View::Quiet) = (event, &self) {
            say::problem(text);
        }
        match self {
            View::Screen(screen) => screen.show(event, session),
            View::Lines => lines::show(event, session),
            View::Json => objects::show(event, session)?,
            View::Quiet => {}
        }
        Ok(())
    }
}
