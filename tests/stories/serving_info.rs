//! Stories of peers that have only a link and get the torrent's description from swarmlet (BEP 9).

use crate::common::content::Content;
use crate::common::hostile::{is_closed, message};
use crate::common::http::Server;
use crate::common::peers::{Plan, Program};
use crate::common::proc;
use crate::common::stage::Stage;
use crate::common::swarmlet::{Get, Swarmlet};
use crate::common::tools::{here, say};
use crate::common::torrent::{Maker, Torrent, make_private};
use crate::common::wait::{PATIENCE, wait_until};
use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

const KIB: usize = 1024;
/// The id of extended messages, the id of the extended handshake, and the id that a [`Stranger`] gives to
/// `ut_metadata`.
const EXTENDED: u8 = 20;
const HANDSHAKE: u8 = 0;
const TO_STRANGER: u8 = 7;

/// Many files with long names: a description of several blocks.
fn long_info() -> Content {
    let names: Vec<String> = (0..400).map(|number| format!("{number:03} {}", "n".repeat(60))).collect();
    Content::folder("a folder", &names.iter().map(|name| (name.as_str(), 3000)).collect::<Vec<_>>())
}

fn long_stage() -> Stage {
    let stage = Stage::new(long_info(), 16 * KIB);
    assert!(stage.torrent.info_length() > 32 * KIB, "three blocks");
    stage
}

/// `program` downloads from us with a link that names only the tracker.
fn to(program: Program) {
    if !here(&[program.tool()]) {
        return;
    }
    let stage = long_stage();
    let link = stage.torrent.by_link(&format!("&dn=a+folder&tr={}", stage.tracker.url()));
    let dir = stage.path().join("fetched");
    fs::create_dir(&dir).unwrap();
    let plan = Plan::fetch(program, &link, &dir, stage.path());
    let mut peer = plan.start();
    wait_until("it asks the tracker", PATIENCE, || {
        peer.must_run();
        !stage.tracker.announces_from(&stage.torrent.info_hash, plan.port).is_empty()
    });
    let _seed = stage.seed();
    peer.wait_until_fetched(PATIENCE);
    stage.content.assert_same_in(&dir);
    say(&format!("gave the description to {}", program.version()));
}

#[test]
fn to_libtorrent_by_a_link_with_a_tracker() {
    to(Program::Libtorrent);
}

/// While aria2 has only a link, it announces itself as a seed, and most trackers name no seeds to it. This tracker
/// names us to everybody.
#[test]
fn to_aria2_by_a_link_with_a_tracker() {
    if !here(&[Program::Aria2.tool()]) {
        return;
    }
    let stage = long_stage();
    let (_seed, port) = stage.serve(&[]);
    let answer = [b"d8:intervali1800e5:peers6:\x7f\0\0\x01", &port.to_be_bytes()[..], b"e"].concat();
    let tracker = Server::start(Ipv4Addr::LOCALHOST.into(), move |_, _| Some(answer.clone()));
    let link = stage.torrent.by_link(&format!("&tr=http://{}/announce", tracker.address()));
    let dir = stage.path().join("fetched");
    Plan::fetch(Program::Aria2, &link, &dir, stage.path()).start().wait_until_fetched(PATIENCE);
    stage.content.assert_same_in(&dir);
    say(&format!("gave the description to {}", Program::Aria2.version()));
}

#[test]
fn to_transmission_by_a_link_with_a_tracker() {
    to(Program::Transmission);
}

#[test]
fn to_rtorrent_by_a_link_with_a_tracker() {
    to(Program::Rtorrent);
}

/// (aria2 1.36.0, transmission 3.00 and rtorrent 0.9.8 ignore `x.pe`.)
#[test]
fn to_libtorrent_by_a_link_that_names_us() {
    if !here(&[Program::Libtorrent.tool()]) {
        return;
    }
    let stage = long_stage();
    let (_seed, port) = stage.serve(&[]);
    let link = stage.torrent.by_link(&format!("&x.pe=127.0.0.1:{port}"));
    let dir = stage.path().join("fetched");
    Plan::fetch(Program::Libtorrent, &link, &dir, stage.path()).start().wait_until_fetched(PATIENCE);
    stage.content.assert_same_in(&dir);
}

