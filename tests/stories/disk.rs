//! Stories of disks that fail (full, read-only, or removed for a while) and of files that other programs change.
//!
//! They mount small file systems, which only root may do.

use crate::common::content::Content;
use crate::common::json;
use crate::common::process::Process;
use crate::common::stage::Stage;
use crate::common::swarmlet::{Get, Swarmlet};
use crate::common::tools::{Tool, here, skip};
use crate::common::torrent::Maker;
use crate::common::wait::{PATIENCE, wait_until};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use swarmlet::engine::{Config, Engine, Job, Notice, Subscription};
use swarmlet::proto::metainfo::Metainfo;
use swarmlet::storage::resume::StateDir;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
const PIECE: usize = 64 * KIB;

/// A mounted file system. It is unmounted when dropped.
pub struct Disk {
    pub at: PathBuf,
}

impl Disk {
    /// A tmpfs of `size` bytes, or `None` if this user may not mount: then the story is skipped.
    pub fn mount(at: &Path, size: usize) -> Option<Disk> {
        fs::create_dir_all(at).unwrap();
        let made = mount(&["-t", "tmpfs", "-o", &format!("size={size}"), "swarmlet-test"], at);
        if !made {
            skip("no file system can be mounted here; run as root, in a container that may mount");
        }
        made.then(|| Disk { at: at.into() })
    }

    /// A file system that claims `size` bytes, on a disk that has a quarter of that. It accepts more than fits, and
    /// loses it on the way to the disk. (The disk is returned too, so that it is unmounted after it.)
    fn mount_lossy(at: &Path, size: usize) -> Option<(Disk, Disk)> {
        let disk = Disk::mount(&at.with_extension("disk"), size / 4)?;
        let image = disk.at.join("image");
        fs::File::create(&image).unwrap().set_len(size as u64).unwrap();
        fs::create_dir_all(at).unwrap();
        let made = Command::new("mkfs.ext4").args(["-q", "-O", "^has_journal"]).arg(&image).output();
        let made = made.is_ok_and(|output| output.status.success()) && mount(&["-o", "loop", image.to_str()?], at);
        if !made {
            skip(
                "no image of a file system can be made and mounted here; run as root, with mkfs.ext4 and loop devices",
            );
        }
        made.then(|| (Disk { at: at.into() }, disk))
    }

    pub fn remount(&self, options: &str) {
        assert!(mount(&["-o", &format!("remount,{options}")], &self.at), "cannot remount with {options}");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.at).status();
    }
}

fn mount(options: &[&str], at: &Path) -> bool {
    Command::new("mount").args(options).arg(at).output().is_ok_and(|output| output.status.success())
}

/// A torrent of `size` bytes in the folder "full".
fn stage(size: usize) -> Stage {
    Stage::new(Content::folder("full", &[("a/first.bin", size / 2), ("second.bin", size - size / 2)]), PIECE)
}

fn get(stage: &Stage, dir: &Path) -> Get {
    stage.get("leecher").in_dir(dir).arg("--json")
}

/// The last object of `event` about the torrent `name`, if there is one.
fn last(leecher: &Swarmlet, name: &str, event: &str) -> Option<Value> {
    json::about(&leecher.stdout(), name).into_iter().rfind(|object| object["event"] == event)
}

fn wait_for(leecher: &mut Swarmlet, name: &str, event: &str, wanted: impl Fn(&Value) -> bool) {
    wait_until(&format!("{name}: {event}"), PATIENCE, || {
        leecher.must_run();
        last(leecher, name, event).is_some_and(|object| wanted(&object))
    });
}

fn says(object: &Value, words: &str) -> bool {
    object["problem"].as_str().is_some_and(|text| text.contains(words))
}

