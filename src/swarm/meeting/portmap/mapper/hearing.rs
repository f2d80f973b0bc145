//! What the router answers in each protocol, and which of that is an answer to us.

use super::{LIFETIME, Mapper, Step};
use crate::base::rng::Rng;
use crate::base::time::{Time, sooner};
use crate::proto::portmap::{Transport, natpmp, pcp, soap};
use crate::swarm::meeting::portmap::{Done, Fault, Output, Protocol, Standing};
use core::net::IpAddr;

/// Outer ports that are tried if others have them (libtorrent).
const MOST_PORTS: u32 = 4;
/// Where those are chosen: the ports that neither servers nor most systems use (libtorrent).
const OTHER_PORTS: u16 = 40_000;
const OTHER_PORTS_COUNT: usize = 10_000;
/// The beginning of a complaint.
const UNUSABLE: &str = "the router's UPnP can't be used";
/// News of a router that has started are believed this often. Anybody in the network can forge them.
const BELIEVED: Time = Time::from_secs(10);
/// The same of a router that has opened no port. It costs more: three protocols are tried.
const BELIEVED_CLOSED: Time = Time::from_secs(60);

/// A mapping that the router made, or removed (lifetime 0).
struct Grant {
    transport: Transport,
    outer: u16,
    lifetime: u32,
    epoch: u32,
}

impl Mapper {
    /// The router answers in PCP.
    pub(super) fn got_pcp(&mut self, packet: &[u8], now: Time, out: &mut Vec<Output>) {
        let (step, ours) = (self.steps.front().copied(), self.wanted.nonce);
        match pcp::parse(packet) {
            Some(pcp::Answer::Alive { epoch }) => self.announced(epoch, None, now),
            Some(pcp::Answer::Mapping { nonce, transport, inner, outer, ip, lifetime, epoch })
                if nonce == ours && inner == self.wanted.port =>
            {
                self.mapped(Grant { transport, outer, lifetime, epoch }, ip, now, out);
            }
            Some(pcp::Answer::Refused { question, code }) => {
                let is_ours = match question {
                    Some((nonce, transport)) => {
                        nonce == ours && matches!(step, Some(Step::Map(it) | Step::Remove(it)) if it == transport)
                    }
                    None => step.is_some(),
                };
                // A router that speaks only NAT-PMP is asked in NAT-PMP.
                let words = || format!("the router refuses PCP: {} (result {code})", pcp::words(code));
                let words = (code != pcp::OTHER_VERSION).then(words);
                if is_ours {
                    self.failed(words, now, out);
                }
            }
            Some(pcp::Answer::Mapping { .. }) | None => {}
        }
    }

    /// The router answers in NAT-PMP.
    pub(super) fn got_natpmp(&mut self, packet: &[u8], now: Time, out: &mut Vec<Output>) {
        let step = self.steps.front().copied();
        match natpmp::parse(packet) {
            Some(natpmp::Answer::Address { ip, epoch }) if step == Some(Step::Address) => {
                self.epoch.jumped_back(epoch, now);
                self.so_far.ip = ip;
                self.next(now, out);
            }
            Some(natpmp::Answer::Address { ip, epoch }) => self.announced(epoch, ip, now),
            Some(natpmp::Answer::Mapping { transport, inner, outer, lifetime, epoch }) if inner == self.wanted.port => {
                self.mapped(Grant { transport, outer, lifetime, epoch }, None, now, out);
            }
            Some(natpmp::Answer::Refused { transport, code }) => {
                let is_ours = match step {
                    Some(Step::Map(it) | Step::Remove(it)) => transport == Some(it),
                    Some(Step::Address) => transport.is_none(),
                    Some(Step::Find) | None => false,
                };
                if is_ours {
                    let words = format!("the router refuses NAT-PMP: {} (result {code})", natpmp::words(code));
                    self.failed(Some(words), now, out);
                }
            }
            Some(natpmp::Answer::Mapping { .. }) | None => {}
        }
    }

