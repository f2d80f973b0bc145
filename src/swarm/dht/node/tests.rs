use super::*;
use crate::base::steps;
use crate::proto::id::InfoHash;
use crate::proto::krpc::{Answer, METHOD_UNKNOWN, PROTOCOL_ERROR, Query, VERSION, Want};
use crate::swarm::dht::token::Secret;
use crate::swarm::dht::{Announce, Goal, Outcome, Progress, Step};

mod answers;
mod others;

const HASH: InfoHash = InfoHash([0x77; 20]);
const WISH: InfoHash = InfoHash([0x78; 20]);

/// A node, and what it wants done.
struct Stage {
    node: Node,
    now: Time,
    rng: Rng,
    out: Vec<Output>,
}

fn at(number: usize) -> SocketAddr {
    SocketAddr::new(IpAddr::V4((0x0800_0000 + 256 * number as u32 + 1).into()), 6881)
}

fn id(number: usize) -> NodeId {
    NodeId(crate::base::sha1::sha1(&number.to_be_bytes()))
}

impl Stage {
    fn with(change: impl Fn(&mut Config)) -> Stage {
        let mut config = Config {
            is_v6: false,
            is_dual: false,
            id: NodeId([0xaa; 20]),
            secret: Secret([5; 20]),
            read_only: false,
            port: 6881,
            allow_local: false,
        };
        change(&mut config);
        let now = Time::from_secs(5_000);
        let mut node = Node::new(config, now);
        node.is_reachable = true;
        Stage { node, now, rng: Rng::new(3), out: Vec::new() }
    }

    fn new() -> Stage {
        Stage::with(|_| ())
    }

    fn input(&mut self, input: Input) -> Vec<Output> {
        self.node.handle(input, self.now, &mut self.rng, &mut self.out);
        core::mem::take(&mut self.out)
    }

    fn packet(&mut self, from: SocketAddr, bytes: &[u8]) -> Vec<Packet> {
        sent(self.input(Input::Packet { from, bytes })).into_iter().map(|(_, packet)| packet).collect()
    }

    /// A node asks; the answer.
    fn query(&mut self, from: SocketAddr, query: Query) -> Option<Body> {
        self.query_with(from, query, Want::default())
    }

    fn query_with(&mut self, from: SocketAddr, query: Query, want: Want) -> Option<Body> {
        self.now += Time::from_millis(300);
        let body = Body::Query { from: id(from.port().into()), read_only: true, want, query };
        let packet = Packet { transaction: b"ab".to_vec(), version: None, ip: None, body };
        let mut answers = self.packet(from, &packet.emit());
        assert!(answers.len() <= 1);
        answers.pop().map(|answer| {
            assert_eq!((&answer.transaction[..], answer.ip, answer.version), (&b"ab"[..], Some(from), Some(VERSION)));
            answer.body
        })
    }

    fn answer_to(&mut self, query: &Packet, from: SocketAddr, answer: Answer) -> Vec<Output> {
        let body = Body::Answer(Box::new(answer));
        let packet = Packet { transaction: query.transaction.clone(), version: None, ip: None, body };
        self.input(Input::Packet { from, bytes: &packet.emit() })
    }

    /// Lets time pass, and answers each question as `answers` says. Returns how many packets were sent.
    fn run(&mut self, time: Time, mut answers: impl FnMut(SocketAddr, &Query) -> Option<Answer>) -> usize {
        let (end, mut packets) = (self.now + time, 0);
        while let Some(wake) = self.node.next_wake(self.now).filter(|wake| *wake <= end) {
            self.now = self.now.max(wake);
            let mut asked = sent(self.input(Input::Timer));
            while let Some((to, packet)) = asked.pop() {
                packets += 1;
                let Body::Query { query, .. } = &packet.body else { continue };
                if let Some(answer) = answers(to, query) {
                    asked.extend(sent(self.answer_to(&packet, to, answer)));
                }
            }
        }
        self.now = end;
        packets
    }

    /// Knows the nodes with these numbers.
    fn meet(&mut self, numbers: core::ops::Range<usize>) {
        numbers.clone().for_each(|number| drop(self.input(Input::Node(at(number)))));
        self.run(Time::from_secs(60 * numbers.len() as u64 + 300), |to, _| {
            Some(Answer { id: id(number(to)), ..Answer::default() })
        });
    }

    fn seek(&mut self, goal: Goal) -> Vec<Output> {
        self.input(Input::Seek { ticket: WISH, goal })
    }
}

fn number(addr: SocketAddr) -> usize {
    let IpAddr::V4(ip) = addr.ip() else { return 0 };
    (ip.to_bits() - 0x0800_0000) as usize / 256
}

