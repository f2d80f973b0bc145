//! Options that several commands have in common, most of them `get`, `seed` and `many`.
//!
//! Floor 4.

use super::command::Group;
use super::flags::{Flag, Parsed};
use super::outlet;
use super::source;
use super::typed;
use crate::base::path::for_terminal;
use crate::cli::exit::{Exit, Failure};
use crate::cli::run::{blocklist, log};
use crate::cli::say;
use crate::cli::show::view::View;
use crate::cli::trace::is_on_screen;
use crate::engine::config::Dht;
use crate::engine::portmap;
use crate::engine::{Config, DEFAULT_MAX_PEERS, DEFAULT_PORTS, RateLimits, Settings};
use crate::proto::krpc;
use crate::proto::metainfo::Metainfo;
use crate::proto::peer::mse::{self, Policy};
use crate::proto::peer::pex;
use crate::storage::description::Description;
use crate::sys::outlet::Outlet;
use crate::sys::{self, in_words};
use std::ffi::OsString;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The shortest display interval: nobody reads faster.
const SOONEST: Duration = Duration::from_millis(100);
/// The longest display interval.
const LATEST: Duration = Duration::from_secs(3600);

/// Largest `--max-peers`: each connection takes two threads and a file descriptor.
const MOST_PEERS: u64 = 10_000;
/// Largest `--threads`.
const MOST_THREADS: u64 = 256;
/// Largest rate limit: 1 TiB per second.
const MOST_RATE_KIB: u64 = 1 << 30;
/// `--max-peers`.
pub const MAX_PEERS: Flag = Flag::with("max-peers", "N", "Maximum number of connections of a torrent").default("50");
/// `--max-upload-rate`, for all torrents together.
pub const MAX_UPLOAD_RATE: Flag =
    Flag::with("max-upload-rate", "KB/s", "Upload limit of all torrents together, in units of 1024 bytes per second")
        .default("0, no limit");
/// `--max-uploads`.
pub const MAX_UPLOADS: Flag =
    Flag::with("max-uploads", "N", "Upload slots of a torrent").default("depends on the upload rate");
/// `--state`.
pub const STATE: Flag = Flag::with(
    "state",
    "DIR",
    "Folder for resume states, which remember what is verified, so that the next start need not check it again",
)
.default("$XDG_STATE_HOME/swarmlet, or ~/.local/state/swarmlet");
/// `--overwrite`.
pub const OVERWRITE: Flag = Flag::switch(
    "overwrite",
    "Overwrite files that are in the place of wanted files and not of this torrent: no piece of them is right, and \
     swarmlet did not make them; or they are too long",
)
.default("the torrent is refused");
/// `--quiet`.
pub const QUIET: Flag = Flag::switch("quiet", "Print only errors").short("q");
/// `--json`, of a command that writes an object for each torrent.
pub const JSON: Flag = Flag::switch("json", "Write one JSON object per torrent to standard output");
/// `--threads`.
pub const THREADS: Flag = Flag::with("threads", "N", "Number of hashing threads").short("t").default("one per core");
/// `--help`.
pub const HELP: Flag = Flag::switch("help", "Print this help").short("h");

/// How peers are reached, and which peers.
pub const NETWORK: Group = Group {
    title: "Network",
    flags: NETWORK_FLAGS.split_at(NETWORK_FLAGS.len() - if krpc::IS_BUILT_IN { 0 } else { DHT_FLAGS }).0,
};
/// The last of [`NETWORK_FLAGS`] are about the DHT.
const DHT_FLAGS: usize = 3;
const NETWORK_FLAGS: &[Flag] = &[
    Flag::with(
        "port",
        "PORT",
        "Listen on this port, or on the first free port of a range such as 7000-7010; 0: the system chooses",
    )
    .short("p")
    .default("6881-6999"),
    Flag::with(
        "ip",
        "ADDR",
        "Ask trackers to give this address to other peers; many accept it only from their own network",
    ),
    outlet::BIND,
    outlet::PROXY,
    #[cfg(feature = "tls")]
    outlet::CA_CERTIFICATE,
    Flag::with(
        "blocklist",
        "FILE",
        "Never talk to peers whose address is in this file. A line is 1.2.3.0/24, 1.2.3.4-1.2.3.9 or \
             2001:db8::/32, or a comment after #. SIGHUP makes swarmlet read it again",
    ),
    // Feature: pex.
    #[cfg(feature = "pex")]
    Flag::switch("no-pex", "Do not exchange addresses of peers with other peers (peer exchange, PEX)"),
    // Feature: lsd.
    #[cfg(feature = "lsd")]
    Flag::switch(
        "no-lsd",
        "Do not look for peers in the local network, and do not announce torrents there (local service discovery, \
             LSD)",
    ),
    // Feature: encryption.
    #[cfg(feature = "encryption")]
    Flag::with(
        "encryption",
        "WHEN",
        "Encrypt connections to peers: off, allow (if the peer wants it), prefer (if the peer can), or require",
    )
    .default("allow"),
    // Feature: portmap.
    #[cfg(feature = "portmap")]
    Flag::switch("no-port-mapping", "Do not ask the router to let peers in (by PCP, NAT-PMP or UPnP)"),
    Flag::switch("no-dht", "Do not look for peers in the DHT, and do not announce torrents there"),
    Flag::switch("dht-read-only", "Ask in the DHT, but do not answer the questions of others"),
    DHT_NODE,
];
/// `--dht-node`.
pub const DHT_NODE: Flag = Flag::with(
    "dht-node",
    "HOST:PORT...",
    "Enter the DHT through this node, instead of well-known ones; may be given several times",
);

