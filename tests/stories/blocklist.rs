//! Stories of the blocklist: a listed address is neither accepted nor connected to, and the file can be read again.

use crate::common::asker::Asker;
use crate::common::bencode::Value;
use crate::common::content::Content;
use crate::common::http::Server;
use crate::common::stage::Stage;
use crate::common::swarmlet::{Get, Swarmlet};
use crate::common::torrent::{Maker, Torrent};
use crate::common::wait::{PATIENCE, wait_until};
use rustix::net::{AddressFamily, SocketType};
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::path::PathBuf;

const PIECE: usize = 16 * 1024;
const GOOD: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
const BAD: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const OTHERS: Ipv4Addr = Ipv4Addr::new(127, 1, 0, 1);

fn stage() -> Stage {
    Stage::new(Content::one_file("a file.bin", 8 * PIECE), PIECE)
}

fn list(stage: &Stage) -> PathBuf {
    stage.path().join("list")
}

/// Replaces the list with a rename, so that no reader sees half of it.
fn write_list(stage: &Stage, text: &str) {
    let new = stage.path().join("new list");
    fs::write(&new, text).unwrap();
    fs::rename(new, list(stage)).unwrap();
}

fn start(stage: &Stage, get: Get) -> Swarmlet {
    get.arg("--blocklist").arg(list(stage)).start()
}

/// Whether the peer on `port` answers a handshake that comes from this address.
fn is_accepted(from: Ipv4Addr, port: u16, torrent: &Torrent) -> bool {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    rustix::net::bind(&socket, &SocketAddrV4::new(from, 0)).unwrap();
    rustix::net::connect(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)).unwrap();
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // Each connection has a peer id of its own, because a second connection under the same id is refused.
    let id = format!("-XX0003-{:012}", stream.local_addr().unwrap().port());
    let hello = [&b"\x13BitTorrent protocol\0\0\0\0\0\0\0\0"[..], &torrent.info_hash, id.as_bytes()].concat();
    stream.write_all(&hello).is_ok() && stream.read_exact(&mut [0; 68]).is_ok()
}

#[test]
fn a_listed_address_is_not_accepted_and_a_newly_listed_peer_is_disconnected() {
    let stage = stage();
    write_list(&stage, "# mine\n127.0.0.2 - 127.0.0.2 , 0 , bad\nnonsense\n\n1.2.3.4/99\n");
    let get = Get::seed("seed", stage.path(), &stage.path().join("source")).torrent(&stage.torrent);
    let port = get.port;
    let mut seed = start(&stage, get);
    stage.tracker.wait_for_a_seed(&stage.torrent.info_hash, || seed.must_run());
    let told = seed.stderr();
    assert!(told.contains("list:3: ") && told.contains("list:5: "), "{told}");
    assert!(!is_accepted(BAD, port, &stage.torrent) && is_accepted(GOOD, port, &stage.torrent));

    // A connected peer is disconnected when a new list names it.
    let mut peer = Asker::unchoked(port, &stage.torrent, 1, true);
    write_list(&stage, "name of it:127.0.0.0-127.0.0.2\n");
    seed.signal(Signal::HUP);
    let end = std::iter::repeat_with(|| peer.hear()).find_map(Result::err).unwrap();
    assert!(![ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&end.kind()), "it stayed connected: {end}");
    assert!(!is_accepted(Ipv4Addr::LOCALHOST, port, &stage.torrent), "a listed address is accepted");
    assert!(is_accepted(GOOD, port, &stage.torrent), "an address that is not listed is refused");

    // If the list can't be read, the old one stays in force.
    fs::remove_file(list(&stage)).unwrap();
    seed.signal(Signal::HUP);
    wait_until("the error is reported", PATIENCE, || seed.stderr().contains("list: No such file or directory"));
    assert!(!is_accepted(BAD, port, &stage.torrent));
    write_list(&stage, "127.0.0.3\n");
    seed.signal(Signal::HUP);
    wait_until("another list is in force", PATIENCE, || is_accepted(BAD, port, &stage.torrent));
    assert!(!is_accepted(GOOD, port, &stage.torrent));
    seed.terminate().assert_code(0);
}

#[test]
fn a_listed_address_is_not_connected_to_until_it_is_off_the_list() {
    let stage = stage();
    let [bad, good] = [BAD, GOOD].map(|ip| TcpListener::bind((ip, 0)).unwrap());
    let compact = |ip: Ipv4Addr, port: u16| [&ip.octets()[..], &port.to_be_bytes()].concat();
    // 390 more listed addresses, about as many as are taken from one answer, must not delay the others.
    let others = (0..390).map(|number: u16| compact(Ipv4Addr::from_bits(OTHERS.to_bits() + u32::from(number)), 1));
    let [bad_port, good_port] = [&bad, &good].map(|peer| peer.local_addr().unwrap().port());
    let peers = others.chain([compact(BAD, bad_port), compact(GOOD, good_port)]).flatten().collect();
    let reply = Value::Dict(BTreeMap::from([("interval", Value::Int(1800)), ("peers", Value::Bytes(peers))]));
    let reply = reply.encode();
    let tracker = Server::start(Ipv4Addr::LOCALHOST.into(), move |_, _| Some(reply.clone()));
    let content = Content::one_file("blob.bin", 4 * PIECE);
    let url = format!("http://{}/announce", tracker.address());
    let torrent = Maker::Ours.make(&content, &stage.path().join("blob"), PIECE, &url);
    write_list(&stage, "127.0.0.2\n127.1.0.0/16\n");
    let mut many = {
        let folder = stage.path().join("folder");
        fs::create_dir(&folder).unwrap();
        fs::copy(&torrent.file, folder.join("blob.torrent")).unwrap();
        start(&stage, Get::many("many", stage.path(), &folder))
    };
    // The address that is not listed is tried at once, and again after 10 s.
    [&bad, &good].iter().for_each(|peer| peer.set_nonblocking(true).unwrap());
    for tried in ["it is tried", "it is tried again"] {
        wait_until(tried, PATIENCE, || {
            many.must_run();
            good.accept().is_ok()
        });
    }
    assert!(bad.accept().is_err(), "a listed address was connected to");
    write_list(&stage, "127.1.0.0/16\n");
    many.signal(Signal::HUP);
    wait_until("it is connected to", PATIENCE, || {
        many.must_run();
        bad.accept().is_ok()
    });
}

#[test]
fn a_missing_or_invalid_list_ends_the_run_at_once() {
    let stage = stage();
    for text in [None, Some("this is\nno list\n")] {
        text.into_iter().for_each(|text| write_list(&stage, text));
        let get = Get::new("get", stage.path()).torrent(&stage.torrent).arg("--blocklist").arg(list(&stage));
        let outcome = get.run();
        outcome.assert_refused(66);
        assert!(outcome.stderr.contains("the blocklist "), "{}", outcome.stderr);
    }
}