/// Of the nodes with the numbers from 1 to `end`, the 8 next to `target`.
fn nearest(target: NodeId, end: usize) -> Vec<Contact> {
    let mut nodes: Vec<Contact> = (1..end).map(|n| Contact { id: id(n), addr: at(n) }).collect();
    nodes.sort_by_key(|node| node.id.distance(target));
    nodes.truncate(8);
    nodes
}

fn sent(out: Vec<Output>) -> Vec<(SocketAddr, Packet)> {
    let packet = |output| match output {
        Output::Send { to, bytes } => Some((to, Packet::parse(&bytes).unwrap())),
        _ => None,
    };
    out.into_iter().filter_map(packet).collect()
}

fn outcome(out: &[Output]) -> Option<&Outcome> {
    out.iter().find_map(|output| match output {
        Output::Progress(Progress { step: Step::Over(outcome), .. }) => Some(outcome),
        _ => None,
    })
}

fn is_error(body: Option<Body>, expected: i64) -> bool {
    matches!(body, Some(Body::Error { code, .. }) if code == expected)
}

fn get_peers(info_hash: InfoHash) -> Query {
    Query::GetPeers { info_hash, scrape: false, no_seed: false }
}

fn announce(token: &[u8]) -> Query {
    Query::Announce { info_hash: HASH, port: 7000, implied_port: false, token: token.to_vec(), seed: false }
}

fn answer(body: Option<Body>) -> Answer {
    match body {
        Some(Body::Answer(answer)) => *answer,
        other => panic!("no answer: {other:?}"),
    }
}

/// The engine asks when the timer is to come, waits, and asks again whether the moment has come.
#[test]
fn a_timer_that_comes_late_is_not_forgotten() {
    let mut stage = Stage::new();
    stage.run(Time::from_secs(3600), |_, _| None);
    assert_eq!(sent(stage.seek(Goal::Ping(at(1)))).len(), 1);
    let wake = stage.node.next_wake(stage.now);
    assert_eq!(wake, Some(stage.now + Time::from_secs(2)));
    stage.now += Time::from_millis(2_007);
    assert_eq!(stage.node.next_wake(stage.now), wake);
    assert!(outcome(&stage.input(Input::Timer)).is_some());
}

/// "Answers with a guessed `t`, from elsewhere, twice, late."
#[test]
fn only_answers_to_our_questions_count() {
    let mut stage = Stage::new();
    stage.input(Input::Node(at(1)));
    stage.now += Time::from_secs(1);
    let asked = sent(stage.input(Input::Timer));
    assert!(!asked.is_empty() && asked.iter().all(|(to, _)| *to == at(1)), "{asked:?}");
    let question = &asked[0].1;
    stage.answer_to(question, at(2), Answer { id: id(1), ..Answer::default() });
    let guess = Packet { transaction: b"aaaa".to_vec(), ..question.clone() };
    stage.answer_to(&guess, at(1), Answer { id: id(1), ..Answer::default() });
    assert_eq!(stage.node.figures(stage.now, Figures::default()).answers_in, 0);
    stage.answer_to(question, at(1), Answer { id: id(1), ..Answer::default() });
    stage.answer_to(question, at(1), Answer { id: id(1), ..Answer::default() });
    assert_eq!(
        (
            stage.node.figures(stage.now, Figures::default()).answers_in,
            stage.node.figures(stage.now, Figures::default()).nodes
        ),
        (1, 1)
    );
    // Late.
    stage.now += Time::from_secs(100);
    let late = sent(stage.input(Input::Timer)).pop().unwrap().1;
    stage.run(Time::from_secs(11), |_, _| None);
    stage.answer_to(&late, at(1), Answer { id: id(1), ..Answer::default() });
    assert_eq!(stage.node.figures(stage.now, Figures::default()).answers_in, 1);
}

/// A leading zero hides from the limits that it is a question, so it is read; its name is that of our own question.
#[test]
fn a_lookup_does_not_wait_for_a_node_that_asks_instead_of_answering() {
    let mut stage = Stage::new();
    let asked = sent(stage.seek(Goal::Ping(at(1)))).pop().unwrap().1;
    let query = Body::Query { from: id(1), read_only: false, want: Want::default(), query: Query::Ping };
    let mut bytes = Packet { body: query, ..asked }.emit();
    bytes.insert(bytes.len() - 4, b'0');
    assert!(bytes.ends_with(b"1:y01:qe"));
    let out = stage.input(Input::Packet { from: at(1), bytes: &bytes });
    assert!(outcome(&out).is_some_and(|outcome| outcome.answers == 0), "{out:?}");
}

#[test]
fn a_lookup_finds_peers_and_announces_to_the_nearest() {
    [None, Some(7000)].into_iter().for_each(finds_and_announces);
}

