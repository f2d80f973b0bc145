//! `swarmlet daemon`: torrents that programs and browsers control, as they control transmission.
//!
//! Floor 4. [`crate::daemon`] does the work.

use crate::base::path::for_terminal;
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::command::{Command, Completes, Group, Part, Section};
use crate::cli::options::flags::{Flag, Parsed};
use crate::cli::options::run::{self, HELP, QUIET};
use crate::cli::options::{outlet, source, states, typed};
use crate::cli::run::{log, signals};
use crate::cli::say;
use crate::cli::trace::{LITTLE_PATIENCE, TRACE};
use crate::daemon::{self, DaemonError, Options, Signal};
use crate::sys::outlet::Outlet;
use crate::sys::{in_words, trace};
use ::log::LevelFilter;
use crossbeam_channel::Receiver;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;
use std::path::{Path, PathBuf};
use std::thread::Builder;

/// `daemon`, described.
pub const COMMAND: Command = Command {
    name: "daemon",
    summary: "download and seed in the background, controlled over HTTP",
    usage: "[OPTION]...",
    completes: Completes::Nothing,
    about: &[
        "Download and seed torrents, until interrupted, as other programs tell it: its web page at \
         http://127.0.0.1:9091, `swarmlet remote`, and programs for the RPC of transmission, such as \
         transmission-remote, at http://127.0.0.1:9091/transmission/rpc. It stays in the foreground. /healthz says \
         whether it works, /metrics has figures for Prometheus.",
        "If the daemon has told a program that a change is made, the change survives kill -9. SIGHUP makes it read its \
         configuration again. SIGINT and SIGTERM end it; a second one ends it immediately.",
        "For what no option says, the configuration counts. Its defaults differ from those of `get`: the port for peers \
         is 51413, encryption is preferred, and peers in the local network are not looked for.",
    ],
    options: &[
        Group {
            title: "Files",
            flags: &[
                Flag::with("dir", "DIR", "Folder of the content").short("d"),
                Flag::with("incomplete-dir", "DIR", "Folder of content that is not complete yet"),
                Flag::with("watch-dir", "DIR", "Add each .torrent file that comes into this folder"),
                Flag::with("state", "DIR", "Folder of what it knows: torrents, settings, what is verified")
                    .default("$XDG_STATE_HOME/swarmlet/daemon, or ~/.local/state/swarmlet/daemon"),
                Flag::with("config", "FILE", "Read settings from this file").short("c"),
                Flag::with(
                    "import",
                    "DIR",
                    "Take over the settings and torrents of transmission-daemon, once, from its folder, such as \
                     ~/.config/transmission-daemon; nothing is changed there",
                ),
            ],
        },
        Group {
            title: "Control",
            flags: &[
                Flag::with("rpc", "ADDR:PORT", "Answer programs at this address; port 0: the system chooses")
                    .default("127.0.0.1:9091"),
                Flag::switch("rpc-open", "Let everybody who can reach that address control it, without a password"),
                Flag::with("web-home", "DIR", "Show the web page in this folder, such as transmission's"),
            ],
        },
        run::NETWORK,
        Group {
            title: "Output",
            flags: &[
                QUIET,
                Flag::switch("verbose", "Log more; given twice, log decisions too; three times, every message")
                    .short("v"),
                HELP,
            ],
        },
        TRACE,
    ],
    exits: &[
        (Exit::Success, "it was told to end"),
        (Exit::Usage, "the command line or the configuration is wrong"),
        (Exit::NoInput, "a file or folder does not exist or cannot be read"),
        (Exit::Unavailable, "a port is not free"),
        (Exit::CantCreate, "the folder of the state cannot be used, or another daemon uses it"),
        (Exit::Io, "something could not be written"),
    ],
    exit_note: "",
    sections: &[
        Section {
            title: "Configuration",
            parts: &[
                Part::Text(
                    "A line of the configuration file is `key = value`, or a comment after #. The keys are those of \
                     transmission's settings.json; the chapter \"The daemon\" of the book lists all. Some of them:",
                ),
                Part::Terms(&[
                    ("download-dir", "folder of the content; --dir comes before it"),
                    ("speed-limit-down, speed-limit-down-enabled", "limit of all downloads, in kB/s; the same with up"),
                    ("rpc-username, rpc-password, rpc-authentication-required", "the password for programs"),
                    ("download-roots", "folders below which programs may put content, separated by colons"),
                    ("bind-address-ipv4", "the only address to use, as with --bind, which comes before it"),
                    ("min-free-space", "downloads wait while a disk has less free space, in MB"),
                    ("script-torrent-done-filename, script-torrent-done-enabled", "a program to start"),
                ]),
                Part::Text(
                    "1 kB is 1,000 bytes, and a limit of 0 stops. If a program changes a setting, that holds until the \
                     value in the file is changed.",
                ),
            ],
        },
        source::PROXIES,
    ],
    examples: &[
        "swarmlet daemon --dir /srv/media",
        "swarmlet daemon --config /etc/swarmlet.conf --state /srv/.swarmlet",
        "swarmlet daemon --dir /srv/media --rpc 0.0.0.0:9091 --config /etc/swarmlet.conf",
    ],
    run,
};

