//! Opens a connection and shakes hands first.
//!
//! Floor 3. A peer may refuse a plain handshake, or not understand a hidden one. Then the other kind is tried at once,
//! on a new connection and from the beginning, unless the [policy](crate::proto::peer::mse::Policy) forbids it.

use super::hearing::Greeted;
use super::{HANDSHAKE_DEADLINE, Met, hidden};
use crate::engine::peer::around::Surroundings;
use crate::engine::peer::line::Line;
use crate::engine::trace::peers as trace;
use crate::proto::id::InfoHash;
use crate::proto::peer::mse::Cover;
use crate::sys::trace::Way;
use crate::sys::{is_one_of, outlet};
use core::net::SocketAddr;
use rustix::io::Errno;
use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// How long opening a connection may take (libtorrent: 10 to 15 s).
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The pause before the other kind of handshake is tried. transmission accepts one handshake at a time from an address,
/// and resets the others, so a reset need not be about the kind.
const PAUSE: Duration = Duration::from_secs(1);
/// How a connection ends if the peer does not like its beginning.
const REFUSALS: [Errno; 2] = [Errno::CONNRESET, Errno::PIPE];

/// Why there is no connection.
enum Failure {
    /// It could not be opened, or another kind of handshake would not help.
    Final(io::Error),
    /// It was open, and the peer did not answer the handshake as it should.
    Refused(io::Error),
}

/// Connects to `addr` for a torrent and shakes hands. Ends early if the torrent ends. `hidden`: whether the last
/// handshake there was hidden, or others say that the peer prefers that.
pub fn dial(around: &Surroundings, info_hash: InfoHash, addr: SocketAddr, hidden: Option<bool>) -> io::Result<Met> {
    let mut left = around.encryption().tries(hidden);
    loop {
        let (hides, others) = left.split_first().map_or((false, left), |(hides, others)| (*hides, others));
        match shake_first(around, info_hash, addr, hides) {
            Ok(met) => return Ok(met),
            Err(Failure::Refused(error)) if !others.is_empty() => {
                let [this, next] = if hides { ["an encrypted", "a plain"] } else { ["a plain", "an encrypted"] };
                log::debug!("{addr}: it does not answer {this} handshake ({error}); {next} one is next");
                left = others;
                thread::sleep(PAUSE);
            }
            Err(Failure::Final(error) | Failure::Refused(error)) => return Err(error),
        }
    }
}

/// Connects, and sends our handshake, which is hidden if `hides`. Reads the answer.
fn shake_first(around: &Surroundings, info_hash: InfoHash, addr: SocketAddr, hides: bool) -> Result<Met, Failure> {
    let socket = Arc::new(outlet::get().stream(addr).map_err(Failure::Final)?);
    let opening = &around.directory.opening;
    opening.add(info_hash, &socket);
    let shaken = shake_on(around, &socket, info_hash, addr, hides);
    opening.remove(&socket);
    shaken
}

fn shake_on(
    around: &Surroundings,
    socket: &Arc<TcpStream>,
    info_hash: InfoHash,
    addr: SocketAddr,
    hides: bool,
) -> Result<Met, Failure> {
    if around.directory.find(&info_hash).is_none() {
        return Err(Failure::Final(io::Error::other("the torrent ended")));
    }
    trace::note(addr, "connect", None);
    outlet::get().connect(socket, addr, CONNECT_TIMEOUT).map_err(Failure::Final)?;
    greet(around, Line::Plain(Arc::clone(socket)), addr, info_hash, hides).map_err(|error| {
        let is_refusal = error.kind() == io::ErrorKind::UnexpectedEof || is_one_of(&error, &REFUSALS);
        if is_refusal || hides { Failure::Refused(error) } else { Failure::Final(error) }
    })
}

/// Sends our handshake and reads the peer's.
fn greet(around: &Surroundings, line: Line, addr: SocketAddr, info_hash: InfoHash, hides: bool) -> io::Result<Met> {
    let (deadline, mut ours) = (Instant::now() + HANDSHAKE_DEADLINE, around.handshake(info_hash));
    let sent = ours;
    let greeted = if hides {
        hidden::initiate(line, addr, info_hash, around.encryption().offers(), ours, deadline)?
    } else {
        line.send_all(&mut ours, false, HANDSHAKE_DEADLINE)?;
        Greeted { line, cover: Cover::Plain, early: Vec::new(), info_hash: None }
    };
    trace::handshake(Way::Out, addr, &sent);
    let met = greeted.hear_handshake(deadline, |_, _| Ok(()))?;
    if met.handshake.info_hash != info_hash {
        return Err(io::Error::other("it answers with another info-hash"));
    }
    Ok(met)
}
