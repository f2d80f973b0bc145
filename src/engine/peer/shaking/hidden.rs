//! Carries out the exchange of MSE on a connection.
//!
//! Floor 3. [`mse`](crate::proto::peer::mse) decides; here bytes are read and sent, and random numbers made.

use super::HANDSHAKE_DEADLINE;
use super::hearing::{Greeted, read_within};
use crate::engine::peer::around::Surroundings;
use crate::engine::peer::line::Line;
use crate::engine::trace::peers as trace;
use crate::proto::id::InfoHash;
use crate::proto::peer::handshake;
use crate::proto::peer::mse::accepting::Accepting;
use crate::proto::peer::mse::initiating::Initiating;
use crate::proto::peer::mse::power::Pair;
use crate::proto::peer::mse::{Broken, Chance, Cover, MOST_PAD, Methods, Step};
use crate::sys::random;
use crate::sys::trace::Way;
use core::net::SocketAddr;
use std::io;
use std::time::Instant;

/// Answers a peer that connected to us and began with the bytes `came`.
pub fn accept(
    around: &Surroundings,
    line: Line,
    addr: SocketAddr,
    came: &[u8],
    deadline: Instant,
) -> io::Result<Greeted> {
    let mut exchange = Accepting::new(around.encryption(), chance(around.pairs.begin(new_pair)));
    let advance = |bytes: &[u8]| exchange.advance(bytes, |name| around.directory.find_hidden(name));
    let greeted = carry_out(line, addr, came, deadline, advance);
    around.pairs.end(exchange.unused());
    greeted
}

/// Begins an exchange for a torrent. Our handshake goes with it.
pub fn initiate(
    line: Line,
    addr: SocketAddr,
    info_hash: InfoHash,
    offered: Methods,
    ours: [u8; handshake::LEN],
    deadline: Instant,
) -> io::Result<Greeted> {
    let mut exchange = Initiating::new(info_hash, offered, ours.to_vec(), chance(new_pair()));
    carry_out(line, addr, &[], deadline, |bytes| exchange.advance(bytes))
}

fn new_pair() -> Pair {
    Pair::new(random::bytes())
}

/// These numbers, and a pad of random length.
fn chance(pair: Pair) -> Chance {
    let mut pad = random::bytes::<MOST_PAD>().to_vec();
    pad.truncate(random::bits() as usize % (MOST_PAD + 1));
    Chance { pair, pad }
}

fn carry_out(
    line: Line,
    addr: SocketAddr,
    came: &[u8],
    deadline: Instant,
    mut advance: impl FnMut(&[u8]) -> Result<Step, Broken>,
) -> io::Result<Greeted> {
    let mut came = came.to_vec();
    if !came.is_empty() {
        trace::hidden(Way::In, addr, came.len());
    }
    loop {
        let step = advance(&came).map_err(io::Error::other)?;
        came.clear();
        match step {
            Step::Receive(most) => {
                read_within(&line, &mut came, most, deadline)?;
                trace::hidden(Way::In, addr, came.len());
            }
            Step::Send(mut bytes) => {
                trace::hidden(Way::Out, addr, bytes.len());
                line.send_all(&mut bytes, false, HANDSHAKE_DEADLINE)?;
            }
            Step::Opened(opened) => {
                let (info_hash, early) = (Some(opened.info_hash), opened.early);
                return Ok(match opened.ciphers {
                    Some(ciphers) => Greeted { line: line.encrypt(ciphers), cover: Cover::Rc4, early, info_hash },
                    None => Greeted { line, cover: Cover::Handshake, early, info_hash },
                });
            }
        }
    }
}
