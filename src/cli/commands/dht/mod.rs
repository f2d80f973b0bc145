//! `swarmlet dht`: looks around in the DHT, to learn how it works and to see what is wrong.
//!
//! Floor 4.

mod node;
mod visit;

use self::visit::Visit;
use crate::base::hex::{from_base32, from_hex, to_hex};
use crate::base::json::Object;
use crate::base::units::count;
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::command::{Command, Completes, Group, Part, Section};
use crate::cli::options::flags::{Flag, Parsed};
use crate::cli::options::named::{self, Named};
use crate::cli::options::outlet::{self, BIND};
use crate::cli::options::run::{self, DHT_NODE, HELP, STATE};
use crate::cli::options::{source, states, typed};
use crate::cli::say;
use crate::cli::trace::TRACE;
use crate::engine::config::{DEFAULT_PORTS, Dht as Options};
use crate::proto::id::InfoHash;
use crate::proto::krpc::{Filters, NodeId};
use crate::swarm::dht::{Goal, Hint, Outcome, Step};
use crate::sys::in_words;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// A packet may be lost, so `dht ping` asks this often. It waits two seconds each time.
const PINGS: usize = 3;
/// The folder is that of other runs, but what it is good for is less.
const FOLDER: Flag =
    Flag::with("state", "DIR", "Folder of dht.nodes, the nodes of the last run; find and scrape only read it")
        .default(STATE.default);

/// `dht`, described.
pub const COMMAND: Command = Command {
    name: "dht",
    summary: "look around in the DHT",
    usage: "ping HOST:PORT | find HASH | scrape HASH | run",
    completes: Completes::Words(&["ping", "find", "scrape", "run"]),
    about: &[
        "Look around in the DHT, the directory in which peers find each other without a tracker.",
        "`dht ping` asks whether there is a node at an address. `dht find` looks up a torrent, prints each step, and \
         then the peers; it announces nothing. `dht scrape` estimates how many seeds and leechers a torrent has. `dht \
         run` runs a node that does nothing else: it answers the questions of others, and prints its figures every \
         minute.",
        "HASH is an info-hash, a magnet link or a .torrent file.",
    ],
    options: &[
        Group {
            title: "Options",
            flags: &[
                Flag::with("port", "PORT", "Use this UDP port").short("p").default("the system chooses; of run: 6881"),
                BIND,
                DHT_NODE,
                FOLDER,
                Flag::switch("json", "Write one JSON object per line to standard output"),
                HELP,
            ],
        },
        TRACE,
    ],
    exits: &[
        (Exit::Success, "the node answers, a peer was found, or a signal ended `dht run`"),
        (Exit::Incomplete, "the node does not answer, or no peer was found"),
        (Exit::Usage, "the command line is wrong"),
        (Exit::BadTorrent, "a file is not a torrent, or an invalid one"),
        (Exit::NoInput, "a file does not exist or cannot be read"),
        (Exit::Unavailable, "the port is not free, or no node of the DHT answers"),
        (Exit::Io, "the system refuses to report signals"),
        (Exit::Interrupted, "a second signal ended `dht run` immediately"),
    ],
    exit_note: "",
    sections: &[Section {
        title: "JSON (--json)",
        parts: &[Part::Terms(&[
            ("asked", "a node is asked: address, id (null: unknown), bits (that the id shares with the hash)"),
            ("answered", "it answers: address, id, bits, nodes, peers (numbers), token (it accepts announces)"),
            ("silent", "it does not answer: address"),
            ("peer", "a peer was found: address"),
            ("done", "at the end: questions, answers, peers; of scrape: seeds, leechers (null: nobody knows)"),
            (
                "node",
                "of run, every minute: port, good, nodes, queries_in, answers_out, queries_out, answers_in (numbers \
                 since the start), torrents and peers (that are stored), read_only, external (null: unknown)",
            ),
        ])],
    }],
    examples: &[
        "swarmlet dht ping router.bittorrent.com:6881",
        "swarmlet dht find a2e914fed73839f22b6b0850fadf2036d4af38f2",
        "swarmlet dht run --port 6881",
    ],
    run,
};

