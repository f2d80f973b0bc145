//! A daemon with made-up torrents, and the programs by other people that control it.

use super::http::{Ask, Door, MOST_BODY, rpc_answer, service};
use super::metrics;
use super::record::{About, Details, FileDetail, PeerDetail, Record, Sources, State, TrackerRecord};
use super::records::Records;
use super::rpc::adding::TorrentSource;
use super::rpc::session::{self, Session, Stats};
use super::rpc::{Call, Conversation, Dialect, Failure, changing, torrents};
use super::settings::Settings;
use crate::proto::id::InfoHash;
use crate::web::answer::Answer;
use crate::web::bodies::Bodies;
use crate::web::server::{self, Bounds};
use crossbeam_channel::{Receiver, unbounded};
use std::io::Write;
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::{env, io, thread};

const NOW: i64 = 1_700_000_000;

/// The loop of a daemon that does nothing but remember.
struct MadeUp {
    records: Records,
    settings: Settings,
    door: Arc<Door>,
}

impl MadeUp {
    fn run(mut self, asks: &Receiver<Ask>) {
        for ask in asks {
            match ask {
                Ask::Rpc(mut conversation, promise) => {
                    self.answer(&mut conversation);
                    promise.keep(rpc_answer(conversation.finish(), &Bodies::new(1 << 20)));
                }
                Ask::Metrics(promise) => {
                    promise.keep(Answer::words("200 OK", &metrics::write(&self.records, &stats())))
                }
                Ask::Health(promise) => promise.keep(Answer::words("200 OK", "ok")),
            }
        }
    }

    fn answer(&mut self, conversation: &mut Conversation) {
        while let Some(call) = conversation.next_call() {
            conversation.answer(|out, dialect| self.carry_out(call, out, dialect));
        }
    }

    fn carry_out(&mut self, call: Call, out: &mut String, dialect: Dialect) -> Result<(), Failure> {
        match call {
            Call::TorrentGet(get) => {
                let known = (&self.records, &self.settings);
                return torrents::write(out, dialect, &get, known, |record| Some(details(record)), NOW);
            }
            Call::TorrentSet(ids, change) => {
                for id in self.records.select(&ids, NOW) {
                    let Some(record) = self.records.get_mut(id) else { continue };
                    change.files.apply(&mut [(true, 0); 2])?;
                    let tiers = changing::tiers(&record.trackers, &change.trackers)?;
                    record.trackers = trackers(&tiers);
                    change.apply(&mut record.wishes);
                    record.labels = change.labels.clone().unwrap_or_else(|| record.labels.clone());
                    record.download_dir = change.location.as_deref().unwrap_or(&record.download_dir).into();
                }
            }
            Call::TorrentAdd(add) => {
                let hash = match &add.source {
                    TorrentSource::Metainfo(bytes) => InfoHash([bytes.len() as u8; 20]),
                    TorrentSource::Magnet(_) | TorrentSource::Url(_) => InfoHash([250; 20]),
                };
                let found = self.records.with_hash(&hash);
                let id = found.unwrap_or_else(|| {
                    let about = About { hash: Some(hash), name: "added".into(), ..About::default() };
                    self.records.insert(Record { about: Arc::new(about), ..Record::default() })
                });
                let record = self.records.get(id).expect("it was added");
                torrents::write_added(out, dialect, record, found.is_some());
            }
            Call::TorrentRemove { ids, .. } => {
                for id in self.records.select(&ids, NOW) {
                    self.records.remove(id, NOW);
                }
            }
            Call::TorrentStart(ids) | Call::TorrentStartNow(ids) => self.state(&ids, State::Download),
            Call::TorrentStop(ids) => self.state(&ids, State::Stopped),
            Call::TorrentRenamePath { ids, path, name } => {
                let id = torrents::only_one(&self.records.select(&ids, NOW))?;
                torrents::write_renamed(out, dialect, id, &path, &name);
            }
            Call::TorrentSetLocation { ids, location, .. } => {
                for id in self.records.select(&ids, NOW) {
                    if let Some(record) = self.records.get_mut(id) {
                        record.download_dir = location.as_str().into();
                    }
                }
            }
            Call::SessionGet(names) => {
                let session = Session { session_id: self.door.session_id(), ..Session::default() };
                session::write_settings(out, dialect, names.as_deref(), &self.settings, &session);
            }
            Call::SessionSet(changes) => self.settings = changes.applied(&self.settings)?,
            Call::SessionStats => session::write_stats(out, dialect, &stats()),
            Call::FreeSpace(path) => session::write_space(out, dialect, &path, 5_000_000, 9_000_000),
            Call::PortTest(protocol) => session::write_port(out, dialect, protocol, true),
            Call::BlocklistUpdate => session::write_blocklist(out, dialect, 7),
            Call::GroupGet => session::write_groups(out),
            Call::TorrentVerify(_) | Call::TorrentReannounce(_) | Call::QueueMove(..) | Call::SessionClose => {}
        }
        Ok(())
    }

