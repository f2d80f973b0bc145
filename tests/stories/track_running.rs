//! Stories of running `swarmlet track`: its options, its files, and its signals.

use crate::common::content::Content;
use crate::common::http::percent_encode;
use crate::common::ports::free_port;
use crate::common::swarmlet::program;
use crate::common::torrent::Maker;
use crate::common::track::{Track, UdpAsker, failure, number, peers, query, udp_announce};
use crate::common::wait::{PATIENCE, wait_until};
use rustix::process::Signal;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

const HASH: [u8; 20] = *b"\x00\xffan info-hash 20 &\x25";
const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;
const KIB: usize = 1024;

fn tracker(scratch: &Path) -> Track {
    Track::on_free_port(scratch).start()
}

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn a_trusted_proxy_and_trust_ip_set_the_address() {
    let scratch = scratch();
    let proxy = Ipv4Addr::new(127, 0, 0, 3);
    let track = Track::on_free_port(scratch.path()).arg("--trusted-proxy=127.0.0.3").arg("--trust-ip").start();
    track.get_from(proxy, &query(HASH, 1001, 0, ""), "X-Forwarded-For: 1.2.3.4, 5.6.7.8\r\n");
    track.get_from(HERE, &query(HASH, 1002, 0, ""), "X-Forwarded-For: 1.2.3.4\r\n");
    track.get(&query(HASH, 1003, 0, "&ip=9.8.7.6"));
    let found = peers(&track.get(&query(HASH, 1004, 5, "")).body);
    assert_eq!(found, [(Ipv4Addr::new(5, 6, 7, 8), 1001), (Ipv4Addr::new(9, 8, 7, 6), 1003), (HERE, 1002)]);
}

/// Even after kill -9 the next tracker uses the last saved state. A damaged state is set aside and reported.
#[test]
fn the_state_survives_the_tracker() {
    let scratch = scratch();
    let dfile = scratch.path().join("dfile");
    let port = free_port();
    let start = || Track::on(port, scratch.path()).arg("--dfile").arg(&dfile).start();
    let track = start();
    track.get(&query(HASH, 1001, 0, ""));
    track.get(&query(HASH, 1002, 0, "&event=completed"));
    assert_eq!(track.end(Signal::TERM), Some(0));
    let track = start();
    let found = track.get(&query(HASH, 1003, 5, "")).body;
    assert_eq!((peers(&found).len(), number(&found, "downloaded")), (2, 1));
    assert_eq!(track.end(Signal::KILL), None);
    // The last saved state is used, and a half-written file beside it is ignored.
    fs::write(scratch.path().join(".swarmlet-1-0.new"), "half").unwrap();
    let track = start();
    assert_eq!(peers(&track.get(&query(HASH, 1004, 5, "")).body).len(), 2);
    drop(track);
    fs::write(&dfile, "d6:swarmsd").unwrap();
    let track = start();
    // It listens before it reads its state, so a reply comes first.
    assert_eq!(peers(&track.get(&query(HASH, 1004, 5, "")).body).len(), 0);
    assert!(track.stderr().contains("damaged"), "{}", track.stderr());
    assert!(scratch.path().join("dfile.damaged").exists());
    // Nothing of a damaged state is used, even if its beginning is valid.
    for port in 1..=5 {
        track.get(&query([b'a'; 20], port, 0, ""));
        track.get(&query([b'b'; 20], port, 0, ""));
    }
    assert_eq!(track.end(Signal::TERM), Some(0));
    let saved = fs::read(&dfile).unwrap();
    let at = saved.windows(20).position(|part| part == [b'b'; 20]).unwrap();
    // The count of completed downloads is missing: `d1:c` is `d1:b`.
    fs::write(&dfile, [&saved[..at + 23], b"b", &saved[at + 24..]].concat()).unwrap();
    let track = start();
    assert!(peers(&track.get(&query([b'a'; 20], 1006, 5, "")).body).is_empty());
    assert!(track.stderr().contains("the tracker starts empty"), "{}", track.stderr());
}

#[test]
fn each_announce_is_a_line_of_the_log_and_hup_reopens_it() {
    let scratch = scratch();
    let log = scratch.path().join("track.log");
    let mut track = Track::on_free_port(scratch.path()).arg("--logfile").arg(&log).start();
    track.get_from(HERE, &query(HASH, 1001, 0, ""), "User-Agent: \"me\"\r\n");
    let text = fs::read_to_string(&log).unwrap();
    let line = text.lines().last().unwrap();
    assert!(line.starts_with("127.0.0.1 - - [") && line.contains(" +0000] \"GET /announce?info_hash=%00%ff"), "{line}");
    assert!(line.contains("HTTP/1.0\" 200 ") && line.ends_with("\"-\" \"%22me%22\""), "{line}");
    fs::rename(&log, scratch.path().join("track.log.1")).unwrap();
    track.signal(Signal::HUP);
    wait_until("the log is open again", PATIENCE, || log.exists());
    let asker = UdpAsker::new(HERE.into(), track.port);
    asker.ask(&udp_announce(asker.connect(), HASH, 1002, 5, 9)).unwrap();
    let text = fs::read_to_string(&log).unwrap();
    assert!(text.contains("\"UDP ") && text.contains("port=1002"), "{text}");
}

