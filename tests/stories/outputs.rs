//! Stories of what commands write to: devices, pipes, links, and places where nothing can be written.

use crate::common::content::Content;
use crate::common::process::Process;
use crate::common::ran::{Ran, run, swarmlet, with_stdin};
use crate::common::swarmlet::program;
use crate::common::tools::{Tool, can_unshare, here, skip};
use crate::common::track::Track;
use crate::common::wait::{PATIENCE, wait_until};
use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
use rustix::process::Signal;
use std::fs::{self, File};
use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

/// The files in `dir`, also the hidden ones.
fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("the folder is there");
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Makes `null` in `dir`, a device like /dev/null, so that no story can replace the real one. Only root can.
fn device(dir: &Path) -> bool {
    let made = mknodat(CWD, dir.join("null"), FileType::CharacterDevice, Mode::from_raw_mode(0o666), makedev(1, 3));
    made.is_ok() && fs::write(dir.join("null"), "x").is_ok()
}

fn assert_device(dir: &Path) {
    assert!(fs::symlink_metadata(dir.join("null")).unwrap().file_type().is_char_device(), "the device was replaced");
}

/// `script` in a shell where `$S` is our program, with mounts of its own.
fn with_mounts(dir: &Path, script: &str) -> Ran {
    run(Command::new("unshare").args(["-m", "sh", "-ec", script]).env("S", program()).current_dir(dir), b"")
}

#[test]
fn a_device_is_written_to_and_stays() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    if !device(dir) {
        return skip("devices cannot be made here");
    }
    Content::one_file("a", 1000).write_to(dir);
    for force in [&["-o", "null"][..], &["-fo", "null"]] {
        swarmlet(dir, &[&["make", "a"], force].concat()).code(0);
        assert_device(dir);
    }
    swarmlet(dir, &["make", "a"]).code(0);
    swarmlet(dir, &["edit", "--comment", "x", "a.torrent", "-o", "null"]).code(0);
    assert_device(dir);
    swarmlet(dir, &["edit", "--comment", "x", "null"]).refused(64, "null: only a file can be changed");
    fs::create_dir(dir.join("pages")).unwrap();
    symlink("../null", dir.join("pages/swarmlet.1")).unwrap();
    swarmlet(dir, &["man", "--dir", "pages"]).code(0);
    assert!(names(&dir.join("pages")).len() > 10);
    assert_device(dir);
    let track = Track::on_free_port(dir).arg("--dfile").arg(dir.join("null")).arg("--logfile").arg(dir.join("null"));
    assert_eq!(track.start().end(Signal::TERM), Some(0));
    assert_device(dir);
    assert!(!names(dir).iter().any(|name| name.starts_with('.') || name.contains("damaged")), "{:?}", names(dir));
}

#[test]
fn pipes_and_open_files_are_written_to() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    Content::one_file("a", 1000).write_to(dir);
    let expected = swarmlet(dir, &["make", "a", "--no-date", "-o", "-"]).code(0).stdout;
    for output in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
        assert_eq!(swarmlet(dir, &["make", "a", "--no-date", "-o", output]).code(0).stdout, expected, "{output}");
        let edited = swarmlet(dir, &["make", "a", "--no-date", "-o", output, "--json"]);
        edited.refused(64, "the torrent goes to standard output");
    }
    // A redirected output stays the file that the shell has opened, with what was there.
    let script = "{ echo before; \"$S\" make a --no-date -o /dev/fd/3 -f 3>&1; echo after; } >> out";
    run(Command::new("sh").args(["-ec", script]).env("S", program()).current_dir(dir), b"").code(0);
    let out = fs::read(dir.join("out")).unwrap();
    assert_eq!(out, [b"before\n", &expected[..], b"after\n"].concat());

    mknodat(CWD, dir.join("fifo"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    let reader = thread::spawn({
        let fifo = dir.join("fifo");
        move || fs::read(fifo).unwrap()
    });
    swarmlet(dir, &["make", "a", "--no-date", "-o", "fifo"]).code(0);
    assert_eq!(reader.join().unwrap(), expected);
    assert!(fs::metadata(dir.join("fifo")).unwrap().file_type().is_fifo());

    let edited = with_stdin(dir, &["edit", "--comment", "x", "-", "-o", "/dev/stdout"], &expected).code(0);
    assert!(edited.text().contains("7:comment1:x"));
    with_stdin(dir, &["edit", "--comment", "x", "/dev/stdin"], &expected).refused(64, "name an output file");
}

#[test]
fn links_stay_and_their_targets_are_written() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    Content::one_file("a", 1000).write_to(dir);
    symlink("real.torrent", dir.join("link.torrent")).unwrap();
    swarmlet(dir, &["make", "a", "-o", "link.torrent"]).refused(73, "exists already; --force");
    swarmlet(dir, &["make", "a", "-o", "link.torrent", "-f"]).code(0);
    let before = fs::metadata(dir.join("real.torrent")).unwrap();
    swarmlet(dir, &["edit", "--comment", "x", "a", "link.torrent"]).refused(65, "a: not a .torrent");
    assert!(fs::symlink_metadata(dir.join("link.torrent")).unwrap().is_symlink());
    assert_ne!(fs::metadata(dir.join("real.torrent")).unwrap().len(), before.len());
    // The content is not replaced by its torrent, not even by force.
    swarmlet(dir, &["make", "a", "-o", "./a", "-f"]).refused(64, "the output would replace the content");
    assert_eq!(fs::metadata(dir.join("a")).unwrap().len(), 1000);
    assert_eq!(names(dir), ["a", "link.torrent", "real.torrent"]);
}

