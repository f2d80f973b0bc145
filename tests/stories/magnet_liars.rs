//! Stories of magnet links among peers that lie about the description: raw sockets, and one honest peer.

use crate::common::content::Content;
use crate::common::hostile::{handshake, message};
use crate::common::json;
use crate::common::peers::{Plan, Program};
use crate::common::proc;
use crate::common::stage::Stage;
use crate::common::swarmlet::Get;
use crate::common::tools::{Tool, here};
use crate::common::wait::{PATIENCE, wait_until};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// What a liar does.
#[derive(Clone, Copy)]
enum Lie {
    /// It claims this size, and sends nothing.
    Size(i64),
    /// It claims the right size, and each block that it sends is wrong.
    Garbage(usize),
    /// It sends a bitfield of 256 KiB, haves of pieces that can't exist, and everything else that can come early.
    Early,
    /// It sends unrequested blocks without end.
    Unasked(usize),
}

/// Listens, does that to every peer that connects, and returns its address.
fn liar(lie: Lie, info_hash: [u8; 20], number: u32) -> SocketAddr {
    // Each has an address of its own, because few ports of an address in a link are tried.
    let listener = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 10 + number as u8), 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            thread::spawn(move || deceive(socket, lie, &info_hash, number));
        }
    });
    address
}

fn deceive(mut socket: TcpStream, lie: Lie, info_hash: &[u8; 20], number: u32) -> io::Result<()> {
    let mut theirs = [0; 68];
    socket.read_exact(&mut theirs)?;
    let mut ours = handshake(info_hash, number);
    // The extension protocol and the fast extension.
    (ours[25], ours[27]) = (0x10, 0x04);
    socket.write_all(&ours)?;
    let size = match lie {
        Lie::Size(size) => size,
        Lie::Garbage(size) | Lie::Unasked(size) => size as i64,
        Lie::Early => 40_000,
    };
    let head = format!("d1:md11:ut_metadatai3ee13:metadata_sizei{size}ee");
    socket.write_all(&message(20, &[&[0], head.as_bytes()].concat()))?;
    if let Lie::Early = lie {
        socket.write_all(&message(5, &[0xff; 256 * 1024]))?;
        for piece in [0, 7, u32::MAX] {
            socket.write_all(&message(4, &piece.to_be_bytes()))?;
        }
        socket.write_all(&[message(14, &[]), message(1, &[]), message(2, &[])].concat())?;
    }
    if let Lie::Unasked(size) = lie {
        loop {
            socket.write_all(&block(0, size))?;
        }
    }
    loop {
        let mut length = [0; 4];
        socket.read_exact(&mut length)?;
        let mut body = vec![0; u32::from_be_bytes(length) as usize];
        socket.read_exact(&mut body)?;
        // Our id for ut_metadata is 2. The other side uses the 3 that we named.
        let asks = |body: &[u8]| body.starts_with(&[20, 3]);
        if let (Lie::Garbage(size), true) = (lie, asks(&body)) {
            let text = String::from_utf8_lossy(&body).into_owned();
            let piece = text.split("5:piecei").nth(1).and_then(|rest| rest.split('e').next()?.parse().ok());
            socket.write_all(&block(piece.unwrap_or(0), size))?;
        }
    }
}

/// A message with a wrong block.
fn block(piece: usize, size: usize) -> Vec<u8> {
    let head = format!("d8:msg_typei1e5:piecei{piece}e10:total_sizei{size}ee");
    let length = size.saturating_sub(piece * 16_384).min(16_384);
    message(20, &[&[2], head.as_bytes(), &vec![7; length]].concat())
}

