//! Stories of `many`, a folder of torrents that come and go, as `--json` reports it.

use crate::common::content::Content;
use crate::common::folder::Folder;
use crate::common::json;
use crate::common::swarmlet::{Swarmlet, program};
use crate::common::tracker::Tracker;
use crate::common::wait::{PATIENCE, wait_until};
use rustix::process::Signal;
use serde_json::Value;
use std::fs;
use std::process::Command;

const PIECE: usize = 16 * 1024;

fn start(folder: &Folder, options: &[&str]) -> Swarmlet {
    folder.many(&["--json"]).args(options).start()
}

/// Everything that was reported about the torrent `name`, in order.
fn said(many: &Swarmlet, name: &str) -> Vec<Value> {
    json::about(&many.stdout(), name)
}

fn wait_for(many: &mut Swarmlet, name: &str, what: &str, wanted: impl Fn(&Value) -> bool) {
    wait_until(&format!("{name} {what}"), PATIENCE, || {
        many.must_run();
        said(many, name).last().is_some_and(&wanted)
    });
}

#[test]
fn json_reports_torrents_that_come_wait_complete_and_go() {
    let folder = Folder::new();
    let made = ["first", "second", "third"].map(|name| folder.make(name, 3 * PIECE));
    // The first has its content, the others do not. The third is in a folder below.
    made[0].0.write_to(&folder.dir);
    let files = [("first.torrent", 0), ("second.torrent", 1), ("below/third.torrent", 2)];
    let files = files.map(|(name, number)| folder.put(&made[number].1, name));
    let mut many = start(&folder, &["--max-downloads", "1"]);
    let is = |state: &'static str| move |last: &Value| last["event"] == "status" && last["state"] == state;
    wait_for(&mut many, "first", "seeds", is("seeding"));
    wait_for(&mut many, "third", "waits", is("waiting"));
    let begun = said(&many, "first");
    assert_eq!(begun[0]["event"], "start");
    assert!(begun[0]["port"].as_u64().is_some_and(|port| port > 0), "{}", begun[0]);
    assert_eq!(begun.iter().filter(|object| object["event"] == "checked").count(), 1);
    // Only one of the two incomplete ones may download at a time.
    let whys =
        || ["second", "third"].map(|name| said(&many, name).last().unwrap()["why"].as_str().unwrap_or("").to_string());
    wait_until("one of them waits for the other", PATIENCE, || {
        let turn = |why: &String| why.contains("(--max-downloads)");
        whys().iter().filter(|why| turn(why)).count() == 1 && whys().iter().all(|why| !why.is_empty())
    });
    for name in ["first", "second", "third"] {
        let last = json::about(&many.stdout(), name).into_iter().rfind(|object| object["event"] == "status").unwrap();
        let holds = last["state"] == "waiting" && last["waits_for"] != "turn";
        assert_eq!(last["has_place"], holds, "{last}");
    }

    // Seeds of both start. When the one is complete, the other may download.
    let _seeds = [1, 2].map(|number: usize| {
        let (content, torrent) = &made[number];
        folder.seed(&content.name, torrent, &[])
    });
    for (content, _) in &made[1..] {
        wait_for(&mut many, &content.name, "is whole", is("seeding"));
        assert_eq!(said(&many, &content.name).iter().filter(|object| object["event"] == "complete").count(), 1);
    }
    made.iter().for_each(|(content, _)| content.assert_same_in(&folder.dir));

    // A torrent whose file is removed is dropped and reported. Its content stays.
    fs::remove_dir_all(files[2].parent().unwrap()).unwrap();
    wait_for(&mut many, "third", "is dropped", |last| last["state"] == "removed");
    assert_eq!(said(&many, "third").iter().filter(|object| object["event"] == "removed").count(), 1);
    assert!(made[2].0.difference_in(&folder.dir).is_none());

    let outcome = many.interrupt();
    outcome.assert_code(0);
    let last = json::about(&outcome.stdout, "second").pop().unwrap();
    assert_eq!((&last["event"], &last["whole"]), (&Value::from("stopped"), &Value::from(true)));
}

#[test]
fn a_half_written_torrent_is_used_when_it_is_whole_and_a_bad_one_is_reported_once() {
    let folder = Folder::new();
    let (_, slow) = folder.make("slow", PIECE);
    let bytes = fs::read(&slow.file).unwrap();
    let file = folder.dir.join("slow.torrent");
    fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    fs::write(folder.dir.join("bad.torrent"), "d4:infodee").unwrap();
    let (_, twin) = folder.make("twin", PIECE);
    ["a-twin.torrent", "b-twin.torrent"].iter().for_each(|name| drop(folder.put(&twin, name)));
    let mut many = start(&folder, &[]);
    wait_until("the bad files are reported", PATIENCE, || {
        many.must_run();
        let told = many.stderr();
        ["bad.torrent", "slow.torrent", "b-twin.torrent"].iter().all(|name| told.contains(name))
    });
    // The half-written one was reported because it did not grow for a while. Now it does, and its folder stays the
    // same.
    fs::write(&file, &bytes).unwrap();
    wait_for(&mut many, "slow", "is there", |last| last["event"] == "status");
    wait_for(&mut many, "twin", "is there", |last| last["event"] == "status");
    // A full rescan reports nothing again.
    many.signal(Signal::HUP);
    let (_, last) = folder.make("last", PIECE);
    folder.put(&last, "last.torrent");
    wait_for(&mut many, "last", "is there", |last| last["event"] == "status");
    let told = many.stderr();
    for name in ["bad.torrent", "slow.torrent", "b-twin.torrent"] {
        assert_eq!(told.matches(name).count(), 1, "{name}: {told}");
    }
}

