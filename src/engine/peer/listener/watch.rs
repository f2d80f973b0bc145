//! Watches whether the address or interface of `--bind` is there, and listens again when it is back.
//!
//! Floor 3, part of [`listener`](super). While it is away, the sockets reach nobody. If the interface was made again,
//! as those of a VPN are, it is another one for the kernel, and the old sockets stay deaf.

use super::{Listening, STACK_BYTES, Surroundings, accept_on, lock, outlet};
use crate::engine::input::Input;
use crate::sys::outlet::Bound;
use crate::sys::{in_words, interfaces};
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::thread;

/// What is watched.
struct Watch {
    bound: &'static Bound,
    around: Surroundings,
    listening: Listening,
    /// The number that the interface had last.
    interface: u32,
    /// It is away, and the manager knows that.
    is_away: bool,
}

/// Starts the thread that watches. It works with the sockets of `listening`.
pub fn start(bound: &'static Bound, listening: Listening, around: &Surroundings) -> io::Result<()> {
    // What changes from now on is reported.
    let changes = interfaces::changes()?;
    let interface = bound.interface()?;
    let mut watch = Watch { bound, around: around.clone(), listening, interface, is_away: false };
    let run = move || watch.run(&changes);
    thread::Builder::new().name("interfaces".into()).stack_size(STACK_BYTES).spawn(run)?;
    Ok(())
}

impl Watch {
    fn run(&mut self, changes: &OwnedFd) {
        while let Ok(()) = interfaces::wait_for_change(changes) {
            match self.bound.interface() {
                Ok(interface) if !self.is_away && interface == self.interface => {}
                Ok(interface) => self.is_back(interface),
                Err(_) if self.is_away => {}
                Err(error) => {
                    self.is_away = true;
                    self.tell(Input::Offline(in_words(&error)));
                }
            }
        }
    }

    fn is_back(&mut self, interface: u32) {
        let mut sockets = lock(&self.listening.0);
        sockets.close();
        match outlet::get().listen(sockets.port) {
            Ok((listeners, _)) => match accept_on(listeners, &self.around) {
                Ok(listeners) => sockets.listeners = listeners,
                Err(error) => log::warn!("can't start a thread to listen: {error}"),
            },
            // A new IPv6 address is of no use until the kernel knows that nobody else has it. That is a change, too.
            Err(error) if error.kind() == ErrorKind::AddrNotAvailable => return,
            Err(error) => log::warn!("can't listen on port {} again: {}", sockets.port, in_words(&error)),
        }
        drop(sockets);
        let is_new = std::mem::replace(&mut self.interface, interface) != interface;
        self.is_away = false;
        self.tell(Input::Online { is_new });
    }

    fn tell(&self, input: Input) {
        // The manager is gone only when the process ends.
        let _ = self.around.manager.send(input);
    }
}
