//! Stories of names that no disk can have, or not every disk: every command changes them alike, and says so.

use crate::common::content::Content;
use crate::common::fuse::HangingDisk;
use crate::common::json;
use crate::common::ran::swarmlet;
use crate::common::stage::Stage;
use crate::common::swarmlet::Get;
use crate::common::tmux::Tmux;
use crate::common::tools::{Tool, here};
use crate::common::torrent::Torrent;
use crate::common::wait::{PATIENCE, wait_until};
use std::fs;

const PIECE: usize = 16 * 1024;

/// A stage whose torrent has other names than the content on the disk. `names`: each as it is used, and as the torrent
/// has it. They are replaced in this order, each once.
fn stage(content: Content, names: &[(&str, &str)]) -> Stage {
    let mut stage = Stage::new(content, PIECE);
    let mut bytes = fs::read(&stage.torrent.file).unwrap();
    let encoded = |name: &str| format!("{}:{name}", name.len()).into_bytes();
    for (used, odd) in names.iter().map(|(used, odd)| (encoded(used), encoded(odd))) {
        let at = bytes.windows(used.len()).position(|part| part == used).expect("the name is in the torrent");
        bytes.splice(at..at + used.len(), odd);
    }
    fs::write(&stage.torrent.file, bytes).unwrap();
    stage.torrent = Torrent::read(&stage.torrent.file);
    stage
}

/// The first is the name of the official torrent of Haiku R1/beta6.
#[test]
fn names_that_no_disk_can_have_are_changed_alike_by_every_command() {
    let long = "x".repeat(251) + ".iso";
    let longer = "x".repeat(300) + ".iso";
    let files =
        [("a_b.txt", 20_000), ("a_b.1.txt", 5_000), ("_/x", 3), (&long, 40_000), ("clear", 10), ("d.1", 9), ("d/e", 8)];
    let names = [
        ("a_b.txt", "a/b.txt"),
        ("a_b.1.txt", "a_b.txt"),
        ("_", ""),
        (&long, &longer),
        ("d.1", "d"),
        ("haiku R1_beta6", "haiku R1/beta6"),
    ];
    let stage = stage(Content::folder("haiku R1_beta6", &files), &names);
    let _seed = stage.seed();
    let get = stage.get("get");
    let outcome = get.run();
    outcome.assert_code(0);
    stage.content.assert_same_in(&get.dir);
    for words in [
        "warning: info.name: \"haiku R1/beta6\" can't be the name of a file; \"haiku R1_beta6\" is used",
        "warning: info.files[0].path: [\"a/b.txt\"] can't be the name of a file; \"a_b.txt\" is used",
        "warning: info.files[1]: \"a_b.txt\" is the path of another file too; \"a_b.1.txt\" is used",
        "warning: info.files[5]: \"d\" is a folder too; \"d.1\" is used",
    ] {
        assert!(outcome.stderr.contains(words), "{}", outcome.stderr);
    }
    let file = stage.torrent.file.to_str().unwrap();
    let ran = swarmlet(&get.dir, &["check", file]).code(0);
    assert!(
        ran.text().contains("haiku R1_beta6: whole") && ran.stderr.contains("is used"),
        "{}{}",
        ran.text(),
        ran.stderr
    );
    let shown = swarmlet(&get.dir, &["show", "--files", "--bytes", file]).code(0).text();
    let expected: Vec<String> = files.iter().map(|(path, size)| format!("{size:>11}  haiku R1_beta6/{path}")).collect();
    assert_eq!(shown.lines().collect::<Vec<_>>(), expected);
    // A second time, everything is there; and `many` finds it too.
    get.run().assert_code(0);
    fs::copy(&stage.torrent.file, get.dir.join("a.TORRENT")).unwrap();
    let mut many = Get::many("many", stage.path(), &get.dir).start();
    wait_until("the torrent is seeded", PATIENCE, || {
        many.must_run();
        many.stderr().contains("complete")
    });
    assert!(many.stderr().contains("\"haiku R1_beta6\" is used"), "{}", many.stderr());
    many.terminate().assert_code(0);
}

#[test]
fn names_that_lead_elsewhere_stay_refused() {
    let content = || Content::folder("folder", &[("aa/b", 10)]);
    for names in [[("aa", "..")], [("folder", "..")], [("b", "a\0b")]] {
        let stage = stage(content(), &names);
        let outcome = stage.get("get").run();
        outcome.assert_code(65);
        assert!(outcome.stderr.contains("expected the plain name of a file"), "{}", outcome.stderr);
    }
}

