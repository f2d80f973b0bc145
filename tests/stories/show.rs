//! Stories of `swarmlet show` and `swarmlet link`.

use crate::common::bencode::Value;
use crate::common::content::Content;
use crate::common::libtorrent;
use crate::common::ran::{Ran, swarmlet, with_stdin};
use crate::common::tools::{Tool, here};
use crate::common::torrent::Torrent;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// `swarmlet COMMAND ARGS...`, which must end well.
fn told(dir: &Path, command: &[&str]) -> String {
    let ran = swarmlet(dir, command).code(0);
    assert_eq!(ran.stderr, "");
    ran.text()
}

fn hash(dir: &Path, name: &str) -> String {
    Torrent::read(&dir.join(name)).info_hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A torrent with every key that there can be.
fn rich(dir: &Path) -> String {
    Content::folder("Aishah", &[("1.mp3", 300_000), ("Extras/cover.jpg", 5_000), ("Extras/a/b", 0)]).write_to(dir);
    let make = [
        "make",
        "--quiet",
        "-a",
        "http://a.example/a?k=v,http://b.example/b",
        "-a",
        "udp://c.example:80",
        "-w",
        "http://w.example/",
        "-n",
        "[::1]:6881",
        "-p",
        "-c",
        "first\nsecond\u{1b}[2J",
        "-s",
        "SRC",
        "-l",
        "16K",
        "--pad",
        "Aishah",
    ];
    swarmlet(dir, &make).code(0);
    hash(dir, "Aishah.torrent")
}

#[test]
fn show_prints_everything_in_a_torrent() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    let hash = rich(dir);
    let shown = told(dir, &["show", "Aishah.torrent"]);
    for line in [
        "name       Aishah",
        &format!("info-hash  {hash}"),
        "size       309 KiB, 11.0 KiB of it padding",
        "pieces     20 pieces of 16.0 KiB",
        "content    a folder of 3 files",
        "private    yes: peers come only from the trackers",
        "comment    first\\x0asecond\\x1b[2J",
        "source     SRC",
        "tier 1     http://a.example/a?k=v",
        "           http://b.example/b",
        "tier 2     udp://c.example:80",
        "web seed   http://w.example/",
        "node       [::1]:6881",
        "    298 KiB  Aishah/",
        "    293 KiB    1.mp3",
        "   4.88 KiB    Extras/",
        "        0 B      a/",
        "        0 B        b",
        "   4.88 KiB      cover.jpg",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line:?} is not in\n{shown}");
    }
    assert!(shown.contains("\nby         swarmlet/") && shown.contains("\nmade       20"), "{shown}");
    let bytes = told(dir, &["show", "--bytes", "Aishah.torrent"]);
    assert!(bytes.contains("\n     300000    1.mp3\n"), "{bytes}");
}

#[test]
fn a_script_gets_exactly_what_it_asks_for() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    let hash = rich(dir);
    assert_eq!(told(dir, &["show", "--hash", "Aishah.torrent"]), format!("{hash}\n"));
    let files = "     300000  Aishah/1.mp3\n          0  Aishah/Extras/a/b\n       5000  Aishah/Extras/cover.jpg\n";
    assert_eq!(told(dir, &["show", "--files", "--bytes", "Aishah.torrent"]), files);
    let link = told(dir, &["show", "--magnet", "Aishah.torrent"]);
    assert!(link.starts_with(&format!("magnet:?xt=urn:btih:{hash}&dn=Aishah&xl=")), "{link}");
    assert_eq!(told(dir, &["link", "Aishah.torrent"]), link);
    let torrent = fs::read(dir.join("Aishah.torrent")).unwrap();
    assert_eq!(with_stdin(dir, &["show", "--hash", "-"], &torrent).code(0).text(), format!("{hash}\n"));
    let with_old_name = told(dir, &["show", "--hash", "Aishah.torrent", "Aishah.torrent"]);
    assert_eq!(with_old_name, format!("{hash}\n{hash}\n"));

    let json = swarmlet(dir, &["show", "--json", "Aishah.torrent"]).code(0).objects().remove(0);
    assert_eq!((json["name"].as_str(), json["info_hash"].as_str()), (Some("Aishah"), Some(hash.as_str())));
    assert_eq!(json["trackers"][0][1], "http://b.example/b");
    assert_eq!(
        (json["web_seeds"][0].as_str(), json["nodes"][0].as_str()),
        (Some("http://w.example/"), Some("[::1]:6881"))
    );
    assert_eq!((json["private"].as_bool(), json["comment"].as_str()), (Some(true), Some("first\nsecond\u{1b}[2J")));
    assert_eq!(json["files"][0]["path"], "Aishah/1.mp3");
    assert_eq!((json["files"][2]["padding"].as_bool(), json["files"][2]["size"].as_u64()), (Some(true), Some(11_296)));
    assert!(json["info_hash_v2"].is_null() && json["creation_date"].as_i64().unwrap() > 1_700_000_000);
}

