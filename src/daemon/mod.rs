//! The daemon: torrents that programs and browsers control over HTTP, as they control transmission.
//!
//! Floor 4, beside [`cli`](crate::cli), which only starts it.
//!
//! ```text
//! browser, remote -> http (checks) -> rpc (text to calls) -> work (the loop) -> engine
//!                                                              |  ^
//!                                   state (what survives) <----+  +---- chores: watched folder, disks, blocklist
//! ```
//!
//! | thread | how many | waits for |
//! |---|---|---|
//! | the [loop](work) | one | notices, programs, signals, helpers, the next minute |
//! | [HTTP](crate::web::server) | 2 to 8 | its connections |
//! | the [watched folder](chores::watch) | one, if a folder is watched | the next look |
//! | [helpers](chores) | one for each thing that is under way | a disk, a server, a script |
//!
//! Read [`record`] and [`settings`] first: what is known of a torrent, and what can be set. Then [`work`].

pub mod chores;
pub mod config;
pub mod http;
pub mod import;
pub mod metrics;
pub mod record;
pub mod records;
pub mod rpc;
pub mod settings;
pub mod state;
#[cfg(test)]
mod tests;
pub mod work;

use crate::engine::{self, Engine, RateLimits};
use crate::proto::peer::mse::Policy;
use crate::sys::beneath::Folder;
use crate::sys::in_words;
use crate::sys::outlet::listen;
use crate::web::server::{self, Bounds};
use chores::watch::{LOOK_EVERY, Watch};
use crossbeam_channel::Receiver;
use http::access::is_guarded;
use http::{Door, MOST_BODY, MOST_CONNECTIONS};
use settings::{Encryption, Given, Settings, Source};
use std::fmt;
use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use work::starting::Before;
use work::{Daemon, Heard};

/// How often the engine reports figures that may have changed.
const FIGURES_EVERY: Duration = Duration::from_secs(1);

/// How the daemon is to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// How the engine is to run, as far as the command line says. The settings say the rest.
    pub config: engine::Config,
    /// The port for peers was named on the command line.
    pub has_port: bool,
    /// The way to encrypt connections was named on the command line.
    pub has_encryption: bool,
    /// The configuration file.
    pub file: Option<PathBuf>,
    /// Settings from the command line, which come before those of the file.
    pub given: Vec<(&'static str, String)>,
    /// The folder of the state.
    pub state: PathBuf,
    /// A folder of transmission-daemon that is taken over, once.
    pub import: Option<PathBuf>,
    /// A folder with a web page, such as transmission's.
    pub web_home: Option<PathBuf>,
    /// RPC may be open to other machines without a password and without a whitelist.
    pub is_open: bool,
}

/// What the daemon can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Read the configuration again (SIGHUP).
    Reload,
    /// End.
    Stop,
}

/// Why the daemon can't run, or ended.
#[derive(Debug)]
pub enum DaemonError {
    /// The configuration is wrong.
    Config(String),
    /// A file or folder that was named can't be used.
    NoInput(String),
    /// The state can't be kept.
    State(String),
    /// A port is not free.
    Unavailable(String),
    /// Something could not be written, or the engine ended.
    Io(String),
}

impl fmt::Display for DaemonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DaemonError::Config(text)
            | DaemonError::NoInput(text)
            | DaemonError::State(text)
            | DaemonError::Unavailable(text)
            | DaemonError::Io(text) => f.write_str(text),
        }
    }
}

impl Options {
    /// The settings of the configuration: the file's, and before them those of the command line.
    pub fn configured(&self) -> Result<Settings, DaemonError> {
        let mut settings = Settings::default();
        let imported = Some(self.state.join(import::FILE)).filter(|file| file.exists());
        for file in imported.iter().chain(&self.file) {
            let name = file.display();
            let text = fs::read_to_string(file);
            let text = text.map_err(|error| DaemonError::NoInput(format!("{name}: {}", in_words(&error))))?;
            config::read(&text, &mut settings).map_err(|why| DaemonError::Config(format!("{name}: {why}")))?;
        }
        for (name, value) in &self.given {
            // They are names of settings.
            settings.set(name, &Given::Text(value), Source::File).map_err(DaemonError::Config)?;
        }
        if settings.download_dir.is_empty() {
            let why = "no folder for the content: name one with --dir, or as download-dir in the configuration";
            return Err(DaemonError::Config(why.into()));
        }
        for (name, dir) in [
            ("download-dir", &settings.download_dir),
            ("incomplete-dir", &settings.incomplete_dir),
            ("watch-dir", &settings.watch_dir),
        ] {
            if !dir.is_empty() && !dir.starts_with('/') {
                return Err(DaemonError::Config(format!("{name}: {dir:?} is not an absolute path")));
            }
        }
        settings.fix_roots();
        if !self.is_open && !is_guarded(&settings) {
            let why = format!(
                "RPC at {} would be open to all: set rpc-username, rpc-password and rpc-authentication-required, or \
                 rpc-whitelist, in the configuration; or give --rpc-open",
                settings.rpc_bind_address
            );
            return Err(DaemonError::Config(why));
        }
        Ok(settings)
    }

