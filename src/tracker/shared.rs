//! What the tracker's threads share: the registry, what was read from files, the log, and the figures.
//!
//! Floor 3.

use super::config::{Config, TrackerError};
use super::files::access_log::AccessLog;
use super::files::allowed::{Allowed, Passkeys};
use super::files::state;
use super::looking::Looking;
use super::registry::Registry;
use super::stats::Stats;
use crate::base::time::Time;
use crate::proto::id::InfoHash;
use crate::sys::{lock, lock_to_read, lock_to_write, random};
use core::net::SocketAddr;
use crossbeam_channel::{Receiver, Sender};
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, MutexGuard, Once, RwLock, RwLockReadGuard};
use std::time::Instant;

/// Most peers that wait to be checked by [`nat`](super::nat).
const MOST_CHECKS: usize = 1000;

/// What the threads share.
pub struct Shared {
    /// How the tracker was started.
    pub config: Config,
    /// The figures.
    pub stats: Stats,
    /// Peers that wait to be checked.
    pub checks: Checks,
    /// Looks for torrents that are not known.
    pub looking: Looking,
    /// Reports once that a proxy did not name the client of an announce.
    pub proxy_reported: Once,
    /// There are peers at a loopback address.
    pub near_peers: AtomicBool,
    /// Reports once that clients outside get such peers.
    pub near_peers_reported: Once,
    registry: Mutex<Registry>,
    allowed: RwLock<Option<Allowed>>,
    passkeys: RwLock<Option<Passkeys>>,
    log: Mutex<Option<AccessLog>>,
    /// The registry's count of changes when it was last saved.
    saved: Mutex<u64>,
    started: Instant,
}

impl Shared {
    /// Reads the files, and restores the saved swarms.
    pub fn new(config: Config) -> Result<Shared, TrackerError> {
        let unreadable = |what: &str, path: &std::path::Path| {
            let doing = format!("read {what} {}", path.display());
            move |error| TrackerError { doing, error, no_input: true }
        };
        let empty = || Registry::new(config.limits.clone(), random::bits());
        let mut registry = empty();
        let allowed = match &config.allowed_dir {
            Some(dir) => Some(Allowed::read(dir, None).map_err(unreadable("the folder", dir))?),
            None => None,
        };
        let passkeys = match &config.passkeys_file {
            Some(file) => Some(Passkeys::read(file).map_err(unreadable("the passkeys", file))?),
            None => None,
        };
        let log = match &config.log_file {
            Some(file) => {
                let doing = format!("open the log {}", file.display());
                Some(AccessLog::open(file).map_err(|error| TrackerError { doing, error, no_input: false })?)
            }
            None => None,
        };
        if let Some(file) = &config.state_file {
            registry = state::load(file, empty)?;
            state::check_place(file)?;
            if let Some(allowed) = &allowed {
                registry.retain(|hash| allowed.contains(hash));
            }
        }
        let saved = Mutex::new(registry.changes());
        Ok(Shared {
            config,
            stats: Stats::default(),
            checks: Checks::default(),
            looking: Looking::default(),
            proxy_reported: Once::new(),
            near_peers: AtomicBool::new(false),
            near_peers_reported: Once::new(),
            registry: Mutex::new(registry),
            allowed: RwLock::new(allowed),
            passkeys: RwLock::new(passkeys),
            log: Mutex::new(log),
            saved,
            started: Instant::now(),
        })
    }

    /// The time since the start. This clock can't be set.
    pub fn now(&self) -> Time {
        self.started.elapsed()
    }

    /// Locks the registry. Hold it briefly, because all other threads wait.
    pub fn registry(&self) -> MutexGuard<'_, Registry> {
        lock(&self.registry)
    }

    /// The torrents that are tracked; `None`: all torrents.
    pub fn allowed(&self) -> RwLockReadGuard<'_, Option<Allowed>> {
        lock_to_read(&self.allowed)
    }

    /// Whether the torrent is tracked, as far as the folder was read.
    pub fn is_allowed(&self, info_hash: &InfoHash) -> bool {
        // Without a folder no lock is needed.
        self.config.allowed_dir.is_none() || self.allowed().as_ref().is_none_or(|allowed| allowed.contains(info_hash))
    }

    /// The passkeys; `None`: no passkey is needed.
    pub fn passkeys(&self) -> RwLockReadGuard<'_, Option<Passkeys>> {
        lock_to_read(&self.passkeys)
    }

    /// Reads the folder and the passkeys again. If one can't be read, it stays as it was.
    pub fn reread(&self) {
        if let Some(dir) = &self.config.allowed_dir {
            let now = Allowed::read(dir, self.allowed().as_ref());
            match now {
                Ok(now) => {
                    let same = self.allowed().as_ref().is_some_and(|before| before.hashes().eq(now.hashes()));
                    if !same {
                        self.registry().retain(|hash| now.contains(hash));
                    }
                    *lock_to_write(&self.allowed) = Some(now);
                }
                Err(error) => log::error!("can't read the folder {}: {error}", dir.display()),
            }
        }
        if let Some(file) = &self.config.passkeys_file {
            match Passkeys::read(file) {
                Ok(now) => *lock_to_write(&self.passkeys) = Some(now),
                Err(error) => log::error!("can't read the passkeys {}: {error}", file.display()),
            }
        }
    }

    /// Opens the log again, because a log rotation has moved the file.
    pub fn reopen_log(&self) {
        let Some(file) = &self.config.log_file else { return };
        match AccessLog::open(file) {
            Ok(opened) => *lock(&self.log) = Some(opened),
            Err(error) => log::error!("can't open the log {}: {error}", file.display()),
        }
    }

    /// Writes a line to the log, if there is one.
    pub fn log(&self, from: SocketAddr, request: &[u8], status: u16, bytes: usize, agent: &[u8]) {
        if self.config.log_file.is_none() {
            return;
        }
        if let Some(log) = lock(&self.log).as_mut() {
            log.line(from.ip(), request, status, bytes, agent);
        }
    }

    /// Saves the swarms, if they changed.
    pub fn save(&self) -> Result<(), TrackerError> {
        let Some(file) = &self.config.state_file else { return Ok(()) };
        let mut saved = lock(&self.saved);
        let changes = self.registry().changes();
        if changes == *saved && file.exists() {
            return Ok(());
        }
        state::save(file, || self.registry(), self.now()).map_err(|error| {
            let doing = format!("save the state as {}", file.display());
            TrackerError { doing, error, no_input: false }
        })?;
        *saved = changes;
        Ok(())
    }
}

/// The queue of peers that wait to be checked.
pub struct Checks {
    requests: Sender<(InfoHash, SocketAddr)>,
    waiting: Receiver<(InfoHash, SocketAddr)>,
}

impl Default for Checks {
    fn default() -> Checks {
        let (requests, waiting) = crossbeam_channel::bounded(MOST_CHECKS);
        Checks { requests, waiting }
    }
}

impl Checks {
    /// Asks for a check of this peer. Does nothing if too many wait.
    pub fn request(&self, info_hash: InfoHash, addr: SocketAddr) {
        let _ = self.requests.try_send((info_hash, addr));
    }

    /// Waits for a peer to check.
    pub fn next(&self) -> Option<(InfoHash, SocketAddr)> {
        self.waiting.recv().ok()
    }
}
