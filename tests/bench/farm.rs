//! Many small seeds in one process (BEP 3). Fifty real programs would need the whole machine, and only the cost of
//! fifty busy connections for the leecher is measured.

use super::common::http::{percent_encode, request};
use super::common::torrent::Torrent;
use super::repeated::Repeated;
use super::source::{NAME, Source};
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const BITFIELD: u8 = 5;
/// The unchoke message.
pub const UNCHOKE: u8 = 1;
/// The request message.
pub const REQUEST: u8 = 6;
const PIECE: u8 = 7;
/// The message of the extension protocol (BEP 10), the byte and the bit of the handshake that announce it, and what the
/// first one says: that many requests are taken at a time, as libtorrent says.
const EXTENDED: u8 = 20;
const EXTENSIONS: (usize, u8) = (25, 0x10);
const TAKES_MANY: &[u8] = b"\0d1:mde4:reqqi2000ee";
/// No message to a seed is longer: a bitfield of a million pieces.
const LONGEST: usize = 128 * 1024;

/// Seeds on ports of their own. Their threads end with their connections, and with the process.
pub struct Farm {
    seeds: Vec<Arc<Seed>>,
    shared: Arc<Shared>,
}

/// State that all seeds of a farm share.
struct Shared {
    content: Content,
    info_hash: [u8; 20],
    piece_length: u64,
    pieces: usize,
    /// Whether they say that they take many requests at a time.
    takes_many: bool,
    connected: AtomicUsize,
    most_connected: AtomicUsize,
}

/// What they have.
enum Content {
    File(File),
    /// The bytes that each piece has.
    Repeated(Vec<u8>),
}

struct Seed {
    number: usize,
    port: u16,
    /// Bytes a second; none means no limit.
    rate: Option<u64>,
    sent: AtomicU64,
    shared: Arc<Shared>,
}

impl Farm {
    /// `count` seeds of `torrent`. `rate` gives the bytes a second of each.
    pub fn start(
        source: &Source,
        torrent: &Torrent,
        piece_length: u64,
        count: usize,
        rate: fn(usize) -> Option<u64>,
    ) -> Farm {
        let content = File::open(source.dir.join(NAME)).expect("the content is there");
        let pieces = source.bytes().div_ceil(piece_length) as usize;
        Farm::new(Content::File(content), torrent.info_hash, (piece_length, pieces), false, count, rate)
    }

    /// `count` seeds of `repeated`, each with the same `rate`. They may say that they take many requests at a time.
    pub fn of_repeated(repeated: &Repeated, count: usize, rate: Option<u64>, takes_many: bool) -> Farm {
        let content = Content::Repeated(repeated.piece.clone());
        let pieces = (repeated.piece.len() as u64, repeated.pieces);
        let farm = Farm::new(content, repeated.torrent.info_hash, pieces, takes_many, count, |_| rate);
        farm.announce(repeated.tracker.address());
        farm
    }

    /// `pieces` are their length and their number.
    fn new(
        content: Content,
        info_hash: [u8; 20],
        (piece_length, pieces): (u64, usize),
        takes_many: bool,
        count: usize,
        rate: impl Fn(usize) -> Option<u64>,
    ) -> Farm {
        let (connected, most_connected) = Default::default();
        let shared = Shared { content, info_hash, piece_length, pieces, takes_many, connected, most_connected };
        let shared = Arc::new(shared);
        let seeds = (0..count).map(|number| Seed::start(number, rate(number), &shared)).collect();
        Farm { seeds, shared }
    }

    /// The port of each.
    pub fn ports(&self) -> Vec<u16> {
        self.seeds.iter().map(|seed| seed.port).collect()
    }

    /// Announces all of them.
    pub fn announce(&self, tracker: SocketAddr) {
        for seed in &self.seeds {
            let (hash, id) = (percent_encode(&self.shared.info_hash), percent_encode(&peer_id(seed.number)));
            let (port, rest) = (seed.port, "uploaded=0&downloaded=0&left=0&compact=1&event=started");
            let target = format!("/announce?info_hash={hash}&peer_id={id}&port={port}&{rest}");
            request(tracker, &target, "", None).unwrap_or_else(|e| panic!("the tracker does not answer: {e}"));
        }
    }

    /// How many of them sent something.
    pub fn givers(&self) -> usize {
        self.seeds.iter().filter(|seed| seed.sent.load(Ordering::Relaxed) > 0).count()
    }