/// Runs the command.
fn run(given: &Parsed) -> Result<Exit, Failure> {
    outlet::choose(given)?;
    let arguments = given.arguments();
    let words: Vec<&OsString> = arguments.iter().collect();
    let verb = words.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
    match (verb.as_str(), &words[words.len().min(1)..]) {
        ("ping", [node]) => ping(run::node(node)?, given),
        ("find", [hash]) => find(info_hash(hash)?, given),
        ("scrape", [hash]) => scrape(info_hash(hash)?, given),
        ("run", []) => stay(given),
        ("ping", _) => Err(Failure::usage("expected a node: swarmlet dht ping HOST:PORT")),
        ("find" | "scrape", _) => Err(Failure::usage(format!("expected one info-hash: swarmlet dht {verb} HASH"))),
        ("run", _) => Err(Failure::usage("`swarmlet dht run` takes no arguments")),
        ("", _) => Err(Failure::usage("expected ping, find, scrape or run: try `swarmlet dht --help`")),
        (other, _) => Err(Failure::usage(format!("dht {}: expected ping, find, scrape or run", typed::shown(other)))),
    }
}

/// Reads an info-hash, a link or a torrent.
fn info_hash(text: &OsString) -> Result<InfoHash, Failure> {
    let hash = text.to_str().and_then(|text| from_hex(text).or_else(|| from_base32(text)));
    if let Some(hash) = hash {
        return Ok(InfoHash(hash));
    }
    if is_mistyped(text) {
        let expected = "neither an info-hash (40 hexadecimal digits) nor a magnet link, and there is no such file";
        return Err(Failure::new(Exit::NoInput, format!("{}: {expected}", typed::shown(text))));
    }
    match named::read(text)? {
        Named::Torrent(metainfo) => Ok(metainfo.info_hash),
        Named::Link(link) => link.info_hash.ok_or_else(|| {
            Failure::new(Exit::BadTorrent, format!("{}: the link is for version 2 of BitTorrent", source::shown(text)))
        }),
    }
}

/// Whether a text that is no info-hash was meant as one, as far as one can tell: nothing says that it is a file.
fn is_mistyped(text: &OsString) -> bool {
    let is_other = text.is_empty() || text == "-" || source::is_link(text);
    let is_file = text.as_bytes().contains(&b'/') || text.as_bytes().ends_with(b".torrent") || Path::new(text).exists();
    !is_other && !is_file
}

fn port(given: &Parsed) -> Result<Option<u16>, Failure> {
    Ok(given.number("port", 1..=u64::from(u16::MAX), "the number of a port")?.map(|port| port as u16))
}

fn options(given: &Parsed, read_only: bool) -> Result<Options, Failure> {
    let nodes = given.values("dht-node").iter().map(run::node).collect::<Result<_, _>>()?;
    Ok(Options { nodes, read_only, folder: None })
}

/// Begins a visit at this port. It asks, and answers nobody.
fn bind(port: u16, options: &Options, states: Option<&Path>) -> Result<Visit, Failure> {
    let refused = |error| Failure::new(Exit::Unavailable, format!("can't use UDP port {port}: {}", in_words(&error)));
    Visit::begin(port, options, states).map_err(refused)
}

/// The same with what is given.
fn begin(given: &Parsed, options: &Options) -> Result<Visit, Failure> {
    bind(port(given)?.unwrap_or(0), options, states::dir(given)?.as_deref())
}

/// The same, and enters the DHT.
fn enter(given: &Parsed) -> Result<Visit, Failure> {
    let options = options(given, true)?;
    let mut visit = begin(given, &options)?;
    visit.enter(&options).map_err(|why| Failure::new(Exit::Unavailable, why))?;
    Ok(visit)
}

