//! A peer that plays a part: it claims to have given pieces, and unchokes or does not.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;

/// The part of such a peer.
#[derive(Clone)]
pub struct Part {
    /// The pieces it has: the body of a message `bitfield`.
    pub bitfield: Vec<u8>,
    /// Whether it unchokes others. It never sends a block.
    pub unchokes: bool,
}

/// Plays `part` for every peer that connects to the returned port, until the process ends.
pub fn play(part: Part) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port of the system's choice is free");
    let port = listener.local_addr().expect("a bound socket has an address").port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let part = part.clone();
            thread::spawn(move || serve(stream, &part, port));
        }
    });
    port
}

fn serve(mut stream: TcpStream, part: &Part, port: u16) -> io::Result<()> {
    let mut handshake = [0; 68];
    stream.read_exact(&mut handshake)?;
    // No extensions, and the same peer id in every connection.
    handshake[20..28].fill(0);
    handshake[48..].copy_from_slice(format!("-XX0001-{port:012}").as_bytes());
    stream.write_all(&handshake)?;
    message(&mut stream, 5, &part.bitfield)?;
    if part.unchokes {
        message(&mut stream, 1, &[])?;
    }
    io::copy(&mut stream, &mut io::sink())?;
    Ok(())
}

fn message(stream: &mut TcpStream, id: u8, body: &[u8]) -> io::Result<()> {
    stream.write_all(&(body.len() as u32 + 1).to_be_bytes())?;
    stream.write_all(&[&[id], body].concat())
}