/// What a run shows.
pub const OUTPUT: Group = Group {
    title: "Output",
    flags: &[
        Flag::with("display-interval", "SEC", "Update the display this often, such as 0.5")
            .default("1; plain lines 10"),
        Flag::switch("plain", "Print plain lines, even on a terminal"),
        QUIET,
        Flag::switch("verbose", "Log to standard error; given twice, log decisions too; three times, every message")
            .short("v"),
        Flag::switch("json", "Write events to standard output, one JSON object per line"),
        HELP,
    ],
};

/// The file of `--blocklist`.
pub fn blocklist(given: &Parsed) -> Option<PathBuf> {
    given.value("blocklist").map(PathBuf::from)
}

/// The configuration that the commands with a display have in common.
pub fn connect(given: &Parsed, view: &View) -> Result<Config, Failure> {
    outlet::choose(given)?;
    let network = network(given, sys::outlet::get())?;
    let most = |option, unit| Ok(given.number(option, 1..=MOST_PEERS, unit)?.map(|number| number as usize));
    let max_peers = most("max-peers", "connections")?.unwrap_or(DEFAULT_MAX_PEERS);
    let upload_slots = most("max-uploads", "peers")?;
    Ok(Config {
        torrent: Settings { max_peers, upload_slots, ..network.torrent },
        limits: RateLimits { upload: rate(given, "max-upload-rate")?, download: None },
        status_every: display_interval(given, view)?,
        ..network
    })
}

/// The configuration that the options of [`NETWORK`] describe. Everything leaves by `outlet`.
pub fn network(given: &Parsed, outlet: &Outlet) -> Result<Config, Failure> {
    let is_proxied = outlet.is_proxied();
    let path = given.path("blocklist", "a file")?;
    let (blocklist, told) = path.map_or_else(|| Ok(Default::default()), |path| blocklist::read(&path))?;
    told.iter().for_each(|line| say::problem(line));
    let pex = pex::IS_BUILT_IN && !given.has("no-pex");
    Ok(Config {
        blocklist,
        // A build without LSD does not have the option either.
        lsd: cfg!(feature = "lsd") && !given.has("no-lsd") && !is_proxied,
        dht: dht(given)?.filter(|_| !is_proxied),
        port_mapping: portmap::IS_BUILT_IN && !given.has("no-port-mapping") && !is_proxied,
        ports: given.value("port").map_or(Ok(DEFAULT_PORTS), |text| ports(&text.to_string_lossy()))?,
        torrent: Settings { ip: ip(given)?, pex, encryption: encryption(given)?, ..Settings::default() },
        ..Config::default()
    })
}

/// When connections are encrypted. (A build without encryption does not have the option either.)
fn encryption(given: &Parsed) -> Result<Policy, Failure> {
    if !mse::IS_BUILT_IN {
        return Ok(Policy::Off);
    }
    let Some(word) = given.text("encryption")? else { return Ok(Policy::default()) };
    let named = Policy::ALL.into_iter().find(|policy| policy.name() == word);
    named.ok_or_else(|| {
        let word = for_terminal(&word);
        Failure::usage(format!("--encryption {word}: expected off, allow, prefer or require"))
    })
}

