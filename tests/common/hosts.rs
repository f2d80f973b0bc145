//! Several machines on one network. A story runs in a network namespace of its own, and each of its hosts is one more
//! namespace, with its own address. This needs no rights, because the story is root only inside its namespace.

use super::process::Process;
use super::tools::{can_unshare, say, skip};
use super::wait::{PATIENCE, wait_until};
use std::env;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

/// A network of its own, with root's rights in it.
const OWN_NETWORK: [&str; 3] = ["--user", "--map-root-user", "--net"];
/// Tells the story that it already runs in its network.
const INSIDE: &str = "SWARMLET_STORY_INSIDE";
/// The address of the story itself on that network.
pub const STORY: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 254);

/// Runs the story `name` (as `file::name`) again, in a network to which [`Host`]s can be added. `false`: this is that
/// run.
pub fn is_told_inside(name: &str) -> bool {
    if env::var_os(INSIDE).is_some() {
        return false;
    }
    if Command::new("ip").arg("-V").output().is_err() {
        skip("ip (of iproute2) is not installed");
    } else if can_unshare(&OWN_NETWORK) {
        let begin = format!(
            "set -e; ip link set lo up; ip link add hosts type bridge; ip link set hosts up\n\
             ip addr add {STORY}/24 dev hosts; exec \"$@\""
        );
        let again = Command::new("unshare")
            .args(OWN_NETWORK)
            .args(["sh", "-c", &begin, "sh"])
            .arg(env::current_exe().expect("the story knows its program"))
            .args([name, "--exact"])
            .env(INSIDE, "1")
            .output()
            .expect("unshare worked before");
        let said = [again.stdout, again.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(again.status.success() && said.contains("1 passed"), "{said}");
        let told = said.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        told.for_each(say);
    }
    true
}

/// A host of the network. It ends when dropped, and what runs on it loses its network.
pub struct Host {
    /// Its address.
    pub ip: Ipv4Addr,
    /// A process that only keeps its namespace alive.
    holder: Process,
}

impl Host {
    /// Host number `number`, from 1 to 253.
    pub fn start(number: u8, scratch: &Path) -> Host {
        let [a, b, c, _] = STORY.octets();
        let ip = Ipv4Addr::new(a, b, c, number);
        let mut command = Command::new("unshare");
        command.args(["--net", "sleep", "infinity"]);
        let host = Host { ip, holder: Process::start("host", &mut command, scratch) };
        let pid = host.holder.id();
        let own = std::fs::read_link("/proc/self/ns/net").expect("this process has a network");
        let network = format!("/proc/{pid}/ns/net");
        wait_until("the host has a network of its own", PATIENCE, || {
            std::fs::read_link(&network).is_ok_and(|its| its != own)
        });
        let plug = format!(
            "set -e; ip link add to{number} type veth peer name eth0 netns {pid}; ip link set to{number} master hosts up\n\
             nsenter --net={network} sh -c 'ip link set lo up; ip addr add {ip}/24 dev eth0; ip link set eth0 up'"
        );
        let output = Command::new("sh").args(["-c", &plug]).output().expect("there is a shell");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        host
    }

    /// `command`, to be run on this host.
    pub fn command(&self, command: &Command) -> Command {
        let mut there = Command::new("nsenter");
        there.arg(format!("--net=/proc/{}/ns/net", self.holder.id()));
        there.arg(command.get_program()).args(command.get_args());
        there.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        there
    }
}
