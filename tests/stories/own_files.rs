//! Stories of files that are in the place of a torrent's files: a user's are kept, and partial downloads are used.

use crate::common::content::Content;
use crate::common::daemon::{Daemon, base64};
use crate::common::folder::Folder;
use crate::common::json;
use crate::common::peers::{Plan, Program};
use crate::common::stage::Stage;
use crate::common::swarmlet::{Get, Outcome};
use crate::common::tools::here;
use crate::common::wait::{PATIENCE, wait_until};
use serde_json::json;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, symlink};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
const PIECE: usize = 64 * KIB;

/// A folder with a large file and small ones that share a piece.
fn album() -> Content {
    Content::folder("album", &[("info.nfo", 900), ("cover.jpg", 20 * KIB), ("song.flac", 10 * PIECE), ("end.txt", 700)])
}

fn refused(outcome: &Outcome, path: &Path) {
    outcome.assert_refused(73);
    let words = [path.to_str().unwrap(), "--overwrite"];
    assert!(words.iter().all(|words| outcome.stderr.contains(words)), "{}", outcome.stderr);
}

/// Checks that `put`, in the place of `file`, is kept, and replaced with --overwrite.
fn is_kept(what: &str, file: &str, whole: bool, put: &[u8]) {
    println!("{what}");
    let stage = Stage::new(album(), PIECE);
    let _seed = stage.seed();
    let get = stage.get("leecher").arg("--json");
    if whole {
        stage.content.write_to(&get.dir);
    }
    let path = get.dir.join("album").join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, put).unwrap();
    for _ in 0..2 {
        refused(&get.run(), &path);
        assert_eq!(fs::read(&path).unwrap(), put, "{what} is lost");
    }
    assert!(whole || fs::read_dir(get.dir.join("album")).unwrap().count() == 1, "something was made beside {what}");
    get.arg("--overwrite").run().assert_code(0);
    stage.content.assert_same_in(&stage.path().join("leecher"));
}

#[test]
fn a_users_file_is_kept_without_overwrite() {
    is_kept("a short text", "song.flac", false, b"my notes on this song");
    is_kept("a file as long as the torrent's", "cover.jpg", false, &[b'x'; 20 * KIB]);
    is_kept("a longer file", "cover.jpg", false, &[b'x'; 21 * KIB]);
    is_kept("zeros with one byte at the end", "song.flac", false, &[&[0; 5 * PIECE][..], b"x"].concat());
    is_kept("an edited file beside right ones", "info.nfo", true, &[b'x'; 900]);
    is_kept("a shortened file beside right ones", "info.nfo", true, b"mine");
    is_kept("a file by another program beside right ones", "song.flac", true, &[b'x'; 3 * PIECE + 5]);
    is_kept("one that ends where a block ends", "song.flac", true, &[b'x'; 2 * PIECE]);
}

/// Other programs leave such files.
#[test]
fn empty_files_and_zeros_are_used() {
    let stage = Stage::new(album(), PIECE);
    let _seed = stage.seed();
    let get = stage.get("leecher");
    fs::create_dir_all(get.dir.join("album")).unwrap();
    File::create(get.dir.join("album/info.nfo")).unwrap();
    fs::write(get.dir.join("album/cover.jpg"), [0; 20 * KIB]).unwrap();
    File::create(get.dir.join("album/song.flac")).unwrap().set_len(10 * PIECE as u64).unwrap();
    get.run().assert_code(0);
    stage.content.assert_same_in(&get.dir);
}

/// Many files contain some.
#[test]
fn pieces_of_zeros_prove_nothing() {
    let mut content = Content::one_file("image.raw", 4 * PIECE);
    content.files[0].1[PIECE..3 * PIECE].fill(0);
    let stage = Stage::new(content, PIECE);
    let get = stage.get("leecher");
    let path = get.dir.join("image.raw");
    let mine = File::create(&path).unwrap();
    mine.set_len(4 * PIECE as u64).unwrap();
    mine.write_all_at(b"my own image", 0).unwrap();
    refused(&get.run(), &path);
}

