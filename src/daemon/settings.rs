//! The daemon's settings, with the names, units and defaults of transmission.
//!
//! Floor 4. Pure. [`table`] says how each setting is called and where it may be set. The configuration file,
//! `session-get` and `session-set`, and the import of transmission's `settings.json` all use that table, so they cannot
//! disagree.

mod bind;
pub mod table;
pub mod unused;

/// A ratio in hundredths. What is not a number becomes 0.
pub fn hundredths(ratio: f64) -> u64 {
    (ratio * 100.0).round() as u64
}

/// The time of this number of minutes.
pub fn minutes(number: u64) -> Time {
    Time::from_secs(number.saturating_mul(60))
}

#[cfg(test)]
mod tests;

use crate::base::time::Time;
use crate::engine::SeedUntil;
use std::path::{Component, Path, PathBuf};
pub use table::{Given, Source};

/// Longest path of a folder, in bytes: Linux takes no longer one (PATH_MAX).
const LONGEST_PATH: usize = 4095;

/// All settings. Speeds are in kB/s (1,000 bytes), times of day in minutes since midnight, local time.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The alternative download limit.
    pub alt_speed_down: u64,
    /// The alternative limits hold now.
    pub alt_speed_enabled: bool,
    /// When the alternative limits begin, if they follow the clock.
    pub alt_speed_time_begin: u64,
    /// On which days: Sunday 1, Monday 2, Tuesday 4, ... Saturday 64, added up.
    pub alt_speed_time_day: u64,
    /// The alternative limits follow the clock.
    pub alt_speed_time_enabled: bool,
    /// When they end. If this is before the beginning, they end on the next day.
    pub alt_speed_time_end: u64,
    /// The alternative upload limit.
    pub alt_speed_up: u64,
    /// After many wrong passwords, an address is refused for a while.
    pub anti_brute_force_enabled: bool,
    /// How many wrong passwords that takes.
    pub anti_brute_force_threshold: u64,
    /// The only IPv4 address of this machine that peers and servers are reached from; `0.0.0.0`: any.
    pub bind_address_ipv4: String,
    /// The same for IPv6; `::`: any.
    pub bind_address_ipv6: String,
    /// The blocklist is used.
    pub blocklist_enabled: bool,
    /// The blocklist is fetched again once a day.
    pub blocklist_updates_enabled: bool,
    /// Where the blocklist is fetched.
    pub blocklist_url: String,
    /// Announce URLs that each public torrent gets, too: one a line, an empty line between tiers.
    pub default_trackers: String,
    /// The DHT is used.
    pub dht_enabled: bool,
    /// Where content is put.
    pub download_dir: String,
    /// At most `download_queue_size` torrents download at the same time.
    pub download_queue_enabled: bool,
    /// See `download_queue_enabled`.
    pub download_queue_size: u64,
    /// The folders below which RPC may put content, separated by `:`. Empty: below `download_dir` and `incomplete_dir`,
    /// as they are in the configuration file.
    pub download_roots: String,
    /// How connections are encrypted.
    pub encryption: Encryption,
    /// A torrent that sent nothing for this many minutes stops, if `idle_seeding_limit_enabled`.
    pub idle_seeding_limit: u64,
    /// See `idle_seeding_limit`.
    pub idle_seeding_limit_enabled: bool,
    /// Where content is kept until it is complete, if `incomplete_dir_enabled`.
    pub incomplete_dir: String,
    /// See `incomplete_dir`.
    pub incomplete_dir_enabled: bool,
    /// Peers are searched in the local network.
    pub lpd_enabled: bool,
    /// Downloads wait while a disk has less free space than this, in MB (1,000,000 bytes).
    pub min_free_space: u64,
    /// Most connections.
    pub peer_limit_global: u64,
    /// Most connections of a torrent that has no limit of its own.
    pub peer_limit_per_torrent: u64,
    /// The port for peers.
    pub peer_port: u64,
    /// Another port for peers at each start.
    pub peer_port_random_on_start: bool,
    /// Peers are asked for peers.
    pub pex_enabled: bool,
    /// The router is asked to forward the port for peers.
    pub port_forwarding_enabled: bool,
    /// Torrents that made no progress for `queue_stalled_minutes` do not count in the queues.
    pub queue_stalled_enabled: bool,
    /// See `queue_stalled_enabled`.
    pub queue_stalled_minutes: u64,
    /// Files that are not complete have names that end with `.part`. We do not have that, so it is never true.
    pub rename_partial_files: bool,
    /// RPC needs `rpc_username` and `rpc_password`.
    pub rpc_authentication_required: bool,
    /// The address for RPC.
    pub rpc_bind_address: String,
    /// The names by which browsers may reach us, separated by commas; `*` and `?` stand for anything.
    pub rpc_host_whitelist: String,
    /// `rpc_host_whitelist` is checked.
    pub rpc_host_whitelist_enabled: bool,
    /// The password, or `{` and its salted hash as transmission writes it.
    pub rpc_password: String,
    /// The port for RPC.
    pub rpc_port: u64,
    /// Where RPC and the web page begin.
    pub rpc_url: String,
    /// The user.
    pub rpc_username: String,
    /// The addresses that may use RPC, separated by commas; `*` stands for anything.
    pub rpc_whitelist: String,
    /// `rpc_whitelist` is checked.
    pub rpc_whitelist_enabled: bool,
    /// A program is started when a torrent was added.
    pub script_torrent_added_enabled: bool,
    /// That program.
    pub script_torrent_added_filename: String,
    /// A program is started when a torrent is complete.
    pub script_torrent_done_enabled: bool,
    /// That program.
    pub script_torrent_done_filename: String,
    /// A program is started when a torrent has seeded enough.
    pub script_torrent_done_seeding_enabled: bool,
    /// That program.
    pub script_torrent_done_seeding_filename: String,
    /// At most `seed_queue_size` torrents seed at the same time.
    pub seed_queue_enabled: bool,
    /// See `seed_queue_enabled`.
    pub seed_queue_size: u64,
    /// A torrent stops when it has sent this many times what it has, if `seed_ratio_limited`.
    pub seed_ratio_limit: f64,
    /// See `seed_ratio_limit`.
    pub seed_ratio_limited: bool,
    /// Torrents that are added are downloaded first to last.
    pub sequential_download: bool,
    /// The download limit, if `speed_limit_down_enabled`.
    pub speed_limit_down: u64,
    /// See `speed_limit_down`.
    pub speed_limit_down_enabled: bool,
    /// The upload limit, if `speed_limit_up_enabled`.
    pub speed_limit_up: u64,
    /// See `speed_limit_up`.
    pub speed_limit_up_enabled: bool,
    /// Torrents that are added start at once.
    pub start_added_torrents: bool,
    /// Files in the watched folder are removed once they are added; otherwise they get `.added` behind their names.
    pub trash_original_torrent_files: bool,
    /// The rights that new files lack.
    pub umask: u32,
    /// The folder that is watched for .torrent files, if `watch_dir_enabled`.
    pub watch_dir: String,
    /// See `watch_dir`.
    pub watch_dir_enabled: bool,
}

