//! transmission-daemon as a peer. It never connects to a loopback address, but accepts connections from one. So a
//! leecher must have announced itself before the peers start from which it will fetch.

use super::http::request;
use super::peers::{Encryption, Plan};
use super::process::Process;
use super::wait::{PATIENCE, wait_until};
use serde_json::{Value, json};
use std::fs;
use std::net::SocketAddr;
use std::process::Command;

/// Starts transmission, waits for its remote control and gives it the torrent. It checks the content first.
pub fn start(plan: &Plan) -> Process {
    let mut process = plan.run("transmission", daemon(plan, settings(plan)));
    add(plan, &mut process);
    process
}

/// Waits for its remote control and gives it the torrent, or the link.
pub fn add(plan: &Plan, process: &mut Process) {
    let add = json!({ "filename": plan.torrent.file, "download-dir": plan.dir });
    wait_until("transmission takes the torrent", PATIENCE, || {
        process.must_run();
        ask(plan.rpc(), "torrent-add", &add).is_some_and(|answer| answer["torrent-added"].is_object())
    });
}

/// The command line of a transmission that uses the DHT, which is entered through `nodes`.
#[allow(dead_code)] // Only the stories of the DHT use it.
pub fn in_the_dht(plan: &Plan, nodes: &[String]) -> Command {
    let mut settings = settings(plan);
    settings["dht-enabled"] = true.into();
    let lines: Vec<String> = nodes.iter().map(|node| node.replace(':', " ") + "\n").collect();
    fs::write(plan.home().join("dht.bootstrap"), lines.concat()).expect("the file can be written");
    daemon(plan, settings)
}

/// The command line of a transmission that searches in the local network. It finds the torrent in a folder, because its
/// remote control may be out of reach. (A link it does not find there.)
#[allow(dead_code)] // Only the stories of that search use it.
pub fn in_a_lan(plan: &Plan) -> Command {
    let watched = plan.home().join("watched");
    fs::create_dir(&watched).expect("the folder can be made");
    if plan.torrent.file.exists() {
        fs::copy(&plan.torrent.file, watched.join("one.torrent")).expect("the torrent can be copied");
    }
    let mut settings = settings(plan);
    settings["lpd-enabled"] = true.into();
    settings["watch-dir-enabled"] = true.into();
    settings["watch-dir"] = json!(watched);
    settings["message-level"] = 3.into();
    daemon(plan, settings)
}

/// The command line of a transmission that has places for so many active torrents.
#[allow(dead_code)] // Only the bench has many torrents.
pub fn with_places(plan: &Plan, places: usize) -> Command {
    let mut settings = settings(plan);
    settings["download-queue-size"] = places.into();
    daemon(plan, settings)
}

fn settings(plan: &Plan) -> Value {
    let encryption = match plan.encryption {
        None | Some(Encryption::Never) => 0,
        Some(Encryption::IfAsked) => 1,
        Some(Encryption::Always) => 2,
    };
    json!({
        "download-dir": plan.dir, "peer-port": plan.port, "rpc-port": plan.rpc_port,
        "rpc-bind-address": plan.rpc().ip().to_string(),
        "rpc-whitelist-enabled": false, "rpc-authentication-required": false,
        "dht-enabled": false, "lpd-enabled": false, "utp-enabled": false, "port-forwarding-enabled": false,
        "encryption": encryption, "ratio-limit-enabled": false, "message-level": 2, "rename-partial-files": false,
        "speed-limit-up": plan.upload_limit.unwrap_or(0) / 1000, "speed-limit-up-enabled": plan.upload_limit.is_some(),
    })
}

fn daemon(plan: &Plan, settings: Value) -> Command {
    let home = plan.home();
    fs::write(home.join("settings.json"), settings.to_string()).expect("the settings can be written");
    let mut command = Command::new("transmission-daemon");
    command.arg("-f").arg("-g").arg(&home);
    command
}

/// The bytes that it sent, by its remote control.
pub fn uploaded(rpc: SocketAddr) -> u64 {
    let answer = ask(rpc, "torrent-get", &json!({ "fields": ["uploadedEver"] })).expect("transmission answers");
    let uploaded = answer["torrents"][0]["uploadedEver"].as_u64();
    uploaded.unwrap_or_else(|| panic!("transmission does not report what it sent: {answer}"))
}

/// Whether it has everything. It does not end by itself.
pub fn has_all(rpc: SocketAddr) -> bool {
    let answer = ask(rpc, "torrent-get", &json!({ "fields": ["leftUntilDone", "percentDone"] }));
    answer.is_some_and(|answer| {
        let torrent = &answer["torrents"][0];
        torrent["leftUntilDone"] == 0 && torrent["percentDone"].as_f64() == Some(1.0)
    })
}

/// How many of its connected peers were named by another peer.
#[allow(dead_code)] // Only stories ask.
pub fn from_pex(rpc: SocketAddr) -> u64 {
    let answer = ask(rpc, "torrent-get", &json!({ "fields": ["peersFrom"] }));
    answer.and_then(|answer| answer["torrents"][0]["peersFrom"]["fromPex"].as_u64()).unwrap_or(0)
}

/// The arguments of its answer, if it answers with success. (Our own daemon answers as it does.)
pub fn ask(rpc: SocketAddr, method: &str, arguments: &Value) -> Option<Value> {
    let answer = answer(rpc, method, arguments)?;
    (answer["result"] == "success").then(|| answer["arguments"].clone())
}

/// The whole answer.
pub fn answer(rpc: SocketAddr, method: &str, arguments: &Value) -> Option<Value> {
    let question = json!({ "method": method, "arguments": arguments }).to_string();
    // The first answer is a refusal with the token of the session.
    let refusal = request(rpc, "/transmission/rpc", "", Some(&question)).ok()?;
    let token = format!("X-Transmission-Session-Id: {}\r\n", refusal.header("X-Transmission-Session-Id")?);
    let answer = request(rpc, "/transmission/rpc", &token, Some(&question)).ok()?;
    serde_json::from_slice(&answer.body).ok()
}