/// `outer_port`: a router maps it to ours, so it is not the one that the nodes see.
fn finds_and_announces(outer_port: Option<u16>) {
    let mut stage = Stage::new();
    stage.meet(1..30);
    let mut waiting =
        stage.seek(Goal::Peers { info_hash: HASH, announce: Some(Announce { outer_port, is_seed: true }) });
    let (mut found, mut announced, mut steps, mut done) = (Vec::new(), 0, 0, None);
    while !waiting.is_empty() {
        for output in core::mem::take(&mut waiting) {
            match output {
                Output::Send { to, bytes } => {
                    let packet = Packet::parse(&bytes).unwrap();
                    let mut answer =
                        Answer { id: id(number(to)), nodes: nearest(NodeId(HASH.0), 30), ..Answer::default() };
                    // It names ourselves, too.
                    assert_ne!(to, at(4000));
                    answer.nodes.push(Contact { id: stage.node.id(), addr: at(4000) });
                    match &packet.body {
                        Body::Query { query: Query::GetPeers { info_hash, no_seed, .. }, .. } => {
                            assert!(*info_hash == HASH && *no_seed);
                            answer.token = Some(number(to).to_be_bytes().to_vec());
                            // Peers of one victim, of nobody, of our own network, and a good one.
                            let text = ["9.9.9.9:1000", "9.9.9.9:1001", "9.9.9.9:0", "127.0.0.1:80", "10.0.0.1:80"];
                            answer.peers = text.iter().map(|addr| addr.parse().unwrap()).collect();
                            answer.peers.push(SocketAddr::new(at(5000 + number(to)).ip(), 80));
                        }
                        Body::Query { query: Query::Announce { implied_port, port, token, seed, .. }, .. } => {
                            assert!(
                                *implied_port == outer_port.is_none() && *port == outer_port.unwrap_or(6881) && *seed
                            );
                            assert_eq!(token, &number(to).to_be_bytes());
                            announced += 1;
                        }
                        other => panic!("{other:?}"),
                    }
                    waiting.extend(stage.answer_to(&packet, to, answer));
                }
                Output::Progress(Progress { ticket: WISH, step: Step::Answered { new: peers, .. } }) => {
                    steps += 1;
                    found.extend(peers);
                }
                Output::Progress(Progress { ticket: WISH, step: Step::Asked(_) }) => {}
                Output::Progress(Progress { ticket: WISH, step: Step::Over(outcome) }) => done = Some(outcome),
                other => panic!("{other:?}"),
            }
        }
    }
    let done = done.unwrap();
    assert_eq!(done.nearest, nearest(NodeId(HASH.0), 30));
    assert_eq!((announced, done.announced, done.questions, done.answers), (8, 8, steps, steps));
    assert!((16..29).contains(&steps) && found.len() as u32 == 1 + steps, "{steps} {found:?}");
    assert_eq!(done.peers, found.len());
    assert!(found.iter().all(|peer| *peer == "9.9.9.9:1000".parse().unwrap() || peer.port() == 80), "{found:?}");
}

#[test]
fn a_ping_ends_with_an_answer_or_in_silence_and_a_cancelled_wish_says_nothing() {
    let mut stage = Stage::new();
    let asked = sent(stage.seek(Goal::Ping("192.168.1.7:6881".parse().unwrap())));
    let out = stage.answer_to(
        &asked[0].1,
        asked[0].0,
        Answer { id: id(7), nodes: vec![Contact { id: id(1), addr: at(1) }], ..Answer::default() },
    );
    assert_eq!(outcome(&out).unwrap().nearest, [Contact { id: id(7), addr: asked[0].0 }]);
    assert_eq!(sent(out), [], "and asks nobody else");
    stage.seek(Goal::Ping(at(2)));
    let mut out = Vec::new();
    while let Some(wake) = stage.node.next_wake(stage.now).filter(|_| outcome(&out).is_none()) {
        stage.now = wake;
        out.extend(stage.input(Input::Timer));
    }
    let outcome = outcome(&out).unwrap();
    assert_eq!((outcome.questions, outcome.answers, outcome.nearest.len()), (1, 0, 0));
    let asked = sent(stage.seek(Goal::Ping(at(3))));
    stage.input(Input::Cancel(WISH));
    assert_eq!(stage.answer_to(&asked[0].1, at(3), Answer { id: id(3), ..Answer::default() }).len(), 0);
}

