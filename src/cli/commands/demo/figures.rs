//! What is known of a swarm at one moment, and what follows from it: how many copies there are, whether a piece is
//! lost, and how fast any swarm could be.
//!
//! Floor 4, part of [`demo`](super). Pure: the screen, the lines, the summary and the picture are drawn from this.

use crate::base::time::Time;
use crate::proto::peer::bitfield::Bitfield;

/// What a peer is in the demo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It has everything from the beginning.
    Seed,
    /// It begins with nothing, and gives while it takes.
    Leecher,
    /// It takes, and unchokes nobody.
    FreeRider,
}

impl Kind {
    /// The word for it in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Seed => "seed",
            Kind::Leecher => "leecher",
            Kind::FreeRider => "free-rider",
        }
    }
}

/// A peer at one moment. Sizes are in bytes, rates in bytes a second.
#[derive(Clone, Debug)]
pub struct Peer {
    /// What it is.
    pub kind: Kind,
    /// The port that it listens on.
    pub port: u16,
    /// The pieces that it has; none before it has joined the swarm.
    pub have: Bitfield,
    /// How fast it takes.
    pub down_rate: u64,
    /// How fast it gives.
    pub up_rate: u64,
    /// What it took so far.
    pub taken: u64,
    /// What it gave so far.
    pub given: u64,
    /// The numbers of the peers that it unchokes and that want something.
    pub serves: Vec<usize>,
    /// When it had all pieces, if it began with none.
    pub complete_at: Option<Time>,
    /// It has left the swarm.
    pub is_gone: bool,
    /// How many thousandths of the pieces it had, and when.
    pub history: Vec<(Time, u16)>,
}

impl Peer {
    /// A peer that does nothing yet.
    pub fn new(kind: Kind) -> Peer {
        Peer {
            kind,
            port: 0,
            have: Bitfield::new(0),
            down_rate: 0,
            up_rate: 0,
            taken: 0,
            given: 0,
            serves: Vec::new(),
            complete_at: None,
            is_gone: false,
            history: Vec::new(),
        }
    }

    /// Whether it has all pieces.
    pub fn is_complete(&self) -> bool {
        !self.have.is_empty() && self.have.is_full()
    }

    /// Notes how much it has. A change of less than [`STEP`] is left out, so that the list is short. If nothing was
    /// noted for a while, the change comes at its end.
    pub fn remember(&mut self, now: Time) {
        let (had, all) = (u64::from(self.have.count()), u64::from(self.have.len().max(1)));
        // At most 1000.
        let share = (had * 1000 / all) as u16;
        let (at, last) = self.history.last().copied().unwrap_or_default();
        if share >= last + STEP || share == 1000 && last < 1000 {
            if now.saturating_sub(at) > PAUSE {
                self.history.push((now, last));
            }
            self.history.push((now, share));
        }
    }
}

/// The smallest change of the pieces that is remembered, in thousandths.
const STEP: u16 = 5;
/// A longer time between two changes is a pause.
const PAUSE: Time = Time::from_secs(1);

/// The swarm at one moment.
pub struct Swarm {
    /// Bytes of content.
    pub size: u64,
    /// The number of pieces.
    pub pieces: u32,
    /// How fast each peer may give, in bytes a second. Free-riders give nothing.
    pub rate: u64,
    /// The time since the leechers began.
    pub time: Time,
    /// The peers. The seed has number 0.
    pub peers: Vec<Peer>,
}

impl Swarm {
    /// The peers that begin with nothing.
    pub fn leechers(&self) -> impl Iterator<Item = &Peer> {
        self.peers.iter().filter(|peer| peer.kind != Kind::Seed)
    }

    /// Whether all leechers have everything.
    pub fn is_complete(&self) -> bool {
        self.leechers().all(|peer| peer.complete_at.is_some())
    }

    /// When the last leecher had everything.
    pub fn complete_at(&self) -> Option<Time> {
        self.leechers().map(|peer| peer.complete_at).max().flatten().filter(|_| self.is_complete())
    }

    /// How many peers have each piece, of those that are there and that `count`.
    fn copies_among(&self, count: impl Fn(&Peer) -> bool) -> Vec<u32> {
        let mut copies = vec![0; self.pieces as usize];
        for peer in self.peers.iter().filter(|peer| !peer.is_gone && count(peer)) {
            for (piece, copies) in (0..self.pieces.min(peer.have.len())).zip(&mut copies) {
                *copies += u32::from(peer.have.get(piece));
            }
        }
        copies
    }

    /// How many of the peers that are there have each piece.
    pub fn copies(&self) -> Vec<u32> {
        self.copies_among(|_| true)
    }

    /// Whether each piece was given to somebody, so that the seed may leave.
    pub fn is_out(&self) -> bool {
        self.copies_among(|peer| peer.kind != Kind::Seed).iter().all(|copies| *copies > 0)
    }

    /// The pieces that nobody can give any more, although somebody lacks them.
    pub fn lost(&self) -> Vec<u32> {
        let copies = self.copies_among(|peer| peer.kind != Kind::FreeRider);
        let is_lost = |piece: &u32| {
            let lacks = |peer: &Peer| !peer.have.is_empty() && !peer.have.get(*piece);
            copies.get(*piece as usize) == Some(&0) && self.leechers().any(lacks)
        };
        (0..self.pieces).filter(is_lost).collect()
    }

