//! `remote limit`: shows and changes the limits of a daemon and of its torrents.
//!
//! Floor 4. Transmission counts in kB/s (1000 bytes), our options in units of 1024 bytes, as everywhere in swarmlet.

use super::daemon::{Daemon, query};
use super::fields::{flag, number, number_or_null};
use super::torrents::{Found, Wanted, hashes, wanted};
use crate::base::json::Object;
use crate::base::json::read::Value;
use crate::base::units::rate;
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::flags::Parsed;
use crate::cli::options::run;
use crate::cli::run::person;
use crate::cli::say;
use std::ffi::OsString;

/// Bytes per second of transmission's unit for speeds, kB/s.
const SPEED_UNIT: u64 = 1000;
/// The fields of a torrent's limits.
pub const FIELDS: &[&str] = &["downloadLimit", "downloadLimited", "uploadLimit", "uploadLimited"];
/// The fields of the limits of all torrents together.
pub const SESSION_FIELDS: &[&str] = &[
    "speed-limit-down",
    "speed-limit-down-enabled",
    "speed-limit-up",
    "speed-limit-up-enabled",
    "alt-speed-enabled",
    "alt-speed-down",
    "alt-speed-up",
];

/// Limits in bytes per second. `None`: there is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Of what comes.
    pub down: Option<u64>,
    /// Of what goes.
    pub up: Option<u64>,
}

impl Limits {
    /// Reads the limits of a torrent.
    pub fn of(torrent: &Value) -> Limits {
        let read = |limit: &str, limited: &str| flag(torrent, limited).then(|| speed(torrent, limit));
        Limits { down: read("downloadLimit", "downloadLimited"), up: read("uploadLimit", "uploadLimited") }
    }

    /// `500 KiB/s down, no limit up`
    pub fn in_words(&self) -> String {
        let one = |limit: Option<u64>| limit.map_or("no limit".into(), rate);
        format!("{} down, {} up", one(self.down), one(self.up))
    }
}

/// A speed of a daemon in bytes per second.
fn speed(object: &Value, key: &str) -> u64 {
    number(object, key).saturating_mul(SPEED_UNIT)
}

/// A limit in transmission's unit. A small one must not become 0, which would mean that nothing moves.
fn in_their_unit(bytes: u64) -> u64 {
    (bytes.saturating_add(SPEED_UNIT / 2) / SPEED_UNIT).max(1)
}

/// The next limit of a rate, as on the [live screen](person::step). Steps that are the same in transmission's unit are
/// left out, because nothing would change.
pub fn step(limit: Option<u64>, rate: u64, faster: bool) -> Option<u64> {
    let theirs = |limit: Option<u64>| limit.map(in_their_unit);
    let mut next = person::step(limit, rate, faster);
    while next.is_some() && theirs(next) == theirs(limit) {
        let beyond = person::step(next, rate, faster);
        // There is no smaller one.
        if beyond == next {
            break;
        }
        next = beyond;
    }
    next
}

/// Shows the limits, and before that changes them if an option says so.
pub fn run(daemon: &mut Daemon, arguments: &[OsString], given: &Parsed) -> Result<Exit, Failure> {
    let (down, up) = (wish(given, "down")?, wish(given, "up")?);
    if arguments.is_empty() {
        return session(daemon, down, up, given.has("json"));
    }
    let wanted = wanted("limit", arguments)?;
    if down.is_some() || up.is_some() {
        let found = wanted.find(daemon)?;
        let mut change = Object::plain();
        change.raw("ids", &hashes(&found));
        put(&mut change, down, "downloadLimit", "downloadLimited");
        put(&mut change, up, "uploadLimit", "uploadLimited");
        if !found.is_empty() {
            daemon.call("torrent-set", change)?.arguments("")?;
        }
    }
    show(daemon, &wanted, given.has("json"))
}

/// The limit that an option sets. `Some(None)`: no limit.
fn wish(given: &Parsed, option: &str) -> Result<Option<Option<u64>>, Failure> {
    let limit = run::rate(given, option)?;
    Ok(given.has(option).then_some(limit))
}

/// Puts a limit into the arguments of a change, if one is wished.
pub fn put(change: &mut Object, wish: Option<Option<u64>>, limit: &str, limited: &str) {
    let Some(wish) = wish else { return };
    change.flag(limited, wish.is_some());
    wish.into_iter().for_each(|bytes| change.number(limit, in_their_unit(bytes)));
}

