//! Stories of the DHT with programs by other people besides libtorrent. A magnet link without trackers is all that a
//! leecher knows, and one node.

use crate::common::aria2;
use crate::common::content::Content;
use crate::common::hosts::{Host, is_told_inside};
use crate::common::peers::{Plan, Program, Role};
use crate::common::ports::free_port;
use crate::common::process::Process;
use crate::common::ran::swarmlet;
use crate::common::swarmlet::{Get, program};
use crate::common::tools::{Tool, here, npm_dht};
use crate::common::torrent::{Torrent, make_with_tiers};
use crate::common::transmission;
use crate::common::wait::{PATIENCE, wait_until};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

const KIB: usize = 1024;
/// This number of nodes is enough for transmission.
const MANY: usize = 9;

/// A torrent that names no tracker.
struct Stage {
    scratch: TempDir,
    content: Content,
    source: PathBuf,
    fetched: PathBuf,
    torrent: Torrent,
}

impl Stage {
    fn new() -> Stage {
        let scratch = tempfile::tempdir().unwrap();
        let content = Content::one_file("a file.bin", 500 * KIB);
        let [source, fetched] = ["source", "fetched"].map(|name| scratch.path().join(name));
        content.write_to(&source);
        fs::create_dir(&fetched).unwrap();
        let torrent = make_with_tiers(&content, &scratch.path().join("a.torrent"), 32 * KIB, &[]);
        Stage { scratch, content, source, fetched, torrent }
    }

    fn path(&self) -> &Path {
        self.scratch.path()
    }

    /// Fetches the torrent by its link alone.
    fn get(&self, node: &str) -> Get {
        Get::new("get", self.path()).arg(self.torrent.link("")).arg("-vv").with_dht_node(node)
    }

    fn seed(&self, node: &str) -> Get {
        Get::seed("seed", self.path(), &self.source).torrent(&self.torrent).arg("-vv").with_dht_node(node)
    }

