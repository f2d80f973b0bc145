//! Settings of the network take effect while the daemon runs.

use crate::common::daemon::Daemon;
use crate::common::folder::Folder;
use crate::common::http::Server;
use crate::common::lan::{Addresses, Lan};
use crate::common::ports::free_port;
use crate::common::process::Process;
use crate::common::swarmlet::program;
use crate::common::tools::{Tool, here};
use crate::common::wait::{PATIENCE, wait_until};
use rustix::process::Signal;
use serde_json::json;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::Command;

/// Whether a plain handshake for this torrent is answered at this port.
fn takes_plain(port: u16, info_hash: &[u8; 20]) -> bool {
    let Ok(mut socket) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return false };
    let mut answer = [0; 68];
    let ours = [b"\x13BitTorrent protocol\0\0\0\0\0\0\0\0".as_slice(), info_hash, b"-XX0000-abcdefghijkl"].concat();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.write_all(&ours).is_ok() && socket.read_exact(&mut answer).is_ok() && answer[28..48] == *info_hash
}

#[test]
fn the_port_and_encryption_and_the_limit_of_peers_change_while_the_daemon_runs() {
    if !cfg!(all(feature = "daemon", feature = "encryption")) {
        return;
    }
    let folder = Folder::new();
    let (content, torrent) = folder.make("a.bin", 1 << 20);
    let config = folder.path().join("config");
    fs::write(&config, "encryption = tolerated\n").unwrap();
    let mut daemon = Daemon::start(folder.path(), &["--config", &config.to_string_lossy()]);
    content.write_to(&daemon.dir);
    let file = folder.put(&torrent, "a.torrent");
    let bytes = crate::common::daemon::base64(&fs::read(file).unwrap());
    daemon.ask("torrent-add", &json!({ "metainfo": bytes }));
    daemon.wait_for("status", &json!(6));
    let port = |daemon: &Daemon| daemon.ask("session-get", &json!({ "fields": ["peer-port"] }))["peer-port"].clone();
    let first = port(&daemon).as_u64().unwrap() as u16;
    assert!(takes_plain(first, &torrent.info_hash));
    let second = free_port();
    daemon.ask("session-set", &json!({ "peer-port": second }));
    wait_until("the new port is open", PATIENCE, || takes_plain(second, &torrent.info_hash));
    wait_until("the old port is closed", PATIENCE, || TcpStream::connect((Ipv4Addr::LOCALHOST, first)).is_err());
    wait_until("the tracker hears of it", PATIENCE, || {
        !folder.tracker.announces_from(&torrent.info_hash, second).is_empty()
    });
    // A port that another program has can't be used. Nothing changes then.
    let taken = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let other = taken.local_addr().unwrap().port();
    assert!(daemon.try_to("session-set", &json!({ "peer-port": other, "speed-limit-up": 7 })).is_none());
    assert_eq!(port(&daemon), second);
    assert_ne!(daemon.ask("session-get", &json!({ "fields": ["speed-limit-up"] }))["speed-limit-up"], 7);
    assert!(takes_plain(second, &torrent.info_hash));
    // The file is read again.
    fs::write(&config, "encryption = required\n").unwrap();
    daemon.signal(Signal::HUP);
    wait_until("plain handshakes are refused", PATIENCE, || !takes_plain(second, &torrent.info_hash));
    assert_eq!(port(&daemon), second, "the port that a program set stays");
    daemon.ask("session-set", &json!({ "encryption": "preferred", "peer-limit-per-torrent": 7 }));
    wait_until("they are taken in again", PATIENCE, || takes_plain(second, &torrent.info_hash));
    assert_eq!(daemon.torrents(&["peer-limit"]), [json!({ "peer-limit": 7 })]);
    let mut peers: Vec<TcpStream> = Vec::new();
    for number in 0..3 {
        let mut peer = TcpStream::connect((Ipv4Addr::LOCALHOST, second)).unwrap();
        let id = format!("-XX0000-abcdefghijk{number}");
        let ours = [b"\x13BitTorrent protocol\0\0\0\0\0\0\0\0".as_slice(), &torrent.info_hash, id.as_bytes()].concat();
        peer.write_all(&ours).unwrap();
        peers.push(peer);
    }
    daemon.wait_for("peersConnected", &json!(3));
    daemon.ask("session-set", &json!({ "peer-limit-global": 1 }));
    daemon.wait_for("peersConnected", &json!(1));
    // All of this machine is on the list, and the list is fetched as soon as it is wanted.
    let list = Server::start(Ipv4Addr::LOCALHOST.into(), |_, _| Some(b"here:127.0.0.0-127.255.255.255\n".to_vec()));
    let url = format!("http://{}/list", list.address());
    daemon.ask("session-set", &json!({ "blocklist-url": url, "blocklist-enabled": true }));
    daemon.wait_for("peersConnected", &json!(0));
    assert!(!takes_plain(second, &torrent.info_hash));
    daemon.ask("session-set", &json!({ "blocklist-enabled": false }));
    wait_until("nobody is kept out", PATIENCE, || takes_plain(second, &torrent.info_hash));
}

