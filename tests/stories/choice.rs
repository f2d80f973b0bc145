//! Stories of chosen files: `swarmlet get --files`, `--exclude` and `--list`.

use crate::common::content::{Content, damage};
use crate::common::json;
use crate::common::peers::{Plan, Program};
use crate::common::stage::Stage;
use crate::common::swarmlet::Get;
use crate::common::tools::{Tool, here};
use crate::common::torrent::Maker;
use crate::common::wait::{PATIENCE, wait_until};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

const PIECE: usize = 65_536;
/// The files of [`album`] and their sizes. Pieces 3, 7 and 9 each hold the end of one file and the start of the next.
const FILES: [(&str, usize); 4] =
    [("CD1/a.flac", 200_000), ("CD1/b.flac", 300_000), ("CD2/c.flac", 150_000), ("info.nfo", 1_000)];
const SIZE: u64 = 651_000;
/// The bytes in pieces of the first and the third file: all pieces except 4, 5 and 6.
const OF_TWO: u64 = SIZE - 3 * PIECE as u64;

fn album() -> Content {
    Content::folder("album", &FILES)
}

fn part_file(stage: &Stage, get: &Get) -> PathBuf {
    let hash: String = stage.torrent.info_hash.iter().map(|byte| format!("{byte:02x}")).collect();
    get.dir.join(format!(".{hash}.swarmlet"))
}

/// Panics unless the folder holds exactly the files of the album with these numbers, and each byte is right.
fn assert_files(stage: &Stage, get: &Get, numbers: &[usize]) {
    let root = get.dir.join("album");
    let expected: BTreeSet<PathBuf> = numbers.iter().map(|number| root.join(FILES[number - 1].0)).collect();
    assert_eq!(files_below(&root), expected);
    for number in numbers {
        let (path, bytes) = &stage.content.files[number - 1];
        let path = root.join(path.as_ref().unwrap());
        assert!(fs::read(&path).unwrap() == *bytes, "{} differs", path.display());
    }
}

fn files_below(path: &Path) -> BTreeSet<PathBuf> {
    match fs::read_dir(path) {
        Ok(entries) => entries.flat_map(|entry| files_below(&entry.unwrap().path())).collect(),
        Err(_) => BTreeSet::from([path.into()]),
    }
}

#[test]
fn the_list_shows_numbers_and_sizes_and_creates_nothing() {
    let stage = Stage::new(album(), PIECE);
    let list = |options: &[&str]| {
        let get = stage.get("list").args(options).in_dir(&stage.path().join("not made"));
        let outcome = get.arg("--list").run();
        outcome.assert_code(0);
        assert_eq!(outcome.stderr, "");
        outcome.stdout
    };
    let all = "album: 4 files, 636 KiB\n* 1   195 KiB  CD1/a.flac\n* 2   293 KiB  CD1/b.flac\n\
               * 3   146 KiB  CD2/c.flac\n* 4  0.98 KiB  info.nfo\n";
    assert_eq!(list(&[]), all);
    let some = "album: 2 of 4 files, 488 of 636 KiB\n* 1   195 KiB  CD1/a.flac\n* 2   293 KiB  CD1/b.flac\n  \
                3   146 KiB  CD2/c.flac\n  4  0.98 KiB  info.nfo\n";
    assert_eq!(list(&["--files", "1-2,4", "--exclude", "*.nfo"]), some);
    let objects = list(&["--json", "--exclude=CD2"]);
    let objects = json::objects(&objects);
    assert_eq!(objects.len(), 4);
    let third = &objects[2];
    assert_eq!(
        (&third["event"], &third["name"], &third["path"]),
        (&"file".into(), &"album".into(), &"CD2/c.flac".into())
    );
    assert_eq!((&third["number"], &third["size"], &third["wanted"]), (&3.into(), &150_000.into(), &false.into()));
    assert_eq!((&objects[3]["wanted"], objects[3]["info_hash"].as_str().unwrap().len()), (&true.into(), 40));
    assert!(!stage.path().join("not made").exists());
    assert!(stage.tracker.announces(&stage.torrent.info_hash).is_empty());
}

