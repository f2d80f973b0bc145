//! Our own tracker, as a user starts it, and as much of the tracker protocols as the stories need.

use super::bencode::{int, raw};
use super::http::{Answer, percent_encode, request};
use super::ports::free_port;
use super::process::Process;
use super::swarmlet::program;
use super::wait::{PATIENCE, wait_until};
use rustix::process::Signal;
use std::ffi::OsStr;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A running tracker. It ends when dropped.
pub struct Track {
    process: Process,
    /// Its port, for HTTP and UDP.
    pub port: u16,
}

/// A tracker that is not started yet.
pub struct Start {
    command: Command,
    scratch: PathBuf,
    port: u16,
}

impl Start {
    /// One more argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Start {
        self.command.arg(arg);
        self
    }

    /// Starts it, and waits until it answers.
    pub fn start(mut self) -> Track {
        let process = Process::start("track", &mut self.command, &self.scratch);
        let mut track = Track { process, port: self.port };
        wait_until("the tracker listens", PATIENCE, || {
            track.process.must_run();
            TcpStream::connect(track.address()).is_ok()
        });
        track
    }
}

impl Track {
    /// `swarmlet track` on a free port.
    pub fn on_free_port(scratch: &Path) -> Start {
        Track::on(free_port(), scratch)
    }

    /// `swarmlet track` on this port.
    pub fn on(port: u16, scratch: &Path) -> Start {
        let mut command = Command::new(program());
        command.args(["track", "--port", &port.to_string()]);
        Start { command, scratch: scratch.into(), port }
    }

    /// Another command that starts a tracker on `port`.
    pub fn by(command: Command, port: u16, scratch: &Path) -> Start {
        Start { command, scratch: scratch.into(), port }
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Its announce URL over HTTP.
    pub fn url(&self) -> String {
        format!("http://{}/announce", self.address())
    }

    /// Its announce URL over UDP.
    pub fn udp_url(&self) -> String {
        format!("udp://{}/announce", self.address())
    }

    /// GETs a path.
    pub fn get(&self, target: &str) -> Answer {
        request(self.address(), target, "", None).expect("the tracker answers")
    }

    /// Scrapes this torrent.
    pub fn scrape(&self, info_hash: &[u8; 20]) -> Vec<u8> {
        self.get(&format!("/scrape?info_hash={}", percent_encode(info_hash))).body
    }

    /// Waits until it knows a seed of this torrent. `alive` panics if the seed has ended.
    pub fn wait_for_a_seed(&self, info_hash: &[u8; 20], mut alive: impl FnMut()) {
        wait_until("the tracker knows a seed", PATIENCE, || {
            alive();
            counts_seeds(&self.scrape(info_hash), 1)
        });
    }

    /// GETs a path from another address of loopback, with headers. Returns the body.
    pub fn get_from(&self, from: Ipv4Addr, target: &str, headers: &str) -> Vec<u8> {
        use std::io::{Read, Write};
        let socket =
            rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM, None).unwrap();
        rustix::net::bind(&socket, &SocketAddr::new(from.into(), 0)).unwrap();
        rustix::net::connect(&socket, &self.address()).unwrap();
        let mut stream = TcpStream::from(socket);
        write!(stream, "GET {target} HTTP/1.0\r\n{headers}\r\n").unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
        answer.split_off(end + 4)
    }

    /// Sends it a signal.
    pub fn signal(&mut self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Ends it with a signal, and returns the exit code.
    pub fn end(mut self, signal: Signal) -> Option<i32> {
        self.process.signal(signal);
        self.process.wait(PATIENCE).code()
    }

    /// Its standard error so far.
    pub fn stderr(&self) -> String {
        self.process.stderr()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }
}

/// The query of an announce.
pub fn query(hash: [u8; 20], port: u16, left: u64, more: &str) -> String {
    let (hash, id) = (percent_encode(&hash), percent_encode(&peer_id(port)));
    format!("/announce?info_hash={hash}&peer_id={id}&port={port}&uploaded=0&downloaded=0&left={left}{more}")
}

/// The id of the peer on `port`.
pub fn peer_id(port: u16) -> [u8; 20] {
    let mut id = *b"-XX0001-abcdefghij  ";
    id[18..].copy_from_slice(&port.to_be_bytes());
    id
}

/// The IPv4 peers of a bencoded reply in compact form.
pub fn peers(reply: &[u8]) -> Vec<(Ipv4Addr, u16)> {
    let value = raw(reply, "peers").unwrap_or_else(|| panic!("no peers in {}", String::from_utf8_lossy(reply)));
    let colon = value.iter().position(|&byte| byte == b':').expect("peers are a string");
    let mut peers: Vec<_> = value[colon + 1..].chunks(6).map(entry).collect();
    peers.sort();
    peers
}

fn entry(bytes: &[u8]) -> (Ipv4Addr, u16) {
    (Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3]), u16::from_be_bytes([bytes[4], bytes[5]]))
}

