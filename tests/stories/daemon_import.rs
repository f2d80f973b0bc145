//! A story of a person who has transmission-daemon, and lets swarmlet take its place.

use crate::common::daemon::{Daemon, command};
use crate::common::folder::Folder;
use crate::common::ran;
use crate::common::tools::{Tool, here};
use crate::common::wait::{PATIENCE, wait_until};
use crate::remote::Stage;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs;
use std::net::TcpStream;
use std::path::Path;

/// The address is that of a VPN, for example. Nothing may leave or come in by another one.
#[test]
fn settings_torrents_and_the_address_of_transmission_are_taken_over() {
    if !cfg!(feature = "daemon") {
        return;
    }
    let folder = Folder::new();
    let (content, torrent) = folder.make("a.bin", 100_000);
    let from = folder.path().join("transmission");
    fs::create_dir_all(from.join("torrents")).unwrap();
    fs::create_dir(from.join("resume")).unwrap();
    fs::copy(&torrent.file, from.join("torrents/a.torrent")).unwrap();
    let write = |address: &str| {
        let settings = json!({ "bind-address-ipv4": address, "bind-address-ipv6": "::1", "umask": 18, "encryption": 2,
            "message-level": 2, "utp-enabled": true, "speed-limit-up": 77, "rename-partial-files": true });
        fs::write(from.join("settings.json"), settings.to_string()).unwrap();
    };
    let import = ["--import", &*from.to_string_lossy()];
    // No machine has this address.
    write("192.0.2.77");
    let elsewhere = folder.path().join("elsewhere");
    let refused =
        ran::run(command(&elsewhere, &folder.path().join("content")).args(["--rpc", "127.0.0.1:0"]).args(import), b"");
    let expected = "bind-address-ipv4: no interface that is up has 192.0.2.77 (--bind)";
    assert!(refused.code == Some(69) && refused.stderr.contains(expected), "{}", refused.stderr);

    write("127.0.0.9");
    content.write_to(&folder.path().join("content"));
    let mut daemon = Daemon::start(folder.path(), &import);
    let unused = "settings.json: settings that have no effect here: message-level (see --verbose), utp-enabled\n";
    assert!(daemon.log().contains(unused), "{}", daemon.log());
    let taken = format!("swarmlet: taken over from {}: settings and 1 torrent\n", from.display());
    let at = format!("the web page is at http://{}; programs use http://{0}/transmission/rpc\n", daemon.rpc);
    wait_until("it says where it is", PATIENCE, || daemon.log().contains(&at));
    assert!(daemon.log().contains(&taken) && daemon.log().contains("begins with 1 torrent\n"), "{}", daemon.log());
    let settings = daemon.ask("session-get", &json!({ "fields": ["encryption", "peer-port", "speed-limit-up"] }));
    assert_eq!((&settings["encryption"], &settings["speed-limit-up"]), (&json!("required"), &json!(77)));
    let port = settings["peer-port"].as_u64().unwrap() as u16;
    assert!(TcpStream::connect(("127.0.0.9", port)).is_ok(), "it listens at its address");
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "it listens at no other address");
    assert!(TcpStream::connect(("::1", port)).is_err(), "it listens at no other address");
    daemon.wait_for("leftUntilDone", &json!(0));
    daemon.ask("torrent-remove", &json!({ "ids": 1 }));
    daemon.signal(Signal::HUP);
    wait_until("it says what it did", PATIENCE, || {
        let log = daemon.log();
        log.contains("swarmlet: a.bin: removed\n") && log.contains("swarmlet: the configuration was read again\n")
    });
    assert_eq!(daemon.end(), Some(0));
}

/// It needs a password, so only the head of its answer says that it is there.
#[test]
fn nothing_is_taken_over_while_transmission_runs() {
    if !cfg!(feature = "daemon") || !here(&[Tool::Transmission]) {
        return;
    }
    let (transmission, folder) = (Stage::start(true), Folder::new());
    let (from, copy) = (transmission.path().join("home"), folder.path().join("copy"));
    let is_refused = |scratch: &Path, from: &Path| {
        let mut import = command(scratch, &folder.path().join("content"));
        let refused = ran::run(import.args(["--rpc", "127.0.0.1:0", "--import", &*from.to_string_lossy()]), b"");
        refused.refused(66, &format!("transmission-daemon is running: it answers at {}", transmission.url));
    };
    is_refused(&folder.path().join("elsewhere"), &from);

    fs::create_dir_all(copy.join("torrents")).unwrap();
    let text = fs::read_to_string(from.join("settings.json")).unwrap();
    let mut settings: Value = serde_json::from_str(&text).unwrap();
    settings["rpc-enabled"] = json!(false);
    fs::write(copy.join("settings.json"), settings.to_string()).unwrap();
    let daemon = Daemon::start(folder.path(), &["--import", &*copy.to_string_lossy()]);
    let taken = format!("taken over from {}: settings and 0 torrents\n", copy.display());
    wait_until("it says what was taken over", PATIENCE, || daemon.log().contains(&taken));
    assert_eq!(daemon.end(), Some(0));

    // Transmission was started again and got a torrent. The settings were taken over before.
    fs::write(copy.join("settings.json"), text).unwrap();
    fs::copy(folder.make("a.bin", 1000).1.file, copy.join("torrents/a.torrent")).unwrap();
    is_refused(folder.path(), &copy);
}