/// How connections are encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encryption {
    /// Only if the peer wants it.
    Tolerated,
    /// Wherever the peer can do it.
    #[default]
    Preferred,
    /// Always.
    Required,
}

impl Default for Settings {
    /// Transmission's defaults. The folders are empty: the daemon knows where they are.
    fn default() -> Settings {
        Settings {
            alt_speed_down: 50,
            alt_speed_enabled: false,
            alt_speed_time_begin: 9 * 60,
            alt_speed_time_day: 127,
            alt_speed_time_enabled: false,
            alt_speed_time_end: 17 * 60,
            alt_speed_up: 50,
            anti_brute_force_enabled: true,
            anti_brute_force_threshold: 100,
            bind_address_ipv4: "0.0.0.0".into(),
            bind_address_ipv6: "::".into(),
            blocklist_enabled: false,
            blocklist_updates_enabled: true,
            blocklist_url: String::new(),
            default_trackers: String::new(),
            dht_enabled: true,
            download_dir: String::new(),
            download_queue_enabled: true,
            download_queue_size: 5,
            download_roots: String::new(),
            encryption: Encryption::Preferred,
            idle_seeding_limit: 30,
            idle_seeding_limit_enabled: false,
            incomplete_dir: String::new(),
            incomplete_dir_enabled: false,
            lpd_enabled: false,
            min_free_space: 0,
            peer_limit_global: 200,
            peer_limit_per_torrent: 50,
            peer_port: 51413,
            peer_port_random_on_start: false,
            pex_enabled: true,
            port_forwarding_enabled: true,
            queue_stalled_enabled: true,
            queue_stalled_minutes: 30,
            rename_partial_files: false,
            rpc_authentication_required: false,
            rpc_bind_address: "127.0.0.1".into(),
            rpc_host_whitelist: String::new(),
            rpc_host_whitelist_enabled: true,
            rpc_password: String::new(),
            rpc_port: 9091,
            rpc_url: "/transmission/".into(),
            rpc_username: String::new(),
            rpc_whitelist: "127.*.*.*,::1".into(),
            rpc_whitelist_enabled: true,
            script_torrent_added_enabled: false,
            script_torrent_added_filename: String::new(),
            script_torrent_done_enabled: false,
            script_torrent_done_filename: String::new(),
            script_torrent_done_seeding_enabled: false,
            script_torrent_done_seeding_filename: String::new(),
            seed_queue_enabled: false,
            seed_queue_size: 10,
            seed_ratio_limit: 2.0,
            seed_ratio_limited: false,
            sequential_download: false,
            speed_limit_down: 100,
            speed_limit_down_enabled: false,
            speed_limit_up: 100,
            speed_limit_up_enabled: false,
            start_added_torrents: true,
            trash_original_torrent_files: false,
            umask: 0o022,
            watch_dir: String::new(),
            watch_dir_enabled: false,
        }
    }
}