    /// How the engine is to run.
    fn engine_config(&self, settings: &Settings, states: &state::State) -> engine::Config {
        let mut config = self.config.clone();
        config.torrent.max_peers = settings.peer_limit_per_torrent as usize;
        config.torrent.pex &= settings.pex_enabled;
        config.lsd &= settings.lpd_enabled;
        config.dht = config.dht.filter(|_| settings.dht_enabled);
        config.port_mapping &= settings.port_forwarding_enabled;
        if !self.has_port {
            let port = if settings.peer_port_random_on_start { 0 } else { settings.peer_port as u16 };
            config.ports = port..=port;
        }
        if !self.has_encryption && config.torrent.encryption != Policy::Off {
            config.torrent.encryption = match settings.encryption {
                Encryption::Tolerated => Policy::Allow,
                Encryption::Preferred => Policy::Prefer,
                Encryption::Required => Policy::Require,
            };
        }
        let [download, upload] = settings.limits();
        config.limits = RateLimits { download, upload };
        config.status_every = Some(FIGURES_EVERY);
        config.states = Some(Arc::clone(&states.dir));
        config
    }
}

/// Runs the daemon until [`Signal::Stop`], or until a program ends it. Calls `ready` with the address of RPC when it
/// answers.
pub fn run(options: Options, signals: Receiver<Signal>, ready: impl FnOnce(&str)) -> Result<(), DaemonError> {
    let before = Before::read(&options)?;
    let settings = before.settings.clone();
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(settings.umask));
    fs::create_dir_all(&settings.download_dir)
        .map_err(|error| DaemonError::NoInput(format!("{}: {}", settings.download_dir, in_words(&error))))?;
    let web_home = options.web_home.as_ref().map(|path| {
        Folder::open(path).map_err(|error| DaemonError::NoInput(format!("{}: {}", path.display(), in_words(&error))))
    });
    let (asks, asked) = crossbeam_channel::unbounded();
    let (helpers, heard) = crossbeam_channel::unbounded();
    let door = Door::new(&settings, web_home.transpose()?, asks).map_err(DaemonError::Config)?;
    let door = Arc::new(door);
    let ip: IpAddr = settings.rpc_bind_address.parse().map_err(|_| {
        DaemonError::Config(format!("rpc-bind-address: {:?} is not an address", settings.rpc_bind_address))
    })?;
    let any = ip.is_unspecified() && ip.is_ipv6();
    let (sockets, port) = listen::tcp((!any).then_some(ip), settings.rpc_port as u16).map_err(|error| {
        let (ip, port) = (ip, settings.rpc_port);
        DaemonError::Unavailable(format!("can't listen on {ip} port {port} for RPC: {}", in_words(&error)))
    })?;
    let config = options.engine_config(&settings, &before.state);
    let (engine, notices) = Engine::start(config).map_err(DaemonError::Unavailable)?;
    let mut daemon = Daemon::new(options, before, engine, Arc::clone(&door), helpers.clone())?;
    let bounds = Bounds { connections: MOST_CONNECTIONS, body: MOST_BODY };
    server::start(sockets, &http::service(&door), bounds).map_err(cant_start)?;
    let to_loop = helpers.clone();
    let listen = move || {
        for signal in signals {
            let _ = to_loop.send(match signal {
                Signal::Reload => Heard::Reload,
                Signal::Stop => Heard::Stop,
            });
        }
    };
    thread::Builder::new().name("told".into()).stack_size(64 << 10).spawn(listen).map_err(cant_start)?;
    if settings.watch_dir_enabled && !settings.watch_dir.is_empty() {
        let dir = PathBuf::from(&settings.watch_dir);
        let look = move || {
            let mut watch = Watch::default();
            loop {
                watch.look(&dir, &mut |seen| drop(helpers.send(Heard::Watched(seen))));
                thread::sleep(LOOK_EVERY);
            }
        };
        thread::Builder::new().name("watch".into()).spawn(look).map_err(cant_start)?;
    }
    ready(&core::net::SocketAddr::new(ip, port).to_string());
    daemon.go(&notices, &asked, &heard)
}

fn cant_start(error: std::io::Error) -> DaemonError {
    DaemonError::Io(format!("can't start a thread: {}", in_words(&error)))
}