/// They can be downloaded, and the page shows their names as text.
#[test]
fn only_torrents_in_the_folder_are_tracked() {
    let scratch = scratch();
    let folder = scratch.path().join("torrents");
    fs::create_dir(&folder).unwrap();
    let mut track = Track::on_free_port(scratch.path()).arg("--allowed_dir").arg(&folder).start();
    assert!(failure(&track.get(&query(HASH, 1001, 0, "")).body).contains("not tracked here"));
    let content = Content::one_file("<script>alert(1)<script> & co.bin", 100 * KIB);
    let torrent = Maker::Ours.make(&content, &scratch.path().join("source"), 32 * KIB, &track.url());
    let bytes = fs::read(&torrent.file).unwrap();
    fs::copy(&torrent.file, folder.join("my file.torrent")).unwrap();
    fs::write(folder.join("broken.torrent"), "hello").unwrap();
    fs::write(folder.join("secret.txt"), "hello").unwrap();
    track.signal(Signal::HUP);
    wait_until("the folder is read again", PATIENCE, || {
        !String::from_utf8_lossy(&track.get(&query(torrent.info_hash, 1001, 0, "")).body).contains("failure")
    });
    assert!(track.get("/torrents/my%20file.torrent").body == bytes, "the file by its name");
    assert!(track.get(&format!("/file?info_hash={}", percent_encode(&torrent.info_hash))).body == bytes, "by its hash");
    for path in ["secret.txt", "broken.torrent", "../torrents/my%20file.torrent", "..%2fdfile", "%2fetc%2fpasswd", ""] {
        assert!(track.get(&format!("/torrents/{path}")).head.starts_with("HTTP/1.1 404"), "{path}");
    }
    let answer = track.get("/");
    let page = String::from_utf8(answer.body.clone()).unwrap();
    assert!(page.contains("&lt;script&gt;alert(1)") && !page.contains("<script"), "{page}");
    let policy = answer.header("Content-Security-Policy").expect("a policy");
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert!(page.contains("magnet:?xt=urn:btih:") && page.contains("<svg"), "{page}");
    let stats: serde_json::Value = serde_json::from_slice(&track.get("/stats.json").body).unwrap();
    assert_eq!(stats["torrents"][0]["name"], content.name.as_str());
    assert!(String::from_utf8_lossy(&track.get("/metrics").body).contains("swarmlet_tracker_peers 1\n"));
    // A torrent that is removed from the folder is not tracked any more.
    fs::remove_file(folder.join("my file.torrent")).unwrap();
    track.signal(Signal::HUP);
    wait_until("it is not tracked any more", PATIENCE, || {
        String::from_utf8_lossy(&track.get(&query(torrent.info_hash, 1001, 0, "")).body).contains("not tracked")
    });
}

#[test]
fn with_passkeys_only_announces_with_a_known_one_are_accepted() {
    let scratch = scratch();
    let file = scratch.path().join("passkeys");
    fs::write(&file, "# ours\nabcdef0123\n").unwrap();
    let track = Track::on_free_port(scratch.path()).arg("--passkeys").arg(&file).arg("--no-page").start();
    let at = |prefix: &str| track.get(&format!("{prefix}{}", query(HASH, 1001, 0, ""))).body;
    assert!(failure(&at("")).contains("passkey") && failure(&at("/guess")).contains("unknown passkey"));
    assert_eq!(number(&at("/abcdef0123"), "complete"), 1);
    assert!(failure(&track.get("/scrape?info_hash=aaaaaaaaaaaaaaaaaaaa").body).contains("passkey"));
    assert!(track.get("/").head.starts_with("HTTP/1.1 404") && track.get("/stats.json").head.contains("404"));
    // BEP 41: over UDP it follows the announce.
    let asker = UdpAsker::new(HERE.into(), track.port);
    let packet = udp_announce(asker.connect(), HASH, 1002, 5, 9);
    assert!(String::from_utf8_lossy(&asker.ask(&packet).unwrap()[8..]).contains("passkey"));
    let with = [&packet[..], &[2, 20], b"/abcdef0123/announce"].concat();
    assert_eq!(asker.ask(&with).unwrap()[..4], [0, 0, 0, 1]);
}

