//! Web seeds in words: how many are asked, and what is wrong with the others.
//!
//! Floor 4. As in [`words`](super), nothing here is escaped for a terminal yet.

use super::count;
use crate::base::units::duration;
use crate::swarm::figures::Status;
use crate::swarm::standing::Standing;

/// Why nothing arrives: `why`, and what is wrong with web seeds.
pub fn beside(status: &Status, why: String) -> String {
    let is_held_up = status.paused || status.queued || matches!(status.standing, Standing::WaitingForDisk(_));
    let nobody = status.peers + status.connecting + status.known + status.web_seeds == 0;
    match troubles(status).filter(|_| !is_held_up) {
        // The web seeds are the only source that the torrent names.
        Some(troubles) if nobody && status.trackers.is_empty() => format!("no peers; {troubles}"),
        Some(troubles) => format!("{why}; {troubles}"),
        None => why,
    }
}

/// What is wrong with web seeds, if anything is.
fn troubles(status: &Status) -> Option<String> {
    let (first, others) = status.web_seed_troubles.split_first()?;
    let again = match first.again {
        Some(after) => format!("asked again in {}", duration(after)),
        None => "not asked any more".into(),
    };
    let more = match others.len() {
        0 => String::new(),
        1 => "; another web seed fails too".into(),
        number => format!("; {number} other web seeds fail too"),
    };
    Some(format!("web seed {}: {}, {again}{more}", first.host, first.why))
}

/// Peers or web seeds, as many as `number`.
pub fn sources(status: &Status, number: u32) -> String {
    match (status.peers, status.web_seeds) {
        (_, 0) => count(number, "peer"),
        (0, _) => count(number, "web seed"),
        _ if number == 1 => "a peer or a web seed".into(),
        _ => format!("{number} peers and web seeds"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::show::words::tests::idle;
    use crate::cli::show::words::{self, why_waiting};
    use crate::swarm::figures::WebSeedStatus;
    use std::time::Duration;

    #[test]
    fn the_reason_may_be_the_web_seeds() {
        let trouble = |again: Option<u64>| WebSeedStatus {
            host: "m.example".into(),
            why: "a file is not there".into(),
            again: again.map(Duration::from_secs),
        };
        let only = Status { web_seed_troubles: [trouble(Some(30))].into(), trackers: Box::default(), ..idle() };
        assert_eq!(why_waiting(&only), "no peers; web seed m.example: a file is not there, asked again in 30 s");
        let two = Status { web_seed_troubles: [trouble(None), trouble(None)].into(), ..only.clone() };
        let told = "no peers; web seed m.example: a file is not there, not asked any more; another web seed fails too";
        assert_eq!(why_waiting(&two), told);
        let beside = Status { peers: 1, useful: 1, ..only };
        let told = "connected to 1 peer, which chokes us; web seed m.example: a file is not there, asked again in 30 s";
        assert_eq!(why_waiting(&beside), told);
        let asked = |peers, asked| Status { peers, web_seeds: 1, useful: 1, askable: 1, asked, ..idle() };
        assert_eq!(why_waiting(&asked(0, 1)), "requested from 1 web seed, nothing has arrived yet");
        assert_eq!(why_waiting(&asked(2, 1)), "requested from a peer or a web seed, nothing has arrived yet");
        assert_eq!(why_waiting(&asked(2, 3)), "requested from 3 peers and web seeds, nothing has arrived yet");
        let shown = |peers, seeds, web_seeds| words::peers(&Status { peers, seeds, web_seeds, ..idle() });
        assert_eq!(shown(0, 0, 0), "no peers");
        assert_eq!(shown(0, 0, 2), "2 web seeds");
        assert_eq!(shown(3, 1, 1), "3 peers, 1 seed, 1 web seed");
    }
}
