//! Sorts places: the numbers of things instead of the things.
//!
//! A sort is several KB of machine code for each type that is sorted. So lists that need not be sorted fast share one.
//! And nothing large is moved or copied. (`collect` into a `BTreeMap` or a `BTreeSet` is such a sort, too; `extend` is
//! not.)

use std::cmp::Ordering;

/// The numbers below `count`, in the order that `compare` gives to the things at those places. Equal ones keep their
/// order.
pub fn sorted(count: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<u32> {
    // Nothing has four billion things: they do not fit into memory.
    let mut order: Vec<u32> = (0..count as u32).collect();
    order.sort_unstable_by(|a, b| compare(*a as usize, *b as usize).then(a.cmp(b)));
    order
}