#[test]
fn a_torrent_waits_for_a_full_disk_while_another_torrent_goes_on() {
    let stage = stage(4 * MIB);
    let dir = stage.path().join("dir");
    // The small disk holds the first torrent; the other one lies beside it.
    let Some(disk) = Disk::mount(&dir.join("full"), 2 * MIB) else { return };
    let other = Content::one_file("other.bin", 30 * PIECE);
    let other_source = stage.path().join("other source");
    let other_torrent = Maker::Ours.make(&other, &other_source, PIECE, &stage.tracker.url());
    let _seed = stage.seed();

    let mut leecher = get(&stage, &dir).torrent(&other_torrent).start();
    let short = |object: &Value| object["short"].as_u64().unwrap();
    wait_for(&mut leecher, "full", "waiting", |object| says(object, "no space left on") && short(object) > 0);
    let waiting = last(&leecher, "full", "waiting").unwrap();
    assert_eq!((&waiting["state"], &waiting["waits_for"]), (&"waiting".into(), &"disk".into()), "{waiting}");
    let lacking = short(&waiting);
    assert!(
        (2 * MIB as u64..3 * MIB as u64).contains(&lacking),
        "2 MiB of 4 have room, so it is not {lacking} bytes short"
    );
    // Only now a seed of the other torrent starts. It connects to us.
    let other_seed = Get::new("other seed", stage.path()).in_dir(&other_source).torrent(&other_torrent).arg("--seed");
    let _other_seed = other_seed.start();
    wait_for(&mut leecher, "other.bin", "complete", |_| true);
    wait_for(&mut leecher, "full", "status", |status| status["state"] == "waiting" && status["waits_for"] == "disk");
    let status = last(&leecher, "full", "status").unwrap();
    assert!(status["had"].as_u64().unwrap() <= 2 * MIB as u64, "it claims more than fits: {status}");

    disk.remount(&format!("size={}", 6 * MIB));
    leecher.wait().assert_code(0);
    stage.content.assert_same_in(&dir);
    other.assert_same_in(&dir);
}

/// `--stop-timeout` ends the wait, and the message says that the disk was the reason.
#[test]
fn a_torrent_waits_for_a_full_disk_only_as_long_as_the_user_allows() {
    let stage = stage(4 * MIB);
    let dir = stage.path().join("dir");
    let Some(disk) = Disk::mount(&dir.join("full"), 2 * MIB) else { return };
    let _seed = stage.seed();
    let outcome = get(&stage, &dir).args(&["--stop-timeout", "3"]).start().wait();
    outcome.assert_code(75);
    let words = format!("no space left on {}, ", dir.display());
    assert!(outcome.stderr.contains(&words) && outcome.stderr.contains(" MiB short"), "{}", outcome.stderr);
    drop(disk);
}

#[test]
fn a_torrent_waits_for_a_disk_that_is_read_only_for_a_while() {
    let stage = stage(2 * MIB);
    let Some(disk) = Disk::mount(&stage.path().join("disk"), 8 * MIB) else { return };
    let get = get(&stage, &disk.at);
    let mut leecher = get.start();
    wait_for(&mut leecher, "full", "checked", |_| true);
    disk.remount("ro");
    let _seed = stage.seed();
    wait_for(&mut leecher, "full", "waiting", |object| says(object, "Read-only file system"));
    disk.remount("rw");
    leecher.wait().assert_code(0);
    stage.content.assert_same_in(&disk.at);
}

/// The empty mount point is on another disk. Content would fill that disk, and be hidden after the mount.
#[test]
fn nothing_is_downloaded_again_while_the_disk_is_not_mounted_at_the_start() {
    let stage = stage(2 * MIB);
    let Some(disk) = Disk::mount(&stage.path().join("disk"), 8 * MIB) else { return };
    let _seed = stage.seed();
    let at = disk.at.clone();
    let get = get(&stage, &at);
    get.run().assert_code(0);
    drop(disk);
    let folder = stage.path().join("torrents");
    fs::create_dir(&folder).unwrap();
    fs::copy(&stage.torrent.file, folder.join("a.torrent")).unwrap();
    let refused = get.run();
    refused.assert_code(74);
    assert!(says(&refused.json("failed"), "is its disk mounted?"), "{}", refused.stderr);
    let mut many = Get::many("leecher", stage.path(), &folder).in_dir(&at).arg("--json").start();
    wait_for(&mut many, "full", "failed", |object| says(object, "is its disk mounted?"));
    assert_eq!(fs::read_dir(&at).unwrap().count(), 0, "the mount point was filled");
    // It goes on when the disk is mounted.
    let disk = Disk::mount(&at, 8 * MIB).unwrap();
    stage.content.write_to(&at);
    wait_for(&mut many, "full", "status", |object| object["state"] == "seeding");
    many.terminate();
    drop(disk);
    // If a user has deleted the content, it is downloaded again.
    let get = get.arg("--check");
    get.run().assert_code(0);
    stage.content.assert_same_in(&at);
}