/// A `get` by a link that names the peer on `port`, with states of its own.
fn by_link(stage: &Stage, name: &str, port: u16) -> Get {
    let link = stage.torrent.link(&format!("&x.pe=127.0.0.1:{port}"));
    Get::new(name, stage.path())
        .arg(link)
        .args(&["--state", stage.path().join(format!("{name} states")).to_str().unwrap()])
}

#[test]
fn a_description_that_came_by_a_link_is_given_to_others() {
    let stage = long_stage();
    let (seed, port) = stage.serve(&[]);
    let second = by_link(&stage, "second", port).args(&["--seed", "--json"]);
    let mut running = second.start();
    wait_until("the second one has everything", PATIENCE, || {
        running.must_run();
        stage.content.difference_in(&second.dir).is_none()
    });
    seed.terminate();
    let third = by_link(&stage, "third", second.port);
    third.run().assert_code(0);
    stage.content.assert_same_in(&third.dir);
}

#[test]
fn from_a_folder_of_torrents_and_from_standard_input() {
    let stage = long_stage();
    let folder = stage.path().join("folder");
    fs::create_dir(&folder).unwrap();
    fs::copy(&stage.torrent.file, folder.join("a.torrent")).unwrap();
    let bytes = fs::read(&stage.torrent.file).unwrap();
    let states = stage.path().join("states of get");
    for seed in [
        Get::many("many", stage.path(), &folder).in_dir(&stage.source),
        Get::seed("seed", stage.path(), &stage.source).arg("-").stdin(bytes.clone()),
        Get::new("get", stage.path()).in_dir(&stage.source).args(&["-", "--seed", "--state"]).arg(&states).stdin(bytes),
    ] {
        let mut running = seed.start();
        let name = format!("from {}", seed.port);
        let get = by_link(&stage, &name, seed.port).arg("--metadata-only");
        let ran = get.run();
        running.must_run();
        ran.assert_code(0);
        assert_eq!(Torrent::read(&get.dir.join("a folder.torrent")).info_hash, stage.torrent.info_hash);
    }
    let name: String = stage.torrent.info_hash.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(states.join(name + ".torrent").exists(), "it need not stay in memory");
}

#[test]
fn a_description_of_4_mib() {
    let scratch = tempfile::tempdir().unwrap();
    let content = Content::one_file("a file", 210_000 * 16);
    let source = scratch.path().join("source");
    let torrent = Maker::Ours.make(&content, &source, 16, "http://127.0.0.1:9/announce");
    assert!(torrent.info_length() > 4000 * KIB);
    let seed = Get::seed("seed", scratch.path(), &source).torrent(&torrent);
    let mut running = seed.start();
    let link = torrent.link(&format!("&x.pe=127.0.0.1:{}", seed.port));
    let get = Get::new("leecher", scratch.path()).arg(link).arg("--metadata-only");
    let ran = get.run();
    running.must_run();
    ran.assert_code(0);
    assert_eq!(Torrent::read(&get.dir.join("a file.torrent")).info_hash, torrent.info_hash);
}

/// A peer that has only the info-hash.
struct Stranger {
    socket: TcpStream,
    /// The extended handshake that it got.
    handshake: Vec<u8>,
}

/// What a [`Stranger`] got.
#[derive(Debug, PartialEq, Eq)]
enum Got {
    Block(usize, Vec<u8>),
    Reject,
    Handshake(Vec<u8>),
}

