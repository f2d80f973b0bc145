//! Routers of every kind, in virtual time.

mod upnp;

use super::mapper::{LIFETIME, Wanted};
use super::*;
use crate::base::rng::Rng;
use crate::base::time::Time;
use crate::proto::portmap::{natpmp, pcp};
use Transport::{Tcp, Udp};

const NONCE: [u8; 12] = *b"abcdefghijkl";
const PORT: u16 = 6881;
const OUTER: [u8; 4] = [45, 77, 0, 1];
const HOUR: Time = Time::from_secs(3600);

/// A machine with its clock.
struct Stage {
    mapper: Mapper,
    now: Time,
    rng: Rng,
}

impl Stage {
    fn new() -> Stage {
        Stage::at([192, 168, 77, 20].into())
    }

    fn at(ours: IpAddr) -> Stage {
        let wanted = Wanted { ours, port: PORT, nonce: NONCE };
        Stage { mapper: Mapper::new(wanted), now: Time::from_secs(5), rng: Rng::new(1) }
    }

    fn tell(&mut self, input: Input) -> Vec<Output> {
        let mut out = Vec::new();
        self.mapper.handle(input, self.now, &mut self.rng, &mut out);
        out
    }

    /// Waits until the machine wakes. Returns how long that took, and what follows.
    fn wait(&mut self) -> (Time, Vec<Output>) {
        let wake = self.mapper.wake().expect("it wakes by itself");
        let passed = wake.saturating_sub(self.now);
        self.now = self.now.max(wake);
        (passed, self.tell(Input::Timer))
    }

    /// The router does not answer until the machine asks in another way.
    fn silence(&mut self) -> Vec<Output> {
        for _ in 0..3 {
            assert!(matches!(self.wait().1[..], [Output::Send(_)]));
        }
        self.wait().1
    }

    /// The machine with a PCP router that says no.
    fn without_pcp() -> (Stage, Vec<Output>) {
        let mut stage = Stage::new();
        stage.wait();
        let out = stage.tell(Input::Packet(&[0, 0x81, 0, 1, 0, 0, 0, 9]));
        (stage, out)
    }

    /// The machine in front of a router that only has UPnP.
    fn with_upnp(is_second: bool) -> (Stage, Vec<Output>) {
        let (mut stage, _) = Stage::without_pcp();
        assert_eq!(stage.tell(Input::Unreachable), [Output::Upnp(Task::Find)]);
        assert_eq!(stage.done(Done::Found { is_second }), [Output::Upnp(Task::Address)]);
        let out = stage.done(Done::Address(Some(OUTER.into())));
        (stage, out)
    }

    fn done(&mut self, done: Done) -> Vec<Output> {
        self.tell(Input::Upnp(Ok(done)))
    }

    fn refuse(&mut self, code: u16) -> Vec<Output> {
        self.tell(Input::Upnp(Err(Fault::Refused(code, "NoReason".into()))))
    }

    fn words(&self) -> String {
        match self.mapper.standing() {
            Standing::Closed(words) => words.clone(),
            other => panic!("{other:?}"),
        }
    }

    fn open(&self) -> Open {
        *self.mapper.standing().open().expect("the router has opened the port")
    }
}

fn pcp_map(transport: Transport, outer: u16, lifetime: u32) -> Vec<Output> {
    let ours = [192, 168, 77, 20].into();
    vec![Output::Send(pcp::Map { ours, nonce: NONCE, transport, inner: PORT, outer, lifetime }.emit())]
}

/// An answer in PCP: the question with what an answer has in other places.
fn pcp_answer(transport: Transport, outer: u16, lifetime: u32, epoch: u32) -> Vec<u8> {
    let ours = [192, 168, 77, 20].into();
    let mut bytes = pcp::Map { ours, nonce: NONCE, transport, inner: PORT, outer, lifetime }.emit();
    bytes[1] |= 0x80;
    bytes[8..12].copy_from_slice(&epoch.to_be_bytes());
    bytes[12..24].fill(0);
    bytes[56..60].copy_from_slice(&OUTER);
    bytes
}

