//! How the decisions of the members are carried out, and the tracker.

use super::calendar::Happening;
use super::lines::Tick;
use super::swarm::Swarm;
use core::net::SocketAddr;
use swarmlet::proto::peer::message::Message;
use swarmlet::proto::tracker::announce::{AnnounceEvent, AnnounceReply};
use swarmlet::swarm::event::{Action, DiskOrder, Event, News, PeerOrder};
use swarmlet::swarm::meeting::announcer::{Announcement, Ask};
use swarmlet::swarm::meeting::source::Source;

/// How many addresses the tracker gives (the usual number if a client asks for no other).
const NAMED: usize = 50;
/// How long the tracker takes.
const TRACKER_TAKES: Tick = 100;

impl Swarm {
    /// Carries out what member `from` decided.
    pub fn carry_out(&mut self, from: usize, action: Action) {
        match action {
            Action::Peer(peer, order) => {
                if let Some(end) = self.end_of(from, peer) {
                    self.order(end, order);
                }
            }
            Action::Close { peer, .. } => {
                if let Some(end) = self.end_of(from, peer) {
                    self.close(end);
                }
            }
            Action::Disk(DiskOrder::Write { piece, data, .. }) => self.write(from, piece, data),
            Action::Disk(DiskOrder::Restart { piece }) => drop(self.members[from].written.remove(&piece)),
            Action::Connect { addr, .. } => self.dial(from, addr),
            Action::Announce(announcement) => self.announced(from, announcement),
            Action::News(News::Complete) => {
                self.members[from].whole_at = Some(self.calendar.now);
                if let Some(at) = self.calendar.now.checked_add(self.members[from].manners.stays) {
                    self.calendar.plan(at, Happening::Leaves(from));
                }
            }
            _ => {}
        }
    }

    fn order(&mut self, end: u32, order: PeerOrder) {
        match order {
            PeerOrder::Message(message) => self.say(end, message),
            PeerOrder::Haves(pieces) => pieces.into_iter().for_each(|piece| self.say(end, Message::Have(piece))),
            PeerOrder::Grant(grant) => self.ends[end as usize].grant(grant),
            PeerOrder::Revoke => self.revoke(end),
            PeerOrder::Upload(block) => {
                self.ends[end as usize].order(block);
                self.send_next(end);
            }
            PeerOrder::Handshake | PeerOrder::Run(_) | PeerOrder::Metadata { .. } => {}
        }
    }

    /// A member opens a connection: the handshake takes two ways there and back.
    fn dial(&mut self, from: usize, addr: SocketAddr) {
        let SocketAddr::V4(v4) = addr else { return };
        let [a, b, c, _] = v4.ip().octets();
        let to = usize::from(a - 20) << 16 | usize::from(b) << 8 | usize::from(c);
        self.calendar.plan(self.calendar.now + 4 * self.way(from, to), Happening::Meet { from, to });
    }

    fn announced(&mut self, from: usize, announcement: Box<Announcement>) {
        if let Ask::Announce(request) = &announcement.ask {
            self.listed.retain(|other| *other != from);
            if request.event != Some(AnnounceEvent::Stopped) {
                self.listed.push(from);
            }
        }
        self.calendar.plan(self.calendar.now + TRACKER_TAKES, Happening::Answer(from, announcement));
    }

    pub fn answer(&mut self, number: usize, announcement: Box<Announcement>) {
        let mut others: Vec<usize> = self.listed.iter().copied().filter(|&other| other != number).collect();
        for at in 0..others.len().min(NAMED) {
            let other = at + self.rng.below(others.len() - at);
            others.swap(at, other);
        }
        others.truncate(NAMED);
        let addrs: Vec<SocketAddr> = others.into_iter().map(|other| self.members[other].addr).collect();
        let wants = matches!(&announcement.ask, Ask::Announce(request) if request.numwant != Some(0));
        let counts = Some(self.listed.len() as u32);
        let reply = AnnounceReply {
            interval: Some(1800),
            peers: addrs.clone(),
            seeds: counts,
            leechers: counts,
            downloaded: counts,
            ..AnnounceReply::default()
        };
        self.handle(number, Event::Announced { announcement, outcome: Box::new(Ok(reply)) });
        if wants {
            self.handle(number, Event::Found { source: Source::Tracker, addrs });
        }
    }
}