impl Stranger {
    fn connect(port: u16, info_hash: &[u8; 20], number: u32) -> Stranger {
        let mut shake = b"\x13BitTorrent protocol\0\0\0\0\0\x10\0\0".to_vec();
        shake.extend(info_hash);
        shake.extend(format!("-XX0001-{number:012}").as_bytes());
        let try_it = || -> io::Result<TcpStream> {
            let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
            socket.set_read_timeout(Some(Duration::from_secs(20)))?;
            socket.write_all(&shake)?;
            socket.read_exact(&mut [0; 68])?;
            Ok(socket)
        };
        let mut socket = None;
        wait_until("it serves the torrent", PATIENCE, || {
            socket = try_it().ok();
            socket.is_some()
        });
        let mut stranger = Stranger { socket: socket.unwrap(), handshake: Vec::new() };
        let ours = format!("d1:md11:ut_metadatai{TO_STRANGER}eee");
        stranger.say(HANDSHAKE, ours.as_bytes()).unwrap();
        let Got::Handshake(handshake) = stranger.hear().unwrap() else { panic!("no handshake comes first") };
        Stranger { handshake, ..stranger }
    }

    fn say(&mut self, id: u8, payload: &[u8]) -> io::Result<()> {
        self.socket.write_all(&message(EXTENDED, &[&[id], payload].concat()))
    }

    fn ask(&mut self, piece: usize) -> io::Result<()> {
        self.say(2, format!("d8:msg_typei0e5:piecei{piece}ee").as_bytes())
    }

    /// The next extended message.
    fn hear(&mut self) -> io::Result<Got> {
        loop {
            let mut length = [0; 4];
            self.socket.read_exact(&mut length)?;
            let mut body = vec![0; u32::from_be_bytes(length) as usize];
            self.socket.read_exact(&mut body)?;
            let [EXTENDED, id, payload @ ..] = &body[..] else { continue };
            if *id == HANDSHAKE {
                return Ok(Got::Handshake(payload.to_vec()));
            }
            assert_eq!(*id, TO_STRANGER, "it was given no other id");
            let text = String::from_utf8_lossy(payload);
            if text.starts_with("d8:msg_typei2e") {
                return Ok(Got::Reject);
            }
            let piece = text.strip_prefix("d8:msg_typei1e5:piecei").and_then(|rest| rest.split('e').next()).unwrap();
            let end = payload.windows(2).position(|two| two == b"ee").unwrap() + 2;
            return Ok(Got::Block(piece.parse().unwrap(), payload[end..].to_vec()));
        }
    }

    fn gets(&mut self, piece: usize) -> Got {
        self.ask(piece).unwrap();
        self.hear().unwrap()
    }

    fn is_offered(&self) -> bool {
        let told = String::from_utf8_lossy(&self.handshake);
        let offers = told.contains("11:ut_metadatai2e");
        assert_eq!(offers, told.contains("13:metadata_sizei"), "{told}");
        offers
    }
}

fn stranger(stage: &Stage, port: u16, number: u32) -> Stranger {
    Stranger::connect(port, &stage.torrent.info_hash, number)
}

fn block(torrent: &Torrent, piece: usize) -> Got {
    Got::Block(piece, torrent.info_block(piece).to_vec())
}

#[test]
fn a_thousand_requests_a_second_are_answered_a_few_times_and_take_no_memory() {
    let stage = long_stage();
    let (mut seed, port) = stage.serve(&[]);
    let mut polite = stranger(&stage, port, 1);
    assert!(polite.is_offered());
    for piece in [2, 0, 1] {
        assert_eq!(polite.gets(piece), block(&stage.torrent, piece));
    }
    assert_eq!(polite.gets(3), Got::Reject);
    let before = proc::status(seed.id(), "VmRSS");
    let mut greedy = stranger(&stage, port, 2);
    let (began, mut blocks) = (Instant::now(), 0);
    for number in 0..3000 {
        blocks += u32::from(matches!(greedy.gets(number % 3), Got::Block(..)));
        thread::sleep(Duration::from_millis(number as u64).saturating_sub(began.elapsed()));
    }
    assert!((6..=14).contains(&blocks), "{blocks} blocks");
    // A peer that asks and never reads is closed, at the latest when the answers fill the sockets and a queue.
    let mut deaf = stranger(&stage, port, 3);
    let asked = (0..1_000_000).take_while(|number| deaf.ask(number % 3).is_ok()).count();
    assert!(asked < 1_000_000 || is_closed(&mut deaf.socket, PATIENCE), "it may ask forever");
    seed.must_run();
    let after = proc::status(seed.id(), "VmRSS");
    say(&format!(
        "requests of descriptions: {before} KiB before, {after} after; {asked} asked by one that never reads"
    ));
    assert!(after < before + 4 * 1024, "{before} KiB before, {after} after");
    assert_eq!(stranger(&stage, port, 4).gets(0), block(&stage.torrent, 0));
}