#[test]
fn content_that_was_deleted_is_downloaded_again() {
    let stage = stage(2 * MIB);
    let _seed = stage.seed();
    let dir = stage.path().join("dir");
    let get = get(&stage, &dir);
    get.run().assert_code(0);
    fs::remove_dir_all(dir.join("full")).unwrap();
    fs::write(dir.join("another file"), "x").unwrap();
    get.run().assert_code(0);
    stage.content.assert_same_in(&dir);
}

/// An engine that saves its state every second, so that it soon learns about lost writes.
fn engine(stage: &Stage, dir: &Path) -> (Engine, Subscription) {
    let states = Some(Arc::new(StateDir::open(&stage.path().join("states")).unwrap()));
    let config = Config { ports: 0..=0, states, save_every: Duration::from_secs(1), ..Config::default() };
    let (engine, notices) = Engine::start(config).unwrap();
    let metainfo = Metainfo::parse(&fs::read(&stage.torrent.file).unwrap()).unwrap();
    engine.add(Job::new(metainfo, dir));
    (engine, notices)
}

/// Only a sync reports such a loss, and only once. After that the lost pieces must not count as verified.
#[test]
fn pieces_that_a_disk_accepts_and_loses_are_fetched_again_and_not_trusted() {
    let stage = stage(6 * MIB);
    let Some((mounted, _disk)) = Disk::mount_lossy(&stage.path().join("lossy"), 12 * MIB) else { return };
    let _seed = stage.seed();
    let (first, notices) = engine(&stage, &mounted.at);
    let mut waited = Vec::new();
    let problem = loop {
        match notices.recv_timeout(PATIENCE).expect("it ends") {
            Notice::Waiting { trouble, .. } => waited.push(trouble.text),
            Notice::Failed { problem, .. } => break problem.text,
            notice => println!("{notice:?}"),
        }
    };
    assert_eq!(waited.len(), 1, "the first loss may be a disk that was removed for a while: {waited:?}");
    assert!(problem.starts_with(&format!("can't write {}", mounted.at.display())), "{problem}");
    first.send(swarmlet::engine::Command::Stop);
    while !matches!(notices.recv_timeout(PATIENCE).expect("it stops"), Notice::Stopped(_)) {}

    let (second, notices) = engine(&stage, &mounted.at);
    let had = loop {
        match notices.recv_timeout(PATIENCE).expect("it is checked") {
            Notice::Joined { had_bytes, .. } => break had_bytes,
            // If a file lost all its pieces, it may be anybody's.
            Notice::Failed { problem, .. } => {
                assert!(problem.text.contains("none of its pieces is right"), "{}", problem.text);
                break 0;
            }
            notice => println!("{notice:?}"),
        }
    };
    assert!(had < stage.content.size(), "lost pieces count as verified");
    second.send(swarmlet::engine::Command::Stop);
    while !matches!(notices.recv_timeout(PATIENCE).expect("it stops"), Notice::Stopped(_)) {}
}

/// As if a disk is pulled out and put back with older content.
#[test]
fn a_torrent_waits_for_a_removed_folder_and_uses_its_content_when_it_is_back() {
    let stage = stage(6 * MIB);
    let _seed = stage.slow_seed(MIB as u64);
    let (dir, kept) = (stage.path().join("dir"), stage.path().join("kept"));
    let mut leecher = get(&stage, &dir).start();
    let had = |object: &Value| object["had"].as_u64().unwrap();
    wait_for(&mut leecher, "full", "status", |object| had(object) > MIB as u64);
    copy(&dir, &kept);
    fs::remove_dir_all(&dir).unwrap();
    let dir_name = dir.display().to_string();
    wait_for(&mut leecher, "full", "waiting", |object| says(object, &dir_name));
    fs::rename(&kept, &dir).unwrap();
    wait_for(&mut leecher, "full", "resumed", |object| had(object) > 0);
    leecher.wait().assert_code(0);
    stage.content.assert_same_in(&dir);
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-r").args([from, to]).status().unwrap().success());
}

