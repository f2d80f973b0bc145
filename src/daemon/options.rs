//! How the daemon is to run: the command line, the configuration file, and how the engine follows from them.
//!
//! Floor 4.

use super::chores::scripts;
use super::http::access::is_guarded;
use super::settings::{Encryption, Given, Settings, Source, unused};
use super::state::State;
use super::{config, import};
use crate::engine::{self, Network, RateLimits};
use crate::proto::peer::mse::Policy;
use crate::sys::{in_words, memory, read_whole};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The largest configuration file, in bytes. A long one has some 100 lines.
const MOST_CONFIG: u64 = 1 << 20;
/// How often the engine reports figures that may have changed.
const FIGURES_EVERY: Duration = Duration::from_secs(1);

/// A machine with less free memory than this, in bytes, is small: routers have 32 to 128 MiB in all. 0: unknown.
const SMALL_MACHINE: u64 = 48 << 20;
/// The part of that memory which is for blocks under way: a sixteenth. (In a control group of 32 MiB that is 2 MiB.
/// With 1 MiB, a GiB took a fifth more processor time; with 3 MiB, as much as with 2.)
const SMALL_SHARE: u64 = 16;
/// The least memory for blocks under way, in bytes.
const LEAST_MEMORY: u64 = 1 << 20;

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
            let text = text_in(file).map_err(|why| DaemonError::NoInput(format!("{name}: {why}")))?;
            let unused = config::read(&text, &mut settings);
            let unused = unused.map_err(|why| DaemonError::Config(format!("{name}: {why}")))?;
            if let Some(notice) = unused::notice(&unused) {
                log::warn!("{name}: {notice}");
            }
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
            if dir.contains(':') && name != "watch-dir" && settings.download_roots.is_empty() {
                let why = format!(
                    "{name}: {dir:?} has a colon, which stands between two folders in download-roots: name a folder \
                     above it there"
                );
                return Err(DaemonError::Config(why));
            }
        }
        if std::mem::take(&mut settings.rename_partial_files) {
            log::warn!("rename-partial-files has no effect; incomplete-dir keeps apart what is not complete");
        }
        scripts::faults(&settings).iter().for_each(|fault| log::warn!("{fault}"));
        settings.bind_address().map_err(DaemonError::Config)?;
        settings.fix_roots();
        must_be_apart(&self.state, &settings)?;
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

    /// How connections are hidden, and where peers are found. What the command line forbids stays forbidden.
    pub fn network(&self, settings: &Settings) -> Network {
        let allowed = self.config.network();
        let encryption = match settings.encryption {
            _ if self.has_encryption || allowed.encryption == Policy::Off => allowed.encryption,
            Encryption::Tolerated => Policy::Allow,
            Encryption::Preferred => Policy::Prefer,
            Encryption::Required => Policy::Require,
        };
        Network {
            encryption,
            pex: allowed.pex && settings.pex_enabled,
            dht: allowed.dht.filter(|_| settings.dht_enabled),
            lsd: allowed.lsd && settings.lpd_enabled,
            port_mapping: allowed.port_mapping && settings.port_forwarding_enabled,
        }
    }

    /// How the engine is to run.
    pub fn engine_config(&self, settings: &Settings, states: &State) -> engine::Config {
        let mut config = self.config.clone();
        config.torrent.max_peers = settings.peer_limit_per_torrent as usize;
        config.torrent.seed_until = settings.seed_until();
        let network = self.network(settings);
        (config.torrent.encryption, config.torrent.pex) = (network.encryption, network.pex);
        (config.dht, config.lsd, config.port_mapping) = (network.dht, network.lsd, network.port_mapping);
        if !self.has_port {
            let port = if settings.peer_port_random_on_start { 0 } else { settings.peer_port as u16 };
            config.ports = port..=port;
        }
        let [download, upload] = settings.limits();
        config.limits = RateLimits { download, upload };
        config.status_every = Some(FIGURES_EVERY);
        // What is free now is the size of the machine, or of its control group.
        let free = memory::free();
        if (1..SMALL_MACHINE).contains(&free) {
            (config.memory_bytes, config.memory_grows) = ((free / SMALL_SHARE).max(LEAST_MEMORY), false);
        }
        config.states = Some(Arc::clone(&states.dir));
        config
    }
}

/// The text in a configuration file.
fn text_in(file: &Path) -> Result<String, String> {
    let bytes = read_whole(file, MOST_CONFIG).map_err(|error| in_words(&error))?;
    String::from_utf8(bytes).map_err(|_| "it is not text in UTF-8".into())
}

/// Refuses a state in a folder for content, and a folder for content in the state.
fn must_be_apart(state: &Path, settings: &Settings) -> Result<(), DaemonError> {
    let folders = settings.download_roots.split(':').chain([&*settings.download_dir, &settings.incomplete_dir]);
    for folder in folders.filter(|folder| !folder.is_empty()).map(Path::new) {
        let (own, content) = (state.display(), folder.display());
        let why = if is_in(state, folder) {
            format!(
                "{own} is in {content}, so a torrent could write into it what the daemon believes: name another folder \
                 with --state"
            )
        } else if is_in(folder, state) {
            format!(
                "{content} is in {own}, the daemon's own folder, and could be deleted with it: name another folder for \
                 the content, or another one with --state"
            )
        } else {
            continue;
        };
        return Err(DaemonError::Config(why));
    }
    Ok(())
}

/// Whether `folder` is `root` or below it, also by a link.
fn is_in(folder: &Path, root: &Path) -> bool {
    without_links(folder).starts_with(without_links(root))
}

/// The path without symbolic links, as far as it exists.
fn without_links(path: &Path) -> PathBuf {
    let found = path.ancestors().find_map(|above| Some((above, fs::canonicalize(above).ok()?)));
    let Some((above, real)) = found else { return path.into() };
    path.strip_prefix(above).map_or_else(|_| path.into(), |rest| real.join(rest).components().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_end_is_no_configuration() {
        assert_eq!(text_in(Path::new("/dev/null")).unwrap(), "");
        assert_eq!(text_in(Path::new("/dev/zero")).unwrap_err(), "it is larger than 1.00 MiB");
        assert_eq!(text_in(Path::new("/")).unwrap_err(), "Is a directory");
    }
}
