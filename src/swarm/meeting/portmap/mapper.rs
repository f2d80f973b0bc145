//! The machine that asks one router for one port, step by step.
//!
//! Each protocol has its steps. A step is one question; the next one follows when it is answered. What counts as an
//! answer is in the file `hearing`.

mod hearing;

use super::epoch::Epoch;
use super::{Input, Open, Output, Protocol, Standing, Task};
use crate::base::rng::Rng;
use crate::base::time::Time;
use crate::proto::portmap::{Transport, natpmp, pcp};
use core::net::IpAddr;
use std::collections::VecDeque;

/// How long a mapping is wanted for, in seconds (libtorrent, transmission). If we end without removing it, the port
/// stays open for this long at most.
pub const LIFETIME: u32 = 3600;
/// The longest lifetime that counts, in seconds: a day.
const LONGEST: u32 = 86_400;
/// A mapping is renewed no sooner than this, however short its lifetime is (RFC 6887, section 11.2.1).
const LEAST_PAUSE: Time = Time::from_secs(4);
/// How long the first answer of a router is waited for (RFC 6886, section 3.1). The wait doubles each time.
const FIRST_WAIT: Time = Time::from_millis(250);
/// A question is sent this often: 3.75 s in all. The RFCs wait for minutes, but routers answer in milliseconds, and
/// there are other protocols to try.
const MOST_SENT: u32 = 4;
/// If no router answers, we try again after this, then after twice as long ...
const RETRY: Time = Time::from_secs(60);
/// ... and so on, up to this. It is also the pause after a refusal (libtorrent).
const LONGEST_RETRY: Time = Time::from_secs(7200);
/// What is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Our address in the local network.
    pub ours: IpAddr,
    /// The port that we listen on.
    pub port: u16,
    /// A secret, for PCP.
    pub nonce: [u8; 12],
}

/// A question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Find,
    Address,
    Map(Transport),
    Remove(Transport),
}

/// The machine. It begins with the first [`Input::Timer`].
pub struct Mapper {
    wanted: Wanted,
    protocol: Protocol,
    /// The questions of this round; the first one was asked.
    steps: VecDeque<Step>,
    /// How often it was asked.
    sent: u32,
    wake: Option<Time>,
    /// When this round began.
    began: Time,
    standing: Standing,
    /// What this round has brought so far, and the shortest lifetime in it.
    so_far: Open,
    lifetime: u32,
    /// It renews what is open.
    renews: bool,
    /// Why each protocol failed, as a sentence; `None`: there was no answer.
    faults: Vec<(Protocol, Option<String>)>,
    /// Rounds that failed since the last one that did not.
    failed: u32,
    ending: bool,
    epoch: Epoch,
    upnp: Upnp,
}

/// What is known about a router's UPnP.
#[derive(Default)]
struct Upnp {
    /// It is of IGD 2: it can choose a free port.
    is_second: bool,
    /// It is asked to choose.
    any: bool,
    /// It takes only mappings that do not end by themselves.
    is_permanent: bool,
    /// The outer port to ask for instead of our own, and how many were tried for this transport.
    other: Option<u16>,
    tried: u32,
}

impl Mapper {
    /// A machine that has asked nothing yet.
    pub fn new(wanted: Wanted) -> Mapper {
        Mapper {
            wanted,
            protocol: Protocol::Pcp,
            steps: VecDeque::new(),
            sent: 0,
            wake: Some(Time::ZERO),
            began: Time::ZERO,
            standing: Standing::Asking,
            so_far: Open { protocol: Protocol::Pcp, ip: None, ports: [None, None] },
            lifetime: LONGEST,
            renews: false,
            faults: Vec::new(),
            failed: 0,
            ending: false,
            epoch: Epoch::default(),
            upnp: Upnp::default(),
        }
    }

    /// How it stands.
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// When it wants an [`Input::Timer`].
    pub fn wake(&self) -> Option<Time> {
        self.wake
    }

    /// The way to the router was away: what rests is due `now`.
    pub fn hurry(&mut self, now: Time) {
        if self.steps.is_empty() {
            self.wake = Some(now);
        }
    }

