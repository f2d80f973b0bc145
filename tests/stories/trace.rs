//! Stories of `--trace`: what it says, what it hides, and what becomes of the download if it can't be written.

use crate::common::content::Content;
use crate::common::lan::{Addresses, Lan};
use crate::common::peers::{Plan, Program};
use crate::common::ports::free_port;
use crate::common::process::Process;
use crate::common::ran::{run, swarmlet};
use crate::common::stage::Stage;
use crate::common::swarmlet::{Get, Swarmlet, program};
use crate::common::tools::{Tool, here, skip};
use crate::common::torrent::{make_with_tiers, make_with_web_seeds};
use crate::common::track::Track;
use crate::common::wait::{PATIENCE, wait_until};
use crate::common::web_seed::{WebSeed, send, send_part};
use rustix::process::Signal;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

const KIB: usize = 1024;
const PIECE: usize = 64 * KIB;
/// The program that is traced has this address, the others have 127.0.0.1.
const TRACED: &str = "127.0.0.2";

/// Flags of TCP by which one side ends a connection (RFC 9293).
const FIN: u16 = 1;
const RST: u16 = 4;

/// How often each kind of message went each way between us and each peer: `in 127.0.0.1:6881 piece`.
type Counts = BTreeMap<String, usize>;

/// The messages of a capture, as tshark reads them. We do not read what comes after we have ended a connection.
fn captured(capture: &Path) -> Counts {
    let fields = [
        "ip.src",
        "tcp.srcport",
        "ip.dst",
        "tcp.dstport",
        "tcp.stream",
        "tcp.flags",
        "bittorrent.msg.type",
        "bittorrent.info_hash",
    ];
    let mut command = Command::new("tshark");
    // A capture on two cores may have segments in the wrong order. And the system may choose a port which tshark knows
    // as another protocol's; everything that was captured is BitTorrent.
    command.args(["-o", "tcp.reassemble_out_of_order:TRUE", "-d", "tcp.port==1-65535,bittorrent"]);
    command.args(["-T", "fields", "-E", "separator=;", "-r"]).arg(capture);
    command.args(fields.iter().flat_map(|field| ["-e", field]));
    let (mut counts, mut ended) = (Counts::new(), BTreeSet::new());
    for line in run(&mut command, b"").text().lines() {
        let [from, from_port, to, to_port, stream, flags, kinds, hashes] = line.split(';').collect::<Vec<_>>()[..]
        else {
            continue;
        };
        let end = if from == TRACED { format!("out {to}:{to_port}") } else { format!("in {from}:{from_port}") };
        if from != TRACED && ended.contains(stream) {
            continue;
        }
        let flags = flags.strip_prefix("0x").and_then(|flags| u16::from_str_radix(flags, 16).ok()).expect("flags");
        if from == TRACED && flags & (FIN | RST) != 0 {
            ended.insert(stream.to_string());
        }
        let messages = kinds.split(',').filter_map(|kind| Some(name(kind.parse().ok()?)));
        let handshakes = hashes.split(',').filter(|hash| !hash.is_empty()).map(|_| "handshake");
        messages.chain(handshakes).for_each(|what| *counts.entry(format!("{end} {what}")).or_default() += 1);
    }
    counts
}

/// What a message with this id is called in a trace (BEP 3, 5, 6 and 10).
fn name(id: u8) -> &'static str {
    let classic =
        ["choke", "unchoke", "interested", "not-interested", "have", "bitfield", "request", "piece", "cancel"];
    let fast = ["suggest", "have-all", "have-none", "reject", "allowed-fast"];
    match id {
        0..=8 => classic[usize::from(id)],
        9 => "port",
        13..=17 => fast[usize::from(id - 13)],
        20 => "extended",
        _ => "unknown",
    }
}

/// The columns of a line: time, subject, way, peer, what.
fn columns(line: &str) -> [&str; 5] {
    let mut words = line.split(' ');
    std::array::from_fn(|_| words.next().unwrap_or_else(|| panic!("a line has five columns: {line}")))
}

/// The messages of a trace.
fn traced(trace: &str) -> Counts {
    let mut counts = Counts::new();
    for [_, subject, way, peer, what] in trace.lines().map(columns) {
        if ["peer", "pex"].contains(&subject) && way != "-" {
            *counts.entry(format!("{way} {peer} {what}")).or_default() += 1;
        }
    }
    counts
}