    fn state(&mut self, ids: &super::rpc::call::Ids, state: State) {
        for id in self.records.select(ids, NOW) {
            if let Some(record) = self.records.get_mut(id) {
                record.state = state;
            }
        }
    }
}

fn stats() -> Stats {
    Stats { active: 1, paused: 1, down_rate: 2000, ..Stats::default() }
}

fn trackers(tiers: &[Vec<Arc<str>>]) -> Vec<TrackerRecord> {
    let urls = tiers.iter().enumerate().flat_map(|(tier, urls)| urls.iter().map(move |url| (tier, url.clone())));
    let record = |(id, (tier, announce))| TrackerRecord { id: id as u32, tier, announce, ..TrackerRecord::default() };
    urls.enumerate().map(record).collect()
}

fn details(record: &Record) -> Details {
    let file =
        |name: &str| FileDetail { name: name.into(), length: 500, have: 250, wanted: true, ..FileDetail::default() };
    Details {
        files: vec![file(&format!("{}/one", record.about.name)), file("two")],
        pieces: vec![0xf0],
        availability: vec![-1, -1, -1, -1, 0, 1, 2, 3],
        peers: vec![PeerDetail {
            address: "10.9.8.7".into(),
            client: "Peer 1.0".into(),
            progress: 0.5,
            ..PeerDetail::default()
        }],
        web_seeds: Vec::new(),
    }
}

/// A daemon with two torrents, and its port.
fn made_up(settings: Settings) -> u16 {
    let (asks, receiver) = unbounded();
    let door = Arc::new(Door::new(&settings, false, None, asks).unwrap());
    let mut records = Records::default();
    for (number, name, state) in [(1, "first torrent", State::Download), (2, "second torrent", State::Stopped)] {
        let about = About {
            hash: Some(InfoHash([number; 20])),
            name: name.into(),
            total_size: 1000,
            file_count: 2,
            piece_count: 8,
            piece_size: 128,
            created: NOW - 9000,
            ..About::default()
        };
        let mut record = Record { about: Arc::new(about), state, download_dir: "/srv".into(), ..Record::default() };
        record.dates.added = NOW - 5000;
        record.now.size_when_done = 1000;
        record.now.left = 500;
        record.now.have_valid = 500;
        record.now.metadata = 1.0;
        record.now.sources = Sources { tracker: 1, ..Sources::default() };
        record.trackers = trackers(&[vec!["http://tracker.example.com/announce".into()]]);
        records.insert(record);
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    server::start(vec![listener], &service(&door), Bounds { connections: 64, body: MOST_BODY }).unwrap();
    thread::spawn(move || MadeUp { records, settings, door }.run(&receiver));
    port
}

fn settings() -> Settings {
    let mut settings = Settings { download_dir: "/srv".into(), ..Settings::default() };
    settings.fix_roots();
    settings
}

/// What a program prints; `None`: it is not installed, which fails where all programs must be (CI=true).
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    match Command::new(program).args(arguments).output() {
        Ok(output) => {
            let text = [output.stdout, output.stderr].concat();
            Some(String::from_utf8_lossy(&text).into_owned())
        }
        Err(error) => {
            assert!(env::var_os("CI").is_none_or(|ci| ci != "true"), "{program}: {error}");
            let _ = writeln!(io::stderr(), "SKIPPED: {program} is missing");
            None
        }
    }
}

