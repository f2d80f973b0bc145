//! lftp as a peer. It has its own BitTorrent code, and writes no empty files.

use super::peers::{Plan, Role};
use super::process::Process;
use std::fs;
use std::process::Command;

/// Starts lftp. A seed does not check its content; a leecher ends when it has everything.
pub fn start(plan: &Plan) -> Process {
    assert!(plan.upload_limit.is_none(), "no story limits lftp");
    // If the folder does not exist, it writes nothing and prints no error.
    fs::create_dir_all(plan.dir).expect("the folder can be made");
    // Otherwise it would move to the background and outlive its story.
    let mut script = format!(
        "set cmd:move-background no; set torrent:use-dht no; set torrent:port-range {port}-{port}; ",
        port = plan.port
    );
    let options = match plan.role {
        Role::Seed => {
            script += "set torrent:stop-on-ratio 1000; set torrent:seed-min-peers 0; ";
            "--force-valid"
        }
        Role::Fetch | Role::Stay => {
            script += "set torrent:stop-on-ratio 0; set torrent:seed-max-time 0; ";
            ""
        }
    };
    let (dir, torrent) = (plan.dir.display(), plan.torrent.file.display());
    script += &format!("torrent {options} -O \"{dir}\" \"{torrent}\"; wait all");
    let home = plan.home();
    let mut command = Command::new("lftp");
    command.env("HOME", &home).env("LFTP_HOME", &home).args(["--norc", "-c", &script]);
    Process::start("lftp", &mut command, plan.scratch)
}
