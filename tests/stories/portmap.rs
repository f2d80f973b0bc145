//! Stories of port mapping: a peer at home behind a router (miniupnpd), and a peer outside.

use crate::common::content::Content;
use crate::common::home::{At, Home, INSIDE, OUTER, Offers, PORT, ROUTER, TRACKER_URL};
use crate::common::json;
use crate::common::process::Process;
use crate::common::swarmlet::{Get, Swarmlet, program};
use crate::common::tools::{Tool, here};
use crate::common::torrent::{Torrent, make_with_tiers};
use crate::common::wait::{PATIENCE, wait_until};
use rustix::process::Signal;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

const KIB: usize = 1024;

/// A home, a torrent, and a tracker outside.
pub struct Stage {
    pub home: Home,
    scratch: TempDir,
    content: Content,
    source: PathBuf,
    torrent: Torrent,
    _tracker: Process,
}

impl Stage {
    pub fn new() -> Option<Stage> {
        Stage::with_trackers(&[TRACKER_URL])
    }

    /// The same with these trackers in the torrent, each in a tier of its own.
    pub fn with_trackers(urls: &[&str]) -> Option<Stage> {
        if !here(&[Tool::Miniupnpd]) {
            return None;
        }
        let (home, scratch) = (Home::new()?, tempfile::tempdir().unwrap());
        let content = Content::one_file("a file.bin", 500 * KIB);
        let source = scratch.path().join("source");
        content.write_to(&source);
        let file = scratch.path().join("a.torrent");
        let tiers: Vec<Vec<String>> = urls.iter().map(|url| vec![url.to_string()]).collect();
        let torrent = make_with_tiers(&content, &file, 32 * KIB, &tiers);
        let _tracker = home.start_tracker(scratch.path());
        Some(Stage { home, scratch, content, source, torrent, _tracker })
    }

    pub fn path(&self) -> &Path {
        self.scratch.path()
    }

    /// Our seed at home.
    pub fn seed(&self) -> Get {
        let seed = Get::seed("seed", self.path(), &self.source).torrent(&self.torrent).with_port_mapping();
        let mut seed = seed.args(&["-vv", "--json"]);
        seed.port = PORT;
        seed
    }

    pub fn start(&self, seed: &Get) -> Swarmlet {
        seed.start_after(&self.home.on(At::Inside))
    }

    /// The same, once the router has opened the port. Returns the field `port_mapping`, too.
    pub fn start_open(&self, seed: &Get) -> (Swarmlet, Value) {
        let mut running = self.start(seed);
        let field = wait_until_open(&mut running);
        (running, field)
    }

    /// Another machine at home gets our port, by NAT-PMP.
    pub fn take_port(&self) {
        self.home.run(At::Inside, "ip addr add 192.168.77.21/24 dev eth0");
        let other = format!(
            "import socket, struct\n\
             s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n\
             s.bind(('192.168.77.21', 0))\n\
             s.sendto(struct.pack('>BBHHHI', 0, 2, 0, {PORT}, {PORT}, 3600), ('{ROUTER}', 5351))\n\
             s.recv(99)"
        );
        self.home.run(At::Inside, &format!("python3 -c \"{other}\""));
    }

    /// A peer outside fetches the torrent. It must connect to the seed, because nobody can connect to it.
    pub fn fetch_outside(&self) {
        let get = Get::new("outside", self.path()).torrent(&self.torrent).arg("-vv");
        get.start_after(&self.home.on(At::Outside)).wait().assert_code(0);
        self.content.assert_same_in(&get.dir);
    }
}

/// Waits until the router has opened the port, and the content is checked. Returns the field `port_mapping`.
pub fn wait_until_open(running: &mut Swarmlet) -> Value {
    let mut field = Value::Null;
    wait_until("the router has opened the port", PATIENCE, || {
        running.must_run();
        field = mapping(running);
        field["state"] == "open" && is_checked(running)
    });
    field
}

/// The field `port_mapping` of the last report.
pub fn mapping(running: &Swarmlet) -> Value {
    json::last(&running.stdout(), "status").map_or(Value::Null, |status| status["port_mapping"].clone())
}

/// Whether the content is checked. Before that, a seed that is interrupted ends with an error.
pub fn is_checked(running: &Swarmlet) -> bool {
    json::last(&running.stdout(), "status").is_some_and(|status| status["state"] == "seeding")
}

/// Through one protocol: mapped, used by a peer outside, and removed at the end.
fn serves_outside(offers: Offers, protocol: &str) {
    let Some(stage) = Stage::new() else { return };
    let _daemon = stage.home.start_daemon(offers, "", stage.path());
    let (seed, field) = stage.start_open(&stage.seed());
    assert_eq!((&field["protocol"], &field["outer_ip"]), (&protocol.into(), &OUTER.into()), "{field}");
    assert_eq!((&field["tcp"], &field["udp"], &field["router"]), (&PORT.into(), &PORT.into(), &ROUTER.into()));
    let mappings = stage.home.mappings();
    // The numbers are those of TCP and UDP.
    for transport in ["0x6", "0x11"] {
        let rule = format!("{transport} th dport {PORT} dnat ip to {INSIDE}:{PORT}");
        assert!(mappings.iter().any(|line| line.contains(&rule)), "{mappings:?}");
    }
    stage.fetch_outside();
    wait_until("the seed knows that it was reached", PATIENCE, || mapping(&seed)["reached"] == true);
    seed.interrupt().assert_code(0);
    assert_eq!(stage.home.mappings(), Vec::<String>::new(), "it is removed at the end");
}

