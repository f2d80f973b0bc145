//! Stories of `many`, a folder of torrents that come and go, as a program hears of it.

mod common;

use common::content::Content;
use common::process::Process;
use common::swarmlet::Get;
use common::torrent::{Maker, Torrent};
use common::tracker::Tracker;
use common::wait::{PATIENCE, wait_until};
use rustix::process::Signal;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

const PIECE: usize = 16 * 1024;

/// A folder, and a place where torrents are made before they come into it.
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

    /// A torrent that is not in the folder yet.
    fn make(&self, name: &str, size: usize) -> (Content, Torrent) {
        let content = Content::one_file(name, size);
        let source = self.scratch.path().join(format!("source of {name}"));
        let torrent = Maker::Ours.make(&content, &source, PIECE, &self.tracker.url());
        (content, torrent)
    }

    fn put(&self, torrent: &Torrent, name: &str) -> PathBuf {
        let file = self.folder.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::copy(&torrent.file, &file).unwrap();
        file
    }

    fn start(&self, options: &[&str]) -> Process {
        let get = Get::many("many", self.scratch.path(), &self.folder).args(&["--json"]).args(options);
        Process::start("many", &mut get.command(), self.scratch.path())
    }
}

/// What was said of the torrent `name`, in order. (The last line may be half written.)
fn said(many: &Process, name: &str) -> Vec<Value> {
    let told = many.stdout();
    let objects = told.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    objects.filter(|object| object["name"] == name).collect()
}

fn wait_for(many: &mut Process, name: &str, what: &str, wanted: impl Fn(&Value) -> bool) {
    wait_until(&format!("{name} {what}"), PATIENCE, || {
        many.must_run();
        said(many, name).last().is_some_and(&wanted)
    });
}

#[test]
fn a_program_hears_of_torrents_that_come_wait_complete_and_go() {
    let stage = Stage::new();
    let made = ["first", "second", "third"].map(|name| stage.make(name, 3 * PIECE));
    // One has its content, two have not; one of these is below.
    made[0].0.write_to(&stage.folder);
    let files = [("first.torrent", 0), ("second.torrent", 1), ("below/third.torrent", 2)];
    let files = files.map(|(name, number)| stage.put(&made[number].1, name));
    let mut many = stage.start(&["--max-downloads", "1"]);
    let is = |state: &'static str| move |last: &Value| last["event"] == "status" && last["state"] == state;
    wait_for(&mut many, "first", "seeds", is("seeding"));
    wait_for(&mut many, "third", "waits", is("waiting"));
    let begun = said(&many, "first");
    assert_eq!(begun[0]["event"], "start");
    assert!(begun[0]["port"].as_u64().is_some_and(|port| port > 0), "{}", begun[0]);
    assert_eq!(begun.iter().filter(|object| object["event"] == "checked").count(), 1);
    // Of the two that lack something one has its turn.
    let whys =
        || ["second", "third"].map(|name| said(&many, name).last().unwrap()["why"].as_str().unwrap_or("").to_string());
    wait_until("one waits for its turn", PATIENCE, || {
        let turn = |why: &String| why.contains("(--max-downloads)");
        whys().iter().filter(|why| turn(why)).count() == 1 && whys().iter().all(|why| !why.is_empty())
    });

    // Somebody has both: when the one is whole the other has its turn.
    let _seeds = [1, 2].map(|number: usize| {
        let (content, torrent) = &made[number];
        let source = stage.scratch.path().join(format!("source of {}", content.name));
        Get::seed(&format!("seed of {}", content.name), stage.scratch.path(), &source).torrent(torrent).start()
    });
    for (content, _) in &made[1..] {
        wait_for(&mut many, &content.name, "is whole", is("seeding"));
        assert_eq!(said(&many, &content.name).iter().filter(|object| object["event"] == "complete").count(), 1);
    }
    made.iter().for_each(|(content, _)| content.assert_same_in(&stage.folder));

    // Whose file is taken away is dropped, and said to be; its content stays.
    fs::remove_dir_all(files[2].parent().unwrap()).unwrap();
    wait_for(&mut many, "third", "is dropped", |last| last["state"] == "removed");
    assert_eq!(said(&many, "third").iter().filter(|object| object["event"] == "removed").count(), 1);
    assert!(made[2].0.difference_in(&stage.folder).is_none());

    many.signal(Signal::INT);
    assert_eq!(many.wait(PATIENCE).code(), Some(0));
    let last = said(&many, "second").pop().unwrap();
    assert_eq!((&last["event"], &last["whole"]), (&Value::from("stopped"), &Value::from(true)));
}

#[test]
fn what_is_half_written_is_waited_for_and_what_is_bad_is_named_once() {
    let stage = Stage::new();
    let (_, slow) = stage.make("slow", PIECE);
    let bytes = fs::read(&slow.file).unwrap();
    let file = stage.folder.join("slow.torrent");
    fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    fs::write(stage.folder.join("bad.torrent"), "d4:infodee").unwrap();
    let (_, twin) = stage.make("twin", PIECE);
    ["a-twin.torrent", "b-twin.torrent"].iter().for_each(|name| drop(stage.put(&twin, name)));
    let mut many = stage.start(&[]);
    wait_until("the bad ones are named", PATIENCE, || {
        many.must_run();
        let told = many.stderr();
        ["bad.torrent", "slow.torrent", "b-twin.torrent is not used"].iter().all(|name| told.contains(name))
    });
    // It was named, for nobody wrote on it for a while; then somebody does. Its folder does not change by that.
    fs::write(&file, &bytes).unwrap();
    wait_for(&mut many, "slow", "is there", |last| last["event"] == "status");
    wait_for(&mut many, "twin", "is there", |last| last["event"] == "status");
    // A look at everything tells of nothing anew.
    many.signal(Signal::HUP);
    let (_, last) = stage.make("last", PIECE);
    stage.put(&last, "last.torrent");
    wait_for(&mut many, "last", "is there", |last| last["event"] == "status");
    let told = many.stderr();
    for name in ["bad.torrent", "slow.torrent", "b-twin.torrent"] {
        assert_eq!(told.matches(name).count(), 1, "{name}: {told}");
    }
}

/// Written over in place, which the folder does not show: SIGHUP has everything looked at.
#[test]
fn a_torrent_that_is_another_now_is_taken_in_its_place() {
    let stage = Stage::new();
    let [(_, one), (_, other)] = ["one", "other"].map(|name| stage.make(name, PIECE));
    let file = stage.put(&one, "it.torrent");
    let mut many = stage.start(&[]);
    wait_for(&mut many, "one", "is there", |last| last["event"] == "status");
    fs::write(&file, fs::read(&other.file).unwrap()).unwrap();
    many.signal(Signal::HUP);
    wait_for(&mut many, "other", "is there", |last| last["event"] == "status");
    wait_for(&mut many, "one", "is dropped", |last| last["state"] == "removed");
}
