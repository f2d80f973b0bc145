//! The events of a run as JSON, for programs: one object per line on standard output.
//!
//! Floor 4. The names of fields never change; new fields may be added. Sizes are in bytes, rates in bytes per second,
//! times in seconds.

use super::doing::Doing;
use super::words::trackers::most;
use super::{router, words};
use crate::base::json::Object;
use crate::base::units;
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::command::{Part, Section};
use crate::cli::run::entry::{Entry, exit_of};
use crate::cli::run::session::{Session, Update};
use crate::cli::say;
use crate::engine::portmap;
use crate::engine::{DhtReport, NO_PORT, TorrentId};
use crate::proto::krpc;
use crate::swarm::meeting::source::Source;
use crate::sys::outlet::{self, Bound, Proxy};
use std::time::Instant;

/// The events, for the help.
pub const EVENTS: Section = Section {
    title: "JSON events (--json)",
    parts: &[
        Part::Text(
            "Every object has: event, time (seconds since the start), info_hash, name, size, wanted (bytes to \
             download), had (bytes of those that are verified), state, waits_for, downloaded, uploaded, ratio \
             (uploaded divided by size), wasted, down_rate, up_rate, peers, seeds, eta (null: unknown). Sizes are in \
             bytes, rates in bytes per second, times in seconds. Fields may be added, but are never renamed. The \
             events, and their additional fields:",
        ),
        Part::Terms(&[
            (
                "start",
                "for each torrent, at the beginning: port (null: nobody can connect to us, because of --proxy), bind \
                 (the address or interface of --bind; null: all), proxy (its host and port; null: none)",
            ),
            (
                "metadata",
                "the description of a magnet link's torrent has arrived; from then on, name, size and wanted are those \
                 of the torrent",
            ),
            ("checked", "after the existing content was checked: hashed (bytes that were read for this)"),
            (
                "status",
                "every second, for each torrent: checked (bytes checked so far), has_place (it downloads or waits for \
                 peers, and takes one of the places of --max-downloads), under_way (bytes that arrived but \
                 are not verified yet), why (the reason why nothing arrives; null: something arrives), offline (why \
                 nothing can be sent, because what --bind names is away; null: it is there), known (peers \
                 that can be tried), unchoking (peers that unchoke us), sources (how we learned of the connected \
                 peers: numbers for tracker, dht, pex, lsd, link and incoming), encrypted (connections to peers that \
                 are encrypted), web_seeds (web servers that are asked; they are no peers and no seeds in these numbers), \
                 swarm_seeds, swarm_leechers, swarm_completed (of the whole swarm, as trackers count; \
                 null: no tracker says), dht (our nodes of the DHT, null: it is off or not needed yet: nodes, the good \
                 nodes that they know, lookups, and numbers per second: queries_out, answers_in, queries_in, \
                 answers_out), port_mapping (state: off, useless, asking, \
                 open or closed; router; protocol; outer_ip; tcp and udp, the outer ports; ipv6, the router lets peers \
                 in with IPv6; reached, a peer from elsewhere has connected; why, what is wrong)",
            ),
            (
                "tracker",
                "a tracker fails, answers again, or has a message: tracker (its host), problem (null: it answers), \
                 warning (its message although it answers; null: none)",
            ),
            (
                "waiting",
                "the disk stopped working, or there is a new reason: problem, short (bytes of missing disk space; 0: \
                 another reason)",
            ),
            ("resumed", "the disk works again"),
            ("warning", "something is odd that stops nothing, such as a name that the disk refuses: warning"),
            ("complete", "once, when no wanted piece is missing: seconds, fetched (bytes)"),
            ("removed", "the .torrent file was taken away (many)"),
            ("failed", "the torrent ended because of an error: problem, exit_code"),
            ("stopped", "for each torrent, at the end: whole (true or false)"),
        ]),
        Part::Text(
            "state is learning (swarmlet asks peers for the description of a magnet link's torrent), checking, \
             waiting, paused, downloading, seeding, failed or removed. waits_for is null unless state is waiting. \
             Otherwise the torrent waits",
        ),
        Part::Terms(&[
            ("disk", "until its disk works"),
            ("turn", "until other torrents complete their downloads"),
            ("peers", "for a peer to connect to"),
            ("pieces", "for a peer that has a missing piece"),
            ("unchoke", "for a peer that has a missing piece to unchoke us"),
            ("blocks", "for requested blocks"),
        ]),
    ],
};

