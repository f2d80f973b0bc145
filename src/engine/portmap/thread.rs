//! The thread that asks the routers.
//!
//! Floor 3, part of [`portmap`](super). It waits for packets of the routers, for the next renewal, for changes of the
//! network, and for the end. Only UPnP makes it wait for anything else: for the router, with a deadline.

use super::family::{Family, Here, Wish};
use super::packets;
use crate::base::rng::Rng;
use crate::base::time::{Time, sooner};
use crate::engine::config::FINAL_ANNOUNCE_TIME;
use crate::engine::input::Input as ForManager;
use crate::engine::notice::Router;
use crate::swarm::meeting::portmap::Input;
use crate::sys::wake::alarm::Alarm;
use crate::sys::wake::{Wake, wait};
use crate::sys::{in_words, interfaces, random};
use crossbeam_channel::Sender;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// When the network has changed, we look for the router after this. Changes come in groups: an interface, its address,
/// its routes. If they never end, this is also the pause between two looks.
const SETTLE: Time = Time::from_secs(1);

/// What the thread works with.
pub struct Work {
    wish: Wish,
    manager: Sender<ForManager>,
    end: Wake,
    /// It goes on while the machine sleeps, as the router's clock does.
    clock: Alarm,
    rng: Rng,
    families: [Family; 2],
    /// Here the kernel reports that the network has changed; `None`: it does not.
    changes: Option<OwnedFd>,
    /// The network has changed. At this moment we look which routers there are.
    look_at: Option<Time>,
    told: Router,
    /// There may be something to remove at the end.
    has_mappings: Arc<AtomicBool>,
}

impl Work {
    /// Nothing is asked yet.
    pub fn new(port: u16, manager: Sender<ForManager>, end: Wake, has_mappings: Arc<AtomicBool>) -> io::Result<Work> {
        let deaf = |error| log::warn!("can't hear when the network changes: {}", in_words(&error));
        Ok(Work {
            wish: Wish { port, secret: random::bytes() },
            manager,
            end,
            clock: Alarm::new()?,
            rng: Rng::new(random::bits()),
            families: [false, true].map(Family::new),
            changes: interfaces::changes_and_routes().map_err(deaf).ok(),
            look_at: None,
            told: Router::default(),
            has_mappings,
        })
    }

    /// Asks, renews, and at the end removes.
    pub fn run(&mut self) {
        while !self.is_told_to_end() {
            self.notice();
            self.look();
            self.work();
            self.report();
            self.wait(None);
        }
        self.remove();
    }

    fn now(&self) -> Time {
        self.clock.now()
    }

    /// Whether the process ends. (Nothing clears that.)
    fn is_told_to_end(&self) -> bool {
        wait(&[self.end.as_fd()], Some(Time::ZERO)) == [true]
    }

    /// Notices that the network has changed.
    fn notice(&mut self) {
        let Some(changes) = self.changes.as_ref().filter(|_| self.look_at.is_none()) else { return };
        match interfaces::have_changed(changes) {
            Ok(false) => {}
            Ok(true) => self.look_at = Some(self.now() + SETTLE),
            Err(error) => {
                log::warn!("can't hear any more when the network changes: {}", in_words(&error));
                self.changes = None;
            }
        }
    }

    /// If the network has changed, or something is due for a family, looks whether its router is still the same.
    fn look(&mut self) {
        let now = self.now();
        let changed = self.look_at.take_if(|at| *at <= now).is_some();
        let due = |family: &&mut Family| changed || family.wake().is_some_and(|wake| wake <= now);
        self.families.iter_mut().filter(due).for_each(|family| family.look(&self.wish, now));
    }

    /// Does what is due, and at most one task of UPnP for each family; and reads what the routers sent.
    fn work(&mut self) {
        for here in self.families.iter_mut().filter_map(Family::here_mut) {
            let mut tell = |here: &mut Here, input| here.tell(input, self.clock.now(), &mut self.rng);
            if let Some(task) = here.task.take() {
                let result = here.upnp.carry_out(task, self.wish.port);
                log::debug!("UPnP of {}: {task:?}: {result:?}", here.route.router.ip());
                tell(here, Input::Upnp(result));
            }
            match packets::receive(&here.socket) {
                Ok(Some(packet)) => tell(here, Input::Packet(&packet)),
                Ok(None) => tell(here, Input::Timer),
                Err(error) => {
                    log::debug!("{}: {}", here.route.router, in_words(&error));
                    tell(here, Input::Unreachable);
                }
            }
            here.hear(self.clock.now(), &mut self.rng);
        }
    }

    /// Waits until a packet comes, the network changes, something is due, or the process ends; but not beyond `until`.
    fn wait(&self, until: Option<Time>) {
        let heres = || self.families.iter().filter_map(Family::here);
        if heres().any(|here| here.task.is_some()) {
            return;
        }
        let is_ending = until.is_some();
        // At the end nobody looks for a router that is away.
        let of_interest = |family: &&Family| !is_ending || family.here().is_some();
        let mut due = self.families.iter().filter(of_interest).map(Family::wake).fold(until, sooner);
        let mut sources: Vec<BorrowedFd> = vec![self.clock.as_fd()];
        sources.extend(heres().map(|here| here.socket.as_fd()));
        if !is_ending {
            sources.push(self.end.as_fd());
            for here in heres() {
                match here.hears(self.now()) {
                    Ok(hears) => sources.push(hears.as_fd()),
                    Err(later) => due = sooner(due, later),
                }
            }
            match self.look_at {
                None => sources.extend(self.changes.iter().map(AsFd::as_fd)),
                at => due = sooner(due, at),
            }
        }
        match self.clock.set(due) {
            Ok(()) => drop(wait(&sources, None)),
            Err(error) => log::debug!("can't wait for the router: {error}"),
        }
    }

    /// Tells the manager how it stands, if that has changed.
    fn report(&mut self) {
        let has_mappings = self.families.iter().filter_map(Family::here).any(|here| here.mapper.may_have_mappings());
        self.has_mappings.store(has_mappings, Ordering::Relaxed);
        let [v4, v6] = &self.families;
        let ip = v4.here().or(v6.here()).map(|here| here.route.router.ip());
        let router = Router { ip, v4: v4.standing(), v6: v6.standing(), reached: false };
        if router != self.told {
            log::info!("port mapping: {}; with IPv6: {}", router.v4, router.v6);
            self.told = router.clone();
            // The manager is gone only when the process ends.
            let _ = self.manager.send(ForManager::Router(Box::new(router)));
        }
    }

    /// Removes all mappings, as far as there is time.
    fn remove(&mut self) {
        let until = self.now() + FINAL_ANNOUNCE_TIME;
        let now = self.now();
        for here in self.families.iter_mut().filter_map(Family::here_mut) {
            (here.task, here.upnp.deadline) = (None, FINAL_ANNOUNCE_TIME);
            here.tell(Input::End, now, &mut self.rng);
        }
        while self.families.iter().filter_map(Family::here).any(|here| !here.is_over) && self.now() < until {
            self.wait(Some(until));
            self.work();
        }
    }
}
