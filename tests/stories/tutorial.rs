//! The lines that the tutorial of October 2004 has people type to publish and to download, as they stand, by the names
//! of then.

use crate::common::asker::{Asker, BLOCK};
use crate::common::content::Content;
use crate::common::process::Process;
use crate::common::swarmlet::program;
use crate::common::tmux::{PROMPT, Tmux};
use crate::common::tools::{Tool, here};
use crate::common::torrent::{Maker, Torrent};
use crate::common::tracker::Tracker;
use crate::common::wait::{PATIENCE, wait_until};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const PIECE: usize = 64 * 1024;

/// A machine on which the programs of then are installed, and the folder Aishah with its torrent.
struct Stage {
    scratch: TempDir,
    tracker: Tracker,
    content: Content,
    origin: PathBuf,
    torrent: Torrent,
}

impl Stage {
    fn new() -> Stage {
        let scratch = tempfile::tempdir().unwrap();
        let tracker = Tracker::start();
        let content = Content::folder("Aishah", &[("1.mp3", 700_000), ("2.mp3", 500_000), ("cover/a.jpg", 30_000)]);
        let origin = scratch.path().join("origin");
        let torrent = Maker::Ours.make(&content, &origin, PIECE, &tracker.url());
        fs::copy(&torrent.file, origin.join("Aishah.torrent")).unwrap();
        let bin = scratch.path().join("bin");
        fs::create_dir(&bin).unwrap();
        for name in ["btdownloadcurses.py", "btdownloadheadless.py", "btlaunchmany.py", "btlaunchmanycurses.py"] {
            symlink(program(), bin.join(name)).unwrap();
        }
        Stage { scratch, tracker, content, origin, torrent }
    }

    /// Types a line in the folder `at`.
    fn type_line(&self, line: &str, at: &Path) -> Process {
        let path = format!("{}:/usr/bin:/bin", self.scratch.path().join("bin").display());
        let mut command = Command::new("sh");
        command.args(["-c", &format!("exec {line}")]).current_dir(at).env("PATH", path);
        command.env("XDG_STATE_HOME", self.scratch.path().join("state"));
        Process::start(line.split(' ').next().unwrap(), &mut command, self.scratch.path())
    }

    /// A folder of somebody else, who has the torrent.
    fn elsewhere(&self, name: &str) -> PathBuf {
        let dir = self.scratch.path().join(name);
        fs::create_dir(&dir).unwrap();
        fs::copy(&self.torrent.file, dir.join("Aishah.torrent")).unwrap();
        dir
    }

    fn wait_until_there(&self, dir: &Path, alive: &mut Process) {
        wait_until("all is there", PATIENCE, || {
            alive.must_run();
            self.content.difference_in(dir).is_none()
        });
    }

    fn port_of_the_seed(&self) -> u16 {
        let announces = self.tracker.announces(&self.torrent.info_hash);
        announces.iter().rfind(|announce| announce.left == 0).unwrap().port
    }
}

/// The tutorial from its first line to its last; a machine of its own is needed for the port and the name. What comes
/// between its lines is what people do in between: they wait, and look.
const ALL_OF_IT: &str = r#"
set -e
ip link set lo up
echo '127.0.0.1 localhost please.dong.ah' > hosts
mount --bind hosts /etc/hosts
cd origin
bttrack.py --dfile dfile.log --logfile track.log --port 6969 &
tracker=$!
btmakemetafile.py Aishah http://please.dong.ah:6969/announce
btdownloadcurses.py Aishah.torrent &
seeder=$!
cp Aishah.torrent ../friend
cd ../friend
btdownloadcurses.py Aishah.torrent &
until diff -r Aishah ../origin/Aishah; do sleep 0.1; done
kill $seeder
wait $seeder
cd ../origin
btlaunchmany.py ./ &
seeder=$!
until grep -q 'GET.*left=0.* 200 ' track.log; do sleep 0.1; done
kill $tracker
wait $tracker
bttrack.py --dfile dfile.log --logfile track.log --port 6969 &
tracker=$!
until ss -ltn | grep -q ':6969 '; do sleep 0.1; done
kill -9 $tracker
bttrack.py --dfile dfile.log --logfile track.log --port 6969 &
cp Aishah.torrent ../third
cd ../third
btdownloadcurses.py Aishah.torrent &
until diff -r Aishah ../origin/Aishah; do sleep 0.1; done
kill $seeder
wait $seeder
cd ../origin
before=$(grep -c left=0 track.log)
btlaunchmany.py ./ --max_upload_rate 4 &
until [ "$(grep -c left=0 track.log)" -gt "$before" ]; do sleep 0.1; done
echo all of it
"#;

