//! Stories of web servers that send what they were not asked for. Each has a second server beside it that does it
//! right: the download is complete, nothing of the bad answers counts, and the memory stays small.

use crate::common::content::Content;
use crate::common::swarmlet::Get;
use crate::common::torrent::make_with_web_seeds;
use crate::common::wait::{PATIENCE, wait_until};
use crate::common::web_seed::{Asked, WebSeed, send, send_part};
use std::fs;
use std::io::{self, Write};
use std::net::TcpStream;
use std::time::Duration;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
/// Megabytes: far more than the process needs, and far less than a server can send in the time.
const MOST_MIB: u64 = 48;

/// Downloads from a server that answers with `answer`, and from one that is right but begins only when the other was
/// asked. `log` is what the log says about the bad one; empty: nothing in particular.
fn beside_a_bad_one(
    log: &str,
    answer: impl Fn(&Asked, &[u8], &mut TcpStream) -> io::Result<bool> + Send + Sync + 'static,
) {
    let scratch = tempfile::tempdir().unwrap();
    let content = Content::one_file("a file.bin", 6 * MIB + 5);
    let file = content.concatenated();
    let bad = {
        let file = file.clone();
        WebSeed::start(move |asked, stream| answer(asked, &file, stream))
    };
    // It is slow, so that the bad one is asked, too.
    let good = WebSeed::start(move |asked, stream| {
        std::thread::sleep(Duration::from_millis(200));
        send_part(asked, &file, stream)
    });
    let urls = [bad.url(), good.url()];
    let torrent = make_with_web_seeds(&content, &scratch.path().join("a.torrent"), 64 * KIB, &urls);
    let get = Get::new("leecher", scratch.path()).torrent(&torrent).args(&["--json", "-v"]);
    let leecher = get.start();
    let status = format!("/proc/{}/status", leecher.id());
    let mut peak = 0;
    wait_until("it is complete", PATIENCE, || {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let kib = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
        peak = kib.unwrap_or(peak);
        leecher.stdout().contains("\"event\":\"stopped\"")
    });
    let ran = leecher.wait();
    ran.assert_code(0);
    content.assert_same_in(&get.dir);
    assert!(!bad.asked().is_empty(), "the bad server was asked");
    assert!(ran.stderr.contains(log), "expected {log:?} in:\n{}", ran.stderr);
    assert!(peak / 1024 < MOST_MIB, "{peak} KiB of memory");
    let all = ran.json("complete");
    let (downloaded, wasted) = (all["downloaded"].as_u64().unwrap(), all["wasted"].as_u64().unwrap());
    assert!(downloaded - wasted <= content.size() && downloaded >= content.size(), "{downloaded}, {wasted} in vain");
}

/// Writes until the client hangs up.
fn endless(head: &str, stream: &mut TcpStream) -> io::Result<bool> {
    stream.write_all(head.as_bytes())?;
    loop {
        stream.write_all(&[7; 64 * KIB])?;
    }
}

#[test]
fn a_server_that_answers_a_range_with_a_file_of_100_gib() {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 100u64 << 30);
    beside_a_bad_one("it sends whole files only", move |_, _, stream| endless(&head, stream));
}

#[test]
fn a_server_that_sends_more_than_it_was_asked_for() {
    beside_a_bad_one("it sends a part of another length", |asked, file, stream| {
        let (first, last) = asked.range();
        let range = format!("Content-Range: bytes {first}-{last}/{}\r\n", file.len());
        endless(&format!("HTTP/1.1 206 Part\r\n{range}Content-Length: {}\r\n\r\n", 100u64 << 30), stream)
    });
}

#[test]
fn a_server_whose_chunks_never_end() {
    // What was asked for is right, and counts. What follows is not read.
    beside_a_bad_one("", |asked, file, stream| {
        let (first, last) = asked.range();
        let range = format!("Content-Range: bytes {first}-{last}/{}\r\n", file.len());
        write!(stream, "HTTP/1.1 206 Part\r\n{range}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n", last - first + 1)?;
        stream.write_all(&file[first..=last])?;
        endless("\r\nfffffffff\r\n", stream)
    });
}

