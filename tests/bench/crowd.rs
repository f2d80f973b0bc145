//! Many small leechers in one process (BEP 3). They drop what they receive, so that the cost of many connections for
//! the seed can be measured.

use super::farm::{REQUEST, UNCHOKE, handshake, message};
use std::io::{self, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

const INTERESTED: u8 = 2;
const PIECE: u8 = 7;
/// Bytes of a block.
const BLOCK: u32 = 16 * 1024;
/// Bytes of a piece of the torrent that is fetched.
const PIECE_BYTES: u32 = 1 << 20;
/// The requests that each leecher has outstanding.
const ASKED: u32 = 64;
/// The same on a slow line.
const ASKED_SLOWLY: u32 = 16;
/// If nothing arrives for this long, nothing will.
const SILENCE: Duration = Duration::from_secs(60);

/// Fetches `size` bytes in whole pieces over many connections at once. Returns how many bytes arrived.
pub fn fetch(seed: SocketAddr, info_hash: &[u8; 20], size: u64, connections: usize) -> u64 {
    let pieces = (size / u64::from(PIECE_BYTES)) as u32;
    // One after the other, because no seed accepts fifty handshakes from one address at once.
    let greeted = |number| greet(seed, info_hash, number).unwrap_or_else(|error| panic!("{number}: {error}"));
    let sockets: Vec<TcpStream> = (0..connections).map(greeted).collect();
    thread::scope(|scope| {
        let each = |(number, socket): (usize, TcpStream)| {
            // The connections take turns with the pieces, so that all are busy to the end.
            let mine: Vec<u32> = (number as u32..pieces).step_by(connections).collect();
            scope.spawn(move || leech(socket, &mine).unwrap_or_else(|error| panic!("{number}: {error}")))
        };
        let threads: Vec<_> = sockets.into_iter().enumerate().map(each).collect();
        threads.into_iter().map(|thread| thread.join().expect("it said what was wrong")).sum()
    })
}

/// Fetches `size` bytes, in pieces of one block, over one connection at `rate` bytes a second.
pub fn fetch_slowly(seed: SocketAddr, info_hash: &[u8; 20], size: u64, rate: u64) {
    let mut socket = greet(seed, info_hash, 0).expect("the seed listens");
    socket.write_all(&message(INTERESTED, &[])).expect("the seed hears us");
    let mut from = BufReader::new(socket.try_clone().expect("a socket can be shared"));
    let blocks = (size / u64::from(BLOCK)) as u32;
    let (mut asked, mut came, mut body) = (0, 0, vec![0; 1 << 20]);
    let mut begun = Instant::now();
    while came < blocks {
        let mut head = [0; 4];
        from.read_exact(&mut head).expect("the seed sends");
        let body = &mut body[..u32::from_be_bytes(head) as usize];
        from.read_exact(body).expect("the seed sends");
        match body.first() {
            Some(&UNCHOKE) => begun = Instant::now(),
            Some(&PIECE) => came += 1,
            _ => continue,
        }
        let due = Duration::from_secs_f64(f64::from(came) * f64::from(BLOCK) / rate as f64);
        thread::sleep(due.saturating_sub(begun.elapsed()));
        let upto = blocks.min(came + ASKED_SLOWLY);
        for piece in asked..upto {
            let request = message(REQUEST, &[piece, 0, BLOCK].map(u32::to_be_bytes).concat());
            socket.write_all(&request).expect("the seed hears us");
        }
        asked = upto;
    }
}

fn greet(seed: SocketAddr, info_hash: &[u8; 20], number: usize) -> io::Result<TcpStream> {
    let mut socket = TcpStream::connect(seed)?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(SILENCE))?;
    socket.write_all(&handshake(info_hash, number))?;
    socket.read_exact(&mut [0; 68])?;
    Ok(socket)
}

fn leech(mut socket: TcpStream, pieces: &[u32]) -> io::Result<u64> {
    socket.write_all(&message(INTERESTED, &[]))?;
    let mut from = BufReader::with_capacity(256 * 1024, socket.try_clone()?);
    let blocks = pieces.len() as u32 * (PIECE_BYTES / BLOCK);
    let (mut asked, mut came) = (0, 0);
    let mut body = vec![0; 1 << 20];
    while came < blocks {
        let mut head = [0; 4];
        from.read_exact(&mut head)?;
        let length = u32::from_be_bytes(head) as usize;
        let body = body.get_mut(..length).ok_or(io::ErrorKind::InvalidData)?;
        from.read_exact(body)?;
        match body.first() {
            Some(&UNCHOKE) => {}
            Some(&PIECE) => came += 1,
            _ => continue,
        }
        // Half of them at a time, as clients do.
        if asked - came <= ASKED / 2 {
            let upto = blocks.min(came + ASKED);
            let requests: Vec<Vec<u8>> = (asked..upto).map(|block| request(pieces, block)).collect();
            socket.write_all(&requests.concat())?;
            asked = upto;
        }
    }
    Ok(u64::from(came) * u64::from(BLOCK))
}

/// The request for a block, by its number in our pieces.
fn request(pieces: &[u32], block: u32) -> Vec<u8> {
    let per_piece = PIECE_BYTES / BLOCK;
    let numbers = [pieces[(block / per_piece) as usize], block % per_piece * BLOCK, BLOCK];
    message(REQUEST, &numbers.map(u32::to_be_bytes).concat())
}