/// "Cost: at most two packets a minute when idle with a full table."
#[test]
fn an_idle_node_with_a_full_table_sends_one_packet_a_minute() {
    let mut stage = Stage::new();
    // All nodes that are named exist, so buckets fill.
    let names = |to, query: &Query| {
        let Query::FindNode(target) = query else { return None };
        Some(Answer { id: id(number(to)), nodes: nearest(*target, 500), ..Answer::default() })
    };
    stage.input(Input::Node(at(1)));
    stage.run(Time::from_secs(3 * 3600), names);
    let nodes = stage.node.figures(stage.now, Figures::default()).nodes;
    assert!(nodes >= 45, "{nodes}");
    let packets = stage.run(Time::from_secs(10 * 3600), names);
    assert!((400..=1_000).contains(&packets), "{packets} in ten hours");
    assert!(stage.node.figures(stage.now, Figures::default()).good >= nodes * 9 / 10);
}

#[test]
fn a_router_shows_the_way_and_stays_outside() {
    let mut stage = Stage::new();
    stage.input(Input::Router(at(999)));
    let names = |to, query: &Query| {
        let Query::FindNode(target) = query else { return None };
        Some(Answer { id: id(number(to)), nodes: nearest(*target, 30), ..Answer::default() })
    };
    stage.run(Time::from_secs(3600), names);
    let asked = stage.run(Time::from_secs(3600), |to, query| {
        assert_ne!(to, at(999), "it is asked only while the table is poor");
        names(to, query)
    });
    assert!(asked > 0 && stage.node.figures(stage.now, Figures::default()).nodes >= 20);
    assert!(stage.node.contacts(stage.now).iter().all(|node| node.addr != at(999)));
}

/// "Bootstrap host silent; network away for an hour, clock jumps."
#[test]
fn silence_is_borne() {
    let mut stage = Stage::new();
    stage.input(Input::Router(at(999)));
    let packets = stage.run(Time::from_secs(3600), |_, _| None);
    assert!((8..40).contains(&packets), "{packets} to a silent router");
    stage.meet(1..20);
    let nodes = stage.node.figures(stage.now, Figures::default()).nodes;
    assert!(nodes >= 15 && !stage.node.contacts(stage.now).iter().any(|node| node.addr == at(999)));
    let packets = stage.run(Time::from_secs(3600), |_, _| None);
    assert!(packets < 400, "{packets} while the network is away");
    assert!(stage.node.figures(stage.now, Figures::default()).nodes >= nodes * 3 / 4);
    stage.run(Time::from_secs(3600), |to, _| Some(Answer { id: id(number(to)), ..Answer::default() }));
    assert!(stage.node.figures(stage.now, Figures::default()).good >= nodes * 3 / 4);
    for jump in [Time::from_secs(1 << 40), Time::ZERO, Time::from_secs(9_000)] {
        stage.now = jump;
        stage.input(Input::Timer);
        stage.query(at(700), get_peers(HASH));
    }
}

#[test]
fn a_node_that_nobody_reaches_answers_nobody_and_says_so() {
    let mut stage = Stage::new();
    stage.node.is_reachable = false;
    stage.meet(1..3);
    stage.now = Time::from_secs(5_000 + 7_200);
    assert!(!stage.node.figures(stage.now, Figures::default()).answers);
    let asked = sent(stage.seek(Goal::Ping(at(50))));
    assert!(matches!(asked[0].1.body, Body::Query { read_only: true, .. }));
    // For ten minutes an hour others may hear of us.
    assert!(stage.node.figures(stage.now + Time::from_secs(600), Figures::default()).answers);
    assert!(!stage.node.figures(stage.now + Time::from_secs(1_200), Figures::default()).answers);
    // One that we asked may come through a NAT. A stranger does not.
    assert_eq!(stage.query(at(50), Query::Ping), None);
    assert!(stage.query(at(60), Query::Ping).is_some() && stage.node.figures(stage.now, Figures::default()).answers);
    // By option never.
    let mut silent = Stage::with(|config| config.read_only = true);
    assert_eq!(silent.query(at(60), Query::Ping), None);
}

#[test]
fn a_node_that_asks_enters_after_it_has_answered_itself_and_not_if_it_is_read_only() {
    let mut stage = Stage::new();
    stage.meet(1..2);
    for (number, read_only) in [(10, false), (11, true)] {
        let body = Body::Query { from: id(number), read_only, want: Want::default(), query: Query::Ping };
        let packet = Packet { transaction: b"a".to_vec(), version: None, ip: None, body };
        stage.packet(at(number), &packet.emit());
    }
    assert_eq!(stage.node.figures(stage.now, Figures::default()).nodes, 1);
    stage.run(Time::from_secs(300), |to, _| Some(Answer { id: id(number(to)), ..Answer::default() }));
    let addrs: Vec<SocketAddr> = stage.node.contacts(stage.now).iter().map(|node| node.addr).collect();
    assert!(addrs.contains(&at(10)) && !addrs.contains(&at(11)), "{addrs:?}");
}