#[test]
fn only_chosen_files_are_fetched_and_later_runs_fetch_the_rest() {
    let stage = Stage::new(album(), PIECE);
    let seed = stage.seed();
    let get = stage.get("leecher").args(&["--json", "--files", "1,3"]);
    let outcome = get.run();
    outcome.assert_code(0);
    assert_files(&stage, &get, &[1, 3]);
    let complete = outcome.json("complete");
    assert_eq!(
        (&complete["size"], &complete["wanted"], &complete["had"]),
        (&SIZE.into(), &OF_TWO.into(), &OF_TWO.into())
    );
    assert_eq!((&complete["fetched"], &complete["downloaded"]), (&OF_TWO.into(), &OF_TWO.into()));
    assert_eq!(outcome.json("stopped")["whole"], true);
    // The part file has room for pieces 3, 7 and 9, and no more.
    let parts = fs::metadata(part_file(&stage, &get)).unwrap();
    assert_eq!(parts.len(), 2 * PIECE as u64 + SIZE % PIECE as u64);
    // The tracker hears that bytes are missing, and nothing of a completed download.
    let announces = stage.announces_from(&get);
    assert!(announces.iter().all(|announce| announce.event != "completed"));
    assert_eq!((announces[0].left, announces.last().unwrap().left), (SIZE, 3 * PIECE as u64));

    // More is wanted, but not everything: pieces move out of the part file, and its last piece stays.
    let more = stage.get("leecher").args(&["--json", "--exclude", "*.nfo"]);
    let outcome = more.run();
    outcome.assert_code(0);
    assert_eq!(outcome.json("complete")["fetched"], 3 * PIECE as u64);
    assert_eq!(outcome.json("stopped")["downloaded"], 3 * PIECE as u64);
    assert_files(&stage, &more, &[1, 2, 3]);
    assert!(part_file(&stage, &get).exists());
    let announces = stage.announces_from(&more);
    assert_eq!(
        announces.iter().filter(|announce| announce.event == "completed").count(),
        1,
        "every piece is there now"
    );
    assert_eq!(announces.last().unwrap().left, 0);
    seed.terminate().assert_code(0);

    // All of the last file is in the part file, so no peer is needed.
    stage.get("leecher").run().assert_code(0);
    stage.content.assert_same_in(&get.dir);
    assert!(!part_file(&stage, &get).exists(), "the part file should be gone");
}

#[test]
fn pieces_in_the_part_file_are_uploaded_by_the_next_run_too() {
    let stage = Stage::new(album(), PIECE);
    let seed = stage.seed();
    let giver = stage.get("giver").args(&["--files", "1"]);
    giver.run().assert_code(0);
    seed.terminate().assert_code(0);
    // Another peer that wants the same file gets all of its pieces, including the one with unwanted bytes.
    let mut serving = stage.get("giver").args(&["--files", "1", "--seed"]).start();
    wait_until("the giver announces itself again", PATIENCE, || {
        serving.must_run();
        stage
            .tracker
            .announces(&stage.torrent.info_hash)
            .last()
            .is_some_and(|last| last.left == SIZE - 4 * PIECE as u64)
    });
    let taker = stage.get("taker").args(&["--files", "1"]);
    taker.run().assert_code(0);
    assert_files(&stage, &taker, &[1]);
    serving.terminate().assert_code(0);
    assert_files(&stage, &giver, &[1]);
}

