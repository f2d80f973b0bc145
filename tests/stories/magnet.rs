//! Stories of magnet links: swarmlet asks peers for the description of a torrent.

use crate::common::content::Content;
use crate::common::http::Server;
use crate::common::json;
use crate::common::peers::{Plan, Program};
use crate::common::stage::Stage;
use crate::common::swarmlet::{Get, Swarmlet, program};
use crate::common::tools::{Tool, here, say};
use crate::common::torrent::{Maker, Torrent, make_private, make_with_tiers};
use crate::common::tracker::Tracker;
use crate::common::wait::{PATIENCE, wait_until};
use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;

const KIB: usize = 1024;

/// A link to a torrent.
fn link(torrent: &Torrent, more: &str) -> String {
    let hash: String = torrent.info_hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("magnet:?xt=urn:btih:{hash}{more}")
}

/// A link that names one peer.
fn link_to(torrent: &Torrent, peer: SocketAddr) -> String {
    link(torrent, &format!("&x.pe={peer}"))
}

/// The names of the `.torrent` files in the folder of the states.
fn saved(scratch: &Path) -> Vec<String> {
    let names = fs::read_dir(scratch.join("state/swarmlet")).into_iter().flatten().flatten();
    names.filter_map(|entry| entry.file_name().into_string().ok()).filter(|name| name.ends_with(".torrent")).collect()
}

