//! Stories of web seeds: web servers that have the files of a torrent (BEP 19).

use crate::common::content::{Content, damage};
use crate::common::json;
use crate::common::nginx::Nginx;
use crate::common::ran::swarmlet;
use crate::common::swarmlet::Get;
use crate::common::throttle::Throttle;
use crate::common::tools::{Tool, here};
use crate::common::torrent::{Torrent, make_with_web_seeds};
use crate::common::wait::{PATIENCE, wait_until};
use crate::common::web_seed::{WebSeed, send_part};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// 300 files whose names have what URLs give a meaning to.
fn odd_names() -> Content {
    let odd = ["a b", "c+d", "e?f=1", "g#h", "50%", "%41", "i&j;k", "é🗻", "[l]", "~m'\"!"];
    let files: Vec<(String, usize)> = (0..300)
        .map(|i| {
            let size = match i {
                _ if i % 17 == 0 => 0,
                _ if i % 60 == 5 => 600_000 + i * 1_301,
                _ => i * 7_919 % 30_000 + 1,
            };
            (format!("{}/{} {i:03}.bin", odd[i % 10], odd[i * 7 % 10]), size)
        })
        .collect();
    let files: Vec<(&str, usize)> = files.iter().map(|(path, size)| (path.as_str(), *size)).collect();
    Content::folder("name + of? the #1 torrent", &files)
}