/// A PCP router says for how many seconds it has been up.
fn alive(epoch: u32) -> Vec<u8> {
    [&[2, 0x80, 0, 0, 0, 0, 0, 0][..], &epoch.to_be_bytes(), &[0; 12]].concat()
}

fn natpmp_map(transport: Transport, outer: u16, lifetime: u32) -> Vec<Output> {
    vec![Output::Send(natpmp::map(transport, PORT, outer, lifetime).into())]
}

fn natpmp_answer(transport: Transport, outer: u16, lifetime: u32, epoch: u32) -> Vec<u8> {
    let [_, operation, _, _, numbers @ ..] = natpmp::map(transport, PORT, outer, lifetime);
    [&[0, operation | 0x80, 0, 0][..], &epoch.to_be_bytes(), &numbers].concat()
}

fn natpmp_address(epoch: u32) -> Vec<u8> {
    [&[0, 0x80, 0, 0][..], &epoch.to_be_bytes(), &OUTER].concat()
}

fn add(transport: Transport, outer: u16, lease: u32, any: bool) -> Vec<Output> {
    vec![Output::Upnp(Task::Add { transport, outer, lease, any })]
}

/// A machine for which a PCP router has opened the port for `lifetime` seconds.
fn opened(lifetime: u32, epoch: u32) -> Stage {
    let mut stage = Stage::new();
    assert_eq!(stage.wait().1, pcp_map(Tcp, PORT, LIFETIME));
    assert_eq!(stage.tell(Input::Packet(&pcp_answer(Tcp, 7000, lifetime, epoch))), pcp_map(Udp, 7000, LIFETIME));
    assert_eq!(stage.tell(Input::Packet(&pcp_answer(Udp, 7001, lifetime, epoch))), [Output::Changed]);
    stage
}

#[test]
fn both_transports_are_mapped_and_renewed_at_half_the_lifetime() {
    let mut stage = opened(LIFETIME, 9);
    let ports = [Some(7000), Some(7001)];
    assert_eq!(stage.open(), Open { protocol: Protocol::Pcp, ip: Some(OUTER.into()), ports });
    for round in 1..=3 {
        let (passed, out) = stage.wait();
        assert_eq!((passed, out), (HOUR / 2, pcp_map(Tcp, 7000, LIFETIME)), "the same port is wanted");
        let epoch = 9 + round * 1800;
        assert_eq!(stage.tell(Input::Packet(&pcp_answer(Tcp, 7000, LIFETIME, epoch))), pcp_map(Udp, 7001, LIFETIME));
        assert_eq!(stage.tell(Input::Packet(&pcp_answer(Udp, 7001, LIFETIME, epoch))), [], "nothing has changed");
    }
}

#[test]
fn a_router_may_speak_only_natpmp() {
    let (mut stage, out) = Stage::without_pcp();
    assert_eq!(out, [Output::Send(natpmp::ADDRESS.into())]);
    assert_eq!(stage.tell(Input::Packet(&natpmp_address(3))), natpmp_map(Tcp, PORT, LIFETIME));
    assert_eq!(stage.tell(Input::Packet(&natpmp_answer(Tcp, 7000, 60, 3))), natpmp_map(Udp, 7000, LIFETIME));
    assert_eq!(stage.tell(Input::Packet(&natpmp_answer(Udp, 7000, 3600, 3))), [Output::Changed]);
    let ports = [Some(7000), Some(7000)];
    assert_eq!(stage.open(), Open { protocol: Protocol::NatPmp, ip: Some(OUTER.into()), ports });
    assert_eq!(stage.wait(), (Time::from_secs(30), vec![Output::Send(natpmp::ADDRESS.into())]), "the shorter one");
}

#[test]
fn a_router_that_never_answers_is_asked_less_and_less() {
    let mut stage = Stage::new();
    let mut pauses = Vec::new();
    for _ in 0..10 {
        let (pause, out) = stage.wait();
        assert_eq!(out, pcp_map(Tcp, PORT, LIFETIME));
        pauses.push(pause.as_secs());
        let began = stage.now;
        assert_eq!(stage.silence(), [Output::Send(natpmp::ADDRESS.into())]);
        assert_eq!(stage.now - began, Time::from_millis(3750));
        assert_eq!(stage.silence(), [Output::Upnp(Task::Find)]);
        stage.tell(Input::Upnp(Err(Fault::Silent)));
        assert_eq!(stage.words(), "the router answers neither PCP, NAT-PMP nor UPnP");
    }
    assert_eq!(pauses, [0, 60, 120, 240, 480, 960, 1920, 3840, 7200, 7200]);
}