/// Downloads from `program` with a link that names only its address.
fn from(program: Program) {
    if !here(&[program.tool()]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let source = scratch.path().join("source");
    let content = Content::one_file("a file.bin", 3000 * KIB + 1);
    let torrent = Maker::Ours.make(&content, &source, 16 * KIB, "http://127.0.0.1:9/announce");
    let plan = Plan::seed(program, &torrent, &source, scratch.path());
    let mut seed = plan.start();
    let get = Get::new("leecher", scratch.path()).arg(link_to(&torrent, plan.address())).arg("--json");
    // The program may still check its content; then swarmlet tries again.
    let ran = get.run();
    seed.must_run();
    ran.assert_code(0);
    content.assert_same_in(&get.dir);
    assert_eq!(ran.json("metadata")["name"], "a file.bin");
    say(&format!("fetched by a magnet link from {}", program.version()));
}

#[test]
fn from_libtorrent_by_a_link_that_names_it() {
    from(Program::Libtorrent);
}

#[test]
fn from_aria2_by_a_link_that_names_it() {
    from(Program::Aria2);
}

#[test]
fn from_transmission_by_a_link_that_names_it() {
    from(Program::Transmission);
}

#[test]
fn from_rtorrent_by_a_link_that_names_it() {
    from(Program::Rtorrent);
}

/// A seed of libtorrent, and the stage of its torrent.
fn libtorrent(stage: &Stage) -> (crate::common::peers::Peer, SocketAddr) {
    let plan = Plan::seed(Program::Libtorrent, &stage.torrent, &stage.source, stage.path());
    let mut seed = plan.start();
    stage.tracker.wait_for_a_seed(&stage.torrent.info_hash, || seed.must_run());
    (seed, plan.address())
}

#[test]
fn a_link_with_a_tracker_needs_nothing_else_and_the_next_run_needs_no_peer() {
    if !here(&[Tool::Libtorrent]) {
        return;
    }
    let stage = Stage::new(Content::tree("a tree"), 64 * KIB);
    let (seed, _) = libtorrent(&stage);
    let tracker = stage.tracker.url();
    let link = link(&stage.torrent, &format!("&dn=a+lie&tr={tracker}"));
    let get = Get::new("leecher", stage.path()).arg(&link).arg("--json");
    let ran = get.run();
    ran.assert_code(0);
    stage.content.assert_same_in(&get.dir);
    let started = json::first(&ran.stdout, "start").unwrap();
    assert_eq!((started["name"].as_str(), started["state"].as_str()), (Some("a lie"), Some("learning")));
    assert_eq!(ran.json("metadata")["name"], "a tree");
    // There is only one `started`, because the torrent continues the announces of the machine that learned.
    let announces = stage.announces_from(&get);
    let events: Vec<&str> = announces.iter().map(|announce| announce.event.as_str()).collect();
    assert_eq!(events, ["started", "completed", "stopped"]);
    assert_eq!(announces[0].left, 16 * KIB as u64, "nobody knows yet");

    drop(seed);
    let [name] = &saved(stage.path())[..] else { panic!("one torrent is saved") };
    let kept = Torrent::read(&stage.path().join("state/swarmlet").join(name));
    assert_eq!(kept.info_hash, stage.torrent.info_hash);
    let again = get.run();
    again.assert_code(0);
    assert_eq!(again.json("complete")["fetched"], 0);
    assert!(json::first(&again.stdout, "metadata").is_none(), "no peer was asked");
    // The tracker of the link is not lost either.
    assert_eq!(stage.announces_from(&get).len(), announces.len() + 2);
}

/// A torrent whose `info` has this many bytes, in pieces of 16 KiB.
fn of_info_length(length: usize, scratch: &Path) -> (Torrent, Content) {
    // 20 bytes for each piece; the name takes the rest.
    let made = |pieces: usize, name: usize| {
        let content = Content::one_file(&"n".repeat(name), pieces * 16 * KIB);
        let source = scratch.join(format!("source-{pieces}-{name}"));
        let torrent = Maker::Ours.make(&content, &source, 16 * KIB, "http://127.0.0.1:9/announce");
        (torrent, content)
    };
    let pieces = (length - 110) / 20;
    let (first, _) = made(pieces, 10);
    let name = 10 + length - first.info_length();
    let (torrent, content) = made(pieces, name);
    assert_eq!(torrent.info_length(), length);
    (torrent, content)
}

#[test]
fn a_description_of_exactly_one_block_and_of_one_byte_more() {
    if !here(&[Tool::Libtorrent]) {
        return;
    }
    for length in [16 * KIB, 16 * KIB + 1] {
        let scratch = tempfile::tempdir().unwrap();
        let (torrent, content) = of_info_length(length, scratch.path());
        let source = fs::read_dir(scratch.path()).unwrap().flatten().map(|entry| entry.path());
        let source = source.filter(|path| path.join(&content.name).exists()).last().unwrap();
        let plan = Plan::seed(Program::Libtorrent, &torrent, &source, scratch.path());
        let _seed = plan.start();
        let get = Get::new("leecher", scratch.path()).arg(link_to(&torrent, plan.address()));
        get.run().assert_code(0);
        content.assert_same_in(&get.dir);
    }
}

#[test]
fn only_the_torrent_is_fetched_and_nothing_of_the_person_is_overwritten() {
    if !here(&[Tool::Libtorrent]) {
        return;
    }
    let stage = Stage::new(Content::tree("a tree"), 64 * KIB);
    let (_seed, address) = libtorrent(&stage);
    let link = link_to(&stage.torrent, address);
    let get = |options: &[&str]| Get::new("leecher", stage.path()).arg(&link).args(options);
    let first = get(&["--metadata-only"]);
    first.run().assert_code(0);
    let file = first.dir.join("a tree.torrent");
    assert_eq!(Torrent::read(&file).info_hash, stage.torrent.info_hash);
    assert_eq!(fs::read_dir(&first.dir).unwrap().count(), 1, "no content");

    fs::write(&file, "mine").unwrap();
    let refused = get(&["--metadata-only"]).run();
    refused.assert_refused(73);
    assert!(refused.stderr.contains("exists already; --overwrite replaces it"), "{}", refused.stderr);
    assert_eq!(fs::read(&file).unwrap(), b"mine");
    get(&["--metadata-only", "--overwrite"]).run().assert_code(0);
    assert_eq!(Torrent::read(&file).info_hash, stage.torrent.info_hash);

    // To standard output, in a run that has no saved torrent.
    fs::remove_dir_all(stage.path().join("state")).unwrap();
    let ran = get(&["--metadata-only", "--output", "-"]).command().output().unwrap();
    assert!(ran.status.success(), "{ran:?}");
    let printed = stage.path().join("printed");
    fs::write(&printed, ran.stdout).unwrap();
    assert_eq!(Torrent::read(&printed).info_hash, stage.torrent.info_hash);

    // The list is the same as with the .torrent file.
    fs::remove_dir_all(stage.path().join("state")).unwrap();
    let list = get(&["--list", "--exclude", "z/"]).run();
    list.assert_code(0);
    let of_file = stage.get("other").args(&["--list", "--exclude", "z/"]).run();
    assert_eq!(list.stdout, of_file.stdout);
}

#[test]
fn a_link_chooses_files_and_the_person_may_choose_others() {
    if !here(&[Tool::Libtorrent]) {
        return;
    }
    let stage = Stage::new(Content::folder("f", &[("a", 50_000), ("b", 60_000), ("c", 70_000)]), 16 * KIB);
    let (_seed, address) = libtorrent(&stage);
    let link = link_to(&stage.torrent, address) + "&so=0,2,7-9";
    for (options, expected) in [(&[][..], ["a", "c"]), (&["--files", "1-2"], ["a", "b"])] {
        let name = expected.concat();
        let get = Get::new(&name, stage.path()).arg(&link).args(options);
        get.run().assert_code(0);
        let mut there: Vec<String> = fs::read_dir(get.dir.join("f"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        there.sort();
        assert_eq!(there, expected);
    }
    let refused = Get::new("none", stage.path()).arg(&link).args(&["--exclude", "[ac]"]).run();
    refused.assert_refused(64);
    assert!(refused.stderr.contains("nothing is left to download"), "{}", refused.stderr);
}

#[test]
fn a_link_is_found_in_a_file_on_standard_input_and_behind_a_url() {
    if !here(&[Tool::Libtorrent]) {
        return;
    }
    let stage = Stage::new(Content::one_file("a file", 100_000), 16 * KIB);
    let (_seed, address) = libtorrent(&stage);
    let link = link_to(&stage.torrent, address);
    let file = stage.path().join("a link.magnet");
    fs::write(&file, format!("{link}\n")).unwrap();
    let answered = link.clone();
    let answers = Server::start(Ipv4Addr::LOCALHOST.into(), move |_, _| Some(answered.clone().into_bytes()));
    let leads = link.clone();
    let redirects = Server::raw((Ipv4Addr::LOCALHOST, 0).into(), move |_, stream| {
        write!(stream, "HTTP/1.1 302 Found\r\nLocation: {leads}\r\nContent-Length: 0\r\n\r\n")
    });
    let by_url = format!("http://{}/download", answers.address());
    let by_redirect = format!("http://{}/download", redirects.address());
    let new = |name: &str| Get::new(name, stage.path()).args(&["--state", stage.path().join(name).to_str().unwrap()]);
    for get in [
        new("by file").arg(&file),
        new("by stdin").arg("-").stdin(link.clone().into_bytes()),
        new("by url").arg(by_url),
        new("by redirect").arg(by_redirect),
    ] {
        get.run().assert_code(0);
        stage.content.assert_same_in(&get.dir);
    }
}

#[test]
fn a_link_that_cannot_be_used_is_refused_in_words() {
    let scratch = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| Get::new("leecher", scratch.path()).args(args).run();
    let second = format!("magnet:?xt=urn:btmh:1220{}", "ab".repeat(32));
    let refused = run(&[&second]);
    refused.assert_refused(65);
    assert!(refused.stderr.contains("for version 2 of BitTorrent only (BEP 52)"), "{}", refused.stderr);
    let one = format!("magnet:?xt=urn:btih:{}&tr=http://t.example/SECRET", "ab".repeat(20));
    let refused = run(&[&one, &one]);
    refused.assert_refused(64);
    assert!(
        refused.stderr.contains("are the same torrent") && !refused.stderr.contains("SECRET"),
        "{}",
        refused.stderr
    );
    run(&["--metadata-only", "--list", &one]).assert_refused(64);
    run(&["--output", "x", &one]).assert_refused(64);
    // Before anybody is asked.
    let folder = scratch.path().to_str().unwrap();
    let refused = run(&["--metadata-only", "--overwrite", "--output", folder, &one]);
    refused.assert_refused(64);
    assert!(refused.stderr.contains("a folder, expected a file"), "{}", refused.stderr);
    run(&["--metadata-only", "--output", &format!("{folder}/none/x"), &one]).assert_refused(73);
    run(&["magnet:?xt=urn:btih:zz"]).assert_refused(65);
}

/// Its peers are honest, so they are not to blame.
#[test]
fn a_link_that_names_two_torrents_is_refused_in_words() {
    if !here(&[Tool::Libtorrent]) {
        return;
    }
    let stage = Stage::new(Content::one_file("a file", 100_000), 16 * KIB);
    let (_seed, address) = libtorrent(&stage);
    let second = format!("&xt=urn:btmh:1220{}", "ab".repeat(32));
    let refused = Get::new("leecher", stage.path()).arg(link_to(&stage.torrent, address) + &second).run();
    refused.assert_code(65);
    assert!(refused.stderr.contains("the link names two torrents"), "{}", refused.stderr);
    assert!(saved(stage.path()).is_empty());
}

/// Waits until swarmlet gives the `expected` reason why no description arrives.
fn reason(running: &mut Swarmlet, expected: &str) {
    wait_until(expected, PATIENCE, || {
        running.must_run();
        json::last(&running.stdout(), "status").is_some_and(|status| status["why"] == *expected)
    });
}

#[test]
fn the_reason_is_told_when_nothing_arrives() {
    let stage = Stage::new(Content::one_file("a file", 100_000), 16 * KIB);
    let tracker = stage.tracker.url();
    let link = link(&stage.torrent, &format!("&tr={tracker}"));
    let mut running = Get::new("alone", stage.path()).arg(&link).arg("--json").start();
    wait_until("the tracker's answer is told", PATIENCE, || {
        running.must_run();
        let why = json::last(&running.stdout(), "status").and_then(|status| status["why"].as_str().map(str::to_string));
        why.is_some_and(|why| why.starts_with("no peers: the tracker knows none"))
    });
    running.interrupt().assert_code(75);
    // Without a tracker and without a peer that can be reached.
    let mut running = Get::new("lost", stage.path()).arg(link_of_nobody(&stage)).arg("--json").start();
    reason(&mut running, "none of 1 known peer can be reached now");
    running.interrupt().assert_code(75);
    // For a script, there is an end, with the reason.
    let given_up = Get::new("patient", stage.path()).arg(link_of_nobody(&stage)).args(&["--stop-timeout", "2"]).run();
    given_up.assert_code(75);
    let why = "given up, no progress for 2 s: none of 1 known peer can be reached now";
    assert!(given_up.stderr.contains(why), "{}", given_up.stderr);
    assert!(given_up.stderr.contains("given up before the torrent's description came"), "{}", given_up.stderr);
}

/// A link that names only a peer that does not listen.
fn link_of_nobody(stage: &Stage) -> String {
    link_to(&stage.torrent, (Ipv4Addr::LOCALHOST, 9).into())
}

#[test]
fn many_takes_links_from_its_folder() {
    if !here(&[Tool::Libtorrent]) {
        return;
    }
    let stage = Stage::new(Content::one_file("a file", 300_000), 16 * KIB);
    let (_seed, address) = libtorrent(&stage);
    let folder = stage.path().join("folder");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("one.magnet"), link_to(&stage.torrent, address)).unwrap();
    let many = Get::many("many", stage.path(), &folder).arg("--json");
    let mut running = many.start();
    wait_until("the torrent of the link is complete", PATIENCE, || {
        running.must_run();
        json::first(&running.stdout(), "complete").is_some()
    });
    assert_eq!(fs::read(folder.join("a file")).unwrap(), stage.content.concatenated());
    // When the link is removed, its torrent is dropped.
    fs::remove_file(folder.join("one.magnet")).unwrap();
    wait_until("the torrent is dropped", PATIENCE, || {
        running.must_run();
        json::first(&running.stdout(), "removed").is_some()
    });
    running.terminate();
}

#[test]
fn a_description_of_four_mebibytes_with_a_hundred_thousand_files() {
    if !here(&[Tool::Libtorrent]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let names: Vec<String> =
        (0..100_000).map(|number| format!("folder {:03}/file {number:06}", number % 200)).collect();
    let files: Vec<(&str, usize)> = names.iter().map(|name| (name.as_str(), 1)).collect();
    let content = Content::folder("many files", &files);
    let torrent = make_with_tiers(&content, &scratch.path().join("many.torrent"), 16 * KIB, &[]);
    assert!(torrent.info_length() > 4 << 20, "{}", torrent.info_length());
    // The program need not have the content to give the description.
    let plan = Plan::seed(Program::Libtorrent, &torrent, scratch.path(), scratch.path());
    let _seed = plan.start();
    let get = Get::new("leecher", scratch.path()).arg(link_to(&torrent, plan.address())).arg("--metadata-only");
    let ran = get.arg("--json");
    let outcome = ran.run();
    outcome.assert_code(0);
    assert_eq!(outcome.json("saved")["files"], 100_000);
    assert_eq!(Torrent::read(&ran.dir.join("many files.torrent")).info_hash, torrent.info_hash);
}

#[test]
fn a_private_torrent_is_downloaded_from_the_peers_of_its_tracker() {
    if !here(&[Tool::Aria2]) {
        return;
    }
    // libtorrent and transmission do not give descriptions of private torrents; aria2 does.
    let scratch = tempfile::tempdir().unwrap();
    let tracker = Tracker::start();
    let content = Content::one_file("a secret", 200_000);
    let source = scratch.path().join("source");
    content.write_to(&source);
    let torrent = make_private(&content, &scratch.path().join("private.torrent"), 16 * KIB, &tracker.url());
    let plan = Plan::seed(Program::Aria2, &torrent, &source, scratch.path());
    let mut seed = plan.start();
    tracker.wait_for_a_seed(&torrent.info_hash, || seed.must_run());
    let link = link(&torrent, &format!("&tr={}", tracker.url()));
    let get = Get::new("leecher", scratch.path()).arg(link).arg("--json");
    let ran = get.run();
    ran.assert_code(0);
    content.assert_same_in(&get.dir);
    let kept = scratch.path().join("state/swarmlet").join(&saved(scratch.path())[0]);
    let shown = Command::new(program()).args(["show", "--json"]).arg(kept).output().unwrap();
    let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!((shown["private"].as_bool(), shown["trackers"][0][0].as_str()), (Some(true), Some(&*tracker.url())));
}
