//! `swarmlet track`: runs a tracker.
//!
//! Floor 4.

use crate::base::network::Network;
use crate::base::path::for_terminal;
use crate::base::time::Time;
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::command::{Command, Completes, Group, Part, Section};
use crate::cli::options::flags::{Flag, Parsed};
use crate::cli::options::run::{HELP, QUIET};
use crate::cli::options::typed;
use crate::cli::run::log;
use crate::cli::say;
use crate::sys::in_words;
use crate::tracker::reach::External;
use crate::tracker::registry::Limits;
use crate::tracker::{self, Config, Signal, TrackerError};
use ::log::LevelFilter;
use crossbeam_channel::Receiver;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::net::IpAddr;
use std::thread::Builder;

/// The port of trackers since 2001.
const DEFAULT_PORT: u64 = 6969;
/// Seconds between announces (mainline).
const DEFAULT_INTERVAL: u64 = 1800;
/// Peers per reply if the client names no number (mainline).
const DEFAULT_RESPONSE: u64 = 50;
/// Most peers per reply, whatever number the client names (mainline).
const MOST_RESPONSE: usize = 200;
/// Most peers of all swarms together. They take some 40 MB.
const DEFAULT_PEERS: u64 = 1_000_000;
/// Most peers of one swarm. Building the index of a larger swarm again would take noticeable time.
const MOST_SWARM_PEERS: usize = 200_000;

/// `track`, described.
pub const COMMAND: Command = Command {
    name: "track",
    summary: "run a tracker",
    usage: "[OPTION]...",
    completes: Completes::Nothing,
    about: &[
        "Run a tracker, which introduces peers to each other, over HTTP and UDP, until interrupted.",
        "Peers announce at http://HOST:6969/announce and udp://HOST:6969. There is a web page at http://HOST:6969/. \
         SIGINT and SIGTERM save the swarms and end the tracker; a second one ends it immediately. SIGHUP makes it \
         read its files again and reopen its log.",
        "If it is called bttrack or bttrack.py, through a link, it takes the options that bttrack had in 2004.",
    ],
    options: &[
        Group {
            title: "Network",
            flags: &[
                Flag::with("port", "PORT", "Port for HTTP and UDP; 0: the system chooses").short("p").default("6969"),
                Flag::with("bind", "ADDR", "Listen only on this address").default("all addresses"),
                Flag::with(
                    "trusted-proxy",
                    "ADDR",
                    "Accept X-Forwarded-For and Forwarded from this proxy; several with commas",
                ),
                Flag::with(
                    "external-ip",
                    "ADDR",
                    "Give clients outside this address instead of a loopback or private one; with a comma, one of IPv4 \
                     and one of IPv6",
                ),
                Flag::switch(
                    "trust-ip",
                    "Accept the address in `ip=` from every client, not only from this machine and private addresses",
                ),
                Flag::switch("nat-check", "Connect to each peer first, and leave unreachable peers out of replies"),
            ],
        },
        Group {
            title: "Files",
            flags: &[
                Flag::with("dfile", "FILE", "Keep the swarms over restarts; saved every 5 minutes and at the end"),
                Flag::with("logfile", "FILE", "Write a line for each request, in combined log format"),
                Flag::with(
                    "allowed-dir",
                    "DIR",
                    "Track only the .torrent files of this folder, and serve them; the folder is read again every \
                     minute, on SIGHUP, and when an unknown torrent is announced",
                ),
                Flag::with(
                    "passkeys",
                    "FILE",
                    "Accept only the passkeys in this file, one per line; peers announce at /PASSKEY/announce",
                ),
            ],
        },
        Group {
            title: "Limits",
            flags: &[
                Flag::with("interval", "SEC", "How often peers should announce").default("1800"),
                Flag::with("min-interval", "SEC", "How often peers may announce").default("half of --interval"),
                Flag::with(
                    "response-size",
                    "N",
                    "Peers per reply when the client names no number; clients that ask for more get at most 200",
                )
                .default("50"),
                Flag::with(
                    "max-peers",
                    "N",
                    "Limit on the peers of all swarms together; there are at most a tenth as many swarms",
                )
                .default("1000000"),
            ],
        },
        Group {
            title: "What is published",
            flags: &[
                Flag::switch("full-scrape", "Answer a scrape without info_hash with every swarm"),
                Flag::switch("no-page", "Serve no page at / and no figures at /stats.json and /metrics"),
                Flag::switch("stats-json", "Serve the figures even with --no-page"),
            ],
        },
        Group {
            title: "Output",
            flags: &[
                QUIET,
                Flag::switch("verbose", "Log to standard error; given twice, log every decision").short("v"),
                HELP,
            ],
        },
    ],
    exits: &[
        (Exit::Success, "the tracker was ended by a signal"),
        (Exit::Usage, "the command line is wrong"),
        (Exit::NoInput, "a file or folder does not exist or cannot be read"),
        (Exit::Unavailable, "the port cannot be used: it is taken, or it is below 1024 and needs privileges"),
        (Exit::CantCreate, "a file cannot be created"),
        (Exit::Io, "the system refuses to report signals"),
        (Exit::Interrupted, "a second signal ended the tracker immediately"),
    ],
    exit_note: "",
    sections: &[Section {
        title: "Fields of /stats.json",
        parts: &[Part::Terms(&[
            ("uptime", "seconds since the start"),
            ("swarms, peers", "how many there are now"),
            ("http_announces, udp_announces, scrapes, refused", "requests since the start"),
            ("announces_a_minute", "announces of each of the last 60 minutes; the current minute is last"),
            ("torrents", "a list of info_hash, seeds, leechers, completed, name, size"),
        ])],
    }],
    examples: &[
        "swarmlet track",
        "swarmlet track --dfile state --allowed-dir /srv/torrents --logfile tracker.log",
        "swarmlet track --external-ip 203.0.113.7",
        "swarmlet track --bind 127.0.0.1 --trusted-proxy 127.0.0.1",
        "bttrack.py --dfile dfile.log --logfile track.log --port 6969",
    ],
    run,
};