    /// Takes in what happened.
    pub fn handle(&mut self, input: Input, now: Time, rng: &mut Rng, out: &mut Vec<Output>) {
        match input {
            Input::Timer if self.wake.is_none_or(|wake| now < wake) => {}
            Input::Timer if self.steps.is_empty() => match self.standing {
                Standing::Open(open) => {
                    self.renews = true;
                    self.begin(open.protocol, now, out);
                }
                _ => self.start_over(now, out),
            },
            Input::Timer if self.sent < MOST_SENT => self.ask(now, out),
            Input::Timer => self.failed(None, now, out),
            Input::Unreachable if self.awaits_packet() => self.failed(None, now, out),
            Input::Unreachable => {}
            Input::Packet(packet) => match self.protocol {
                // It is news, in either protocol.
                _ if self.steps.is_empty() && packet.first() == Some(&pcp::VERSION) => self.got_pcp(packet, now, out),
                _ if self.steps.is_empty() => self.got_natpmp(packet, now, out),
                Protocol::Pcp => self.got_pcp(packet, now, out),
                Protocol::NatPmp => self.got_natpmp(packet, now, out),
                Protocol::Upnp => {}
            },
            Input::Upnp(result) => self.got_upnp(result, now, rng, out),
            Input::End => self.end(now, out),
        }
    }

    fn awaits_packet(&self) -> bool {
        !self.steps.is_empty() && self.protocol != Protocol::Upnp
    }

    /// Begins with the first protocol.
    fn start_over(&mut self, now: Time, out: &mut Vec<Output>) {
        self.faults.clear();
        self.renews = false;
        self.upnp = Upnp::default();
        self.begin(Protocol::Pcp, now, out);
    }

    /// Begins a round with a protocol.
    fn begin(&mut self, protocol: Protocol, now: Time, out: &mut Vec<Output>) {
        let before = match protocol {
            Protocol::Pcp => &[][..],
            Protocol::NatPmp => &[Step::Address],
            Protocol::Upnp if self.renews => &[Step::Address],
            Protocol::Upnp => &[Step::Find, Step::Address],
        };
        (self.protocol, self.began, self.lifetime) = (protocol, now, LONGEST);
        self.so_far = Open { protocol, ip: None, ports: [None, None] };
        self.steps = before.iter().copied().chain(Transport::ALL.map(Step::Map)).collect();
        self.sent = 0;
        self.ask(now, out);
    }

    /// The question at hand is settled; asks the next one.
    fn next(&mut self, now: Time, out: &mut Vec<Output>) {
        self.steps.pop_front();
        (self.sent, self.upnp.tried, self.upnp.other, self.upnp.any) = (0, 0, None, false);
        self.ask(now, out);
    }

    fn ask(&mut self, now: Time, out: &mut Vec<Output>) {
        let Some(step) = self.steps.front().copied() else { return self.all_answered(now, out) };
        if let Some(packet) = self.packet(step) {
            self.wake = Some(now + FIRST_WAIT * 2u32.pow(self.sent));
            self.sent += 1;
            return out.push(Output::Send(packet));
        }
        self.wake = None;
        out.push(Output::Upnp(match step {
            Step::Find => Task::Find,
            Step::Address => Task::Address,
            Step::Map(transport) => {
                let lease = if self.upnp.is_permanent { 0 } else { LIFETIME };
                Task::Add { transport, outer: self.outer(step, transport), lease, any: self.upnp.any }
            }
            Step::Remove(transport) => Task::Remove { transport, outer: self.outer(step, transport) },
        }));
    }

    /// A question as a packet; `None` if it is asked over UPnP.
    fn packet(&self, step: Step) -> Option<Vec<u8>> {
        let Wanted { ours, port: inner, nonce } = self.wanted;
        let lifetime = if matches!(step, Step::Remove(_)) { 0 } else { LIFETIME };
        match (self.protocol, step) {
            (Protocol::Pcp, Step::Map(transport) | Step::Remove(transport)) => {
                let outer = self.outer(step, transport);
                Some(pcp::Map { ours, nonce, transport, inner, outer, lifetime }.emit())
            }
            (Protocol::NatPmp, Step::Map(transport) | Step::Remove(transport)) => {
                Some(natpmp::map(transport, inner, self.outer(step, transport), lifetime).into())
            }
            (Protocol::NatPmp, Step::Find | Step::Address) => Some(natpmp::ADDRESS.into()),
            (Protocol::Pcp, Step::Find | Step::Address) | (Protocol::Upnp, _) => None,
        }
    }

