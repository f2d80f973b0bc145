//! The person at the terminal: the requests that come from signals and keys, and what the keys change.
//!
//! Floor 4.

use super::request::{Key, Limit, UserRequest};
use super::session::Session;
use super::{keys, signals, terminal};
use crate::cli::exit::Failure;
use crate::cli::show::view::View;
use crate::engine::{Command, Engine, Watch};
use crossbeam_channel::Receiver;

/// The person at the terminal.
pub struct Person {
    /// The requests, as they come.
    pub requests: Receiver<UserRequest>,
    watch: Watch,
}

impl Person {
    /// Begins to listen to signals and, with a live screen, to keys. `rescans`: SIGHUP asks for a rescan.
    pub fn listen(live: bool, rescans: bool) -> Result<Person, Failure> {
        let (sender, requests) = crossbeam_channel::unbounded();
        signals::listen(&sender, live, rescans, false)?;
        if live {
            terminal::begin(false);
            keys::listen(&sender, false);
        }
        Ok(Person { requests, watch: Watch::default() })
    }

    /// Does what a key stands for. The engine reports the result with its next figures.
    pub fn pressed(&mut self, key: Key, engine: &Engine, view: &mut View, session: &Session) {
        match key {
            Key::Pause => engine.send(Command::PauseOrResume(view.selected())),
            Key::PauseAll => engine.send(Command::PauseOrResume(None)),
            Key::Announce => engine.send(Command::Announce(view.selected())),
            Key::Limit(Limit { uploads, faster }) => {
                let mut limits = session.limits;
                match uploads {
                    false => limits.download = step(limits.download, session.down_rate(), faster),
                    true => limits.upload = step(limits.upload, session.up_rate(), faster),
                }
                engine.send(Command::Limit(limits));
            }
            Key::Peers => view.pressed(key, session),
            Key::Help | Key::Move(_) | Key::Sort => {
                view.pressed(key, session);
                view.redraw(session, false);
            }
        }
    }

    /// Tells the engine which details are shown now, if that has changed.
    pub fn look(&mut self, engine: &Engine, view: &View) {
        let watch = view.watch();
        if watch != self.watch {
            self.watch = watch;
            engine.send(Command::Watch(watch));
        }
    }
}

/// The next limit of a rate, in bytes per second: 1, 2, 5, 10, 20, 50 ... KiB/s. Above the last limit there is none.
/// The first limit below "none" is the one below the present `rate`.
pub fn step(limit: Option<u64>, rate: u64, faster: bool) -> Option<u64> {
    let mut steps = (0..6).flat_map(|power| [1, 2, 5].map(|digit| (digit * 10u64.pow(power)) << 10));
    match (limit, faster) {
        (None, true) => None,
        (Some(limit), true) => steps.find(|&step| step > limit),
        (limit, false) => {
            let from = limit.unwrap_or(if rate > 0 { rate } else { u64::MAX });
            steps.clone().take_while(|&step| step < from).last().or_else(|| steps.next())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_change_in_steps() {
        let kib = |limit: Option<u64>| limit.map(|limit| limit >> 10);
        assert_eq!(kib(step(None, 700 << 10, false)), Some(500));
        assert_eq!(kib(step(None, 0, false)), Some(500_000));
        assert_eq!(kib(step(Some(500 << 10), 9, false)), Some(200));
        assert_eq!(kib(step(Some(500 << 10), 9, true)), Some(1000));
        assert_eq!(kib(step(Some(300 << 10), 9, true)), Some(500));
        assert_eq!(kib(step(Some(1 << 10), 9, false)), Some(1));
        assert_eq!(step(Some(500_000 << 10), 9, true), None);
        assert_eq!(step(None, 9, true), None);
    }
}