#[test]
fn a_peer_outside_fetches_through_pcp() {
    serves_outside(Offers::Pcp, "PCP");
}

#[test]
fn a_peer_outside_fetches_through_natpmp() {
    serves_outside(Offers::NatPmp, "NAT-PMP");
}

#[test]
fn a_peer_outside_fetches_through_upnp() {
    serves_outside(Offers::Upnp, "UPnP");
}

/// Another machine at home has the port, so the router gives another one. The tracker is told that one.
#[test]
fn a_port_that_another_machine_has_is_replaced_and_the_tracker_is_told() {
    for offers in [Offers::Pcp, Offers::Upnp] {
        let Some(stage) = Stage::new() else { return };
        let mut daemon = stage.home.start_daemon(Offers::Pcp, "", stage.path());
        stage.take_port();
        if matches!(offers, Offers::Upnp) {
            // The rules of the firewall stay.
            daemon.signal(Signal::KILL);
            daemon.wait(PATIENCE);
            daemon = stage.home.start_daemon(offers, "", stage.path());
        }
        let (seed, field) = stage.start_open(&stage.seed());
        assert_ne!(field["tcp"], PORT, "{offers:?}: {field}");
        stage.fetch_outside();
        seed.interrupt().assert_code(0);
        assert_eq!(stage.home.mappings().len(), 1, "only that of the other machine is left");
        drop(daemon);
    }
}

/// The same in the DHT: a node outside is told the outer port.
#[test]
fn the_dht_is_told_the_outer_port() {
    let Some(stage) = Stage::new() else { return };
    let _daemon = stage.home.start_daemon(Offers::Pcp, "", stage.path());
    stage.take_port();
    stage.home.run(At::Outside, "nft insert rule inet filter input udp dport 7000 accept");
    // A node that is entered through this machine answers at once.
    let mut node = Command::new(program());
    node.args(["dht", "run", "--port", "7000", "--dht-node", "127.0.0.1:9"]).env("XDG_STATE_HOME", stage.path());
    let _node = Process::start("node", &mut stage.home.command(At::Outside, &node), stage.path());
    let (seed, field) = stage.start_open(&stage.seed().with_dht_node("45.77.0.2:7000"));
    assert_ne!(field["tcp"], PORT, "{field}");
    let hash: String = stage.torrent.info_hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let found = format!("peer   {OUTER}:{}\n", field["tcp"]);
    wait_until("the node knows the seed", PATIENCE, || {
        let mut find = Command::new(program());
        find.args(["dht", "find", &hash, "--dht-node", "45.77.0.2:7000"]).env("XDG_STATE_HOME", stage.path());
        let output = stage.home.command(At::Outside, &find).output().unwrap();
        String::from_utf8_lossy(&output.stdout).contains(&found)
    });
    seed.interrupt().assert_code(0);
}

/// The power of the router was off. When it is on again, it tells all hosts its address, and we ask again at once.
#[test]
fn a_router_that_starts_again_is_asked_again() {
    for offers in [Offers::Pcp, Offers::NatPmp] {
        let Some(stage) = Stage::new() else { return };
        let daemon = stage.home.start_daemon(offers, "", stage.path());
        let (seed, _) = stage.start_open(&stage.seed());
        // The router's clock must have shown more than it does after the start.
        wait_until("the router has been up for a while", PATIENCE, || seed_is_older_than(&seed, 8.0));
        stage.home.cut_power(daemon);
        assert_eq!(stage.home.mappings().len(), 0);
        let mut daemon = stage.home.start_daemon(offers, "", stage.path());
        // The scripts of routers tell the daemon in this way that there is an outer address.
        daemon.signal(Signal::USR1);
        stage.home.wait_for_mappings();
        stage.fetch_outside();
        seed.interrupt().assert_code(0);
    }
}

pub fn seed_is_older_than(seed: &Swarmlet, seconds: f64) -> bool {
    json::last(&seed.stdout(), "status").is_some_and(|status| status["time"].as_f64() > Some(seconds))
}

/// A router that forgets without a word is noticed at half of the lifetime.
#[test]
fn a_mapping_is_renewed_at_half_of_its_lifetime() {
    let Some(stage) = Stage::new() else { return };
    let _daemon = stage.home.start_daemon(Offers::Pcp, "min_lifetime=2\nmax_lifetime=10", stage.path());
    let (seed, _) = stage.start_open(&stage.seed());
    for _ in 0..2 {
        stage.home.forget_mappings();
        stage.home.wait_for_mappings();
    }
    seed.interrupt().assert_code(0);
    assert_eq!(stage.home.mappings(), Vec::<String>::new());
}