impl Settings {
    /// When a torrent has seeded enough, if nothing else is set for it.
    pub fn seed_until(&self) -> SeedUntil {
        SeedUntil {
            ratio: self.seed_ratio_limited.then(|| hundredths(self.seed_ratio_limit)),
            idle: self.idle_seeding_limit_enabled.then(|| minutes(self.idle_seeding_limit)),
        }
    }

    /// The limits of all torrents together at this moment, in bytes a second: down, up.
    pub fn limits(&self) -> [Option<u64>; 2] {
        let limit = |enabled: bool, kilobytes: u64| enabled.then_some(kilobytes.saturating_mul(1000));
        if self.alt_speed_enabled {
            return [limit(true, self.alt_speed_down), limit(true, self.alt_speed_up)];
        }
        [
            limit(self.speed_limit_down_enabled, self.speed_limit_down),
            limit(self.speed_limit_up_enabled, self.speed_limit_up),
        ]
    }

    /// Fixes the folders below which RPC may put content, once the configuration file was read. What RPC changes later
    /// does not widen them.
    pub fn fix_roots(&mut self) {
        if self.download_roots.is_empty() {
            let folders = [&self.download_dir, &self.incomplete_dir];
            let folders: Vec<&str> = folders.into_iter().map(String::as_str).filter(|dir| !dir.is_empty()).collect();
            self.download_roots = folders.join(":");
        }
    }

    /// The folder below which content may be put that holds `path`.
    pub fn root_of(&self, path: &Path) -> Option<&Path> {
        let mut roots = self.download_roots.split(':').filter(|root| !root.is_empty()).map(Path::new);
        roots.find(|root| path.starts_with(root))
    }

    /// The folder that RPC calls `dir`, if content may be put there. The error says why not, in transmission's words
    /// where it has some. (Links on the disk are the business of the code that opens it.)
    pub fn allowed_dir(&self, dir: &str) -> Result<PathBuf, String> {
        let path = Path::new(dir);
        if !path.is_absolute() || dir.contains('\0') {
            return Err("download directory path is not absolute".into());
        }
        if dir.len() > LONGEST_PATH {
            return Err(format!("a path has at most {LONGEST_PATH} bytes"));
        }
        let climbs = path.components().any(|part| part == Component::ParentDir);
        if climbs || self.root_of(path).is_none() {
            return Err(format!(
                "{dir} is not below a folder that the daemon may use: {} (download-roots in its configuration)",
                self.download_roots
            ));
        }
        Ok(path.components().collect())
    }
}