#[test]
fn transmission_remote_shows_and_changes_everything() {
    let port = made_up(settings()).to_string();
    let remote = |arguments: &[&str]| output("transmission-remote", &[&[port.as_str()], arguments].concat());
    let Some(list) = remote(&["-l"]) else { return };
    assert!(list.contains("first torrent") && list.contains("Stopped") && list.contains("50%"), "{list}");
    for (arguments, words) in [
        (&["-t", "1", "-i"][..], &["Hash: 0101010101", "Location: /srv", "Percent Done: 50.0%", "Piece Count: 8"][..]),
        (&["-t", "1", "-f"], &["first torrent/one", "(2 files)", "50%"]),
        (&["-t", "1", "-ip"], &["10.9.8.7", "Peer 1.0"]),
        (&["-t", "1", "-it"], &["tracker.example.com", "tier 0"]),
        (&["-t", "1", "-ic"], &["11110000"]),
        (&["-si"], &["RPC version: 17", "Download directory: /srv", "Listenport: 51413"]),
        (&["-st"], &["CURRENT SESSION", "TOTAL"]),
        (&["-pt"], &["Port is open: Yes"]),
    ] {
        let shown = remote(arguments).unwrap();
        for word in words {
            assert!(shown.contains(word), "{arguments:?}: {word} in {shown}");
        }
    }
    let magnet = format!("magnet:?xt=urn:btih:{}", InfoHash([9; 20]));
    for arguments in [
        &["-t", "1", "-s"][..],
        &["-t", "1", "-S"],
        &["-t", "all", "--start"],
        &["-t", "1,2", "-v"],
        &["-t", "1", "--reannounce"],
        &["-t", "1", "-d", "30"],
        &["-t", "1", "-U"],
        &["-t", "1", "-sr", "1.5"],
        &["-t", "1", "-SR"],
        &["-t", "1", "-Bh"],
        &["-t", "1", "-g", "0"],
        &["-t", "1", "-G", "all"],
        &["-t", "1", "-ph", "0,1"],
        &["-t", "1", "-pr", "9"],
        &["-t", "1", "-td", "udp://other.example.com:6969"],
        &["-t", "1", "-tr", "1"],
        &["-t", "1", "-L", "a,b"],
        &["-t", "1", "--move", "/srv/other"],
        &["-t", "1", "--find", "/srv"],
        &["-d", "500"],
        &["-D"],
        &["-u", "50"],
        &["-as"],
        &["-AS"],
        &["-asd", "70"],
        &["-asc"],
        &["-c", "/srv/incomplete"],
        &["-er"],
        &["-et"],
        &["-gsr", "2.5"],
        &["-GSR"],
        &["-O"],
        &["-M"],
        &["-X"],
        &["-p", "51414"],
        &["-pr", "99"],
        &["-w", "/srv/there"],
        &["-t", "1", "-w", "/srv/there"],
        &["--blocklist-update"],
        &["-a", &magnet],
        &["-t", "1", "-r"],
        &["-t", "2", "-rad"],
        &["--exit"],
    ] {
        let said = remote(arguments).unwrap();
        assert!(said.contains("responded: \"success\""), "{arguments:?}: {said}");
    }
    let refused = remote(&["-w", "/etc"]).unwrap();
    assert!(refused.contains("/etc is not below a folder"), "{refused}");
    let info = remote(&["-si"]).unwrap();
    for word in ["Download directory: /srv/there", "Listenport: 51414", "Default seed ratio limit: Unlimited"] {
        assert!(info.contains(word), "{word} in {info}");
    }
    assert!(info.contains("Upload speed limit: 50 kB/s"), "{info}");
}

