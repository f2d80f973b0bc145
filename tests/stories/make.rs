//! Stories of `swarmlet make`.

use crate::common::bencode::{int, raw};
use crate::common::content::Content;
use crate::common::ran::{Ran, swarmlet};
use crate::common::swarmlet::Get;
use crate::common::torrent::Torrent;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

const URL: &str = "http://please.dong.ah:6969/announce";

/// `swarmlet make ARGS...`
fn make(dir: &Path, args: &[&str]) -> Ran {
    swarmlet(dir, &[&["make"], args].concat())
}

/// The value at `key` of the torrent `name`, as it is encoded; of `info` if the key begins with `info.`.
fn value(dir: &Path, name: &str, key: &str) -> Option<Vec<u8>> {
    let file = fs::read(dir.join(name)).unwrap();
    match key.strip_prefix("info.") {
        Some(key) => raw(raw(&file, "info").unwrap(), key).map(<[u8]>::to_vec),
        None => raw(&file, key).map(<[u8]>::to_vec),
    }
}

fn text(dir: &Path, name: &str, key: &str) -> String {
    value(dir, name, key).map_or("-".into(), |value| String::from_utf8(value).unwrap())
}

#[test]
fn a_folder_becomes_a_torrent_that_can_be_seeded() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    let content = Content::tree("Aishah");
    content.write_to(dir);
    make(dir, &["Aishah", URL]).code(0);
    assert_eq!(text(dir, "Aishah.torrent", "announce"), format!("{}:{URL}", URL.len()));
    assert_eq!(text(dir, "Aishah.torrent", "announce-list"), "-");
    let torrent = Torrent::read(&dir.join("Aishah.torrent"));
    let get = Get::new("seed", dir).in_dir(dir).torrent(&torrent).arg("--json").run();
    get.assert_code(0);
    assert!(get.stdout.contains("\"downloaded\":0") && get.stdout.contains("\"complete\""), "{}", get.stdout);
}

#[test]
fn every_option_appears_in_the_torrent() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    Content::one_file("a file", 100_000).write_to(dir);
    let options = [
        "-a",
        "http://a.example/a,http://b.example/b",
        "-a",
        "udp://c.example:80",
        "--webseed",
        "http://w.example/a file",
        "--node",
        "[::1]:6881",
        "--node",
        "router.example:6882",
        "--private",
        "--comment",
        "日本 \"x\"",
        "--source",
        "SRC",
        "--created_by",
        "me",
        "--piece_length",
        "32K",
        "--no-date",
        "--output",
        "out.torrent",
        "a file",
    ];
    make(dir, &options).code(0);
    let got = |key: &str| text(dir, "out.torrent", key);
    assert_eq!(got("announce"), "18:http://a.example/a");
    assert_eq!(got("announce-list"), "ll18:http://a.example/a18:http://b.example/bel18:udp://c.example:80ee");
    assert_eq!(got("url-list"), "l23:http://w.example/a filee");
    assert_eq!(got("nodes"), "ll3:::1i6881eel14:router.examplei6882eee");
    assert_eq!(got("comment"), "10:日本 \"x\"");
    assert_eq!(got("created by"), "2:me");
    assert_eq!(got("creation date"), "-");
    assert_eq!((got("info.private"), got("info.source")), ("i1e".into(), "3:SRC".into()));
    assert_eq!((got("info.piece length"), got("info.length")), ("i32768e".into(), "i100000e".into()));
    assert_eq!(got("info.name"), "6:a file");

    make(dir, &["a file"]).code(0);
    let made = value(dir, "a file.torrent", "creation date").as_deref().and_then(int).unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64;
    // A machine's clock may be put right between the two, by many minutes and also backwards.
    assert!((now - made).abs() < 24 * 3600, "{made}, but it is {now}");
    assert!(text(dir, "a file.torrent", "created by").contains("swarmlet/"));
    assert_eq!(text(dir, "a file.torrent", "announce"), "-", "a torrent needs no tracker");
}

#[test]
fn files_can_be_included_excluded_and_aligned() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    Content::folder("f", &[("1.mp3", 20_000), ("2.nfo", 5), ("Extras/3.mp3", 7), (".h.mp3", 1), ("core", 9)])
        .write_to(dir);
    let files = |args: &[&str]| {
        make(dir, &[&["f", "--force"], args].concat()).code(0);
        text_lossy(&value(dir, "f.torrent", "info.files").unwrap())
    };
    let has = |list: &str, names: [bool; 5]| {
        ["1.mp3", "2.nfo", "3.mp3", ".h.mp3", "core"].iter().zip(names).for_each(|(name, there)| {
            assert_eq!(list.contains(&format!(":{name}")), there, "{name} in {list}");
        });
    };
    has(&files(&[]), [true, true, true, false, false]);
    has(&files(&["--exclude", "*.nfo", "--exclude", "Extras"]), [true, false, false, false, false]);
    has(&files(&["--include", "*.mp3", "--exclude", "1*"]), [false, false, true, true, false]);
    let aligned = files(&["--pad", "-l", "16K"]);
    assert!(
        aligned.starts_with("ld6:lengthi20000e4:pathl5:1.mp3eed4:attr1:p6:lengthi12768e4:pathl4:.pad5:12768ee"),
        "{aligned}"
    );
    make(dir, &["f", "--force", "--include", "*.flac"]).refused(66, "f: ");
    make(dir, &["f", "--exclude", "[z-a]"]).refused(64, "--exclude [z-a]: a range");
    symlink("1.mp3", dir.join("f/link")).unwrap();
    make(dir, &["f", "--force"]).refused(66, "f/link: a symbolic link; --follow-symlinks");
    assert!(files(&["--follow-symlinks"]).contains("4:link"));
}

