//! Stories of the DHT (BEP 5). All nodes are on 127.0.0.1, and each is entered through another one.

use crate::common::content::Content;
use crate::common::json;
use crate::common::libtorrent;
use crate::common::ports::free_port;
use crate::common::process::Process;
use crate::common::ran::swarmlet;
use crate::common::swarmlet::{Get, Swarmlet, program};
use crate::common::tools::{Tool, here};
use crate::common::torrent::{Torrent, make_private, make_with_tiers};
use crate::common::wait::{PATIENCE, wait_until};
use rustix::process::Signal;
use serde_json::Value;
use std::fs;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

const KIB: usize = 1024;

/// A torrent that names no tracker.
struct Stage {
    scratch: TempDir,
    content: Content,
    source: PathBuf,
    torrent: Torrent,
}

impl Stage {
    fn new() -> Stage {
        let scratch = tempfile::tempdir().unwrap();
        let content = Content::one_file("a file.bin", 500 * KIB);
        let source = scratch.path().join("source");
        content.write_to(&source);
        let torrent = make_with_tiers(&content, &scratch.path().join("a.torrent"), 32 * KIB, &[]);
        Stage { scratch, content, source, torrent }
    }

    fn path(&self) -> &Path {
        self.scratch.path()
    }

    /// Fetches the torrent by its link alone. The DHT is entered through `node`.
    fn get(&self, name: &str, node: u16) -> Get {
        Get::new(name, self.path()).arg(self.torrent.link("")).args(&["--json", "-vv"]).with_dht(node)
    }

    fn seed(&self, node: u16) -> Get {
        Get::seed("seed", self.path(), &self.source).torrent(&self.torrent).arg("-vv").with_dht(node)
    }
}

/// Waits until it has announced its torrent to at least one node.
fn wait_for_announce(running: &mut Swarmlet) {
    wait_until("it announces itself to a node", PATIENCE, || {
        running.must_run();
        let said = running.stderr();
        said.lines().any(|line| line.contains("announced to ") && !line.contains("announced to 0 "))
    });
}

/// What it said last of the DHT.
fn dht(running: &Swarmlet) -> Value {
    json::last(&running.stdout(), "status").unwrap_or_default()["dht"].clone()
}

#[test]
fn two_of_us_find_each_other_by_a_link_alone() {
    let stage = Stage::new();
    let node = Get::new("node", stage.path());
    let between = node.port;
    let seed = stage.seed(between);
    // A third one is between them, which has another torrent.
    let other =
        make_with_tiers(&Content::one_file("other", 20 * KIB), &stage.path().join("other.torrent"), 16 * KIB, &[]);
    let mut node = node.torrent(&other).arg("-vv").with_dht(seed.port).start();
    let mut seeding = seed.start();
    wait_for_announce(&mut seeding);
    let get = stage.get("get", between);
    let outcome = get.start().wait();
    outcome.assert_code(0);
    stage.content.assert_same_in(&get.dir);
    node.must_run();
    let sources = outcome.json("status")["sources"].clone();
    assert!(sources["dht"] == 1 || sources == serde_json::json!({}), "{sources}");
    assert!(outcome.stderr.contains("found in the DHT"), "{}", outcome.stderr);
}

#[test]
fn from_libtorrent_by_a_link_alone() {
    if !here(&[Tool::Libtorrent]) {
        return;
    }
    let stage = Stage::new();
    let theirs = free_port();
    let get = stage.get("get", theirs);
    let mut command = libtorrent::python();
    command.arg("dht-seed").arg(&stage.torrent.file).arg(&stage.source);
    command.args([format!("127.0.0.1:{theirs}"), "0".into(), format!("127.0.0.1:{}", get.port)]);
    let _seed = Process::start("libtorrent", &mut command, stage.path());
    get.run().assert_code(0);
    stage.content.assert_same_in(&get.dir);
}

#[test]
fn to_libtorrent_by_a_link_alone() {
    if !here(&[Tool::Libtorrent]) {
        return;
    }
    let stage = Stage::new();
    let theirs = free_port();
    let seed = stage.seed(theirs);
    let fetched = stage.path().join("fetched");
    fs::create_dir(&fetched).unwrap();
    let _seeding = seed.start();
    let mut command = libtorrent::python();
    command.arg("dht-get").arg(stage.torrent.link("")).arg(&fetched);
    command.args([format!("127.0.0.1:{theirs}"), "0".into(), format!("127.0.0.1:{}", seed.port)]);
    let mut other = Process::start("libtorrent", &mut command, stage.path());
    assert!(other.wait(PATIENCE).success());
    stage.content.assert_same_in(&fetched);
}

/// A listener that is no node counts the packets for it.
struct Listener(UdpSocket);

impl Listener {
    fn new() -> (Listener, u16) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let port = socket.local_addr().unwrap().port();
        (Listener(socket), port)
    }

    fn hears(&self) -> bool {
        self.0.recv(&mut [0; 2000]).is_ok()
    }
}

