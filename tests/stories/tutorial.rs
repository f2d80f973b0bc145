//! Stories of the tutorial of October 2004: its command lines run as they were printed, with the old names.

use crate::common::asker::{Asker, BLOCK};
use crate::common::content::Content;
use crate::common::json;
use crate::common::process::Process;
use crate::common::stage::Stage;
use crate::common::swarmlet::program;
use crate::common::tmux::{PROMPT, Tmux};
use crate::common::tools::{Tool, can_unshare, here};
use crate::common::torrent::Maker;
use crate::common::wait::{PATIENCE, wait_until};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const PIECE: usize = 64 * 1024;

/// The folder that the tutorial shares.
fn aishah() -> Content {
    Content::folder("Aishah", &[("1.mp3", 700_000), ("2.mp3", 500_000), ("cover/a.jpg", 30_000)])
}

/// Links our program into `scratch/bin` with the names of 2004.
fn install(scratch: &Path) -> PathBuf {
    let bin = scratch.join("bin");
    fs::create_dir(&bin).unwrap();
    let names = ["bttrack", "btmakemetafile", "btdownloadcurses", "btdownloadheadless", "btlaunchmany"];
    names.iter().for_each(|name| symlink(program(), bin.join(format!("{name}.py"))).unwrap());
    bin
}

/// A machine with the programs of 2004. Its folder `source` holds Aishah and the torrent.
fn stage() -> Stage {
    let stage = Stage::new(aishah(), PIECE);
    fs::copy(&stage.torrent.file, stage.source.join("Aishah.torrent")).unwrap();
    install(stage.path());
    stage
}

/// Runs a command line in the folder `at`.
fn type_line(stage: &Stage, line: &str, at: &Path) -> Process {
    let mut command = Command::new("sh");
    let path = format!("{}:/usr/bin:/bin", stage.path().join("bin").display());
    // The peers of other stories are in the local network.
    command.args(["-c", &format!("exec {line} --no-lsd --no-dht --no-port-mapping")]).current_dir(at).env("PATH", path);
    command.env("XDG_STATE_HOME", stage.path().join("state"));
    Process::start(line.split(' ').next().unwrap(), &mut command, stage.path())
}

/// The folder of another user, with the torrent.
fn elsewhere(stage: &Stage, name: &str) -> PathBuf {
    let dir = stage.path().join(name);
    fs::create_dir(&dir).unwrap();
    fs::copy(&stage.torrent.file, dir.join("Aishah.torrent")).unwrap();
    dir
}

fn wait_until_there(stage: &Stage, dir: &Path, alive: &mut Process) {
    wait_until("everything has arrived", PATIENCE, || {
        alive.must_run();
        stage.content.difference_in(dir).is_none()
    });
}

fn port_of_the_seed(stage: &Stage) -> u16 {
    let announces = stage.tracker.announces(&stage.torrent.info_hash);
    announces.iter().rfind(|announce| announce.left == 0).unwrap().port
}

/// The tutorial from its first line to its last. It needs its own machine (namespaces) for the port and the host name.
/// The lines between wait for results, as people do.
const ALL_OF_IT: &str = r#"
set -e
ip link set lo up
echo '127.0.0.1 localhost please.dong.ah' > hosts
mount --bind hosts /etc/hosts
cd source
bttrack.py --dfile dfile.log --logfile track.log --port 6969 &
tracker=$!
btmakemetafile.py Aishah http://please.dong.ah:6969/announce
btdownloadcurses.py Aishah.torrent &
seeder=$!
cp Aishah.torrent ../friend
cd ../friend
btdownloadcurses.py Aishah.torrent &
until diff -r Aishah ../source/Aishah > ../diff; do sleep 0.1; done
kill $seeder
wait $seeder
cd ../source
btlaunchmany.py ./ &
seeder=$!
until grep -q 'GET.*left=0.* 200 ' track.log; do sleep 0.1; done
kill $tracker
wait $tracker
bttrack.py --dfile dfile.log --logfile track.log --port 6969 &
tracker=$!
until ss -ltn | grep -q ':6969 '; do sleep 0.1; done
kill -9 $tracker
wait $tracker || true
bttrack.py --dfile dfile.log --logfile track.log --port 6969 &
cp Aishah.torrent ../third
cd ../third
btdownloadcurses.py Aishah.torrent &
until diff -r Aishah ../source/Aishah > ../diff; do sleep 0.1; done
kill $seeder
wait $seeder
cd ../source
before=$(grep -c left=0 track.log)
btlaunchmany.py ./ --max_upload_rate 4 &
until [ "$(grep -c left=0 track.log)" -gt "$before" ]; do sleep 0.1; done
echo all of it
"#;

