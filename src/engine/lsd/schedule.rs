//! Which torrents are announced in the local network, and when.
//!
//! Floor 3, part of [`lsd`](super), but pure: time is an argument. All torrents share one packet a second. A packet
//! names one torrent, because some programs read no more (transmission 3 reads 200 bytes, rqbit one info-hash). With
//! more than 60 torrents, a packet names several. Otherwise the last torrent would wait for more than a minute.

use crate::base::time::Time;
use crate::proto::id::InfoHash;
use crate::proto::lsd::MOST_HASHES;
use crate::storage::TorrentId;
use std::collections::BTreeMap;

/// How often a torrent is announced (libtorrent, rqbit).
const EVERY: Time = Time::from_secs(300);
/// A packet may be lost, so a new torrent is announced again after these pauses (libtorrent).
const REPEATS: [Time; 2] = [Time::from_secs(2), Time::from_secs(4)];
/// If a packet could not be sent on any interface, it is sent again after this, because the network may be coming up.
const AGAIN_AFTER: Time = Time::from_secs(15);
/// The pause between two packets.
const APART: Time = Time::from_secs(1);
/// If there are more torrents than this, they share packets. Otherwise the last one would wait for more than a minute.
const ALONE: usize = 60;
/// If another program announces a torrent this soon after us, it has heard us, or will hear us repeat it.
const HEARD: Time = Time::from_secs(5);
/// The least time between two answers for one torrent. Without it, two programs would answer each other forever.
const ANSWERS_APART: Time = Time::from_secs(60);

/// The torrents that are announced.
#[derive(Default)]
pub struct Schedule {
    torrents: BTreeMap<InfoHash, Turn>,
    /// No packet is sent before this.
    next_packet: Time,
}

/// A moment, in tenths of a second. (There may be thousands of torrents, and a [`Time`] has 16 bytes.)
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Moment(u32);

impl Moment {
    /// The moment of `time`, or a little later.
    fn of(time: Time) -> Moment {
        Moment(u32::try_from(time.as_millis().div_ceil(100)).unwrap_or(u32::MAX))
    }

    fn time(self) -> Time {
        Time::from_millis(u64::from(self.0) * 100)
    }
}

/// When a torrent is announced.
struct Turn {
    torrent: TorrentId,
    at: Moment,
    /// How often it was announced. Only the first times matter, for [`REPEATS`].
    repeats: u8,
    /// No answer is sent before this.
    answer_from: Moment,
    /// The torrent was told that it is announced.
    told: bool,
}

impl Schedule {
    /// Adds a torrent, which must not be announced before `at`. A torrent that is already announced keeps its turn.
    pub fn add(&mut self, torrent: TorrentId, info_hash: InfoHash, at: Time) {
        let at = Moment::of(at);
        let new = || Turn { torrent, at, repeats: 0, answer_from: at, told: false };
        let turn = self.torrents.entry(info_hash).or_insert_with(new);
        if turn.repeats == 0 {
            (turn.at, turn.answer_from) = (turn.at.min(at), turn.answer_from.min(at));
        }
        if turn.torrent != torrent {
            (turn.torrent, turn.told) = (torrent, false);
        }
    }

    /// Removes a torrent.
    pub fn remove(&mut self, info_hash: &InfoHash) {
        self.torrents.remove(info_hash);
    }

    /// Whether there is nothing to announce.
    pub fn is_empty(&self) -> bool {
        self.torrents.is_empty()
    }

    /// When the next packet is to be sent; `None`: never.
    pub fn next(&self) -> Option<Time> {
        self.torrents.values().map(|turn| turn.at).min().map(|at| self.soonest(at.time()))
    }

    /// When a torrent whose turn is at `at` can be announced.
    pub fn soonest(&self, at: Time) -> Time {
        at.max(self.next_packet)
    }

    /// The torrents of a packet that is to be sent now, those that have waited longest first. Empty: no packet is due.
    pub fn packet(&mut self, now: Time) -> Vec<InfoHash> {
        if now < self.next_packet {
            return Vec::new();
        }
        let most = self.torrents.len().div_ceil(ALONE).min(MOST_HASHES);
        let mut due: Vec<_> = self.torrents.iter().filter(|(_, turn)| turn.at.time() <= now).collect();
        due.sort_unstable_by_key(|(hash, turn)| (turn.at, **hash));
        due.truncate(most);
        if !due.is_empty() {
            self.next_packet = now + APART;
        }
        due.into_iter().map(|(info_hash, _)| *info_hash).collect()
    }

