//! lftp as a peer: a BitTorrent of its own, which writes no empty files.

use super::peers::{Plan, Role};
use super::process::Process;
use std::fs;
use std::process::Command;

/// Starts lftp. A seed believes its content; a leecher ends when it has all.
pub fn start(plan: &Plan) -> Process {
    assert!(plan.upload_limit.is_none(), "no story limits lftp");
    // Into a folder that is not there it writes nothing, and says nothing.
    fs::create_dir_all(plan.dir).expect("the folder can be made");
    // In the background it would outlive its story.
    let mut script = format!(
        "set cmd:move-background no; set torrent:use-dht no; set torrent:port-range {port}-{port}; ",
        port = plan.port
    );
    let options = match plan.role {
        Role::Seed => {
            script += "set torrent:stop-on-ratio 1000; set torrent:seed-min-peers 0; ";
            "--force-valid"
        }
        Role::Fetch => {
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