/// The first piece is large, and none is verified when the run is killed.
#[test]
fn what_was_begun_is_continued_after_kill_9_at_any_moment() {
    let stage = Stage::new(Content::folder("album", &[("a", 3 * MIB), ("b", 3 * MIB)]), 2 * MIB);
    let (_seed, line) = stage.slow_seed(MIB as u64);
    let get = stage.get("leecher").arg("--json");
    for _ in 0..2 {
        let mut leecher = get.start();
        let until = line.passed() + MIB as u64;
        wait_until("a part has arrived", PATIENCE, || {
            leecher.must_run();
            line.passed() >= until
        });
        leecher.kill();
        let written = |name| fs::read(get.dir.join("album").join(name)).is_ok_and(|data| data.iter().any(|b| *b != 0));
        assert!(written("a") || written("b"), "nothing was written before the kill");
    }
    // A run with other resume states does not know who made the file.
    let stranger = stage.get("stranger").in_dir(&get.dir).arg("--state").arg(stage.path().join("other states")).run();
    stranger.assert_refused(73);
    let outcome = get.run();
    outcome.assert_code(0);
    stage.content.assert_same_in(&get.dir);
}

/// swarmlet gives a file its full length before the first byte.
#[test]
fn a_shorter_file_in_the_place_of_one_that_was_begun_is_kept() {
    let stage = Stage::new(Content::one_file("song.flac", 3 * MIB), 2 * MIB);
    let (_seed, line) = stage.slow_seed(MIB as u64);
    let get = stage.get("leecher").arg("--json");
    let mut leecher = get.start();
    let path = get.dir.join("song.flac");
    wait_until("the file was begun", PATIENCE, || {
        leecher.must_run();
        path.exists() && line.passed() >= MIB as u64 / 2
    });
    leecher.kill();
    fs::remove_file(&path).unwrap();
    fs::write(&path, "from another source").unwrap();
    refused(&get.run(), &path);
    assert_eq!(fs::read(&path).unwrap(), b"from another source");
}

