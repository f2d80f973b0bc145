//! `remote info`: everything about torrents of a daemon.
//!
//! Floor 4. The files are written one by one, because a torrent can have a hundred thousand.

use super::daemon::{Daemon, query, words};
use super::fields::{as_whole, flag, list, number, number_or_null, text, whole};
use super::figures::Figures;
use super::limits::{self, Limits};
use super::list::progress;
use super::torrents::{Found, Wanted};
use crate::base::date::date;
use crate::base::json::read::Value;
use crate::base::json::{self, Object};
use crate::base::path::for_terminal;
use crate::base::units::{count, percent, rate, ratio, size};
use crate::base::url;
use crate::cli::commands::torrents::show::in_portions;
use crate::cli::exit::{Exit, Failure};
use crate::cli::say;

/// What the facts need besides figures and limits.
pub const FACTS: &[&str] = &["comment", "isPrivate", "addedDate", "doneDate", "peersSendingToUs", "trackerStats"];
/// What the list of files needs.
pub const FILES: &[&str] = &["files", "wanted", "priorities"];

/// What the marks in a list of files mean.
const MARKS: &str = "a * marks those that are wanted, + and - those with a high and a low priority";

/// Prints the details of `wanted`.
pub fn run(daemon: &mut Daemon, wanted: &Wanted, is_json: bool) -> Result<Exit, Failure> {
    let fields = [Figures::FIELDS, limits::FIELDS, FACTS, FILES].concat();
    let reply = daemon.call("torrent-get", query(&fields, wanted.ids().as_deref()))?;
    let torrents = reply.torrents()?;
    let found: Vec<Found> = torrents.iter().map(Found::of).collect();
    wanted.must_be_among(&found, daemon)?;
    for (place, torrent) in torrents.iter().enumerate() {
        if is_json {
            object(torrent)?;
        } else {
            say::write_out(if place > 0 { "\n" } else { "" })?;
            say::write_out(facts(torrent))?;
            in_portions(&mut files(torrent).map(|file| file.line()))?;
        }
    }
    Ok(Exit::Success)
}

/// The facts, a line each, with the values below each other.
pub fn facts(torrent: &Value) -> String {
    let figures = Figures::of(torrent);
    let mut lines = String::new();
    let mut put = |name: &str, value: &str| {
        if !value.is_empty() {
            lines += &format!("{name:9}  {}\n", for_terminal(value));
        }
    };
    put("name", &figures.found.name);
    put("id", &figures.found.id.to_string());
    put("info-hash", &figures.found.info_hash);
    put("state", figures.state);
    put("problem", &figures.problem);
    put("done", &progress(&figures));
    put("folder", &figures.folder);
    put("labels", &figures.labels.join(", "));
    put("private", if flag(torrent, "isPrivate") { "yes: peers come only from the trackers" } else { "" });
    put("comment", text(torrent, "comment"));
    put("added", &when(torrent, "addedDate").map_or(String::new(), date));
    put("completed", &when(torrent, "doneDate").map_or(String::new(), date));
    put("now", &format!("{} down, {} up", rate(figures.down_rate), rate(figures.up_rate)));
    let moved = format!("{} down, {} up", size(figures.downloaded), size(figures.uploaded));
    // Content that was there from the start was not downloaded.
    put("in all", &format!("{moved}, ratio {}", ratio(figures.uploaded, figures.downloaded.max(figures.size))));
    put("limits", &Limits::of(torrent).in_words());
    let sending = number(torrent, "peersSendingToUs");
    put("peers", &format!("{} connected, {sending} of them sending", figures.peers));
    for tracker in trackers(torrent) {
        let host = tracker.host.clone();
        let said = tracker.in_words();
        put("tracker", &format!("{host}{}{said}", if said.is_empty() { "" } else { ": " }));
    }
    let files = list(torrent, "files").len();
    put("files", &if files > 0 { format!("{files}; {MARKS}") } else { String::new() });
    lines
}

/// Seconds since 1970; `None` if that was not yet.
fn when(torrent: &Value, key: &str) -> Option<i64> {
    whole(torrent, key).filter(|seconds| *seconds > 0)
}

/// A tracker, as the daemon sees it.
pub struct Tracker {
    /// Its URL without secrets.
    pub host: String,
    tier: u64,
    seeds: Option<u64>,
    leechers: Option<u64>,
    /// Why the last announce failed; empty if it did not.
    problem: String,
}

impl Tracker {
    /// Why the last announce failed, or else how many seeds and leechers it knows.
    pub fn in_words(self) -> String {
        let swarm = [(self.seeds, "seed"), (self.leechers, "leecher")];
        let counts = swarm.iter().filter_map(|(number, noun)| Some(count((*number)?.try_into().ok()?, noun)));
        if self.problem.is_empty() { counts.collect::<Vec<_>>().join(", ") } else { self.problem }
    }
}

/// The trackers of a torrent.
pub fn trackers(torrent: &Value) -> impl Iterator<Item = Tracker> {
    list(torrent, "trackerStats").iter().map(|tracker| {
        let announce = text(tracker, "announce");
        let has_failed = flag(tracker, "hasAnnounced") && !flag(tracker, "lastAnnounceSucceeded");
        let known = |key: &str| whole(tracker, key).and_then(|number| u64::try_from(number).ok());
        Tracker {
            host: words(&url::redact(announce), ""),
            tier: number(tracker, "tier"),
            seeds: known("seederCount"),
            leechers: known("leecherCount"),
            problem: if has_failed { words(text(tracker, "lastAnnounceResult"), announce) } else { String::new() },
        }
    })
}