/// A number of a bencoded reply.
pub fn number(reply: &[u8], key: &str) -> i64 {
    let value = raw(reply, key).and_then(int);
    value.unwrap_or_else(|| panic!("no {key} in {}", String::from_utf8_lossy(reply)))
}

/// Whether the reply to a scrape of one torrent counts this many seeds.
pub fn counts_seeds(reply: &[u8], count: usize) -> bool {
    let wanted = format!("8:completei{count}e");
    reply.windows(wanted.len()).any(|part| part == wanted.as_bytes())
}

/// Seeds, leechers and completed downloads of a torrent in the reply to a scrape.
pub fn scraped(reply: &[u8], hash: &[u8; 20]) -> [i64; 3] {
    let at = reply.windows(20).position(|part| part == hash).expect("the torrent is in the reply");
    ["complete", "incomplete", "downloaded"].map(|key| number(&reply[at + 20..], key))
}

/// The failure reason of a reply.
pub fn failure(reply: &[u8]) -> String {
    let value = raw(reply, "failure reason");
    let text = value.unwrap_or_else(|| panic!("no failure in {}", String::from_utf8_lossy(reply)));
    String::from_utf8_lossy(text).split_once(':').expect("a string").1.into()
}

/// A client of BEP 15. It shares no code with the program.
pub struct UdpAsker {
    socket: UdpSocket,
}

impl UdpAsker {
    /// A client on `ip`, for the tracker on `port` of the loopback address of the same family.
    pub fn new(ip: IpAddr, port: u16) -> UdpAsker {
        let tracker: IpAddr = if ip.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { "::1".parse().unwrap() };
        UdpAsker::at(ip, (tracker, port).into())
    }

    /// A client on `ip`, for this tracker. It hears nothing from other addresses.
    pub fn at(ip: IpAddr, tracker: SocketAddr) -> UdpAsker {
        let socket = UdpSocket::bind((ip, 0)).unwrap();
        socket.connect(tracker).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        UdpAsker { socket }
    }

    /// Sends a packet and waits for the reply with its transaction id. Others are late replies to earlier packets.
    pub fn ask(&self, packet: &[u8]) -> io::Result<Vec<u8>> {
        self.hear(packet, packet.get(12..16))
    }

    /// Sends a packet and waits for the reply with this transaction id; `None`: for any reply. It sends it three times,
    /// as a client does, because the system drops packets if the sockets of other programs have taken the memory that
    /// it has for all (net.ipv4.udp_mem).
    fn hear(&self, packet: &[u8], transaction: Option<&[u8]>) -> io::Result<Vec<u8>> {
        let mut reply = [0; 2048];
        let mut again = 2;
        self.socket.send(packet)?;
        loop {
            match self.socket.recv(&mut reply) {
                Ok(length) if transaction.is_none() || reply[..length].get(4..8) == transaction => {
                    return Ok(reply[..length].to_vec());
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && again > 0 => {
                    again -= 1;
                    self.socket.send(packet)?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether a packet gets no reply: the next reply must be the one to a connect that follows.
    pub fn gets_no_reply(&self, packet: &[u8]) -> bool {
        self.socket.send(packet).unwrap();
        self.hear(&connect(0x5eed), None).unwrap()[..8] == [0, 0, 0, 0, 0, 0, 0x5e, 0xed]
    }

    /// A connection id.
    pub fn connect(&self) -> [u8; 8] {
        let reply = self.ask(&connect(7)).unwrap();
        assert_eq!((reply.len(), &reply[..8]), (16, &[0, 0, 0, 0, 0, 0, 0, 7][..]));
        reply[8..].try_into().unwrap()
    }
}

/// A connect request.
pub fn connect(transaction: u32) -> Vec<u8> {
    [&0x0417_2710_1980_u64.to_be_bytes()[..], &[0; 4], &transaction.to_be_bytes()].concat()
}

/// An announce that asks for `want` peers.
pub fn udp_announce(connection: [u8; 8], hash: [u8; 20], port: u16, left: u64, want: i32) -> Vec<u8> {
    let mut packet = [&connection[..], &[0, 0, 0, 1, 0, 0, 0, 9], &hash, &peer_id(port), &[0; 8]].concat();
    packet.extend(left.to_be_bytes());
    packet.extend([0; 8]);
    packet.extend([0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1]);
    packet.extend(want.to_be_bytes());
    packet.extend(port.to_be_bytes());
    packet
}
