//! Stories of port mapping while the network changes: another address, a route that is away for a moment, a link that
//! is made again, a router that starts again.

use crate::common::home::{At, Offers, PORT, ROUTER, TRACKER_URL};
use crate::common::json;
use crate::common::swarmlet::Swarmlet;
use crate::common::wait::{PATIENCE, wait_until};
use crate::portmap::{Stage, mapping, seed_is_older_than, wait_until_open};
use rustix::process::Signal;
use serde_json::Value;
use std::process::Command;
use std::time::Duration;

/// The tracker is not at that path, and wants no question there again.
const NEVER_URL: &str = "http://[2a00:78::2]:6969/elsewhere/announce";
/// Some seconds, in which a change is noticed, the router is asked and the next status is written.
const SOON: Duration = Duration::from_secs(15);

/// Runs shell commands inside. Returns the field `port_mapping` once it is as these lead to, within seconds.
fn soon(stage: &Stage, seed: &mut Swarmlet, commands: &str, is_it: impl Fn(&Value) -> bool) -> Value {
    stage.home.run(At::Inside, commands);
    wait_until("the change is noticed", SOON, || {
        seed.must_run();
        is_it(&mapping(seed))
    });
    mapping(seed)
}

fn is_open(field: &Value) -> bool {
    field["state"] == "open"
}

/// The route comes only after the start. Then the machine gets another address. The router keeps the mapping for the
/// first one, so it gives another port. The trackers hear that, except for one that wants to hear nothing more.
#[test]
fn a_new_route_or_address_leads_to_a_mapping_within_seconds() {
    let Some(stage) = Stage::with_trackers(&[TRACKER_URL, NEVER_URL]) else { return };
    let _daemon = stage.home.start_daemon(Offers::Pcp, "", stage.path());
    stage.home.run(At::Inside, "ip route del default");
    let mut seed = stage.start(&stage.seed());
    let refusals = |seed: &Swarmlet| seed.stderr().matches("http://[2a00:78::2]:6969/…: announce ").count();
    wait_until("it has no router, and a tracker refuses it", PATIENCE, || {
        seed.must_run();
        mapping(&seed)["state"] == "useless" && seed.stdout().contains("the tracker is at /announce")
    });
    let route = format!("ip route add default via {ROUTER}");
    assert_eq!(soon(&stage, &mut seed, &route, is_open)["tcp"], PORT);
    let address = format!("ip -4 addr flush dev eth0; ip addr add 192.168.77.22/24 dev eth0; {route}");
    soon(&stage, &mut seed, &address, |field| is_open(field) && field["tcp"] != PORT);
    assert!(
        stage.home.mappings().iter().any(|line| line.contains("192.168.77.22:7881")),
        "{:?}",
        stage.home.mappings()
    );
    wait_until("the tracker knows the seed", PATIENCE, || {
        json::last(&seed.stdout(), "status").is_some_and(|status| status["swarm_seeds"] == 1)
    });
    stage.fetch_outside();
    assert_eq!(refusals(&seed), 1);
    seed.interrupt().assert_code(0);
}

/// Both families get their mappings back. (The nonce of PCP is looked at in `portmap_liars`.)
#[test]
fn after_a_moment_without_a_route_the_same_ports_are_open() {
    let Some(stage) = Stage::new() else { return };
    let _daemon = stage.home.start_daemon(Offers::Pcp, "", stage.path());
    let (mut seed, before) = stage.start_open(&stage.seed());
    let is_both = |field: &Value| is_open(field) && field["ipv6"] == true;
    wait_until("both families are open", PATIENCE, || is_both(&mapping(&seed)));
    let away = "ip route del default; ip -6 route del default";
    soon(&stage, &mut seed, away, |field| field["state"] == "useless" && field["ipv6"] == false);
    let back = format!("ip route add default via {ROUTER}; ip -6 route add default via fe80::1 dev eth0");
    let after = soon(&stage, &mut seed, &back, is_both);
    assert_eq!((&after["protocol"], &after["tcp"]), (&"PCP".into(), &before["tcp"]));
    wait_until("the router has both", PATIENCE, || stage.home.mappings().len() == 2);
    seed.interrupt().assert_code(0);
    assert_eq!(stage.home.mappings(), Vec::<String>::new());
}