/// A file of a torrent.
pub struct File<'a> {
    /// Counted from 1.
    pub number: u64,
    /// Not safe for a terminal.
    pub path: &'a str,
    /// In bytes.
    pub size: u64,
    /// Bytes of it that are there.
    pub had: u64,
    /// It is downloaded.
    pub wanted: bool,
    /// 1: high, 0: normal, -1: low.
    pub priority: i64,
}

/// The files of a torrent.
pub fn files<'a>(torrent: &'a Value) -> impl Iterator<Item = File<'a>> {
    let (wanted, priorities) = (list(torrent, "wanted"), list(torrent, "priorities"));
    (1..).zip(list(torrent, "files")).zip(0..).map(|((number_of, file), place)| File {
        number: number_of,
        path: text(file, "name"),
        size: number(file, "length"),
        had: number(file, "bytesCompleted"),
        // Old daemons write 0 and 1.
        wanted: !matches!(wanted.get(place), Some(Value::Flag(false) | Value::Whole(0))),
        priority: priorities.get(place).and_then(as_whole).unwrap_or(0).clamp(-1, 1),
    })
}

impl File<'_> {
    /// `*` if it is wanted, `+` or `-`, its number, the part that is there, its size, its path.
    pub fn line(&self) -> String {
        let mark = if self.wanted { '*' } else { ' ' };
        let sign = ['-', ' ', '+'][(self.priority + 1) as usize];
        let done = percent(self.had, self.size);
        format!("{mark}{sign}{:>5}  {done:>7}  {:>8}  {}\n", self.number, size(self.size), for_terminal(self.path))
    }

    /// The same as an object, which has begun.
    pub fn object(&self, mut object: Object) -> String {
        object.number("number", self.number);
        object.text("path", self.path);
        object.number("size", self.size);
        object.number("had", self.had);
        object.flag("wanted", self.wanted);
        object.text("priority", ["low", "normal", "high"][(self.priority + 1) as usize]);
        object.end()
    }
}

/// Writes the object of a torrent.
fn object(torrent: &Value) -> Result<(), Failure> {
    let (mut object, limits) = (Figures::of(torrent).object(), Limits::of(torrent));
    object.text("comment", text(torrent, "comment"));
    object.flag("private", flag(torrent, "isPrivate"));
    for (key, field) in [("added", "addedDate"), ("completed", "doneDate")] {
        number_or_null(&mut object, key, when(torrent, field).map(i64::unsigned_abs));
    }
    number_or_null(&mut object, "down_limit", limits.down);
    number_or_null(&mut object, "up_limit", limits.up);
    object.raw("trackers", &json::array(&mut trackers(torrent).map(|tracker| tracker_object(&tracker))));
    object.key("files");
    say::write_out(object.so_far())?;
    let file = |(place, file): (usize, File)| {
        [if place == 0 { "[" } else { "," }, file.object(Object::plain()).trim_end()].concat()
    };
    let end = if list(torrent, "files").is_empty() { "[]}\n" } else { "]}\n" };
    in_portions(&mut files(torrent).enumerate().map(file).chain([end.to_string()]))
}

fn tracker_object(tracker: &Tracker) -> String {
    let mut object = Object::plain();
    object.text("tracker", &tracker.host);
    object.number("tier", tracker.tier);
    number_or_null(&mut object, "seeds", tracker.seeds);
    number_or_null(&mut object, "leechers", tracker.leechers);
    object.text_or_null("problem", Some(tracker.problem.as_str()).filter(|problem| !problem.is_empty()));
    object.end().trim_end().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::json::read::read;

    #[test]
    fn no_passkey_and_no_control_character_is_shown() {
        let answer = r#"{"id":1,"name":"a\u001b","comment":"line\nline","trackerStats":[{"hasAnnounced":true,
            "announce":"http://t.example:8/0123456789abcdef/announce","lastAnnounceSucceeded":false,
            "lastAnnounceResult":"no 0123456789abcdef\u0007 here","seederCount":-1}],
            "files":[{"name":"a/\u001b]0;x","length":10,"bytesCompleted":5}],"wanted":[0],"priorities":[-9]}"#;
        let answer = read(answer).unwrap();
        let facts = facts(&answer);
        assert!(facts.contains("\ntracker    http://t.example:8/…: no …\\x07 here\n"), "{facts}");
        assert!(facts.contains("name       a\\x1b\n") && facts.contains("comment    line\\x0aline\n"), "{facts}");
        let lines: Vec<String> = files(&answer).map(|file| file.line()).collect();
        assert_eq!(lines, [" -    1   50.0 %      10 B  a/\\x1b]0;x\n"]);
    }

    #[test]
    fn an_answer_without_anything_is_shown_too() {
        for empty in ["{}", "null", r#"{"trackerStats":[1,null],"files":[2],"wanted":{}}"#] {
            let answer = read(empty).unwrap();
            assert!(facts(&answer).contains("state      unknown\n"));
            assert!(files(&answer).all(|file| file.wanted));
        }
    }
}
