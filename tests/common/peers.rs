//! Peers by other people, each started with its own command line.

use super::hosts::Host;
use super::process::Process;
use super::tools::Tool;
use super::torrent::Torrent;
use super::wait::{PATIENCE, wait_until};
use super::{aria2, lftp, libtorrent, ports::free_port, rtorrent, transmission};
use rustix::process::Signal;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A program that is a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// aria2c.
    Aria2,
    /// transmission-daemon. It never connects to a loopback address, so other peers must connect to it.
    Transmission,
    /// libtorrent in Python.
    Libtorrent,
    /// rtorrent.
    Rtorrent,
    /// lftp.
    Lftp,
}

impl Program {
    /// The programs that report what they sent, and have a rate limit.
    pub const ALL: [Program; 3] = [Program::Aria2, Program::Transmission, Program::Libtorrent];

    /// The tool that must be installed.
    pub fn tool(self) -> Tool {
        match self {
            Program::Aria2 => Tool::Aria2,
            Program::Transmission => Tool::Transmission,
            Program::Libtorrent => Tool::Libtorrent,
            Program::Rtorrent => Tool::Rtorrent,
            Program::Lftp => Tool::Lftp,
        }
    }

    /// Its name and version.
    pub fn version(self) -> String {
        self.tool().version()
    }
}

/// What a peer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It uploads the content that it has.
    Seed,
    /// It fetches the content and ends.
    Fetch,
    /// It fetches the content and stays. (aria2, transmission and libtorrent can.)
    #[allow(dead_code)] // Only stories need it.
    Stay,
}

/// When a peer by others encrypts its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code)] // Only stories need it.
pub enum Encryption {
    /// Never. (transmission accepts it all the same; aria2 has no such setting.)
    Never,
    /// If the other side begins with it, or accepts nothing else. (transmission and aria2 prefer it.)
    IfAsked,
    /// Always, by RC4.
    Always,
}

/// How to start a peer.
pub struct Plan<'a> {
    /// The program.
    pub program: Program,
    /// What it does.
    pub role: Role,
    /// The torrent.
    pub torrent: &'a Torrent,
    /// The folder of the content.
    pub dir: &'a Path,
    /// A folder for its settings and logs.
    pub scratch: &'a Path,
    /// The most it may upload, in bytes a second.
    pub upload_limit: Option<u64>,
    /// When it encrypts its connections; `None`: as its story never minded.
    pub encryption: Option<Encryption>,
    /// Whether it uses ::1.
    pub ipv6: bool,
    /// The port it listens on for peers.
    pub port: u16,
    /// The port of its remote control.
    pub rpc_port: u16,
    /// The host that it runs on; `None`: this machine.
    pub host: Option<&'a Host>,
}

impl<'a> Plan<'a> {
    /// A seed of the content in `dir`, on IPv4, without a limit.
    pub fn seed(program: Program, torrent: &'a Torrent, dir: &'a Path, scratch: &'a Path) -> Plan<'a> {
        let (port, rpc_port) = (free_port(), free_port());
        let (role, upload_limit, encryption, ipv6, host) = (Role::Seed, None, None, false, None);
        Plan { program, role, torrent, dir, scratch, upload_limit, encryption, ipv6, port, rpc_port, host }
    }

    /// A leecher that fetches into `dir`, on IPv4, and ends.
    pub fn fetch(program: Program, torrent: &'a Torrent, dir: &'a Path, scratch: &'a Path) -> Plan<'a> {
        Plan { role: Role::Fetch, ..Plan::seed(program, torrent, dir, scratch) }
    }

    /// The same on ::1.
    pub fn over_ipv6(self) -> Plan<'a> {
        Plan { ipv6: true, ..self }
    }

    /// The same with at most `limit` bytes of upload a second.
    pub fn limited_to(self, limit: u64) -> Plan<'a> {
        Plan { upload_limit: Some(limit), ..self }
    }

    /// Starts it. A seed is ready when the tracker knows it as a seed.
    pub fn start(&self) -> Peer {
        let process = match self.program {
            Program::Aria2 => aria2::start(self),
            Program::Transmission => transmission::start(self),
            Program::Libtorrent => libtorrent::start(self),
            Program::Rtorrent => rtorrent::start(self),
            Program::Lftp => lftp::start(self),
        };
        Peer { program: self.program, process, rpc: self.rpc() }
    }

    /// Starts the program by this command.
    pub fn run(&self, name: &str, mut command: Command) -> Process {
        if let Some(host) = self.host {
            command = host.command(&command);
        }
        Process::start(name, &mut command, self.scratch)
    }

    /// Where it listens for peers.
    pub fn address(&self) -> SocketAddr {
        let v4 = self.host.map_or(Ipv4Addr::LOCALHOST, |host| host.ip);
        let ip: IpAddr = if self.ipv6 { Ipv6Addr::LOCALHOST.into() } else { v4.into() };
        (ip, self.port).into()
    }

    /// The address on which its remote control listens.
    pub fn rpc(&self) -> SocketAddr {
        (self.host.map_or(Ipv4Addr::LOCALHOST, |host| host.ip), self.rpc_port).into()
    }

    /// A folder of its own for settings.
    pub fn home(&self) -> PathBuf {
        let home = self.scratch.join(format!("{:?}-{}", self.program, self.port));
        std::fs::create_dir_all(&home).expect("the folder can be made");
        home
    }
}

/// A running peer. It ends when dropped.
pub struct Peer {
    /// The program.
    pub program: Program,
    process: Process,
    /// The address of its remote control.
    pub rpc: SocketAddr,
}

impl Peer {
    /// The bytes of content it sent so far, by its own count.
    pub fn uploaded(&mut self) -> u64 {
        self.process.must_run();
        match self.program {
            Program::Aria2 => aria2::uploaded(self.rpc),
            Program::Transmission => transmission::uploaded(self.rpc),
            Program::Libtorrent => libtorrent::uploaded(&self.process),
            Program::Rtorrent | Program::Lftp => panic!("{:?} does not report what it sent", self.program),
        }
    }

    /// Its standard output so far.
    #[allow(dead_code)] // Only stories ask.
    pub fn stdout(&self) -> String {
        self.process.stdout()
    }

    /// Its process id.
    #[allow(dead_code)] // Only the bench asks.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Asks it to end, as Ctrl-C does, and waits until it has ended.
    pub fn interrupt(mut self) {
        self.process.signal(Signal::INT);
        self.process.wait(PATIENCE);
    }

    /// Panics if it has ended. A wait calls this.
    pub fn must_run(&mut self) {
        self.process.must_run();
    }

    /// Waits until it has fetched everything and ended without an error. (transmission does not end by itself.)
    pub fn wait_until_fetched(&mut self, deadline: Duration) {
        if self.program == Program::Transmission {
            return wait_until("transmission has fetched everything", deadline, || {
                self.process.must_run();
                transmission::has_all(self.rpc)
            });
        }
        let status = self.process.wait(deadline);
        assert!(status.success(), "{:?} failed: {status}", self.program);
    }
}
