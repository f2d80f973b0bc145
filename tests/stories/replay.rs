//! Stories of `--record` and `replay`: a run is gone through again, and decides as it did.

use crate::common::content::Content;
use crate::common::hostile::{Deed, Hostile, Prey};
use crate::common::ran::{Ran, swarmlet};
use crate::common::stage::Stage;
use crate::common::swarmlet::{Get, program};
use crate::common::tmux::{PROMPT, Tmux};
use crate::common::tools::{Tool, here};
use crate::common::torrent::{Maker, make_with_web_seeds};
use crate::common::web_seed::{WebSeed, send_part};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;

const KIB: usize = 1024;
const PIECE: usize = 32 * KIB;

/// The lines of a trace about decisions, without their times.
fn decisions(trace: &str) -> Vec<&str> {
    let lines = trace.lines().filter_map(|line| line.split_once(' ').map(|(_, rest)| rest));
    lines.filter(|rest| rest.starts_with("pick ") || rest.starts_with("choke ")).collect()
}

fn replay(dir: &Path, args: &[&str]) -> Ran {
    swarmlet(dir, &[&["replay"], args].concat())
}

/// A download from a seed behind a slow line and from peers that lie, send nothing, or die.
fn recorded_download() -> Stage {
    let stage = Stage::new(Content::one_file("a file.bin", 2 << 20), PIECE);
    let (seed, _line) = stage.slow_seed(1 << 20);
    let prey = Prey::of(&stage, PIECE);
    let deeds = [Deed::Corrupts(3), Deed::NeverUnchokes, Deed::DiesAfter(5), Deed::Toggles];
    let _others = deeds.map(|deed| Hostile::start(deed, &prey, &stage.tracker));
    let outcome = traced_and_recorded(stage.get("get"), stage.path()).run();
    outcome.assert_code(0);
    drop(seed);
    stage
}

