//! How far away a peer is: the shortest time from a request to its block.
//!
//! Floor 2. Requests wait for each other at the peer, and the longer the more of them are out; so what is measured says
//! more about our own queue than about the line. The first request of a connection waits for none. So the shortest time
//! that was ever measured counts. (If the way to a peer becomes longer while it is connected, this is not noticed.)

use crate::base::time::Time;
use crate::proto::peer::message::BlockSpec;

/// A request that has not been answered for this long is not timed any more: it was given up. (A peer is snubbed after
/// 20 s.)
const GIVEN_UP: Time = Time::from_secs(20);

/// The delay of one peer. One of its requests is timed at once: that is a measurement in each round trip.
#[derive(Clone, Debug, Default)]
pub struct Delay {
    /// The request that is timed, and when it was sent.
    timed: Option<(BlockSpec, Time)>,
    shortest: Option<Time>,
}

impl Delay {
    /// `block` is requested at `now`. `first`: no other request is out.
    pub fn requested(&mut self, block: BlockSpec, first: bool, now: Time) {
        if first || self.timed.is_none_or(|(_, since)| now.saturating_sub(since) > GIVEN_UP) {
            self.timed = Some((block, now));
        }
    }

    /// `block` came at `now`.
    pub fn came(&mut self, block: BlockSpec, now: Time) {
        if let Some((_, since)) = self.timed.take_if(|(timed, _)| *timed == block) {
            let took = now.saturating_sub(since);
            self.shortest = Some(self.shortest.map_or(took, |shortest| shortest.min(took)));
        }
    }

    /// The shortest time from a request to its block; zero while none is known.
    pub fn shortest(&self) -> Time {
        self.shortest.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(begin: u32) -> BlockSpec {
        BlockSpec { piece: 0, begin, length: 1 }
    }

    #[test]
    fn the_shortest_time_counts_and_a_queue_does_not() {
        let mut delay = Delay::default();
        let ms = Time::from_millis;
        delay.requested(block(1), true, ms(0));
        delay.requested(block(2), false, ms(0));
        delay.came(block(2), ms(10));
        assert_eq!(delay.shortest(), Time::ZERO, "it was not timed");
        delay.came(block(1), ms(100));
        assert_eq!(delay.shortest(), ms(100));
        delay.requested(block(3), false, ms(100));
        delay.came(block(3), ms(900));
        assert_eq!(delay.shortest(), ms(100));
        delay.requested(block(4), false, ms(1000));
        delay.came(block(4), ms(1080));
        assert_eq!(delay.shortest(), ms(80));
    }

    #[test]
    fn a_request_that_is_never_answered_does_not_end_the_measurements() {
        let mut delay = Delay::default();
        delay.requested(block(1), true, Time::ZERO);
        delay.requested(block(2), true, Time::from_secs(1));
        delay.came(block(2), Time::from_secs(2));
        assert_eq!(delay.shortest(), Time::from_secs(1));
        delay.requested(block(3), false, Time::from_secs(2));
        delay.requested(block(4), false, Time::from_secs(23));
        delay.came(block(4), Time::from_millis(23_500));
        assert_eq!(delay.shortest(), Time::from_millis(500));
    }
}