/// swarmlet does not write to a complete file any more: a file that replaces it is the user's.
#[test]
fn a_file_that_replaced_a_complete_one_is_kept() {
    let stage = Stage::new(album(), PIECE);
    let seed = stage.seed();
    let get = stage.get("leecher");
    get.run().assert_code(0);
    let path = get.dir.join("album/song.flac");
    fs::write(&path, "encoded again").unwrap();
    refused(&get.run(), &path);
    assert_eq!(fs::read(&path).unwrap(), b"encoded again");
    // The same while it runs. It is noticed when a peer asks for the file, and nobody else has it.
    drop(seed);
    stage.content.write_to(&get.dir);
    let mut seeder = get.arg("--seed").arg("--json").start();
    wait_until("it seeds", PATIENCE, || {
        seeder.must_run();
        seeder.stdout().contains(r#""event":"complete""#)
    });
    fs::write(&path, "encoded again").unwrap();
    let _other = Get::new("other", stage.path()).torrent(&stage.torrent).start();
    wait_until("the torrent is refused", PATIENCE, || {
        seeder.stdout().contains("--overwrite") || seeder.stderr().contains("--overwrite")
    });
    assert_eq!(fs::read(&path).unwrap(), b"encoded again");
}

/// No state on the disk says yet that swarmlet completed it.
#[test]
fn a_file_that_replaced_one_that_was_completed_a_moment_ago_is_kept() {
    for mine in [vec![b'm'; 10 * PIECE], b"encoded again".to_vec()] {
        let stage = Stage::new(Content::one_file("song.flac", 10 * PIECE), PIECE);
        let seed = stage.seed();
        let get = stage.get("leecher").arg("--seed").arg("--json");
        let mut leecher = get.start();
        wait_until("it is complete", PATIENCE, || {
            leecher.must_run();
            json::first(&leecher.stdout(), "complete").is_some()
        });
        drop(seed);
        let path = get.dir.join("song.flac");
        fs::write(&path, &mine).unwrap();
        // A file is looked at once a second, when a peer asks for it.
        sleep(Duration::from_secs(2));
        let _other = Get::new("other", stage.path()).torrent(&stage.torrent).start();
        wait_until("the torrent is refused", PATIENCE, || leecher.stderr().contains("--overwrite"));
        let failed = json::first(&leecher.stdout(), "failed").unwrap();
        assert_eq!(failed["exit_code"], 73);
        assert!(fs::read(&path).unwrap() == mine);
    }
}

/// A run that received nothing has made no file: a file that appears later is the user's.
#[test]
fn a_file_that_came_after_a_run_without_peers_is_kept() {
    let stage = Stage::new(album(), PIECE);
    let get = stage.get("leecher").arg("--json");
    let mut leecher = get.start();
    wait_until("it waits", PATIENCE, || {
        leecher.must_run();
        leecher.stdout().contains(r#""event":"checked""#)
    });
    leecher.terminate().assert_code(75);
    let path = get.dir.join("album/song.flac");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, "from another source").unwrap();
    refused(&get.run(), &path);
    assert_eq!(fs::read(&path).unwrap(), b"from another source");
}

/// The file appears while swarmlet waits for peers.
#[test]
fn a_file_that_comes_while_it_runs_is_kept() {
    let stage = Stage::new(Content::one_file("song.flac", 10 * PIECE), PIECE);
    let get = stage.get("leecher").arg("--json");
    let mut leecher = get.start();
    wait_until("it waits", PATIENCE, || {
        leecher.must_run();
        leecher.stdout().contains(r#""event":"checked""#)
    });
    fs::write(get.dir.join("song.flac"), "from another source").unwrap();
    let _seed = stage.seed();
    leecher.wait().assert_refused(73);
    assert_eq!(fs::read(get.dir.join("song.flac")).unwrap(), b"from another source");
}

/// It is as long as the torrent's file. Nothing that a person or a crash does makes it the torrent's.
#[test]
fn a_file_that_comes_while_the_daemon_runs_is_kept_at_every_start() {
    if !cfg!(feature = "daemon") {
        return;
    }
    let folder = Folder::new();
    let (content, torrent) = folder.make("song.flac", 10 * PIECE);
    let mut daemon = Daemon::start(folder.path(), &[]);
    daemon.ask("torrent-add", &json!({ "metainfo": base64(&fs::read(&torrent.file).unwrap()) }));
    daemon.wait_for("status", &json!(4));
    let (path, mine) = (daemon.dir.join("song.flac"), vec![b'm'; 10 * PIECE]);
    fs::write(&path, &mine).unwrap();
    let mut seed = folder.seed("song.flac", &torrent, &[]);
    folder.tracker.wait_for_a_seed(&torrent.info_hash, || seed.must_run());
    daemon.ask("torrent-reannounce", &json!({ "ids": 1 }));
    daemon.wait_for("error", &json!(3));
    assert!(daemon.log().contains("another program made it meanwhile"), "{}", daemon.log());
    let link = daemon.dir.join("link");
    symlink(&daemon.dir, &link).unwrap();
    let refusals = |daemon: &Daemon| daemon.log().matches("it is not of this torrent").count();
    for (method, location) in [
        ("torrent-start", json!(null)),
        ("torrent-start", json!(null)),
        ("torrent-verify", json!(null)),
        ("torrent-set-location", json!(link)),
        ("torrent-start", json!(null)),
    ] {
        let before = refusals(&daemon);
        daemon.ask(method, &json!({ "ids": 1, "location": location, "move": false }));
        wait_until(&format!("{method} is refused"), PATIENCE, || refusals(&daemon) > before);
        daemon.wait_for("error", &json!(3));
        assert!(fs::read(&path).unwrap() == mine, "{method}");
    }
    daemon.kill_and_start();
    for refused in 0..2 {
        wait_until("it is refused after the kill", PATIENCE, || refusals(&daemon) > refused);
        assert!(fs::read(&path).unwrap() == mine, "{}", daemon.log());
        daemon.ask("torrent-start", &json!({ "ids": 1 }));
    }
    fs::remove_file(&path).unwrap();
    wait_until("it is downloaded when the file is gone", PATIENCE, || {
        daemon.ask("torrent-start", &json!({ "ids": 1 }));
        daemon.torrents(&["percentDone"]) == [json!({ "percentDone": 1 })]
    });
    content.assert_same_in(&daemon.dir);
    // Two paths of one folder have one state, which stays.
    let states = || fs::read_dir(folder.path().join("state")).unwrap().flatten();
    let has_state = || states().any(|entry| entry.file_name().to_string_lossy().ends_with(".resume"));
    daemon.ask("torrent-set-location", &json!({ "ids": 1, "location": link, "move": false }));
    daemon.wait_for("downloadDir", &json!(link));
    assert!(has_state());
}

#[test]
fn many_refuses_only_the_torrent_whose_file_is_in_the_way() {
    let folder = Folder::new();
    let made = ["first", "second"].map(|name| folder.make(name, 3 * PIECE));
    for (content, torrent) in &made {
        folder.put(torrent, &format!("{}.torrent", content.name));
    }
    let path = folder.dir.join("first");
    fs::write(&path, "mine").unwrap();
    let _seed = folder.seed("second", &made[1].1, &[]);
    let mut many = folder.many(&["--json"]).start();
    let said = |many: &crate::common::swarmlet::Swarmlet, name: &str, event: &str| {
        json::about(&many.stdout(), name).iter().any(|object| object["event"] == event)
    };
    wait_until("the one is refused and the other complete", PATIENCE, || {
        many.must_run();
        said(&many, "first", "failed") && said(&many, "second", "complete")
    });
    assert_eq!(fs::read(&path).unwrap(), b"mine");
}

/// Such files contain bytes of pieces that are not verified.
#[test]
fn partial_downloads_of_other_programs_are_used() {
    for program in [Program::Aria2, Program::Transmission, Program::Rtorrent, Program::Libtorrent] {
        if !here(&[program.tool()]) {
            continue;
        }
        let stage = Stage::new(Content::tree("tree"), 256 * KIB);
        let dir = stage.path().join("half");
        fs::create_dir(&dir).unwrap();
        let plan = Plan::fetch(program, &stage.torrent, &dir, stage.path());
        let mut other = plan.start();
        wait_until("it has announced itself", PATIENCE, || {
            other.must_run();
            !stage.tracker.announces_from(&stage.torrent.info_hash, plan.port).is_empty()
        });
        let seed = stage.get("seed").in_dir(&stage.source).args(&["--seed", "--json", "--max-upload-rate", "1500"]);
        let mut seed = seed.start();
        wait_until("it has half of the content", PATIENCE, || {
            other.must_run();
            seed.must_run();
            let status = json::last(&seed.stdout(), "status");
            status.is_some_and(|status| status["uploaded"].as_u64().unwrap() > stage.content.size() / 2)
        });
        other.interrupt();
        let outcome = stage.get("leecher").in_dir(&dir).arg("--json").run();
        outcome.assert_code(0);
        let had = outcome.json("checked")["had"].as_u64().unwrap();
        println!("{}: {had} of {} bytes were used", program.version(), stage.content.size());
        assert!(had > 0 && had < stage.content.size(), "{program:?}: {had} bytes were used");
        assert_eq!(stage.content.difference_in(&dir), None);
    }
}
