//! Stories of hostile peers that begin with an encrypted handshake, or refuse one. The exchange of an honest peer is
//! made with the machines of the library.

use crate::common::content::Content;
use crate::common::hostile::{handshake, is_closed};
use crate::common::proc;
use crate::common::stage::Stage;
use crate::common::swarmlet::{Get, Swarmlet};
use crate::common::tools::say;
use crate::common::wait::PATIENCE;
use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use swarmlet::proto::id::InfoHash;
use swarmlet::proto::peer::mse::accepting::Accepting;
use swarmlet::proto::peer::mse::initiating::Initiating;
use swarmlet::proto::peer::mse::power::{self, KEY_BYTES, Key, Pair, Private};
use swarmlet::proto::peer::mse::rc4::Rc4;
use swarmlet::proto::peer::mse::{Broken, Chance, Methods, Opened, Policy, Step, keys};

const PIECE: usize = 64 * 1024;
/// A broken exchange must be closed this soon.
const SOON: Duration = Duration::from_secs(5);

fn stage() -> Stage {
    Stage::new(Content::one_file("a file.bin", 10 * PIECE), PIECE)
}

fn info_hash(stage: &Stage) -> InfoHash {
    InfoHash(stage.torrent.info_hash)
}

/// A private number. The exchange does not depend on which one.
const PRIVATE: Private = [7; 20];

/// Carries out one side of an exchange. Each write has at most `portion` bytes.
fn exchange(
    stream: &mut TcpStream,
    portion: usize,
    mut advance: impl FnMut(&[u8]) -> Result<Step, Broken>,
) -> io::Result<Box<Opened>> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    let mut came = Vec::new();
    loop {
        match advance(&came).map_err(io::Error::other)? {
            Step::Opened(opened) => return Ok(opened),
            Step::Send(bytes) => {
                bytes.chunks(portion).try_for_each(|some| stream.write_all(some))?;
                came.clear();
            }
            Step::Receive(most) => {
                came = vec![0; most];
                let count = stream.read(&mut came)?;
                came.truncate(count);
                if count == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
        }
    }
}

/// The handshake of a peer that was never seen before.
fn new_handshake(hash: InfoHash) -> Vec<u8> {
    static NUMBER: AtomicU32 = AtomicU32::new(100);
    handshake(&hash.0, NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// An honest peer begins an exchange, by RC4, and shakes hands. An error means that it was not answered.
fn shake(stream: &mut TcpStream, info_hash: InfoHash, chance: Chance, portion: usize) -> io::Result<()> {
    let ours = new_handshake(info_hash);
    let mut side = Initiating::new(info_hash, Methods::RC4, ours, chance);
    let Opened { ciphers, mut early, .. } = *exchange(stream, portion, |bytes| side.advance(bytes))?;
    let Some((mut inward, _)) = ciphers else { panic!("only RC4 was offered") };
    while early.len() < 68 {
        let mut rest = vec![0; 68 - early.len()];
        let count = stream.read(&mut rest)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        inward.apply(&mut rest[..count]);
        early.extend(&rest[..count]);
    }
    assert_eq!(early[28..48], info_hash.0, "it answers for another torrent");
    Ok(())
}

/// An honest peer with a pad of this many bytes.
fn honest(pad: usize) -> Chance {
    Chance { pair: Pair::new([9; 20]), pad: vec![0x13; pad] }
}

fn call(port: u16) -> TcpStream {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("it listens")
}

/// The same from another address of this machine.
fn call_from(ip: Ipv4Addr, port: u16) -> TcpStream {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).expect("there is a descriptor");
    bind(&socket, &SocketAddr::from((ip, 0))).expect("all of 127.0.0.0/8 is this machine");
    connect(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, port))).expect("it listens");
    socket.into()
}

/// What a peer sends that does everything right up to the encrypted part, and there says this.
fn says(port: u16, info_hash: InfoHash, sealed: &[&[u8]]) -> TcpStream {
    let mut stream = call(port);
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    stream.write_all(&power::public(&PRIVATE)).expect("it takes a key");
    let mut theirs = [0; KEY_BYTES];
    stream.read_exact(&mut theirs).expect("it answers with its key");
    let secret = power::secret(&theirs, &PRIVATE);
    let (mut outward, _): (Rc4, Rc4) = keys::ciphers(&secret, &info_hash);
    let mut sealed = sealed.concat();
    outward.apply(&mut sealed);
    let name = keys::hide(&keys::name(&info_hash), &secret);
    // It may have closed the connection before all of it was sent.
    let _ = stream.write_all(&[&keys::mark(&secret)[..], &name, &sealed].concat());
    stream
}