/// The lines of a trace about a subject.
fn about<'a>(trace: &'a str, subject: &str) -> Vec<&'a str> {
    trace.lines().filter(|line| columns(line)[1] == subject).collect()
}

/// Waits until a trace at `path` has a line with all of these words.
fn wait_for(path: &Path, words: &[&str]) {
    wait_until(&format!("the trace says {words:?}"), PATIENCE, || {
        let trace = fs::read_to_string(path).unwrap_or_default();
        trace.lines().any(|line| words.iter().all(|word| line.contains(word)))
    });
}

#[test]
fn the_trace_of_a_download_has_every_message_that_tshark_sees() {
    if !here(&[Tool::Tshark, Tool::Aria2]) {
        return;
    }
    let stage = Stage::new(Content::one_file("a file.bin", 8 << 20), PIECE);
    let (trace, capture) = (stage.path().join("trace"), stage.path().join("capture"));
    let mut command = Command::new("dumpcap");
    let filter = format!("tcp and host {TRACED} and not port {}", stage.tracker.address().port());
    command.args(["-q", "-i", "lo", "-B", "64", "-f", &filter, "-w"]).arg(&capture);
    let mut dumpcap = Process::start("dumpcap", &mut command, stage.path());
    wait_until("it captures, or may not", PATIENCE, || {
        dumpcap.stderr().contains("File: ") || dumpcap.ended().is_some()
    });
    if dumpcap.ended().is_some() {
        return skip("dumpcap may not capture here; run as root");
    }
    let seed = Plan::seed(Program::Aria2, &stage.torrent, &stage.source, stage.path());
    let mut seed_runs = seed.start();
    stage.tracker.wait_for_a_seed(&stage.torrent.info_hash, || seed_runs.must_run());
    let get = stage.get("traced").args(&["--bind", TRACED, "--seed"]).arg(format!("--trace={}", trace.display()));
    let mut ours = get.start();
    wait_for(&trace, &["in ", " piece "]);
    // It takes from both, and gives to both.
    let other = stage.get("other");
    other.run().assert_code(0);
    stage.content.assert_same_in(&other.dir);
    wait_until("all is there", PATIENCE, || {
        ours.must_run();
        stage.content.difference_in(&get.dir).is_none() && stage.tracker.seeds(&stage.torrent.info_hash) >= 2
    });
    ours.terminate().assert_code(0);
    let said = fs::read_to_string(&trace).unwrap();
    assert!(said.lines().next().is_some_and(|line| line.contains(" trace - - begins format 1 ")), "its first line");
    assert!(said.ends_with(" trace - - ends\n") && !said.contains(" trace - - lost "), "its last line");
    let in_trace = traced(&said);
    let mut seen = Counts::new();
    // What was captured last may still be on its way to the file.
    let end = std::time::Instant::now() + PATIENCE / 3;
    while seen != in_trace && std::time::Instant::now() < end {
        seen = captured(&capture);
    }
    dumpcap.signal(Signal::INT);
    assert_eq!(in_trace, seen, "the trace beside the capture");
    let sum =
        |end: &str| in_trace.iter().filter(|(kind, _)| kind.ends_with(end)).map(|(_, count)| count).sum::<usize>();
    assert!(sum(" piece") >= 512 && sum(" handshake") >= 4, "{in_trace:?}");
    // Each piece that was picked has its reason, and each peer that was served, too.
    let picks = about(&said, "pick");
    assert!(picks.len() >= 128 && picks.iter().all(|line| line.contains(": ")), "{} picks", picks.len());
    assert!(picks.iter().any(|line| line.contains(" copies") || line.contains(" 1 copy")), "{picks:?}");
    let served = about(&said, "choke");
    assert!(served.iter().any(|line| line.contains(" unchoke torrent ")), "{served:?}");
}

