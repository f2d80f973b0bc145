//! What a leecher near its end costs its seed: it lacks only pieces that the seed has given before, so there is nothing
//! left to suggest (BEP 6). The pieces that it has must cost nothing.

use super::builds::Builds;
use super::common::process::Process;
use super::common::swarmlet::Get;
use super::common::tools::say;
use super::common::wait::PATIENCE;
use super::crowd::{INTERESTED, PIECE};
use super::farm::{REQUEST, UNCHOKE, handshake, message, read_message};
use super::measure::{self, per_gib};
use super::repeated::{NAME, Repeated};
use super::report::Report;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

/// The number of pieces, and the small number to compare with. Their zeros need no disk, and they are small so that a
/// check takes seconds.
const MANY: usize = 1_600_000;
const FEW: usize = LACKED;
const LENGTH: usize = 1024;
/// The last pieces, which the leecher lacks.
const LACKED: usize = 2048;
/// The pieces that it asks for, the same again and again: 256 MiB.
const ASKED_FOR: usize = 262_144;
const ROUNDS: usize = 3;
/// A seed that is stalled is not waited for longer.
const DEADLINE: Duration = Duration::from_secs(10);
/// The requests that are outstanding.
const ASKED: usize = 64;
const BITFIELD: u8 = 5;
/// The byte and the bit of the handshake for the fast extension (BEP 6).
const FAST: (usize, u8) = (27, 0x04);
/// The limit of the processor time with many pieces, as a share of that with few.
const LIMIT: f64 = 1.2;

/// Measures both in turn.
pub fn measure(report: &mut Report, builds: &Builds) {
    let mut seeds = [Seed::start(builds, FEW), Seed::start(builds, MANY)];
    let mut least = [f64::INFINITY; 2];
    for round in 1..=ROUNDS {
        for (seed, least) in seeds.iter_mut().zip(&mut least) {
            let (pieces, cpu) = (seed.pieces, seed.serve());
            say(&format!("end, round {round} of {ROUNDS}: {pieces} pieces: CPU {cpu:.2} s a GiB"));
            *least = least.min(cpu);
        }
    }
    let ratio = least[1] / least[0];
    let verdict = report.verdict("end", ratio <= LIMIT);
    let [few, many] = least.map(|figure| format!("{figure:.2}"));
    let what = format!("CPU, {MANY} pieces");
    let row = vec![what, format!("<= {LIMIT:.2}"), few, many, format!("{ratio:.2}"), verdict];
    let what = "A leecher near its end: what it costs to serve it in blocks of 1 KiB";
    report.section(&format!("{what}; CPU s a GiB, best of {ROUNDS} rounds"));
    report.table(
        &["target", &format!("of that with {FEW}"), &FEW.to_string(), &MANY.to_string(), "measured", ""],
        &[row],
    );
}

/// Our seed of a torrent of zeros.
struct Seed {
    pieces: usize,
    process: Process,
    port: u16,
    repeated: Repeated,
}

impl Seed {
    /// Starts it, and lets it give the last pieces once.
    fn start(builds: &Builds, pieces: usize) -> Seed {
        let repeated = Repeated::new(vec![0; LENGTH], pieces);
        let file = File::create(repeated.copies.join(NAME)).expect("the file is new");
        file.set_len(repeated.bytes()).expect("it is sparse");
        let get = Get::seed("seed", repeated.scratch.path(), &repeated.copies).program(&builds.default);
        let get = get.torrent(&repeated.torrent).arg("--quiet");
        let mut process = Process::start("swarmlet", &mut get.command(), repeated.scratch.path());
        repeated.tracker.wait_for_a_seed(&repeated.torrent.info_hash, || process.must_run());
        let port = get.port;
        let mut seed = Seed { pieces, process, port, repeated };
        let given = seed.ask(LACKED);
        assert_eq!(given, LACKED, "not all pieces were given once");
        seed
    }

    /// Seconds of processor time for a GiB.
    fn serve(&mut self) -> f64 {
        let before = measure::cpu(self.process.id());
        let given = self.ask(ASKED_FOR);
        per_gib(measure::cpu(self.process.id()) - before, (given * LENGTH) as u64)
    }

    /// A new leecher asks for this many pieces. Returns how many came.
    fn ask(&mut self, count: usize) -> usize {
        self.process.must_run();
        let info_hash = &self.repeated.torrent.info_hash;
        leech(self.port, info_hash, self.pieces, count).unwrap_or_else(|error| panic!("the seed hangs up: {error}"))
    }
}

fn leech(port: u16, info_hash: &[u8; 20], pieces: usize, count: usize) -> io::Result<usize> {
    let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut greeting = handshake(info_hash, 0);
    greeting[FAST.0] |= FAST.1;
    socket.write_all(&greeting)?;
    let mut from = BufReader::with_capacity(256 * 1024, socket.try_clone()?);
    from.read_exact(&mut [0; 68])?;
    // Both numbers are multiples of eight.
    let mut bits = vec![0xff; pieces / 8];
    bits[(pieces - LACKED) / 8..].fill(0);
    socket.write_all(&[message(BITFIELD, &bits), message(INTERESTED, &[])].concat())?;
    let (mut asked, mut came, begun) = (0, 0, Instant::now());
    while came < count && begun.elapsed() < DEADLINE {
        match read_message(&mut from)?.first() {
            Some(&UNCHOKE) => {}
            Some(&PIECE) => came += 1,
            _ => continue,
        }
        if asked - came <= ASKED / 2 {
            let upto = count.min(came + ASKED);
            let piece = |number: usize| (pieces - LACKED + number % LACKED) as u32;
            let request = |number| message(REQUEST, &[piece(number), 0, LENGTH as u32].map(u32::to_be_bytes).concat());
            socket.write_all(&(asked..upto).flat_map(request).collect::<Vec<u8>>())?;
            asked = upto;
        }
    }
    Ok(came)
}