#[test]
fn a_killed_run_and_a_damaged_part_file_cost_only_a_few_pieces() {
    let content = Content::folder("album", &[("a", 1_000_000), ("b", 1_000_000), ("c", 1_000_000), ("d", 1_000_000)]);
    let stage = Stage::new(content, PIECE);
    let (_seed, _line) = stage.slow_seed(1 << 20);

    let get = stage.get("leecher").args(&["--files", "1,3"]);
    let mut leecher = get.start();
    wait_until("the part file has content", PATIENCE, || {
        leecher.must_run();
        fs::metadata(part_file(&stage, &get)).is_ok_and(|found| found.blocks() > 16)
    });
    drop(leecher); // by SIGKILL
    damage(&part_file(&stage, &get), 0, fs::metadata(part_file(&stage, &get)).unwrap().len() as usize);

    get.run().assert_code(0);
    let root = get.dir.join("album");
    assert_eq!(files_below(&root), BTreeSet::from([root.join("a"), root.join("c")]));
    damage(&part_file(&stage, &get), PIECE + 70, 1);
    let all = stage.get("leecher").arg("--json");
    let outcome = all.run();
    outcome.assert_code(0);
    stage.content.assert_same_in(&get.dir);
    assert!(!part_file(&stage, &get).exists());
    // Everything except the 32 pieces of the two files, plus one of those again.
    assert_eq!(outcome.json("complete")["fetched"], 4_000_000 - 31 * PIECE as u64);
}

#[test]
fn an_existing_file_that_is_not_wanted_stays_as_it_is() {
    let stage = Stage::new(album(), PIECE);
    let _seed = stage.seed();
    let get = stage.get("leecher").args(&["--exclude", "b.*", "--preallocate"]);
    let other = get.dir.join("album/CD1/b.flac");
    fs::create_dir_all(other.parent().unwrap()).unwrap();
    fs::write(&other, "another file, longer than the one in the torrent ".repeat(10_000)).unwrap();
    let before = (fs::read(&other).unwrap(), fs::metadata(&other).unwrap().modified().unwrap());
    get.run().assert_code(0);
    assert!(before == (fs::read(&other).unwrap(), fs::metadata(&other).unwrap().modified().unwrap()));
    assert!(fs::read(get.dir.join("album/CD2/c.flac")).unwrap() == stage.content.files[2].1);
}

/// The pieces at its ends are in the part file. When that is gone, the state must not claim that the file is right.
#[test]
fn an_unwanted_file_is_not_trusted_because_its_pieces_were_once_there() {
    let stage = Stage::new(album(), PIECE);
    let _seed = stage.seed();
    let get = stage.get("leecher").args(&["--files", "1,3"]);
    let other = get.dir.join("album/CD1/b.flac");
    fs::create_dir_all(other.parent().unwrap()).unwrap();
    fs::write(&other, vec![7; FILES[1].1]).unwrap();
    // It is old.
    File::options().write(true).open(&other).unwrap().set_modified(UNIX_EPOCH + Duration::from_secs(1 << 30)).unwrap();
    get.run().assert_code(0);
    fs::remove_file(part_file(&stage, &get)).unwrap();
    // Nothing shows that the file belongs to the torrent.
    let outcome = stage.get("leecher").args(&["--json", "--overwrite"]).run();
    outcome.assert_code(0);
    assert_eq!(outcome.json("complete")["fetched"], 6 * PIECE as u64 - (10 * PIECE as u64 - SIZE));
    stage.content.assert_same_in(&get.dir);
}

/// Another user who can write into the folder must not make us write outside of it.
#[test]
fn a_symbolic_link_in_place_of_the_part_file_is_not_followed() {
    let stage = Stage::new(album(), PIECE);
    let _seed = stage.seed();
    let precious = stage.path().join("precious");
    fs::write(&precious, "as it was").unwrap();
    let get = stage.get("leecher").args(&["--files", "1"]);
    symlink(&precious, part_file(&stage, &get)).unwrap();
    let outcome = get.run();
    outcome.assert_refused(73);
    assert!(outcome.stderr.contains("symbolic link"), "{}", outcome.stderr);
    assert_eq!(fs::read(&precious).unwrap(), b"as it was");
}

