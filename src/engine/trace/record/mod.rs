//! The record of `--record`: everything that one torrent decides from, so that its decisions can be replayed.
//!
//! Floor 3. A torrent is a machine: `(event, now) -> actions`. So a record has what the machine begins with, each event
//! with its exact time, and what happened outside to the part that all torrents share. It does not have what the
//! machine does itself, such as the count of connections. The lines are made in [`words`]; the book's chapter `replay`
//! describes them. `swarmlet replay` reads them.
//!
//! What the machine begins with, and what changes it from outside:
//!
//! - the shape of the torrent: piece length, length of each file, trackers, web seeds, whether it is private;
//! - the pieces that are there, the choice of files, and the bytes of earlier runs;
//! - the settings, and the terms of this torrent alone;
//! - the state of the generator of random numbers (nobody else draws from it while there is one torrent);
//! - each [`Event`] with its time, and the stop;
//! - the memory for blocks: its limit, what has left it, free memory, and the disk whose turn it is ([`Outside`]);
//! - the limits of all torrents, the most connections, and whether the way out is away ([`Outside`]).
//!
//! Our ports at the router are left out, because they change what peers are told and decide nothing.

pub mod words;

use super::Beginning;
use crate::base::time::Time;
use crate::swarm::event::Event;
use crate::swarm::shared::{Outside, Shared};
use crate::sys::trace::record;
use std::sync::Arc;

/// After this number of events, a line says where the generator of random numbers is. Then a replay knows that it is
/// right so far.
const CHECK_EVERY: u32 = 100;

/// Writes the record, if one is wanted.
pub struct Recorder(Option<Box<Recording>>);

/// A record that is being written.
struct Recording {
    /// The announce URLs, by their numbers; `None`: the torrent has not begun.
    trackers: Option<Vec<Arc<str>>>,
    /// What the last line about that said.
    turn: Option<Outside>,
    /// Events since the last check.
    unchecked: u32,
    /// The line that is being made. (Kept for its memory.)
    line: String,
}

impl Recorder {
    /// The record of a process whose torrents share `memory_bytes` for blocks.
    pub fn new(memory_bytes: u64) -> Recorder {
        if !record::is_on() {
            return Recorder(None);
        }
        record::write(&format!("version {}", env!("CARGO_PKG_VERSION")));
        record::write(&format!("memory {memory_bytes}"));
        Recorder(Some(Box::new(Recording { trackers: None, turn: None, unchecked: 0, line: String::new() })))
    }

    /// The record that is being written. If the disk has failed, there is none any more.
    fn recording(&mut self) -> Option<&mut Recording> {
        if self.0.is_some() && !record::is_on() {
            self.0 = None;
        }
        self.0.as_deref_mut()
    }

    /// Something happens outside of the torrent: `shared` takes it in.
    pub fn take(&mut self, outside: Outside, shared: &mut Shared, now: Time) {
        shared.take(outside, now);
        let Some(recording) = self.recording() else { return };
        if let Outside::TurnTo { .. } = outside
            && recording.turn.replace(outside) == Some(outside)
        {
            return;
        }
        recording.write(now, |line| words::outside(line, outside));
    }

    /// The torrent begins. If it does so for the second time, because a person tried it again, the record ends.
    pub fn begins(&mut self, beginning: &Beginning, shared: &Shared, now: Time) {
        let Some(recording) = self.recording() else { return };
        if recording.trackers.is_some() {
            return self.give_up(now, "the torrent begins again");
        }
        recording.trackers = Some(beginning.metainfo.tiers.concat());
        words::beginning(beginning).lines().for_each(record::write);
        recording.write(now, |line| words::begins(line, &shared.rng));
    }

    /// An event is handed to the torrent.
    pub fn event(&mut self, event: &Event, shared: &Shared, now: Time) {
        let Some(recording) = self.recording() else { return };
        let Some(trackers) = recording.trackers.take() else { return };
        recording.unchecked += 1;
        if recording.unchecked >= CHECK_EVERY {
            recording.unchecked = 0;
            recording.write(now, |line| words::check(line, &shared.rng));
        }
        let mut is_known = false;
        recording.write(now, |line| is_known = words::event(line, event, &trackers));
        recording.trackers = Some(trackers);
        if !is_known {
            self.give_up(now, "a program changed what one torrent of `get` or `seed` keeps");
        }
    }

    /// The torrent is to leave its swarm.
    pub fn stops(&mut self, shared: &Shared, now: Time) {
        let Some(recording) = self.recording() else { return };
        recording.write(now, |line| words::check(line, &shared.rng));
        recording.write(now, |line| *line += "stop");
    }

    /// The rest can't be recorded.
    fn give_up(&mut self, now: Time, why: &str) {
        if let Some(mut recording) = self.0.take() {
            recording.write(now, |line| *line += &format!("over # {why}"));
        }
    }
}

impl Recording {
    /// Writes a line with the time of the event.
    fn write(&mut self, now: Time, words: impl FnOnce(&mut String)) {
        self.line.clear();
        words::time(&mut self.line, now);
        let empty = self.line.len();
        words(&mut self.line);
        if self.line.len() > empty {
            record::write(&self.line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;
    use crate::swarm::picking::budget::Budget;
    use crossbeam_channel::unbounded;
    use std::path::Path;

    /// `/dev/full` takes nothing.
    #[test]
    fn nothing_is_made_for_a_record_that_can_not_be_written_any_more() {
        let (told, hears) = unbounded();
        record::begin(Path::new("/dev/full"), Box::new(move |_| told.send(()).unwrap())).unwrap();
        hears.recv().unwrap();
        assert!(!record::is_on());
        let recording = Recording { trackers: None, turn: None, unchecked: 0, line: String::new() };
        let mut recorder = Recorder(Some(Box::new(recording)));
        let mut shared = Shared::new(Rng::new(1), Budget::new(1 << 20));
        recorder.take(Outside::WayOutLost, &mut shared, Time::ZERO);
        assert!(recorder.0.is_none());
    }
}
