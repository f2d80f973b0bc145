//! rtorrent as a peer, without its screen. Its libtorrent (rakshasa's) shares no code with libtorrent (rasterbar).

use super::peers::{Encryption, Plan, Role};
use super::process::Process;
use std::fs;
use std::process::Command;

/// Starts rtorrent. A seed checks its content first, then announces itself; a leecher ends when it has everything.
pub fn start(plan: &Plan) -> Process {
    start_with(plan, "")
}

/// The same with places for hundreds of peers.
#[allow(dead_code)] // Only the bench needs them.
pub fn start_for_many(plan: &Plan) -> Process {
    let settings = "throttle.max_uploads.set = 250\nthrottle.max_uploads.global.set = 500\n\
                    throttle.max_peers.normal.set = 300\nthrottle.max_peers.seed.set = 300\n";
    start_with(plan, settings)
}

fn start_with(plan: &Plan, more: &str) -> Process {
    assert!(plan.upload_limit.is_none(), "no story limits rtorrent");
    let (home, session) = (plan.home(), plan.home().join("session"));
    fs::create_dir(&session).expect("the folder is new");
    fs::create_dir_all(plan.dir).expect("the folder can be made");
    let mut text = format!(
        "directory.default.set = {}\nsession.path.set = {}\nnetwork.port_range.set = {port}-{port}\n\
         dht.mode.set = disable\nprotocol.pex.set = no\nsystem.daemon.set = true\n",
        plan.dir.display(),
        session.display(),
        port = plan.port,
    );
    if plan.role == Role::Fetch {
        text += "method.set_key = event.download.finished, end, ((system.shutdown.normal))\n";
    }
    text += match plan.encryption {
        None => "",
        Some(Encryption::Never) => "protocol.encryption.set = none\n",
        Some(Encryption::IfAsked) => "protocol.encryption.set = allow_incoming,enable_retry\n",
        Some(Encryption::Always) => "protocol.encryption.set = allow_incoming,try_outgoing,require,require_RC4\n",
    };
    text += more;
    text += &format!("load.start = {}\n", plan.torrent.file.display());
    let settings = home.join("rtorrent.rc");
    fs::write(&settings, text).expect("the settings can be written");
    let mut command = Command::new("rtorrent");
    command.env("HOME", &home).args(["-n", "-o"]).arg(format!("import={}", settings.display()));
    plan.run("rtorrent", command)
}
