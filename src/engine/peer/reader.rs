//! A peer's reader thread: opens or accepts the connection, shakes hands, then reads messages until the end.
//!
//! Floor 3. It also sends the blocks that the peer requests, as long as the socket takes them at once.
//! [`wire`](super::wire) turns bytes into messages.

use super::around::{STACK_BYTES, Surroundings, WRITE_TIMEOUT};
use super::line::Line;
use super::outbox::Outbox;
use super::server::Server;
use super::shaking::answering::greeted;
use super::shaking::dialing::dial;
use super::shaking::places::Place;
use super::shaking::{HANDSHAKE_DEADLINE, Met};
use super::wire::Wire;
use super::writer;
use crate::engine::input::Input;
use crate::engine::trace::peers as trace;
use crate::proto::id::InfoHash;
use crate::storage::TorrentId;
use crate::swarm::event::Event;
use crate::sys::trace::Way;
use crate::sys::trace::speaker::start_thread;
use crate::sys::{is_one_of, outlet};
use core::net::SocketAddr;
use rustix::io::Errno;
use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Silence after which a peer is dropped. Others send keep-alives at least every 120 s.
const SILENCE: Duration = Duration::from_secs(180);
/// This machine lacks what a connection needs, so the peer is not to blame.
const OUR_FAULTS: [Errno; 4] = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];

/// Opens a connection for a torrent, on its own thread. The result goes to the manager. `hidden`: see [`dial`]. An
/// error means that no thread could be started.
pub fn connect(
    around: &Surroundings,
    torrent: TorrentId,
    info_hash: InfoHash,
    addr: SocketAddr,
    hidden: Option<bool>,
) -> io::Result<()> {
    let around = around.clone();
    let run = move || match dial(&around, info_hash, addr, hidden) {
        Ok(met) => run(&around, torrent, addr, met, None),
        Err(error) => {
            // While the way out is away, no peer is to blame either.
            let our_fault = is_one_of(&error, &OUR_FAULTS) || outlet::get().is_there().is_err();
            connect_failed(&around, torrent, addr, &error, our_fault);
        }
    };
    start_thread("reader", STACK_BYTES, run)
}

/// A peer that connected to us.
struct Caller {
    /// Its place among those that are shaking hands.
    place: Place,
    /// Our handshake is sent.
    answered: bool,
}

fn connect_failed(around: &Surroundings, torrent: TorrentId, addr: SocketAddr, error: &io::Error, our_fault: bool) {
    log::debug!("{addr}: can't connect: {error}");
    trace::note(addr, "unreachable", Some(error));
    let _ = around.manager.send(Input::Torrent { torrent, event: Event::ConnectFailed { addr, our_fault } });
}

/// Handles a connection that a peer opened; to be called on its own thread. `place` is free again when the handshake is
/// over and, if it succeeded, the manager knows about the connection.
pub fn accept(around: &Surroundings, socket: Arc<TcpStream>, addr: SocketAddr, place: Place) {
    let mut answered = false;
    // A tracker that checks a peer often waits for an answer before it sends its peer id. A peer that sends everything
    // at once is answered by the manager, because it may not be welcome.
    let named = |line: &Line, info_hash: InfoHash| match around.directory.find(&info_hash) {
        Some(_) => {
            answered = true;
            send_handshake(around, line, addr, info_hash)
        }
        None => Err(io::Error::other(format!("asks for {info_hash}, which is not here"))),
    };
    let deadline = Instant::now() + HANDSHAKE_DEADLINE;
    let greeted = greeted(around, Line::Plain(socket), addr, deadline);
    let met = match greeted.and_then(|greeted| greeted.hear_handshake(deadline, named)) {
        Ok(met) => met,
        Err(error) => {
            trace::note(addr, "no-handshake", Some(&error));
            return log::debug!("{addr}: no handshake: {error}");
        }
    };
    let info_hash = met.handshake.info_hash;
    if met.handshake.peer_id == around.peer_id {
        // This is our own connection: the thread that opened it learns this from the answer.
        if !answered {
            let _ = send_handshake(around, &met.line, addr, info_hash);
        }
        return log::debug!("{addr}: it is ourselves");
    }
    match around.directory.find(&info_hash) {
        Some(listed) => run(around, listed.torrent(), addr, met, Some(Caller { place, answered })),
        None => log::debug!("{addr}: asks for {info_hash}, which is not here"),
    }
}

fn send_handshake(around: &Surroundings, line: &Line, addr: SocketAddr, info_hash: InfoHash) -> io::Result<()> {
    let mut ours = around.handshake(info_hash);
    trace::handshake(Way::Out, addr, &ours);
    line.send_all(&mut ours, false, HANDSHAKE_DEADLINE)
}

/// The handshake is complete: starts the writer, tells the manager, and reads until the end. `caller`: the peer
/// connected to us.
fn run(around: &Surroundings, torrent: TorrentId, addr: SocketAddr, met: Met, caller: Option<Caller>) {
    let Met { line, cover, handshake, early } = met;
    if trace::is_on() {
        trace::handshake(Way::In, addr, &handshake.emit());
    }
    let line = Arc::new(line);
    let outgoing = caller.is_none();
    let answered = caller.as_ref().is_none_or(|caller| caller.answered);
    let peer = around.directory.name_peer();
    // The torrent may have ended while the connection was being opened.
    let listed = around.directory.find(&handshake.info_hash).ok_or_else(|| io::Error::other("the torrent ended"));
    let prepared = listed.and_then(|listed| {
        line.set_read_timeout(SILENCE)?;
        line.set_write_timeout(WRITE_TIMEOUT)?;
        line.set_prompt()?;
        let ours = (!answered).then(|| around.handshake(handshake.info_hash));
        let outbox = Arc::new(Outbox::new(addr, Arc::clone(&line), ours, handshake.reserved.fast()));
        let server = Arc::new(Server { around: around.clone(), peer, listed, outbox });
        writer::start(&server)?;
        Ok(server)
    });
    let server = match prepared {
        Ok(prepared) => prepared,
        // The peer did its part; what is missing now (a thread, or the torrent) is missing here.
        Err(error) if outgoing => return connect_failed(around, torrent, addr, &error, true),
        Err(error) => return log::debug!("{addr}: {error}"),
    };
    log::debug!("{addr} > {handshake} encryption {}", cover.name());
    let outbox = Arc::clone(&server.outbox);
    let _ = around.manager.send(Input::Connected { peer, torrent, addr, outgoing, cover, handshake, outbox });
    drop(caller.map(|caller| caller.place));
    let mut wire = Wire::new(&line, &early, addr, peer, server.pieces(), around, Some(&server));
    drop(early);
    let ended = wire.run();
    log::debug!("{addr}: closed: {ended}");
    trace::note(addr, "closed", Some(&ended));
}

#[cfg(test)]
mod tests;
