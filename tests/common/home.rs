//! A home with a router, and the world outside: three network namespaces. Nothing leaves them.
//!
//! ```text
//! inside 192.168.77.20 --- 192.168.77.1 router 45.77.0.1 --- outside 45.77.0.2
//!        2a00:77::20       2a00:77::1          2a00:78::1            2a00:78::2
//! ```
//!
//! The router translates addresses (nftables), and lets nothing in that was not asked for. Outside, nobody can connect
//! to the tracker's machine except to the tracker, so peers there must connect to the peer inside.

use super::process::Process;
use super::swarmlet::program;
use super::tools::skip;
use super::wait::{PATIENCE, wait_until};
use rustix::process::Signal;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// The router's address inside.
pub const ROUTER: &str = "192.168.77.1";
/// The machine inside.
pub const INSIDE: &str = "192.168.77.20";
/// The router's address outside.
pub const OUTER: &str = "45.77.0.1";
/// The tracker outside.
pub const TRACKER_URL: &str = "http://45.77.0.2:6969/announce";
/// Every machine of these stories listens on this port.
pub const PORT: u16 = 7881;

/// A machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// In the home.
    Inside,
    /// The router.
    Router,
    /// In the world.
    Outside,
}

/// What the router's daemon offers.
#[derive(Clone, Copy, Debug)]
pub enum Offers {
    /// PCP and NAT-PMP.
    Pcp,
    /// NAT-PMP only: its firewall drops PCP.
    NatPmp,
    /// UPnP only.
    Upnp,
    /// All three protocols.
    All,
}

/// The three machines. They are gone when this is dropped.
pub struct Home {
    names: [String; 3],
}

impl Home {
    /// Makes the machines. If that is not possible here, the story is skipped.
    pub fn new() -> Option<Home> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let names = ["in", "rt", "out"].map(|end| format!("swarmlet-{}-{number}{end}", std::process::id()));
        let [inside, router, outside] = &names;
        let mut script = String::new();
        for name in &names {
            script += &format!("ip netns add {name}; ip -n {name} link set lo up\n");
            // Normally, a new IPv6 address is valid only after a second or two, because another machine might have it.
            script += &format!("ip netns exec {name} sysctl -qw net.ipv6.conf.default.accept_dad=0\n");
        }
        script += &format!(
            "{}ip -n {router} link add wan0 type veth peer name eth0 netns {outside}\n\
             ip -n {router} addr add {OUTER}/24 dev wan0; ip -n {router} addr add 2a00:78::1/64 dev wan0 nodad\n\
             ip -n {outside} addr add 45.77.0.2/24 dev eth0; ip -n {outside} addr add 2a00:78::2/64 dev eth0 nodad\n\
             ip -n {router} link set wan0 up; ip -n {outside} link set eth0 up\n\
             ip -n {outside} -6 route add 2a00:77::/64 via 2a00:78::1\n\
             ip netns exec {router} sysctl -qw net.ipv4.ip_forward=1\n\
             ip netns exec {router} sysctl -qw net.ipv6.conf.all.forwarding=1\n\
             ip netns exec {router} nft '{ROUTER_RULES}'\n\
             ip netns exec {outside} nft '{OUTSIDE_RULES}'\n",
            link_inside(router, inside)
        );
        let home = Home { names };
        let made = Command::new("sh").args(["-ec", &script]).output();
        let why = match made {
            Ok(made) if made.status.success() => return Some(home),
            Ok(made) => String::from_utf8_lossy(&made.stderr).into_owned(),
            Err(error) => error.to_string(),
        };
        skip(&format!("a network with a router can't be made here: {}", why.trim()));
        None
    }

    /// The link inside goes, and is made again at once: a new one for the kernel, with the same names and addresses.
    pub fn make_link_again(&self) {
        let [inside, router, _] = &self.names;
        let script = format!("ip -n {router} link del lan0\n{}", link_inside(router, inside));
        let made = Command::new("sh").args(["-ec", &script]).output().expect("there is a shell");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }

    fn name(&self, at: At) -> &str {
        &self.names[at as usize]
    }

    /// The shell command that starts a program on a machine.
    pub fn on(&self, at: At) -> String {
        format!("exec ip netns exec {} \"$@\"", self.name(at))
    }

    /// `command` on a machine.
    pub fn command(&self, at: At, command: &Command) -> Command {
        let mut there = Command::new("ip");
        there.args(["netns", "exec", self.name(at)]).arg(command.get_program()).args(command.get_args());
        there.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        there
    }

    /// Runs a shell command on a machine, and returns what it writes.
    pub fn run(&self, at: At, line: &str) -> String {
        let mut shell = Command::new("sh");
        shell.args(["-ec", line]);
        let output = self.command(at, &shell).output().expect("there is ip");
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Starts miniupnpd on the router, with `more` lines in its configuration.
    pub fn start_daemon(&self, offers: Offers, more: &str, scratch: &Path) -> Process {
        let yes = |is: bool| if is { "yes" } else { "no" };
        let natpmp = yes(!matches!(offers, Offers::Upnp));
        let upnp = yes(matches!(offers, Offers::Upnp | Offers::All));
        if matches!(offers, Offers::NatPmp) {
            // The first byte of the payload is the version: 2 is PCP.
            self.run(At::Router, "nft add rule inet filter input udp dport 5351 @th,64,8 2 drop");
        }
        let text = format!(
            "ext_ifname=wan0\nlistening_ip=lan0\nenable_natpmp={natpmp}\nenable_upnp={upnp}\n\
             uuid=16ab1110-997f-4fba-919d-378e657ca439\n{more}\nallow 1024-65535 192.168.77.0/24 1024-65535\n\
             deny 0-65535 0.0.0.0/0 0-65535\n"
        );
        let file = scratch.join("miniupnpd.conf");
        fs::write(&file, text).expect("the configuration can be written");
        let mut daemon = Command::new("miniupnpd");
        daemon.arg("-d").arg("-f").arg(&file).arg("-P").arg(scratch.join("miniupnpd.pid"));
        let mut process = Process::start("miniupnpd", &mut self.command(At::Router, &daemon), scratch);
        let sockets = if natpmp == "yes" { ":5351" } else { ":1900" };
        wait_until("the router listens", PATIENCE, || {
            process.must_run();
            self.run(At::Router, "ss -lun").contains(sockets)
        });
        process
    }

    /// Starts our tracker outside.
    pub fn start_tracker(&self, scratch: &Path) -> Process {
        let mut track = Command::new(program());
        track.args(["track", "--port", "6969"]);
        let mut process = Process::start("track", &mut self.command(At::Outside, &track), scratch);
        wait_until("the tracker listens", PATIENCE, || {
            process.must_run();
            self.run(At::Outside, "ss -ltn").contains(":6969")
        });
        process
    }

    /// The router's mappings, as its firewall has them: `tcp dport 7881 dnat ip to 192.168.77.20:7881`.
    pub fn mappings(&self) -> Vec<String> {
        let rules = self.run(At::Router, "nft list chain inet filter prerouting_miniupnpd");
        let rules = rules.lines().filter(|line| line.contains(" dnat "));
        rules.map(|line| line.trim().to_string()).collect()
    }

    /// Waits until both transports are mapped to the machine inside.
    pub fn wait_for_mappings(&self) {
        wait_until("both transports are mapped", PATIENCE, || self.mappings().len() == 2);
    }

    /// The router forgets its mappings without telling anybody.
    pub fn forget_mappings(&self) {
        self.run(At::Router, "nft flush chain inet filter prerouting_miniupnpd; nft flush chain inet filter miniupnpd");
    }

    /// Ends the daemon as a router loses its power, and its mappings with it.
    pub fn cut_power(&self, mut daemon: Process) {
        daemon.signal(Signal::KILL);
        daemon.wait(PATIENCE);
        self.forget_mappings();
    }
}