    /// The fluid limit: no swarm with these lines is faster, however it shares (Kumar and Ross 2006, "Peer-assisted
    /// file distribution: the minimum distribution time"). The seed needs this long to send everything once, and all
    /// lines together need this long to send everything to each leecher. A seed that has left has sent no more than it
    /// did, and the leechers have to send the rest. `None`: it takes forever.
    pub fn fluid_limit(&self) -> Option<Time> {
        let givers = self.leechers().filter(|peer| peer.kind == Kind::Leecher).count() as u128;
        let (size, rate) = (u128::from(self.size), u128::from(self.rate.max(1)));
        let all = size * self.leechers().count() as u128;
        let mut milliseconds = (size * 1000 / rate).max(all * 1000 / (rate * (givers + 1)));
        if let Some(seed) = self.peers.first().filter(|seed| seed.is_gone) {
            let rest = all.saturating_sub(seed.given.into()) * 1000;
            milliseconds = if rest == 0 { milliseconds } else { milliseconds.max(rest.checked_div(rate * givers)?) };
        }
        u64::try_from(milliseconds).ok().map(Time::from_millis)
    }
}

/// `16.3`: seconds, as exactly as the swarm is watched.
pub fn tenths(time: Time) -> String {
    format!("{}.{}", time.as_secs(), time.subsec_millis() / 100)
}

/// The name of a peer: `seed` or its number.
pub fn name(number: usize) -> String {
    if number == 0 { "seed".into() } else { number.to_string() }
}

/// The name of a peer in a list: a star marks a free-rider.
pub fn label(number: usize, kind: Kind) -> String {
    format!("{:>2}{}", name(number), if kind == Kind::FreeRider { "*" } else { "" })
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A swarm of four pieces and 4000 bytes, each line with 1000 bytes a second.
    pub fn swarm(peers: &[(Kind, &[u32])]) -> Swarm {
        let peer = |(kind, pieces): &(Kind, &[u32])| {
            let mut peer = Peer { have: Bitfield::new(4), ..Peer::new(*kind) };
            pieces.iter().for_each(|piece| {
                peer.have.set(*piece);
            });
            peer
        };
        let peers = peers.iter().map(peer).collect();
        Swarm { size: 4000, pieces: 4, rate: 1000, time: Time::from_secs(3), peers }
    }

    const ALL: &[u32] = &[0, 1, 2, 3];

    #[test]
    fn a_piece_is_lost_if_only_free_riders_have_it() {
        let riders = [(Kind::Seed, ALL), (Kind::Leecher, &[0, 1, 2]), (Kind::FreeRider, &[3])];
        let mut swarm = swarm(&riders);
        assert!(swarm.is_out() && swarm.lost().is_empty());
        assert_eq!(swarm.copies(), [2; 4]);
        swarm.peers[0].is_gone = true;
        assert_eq!(swarm.lost(), [3]);
        assert_eq!(swarm.copies(), [1; 4]);
        swarm.peers[1].have.set(3);
        swarm.peers[2].have.clear(3);
        assert!(swarm.lost().is_empty());
    }

    #[test]
    fn the_fluid_limit_is_that_of_the_seed_or_that_of_all_lines() {
        let limit = |peers: &[(Kind, &[u32])]| swarm(peers).fluid_limit().map(|time| time.as_millis());
        let (seed, leecher, rider) = ((Kind::Seed, ALL), (Kind::Leecher, ALL), (Kind::FreeRider, ALL));
        assert_eq!(limit(&[seed, leecher, leecher]), Some(4000), "the seed has to send everything once");
        assert_eq!(limit(&[seed, leecher, rider, rider]), Some(6000), "two lines for three copies");
        assert_eq!(limit(&[seed, rider]), Some(4000));
        let mut left = swarm(&[seed, leecher, leecher, leecher]);
        (left.peers[0].is_gone, left.peers[0].given) = (true, 6000);
        assert_eq!(left.fluid_limit(), Some(Time::from_secs(4)));
        left.peers[0].given = 0;
        assert_eq!(left.fluid_limit(), Some(Time::from_secs(4)));
        left.peers.truncate(2);
        left.peers[1].kind = Kind::FreeRider;
        assert_eq!(left.fluid_limit(), None, "nobody gives the rest");
        left.peers[0].given = 4000;
        assert_eq!(left.fluid_limit(), Some(Time::from_secs(4)), "there is no rest");
    }

    #[test]
    fn the_history_of_a_peer_is_short() {
        let mut peer = Peer { have: Bitfield::new(1000), ..Peer::new(Kind::Leecher) };
        for piece in 0..1000 {
            peer.have.set(piece);
            peer.remember(Time::from_millis(piece.into()));
        }
        assert_eq!(peer.history.len(), 200);
        assert_eq!(peer.history[..2], [(Time::from_millis(4), 5), (Time::from_millis(9), 10)]);
        let mut slow = Peer { have: Bitfield::full(1), ..Peer::new(Kind::Leecher) };
        slow.remember(Time::from_secs(9));
        assert_eq!(slow.history, [(Time::from_secs(9), 0), (Time::from_secs(9), 1000)]);
    }
}