#[test]
fn the_whole_tutorial_runs_as_it_was_printed() {
    let scratch = tempfile::tempdir().unwrap();
    let bin = scratch.path().join("bin");
    for folder in ["bin", "origin", "friend", "third"] {
        fs::create_dir(scratch.path().join(folder)).unwrap();
    }
    for name in ["bttrack.py", "btmakemetafile.py", "btdownloadcurses.py", "btlaunchmany.py"] {
        symlink(program(), bin.join(name)).unwrap();
    }
    let content = Content::folder("Aishah", &[("1.mp3", 700_000), ("2.mp3", 500_000), ("cover/a.jpg", 30_000)]);
    content.write_to(&scratch.path().join("origin"));
    let path = format!("{}:/usr/bin:/bin:/usr/sbin:/sbin", bin.display());
    let own_machine = ["--user", "--map-root-user", "--mount", "--net", "--pid", "--fork", "--kill-child"];
    let mut can = Command::new("unshare");
    if !can.args(own_machine).arg("true").output().is_ok_and(|output| output.status.success()) {
        return crate::common::tools::say("SKIPPED: unshare (of util-linux) can't make a machine of its own");
    }
    let mut command = Command::new("unshare");
    command.args(own_machine).args(["sh", "-c", ALL_OF_IT]).current_dir(scratch.path()).env("PATH", path);
    command.env("XDG_STATE_HOME", scratch.path().join("state"));
    let mut people = Process::start("the tutorial", &mut command, scratch.path());
    assert!(people.wait(2 * PATIENCE).success(), "{}{}", people.stdout(), people.stderr());
    assert!(people.stdout().ends_with("all of it\n"));
    for place in ["friend", "third"] {
        assert!(content.difference_in(&scratch.path().join(place)).is_none(), "{place} has another Aishah");
    }
}

#[test]
fn btdownloadcurses_seeds_and_downloads_and_goes_on_seeding() {
    let stage = Stage::new();
    let mut seeder = stage.type_line("btdownloadcurses.py Aishah.torrent", &stage.origin);
    stage.tracker.wait_for_a_seed(&stage.torrent.info_hash, || seeder.must_run());
    let friend = stage.elsewhere("friend");
    let mut leecher = stage.type_line("btdownloadcurses.py Aishah.torrent", &friend);
    stage.wait_until_there(&friend, &mut leecher);
    wait_until("who has it all serves it", PATIENCE, || {
        leecher.must_run();
        stage.tracker.seeds(&stage.torrent.info_hash) == 2
    });
    let mut headless =
        stage.type_line("btdownloadheadless.py --responsefile Aishah.torrent", &stage.elsewhere("third"));
    stage.wait_until_there(&stage.scratch.path().join("third"), &mut headless);
}

