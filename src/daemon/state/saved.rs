//! The file that says what is known of one torrent, and how it is read.
//!
//! Floor 4. Pure. The file is a bencoded dict of our own; no BEP defines one. A digest shows that it is as it was
//! written.
//!
//! ```text
//! d 6:digest 20:SHA-1 of the value of `torrent`, as it stands
//!   7:torrent d ... the keys of `encode`, those left out that have their usual value ... e
//! ```

use super::kept::Kept;
use crate::base::sha1::sha1;
use crate::daemon::record::{Dates, Mode, Now, Record, Totals, Wishes};
use crate::engine::Priority;
use crate::proto::bencode::{self, Bencode, Value};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;

/// Each priority as a byte of the list of files.
const PRIORITIES: [(Priority, u8); 4] =
    [(Priority::Skip, b'-'), (Priority::Low, b'l'), (Priority::Normal, b'n'), (Priority::High, b'h')];

/// The bytes of a torrent's file. They have the `number` of this write: all are counted.
pub fn encode(record: &Record, kept: &Kept, number: u64) -> Vec<u8> {
    let Record { download_dir, is_finished, labels, wishes, dates, totals, .. } = record;
    let mut pairs: Vec<(&str, Bencode)> =
        vec![("added", dates.added.into()), ("dir", (&**download_dir).into()), ("place", kept.place.into())];
    let mut put = |key, is_usual: bool, value: Bencode| {
        if !is_usual {
            pairs.push((key, value));
        }
    };
    let usual = Wishes::default();
    let flag = |flag: bool| Bencode::Int(flag.into());
    put("active", dates.active == 0, dates.active.into());
    put("at", kept.at.is_none(), kept.at.as_deref().unwrap_or_default().into());
    put("awaits done", !kept.awaits_done, flag(true));
    put("bandwidth priority", wishes.bandwidth_priority == 0, i64::from(wishes.bandwidth_priority).into());
    put("corrupt", totals.corrupt == 0, totals.corrupt.into());
    put("done", dates.done == 0, dates.done.into());
    put("down limit", wishes.download_limit == usual.download_limit, wishes.download_limit.into());
    put("down limited", !wishes.download_limited, flag(true));
    put("downloaded", totals.downloaded == 0, totals.downloaded.into());
    put("edited", dates.edited == 0, dates.edited.into());
    let priority = |file: &Priority| PRIORITIES.iter().find(|(one, _)| one == file).map_or(b'n', |(_, byte)| *byte);
    let files: Vec<u8> = kept.files.iter().flatten().map(priority).collect();
    put("files", kept.files.is_none(), files.into());
    put("finished", !is_finished, flag(true));
    put("idle limit", wishes.seed_idle_limit == usual.seed_idle_limit, wishes.seed_idle_limit.into());
    put("idle mode", wishes.seed_idle_mode == usual.seed_idle_mode, (wishes.seed_idle_mode as i64).into());
    put("labels", labels.is_empty(), Bencode::list(labels.iter().map(String::as_str)));
    put("leaving", !kept.is_leaving, flag(true));
    put("left", record.now.left == 0, record.now.left.into());
    put("link", kept.link.is_none(), kept.link.as_deref().unwrap_or_default().into());
    put("lost", !kept.is_lost, flag(true));
    let (to, carry) = kept.moving.as_ref().map_or(("", false), |moving| (&*moving.0, moving.1));
    put("move carries", !carry, flag(true));
    put("move to", kept.moving.is_none(), to.into());
    put("number", number == 0, number.into());
    put("paused", !kept.paused, flag(true));
    put("peers", wishes.peer_limit == usual.peer_limit, wishes.peer_limit.into());
    let ratio = wishes.seed_ratio_limit;
    put("ratio limit", ratio == usual.seed_ratio_limit, ratio.to_string().as_str().into());
    put("ratio mode", wishes.seed_ratio_mode == usual.seed_ratio_mode, (wishes.seed_ratio_mode as i64).into());
    let name = |(path, name): &(PathBuf, String)| {
        Bencode::List(vec![path.as_os_str().as_bytes().into(), name.as_str().into()])
    };
    put("renamed", kept.renamed.is_empty(), Bencode::List(kept.renamed.iter().map(name).collect()));
    put("seconds down", totals.seconds_downloading == 0, totals.seconds_downloading.into());
    put("seconds up", totals.seconds_seeding == 0, totals.seconds_seeding.into());
    put("sequential", !wishes.sequential_download, flag(true));
    put("started", dates.started == 0, dates.started.into());
    put("stops described", !kept.stops_when_described, flag(true));
    let tiers = kept.tiers.iter().flatten().map(|tier| Bencode::list(tier.iter().map(|url| &**url)));
    put("tiers", kept.tiers.is_none(), Bencode::List(tiers.collect()));
    put("unshared", wishes.honors_session_limits, flag(true));
    put("up limit", wishes.upload_limit == usual.upload_limit, wishes.upload_limit.into());
    put("up limited", !wishes.upload_limited, flag(true));
    put("uploaded", totals.uploaded == 0, totals.uploaded.into());
    sealed("torrent", Bencode::dict(pairs))
}

