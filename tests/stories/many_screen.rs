//! Stories of the live screen of `many`, in a real terminal (tmux) of 80x24 and of 40x10.

use crate::common::folder::Folder;
use crate::common::tmux::{PROMPT, Tmux, pid_of};
use crate::common::tools::{Tool, here};
use crate::common::wait::{PATIENCE, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;

const WIDE: (usize, usize) = (80, 24);
const NARROW: (usize, usize) = (40, 10);
const PIECE: usize = 16 * 1024;

/// `many` of the folder, in a terminal.
fn watch(folder: &Folder, size: (usize, usize), options: &[&str]) -> Tmux {
    let terminal = folder.path().join(format!("terminal {}", size.0));
    fs::create_dir(&terminal).unwrap();
    let tmux = Tmux::start(&terminal, size, "C.UTF-8");
    tmux.run_there(&folder.many(options).command(), "");
    tmux
}

/// The names of the visible torrents, from the top.
fn names(rows: &[String]) -> Vec<String> {
    let torrents = rows.iter().filter(|row| row.contains(" %"));
    torrents.map(|row| row[1..].split_whitespace().next().unwrap_or("").to_string()).collect()
}

/// The row of the selected torrent.
fn selected(rows: &[String]) -> &str {
    rows.iter().find(|row| row.starts_with('>')).map_or("", |row| row)
}

fn wait_for_selected(tmux: &Tmux, name: &str) -> Vec<String> {
    tmux.wait_for(&format!("{name} is selected"), |rows| selected(rows).starts_with(&format!(">{name} ")))
}

#[test]
fn three_torrents_can_be_sorted_paused_and_limited() {
    if !here(&[Tool::Tmux]) {
        return;
    }
    let folder = Folder::new();
    let (_, slow) = folder.make("b-comes", 400 * PIECE);
    let (_, waits) = folder.make("c-waits", 4 * PIECE);
    folder.put(&slow, "b-comes.torrent");
    folder.put(&waits, "c-waits.torrent");
    folder.put_whole("a-seeds", 4 * PIECE);
    let mut seed = folder.seed("b-comes", &slow, &["--max-upload-rate", "60"]);
    folder.tracker.wait_for_a_seed(&slow.info_hash, || seed.must_run());

    let tmux = watch(&folder, WIDE, &[]);
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

    // Only the selected torrent is paused. Then it continues.
    tmux.press("Down");
    wait_for_selected(&tmux, "b-comes");
    tmux.press("p");
    let rows = tmux.wait_for("one torrent is paused", |rows| selected(rows).contains(" paused "));
    assert_eq!(rows.iter().filter(|row| row.contains(" %") && row.contains(" paused ")).count(), 1, "{rows:#?}");
    assert!(rows.iter().any(|row| row.starts_with("paused: ")), "{rows:#?}");
    tmux.press("p");
    tmux.wait_for("it continues", |rows| selected(rows).contains(" downloading "));

    // All torrents are paused, and continue.
    let paused = |rows: &[String]| rows.iter().filter(|row| row.contains(" %") && row.contains(" paused ")).count();
    tmux.press("a");
    tmux.wait_for("all are paused", |rows| paused(rows) == 3);
    tmux.press("a");
    tmux.wait_for("none is paused", |rows| paused(rows) == 0 && selected(rows).contains(" downloading "));

    // The top row shows the order. The selected torrent stays selected.
    for (title, first) in [("[done]", "b-comes"), ("[down]", "b-comes"), ("[up]", ""), ("[peers]", "b-comes")] {
        tmux.press("s");
        let sorted = |rows: &[String]| {
            rows[0].contains(title) && names(rows).first().is_some_and(|name| name.starts_with(first))
        };
        tmux.wait_for(&format!("sorted by {title}"), sorted);
    }
    assert!(selected(&tmux.rows()).starts_with(">b-comes "));

    // Limits in both directions.
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

    // The peers of the selected torrent, then the list again.
    tmux.press("v");
    tmux.wait_for("the seed", |rows| {
        rows.iter().any(|row| row.starts_with("  127.0.0.1:")) && rows[0].starts_with("b-comes")
    });
    tmux.press("v");
    wait_for_selected(&tmux, "b-comes");
    tmux.press("?");
    tmux.wait_for("no keys", |rows| !rows.iter().any(|row| row.contains("q quit")));

    // One torrent is removed, and another one added.
    fs::remove_file(folder.dir.join("c-waits.torrent")).unwrap();
    folder.put_whole("d-comes-later", 2 * PIECE);
    tmux.wait_for("the new three", |rows| {
        let mut names = names(rows);
        names.sort();
        names == ["a-seeds", "b-comes", "d-comes-later"]
    });
    tmux.press("q");
    tmux.wait_for("the prompt", |rows| rows.iter().any(|row| row.trim_end() == PROMPT));
}

#[test]
fn sixty_torrents_can_be_scrolled_on_a_small_screen() {
    if !here(&[Tool::Tmux]) {
        return;
    }
    let folder = Folder::new();
    (0..60).for_each(|number| folder.put_whole(&format!("t{number:02}"), 100 + number));
    for (size, seen) in [(NARROW, 5), (WIDE, 19)] {
        let tmux = watch(&folder, size, &[]);
        let rows =
            tmux.wait_for("sixty seeds", |rows| rows.iter().any(|row| row.starts_with("60 torrents, 60 complete")));
        tmux.assert_nothing_wraps();
        let expected = |from: usize| (from..from + seen).map(|number| format!("t{number:02}")).collect::<Vec<_>>();
        assert_eq!(names(&rows), expected(0));
        // The keys fit on one row.
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

/// SIGHUP triggers a full rescan, but it also comes when the terminal is closed. Only then the run must end.
#[test]
fn a_closed_terminal_ends_the_run_and_sighup_alone_does_not() {
    if !here(&[Tool::Tmux]) {
        return;
    }
    let folder = Folder::new();
    folder.put_whole("first", PIECE);
    let terminal = folder.path().join("terminal");
    fs::create_dir(&terminal).unwrap();
    let tmux = Tmux::start(&terminal, WIDE, "C.UTF-8");
    let many = folder.many(&[]);
    tmux.run_there(&many.command(), "");
    tmux.wait_for_text("1 torrent, 1 complete");
    folder.put_whole("second", PIECE);
    let pid = pid_of(many.port).expect("it runs");
    kill_process(Pid::from_raw(pid).unwrap(), Signal::HUP).unwrap();
    tmux.wait_for_text("2 torrents, 2 complete");
    assert_eq!(pid_of(many.port), Some(pid));
    drop(tmux);
    wait_until("it has ended with its terminal", PATIENCE, || pid_of(many.port).is_none());
}