fn text_lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_torrent_goes_where_the_user_says_and_replaces_nothing_without_force() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    Content::one_file("a", 10).write_to(&dir.join("in"));
    Content::one_file("b", 20).write_to(&dir.join("in"));
    fs::create_dir(dir.join("out")).unwrap();

    make(dir, &["in/a"]).code(0);
    let first = fs::read(dir.join("in/a.torrent")).expect("the torrent is beside the content");
    make(dir, &["in/a", "-c", "other"]).refused(73, "--force");
    // The path is checked before the content is read. (`out` holds no content.)
    make(dir, &["out", "-o", "none/a.torrent"]).refused(73, "can't write none/a.torrent: No such file or directory");
    make(dir, &["out", "-o", "in/a/b.torrent"]).refused(73, "can't write in/a/b.torrent: Not a directory");
    assert_eq!(fs::read(dir.join("in/a.torrent")).unwrap(), first);
    make(dir, &["in/a", "-c", "other", "--force"]).code(0);
    assert_ne!(fs::read(dir.join("in/a.torrent")).unwrap(), first);

    make(dir, &["in/a", "in/b"]).refused(64, "in/b: a second path; --each");
    make(dir, &["--each", "in/a", "in/b", "-o", "out"]).code(0);
    assert!(dir.join("out/a.torrent").exists() && dir.join("out/b.torrent").exists());
    make(dir, &["--each", "in/a", "in/none", "in/b", "-o", "out", "-f"]).refused(66, "in/none: No such file");

    let ran = make(dir, &["in/a", "-o", "-", "--no-date"]).code(0);
    assert!(ran.stdout.starts_with(b"d10:created by"), "{}", ran.text());
    make(dir, &["in/b", "-o", "nowhere/b.torrent"]).refused(73, "can't write nowhere/b.torrent: No such file");

    // The torrent file itself does not become content, and no hidden file is left behind.
    make(dir, &["in", "-o", "in/self.torrent"]).code(0);
    let size = fs::metadata(dir.join("in/self.torrent")).unwrap().len();
    make(dir, &["in", "-o", "in/self.torrent", "--force"]).code(0);
    assert_eq!(fs::metadata(dir.join("in/self.torrent")).unwrap().len(), size);
    let hidden = fs::read_dir(dir.join("in"))
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with('.'));
    assert_eq!(hidden.count(), 0);
}

#[test]
fn json_and_magnet_describe_the_new_torrent() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    Content::folder("a b", &[("1", 40_000), ("2", 0)]).write_to(dir);
    let ran = make(dir, &["a b", URL, "--json", "--dry-run"]).code(0);
    assert!(!dir.join("a b.torrent").exists());
    let dry = &ran.objects()[0];
    assert!(dry["path"].is_null());
    let ran = make(dir, &["a b", URL, "--json"]).code(0);
    let made = &ran.objects()[0];
    let torrent = Torrent::read(&dir.join("a b.torrent"));
    let hash: String = torrent.info_hash.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!((made["event"].as_str(), made["path"].as_str()), (Some("made"), Some("a b.torrent")));
    assert_eq!((made["info_hash"].as_str(), dry["info_hash"].as_str()), (Some(hash.as_str()), Some(hash.as_str())));
    assert_eq!(
        (made["size"].as_u64(), made["files"].as_u64(), made["pieces"].as_u64()),
        (Some(40_000), Some(2), Some(3))
    );
    assert_eq!(made["bytes"].as_u64(), fs::metadata(dir.join("a b.torrent")).ok().map(|file| file.len()));
    let link = format!("magnet:?xt=urn:btih:{hash}&dn=a%20b&xl=40000&tr=http%3A%2F%2Fplease.dong.ah%3A6969%2Fannounce");
    assert_eq!(made["magnet"].as_str(), Some(link.as_str()));
    let ran = make(dir, &["a b", URL, "--magnet", "--force", "--quiet"]).code(0);
    assert_eq!((ran.text(), ran.stderr.as_str()), (link + "\n", ""));
}

#[test]
fn a_wrong_command_line_is_refused_before_anything_is_read() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    Content::one_file("a", 10).write_to(dir);
    for (args, words) in [
        (&[][..], "no file or folder given"),
        (&[URL], "no file or folder given"),
        (&["a", "gopher://x/"], "gopher://x/: expected the URL of a tracker (http, https, udp, ws, wss)"),
        (&["a", "-a", "t.example"], "t.example: expected the URL of a tracker"),
        (&["a", "-w", "x"], "x: expected the URL of a web seed (http, https, ftp)"),
        (&["a", "-n", "x"], "--node x: expected HOST:PORT"),
        (&["a", "-l", "100000"], "--piece-length 100000: expected a power of two from 16K to 16M"),
        (&["a", "-t", "0"], "--threads 0: expected a number from 1"),
        (&["a", "-o", "-", "--json"], "the torrent goes to standard output"),
        (&["a", "--magnets"], "unknown option --magnets; did you mean --magnet?"),
    ] {
        make(dir, args).refused(64, words);
    }
    assert!(make(dir, &["--help"]).code(0).text().contains("Examples:"));
    make(dir, &["none"]).refused(66, "none: No such file or directory");
    assert!(!dir.join("a.torrent").exists());
}
