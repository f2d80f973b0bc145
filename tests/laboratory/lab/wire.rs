//! What goes over the connections of a [`Swarm`]: messages and blocks.

use super::calendar::Happening;
use super::ends::End;
use super::swarm::Swarm;
use core::num::NonZeroU32;
use swarmlet::proto::peer::handshake::{Handshake, Reserved};
use swarmlet::proto::peer::message::{BlockSpec, Message};
use swarmlet::proto::peer::mse::Cover;
use swarmlet::swarm::event::{Event, PeerEvent};
use swarmlet::swarm::giving::grant::{COLLECT_AFTER, Report, Telling, Verdict};
use swarmlet::swarm::peer::PeerKey;

/// A port that no member listens on: a system chooses such a port for a connection that is opened.
const ANY_PORT: u16 = 50_000;

/// The name of a connection, for both of its ends.
fn key(end: u32) -> PeerKey {
    PeerKey(NonZeroU32::MIN.saturating_add(end / 2))
}

impl Swarm {
    /// The end of `number` at the connection of this name; `None`: it closed it.
    pub fn end_of(&self, number: usize, peer: PeerKey) -> Option<u32> {
        let first = 2 * (peer.0.get() - 1);
        [first, first + 1].into_iter().find(|&end| {
            let end = &self.ends[end as usize];
            end.member == number && end.open
        })
    }

    fn member(&self, end: u32) -> usize {
        self.ends[end as usize].member
    }

    fn peer_did(&mut self, end: u32, event: PeerEvent) {
        if self.ends[end as usize].open {
            self.handle(self.member(end), Event::Peer(key(end), event));
        }
    }

    /// A member has dialled another.
    pub fn meet(&mut self, from: usize, to: usize) {
        let addr = self.members[to].addr;
        if self.members[to].left || self.members[from].left {
            return self.handle(from, Event::ConnectFailed { addr, our_fault: false });
        }
        let first = self.ends.len() as u32;
        self.ends.extend([End::new(from), End::new(to)]);
        for (end, other, outgoing) in [(first, to, true), (first + 1, from, false)] {
            let other = &self.members[other];
            let mut addr = other.addr;
            if !outgoing {
                addr.set_port(ANY_PORT);
            }
            let (info_hash, peer_id) = (self.metainfo.info_hash, other.id);
            let handshake = Box::new(Handshake { reserved: Reserved::ours(), info_hash, peer_id });
            self.peer_did(end, PeerEvent::Connected { addr, outgoing, cover: Cover::Plain, handshake });
        }
    }

    /// A member closes its end.
    pub fn close(&mut self, end: u32) {
        self.shut(end);
        let at = self.calendar.now + self.way(self.member(end), self.member(end ^ 1));
        self.calendar.plan(at, Happening::Gone(end ^ 1));
    }

    /// The other end was closed.
    pub fn gone(&mut self, end: u32) {
        self.peer_did(end, PeerEvent::Gone);
        self.shut(end);
    }

    fn shut(&mut self, end: u32) {
        let this = &mut self.ends[end as usize];
        this.open = false;
        this.revoke();
        if let Some(flow) = this.flow.take() {
            self.lines.end(flow);
        }
    }

    /// An end says something to the other.
    pub fn say(&mut self, end: u32, message: Message) {
        let from = &self.members[self.member(end)];
        let message = match message {
            Message::Unchoke if from.manners.never_unchokes => return,
            Message::Suggest(_) if self.members[self.member(end ^ 1)].manners.deaf => return,
            Message::HaveNone | Message::Bitfield(_) if from.manners.claims_all => Message::HaveAll,
            Message::Have(_) if from.manners.claims_all => return,
            message => {
                from.numbering.as_ref().map_or_else(|| message.clone(), |own| own.message(message.clone(), false))
            }
        };
        let at = self.calendar.now + self.way(self.member(end), self.member(end ^ 1));
        self.calendar.plan(at, Happening::Message(end ^ 1, message));
    }

    /// A message comes. The threads answer what the grant covers, and the torrent hears the rest.
    pub fn message_came(&mut self, end: u32, message: Message) {
        let this = &mut self.ends[end as usize];
        if !this.open {
            return;
        }
        let own = self.members[this.member].numbering.as_ref();
        let message = match own {
            Some(own) => own.message(message, true),
            None => message,
        };
        if let (Message::Request(block), Some(desk)) = (&message, this.desk()) {
            match desk.requested(*block) {
                Verdict::Taken => return self.send_next(end),
                Verdict::Refused => return self.say(end, Message::Reject(*block)),
                Verdict::Undecided => {}
            }
        } else if let (Message::Cancel(block), Some(desk)) = (&message, this.desk())
            && desk.cancelled(*block)
        {
            return self.say(end, Message::Reject(*block));
        }
        self.peer_did(end, PeerEvent::Message(message));
    }

    /// The threads of an end serve nothing any more.
    pub fn revoke(&mut self, end: u32) {
        for block in self.ends[end as usize].revoke() {
            self.say(end, Message::Reject(block));
        }
    }

