//! A visit to the DHT without a run: for the commands that look around there.
//!
//! Floor 4, part of [`dht`](super).

use crate::base::time::Time;
use crate::cli::options::typed;
use crate::engine::config::Dht as Options;
use crate::engine::udp::bootstrap::{self, Saved};
use crate::engine::udp::nodes::Nodes;
use crate::proto::id::InfoHash;
use crate::swarm::dht::{Goal, Outcome, Progress, Step};
use crate::sys::outlet;
use core::net::SocketAddr;
use std::io;
use std::path::Path;

/// A lookup begins when this many good nodes are known ...
const ENOUGH: usize = bootstrap::FEW;
/// ... or after this time, ...
const PATIENCE: Time = Time::from_secs(8);
/// ... but not before this, because the first nodes have to answer.
const LEAST: Time = Time::from_secs(1);
/// Between two looks at whether enough nodes are known.
const LOOK: Time = Time::from_millis(100);

/// A visit. It ends when this is dropped.
pub struct Visit {
    nodes: Nodes,
}

impl Visit {
    /// Binds the UDP sockets to `port`; 0: the system chooses. `states`: the folder in which runs save their nodes.
    pub fn begin(port: u16, options: &Options, states: Option<&Path>) -> io::Result<Visit> {
        let saved = states.map_or_else(Saved::default, |states| Saved::load(states, options));
        let mut nodes = Nodes::open(port, options, &saved)?;
        nodes.meet(if options.nodes.is_empty() { saved.nodes } else { Vec::new() }, false);
        Ok(Visit { nodes })
    }

    /// Enters through the nodes of `options`, or through well-known ones, and waits until some are known. An error says
    /// why none is.
    pub fn enter(&mut self, options: &Options) -> Result<(), String> {
        let hosts = bootstrap::hosts(options);
        if options.nodes.is_empty() {
            self.nodes.meet(outlet::get().look_up(hosts), true);
            let why = || "no node of the DHT answers; name one with --dht-node".to_string();
            return self.wait_for_nodes().then_some(()).ok_or_else(why);
        }
        let (mut asked, mut problems) = (Vec::new(), Vec::new());
        for host in hosts {
            let addrs = addresses(&host);
            if addrs.is_empty() {
                problems.push(no_address(&host))
            } else {
                asked.push(shown(&host))
            }
            self.nodes.meet(addrs, false);
        }
        if !asked.is_empty() {
            if self.wait_for_nodes() {
                return Ok(());
            }
            problems.push(format!("no node answers: {}", asked.join(", ")));
        }
        Err(problems.join("\n"))
    }

    /// Waits until some nodes are known. Returns whether any is.
    fn wait_for_nodes(&mut self) -> bool {
        let end = self.nodes.now() + PATIENCE;
        let least = self.nodes.now() + LEAST;
        loop {
            let (figures, now) = (self.nodes.figures(), self.nodes.now());
            let is_over = now >= least && (figures.lookups == 0 && figures.good > 0 || figures.good >= ENOUGH);
            if is_over || now >= end {
                return figures.good > 0;
            }
            self.nodes.wait(None, Some(now + LOOK));
            self.nodes.work();
        }
    }

    /// Seeks, and tells `on` what happens, until it is over. Returns what came of it in each family that was asked.
    pub fn seek(&mut self, goal: &Goal, on: &mut dyn FnMut(&Step)) -> Vec<Outcome> {
        let ticket = ticket_of(goal);
        self.nodes.seek(ticket, goal);
        let mut outcomes = Vec::new();
        loop {
            for Progress { step, .. } in self.nodes.work() {
                on(&step);
                if let Step::Over(outcome) = step {
                    outcomes.push(outcome);
                }
            }
            if !self.nodes.is_seeking(ticket) {
                return outcomes;
            }
            self.nodes.wait(None, Some(self.nodes.now() + PATIENCE));
        }
    }
}

/// The ticket of what is sought, one thing at a time: the torrent, so that the trace names it; zeros if it is none.
fn ticket_of(goal: &Goal) -> InfoHash {
    match goal {
        Goal::Peers { info_hash, .. } | Goal::Scrape(info_hash) => *info_hash,
        Goal::Ping(_) | Goal::Nodes(_) => InfoHash([0; 20]),
    }
}

/// The addresses of `host`.
pub fn addresses(host: &(String, u16)) -> Vec<SocketAddr> {
    outlet::get().look_up(vec![host.clone()])
}

/// Says that it has none.
pub fn no_address(host: &(String, u16)) -> String {
    format!("{} has no address", typed::shown(&host.0))
}

/// A node as a person names it.
fn shown((host, port): &(String, u16)) -> String {
    let host = if host.contains(':') { format!("[{host}]") } else { typed::shown(host) };
    format!("{host}:{port}")
}