#[test]
fn a_recorded_download_decides_the_same_again() {
    let stage = recorded_download();
    let record = fs::read_to_string(stage.path().join("record")).unwrap();
    let again = decided_twice(stage.path());
    let expected = decisions(&again);
    assert!(expected.len() >= 64, "{again}");
    let once_more = replay(stage.path(), &["record"]).code(0);
    assert_eq!((once_more.text(), once_more.stderr.as_str()), (again.clone(), ""), "the same bytes, and it is whole");
    // Part of it, and as JSON.
    let chokes = replay(stage.path(), &["--trace-only", "choke", "--json", "record"]).code(0).text();
    let chokes: Vec<Value> = chokes.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let is_choke = |line: &&str| line.starts_with("choke ");
    assert_eq!(chokes.len(), expected.iter().copied().filter(is_choke).count());
    assert!(chokes.iter().all(|line| line["subject"] == "choke" && line["rule"].is_string()), "{chokes:?}");
    // It has no content.
    assert!(record.len() < 300 * KIB, "{} bytes", record.len());

    // The run is killed while the last line is being written.
    let cut = &record[..record.len() * 3 / 5];
    fs::write(stage.path().join("cut"), cut).unwrap();
    let ran = replay(stage.path(), &["cut"]).code(0);
    let part = ran.text();
    let number = cut.lines().count();
    assert!(
        ran.stderr.starts_with(&format!("swarmlet: warning: cut, line {number}: the record ends here")),
        "{}",
        ran.stderr
    );
    assert!(again.starts_with(&part) && part.lines().count() > 10, "the same decisions up to there");
    // A line is changed, and lines are lost.
    let timer = record.lines().position(|line| line.ends_with(" timer")).expect("a timer") + 1;
    fs::write(stage.path().join("damaged"), record.replacen(" timer", " tiger", 1)).unwrap();
    let ran = replay(stage.path(), &["damaged"]).code(65);
    assert_eq!(ran.stderr, format!("swarmlet: damaged, line {timer}: expected what happened, found 'tiger'\n"));
    let lost: Vec<&str> = record.lines().take(60).chain(["lost 7"]).collect();
    fs::write(stage.path().join("lost"), lost.join("\n") + "\n").unwrap();
    let ran = replay(stage.path(), &["lost"]).code(0);
    assert!(ran.stderr.contains("lost, line 61: the replay ends here: 7 lines are missing"), "{}", ran.stderr);
    // Events are missing that led to decisions: nobody unchokes us.
    let events = record.lines().filter(|line| !line.ends_with("# unchoke"));
    fs::write(stage.path().join("other"), events.map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    let ran = replay(stage.path(), &["other"]);
    assert!(ran.code == Some(65) && ran.stderr.contains("or the record was changed"), "{}", ran.stderr);
    // Other files are no records.
    fs::write(stage.path().join("letter"), "Dear all,\n").unwrap();
    let ran = replay(stage.path(), &["letter"]).code(65);
    let wrong = "letter, line 1: expected 'swarmlet record 1' as the first line, found 'Dear all,'";
    assert_eq!(ran.stderr, format!("swarmlet: {wrong}\n"));

    step_by_step(&stage, &decisions(&again));
}

/// On a terminal, the replay stops at each decision.
fn step_by_step(stage: &Stage, decisions: &[&str]) {
    if !here(&[Tool::Tmux]) {
        return;
    }
    let terminal = Tmux::start(stage.path(), (100, 30), "C.UTF-8");
    let mut command = Command::new(program());
    command.args(["replay", "record"]).env("TERM", "screen");
    terminal.run_there(&command, "");
    // A long line of a decision takes two rows.
    let shows = |rows: &[String], decision: &str| {
        let words: Vec<&str> = decision.split(' ').take(8).collect();
        rows.iter().any(|row| row.contains(&words.join(" ")))
    };
    for decision in &decisions[..3] {
        let rows = terminal.wait_for(decision, |rows| shows(rows, decision));
        assert!(rows.iter().any(|row| row.contains(" of 2.00 MiB")), "{rows:#?}");
        assert!(rows.iter().any(|row| row.contains("space next decision")), "{rows:#?}");
        terminal.press("Space");
    }
    terminal.press("g");
    let rows = terminal.wait_for_text("the record ends here");
    assert!(rows.iter().any(|row| row.contains("100.0 %")), "{rows:#?}");
    terminal.press("q");
    terminal.wait_for("the shell", |rows| rows.iter().any(|row| row.trim_end() == PROMPT));
}

/// A `get` with a trace of its decisions and a record.
fn traced_and_recorded(get: Get, dir: &Path) -> Get {
    let get = get.arg("--record").arg(dir.join("record")).args(&["--trace-only", "pick,choke"]);
    get.arg(format!("--trace={}", dir.join("trace").display()))
}

/// What was decided; the same in the trace of the run and in the replay of its record.
fn decided_twice(dir: &Path) -> String {
    let (trace, again) = (fs::read_to_string(dir.join("trace")).unwrap(), replay(dir, &["record"]).code(0).text());
    assert_eq!(decisions(&again), decisions(&trace));
    again
}

/// Some files of a folder, from the middle of the download on, in order. Then the rest, from a web seed whose URL has
/// secrets.
#[test]
fn a_choice_of_files_and_a_web_seed_are_replayed() {
    let content = Content::folder("a folder", &[("one", 200 * KIB), ("two", 300 * KIB), ("three", 100 * KIB)]);
    let stage = Stage::new(content, PIECE);
    let get = || traced_and_recorded(stage.get("get").args(&["--sequential"]), stage.path());
    let seed = stage.seed();
    get().args(&["--files", "1,3"]).run().assert_code(0);
    let some = decided_twice(stage.path());
    assert!(some.contains(": the next in order") && !some.contains("piece 8 "), "{some}");
    drop(seed);
    let source = stage.source.clone();
    let server = WebSeed::start(move |asked, stream| {
        let name = asked.target.rsplit('/').next().unwrap_or_default();
        let file = fs::read(source.join("a folder").join(name)).unwrap_or_default();
        send_part(asked, &file, stream)
    });
    let url = format!("http://user:geheimwort@{}/0123456789abcdef/", server.address);
    make_with_web_seeds(&stage.content, &stage.torrent.file, PIECE, &[url]);
    get().run().assert_code(0);
    let rest = decided_twice(stage.path());
    assert!(rest.contains(&format!(" http://{}/… gap torrent ", server.address)), "{rest}");
    let record = fs::read_to_string(stage.path().join("record")).unwrap();
    assert!(!["geheimwort", "0123456789abcdef", "two"].iter().any(|secret| record.contains(secret)), "{record}");
}

#[test]
fn one_torrent_is_recorded_without_its_secrets_and_no_file_of_the_user_is_replaced() {
    let stage = Stage::new(Content::one_file("a file.bin", 300 * KIB), PIECE);
    let record = stage.path().join("record");
    let get = || stage.get("get").arg("--record").arg(&record);
    let other = Maker::Ours.make(&Content::one_file("b", 100), stage.path(), PIECE, &stage.tracker.url());
    let refused = get().torrent(&other).run();
    refused.assert_code(64);
    assert!(refused.stderr.contains("--record: expected one torrent"), "{}", refused.stderr);
    let refused = Get::new("link", stage.path()).arg("--record").arg(&record).arg(stage.torrent.link("")).run();
    refused.assert_code(64);
    assert!(refused.stderr.contains("--record: expected a .torrent file"), "{}", refused.stderr);
    assert!(!record.exists(), "nothing was created");
    let refused = get().arg(format!("--trace={}", record.display())).run();
    refused.assert_code(64);
    assert!(refused.stderr.contains("is the file of --trace; expected another file"), "{}", refused.stderr);
    fs::remove_file(&record).unwrap();
    fs::write(&record, "a letter").unwrap();
    let refused = get().run();
    refused.assert_code(73);
    assert!(refused.stderr.contains("it is not a record; name another file"), "{}", refused.stderr);
    assert_eq!(fs::read(&record).unwrap(), b"a letter");
    fs::remove_file(&record).unwrap();
    // A seed decides which peers it serves.
    let (seed, _) = stage.serve(&["--record", &record.to_string_lossy()]);
    stage.get("get").run().assert_code(0);
    seed.terminate().assert_code(0);
    let served = replay(stage.path(), &["record"]).code(0).text();
    assert!(served.contains(" unchoke torrent ") && served.contains(": 1st of 1 that got least"), "{served}");
    let text = fs::read_to_string(&record).unwrap();
    assert!(text.contains("\ntier http://127.0.0.1:"), "{text}");
    assert!(!text.contains("/announce") && !text.contains("a file"), "no path of a URL, and no name of a file: {text}");
}
