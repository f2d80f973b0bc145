//! Checks whether peers can be connected to (`--nat-check`). Other peers are not told of those that can't.
//!
//! Floor 3. A new peer stays hidden until the tracker has connected to the address its announce came from and the port
//! it named. A few threads do that. If too many peers wait, a peer is checked at its next announce.

use super::shared::Shared;
use crate::sys::outlet;
use core::net::SocketAddr;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// Threads that connect.
const THREADS: usize = 4;
/// How long a peer may take to accept a connection (libtorrent waits 10 s; a peer that needs half of that is too slow).
const DEADLINE: Duration = Duration::from_secs(5);
/// Stack of a thread, which only connects.
const STACK_BYTES: usize = 64 << 10;

/// Starts the threads, if the option asks for them.
pub fn start(shared: &Arc<Shared>) -> io::Result<()> {
    for _ in 0..if shared.config.nat_check { THREADS } else { 0 } {
        let shared = Arc::clone(shared);
        let run = move || {
            while let Some((info_hash, addr)) = shared.checks.next() {
                let reachable = connects(addr);
                log::debug!("{addr}: {}", if reachable { "can be reached" } else { "can't be reached" });
                shared.registry().set_reachable(&info_hash, addr, reachable);
            }
        };
        thread::Builder::new().name("nat".into()).stack_size(STACK_BYTES).spawn(run)?;
    }
    Ok(())
}

fn connects(addr: SocketAddr) -> bool {
    let outlet = outlet::get();
    outlet.stream(addr).and_then(|stream| outlet.connect(&stream, addr, DEADLINE)).is_ok()
}
