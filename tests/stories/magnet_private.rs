//! Stories of a link to a private torrent (BEP 27): once its description is there, only the peers of its trackers
//! count.

use crate::common::bencode::Value;
use crate::common::content::Content;
use crate::common::hosts::{Host, STORY, is_told_inside};
use crate::common::json;
use crate::common::process::Process;
use crate::common::recorder::{HANDSHAKE, METADATA, OUR_METADATA, OUR_PEX, PEX, Recorder, adds, asks, data, says};
use crate::common::swarmlet::{Get, Swarmlet};
use crate::common::torrent::{Maker, Torrent, make_private};
use crate::common::tracker::Tracker;
use crate::common::wait::{PATIENCE, wait_until};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// Where announces in the local network go (BEP 14).
const GROUP: Ipv4Addr = Ipv4Addr::new(239, 192, 152, 143);
const LSD_PORT: u16 = 6771;
/// The machine of our program, and the addresses of peers that are played.
const OURS: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const OF_TRACKER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 101);
const STRANGER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 102);
const LATER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 103);
const PUBLIC: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 104);

fn hex(info_hash: &[u8; 20]) -> String {
    info_hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The local network, as a listener in it sees it.
struct Listener {
    /// What our program sent.
    sent: Arc<Mutex<Vec<String>>>,
    speaks: UdpSocket,
}

impl Listener {
    /// Gives the story more addresses, and listens.
    fn start(scratch: &Path) -> Listener {
        let mut script = "set -e; ip route add 239.0.0.0/8 dev hosts\n".to_string();
        for ip in [OF_TRACKER, STRANGER, LATER, PUBLIC] {
            script += &format!("ip addr add {ip}/24 dev hosts\n");
        }
        let made = Process::start("addresses", Command::new("sh").args(["-c", &script]), scratch).wait(PATIENCE);
        assert!(made.success(), "{made}");
        let hears = UdpSocket::bind((GROUP, LSD_PORT)).unwrap();
        let IpAddr::V4(story) = IpAddr::from(STORY) else { unreachable!("it is one of IPv4") };
        hears.join_multicast_v4(&GROUP, &story).unwrap();
        let sent = Arc::new(Mutex::new(Vec::new()));
        let heard = sent.clone();
        thread::spawn(move || {
            let mut buffer = [0; 2000];
            while let Ok((count, from)) = hears.recv_from(&mut buffer) {
                if from.ip() == OURS {
                    heard.lock().unwrap().push(String::from_utf8_lossy(&buffer[..count]).into_owned());
                }
            }
        });
        let speaks = UdpSocket::bind((STRANGER, 0)).unwrap();
        Listener { sent, speaks }
    }

    /// How many packets of our program name the torrent.
    fn heard(&self, info_hash: &[u8; 20]) -> usize {
        let sent = self.sent.lock().unwrap();
        sent.iter().filter(|packet| packet.to_lowercase().contains(&hex(info_hash))).count()
    }

    /// Says in the local network that there is a peer of the torrent at `port` of the address [`STRANGER`].
    fn say(&self, port: u16, info_hash: &[u8; 20]) {
        let hash = hex(info_hash);
        let text =
            format!("BT-SEARCH * HTTP/1.1\r\nHost: {GROUP}:{LSD_PORT}\r\nPort: {port}\r\nInfohash: {hash}\r\n\r\n\r\n");
        self.speaks.send_to(text.as_bytes(), (GROUP, LSD_PORT)).unwrap();
    }
}

/// Whether the last extended handshake that it got offers the description or peer exchange.
fn is_offered(recorder: &Recorder) -> bool {
    let shakes = recorder.heard_as(HANDSHAKE);
    let last = shakes.last().expect("it was greeted");
    let offers = |name: &str, id: u8| last.contains(&format!("{}:{name}i{id}e", name.len()));
    offers("ut_metadata", OUR_METADATA) || offers("ut_pex", OUR_PEX) || last.contains("metadata_size")
}

/// How many messages about the description and about peers it got.
fn told(recorder: &Recorder) -> usize {
    recorder.heard().iter().filter(|(id, _)| [METADATA, PEX].contains(id)).count()
}

fn learned(running: &mut Swarmlet) {
    wait_until("the description has come", PATIENCE, || {
        running.must_run();
        json::first(&running.stdout(), "metadata").is_some()
    });
}

/// A public torrent beside it shows that there was time enough for all that must not happen.
#[test]
fn a_listener_on_all_sockets_hears_nothing_once_it_is_known() {
    if is_told_inside("magnet_private::a_listener_on_all_sockets_hears_nothing_once_it_is_known") {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let network = Listener::start(scratch.path());
    let host = Host::start(1, scratch.path());
    let tracker = Tracker::start_on(STORY.into());
    let content = Content::one_file("a secret", 100_000);
    let private = make_private(&content, &scratch.path().join("private.torrent"), 16_384, &tracker.url());
    let source = scratch.path().join("source");
    let public = Maker::Ours.make(&Content::one_file("a file", 100_000), &source, 16_384, &tracker.url());
    let (hash, info) = (private.info_hash, private.info_block(0));
    let size = Some(private.info_length());

    let honest = Recorder::listen(OF_TRACKER, hash, 1, says(size));
    let link = private.link(&format!("&tr={}", tracker.url()));
    let get = Get::new("get", scratch.path()).arg(link).torrent(&public).args(&["--json", "-v"]).with_lsd();
    tracker.introduce_only(get.port, honest.address);
    let mut running = get.start_on(&host);
    let ours = SocketAddr::from((OURS, get.port));
    wait_until("the peer of its tracker is asked", PATIENCE, || !honest.heard_as(METADATA).is_empty());

    // Nobody knows that it is private, so strangers are met. A seed of the public torrent comes in the same way.
    let stranger = Recorder::listen(STRANGER, hash, 2, says(size));
    let beside = Recorder::listen(STRANGER, public.info_hash, 3, says(None));
    wait_until("the strangers are connected", PATIENCE, || {
        running.must_run();
        thread::sleep(Duration::from_millis(250));
        network.say(stranger.address.port(), &hash);
        network.say(beside.address.port(), &public.info_hash);
        stranger.open() == 1 && beside.open() == 1
    });
    wait_until("it is looked for in the local network", PATIENCE, || network.heard(&hash) > 0);
    let newcomer = Recorder::connect(ours, hash, 4, says(size));
    let greeted = |recorder: &Recorder| !recorder.heard_as(HANDSHAKE).is_empty();
    wait_until("all are greeted", PATIENCE, || [&honest, &stranger, &newcomer, &beside].into_iter().all(greeted));
    assert!([&honest, &stranger, &newcomer].into_iter().all(is_offered));

    honest.say(OUR_METADATA, &data(0, info.len(), info)).unwrap();
    learned(&mut running);
    let (heard, before) = (network.heard(&hash), told(&honest));
    wait_until("the strangers are let go", PATIENCE, || stranger.open() == 0 && newcomer.open() == 0);
    assert_eq!(honest.open(), 1, "the peer of its tracker stays");
    wait_until("the offer is withdrawn", PATIENCE, || !is_offered(&honest));

    // Now others try. Each of the public torrent does the same, and gets what it wants.
    let named = Recorder::listen(LATER, hash, 5, says(size));
    let second = Recorder::listen(STRANGER, hash, 6, says(size));
    let late = Recorder::connect(ours, hash, 7, says(size));
    let named_beside = Recorder::listen(PUBLIC, public.info_hash, 8, says(None));
    wait_until("the newcomer is greeted", PATIENCE, || greeted(&late));
    assert!(!is_offered(&late));
    for peer in [&honest, &late] {
        peer.say(OUR_METADATA, &asks(0)).unwrap();
        peer.say(OUR_METADATA, &data(0, info.len(), info)).unwrap();
        peer.say(OUR_PEX, &adds(&[named.address])).unwrap();
    }
    beside.say(OUR_PEX, &adds(&[named_beside.address])).unwrap();
    wait_until("the one that a peer named is tried", PATIENCE, || named_beside.connections() > 0);
    beside.hang_up();
    // That takes 10 s, and an announce in the local network is repeated after 2 and 4 s.
    wait_until("the one that hung up is tried again", PATIENCE, || {
        running.must_run();
        thread::sleep(Duration::from_millis(250));
        for (port, hash) in [(&stranger, &hash), (&second, &hash), (&beside, &public.info_hash)] {
            network.say(port.address.port(), hash);
        }
        beside.connections() > 1
    });
    assert_eq!(network.heard(&hash), heard, "nothing more is said in the local network");
    assert_eq!((stranger.connections(), newcomer.connections()), (1, 1), "they are not tried again");
    assert_eq!((named.connections(), second.connections()), (0, 0), "nor are others");
    assert_eq!((told(&honest), told(&late)), (before, 0));
    assert!(honest.open() == 1 && !is_offered(&honest) && !is_offered(&late));
}

/// A private torrent of so much content that the check takes longer than the story.
fn large_private(scratch: &Path, announce: &str) -> Torrent {
    const PIECE: i64 = 64 << 20;
    const PIECES: i64 = 512;
    let info = Value::Dict(BTreeMap::from([
        ("length", Value::Int(PIECE * PIECES)),
        ("name", Value::text(LARGE)),
        ("piece length", Value::Int(PIECE)),
        ("pieces", Value::Bytes(vec![7; 20 * PIECES as usize])),
        ("private", Value::Int(1)),
    ]));
    let file = scratch.join("large.torrent");
    let torrent = Value::Dict(BTreeMap::from([("announce", Value::text(announce)), ("info", info)]));
    fs::write(&file, torrent.encode()).unwrap();
    File::create(scratch.join(LARGE)).unwrap().set_len((PIECE * PIECES) as u64).unwrap();
    Torrent::read(&file)
}

/// The name of its file, of which nothing takes room on the disk.
const LARGE: &str = "large.bin";

#[test]
fn nothing_is_offered_while_the_content_is_being_checked() {
    let (scratch, tracker) = (tempfile::tempdir().unwrap(), Tracker::start());
    let private = large_private(scratch.path(), &tracker.url());
    let (hash, info, size) = (private.info_hash, private.info_block(0), Some(private.info_length()));
    let honest = Recorder::listen(Ipv4Addr::LOCALHOST, hash, 1, says(size));
    let link = private.link(&format!("&tr={}", tracker.url()));
    let get = Get::new("get", scratch.path()).arg(link).arg("--json").in_dir(scratch.path());
    tracker.introduce_only(get.port, honest.address);
    let mut running = get.start();
    wait_until("the peer of its tracker is asked", PATIENCE, || !honest.heard_as(METADATA).is_empty());
    let ours = SocketAddr::from((Ipv4Addr::LOCALHOST, get.port));
    let early = Recorder::connect(ours, hash, 2, says(None));
    wait_until("a newcomer is greeted", PATIENCE, || !early.heard_as(HANDSHAKE).is_empty());
    assert!(is_offered(&honest) && is_offered(&early));
    honest.say(OUR_METADATA, &data(0, info.len(), info)).unwrap();
    learned(&mut running);
    let before = told(&honest);
    let late = Recorder::connect(ours, hash, 3, says(None));
    wait_until("a newcomer is greeted", PATIENCE, || !late.heard_as(HANDSHAKE).is_empty());
    assert!(!is_offered(&late), "it came later");
    wait_until("the offer is withdrawn", PATIENCE, || !is_offered(&honest) && !is_offered(&early));
    for peer in [&honest, &early, &late] {
        peer.say(OUR_METADATA, &asks(0)).unwrap();
    }
    let time = |running: &Swarmlet| json::last(&running.stdout(), "status").map(|status| status["time"].to_string());
    let then = time(&running);
    wait_until("another second has passed", PATIENCE, || time(&running) != then);
    assert_eq!(json::last(&running.stdout(), "status").unwrap()["state"], "checking");
    assert_eq!((told(&honest), told(&early), told(&late)), (before, 0, 0));
    assert_eq!(honest.open() + early.open() + late.open(), 3);
}
