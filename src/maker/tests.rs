//! Torrents of files on the disk, some of which change meanwhile.

use super::tree::{Choice, find};
use super::*;
use crate::base::sha1::sha1;
use crate::storage::testkit::noise;
use proptest::prelude::*;
use std::os::unix::fs::symlink;
use std::path::Path;

fn all<'a>() -> Choice<'a> {
    Choice { follow_links: false, include: None, exclude: &|_| false }
}

fn put(dir: &Path, name: &str, bytes: &[u8]) {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn names(dir: &Path, choice: &Choice) -> Vec<String> {
    find(dir, choice).unwrap().into_iter().map(|found| found.name).collect()
}

fn refusal(dir: &Path, choice: &Choice) -> String {
    find(dir, choice).unwrap_err().to_string()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn the_hashes_are_those_of_the_concatenated_files(
        sizes in proptest::collection::vec(prop_oneof![Just(0usize), 1..5000usize, 300_000..400_000usize], 1..7),
        piece in prop_oneof![Just(1000u32), Just(16_384), Just(262_144)],
        threads in 1..5usize,
        align: bool,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut bytes = Vec::new();
        for (at, size) in sizes.iter().enumerate() {
            let content = noise(*size, at as u64);
            put(dir.path(), &at.to_string(), &content);
            if align && *size > 0 {
                bytes.resize(bytes.len().next_multiple_of(piece as usize), 0);
            }
            bytes.extend(content);
        }
        let found = find(dir.path(), &all()).unwrap();
        let files = lay_out("name", &found, align.then_some(piece));
        let mut last = 0;
        let hashes = hash(&files, &found, piece, threads, &mut |done| last = done).unwrap();
        prop_assert_eq!(hashes, bytes.chunks(piece as usize).flat_map(sha1).collect::<Vec<u8>>());
        prop_assert_eq!(last, bytes.len() as u64);
    }
}

#[test]
fn files_are_in_the_order_of_their_paths() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["b", "a/2", "a/10", "a.txt", "a b", "a-b", "a0", "é", "Z", "z/y/x"] {
        put(dir.path(), name, b"x");
    }
    fs::create_dir(dir.path().join("empty folder")).unwrap();
    assert_eq!(names(dir.path(), &all()), ["Z", "a b", "a-b", "a.txt", "a/10", "a/2", "a0", "b", "z/y/x", "é"]);
}

#[test]
fn what_was_left_out_in_2004_still_is_unless_it_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    for name in [".hidden", ".git/config", "CVS/Root", "core", "a/core", "a/core.c", "a/CVS", "b.mp3", "a/.x.mp3"] {
        put(dir.path(), name, b"x");
    }
    assert_eq!(names(dir.path(), &all()), ["a/core.c", "b.mp3"]);
    let mp3 = |name: &str| name.ends_with(".mp3");
    assert_eq!(names(dir.path(), &Choice { include: Some(&mp3), ..all() }), ["a/.x.mp3", "b.mp3"]);
    let in_a = |name: &str| name == "a";
    assert_eq!(names(dir.path(), &Choice { exclude: &in_a, ..all() }), ["b.mp3"]);
}

#[test]
fn links_are_refused_or_followed_but_never_in_a_circle() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "in/a/1", b"x");
    symlink("a", dir.path().join("in/link")).unwrap();
    let inside = dir.path().join("in");
    assert!(refusal(&inside, &all()).contains("in/link: a symbolic link; --follow-symlinks"));
    let follow = || Choice { follow_links: true, ..all() };
    assert_eq!(names(&inside, &follow()), ["a/1", "link/1"]);
    let not_link = |name: &str| name == "link";
    assert_eq!(names(&inside, &Choice { exclude: &not_link, ..all() }), ["a/1"]);
    symlink("..", dir.path().join("in/a/up")).unwrap();
    assert!(refusal(&inside, &follow()).contains("this would never end"));
    symlink("/no/such", dir.path().join("in/a/up2")).unwrap();
    fs::remove_file(dir.path().join("in/a/up")).unwrap();
    assert!(refusal(&inside, &follow()).contains("up2: No such file"));
    // A link that the person named is followed.
    symlink(dir.path().join("in/a"), dir.path().join("named")).unwrap();
    assert_eq!(names(&dir.path().join("named"), &Choice { exclude: &|name| name == "up2", ..all() }), ["1"]);
}

#[test]
fn a_name_that_other_programs_cannot_write_is_refused() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    for (name, told) in [(&b"a\nb"[..], "a\\x0ab: not every program"), (b"caf\xe9", "caf\u{fffd}: not every program")] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(OsStr::from_bytes(name)), "x").unwrap();
        assert!(refusal(dir.path(), &all()).contains(told), "{}", refusal(dir.path(), &all()));
    }
    let dir = tempfile::tempdir().unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("socket")).unwrap();
    assert!(refusal(dir.path(), &all()).contains("socket: neither a file nor a folder"));
    assert!(refusal(&dir.path().join("none"), &all()).contains("none: No such file"));
}

#[test]
fn a_file_that_changes_is_an_error() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 3] = [
        ("it has changed meanwhile", |path| fs::write(path, noise(50_001, 2)).unwrap()),
        ("it has changed meanwhile", |path| {
            // The same length, written a moment later or long ago.
            fs::write(path, noise(50_000, 3)).unwrap();
            let then = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
            File::options().append(true).open(path).unwrap().set_modified(then).unwrap();
        }),
        ("No such file", |path| fs::remove_file(path).unwrap()),
    ];
    for (told, change) in changes {
        let dir = tempfile::tempdir().unwrap();
        put(dir.path(), "a", &noise(100_000, 0));
        put(dir.path(), "b", &noise(50_000, 1));
        let found = find(dir.path(), &all()).unwrap();
        change(&dir.path().join("b"));
        let error = hash(&lay_out("n", &found, None), &found, 16_384, 2, &mut |_| {}).unwrap_err().to_string();
        assert!(error.contains("/b: ") && error.contains(told), "{error}");
    }
}

/// It changes after it was opened, when all of it was read.
#[test]
fn a_change_after_reading_is_noticed_at_the_end() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "a", &noise(100_000, 0));
    let found = find(dir.path(), &all()).unwrap();
    let path = dir.path().join("a");
    let error = hash(&lay_out("n", &found, None), &found, 16_384, 1, &mut |_| {
        File::options().append(true).open(&path).unwrap().set_len(10).unwrap();
    });
    assert!(error.unwrap_err().to_string().contains("it has changed meanwhile"));
    let cut = Files::single("a", 20_000);
    let layout = Layout { files: &cut, piece_length: 16_384, open: &|_| File::open(&path) };
    let told = Mutex::new(Vec::new());
    let take = |piece, digest: Result<Digest, Unread>| {
        told.lock().unwrap().push((piece, digest.unwrap_err().error.to_string()));
        true
    };
    hashing::hash(&layout, 1, &take, &mut |_| {});
    let shorter = || "it became shorter meanwhile".to_string();
    assert_eq!(told.into_inner().unwrap(), [(0, shorter()), (1, shorter())]);
}
