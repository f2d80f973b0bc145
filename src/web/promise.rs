//! Answers that come later, from another thread.
//!
//! Floor 3. The thread that serves a connection never waits for an answer. It gives the service a [`Promise`], goes on
//! with its other connections, and is woken when the promise is kept.

use super::answer::Answer;
use super::bodies::Taken;
use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};
use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::OwnedFd;
use std::io;
use std::sync::Arc;
use std::time::Instant;

/// Wakes a worker (eventfd(2)).
pub struct Waker(OwnedFd);

impl Waker {
    /// A waker that has not rung.
    pub fn new() -> io::Result<Waker> {
        Ok(Waker(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?))
    }

    /// What becomes readable.
    pub fn fd(&self) -> &OwnedFd {
        &self.0
    }

    fn ring(&self) {
        // It fails only if it has rung 2^64 times and nobody listened.
        let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
    }

    /// It was heard.
    pub fn hush(&self) {
        let _ = rustix::io::read(&self.0, &mut [0; 8]);
    }
}

/// An answer that is owed to a connection. If it is dropped, the connection is told that nobody answers.
pub struct Promise {
    sender: Sender<Answer>,
    waker: Arc<Waker>,
    /// The memory of the request's body, which is given back with this promise.
    _taken: Option<Taken>,
}

impl Promise {
    /// A promise, and where it is kept. It holds the memory of the request's body, also when the connection has ended
    /// before.
    pub fn new(waker: &Arc<Waker>, taken: Option<Taken>) -> (Promise, Awaited) {
        let (sender, receiver) = bounded(1);
        (Promise { sender, waker: Arc::clone(waker), _taken: taken }, Awaited::Promise(receiver))
    }

    /// Answers.
    pub fn keep(self, answer: Answer) {
        // If the connection is gone, nobody wants it.
        let _ = self.sender.try_send(answer);
    }
}

impl Drop for Promise {
    /// Wakes the worker, whether the promise was kept or not.
    fn drop(&mut self) {
        self.waker.ring();
    }
}

/// An answer that a connection waits for.
pub enum Awaited {
    /// Somebody promised it.
    Promise(Receiver<Answer>),
    /// It is there, and is held back until then.
    Until(Instant, Option<Answer>),
}

impl Awaited {
    /// The answer, if its time has come.
    pub fn take(&mut self, now: Instant) -> Option<Answer> {
        match self {
            Awaited::Promise(receiver) => match receiver.try_recv() {
                Ok(answer) => Some(answer),
                Err(TryRecvError::Empty) => None,
                Err(TryRecvError::Disconnected) => {
                    Some(Answer::words("503 Service Unavailable", "nobody answers; the program is about to end"))
                }
            },
            Awaited::Until(time, answer) => answer.take_if(|_| now >= *time),
        }
    }
}