    /// Begins to send the next block, if none is being sent.
    pub fn send_next(&mut self, end: u32) {
        let (from, to) = (self.member(end), self.member(end ^ 1));
        let this = &mut self.ends[end as usize];
        if this.flow.is_none()
            && let Some(next) = this.next()
        {
            this.flow = Some(self.lines.begin(from, to, end, next, self.calendar.now));
        }
        self.tell(end);
    }

    /// A flow may have sent its block.
    pub fn may_be_sent(&mut self, flow: u32) {
        let now = self.calendar.now;
        if self.lines.flow(flow).due != now {
            return;
        }
        if let Err(due) = self.lines.is_sent(flow, now) {
            return self.calendar.plan(due.max(now + 1), Happening::Sent(flow));
        }
        let end = self.lines.flow(flow).owner;
        self.block_left(end);
        let this = &mut self.ends[end as usize];
        match this.next() {
            Some(next) if this.flow == Some(flow) => {
                self.lines.go_on(flow, next);
                if let Some(due) = self.lines.due_again(flow) {
                    self.calendar.plan(due.max(now + 1), Happening::Sent(flow));
                }
            }
            _ => {
                if let Some(flow) = this.flow.take() {
                    self.lines.end(flow);
                }
            }
        }
        self.tell(end);
    }

    /// The last byte of a block has left.
    fn block_left(&mut self, end: u32) {
        let Some((block, for_desk)) = self.ends[end as usize].sending() else { return };
        let (from, to, bytes) = (self.member(end), self.member(end ^ 1), u64::from(block.length));
        let corrupt = self.rng.below(100) < self.members[from].manners.corrupt_percent;
        self.members[from].sent += bytes;
        self.sent += bytes;
        let own = self.members[from].numbering.as_ref();
        let block = BlockSpec { piece: own.map_or(block.piece, |own| own.piece(block.piece, false)), ..block };
        let at = self.calendar.now + self.way(from, to);
        self.calendar.plan(at, Happening::Block { end: end ^ 1, block, corrupt });
        match self.ends[end as usize].desk() {
            Some(desk) if for_desk => desk.sent(bytes),
            _ if for_desk => {}
            _ => self.peer_did(end, PeerEvent::Uploaded { bytes }),
        }
        let sender = &self.members[from];
        if sender.sent as f64 >= sender.manners.gives_copies * self.metainfo.length as f64 {
            self.calendar.plan(self.calendar.now, Happening::Leaves(from));
        }
    }

    /// Tells the torrent what its threads did, if it is time.
    fn tell(&mut self, end: u32) {
        match self.ends[end as usize].desk().map(|desk| desk.tell()) {
            Some(Telling::Now(report)) => self.calendar.plan(self.calendar.now, Happening::Served(end, report)),
            Some(Telling::Soon) => self.collect_later(end),
            _ => {}
        }
    }

    fn collect_later(&mut self, end: u32) {
        self.calendar.plan(self.calendar.now + COLLECT_AFTER.as_millis() as u64, Happening::Collect(end));
    }

    pub fn collect(&mut self, end: u32) {
        let report = self.ends[end as usize].desk().map(|desk| desk.collect()).unwrap_or_default();
        if report != Report::default() {
            self.collect_later(end);
            self.served(end, report);
        }
    }

    pub fn served(&mut self, end: u32, report: Report) {
        self.peer_did(end, PeerEvent::Served(report));
    }

    /// A block comes.
    pub fn block_came(&mut self, end: u32, block: BlockSpec, corrupt: bool) {
        if !self.ends[end as usize].open {
            return;
        }
        let bytes = u64::from(block.length);
        let class = self.members[self.member(end ^ 1)].manners.class;
        let number = self.member(end);
        let receiver = &mut self.members[number];
        receiver.corrupt += if corrupt { bytes } else { 0 };
        receiver.from_class[class] += bytes;
        let piece = receiver.numbering.as_ref().map_or(block.piece, |own| own.piece(block.piece, true));
        let mut data = self.spare.pop().unwrap_or_default();
        data.resize(block.length as usize, 0);
        data[0] = corrupt.into();
        self.peer_did(end, PeerEvent::Block { piece, begin: block.begin, data });
    }

    /// The disk of a member: a piece is checked when all its blocks are written, and is good if none was corrupt.
    pub fn write(&mut self, number: usize, piece: u32, data: Vec<u8>) {
        let bytes = data.len() as u32;
        let member = &mut self.members[number];
        let (written, spoilt) = member.written.entry(piece).or_default();
        (*written, *spoilt) = (*written + bytes, *spoilt | (data[0] == 1));
        let (written, spoilt) = (*written, *spoilt);
        self.spare.push(data);
        member.shared.budget.written_to(0, bytes.into());
        if written == self.metainfo.piece_size(piece) {
            member.written.remove(&piece);
            self.calendar.plan(self.calendar.now, Happening::Checked { number, piece, good: !spoilt });
        }
    }
}
