use super::adding::TorrentSource;
use super::call::{Id, Ids, QueueMove};
use super::changing::{TrackerChange, tiers};
use super::session::{Session, Stats};
use super::*;
use crate::base::json::read::{Value, read};
use crate::daemon::record::{About, Details, FileDetail, Mode, PeerDetail, Record, State, TrackerRecord, Trouble};
use crate::daemon::records::Records;
use crate::daemon::settings::{Encryption, Settings};
use crate::proto::id::InfoHash;
use proptest::prelude::*;
use std::sync::Arc;

const NOW: i64 = 1_700_000_000;

/// The only call of `text`.
fn call(text: &str) -> Call {
    Conversation::new(text.as_bytes()).next().unwrap()
}

/// The answer to `text` if each call succeeds with `result`.
fn answer(text: &str, result: &str) -> Option<String> {
    let mut conversation = Conversation::new(text.as_bytes());
    while conversation.next().is_some() {
        conversation.answer(|out, _| {
            out.push_str(result);
            Ok(())
        });
    }
    conversation.finish()
}

fn record(number: u8) -> Record {
    let about = About {
        hash: Some(InfoHash([number; 20])),
        name: format!("torrent \"{number}\""),
        total_size: 1000,
        file_count: 2,
        piece_count: 9,
        piece_size: 128,
        ..About::default()
    };
    let mut record =
        Record { about: Arc::new(about), state: State::Download, download_dir: "/srv".into(), ..Record::default() };
    record.now.size_when_done = 1000;
    record.now.left = 250;
    record.now.have_valid = 750;
    record.now.down_rate = 10;
    record.totals.uploaded = 500;
    record
}

fn library() -> Records {
    let mut records = Records::default();
    (1..=3).for_each(|number| {
        records.insert(record(number));
    });
    records
}

/// What `torrent-get` with these arguments answers, in both dialects.
fn get(arguments: &str, records: &Records, details: &Details) -> [String; 2] {
    let texts = [
        format!("{{\"method\":\"torrent-get\",\"arguments\":{arguments}}}"),
        format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"torrent_get\",\"params\":{arguments}}}"),
    ];
    texts.map(|text| {
        let mut conversation = Conversation::new(text.as_bytes());
        let Some(Call::TorrentGet(get)) = conversation.next() else { panic!("{text}") };
        conversation.answer(|out, dialect| {
            let known = (records, &Settings::default());
            torrents::write(out, dialect, &get, known, |_| Some(details.clone()), NOW)
        });
        let answer = conversation.finish().unwrap();
        assert!(read(&answer).is_ok(), "{answer}");
        answer
    })
}