    /// The outer port to name: the one that we have, one that we chose, that of TCP, or our own.
    fn outer(&self, step: Step, transport: Transport) -> u16 {
        let has = self.standing.open().and_then(|open| open.port(transport));
        match step {
            // RFC 6886, section 3.4: nothing is wanted any more.
            Step::Remove(_) if self.protocol != Protocol::Upnp => 0,
            Step::Remove(_) => has.or(self.so_far.port(transport)).or(self.upnp.other).unwrap_or(self.wanted.port),
            _ => self.upnp.other.or(has).or(self.so_far.port(Transport::Tcp)).unwrap_or(self.wanted.port),
        }
    }

    /// The question at hand brought nothing; `words` say why, if the router answered.
    fn failed(&mut self, words: Option<String>, now: Time, out: &mut Vec<Output>) {
        let step = self.steps.front().copied();
        // Peers can connect without UDP, and a mapping that is not removed ends by itself.
        let is_open = step == Some(Step::Map(Transport::Udp)) && self.so_far.port(Transport::Tcp).is_some();
        if is_open || matches!(step, Some(Step::Remove(_))) {
            return self.next(now, out);
        }
        self.steps.clear();
        if self.renews {
            return self.start_over(now, out);
        }
        self.faults.push((self.protocol, words));
        match self.protocol {
            Protocol::Pcp if self.wanted.ours.is_ipv4() => self.begin(Protocol::NatPmp, now, out),
            Protocol::NatPmp => self.begin(Protocol::Upnp, now, out),
            Protocol::Pcp | Protocol::Upnp => self.closed(now, out),
        }
    }

    /// No protocol opened the port.
    fn closed(&mut self, now: Time, out: &mut Vec<Output>) {
        let names: Vec<&str> = self.faults.iter().map(|(protocol, _)| protocol.name()).collect();
        let silence = match names.split_last() {
            Some((last, others)) if !others.is_empty() => {
                format!("the router answers neither {} nor {last}", others.join(", "))
            }
            _ => format!("the router does not answer {}", names.concat()),
        };
        // What the last protocol says tells most.
        let answer = self.faults.iter_mut().rev().find_map(|(_, words)| words.take());
        let pause = if answer.is_some() { LONGEST_RETRY } else { RETRY * 2u32.pow(self.failed.min(8)) };
        let words = answer.unwrap_or(silence);
        self.failed += 1;
        self.wake = Some(now + pause.min(LONGEST_RETRY));
        self.stands(Standing::Closed(words), out);
    }

    /// Every question of the round is settled.
    fn all_answered(&mut self, now: Time, out: &mut Vec<Output>) {
        if self.ending {
            self.wake = None;
            return out.push(Output::Ended);
        }
        self.failed = 0;
        self.wake = Some(now + LEAST_PAUSE.max(Time::from_secs(self.lifetime.min(LONGEST).into()) / 2));
        self.stands(Standing::Open(self.so_far), out);
    }

    fn stands(&mut self, standing: Standing, out: &mut Vec<Output>) {
        if std::mem::replace(&mut self.standing, standing) != self.standing {
            out.push(Output::Changed);
        }
    }

    /// Whether there is a mapping, or may be one soon.
    pub fn may_have_mappings(&self) -> bool {
        let is_asked = matches!(self.steps.front(), Some(Step::Map(_)));
        is_asked || Transport::ALL.iter().any(|transport| self.is_mapped(*transport))
    }

    fn is_mapped(&self, transport: Transport) -> bool {
        let open = self.standing.open().and_then(|open| open.port(transport));
        open.or(self.so_far.port(transport)).is_some()
    }

    /// Removes what is mapped.
    fn end(&mut self, now: Time, out: &mut Vec<Output>) {
        if std::mem::replace(&mut self.ending, true) {
            return;
        }
        // The router may just answer the question at hand. Nobody waits for that.
        if let Some(Step::Map(asked)) = self.steps.front().copied().filter(|_| self.protocol != Protocol::Upnp)
            && !self.is_mapped(asked)
        {
            out.extend(self.packet(Step::Remove(asked)).map(Output::Send));
        }
        // It may have been about to find another protocol.
        self.protocol = self.standing.open().map_or(self.protocol, |open| open.protocol);
        let mapped = Transport::ALL.into_iter().filter(|transport| self.is_mapped(*transport));
        (self.steps, self.sent) = (mapped.map(Step::Remove).collect(), 0);
        self.ask(now, out);
    }
}
