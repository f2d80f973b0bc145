//! The thread that asks the routers.
//!
//! Floor 3, part of [`portmap`](super). It waits for packets of the routers, for the next renewal, and for the end. Only
//! UPnP makes it wait for anything else: for the router, with a deadline.

use super::packets;
use super::route::{self, Route};
use super::upnp::Upnp;
use crate::base::rng::Rng;
use crate::base::time::{Time, sooner};
use crate::engine::config::FINAL_ANNOUNCE_TIME;
use crate::engine::input::Input as ForManager;
use crate::engine::notice::Router;
use crate::proto::portmap::ANNOUNCE_PORT;
use crate::swarm::meeting::portmap::mapper::Wanted;
use crate::swarm::meeting::portmap::{Input, Mapper, Output, Standing, Task};
use crate::sys::outlet::Udp;
use crate::sys::wake::{Wake, wait};
use crate::sys::{in_words, random};
use crossbeam_channel::Sender;
use std::net::UdpSocket;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// If there is no router to ask, we look again after this: the network may be away for a while.
const LOOK_AGAIN: Time = Time::from_secs(300);

/// Packets that are read at once from the socket that hears all hosts. If there are more, somebody floods the network.
const MOST_HEARD: usize = 32;

/// What the thread works with.
pub struct Work {
    port: u16,
    manager: Sender<ForManager>,
    end: Wake,
    began: Instant,
    rng: Rng,
    families: [Family; 2],
    /// It hears routers that have started.
    hears: Option<UdpSocket>,
    told: Router,
    /// There may be something to remove at the end.
    has_mappings: Arc<AtomicBool>,
}

/// One address family.
struct Family {
    is_v6: bool,
    state: State,
}

enum State {
    /// No router is asked: why, and when to look again.
    Away(String, Time),
    /// A router is asked.
    Here(Box<Here>),
}

struct Here {
    route: Route,
    socket: Udp,
    mapper: Mapper,
    upnp: Upnp,
    /// The next task of UPnP.
    task: Option<Task>,
    /// Nothing is left to be removed.
    is_over: bool,
}

impl Work {
    /// Nothing is asked yet.
    pub fn new(port: u16, manager: Sender<ForManager>, end: Wake, has_mappings: Arc<AtomicBool>) -> Work {
        let family = |is_v6| Family { is_v6, state: State::Away(String::new(), Time::ZERO) };
        Work {
            port,
            manager,
            end,
            began: Instant::now(),
            rng: Rng::new(random::bits()),
            families: [false, true].map(family),
            hears: None,
            told: Router::default(),
            has_mappings,
        }
    }

    /// Asks, renews, and at the end removes.
    pub fn run(&mut self) {
        match packets::hear() {
            Ok(socket) => self.hears = Some(socket),
            Err(error) => log::debug!("can't hear when the router starts again: {}", in_words(&error)),
        }
        while !self.is_told_to_end() {
            self.look();
            self.work();
            self.hear();
            self.report();
            self.wait(None);
        }
        self.remove();
    }

    fn now(&self) -> Time {
        self.began.elapsed()
    }

    /// Whether the process ends. (Nothing clears that.)
    fn is_told_to_end(&self) -> bool {
        wait(&[self.end.as_fd()], Some(Time::ZERO)) == [true]
    }

    /// If something is due for a family, looks whether its router is still the same.
    fn look(&mut self) {
        let (now, port) = (self.now(), self.port);
        let due = |family: &&mut Family| family.wake().is_some_and(|wake| wake <= now);
        self.families.iter_mut().filter(due).for_each(|family| family.look(port, now));
    }