#[test]
fn nothing_is_asked_with_the_option() {
    let Some(stage) = Stage::new() else { return };
    let count = "nft add rule inet filter input udp dport { 5351, 1900 } counter";
    stage.home.run(At::Router, count);
    let _daemon = stage.home.start_daemon(Offers::Pcp, "", stage.path());
    let get = stage.seed();
    let mut command = get.command();
    command.arg("--no-port-mapping");
    let mut seed = Process::start("seed", &mut stage.home.command(At::Inside, &command), stage.path());
    wait_until("the tracker knows the seed", PATIENCE, || {
        seed.must_run();
        json::last(&seed.stdout(), "status").is_some_and(|status| status["swarm_seeds"] == 1)
    });
    let rules = stage.home.run(At::Router, "nft list chain inet filter input");
    assert!(rules.contains("counter packets 0 bytes 0"), "{rules}");
    assert_eq!(json::last(&seed.stdout(), "status").unwrap()["port_mapping"]["state"], "off");
}

/// With `--bind`, only the router on that way is asked, also over HTTP (UPnP).
#[test]
fn only_a_router_on_the_way_out_is_asked() {
    let Some(stage) = Stage::new() else { return };
    let _daemon = stage.home.start_daemon(Offers::Upnp, "", stage.path());
    let (seed, _) = stage.start_open(&stage.seed().args(&["--bind", "eth0"]));
    stage.fetch_outside();
    seed.interrupt().assert_code(0);
    assert_eq!(stage.home.mappings(), Vec::<String>::new());

    let mut seed = stage.start(&stage.seed().args(&["--bind", "lo"]));
    wait_until("it says why", PATIENCE, || {
        seed.must_run();
        let why = format!("the router {ROUTER} is not on the way out through lo (--bind)");
        mapping(&seed)["why"] == why && is_checked(&seed)
    });
    assert_eq!(mapping(&seed)["state"], "useless");
    seed.interrupt().assert_code(0);
    let mut seed = stage.start(&stage.seed().args(&["--proxy", "socks5://127.0.0.1:9"]));
    wait_until("it is off", PATIENCE, || {
        seed.must_run();
        mapping(&seed)["state"] == "off" && is_checked(&seed)
    });
    seed.interrupt().assert_code(0);
}

/// A machine without a default route says why it asks nobody, and works.
#[test]
fn without_a_router_nothing_is_asked() {
    let Some(stage) = Stage::new() else { return };
    stage.home.run(At::Inside, "ip route del default; ip -6 route del default");
    let mut seed = stage.start(&stage.seed());
    wait_until("it says why", PATIENCE, || {
        seed.must_run();
        mapping(&seed)["why"] == "no router leads out of this network with IPv4"
    });
    assert_eq!(mapping(&seed)["state"], "useless");
    wait_until("its content is checked", PATIENCE, || is_checked(&seed));
    seed.interrupt().assert_code(0);
}

/// A gateway with a public address belongs to somebody else.
#[test]
fn a_public_gateway_is_not_asked() {
    let Some(stage) = Stage::new() else { return };
    stage.home.run(At::Router, "nft add rule inet filter input iifname wan0 udp dport { 5351, 1900 } counter");
    stage.home.run(At::Outside, &format!("ip route add default via {OUTER}"));
    let mut seed = stage.seed().start_after(&stage.home.on(At::Outside));
    wait_until("it says why", PATIENCE, || {
        seed.must_run();
        mapping(&seed)["why"] == "the router 45.77.0.1 has a public address, so it is not one of a home network"
    });
    let rules = stage.home.run(At::Router, "nft list chain inet filter input");
    assert!(rules.contains("counter packets 0 bytes 0"), "{rules}");
    wait_until("its content is checked", PATIENCE, || is_checked(&seed));
    seed.interrupt().assert_code(0);
}

/// With IPv6 the router only opens its firewall. A peer outside connects to the address itself.
#[test]
fn pcp_opens_the_firewall_for_ipv6() {
    let Some(stage) = Stage::new() else { return };
    let _daemon = stage.home.start_daemon(Offers::Pcp, "", stage.path());
    let (seed, _) = stage.start_open(&stage.seed());
    wait_until("the router has opened its firewall", PATIENCE, || mapping(&seed)["ipv6"] == true);
    let mut connect = Command::new("python3");
    let program = format!("import socket; socket.create_connection(('2a00:77::20', {PORT}), 10)");
    connect.args(["-c", &program]);
    let output = stage.home.command(At::Outside, &connect).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // The rules name the address as a number.
    let is_open = || stage.home.run(At::Router, "nft list chain inet filter miniupnpd").contains("0x2a000077");
    assert!(is_open());
    seed.interrupt().assert_code(0);
    assert!(!is_open(), "it is closed again");
}
