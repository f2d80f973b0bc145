//! Sorting by places: what is sorted is a list of numbers, what decides is asked.
//!
//! Floor 1. A sort is several KB of machine code for each kind of thing that is sorted; so the lists of files, which are
//! not sorted in a hurry, share one. And nothing large is moved, or copied.

use std::cmp::Ordering;

/// The numbers below `count`, in the order that `compare` gives to what stands at those places.
pub fn sorted(count: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<u32> {
    // Four billion of anything do not fit into memory.
    let mut order: Vec<u32> = (0..count as u32).collect();
    sort(&mut order, compare);
    order
}

/// Puts places in the order that `compare` gives to what stands there.
pub fn sort(places: &mut [u32], compare: &dyn Fn(usize, usize) -> Ordering) {
    places.sort_unstable_by(|a, b| compare(*a as usize, *b as usize));
}