    /// The router says that it mapped something, or removed it. Goes on if that answers the question at hand. `ip`:
    /// the outer address, if the router says it together with the mapping.
    fn mapped(&mut self, grant: Grant, ip: Option<IpAddr>, now: Time, out: &mut Vec<Output>) {
        let Grant { transport, outer, lifetime, epoch } = grant;
        let answers = match self.steps.front() {
            Some(Step::Map(asked)) => *asked == transport && outer > 0 && lifetime > 0,
            Some(Step::Remove(asked)) => *asked == transport && lifetime == 0,
            Some(Step::Find | Step::Address) | None => false,
        };
        if !answers {
            return;
        }
        self.epoch.jumped_back(epoch, now);
        if lifetime > 0 {
            self.so_far.ports[transport as usize] = Some(outer);
            self.so_far.ip = ip.or(self.so_far.ip);
            self.lifetime = self.lifetime.min(lifetime);
        }
        self.next(now, out);
    }

    /// The router says, unasked, for how long it has kept its mappings. If it has lost ours, we ask again soon.
    fn announced(&mut self, epoch: u32, ip: Option<IpAddr>, now: Time) {
        let is_idle = self.steps.is_empty();
        let (is_lost, pause) = match &self.standing {
            Standing::Open(open) => (self.epoch.jumped_back(epoch, now) || ip.is_some() && ip != open.ip, BELIEVED),
            _ => (true, BELIEVED_CLOSED),
        };
        if is_idle && is_lost {
            self.wake = sooner(self.wake, Some(now.max(self.began + pause)));
        }
    }

    pub(super) fn got_upnp(&mut self, result: Result<Done, Fault>, now: Time, rng: &mut Rng, out: &mut Vec<Output>) {
        let Some(step) = self.steps.front().copied().filter(|_| self.protocol == Protocol::Upnp) else { return };
        match (step, result) {
            (Step::Find, Ok(Done::Found { is_second })) => self.upnp.is_second = is_second,
            (Step::Address, Ok(Done::Address(ip))) => self.so_far.ip = ip,
            (Step::Map(transport), Ok(Done::Added(outer))) if outer > 0 => {
                self.so_far.ports[transport as usize] = Some(outer);
                self.lifetime = self.lifetime.min(LIFETIME);
            }
            // Some routers say so although they can map.
            (Step::Address, Err(_)) => {}
            (Step::Map(_), Err(Fault::Refused(code, _))) if self.may_ask_otherwise(code, rng) => {
                return self.ask(now, out);
            }
            (Step::Remove(_), _) => {}
            (_, Err(Fault::Silent)) => return self.failed(None, now, out),
            (_, Err(Fault::Broken(why))) => return self.failed(Some(format!("{UNUSABLE}: {why}")), now, out),
            (_, Err(Fault::Refused(code, said))) => {
                let said = if said.is_empty() { String::new() } else { format!(" {said}") };
                let words = format!("the router refuses UPnP: {} (error {code}{said})", soap::words(code));
                return self.failed(Some(words), now, out);
            }
            (_, Ok(_)) => return self.failed(Some(format!("{UNUSABLE}: its answer makes no sense")), now, out),
        }
        self.next(now, out);
    }

    /// Whether the router may do the same if it is asked in another way.
    fn may_ask_otherwise(&mut self, code: u16, rng: &mut Rng) -> bool {
        match code {
            // Only permanent mappings; some say that the arguments are wrong.
            725 | 402 if !self.upnp.is_permanent => self.upnp.is_permanent = true,
            // The port is taken, or "the action failed", which often means the same.
            718 | 729 | 501 if self.upnp.tried + 1 < MOST_PORTS => {
                self.upnp.tried += 1;
                self.upnp.any = self.upnp.is_second && self.upnp.tried == 1;
                self.upnp.other = Some(OTHER_PORTS + rng.below(OTHER_PORTS_COUNT) as u16).filter(|_| !self.upnp.any);
            }
            // It can't choose after all.
            _ if self.upnp.any => {
                self.upnp.any = false;
                self.upnp.other = Some(OTHER_PORTS + rng.below(OTHER_PORTS_COUNT) as u16);
            }
            _ => return false,
        }
        true
    }
}
