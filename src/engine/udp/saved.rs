//! The file that remembers the nodes from one run to the next, so that no well-known node has to be asked.
//!
//! Floor 3, part of [`udp`](super). It is plain text, a line for each thing:
//!
//! ```text
//! port 6881
//! id4 9e3f...                  our ids, which fit the addresses that we had
//! id6 04b1...
//! 198.51.100.7:6881            nodes that answered lately
//! [2001:db8::7]:51413
//! ```
//!
//! An id belongs to its port: two processes that share a folder must not share an id.

use super::bootstrap;
use crate::base::hex::{from_hex, to_hex};
use crate::engine::config::Dht as Options;
use crate::proto::krpc::NodeId;
use crate::sys::read_most;
use core::net::SocketAddr;
use std::io::ErrorKind;
use std::path::Path;

/// The file's name, in the folder of the states. A DHT in the local network has a file of its own, because its nodes
/// are no way into that of the world.
pub fn name(options: &Options) -> &'static str {
    if bootstrap::is_local(options) { "dht-local.nodes" } else { "dht.nodes" }
}

/// Bytes that are read: more than the longest file has, in which there are some 400 nodes.
const MOST_BYTES: u64 = 64 * 1024;

/// What the file says.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
pub struct Saved {
    /// The port of the run that wrote it.
    pub port: u16,
    /// Its ids, of IPv4 and of IPv6.
    pub ids: [Option<NodeId>; 2],
    /// The nodes.
    pub nodes: Vec<SocketAddr>,
}

impl Saved {
    /// Reads the file in `folder`. Of a file that is broken the whole lines count.
    pub fn load(folder: &Path, options: &Options) -> Saved {
        let read = read_most(&folder.join(name(options)), MOST_BYTES);
        if let Some(error) = read.as_ref().err().filter(|error| error.kind() != ErrorKind::NotFound) {
            log::warn!("can't read {}: {error}", name(options));
        }
        Saved::parse(&String::from_utf8_lossy(&read.unwrap_or_default()))
    }

    fn parse(text: &str) -> Saved {
        let mut saved = Saved::default();
        let id = |hex: &str| from_hex(hex).map(NodeId);
        for line in text.lines() {
            match line.split_once(' ') {
                Some(("port", port)) => saved.port = port.parse().unwrap_or(0),
                Some(("id4", hex)) => saved.ids[0] = id(hex),
                Some(("id6", hex)) => saved.ids[1] = id(hex),
                _ => saved.nodes.extend(line.parse::<SocketAddr>()),
            }
        }
        saved
    }

    /// The file's text.
    pub fn text(&self) -> String {
        let mut text = format!("port {}\n", self.port);
        for (name, id) in ["id4", "id6"].into_iter().zip(self.ids) {
            id.iter().for_each(|id| text += &format!("{name} {}\n", to_hex(&id.0)));
        }
        self.nodes.iter().for_each(|node| text += &format!("{node}\n"));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_saved_is_read_again() {
        let nodes: Vec<SocketAddr> = ["1.2.3.4:5", "[2001:db8::1]:6881"].map(|node| node.parse().unwrap()).into();
        let saved = Saved { port: 6881, ids: [Some(NodeId([7; 20])), None], nodes };
        assert_eq!(Saved::parse(&saved.text()), saved);
        let broken = "port x\nid4 12\nid6\n\nhello\n1.2.3.4:5\n1.2.3.4:99999\nport 7 8\n";
        assert_eq!(Saved::parse(broken), Saved { nodes: vec!["1.2.3.4:5".parse().unwrap()], ..Saved::default() });
        // A node has at most some 60 characters, so a file of nodes of both families is read to its end.
        let nodes = vec!["[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535".parse().unwrap(); 1000];
        assert!(Saved { nodes, ..saved }.text().len() < MOST_BYTES as usize);
    }
}