    /// The largest number of connections at one time.
    pub fn most_connected(&self) -> usize {
        self.shared.most_connected.load(Ordering::Relaxed)
    }
}

impl Seed {
    fn start(number: usize, rate: Option<u64>, shared: &Arc<Shared>) -> Arc<Seed> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port of the system's choice is free");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let seed = Arc::new(Seed { number, port, rate, sent: AtomicU64::new(0), shared: shared.clone() });
        let serving = seed.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let now = serving.shared.connected.fetch_add(1, Ordering::Relaxed) + 1;
                serving.shared.most_connected.fetch_max(now, Ordering::Relaxed);
                // The leecher hangs up when it has everything.
                let _ = serving.serve(stream);
                serving.shared.connected.fetch_sub(1, Ordering::Relaxed);
            }
        });
        seed
    }

    fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut requests = BufReader::new(stream.try_clone()?);
        requests.read_exact(&mut [0; 68])?;
        let mut greeting = handshake(&self.shared.info_hash, self.number);
        if self.shared.takes_many {
            greeting[EXTENSIONS.0] |= EXTENSIONS.1;
            greeting.extend(message(EXTENDED, TAKES_MANY));
        }
        stream.write_all(&greeting)?;
        stream.write_all(&message(BITFIELD, &all_ones(self.shared.pieces)))?;
        stream.write_all(&message(UNCHOKE, &[]))?;
        let mut free_at = Instant::now();
        loop {
            let asked = read_message(&mut requests)?;
            let [REQUEST, index @ ..] = asked.as_slice() else { continue };
            let [index, begin, length] = three_numbers(index)?;
            let block = self.block(index, begin, length)?;
            if let Some(rate) = self.rate {
                free_at = free_at.max(Instant::now()) + Duration::from_nanos(block.len() as u64 * 1_000_000_000 / rate);
                thread::sleep(free_at.saturating_duration_since(Instant::now()));
            }
            stream.write_all(&block)?;
            self.sent.fetch_add(u64::from(length), Ordering::Relaxed);
        }
    }

    /// The piece message with a block.
    fn block(&self, index: u32, begin: u32, length: u32) -> io::Result<Vec<u8>> {
        let mut body = vec![0; 8 + length as usize];
        body[..4].copy_from_slice(&index.to_be_bytes());
        body[4..8].copy_from_slice(&begin.to_be_bytes());
        let offset = u64::from(index) * self.shared.piece_length + u64::from(begin);
        match &self.shared.content {
            Content::File(file) => file.read_exact_at(&mut body[8..], offset)?,
            Content::Repeated(piece) => {
                let (from, upto) = (begin as usize, begin as usize + length as usize);
                body[8..].copy_from_slice(piece.get(from..upto).ok_or(io::ErrorKind::InvalidData)?);
            }
        }
        Ok(message(PIECE, &body))
    }
}

/// Our side of a handshake, without extensions.
pub fn handshake(info_hash: &[u8; 20], number: usize) -> Vec<u8> {
    [b"\x13BitTorrent protocol\0\0\0\0\0\0\0\0", info_hash.as_slice(), &peer_id(number)].concat()
}

fn peer_id(number: usize) -> [u8; 20] {
    let text = format!("-BN0001-{number:012}");
    text.as_bytes().try_into().expect("20 letters")
}

/// A message with its length.
pub fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32 + 1).to_be_bytes(), [kind].as_slice(), body].concat()
}

/// A bitfield of `pieces` bits, the spare ones at its end zero.
fn all_ones(pieces: usize) -> Vec<u8> {
    let mut bits = vec![0xff; pieces.div_ceil(8)];
    if let Some(last) = bits.last_mut().filter(|_| !pieces.is_multiple_of(8)) {
        *last <<= 8 - pieces % 8;
    }
    bits
}

/// A message without its length: its id and body, or nothing for a keep-alive.
pub fn read_message(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length) as usize;
    if length > LONGEST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut message = vec![0; length];
    from.read_exact(&mut message)?;
    Ok(message)
}

fn three_numbers(bytes: &[u8]) -> io::Result<[u32; 3]> {
    let number = |at: usize| bytes.get(at..at + 4).and_then(|four| Some(u32::from_be_bytes(four.try_into().ok()?)));
    let three = || Some([number(0)?, number(4)?, number(8)?]);
    three().ok_or_else(|| io::ErrorKind::InvalidData.into())
}