/// How often a person is told that a disk refuses names.
fn warnings(told: &str) -> usize {
    told.matches("warning: this disk refuses").count()
}

/// A disk like a memory card.
#[test]
fn names_that_the_disk_refuses_are_changed_alike_by_every_command() {
    if !here(&[Tool::Fuse]) {
        return;
    }
    let long = "日".repeat(60) + ".txt";
    let used = "日".repeat(46) + ".txt";
    let files = [("who? me: \"x\"", 20_000), ("end. /of <it>", 40_000), ("plain", 5), (&long, 70_000), ("e|mpty", 0)];
    let stage = Stage::new(Content::folder("what*", &files), PIECE);
    let at = stage.path().join("card");
    let _disk = HangingDisk::picky(&at, stage.path());
    let _seed = stage.seed();
    let get = stage.get("get").in_dir(&at);
    let outcome = get.run();
    outcome.assert_code(0);
    let of_first = r#"warning: this disk refuses the name "what*/e|mpty": "what_/e_mpty" is used (more names that it may refuse: 3)"#;
    assert_eq!(warnings(&outcome.stderr), 1, "{}", outcome.stderr);
    assert!(outcome.stderr.contains(of_first), "{}", outcome.stderr);
    let mut on_disk = stage.content.clone();
    on_disk.name = "what_".into();
    for ((path, _), name) in on_disk.files.iter_mut().zip(["who_ me_ _x_", "end__/of _it_", "plain", &used, "e_mpty"]) {
        *path = Some(name.into());
    }
    on_disk.assert_same_in(&at);
    // Every other command says the same of the first file.
    let of_file = r#"this disk refuses the name "what*/who? me: \"x\"": "what_/who_ me_ _x_" is used (more names that it may refuse: 3)"#;
    let file = stage.torrent.file.to_str().unwrap();
    let told = swarmlet(&at, &["check", file]).code(0).stderr;
    assert!(warnings(&told) == 1 && told.contains(of_file), "{told}");
    let ran = swarmlet(&at, &["check", "--json", file]).code(0);
    assert!(ran.objects()[0]["warning"].as_str().unwrap().starts_with(of_file) && warnings(&ran.stderr) == 1);
    assert_eq!(warnings(&swarmlet(&at, &["check", "--quiet", file]).code(0).stderr), 0);
    let again = get.run();
    again.assert_code(0);
    assert!(again.stderr.contains("were present") && again.stderr.contains(of_file), "{}", again.stderr);
    let seed = |options: &[&str]| Get::seed("second seed", stage.path(), &at).torrent(&stage.torrent).args(options);
    for options in [&["--json"][..], &["--json", "--no-check"]] {
        let seed = seed(options).start();
        wait_until("it is seeded", PATIENCE, || json::first(&seed.stdout(), "complete").is_some());
        let outcome = seed.terminate();
        let mut objects = json::about(&outcome.stdout, "what*");
        objects.retain(|object| object["event"] == "warning");
        assert!(objects.len() == 1 && objects[0]["warning"].as_str().unwrap().starts_with(of_file), "{objects:?}");
        assert_eq!(warnings(&outcome.stderr), 1, "{}", outcome.stderr);
    }
    let torrents = stage.path().join("torrents");
    fs::create_dir(&torrents).unwrap();
    fs::copy(file, torrents.join("a.torrent")).unwrap();
    let many = Get::many("many", stage.path(), &torrents).in_dir(&at).start();
    wait_until("it is seeded", PATIENCE, || many.stderr().contains("complete"));
    let told = many.terminate().stderr;
    assert!(warnings(&told) == 1 && told.contains(of_file), "{told}");
    if here(&[Tool::Tmux]) {
        let tmux = Tmux::start(stage.path(), (80, 24), "C.UTF-8");
        tmux.run_there(&seed(&[]).command(), "");
        let rows = tmux.wait_for_text("seeding");
        assert!(rows.join("").contains("this disk refuses the name \"what*/who?"), "{rows:#?}");
    }
    // A damaged file is repaired in its place.
    fs::write(at.join("what_/plain"), "wrong").unwrap();
    get.arg("--overwrite").run().assert_code(0);
    on_disk.assert_same_in(&at);
}