#[test]
fn the_whole_tutorial_runs_as_it_was_printed() {
    let own_machine = ["--user", "--map-root-user", "--mount", "--net", "--pid", "--fork", "--kill-child"];
    if !can_unshare(&own_machine) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let (bin, content) = (install(scratch.path()), aishah());
    for folder in ["source", "friend", "third"] {
        fs::create_dir(scratch.path().join(folder)).unwrap();
    }
    content.write_to(&scratch.path().join("source"));
    let path = format!("{}:/usr/bin:/bin:/usr/sbin:/sbin", bin.display());
    let mut command = Command::new("unshare");
    command.args(own_machine).args(["sh", "-c", ALL_OF_IT]).current_dir(scratch.path()).env("PATH", path);
    command.env("XDG_STATE_HOME", scratch.path().join("state"));
    let mut people = Process::start("the tutorial", &mut command, scratch.path());
    assert!(people.wait(2 * PATIENCE).success(), "{}{}", people.stdout(), people.stderr());
    assert!(people.stdout().ends_with("all of it\n"));
    for place in ["friend", "third"] {
        assert!(content.difference_in(&scratch.path().join(place)).is_none(), "{place} has a different Aishah");
    }
}

#[test]
fn btdownloadcurses_seeds_downloads_and_then_seeds_too() {
    let stage = stage();
    let mut seeder = type_line(&stage, "btdownloadcurses.py Aishah.torrent", &stage.source);
    stage.tracker.wait_for_a_seed(&stage.torrent.info_hash, || seeder.must_run());
    let friend = elsewhere(&stage, "friend");
    let mut leecher = type_line(&stage, "btdownloadcurses.py Aishah.torrent", &friend);
    wait_until_there(&stage, &friend, &mut leecher);
    wait_until("the leecher has become a seed", PATIENCE, || {
        leecher.must_run();
        stage.tracker.seeds(&stage.torrent.info_hash) == 2
    });
    let mut headless =
        type_line(&stage, "btdownloadheadless.py --responsefile Aishah.torrent", &elsewhere(&stage, "third"));
    wait_until_there(&stage, &stage.path().join("third"), &mut headless);
    let told = headless.stderr();
    assert!(told.contains("listening on port ") && !told.contains(" info "), "plain lines and no log: {told}");
}

#[test]
fn max_uploads_ip_and_display_interval_have_their_effect() {
    let stage = stage();
    let line = "btdownloadheadless.py --max_uploads 1 --ip 127.0.0.9 --display_interval .1 --json Aishah.torrent";
    let mut seeder = type_line(&stage, line, &stage.source);
    stage.tracker.wait_for_a_seed(&stage.torrent.info_hash, || seeder.must_run());
    let announces = stage.tracker.announces(&stage.torrent.info_hash);
    assert!(announces.iter().all(|announce| announce.target.contains("&ip=127.0.0.9")), "{announces:?}");

    let port = port_of_the_seed(&stage);
    let first = Asker::unchoked(port, &stage.torrent, 1, true);
    let mut second = Asker::connect(port, &stage.torrent, 2, true);
    second.send(2, &[]).unwrap();
    // Requests of a choked peer get rejects, which show that it is still choked.
    let last = (stage.content.size() / PIECE as u64) as u32 - 1;
    (0..last).for_each(|piece| second.ask(piece, 0).unwrap());
    let mut answers = Vec::new();
    while answers.iter().filter(|id| [7, 16].contains(*id)).count() < last as usize {
        answers.push(second.hear().unwrap().0);
    }
    assert!(!answers.contains(&1) && answers.contains(&16), "it was unchoked beside the first: {answers:?}");
    drop(first);
    while second.hear().expect("the seed stays").0 != 1 {}

    wait_until("there are 30 reports", PATIENCE, || json::objects(&seeder.stdout()).len() >= 30);
    let last = json::objects(&seeder.stdout()).swap_remove(29);
    assert!(last["time"].as_f64().unwrap() < 20.0, "a tenth of a second apart: {last}");
}

