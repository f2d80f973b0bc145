//! transmission-daemon as a peer. It never connects to a loopback address, but accepts connections from one. So a
//! leecher must have announced itself before the peers start from which it will fetch.

use super::http::request;
use super::peers::Plan;
use super::process::Process;
use super::wait::{PATIENCE, wait_until};
use serde_json::{Value, json};
use std::fs;
use std::net::SocketAddr;
use std::process::Command;

/// Starts transmission, waits for its remote control and gives it the torrent. It checks the content first.
pub fn start(plan: &Plan) -> Process {
    let home = plan.home();
    let settings = json!({
        "download-dir": plan.dir, "peer-port": plan.port, "rpc-port": plan.rpc_port,
        "rpc-bind-address": plan.rpc().ip().to_string(),
        "rpc-whitelist-enabled": false, "rpc-authentication-required": false,
        "dht-enabled": false, "lpd-enabled": false, "utp-enabled": false, "port-forwarding-enabled": false,
        "encryption": 0, "ratio-limit-enabled": false, "message-level": 2, "rename-partial-files": false,
        "speed-limit-up": plan.upload_limit.unwrap_or(0) / 1000, "speed-limit-up-enabled": plan.upload_limit.is_some(),
    });
    fs::write(home.join("settings.json"), settings.to_string()).expect("the settings can be written");
    let mut command = Command::new("transmission-daemon");
    command.arg("-f").arg("-g").arg(&home);
    let mut process = plan.run("transmission", command);
    let add = json!({ "filename": plan.torrent.file, "download-dir": plan.dir });
    wait_until("transmission takes the torrent", PATIENCE, || {
        process.must_run();
        ask(plan.rpc(), "torrent-add", &add).is_some_and(|answer| answer["torrent-added"].is_object())
    });
    process
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

/// The arguments of its answer, if it answers with success.
fn ask(rpc: SocketAddr, method: &str, arguments: &Value) -> Option<Value> {
    let question = json!({ "method": method, "arguments": arguments }).to_string();
    // The first answer is a refusal with the token of the session.
    let refusal = request(rpc, "/transmission/rpc", "", Some(&question)).ok()?;
    let token = format!("X-Transmission-Session-Id: {}\r\n", refusal.header("X-Transmission-Session-Id")?);
    let answer = request(rpc, "/transmission/rpc", &token, Some(&question)).ok()?;
    let answer: Value = serde_json::from_slice(&answer.body).ok()?;
    (answer["result"] == "success").then(|| answer["arguments"].clone())
}