#[test]
fn liars_delay_a_description_by_less_than_ten_seconds_and_take_no_memory() {
    if !here(&[Tool::Libtorrent]) {
        return;
    }
    let stage = Stage::new(Content::one_file("a file.bin", 40 << 20), 16 << 10);
    let (hash, size) = (stage.torrent.info_hash, stage.torrent.info_length());
    let plan = Plan::seed(Program::Libtorrent, &stage.torrent, &stage.source, stage.path());
    let mut seed = plan.start();
    stage.tracker.wait_for_a_seed(&hash, || seed.must_run());
    let lies = [
        Lie::Size(1 << 31),
        Lie::Size(0),
        Lie::Size(-1),
        Lie::Size((32 << 20) - 1),
        Lie::Size(17),
        Lie::Garbage(size),
        Lie::Garbage(size + 1),
        Lie::Early,
        Lie::Unasked(size),
    ];
    let liars = lies.iter().zip(1..).map(|(lie, number)| liar(*lie, hash, number));
    let peers: String = liars.chain([plan.address()]).map(|peer| format!("&x.pe={peer}")).collect();
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let get = Get::new("leecher", stage.path()).arg(format!("magnet:?xt=urn:btih:{hex}{peers}")).arg("--json");
    let begun = Instant::now();
    let mut running = get.arg("--seed").start();
    let mut most = 0;
    wait_until("the description has come", PATIENCE, || {
        running.must_run();
        most = most.max(proc::status(running.id(), "VmRSS"));
        json::first(&running.stdout(), "metadata").is_some()
    });
    assert!(begun.elapsed() < Duration::from_secs(10), "it took {:?}", begun.elapsed());
    assert!(most < 40 << 10, "{most} KiB");
    wait_until("all of it has come", PATIENCE, || {
        running.must_run();
        json::first(&running.stdout(), "complete").is_some()
    });
    stage.content.assert_same_in(&stage.path().join("leecher"));
    running.terminate();
}

/// A description with the right hash that no program should use.
#[test]
fn a_description_that_is_right_and_cannot_be_used_makes_nothing() {
    if !here(&[Tool::Libtorrent]) {
        return;
    }
    let bomb = format!("d4:name{}{}e", "l".repeat(5_000), "e".repeat(5_000));
    let outside = "d6:lengthi1e4:name2:..12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaae".to_string();
    for info in [bomb, outside] {
        let scratch = tempfile::tempdir().unwrap();
        let hash = crate::common::torrent::sha1(info.as_bytes());
        let honest = teller(info.into_bytes(), hash);
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        let get = Get::new("leecher", scratch.path()).arg(format!("magnet:?xt=urn:btih:{hex}&x.pe={honest}"));
        let ran = get.run();
        ran.assert_refused(65);
        assert!(ran.stderr.contains("the description that came from peers can't be used"), "{}", ran.stderr);
        assert_eq!(std::fs::read_dir(&get.dir).unwrap().count(), 0);
        let states = std::fs::read_dir(scratch.path().join("state/swarmlet")).unwrap();
        assert_eq!(states.count(), 0, "nothing is saved");
    }
}

/// A peer that sends `info` as the description, whatever it is.
fn teller(info: Vec<u8>, info_hash: [u8; 20]) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || -> io::Result<()> {
        let (mut socket, _) = listener.accept()?;
        socket.read_exact(&mut [0; 68])?;
        let mut ours = handshake(&info_hash, 1);
        ours[25] = 0x10;
        socket.write_all(&ours)?;
        let head = format!("d1:md11:ut_metadatai3ee13:metadata_sizei{}ee", info.len());
        socket.write_all(&message(20, &[&[0], head.as_bytes()].concat()))?;
        // It waits until it is asked.
        let (mut said, mut part) = (Vec::<u8>::new(), [0; 1024]);
        while !said.windows(12).any(|bytes| bytes == b"8:msg_typei0") {
            match socket.read(&mut part)? {
                0 => return Ok(()),
                count => said.extend(&part[..count]),
            }
        }
        let head = format!("d8:msg_typei1e5:piecei0e10:total_sizei{}ee", info.len());
        socket.write_all(&message(20, &[&[2], head.as_bytes(), &info].concat()))?;
        io::copy(&mut socket, &mut io::sink()).map(drop)
    });
    address
}