/// The number P, and this much more.
fn prime_and(more: i8) -> Key {
    const HEX: &str = "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404dd\
                       ef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a63a36210000000000090563";
    let mut key: Key = std::array::from_fn(|at| u8::from_str_radix(&HEX[2 * at..2 * at + 2], 16).unwrap());
    key[KEY_BYTES - 1] = key[KEY_BYTES - 1].wrapping_add_signed(more);
    key
}

#[test]
fn broken_exchanges_are_closed_at_once_and_an_honest_peer_is_answered() {
    let stage = stage();
    let (seed, port) = stage.serve(&["-vv"]);
    let (hash, zeros, rc4) = (info_hash(&stage), [0; 8], [0, 0, 0, 2]);
    let mut one = [0; KEY_BYTES];
    one[KEY_BYTES - 1] = 1;
    for key in [[0; KEY_BYTES], one, prime_and(-1), prime_and(0), prime_and(1), [0xff; KEY_BYTES]] {
        let mut stream = call(port);
        stream.write_all(&key).unwrap();
        assert!(is_closed(&mut stream, SOON), "it computes with {key:?}");
    }
    let mut padded = call(port);
    padded.write_all(&[&power::public(&PRIVATE)[..], &[7; 513 + 19]].concat()).unwrap();
    assert!(is_closed(&mut padded, SOON), "it looks for more behind a pad of 513 bytes");
    for (what, sealed) in [
        ("wrong zeros", &[&[1; 8][..], &rc4, &[0; 4]][..]),
        ("a second pad of 513 bytes", &[&zeros, &rc4, &[2, 1]]),
        ("a second pad of 65,535 bytes", &[&zeros, &rc4, &[0xff; 2], &[0; 60_000]]),
        ("65,535 first bytes", &[&zeros, &rc4, &[0; 2], &[0xff; 2], &[0; 60_000]]),
        ("no method", &[&zeros, &[0; 4], &[0; 4]]),
        ("a method that nobody knows", &[&zeros, &[0, 0, 0, 4], &[0; 4]]),
    ] {
        assert!(is_closed(&mut says(port, hash, sealed), SOON), "it tolerates {what}");
    }
    let mut elsewhere = says(port, InfoHash([9; 20]), &[&zeros, &rc4, &[0; 4]]);
    assert!(is_closed(&mut elsewhere, SOON), "it answers for a torrent that it does not have");
    // Its encrypted handshake names another torrent than the exchange.
    let other = handshake(&[9; 20], 1);
    let mut other = says(port, hash, &[&zeros, &rc4, &[0; 2], &[0, 68], &other]);
    assert!(is_closed(&mut other, SOON), "it answers a handshake for another torrent");

    let many = &[&zeros[..], &[0xff; 4], &[0; 2], &[0, 68], &handshake(&hash.0, 2)];
    assert!(
        !is_closed(&mut says(port, hash, many), Duration::from_secs(1)),
        "it refuses methods that it does not know"
    );
    shake(&mut call(port), hash, honest(0), 1 << 20).unwrap();
    assert!(!seed.stderr().contains("panicked"));
    seed.terminate().assert_code(0);
}

/// A key that begins with the first byte of a plain handshake, too. The pads are divided over many reads.
#[test]
fn an_honest_exchange_may_come_byte_by_byte_with_any_pad() {
    let stage = stage();
    let (seed, port) = stage.serve(&[]);
    let numbers = (0..=u16::MAX).map(|number| {
        let mut private = [1; 20];
        private[..2].copy_from_slice(&number.to_be_bytes());
        private
    });
    let begins_0x13: Private = numbers.into_iter().find(|private| power::public(private)[0] == 0x13).unwrap();
    for (pad, portion) in [(0, 1), (1, 1), (512, 1), (512, 7), (100, 96), (511, 1 << 20)] {
        for private in [[3; 20], begins_0x13] {
            let chance = Chance { pair: Pair::new(private), pad: vec![0; pad] };
            shake(&mut call(port), info_hash(&stage), chance, portion).unwrap();
        }
    }
    seed.terminate().assert_code(0);
}

