//! How each setting is called, what it may be, and where it may be set.
//!
//! Floor 4. Pure. Transmission has three spellings for each: `speed_limit_down` (RPC of 4.1), `speed-limit-down` (files
//! and the old RPC), and `seedRatioLimit` for two settings of the old RPC. All are understood everywhere.

use super::{Encryption, Settings};
use std::borrow::Cow;

/// One setting.
pub struct Row {
    /// Its name in the RPC of 4.1, from which the others follow.
    pub name: &'static str,
    /// RPC may show it and change it.
    rpc: Rpc,
    place: fn(&mut Settings) -> Place<'_>,
}

/// What RPC may do with a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rpc {
    /// Show and change it.
    Change,
    /// Show it. (A program that RPC could name would be a way in: CVE-2018-5702.)
    Show,
    /// Nothing.
    Hide,
}

/// Where a setting is, and what it may be.
pub enum Place<'a> {
    /// Yes or no.
    Flag(&'a mut bool),
    /// A whole number from 0 to this one.
    Number(&'a mut u64, u64),
    /// A number that is not negative.
    Real(&'a mut f64),
    /// A text in one line, or in several for trackers.
    Text(&'a mut String),
    /// Rights of files, in octal digits.
    Octal(&'a mut u32),
    /// How connections are encrypted.
    Encryption(&'a mut Encryption),
}

/// A value that somebody gave. A configuration file has only texts.
#[derive(Clone, Debug, PartialEq)]
pub enum Given<'a> {
    /// Yes or no.
    Flag(bool),
    /// A number.
    Number(f64),
    /// A text.
    Text(&'a str),
    /// Something that no setting can be: a list, an object, null.
    Other,
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The configuration file, or `settings.json` of transmission.
    File,
    /// `session-set`.
    Rpc,
}

/// Most of what is counted: a limit of 4 TB/s or 4 billion minutes is no limit.
const MOST: u64 = u32::MAX as u64;
/// Most bytes of a text.
const MOST_TEXT: usize = 64 << 10;

const fn row(name: &'static str, rpc: Rpc, place: fn(&mut Settings) -> Place<'_>) -> Row {
    Row { name, rpc, place }
}

/// All settings, by name.
pub const TABLE: [Row; 66] = [
    row("alt_speed_down", Rpc::Change, |s| Place::Number(&mut s.alt_speed_down, MOST)),
    row("alt_speed_enabled", Rpc::Change, |s| Place::Flag(&mut s.alt_speed_enabled)),
    row("alt_speed_time_begin", Rpc::Change, |s| Place::Number(&mut s.alt_speed_time_begin, 24 * 60 - 1)),
    row("alt_speed_time_day", Rpc::Change, |s| Place::Number(&mut s.alt_speed_time_day, 127)),
    row("alt_speed_time_enabled", Rpc::Change, |s| Place::Flag(&mut s.alt_speed_time_enabled)),
    row("alt_speed_time_end", Rpc::Change, |s| Place::Number(&mut s.alt_speed_time_end, 24 * 60 - 1)),
    row("alt_speed_up", Rpc::Change, |s| Place::Number(&mut s.alt_speed_up, MOST)),
    row("anti_brute_force_enabled", Rpc::Show, |s| Place::Flag(&mut s.anti_brute_force_enabled)),
    row("anti_brute_force_threshold", Rpc::Show, |s| Place::Number(&mut s.anti_brute_force_threshold, MOST)),
    row("bind_address_ipv4", Rpc::Hide, |s| Place::Text(&mut s.bind_address_ipv4)),
    row("bind_address_ipv6", Rpc::Hide, |s| Place::Text(&mut s.bind_address_ipv6)),
    row("blocklist_enabled", Rpc::Change, |s| Place::Flag(&mut s.blocklist_enabled)),
    row("blocklist_updates_enabled", Rpc::Show, |s| Place::Flag(&mut s.blocklist_updates_enabled)),
    row("blocklist_url", Rpc::Change, |s| Place::Text(&mut s.blocklist_url)),
    row("default_trackers", Rpc::Change, |s| Place::Text(&mut s.default_trackers)),
    row("dht_enabled", Rpc::Change, |s| Place::Flag(&mut s.dht_enabled)),
    row("download_dir", Rpc::Change, |s| Place::Text(&mut s.download_dir)),
    row("download_queue_enabled", Rpc::Change, |s| Place::Flag(&mut s.download_queue_enabled)),
    row("download_queue_size", Rpc::Change, |s| Place::Number(&mut s.download_queue_size, MOST)),
    row("download_roots", Rpc::Hide, |s| Place::Text(&mut s.download_roots)),
    row("encryption", Rpc::Change, |s| Place::Encryption(&mut s.encryption)),
    row("idle_seeding_limit", Rpc::Change, |s| Place::Number(&mut s.idle_seeding_limit, MOST)),
    row("idle_seeding_limit_enabled", Rpc::Change, |s| Place::Flag(&mut s.idle_seeding_limit_enabled)),
    row("incomplete_dir", Rpc::Change, |s| Place::Text(&mut s.incomplete_dir)),
    row("incomplete_dir_enabled", Rpc::Change, |s| Place::Flag(&mut s.incomplete_dir_enabled)),
    row("lpd_enabled", Rpc::Change, |s| Place::Flag(&mut s.lpd_enabled)),
    row("min_free_space", Rpc::Hide, |s| Place::Number(&mut s.min_free_space, MOST)),
    row("peer_limit_global", Rpc::Change, |s| Place::Number(&mut s.peer_limit_global, MOST)),
    row("peer_limit_per_torrent", Rpc::Change, |s| Place::Number(&mut s.peer_limit_per_torrent, MOST)),
    row("peer_port", Rpc::Change, |s| Place::Number(&mut s.peer_port, u16::MAX as u64)),
    row("peer_port_random_on_start", Rpc::Change, |s| Place::Flag(&mut s.peer_port_random_on_start)),
    row("pex_enabled", Rpc::Change, |s| Place::Flag(&mut s.pex_enabled)),
    row("port_forwarding_enabled", Rpc::Change, |s| Place::Flag(&mut s.port_forwarding_enabled)),
    row("queue_stalled_enabled", Rpc::Change, |s| Place::Flag(&mut s.queue_stalled_enabled)),
    row("queue_stalled_minutes", Rpc::Change, |s| Place::Number(&mut s.queue_stalled_minutes, MOST)),
    row("rename_partial_files", Rpc::Show, |s| Place::Flag(&mut s.rename_partial_files)),
    row("rpc_authentication_required", Rpc::Hide, |s| Place::Flag(&mut s.rpc_authentication_required)),
    row("rpc_bind_address", Rpc::Hide, |s| Place::Text(&mut s.rpc_bind_address)),
    row("rpc_host_whitelist", Rpc::Hide, |s| Place::Text(&mut s.rpc_host_whitelist)),
    row("rpc_host_whitelist_enabled", Rpc::Hide, |s| Place::Flag(&mut s.rpc_host_whitelist_enabled)),
    row("rpc_password", Rpc::Hide, |s| Place::Text(&mut s.rpc_password)),
    row("rpc_port", Rpc::Hide, |s| Place::Number(&mut s.rpc_port, u16::MAX as u64)),
    row("rpc_url", Rpc::Hide, |s| Place::Text(&mut s.rpc_url)),
    row("rpc_username", Rpc::Hide, |s| Place::Text(&mut s.rpc_username)),
    row("rpc_whitelist", Rpc::Hide, |s| Place::Text(&mut s.rpc_whitelist)),
    row("rpc_whitelist_enabled", Rpc::Hide, |s| Place::Flag(&mut s.rpc_whitelist_enabled)),
    row("script_torrent_added_enabled", Rpc::Show, |s| Place::Flag(&mut s.script_torrent_added_enabled)),
    row("script_torrent_added_filename", Rpc::Show, |s| Place::Text(&mut s.script_torrent_added_filename)),
    row("script_torrent_done_enabled", Rpc::Show, |s| Place::Flag(&mut s.script_torrent_done_enabled)),
    row("script_torrent_done_filename", Rpc::Show, |s| Place::Text(&mut s.script_torrent_done_filename)),
    row("script_torrent_done_seeding_enabled", Rpc::Show, |s| Place::Flag(&mut s.script_torrent_done_seeding_enabled)),
    row("script_torrent_done_seeding_filename", Rpc::Show, |s| {
        Place::Text(&mut s.script_torrent_done_seeding_filename)
    }),
    row("seed_queue_enabled", Rpc::Change, |s| Place::Flag(&mut s.seed_queue_enabled)),
    row("seed_queue_size", Rpc::Change, |s| Place::Number(&mut s.seed_queue_size, MOST)),
    row("seed_ratio_limit", Rpc::Change, |s| Place::Real(&mut s.seed_ratio_limit)),
    row("seed_ratio_limited", Rpc::Change, |s| Place::Flag(&mut s.seed_ratio_limited)),
    row("sequential_download", Rpc::Change, |s| Place::Flag(&mut s.sequential_download)),
    row("speed_limit_down", Rpc::Change, |s| Place::Number(&mut s.speed_limit_down, MOST)),
    row("speed_limit_down_enabled", Rpc::Change, |s| Place::Flag(&mut s.speed_limit_down_enabled)),
    row("speed_limit_up", Rpc::Change, |s| Place::Number(&mut s.speed_limit_up, MOST)),
    row("speed_limit_up_enabled", Rpc::Change, |s| Place::Flag(&mut s.speed_limit_up_enabled)),
    row("start_added_torrents", Rpc::Change, |s| Place::Flag(&mut s.start_added_torrents)),
    row("trash_original_torrent_files", Rpc::Change, |s| Place::Flag(&mut s.trash_original_torrent_files)),
    row("umask", Rpc::Hide, |s| Place::Octal(&mut s.umask)),
    row("watch_dir", Rpc::Hide, |s| Place::Text(&mut s.watch_dir)),
    row("watch_dir_enabled", Rpc::Hide, |s| Place::Flag(&mut s.watch_dir_enabled)),
];

/// The row of a setting, in any spelling; `None`: there is none with that name.
pub fn find(name: &str) -> Option<&'static Row> {
    let name = snake(name);
    let name = match &*name {
        // As transmission's files have it.
        "ratio_limit" => "seed_ratio_limit",
        "ratio_limit_enabled" => "seed_ratio_limited",
        name => name,
    };
    TABLE.iter().find(|row| row.name == name)
}

/// A name in the spelling of 4.1: `seedRatioLimit` and `seed-ratio-limit` are `seed_ratio_limit`.
pub fn snake(name: &str) -> Cow<'_, str> {
    if !name.contains(|c: char| c == '-' || c.is_ascii_uppercase()) {
        return Cow::Borrowed(name);
    }
    let mut snake = String::with_capacity(name.len() + 4);
    let mut after_small = false;
    for c in name.chars() {
        if c.is_ascii_uppercase() && after_small {
            snake.push('_');
        }
        after_small = !c.is_ascii_uppercase() && c != '-' && c != '_';
        snake.push(if c == '-' { '_' } else { c.to_ascii_lowercase() });
    }
    Cow::Owned(snake)
}

impl Row {
    /// Its name in files and, with two exceptions, in the old RPC.
    pub fn file_name(&self) -> String {
        self.name.replace('_', "-")
    }

    /// Its name in the old RPC.
    pub fn old_name(&self) -> String {
        match self.name {
            "seed_ratio_limit" => "seedRatioLimit".into(),
            "seed_ratio_limited" => "seedRatioLimited".into(),
            _ => self.file_name(),
        }
    }

    /// Whether RPC may show it.
    pub fn is_shown(&self) -> bool {
        self.rpc != Rpc::Hide
    }

    /// Whether RPC may change it.
    pub fn may_change(&self) -> bool {
        self.rpc == Rpc::Change
    }

    /// Where it is in `settings`.
    pub fn place<'a>(&self, settings: &'a mut Settings) -> Place<'a> {
        (self.place)(settings)
    }
}

impl Settings {
    /// Sets what is called `name`, in any spelling. `Ok(false)`: there is no such setting. The error says which
    /// setting, what is wrong, and what was expected.
    pub fn set(&mut self, name: &str, given: &Given, source: Source) -> Result<bool, String> {
        let Some(row) = find(name).filter(|row| source == Source::File || row.is_shown()) else { return Ok(false) };
        let before = (source == Source::Rpc && row.rpc == Rpc::Show).then(|| self.clone());
        row.place(self).set(given).map_err(|expected| {
            let given = match given {
                Given::Flag(flag) => flag.to_string(),
                Given::Number(number) => number.to_string(),
                Given::Text(text) => format!("\"{}\"", text.chars().take(100).collect::<String>()),
                Given::Other => "this".into(),
            };
            // A person finds the name in the file as it is written there.
            let name = if source == Source::File { name.into() } else { row.file_name() };
            format!("{name}: {given} is not {expected}")
        })?;
        // Programs send back all that they were shown, so only a change is an error.
        match before.filter(|before| before != self) {
            None => Ok(true),
            Some(before) => {
                *self = before;
                Err(format!("{} can only be changed in the configuration file", row.file_name()))
            }
        }
    }
}

impl Place<'_> {
    /// Sets it. The error says what was expected.
    fn set(self, given: &Given) -> Result<(), String> {
        match self {
            Place::Flag(place) => {
                *place = match given {
                    Given::Flag(flag) => *flag,
                    Given::Number(0.0) => false,
                    Given::Number(1.0) => true,
                    Given::Text(word) if is_one_of(word, &["false", "no", "off", "0"]) => false,
                    Given::Text(word) if is_one_of(word, &["true", "yes", "on", "1"]) => true,
                    _ => return Err("true or false".into()),
                }
            }
            Place::Number(place, most) => {
                // A fraction is cut off, as transmission does.
                let number = number(given).filter(|number| (0.0..=most as f64).contains(number));
                *place = number.ok_or(format!("a number from 0 to {most}"))? as u64;
            }
            Place::Real(place) => {
                let number = number(given).filter(|number| (0.0..=MOST as f64).contains(number));
                *place = number.ok_or("a number such as 1.5, and at least 0")?;
            }
            Place::Text(place) => {
                let Given::Text(text) = given else { return Err("a text".into()) };
                if text.len() > MOST_TEXT || text.contains('\0') {
                    return Err(format!("a text of at most {MOST_TEXT} bytes without NUL"));
                }
                *place = (*text).into();
            }
            Place::Octal(place) => {
                let mask = match given {
                    Given::Text(digits) => u32::from_str_radix(digits, 8).ok(),
                    // Transmission 3 wrote it as a decimal number.
                    Given::Number(number) => Some(*number as u32),
                    _ => None,
                };
                *place = mask.filter(|mask| *mask <= 0o777).ok_or("a mask in octal digits, such as 022")?;
            }
            Place::Encryption(place) => {
                *place = match given {
                    // Transmission 3 wrote a number.
                    Given::Text("tolerated" | "allowed" | "0") | Given::Number(0.0) => Encryption::Tolerated,
                    Given::Text("preferred" | "1") | Given::Number(1.0) => Encryption::Preferred,
                    Given::Text("required" | "2") | Given::Number(2.0) => Encryption::Required,
                    _ => return Err("tolerated, preferred or required".into()),
                }
            }
        }
        Ok(())
    }
}

fn is_one_of(word: &str, words: &[&str]) -> bool {
    words.iter().any(|one| one.eq_ignore_ascii_case(word))
}

/// The number that was given; `None`: none, or one that is not finite.
fn number(given: &Given) -> Option<f64> {
    match given {
        Given::Number(number) => Some(*number),
        Given::Text(text) => text.parse().ok(),
        _ => None,
    }
    .filter(|number: &f64| number.is_finite())
}