/// The objects of `get --list`, for the help.
pub const FILES: Section = Section {
    title: "JSON of --list",
    parts: &[Part::Text(
        "One object for each file, and nothing else: event (file), info_hash, name (of the torrent), number, path \
         (inside the torrent), size, wanted (true or false).",
    )],
};

/// Writes the objects of an update to standard output.
pub fn show(update: &Update, session: &Session) -> Result<(), Failure> {
    let text = objects(update, session, Instant::now());
    if text.is_empty() { Ok(()) } else { say::write_out(&text) }
}

/// The field `dht`.
fn dht(report: Option<DhtReport>) -> String {
    let Some(report) = report else { return "null".into() };
    let mut object = Object::plain();
    object.number("nodes", report.nodes as u64);
    object.number("lookups", report.lookups as u64);
    object.number("queries_out", report.queries_out);
    object.number("answers_in", report.answers_in);
    object.number("queries_in", report.queries_in);
    object.number("answers_out", report.answers_out);
    object.so_far() + "}"
}

fn objects(update: &Update, session: &Session, now: Instant) -> String {
    let all = |name: &str, more: fn(&mut Object, &Session, &Entry)| -> String {
        let entries = session.all();
        entries.map(|entry| object(name, session, entry, now, |object| more(object, session, entry))).collect()
    };
    let one = |name: &str, torrent: TorrentId, more: &dyn Fn(&mut Object, &Entry)| {
        let entry = &session.entries[&torrent];
        object(name, session, entry, now, |object| more(object, entry))
    };
    match update {
        Update::Started => all("start", |object, session, _| start(object, session)),
        Update::Ticked => all("status", |object, session, entry| {
            let running = entry.running();
            let checked = if entry.learning().is_some() { 0 } else { entry.size };
            object.number("checked", entry.checking().unwrap_or(checked));
            object.flag("has_place", running.is_some_and(|status| status.has_place && status.left > 0));
            object.number("under_way", running.map_or(0, |status| status.under_way));
            object.text_or_null("why", words::why(entry).as_deref());
            object.text_or_null("offline", session.offline.as_deref());
            let learning = entry.learning();
            let known = learning.map_or(0, |status| status.known);
            object.number("known", running.map_or(known, |status| status.known).into());
            object.number("unchoking", running.map_or(0, |status| status.unchoking.into()));
            let mut sources = Object::plain();
            let of_learning = learning.map(|status| &status.sources);
            let counts = running.map(|status| &status.sources).or(of_learning).into_iter().flatten();
            for (source, &peers) in Source::ALL.iter().zip(counts) {
                if peers > 0 {
                    sources.number(source.name(), peers.into());
                }
            }
            object.raw("sources", &(sources.so_far() + "}"));
            let encrypted = learning.map_or(0, |status| status.encrypted);
            object.number("encrypted", running.map_or(encrypted, |status| status.encrypted).into());
            object.number("web_seeds", running.map_or(0, |status| status.web_seeds.into()));
            let trackers = learning.map_or(&[][..], |status| &status.trackers);
            let trackers = running.map_or(trackers, |status| &status.trackers);
            object.number_or_null("swarm_seeds", most(trackers, |tracker| tracker.seeds));
            object.number_or_null("swarm_leechers", most(trackers, |tracker| tracker.leechers));
            object.number_or_null("swarm_completed", most(trackers, |tracker| tracker.completed));
            if krpc::IS_BUILT_IN {
                object.raw("dht", &dht(session.dht));
            }
            if portmap::IS_BUILT_IN {
                object.raw("port_mapping", &router::json(&session.router));
            }
        }),
        Update::Added(torrent) => one("start", *torrent, &|object, _| start(object, session)),
        Update::Removed(torrent) => one("removed", *torrent, &|_, _| {}),
        Update::Learned(torrent) => one("metadata", *torrent, &|_, _| {}),
        Update::Checked(torrent) => one("checked", *torrent, &|object, entry| object.number("hashed", entry.hashed)),
        Update::Complete(torrent) => one("complete", *torrent, &|object, entry| {
            let (time, missing) = entry.fetched().unwrap_or_default();
            object.raw("seconds", &units::seconds(time));
            object.number("fetched", missing);
        }),
        Update::Waiting { torrent, trouble } => one("waiting", *torrent, &|object, _| {
            object.text("problem", &trouble.text);
            object.number("short", trouble.short_bytes);
        }),
        Update::Resumed(torrent) => one("resumed", *torrent, &|_, _| {}),
        Update::Failed(torrent) => one("failed", *torrent, &|object, entry| {
            object.text("problem", &words::problem(entry).unwrap_or_default());
            let exit = entry.problem().map_or(Exit::Success, exit_of);
            object.number("exit_code", exit.code().into());
        }),
        Update::Tracker { torrent, host, problem, warning, .. } => one("tracker", *torrent, &|object, _| {
            object.text("tracker", host);
            object.text_or_null("problem", problem.as_deref());
            object.text_or_null("warning", warning.as_deref());
        }),
        Update::Warning { torrent: Some(torrent), text } => {
            one("warning", *torrent, &|object, _| object.text("warning", text))
        }
        Update::Stopping { .. } | Update::Router | Update::Warning { torrent: None, .. } | Update::Problem(_) => {
            String::new()
        }
        Update::Ended => all("stopped", |object, _, entry| object.flag("whole", entry.completed_at.is_some())),
    }
}