/// Another machine has our port, and the router can't choose another one (IGD 1). So we chose one, which only we know.
#[test]
fn a_route_that_comes_and_goes_leaves_no_mappings_behind() {
    let Some(stage) = Stage::new() else { return };
    let daemon = stage.home.start_daemon(Offers::Pcp, "", stage.path());
    stage.take_port();
    // The rules of the firewall stay.
    drop(daemon);
    let _daemon = stage.home.start_daemon(Offers::Upnp, "force_igd_desc_v1=yes", stage.path());
    let (mut seed, before) = stage.start_open(&stage.seed());
    let mappings = stage.home.mappings();
    assert_eq!((before["tcp"] != PORT, mappings.len()), (true, 3), "{before} {mappings:?}");
    let renewed = |seed: &Swarmlet| seed.stderr().matches("Add { transport: Udp").count();
    for _ in 0..2 {
        let so_far = renewed(&seed);
        soon(&stage, &mut seed, "ip route del default", |field| field["state"] == "useless");
        let back = format!("ip route add default via {ROUTER}");
        let after = soon(&stage, &mut seed, &back, is_open);
        assert_eq!(after["tcp"], before["tcp"]);
        wait_until("the mappings are renewed", SOON, || renewed(&seed) > so_far);
    }
    assert_eq!(stage.home.mappings(), mappings);
    seed.interrupt().assert_code(0);
    assert_eq!(stage.home.mappings().len(), 1, "only that of the other machine is left");
}

/// The addresses are the same, but the old sockets lead nowhere.
#[test]
fn the_router_is_asked_again_after_the_link_was_made_again() {
    for bind in [&["--bind", "eth0"][..], &[]] {
        let Some(stage) = Stage::new() else { return };
        let daemon = stage.home.start_daemon(Offers::Pcp, "", stage.path());
        let (mut seed, _) = stage.start_open(&stage.seed().args(bind));
        stage.home.cut_power(daemon);
        stage.home.make_link_again();
        let _daemon = stage.home.start_daemon(Offers::Pcp, "", stage.path());
        stage.home.wait_for_mappings();
        wait_until_open(&mut seed);
        stage.fetch_outside();
        seed.interrupt().assert_code(0);
        assert_eq!(stage.home.mappings(), Vec::<String>::new());
    }
}

/// A router that has lost power announces to all hosts that it works again, also with IPv6. It has two addresses on the
/// link, and announces from the one that is not in the table of routes.
#[test]
fn a_router_that_starts_again_is_heard_with_ipv6() {
    let Some(stage) = Stage::new() else { return };
    let daemon = stage.home.start_daemon(Offers::Pcp, "", stage.path());
    let is_open = || stage.home.run(At::Router, "nft list chain inet filter miniupnpd").contains("0x2a000077");
    // There is no other way to notice it than the announcement with IPv6.
    stage.home.run(At::Router, "nft add rule inet filter input iifname lan0 ip protocol udp drop");
    let mut seed = stage.start(&stage.seed());
    wait_until("the router has opened its firewall", PATIENCE, || {
        seed.must_run();
        mapping(&seed)["ipv6"] == true && seed_is_older_than(&seed, 8.0)
    });
    stage.home.cut_power(daemon);
    assert!(!is_open());
    let mut daemon = stage.home.start_daemon(Offers::Pcp, "", stage.path());
    daemon.signal(Signal::USR1);
    wait_until("the firewall is open again", PATIENCE, is_open);
    seed.interrupt().assert_code(0);
    assert!(!is_open(), "it is closed again");
}

/// A neighbour sends thousands of packets to all hosts. That keeps nobody from hearing the router afterwards.
#[test]
fn after_a_flood_of_announcements_the_router_is_heard() {
    let Some(stage) = Stage::new() else { return };
    let daemon = stage.home.start_daemon(Offers::Pcp, "", stage.path());
    let (seed, _) = stage.start_open(&stage.seed());
    let flood = "import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(5000): s.sendto(bytes(24), ('224.0.0.1', 5350))";
    let mut python = Command::new("python3");
    python.args(["-c", flood]);
    assert!(stage.home.command(At::Inside, &python).status().unwrap().success());
    wait_until("the router has been up for a while", PATIENCE, || seed_is_older_than(&seed, 12.0));
    stage.home.cut_power(daemon);
    let mut daemon = stage.home.start_daemon(Offers::Pcp, "", stage.path());
    daemon.signal(Signal::USR1);
    stage.home.wait_for_mappings();
    seed.interrupt().assert_code(0);
}
