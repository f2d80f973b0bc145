//! The network as fluid: which rate each flow has, if all share the lines fairly.
//!
//! Each member has a line up and a line down. A flow takes the line up of one member and the line down of another. The
//! shares are max-min fair, as TCP's roughly are: no flow can get more unless one that has no more gets less. (Bertsekas
//! and Gallager, "Data Networks", 6.5.2.)
//!
//! Each line has a level: the most that a flow may take there. The level is the one at which the line is just full,
//! given what the flows may take at their other ends; a line that can't be filled has none. A flow has the lower level
//! of its two lines. When a flow begins or ends, the levels of its lines are found again, then those of the lines at
//! the other ends of the flows that changed, and so on until nothing changes by more than [`TOLERANCE`]. The lowest
//! level is right after one look at its line, then the next lowest, so this comes to an end. In most cases it ends
//! after a few lines.

use std::collections::VecDeque;

/// The relative change of a level that is passed on.
const TOLERANCE: f64 = 0.004;

/// Milliseconds, the ticks of the laboratory.
pub type Tick = u64;

#[derive(Default)]
struct Line {
    /// Bytes in a millisecond.
    capacity: f64,
    level: f64,
    flows: Vec<u32>,
    waits: bool,
}

/// A flow, and the block that it carries.
pub struct Flow {
    lines: [u32; 2],
    /// Which end of which connection sends.
    pub owner: u32,
    rate: f64,
    /// Bytes of the block that are not sent yet; below 0 if time was left over.
    left: f64,
    since: Tick,
    /// When the sending is looked at next.
    pub due: Tick,
}

/// All lines and flows.
#[derive(Default)]
pub struct Lines {
    lines: Vec<Line>,
    flows: Vec<Flow>,
    unused: Vec<u32>,
    waiting: VecDeque<u32>,
    /// The flows that have another rate since the last [`settle`](Lines::settle).
    changed: Vec<u32>,
    /// How often a level was found.
    pub looks: u64,
}

impl Lines {
    /// One more member, with lines of these bytes a second up and down.
    pub fn add(&mut self, up: u64, down: u64) {
        for rate in [up, down] {
            self.lines.push(Line { capacity: rate as f64 / 1000.0, level: f64::INFINITY, ..Line::default() });
        }
    }

    /// A flow of `bytes` begins. Its rate is known after [`settle`](Lines::settle).
    pub fn begin(&mut self, from: usize, to: usize, owner: u32, bytes: u32, now: Tick) -> u32 {
        let lines = [2 * from as u32, 2 * to as u32 + 1];
        let flow = Flow { lines, owner, rate: 0.0, left: bytes.into(), since: now, due: Tick::MAX };
        let id = self.unused.pop().unwrap_or(self.flows.len() as u32);
        match self.flows.get_mut(id as usize) {
            Some(place) => *place = flow,
            None => self.flows.push(flow),
        }
        for line in lines {
            self.lines[line as usize].flows.push(id);
            self.look_at(line);
        }
        id
    }

    /// It ends.
    pub fn end(&mut self, id: u32) {
        for line in self.flows[id as usize].lines {
            let flows = &mut self.lines[line as usize].flows;
            let at = flows.iter().position(|other| *other == id).expect("a flow is at its lines");
            flows.swap_remove(at);
            self.look_at(line);
        }
        (self.flows[id as usize].rate, self.flows[id as usize].due) = (0.0, Tick::MAX);
        self.unused.push(id);
    }

    /// It goes on with `bytes` more.
    pub fn go_on(&mut self, id: u32, bytes: u32) {
        self.flows[id as usize].left += f64::from(bytes);
    }

    /// Bytes in a millisecond.
    pub fn rate(&self, id: u32) -> f64 {
        self.flows[id as usize].rate
    }

    pub fn flow(&self, id: u32) -> &Flow {
        &self.flows[id as usize]
    }

    fn look_at(&mut self, line: u32) {
        if !core::mem::replace(&mut self.lines[line as usize].waits, true) {
            self.waiting.push_back(line);
        }
    }

    /// Finds the rates. Then `look` hears of each flow that is to be looked at, and when.
    pub fn settle(&mut self, now: Tick, mut look: impl FnMut(Tick, u32)) {
        while let Some(line) = self.waiting.pop_front() {
            self.lines[line as usize].waits = false;
            self.looks += 1;
            let (level, before) = (self.level(line), self.lines[line as usize].level);
            // A small change is not kept, so that many of them together are noticed.
            let is_same = level == before || (level - before).abs() <= TOLERANCE * before.min(level);
            let level = if is_same { before } else { level };
            self.lines[line as usize].level = level;
            for at in 0..self.lines[line as usize].flows.len() {
                let id = self.lines[line as usize].flows[at];
                let flow = &self.flows[id as usize];
                let other = flow.lines[usize::from(flow.lines[0] == line)];
                let rate = level.min(self.lines[other as usize].level);
                if rate != flow.rate {
                    self.changed.push(id);
                    self.set_rate(id, rate, now);
                    if !is_same {
                        self.look_at(other);
                    }
                }
            }
        }
        for id in core::mem::take(&mut self.changed) {
            if let Some(due) = self.looks_sooner(id) {
                look(due, id);
            }
        }
    }

    /// The level at which `line` is full.
    fn level(&self, line: u32) -> f64 {
        let Line { capacity, flows, .. } = &self.lines[line as usize];
        let other = |id: &u32| {
            let lines = self.flows[*id as usize].lines;
            self.lines[lines[usize::from(lines[0] == line)] as usize].level
        };
        let mut others: Vec<f64> = flows.iter().map(other).collect();
        others.sort_unstable_by(f64::total_cmp);
        let (mut left, mut count) = (*capacity, others.len() as f64);
        for other in others {
            if other * count > left {
                return left / count;
            }
            (left, count) = (left - other, count - 1.0);
        }
        f64::INFINITY
    }

    fn set_rate(&mut self, id: u32, rate: f64, now: Tick) {
        let flow = &mut self.flows[id as usize];
        flow.left -= flow.rate * (now - flow.since) as f64;
        (flow.rate, flow.since) = (rate, now);
    }

    /// If its block is sent sooner than it is looked at: when. (If later, that is found when it is looked at.)
    fn looks_sooner(&mut self, id: u32) -> Option<Tick> {
        let flow = &mut self.flows[id as usize];
        if flow.rate <= 0.0 {
            return None;
        }
        let due = flow.since + (flow.left.max(0.0) / flow.rate).ceil() as Tick;
        (due < flow.due).then(|| flow.due = due).map(|()| due)
    }

    /// Whether the block is sent; if not, when to look again.
    pub fn is_sent(&mut self, id: u32, now: Tick) -> Result<(), Tick> {
        let rate = self.flows[id as usize].rate;
        self.set_rate(id, rate, now);
        self.flows[id as usize].due = Tick::MAX;
        if self.flows[id as usize].left <= 0.001 { Ok(()) } else { Err(self.looks_sooner(id).unwrap_or(Tick::MAX)) }
    }

    /// When to look at a flow that goes on.
    pub fn due_again(&mut self, id: u32) -> Option<Tick> {
        self.looks_sooner(id)
    }
}