#[test]
fn btlaunchmany_seeds_a_folder_and_notices_new_and_removed_torrents() {
    let stage = stage();
    let mut many = type_line(&stage, "btlaunchmany.py ./", &stage.source);
    stage.tracker.wait_for_a_seed(&stage.torrent.info_hash, || many.must_run());
    let friend = elsewhere(&stage, "friend");
    let mut leecher = type_line(&stage, "btdownloadcurses.py Aishah.torrent", &friend);
    wait_until_there(&stage, &friend, &mut leecher);
    // Another torrent comes, half written at first, and a file that is no torrent.
    let siti = Content::folder("Siti", &[("1.mp3", 300_000)]);
    let second = Maker::Ours.make(&siti, &stage.path().join("siti"), PIECE, &stage.tracker.url());
    siti.write_to(&stage.source);
    let bytes = fs::read(&second.file).unwrap();
    let file = stage.source.join("Siti.torrent");
    fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    fs::write(stage.source.join("none.torrent"), "not a torrent").unwrap();
    wait_until("the bad file is reported", PATIENCE, || many.stderr().contains("none.torrent"));
    fs::write(&file, &bytes).unwrap();
    stage.tracker.wait_for_a_seed(&second.info_hash, || many.must_run());
    fs::remove_file(&file).unwrap();
    wait_until("the removed torrent is not announced any more", PATIENCE, || {
        many.must_run();
        stage.tracker.seeds(&second.info_hash) == 0
    });
    assert!(siti.difference_in(&stage.source).is_none(), "its content must stay");
    many.signal(rustix::process::Signal::HUP);
    assert_eq!(many.stderr().matches("none.torrent").count(), 1, "the bad file is reported once");
    many.signal(rustix::process::Signal::TERM);
    assert_eq!(many.wait(PATIENCE).code(), Some(0));
}

#[test]
fn btlaunchmany_with_a_rate_uploads_at_most_four_kib_a_second() {
    const SECONDS: u64 = 16;
    let stage = stage();
    let begun = Instant::now();
    let mut many = type_line(&stage, "btlaunchmany.py ./ --max_upload_rate 4", &stage.source);
    stage.tracker.wait_for_a_seed(&stage.torrent.info_hash, || many.must_run());
    let mut asker = Asker::unchoked(port_of_the_seed(&stage), &stage.torrent, 1, false);
    let came = asker.fetch_until(0, PIECE as u32 / BLOCK, 4, begun + Duration::from_secs(SECONDS));
    let bytes: u64 = came.iter().map(|(_, bytes)| bytes).sum();
    let most = 4096 * begun.elapsed().as_secs_f64() as u64;
    assert!(bytes <= most && bytes >= 2 * u64::from(BLOCK), "{bytes} bytes, at most {most}");
}