#[test]
fn a_server_that_does_not_say_how_long_its_answer_is() {
    beside_a_bad_one("it does not say how long its answer is", |asked, file, stream| {
        let (first, last) = asked.range();
        endless(&format!("HTTP/1.1 206 Part\r\nContent-Range: bytes {first}-{last}/{}\r\n\r\n", file.len()), stream)
    });
}

#[test]
fn a_server_that_sends_less_than_it_promised() {
    beside_a_bad_one("the server closes the connection too early", |asked, file, stream| {
        let (first, last) = asked.range();
        let length = last - first + 1;
        let head = format!("Content-Range: bytes {first}-{last}/{}\r\nContent-Length: {length}\r\n", file.len());
        stream.write_all(format!("HTTP/1.1 206 Part\r\n{head}\r\n").as_bytes())?;
        stream.write_all(&file[first..first + 1000])?;
        Ok(false)
    });
}

#[test]
fn a_server_that_compresses() {
    beside_a_bad_one("it compresses the file, although it was asked not to", |asked, file, stream| {
        assert_eq!(asked.headers["accept-encoding"], "identity");
        let (first, last) = asked.range();
        let head = format!("Content-Range: bytes {first}-{last}/{}\r\nContent-Encoding: gzip\r\n", file.len());
        send(206, &head, &file[first..=last], stream)
    });
}

#[test]
fn a_server_that_sends_another_part() {
    beside_a_bad_one("it sends another part of the file than it was asked for", |asked, file, stream| {
        let (first, last) = asked.range();
        let length = last - first + 1;
        send(206, &format!("Content-Range: bytes 0-{}/{}\r\n", length, file.len()), &file[..length], stream)
    });
}

#[test]
fn a_server_whose_file_has_another_size() {
    beside_a_bad_one("a file has another size", |asked, file, stream| {
        let (first, last) = asked.range();
        let head = format!("Content-Range: bytes {first}-{last}/{}\r\n", file.len() + 1);
        send(206, &head, &file[first..=last], stream)
    });
}

#[test]
fn a_server_that_sends_a_wrong_byte_in_each_piece() {
    beside_a_bad_one("", |asked, file, stream| {
        let (first, last) = asked.range();
        let mut part = file[first..=last].to_vec();
        part.iter_mut().step_by(64 * KIB).for_each(|byte| *byte ^= 1);
        send(206, &format!("Content-Range: bytes {first}-{last}/{}\r\n", file.len()), &part, stream)
    });
}

#[test]
fn a_server_that_sends_a_byte_a_second() {
    beside_a_bad_one("", |asked, file, stream| {
        let (first, last) = asked.range();
        let head = format!("Content-Range: bytes {first}-{last}/{}\r\n", file.len());
        write!(stream, "HTTP/1.1 206 Part\r\n{head}Content-Length: {}\r\n\r\n", last - first + 1)?;
        for byte in &file[first..=last] {
            stream.write_all(&[*byte])?;
            std::thread::sleep(Duration::from_secs(1));
        }
        Ok(false)
    });
}

#[test]
fn a_server_that_is_silent() {
    beside_a_bad_one("", |_, _, _| {
        std::thread::sleep(PATIENCE);
        Ok(false)
    });
}

#[test]
fn a_server_that_ignores_ranges_may_still_send_small_files() {
    let scratch = tempfile::tempdir().unwrap();
    let content = Content::folder("folder", &[("a", 200 * KIB), ("b", 3 * MIB), ("c", 1), ("d", 900 * KIB)]);
    let files = content.clone();
    let server = WebSeed::start(move |asked, stream| {
        let name = asked.target.rsplit('/').next().unwrap_or_default();
        let file = files.files.iter().find(|(path, _)| path.as_deref() == Some(name));
        let (status, body) = file.map_or((404, &b""[..]), |(_, data)| (200, data));
        send(status, "", body, stream)
    });
    let torrent = make_with_web_seeds(&content, &scratch.path().join("a.torrent"), MIB, &[server.url()]);
    let get = Get::new("leecher", scratch.path()).torrent(&torrent).args(&["--sequential"]);
    let ran = get.run();
    ran.assert_code(0);
    content.assert_same_in(&get.dir);
}
