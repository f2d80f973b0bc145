//! Stories of two files of a torrent that are one file on the disk: one must not overwrite the other.

use crate::common::content::Content;
use crate::common::fuse::HangingDisk;
use crate::common::stage::Stage;
use crate::common::swarmlet::Outcome;
use crate::common::tools::{Tool, here, skip};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

const PIECE: usize = 16 * 1024;

fn stage(one: &str, other: &str) -> Stage {
    Stage::new(Content::folder("folder", &[(one, 3 * PIECE), ("between", 2 * PIECE), (other, 3 * PIECE)]), PIECE)
}

/// Refused, and both are named.
fn refused(outcome: &Outcome, dir: &Path, names: [&str; 2]) {
    outcome.assert_refused(73);
    for name in names {
        let path = dir.join("folder").join(name);
        assert!(outcome.stderr.contains(path.to_str().unwrap()), "{name} is not named: {}", outcome.stderr);
    }
}

#[test]
fn hard_links_are_refused_unless_both_are_complete() {
    let mut content = Content::folder("folder", &[("a", 3 * PIECE), ("b", 3 * PIECE)]);
    content.files[1].1 = content.files[0].1.clone();
    let stage = Stage::new(content, PIECE);
    let _seed = stage.seed();
    let get = stage.get("leecher");
    let [a, b] = ["a", "b"].map(|name| get.dir.join("folder").join(name));
    stage.content.write_to(&get.dir);
    // Programs that save space make such links.
    fs::remove_file(&b).unwrap();
    fs::hard_link(&a, &b).unwrap();
    get.run().assert_code(0);
    // Now one of them is to be written to.
    fs::write(&a, "").unwrap();
    refused(&get.run(), &get.dir, ["a", "b"]);
    assert_eq!(fs::read(&b).unwrap(), b"", "nothing was written");
    // It is served, because it is correct.
    stage.content.write_to(&get.dir);
    fs::remove_file(&b).unwrap();
    fs::hard_link(&a, &b).unwrap();
    get.run().assert_code(0);
}

/// One has all its pieces, and the other is not even wanted.
#[test]
fn a_file_that_is_not_wanted_is_not_changed_through_a_link() {
    let stage = stage("a", "b");
    let _seed = stage.seed();
    let get = stage.get("leecher").args(&["--files", "1"]);
    let [a, b] = ["a", "b"].map(|name| get.dir.join("folder").join(name));
    fs::create_dir(get.dir.join("folder")).unwrap();
    fs::write(&b, [0; 3 * PIECE]).unwrap();
    fs::hard_link(&b, &a).unwrap();
    refused(&get.run(), &get.dir, ["a", "b"]);
    assert!(fs::read(&b).unwrap() == [0; 3 * PIECE], "it was written to");
    // --overwrite is for the wanted file only: the other one is neither overwritten nor cut.
    fs::write(&b, [1; 4 * PIECE]).unwrap();
    refused(&get.arg("--overwrite").run(), &stage.path().join("leecher"), ["a", "b"]);
    assert!(fs::read(&b).unwrap() == [1; 4 * PIECE], "it was written to, or cut");
}

#[test]
fn a_file_that_is_mounted_in_the_place_of_another_is_refused() {
    let stage = stage("a", "b");
    let _seed = stage.seed();
    let get = stage.get("leecher");
    let [a, b] = ["a", "b"].map(|name| get.dir.join("folder").join(name));
    fs::create_dir(get.dir.join("folder")).unwrap();
    [&a, &b].iter().for_each(|path| fs::write(path, "").unwrap());
    let mounted =
        Command::new("mount").arg("--bind").args([&a, &b]).output().is_ok_and(|output| output.status.success());
    if !mounted {
        return skip("nothing can be mounted here; run as root, in a container that may mount");
    }
    let outcome = get.run();
    assert!(Command::new("umount").arg(&b).status().unwrap().success());
    refused(&outcome, &get.dir, ["a", "b"]);
}

#[test]
fn names_that_are_one_on_this_disk_are_refused_and_nothing_is_left() {
    if !here(&[Tool::Fuse]) {
        return;
    }
    for [one, other] in [["Read me", "read ME"], ["a/x", "A/X"], ["caf\u{e9}", "cafe\u{301}"], ["x", "x."], ["y ", "y"]]
    {
        let stage = stage(one, other);
        let _seed = stage.seed();
        let disk = stage.path().join("disk");
        let _disk = HangingDisk::folding(&disk, stage.path());
        let get = stage.get("leecher").in_dir(&disk);
        for _ in 0..2 {
            refused(&get.run(), &disk, [one, other]);
        }
        let left = Command::new("find").arg(&disk).args(["-type", "f"]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&left.stdout), "", "{one} and {other}");
        // Other programs have left a file of zeros there.
        let path = disk.join("folder").join(one);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, [0; 3 * PIECE]).unwrap();
        refused(&get.run(), &disk, [one, other]);
        // Without one of them, the others are downloaded.
        get.args(&["--files", "1-2"]).run().assert_code(0);
        assert_eq!(fs::read(&path).unwrap(), stage.content.files[0].1, "{one}");
    }
}

/// Nothing else tells them apart: other programs have left files of zeros there, at once.
#[test]
fn files_with_equal_sizes_and_times_are_two_if_the_disk_lists_both_names() {
    if !here(&[Tool::Fuse]) {
        return;
    }
    for [one, other] in [["\u{44f}", "\u{436}"], ["\u{44f}/x", "\u{436}/X"], ["x", "X"]] {
        let stage = stage(one, other);
        let _seed = stage.seed();
        let disk = stage.path().join("disk");
        let _disk = HangingDisk::coarse(&disk, stage.path());
        for path in [one, other].map(|name| disk.join("folder").join(name)) {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, [0; 3 * PIECE]).unwrap();
            let file = fs::File::options().write(true).open(&path).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000)).unwrap();
        }
        stage.get("leecher").in_dir(&disk).run().assert_code(0);
        stage.content.assert_same_in(&disk);
    }
}

/// Unlike other names, these are not tried beforehand. The error comes when the second file is created.
#[test]
fn names_that_are_unexpectedly_one_do_not_overwrite_each_other() {
    if !here(&[Tool::Fuse]) {
        return;
    }
    let (one, other) = ("\u{212a}", "k");
    let stage = stage(one, other);
    let _seed = stage.seed();
    let disk = stage.path().join("disk");
    let _disk = HangingDisk::folding(&disk, stage.path());
    let outcome = stage.get("leecher").in_dir(&disk).run();
    outcome.assert_refused(73);
}

/// On a disk that distinguishes such names.
#[test]
fn names_that_differ_only_in_case_are_two_files_here() {
    for [one, other] in [["Read me", "read ME"], ["caf\u{e9}", "cafe\u{301}"], ["x", "x."]] {
        let stage = stage(one, other);
        let _seed = stage.seed();
        let get = stage.get("leecher");
        get.run().assert_code(0);
        stage.content.assert_same_in(&get.dir);
    }
}