/// The first request for the lost part shows that it is gone.
#[test]
fn a_file_that_is_cut_short_while_it_is_uploaded_is_noticed_and_kept() {
    let stage = stage(2 * MIB);
    // It is slow, so that the other leecher asks for the lost part too.
    let _seed = stage.slow_seed(MIB as u64 / 4);
    let dir = stage.path().join("dir");
    stage.content.write_to(&dir);
    let get = get(&stage, &dir).arg("--seed");
    let mut seeder = get.start();
    wait_for(&mut seeder, "full", "complete", |_| true);
    wait_until("both seeds have announced themselves", PATIENCE, || stage.tracker.seeds(&stage.torrent.info_hash) == 2);
    fs::File::options().write(true).open(dir.join("full/second.bin")).unwrap().set_len(PIECE as u64 + 5).unwrap();

    let other = Get::new("other", stage.path()).torrent(&stage.torrent);
    other.run().assert_code(0);
    stage.content.assert_same_in(&other.dir);
    // Somebody may have wanted that.
    let outcome = seeder.wait();
    outcome.assert_refused(73);
    assert!(
        outcome.stderr.contains("second.bin: another program changed it after it was complete"),
        "{}",
        outcome.stderr
    );
    assert_eq!(fs::metadata(dir.join("full/second.bin")).unwrap().len(), PIECE as u64 + 5);
    Get::new("leecher", stage.path()).in_dir(&dir).torrent(&stage.torrent).arg("--overwrite").run().assert_code(0);
    stage.content.assert_same_in(&dir);
}

/// A torrent with difficult names, and symbolic links in the places of its files.
#[test]
fn no_file_outside_of_the_folder_is_opened_for_writing() {
    if !here(&[Tool::Strace]) {
        return;
    }
    let stage = stage(MIB);
    let _seed = stage.seed();
    let names = ["a/b/c/d/e/f.bin", "...", "foo... bar/..x", "link/inside.bin", "planted.bin", "-rf", "a/~", "a/$HOME"];
    let names: Vec<(&str, usize)> = names.iter().map(|name| (*name, 3 * PIECE + 1)).collect();
    let tricks = Content::folder("tricks", &names);
    let source = stage.path().join("tricks source");
    let torrent = Maker::Ours.make(&tricks, &source, PIECE, &stage.tracker.url());
    let mut seed = Get::new("seed", stage.path()).in_dir(&source).torrent(&torrent).arg("--seed").start();
    stage.tracker.wait_for_a_seed(&torrent.info_hash, || seed.must_run());

    let (dir, outside, state) = (stage.path().join("dir"), stage.path().join("outside"), stage.path().join("state"));
    fs::create_dir_all(dir.join("tricks")).unwrap();
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("there.bin"), "mine").unwrap();
    symlink(&outside, dir.join("tricks/link")).unwrap();
    symlink(outside.join("there.bin"), dir.join("tricks/planted.bin")).unwrap();
    let (get, log) = (
        Get::new("leecher", stage.path()).in_dir(&dir).torrent(&torrent).torrent(&stage.torrent),
        stage.path().join("strace"),
    );
    let mut strace = Command::new("strace");
    strace.args(["-f", "-y", "-e", "trace=openat,openat2,open,creat", "-o"]).arg(&log);
    let command = get.command();
    strace.arg(command.get_program()).args(command.get_args()).env("XDG_STATE_HOME", &state);
    let status = Process::start("strace", &mut strace, stage.path()).wait(PATIENCE);
    assert!([Some(73), Some(74)].contains(&status.code()), "symbolic links are a final error: {status}");

    let log = fs::read_to_string(log).unwrap();
    let writing = |line: &&str| ["O_WRONLY", "O_RDWR", "O_CREAT"].iter().any(|flag| line.contains(flag));
    // With -y strace prints the path after the descriptor: = 7</path>.
    let opened = log.lines().filter(writing).filter_map(|line| line.rsplit_once("= ")?.1.split_once('<'));
    let opened: Vec<&str> = opened.map(|(_, path)| path.trim_end().trim_end_matches('>')).collect();
    assert!(opened.iter().any(|path| Path::new(path).starts_with(&dir)), "no file was written at all:\n{log}");
    for path in opened {
        let path = Path::new(path);
        assert!(path.starts_with(&dir) || path.starts_with(&state), "{} was opened for writing", path.display());
    }
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    assert_eq!(fs::read_to_string(outside.join("there.bin")).unwrap(), "mine");
}
