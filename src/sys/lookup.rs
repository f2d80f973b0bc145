//! Looks up host names, of trackers and of peers that a tracker names so, for so long and no longer.
//!
//! Floor 3. BEP 3 allows such peers. The system's resolver can't be told when to give up, so a thread asks it and is left to
//! itself when time is up; there are only so many of these.

use crate::proto::tracker::compact::canonical;
use core::net::SocketAddr;
use std::net::ToSocketAddrs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Host names in one reply that are looked up; each may take long.
const MOST_HOSTS: usize = 8;
/// How long a reply may wait for its host names: those of live peers are found in less.
const DEADLINE: Duration = Duration::from_secs(5);
/// Threads that look names up, or have yet to hear that nobody waits any more.
const MOST_THREADS: usize = 32;
/// Stack of such a thread: the resolver of the C library takes its buffers from there.
const STACK_BYTES: usize = 128 * 1024;

/// The addresses of `hosts`, as many as are found in time; those of one host in the system's order of preference.
pub fn look_up(hosts: Vec<(String, u16)>) -> Vec<SocketAddr> {
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    look_up_with(&THREADS, hosts, DEADLINE, |host, port| {
        (host, port).to_socket_addrs().map_or(Vec::new(), Iterator::collect)
    })
}

fn look_up_with(
    threads: &'static AtomicUsize,
    mut hosts: Vec<(String, u16)>,
    deadline: Duration,
    resolve: impl Fn(&str, u16) -> Vec<SocketAddr> + Send + 'static,
) -> Vec<SocketAddr> {
    hosts.truncate(MOST_HOSTS);
    if hosts.is_empty() {
        return Vec::new();
    }
    if threads.fetch_add(1, Ordering::Relaxed) >= MOST_THREADS {
        threads.fetch_sub(1, Ordering::Relaxed);
        return Vec::new();
    }
    let end = Instant::now() + deadline;
    let (found, finds) = crossbeam_channel::bounded(MOST_HOSTS);
    let run = move || {
        for (host, port) in hosts {
            // Whoever asked may have gone.
            if found.send(resolve(&host, port)).is_err() {
                break;
            }
        }
        threads.fetch_sub(1, Ordering::Relaxed);
    };
    if let Err(error) = thread::Builder::new().name("lookup".into()).stack_size(STACK_BYTES).spawn(run) {
        log::warn!("can't start a thread to look up host names: {error}");
        threads.fetch_sub(1, Ordering::Relaxed);
    }
    let mut peers = Vec::new();
    while let Ok(addrs) = finds.recv_deadline(end) {
        peers.extend(addrs.into_iter().map(canonical));
    }
    peers
}

#[cfg(test)]
mod tests {
    use super::*;

    static THREADS: AtomicUsize = AtomicUsize::new(0);

    #[test]
    fn names_are_looked_up_but_only_so_many_and_for_so_long() {
        let one = SocketAddr::from(([10, 0, 0, 1], 1));
        let hosts = |count: usize| vec![("host".to_string(), 1); count];
        assert_eq!(look_up_with(&THREADS, hosts(20), DEADLINE, move |_, _| vec![one]).len(), MOST_HOSTS);
        assert!(look_up_with(&THREADS, hosts(0), DEADLINE, move |_, _| vec![one]).is_empty());
        // A resolver that finds one name and hangs at the next: what was found counts, and it is left to itself.
        let (gate, hang) = crossbeam_channel::bounded::<()>(0);
        let begun = Instant::now();
        for _ in 0..2 * MOST_THREADS {
            let hang = hang.clone();
            let resolve = move |_: &str, port| {
                if port == 2 {
                    let _ = hang.recv();
                }
                vec![one]
            };
            let peers =
                look_up_with(&THREADS, vec![("a".into(), 1), ("b".into(), 2)], Duration::from_millis(20), resolve);
            assert!(peers.len() <= 1);
            assert!(THREADS.load(Ordering::Relaxed) <= MOST_THREADS, "no more threads than there may be");
        }
        assert!(begun.elapsed() < DEADLINE);
        drop(gate);
        let end = Instant::now() + Duration::from_secs(30);
        while THREADS.load(Ordering::Relaxed) > 0 {
            assert!(Instant::now() < end, "the threads end when the resolver does");
            thread::yield_now();
        }
    }
}
