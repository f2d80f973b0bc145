//! A small peer that fetches step by step: the story decides when it requests and when it reads.

use super::torrent::Torrent;
use super::wait::PATIENCE;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Instant;

/// Bytes of a block.
pub const BLOCK: u32 = 16 * 1024;

/// A connection to a peer.
pub struct Asker {
    stream: TcpStream,
}

impl Asker {
    /// Connects to the peer on `port` and shakes hands as number `name`, with the fast extension or without extensions.
    pub fn connect(port: u16, torrent: &Torrent, name: u32, fast: bool) -> Asker {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("the peer listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        stream.set_nodelay(true).expect("an option can be set");
        let mut hello = b"\x13BitTorrent protocol".to_vec();
        hello.extend([0, 0, 0, 0, 0, 0, 0, if fast { 4 } else { 0 }]);
        hello.extend(torrent.info_hash);
        hello.extend(format!("-XX0002-{name:012}").as_bytes());
        stream.write_all(&hello).expect("the peer takes a handshake");
        let mut answer = [0; 68];
        stream.read_exact(&mut answer).expect("the peer answers the handshake");
        assert_eq!(answer[28..48], torrent.info_hash);
        Asker { stream }
    }

    /// The same, and waits until it is unchoked.
    pub fn unchoked(port: u16, torrent: &Torrent, name: u32, fast: bool) -> Asker {
        let mut asker = Asker::connect(port, torrent, name, fast);
        asker.send(2, &[]).expect("the peer takes an interested");
        while asker.hear().expect("the peer stays").0 != 1 {}
        asker
    }

    /// The port of this end.
    pub fn port(&self) -> u16 {
        self.stream.local_addr().expect("it is connected").port()
    }

    /// Sends a message.
    pub fn send(&mut self, id: u8, body: &[u8]) -> io::Result<()> {
        let mut message = (body.len() as u32 + 1).to_be_bytes().to_vec();
        message.push(id);
        message.extend(body);
        self.stream.write_all(&message)
    }

    /// Requests a block.
    pub fn ask(&mut self, piece: u32, begin: u32) -> io::Result<()> {
        self.send(6, &[piece, begin, BLOCK].map(u32::to_be_bytes).concat())
    }

    /// The next message that is not a keep-alive: its id and body.
    pub fn hear(&mut self) -> io::Result<(u8, Vec<u8>)> {
        loop {
            let mut length = [0; 4];
            self.stream.read_exact(&mut length)?;
            let mut body = vec![0; u32::from_be_bytes(length) as usize];
            self.stream.read_exact(&mut body)?;
            if !body.is_empty() {
                return Ok((body[0], body.split_off(1)));
            }
        }
    }

    /// Reads until a block arrives. Returns its bytes.
    pub fn block(&mut self) -> io::Result<Vec<u8>> {
        loop {
            let (id, mut body) = self.hear()?;
            if id == 7 {
                return Ok(body.split_off(8));
            }
        }
    }

    /// Fetches blocks of `piece` until `end`, with `ahead` requests outstanding. Returns when bytes of content arrived.
    pub fn fetch_until(&mut self, piece: u32, blocks: u32, ahead: u32, end: Instant) -> Vec<(Instant, u64)> {
        let mut came = Vec::new();
        let mut asked = 0;
        while Instant::now() < end {
            while asked < came.len() as u32 + ahead {
                self.ask(piece, asked % blocks * BLOCK).expect("the peer takes requests");
                asked += 1;
            }
            let block = self.block().expect("the peer serves");
            came.push((Instant::now(), block.len() as u64));
        }
        came
    }
}