    fn hash(&self) -> String {
        self.torrent.info_hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn wait_for_content(&self, other: &mut Process) {
        wait_until("it has everything", 2 * PATIENCE, || {
            other.must_run();
            self.content.difference_in(&self.fetched).is_none()
        });
    }
}

/// Nodes of ours through which all others enter. They are more than one because transmission asks only once it knows
/// more than eight; and one must be there in any case, because nobody is told of what it stores itself.
struct Middle {
    _nodes: Vec<Process>,
    /// The address of the first.
    node: String,
    all: Vec<String>,
}

impl Middle {
    fn start(stage: &Stage, host: Option<&Host>, count: usize) -> Middle {
        let ip = host.map_or("127.0.0.1".into(), |host| host.ip.to_string());
        let all: Vec<String> = (0..count).map(|_| format!("{ip}:{}", free_port())).collect();
        let nodes = all.iter().map(|own| {
            let mut command = Command::new(program());
            let port = own.split(':').next_back().unwrap();
            // The first one enters through the second.
            let other = all.iter().find(|other| *other != own).map_or("127.0.0.1:9", String::as_str);
            command.args(["dht", "run", "--port", port, "--dht-node", other]);
            command.arg("--state").arg(stage.path().join(format!("node {port}")));
            let mut command = match host {
                Some(host) => host.command(&command),
                None => command,
            };
            Process::start("node", &mut command, stage.path())
        });
        Middle { _nodes: nodes.collect(), node: all[0].clone(), all }
    }
}

/// aria2's command line with its DHT.
fn aria2_with(plan: &Plan, node: &str) -> Command {
    let mut command = aria2::command(plan);
    command.args(["--enable-dht=true", &format!("--dht-listen-port={}", plan.port)]);
    command.arg(format!("--dht-entry-point={node}")).arg("--dht-file-path").arg(plan.home().join("dht.dat"));
    command
}

#[test]
fn from_aria2_by_a_link_alone() {
    if !here(&[Tool::Aria2]) {
        return;
    }
    let stage = Stage::new();
    let middle = Middle::start(&stage, None, 1);
    let get = stage.get(&middle.node);
    let running = get.start();
    let plan = Plan::seed(Program::Aria2, &stage.torrent, &stage.source, stage.path());
    let _seed = Process::start("aria2", &mut aria2_with(&plan, &middle.node), stage.path());
    running.wait().assert_code(0);
    stage.content.assert_same_in(&get.dir);
}

#[test]
fn to_aria2_by_a_link_alone() {
    if !here(&[Tool::Aria2]) {
        return;
    }
    let stage = Stage::new();
    let middle = Middle::start(&stage, None, 1);
    let _seeding = stage.seed(&middle.node).start();
    let link = stage.torrent.by_link("");
    let plan = Plan { role: Role::Stay, ..Plan::fetch(Program::Aria2, &link, &stage.fetched, stage.path()) };
    let mut other = Process::start("aria2", &mut aria2_with(&plan, &middle.node), stage.path());
    stage.wait_for_content(&mut other);
}

/// Its DHT has nothing to do with loopback addresses, so each program has a host of its own.
#[test]
fn from_transmission_by_a_link_alone() {
    if !here(&[Tool::Transmission]) || is_told_inside("dht_others::from_transmission_by_a_link_alone") {
        return;
    }
    let stage = Stage::new();
    let [own, theirs, third] = [1, 2, 3].map(|number| Host::start(number, stage.path()));
    let middle = Middle::start(&stage, Some(&third), MANY);
    let get = stage.get(&middle.node);
    let running = get.start_on(&own);
    let mut plan = Plan::seed(Program::Transmission, &stage.torrent, &stage.source, stage.path());
    plan.host = Some(&theirs);
    let mut other = plan.run("transmission", transmission::in_the_dht(&plan, &middle.all));
    transmission::add(&plan, &mut other);
    running.wait().assert_code(0);
    stage.content.assert_same_in(&get.dir);
}

#[test]
fn to_transmission_by_a_link_alone() {
    if !here(&[Tool::Transmission]) || is_told_inside("dht_others::to_transmission_by_a_link_alone") {
        return;
    }
    let stage = Stage::new();
    let [own, theirs, third] = [1, 2, 3].map(|number| Host::start(number, stage.path()));
    let middle = Middle::start(&stage, Some(&third), MANY);
    let _seeding = stage.seed(&middle.node).start_on(&own);
    let link = stage.torrent.by_link("");
    let mut plan = Plan::seed(Program::Transmission, &link, &stage.fetched, stage.path());
    plan.host = Some(&theirs);
    let mut other = plan.run("transmission", transmission::in_the_dht(&plan, &middle.all));
    transmission::add(&plan, &mut other);
    stage.wait_for_content(&mut other);
}

#[test]
fn we_find_what_npm_announces() {
    if !here(&[Tool::NpmDht]) {
        return;
    }
    let stage = Stage::new();
    let middle = Middle::start(&stage, None, 1);
    let theirs = free_port();
    let mut command = npm_dht();
    command.args(["announce", &theirs.to_string(), &middle.node, &stage.hash()]);
    let mut other = Process::start("npm", &mut command, stage.path());
    wait_until("it has announced itself", PATIENCE, || {
        other.must_run();
        other.stdout().contains("announced")
    });
    let state = stage.path().join("none");
    let args = ["dht", "find", &stage.hash(), "--dht-node", &middle.node, "--state", state.to_str().unwrap()];
    let found = swarmlet(stage.path(), &args).code(0).text();
    assert!(found.contains(&format!("peer   127.0.0.1:{theirs}\n")), "{found}");
}

#[test]
fn npm_finds_what_we_announce() {
    if !here(&[Tool::NpmDht]) {
        return;
    }
    let stage = Stage::new();
    let middle = Middle::start(&stage, None, 1);
    let seed = stage.seed(&middle.node);
    let _seeding = seed.start();
    let mut command = npm_dht();
    command.args(["find", &free_port().to_string(), &middle.node, &stage.hash()]);
    let mut other = Process::start("npm", &mut command, stage.path());
    wait_until("it finds us", PATIENCE, || {
        other.must_run();
        other.stdout().contains(&format!("peer 127.0.0.1:{}\n", seed.port))
    });
}
