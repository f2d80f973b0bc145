//! Stories of the live screen of `many`, looked at in a real terminal (tmux) of 80x24 and of 40x10.

mod common;

use common::content::Content;
use common::swarmlet::Get;
use common::tmux::{PROMPT, Tmux, pid_of};
use common::tools::{Tool, here};
use common::torrent::{Maker, Torrent};
use common::tracker::Tracker;
use common::wait::{PATIENCE, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

const WIDE: (usize, usize) = (80, 24);
const NARROW: (usize, usize) = (40, 10);
const PIECE: usize = 16 * 1024;

/// A folder of torrents and their content.
struct Stage {
    scratch: TempDir,
    tracker: Tracker,
    folder: PathBuf,
}

impl Stage {
    fn new() -> Stage {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("folder");
        fs::create_dir(&folder).unwrap();
        Stage { scratch, tracker: Tracker::start(), folder }
    }

    /// A torrent in the folder, of so many bytes, and its content if that is there.
    fn put(&self, name: &str, size: usize, whole: bool) -> Torrent {
        let content = Content::one_file(name, size);
        let torrent = Maker::Ours.make(&content, &self.scratch.path().join("source"), PIECE, &self.tracker.url());
        let file = self.folder.join(format!("{name}.torrent"));
        fs::rename(&torrent.file, &file).unwrap();
        if whole {
            content.write_to(&self.folder);
        }
        Torrent::read(&file)
    }

    /// `many` of the folder, in a terminal.
    fn watch(&self, size: (usize, usize), options: &[&str]) -> Tmux {
        let terminal = self.scratch.path().join(format!("terminal {}", size.0));
        fs::create_dir(&terminal).unwrap();
        let tmux = Tmux::start(&terminal, size, "C.UTF-8");
        tmux.run_there(&Get::many("many", self.scratch.path(), &self.folder).args(options).command(), "");
        tmux
    }
}

/// The names of the torrents that are seen, from the top on.
fn names(rows: &[String]) -> Vec<String> {
    let torrents = rows.iter().filter(|row| row.contains(" %"));
    torrents.map(|row| row[1..].split_whitespace().next().unwrap_or("").to_string()).collect()
}

/// The row of the torrent that is selected.
fn selected(rows: &[String]) -> &str {
    rows.iter().find(|row| row.starts_with('>')).map_or("", |row| row)
}

fn wait_for_selected(tmux: &Tmux, name: &str) -> Vec<String> {
    tmux.wait_for(&format!("{name} is selected"), |rows| selected(rows).starts_with(&format!(">{name} ")))
}

#[test]
fn three_torrents_are_sorted_paused_and_limited() {
    if !here(&[Tool::Tmux]) {
        return;
    }
    let stage = Stage::new();
    let slow = stage.put("b-comes", 400 * PIECE, false);
    stage.put("a-seeds", 4 * PIECE, true);
    stage.put("c-waits", 4 * PIECE, false);
    let source = stage.scratch.path().join("source");
    let seed = Get::seed("seed", stage.scratch.path(), &source).torrent(&slow).args(&["--max-upload-rate", "60"]);
    let mut seed = seed.start();
    stage.tracker.wait_for_a_seed(&slow.info_hash, || seed.must_run());

    let tmux = stage.watch(WIDE, &[]);
    let rows = tmux.wait_for("one downloads, one seeds, one waits", |rows| {
        let row = |name: &str, state: &str| rows.iter().any(|row| row.contains(name) && row.contains(state));
        row("a-seeds", " seeding") && row("b-comes", " downloading") && row("c-waits", " waiting")
    });
    tmux.assert_nothing_wraps();
    assert!(rows[0].starts_with(" [name] 1 of 3 ") && rows[0].trim_end().ends_with("peers"), "{rows:#?}");
    assert_eq!(names(&rows), ["a-seeds", "b-comes", "c-waits"]);
    assert!(selected(&rows).starts_with(">a-seeds "), "{rows:#?}");
    assert!(rows.iter().any(|row| row.starts_with("3 torrents, 1 complete  ")), "{rows:#?}");
    assert!(rows.iter().any(|row| row.starts_with("q quit, p pause, a all, s sort, ")), "{rows:#?}");

    // The one that is selected is paused, and no other; then it goes on.
    tmux.press("Down");
    wait_for_selected(&tmux, "b-comes");
    tmux.press("p");
    let rows = tmux.wait_for("one pause", |rows| selected(rows).contains(" paused "));
    assert_eq!(rows.iter().filter(|row| row.contains(" %") && row.contains(" paused ")).count(), 1, "{rows:#?}");
    assert!(rows.iter().any(|row| row.starts_with("paused: nothing is requested")), "{rows:#?}");
    tmux.press("p");
    tmux.wait_for("it goes on", |rows| selected(rows).contains(" downloading "));

    // All of them.
    let paused = |rows: &[String]| rows.iter().filter(|row| row.contains(" %") && row.contains(" paused ")).count();
    tmux.press("a");
    tmux.wait_for("all pause", |rows| paused(rows) == 3);
    tmux.press("a");
    tmux.wait_for("none does", |rows| paused(rows) == 0 && selected(rows).contains(" downloading "));

    // By what is sorted is said at the top; what is selected stays so.
    for (title, first) in [("[done]", "b-comes"), ("[down]", "b-comes"), ("[up]", ""), ("[peers]", "b-comes")] {
        tmux.press("s");
        let sorted = |rows: &[String]| {
            rows[0].contains(title) && names(rows).first().is_some_and(|name| name.starts_with(first))
        };
        tmux.wait_for(&format!("sorted by {title}"), sorted);
    }
    assert!(selected(&tmux.rows()).starts_with(">b-comes "));

    // Limits, of both directions.
    let limit = |rows: &[String], way: &str| {
        let row = rows.iter().find_map(|row| row.strip_prefix("limited to "))?;
        row.split(',').map(str::trim).find(|limit| limit.ends_with(way)).map(str::to_string)
    };
    tmux.press("-");
    let low = tmux.wait_for("a limit of downloads", |rows| limit(rows, "down").is_some());
    tmux.press("+");
    tmux.wait_for("a higher one", |rows| limit(rows, "down").is_some_and(|now| Some(now) != limit(&low, "down")));
    tmux.press("<");
    let low = tmux.wait_for("a limit of uploads", |rows| limit(rows, "up").is_some());
    tmux.press("<");
    tmux.wait_for("a lower one", |rows| limit(rows, "up").is_some_and(|now| Some(now) != limit(&low, "up")));
    tmux.assert_nothing_wraps();

    // The peers of the one that is selected, and the list again.
    tmux.press("v");
    tmux.wait_for("the seed", |rows| {
        rows.iter().any(|row| row.starts_with("  127.0.0.1:")) && rows[0].starts_with("b-comes")
    });
    tmux.press("v");
    wait_for_selected(&tmux, "b-comes");
    tmux.press("?");
    tmux.wait_for("no keys", |rows| !rows.iter().any(|row| row.contains("q quit")));

    // One is taken away, another comes.
    fs::remove_file(stage.folder.join("c-waits.torrent")).unwrap();
    stage.put("d-comes-later", 2 * PIECE, true);
    tmux.wait_for("another three", |rows| {
        let mut names = names(rows);
        names.sort();
        names == ["a-seeds", "b-comes", "d-comes-later"]
    });
    tmux.press("q");
    tmux.wait_for("the prompt", |rows| rows.iter().any(|row| row.trim_end() == PROMPT));
}

#[test]
fn sixty_torrents_are_gone_through_on_a_small_screen() {
    if !here(&[Tool::Tmux]) {
        return;
    }
    let stage = Stage::new();
    (0..60).for_each(|number| drop(stage.put(&format!("t{number:02}"), 100 + number, true)));
    for (size, seen) in [(NARROW, 5), (WIDE, 19)] {
        let tmux = stage.watch(size, &[]);
        let rows =
            tmux.wait_for("sixty seeds", |rows| rows.iter().any(|row| row.starts_with("60 torrents, 60 complete")));
        tmux.assert_nothing_wraps();
        let expected = |from: usize| (from..from + seen).map(|number| format!("t{number:02}")).collect::<Vec<_>>();
        assert_eq!(names(&rows), expected(0));
        // The keys are in one line.
        assert_eq!(rows.iter().filter(|row| row.starts_with("q ")).count(), 1, "{rows:#?}");

        let go = |key: &str, name: &str, first: usize| {
            tmux.press(key);
            let what = format!("{name} after {key}");
            let rows = tmux.wait_for(&what, |rows| selected(rows).starts_with(&format!(">{name} ")));
            assert_eq!(names(&rows), expected(first), "after {key}");
        };
        let page = seen - 1;
        go("Down", "t01", 0);
        go("j", "t02", 0);
        go("k", "t01", 0);
        go("Up", "t00", 0);
        go("Up", "t00", 0);
        go("PageDown", &format!("t{page:02}"), 0);
        go("PageDown", &format!("t{:02}", 2 * page), page);
        go("PageUp", &format!("t{page:02}"), page);
        go("End", "t59", 60 - seen);
        go("Down", "t59", 60 - seen);
        go("Up", "t58", 60 - seen);
        go("Home", "t00", 0);
        let rows = tmux.rows();
        assert!(rows[0].contains("1 of 60"), "{rows:#?}");
        tmux.press("q");
        wait_until("the shell is back", PATIENCE, || tmux.rows().iter().any(|row| row.trim_end() == PROMPT));
    }
}

/// SIGHUP has the folder looked at; but it comes too when the terminal is closed, and then nobody is there to see it.
#[test]
fn a_terminal_that_is_closed_ends_it_and_sighup_alone_does_not() {
    if !here(&[Tool::Tmux]) {
        return;
    }
    let stage = Stage::new();
    stage.put("first", PIECE, true);
    let terminal = stage.scratch.path().join("terminal");
    fs::create_dir(&terminal).unwrap();
    let tmux = Tmux::start(&terminal, WIDE, "C.UTF-8");
    let many = Get::many("many", stage.scratch.path(), &stage.folder);
    tmux.run_there(&many.command(), "");
    tmux.wait_for_text("1 torrent, 1 complete");
    stage.put("second", PIECE, true);
    let pid = pid_of(many.port).expect("it runs");
    kill_process(Pid::from_raw(pid).unwrap(), Signal::HUP).unwrap();
    tmux.wait_for_text("2 torrents, 2 complete");
    assert_eq!(pid_of(many.port), Some(pid));
    drop(tmux);
    wait_until("it has ended with its terminal", PATIENCE, || pid_of(many.port).is_none());
}
