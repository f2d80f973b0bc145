//! Takes over what transmission-daemon has: its settings, torrents, and what it knows of each. Its folder is only read.
//!
//! Floor 4. This is done once: the settings become a configuration file in the folder of the state, which the user's
//! own comes before; a torrent that is known already is left alone. The content is checked, because transmission's
//! record of what it has is not ours.

mod theirs;

use super::record::{Dates, Mode, Record, Totals, Wishes};
use super::settings::Settings;
use super::settings::table::TABLE;
use super::state::State;
use super::state::kept::Kept;
use super::state::session::text_of;
use super::work::overlap::portable::portable_names;
use crate::engine::Priority;
use crate::proto::bencode::{self, Value};
use crate::proto::id::InfoHash;
use crate::proto::magnet::Magnet;
use crate::proto::metainfo::{MAX_METAINFO_BYTES, Metainfo};
use crate::storage::resume::StateDir;
use crate::sys::{in_words, read_regular};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use theirs::{Theirs, failed};

/// The configuration that is made of transmission's settings, in the folder of the state.
pub const FILE: &str = "imported.conf";
/// The largest resume file that is read, in bytes. For each file and piece it has less than the .torrent file.
const MOST_RESUME: u64 = MAX_METAINFO_BYTES as u64;

/// Takes over the settings of the folder `from` into the folder `state`. Returns whether that was not done before.
pub fn settings(from: &Path, state: &Path) -> Result<bool, String> {
    let made = state.join(FILE);
    if made.exists() {
        return Ok(false);
    }
    let theirs = Theirs::read(from)?;
    theirs.must_not_run()?;
    let Theirs { file, mut settings, left_out, .. } = theirs;
    let file = file.display();
    left_out.iter().for_each(|what| log::warn!("{file}: {what}"));
    let mut lines = format!("# Made of {file}. Your own configuration comes before it.\n");
    // It is on by default there, and we do not have it.
    settings.rename_partial_files = false;
    let mut usual = Settings::default();
    for row in &TABLE {
        let text = text_of(row.place(&mut settings));
        if text == text_of(row.place(&mut usual)) {
            continue;
        }
        match text.contains(['"', '\n', '\r']) {
            true => log::warn!("{file}: {} can't be taken over", row.file_name()),
            false => lines += &format!("{} = \"{text}\"\n", row.file_name()),
        }
    }
    // There is a password in it.
    let state = StateDir::open(state).map_err(|error| failed(state, &error))?;
    state.write(FILE, lines.as_bytes(), true).map_err(|error| failed(&made, &error))?;
    Ok(true)
}

/// Takes over the torrents of the folder `from` that are not known yet. Returns how many these are. If there are any,
/// transmission-daemon must not run, in a later start either.
pub fn torrents(from: &Path, state: &State, settings: &Settings) -> Result<usize, String> {
    let known: Vec<_> = state.torrents()?.into_iter().map(|found| found.hash).collect();
    let folder = from.join("torrents");
    let listed = fs::read_dir(&folder).map_err(|error| failed(&folder, &error))?;
    let mut paths: Vec<PathBuf> = listed.flatten().map(|entry| entry.path()).collect();
    paths.sort_unstable();
    let (mut place, mut taken, mut is_ended) = (0, 0, false);
    for path in paths {
        let end = path.extension().unwrap_or_default();
        if end != "torrent" && end != "magnet" {
            continue;
        }
        place += 1 << 20;
        let resume = from.join("resume").join(path.with_extension("resume").file_name().unwrap_or_default());
        let (mut record, mut kept) = of_resume(&resume);
        if record.download_dir.is_empty() {
            record.download_dir = settings.download_dir.as_str().into();
        }
        kept.place = place;
        let done = match identify(&path, &mut kept) {
            Ok((hash, _)) if known.contains(&hash) => continue,
            Ok((hash, bytes)) => {
                if !is_ended {
                    Theirs::read(from)?.must_not_run()?;
                    is_ended = true;
                }
                take(hash, &bytes, state, &mut record, &kept)
            }
            Err(why) => Err(why),
        };
        match done {
            Ok(()) => taken += 1,
            Err(why) => log::warn!("{} is not taken over: {why}", path.display()),
        }
    }
    Ok(taken)
}

/// Reads a .torrent file or a link, and completes what is kept of it.
fn identify(path: &Path, kept: &mut Kept) -> Result<(InfoHash, Vec<u8>), String> {
    let bytes = read_regular(path, MAX_METAINFO_BYTES as u64).map_err(|error| in_words(&error))?;
    let hash = if path.extension().is_some_and(|end| end == "magnet") {
        let link = Magnet::parse(String::from_utf8_lossy(&bytes).trim())?;
        kept.link = Some(link.to_string().into());
        link.info_hash.ok_or("it is a link of version 2 only")?
    } else {
        let metainfo = Metainfo::parse(&bytes)?;
        if kept.files.as_ref().is_some_and(|files| files.len() != metainfo.files.len()) {
            kept.files = None;
        }
        kept.renamed = portable_names(&metainfo);
        metainfo.info_hash
    };
    Ok((hash, bytes))
}

