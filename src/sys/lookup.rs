//! Looks up host names within a deadline.
//!
//! Floor 3. The system's resolver has no deadline. So a thread asks it, and is left behind if it takes too long. The
//! number of such threads is limited.

use crate::base::url::punycode::ascii_host;
use core::net::SocketAddr;
use std::net::ToSocketAddrs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Most host names that are looked up at once; others are ignored.
pub const MOST_HOSTS: usize = 8;
/// How long a lookup may take. Usually it takes less than a second.
const DEADLINE: Duration = Duration::from_secs(5);
/// Most threads that look up names, with those that were left behind.
const MOST_THREADS: usize = 32;
/// Stack of such a thread. The C library's resolver has its buffers there.
const STACK_BYTES: usize = 128 * 1024;

/// The addresses of `hosts` (name and port) that are found in time. Those of one host are in the system's order of
/// preference.
pub fn look_up(hosts: Vec<(String, u16)>) -> Vec<SocketAddr> {
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    look_up_with(&THREADS, hosts, DEADLINE, |host, port| {
        (&*ascii_host(host), port).to_socket_addrs().map_or(Vec::new(), Iterator::collect)
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
            // The caller may have given up.
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
    let mut found = Vec::new();
    while let Ok(addrs) = finds.recv_deadline(end) {
        found.extend(addrs.into_iter().map(|addr| SocketAddr::new(addr.ip().to_canonical(), addr.port())));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    static THREADS: AtomicUsize = AtomicUsize::new(0);

    #[test]
    fn lookups_are_limited_in_number_and_time() {
        let one = SocketAddr::from(([10, 0, 0, 1], 1));
        let hosts = |count: usize| vec![("host".to_string(), 1); count];
        assert_eq!(look_up_with(&THREADS, hosts(20), DEADLINE, move |_, _| vec![one]).len(), MOST_HOSTS);
        assert!(look_up_with(&THREADS, hosts(0), DEADLINE, move |_, _| vec![one]).is_empty());
        // A resolver that finds one name and hangs at the next one: its thread is left behind, and the first name
        // counts.
        let (gate, hang) = crossbeam_channel::bounded::<()>(0);
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
            assert!(THREADS.load(Ordering::Relaxed) <= MOST_THREADS, "no more threads than allowed");
        }
        drop(gate);
        let end = Instant::now() + Duration::from_secs(30);
        while THREADS.load(Ordering::Relaxed) > 0 {
            assert!(Instant::now() < end, "the threads end when the resolver does");
            thread::yield_now();
        }
    }
}