#[test]
fn what_is_no_answer_to_us_is_ignored() {
    let mut stage = Stage::new();
    stage.wait();
    let good = pcp_answer(Tcp, 7000, LIFETIME, 9);
    let with = |at: usize, byte: u8| {
        let mut other = good.clone();
        other[at] = byte;
        other
    };
    let mut refusal_of_others = with(24, b'x');
    refusal_of_others[3] = 2;
    for ignored in [
        with(24, b'x'),                  // another nonce
        with(41, 0),                     // another inner port
        pcp_answer(Tcp, 0, LIFETIME, 9), // no outer port
        pcp_answer(Tcp, 7000, 0, 9),     // no lifetime
        pcp_answer(Udp, 7000, 60, 9),    // not asked yet
        refusal_of_others,
        natpmp_answer(Tcp, 7000, 60, 9),
        Vec::new(),
    ] {
        assert_eq!(stage.tell(Input::Packet(&ignored)), [], "{ignored:?}");
    }
    assert_eq!(stage.mapper.standing(), &Standing::Asking);
    let (mut stage, _) = Stage::without_pcp();
    stage.tell(Input::Packet(&natpmp_address(3)));
    let mut other_inner = natpmp_answer(Tcp, 7000, 60, 3);
    other_inner[9] ^= 1;
    for ignored in
        [natpmp_answer(Tcp, 0, 60, 3), natpmp_answer(Tcp, 7000, 0, 3), natpmp_answer(Udp, 7000, 60, 3), other_inner]
    {
        assert_eq!(stage.tell(Input::Packet(&ignored)), [], "{ignored:?}");
    }
    assert_eq!(stage.tell(Input::Upnp(Ok(Done::Added(7)))), [], "nothing was asked over UPnP");
    assert_eq!(stage.mapper.standing(), &Standing::Asking);
}

#[test]
fn a_lifetime_counts_as_a_day_at_most_and_four_seconds_at_least() {
    assert_eq!(opened(u32::MAX, 9).wait().0, Time::from_secs(43_200));
    assert_eq!(opened(1, 9).wait().0, Time::from_secs(4));
}

#[test]
fn a_router_that_has_started_again_is_asked_again_soon() {
    let mut stage = opened(LIFETIME, 100);
    stage.now += Time::from_secs(600);
    assert_eq!(stage.tell(Input::Packet(&alive(700))), []);
    assert_eq!(stage.mapper.wake(), Some(Time::from_secs(5) + HOUR / 2), "it has kept the mappings");
    assert_eq!(stage.tell(Input::Packet(&alive(0))), []);
    assert_eq!(stage.wait(), (Time::ZERO, pcp_map(Tcp, 7000, LIFETIME)));
    stage.tell(Input::Packet(&pcp_answer(Tcp, 7000, LIFETIME, 0)));
    stage.tell(Input::Packet(&pcp_answer(Udp, 7001, LIFETIME, 0)));
    // Somebody sends such news without end.
    let mut rounds = 0;
    for _ in 0..1000 {
        stage.now += Time::from_millis(100);
        stage.tell(Input::Packet(&alive(u32::MAX)));
        stage.tell(Input::Packet(&alive(0)));
        if stage.mapper.wake().is_some_and(|wake| wake <= stage.now) {
            rounds += 1;
            stage.tell(Input::Timer);
            stage.tell(Input::Packet(&pcp_answer(Tcp, 7000, LIFETIME, 0)));
            stage.tell(Input::Packet(&pcp_answer(Udp, 7001, LIFETIME, 0)));
        }
    }
    assert!((9..=11).contains(&rounds), "{rounds} in 100 seconds");
}