fn ping(node: (String, u16), given: &Parsed) -> Result<Exit, Failure> {
    // Addresses of our own network are asked, too, if a person names them.
    let local = Options { nodes: vec![node.clone()], read_only: true, folder: None };
    let Some(addr) = visit::addresses(&node).into_iter().next() else {
        return Err(Failure::new(Exit::Unavailable, visit::no_address(&node)));
    };
    let mut visit = begin(given, &local)?;
    let goal = Goal::Ping(addr);
    let found = (0..PINGS).find_map(|_| visit.seek(&goal, &mut |_| {}).pop()?.nearest.pop());
    if given.has("json") {
        let mut object = Object::new(if found.is_some() { "answered" } else { "silent" });
        object.text("address", &addr.to_string());
        found.iter().for_each(|node| object.text("id", &to_hex(&node.id.0)));
        say::write_out(object.end())?;
    } else {
        match &found {
            Some(node) => print(&format!("{addr} is a node, its id is {}", node.id))?,
            None => print(&format!("{addr} does not answer"))?,
        }
    }
    Ok(if found.is_some() { Exit::Success } else { Exit::Incomplete })
}

fn find(info_hash: InfoHash, given: &Parsed) -> Result<Exit, Failure> {
    let (mut visit, is_json, target) = (enter(given)?, given.has("json"), NodeId(info_hash.0));
    let (mut peers, mut written) = (Vec::new(), Ok(()));
    let outcomes = visit.seek(&Goal::Peers { info_hash, announce: None }, &mut |step| {
        let text = if is_json { object(step, target) } else { line(step, target) };
        written = std::mem::replace(&mut written, Ok(())).and_then(|()| say::write_out(text));
        if let Step::Answered { new, .. } = step {
            peers.extend(new.iter().copied());
        }
    });
    written?;
    for peer in &peers {
        if is_json {
            let mut object = Object::new("peer");
            object.text("address", &peer.to_string());
            say::write_out(object.end())?;
        } else {
            say::write_out(format!("peer   {peer}\n"))?;
        }
    }
    let (questions, answers) = sums(&outcomes);
    if is_json {
        let mut object = Object::new("done");
        object.number("questions", questions);
        object.number("answers", answers);
        object.number("peers", peers.len() as u64);
        say::write_out(object.end())?;
    } else {
        print(&format!(
            "{}, {answers} answered; {} found",
            count(questions as usize, "question"),
            count(peers.len(), "peer")
        ))?;
    }
    Ok(if peers.is_empty() { Exit::Incomplete } else { Exit::Success })
}

fn sums(outcomes: &[Outcome]) -> (u64, u64) {
    let sum = |part: fn(&Outcome) -> u32| outcomes.iter().map(|outcome| u64::from(part(outcome))).sum();
    (sum(|outcome| outcome.questions), sum(|outcome| outcome.answers))
}

/// Writes a line to standard output.
fn print(text: &str) -> Result<(), Failure> {
    say::write_out(format!("{text}\n"))
}

/// A step in words: whom we ask, how near it is, and what comes back. The end has its own words.
fn line(step: &Step, target: NodeId) -> String {
    let near = |id: NodeId| format!("shares {}", count(id.shared_bits(target) as usize, "bit"));
    match step {
        Step::Asked(Hint { id, addr }) => format!("ask    {addr}, {}\n", id.map_or("of unknown id".into(), near)),
        Step::Answered { from, nodes, peers, has_token, .. } => {
            let token = if *has_token { ", a token" } else { "" };
            let (nodes, peers) = (count(*nodes, "node"), count(*peers, "peer"));
            format!("answer {}, {}: {nodes}, {peers}{token}\n", from.addr, near(from.id))
        }
        Step::Silent(addr) => format!("silent {addr}\n"),
        Step::Over(_) => String::new(),
    }
}

/// The same as JSON.
fn object(step: &Step, target: NodeId) -> String {
    let (name, addr, id) = match step {
        Step::Asked(Hint { id, addr }) => ("asked", addr, *id),
        Step::Answered { from, .. } => ("answered", &from.addr, Some(from.id)),
        Step::Silent(addr) => ("silent", addr, None),
        Step::Over(_) => return String::new(),
    };
    let mut object = Object::new(name);
    object.text("address", &addr.to_string());
    if !matches!(step, Step::Silent(..)) {
        object.text_or_null("id", id.map(|id| to_hex(&id.0)).as_deref());
        object.number_or_null("bits", id.map(|id| id.shared_bits(target)));
    }
    match step {
        Step::Answered { nodes, peers, has_token, .. } => {
            object.number("nodes", *nodes as u64);
            object.number("peers", *peers as u64);
            object.flag("token", *has_token);
        }
        Step::Asked(_) | Step::Silent(_) | Step::Over(_) => {}
    }
    object.end()
}

