use super::starting::Before;
use super::*;
use crate::base::hex::to_hex;
use crate::daemon::record::{State as Doing, Trouble};
use crate::daemon::rpc::adding::TorrentSource;
use crate::daemon::rpc::call::Ids;
use crate::engine::{Config, Phase, Report};
use crate::swarm::standing::{Problem, ProblemKind};
use crate::web::answer::Body;
use crate::web::promise::Waker;
use std::fs;
use std::time::Duration;

/// The smallest torrent.
const TORRENT: &[u8] = b"d4:infod6:lengthi1e4:name1:a12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaaee";

fn daemon(temp: &Path) -> Daemon {
    let [dir, state] = ["content", "state"].map(|name| temp.join(name));
    let options = Options {
        config: Config { ports: 0..=0, ..Config::default() },
        has_port: true,
        has_encryption: false,
        file: None,
        given: vec![("download_dir", dir.to_string_lossy().into_owned())],
        state,
        import: None,
        web_home: None,
        is_open: false,
    };
    let before = Before::read(&options).unwrap();
    let (engine, _notices) = Engine::start(options.config.clone()).unwrap();
    let (asks, helpers) = (crossbeam_channel::unbounded().0, crossbeam_channel::unbounded().0);
    let door = Arc::new(Door::new(&before.settings, false, None, asks).unwrap());
    Daemon::new(options, before, engine, door, helpers).unwrap()
}

fn add(daemon: &mut Daemon, torrent: Vec<u8>) -> u32 {
    let add = AddTorrent { paused: Some(true), ..AddTorrent::of(TorrentSource::Metainfo(Vec::new())) };
    daemon.add_described(&add, Described::read(torrent).unwrap()).unwrap().0
}

#[test]
fn a_report_from_before_a_change_does_not_take_the_change_back() {
    let temp = tempfile::tempdir().unwrap();
    let mut daemon = daemon(temp.path());
    let id = add(&mut daemon, TORRENT.to_vec());
    let torrent = daemon.known[&id].torrent;
    let report = |daemon: &mut Daemon, changes: u32| {
        let problem = Problem { kind: ProblemKind::Io, text: "broken".into() };
        daemon.renew(vec![Report { torrent, place: 0, changes, phase: Phase::Failed(problem.into()) }]);
        let record = daemon.records.get(id).unwrap();
        (record.state == Doing::Stopped, record.trouble == Trouble::Local("broken".into()))
    };
    assert_eq!(report(&mut daemon, 0), (true, true));
    daemon.start(id).unwrap();
    daemon.records.get_mut(id).unwrap().state = Doing::Download;
    daemon.records.get_mut(id).unwrap().trouble = Trouble::None;
    assert_eq!(report(&mut daemon, 0), (false, false), "it is older than the start");
    assert_eq!(report(&mut daemon, 1), (true, true));
}

#[test]
fn a_second_batch_has_a_torrent_whose_own_file_could_not_be_written() {
    let temp = tempfile::tempdir().unwrap();
    let mut daemon = daemon(temp.path());
    let ids: Vec<u32> = (100..300)
        .map(|number| {
            let torrent = String::from_utf8_lossy(TORRENT).replace("1:a", &format!("3:{number}"));
            add(&mut daemon, torrent.into_bytes())
        })
        .collect();
    let change = |daemon: &mut Daemon, ids: &[u32], place| {
        for id in ids {
            let known = daemon.known.get_mut(id).unwrap();
            (known.kept.place, known.is_changed) = (place, true);
        }
        daemon.save_changed().unwrap();
        assert!(daemon.state.has_batch());
    };
    // No file can take the place of a folder with something in it.
    let hash = daemon.records.get(ids[0]).unwrap().about.hash.unwrap();
    let own = temp.path().join(format!("state/{}.daemon", to_hex(&hash.0)));
    fs::remove_file(&own).unwrap();
    for path in [own.join("folder"), own.with_extension("daemon.before").join("folder")] {
        fs::create_dir_all(path).unwrap();
    }
    change(&mut daemon, &ids, 7);
    assert!(daemon.write_some(usize::MAX).is_err());
    assert!(daemon.write_some(usize::MAX).is_ok(), "it is told once");
    change(&mut daemon, &ids[1..], 8);
    let found = daemon.state.torrents().unwrap();
    let places: Vec<i64> =
        found.into_iter().filter(|found| found.hash == hash).map(|found| found.saved.unwrap().1.place).collect();
    assert_eq!(places, [7]);
}

#[test]
fn of_many_torrents_some_are_removed_in_each_turn_and_a_kill_loses_none_of_them() {
    let temp = tempfile::tempdir().unwrap();
    let mut daemon = daemon(temp.path());
    for name in 0..5 {
        add(&mut daemon, String::from_utf8_lossy(TORRENT).replace("1:a", &format!("1:{name}")).into_bytes());
    }
    let mut ids = daemon.records.select(&Ids::All, 0).into_iter();
    for left in (1..5).rev() {
        assert!(daemon.remove_next(&mut ids, false, Duration::ZERO).is_none());
        let here: Vec<_> = daemon.records.iter().filter_map(|record| record.about.hash).collect();
        let mut saved: Vec<_> = daemon.state.torrents().unwrap().into_iter().map(|found| found.hash).collect();
        saved.sort_by_key(|hash| daemon.records.with_hash(hash));
        assert_eq!((here.len(), here), (left, saved), "what is removed does not come back, and the others do");
    }
    assert!(daemon.remove_next(&mut ids, false, Duration::ZERO).is_some_and(|done| done.is_ok()));
    assert!(daemon.records.is_empty() && daemon.state.torrents().unwrap().is_empty());
}

#[test]
fn a_program_that_removes_many_torrents_is_answered_although_the_daemon_ends_meanwhile() {
    let temp = tempfile::tempdir().unwrap();
    let mut daemon = daemon(temp.path());
    for name in 0..5 {
        add(&mut daemon, String::from_utf8_lossy(TORRENT).replace("1:a", &format!("1:{name}")).into_bytes());
    }
    let mut ids = daemon.records.select(&Ids::All, 0).into_iter();
    let mut conversation = Conversation::new(br#"{"method": "torrent-remove"}"#);
    conversation.next_call().unwrap();
    let (promise, mut awaited) = Promise::new(&Arc::new(Waker::new().unwrap()), None);
    assert!(daemon.remove_next(&mut ids, false, Duration::ZERO).is_none());
    let asked = Asked { conversation: Box::new(conversation), promise };
    daemon.removals.push_back(Removal { asked, ids, delete: false });
    daemon.end().unwrap();
    assert!(daemon.state.torrents().unwrap().is_empty(), "none of them is back at the next start");
    let Some(Body::Bytes(answer)) = awaited.take(Instant::now()).map(|answer| answer.body) else { panic!() };
    assert!(String::from_utf8_lossy(&answer).contains("success"));
}
