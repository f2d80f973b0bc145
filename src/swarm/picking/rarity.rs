//! The pieces that are not begun, in order of rarity: the first is the one that the fewest peers have.
//!
//! Floor 2. "Rarest first" (Cohen 2003, "Incentives Build Robustness in BitTorrent") needs the rarest piece that a peer
//! has, at each pick, among up to two million pieces. So the order is kept and never sorted: pieces of the same
//! availability are together in a bucket. When a peer joins, leaves or announces a piece, that piece swaps places with
//! the one at its bucket's border, and the border moves: O(1). A piece that is begun crosses the borders above it, at
//! most as many as there are peers. Within a bucket the order is random, so that peers with the same view do not all
//! download the same piece.

use crate::base::rng::Rng;
use crate::proto::peer::bitfield::Bitfield;

/// The place of a piece that is not in the order.
const NOWHERE: u32 = u32::MAX;

/// Pieces in order of their availability.
pub struct Rarity {
    pieces: u32,
    /// How many peers have each piece; peers that have all are not counted here. Empty while no peer is counted.
    availability: Vec<u16>,
    /// The sum of it.
    counted: u64,
    /// `None`: no piece is in the order, as in an idle seed, which needs no memory for it.
    order: Option<Box<Order>>,
}

/// The order, and where each piece is in it.
#[derive(Default)]
struct Order {
    /// The rarest first.
    pieces: Vec<u32>,
    /// The place of each piece, or [`NOWHERE`].
    place: Vec<u32>,
    /// Where the bucket of each availability starts; it ends where the next one starts.
    starts: Vec<u32>,
}

impl Rarity {
    /// The pieces that we do not `have`, in random order. No peer has any yet.
    pub fn new(have: &Bitfield, rng: &mut Rng) -> Rarity {
        let pieces = have.len();
        let mut lacked: Vec<u32> = (0..pieces).filter(|&piece| !have.get(piece)).collect();
        rng.shuffle(&mut lacked);
        let order = (!lacked.is_empty()).then(|| {
            let mut place = vec![NOWHERE; pieces as usize];
            lacked.iter().enumerate().for_each(|(at, &piece)| place[piece as usize] = at as u32);
            Box::new(Order { pieces: lacked, place, starts: vec![0] })
        });
        Rarity { pieces, availability: Vec::new(), counted: 0, order }
    }

    /// How many peers (of those that do not have all) have `piece`.
    pub fn availability(&self, piece: u32) -> u16 {
        self.availability.get(piece as usize).copied().unwrap_or(0)
    }

    /// Whether `piece` is in the order: it is missing and not begun.
    pub fn is_in_order(&self, piece: u32) -> bool {
        self.order.as_ref().is_some_and(|order| order.has(piece))
    }

    /// The pieces in their order, the rarest first.
    pub fn in_order(&self) -> &[u32] {
        self.order.as_ref().map_or(&[], |order| &order.pieces)
    }

    /// The pieces that at least this many peers have, in their order.
    pub fn in_order_from(&self, availability: usize) -> &[u32] {
        let Some(order) = &self.order else { return &[] };
        order.starts.get(availability).map_or(&[], |&start| &order.pieces[start as usize..])
    }

    /// One more peer has `piece`.
    pub fn more(&mut self, piece: u32, rng: &mut Rng) {
        let from = self.availability(piece) as usize;
        if from == u16::MAX as usize {
            return;
        }
        self.availability.resize(self.pieces as usize, 0);
        self.availability[piece as usize] += 1;
        self.counted += 1;
        if let Some(order) = self.order.as_mut().filter(|order| order.has(piece)) {
            order.up(piece, from);
            order.settle(piece, from + 1, rng);
        }
    }

    /// One peer fewer has `piece`.
    pub fn fewer(&mut self, piece: u32, rng: &mut Rng) {
        let from = self.availability(piece) as usize;
        if from == 0 {
            return;
        }
        self.availability[piece as usize] -= 1;
        self.counted -= 1;
        if let Some(order) = self.order.as_mut().filter(|order| order.has(piece)) {
            order.down(piece, from);
            order.settle(piece, from - 1, rng);
        }
        if self.counted == 0 {
            self.availability = Vec::new();
        }
    }

    /// Takes `piece` out of the order, because it is begun or we have it. Its availability is still counted.
    pub fn remove(&mut self, piece: u32) {
        let bucket = self.availability(piece) as usize;
        let Some(order) = self.order.as_mut().filter(|order| order.has(piece)) else { return };
        order.remove(piece, bucket);
        if order.pieces.is_empty() {
            self.order = None;
        }
    }

    /// Puts `piece` into the order again.
    pub fn put(&mut self, piece: u32, rng: &mut Rng) {
        if self.is_in_order(piece) {
            return;
        }
        let bucket = self.availability(piece) as usize;
        let order = self.order.get_or_insert_default();
        order.place.resize(self.pieces as usize, NOWHERE);
        order.add(piece, bucket);
        order.settle(piece, bucket, rng);
    }
}