/// Two lines of the tutorial at a terminal: the screen, and the bytes that are uploaded meanwhile.
#[test]
fn the_terminal_shows_what_is_seeded_and_what_is_fetched() {
    const SECONDS: u64 = 14;
    if !here(&[Tool::Tmux]) {
        return;
    }
    let stage = stage();
    let siti = Content::one_file("Siti.mp3", 400_000);
    let second = Maker::Ours.make(&siti, &stage.path().join("siti"), PIECE, &stage.tracker.url());
    siti.write_to(&stage.source);
    fs::copy(&second.file, stage.source.join("Siti.torrent")).unwrap();
    let [here, there] = ["here", "there"].map(|name| {
        let scratch = stage.path().join(name);
        fs::create_dir(&scratch).unwrap();
        let tmux = Tmux::start(&scratch, (80, 24), "C.UTF-8");
        tmux.type_line("PATH=../bin:$PATH XDG_STATE_HOME=../state; export PATH XDG_STATE_HOME");
        tmux
    });
    // In the list of `many` a mark precedes the selected row.
    let is_of = |row: &str, name: &str| row.trim_start_matches([' ', '>']).starts_with(name);
    let row_of =
        |rows: &[String], name: &str, what: &str| rows.iter().any(|row| is_of(row, name) && row.contains(what));

    here.type_line("clear; cd ../source; btlaunchmany.py ./ --max_upload_rate 4 --no-lsd --no-dht --no-port-mapping");
    let begun = Instant::now();
    here.wait_for("both torrents are seeded", |rows| {
        row_of(rows, "Aishah ", "seeding") && row_of(rows, "Siti.mp3 ", "seeding")
    });
    here.assert_nothing_wraps();
    for torrent in [&stage.torrent, &second] {
        stage.tracker.wait_for_a_seed(&torrent.info_hash, || {});
    }
    let port = port_of_the_seed(&stage);
    let came = std::thread::scope(|scope| {
        let fetch = |torrent| {
            scope.spawn(move || {
                let end = Instant::now() + Duration::from_secs(SECONDS);
                let came = Asker::unchoked(port, torrent, 1, false).fetch_until(0, PIECE as u32 / BLOCK, 4, end);
                came.iter().map(|(_, bytes)| bytes).sum::<u64>()
            })
        };
        let askers = [fetch(&stage.torrent), fetch(&second)];
        here.wait_for("the rate is shown", |rows| rows.iter().any(|row| row.contains(" KiB/s up")));
        askers.map(|asker| asker.join().unwrap())
    });
    let most = (4096.0 * begun.elapsed().as_secs_f64()) as u64;
    assert!(came.iter().all(|bytes| *bytes <= most), "{came:?} bytes, at most {most}");
    assert!(came.iter().sum::<u64>() > 4096 * SECONDS, "{came:?} bytes: each torrent has a limit of its own");
    here.press("q");
    here.wait_for("the prompt", |rows| rows.iter().any(|row| row.trim_end() == PROMPT));

    here.type_line(
        "clear; btdownloadcurses.py Aishah.torrent --max_upload_rate 300 --no-lsd --no-dht --no-port-mapping",
    );
    here.wait_for("it is seeded", |rows| row_of(rows, "Aishah ", "seeding"));
    elsewhere(&stage, "friend");
    there.type_line("clear; cd ../friend; btdownloadcurses.py Aishah.torrent --no-lsd --no-dht --no-port-mapping");
    let rows = there.wait_for("a download", |rows| {
        row_of(rows, "Aishah ", "downloading") && rows.iter().any(|row| row.contains("▓") || row.contains("█"))
    });
    assert!(rows.iter().any(|row| row.contains(" %") && row.contains("MiB")), "{rows:#?}");
    assert!(rows.iter().any(|row| row.contains("/s down")), "{rows:#?}");
    there.assert_nothing_wraps();
    there.wait_for("it is seeded there too", |rows| row_of(rows, "Aishah ", "seeding"));
    assert!(stage.content.difference_in(&stage.path().join("friend")).is_none());
    for terminal in [here, there] {
        terminal.press("q");
        terminal.wait_for("the prompt", |rows| rows.iter().any(|row| row.trim_end() == PROMPT));
    }
}

#[test]
fn an_unknown_option_is_an_error_that_names_the_nearest_one() {
    let stage = stage();
    for (line, near) in [
        ("btdownloadcurses.py --max_upload_rat 4 Aishah.torrent", "--max-upload-rate"),
        ("btlaunchmany.py --max_uplod_rate 4 ./", "--max-upload-rate"),
    ] {
        let mut process = type_line(&stage, line, &stage.source);
        assert_eq!(process.wait(PATIENCE).code(), Some(64), "{line}");
        assert!(process.stderr().contains(near), "{}", process.stderr());
    }
}