#[test]
fn options_set_the_intervals_and_the_number_of_peers() {
    let scratch = scratch();
    let options = ["--interval=120", "--min_interval", "45", "--response-size=3", "--no-page", "--stats-json"];
    let track =
        options.into_iter().fold(Track::on_free_port(scratch.path()), |start, option| start.arg(option)).start();
    for port in 1..=10 {
        track.get(&query(HASH, port, 0, ""));
    }
    let reply = track.get(&query(HASH, 99, 5, "")).body;
    assert_eq!((number(&reply, "interval"), number(&reply, "min interval"), peers(&reply).len()), (120, 45, 3));
    assert_eq!(peers(&track.get(&query(HASH, 99, 5, "&numwant=7")).body).len(), 7);
    let asker = UdpAsker::new(HERE.into(), track.port);
    let reply = asker.ask(&udp_announce(asker.connect(), HASH, 99, 5, -1)).unwrap();
    assert_eq!((&reply[8..12], reply.len()), (&[0, 0, 0, 120][..], 20 + 3 * 6));
    // The figures are there without the page.
    assert!(track.get("/").head.starts_with("HTTP/1.1 404"));
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&track.get("/stats.json").body).unwrap()["peers"], 11);
}

#[test]
fn with_the_nat_check_only_reachable_peers_are_given_to_others() {
    let scratch = scratch();
    let track = Track::on_free_port(scratch.path()).arg("--nat-check").start();
    let open = TcpListener::bind((HERE, 0)).unwrap();
    let port = open.local_addr().unwrap().port();
    let closed = free_port();
    track.get(&query(HASH, closed, 0, ""));
    track.get(&query(HASH, port, 0, ""));
    open.accept().expect("the tracker connects");
    // Another peer id at the same address, or a new start, does not reveal it.
    track.get(&query(HASH, closed, 0, "&peer_id=AAAAAAAAAAAAAAAAAAAA"));
    track.get(&query(HASH, closed, 0, "&peer_id=BBBBBBBBBBBBBBBBBBBB&event=stopped"));
    track.get(&query(HASH, closed, 0, "&peer_id=BBBBBBBBBBBBBBBBBBBB&key=7&event=started"));
    track.get(&query(HASH, closed, 0, "&peer_id=CCCCCCCCCCCCCCCCCCCC&event=completed"));
    let asker = free_port();
    wait_until("the reachable peer is given to others", PATIENCE, || {
        let found = peers(&track.get(&query(HASH, asker, 5, "")).body);
        assert!(!found.contains(&(HERE, closed)));
        found == [(HERE, port)]
    });
}

/// The line of the tutorial, and the same swarm after a restart.
#[test]
fn the_old_name_accepts_the_old_options() {
    let scratch = scratch();
    let old = scratch.path().join("bttrack.py");
    symlink(program(), &old).unwrap();
    let port = free_port();
    let start = || {
        let mut command = Command::new(&old);
        command.current_dir(scratch.path()).args(["--dfile", "dfile.log", "--logfile", "track.log"]);
        command.args(["--port", &port.to_string(), "--reannounce_interval", "600", "--nat_check", "0"]);
        Track::by(command, port, scratch.path()).arg("--show_names").arg("1").start()
    };
    let track = start();
    assert!(track.stderr().contains("--show-names"), "{}", track.stderr());
    assert_eq!(number(&track.get(&query(HASH, 1001, 0, "")).body, "interval"), 600);
    assert_eq!(track.end(Signal::INT), Some(0));
    let track = start();
    assert_eq!(peers(&track.get(&query(HASH, 1002, 5, "")).body), [(HERE, 1001)]);
    assert!(scratch.path().join("track.log").exists());
}

#[test]
fn a_state_file_that_cannot_be_saved_is_refused_at_the_start() {
    let scratch = scratch();
    let dfile = scratch.path().join("no folder/dfile");
    let track = Command::new(program()).args(["track", "--port", "0", "--dfile"]).arg(&dfile).output().unwrap();
    let said = String::from_utf8_lossy(&track.stderr);
    assert_eq!(track.status.code(), Some(73), "{said}");
    assert!(said.contains("no folder/dfile"), "{said}");
}

#[test]
fn a_port_in_use_is_reported() {
    let scratch = scratch();
    let track = tracker(scratch.path());
    let other = Command::new(program()).args(["track", "--port", &track.port.to_string()]).output().unwrap();
    assert_eq!(other.status.code(), Some(69));
    let said = String::from_utf8_lossy(&other.stderr);
    assert!(said.contains(&track.port.to_string()) && said.contains("in use"), "{said}");
}
