//! Stories of local service discovery (LSD, BEP 14), in network namespaces of their own.

use crate::common::content::Content;
use crate::common::lan::{Addresses, Lan};
use crate::common::libtorrent;
use crate::common::peers::{Plan, Program};
use crate::common::proc;
use crate::common::process::Process;
use crate::common::ran;
use crate::common::swarmlet::{Get, Swarmlet};
use crate::common::tools::{Tool, here};
use crate::common::torrent::{Torrent, make_with_tiers};
use crate::common::transmission;
use crate::common::wait::{PATIENCE, wait_until};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

const KIB: usize = 1024;
/// The log says so when another program's packet names a torrent of ours.
pub const HEARD: &str = "as its packet in the local network says";

/// A network, and a torrent that names no tracker.
pub struct Stage {
    pub lan: Lan,
    scratch: TempDir,
    pub content: Content,
    pub source: PathBuf,
    pub torrent: Torrent,
}

impl Stage {
    pub fn new(addresses: Addresses) -> Option<Stage> {
        let (lan, scratch) = (Lan::new(addresses)?, tempfile::tempdir().unwrap());
        let content = Content::one_file("a file.bin", 500 * KIB);
        let source = scratch.path().join("source");
        content.write_to(&source);
        let torrent = make_with_tiers(&content, &scratch.path().join("a.torrent"), 32 * KIB, &[]);
        Some(Stage { lan, scratch, content, source, torrent })
    }

    pub fn path(&self) -> &Path {
        self.scratch.path()
    }

    fn get(&self) -> Get {
        Get::new("get", self.path()).torrent(&self.torrent).with_lsd().arg("-vv")
    }

    pub fn seed(&self) -> Get {
        Get::seed("seed", self.path(), &self.source).torrent(&self.torrent).with_lsd().arg("-vv")
    }

    /// Starts `get` on a machine, and waits until it has announced itself.
    pub fn start(&self, get: &Get, machine: usize) -> Swarmlet {
        let mut running = get.start_after(&self.lan.on(machine));
        wait_until("it has announced itself", PATIENCE, || {
            running.must_run();
            running.stderr().contains("announced 1 in the local network")
        });
        running
    }

    /// One download, alone in the network until a seed comes.
    fn downloads(&self, machines: [usize; 2]) {
        let get = self.get();
        let running = self.start(&get, machines[0]);
        let _seed = self.start(&self.seed(), machines[1]);
        running.wait().assert_code(0);
        self.content.assert_same_in(&get.dir);
    }

    /// Our test program in Python, on the second machine.
    fn python(&self, args: &[&str]) -> Process {
        let mut command = Command::new("python3");
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/common/lsd.py")).args(args);
        Process::start("lsd.py", &mut self.lan.command(1, &command), self.path())
    }
}

fn hex(info_hash: &[u8; 20]) -> String {
    info_hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether it has a thread for the local network.
fn searches(running: &Swarmlet) -> bool {
    let tasks = fs::read_dir(format!("/proc/{}/task", running.id())).unwrap();
    tasks.flatten().any(|task| fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name.trim() == "lsd"))
}

#[test]
fn two_machines_find_each_other_without_a_tracker() {
    let Some(stage) = Stage::new(Addresses::Both) else { return };
    stage.downloads([0, 1]);
}

#[test]
fn two_programs_on_one_machine_find_each_other() {
    let Some(stage) = Stage::new(Addresses::Both) else { return };
    stage.downloads([0, 0]);
}

#[test]
fn a_network_without_ipv4_is_enough() {
    for addresses in [Addresses::V6, Addresses::Link] {
        let Some(stage) = Stage::new(addresses) else { return };
        stage.downloads([0, 1]);
    }
}