/// The fields of the event `start`.
fn start(object: &mut Object, session: &Session) {
    let outlet = outlet::get();
    object.number_or_null("port", (session.port != NO_PORT).then_some(session.port.into()));
    object.text_or_null("bind", outlet.bound.as_ref().map(Bound::to_string).as_deref());
    object.text_or_null("proxy", outlet.proxy.as_ref().map(Proxy::to_string).as_deref());
}

/// The object of one torrent: the common fields, then those of the event.
fn object(event: &str, session: &Session, entry: &Entry, now: Instant, more: impl Fn(&mut Object)) -> String {
    let mut object = Object::new(event);
    object.raw("time", &units::seconds(now.saturating_duration_since(session.began)));
    object.text("info_hash", &entry.info_hash.to_string());
    object.text("name", &entry.name);
    object.number("size", entry.size);
    object.number("wanted", entry.wanted);
    object.number("had", entry.had());
    object.text("state", Doing::of(entry).word());
    object.text_or_null("waits_for", words::waits_for(entry));
    let (last, running) = (entry.status.as_ref(), entry.running());
    object.number("downloaded", last.map_or(0, |status| status.downloaded));
    object.number("uploaded", last.map_or(0, |status| status.uploaded));
    object.raw("ratio", &units::ratio(last.map_or(0, |status| status.uploaded), entry.size));
    object.number("wasted", last.map_or(0, |status| status.wasted));
    object.number("down_rate", running.map_or(0, |status| status.down_rate));
    object.number("up_rate", running.map_or(0, |status| status.up_rate));
    let learning = entry.learning().map_or(0, |status| status.peers);
    object.number("peers", running.map_or(learning, |status| status.peers).into());
    object.number("seeds", running.map_or(0, |status| status.seeds.into()));
    match words::time_left(entry) {
        Some(eta) => object.number("eta", eta.as_secs()),
        None => object.raw("eta", "null"),
    }
    more(&mut object);
    object.end()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::run::session::tests::{session, status};
    use crate::engine::{Phase, Problem, ProblemKind};
    use crate::swarm::figures::Status;
    use crate::swarm::standing::DiskTrouble;
    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    fn a_status_has_all_fields() {
        let run = session(vec![("a\"b", 659 << 20, Phase::Running(status(247 << 20).into()))]);
        let expected = format!(
            "{{\"event\":\"status\",\"time\":0.000,\"info_hash\":\"{}\",\"name\":\"a\\\"b\",\"size\":691011584,\
             \"wanted\":691011584,\"had\":432013312,\"state\":\"downloading\",\"waits_for\":null,\"downloaded\":432000000,\"uploaded\":9000000,\"ratio\":0.01,\"wasted\":0,\
             \"down_rate\":5460000,\"up_rate\":122880,\"peers\":12,\"seeds\":8,\"eta\":48,\"checked\":691011584,\
             \"has_place\":true,\"under_way\":0,\"why\":null,\"offline\":null,\"known\":40,\"unchoking\":3,\"sources\":{{\"tracker\":8,\"incoming\":4}},\
             \"encrypted\":3,\"web_seeds\":0,\"swarm_seeds\":12,\"swarm_leechers\":3,\"swarm_completed\":null{}{}}}\n",
            "ab".repeat(20),
            if krpc::IS_BUILT_IN { ",\"dht\":null" } else { "" },
            if portmap::IS_BUILT_IN {
                format!(",\"port_mapping\":{}", router::json(&run.router))
            } else {
                String::new()
            }
        );
        assert_eq!(objects(&Update::Ticked, &run, run.began), expected);
    }

    #[test]
    fn other_events_have_their_own_fields() {
        let problem = Problem { kind: ProblemKind::Io, text: "disk full".into() };
        let run = session(vec![("a", 5, Phase::Failed(problem.into()))]);
        let told = |update: Update| objects(&update, &run, run.began);
        assert!(told(Update::Failed(TorrentId(0))).contains("\"state\":\"failed\""));
        assert!(told(Update::Failed(TorrentId(0))).contains("\"problem\":\"disk full\",\"exit_code\":74}"));
        assert!(told(Update::Started).ends_with("\"eta\":null,\"port\":6881,\"bind\":null,\"proxy\":null}\n"));
        assert!(told(Update::Ended).ends_with("\"whole\":false}\n"));
        let (torrent, host) = (TorrentId(0), "t.example".to_string());
        let tracker =
            Update::Tracker { torrent, host, problem: None, refuses: false, warning: Some("old\nclient".into()) };
        let fields = "\"tracker\":\"t.example\",\"problem\":null,\"warning\":\"old\\nclient\"}\n";
        assert!(told(tracker).ends_with(fields));
        assert_eq!(told(Update::Stopping { interrupted: true }), "");
    }

    /// The chapter that describes what programs read.
    const CHAPTER: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/book/json.md"));

    /// The words between backticks.
    fn ticked(text: &str) -> BTreeSet<String> {
        text.split('`').skip(1).step_by(2).map(str::to_string).collect()
    }

    /// The fields that the book lists for each event, including those that every object has.
    fn documented() -> BTreeMap<String, BTreeSet<String>> {
        let paragraph = CHAPTER.split("\n\n").find(|paragraph| paragraph.starts_with("Every object has"));
        let all = ticked(paragraph.expect("the paragraph is in the chapter"));
        let section = CHAPTER.split("| `event` | when").nth(1).unwrap().split("\n\n").next().unwrap();
        let row = |line: &str| {
            let cells: Vec<&str> = line.split(" | ").collect();
            let event = ticked(cells[0]).pop_first()?;
            Some((event, all.union(&ticked(cells.get(2)?)).cloned().collect()))
        };
        section.lines().filter_map(row).collect()
    }

    /// The book lists every field of every event, and no others.
    #[test]
    fn the_book_has_every_field_of_every_event() {
        let every_source = Status { sources: [1; 6], ..status(2) };
        let mut run = session(vec![("a", 5, Phase::Running(every_source.into()))]);
        run.dht = Some(DhtReport::default());
        let (torrent, host) = (TorrentId(0), "t.example".to_string());
        let updates = [
            Update::Started,
            Update::Learned(torrent),
            Update::Ticked,
            Update::Checked(TorrentId(0)),
            Update::Complete(TorrentId(0)),
            Update::Waiting { torrent, trouble: DiskTrouble { text: "full".into(), short_bytes: 5 } },
            Update::Resumed(TorrentId(0)),
            Update::Warning { torrent: Some(torrent), text: "odd".into() },
            Update::Removed(TorrentId(0)),
            Update::Failed(TorrentId(0)),
            Update::Tracker { torrent, host, problem: Some("down".into()), refuses: false, warning: None },
            Update::Ended,
        ];
        let mut written = BTreeMap::new();
        for update in updates {
            let line = objects(&update, &run, run.began);
            // Here no value holds a quote and a colon.
            let (name, _) = line.strip_prefix("{\"event\":\"").unwrap().split_once('"').unwrap();
            let before_colons = line.rsplit("\":").skip(1);
            let fields = before_colons.map(|text| text.rsplit('"').next().unwrap().to_string()).collect();
            written.insert(name.to_string(), fields);
        }
        assert_eq!(documented(), written);
        let all = written.iter().flat_map(|(event, fields)| fields.iter().chain([event]));
        let text = |part: &Part| match part {
            Part::Text(text) => text.to_string(),
            Part::Terms(terms) => terms.iter().map(|(term, meaning)| format!("{term} {meaning} ")).collect(),
        };
        let help: String = EVENTS.parts.iter().map(text).collect();
        all.for_each(|word| assert!(help.contains(word.as_str()), "{word} is not in the help"));
    }
}
