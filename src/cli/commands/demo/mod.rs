//! `swarmlet demo`: a whole swarm on this machine to watch.
//!
//! Floor 4. [`running`] is the swarm, [`figures`] is what is known of it at one moment, and from that [`screen`],
//! [`summary`] and [`svg`] are made.

mod content;
mod figures;
mod running;
mod scratch;
mod screen;
mod summary;
mod svg;

use super::Command;
use crate::base::units::{count, duration};
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::command::{Completes, Group};
use crate::cli::options::flags::{Flag, Parsed};
use crate::cli::options::output;
use crate::cli::options::run::{HELP, QUIET};
use crate::cli::run::request::UserRequest;
use crate::cli::run::{signals, terminal};
use crate::cli::say;
use crate::cli::show::live::canvas::{Canvas, is_there};
use crate::cli::trace::{TRACE, is_on_screen};
use crate::proto::krpc;
use crate::sys::replace::Output;
use crossbeam_channel::Receiver;
use figures::{Kind, Swarm};
use running::{Running, TICK};
use scratch::INTERRUPTED;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

/// The leechers of `--peers`. Each peer has a connection to each other one, and each connection takes four threads.
const DEFAULT_PEERS: u64 = 8;
const MOST_PEERS: u64 = 30;
/// Mebibytes of `--size`. With eight leechers and the default rate the swarm needs a quarter of a minute.
const DEFAULT_SIZE: u64 = 8;
const MOST_SIZE: u64 = 256;
/// Kibibytes a second of `--rate`. With the slowest lines, a block takes a few seconds.
const DEFAULT_RATE: u64 = 512;
const LEAST_RATE: u64 = 16;
const MOST_RATE: u64 = 1 << 20;
/// How often a line is written where there is no terminal.
const LOGGED: Duration = Duration::from_secs(2);
/// A swarm in which nothing has arrived for this long does not go on.
const PATIENCE: Duration = Duration::from_secs(60);
/// A piece is lost if it has not turned up so long after the seed left: it may be on its way to a disk.
const GRACE: Duration = Duration::from_secs(1);

/// `demo`, described.
pub const COMMAND: Command = Command {
    name: "demo",
    summary: "watch a whole swarm on this machine",
    usage: "[OPTION]...",
    completes: Completes::Nothing,
    about: &[
        "Run a whole swarm on this machine and show it: which peer has which pieces, and which peers it unchokes.",
        "A seed and some leechers share a file of random bytes. The tracker is that of `track`, each peer has the \
         engine of `get` and `seed`, and their connections are real. All are on 127.0.0.1, nothing leaves this \
         machine, and every file is deleted at the end. Then a table says what each peer gave and took, and how close \
         the swarm came to the fastest that is possible.",
    ],
    options: &[
        Group {
            title: "Swarm",
            flags: &[
                Flag::with("peers", "N", "Number of leechers, free-riders included, at most 30").default("8"),
                Flag::with("size", "MIB", "Size of the file, in units of 1024 * 1024 bytes, at most 256").default("8"),
                Flag::with("rate", "KB/s", "Upload limit of each peer, in units of 1024 bytes per second, at least 16")
                    .default("512"),
                Flag::with("free-riders", "N", "This many of the leechers unchoke nobody").default("0"),
                Flag::switch("super-seed", "The seed gives each piece to one peer, until others have it, too"),
                Flag::switch("leave", "The seed leaves as soon as each piece was given to somebody"),
                Flag::switch("no-tracker", "The peers find each other by a DHT among themselves"),
            ],
        },
        Group {
            title: "Output",
            flags: &[
                Flag::with("svg", "FILE", "Draw the summary into this file, which may be an earlier picture"),
                Flag::switch("plain", "Print plain lines, even on a terminal"),
                QUIET,
                Flag::switch("json", "Write the summary to standard output as a JSON object"),
                HELP,
            ],
        },
        TRACE,
    ],
    exits: &[
        (Exit::Success, "every leecher has the whole file"),
        (Exit::Incomplete, "a piece was lost with the seed, or a leecher did not get all"),
        (Exit::Usage, "the command line is wrong"),
        (Exit::Unavailable, "no port is free, the tracker can't start, or too few files may be open"),
        (Exit::CantCreate, "a file can't be written, or there is no space for the copies"),
        (Exit::Io, "reading or writing failed"),
        (Exit::Interrupted, "it was interrupted"),
    ],
    exit_note: "",
    sections: &[],
    examples: &[
        "swarmlet demo",
        "swarmlet demo --peers 12 --free-riders 3 --svg demo.svg",
        "swarmlet demo --leave --trace=trace.txt --trace-only choke",
    ],
    run,
};