/// The script that makes the link between the router and the machine inside.
fn link_inside(router: &str, inside: &str) -> String {
    format!(
        "ip -n {router} link add lan0 type veth peer name eth0 netns {inside}\n\
         ip -n {router} addr add {ROUTER}/24 dev lan0; ip -n {router} addr add 2a00:77::1/64 dev lan0 nodad\n\
         ip -n {router} addr add fe80::1/64 dev lan0 nodad\n\
         ip -n {inside} addr add {INSIDE}/24 dev eth0; ip -n {inside} addr add 2a00:77::20/64 dev eth0 nodad\n\
         ip -n {router} link set lan0 up; ip -n {inside} link set eth0 up\n\
         ip -n {inside} route add default via {ROUTER}; ip -n {inside} -6 route add default via fe80::1 dev eth0\n"
    )
}

/// Chains as miniupnpd wants them, and a firewall as routers have it.
const ROUTER_RULES: &str = "table inet filter {
    chain miniupnpd { }
    chain prerouting_miniupnpd { type nat hook prerouting priority dstnat; }
    chain postrouting_miniupnpd { type nat hook postrouting priority srcnat; }
    chain masquerading { type nat hook postrouting priority 110; ip protocol { tcp, udp } oifname \"wan0\" masquerade; }
    chain input { type filter hook input priority 0; }
    chain forward {
        type filter hook forward priority 0; policy drop
        ct state established,related accept
        iifname \"lan0\" accept
        jump miniupnpd
    }
}";

/// Only the tracker can be connected to.
const OUTSIDE_RULES: &str = "table inet filter {
    chain input {
        type filter hook input priority 0; policy drop
        ct state established,related accept
        tcp dport 6969 accept
        iifname \"lo\" accept
        ip6 nexthdr icmpv6 accept
    }
}";

impl Drop for Home {
    fn drop(&mut self) {
        for name in &self.names {
            // It may not have been made.
            let _ = Command::new("ip").args(["netns", "del", name]).output();
        }
    }
}
