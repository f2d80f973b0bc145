//! A peer's reader thread: opens or accepts the connection, shakes hands, then reads messages until the end.
//!
//! Floor 3. It also sends the blocks that the peer requests, as long as the socket takes them at once. [`wire`](super::wire)
//! turns bytes into messages.

use super::around::{STACK_BYTES, Surroundings, WRITE_TIMEOUT};
use super::outbox::Outbox;
use super::server::Server;
use super::shaking::Place;
use super::wire::Wire;
use super::writer;
use crate::engine::input::Input;
use crate::proto::id::InfoHash;
use crate::proto::peer::handshake::{self, Handshake};
use crate::storage::TorrentId;
use crate::swarm::event::Event;
use crate::sys::{is_one_of, outlet};
use core::net::SocketAddr;
use rustix::io::Errno;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// How long opening a connection may take (libtorrent: 10 to 15 s).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the whole handshake may take, however slowly it arrives (libtorrent, rain: 10 s).
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);
/// Silence after which a peer is dropped. Others send keep-alives at least every 120 s.
const SILENCE: Duration = Duration::from_secs(180);
/// This machine lacks what a connection needs, so the peer is not to blame.
const OUR_FAULTS: [Errno; 4] = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];

/// Opens a connection for a torrent, on its own thread. The result goes to the manager. An error means that no thread
/// could be started.
pub fn connect(around: &Surroundings, torrent: TorrentId, info_hash: InfoHash, addr: SocketAddr) -> io::Result<()> {
    let around = around.clone();
    let run = move || match shake_first(&around, info_hash, addr) {
        Ok((socket, handshake)) => run(&around, torrent, addr, socket, handshake, None),
        Err(error) => connect_failed(&around, torrent, addr, &error, is_one_of(&error, &OUR_FAULTS)),
    };
    thread::Builder::new().name("reader".into()).stack_size(STACK_BYTES).spawn(run)?;
    Ok(())
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
    let _ = around.manager.send(Input::Torrent { torrent, event: Event::ConnectFailed { addr, our_fault } });
}

/// Handles a connection that a peer opened; to be called on its own thread. `place` is free again when the handshake is
/// over and, if it succeeded, the manager knows about the connection.
pub fn accept(around: &Surroundings, socket: TcpStream, addr: SocketAddr, place: Place) {
    let mut answered = false;
    // A tracker that checks a peer often waits for an answer before it sends its peer id. A peer that sends everything
    // at once is answered by the manager, because it may not be welcome.
    let named = |info_hash: InfoHash| match around.directory.find(&info_hash) {
        Some(_) => {
            answered = true;
            (&socket).write_all(&around.handshake(info_hash))
        }
        None => Err(io::Error::other(format!("asks for {info_hash}, which is not here"))),
    };
    match hear_handshake(&socket, Instant::now() + HANDSHAKE_DEADLINE, named) {
        // This is our own connection: the thread that opened it learns this from the answer.
        Ok(handshake) if handshake.peer_id == around.peer_id => {
            if !answered {
                let _ = (&socket).write_all(&around.handshake(handshake.info_hash));
            }
            log::debug!("{addr}: it is ourselves");
        }
        Ok(handshake) => match around.directory.find(&handshake.info_hash) {
            Some(listed) => {
                run(around, listed.torrent(), addr, Arc::new(socket), handshake, Some(Caller { place, answered }));
            }
            None => log::debug!("{addr}: asks for {}, which is not here", handshake.info_hash),
        },
        Err(error) => log::debug!("{addr}: no handshake: {error}"),
    }
}

/// Connects, sends our handshake and reads the peer's. Ends early if the torrent ends.
fn shake_first(
    around: &Surroundings,
    info_hash: InfoHash,
    addr: SocketAddr,
) -> io::Result<(Arc<TcpStream>, Handshake)> {
    let socket = Arc::new(outlet::get().stream(addr)?);
    let opening = &around.directory.opening;
    opening.add(info_hash, &socket);
    let shaken = shake_on(around, &socket, info_hash, addr);
    opening.remove(&socket);
    Ok((socket, shaken?))
}

fn shake_on(
    around: &Surroundings,
    mut socket: &TcpStream,
    info_hash: InfoHash,
    addr: SocketAddr,
) -> io::Result<Handshake> {
    if around.directory.find(&info_hash).is_none() {
        return Err(io::Error::other("the torrent ended"));
    }
    outlet::get().connect(socket, addr, CONNECT_TIMEOUT)?;
    socket.write_all(&around.handshake(info_hash))?;
    let handshake = hear_handshake(socket, Instant::now() + HANDSHAKE_DEADLINE, |_| Ok(()))?;
    if handshake.info_hash != info_hash {
        return Err(io::Error::other("it answers with another info-hash"));
    }
    Ok(handshake)
}

/// Reads a handshake that must be complete before `deadline`. If the peer id comes later than the rest, `named` gets
/// the info-hash first.
fn hear_handshake(
    mut socket: &TcpStream,
    deadline: Instant,
    named: impl FnOnce(InfoHash) -> io::Result<()>,
) -> io::Result<Handshake> {
    let mut bytes = [0; handshake::LEN];
    let (mut filled, mut named) = (0, Some(named));
    while filled < bytes.len() {
        if filled >= handshake::PEER_ID_AT
            && let Some(named) = named.take()
        {
            named(Handshake::parse(&bytes).map_err(io::Error::other)?.info_hash)?;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        socket.set_read_timeout(Some(left))?;
        match socket.read(&mut bytes[filled..]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Handshake::parse(&bytes).map_err(io::Error::other)
}

/// The handshake is complete: starts the writer, tells the manager, and reads until the end. `caller`: the peer
/// connected to us.
fn run(
    around: &Surroundings,
    torrent: TorrentId,
    addr: SocketAddr,
    socket: Arc<TcpStream>,
    handshake: Handshake,
    caller: Option<Caller>,
) {
    let outgoing = caller.is_none();
    let answered = caller.as_ref().is_none_or(|caller| caller.answered);
    let peer = around.directory.name_peer();
    // The torrent may have ended while the connection was being opened.
    let listed = around.directory.find(&handshake.info_hash).ok_or_else(|| io::Error::other("the torrent ended"));
    let prepared = listed.and_then(|listed| {
        socket.set_read_timeout(Some(SILENCE))?;
        socket.set_write_timeout(Some(WRITE_TIMEOUT))?;
        socket.set_nodelay(true)?;
        let ours = (!answered).then(|| around.handshake(handshake.info_hash));
        let outbox = Arc::new(Outbox::new(addr, Arc::clone(&socket), ours, handshake.reserved.fast()));
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
    log::debug!("{addr} > {handshake}");
    let outbox = Arc::clone(&server.outbox);
    let _ = around.manager.send(Input::Connected { peer, torrent, addr, outgoing, handshake, outbox });
    drop(caller.map(|caller| caller.place));
    let mut wire = Wire::new(&socket, addr, peer, server.pieces(), around, Some(&server));
    let ended = wire.run();
    log::debug!("{addr}: closed: {ended}");
}

#[cfg(test)]
mod tests;
