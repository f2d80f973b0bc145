//! Stories of `swarmlet demo`: a whole swarm in one process, which leaves nothing behind.

use crate::common::json;
use crate::common::process::Process;
use crate::common::ran::{Ran, run};
use crate::common::swarmlet::program;
use crate::common::wait::{PATIENCE, wait_until};
use rustix::process::Signal;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

const MIB: u64 = 1 << 20;

/// A home, a place for temporary files, and a folder to be in; all are empty.
struct Place(TempDir);

impl Place {
    fn new() -> Place {
        let place = Place(tempfile::tempdir().unwrap());
        ["home", "tmp", "here"].iter().for_each(|name| fs::create_dir(place.0.path().join(name)).unwrap());
        place
    }

    fn command(&self, args: &[&str]) -> Command {
        self.command_after(Command::new(program()), args)
    }

    /// The same, if `command` starts the program.
    fn command_after(&self, mut command: Command, args: &[&str]) -> Command {
        let at = |name| self.0.path().join(name);
        command.arg("demo").args(args).current_dir(at("here"));
        command.env("HOME", at("home")).env("TMPDIR", at("tmp")).env_remove("XDG_STATE_HOME");
        command
    }

    fn demo(&self, args: &[&str]) -> Ran {
        run(&mut self.command(args), b"")
    }

    /// What is in one of the folders.
    fn names(&self, folder: &str) -> Vec<OsString> {
        let mut names: Vec<OsString> =
            fs::read_dir(self.0.path().join(folder)).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    }

    fn assert_nothing_is_left(&self) {
        assert_eq!((self.names("tmp"), self.names("home")), (vec![], vec![]));
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.path().join("here").join(name)).unwrap()
    }
}

#[test]
fn a_swarm_completes_draws_itself_and_leaves_nothing() {
    let place = Place::new();
    let swarm = ["--peers", "3", "--free-riders", "1", "--size", "1", "--rate", "2048"];
    let output = ["--json", "--svg", "swarm.svg", "--trace=trace.txt", "--trace-only", "choke,tracker"];
    let ran = place.demo(&[&swarm[..], &output].concat()).code(0);
    let done = json::last(&ran.text(), "done").expect("it writes a summary");
    assert!(done["complete_after"].as_f64() >= done["fluid_limit"].as_f64() && done["fluid_limit"] == 0.5, "{done}");
    let peers = done["peers"].as_array().unwrap();
    let sum = |key: &str| peers.iter().map(|peer| peer[key].as_u64().unwrap()).sum::<u64>();
    assert!(sum("took") >= 3 * MIB && sum("gave") >= 3 * MIB, "{done}");
    assert!(peers[0]["gave"].as_u64() >= Some(MIB) && peers[0]["took"] == 0, "{done}");
    assert_eq!((&peers[3]["kind"], &peers[3]["gave"]), (&"free-rider".into(), &0.into()), "{done}");
    let svg = place.read("swarm.svg");
    assert!(svg.starts_with("<svg ") && svg.contains("3*") && svg.contains("fluid limit 0.5 s"), "{svg}");
    // The trace has a line of each peer, and the free-rider has unchoked nobody.
    let trace = place.read("trace.txt");
    let of = |peer: &str, what: &str| trace.lines().any(|line| line.contains(&format!(" {what} by {peer} ")));
    assert!(["seed", "1", "2", "3"].iter().all(|peer| of(peer, "announce")), "{trace}");
    assert!(of("seed", "unchoke") && of("1", "unchoke") && !of("3", "unchoke"), "{trace}");
    assert_eq!(place.names("here"), ["swarm.svg", "trace.txt"]);
    place.assert_nothing_is_left();
}

/// The DHT is found, and the seed may go, because the leechers have all pieces together.
#[test]
fn without_a_tracker_and_without_the_seed_at_the_end() {
    if cfg!(not(feature = "dht")) {
        return;
    }
    let place = Place::new();
    let ran = place.demo(&["--peers", "2", "--size", "1", "--rate", "1024", "--no-tracker", "--super-seed", "--leave"]);
    let ran = ran.code(0);
    let text = ran.text();
    assert!(text.contains("it left early") && text.contains("All are complete after "), "{text}");
    assert!(ran.stderr.contains("each piece was given to somebody: the seed leaves"), "{}", ran.stderr);
    place.assert_nothing_is_left();
}

#[test]
fn pieces_that_only_free_riders_have_are_lost_with_the_seed() {
    let place = Place::new();
    let ran = place.demo(&["--peers", "2", "--free-riders", "1", "--leave", "--size", "1", "--rate", "128"]);
    let ran = ran.refused(1, "the seed has left, and only free-riders have ");
    assert!(ran.text().contains("never: "), "{}", ran.text());
    place.assert_nothing_is_left();
}

#[test]
fn a_person_who_stops_it_finds_nothing_of_it() {
    for signal in [Signal::INT, Signal::TERM, Signal::QUIT] {
        let place = Place::new();
        let mut demo = Process::start(
            "demo",
            &mut place.command(&["--peers", "2", "--size", "16", "--rate", "256"]),
            place.0.path(),
        );
        let has_begun = |folder: &Path| fs::metadata(folder.join("2/demo.bin")).is_ok();
        wait_until("the last leecher has begun its file", PATIENCE, || {
            demo.must_run();
            place.names("tmp").iter().any(|name| has_begun(&place.0.path().join("tmp").join(name)))
        });
        demo.signal(signal);
        assert_eq!(demo.wait(PATIENCE).code(), Some(75), "{}", demo.stderr());
        assert!(demo.stderr().contains("interrupted; every file is deleted"), "{}", demo.stderr());
        place.assert_nothing_is_left();
    }
}

#[test]
fn a_picture_that_can_not_be_drawn_is_refused_before_the_swarm_begins() {
    let place = Place::new();
    place.demo(&["--svg", "none/swarm.svg"]).refused(73, "none/swarm.svg");
    fs::write(place.0.path().join("here/mine"), "a file of the user").unwrap();
    place.demo(&["--svg", "mine"]).refused(73, "mine: this file is not an earlier picture");
    assert_eq!(fs::read_to_string(place.0.path().join("here/mine")).unwrap(), "a file of the user");
    fs::remove_dir(place.0.path().join("tmp")).unwrap();
    place.demo(&[]).refused(73, "TMPDIR names another place");
}

#[test]
fn a_swarm_that_needs_more_open_files_than_are_allowed_does_not_begin() {
    let place = Place::new();
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -n 200; exec \"$@\"", "sh"]).arg(program());
    let ran = run(&mut place.command_after(shell, &["--peers", "8"]), b"");
    ran.refused(69, "9 peers need 208 open files, and 200 are allowed: raise `ulimit -n`, or give fewer --peers");
    place.assert_nothing_is_left();
}
