use super::adding::TorrentSource;
use super::call::{Protocol, QueueMove};
use super::changing::{TrackerChange, tiers};
use super::session::{Rates, Session, Stats};
use super::*;
use crate::daemon::record::Mode;
use crate::daemon::settings::Encryption;

#[test]
fn torrents_are_added_from_bytes_and_links_but_not_from_our_disk() {
    let source = |arguments: &str| {
        let text = format!("{{\"method\":\"torrent-add\",\"arguments\":{{{arguments}}}}}");
        match Conversation::new(text.as_bytes()).next_call() {
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
    assert!(!add.stop_when_described);
    let chosen_later = r#"{"method":"torrent-add","arguments":{"metainfo":"Zm9v","stop-when-described":true}}"#;
    assert!(matches!(call(chosen_later), Call::TorrentAdd(add) if add.stop_when_described && add.paused.is_none()));
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
        assert_eq!(Conversation::new(text.as_bytes()).next_call(), None, "{wrong}");
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
    let mut session = Session { session_id: "abc".into(), ..Session::default() };
    for bytes in (0..=Rates::MOST as u64).map(|number| number * Rates::SECONDS) {
        session.rates.push([bytes, u64::MAX]);
    }
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
    assert!(!old.contains("recent"), "programs that do not know it do not get it");
    let rates = show(Dialect::Old, Some(&["recent-rates".into()]));
    assert!(rates.starts_with(r#"{"recent-rates":[[1,4294967295],[2,"#) && rates.ends_with("[120,4294967295]]}"));

    let set = |arguments: &str| {
        let text = format!("{{\"method\":\"session-set\",\"arguments\":{{{arguments}}}}}");
        let Call::SessionSet(changes) = call(&text) else { panic!() };
        let mut before = Settings { download_dir: "/srv".into(), ..Settings::default() };
        before.fix_roots();
        changes.applied(&before).map_err(|failure| failure.text)
    };
    let after =
        set(r#""speed-limit-up":7,"seedRatioLimit":1,"dht_enabled":false,"cache-size-mb":4,"unknown":[1]"#).unwrap();
    assert_eq!((after.speed_limit_up, after.seed_ratio_limit, after.dht_enabled), (7, 1.0, false));
    assert_eq!(set(r#""download-dir":"/srv/a/""#).unwrap().download_dir, "/srv/a");
    assert!(set(r#""speed-limit-up":7,"download-dir":"/etc""#).unwrap_err().contains("not below a folder"));
    assert!(set(r#""script-torrent-done-filename":"/tmp/x""#).unwrap_err().contains("configuration file"));
    assert!(set(r#""peer-port":65536"#).unwrap_err().contains("from 0 to 65535"));
    assert_eq!(set(r#""speed-limit-up":null,"speed-limit-up-enabled":true"#).unwrap().speed_limit_up, 100);
    // What has one value here can be sent back, but not changed.
    assert!(set(r#""utp-enabled":false,"preferred_transports":["tcp"],"tcp-enabled":true,"reqq":2000"#).is_ok());
    for (wrong, why) in [
        (r#""utp-enabled":true"#, "utp-enabled can't be changed: swarmlet speaks TCP with peers, and no uTP"),
        (r#""preferred_transports":["utp","tcp"]"#, "preferred-transports can't be changed: swarmlet speaks TCP"),
        (r#""cache-size-mb":9"#, "cache-size-mb can't be changed: swarmlet has no such cache"),
        (r#""cache_size_mib":"4""#, "cache-size-mb can't be changed: swarmlet has no such cache"),
    ] {
        let said = set(wrong).unwrap_err();
        assert!(said.starts_with(why), "{said}");
    }
}

#[test]
fn bandwidth_groups_are_refused_and_the_port_is_tested_by_one_protocol() {
    let refused = |text: &str| {
        let mut conversation = Conversation::new(text.as_bytes());
        assert_eq!(conversation.next_call(), None, "{text}");
        conversation.finish().unwrap()
    };
    for text in [
        r#"{"method":"group-set","arguments":{"name":"a","speed-limit-down":9}}"#,
        r#"{"method":"torrent-set","arguments":{"group":"a"}}"#,
    ] {
        assert!(refused(text).contains("swarmlet has no bandwidth groups"), "{text}");
    }
    assert!(matches!(call(r#"{"method":"torrent-set","arguments":{"group":""}}"#), Call::TorrentSet(..)));
    assert_eq!(call(r#"{"method":"port-test"}"#), Call::PortTest(None));
    let v6 = r#"{"jsonrpc":"2.0","method":"port_test","params":{"ip_protocol":"ipv6"},"id":1}"#;
    assert_eq!(call(v6), Call::PortTest(Some(Protocol::V6)));
    assert!(refused(r#"{"method":"port-test","arguments":{"ip-protocol":"ipx"}}"#).contains("expected ipv4 or ipv6"));
    let mut out = String::new();
    session::write_port(&mut out, Dialect::JsonRpc, Some(Protocol::V6), true);
    assert_eq!(out, r#""port_is_open":true,"ip_protocol":"ipv6""#);
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
