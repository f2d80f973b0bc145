//! Stories of torrents by `swarmlet make`, compared with those by other makers, and used by other peers.

use crate::common::content::Content;
use crate::common::libtorrent;
use crate::common::opentracker::Opentracker;
use crate::common::peers::{Plan, Program};
use crate::common::ran::swarmlet;
use crate::common::swarmlet::Get;
use crate::common::tools::{Tool, here, say};
use crate::common::torrent::Torrent;
use std::fs;
use std::path::Path;
use std::process::Command;

const KIB: usize = 1024;

/// A tree that depends only on `seed`: nested, with spaces and UTF-8. Names begin with a number, so that all makers
/// sort them alike (transmission ignores case, and sorts `é` before `a`). In one of five trees the name of a folder is
/// a prefix of others; there imdl sorts otherwise, see [`sorts_as_imdl`].
fn tree(seed: usize) -> Content {
    let name = format!("tree {seed}");
    if seed % 10 == 9 {
        return Content::one_file(&name, seed * 77_777);
    }
    let mut random = seed as u64 + 1;
    let mut next = |below: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize % below
    };
    let mut files = Vec::new();
    for number in 0..3 + next(40) {
        let alike = if seed % 5 == 3 { ["01/", "01 b/", "01.c/"] } else { ["01/", "04 b/", "05.c/"] };
        let folder = ["", alike[0], alike[1], alike[2], "02 é/日本/深い/", "03/a/b/c/d/e/f/"][next(6)];
        let ending = [".bin", " with spaces", "日本語 é", "-x", ""][next(5)];
        let size = match next(6) {
            0 if seed.is_multiple_of(3) => 0,
            1 => 1,
            2 => 100_000 + next(300_000),
            3 => 16 * KIB,
            _ => 1 + next(20_000),
        };
        files.push((format!("{folder}{number:03}{ending}"), size));
    }
    files.push(("999".into(), 1));
    let files: Vec<(&str, usize)> = files.iter().map(|(path, size)| (path.as_str(), *size)).collect();
    Content::folder(&name, &files)
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|e| panic!("cannot start {command:?}: {e}"));
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed: {}\n{said}", output.status);
}

fn ours(dir: &Path, args: &[&str]) -> [u8; 20] {
    swarmlet(dir, &[&["make", "--force", "--quiet", "-o", "ours.torrent"], args].concat()).code(0);
    Torrent::read(&dir.join("ours.torrent")).info_hash
}

fn mktorrent(dir: &Path, name: &str, power: usize) -> [u8; 20] {
    let _ = fs::remove_file(dir.join("mk.torrent"));
    run(Command::new("mktorrent").current_dir(dir).args(["-l", &power.to_string(), "-o", "mk.torrent", name]));
    Torrent::read(&dir.join("mk.torrent")).info_hash
}

fn with_libtorrent(dir: &Path, name: &str, power: usize) -> [u8; 20] {
    let length = (1usize << power).to_string();
    run(libtorrent::python().arg("make-sorted").arg(dir.join(name)).args([&length]).arg(dir.join("lt.torrent")));
    Torrent::read(&dir.join("lt.torrent")).info_hash
}

/// It writes `private` even if it is 0, so all torrents that it makes here are private. It leaves out empty files
/// without a warning.
fn transmission(dir: &Path, name: &str, power: usize) -> [u8; 20] {
    let kib = ((1 << power) / KIB).to_string();
    run(Command::new("transmission-create").current_dir(dir).args([
        "-p",
        "-s",
        &kib,
        "-t",
        "http://t/",
        "-o",
        "tr.torrent",
        name,
    ]));
    Torrent::read(&dir.join("tr.torrent")).info_hash
}

/// It writes the same keys as we do. `--sort-by path` is its default.
fn imdl(dir: &Path, name: &str, power: usize) -> [u8; 20] {
    let length = (1usize << power).to_string();
    let rest = ["--input", name, "--output", "imdl.torrent"];
    run(Command::new("imdl").current_dir(dir).args(["torrent", "create", "--force", "-p", &length]).args(rest));
    Torrent::read(&dir.join("imdl.torrent")).info_hash
}

/// Only imdl sorts by the components of paths (`01/z`, `01 b/a`). mktorrent, transmission and swarmlet compare paths
/// byte by byte (`01 b/a`, `01/z`).
fn sorts_as_imdl(content: &Content) -> bool {
    let mut paths: Vec<&str> = content.files.iter().map(|(path, _)| path.as_deref().unwrap_or_default()).collect();
    paths.sort_unstable();
    paths.is_sorted_by_key(|path| path.split('/').collect::<Vec<_>>())
}