#[test]
fn transmission_remote_gives_a_password() {
    let settings = Settings {
        rpc_authentication_required: true,
        rpc_username: "me".into(),
        rpc_password: "pass:word".into(),
        ..settings()
    };
    let port = made_up(settings).to_string();
    let Some(list) = output("transmission-remote", &[&port, "-n", "me:pass:word", "-l"]) else { return };
    assert!(list.contains("first torrent"), "{list}");
    let wrong = output("transmission-remote", &[&port, "-n", "me:wrong", "-l"]).unwrap();
    assert!(wrong.contains("a user and a password are needed"), "{wrong}");
}

/// transmission-rpc from PyPI calls what its own tests call.
const TRANSMISSION_RPC: &str = r#"
import sys
try:
    import transmission_rpc
except ImportError:
    print("missing"); sys.exit()
from transmission_rpc import Client
c = Client(port=int(sys.argv[1]))
s = c.get_session()
assert s.download_dir == "/srv" and s.seed_ratio_limit == 2 and s.rpc_version == 17, s
t = {t.id: t for t in c.get_torrents()}
assert t[1].name == "first torrent" and t[1].status == "downloading" and t[2].status == "stopped"
one = c.get_torrent(1)
assert one.progress == 50.0 and one.hash_string == "01" * 20, one
assert [f.name for f in one.get_files()] == ["first torrent/one", "two"]
assert c.get_torrent("01" * 20).id == 1
c.get_recently_active_torrents()
for do in (c.start_torrent, c.stop_torrent, c.verify_torrent, c.reannounce_torrent,
           c.queue_top, c.queue_bottom, c.queue_up, c.queue_down):
    do([1])
c.start_all()
c.change_torrent(1, download_limit=30, download_limited=True, labels=["a"], seed_ratio_mode=1, seed_ratio_limit=3.0,
                 tracker_list=[["http://a/announce"], ["http://b/announce"]], files_unwanted=[1], peer_limit=9)
one = c.get_torrent(1)
assert one.download_limit == 30 and one.labels == ["a"] and one.seed_ratio_limit == 3.0, one.fields
assert one.tracker_list == ["http://a/announce", "http://b/announce"], one.tracker_list
c.move_torrent_data(1, "/srv/x")
assert c.get_torrent(1).download_dir == "/srv/x"
assert c.rename_torrent_path(1, "first torrent", "other") == ("first torrent", "other")
c.set_session(speed_limit_down=77, speed_limit_down_enabled=True, encryption="required", seed_queue_size=3)
s = c.get_session()
assert s.speed_limit_down == 77 and s.encryption == "required" and s.seed_queue_size == 3
assert c.free_space("/srv") == 5000000
assert c.port_test() is True or c.port_test().port_is_open
assert c.blocklist_update() == 7
assert c.session_stats().active_torrent_count == 1
added = c.add_torrent("magnet:?xt=urn:btih:" + "09" * 20)
assert added.name == "added"
c.add_torrent("magnet:?xt=urn:btih:" + "09" * 20)
c.remove_torrent(added.id, delete_data=True)
try:
    c.get_torrent(added.id); raise SystemExit("it is still there")
except KeyError:
    pass
c.get_groups()
try:
    c.set_session(download_dir="/etc"); raise SystemExit("/etc was allowed")
except transmission_rpc.error.TransmissionError as e:
    assert "not below" in str(e), e
print("all is well")
"#;

#[test]
fn transmission_rpc_of_python_does_its_whole_job() {
    let port = made_up(settings()).to_string();
    let Some(said) = output("python3", &["-W", "ignore", "-c", TRANSMISSION_RPC, &port]) else { return };
    let is_missing = said.trim() == "missing";
    assert!(!is_missing || env::var_os("CI").is_none_or(|ci| ci != "true"), "transmission-rpc is missing");
    if is_missing {
        let _ = writeln!(io::stderr(), "SKIPPED: transmission-rpc is missing (pip install transmission-rpc)");
    } else {
        assert_eq!(said.trim(), "all is well");
    }
}
