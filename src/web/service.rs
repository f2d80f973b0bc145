//! What decides about a request.
//!
//! Floor 3.

use super::answer::Answer;
use super::promise::Promise;
use super::request::{Request, Wrong};
use core::net::SocketAddr;
use std::time::Duration;

/// Answers a request from the given address, also one that is refused, so that each is logged. It must not block,
/// because its thread serves other connections too.
///
/// A request with a body is asked about twice: first without its body ([`Request::body`]), so that nothing is read from
/// somebody who may not send it, then with it.
pub type Service = dyn Fn(Result<&Request, Wrong>, SocketAddr) -> Reply + Send + Sync;

/// What becomes of a request.
pub enum Reply {
    /// This is the answer.
    Now(Answer),
    /// This is the answer, after a while.
    Slow(Answer, Duration),
    /// The body may come.
    Body,
    /// This gets a promise, and sees to it that it is kept.
    Later(Box<dyn FnOnce(Promise)>),
}