/// How the DHT is used. (A build without it does not have the options either.)
fn dht(given: &Parsed) -> Result<Option<Dht>, Failure> {
    if !krpc::IS_BUILT_IN {
        return Ok(None);
    }
    let nodes: Vec<(String, u16)> = given.values("dht-node").iter().map(node).collect::<Result<_, _>>()?;
    let read_only = given.has("dht-read-only");
    let off = given.has("no-dht");
    let useless =
        [(!nodes.is_empty(), "dht-node"), (read_only, "dht-read-only")].into_iter().find(|(is, _)| *is && off);
    match useless {
        Some((_, other)) => Err(Failure::usage(format!("--no-dht and --{other} contradict each other"))),
        None => Ok((!off).then_some(Dht { nodes, read_only, folder: None })),
    }
}

/// Reads `router.example:6881`, `192.0.2.7:6881` or `[2001:db8::7]:6881`.
pub fn node(text: &OsString) -> Result<(String, u16), Failure> {
    let text = text.to_string_lossy();
    let parts =
        text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok().filter(|port| *port > 0)?)));
    let is_host = |host: &str| match host.strip_prefix('[') {
        Some(v6) => v6.strip_suffix(']').is_some_and(|v6| v6.parse::<Ipv6Addr>().is_ok()),
        None => !host.is_empty() && !host.contains([':', '/', '@']) && !host.contains(char::is_whitespace),
    };
    match parts.filter(|(host, _)| is_host(host)) {
        Some((host, port)) => Ok((host.trim_matches(['[', ']']).to_string(), port)),
        None => {
            let expected = "expected a host and a port, such as router.example:6881 or [2001:db8::7]:6881";
            Err(Failure::usage(format!("{}: {expected}", for_terminal(&text))))
        }
    }
}

/// Parses `7000`, `7000-7010` or `0`.
pub fn ports(text: &str) -> Result<RangeInclusive<u16>, Failure> {
    let range = match text.split_once('-') {
        Some((first, last)) => first.parse().ok().zip(last.parse().ok()).filter(|&(first, _)| first > 0),
        None => text.parse().ok().map(|port: u16| (port, port)),
    };
    match range {
        Some((first, last)) if first <= last => Ok(first..=last),
        _ => Err(Failure::usage(format!(
            "--port {text}: expected a port from 1 to 65535, a range such as 7000-7010, or 0"
        ))),
    }
}

/// A rate limit, in bytes per second. The option is in units of 1024 bytes per second, and 0 means no limit, as in
/// 2004.
pub fn rate(given: &Parsed, option: &str) -> Result<Option<u64>, Failure> {
    let kibibytes = given.number(option, 0..=MOST_RATE_KIB, "units of 1024 bytes a second")?;
    Ok(kibibytes.filter(|rate| *rate > 0).map(|rate| rate << 10))
}

/// Chooses the view, and starts the log.
pub fn view(given: &Parsed) -> Result<View, Failure> {
    if given.has("quiet") && given.has("verbose") {
        return Err(Failure::usage("--quiet and --verbose contradict each other"));
    }
    log::begin(given.times("verbose"));
    let is_plain = given.has("plain") || given.has("verbose") || is_on_screen(given);
    Ok(View::choose(given.has("json"), given.has("quiet"), is_plain))
}

/// The address of `--ip`.
pub fn ip(given: &Parsed) -> Result<Option<IpAddr>, Failure> {
    let parse = |text: String| {
        let wrong = || Failure::usage(format!("--ip {}: expected an address such as 203.0.113.7", for_terminal(&text)));
        text.parse().map_err(|_| wrong())
    };
    given.text("ip")?.map(parse).transpose()
}

/// How often the display is updated; by default, as often as `view` wants.
pub fn display_interval(given: &Parsed, view: &View) -> Result<Option<Duration>, Failure> {
    let interval = given.hundredths("display-interval", "seconds such as 5 or 0.5")?;
    let interval = interval.map(|hundredths| Duration::from_millis(hundredths.saturating_mul(10)));
    Ok(view.every().map(|every| interval.map_or(every, |interval| interval.clamp(SOONEST, LATEST))))
}

/// The folder of `--dir`.
pub fn dir(given: &Parsed) -> Result<Option<PathBuf>, Failure> {
    given.path("dir", "a folder")
}

/// The number of hashing threads: one per core, unless `--threads` is given.
pub fn threads(given: &Parsed) -> Result<usize, Failure> {
    let threads = given.number("threads", 1..=MOST_THREADS, "threads")?;
    Ok(threads.map_or_else(sys::cores, |threads| threads as usize))
}

/// Refuses a folder that does not exist.
pub fn must_be_there(dir: &Path) -> Result<(), Failure> {
    if dir.is_dir() {
        return Ok(());
    }
    let what = match dir.metadata() {
        Ok(_) => "a file, expected a folder".into(),
        Err(error) if error.kind() == ErrorKind::NotFound => "no such folder".into(),
        Err(error) => in_words(&error),
    };
    Err(Failure::new(Exit::NoInput, format!("{}: {what}", typed::shown(dir))))
}

