//! Stories of `--bind`: a machine with two links, of which only one may be used.

use crate::common::content::Content;
use crate::common::json;
use crate::common::links::{FAR, Links};
use crate::common::nginx;
use crate::common::process::Process;
use crate::common::ran::swarmlet;
use crate::common::swarmlet::{Get, Swarmlet, program};
use crate::common::tools::{Tool, here};
use crate::common::torrent::{make_with_tiers, make_with_web_seeds};
use crate::common::wait::{PATIENCE, wait_until};
use serde_json::Value;
use std::net::{Ipv4Addr, UdpSocket};
use std::process::Command;

const KIB: usize = 1024;
/// Statuses, one a second, in which a program that is not bound sends by the other link: it has a connection, trackers
/// and nodes of the DHT.
const MOMENTS: usize = 6;

/// What happens to the first link.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It goes down, and up again. Its address stays.
    Down,
    /// It is gone, and made again.
    Gone,
}

fn statuses(running: &Swarmlet) -> Vec<Value> {
    json::objects(&running.stdout()).into_iter().filter(|object| object["event"] == "status").collect()
}

/// Downloads by the first link, which goes away for some seconds. Returns the packets that left by the other one,
/// and without `bind` only those that left after the first one had gone.
fn download(links: &Links, bind: Option<&str>, fate: Fate) -> u64 {
    let scratch = tempfile::tempdir().unwrap();
    let (track_port, content) = (6969, Content::one_file("a file.bin", 6000 * KIB));
    let urls = ["http", "udp"].map(|scheme| vec![format!("{scheme}://{FAR}:{track_port}/announce")]);
    let torrent = make_with_tiers(&content, &scratch.path().join("a.torrent"), 64 * KIB, &urls);
    let source = scratch.path().join("source");
    content.write_to(&source);

    let mut track = Command::new(program());
    track.args(["track", "--port", &track_port.to_string(), "-v"]);
    let track = Process::start("track", &mut links.command(1, &track), scratch.path());
    wait_until("the tracker listens", PATIENCE, || track.stderr().contains("tracker on"));
    // The seed always has something to send. So it notices soon that its connection leads nowhere any more.
    let seed = Get::seed("seed", scratch.path(), &source).torrent(&torrent).args(&["-vv", "--max-upload-rate", "400"]);
    let seed_port = seed.port;
    let mut seeding = seed.with_dht_node(&format!("{FAR}:9")).start_after(&links.on(1));
    let known = |seeding: &mut Swarmlet| {
        seeding.must_run();
        seeding.stderr().matches(" peers\n").count() >= 1
    };
    wait_until("the seed has announced itself", PATIENCE, || known(&mut seeding));

    let mut get = Get::new("get", scratch.path()).torrent(&torrent).with_lsd();
    get = get.with_dht_node(&format!("{FAR}:{seed_port}")).args(&["--json", "-vvv"]);
    if let Some(bind) = bind {
        get = get.args(&["--bind", bind]);
    }
    let mut running = get.start_after(&links.on(0));
    wait_until("the download runs, and everything else", PATIENCE, || {
        running.must_run();
        let (said, last) = (running.stderr(), statuses(&running).pop().unwrap_or_default());
        let has_dht = !cfg!(feature = "dht") || last["dht"]["nodes"].as_u64() > Some(0);
        let has_lsd = !cfg!(feature = "lsd") || said.contains("announced 1 in the local network");
        has_dht && has_lsd && last["had"].as_u64() > Some(0)
    });
    let before = links.sent(1);
    assert!(bind.is_none() || before == 0, "even the search in the local network uses only the first link");

    if fate == Fate::Down {
        links.take_down()
    } else {
        links.remove()
    }
    let away = statuses(&running).len();
    if bind.is_some() {
        wait_until("it says that nothing is sent", PATIENCE, || {
            statuses(&running).last().is_some_and(|last| last["offline"].is_string())
        });
        assert!(running.stderr().contains("nothing is sent until it is back"));
    }
    wait_until("some time passes", PATIENCE, || statuses(&running).len() > away + MOMENTS);
    if bind.is_none() {
        return links.sent(1) - before;
    }
    if fate == Fate::Down {
        links.bring_up()
    } else {
        links.make_again()
    }
    wait_until("it says that the link is back", PATIENCE, || {
        running.stderr().contains("(--bind) is back\n")
            && statuses(&running).last().is_some_and(|last| last["offline"].is_null())
    });
    // It listens again.
    let connect = format!("exec 3<>/dev/tcp/10.77.1.1/{}", get.port);
    let mut connect_to_it = links.command(1, Command::new("bash").args(["-c", &connect]));
    wait_until("others can connect to it", PATIENCE, || connect_to_it.output().unwrap().status.success());
    running.wait().assert_code(0);
    content.assert_same_in(&get.dir);
    links.sent(1)
}