#[test]
fn a_private_torrent_is_neither_looked_up_nor_announced() {
    let stage = Stage::new();
    let (listener, port) = Listener::new();
    let private =
        make_private(&stage.content, &stage.path().join("p.torrent"), 32 * KIB, "http://127.0.0.1:9/announce");
    let seed = Get::seed("private", stage.path(), &stage.source).torrent(&private).arg("-vv").with_dht(port);
    let mut seeding = seed.start();
    assert!(!listener.hears(), "nothing is sent");
    seeding.must_run();
    // The same with a public one, and it is heard.
    let _public = stage.seed(port).start();
    assert!(listener.hears(), "a public one is announced");
}

#[test]
fn without_the_dht_nothing_is_sent() {
    let stage = Stage::new();
    let (listener, port) = Listener::new();
    let node = format!("127.0.0.1:{port}");
    let both = Get::seed("both", stage.path(), &stage.source).torrent(&stage.torrent).args(&["--dht-node", &node]);
    both.run().assert_refused(64);
    // `with_dht` is not called, so it has --no-dht.
    let mut seeding = Get::seed("seed", stage.path(), &stage.source).torrent(&stage.torrent).start();
    assert!(!listener.hears());
    seeding.must_run();
}

/// Peers that know each other tell each other of their nodes.
#[test]
fn a_peer_says_where_its_node_is() {
    let stage = Stage::new();
    let dead = [free_port(), free_port()];
    let seed = stage.seed(dead[0]);
    let _seeding = seed.start();
    let get = Get::new("get", stage.path()).args(&["--json", "-vv", "--seed"]).with_dht(dead[1]);
    let running = get.arg(stage.torrent.link(&format!("&x.pe=127.0.0.1:{}", seed.port))).start();
    wait_until("it knows a node", PATIENCE, || dht(&running)["nodes"] == 1);
}

/// A torrent may name nodes (BEP 5). They help if we know few others.
#[test]
fn a_torrent_names_a_node() {
    let stage = Stage::new();
    let (seed, named) = (Get::seed("seed", stage.path(), &stage.source), stage.path().join("named.torrent"));
    let node = format!("127.0.0.1:{}", seed.port);
    swarmlet(&stage.source, &["make", "a file.bin", "--node", &node, "-o", named.to_str().unwrap()]).code(0);
    let seeding = seed.arg("--json").arg(&named).with_dht(free_port()).start();
    // A node that a torrent names is asked once, so it has to be there.
    wait_until("the seed has a node", PATIENCE, || dht(&seeding)["nodes"] == 0);
    let get = Get::new("get", stage.path()).args(&["--json", "-vv"]).with_dht(free_port());
    let get = get.arg(&named);
    get.run().assert_code(0);
    stage.content.assert_same_in(&get.dir);
}

/// The next run begins with the nodes of the last one, and has the same id.
#[test]
fn nodes_are_remembered() {
    let stage = Stage::new();
    let seed = stage.seed(free_port());
    let mut seeding = seed.start();
    let get = stage.get("get", seed.port).arg("--seed");
    let running = get.start();
    wait_until("it knows a node", PATIENCE, || dht(&running)["nodes"] == 1);
    // The node of the other family, which knows nobody, does not look for ever.
    wait_until("no lookup runs", PATIENCE, || dht(&running)["lookups"] == 0);
    seeding.must_run();
    running.interrupt();
    let file = stage.path().join("state/swarmlet/dht-local.nodes");
    let saved = fs::read_to_string(&file).unwrap();
    assert!(saved.contains(&format!("127.0.0.1:{}\n", seed.port)), "{saved}");
    let id = |text: &str| text.lines().find(|line| line.starts_with("id4 ")).map(str::to_string);
    // Nobody is there now, and the file stays as it is.
    seeding.interrupt();
    fs::write(&file, &saved).unwrap();
    let again = get.start();
    wait_until("it runs", PATIENCE, || dht(&again)["nodes"] == 0);
    again.interrupt();
    assert_eq!(fs::read_to_string(&file).unwrap(), saved);
    assert!(id(&saved).is_some());
}