/// The arguments that name torrents.
pub fn sources(command: &str, given: &Parsed) -> Result<Vec<OsString>, Failure> {
    let sources = given.arguments();
    if sources.is_empty() {
        let how = format!("name a .torrent file, - or a URL: swarmlet {command} TORRENT...");
        return Err(Failure::usage(format!("no torrent given; {how}")));
    }
    if sources.iter().filter(|source| *source == "-").count() > 1 {
        return Err(Failure::usage("- (standard input) is given twice"));
    }
    Ok(sources)
}

/// Reads the torrents on the command line, and prints the warnings about them. Each torrent comes with its argument,
/// and with the place of its description.
pub fn torrents(command: &str, given: &Parsed) -> Result<Vec<(OsString, Metainfo, Option<Description>)>, Failure> {
    let mut torrents = Vec::new();
    for source in sources(command, given)? {
        let bytes = source::bytes(&source)?;
        let metainfo = source::parse(&source, &bytes)?;
        let description = source::description(&source, &bytes, &metainfo, None);
        torrents.push((source, metainfo, description));
    }
    let all: Vec<_> = torrents.iter().map(|(source, metainfo, _)| (source.as_os_str(), metainfo)).collect();
    source::check_distinct(&all, command != "seed")?;
    for (source, metainfo, _) in torrents.iter().filter(|_| !given.has("quiet")) {
        source::warn(source, metainfo);
    }
    Ok(torrents)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::options::flags;

    fn given(arguments: &[&str]) -> Parsed {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        let flags: Vec<&Flag> = NETWORK.flags.iter().chain(OUTPUT.flags).collect();
        flags::parse("get", &flags, &arguments).unwrap()
    }

    #[test]
    fn ports_are_a_number_a_range_or_zero() {
        assert_eq!(ports("7000").unwrap(), 7000..=7000);
        assert_eq!(ports("7000-7010").unwrap(), 7000..=7010);
        assert_eq!(ports("0").unwrap(), 0..=0);
        for wrong in ["", "-", "x", "65536", "-1", "7010-7000", "0-10", "7000-", "1-2-3"] {
            assert_eq!(ports(wrong).unwrap_err().exit, Exit::Usage, "{wrong}");
        }
    }

    #[test]
    fn encryption_is_allowed_unless_the_person_says_otherwise() {
        let policy = |arguments: &[&str]| encryption(&given(arguments)).map_err(|failure| failure.text);
        if mse::IS_BUILT_IN {
            assert_eq!(policy(&[]), Ok(Policy::Allow));
            for expected in Policy::ALL {
                assert_eq!(policy(&["--encryption", expected.name()]), Ok(expected));
            }
            let wrong = "--encryption always: expected off, allow, prefer or require";
            assert_eq!(policy(&["--encryption", "always"]), Err(wrong.into()));
        } else {
            assert_eq!(policy(&[]), Ok(Policy::Off));
        }
    }

    #[test]
    fn several_nodes_of_the_dht_can_be_named() {
        let dht = dht(&given(&["--dht-node", "a:1", "--dht-node", "[::1]:2"])).unwrap().unwrap();
        assert_eq!(dht.nodes, [("a".into(), 1), ("::1".into(), 2)]);
    }

    #[test]
    fn the_display_interval_is_clamped_and_has_a_default() {
        let every = |text: &str, view: View| display_interval(&given(&["--display_interval", text]), &view).ok();
        let millis = |millis| Some(Some(Duration::from_millis(millis)));
        assert_eq!(every("0.5", View::Lines), millis(500));
        assert_eq!(every("60", View::Json), millis(60_000));
        assert_eq!([every("0.01", View::Lines), every("999999999", View::Lines)], [millis(100), millis(3_600_000)]);
        assert_eq!(every("5", View::Quiet), Some(None));
        assert_eq!([every("0", View::Lines), every("x", View::Lines)], [None, None]);
        assert_eq!(display_interval(&given(&[]), &View::Lines).unwrap(), View::Lines.every());
    }

    #[test]
    fn ip_takes_only_an_address() {
        assert_eq!(ip(&given(&["--ip", "2001:db8::7"])).unwrap(), Some("2001:db8::7".parse().unwrap()));
        assert_eq!(ip(&given(&["--ip", "me.example"])).unwrap_err().exit, Exit::Usage);
    }
}