impl Order {
    fn has(&self, piece: u32) -> bool {
        self.place.get(piece as usize).is_some_and(|place| *place != NOWHERE)
    }

    /// Adds `piece`, which is not in the order, to its `bucket`.
    fn add(&mut self, piece: u32, bucket: usize) {
        self.open_bucket(bucket);
        self.place[piece as usize] = self.pieces.len() as u32;
        self.pieces.push(piece);
        // Now it is at the end, in the last bucket, and goes down to its own.
        for above in (bucket + 1..self.starts.len()).rev() {
            self.down(piece, above);
        }
    }

    /// Takes `piece` out of its `bucket`.
    fn remove(&mut self, piece: u32, bucket: usize) {
        for bucket in bucket..self.starts.len() - 1 {
            self.up(piece, bucket);
        }
        // It is past the last border: it swaps places with the very last one and is removed.
        self.swap(self.place[piece as usize], self.pieces.len() as u32 - 1);
        self.pieces.pop();
        self.place[piece as usize] = NOWHERE;
    }

    /// Moves `piece` from the end of `bucket` over its upper border into the next.
    fn up(&mut self, piece: u32, bucket: usize) {
        self.open_bucket(bucket + 1);
        let last = self.starts[bucket + 1] - 1;
        self.swap(self.place[piece as usize], last);
        self.starts[bucket + 1] = last;
    }

    /// Moves `piece` from the start of `bucket` over its lower border into the one before.
    fn down(&mut self, piece: u32, bucket: usize) {
        let first = self.starts[bucket];
        self.swap(self.place[piece as usize], first);
        self.starts[bucket] = first + 1;
    }

    /// Gives `piece` a random place within its `bucket`.
    fn settle(&mut self, piece: u32, bucket: usize, rng: &mut Rng) {
        let start = self.starts[bucket];
        let end = self.starts.get(bucket + 1).copied().unwrap_or(self.pieces.len() as u32);
        self.swap(self.place[piece as usize], start + rng.below((end - start) as usize) as u32);
    }

    /// Makes sure that `bucket` has a start; a new one is empty, at the end.
    fn open_bucket(&mut self, bucket: usize) {
        while self.starts.len() <= bucket {
            self.starts.push(self.pieces.len() as u32);
        }
    }

    fn swap(&mut self, a: u32, b: u32) {
        self.pieces.swap(a as usize, b as usize);
        self.place[self.pieces[a as usize] as usize] = a;
        self.place[self.pieces[b as usize] as usize] = b;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    fn is_sorted(rarity: &Rarity) -> bool {
        let counts: Vec<u16> = rarity.in_order().iter().map(|&piece| rarity.availability(piece)).collect();
        counts.is_sorted()
            && (rarity.order.iter()).all(|order| {
                (order.pieces.iter().enumerate()).all(|(at, &piece)| order.place[piece as usize] == at as u32)
            })
    }

    proptest! {
        /// Whatever happens, the order is sorted and holds exactly what was put in.
        #[test]
        fn stays_sorted(steps in proptest::collection::vec((0u8..10, 0u32..20), 0..400)) {
            let mut rng = Rng::new(3);
            let mut rarity = Rarity::new(&Bitfield::new(20), &mut rng);
            let mut inside = [true; 20];
            for (step, piece) in steps {
                match step {
                    0..5 => rarity.more(piece, &mut rng),
                    5..8 => rarity.fewer(piece, &mut rng),
                    8 => { rarity.put(piece, &mut rng); inside[piece as usize] = true; }
                    _ => { rarity.remove(piece); inside[piece as usize] = false; }
                }
                prop_assert!(is_sorted(&rarity));
                let mut held: Vec<u32> = rarity.in_order().to_vec();
                held.sort();
                let wanted: Vec<u32> = (0..20).filter(|&p| inside[p as usize]).collect();
                prop_assert_eq!(held, wanted);
            }
        }
    }

    #[test]
    fn removing_pieces_opens_no_buckets() {
        let mut rng = Rng::new(1);
        let mut rarity = Rarity::new(&Bitfield::new(100_000), &mut rng);
        rarity.more(5, &mut rng);
        (1..100_000).for_each(|piece| rarity.remove(piece));
        assert_eq!((rarity.in_order(), rarity.order.as_ref().unwrap().starts.len()), (&[0][..], 2));
    }

    #[test]
    fn pieces_of_the_same_rarity_come_in_random_order() {
        let first = |seed| Rarity::new(&Bitfield::new(1000), &mut Rng::new(seed)).in_order().first().copied();
        assert!((0..5).map(first).collect::<std::collections::BTreeSet<_>>().len() > 1);
    }
}