#[test]
fn a_router_that_appears_later_is_asked_soon() {
    let (mut stage, _) = Stage::without_pcp();
    stage.tell(Input::Unreachable);
    stage.tell(Input::Upnp(Err(Fault::Silent)));
    stage.now += Time::from_secs(61);
    stage.tell(Input::Packet(&natpmp_address(0)));
    assert_eq!(stage.wait(), (Time::ZERO, pcp_map(Tcp, PORT, LIFETIME)));
    // The same in PCP.
    stage.tell(Input::Unreachable);
    stage.tell(Input::Unreachable);
    stage.tell(Input::Upnp(Err(Fault::Silent)));
    stage.now += Time::from_secs(61);
    stage.tell(Input::Packet(&alive(0)));
    assert_eq!(stage.wait(), (Time::ZERO, pcp_map(Tcp, PORT, LIFETIME)));
    // Somebody sends such news without end.
    let mut rounds = 0;
    for _ in 0..3000 {
        stage.now += Time::from_millis(100);
        stage.tell(Input::Packet(&alive(0)));
        if stage.mapper.wake().is_some_and(|wake| wake <= stage.now) {
            rounds += usize::from(stage.tell(Input::Timer) == pcp_map(Tcp, PORT, LIFETIME));
            stage.tell(Input::Unreachable);
            stage.tell(Input::Unreachable);
            stage.tell(Input::Upnp(Err(Fault::Silent)));
        }
    }
    assert!((3..=5).contains(&rounds), "{rounds} in 300 seconds");
}

#[test]
fn a_refusal_has_words_and_a_long_pause() {
    let mut stage = Stage::new();
    stage.wait();
    let mut refused = pcp_answer(Tcp, 0, 1800, 9);
    refused[3] = 2;
    assert_eq!(stage.tell(Input::Packet(&refused)), [Output::Send(natpmp::ADDRESS.into())]);
    stage.tell(Input::Unreachable);
    stage.tell(Input::Upnp(Err(Fault::Silent)));
    assert_eq!(
        stage.words(),
        "the router refuses PCP: it is switched off there, or not allowed for this machine (result 2)"
    );
    assert_eq!(stage.wait().0, 2 * HOUR);
    let (mut stage, _) = Stage::without_pcp();
    assert_eq!(stage.tell(Input::Packet(&[0, 0x80, 0, 3, 0, 0, 0, 9])), [Output::Upnp(Task::Find)]);
    stage.tell(Input::Upnp(Err(Fault::Broken("its description has more than 262144 bytes".into()))));
    assert_eq!(stage.words(), "the router's UPnP can't be used: its description has more than 262144 bytes");
}

#[test]
fn at_the_end_everything_is_removed() {
    let mut stage = opened(LIFETIME, 9);
    assert_eq!(stage.tell(Input::End), pcp_map(Tcp, 0, 0));
    assert_eq!(stage.tell(Input::Packet(&pcp_answer(Tcp, 7000, 0, 9))), pcp_map(Udp, 0, 0));
    assert_eq!(stage.tell(Input::End), [], "it is ending already");
    assert_eq!(stage.silence(), [Output::Ended]);
    // A mapping may be under way. Its answer is not waited for.
    let (mut stage, _) = Stage::without_pcp();
    assert!(!stage.mapper.may_have_mappings());
    stage.tell(Input::Packet(&natpmp_address(3)));
    assert!(stage.mapper.may_have_mappings());
    let out = stage.tell(Input::End);
    assert_eq!((&out[..1], &out[1..]), (&natpmp_map(Tcp, 0, 0)[..], &[Output::Ended][..]));
    assert_eq!(Stage::new().tell(Input::End), [Output::Ended], "nothing was asked yet");
}

#[test]
fn with_ipv6_there_is_only_pcp() {
    let mut stage = Stage::at("2001:db8::7".parse().unwrap());
    assert_eq!(stage.wait().1.len(), 1);
    assert_eq!(stage.silence(), [Output::Changed]);
    assert_eq!(stage.words(), "the router does not answer PCP");
}

