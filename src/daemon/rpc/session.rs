//! Answers what concerns the session: the settings, the sums, the space of a folder.
//!
//! Floor 4. Pure.

use super::call::Protocol;
use super::fixed::{FIXED, Fixed, Value};
use super::pairs::{Dialect, Pairs, Style, push_flag, push_list, push_number, push_real, push_size};
use crate::base::json::push_string;
use crate::daemon::settings::table::{Place, TABLE, snake};
use crate::daemon::settings::{Encryption, Settings};
use std::collections::VecDeque;

/// The version of transmission that we say we are, because programs parse it.
const VERSION: &str = concat!("4.0.6 (swarmlet ", env!("CARGO_PKG_VERSION"), ")");
/// The version of RPC in JSON-RPC.
pub const JSON_RPC_VERSION: &str = "6.0.0";

/// What programs can ask about the session that is no setting.
#[derive(Clone, Debug, Default)]
pub struct Session {
    /// Where the daemon keeps its state.
    pub config_dir: String,
    /// The session id that HTTP requests need.
    pub session_id: String,
    /// The ranges of the blocklist.
    pub blocklist_size: u64,
    /// The free space of the download folder, in bytes; `None`: unknown.
    pub free_space: Option<u64>,
    /// The rates of the last hour.
    pub rates: Rates,
}

/// The mean rates of each half minute of the last hour, in bytes a second, the oldest first: download and upload.
#[derive(Clone, Debug, Default)]
pub struct Rates(VecDeque<[u32; 2]>);

impl Rates {
    /// How long a mean is taken, in seconds.
    pub const SECONDS: u64 = 30;
    /// How many are kept: an hour.
    pub const MOST: usize = 120;

    /// Adds what was downloaded and uploaded in the last half minute, in bytes.
    pub fn push(&mut self, bytes: [u64; 2]) {
        if self.0.len() == Rates::MOST {
            self.0.pop_front();
        }
        self.0.push_back(bytes.map(|bytes| u32::try_from(bytes / Rates::SECONDS).unwrap_or(u32::MAX)));
    }
}

/// Writes the settings with these names, or all.
pub fn write_settings(
    out: &mut String,
    dialect: Dialect,
    names: Option<&[String]>,
    settings: &Settings,
    session: &Session,
) {
    let mut sorted: Option<Vec<_>> = names.map(|names| names.iter().map(|name| snake(name)).collect());
    sorted.iter_mut().for_each(|names| names.sort_unstable());
    let is_asked =
        |name: &str| sorted.as_ref().is_none_or(|names| names.binary_search_by(|other| (**other).cmp(name)).is_ok());
    let mut settings = settings.clone();
    let mut pairs = Pairs::new(out, dialect, Style::Kebab);
    for row in TABLE.iter().filter(|row| row.is_shown() && is_asked(row.name)) {
        let place = row.place(&mut settings);
        let out = match row.name {
            "seed_ratio_limit" | "seed_ratio_limited" => pairs.key_as(row.name, &row.old_name()),
            name => pairs.key(name),
        };
        match place {
            Place::Flag(flag) => push_flag(out, *flag),
            Place::Number(number, _) => push_size(out, *number),
            Place::Real(real) => push_real(out, *real),
            Place::Text(text) => push_string(out, text),
            Place::Octal(mask) => push_string(out, &format!("{mask:03o}")),
            Place::Encryption(encryption) => push_string(out, encryption_name(*encryption, dialect)),
        }
    }
    let (rpc_version, semver) = match dialect {
        Dialect::Old => (17, "5.3.0"),
        Dialect::JsonRpc => (18, JSON_RPC_VERSION),
    };
    if is_asked("blocklist_size") {
        pairs.size("blocklist_size", session.blocklist_size);
    }
    for Fixed { name, old_name, value, .. } in &FIXED {
        if is_asked(name) || is_asked(&snake(old_name)) {
            let out = pairs.key_as(name, old_name);
            match value {
                Value::Flag(flag) => push_flag(out, *flag),
                Value::Number(number) => push_number(out, (*number).into()),
                Value::One(text) => out.push_str(&format!("[\"{text}\"]")),
            }
        }
    }
    if is_asked("config_dir") {
        pairs.text("config_dir", &session.config_dir);
    }
    if is_asked("download_dir_free_space") {
        pairs.number("download_dir_free_space", session.free_space.map_or(-1, |space| space as i64));
    }
    // It is swarmlet's own, so only programs that know it get it.
    if names.is_some() && is_asked("recent_rates") {
        let out = pairs.key("recent_rates");
        out.push('[');
        push_list(out, &session.rates.0, |out, [down, up]| out.push_str(&format!("[{down},{up}]")));
        out.push(']');
    }
    if is_asked("rpc_version") {
        pairs.number("rpc_version", rpc_version);
    }
    if is_asked("rpc_version_minimum") {
        pairs.number("rpc_version_minimum", 14);
    }
    if is_asked("rpc_version_semver") {
        pairs.text("rpc_version_semver", semver);
    }
    if is_asked("session_id") {
        pairs.text("session_id", &session.session_id);
    }
    if is_asked("units") {
        pairs.key("units").push('{');
        push_units(pairs.out, dialect);
        pairs.out.push('}');
    }
    if is_asked("version") {
        pairs.text("version", VERSION);
    }
}