#[test]
fn thirty_trees_get_the_info_hash_that_other_makers_give_them() {
    if !here(&[Tool::Mktorrent, Tool::TransmissionCreate, Tool::Libtorrent]) {
        return;
    }
    let mut compared = [0; 3];
    for seed in 0..30 {
        let scratch = tempfile::tempdir().unwrap();
        let dir = scratch.path();
        let content = tree(seed);
        content.write_to(dir);
        let name = content.name.as_str();
        let power = 15 + seed % 4;
        let length = power.to_string();
        let hash = ours(dir, &["-l", &length, name]);
        assert_eq!(hash, mktorrent(dir, name, power), "mktorrent, tree {seed}");
        assert_eq!(hash, with_libtorrent(dir, name, power), "libtorrent, tree {seed}");
        compared[0] += 1;
        compared[1] += 1;
        if content.files.iter().all(|(_, data)| !data.is_empty()) {
            let private = ours(dir, &["-l", &length, "--private", name]);
            assert_eq!(private, transmission(dir, name, power), "transmission, tree {seed}");
            compared[2] += 1;
        }
    }
    let [mk, lt, tr] = compared;
    assert!(tr >= 15, "{tr}");
    let (lt_version, tr_version) = (Tool::Libtorrent.version(), Tool::TransmissionCreate.version());
    say(&format!("the same info-hash: {mk} trees with mktorrent, {lt} with {lt_version}, {tr} with {tr_version}"));
}

fn many() -> Content {
    let names: Vec<String> = (0..10_000).map(|n| format!("{:02}/{:02}/{n:05} é.bin", n % 37, n % 53)).collect();
    let files: Vec<(&str, usize)> = names.iter().enumerate().map(|(n, name)| (name.as_str(), n % 997 + 1)).collect();
    Content::folder("many", &files)
}

#[test]
fn ten_thousand_files_get_the_info_hash_that_other_makers_give_them() {
    if !here(&[Tool::Mktorrent, Tool::TransmissionCreate, Tool::Libtorrent]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    many().write_to(dir);
    let hash = ours(dir, &["-l", "15", "many"]);
    assert_eq!(hash, mktorrent(dir, "many", 15));
    assert_eq!(hash, with_libtorrent(dir, "many", 15));
    assert_eq!(ours(dir, &["-l", "15", "-p", "many"]), transmission(dir, "many", 15));
}

/// `program` checks `content` against a torrent of ours, seeds it, and uploads it to us.
fn accepted_by(program: Program, content: &Content, options: &[&str]) {
    if !here(&[program.tool(), Tool::Opentracker]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let source = scratch.path().join("source");
    content.write_to(&source);
    let address = Opentracker::address();
    let url = Opentracker::url(address);
    swarmlet(&source, &[&["make", "-q", "-o", "../t.torrent", &content.name, &url], options].concat()).code(0);
    let torrent = Torrent::read(&scratch.path().join("t.torrent"));
    let mut tracker = Opentracker::start(address, &[&torrent], scratch.path());
    let mut seed = Plan::seed(program, &torrent, &source, scratch.path()).start();
    tracker.wait_for_seeds(&torrent, 1, || seed.must_run());
    let get = Get::new("leecher", scratch.path()).torrent(&torrent);
    get.run().assert_code(0);
    content.assert_same_in(&get.dir);
    say(&format!("{} accepts our torrents", program.tool().version()));
}

#[test]
fn aria2_accepts_our_torrents() {
    accepted_by(Program::Aria2, &Content::tree("tree"), &["--webseed", "http://127.0.0.1:1/", "-c", "日本"]);
}

#[test]
fn transmission_accepts_our_torrents() {
    accepted_by(Program::Transmission, &Content::japanese(), &["--node", "127.0.0.1:1", "-s", "source"]);
}

#[test]
fn libtorrent_accepts_our_torrents_with_padding() {
    accepted_by(Program::Libtorrent, &Content::tree("tree"), &["--pad", "-l", "64K"]);
}

#[test]
fn imdl_gives_the_same_info_hash_and_each_accepts_torrents_of_the_other() {
    if !here(&[Tool::Imdl]) {
        return;
    }
    let (mut same, mut others) = (0, 0);
    for seed in 0..30 {
        let scratch = tempfile::tempdir().unwrap();
        let dir = scratch.path();
        let content = tree(seed);
        content.write_to(dir);
        let (name, power) = (content.name.as_str(), 15 + seed % 4);
        let hash = ours(dir, &["-l", &power.to_string(), "-a", "http://t.example/,udp://u.example:1", name]);
        if sorts_as_imdl(&content) {
            assert_eq!(hash, imdl(dir, name, power), "tree {seed}");
            same += 1;
        } else {
            assert_ne!(hash, imdl(dir, name, power), "imdl has changed its order, so tree {seed} can be compared too");
            others += 1;
        }
        let torrent = |act: &[&str]| run(Command::new("imdl").current_dir(dir).arg("torrent").args(act));
        torrent(&["verify", "--input", "ours.torrent", "--content", name]);
        torrent(&["show", "--input", "ours.torrent"]);
        assert_eq!(swarmlet(dir, &["check", "--quiet", "imdl.torrent"]).code(0).text(), "");
        let shown = swarmlet(dir, &["show", "--json", "imdl.torrent"]).code(0).objects().remove(0);
        assert_eq!((shown["name"].as_str(), shown["warnings"].as_array().map(Vec::len)), (Some(name), Some(0)));
    }
    assert!(same >= 20 && others >= 1, "{same} in the same order, {others} not");
    let version = Tool::Imdl.version();
    say(&format!("the same info-hash: {same} trees with {version}; {others} are in another order there"));
}

#[test]
fn imdl_gives_ten_thousand_files_the_same_info_hash() {
    if !here(&[Tool::Imdl]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    many().write_to(scratch.path());
    assert_eq!(ours(scratch.path(), &["-l", "15", "many"]), imdl(scratch.path(), "many", 15));
}
