//! The programs by other people that stories need, and what happens where one is missing.

use std::env;
use std::io::{self, Write};
use std::path::Path;
use std::process::Command;

/// Where Debian 12 has the web page of transmission.
pub const TRANSMISSION_PAGE: &str = "/usr/share/transmission/web";

/// A program by other people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// aria2c, a peer.
    Aria2,
    /// rtorrent, a peer.
    Rtorrent,
    /// lftp, a peer.
    Lftp,
    /// transmission-daemon, a peer.
    Transmission,
    /// libtorrent (rasterbar) from PyPI, a peer and a maker of torrents.
    Libtorrent,
    /// transmission-create, a maker of torrents.
    TransmissionCreate,
    /// mktorrent, a maker of torrents.
    Mktorrent,
    /// imdl, a maker of torrents.
    Imdl,
    /// opentracker, a tracker.
    Opentracker,
    /// nginx, a web server.
    Nginx,
    /// tinyproxy, a proxy for HTTP.
    Tinyproxy,
    /// microsocks, a proxy for SOCKS 5.
    Microsocks,
    /// danted, a proxy for SOCKS 5.
    Dante,
    /// nft, which counts packets.
    Nft,
    /// openssl, which makes certificates.
    Openssl,
    /// aquatic_udp, a tracker.
    #[allow(dead_code)] // Only the bench uses it.
    Aquatic,
    /// aquatic_udp_load_test, which loads trackers.
    #[allow(dead_code)] // Only the bench uses it.
    AquaticLoadTest,
    /// miniupnpd, a router's daemon for UPnP, NAT-PMP and PCP, on nftables.
    Miniupnpd,
    /// strace, which records system calls.
    Strace,
    /// tshark and dumpcap of Wireshark, which record and read packets.
    #[allow(dead_code)] // Only the stories of the trace use it.
    Tshark,
    /// wrk, which loads web servers with requests.
    #[allow(dead_code)] // Only the bench uses it.
    Wrk,
    /// bittorrent-tracker from npm, a tracker and a tracker client.
    NpmTracker,
    /// bittorrent-dht from npm, a node of the DHT.
    NpmDht,
    /// Chromium, playwright-core from npm, which drives it, and axe-core, which finds barriers.
    Browser,
    /// The web page of transmission 3.00.
    TransmissionPage,
    /// Flood, a web page for many clients.
    Flood,
    /// tmux, a terminal whose screen can be read.
    Tmux,
    /// transmission-rpc from PyPI, which controls daemons from Python.
    TransmissionRpc,
    /// tremc, which controls daemons on a terminal: tremcf from PyPI, because Debian 12 has no package of it.
    Tremc,
    /// stig from PyPI, which controls daemons from a terminal or by commands. 0.15 is the first to speak JSON-RPC 2.0.
    Stig,
    /// File systems in a process: /dev/fuse, and fusepy from PyPI.
    #[allow(dead_code)] // Only the stories that run alone use it.
    Fuse,
}

impl Tool {
    fn program_and_source(self) -> (&'static str, &'static str) {
        match self {
            Tool::Aria2 => ("aria2c", "apt-get install aria2"),
            Tool::Rtorrent => ("rtorrent", "apt-get install rtorrent"),
            Tool::Lftp => ("lftp", "apt-get install lftp"),
            Tool::Transmission => ("transmission-daemon", "apt-get install transmission-daemon"),
            Tool::Libtorrent => ("libtorrent for python3", "pip install libtorrent"),
            Tool::TransmissionCreate => ("transmission-create", "apt-get install transmission-cli"),
            Tool::Mktorrent => ("mktorrent", "apt-get install mktorrent"),
            Tool::Imdl => ("imdl", "cargo install imdl"),
            Tool::Opentracker => ("opentracker", "apt-get install opentracker"),
            Tool::Aquatic => ("aquatic_udp", "cargo install aquatic_udp"),
            Tool::AquaticLoadTest => ("aquatic_udp_load_test", "cargo install aquatic_udp_load_test"),
            Tool::Nginx => ("nginx", "apt-get install nginx-light"),
            Tool::Tinyproxy => ("tinyproxy", "apt-get install tinyproxy-bin"),
            Tool::Miniupnpd => ("miniupnpd", "apt-get install miniupnpd nftables"),
            Tool::Microsocks => ("microsocks", "apt-get install microsocks"),
            Tool::Dante => ("danted", "apt-get install dante-server"),
            Tool::Nft => ("nft", "apt-get install nftables"),
            Tool::Openssl => ("openssl", "apt-get install openssl"),
            Tool::Strace => ("strace", "apt-get install strace"),
            Tool::Tshark => ("tshark", "apt-get install tshark"),
            Tool::Wrk => ("wrk", "apt-get install wrk"),
            Tool::NpmTracker => ("npm's bittorrent-tracker", "npm install -g --ignore-scripts bittorrent-tracker@9"),
            Tool::NpmDht => ("npm's bittorrent-dht", "npm install -g --ignore-scripts bittorrent-dht@11"),
            Tool::Browser => (
                "chromium or npm's playwright-core or axe-core",
                "apt-get install chromium; npm install -g --ignore-scripts playwright-core@1.60 axe-core@4",
            ),
            Tool::TransmissionPage => (TRANSMISSION_PAGE, "apt-get install transmission-common of Debian 12"),
            Tool::Flood => ("flood", "npm install -g --ignore-scripts flood@4.11"),
            Tool::Tmux => ("tmux", "apt-get install tmux"),
            Tool::TransmissionRpc => ("transmission-rpc for python3", "pip install transmission-rpc"),
            Tool::Tremc => ("tremcf", "pip install tremcf"),
            Tool::Stig => ("stig", "pip install stig==0.15.0a0"),
            Tool::Fuse => ("/dev/fuse or fusepy", "apt-get install fuse3 libfuse2; pip install fusepy"),
        }
    }