/// Runs the command.
fn run(given: &Parsed) -> Result<Exit, Failure> {
    nothing_else(given)?;
    let interval = given.number("interval", 30..=36_000, "seconds")?.unwrap_or(DEFAULT_INTERVAL);
    let min_interval = given.number("min-interval", 1..=interval, "seconds")?.unwrap_or(interval / 2);
    let max_peers = given.number("max-peers", 1..=100_000_000, "peers")?.unwrap_or(DEFAULT_PEERS);
    let peers = usize::try_from(max_peers).unwrap_or(usize::MAX);
    let bind = addresses(given, "bind")?;
    if bind.len() > 1 {
        return Err(Failure::usage("--bind takes only one address"));
    }
    let external = External::new(&addresses(given, "external-ip")?).filter(External::is_usable);
    let external = external.ok_or_else(|| {
        Failure::usage("--external-ip takes at most one IPv4 and one IPv6 address, at which peers can be reached")
    })?;
    let response_size = given.number("response-size", 0..=MOST_RESPONSE as u64, "peers")?.unwrap_or(DEFAULT_RESPONSE);
    let page = !given.has("no-page");
    let config = Config {
        // The range says that it is a port.
        port: given.number("port", 0..=65_535, "a port")?.unwrap_or(DEFAULT_PORT) as u16,
        bind: bind.first().copied(),
        state_file: given.path("dfile", "a file")?,
        log_file: given.path("logfile", "a file")?,
        allowed_dir: given.path("allowed-dir", "a folder")?,
        passkeys_file: given.path("passkeys", "a file")?,
        // The ranges say that they fit.
        interval: interval as u32,
        min_interval: min_interval as u32,
        response_size: response_size as usize,
        most_response_size: MOST_RESPONSE,
        limits: Limits {
            peers,
            swarm_peers: peers.min(MOST_SWARM_PEERS),
            swarms: (peers / 10).max(100),
            // A peer that missed one announce may be late; one that missed two is gone.
            age: Time::from_secs(2 * interval),
        },
        trust_ip: given.has("trust-ip"),
        trusted_proxies: networks(given, "trusted-proxy")?,
        external,
        nat_check: given.has("nat-check"),
        page,
        figures: page || given.has("stats-json"),
        full_scrape: given.has("full-scrape"),
    };
    track(config, given.times("verbose"), given.has("quiet"))
}