/// What the person wants.
struct Wish {
    leechers: usize,
    riders: usize,
    /// In bytes.
    size: u64,
    /// In bytes per second.
    rate: u64,
    super_seed: bool,
    leave: bool,
    no_tracker: bool,
}

impl Wish {
    fn read(given: &Parsed) -> Result<Wish, Failure> {
        if let Some(argument) = given.arguments().first() {
            let shown = crate::cli::options::typed::shown(argument);
            return Err(Failure::usage(format!("'{shown}': demo takes only options")));
        }
        let leechers = given.number("peers", 1..=MOST_PEERS, "leechers")?.unwrap_or(DEFAULT_PEERS);
        let riders = given.number("free-riders", 0..=leechers, "of the leechers")?.unwrap_or(0);
        let size = given.number("size", 1..=MOST_SIZE, "MiB")?.unwrap_or(DEFAULT_SIZE) << 20;
        let rate =
            given.number("rate", LEAST_RATE..=MOST_RATE, "units of 1024 bytes a second")?.unwrap_or(DEFAULT_RATE) << 10;
        let no_tracker = given.has("no-tracker");
        if no_tracker && !krpc::IS_BUILT_IN {
            return Err(Failure::usage("--no-tracker: this swarmlet was built without the DHT (the feature `dht`)"));
        }
        // They are at most MOST_PEERS.
        let (leechers, riders) = (leechers as usize, riders as usize);
        let (super_seed, leave) = (given.has("super-seed"), given.has("leave"));
        Ok(Wish { leechers, riders, size, rate, super_seed, leave, no_tracker })
    }

    /// What each peer is: the seed first, and free-riders last.
    fn kinds(&self) -> impl Iterator<Item = Kind> {
        let givers = self.leechers - self.riders;
        let leecher = move |number| if number < givers { Kind::Leecher } else { Kind::FreeRider };
        std::iter::once(Kind::Seed).chain((0..self.leechers).map(leecher))
    }
}

/// How the swarm is shown.
enum View {
    Live(Canvas),
    /// When the last line was written.
    Lines(Instant),
    Quiet,
}

/// How the swarm ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Complete,
    Lost,
    Stuck,
    Interrupted,
}

/// Opens the file for the picture. A file with something else stays as it is.
fn open_picture(path: &Path) -> Result<Output, Failure> {
    let mut head = [0; svg::BEGIN.len()];
    let length = File::open(path).and_then(|mut file| file.read(&mut head)).unwrap_or(0);
    if length > 0 && head != *svg::BEGIN.as_bytes() {
        let text = format!("{}: this file is not an earlier picture, so it is not replaced", output::shown(path));
        return Err(Failure::new(Exit::CantCreate, text));
    }
    output::open(path)
}

/// Runs the command.
fn run(given: &Parsed) -> Result<Exit, Failure> {
    let wish = Wish::read(given)?;
    let svg = given.path("svg", "a file")?;
    let svg = svg.map(|path| Ok((open_picture(&path)?, path))).transpose()?;
    let is_quiet = given.has("quiet") || given.has("json");
    let mut view = match is_quiet {
        true => View::Quiet,
        false if is_there() && !given.has("plain") && !is_on_screen(given) => View::Live(Canvas::new()),
        false => View::Lines(Instant::now()),
    };
    let (requests, inbox) = crossbeam_channel::unbounded();
    signals::listen(&requests, false, false, true)?;
    let stop = || !inbox.is_empty();
    let mut running = Running::start(&wish, &stop)?;
    let result = watch(&mut running, &mut view, &wish, &inbox);
    let is_same = !matches!(result, Ok(End::Complete)) || running.has_same_copies(&stop);
    // Everything is deleted before the summary is written: a signal then ends the process at once.
    let swarm = running.end();
    let end = result?;
    if end == End::Interrupted || stop() {
        return Err(Failure::new(Exit::Interrupted, INTERRUPTED));
    }
    if let Some((output, path)) = svg {
        output::write_to(output, &path, svg::picture(&swarm).as_bytes())?;
    }
    match (given.has("json"), given.has("quiet")) {
        (true, _) => say::write_out(summary::object(&swarm))?,
        (false, false) => say::write_out(summary::table(&swarm))?,
        (false, true) => {}
    }
    match end {
        End::Complete if is_same => return Ok(Exit::Success),
        End::Complete => say::problem("a copy is NOT the same as the content of the seed"),
        End::Lost => say::problem(&lost_words(&swarm.lost())),
        End::Stuck | End::Interrupted => {
            say::problem(&format!("nothing has arrived for {}: the swarm does not go on", duration(PATIENCE)));
        }
    }
    Ok(Exit::Incomplete)
}