/// `seed` keeps no resume states, but it remembers nodes. A second one knows those of the first, though its way in is
/// dead.
#[test]
fn a_seed_remembers_nodes() {
    let stage = Stage::new();
    let first = stage.seed(free_port()).arg("--json");
    let (other, way_in) = (free_port().to_string(), format!("127.0.0.1:{}", first.port));
    let mut command = Command::new(program());
    command.args(["dht", "run", "--port", &other, "--dht-node", &way_in, "--state", "other"]);
    let mut node = Process::start("node", command.current_dir(stage.path()), stage.path());
    let knows_it = |running: &Swarmlet| wait_until("it knows the node", PATIENCE, || dht(running)["nodes"] == 1);
    let running = first.start();
    knows_it(&running);
    running.interrupt();
    let folder = stage.path().join("state/swarmlet");
    let names = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.collect::<Vec<_>>(), ["dht-local.nodes"]);
    let second = stage.seed(free_port()).arg("--json").start();
    knows_it(&second);
    second.interrupt();
    node.must_run();
    // It goes on without a memory.
    let third = stage.seed(free_port()).arg("--json").arg("--state").arg(&stage.torrent.file).start();
    wait_until("it seeds", PATIENCE, || json::last(&third.stdout(), "status").is_some());
    let warnings = third.interrupt().stderr.matches("can't keep the nodes of the DHT in ").count();
    assert_eq!(warnings, 1);
}

/// `swarmlet dht` with a run as the only other node.
#[test]
fn the_command_shows_each_step() {
    let stage = Stage::new();
    let other = Get::new("other", stage.path());
    let seed = stage.seed(other.port);
    let mut running =
        [seed.start(), other.arg(stage.torrent.link("")).args(&["-vv", "--seed"]).with_dht(seed.port).start()];
    wait_for_announce(&mut running[0]);
    let node = format!("127.0.0.1:{}", seed.port);
    let dir = stage.path();
    let ping = swarmlet(dir, &["dht", "ping", &node, "--json"]).code(0);
    assert_eq!(ping.objects()[0]["event"], "answered");
    let dead = format!("127.0.0.1:{}", free_port());
    assert!(swarmlet(dir, &["dht", "ping", &dead]).code(1).text().contains("does not answer"));
    let state = dir.join("none");
    let state = state.to_str().unwrap();
    let hash = stage.torrent.link("");
    let found = swarmlet(dir, &["dht", "find", &hash, "--dht-node", &node, "--state", state]).code(0).text();
    assert!(found.contains("ask    127.0.0.1:") && found.contains("answer 127.0.0.1:"), "{found}");
    assert!(found.contains(&format!("peer   127.0.0.1:{}\n", seed.port)), "{found}");
    let scraped = swarmlet(dir, &["dht", "scrape", &hash, "--dht-node", &node, "--state", state, "--json"]);
    assert!(scraped.objects()[0]["seeds"].as_u64().is_some(), "{}", scraped.text());
    swarmlet(dir, &["dht", "find", "abc", "--dht-node", &node]).refused(66, "abc: neither an info-hash");
    swarmlet(dir, &["dht", "find", "abc", "abc"]).refused(64, "expected one info-hash");
    swarmlet(dir, &["dht", "look"]).refused(64, "expected ping, find, scrape or run");
}

/// The chapter about the DHT: a net of nodes that are nothing else. Half of them end, and the torrent is still found.
#[test]
fn a_student_builds_a_dht() {
    let stage = Stage::new();
    let ports: Vec<u16> = (0..16).map(|_| free_port()).collect();
    let first = format!("127.0.0.1:{}", ports[0]);
    let start = |port: &u16| {
        let (port, name) = (port.to_string(), format!("node-{port}"));
        let mut command = Command::new(program());
        command.args(["dht", "run", "--json", "--port", &port, "--dht-node", &first, "--state", &name]);
        Process::start(&name, command.current_dir(stage.path()), stage.path())
    };
    let mut nodes = vec![start(&ports[0])];
    // The others print their figures once, soon: so the first question of each must find somebody.
    wait_until("the first node listens", PATIENCE, || UdpSocket::bind(("127.0.0.1", ports[0])).is_err());
    nodes.extend(ports[1..].iter().map(start));
    let mut seeding = stage.seed(ports[0]).start();
    wait_until("it announces itself to 8 nodes", PATIENCE, || {
        seeding.must_run();
        seeding.stderr().contains(" announced to 8 nodes")
    });
    for (node, port) in nodes.iter_mut().zip(&ports).skip(1).step_by(2) {
        node.signal(Signal::INT);
        assert!(node.wait(PATIENCE).success(), "a signal ends it well");
        let figures = json::last(&node.stdout(), "node").expect("it prints its figures");
        assert!(figures["port"] == *port && figures["good"].as_u64() > Some(0), "{figures}");
        assert!(
            fs::read_to_string(stage.path().join(format!("node-{port}/dht-local.nodes"))).unwrap().contains(&first)
        );
    }
    let hash = stage.torrent.link("");
    let args = ["dht", "find", &hash, "--dht-node", &first, "--state", "none", "--json"];
    let steps = swarmlet(stage.path(), &args).code(0).objects();
    let of = |event: &str| steps.iter().filter(|step| step["event"] == event).count();
    // Those that live name some that don't.
    assert!(of("answered") > 0 && of("silent") > 0 && of("peer") == 1, "{steps:?}");
    nodes.iter_mut().step_by(2).for_each(Process::must_run);
}