    /// Does what is due, and at most one task of UPnP for each family; and reads what the routers sent.
    fn work(&mut self) {
        for family in &mut self.families {
            let State::Here(here) = &mut family.state else { continue };
            let mut tell = |here: &mut Here, input| here.tell(input, self.began.elapsed(), &mut self.rng);
            if let Some(task) = here.task.take() {
                let result = here.upnp.carry_out(task, self.port);
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
        }
    }

    /// Reads what routers announce to all hosts.
    fn hear(&mut self) {
        let Some(hears) = &self.hears else { return };
        let mut heard = packets::announcements(hears, MOST_HEARD);
        if heard.len() == MOST_HEARD {
            log::warn!("somebody floods UDP port {ANNOUNCE_PORT}, so it is not listened to any more");
            self.hears = None;
        }
        let State::Here(here) = &mut self.families[0].state else { return };
        heard.retain(|(from, _)| *from == here.route.router);
        for (_, packet) in heard {
            here.tell(Input::Packet(&packet), self.began.elapsed(), &mut self.rng);
        }
    }

    /// Waits until a packet comes, something is due, or the process ends; but not beyond `until`.
    fn wait(&self, until: Option<Time>) {
        let heres = || self.families.iter().filter_map(Family::here);
        if heres().any(|here| here.task.is_some()) {
            return;
        }
        let mut sources: Vec<BorrowedFd> = heres().map(|here| here.socket.as_fd()).collect();
        if until.is_none() {
            sources.push(self.end.as_fd());
            sources.extend(self.hears.iter().map(AsFd::as_fd));
        }
        let due = self.families.iter().map(Family::wake).fold(until, sooner);
        wait(&sources, due.map(|due| due.saturating_sub(self.now())));
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
        for family in &mut self.families {
            if let State::Here(here) = &mut family.state {
                (here.task, here.upnp.deadline) = (None, FINAL_ANNOUNCE_TIME);
                here.tell(Input::End, now, &mut self.rng);
            }
        }
        while self.families.iter().filter_map(Family::here).any(|here| !here.is_over) && self.now() < until {
            self.wait(Some(until));
            self.work();
        }
    }
}

impl Family {
    fn here(&self) -> Option<&Here> {
        match &self.state {
            State::Away(..) => None,
            State::Here(here) => Some(here),
        }
    }

    /// When something is due.
    fn wake(&self) -> Option<Time> {
        match &self.state {
            State::Away(_, until) => Some(*until),
            State::Here(here) => here.mapper.wake(),
        }
    }

    fn standing(&self) -> Standing {
        match &self.state {
            State::Away(why, _) => Standing::Useless(why.clone()),
            State::Here(here) => here.mapper.standing().clone(),
        }
    }

    /// Looks which router there is. If it is another one, begins with it.
    fn look(&mut self, port: u16, now: Time) {
        let found = route::find(self.is_v6);
        if matches!((&self.state, &found), (State::Here(here), Ok(route)) if here.route == *route) {
            return;
        }
        let here = found.and_then(|route| {
            let unusable = |error| format!("can't ask the router {}: {}", route.router.ip(), in_words(&error));
            let socket = packets::connect(&route).map_err(unusable)?;
            let mapper = Mapper::new(Wanted { ours: route.ours, port, nonce: random::bytes() });
            Ok(Here { route, socket, mapper, upnp: Upnp::new(route), task: None, is_over: false })
        });
        self.state = match here {
            Ok(here) => State::Here(Box::new(here)),
            Err(why) => State::Away(why, now + LOOK_AGAIN),
        };
    }
}

impl Here {
    /// Tells the machine what happened, and carries out what follows, except for a task of UPnP.
    fn tell(&mut self, input: Input, now: Time, rng: &mut Rng) {
        let mut out = Vec::new();
        self.mapper.handle(input, now, rng, &mut out);
        for output in out {
            match output {
                Output::Send(packet) => {
                    if let Err(error) = self.socket.send(&packet) {
                        // The question is repeated. The error may be an old one.
                        log::debug!("{}: {}", self.route.router, in_words(&error));
                    }
                }
                Output::Upnp(task) => self.task = Some(task),
                Output::Changed => {}
                Output::Ended => self.is_over = true,
            }
        }
    }
}