/// The reasons alone, for programs.
#[test]
fn a_trace_of_chosen_subjects_in_json_has_nothing_else() {
    let stage = Stage::new(Content::one_file("a file.bin", 400 * KIB), PIECE);
    let trace = stage.path().join("trace");
    let written = format!("--trace={}", trace.display());
    let seed =
        stage.get("seed").in_dir(&stage.source).args(&["--seed", "--trace-only", "choke", "--trace-format=json"]);
    let mut seeding = seed.arg(&written).start();
    stage.tracker.wait_for_a_seed(&stage.torrent.info_hash, || seeding.must_run());
    // On standard error, too. It comes between the plain lines.
    let get = stage.get("get").args(&["--trace-only", "pick,tracker", "--trace-format", "json"]);
    let outcome = get.run();
    outcome.assert_code(0);
    seeding.terminate().assert_code(0);
    let objects = |text: &str| -> Vec<Value> {
        text.lines()
            .filter(|line| line.starts_with('{'))
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect()
    };
    let of_seed = objects(&fs::read_to_string(&trace).unwrap());
    let subjects: Vec<&str> = of_seed.iter().filter_map(|object| object["subject"].as_str()).collect();
    assert!(subjects.iter().all(|subject| ["trace", "choke"].contains(subject)), "{subjects:?}");
    let unchoke = of_seed.iter().find(|object| object["what"] == "unchoke").expect("the leecher is served");
    assert_eq!((&unchoke["rule"], &unchoke["place"], &unchoke["of"]), (&"least".into(), &1.into(), &1.into()));
    assert_eq!((&unchoke["why"], &unchoke["turns"]), (&"1st of 1 that got least, after 0 turns".into(), &0.into()));
    let of_get = objects(&outcome.stderr);
    let count = |subject: &str| of_get.iter().filter(|object| object["subject"] == subject).count();
    assert!(count("pick") >= 7 && count("tracker") >= 9, "{}", outcome.stderr);
    assert_eq!(count("pick") + count("tracker") + count("trace"), of_get.len());
    // Both subjects together are in the order of time.
    let times: Vec<f64> = of_get.iter().filter_map(|object| object["time"].as_f64()).collect();
    assert!(times.len() == of_get.len() && times.is_sorted(), "{times:?}");
}

const KEYS: [&str; 3] = ["hunter2hunter2", "0123456789abcdef", "geheimwort"];

fn assert_no_key(text: &str) {
    KEYS.iter().for_each(|key| assert!(!text.contains(key), "the trace shows {key}:\n{text}"));
}

/// Passkeys may be anywhere in a URL, and a tracker may repeat them in its words.
#[test]
fn trackers_and_web_seeds_are_traced_without_their_secrets() {
    let scratch = tempfile::tempdir().unwrap();
    let (content, file) = (Content::one_file("a.bin", 300 * KIB), scratch.path().join("a.torrent"));
    let trace = scratch.path().join("trace");
    let get = || Get::new("get", scratch.path()).arg(format!("--trace={}", trace.display())).arg(&file);
    let bytes = content.concatenated();
    let server = WebSeed::start(move |asked, stream| send_part(asked, &bytes, stream));
    let seed = format!("http://user:{}@{}/{}/a.bin", KEYS[2], server.address, KEYS[1]);
    make_with_web_seeds(&content, &file, 32 * KIB, &[seed]);
    get().run().assert_code(0);
    let said = fs::read_to_string(&trace).unwrap();
    let shown = format!("http://{}/…", server.address);
    let asked = format!(" web out {shown} get file 0 range bytes=0-{}", 300 * KIB - 1);
    assert!(said.lines().any(|line| line.ends_with(&asked)), "{said}");
    assert!(said.contains(&format!(" web in {shown} answer status 206 ")), "{said}");
    assert_no_key(&said);

    let track = Track::on_free_port(scratch.path()).start();
    let refuses = WebSeed::start(move |asked, stream| {
        let words = format!("not registered: {}, user {}", asked.target, KEYS[2]);
        send(200, "", format!("d14:failure reason{}:{words}e", words.len()).as_bytes(), stream)
    });
    let path = format!("{}/announce?passkey={}", KEYS[1], KEYS[0]);
    for (url, words) in [
        (
            format!("udp://u:{}@{}/announce?passkey={}", KEYS[2], track.address(), KEYS[0]),
            &["tracker - udp://", "… answered peers 0 "][..],
        ),
        (format!("http://u:{}@{}/{path}", KEYS[2], refuses.address), &["tracker - http://", "… failed refused true"]),
    ] {
        make_with_tiers(&content, &file, 32 * KIB, &[vec![url.clone()]]);
        fs::remove_file(&trace).unwrap();
        // (The content is there, so it seeds.)
        let running = get().arg("--seed").start();
        wait_for(&trace, words);
        let said = running.terminate().stderr + &fs::read_to_string(&trace).unwrap();
        assert_no_key(&said);
        let is_there = |words: &str| assert!(said.contains(words), "{words} is missing:\n{said}");
        if url.starts_with("udp") {
            let at = track.address();
            is_there(&format!(" tracker out {at} connect bytes 16\n"));
            is_there(&format!(" tracker in {at} connect bytes 16\n"));
            is_there(&format!(" tracker out {at} announce bytes "));
            is_there(&format!(" tracker in {at} announce bytes 20 interval "));
            is_there(" event started port ");
        } else {
            is_there(&format!(" tracker out http://{}/… announce torrent ", refuses.address));
            is_there(&format!(" tracker in http://{}/… answer status 200 bytes ", refuses.address));
        }
    }
}

