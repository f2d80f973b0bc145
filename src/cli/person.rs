//! What the person at the terminal asks for during a run, and what comes of it.
//!
//! Floor 4. The threads for signals and keys say what is wished; here it is handed to the engine and to the view.

use super::keys::{self, Key};
use super::session::Session;
use super::signals;
use super::view::View;
use super::{exit::Failure, terminal};
use crate::engine::{Engine, Watch};
use crossbeam_channel::Receiver;

/// Something is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// The end of the run.
    Interrupt,
    /// What was drawn may be gone.
    Redraw,
    /// The folder is to be looked at.
    Look,
    /// A key was pressed.
    Key(Key),
}

/// The person, and what was asked for so far.
pub struct Person {
    /// What is asked for, as it comes.
    pub wishes: Receiver<Wish>,
    paused: bool,
    watch: Watch,
}

impl Person {
    /// Begins to listen: to signals (`looks`: one has us look at a folder), and where the screen is live to keys.
    pub fn listen(live: bool, looks: bool) -> Result<Person, Failure> {
        let (sender, wishes) = crossbeam_channel::unbounded();
        signals::watch(&sender, live, looks)?;
        if live {
            terminal::release_on_panic();
            terminal::take();
            keys::watch(&sender);
        }
        Ok(Person { wishes, paused: false, watch: Watch::default() })
    }

    /// Does what a key asks for; the answer comes with the next numbers.
    pub fn pressed(&mut self, key: Key, engine: &Engine, view: &mut View, session: &Session) {
        match key {
            // The thread for keys has seen to it.
            Key::Quit => {}
            Key::Pause => {
                self.paused = !self.paused;
                engine.pause(self.paused);
            }
            Key::Peers => view.pressed(key, session.entries.len()),
            Key::Help => {
                view.pressed(key, session.entries.len());
                view.redraw(session, false);
            }
        }
    }

    /// Tells the engine what is looked at now, if that has changed.
    pub fn look(&mut self, engine: &Engine, view: &View) {
        let watch = view.watch();
        if watch != self.watch {
            self.watch = watch;
            engine.watch(watch);
        }
    }
}