/// Many torrents have a name such as "Season 1".
#[test]
fn torrents_of_the_same_name_share_a_folder_unless_they_have_a_file_in_common() {
    let folder = Folder::new();
    let albums =
        [[("disc 1/a", PIECE), ("cover", 99)], [("disc 2/a", 2 * PIECE), ("b", 9)], [("b", 5 * PIECE), ("c", 7)]];
    let albums = albums.map(|files| Content::folder("album", &files));
    let names = ["1.torrent", "2.torrent", "3.torrent"];
    let torrents = [0, 1, 2].map(|number| folder.make_of(&albums[number], names[number]));
    let files = [0, 1, 2].map(|number| folder.put(&torrents[number], names[number]));
    let mut many = start(&folder, &[]);
    let said = |many: &Swarmlet, number: usize| {
        let mut all = json::objects(&many.stdout());
        all.retain(|object| object["size"] == albums[number].size());
        all
    };
    let wait_for = |many: &mut Swarmlet, number: usize, event: &str| {
        wait_until(&format!("the event {event} of {}", names[number]), PATIENCE, || {
            many.must_run();
            said(many, number).iter().any(|object| object["event"] == event)
        });
    };
    wait_for(&mut many, 2, "failed");
    let seeds = [0, 1].map(|number| folder.seed(names[number], &torrents[number], &[]));
    [0, 1].iter().for_each(|number| wait_for(&mut many, *number, "complete"));
    let whole = |number: usize| {
        albums[number].files.iter().all(|(path, bytes)| {
            let path = folder.dir.join("album").join(path.as_ref().unwrap());
            fs::read(path).is_ok_and(|found| found == *bytes)
        })
    };
    assert!(whole(0) && whole(1));
    let failed = said(&many, 2).into_iter().find(|object| object["event"] == "failed").unwrap();
    let problem = failed["problem"].as_str().unwrap();
    assert!(problem.contains("2.torrent has album/b too") && problem.contains("3.torrent is not used"), "{problem}");
    assert_eq!(failed["exit_code"], 73);
    wait_until("it is in the list", PATIENCE, || {
        said(&many, 2).last().is_some_and(|last| last["event"] == "status" && last["state"] == "failed")
    });
    // The other one goes, and its content too.
    drop(seeds);
    fs::remove_file(&files[1]).unwrap();
    fs::remove_file(folder.dir.join("album/b")).unwrap();
    let _seed = folder.seed(names[2], &torrents[2], &[]);
    wait_for(&mut many, 2, "removed");
    wait_for(&mut many, 2, "complete");
    assert!(whole(2));
}

/// The file is overwritten in place, so the folder does not change. SIGHUP triggers a full rescan.
#[test]
fn an_overwritten_torrent_file_replaces_its_torrent() {
    let folder = Folder::new();
    let [(_, one), (_, other)] = ["one", "other"].map(|name| folder.make(name, PIECE));
    let file = folder.put(&one, "it.torrent");
    let mut many = start(&folder, &[]);
    wait_for(&mut many, "one", "is there", |last| last["event"] == "status");
    fs::write(&file, fs::read(&other.file).unwrap()).unwrap();
    many.signal(Signal::HUP);
    wait_for(&mut many, "other", "is there", |last| last["event"] == "status");
    wait_for(&mut many, "one", "is dropped", |last| last["state"] == "removed");
    let all = json::objects(&many.stdout());
    let place = |event: &str, name: &str| all.iter().position(|it| it["event"] == event && it["name"] == name);
    assert!(place("removed", "one") < place("start", "other"), "the removal is shown before its replacement");
}

/// The content is known already, so the torrent goes on at once.
#[test]
fn the_trackers_of_a_running_torrent_can_be_edited() {
    let folder = Folder::new();
    let (content, torrent) = folder.make("it", 3 * PIECE);
    content.write_to(&folder.dir);
    let file = folder.put(&torrent, "it.torrent");
    let mut many = start(&folder, &[]);
    folder.tracker.wait_for_a_seed(&torrent.info_hash, || many.must_run());

    let other = Tracker::start();
    let mut edit = Command::new(program());
    let edited = edit.arg("edit").arg("--announce").arg(other.url()).arg(&file).output().unwrap();
    assert!(edited.status.success(), "{}", String::from_utf8_lossy(&edited.stderr));
    other.wait_for_a_seed(&torrent.info_hash, || many.must_run());
    wait_until("the old tracker hears that it left", PATIENCE, || folder.tracker.seeds(&torrent.info_hash) == 0);
    let checks = said(&many, "it").into_iter().filter(|object| object["event"] == "checked");
    assert_eq!(checks.count(), 2, "it started again, once");
}