fn estimate(seeds: u32, leechers: u32) -> String {
    format!("about {} and {}", count(seeds as usize, "seed"), count(leechers as usize, "leecher"))
}

fn scrape(info_hash: InfoHash, given: &Parsed) -> Result<Exit, Failure> {
    let mut visit = enter(given)?;
    let outcomes = visit.seek(&Goal::Scrape(info_hash), &mut |_| {});
    let (questions, answers) = sums(&outcomes);
    // The families know different peers, but most peers have addresses of both.
    let filters = outcomes.iter().filter_map(|outcome| outcome.scrape.as_deref());
    let counts = filters.map(|Filters { seeds, peers }| (seeds.estimate(), peers.estimate()));
    let counts = counts.reduce(|(seeds, peers), other| (seeds.max(other.0), peers.max(other.1)));
    if given.has("json") {
        let mut object = Object::new("done");
        object.number("questions", questions);
        object.number("answers", answers);
        object.number_or_null("seeds", counts.map(|(seeds, _)| seeds));
        object.number_or_null("leechers", counts.map(|(_, peers)| peers));
        say::write_out(object.end())?;
    } else {
        let asked = count(questions as usize, "question");
        print(&match counts {
            Some((seeds, peers)) => format!("{} ({asked}, {answers} answered)", estimate(seeds, peers)),
            None => format!("nobody knows ({asked}, {answers} answered)"),
        })?;
    }
    Ok(if counts.is_some_and(|(seeds, peers)| seeds + peers > 0) { Exit::Success } else { Exit::Incomplete })
}

/// Runs a node. Its thread says only in the log that the port is not free, so that is tried first.
fn stay(given: &Parsed) -> Result<Exit, Failure> {
    let (port, options) = (port(given)?.unwrap_or(*DEFAULT_PORTS.start()), options(given, false)?);
    drop(bind(port, &options, None)?);
    let folder = states::open_for_nodes(states::dir(given)?, false);
    node::run(Options { folder, ..options }, port, given.has("json"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::krpc::Contact;

    #[test]
    fn a_mistyped_hash_is_told_from_the_name_of_a_file() {
        let wrong = |text: &str| info_hash(&text.into()).err().map(|failure| (failure.exit, failure.text)).unwrap();
        let expected = "neither an info-hash (40 hexadecimal digits) nor a magnet link, and there is no such file";
        for text in ["abc", &"a".repeat(39), &"z".repeat(42)] {
            assert_eq!(wrong(text), (Exit::NoInput, format!("{text}: {expected}")));
        }
        for text in ["no/such", "no-such.torrent"] {
            assert_eq!(wrong(text), (Exit::NoInput, format!("{text}: No such file or directory")));
        }
        assert_eq!([wrong("").0, wrong("magnet:?dn=x").0], [Exit::Usage, Exit::BadTorrent]);
        assert_eq!(wrong("src").1, wrong("./src").1.replace("./", ""));
        assert_eq!(info_hash(&"0F".repeat(20).into()).unwrap(), InfoHash([0x0f; 20]));
    }

    #[test]
    fn one_is_one() {
        let contact = Contact { id: NodeId([0x40; 20]), addr: "1.2.3.4:5".parse().unwrap() };
        let asked = Step::Asked(Hint { id: Some(contact.id), addr: contact.addr });
        assert_eq!(line(&asked, NodeId([0; 20])), "ask    1.2.3.4:5, shares 1 bit\n");
        let step = Step::Answered { from: contact, nodes: 1, peers: 1, new: vec![], has_token: true };
        assert_eq!(line(&step, NodeId([0x60; 20])), "answer 1.2.3.4:5, shares 2 bits: 1 node, 1 peer, a token\n");
        assert_eq!(estimate(1, 0), "about 1 seed and 0 leechers");
    }
}