/// A daemon on a machine of its own, because what it does here is heard in its local network.
#[test]
fn the_dht_the_local_network_and_the_router_are_used_as_long_as_the_settings_say() {
    let is_built_in = cfg!(all(feature = "daemon", feature = "dht", feature = "lsd", feature = "portmap"));
    if !is_built_in || !here(&[Tool::Transmission]) {
        return;
    }
    let Some(lan) = Lan::new(Addresses::Both) else { return };
    let folder = Folder::new();
    let (_, torrent) = folder.make("a.bin", 1 << 20);
    let config = folder.path().join("config");
    fs::write(&config, "peer-port = 7001\n").unwrap();
    let mut command = Command::new(program());
    command.args(["daemon", "--rpc", "127.0.0.1:9091"]).arg("--dir").arg(folder.path().join("content"));
    command.arg("--state").arg(folder.path().join("state")).arg("--config").arg(&config);
    let mut daemon = Process::start("daemon", &mut lan.command(0, &command), folder.path());
    let remote = |arguments: &[&str]| {
        let mut remote = Command::new("transmission-remote");
        let output = lan.command(0, remote.args(arguments)).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    wait_until("it answers", PATIENCE, || {
        daemon.must_run();
        remote(&["--add", &torrent.file.to_string_lossy()]).contains("success")
    });
    let pid = daemon.id();
    let has_thread = |name: &str| {
        let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
        threads.filter_map(|thread| fs::read_to_string(thread.path().join("comm")).ok()).any(|comm| comm.trim() == name)
    };
    let wait = |wanted: [bool; 3]| {
        let what = format!("DHT, local network and router: {wanted:?}");
        wait_until(&what, PATIENCE, || ["dht", "lsd", "portmap"].map(&has_thread) == wanted);
    };
    // Addresses in the tables of the kernel have the port in hexadecimal digits.
    let has_port = |port: u16| {
        ["tcp", "udp"].map(|table| {
            let tables = [format!("/proc/{pid}/net/{table}"), format!("/proc/{pid}/net/{table}6")];
            tables.iter().any(|table| fs::read_to_string(table).unwrap().contains(&format!(":{port:04X} ")))
        })
    };
    wait([true, false, true]);
    wait_until("it has both ports", PATIENCE, || has_port(7001) == [true; 2]);
    assert!(remote(&["--no-dht", "--lpd", "--no-portmap"]).contains("success"));
    wait([false, true, false]);
    wait_until("the DHT gives its port back", PATIENCE, || has_port(7001) == [true, false]);
    assert!(remote(&["--dht", "--no-lpd", "--portmap"]).contains("success"));
    wait([true, false, true]);
    assert!(remote(&["--port", "7002"]).contains("success"));
    wait_until("both ports moved", PATIENCE, || has_port(7002) == [true; 2] && !has_port(7001)[1]);
    wait([true, false, true]);
    fs::write(&config, "dht-enabled = no\nlpd-enabled = yes\nport-forwarding-enabled = no\n").unwrap();
    daemon.signal(Signal::HUP);
    wait([false, true, false]);
    daemon.must_run();
}