/// Reads a torrent's file, and its number. An error says what is wrong with it.
pub fn decode(bytes: &[u8]) -> Result<(Record, Kept, u64), String> {
    let torrent = unsealed("torrent", bytes)?;
    let get = |key: &str| torrent.get(key.as_bytes());
    let has = |key| get(key).is_some();
    let date = |key| get(key).and_then(Value::as_int).unwrap_or(0);
    let number = |key| get(key).and_then(Value::as_int).and_then(|number| u64::try_from(number).ok());
    let text = |key| get(key).and_then(Value::as_text);
    let usual = Wishes::default();
    let wishes = Wishes {
        bandwidth_priority: date("bandwidth priority").clamp(-1, 1) as i8,
        download_limit: number("down limit").unwrap_or(usual.download_limit),
        download_limited: has("down limited"),
        upload_limit: number("up limit").unwrap_or(usual.upload_limit),
        upload_limited: has("up limited"),
        honors_session_limits: !has("unshared"),
        peer_limit: number("peers").unwrap_or(usual.peer_limit),
        seed_ratio_limit: text("ratio limit")
            .and_then(|text| text.parse().ok())
            .filter(|ratio| (0.0..=f64::from(u32::MAX)).contains(ratio))
            .unwrap_or(usual.seed_ratio_limit),
        seed_ratio_mode: mode(number("ratio mode")),
        seed_idle_limit: number("idle limit").unwrap_or(usual.seed_idle_limit),
        seed_idle_mode: mode(number("idle mode")),
        sequential_download: has("sequential"),
    };
    let total = |key| number(key).unwrap_or(0);
    let record = Record {
        download_dir: text("dir").ok_or("it names no folder")?.into(),
        is_finished: has("finished"),
        labels: texts(get("labels")).unwrap_or_default(),
        wishes,
        dates: Dates {
            added: date("added"),
            done: date("done"),
            active: date("active"),
            started: date("started"),
            edited: date("edited"),
            changed: 0,
        },
        totals: Totals {
            downloaded: total("downloaded"),
            uploaded: total("uploaded"),
            corrupt: total("corrupt"),
            seconds_downloading: total("seconds down"),
            seconds_seeding: total("seconds up"),
        },
        now: Now { left: total("left"), ..Now::default() },
        ..Record::default()
    };
    let kept = Kept {
        place: date("place"),
        paused: has("paused"),
        stops_when_described: has("stops described"),
        link: text("link").map(Box::from),
        at: text("at").map(Box::from),
        files: get("files").and_then(Value::as_bytes).map(|files| files.iter().map(priority).collect()),
        renamed: get("renamed").and_then(Value::items).into_iter().flatten().filter_map(renamed).collect(),
        moving: text("move to").map(|to| Box::new((to.into(), has("move carries")))),
        is_leaving: has("leaving"),
        is_lost: has("lost"),
        awaits_done: has("awaits done"),
        tiers: get("tiers").and_then(Value::items).map(|tiers| tiers.filter_map(urls).collect()),
    };
    Ok((record, kept, total("number")))
}