/// Two nodes, one of which knows the other. Then a person looks something up.
#[test]
fn the_dht_is_traced_with_each_packet_and_each_step() {
    let (scratch, ports) = (tempfile::tempdir().unwrap(), [free_port(), free_port()]);
    let [node, find] = ["node", "find"].map(|name| scratch.path().join(name));
    let at = |port: u16| format!("127.0.0.1:{port}");
    let mut command = Command::new(program());
    command.args(["dht", "run", "--port", &ports[0].to_string(), "--dht-node", &at(ports[1]), "--state", "s"]);
    command.arg(format!("--trace={}", node.display())).current_dir(scratch.path());
    let mut first = Process::start("node", &mut command, scratch.path());
    wait_for(&node, &[" dht out ", &at(ports[1])]);
    let hash = "5f3a".repeat(10);
    let args = ["dht", "find", &hash, "--dht-node", &at(ports[0]), "--trace-only", "dht"].map(String::from);
    let ran = swarmlet(scratch.path(), &[&args[..], &[format!("--trace={}", find.display())]].concat());
    assert_eq!(ran.code, Some(1), "nobody has the torrent: {}", ran.stderr);
    let said = fs::read_to_string(&find).unwrap();
    let asked = format!(" dht out {} get_peers bytes ", at(ports[0]));
    assert!(said.lines().any(|line| line.contains(&asked) && line.ends_with(&format!(" torrent {hash}"))), "{said}");
    assert!(said.contains(&format!(" dht in {} answer bytes ", at(ports[0]))), "{said}");
    let step = said.lines().find(|line| line.contains(&format!(" asked torrent {hash} "))).expect("the step is there");
    assert!(step.contains(": at distance 2^1") || step.ends_with(": a way into the DHT"), "{step}");
    wait_for(&node, &[" dht in ", " get_peers bytes "]);
    first.signal(Signal::INT);
    first.wait(PATIENCE);
    assert!(fs::read_to_string(&node).unwrap().ends_with(" trace - - ends\n"));
}

#[test]
fn packets_in_the_local_network_are_traced() {
    let Some(lan) = Lan::new(Addresses::Both) else { return };
    let (scratch, content) = (tempfile::tempdir().unwrap(), Content::one_file("a.bin", 100 * KIB));
    content.write_to(&scratch.path().join("source"));
    let torrent = make_with_tiers(&content, &scratch.path().join("a.torrent"), 32 * KIB, &[]);
    let traces = ["get", "seed"].map(|name| scratch.path().join(format!("{name} trace")));
    let traced = |get: Get, trace: &Path| get.torrent(&torrent).with_lsd().arg(format!("--trace={}", trace.display()));
    let get = traced(Get::new("get", scratch.path()), &traces[0]);
    let running = get.start_after(&lan.on(0));
    wait_for(&traces[0], &[" lsd out 239.192.152.143:6771 search bytes ", " torrent "]);
    let seed = traced(Get::seed("seed", scratch.path(), &scratch.path().join("source")), &traces[1]);
    let _seeding = seed.start_after(&lan.on(1));
    running.wait().assert_code(0);
    let said = fs::read_to_string(&traces[0]).unwrap() + &fs::read_to_string(&traces[1]).unwrap();
    let hash: String = torrent.info_hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let heard = said.lines().filter(|line| line.contains(" lsd in ")).find(|line| line.contains(&hash));
    assert!(heard.is_some(), "one of them heard the other:\n{said}");
}

