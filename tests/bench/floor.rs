//! The least that a seed can do (BEP 3): a thread for each connection reads a request and sends the block. It has no
//! choking, no limits and no second thought, so it shows what the kernel alone costs. It is a program of its own
//! (`builds` compiles it), because its processor time is measured.
//!
//! `floor PORT FILE INFO_HASH PIECE_LENGTH`, the info-hash in hexadecimal digits.

use std::env;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

const UNCHOKE: u8 = 1;
const INTERESTED: u8 = 2;
const BITFIELD: u8 = 5;
const REQUEST: u8 = 6;
const PIECE: u8 = 7;
/// What is read at a time.
const BUFFER: usize = 64 * 1024;

struct Served {
    file: PathBuf,
    info_hash: [u8; 20],
    piece_length: u64,
}

fn main() {
    let args: Vec<String> = env::args().collect();
    let [_, port, file, info_hash, piece_length] = args.as_slice() else { panic!("four arguments are expected") };
    let byte = |at: usize| u8::from_str_radix(&info_hash[2 * at..2 * at + 2], 16).expect("hexadecimal digits");
    let served = Served {
        file: file.into(),
        info_hash: std::array::from_fn(byte),
        piece_length: piece_length.parse().expect("a number of bytes"),
    };
    let served = Arc::new(served);
    let port: u16 = port.parse().expect("a port");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("the port is free");
    for stream in listener.incoming().flatten() {
        let served = served.clone();
        // The leecher hangs up when it has everything.
        thread::spawn(move || served.serve(stream));
    }
}

impl Served {
    fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut file = File::open(&self.file)?;
        stream.read_exact(&mut [0; 68])?;
        stream.write_all(&[b"\x13BitTorrent protocol\0\0\0\0\0\0\0\0", &self.info_hash[..], &[b'-'; 20]].concat())?;
        // The torrents that are measured have a multiple of eight pieces.
        let bits = vec![0xff; (file.metadata()?.len() / self.piece_length / 8) as usize];
        stream.write_all(&[&(bits.len() as u32 + 1).to_be_bytes()[..], &[BITFIELD], &bits].concat())?;
        let (mut buffer, mut filled) = (vec![0; BUFFER], 0);
        loop {
            let mut used = 0;
            while let Some(message) = first(&buffer[used..filled]) {
                used += 4 + message.len();
                match message {
                    [INTERESTED] => stream.write_all(&[0, 0, 0, 1, UNCHOKE])?,
                    [REQUEST, block @ ..] => self.send(block, &mut file, &mut stream)?,
                    _ => {}
                }
            }
            buffer.copy_within(used..filled, 0);
            filled -= used;
            let count = stream.read(&mut buffer[filled..])?;
            if count == 0 {
                return Ok(());
            }
            filled += count;
        }
    }

    fn send(&self, block: &[u8], file: &mut File, stream: &mut TcpStream) -> io::Result<()> {
        let number = |at: usize| block.get(at..at + 4).and_then(|four| Some(u32::from_be_bytes(four.try_into().ok()?)));
        let numbers = || Some((number(0)?, number(4)?, number(8)?));
        let (piece, begin, length) = numbers().ok_or(io::ErrorKind::InvalidData)?;
        stream.write_all(&[&(length + 9).to_be_bytes()[..], &[PIECE], &block[..8]].concat())?;
        file.seek(SeekFrom::Start(u64::from(piece) * self.piece_length + u64::from(begin)))?;
        io::copy(&mut file.take(u64::from(length)), stream)?;
        Ok(())
    }
}

/// The first message, without its length, if all of it is there.
fn first(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.get(..u32::from_be_bytes(*length) as usize)
}