/// swarmlet says why nothing arrives, and later where its peers are from.
#[test]
fn the_reason_and_the_source_of_peers_are_shown() {
    let Some(stage) = Stage::new(Addresses::Both) else { return };
    let get = stage.get().arg("--json");
    let running = stage.start(&get, 0);
    let last =
        |running: &Swarmlet| -> Value { crate::common::json::last(&running.stdout(), "status").unwrap_or_default() };
    wait_until("swarmlet says that nobody is there", PATIENCE, || {
        last(&running)["why"] == "no peers: none in the local network, and the torrent names no tracker"
    });
    // A peer that connects to nobody: we must connect to it.
    let said = stage.python(&["say", "7077", &hex(&stage.torrent.info_hash)]);
    wait_until("we connect to it", PATIENCE, || said.stdout().contains("connection 7077 10.77.0.1"));
    let _seed = stage.start(&stage.seed(), 1);
    let outcome = running.wait();
    outcome.assert_code(0);
    let sources = outcome.stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let sources: Vec<Value> = sources.map(|status| status["sources"].clone()).collect();
    let known = |source: &Value| source["lsd"].as_u64().or(source["incoming"].as_u64()).is_some();
    assert!(outcome.stdout.contains("\"complete\"") && sources.iter().any(|source| source.is_object()));
    assert!(sources.iter().all(|source| source.as_object().is_none_or(|all| all.is_empty() || known(source))));
}

#[test]
fn libtorrent_finds_us_and_we_find_libtorrent() {
    if !here(&[Tool::Libtorrent]) {
        return;
    }
    for we_begin in [true, false] {
        for we_seed in [true, false] {
            let Some(stage) = Stage::new(Addresses::Both) else { return };
            let fetched = stage.path().join("fetched");
            fs::create_dir(&fetched).unwrap();
            let theirs = || {
                let mut command = libtorrent::python();
                command.arg(if we_seed { "lsd-get" } else { "lsd-seed" }).arg(&stage.torrent.file);
                command.arg(if we_seed { &fetched } else { &stage.source }).args(["0.0.0.0:7001", "0"]);
                Process::start("libtorrent", &mut stage.lan.command(1, &command), stage.path())
            };
            let ours = || stage.start(&if we_seed { stage.seed() } else { stage.get() }, 0);
            let (running, mut other) = if we_begin {
                let running = ours();
                let other = theirs();
                wait_until("we hear it", PATIENCE, || running.stderr().contains(HEARD));
                assert!(running.stderr().contains("10.77.0.2:7001 has"), "by its address and its port");
                (running, other)
            } else {
                let mut other = theirs();
                wait_until("it has started", PATIENCE, || {
                    other.must_run();
                    other.stdout().contains("started")
                });
                let running = ours();
                wait_until("it hears us", PATIENCE, || other.stdout().contains("lsd "));
                (running, other)
            };
            if we_seed {
                assert!(other.wait(PATIENCE).success());
                stage.content.assert_same_in(&fetched);
            } else {
                let dir = stage.path().join("get");
                running.wait().assert_code(0);
                stage.content.assert_same_in(&dir);
            }
        }
    }
}

#[test]
fn transmission_finds_us_and_we_find_transmission() {
    if !here(&[Tool::Transmission]) {
        return;
    }
    for we_seed in [true, false] {
        let Some(stage) = Stage::new(Addresses::Both) else { return };
        let fetched = stage.path().join("fetched");
        fs::create_dir(&fetched).unwrap();
        let dir = if we_seed { &fetched } else { &stage.source };
        let plan = Plan::seed(Program::Transmission, &stage.torrent, dir, stage.path());
        let running = stage.start(&if we_seed { stage.seed() } else { stage.get() }, 0);
        let mut other =
            Process::start("transmission", &mut stage.lan.command(1, &transmission::in_a_lan(&plan)), stage.path());
        wait_until("we hear it", 2 * PATIENCE, || {
            other.must_run();
            running.stderr().contains(HEARD)
        });
        wait_until("it hears our answer", PATIENCE, || other.stderr().contains("LPD (10.77.0.1"));
        if we_seed {
            wait_until("it has everything", PATIENCE, || stage.content.difference_in(&fetched).is_none());
        } else {
            running.wait().assert_code(0);
            stage.content.assert_same_in(&stage.path().join("get"));
        }
    }
}