#[test]
fn a_plain_peer_gets_no_answer_where_encryption_is_required_nor_an_encrypted_one_where_it_is_off() {
    let stage = stage();
    let hash = info_hash(&stage);
    let (seed, port) = stage.serve(&["--encryption", "require"]);
    let mut plain = call(port);
    plain.write_all(&handshake(&hash.0, 1)).unwrap();
    let mut answer = Vec::new();
    // A reset says the same.
    let _ = plain.read_to_end(&mut answer);
    assert!(answer.is_empty(), "{answer:?}");
    let only_plain = &[&[0; 8][..], &[0, 0, 0, 1], &[0; 2], &[0, 68], &handshake(&hash.0, 2)];
    assert!(is_closed(&mut says(port, hash, only_plain), SOON), "it goes on without RC4");
    shake(&mut call(port), hash, honest(3), 1 << 20).unwrap();
    seed.terminate().assert_code(0);

    let stage = self::stage();
    let hash = info_hash(&stage);
    let (seed, port) = stage.serve(&["--encryption", "off"]);
    assert!(shake(&mut call(port), hash, honest(3), 1 << 20).is_err());
    let mut plain = call(port);
    plain.write_all(&handshake(&hash.0, 1)).unwrap();
    let mut answer = [0; 68];
    plain.read_exact(&mut answer).unwrap();
    assert_eq!(answer[28..48], hash.0);
    seed.terminate().assert_code(0);
}

/// A peer that a story plays: ours connects to it and fetches nothing.
fn called(stage: &Stage, policy: &str) -> (TcpListener, Swarmlet) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let get: Get = stage.get("get").args(&["-vv", "--encryption", policy]);
    stage.tracker.introduce_only(get.port, listener.local_addr().unwrap());
    (listener, get.start())
}

