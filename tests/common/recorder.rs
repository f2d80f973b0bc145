//! A peer that a story plays: it speaks the extension protocol (BEP 10), remembers all extended messages that it is
//! sent, and says what the story wants it to say.

use super::hostile::{handshake, message};
use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

/// The id of extended messages.
const EXTENDED: u8 = 20;
/// The id of the extended handshake.
pub const HANDSHAKE: u8 = 0;
/// The ids by which ours are sent these messages, and those by which a recorder wants them.
pub const OUR_PEX: u8 = 1;
/// See [`OUR_PEX`].
pub const OUR_METADATA: u8 = 2;
/// See [`OUR_PEX`].
pub const METADATA: u8 = 3;
/// See [`OUR_PEX`].
pub const PEX: u8 = 7;

/// The peer. When dropped, it hangs up.
pub struct Recorder {
    /// Where it listens; if it only connects, where it connects from.
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    info_hash: [u8; 20],
    number: u32,
    /// The payload of its extended handshake.
    says: String,
    /// Whether its handshake says that it has the torrent in version 2 of the protocol too (BEP 52).
    of_v2: AtomicBool,
    log: Mutex<Log>,
}

#[derive(Default)]
struct Log {
    connections: usize,
    open: usize,
    heard: Vec<(u8, Vec<u8>)>,
    sockets: Vec<TcpStream>,
}

/// The payload of an extended handshake: it exchanges peers, and has a description of this many bytes, if any.
pub fn says(metadata_size: Option<usize>) -> String {
    let size = metadata_size.map(|size| format!("13:metadata_sizei{size}e")).unwrap_or_default();
    format!("d1:md11:ut_metadatai{METADATA}e6:ut_pexi{PEX}ee{size}e")
}

/// The payload of a message with a block of the description.
pub fn data(piece: u32, total: usize, block: &[u8]) -> Vec<u8> {
    [format!("d8:msg_typei1e5:piecei{piece}e10:total_sizei{total}ee").as_bytes(), block].concat()
}

/// The payload of a message that asks for a block of the description.
pub fn asks(piece: u32) -> Vec<u8> {
    format!("d8:msg_typei0e5:piecei{piece}ee").into_bytes()
}

/// The payload of a message of peer exchange that adds these peers.
pub fn adds(peers: &[SocketAddr]) -> Vec<u8> {
    let entry = |peer: &SocketAddr| match peer.ip() {
        IpAddr::V4(ip) => [&ip.octets()[..], &peer.port().to_be_bytes()].concat(),
        IpAddr::V6(_) => panic!("no story adds one"),
    };
    let list: Vec<u8> = peers.iter().flat_map(entry).collect();
    let flags = vec![0; peers.len()];
    let head = |name: &str, list: &[u8]| format!("{}:{name}{}:", name.len(), list.len()).into_bytes();
    [b"d".to_vec(), head("added", &list), list.clone(), head("added.f", &flags), flags.clone(), b"e".to_vec()].concat()
}

impl Recorder {
    /// Listens on `ip` for peers of the torrent. Its peer id ends with `number`.
    pub fn listen(ip: impl Into<IpAddr>, info_hash: [u8; 20], number: u32, says: String) -> Recorder {
        let listener = TcpListener::bind((ip.into(), 0)).expect("a port of the system's choice is free");
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Shared::new(info_hash, number, says);
        let accepting = shared.clone();
        // The thread ends with the process.
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let meeting = accepting.clone();
                meeting.begin(&socket);
                thread::spawn(move || meeting.meet(socket));
            }
        });
        Recorder { address, shared }
    }

    /// Connects to the peer at `to`.
    pub fn connect(to: SocketAddr, info_hash: [u8; 20], number: u32, says: String) -> Recorder {
        let socket = TcpStream::connect(to).expect("the peer listens");
        let address = socket.local_addr().expect("it is connected");
        let shared = Shared::new(info_hash, number, says);
        let meeting = shared.clone();
        meeting.begin(&socket);
        thread::spawn(move || meeting.meet(socket));
        Recorder { address, shared }
    }

    /// From its next connection on, it says that it has the torrent in version 2 of the protocol too.
    pub fn of_v2(self) -> Recorder {
        self.shared.of_v2.store(true, Ordering::Relaxed);
        self
    }

    /// How often it was connected.
    pub fn connections(&self) -> usize {
        self.shared.log().connections
    }

    /// How many connections it has.
    pub fn open(&self) -> usize {
        self.shared.log().open
    }

    /// The extended messages that it got, each with its id, the oldest first.
    pub fn heard(&self) -> Vec<(u8, Vec<u8>)> {
        self.shared.log().heard.clone()
    }

    /// Those with this id, as text.
    pub fn heard_as(&self, id: u8) -> Vec<String> {
        let heard = self.heard();
        heard.iter().filter(|one| one.0 == id).map(|one| String::from_utf8_lossy(&one.1).into_owned()).collect()
    }

    /// Sends an extended message to all that are connected.
    pub fn say(&self, id: u8, payload: &[u8]) -> io::Result<()> {
        self.send(&message(EXTENDED, &[&[id], payload].concat()))
    }

    /// Sends bytes to all that are connected.
    pub fn send(&self, bytes: &[u8]) -> io::Result<()> {
        let sockets: Vec<TcpStream> = self.shared.log().sockets.iter().flat_map(TcpStream::try_clone).collect();
        sockets.into_iter().try_for_each(|mut socket| socket.write_all(bytes))
    }

    /// Closes its connections, and takes further ones.
    pub fn hang_up(&self) {
        for socket in &self.shared.log().sockets {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.hang_up();
    }
}

impl Shared {
    fn new(info_hash: [u8; 20], number: u32, says: String) -> Arc<Shared> {
        Arc::new(Shared { info_hash, number, says, of_v2: AtomicBool::new(false), log: Mutex::default() })
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().expect("nobody panics with it")
    }

    fn begin(&self, socket: &TcpStream) {
        let mut log = self.log();
        (log.connections, log.open) = (log.connections + 1, log.open + 1);
        log.sockets.extend(socket.try_clone());
    }

    /// Reads until the connection ends.
    fn meet(&self, mut socket: TcpStream) {
        let _ = self.record(&mut socket);
        let mut log = self.log();
        log.open -= 1;
        let ended = socket.peer_addr().ok();
        log.sockets.retain(|other| other.peer_addr().is_ok_and(|addr| Some(addr) != ended));
    }

    fn record(&self, socket: &mut TcpStream) -> io::Result<()> {
        let mut ours = handshake(&self.info_hash, self.number);
        ours[25] |= 0x10;
        if self.of_v2.load(Ordering::Relaxed) {
            ours[27] |= 0x10;
        }
        socket.write_all(&ours)?;
        socket.write_all(&message(EXTENDED, &[&[HANDSHAKE], self.says.as_bytes()].concat()))?;
        socket.read_exact(&mut [0; 68])?;
        loop {
            let mut length = [0; 4];
            socket.read_exact(&mut length)?;
            let mut body = vec![0; u32::from_be_bytes(length) as usize];
            socket.read_exact(&mut body)?;
            if let [EXTENDED, id, payload @ ..] = &body[..] {
                self.log().heard.push((*id, payload.to_vec()));
            }
        }
    }
}
