//! Stories of peers that tell each other about peers (BEP 11), while no tracker runs.

use crate::common::bencode::{Value, raw};
use crate::common::content::Content;
use crate::common::hostile::{handshake, message};
use crate::common::hosts::{Host, STORY, is_told_inside};
use crate::common::json;
use crate::common::peers::{Peer, Plan, Program, Role};
use crate::common::stage::Stage;
use crate::common::swarmlet::{Get, Swarmlet};
use crate::common::tools::{here, say};
use crate::common::torrent::{Maker, Torrent};
use crate::common::tracker::Tracker;
use crate::common::transmission;
use crate::common::wait::{PATIENCE, wait_until};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

const PIECE: usize = 64 * 1024;

/// The most peers from this source that it had at any time, by its objects.
fn most_from(source: &str, ours: &Swarmlet) -> u64 {
    let statuses = json::objects(&ours.stdout()).into_iter().filter(|object| object["event"] == "status");
    statuses.filter_map(|status| status["sources"][source].as_u64()).max().unwrap_or(0)
}

fn is_complete(ours: &Swarmlet) -> bool {
    json::first(&ours.stdout(), "complete").is_some()
}

#[test]
fn three_swarmlets_in_a_line_meet_without_a_tracker() {
    let stage = Stage::new(Content::one_file("a file.bin", 2 << 20), PIECE);
    let names = ["first", "second", "third"];
    // So slow that they have something to ask of each other when they meet, also on a busy machine.
    let gets = names.map(|name| stage.get(name).args(&["--json", "-vv", "--seed", "--max-upload-rate", "60"]));
    stage.content.write_to(&gets[0].dir);
    for pair in gets.windows(2) {
        stage.tracker.introduce_only(pair[1].port, (Ipv4Addr::LOCALHOST, pair[0].port).into());
    }
    let mut running = Vec::new();
    for get in &gets {
        running.push(get.start());
        wait_until("it has announced itself", PATIENCE, || !stage.announces_from(get).is_empty());
    }
    let (tracker, ports) = (stage.tracker, gets.each_ref().map(|get| get.port));
    drop(tracker);
    // One of the two at the ends connects to the other, where it listens: or both do, at the same time. Then either
    // knows the other as one that came by itself.
    wait_until("the ends know each other", PATIENCE, || {
        running.iter_mut().for_each(Swarmlet::must_run);
        let dials =
            |one: usize, other: usize| running[one].stderr().contains(&format!("127.0.0.1:{} > ", ports[other]));
        let meets = |one: usize, other: usize| dials(one, other) && most_from("pex", &running[one]) == 1;
        meets(0, 2) || meets(2, 0) || dials(0, 2) && dials(2, 0)
    });
    assert_eq!(most_from("pex", &running[1]), 0, "the one in the middle knew both");
    wait_until("all are complete", PATIENCE, || running.iter().all(is_complete));
    gets.iter().for_each(|get| stage.content.assert_same_in(&get.dir));
    running.into_iter().for_each(|running| running.terminate().assert_code(0));
}

/// Each host of the line, by its program; `None`: one of ours. The first has everything.
const LINE: [Option<Program>; 8] = [
    None,
    Some(Program::Aria2),
    Some(Program::Transmission),
    Some(Program::Libtorrent),
    None,
    Some(Program::Transmission),
    Some(Program::Aria2),
    Some(Program::Libtorrent),
];

/// Where one of ours stands between two others: the one before it is libtorrent, which prints what it was told.
const LINE_OURS: usize = 4;

