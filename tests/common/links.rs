//! A machine with two links to another one: network namespaces. Nothing leaves them.
//!
//! ```text
//! machine 0   eth0 10.77.1.1  ---  eth0 10.77.1.2   machine 1, which is also 10.99.0.1
//!             eth1 10.77.2.1  ---  eth1 10.77.2.2
//! ```
//!
//! Machine 0 reaches 10.99.0.1 by both links, and prefers the first one.

use super::tools::skip;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// The address of machine 1 that is reached by both links.
pub const FAR: &str = "10.99.0.1";

/// The two machines. They are gone when this is dropped.
pub struct Links {
    names: [String; 2],
}

impl Links {
    /// Makes the machines. If that is not possible here, the story is skipped.
    pub fn new() -> Option<Links> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let names = ["a", "b"].map(|end| format!("swarmlet-links-{}-{number}{end}", std::process::id()));
        let links = Links { names };
        let [a, b] = &links.names;
        let mut script = format!("ip netns add {a}; ip netns add {b}\n");
        for name in &links.names {
            // The kernel's own IPv6 packets would be counted, too.
            script += &format!("ip netns exec {name} sysctl -qw net.ipv6.conf.default.disable_ipv6=1\n");
            script += &format!("ip -n {name} link set lo up\n");
        }
        script += &format!("ip -n {b} addr add {FAR}/32 dev lo\n");
        script += &[links.link(1), links.link(0)].concat();
        match Command::new("sh").args(["-ec", &script]).output() {
            Ok(made) if made.status.success() => return Some(links),
            Ok(made) => {
                skip(&format!("network namespaces can't be made here: {}", String::from_utf8_lossy(&made.stderr)))
            }
            Err(error) => skip(&format!("network namespaces can't be made here: {error}")),
        }
        None
    }

    /// The script that makes a link.
    fn link(&self, number: u32) -> String {
        let [a, b] = &self.names;
        let (eth, net) = (format!("eth{number}"), format!("10.77.{}", number + 1));
        let mut script = format!("ip -n {a} link add {eth} type veth peer name {eth} netns {b}\n");
        for (machine, name) in [(1, a), (2, b)] {
            script += &format!("ip -n {name} addr add {net}.{machine}/24 dev {eth}; ip -n {name} link set {eth} up\n");
        }
        script + &self.route(number)
    }

    fn route(&self, number: u32) -> String {
        let (name, metric) = (&self.names[0], 10 + number);
        format!("ip -n {name} route add {FAR}/32 via 10.77.{}.2 dev eth{number} metric {metric}\n", number + 1)
    }

    fn sh(&self, script: &str) {
        let ran = Command::new("sh").args(["-ec", script]).output().expect("there is a shell");
        assert!(ran.status.success(), "{script}: {}", String::from_utf8_lossy(&ran.stderr));
    }

    /// Runs a script on a machine.
    pub fn sh_on(&self, machine: usize, script: &str) {
        let ran = self.command(machine, Command::new("sh").args(["-ec", script])).output().expect("there is a shell");
        assert!(ran.status.success(), "{script}: {}", String::from_utf8_lossy(&ran.stderr));
    }

    /// Takes the first link of machine 0 down.
    pub fn take_down(&self) {
        self.sh(&format!("ip -n {} link set eth0 down", self.names[0]));
    }

    /// Brings it up again.
    pub fn bring_up(&self) {
        self.sh(&format!("ip -n {} link set eth0 up\n{}", self.names[0], self.route(0)));
    }

    /// Removes the first link, as the end of a VPN does.
    pub fn remove(&self) {
        self.sh(&format!("ip -n {} link del eth0", self.names[0]));
    }

    /// Makes it again.
    pub fn make_again(&self) {
        self.sh(&self.link(0));
    }

    /// The packets that machine 0 has sent by its link `number`.
    pub fn sent(&self, number: u32) -> u64 {
        let file = format!("/sys/class/net/eth{number}/statistics/tx_packets");
        let read = self.command(0, Command::new("cat").arg(file)).output().expect("there is cat");
        let text = String::from_utf8_lossy(&read.stdout).into_owned();
        text.trim().parse().unwrap_or_else(|_| panic!("no number of packets: {text:?}"))
    }

    /// The shell command that starts a program on a machine.
    pub fn on(&self, machine: usize) -> String {
        format!("exec ip netns exec {} \"$@\"", self.names[machine])
    }

    /// `command` on a machine.
    pub fn command(&self, machine: usize, command: &Command) -> Command {
        let mut inside = Command::new("ip");
        inside.args(["netns", "exec", &self.names[machine]]).arg(command.get_program()).args(command.get_args());
        inside.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        inside
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        for name in &self.names {
            // It may not have been made.
            let _ = Command::new("ip").args(["netns", "del", name]).output();
        }
    }
}