#[test]
fn a_magnet_link_is_explained_and_normalized() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    let link =
        "magnet:?xt=urn:btih:AAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQT&dn=A+b%1b&tr=http%3a%2f%2ft%2f&x.pe=1.2.3.4:5&so=0,4-6";
    let hash = "000102030405060708090a0b0c0d0e0f10111213";
    let better = format!("magnet:?xt=urn:btih:{hash}&dn=A%20b%1B&tr=http%3A%2F%2Ft%2F&x.pe=1.2.3.4%3A5&so=0,4-6");
    let explained = format!(
        "name       A b\\x1b\ninfo-hash  {hash}\ntracker    http://t/\npeer       1.2.3.4:5\n\
         files      only 0,4-6 (counted from 0)\nmagnet     {better}\n"
    );
    assert_eq!(told(dir, &["link", link]), explained);
    assert_eq!(told(dir, &["show", link]), explained);
    assert_eq!(told(dir, &["show", "--hash", link]), format!("{hash}\n"));
    assert_eq!(told(dir, &["show", "--magnet", link]), format!("{better}\n"));
    assert_eq!(with_stdin(dir, &["link", "-"], link.as_bytes()).code(0).text(), explained);
    let json = swarmlet(dir, &["link", "--json", link]).code(0).objects().remove(0);
    assert_eq!((json["select_only"].as_str(), json["trackers"][0][0].as_str()), (Some("0,4-6"), Some("http://t/")));
    assert!(json["size"].is_null());

    Content::one_file("a", 9).write_to(dir);
    swarmlet(dir, &["make", "-q", "a", "http://t/"]).code(0);
    let bare = told(dir, &["link", "--bare", "--peer", "[::1]:2", "--select", "0", "a.torrent"]);
    assert!(
        bare.ends_with("&x.pe=%5B%3A%3A1%5D%3A2&so=0\n") && !bare.contains("&tr=") && !bare.contains("&dn="),
        "{bare}"
    );
    assert_eq!(told(dir, &["show", "--hash", bare.trim()]), told(dir, &["show", "--hash", "a.torrent"]));
}

#[test]
fn an_input_that_cannot_be_shown_gets_a_clear_message() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    let refused = |args: &[&str], code, words| {
        swarmlet(dir, args).refused(code, words);
    };
    refused(&["show"], 64, "no torrent given");
    refused(&["link"], 64, "no torrent given");
    refused(&["show", "--hash", "--json", "x"], 64, "exclude each other");
    refused(&["link", "--select", "x", "a"], 64, "--select 'x': expected numbers");
    refused(&["show", "none"], 66, "none: No such file");
    refused(&["show", "/dev/null"], 65, "/dev/null: empty, expected a .torrent file");
    refused(&["show", "magnet:?dn=x"], 65, "expected xt=urn:btih:HASH");
    refused(&["show", "magnet:?xt=urn:btih:xyz"], 65, "an info-hash of 3 characters");
    refused(&["show", "--files", &format!("magnet:?xt=urn:btih:{}", "0".repeat(40))], 65, "does not list files");
    rich(dir);
    let both: Ran = swarmlet(dir, &["show", "none", "Aishah.torrent"]).refused(66, "none: No such file");
    assert!(both.text().starts_with("name ") && both.text().contains("Aishah"), "{}", both.text());
    refused(&["link", "--select", "0,30", "Aishah.torrent"], 64, "there is no file 30; the last");
    refused(&["link", "--select", "0,x", "Aishah.torrent"], 64, "--select '0,x': expected numbers");
    refused(&["link", "--peer", "foo", "Aishah.torrent"], 64, "--peer 'foo': expected HOST:PORT");
    for command in ["show", "link"] {
        assert!(told(dir, &[command, "--help"]).contains("Examples:"));
    }
}

/// A path of a hundred folders, and a name with control characters for the terminal.
#[test]
fn hostile_names_are_shown_without_harm() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    let deep = (0..100).map(|n| Value::text(&n.to_string())).collect();
    let odd = vec![Value::Bytes(b"\x1b[2J\xff\xe2\x80\xaegpj".to_vec())];
    let file = |path: Vec<Value>| Value::Dict(BTreeMap::from([("length", Value::Int(1)), ("path", Value::List(path))]));
    let info = BTreeMap::from([
        ("files", Value::List(vec![file(deep), file(odd)])),
        ("name", Value::text("n\u{202e}")),
        ("piece length", Value::Int(16384)),
        ("pieces", Value::Bytes(vec![7; 20])),
    ]);
    fs::write(dir.join("t"), Value::Dict(BTreeMap::from([("info", Value::Dict(info))])).encode()).unwrap();
    for args in [&["show", "t"][..], &["show", "--files", "t"], &["show", "--json", "t"]] {
        let shown = told(dir, args);
        assert!(!shown.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{shown:?}");
        assert!(shown.len() < 20_000, "{}", shown.len());
        assert!(args[1] == "--json" || shown.contains("%1B[2J%FF%E2%80%AEgpj"), "{shown}");
    }
    swarmlet(dir, &["show", "--json", "t"]).code(0).objects();
}

#[test]
fn a_hybrid_torrent_has_two_info_hashes() {
    if !here(&[Tool::Libtorrent]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    Content::folder("both", &[("a", 100_000), ("b", 3)]).write_to(dir);
    let output = libtorrent::python().arg("make-hybrid").arg(dir.join("both")).arg(dir.join("both.torrent")).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let theirs = String::from_utf8(output.stdout).unwrap();
    let theirs: Vec<&str> = theirs.split_whitespace().collect();
    let json = swarmlet(dir, &["show", "--json", "both.torrent"]).code(0).objects().remove(0);
    assert_eq!((json["info_hash"].as_str(), json["info_hash_v2"].as_str()), (Some(theirs[0]), Some(theirs[1])));
    let shown = told(dir, &["show", "both.torrent"]);
    assert!(shown.contains(&format!("v2         {}", theirs[1])), "{shown}");
    assert!(shown.contains(&format!("&xt=urn:btmh:1220{}", theirs[1])), "{shown}");
}
