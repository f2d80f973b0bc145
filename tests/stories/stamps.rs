//! Stories of files that other programs change between two runs without a trace: changed bytes are never served.

use crate::common::content::{Content, damage};
use crate::common::fuse::HangingDisk;
use crate::common::stage::Stage;
use crate::common::swarmlet::{Get, Outcome};
use crate::common::tools::{Tool, here};
use crate::common::wait::{PATIENCE, wait_until};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

const PIECE: usize = 32 * 1024;

/// The bytes that a run found at its start, and the bytes that it read for that.
fn found(outcome: &Outcome) -> (u64, u64) {
    outcome.assert_code(0);
    let checked = outcome.json("checked");
    (checked["had"].as_u64().unwrap(), checked["hashed"].as_u64().unwrap())
}

fn run(program: &str, args: &[&Path]) {
    assert!(Command::new(program).args(args).status().unwrap().success(), "{program} failed");
}

/// Changes a byte, and sets the modification time back: what taggers do, and `touch -r`.
fn tag(path: &Path) {
    let before = tempfile::NamedTempFile::new().unwrap();
    run("touch", &[Path::new("-r"), path, before.path()]);
    damage(path, 3 * PIECE + 5, 1);
    run("touch", &[Path::new("-r"), before.path(), path]);
}

/// A changed copy that has the old one's times takes its place: `cp -p`, `mv`, `rsync -t`.
fn replace(path: &Path) {
    let other = path.with_extension("other");
    run("cp", &[Path::new("-p"), path, &other]);
    tag(&other);
    fs::rename(other, path).unwrap();
}

#[test]
fn a_change_that_keeps_size_and_time_is_noticed() {
    let content = Content::folder("folder", &[("a", 10 * PIECE), ("b", 10 * PIECE)]);
    let stage = Stage::new(content, PIECE);
    let _seed = stage.seed();
    let get = stage.get("leecher").arg("--json");
    let (size, piece, a) = (stage.content.size(), PIECE as u64, get.dir.join("folder/a"));
    get.run().assert_code(0);
    for change in [tag, replace] {
        let mtime = |path: &Path| fs::metadata(path).unwrap().modified().unwrap();
        let before = mtime(&a);
        change(&a);
        assert_eq!(mtime(&a), before);
        assert_eq!(found(&get.run()), (size - piece, size / 2), "only that file is read");
        stage.content.assert_same_in(&get.dir);
        assert_eq!(found(&get.run()), (size, 0));
    }
    // These change nothing: it is read once.
    fs::set_permissions(&a, Permissions::from_mode(0o600)).unwrap();
    assert_eq!(found(&get.run()), (size, size / 2), "chmod");
    assert_eq!(found(&get.run()), (size, 0));
    fs::hard_link(&a, stage.path().join("a link")).unwrap();
    assert_eq!(found(&get.run()), (size, size / 2), "ln");
    assert_eq!(found(&get.run()), (size, 0));
}

/// The resume state of `get`.
fn state(get: &Get, stage: &Stage) -> PathBuf {
    let states = fs::read_dir(stage.path().join("state/swarmlet")).unwrap().map(|entry| entry.unwrap().path());
    let dir = get.dir.to_str().unwrap().as_bytes().to_vec();
    let is_its = |path: &PathBuf| fs::read(path).unwrap().windows(dir.len()).any(|window| window == dir);
    states.into_iter().find(is_its).expect("there is a state")
}

/// FUSE numbers its files as they are read, and so do FAT and exFAT.
#[test]
fn a_disk_with_new_inode_numbers_is_not_read_at_each_start() {
    if !here(&[Tool::Fuse]) {
        return;
    }
    let stage = Stage::new(Content::folder("folder", &[("a", 10 * PIECE), ("b", 10 * PIECE)]), PIECE);
    let disk = stage.path().join("disk");
    let mounted = HangingDisk::mount(&disk, stage.path());
    let _seed = stage.seed();
    let get = stage.get("leecher").in_dir(&disk).arg("--json");
    get.run().assert_code(0);
    // After a while, everything is known to be on the disk itself.
    let state = state(&get, &stage);
    let written = |path: &Path| fs::metadata(path).and_then(|found| found.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    let before = written(&state);
    let mut seeder = stage.get("leecher").in_dir(&disk).args(&["--json", "--seed"]).start();
    wait_until("it saves its state", PATIENCE, || {
        seeder.must_run();
        written(&state) > before
    });
    seeder.terminate().assert_code(0);
    drop(mounted);
    for _ in 0..2 {
        // Another file is read first, so that the numbers change.
        let _mounted = HangingDisk::mount(&disk, stage.path());
        fs::metadata(disk.join("folder/b")).unwrap();
        assert_eq!(found(&get.run()), (stage.content.size(), 0));
    }
    let _mounted = HangingDisk::mount(&disk, stage.path());
    tag(&disk.join("folder/a"));
    let found = found(&get.arg("--overwrite").run());
    assert_eq!(found.1, stage.content.size() / 2, "a change is noticed there too");
}