/// What else those programs were told has its effect.
#[test]
fn max_uploads_ip_and_display_interval_are_heeded() {
    let stage = Stage::new();
    let line = "btdownloadheadless.py --max_uploads 1 --ip 127.0.0.9 --display_interval .1 --json Aishah.torrent";
    let mut seeder = stage.type_line(line, &stage.origin);
    stage.tracker.wait_for_a_seed(&stage.torrent.info_hash, || seeder.must_run());
    let announces = stage.tracker.announces(&stage.torrent.info_hash);
    assert!(announces.iter().all(|announce| announce.target.contains("&ip=127.0.0.9")), "{announces:?}");

    let port = stage.port_of_the_seed();
    let first = Asker::unchoked(port, &stage.torrent, 1, true);
    let mut second = Asker::connect(port, &stage.torrent, 2, true);
    second.send(2, &[]).unwrap();
    // A block that does not exist for who is choked: the answer says that it still is.
    let last = (stage.content.size() / PIECE as u64) as u32 - 1;
    (0..last).for_each(|piece| second.ask(piece, 0).unwrap());
    let mut answers = Vec::new();
    while answers.iter().filter(|id| [7, 16].contains(*id)).count() < last as usize {
        answers.push(second.hear().unwrap().0);
    }
    assert!(!answers.contains(&1) && answers.contains(&16), "it was served beside the first: {answers:?}");
    drop(first);
    while second.hear().expect("the seed stays").0 != 1 {}

    wait_until("the state was told 30 times", PATIENCE, || seeder.stdout().matches("\"status\"").count() >= 30);
    let last: serde_json::Value = serde_json::from_str(seeder.stdout().trim_end().lines().nth(29).unwrap()).unwrap();
    assert!(last["time"].as_f64().unwrap() < 20.0, "a tenth of a second apart: {last}");
}

#[test]
fn btlaunchmany_serves_a_folder_and_sees_what_comes_and_goes() {
    let stage = Stage::new();
    let mut many = stage.type_line("btlaunchmany.py ./", &stage.origin);
    stage.tracker.wait_for_a_seed(&stage.torrent.info_hash, || many.must_run());
    let friend = stage.elsewhere("friend");
    let mut leecher = stage.type_line("btdownloadcurses.py Aishah.torrent", &friend);
    stage.wait_until_there(&friend, &mut leecher);
    // Another torrent comes, half written at first; and one that is none.
    let siti = Content::folder("Siti", &[("1.mp3", 300_000)]);
    let second = Maker::Ours.make(&siti, &stage.scratch.path().join("siti"), PIECE, &stage.tracker.url());
    siti.write_to(&stage.origin);
    let bytes = fs::read(&second.file).unwrap();
    let file = stage.origin.join("Siti.torrent");
    fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    fs::write(stage.origin.join("none.torrent"), "this is none").unwrap();
    wait_until("what is none is named", PATIENCE, || many.stderr().contains("none.torrent"));
    fs::write(&file, &bytes).unwrap();
    stage.tracker.wait_for_a_seed(&second.info_hash, || many.must_run());
    fs::remove_file(&file).unwrap();
    wait_until("the torrent that was taken away is no more announced", PATIENCE, || {
        many.must_run();
        stage.tracker.seeds(&second.info_hash) == 0
    });
    assert!(siti.difference_in(&stage.origin).is_none(), "its content stays");
    many.signal(rustix::process::Signal::HUP);
    assert_eq!(many.stderr().matches("none.torrent").count(), 1, "once");
    many.signal(rustix::process::Signal::TERM);
    assert_eq!(many.wait(PATIENCE).code(), Some(0));
}

#[test]
fn btlaunchmany_with_a_rate_sends_at_most_four_kib_a_second() {
    const SECONDS: u64 = 16;
    let stage = Stage::new();
    let mut many = stage.type_line("btlaunchmany.py ./ --max_upload_rate 4", &stage.origin);
    let begun = Instant::now();
    stage.tracker.wait_for_a_seed(&stage.torrent.info_hash, || many.must_run());
    let mut asker = Asker::unchoked(stage.port_of_the_seed(), &stage.torrent, 1, false);
    let came = asker.fetch_until(0, PIECE as u32 / BLOCK, 4, begun + Duration::from_secs(SECONDS));
    let bytes: u64 = came.iter().map(|(_, bytes)| bytes).sum();
    let most = 4096 * begun.elapsed().as_secs_f64() as u64;
    assert!(bytes <= most && bytes >= 2 * u64::from(BLOCK), "{bytes} bytes, at most {most}");
}

