//! Stories of web seeds that redirect, and of passwords in their URLs.

use crate::common::content::Content;
use crate::common::hosts::is_told_inside;
use crate::common::swarmlet::Get;
use crate::common::torrent::make_with_web_seeds;
use crate::common::web_seed::{WebSeed, send, send_part};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

const KIB: usize = 1024;

/// An address that stands for the internet (RFC 5737).
const OUTSIDE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 7);

/// A small file, and its bytes.
fn content() -> (Content, Vec<u8>) {
    let content = Content::one_file("a file.bin", 10 * 1024 * KIB);
    let bytes = content.concatenated();
    (content, bytes)
}

fn get(scratch: &Path, content: &Content, url: &str) -> Get {
    let torrent = make_with_web_seeds(content, &scratch.join("a.torrent"), 64 * KIB, &[url.to_string()]);
    Get::new("leecher", scratch).torrent(&torrent).args(&["-vvv", "--stop-timeout", "4"])
}

#[test]
fn a_redirect_is_followed_once_for_each_file_and_takes_no_password_along() {
    let scratch = tempfile::tempdir().unwrap();
    let (content, file) = content();
    let mirror = WebSeed::start(move |asked, stream| send_part(asked, &file, stream));
    let to = format!("Location: {}mirrored\r\n", mirror.url());
    let front = WebSeed::start(move |asked, stream| match asked.target.as_str() {
        "/a%20file.bin" => send(302, "Location: /second\r\n", b"", stream),
        _ => send(307, &to, b"moved", stream),
    });
    let url = front.url().replace("://", "://user:Tr0ub4dor@");
    let get = get(scratch.path(), &content, &url);
    let ran = get.run();
    ran.assert_code(0);
    content.assert_same_in(&get.dir);
    let targets: Vec<String> = front.asked().into_iter().map(|asked| asked.target).collect();
    assert_eq!(targets, ["/a%20file.bin", "/second"], "the rest of the file is asked of the mirror at once");
    assert!(mirror.asked().len() >= 3, "{} requests", mirror.asked().len());
    let told = |asked: &crate::common::web_seed::Asked| asked.headers.contains_key("authorization");
    assert!(front.asked().iter().all(told), "the password is for its own server");
    assert!(!mirror.asked().iter().any(told), "and for no other");
    let said = ran.stdout.clone() + &ran.stderr;
    assert!(!said.contains("Tr0ub4dor") && !said.contains("mirrored"), "neither password nor path is logged: {said}");
}

#[test]
fn redirects_that_go_round_in_circles_or_to_other_schemes_are_given_up() {
    for (to, why) in [("/again", "too many redirects"), ("file:///etc/passwd", "the URL is neither http nor https")] {
        let scratch = tempfile::tempdir().unwrap();
        let (content, _) = content();
        let server = WebSeed::start(move |_, stream| send(302, &format!("Location: {to}\r\n"), b"", stream));
        let ran = get(scratch.path(), &content, &server.url()).run();
        assert!(ran.stderr.contains(why), "{}", ran.stderr);
        assert!(server.asked().len() <= 6, "{} requests", server.asked().len());
    }
}

#[test]
fn no_server_on_the_internet_leads_into_the_local_network() {
    if is_told_inside("web_seeds_redirects::no_server_on_the_internet_leads_into_the_local_network") {
        return;
    }
    let added = Command::new("ip").args(["addr", "add", &format!("{OUTSIDE}/32"), "dev", "lo"]).status();
    assert!(added.is_ok_and(|status| status.success()), "the story has a network of its own");
    let (content, file) = content();
    let router = WebSeed::start(move |asked, stream| send_part(asked, &file, stream));
    let port = router.address.port();
    let refused = "it redirects into the local network, which is refused";
    for to in [
        format!("http://127.0.0.1:{port}/"),
        format!("http://localhost:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        format!("http://0.0.0.0:{port}/"),
        format!("http://2130706433:{port}/"),
        "http://192.168.1.1/".to_string(),
        "http://169.254.169.254/latest/meta-data".to_string(),
    ] {
        let scratch = tempfile::tempdir().unwrap();
        let location = format!("Location: {to}\r\n");
        let server = WebSeed::on(OUTSIDE.into(), move |_, stream| send(302, &location, b"", stream));
        let ran = get(scratch.path(), &content, &server.url()).run();
        assert!(ran.stderr.contains(refused), "{to}: {}", ran.stderr);
    }
    assert_eq!(router.asked().len(), 0, "nothing reached it");
    // From the local network it may: people have such servers.
    let scratch = tempfile::tempdir().unwrap();
    let location = format!("Location: http://localhost:{port}/\r\n");
    let server = WebSeed::start(move |_, stream| send(302, &location, b"", stream));
    let ran = get(scratch.path(), &content, &server.url()).run();
    ran.assert_code(0);
}
