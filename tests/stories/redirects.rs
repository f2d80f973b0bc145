//! Stories of torrents by URL and of trackers that redirect. A server on the internet must not make us ask a machine in
//! our own network. (Of web seeds: `web_seeds_redirects.rs`.)

use crate::common::content::Content;
use crate::common::hosts::is_told_inside;
use crate::common::ran::swarmlet;
use crate::common::swarmlet::Get;
use crate::common::torrent::make_with_tiers;
use crate::common::wait::{PATIENCE, wait_until};
use crate::common::web_seed::{WebSeed, send};
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::Command;

const PIECE: usize = 32 * 1024;
/// An address that stands for the internet (RFC 5737).
const OUTSIDE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 7);
/// Our own address with IPv6, and that of another host at home (RFC 3849).
const OURS_V6: &str = "2001:db8:77::1";
const BESIDE_V6: &str = "2001:db8:77::2";
const REFUSED: &str = "it redirects into the local network, which is refused";

/// Gives the story an address outside.
fn add_outside() {
    let added = Command::new("ip").args(["addr", "add", &format!("{OUTSIDE}/32"), "dev", "lo"]).status();
    assert!(added.is_ok_and(|status| status.success()), "the story has a network of its own");
}

/// Gives the story two addresses of one network with IPv6.
fn add_home_with_v6() {
    for ip in [OURS_V6, BESIDE_V6] {
        let added = Command::new("ip").args(["addr", "add", &format!("{ip}/64"), "dev", "lo", "nodad"]).status();
        assert!(added.is_ok_and(|status| status.success()), "the story has a network of its own");
    }
}

/// A server at `ip` that redirects everything to `to`.
fn redirecting(ip: impl Into<IpAddr>, to: &str) -> WebSeed {
    let location = format!("Location: {to}\r\n");
    WebSeed::on(ip.into(), move |_, stream| send(302, &location, b"", stream))
}

/// Ways to write the port `port` of this machine.
fn ways(port: u16) -> [String; 5] {
    let hosts = ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433"];
    hosts.map(|host| format!("http://{host}:{port}/a.torrent?key=1"))
}

/// A torrent file, whose tracker is `url`.
fn torrent(scratch: &Path, url: &str) -> std::path::PathBuf {
    let file = scratch.join("a.torrent");
    make_with_tiers(&Content::one_file("a file.bin", PIECE), &file, PIECE, &[vec![url.to_string()]]);
    file
}

#[test]
fn the_url_of_a_torrent_leads_from_nearby_to_nearby_and_not_from_the_internet() {
    if is_told_inside("redirects::the_url_of_a_torrent_leads_from_nearby_to_nearby_and_not_from_the_internet") {
        return;
    }
    add_outside();
    let scratch = tempfile::tempdir().unwrap();
    let bytes = fs::read(torrent(scratch.path(), "http://a.example/announce")).unwrap();
    let beside = bytes.clone();
    let router = WebSeed::start(move |_, stream| send(200, "", &bytes, stream));
    let show = |server: &WebSeed| swarmlet(scratch.path(), &["show", &format!("{}a.torrent", server.url())]);
    for to in ways(router.address.port()) {
        show(&redirecting(OUTSIDE, &to)).refused(69, REFUSED);
    }
    let inwards = redirecting(OUTSIDE, &ways(router.address.port())[1]);
    show(&redirecting(OUTSIDE, &inwards.url())).refused(69, REFUSED);
    show(&redirecting(Ipv4Addr::LOCALHOST, &inwards.url())).refused(69, REFUSED);
    assert_eq!(router.asked().len(), 0, "nothing reached it");
    // With IPv6 the hosts at home have addresses of the internet.
    add_home_with_v6();
    let beside = WebSeed::on(BESIDE_V6.parse().unwrap(), move |_, stream| send(200, "", &beside, stream));
    show(&redirecting(OUTSIDE, &beside.url())).refused(69, REFUSED);
    assert_eq!(beside.asked().len(), 0, "nothing reached it");
    show(&redirecting(Ipv4Addr::LOCALHOST, &beside.url())).code(0);
    show(&router).code(0);
    show(&redirecting(Ipv4Addr::LOCALHOST, &ways(router.address.port())[1])).code(0);
    assert_eq!(router.asked().len(), 2, "people have servers in their own network");
}

#[test]
fn a_tracker_leads_from_nearby_to_nearby_and_not_from_the_internet() {
    if is_told_inside("redirects::a_tracker_leads_from_nearby_to_nearby_and_not_from_the_internet") {
        return;
    }
    add_outside();
    let router = WebSeed::start(|_, stream| send(200, "", b"d8:intervali1800e5:peers0:e", stream));
    let to = |way: usize| ways(router.address.port())[way].clone();
    let announce = |tracker: &WebSeed, met: &dyn Fn(&str) -> bool| {
        let scratch = tempfile::tempdir().unwrap();
        let file = torrent(scratch.path(), &format!("{}announce", tracker.url()));
        let leecher = Get::new("leecher", scratch.path()).arg(file).args(&["-vvv"]).start();
        wait_until("the tracker is asked", PATIENCE, || met(&leecher.stderr()));
    };
    // An announce is for one family of addresses, here IPv4.
    for way in [0, 1, 3, 4] {
        announce(&redirecting(OUTSIDE, &to(way)), &|said| said.contains(REFUSED));
    }
    assert_eq!(router.asked().len(), 0, "nothing reached it");
    for (number, tracker) in [&router, &redirecting(Ipv4Addr::LOCALHOST, &to(1))].into_iter().enumerate() {
        announce(tracker, &|_| router.asked().len() > number);
    }
}