/// Otherwise the other stories would say nothing.
#[test]
fn without_bind_everything_moves_to_the_other_link() {
    let Some(links) = Links::new() else { return };
    assert!(download(&links, None, Fate::Down) > 0);
}

#[test]
fn not_one_packet_leaves_by_another_link_while_the_address_is_away() {
    let Some(links) = Links::new() else { return };
    assert_eq!(download(&links, Some("10.77.1.1"), Fate::Down), 0);
}

#[test]
fn not_one_packet_leaves_by_another_link_while_the_interface_is_made_again() {
    let Some(links) = Links::new() else { return };
    assert_eq!(download(&links, Some("eth0"), Fate::Gone), 0);
}

/// Downloads 300 files of a web seed, each with a request of its own, while the first link goes away for some seconds.
/// Returns the packets that left by the other one; without `bind`, the download need not come to its end.
fn download_from_web(links: &Links, bind: Option<&str>) -> u64 {
    let scratch = tempfile::tempdir().unwrap();
    let names: Vec<String> = (0..300).map(|number| format!("{number}.bin")).collect();
    let files: Vec<(&str, usize)> = names.iter().map(|name| (name.as_str(), 16 * KIB)).collect();
    let (source, content) = (scratch.path().join("source"), Content::folder("folder", &files));
    content.write_to(&source);
    let (nginx, _) = nginx::command(&source, scratch.path(), &format!("{FAR}:8080"), "");
    let mut nginx = Process::start("nginx", &mut links.command(1, &nginx), scratch.path());
    let url = format!("http://{FAR}:8080/");
    let torrent = make_with_web_seeds(&content, &scratch.path().join("a.torrent"), 16 * KIB, &[url]);
    let mut get = Get::new("get", scratch.path()).torrent(&torrent).args(&["--json", "--max-download-rate", "600"]);
    if let Some(bind) = bind {
        get = get.args(&["--bind", bind]);
    }
    let mut running = get.start_after(&links.on(0));
    wait_until("some files are here", PATIENCE, || {
        running.must_run();
        nginx.must_run();
        statuses(&running).last().is_some_and(|last| last["had"].as_u64() > Some(0))
    });
    assert_eq!(links.sent(1), 0, "the first link is preferred");
    links.take_down();
    let away = statuses(&running).len();
    wait_until("some time passes", PATIENCE, || statuses(&running).len() > away + MOMENTS);
    if bind.is_none() {
        return links.sent(1);
    }
    assert!(statuses(&running).last().is_some_and(|last| last["offline"].is_string()));
    links.bring_up();
    running.wait().assert_code(0);
    content.assert_same_in(&get.dir);
    links.sent(1)
}

#[test]
fn not_one_packet_to_a_web_seed_leaves_by_another_link() {
    if !cfg!(feature = "webseeds") || !here(&[Tool::Nginx]) {
        return;
    }
    let Some(links) = Links::new() else { return };
    assert!(download_from_web(&links, None) > 0, "without --bind it moves to the other link");
    let Some(links) = Links::new() else { return };
    assert_eq!(download_from_web(&links, Some("eth0")), 0);
}

#[test]
fn the_command_dht_asks_from_the_address_that_is_bound() {
    if !cfg!(feature = "dht") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let node = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    node.set_read_timeout(Some(PATIENCE)).unwrap();
    let addr = node.local_addr().unwrap().to_string();
    let asked = std::thread::spawn(move || node.recv_from(&mut [0; 2000]).unwrap().1);
    swarmlet(dir.path(), &["dht", "ping", &addr, "--bind", "127.0.0.9"]).code(1);
    assert_eq!(asked.join().unwrap().ip(), Ipv4Addr::new(127, 0, 0, 9));
}

#[test]
fn what_is_not_there_is_refused_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |bind: &str| swarmlet(dir.path(), &["get", "http://127.0.0.1:9/a.torrent", "--bind", bind]);
    refused("192.0.2.1").refused(69, "no interface that is up has 192.0.2.1 (--bind)");
    refused("tun99").refused(69, "there is no interface tun99 (--bind)");
}
