//! Stories of `swarmlet edit`, and of the programs of 2004 with their old names.

use crate::common::bencode::raw;
use crate::common::content::Content;
use crate::common::ran::{Ran, run, swarmlet, with_stdin};
use crate::common::swarmlet::program;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

/// A torrent by another program: keys that are unknown to us, some of them unsorted, also in `info`.
const ODD: &[u8] = b"d8:announce9:http://a/13:announce-listll9:http://a/el9:http://b/ee7:comment3:old13:comment.utf-83:old\
    3:zzzli1e1:xe10:created by1:x4:infod6:lengthi1e4:name1:n3:odd2:xx12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaa\
    5:extrai-7eee";

fn edit(dir: &Path, args: &[&str]) -> Ran {
    swarmlet(dir, &[&["edit"], args].concat())
}

fn key(dir: &Path, name: &str, key: &str) -> String {
    let file = fs::read(dir.join(name)).unwrap();
    raw(&file, key).map_or("-".into(), |value| String::from_utf8_lossy(value).into_owned())
}

fn odd(dir: &Path) {
    fs::write(dir.join("t"), ODD).unwrap();
}

#[test]
fn everything_that_is_not_edited_stays_byte_for_byte() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    odd(dir);
    let info = key(dir, "t", "info");
    edit(dir, &["--comment", "new", "t"]).code(0);
    let expected =
        String::from_utf8(ODD.to_vec()).unwrap().replace("7:comment3:old13:comment.utf-83:old", "7:comment3:new");
    assert_eq!(fs::read_to_string(dir.join("t")).unwrap(), expected);
    let told =
        edit(dir, &["-a", "http://c/,http://d/", "-a", "udp://e:1", "--webseed", "http://w/", "t"]).code(0).stderr;
    // The message uses the file name that the user gave.
    assert!(told.starts_with("t: ") && told.contains("announce, announce-list, url-list"), "{told}");
    assert_eq!(key(dir, "t", "announce"), "9:http://c/");
    assert_eq!(key(dir, "t", "announce-list"), "ll9:http://c/9:http://d/el9:udp://e:1ee");
    assert_eq!(key(dir, "t", "url-list"), "l9:http://w/e");
    edit(dir, &["--add-announce", "http://f/", "--no-webseed", "t"]).code(0);
    assert_eq!(key(dir, "t", "announce-list"), "ll9:http://c/9:http://d/el9:udp://e:1el9:http://f/ee");
    assert_eq!(key(dir, "t", "url-list"), "-");
    // One tracker needs no list, and clients would use the list instead of it.
    edit(dir, &["-a", "http://g/", "t"]).code(0);
    assert_eq!((key(dir, "t", "announce").as_str(), key(dir, "t", "announce-list").as_str()), ("9:http://g/", "-"));
    edit(dir, &["--no-announce", "--comment", "", "t"]).code(0);
    assert_eq!((key(dir, "t", "announce").as_str(), key(dir, "t", "comment").as_str()), ("-", "-"));
    assert_eq!((key(dir, "t", "info"), key(dir, "t", "zzz").as_str()), (info, "li1e1:xe"));
    assert!(edit(dir, &["--no-announce", "t"]).code(0).stderr.contains("t: nothing changed"));
}

#[test]
fn the_info_hash_changes_only_with_rehash() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    odd(dir);
    for args in [&["--private", "t"][..], &["--name", "x", "t"], &["--source", "S", "t"], &["--no-private", "t"]] {
        edit(dir, args).refused(64, "--rehash");
    }
    assert_eq!(fs::read(dir.join("t")).unwrap(), ODD);
    let ran = edit(dir, &["--rehash", "--private", "--name", "new", "--source", "S", "--json", "t"]).code(0);
    let told = &ran.objects()[0];
    assert_eq!(told["changed"], serde_json::json!(["info.name", "info.private", "info.source"]));
    assert_ne!(told["info_hash"], told["info_hash_before"]);
    // The odd order of keys and the unknown keys stay here too.
    let info = "d6:lengthi1e4:name3:new3:odd2:xx12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaa\
        5:extrai-7e7:privatei1e6:source1:Se";
    assert_eq!(key(dir, "t", "info"), info);
    edit(dir, &["--rehash", "--name", "a/b", "t"]).refused(64, "--name a/b: a name with a / in it");
    edit(dir, &["--rehash", "--name", "", "t"]).refused(64, "an empty name");
}

