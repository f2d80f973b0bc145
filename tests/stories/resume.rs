//! Stories of runs that end early and of the runs after them: nothing is read or fetched twice without need, and no
//! wrong byte ever counts as right.

use crate::common::content::{Content, damage};
use crate::common::json;
use crate::common::process::Process;
use crate::common::stage::Stage;
use crate::common::swarmlet::{Get, Outcome, Swarmlet};
use crate::common::throttle::Throttle;
use crate::common::wait::{PATIENCE, wait_until};
use rustix::process::Signal;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};
use swarmlet::base::rng::Rng;
use swarmlet::engine::{Config, Engine, Job, Notice};
use swarmlet::proto::metainfo::Metainfo;
use swarmlet::storage::resume::StateDir;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
const PIECE: usize = 32 * KIB;

fn json_get(stage: &Stage, name: &str) -> Get {
    stage.get(name).arg("--json")
}

/// The saved states of this story.
fn states(stage: &Stage) -> Vec<PathBuf> {
    let entries = fs::read_dir(stage.path().join("state/swarmlet")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// Runs `get` until `part` bytes have passed `line`, and then ends it with `end`.
fn a_part(get: &Get, line: &Throttle, part: u64, end: impl Fn(Swarmlet) -> Outcome) -> Outcome {
    let mut leecher = get.start();
    let until = line.passed() + part;
    wait_until("a part has arrived", PATIENCE, || {
        leecher.must_run();
        line.passed() >= until
    });
    end(leecher)
}

/// The bytes that a run found at its start, and the bytes that it read for that.
fn found(outcome: &Outcome) -> (u64, u64) {
    let checked = outcome.json("checked");
    (checked["had"].as_u64().unwrap(), checked["hashed"].as_u64().unwrap())
}

fn a_file(size: usize) -> Content {
    Content::one_file("a file.bin", size)
}

#[test]
fn a_run_continues_where_the_last_one_ended_and_reads_nothing() {
    let stage = Stage::new(a_file(12 * MIB + 77), PIECE);
    let (_seed, line) = stage.slow_seed(6 * MIB as u64);
    let get = json_get(&stage, "leecher");
    let ends: [fn(Swarmlet) -> Outcome; 3] = [Swarmlet::interrupt, Swarmlet::terminate, Swarmlet::hang_up];
    let mut had = 0;
    for end in ends {
        let outcome = a_part(&get, &line, 2 * MIB as u64, end);
        outcome.assert_code(75);
        assert_eq!(found(&outcome), (had, 0), "the bytes that were found, and the bytes read for that");
        had = outcome.json("stopped")["had"].as_u64().unwrap();
        assert!(had > MIB as u64, "it has only {had} bytes");
        let announces = stage.announces_from(&get);
        assert_eq!(announces.last().unwrap().event, "stopped");
    }
    let outcome = get.run();
    outcome.assert_code(0);
    assert_eq!(found(&outcome), (had, 0));
    stage.content.assert_same_in(&get.dir);
    assert!(line.passed() < stage.content.size() * 105 / 100, "{} bytes came", line.passed());
}

#[test]
fn complete_content_is_read_again_only_with_check() {
    let stage = Stage::new(Content::tree("tree"), PIECE);
    let (_seed, _line) = stage.slow_seed(1 << 30);
    let get = json_get(&stage, "leecher");
    get.run().assert_code(0);
    let whole = (stage.content.size(), 0);
    assert_eq!(found(&get.run()), whole);
    // The seed was complete from the start. That is saved too.
    let get = json_get(&stage, "seed again").in_dir(&stage.source);
    assert_eq!(found(&get.run()), (stage.content.size(), stage.content.size()), "no state describes this folder yet");
    assert_eq!(found(&get.run()), whole);
    assert_eq!(states(&stage).len(), 2, "a state for each folder: {:?}", states(&stage));
    let get = get.arg("--check");
    assert_eq!(found(&get.run()), (stage.content.size(), stage.content.size()), "--check");
}

#[test]
fn a_changed_file_is_noticed_and_only_that_one_is_read() {
    let stage = Stage::new(Content::folder("folder", &[("a", 20 * PIECE), ("b", 10 * PIECE), ("c", 5 * PIECE)]), PIECE);
    let (_seed, line) = stage.slow_seed(1 << 30);
    let get = json_get(&stage, "leecher");
    get.run().assert_code(0);
    let (size, piece) = (stage.content.size(), PIECE as u64);

    // The same size, another modification time.
    damage(&get.dir.join("folder/b"), 3 * PIECE + 5, 1);
    let outcome = get.run();
    outcome.assert_code(0);
    assert_eq!(found(&outcome), (size - piece, 10 * piece), "b changed");
    stage.content.assert_same_in(&get.dir);

    // Cut short.
    let file = fs::File::options().write(true).open(get.dir.join("folder/c")).unwrap();
    file.set_len(2 * piece + 5).unwrap();
    let outcome = get.run();
    assert_eq!(found(&outcome), (size - 3 * piece, 2 * piece), "c was cut");
    stage.content.assert_same_in(&get.dir);

    // Gone.
    fs::remove_file(get.dir.join("folder/a")).unwrap();
    let outcome = get.run();
    assert_eq!(found(&outcome), (size - 20 * piece, 0), "a is gone");
    stage.content.assert_same_in(&get.dir);
    assert!(line.passed() < size + 25 * piece, "{} bytes came", line.passed());
}

#[test]
fn a_damaged_state_is_reported_and_everything_is_checked() {
    let stage = Stage::new(a_file(2 * MIB), PIECE);
    let (_seed, _line) = stage.slow_seed(1 << 30);
    let get = json_get(&stage, "leecher");
    get.run().assert_code(0);
    let states = states(&stage);
    // It holds the path of the folder.
    let is_its = |path: &&PathBuf| fs::read(path).unwrap().windows(7).any(|window| window == b"leecher");
    let state = states.iter().find(is_its).unwrap();
    // One bit is flipped, or everything is zero, as after a power cut.
    let whole = fs::read(state).unwrap();
    let mut other = whole.clone();
    let at = other.windows(6).position(|window| window == b"4:have").unwrap();
    other[at + 12] ^= 1;
    for bytes in [other, vec![0; whole.len()], Vec::new(), whole[..whole.len() / 2].to_vec()] {
        fs::write(state, bytes).unwrap();
        let outcome = get.run();
        outcome.assert_code(0);
        assert_eq!(found(&outcome), (stage.content.size(), stage.content.size()));
        assert!(outcome.stderr.contains("warning: can't use the state"), "{}", outcome.stderr);
        assert_eq!(found(&get.run()), (stage.content.size(), 0), "a good state replaced it");
    }
}

#[test]
fn a_state_that_cannot_be_saved_is_only_a_warning() {
    let stage = Stage::new(a_file(2 * MIB), PIECE);
    let (_seed, _line) = stage.slow_seed(1 << 30);
    let in_the_way = stage.path().join("a plain file");
    fs::write(&in_the_way, "").unwrap();
    let get = json_get(&stage, "leecher").arg("--state").arg(in_the_way.join("below"));
    let outcome = get.run();
    outcome.assert_code(0);
    stage.content.assert_same_in(&get.dir);
    assert_eq!(outcome.stderr.matches("warning").count(), 1, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("a plain file/below"), "{}", outcome.stderr);

    // The folder exists at first, but not when the state is saved.
    let states = stage.path().join("states");
    let mut leecher = json_get(&stage, "another").arg("--seed").arg("--state").arg(&states).start();
    wait_until("it is complete", PATIENCE, || {
        leecher.must_run();
        leecher.stdout().contains(r#""event":"complete""#)
    });
    fs::remove_dir_all(&states).unwrap();
    let outcome = leecher.terminate();
    outcome.assert_code(0);
    assert_eq!(outcome.stderr.matches("warning").count(), 1, "{}", outcome.stderr);
}

/// As under nohup: the run survives its terminal.
#[test]
fn a_hang_up_signal_stays_ignored_under_nohup() {
    let stage = Stage::new(a_file(2 * MIB), PIECE);
    let get = json_get(&stage, "leecher");
    let mut leecher = get.start_after("trap '' HUP");
    let heard = || stage.announces_from(&get).len();
    wait_until("it announces itself", PATIENCE, || heard() > 0);
    let reports = |leecher: &Swarmlet| json::objects(&leecher.stdout()).len();
    let before = reports(&leecher);
    leecher.signal(Signal::HUP);
    wait_until("it continues", PATIENCE, || {
        leecher.must_run();
        reports(&leecher) > before + 2
    });
    leecher.terminate().assert_code(75);
    let announces = stage.announces_from(&get);
    assert_eq!(announces.last().unwrap().event, "stopped");
}

/// Random numbers. The seed is printed; `SWARMLET_SEED=` repeats a run.
fn random() -> Rng {
    let given = env::var("SWARMLET_SEED").ok().and_then(|text| text.parse().ok());
    let seed = given.unwrap_or_else(|| u64::from(std::process::id()));
    println!("SWARMLET_SEED={seed}");
    Rng::new(seed)
}

/// The run is killed at random moments. Some runs between end normally and save a state, which must not claim too much.
///
/// `SWARMLET_KILLS=100 cargo test --test stories kills -- --nocapture` makes it a hundred kills. The checks take long
/// then; `SWARMLET_BIN=target/release/swarmlet` names a faster build.
#[test]
fn ten_kills_cost_little_and_do_no_harm() {
    let kills = env::var("SWARMLET_KILLS").map_or(10, |text| text.parse().expect("SWARMLET_KILLS is a number"));
    let mut rng = random();
    let stage = Stage::new(a_file(kills * 3 * MIB + 12_345), PIECE);
    // Bytes that a killed run had not read yet are lost. A slow line keeps them few, even on a busy machine.
    let (_seed, line) = stage.slow_seed(3 * MIB as u64);
    let get = json_get(&stage, "leecher");
    let (begin, most) = (Instant::now(), stage.content.size() * 9 / 10);
    let (mut killed, mut told) = (0, 0);
    while killed < kills {
        let leecher = get.start();
        // At any moment: during the start and the check, or later.
        let share = stage.content.size() as usize / kills * 5 / 4;
        let part = if rng.below(4) == 0 { 0 } else { rng.below(share) as u64 };
        let until = (line.passed() + part).min(most);
        wait_until("some of it has arrived", PATIENCE, || line.passed() >= until);
        thread::sleep(Duration::from_millis(rng.below(100) as u64));
        // Normal ends come between the kills.
        if (killed + told) % 5 == 2 {
            leecher.terminate();
            told += 1;
        } else {
            leecher.kill();
            killed += 1;
        }
    }
    let outcome = get.run();
    outcome.assert_code(0);
    stage.content.assert_same_in(&get.dir);
    let (size, came) = (stage.content.size(), line.passed());
    let (had, excess) = (found(&outcome).0, came.saturating_sub(size));
    println!(
        "{killed} kills until {} % had arrived, {told} ends by SIGTERM: {came} bytes came for {size}, {}.{:02} % too many",
        had * 100 / size,
        excess * 100 / size,
        excess * 10_000 / size % 100
    );
    println!("it took {} s", begin.elapsed().as_secs());
    assert!(had < size, "it was complete before the last kill");
    // On a machine with nothing else to do it is less than 4 %.
    assert!(excess < size / 12, "{excess} bytes came twice");
}

/// The story below kills this engine. It saves states a thousand times as often as `get` does.
#[test]
fn an_engine_to_be_killed() {
    let Some(scratch) = env::var_os("SWARMLET_TO_BE_KILLED").map(PathBuf::from) else { return };
    let states = Arc::new(StateDir::open(&scratch.join("states")).unwrap());
    let metainfo = Metainfo::parse(&fs::read(scratch.join("torrent")).unwrap()).unwrap();
    let config = Config {
        ports: 0..=0,
        memory_bytes: 1 << 20,
        states: Some(states),
        save_every: Duration::from_millis(60),
        ..Config::default()
    };
    let (engine, notices) = Engine::start(config).unwrap();
    engine.add(Job::new(metainfo, scratch.join("copy")));
    for notice in notices.iter() {
        match notice {
            Notice::Joined { had_bytes, hashed_bytes, .. } => eprintln!("found {had_bytes} {hashed_bytes}"),
            Notice::Complete { .. } => engine.send(swarmlet::engine::Command::Stop),
            Notice::Stopped(_) => return,
            notice => eprintln!("{notice:?}"),
        }
    }
}

#[test]
fn a_state_saved_while_blocks_arrive_claims_nothing_wrong() {
    let mut rng = random();
    let files: Vec<(String, usize)> = (0..120).map(|file| (format!("{file}"), 50_000 + 997 * (file % 60))).collect();
    let files: Vec<(&str, usize)> = files.iter().map(|(name, size)| (name.as_str(), *size)).collect();
    let stage = Stage::new(Content::folder("folder", &files), PIECE);
    let (_seed, line) = stage.slow_seed(2 * MIB as u64);
    let scratch = stage.path();
    let copy = scratch.join("copy");
    fs::create_dir(&copy).unwrap();
    fs::copy(&stage.torrent.file, scratch.join("torrent")).unwrap();
    let start = || {
        let mut command = Command::new(env::current_exe().unwrap());
        command
            .args(["--exact", "resume::an_engine_to_be_killed", "--nocapture"])
            .env("SWARMLET_TO_BE_KILLED", scratch);
        Process::start("engine", &mut command, scratch)
    };
    let (mut trusted, kills) = (0, 12);
    let mut count_trusted = |process: &Process| {
        let said = process.stderr();
        let numbers = said.lines().find_map(|line| line.strip_prefix("found ")).and_then(|line| line.split_once(' '));
        let (had, hashed): (u64, u64) = numbers.map_or((0, 0), |(a, b)| (a.parse().unwrap(), b.parse().unwrap()));
        trusted += had.saturating_sub(hashed);
    };
    for _ in 0..kills {
        let mut process = start();
        let until = line.passed() + rng.below(stage.content.size() as usize / kills) as u64;
        wait_until("some of it has arrived", PATIENCE, || line.passed() >= until);
        thread::sleep(Duration::from_millis(rng.below(50) as u64));
        process.signal(Signal::KILL);
        process.wait(PATIENCE);
        count_trusted(&process);
    }
    let mut process = start();
    assert!(process.wait(PATIENCE).success());
    count_trusted(&process);
    stage.content.assert_same_in(&copy);
    println!("{trusted} bytes were trusted after {kills} kills, {} came for {}", line.passed(), stage.content.size());
    assert!(trusted > 0, "no state was ever of use");
}

/// A piece in the part file cannot be read from the files around it, even if they did not change.
#[test]
fn a_piece_in_the_part_file_does_not_count_as_content_of_the_files() {
    let stage = Stage::new(Content::folder("folder", &[("a", 3 * PIECE + 1000), ("b", 2 * PIECE)]), PIECE);
    let (_seed, _line) = stage.slow_seed(1 << 30);
    let get = json_get(&stage, "leecher");
    let b = get.dir.join("folder/b");
    stage.content.write_to(&get.dir);
    fs::remove_file(get.dir.join("folder/a")).unwrap();
    damage(&b, 0, 1);
    // The file must look old, because a state does not record a file that was just written.
    let file = fs::File::options().write(true).open(&b).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(10)).unwrap();
    let choice = json_get(&stage, "leecher").arg("--files").arg("1");
    choice.run().assert_code(0);
    let outcome = choice.run();
    let (had, hashed) = found(&outcome);
    assert!(had > 3 * PIECE as u64, "it has {had} bytes of what is wanted");
    assert!(hashed <= 2 * PIECE as u64, "{hashed} bytes were read, for one piece in the part file");

    // Without the part file the piece is gone, because its end in `b` is wrong.
    let part_file = fs::read_dir(&get.dir).unwrap().map(|entry| entry.unwrap().path()).find(|path| path.is_file());
    fs::remove_file(part_file.expect("there is a part file")).unwrap();
    get.run().assert_code(0);
    stage.content.assert_same_in(&get.dir);
}

/// Other files in the folder of states stay.
#[test]
fn old_states_are_removed() {
    let stage = Stage::new(a_file(1), PIECE);
    let states = stage.path().join("state/swarmlet");
    fs::create_dir_all(&states).unwrap();
    let name = |digit: &str| format!("{}-{}.resume", digit.repeat(40), digit.repeat(16));
    let put = |name: &str, days: u64| {
        let file = fs::File::create(states.join(name)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(days * 24 * 3600)).unwrap();
    };
    put(&name("a"), 400);
    put(".swarmlet-1-0.new", 400);
    put(&name("b"), 300);
    put("somebody's notes", 4000);
    let mut get = json_get(&stage, "leecher").start();
    let there = |name: &str| Path::new(&states.join(name)).exists();
    wait_until("the old states are gone", PATIENCE, || {
        get.must_run();
        !there(&name("a")) && !there(".swarmlet-1-0.new")
    });
    assert!(there(&name("b")) && there("somebody's notes"));
}
