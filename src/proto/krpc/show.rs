//! A packet as one line, in the style in which tcpdump shows DNS: the transaction, then `method? what`, or what came
//! back.

use super::{Answer, Body, Packet, Query, Transaction, Want};
use crate::base::hex::to_hex;
use crate::base::path::for_terminal;
use std::fmt;

/// Its bytes as hex digits.
impl fmt::Display for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(self.bytes()))
    }
}

impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One line, safe on a terminal.
impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.transaction)?;
        match &self.body {
            Body::Query { from, read_only, query } => {
                write!(f, "{query}, from {from}{}", if *read_only { ", read-only" } else { "" })?;
            }
            Body::Answer(answer) => write!(f, "{answer}")?,
            Body::Error { code, text } => write!(f, "error {code} {}", for_terminal(text))?,
        }
        if let Some([name @ .., high, low]) = self.version {
            write!(f, ", by {} {high:02x}{low:02x}", name.escape_ascii())?;
        }
        self.ip.iter().try_for_each(|ip| write!(f, ", to {ip}"))
    }
}

/// `get_peers? 0123…, n4 n6, scrape`.
impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}?", self.method())?;
        let families = |want: &Option<Want>| match want {
            Some(Want { n4: true, n6: true }) => ", n4 n6",
            Some(Want { n4: true, n6: false }) => ", n4",
            Some(Want { n4: false, n6: true }) => ", n6",
            _ => "",
        };
        let flag = |is: &bool, name| if *is { name } else { "" };
        match self {
            Query::Ping => Ok(()),
            Query::FindNode { target, want } | Query::Sample { target, want } => {
                write!(f, " {target}{}", families(want))
            }
            Query::GetPeers { info_hash, want, scrape, no_seed } => {
                let (scrape, no_seed) = (flag(scrape, ", scrape"), flag(no_seed, ", no seeds"));
                write!(f, " {info_hash}{}{scrape}{no_seed}", families(want))
            }
            Query::Announce { info_hash, port, implied_port, token, seed } => {
                let (implied, seed) = (flag(implied_port, " or as seen"), flag(seed, ", seed"));
                write!(f, " {info_hash}, port {port}{implied}, token {}{seed}", to_hex(token))
            }
            Query::Other { target, .. } => target.iter().try_for_each(|target| write!(f, " {target}")),
        }
    }
}

/// `from 0123…, 8 nodes, 3 peers, token 0a0b`.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "from {}", self.id)?;
        for (number, name) in [(self.nodes.len(), "nodes"), (self.peers.len(), "peers")] {
            if number > 0 {
                write!(f, ", {number} {name}")?;
            }
        }
        if let Some(token) = &self.token {
            write!(f, ", token {}", to_hex(token))?;
        }
        if let Some(samples) = &self.samples {
            let (some, num, interval) = (samples.info_hashes.len(), samples.num, samples.interval);
            write!(f, ", {some} of {num} torrents, more after {interval} s")?;
        }
        if let Some(filters) = &self.filters {
            write!(f, ", about {:.0} seeds and {:.0} others", filters.0.estimate(), filters.1.estimate())?;
        }
        Ok(())
    }
}
