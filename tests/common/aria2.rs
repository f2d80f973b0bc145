//! aria2 as a peer.

use super::http::request;
use super::peers::{Encryption, Plan, Role};
use super::ports::free_port;
use super::process::Process;
use serde_json::Value;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;

/// Starts aria2. A seed checks its content first, then announces itself.
pub fn start(plan: &Plan) -> Process {
    plan.run("aria2", command(plan))
}

/// Its command line, which may get more options.
pub fn command(plan: &Plan) -> Command {
    let mut command = Command::new("aria2c");
    command.env("HOME", plan.home()).arg("--no-conf").arg("--dir").arg(plan.dir);
    command.arg(format!("--listen-port={}", plan.port));
    command.args(["--enable-dht6=false", "--bt-enable-lpd=false"]);
    // For UDP trackers it uses the socket of its DHT. That DHT knows no node here, so it sends nothing.
    let torrent = std::fs::read(&plan.torrent.file).unwrap_or_else(|_| plan.torrent.file.as_os_str().as_bytes().into());
    if torrent.windows(6).any(|part| part == b"udp://") {
        command.arg(format!("--dht-listen-port={}", free_port()));
        command.arg("--enable-dht=true").arg("--dht-file-path").arg(plan.home().join("dht.dat"));
    } else {
        command.arg("--enable-dht=false");
    }
    command.arg(format!("--disable-ipv6={}", !plan.ipv6));
    command.args(["--file-allocation=none", "--check-integrity=true", "--allow-overwrite=true"]);
    command.args(["--summary-interval=0", "--console-log-level=notice", "--enable-color=false"]);
    command.args(["--enable-rpc", &format!("--rpc-listen-port={}", plan.rpc_port)]);
    match plan.role {
        Role::Seed | Role::Stay => command.arg("--seed-ratio=0.0"),
        // With its remote control aria2 would not end after its downloads.
        Role::Fetch => command.args(["--seed-time=0", "--enable-rpc=false"]),
    };
    if plan.encryption == Some(Encryption::Always) {
        command.arg("--bt-force-encryption=true");
    }
    if let Some(limit) = plan.upload_limit {
        command.arg(format!("--max-overall-upload-limit={limit}"));
    }
    command.arg(&plan.torrent.file);
    command
}

/// The bytes that it sent, by JSON-RPC.
pub fn uploaded(rpc: SocketAddr) -> u64 {
    let question = r#"{"jsonrpc":"2.0","id":"1","method":"aria2.tellActive","params":[["uploadLength"]]}"#;
    let answer = request(rpc, "/jsonrpc", "", Some(question)).unwrap_or_else(|e| panic!("aria2 does not answer: {e}"));
    let answer: Value = serde_json::from_slice(&answer.body).expect("aria2 answers in JSON");
    let uploaded = answer["result"][0]["uploadLength"].as_str().and_then(|number| number.parse().ok());
    uploaded.unwrap_or_else(|| panic!("aria2 does not report what it sent: {answer}"))
}
