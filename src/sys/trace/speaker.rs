//! Whose lines a thread writes into the trace. If several peers run in one process, as in `demo`, their lines are told
//! apart by a name. A thread has the name of the thread that started it.
//!
//! Floor 3, part of [`trace`](super).

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::thread::Builder;

/// The usual stack of a thread, in bytes.
pub const USUAL_STACK: usize = 2 << 20;

thread_local! {
    static NAME: RefCell<Option<Arc<str>>> = const { RefCell::new(None) };
}

/// From now on this thread, and each thread that it starts, writes lines of the peer with this name. `None`: there is
/// only one peer, which needs no name.
pub fn speak_as(name: Option<Arc<str>>) {
    NAME.set(name);
}

/// The name.
pub(super) fn name() -> Option<Arc<str>> {
    NAME.with_borrow(Option::clone)
}

/// Starts a thread that does something for a peer.
pub fn start_thread(name: &str, stack_bytes: usize, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    Builder::new().name(name.into()).stack_size(stack_bytes).spawn(as_here(run)).map(drop)
}

/// The same work for another thread, whose lines then have the name of this one.
pub fn as_here<T>(run: impl FnOnce() -> T) -> impl FnOnce() -> T {
    let speaker = name();
    move || {
        speak_as(speaker);
        run()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn a_thread_has_the_name_of_the_one_that_started_it() {
        let (sender, inbox) = crossbeam_channel::unbounded();
        let ask = move || {
            for peer in ["1", "2"] {
                let sender = sender.clone();
                speak_as(Some(peer.into()));
                let run = move || {
                    start_thread("below", USUAL_STACK, move || sender.send((peer, name())).unwrap()).unwrap();
                };
                start_thread("above", USUAL_STACK, run).unwrap();
            }
        };
        thread::spawn(ask).join().unwrap();
        for (peer, name) in [inbox.recv().unwrap(), inbox.recv().unwrap()] {
            assert_eq!(name.as_deref(), Some(peer));
        }
        let of_scoped = || {
            speak_as(Some("3".into()));
            thread::scope(|scope| scope.spawn(as_here(name)).join())
        };
        assert_eq!(thread::spawn(of_scoped).join().unwrap().unwrap().as_deref(), Some("3"));
        assert_eq!(name(), None, "other threads have none");
    }
}
