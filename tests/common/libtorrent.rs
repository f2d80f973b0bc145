//! libtorrent (rasterbar) as a peer, through a small Python script.

use super::peers::{Encryption, Plan, Role};
use super::process::Process;
use std::path::Path;
use std::process::Command;

/// Python with the script. Arguments say what it does.
pub fn python() -> Command {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/common/lt_peer.py");
    let mut command = Command::new("python3");
    command.args(["-W", "ignore"]).arg(script);
    command
}

/// Starts libtorrent.
pub fn start(plan: &Plan) -> Process {
    let mut command = python();
    let role = match plan.role {
        Role::Seed => "seed",
        Role::Fetch => "get",
        Role::Stay => "stay",
    };
    command.arg(role).arg(&plan.torrent.file).arg(plan.dir);
    command.args([plan.address().to_string(), plan.upload_limit.unwrap_or(0).to_string()]);
    // The numbers are those of its `enc_policy`.
    command.args(plan.encryption.map(|encryption| match encryption {
        Encryption::Always => "0",
        Encryption::IfAsked => "1",
        Encryption::Never => "2",
    }));
    plan.run("libtorrent", command)
}

/// The bytes that it sent, as the script printed last.
pub fn uploaded(process: &Process) -> u64 {
    let said = process.stdout();
    let numbers = said.lines().filter_map(|line| line.strip_prefix("uploaded ")?.parse().ok());
    numbers.max().unwrap_or(0)
}
