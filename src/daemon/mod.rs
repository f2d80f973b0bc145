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
pub mod options;
pub mod record;
pub mod records;
pub mod rpc;
pub mod settings;
pub mod state;
#[cfg(test)]
mod tests;
pub mod work;

use crate::engine::Engine;
use crate::sys::beneath::Folder;
use crate::sys::outlet::{self, Bound, Outlet, listen};
use crate::sys::{file_error, in_words};
use crate::web::server::{self, Bounds};
use chores::watch::{LOOK_EVERY, Watch};
use crossbeam_channel::Receiver;
use http::{Door, MOST_BODY, MOST_CONNECTIONS};
pub use options::{DaemonError, Options};
use rustix::fs::{Access, access};
use settings::Settings;
use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use work::starting::Before;
use work::{Daemon, Heard};

/// What the daemon can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Read the configuration again (SIGHUP).
    Reload,
    /// End.
    Stop,
}

/// Runs the daemon until [`Signal::Stop`], or until a program ends it. When it answers, calls `ready` with lines that
/// say where it is. `outlet` is the way out that the command line names. If it binds to nothing, the settings say to
/// what.
pub fn run(
    options: Options,
    outlet: Outlet,
    signals: Receiver<Signal>,
    ready: impl FnOnce(&[String]),
) -> Result<(), DaemonError> {
    let before = Before::read(&options)?;
    let settings = before.settings.clone();
    choose(outlet, &settings)?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(settings.umask));
    let incomplete = Some(&settings.incomplete_dir).filter(|dir| settings.incomplete_dir_enabled && !dir.is_empty());
    for dir in [&settings.download_dir].into_iter().chain(incomplete) {
        fs::create_dir_all(dir)
            .map_err(|error| DaemonError::NoInput(format!("can't make {dir}: {}", file_error(&error))))?;
        if let Err(errno) = access(&**dir, Access::WRITE_OK | Access::EXEC_OK) {
            log::warn!("{dir}: {}; a torrent there that has to be written waits", file_error(&errno.into()));
        }
    }
    let web_home = options.web_home.as_ref().map(|path| {
        Folder::open(path).map_err(|error| DaemonError::NoInput(format!("{}: {}", path.display(), in_words(&error))))
    });
    let (asks, asked) = crossbeam_channel::unbounded();
    let (helpers, heard) = crossbeam_channel::unbounded();
    let door = Door::new(&settings, options.is_open, web_home.transpose()?, asks).map_err(DaemonError::Config)?;
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
    let imported = before.imported.clone();
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
        if !dir.is_dir() {
            log::warn!("the watched folder {} is not there yet", dir.display());
        }
        let look = move || {
            let (mut watch, mut is_heard) = (Watch::default(), true);
            while is_heard {
                watch.look(&dir, &mut |seen| is_heard &= helpers.send(Heard::Watched(seen)).is_ok());
                thread::sleep(LOOK_EVERY);
            }
        };
        thread::Builder::new().name("watch".into()).spawn(look).map_err(cant_start)?;
    }
    ready(&imported.into_iter().chain(http::access::where_it_is(&settings, ip, port)).collect::<Vec<_>>());
    daemon.go(&notices, &asked, &heard)
}

/// Chooses the way out, before anything is sent.
fn choose(mut outlet: Outlet, settings: &Settings) -> Result<(), DaemonError> {
    if outlet.bound.is_none()
        && let Some((name, ip)) = settings.bind_address().map_err(DaemonError::Config)?
    {
        let bound = Bound::Address(ip);
        bound.interface().map_err(|error| DaemonError::Unavailable(format!("{name}: {}", in_words(&error))))?;
        outlet.bound = Some(bound);
    }
    let in_force = outlet::choose(outlet);
    in_force.then_some(()).ok_or_else(|| DaemonError::Io("--bind and --proxy can't be obeyed any more".into()))
}

fn cant_start(error: std::io::Error) -> DaemonError {
    DaemonError::Io(format!("can't start a thread: {}", in_words(&error)))
}
