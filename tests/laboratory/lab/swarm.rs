//! A whole swarm in virtual time: the torrents of the product, a tracker, and lines that are shared fairly.
//!
//! Each member is the real machine, `swarm::Torrent`, and does what it decides. The rest is made as simple as it can
//! be. Messages take the time of the way, and never wait behind blocks. The blocks of a connection are sent one by one,
//! each as fast as the [lines](super::lines) allow. Disks take no time. Names and dice come from one seed, so a swarm
//! runs the same way each time.

use super::calendar::{Calendar, Happening};
use super::ends::End;
use super::lines::{Lines, Tick};
use super::member::{Manners, Member};
use swarmlet::base::rng::Rng;
use swarmlet::base::time::Time;
use swarmlet::proto::bencode::Bencode;
use swarmlet::proto::metainfo::Metainfo;
use swarmlet::proto::peer::message::BLOCK_BYTES;
use swarmlet::swarm::event::{Action, DiskEvent, Event};
use swarmlet::swarm::shared::Turn;

/// What one run is told, and what becomes of it.
pub struct Swarm {
    pub calendar: Calendar,
    pub lines: Lines,
    pub metainfo: Metainfo,
    pub members: Vec<Member>,
    pub ends: Vec<End>,
    pub rng: Rng,
    /// The members that have not come yet.
    coming: Vec<Option<Manners>>,
    seed: u64,
    pub classes: usize,
    /// How many of the members that are here have each piece.
    pub copies: Vec<u32>,
    /// The members that the tracker knows.
    pub listed: Vec<usize>,
    /// Those that something happened to in this millisecond.
    touched: Vec<usize>,
    /// Blocks that were written: their memory is used again.
    pub spare: Vec<Vec<u8>>,
    /// What a torrent decides is put here. It is empty between two events.
    actions: Vec<Action>,
    /// Events that torrents handled.
    pub events: u64,
    /// Bytes of content that were sent.
    pub sent: u64,
}

/// The metainfo of a torrent of `pieces` pieces of `blocks` blocks.
fn metainfo(pieces: u32, blocks: u32) -> Metainfo {
    let piece = blocks * BLOCK_BYTES;
    let info = Bencode::dict([
        ("length", (i64::from(pieces) * i64::from(piece)).into()),
        ("name", "blob".into()),
        ("piece length", i64::from(piece).into()),
        ("pieces", vec![7u8; 20 * pieces as usize].into()),
    ]);
    let torrent = Bencode::dict([("announce", "http://tracker.example/announce".into()), ("info", info)]);
    Metainfo::parse(&torrent.encode()).expect("the parts are right")
}

impl Swarm {
    /// A swarm that has no members yet. They will be of this number of classes.
    pub fn new(seed: u64, pieces: u32, blocks: u32, classes: usize) -> Swarm {
        Swarm {
            calendar: Calendar::new(),
            lines: Lines::default(),
            metainfo: metainfo(pieces, blocks),
            members: Vec::new(),
            ends: Vec::new(),
            rng: Rng::new(seed),
            coming: Vec::new(),
            seed,
            classes,
            copies: vec![0; pieces as usize],
            listed: Vec::new(),
            touched: Vec::new(),
            spare: Vec::new(),
            actions: Vec::new(),
            events: 0,
            sent: 0,
        }
    }

    /// A member will come at `at`.
    pub fn will_come(&mut self, at: Tick, manners: Manners) {
        self.coming.push(Some(manners));
        self.calendar.plan(at, Happening::Comes(self.coming.len() - 1));
    }

    pub fn now(&self) -> Time {
        Time::from_millis(self.calendar.now)
    }

    /// Lets a millisecond pass.
    pub fn step(&mut self) {
        loop {
            while let Some(happening) = self.calendar.next() {
                self.happen(happening);
            }
            let Some(number) = self.touched.pop() else { break };
            self.after(number);
        }
        let (now, calendar) = (self.calendar.now, &mut self.calendar);
        self.lines.settle(now, |due, flow| calendar.plan(due.max(now + 1), Happening::Sent(flow)));
        self.calendar.turn();
    }