/// Runs the command.
fn run(given: &Parsed) -> Result<Exit, Failure> {
    if !given.arguments().is_empty() {
        return Err(Failure::usage("`swarmlet daemon` takes no arguments; add torrents with `swarmlet remote add`"));
    }
    if given.has("quiet") && given.has("verbose") {
        return Err(Failure::usage("--quiet and --verbose contradict each other"));
    }
    match given.times("verbose") {
        0 if given.has("quiet") => log::begin_at(LevelFilter::Error, true),
        0 => log::begin_at(LevelFilter::Info, true),
        times => log::begin(times),
    }
    let outlet = outlet::read(given)?;
    let options = options(given, &outlet)?;
    let ready = |lines: &[String]| {
        if !given.has("quiet") {
            lines.iter().for_each(|line| say::problem(line));
        }
    };
    daemon::run(options, outlet, listen()?, ready).map(|()| Exit::Success).map_err(failure)
}

fn options(given: &Parsed, outlet: &Outlet) -> Result<Options, Failure> {
    let config = run::network(given, outlet)?;
    let mut settings = Vec::new();
    for (option, name, switch) in [
        ("dir", "download-dir", None),
        ("incomplete-dir", "incomplete-dir", Some("incomplete-dir-enabled")),
        ("watch-dir", "watch-dir", Some("watch-dir-enabled")),
    ] {
        if let Some(dir) = given.path(option, "a folder")? {
            settings.push((name, absolute(option, &dir)?));
            settings.extend(switch.map(|switch| (switch, "true".to_string())));
        }
    }
    if let Some(address) = given.text("rpc")? {
        let expected = || {
            let shown = for_terminal(&address);
            Failure::usage(format!(
                "--rpc {shown}: expected an address and a port, such as 127.0.0.1:9091 or [::1]:9091"
            ))
        };
        let (ip, port) = address.rsplit_once(':').ok_or_else(expected)?;
        let ip = ip.trim_matches(['[', ']']);
        let (Ok(_), Ok(_)) = (ip.parse::<core::net::IpAddr>(), port.parse::<u16>()) else { return Err(expected()) };
        settings.extend([("rpc-bind-address", ip.to_string()), ("rpc-port", port.to_string())]);
    }
    let state = match given.path("state", "a folder")? {
        Some(dir) => dir,
        None => match states::dir(given)? {
            Some(dir) => dir.join("daemon"),
            None => return Err(Failure::usage("HOME is not set: name the folder of the state with --state")),
        },
    };
    Ok(Options {
        config,
        has_port: given.value("port").is_some(),
        has_encryption: given.knows("encryption") && given.value("encryption").is_some(),
        file: given.path("config", "a file")?,
        given: settings,
        state,
        import: given.path("import", "a folder")?,
        web_home: given.path("web-home", "a folder")?,
        is_open: given.has("rpc-open"),
    })
}

/// The daemon tells programs where content is, so its folders have whole paths, which must be text.
fn absolute(option: &str, dir: &Path) -> Result<String, Failure> {
    let wrong = |why: &str| Failure::usage(format!("--{option} {}: {why}", typed::shown(dir)));
    let path: PathBuf = std::path::absolute(dir).map_err(|error| wrong(&in_words(&error)))?;
    path.into_os_string().into_string().map_err(|_| wrong("the path is not UTF-8, so programs could not name it"))
}

fn failure(error: DaemonError) -> Failure {
    let exit = match &error {
        DaemonError::Config(_) => Exit::Usage,
        DaemonError::NoInput(_) => Exit::NoInput,
        DaemonError::State(_) => Exit::CantCreate,
        DaemonError::Unavailable(_) => Exit::Unavailable,
        DaemonError::Io(_) => Exit::Io,
    };
    Failure::new(exit, for_terminal(&error.to_string()))
}

/// Starts the thread that waits for signals.
fn listen() -> Result<Receiver<Signal>, Failure> {
    let refused = |error| Failure::new(Exit::Io, format!("can't listen for signals: {error}"));
    let (sender, receiver) = crossbeam_channel::unbounded();
    let mut wanted = vec![SIGINT, SIGTERM, SIGXFSZ];
    if !signals::is_ignored(SIGHUP, &std::fs::read_to_string("/proc/self/status").unwrap_or_default()) {
        wanted.push(SIGHUP);
    }
    let mut caught = Signals::new(wanted).map_err(refused)?;
    let wait = move || {
        let mut asked = false;
        for signal in caught.forever() {
            match signal {
                SIGHUP => drop(sender.send(Signal::Reload)),
                SIGXFSZ => {}
                _ if std::mem::replace(&mut asked, true) => {
                    trace::end(LITTLE_PATIENCE);
                    std::process::exit(Exit::Interrupted.code().into())
                }
                _ => drop(sender.send(Signal::Stop)),
            }
        }
    };
    Builder::new().name("signals".into()).stack_size(64 << 10).spawn(wait).map_err(refused)?;
    Ok(receiver)
}