    /// A packet with these torrents was sent. Returns the torrents that were announced for the first time.
    pub fn sent(&mut self, info_hashes: &[InfoHash], now: Time) -> Vec<TorrentId> {
        let mut first = Vec::new();
        for info_hash in info_hashes {
            let Some(turn) = self.torrents.get_mut(info_hash) else { continue };
            turn.at = Moment::of(now + REPEATS.get(usize::from(turn.repeats)).copied().unwrap_or(EVERY));
            turn.repeats = turn.repeats.saturating_add(1);
            turn.answer_from = turn.answer_from.max(Moment::of(now + HEARD));
            if !std::mem::replace(&mut turn.told, true) {
                first.push(turn.torrent);
            }
        }
        first
    }

    /// A packet with these torrents could not be sent.
    pub fn unsent(&mut self, info_hashes: &[InfoHash], now: Time) {
        for info_hash in info_hashes {
            if let Some(turn) = self.torrents.get_mut(info_hash) {
                turn.at = Moment::of(now + AGAIN_AFTER);
            }
        }
    }

    /// Another program announced this torrent. Returns our torrent, if we have it. We may answer soon, because that
    /// program may be new and may not have heard us.
    pub fn heard(&mut self, info_hash: &InfoHash, now: Time) -> Option<TorrentId> {
        let turn = self.torrents.get_mut(info_hash)?;
        if turn.answer_from.time() <= now {
            turn.at = turn.at.min(Moment::of(now));
            turn.answer_from = Moment::of(now + ANSWERS_APART);
        }
        Some(turn.torrent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(number: usize) -> InfoHash {
        let mut bytes = [0; 20];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        InfoHash(bytes)
    }

    fn at(seconds: u64) -> Time {
        Time::from_secs(seconds)
    }

    /// A schedule with this many torrents, added at the beginning.
    fn schedule(torrents: usize) -> Schedule {
        let mut schedule = Schedule::default();
        (0..torrents).for_each(|number| schedule.add(TorrentId(number as u64), hash(number), Time::ZERO));
        schedule
    }

    /// Sends the packet that is due.
    fn announce(schedule: &mut Schedule, now: Time) -> Vec<InfoHash> {
        let packet = schedule.packet(now);
        schedule.sent(&packet, now);
        packet
    }

    /// The packets until `end`: when each is sent, and how many torrents are in it.
    fn packets(schedule: &mut Schedule, end: Time) -> Vec<(u64, Vec<InfoHash>)> {
        let mut packets = Vec::new();
        while let Some(now) = schedule.next().filter(|at| *at < end) {
            let packet = announce(schedule, now);
            assert!(!packet.is_empty(), "there is something to send at {now:?}");
            packets.push((now.as_secs(), packet));
        }
        packets
    }

    #[test]
    fn a_torrent_is_announced_at_once_again_twice_and_then_every_five_minutes() {
        let times: Vec<u64> = packets(&mut schedule(1), at(1000)).iter().map(|(at, _)| *at).collect();
        assert_eq!(times, [0, 2, 6, 306, 606, 906]);
        assert_eq!(schedule(0).next(), None);
        let mut one = schedule(1);
        one.remove(&hash(0));
        assert!(one.is_empty() && one.next().is_none() && one.packet(at(9)).is_empty());
    }

    #[test]
    fn few_torrents_have_packets_of_their_own() {
        let mut schedule = schedule(60);
        let sent = packets(&mut schedule, at(60));
        assert!(sent.iter().all(|(_, packet)| packet.len() == 1), "each by itself");
        let mut first: Vec<InfoHash> = sent.into_iter().flat_map(|(_, packet)| packet).collect();
        first.sort();
        assert!(first.into_iter().eq((0..60).map(hash)), "each once within a minute, before any is repeated");
        assert!(packets(&mut schedule, at(3600)).windows(2).all(|two| two[1].0 > two[0].0), "one packet a second");
    }

    #[test]
    fn thousands_of_torrents_take_turns() {
        let mut schedule = schedule(5000);
        let sent = packets(&mut schedule, at(3600));
        assert!(sent.iter().all(|(_, packet)| packet.len() <= MOST_HASHES));
        assert!(sent.windows(2).all(|two| two[1].0 > two[0].0), "one packet a second");
        let mut times = BTreeMap::<InfoHash, Vec<u64>>::new();
        for (at, packet) in sent {
            packet.into_iter().for_each(|info_hash| times.entry(info_hash).or_default().push(at));
        }
        assert_eq!(times.len(), 5000);
        for times in times.into_values() {
            assert!(times[0] <= 5000 / 24 && times.len() >= 5, "{times:?}");
            assert!(times[3..].windows(2).all(|two| two[1] - two[0] >= 300), "{times:?}");
        }
    }

    #[test]
    fn others_are_answered_at_most_once_a_minute() {
        let mut schedule = schedule(1);
        assert_eq!(packets(&mut schedule, at(10)).len(), 3);
        assert_eq!(schedule.heard(&hash(7), at(10)), None, "it is not ours");
        assert_eq!(schedule.heard(&hash(0), at(10)), Some(TorrentId(0)));
        assert_eq!(schedule.next(), Some(at(306)), "it has just heard us");
        schedule.heard(&hash(0), at(11));
        assert_eq!(schedule.next(), Some(at(11)));
        assert_eq!(announce(&mut schedule, at(11)), [hash(0)]);
        assert!((11..71).all(|second| schedule.heard(&hash(0), at(second)).is_some()));
        assert_eq!(schedule.next(), Some(at(311)), "one answer a minute");
        schedule.heard(&hash(0), at(71));
        assert_eq!(announce(&mut schedule, at(71)), [hash(0)]);
    }

    /// Two programs that hear each other fall silent.
    #[test]
    fn two_programs_do_not_answer_each_other_forever() {
        let mut programs = [schedule(1), schedule(0)];
        let mut sent = 0;
        for second in 0..3600 {
            if second == 20 {
                programs[1].add(TorrentId(0), hash(0), at(second));
            }
            for from in 0..2 {
                let packet = announce(&mut programs[from], at(second));
                sent += packet.len();
                for info_hash in packet {
                    programs[1 - from].heard(&info_hash, at(second));
                }
            }
        }
        assert!((24..=50).contains(&sent), "{sent} packets in an hour");
    }

    /// The process may start before the network does.
    #[test]
    fn a_packet_that_could_not_be_sent_is_tried_again_soon_and_does_not_count() {
        let mut schedule = schedule(1);
        for second in [0, 15, 30] {
            assert_eq!(schedule.next(), Some(at(second)));
            let packet = schedule.packet(at(second));
            schedule.unsent(&packet, at(second));
        }
        let times: Vec<u64> = packets(&mut schedule, at(400)).iter().map(|(at, _)| *at).collect();
        assert_eq!(times, [45, 47, 51, 351]);
    }

    /// A link may be that of a private torrent.
    #[test]
    fn a_torrent_that_has_to_wait_does_not_answer_either() {
        let mut schedule = Schedule::default();
        schedule.add(TorrentId(0), hash(0), at(10));
        assert_eq!(schedule.heard(&hash(0), at(3)), Some(TorrentId(0)));
        assert_eq!((schedule.next(), schedule.packet(at(9))), (Some(at(10)), Vec::new()));
        schedule.add(TorrentId(0), hash(0), at(4));
        assert_eq!(schedule.next(), Some(at(4)), "it is known to be public now");
    }

    #[test]
    fn a_torrent_is_told_once_that_it_was_announced() {
        let mut schedule = schedule(2);
        assert_eq!(schedule.sent(&[hash(0), hash(9)], at(0)), [TorrentId(0)]);
        assert_eq!(schedule.sent(&[hash(0), hash(1)], at(1)), [TorrentId(1)]);
        schedule.add(TorrentId(0), hash(0), at(1));
        assert!(schedule.sent(&[hash(0)], at(1)).is_empty(), "it was there already");
        schedule.add(TorrentId(5), hash(0), at(1));
        assert_eq!(schedule.sent(&[hash(0)], at(1)), [TorrentId(5)], "another torrent has its info-hash now");
        assert_eq!(schedule.heard(&hash(0), at(1)), Some(TorrentId(5)));
    }
}