    /// What the caller of a torrent owes it after each event.
    fn after(&mut self, number: usize) {
        if self.members[number].torrent.waits_for_budget() {
            self.handle(number, Event::BudgetFreed);
        }
        let now = self.now();
        let member = &mut self.members[number];
        member.touched = false;
        let Some(wake) = member.torrent.next_wake(now, &member.shared) else { return };
        let at = (wake.as_nanos().div_ceil(1_000_000) as Tick).max(self.calendar.now + 1);
        if at < member.wake {
            member.wake = at;
            self.calendar.plan(at, Happening::Wake(number));
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Message(end, message) => self.message_came(end, message),
            Happening::Block { end, block, corrupt } => self.block_came(end, block, corrupt),
            Happening::Gone(end) => self.gone(end),
            Happening::Sent(flow) => self.may_be_sent(flow),
            Happening::Served(end, report) => self.served(end, report),
            Happening::Collect(end) => self.collect(end),
            Happening::Checked { number, piece, good } => self.checked(number, piece, good),
            Happening::Wake(number) => self.wake(number),
            Happening::Meet { from, to } => self.meet(from, to),
            Happening::Answer(number, announcement) => self.answer(number, announcement),
            Happening::Comes(coming) => self.comes(coming),
            Happening::Leaves(number) => self.leave(number),
        }
    }

    fn checked(&mut self, number: usize, piece: u32, good: bool) {
        let member = &self.members[number];
        if good && !member.left {
            let wire = member.numbering.as_ref().map_or(piece, |own| own.piece(piece, false));
            self.copies[wire as usize] += 1;
        }
        self.handle(number, Event::Disk(DiskEvent::Checked { piece, good }));
    }

    fn wake(&mut self, number: usize) {
        let now = self.now();
        let member = &mut self.members[number];
        // It may have been set again, to a sooner time.
        if member.left || member.wake != self.calendar.now {
            return;
        }
        member.wake = Tick::MAX;
        if member.torrent.next_wake(now, &member.shared).is_some_and(|wake| wake <= now) {
            self.handle(number, Event::Timer);
        } else {
            self.touch(number);
        }
    }

    fn comes(&mut self, coming: usize) {
        let manners = self.coming[coming].take().expect("it comes once");
        let number = self.members.len();
        self.members.push(Member::new(number, manners, &self.metainfo, self.classes, self.seed, self.calendar.now));
        self.lines.add(manners.up, manners.down);
        if manners.seeds {
            self.copies.iter_mut().for_each(|count| *count += 1);
        }
        self.touch(number);
    }

    /// A member leaves, and does not come back.
    pub fn leave(&mut self, number: usize) {
        if self.members[number].left {
            return;
        }
        let mut actions = Vec::new();
        let now = self.now();
        let member = &mut self.members[number];
        member.torrent.stop(&mut Turn { now, shared: &mut member.shared, actions: &mut actions });
        actions.into_iter().for_each(|action| self.carry_out(number, action));
        self.members[number].left = true;
        let (member, copies) = (&self.members[number], &mut self.copies);
        let wire = |piece: u32| member.numbering.as_ref().map_or(piece, |order| order.piece(piece, false));
        member.torrent.have().iter_ones().for_each(|piece| copies[wire(piece) as usize] -= 1);
        self.listed.retain(|other| *other != number);
    }

    fn touch(&mut self, number: usize) {
        if !core::mem::replace(&mut self.members[number].touched, true) {
            self.touched.push(number);
        }
    }

    /// Hands a member an event, and carries out what it decides.
    pub fn handle(&mut self, number: usize, event: Event) {
        if self.members[number].left {
            return;
        }
        self.touch(number);
        self.events += 1;
        let mut actions = core::mem::take(&mut self.actions);
        let now = self.now();
        let member = &mut self.members[number];
        member.torrent.handle(event, &mut Turn { now, shared: &mut member.shared, actions: &mut actions });
        actions.drain(..).for_each(|action| self.carry_out(number, action));
        self.actions = actions;
    }

    /// How long a message is on its way between two members.
    pub fn way(&self, from: usize, to: usize) -> Tick {
        self.members[from].manners.delay + self.members[to].manners.delay
    }
}
