//! Stories of inputs in the forms in which other people's tools and servers give them: each is used, or refused in
//! words.

use crate::common::content::Content;
use crate::common::http::Server;
use crate::common::ran::{Ran, run, swarmlet, with_stdin};
use crate::common::swarmlet::program;
use crate::common::torrent::Maker;
use std::fs;
use std::io::Write;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, Stdio};

const LINK: &str = "MAGNET:?xt=urn:BTIH:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA&dn=a+name";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut command = Command::new("gzip");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("gzip is on every Linux");
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    child.wait_with_output().unwrap().stdout
}

/// A good torrent of "file" in `dir`, where the content is too.
fn torrent(dir: &Path) -> Vec<u8> {
    let content = Content::one_file("file", 50_000);
    let made = Maker::Ours.make(&content, dir, 16 * 1024, "http://127.0.0.1:9/announce");
    fs::read(made.file).unwrap()
}

/// What may arrive in place of a torrent, and the message by which it is refused; `None`: it is used.
fn forms(torrent: &[u8]) -> Vec<(&'static str, Vec<u8>, Option<&'static str>)> {
    let utf16: Vec<u8> = [0xfeff].into_iter().chain("d8:announce".encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let mut cut = gzip(torrent);
    cut.truncate(100);
    let bomb = gzip(&vec![b' '; 50 << 20]);
    vec![
        ("plain", torrent.into(), None),
        ("compressed", gzip(torrent), None),
        ("with a byte order mark", [b"\xef\xbb\xbf", torrent].concat(), None),
        ("between line ends", [b"\r\n", torrent, b"\r\n"].concat(), None),
        ("with a signature after it", [torrent, b"-----BEGIN"].concat(), None),
        ("a page", b"\xef\xbb\xbf\n<!DOCTYPE html>".to_vec(), Some("a web page, expected a .torrent file")),
        ("an archive", b"PK\x03\x04rest".to_vec(), Some("a ZIP archive, expected a .torrent file")),
        ("text in UTF-16", utf16, Some("text in UTF-16, expected a .torrent file")),
        ("cut", cut, Some("compressed (gzip), and damaged or larger than 48.0 MiB")),
        ("a bomb", bomb, Some("compressed (gzip), and damaged or larger than 48.0 MiB")),
        ("a link", LINK.into(), Some("a magnet link, which does not say what the torrent contains")),
        ("nothing", vec![], Some("empty, expected a .torrent file")),
        ("text", b"Not found".to_vec(), Some("not a .torrent file")),
    ]
}

fn judge(what: &str, ran: Ran, words: Option<&str>) {
    match words {
        None => assert!(ran.code(0).text().contains("file: whole"), "{what}"),
        Some(words) => drop(ran.refused(65, words)),
    }
}

#[test]
fn a_torrent_is_used_in_every_form_in_which_it_comes() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("here");
    for (what, bytes, words) in forms(&torrent(&dir)) {
        fs::write(dir.join(what), &bytes).unwrap();
        judge(what, swarmlet(&dir, &["check", what]), words);
        judge(what, with_stdin(&dir, &["check", "-"], &bytes), words);
        let server = Server::start(Ipv4Addr::LOCALHOST.into(), move |_, _| Some(bytes.clone()));
        for scheme in ["http", "HTTP"] {
            judge(
                what,
                swarmlet(&dir, &["check", &format!("{scheme}://{}/a?passkey=secret", server.address())]),
                words,
            );
        }
    }
    // Many sites of torrents answer like this.
    let server = Server::raw((Ipv4Addr::LOCALHOST, 0).into(), |_, stream| {
        write!(stream, "HTTP/1.1 302 Found\r\nLocation: {LINK}\r\nContent-Length: 0\r\n\r\n")
    });
    let ran = swarmlet(&dir, &["check", &format!("http://{}/download/1", server.address())]);
    let ran = ran.refused(65, "a magnet link, which does not say what the torrent contains");
    assert!(!ran.stderr.contains("a+name"), "{}", ran.stderr);
    // A link on the command line, in any case.
    swarmlet(&dir, &["check", LINK]).refused(64, "which does not say what the torrent contains");
    assert!(swarmlet(&dir, &["show", LINK]).code(0).text().contains("a name"));
}

#[test]
fn a_torrent_can_be_made_again_byte_for_byte() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    Content::one_file("file", 50_000).write_to(dir);
    let make = |date: &str, options: &[&str]| {
        run(
            Command::new(program())
                .env("SOURCE_DATE_EPOCH", date)
                .arg("make")
                .args(options)
                .arg("file")
                .current_dir(dir),
            b"",
        )
    };
    for name in ["one", "two"] {
        make("1098349500", &["-o", name]).code(0);
    }
    let [one, two] = ["one", "two"].map(|name| fs::read(dir.join(name)).unwrap());
    assert!(one == two && one.windows(14).any(|part| part == b"datei109834950"), "{}", one.escape_ascii());
    make("1098349500", &["-o", "none", "--no-date"]).code(0);
    assert!(!String::from_utf8_lossy(&fs::read(dir.join("none")).unwrap()).contains("creation date"));
    for wrong in ["", "now", "-1", "1.5", "99999999999"] {
        make(wrong, &["-o", "wrong"]).refused(64, "SOURCE_DATE_EPOCH in the environment is not a number of seconds");
    }
    assert!(!dir.join("wrong").exists());
}
