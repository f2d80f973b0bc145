//! When the folder of torrents is read again because a torrent is not known, and when its client may ask again.
//!
//! Floor 3. People make a torrent, begin to seed it and then put it into the tracker's folder, in any order. So a
//! torrent that is not known makes the tracker look at once. One thread reads the folder, because a disk may hang; the
//! announce waits for it, but only for a moment. A flood of unknown torrents must not keep the disk busy, so looks have
//! pauses between them.

use crate::base::time::Time;
use crate::proto::id::InfoHash;
use crate::sys::lock;
use crossbeam_channel::{Receiver, Sender};
use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex};

/// How long an announce waits for a look: longer than it takes to examine some ten thousand files, and too short to
/// delay other clients noticeably.
const LONGEST_WAIT: Time = Time::from_millis(100);
/// Shortest pause after a look.
const LEAST_PAUSE: Time = Time::from_secs(1);
/// A pause is at least this many times as long as the look before it, so that looks take at most a twentieth of the
/// time.
const PAUSE_FACTOR: u32 = 19;
/// Most unknown torrents whose first announce is remembered. They take some 100 KiB.
const MOST_ASKED: usize = 1000;
/// After this time without an announce, a torrent is new again. It is longer than any retry.
const FORGOTTEN: Time = Time::from_secs(2 * 3600);
/// A client is asked to wait for this part of the time since the first announce of its torrent. So a torrent that is
/// about to be published is found soon, and clients of one that was removed do not ask each minute for ever.
const RETRY_PART: u64 = 4;
/// Fewest and most minutes that a client is asked to wait. The folder is read each minute.
const RETRY_MINUTES: (u64, u64) = (1, 60);

/// Starts the looks, and remembers the unknown torrents that were announced.
pub struct Looking {
    state: Mutex<State>,
    over: Condvar,
    requests: Sender<()>,
    waiting: Receiver<()>,
}

#[derive(Default)]
struct State {
    /// When the look that is under way was requested.
    began: Option<Time>,
    /// No unknown torrent causes a look before this time.
    next: Time,
    /// When each unknown torrent was announced: first and last.
    asked: BTreeMap<InfoHash, (Time, Time)>,
}

impl Default for Looking {
    fn default() -> Looking {
        // One request is enough, whatever its cause.
        let (requests, waiting) = crossbeam_channel::bounded(1);
        Looking { state: Mutex::default(), over: Condvar::new(), requests, waiting }
    }
}

impl Looking {
    /// Requests a look, whatever the pause, and does not wait for it.
    pub fn request(&self, now: Time) {
        self.begin(&mut lock(&self.state), now);
    }

    /// An unknown torrent is announced: looks, unless that is too soon, and waits a moment for the end of a look.
    pub fn look(&self, now: Time) {
        let mut state = lock(&self.state);
        if state.began.is_none() && now >= state.next {
            self.begin(&mut state, now);
        }
        let Some(began) = state.began else { return };
        let wait = LONGEST_WAIT.saturating_sub(now.saturating_sub(began));
        // The outcome does not matter: the caller checks whether the torrent is known now.
        let _ = self.over.wait_timeout_while(state, wait, |state| state.began == Some(began));
    }

    fn begin(&self, state: &mut State, now: Time) {
        state.began.get_or_insert(now);
        // If a request waits already, it is enough.
        let _ = self.requests.try_send(());
    }

    /// Waits for a request, for the thread that looks. Returns `false` if there will be none.
    pub fn wait_for_request(&self) -> bool {
        self.waiting.recv().is_ok()
    }

    /// A look that took `took` is over.
    pub fn done(&self, now: Time, took: Time) {
        let mut state = lock(&self.state);
        state.began = None;
        state.next = now + (took * PAUSE_FACTOR).max(LEAST_PAUSE);
        self.over.notify_all();
    }

    /// In how many minutes a client of this unknown torrent may ask again.
    pub fn retry_minutes(&self, info_hash: InfoHash, now: Time) -> u64 {
        let asked = &mut lock(&self.state).asked;
        if asked.len() >= MOST_ASKED && !asked.contains_key(&info_hash) {
            // Somebody invents torrents. When all are forgotten, real clients only ask a little more often.
            asked.clear();
        }
        let (first, last) = asked.entry(info_hash).or_insert((now, now));
        if now.saturating_sub(*last) > FORGOTTEN {
            *first = now;
        }
        *last = now;
        let minutes = now.saturating_sub(*first).as_secs() / 60 / RETRY_PART;
        minutes.clamp(RETRY_MINUTES.0, RETRY_MINUTES.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;
    use std::time::Instant;

    const HASH: InfoHash = InfoHash([7; 20]);

    fn secs(seconds: u64) -> Time {
        Time::from_secs(seconds)
    }

    fn is_requested(looking: &Looking) -> bool {
        looking.waiting.try_recv().is_ok()
    }

    #[test]
    fn a_flood_of_unknown_torrents_causes_few_looks() {
        let looking = Looking::default();
        let mut looks = 0;
        // A thousand announces in each of a hundred seconds; a look takes a fifth of a second.
        for millisecond in 0..100_000 {
            let now = Time::from_millis(millisecond);
            let mut state = lock(&looking.state);
            if state.began.is_none() && now >= state.next {
                looking.begin(&mut state, now);
                drop(state);
                looks += usize::from(is_requested(&looking));
                looking.done(now + Time::from_millis(200), Time::from_millis(200));
            }
        }
        assert!((20..=26).contains(&looks), "{looks} looks");
    }

    #[test]
    fn an_announce_waits_for_a_look_but_not_for_a_disk_that_hangs() {
        let looking = Looking::default();
        thread::scope(|scope| {
            scope.spawn(|| {
                assert!(looking.wait_for_request());
                looking.done(secs(1), Time::ZERO);
            });
            looking.look(secs(1));
            assert!(lock(&looking.state).began.is_none(), "it is over");
        });
        // Nobody looks: the disk hangs.
        let begin = Instant::now();
        looking.look(secs(10));
        assert!(begin.elapsed() >= LONGEST_WAIT && is_requested(&looking));
        for _ in 0..1000 {
            looking.look(secs(11));
        }
        assert!(begin.elapsed() < 20 * LONGEST_WAIT, "later announces do not wait");
        assert!(!is_requested(&looking), "one request is enough");
    }

    #[test]
    fn a_client_waits_longer_the_longer_its_torrent_is_unknown() {
        let looking = Looking::default();
        let minutes =
            [0, 1, 4, 10, 60, 150, 239, 240, 300].map(|minute| looking.retry_minutes(HASH, secs(60 * minute)));
        assert_eq!(minutes, [1, 1, 1, 2, 15, 37, 59, 60, 60]);
        assert_eq!(looking.retry_minutes(InfoHash([8; 20]), secs(18_000)), 1, "another torrent");
        assert_eq!(looking.retry_minutes(HASH, secs(18_000 + 7201)), 1, "it was forgotten");
        for number in 0..10_000u32 {
            let mut hash = [0; 20];
            hash[..4].copy_from_slice(&number.to_be_bytes());
            assert_eq!(looking.retry_minutes(InfoHash(hash), secs(30_000)), 1);
        }
        assert!(lock(&looking.state).asked.len() <= MOST_ASKED);
    }
}
