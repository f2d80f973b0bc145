//! Stories of the blocklist: who is on it is not let in, not connected to and not kept; and the file is read again.

mod common;

use common::asker::Asker;
use common::bencode::Value;
use common::content::Content;
use common::http::Server;
use common::process::Process;
use common::swarmlet::Get;
use common::torrent::{Maker, Torrent};
use common::tracker::Tracker;
use common::wait::{PATIENCE, wait_until};
use rustix::net::{AddressFamily, SocketType};
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const PIECE: usize = 16 * 1024;
const GOOD: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
const BAD: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const OTHERS: Ipv4Addr = Ipv4Addr::new(127, 1, 0, 1);

/// A torrent, its content, and a blocklist to be.
struct Stage {
    scratch: TempDir,
    tracker: Tracker,
    torrent: Torrent,
    list: PathBuf,
}

impl Stage {
    fn new() -> Stage {
        let scratch = tempfile::tempdir().unwrap();
        let (tracker, content) = (Tracker::start(), Content::one_file("a file.bin", 8 * PIECE));
        let torrent = Maker::Ours.make(&content, &scratch.path().join("source"), PIECE, &tracker.url());
        let list = scratch.path().join("list");
        Stage { scratch, tracker, torrent, list }
    }

    fn path(&self) -> &Path {
        self.scratch.path()
    }

    /// Writes the list as one that is replaced: never half of it can be read.
    fn write(&self, text: &str) {
        let new = self.path().join("new list");
        fs::write(&new, text).unwrap();
        fs::rename(new, &self.list).unwrap();
    }

    fn start(&self, get: Get) -> Process {
        let get = get.arg("--blocklist").arg(&self.list);
        Process::start("swarmlet", &mut get.command(), self.path())
    }
}

/// Connects to the peer on `port` from another of this machine's addresses and says our half of the handshake. Whether
/// it answers.
fn is_let_in(from: Ipv4Addr, port: u16, torrent: &Torrent) -> bool {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    rustix::net::bind(&socket, &SocketAddrV4::new(from, 0)).unwrap();
    rustix::net::connect(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)).unwrap();
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let hello = [&b"\x13BitTorrent protocol\0\0\0\0\0\0\0\0"[..], &torrent.info_hash, b"-XX0003-abcdefghijkl"].concat();
    stream.write_all(&hello).is_ok() && stream.read_exact(&mut [0; 68]).is_ok()
}

#[test]
fn who_is_on_the_list_is_not_let_in_and_not_kept_when_it_changes() {
    let stage = Stage::new();
    stage.write("# mine\n127.0.0.2 - 127.0.0.2 , 0 , bad\nnonsense\n\n1.2.3.4/99\n");
    let get = Get::seed("seed", stage.path(), &stage.path().join("source")).torrent(&stage.torrent);
    let port = get.port;
    let mut seed = stage.start(get);
    stage.tracker.wait_for_a_seed(&stage.torrent.info_hash, || seed.must_run());
    let told = seed.stderr();
    assert!(told.contains("list:3: expected an address") && told.contains("list:5: expected a number"), "{told}");
    assert!(!is_let_in(BAD, port, &stage.torrent) && is_let_in(GOOD, port, &stage.torrent));

    // One that is connected is let go when the list is read again.
    let mut peer = Asker::unchoked(port, &stage.torrent, 1, true);
    stage.write("name of it:127.0.0.0-127.0.0.2\n");
    seed.signal(Signal::HUP);
    let end = std::iter::repeat_with(|| peer.hear()).find_map(Result::err).unwrap();
    assert!(![ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&end.kind()), "it was kept: {end}");
    assert!(!is_let_in(Ipv4Addr::LOCALHOST, port, &stage.torrent) && is_let_in(GOOD, port, &stage.torrent));

    // What can't be read changes nothing.
    fs::remove_file(&stage.list).unwrap();
    seed.signal(Signal::HUP);
    let stays = "list: No such file or directory; the list that was read before stays in force";
    wait_until("that is told", PATIENCE, || seed.stderr().contains(stays));
    assert!(!is_let_in(BAD, port, &stage.torrent));
    stage.write("127.0.0.3\n");
    seed.signal(Signal::HUP);
    wait_until("another list holds", PATIENCE, || is_let_in(BAD, port, &stage.torrent));
    assert!(!is_let_in(GOOD, port, &stage.torrent));
    seed.must_run();
    seed.signal(Signal::TERM);
    assert_eq!(seed.wait(PATIENCE).code(), Some(0));
}

#[test]
fn who_is_on_the_list_is_not_connected_to_until_it_is_off() {
    let stage = Stage::new();
    let [bad, good] = [BAD, GOOD].map(|ip| TcpListener::bind((ip, 0)).unwrap());
    let compact = |ip: Ipv4Addr, port: u16| [&ip.octets()[..], &port.to_be_bytes()].concat();
    // So many others on the list (and no more would be taken from one answer) take nobody's time.
    let others = (0..390).map(|number: u16| compact(Ipv4Addr::from_bits(OTHERS.to_bits() + u32::from(number)), 1));
    let [bad_port, good_port] = [&bad, &good].map(|peer| peer.local_addr().unwrap().port());
    let peers = others.chain([compact(BAD, bad_port), compact(GOOD, good_port)]).flatten().collect();
    let reply = Value::Dict(BTreeMap::from([("interval", Value::Int(1800)), ("peers", Value::Bytes(peers))]));
    let reply = reply.encode();
    let tracker = Server::start(Ipv4Addr::LOCALHOST.into(), move |_, _| Some(reply.clone()));
    let content = Content::one_file("blob.bin", 4 * PIECE);
    let url = format!("http://{}/announce", tracker.address());
    let torrent = Maker::Ours.make(&content, &stage.path().join("blob"), PIECE, &url);
    stage.write("127.0.0.2\n127.1.0.0/16\n");
    let mut many = {
        let folder = stage.path().join("folder");
        fs::create_dir(&folder).unwrap();
        fs::copy(&torrent.file, folder.join("blob.torrent")).unwrap();
        stage.start(Get::many("many", stage.path(), &folder))
    };
    // All were named in one answer. Those on the list hold up nobody: this one is tried at once, and again after 10 s.
    [&bad, &good].iter().for_each(|peer| peer.set_nonblocking(true).unwrap());
    for tried in ["it is tried", "it is tried again"] {
        wait_until(tried, PATIENCE, || {
            many.must_run();
            good.accept().is_ok()
        });
    }
    assert!(bad.accept().is_err(), "who is on the list was connected to");
    stage.write("127.1.0.0/16\n");
    many.signal(Signal::HUP);
    wait_until("it is connected to", PATIENCE, || {
        many.must_run();
        bad.accept().is_ok()
    });
}

#[test]
fn a_list_that_is_none_ends_the_run_before_it_begins() {
    let stage = Stage::new();
    for text in [None, Some("this is\nno list\n")] {
        text.into_iter().for_each(|text| stage.write(text));
        let get = Get::new("get", stage.path()).torrent(&stage.torrent).arg("--blocklist").arg(&stage.list);
        let outcome = get.run();
        outcome.assert_refused(66);
        assert!(outcome.stderr.contains("the blocklist "), "{}", outcome.stderr);
    }
}