fn nothing_else(given: &Parsed) -> Result<(), Failure> {
    match given.arguments().first() {
        None => Ok(()),
        Some(argument) => {
            let name = typed::shown(argument);
            Err(Failure::usage(format!(
                "'{name}': track takes only options; to track the torrents of a folder: --allowed-dir {name}"
            )))
        }
    }
}

fn networks(given: &Parsed, long: &str) -> Result<Vec<Network>, Failure> {
    let text = given.value(long).unwrap_or_default();
    let text = text.to_string_lossy();
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let parsed: Option<Vec<Network>> = parts.map(Network::parse).collect();
    let wrong = || format!("--{long} {text}: expected IP addresses or networks, such as 127.0.0.1 or 10.0.0.0/8");
    parsed.ok_or_else(|| Failure::usage(wrong()))
}

fn addresses(given: &Parsed, long: &str) -> Result<Vec<IpAddr>, Failure> {
    let Some(text) = given.value(long) else { return Ok(Vec::new()) };
    let text = text.to_string_lossy();
    // An empty --bind means all addresses, as in 2004.
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let parsed: Result<Vec<IpAddr>, _> = parts.map(|part| part.parse().map(|ip: IpAddr| ip.to_canonical())).collect();
    parsed.map_err(|_| Failure::usage(format!("--{long} {text}: expected an IP address, such as 127.0.0.1")))
}

fn track(config: Config, verbosity: usize, quiet: bool) -> Result<Exit, Failure> {
    log::begin_at([LevelFilter::Warn, LevelFilter::Info, LevelFilter::Debug][verbosity.min(2)], false);
    let signals = watch()?;
    let host = config.bind.map_or("this machine, all addresses".to_string(), |ip| ip.to_string());
    let ready = |port| {
        if !quiet {
            say::line(&format!(
                "swarmlet: tracker on {host}: http port {port}, udp port {port}; announce at /announce"
            ));
        }
    };
    tracker::run(config, &signals, ready).map_err(explain)?;
    Ok(Exit::Success)
}

/// Starts to watch for signals: SIGHUP means reload, SIGINT and SIGTERM mean stop; a second one ends the process at
/// once.
fn watch() -> Result<Receiver<Signal>, Failure> {
    let refused = |error| Failure::new(Exit::Io, format!("can't listen for signals: {error}"));
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(refused)?;
    let (sender, receiver) = crossbeam_channel::unbounded();
    let wait = move || {
        let mut ending = false;
        for signal in signals.forever() {
            if signal != SIGHUP && std::mem::replace(&mut ending, true) {
                std::process::exit(Exit::Interrupted.code().into());
            }
            // The receiver is dropped only when the tracker ends.
            let _ = sender.send(if signal == SIGHUP { Signal::Reload } else { Signal::Stop });
        }
    };
    Builder::new().name("signals".into()).stack_size(64 << 10).spawn(wait).map_err(refused)?;
    Ok(receiver)
}

fn explain(error: TrackerError) -> Failure {
    let exit = match (error.no_input, error.doing.starts_with("listen")) {
        (true, _) => Exit::NoInput,
        (_, true) => Exit::Unavailable,
        _ => Exit::CantCreate,
    };
    Failure::new(exit, format!("can't {}: {}", for_terminal(&error.doing), in_words(&error.error)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

    fn complaint(arguments: &[&str]) -> u8 {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        let outcome = COMMAND.parse(&arguments).and_then(|given| run(&given));
        outcome.err().map_or(0, |failure| failure.exit.code())
    }

    #[test]
    fn the_command_line_is_checked_first() {
        for wrong in [
            &["--port", "65536"][..],
            &["--bind", "here"],
            &["--bind", "127.0.0.1,::1"],
            &["--interval", "5"],
            &["--interval", "60", "--min-interval", "61"],
            &["--response-size=201"],
            &["--dfile="],
            &["--trusted-proxy", "proxy.example"],
            &["--trusted-proxy", "127.0.0.1,10.0.0.0/33"],
            &["--external-ip", "home.example"],
            &["--external-ip", "5.5.5.5,6.6.6.6"],
            &["--external-ip", "0.0.0.0"],
            &["folder"],
        ] {
            assert_eq!(complaint(wrong), 64, "{wrong:?}");
        }
        assert_eq!(complaint(&["--port", "0", "--allowed-dir", "/no/such"]), 66);
        assert_eq!(complaint(&["--port", "0", "--logfile", "/no/such/log"]), 73);
    }
}
