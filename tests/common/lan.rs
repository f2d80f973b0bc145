//! Two machines in a network of their own: network namespaces, joined by a cable. Nothing leaves them.

use super::tools::skip;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// Which addresses the machines have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// 10.77.0.1 and 10.77.0.2, and the IPv6 addresses.
    Both,
    /// fd77::1 and fd77::2, and the link-local addresses.
    V6,
    /// Only the link-local IPv6 addresses (fe80::...).
    Link,
}

/// The two machines. They are gone when this is dropped.
pub struct Lan {
    names: [String; 2],
}

impl Lan {
    /// Makes the machines. If that is not possible here, the story is skipped.
    pub fn new(addresses: Addresses) -> Option<Lan> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let names = ["a", "b"].map(|end| format!("swarmlet-{}-{number}{end}", std::process::id()));
        let [a, b] = &names;
        let mut script = format!("ip netns add {a}; ip netns add {b}\n");
        // Normally, a new IPv6 address is valid only after a second or two, because another machine might have it.
        for name in &names {
            script += &format!("ip netns exec {name} sysctl -qw net.ipv6.conf.default.accept_dad=0\n");
        }
        script += &format!("ip -n {a} link add eth0 type veth peer name eth0 netns {b}\n");
        for (number, name) in [(1, a), (2, b)] {
            script += &format!("ip -n {name} link set lo up; ip -n {name} link set eth0 up\n");
            if addresses == Addresses::Both {
                script += &format!("ip -n {name} addr add 10.77.0.{number}/24 dev eth0\n");
                // transmission asks the table of routes where the local network is.
                script += &format!("ip -n {name} route add default dev eth0\n");
            }
            if addresses != Addresses::Link {
                script += &format!("ip -n {name} addr add fd77::{number}/64 dev eth0 nodad\n");
            }
        }
        let lan = Lan { names };
        let made = Command::new("sh").args(["-ec", &script]).output();
        let why = match made {
            Ok(made) if made.status.success() => return Some(lan),
            Ok(made) => String::from_utf8_lossy(&made.stderr).into_owned(),
            Err(error) => error.to_string(),
        };
        skip(&format!("network namespaces can't be made here: {}", why.trim()));
        None
    }

    /// The shell command that starts a program on machine `number` (0 or 1).
    pub fn on(&self, number: usize) -> String {
        format!("exec ip netns exec {} \"$@\"", self.names[number])
    }

    /// `command` on that machine.
    pub fn command(&self, number: usize, command: &Command) -> Command {
        let mut inside = Command::new("ip");
        inside.args(["netns", "exec", &self.names[number]]).arg(command.get_program()).args(command.get_args());
        inside.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        inside
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        for name in &self.names {
            // It may not have been made.
            let _ = Command::new("ip").args(["netns", "del", name]).output();
        }
    }
}