    fn is_here(self) -> bool {
        match self {
            Tool::Libtorrent | Tool::NpmTracker | Tool::NpmDht | Tool::Browser | Tool::TransmissionRpc => {
                !self.version().is_empty()
            }
            Tool::TransmissionPage => Path::new(TRANSMISSION_PAGE).join("javascript/main.js").is_file(),
            Tool::Fuse => {
                let library = Command::new("python3").args(["-c", "import fuse"]).output();
                Path::new("/dev/fuse").exists() && library.is_ok_and(|output| output.status.success())
            }
            _ => env::split_paths(&env::var_os("PATH").unwrap_or_default())
                .any(|dir| dir.join(self.program_and_source().0).is_file()),
        }
    }

    /// Its name and version in its own words; empty if it has no option that prints them.
    pub fn version(self) -> String {
        let mut command = match self {
            Tool::Aria2 | Tool::Rtorrent | Tool::Lftp | Tool::Transmission | Tool::Imdl | Tool::Tinyproxy => {
                Command::new(self.program_and_source().0)
            }
            // The first line has the name and the version.
            Tool::Miniupnpd => Command::new("miniupnpd"),
            Tool::TransmissionCreate => return Tool::Transmission.version(),
            Tool::Libtorrent | Tool::TransmissionRpc => Command::new("python3"),
            Tool::Tremc | Tool::Stig => Command::new(self.program_and_source().0),
            Tool::NpmTracker => npm_tracker(),
            Tool::NpmDht => npm_dht(),
            Tool::Browser => browser(),
            Tool::Flood => Command::new("flood"),
            Tool::Aquatic | Tool::AquaticLoadTest => return String::new(),
            Tool::TransmissionPage | Tool::Microsocks | Tool::Dante | Tool::Nft | Tool::Openssl => {
                return String::new();
            }
            Tool::Mktorrent | Tool::Opentracker | Tool::Strace | Tool::Tmux | Tool::Fuse | Tool::Wrk | Tool::Nginx => {
                return String::new();
            }
            Tool::Tshark => return String::new(),
        };
        match self {
            Tool::Libtorrent => command.args(["-c", "import libtorrent; print('libtorrent', libtorrent.__version__)"]),
            Tool::TransmissionRpc => {
                command.args(["-c", "import transmission_rpc, importlib.metadata as m; print('transmission-rpc', m.version('transmission-rpc'))"])
            }
            Tool::NpmTracker | Tool::NpmDht | Tool::Browser => command.arg("version"),
            Tool::Rtorrent => command.arg("-h"),
            Tool::Tinyproxy => command.arg("-v"),
            _ => command.arg("--version"),
        };
        let Ok(output) = command.output() else { return String::new() };
        let is_script =
            matches!(self, Tool::Libtorrent | Tool::NpmTracker | Tool::NpmDht | Tool::Browser | Tool::TransmissionRpc);
        if is_script && !output.status.success() {
            return String::new();
        }
        // transmission prints it on standard error.
        let said = [output.stdout, output.stderr].concat();
        String::from_utf8_lossy(&said).lines().next().unwrap_or_default().to_owned()
    }
}

/// node with the script that uses npm's bittorrent-tracker. Arguments say what it does.
pub fn npm_tracker() -> Command {
    node("npm_tracker.js")
}

/// node with the script that uses npm's bittorrent-dht. Arguments say what it does.
pub fn npm_dht() -> Command {
    node("npm_dht.js")
}

/// node with the script that drives Chromium.
pub fn browser() -> Command {
    node("browser.js")
}

fn node(script: &str) -> Command {
    let mut command = Command::new("node");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/common").join(script));
    command
}

/// Whether all of `tools` are installed. If not, the story is skipped (see [`skip`]).
pub fn here(tools: &[Tool]) -> bool {
    let missing = missing(tools);
    for (program, source) in &missing {
        skip(&format!("{program} is missing ({source})"));
    }
    missing.is_empty()
}

/// Says that the story is skipped, and why. With CI=true the story fails instead, so that none is lost without notice.
pub fn skip(reason: &str) {
    let line = format!("SKIPPED: {reason}");
    assert!(env::var_os("CI").is_none_or(|ci| ci != "true"), "{line}");
    say(&line);
}

/// Whether `unshare` (of util-linux) can give a process these namespaces. If not, the story is skipped (see [`skip`]).
pub fn can_unshare(options: &[&str]) -> bool {
    let output = Command::new("unshare").args(options).arg("true").output();
    let can = output.is_ok_and(|output| output.status.success());
    if !can {
        skip(&format!("unshare {} does not work here", options.join(" ")));
    }
    can
}

/// Those of `tools` that are not installed: the program, and how to install it.
pub fn missing(tools: &[Tool]) -> Vec<(&'static str, &'static str)> {
    tools.iter().filter(|tool| !tool.is_here()).map(|tool| tool.program_and_source()).collect()
}

/// Prints a line that the test harness does not capture: it captures only `println!` and its kin.
pub fn say(line: &str) {
    let story = std::thread::current().name().unwrap_or("main").to_owned();
    // A closed standard error is no reason to fail.
    let _ = writeln!(io::stderr(), "{story}: {line}");
}