#[test]
fn a_torrent_of_300_files_with_odd_names_comes_from_a_web_server_alone() {
    if !here(&[Tool::Nginx]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let (source, content) = (scratch.path().join("source"), odd_names());
    let path = content.write_to(&source);
    let mut nginx = Nginx::start(&source, scratch.path(), "");
    let torrent = scratch.path().join("odd.torrent");
    let args = ["make".into(), "--pad".into(), "--webseed".into(), nginx.url("").into(), path.into_os_string()];
    let more = ["-l".into(), "32K".into(), "--output".into(), torrent.clone().into_os_string()];
    swarmlet(scratch.path(), &[&args[..], &more[..]].concat()).code(0);
    let ran = Get::new("leecher", scratch.path()).torrent(&Torrent::read(&torrent)).arg("--json").run();
    ran.assert_code(0);
    content.assert_same_in(&ran_dir(scratch.path()));
    assert_eq!(ran.json("complete")["wasted"], 0);
    let requests = nginx.requests();
    let of: BTreeMap<&str, usize> = requests.iter().fold(BTreeMap::new(), |mut of, request| {
        *of.entry(request.line.as_str()).or_default() += 1;
        of
    });
    let full = content.without_empty_files().files.len();
    assert_eq!(of.len(), full, "each file that has bytes, and neither padding nor empty files");
    assert!(requests.len() <= full + 20, "few files took more than one request: {}", requests.len());
    assert!(requests.iter().all(|request| request.status == 206), "{requests:?}");
    let connections: BTreeSet<&str> = requests.iter().map(|request| request.connection.as_str()).collect();
    // After 1,000 requests nginx closes a connection.
    assert!(connections.len() <= 2, "the connection is kept: {connections:?}");
    let sent: u64 = requests.iter().map(|request| request.bytes).sum();
    assert!(sent < content.size() + 3 * MIB as u64, "{sent} bytes for {}", content.size());
}

fn ran_dir(scratch: &std::path::Path) -> std::path::PathBuf {
    scratch.join("leecher")
}

#[test]
fn the_url_of_a_single_file_is_used_as_it_is_or_gets_its_name() {
    if !here(&[Tool::Nginx]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let source = scratch.path().join("source");
    let content = Content::one_file("a file + more.bin", MIB + 7);
    content.write_to(&source);
    fs::copy(source.join("a file + more.bin"), source.join("other name")).expect("it can be copied");
    let mut nginx = Nginx::start(&source, scratch.path(), "");
    for (number, (url, asked)) in [
        (nginx.url(""), "GET /a%20file%20%2B%20more.bin HTTP/1.1"),
        (nginx.url("other name?key=1"), "GET /other%20name?key=1 HTTP/1.1"),
        (nginx.url("other%20name#top"), "GET /other%20name HTTP/1.1"),
    ]
    .into_iter()
    .enumerate()
    {
        // A server in the local network is not asked with a query.
        let is_refused = url.contains('?');
        let torrent = make_with_web_seeds(&content, &scratch.path().join("a.torrent"), 64 * KIB, &[url]);
        let get = Get::new(&format!("leecher-{number}"), scratch.path()).torrent(&torrent);
        let get = if is_refused { get.args(&["--stop-timeout", "2"]) } else { get };
        let ran = get.run();
        if is_refused {
            assert!(ran.stderr.contains("it is in the local network and its URL has a query"), "{}", ran.stderr);
            continue;
        }
        ran.assert_code(0);
        content.assert_same_in(&get.dir);
        let last = nginx.requests().pop().expect("it was asked");
        assert_eq!(last.line, asked);
    }
}

#[test]
fn a_web_seed_of_a_magnet_link_and_a_slow_peer_each_give_a_fair_part() {
    if !here(&[Tool::Nginx]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let source = scratch.path().join("source");
    let content = Content::one_file("a file.bin", 24 * MIB);
    content.write_to(&source);
    let mut nginx = Nginx::start(&source, scratch.path(), "limit_rate 6m;");
    let torrent = make_with_web_seeds(&content, &scratch.path().join("a.torrent"), 256 * KIB, &[]);
    let seed_plan = Get::seed("seed", scratch.path(), &source).torrent(&torrent);
    let mut seed = seed_plan.start();
    wait_until("the seed listens", PATIENCE, || {
        seed.must_run();
        seed.stdout().contains("listening") || seed.stderr().contains("listening")
    });
    // nginx limits each of its answers, so both lines are slow.
    let line = Throttle::before(seed_plan.port, 2 * MIB as u64);
    let link = torrent.link(&format!("&x.pe=127.0.0.1:{}&ws={}", line.port, nginx.url("")));
    let get = Get::new("leecher", scratch.path()).arg(link).arg("--json");
    let ran = get.run();
    ran.assert_code(0);
    content.assert_same_in(&get.dir);
    let wasted = ran.json("complete")["wasted"].as_u64().expect("a number");
    assert!(wasted <= content.size() / 50, "{wasted} bytes were wasted");
    let by_peer = line.passed() as f64 / content.size() as f64;
    let by_web: u64 = nginx.requests().iter().map(|request| request.bytes).sum();
    let by_web = by_web as f64 / content.size() as f64;
    // Their lines take 2 and 6 MiB/s. The first megabytes of each answer come faster.
    assert!((0.08..0.45).contains(&by_peer) && by_web > 0.5, "{by_peer:.2} by the peer, {by_web:.2} by the server");
    assert!(by_peer + by_web < 1.12, "{by_peer:.2} by the peer, {by_web:.2} by the server");
    let both = |it: &serde_json::Value| it["web_seeds"] == 1 && it["peers"] == 1 && it["sources"]["link"] == 1;
    assert!(json::objects(&ran.stdout).iter().any(both), "the status shows both");
}

#[test]
fn a_mirror_with_a_stale_file_gives_the_others() {
    if !here(&[Tool::Nginx]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let (source, stale) = (scratch.path().join("source"), scratch.path().join("stale"));
    let content = Content::folder("folder", &[("one", 3 * MIB), ("two", 3 * MIB), ("three", 3 * MIB)]);
    content.write_to(&source);
    content.write_to(&stale);
    damage(&stale.join("folder/two"), 0, 3 * MIB);
    fs::remove_file(stale.join("folder/three")).expect("it was there");
    let (mut good, mut bad) =
        (Nginx::start(&source, scratch.path(), "limit_rate 500k;"), Nginx::start(&stale, scratch.path(), ""));
    let urls = [bad.url(""), good.url("")];
    let torrent = make_with_web_seeds(&content, &scratch.path().join("a.torrent"), 64 * KIB, &urls);
    let get = Get::new("leecher", scratch.path()).torrent(&torrent).arg("-v");
    let ran = get.run();
    ran.assert_code(0);
    content.assert_same_in(&get.dir);
    let of = |nginx: &mut Nginx, name: &str, status| {
        let all = nginx.requests();
        all.iter().filter(|request| request.line.contains(name) && request.status == status).count()
    };
    assert!(of(&mut bad, "/one", 206) > 0, "what the stale mirror has right is used");
    assert!((1..=2).contains(&of(&mut bad, "/three", 404)), "what it lacks is asked for once");
    assert!(of(&mut good, "/two", 206) > 0 && of(&mut good, "/three", 206) > 0);
}

#[test]
fn the_limit_of_downloads_holds_for_a_web_seed() {
    let scratch = tempfile::tempdir().unwrap();
    let content = Content::one_file("a file.bin", 3 * MIB);
    let file = content.concatenated();
    let server = WebSeed::start(move |asked, stream| send_part(asked, &file, stream));
    let torrent = make_with_web_seeds(&content, &scratch.path().join("a.torrent"), 64 * KIB, &[server.url()]);
    let get = Get::new("leecher", scratch.path()).torrent(&torrent).args(&["--json", "--max-download-rate", "1024"]);
    let ran = get.run();
    ran.assert_code(0);
    content.assert_same_in(&get.dir);
    let seconds = ran.json("complete")["seconds"].as_f64().expect("a number");
    assert!(seconds > 1.9, "3 MiB at 1 MiB a second took {seconds} s");
    assert!(server.asked().len() <= 4, "an answer waits while the limit holds: {} requests", server.asked().len());
}

#[test]
fn the_screen_says_what_is_wrong_with_a_web_seed() {
    let scratch = tempfile::tempdir().unwrap();
    let content = Content::one_file("a file.bin", 100 * KIB);
    let server =
        WebSeed::start(|_, stream| crate::common::web_seed::send(503, "Retry-After: 1000000000\r\n", b"", stream));
    let torrent = make_with_web_seeds(&content, &scratch.path().join("a.torrent"), 16 * KIB, &[server.url()]);
    let get = Get::new("leecher", scratch.path()).torrent(&torrent).args(&["--stop-timeout", "3"]);
    let ran = get.run();
    let shown = format!("no peers; web seed {}: the server returned HTTP status 503, asked again in", server.address);
    let said = ran.stdout.clone() + &ran.stderr;
    assert!(said.contains(&shown), "{said}");
    assert!(said.contains("asked again in 59 min") || said.contains("asked again in 1 h"), "at most an hour: {said}");
    assert_eq!(server.asked().len(), 1);
}
