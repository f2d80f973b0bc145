//! opentracker as Debian builds it: it needs a list of the torrents that it allows, and has no IPv6.

use super::http::{percent_encode, request};
use super::ports::free_port;
use super::process::Process;
use super::torrent::Torrent;
use super::wait::{PATIENCE, wait_until};
use std::fs::{self, Permissions};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// An opentracker on 127.0.0.1. It ends when dropped.
pub struct Opentracker {
    process: Process,
    address: SocketAddr,
}

impl Opentracker {
    /// A free address for an opentracker. A torrent holds it before the tracker can allow that torrent.
    pub fn address() -> SocketAddr {
        (Ipv4Addr::LOCALHOST, free_port()).into()
    }

    /// The announce URL of an opentracker at `address`.
    pub fn url(address: SocketAddr) -> String {
        format!("http://{address}/announce")
    }

    /// Starts it for `torrents`, with its files in `scratch`.
    pub fn start(address: SocketAddr, torrents: &[&Torrent], scratch: &Path) -> Opentracker {
        let dir = scratch.join("opentracker");
        fs::create_dir(&dir).expect("the folder is new");
        let hex = |torrent: &&Torrent| torrent.info_hash.iter().map(|b| format!("{b:02x}")).collect::<String>() + "\n";
        fs::write(dir.join("allowed"), torrents.iter().map(hex).collect::<String>()).expect("the list can be written");
        // Started by root, it changes its root to `-d` and becomes `nobody` before it reads the list. Started by
        // another user, it does neither. The path of the list is right in both cases.
        fs::set_permissions(&dir, Permissions::from_mode(0o755)).expect("the folder is ours");
        fs::set_permissions(dir.join("allowed"), Permissions::from_mode(0o644)).expect("the list is ours");
        let (ip, port) = (address.ip().to_string(), address.port().to_string());
        let mut command = Command::new("opentracker");
        command.args(["-i", &ip, "-p", &port, "-P", &port, "-w", "allowed", "-d"]).arg(&dir).current_dir(&dir);
        let mut process = Process::start("opentracker", &mut command, scratch);
        wait_until("opentracker answers", PATIENCE, || {
            process.must_run();
            request(address, "/scrape", "", None).is_ok()
        });
        Opentracker { process, address }
    }

    /// How many seeds of `torrent` it knows.
    pub fn seeds(&self, torrent: &Torrent) -> usize {
        let target = format!("/scrape?info_hash={}", percent_encode(&torrent.info_hash));
        let Ok(answer) = request(self.address, &target, "", None) else { return 0 };
        let text = String::from_utf8_lossy(&answer.body);
        let number = text.split_once("8:completei").and_then(|(_, rest)| rest.split_once('e')).map(|(n, _)| n.parse());
        number.and_then(Result::ok).unwrap_or(0)
    }

    /// Waits until `count` seeds of `torrent` have announced themselves. `alive` panics if one of them has ended.
    pub fn wait_for_seeds(&mut self, torrent: &Torrent, count: usize, mut alive: impl FnMut()) {
        wait_until(&format!("opentracker knows {count} seeds"), PATIENCE, || {
            self.process.must_run();
            alive();
            self.seeds(torrent) >= count
        });
    }
}
