use super::starting::Before;
use super::*;
use crate::daemon::record::{State as Doing, Trouble};
use crate::daemon::rpc::adding::TorrentSource;
use crate::daemon::rpc::changing::Files;
use crate::engine::{Config, Phase, Report};
use crate::swarm::standing::{Problem, ProblemKind};

/// The smallest torrent.
const TORRENT: &[u8] = b"d4:infod6:lengthi1e4:name1:a12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaaee";

#[test]
fn a_report_from_before_a_change_does_not_take_the_change_back() {
    let temp = tempfile::tempdir().unwrap();
    let [dir, state] = ["content", "state"].map(|name| temp.path().join(name));
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
    let mut daemon = Daemon::new(options, before, engine, door, helpers).unwrap();
    let add = AddTorrent {
        source: TorrentSource::Metainfo(Vec::new()),
        cookies: None,
        download_dir: None,
        paused: Some(true),
        stop_when_described: false,
        labels: Vec::new(),
        peer_limit: None,
        bandwidth_priority: 0,
        sequential_download: None,
        files: Files::default(),
    };
    let (id, _) = daemon.add_described(&add, Described::read(TORRENT.to_vec()).unwrap()).unwrap();
    let torrent = daemon.known[&id].torrent;
    let report = |daemon: &mut Daemon, changes: u32| {
        let problem = Problem { kind: ProblemKind::Io, text: "broken".into() };
        daemon.renew(vec![Report { torrent, place: 0, changes, phase: Phase::Failed(problem) }]);
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
