//! Stories of `swarmlet check`.

use crate::common::content::{Content, damage};
use crate::common::ran::{Ran, swarmlet};
use std::fs::{self, File};
use std::path::Path;

fn check(dir: &Path, args: &[&str]) -> Ran {
    swarmlet(dir, &[&["check"], args].concat())
}

/// A folder of five files in pieces of 16 KiB, and its torrent beside it.
fn a_folder(dir: &Path) {
    let files = [("1", 100_000), ("2", 50_000), ("3", 0), ("4", 70_000), ("5/6", 5_000)];
    Content::folder("f", &files).write_to(dir);
    swarmlet(dir, &["make", "--quiet", "-l", "16K", "f"]).code(0);
}

#[test]
fn whole_content_is_reported_as_whole() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    a_folder(dir);
    let ran = check(dir, &["f.torrent"]).code(0);
    let files = ["1", "2", "3", "4", "5/6"].map(|name| format!("whole       f/{name}\n")).concat();
    assert_eq!((ran.text(), ran.stderr.as_str()), (files + "f: whole\n", ""));
    assert_eq!(check(dir, &["f.torrent", "--quiet"]).code(0).text(), "");
    assert_eq!(
        check(Path::new("/"), &["--dir", dir.to_str().unwrap(), dir.join("f.torrent").to_str().unwrap(), "-q"])
            .code(0)
            .text(),
        ""
    );
}

#[test]
fn damaged_content_is_reported_with_its_pieces_and_bytes() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    a_folder(dir);
    damage(&dir.join("f/1"), 20_000, 1);
    damage(&dir.join("f/1"), 40_000, 1);
    File::options().write(true).open(dir.join("f/2")).unwrap().set_len(40_000).unwrap();
    fs::remove_file(dir.join("f/3")).unwrap();
    fs::write(dir.join("f/5/6"), [fs::read(dir.join("f/5/6")).unwrap(), b"more".to_vec()].concat()).unwrap();
    let ran = check(dir, &["f.torrent"]).code(1);
    // File 1 is bytes 0 to 99,999 of the torrent, file 2 ends at 149,999, and file 4 at 219,999. A piece has 16,384
    // bytes.
    let told = "\
damaged     f/1  pieces 1-2 (bytes 16384-49151)
damaged     f/2  40000 bytes, expected 50000  pieces 8-9 (bytes 31072-49999)
missing     f/3
unproven    f/4  piece 9 (bytes 0-13839)
too long    f/5/6  5004 bytes, expected 5000
f: 0 of 5 files whole; 70.8 %, 156 of 220 KiB
";
    assert_eq!(ran.text(), told);
    let json = check(dir, &["--json", "f.torrent"]).code(1).objects().remove(0);
    assert_eq!(
        (json["event"].as_str(), json["whole"].as_bool(), json["had"].as_u64()),
        (Some("checked"), Some(false), Some(159_464))
    );
    assert_eq!(json["files"][1]["state"], "damaged");
    assert_eq!(
        (&json["files"][1]["pieces"], &json["files"][1]["bytes"]),
        (&serde_json::json!([[8, 9]]), &serde_json::json!([[31072, 49999]]))
    );
    assert!(json["files"][2]["found"].is_null() && json["files"][1]["found"] == 40_000);

    let nothing = check(dir, &["--dir", "/proc/self/fdinfo", "f.torrent"]).code(1);
    assert!(
        nothing.stderr.contains("no file of f was found in /proc/self/fdinfo; --dir names the folder that contains f"),
        "{}",
        nothing.stderr
    );
}

#[test]
fn several_torrents_are_checked_and_a_missing_one_is_reported() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    a_folder(dir);
    Content::one_file("g", 1).write_to(dir);
    swarmlet(dir, &["make", "-q", "g"]).code(0);
    assert_eq!(check(dir, &["-q", "f.torrent", "g.torrent"]).code(0).text(), "");
    damage(&dir.join("g"), 0, 1);
    let ran = check(dir, &["-q", "g.torrent", "f.torrent"]).code(1);
    assert_eq!(ran.text(), "damaged     g  piece 0 (bytes 0-0)\ng: 0 of 1 file whole; 0.0 %, 0 of 1 B\n");
    check(dir, &["-q", "none.torrent", "g.torrent"]).refused(66, "none.torrent: No such file");
    check(dir, &["g.torrent", "--dir", "none"]).refused(66, "none: no such folder");
    check(dir, &[]).refused(64, "no torrent given");
    assert!(check(dir, &["--help"]).code(0).text().contains("Examples:"));
    // A check creates and changes nothing.
    fs::remove_dir_all(dir.join("f")).unwrap();
    check(dir, &["f.torrent"]).code(1);
    assert!(!dir.join("f").exists());
}
