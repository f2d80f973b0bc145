//! A packet as one line, in the style in which tcpdump shows DNS: the transaction, then `method? what`, or what came
//! back.

use super::{Body, Filters, Packet, Query, Samples};
use crate::base::hex::to_hex;
use crate::base::path::for_terminal;
use std::fmt;

/// One line, safe on a terminal: `6161 get_peers? 0123..., from 4567...`,
/// `6161 from 89ab..., 8 nodes, 3 peers, a token`.
impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", to_hex(&self.transaction))?;
        match &self.body {
            Body::Query { from, read_only, query, .. } => {
                write!(f, "{}?", query.method())?;
                match query {
                    Query::Ping => {}
                    Query::FindNode(target) | Query::Sample(target) => write!(f, " {target}")?,
                    Query::GetPeers { info_hash, .. } => write!(f, " {info_hash}")?,
                    Query::Announce { info_hash, port, .. } => write!(f, " {info_hash} at port {port}")?,
                }
                write!(f, ", from {from}{}", if *read_only { ", read-only" } else { "" })
            }
            Body::Answer(answer) => {
                write!(f, "from {}, {} nodes, {} peers", answer.id, answer.nodes.len(), answer.peers.len())?;
                write!(f, "{}", if answer.token.is_some() { ", a token" } else { "" })?;
                if let Some(Samples { torrents, some }) = &answer.samples {
                    write!(f, ", {} of {torrents} torrents", some.len())?;
                }
                if let Some(Filters { seeds, peers }) = answer.filters.as_deref() {
                    write!(f, ", about {} seeds and {} others", seeds.estimate(), peers.estimate())?;
                }
                Ok(())
            }
            Body::Error { code, text } => write!(f, "error {code} {}", for_terminal(text)),
        }
    }
}