fn show(daemon: &mut Daemon, wanted: &Wanted, is_json: bool) -> Result<Exit, Failure> {
    let reply = daemon.call("torrent-get", query(&[Found::FIELDS, FIELDS].concat(), wanted.ids().as_deref()))?;
    let torrents = reply.torrents()?;
    let found: Vec<Found> = torrents.iter().map(Found::of).collect();
    wanted.must_be_among(&found, daemon)?;
    for (found, torrent) in found.iter().zip(&torrents) {
        let limits = Limits::of(torrent);
        say::write_out(match is_json {
            true => object(found.object("limits"), &limits, false),
            false => format!("{}: {}\n", found.shown(), limits.in_words()),
        })?;
    }
    Ok(Exit::Success)
}

/// The limits of all torrents together.
fn session(
    daemon: &mut Daemon,
    down: Option<Option<u64>>,
    up: Option<Option<u64>>,
    is_json: bool,
) -> Result<Exit, Failure> {
    if down.is_some() || up.is_some() {
        let mut change = Object::plain();
        put(&mut change, down, "speed-limit-down", "speed-limit-down-enabled");
        put(&mut change, up, "speed-limit-up", "speed-limit-up-enabled");
        daemon.call("session-set", change)?.arguments("")?;
    }
    let reply = daemon.call("session-get", query(SESSION_FIELDS, None))?;
    let (limits, alternative) = of_session(&reply.arguments("")?);
    if is_json {
        let mut start = Object::new("limits");
        ["id", "info_hash", "name"].iter().for_each(|key| start.raw(key, "null"));
        say::write_out(object(start, &limits, alternative.is_some()))?;
        return Ok(Exit::Success);
    }
    let mut words = format!("all torrents together: {}\n", limits.in_words());
    if let Some(now) = alternative {
        words += &format!("but the alternative limits are in use: {}\n", now.in_words());
    }
    say::write_out(words)?;
    Ok(Exit::Success)
}

/// The limits of all torrents together, and the alternative ones if they are in use instead.
pub fn of_session(session: &Value) -> (Limits, Option<Limits>) {
    let read = |name: &str| flag(session, &format!("{name}-enabled")).then(|| speed(session, name));
    let limits = Limits { down: read("speed-limit-down"), up: read("speed-limit-up") };
    let alternative = Limits { down: Some(speed(session, "alt-speed-down")), up: Some(speed(session, "alt-speed-up")) };
    (limits, Some(alternative).filter(|_| flag(session, "alt-speed-enabled")))
}

fn object(mut object: Object, limits: &Limits, is_alternative: bool) -> String {
    number_or_null(&mut object, "down", limits.down);
    number_or_null(&mut object, "up", limits.up);
    object.flag("alternative", is_alternative);
    object.end()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::json::read::read;

    #[test]
    fn limits_are_counted_in_transmissions_unit() {
        assert_eq!([1, 499, 1024, 512_000, 1 << 40].map(in_their_unit), [1, 1, 1, 512, 1_099_511_628]);
        let torrent = r#"{"downloadLimit":512,"downloadLimited":true,"uploadLimit":100,"uploadLimited":false}"#;
        let limits = Limits::of(&read(torrent).unwrap());
        assert_eq!(limits, Limits { down: Some(512_000), up: None });
        assert_eq!(limits.in_words(), "500 KiB/s down, no limit up");
        let huge = Limits::of(&read(r#"{"uploadLimit":9223372036854775807,"uploadLimited":1}"#).unwrap());
        assert_eq!((huge.up, in_their_unit(u64::MAX)), (Some(u64::MAX), u64::MAX / 1000));
    }

    #[test]
    fn each_step_changes_the_limit_of_the_daemon_in_both_directions() {
        // The daemon rounds to its unit, and that is where the next step begins.
        let next = |limit: Option<u64>, faster| step(limit, 0, faster).map(|next| in_their_unit(next) * SPEED_UNIT);
        let lowered = |limit: &Option<u64>| Some(next(*limit, false)).filter(|lower| lower != limit);
        let down: Vec<Option<u64>> = std::iter::successors(Some(None), lowered).collect();
        assert_eq!((down.len(), down[1], down[18]), (19, Some(512_000_000), Some(1000)), "{down:?}");
        let raised = |limit: &Option<u64>| limit.is_some().then(|| next(*limit, true));
        let mut up: Vec<Option<u64>> = std::iter::successors(Some(down[18]), raised).collect();
        up.reverse();
        assert_eq!(up, down);
        assert_eq!([next(Some(0), true), next(None, true)], [Some(2000), None]);
    }
}
