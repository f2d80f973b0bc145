//! Bytes, text and addresses, without any knowledge of torrents. Pure.

pub mod date;
pub mod gzip;
pub mod hex;
pub mod json;
pub mod network;
pub mod path;
pub mod rng;
pub mod sha1;
pub mod sha256;
pub mod sort;
pub mod time;
pub mod units;
pub mod url;
pub mod width;
pub mod words;

/// Steps of a search or of a parser: pieces, peers or bytes that are looked at. Tests count them, and not time, because
/// time differs from run to run. In the program nothing is counted.
pub fn step(count: usize) {
    #[cfg(test)]
    steps::STEPS.with(|steps| steps.set(steps.get() + count as u64));
    let _ = count;
}

#[cfg(test)]
pub mod steps {
    //! What tests ask of the steps.

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

    /// Panics unless what `work` does with a text takes at most `most` steps for each of its bytes, and some. `text`
    /// makes one with about that many parts.
    pub fn are_linear(most: u64, text: impl Fn(usize) -> Vec<u8>, work: impl Fn(&[u8])) {
        for parts in [10, 100, 1000] {
            let text = text(parts);
            let steps = of(|| work(&text));
            assert!((1..=most * text.len() as u64).contains(&steps), "{steps} steps for {} bytes", text.len());
        }
    }
}
