//! The ways into the DHT: nodes that a person or a torrent names, and well-known ones, which are asked only if we know
//! too few others.
//!
//! Floor 3, part of [`udp`](super).

use crate::base::network::is_near;
use crate::base::time::Time;
use crate::engine::config::Dht as Options;
use crate::swarm::dht::Rhythm;
use core::net::IpAddr;

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
    match options.nodes.is_empty() {
        true => ROUTERS.map(|(host, port)| (host.to_string(), port)).into(),
        false => options.nodes.clone(),
    }
}

/// Whether each host that a person named is in this machine or its network: then all of the DHT is there.
pub fn is_local(options: &Options) -> bool {
    let is_local =
        |host: &str| host == "localhost" || host.trim_matches(['[', ']']).parse().is_ok_and(|ip: IpAddr| is_near(ip));
    !options.nodes.is_empty() && options.nodes.iter().all(|(host, _)| is_local(host))
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
}