/// The bytes of a file that has a digest of its value.
pub fn sealed(key: &str, value: Bencode) -> Vec<u8> {
    let value = value.encode();
    let digest = sha1(&value);
    Bencode::dict([("digest", digest.as_slice().into()), (key, Bencode::Raw(value))]).encode()
}

/// The value of such a file. An error says what is wrong with it.
pub fn unsealed<'a>(key: &str, bytes: &'a [u8]) -> Result<Value<'a>, String> {
    let file = bencode::decode(bytes)?;
    let [digest, value] = file.get_all([b"digest", key.as_bytes()]).unwrap_or_default();
    let value = value.ok_or_else(|| format!("it has no {key}"))?;
    if digest.and_then(Value::as_bytes) != Some(sha1(value.raw()).as_slice()) {
        return Err("its digest is wrong".into());
    }
    Ok(value)
}

fn mode(number: Option<u64>) -> Mode {
    match number {
        Some(1) => Mode::Single,
        Some(2) => Mode::Unlimited,
        _ => Mode::Global,
    }
}

fn priority(byte: &u8) -> Priority {
    PRIORITIES.iter().find(|(_, one)| one == byte).map_or(Priority::Normal, |(priority, _)| *priority)
}

fn texts(list: Option<Value>) -> Option<Vec<String>> {
    Some(list?.items()?.filter_map(|text| text.as_text().map(String::from)).collect())
}

fn urls(list: Value) -> Option<Vec<Arc<str>>> {
    Some(list.items()?.filter_map(|url| url.as_text().map(Arc::from)).collect())
}

fn renamed(pair: Value) -> Option<(PathBuf, String)> {
    let mut parts = pair.items()?;
    let path = OsStr::from_bytes(parts.next()?.as_bytes()?).into();
    Some((path, parts.next()?.as_text()?.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> (Record, Kept) {
        let wishes = Wishes {
            bandwidth_priority: -1,
            download_limit: 7,
            download_limited: true,
            upload_limit: 8,
            upload_limited: true,
            honors_session_limits: false,
            peer_limit: 9,
            seed_ratio_limit: 0.1,
            seed_ratio_mode: Mode::Single,
            seed_idle_limit: 10,
            seed_idle_mode: Mode::Unlimited,
            sequential_download: true,
        };
        let record = Record {
            download_dir: "/srv/ü".into(),
            is_finished: true,
            labels: vec!["a".into(), "b".into()],
            wishes,
            dates: Dates { added: 1, done: 2, active: 3, started: 4, edited: 5, changed: 0 },
            totals: Totals { downloaded: 6, uploaded: 7, corrupt: 8, seconds_downloading: 9, seconds_seeding: 10 },
            now: Now { left: 11, ..Now::default() },
            ..Record::default()
        };
        let kept = Kept {
            place: -5,
            paused: true,
            stops_when_described: true,
            link: Some("magnet:?xt=urn:btih:x".into()),
            at: Some("/tmp/half".into()),
            files: Some(PRIORITIES.map(|(priority, _)| priority).into()),
            renamed: vec![(OsStr::from_bytes(b"a/\xff").into(), "new".into())],
            moving: Some(Box::new(("/to".into(), true))),
            is_leaving: true,
            is_lost: true,
            awaits_done: true,
            tiers: Some([vec!["http://a".into(), "http://b".into()], vec!["udp://c".into()]].into()),
        };
        (record, kept)
    }

    #[test]
    fn all_that_is_known_of_a_torrent_is_read_as_it_was_written() {
        let usual = (Record { download_dir: "/srv".into(), ..Record::default() }, Kept::default());
        for (record, kept) in [some(), usual] {
            let read = decode(&encode(&record, &kept, 12)).unwrap();
            assert_eq!(read.2, 12);
            assert_eq!(format!("{:?}", read.0), format!("{record:?}"));
            assert_eq!(read.1, kept);
        }
    }

    #[test]
    fn a_file_that_was_cut_off_or_changed_is_refused() {
        let bytes = encode(&some().0, &some().1, 1);
        for end in 0..bytes.len() {
            assert!(decode(&bytes[..end]).is_err(), "{end} bytes");
        }
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(decode(&changed).is_err(), "byte {at}");
        }
    }
}