fn encryption_name(encryption: Encryption, dialect: Dialect) -> &'static str {
    match encryption {
        Encryption::Tolerated if dialect == Dialect::JsonRpc => "allowed",
        Encryption::Tolerated => "tolerated",
        Encryption::Preferred => "preferred",
        Encryption::Required => "required",
    }
}

fn push_units(out: &mut String, dialect: Dialect) {
    let mut pairs = Pairs::new(out, dialect, Style::Kebab);
    for (bytes, units, base, names) in [
        ("memory_bytes", "memory_units", 1024, ["B", "KiB", "MiB", "GiB", "TiB"]),
        ("size_bytes", "size_units", 1000, ["B", "kB", "MB", "GB", "TB"]),
        ("speed_bytes", "speed_units", 1000, ["B/s", "kB/s", "MB/s", "GB/s", "TB/s"]),
    ] {
        pairs.number(bytes, base);
        let out = pairs.key(units);
        out.push('[');
        push_list(out, names, push_string);
        out.push(']');
    }
}

/// What was counted over a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Bytes that were sent.
    pub uploaded: u64,
    /// Bytes that were received.
    pub downloaded: u64,
    /// Files of the torrents that were added.
    pub files_added: u64,
    /// How often the daemon was started.
    pub sessions: u64,
    /// How long it ran, in seconds.
    pub seconds: u64,
}

/// What all torrents do and did together. Rates are in bytes a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Torrents that are not stopped.
    pub active: usize,
    /// Torrents that are stopped.
    pub paused: usize,
    /// Download rate.
    pub down_rate: u64,
    /// Upload rate.
    pub up_rate: u64,
    /// Since the daemon was started for the first time.
    pub ever: Sums,
    /// Since it was started.
    pub now: Sums,
}

/// Writes the sums.
pub fn write_stats(out: &mut String, dialect: Dialect, stats: &Stats) {
    let mut pairs = Pairs::new(out, dialect, Style::Camel);
    pairs.size("active_torrent_count", stats.active as u64);
    pairs.size("download_speed", stats.down_rate);
    pairs.size("paused_torrent_count", stats.paused as u64);
    pairs.size("torrent_count", (stats.active + stats.paused) as u64);
    pairs.size("upload_speed", stats.up_rate);
    for (snake, old, sums) in
        [("cumulative_stats", "cumulative-stats", &stats.ever), ("current_stats", "current-stats", &stats.now)]
    {
        pairs.key_as(snake, old).push('{');
        let mut sum = Pairs::new(pairs.out, dialect, Style::Camel);
        sum.size("downloaded_bytes", sums.downloaded);
        sum.size("files_added", sums.files_added);
        sum.size("seconds_active", sums.seconds);
        sum.size("session_count", sums.sessions);
        sum.size("uploaded_bytes", sums.uploaded);
        pairs.out.push('}');
    }
}

/// Writes the free and the whole space of a folder, in bytes.
pub fn write_space(out: &mut String, dialect: Dialect, path: &str, free: u64, whole: u64) {
    let mut pairs = Pairs::new(out, dialect, Style::Kebab);
    pairs.text("path", path);
    pairs.size("size_bytes", free);
    push_size(pairs.key_as("total_size", "total_size"), whole);
}

/// Writes whether peers can reach our port, by the protocol that was asked for.
pub fn write_port(out: &mut String, dialect: Dialect, protocol: Option<Protocol>, is_open: bool) {
    let mut pairs = Pairs::new(out, dialect, Style::Kebab);
    pairs.flag("port_is_open", is_open);
    if let Some(protocol) = protocol {
        pairs.text("ip_protocol", if protocol == Protocol::V4 { "ipv4" } else { "ipv6" });
    }
}

/// Writes how many ranges the blocklist has.
pub fn write_blocklist(out: &mut String, dialect: Dialect, ranges: u64) {
    Pairs::new(out, dialect, Style::Kebab).size("blocklist_size", ranges);
}

/// Writes the bandwidth groups: none.
pub fn write_groups(out: &mut String) {
    out.push_str("\"group\":[]");
}
