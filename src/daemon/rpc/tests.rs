mod changes;

use super::call::{Id, Ids};
use super::*;
use crate::base::json::read::{Value, read};
use crate::daemon::record::{About, Details, FileDetail, PeerDetail, Record, State, TrackerRecord, Trouble};
use crate::daemon::records::Records;
use crate::daemon::settings::Settings;
use crate::proto::id::InfoHash;
use proptest::prelude::*;
use std::sync::Arc;

const NOW: i64 = 1_700_000_000;

/// The only call of `text`.
fn call(text: &str) -> Call {
    Conversation::new(text.as_bytes()).next_call().unwrap()
}

/// The answer to `text` if each call succeeds with `result`.
fn answer(text: &str, result: &str) -> Option<String> {
    let mut conversation = Conversation::new(text.as_bytes());
    while conversation.next_call().is_some() {
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
        name: format!("torrent \"{number}\"").into(),
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
        let Some(Call::TorrentGet(get)) = conversation.next_call() else { panic!("{text}") };
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
        (r#"{"method":"torrent-get","arguments":[]}"#, "no fields specified"),
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
        match Conversation::new(text.as_bytes()).next_call() {
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
    let damaged = r#"{"method":"torrent-stop","arguments":[1]}"#;
    assert_eq!(Conversation::new(damaged.as_bytes()).next_call(), None);
    // As tremc sends it.
    assert_eq!(call(r#"{"method":"session-stats","arguments":21}"#), Call::SessionStats);
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
fn the_link_of_a_torrent_follows_from_the_rest_or_is_the_one_by_which_it_was_added() {
    let mut records = library();
    let one = records.get_mut(1).unwrap();
    let tracker = TrackerRecord { announce: "udp://a:1".into(), ..TrackerRecord::default() };
    one.trackers = vec![tracker];
    std::sync::Arc::make_mut(&mut one.about).torrent_folder = Some(std::path::Path::new("/state").into());
    let link = "magnet:?xt=urn:btih:02&x.pe=1.2.3.4:5";
    std::sync::Arc::make_mut(&mut records.get_mut(2).unwrap().about).link = Some(link.into());
    let asked = r#"{"ids":[1,2],"format":"table","fields":["magnetLink","torrentFile"]}"#;
    let [answer, _] = get(asked, &records, &Details::default());
    let first = format!(
        r#"["magnet:?xt=urn:btih:{}&dn=torrent%20%221%22&tr=udp%3A%2F%2Fa%3A1","/state/{}.torrent"],["{link}",""]"#,
        InfoHash([1; 20]),
        InfoHash([1; 20])
    );
    assert!(answer.contains(&first), "{answer}");
}

#[test]
fn what_depends_on_the_time_is_right_long_after_the_last_report() {
    let mut records = library();
    let one = records.get_mut(1).unwrap();
    (one.state, one.dates.active, one.now.idle_stop) = (State::Seed, NOW - 1801, NOW + 40);
    records.get_mut(2).unwrap().dates.added = NOW - 1800;
    let [answer, _] = get(r#"{"format":"table","fields":["isStalled","etaIdle"]}"#, &records, &Details::default());
    assert!(answer.contains("[true,40],[false,-1],[true,-1]"), "{answer}");
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
    let text = format!("{{\"method\":\"torrent-get\",\"arguments\":{{\"fields\":[{}]}}}}", fields.join(","));
    let Call::TorrentGet(get) = call(&text) else { panic!() };
    for _ in 0..5 {
        let (mut out, begin) = (String::new(), std::time::Instant::now());
        let known = (&records, &Settings::default());
        torrents::write(&mut out, Dialect::Old, &get, known, |_| None, NOW).unwrap();
        println!("{} bytes in {:?}", out.len(), begin.elapsed());
    }
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
        while conversation.next_call().is_some() {
            conversation.answer(|_, _| Ok(()));
        }
        let answer = conversation.finish().unwrap_or("null".into());
        prop_assert!(read(&answer).is_ok(), "{}", answer);
    }
}
