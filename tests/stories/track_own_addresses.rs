//! Stories of `swarmlet track` on a machine with several addresses: the answer comes from the address that was asked.

use crate::common::http::percent_encode;
use crate::common::tools::{can_unshare, skip};
use crate::common::track::{Track, UdpAsker, counts_seeds, udp_announce};
use std::env;
use std::net::{IpAddr, TcpListener, UdpSocket};
use std::process::Command;

const HASH: [u8; 20] = *b"\x00\xffan info-hash 20 &\x25";
/// A network of its own, with root's rights in it.
const OWN_NETWORK: [&str; 3] = ["--user", "--map-root-user", "--net"];
/// The addresses of the machine in these stories.
const ADDRESSES: [[&str; 3]; 2] = [["10.9.0.1", "10.9.0.2", "10.9.0.3"], ["fd09::1", "fd09::2", "fd09::3"]];
/// Tells the story that it runs in its network.
const INSIDE: &str = "SWARMLET_STORY_INSIDE";

/// Runs the story `name` of this file again, in a network with [`ADDRESSES`]. `false`: this is that run.
fn is_told_inside(name: &str) -> bool {
    if env::var_os(INSIDE).is_some() {
        return false;
    }
    if Command::new("ip").arg("-V").output().is_err() {
        skip("ip (of iproute2) is not installed");
    } else if can_unshare(&OWN_NETWORK) {
        let add = "ip link set lo up\n\
            for a in 10.9.0.1 10.9.0.2 10.9.0.3; do ip addr add $a/24 dev lo; done\n\
            for a in fd09::1 fd09::2 fd09::3; do ip addr add $a/64 dev lo nodad 2>/dev/null; done\n\
            exec \"$@\"";
        let story = format!("track_own_addresses::{name}");
        let again = Command::new("unshare")
            .args(OWN_NETWORK)
            .args(["sh", "-c", add, "sh"])
            .arg(env::current_exe().unwrap())
            .args([&story, "--exact"])
            .env(INSIDE, "1")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&again.stdout);
        assert!(
            again.status.success() && said.contains("1 passed"),
            "{said}{}",
            String::from_utf8_lossy(&again.stderr)
        );
    }
    true
}

/// A client behind a router, and each client that connects its socket, drops the answer of another address.
#[test]
fn each_address_answers_for_itself_over_udp() {
    if is_told_inside("each_address_answers_for_itself_over_udp") {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let track = Track::on_free_port(scratch.path()).start();
    // It answers over HTTP when all its sockets for UDP are there.
    track.get("/stats.json");
    let mut seeds = 0;
    for family in ADDRESSES {
        let [client, asked @ ..] = family.map(|ip| ip.parse::<IpAddr>().unwrap());
        if TcpListener::bind((client, 0)).is_err() {
            skip("this machine has no IPv6");
            continue;
        }
        // The client has one address, to which the system would answer from that same address.
        for ip in asked.into_iter().chain([client]) {
            seeds += 1;
            let asker = UdpAsker::at(client, (ip, track.port).into());
            asker.ask(&udp_announce(asker.connect(), HASH, 1000 + seeds, 0, 9)).unwrap();
        }
    }
    let loopback = UdpAsker::new("127.0.0.1".parse().unwrap(), track.port);
    loopback.ask(&udp_announce(loopback.connect(), HASH, 999, 0, 9)).unwrap();
    let scrape = track.get(&format!("/scrape?info_hash={}", percent_encode(&HASH))).body;
    assert!(counts_seeds(&scrape, usize::from(seeds) + 1), "{}", String::from_utf8_lossy(&scrape));
}

/// More than one socket on a port must not let other programs, or a second tracker, onto it.
#[test]
fn a_taken_port_is_refused_also_there() {
    if is_told_inside("a_taken_port_is_refused_also_there") {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let track = Track::on_free_port(scratch.path()).start();
    track.get("/stats.json");
    let refused = |port: u16| {
        let program = crate::common::swarmlet::program();
        let output = Command::new(program).args(["track", "--port", &port.to_string()]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(&format!("can't listen on port {port} (--port names another)")), "{said}");
    };
    refused(track.port);
    for ip in ["10.9.0.2", "0.0.0.0", "127.0.0.1"] {
        assert!(UdpSocket::bind((ip, track.port)).is_err(), "{ip}");
    }
    // One address is enough.
    let other = UdpSocket::bind(("10.9.0.3", 0)).unwrap();
    refused(other.local_addr().unwrap().port());
}