#[test]
fn a_pattern_applies_to_all_torrents() {
    let stage = Stage::new(album(), PIECE);
    let other = Content::folder("notes", &[("a.txt", 10), ("b.nfo", 10), ("sub/c.nfo", 0), ("sub/d.txt", 0)]);
    let source = stage.path().join("other");
    let torrent = Maker::Ours.make(&other, &source, PIECE, &stage.tracker.url());
    let _seed = stage.seed();
    let mut other_seed = Get::new("other seed", stage.path()).in_dir(&source).torrent(&torrent).arg("--seed").start();
    stage.tracker.wait_for_a_seed(&torrent.info_hash, || other_seed.must_run());
    let get =
        stage.get("leecher").args(&["--exclude=*.nfo", "--exclude", "CD1/", "--exclude", "no such"]).torrent(&torrent);
    let outcome = get.run();
    outcome.assert_code(0);
    assert!(outcome.stderr.contains("--exclude no such "));
    assert_files(&stage, &get, &[3]);
    let root = get.dir.join("notes");
    assert_eq!(files_below(&root), BTreeSet::from([root.join("a.txt"), root.join("sub/d.txt")]));
    // Nothing is left of one torrent: the other is fetched all the same.
    let get = stage.get("another leecher").args(&["--exclude", "notes/", "--exclude", "*.txt", "--exclude", "*.nfo"]);
    let get = get.torrent(&torrent);
    let outcome = get.run();
    outcome.assert_code(0);
    assert!(outcome.stderr.contains("the options leave nothing to download"), "{}", outcome.stderr);
    assert!(!get.dir.join("notes").exists() && get.dir.join("album").exists());
}

#[test]
fn other_programs_upload_only_the_chosen_files() {
    if !here(&[Tool::Aria2, Tool::Libtorrent]) {
        return;
    }
    for program in [Program::Aria2, Program::Libtorrent] {
        let stage = Stage::new(album(), PIECE);
        let mut seed = Plan::seed(program, &stage.torrent, &stage.source, stage.path()).start();
        stage.tracker.wait_for_a_seed(&stage.torrent.info_hash, || seed.must_run());
        let get = stage.get("leecher").args(&["--files", "2"]);
        get.run().assert_code(0);
        assert_files(&stage, &get, &[2]);
        let sent = seed.uploaded();
        assert!(sent <= 6 * PIECE as u64, "{} sent {sent} bytes", program.version());
    }
}

#[test]
fn a_choice_without_sense_is_refused_with_an_explanation() {
    let stage = Stage::new(album(), PIECE);
    let second = stage.torrent.file.as_os_str();
    let twice = stage.get("two torrents").args(&["--files", "1"]).arg(second);
    let outcome = twice.run();
    outcome.assert_refused(64);
    assert!(outcome.stderr.contains("--files takes one torrent, but 2 are given"), "{}", outcome.stderr);
    for (options, words) in [
        (&["--files", "5"][..], "album: 4 files"),
        (&["--files", "1-99999999999"], "numbered 1 to 4; --list shows them"),
        (&["--files", "0"], "expected file numbers from 1, such as 1,3-5"),
        (&["--files", "3-1"], "runs backwards"),
        (&["--files", ""], "--files is empty"),
        (&["--files", "1,,2"], "a number is missing"),
        (&["--files", "4", "--exclude", "*.nfo"], "the options leave nothing to download"),
        (&["--exclude", "**"], "the options leave nothing to download"),
        (&["--exclude", "a[b"], "the [ has no ] after it"),
        (&["--exclude", ""], "the pattern is empty"),
        (&["--files", "1", "--files", "2"], "given twice"),
    ] {
        let get = stage.get("refused").args(options).in_dir(&stage.path().join("not made"));
        let outcome = get.run();
        outcome.assert_refused(64);
        let words = words.replace("album: 4 files", "has 4 files");
        assert!(outcome.stderr.contains(&words), "{options:?}: {}", outcome.stderr);
        assert!(!get.dir.exists());
    }
}

#[test]
fn a_torrent_with_the_name_of_a_part_file_is_refused() {
    let hash = "00112233445566778899aabbccddeeff00112233";
    let stage = Stage::new(Content::one_file(&format!(".{hash}.Swarmlet"), 5), PIECE);
    let outcome = stage.get("leecher").run();
    outcome.assert_refused(65);
    assert!(outcome.stderr.contains("swarmlet uses for its own hidden files"), "{}", outcome.stderr);
}