/// What a person sees who types two of the lines at a terminal, and what leaves his machine meanwhile.
#[test]
fn a_person_at_a_terminal_sees_what_is_served_and_what_is_fetched() {
    const SECONDS: u64 = 14;
    if !here(&[Tool::Tmux]) {
        return;
    }
    let stage = Stage::new();
    let siti = Content::one_file("Siti.mp3", 400_000);
    let second = Maker::Ours.make(&siti, &stage.scratch.path().join("siti"), PIECE, &stage.tracker.url());
    siti.write_to(&stage.origin);
    fs::copy(&second.file, stage.origin.join("Siti.torrent")).unwrap();
    let [here, there] = ["here", "there"].map(|name| {
        let scratch = stage.scratch.path().join(name);
        fs::create_dir(&scratch).unwrap();
        let tmux = Tmux::start(&scratch, (80, 24), "C.UTF-8");
        tmux.type_line("PATH=../bin:$PATH XDG_STATE_HOME=../state; export PATH XDG_STATE_HOME");
        tmux
    });
    // In the list of many the row that is selected has a mark before it.
    let is_of = |row: &str, name: &str| row.trim_start_matches([' ', '>']).starts_with(name);
    let row_of =
        |rows: &[String], name: &str, what: &str| rows.iter().any(|row| is_of(row, name) && row.contains(what));

    here.type_line("clear; cd ../origin; btlaunchmany.py ./ --max_upload_rate 4");
    let begun = Instant::now();
    here.wait_for("both are seeded", |rows| row_of(rows, "Aishah ", "seeding") && row_of(rows, "Siti.mp3 ", "seeding"));
    here.assert_nothing_wraps();
    for torrent in [&stage.torrent, &second] {
        stage.tracker.wait_for_a_seed(&torrent.info_hash, || {});
    }
    let port = stage.port_of_the_seed();
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

    here.type_line("clear; btdownloadcurses.py Aishah.torrent --max_upload_rate 300");
    here.wait_for("it is seeded", |rows| row_of(rows, "Aishah ", "seeding"));
    stage.elsewhere("friend");
    there.type_line("clear; cd ../friend; btdownloadcurses.py Aishah.torrent");
    let rows = there.wait_for("a download", |rows| {
        row_of(rows, "Aishah ", "downloading") && rows.iter().any(|row| row.contains("▓") || row.contains("█"))
    });
    assert!(rows.iter().any(|row| row.contains(" %") && row.contains("MiB")), "{rows:#?}");
    assert!(rows.iter().any(|row| row.contains("/s down")), "{rows:#?}");
    there.assert_nothing_wraps();
    there.wait_for("it goes on seeding", |rows| row_of(rows, "Aishah ", "seeding"));
    assert!(stage.content.difference_in(&stage.scratch.path().join("friend")).is_none());
    for terminal in [here, there] {
        terminal.press("q");
        terminal.wait_for("the prompt", |rows| rows.iter().any(|row| row.trim_end() == PROMPT));
    }
}

#[test]
fn an_option_that_never_was_is_an_error_that_names_the_nearest() {
    let stage = Stage::new();
    for (line, near) in [
        ("btdownloadcurses.py --max_upload_rat 4 Aishah.torrent", "--max-upload-rate"),
        ("btlaunchmany.py --max_uplod_rate 4 ./", "--max-upload-rate"),
    ] {
        let mut process = stage.type_line(line, &stage.origin);
        assert_eq!(process.wait(PATIENCE).code(), Some(64), "{line}");
        assert!(process.stderr().contains(near), "{}", process.stderr());
    }
}