#[test]
fn a_private_torrent_neither_offers_its_description_nor_answers() {
    let scratch = tempfile::tempdir().unwrap();
    let (content, source) = (long_info(), scratch.path().join("source"));
    content.write_to(&source);
    let file = scratch.path().join("a.torrent");
    let torrent = make_private(&content, &file, 16 * KIB, "http://127.0.0.1:9/announce");
    let seed = Get::seed("seed", scratch.path(), &source).torrent(&torrent);
    let mut running = seed.start();
    let mut stranger = Stranger::connect(seed.port, &torrent.info_hash, 1);
    assert!(!stranger.is_offered());
    (0..4).for_each(|piece| stranger.ask(piece).unwrap());
    stranger.socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let nothing = stranger.hear().unwrap_err();
    assert!(matches!(nothing.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut), "{nothing}");
    running.must_run();
}

/// A running seed of a copy of the torrent.
fn seed_of_copy(stage: &Stage, name: &str) -> (Swarmlet, u16, std::path::PathBuf) {
    let copy = stage.path().join(format!("{name}.torrent"));
    fs::copy(&stage.torrent.file, &copy).unwrap();
    let get = Get::seed(name, stage.path(), &stage.source).arg(&copy);
    (get.start(), get.port, copy)
}

/// Something is done to the file of a torrent that is being seeded.
fn is_not_given_after(name: &str, stage: &Stage, act: impl Fn(&Path)) {
    let (mut seed, port, copy) = seed_of_copy(stage, name);
    let mut early = stranger(stage, port, 1);
    assert_eq!(early.gets(1), block(&stage.torrent, 1));
    act(&copy);
    assert_eq!(early.gets(1), Got::Reject, "{name}");
    let Got::Handshake(later) = early.hear().unwrap() else { panic!("{name}: it is not withdrawn") };
    assert!(String::from_utf8_lossy(&later).contains("11:ut_metadatai0e"), "{name}");
    assert!(!stranger(stage, port, 2).is_offered(), "{name}");
    seed.must_run();
}

#[test]
fn a_description_is_not_given_after_its_file_changed_or_is_gone() {
    let stage = long_stage();
    let rewrite = |path: &Path| {
        let bytes = fs::read(path).unwrap();
        let changed: Vec<u8> = bytes.iter().map(|byte| if *byte == b'n' { b'm' } else { *byte }).collect();
        fs::write(path, changed).unwrap();
    };
    let replace = |path: &Path| {
        let other = path.with_extension("other");
        fs::write(&other, "something else").unwrap();
        fs::rename(other, path).unwrap();
    };
    is_not_given_after("rewritten", &stage, rewrite);
    is_not_given_after("replaced", &stage, replace);
    is_not_given_after("removed", &stage, |path| fs::remove_file(path).unwrap());
    // Only its time has changed.
    let (_seed, port, copy) = seed_of_copy(&stage, "touched");
    let mut early = stranger(&stage, port, 1);
    assert_eq!(early.gets(1), block(&stage.torrent, 1));
    fs::File::options().write(true).open(&copy).unwrap().set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(early.gets(2), block(&stage.torrent, 2));
}