/// The next connection of ours.
fn accept(listener: &TcpListener) -> TcpStream {
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn read<const N: usize>(stream: &mut TcpStream) -> [u8; N] {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

/// Answers an exchange that ours begins. Returns the first bytes of its stream.
fn answer(stream: &mut TcpStream, hash: InfoHash) -> Vec<u8> {
    let mut side = Accepting::new(Policy::Require, honest(300));
    let find = |name: &[u8; 20]| (*name == keys::name(&hash)).then_some(hash);
    let opened = exchange(stream, 1 << 20, |bytes| side.advance(bytes, find)).unwrap();
    opened.early
}

#[test]
fn a_refused_handshake_is_followed_by_the_other_kind_from_its_very_beginning() {
    for policy in ["allow", "prefer"] {
        let stage = stage();
        let hash = info_hash(&stage);
        let (listener, get) = called(&stage, policy);
        let plain = |stream: &mut TcpStream| {
            let bytes: [u8; 68] = read(stream);
            assert_eq!((&bytes[..20], &bytes[28..48]), (&b"\x13BitTorrent protocol"[..], &hash.0[..]));
        };
        let mut first = accept(&listener);
        let theirs = if policy == "allow" {
            plain(&mut first);
            None
        } else {
            // The exchange ends in its middle.
            let theirs: Key = read(&mut first);
            first.write_all(&power::public(&PRIVATE)).unwrap();
            let _: [u8; 40] = read(&mut first);
            Some(theirs)
        };
        drop(first);
        let mut second = accept(&listener);
        if theirs.is_some() {
            plain(&mut second);
        } else {
            assert_eq!(answer(&mut second, hash)[28..48], hash.0);
        }
        drop(second);
        // Later it begins with the kind that was understood last: none was answered by a handshake.
        let mut third = accept(&listener);
        if let Some(theirs) = theirs {
            assert!(read::<KEY_BYTES>(&mut third) != theirs, "a key is used twice");
        } else {
            plain(&mut third);
        }
        get.interrupt();
    }
}

/// Makes connections from twenty hosts, each of which sends these bytes, until it is `over`. Keeps the last ones open.
/// Their number is in `made`.
fn flood(port: u16, bytes: &[u8], made: &AtomicU32, over: &AtomicBool) {
    /// Each second, if the machine can.
    const RATE: u32 = 1000;
    let (mut open, mut count, begin) = (VecDeque::new(), 0, Instant::now());
    while !over.load(Ordering::Relaxed) {
        let mut stream = call_from(Ipv4Addr::new(127, 0, 1, (count % 20) as u8), port);
        // It may be closed already.
        let _ = stream.write_all(bytes);
        open.push_back(stream);
        if open.len() > 300 {
            open.pop_front();
        }
        count += 1;
        made.store(count, Ordering::Relaxed);
        let due = Duration::from_secs(1) * count / RATE;
        thread::sleep(due.saturating_sub(begin.elapsed()));
    }
}

/// An honest peer shakes hands without encryption.
fn shake_plainly(stream: &mut TcpStream, hash: InfoHash) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(&new_handshake(hash))?;
    stream.read_exact(&mut [0; 68])
}

/// Places for handshakes.
const PLACES: u32 = 64;

/// Honest peers come while `bytes` are sent by each connection of a flood. If these `stay`, they take all places.
fn honest_peers_are_answered_during_a_flood(what: &str, bytes: &[u8], stay: bool) {
    /// The flood has as many connections, however slow the machine is.
    const ENOUGH: u32 = 10 * PLACES;
    let stage = stage();
    let hash = info_hash(&stage);
    let (seed, port) = stage.serve(&[]);
    let (made, over) = (AtomicU32::new(0), AtomicBool::new(false));
    let before = proc::ticks(seed.id());
    let (mut slowest, mut most_threads, mut kept_out, begin) = (Duration::ZERO, 0, None, Instant::now());
    thread::scope(|scope| {
        scope.spawn(|| flood(port, bytes, &made, &over));
        // (A panic in here would leave the flood running.)
        let has = |count| made.load(Ordering::Relaxed) >= count || begin.elapsed() > PATIENCE;
        while !has(2 * PLACES) {
            thread::sleep(Duration::from_millis(10));
        }
        while (begin.elapsed() < Duration::from_secs(7) || !has(ENOUGH)) && kept_out.is_none() {
            let called = Instant::now();
            let call = || call_from(Ipv4Addr::new(127, 0, 0, 2), port);
            let shaken =
                || shake(&mut call(), hash, honest(77), 1 << 20).and_then(|()| shake_plainly(&mut call(), hash));
            // Where a machine is so busy that one call takes too long, a peer calls a second time.
            kept_out = shaken().or_else(|_| shaken()).err();
            slowest = slowest.max(called.elapsed());
            most_threads = most_threads.max(proc::status(seed.id(), "Threads"));
        }
        over.store(true, Ordering::Relaxed);
    });
    let flooded = made.into_inner();
    let seconds = begin.elapsed().as_secs_f64();
    let ticks = proc::ticks(seed.id()) - before;
    say(&format!(
        "{:.0} a second {what}; the slowest two honest handshakes took {slowest:?}; at most {most_threads} threads; {:.0} % \
         of a core",
        f64::from(flooded) / seconds,
        ticks as f64 / seconds
    ));
    assert!(kept_out.is_none(), "an honest peer was kept out: {kept_out:?}");
    assert!(flooded >= ENOUGH, "only {flooded} connections: that is no flood");
    assert!(!stay || most_threads >= PLACES.into(), "the flood did not take all places: {most_threads} threads");
    // Those that lost their places may not have ended yet.
    assert!(most_threads < 2 * u64::from(PLACES) + 40, "{most_threads} threads");
    assert!(slowest < PATIENCE / 3, "an honest peer waited {slowest:?}");
    seed.terminate().assert_code(0);
}

#[test]
fn a_flood_of_exchanges_that_stop_after_the_key_keeps_no_honest_peer_out() {
    honest_peers_are_answered_during_a_flood("stop after the key", &power::public(&PRIVATE), true);
}

/// Each of them costs an exponentiation or two.
#[test]
fn a_flood_of_keys_with_garbage_behind_them_keeps_no_honest_peer_out() {
    let garbage = [&power::public(&PRIVATE)[..], &[7; 513 + 19]].concat();
    honest_peers_are_answered_during_a_flood("send garbage after the key", &garbage, false);
}