/// Takes over one torrent that is not known yet.
fn take(hash: InfoHash, bytes: &[u8], state: &State, record: &mut Record, kept: &Kept) -> Result<(), String> {
    Arc::make_mut(&mut record.about).hash = Some(hash);
    if kept.link.is_none() {
        state.dir.save_torrent(hash, bytes).map_err(|error| in_words(&error))?;
    }
    state.save(record, kept)
}

/// What the resume file of a torrent says; without one, nothing.
fn of_resume(path: &Path) -> (Record, Kept) {
    let read = match read_regular(path, MOST_RESUME) {
        Ok(bytes) => resumed(&bytes).ok_or("it is damaged".into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Default::default(),
        Err(error) => Err(in_words(&error)),
    };
    read.unwrap_or_else(|why| {
        log::warn!("{}: {why}; the torrent is taken over without it, in the folder for downloads", path.display());
        Default::default()
    })
}

/// What transmission knows of a torrent. Version 4.1 writes `_` where older ones write `-`.
fn resumed(bytes: &[u8]) -> Option<(Record, Kept)> {
    let (file, _) = bencode::decode_foreign(bytes).ok()?;
    let within = |dict: Value<'_>, key: &str| -> Option<i64> { dict_get(dict, key)?.as_int() };
    let number = |key: &str| dict_get(file, key).and_then(Value::as_int).unwrap_or(0);
    let count = |key: &str| u64::try_from(number(key)).unwrap_or(0);
    let text = |key: &str| dict_get(file, key).and_then(Value::as_text);
    let limit = |key: &str| {
        let dict = dict_get(file, key);
        let get = |key| dict.and_then(|dict| within(dict, key));
        let speed = u64::try_from(get("speed-Bps").unwrap_or(0)).unwrap_or(0) / 1000;
        (speed, get("use-speed-limit") == Some(1), get("use-global-speed-limit") != Some(0))
    };
    let mode = |key: &str, mode: &str| match dict_get(file, key).and_then(|dict| within(dict, mode)) {
        Some(1) => Mode::Single,
        Some(2) => Mode::Unlimited,
        _ => Mode::Global,
    };
    let usual = Wishes::default();
    let (down, up) = (limit("speed-limit-down"), limit("speed-limit-up"));
    let ratio = dict_get(file, "ratio-limit").and_then(|dict| dict_get(dict, "ratio-limit")?.as_text()?.parse().ok());
    let idle = dict_get(file, "idle-limit").and_then(|dict| within(dict, "idle-limit"));
    let peers = count("max-peers");
    let wishes = Wishes {
        bandwidth_priority: number("bandwidth-priority").clamp(-1, 1) as i8,
        download_limit: down.0,
        download_limited: down.1,
        upload_limit: up.0,
        upload_limited: up.1,
        honors_session_limits: down.2 && up.2,
        peer_limit: if peers == 0 { usual.peer_limit } else { peers },
        seed_ratio_limit: ratio
            .filter(|ratio: &f64| ratio.is_finite() && *ratio >= 0.0)
            .unwrap_or(usual.seed_ratio_limit),
        seed_ratio_mode: mode("ratio-limit", "ratio-mode"),
        seed_idle_limit: idle.and_then(|idle| u64::try_from(idle).ok()).unwrap_or(usual.seed_idle_limit),
        seed_idle_mode: mode("idle-limit", "idle-mode"),
        ..usual
    };
    let list = |key: &str| dict_get(file, key).and_then(Value::items).into_iter().flatten();
    let record = Record {
        download_dir: text("destination").unwrap_or_default().into(),
        labels: list("labels").filter_map(|label| label.as_text().map(String::from)).collect(),
        wishes,
        dates: Dates {
            added: number("added-date"),
            done: number("done-date"),
            active: number("activity-date"),
            ..Dates::default()
        },
        totals: Totals {
            downloaded: count("downloaded"),
            uploaded: count("uploaded"),
            corrupt: count("corrupt"),
            seconds_downloading: count("downloading-time-seconds"),
            seconds_seeding: count("seeding-time-seconds"),
        },
        ..Record::default()
    };
    let skipped = list("dnd").map(|skip| skip.as_int() == Some(1));
    let files: Vec<Priority> = skipped
        .zip(list("priority").map(|priority| priority.as_int()).chain(std::iter::repeat(None)))
        .map(|file| match file {
            (true, _) => Priority::Skip,
            (false, Some(-1)) => Priority::Low,
            (false, Some(1)) => Priority::High,
            (false, _) => Priority::Normal,
        })
        .collect();
    let is_usual = files.iter().all(|priority| *priority == Priority::Normal);
    let at =
        text("incomplete-dir").filter(|_| number("done-date") == 0 && text("incomplete-dir") != text("destination"));
    let kept = Kept {
        paused: number("paused") == 1,
        at: at.map(Box::from),
        files: (!is_usual).then(|| files.into()),
        ..Kept::default()
    };
    Some((record, kept))
}

fn dict_get<'a>(dict: Value<'a>, key: &str) -> Option<Value<'a>> {
    dict.get(key.as_bytes()).or_else(|| dict.get(key.replace('-', "_").as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::settings::Encryption;
    use rustix::fs::{CWD, FileType, Mode as Rights, mknodat};
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn settings_and_torrents_are_taken_over_once_and_nothing_is_changed_there() {
        let (from, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let to = state.path().join("daemon");
        let text = r#"{"download-dir": "/srv/media", "ratio-limit": 1.5, "ratio-limit-enabled": true, "umask": 18,
            "rpc-password": "{abc", "unknown": [1], "peer-port": -7, "encryption": 2, "utp-enabled": true,
            "bind-address-ipv4": "10.8.0.2", "bind-address-ipv6": "::"}"#;
        fs::write(from.path().join("settings.json"), text).unwrap();
        settings(from.path(), &to).unwrap();
        fs::write(from.path().join("settings.json"), "{}").unwrap();
        settings(from.path(), &to).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(&to), mode(&to.join(FILE))), (0o700, 0o600), "it has a password");
        let mut read = Settings::default();
        super::super::config::read(&fs::read_to_string(to.join(FILE)).unwrap(), &mut read).unwrap();
        let expected = Settings {
            download_dir: "/srv/media".into(),
            seed_ratio_limit: 1.5,
            seed_ratio_limited: true,
            rpc_password: "{abc".into(),
            encryption: Encryption::Required,
            bind_address_ipv4: "10.8.0.2".into(),
            ..Settings::default()
        };
        assert_eq!(read, expected);

        let info = "d6:lengthi5e4:name1:a12:piece lengthi16384e6:pieces20:xxxxxxxxxxxxxxxxxxxxe";
        let torrent = format!("d4:info{info}e");
        let resume = "d13:activity-datei3e10:added-datei1e11:destination6:/srv/x3:dndli1ee9:done-datei2e6:labelsl2:tve\
            6:pausedi1e8:priorityli0ee11:ratio-limitd11:ratio-limit8:2.50000010:ratio-modei1ee\
            16:speed-limit-downd9:speed-Bpsi7000e22:use-global-speed-limiti0e15:use-speed-limiti1ee8:uploadedi9ee";
        for (folder, name, content) in [("torrents", "a.x.torrent", &*torrent), ("resume", "a.x.resume", resume)] {
            fs::create_dir(from.path().join(folder)).unwrap();
            fs::write(from.path().join(folder).join(name), content).unwrap();
        }
        let state = State::open(&to).unwrap();
        torrents(from.path(), &state, &read).unwrap();
        let found = state.torrents().unwrap();
        let (record, kept) = &**found[0].saved.as_ref().unwrap();
        assert_eq!((&*record.download_dir, record.labels.as_slice()), ("/srv/x", &["tv".to_string()][..]));
        let wishes = &record.wishes;
        assert_eq!((wishes.download_limit, wishes.download_limited, wishes.honors_session_limits), (7, true, false));
        assert_eq!((wishes.seed_ratio_limit, wishes.seed_ratio_mode), (2.5, Mode::Single));
        assert_eq!((record.totals.uploaded, record.dates.added, record.dates.done), (9, 1, 2));
        assert_eq!((kept.paused, kept.files.as_deref()), (true, Some(&[Priority::Skip][..])));
        assert_eq!(state.dir.saved_torrent(found[0].hash).unwrap(), torrent.as_bytes());
    }

    #[test]
    fn files_without_end_and_pipes_hold_up_nothing() {
        let (from, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let at = |name: &str| from.path().join(name);
        let make_large = |name: &str, size: u64| fs::File::create(at(name)).unwrap().set_len(size + 1).unwrap();
        let make_pipe = |name: &str| mknodat(CWD, at(name), FileType::Fifo, Rights::from_raw_mode(0o600), 0).unwrap();
        let name = at("settings.json");
        make_large("settings.json", theirs::MOST_SETTINGS);
        let refused = || settings(from.path(), &state.path().join("daemon")).unwrap_err();
        assert_eq!(refused(), format!("{}: it is larger than 1.00 MiB", name.display()));
        fs::remove_file(&name).unwrap();
        make_pipe("settings.json");
        assert_eq!(refused(), format!("{}: it is not a regular file", name.display()));

        fs::remove_file(&name).unwrap();
        fs::write(&name, r#"{"rpc-enabled": false}"#).unwrap();
        ["torrents", "resume"].into_iter().for_each(|folder| fs::create_dir(at(folder)).unwrap());
        make_large("torrents/large.torrent", MAX_METAINFO_BYTES as u64);
        make_pipe("torrents/pipe.torrent");
        make_large("resume/a.resume", MOST_RESUME);
        make_pipe("resume/b.resume");
        for name in ["a", "b"] {
            let link = format!("magnet:?xt=urn:btih:{}", name.repeat(40));
            fs::write(at("torrents").join(name).with_extension("magnet"), link).unwrap();
        }
        let (state, usual) = (State::open(&state.path().join("daemon")).unwrap(), Settings::default());
        assert_eq!(torrents(from.path(), &state, &usual), Ok(2), "the links, without their resume files");
    }
}