#[test]
fn an_output_that_cannot_be_written_is_refused_before_the_hashing() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    // To hash this would take minutes.
    File::create(dir.join("large")).unwrap().set_len(64 << 30).unwrap();
    let name = "x".repeat(300);
    swarmlet(dir, &["make", "large", "-o", &name]).refused(73, "File name too long");
    swarmlet(dir, &["make", "large", "-o", "none/x"]).refused(73, "No such file or directory");
    swarmlet(dir, &["make", "large", "-o", "x/"]).refused(73, "Is a directory");
    if !can_unshare(&["-m"]) {
        return skip("mounts of their own are not allowed here");
    }
    let ro = "mkdir ro; touch ro/old; mount --bind ro ro; mount -o remount,ro,bind ro; exec";
    with_mounts(dir, &format!("{ro} \"$S\" make large -o ro/new")).refused(73, "Read-only file system");
    with_mounts(dir, &format!("{} \"$S\" make large -fo ro/old", ro.replace("mkdir ro;", "")))
        .refused(73, "Read-only file system");
    // A folder in which another user may not write, and one in which that user may not replace the files of others.
    let script = "chmod 755 .; mkdir -m 755 mine; mkdir -m 1777 all; touch all/mine; chmod 666 all/mine; exec setpriv \
        --reuid 65534 --clear-groups";
    with_mounts(dir, &format!("{script} \"$S\" make large -o mine/x")).refused(73, "Permission denied");
    let script = script.replace("mkdir -m 755 mine; mkdir -m 1777 all; ", "");
    with_mounts(dir, &format!("{script} \"$S\" make large -fo all/mine")).refused(73, "Operation not permitted");
}

#[test]
fn nothing_half_made_is_left_behind() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    File::create(dir.join("large")).unwrap().set_len(64 << 30).unwrap();
    fs::write(dir.join("old"), "old").unwrap();
    let mut make = Command::new(program());
    let logs = tempfile::tempdir().unwrap();
    make.args(["make", "large", "-fo", "old"]).current_dir(dir);
    let mut make = Process::start("make", &mut make, logs.path());
    thread::sleep(Duration::from_millis(300));
    make.signal(Signal::INT);
    assert!(!make.wait(PATIENCE).success());
    assert_eq!(
        (names(dir), fs::read_to_string(dir.join("old")).unwrap()),
        (vec!["large".into(), "old".into()], "old".into())
    );

    Content::one_file("a", 50 << 20).write_to(dir);
    if !can_unshare(&["-m"]) {
        return skip("mounts of their own are not allowed here");
    }
    // The disk is full at the end. (Its 2,000 hashes have 32 KiB.)
    let full = "mkdir disk; mount -t tmpfs -o size=16k none disk; echo old > disk/old;
        \"$S\" make a -l 32K -fo disk/old || code=$?; ls -A disk; cat disk/old; exit $code";
    let ran = with_mounts(dir, full).refused(73, "No space left on device");
    assert_eq!(ran.text(), "old\nold\n");
    // What a container mounts as a file cannot be replaced.
    let mounted = "touch there; mount --bind there old; \"$S\" make a -fo old; ls -i old there";
    let ran = with_mounts(dir, mounted).code(0);
    let inode = |line: &str| line.split_whitespace().next().map(str::to_string);
    let inodes: Vec<_> = ran.text().lines().map(inode).collect();
    assert_eq!(inodes[0], inodes[1], "{}", ran.text());
    assert!(fs::read(dir.join("there")).unwrap().starts_with(b"d"));
}

#[test]
fn a_signal_waits_until_the_output_is_whole() {
    if !here(&[Tool::Strace]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    Content::one_file("a", 1000).write_to(dir);
    let script = "\"$S\" make a & while ! ls .swarmlet-*; do sleep 0.05; done; kill $!; wait $!; echo $?";
    let mut slow = Command::new("strace");
    slow.args(["-qq", "-f", "-o", "/dev/null", "-e", "inject=fsync:delay_enter=2000000", "sh", "-c", script]);
    let ran = run(slow.env("S", program()).current_dir(dir), b"");
    assert!(ran.text().ends_with("143\n"), "{}{}", ran.text(), ran.stderr);
    assert_eq!(names(dir), ["a", "a.torrent"]);
    assert!(fs::metadata(dir.join("a.torrent")).unwrap().size() > 0);
}

/// As under nohup: also after a torrent was written, for which signals were held back.
#[test]
fn an_ignored_signal_stays_ignored() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    Content::one_file("a", 1000).write_to(dir);
    File::create(dir.join("large")).unwrap().set_len(64 << 30).unwrap();
    fs::create_dir(dir.join("out")).unwrap();
    let mut make = Command::new("sh");
    make.args(["-c", "trap '' HUP; exec \"$S\" make --each a large -o out"]).env("S", program()).current_dir(dir);
    let logs = tempfile::tempdir().unwrap();
    let mut make = Process::start("make", &mut make, logs.path());
    wait_until("the first torrent is written", PATIENCE, || dir.join("out/a.torrent").exists());
    make.signal(Signal::HUP);
    thread::sleep(Duration::from_millis(300));
    make.signal(Signal::TERM);
    assert_eq!(make.wait(PATIENCE).signal(), Some(Signal::TERM.as_raw()));
}
