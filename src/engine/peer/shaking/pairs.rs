//! Our numbers for the encrypted exchanges that peers begin.
//!
//! Floor 3. To make a pair of numbers costs an exponentiation. In a flood of connections that stop after our public
//! number, the next one gets the same number, so the flood costs little. Otherwise each exchange gets a new one: a
//! program that probes hosts would recognize us by a number that it sees twice.

use super::places::MOST_SHAKING;
use crate::proto::peer::mse::power::Pair;
use crate::sys::lock;
use std::sync::Mutex;

/// If this many exchanges run, it is a flood: they have half of the places.
const MANY: usize = MOST_SHAKING / 2;

/// The pairs. There are never more spare ones than exchanges ran at once.
#[derive(Default)]
pub struct Pairs(Mutex<State>);

#[derive(Default)]
struct State {
    /// Exchanges that run.
    running: usize,
    /// Pairs of which no secret was made.
    spare: Vec<Pair>,
}

impl Pairs {
    /// A pair for an exchange that begins. `make` makes a new one.
    pub fn begin(&self, make: impl Fn() -> Pair) -> Pair {
        let spare = {
            let mut state = lock(&self.0);
            state.running += 1;
            if state.running > MANY { state.spare.pop() } else { None }
        };
        spare.unwrap_or_else(make)
    }

    /// An exchange is over. Its pair may be `unused`.
    pub fn end(&self, unused: Option<Pair>) {
        let mut state = lock(&self.0);
        state.running = state.running.saturating_sub(1);
        if state.running >= MANY {
            state.spare.extend(unused);
        } else {
            state.spare.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn only_in_a_flood_a_number_is_shown_again() {
        let (pairs, made) = (Pairs::default(), Cell::new(0u8));
        let begin = || {
            pairs.begin(|| {
                made.set(made.get() + 1);
                Pair::new([made.get(); 20])
            })
        };
        (0..5).for_each(|_| pairs.end(Some(begin())));
        assert_eq!(made.get(), 5, "each is a new one");
        let mut running: Vec<Pair> = (0..MANY).map(|_| begin()).collect();
        assert_eq!(usize::from(made.get()), 5 + MANY);
        // One more, which is the flood.
        let first = begin();
        let shown = first.public;
        pairs.end(Some(first));
        for _ in 0..100 {
            let again = begin();
            assert!(again.public == shown);
            pairs.end(Some(again));
        }
        assert_eq!(usize::from(made.get()), 6 + MANY);
        // A pair of which a secret was made never comes back.
        begin();
        pairs.end(None);
        let next = begin();
        assert!(next.public != shown);
        pairs.end(Some(next));
        // The flood is over.
        running.drain(..).for_each(|pair| pairs.end(Some(pair)));
        assert!(lock(&pairs.0).spare.is_empty());
    }
}