#[test]
fn two_of_each_program_in_a_line_become_a_swarm_without_a_tracker() {
    if !here(&Program::ALL.map(Program::tool))
        || is_told_inside("pex::two_of_each_program_in_a_line_become_a_swarm_without_a_tracker")
    {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let (tracker, content) = (Tracker::start_on(STORY.into()), Content::one_file("a file.bin", 2 << 20));
    let source = scratch.path().join("source");
    let torrent = Maker::Ours.make(&content, &source, PIECE, &tracker.url());
    let hosts: Vec<Host> = (1..=LINE.len() as u8).map(|number| Host::start(number, scratch.path())).collect();
    let dirs: Vec<_> = (0..LINE.len()).map(|number| scratch.path().join(format!("copy {number}"))).collect();
    dirs.iter().for_each(|dir| fs::create_dir_all(dir).unwrap());
    let (mut ours, mut others): (Vec<Swarmlet>, Vec<(usize, Peer)>) = (Vec::new(), Vec::new());
    let mut before: Option<SocketAddr> = None;
    for (number, (program, host)) in LINE.into_iter().zip(&hosts).enumerate() {
        let mut introduce = |port: u16| {
            let known = before.replace((host.ip, port).into());
            // (The first knows none. That it is told of an address of nobody makes the tracker introduce one to one.)
            tracker.introduce_only(port, known.unwrap_or((host.ip, 9).into()));
        };
        if let Some(program) = program {
            let plan = Plan::seed(program, &torrent, &dirs[number], scratch.path());
            let plan = Plan { role: Role::Stay, host: Some(host), ..plan };
            introduce(plan.port);
            others.push((number, plan.start()));
        } else {
            let dir = if number == 0 { &source } else { &dirs[number] };
            let get = Get::new(&format!("ours {number}"), scratch.path()).torrent(&torrent).in_dir(dir);
            let get = get.args(&["--json", "--seed", "-vv", "--max-upload-rate", "60"]);
            introduce(get.port);
            ours.push(get.start_on(host));
        }
        wait_until("it has announced itself", PATIENCE, || {
            others.iter_mut().for_each(|(_, peer)| peer.must_run());
            ours.iter_mut().for_each(Swarmlet::must_run);
            tracker.announces(&torrent.info_hash).iter().any(|announce| before.unwrap().port() == announce.port)
        });
    }
    drop(tracker);
    let began = Instant::now();
    let is_whole = |number: usize| content.difference_in(&dirs[number]).is_none();
    // Only ours could tell the one before it of the one behind it.
    let behind = format!("pex {}:", hosts[LINE_OURS + 1].ip);
    wait_until("all are complete, ours were told of peers, and told others", 3 * PATIENCE, || {
        others.iter_mut().for_each(|(_, peer)| peer.must_run());
        ours.iter_mut().for_each(Swarmlet::must_run);
        let told = others.iter().any(|(number, peer)| *number == LINE_OURS - 1 && peer.stdout().contains(&behind));
        told && most_from("pex", &ours[1]) > 0 && (1..LINE.len()).all(is_whole)
    });
    let told: Vec<String> = others.iter().map(|(number, peer)| format!("{number}: {}", told(peer))).collect();
    let sources: Vec<u64> = ours.iter().map(|ours| most_from("pex", ours)).collect();
    say(&format!("all had it {:.1} s after the tracker ended", began.elapsed().as_secs_f64()));
    say(&format!("ours had {sources:?} peers by peer exchange; the others {told:?}"));
}

/// What a program says about the peers that others told it of.
fn told(peer: &Peer) -> String {
    match peer.program {
        Program::Libtorrent => {
            let stdout = peer.stdout();
            stdout.lines().filter_map(|line| line.strip_prefix("pex ")).collect::<Vec<&str>>().join(" ")
        }
        Program::Transmission => format!("{} of its peers", transmission::from_pex(peer.rpc)),
        _ => "it does not say".into(),
    }
}

/// A peer that a story plays. It speaks the extension protocol.
struct Played {
    socket: TcpStream,
}

impl Played {
    /// It connects to `port`, wants to be told about peers by the id 7, and tells where it listens.
    fn come(number: u32, port: u16, info_hash: &[u8; 20]) -> Played {
        let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        let mut hello = handshake(info_hash, number);
        hello[25] |= 0x10;
        socket.write_all(&hello).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let m = Value::Dict(BTreeMap::from([("ut_pex", Value::Int(7))]));
        let dict = Value::Dict(BTreeMap::from([("m", m), ("p", Value::Int(i64::from(told_port(number))))]));
        socket.write_all(&message(20, &[&[0][..], &dict.encode()].concat())).unwrap();
        let mut theirs = [0; 68];
        wait_until("it shakes hands", PATIENCE, || match socket.peek(&mut theirs) {
            Ok(count) => count == 68,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
            Err(error) => panic!("{error}"),
        });
        socket.read_exact(&mut theirs).unwrap();
        Played { socket }
    }

    /// Tells that `port` of this machine is a peer, by the id that ours give to such messages.
    fn tell(&mut self, port: u16) {
        let peer = [&[127, 0, 0, 1][..], &port.to_be_bytes()].concat();
        let dict = BTreeMap::from([("added", Value::Bytes(peer)), ("added.f", Value::Bytes(vec![0]))]);
        self.socket.write_all(&message(20, &[&[1][..], &Value::Dict(dict).encode()].concat())).unwrap();
    }
}

/// Reads messages until there are no more at the moment. Returns the payloads of the extended messages, each behind its
/// id.
fn read(played: &mut Played, unread: &mut Vec<u8>) -> Vec<Vec<u8>> {
    let mut buffer = [0; 4096];
    loop {
        match played.socket.read(&mut buffer) {
            Ok(0) => panic!("it closed the connection"),
            Ok(count) => unread.extend(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
    }
    let mut messages = Vec::new();
    while let Some((length, rest)) = unread.split_first_chunk()
        && let Some(body) = rest.get(..u32::from_be_bytes(*length) as usize)
    {
        if body.first() == Some(&20) {
            messages.push(body[1..].to_vec());
        }
        unread.drain(..4 + body.len());
    }
    messages
}

/// Where played peer `number` says that it listens. Nobody does.
fn told_port(number: u32) -> u16 {
    1000 + number as u16
}

/// What two played peers of a torrent were sent, and whether the address that one of them told was tried.
struct Listened {
    first: u32,
    played: [(Played, Vec<u8>); 2],
    heard: Vec<Vec<u8>>,
    named: TcpListener,
}

impl Listened {
    fn start(first: u32, port: u16, torrent: &Torrent) -> Listened {
        let named = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        named.set_nonblocking(true).unwrap();
        let mut played = [first, first + 1].map(|number| (Played::come(number, port, &torrent.info_hash), Vec::new()));
        played[0].0.tell(named.local_addr().unwrap().port());
        Listened { first, played, heard: Vec::new(), named }
    }

    fn listen(&mut self) {
        for (played, unread) in &mut self.played {
            self.heard.extend(read(played, unread));
        }
    }

    /// Whether each of the two was offered peer exchange.
    fn is_offered(&self) -> bool {
        let handshakes = || self.heard.iter().filter(|message| message[0] == 0);
        let offers = |message: &&Vec<u8>| raw(&message[1..], "m").is_some_and(|m| raw(m, "ut_pex").is_some());
        assert!(handshakes().count() >= 2, "both were greeted");
        handshakes().filter(offers).count() > 0
    }

    /// Whether a message of peer exchange came.
    fn is_told(&self) -> bool {
        self.heard.iter().any(|message| message[0] == 7)
    }

    /// Whether each of the two was told where the other listens.
    fn is_told_of_both(&self) -> bool {
        let added = |message: &Vec<u8>| raw(&message[1..], "added").map(<[u8]>::to_vec);
        let told: Vec<Vec<u8>> = self.heard.iter().filter(|message| message[0] == 7).filter_map(added).collect();
        [self.first, self.first + 1].into_iter().all(|number| {
            let peer = [&[127, 0, 0, 1][..], &told_port(number).to_be_bytes()].concat();
            told.iter().any(|list| list.windows(6).any(|entry| entry == peer))
        })
    }

    fn is_believed(&self) -> bool {
        self.named.accept().is_ok()
    }
}

/// Peers come to the public torrent last. So when it has told them, there was enough time for the others.
#[test]
fn a_private_torrent_and_no_pex_offer_tell_and_believe_nothing() {
    let stage = Stage::new(Content::one_file("a file.bin", 100_000), PIECE);
    let mut private = fs::read(&stage.torrent.file).unwrap();
    let end = private.len() - 2;
    private.splice(end..end, *b"7:privatei1e");
    let file = stage.path().join("private.torrent");
    fs::write(&file, private).unwrap();
    let private = Torrent::read(&file);
    let (public_get, private_get) = (stage.get("public"), Get::new("private", stage.path()).torrent(&private));
    let quiet_get = stage.get("quiet").arg("--no-pex");
    let running = [&public_get, &private_get, &quiet_get].map(Get::start);
    for (get, torrent) in [(&public_get, &stage.torrent), (&private_get, &private), (&quiet_get, &stage.torrent)] {
        let announced = || !stage.tracker.announces_from(&torrent.info_hash, get.port).is_empty();
        wait_until("it has announced itself", PATIENCE, announced);
    }
    let quiet = [(11, &private_get, &private), (21, &quiet_get, &stage.torrent)];
    let mut silent = quiet.map(|(number, get, torrent)| Listened::start(number, get.port, torrent));
    let mut public = Listened::start(1, public_get.port, &stage.torrent);
    let mut believed = false;
    wait_until("of the public torrent all is told and believed", PATIENCE, || {
        public.listen();
        silent.iter_mut().for_each(Listened::listen);
        believed |= public.is_believed();
        believed && public.is_told_of_both()
    });
    assert!(public.is_offered());
    for silent in &mut silent {
        silent.listen();
        assert!(!silent.is_offered() && !silent.is_told() && !silent.is_believed());
    }
    // (75: the download is incomplete.)
    running.into_iter().for_each(|running| running.terminate().assert_code(75));
}
