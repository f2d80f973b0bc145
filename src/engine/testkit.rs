//! What the tests of this floor share: content and torrents of it, a peer's surroundings, a web server of a few lines.
//!
//! Floor 3, tests only. Nothing here waits longer than [`PATIENCE`].

use super::blocks::Blocks;
use super::check::check;
use super::content::{Content, ContentError};
use super::files::FileCache;
use super::input::Input;
use super::link::Directory;
use super::reader::Surroundings;
use super::resume::look_at;
use crate::base::rng::Rng;
use crate::base::sha1::sha1;
use crate::proto::bencode::Bencode;
use crate::proto::id::PeerId;
use crate::proto::metainfo::Metainfo;
use crate::proto::peer::bitfield::Bitfield;
use crate::proto::resume::Record;
use crossbeam_channel::Receiver;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::thread;
use std::time::{Duration, Instant};

/// How long a test waits for what must come: far longer than it takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// `length` bytes that no compression, hole or slip of a block makes again.
pub fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut rng = Rng::new(seed);
    (0..length.div_ceil(8)).flat_map(|_| rng.bits().to_le_bytes()).take(length).collect()
}

/// A file of a folder's torrent: its length, and whether it is padding.
pub type Part = (usize, bool);

/// The torrent "whole" and its content: one file where `parts` is empty, else a folder.
pub fn torrent(length: usize, parts: &[Part], piece_length: usize, trackers: &[String]) -> (Metainfo, Vec<u8>) {
    let length = if parts.is_empty() { length } else { parts.iter().map(|part| part.0).sum() };
    let mut content = noise(length, length as u64 + piece_length as u64);
    let mut at = 0;
    for &(length, padding) in parts {
        if padding {
            content[at..at + length].fill(0);
        }
        at += length;
    }
    let hashes: Vec<u8> = content.chunks(piece_length).flat_map(sha1).collect();
    let file = |(index, (length, padding)): (usize, &Part)| {
        let folder = format!("folder {}", index % 3);
        let attr = if *padding { "p" } else { "" };
        Bencode::dict([
            ("length", (*length as i64).into()),
            ("path", Bencode::list([folder.as_str(), &index.to_string()])),
            ("attr", attr.into()),
        ])
    };
    let files = match parts {
        [] => ("length", (length as i64).into()),
        parts => ("files", Bencode::List(parts.iter().enumerate().map(file).collect())),
    };
    let info = [files, ("name", "whole".into()), ("piece length", (piece_length as i64).into())];
    let info = Bencode::dict(info.into_iter().chain([("pieces", hashes.into())]));
    let tiers = Bencode::List(trackers.iter().map(|url| Bencode::list([url.as_str()])).collect());
    let bytes = Bencode::dict([("info", info), ("announce-list", tiers)]).encode();
    (Metainfo::parse(&bytes).unwrap(), content)
}

/// The pieces of `content` that are there, whatever was there before.
pub fn check_all(content: &Content, progress: &AtomicU32) -> Result<Bitfield, ContentError> {
    let look = |file| content.open_file(file).and_then(|file| look_at(&file)).ok();
    let seen: Vec<Option<Record>> = (0..content.metainfo.files.len()).map(look).collect();
    Ok(check(content, &seen, None, progress).0)
}

/// The content of `metainfo` in `dir`.
pub fn open(metainfo: &Metainfo, dir: &Path, preallocate: bool) -> Arc<Content> {
    Arc::new(Content::open(0, metainfo.clone(), dir, Arc::new(FileCache::new()), preallocate).unwrap())
}

/// The bytes of file number `file`.
pub fn part<'a>(metainfo: &Metainfo, content: &'a [u8], file: usize) -> &'a [u8] {
    let entry = metainfo.files.at(file);
    &content[entry.offset as usize..entry.end() as usize]
}

/// What a peer's threads need, of a process that calls itself `id`; and what they tell the manager.
pub fn surroundings(id: u8) -> (Surroundings, Receiver<Input>) {
    let (manager, inbox) = crossbeam_channel::unbounded();
    let directory = Arc::new(Directory::default());
    let (blocks, gate) = (Blocks::new(1 << 20), Arc::default());
    (Surroundings { manager, directory, blocks, gate, peer_id: PeerId([id; 20]) }, inbox)
}

/// Two ends of a connection over the loopback; a read of the first fails after [`PATIENCE`].
pub fn socket_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    near.set_read_timeout(Some(PATIENCE)).unwrap();
    near.set_nodelay(true).unwrap();
    (near, listener.accept().unwrap().0)
}

/// Asks `met` until it says yes.
pub fn wait_until(what: &str, met: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !met() {
        assert!(Instant::now() < end, "waited in vain: {what}");
        thread::yield_now();
    }
}

/// A web server: each request's path and query go to `answer`, on a thread of its own, with the way back.
pub fn serve(answer: impl Fn(&str, &mut TcpStream) + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addr = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            let answer = answer.clone();
            thread::spawn(move || {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    match socket.read(&mut byte) {
                        Ok(1) => head.push(byte[0]),
                        _ => return,
                    }
                }
                let head = String::from_utf8(head).unwrap();
                answer(head.split(' ').nth(1).unwrap(), &mut socket);
            });
        }
    });
    addr
}

/// A server that gives the same bytes to everybody.
pub fn serve_bytes(bytes: impl Into<Vec<u8>>) -> SocketAddr {
    let bytes = bytes.into();
    // The client may leave in the middle.
    serve(move |_, socket| drop(socket.write_all(&bytes)))
}

/// An answer of HTTP with its length.
pub fn http(status: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
    answer.extend(body);
    answer
}
