//! The ways into the DHT: the nodes of the last run, which a file remembers, nodes that a person or a torrent names,
//! and well-known ones, which are asked only if we know too few others.
//!
//! Floor 3, part of [`udp`](super). The file is plain text, a line for each thing:
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

use crate::base::hex::{from_hex, to_hex};
use crate::base::network::is_near;
use crate::base::time::{Rhythm, Time};
use crate::engine::config::Dht as Options;
use crate::proto::krpc::NodeId;
use crate::sys::read_most;
use core::net::SocketAddr;
use std::io::ErrorKind;
use std::path::Path;

/// Well-known nodes of libtorrent, transmission, BitTorrent, uTorrent, Vuze, and one for IPv6. (libtorrent's and
/// transmission's lists.)
const ROUTERS: [(&str, u16); 6] = [
    ("dht.libtorrent.org", 25401),
    ("dht.transmissionbt.com", 6881),
    ("router.bittorrent.com", 6881),
    ("router.utorrent.com", 6881),
    ("dht.aelitis.com", 6881),
    ("router.silotis.us", 6881),
];
/// With fewer good nodes than this, others have to help.
pub const FEW: usize = 8;
/// The nodes of the last run have this much time to answer before others are asked.
const SAVED_ALONE: Time = Time::from_secs(15);
/// Hosts are looked up again after this time, which doubles ...
const AGAIN: Time = Time::from_secs(5);
/// ... up to this.
const AGAIN_MOST: Time = Time::from_secs(3600);
/// Bytes that are read: more than the longest file has, in which there are some 400 nodes.
const MOST_BYTES: u64 = 64 * 1024;

/// When others have to help.
pub struct Entrance(Rhythm);

impl Entrance {
    /// `saved` nodes of the last run are known. If a `person` named others, those are asked at once.
    pub fn new(saved: usize, person: bool) -> Entrance {
        Entrance(Rhythm { at: if saved >= FEW && !person { SAVED_ALONE } else { Time::ZERO }, pace: AGAIN })
    }

    /// When to see again whether there are enough; `None`: there are `good` ones.
    pub fn next(&self, good: usize) -> Option<Time> {
        (good < FEW).then_some(self.0.at)
    }

    /// Whether others have to help now.
    pub fn is_due(&mut self, good: usize, now: Time) -> bool {
        let is_due = good < FEW && self.0.at <= now;
        if is_due {
            self.0.again(now, AGAIN_MOST);
        } else if good >= FEW {
            // If they are lost later, the network may be away: then it is tried at once, and less and less often.
            self.0.pace = AGAIN;
        }
        is_due
    }
}

/// The nodes that the person named; the well-known ones if none is named.
pub fn hosts(options: &Options) -> Vec<(String, u16)> {
    let well_known = ROUTERS.map(|(host, port)| (host.to_string(), port));
    if options.nodes.is_empty() { well_known.into() } else { options.nodes.clone() }
}

/// Whether each host that a person named is in this machine or its network: then all of the DHT is there.
pub fn is_local(options: &Options) -> bool {
    let is_local = |host: &str| host == "localhost" || host.trim_matches(['[', ']']).parse().is_ok_and(is_near);
    !options.nodes.is_empty() && options.nodes.iter().all(|(host, _)| is_local(host))
}

/// The file's name, in the folder of the states. A DHT in the local network has a file of its own, because its nodes
/// are no way into that of the world.
pub fn file_name(options: &Options) -> &'static str {
    if is_local(options) { "dht-local.nodes" } else { "dht.nodes" }
}

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
        let read = read_most(&folder.join(file_name(options)), MOST_BYTES);
        if let Some(error) = read.as_ref().err().filter(|error| error.kind() != ErrorKind::NotFound) {
            log::warn!("can't read {}: {error}", file_name(options));
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
    fn only_a_person_makes_local_addresses_count() {
        let are = |hosts: &[&str]| {
            let nodes = hosts.iter().map(|host| (host.to_string(), 9)).collect();
            is_local(&Options { nodes, ..Options::default() })
        };
        assert!(are(&["127.0.0.1", "localhost", "192.168.1.7", "[::1]"]) && !are(&[]));
        assert!(!are(&["127.0.0.1", "8.8.8.8"]) && !are(&["router.example"]) && !are(&["2001:db8::1"]));
    }

    #[test]
    fn others_help_at_once_later_or_less_and_less_often() {
        let at = Time::from_secs;
        let mut fresh = Entrance::new(0, false);
        assert_eq!(fresh.next(0), Some(Time::ZERO));
        let times: Vec<u64> = (0..20_000).filter(|second| fresh.is_due(0, at(*second))).collect();
        assert_eq!(times, [0, 5, 15, 35, 75, 155, 315, 635, 1275, 2555, 5115, 8715, 12315, 15915, 19515]);
        assert!(!fresh.is_due(FEW, at(99_999)) && fresh.next(FEW).is_none());
        let mut known = Entrance::new(300, false);
        assert!(!known.is_due(0, at(14)) && known.is_due(7, at(15)));
        assert!(Entrance::new(300, true).is_due(0, Time::ZERO), "a person knows better");
    }

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