#[test]
fn an_outer_address_that_is_not_public_is_an_obstacle() {
    let open = |ip: [u8; 4]| Open { protocol: Protocol::Pcp, ip: Some(ip.into()), ports: [Some(1), None] };
    assert_eq!((open(OUTER).obstacle(), open(OUTER).public_ip()), (None, Some(OUTER.into())));
    let carrier = open([100, 64, 3, 4]);
    assert!(carrier.obstacle().is_some_and(|words| words.contains("100.64.3.4") && words.contains("your provider")));
    assert!(open([192, 168, 1, 2]).obstacle().is_some_and(|words| words.contains("another router")));
    assert_eq!((carrier.public_ip(), Open { ip: None, ..carrier }.obstacle()), (None, None));
}

#[test]
fn only_routers_of_local_networks_are_asked() {
    let may = |ip: &str| may_ask(ip.parse().unwrap());
    assert!(
        ["10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.1.1", "100.64.0.1", "fd00::1", "fe80::1"]
            .into_iter()
            .all(may)
    );
    assert!(!["8.8.8.8", "127.0.0.1", "2001:db8::1", "::1", "172.32.0.1", "100.128.0.1"].into_iter().any(may));
}

#[test]
fn a_mapping_is_told_in_words() {
    let open = |ports| Open { protocol: Protocol::NatPmp, ip: Some(OUTER.into()), ports }.to_string();
    assert_eq!(open([Some(7), Some(7)]), "port 7 of 45.77.0.1 leads here, by NAT-PMP");
    assert_eq!(open([Some(7), Some(8)]), "ports 7 (TCP) and 8 (UDP) of 45.77.0.1 lead here, by NAT-PMP");
    assert_eq!(open([Some(7), None]), "port 7 (TCP only) of 45.77.0.1 leads here, by NAT-PMP");
    let carrier = Open { protocol: Protocol::Pcp, ip: Some([100, 64, 0, 1].into()), ports: [Some(7), Some(7)] };
    assert!(carrier.to_string().starts_with("port 7 of 100.64.0.1 leads here, by PCP; but the router's outer address"));
}

#[test]
fn peers_elsewhere_use_the_outer_port() {
    let ports = OuterPorts::of(&Standing::Open(Open { protocol: Protocol::Pcp, ip: None, ports: [Some(7), None] }));
    let seen = |peer: &str, transport| ports.seen_by(peer.parse().unwrap(), transport, PORT);
    assert_eq!([seen("8.8.8.8", Tcp), seen("192.168.77.9", Tcp), seen("2001:db8::1", Tcp)], [7, PORT, PORT]);
    assert_eq!(seen("8.8.8.8", Udp), PORT);
    assert_eq!(OuterPorts::of(&Standing::Asking), OuterPorts::default());
}

/// Whatever a router does, the machine asks a bounded number of questions, and never panics.
#[test]
fn random_answers_do_no_harm() {
    for seed in 0..300 {
        let mut stage = Stage::new();
        stage.rng = Rng::new(seed);
        let mut rng = Rng::new(seed);
        let mut asked = 0;
        for _ in 0..300 {
            let mut packet = match rng.below(4) {
                0 => pcp_answer(if rng.below(2) == 0 { Tcp } else { Udp }, rng.bits() as u16, rng.bits() as u32, 0),
                1 => natpmp_answer(if rng.below(2) == 0 { Tcp } else { Udp }, rng.bits() as u16, rng.bits() as u32, 0),
                2 => natpmp_address(rng.bits() as u32),
                _ => (0..rng.below(64)).map(|_| rng.below(256) as u8).collect(),
            };
            if let Some(byte) = packet.get_mut(3).filter(|_| rng.below(3) == 0) {
                *byte = rng.below(14) as u8;
            }
            let input = match rng.below(6) {
                0 | 1 => Input::Packet(&packet),
                2 => Input::Unreachable,
                3 => Input::Upnp(Ok(Done::Added(rng.bits() as u16))),
                4 => Input::Upnp(Err(Fault::Refused([718, 725, 402, 501, 606, 0][rng.below(6)], String::new()))),
                _ => Input::Timer,
            };
            asked += stage.tell(input).len();
            stage.now += Time::from_millis(rng.below(10_000) as u64);
        }
        assert!(asked < 1200, "{asked}");
        stage.tell(Input::End);
    }
}