/// A thousand packets a second, a victim's ports and address, senders beyond the network, no end, NUL bytes.
#[test]
fn a_flood_costs_nothing_and_names_no_victim() {
    const SECONDS: usize = 12;
    let Some(stage) = Stage::new(Addresses::Both) else { return };
    let get = stage.get();
    let running = stage.start(&get, 0);
    let (before, peak) = (proc::ticks(running.id()), proc::status(running.id(), "VmHWM"));
    let mut flood = stage.python(&["flood", "7077", &hex(&stage.torrent.info_hash), &SECONDS.to_string()]);
    assert!(flood.wait(PATIENCE).success());
    let sent = flood.stdout().lines().find_map(|line| line.strip_prefix("sent ")?.parse::<usize>().ok()).unwrap();
    assert!(sent > SECONDS * 500, "{sent} packets were sent");
    let ticks = proc::ticks(running.id()) - before;
    assert!(ticks < 10 * SECONDS as u64, "{ticks} ticks: less than a tenth of a processor");
    assert!(proc::status(running.id(), "VmHWM") < peak + 1024, "memory");
    let log = running.stderr();
    let heard = log.lines().filter(|line| line.contains(HEARD)).count();
    let periods = SECONDS / 5 + 2;
    assert!((1..=50 * periods).contains(&heard), "{heard} packets were read");
    assert!(!log.contains("198.51.100.7"), "only our own network counts");
    let tried = flood.stdout().lines().filter(|line| line.starts_with("connection")).count();
    // Each try is two connections, because the address closes them: an encrypted one follows the plain one.
    assert!(tried <= 2 * 3, "{tried} connections to the same port");
    // An honest peer is found as before.
    let _seed = stage.start(&stage.seed(), 1);
    running.wait().assert_code(0);
    stage.content.assert_same_in(&get.dir);
}

/// A listener hears only the public torrent. Packets of others about the private torrent are ignored.
#[test]
fn private_torrents_are_neither_announced_nor_looked_for() {
    let Some(stage) = Stage::new(Addresses::Both) else { return };
    let listener = stage.python(&["listen"]);
    wait_until("it listens", PATIENCE, || listener.stdout().contains("listening"));
    Content::one_file("secret.bin", 100 * KIB).write_to(&stage.source);
    ran::swarmlet(&stage.source, &["make", "--private", "-o", "private.torrent", "secret.bin"]).code(0);
    let private = Torrent::read(&stage.source.join("private.torrent"));
    let get = |name: &str| Get::new(name, stage.path()).with_lsd().arg("-vv");
    let only_private = get("private").torrent(&private).start_after(&stage.lan.on(0));
    let running = stage.start(&get("both").torrent(&private).torrent(&stage.torrent), 0);
    let said = stage.python(&["say", "7077", &hex(&private.info_hash)]);
    let heard = |hash: &[u8; 20]| listener.stdout().lines().filter(|line| line.contains(&hex(hash))).count();
    wait_until("the public one is announced and repeated", PATIENCE, || heard(&stage.torrent.info_hash) >= 3);
    wait_until("the stranger has said it three times", PATIENCE, || said.stdout().matches("said").count() >= 3);
    let own =
        listener.stdout().lines().filter(|line| line.starts_with("10.77.0.1 ")).map(String::from).collect::<Vec<_>>();
    assert!(!own.iter().any(|line| line.contains(&hex(&private.info_hash))), "{own:#?}");
    assert!(!said.stdout().contains("connection") && !running.stderr().contains(HEARD));
    assert!(searches(&running) && !searches(&only_private), "without a public torrent there is no thread for it");
}

#[test]
fn it_can_be_switched_off_and_is_quiet_without_a_network() {
    let Some(stage) = Stage::new(Addresses::Both) else { return };
    let listener = stage.python(&["listen"]);
    wait_until("it listens", PATIENCE, || listener.stdout().contains("listening"));
    let off = Get::new("off", stage.path()).torrent(&stage.torrent).arg("-vv").arg("--json");
    let silent = off.start_after(&stage.lan.on(0));
    wait_until("it says why", PATIENCE, || silent.stdout().contains("so peers must connect to us"));
    // There is only the loopback interface, which is not used for multicast.
    let alone = stage.get().arg("--json").start_after("exec unshare --net \"$@\"");
    wait_until("it says so once", PATIENCE, || alone.stderr().contains("no interface supports multicast"));
    wait_until("it says why", PATIENCE, || alone.stdout().contains("so peers must connect to us"));
    assert!(!searches(&silent) && searches(&alone));
    assert!(!listener.stdout().contains("10.77.0.1"));
    alone.terminate().assert_code(75);
    silent.terminate().assert_code(75);
}