#[test]
fn the_two_dialects_frame_the_same_methods() {
    assert_eq!(
        answer("{\"method\":\"session-stats\",\"tag\":7}", "\"a\":1").unwrap(),
        r#"{"arguments":{"a":1},"result":"success","tag":7}"#
    );
    assert_eq!(
        answer(r#"{"jsonrpc":"2.0","method":"session_stats","id":"x"}"#, "\"a\":1").unwrap(),
        r#"{"jsonrpc":"2.0","result":{"a":1},"id":"x"}"#
    );
    assert_eq!(answer(r#"{"jsonrpc":"2.0","method":"session_stats"}"#, ""), None);
    let list = r#"[{"jsonrpc":"2.0","method":"session_stats","id":1},{"jsonrpc":"2.0","method":"session_close"},
        7,{"jsonrpc":"2.0","method":"nothing","id":2},{"method":"session-stats"}]"#;
    assert_eq!(
        answer(list, "").unwrap(),
        concat!(
            r#"[{"jsonrpc":"2.0","result":{},"id":1},"#,
            r#"{"jsonrpc":"2.0","error":{"code":-32600,"message":"Invalid Request","#,
            r#""data":{"error_string":"request must be an Object"}},"id":null},"#,
            r#"{"jsonrpc":"2.0","error":{"code":-32601,"message":"Method not found","#,
            r#""data":{"error_string":"method name not recognized"}},"id":2},"#,
            r#"{"jsonrpc":"2.0","error":{"code":-32600,"message":"Invalid Request","#,
            r#""data":{"error_string":"JSON-RPC version is not 2.0"}},"id":null}]"#
        )
    );
    assert_eq!(answer(r#"[{"jsonrpc":"2.0","method":"session_close"}]"#, ""), None);
}

#[test]
fn what_is_no_request_fails_in_the_words_of_transmission() {
    for (text, result) in [
        ("{}", "no method name"),
        ("{\"method\":", "no method name"),
        (r#"{"method":"nothing"}"#, "method name not recognized"),
        (r#"{"method":"torrent-get","arguments":{}}"#, "no fields specified"),
        (r#"{"method":"torrent-get","arguments":[]}"#, "the arguments must be an object"),
        (r#"{"method":"torrent-add"}"#, "no filename or metainfo specified"),
        (
            r#"{"method":"torrent-add","arguments":{"filename":"magnet:?","download-dir":"x"}}"#,
            "download directory path is not absolute",
        ),
        (r#"{"method":"torrent-set","arguments":{"labels":["a,b"]}}"#, "labels cannot contain comma (,) character"),
        (r#"{"method":"torrent-set","arguments":{"labels":[" "]}}"#, "labels cannot be empty"),
        (r#"{"method":"torrent-set","arguments":{"trackerList":"file:///etc"}}"#, "Invalid tracker list"),
        (r#"{"method":"torrent-set","arguments":{"trackerAdd":["x"]}}"#, "error setting announce list"),
        (r#"{"method":"torrent-set-location"}"#, "no location"),
        (r#"{"method":"torrent-set-location","arguments":{"location":"x"}}"#, "new location path is not absolute"),
        (r#"{"method":"free-space"}"#, "directory path argument is missing"),
        (r#"{"method":"free-space","arguments":{"path":"x"}}"#, "directory path is not absolute"),
    ] {
        let expected = format!("{{\"arguments\":{{}},\"result\":\"{result}\"}}");
        assert_eq!(answer(text, "").unwrap(), expected, "{text}");
    }
    let wrong = |text: &str| answer(text, "").unwrap();
    assert!(wrong("{\"jsonrpc\":").starts_with(r#"{"jsonrpc":"2.0","error":{"code":-32700,"message":"Parse error""#));
    assert!(wrong("[]").contains("-32600"));
    assert!(wrong(&format!("[{}]", ["{}"; 101].join(","))).contains("this one has 101"));
    assert!(wrong(r#"{"jsonrpc":"2.0","id":[],"method":"session_get"}"#).contains("id type must be"));
    assert!(wrong(r#"{"jsonrpc":"2.0","id":1,"method":"session_get","params":[1]}"#).contains("-32602"));
}

#[test]
fn torrents_are_named_in_all_forms_and_never_by_mistake() {
    let ids = |ids: &str| {
        let text = format!("{{\"method\":\"torrent-stop\",\"arguments\":{{{ids}}}}}");
        match Conversation::new(text.as_bytes()).next() {
            Some(Call::TorrentStop(ids)) => Some(ids),
            _ => None,
        }
    };
    let hash = "0303030303030303030303030303030303030303";
    assert_eq!(ids(""), Some(Ids::All));
    assert_eq!(ids("\"ids\":2"), Some(Ids::These(vec![Id::Number(2)])));
    assert_eq!(ids("\"id\":2"), Some(Ids::These(vec![Id::Number(2)])));
    assert_eq!(ids(&format!("\"ids\":\"{hash}\"")), Some(Ids::These(vec![Id::Hash(InfoHash([3; 20]))])));
    let both = Ids::These(vec![Id::Number(1), Id::Hash(InfoHash([3; 20]))]);
    assert_eq!(ids(&format!("\"ids\":[1,\"{hash}\",-1,\"x\",99999999999]")), Some(both.clone()));
    assert_eq!(ids("\"ids\":\"recently-active\""), Some(Ids::Recent));
    assert_eq!(ids("\"ids\":\"recently_active\""), Some(Ids::Recent));
    // A damaged list must not stop, or remove, everything.
    assert_eq!(ids("\"ids\":[]"), Some(Ids::These(Vec::new())));
    assert_eq!(ids("\"ids\":\"all\""), Some(Ids::These(Vec::new())));
    assert_eq!(ids("\"ids\":null"), None);
    assert_eq!(ids("\"ids\":{}"), None);

    let mut records = library();
    assert_eq!(records.select(&Ids::All, NOW), [1, 2, 3]);
    assert_eq!(records.select(&both, NOW), [1, 3]);
    let twice = Ids::These(vec![Id::Number(3), Id::Hash(InfoHash([3; 20])), Id::Number(9)]);
    assert_eq!(records.select(&twice, NOW), [3]);
    records.get_mut(2).unwrap().dates.changed = NOW - 30;
    records.remove(1, NOW - 59);
    assert_eq!(records.select(&Ids::Recent, NOW), [2]);
    assert_eq!(records.removed(&Ids::Recent, NOW), Some(vec![1]));
    assert_eq!(records.removed(&Ids::Recent, NOW + 5), Some(vec![]));
    assert_eq!(records.with_hash(&InfoHash([1; 20])), None);
    assert_eq!(records.insert(record(1)), 4);
}

#[test]
fn torrent_get_answers_what_is_known_and_leaves_out_the_rest() {
    let (records, details) = (library(), Details::default());
    let [old, new] = get(r#"{"ids":2,"fields":["id","hashString","nothing","percentDone","eta"]}"#, &records, &details);
    let torrent = r#"{"id":2,"hashString":"0202020202020202020202020202020202020202","percentDone":0.75,"eta":25}"#;
    assert_eq!(old, format!(r#"{{"arguments":{{"torrents":[{torrent}]}},"result":"success"}}"#));
    assert_eq!(new, format!(r#"{{"jsonrpc":"2.0","result":{{"torrents":[{torrent}]}},"id":1}}"#));
    let [table, _] = get(r#"{"format":"table","fields":["name","uploadRatio","status"]}"#, &records, &details);
    let rows =
        r#"[["name","uploadRatio","status"],["torrent \"1\"",0.5,4],["torrent \"2\"",0.5,4],["torrent \"3\"",0.5,4]]"#;
    assert_eq!(table, format!(r#"{{"arguments":{{"torrents":{rows}}},"result":"success"}}"#));
    let [recent, _] = get(r#"{"ids":"recently-active","fields":["id"]}"#, &records, &details);
    assert_eq!(recent, r#"{"arguments":{"removed":[],"torrents":[]},"result":"success"}"#);
}

#[test]
fn each_field_of_the_specification_is_answered() {
    let specification = "activity_date added_date availability bandwidth_priority bytes_completed comment corrupt_ever \
        creator date_created desired_available done_date download_dir downloaded_ever download_limit download_limited \
        edit_date error error_string eta eta_idle file_count files file_stats group hash_string have_unchecked \
        have_valid honors_session_limits id is_finished is_private is_stalled labels left_until_done magnet_link \
        manual_announce_time max_connected_peers metadata_percent_complete name peer_limit peers peers_connected \
        peers_from peers_getting_from_us peers_sending_to_us percent_complete percent_done pieces piece_count \
        piece_size priorities primary_mime_type queue_position rate_download rate_upload recheck_progress \
        seconds_downloading seconds_seeding seed_idle_limit seed_idle_mode seed_ratio_limit seed_ratio_mode \
        sequential_download size_when_done start_date status torrent_file total_size trackers tracker_list \
        tracker_stats uploaded_ever upload_limit upload_limited upload_ratio wanted webseeds webseeds_ex \
        webseeds_sending_to_us";
    let names: Vec<String> = specification.split_whitespace().map(|name| format!("\"{name}\"")).collect();
    let mut full = record(1);
    full.trouble = Trouble::TrackerError("it is gone".into());
    full.labels = vec!["a".into(), "b".into()];
    full.trackers = vec![
        TrackerRecord { announce: "http://tracker.example.com:80/announce?k=1".into(), ..TrackerRecord::default() },
        TrackerRecord { announce: "udp://[::1]:7".into(), tier: 1, id: 1, ..TrackerRecord::default() },
    ];
    let mut records = Records::default();
    records.insert(full);
    let file = FileDetail { name: "a/b".into(), length: 9, wanted: true, ..FileDetail::default() };
    let peer = PeerDetail {
        address: "::1".into(),
        down_rate: 1,
        is_encrypted: true,
        we_choke: true,
        source: Some('H'),
        ..PeerDetail::default()
    };
    let details = Details {
        files: vec![file, FileDetail::default()],
        pieces: vec![0xff, 0x80],
        availability: vec![-1, 3],
        peers: vec![peer],
        web_seeds: Vec::new(),
    };
    let [old, new] = get(&format!("{{\"fields\":[{}]}}", names.join(",")), &records, &details);
    let value = read(&new).unwrap();
    let Some(Value::List(list)) = value.get("result").and_then(|result| result.get("torrents")) else { panic!() };
    for name in specification.split_whitespace() {
        assert!(list[0].get(name).is_some(), "{name}");
    }
    for part in [
        r#""error":2,"error_string":"it is gone""#,
        r#""labels":["a","b"]"#,
        r#""pieces":"/4A=""#,
        r#""availability":[-1,3]"#,
        r#""wanted":[true,false]"#,
        r#""tracker_list":"http://tracker.example.com:80/announce?k=1\n\nudp://[::1]:7""#,
        r#""scrape":"http://tracker.example.com:80/scrape?k=1","sitename":"example""#,
        r#""host":"[::1]:7""#,
        r#""flag_str":"DEH","is_downloading_from":true"#,
        r#""is_utp":false"#,
    ] {
        assert!(new.contains(part), "{part} in {new}");
    }
    for part in [r#""wanted":[1,0]"#, r#""isUTP":false"#, r#""fromDht":0"#, r#""lastAnnounceResult":"""#] {
        assert!(old.contains(part), "{part} in {old}");
    }
}

#[test]
fn an_answer_has_an_end() {
    let files = vec![FileDetail { name: "n".repeat(1000), ..FileDetail::default() }; 5000];
    let details = Details { files, ..Details::default() };
    let [old, _] = get(r#"{"ids":1,"fields":["files"]}"#, &library(), &details);
    assert!(old.len() < 1000 && old.contains("the answer is too long"), "{} bytes", old.len());
}

#[test]
fn torrents_are_added_from_bytes_and_links_but_not_from_our_disk() {
    let source = |arguments: &str| {
        let text = format!("{{\"method\":\"torrent-add\",\"arguments\":{{{arguments}}}}}");
        match Conversation::new(text.as_bytes()).next() {
            Some(Call::TorrentAdd(add)) => Some(add.source),
            _ => None,
        }
    };
    assert_eq!(source(r#""metainfo":"Zm9v""#), Some(TorrentSource::Metainfo(b"foo".to_vec())));
    assert_eq!(source(r#""filename":"MAGNET:?x""#), Some(TorrentSource::Magnet("MAGNET:?x".into())));
    assert_eq!(source(r#""filename":"https://a/b""#), Some(TorrentSource::Url("https://a/b".into())));
    let hash = "0303030303030303030303030303030303030303";
    let magnet = TorrentSource::Magnet(format!("magnet:?xt=urn:btih:{hash}"));
    assert_eq!(source(&format!("\"filename\":\"{hash}\"")), Some(magnet));
    for wrong in ["/etc/passwd", "file:///etc/passwd", "ftp://a/b", "a.torrent", ""] {
        assert_eq!(source(&format!("\"filename\":\"{wrong}\"")), None, "{wrong}");
    }
    assert_eq!(source(r#""metainfo":"%%%""#), None);
    let all = r#"{"method":"torrent-add","arguments":{"metainfo":"Zm9v","paused":true,"download-dir":"/a","labels":["x"],
        "peer-limit":9,"bandwidthPriority":-1,"files-unwanted":[1],"cookies":"a=b\r\nX: y"}}"#;
    let Call::TorrentAdd(add) = call(all) else { panic!() };
    assert_eq!((add.paused, add.download_dir.as_deref(), add.peer_limit), (Some(true), Some("/a"), Some(9)));
    assert_eq!((add.labels.as_slice(), add.bandwidth_priority, add.cookies.clone()), (&["x".into()][..], -1, None));
    let mut files = [(true, 0), (true, 0)];
    assert_eq!(add.files.apply(&mut files), Ok(()));
    assert_eq!(files, [(true, 0), (false, 0)]);
}

#[test]
fn torrents_are_changed() {
    let text = r#"{"method":"torrent-set","arguments":{"ids":[1],"downloadLimit":50,"downloadLimited":true,
        "seedRatioMode":1,"seedRatioLimit":1.5,"queuePosition":3,"files-wanted":[],"priority-high":[0],"peer-limit":7,
        "bandwidthPriority":1,"location":"/b","trackerRemove":[4],"honorsSessionLimits":0}}"#;
    let Call::TorrentSet(ids, change) = call(text) else { panic!() };
    assert_eq!((ids, change.queue_position), (Ids::These(vec![Id::Number(1)]), Some(3)));
    let mut record = record(1);
    change.apply(&mut record.wishes);
    let wishes = &record.wishes;
    assert_eq!((wishes.download_limit, wishes.download_limited, wishes.upload_limited), (50, true, false));
    assert_eq!((wishes.seed_ratio_mode, wishes.seed_ratio_limit), (Mode::Single, 1.5));
    assert_eq!((wishes.peer_limit, wishes.bandwidth_priority, wishes.honors_session_limits), (7, 1, false));
    assert_eq!(change.location.as_deref(), Some("/b"));
    let mut files = [(false, 0), (false, -1)];
    assert_eq!(change.files.apply(&mut files), Ok(()));
    assert_eq!(files, [(true, 1), (true, -1)]);
    assert_eq!(change.files.apply(&mut []), Err(Failure::of(Kind::FileIndex)));
    assert_eq!(change.trackers, [TrackerChange::Remove(4)]);
    let Call::TorrentSet(_, nothing) = call(r#"{"method":"torrent-set","arguments":{"labels":["a","a"]}}"#) else {
        panic!()
    };
    assert!(!nothing.changes_wishes() && nothing.files.is_empty());
    assert_eq!(nothing.labels, Some(vec!["a".into()]));
    for wrong in [r#""seedRatioMode":3"#, r#""downloadLimit":-1"#, r#""seedRatioLimit":-0.5"#, r#""files-wanted":[-1]"#]
    {
        let text = format!("{{\"method\":\"torrent-set\",\"arguments\":{{{wrong}}}}}");
        assert_eq!(Conversation::new(text.as_bytes()).next(), None, "{wrong}");
    }
    assert_eq!(call(r#"{"method":"queue-move-up"}"#), Call::QueueMove(Ids::All, QueueMove::Up));
}

#[test]
fn trackers_are_added_removed_and_replaced() {
    let tracker =
        |id: u32, tier, url: &str| TrackerRecord { id, tier, announce: url.into(), ..TrackerRecord::default() };
    let now = [tracker(4, 0, "http://a"), tracker(5, 0, "http://b"), tracker(6, 1, "http://c")];
    let changed =
        |changes: &[TrackerChange]| tiers(&now, changes).map(|tiers| format!("{tiers:?}")).map_err(|wrong| wrong.text);
    let replace = [TrackerChange::Replace(5, "udp://d".into()), TrackerChange::Add("http://e".into())];
    assert_eq!(changed(&replace).unwrap(), r#"[["http://a", "udp://d"], ["http://c"], ["http://e"]]"#);
    assert_eq!(changed(&[TrackerChange::Remove(4), TrackerChange::Remove(5)]).unwrap(), r#"[["http://c"]]"#);
    assert_eq!(changed(&[TrackerChange::Remove(9)]).unwrap_err(), "error setting announce list");
    assert_eq!(changed(&[TrackerChange::Add("http://a".into())]).unwrap_err(), "error setting announce list");
    let list = changing::read_tiers("http://x/\n http://y/ \n\n\nudp://z:1/\n").unwrap();
    assert_eq!(changed(&[TrackerChange::List(list)]).unwrap(), r#"[["http://x/", "http://y/"], ["udp://z:1/"]]"#);
}

#[test]
fn the_settings_are_shown_in_both_dialects_and_changed() {
    let settings = Settings { encryption: Encryption::Tolerated, rpc_password: "secret".into(), ..Settings::default() };
    let session = Session { session_id: "abc".into(), ..Session::default() };
    let show = |dialect, names: Option<&[String]>| {
        let mut out = String::from("{");
        session::write_settings(&mut out, dialect, names, &settings, &session);
        out.push('}');
        assert!(read(&out).is_ok(), "{out}");
        out
    };
    let (old, new) = (show(Dialect::Old, None), show(Dialect::JsonRpc, None));
    for part in [
        r#""seedRatioLimited":false"#,
        r#""rpc-version":17"#,
        r#""encryption":"tolerated""#,
        r#""cache-size-mb":4"#,
        r#""download-queue-size":5"#,
        r#""speed-units":["B/s""#,
        r#""version":"4.0.6 (swarmlet "#,
        r#""session-id":"abc""#,
    ] {
        assert!(old.contains(part), "{part} in {old}");
    }
    for part in [r#""seed_ratio_limited":false"#, r#""rpc_version_semver":"6.0.0""#, r#""encryption":"allowed""#] {
        assert!(new.contains(part), "{part} in {new}");
    }
    assert!(!old.contains("secret") && !old.contains("whitelist") && !new.contains("secret"));
    let some = show(Dialect::Old, Some(&["alt-speed-up".into(), "seedRatioLimit".into(), "nothing".into()]));
    assert_eq!(some, r#"{"alt-speed-up":50,"seedRatioLimit":2}"#);

    let set = |arguments: &str| {
        let text = format!("{{\"method\":\"session-set\",\"arguments\":{{{arguments}}}}}");
        let Call::SessionSet(changes) = call(&text) else { panic!() };
        let mut before = Settings { download_dir: "/srv".into(), ..Settings::default() };
        before.fix_roots();
        changes.applied(&before).map_err(|failure| failure.text)
    };
    let after =
        set(r#""speed-limit-up":7,"seedRatioLimit":1,"dht_enabled":false,"cache-size-mb":9,"unknown":[1]"#).unwrap();
    assert_eq!((after.speed_limit_up, after.seed_ratio_limit, after.dht_enabled), (7, 1.0, false));
    assert_eq!(set(r#""download-dir":"/srv/a/""#).unwrap().download_dir, "/srv/a");
    assert!(set(r#""speed-limit-up":7,"download-dir":"/etc""#).unwrap_err().contains("not below a folder"));
    assert!(set(r#""script-torrent-done-filename":"/tmp/x""#).unwrap_err().contains("configuration file"));
    assert!(set(r#""peer-port":65536"#).unwrap_err().contains("from 0 to 65535"));
}

#[test]
fn the_sums_and_the_space_are_shown() {
    let mut out = String::new();
    session::write_stats(&mut out, Dialect::Old, &Stats { active: 2, paused: 1, ..Stats::default() });
    assert!(
        out.starts_with(r#""activeTorrentCount":2,"#) && out.contains(r#""cumulative-stats":{"downloadedBytes":0"#)
    );
    let mut out = String::new();
    session::write_space(&mut out, Dialect::Old, "/srv", 5, 9);
    assert_eq!(out, r#""path":"/srv","size-bytes":5,"total_size":9"#);
    let mut out = String::new();
    torrents::write_added(&mut out, Dialect::Old, &record(1), true);
    let added = r#""torrent-duplicate":{"hashString":"0101010101010101010101010101010101010101","id":0,"name":"torrent \"1\""}"#;
    assert_eq!(out, added);
}

/// `cargo test --release -- --ignored --nocapture`
#[test]
#[ignore = "measures"]
fn five_thousand_torrents_are_written_fast() {
    let mut records = Records::default();
    (0..5000).for_each(|number| {
        records.insert(record(number as u8));
    });
    let fields = "id hashString name downloadDir totalSize leftUntilDone isFinished eta status secondsDownloading \
        secondsSeeding errorString uploadedEver downloadedEver seedRatioLimit seedRatioMode seedIdleLimit seedIdleMode \
        fileCount";
    let fields: Vec<String> = fields.split_whitespace().map(|field| format!("\"{field}\"")).collect();
    let begin = std::time::Instant::now();
    let [old, _] = get(&format!("{{\"fields\":[{}]}}", fields.join(",")), &records, &Details::default());
    println!("{} bytes in {:?}, twice, and read", old.len(), begin.elapsed());
}

proptest! {
    #[test]
    fn no_request_panics(words in prop::collection::vec(prop::sample::select(vec![
        "{", "}", "[", "]", ",", ":", "\"method\":", "\"torrent-set\"", "\"torrent-get\"", "\"arguments\":", "\"ids\":", "1",
        "\"fields\":", "\"jsonrpc\":\"2.0\"", "\"id\":", "-1", "1e30", "null", "\"files-wanted\":", "\"trackerReplace\":",
        "{\"method\":\"torrent-add\",\"arguments\":{", "\"filename\":\"\u{e9}\"", "}}",
    ]), 0..20)) {
        let text = words.concat();
        let mut conversation = Conversation::new(text.as_bytes());
        while conversation.next().is_some() {
            conversation.answer(|_, _| Ok(()));
        }
        let answer = conversation.finish().unwrap_or("null".into());
        prop_assert!(read(&answer).is_ok(), "{}", answer);
    }
}