/// Three in a line: the one in the middle tells the others of each other.
#[test]
fn addresses_that_peers_exchange_are_traced() {
    let stage = Stage::new(Content::one_file("a file.bin", 600 * KIB), PIECE);
    let traces = ["first", "second", "third"].map(|name| stage.path().join(format!("{name} trace")));
    let gets = ["first", "second", "third"].map(|name| stage.get(name).args(&["--seed", "--trace-only", "pex"]));
    stage.content.write_to(&gets[0].dir);
    for pair in gets.windows(2) {
        stage.tracker.introduce_only(pair[1].port, (std::net::Ipv4Addr::LOCALHOST, pair[0].port).into());
    }
    // So slow that they have something to ask of each other.
    let traced = |(get, trace): (Get, &std::path::PathBuf)| {
        let get = get.args(&["--max-upload-rate", "60"]).arg(format!("--trace={}", trace.display()));
        let running = get.start();
        wait_until("it has announced itself", PATIENCE, || !stage.announces_from(&get).is_empty());
        running
    };
    let _running: Vec<Swarmlet> = gets.into_iter().zip(&traces).map(traced).collect();
    wait_for(&traces[1], &[" pex out ", " name ut_pex added 1 "]);
    wait_until("one of the others hears of it", PATIENCE, || {
        [&traces[0], &traces[2]].into_iter().any(|trace| {
            let said = fs::read_to_string(trace).unwrap_or_default();
            said.lines().any(|line| line.contains(" pex in ") && line.contains(" name ut_pex added 1 "))
        })
    });
    traces.iter().for_each(|trace| {
        let said = fs::read_to_string(trace).unwrap();
        assert_eq!(about(&said, "pex").len() + about(&said, "trace").len(), said.lines().count(), "{said}");
    });
}

/// The trace ends with a warning, and nothing else does.
#[test]
fn a_full_disk_or_a_closed_pipe_ends_the_trace_and_not_the_download() {
    let stage = Stage::new(Content::one_file("a file.bin", 1 << 20), PIECE);
    let _seed = stage.seed();
    let full = stage.get("full").arg("--trace=/dev/full");
    let outcome = full.run();
    outcome.assert_code(0);
    stage.content.assert_same_in(&full.dir);
    let warning = "swarmlet: warning: can't write the trace to /dev/full: No space left on device; it ends here, and \
                   everything else goes on\n";
    assert_eq!(outcome.stderr.matches(warning).count(), 1, "{}", outcome.stderr);

    let closed = stage.get("closed").args(&["--trace", "--quiet"]);
    let mut child = closed.command().stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut pipe = child.stderr.take().unwrap();
    pipe.read_exact(&mut [0; 100]).unwrap();
    drop(pipe);
    assert!(child.wait().unwrap().success());
    stage.content.assert_same_in(&closed.dir);
}

/// An option with a value that was meant for something else must not cost a file.
#[test]
fn a_trace_replaces_an_earlier_one_and_no_other_file() {
    let dir = tempfile::tempdir().unwrap();
    let [mine, trace] = ["mine", "trace"].map(|name| dir.path().join(name));
    fs::write(&mine, "a letter").unwrap();
    let ping = |file: &Path, more: &[&str]| {
        let file = format!("--trace={}", file.display());
        let args = ["dht", "ping", "127.0.0.1:9", &file, "--state", "none"];
        swarmlet(dir.path(), &[&args[..], more].concat())
    };
    ping(&mine, &[]).refused(73, "mine: it is there, and it is not a trace; name another file");
    assert_eq!(fs::read(&mine).unwrap(), b"a letter");
    ping(&dir.path().join("none/trace"), &[]).refused(73, "No such file or directory");
    ping(&trace, &["--trace-format", "xml"]).refused(64, "--trace-format xml: expected text or json");
    ping(&trace, &["--trace-only", "peers"]).refused(64, "--trace-only: 'peers' is not one of peer, pick,");
    File::create(&trace).unwrap();
    for _ in 0..2 {
        assert_eq!(ping(&trace, &[]).code, Some(1));
        let said = fs::read_to_string(&trace).unwrap();
        assert_eq!((said.matches(" begins ").count(), said.matches(" ends").count()), (1, 1), "{said}");
    }
}