fn lost_words(lost: &[u32]) -> String {
    let first = lost.iter().take(5).map(u32::to_string).collect::<Vec<_>>().join(", ");
    let more = if lost.len() > 5 { ", ..." } else { "" };
    let pieces = count(lost.len(), "piece");
    format!("the seed has left, and only free-riders have {pieces} ({first}{more})\nthe others can never be complete")
}

/// Shows the swarm until it ends.
fn watch(running: &mut Running, view: &mut View, wish: &Wish, inbox: &Receiver<UserRequest>) -> Result<End, Failure> {
    if let View::Lines(_) = view {
        say::line(&screen::head(&running.swarm));
    }
    // Whether the seed was told to leave, when it was gone, and when something arrived last.
    let (mut leaves, mut gone, mut arrived, mut progress) = (false, None::<Instant>, 0, Instant::now());
    loop {
        if inbox.recv_timeout(TICK) == Ok(UserRequest::Interrupt) {
            return Ok(End::Interrupted);
        }
        running.look()?;
        if wish.leave && !leaves && running.swarm.is_out() {
            leaves = true;
            running.let_seed_leave();
            if let View::Lines(_) = view {
                say::line("each piece was given to somebody: the seed leaves");
            }
        }
        let swarm = &running.swarm;
        let taken: u64 = swarm.peers.iter().map(|peer| peer.taken).sum();
        if taken > arrived {
            (arrived, progress) = (taken, Instant::now());
        }
        // A seed that was told to leave is waited for: the leechers may be faster.
        let stays = wish.leave && !swarm.peers.first().is_some_and(|seed| seed.is_gone);
        if leaves && !stays {
            gone.get_or_insert_with(Instant::now);
        }
        let end = match () {
            _ if swarm.is_complete() && !stays => Some(End::Complete),
            _ if gone.is_some_and(|at| at.elapsed() > GRACE) && !swarm.lost().is_empty() => Some(End::Lost),
            _ if progress.elapsed() > PATIENCE => Some(End::Stuck),
            _ => None,
        };
        show(view, swarm, end.is_some());
        if let Some(end) = end {
            return Ok(end);
        }
    }
}

fn show(view: &mut View, swarm: &Swarm, is_end: bool) {
    match view {
        View::Live(canvas) if is_end || !terminal::in_background() => {
            let look = Canvas::look();
            canvas.draw(&[], &screen::draw(swarm, look), look);
        }
        View::Lines(last) if is_end || last.elapsed() >= LOGGED => {
            *last = Instant::now();
            say::line(&screen::state(swarm));
        }
        View::Live(_) | View::Lines(_) | View::Quiet => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

    fn wish(arguments: &[&str]) -> Result<Wish, Exit> {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        let given = COMMAND.parse(&arguments).map_err(|failure| failure.exit)?;
        Wish::read(&given).map_err(|failure| failure.exit)
    }

    #[test]
    fn the_command_line_is_checked_first() {
        for wrong in [
            &["--peers", "0"][..],
            &["--peers", "31"],
            &["--free-riders", "9"],
            &["--size", "0"],
            &["--rate", "15"],
            &["something"],
        ] {
            assert_eq!(wish(wrong).err(), Some(Exit::Usage), "{wrong:?}");
        }
        assert_eq!(wish(&["--no-tracker"]).is_ok(), krpc::IS_BUILT_IN);
    }

    #[test]
    fn free_riders_are_the_last_of_the_leechers() {
        let kinds: Vec<Kind> = wish(&["--peers", "3", "--free-riders", "1"]).ok().unwrap().kinds().collect();
        assert_eq!(kinds, [Kind::Seed, Kind::Leecher, Kind::Leecher, Kind::FreeRider]);
    }

    #[test]
    fn lost_pieces_are_named() {
        let words = "the seed has left, and only free-riders have 1 piece (7)\nthe others can never be complete";
        assert_eq!(lost_words(&[7]), words);
        assert!(lost_words(&[0, 1, 2, 3, 4, 5]).contains("6 pieces (0, 1, 2, 3, 4, ...)"));
    }
}
