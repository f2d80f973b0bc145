//! Counts the steps of searches in tests: what an event costs must not grow with the pieces and peers.
//!
//! Floor 2. Steps are counted and not time, because time differs from run to run. In the program nothing is counted.

/// One step of a search: a piece, a peer or a word of a bitfield was looked at.
pub(super) fn step() {
    #[cfg(test)]
    count::STEPS.with(|steps| steps.set(steps.get() + 1));
}

#[cfg(test)]
pub(super) mod count {
    use core::cell::Cell;

    thread_local! {
        pub(super) static STEPS: Cell<u64> = const { Cell::new(0) };
    }

    /// How many steps `work` takes.
    pub fn of(work: impl FnOnce()) -> u64 {
        let before = STEPS.get();
        work();
        STEPS.get() - before
    }
}