#[test]
fn a_torrent_is_written_whole_or_not_at_all() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    odd(dir);
    fs::create_dir(dir.join("sub")).unwrap();
    symlink("../t", dir.join("sub/link")).unwrap();
    let told = edit(dir, &["--comment", "x", "--json", "sub/link"]).code(0).objects().remove(0);
    assert_eq!(told["path"], "sub/link");
    assert!(fs::symlink_metadata(dir.join("sub/link")).unwrap().is_symlink());
    assert_eq!(key(dir, "t", "comment"), "1:x");
    odd(dir);
    edit(dir, &["--comment", "y", "t", "-o", "new"]).code(0);
    assert_eq!((key(dir, "t", "comment").as_str(), key(dir, "new", "comment").as_str()), ("3:old", "1:y"));
    edit(dir, &["--comment", "z", "t", "-o", "new"]).refused(73, "--force");
    let ran = with_stdin(dir, &["edit", "--comment", "z", "-"], ODD).code(0);
    assert!(ran.text().contains("7:comment1:z"));
    fs::write(dir.join("bad"), b"d4:infoe").unwrap();
    let ran =
        edit(dir, &["--comment", "z", "bad", "none", "t"]).refused(65, "bad: damaged, or not a .torrent file: byte 7");
    assert!(ran.stderr.contains("none: No such file"), "{}", ran.stderr);
    assert_eq!(
        (fs::read(dir.join("bad")).unwrap().as_slice(), key(dir, "t", "comment").as_str()),
        (&b"d4:infoe"[..], "1:z")
    );
    for (args, words) in [
        (&["t"][..], "no change given"),
        (&["--comment", "x"], "no torrent given"),
        (&["--announce", "x", "t"], "x: expected the URL of a tracker"),
        (&["--announce", "http://a/", "--no-announce", "t"], "contradict each other"),
        (&["--comment", "x", "-o", "y", "t", "new"], "--output takes one torrent"),
    ] {
        edit(dir, args).refused(64, words);
    }
    assert!(edit(dir, &["--help"]).code(0).text().contains("Examples:"));
    let left: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with('.')), "{left:?}");
}

/// Runs our program with another name.
fn as_old(dir: &Path, name: &str, args: &[&str]) -> Ran {
    let bin = dir.join("bin");
    fs::create_dir_all(&bin).unwrap();
    if !bin.join(name).exists() {
        symlink(program(), bin.join(name)).unwrap();
    }
    run(Command::new(bin.join(name)).args(args).current_dir(dir), b"")
}

#[test]
fn the_programs_of_2004_do_what_they_did() {
    const URL: &str = "http://please.dong.ah:6969/announce";
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    Content::folder("Aishah", &[("1.mp3", 100_000), ("CVS/Root", 1), ("core", 2)]).write_to(dir);
    as_old(dir, "btmakemetafile.py", &["Aishah", URL]).code(0);
    assert_eq!(key(dir, "Aishah.torrent", "announce"), format!("35:{URL}"));
    assert!(!key(dir, "Aishah.torrent", "info").contains("core"));
    // In later versions the URL came first, and an existing torrent was replaced.
    as_old(dir, "btmakemetafile", &[URL, "Aishah", "--comment", "x", "--piece_size_pow2", "15"]).code(0);
    assert!(key(dir, "Aishah.torrent", "info").contains("12:piece lengthi32768e"));

    Content::one_file("a", 5).write_to(&dir.join("all"));
    Content::folder("b", &[("c", 5)]).write_to(&dir.join("all"));
    fs::write(dir.join("all/a.torrent"), "mine").unwrap();
    as_old(dir, "btcompletedir.py", &["all", URL]).code(0);
    assert_eq!(fs::read_to_string(dir.join("all/a.torrent")).unwrap(), "mine");
    assert_eq!(key(dir, "all/b.torrent", "announce"), format!("35:{URL}"));

    assert!(as_old(dir, "btshowmetainfo.py", &["Aishah.torrent"]).code(0).text().contains("name       Aishah\n"));
    as_old(dir, "btreannounce.py", &["http://new/", "Aishah.torrent", "all/b.torrent"]).code(0);
    assert_eq!(key(dir, "Aishah.torrent", "announce"), "11:http://new/");
    assert_eq!(key(dir, "all/b.torrent", "announce"), "11:http://new/");
    as_old(dir, "btrename", &["Aishah.torrent", "Siti"]).code(0);
    assert!(key(dir, "Aishah.torrent", "info").contains("4:name4:Siti"));
}
