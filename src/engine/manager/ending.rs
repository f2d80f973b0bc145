//! How a torrent ends, and how all of them do: the trackers hear it, what came is written, the states are saved.
//!
//! Floor 3, a way of the [`manager`](super).

use super::super::{GOODBYE, Notice, Problem};
use super::Manager;
use super::slot::State;
use crate::swarm::Time;
use crate::swarm::event::Event;
use crate::swarm::torrent::Turn;

impl Manager {
    pub(super) fn failed(&mut self, number: usize, problem: Problem) {
        if self.end_torrent(number, problem.clone()) {
            let _ = self.notices.send(Notice::Failed { torrent: number, problem });
        }
        self.next_in_queue(self.started.elapsed());
    }

    /// A torrent ends, for whatever reason; whether it had not before.
    pub(super) fn end_torrent(&mut self, number: usize, problem: Problem) -> bool {
        let slot = &mut self.torrents[number];
        self.keeper.save(number, slot, self.started.elapsed(), true);
        if matches!(slot.state, State::Failed(..)) {
            return false;
        }
        self.around.directory.remove(&slot.info_hash);
        self.keeper.end(number);
        let before = std::mem::replace(&mut slot.state, State::Failed(problem, None));
        if let (State::Running(torrent, content), State::Failed(_, parting)) = (before, &mut slot.state) {
            self.disk.end(&content);
            *parting = torrent.is_announcing().then_some((torrent, content));
        }
        (slot.wake, slot.save_at) = (None, None);
        true
    }

    /// What was under way when its torrent ended gives back what all torrents share.
    pub(super) fn give_back(&mut self, event: Event) {
        match event {
            Event::ConnectFailed { .. } => self.shared.connecting = self.shared.connecting.saturating_sub(1),
            _ => {}
        }
    }

    pub(super) fn stop(&mut self, now: Time) {
        self.end_at = Some(now + GOODBYE);
        self.disk.finish();
        for number in 0..self.torrents.len() {
            if let State::Running(torrent, _) = &mut self.torrents[number].state {
                torrent.stop(&mut Turn { now, shared: &mut self.shared, actions: &mut self.actions });
                self.carry_out(number);
            }
        }
    }

    /// A disk thread has written all that came before we were told to stop.
    pub(super) fn disk_done(&mut self, device: u64, now: Time) {
        self.disk.done(device);
        if self.disk.busy().is_empty() {
            // While the goodbyes are on their way.
            self.keeper.save_last(&mut self.torrents, now);
        }
    }

    /// The end: nothing comes any more.
    pub(super) fn end(&mut self) {
        self.peers.values().for_each(|connection| connection.link.close());
        self.keeper.save_last(&mut self.torrents, self.started.elapsed());
        // The only time that this thread waits for a disk: nobody waits for it any more.
        self.keeper.wait(&self.disk.busy());
        let _ = self.notices.send(Notice::Stopped(self.reports(self.started.elapsed())));
    }
}
